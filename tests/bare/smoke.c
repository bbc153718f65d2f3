// SPDX-License-Identifier: Apache-2.0
/*
 * The shortest way through everything: hypercall page, SynIC, a message and an event from
 * this VP to itself, a timer. Small enough for the slowest emulator.
 */
#include "tests/bare/bare_test.h"

#define CONNECTION_MESSAGE 0x10u
#define CONNECTION_EVENT   0x20u
#define SINT_MESSAGE	   4u
#define SINT_EVENT	   5u
#define SINT_TIMER	   6u
#define VECTOR_MESSAGE	   0xb4u
#define VECTOR_EVENT	   0xb5u
#define VECTOR_TIMER	   0xb6u

static void calls(struct winhv *hv)
{
	uint16_t status = 0xffff;

	check(hv->code.va[0] != 0, "the hypercall page has code", "its first byte is 0");
	int error = winhv_signal_event(hv, 0x777777, 0);
	check(error == HV_STATUS_INVALID_CONNECTION_ID, "a signal to nobody",
		"status 0x%x in place of 0x12", (unsigned)error);
	error = winhv_post_message(hv, 0x777777, 1, "x", 1, &status);
	check(!error && status == HV_STATUS_INVALID_CONNECTION_ID, "a message to nobody",
		"error %d, status 0x%x in place of 0x12", error, status);
}

static void message(struct winhv *hv)
{
	struct winhv_message got = {0};
	uint16_t status = 0xffff;

	test_count_vector(VECTOR_MESSAGE, true);
	check(winhv_synic_enable(hv, 0, SINT_MESSAGE, VECTOR_MESSAGE) == 0,
		"the SynIC can be enabled", "error");
	test_device(TEST_DEVICE_MSG_CREATE, 0, SINT_MESSAGE, CONNECTION_MESSAGE);
	const int error = winhv_post_message(
		hv, CONNECTION_MESSAGE, 0x1234, "viridian", 8, &status);
	check(!error && status == 0, "a message to oneself is taken", "error %d, status 0x%x",
		error, status);
	check(test_interrupts_reach(0, VECTOR_MESSAGE, 1), "its interrupt comes", "none");
	const bool is_there = winhv_message_take(hv, 0, SINT_MESSAGE, &got);
	check(is_there && got.type == 0x1234 && got.bytes == 8 &&
			__builtin_memcmp(got.payload, "viridian", 8) == 0,
		"the message is in the slot", "type 0x%x, %u bytes", got.type, got.bytes);
	test_device(TEST_DEVICE_MSG_DESTROY, 0, SINT_MESSAGE, CONNECTION_MESSAGE);
}

static void event(struct winhv *hv)
{
	test_count_vector(VECTOR_EVENT, true);
	(void)winhv_synic_enable(hv, 0, SINT_EVENT, VECTOR_EVENT);
	test_device(TEST_DEVICE_EVT_CREATE, 0, SINT_EVENT, CONNECTION_EVENT);
	const int status = winhv_signal_event(hv, CONNECTION_EVENT, 0);
	check(status == 0, "a signal to oneself is taken", "status 0x%x", (unsigned)status);
	check(test_interrupts_reach(0, VECTOR_EVENT, 1), "its interrupt comes", "none");
	const uint64_t flags = winhv_events_take(hv, 0, SINT_EVENT, CONNECTION_EVENT / 64);
	check(flags == 1ull << CONNECTION_EVENT % 64, "the event flag is set", "flags 0x%lx",
		flags);
	test_device(TEST_DEVICE_EVT_DESTROY, 0, SINT_EVENT, CONNECTION_EVENT);
}

static void timer(struct winhv *hv)
{
	struct winhv_message got = {0};

	if (!test_has(
		    HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMERS | HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER)) {
		skip("a timer message", "no synthetic timers, or no reference counter, promised");
		return;
	}
	test_count_vector(VECTOR_TIMER, true);
	(void)winhv_synic_enable(hv, 0, SINT_TIMER, VECTOR_TIMER);
	const uint64_t due = winhv_time_100ns(hv) + TEST_MS;
	(void)test_write(HV_X64_MSR_STIMER0_COUNT, due);
	(void)test_write(HV_X64_MSR_STIMER0_CONFIG,
		HV_STIMER_ENABLED | (uint64_t)SINT_TIMER << HV_STIMER_SINT_SHIFT);
	check(test_interrupts_reach(0, VECTOR_TIMER, 1), "the timer's interrupt comes", "none");
	check(winhv_message_take(hv, 0, SINT_TIMER, &got) &&
			got.type == HV_MESSAGE_TYPE_TIMER_EXPIRED,
		"a timer message", "type 0x%x", got.type);
	check(winhv_time_100ns(hv) >= due, "... and not before its time", "early");
}

void test_main(void)
{
	struct winhv *hv = bare_winhv();

	check(bare.vp_count > 0, "the machine starts", "no VP");
	bare_printf("# %u VPs run\n", bare.vp_count);
	if (!test_hypercalls("hypercalls"))
		return;
	calls(hv);
	if (!test_has(HV_PRIVILEGE_ACCESS_SYNIC | HV_PRIVILEGE_POST_MESSAGES |
		      HV_PRIVILEGE_SIGNAL_EVENTS)) {
		skip("message, event and timer", "SynIC, messages or events are not promised");
		return;
	}
	if (test_device_exists()) {
		message(hv);
		event(hv);
	} else {
		skip("message and event", "no test device at port 0x3000");
	}
	timer(hv);
	winhv_shutdown(hv);
}
