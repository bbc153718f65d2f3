// SPDX-License-Identifier: Apache-2.0
/* Guarded memory of a guest under test. See scripted_memory_linux.h. */
#include "tests/conformance/scripted_memory_linux.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE ((size_t)WINHV_PAGE_BYTES)

static struct scripted_host *host_of(void *script)
{
	return (struct scripted_host *)(void *)((char *)script -
						offsetof(struct scripted_host, script));
}

bool scripted_memory_create(struct scripted_host *h)
{
	h->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	if (h->memory_fd < 0 || ftruncate(h->memory_fd, SCRIPTED_HOST_MEMORY_BYTES) != 0)
		return false;
	h->memory = mmap(NULL, SCRIPTED_HOST_MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		h->memory_fd, 0);
	return h->memory != MAP_FAILED;
}

void scripted_memory_free(struct scripted_host *h)
{
	munmap(h->memory, SCRIPTED_HOST_MEMORY_BYTES);
	close(h->memory_fd);
}

static void protect(uint8_t *at, int protection)
{
	if (mprotect(at, PAGE, protection) != 0)
		abort();
}

static int guarded_alloc(void *ctx, size_t bytes, struct winhv_pages *out)
{
	const int error = platform_scripted_ops.pages_alloc(ctx, bytes + 2 * PAGE, out);

	if (error)
		return error;
	protect(out->va, PROT_NONE);
	protect(out->va + PAGE + bytes, PROT_NONE);
	out->va += PAGE;
	out->gpa += PAGE;
	out->bytes = bytes;
	host_of(ctx)->script.pages_used -= 2; /* the test counts what the guest has */
	return 0;
}

static void guarded_free(void *ctx, const struct winhv_pages *pages)
{
	const struct winhv_pages all = {
		.va = pages->va - PAGE,
		.gpa = pages->gpa - PAGE,
		.bytes = pages->bytes + 2 * PAGE,
	};

	protect(all.va, PROT_READ | PROT_WRITE);
	protect(pages->va + pages->bytes, PROT_READ | PROT_WRITE);
	host_of(ctx)->script.pages_used += 2;
	platform_scripted_ops.pages_free(ctx, &all);
}

static bool map_at(const struct scripted_host *h, uint8_t *at, size_t bytes, uint64_t gpa)
{
	return mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, h->memory_fd,
		       (off_t)gpa) != MAP_FAILED;
}

/* A guard, the control page, the data, the data again, a guard. */
static int guarded_ring_map(void *ctx, const struct winhv_pages *pages, size_t offset, size_t bytes,
	void **control, uint8_t **data)
{
	const struct scripted_host *h = host_of(ctx);
	const size_t data_bytes = bytes - PAGE;
	uint8_t *base = mmap(NULL, bytes + data_bytes + 2 * PAGE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return -errno;
	if (!map_at(h, base + PAGE, bytes, pages->gpa + offset) ||
		!map_at(h, base + PAGE + bytes, data_bytes, pages->gpa + offset + PAGE))
		abort();
	*control = base + PAGE;
	*data = base + 2 * PAGE;
	return 0;
}

static void guarded_ring_unmap(void *ctx, void *control, uint8_t *data, size_t data_bytes)
{
	(void)ctx;
	(void)data;
	munmap((uint8_t *)control - PAGE, 2 * data_bytes + 3 * PAGE);
}

void scripted_memory_ops(struct winhv_platform_ops *ops, bool is_copying)
{
	ops->pages_alloc = guarded_alloc;
	ops->pages_free = guarded_free;
	ops->ring_map = is_copying ? NULL : guarded_ring_map;
	ops->ring_unmap = guarded_ring_unmap;
}
