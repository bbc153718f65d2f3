// SPDX-License-Identifier: Apache-2.0
/*
 * How synthetic timers tell: what is in a message, slots that are full, masked, or not there;
 * and direct mode, for which interrupts must be counted.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_timer.h"

#define ON     TIMER_TO_SINT | HV_STIMER_ENABLED
#define DIRECT 0xd6u

static enum conform_verdict contents(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++) {
		const uint64_t due = conform_reference(t) + 2 * TIMER_MS;
		TRY(conform_timer_set(t, 0, n, due, ON));
		TRY(conform_timer_expect(t, 0, n, &message));
		EXPECT(message.expiration_time == due, "timer %u was due at %llu and says %llu", n,
			(unsigned long long)due, (unsigned long long)message.expiration_time);
	}
	return CONFORM_PASS;
}

static enum conform_verdict delivery_time(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	for (unsigned i = 0; i < 5; i++) {
		const uint64_t due = conform_reference(t) + i * TIMER_MS;
		TRY(conform_timer_set(t, 0, 0, due, ON));
		TRY(conform_timer_expect(t, 0, 0, &message));
		const uint64_t now = conform_reference(t);
		EXPECT(message.delivery_time >= due && message.delivery_time <= now,
			"due at %llu, delivered at %llu, read at %llu", (unsigned long long)due,
			(unsigned long long)message.delivery_time, (unsigned long long)now);
	}
	return CONFORM_PASS;
}

/* Somebody else's message is in the slot. */
static void slot_fill(struct conform_target *t)
{
	struct hv_message_wire *slot = conform_timer_slot(t, 0);

	slot->payload_size = 0;
	slot->flags = 0;
	__atomic_store_n(&conform_timer_slot(t, 0)->type, 0x4321, __ATOMIC_SEQ_CST);
}

static void slot_empty(struct conform_target *t)
{
	__atomic_store_n(&conform_timer_slot(t, 0)->type, HV_MESSAGE_TYPE_NONE, __ATOMIC_SEQ_CST);
}

static bool is_pending(struct conform_target *t)
{
	return __atomic_load_n((uint8_t *)conform_timer_slot(t, 0) +
				       offsetof(struct hv_message_wire, flags),
		       __ATOMIC_SEQ_CST) &
	       HV_MESSAGE_FLAG_PENDING;
}

static bool await_pending(struct conform_target *t)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint32_t sints;

	while (!is_pending(t)) {
		if (conform_now(t) >= deadline)
			return conform_no(t, "the pending flag was not set within 3 s");
		(void)winhv_wait(t->hv, t->hv->vp, TIMER_MS / 2, &sints);
	}
	return true;
}

/* Timer 0 has expired, and its message waits. */
static bool waits(struct conform_target *t)
{
	if (!conform_timer_begin(t, 0))
		return false;
	slot_fill(t);
	if (!conform_timer_set(t, 0, 0, conform_reference(t) + TIMER_MS, ON) || !await_pending(t))
		return false;
	const uint32_t type = __atomic_load_n(&conform_timer_slot(t, 0)->type, __ATOMIC_SEQ_CST);
	return type == 0x4321 || conform_no(t, "the slot was overwritten: type 0x%x", type);
}

static bool eom(struct conform_target *t)
{
	return conform_write(t, 0, HV_X64_MSR_EOM, 0) || conform_no(t, "EOM faults");
}

static enum conform_verdict full_slot(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(waits(t));
	slot_empty(t);
	TRY(eom(t));
	TRY(conform_timer_expect(t, 0, 0, &message));
	EXPECT(message.delivery_time >= message.expiration_time, "due at %llu, delivered at %llu",
		(unsigned long long)message.expiration_time,
		(unsigned long long)message.delivery_time);
	return CONFORM_PASS;
}

