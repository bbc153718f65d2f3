// SPDX-License-Identifier: Apache-2.0
/*
 * Synthetic timers, on every VP: one-shot and periodic, with and without AutoEnable, lazy,
 * into a busy slot, and in direct mode. Never early, and never once too often; how late is
 * not judged.
 */
#include "tests/bare/bare_test.h"

#define SINT	      4u
#define VECTOR	      0xf1u
#define DIRECT_VECTOR 0xf3u
#define TICKS	      100u
#define CONFIG(n)     (HV_X64_MSR_STIMER0_CONFIG + 2 * (n))
#define COUNT(n)      (HV_X64_MSR_STIMER0_COUNT + 2 * (n))
#define TO_SINT	      ((uint64_t)SINT << HV_STIMER_SINT_SHIFT)

/* What the handler has seen, by VP and timer. */
struct seen {
	uint32_t messages, direct, odd; /* odd: of no timer, or of a wrong size */
	uint64_t expiration, delivery, at;
};
static volatile struct seen seen[BARE_VPS_MAX][HV_STIMER_COUNT];
static bool is_held; /* the handler leaves the slot alone */

static uint64_t now(void)
{
	uint64_t time = 0;

	(void)test_read(HV_X64_MSR_TIME_REF_COUNT, &time);
	return time;
}

static void on_message(struct bare_frame *frame, void *ctx)
{
	const uint32_t vp = bare_vp()->index;
	struct winhv_message got;
	struct hv_timer_message_wire wire;

	(void)frame;
	(void)ctx;
	while (!is_held && winhv_message_take(bare_winhv(), vp, SINT, &got)) {
		__builtin_memcpy(&wire, got.payload, sizeof wire);
		volatile struct seen *timer = &seen[vp][wire.timer_index % HV_STIMER_COUNT];
		if (got.type != HV_MESSAGE_TYPE_TIMER_EXPIRED || got.bytes < sizeof wire ||
			wire.timer_index >= HV_STIMER_COUNT)
			timer->odd++;
		timer->expiration = wire.expiration_time;
		timer->delivery = wire.delivery_time;
		timer->at = now();
		timer->messages++;
	}
	bare_apic_eoi();
}

static void on_direct(struct bare_frame *frame, void *ctx)
{
	volatile struct seen *timer = &seen[bare_vp()->index][frame->vector - DIRECT_VECTOR];

	(void)ctx;
	timer->at = now();
	timer->direct++;
	bare_apic_eoi();
}

struct wanted {
	volatile struct seen *timer;
	uint32_t count;
};

static bool has_fired(void *ctx)
{
	const struct wanted *wanted = ctx;

	return wanted->timer->messages + wanted->timer->direct >= wanted->count;
}

static bool fires(uint32_t timer, uint32_t count)
{
	struct wanted wanted = {&seen[bare_vp()->index][timer], count};

	return bare_wait(has_fired, &wanted, TEST_PATIENCE);
}

static volatile struct seen *fresh(uint32_t timer)
{
	volatile struct seen *slot = &seen[bare_vp()->index][timer];

	(void)test_write(COUNT(timer), 0);
	(void)test_write(CONFIG(timer), 0);
	slot->messages = slot->direct = slot->odd = 0;
	slot->expiration = slot->delivery = slot->at = 0;
	return slot;
}

