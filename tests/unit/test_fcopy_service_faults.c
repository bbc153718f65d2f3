// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-fcopy on a system that fails: what the host is told of a write that fails in the
 * background, and how much a host that fails again and again has written to the log. pwrite() is
 * this program's, which stands before that of the C library.
 */
#include "tests/unit/fcopy_service_rig.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

static atomic_int write_error; /* of the thread's; 0: it works */

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
	ssize_t (*call)(int, const void *, size_t, off_t);
	const int error = atomic_load(&write_error);
	*(void **)&call = dlsym(RTLD_NEXT, "pwrite");
	if (call == NULL)
		abort();
	if (error == 0)
		return call(fd, bytes, count, offset);
	errno = error;
	return -1;
}

/* R-FCOPY-006, R-FCOPY-005: the answer to the next request says it, and nothing is left. */
static void a_write_that_fails_in_the_background_fails_the_copy(void)
{
	static const uint8_t data[FCOPY_FRAGMENT_BYTES];
	const uint64_t size = 4ull * FCOPY_JOB_BUFFER_BYTES;
	static struct fixture f;
	uint32_t status = 0;
	uint64_t offset = 0;
	opened(&f);
	CU_ASSERT_EQUAL(ask_start(&f, "f", f.root, size), 0);
	atomic_store(&write_error, ENOSPC);
	for (; status == 0 && offset + sizeof data <= size; offset += sizeof data)
		status = ask_write(&f, offset, data, sizeof data);
	atomic_store(&write_error, 0);
	CU_ASSERT_EQUAL(status, IC_STATUS_DISK_FULL);
	CU_ASSERT_TRUE(offset < size);
	CU_ASSERT_EQUAL(ask_plain(&f, FCOPY_COMPLETE), IC_STATUS_FAIL); /* there is none */
	CU_ASSERT_EQUAL(entries(&f), 0);
	CU_ASSERT_STRING_NOT_EQUAL(f.service.job.last_end, "copied");
	closed(&f);
}

/* R-FCOPY-006: of the last buffer, which is written at the end. */
static void a_write_that_fails_at_the_end_fails_the_copy(void)
{
	static struct fixture f;
	opened(&f);
	CU_ASSERT_EQUAL(ask_start(&f, "f", f.root, 5), 0);
	CU_ASSERT_EQUAL(ask_write(&f, 0, "hello", 5), 0);
	atomic_store(&write_error, EDQUOT);
	CU_ASSERT_EQUAL(ask_plain(&f, FCOPY_COMPLETE), IC_STATUS_DISK_FULL);
	atomic_store(&write_error, 0);
	CU_ASSERT_EQUAL(entries(&f), 0);
	closed(&f);
}

/* R-ROB-005. */
static void a_host_that_fails_does_not_fill_the_log(void)
{
	static struct fixture f;
	static char text[1u << 18];
	unsigned lines = 0;
	opened(&f);
	fflush(stderr);
	const int fd = memfd_create("stderr", MFD_CLOEXEC);
	const int saved = dup(STDERR_FILENO);
	CU_ASSERT_TRUE_FATAL(fd >= 0 && saved >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	const uint64_t began_ms = daemon_now_ms();
	for (unsigned i = 0; i < 60; i++)
		CU_ASSERT_EQUAL(ask_start(&f, "f", "/etc", 1), FCOPY_STATUS_ACCESS_DENIED);
	const uint64_t periods = (daemon_now_ms() - began_ms) / 10000 + 1;
	const ssize_t len = pread(fd, text, sizeof text - 1, 0);
	(void)dup2(saved, STDERR_FILENO);
	close(saved);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	CU_ASSERT_TRUE(lines >= 10);
	CU_ASSERT_TRUE(lines <= 20 * (periods + 1));
	closed(&f);
}

/* R-FCOPY-010: 520 bytes of name or path, and no NUL among them. */
static void a_text_of_the_device_without_an_end_is_none(void)
{
	uint8_t record[1088];
	struct fcopy_device_text text;
	struct fcopy_request request;
	uint32_t version;
	for (unsigned which = 0; which < 2; which++) {
		uint8_t *field = record + (which == 0 ? 36 : 556);
		memset(record, 0, sizeof record);
		record[36] = 'f';
		record[556] = '/';
		memset(field, 'x', 520);
		CU_ASSERT_EQUAL(
			fcopy_device_decode(record, sizeof record, &text, &request, &version),
			FCOPY_DEVICE_BAD);
		field[519] = 0;
		CU_ASSERT_EQUAL(
			fcopy_device_decode(record, sizeof record, &text, &request, &version),
			FCOPY_DEVICE_REQUEST);
	}
}

static const struct test tests[] = {
	TEST(a_write_that_fails_in_the_background_fails_the_copy),
	TEST(a_write_that_fails_at_the_end_fails_the_copy),
	TEST(a_host_that_fails_does_not_fill_the_log),
	TEST(a_text_of_the_device_without_an_end_is_none),
};

TEST_MAIN("fcopy_service_faults", tests)
