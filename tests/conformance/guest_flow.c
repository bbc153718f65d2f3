// SPDX-License-Identifier: Apache-2.0
/* What a guest puts into its rings, when it signals and when it waits: ring.md 3 to 6, packet.md.
 */
#include "tests/conformance/guest_ring.h"

#include <string.h>

#define NOT_TESTED PACKET_REJECT_COUNT

static uint64_t signals(const struct scripted_host *h)
{
	return h->script.signal_count;
}

/* ---- packets of the guest ------------------------------------------------------------------- */

/* Each offset, so that each part of a packet lies across the end once, in both directions. */
RING_TEST(wraps_everywhere)
{
	uint8_t payload[64];
	struct packet_view view;
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND, .transaction_id = 7, .payload_bytes = sizeof payload};

	for (unsigned i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 7 + 1);
	for (uint32_t at = RING_SIZE - 96; at < RING_SIZE; at += 8) {
		TRY(guest_ring_advance(t, relid, at));
		h->channels[relid].is_open = false;
		EXPECT(ring_send(&h->guest[relid].out, &header, NULL, payload) == RING_OK, "full");
		vmbus_channel_flush(&h->guest[relid]);
		const uint8_t *data = host_data(h, relid, false);
		for (unsigned i = 0; i < sizeof payload; i++)
			EXPECT(data[(at + 16 + i) % RING_SIZE] == payload[i],
				"offset %u: byte %u is wrong in the ring", at, i);
		EXPECT(get32(data + (at + 84) % RING_SIZE) == at, "offset %u: the trailer says %u",
			at, get32(data + (at + 84) % RING_SIZE));
		EXPECT(get32(data + (at + 80) % RING_SIZE) == 0, "the trailer's first word is 0x%x",
			get32(data + (at + 80) % RING_SIZE));
		h->channels[relid].is_open = true;
		host_serve(h, relid);
		EXPECT(host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, payload, sizeof payload),
			"no room");
		EXPECT(ring_peek(&h->guest[relid].in, &view) == RING_OK, "offset %u: no packet",
			at);
		EXPECT(memcmp(view.payload, payload, sizeof payload) == 0,
			"offset %u: the payload is wrong", at);
		ring_release(&h->guest[relid].in, &view);
		vmbus_channel_flush(&h->guest[relid]);
	}
	return CONFORM_PASS;
}

/* The unused bytes of the last unit, in a ring that was full of other things. */
RING_TEST(pad_is_zero)
{
	for (uint32_t bytes = 1; bytes < 24; bytes++) {
		const struct packet_header header = {
			.type = PACKET_TYPE_INBAND, .payload_bytes = bytes};
		uint8_t payload[24];
		TRY(guest_ring_fresh(t, relid));
		memset(payload, 0xff, sizeof payload);
		memset(host_data(h, relid, false), 0xaa, RING_SIZE);
		EXPECT(ring_send(&h->guest[relid].out, &header, NULL, payload) == RING_OK, "full");
		vmbus_channel_flush(&h->guest[relid]);
		const uint8_t *data = host_data(h, relid, false);
		for (uint32_t i = bytes; i % 8 != 0; i++)
			EXPECT(data[16 + i] == 0, "%u bytes: byte %u behind is 0x%x", bytes, i,
				data[16 + i]);
		EXPECT(get16(data + 4) == 2 + (bytes + 7) / 8, "%u bytes: length8 is %u", bytes,
			get16(data + 4));
	}
	return CONFORM_PASS;
}

RING_TEST(empty_payloads)
{
	EXPECT(guest_ring_send(h, relid, 0) == RING_OK, "the guest cannot send one");
	EXPECT(get16(host_data(h, relid, false) + 4) == 2, "length8 is %u",
		get16(host_data(h, relid, false) + 4));
	host_serve(h, relid);
	EXPECT(host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, NULL, 0), "no room");
	EXPECT(guest_ring_take(h, relid) == 9, "the guest does not take one");
	return CONFORM_PASS;
}

