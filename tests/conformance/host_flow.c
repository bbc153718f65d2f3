// SPDX-License-Identifier: Apache-2.0
/*
 * What flows through a ring, in one direction, against sink and source of protocol/testdevice.md:
 * that it is all there, in order, and who tells whom of room. Hosts without them skip it.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_device.h"

/* ---- the source ------------------------------------------------------------------------------ */

/* What the host is to send; the pages of its ring are full of something else. */
#define SOURCE(data_pages, ...)                                                                    \
	const struct testdevice_source_request_wire request = {__VA_ARGS__};                       \
	LENT(source, data_pages);                                                                  \
	__builtin_memset(channel->in_data, 0xee, (data_pages)*RING_PAGE_BYTES);                    \
	TRY(conform_device_open(t, channel));                                                      \
	TRY(requested(t, channel, &request, sizeof request))

static bool requested(struct conform_target *t, struct conform_channel *channel,
	const void *request, uint32_t bytes)
{
	const struct packet_header header = {.type = PACKET_TYPE_INBAND,
		.flags = WANTED,
		.payload_bytes = bytes,
		.transaction_id = 0x50};

	return conform_channel_send(t, channel, &header, NULL, request);
}

static bool finished(
	struct conform_target *t, struct conform_channel *channel, uint32_t status, uint32_t sent)
{
	const uint32_t answer[2] = {status, sent};

	return conform_comes(
		t, channel, PACKET_TYPE_COMPLETION, 0x50, (const uint8_t *)answer, sizeof answer);
}

/* All packets of a request, to the last byte: payload, pad, trailer. */
static bool stream(struct conform_target *t, struct conform_channel *channel,
	const struct testdevice_source_request_wire *request)
{
	struct packet_view view;

	for (uint32_t i = 0; i < request->packets; i++) {
		const uint32_t count = (uint32_t)testdevice_source_bytes(request, i);
		if (!conform_channel_receive(t, channel, &view))
			return false;
		if (view.type != (request->ranges ? 7 : 6) || view.transaction_id != i ||
			view.payload_bytes != (count + 7) / 8 * 8)
			return conform_no(t, "packet %u: type %u, number %llu, %u bytes, not %u", i,
				view.type, (unsigned long long)view.transaction_id,
				view.payload_bytes, count);
		for (uint32_t at = 0; at < view.payload_bytes; at++) {
			const uint8_t wanted = at < count ? testdevice_source_byte(i, at) : 0;
			if (view.payload[at] != wanted)
				return conform_no(t,
					"packet %u of %u bytes: byte %u is 0x%02x, not 0x%02x", i,
					count, at, view.payload[at], wanted);
		}
		const uint64_t start = ring_reader_out(&channel->in);
		if (ring_view_trailer(&channel->in, &view) != start << 32)
			return conform_no(t, "packet %u at %u: trailer 0x%llx", i, (unsigned)start,
				(unsigned long long)ring_view_trailer(&channel->in, &view));
		conform_channel_done(t, channel, &view);
	}
	return finished(t, channel, TESTDEVICE_OK, request->packets);
}

static enum conform_verdict pads(struct conform_target *t)
{
	SOURCE(1, .packets = 600, .bytes_first = 1, .bytes_step = 1, .bytes_modulus = 203);
	TRY(stream(t, channel, &request));
	return CONFORM_PASS;
}

static enum conform_verdict order(struct conform_target *t)
{
	SOURCE(2, .packets = 3000, .bytes_step = 1571, .bytes_modulus = 4001);
	TRY(stream(t, channel, &request));
	return CONFORM_PASS;
}

/* Wait until the host wishes for room in its ring. */
static bool is_stuck(struct conform_target *t, struct conform_channel *channel)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;

	while (conform_word(channel->in_control, RING_WORD_PENDING) == 0)
		if (conform_now(t) >= deadline)
			return conform_no(
				t, "the host's ring is full, and it does not wish for room");
	return true;
}

/* Totals of 32: 128 would fill a page to the last byte, which is then empty. */
static enum conform_verdict not_filled_up(struct conform_target *t)
{
	SOURCE(1, .packets = 1000, .bytes_first = 8, .bytes_modulus = 1);
	TRY(is_stuck(t, channel));
	EXPECT(conform_word(channel->in_control, RING_WORD_IN) == 127 * 32,
		"the host has written up to %u of 4096 bytes, not to 4064",
		conform_word(channel->in_control, RING_WORD_IN));
	TRY(stream(t, channel, &request));
	return CONFORM_PASS;
}

