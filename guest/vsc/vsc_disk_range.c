// SPDX-License-Identifier: Apache-2.0
/*
 * Range lock of vsc-disk. See vsc_disk_range.h.
 */
#include "guest/vsc/vsc_disk_range.h"

static void list_add(struct disk_range_list *list, struct disk_range *range)
{
	range->next = NULL;
	range->previous = list->tail;
	if (list->tail != NULL)
		list->tail->next = range;
	else
		list->head = range;
	list->tail = range;
}

static void list_remove(struct disk_range_list *list, struct disk_range *range)
{
	if (range->previous != NULL)
		range->previous->next = range->next;
	else
		list->head = range->next;
	if (range->next != NULL)
		range->next->previous = range->previous;
	else
		list->tail = range->previous;
}

/* Does a range conflict with one of the list, up to `end` (excluded; NULL: all of it)? */
static bool has_conflict(const struct disk_range_list *list, const struct disk_range *range,
	const struct disk_range *end)
{
	for (const struct disk_range *other = list->head; other != end; other = other->next)
		if ((range->is_exclusive || other->is_exclusive) && range->first < other->end &&
			other->first < range->end)
			return true;
	return false;
}

bool disk_range_lock(struct disk_range_lock *lock, struct disk_range *range)
{
	if (range->is_exclusive)
		lock->exclusive++;
	range->is_active = lock->exclusive == 0 ||
			   (!has_conflict(&lock->active, range, NULL) &&
				   !has_conflict(&lock->waiting, range, NULL));
	list_add(range->is_active ? &lock->active : &lock->waiting, range);
	return range->is_active;
}

/* The first waiting range that need not wait any more, moved to the active ones, or NULL. */
static struct disk_range *grant_next(struct disk_range_lock *lock)
{
	for (struct disk_range *range = lock->waiting.head; range != NULL; range = range->next) {
		if (has_conflict(&lock->active, range, NULL) ||
			has_conflict(&lock->waiting, range, range))
			continue;
		list_remove(&lock->waiting, range);
		list_add(&lock->active, range);
		range->is_active = true;
		return range;
	}
	return NULL;
}

void disk_range_unlock(struct disk_range_lock *lock, struct disk_range *range)
{
	list_remove(&lock->active, range);
	range->is_active = false;
	if (range->is_exclusive)
		lock->exclusive--;
	/* granted() may unlock again: then the loop that runs already goes on. */
	if (lock->is_granting)
		return;
	lock->is_granting = true;
	struct disk_range *next;
	while ((next = grant_next(lock)) != NULL)
		next->granted(next);
	lock->is_granting = false;
}
