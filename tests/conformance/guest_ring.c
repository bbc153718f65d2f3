// SPDX-License-Identifier: Apache-2.0
/* A guest's rings, and a host that breaks them: ring.md, packet.md 2. */
#include "tests/conformance/guest_ring.h"

#include <string.h>

/* ---- indices of the host -------------------------------------------------------------------- */

RING_TEST(in_out_of_range)
{
	static const uint32_t indices[] = {
		RING_SIZE, RING_SIZE + 8, 2 * RING_SIZE, 0x7ffffff8, 0x80000000, 0xfffffff8};

	for (unsigned i = 0; i < sizeof indices / sizeof indices[0]; i++) {
		TRY(guest_ring_fresh(t, relid));
		*host_word(h, relid, true, RING_WORD_IN) = indices[i];
		TRY(guest_ring_stopped(t, relid, RING_CORRUPT_INDEX_RANGE));
	}
	return CONFORM_PASS;
}

RING_TEST(in_unaligned)
{
	for (uint32_t index = 1; index < 8; index++) {
		TRY(guest_ring_fresh(t, relid));
		*host_word(h, relid, true, RING_WORD_IN) = 64 + index;
		TRY(guest_ring_stopped(t, relid, RING_CORRUPT_INDEX_ALIGNMENT));
	}
	return CONFORM_PASS;
}

RING_TEST(in_backward)
{
	const uint64_t words[8] = {0};
	struct packet_view view;

	TRY(guest_ring_advance(t, relid, 256));
	EXPECT(host_send(h, relid, PACKET_TYPE_INBAND, 0, 1, words, 8) &&
			host_send(h, relid, PACKET_TYPE_INBAND, 0, 2, words, 8),
		"there is no room");
	EXPECT(ring_peek(&h->guest[relid].in, &view) == RING_OK, "no packet");
	ring_release(&h->guest[relid].in, &view);
	/* behind what the guest knows to be there, and behind what it has read */
	*host_word(h, relid, true, RING_WORD_IN) = 256;
	EXPECT(ring_peek(&h->guest[relid].in, &view) == RING_OK, "the second packet is lost");
	ring_release(&h->guest[relid].in, &view);
	vmbus_channel_flush(&h->guest[relid]);
	const enum ring_status status = ring_peek(&h->guest[relid].in, &view);
	EXPECT(status != RING_OK, "memory that was given back is read again");
	EXPECT(ring_status_is_corrupt(status), "it says \"%s\"", ring_status_name(status));
	return CONFORM_PASS;
}

/* The host's read index, for the ring that the guest writes. */
RING_TEST(out_wrong)
{
	static const struct {
		uint32_t index;
		enum ring_status reason;
	} rows[] = {{RING_SIZE, RING_CORRUPT_INDEX_RANGE}, {0xfffffff8, RING_CORRUPT_INDEX_RANGE},
		{0x80000000, RING_CORRUPT_INDEX_RANGE}, {4, RING_CORRUPT_INDEX_ALIGNMENT},
		{1, RING_CORRUPT_INDEX_ALIGNMENT}, {3080, RING_CORRUPT_INDEX_BACKWARD},
		{RING_SIZE - 8, RING_CORRUPT_INDEX_BACKWARD}};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum ring_status status = RING_OK;
		TRY(guest_ring_fresh(t, relid));
		h->channels[relid].is_open = false; /* nobody reads */
		EXPECT(guest_ring_send(h, relid, 1000) == RING_OK, "the first packet is refused");
		*host_word(h, relid, false, RING_WORD_OUT) = rows[i].index;
		for (unsigned n = 0; n < 8 && status == RING_OK; n++)
			status = guest_ring_send(h, relid, 1000);
		EXPECT(status == rows[i].reason, "read index 0x%x: \"%s\"", rows[i].index,
			ring_status_name(status));
		*host_word(h, relid, false, RING_WORD_OUT) = 0;
		EXPECT(guest_ring_send(h, relid, 8) == rows[i].reason, "repaired, it goes on");
		h->channels[relid].is_open = true;
		const uint64_t word = 5;
		EXPECT(host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, &word, 8) &&
				guest_ring_take(h, relid) == 9,
			"the other ring has stopped as well");
	}
	return CONFORM_PASS;
}

