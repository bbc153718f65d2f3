// SPDX-License-Identifier: Apache-2.0
/*
 * Rings and packets, against a storage controller: what the host reads, what it writes,
 * when it signals, and what becomes of a ring that is corrupt.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_storage.h"

#define READY                                                                                      \
	struct conform_storage storage;                                                            \
	TRY(conform_bus_offers(t));                                                                \
	NEED(conform_offer(t, &guid_storage) != NULL, "the host offers no SCSI controller");       \
	TRY(conform_storage_ready(t, &storage));                                                   \
	struct conform_channel *channel = &storage.channel
#define OPENED                                                                                     \
	struct conform_storage storage;                                                            \
	TRY(conform_bus_offers(t));                                                                \
	NEED(conform_offer(t, &guid_storage) != NULL, "the host offers no SCSI controller");       \
	TRY(conform_storage_open(t, &storage));                                                    \
	struct conform_channel *channel = &storage.channel

static uint32_t word(const uint8_t *control, enum ring_word which)
{
	return __atomic_load_n((const uint32_t *)(const void *)control + which, __ATOMIC_SEQ_CST);
}

static void word_set(uint8_t *control, enum ring_word which, uint32_t value)
{
	__atomic_store_n((uint32_t *)(void *)control + which, value, __ATOMIC_SEQ_CST);
}

/* A RESET_BUS: answered with status 0 by a controller that is ready, and touches no disk. */
static const union conform_packet reset_bus = {
	.header = {
		.operation = STORAGE_OP_RESET_BUS, .flags = STORAGE_PACKET_COMPLETION_REQUESTED}};

/* Write one, and wait for room if there is none, as a guest does. Not published yet. */
static bool put(struct conform_target *t, struct conform_channel *channel, uint16_t flags)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.flags = flags,
		.payload_bytes = sizeof reset_bus,
		.transaction_id = ++channel->next_id + 0x9000,
	};
	enum ring_status status;

	while ((status = ring_send(&channel->out, &header, NULL, &reset_bus)) == RING_FULL) {
		uint32_t sints;
		if (ring_flush(&channel->out))
			(void)conform_channel_signal(t, channel);
		(void)winhv_events_take(t->hv, 0, VMBUS_SINT, channel->relid / 64);
		status = ring_writer_want(&channel->out, &header);
		if (status == RING_OK)
			continue;
		if (status != RING_FULL || conform_now(t) >= deadline)
			break;
		(void)winhv_wait(t->hv, 0, CONFORM_PATIENCE, &sints);
	}
	return status == RING_OK || conform_no(t, "the ring is %s", ring_status_name(status));
}

/* Publish what was put, and signal whatever the mask says. */
static void push(struct conform_target *t, struct conform_channel *channel)
{
	(void)ring_flush(&channel->out);
	(void)conform_channel_signal(t, channel);
}

/* The next packet must be the completion of this transaction. */
static bool completed(struct conform_target *t, struct conform_channel *channel, uint64_t id)
{
	struct packet_view view;

	if (!conform_channel_receive(t, channel, &view))
		return false;
	if (view.type != PACKET_TYPE_COMPLETION || view.transaction_id != id)
		return conform_no(t, "packet type %u, transaction 0x%llx came, not 0x%llx",
			view.type, (unsigned long long)view.transaction_id, (unsigned long long)id);
	conform_channel_done(t, channel, &view);
	return true;
}

/*
 * The host has looked at its rings: it has answered a few messages since it was signalled, and
 * takes turns. One answer does not show it, for messages may come first in a turn.
 */
static bool settled(struct conform_target *t, const char *after)
{
	for (unsigned i = 0; i < 8; i++)
		if (!conform_bus_quiet(t, after))
			return false;
	return true;
}

static enum conform_verdict feature_bit(struct conform_target *t)
{
	OPENED;
	EXPECT(word(channel->in_control, RING_WORD_FEATURES) & RING_FEATURE_PENDING_SEND_SIZE,
		"the feature word of the host's ring is 0x%x",
		word(channel->in_control, RING_WORD_FEATURES));
	return CONFORM_PASS;
}