static enum conform_verdict wish(struct conform_target *t)
{
	SOURCE(1, .packets = 20, .bytes_first = 1000, .bytes_modulus = 1);
	TRY(is_stuck(t, channel));
	const uint32_t wanted = conform_word(channel->in_control, RING_WORD_PENDING);
	EXPECT(wanted >= 1024 && wanted % 8 == 0,
		"the host wishes for %u bytes, and its packet has 1024", wanted);
	return CONFORM_PASS;
}

static enum conform_verdict wish_cleared(struct conform_target *t)
{
	SOURCE(1, .packets = 20, .bytes_first = 1000, .bytes_modulus = 1);
	TRY(is_stuck(t, channel));
	TRY(stream(t, channel, &request));
	EXPECT(conform_word(channel->in_control, RING_WORD_PENDING) == 0,
		"the host has written all, and still wishes for %u bytes",
		conform_word(channel->in_control, RING_WORD_PENDING));
	return CONFORM_PASS;
}

/* The guest's ring says that it does not tell of room; nor does it. */
static enum conform_verdict room_polled(struct conform_target *t)
{
	const struct testdevice_source_request_wire request = {
		.packets = 50, .bytes_first = 1000, .bytes_modulus = 1};
	struct packet_view view;
	OPENED(source, 1);
	conform_word_set(channel->out_control, RING_WORD_FEATURES, 0);
	TRY(requested(t, channel, &request, sizeof request));
	for (uint32_t i = 0; i < request.packets; i++) {
		const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
		/* asleep, or it might find the room by chance */
		while (i % 3 == 0 && i + 3 < request.packets &&
			(conform_word(channel->in_control, RING_WORD_PENDING) == 0 ||
				conform_word(channel->out_control, RING_WORD_MASK) != 0))
			EXPECT(conform_now(t) < deadline,
				"packet %u: the host does not come to rest", i);
		enum ring_status status;
		while ((status = ring_peek(&channel->in, &view)) == RING_EMPTY)
			EXPECT(conform_now(t) < deadline,
				"packet %u does not come: the host counts on a signal of room", i);
		EXPECT(status == RING_OK, "packet %u: %s", i, ring_status_name(status));
		ring_release(&channel->in, &view);
		(void)ring_read_flush(&channel->in);
	}
	TRY(finished(t, channel, TESTDEVICE_OK, request.packets));
	return CONFORM_PASS;
}

static enum conform_verdict ranges_sent(struct conform_target *t)
{
	struct packet_view view;
	static const uint8_t counts[] = {1, 2, 3, 20, 255};
	for (unsigned i = 0; i < sizeof counts; i++) {
		SOURCE(2, .packets = 1, .bytes_first = 8, .bytes_modulus = 1, .ranges = counts[i]);
		TRY(conform_channel_receive(t, channel, &view));
		EXPECT(view.type == PACKET_TYPE_TRANSFER_PAGES, "type %u came", view.type);
		EXPECT(view.extended_bytes == 8u + 8 * counts[i], "%u bytes for %u ranges",
			view.extended_bytes, counts[i]);
		const uint32_t *words = (const void *)view.extended;
		EXPECT((words[0] & 0xffff) == TESTDEVICE_SET_ID && words[1] == counts[i],
			"set 0x%x, %u ranges, not %u", words[0] & 0xffff, words[1], counts[i]);
		for (uint32_t k = 0; k < counts[i]; k++)
			EXPECT(words[2 + 2 * k] == 8 && words[3 + 2 * k] == 8 * k,
				"range %u: %u bytes at %u", k, words[2 + 2 * k], words[3 + 2 * k]);
		conform_channel_done(t, channel, &view);
		TRY(finished(t, channel, TESTDEVICE_OK, 1));
		TRY(conform_channel_close(t, channel));
	}
	return CONFORM_PASS;
}

