// SPDX-License-Identifier: Apache-2.0
/*
 * Synthetic timers in a partition: messages and interrupts, slots that are full, masks and
 * pages, deadlines for the driver, reset. Rule ids are those of protocol/hypervisor.md.
 */
#include "tests/unit/partition_rig.h"

#include <pthread.h>
#include <time.h>

static struct rig rig;

#define CONFIG(n) (HV_X64_MSR_STIMER0_CONFIG + 2 * (n))
#define COUNT(n)  (HV_X64_MSR_STIMER0_COUNT + 2 * (n))
#define ENABLED	  0x1ull
#define PERIODIC  0x2ull
#define AUTO	  0x8ull
#define DIRECT	  0x1000ull
#define SINT(n)	  ((uint64_t)(n) << 16)
#define START_NS  1000000ull

static void open_with_timers(void)
{
	rig_open_full(&rig, 2, &rig_ops_full, NULL);
	rig_synic_on(&rig);
}

/* The clock moves, and the driver's timer fires if its deadline has come. */
static void now(uint64_t time_100ns)
{
	rig.now_ns = START_NS + time_100ns * 100;
	if (rig.deadline_ns <= rig.now_ns)
		partition_timers_run(rig.partition);
}

static uint8_t *slot(uint32_t sint)
{
	return (uint8_t *)rig_at(&rig, RIG_SIMP) + sint * 256;
}

static uint64_t field(uint32_t sint, unsigned at, unsigned bytes)
{
	uint64_t value = 0;

	memcpy(&value, slot(sint) + at, bytes);
	return value;
}

static uint64_t type(uint32_t sint)
{
	return field(sint, 0, 4);
}

/* R-SYNIC-010. True if more was pending. */
static bool empty(uint32_t sint)
{
	memset(slot(sint), 0, 4);
	const bool is_pending = slot(sint)[5] & 1;
	if (is_pending)
		rig_write(&rig, 0, HV_X64_MSR_EOM, 0);
	return is_pending;
}

static void one_shot(uint32_t n, uint64_t when)
{
	rig_write(&rig, 0, CONFIG(n), SINT(2) | AUTO);
	rig_write(&rig, 0, COUNT(n), when);
}

static struct partition_statistics statistics(void)
{
	struct partition_statistics out;

	partition_statistics_get(rig.partition, &out);
	return out;
}

/* ---- messages ------------------------------------------------------------------------------ */

static void message_says_which_timer_and_when(void)
{
	open_with_timers();
	one_shot(3, 500);
	CU_ASSERT_EQUAL(rig.deadline_ns, START_NS + 50000);
	now(499);
	CU_ASSERT_EQUAL(type(2), 0);
	now(507);
	CU_ASSERT_EQUAL(type(2), 0x80000010);
	CU_ASSERT_EQUAL(field(2, 4, 1), 24);   /* size */
	CU_ASSERT_EQUAL(field(2, 5, 1), 0);    /* nothing pending */
	CU_ASSERT_EQUAL(field(2, 6, 2), 0);    /* reserved */
	CU_ASSERT_EQUAL(field(2, 8, 8), 0);    /* origin */
	CU_ASSERT_EQUAL(field(2, 16, 4), 3);   /* timer */
	CU_ASSERT_EQUAL(field(2, 20, 4), 0);   /* reserved */
	CU_ASSERT_EQUAL(field(2, 24, 8), 500); /* due */
	CU_ASSERT_EQUAL(field(2, 32, 8), 507); /* delivered, R-TIMER-011 */
	CU_ASSERT_EQUAL(rig.interrupts, 1);
	CU_ASSERT_EQUAL(rig.last_sint, 2);
	CU_ASSERT_EQUAL(rig.last_vector, RIG_VECTOR);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, CONFIG(3)), SINT(2) | AUTO); /* R-TIMER-006 */
	CU_ASSERT_EQUAL(rig.deadline_ns, UINT64_MAX);
	CU_ASSERT_EQUAL(statistics().timer_expirations, 1);
	rig_close(&rig);
}

static void past_deadline_expires_in_the_write(void)
{
	open_with_timers();
	now(1000);
	one_shot(0, 1000); /* R-TIMER-002 */
	CU_ASSERT_EQUAL(type(2), 0x80000010);
	CU_ASSERT_EQUAL(rig.interrupts, 1);
	CU_ASSERT_EQUAL(rig.timer_sets, 0);
	rig_close(&rig);
}