static enum conform_verdict own_fields(struct conform_target *t)
{
	READY;
	const struct ring_control_wire *out = (const void *)channel->out_control;
	const struct ring_control_wire *in = (const void *)channel->in_control;
	for (unsigned i = 0; i < sizeof out->reserved2; i++)
		EXPECT(out->reserved2[i] == 0 && in->reserved2[i] == 0,
			"reserved byte %u of a control page was written", 68 + i);
	for (unsigned i = 0; i < 12; i++)
		EXPECT(out->reserved[i] == 0 && in->reserved[i] == 0,
			"reserved word %u of a control page was written", 4 + i);
	EXPECT(out->in == (uint32_t)(channel->out.next - channel->out.data),
		"the host has written the guest's index");
	return CONFORM_PASS;
}

static enum conform_verdict reserved_ignored(struct conform_target *t)
{
	READY;
	struct ring_control_wire *out = (void *)channel->out_control;
	__builtin_memset(out->reserved, 0xff, sizeof out->reserved);
	__builtin_memset(out->reserved2, 0xff, sizeof out->reserved2);
	word_set(channel->out_control, RING_WORD_FEATURES, 0xffffffff);
	TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	push(t, channel);
	TRY(completed(t, channel, channel->next_id + 0x9000));
	return CONFORM_PASS;
}

static enum conform_verdict trailer(struct conform_target *t)
{
	struct packet_view view;
	OPENED;
	const union conform_packet begin = {.header = {.operation = STORAGE_OP_BEGIN_INITIALIZATION,
						    .flags = STORAGE_PACKET_COMPLETION_REQUESTED}};
	for (unsigned i = 0; i < 200; i++) {
		const struct packet_header header = {.type = PACKET_TYPE_INBAND,
			.flags = PACKET_FLAG_COMPLETION_REQUESTED,
			.payload_bytes = sizeof begin,
			.transaction_id = i};
		TRY(conform_channel_send(t, channel, &header, NULL, &begin));
		TRY(conform_channel_receive(t, channel, &view));
		const uint64_t start = ring_reader_out(&channel->in);
		const uint64_t got = ring_view_trailer(&channel->in, &view);
		EXPECT(got == start << 32, "packet at %u: trailer 0x%llx", (unsigned)start,
			(unsigned long long)got);
		conform_channel_done(t, channel, &view);
	}
	return CONFORM_PASS;
}

/* Packets of changing sizes, until both rings have wrapped at many offsets. */
static enum conform_verdict wrapping(struct conform_target *t)
{
	uint8_t payload[400] = {0};
	struct packet_view view;
	READY;
	__builtin_memcpy(payload, &reset_bus, sizeof reset_bus);
	for (uint32_t i = 0; i < 600; i++) {
		const struct packet_header header = {.type = PACKET_TYPE_INBAND,
			.flags = PACKET_FLAG_COMPLETION_REQUESTED,
			.payload_bytes = 64 + i * 8 % 328,
			.transaction_id = i};
		TRY(conform_channel_send(t, channel, &header, NULL, payload));
		TRY(conform_channel_receive(t, channel, &view));
		EXPECT(view.transaction_id == i && view.type == PACKET_TYPE_COMPLETION,
			"packet %u: type %u, transaction %llu", i, view.type,
			(unsigned long long)view.transaction_id);
		conform_channel_done(t, channel, &view);
	}
	return CONFORM_PASS;
}

static enum conform_verdict smallest(struct conform_target *t)
{
	struct conform_storage storage;
	TRY(conform_bus_offers(t));
	NEED(conform_offer(t, &guid_storage) != NULL, "the host offers no SCSI controller");
	TRY(conform_channel_open(t, &storage.channel, conform_offer(t, &guid_storage), 1));
	TRY(conform_storage_handshake(t, &storage));
	struct conform_channel *channel = &storage.channel;
	for (unsigned round = 0; round < 20; round++) {
		const uint64_t first = channel->next_id + 1;
		for (unsigned i = 0; i < 40; i++)
			TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
		push(t, channel);
		for (unsigned i = 0; i < 40; i++)
			TRY(completed(t, channel, first + i + 0x9000));
	}
	return CONFORM_PASS;
}

