// SPDX-License-Identifier: Apache-2.0
/*
 * Ranges of devices. See io_space.h.
 */
#include "host/hypervisor/io_space.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Number of ranges that begin at or below the address. */
static unsigned ranges_up_to(const struct io_space *space, uint64_t address)
{
	unsigned low = 0;
	unsigned high = space->count;

	while (low < high) {
		const unsigned middle = low + (high - low) / 2;
		if (space->ranges[middle].base <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int io_space_add(struct io_space *space, uint64_t base, uint64_t bytes,
	const struct io_device_ops *ops, void *ctx)
{
	if (bytes == 0 || bytes - 1 > UINT64_MAX - base)
		return -EINVAL;
	const unsigned at = ranges_up_to(space, base);
	const struct io_range *before = at > 0 ? &space->ranges[at - 1] : NULL;
	const struct io_range *behind = at < space->count ? &space->ranges[at] : NULL;
	if ((before && base - before->base < before->bytes) ||
		(behind && behind->base - base < bytes))
		return -EEXIST;
	if (space->count == IO_SPACE_RANGES_MAX)
		return -ENOSPC;

	memmove(&space->ranges[at + 1], &space->ranges[at],
		(space->count - at) * sizeof space->ranges[0]);
	space->ranges[at] = (struct io_range){.base = base, .bytes = bytes, .ops = ops, .ctx = ctx};
	space->count++;
	return 0;
}

void io_space_remove(struct io_space *space, uint64_t base)
{
	const unsigned behind = ranges_up_to(space, base);

	if (behind == 0 || space->ranges[behind - 1].base != base)
		return;
	space->count--;
	memmove(&space->ranges[behind - 1], &space->ranges[behind],
		(space->count - behind + 1) * sizeof space->ranges[0]);
}

static bool is_access_size(unsigned bytes)
{
	return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

/* The range that the access lies in, or NULL, which is counted. */
static const struct io_range *range_of(struct io_space *space, uint64_t address, unsigned bytes)
{
	const unsigned behind = ranges_up_to(space, address);

	if (behind > 0 && is_access_size(bytes)) {
		const struct io_range *range = &space->ranges[behind - 1];
		const uint64_t offset = address - range->base;
		if (offset < range->bytes && bytes <= range->bytes - offset)
			return range;
	}
	__atomic_fetch_add(&space->unclaimed, 1, __ATOMIC_RELAXED);
	return NULL;
}

static uint64_t ones(unsigned bytes)
{
	return bytes >= 8 ? UINT64_MAX : (1ull << (8 * bytes)) - 1;
}

uint64_t io_space_read(struct io_space *space, uint64_t address, unsigned bytes)
{
	const struct io_range *range = range_of(space, address, bytes);

	if (!range || !range->ops->read)
		return ones(bytes);
	return range->ops->read(range->ctx, address - range->base, bytes) & ones(bytes);
}

void io_space_write(struct io_space *space, uint64_t address, unsigned bytes, uint64_t value)
{
	const struct io_range *range = range_of(space, address, bytes);

	if (range && range->ops->write)
		range->ops->write(range->ctx, address - range->base, bytes, value & ones(bytes));
}
