// SPDX-License-Identifier: Apache-2.0
/* Messages, events and silences that no sound host would give. */
#include "tests/conformance/linux/ic.h"

#include "protocol/hypervisor.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t garbage[VMBUS_MESSAGE_BYTES_MAX] = {0xde, 0xad, 0xbe, 0xef, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* ---- the message slot ------------------------------------------------------------------------ */

static enum conform_verdict slot_lies(struct conform_target *t, uint32_t type,
	uint8_t payload_bytes, uint8_t flags, uint32_t header_type)
{
	struct linux_guest *g = linux_guest_of(t);
	uint8_t payload[VMBUS_MESSAGE_BYTES_MAX];

	memcpy(payload, garbage, sizeof payload);
	memcpy(payload, &header_type, sizeof header_type);
	TRY(linux_slot(g, type, payload_bytes, flags, payload, sizeof payload));
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-MSG-007, R-HYP-004 */
static enum conform_verdict size_255(struct conform_target *t)
{
	return slot_lies(t, VMBUS_SYNIC_MESSAGE_TYPE, 255, 0, VMBUS_MESSAGE_OFFER_CHANNEL);
}
static enum conform_verdict size_241(struct conform_target *t)
{
	return slot_lies(t, VMBUS_SYNIC_MESSAGE_TYPE, 241, 0, VMBUS_MESSAGE_VERSION_RESPONSE);
}
static enum conform_verdict size_0(struct conform_target *t)
{
	return slot_lies(t, VMBUS_SYNIC_MESSAGE_TYPE, 0, 0, VMBUS_MESSAGE_UNLOAD_COMPLETE);
}
/* R-MSG-008 */
static enum conform_verdict synic_type(struct conform_target *t)
{
	return slot_lies(t, 0x1234, 240, 0, UINT32_MAX);
}
/* R-HYP-004: the time of a timer that it has not. */
static enum conform_verdict timer_message(struct conform_target *t)
{
	return slot_lies(t, HV_MESSAGE_TYPE_TIMER_EXPIRED, 24, 0, 3);
}
static enum conform_verdict intercept_message(struct conform_target *t)
{
	return slot_lies(t, HV_MESSAGE_TYPE_GPA_INTERCEPT, 240, 0, 3);
}
/* R-MSG-009: all flags; EOM is written where there is nothing more. */
static enum conform_verdict slot_flags(struct conform_target *t)
{
	return slot_lies(t, VMBUS_SYNIC_MESSAGE_TYPE, 8, 0xff, VMBUS_MESSAGE_ALL_OFFERS_DELIVERED);
}

/* R-MSG-008: types that there are not. */
static enum conform_verdict unknown_types(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	static const uint32_t types[] = {0, 25, 26, 29, 30, 255, 0x10000, 0x7fffffff, UINT32_MAX};
	uint8_t message[VMBUS_MESSAGE_BYTES_MAX];

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		memcpy(message, garbage, sizeof message);
		memcpy(message, &types[i], sizeof types[i]);
		linux_send(g, message, i % 2 ? 8 : sizeof message);
	}
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-MSG-008: those that only a guest sends. */
static enum conform_verdict guest_types(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	uint8_t message[VMBUS_MESSAGE_BYTES_MAX];

	for (uint32_t type = 1; type < VMBUS_MESSAGE_TYPE_MAX; type++) {
		const struct vmbus_message_info *info = vmbus_message_find(type);
		if (info == NULL || info->direction != VMBUS_GUEST_TO_HOST)
			continue;
		memcpy(message, garbage, sizeof message);
		memcpy(message, &type, sizeof type);
		linux_send(g, message, sizeof message);
	}
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-MSG-007: each type, too short for it. */
static enum conform_verdict short_messages(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	for (uint32_t type = 1; type < VMBUS_MESSAGE_TYPE_MAX; type++) {
		const struct vmbus_message_info *info = vmbus_message_find(type);
		if (info == NULL || info->min_bytes <= VMBUS_HEADER_BYTES)
			continue;
		const uint32_t words[] = {type, 0, channel->offer.relid, 0};
		linux_send(g, words, VMBUS_HEADER_BYTES);
		if (info->min_bytes > 12)
			linux_send(g, words, 12);
	}
	TRY(linux_ic_beat(channel, 2));
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-ROB-005 */
static enum conform_verdict log_is_bounded(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	char output[LINUX_OUTPUT_BYTES];

	TRY(linux_do(g, "dmesg -c >/dev/null") == 0);
	for (unsigned i = 0; i < 600; i++) {
		const uint32_t words[] = {100 + i, 0, 0, 0};
		linux_send(g, words, i % 2 ? sizeof words : 8);
		linux_send_words(g, VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER, &words[1], 1);
		linux_send(g, (const uint32_t[]){VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, 0}, 8);
	}
	TRY(linux_drained(g));
	TRY(linux_say(g, output, "dmesg | wc -l") == 0);
	EXPECT(atoi(output) < 200, "1800 messages that are none leave %s lines in its log", output);
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* ---- interrupts and events ------------------------------------------------------------------- */

/* R-SYNIC-011 */
static enum conform_verdict empty_interrupts(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);

	for (unsigned i = 0; i < 200; i++)
		(void)synic_interrupt_raise(g->partition, i % LINUX_VP_COUNT, VMBUS_SINT);
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-MSG-010 */
static enum conform_verdict all_events(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned flag = 0; flag < VMBUS_EVENT_FLAG_COUNT; flag++)
			(void)synic_event_set(
				g->partition, flag % LINUX_VP_COUNT, VMBUS_SINT, flag);
		TRY(linux_ic_beat(channel, round));
	}
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-MSG-010, R-RESC-022: events of a channel that is gone. */
static enum conform_verdict late_events(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	linux_rescind(g, channel);
	for (unsigned i = 0; i < 50; i++) {
		linux_event(channel);
		linux_turn(g, 0);
	}
	TRY(linux_released(g, channel));
	linux_event(channel);
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-SYNIC-013: all flags of all interrupts, at once, written as memory. */
static enum conform_verdict event_storm(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	for (unsigned i = 0; i < 2000; i++) {
		linux_event(channel);
		linux_turn(g, 0);
	}
	TRY(linux_ic_beat(channel, 77));
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-ROB-003: a second device of a service, with an instance of its own, and both go. */
static enum conform_verdict second_service(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *first = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	struct linux_channel *second = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(first != NULL && second != NULL);
	linux_rescind(g, second);
	TRY(linux_released(g, second));
	TRY(linux_ic_beat(first, 3));
	linux_rescind(g, first);
	TRY(linux_released(g, first));
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* ---- silence --------------------------------------------------------------------------------- */

static bool withhold(struct linux_guest *g, const struct linux_post *post)
{
	return post->type == g->count && linux_word(post, 8) == g->relid_next - 1;
}

static enum conform_verdict others_work(struct conform_target *t, uint32_t type)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *open = linux_ic_open(g, IC_TYPE_TIMESYNC);
	struct linux_ic_answer answer;

	TRY(open != NULL);
	struct linux_channel *silent = linux_offer_make(g, &guid_heartbeat);
	g->count = type;
	g->on_post = withhold;
	linux_offer_tell(g, silent);
	TRY(linux_await(g, type) != NULL);
	g->on_post = NULL;
	TRY(linux_ic_agree(open, IC_TYPE_TIMESYNC, &answer)); /* one that is open */
	if (!linux_ic_works(g))
		return conform_fail(t,
			"while one channel waits for an answer to %s, no other can "
			"be opened",
			vmbus_message_name(type));
	linux_rescind(g, silent);
	TRY(linux_released(g, silent));
	return CONFORM_PASS;
}

/* R-ROB-003 */
static enum conform_verdict silent_gpadl(struct conform_target *t)
{
	return others_work(t, VMBUS_MESSAGE_GPADL_HEADER);
}
static enum conform_verdict silent_open(struct conform_target *t)
{
	return others_work(t, VMBUS_MESSAGE_OPEN_CHANNEL);
}

#define ROW(rule, name, test)                                                                      \
	{                                                                                          \
		rule, name, test, LINUX_BUS, 0, 0                                                  \
	}
const struct conform_test linux_hostile_tests[] = {
	ROW("R-HYP-004", "a message of size 255 in the slot", size_255),
	ROW("R-MSG-007", "a message of size 241 in the slot", size_241),
	ROW("R-MSG-007", "a message of size 0 in the slot", size_0),
	ROW("R-MSG-008", "a SynIC message of an unknown type", synic_type),
	ROW("R-HYP-004", "a timer message of a timer that it has not", timer_message),
	ROW("R-MSG-008", "an intercept in the slot", intercept_message),
	ROW("R-MSG-009", "a message with all flags", slot_flags),
	ROW("R-MSG-008", "control messages of unknown types", unknown_types),
	ROW("R-MSG-008", "control messages that only a guest sends", guest_types),
	ROW("R-SYNIC-011", "interrupts without a message", empty_interrupts),
	ROW("R-MSG-010", "all event flags, 0 and those of no channel", all_events),
	ROW("R-MSG-010", "events of a channel that is rescinded", late_events),
	ROW("R-SYNIC-013", "2000 events without data", event_storm),
	ROW("R-ROB-003", "a second heartbeat, and both go", second_service),
	ROW("R-ROB-005", "what it logs of bad messages is bounded", log_is_bounded),
	ROW("R-MSG-007", "control messages that are too short", short_messages),
	ROW("R-ROB-003", "no answer to a GPADL: other channels work", silent_gpadl),
	ROW("R-ROB-003", "no answer to an open: other channels work", silent_open),
};
const size_t linux_hostile_test_count = sizeof linux_hostile_tests / sizeof *linux_hostile_tests;