static void full_slot_keeps_one_shot_until_eom(void)
{
	open_with_timers();
	synic_message_post(rig.partition, 0, 2, 7, 0, "x", 1);
	one_shot(0, 500);
	now(600);
	CU_ASSERT_EQUAL(type(2), 7);
	CU_ASSERT_EQUAL(field(2, 5, 1), 1); /* R-TIMER-007 */
	CU_ASSERT_EQUAL(rig.interrupts, 1);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, CONFIG(0)) & ENABLED, ENABLED);
	now(900);
	CU_ASSERT_TRUE(empty(2));
	CU_ASSERT_EQUAL(type(2), 0x80000010);
	CU_ASSERT_EQUAL(field(2, 5, 1), 0);
	CU_ASSERT_EQUAL(field(2, 24, 8), 500);
	CU_ASSERT_EQUAL(field(2, 32, 8), 900);
	CU_ASSERT_EQUAL(rig.interrupts, 2);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, CONFIG(0)) & ENABLED, 0);
	rig_close(&rig);
}

static void waiting_timers_and_posts_all_get_through(void)
{
	unsigned timers = 0, posts = 0;

	open_with_timers();
	synic_message_post(rig.partition, 0, 2, 7, 0, "x", 1);
	for (uint32_t n = 0; n < 4; n++)
		one_shot(n, 100);
	now(200);
	synic_message_post(rig.partition, 0, 2, 8, 0, "y", 1);
	synic_message_post(rig.partition, 0, 2, 9, 0, "z", 1);
	/* Nothing but pending and EOM: no message may be left behind. */
	for (unsigned i = 0; i < 10 && type(2) != 0; i++) {
		timers += type(2) == 0x80000010;
		posts += type(2) < 0x80000000;
		empty(2);
	}
	CU_ASSERT_EQUAL(timers, 4);
	CU_ASSERT_EQUAL(posts, 3);
	CU_ASSERT_EQUAL(type(2), 0);
	rig_close(&rig);
}

static void post_into_a_free_slot_says_that_a_timer_waits(void)
{
	open_with_timers();
	synic_message_post(rig.partition, 0, 2, 7, 0, "x", 1);
	one_shot(0, 100);
	now(200);
	memset(slot(2), 0, 4); /* emptied, EOM still to come */
	synic_message_post(rig.partition, 0, 2, 8, 0, "y", 1);
	CU_ASSERT_EQUAL(type(2), 8);
	CU_ASSERT_EQUAL(field(2, 5, 1), 1); /* R-TIMER-016 */
	CU_ASSERT_TRUE(empty(2));
	CU_ASSERT_EQUAL(type(2), 0x80000010);
	rig_close(&rig);
}

/* The guest has emptied the slot and is about to read the flags: what it reads must be so. */
static void timer_in_a_free_slot_says_who_waits(void)
{
	open_with_timers();
	now(200);
	synic_message_post(rig.partition, 0, 2, 7, 0, "x", 1);
	synic_message_post(rig.partition, 0, 2, 8, 0, "y", 1);
	memset(slot(2), 0, 4);
	one_shot(0, 100);
	CU_ASSERT_EQUAL(type(2), 0x80000010);
	CU_ASSERT_EQUAL(field(2, 5, 1), 1); /* a post */
	CU_ASSERT_TRUE(empty(2));
	CU_ASSERT_EQUAL(type(2), 8);
	one_shot(1, 100);
	memset(slot(2), 0, 4);
	one_shot(2, 100);
	CU_ASSERT_EQUAL(field(2, 16, 4), 2);
	CU_ASSERT_EQUAL(field(2, 5, 1), 1); /* another timer */
	CU_ASSERT_TRUE(empty(2));
	CU_ASSERT_EQUAL(field(2, 16, 4), 1);
	CU_ASSERT_EQUAL(field(2, 5, 1), 0);
	rig_close(&rig);
}

static void dropped_timer_leaves_nothing_waiting(void)
{
	open_with_timers();
	synic_message_post(rig.partition, 0, 2, 7, 0, "x", 1);
	one_shot(0, 100);
	now(200);
	rig_write(&rig, 0, COUNT(0), 0);
	empty(2);
	CU_ASSERT_EQUAL(type(2), 0);
	synic_message_post(rig.partition, 0, 2, 8, 0, "y", 1);
	CU_ASSERT_EQUAL(field(2, 5, 1), 0);
	rig_close(&rig);
}

