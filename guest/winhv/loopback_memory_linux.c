// SPDX-License-Identifier: Apache-2.0
/*
 * Memory of the loopback platform: a page allocator over the shared memfd, and
 * rings mapped twice. GPA = offset in the memfd; page 0 is never given out, so that
 * 0 can stand for "none".
 */
#include "guest/winhv/loopback_internal_linux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static bool is_used(const struct platform_loopback *loopback, size_t page)
{
	return loopback->pages_used[page / 64] >> page % 64 & 1;
}

static void mark(struct platform_loopback *loopback, size_t first, size_t count, bool used)
{
	for (size_t page = first; page < first + count; page++) {
		const uint64_t bit = 1ull << page % 64;
		if (used)
			loopback->pages_used[page / 64] |= bit;
		else
			loopback->pages_used[page / 64] &= ~bit;
	}
}

int loopback_pages_init(struct platform_loopback *loopback)
{
	loopback->page_count = loopback->memory_bytes / LOOPBACK_PAGE_BYTES;
	loopback->pages_used = calloc((loopback->page_count + 63) / 64, sizeof(uint64_t));
	if (!loopback->pages_used)
		return -ENOMEM;
	mark(loopback, 0, 1, true);
	loopback->page_hint = 1;
	return 0;
}

/* First page of `count` free neighbours in [from, to), or 0. */
static size_t search(const struct platform_loopback *loopback, size_t from, size_t to, size_t count)
{
	size_t run = 0;

	for (size_t page = from; page < to; page++) {
		if (run == 0 && page % 64 == 0 && loopback->pages_used[page / 64] == UINT64_MAX) {
			page += 63;
			continue;
		}
		run = is_used(loopback, page) ? 0 : run + 1;
		if (run == count)
			return page + 1 - count;
	}
	return 0;
}

int loopback_pages_alloc(void *ctx, size_t bytes, struct winhv_pages *out)
{
	struct platform_loopback *loopback = ctx;
	const size_t count = bytes / LOOPBACK_PAGE_BYTES;

	if (bytes == 0 || bytes % LOOPBACK_PAGE_BYTES != 0)
		return -EINVAL;
	pthread_mutex_lock(&loopback->pages_lock);
	size_t first = search(loopback, loopback->page_hint, loopback->page_count, count);
	if (first == 0)
		first = search(loopback, 1, loopback->page_count, count);
	if (first != 0) {
		mark(loopback, first, count, true);
		loopback->page_hint = first + count;
	}
	pthread_mutex_unlock(&loopback->pages_lock);
	if (first == 0)
		return -ENOMEM;

	out->gpa = (uint64_t)first * LOOPBACK_PAGE_BYTES;
	out->va = loopback->memory + out->gpa;
	out->bytes = bytes;
	memset(out->va, 0, bytes);
	return 0;
}

void loopback_pages_free(void *ctx, const struct winhv_pages *pages)
{
	struct platform_loopback *loopback = ctx;
	const size_t first = (size_t)(pages->gpa / LOOPBACK_PAGE_BYTES);
	const size_t count = pages->bytes / LOOPBACK_PAGE_BYTES;

	if (first == 0 || first >= loopback->page_count || count > loopback->page_count - first)
		return;
	pthread_mutex_lock(&loopback->pages_lock);
	mark(loopback, first, count, false);
	if (first < loopback->page_hint)
		loopback->page_hint = first;
	pthread_mutex_unlock(&loopback->pages_lock);
}

/* ---- rings --------------------------------------------------------------------------------- */

static bool map_at(
	const struct platform_loopback *loopback, uint8_t *at, size_t bytes, uint64_t offset)
{
	return mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, loopback->memory_fd,
		       (off_t)offset) != MAP_FAILED;
}

int loopback_ring_map(void *ctx, const struct winhv_pages *pages, size_t offset, size_t bytes,
	void **control, uint8_t **data)
{
	const struct platform_loopback *loopback = ctx;
	const size_t page = LOOPBACK_PAGE_BYTES;

	if (offset % page != 0 || bytes % page != 0 || bytes < 2 * page || offset > pages->bytes ||
		bytes > pages->bytes - offset)
		return -EINVAL;
	const size_t data_bytes = bytes - page;
	const size_t reserved = page + 2 * data_bytes;
	const uint64_t start = pages->gpa + offset;
	uint8_t *base = mmap(
		NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -errno;
	if (!map_at(loopback, base, bytes, start) ||
		!map_at(loopback, base + bytes, data_bytes, start + page)) {
		const int error = errno;
		munmap(base, reserved);
		return -error;
	}
	*control = base;
	*data = base + page;
	return 0;
}

void loopback_ring_unmap(void *ctx, void *control, uint8_t *data, size_t data_bytes)
{
	(void)ctx;
	(void)data;
	munmap(control, LOOPBACK_PAGE_BYTES + 2 * data_bytes);
}
