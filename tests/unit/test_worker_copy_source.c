// SPDX-License-Identifier: Apache-2.0
/* The file of a copy on the worker's loop: whole, changed, cut short, closed in the middle. */
#include "host/vmwp/worker_copy_source.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_NS	  1000000000ull
#define TURNS_MAX 100000

struct fixture {
	struct loop *loop;
	struct copy_source source;
	int fd; /* to change it by */
	unsigned opens, readies;
	int error;
	uint64_t size;
};

static void on_opened(void *ctx, int error, uint64_t size_bytes)
{
	struct fixture *f = ctx;
	f->opens++;
	f->error = error;
	f->size = size_bytes;
}

static void on_ready(void *ctx)
{
	((struct fixture *)ctx)->readies++;
}

static uint8_t byte_at(uint64_t offset)
{
	return (uint8_t)(offset * 7 + offset / COPY_SOURCE_READ_BYTES);
}

static void open_fd(struct fixture *f, int fd)
{
	CU_ASSERT_EQUAL_FATAL(copy_source_open(&f->source, f->loop, fd, on_opened, on_ready, f), 0);
	for (unsigned i = 0; i < TURNS_MAX && f->opens == 0; i++)
		(void)loop_turn(f->loop, TURN_NS);
	CU_ASSERT_EQUAL(f->opens, 1);
}

static void opened(struct fixture *f, uint64_t size)
{
	char path[] = "/tmp/test_copy_source.XXXXXX";
	memset(f, 0, sizeof *f);
	copy_source_init(&f->source);
	CU_ASSERT_EQUAL_FATAL(loop_create(16, &f->loop), 0);
	f->fd = mkstemp(path);
	CU_ASSERT_TRUE_FATAL(f->fd >= 0);
	uint8_t *bytes = malloc(size + 1);
	for (uint64_t i = 0; i < size; i++)
		bytes[i] = byte_at(i);
	CU_ASSERT_EQUAL(write(f->fd, bytes, size), (ssize_t)size);
	free(bytes);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	open_fd(f, fd);
	CU_ASSERT_EQUAL(f->error, 0);
	CU_ASSERT_EQUAL(f->size, size);
}

static void closed(struct fixture *f)
{
	copy_source_close(&f->source);
	for (unsigned i = 0; i < TURNS_MAX && !copy_source_is_closed(&f->source); i++)
		(void)loop_turn(f->loop, TURN_NS);
	CU_ASSERT_TRUE(copy_source_is_closed(&f->source));
	close(f->fd);
	loop_destroy(f->loop);
}

/* One read, waited for. */
static int read_at(struct fixture *f, uint64_t offset, uint8_t *to, size_t bytes)
{
	for (unsigned i = 0; i < TURNS_MAX; i++) {
		const unsigned readies = f->readies;
		const int result = copy_source_read(&f->source, offset, to, bytes);
		if (result != -EAGAIN)
			return result;
		while (f->readies == readies)
			(void)loop_turn(f->loop, TURN_NS);
	}
	return -ETIMEDOUT;
}

/* Read up to `end`; the first failure. */
static int read_to(struct fixture *f, uint64_t end)
{
	uint8_t bytes[COPY_SOURCE_READ_BYTES];
	for (uint64_t at = 0; at < end; at += sizeof bytes) {
		const size_t n = f->size - at < sizeof bytes ? f->size - at : sizeof bytes;
		const int error = read_at(f, at, bytes, n);
		if (error != 0)
			return error;
		for (size_t i = 0; i < n; i++)
			if (bytes[i] != byte_at(at + i))
				return -EILSEQ;
	}
	return 0;
}

static void every_size_is_read_as_it_is(void)
{
	static const uint64_t sizes[] = {0, 1, 6143, 6144, 6145, COPY_SOURCE_PIECE_BYTES - 1,
		COPY_SOURCE_PIECE_BYTES, COPY_SOURCE_PIECE_BYTES + 1, 2 * COPY_SOURCE_PIECE_BYTES,
		5 * COPY_SOURCE_PIECE_BYTES + 12345};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct fixture f;
		opened(&f, sizes[i]);
		CU_ASSERT_EQUAL(read_to(&f, sizes[i]), 0);
		CU_ASSERT_EQUAL(read_at(&f, sizes[i], NULL, 0), 0);
		closed(&f);
	}
}

