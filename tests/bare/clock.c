// SPDX-License-Identifier: Apache-2.0
/*
 * Time: the reference counter against the reference TSC page on every VP for a second,
 * the same time on all VPs, and the frequencies.
 *
 * A counter read lies between the two page reads around it: that bounds the difference of
 * the two clocks with no assumption about how long anything takes.
 */
#include "tests/bare/bare_test.h"

#define RUN	    TEST_SECOND
#define MICROSECOND 10ull

static volatile struct hv_reference_tsc_page_wire *page;

/* The page's time; 0 if the page says that it cannot be used. */
static uint64_t page_time(void)
{
	for (;;) {
		const uint32_t sequence = page->sequence;
		if (sequence == HV_REFERENCE_TSC_SEQUENCE_INVALID)
			return 0;
		__asm__ volatile("" : : : "memory");
		const uint64_t tsc = bare_tsc();
		const uint64_t scaled = (uint64_t)((unsigned __int128)tsc * page->scale >> 64);
		const uint64_t time = scaled + (uint64_t)page->offset;
		__asm__ volatile("" : : : "memory");
		if (page->sequence == sequence)
			return time;
	}
}

static uint64_t counter(void)
{
	uint64_t time = 0;

	(void)test_read(HV_X64_MSR_TIME_REF_COUNT, &time);
	return time;
}

/* ---- one VP ---------------------------------------------------------------------------------- */

struct result {
	uint64_t reads, backwards, outside;
	uint64_t worst;	    /* how far outside, in 100 ns */
	uint64_t narrowest; /* the closest two page reads around a counter read */
};
static struct result results[BARE_VPS_MAX];

static void compare(void *ctx)
{
	struct result *result = &results[bare_vp()->index];
	const uint64_t begin = counter();
	uint64_t last = 0, last_counter = 0;

	(void)ctx;
	*result = (struct result){.narrowest = UINT64_MAX};
	do {
		const uint64_t before = page_time();
		const uint64_t time = counter();
		const uint64_t after = page_time();
		if (before < last || after < before || time < last_counter)
			result->backwards++;
		if (time < before || time > after) {
			const uint64_t off = time < before ? before - time : time - after;
			result->outside++;
			result->worst = off > result->worst ? off : result->worst;
		}
		if (after - before < result->narrowest)
			result->narrowest = after - before;
		last = after;
		last_counter = time;
		result->reads++;
	} while (last_counter - begin < RUN);
}

static void each_vp(void)
{
	char name[100];

	bare_run_on_all(compare, NULL);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++) {
		const struct result *r = &results[vp];
		(void)bare_print_to(name, sizeof name,
			"VP %u: counter and page agree within 1 us for a second (%lu reads)", vp,
			r->reads);
		check(r->worst <= MICROSECOND, name, "%lu outside, by up to %lu00 ns", r->outside,
			r->worst);
		(void)bare_print_to(name, sizeof name,
			"VP %u: every counter read lies between the page reads around it", vp);
		check(r->outside == 0, name, "%lu of %lu do not, by up to %lu00 ns", r->outside,
			r->reads, r->worst);
		(void)bare_print_to(name, sizeof name, "VP %u: neither goes back", vp);
		check(r->backwards == 0, name, "%lu times", r->backwards);
	}
}

/* ---- all VPs --------------------------------------------------------------------------------- */

/*
 * VPs take turns: each turn begins after the one before has ended, so that its time
 * must not be less. In `turn`, the VP whose turn it is.
 */
static uint32_t turn;
static bool is_over; /* set by VP 0 in its turn */
static uint64_t latest, turns;
static uint64_t behind[BARE_VPS_MAX], furthest;
static uint64_t (*volatile clock_read)(void);

static void relay(void *ctx)
{
	const uint32_t vp = bare_vp()->index;
	const uint64_t begin = bare_time();
	bool is_last = false;

	(void)ctx;
	while (!is_last) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != vp)
			spin_pause();
		is_over = is_over || (vp == 0 && bare_time() - begin > RUN);
		is_last = is_over;
		const uint64_t time = clock_read();
		if (time < latest) {
			behind[vp]++;
			furthest = latest - time > furthest ? latest - time : furthest;
		}
		latest = time;
		turns++;
		__atomic_store_n(&turn, (vp + 1) % bare.vp_count, __ATOMIC_RELEASE);
	}
}