static enum conform_verdict full_slot_kept(struct conform_target *t)
{
	TRY(waits(t));
	for (unsigned i = 0; i < 5; i++)
		TRY(eom(t)); /* the slot is still full */
	const uint32_t type = __atomic_load_n(&conform_timer_slot(t, 0)->type, __ATOMIC_SEQ_CST);
	EXPECT(type == 0x4321, "the slot was overwritten: type 0x%x", type);
	struct hv_timer_message_wire message;
	slot_empty(t);
	TRY(eom(t));
	TRY(conform_timer_expect(t, 0, 0, &message));
	return CONFORM_PASS;
}

static enum conform_verdict full_slot_once(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(waits(t));
	slot_empty(t);
	TRY(eom(t));
	TRY(conform_timer_expect(t, 0, 0, &message));
	for (unsigned i = 0; i < 3; i++)
		TRY(eom(t));
	TRY(conform_timer_quiet(t, 0, conform_reference(t), "a message that was delivered"));
	return CONFORM_PASS;
}

/* Four are due while the slot is full: all come. */
static enum conform_verdict four_wait(struct conform_target *t)
{
	struct hv_timer_message_wire message;
	unsigned seen = 0;

	TRY(waits(t));
	for (uint32_t n = 1; n < HV_STIMER_COUNT; n++)
		TRY(conform_timer_set(t, 0, n, 1, ON));
	slot_empty(t);
	TRY(eom(t));
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++) {
		TRY(conform_timer_next(t, 0, &message));
		EXPECT(!(seen >> message.timer_index & 1), "timer %u has a second message",
			message.timer_index);
		seen |= 1u << message.timer_index;
	}
	TRY(conform_timer_quiet(t, 0, conform_reference(t), "a message that was delivered"));
	return CONFORM_PASS;
}

static enum conform_verdict pending_behind(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, 1, ON));
	TRY(conform_timer_await(t, 0));
	TRY(conform_timer_set(t, 0, 1, 1, ON)); /* timer 0's message is in the slot */
	TRY(await_pending(t));
	TRY(conform_timer_expect(t, 0, 0, &message)); /* which writes EOM */
	TRY(conform_timer_expect(t, 0, 1, &message));
	return CONFORM_PASS;
}

static enum conform_verdict periodic_into_full(struct conform_target *t)
{
	const uint64_t period = 5 * TIMER_MS;
	struct hv_timer_message_wire message, next;

	TRY(conform_timer_begin(t, 0));
	slot_fill(t);
	const uint64_t begin = conform_reference(t);
	TRY(conform_timer_set(t, 0, 0, period, ON | HV_STIMER_PERIODIC));
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	while (conform_reference(t) < begin + 4 * period)
		EXPECT(conform_now(t) < deadline, "the counter does not count");
	const uint32_t type = __atomic_load_n(&conform_timer_slot(t, 0)->type, __ATOMIC_SEQ_CST);
	EXPECT(type == 0x4321, "the slot was overwritten: type 0x%x", type);
	slot_empty(t);
	TRY(eom(t));
	TRY(conform_timer_expect(t, 0, 0, &message));
	TRY(conform_timer_expect(t, 0, 0, &next));
	EXPECT((next.expiration_time - message.expiration_time) % period == 0,
		"ticks %llu apart, with a period of %llu",
		(unsigned long long)(next.expiration_time - message.expiration_time),
		(unsigned long long)period);
	return CONFORM_PASS;
}

/* Its message waits; a register is written; the message never comes. */
static enum conform_verdict dropped(struct conform_target *t, uint32_t msr, uint64_t value)
{
	TRY(waits(t));
	EXPECT(conform_write(t, 0, msr, value), "0x%x faults", msr);
	slot_empty(t);
	TRY(eom(t));
	TRY(conform_timer_quiet(t, 0, conform_reference(t), "a timer that was written"));
	return CONFORM_PASS;
}

static enum conform_verdict dropped_by_count(struct conform_target *t)
{
	return dropped(t, TIMER_COUNT(0), UINT64_MAX / 2);
}

static enum conform_verdict dropped_by_count_0(struct conform_target *t)
{
	return dropped(t, TIMER_COUNT(0), 0);
}

