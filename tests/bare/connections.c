// SPDX-License-Identifier: Apache-2.0
/*
 * Message and event connections, on all VPs at the same time: to oneself, to the next VP, to
 * a slot that is busy, on a flag that is set. Each step is checked for its status, what it
 * leaves in memory, and the number of interrupts. SINT 8 and 9 with AutoEOI where that is not
 * deprecated. Needs the test device at port 0x3000.
 */
#include "tests/bare/bare_test.h"

#define SINT_MESSAGE   8u
#define SINT_EVENT     9u
#define VECTOR_MESSAGE 0xb0u
#define VECTOR_EVENT   0xb1u
#define MESSAGES       0x10u /* connection of VP 0; + VP */
#define EVENTS	       0x20u
#define TYPE	       0x12345678u
#define VPS_MAX	       16u

/* What a step left behind; evidence if it is not what it should be. */
struct step {
	const char *name;
	bool is_message; /* else an event */
	bool is_next;	 /* to the next VP, else to oneself */
	bool is_new;	 /* the slot shall have this step's payload, not the one before */
	uint8_t pending; /* of the slot */
	uint32_t interrupts;
};

/* `is_next` steps end before the next begins: each VP is then only its neighbour's target. */
static const struct step steps[] = {
	{"a message to oneself", true, false, true, 0, 1},
	{"a message to a busy slot of one's own", true, false, false, 1, 0},
	{"an event to oneself", false, false, true, 0, 1},
	{"an event to oneself whose flag is set", false, false, true, 0, 0},
	{"a message to the next VP", true, true, true, 0, 1},
	{"a message to a busy slot of the next VP", true, true, false, 1, 0},
	{"an event to the next VP", false, true, true, 0, 1},
	{"an event to the next VP whose flag is set", false, true, true, 0, 0},
};

static const struct step *step;
static uint64_t payloads[BARE_VPS_MAX]; /* of the message that is in the slot, by target */
static uint16_t statuses[BARE_VPS_MAX];
static uint32_t sequence;

static uint32_t target_of(uint32_t vp)
{
	return step->is_next ? (vp + 1) % bare.vp_count : vp;
}

static volatile struct hv_message_wire *slot(uint32_t vp)
{
	return (volatile struct hv_message_wire *)(void *)(bare.vps[vp].hv.synic[vp].messages.va +
							   SINT_MESSAGE * HV_MESSAGE_BYTES);
}

static uint64_t flags(uint32_t vp, uint32_t connection)
{
	const volatile uint64_t *page =
		(const volatile uint64_t *)(void *)bare.vps[vp].hv.synic[vp].events.va;

	return page[SINT_EVENT * (HV_EVENT_FLAG_COUNT / 64) + connection / 64] >> connection % 64 &
	       1;
}

static void enable(void *ctx)
{
	struct winhv *hv = bare_winhv();
	const uint64_t automatic = test_is_recommended(HV_RECOMMEND_NO_AUTO_EOI) ? 0
										 : HV_SINT_AUTO_EOI;

	(void)ctx;
	(void)winhv_synic_enable(hv, hv->vp, SINT_MESSAGE, VECTOR_MESSAGE);
	(void)winhv_synic_enable(hv, hv->vp, SINT_EVENT, VECTOR_EVENT);
	(void)test_write(HV_X64_MSR_SINT0 + SINT_MESSAGE, VECTOR_MESSAGE | automatic);
	(void)test_write(HV_X64_MSR_SINT0 + SINT_EVENT, VECTOR_EVENT | automatic);
}

/* Counted by vector and VP; which of them came in this step is the difference. */
static void act(void *ctx)
{
	struct winhv *hv = bare_winhv();
	const uint32_t target = target_of(hv->vp);
	const uint64_t payload = (uint64_t)sequence << 32 | hv->vp << 8 | target;

	(void)ctx;
	statuses[hv->vp] = 0xffff;
	if (step->is_message)
		(void)winhv_post_message(
			hv, MESSAGES + target, TYPE, &payload, sizeof payload, &statuses[hv->vp]);
	else
		statuses[hv->vp] = (uint16_t)winhv_signal_event(hv, EVENTS + target, 0);
	if (step->is_message && step->is_new)
		payloads[target] = payload;
}

static bool message_is_right(uint32_t vp, char *why, size_t bytes)
{
	volatile struct hv_message_wire *message = slot(vp);
	uint64_t payload;

	__builtin_memcpy(&payload, (const void *)(uintptr_t)message->payload, sizeof payload);
	if (message->type == TYPE && message->payload_size == sizeof payload &&
		payload == payloads[vp] && (message->flags & 1) == step->pending)
		return true;
	(void)bare_print_to(why, bytes,
		"VP %u: type 0x%x, %u bytes, pending %u, payload %lx for %lx", vp, message->type,
		message->payload_size, message->flags & 1, payload, payloads[vp]);
	return false;
}

