// SPDX-License-Identifier: Apache-2.0
/*
 * Copies of disk images for "vmwpctl backup run --image-copy": by sharing the blocks where the file
 * system can (FICLONE), else by copying what is not a hole.
 *
 * Threads: none; blocks.
 */
#ifndef HOST_VMWP_VMWPCTL_IMAGES_H
#define HOST_VMWP_VMWPCTL_IMAGES_H

#include <jansson.h>
#include <stddef.h>

#define VMWPCTL_COPIES_MAX 256u

struct vmwpctl_copy {
	char *partial; /* owned; the file's name now */
	char *path;    /* owned; its name in the end */
	const char *method;
	long long bytes;
	int fd;
};

/* All zero: none. */
struct vmwpctl_copies {
	struct vmwpctl_copy at[VMWPCTL_COPIES_MAX];
	size_t count;
};

/* Is there such a folder to write to? 0, or -1 after a message. */
int vmwpctl_copies_check(const char *folder);

/*
 * Copy each disk that has an image and is not read-only into `folder`, as
 * CONTROLLER-TARGET-LUN-NAME with ".partial" behind it. 0, or -1 after a message.
 */
int vmwpctl_copies_make(struct vmwpctl_copies *copies, const char *folder, const json_t *disks);

/* Have them on stable storage and give them their names; `report` gets "copies". 0 or -1. */
int vmwpctl_copies_keep(struct vmwpctl_copies *copies, json_t *report);

/* Remove them. */
void vmwpctl_copies_drop(struct vmwpctl_copies *copies);

#endif