/* What the host writes over the guest's own indices is not looked at. */
RING_TEST(own_indices)
{
	const uint64_t word = 5;

	for (unsigned i = 0; i < 200; i++) {
		*host_word(h, relid, false, RING_WORD_IN) = 0xffffffff - i;
		*host_word(h, relid, true, RING_WORD_OUT) = 4 + i;
		EXPECT(guest_ring_send(h, relid, 40) == RING_OK, "packet %u is refused", i);
		EXPECT(*host_word(h, relid, false, RING_WORD_IN) == (i + 1) * 64 % RING_SIZE,
			"packet %u: write index %u", i, *host_word(h, relid, false, RING_WORD_IN));
		host_serve(h, relid);
		/* the host's own ring code needs the read index as it was */
		*host_word(h, relid, true, RING_WORD_OUT) = i * 32 % RING_SIZE;
		EXPECT(host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, &word, 8), "no room");
		*host_word(h, relid, true, RING_WORD_OUT) = 0xffffffff;
		EXPECT(guest_ring_take(h, relid) == 9, "packet %u does not come", i);
		EXPECT(*host_word(h, relid, true, RING_WORD_OUT) == (i + 1) * 32 % RING_SIZE,
			"packet %u: read index %u", i, *host_word(h, relid, true, RING_WORD_OUT));
	}
	EXPECT(h->channels[relid].packets == 200, "of 200 packets %u came",
		(unsigned)h->channels[relid].packets);
	return CONFORM_PASS;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static enum conform_verdict descriptor(struct conform_target *t, struct scripted_host *h,
	uint32_t relid, const uint16_t fields[4], uint32_t published, enum ring_status reason)
{
	uint8_t d[64] = {0};

	TRY(guest_ring_fresh(t, relid));
	host_descriptor(d, fields[0], fields[1], fields[2], fields[3], 9);
	host_send_raw(h, relid, d, sizeof d, published);
	TRY(guest_ring_stopped(t, relid, reason));
	return CONFORM_PASS;
}

RING_TEST(bad_descriptors)
{
	static const struct {
		uint16_t fields[4];
		uint16_t published;
		uint16_t reason;
	} rows[] = {
		{{6, 2, 3, 0}, 8, RING_CORRUPT_DESCRIPTOR_SHORT},
		{{6, 2, 0, 0}, 40, RING_CORRUPT_LENGTH_SHORT},
		{{6, 2, 1, 0}, 40, RING_CORRUPT_LENGTH_SHORT},
		{{6, 0, 3, 0}, 40, RING_CORRUPT_OFFSET_SHORT},
		{{6, 1, 3, 0}, 40, RING_CORRUPT_OFFSET_SHORT},
		{{6, 4, 3, 0}, 40, RING_CORRUPT_OFFSET_PAST_LENGTH},
		{{6, 0xffff, 3, 0}, 40, RING_CORRUPT_OFFSET_PAST_LENGTH},
		{{6, 2, 4, 0}, 32, RING_CORRUPT_LENGTH_PAST_DATA}, /* the trailer is missing */
		{{6, 2, 5, 0}, 32, RING_CORRUPT_LENGTH_PAST_DATA},
		{{6, 2, 512, 0}, 40, RING_CORRUPT_LENGTH_PAST_DATA},
		{{6, 2, 0x7fff, 0}, 40, RING_CORRUPT_LENGTH_PAST_DATA},
		{{6, 2, 0xffff, 0}, 40, RING_CORRUPT_LENGTH_PAST_DATA},
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (descriptor(t, h, relid, rows[i].fields, rows[i].published,
			    (enum ring_status)rows[i].reason) != CONFORM_PASS)
			return CONFORM_FAIL;
	return CONFORM_PASS;
}

RING_TEST(no_extended_header)
{
	static const uint16_t rows[][4] = {{7, 2, 3, 0}, {9, 2, 3, 0}, {7, 2, 2, 0}, {9, 2, 2, 1}};

	for (unsigned i = 0; i < 4; i++)
		if (descriptor(t, h, relid, rows[i], 40, RING_CORRUPT_EXTENDED_SHORT) !=
			CONFORM_PASS)
			return CONFORM_FAIL;
	return CONFORM_PASS;
}

/* Stopped, the ring is left alone: whatever comes, nothing is read and nothing is stored. */
RING_TEST(stopped_for_good)
{
	const uint64_t word = 5;

	*host_word(h, relid, true, RING_WORD_IN) = 12;
	TRY(guest_ring_stopped(t, relid, RING_CORRUPT_INDEX_ALIGNMENT));
	for (unsigned i = 0; i < 5; i++) {
		*host_word(h, relid, true, RING_WORD_IN) = 0;
		h->channels[relid].out.next = h->channels[relid].out.data;
		(void)host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, &word, 8);
		guest_serve(h);
		EXPECT(guest_ring_take(h, relid) == 0, "a packet is read");
		EXPECT(*host_word(h, relid, true, RING_WORD_OUT) == 0, "the read index moves");
	}
	EXPECT(h->guest[relid].in.status == RING_CORRUPT_INDEX_ALIGNMENT, "the reason is lost");
	return CONFORM_PASS;
}

