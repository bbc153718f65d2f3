// SPDX-License-Identifier: Apache-2.0
/*
 * Clocks: the reference counter, the reference TSC page, frequencies, run time of VPs. A
 * register that is read between two looks at the page lies between them: that compares the
 * clocks without knowing how long anything takes.
 */
#include "tests/conformance/conform_areas.h"

#define MS	    10000ull /* 100 ns units */
#define ROUNDS	    200u
#define ATTEMPTS    1000u
#define PAGE	    (HV_PRIVILEGE_ACCESS_REFERENCE_TSC | HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER)
#define COUNTER	    HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER
#define FREQUENCIES HV_PRIVILEGE_ACCESS_FREQUENCIES

static uint64_t tsc_read(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n	rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t counter(struct conform_target *t, uint32_t vp)
{
	uint64_t time = 0;

	(void)conform_read(t, vp, HV_X64_MSR_TIME_REF_COUNT, &time);
	return time;
}

/* Time by the page, for the VP that runs this; 0: it is not valid, or never stands still. */
static uint64_t page_time(const volatile struct hv_reference_tsc_page_wire *page)
{
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		const uint32_t sequence = page->sequence;
		if (sequence == HV_REFERENCE_TSC_SEQUENCE_INVALID)
			return 0;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		const uint64_t scaled =
			(uint64_t)((unsigned __int128)tsc_read() * page->scale >> 64);
		const uint64_t time = scaled + (uint64_t)page->offset;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (page->sequence == sequence)
			return time;
	}
	return 0;
}

/* Have the page where nothing but it can be taken for it. */
static bool page_enable(
	struct conform_target *t, const volatile struct hv_reference_tsc_page_wire **page)
{
	const struct winhv_pages pages = conform_pages(t, WINHV_PAGE_BYTES);

	if (pages.va == NULL)
		return conform_no(t, "there is no memory");
	__builtin_memset(pages.va, 0xff, WINHV_PAGE_BYTES);
	*page = (const volatile struct hv_reference_tsc_page_wire *)(void *)pages.va;
	return conform_write(t, 0, HV_X64_MSR_REFERENCE_TSC, pages.gpa | HV_MSR_PAGE_ENABLE) ||
	       conform_no(t, "REFERENCE_TSC faults");
}
#define ENABLED                                                                                    \
	const volatile struct hv_reference_tsc_page_wire *page;                                    \
	TRY(page_enable(t, &page))
#define VALID                                                                                      \
	ENABLED;                                                                                   \
	NEED(page->sequence != HV_REFERENCE_TSC_SEQUENCE_INVALID,                                  \
		"the page says that its TSC is not to be used")

static enum conform_verdict valid_at_once(struct conform_target *t)
{
	for (unsigned i = 0; i < 5; i++) {
		ENABLED;
		const uint32_t sequence = page->sequence;
		EXPECT(sequence != 0xffffffff, "the sequence is 0xffffffff");
		EXPECT(sequence == 0 || page->scale != 0, "it is valid, and its scale is 0");
	}
	return CONFORM_PASS;
}

static enum conform_verdict between(struct conform_target *t)
{
	VALID;
	for (unsigned i = 0; i < ROUNDS; i++) {
		const uint64_t before = page_time(page), time = counter(t, 0);
		const uint64_t after = page_time(page);
		EXPECT(before <= time && time <= after,
			"the counter is %llu between pages of %llu and %llu",
			(unsigned long long)time, (unsigned long long)before,
			(unsigned long long)after);
	}
	return CONFORM_PASS;
}

/* The other way round: pages between counters. */
static enum conform_verdict page_between(struct conform_target *t)
{
	VALID;
	for (unsigned i = 0; i < ROUNDS; i++) {
		const uint64_t before = counter(t, i % t->hv->vp_count), time = page_time(page);
		const uint64_t after = counter(t, (i + 1) % t->hv->vp_count);
		EXPECT(before <= time && time <= after,
			"the page is %llu between counters of %llu and %llu",
			(unsigned long long)time, (unsigned long long)before,
			(unsigned long long)after);
	}
	return CONFORM_PASS;
}