/* Each kind of packet that a host sends, with any reserved words. */
RING_TEST(reserved_words)
{
	static const uint16_t types[] = {7, 9};

	for (unsigned i = 0; i < 2; i++) {
		struct packet_view view;
		uint8_t d[48] = {0};
		TRY(guest_ring_fresh(t, relid));
		host_descriptor(d, types[i], 3, 5, 0, 9);
		memset(d + 16, 0xff, 8);
		host_send_raw(h, relid, d, sizeof d, 48);
		EXPECT(ring_peek(&h->guest[relid].in, &view) == RING_OK, "type %u is refused",
			types[i]);
		EXPECT(view.extended_bytes == 8 && view.payload_bytes == 16,
			"%u bytes of header, %u of payload", view.extended_bytes,
			view.payload_bytes);
	}
	return CONFORM_PASS;
}

/* Ranges of a type 7 packet, which the guest checks against its buffer of 65536 bytes. */
static enum packet_reject transfer(struct conform_target *t, struct scripted_host *h,
	uint32_t relid, const uint32_t *words, uint32_t count, uint16_t offset8)
{
	_Alignas(8) uint8_t store[64];
	struct packet_transfer_list list;
	struct packet_view view;
	uint8_t d[128] = {0};

	if (!guest_ring_fresh(t, relid))
		return NOT_TESTED;
	host_descriptor(d, 7, offset8, offset8, 0, 9);
	for (uint32_t i = 0; i < count; i++)
		put32(d + 16 + 4 * i, words[i]);
	host_send_raw(h, relid, d, offset8 * 8u + 8, offset8 * 8u + 8);
	if (ring_peek(&h->guest[relid].in, &view) != RING_OK)
		return NOT_TESTED;
	return packet_transfer_pages_parse(&view, 0xcafe, 65536, store, sizeof store, &list);
}

RING_TEST(transfer_ranges)
{
	static const struct {
		uint32_t words[6];
		uint16_t offset8;
		uint16_t verdict;
	} rows[] = {
		{{0xcafe, 1, 64, 0}, 4, PACKET_ACCEPTED},
		{{0xffcafe, 1, 64, 0}, 4, PACKET_ACCEPTED}, /* "owns", reserved */
		{{0xcafe, 1, 65536, 0}, 4, PACKET_ACCEPTED},
		{{0xcafe, 2, 64, 0, 64, 65472}, 5, PACKET_ACCEPTED},
		{{0xcafe, 1, 65537, 0}, 4, PACKET_REJECT_RANGE_OUTSIDE},
		{{0xcafe, 1, 64, 65473}, 4, PACKET_REJECT_RANGE_OUTSIDE},
		{{0xcafe, 1, 1, 65536}, 4, PACKET_REJECT_RANGE_OUTSIDE},
		{{0xcafe, 1, 64, 0xffffffff}, 4, PACKET_REJECT_RANGE_OUTSIDE},
		{{0xcafe, 1, 0xffffffff, 0xffffffff}, 4, PACKET_REJECT_RANGE_OUTSIDE},
		{{0xcafe, 1, 0xffffffff, 1}, 4, PACKET_REJECT_RANGE_OUTSIDE},
		{{0xcafe, 2, 64, 0, 64, 65473}, 5, PACKET_REJECT_RANGE_OUTSIDE},
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const enum packet_reject found = transfer(
			t, h, relid, rows[i].words, 6, rows[i].offset8);
		EXPECT(found == (enum packet_reject)rows[i].verdict, "case %u: \"%s\"", i,
			packet_reject_name(found));
	}
	return CONFORM_PASS;
}

RING_TEST(transfer_counts)
{
	static const uint32_t counts[] = {0, 2, 3, 0x20000001, 0x40000001, 0xffffffff};

	for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		const uint32_t words[4] = {0xcafe, counts[i], 64, 0};
		const enum packet_reject found = transfer(t, h, relid, words, 4, 4);
		EXPECT(found != PACKET_ACCEPTED && found != NOT_TESTED,
			"count %u for one range: \"%s\"", counts[i], packet_reject_name(found));
	}
	return CONFORM_PASS;
}

