// SPDX-License-Identifier: Apache-2.0
/*
 * Synthetic timers: when they expire and when not. How late they may be is not judged, but
 * for the patience with which a test waits.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_timer.h"

#define ON TIMER_TO_SINT | HV_STIMER_ENABLED

/* One shot of timer n on this VP. */
static bool shoots(struct conform_target *t, uint32_t vp, uint32_t n, uint64_t flags)
{
	struct hv_timer_message_wire message;
	const uint64_t due = conform_reference(t) + 5 * TIMER_MS;

	if (!conform_timer_set(t, vp, n, due, ON | flags) ||
		!conform_timer_expect(t, vp, n, &message))
		return false;
	const uint64_t now = conform_reference(t);
	return now >= due || conform_no(t, "timer %u of VP %u, due at %llu, expired by %llu", n, vp,
				     (unsigned long long)due, (unsigned long long)now);
}

static enum conform_verdict one_shot(struct conform_target *t)
{
	TRY(conform_timer_begin(t, 0));
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++)
		TRY(shoots(t, 0, n, 0));
	return CONFORM_PASS;
}

static enum conform_verdict one_shot_lazy(struct conform_target *t)
{
	TRY(conform_timer_begin(t, 0));
	TRY(shoots(t, 0, 1, HV_STIMER_LAZY));
	return CONFORM_PASS;
}

static enum conform_verdict one_shot_elsewhere(struct conform_target *t)
{
	for (uint32_t vp = 1; vp < t->hv->vp_count; vp++) {
		TRY(conform_timer_begin(t, vp));
		for (uint32_t n = 0; n < HV_STIMER_COUNT; n++)
			TRY(shoots(t, vp, n, 0));
	}
	return CONFORM_PASS;
}

static enum conform_verdict one_shot_once(struct conform_target *t)
{
	TRY(conform_timer_begin(t, 0));
	TRY(shoots(t, 0, 0, 0));
	TRY(conform_timer_quiet(t, 0, conform_reference(t) + TIMER_SOON, "a one-shot timer"));
	return CONFORM_PASS;
}

static enum conform_verdict far_away(struct conform_target *t)
{
	static const uint64_t times[] = {0x7fffffffffffffff, 0x8000000000000000, UINT64_MAX};

	TRY(conform_timer_begin(t, 0));
	for (uint32_t n = 0; n < 3; n++)
		TRY(conform_timer_set(t, 0, n, times[n], ON));
	TRY(conform_timer_quiet(t, 0, conform_reference(t), "a time that is far away"));
	return CONFORM_PASS;
}

/*
 * For what must be done to a timer before it is due: by a slow machine, too, so it is tried
 * with more and more time. `run` says whether it was done by then; if not, nothing is known.
 */
static enum conform_verdict before_due(struct conform_target *t,
	enum conform_verdict (*run)(struct conform_target *t, uint64_t due, bool *in_time))
{
	for (uint64_t soon = TIMER_SOON; soon <= 64 * TIMER_SOON; soon *= 4) {
		bool in_time = false;
		const enum conform_verdict verdict = run(t, conform_reference(t) + soon, &in_time);
		if (in_time)
			return verdict;
	}
	return conform_skip(t, "the machine is too slow: 3 s pass between two registers");
}

static enum conform_verdict move_away(struct conform_target *t, uint64_t due, bool *in_time)
{
	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, due, ON));
	EXPECT(conform_write(t, 0, TIMER_COUNT(0), due + 1000 * TIMER_SOON), "COUNT faults");
	*in_time = conform_reference(t) < due;
	TRY(conform_timer_quiet(t, 0, due, "a timer that was moved"));
	return CONFORM_PASS;
}

static enum conform_verdict moved_away(struct conform_target *t)
{
	return before_due(t, move_away);
}

static enum conform_verdict moved_near(struct conform_target *t)
{
	struct hv_timer_message_wire message;
	const uint64_t now = conform_reference(t), due = now + 2 * TIMER_MS;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, now + 10000 * TIMER_SOON, ON));
	EXPECT(conform_write(t, 0, TIMER_COUNT(0), due), "COUNT faults");
	TRY(conform_timer_expect(t, 0, 0, &message));
	EXPECT(message.expiration_time == due, "it was due at %llu and says %llu",
		(unsigned long long)due, (unsigned long long)message.expiration_time);
	return CONFORM_PASS;
}

