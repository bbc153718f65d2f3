// SPDX-License-Identifier: Apache-2.0
/*
 * Pools of key-value pairs in files: the format of the kernel's daemon, other programs at the
 * same files, broken files, bounds, and a kill between any two writes.
 */
#include "guest/ic_daemons/kvp_pool_linux.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_1 ".kvp_pool_1"

struct rig {
	char path[64];
	int dir_fd;
	struct kvp_pool_store pool;
};

static void rig_up(struct rig *rig)
{
	memset(rig, 0, sizeof *rig);
	snprintf(rig->path, sizeof rig->path, "/tmp/viridian-kvp-pool.XXXXXX");
	if (mkdtemp(rig->path) == NULL)
		abort();
	rig->dir_fd = open(rig->path, O_RDONLY | O_DIRECTORY);
	CU_ASSERT_EQUAL_FATAL(kvp_pool_open(&rig->pool, rig->dir_fd, 1, true), 0);
}

static void rig_down(struct rig *rig)
{
	kvp_pool_close(&rig->pool);
	(void)unlinkat(rig->dir_fd, FILE_1, 0);
	(void)unlinkat(rig->dir_fd, FILE_1 ".redo", 0);
	close(rig->dir_fd);
	CU_ASSERT_EQUAL(rmdir(rig->path), 0);
}

/* The file as another program sees it. */
static int foreign_open(const struct rig *rig, int flags)
{
	int fd = openat(rig->dir_fd, FILE_1, flags);
	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static void foreign_append(const struct rig *rig, const char *key, const char *value)
{
	struct kvp_pool_record record;
	memset(&record, 0, sizeof record);
	snprintf(record.key, sizeof record.key, "%s", key);
	snprintf(record.value, sizeof record.value, "%s", value);
	int fd = foreign_open(rig, O_WRONLY | O_APPEND);
	CU_ASSERT_EQUAL(write(fd, &record, sizeof record), sizeof record);
	close(fd);
}

static off_t size_of(const struct rig *rig)
{
	struct stat state;
	CU_ASSERT_EQUAL(fstatat(rig->dir_fd, FILE_1, &state, 0), 0);
	return state.st_size;
}

static bool has(struct kvp_pool_store *pool, const char *key, const char *value)
{
	struct kvp_pool_record record;
	return kvp_pool_get(pool, key, &record) == 0 && strcmp(record.key, key) == 0 &&
	       strcmp(record.value, value) == 0;
}

static bool lacks(struct kvp_pool_store *pool, const char *key)
{
	struct kvp_pool_record record;
	return kvp_pool_get(pool, key, &record) == -ENOENT;
}

static uint32_t count_of(struct kvp_pool_store *pool)
{
	uint32_t count = 0;
	CU_ASSERT_EQUAL(kvp_pool_count(pool, &count), 0);
	return count;
}

static void file_has_the_layout_of_the_kernels_daemon(void)
{
	struct rig rig;
	unsigned char bytes[2 * 2560 + 1];
	rig_up(&rig);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "first", "one"), 0);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "second", "\xc3\xa9"), 0);
	int fd = foreign_open(&rig, O_RDONLY);
	CU_ASSERT_EQUAL_FATAL(read(fd, bytes, sizeof bytes), 2 * 2560);
	close(fd);
	static const unsigned char zeros[2048];
	CU_ASSERT_EQUAL(memcmp(bytes, "first", 6), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 6, zeros, 506), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 512, "one", 4), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 516, zeros, 2044), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 2560, "second", 7), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 3072, "\xc3\xa9", 3), 0);
	rig_down(&rig);
}

static void set_get_change_delete_and_count(void)
{
	struct rig rig;
	rig_up(&rig);
	CU_ASSERT_TRUE(lacks(&rig.pool, "a"));
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "a", "1"), 0);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "b", "2"), 0);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "c", ""), 0);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "a", "changed"), 0);
	CU_ASSERT_EQUAL(count_of(&rig.pool), 3);
	CU_ASSERT_TRUE(has(&rig.pool, "a", "changed"));
	CU_ASSERT_TRUE(has(&rig.pool, "c", ""));
	CU_ASSERT_EQUAL(kvp_pool_delete(&rig.pool, "a"), 0);
	CU_ASSERT_EQUAL(kvp_pool_delete(&rig.pool, "a"), -ENOENT);
	CU_ASSERT_TRUE(lacks(&rig.pool, "a"));
	CU_ASSERT_TRUE(has(&rig.pool, "b", "2"));
	CU_ASSERT_TRUE(has(&rig.pool, "c", ""));
	CU_ASSERT_EQUAL(size_of(&rig), 2 * 2560);
	CU_ASSERT_EQUAL(kvp_pool_delete(&rig.pool, "b"), 0);
	CU_ASSERT_EQUAL(kvp_pool_delete(&rig.pool, "c"), 0);
	CU_ASSERT_EQUAL(count_of(&rig.pool), 0);
	CU_ASSERT_EQUAL(size_of(&rig), 0);
	rig_down(&rig);
}