static enum conform_verdict dropped_by_config(struct conform_target *t)
{
	return dropped(t, TIMER_CONFIG(0), TIMER_TO_SINT);
}

static enum conform_verdict masked(struct conform_target *t)
{
	struct hv_timer_message_wire message;

	TRY(conform_timer_begin(t, 0));
	EXPECT(conform_write(t, 0, HV_X64_MSR_SINT0 + TIMER_SINT, HV_SINT_MASKED | TIMER_VECTOR),
		"SINT%u faults", TIMER_SINT);
	TRY(conform_timer_set(t, 0, 0, conform_reference(t) + TIMER_MS, ON));
	TRY(conform_timer_expect(t, 0, 0, &message));
	for (unsigned i = 0; i < 3; i++)
		TRY(eom(t));
	TRY(conform_timer_quiet(t, 0, conform_reference(t), "a message for a masked SINT"));
	return CONFORM_PASS;
}

/* Expired while what delivers messages was off: it comes when that is on. */
static enum conform_verdict waits_for(
	struct conform_target *t, uint32_t msr, uint64_t off, const char *name)
{
	struct hv_timer_message_wire message;
	uint64_t on;

	TRY(conform_timer_begin(t, 0));
	EXPECT(conform_read(t, 0, msr, &on) && conform_write(t, 0, msr, off), "%s faults", name);
	TRY(conform_timer_set(t, 0, 0, 1, ON));
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	const uint64_t until = conform_reference(t) + TIMER_MS;
	while (conform_reference(t) < until)
		EXPECT(conform_now(t) < deadline, "the counter does not count");
	const uint32_t type = __atomic_load_n(&conform_timer_slot(t, 0)->type, __ATOMIC_SEQ_CST);
	EXPECT(type == HV_MESSAGE_TYPE_NONE, "with %s off a message of type 0x%x came", name, type);
	EXPECT(conform_write(t, 0, msr, on), "%s faults", name);
	TRY(conform_timer_expect(t, 0, 0, &message));
	return CONFORM_PASS;
}

static enum conform_verdict waits_for_page(struct conform_target *t)
{
	return waits_for(t, HV_X64_MSR_SIMP, 0, "SIMP");
}

static enum conform_verdict waits_for_scontrol(struct conform_target *t)
{
	return waits_for(t, HV_X64_MSR_SCONTROL, 0, "SCONTROL");
}

static enum conform_verdict every_sint(struct conform_target *t)
{
	struct winhv_message message;
	uint32_t sints;

	TRY(conform_timer_begin(t, 0));
	for (uint32_t sint = 1; sint < HV_SINT_COUNT; sint++) {
		const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
		EXPECT(winhv_synic_enable(t->hv, 0, sint, TIMER_VECTOR) == 0,
			"SINT%u cannot be unmasked", sint);
		TRY(conform_timer_set(
			t, 0, 0, 1, HV_STIMER_ENABLED | (uint64_t)sint << HV_STIMER_SINT_SHIFT));
		while (!winhv_message_take(t->hv, 0, sint, &message)) {
			EXPECT(conform_now(t) < deadline, "no message came for SINT%u", sint);
			(void)winhv_wait(t->hv, t->hv->vp, TIMER_MS / 2, &sints);
		}
		EXPECT(message.type == HV_MESSAGE_TYPE_TIMER_EXPIRED,
			"a message of type 0x%x came for SINT%u", message.type, sint);
	}
	return CONFORM_PASS;
}

/* ---- direct mode ----------------------------------------------------------------------------- */

#define DIRECT_TO(vector) (HV_STIMER_DIRECT_MODE | (uint64_t)(vector) << HV_STIMER_VECTOR_SHIFT)

static enum conform_verdict direct_sticks(struct conform_target *t)
{
	uint64_t config;

	EXPECT(conform_has(t, TIMER_PRIVILEGES), "there are no timers");
	TRY(conform_timer_set(t, 0, 0, 0, DIRECT_TO(DIRECT)));
	TRY(conform_timer_config(t, 0, 0, &config));
	EXPECT(config & HV_STIMER_DIRECT_MODE, "CONFIG reads 0x%llx", (unsigned long long)config);
	return CONFORM_PASS;
}