static enum conform_verdict page_forward(struct conform_target *t)
{
	uint64_t last = 0;

	VALID;
	for (unsigned i = 0; i < 50 * ROUNDS; i++) {
		const uint64_t now = page_time(page);
		EXPECT(now >= last && now != 0, "%llu came after %llu", (unsigned long long)now,
			(unsigned long long)last);
		last = now;
	}
	return CONFORM_PASS;
}

struct look {
	const volatile struct hv_reference_tsc_page_wire *page;
	uint64_t time;
};

static void look(void *ctx)
{
	struct look *at = ctx;

	at->time = page_time(at->page);
}

static enum conform_verdict page_over_vps(struct conform_target *t)
{
	uint64_t last = 0;

	NEED(t->machine, "only bare metal runs on a certain VP");
	VALID;
	for (uint32_t i = 0; i < 20 * t->hv->vp_count; i++) {
		struct look at = {page, 0};
		t->machine->run_on(i % t->hv->vp_count, look, &at);
		EXPECT(at.time >= last && at.time != 0, "VP %u read %llu after %llu",
			i % t->hv->vp_count, (unsigned long long)at.time, (unsigned long long)last);
		last = at.time;
	}
	return CONFORM_PASS;
}

static enum conform_verdict one_page(struct conform_target *t)
{
	uint64_t value, other;

	ENABLED;
	(void)page;
	EXPECT(conform_read(t, 0, HV_X64_MSR_REFERENCE_TSC, &value), "REFERENCE_TSC faults");
	for (uint32_t vp = 1; vp < t->hv->vp_count; vp++)
		EXPECT(conform_read(t, vp, HV_X64_MSR_REFERENCE_TSC, &other) && other == value,
			"REFERENCE_TSC of VP %u reads 0x%llx, of VP 0 0x%llx", vp,
			(unsigned long long)other, (unsigned long long)value);
	return CONFORM_PASS;
}

static enum conform_verdict beneath(struct conform_target *t)
{
	const struct winhv_pages pages = conform_pages(t, (size_t)2 * WINHV_PAGE_BYTES);
	volatile uint8_t *memory = pages.va;

	__builtin_memset(pages.va, 0x5c, (size_t)2 * WINHV_PAGE_BYTES);
	EXPECT(conform_write(t, 0, HV_X64_MSR_REFERENCE_TSC, pages.gpa | HV_MSR_PAGE_ENABLE),
		"REFERENCE_TSC faults");
	EXPECT(conform_write(t, 0, HV_X64_MSR_REFERENCE_TSC,
		       (pages.gpa + WINHV_PAGE_BYTES) | HV_MSR_PAGE_ENABLE),
		"REFERENCE_TSC faults");
	NEED(memory[8] == 0x5c && memory[16] == 0x5c,
		"this hypervisor keeps its pages in the guest's memory");
	EXPECT(conform_write(t, 0, HV_X64_MSR_REFERENCE_TSC, 0), "REFERENCE_TSC faults");
	for (unsigned i = 0; i < 2 * WINHV_PAGE_BYTES; i++)
		EXPECT(memory[i] == 0x5c, "byte %u reads 0x%x", i, memory[i]);
	return CONFORM_PASS;
}

static enum conform_verdict not_memory(struct conform_target *t)
{
	const uint64_t outside = (1ull << 45) | HV_MSR_PAGE_ENABLE;
	uint64_t value;

	EXPECT(conform_write(t, 0, HV_X64_MSR_REFERENCE_TSC, outside), "it faults");
	EXPECT(conform_read(t, 0, HV_X64_MSR_REFERENCE_TSC, &value) && value == outside,
		"it was written 0x%llx and reads 0x%llx", (unsigned long long)outside,
		(unsigned long long)value);
	ENABLED;
	EXPECT(page->sequence != 0xffffffff, "a page that is memory does not work after it");
	return CONFORM_PASS;
}

