// SPDX-License-Identifier: Apache-2.0
/*
 * The file of a copy on a system that fails: calls of this program's that stand before those of the
 * C library, and fail when a test says so. R-FCOPY-005, R-FCOPY-006, R-FCOPY-025.
 */
#include "guest/ic_daemons/fcopy_file_linux.h"
#include "tests/harness.h"
#include "tests/temp_folder.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- calls that fail ------------------------------------------------------------------------ */

/* What each returns instead of working; 0: it works. */
static struct {
	int write, sync, allocate, mode, cut;
	unsigned writes;    /* that work before that */
	size_t write_most;  /* bytes of one; 0: all */
	unsigned mode_bits; /* the last that were asked for */
} fault;

static int failed(int error)
{
	errno = error;
	return -1;
}

/* The C library's, which the one of this file hides. */
static void *real(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);
	if (found == NULL)
		abort();
	return found;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
	ssize_t (*call)(int, const void *, size_t, off_t);
	*(void **)&call = real("pwrite");
	if (fault.write != 0 && fault.writes == 0)
		return failed(fault.write);
	fault.writes -= fault.writes > 0;
	const size_t most = fault.write_most != 0 && fault.write_most < count ? fault.write_most
									      : count;
	return call(fd, bytes, most, offset);
}

int fsync(int fd)
{
	int (*call)(int);
	*(void **)&call = real("fsync");
	return fault.sync != 0 ? failed(fault.sync) : call(fd);
}

int fallocate(int fd, int flags, off_t offset, off_t bytes)
{
	int (*call)(int, int, off_t, off_t);
	*(void **)&call = real("fallocate");
	return fault.allocate != 0 ? failed(fault.allocate) : call(fd, flags, offset, bytes);
}

int fchmod(int fd, mode_t mode)
{
	int (*call)(int, mode_t);
	*(void **)&call = real("fchmod");
	fault.mode_bits = mode;
	return fault.mode != 0 ? failed(fault.mode) : call(fd, mode);
}

int ftruncate(int fd, off_t bytes)
{
	int (*call)(int, off_t);
	*(void **)&call = real("ftruncate");
	return fault.cut != 0 ? failed(fault.cut) : call(fd, bytes);
}

/* ---- fixture -------------------------------------------------------------------------------- */

struct place {
	char root[64];
	char record[80];
	char path[96]; /* of the file */
	struct fcopy_file_config config;
	struct fcopy_file file;
};

static void place_make(struct place *place, bool is_without_tmpfile)
{
	memset(place, 0, sizeof *place);
	memset(&fault, 0, sizeof fault);
	CU_ASSERT_TRUE_FATAL(temp_folder_make(place->root, sizeof place->root));
	snprintf(place->record, sizeof place->record, "%s.record", place->root);
	snprintf(place->path, sizeof place->path, "%s/f", place->root);
	fcopy_file_config_init(&place->config);
	CU_ASSERT_EQUAL(fcopy_file_root_add(&place->config, place->root), 0);
	place->config.record = strdup(place->record);
	place->config.is_without_tmpfile = is_without_tmpfile;
	fcopy_file_init(&place->file, &place->config);
}

static unsigned entries(const char *path)
{
	unsigned count = 0;
	DIR *dir = opendir(path);
	for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (dir != NULL)
		closedir(dir);
	return count;
}

static uint32_t start(struct place *place)
{
	const struct fcopy_start what = {.name = "f", .path = place->root, .size_bytes = 10};
	return fcopy_file_start(&place->file, &what);
}

static uint32_t write_some(struct place *place, const char *text)
{
	return fcopy_file_write(&place->file, place->file.end, (const uint8_t *)text, strlen(text));
}

/* All of a copy; the first failure. */
static uint32_t copy(struct place *place)
{
	uint32_t status = start(place);
	if (status == 0)
		status = write_some(place, "01234");
	if (status == 0)
		status = write_some(place, "56789");
	return status == 0 ? fcopy_file_complete(&place->file) : status;
}

