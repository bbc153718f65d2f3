// SPDX-License-Identifier: Apache-2.0
/*
 * A FUSE file system whose files behave as the devices of Linux's hv_utils do: one opener at a
 * time (EBUSY), a read blocks until there is a record and takes all of it (EINVAL if the buffer is
 * shorter), a write hands one over, poll() says whether there is one. One record waits at most.
 *
 * No thread of its own: device_fs_serve() when device_fs_fd() is readable. Source: the behaviour
 * of drivers/hv/hv_utils_transport.c in Linux 6.1.
 */
#ifndef TESTS_DEVICES_DEVICE_FS_H
#define TESTS_DEVICES_DEVICE_FS_H

#include <stdbool.h>
#include <stddef.h>

#define DEVICE_FS_RECORD_MAX 8192u
#define DEVICE_FS_FILES_MAX  4u

struct device_fs;

struct device_fs_ops {
	void (*opened)(void *ctx, unsigned file);
	void (*closed)(void *ctx, unsigned file);
	/* One record of the daemon's. 0, or a negative errno for its write. */
	int (*wrote)(void *ctx, unsigned file, const void *bytes, size_t len);
	/* The record that was sent last has been read. */
	void (*was_read)(void *ctx, unsigned file);
};

/* Mount it on a directory, with files of these names, at most DEVICE_FS_FILES_MAX. NULL: why is
 * on stderr. */
struct device_fs *device_fs_new(const char *directory, const char *const names[], unsigned count,
	const struct device_fs_ops *ops, void *ctx);

int device_fs_fd(const struct device_fs *fs);

/* Handle one request of the kernel's. False: it is unmounted. */
bool device_fs_serve(struct device_fs *fs);

/* Hand a record to whoever has the file open. 0; -EINVAL: nobody; -EFAULT: one waits. */
int device_fs_send(struct device_fs *fs, unsigned file, const void *bytes, size_t len);

/* Unmount and free. */
void device_fs_free(struct device_fs *fs);

#endif
