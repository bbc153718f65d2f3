// SPDX-License-Identifier: Apache-2.0
/*
 * One synthetic timer: registers, one-shot, periodic, lazy, late, and absurd. Rule ids are
 * those of protocol/hypervisor.md; configurations are written out as numbers.
 */
#include "host/hypervisor/stimer.h"

#include "tests/harness.h"

#define ENABLED	 0x1ull
#define PERIODIC 0x2ull
#define LAZY	 0x4ull
#define AUTO	 0x8ull
#define DIRECT	 0x1000ull
#define SINT2	 0x20000ull
#define NEVER	 UINT64_MAX

static struct stimer timer;
static uint64_t lost;

static void begin(void)
{
	stimer_reset(&timer);
	lost = 0;
}

static enum stimer_action at(uint64_t now)
{
	return stimer_expire(&timer, now, &lost);
}

/* ---- registers ----------------------------------------------------------------------------- */

static void timer_is_off_after_reset(void)
{
	begin();
	CU_ASSERT_EQUAL(timer.config, 0);
	CU_ASSERT_EQUAL(timer.count, 0);
	CU_ASSERT_EQUAL(timer.due, NEVER);
	CU_ASSERT_EQUAL(at(UINT64_MAX), STIMER_NOTHING);
}

static void count_then_config_starts_it(void)
{
	begin();
	stimer_count_write(&timer, 500, 10);
	CU_ASSERT_EQUAL(timer.due, NEVER); /* no AutoEnable */
	stimer_config_write(&timer, SINT2 | ENABLED, 20);
	CU_ASSERT_EQUAL(timer.due, 500);
}

static void config_then_count_starts_it_with_auto_enable(void)
{
	begin();
	stimer_config_write(&timer, SINT2 | AUTO, 10);
	CU_ASSERT_EQUAL(timer.due, NEVER);
	stimer_count_write(&timer, 500, 20); /* R-TIMER-004 */
	CU_ASSERT_EQUAL(timer.config, SINT2 | AUTO | ENABLED);
	CU_ASSERT_EQUAL(timer.due, 500);
}

static void enabled_with_count_0_waits_for_a_count(void)
{
	begin();
	stimer_config_write(&timer, DIRECT | AUTO | ENABLED | 0xed0, 10);
	CU_ASSERT_EQUAL(timer.config, DIRECT | AUTO | ENABLED | 0xed0);
	CU_ASSERT_EQUAL(timer.due, NEVER);
	stimer_count_write(&timer, 500, 20);
	CU_ASSERT_EQUAL(timer.due, 500);
}

static void count_0_stops_and_disables(void)
{
	begin();
	stimer_config_write(&timer, SINT2 | AUTO, 10);
	stimer_count_write(&timer, 500, 20);
	stimer_count_write(&timer, 0, 30); /* R-TIMER-003, AutoEnable or not */
	CU_ASSERT_EQUAL(timer.config, SINT2 | AUTO);
	CU_ASSERT_EQUAL(timer.due, NEVER);
	CU_ASSERT_EQUAL(at(1000), STIMER_NOTHING);
}

static void sint_0_in_message_mode_is_never_enabled(void)
{
	begin();
	stimer_count_write(&timer, 500, 10);
	stimer_config_write(&timer, ENABLED | PERIODIC, 20); /* R-TIMER-005 */
	CU_ASSERT_EQUAL(timer.config, PERIODIC);
	CU_ASSERT_EQUAL(timer.due, NEVER);
	stimer_config_write(&timer, AUTO, 20);
	stimer_count_write(&timer, 600, 30);
	CU_ASSERT_EQUAL(timer.config, AUTO);
	CU_ASSERT_EQUAL(timer.due, NEVER);
	stimer_config_write(&timer, ENABLED | DIRECT | 0xed0, 40); /* needs no SINT */
	CU_ASSERT_EQUAL(timer.due, 600);
}

static void reserved_bits_are_kept_and_change_nothing(void)
{
	const uint64_t reserved = 0xfffffffffff0e000ull;

	begin();
	stimer_count_write(&timer, 500, 10);
	stimer_config_write(&timer, reserved | SINT2 | ENABLED, 20); /* R-TIMER-012 */
	CU_ASSERT_EQUAL(timer.config, reserved | SINT2 | ENABLED);
	CU_ASSERT_EQUAL(timer.due, 500);
	CU_ASSERT_EQUAL(stimer_sint(&timer), 2);
}

