// SPDX-License-Identifier: Apache-2.0
/*
 * Guest memory. See memory.h. The only file that maps it.
 *
 * The memfd is sealed against shrinking, so that no one who holds its descriptor
 * can turn an access of the host into SIGBUS, and against further seals, so that
 * no one can make a later mapping of a ring fail. Pages are allocated by the
 * kernel when they are first touched: an idle partition costs nothing.
 */
#include "host/hypervisor/memory.h"

#include "host/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int guest_memfd_create(const char *name, uint64_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (bytes > INT64_MAX || ftruncate(fd, (off_t)bytes) < 0 ||
		fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
		const int error = bytes > INT64_MAX ? EINVAL : errno;
		close(fd);
		return -error;
	}
	return fd;
}

static void region_add(
	struct guest_memory *memory, uint64_t gpa, uint64_t bytes, uint8_t *host, uint64_t offset)
{
	memory->regions[memory->region_count++] = (struct guest_memory_region){
		.gpa = gpa,
		.bytes = bytes,
		.host = host + offset,
		.offset = offset,
	};
}

int guest_memory_init(struct guest_memory *memory, uint64_t bytes, uint64_t low_bytes)
{
	memset(memory, 0, sizeof *memory);
	memory->fd = -1;
	if (bytes == 0 || bytes % GUEST_PAGE_BYTES != 0 || bytes > SIZE_MAX ||
		low_bytes % GUEST_PAGE_BYTES != 0 || low_bytes > GUEST_MEMORY_HIGH_GPA)
		return -EINVAL;
	if (low_bytes == 0 || low_bytes > bytes)
		low_bytes = bytes;

	const int fd = guest_memfd_create("viridian-memory", bytes);
	if (fd < 0)
		return fd;
	void *host = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (host == MAP_FAILED) {
		const int error = errno;
		close(fd);
		return -error;
	}
	memory->ring_runs = calloc(1, sizeof *memory->ring_runs);
	if (!memory->ring_runs) {
		munmap(host, (size_t)bytes);
		close(fd);
		return -ENOMEM;
	}
	memory->fd = fd;
	region_add(memory, 0, low_bytes, host, 0);
	if (bytes > low_bytes)
		region_add(memory, GUEST_MEMORY_HIGH_GPA, bytes - low_bytes, host, low_bytes);
	return 0;
}

void guest_memory_destroy(struct guest_memory *memory)
{
	for (unsigned i = 0; i < memory->region_count; i++)
		munmap(memory->regions[i].host, (size_t)memory->regions[i].bytes);
	memory->region_count = 0;
	if (memory->fd >= 0)
		close(memory->fd);
	memory->fd = -1;
	free(memory->ring_runs);
	memory->ring_runs = NULL;
}

int guest_memory_replace(struct guest_memory *memory)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < memory->region_count; i++) {
		const uint64_t region_end = memory->regions[i].offset + memory->regions[i].bytes;
		end = region_end > end ? region_end : end;
	}
	const int fd = guest_memfd_create("viridian-memory", end);
	if (fd < 0)
		return fd;

	/*
	 * MAP_FIXED over the old mapping keeps every address valid. If one of several
	 * regions cannot be mapped, the others stay with the new memory: the caller has to
	 * give the partition up.
	 */
	for (unsigned i = 0; i < memory->region_count; i++) {
		const struct guest_memory_region *region = &memory->regions[i];
		if (mmap(region->host, (size_t)region->bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, fd, (off_t)region->offset) == MAP_FAILED) {
			const int error = errno;
			close(fd);
			return -error;
		}
	}
	close(memory->fd);
	memory->fd = fd;
	return 0;
}

int guest_memory_read(const struct guest_memory *memory, uint64_t gpa, void *dst, size_t bytes)
{
	const void *from = guest_memory_at(memory, gpa, bytes);

	if (!from)
		return -EFAULT;
	memcpy(dst, from, bytes);
	return 0;
}

int guest_memory_write(
	const struct guest_memory *memory, uint64_t gpa, const void *src, size_t bytes)
{
	void *to = guest_memory_at(memory, gpa, bytes);

	if (!to)
		return -EFAULT;
	memcpy(to, src, bytes);
	return 0;
}

/* ---- rings --------------------------------------------------------------------------------- */

