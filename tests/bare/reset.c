// SPDX-License-Identifier: Apache-2.0
/*
 * Reset of the partition: leaves everything that can be left on behind (pages on top of
 * memory, timers that run, a locked hypercall page), resets the machine, and looks at it
 * again after the second start: registers have their first values, memory is uncovered,
 * nothing fires, and the reference counter has gone on.
 *
 * "by=port" on the command line resets by ACPI's register in place of the RESET MSR. What the
 * second start must know is in memory, which a reset does not change.
 */
#include "tests/bare/bare_test.h"

#define NOTE_MAGIC    0x3144495249444956ull
#define PAGES	      0x2000000ull /* 32 MiB: far from what is allocated from the image up */
#define NOTE	      (PAGES + 0xff000)
#define PATTERN	      0x69u
#define TIMER_VECTOR  0xd1u
#define PAGES_OF_VP   3u /* SIMP, SIEFP, VP_ASSIST_PAGE */
#define PAGES_OF_ALL  2u /* HYPERCALL, REFERENCE_TSC */
#define DIRECT_PERIOD (5 * TEST_MS)

struct note {
	uint64_t magic, time;
	uint32_t vp_count;
};

static volatile struct note *note(void)
{
	return (volatile struct note *)(uintptr_t)NOTE;
}

static uint64_t page(uint32_t n)
{
	return PAGES + (uint64_t)n * BARE_PAGE_BYTES;
}

static uint32_t page_count(uint32_t vps)
{
	return PAGES_OF_ALL + vps * PAGES_OF_VP;
}

/* ---- before ------------------------------------------------------------------------------------
 */

static void leave_on(void *ctx)
{
	const uint32_t vp = bare_vp()->index;
	const uint32_t first = PAGES_OF_ALL + vp * PAGES_OF_VP;

	(void)ctx;
	if (test_has(HV_PRIVILEGE_ACCESS_SYNIC)) {
		(void)test_write(HV_X64_MSR_SIMP, page(first) | HV_MSR_PAGE_ENABLE);
		(void)test_write(HV_X64_MSR_SIEFP, page(first + 1) | HV_MSR_PAGE_ENABLE);
		(void)test_write(HV_X64_MSR_SCONTROL, HV_SCONTROL_ENABLE);
		for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
			(void)test_write(HV_X64_MSR_SINT0 + sint, HV_SINT_AUTO_EOI | (0x40 + sint));
	}
	if (test_has(HV_PRIVILEGE_ACCESS_INTERRUPT_CONTROL))
		(void)test_write(HV_X64_MSR_VP_ASSIST_PAGE, page(first + 2) | HV_MSR_PAGE_ENABLE);
	if (!test_has_feature(HV_FEATURE_DIRECT_SYNTHETIC_TIMERS))
		return;
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++) {
		(void)test_write(HV_X64_MSR_STIMER0_CONFIG + 2 * n,
			HV_STIMER_PERIODIC | HV_STIMER_AUTO_ENABLE | HV_STIMER_DIRECT_MODE |
				(uint64_t)TIMER_VECTOR << HV_STIMER_VECTOR_SHIFT);
		(void)test_write(HV_X64_MSR_STIMER0_COUNT + 2 * n, DIRECT_PERIOD);
	}
}

static void before(void)
{
	const uint64_t lock =
		test_has_feature(HV_FEATURE_HYPERCALL_MSR_LOCK) ? HV_MSR_HYPERCALL_LOCKED : 0;
	const char *by;
	uint64_t time = 0;

	test_count_vector(TIMER_VECTOR, true);
	for (uint32_t n = 0; n < page_count(bare.vp_count); n++)
		__builtin_memset((void *)(uintptr_t)page(n), PATTERN, BARE_PAGE_BYTES);
	(void)test_write(HV_X64_MSR_GUEST_OS_ID, TEST_OS_ID);
	(void)test_write(HV_X64_MSR_HYPERCALL, page(0) | HV_MSR_PAGE_ENABLE | lock);
	(void)test_write(HV_X64_MSR_REFERENCE_TSC, page(1) | HV_MSR_PAGE_ENABLE);
	for (uint32_t i = 0; i < 5; i++)
		(void)test_write(HV_X64_MSR_CRASH_P0 + i, 0x1234 + i);
	bare_run_on_all(leave_on, NULL);
	(void)test_read(HV_X64_MSR_TIME_REF_COUNT, &time);
	*note() = (struct note){NOTE_MAGIC, time, bare.vp_count};
	if (bare_option("by=", &by) && by[0] == 'p') {
		bare_printf("# reset by the register of ACPI\n");
		bare_reset();
	}
	bare_printf("# reset by the RESET MSR\n");
	(void)test_write(HV_X64_MSR_RESET, HV_RESET_NOW);
	bare_pause(2 * TEST_SECOND);
	check(false, "the machine resets", "it runs on");
	note()->magic = 0;
}