static void across_vps(const char *name, uint64_t (*read)(void))
{
	uint64_t total = 0;

	if (bare.vp_count < 2) {
		skip(name, "one VP");
		return;
	}
	turn = 0;
	turns = 0;
	is_over = false;
	latest = 0;
	furthest = 0;
	clock_read = read;
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		behind[vp] = 0;
	bare_run_on_all(relay, NULL);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		total += behind[vp];
	check(total == 0, name, "%lu of %lu reads are behind, by up to %lu00 ns", total, turns,
		furthest);
}

/* ---- page and frequencies -------------------------------------------------------------------- */

static bool page_enable(void)
{
	const uint64_t wanted = (uintptr_t)page | HV_MSR_PAGE_ENABLE;
	uint64_t value = 0;

	(void)test_write(HV_X64_MSR_REFERENCE_TSC, wanted);
	(void)test_read(HV_X64_MSR_REFERENCE_TSC, &value);
	check(value == wanted, "REFERENCE_TSC reads back what was written", "0x%lx", value);
	return check(page->sequence != 0 && page->sequence != 0xffffffff,
		"the page can be used as soon as it is enabled", "sequence 0x%x", page->sequence);
}

static void page_disable(void)
{
	uint64_t value = 1;

	(void)test_write(HV_X64_MSR_REFERENCE_TSC, 0);
	(void)test_read(HV_X64_MSR_REFERENCE_TSC, &value);
	check(value == 0, "the page can be disabled", "REFERENCE_TSC reads 0x%lx", value);
}

static void frequencies(void)
{
	uint64_t hz = 0, apic = 0;

	if (!test_has(HV_PRIVILEGE_ACCESS_FREQUENCIES)) {
		skip("frequencies", "not promised");
		return;
	}
	(void)test_read(HV_X64_MSR_TSC_FREQUENCY, &hz);
	(void)test_read(HV_X64_MSR_APIC_FREQUENCY, &apic);
	const uint64_t begin = counter(), tsc = bare_tsc();
	bare_pause(TEST_SECOND / 5);
	const uint64_t ticks = bare_tsc() - tsc, time = counter() - begin;
	const uint64_t measured = ticks * TEST_SECOND / time;
	check(hz > measured - measured / 100 && hz < measured + measured / 100,
		"TSC_FREQUENCY is the TSC's, by the counter, within 1 %", "%lu Hz, measured %lu",
		hz, measured);

	/* the APIC's timer, one-shot, masked, divided by 1, counting down */
	bare_apic_write(0x3e0, 0xb);
	bare_apic_write(0x320, 0x10000 | 0xf0);
	const uint64_t start = counter();
	bare_apic_write(0x380, 0xffffffff);
	bare_pause(TEST_SECOND / 20);
	const uint64_t count = 0xffffffff - bare_apic_read(0x390);
	const uint64_t took = counter() - start;
	bare_apic_write(0x380, 0);
	const uint64_t rate = count * TEST_SECOND / took;
	check(apic > rate - rate / 20 && apic < rate + rate / 20,
		"APIC_FREQUENCY is that of the APIC's timer, within 5 %", "%lu Hz, measured %lu",
		apic, rate);
}

void test_main(void)
{
	page = bare_pages(1);
	if (!test_has(HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER)) {
		skip("clocks", "AccessPartitionReferenceCounter is not promised");
		return;
	}
	if (test_group("frequencies"))
		frequencies();
	if (test_group("counter"))
		across_vps("the counter does not go back from VP to VP", counter);
	if (!test_has(HV_PRIVILEGE_ACCESS_REFERENCE_TSC)) {
		skip("the reference TSC page", "AccessPartitionReferenceTsc is not promised");
		return;
	}
	if (!test_group("page") || !page_enable())
		return;
	each_vp();
	across_vps("the page's time does not go back from VP to VP", page_time);
	page_disable();
}