static enum conform_verdict due_in_order(struct conform_target *t)
{
	struct hv_timer_message_wire message;
	const uint64_t now = conform_reference(t) + TIMER_SOON;

	TRY(conform_timer_begin(t, 0));
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++)
		TRY(conform_timer_set(t, 0, n, now + (HV_STIMER_COUNT - n) * 100 * TIMER_MS, ON));
	for (uint32_t n = HV_STIMER_COUNT; n-- > 0;)
		TRY(conform_timer_expect(t, 0, n, &message));
	return CONFORM_PASS;
}

static enum conform_verdict past(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	const uint64_t now = conform_reference(t);
	const uint64_t times[] = {1, now / 2, now > TIMER_MS ? now - TIMER_MS : 1, now};
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++) {
		TRY(conform_timer_set(t, 0, n, times[n] > 0 ? times[n] : 1, ON));
		TRY(conform_timer_expect(t, 0, n, &message));
	}
	return CONFORM_PASS;
}

static enum conform_verdict past_by_count(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	EXPECT(conform_write(t, 0, TIMER_CONFIG(0), TIMER_TO_SINT | HV_STIMER_AUTO_ENABLE) &&
			conform_write(t, 0, TIMER_COUNT(0), 1),
		"a register of the timer faults");
	TRY(conform_timer_expect(t, 0, 0, &message));
	return CONFORM_PASS;
}

/* Ticks of 2 ms until there are so many: not faster than that. */
static enum conform_verdict ticks(struct conform_target *t, uint64_t flags)
{
	const uint64_t period = 2 * TIMER_MS;
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	const uint64_t begin = conform_reference(t);
	TRY(conform_timer_set(t, 0, 0, period, ON | HV_STIMER_PERIODIC | flags));
	for (uint64_t i = 1; i <= 20; i++) {
		TRY(conform_timer_expect(t, 0, 0, &message));
		const uint64_t took = conform_reference(t) - begin;
		EXPECT(took >= i * period, "%llu periods of 2 ms took %llu times 100 ns",
			(unsigned long long)i, (unsigned long long)took);
	}
	return CONFORM_PASS;
}

static enum conform_verdict periodic(struct conform_target *t)
{
	return ticks(t, 0);
}

static enum conform_verdict periodic_lazy(struct conform_target *t)
{
	return ticks(t, HV_STIMER_LAZY);
}

/* Whatever it makes up for or leaves out: it comes back to its phase, and does not go back. */
static enum conform_verdict phase(struct conform_target *t, uint64_t flags)
{
	const uint64_t period = 20 * TIMER_MS;
	struct hv_timer_message_wire message;
	uint64_t first = 0, last = 0;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, period, ON | HV_STIMER_PERIODIC | flags));
	for (unsigned i = 0; i < 8; i++) {
		if (i == 3) { /* look away for two periods and a half */
			const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
			const uint64_t until = conform_reference(t) + 2 * period + period / 2;
			while (conform_reference(t) < until)
				EXPECT(conform_now(t) < deadline, "the counter does not count");
		}
		TRY(conform_timer_expect(t, 0, 0, &message));
		first = i == 0 ? message.expiration_time : first;
		const uint64_t off = (message.expiration_time - first) % period;
		EXPECT(message.expiration_time > last || i == 0, "due at %llu after %llu",
			(unsigned long long)message.expiration_time, (unsigned long long)last);
		EXPECT(off == 0, "%llu after the first tick, with a period of %llu",
			(unsigned long long)(message.expiration_time - first),
			(unsigned long long)period);
		last = message.expiration_time;
	}
	return CONFORM_PASS;
}

static enum conform_verdict phase_stays(struct conform_target *t)
{
	return phase(t, 0);
}

static enum conform_verdict phase_lazy(struct conform_target *t)
{
	return phase(t, HV_STIMER_LAZY);
}