static void key_that_begins_like_another_is_another(void)
{
	struct rig rig;
	rig_up(&rig);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "name", "1"), 0);
	CU_ASSERT_TRUE(lacks(&rig.pool, "nam"));
	CU_ASSERT_TRUE(lacks(&rig.pool, "names"));
	rig_down(&rig);
}

static void bounds_of_key_and_value(void)
{
	struct rig rig;
	char key[514], value[2050];
	rig_up(&rig);
	memset(key, 'k', sizeof key);
	memset(value, 'v', sizeof value);
	key[512] = '\0'; /* 512 bytes: one too many */
	value[2047] = '\0';
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, key, value), -ENAMETOOLONG);
	key[511] = '\0';
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, key, value), 0);
	CU_ASSERT_TRUE(has(&rig.pool, key, value));
	value[2047] = 'v';
	value[2048] = '\0';
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, key, value), -EFBIG);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "", "x"), -EINVAL);
	key[510] = '\0';
	CU_ASSERT_TRUE(lacks(&rig.pool, key));
	rig_down(&rig);
}

static void number_of_records_is_bounded(void)
{
	struct rig rig;
	rig_up(&rig);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "first", "1"), 0);
	/* 8,192 records, all but one without a key. */
	int fd = foreign_open(&rig, O_WRONLY);
	CU_ASSERT_EQUAL(ftruncate(fd, 8192 * 2560), 0);
	CU_ASSERT_EQUAL(pwrite(fd, "last", 5, 8191 * 2560), 5);
	close(fd);
	CU_ASSERT_TRUE(has(&rig.pool, "last", ""));
	CU_ASSERT_EQUAL(count_of(&rig.pool), 2);
	/* An empty one is used, so that the file stays as it is. */
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "second", "2"), 0);
	CU_ASSERT_EQUAL(size_of(&rig), 8192 * 2560);
	/* One more than is looked at. */
	foreign_append(&rig, "beyond", "x");
	CU_ASSERT_TRUE(lacks(&rig.pool, "beyond"));
	CU_ASSERT_EQUAL(rig.pool.ignored, 1);
	CU_ASSERT_EQUAL(kvp_pool_delete(&rig.pool, "first"), 0);
	CU_ASSERT_TRUE(lacks(&rig.pool, "first"));
	CU_ASSERT_EQUAL(size_of(&rig), 8193 * 2560);
	rig_down(&rig);
}

static void full_pool_refuses_one_more(void)
{
	struct rig rig;
	struct kvp_pool_record record;
	rig_up(&rig);
	memset(&record, 0, sizeof record);
	FILE *file = fdopen(foreign_open(&rig, O_WRONLY), "w");
	for (int i = 0; i < 8191; i++) {
		snprintf(record.key, sizeof record.key, "key-%d", i);
		CU_ASSERT_EQUAL(fwrite(&record, sizeof record, 1, file), 1);
	}
	CU_ASSERT_EQUAL(fclose(file), 0);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "the last", "x"), 0);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "one more", "x"), -ENOSPC);
	CU_ASSERT_TRUE(lacks(&rig.pool, "one more"));
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "key-17", "y"), 0);
	CU_ASSERT_TRUE(has(&rig.pool, "key-17", "y"));
	rig_down(&rig);
}

static void two_thousand_keys_are_fast(void)
{
	struct rig rig;
	char key[32], value[32];
	rig_up(&rig);
	struct timespec from, to;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof key, "key-%d", i);
		snprintf(value, sizeof value, "value-%d", i);
		CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, key, value), 0);
	}
	uint64_t reloads = rig.pool.reloads;
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof key, "key-%d", i);
		snprintf(value, sizeof value, "value-%d", i);
		CU_ASSERT_TRUE(has(&rig.pool, key, value));
	}
	struct kvp_pool_record record;
	for (uint32_t i = 0; i < 2000; i++)
		CU_ASSERT_EQUAL(kvp_pool_at(&rig.pool, i, &record), 0);
	CU_ASSERT_EQUAL(kvp_pool_at(&rig.pool, 2000, &record), -ENOENT);
	clock_gettime(CLOCK_MONOTONIC, &to);
	/* Nobody else changed the file: it was read when it was empty, and not again. */
	CU_ASSERT_TRUE(rig.pool.reloads <= 2);
	CU_ASSERT_EQUAL(rig.pool.reloads, reloads);
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof key, "key-%d", i);
		CU_ASSERT_EQUAL(kvp_pool_delete(&rig.pool, key), 0);
	}
	CU_ASSERT_EQUAL(rig.pool.reloads, reloads);
	CU_ASSERT_EQUAL(size_of(&rig), 0);
	rig_down(&rig);
}