/* Names carry the VP. */
static bool judge(bool condition, const char *name, const char *evidence, uint64_t a, uint64_t b)
{
	char full[100], why[100];

	(void)bare_print_to(full, sizeof full, "VP %u: %s", bare_vp()->index, name);
	(void)bare_print_to(why, sizeof why, "%s (%lu, %lu)", evidence, a, b);
	return check(condition, full, "%s", why);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void one_shot(uint32_t n)
{
	volatile struct seen *timer = fresh(n);
	uint64_t config = 0;
	const uint64_t due = now() + 5 * TEST_MS;

	(void)test_write(COUNT(n), due);
	(void)test_write(CONFIG(n), HV_STIMER_ENABLED | TO_SINT);
	const bool has_come = fires(n, 1);
	bare_pause(TEST_SETTLE);
	judge(has_come && timer->messages == 1 && timer->odd == 0, "one-shot: one message",
		"messages, odd ones", timer->messages, timer->odd);
	judge(timer->at >= due && timer->delivery >= due && timer->delivery <= timer->at,
		"... not early, with a true time of delivery", "due, delivered", due,
		timer->delivery);
	judge(timer->expiration == due, "... which says when it was due", "due, said", due,
		timer->expiration);
	(void)test_read(CONFIG(n), &config);
	judge(!(config & HV_STIMER_ENABLED), "... and is disabled afterwards", "config", config, 0);
}

static void one_shot_past(uint32_t n)
{
	volatile struct seen *timer = fresh(n);
	const uint64_t time = now();

	(void)test_write(COUNT(n), time > TEST_SECOND ? time - TEST_SECOND : 1);
	(void)test_write(CONFIG(n), HV_STIMER_ENABLED | TO_SINT);
	const bool has_come = fires(n, 1);
	judge(has_come && timer->messages == 1, "one-shot in the past: fires at once", "messages",
		timer->messages, 0);
}

static void auto_enable(uint32_t n)
{
	volatile struct seen *timer = fresh(n);
	uint64_t config = 0;

	(void)test_write(CONFIG(n), HV_STIMER_AUTO_ENABLE | TO_SINT);
	bare_pause(TEST_SETTLE);
	judge(timer->messages == 0, "AutoEnable: nothing before COUNT is written", "messages",
		timer->messages, 0);
	const uint64_t due = now() + 5 * TEST_MS;
	(void)test_write(COUNT(n), due);
	const bool has_come = fires(n, 1);
	judge(has_come && timer->messages == 1 && timer->at >= due, "AutoEnable: COUNT starts it",
		"messages, at", timer->messages, timer->at);
	(void)test_write(COUNT(n), now() + TEST_SECOND);
	(void)test_read(CONFIG(n), &config);
	judge(config & HV_STIMER_ENABLED, "... and starts it again", "config", config, 0);
	(void)test_write(COUNT(n), 0);
	(void)test_read(CONFIG(n), &config);
	judge(!(config & HV_STIMER_ENABLED), "COUNT 0 disables it, AutoEnable or not", "config",
		config, 0);
}

static void periodic(uint32_t n, uint64_t flags, const char *name)
{
	volatile struct seen *timer = fresh(n);
	const uint64_t begin = now();

	if (flags & HV_STIMER_AUTO_ENABLE) {
		(void)test_write(CONFIG(n), flags | HV_STIMER_PERIODIC | TO_SINT);
		(void)test_write(COUNT(n), TEST_MS);
	} else {
		(void)test_write(COUNT(n), TEST_MS);
		(void)test_write(
			CONFIG(n), flags | HV_STIMER_ENABLED | HV_STIMER_PERIODIC | TO_SINT);
	}
	const bool has_come = fires(n, TICKS);
	const uint64_t took = now() - begin;
	(void)test_write(CONFIG(n), 0);
	judge(has_come && timer->odd == 0, name, "ticks, odd ones", timer->messages, timer->odd);
	judge(took + TEST_MS >= TICKS * TEST_MS, "... not faster than its period",
		"100 ns for 100 ticks", took, 0);
	bare_pause(5 * TEST_MS);
	const uint32_t messages = timer->messages;
	bare_pause(10 * TEST_MS);
	judge(timer->messages == messages, "... and stops", "before, after", messages,
		timer->messages);
}

static bool is_pending(void *ctx)
{
	const volatile struct hv_message_wire *slot = ctx;

	return slot->flags & HV_MESSAGE_FLAG_PENDING;
}

/* Somebody else's message is in the slot: the timer waits, and says so. */
static void busy_slot(uint32_t n)
{
	const uint32_t vp = bare_vp()->index;
	volatile struct seen *timer = fresh(n);
	volatile struct hv_message_wire *slot =
		(volatile struct hv_message_wire *)(void *)(bare_winhv()->synic[vp].messages.va +
							    SINT * HV_MESSAGE_BYTES);

	is_held = true;
	slot->flags = 0;
	slot->type = 0x4321;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	(void)test_write(COUNT(n), now() + 2 * TEST_MS);
	(void)test_write(CONFIG(n), HV_STIMER_ENABLED | TO_SINT);
	const bool is_marked = bare_wait(is_pending, (void *)(uintptr_t)slot, TEST_PATIENCE);
	judge(slot->type == 0x4321 && timer->messages == 0, "busy slot: the message is left alone",
		"type, messages", slot->type, timer->messages);
	judge(is_marked, "... and marked as pending", "flags", slot->flags, 0);
	is_held = false;
	slot->type = HV_MESSAGE_TYPE_NONE;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	(void)test_write(HV_X64_MSR_EOM, 0);
	const bool has_come = fires(n, 1);
	bare_pause(TEST_SETTLE);
	judge(has_come && timer->messages == 1, "... comes after EOM, once", "messages",
		timer->messages, 0);
}

static void no_sint(uint32_t n)
{
	uint64_t config = 0;

	(void)fresh(n);
	(void)test_write(COUNT(n), now() + TEST_SECOND);
	(void)test_write(CONFIG(n), HV_STIMER_ENABLED);
	(void)test_read(CONFIG(n), &config);
	judge(!(config & HV_STIMER_ENABLED), "with SINT 0 and no direct mode it is not enabled",
		"config", config, 0);
	(void)fresh(n);
}

/* All four, at different times. */
static void all_four(void)
{
	uint64_t due[HV_STIMER_COUNT];
	bool has_come = true, is_early = false;
	uint32_t messages = 0;

	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++)
		(void)fresh(n);
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++) {
		due[n] = now() + (HV_STIMER_COUNT - n) * 2 * TEST_MS;
		(void)test_write(COUNT(n), due[n]);
		(void)test_write(CONFIG(n), HV_STIMER_ENABLED | TO_SINT);
	}
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++) {
		has_come = fires(n, 1) && has_come;
		is_early = is_early || seen[bare_vp()->index][n].at < due[n];
		messages += seen[bare_vp()->index][n].messages;
	}
	judge(has_come && !is_early && messages == HV_STIMER_COUNT,
		"four timers at once, all to one SINT", "messages, early", messages, is_early);
}