/* The shortest there is: the guest still gets on, and it can be stopped. */
static enum conform_verdict shortest_period(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	for (unsigned i = 0; i < 2; i++) {
		const uint64_t flags = HV_STIMER_PERIODIC | (i ? HV_STIMER_LAZY : 0);
		TRY(conform_timer_set(t, 0, 0, 1, ON | flags));
		TRY(conform_timer_expect(t, 0, 0, &message));
		TRY(conform_timer_expect(t, 0, 0, &message));
		EXPECT(conform_write(t, 0, TIMER_CONFIG(0), 0), "CONFIG faults");
		__atomic_store_n(&conform_timer_slot(t, 0)->type, 0, __ATOMIC_SEQ_CST);
		TRY(conform_timer_quiet(t, 0, conform_reference(t), "a timer that was stopped"));
	}
	return CONFORM_PASS;
}

static enum conform_verdict longest_period(struct conform_target *t)
{
	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, UINT64_MAX, ON | HV_STIMER_PERIODIC));
	TRY(conform_timer_set(t, 0, 1, UINT64_MAX / 2 + 1, ON | HV_STIMER_PERIODIC));
	TRY(conform_timer_quiet(t, 0, conform_reference(t), "a period of 58000 years"));
	return CONFORM_PASS;
}

static bool is_enabled(struct conform_target *t, uint32_t n, bool wanted, const char *what)
{
	uint64_t config;

	return conform_timer_config(t, 0, n, &config) &&
	       ((config & HV_STIMER_ENABLED) == (wanted ? HV_STIMER_ENABLED : 0) ||
		       conform_no(t, "%s: STIMER%u_CONFIG reads 0x%llx", what, n,
			       (unsigned long long)config));
}

static enum conform_verdict stop_by_count(struct conform_target *t, uint64_t due, bool *in_time)
{
	bool is_stopped = true;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, due, ON));
	TRY(conform_timer_set(t, 0, 1, due, ON | HV_STIMER_AUTO_ENABLE));
	for (uint32_t n = 0; n < 2 && is_stopped; n++) {
		is_stopped = is_enabled(t, n, true, "enabled");
		EXPECT(conform_write(t, 0, TIMER_COUNT(n), 0), "COUNT takes no 0");
		is_stopped = is_stopped && is_enabled(t, n, false, "after count 0");
	}
	*in_time = conform_reference(t) < due;
	TRY(is_stopped);
	TRY(conform_timer_quiet(t, 0, due, "count 0"));
	return CONFORM_PASS;
}

static enum conform_verdict count_0(struct conform_target *t)
{
	return before_due(t, stop_by_count);
}

static enum conform_verdict count_0_periodic(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, 2 * TIMER_MS, ON | HV_STIMER_PERIODIC));
	TRY(conform_timer_expect(t, 0, 0, &message));
	EXPECT(conform_write(t, 0, TIMER_COUNT(0), 0), "COUNT takes no 0");
	__atomic_store_n(&conform_timer_slot(t, 0)->type, 0, __ATOMIC_SEQ_CST);
	TRY(conform_timer_quiet(t, 0, conform_reference(t) + 10 * TIMER_MS, "count 0"));
	return CONFORM_PASS;
}

static enum conform_verdict enable_by_count(struct conform_target *t, uint64_t due, bool *in_time)
{
	struct hv_timer_message_wire message;

	EXPECT(conform_write(t, 0, TIMER_COUNT(0), due), "COUNT faults");
	const bool is_on = is_enabled(t, 0, true, "after a count is written");
	*in_time = conform_reference(t) < due;
	TRY(is_on || !*in_time);
	TRY(conform_timer_expect(t, 0, 0, &message));
	EXPECT(conform_reference(t) >= due, "it came early");
	TRY(is_enabled(t, 0, false, "after it has expired"));
	return CONFORM_PASS;
}