RING_TEST(transfer_sets)
{
	static const uint32_t sets[] = {0, 1, 0xcaff, 0xfeca, 0xffff};

	for (unsigned i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		const uint32_t words[4] = {sets[i], 1, 64, 0};
		EXPECT(transfer(t, h, relid, words, 4, 4) == PACKET_REJECT_SET_ID,
			"set 0x%x is taken", sets[i]);
	}
	return CONFORM_PASS;
}

/* ---- room ----------------------------------------------------------------------------------- */

RING_TEST(never_full)
{
	static const uint32_t sizes[] = {0, 8, 24, 100, 1000, 2000};

	h->channels[relid].is_open = false;
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		unsigned sent = 0;
		TRY(guest_ring_fresh(t, relid));
		h->channels[relid].is_open = false;
		while (guest_ring_send(h, relid, sizes[i]) == RING_OK && sent < 1000)
			sent++;
		EXPECT(sent < 1000, "a ring that nobody reads is never full");
		const uint32_t in = *host_word(h, relid, false, RING_WORD_IN);
		EXPECT(in != 0, "%u bytes: the ring was filled to the brim", sizes[i]);
		EXPECT(in == sent * ((sizes[i] + 7) / 8 * 8 + 24), "%u bytes: write index %u",
			sizes[i], in);
	}
	h->channels[relid].is_open = true;
	return CONFORM_PASS;
}

RING_TEST(largest)
{
	TRY(guest_ring_advance(t, relid, 2048));
	EXPECT(guest_ring_send(h, relid, RING_SIZE - 8 - 24 + 1) == RING_TOO_LARGE,
		"a packet that can never fit is not refused for good");
	EXPECT(guest_ring_send(h, relid, RING_SIZE - 8 - 24) == RING_OK,
		"the largest that can fit is refused");
	const uint64_t packets = h->channels[relid].packets;
	host_serve(h, relid);
	EXPECT(h->channels[relid].packets == packets + 1, "it does not come");
	static const uint8_t payload[RING_SIZE];
	EXPECT(host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, payload, RING_SIZE - 32), "no room");
	EXPECT(guest_ring_take(h, relid) == 9, "the guest does not take the largest");
	return CONFORM_PASS;
}

/* The guest wants room: what it stores, and that it takes it back. */
RING_TEST(wishes)
{
	const struct packet_header header = {.type = PACKET_TYPE_INBAND, .payload_bytes = 1000};
	uint32_t *wish;

	TRY(guest_ring_fresh(t, relid));
	wish = host_word(h, relid, false, RING_WORD_PENDING);
	while (guest_ring_send(h, relid, 1000) == RING_OK)
		;
	EXPECT(*wish == 0, "a wish of %u without waiting", *wish);
	EXPECT(ring_writer_want(&h->guest[relid].out, &header) == RING_FULL, "there is room");
	EXPECT(*wish >= 1024, "the wish is %u, for a packet of 1024 with its trailer", *wish);
	EXPECT(*wish % 8 == 0, "the wish is %u", *wish);
	EXPECT(*wish < RING_SIZE, "the wish is %u", *wish);
	h->channels[relid].is_open = true;
	host_serve(h, relid);
	EXPECT(guest_ring_send(h, relid, 1000) == RING_OK, "the room is not found");
	EXPECT(*wish == 0, "the wish of %u stays after the write", *wish);
	return CONFORM_PASS;
}

/* Room came between the full ring and the wish: it is seen without a signal. */
RING_TEST(looks_again_after_wish)
{
	const struct packet_header header = {.type = PACKET_TYPE_INBAND, .payload_bytes = 1000};

	TRY(guest_ring_fresh(t, relid));
	while (guest_ring_send(h, relid, 1000) == RING_OK)
		;
	*host_word(h, relid, false, RING_WORD_OUT) = 2048; /* read, and nothing said */
	EXPECT(ring_writer_want(&h->guest[relid].out, &header) == RING_OK,
		"the room is not seen, and the guest waits for ever");
	EXPECT(guest_ring_send(h, relid, 1000) == RING_OK, "it cannot write");
	return CONFORM_PASS;
}

