// SPDX-License-Identifier: Apache-2.0
/*
 * Signals, both ways: by which id the guest reaches the host, and which flag of which VP the host
 * sets. With a storage controller, which answers what it is asked.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_storage.h"

static const union conform_packet begin = {.header = {.operation = STORAGE_OP_BEGIN_INITIALIZATION,
						   .flags = STORAGE_PACKET_COMPLETION_REQUESTED}};

/* A request that every state of the controller answers, into the ring; not signalled. */
static bool put(struct conform_target *t, struct conform_channel *channel)
{
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.payload_bytes = sizeof begin,
		.transaction_id = ++channel->next_id,
	};
	const enum ring_status status = ring_send(&channel->out, &header, NULL, &begin);

	(void)ring_flush(&channel->out);
	return status == RING_OK || conform_no(t, "the ring is %s", ring_status_name(status));
}

static bool flag_take(struct conform_target *t, uint32_t vp, uint32_t flag)
{
	uint32_t sints;

	(void)winhv_wait(t->hv, vp, 0, &sints);
	return winhv_events_take(t->hv, vp, VMBUS_SINT, flag / 64) & 1ull << flag % 64;
}

/* Ask, by the channel's id: the answer comes with this flag of this VP. */
static bool event_is(
	struct conform_target *t, struct conform_channel *channel, uint32_t vp, uint32_t flag)
{
	(void)flag_take(t, vp, flag);
	if (ring_reader_arm(&channel->in))
		return conform_no(t, "data is there already");
	if (!put(t, channel))
		return false;
	const uint16_t status = conform_channel_signal(t, channel);
	if (status != HV_STATUS_SUCCESS)
		return conform_no(
			t, "connection id 0x%x: status 0x%x", channel->connection_id, status);
	return conform_event(t, vp, flag) && conform_channel_answered(t, channel, "a signal");
}

#define OFFERED                                                                                    \
	NEED(conform_offer(t, &guid_storage) != NULL, "the host offers no SCSI controller");       \
	TRY(conform_channel_lend(t, &channel, conform_offer(t, &guid_storage), 2));                \
	struct vmbus_open_channel_wire open = conform_channel_request(&channel)
#define LENT                                                                                       \
	struct conform_channel channel;                                                            \
	TRY(conform_bus_offers(t));                                                                \
	OFFERED
#define SIGNAL_PARAMETERS                                                                          \
	struct conform_channel channel;                                                            \
	TRY(conform_bus_connect(t));                                                               \
	NEED(t->bus.version >= VMBUS_VERSION_6_0, "the host does not take version 6.0");           \
	TRY(conform_bus_contact(t, VMBUS_VERSION_6_0, VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS));     \
	NEED(t->bus.features &VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS,                               \
		"feature 0x01 is not granted");                                                    \
	TRY(conform_bus_request_offers(t));                                                        \
	OFFERED;                                                                                   \
	open.connection_id = 0x123456;                                                             \
	open.event_flag = 1077

/* OPEN_CHANNEL of 156 bytes, which must succeed. */
static bool opened(struct conform_target *t, const struct vmbus_open_channel_wire *open)
{
	struct vmbus_open_channel_result_wire result;

	return conform_bus_post(t, open, VMBUS_OPEN_CHANNEL_EXTENDED_BYTES) &&
	       conform_bus_expect(t, VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, &result, sizeof result) &&
	       (result.status == VMBUS_STATUS_SUCCESS ||
		       conform_no(t, "OPEN_CHANNEL gave 0x%x", result.status));
}

/* The tail says other things, and counts for nothing. */
static enum conform_verdict by_the_offer(struct conform_target *t)
{
	LENT;
	open.connection_id = 0x123456;
	open.event_flag = 1077;
	TRY(opened(t, &open));
	TRY(event_is(t, &channel, 0, channel.relid));
	EXPECT(!flag_take(t, 0, 1077), "the flag of the tail was set");
	EXPECT(winhv_signal_event(t->hv, 0x123456, 0) != HV_STATUS_SUCCESS,
		"the id of the tail can be signalled");
	return CONFORM_PASS;
}