static enum conform_verdict bad_requests(struct conform_target *t)
{
	static const struct testdevice_source_request_wire bad[] = {{65537, 8, 0, 1, 0, 0},
		{1, 8, 0, 0, 0, 0}, {1, 8, 0, 1, 4097, 0}, {1, 8, 0, 1, 0, 1},
		{1, 4065, 0, 1, 0, 0}, {1, 0xffffffff, 0, 1, 0, 0}};
	OPENED(source, 1);
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		TRY(requested(t, channel, &bad[i], sizeof bad[i]));
		TRY(finished(t, channel, TESTDEVICE_REFUSED, 0));
	}
	TRY(requested(t, channel, bad, 16));
	TRY(finished(t, channel, TESTDEVICE_REFUSED, 0));
	return CONFORM_PASS;
}

/* Two requests at once. */
static enum conform_verdict one_by_one(struct conform_target *t)
{
	SOURCE(1, .packets = 200, .bytes_first = 40, .bytes_modulus = 1);
	TRY(requested(t, channel, &request, sizeof request));
	TRY(stream(t, channel, &request));
	TRY(stream(t, channel, &request));
	return CONFORM_PASS;
}

/* ---- the sink -------------------------------------------------------------------------------- */

/* Ask it: it has taken so much. */
static bool counted(struct conform_target *t, struct conform_channel *channel, uint64_t packets,
	uint64_t bytes, uint64_t checksum)
{
	const struct testdevice_sink_answer_wire answer = {packets, bytes, checksum};
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND, .flags = WANTED, .transaction_id = 0x51};

	return conform_channel_send(t, channel, &header, NULL, NULL) &&
	       conform_comes(t, channel, PACKET_TYPE_COMPLETION, 0x51, (const uint8_t *)&answer,
		       sizeof answer);
}

/* Publish what was put; write on when there is room. */
static bool pour(struct conform_target *t, struct conform_channel *channel,
	const struct packet_header *header, const uint8_t *bytes)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	enum ring_status status;

	while ((status = ring_send(&channel->out, header, NULL, bytes)) == RING_FULL) {
		uint32_t sints;
		if (ring_flush(&channel->out))
			(void)conform_channel_signal(t, channel);
		(void)winhv_events_take(t->hv, 0, VMBUS_SINT, channel->relid / 64);
		if (ring_writer_want(&channel->out, header) == RING_FULL)
			(void)winhv_wait(t->hv, 0, CONFORM_PATIENCE, &sints);
		if (conform_now(t) >= deadline)
			return conform_no(t, "no room came within 3 s");
	}
	return status == RING_OK || conform_no(t, "the ring is %s", ring_status_name(status));
}

/* Batches of all sizes, with room signals: each packet is taken, once, and in order. */
static enum conform_verdict nothing_lost(struct conform_target *t)
{
	struct packet_header header = {.type = PACKET_TYPE_INBAND};
	uint64_t total = 0, checksum = TESTDEVICE_CHECKSUM_START;
	OPENED(sink, 2);
	BUFFER(bytes);
	for (uint32_t i = 0; i < 3000; i++) {
		header.payload_bytes = i * 56 % 4008;
		conform_fill(bytes, header.payload_bytes, i);
		total += header.payload_bytes;
		checksum = testdevice_checksum(checksum, bytes, header.payload_bytes);
		TRY(pour(t, channel, &header, bytes));
		if (i % 7 == 0 && ring_flush(&channel->out))
			(void)conform_channel_signal(t, channel);
	}
	TRY(counted(t, channel, 3000, total, checksum));
	return CONFORM_PASS;
}

/*
 * 3392 of 4096 bytes in eight packets, a wish and a mask, all seen at once by a host that is then
 * signalled: 696 bytes were free, 4088 are when it has read. The sink says nothing by itself, so
 * that an event is for room.
 */
static bool poured(
	struct conform_target *t, struct conform_channel *channel, uint32_t wanted, uint32_t mask)
{
	const struct packet_header header = {.type = PACKET_TYPE_INBAND, .payload_bytes = 400};
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;