static void verify(const uint32_t *before)
{
	const unsigned vector = step->is_message ? VECTOR_MESSAGE : VECTOR_EVENT;
	char why[160] = "";
	bool is_right = true;

	for (uint32_t vp = 0; vp < bare.vp_count && is_right; vp++) {
		const uint32_t interrupts = test_interrupts[vp][vector] - before[vp];
		if (statuses[vp] != 0) {
			(void)bare_print_to(
				why, sizeof why, "VP %u: status 0x%x", vp, statuses[vp]);
			is_right = false;
		} else if (interrupts != step->interrupts) {
			(void)bare_print_to(why, sizeof why, "VP %u: %u interrupts in place of %u",
				vp, interrupts, step->interrupts);
			is_right = false;
		} else if (step->is_message) {
			is_right = message_is_right(vp, why, sizeof why);
		} else if (!flags(vp, EVENTS + vp)) {
			(void)bare_print_to(why, sizeof why, "VP %u: the flag is not set", vp);
			is_right = false;
		}
	}
	check(is_right, step->name, "%s", why);
}

static void step_run(const struct step *next)
{
	const unsigned vector = next->is_message ? VECTOR_MESSAGE : VECTOR_EVENT;
	uint32_t before[BARE_VPS_MAX] = {0};

	step = next;
	sequence++;
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		before[vp] = test_interrupts[vp][vector];
	bare_run_on_all(act, NULL);
	for (uint32_t vp = 0; vp < bare.vp_count && step->interrupts; vp++)
		(void)test_interrupts_reach(vp, vector, before[vp] + step->interrupts);
	bare_pause(TEST_SETTLE);
	verify(before);
}

static void release(void *ctx)
{
	const uint32_t vp = bare_vp()->index;

	(void)ctx;
	slot(vp)->type = HV_MESSAGE_TYPE_NONE;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	(void)test_write(HV_X64_MSR_EOM, 0);
}

/* The message that had to wait: it comes into the slot when EOM says that it is free. */
static void waiting_comes(const char *name)
{
	static const struct step after = {"", true, false, true, 0, 1};
	uint32_t before[BARE_VPS_MAX] = {0};
	bool is_right = true;
	char why[160] = "";
	uint64_t payload;

	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		before[vp] = test_interrupts[vp][VECTOR_MESSAGE];
	bare_run_on_all(release, NULL);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		(void)test_interrupts_reach(vp, VECTOR_MESSAGE, before[vp] + 1);
	bare_pause(TEST_SETTLE);
	for (uint32_t vp = 0; vp < bare.vp_count && is_right; vp++) {
		const uint32_t interrupts = test_interrupts[vp][VECTOR_MESSAGE] - before[vp];
		__builtin_memcpy(
			&payload, (const void *)(uintptr_t)slot(vp)->payload, sizeof payload);
		payloads[vp] = (uint64_t)sequence << 32 | (payload & 0xffffffff);
		step = &after;
		is_right = interrupts == 1 && message_is_right(vp, why, sizeof why);
		if (interrupts != 1)
			(void)bare_print_to(
				why, sizeof why, "VP %u: %u interrupts", vp, interrupts);
	}
	check(is_right, name, "%s", why);
	bare_run_on_all(release, NULL);
	bare_pause(TEST_SETTLE);
}

static void clear_flags(void *ctx)
{
	struct winhv *hv = bare_winhv();

	(void)ctx;
	for (unsigned word = 0; word < HV_EVENT_FLAG_COUNT / 64; word++)
		(void)winhv_events_take(hv, hv->vp, SINT_EVENT, word);
}

static void connections(uint32_t message_command, uint32_t event_command)
{
	for (uint32_t vp = 0; vp < bare.vp_count; vp++) {
		test_device(message_command, vp, SINT_MESSAGE, MESSAGES + vp);
		test_device(event_command, vp, SINT_EVENT, EVENTS + vp);
	}
}

void test_main(void)
{
	const bool is_automatic = !test_is_recommended(HV_RECOMMEND_NO_AUTO_EOI);

	if (!test_has(HV_PRIVILEGE_ACCESS_SYNIC | HV_PRIVILEGE_POST_MESSAGES |
		      HV_PRIVILEGE_SIGNAL_EVENTS)) {
		skip("connections", "SynIC, messages or events are not promised");
		return;
	}
	if (!test_hypercalls("hypercall page"))
		return;
	if (!test_device_exists()) {
		skip("connections", "no test device at port 0x3000");
		return;
	}
	if (bare.vp_count > VPS_MAX)
		bare.vp_count = VPS_MAX;
	test_count_vector(VECTOR_MESSAGE, !is_automatic);
	test_count_vector(VECTOR_EVENT, !is_automatic);
	bare_run_on_all(enable, NULL);
	connections(TEST_DEVICE_MSG_CREATE, TEST_DEVICE_EVT_CREATE);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		step_run(&steps[i]);
		if (steps[i].is_message && !steps[i].is_new)
			waiting_comes(steps[i].is_next ? "... comes after EOM, on the next VP"
						       : "... comes after EOM");
		if (!steps[i].is_message && steps[i].interrupts == 0)
			bare_run_on_all(clear_flags, NULL);
	}
	connections(TEST_DEVICE_MSG_DESTROY, TEST_DEVICE_EVT_DESTROY);
	uint16_t status = 0;
	(void)winhv_post_message(bare_winhv(), MESSAGES, TYPE, NULL, 0, &status);
	check(status == HV_STATUS_INVALID_CONNECTION_ID, "a connection that has gone is unknown",
		"status 0x%x", status);
}
