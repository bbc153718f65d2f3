// SPDX-License-Identifier: Apache-2.0
/*
 * Page allocator of vsc-disk. See vsc_disk_arena.h.
 */
#include "guest/vsc/vsc_disk_arena.h"

#include <string.h>

void disk_arena_init(struct disk_arena *arena, const struct winhv_pages *memory)
{
	memset(arena, 0, sizeof *arena);
	arena->memory = *memory;
	const size_t pages = memory->bytes / WINHV_PAGE_BYTES;
	arena->page_count = pages < DISK_ARENA_PAGES_MAX ? (uint32_t)pages : DISK_ARENA_PAGES_MAX;
	for (uint32_t page = arena->page_count; page < DISK_ARENA_PAGES_MAX; page++)
		arena->used[page / 64] |= 1ull << (page % 64);
}

/* The first page at or after `page` that is free (or used); page_count if there is none. */
static uint32_t next_page(const struct disk_arena *arena, uint32_t page, bool is_free)
{
	while (page < arena->page_count) {
		uint64_t word = arena->used[page / 64];
		if (is_free)
			word = ~word;
		word >>= page % 64;
		if (word != 0) {
			page += (uint32_t)__builtin_ctzll(word);
			return page < arena->page_count ? page : arena->page_count;
		}
		page = (page / 64 + 1) * 64;
	}
	return arena->page_count;
}

bool disk_arena_find(const struct disk_arena *arena, uint32_t count, uint32_t *page)
{
	for (uint32_t start = next_page(arena, arena->hint, true);
		start + count <= arena->page_count;) {
		const uint32_t end = next_page(arena, start, false);
		if (end - start >= count) {
			*page = start;
			return true;
		}
		start = next_page(arena, end, true);
	}
	return false;
}

static void mark(struct disk_arena *arena, uint32_t page, uint32_t count, bool is_used)
{
	while (count > 0) {
		const uint32_t at = page % 64;
		const uint32_t run = count < 64 - at ? count : 64 - at;
		const uint64_t bits = (run == 64 ? ~0ull : (1ull << run) - 1) << at;
		if (is_used)
			arena->used[page / 64] |= bits;
		else
			arena->used[page / 64] &= ~bits;
		page += run;
		count -= run;
	}
}

void disk_arena_take(struct disk_arena *arena, uint32_t page, uint32_t count)
{
	mark(arena, page, count, true);
	arena->used_pages += count;
	if (page == arena->hint)
		arena->hint = page + count;
}

void disk_arena_give(struct disk_arena *arena, uint32_t page, uint32_t count)
{
	mark(arena, page, count, false);
	arena->used_pages -= count;
	if (page < arena->hint)
		arena->hint = page;
}

void disk_arena_lose(struct disk_arena *arena, uint32_t count)
{
	arena->lost_pages += count;
}
