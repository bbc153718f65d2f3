// SPDX-License-Identifier: Apache-2.0
/*
 * Buffers of vsc-disk. See vsc_disk_arena.h.
 */
#include "guest/vsc/vsc_disk_arena.h"

#include <string.h>

void disk_arena_init(struct disk_arena *arena, const struct winhv_pages *memory)
{
	const size_t pages = memory->bytes / WINHV_PAGE_BYTES;
	size_t small = pages / 8 / DISK_SMALL_PAGES;
	if (small > DISK_SMALL_MAX)
		small = DISK_SMALL_MAX;
	size_t large = (pages - small * DISK_SMALL_PAGES) / DISK_LARGE_PAGES;
	if (large > DISK_LARGE_MAX)
		large = DISK_LARGE_MAX;
	memset(arena, 0, sizeof *arena);
	arena->memory = *memory;
	arena->small_count = (uint32_t)small;
	arena->large_count = (uint32_t)large;
	arena->large_first = arena->small_count * DISK_SMALL_PAGES;
	for (uint32_t i = arena->small_count; i-- > 0;)
		disk_arena_put(arena, i * DISK_SMALL_PAGES);
	for (uint32_t i = arena->large_count; i-- > 0;)
		disk_arena_put(arena, arena->large_first + i * DISK_LARGE_PAGES);
}
