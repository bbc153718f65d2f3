// SPDX-License-Identifier: Apache-2.0
/*
 * Which blocks of a disk are being written. Writes of whole blocks go on side by
 * side; a write of part of a block reads the block, changes it and writes it back,
 * and must have it for itself. Who has to wait waits in the order of arrival.
 *
 * One thread. The ranges are the callers'; nothing is allocated.
 */
#ifndef GUEST_VSC_VSC_DISK_RANGE_H
#define GUEST_VSC_VSC_DISK_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk_range {
	uint64_t first, end; /* blocks [first, end) */
	bool is_exclusive;
	/* Called by disk_range_unlock() of another, when a lock that had to wait is granted. */
	void (*granted)(struct disk_range *range);
	/* The lock's own. */
	bool is_active;
	struct disk_range *next, *previous;
};

struct disk_range_list {
	struct disk_range *head, *tail;
};

struct disk_range_lock {
	struct disk_range_list active, waiting;
	unsigned exclusive; /* active and waiting */
	bool is_granting;
};

/* True: granted now. False: granted() will be called. */
bool disk_range_lock(struct disk_range_lock *lock, struct disk_range *range);
/* End of a granted lock; grants those that waited for it. */
void disk_range_unlock(struct disk_range_lock *lock, struct disk_range *range);

#endif