static bool file_is(const char *path, const char *text)
{
	char found[64] = "";
	FILE *stream = fopen(path, "r");
	if (stream == NULL)
		return false;
	const size_t n = fread(found, 1, sizeof found - 1, stream);
	fclose(stream);
	return n == strlen(text) && memcmp(found, text, n) == 0;
}

/* R-FCOPY-005: nothing of it is there, under any name. */
static void place_remove(struct place *place, unsigned files)
{
	CU_ASSERT_EQUAL(entries(place->root), files);
	CU_ASSERT_EQUAL(access(place->record, F_OK), -1);
	fcopy_file_drop(&place->file);
	fcopy_file_config_free(&place->config);
	(void)unlink(place->path);
	(void)rmdir(place->root);
}

/* ---- the tests ------------------------------------------------------------------------------ */

struct row {
	int error;
	uint32_t status;
};
static const struct row rows[] = {
	{ENOSPC, IC_STATUS_DISK_FULL},
	{EDQUOT, IC_STATUS_DISK_FULL},
	{EIO, IC_STATUS_FAIL},
	{EROFS, FCOPY_STATUS_ACCESS_DENIED},
};

/* In both manners, for each error: `where` is the call that fails with it. */
static void each_error(int *where, unsigned writes)
{
	for (unsigned i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
		struct place place;
		place_make(&place, i % 2 != 0);
		fault.writes = writes;
		*where = rows[i / 2].error;
		CU_ASSERT_EQUAL(copy(&place), rows[i / 2].status);
		CU_ASSERT_STRING_NOT_EQUAL(place.file.reason, "");
		place_remove(&place, 0);
	}
}

/* R-FCOPY-006. */
static void a_disk_that_gets_full_is_said_to_be_full(void)
{
	each_error(&fault.write, 0);
	each_error(&fault.write, 1);
}

static void a_lack_of_space_is_known_at_the_start(void)
{
	each_error(&fault.allocate, 0);
}

/* R-FCOPY-025: what did not reach the disk is no copy. */
static void bytes_that_do_not_reach_the_disk_make_no_file(void)
{
	each_error(&fault.sync, 0);
}

/* R-FCOPY-028, R-FCOPY-007. */
static void a_mode_or_a_size_that_cannot_be_set_makes_no_file(void)
{
	each_error(&fault.mode, 0);
	each_error(&fault.cut, 0);
}

/* A file system without fallocate() may have the room all the same. */
static void a_file_system_without_allocation_takes_the_file(void)
{
	static const int errors[] = {EOPNOTSUPP, ENOSYS};
	for (unsigned i = 0; i < 2; i++) {
		struct place place;
		place_make(&place, false);
		fault.allocate = errors[i];
		CU_ASSERT_EQUAL(copy(&place), 0);
		CU_ASSERT_TRUE(file_is(place.path, "0123456789"));
		place_remove(&place, 1);
	}
}

/* R-FCOPY-007: the system may take less than it is given. */
static void writes_that_are_taken_in_part_go_on(void)
{
	for (unsigned i = 0; i < 2; i++) {
		struct place place;
		place_make(&place, i != 0);
		fault.write_most = 2;
		CU_ASSERT_EQUAL(copy(&place), 0);
		CU_ASSERT_TRUE(file_is(place.path, "0123456789"));
		place_remove(&place, 1);
	}
}

/* R-FCOPY-028. */
static void bits_beside_the_permissions_are_never_asked_for(void)
{
	struct place place;
	place_make(&place, false);
	place.config.mode = 06755;
	CU_ASSERT_EQUAL(copy(&place), 0);
	CU_ASSERT_EQUAL(fault.mode_bits, 0755);
	place_remove(&place, 1);
}

static const struct test tests[] = {
	TEST(a_disk_that_gets_full_is_said_to_be_full),
	TEST(a_lack_of_space_is_known_at_the_start),
	TEST(bytes_that_do_not_reach_the_disk_make_no_file),
	TEST(a_mode_or_a_size_that_cannot_be_set_makes_no_file),
	TEST(a_file_system_without_allocation_takes_the_file),
	TEST(writes_that_are_taken_in_part_go_on),
	TEST(bits_beside_the_permissions_are_never_asked_for),
};

TEST_MAIN("fcopy_failures", tests)
