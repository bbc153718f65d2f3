// SPDX-License-Identifier: Apache-2.0
/*
 * Which file systems are frozen for a backup, in which order, and why others are not.
 *
 *	struct vss_mounts + struct vss_config -> struct vss_plan
 *
 * A file system is frozen once, however often it is mounted. What is stored in a file of another
 * one (a loop device) comes before it, for freezing writes out what is pending; the root comes
 * last unless it is stored so itself. Thawing goes the other way.
 *
 * No I/O but through struct vss_stack_ops. Owns what it makes. Threads: none; one owner.
 */
#ifndef GUEST_IC_DAEMONS_VSS_POLICY_LINUX_H
#define GUEST_IC_DAEMONS_VSS_POLICY_LINUX_H

#include "guest/ic_daemons/vss_config_linux.h"
#include "guest/ic_daemons/vss_mounts_linux.h"

/* Why a mount is frozen, or not. X(symbol, is_frozen, text); the text may name another mount. */
#define VSS_REASONS(X)                                                                             \
	X(VSS_WHY_BLOCK, true, "file system on a block device")                                    \
	X(VSS_WHY_TYPE, true, "file system with devices of its own")                               \
	X(VSS_WHY_CONFIGURED, true, "as configured")                                               \
	X(VSS_WHY_SAME, false, "the same file system as")                                          \
	X(VSS_WHY_SKIPPED, false, "left out as configured")                                        \
	X(VSS_WHY_OUTSIDE, false, "outside of what was asked for")                                 \
	X(VSS_WHY_READ_ONLY, false, "read-only")                                                   \
	X(VSS_WHY_CANNOT, false, "a type that cannot be frozen")                                   \
	X(VSS_WHY_MEMORY, false, "not on a disk")                                                  \
	X(VSS_WHY_NETWORK, false, "on the network")                                                \
	X(VSS_WHY_CLUSTER, false, "shared with other machines")                                    \
	X(VSS_WHY_FUSE, false, "served by a program, which may wait for what is frozen")           \
	X(VSS_WHY_OVERLAY, false, "its layers are on file systems of their own, the upper on")     \
	X(VSS_WHY_OVERLAY_READ_ONLY, false, "an overlay without an upper layer")                   \
	X(VSS_WHY_HIDDEN, false, "covered by other mounts")                                        \
	X(VSS_WHY_NO_DEVICE, false, "no block device, and not known to freeze")

enum vss_reason {
#define VSS_REASON_ENUM(symbol, is_frozen, text) symbol,
	VSS_REASONS(VSS_REASON_ENUM)
#undef VSS_REASON_ENUM
		VSS_REASON_COUNT
};

/* What lies below a block device. Functions fill and return; they do not keep. */
struct vss_stack_ops {
	/*
	 * The `n`th (from 0) file that the device is stored in, loop devices below it included.
	 * False: there are no more.
	 */
	bool (*backing_file)(
		void *ctx, unsigned major, unsigned minor, unsigned n, char *path, size_t size);
	/* The numbers of a block device by its path. False: it is none. */
	bool (*device)(void *ctx, const char *path, unsigned *major, unsigned *minor);
	void *ctx;
};
#define VSS_BACKING_FILES_MAX 16u /* of one device */

/* What is to become of a mount; as many as there are mounts. */
struct vss_decision {
	enum vss_reason reason;
	size_t other; /* the mount that the reason names, or VSS_MOUNT_NONE */
};

/* One file system to freeze. */
struct vss_plan_entry {
	size_t mount;	  /* that stands for it */
	bool is_demanded; /* as configured: that it cannot freeze is a failure */
};

struct vss_plan {
	struct vss_decision *decisions;
	struct vss_plan_entry *order; /* first to last to be frozen */
	size_t order_count;
};

/*
 * Decide. `below`: only file systems all of whose mounts are at or below this folder; NULL: all. 0
 * or -ENOMEM with nothing made. Takes time in proportion to the mounts, times the files that hold
 * devices.
 */
int vss_plan_make(const struct vss_mounts *mounts, const struct vss_config *config,
	const char *below, const struct vss_stack_ops *stack, struct vss_plan *out);

void vss_plan_free(struct vss_plan *plan);

/* Is a mount with this reason frozen? The reason in words, constant. */
bool vss_reason_is_frozen(enum vss_reason reason);
const char *vss_reason_text(enum vss_reason reason);

/* Asks sysfs of this machine. */
extern const struct vss_stack_ops vss_stack_sysfs;

#endif