RING_TEST(bad_types)
{
	static const uint16_t types[] = {
		0, 1, 2, 3, 4, 5, 8, 10, 12, 13, 255, 256 + 6, 0x7fff, 0x8006, 0xffff};

	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
		const uint16_t fields[4] = {types[i], 3, 3, 0};
		if (descriptor(t, h, relid, fields, 40, RING_CORRUPT_TYPE) != CONFORM_PASS)
			return CONFORM_FAIL;
	}
	return CONFORM_PASS;
}

RING_TEST(unknown_flags)
{
	static const uint16_t flags[] = {1, 2, 4, 0x8000, 0xfffe, 0xffff};

	for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		struct packet_view view;
		uint8_t d[32] = {0};
		TRY(guest_ring_fresh(t, relid));
		host_descriptor(d, 6, 2, 3, flags[i], 9);
		host_send_raw(h, relid, d, sizeof d, 32);
		EXPECT(ring_peek(&h->guest[relid].in, &view) == RING_OK, "flags 0x%x stop the ring",
			flags[i]);
		EXPECT(view.flags == (flags[i] & 1), "flags 0x%x are taken as 0x%x", flags[i],
			view.flags);
	}
	return CONFORM_PASS;
}

/* The host changes the packet after the guest has looked at its descriptor. */
RING_TEST(changed_after_look)
{
	uint8_t d[48] = {0};
	struct packet_view view;

	TRY(guest_ring_advance(t, relid, RING_SIZE - 16)); /* the descriptor at the very end */
	host_descriptor(d, 6, 2, 5, 1, 9);
	host_send_raw(h, relid, d, sizeof d, 48);
	EXPECT(ring_peek(&h->guest[relid].in, &view) == RING_OK, "no packet");
	memset(host_data(h, relid, true), 0xff, RING_SIZE);
	EXPECT(view.payload_bytes == 24 && view.transaction_id == 9 && view.flags == 1,
		"the view has changed");
	ring_release(&h->guest[relid].in, &view);
	vmbus_channel_flush(&h->guest[relid]);
	EXPECT(*host_word(h, relid, true, RING_WORD_OUT) == 32, "the read index is %u",
		*host_word(h, relid, true, RING_WORD_OUT));
	EXPECT(ring_peek(&h->guest[relid].in, &view) == RING_EMPTY, "the ring is not empty");
	return CONFORM_PASS;
}

/* Bytes are private once received, whatever the host does to the ring. */
RING_TEST(private_copy)
{
	const uint64_t words[2] = {0x1122334455667788, 0x99aabbccddeeff00};
	_Alignas(8) uint8_t buffer[64];
	struct packet_view view;

	EXPECT(host_send(h, relid, PACKET_TYPE_INBAND, 0, 9, words, 16), "no room");
	EXPECT(ring_receive(&h->guest[relid].in, buffer, 8, &view) == RING_BUFFER_TOO_SMALL,
		"16 bytes are received into 8");
	EXPECT(ring_receive(&h->guest[relid].in, buffer, sizeof buffer, &view) == RING_OK,
		"it is not received");
	memset(host_data(h, relid, true), 0xff, RING_SIZE);
	EXPECT(get64(view.payload) == words[0] && get64(view.payload + 8) == words[1],
		"the payload has changed");
	return CONFORM_PASS;
}

