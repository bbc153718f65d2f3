// SPDX-License-Identifier: Apache-2.0
/*
 * Freezing and thawing a list of file systems, and what the two processes that do it know of
 * each other.
 *
 *	vss_keeper_linux.c	prepares the list, starts the freezer, thaws
 *	     |  struct vss_board, shared memory
 *	vss_freezer_run()	in a process of its own: freezes, and thaws if the keeper dies
 *
 * The call that freezes may wait for as long as some writer likes, and cannot be stopped: the
 * freezer makes it, so that the keeper can thaw the others meanwhile. Both hold the descriptors.
 * Nothing here allocates, writes to a file, or looks up a name.
 *
 * Threads: the fields of the board say who writes them.
 */
#ifndef GUEST_IC_DAEMONS_VSS_FREEZE_LINUX_H
#define GUEST_IC_DAEMONS_VSS_FREEZE_LINUX_H

#include "guest/ic_daemons/vss_mounts_linux.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum vss_slot_state {
	VSS_SLOT_WAITING,
	VSS_SLOT_TRYING, /* the call is under way, or its process died in it */
	VSS_SLOT_FROZEN,
	VSS_SLOT_CANNOT, /* the file system has no such operation; it was not demanded */
	VSS_SLOT_OTHERS, /* somebody else has frozen it: theirs to thaw */
	VSS_SLOT_FAILED,
	VSS_SLOT_THAWED,
};

/* One file system. */
struct vss_slot {
	int fd; /* a folder or file in it; the keeper's, before the freezer starts */
	bool is_demanded;
	_Atomic int state; /* enum vss_slot_state; both */
	_Atomic int error; /* of FAILED: positive errno; the freezer */
};

/* In shared memory. */
struct vss_board {
	size_t count;
	size_t bytes;		  /* of the mapping */
	atomic_bool is_cancelled; /* the keeper: freeze no more */
	atomic_bool is_over;	  /* the keeper: all is thawed */
	atomic_bool is_done;	  /* the freezer: it will not freeze any more */
	struct vss_slot slots[];
};

/* The system calls. 0 or a negative errno. */
struct vss_freeze_ops {
	int (*freeze)(void *ctx, int fd);
	int (*thaw)(void *ctx, int fd);
	void *ctx;
};

/* FIFREEZE and FITHAW. */
extern const struct vss_freeze_ops vss_freeze_ioctl;

/* Shared memory for `count` slots, their descriptors -1; NULL: none to be had. */
struct vss_board *vss_board_create(size_t count);
/* Closes the descriptors. NULL is nothing. */
void vss_board_destroy(struct vss_board *board);

/*
 * Freeze the slots in their order, until one fails or it is cancelled. True: all are frozen, or
 * need not be. What was frozen stays so.
 */
bool vss_freeze_all(struct vss_board *board, const struct vss_freeze_ops *ops);

/*
 * Thaw, last to first, all that this board has frozen; and once it is done, what its freezer died
 * at. May be called again, and by both. Returns how many could not be thawed.
 */
size_t vss_thaw_all(struct vss_board *board, const struct vss_freeze_ops *ops);

/* How many slots are in a state. */
size_t vss_board_count(const struct vss_board *board, enum vss_slot_state state);

/*
 * The freezer: freezes, writes one byte to `done`, waits for the end of `life` (the keeper's), and
 * thaws unless the keeper has.
 */
void vss_freezer_run(struct vss_board *board, const struct vss_freeze_ops *ops, int life, int done);

/*
 * Open something of the mount to freeze its file system by. The descriptor; -ESTALE: another
 * mount covers it; or a negative errno.
 */
int vss_mount_open(const struct vss_mount *mount);

#endif