static void config_of_a_running_timer_restarts_it(void)
{
	begin();
	stimer_count_write(&timer, 100, 0);
	stimer_config_write(&timer, SINT2 | ENABLED | PERIODIC, 0);
	CU_ASSERT_EQUAL(timer.due, 100);
	stimer_config_write(&timer, SINT2 | ENABLED | PERIODIC, 70); /* R-TIMER-009 */
	CU_ASSERT_EQUAL(timer.due, 170);
	stimer_config_write(&timer, SINT2 | PERIODIC, 80);
	CU_ASSERT_EQUAL(timer.due, NEVER);
}

static void any_write_drops_the_message_that_waits(void)
{
	begin();
	stimer_count_write(&timer, 100, 0);
	stimer_config_write(&timer, SINT2 | ENABLED, 0);
	CU_ASSERT_EQUAL(at(100), STIMER_MESSAGE);
	CU_ASSERT_TRUE(timer.is_waiting);
	stimer_count_write(&timer, 300, 150);
	CU_ASSERT_FALSE(timer.is_waiting); /* R-TIMER-013 */
	CU_ASSERT_EQUAL(timer.due, 300);
}

/* ---- one-shot ------------------------------------------------------------------------------ */

static void one_shot_expires_once_and_never_early(void)
{
	begin();
	stimer_count_write(&timer, 500, 0);
	stimer_config_write(&timer, SINT2 | ENABLED, 0);
	CU_ASSERT_EQUAL(at(499), STIMER_NOTHING); /* R-TIMER-001 */
	CU_ASSERT_EQUAL(at(507), STIMER_MESSAGE);
	CU_ASSERT_EQUAL(timer.expired, 500);
	CU_ASSERT_EQUAL(timer.due, NEVER);
	CU_ASSERT_EQUAL(timer.config & ENABLED, ENABLED); /* until it is delivered */
	stimer_delivered(&timer);			  /* R-TIMER-006 */
	CU_ASSERT_EQUAL(timer.config & ENABLED, 0);
	CU_ASSERT_EQUAL(at(10000), STIMER_NOTHING);
	CU_ASSERT_EQUAL(lost, 0);
}

static void direct_one_shot_is_done_when_it_expires(void)
{
	begin();
	stimer_config_write(&timer, DIRECT | AUTO | 0xed0, 0);
	stimer_count_write(&timer, 500, 0);
	CU_ASSERT_EQUAL(at(500), STIMER_INTERRUPT);
	CU_ASSERT_EQUAL(stimer_vector(&timer), 0xed);
	CU_ASSERT_EQUAL(timer.config, DIRECT | AUTO | 0xed0);
	CU_ASSERT_FALSE(timer.is_waiting);
	stimer_count_write(&timer, 700, 600);
	CU_ASSERT_EQUAL(at(700), STIMER_INTERRUPT);
}

static void one_shot_in_the_past_is_due_at_once(void)
{
	begin();
	stimer_config_write(&timer, SINT2 | AUTO, 0);
	stimer_count_write(&timer, 1, 1000000);
	CU_ASSERT_EQUAL(at(1000000), STIMER_MESSAGE); /* R-TIMER-002 */
	CU_ASSERT_EQUAL(timer.expired, 1);
}

static void one_shot_at_the_end_of_time_never_expires(void)
{
	begin();
	stimer_config_write(&timer, SINT2 | AUTO, 0);
	stimer_count_write(&timer, UINT64_MAX, 0);
	CU_ASSERT_EQUAL(at(UINT64_MAX), STIMER_NOTHING);
}

/* ---- periodic ------------------------------------------------------------------------------ */

static void begin_periodic(uint64_t period, uint64_t more)
{
	begin();
	stimer_count_write(&timer, period, 0);
	stimer_config_write(&timer, SINT2 | ENABLED | PERIODIC | more, 0);
}

static void periodic_ticks_on_time_and_in_phase(void)
{
	begin_periodic(10000, 0);
	for (uint64_t tick = 1; tick <= 1000; tick++) {
		CU_ASSERT_EQUAL(at(tick * 10000 - 1), STIMER_NOTHING);
		CU_ASSERT_EQUAL(at(tick * 10000 + tick % 50), STIMER_MESSAGE);
		CU_ASSERT_EQUAL(timer.expired, tick * 10000);
		stimer_delivered(&timer);
	}
	CU_ASSERT_EQUAL(timer.config & ENABLED, ENABLED);
	CU_ASSERT_FALSE(timer.is_waiting);
	CU_ASSERT_EQUAL(lost, 0);
}

static void few_missed_periods_are_caught_up_at_twice_the_rate(void)
{
	uint64_t now = 10000 + 4 * 10000;
	unsigned ticks = 0;

	begin_periodic(10000, 0);
	for (; now < 200000; now += 100)
		if (at(now) == STIMER_MESSAGE) {
			CU_ASSERT_EQUAL(timer.expired, 10000u * ++ticks);
			CU_ASSERT_TRUE(timer.due >= now + 5000);
		}
	CU_ASSERT_EQUAL(ticks, 19); /* R-TIMER-014: 10000 to 190000 */
	CU_ASSERT_EQUAL(lost, 0);
}