static enum conform_verdict by_the_guest(struct conform_target *t)
{
	SIGNAL_PARAMETERS;
	TRY(opened(t, &open));
	channel.connection_id = open.connection_id;
	(void)flag_take(t, 0, channel.relid);
	TRY(event_is(t, &channel, 0, open.event_flag));
	EXPECT(!flag_take(t, 0, channel.relid), "the flag of the relid was set");
	return CONFORM_PASS;
}

static enum conform_verdict unknown_flags(struct conform_target *t)
{
	SIGNAL_PARAMETERS;
	open.flags = (uint16_t)~VMBUS_OPEN_REDIRECT_INTERRUPT;
	TRY(opened(t, &open));
	channel.connection_id = open.connection_id;
	TRY(event_is(t, &channel, 0, open.event_flag));
	return CONFORM_PASS;
}

static enum conform_verdict no_events(struct conform_target *t)
{
	uint32_t status;
	LENT;
	open.target_vp = VMBUS_TARGET_VP_NONE;
	TRY(conform_channel_ask(t, &open, &status));
	EXPECT(status == VMBUS_STATUS_SUCCESS, "status 0x%x", status);
	EXPECT(!ring_reader_arm(&channel.in), "data is there already");
	for (unsigned i = 0; i < 4; i++) {
		TRY(put(t, &channel));
		(void)conform_channel_signal(t, &channel);
		TRY(conform_channel_answered(t, &channel, "a signal"));
	}
	TRY(conform_bus_quiet(t, "a request")); /* the host has gone on to something else */
	EXPECT(!flag_take(t, 0, channel.relid), "an event was set on VP 0");
	return CONFORM_PASS;
}

/* In the ring and signalled before the host has answered OPEN_CHANNEL. */
static enum conform_verdict early(struct conform_target *t)
{
	struct vmbus_open_channel_result_wire result;
	LENT;
	EXPECT(!ring_reader_arm(&channel.in), "data is there already");
	TRY(conform_bus_post(t, &open, VMBUS_OPEN_CHANNEL_BYTES));
	TRY(put(t, &channel));
	(void)conform_channel_signal(t, &channel); /* there is no channel yet, or there is */
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, &result, sizeof result));
	EXPECT(result.status == VMBUS_STATUS_SUCCESS, "status 0x%x", result.status);
	TRY(conform_event(t, 0, channel.relid));
	TRY(conform_channel_answered(t, &channel, "a signal"));
	return CONFORM_PASS;
}

/* ---- moved ----------------------------------------------------------------------------------- */

static bool move(
	struct conform_target *t, const struct conform_channel *channel, uint32_t vp, bool is_good)
{
	const struct vmbus_modify_channel_wire message = {
		.header.type = VMBUS_MESSAGE_MODIFY_CHANNEL,
		.relid = channel->relid,
		.target_vp = vp};
	struct vmbus_modify_channel_response_wire response;

	if (!conform_bus_post(t, &message, sizeof message) ||
		!conform_bus_expect(
			t, VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE, &response, sizeof response))
		return false;
	return (response.relid == channel->relid && (response.status == 0) == is_good) ||
	       conform_no(t, "VP %u: relid %u, status 0x%x", vp, response.relid, response.status);
}
#define MOVABLE                                                                                    \
	LENT;                                                                                      \
	NEED(vmbus_version_has(t->bus.version, VMBUS_CAP_MODIFY_RESPONSE),                         \
		"the host's highest version has no answer to MODIFY_CHANNEL")

static enum conform_verdict moved(struct conform_target *t)
{
	MOVABLE;
	EXPECT(winhv_synic_enable(t->hv, 1, VMBUS_SINT, CONFORM_VECTOR) == 0, "no SynIC on VP 1");
	TRY(opened(t, &open));
	TRY(move(t, &channel, 1, true));
	(void)flag_take(t, 0, channel.relid);
	TRY(event_is(t, &channel, 1, channel.relid));
	EXPECT(!flag_take(t, 0, channel.relid), "an event was set on VP 0, too");
	TRY(move(t, &channel, 0, true));
	TRY(event_is(t, &channel, 0, channel.relid));
	return CONFORM_PASS;
}