static enum conform_verdict batch(struct conform_target *t)
{
	READY;
	const uint64_t first = channel->next_id + 1;
	for (unsigned i = 0; i < 30; i++)
		TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	push(t, channel);
	for (unsigned i = 0; i < 30; i++)
		TRY(completed(t, channel, first + i + 0x9000));
	return CONFORM_PASS;
}

static enum conform_verdict not_requested(struct conform_target *t)
{
	READY;
	TRY(put(t, channel, 0));
	TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	push(t, channel);
	TRY(completed(t, channel, channel->next_id + 0x9000));
	return CONFORM_PASS;
}

static enum conform_verdict once(struct conform_target *t)
{
	struct packet_view view;
	READY;
	TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	push(t, channel);
	TRY(completed(t, channel, channel->next_id + 0x9000));
	TRY(settled(t, "a request"));
	EXPECT(ring_peek(&channel->in, &view) == RING_EMPTY, "a second packet came");
	return CONFORM_PASS;
}

static enum conform_verdict spurious(struct conform_target *t)
{
	READY;
	for (unsigned i = 0; i < 1000; i++)
		EXPECT(conform_channel_signal(t, channel) == HV_STATUS_SUCCESS, "signal %u fails",
			i);
	TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	push(t, channel);
	TRY(completed(t, channel, channel->next_id + 0x9000));
	return CONFORM_PASS;
}

static enum conform_verdict everything_read(struct conform_target *t)
{
	READY;
	TRY(put(t, channel, 0));
	TRY(put(t, channel, 0));
	TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	push(t, channel);
	TRY(completed(t, channel, channel->next_id + 0x9000));
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	while (word(channel->out_control, RING_WORD_OUT) !=
		word(channel->out_control, RING_WORD_IN))
		EXPECT(conform_now(t) < deadline, "out stays at %u, in is %u",
			word(channel->out_control, RING_WORD_OUT),
			word(channel->out_control, RING_WORD_IN));
	return CONFORM_PASS;
}

static enum conform_verdict masked(struct conform_target *t)
{
	uint32_t sints;
	struct packet_view view;
	READY;
	ring_reader_mask(&channel->in);
	(void)winhv_events_take(t->hv, 0, VMBUS_SINT, channel->relid / 64);
	TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	push(t, channel);
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	while (ring_peek(&channel->in, &view) == RING_EMPTY)
		EXPECT(conform_now(t) < deadline, "no packet came within 3 s");
	TRY(settled(t, "a request"));
	(void)winhv_wait(t->hv, 0, 0, &sints);
	EXPECT(!(winhv_events_take(t->hv, 0, VMBUS_SINT, channel->relid / 64) &
		       1ull << channel->relid % 64),
		"the host signalled although the mask is set");
	return CONFORM_PASS;
}

static enum conform_verdict signalled(struct conform_target *t)
{
	READY;
	EXPECT(!ring_reader_arm(&channel->in), "data is there already");
	(void)winhv_events_take(t->hv, 0, VMBUS_SINT, channel->relid / 64);
	TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	push(t, channel);
	TRY(conform_event(t, 0, channel->relid));
	return CONFORM_PASS;
}

static enum conform_verdict own_index_kept(struct conform_target *t)
{
	READY;
	TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	/* Over the host's indices: it stores them again, from where it keeps them. */
	word_set(channel->out_control, RING_WORD_OUT, 0x18);
	word_set(channel->in_control, RING_WORD_IN, word(channel->in_control, RING_WORD_OUT));
	push(t, channel);
	TRY(completed(t, channel, channel->next_id + 0x9000));
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	while (word(channel->out_control, RING_WORD_OUT) !=
		word(channel->out_control, RING_WORD_IN))
		EXPECT(conform_now(t) < deadline, "out stays at %u, in is %u",
			word(channel->out_control, RING_WORD_OUT),
			word(channel->out_control, RING_WORD_IN));
	return CONFORM_PASS;
}