static enum conform_verdict reserved_bits(struct conform_target *t)
{
	uint64_t value;

	EXPECT(conform_write(t, 0, HV_X64_MSR_REFERENCE_TSC, 0xabe), "REFERENCE_TSC faults");
	EXPECT(conform_read(t, 0, HV_X64_MSR_REFERENCE_TSC, &value) && value == 0xabe,
		"it was written 0xabe and reads 0x%llx", (unsigned long long)value);
	return CONFORM_PASS;
}

/* ---- the counter ----------------------------------------------------------------------------- */

static enum conform_verdict not_writable(struct conform_target *t)
{
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++) {
		const uint64_t before = counter(t, vp);
		EXPECT(!conform_write(t, vp, HV_X64_MSR_TIME_REF_COUNT, UINT64_MAX / 2),
			"TIME_REF_COUNT of VP %u can be written", vp);
		const uint64_t after = counter(t, vp);
		EXPECT(after >= before && after - before < CONFORM_PATIENCE,
			"%llu, and after a write that faults %llu", (unsigned long long)before,
			(unsigned long long)after);
	}
	return CONFORM_PASS;
}

static enum conform_verdict counts(struct conform_target *t)
{
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++) {
		const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
		const uint64_t begin = counter(t, vp);
		while (counter(t, vp) <= begin + MS)
			EXPECT(conform_now(t) < deadline, "VP %u: %llu, and the same 3 s later", vp,
				(unsigned long long)begin);
	}
	return CONFORM_PASS;
}

/* ---- frequencies ----------------------------------------------------------------------------- */

static enum conform_verdict frequencies_stay(struct conform_target *t)
{
	static const uint32_t registers[] = {HV_X64_MSR_TSC_FREQUENCY, HV_X64_MSR_APIC_FREQUENCY};
	uint64_t first, value;

	for (unsigned i = 0; i < 2; i++) {
		EXPECT(conform_read(t, 0, registers[i], &first) && first != 0,
			"register 0x%x faults or is 0", registers[i]);
		for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
			EXPECT(conform_read(t, vp, registers[i], &value) && value == first,
				"0x%x reads %llu, and on VP %u %llu", registers[i],
				(unsigned long long)first, vp, (unsigned long long)value);
	}
	return CONFORM_PASS;
}

/* The TSC between two looks at the counter: however long they take, the bounds hold. */
struct moment {
	uint64_t before, tsc, after;
};

static struct moment moment_look(struct conform_target *t)
{
	struct moment m;

	m.before = counter(t, 0);
	m.tsc = tsc_read();
	m.after = counter(t, 0);
	return m;
}

static enum conform_verdict frequency_measured(struct conform_target *t)
{
	uint64_t hz;

	EXPECT(conform_read(t, 0, HV_X64_MSR_TSC_FREQUENCY, &hz), "TSC_FREQUENCY faults");
	const struct moment begin = moment_look(t);
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	while (counter(t, 0) - begin.after < 100 * MS)
		EXPECT(conform_now(t) < deadline, "the counter does not count");
	const struct moment end = moment_look(t);
	const uint64_t units = (end.tsc - begin.tsc) * HV_TIME_PER_SECOND;
	const uint64_t least = units / (end.after - begin.before);
	const uint64_t most = units / (end.before - begin.after);
	EXPECT(hz > least - least / 50 && hz < most + most / 50,
		"it says %llu Hz, the counter %llu to %llu", (unsigned long long)hz,
		(unsigned long long)least, (unsigned long long)most);
	return CONFORM_PASS;
}

/* scale = 10^7 * 2^64 / f: the frequency of the page is that of the register, to 1/1000. */
static enum conform_verdict scale(struct conform_target *t)
{
	uint64_t hz;

