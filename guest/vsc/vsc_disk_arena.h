// SPDX-License-Identifier: Apache-2.0
/*
 * The memory that vsc-disk lends to the host for data: whole pages out of one run of
 * shared pages, found by first fit in a bitmap. Low pages are used again first, so
 * that a light load stays in the caches.
 *
 * One thread. Pages that a host never gave back (is_memory_lost) are simply not
 * given back here either; disk_arena_lose() counts them.
 */
#ifndef GUEST_VSC_VSC_DISK_ARENA_H
#define GUEST_VSC_VSC_DISK_ARENA_H

#include "guest/winhv/winhv.h"

#include <stdbool.h>
#include <stdint.h>

#define DISK_ARENA_PAGES_MAX 65536u

struct disk_arena {
	struct winhv_pages memory; /* borrowed */
	uint32_t page_count;
	uint32_t hint; /* no free page below */
	uint32_t used_pages;
	uint32_t lost_pages;
	uint64_t used[DISK_ARENA_PAGES_MAX / 64]; /* bit set: in use, or past the end */
};

/* Take over `memory`; pages past DISK_ARENA_PAGES_MAX stay unused. */
void disk_arena_init(struct disk_arena *arena, const struct winhv_pages *memory);

/* The first run of `count` ≥ 1 free pages: true and *page. Takes nothing. */
bool disk_arena_find(const struct disk_arena *arena, uint32_t count, uint32_t *page);
/* Take pages that find() has just found, or a part of them. */
void disk_arena_take(struct disk_arena *arena, uint32_t page, uint32_t count);
void disk_arena_give(struct disk_arena *arena, uint32_t page, uint32_t count);
/* The host may use these for ever. */
void disk_arena_lose(struct disk_arena *arena, uint32_t count);

static inline uint8_t *disk_arena_at(const struct disk_arena *arena, uint32_t page)
{
	return arena->memory.va + (size_t)page * WINHV_PAGE_BYTES;
}

#endif