static enum conform_verdict direct_refused(struct conform_target *t)
{
	uint64_t config = 0;

	NEED(!conform_has_feature(t, HV_FEATURE_DIRECT_SYNTHETIC_TIMERS),
		"direct mode is promised");
	const bool is_taken = conform_write(t, 0, TIMER_CONFIG(0), DIRECT_TO(DIRECT));
	TRY(conform_timer_config(t, 0, 0, &config));
	EXPECT(!is_taken || !(config & HV_STIMER_DIRECT_MODE),
		"bit 12 is not promised, and CONFIG reads 0x%llx", (unsigned long long)config);
	return CONFORM_PASS;
}

#define MACHINE NEED(t->machine, "interrupts are counted on bare metal only")

/* Until VP `vp` has had so many interrupts. */
static bool interrupts_reach(struct conform_target *t, uint32_t vp, uint32_t count)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint32_t sints;

	while (t->machine->interrupts(vp) < count) {
		if (conform_now(t) >= deadline)
			return conform_no(t, "VP %u has %u interrupts, not %u", vp,
				t->machine->interrupts(vp), count);
		(void)winhv_wait(t->hv, t->hv->vp, TIMER_MS / 2, &sints);
	}
	return true;
}

static enum conform_verdict direct_one_shot(struct conform_target *t)
{
	uint64_t config;

	MACHINE;
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
		for (uint32_t n = 0; n < HV_STIMER_COUNT; n++) {
			t->machine->count(DIRECT);
			const uint64_t due = conform_reference(t) + 2 * TIMER_MS;
			TRY(conform_timer_set(
				t, vp, n, due, HV_STIMER_ENABLED | DIRECT_TO(DIRECT)));
			TRY(interrupts_reach(t, vp, 1));
			EXPECT(conform_reference(t) >= due, "timer %u of VP %u came early", n, vp);
			TRY(conform_timer_config(t, vp, n, &config));
			EXPECT(!(config & HV_STIMER_ENABLED), "it is still enabled: 0x%llx",
				(unsigned long long)config);
		}
	return CONFORM_PASS;
}

static enum conform_verdict direct_no_message(struct conform_target *t)
{
	MACHINE;
	t->machine->count(DIRECT);
	TRY(conform_timer_begin(t, 0));
	TRY(conform_timer_set(t, 0, 0, 1, HV_STIMER_ENABLED | DIRECT_TO(DIRECT) | TIMER_TO_SINT));
	TRY(interrupts_reach(t, 0, 1));
	TRY(conform_timer_quiet(t, 0, conform_reference(t) + TIMER_MS, "direct mode"));
	EXPECT(t->machine->interrupts(0) == 1, "%u interrupts came", t->machine->interrupts(0));
	return CONFORM_PASS;
}

static enum conform_verdict direct_periodic(struct conform_target *t)
{
	const uint64_t period = 2 * TIMER_MS;

	MACHINE;
	t->machine->count(DIRECT);
	const uint64_t begin = conform_reference(t);
	TRY(conform_timer_set(
		t, 0, 0, period, HV_STIMER_ENABLED | HV_STIMER_PERIODIC | DIRECT_TO(DIRECT)));
	TRY(interrupts_reach(t, 0, 20));
	EXPECT(conform_reference(t) - begin >= 20 * period, "20 periods of 2 ms took %llu",
		(unsigned long long)(conform_reference(t) - begin));
	EXPECT(conform_write(t, 0, TIMER_CONFIG(0), 0), "CONFIG faults");
	return CONFORM_PASS;
}

