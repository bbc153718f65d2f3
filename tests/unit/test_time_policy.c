// SPDX-License-Identifier: Apache-2.0
/*
 * What a guest does about its clock: single judgements by the book, and whole histories with
 * a simulated clock that has a drift and obeys struct timex as Linux's does.
 */
#include "guest/ic_daemons/time_policy.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

_Static_assert(TIME_POLICY_ADJ_OFFSET == ADJ_OFFSET && TIME_POLICY_ADJ_MAXERROR == ADJ_MAXERROR &&
		       TIME_POLICY_ADJ_ESTERROR == ADJ_ESTERROR &&
		       TIME_POLICY_ADJ_STATUS == ADJ_STATUS &&
		       TIME_POLICY_ADJ_TIMECONST == ADJ_TIMECONST &&
		       TIME_POLICY_ADJ_SETOFFSET == ADJ_SETOFFSET &&
		       TIME_POLICY_ADJ_NANO == ADJ_NANO && TIME_POLICY_STA_PLL == STA_PLL &&
		       TIME_POLICY_STA_INS == STA_INS && TIME_POLICY_STA_DEL == STA_DEL,
	"Linux's numbers");

#define NEW_YEAR 133801632000000000ull
#define SECOND	 10000000ll
#define MS	 10000ll
#define US	 10ll

static struct time_policy_order judge(
	struct time_policy *policy, int64_t offset_100ns, bool is_sync, uint8_t leap)
{
	const struct timesync_sample sample = {
		.utc_100ns = NEW_YEAR, .is_sync = is_sync, .is_exact = true, .leap = leap};
	struct time_policy_order order;
	memset(&order, 0xAA, sizeof order);
	time_policy_judge(policy, &sample, NEW_YEAR - (uint64_t)offset_100ns, &order);
	CU_ASSERT_EQUAL(order.offset_100ns, offset_100ns);
	return order;
}

/* A policy whose first SYNC is over. */
static void settled(struct time_policy *policy)
{
	time_policy_init(policy, NULL);
	CU_ASSERT_EQUAL(judge(policy, 0, true, 0).action, TIME_POLICY_NOTHING);
}

/* --- one judgement ------------------------------------------------------------------------- */

/* R-TIME-114. */
static void sync_slews_below_the_threshold_and_steps_from_it_on(void)
{
	static const struct {
		int64_t offset;
		enum time_policy_action want;
	} cases[] = {
		{0, TIME_POLICY_NOTHING},
		{10 * US - 1, TIME_POLICY_NOTHING},
		{10 * US, TIME_POLICY_SLEW},
		{5 * MS, TIME_POLICY_SLEW},
		{128 * MS - 1, TIME_POLICY_SLEW},
		{128 * MS, TIME_POLICY_STEP},
		{SECOND, TIME_POLICY_STEP},
		{3600 * SECOND, TIME_POLICY_STEP},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (int sign = -1; sign <= 1; sign += 2) {
			struct time_policy policy;
			settled(&policy);
			const struct time_policy_order order = judge(
				&policy, sign * cases[i].offset, true, 0);
			CU_ASSERT_EQUAL(order.action, cases[i].want);
			CU_ASSERT_EQUAL(
				order.is_backwards, cases[i].want == TIME_POLICY_STEP && sign < 0);
		}
	}
}

/* R-TIME-115. */
static void first_sync_steps_from_a_millisecond_on(void)
{
	struct time_policy policy;
	time_policy_init(&policy, NULL);
	CU_ASSERT_EQUAL(judge(&policy, MS - 1, true, 0).action, TIME_POLICY_SLEW);
	time_policy_init(&policy, NULL);
	CU_ASSERT_EQUAL(judge(&policy, MS, true, 0).action, TIME_POLICY_STEP);
	CU_ASSERT_EQUAL(judge(&policy, MS, true, 0).action, TIME_POLICY_SLEW);
	time_policy_init(&policy, NULL);
	CU_ASSERT_EQUAL(judge(&policy, -MS, false, 0).action, TIME_POLICY_SLEW);
	CU_ASSERT_EQUAL(judge(&policy, -MS, true, 0).action, TIME_POLICY_STEP);
}