static void changes_of_others_are_seen_at_once(void)
{
	struct rig rig;
	struct kvp_pool_store other;
	rig_up(&rig);
	CU_ASSERT_EQUAL(kvp_pool_open(&other, rig.dir_fd, 1, true), 0);
	for (int i = 0; i < 200; i++) {
		char value[24];
		snprintf(value, sizeof value, "%d", i);
		struct kvp_pool_store *writer = i % 2 ? &other : &rig.pool;
		struct kvp_pool_store *reader = i % 2 ? &rig.pool : &other;
		CU_ASSERT_EQUAL(kvp_pool_set(writer, "k", value), 0);
		CU_ASSERT_TRUE(has(reader, "k", value));
		/* The same size, the same tick of the clock: a key changes its name. */
		CU_ASSERT_EQUAL(kvp_pool_rename(writer, "k", "m", true), 0);
		CU_ASSERT_TRUE(has(reader, "m", value));
		CU_ASSERT_TRUE(lacks(reader, "k"));
		int fd = foreign_open(&rig, O_WRONLY);
		CU_ASSERT_EQUAL(pwrite(fd, "k", 1, 0), 1);
		close(fd);
		CU_ASSERT_TRUE(has(reader, "k", value));
		CU_ASSERT_TRUE(has(writer, "k", value));
	}
	foreign_append(&rig, "foreign", "x");
	CU_ASSERT_TRUE(has(&rig.pool, "foreign", "x"));
	int fd = foreign_open(&rig, O_WRONLY | O_TRUNC);
	close(fd);
	CU_ASSERT_EQUAL(count_of(&rig.pool), 0);
	CU_ASSERT_TRUE(lacks(&other, "k"));
	kvp_pool_close(&other);
	rig_down(&rig);
}

static void another_file_under_the_name_is_opened(void)
{
	struct rig rig;
	rig_up(&rig);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "a", "1"), 0);
	CU_ASSERT_EQUAL(unlinkat(rig.dir_fd, FILE_1, 0), 0);
	CU_ASSERT_TRUE(lacks(&rig.pool, "a"));
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "b", "2"), 0);
	CU_ASSERT_EQUAL(size_of(&rig), 2560);
	rig_down(&rig);
}

/* Written by name, as by an editor that replaces the file; times are set to look alike. */
static void file_put(const struct rig *rig, const char *name, const char *key, const char *value,
	const struct stat *like)
{
	struct kvp_pool_record record;
	memset(&record, 0, sizeof record);
	snprintf(record.key, sizeof record.key, "%s", key);
	snprintf(record.value, sizeof record.value, "%s", value);
	int fd = openat(rig->dir_fd, name, O_WRONLY | O_CREAT, 0644);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, &record, sizeof record), sizeof record);
	const struct timespec times[2] = {like->st_atim, like->st_mtim};
	CU_ASSERT_EQUAL(futimens(fd, times), 0);
	close(fd);
}

static struct stat state_of(const struct rig *rig)
{
	struct stat state = {0};
	CU_ASSERT_EQUAL(fstatat(rig->dir_fd, FILE_1, &state, 0), 0);
	return state;
}

static void times_alone_are_not_believed(void)
{
	struct rig rig;
	rig_up(&rig);
	/* Another file of the same size. */
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "a", "1"), 0);
	struct stat before = state_of(&rig);
	file_put(&rig, "new", "b", "2", &before);
	CU_ASSERT_EQUAL(renameat(rig.dir_fd, "new", rig.dir_fd, FILE_1), 0);
	CU_ASSERT_TRUE(has(&rig.pool, "b", "2"));
	CU_ASSERT_TRUE(lacks(&rig.pool, "a"));
	/* Another size. */
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "b", "3"), 0);
	before = state_of(&rig);
	foreign_append(&rig, "c", "4");
	const struct timespec times[2] = {before.st_atim, before.st_mtim};
	CU_ASSERT_EQUAL(utimensat(rig.dir_fd, FILE_1, times, 0), 0);
	CU_ASSERT_TRUE(has(&rig.pool, "c", "4"));
	/* Two changes in one tick of the clock. */
	file_put(&rig, FILE_1, "d", "5", &before);
	struct timespec now[2] = {{.tv_nsec = UTIME_OMIT}};
	clock_gettime(CLOCK_REALTIME, &now[1]);
	CU_ASSERT_EQUAL(utimensat(rig.dir_fd, FILE_1, now, 0), 0);
	CU_ASSERT_TRUE(has(&rig.pool, "d", "5"));
	file_put(&rig, FILE_1, "e", "6", &before);
	CU_ASSERT_EQUAL(utimensat(rig.dir_fd, FILE_1, now, 0), 0);
	CU_ASSERT_TRUE(has(&rig.pool, "e", "6"));
	rig_down(&rig);
}

