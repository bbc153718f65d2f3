// SPDX-License-Identifier: Apache-2.0
/*
 * The file of a copy. See fcopy_file_linux.h. Ways and names: fcopy_path_linux.c.
 */
#include "guest/ic_daemons/fcopy_file_linux.h"

#include "guest/ic_daemons/fcopy_path_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PERMISSION_BITS 0777u

/* ---- configuration ------------------------------------------------------------------------- */

void fcopy_file_config_init(struct fcopy_file_config *config)
{
	memset(config, 0, sizeof *config);
	config->mode = FCOPY_FILE_MODE_DEFAULT;
}

void fcopy_file_config_free(struct fcopy_file_config *config)
{
	for (unsigned i = 0; i < config->root_count; i++)
		free(config->roots[i]);
	free(config->record);
	fcopy_file_config_init(config);
}

int fcopy_file_root_add(struct fcopy_file_config *config, const char *path)
{
	if (!fcopy_path_is_good(path) || strlen(path) >= PATH_MAX)
		return -EINVAL;
	if (config->root_count == FCOPY_FILE_ROOTS_MAX)
		return -E2BIG;
	char *copy = strdup(path);
	if (copy == NULL)
		return -ENOMEM;
	config->roots[config->root_count++] = copy;
	return 0;
}

/* ---- failures ------------------------------------------------------------------------------ */

static uint32_t status_of(int error)
{
	switch (error) {
	case EEXIST:
		return IC_STATUS_ALREADY_EXISTS;
	case ENOSPC:
	case EDQUOT:
		return IC_STATUS_DISK_FULL;
	case EPERM:
	case EACCES:
	case EROFS:
		return FCOPY_STATUS_ACCESS_DENIED;
	default:
		return IC_STATUS_FAIL;
	}
}