/* R-TIME-116: one late sample moves nothing; three in a row to the same side do. */
static void samples_step_when_three_agree(void)
{
	struct time_policy policy;
	settled(&policy);
	CU_ASSERT_EQUAL(judge(&policy, SECOND, false, 0).action, TIME_POLICY_NOTHING);
	CU_ASSERT_EQUAL(judge(&policy, SECOND, false, 0).action, TIME_POLICY_NOTHING);
	CU_ASSERT_EQUAL(judge(&policy, SECOND, false, 0).action, TIME_POLICY_STEP);
	/* The other side begins a new row, and so does one that is near. */
	CU_ASSERT_EQUAL(judge(&policy, SECOND, false, 0).action, TIME_POLICY_NOTHING);
	CU_ASSERT_EQUAL(judge(&policy, SECOND, false, 0).action, TIME_POLICY_NOTHING);
	CU_ASSERT_EQUAL(judge(&policy, -SECOND, false, 0).action, TIME_POLICY_NOTHING);
	CU_ASSERT_EQUAL(judge(&policy, -SECOND, false, 0).action, TIME_POLICY_NOTHING);
	CU_ASSERT_EQUAL(judge(&policy, MS, false, 0).action, TIME_POLICY_SLEW);
	CU_ASSERT_EQUAL(judge(&policy, -SECOND, false, 0).action, TIME_POLICY_NOTHING);
	CU_ASSERT_EQUAL(judge(&policy, -SECOND, false, 0).action, TIME_POLICY_NOTHING);
	const struct time_policy_order order = judge(&policy, -SECOND, false, 0);
	CU_ASSERT_EQUAL(order.action, TIME_POLICY_STEP);
	CU_ASSERT_TRUE(order.is_backwards);
	CU_ASSERT_EQUAL(policy.steps, 2);
	CU_ASSERT_EQUAL(policy.backward_steps, 1);
}

/* As adjtimex(2) has it: seconds of either sign, nanoseconds from 0 up. */
static void step_is_written_as_the_kernel_wants_it(void)
{
	static const struct {
		int64_t offset, seconds, nanoseconds;
	} cases[] = {{SECOND, 1, 0}, {-SECOND, -1, 0}, {SECOND + 1, 1, 100},
		{-SECOND - 1, -2, 999999900}, {-SECOND / 2, -1, 500000000},
		{3600 * SECOND + 5, 3600, 500}, {-(int64_t)NEW_YEAR / 2, -6690081600, 0}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct time_policy policy;
		settled(&policy);
		const struct time_policy_order order = judge(&policy, cases[i].offset, true, 0);
		CU_ASSERT_EQUAL(order.modes, ADJ_SETOFFSET | ADJ_NANO);
		CU_ASSERT_EQUAL(order.seconds, cases[i].seconds);
		CU_ASSERT_EQUAL(order.nanoseconds, cases[i].nanoseconds);
		CU_ASSERT_EQUAL(order.offset_ns, 0);
	}
}

static void slew_is_written_as_the_kernel_wants_it(void)
{
	static const struct {
		int64_t offset, offset_ns, constant, error_us;
	} cases[] = {{5 * MS, 5000000, 2, 5000}, {-5 * MS, -5000000, 2, 5000},
		{10 * MS - 1, 9999900, 2, 9999}, {10 * MS, 10000000, 6, 10000},
		{-100 * MS, -100000000, 6, 100000}, {10 * US, 10000, 2, 10}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct time_policy policy;
		settled(&policy);
		const struct time_policy_order order = judge(&policy, cases[i].offset, false, 0);
		CU_ASSERT_EQUAL(order.modes, ADJ_OFFSET | ADJ_STATUS | ADJ_TIMECONST | ADJ_NANO |
						     ADJ_MAXERROR | ADJ_ESTERROR);
		CU_ASSERT_EQUAL(order.offset_ns, cases[i].offset_ns);
		CU_ASSERT_EQUAL(order.constant, cases[i].constant);
		CU_ASSERT_EQUAL(order.status, STA_PLL);
		CU_ASSERT_EQUAL(order.maxerror_us, cases[i].error_us);
		CU_ASSERT_EQUAL(order.seconds, 0);
		CU_ASSERT_EQUAL(order.nanoseconds, 0);
	}
}

