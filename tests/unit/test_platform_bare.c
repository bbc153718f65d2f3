// SPDX-License-Identifier: Apache-2.0
/*
 * The bare platform (guest/winhv/platform_bare_x86.h) as a process: which memory it has
 * mapped for a ring, and where its time comes from. Its MSRs fault here.
 */
#include "guest/winhv/platform_bare_x86.h"

#include "protocol/errors.h"
#include "protocol/hypervisor.h"
#include "tests/harness.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static _Alignas(4096) uint8_t memory[16 * 4096];
static uint64_t bitmap[1];
static struct platform_bare bare;

static void open_bare(void)
{
	if (platform_bare_init(&bare, memory, sizeof memory, bitmap, sizeof bitmap) != 0)
		abort();
}

/* ---- rings --------------------------------------------------------------------------------- */

static struct {
	uint64_t gpa;
	size_t bytes, unmapped_bytes;
	uint8_t *unmapped;
	int error;
} asked;

static int map(void *ctx, uint64_t gpa, size_t bytes, uint8_t **va)
{
	asked.gpa = gpa;
	asked.bytes = bytes;
	*va = ctx;
	return asked.error;
}

static void unmap(void *ctx, uint8_t *va, size_t bytes)
{
	(void)ctx;
	asked.unmapped = va;
	asked.unmapped_bytes = bytes;
}

static void ring_is_mapped_by_the_image(void)
{
	const struct winhv_pages pages = {.va = memory, .gpa = 0x10000, .bytes = sizeof memory};
	static uint8_t window[0x2000];
	void *control = NULL;
	uint8_t *data = NULL;

	open_bare();
	CU_ASSERT_EQUAL(platform_bare_ops.ring_map(&bare, &pages, 0, 0x2000, &control, &data),
		-VIRIDIAN_ENOTSUP);
	bare.ring_map = map;
	bare.ring_unmap = unmap;
	bare.map_ctx = window;
	CU_ASSERT_EQUAL(
		platform_bare_ops.ring_map(&bare, &pages, 0x4000, 0x3000, &control, &data), 0);
	CU_ASSERT_EQUAL(asked.gpa, 0x14000);
	CU_ASSERT_EQUAL(asked.bytes, 0x3000);
	CU_ASSERT_PTR_EQUAL(control, window);
	CU_ASSERT_PTR_EQUAL(data, window + 0x1000);
	platform_bare_ops.ring_unmap(&bare, control, data, 0x2000);
	CU_ASSERT_PTR_EQUAL(asked.unmapped, window);
	CU_ASSERT_EQUAL(asked.unmapped_bytes, 0x3000);
	asked.error = -VIRIDIAN_ENOMEM;
	CU_ASSERT_EQUAL(platform_bare_ops.ring_map(&bare, &pages, 0, 0x2000, &control, &data),
		-VIRIDIAN_ENOMEM);
	asked.error = 0;
}

static void ring_outside_of_its_pages_is_refused(void)
{
	static const struct {
		size_t offset, bytes;
	} rows[] = {{0, 0x1000}, {0x800, 0x2000}, {0, 0x2800}, {0xf000, 0x2000}, {0x11000, 0x2000},
		{0, 0x11000}, {0x1000, SIZE_MAX - 0xfff}};
	const struct winhv_pages pages = {.va = memory, .gpa = 0x10000, .bytes = sizeof memory};
	void *control;
	uint8_t *data;

	open_bare();
	bare.ring_map = map;
	asked.bytes = 0;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CU_ASSERT_EQUAL(platform_bare_ops.ring_map(&bare, &pages, rows[i].offset,
					rows[i].bytes, &control, &data),
			-VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(asked.bytes, 0);
}

/* ---- time ---------------------------------------------------------------------------------- */

static void resume(int number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;
	const uintptr_t next = platform_bare_fixup((uintptr_t)user->uc_mcontext.gregs[REG_RIP]);

	(void)number;
	(void)info;
	if (!next)
		abort();
	user->uc_mcontext.gregs[REG_RIP] = (greg_t)next;
}

static void catch_faults(struct sigaction *old)
{
	struct sigaction action = {.sa_sigaction = resume, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, old);
}

/* TLFS: ((TSC * scale) >> 64) + offset. */
static void time_is_the_page_s(void)
{
	static struct hv_reference_tsc_page_wire page;

	open_bare();
	bare.reference_tsc = &page;
	page = (struct hv_reference_tsc_page_wire){.sequence = 1, .scale = 0, .offset = 1234};
	CU_ASSERT_EQUAL(platform_bare_ops.time_100ns(&bare), 1234);
	page.scale = 1ull << 63;
	page.offset = -1000;
	const uint64_t first = __builtin_ia32_rdtsc() / 2 - 1000;
	const uint64_t time = platform_bare_ops.time_100ns(&bare);
	const uint64_t last = __builtin_ia32_rdtsc() / 2 - 1000;
	CU_ASSERT_TRUE(first <= time && time <= last);
}

static void time_without_page_or_register_is_the_tsc_s(void)
{
	static struct hv_reference_tsc_page_wire page;
	struct sigaction old;

	open_bare();
	catch_faults(&old);
	CU_ASSERT_EQUAL(platform_bare_ops.time_100ns(&bare), 0);
	bare.reference_tsc = &page; /* sequence 0: not valid */
	page.offset = 99;
	bare.tsc_hz = 20000000;
	const uint64_t first = __builtin_ia32_rdtsc() / 2;
	const uint64_t time = platform_bare_ops.time_100ns(&bare);
	const uint64_t last = __builtin_ia32_rdtsc() / 2;
	CU_ASSERT_TRUE(first <= time && time <= last);
	sigaction(SIGSEGV, &old, NULL);
}

static const struct test tests[] = {
	TEST(ring_is_mapped_by_the_image),
	TEST(ring_outside_of_its_pages_is_refused),
	TEST(time_is_the_page_s),
	TEST(time_without_page_or_register_is_the_tsc_s),
};

TEST_MAIN("bare platform", tests)