static void record_without_a_key_is_used_again(void)
{
	struct rig rig;
	struct kvp_pool_record record;
	rig_up(&rig);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "first", "1"), 0);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "second", "2"), 0);
	memset(&record, 0, sizeof record);
	int fd = foreign_open(&rig, O_WRONLY);
	CU_ASSERT_EQUAL(pwrite(fd, &record, sizeof record, 0), sizeof record);
	close(fd);
	CU_ASSERT_EQUAL(count_of(&rig.pool), 1);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "third", "3"), 0);
	CU_ASSERT_EQUAL(size_of(&rig), 2 * 2560);
	CU_ASSERT_EQUAL(count_of(&rig.pool), 2);
	CU_ASSERT_EQUAL(kvp_pool_at(&rig.pool, 1, &record), 0);
	CU_ASSERT_STRING_EQUAL(record.key, "second");
	rig_down(&rig);
}

static void inode_stays(void)
{
	struct rig rig;
	struct stat before, after;
	rig_up(&rig);
	CU_ASSERT_EQUAL(fstatat(rig.dir_fd, FILE_1, &before, 0), 0);
	CU_ASSERT_EQUAL(before.st_mode & 07777, 0644);
	for (int i = 0; i < 5; i++) {
		char key[24];
		snprintf(key, sizeof key, "k%d", i);
		CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, key, "a value"), 0);
	}
	CU_ASSERT_EQUAL(kvp_pool_delete(&rig.pool, "k1"), 0);
	CU_ASSERT_EQUAL(fstatat(rig.dir_fd, FILE_1, &after, 0), 0);
	CU_ASSERT_EQUAL(before.st_ino, after.st_ino);
	rig_down(&rig);
}

static void broken_files_are_read_as_far_as_they_go(void)
{
	struct rig rig;
	char key[512], value[2048];
	struct kvp_pool_record record;
	rig_up(&rig);
	/* No NUL anywhere, then half a record. */
	int fd = foreign_open(&rig, O_WRONLY);
	memset(&record, 'x', sizeof record);
	CU_ASSERT_EQUAL(write(fd, &record, sizeof record), sizeof record);
	CU_ASSERT_EQUAL(write(fd, &record, 1000), 1000);
	close(fd);
	CU_ASSERT_EQUAL(count_of(&rig.pool), 1);
	memset(key, 'x', sizeof key);
	memset(value, 'x', sizeof value);
	key[511] = '\0';
	value[2047] = '\0';
	CU_ASSERT_TRUE(has(&rig.pool, key, value));
	CU_ASSERT_EQUAL(kvp_pool_at(&rig.pool, 0, &record), 0);
	CU_ASSERT_STRING_EQUAL(record.key, key);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, key, "mended"), 0);
	CU_ASSERT_TRUE(has(&rig.pool, key, "mended"));
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "next", "whole"), 0);
	CU_ASSERT_EQUAL(size_of(&rig), 2 * 2560);
	CU_ASSERT_TRUE(has(&rig.pool, "next", "whole"));
	/* A key of all zeros is no key; index 1 is the next. */
	fd = foreign_open(&rig, O_WRONLY);
	memset(&record, 0, sizeof record);
	CU_ASSERT_EQUAL(pwrite(fd, &record, sizeof record, 0), sizeof record);
	close(fd);
	CU_ASSERT_EQUAL(count_of(&rig.pool), 1);
	CU_ASSERT_EQUAL(kvp_pool_at(&rig.pool, 0, &record), 0);
	CU_ASSERT_STRING_EQUAL(record.key, "next");
	CU_ASSERT_EQUAL(kvp_pool_at(&rig.pool, 1, &record), -ENOENT);
	CU_ASSERT_EQUAL(kvp_pool_at(&rig.pool, UINT32_MAX, &record), -ENOENT);
	rig_down(&rig);
}