static enum conform_verdict direct_alone(struct conform_target *t)
{
	MACHINE;
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++) {
		uint64_t on = 0;
		t->machine->count(DIRECT);
		EXPECT(conform_write(t, vp, HV_X64_MSR_SIMP, 0) &&
				conform_read(t, vp, HV_X64_MSR_SCONTROL, &on) &&
				conform_write(t, vp, HV_X64_MSR_SCONTROL, 0),
			"SIMP or SCONTROL faults");
		TRY(conform_timer_set(t, vp, 1, 1, HV_STIMER_ENABLED | DIRECT_TO(DIRECT)));
		const bool has_come = interrupts_reach(t, vp, 1);
		EXPECT(conform_write(t, vp, HV_X64_MSR_SCONTROL, on), "SCONTROL faults");
		TRY(has_come);
	}
	return CONFORM_PASS;
}

/* Vectors of exceptions: one that came would end the image. */
static enum conform_verdict direct_low_vector(struct conform_target *t)
{
	MACHINE;
	TRY(conform_timer_begin(t, 0));
	for (uint32_t vector = 0; vector < HV_SINT_MIN_VECTOR; vector++)
		TRY(conform_timer_set(t, 0, 0, 1, HV_STIMER_ENABLED | DIRECT_TO(vector)));
	TRY(conform_timer_quiet(t, 0, conform_reference(t) + TIMER_MS, "a vector below 16"));
	return CONFORM_PASS;
}

#define TIMERS TIMER_PRIVILEGES
#define D      HV_FEATURE_DIRECT_SYNTHETIC_TIMERS
const struct conform_test conform_expiry_tests[] = {
	{"R-TIMER-019", "a message says which timer, and when it was due", contents, 0, TIMERS, 0},
	{"R-TIMER-019", "a timer's messages go to any SINT but 0", every_sint, 0, TIMERS, 0},
	{"R-TIMER-011", "the time of delivery is not before the time due", delivery_time, 0, TIMERS,
		0},
	{"R-TIMER-007", "behind a full slot a message waits, flagged, for EOM", full_slot, 0,
		TIMERS, 0},
	{"R-TIMER-007", "EOM with the slot still full changes nothing", full_slot_kept, 0, TIMERS,
		0},
	{"R-TIMER-007", "what has waited comes once", full_slot_once, 0, TIMERS, 0},
	{"R-TIMER-007", "four messages wait for one slot", four_wait, 0, TIMERS, 0},
	{"R-TIMER-008", "a periodic timer keeps its phase behind a full slot", periodic_into_full,
		0, TIMERS, 0},
	{"R-TIMER-013", "a count drops the message that waits", dropped_by_count, 0, TIMERS, 0},
	{"R-TIMER-013", "... so does count 0", dropped_by_count_0, 0, TIMERS, 0},
	{"R-TIMER-013", "... and a configuration", dropped_by_config, 0, TIMERS, 0},
	{"R-TIMER-016", "a message behind another timer's is flagged there", pending_behind, 0,
		TIMERS, 0},
	{"R-TIMER-018", "a masked SINT gets its message, once", masked, 0, TIMERS, 0},
	{"R-SYNIC-008", "a timer's message waits for the message page", waits_for_page, 0, TIMERS,
		0},
	{"R-SYNIC-008", "... and for SCONTROL", waits_for_scontrol, 0, TIMERS, 0},
	{"R-CPUID-005", "the bit of direct mode sticks", direct_sticks, 0, 0, D},
	{"R-CPUID-006", "without the promise it does not", direct_refused, 0, TIMERS, 0},
	{"R-TIMER-001", "in direct mode one-shot timers are not early", direct_one_shot, 0, TIMERS,
		D},
	{"R-TIMER-001", "in direct mode a periodic timer is not fast", direct_periodic, 0, TIMERS,
		D},
	{"R-TIMER-010", "direct mode needs neither message page nor SCONTROL", direct_alone, 0,
		TIMERS, D},
	{"R-TIMER-022", "in direct mode there is one interrupt, and no message", direct_no_message,
		0, TIMERS, D},
	{"R-TIMER-017", "in direct mode vectors below 16 raise nothing", direct_low_vector, 0,
		TIMERS, D},
};
const size_t conform_expiry_test_count = sizeof conform_expiry_tests /
					 sizeof conform_expiry_tests[0];