/* A host that does not know wishes: the guest knows that it must poll. */
RING_TEST(host_without_wishes)
{
	uint32_t *features = host_word(h, relid, true, RING_WORD_FEATURES);

	*features = 1;
	EXPECT(ring_peer_signals_space(&h->guest[relid].in), "a host with feature bit 0");
	*features = 0xfffffffe;
	EXPECT(!ring_peer_signals_space(&h->guest[relid].in), "a host without feature bit 0");
	*features = 0xffffffff;
	EXPECT(ring_peer_signals_space(&h->guest[relid].in), "unknown bits disturb");
	return CONFORM_PASS;
}

/* ---- the control pages ---------------------------------------------------------------------- */

RING_TEST(only_own_fields)
{
	uint32_t before[2][1024];

	TRY(guest_ring_fresh(t, relid));
	for (unsigned ring = 0; ring < 2; ring++)
		for (unsigned word = 4; word < 1024; word++)
			if (word != RING_WORD_FEATURES)
				*host_word(h, relid, ring, word) = 0xa5a50000 + word;
	memcpy(before[0], host_word(h, relid, false, 0), 4096);
	memcpy(before[1], host_word(h, relid, true, 0), 4096);
	EXPECT(before[0][RING_WORD_FEATURES] == 1, "the feature word of the guest is 0x%x",
		before[0][RING_WORD_FEATURES]);
	for (unsigned i = 0; i < 50; i++) {
		const uint64_t word = i;
		EXPECT(guest_ring_send(h, relid, 200) == RING_OK, "full");
		host_serve(h, relid);
		EXPECT(host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, &word, 8) &&
				guest_ring_take(h, relid) == 9,
			"packet %u does not come", i);
		guest_serve(h);
	}
	/* guest -> host: in, wish, features are the guest's; host -> guest: out and mask */
	for (unsigned word = 4; word < 1024; word++)
		for (unsigned ring = 0; ring < 2; ring++)
			EXPECT(*host_word(h, relid, ring, word) == before[ring][word],
				"word %u of ring %u has become 0x%x", word, ring,
				*host_word(h, relid, ring, word));
	EXPECT(*host_word(h, relid, true, RING_WORD_PENDING) == 0, "the host's wish is written");
	EXPECT(*host_word(h, relid, false, RING_WORD_MASK) == 0, "the host's mask is written");
	return CONFORM_PASS;
}

/* ---- signals -------------------------------------------------------------------------------- */

RING_TEST(signals_when_empty)
{
	TRY(guest_ring_fresh(t, relid));
	h->channels[relid].is_open = false;
	uint64_t before = signals(h);
	EXPECT(guest_ring_send(h, relid, 8) == RING_OK && signals(h) == before + 1,
		"%u signals for data in an empty ring", (unsigned)(signals(h) - before));
	before = signals(h);
	EXPECT(guest_ring_send(h, relid, 8) == RING_OK && signals(h) == before,
		"a signal for data in a ring that has some");
	h->channels[relid].is_open = true;
	host_serve(h, relid);
	before = signals(h);
	EXPECT(guest_ring_send(h, relid, 8) == RING_OK && signals(h) == before + 1,
		"no signal once the ring was empty again");
	return CONFORM_PASS;
}

RING_TEST(masked)
{
	static const uint32_t masks[] = {1, 2, 0x80000000, 0xffffffff, 0x100};

	for (unsigned i = 0; i < sizeof masks / sizeof masks[0]; i++) {
		TRY(guest_ring_fresh(t, relid));
		*host_word(h, relid, false, RING_WORD_MASK) = masks[i];
		const uint64_t before = signals(h);
		EXPECT(guest_ring_send(h, relid, 8) == RING_OK, "full");
		EXPECT(signals(h) == before, "mask 0x%x: a signal", masks[i]);
		*host_word(h, relid, false, RING_WORD_MASK) = 0;
		host_serve(h, relid);
	}
	return CONFORM_PASS;
}

