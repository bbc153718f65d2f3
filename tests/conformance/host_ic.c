// SPDX-License-Identifier: Apache-2.0
/*
 * Integration components from the guest's side: negotiation, and the first messages of
 * heartbeat, time synchronisation and key-value pairs.
 */
#include "protocol/heartbeat.h"
#include "protocol/ic.h"
#include "protocol/kvp.h"
#include "protocol/timesync.h"
#include "tests/conformance/conform_areas.h"

#define RING_PAGES 5u /* a message of 13312 bytes, and some */

#define PAYLOAD_PAGES ((IC_PAYLOAD_MAX_BYTES + WINHV_PAGE_BYTES - 1) / WINHV_PAGE_BYTES)

/* One message of the host, as it lay in the ring. */
struct received {
	uint16_t packet_type;
	uint64_t transaction_id; /* of the descriptor */
	uint32_t bytes;
	uint8_t *payload;	   /* PAYLOAD_PAGES: stacks are small on bare metal */
	struct ic_message message; /* body in payload */
};

static bool receive(
	struct conform_target *t, struct conform_channel *channel, struct received *received)
{
	struct packet_view view;

	if (!conform_channel_receive(t, channel, &view))
		return false;
	received->packet_type = view.type;
	received->transaction_id = view.transaction_id;
	received->bytes = view.payload_bytes;
	if (received->payload == NULL || view.payload_bytes > IC_PAYLOAD_MAX_BYTES) {
		conform_channel_done(t, channel, &view);
		return conform_no(t, "there is no room for %u bytes", received->bytes);
	}
	__builtin_memcpy(received->payload, view.payload, view.payload_bytes);
	conform_channel_done(t, channel, &view);
	const enum ic_rejection reason = ic_message_decode(
		received->payload, received->bytes, &received->message);
	return reason == IC_OK ||
	       conform_no(t, "a message is broken: %s", ic_rejection_name(reason));
}

static bool send(struct conform_target *t, struct conform_channel *channel, const void *payload,
	uint32_t bytes, uint64_t transaction_id)
{
	const struct packet_header header = {.type = PACKET_TYPE_INBAND,
		.payload_bytes = bytes,
		.transaction_id = transaction_id};

	return conform_channel_send(t, channel, &header, NULL, payload);
}

/* Answer the negotiation request with the one version of each list that `message` names. */
static bool agree(struct conform_target *t, struct conform_channel *channel,
	const struct received *request, struct ic_version_wire message)
{
	const struct ic_agreement agreement = {.framework = {3, 0}, .message = message};
	uint8_t answer[IC_NEGOTIATE_MAX_BYTES];
	const size_t bytes = ic_negotiate_answer(
		request->payload, request->bytes, &agreement, answer, sizeof answer);

	return bytes != 0 ? send(t, channel, answer, (uint32_t)bytes, request->transaction_id)
			  : conform_no(t, "the negotiation request cannot be answered");
}

/* Is this version in the second list of a negotiation request? */
static bool is_listed(const struct received *request, struct ic_version_wire wanted)
{
	struct ic_negotiate_wire counts;
	struct ic_version_wire version;

	__builtin_memcpy(&counts, request->message.body, sizeof counts);
	for (unsigned i = 0; i < counts.message_count; i++) {
		const size_t at = sizeof counts +
				  (size_t)(counts.framework_count + i) * sizeof version;
		if (at + sizeof version > request->message.body_bytes)
			return false;
		__builtin_memcpy(&version, request->message.body + at, sizeof version);
		if (ic_version_compare(version, wanted) == 0)
			return true;
	}
	return false;
}