	for (unsigned i = 0; i < 8; i++)
		if (ring_send(&channel->out, &header, NULL, channel->scratch.va) != RING_OK)
			return conform_no(t, "an empty ring does not take eight packets");
	(void)winhv_events_take(t->hv, 0, VMBUS_SINT, channel->relid / 64);
	conform_word_set(channel->out_control, RING_WORD_PENDING, wanted);
	conform_word_set(channel->out_control, RING_WORD_MASK, mask);
	(void)ring_flush(&channel->out);
	(void)conform_channel_signal(t, channel);
	while (conform_word(channel->out_control, RING_WORD_OUT) !=
		conform_word(channel->out_control, RING_WORD_IN))
		if (conform_now(t) >= deadline)
			return conform_no(t, "the host does not read");
	return true;
}

static bool room_said(
	struct conform_target *t, struct conform_channel *channel, uint32_t wanted, uint32_t mask)
{
	return poured(t, channel, wanted, mask) && conform_event(t, 0, channel->relid);
}

/* Messages are answered meanwhile, a few turns of the host: it would have signalled by then. */
static bool room_unsaid(struct conform_target *t, struct conform_channel *channel, uint32_t wanted)
{
	uint32_t sints;

	if (!poured(t, channel, wanted, 0))
		return false;
	for (unsigned i = 0; i < 8; i++)
		if (!conform_bus_quiet(t, "a wish for room"))
			return false;
	(void)winhv_wait(t->hv, 0, 0, &sints);
	return !(winhv_events_take(t->hv, 0, VMBUS_SINT, channel->relid / 64) &
		       1ull << channel->relid % 64) ||
	       conform_no(
		       t, "a wish for 0x%x bytes was signalled: 696 were free, 4088 are", wanted);
}

static enum conform_verdict satisfied(struct conform_target *t)
{
	static const uint32_t wishes[] = {0, 8, 500, 696};
	OPENED(sink, 1);
	for (unsigned i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
		TRY(room_unsaid(t, channel, wishes[i]));
	TRY(room_said(t, channel, 704, 0));
	return CONFORM_PASS;
}

static enum conform_verdict impossible(struct conform_target *t)
{
	static const uint32_t wishes[] = {4096, 0x10000, 0x7ffffff8, 0x80000000, 0xffffffff};
	OPENED(sink, 1);
	for (unsigned i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
		TRY(room_unsaid(t, channel, wishes[i]));
	TRY(room_said(t, channel, 4088, 0));
	return CONFORM_PASS;
}

static enum conform_verdict low_bits(struct conform_target *t)
{
	OPENED(sink, 1);
	TRY(room_unsaid(t, channel, 703));
	TRY(room_said(t, channel, 4095, 0));
	TRY(room_said(t, channel, 1007, 0));
	return CONFORM_PASS;
}

static enum conform_verdict not_masked(struct conform_target *t)
{
	static const uint32_t masks[] = {1, 2, 0x80000000, 0xffffffff};
	OPENED(sink, 1);
	for (unsigned i = 0; i < sizeof masks / sizeof masks[0]; i++)
		TRY(room_said(t, channel, 1000, masks[i]));
	return CONFORM_PASS;
}

#define ROW(rule, name, run)                                                                       \
	{                                                                                          \
		rule, name, run, CONFORM_BUS, 0, 0                                                 \
	}
const struct conform_test conform_flow_tests[] = {
	ROW("R-TDEV-006", "the sink has taken each packet once, in order", nothing_lost),
	ROW("R-TDEV-007", "the source's packets come, in order, as there is room", order),
	ROW("R-TDEV-008", "the source refuses bad requests", bad_requests),
	ROW("R-TDEV-009", "the source does one request after the other", one_by_one),
	ROW("R-PKT-011", "the host's pads are zero", pads),
	ROW("R-PKT-015", "the host's packets have as many ranges as they say", ranges_sent),
	ROW("R-RING-001", "the host does not fill its ring up", not_filled_up),
	ROW("R-RING-012", "a wish that is satisfied is not signalled", satisfied),
	ROW("R-RING-013", "the low three bits of a wish do not count", low_bits),
	ROW("R-RING-014", "a wish that cannot be satisfied does not disturb", impossible),
	ROW("R-RING-016", "the host clears its wish", wish_cleared),
	ROW("R-RING-017", "the room signal does not depend on the mask", not_masked),
	ROW("R-RING-018", "room of which the guest does not tell is polled for", room_polled),
	ROW("R-RING-035", "the host's wish includes the trailer", wish),
};
#undef ROW
const size_t conform_flow_test_count = sizeof conform_flow_tests / sizeof conform_flow_tests[0];