/* Set the host's wish in the guest's incoming ring, fill that, and let the guest read. */
static enum conform_verdict room_signals(struct conform_target *t, struct scripted_host *h,
	uint32_t relid, uint32_t wish, uint32_t features, unsigned want)
{
	static const uint8_t payload[RING_SIZE];
	uint64_t before;

	TRY(guest_ring_fresh(t, relid));
	guest_serve(h);
	while (host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, payload, 488)) /* 512 each: 7 */
		;
	*host_word(h, relid, true, RING_WORD_PENDING) = wish;
	*host_word(h, relid, true, RING_WORD_FEATURES) = features;
	before = signals(h);
	for (unsigned i = 0; i < 7; i++) {
		EXPECT(guest_ring_take(h, relid) == 9, "packet %u does not come", i);
		/* free is 504 at first, 512 more each time */
		const uint32_t free = 504 + 512 * (i + 1), aim = wish & ~7u;
		EXPECT(signals(h) == before || free >= aim, "wish %u: a signal at %u free", wish,
			free);
	}
	EXPECT(signals(h) - before == want, "wish %u, features 0x%x: %u signals for room", wish,
		features, (unsigned)(signals(h) - before));
	guest_serve(h);
	return CONFORM_PASS;
}

RING_TEST(room_wished_for)
{
	static const uint32_t wishes[] = {
		512, 1016, 1024, 2040, 2048, 4088, 513, 1031, RING_SIZE - 1};

	for (unsigned i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
		if (room_signals(t, h, relid, wishes[i], 1, 1) != CONFORM_PASS)
			return CONFORM_FAIL;
	return CONFORM_PASS;
}

RING_TEST(room_not_wished_for)
{
	static const struct {
		uint32_t wish, features;
	} rows[] = {{0, 1}, {1, 1}, {7, 1}, {8, 1}, {504, 1}, {1024, 0}, {1024, 0xfffffffe}};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (room_signals(t, h, relid, rows[i].wish, rows[i].features, 0) != CONFORM_PASS)
			return CONFORM_FAIL;
	return CONFORM_PASS;
}

RING_TEST(room_that_never_comes)
{
	static const uint32_t wishes[] = {RING_SIZE, RING_SIZE + 8, 0x80000000, 0xffffffff};

	for (unsigned i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
		if (room_signals(t, h, relid, wishes[i], 1, 0) != CONFORM_PASS)
			return CONFORM_FAIL;
	return CONFORM_PASS;
}

/* While the guest polls, its mask says no data signals; the room signal comes all the same. */
RING_TEST(room_and_mask)
{
	static const uint8_t payload[RING_SIZE];

	TRY(guest_ring_fresh(t, relid));
	while (host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, payload, 488))
		;
	*host_word(h, relid, true, RING_WORD_PENDING) = 1024;
	ring_reader_mask(&h->guest[relid].in);
	EXPECT(*host_word(h, relid, true, RING_WORD_MASK) != 0, "the guest does not mask");
	const uint64_t before = signals(h);
	for (unsigned i = 0; i < 7; i++)
		(void)guest_ring_take(h, relid);
	EXPECT(signals(h) == before + 1, "%u signals for room", (unsigned)(signals(h) - before));
	*host_word(h, relid, true, RING_WORD_PENDING) = 0;
	return CONFORM_PASS;
}

/* ---- sleeping ------------------------------------------------------------------------------- */

RING_TEST(rests_unmasked)
{
	guest_serve(h);
	EXPECT(vmbus_arm(h->bus), "the bus cannot sleep");
	EXPECT(*host_word(h, relid, true, RING_WORD_MASK) == 0, "it sleeps with the mask set");
	return CONFORM_PASS;
}

/* Data, and no signal, for the mask was set a moment ago. */
RING_TEST(looks_before_sleep)
{
	const uint64_t word = 5;

	guest_serve(h);
	*host_word(h, relid, true, RING_WORD_MASK) = 1;
	TRY(guest_ring_fresh(t, relid));
	(void)vmbus_poll(h->bus, 0);
	EXPECT(*host_word(h, relid, true, RING_WORD_MASK) != 0, "while hot it does not mask");
	EXPECT(host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, &word, 8), "no room");
	platform_scripted_flags(&h->script, 0, VMBUS_SINT)[0] = 0;
	h->script.vps[0].pending = 0;
	EXPECT(!vmbus_arm(h->bus), "it goes to sleep with data in the ring");
	EXPECT(guest_ring_take(h, relid) == 9, "the data is lost");
	guest_serve(h);
	return CONFORM_PASS;
}

