// SPDX-License-Identifier: Apache-2.0
/*
 * Guest memory: the guest-physical address space of a partition, as one memfd
 * mapped in the host, and the only place where a guest-physical address becomes
 * a host pointer.
 *
 * The address space is a short table of regions (one on the loopback backend;
 * RAM around the MMIO hole, hot-added RAM and VRAM elsewhere). Everything behind
 * a pointer given out here is written by the guest at any time: copy once, check
 * the copy, use the copy.
 *
 * Threads: regions are added before the guest runs; afterwards all functions may
 * be called from any thread.
 */
#ifndef HOST_HYPERVISOR_MEMORY_H
#define HOST_HYPERVISOR_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_PAGE_BYTES 4096u
#define GUEST_PAGE_SHIFT 12u

#define GUEST_MEMORY_REGIONS_MAX 8u
#define GUEST_RING_PAGES_MAX	 32769u /* control page and 128 MiB of data */

struct guest_memory_region {
	uint64_t gpa;	 /* first guest-physical address, page aligned */
	uint64_t bytes;	 /* length, page multiple */
	uint8_t *host;	 /* host mapping of the whole region */
	uint64_t offset; /* of the region in the memfd */
};

struct guest_memory {
	int fd;		     /* memfd, sealed against shrinking and growing; -1 if none */
	unsigned *ring_runs; /* owned: mmaps that live ring mappings hold, atomic */
	unsigned region_count;
	struct guest_memory_region regions[GUEST_MEMORY_REGIONS_MAX];
};

/* Where memory goes on behind the hole for devices. */
#define GUEST_MEMORY_HIGH_GPA (1ull << 32)

/*
 * Create `bytes` of zeroed memory: `low_bytes` of it from GPA 0, the rest from
 * GUEST_MEMORY_HIGH_GPA up; low_bytes 0: all of it from GPA 0. One host mapping, one region
 * for each part. Returns 0, -EINVAL if a size is no page multiple, bytes is 0 or low_bytes
 * more than 4 GiB, or the negative errno of memfd_create, ftruncate or mmap.
 */
int guest_memory_init(struct guest_memory *memory, uint64_t bytes, uint64_t low_bytes);

/* Unmap and close. Mappings made by guest_memory_ring_map() must be gone. */
void guest_memory_destroy(struct guest_memory *memory);

/*
 * Exchange all memory for new, zeroed memory at the same guest and host addresses, so
 * that whoever still holds the old memfd or a mapping of it (a guest that has gone, but
 * perhaps not quite) cannot reach the next guest. I/O into guest memory must have
 * finished, and ring mappings must be gone. Returns 0 with a new memory->fd, or a
 * negative errno; then the old memory is partly or wholly in place and must not be
 * handed to another guest.
 */
int guest_memory_replace(struct guest_memory *memory);

/*
 * A zeroed memfd of `bytes` bytes, sealed against shrinking, growing and further seals.
 * Returns the descriptor (close-on-exec), or a negative errno.
 */
int guest_memfd_create(const char *name, uint64_t bytes);

/*
 * Host pointer to `bytes` bytes at `gpa`, or NULL if any of them lies outside RAM,
 * the range crosses regions, or the sum wraps. bytes may be 0.
 */
static inline void *guest_memory_at(const struct guest_memory *memory, uint64_t gpa, uint64_t bytes)
{
	for (unsigned i = 0; i < memory->region_count; i++) {
		const struct guest_memory_region *region = &memory->regions[i];
		const uint64_t offset = gpa - region->gpa;
		if (gpa >= region->gpa && offset <= region->bytes &&
			bytes <= region->bytes - offset)
			return region->host + offset;
	}
	return NULL;
}

/* Copy from or to guest memory. 0, or -EFAULT if the range is not RAM (nothing copied). */
int guest_memory_read(const struct guest_memory *memory, uint64_t gpa, void *dst, size_t bytes);
int guest_memory_write(
	const struct guest_memory *memory, uint64_t gpa, const void *src, size_t bytes);

/*
 * A ring of a channel, mapped: its control page, then its data pages twice, back
 * to back, so that a packet is contiguous wherever it starts.
 */
struct guest_ring_mapping {
	void *control;	   /* one page */
	uint8_t *data;	   /* data_bytes, and the same again behind it */
	size_t data_bytes; /* multiple of 4096 */
	void *reserved_base;
	size_t reserved_bytes;
	unsigned *runs_held; /* borrowed from the guest_memory: where runs are counted */
	unsigned runs;	     /* mmaps that this mapping needed */
};

/*
 * Map the ring whose pages are gpns[0] (control) and gpns[1..count-1] (data).
 * The page numbers are checked against RAM here; runs of neighbouring pages take
 * one mmap, and all live mappings together LIMIT_RING_RUNS at most. Returns 0, -EINVAL
 * (count < 2 or > GUEST_RING_PAGES_MAX), -EFAULT (a page is not RAM), -ENOSPC (too many
 * scattered pages), -ENOMEM, or the negative errno of mmap; then nothing is left mapped.
 */
int guest_memory_ring_map(const struct guest_memory *memory, const uint64_t *gpns, size_t count,
	struct guest_ring_mapping *mapping);
void guest_memory_ring_unmap(struct guest_ring_mapping *mapping);

#endif