	VALID;
	EXPECT(conform_read(t, 0, HV_X64_MSR_TSC_FREQUENCY, &hz) && hz > HV_TIME_PER_SECOND,
		"TSC_FREQUENCY faults, or is below that of the counter");
	const uint64_t units = (uint64_t)((unsigned __int128)page->scale * hz >> 64);
	EXPECT(units >= HV_TIME_PER_SECOND - HV_TIME_PER_SECOND / 1000 &&
			units <= HV_TIME_PER_SECOND + HV_TIME_PER_SECOND / 1000,
		"scale 0x%llx makes %llu units of a second of %llu ticks",
		(unsigned long long)page->scale, (unsigned long long)units, (unsigned long long)hz);
	return CONFORM_PASS;
}

/* ---- run time -------------------------------------------------------------------------------- */

static enum conform_verdict run_time(struct conform_target *t)
{
	uint64_t last[WINHV_VP_MAX] = {0}, value;

	for (unsigned i = 0; i < 50; i++)
		for (uint32_t vp = 0; vp < t->hv->vp_count; vp++) {
			EXPECT(conform_read(t, vp, HV_X64_MSR_VP_RUNTIME, &value),
				"VP_RUNTIME faults");
			EXPECT(value >= last[vp], "VP %u has run for %llu, then for %llu", vp,
				(unsigned long long)last[vp], (unsigned long long)value);
			last[vp] = value;
		}
	return CONFORM_PASS;
}

static enum conform_verdict run_time_grows(struct conform_target *t)
{
	uint64_t first, last;

	EXPECT(conform_read(t, 0, HV_X64_MSR_VP_RUNTIME, &first), "VP_RUNTIME faults");
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	do {
		EXPECT(conform_read(t, 0, HV_X64_MSR_VP_RUNTIME, &last), "VP_RUNTIME faults");
	} while (last == first && conform_now(t) < deadline);
	EXPECT(last > first, "it is %llu after 3 s of work", (unsigned long long)last);
	return CONFORM_PASS;
}

const struct conform_test conform_clock_tests[] = {
	{"R-TIME-001", "the page's time does not go back", page_forward, 0, PAGE, 0},
	{"R-TIME-001", "... over VPs", page_over_vps, CONFORM_VP_1, PAGE, 0},
	{"R-TIME-002", "the register lies between looks at the page", between, 0, PAGE, 0},
	{"R-TIME-002", "the page lies between registers of all VPs", page_between, 0, PAGE, 0},
	{"R-TIME-005", "the page is valid, or says not, at once", valid_at_once, 0, PAGE, 0},
	{"R-TIME-006", "frequencies are the same on all VPs", frequencies_stay, 0, FREQUENCIES, 0},
	{"R-TIME-006", "the TSC's is that which the counter sees", frequency_measured, 0,
		FREQUENCIES | COUNTER, 0},
	{"R-TIME-006", "the page's scale is of the same frequency", scale, 0, PAGE | FREQUENCIES,
		0},
	{"R-TIME-007", "run time does not decrease", run_time, 0, HV_PRIVILEGE_ACCESS_VP_RUNTIME,
		0},
	{"R-TIME-009", "run time grows while the VP runs", run_time_grows, 0,
		HV_PRIVILEGE_ACCESS_VP_RUNTIME | COUNTER, 0},
	{"R-TIME-010", "the counter counts, on every VP", counts, 0, COUNTER, 0},
	{"R-REG-001", "the counter cannot be set, on any VP", not_writable, 0, COUNTER, 0},
	{"R-REG-003", "REFERENCE_TSC keeps reserved bits", reserved_bits, 0, PAGE, 0},
	{"R-REG-013", "the memory beneath the TSC page comes back", beneath, 0, PAGE, 0},
	{"R-REG-023", "REFERENCE_TSC takes a page that is no memory", not_memory, 0, PAGE, 0},
	{"R-REG-024", "the TSC page is the partition's", one_page, CONFORM_VP_1, PAGE, 0},
};
const size_t conform_clock_test_count = sizeof conform_clock_tests / sizeof conform_clock_tests[0];