/* Break the ring by this; the channel stops for good, and can be closed; the rest goes on. */
static enum conform_verdict broken(
	struct conform_target *t, struct conform_channel *channel, const char *what)
{
	struct packet_view view;

	push(t, channel);
	TRY(settled(t, what));
	EXPECT(ring_peek(&channel->in, &view) == RING_EMPTY, "%s was answered with a packet", what);
	/* As if nothing had happened. */
	TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	push(t, channel);
	TRY(settled(t, what));
	EXPECT(ring_peek(&channel->in, &view) == RING_EMPTY, "after %s the ring goes on", what);
	TRY(conform_channel_close(t, channel));
	TRY(conform_channel_open(t, channel, conform_offer(t, &guid_storage), 2));
	TRY(conform_channel_close(t, channel));
	return CONFORM_PASS;
}

static void in_add(struct conform_channel *channel, uint32_t bytes)
{
	const uint32_t in = (uint32_t)(channel->out.next - channel->out.data);

	word_set(channel->out_control, RING_WORD_IN, in + bytes);
}

static enum conform_verdict bad_index(struct conform_target *t)
{
	static const uint32_t indices[] = {1, 0x4000, 0x7ffffff8, 0xfffffff8, 0xffffffff};

	for (unsigned i = 0; i < sizeof indices / sizeof indices[0]; i++) {
		struct conform_storage storage;
		TRY(conform_bus_offers(t));
		NEED(conform_offer(t, &guid_storage) != NULL, "the host offers no SCSI controller");
		TRY(conform_storage_ready(t, &storage));
		word_set(storage.channel.out_control, RING_WORD_IN, indices[i]);
		const enum conform_verdict verdict = broken(
			t, &storage.channel, "a write index that is invalid");
		if (verdict != CONFORM_PASS)
			return verdict;
	}
	return CONFORM_PASS;
}

/* The guest's other index: how far it has read what the host has written. */
static enum conform_verdict bad_read_index(struct conform_target *t)
{
	static const uint32_t indices[] = {1, 0x4000, 0x7ffffff8, 0xffffffff};

	for (unsigned i = 0; i < sizeof indices / sizeof indices[0]; i++) {
		READY;
		ring_reader_mask(&channel->in);
		for (unsigned n = 0; n < 30; n++)
			TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
		word_set(channel->in_control, RING_WORD_OUT, indices[i]);
		push(t, channel);
		TRY(settled(t, "a read index that is invalid"));
		TRY(conform_channel_close(t, channel));
		TRY(conform_storage_ready(t, &storage));
	}
	return CONFORM_PASS;
}

static enum conform_verdict bad_descriptor(
	struct conform_target *t, const struct packet_descriptor_wire *descriptor, const char *what)
{
	READY;
	__builtin_memcpy((uint8_t *)channel->out.next, descriptor, sizeof *descriptor);
	in_add(channel, 104);
	return broken(t, channel, what);
}

static enum conform_verdict bad_lengths(struct conform_target *t)
{
	static const struct packet_descriptor_wire descriptors[] = {
		{.type = PACKET_TYPE_INBAND, .offset8 = 2, .length8 = 1, .flags = 1},
		{.type = PACKET_TYPE_INBAND, .offset8 = 1, .length8 = 10, .flags = 1},
		{.type = PACKET_TYPE_INBAND, .offset8 = 11, .length8 = 10, .flags = 1},
		{.type = PACKET_TYPE_INBAND, .offset8 = 2, .length8 = 13, .flags = 1},
		{.type = PACKET_TYPE_INBAND, .offset8 = 2, .length8 = 0xffff, .flags = 1},
	};

	for (unsigned i = 0; i < sizeof descriptors / sizeof descriptors[0]; i++) {
		const enum conform_verdict verdict = bad_descriptor(
			t, &descriptors[i], "a descriptor with bad lengths");
		if (verdict != CONFORM_PASS)
			return verdict;
	}
	return CONFORM_PASS;
}