/* ---- direct mode ----------------------------------------------------------------------------- */

static void direct(uint32_t n)
{
	volatile struct seen *timer = fresh(n);
	const uint64_t mode = HV_STIMER_DIRECT_MODE | (uint64_t)(DIRECT_VECTOR + n)
							      << HV_STIMER_VECTOR_SHIFT;
	const uint64_t due = now() + 5 * TEST_MS;
	uint64_t config = 0;

	(void)test_write(COUNT(n), due);
	(void)test_write(CONFIG(n), HV_STIMER_ENABLED | mode);
	bool has_come = fires(n, 1);
	bare_pause(TEST_SETTLE);
	judge(has_come && timer->direct == 1 && timer->messages == 0 && timer->at >= due,
		"direct, one-shot: one interrupt, no message, not early", "interrupts, messages",
		timer->direct, timer->messages);
	(void)test_read(CONFIG(n), &config);
	judge(!(config & HV_STIMER_ENABLED), "... and disabled afterwards", "config", config, 0);

	(void)fresh(n);
	const uint64_t begin = now();
	(void)test_write(CONFIG(n), HV_STIMER_AUTO_ENABLE | HV_STIMER_PERIODIC | mode);
	(void)test_write(COUNT(n), TEST_MS);
	has_come = fires(n, TICKS);
	const uint64_t took = now() - begin;
	(void)fresh(n);
	judge(has_come && took + TEST_MS >= TICKS * TEST_MS, "direct, periodic", "ticks, time",
		TICKS, took);
}