static void a_file_that_is_cut_short_is_noticed(void)
{
	struct fixture f;
	opened(&f, 4 * COPY_SOURCE_PIECE_BYTES);
	CU_ASSERT_EQUAL(read_to(&f, COPY_SOURCE_PIECE_BYTES / 2), 0);
	CU_ASSERT_EQUAL(ftruncate(f.fd, COPY_SOURCE_PIECE_BYTES), 0);
	CU_ASSERT_EQUAL(read_to(&f, f.size), -ENODATA);
	closed(&f);
	/* After the last byte was read, where only a look can tell. */
	opened(&f, 6144);
	CU_ASSERT_EQUAL(read_to(&f, 6144), 0);
	CU_ASSERT_EQUAL(ftruncate(f.fd, 6143), 0);
	CU_ASSERT_EQUAL(read_at(&f, 6144, NULL, 0), -ENODATA);
	closed(&f);
}

static void a_file_that_is_changed_is_noticed(void)
{
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct fixture f;
	opened(&f, 6 * COPY_SOURCE_PIECE_BYTES);
	CU_ASSERT_EQUAL(read_to(&f, 6144), 0);
	CU_ASSERT_EQUAL(futimens(f.fd, times), 0);
	CU_ASSERT_EQUAL(read_to(&f, f.size), -ESTALE);
	closed(&f);
	/* After the last byte, before its end is said. */
	opened(&f, 6144);
	CU_ASSERT_EQUAL(read_to(&f, 6144), 0);
	CU_ASSERT_EQUAL(write(f.fd, "x", 1), 1);
	CU_ASSERT_EQUAL(read_at(&f, 6144, NULL, 0), -ESTALE);
	closed(&f);
}

static void what_is_no_regular_file_is_refused(void)
{
	struct fixture f = {.fd = -1};
	int ends[2];
	CU_ASSERT_EQUAL_FATAL(loop_create(16, &f.loop), 0);
	CU_ASSERT_EQUAL(pipe(ends), 0);
	open_fd(&f, ends[0]);
	CU_ASSERT_EQUAL(f.error, -EINVAL);
	close(ends[1]);
	copy_source_close(&f.source);
	f.opens = 0;
	open_fd(&f, open("/tmp", O_RDONLY | O_DIRECTORY));
	CU_ASSERT_EQUAL(f.error, -EINVAL);
	closed(&f);
}

/* Whoever closes it gets no more calls, and the descriptor stays until the kernel is done. */
static void it_is_closed_when_what_is_in_flight_has_come_back(void)
{
	struct fixture f;
	uint8_t byte;
	opened(&f, 3 * COPY_SOURCE_PIECE_BYTES);
	CU_ASSERT_EQUAL(copy_source_read(&f.source, 0, &byte, 1), -EAGAIN);
	CU_ASSERT_TRUE(f.source.in_flight > 0);
	copy_source_close(&f.source);
	CU_ASSERT_FALSE(copy_source_is_closed(&f.source));
	closed(&f);
	CU_ASSERT_EQUAL(f.readies, 0);
	opened(&f, 10);
	closed(&f);
}

static void reads_out_of_order_are_refused(void)
{
	struct fixture f;
	uint8_t bytes[COPY_SOURCE_READ_BYTES];
	opened(&f, 3 * COPY_SOURCE_PIECE_BYTES);
	CU_ASSERT_EQUAL(read_to(&f, COPY_SOURCE_PIECE_BYTES), 0);
	CU_ASSERT_EQUAL(read_at(&f, 2 * COPY_SOURCE_PIECE_BYTES + 6144, bytes, 6144), 0);
	CU_ASSERT_EQUAL(read_at(&f, 0, bytes, 6144), -EINVAL);
	CU_ASSERT_EQUAL(read_at(&f, 3 * COPY_SOURCE_PIECE_BYTES - 1, bytes, 2), -EINVAL);
	closed(&f);
}

static const struct test tests[] = {
	TEST(every_size_is_read_as_it_is),
	TEST(a_file_that_is_cut_short_is_noticed),
	TEST(a_file_that_is_changed_is_noticed),
	TEST(what_is_no_regular_file_is_refused),
	TEST(it_is_closed_when_what_is_in_flight_has_come_back),
	TEST(reads_out_of_order_are_refused),
};
TEST_MAIN("worker copy source", tests)