/* The descriptor of a request is this; the good request behind it is not answered either. */
static enum conform_verdict stops_at(
	struct conform_target *t, const struct packet_descriptor_wire *descriptor, const char *what)
{
	READY;
	uint8_t *packet = channel->out.next;
	TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	TRY(put(t, channel, PACKET_FLAG_COMPLETION_REQUESTED));
	__builtin_memcpy(packet, descriptor, sizeof *descriptor);
	return broken(t, channel, what);
}

static enum conform_verdict bad_types(struct conform_target *t)
{
	static const uint16_t types[] = {0, 1, 5, 8, 10, 12, 255, 65535};

	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
		const struct packet_descriptor_wire descriptor = {
			.type = types[i], .offset8 = 2, .length8 = 10, .flags = 1};
		const enum conform_verdict verdict = stops_at(
			t, &descriptor, "a packet of an unknown type");
		if (verdict != CONFORM_PASS)
			return verdict;
	}
	return CONFORM_PASS;
}

static enum conform_verdict no_extended_header(struct conform_target *t)
{
	const struct packet_descriptor_wire gpa_direct = {
		.type = PACKET_TYPE_GPA_DIRECT, .offset8 = 2, .length8 = 10, .flags = 1};
	const struct packet_descriptor_wire transfer_pages = {
		.type = PACKET_TYPE_TRANSFER_PAGES, .offset8 = 2, .length8 = 10, .flags = 1};
	const enum conform_verdict verdict = stops_at(
		t, &gpa_direct, "type 9 without an extended header");

	return verdict != CONFORM_PASS
		       ? verdict
		       : stops_at(t, &transfer_pages, "type 7 without an extended header");
}

/* What a lenient host would complete: a request, with one flag more. */
static enum conform_verdict unknown_flag(struct conform_target *t)
{
	for (uint16_t flag = 2; flag != 0; flag = (uint16_t)(flag << 7)) {
		READY;
		TRY(put(t, channel, (uint16_t)(PACKET_FLAG_COMPLETION_REQUESTED | flag)));
		const enum conform_verdict verdict = broken(t, channel, "an unknown flag");
		if (verdict != CONFORM_PASS)
			return verdict;
	}
	return CONFORM_PASS;
}

/* ---- room ------------------------------------------------------------------------------------ */

/*
 * Fill the guest's ring, wish for room, and take what the host has to say: there is room then.
 * With a mask on the host's ring: the only event is the one for room.
 */
static bool room_made(struct conform_target *t, struct conform_channel *channel, uint32_t features)
{
	const struct packet_header header = {.type = PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.payload_bytes = sizeof reset_bus,
		.transaction_id = 1};
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	unsigned sent = 0;
	struct packet_view view;

	ring_reader_mask(&channel->in);
	word_set(channel->out_control, RING_WORD_FEATURES, features);
	for (;;) {
		const enum ring_status status = ring_send(&channel->out, &header, NULL, &reset_bus);
		if (status == RING_OK) {
			sent++;
			continue;
		}
		(void)ring_flush(&channel->out);
		(void)conform_channel_signal(t, channel);
		(void)winhv_events_take(t->hv, 0, VMBUS_SINT, channel->relid / 64);
		if (status != RING_FULL || conform_now(t) >= deadline)
			return conform_no(t, "the ring is %s", ring_status_name(status));
		if (ring_writer_want(&channel->out, &header) == RING_FULL)
			break; /* the host does not read on: its own ring is full */
	}
	for (; sent > 0 && conform_now(t) < deadline; sent--) {
		while (ring_peek(&channel->in, &view) == RING_EMPTY)
			if (conform_now(t) >= deadline)
				return conform_no(t, "%u requests are not answered", sent);
		conform_channel_done(t, channel, &view);
	}
	return sent == 0 || conform_no(t, "%u requests are not answered", sent);
}

static enum conform_verdict room_signalled(struct conform_target *t)
{
	READY;
	TRY(room_made(t, channel, RING_FEATURE_PENDING_SEND_SIZE));
	TRY(conform_event(t, 0, channel->relid));
	return CONFORM_PASS;
}