/* Direct timers need neither a message page nor the SynIC. */
static void direct_alone(void *ctx)
{
	volatile struct seen *timer = fresh(1);

	(void)ctx;
	(void)test_write(
		CONFIG(1), HV_STIMER_AUTO_ENABLE | HV_STIMER_DIRECT_MODE |
				   (uint64_t)(DIRECT_VECTOR + 1) << HV_STIMER_VECTOR_SHIFT);
	(void)test_write(COUNT(1), now() + TEST_MS);
	const bool has_come = fires(1, 1);
	judge(has_come && timer->direct == 1, "direct mode works before the SynIC is enabled",
		"interrupts", timer->direct, 0);
}

/* ---- on a VP --------------------------------------------------------------------------------- */

static void on_vp(void *ctx)
{
	struct winhv *hv = bare_winhv();

	(void)ctx;
	if (winhv_synic_enable(hv, hv->vp, SINT, VECTOR)) {
		judge(false, "the SynIC can be enabled", "error", 0, 0);
		return;
	}
	if (test_group("oneshot")) {
		one_shot(0);
		one_shot(3);
		one_shot_past(1);
	}
	if (test_group("autoenable"))
		auto_enable(2);
	if (test_group("periodic")) {
		periodic(0, 0, "periodic: 100 ticks of 1 ms");
		periodic(1, HV_STIMER_AUTO_ENABLE, "periodic with AutoEnable");
		periodic(2, HV_STIMER_LAZY, "periodic and lazy");
	}
	if (test_group("busy"))
		busy_slot(1);
	if (test_group("sint0"))
		no_sint(2);
	if (test_group("four"))
		all_four();
	if (test_has_feature(HV_FEATURE_DIRECT_SYNTHETIC_TIMERS) && test_group("direct"))
		direct(1);
	for (uint32_t n = 0; n < HV_STIMER_COUNT; n++)
		(void)fresh(n);
	winhv_synic_disable(hv, hv->vp);
}

static void ticking(void *ctx)
{
	(void)ctx;
	(void)fresh(0);
	(void)test_write(CONFIG(0), HV_STIMER_AUTO_ENABLE | HV_STIMER_PERIODIC | TO_SINT);
	(void)test_write(COUNT(0), TEST_MS);
	(void)fires(0, TICKS);
	(void)test_write(CONFIG(0), 0);
}

static void enable(void *ctx)
{
	(void)ctx;
	(void)winhv_synic_enable(bare_winhv(), bare_vp()->index, SINT, VECTOR);
}

static void all_vps(void)
{
	uint32_t slow = BARE_VPS_MAX;

	bare_run_on_all(enable, NULL);
	bare_run_on_all(ticking, NULL);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		if (seen[vp][0].messages < TICKS || seen[vp][0].odd)
			slow = vp;
	check(slow == BARE_VPS_MAX, "all VPs tick at the same time", "VP %u: %u ticks", slow,
		seen[slow % BARE_VPS_MAX][0].messages);
}

void test_main(void)
{
	if (!test_has(HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMERS | HV_PRIVILEGE_ACCESS_SYNIC |
		      HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER)) {
		skip("synthetic timers", "not promised");
		return;
	}
	bare_vector_set(VECTOR, on_message, NULL);
	for (unsigned n = 0; n < HV_STIMER_COUNT; n++)
		bare_vector_set(DIRECT_VECTOR + n, on_direct, NULL);
	if (!test_has_feature(HV_FEATURE_DIRECT_SYNTHETIC_TIMERS))
		skip("direct mode", "not promised");
	else if (test_group("alone"))
		for (uint32_t vp = 0; vp < bare.vp_count; vp++)
			bare_run_on(vp, direct_alone, NULL);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		bare_run_on(vp, on_vp, NULL);
	if (test_group("all"))
		all_vps();
}