/* R-TIME-117. */
static void leap_seconds_are_the_kernels_to_insert(void)
{
	struct time_policy policy;
	settled(&policy);
	CU_ASSERT_EQUAL(judge(&policy, MS, false, TIMESYNC_LEAP_INSERT).status, STA_PLL | STA_INS);
	CU_ASSERT_EQUAL(judge(&policy, MS, false, TIMESYNC_LEAP_DELETE).status, STA_PLL | STA_DEL);
	/* A host that says that its own clock is not synchronised is no teacher. */
	CU_ASSERT_EQUAL(judge(&policy, MS, false, TIMESYNC_LEAP_UNSYNCHRONIZED).action,
		TIME_POLICY_NOTHING);
	CU_ASSERT_EQUAL(judge(&policy, SECOND, true, TIMESYNC_LEAP_UNSYNCHRONIZED).action,
		TIME_POLICY_STEP);
}

static void thresholds_are_the_owners_within_what_the_kernel_can(void)
{
	struct time_policy policy;
	struct time_policy_config config = {.step_100ns = 2 * MS, .step_samples = 1};
	time_policy_init(&policy, &config);
	CU_ASSERT_EQUAL(judge(&policy, 2 * MS - 1, false, 0).action, TIME_POLICY_SLEW);
	CU_ASSERT_EQUAL(judge(&policy, 2 * MS, false, 0).action, TIME_POLICY_STEP);
	config.step_100ns = UINT64_MAX;
	time_policy_init(&policy, &config);
	CU_ASSERT_EQUAL(judge(&policy, 500 * MS - 1, false, 0).action, TIME_POLICY_SLEW);
	CU_ASSERT_EQUAL(judge(&policy, 500 * MS, false, 0).action, TIME_POLICY_STEP);
}

/* The largest figures that can come overflow nothing (the sanitizers look). */
static void extremes_are_judged(void)
{
	static const uint64_t clocks[] = {
		0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX, TIMESYNC_TIME_MAX_100NS};
	static const uint64_t hosts[] = {TIMESYNC_UNIX_EPOCH_100NS,
		TIMESYNC_TIME_MAX_100NS + TIMESYNC_STALE_S * 10000000ull};
	for (size_t c = 0; c < 6; c++) {
		for (size_t h = 0; h < 2; h++) {
			struct time_policy policy;
			struct time_policy_order order;
			const struct timesync_sample sample = {
				.utc_100ns = hosts[h], .is_sync = true};
			time_policy_init(&policy, NULL);
			time_policy_judge(&policy, &sample, clocks[c], &order);
			CU_ASSERT_TRUE(order.nanoseconds >= 0 && order.nanoseconds < 1000000000);
		}
	}
}

/* --- a simulated clock --------------------------------------------------------------------- */

/*
 * A clock that gains `drift` (a fraction) and obeys: a step at once; an offset that is taken
 * out by 1/2^(2 + constant) of the rest each second, and changes the rate by
 * offset * seconds / 2^(2 * (4 + constant)), as the kernel's loop does (RFC 1589).
 */
struct simulation {
	double true_s, clock_s;
	double drift, rate, rest_s;
	int64_t constant;
	double since_s; /* of the last offset */
	double lowest_rate;
	unsigned backwards, unsaid;
	struct time_policy policy;
};

static void simulate_second(struct simulation *s)
{
	double slewed = s->rest_s / (double)(1 << (2 + s->constant));
	double before = s->clock_s;
	s->rest_s -= slewed;
	s->true_s += 1;
	s->clock_s += 1 + s->drift + s->rate + slewed;
	s->since_s += 1;
	if (s->clock_s - before < s->lowest_rate)
		s->lowest_rate = s->clock_s - before;
}

static void simulate_sample(struct simulation *s, bool is_sync, double late_s)
{
	const struct timesync_sample sample = {
		.utc_100ns = NEW_YEAR + (uint64_t)((s->true_s - late_s) * 1e7),
		.is_sync = is_sync,
	};
	struct time_policy_order order;
	time_policy_judge(
		&s->policy, &sample, NEW_YEAR + (uint64_t)(int64_t)(s->clock_s * 1e7), &order);
	if ((order.modes & ADJ_SETOFFSET) != 0) {
		double by = (double)order.seconds + (double)order.nanoseconds / 1e9;
		s->clock_s += by;
		s->rest_s = 0;
		s->backwards += by < 0;
		s->unsaid += by < 0 && !order.is_backwards;
	}
	if ((order.modes & ADJ_OFFSET) != 0) {
		double offset = (double)order.offset_ns / 1e9;
		s->constant = order.constant;
		s->rest_s = offset;
		s->rate += offset * s->since_s / (double)(1ll << (2 * (4 + order.constant)));
		s->since_s = 0;
	}
}