static enum conform_verdict auto_enable(struct conform_target *t)
{
	enum conform_verdict verdict = CONFORM_PASS;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, 0, TIMER_TO_SINT | HV_STIMER_AUTO_ENABLE));
	TRY(is_enabled(t, 0, false, "before a count is written"));
	for (unsigned i = 0; i < 3 && verdict == CONFORM_PASS; i++)
		verdict = before_due(t, enable_by_count);
	return verdict;
}

static enum conform_verdict auto_enable_periodic(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(
		t, 0, 0, 0, TIMER_TO_SINT | HV_STIMER_AUTO_ENABLE | HV_STIMER_PERIODIC));
	EXPECT(conform_write(t, 0, TIMER_COUNT(0), 2 * TIMER_MS), "COUNT faults");
	for (unsigned i = 0; i < 5; i++)
		TRY(conform_timer_expect(t, 0, 0, &message));
	TRY(is_enabled(t, 0, true, "while it ticks"));
	return CONFORM_PASS;
}

static enum conform_verdict count_alone(struct conform_target *t)
{
	const uint64_t soon = conform_reference(t) + 2 * TIMER_MS;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, 0, TIMER_TO_SINT));
	EXPECT(conform_write(t, 0, TIMER_COUNT(0), soon), "COUNT faults");
	TRY(is_enabled(t, 0, false, "without AutoEnable"));
	TRY(conform_timer_quiet(t, 0, soon + 5 * TIMER_MS, "a count without AutoEnable"));
	return CONFORM_PASS;
}

static enum conform_verdict sint_0(struct conform_target *t)
{
	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(
		t, 0, 0, conform_reference(t) + 1000 * TIMER_SOON, HV_STIMER_ENABLED));
	TRY(is_enabled(t, 0, false, "SINT 0, one-shot"));
	TRY(conform_timer_set(t, 0, 1, 2 * TIMER_MS, HV_STIMER_ENABLED | HV_STIMER_PERIODIC));
	TRY(is_enabled(t, 1, false, "SINT 0, periodic"));
	return CONFORM_PASS;
}

static enum conform_verdict sint_0_auto(struct conform_target *t)
{
	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, 0, HV_STIMER_AUTO_ENABLE));
	EXPECT(conform_write(t, 0, TIMER_COUNT(0), conform_reference(t) + 1000 * TIMER_SOON),
		"COUNT faults");
	TRY(is_enabled(t, 0, false, "SINT 0 with AutoEnable"));
	return CONFORM_PASS;
}

static enum conform_verdict disabled_after(struct conform_target *t)
{
	TRY(conform_timer_begin(t, 0));
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++) {
		TRY(shoots(t, 0, n, 0));
		TRY(is_enabled(t, n, false, "after it has expired"));
	}
	return CONFORM_PASS;
}

static enum conform_verdict stop_by_config(struct conform_target *t, uint64_t due, bool *in_time)
{
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, due, ON));
	EXPECT(conform_write(t, 0, TIMER_CONFIG(0), TIMER_TO_SINT), "CONFIG faults");
	*in_time = conform_reference(t) < due;
	TRY(conform_timer_set(t, 0, 1, 2 * TIMER_MS, ON | HV_STIMER_PERIODIC));
	TRY(conform_timer_expect(t, 0, 1, &message));
	EXPECT(conform_write(t, 0, TIMER_CONFIG(1), TIMER_TO_SINT), "CONFIG faults");
	__atomic_store_n(&conform_timer_slot(t, 0)->type, 0, __ATOMIC_SEQ_CST);
	TRY(conform_timer_quiet(t, 0, due, "a configuration without bit 0"));
	return CONFORM_PASS;
}

static enum conform_verdict config_stops(struct conform_target *t)
{
	return before_due(t, stop_by_config);
}

static enum conform_verdict config_starts_again(struct conform_target *t)
{
	struct hv_timer_message_wire message;
	const uint64_t due = conform_reference(t) + TIMER_SOON;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, due, ON));
	EXPECT(conform_write(t, 0, TIMER_CONFIG(0), TIMER_TO_SINT) &&
			conform_write(t, 0, TIMER_CONFIG(0), ON),
		"CONFIG faults");
	TRY(conform_timer_expect(t, 0, 0, &message));
	EXPECT(message.expiration_time == due, "it was due at %llu, not at %llu",
		(unsigned long long)message.expiration_time, (unsigned long long)due);
	return CONFORM_PASS;
}