/* Note why, and drop what there is. */
static uint32_t fail(struct fcopy_file *file, uint32_t status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static uint32_t fail(struct fcopy_file *file, uint32_t status, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(file->reason, sizeof file->reason, format, arguments);
	va_end(arguments);
	fcopy_file_drop(file);
	return status;
}

static uint32_t fail_errno(struct fcopy_file *file, const char *what, int error)
{
	return fail(file, status_of(error), "%s: %s", what, strerror(error));
}

/* ---- the record ---------------------------------------------------------------------------- */

static void record_remove(const struct fcopy_file *file)
{
	if (file->config->record != NULL)
		(void)unlink(file->config->record);
}

/* Best effort: without it, a hidden file stays if this process is killed. */
static void record_write(const struct fcopy_file *file)
{
	if (file->config->record == NULL)
		return;
	const int fd = open(
		file->config->record, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (dprintf(fd, "%s\n%s\n", file->path, file->hidden) < 0 || fdatasync(fd) != 0)
		record_remove(file);
	close(fd);
}

/* Two lines: a directory, and a name with the prefix. */
static bool record_read(const char *record, char *path, size_t path_size, char *name, size_t size)
{
	FILE *stream = fopen(record, "re");
	if (stream == NULL)
		return false;
	const bool is_read = fgets(path, (int)path_size, stream) != NULL &&
			     fgets(name, (int)size, stream) != NULL;
	fclose(stream);
	if (!is_read)
		return false;
	path[strcspn(path, "\n")] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return fcopy_path_is_good(path) && fcopy_name_is_good(name) &&
	       strncmp(name, FCOPY_FILE_HIDDEN_PREFIX, sizeof FCOPY_FILE_HIDDEN_PREFIX - 1) == 0;
}

int fcopy_file_clean(const struct fcopy_file_config *config)
{
	char path[FCOPY_TEXT_BYTES + 1];
	char name[NAME_MAX + 2];
	int result = 0;
	if (config->record == NULL ||
		!record_read(config->record, path, sizeof path, name, sizeof name))
		return 0;
	const int directory = fcopy_path_open(config, path, false);
	if (directory >= 0) {
		result = unlinkat(directory, name, 0) == 0 ? 1 : errno == ENOENT ? 0 : -errno;
		close(directory);
	}
	if (result >= 0)
		(void)unlink(config->record);
	return result;
}

/* ---- start --------------------------------------------------------------------------------- */

void fcopy_file_init(struct fcopy_file *file, const struct fcopy_file_config *config)
{
	memset(file, 0, sizeof *file);
	file->config = config;
	file->fd = -1;
	file->directory = -1;
}

static int hidden_name(struct fcopy_file *file)
{
	uint64_t random;
	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	snprintf(file->hidden, sizeof file->hidden, FCOPY_FILE_HIDDEN_PREFIX "%016" PRIx64, random);
	return 0;
}

/* A file without a name, or where the file system has none with a hidden one. */
static int file_make(struct fcopy_file *file)
{
	if (!file->config->is_without_tmpfile) {
		file->fd = openat(file->directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
		if (file->fd >= 0)
			return 0;
		if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)
			return -errno;
	}
	const int error = hidden_name(file);
	if (error != 0)
		return error;
	record_write(file);
	file->fd = openat(file->directory, file->hidden,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file->fd < 0) {
		const int failure = -errno;
		record_remove(file);
		return failure;
	}
	file->is_hidden = true;
	return 0;
}

/* Set the disk's space apart now, so that a lack of it is known now (R-FCOPY-006). */
static int space_take(const struct fcopy_file *file, uint64_t size)
{
	struct statvfs fs;
	if (size == 0)
		return 0;
	int result;
	do
		result = fallocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
	while (result != 0 && errno == EINTR);
	if (result == 0)
		return 0;
	if (errno == EFBIG && fstatvfs(file->fd, &fs) == 0 && size / fs.f_frsize >= fs.f_bavail)
		return -ENOSPC; /* more than any file can have, and than there is */
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	if (fstatvfs(file->fd, &fs) == 0 && fs.f_frsize > 0 && fs.f_blocks > 0 &&
		size / fs.f_frsize > fs.f_bavail)
		return -ENOSPC;
	return 0;
}

/* What has the name already? 0: nothing, or what may be replaced. */
static uint32_t name_check(struct fcopy_file *file)
{
	struct stat st;
	if (fstatat(file->directory, file->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? IC_STATUS_SUCCESS
				       : fail_errno(file, "cannot look at the name", errno);
	if (!file->overwrites)
		return fail(file, IC_STATUS_ALREADY_EXISTS, "the file exists");
	if (!S_ISREG(st.st_mode))
		return fail(file, IC_STATUS_FAIL,
			"what has the name is no regular file, and is not replaced");
	return IC_STATUS_SUCCESS;
}

uint32_t fcopy_file_start(struct fcopy_file *file, const struct fcopy_start *start)
{
	fcopy_file_drop(file);
	file->reason[0] = '\0';
	file->overwrites = start->overwrites;
	file->unsynced_at = 0;
	file->end = 0;
	const size_t name_bytes = strlen(start->name) + 1;
	const size_t path_bytes = strlen(start->path) + 1;
	if (name_bytes > sizeof file->name || path_bytes > sizeof file->path)
		return fail(file, IC_STATUS_FAIL, "the name is longer than a file's can be");
	memcpy(file->name, start->name, name_bytes);
	memcpy(file->path, start->path, path_bytes);
	file->directory = fcopy_path_open(file->config, file->path, start->creates_path);
	switch (file->directory) {
	case -EPERM:
		return fail(file, FCOPY_STATUS_ACCESS_DENIED,
			"the directory is not one that fcopy.conf allows, nor below one");
	case -ELOOP:
		return fail(file, IC_STATUS_FAIL, "there is a symbolic link in the path");
	default:
		if (file->directory < 0)
			return fail_errno(file, "cannot open the directory", -file->directory);
	}
	const uint32_t status = name_check(file);
	if (status != IC_STATUS_SUCCESS)
		return status;
	int error = file_make(file);
	if (error != 0)
		return fail_errno(file, "cannot make a file there", -error);
	error = space_take(file, start->size_bytes);
	if (error != 0)
		return fail_errno(file, "no space for the file", -error);
	return IC_STATUS_SUCCESS;
}

/* ---- write --------------------------------------------------------------------------------- */

/*
 * Have the disk keep up: start writing what is new, wait for what was started before. So the
 * end has little left to wait for. An error shows again in fsync().
 */
static void write_back(struct fcopy_file *file)
{
	const uint64_t step = file->config->write_back_bytes;
	if (step == 0 || file->end < file->unsynced_at + step)
		return;
	(void)sync_file_range(file->fd, (off_t)file->unsynced_at,
		(off_t)(file->end - file->unsynced_at), SYNC_FILE_RANGE_WRITE);
	if (file->unsynced_at >= step)
		(void)sync_file_range(file->fd, (off_t)(file->unsynced_at - step), (off_t)step,
			SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				SYNC_FILE_RANGE_WAIT_AFTER);
	file->unsynced_at = file->end;
}

uint32_t fcopy_file_write(
	struct fcopy_file *file, uint64_t offset, const uint8_t *data, size_t bytes)
{
	if (file->fd < 0)
		return fail(file, IC_STATUS_FAIL, "there is no copy");
	for (size_t done = 0; done < bytes;) {
		const ssize_t n = pwrite(
			file->fd, data + done, bytes - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail_errno(file, "cannot write", n < 0 ? errno : EIO);
		done += (size_t)n;
	}
	if (offset + bytes > file->end)
		file->end = offset + bytes;
	write_back(file);
	return IC_STATUS_SUCCESS;
}

/* ---- complete ------------------------------------------------------------------------------ */

/* Is the directory that is held open still the one that the path names? */
static bool directory_is_there(const struct fcopy_file *file)
{
	struct stat held;
	struct stat now;
	const int fd = fcopy_path_open(file->config, file->path, false);
	if (fd < 0)
		return false;
	const bool is_same = fstat(file->directory, &held) == 0 && fstat(fd, &now) == 0 &&
			     held.st_dev == now.st_dev && held.st_ino == now.st_ino;
	close(fd);
	return is_same;
}

/* Give a file without a name one. 0 or a negative errno; -EEXIST if it is taken. */
static int link_as(const struct fcopy_file *file, const char *name)
{
	char self[40];
	snprintf(self, sizeof self, "/proc/self/fd/%d", file->fd);
	return linkat(AT_FDCWD, self, file->directory, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

/* The hidden name becomes the file's, which must not be there. */
static int rename_new(struct fcopy_file *file)
{
	if (renameat2(file->directory, file->hidden, file->directory, file->name,
		    RENAME_NOREPLACE) == 0) {
		file->is_hidden = false;
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* The file system does not know how; a link replaces nothing either. */
	return linkat(file->directory, file->hidden, file->directory, file->name, 0) == 0 ? 0
											  : -errno;
}

static int rename_over(struct fcopy_file *file)
{
	if (renameat(file->directory, file->hidden, file->directory, file->name) != 0)
		return -errno;
	file->is_hidden = false;
	return 0;
}

/* Put it in its place. A name that is free is taken by link, in one step. */
static int put(struct fcopy_file *file)
{
	int error;
	if (!file->is_hidden && !file->overwrites)
		return link_as(file, file->name);
	if (!file->is_hidden) {
		error = hidden_name(file);
		if (error != 0)
			return error;
		record_write(file);
		error = link_as(file, file->hidden);
		if (error != 0) {
			record_remove(file);
			return error;
		}
		file->is_hidden = true;
	}
	return file->overwrites ? rename_over(file) : rename_new(file);
}

/* So that the name, too, is on the disk. Where the directory cannot be read, it comes later. */
static void directory_sync(const struct fcopy_file *file)
{
	const int fd = openat(file->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

uint32_t fcopy_file_complete(struct fcopy_file *file)
{
	if (file->fd < 0)
		return fail(file, IC_STATUS_FAIL, "there is no copy");
	if (ftruncate(file->fd, (off_t)file->end) != 0)
		return fail_errno(file, "cannot give back space", errno);
	if (fchmod(file->fd, file->config->mode & PERMISSION_BITS) != 0)
		return fail_errno(file, "cannot set the mode", errno);
	if (fsync(file->fd) != 0)
		return fail_errno(file, "cannot write to the disk", errno);
	if (!directory_is_there(file))
		return fail(file, IC_STATUS_FAIL, "the directory was moved or exchanged meanwhile");
	const uint32_t status = name_check(file);
	if (status != IC_STATUS_SUCCESS)
		return status;
	const int error = put(file);
	if (error != 0)
		return fail_errno(file, "cannot give the file its name", -error);
	directory_sync(file);
	fcopy_file_drop(file);
	return IC_STATUS_SUCCESS;
}

void fcopy_file_drop(struct fcopy_file *file)
{
	if (file->is_hidden)
		(void)unlinkat(file->directory, file->hidden, 0);
	if (file->hidden[0] != '\0')
		record_remove(file);
	file->is_hidden = false;
	file->hidden[0] = '\0';
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	if (file->directory >= 0)
		close(file->directory);
	file->directory = -1;
}
