// SPDX-License-Identifier: Apache-2.0
/*
 * Files that behave as devices: see device_fs.h. Inode 1 is the directory, 2 + n file n.
 */
#define FUSE_USE_VERSION 34
#include "tests/devices/device_fs.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST_INODE 2u

struct device_file {
	const char *name;
	bool is_open;
	size_t len; /* of the record that waits; 0: none */
	unsigned char record[DEVICE_FS_RECORD_MAX];
	fuse_req_t reader; /* blocked; NULL: none */
	size_t reader_bytes;
	struct fuse_pollhandle *poller;
};

struct device_fs {
	struct fuse_session *session;
	struct fuse_buf buffer;
	const struct device_fs_ops *ops;
	void *ctx;
	unsigned count;
	struct device_file files[DEVICE_FS_FILES_MAX];
};

static struct device_fs *of(fuse_req_t request)
{
	return fuse_req_userdata(request);
}

static struct device_file *file_of(struct device_fs *fs, fuse_ino_t inode)
{
	return inode >= FIRST_INODE && inode - FIRST_INODE < fs->count
		       ? &fs->files[inode - FIRST_INODE]
		       : NULL;
}

static unsigned number_of(const struct device_fs *fs, const struct device_file *file)
{
	return (unsigned)(file - fs->files);
}

static struct stat attributes(fuse_ino_t inode)
{
	return (struct stat){
		.st_ino = inode,
		.st_mode = inode == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0600,
		.st_nlink = 1,
	};
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	const struct device_fs *fs = of(request);
	for (unsigned i = 0; parent == FUSE_ROOT_ID && i < fs->count; i++) {
		struct fuse_entry_param entry = {.ino = FIRST_INODE + i};
		entry.attr = attributes(entry.ino);
		if (strcmp(fs->files[i].name, name) == 0) {
			fuse_reply_entry(request, &entry);
			return;
		}
	}
	fuse_reply_err(request, ENOENT);
}

static void on_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct stat status = attributes(inode);
	(void)info;
	fuse_reply_attr(request, &status, 1.0);
}

static void on_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct device_fs *fs = of(request);
	struct device_file *file = file_of(fs, inode);
	if (!file || file->is_open) {
		fuse_reply_err(request, file ? EBUSY : EISDIR);
		return;
	}
	info->direct_io = 1;
	file->is_open = true;
	file->len = 0;
	fuse_reply_open(request, info);
	fs->ops->opened(fs->ctx, number_of(fs, file));
}

static void drop_poller(struct device_file *file)
{
	if (file->poller)
		fuse_pollhandle_destroy(file->poller);
	file->poller = NULL;
}

static void on_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct device_fs *fs = of(request);
	struct device_file *file = file_of(fs, inode);
	(void)info;
	file->is_open = false;
	file->len = 0;
	drop_poller(file);
	fs->ops->closed(fs->ctx, number_of(fs, file));
	fuse_reply_err(request, 0);
}

/* Give the record that waits to a reader. */
static void hand_over(
	struct device_fs *fs, struct device_file *file, fuse_req_t request, size_t bytes)
{
	if (bytes < file->len) {
		fuse_reply_err(request, EINVAL);
		return;
	}
	fuse_reply_buf(request, (const char *)file->record, file->len);
	file->len = 0;
	fs->ops->was_read(fs->ctx, number_of(fs, file));
}

static void on_interrupt(fuse_req_t request, void *data)
{
	struct device_file *file = data;
	if (file->reader != request)
		return;
	file->reader = NULL;
	fuse_reply_err(request, EINTR);
}

/* Blocks whatever the flags are, as the kernel's does. */
static void on_read(fuse_req_t request, fuse_ino_t inode, size_t bytes, off_t offset,
	struct fuse_file_info *info)
{
	struct device_fs *fs = of(request);
	struct device_file *file = file_of(fs, inode);
	(void)offset;
	(void)info;
	if (file->len > 0) {
		hand_over(fs, file, request, bytes);
	} else if (file->reader) {
		fuse_reply_err(request, EAGAIN);
	} else {
		file->reader = request;
		file->reader_bytes = bytes;
		fuse_req_interrupt_func(request, on_interrupt, file);
	}
}

static void on_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t len,
	off_t offset, struct fuse_file_info *info)
{
	struct device_fs *fs = of(request);
	struct device_file *file = file_of(fs, inode);
	(void)offset;
	(void)info;
	int error = fs->ops->wrote(fs->ctx, number_of(fs, file), bytes, len);
	if (error != 0)
		fuse_reply_err(request, -error);
	else
		fuse_reply_write(request, len);
}

static void on_poll(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info,
	struct fuse_pollhandle *handle)
{
	struct device_file *file = file_of(of(request), inode);
	(void)info;
	if (handle) {
		drop_poller(file);
		file->poller = handle;
	}
	fuse_reply_poll(request, file->len > 0 ? POLLIN | POLLRDNORM : 0);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = on_lookup,
	.getattr = on_getattr,
	.open = on_open,
	.release = on_release,
	.read = on_read,
	.write = on_write,
	.poll = on_poll,
};

int device_fs_send(struct device_fs *fs, unsigned number, const void *bytes, size_t len)
{
	struct device_file *file = &fs->files[number];
	if (!file->is_open || len == 0 || len > sizeof file->record)
		return -EINVAL;
	if (file->len > 0)
		return -EFAULT;
	memcpy(file->record, bytes, len);
	file->len = len;
	fuse_req_t reader = file->reader;
	file->reader = NULL;
	if (reader)
		hand_over(fs, file, reader, file->reader_bytes);
	else if (file->poller)
		fuse_lowlevel_notify_poll(file->poller);
	return 0;
}

int device_fs_fd(const struct device_fs *fs)
{
	return fuse_session_fd(fs->session);
}

bool device_fs_serve(struct device_fs *fs)
{
	int got = fuse_session_receive_buf(fs->session, &fs->buffer);
	if (got == -EINTR || got == -EAGAIN)
		return true;
	if (got <= 0)
		return false;
	fuse_session_process_buf(fs->session, &fs->buffer);
	return !fuse_session_exited(fs->session);
}

struct device_fs *device_fs_new(const char *directory, const char *const names[], unsigned count,
	const struct device_fs_ops *ops, void *ctx)
{
	static char name[] = "devices";
	static char option[] = "-ofsname=vmbus-devices";
	char *argv[] = {name, option, NULL};
	struct fuse_args arguments = FUSE_ARGS_INIT(2, argv);
	struct device_fs *fs = calloc(1, sizeof *fs);
	if (!fs || count > DEVICE_FS_FILES_MAX) {
		free(fs);
		return NULL;
	}
	fs->ops = ops;
	fs->ctx = ctx;
	fs->count = count;
	for (unsigned i = 0; i < count; i++)
		fs->files[i].name = names[i];
	fs->session = fuse_session_new(&arguments, &operations, sizeof operations, fs);
	if (!fs->session || fuse_session_mount(fs->session, directory) != 0) {
		fprintf(stderr, "vmbus_devices: cannot mount on %s\n", directory);
		if (fs->session)
			fuse_session_destroy(fs->session);
		free(fs);
		return NULL;
	}
	return fs;
}

void device_fs_free(struct device_fs *fs)
{
	fuse_session_unmount(fs->session);
	fuse_session_destroy(fs->session);
	free(fs->buffer.mem);
	free(fs);
}