static void key_that_is_there_twice_goes_at_once(void)
{
	struct rig rig;
	rig_up(&rig);
	foreign_append(&rig, "twice", "first");
	foreign_append(&rig, "other", "x");
	foreign_append(&rig, "twice", "second");
	CU_ASSERT_TRUE(has(&rig.pool, "twice", "first"));
	CU_ASSERT_EQUAL(count_of(&rig.pool), 3);
	CU_ASSERT_EQUAL(kvp_pool_delete(&rig.pool, "twice"), 0);
	CU_ASSERT_TRUE(lacks(&rig.pool, "twice"));
	CU_ASSERT_TRUE(has(&rig.pool, "other", "x"));
	CU_ASSERT_EQUAL(count_of(&rig.pool), 1);
	rig_down(&rig);
}

static void rename_moves_or_replaces(void)
{
	struct rig rig;
	rig_up(&rig);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "a", "1"), 0);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "b", "2"), 0);
	CU_ASSERT_EQUAL(kvp_pool_rename(&rig.pool, "c", "d", false), -ENOENT);
	CU_ASSERT_EQUAL(kvp_pool_rename(&rig.pool, "a", "b", true), -EEXIST);
	CU_ASSERT_EQUAL(kvp_pool_rename(&rig.pool, "a", "", false), -EINVAL);
	CU_ASSERT_EQUAL(kvp_pool_rename(&rig.pool, "a", "a", false), 0);
	CU_ASSERT_TRUE(has(&rig.pool, "a", "1"));
	CU_ASSERT_EQUAL(kvp_pool_rename(&rig.pool, "a", "b", false), 0);
	CU_ASSERT_TRUE(has(&rig.pool, "b", "1"));
	CU_ASSERT_TRUE(lacks(&rig.pool, "a"));
	CU_ASSERT_EQUAL(count_of(&rig.pool), 1);
	CU_ASSERT_EQUAL(kvp_pool_rename(&rig.pool, "b", "z", true), 0);
	CU_ASSERT_TRUE(has(&rig.pool, "z", "1"));
	rig_down(&rig);
}

static void reader_cannot_change_and_takes_a_missing_file_as_empty(void)
{
	struct rig rig;
	struct kvp_pool_store reader;
	struct kvp_pool_record record;
	rig_up(&rig);
	CU_ASSERT_EQUAL(unlinkat(rig.dir_fd, FILE_1, 0), 0);
	CU_ASSERT_EQUAL(kvp_pool_open(&reader, rig.dir_fd, 1, false), 0);
	CU_ASSERT_EQUAL(count_of(&reader), 0);
	CU_ASSERT_EQUAL(kvp_pool_at(&reader, 0, &record), -ENOENT);
	CU_ASSERT_TRUE(lacks(&reader, "a"));
	CU_ASSERT_EQUAL(kvp_pool_set(&reader, "a", "1"), -EROFS);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "a", "1"), 0);
	CU_ASSERT_TRUE(has(&reader, "a", "1"));
	CU_ASSERT_EQUAL(kvp_pool_delete(&reader, "a"), -EROFS);
	kvp_pool_close(&reader);
	rig_down(&rig);
}

static void links_and_folders_are_refused(void)
{
	struct rig rig;
	struct kvp_pool_store pool;
	rig_up(&rig);
	CU_ASSERT_EQUAL(symlinkat(FILE_1, rig.dir_fd, ".kvp_pool_3"), 0);
	CU_ASSERT_EQUAL(kvp_pool_open(&pool, rig.dir_fd, 3, true), -EINVAL);
	kvp_pool_close(&pool);
	CU_ASSERT_EQUAL(unlinkat(rig.dir_fd, ".kvp_pool_3", 0), 0);
	CU_ASSERT_EQUAL(linkat(rig.dir_fd, FILE_1, rig.dir_fd, ".kvp_pool_3", 0), 0);
	CU_ASSERT_EQUAL(kvp_pool_open(&pool, rig.dir_fd, 3, true), -EINVAL);
	kvp_pool_close(&pool);
	CU_ASSERT_EQUAL(unlinkat(rig.dir_fd, ".kvp_pool_3", 0), 0);
	CU_ASSERT_EQUAL(mkfifoat(rig.dir_fd, ".kvp_pool_3", 0600), 0);
	CU_ASSERT_EQUAL(kvp_pool_open(&pool, rig.dir_fd, 3, false), -EINVAL);
	kvp_pool_close(&pool);
	CU_ASSERT_EQUAL(unlinkat(rig.dir_fd, ".kvp_pool_3", 0), 0);
	rig_down(&rig);
}