static void periodic_skips_a_full_slot_and_keeps_its_phase(void)
{
	open_with_timers();
	rig_write(&rig, 0, COUNT(1), 10000);
	rig_write(&rig, 0, CONFIG(1), SINT(2) | ENABLED | PERIODIC);
	now(10000);
	CU_ASSERT_EQUAL(field(2, 24, 8), 10000);
	now(20000);
	now(30000);
	CU_ASSERT_EQUAL(field(2, 24, 8), 10000);
	CU_ASSERT_EQUAL(field(2, 5, 1), 0); /* not queued, so nothing is pending */
	CU_ASSERT_EQUAL(statistics().timer_ticks_lost, 2);
	empty(2);
	CU_ASSERT_EQUAL(type(2), 0);
	now(40000);
	CU_ASSERT_EQUAL(field(2, 24, 8), 40000); /* R-TIMER-008 */
	CU_ASSERT_EQUAL(rig.interrupts, 2);
	rig_close(&rig);
}

static void masked_sint_gets_its_message_without_interrupt(void)
{
	open_with_timers();
	rig_write(&rig, 0, HV_X64_MSR_SINT0 + 2, 0x10000 | RIG_VECTOR);
	one_shot(0, 100);
	now(100);
	CU_ASSERT_EQUAL(type(2), 0x80000010);
	CU_ASSERT_EQUAL(rig.interrupts, 0);
	/* R-TIMER-018: EOM does not deliver it again. */
	empty(2);
	rig_write(&rig, 0, HV_X64_MSR_EOM, 0);
	CU_ASSERT_EQUAL(type(2), 0);
	rig_close(&rig);
}

static void message_waits_for_the_page(void)
{
	rig_open_full(&rig, 1, &rig_ops_full, NULL);
	rig_write(&rig, 0, HV_X64_MSR_SINT0 + 2, RIG_VECTOR);
	one_shot(0, 100);
	now(100);
	CU_ASSERT_EQUAL(rig.interrupts, 0);
	rig_write(&rig, 0, HV_X64_MSR_SIMP, RIG_SIMP | 1);
	CU_ASSERT_EQUAL(type(2), 0x80000010);
	CU_ASSERT_EQUAL(rig.interrupts, 1);
	rig_close(&rig);
}

/* ---- direct mode --------------------------------------------------------------------------- */

static void direct_mode_raises_its_vector_without_synic(void)
{
	rig_open_full(&rig, 2, &rig_ops_full, NULL);
	rig_write(&rig, 1, HV_X64_MSR_SCONTROL, 0);
	rig_write(&rig, 1, CONFIG(0), 0x1ed9); /* enable, auto-enable, direct, vector 0xed */
	CU_ASSERT_EQUAL(rig_read(&rig, 1, CONFIG(0)), 0x1ed9); /* R-CPUID-005 */
	rig_write(&rig, 1, COUNT(0), 500);
	now(500);
	CU_ASSERT_EQUAL(rig.direct_interrupts, 1); /* R-TIMER-010 */
	CU_ASSERT_EQUAL(rig.direct_vps, 2);
	CU_ASSERT_EQUAL(rig.direct_vector, 0xed);
	CU_ASSERT_EQUAL(rig.interrupts, 0);
	CU_ASSERT_EQUAL(rig_read(&rig, 1, CONFIG(0)), 0x1ed8);
	CU_ASSERT_EQUAL(rig_read(&rig, 1, COUNT(0)), 500);
	rig_close(&rig);
}

static void vector_below_16_raises_nothing(void)
{
	rig_open_full(&rig, 1, &rig_ops_full, NULL);
	rig_write(&rig, 0, CONFIG(0), DIRECT | AUTO | 0xf0);
	rig_write(&rig, 0, COUNT(0), 500);
	now(500);
	CU_ASSERT_EQUAL(rig.direct_interrupts, 0); /* R-TIMER-017 */
	rig_close(&rig);
}

static void direct_mode_that_is_not_offered_faults(void)
{
	struct rig plain;
	const struct partition_backend_ops *ops = &rig_ops;

	rig_open_full(&rig, 1, ops, NULL); /* without vector_assert */
	CU_ASSERT_TRUE(rig_write_faults(&rig, 0, CONFIG(0), DIRECT | 0xed0)); /* R-CPUID-006 */
	CU_ASSERT_EQUAL(rig_read(&rig, 0, CONFIG(0)), 0);
	rig_write(&rig, 0, CONFIG(0), SINT(2) | AUTO);
	rig_close(&rig);
	/* Nor are timers, without a driver. */
	rig_open(&plain, 1);
	CU_ASSERT_TRUE(rig_read_faults(&plain, 0, CONFIG(0)));
	rig_close(&plain);
}

