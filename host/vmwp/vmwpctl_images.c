// SPDX-License-Identifier: Apache-2.0
/*
 * Copies of disk images. See vmwpctl_images.h.
 */
#include "host/vmwp/vmwpctl_images.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES (1u << 20)
#define COPY_BYTES  (64u << 20) /* in one call of copy_file_range() */

static int fail(const char *what, const char *path, int error)
{
	fprintf(stderr, "vmwpctl: backup: cannot %s '%s': %s\n", what, path, strerror(error));
	return -1;
}

int vmwpctl_copies_check(const char *folder)
{
	struct stat st;
	if (stat(folder, &st) != 0)
		return fail("copy images into", folder, errno);
	if (!S_ISDIR(st.st_mode))
		return fail("copy images into", folder, ENOTDIR);
	if (access(folder, W_OK | X_OK) != 0)
		return fail("copy images into", folder, errno);
	return 0;
}

/* ---- contents ------------------------------------------------------------------------------- */

/* By hand, where the kernel does not do it. 0 or a negative errno. */
static int range_copy_by_hand(int from, int to, off_t at, off_t end, char *piece)
{
	while (at < end) {
		const size_t want = end - at < (off_t)PIECE_BYTES ? (size_t)(end - at)
								  : PIECE_BYTES;
		const ssize_t n = pread(from, piece, want, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		for (ssize_t done = 0; done < n;) {
			const ssize_t put = pwrite(to, piece + done, (size_t)(n - done), at + done);
			if (put < 0 && errno == EINTR)
				continue;
			if (put <= 0)
				return put < 0 ? -errno : -EIO;
			done += put;
		}
		at += n;
	}
	return 0;
}

static int range_copy(int from, int to, off_t at, off_t end, char *piece)
{
	while (at < end) {
		off_t in = at;
		off_t out = at;
		const size_t want = end - at < (off_t)COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;
		const ssize_t n = copy_file_range(from, &in, to, &out, want, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return range_copy_by_hand(from, to, at, end, piece);
		at += n;
	}
	return 0;
}

/* What is not a hole, of `bytes` bytes. 0 or a negative errno. */
static int data_copy(int from, int to, off_t bytes)
{
	char *piece = malloc(PIECE_BYTES);
	int error = piece == NULL ? -ENOMEM : 0;
	for (off_t at = 0; at < bytes && error == 0;) {
		const off_t data = lseek(from, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break; /* a hole to the end */
		const off_t begin = data < 0 ? at : data;
		const off_t hole = data < 0 ? -1 : lseek(from, begin, SEEK_HOLE);
		const off_t end = hole < 0 || hole > bytes ? bytes : hole;
		error = range_copy(from, to, begin, end, piece);
		at = end;
	}
	free(piece);
	return error;
}

/* Size of a file or a block device; -1 with errno set. */
static off_t size_of(int fd)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return -1;
	return S_ISBLK(st.st_mode) ? lseek(fd, 0, SEEK_END) : st.st_size;
}

static int contents_copy(int from, struct vmwpctl_copy *copy)
{
	if (ioctl(copy->fd, FICLONE, from) == 0) {
		copy->method = "shared blocks";
		copy->bytes = (long long)size_of(from);
		return 0;
	}
	const off_t bytes = size_of(from);
	if (bytes < 0 || ftruncate(copy->fd, bytes) != 0)
		return -errno;
	copy->method = "copied";
	copy->bytes = (long long)bytes;
	return data_copy(from, copy->fd, bytes);
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool names_make(struct vmwpctl_copy *copy, const char *folder, const json_t *disk)
{
	const char *path = json_string_value(json_object_get(disk, "path"));
	const char *name = strrchr(path, '/');
	copy->fd = -1;
	if (asprintf(&copy->path, "%s/%lld-%lld-%lld-%s", folder,
		    (long long)json_integer_value(json_object_get(disk, "controller")),
		    (long long)json_integer_value(json_object_get(disk, "target")),
		    (long long)json_integer_value(json_object_get(disk, "lun")),
		    name != NULL ? name + 1 : path) < 0)
		copy->path = NULL;
	if (copy->path == NULL || asprintf(&copy->partial, "%s.partial", copy->path) < 0)
		copy->partial = NULL;
	return copy->partial != NULL;
}

static int disk_copy(struct vmwpctl_copies *copies, const char *folder, const json_t *disk)
{
	const char *path = json_string_value(json_object_get(disk, "path"));
	struct vmwpctl_copy *copy = &copies->at[copies->count];
	if (copies->count == VMWPCTL_COPIES_MAX)
		return fail("copy", path, E2BIG);
	*copy = (struct vmwpctl_copy){0};
	copies->count++;
	if (!names_make(copy, folder, disk))
		return fail("copy", path, ENOMEM);
	const int from = open(path, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return fail("read", path, errno);
	copy->fd = open(copy->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int result = 0;
	if (copy->fd < 0) {
		result = fail("write", copy->partial, errno);
	} else {
		const int error = contents_copy(from, copy);
		if (error != 0)
			result = fail("copy", path, -error);
	}
	close(from);
	return result;
}

int vmwpctl_copies_make(struct vmwpctl_copies *copies, const char *folder, const json_t *disks)
{
	size_t i;
	const json_t *disk;
	json_array_foreach(disks, i, disk)
	{
		if (json_is_true(json_object_get(disk, "read_only")))
			continue;
		if (!json_is_string(json_object_get(disk, "path"))) {
			fprintf(stderr,
				"vmwpctl: backup: the disk at target %lld is in the worker's "
				"memory: "
				"it cannot be copied\n",
				(long long)json_integer_value(json_object_get(disk, "target")));
			return -1;
		}
		if (disk_copy(copies, folder, disk) != 0)
			return -1;
	}
	return 0;
}

static void copy_close(struct vmwpctl_copy *copy)
{
	if (copy->fd >= 0)
		close(copy->fd);
	free(copy->partial);
	free(copy->path);
	*copy = (struct vmwpctl_copy){.fd = -1};
}

int vmwpctl_copies_keep(struct vmwpctl_copies *copies, json_t *report)
{
	json_t *rows = json_array();
	int result = 0;
	for (size_t i = 0; i < copies->count && result == 0; i++) {
		struct vmwpctl_copy *copy = &copies->at[i];
		if (fsync(copy->fd) != 0)
			result = fail("write", copy->partial, errno);
		else if (rename(copy->partial, copy->path) != 0)
			result = fail("name", copy->path, errno);
		else
			json_array_append_new(
				rows, json_pack("{s:s, s:I, s:s}", "copy", copy->path, "bytes",
					      (json_int_t)copy->bytes, "how", copy->method));
	}
	if (json_array_size(rows) > 0)
		json_object_set(report, "copies", rows);
	json_decref(rows);
	if (result != 0) {
		vmwpctl_copies_drop(copies);
		return result;
	}
	for (size_t i = 0; i < copies->count; i++)
		copy_close(&copies->at[i]);
	copies->count = 0;
	return 0;
}

void vmwpctl_copies_drop(struct vmwpctl_copies *copies)
{
	for (size_t i = 0; i < copies->count; i++) {
		struct vmwpctl_copy *copy = &copies->at[i];
		if (copy->fd >= 0 && copy->partial != NULL)
			(void)unlink(copy->partial);
		copy_close(copy);
	}
	copies->count = 0;
}