static enum conform_verdict room_unsaid(struct conform_target *t)
{
	uint32_t sints;
	READY;
	TRY(room_made(t, channel, 0));
	TRY(settled(t, "a request"));
	(void)winhv_wait(t->hv, 0, 0, &sints);
	EXPECT(!(winhv_events_take(t->hv, 0, VMBUS_SINT, channel->relid / 64) &
		       1ull << channel->relid % 64),
		"the host signalled room to a writer without feature bit 0");
	return CONFORM_PASS;
}

static enum conform_verdict others_go_on(struct conform_target *t)
{
	struct conform_channel other;
	const struct vmbus_offer_channel_wire *offer;
	READY;
	offer = conform_offer(t, &guid_heartbeat);
	NEED(offer != NULL, "the host offers no heartbeat");
	TRY(conform_channel_open(t, &other, offer, 2));
	word_set(channel->out_control, RING_WORD_IN, 0xffffffff);
	push(t, channel);
	struct packet_view view;
	TRY(conform_channel_receive(t, &other, &view));
	conform_channel_done(t, &other, &view);
	TRY(conform_channel_close(t, channel));
	TRY(conform_channel_close(t, &other));
	return CONFORM_PASS;
}

const struct conform_test conform_ring_tests[] = {
	{"R-RING-003", "packets wrap at every offset", wrapping, CONFORM_BUS, 0, 0},
	{"R-RING-004", "the trailer is the packet's start", trailer, CONFORM_BUS, 0, 0},
	{"R-RING-007", "the host signals a ring that was empty", signalled, CONFORM_BUS, 0, 0},
	{"R-RING-008", "the host does not signal while the mask is set", masked, CONFORM_BUS, 0, 0},
	{"R-RING-010", "the host reads everything that it finds", batch, CONFORM_BUS, 0, 0},
	{"R-RING-011", "the host signals the room that was wished for", room_signalled, CONFORM_BUS,
		0, 0},
	{"R-RING-011", "it does not without the writer's feature bit 0", room_unsaid, CONFORM_BUS,
		0, 0},
	{"R-RING-019", "the host's ring has feature bit 0", feature_bit, CONFORM_BUS, 0, 0},
	{"R-RING-021", "signals without a reason do no harm", spurious, CONFORM_BUS, 0, 0},
	{"R-RING-022", "a write index that is invalid stops the ring", bad_index, CONFORM_BUS, 0,
		0},
	{"R-RING-022", "a read index that is invalid harms nothing else", bad_read_index,
		CONFORM_BUS, 0, 0},
	{"R-RING-023", "the host keeps its indices privately", own_index_kept, CONFORM_BUS, 0, 0},
	{"R-RING-024", "bad lengths stop the ring", bad_lengths, CONFORM_BUS, 0, 0},
	{"R-RING-027", "the host gives back all that it has read", everything_read, CONFORM_BUS, 0,
		0},
	{"R-RING-030", "one data page works, with flow control", smallest, CONFORM_BUS, 0, 0},
	{"R-RING-031", "the host stores only its own fields", own_fields, CONFORM_BUS, 0, 0},
	{"R-RING-032", "reserved fields and unknown features are ignored", reserved_ignored,
		CONFORM_BUS, 0, 0},
	{"R-RING-038", "unknown types stop the ring", bad_types, CONFORM_BUS, 0, 0},
	{"R-RING-038", "types 7 and 9 without an extended header stop the ring", no_extended_header,
		CONFORM_BUS, 0, 0},
	{"R-RING-039", "a corrupt ring stops nothing else", others_go_on, CONFORM_BUS, 0, 0},
	{"R-PKT-001", "what asks for no completion gets none", not_requested, CONFORM_BUS, 0, 0},
	{"R-PKT-002", "a request is completed once", once, CONFORM_BUS, 0, 0},
	{"R-PKT-004", "an unknown flag stops the ring", unknown_flag, CONFORM_BUS, 0, 0},
	{"R-PKT-005", "other packet types are refused", bad_types, CONFORM_BUS, 0, 0},
};
const size_t conform_ring_test_count = sizeof conform_ring_tests / sizeof conform_ring_tests[0];
