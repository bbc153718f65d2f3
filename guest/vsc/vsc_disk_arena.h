// SPDX-License-Identifier: Apache-2.0
/*
 * The memory that vsc-disk lends to the host for data, in buffers of two sizes: small
 * ones for the many short transfers, and large ones that take any. The one used last
 * is used again first, so that a light load stays in the caches. No search, no
 * fragments.
 *
 * One thread. A buffer that a host never gave back (is_memory_lost) is not given back
 * here either, but counted by disk_arena_lose().
 */
#ifndef GUEST_VSC_VSC_DISK_ARENA_H
#define GUEST_VSC_VSC_DISK_ARENA_H

#include "guest/winhv/winhv.h"

#include <stdbool.h>
#include <stdint.h>

#define DISK_SMALL_PAGES 6u   /* 16 KiB of data and two partial blocks */
#define DISK_LARGE_PAGES 259u /* 1 MiB of data likewise; odd, so that caches spread them */
#define DISK_SMALL_MAX	 512u
#define DISK_LARGE_MAX	 512u

struct disk_arena {
	struct winhv_pages memory; /* borrowed */
	uint32_t large_first;	   /* page; small buffers lie below */
	uint32_t small_count, large_count;
	uint32_t small_free, large_free; /* entries of the stacks below */
	uint32_t lost_pages;
	uint32_t small[DISK_SMALL_MAX]; /* first pages of free buffers */
	uint32_t large[DISK_LARGE_MAX];
};

/* Divide `memory`: an eighth for small buffers, the rest for large ones. */
void disk_arena_init(struct disk_arena *arena, const struct winhv_pages *memory);

/* A buffer of `pages` ≤ DISK_LARGE_PAGES pages or more, by its first page. False: none left. */
static inline bool disk_arena_get(struct disk_arena *arena, uint32_t pages, uint32_t *page)
{
	if (pages <= DISK_SMALL_PAGES && arena->small_free > 0) {
		*page = arena->small[--arena->small_free];
		return true;
	}
	if (arena->large_free == 0)
		return false;
	*page = arena->large[--arena->large_free];
	return true;
}

static inline void disk_arena_put(struct disk_arena *arena, uint32_t page)
{
	if (page < arena->large_first)
		arena->small[arena->small_free++] = page;
	else
		arena->large[arena->large_free++] = page;
}

/* The host may use this one for ever. */
static inline void disk_arena_lose(struct disk_arena *arena, uint32_t page)
{
	arena->lost_pages += page < arena->large_first ? DISK_SMALL_PAGES : DISK_LARGE_PAGES;
}

static inline uint8_t *disk_arena_at(const struct disk_arena *arena, uint32_t page)
{
	return arena->memory.va + (size_t)page * WINHV_PAGE_BYTES;
}

#endif