/* ---- after -------------------------------------------------------------------------------------
 */

struct first_value {
	uint32_t msr, count;
	uint64_t value, privilege;
	uint32_t feature;
};

static const struct first_value first_values[] = {
	{HV_X64_MSR_GUEST_OS_ID, 2, 0, HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS, 0},
	{HV_X64_MSR_REFERENCE_TSC, 1, 0, HV_PRIVILEGE_ACCESS_REFERENCE_TSC, 0},
	{HV_X64_MSR_VP_ASSIST_PAGE, 1, 0, HV_PRIVILEGE_ACCESS_INTERRUPT_CONTROL, 0},
	{HV_X64_MSR_SCONTROL, 1, 1, HV_PRIVILEGE_ACCESS_SYNIC, 0},
	{HV_X64_MSR_SIEFP, 2, 0, HV_PRIVILEGE_ACCESS_SYNIC, 0},
	{HV_X64_MSR_SINT0, HV_SINT_COUNT, HV_SINT_RESET, HV_PRIVILEGE_ACCESS_SYNIC, 0},
	{HV_X64_MSR_STIMER0_CONFIG, 8, 0, HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMERS, 0},
	{HV_X64_MSR_CRASH_P0, 5, 0, 0, HV_FEATURE_GUEST_CRASH_MSRS},
};

static char why[120];

static void values_read(void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < sizeof first_values / sizeof first_values[0]; i++) {
		const struct first_value *row = &first_values[i];
		if (!test_has(row->privilege) || !test_has_feature(row->feature))
			continue;
		for (uint32_t msr = row->msr; msr < row->msr + row->count; msr++) {
			uint64_t value = ~0ull;
			if (!test_read(msr, &value) || value != row->value)
				(void)bare_print_to(why, sizeof why, "VP %u: 0x%x reads 0x%lx",
					bare_vp()->index, msr, value);
		}
	}
}

static void after(void)
{
	const struct note said = *note();
	uint64_t time = 0;
	uint32_t covered = 0;

	note()->magic = 0;
	check(true, "the machine resets", "-");
	check(bare.vp_count == said.vp_count, "all VPs start again", "%u of %u", bare.vp_count,
		said.vp_count);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		bare_run_on(vp, values_read, NULL);
	check(!why[0], "registers have their first values on every VP", "%s", why);
	for (uint32_t n = 0; n < page_count(said.vp_count); n++)
		covered += !test_is_filled((const volatile uint8_t *)(uintptr_t)page(n), PATTERN);
	check(covered == 0, "what was under the pages is back, and memory is kept",
		"%u of %u are not", covered, page_count(said.vp_count));
	test_count_vector(TIMER_VECTOR, true);
	bare_pause(4 * DIRECT_PERIOD);
	uint32_t fired = 0;
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		fired += test_interrupts[vp][TIMER_VECTOR];
	check(fired == 0, "no timer runs on", "%u interrupts", fired);
	if (test_has(HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER)) {
		(void)test_read(HV_X64_MSR_TIME_REF_COUNT, &time);
		check(time > said.time, "the reference counter has gone on", "%lu after %lu", time,
			said.time);
	}
	if (test_hypercalls("hypercalls can be enabled again"))
		check(winhv_signal_event(bare_winhv(), 0x777777, 0) ==
				HV_STATUS_INVALID_CONNECTION_ID,
			"hypercalls work again, from a page elsewhere", "they do not");
}

void test_main(void)
{
	if (bare.limit <= NOTE) {
		skip("reset", "less than 34 MiB of memory");
		return;
	}
	if (note()->magic == NOTE_MAGIC) {
		after();
		return;
	}
	if (!test_has(HV_PRIVILEGE_ACCESS_RESET) && !bare_option("by=", NULL)) {
		skip("reset", "AccessResetReg is not promised");
		return;
	}
	before();
}
