// SPDX-License-Identifier: Apache-2.0
/*
 * An address space of devices: I/O ports, or memory-mapped registers. A sorted table of
 * ranges, each with a device behind it. What no range covers reads as ones, and is counted.
 *
 * Threads: ranges are added and removed while no VP runs. Accesses come from VP threads, at
 * the same time; a device locks what it shares.
 */
#ifndef HOST_HYPERVISOR_IO_SPACE_H
#define HOST_HYPERVISOR_IO_SPACE_H

#include <stddef.h>
#include <stdint.h>

#define IO_SPACE_RANGES_MAX 64u

/*
 * An access of `bytes` (1, 2, 4, 8) at `offset` into the range; it lies wholly inside. The value
 * fits in `bytes`; of what is read only these count. NULL: reads as ones, ignores writes.
 */
struct io_device_ops {
	const char *name; /* "serial port" */
	uint64_t (*read)(void *ctx, uint64_t offset, unsigned bytes);
	void (*write)(void *ctx, uint64_t offset, unsigned bytes, uint64_t value);
};

struct io_range {
	uint64_t base, bytes;
	const struct io_device_ops *ops;
	void *ctx; /* borrowed */
};

struct io_space {
	struct io_range ranges[IO_SPACE_RANGES_MAX]; /* sorted by base, disjoint */
	unsigned count;
	uint64_t unclaimed; /* accesses that met no device; atomic */
};

/* 0, -EEXIST (overlaps another), -ENOSPC, -EINVAL (empty, or wraps). */
int io_space_add(struct io_space *space, uint64_t base, uint64_t bytes,
	const struct io_device_ops *ops, void *ctx);
void io_space_remove(struct io_space *space, uint64_t base);

/*
 * An access that a VP makes. One that straddles the end of a range, or meets none, or has
 * another size, reads as ones and writes nothing.
 */
uint64_t io_space_read(struct io_space *space, uint64_t address, unsigned bytes);
void io_space_write(struct io_space *space, uint64_t address, unsigned bytes, uint64_t value);

#endif
