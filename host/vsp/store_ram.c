// SPDX-License-Identifier: Apache-2.0
/*
 * A store in memory. Every request completes inside store_submit(); a request
 * costs its copy and little else, so that it shows what the path to it costs.
 */
#include "host/vsp/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct store_ram {
	struct store base; /* first: store_ops get its address */
	uint8_t *bytes;	   /* base.capacity_bytes, page aligned: a block is in one page */
	void *allocation;  /* owned; holds bytes */
};

#define ALIGN_BYTES 4096u

static void ram_read(const uint8_t *from, const struct iovec *iov, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		memcpy(iov[i].iov_base, from, iov[i].iov_len);
		from += iov[i].iov_len;
	}
}

static void ram_write(uint8_t *to, const struct iovec *iov, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
}

/* Whole pages go back to the system, which costs no time for those that were not in use. */
static void ram_clear(uint8_t *at, size_t bytes)
{
	uint8_t *end = at + bytes;
	uint8_t *first = at + (ALIGN_BYTES - (uintptr_t)at % ALIGN_BYTES) % ALIGN_BYTES;
	uint8_t *last = end - (uintptr_t)end % ALIGN_BYTES;
	if (first >= last || madvise(first, (size_t)(last - first), MADV_DONTNEED) != 0) {
		memset(at, 0, bytes);
		return;
	}
	memset(at, 0, (size_t)(first - at));
	memset(last, 0, (size_t)(end - last));
}

static void ram_submit(struct store *store, struct store_request *request)
{
	struct store_ram *ram = (struct store_ram *)store;
	uint8_t *at = ram->bytes + request->offset;
	switch (request->op) {
	case STORE_READ:
		ram_read(at, request->iov, request->iov_count);
		break;
	case STORE_WRITE:
		ram_write(at, request->iov, request->iov_count);
		break;
	case STORE_DISCARD:
	case STORE_WRITE_ZEROES:
		ram_clear(at, request->bytes);
		break;
	default:
		break;
	}
	request->done(request, 0);
}

static void ram_close(struct store *store)
{
	struct store_ram *ram = (struct store_ram *)store;
	free(ram->allocation);
	free(ram);
}

static const struct store_ops ram_ops = {
	.name = "ram",
	.submit = ram_submit,
	.close = ram_close,
};

int store_ram_create(uint64_t bytes, uint32_t block_bytes, bool is_read_only, struct store **out)
{
	if (bytes == 0 || block_bytes == 0 || bytes % block_bytes != 0 ||
		bytes > SIZE_MAX - ALIGN_BYTES)
		return -EINVAL;
	struct store_ram *ram = calloc(1, sizeof *ram);
	if (!ram)
		return -ENOMEM;
	/* Zeroed memory that the system gives out as it is touched; aligned by hand. */
	ram->allocation = calloc(1, (size_t)bytes + ALIGN_BYTES);
	if (!ram->allocation) {
		free(ram);
		return -ENOMEM;
	}
	const uintptr_t base = (uintptr_t)ram->allocation + ALIGN_BYTES - 1;
	ram->bytes = (uint8_t *)(base - base % ALIGN_BYTES);
	ram->base = (struct store){
		.ops = &ram_ops,
		.name = "ram",
		.capacity_bytes = bytes,
		.block_bytes = block_bytes,
		.physical_bytes = block_bytes > 4096 ? block_bytes : 4096,
		.is_read_only = is_read_only,
		.has_write_cache = true,
		.can_discard = !is_read_only,
		.memory = ram->bytes,
	};
	*out = &ram->base;
	return 0;
}

uint8_t *store_ram_bytes(struct store *store)
{
	return ((struct store_ram *)store)->bytes;
}
