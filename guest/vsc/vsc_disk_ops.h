// SPDX-License-Identifier: Apache-2.0
/* The FUSE operations of vsc-disk. */
#ifndef GUEST_VSC_VSC_DISK_OPS_H
#define GUEST_VSC_VSC_DISK_OPS_H

struct fuse_lowlevel_ops;

/* The table; the session's user data is a struct disk_fuse. */
const struct fuse_lowlevel_ops *disk_fuse_ops(void);

#endif