static void many_missed_periods_are_lost(void)
{
	begin_periodic(10000, 0);
	CU_ASSERT_EQUAL(at(10000 + 9 * 10000 + 3), STIMER_MESSAGE);
	CU_ASSERT_EQUAL(timer.expired, 100000);
	CU_ASSERT_EQUAL(timer.due, 110000); /* R-TIMER-008: the phase stays */
	CU_ASSERT_EQUAL(lost, 9);
}

static void lazy_timer_loses_what_it_missed(void)
{
	begin_periodic(10000, LAZY);
	CU_ASSERT_EQUAL(at(32000), STIMER_MESSAGE);
	CU_ASSERT_EQUAL(timer.expired, 30000);
	CU_ASSERT_EQUAL(timer.due, 40000);
	CU_ASSERT_EQUAL(lost, 2);
}

static void lazy_timer_leaves_out_a_tick_that_is_near_the_next(void)
{
	begin_periodic(10000, LAZY);
	CU_ASSERT_EQUAL(at(15001), STIMER_NOTHING);
	CU_ASSERT_EQUAL(timer.due, 20000);
	CU_ASSERT_EQUAL(lost, 1);
	CU_ASSERT_EQUAL(at(20000), STIMER_MESSAGE);
}

static void absurd_periods_cost_one_step_and_are_spaced(void)
{
	static const uint64_t periods[] = {1, 2, 7, 999};

	for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++)
		for (uint64_t lazy = 0; lazy <= LAZY; lazy += LAZY) {
			const uint64_t now = 1ull << 62; /* 14 000 years late */
			begin_periodic(periods[i], lazy);
			(void)at(now);
			CU_ASSERT_TRUE(timer.due >= now + 1000); /* R-TIMER-015 */
			CU_ASSERT_TRUE(timer.due < now + 1000 + periods[i]);
			CU_ASSERT_TRUE(timer.expired <= now);
			CU_ASSERT_EQUAL(timer.due % periods[i], 0);
			/* All ticks are accounted for: one told, or one lost more. */
			CU_ASSERT_TRUE(timer.due / periods[i] - lost <= 2);
		}
}

static void ticks_that_are_made_up_for_are_spaced_as_well(void)
{
	for (uint64_t lazy = 0; lazy <= LAZY; lazy += LAZY) {
		begin_periodic(1200, lazy);
		CU_ASSERT_EQUAL(at(1200 + 500), STIMER_MESSAGE);
		CU_ASSERT_EQUAL(timer.due, 1700 + 1000);
		CU_ASSERT_EQUAL(timer.expiration, 2400);
		CU_ASSERT_EQUAL(lost, 0);
	}
}

static void periods_that_overflow_never_come(void)
{
	begin();
	stimer_count_write(&timer, UINT64_MAX - 5, 100);
	stimer_config_write(&timer, SINT2 | ENABLED | PERIODIC, 100);
	CU_ASSERT_EQUAL(timer.due, NEVER);
	/* The second tick of a period of half of all time. */
	begin_periodic(1ull << 63, 0);
	CU_ASSERT_EQUAL(at(1ull << 63), STIMER_MESSAGE);
	CU_ASSERT_EQUAL(timer.due, NEVER);
}

static const struct test tests[] = {
	TEST(timer_is_off_after_reset),
	TEST(count_then_config_starts_it),
	TEST(config_then_count_starts_it_with_auto_enable),
	TEST(enabled_with_count_0_waits_for_a_count),
	TEST(count_0_stops_and_disables),
	TEST(sint_0_in_message_mode_is_never_enabled),
	TEST(reserved_bits_are_kept_and_change_nothing),
	TEST(config_of_a_running_timer_restarts_it),
	TEST(any_write_drops_the_message_that_waits),
	TEST(one_shot_expires_once_and_never_early),
	TEST(direct_one_shot_is_done_when_it_expires),
	TEST(one_shot_in_the_past_is_due_at_once),
	TEST(one_shot_at_the_end_of_time_never_expires),
	TEST(periodic_ticks_on_time_and_in_phase),
	TEST(few_missed_periods_are_caught_up_at_twice_the_rate),
	TEST(many_missed_periods_are_lost),
	TEST(lazy_timer_loses_what_it_missed),
	TEST(lazy_timer_leaves_out_a_tick_that_is_near_the_next),
	TEST(absurd_periods_cost_one_step_and_are_spaced),
	TEST(ticks_that_are_made_up_for_are_spaced_as_well),
	TEST(periods_that_overflow_never_come),
};

TEST_MAIN("stimer", tests)