/* A child that holds a lock of the given kind until the pipe closes. */
static pid_t locker_start(const struct rig *rig, bool is_flock, bool is_shared, int *stop_fd)
{
	int ready[2], stop[2];
	char byte;
	CU_ASSERT_EQUAL_FATAL(pipe2(ready, O_CLOEXEC) | pipe2(stop, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		struct flock lock = {.l_type = is_shared ? F_RDLCK : F_WRLCK};
		int fd = openat(rig->dir_fd, FILE_1, O_RDWR);
		close(stop[1]);
		if (is_flock ? flock(fd, is_shared ? LOCK_SH : LOCK_EX) : fcntl(fd, F_SETLK, &lock))
			_exit(1);
		(void)!write(ready[1], "", 1);
		(void)!read(stop[0], &byte, 1);
		_exit(0);
	}
	close(ready[1]);
	close(stop[0]);
	CU_ASSERT_EQUAL_FATAL(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*stop_fd = stop[1];
	return child;
}

static void both_kinds_of_lock_are_respected_and_not_for_ever(void)
{
	struct rig rig;
	struct kvp_pool_record record;
	rig_up(&rig);
	CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "a", "1"), 0);
	rig.pool.file.lock_wait_ms = 20;
	for (unsigned kind = 0; kind < 4; kind++) {
		const bool is_shared = kind >= 2; /* by one who reads */
		int stop_fd;
		pid_t child = locker_start(&rig, kind % 2 != 0, is_shared, &stop_fd);
		CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "a", "2"), -EAGAIN);
		CU_ASSERT_EQUAL(kvp_pool_get(&rig.pool, "a", &record), is_shared ? 0 : -EAGAIN);
		close(stop_fd);
		CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
		CU_ASSERT_TRUE(has(&rig.pool, "a", "1"));
	}
	rig_down(&rig);
}

/* ---- Killed between two writes. */

static int writes_left;

static ssize_t write_or_die(int fd, const void *bytes, size_t count, off_t offset)
{
	if (writes_left-- == 0)
		_exit(9);
	return pwrite(fd, bytes, count, offset);
}

static int cut_or_die(int fd, off_t length)
{
	if (writes_left-- == 0)
		_exit(9);
	return ftruncate(fd, length);
}

enum change { CHANGE_VALUE, CHANGE_ADD, CHANGE_DELETE, CHANGE_RENAME, CHANGE_COUNT };

static int change_do(
	struct kvp_pool_store *pool, enum change change, const char *key, const char *value)
{
	switch (change) {
	case CHANGE_VALUE:
		return kvp_pool_set(pool, key, value);
	case CHANGE_ADD:
		return kvp_pool_set(pool, "new", value);
	case CHANGE_DELETE:
		return kvp_pool_delete(pool, key);
	case CHANGE_RENAME:
		return kvp_pool_rename(pool, key, "new", true);
	default:
		return -EINVAL;
	}
}

static char long_old[2048], long_new[2048];

static bool text_is(const char *text, const char *a, const char *b)
{
	return text[0] == '\0' || strcmp(text, a) == 0 || (b != NULL && strcmp(text, b) == 0);
}

/* What a program that knows only the format finds: old, new, or nothing. */
static void raw_check(const struct rig *rig)
{
	struct kvp_pool_record record;
	int fd = foreign_open(rig, O_RDONLY);
	while (read(fd, &record, sizeof record) == sizeof record) {
		unsigned number;
		bool is_known = sscanf(record.key, "key-%u", &number) == 1
					? number < 5
					: strcmp(record.key, "new") == 0;
		bool is_whole = text_is(record.value, long_old, long_new);
		CU_ASSERT_TRUE(record.key[0] == '\0' || (is_known && is_whole));
	}
	close(fd);
}

static void killed(enum change change, int victim, int after)
{
	struct rig rig;
	char key[24];
	int status;
	rig_up(&rig);
	for (int i = 0; i < 5; i++) {
		snprintf(key, sizeof key, "key-%d", i);
		CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, key, long_old), 0);
	}
	snprintf(key, sizeof key, "key-%d", victim);
	kvp_pool_close(&rig.pool);
	pid_t child = fork();
	if (child == 0) {
		if (kvp_pool_open(&rig.pool, rig.dir_fd, 1, true) != 0)
			_exit(1);
		rig.pool.file.write_at = write_or_die;
		rig.pool.file.cut_at = cut_or_die;
		writes_left = after;
		_exit(change_do(&rig.pool, change, key, long_new) == 0 ? 0 : 1);
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0));
	raw_check(&rig);
	CU_ASSERT_EQUAL(size_of(&rig) % 2560, 0);

	/* And then ours: as if it had been done, or not begun. */
	CU_ASSERT_EQUAL(kvp_pool_open(&rig.pool, rig.dir_fd, 1, true), 0);
	bool is_old = has(&rig.pool, key, long_old);
	bool is_done = change == CHANGE_VALUE ? has(&rig.pool, key, long_new)
		       : change == CHANGE_ADD ? is_old && has(&rig.pool, "new", long_new)
		       : change == CHANGE_DELETE
			       ? lacks(&rig.pool, key)
			       : lacks(&rig.pool, key) && has(&rig.pool, "new", long_old);
	bool is_not_begun = is_old && lacks(&rig.pool, "new");
	CU_ASSERT_TRUE(is_done != is_not_begun);
	if (WEXITSTATUS(status) == 0)
		CU_ASSERT_TRUE(is_done);
	for (int i = 0; i < 5; i++) {
		snprintf(key, sizeof key, "key-%d", i);
		if (i != victim)
			CU_ASSERT_TRUE(has(&rig.pool, key, long_old));
	}
	uint32_t expected = 5;
	if (is_done)
		expected += change == CHANGE_ADD ? 1 : change == CHANGE_DELETE ? (uint32_t)-1 : 0;
	CU_ASSERT_EQUAL(count_of(&rig.pool), expected);
	rig_down(&rig);
}