/* Any bytes at all, published in any amount: never past the ring, always an end. */
RING_TEST(any_bytes)
{
	uint64_t random = 88172645463325252ull;

	for (unsigned round = 0; round < 200; round++) {
		uint8_t *data;
		TRY(guest_ring_fresh(t, relid));
		data = host_data(h, relid, true);
		for (uint32_t i = 0; i < RING_SIZE; i += 8) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			/* small lengths and good types, now and then */
			put64(data + i, random & 1 ? random : (random & 0xff) << 32 | 0x20006);
		}
		*host_word(h, relid, true, RING_WORD_IN) = (uint32_t)(random % RING_SIZE) & ~7u;
		for (unsigned n = 0; n <= RING_SIZE / 24; n++) {
			struct packet_view view;
			uint8_t sum = 0;
			if (ring_peek(&h->guest[relid].in, &view) != RING_OK)
				break;
			EXPECT(view.extended_bytes + view.payload_bytes < RING_SIZE,
				"a packet of %u bytes", view.payload_bytes);
			for (uint32_t i = 0; i < view.payload_bytes; i++)
				sum = (uint8_t)(sum + view.payload[i]);
			h->turn += sum;
			ring_release(&h->guest[relid].in, &view);
			EXPECT(n < RING_SIZE / 24, "the ring has no end");
		}
		vmbus_channel_flush(&h->guest[relid]);
	}
	return CONFORM_PASS;
}

/* Indices that move while the guest serves, for 1000 turns. */
static void move_indices(struct scripted_host *h)
{
	const uint32_t relid = h->turn & 0xf;

	h->turn += 16;
	*host_word(h, relid, true, RING_WORD_IN) = h->turn * 2654435761u % RING_SIZE & ~7u;
	*host_word(h, relid, false, RING_WORD_OUT) = h->turn * 40503u % RING_SIZE & ~7u;
	*host_word(h, relid, true, RING_WORD_PENDING) = h->turn * 97u;
	host_event(h, relid);
}

RING_TEST(moving_indices)
{
	h->channels[relid].is_open = false; /* no host code on these rings */
	h->turn = relid;
	for (unsigned i = 0; i < 1000; i++) {
		move_indices(h);
		(void)vmbus_poll(h->bus, 0);
		(void)guest_ring_take(h, relid);
		(void)guest_ring_send(h, relid, i % 100);
	}
	return CONFORM_PASS;
}

/* A host that wakes the guest for nothing, and for ever. */
static void wake(struct scripted_host *h)
{
	h->turn++;
	h->script.now_100ns += 1000;
	host_event(h, 1);
}

static enum conform_verdict event_flood(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);

	h->is_silent[8] = true;
	h->on_wait = wake;
	const uint64_t start = h->script.now_100ns;
	const int error = guest_open(h, 2);
	h->on_wait = NULL;
	EXPECT(error == -VIRIDIAN_ETIMEDOUT, "opening ends with %d", error);
	EXPECT(h->script.now_100ns - start <= 12 * SECOND, "it takes %u ms",
		(unsigned)((h->script.now_100ns - start) / 10000));
	EXPECT(h->turn > 1000, "the flood had %u events", h->turn);
	h->is_silent[8] = false;
	TRY(guest_goes_on(t, 3));
	return CONFORM_PASS;
}

const struct conform_test guest_ring_tests[] = {
	{"R-RING-022", "a write index out of range stops the ring", in_out_of_range, GUEST_CHANNEL,
		0, 0},
	{"R-RING-022", "an unaligned write index stops the ring", in_unaligned, GUEST_CHANNEL, 0,
		0},
	{"R-RING-033", "a write index that moves back stops the ring", in_backward, GUEST_CHANNEL,
		0, 0},
	{"R-RING-033", "a read index that is wrong or ahead stops the ring", out_wrong,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-023", "its own indices are not read back", own_indices, GUEST_CHANNEL, 0, 0},
	{"R-RING-024", "impossible lengths and offsets stop the ring", bad_descriptors,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-038", "types 7 and 9 without an extended header stop the ring", no_extended_header,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-039", "a ring that has stopped stays so, the other goes on", stopped_for_good,
		GUEST_CHANNEL, 0, 0},
	{"R-PKT-005", "each other packet type stops the ring", bad_types, GUEST_CHANNEL, 0, 0},
	{"R-PKT-004", "unknown flags are ignored", unknown_flags, GUEST_CHANNEL, 0, 0},
	{"R-RING-025", "a descriptor that changes later has no effect", changed_after_look,
		GUEST_CHANNEL, 0, 0},
	{"R-RING-026", "received bytes are private", private_copy, GUEST_CHANNEL, 0, 0},
	{"R-ROB-003", "any bytes in the ring are endured", any_bytes, GUEST_CHANNEL, 0, 0},
	{"R-ROB-003", "indices that move at random are endured", moving_indices, GUEST_CHANNEL, 0,
		0},
	{"R-ROB-003", "a flood of events does not outlast a deadline", event_flood, GUEST_CHANNEL,
		0, 0},
};
const size_t guest_ring_test_count = sizeof guest_ring_tests / sizeof guest_ring_tests[0];
