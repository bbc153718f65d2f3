// SPDX-License-Identifier: Apache-2.0
/*
 * The files that vsc-disk shows: one for each LUN, in one directory.
 *
 * A file is live while its LUN is there. When that goes, the file loses its name at
 * once and its storage (I/O fails with EIO), but stays for as long as the kernel knows
 * its inode, someone has it open, or a job of it is under way. One thread.
 */
#ifndef GUEST_VSC_VSC_DISK_TREE_H
#define GUEST_VSC_VSC_DISK_TREE_H

#include "guest/vsc/vsc_disk_guest.h"
#include "guest/vsc/vsc_disk_io.h"

#include <time.h>

#define DISK_NAME_BYTES 40u
#define DISK_INO_FIRST	16u /* 1 is the directory */

struct disk_file {
	struct disk disk; /* jobs point to this */
	char name[DISK_NAME_BYTES];
	uint64_t ino; /* never used twice */
	uint64_t lookups;
	uint64_t opens;
	bool is_gone;
	struct timespec since;
	uint64_t reads, writes, flushes, erases, errors;
	struct disk_file *next;
};

struct disk_tree {
	struct disk_file *files, *last; /* by ino, gone ones included */
	uint64_t next_ino;
	unsigned live;
	/* A name came or went, or a size changed. May be NULL. */
	void (*on_change)(void *ctx, const struct disk_file *file, enum storage_vsc_event event);
	void *ctx;
};

void disk_tree_init(struct disk_tree *tree);
/* A disk_guest's on_lun. */
void disk_tree_on_lun(void *ctx, struct disk_controller *controller, enum storage_vsc_event event,
	struct storage_vsc_lun *lun);
struct disk_file *disk_tree_by_name(struct disk_tree *tree, const char *name);
struct disk_file *disk_tree_by_ino(struct disk_tree *tree, uint64_t ino);
/* The live file with the lowest inode number above `ino`, or NULL. */
struct disk_file *disk_tree_next(struct disk_tree *tree, uint64_t ino);
/* Something let go of a file: free it if that was the last. */
void disk_tree_settle(struct disk_tree *tree, struct disk_file *file);
/* Free everything; no job is under way. */
void disk_tree_clear(struct disk_tree *tree);

static inline struct disk_file *disk_file_of(struct disk *disk)
{
	return (struct disk_file *)(void *)((char *)disk - offsetof(struct disk_file, disk));
}

#endif