/* ---- deadlines ----------------------------------------------------------------------------- */

static void deadline_is_that_of_the_earliest_timer(void)
{
	open_with_timers();
	one_shot(0, 5000);
	CU_ASSERT_EQUAL(rig.deadline_ns, START_NS + 500000);
	one_shot(1, 3000);
	CU_ASSERT_EQUAL(rig.deadline_ns, START_NS + 300000);
	const unsigned sets = rig.timer_sets;
	one_shot(2, 9000); /* later: nothing to say */
	CU_ASSERT_EQUAL(rig.timer_sets, sets);
	now(3000);
	CU_ASSERT_EQUAL(rig.deadline_ns, START_NS + 500000);
	rig_write(&rig, 0, COUNT(0), 0);
	CU_ASSERT_EQUAL(rig.deadline_ns, START_NS + 900000);
	rig_write(&rig, 0, COUNT(2), 0);
	CU_ASSERT_EQUAL(rig.deadline_ns, UINT64_MAX);
	rig_close(&rig);
}

static void driver_that_comes_early_is_sent_back(void)
{
	open_with_timers();
	one_shot(0, 5000);
	rig.now_ns = START_NS + 499999;
	partition_timers_run(rig.partition);
	CU_ASSERT_EQUAL(type(2), 0); /* R-TIMER-001 */
	CU_ASSERT_TRUE(rig.deadline_ns >= START_NS + 500000);
	CU_ASSERT_TRUE(rig.deadline_ns < START_NS + 500100);
	rig_close(&rig);
}

static void far_deadlines_do_not_wrap(void)
{
	open_with_timers();
	one_shot(0, UINT64_MAX - 1);
	CU_ASSERT_EQUAL(rig.deadline_ns, UINT64_MAX);
	one_shot(0, UINT64_MAX / 100 - START_NS / 100 - 2);
	CU_ASSERT_TRUE(rig.deadline_ns > UINT64_MAX - 1000);
	rig_close(&rig);
}

static void periods_of_nothing_leave_the_driver_time(void)
{
	open_with_timers();
	rig_write(&rig, 0, COUNT(0), 1);
	rig_write(&rig, 0, CONFIG(0), DIRECT | 0xed0 | ENABLED | PERIODIC);
	for (unsigned i = 0; i < 100; i++) {
		rig.now_ns = rig.deadline_ns;
		const uint64_t before = rig.now_ns;
		partition_timers_run(rig.partition);
		CU_ASSERT_TRUE(rig.deadline_ns >= before + 100000);
	}
	CU_ASSERT_EQUAL(rig.direct_interrupts, 100);
	rig_close(&rig);
}

static void timers_count_in_the_tsc_where_there_is_one(void)
{
	rig_open_full(&rig, 1, &rig_ops_with_tsc, NULL);
	rig_synic_on(&rig);
	one_shot(0, 10000); /* 1 ms: 2500000 cycles */
	CU_ASSERT_EQUAL(rig.deadline_ns, START_NS + 1000000);
	rig.now_ns = rig.deadline_ns;
	rig.tsc = 2499000; /* the clock was a little fast */
	partition_timers_run(rig.partition);
	CU_ASSERT_EQUAL(type(2), 0);
	CU_ASSERT_TRUE(rig.deadline_ns > rig.now_ns && rig.deadline_ns <= rig.now_ns + 500);
	rig.tsc = 2500001;
	partition_timers_run(rig.partition);
	CU_ASSERT_EQUAL(type(2), 0x80000010);
	rig_close(&rig);
}

/* ---- reset --------------------------------------------------------------------------------- */

static void reset_turns_timers_off(void)
{
	open_with_timers();
	synic_message_post(rig.partition, 0, 2, 7, 0, "x", 1);
	one_shot(0, 100);
	one_shot(1, 900);
	now(200);
	partition_reset(rig.partition);
	CU_ASSERT_EQUAL(rig.deadline_ns, UINT64_MAX);
	for (uint32_t n = 0; n < 4; n++) {
		CU_ASSERT_EQUAL(rig_read(&rig, 0, CONFIG(n)), 0); /* R-REG-020 */
		CU_ASSERT_EQUAL(rig_read(&rig, 0, COUNT(n)), 0);
	}
	rig_synic_on(&rig);
	rig.now_ns += 1000000;
	partition_timers_run(rig.partition);
	CU_ASSERT_EQUAL(type(2), 0);
	rig_close(&rig);
}