/* By the guest's last signal before it sleeps, with the mask still set: it gets no signal. */
static void answer_now(
	void *ctx, struct platform_scripted *script, uint32_t connection_id, uint16_t flag)
{
	struct scripted_host *h = ctx;
	const uint64_t word = 5;

	(void)script;
	(void)connection_id;
	(void)flag;
	h->script.on_signal = NULL;
	(void)host_send(h, h->turn, PACKET_TYPE_INBAND, 0, 9, &word, 8);
}

RING_TEST(looks_after_unmasking)
{
	const struct packet_header header = {.type = PACKET_TYPE_INBAND, .payload_bytes = 8};
	const uint64_t word = 5;

	TRY(guest_ring_fresh(t, relid));
	(void)vmbus_poll(h->bus, 0);
	EXPECT(*host_word(h, relid, true, RING_WORD_MASK) != 0, "while hot it does not mask");
	EXPECT(ring_send(&h->guest[relid].out, &header, NULL, &word) == RING_OK, "full");
	h->turn = relid;
	h->script.on_signal = answer_now;
	const bool is_asleep = vmbus_arm(h->bus);
	h->turn = 0;
	EXPECT(h->script.on_signal == NULL, "before it sleeps it does not publish what it wrote");
	EXPECT(!is_asleep, "it goes to sleep with data that came before the mask was clear");
	EXPECT(guest_ring_take(h, relid) == 9, "the data is lost");
	guest_serve(h);
	return CONFORM_PASS;
}

RING_TEST(index_stored_before_sleep)
{
	static const uint64_t words[4];
	struct packet_view view;

	TRY(guest_ring_fresh(t, relid));
	for (unsigned i = 0; i < 20; i++)
		EXPECT(host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, words, 32), "no room");
	(void)vmbus_poll(h->bus, 0);
	while (ring_peek(&h->guest[relid].in, &view) == RING_OK)
		ring_release(&h->guest[relid].in, &view); /* and no flush */
	for (unsigned i = 0; i < 5 && !vmbus_arm(h->bus); i++)
		(void)vmbus_poll(h->bus, 0);
	EXPECT(*host_word(h, relid, true, RING_WORD_OUT) ==
			*host_word(h, relid, true, RING_WORD_IN),
		"it sleeps with %u bytes not given back",
		*host_word(h, relid, true, RING_WORD_IN) -
			*host_word(h, relid, true, RING_WORD_OUT));
	return CONFORM_PASS;
}

/* The host wishes for room, and who reads leaves the rest to the bus. */
RING_TEST(room_said_before_sleep)
{
	static const uint8_t payload[RING_SIZE];
	struct packet_view view;

	TRY(guest_ring_fresh(t, relid));
	guest_serve(h);
	while (host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, payload, 488))
		;
	*host_word(h, relid, true, RING_WORD_PENDING) = 1024;
	*host_word(h, relid, true, RING_WORD_FEATURES) = 1;
	(void)vmbus_poll(h->bus, 0);
	while (ring_peek(&h->guest[relid].in, &view) == RING_OK)
		ring_release(&h->guest[relid].in, &view); /* and no flush */
	const uint64_t before = signals(h);
	for (unsigned i = 0; i < 5 && !vmbus_arm(h->bus); i++)
		(void)vmbus_poll(h->bus, 0);
	EXPECT(signals(h) - before == 1, "it sleeps after %u signals for room",
		(unsigned)(signals(h) - before));
	return CONFORM_PASS;
}

/* A signal for room alone runs on_ready too: the guest may have something to write. */
RING_TEST(signal_means_both)
{
	guest_serve(h);
	(void)vmbus_arm(h->bus);
	h->ready[relid] = 0;
	host_event(h, relid);
	(void)vmbus_poll(h->bus, 0);
	EXPECT(h->ready[relid] == 1, "a signal without data is not passed on");
	return CONFORM_PASS;
}

