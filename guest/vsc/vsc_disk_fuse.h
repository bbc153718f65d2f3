// SPDX-License-Identifier: Apache-2.0
/*
 * The FUSE side of vsc-disk: mounts, takes requests from the kernel one by one, and
 * turns them into jobs (vsc_disk_io.h) that answer when they end.
 *
 * Data are copied once, by the kernel, between the program's memory and pages that the
 * host can reach: a request is read from /dev/fuse with readv(), its header into private
 * memory and its data into shared pages at a page boundary, from where the host takes
 * them; what the host has put into shared pages goes to /dev/fuse with writev(). That
 * one copy is FUSE's and cannot be avoided: the pages of the program's buffer are not
 * in the partition. splice() would not save it, and costs a pipe; it is not used.
 *
 * Headers never lie in shared memory: a host can't change what was checked.
 */
#ifndef GUEST_VSC_VSC_DISK_FUSE_H
#define GUEST_VSC_VSC_DISK_FUSE_H

#include "guest/vsc/vsc_disk_notify.h"

struct disk_fuse_counters {
	uint64_t requests; /* of any kind */
	uint64_t stalls;   /* times that no request was taken for want of jobs or memory */
	uint64_t dry;	   /* looks that found no request */
};

struct disk_fuse {
	const struct disk_options *options;
	struct disk_tree *tree;
	struct disk_io *io;
	struct fuse_session *session;
	int fd; /* of the session */
	bool is_mounted;
	bool is_unmounted; /* by somebody else */
	bool is_draining;  /* take no more requests with data */
	uint8_t *request;  /* private, for one request */
	/* A large buffer for the data of the next request: behind DISK_EDGE_PAGES pages. */
	uint32_t window;
	bool has_window;
	unsigned answers; /* given by jobs since the loop last looked; the loop's */
	struct disk_notifier notifier;
	struct disk_fuse_counters counters;
};

/* Can MOUNTPOINT be mounted on, and is there FUSE? Complains in one line. */
int disk_fuse_check(const struct disk_options *options);

/* Mount. Complains in one line and returns a negative errno if that fails. */
int disk_fuse_mount(struct disk_fuse *fuse, const struct disk_options *options,
	struct disk_tree *tree, struct disk_io *io);

/* Take and start one request. 1; 0: there is none, or no room for one (see is_unmounted). */
int disk_fuse_take(struct disk_fuse *fuse);
/* True if a request could be taken: there is memory for any kind of it. */
bool disk_fuse_has_room(struct disk_fuse *fuse);
/* True if there is no such memory and never will be: the host has kept it all. */
bool disk_fuse_is_starved(struct disk_fuse *fuse);

void disk_fuse_unmount(struct disk_fuse *fuse);

#endif