#define OPENED(interface)                                                                          \
	struct conform_channel channel;                                                            \
	struct received received = {                                                               \
		.payload = conform_pages(t, (size_t)PAYLOAD_PAGES * WINHV_PAGE_BYTES).va};         \
	TRY(conform_bus_offers(t));                                                                \
	const struct vmbus_offer_channel_wire *offer = conform_offer(t, &interface);               \
	NEED(offer != NULL, "the host offers no " #interface);                                     \
	TRY(conform_channel_open(t, &channel, offer, RING_PAGES));                                 \
	TRY(receive(t, &channel, &received))
#define AGREED(interface, major, minor)                                                            \
	OPENED(interface);                                                                         \
	const struct ic_version_wire version = {major, minor};                                     \
	NEED(is_listed(&received, version), "the host does not list version %u.%u", major, minor); \
	TRY(agree(t, &channel, &received, version))

static enum conform_verdict speaks_first(struct conform_target *t)
{
	OPENED(guid_heartbeat);
	EXPECT(received.packet_type == PACKET_TYPE_INBAND, "packet type %u", received.packet_type);
	EXPECT(received.message.header.type == IC_TYPE_NEGOTIATE, "message type %u",
		received.message.header.type);
	EXPECT(received.message.header.flags == IC_FLAGS_REQUEST, "flags 0x%x",
		received.message.header.flags);
	return CONFORM_PASS;
}

static enum conform_verdict lists(struct conform_target *t)
{
	struct ic_negotiate_wire counts;
	OPENED(guid_heartbeat);
	EXPECT(received.message.body_bytes >= sizeof counts, "a body of %zu bytes",
		received.message.body_bytes);
	__builtin_memcpy(&counts, received.message.body, sizeof counts);
	EXPECT(counts.framework_count >= 1 && counts.framework_count <= IC_VERSIONS_MAX &&
			counts.message_count >= 1 && counts.message_count <= IC_VERSIONS_MAX,
		"%u framework versions, %u message versions", counts.framework_count,
		counts.message_count);
	EXPECT(received.message.body_bytes ==
			sizeof counts + 4u * (counts.framework_count + counts.message_count),
		"a body of %zu bytes for %u and %u versions", received.message.body_bytes,
		counts.framework_count, counts.message_count);
	return CONFORM_PASS;
}

static enum conform_verdict pipe_header(struct conform_target *t)
{
	struct packet_pipe_wire pipe;
	OPENED(guid_heartbeat);
	__builtin_memcpy(&pipe, received.payload, sizeof pipe);
	EXPECT(pipe.type == PACKET_PIPE_DATA, "pipe type %u", pipe.type);
	return CONFORM_PASS;
}

static enum conform_verdict pipe_length(struct conform_target *t)
{
	struct packet_pipe_wire pipe;
	OPENED(guid_heartbeat);
	__builtin_memcpy(&pipe, received.payload, sizeof pipe);
	EXPECT(pipe.length >= IC_HEADER_BYTES && pipe.length <= received.bytes - sizeof pipe,
		"a pipe length of %u in %u bytes", pipe.length, received.bytes);
	return CONFORM_PASS;
}

static enum conform_verdict flag_bits(struct conform_target *t)
{
	AGREED(guid_heartbeat, 3, 0);
	EXPECT(received.message.header.flags == IC_FLAGS_REQUEST, "flags 0x%x in negotiation",
		received.message.header.flags);
	TRY(receive(t, &channel, &received));
	EXPECT(received.message.header.flags == IC_FLAGS_REQUEST, "flags 0x%x after it",
		received.message.header.flags);
	return CONFORM_PASS;
}

static enum conform_verdict agreed_in_header(struct conform_target *t)
{
	AGREED(guid_heartbeat, 3, 0);
	TRY(receive(t, &channel, &received));
	EXPECT(ic_version_compare(received.message.header.message, version) == 0 &&
			received.message.header.framework.major == 3,
		"framework %u.%u, message %u.%u", received.message.header.framework.major,
		received.message.header.framework.minor, received.message.header.message.major,
		received.message.header.message.minor);
	return CONFORM_PASS;
}

/*
 * A mutilated answer to the negotiation agrees on 1.0; the right one after it, on 3.0, is still
 * taken, and it is the one that is.
 */
static enum conform_verdict goes_on(struct conform_target *t, size_t at, uint8_t value)
{
	const struct ic_version_wire version = {3, 0};
	OPENED(guid_heartbeat);
	const struct ic_agreement agreement = {.framework = {3, 0}, .message = {1, 0}};
	NEED(is_listed(&received, agreement.message) && is_listed(&received, version),
		"the host does not list versions 1.0 and 3.0");
	uint8_t answer[IC_NEGOTIATE_MAX_BYTES];
	const size_t bytes = ic_negotiate_answer(
		received.payload, received.bytes, &agreement, answer, sizeof answer);
	EXPECT(bytes != 0, "the negotiation request cannot be answered");
	answer[at] = value;
	TRY(send(t, &channel, answer, (uint32_t)bytes, received.transaction_id));
	TRY(agree(t, &channel, &received, version));
	TRY(receive(t, &channel, &received));
	EXPECT(received.message.header.type == IC_TYPE_HEARTBEAT &&
			ic_version_compare(received.message.header.message, version) == 0,
		"message type %u of version %u.%u came", received.message.header.type,
		received.message.header.message.major, received.message.header.message.minor);
	return CONFORM_PASS;
}
#define IN_HEADER(field) (PACKET_PIPE_HEADER_BYTES + offsetof(struct ic_header_wire, field))

static enum conform_verdict stale_type(struct conform_target *t)
{
	return goes_on(t, IN_HEADER(type), IC_TYPE_SHUTDOWN);
}

static enum conform_verdict stale_answer(struct conform_target *t)
{
	return goes_on(t, IN_HEADER(type), IC_TYPE_HEARTBEAT);
}

static enum conform_verdict other_pipe_type(struct conform_target *t)
{
	return goes_on(t, offsetof(struct packet_pipe_wire, type), 2);
}

static enum conform_verdict pipe_too_short(struct conform_target *t)
{
	return goes_on(t, offsetof(struct packet_pipe_wire, length), IC_HEADER_BYTES - 4);
}

static enum conform_verdict pipe_too_long(struct conform_target *t)
{
	return goes_on(t, offsetof(struct packet_pipe_wire, length), 0xff);
}

/* An answer with flag bits that mean nothing is an answer. */
static enum conform_verdict other_flags(struct conform_target *t)
{
	const struct ic_version_wire version = {3, 0};
	OPENED(guid_heartbeat);
	NEED(is_listed(&received, version), "the host does not list version 3.0");
	uint8_t answer[IC_NEGOTIATE_MAX_BYTES];
	const struct ic_agreement agreement = {.framework = {3, 0}, .message = version};
	const size_t bytes = ic_negotiate_answer(
		received.payload, received.bytes, &agreement, answer, sizeof answer);
	EXPECT(bytes != 0, "the negotiation request cannot be answered");
	answer[IN_HEADER(flags)] |= 0xf8;
	TRY(send(t, &channel, answer, (uint32_t)bytes, received.transaction_id));
	TRY(receive(t, &channel, &received));
	EXPECT(received.message.header.type == IC_TYPE_HEARTBEAT, "message type %u came",
		received.message.header.type);
	return CONFORM_PASS;
}

/*
 * A mutilated answer agrees on 1.0, the right one after it on 3.0: requests are of 3.0, or there
 * are none, for the host has given the channel up. Nothing else suffers, and it can be opened
 * again.
 */
static enum conform_verdict refused(struct conform_target *t, size_t at, uint8_t value)
{
	struct packet_view view;
	const struct ic_version_wire right = {3, 0};
	OPENED(guid_heartbeat);
	uint8_t answer[IC_NEGOTIATE_MAX_BYTES];
	const struct ic_agreement agreement = {.framework = {3, 0}, .message = {1, 0}};
	NEED(is_listed(&received, agreement.message) && is_listed(&received, right),
		"the host does not list versions 1.0 and 3.0");
	const size_t bytes = ic_negotiate_answer(
		received.payload, received.bytes, &agreement, answer, sizeof answer);
	EXPECT(bytes != 0, "the negotiation request cannot be answered");
	answer[at] = value;
	for (unsigned i = 0; i < 3; i++)
		TRY(send(t, &channel, answer, (uint32_t)bytes, received.transaction_id));
	TRY(agree(t, &channel, &received, right));
	TRY(conform_bus_quiet(t, "a response that is refused"));
	if (conform_channel_receive(t, &channel, &view)) {
		struct ic_message message;
		EXPECT(ic_message_decode(view.payload, view.payload_bytes, &message) == IC_OK,
			"a message is broken");
		EXPECT(message.header.type == IC_TYPE_HEARTBEAT &&
				ic_version_compare(message.header.message, right) == 0,
			"it is taken: message type %u of version %u.%u comes", message.header.type,
			message.header.message.major, message.header.message.minor);
		conform_channel_done(t, &channel, &view);
	}
	TRY(conform_channel_close(t, &channel));
	TRY(conform_channel_open(t, &channel, offer, RING_PAGES));
	TRY(receive(t, &channel, &received));
	return CONFORM_PASS;
}

static enum conform_verdict wrong_transaction(struct conform_target *t)
{
	return refused(t, IN_HEADER(transaction_id), 0x77);
}

static enum conform_verdict wrong_flags(struct conform_target *t)
{
	return refused(t, IN_HEADER(flags), IC_FLAGS_REQUEST);
}

static enum conform_verdict wrong_body_size(struct conform_target *t)
{
	return refused(t, IN_HEADER(body_bytes) + 1, 0xff);
}

static enum conform_verdict too_long(struct conform_target *t)
{
	const uint32_t bytes = IC_PAYLOAD_MAX_BYTES + 64;
	OPENED(guid_heartbeat);
	struct conform_channel *at = &channel;
	const struct packet_header header = {.type = PACKET_TYPE_INBAND, .payload_bytes = bytes};
	struct ring_span span;
	EXPECT(ring_reserve(&at->out, &header, &span) == RING_OK, "there is no room");
	__builtin_memset(span.payload, 0, bytes);
	packet_pipe_put(span.payload, IC_MESSAGE_MAX_BYTES + 8);
	ring_commit(&at->out, &span);
	(void)ring_flush(&at->out);
	(void)conform_channel_signal(t, at);
	TRY(conform_bus_quiet(t, "a message that is too long"));
	TRY(conform_channel_close(t, &channel));
	TRY(conform_channel_open(t, &channel, offer, RING_PAGES));
	TRY(receive(t, &channel, &received));
	return CONFORM_PASS;
}

static enum conform_verdict flood(struct conform_target *t)
{
	uint8_t garbage[64];
	struct conform_channel other;
	OPENED(guid_heartbeat);
	const struct vmbus_offer_channel_wire *shutdown = conform_offer(t, &guid_shutdown);
	NEED(shutdown != NULL, "the host offers no guid_shutdown");
	__builtin_memset(garbage, 0xee, sizeof garbage);
	for (unsigned i = 0; i < 150; i++)
		TRY(send(t, &channel, garbage, sizeof garbage, i));
	TRY(conform_channel_open(t, &other, shutdown, RING_PAGES));
	TRY(receive(t, &other, &received));
	TRY(conform_channel_close(t, &channel));
	TRY(conform_channel_open(t, &channel, offer, RING_PAGES));
	TRY(receive(t, &channel, &received));
	return CONFORM_PASS;
}

static enum conform_verdict nothing_before(struct conform_target *t)
{
	struct packet_view view;
	OPENED(guid_timesync);
	TRY(conform_bus_quiet(t, "a negotiation request"));
	EXPECT(ring_peek(&channel.in, &view) == RING_EMPTY, "a second packet came");
	return CONFORM_PASS;
}

static enum conform_verdict again(struct conform_target *t)
{
	AGREED(guid_heartbeat, 3, 0);
	TRY(receive(t, &channel, &received));
	TRY(conform_channel_close(t, &channel));
	TRY(conform_channel_open(t, &channel, offer, RING_PAGES));
	TRY(receive(t, &channel, &received));
	EXPECT(received.message.header.type == IC_TYPE_NEGOTIATE, "message type %u came",
		received.message.header.type);
	return CONFORM_PASS;
}

/* A heartbeat of that version: body size, and zeros behind the sequence. */
static enum conform_verdict beat(
	struct conform_target *t, uint16_t major, uint16_t minor, size_t body_bytes)
{
	AGREED(guid_heartbeat, major, minor);
	TRY(receive(t, &channel, &received));
	EXPECT(received.message.header.type == IC_TYPE_HEARTBEAT, "message type %u came",
		received.message.header.type);
	EXPECT(received.message.body_bytes == body_bytes, "a body of %zu bytes",
		received.message.body_bytes);
	for (size_t i = sizeof(uint64_t); i < body_bytes; i++)
		EXPECT(received.message.body[i] == 0, "byte %zu of the body is 0x%x", i,
			received.message.body[i]);
	return CONFORM_PASS;
}

static enum conform_verdict beat_1(struct conform_target *t)
{
	return beat(t, 1, 0, HEARTBEAT_V1_BODY_BYTES);
}

static enum conform_verdict beat_3(struct conform_target *t)
{
	return beat(t, 3, 0, HEARTBEAT_V3_BODY_BYTES);
}

static enum conform_verdict sequences(struct conform_target *t)
{
	uint64_t last = 0, sequence;
	AGREED(guid_heartbeat, 3, 0);
	for (unsigned i = 0; i < 4; i++) {
		TRY(receive(t, &channel, &received));
		__builtin_memcpy(&sequence, received.message.body, sizeof sequence);
		EXPECT(i == 0 || sequence != last, "two requests have sequence %llu",
			(unsigned long long)sequence);
		last = sequence;
		sequence++;
		__builtin_memcpy(received.payload + IC_OVERHEAD_BYTES, &sequence, sizeof sequence);
		ic_response_mark(received.payload, IC_STATUS_SUCCESS);
		TRY(send(t, &channel, received.payload, received.bytes, received.transaction_id));
	}
	return CONFORM_PASS;
}

static enum conform_verdict time_body(
	struct conform_target *t, uint16_t major, uint16_t minor, size_t body_bytes)
{
	AGREED(guid_timesync, major, minor);
	TRY(receive(t, &channel, &received));
	EXPECT(received.message.header.type == IC_TYPE_TIMESYNC &&
			received.message.body_bytes == body_bytes,
		"message type %u with a body of %zu bytes", received.message.header.type,
		received.message.body_bytes);
	return CONFORM_PASS;
}

static enum conform_verdict time_3(struct conform_target *t)
{
	return time_body(t, 3, 0, TIMESYNC_V1_BODY_BYTES);
}

static enum conform_verdict time_4(struct conform_target *t)
{
	return time_body(t, 4, 0, TIMESYNC_V4_BODY_BYTES);
}

#define TIME_MESSAGE                                                                               \
	AGREED(guid_timesync, 4, 0);                                                               \
	TRY(receive(t, &channel, &received));                                                      \
	struct timesync_v4_wire body;                                                              \
	EXPECT(received.message.body_bytes == sizeof body, "a body of %zu bytes",                  \
		received.message.body_bytes);                                                      \
	__builtin_memcpy(&body, received.message.body, sizeof body)

static enum conform_verdict time_sync_first(struct conform_target *t)
{
	TIME_MESSAGE;
	EXPECT(body.flags & TIMESYNC_FLAG_SYNC, "flags 0x%x", body.flags);
	return CONFORM_PASS;
}

static enum conform_verdict time_request(struct conform_target *t)
{
	TIME_MESSAGE;
	(void)body;
	EXPECT(received.message.header.flags == IC_FLAGS_REQUEST, "flags 0x%x",
		received.message.header.flags);
	return CONFORM_PASS;
}

static enum conform_verdict time_reference(struct conform_target *t)
{
	uint64_t now;
	TIME_MESSAGE;
	EXPECT(conform_read(t, 0, HV_X64_MSR_TIME_REF_COUNT, &now), "TIME_REF_COUNT faults");
	EXPECT(body.reference_100ns <= now && now - body.reference_100ns < CONFORM_PATIENCE,
		"reference time %llu in a message that was read at %llu",
		(unsigned long long)body.reference_100ns, (unsigned long long)now);
	return CONFORM_PASS;
}

static enum conform_verdict leap(struct conform_target *t)
{
	TIME_MESSAGE;
	EXPECT(body.leap <= TIMESYNC_LEAP_DELETE, "leap indicator %u", body.leap);
	return CONFORM_PASS;
}

static enum conform_verdict fcopy_instance(struct conform_target *t)
{
	TRY(conform_bus_offers(t));
	const struct vmbus_offer_channel_wire *offer = conform_offer(t, &guid_fcopy);
	NEED(offer != NULL, "the host offers no guid_fcopy");
	EXPECT(guid_equal(&offer->instance_id, &guid_fcopy_instance), "it has another instance");
	return CONFORM_PASS;
}

static enum conform_verdict kvp_body(struct conform_target *t)
{
	AGREED(guid_kvp, 4, 0);
	TRY(receive(t, &channel, &received));
	EXPECT(received.message.body_bytes == 2580, "a body of %zu bytes",
		received.message.body_bytes);
	return CONFORM_PASS;
}

const struct conform_test conform_ic_tests[] = {
	{"R-IC-001", "the host speaks first, and negotiates", speaks_first, CONFORM_BUS, 0, 0},
	{"R-IC-002", "both lists are there, with their counts", lists, CONFORM_BUS, 0, 0},
	{"R-IC-006", "nothing else comes before agreement", nothing_before, CONFORM_BUS, 0, 0},
	{"R-IC-012", "a response with another transaction id is refused", wrong_transaction,
		CONFORM_BUS, 0, 0},
	{"R-IC-012", "a response without its flag is refused", wrong_flags, CONFORM_BUS, 0, 0},
	{"R-IC-012", "a body beyond the message is refused", wrong_body_size, CONFORM_BUS, 0, 0},
	{"R-IC-013", "responses of other types do not end negotiation", stale_type, CONFORM_BUS, 0,
		0},
	{"R-IC-013", "neither do those of the component's own", stale_answer, CONFORM_BUS, 0, 0},
	{"R-IC-014", "a message that is too long harms nothing", too_long, CONFORM_BUS, 0, 0},
	{"R-IC-015", "after reopening the host negotiates again", again, CONFORM_BUS, 0, 0},
	{"R-IC-022", "time 4.0 says the reference time of its moment", time_reference, CONFORM_BUS,
		HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER, 0},
	{"R-IC-023", "the first time message has SYNC", time_sync_first, CONFORM_BUS, 0, 0},
	{"R-IC-024", "time messages ask for a response", time_request, CONFORM_BUS, 0, 0},
	{"R-IC-030", "the pipe type is 1", pipe_header, CONFORM_BUS, 0, 0},
	{"R-IC-030", "a message of another pipe type is dropped", other_pipe_type, CONFORM_BUS, 0,
		0},
	{"R-IC-031", "the pipe length fits", pipe_length, CONFORM_BUS, 0, 0},
	{"R-IC-031", "a pipe length below the header is dropped", pipe_too_short, CONFORM_BUS, 0,
		0},
	{"R-IC-031", "a pipe length beyond the packet is dropped", pipe_too_long, CONFORM_BUS, 0,
		0},
	{"R-IC-032", "requests have flags 3", flag_bits, CONFORM_BUS, 0, 0},
	{"R-IC-032", "other flags of a response are ignored", other_flags, CONFORM_BUS, 0, 0},
	{"R-IC-036", "a flood ends its channel only", flood, CONFORM_BUS, 0, 0},
	{"R-IC-038", "the agreed versions are in the header", agreed_in_header, CONFORM_BUS, 0, 0},
	{"R-HB-001", "40 bytes in version 1.0", beat_1, CONFORM_BUS, 0, 0},
	{"R-HB-001", "16 bytes in version 3.0", beat_3, CONFORM_BUS, 0, 0},
	{"R-HB-008", "sequences differ", sequences, CONFORM_BUS, 0, 0},
	{"R-TIME-101", "28 bytes in version 3.0", time_3, CONFORM_BUS, 0, 0},
	{"R-TIME-101", "24 bytes in version 4.0", time_4, CONFORM_BUS, 0, 0},
	{"R-TIME-109", "the leap indicator is not 3", leap, CONFORM_BUS, 0, 0},
	{"R-FCOPY-012", "file copy has its instance", fcopy_instance, CONFORM_BUS, 0, 0},
	{"R-KVP-001", "operations on pairs have 2580 bytes", kvp_body, CONFORM_BUS, 0, 0},
};
const size_t conform_ic_test_count = sizeof conform_ic_tests / sizeof conform_ic_tests[0];