/* The smallest ring, with flow control: many times its size, in order, both ways. */
RING_TEST(smallest_ring)
{
	const struct packet_header header = {.type = PACKET_TYPE_INBAND, .payload_bytes = 700};
	const uint64_t packets = h->channels[relid].packets;
	static const uint8_t payload[700];

	for (unsigned i = 0; i < 300; i++) {
		if (guest_ring_send(h, relid, 700) != RING_OK) {
			(void)ring_writer_want(&h->guest[relid].out, &header);
			host_serve(h, relid);
			EXPECT(guest_ring_send(h, relid, 700) == RING_OK, "packet %u: no room", i);
		}
		EXPECT(host_send(h, relid, PACKET_TYPE_INBAND, 0, 1 + i, payload, 700) &&
				guest_ring_take(h, relid) == 1 + i,
			"packet %u does not come", i);
	}
	host_serve(h, relid);
	EXPECT(h->channels[relid].packets == packets + 300, "of 300 packets %u came",
		(unsigned)(h->channels[relid].packets - packets));
	return CONFORM_PASS;
}

const struct conform_test guest_flow_tests[] = {
	{"R-RING-003", "packets wrap at every offset, both ways", wraps_everywhere, GUEST_CHANNEL,
		0, 0},
	{"R-RING-004", "the trailer says where the packet began", wraps_everywhere, GUEST_CHANNEL,
		0, 0},
	{"R-PKT-011", "the pad of a packet is 0", pad_is_zero, GUEST_CHANNEL, 0, 0},
	{"R-PKT-012", "payloads of no bytes are sent and taken", empty_payloads, GUEST_CHANNEL, 0,
		0},
	{"R-PKT-009", "reserved words of types 7 and 9 are ignored", reserved_words, GUEST_CHANNEL,
		0, 0},
	{"R-PKT-008", "ranges outside of the buffer are refused", transfer_ranges, GUEST_CHANNEL, 0,
		0},
	{"R-PKT-015", "a count that is not that of the ranges is refused", transfer_counts,
		GUEST_CHANNEL, 0, 0},
	{"R-PKT-010", "a set that was not agreed on is refused", transfer_sets, GUEST_CHANNEL, 0,
		0},
	{"R-RING-001", "a ring is never filled to the brim", never_full, GUEST_CHANNEL, 0, 0},
	{"R-RING-002", "the largest packet goes through, a larger one never", largest,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-035", "a wish has the trailer in it", wishes, GUEST_CHANNEL, 0, 0},
	{"R-RING-016", "a wish is taken back once it could write", wishes, GUEST_CHANNEL, 0, 0},
	{"R-RING-015", "after storing its wish it looks again", looks_again_after_wish,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-018", "it knows whether the host will signal for room", host_without_wishes,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-031", "it stores its own fields alone", only_own_fields, GUEST_CHANNEL, 0, 0},
	{"R-RING-032", "reserved fields of any contents are ignored", only_own_fields,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-019", "its feature bit is set in the ring that it writes", only_own_fields,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-007", "data is signalled when the ring was empty, and else not",
		signals_when_empty, GUEST_CHANNEL, 0, 0},
	{"R-RING-008", "a mask with any bit set means no signal", masked, GUEST_CHANNEL, 0, 0},
	{"R-RING-011", "room is signalled once, when it rises to the wish", room_wished_for,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-013", "the low bits of a wish do not count", room_wished_for, GUEST_CHANNEL, 0, 0},
	{"R-RING-012", "room that nobody wished for is not signalled", room_not_wished_for,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-014", "a wish past the ring disturbs nothing", room_that_never_comes,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-017", "room is signalled whatever the mask", room_and_mask, GUEST_CHANNEL, 0, 0},
	{"R-RING-036", "it sleeps with the mask clear", rests_unmasked, GUEST_CHANNEL, 0, 0},
	{"R-RING-036", "before it sleeps it says what room there is", room_said_before_sleep,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-009", "it looks for data once more before it sleeps", looks_before_sleep,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-009", "... and after it has cleared the mask", looks_after_unmasking,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-027", "before it sleeps its read index is stored", index_stored_before_sleep,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-020", "a signal without data is passed on as well", signal_means_both,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-030", "the smallest ring works, with flow control", smallest_ring, GUEST_CHANNEL,
		0, 0},
};
const size_t guest_flow_test_count = sizeof guest_flow_tests / sizeof guest_flow_tests[0];
