// SPDX-License-Identifier: Apache-2.0
/*
 * What tests can do on bare metal only (struct conform_machine): count interrupts, run code on
 * other VPs, and look at memory through a page-table entry of their own.
 */
#include "tests/conformance/image/image_platform.h"

#include "tests/conformance/conform.h"

#define WINDOW (BARE_WINDOW + 0x20000000ull)

static uint32_t counts[BARE_VPS_MAX];

static void counted(struct bare_frame *frame, void *ctx)
{
	(void)frame;
	(void)ctx;
	__atomic_fetch_add(&counts[bare_vp()->index], 1, __ATOMIC_SEQ_CST);
	bare_apic_eoi();
}

static void count(unsigned vector)
{
	for (uint32_t vp = 0; vp < BARE_VPS_MAX; vp++)
		__atomic_store_n(&counts[vp], 0, __ATOMIC_SEQ_CST);
	bare_vector_set(vector, counted, NULL);
}

static uint32_t interrupts(uint32_t vp)
{
	return __atomic_load_n(&counts[vp % BARE_VPS_MAX], __ATOMIC_SEQ_CST);
}

static const volatile uint8_t *window(uint64_t gpa)
{
	bare_map(WINDOW, gpa, 0);
	return (const volatile uint8_t *)(uintptr_t)WINDOW;
}

static void window_change(uint64_t gpa)
{
	uint64_t *entry = bare_map_entry(WINDOW);
	const uint64_t flags = *entry % BARE_PAGE_BYTES;

	__atomic_store_n(entry, gpa | flags, __ATOMIC_SEQ_CST);
}

const struct conform_machine image_machine = {
	.count = count,
	.interrupts = interrupts,
	.run_on = bare_run_on,
	.begin = bare_run_begin,
	.end = bare_run_wait,
	.window = window,
	.window_change = window_change,
};