static enum conform_verdict stays(struct conform_target *t)
{
	MOVABLE;
	EXPECT(winhv_synic_enable(t->hv, 1, VMBUS_SINT, CONFORM_VECTOR) == 0, "no SynIC on VP 1");
	TRY(opened(t, &open));
	TRY(move(t, &channel, 1, true));
	TRY(move(t, &channel, 4095, false));
	TRY(event_is(t, &channel, 1, channel.relid));
	return CONFORM_PASS;
}

static enum conform_verdict never_moves(struct conform_target *t)
{
	MOVABLE;
	open.target_vp = VMBUS_TARGET_VP_NONE;
	TRY(opened(t, &open));
	TRY(move(t, &channel, 0, false));
	return CONFORM_PASS;
}

/* Below 4.1 there is no moving, and no answer that would say so. */
static enum conform_verdict not_moved(struct conform_target *t)
{
	struct conform_channel channel;
	uint32_t status;
	EXPECT(winhv_synic_enable(t->hv, 1, VMBUS_SINT, CONFORM_VECTOR) == 0, "no SynIC on VP 1");
	TRY(conform_bus_contact(t, VMBUS_VERSION_3_0, 0));
	TRY(conform_bus_request_offers(t));
	OFFERED;
	TRY(conform_channel_ask(t, &open, &status));
	EXPECT(status == VMBUS_STATUS_SUCCESS, "status 0x%x", status);
	const struct vmbus_modify_channel_wire message = {
		.header.type = VMBUS_MESSAGE_MODIFY_CHANNEL,
		.relid = channel.relid,
		.target_vp = 1};
	TRY(conform_bus_post(t, &message, sizeof message));
	TRY(conform_bus_quiet(t, "MODIFY_CHANNEL at 3.0"));
	TRY(event_is(t, &channel, 0, channel.relid));
	return CONFORM_PASS;
}

/* Opened as reserved; its answers come to the connection's slot here. */
static enum conform_verdict reserved(struct conform_target *t)
{
	struct vmbus_open_channel_result_wire result;
	struct vmbus_close_reserved_response_wire closed;
	LENT;
	NEED(vmbus_version_has(t->bus.version, VMBUS_CAP_RESERVED_CHANNELS),
		"the host's highest version has no reserved channels");
	const struct vmbus_open_reserved_channel_wire reserve = {
		.header.type = VMBUS_MESSAGE_OPEN_RESERVED_CHANNEL,
		.relid = channel.relid,
		.target_sint = VMBUS_SINT,
		.ring_gpadl_id = channel.gpadl_id,
		.downstream_page_offset = open.downstream_page_offset};
	const struct vmbus_close_reserved_channel_wire close = {
		.header.type = VMBUS_MESSAGE_CLOSE_RESERVED_CHANNEL,
		.relid = channel.relid,
		.target_sint = VMBUS_SINT};
	EXPECT(!ring_reader_arm(&channel.in), "data is there already");
	TRY(conform_bus_post(t, &reserve, sizeof reserve));
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, &result, sizeof result));
	NEED(result.status == 0, "the controller cannot be reserved (status 0x%x)", result.status);
	TRY(put(t, &channel));
	(void)conform_channel_signal(t, &channel);
	TRY(conform_channel_answered(t, &channel, "a signal"));
	TRY(conform_bus_quiet(t, "a request"));
	const bool is_set = flag_take(t, 0, channel.relid);
	TRY(conform_bus_post(t, &close, sizeof close));
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_CLOSE_RESERVED_RESPONSE, &closed, sizeof closed));
	EXPECT(!is_set, "an event was set");
	return CONFORM_PASS;
}

/* ---- the interrupt page ---------------------------------------------------------------------- */

