// SPDX-License-Identifier: Apache-2.0
/*
 * Guest memory: bounds, seals, rings mapped twice, replacement.
 */
#include "host/hypervisor/memory.h"

#include "host/limits.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES (64u * 4096)

static struct guest_memory memory;

/* The compiler does not know that two addresses are one byte of memory. */
static void aliases_barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

static void open_memory(void)
{
	if (guest_memory_init(&memory, BYTES, 0) != 0)
		abort();
}

static void refuses_sizes_that_are_no_page_multiple(void)
{
	CU_ASSERT_EQUAL(guest_memory_init(&memory, 0, 0), -EINVAL);
	CU_ASSERT_EQUAL(guest_memory_init(&memory, 4095, 0), -EINVAL);
	CU_ASSERT_EQUAL(guest_memory_init(&memory, 4097, 0), -EINVAL);
	CU_ASSERT_EQUAL(memory.fd, -1);
}

static void is_zero_at_first(void)
{
	open_memory();
	const uint8_t *bytes = guest_memory_at(&memory, 0, BYTES);
	unsigned nonzero = 0;
	for (size_t i = 0; i < BYTES; i++)
		nonzero += bytes[i] != 0;
	CU_ASSERT_EQUAL(nonzero, 0);
	guest_memory_destroy(&memory);
}

static void checks_bounds(void)
{
	open_memory();
	CU_ASSERT_PTR_NOT_NULL(guest_memory_at(&memory, 0, BYTES));
	CU_ASSERT_PTR_NULL(guest_memory_at(&memory, 0, BYTES + 1));
	CU_ASSERT_PTR_NULL(guest_memory_at(&memory, 1, BYTES));
	CU_ASSERT_PTR_NOT_NULL(guest_memory_at(&memory, BYTES - 1, 1));
	CU_ASSERT_PTR_NULL(guest_memory_at(&memory, BYTES - 1, 2));
	CU_ASSERT_PTR_NOT_NULL(guest_memory_at(&memory, BYTES, 0));
	CU_ASSERT_PTR_NULL(guest_memory_at(&memory, BYTES, 1));
	CU_ASSERT_PTR_NULL(guest_memory_at(&memory, BYTES + 1, 0));
	CU_ASSERT_PTR_NULL(guest_memory_at(&memory, UINT64_MAX, 2));
	CU_ASSERT_PTR_NULL(guest_memory_at(&memory, 16, UINT64_MAX));
	guest_memory_destroy(&memory);
}

static void copies_all_or_nothing(void)
{
	static const char text[] = "across a page";
	char back[sizeof text] = {0};

	open_memory();
	CU_ASSERT_EQUAL(guest_memory_write(&memory, 4096 - 5, text, sizeof text), 0);
	CU_ASSERT_EQUAL(guest_memory_read(&memory, 4096 - 5, back, sizeof back), 0);
	CU_ASSERT_STRING_EQUAL(back, text);
	CU_ASSERT_EQUAL(guest_memory_write(&memory, BYTES - 1, text, 2), -EFAULT);
	CU_ASSERT_EQUAL(*(uint8_t *)guest_memory_at(&memory, BYTES - 1, 1), 0);
	memset(back, 'x', sizeof back);
	CU_ASSERT_EQUAL(guest_memory_read(&memory, BYTES - 1, back, 2), -EFAULT);
	CU_ASSERT_EQUAL(back[0], 'x');
	guest_memory_destroy(&memory);
}

static void regions_have_a_hole_between_them(void)
{
	CU_ASSERT_EQUAL_FATAL(guest_memory_init(&memory, BYTES, BYTES / 2), 0);
	CU_ASSERT_EQUAL_FATAL(memory.region_count, 2);
	CU_ASSERT_PTR_NULL(guest_memory_at(&memory, BYTES / 2 - 1, 2));
	CU_ASSERT_PTR_NULL(guest_memory_at(&memory, BYTES / 2, 1));
	CU_ASSERT_PTR_NULL(guest_memory_at(&memory, 0xffffffffull, 1));
	CU_ASSERT_PTR_EQUAL(guest_memory_at(&memory, 0x100000000ull, BYTES / 2),
		memory.regions[0].host + BYTES / 2);
	CU_ASSERT_PTR_NULL(guest_memory_at(&memory, 0x100000000ull, BYTES / 2 + 1));

	/* A ring may lie in both; the page in the high region is the memfd's 33rd. */
	const uint64_t gpns[] = {0x100000, 1};
	struct guest_ring_mapping ring;
	CU_ASSERT_EQUAL(guest_memory_ring_map(&memory, gpns, 2, &ring), 0);
	memcpy(ring.control, "control", 8);
	aliases_barrier();
	CU_ASSERT_STRING_EQUAL((char *)memory.regions[1].host, "control");
	char through_fd[8] = {0};
	CU_ASSERT_EQUAL(pread(memory.fd, through_fd, 8, BYTES / 2), 8);
	CU_ASSERT_STRING_EQUAL(through_fd, "control");
	guest_memory_ring_unmap(&ring);

	CU_ASSERT_EQUAL(guest_memory_replace(&memory), 0);
	aliases_barrier();
	CU_ASSERT_EQUAL(*(char *)guest_memory_at(&memory, 0x100000000ull, 1), 0);
	guest_memory_destroy(&memory);
}