/* Where in the memfd page `gpn` lies, or UINT64_MAX if it is not RAM. */
static uint64_t page_offset(const struct guest_memory *memory, uint64_t gpn)
{
	if (gpn > UINT64_MAX >> GUEST_PAGE_SHIFT)
		return UINT64_MAX;

	const uint64_t gpa = gpn << GUEST_PAGE_SHIFT;
	for (unsigned i = 0; i < memory->region_count; i++) {
		const struct guest_memory_region *region = &memory->regions[i];
		if (gpa >= region->gpa && gpa - region->gpa < region->bytes)
			return region->offset + (gpa - region->gpa);
	}
	return UINT64_MAX;
}

/* Number of pages from offsets[first] on that are neighbours in the memfd. */
static size_t run_length(const uint64_t *offsets, size_t count, size_t first)
{
	size_t run = 1;

	while (first + run < count &&
		offsets[first + run] == offsets[first] + run * GUEST_PAGE_BYTES)
		run++;
	return run;
}

static size_t runs_count(const uint64_t *offsets, size_t count)
{
	size_t runs = 0;

	for (size_t first = 0; first < count; first += run_length(offsets, count, first))
		runs++;
	return runs;
}

/* Map the pages at offsets[0..count-1] at `at`, one mmap for each run of neighbours. */
static int pages_map(
	const struct guest_memory *memory, const uint64_t *offsets, size_t count, uint8_t *at)
{
	for (size_t first = 0; first < count;) {
		const size_t run = run_length(offsets, count, first);
		if (mmap(at + first * GUEST_PAGE_BYTES, run * GUEST_PAGE_BYTES,
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory->fd,
			    (off_t)offsets[first]) == MAP_FAILED)
			return -errno;
		first += run;
	}
	return 0;
}

/* The mapping itself, from checked offsets; mapping->runs are already accounted for. */
static int ring_map_offsets(const struct guest_memory *memory, const uint64_t *offsets,
	size_t count, struct guest_ring_mapping *mapping)
{
	const size_t data_bytes = (count - 1) * GUEST_PAGE_BYTES;
	const size_t bytes = GUEST_PAGE_BYTES + 2 * data_bytes;
	uint8_t *base = mmap(
		NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return -errno;
	int error = pages_map(memory, offsets, count, base);
	if (!error)
		error = pages_map(
			memory, offsets + 1, count - 1, base + GUEST_PAGE_BYTES + data_bytes);
	if (error) {
		munmap(base, bytes);
		return error;
	}
	mapping->control = base;
	mapping->data = base + GUEST_PAGE_BYTES;
	mapping->data_bytes = data_bytes;
	mapping->reserved_base = base;
	mapping->reserved_bytes = bytes;
	return 0;
}

int guest_memory_ring_map(const struct guest_memory *memory, const uint64_t *gpns, size_t count,
	struct guest_ring_mapping *mapping)
{
	*mapping = (struct guest_ring_mapping){0};
	if (count < 2 || count > GUEST_RING_PAGES_MAX)
		return -EINVAL;

	uint64_t *offsets = malloc(count * sizeof *offsets);
	if (!offsets)
		return -ENOMEM;
	int error = 0;
	for (size_t i = 0; i < count && !error; i++) {
		offsets[i] = page_offset(memory, gpns[i]);
		if (offsets[i] == UINT64_MAX)
			error = -EFAULT;
	}
	if (error)
		goto out;

	const unsigned runs =
		(unsigned)(runs_count(offsets, count) + runs_count(offsets + 1, count - 1));
	if (__atomic_add_fetch(memory->ring_runs, runs, __ATOMIC_RELAXED) > LIMIT_RING_RUNS)
		error = -ENOSPC;
	else
		error = ring_map_offsets(memory, offsets, count, mapping);
	if (error) {
		__atomic_sub_fetch(memory->ring_runs, runs, __ATOMIC_RELAXED);
		goto out;
	}
	mapping->runs = runs;
	mapping->runs_held = memory->ring_runs;
out:
	free(offsets);
	return error;
}

void guest_memory_ring_unmap(struct guest_ring_mapping *mapping)
{
	if (mapping->reserved_base) {
		munmap(mapping->reserved_base, mapping->reserved_bytes);
		__atomic_sub_fetch(mapping->runs_held, mapping->runs, __ATOMIC_RELAXED);
	}
	*mapping = (struct guest_ring_mapping){0};
}