static void nothing_is_set_after_the_end(void)
{
	open_with_timers();
	one_shot(0, 5000);
	const unsigned sets = rig.timer_sets;
	rig_close(&rig);
	CU_ASSERT_EQUAL(rig.timer_sets, sets);
}

/* ---- against a guest on another processor -------------------------------------------------- */

#define RACE_ROUNDS 4000u

struct race {
	uint8_t *slot;
	uint32_t eom;	   /* atomic: EOM writes that the host has to serve */
	unsigned received; /* atomic */
	bool is_over;	   /* atomic */
};

/* A guest that takes messages as fast as it can, by R-SYNIC-010. */
static void *race_guest(void *arg)
{
	struct race *race = arg;
	uint32_t *first = (uint32_t *)(void *)race->slot;

	while (!__atomic_load_n(&race->is_over, __ATOMIC_RELAXED)) {
		if (__atomic_load_n(first, __ATOMIC_ACQUIRE) == 0)
			continue;
		__atomic_store_n(first, 0, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(race->slot + 5, __ATOMIC_SEQ_CST) & 1)
			__atomic_fetch_add(&race->eom, 1, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&race->received, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void race_pause(uint32_t seed)
{
	for (unsigned pause = seed * 2654435761u >> 23; pause > 0; pause--)
		__asm__ volatile("");
}

/*
 * Three timers and two posts a round for one slot, in an order that changes; then nothing but
 * EOM may be needed to get all of them across (R-TIMER-016).
 */
static void nothing_is_stuck_against_a_concurrent_guest(void)
{
	struct race race = {0};
	pthread_t guest;
	unsigned expected = 0;
	bool is_stuck = false;

	open_with_timers();
	now(1000);
	race.slot = slot(2);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&guest, NULL, race_guest, &race), 0);
	for (unsigned round = 0; round < RACE_ROUNDS && !is_stuck; round++) {
		for (unsigned i = 0; i < 5; i++, expected++) {
			const unsigned which = (i + round) % 5;
			if (which < 3)
				one_shot(which, 1); /* long past */
			else
				synic_message_post(rig.partition, 0, 2, 7, 0, "x", 1);
			race_pause(round * 5 + i);
		}
		const time_t start = time(NULL);
		while (__atomic_load_n(&race.received, __ATOMIC_ACQUIRE) < expected && !is_stuck) {
			if (__atomic_exchange_n(&race.eom, 0, __ATOMIC_SEQ_CST))
				rig_write(&rig, 0, HV_X64_MSR_EOM, 0);
			is_stuck = time(NULL) - start > 10;
		}
	}
	__atomic_store_n(&race.is_over, true, __ATOMIC_RELAXED);
	pthread_join(guest, NULL);
	CU_ASSERT_FALSE(is_stuck);
	CU_ASSERT_EQUAL(race.received, expected);
	rig_close(&rig);
}

static const struct test tests[] = {
	TEST(message_says_which_timer_and_when),
	TEST(past_deadline_expires_in_the_write),
	TEST(full_slot_keeps_one_shot_until_eom),
	TEST(waiting_timers_and_posts_all_get_through),
	TEST(post_into_a_free_slot_says_that_a_timer_waits),
	TEST(timer_in_a_free_slot_says_who_waits),
	TEST(dropped_timer_leaves_nothing_waiting),
	TEST(periodic_skips_a_full_slot_and_keeps_its_phase),
	TEST(masked_sint_gets_its_message_without_interrupt),
	TEST(message_waits_for_the_page),
	TEST(direct_mode_raises_its_vector_without_synic),
	TEST(vector_below_16_raises_nothing),
	TEST(direct_mode_that_is_not_offered_faults),
	TEST(deadline_is_that_of_the_earliest_timer),
	TEST(driver_that_comes_early_is_sent_back),
	TEST(far_deadlines_do_not_wrap),
	TEST(periods_of_nothing_leave_the_driver_time),
	TEST(timers_count_in_the_tsc_where_there_is_one),
	TEST(reset_turns_timers_off),
	TEST(nothing_is_set_after_the_end),
	TEST(nothing_is_stuck_against_a_concurrent_guest),
};

TEST_MAIN("timers", tests)