static void hole_takes_what_does_not_fit_below_it(void)
{
	CU_ASSERT_EQUAL(guest_memory_init(&memory, BYTES, BYTES), 0);
	CU_ASSERT_EQUAL(memory.region_count, 1);
	guest_memory_destroy(&memory);
	CU_ASSERT_EQUAL(guest_memory_init(&memory, BYTES, 0x100000000ull), 0);
	CU_ASSERT_EQUAL(memory.region_count, 1);
	CU_ASSERT_PTR_NOT_NULL(guest_memory_at(&memory, 0, BYTES));
	guest_memory_destroy(&memory);
	CU_ASSERT_EQUAL(guest_memory_init(&memory, BYTES, 4097), -EINVAL);
	CU_ASSERT_EQUAL(guest_memory_init(&memory, BYTES, 0x100001000ull), -EINVAL);
}

static void cannot_be_cut_off_by_who_holds_the_descriptor(void)
{
	open_memory();
	CU_ASSERT_EQUAL(ftruncate(memory.fd, 4096), -1);
	CU_ASSERT_EQUAL(ftruncate(memory.fd, 2 * BYTES), -1);
	CU_ASSERT_EQUAL(fcntl(memory.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	CU_ASSERT_EQUAL(errno, EPERM);
	CU_ASSERT_TRUE(fcntl(memory.fd, F_GETFD) & FD_CLOEXEC);
	guest_memory_destroy(&memory);
}

static void ring_is_contiguous_where_it_wraps(void)
{
	const uint64_t gpns[] = {9, 30, 31, 3}; /* control, then data out of order */
	struct guest_ring_mapping ring;

	open_memory();
	CU_ASSERT_EQUAL(guest_memory_ring_map(&memory, gpns, 4, &ring), 0);
	CU_ASSERT_EQUAL(ring.data_bytes, 3u * 4096);
	memcpy(ring.data + ring.data_bytes - 4, "wrapped", 8);
	aliases_barrier();
	CU_ASSERT_EQUAL(memcmp(ring.data, "ped", 4), 0);
	CU_ASSERT_EQUAL(memcmp(guest_memory_at(&memory, 3 * 4096 + 4092, 4), "wrap", 4), 0);
	CU_ASSERT_EQUAL(memcmp(guest_memory_at(&memory, 30 * 4096, 4), "ped", 4), 0);
	memcpy(guest_memory_at(&memory, 31 * 4096, 4), "next", 4);
	aliases_barrier();
	CU_ASSERT_EQUAL(memcmp(ring.data + 4096, "next", 4), 0);
	CU_ASSERT_EQUAL(memcmp(ring.data + ring.data_bytes + 4096, "next", 4), 0);
	memcpy(ring.control, "index", 6);
	aliases_barrier();
	CU_ASSERT_STRING_EQUAL((char *)guest_memory_at(&memory, 9 * 4096, 6), "index");
	guest_memory_ring_unmap(&ring);
	CU_ASSERT_PTR_NULL(ring.data);
	guest_memory_destroy(&memory);
}

static void ring_of_neighbours_takes_two_mmaps(void)
{
	uint64_t gpns[17];
	struct guest_ring_mapping ring;

	open_memory();
	for (unsigned i = 0; i < 17; i++)
		gpns[i] = 20 + i;
	CU_ASSERT_EQUAL(guest_memory_ring_map(&memory, gpns, 17, &ring), 0);
	CU_ASSERT_EQUAL(ring.runs, 2);
	CU_ASSERT_EQUAL(*memory.ring_runs, 2);
	guest_memory_ring_unmap(&ring);
	CU_ASSERT_EQUAL(*memory.ring_runs, 0);
	guest_memory_destroy(&memory);
}

static void ring_refuses_pages_that_are_not_ram(void)
{
	const uint64_t beyond[] = {1, BYTES / 4096};
	const uint64_t wraps[] = {1, (1ull << 52) + 1};
	const uint64_t largest[] = {UINT64_MAX, 1};
	struct guest_ring_mapping ring;

	open_memory();
	CU_ASSERT_EQUAL(guest_memory_ring_map(&memory, beyond, 2, &ring), -EFAULT);
	CU_ASSERT_EQUAL(guest_memory_ring_map(&memory, wraps, 2, &ring), -EFAULT);
	CU_ASSERT_EQUAL(guest_memory_ring_map(&memory, largest, 2, &ring), -EFAULT);
	CU_ASSERT_EQUAL(guest_memory_ring_map(&memory, beyond, 1, &ring), -EINVAL);
	CU_ASSERT_EQUAL(
		guest_memory_ring_map(&memory, beyond, GUEST_RING_PAGES_MAX + 1, &ring), -EINVAL);
	CU_ASSERT_PTR_NULL(ring.reserved_base);
	CU_ASSERT_EQUAL(*memory.ring_runs, 0);
	guest_memory_destroy(&memory);
}

static void scattered_rings_cannot_use_up_the_process(void)
{
	const uint64_t gpns[] = {1, 5, 3}; /* 3 runs, and 2 for the second copy */
	struct guest_ring_mapping at_limit, past_limit;

	open_memory();
	*memory.ring_runs = LIMIT_RING_RUNS - 5;
	CU_ASSERT_EQUAL(guest_memory_ring_map(&memory, gpns, 3, &at_limit), 0);
	CU_ASSERT_EQUAL(*memory.ring_runs, LIMIT_RING_RUNS);
	CU_ASSERT_EQUAL(guest_memory_ring_map(&memory, gpns, 3, &past_limit), -ENOSPC);
	CU_ASSERT_EQUAL(*memory.ring_runs, LIMIT_RING_RUNS);
	guest_memory_ring_unmap(&at_limit);
	*memory.ring_runs = LIMIT_RING_RUNS - 4;
	CU_ASSERT_EQUAL(guest_memory_ring_map(&memory, gpns, 3, &past_limit), -ENOSPC);
	CU_ASSERT_EQUAL(*memory.ring_runs, LIMIT_RING_RUNS - 4);
	guest_memory_destroy(&memory);
}

static void replaced_memory_is_fresh_and_out_of_reach_of_the_old(void)
{
	open_memory();
	char *host = guest_memory_at(&memory, 0, BYTES);
	char *stale = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0);
	memcpy(host, "secret", 7);
	aliases_barrier();
	CU_ASSERT_STRING_EQUAL(stale, "secret");

	CU_ASSERT_EQUAL(guest_memory_replace(&memory), 0);
	aliases_barrier();
	CU_ASSERT_PTR_EQUAL(guest_memory_at(&memory, 0, BYTES), host);
	CU_ASSERT_EQUAL(host[0], 0);
	memcpy(stale, "intruder", 9);
	aliases_barrier();
	CU_ASSERT_EQUAL(host[0], 0);
	memcpy(host, "next", 5);
	aliases_barrier();
	CU_ASSERT_STRING_EQUAL(stale, "intruder");

	char through_fd[5] = {0};
	CU_ASSERT_EQUAL(pread(memory.fd, through_fd, 5, 0), 5);
	CU_ASSERT_STRING_EQUAL(through_fd, "next");
	munmap(stale, BYTES);
	guest_memory_destroy(&memory);
}

static const struct test tests[] = {
	TEST(refuses_sizes_that_are_no_page_multiple),
	TEST(is_zero_at_first),
	TEST(checks_bounds),
	TEST(copies_all_or_nothing),
	TEST(regions_have_a_hole_between_them),
	TEST(hole_takes_what_does_not_fit_below_it),
	TEST(cannot_be_cut_off_by_who_holds_the_descriptor),
	TEST(ring_is_contiguous_where_it_wraps),
	TEST(ring_of_neighbours_takes_two_mmaps),
	TEST(ring_refuses_pages_that_are_not_ram),
	TEST(scattered_rings_cannot_use_up_the_process),
	TEST(replaced_memory_is_fresh_and_out_of_reach_of_the_old),
};

TEST_MAIN("memory", tests)