static enum conform_verdict config_without_count(struct conform_target *t)
{
	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, 0, ON));
	TRY(conform_timer_set(t, 0, 1, 0, ON | HV_STIMER_PERIODIC));
	TRY(conform_timer_set(t, 0, 2, 0, ON | HV_STIMER_AUTO_ENABLE));
	TRY(conform_timer_quiet(t, 0, conform_reference(t) + 5 * TIMER_MS, "count 0"));
	return CONFORM_PASS;
}

/* KVM's own tests enable first. */
static enum conform_verdict config_then_count(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, 0, ON | HV_STIMER_AUTO_ENABLE));
	const uint64_t due = conform_reference(t) + 5 * TIMER_MS;
	EXPECT(conform_write(t, 0, TIMER_COUNT(0), due), "COUNT faults");
	TRY(conform_timer_expect(t, 0, 0, &message));
	EXPECT(conform_reference(t) >= due, "it came early");
	return CONFORM_PASS;
}

static enum conform_verdict reserved(struct conform_target *t)
{
	TRY(conform_timer_begin(t, 0));
	TRY(shoots(t, 0, 0, 0x7ull << 13));
	TRY(shoots(t, 0, 1, HV_STIMER_RESERVED_MASK));
	TRY(shoots(t, 0, 2, HV_STIMER_VECTOR_MASK)); /* of direct mode, which it is not */
	return CONFORM_PASS;
}

static enum conform_verdict read_back(struct conform_target *t)
{
	uint64_t count, config;

	TRY(conform_timer_begin(t, 0));
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++) {
		const uint64_t written = 0x123456789abcdef0 + n;
		const uint64_t mode = TIMER_TO_SINT | HV_STIMER_PERIODIC | HV_STIMER_LAZY | 0x550;
		TRY(conform_timer_set(t, 0, n, written, mode));
		EXPECT(conform_read(t, 0, TIMER_COUNT(n), &count) && count == written,
			"STIMER%u_COUNT was written 0x%llx and reads 0x%llx", n,
			(unsigned long long)written, (unsigned long long)count);
		TRY(conform_timer_config(t, 0, n, &config));
		EXPECT(config == mode, "STIMER%u_CONFIG was written 0x%llx and reads 0x%llx", n,
			(unsigned long long)mode, (unsigned long long)config);
	}
	return CONFORM_PASS;
}

static enum conform_verdict at_reset(struct conform_target *t)
{
	uint64_t value;

	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
		for (uint32_t msr = HV_X64_MSR_STIMER0_CONFIG; msr <= HV_X64_MSR_STIMER3_COUNT;
			msr++)
			EXPECT(conform_read(t, vp, msr, &value) && value == 0,
				"0x%x of VP %u reads 0x%llx", msr, vp, (unsigned long long)value);
	return CONFORM_PASS;
}

static enum conform_verdict own_registers(struct conform_target *t)
{
	uint64_t value;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_begin(t, 1));
	TRY(conform_timer_set(t, 0, 0, 0x1111111111111111, TIMER_TO_SINT));
	EXPECT(conform_read(t, 1, TIMER_COUNT(0), &value) && value == 0,
		"COUNT of VP 1 reads 0x%llx when that of VP 0 was written",
		(unsigned long long)value);
	TRY(conform_timer_set(t, 1, 0, 0x2222, TIMER_TO_SINT));
	EXPECT(conform_read(t, 0, TIMER_COUNT(0), &value) && value == 0x1111111111111111,
		"COUNT of VP 0 reads 0x%llx when that of VP 1 was written",
		(unsigned long long)value);
	return CONFORM_PASS;
}

static enum conform_verdict own_messages(struct conform_target *t)
{
	struct hv_timer_message_wire message;
	const uint64_t due = conform_reference(t) + 5 * TIMER_MS;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_begin(t, 1));
	TRY(conform_timer_set(t, 1, 2, due, ON));
	TRY(conform_timer_expect(t, 1, 2, &message));
	TRY(conform_timer_quiet(t, 0, due, "a timer of VP 1"));
	return CONFORM_PASS;
}