static void kill_between_writes_leaves_old_or_new(void)
{
	memset(long_old, 'o', 2047);
	memset(long_new, 'n', 2047);
	for (enum change change = 0; change < CHANGE_COUNT; change++)
		for (int victim = 0; victim < 5; victim++)
			for (int after = 0; after < 8; after++)
				killed(change, victim, after);
}

static void unfinished_change_is_not_done_over_anothers(void)
{
	struct rig rig;
	int status;
	memset(long_old, 'o', 2047);
	memset(long_new, 'n', 2047);
	rig_up(&rig);
	for (int i = 0; i < 3; i++) {
		char key[24];
		snprintf(key, sizeof key, "key-%d", i);
		CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, key, long_old), 0);
	}
	kvp_pool_close(&rig.pool);
	pid_t child = fork();
	if (child == 0) {
		(void)kvp_pool_open(&rig.pool, rig.dir_fd, 1, true);
		rig.pool.file.write_at = write_or_die;
		writes_left = 3; /* the note, the guard, the second unit */
		(void)kvp_pool_set(&rig.pool, "key-1", long_new);
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 9);
	/* A program without our care writes the record anew. */
	int fd = foreign_open(&rig, O_WRONLY);
	CU_ASSERT_EQUAL(pwrite(fd, "theirs", 7, 2560 + 512), 7);
	close(fd);
	CU_ASSERT_EQUAL(kvp_pool_open(&rig.pool, rig.dir_fd, 1, true), 0);
	CU_ASSERT_TRUE(has(&rig.pool, "key-1", "theirs"));
	CU_ASSERT_EQUAL(rig.pool.file.repairs, 0);
	rig_down(&rig);
}

/* The note of a change that was killed half way: its bytes at `at` become these. */
static void note_change(const struct rig *rig, size_t at, const void *bytes, size_t count)
{
	static unsigned char note[32 + 2 * 2560];
	uint64_t hash = 0xcbf29ce484222325ull;
	int fd = openat(rig->dir_fd, FILE_1 ".redo", O_RDWR);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(read(fd, note, sizeof note), sizeof note);
	memcpy(note + at, bytes, count);
	memset(note + 24, 0, 8);
	for (size_t i = 0; i < sizeof note; i++)
		hash = (hash ^ note[i]) * 0x100000001b3ull;
	if (at == 16) /* a sum that holds */
		CU_ASSERT_EQUAL(pwrite(fd, &hash, sizeof hash, 24), sizeof hash);
	CU_ASSERT_EQUAL(pwrite(fd, bytes, count, (off_t)at), (ssize_t)count);
	close(fd);
}

/* Broken, wrong about where the file ends, or of a file that has grown since. */
static void note_that_does_not_hold_changes_nothing(void)
{
	for (unsigned way = 0; way < 4; way++) {
		struct rig rig;
		const uint32_t cut_to = 100;
		memset(long_old, 'o', 2047);
		memset(long_new, 'n', 2047);
		rig_up(&rig);
		for (int i = 0; i < 3; i++) {
			char key[24];
			snprintf(key, sizeof key, "key-%d", i);
			CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, key, long_old), 0);
		}
		kvp_pool_close(&rig.pool);
		pid_t child = fork();
		if (child == 0) {
			(void)kvp_pool_open(&rig.pool, rig.dir_fd, 1, true);
			rig.pool.file.write_at = write_or_die;
			writes_left = 3; /* the note, the guard, the second unit */
			(void)kvp_pool_set(&rig.pool, "key-1", long_new);
			_exit(0);
		}
		CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
		if (way == 1)
			note_change(&rig, 32 + 2560 + 600, "z", 1); /* what is to be written */
		if (way == 2)
			note_change(&rig, 16, &cut_to, sizeof cut_to);
		if (way == 3)
			foreign_append(&rig, "foreign", "x");
		CU_ASSERT_EQUAL(kvp_pool_open(&rig.pool, rig.dir_fd, 1, true), 0);
		CU_ASSERT_EQUAL(count_of(&rig.pool), way == 3 ? 4 : 3);
		CU_ASSERT_EQUAL(rig.pool.file.repairs, way == 0 ? 1 : 0);
		CU_ASSERT_EQUAL(size_of(&rig), (way == 3 ? 4 : 3) * 2560);
		rig_down(&rig);
	}
}