#define INTERRUPT_PAGE                                                                             \
	struct conform_channel channel;                                                            \
	TRY(conform_bus_contact(t, VMBUS_VERSION_1_1, 0));                                         \
	TRY(conform_bus_request_offers(t));                                                        \
	OFFERED;                                                                                   \
	uint32_t status;                                                                           \
	TRY(conform_channel_ask(t, &open, &status));                                               \
	EXPECT(status == VMBUS_STATUS_SUCCESS, "status 0x%x", status);                             \
	uint64_t *words = (uint64_t *)(void *)t->bus.interrupt_page.va;                            \
	uint64_t *to_host = words +                                                                \
			    offsetof(struct vmbus_interrupt_page_wire, to_host) / sizeof *words;   \
	const uint64_t bit = 1ull << channel.relid % 64

static enum conform_verdict page_to_guest(struct conform_target *t)
{
	INTERRUPT_PAGE;
	(void)to_host;
	TRY(event_is(t, &channel, 0, 0));
	EXPECT(__atomic_load_n(&words[channel.relid / 64], __ATOMIC_SEQ_CST) & bit,
		"flag 0 came without the bit of relid %u", channel.relid);
	return CONFORM_PASS;
}

/* With bits of a relid that is not open, and of one that is not offered. */
static enum conform_verdict page_to_host(struct conform_target *t)
{
	INTERRUPT_PAGE;
	(void)words;
	TRY(put(t, &channel));
	__atomic_store_n(&to_host[2047 / 64], 1ull << 2047 % 64, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&to_host[channel.relid / 64], bit, __ATOMIC_SEQ_CST);
	EXPECT(winhv_signal_event(t->hv, VMBUS_CONNECTION_EVENT, 0) == HV_STATUS_SUCCESS,
		"connection 2 cannot be signalled");
	TRY(conform_channel_answered(t, &channel, "a signal"));
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	while (__atomic_load_n(&to_host[channel.relid / 64], __ATOMIC_SEQ_CST) != 0 ||
		__atomic_load_n(&to_host[2047 / 64], __ATOMIC_SEQ_CST) != 0)
		EXPECT(conform_now(t) < deadline, "bits are left: 0x%llx, 0x%llx",
			(unsigned long long)to_host[channel.relid / 64],
			(unsigned long long)to_host[2047 / 64]);
	return CONFORM_PASS;
}

const struct conform_test conform_signal_tests[] = {
	{"R-MSG-012", "below 2.4 flag 0 says that the interrupt page has bits", page_to_guest,
		CONFORM_BUS, 0, 0},
	{"R-MSG-013", "below 2.4 bits of the interrupt page are signals", page_to_host, CONFORM_BUS,
		0, 0},
	{"R-OPEN-009", "flag and id are those of the offer", by_the_offer, CONFORM_BUS, 0, 0},
	{"R-OPEN-010", "with feature 0x01 flag and id are the guest's", by_the_guest, CONFORM_BUS,
		0, 0},
	{"R-OPEN-013", "unknown flags are ignored", unknown_flags, CONFORM_BUS, 0, 0},
	{"R-OPEN-014", "no event comes to a channel that wants none", no_events, CONFORM_BUS, 0, 0},
	{"R-OPEN-016", "a signal before the result is not lost", early, CONFORM_BUS, 0, 0},
	{"R-OPEN-027", "a reserved channel has no events", reserved, CONFORM_BUS, 0, 0},
	{"R-MOD-001", "events move to the new VP", moved, CONFORM_BUS | CONFORM_VP_1, 0, 0},
	{"R-MOD-004", "what was opened without events cannot be moved", never_moves, CONFORM_BUS, 0,
		0},
	{"R-MOD-005", "after a refusal events come to the old VP", stays,
		CONFORM_BUS | CONFORM_VP_1, 0, 0},
	{"R-MOD-007", "below 4.1 events stay where they are", not_moved, CONFORM_BUS | CONFORM_VP_1,
		0, 0},
};
const size_t conform_signal_test_count = sizeof conform_signal_tests /
					 sizeof conform_signal_tests[0];
