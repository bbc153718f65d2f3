// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-fcopy's component in its frame, with the test as the kernel behind /dev/vmbus/hv_fcopy.
 * Records are put together from fcopy.md, section 6.
 */
#ifndef TESTS_UNIT_FCOPY_SERVICE_RIG_H
#define TESTS_UNIT_FCOPY_SERVICE_RIG_H

#include "guest/ic_daemons/fcopy_device_linux.h"
#include "guest/ic_daemons/fcopy_service_linux.h"
#include "tests/harness.h"
#include "tests/temp_folder.h"

#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TURNS_MAX 10000

struct fixture {
	struct fcopy_service service;
	struct daemon *daemon;
	int kernel; /* the test's end */
	char top[64];
	char root[80];
	char record[80];
};

/* --- frame --------------------------------------------------------------------------------- */

static inline void open_device(struct fixture *f)
{
	int pair[2];
	uint32_t version = 0;
	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	f->kernel = pair[1];
	CU_ASSERT_EQUAL_FATAL(daemon_device_attach(f->daemon, pair[0]), 0);
	CU_ASSERT_EQUAL(read(f->kernel, &version, sizeof version), 4);
	CU_ASSERT_EQUAL(version, 1);
	CU_ASSERT_EQUAL(write(f->kernel, &version, sizeof version), 4);
}

static inline void opened(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	CU_ASSERT_TRUE_FATAL(temp_folder_make(f->top, sizeof f->top));
	snprintf(f->root, sizeof f->root, "%s/root", f->top);
	snprintf(f->record, sizeof f->record, "%s/record", f->top);
	CU_ASSERT_EQUAL(mkdir(f->root, 0755), 0);
	CU_ASSERT_EQUAL_FATAL(fcopy_service_init(&f->service), 0);
	CU_ASSERT_EQUAL(fcopy_file_root_add(&f->service.config, f->root), 0);
	f->service.record = f->record;
	f->daemon = daemon_create(&f->service.component);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->daemon);
	open_device(f);
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static inline void closed(struct fixture *f)
{
	CU_ASSERT_EQUAL(daemon_destroy(f->daemon), 0);
	close(f->kernel);
	CU_ASSERT_EQUAL(access(f->record, F_OK), -1);
	(void)nftw(f->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline unsigned entries(const struct fixture *f)
{
	unsigned count = 0;
	DIR *dir = opendir(f->root);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
		count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
	closedir(dir);
	return count;
}

static inline void put(struct fixture *f, const void *record, size_t len)
{
	CU_ASSERT_EQUAL_FATAL(write(f->kernel, record, len), (ssize_t)len);
}

/* The answer to the next record; there must be one. */
static inline uint32_t answer(struct fixture *f)
{
	uint32_t status = 0;
	struct pollfd fd = {.fd = f->kernel, .events = POLLIN};
	for (unsigned i = 0; i < TURNS_MAX && poll(&fd, 1, 0) == 0; i++)
		(void)daemon_turn(f->daemon, 1000);
	CU_ASSERT_EQUAL_FATAL(read(f->kernel, &status, sizeof status), 4);
	return status;
}

static inline uint32_t ask_start(
	struct fixture *f, const char *name, const char *path, uint64_t size)
{
	uint8_t record[1088] = {0};
	snprintf((char *)record + 36, 520, "%s", name);
	snprintf((char *)record + 556, 520, "%s", path);
	memcpy(record + 1080, &size, sizeof size);
	put(f, record, sizeof record);
	return answer(f);
}

static inline uint32_t ask_write(
	struct fixture *f, uint64_t offset, const void *data, uint32_t bytes)
{
	static uint8_t record[6196];
	record[0] = FCOPY_WRITE;
	memcpy(record + 40, &offset, sizeof offset);
	memcpy(record + 48, &bytes, sizeof bytes);
	memcpy(record + 52, data, bytes);
	put(f, record, sizeof record);
	return answer(f);
}

/* The kernel hands out 6196 bytes of anything behind the header. */
static inline uint32_t ask_plain(struct fixture *f, uint8_t operation)
{
	static uint8_t record[6196];
	memset(record, 0xEE, sizeof record);
	memset(record, 0, 4);
	record[0] = operation;
	put(f, record, sizeof record);
	return answer(f);
}

static inline bool file_is(
	const struct fixture *f, const char *name, const uint8_t *want, size_t bytes)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", f->root, name);
	FILE *stream = fopen(path, "r");
	uint8_t *read_bytes = malloc(bytes + 1);
	const size_t n = stream != NULL ? fread(read_bytes, 1, bytes + 1, stream) : SIZE_MAX;
	const bool is_same = n == bytes && memcmp(read_bytes, want, bytes) == 0;
	free(read_bytes);
	if (stream != NULL)
		fclose(stream);
	return is_same;
}

#endif