static int cut_fails(int fd, off_t length)
{
	(void)fd;
	(void)length;
	errno = ENOSPC;
	return -1;
}

static ssize_t write_fails_beyond(int fd, const void *bytes, size_t count, off_t offset)
{
	if (writes_left-- == 0) {
		errno = ENOSPC;
		return -1;
	}
	return pwrite(fd, bytes, count, offset);
}

static void full_disk_leaves_the_pool_as_it_was(void)
{
	struct rig rig;
	memset(long_old, 'o', 2047);
	memset(long_new, 'n', 2047);
	for (int after = 0; after < 5; after++) {
		rig_up(&rig);
		CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "a", long_old), 0);
		CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "b", long_old), 0);
		rig.pool.file.write_at = write_fails_beyond;
		writes_left = after;
		int ret = kvp_pool_set(&rig.pool, "b", long_new);
		CU_ASSERT_EQUAL(ret, after < 4 ? -ENOSPC : 0);
		CU_ASSERT_TRUE(has(&rig.pool, "b", after < 4 ? long_old : long_new));
		writes_left = 0;
		CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "c", long_new), -ENOSPC);
		CU_ASSERT_TRUE(lacks(&rig.pool, "c"));
		CU_ASSERT_EQUAL(count_of(&rig.pool), 2);
		rig.pool.file.cut_at = cut_fails;
		CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, "c", "x"), -ENOSPC);
		CU_ASSERT_EQUAL(kvp_pool_delete(&rig.pool, "b"), -ENOSPC);
		CU_ASSERT_TRUE(has(&rig.pool, "a", long_old));
		rig_down(&rig);
	}
}

/* R-KVP-033, R-KVP-005. */
static void indices_run_from_0_without_a_gap_and_stay(void)
{
	struct rig rig;
	struct kvp_pool_record record;
	char key[16];
	rig_up(&rig);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(key, sizeof key, "key %u", i);
		CU_ASSERT_EQUAL(kvp_pool_set(&rig.pool, key, "v"), 0);
	}
	CU_ASSERT_EQUAL(kvp_pool_delete(&rig.pool, "key 20"), 0);
	for (unsigned round = 0; round < 2; round++) {
		static char first[49][16];
		for (uint32_t i = 0; i < 49; i++) {
			CU_ASSERT_EQUAL_FATAL(kvp_pool_at(&rig.pool, i, &record), 0);
			for (uint32_t j = 0; j < i; j++)
				CU_ASSERT_STRING_NOT_EQUAL(record.key, first[j]);
			if (round == 0)
				snprintf(first[i], sizeof first[i], "%.15s", record.key);
			CU_ASSERT_STRING_EQUAL(record.key, first[i]);
		}
		CU_ASSERT_TRUE(kvp_pool_at(&rig.pool, 49, &record) < 0);
	}
	rig_down(&rig);
}

static const struct test tests[] = {
	TEST(file_has_the_layout_of_the_kernels_daemon),
	TEST(set_get_change_delete_and_count),
	TEST(key_that_begins_like_another_is_another),
	TEST(bounds_of_key_and_value),
	TEST(number_of_records_is_bounded),
	TEST(full_pool_refuses_one_more),
	TEST(two_thousand_keys_are_fast),
	TEST(changes_of_others_are_seen_at_once),
	TEST(another_file_under_the_name_is_opened),
	TEST(times_alone_are_not_believed),
	TEST(record_without_a_key_is_used_again),
	TEST(inode_stays),
	TEST(broken_files_are_read_as_far_as_they_go),
	TEST(key_that_is_there_twice_goes_at_once),
	TEST(rename_moves_or_replaces),
	TEST(reader_cannot_change_and_takes_a_missing_file_as_empty),
	TEST(links_and_folders_are_refused),
	TEST(both_kinds_of_lock_are_respected_and_not_for_ever),
	TEST(kill_between_writes_leaves_old_or_new),
	TEST(unfinished_change_is_not_done_over_anothers),
	TEST(note_that_does_not_hold_changes_nothing),
	TEST(full_disk_leaves_the_pool_as_it_was),
	TEST(indices_run_from_0_without_a_gap_and_stay),
};

TEST_MAIN("kvp_pool", tests)