#define TIMERS TIMER_PRIVILEGES
const struct conform_test conform_timer_tests[] = {
	{"R-TIMER-001", "one-shot timers expire, and not early", one_shot, 0, TIMERS, 0},
	{"R-TIMER-001", "... lazy ones", one_shot_lazy, 0, TIMERS, 0},
	{"R-TIMER-001", "... those of the other VPs", one_shot_elsewhere, CONFORM_VP_1, TIMERS, 0},
	{"R-TIMER-001", "four timers expire when each is due", due_in_order, 0, TIMERS, 0},
	{"R-TIMER-001", "a time that is far away does not come", far_away, 0, TIMERS, 0},
	{"R-TIMER-001", "a timer that is moved does not expire at its old time", moved_away, 0,
		TIMERS, 0},
	{"R-TIMER-001", "a timer that is moved expires at its new time", moved_near, 0, TIMERS, 0},
	{"R-TIMER-001", "a periodic timer is not faster than its period", periodic, 0, TIMERS, 0},
	{"R-TIMER-001", "... nor is a lazy one", periodic_lazy, 0, TIMERS, 0},
	{"R-TIMER-001", "a period that is far away does not come", longest_period, 0, TIMERS, 0},
	{"R-TIMER-002", "what is past when it is enabled expires at once", past, 0, TIMERS, 0},
	{"R-TIMER-002", "... also with AutoEnable", past_by_count, 0, TIMERS, 0},
	{"R-TIMER-003", "count 0 stops and disables", count_0, 0, TIMERS, 0},
	{"R-TIMER-003", "count 0 stops a periodic timer", count_0_periodic, 0, TIMERS, 0},
	{"R-TIMER-004", "with AutoEnable a count enables, each time", auto_enable, 0, TIMERS, 0},
	{"R-TIMER-004", "... a periodic timer", auto_enable_periodic, 0, TIMERS, 0},
	{"R-TIMER-004", "... one that was enabled without a count", config_then_count, 0, TIMERS,
		0},
	{"R-TIMER-004", "without AutoEnable it does not", count_alone, 0, TIMERS, 0},
	{"R-TIMER-005", "with SINT 0 it is not enabled", sint_0, 0, TIMERS, 0},
	{"R-TIMER-005", "... nor by AutoEnable", sint_0_auto, 0, TIMERS, 0},
	{"R-TIMER-006", "a one-shot timer is disabled after its message", disabled_after, 0, TIMERS,
		0},
	{"R-TIMER-006", "a one-shot timer expires once", one_shot_once, 0, TIMERS, 0},
	{"R-TIMER-009", "a configuration without bit 0 stops it", config_stops, 0, TIMERS, 0},
	{"R-TIMER-009", "a configuration with bit 0 starts it again", config_starts_again, 0,
		TIMERS, 0},
	{"R-TIMER-009", "with count 0 nothing starts", config_without_count, 0, TIMERS, 0},
	{"R-TIMER-012", "reserved bits change nothing", reserved, 0, TIMERS, 0},
	{"R-TIMER-014", "a periodic timer comes back to its phase", phase_stays, 0, TIMERS, 0},
	{"R-TIMER-014", "... a lazy one", phase_lazy, 0, TIMERS, 0},
	{"R-TIMER-015", "the shortest period leaves the guest its time", shortest_period, 0, TIMERS,
		0},
	{"R-TIMER-020", "the timers of a VP are its own", own_registers, CONFORM_VP_1, TIMERS, 0},
	{"R-TIMER-020", "their messages go to its own page", own_messages, CONFORM_VP_1, TIMERS, 0},
	{"R-TIMER-021", "count and configuration read back", read_back, 0, TIMERS, 0},
	{"R-REG-020", "timers are 0 after reset", at_reset, 0, HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMERS,
		0},
};
const size_t conform_timer_test_count = sizeof conform_timer_tests / sizeof conform_timer_tests[0];