static void simulate(struct simulation *s, double offset_s, double drift)
{
	memset(s, 0, sizeof *s);
	s->true_s = 10000;
	s->clock_s = s->true_s + offset_s;
	s->drift = drift;
	s->lowest_rate = 1;
	time_policy_init(&s->policy, NULL);
}

static double simulate_run(struct simulation *s, unsigned seconds)
{
	for (unsigned i = 1; i <= seconds; i++) {
		simulate_second(s);
		if (i % 5 == 0)
			simulate_sample(s, false, 0);
	}
	return s->clock_s - s->true_s;
}

/* An hour, a second, five milliseconds, both ways, with and without a first SYNC. */
static void wrong_clocks_come_right(void)
{
	static const double offsets[] = {3600, -3600, 1, -1, 0.005, -0.005, 0.1, -0.1};
	for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
		for (unsigned with_sync = 0; with_sync < 2; with_sync++) {
			struct simulation s;
			simulate(&s, offsets[i], 20e-6);
			if (with_sync != 0)
				simulate_sample(&s, true, 0);
			double left = simulate_run(&s, 3600);
			CU_ASSERT_TRUE(left < 50e-6 && left > -50e-6);
			CU_ASSERT_EQUAL(s.unsaid, 0);
			/* A clock that is ahead goes back by a step, or not at all. */
			CU_ASSERT_TRUE(s.lowest_rate > 0.99);
			CU_ASSERT_TRUE(s.backwards <= (offsets[i] > 0));
			if (left >= 50e-6 || left <= -50e-6)
				printf("    %g: %g left\n", offsets[i], left);
		}
	}
}

/* The rate is learnt: once it is, an hour without a word costs little. */
static void drift_is_learnt(void)
{
	static const double drifts[] = {100e-6, -100e-6, 10e-6};
	for (size_t i = 0; i < 3; i++) {
		struct simulation s;
		simulate(&s, 0, drifts[i]);
		(void)simulate_run(&s, 7200);
		double learnt = s.rate + drifts[i];
		CU_ASSERT_TRUE(learnt < 1e-6 && learnt > -1e-6);
	}
}

/* One message that came a second late leaves the clock where it is. */
static void late_message_is_forgiven(void)
{
	struct simulation s;
	simulate(&s, 0, 0);
	simulate_sample(&s, true, 0);
	(void)simulate_run(&s, 600);
	simulate_sample(&s, false, 1);
	CU_ASSERT_EQUAL(s.policy.steps, 0);
	double left = simulate_run(&s, 60);
	CU_ASSERT_TRUE(left < 50e-6 && left > -50e-6);
	CU_ASSERT_EQUAL(s.policy.steps, 0);
}

static void names_are_words(void)
{
	CU_ASSERT_STRING_EQUAL(time_policy_action_name(TIME_POLICY_NOTHING), "nothing");
	CU_ASSERT_STRING_EQUAL(time_policy_action_name(TIME_POLICY_SLEW), "slew");
	CU_ASSERT_STRING_EQUAL(time_policy_action_name(TIME_POLICY_STEP), "step");
}

static const struct test tests[] = {
	TEST(sync_slews_below_the_threshold_and_steps_from_it_on),
	TEST(first_sync_steps_from_a_millisecond_on),
	TEST(samples_step_when_three_agree),
	TEST(step_is_written_as_the_kernel_wants_it),
	TEST(slew_is_written_as_the_kernel_wants_it),
	TEST(leap_seconds_are_the_kernels_to_insert),
	TEST(thresholds_are_the_owners_within_what_the_kernel_can),
	TEST(extremes_are_judged),
	TEST(wrong_clocks_come_right),
	TEST(drift_is_learnt),
	TEST(late_message_is_forgiven),
	TEST(names_are_words),
};
TEST_MAIN("time_policy", tests)
