// SPDX-License-Identifier: Apache-2.0
/* Counts of vsc-disk as JSON. */
#ifndef GUEST_VSC_VSC_DISK_STATUS_H
#define GUEST_VSC_VSC_DISK_STATUS_H

#include "guest/vsc/vsc_disk_fuse.h"

/*
 * Write a snapshot to the file `path`, replacing it at once (readers see the old or the new
 * one). 0, or a negative errno and a line on stderr.
 */
int disk_status_write(const char *path, const struct disk_guest *guest, struct disk_tree *tree,
	const struct disk_fuse *fuse, const struct disk_io *io);

#endif
