// SPDX-License-Identifier: Apache-2.0
/* Rings: when the guest signals, what it writes, and what it makes of indices and packets that lie.
 */
#include "tests/conformance/linux/ic.h"

#include "protocol/heartbeat.h"

#include <string.h>

/* The guest's words in the control page of one of the rings. */
static uint32_t word_of(const struct guest_ring_mapping *ring, enum ring_word word)
{
	return __atomic_load_n((const uint32_t *)ring->control + word, __ATOMIC_SEQ_CST);
}
static void word_set(const struct guest_ring_mapping *ring, enum ring_word word, uint32_t value)
{
	__atomic_store_n((uint32_t *)ring->control + word, value, __ATOMIC_SEQ_CST);
}

static bool beat_send(struct linux_channel *channel, uint64_t sequence, bool is_quiet)
{
	struct linux_ic ic;
	const struct heartbeat_v3_wire body = {.sequence = sequence};
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.payload_bytes = IC_OVERHEAD_BYTES + sizeof body,
		.transaction_id = sequence,
	};

	linux_ic_request(channel->guest, &ic, IC_TYPE_HEARTBEAT, &body, sizeof body);
	return is_quiet ? linux_packet_quiet(channel, &header, ic.payload)
			: linux_packet(channel, &header, ic.payload);
}

struct grown {
	struct linux_channel *channel;
	uint32_t from;
};

static bool has_grown(struct linux_guest *g, void *ctx)
{
	const struct grown *grown = ctx;
	(void)g;
	return word_of(&grown->channel->incoming, RING_WORD_IN) != grown->from;
}

/* Send a heartbeat, and see its answer in the ring, unread. */
static bool beat_unread(struct linux_channel *channel, uint64_t sequence)
{
	struct grown grown = {channel, word_of(&channel->incoming, RING_WORD_IN)};

	if (!beat_send(channel, sequence, false))
		return false;
	return linux_until(channel->guest, has_grown, &grown) ||
	       conform_no(&channel->guest->target, "a heartbeat is not answered");
}

/* What was signalled by now has come: the shell runs on the same processor as the driver. */
static bool signals_settle(struct linux_guest *g)
{
	return linux_do(g, "true") == 0 && linux_do(g, "true") == 0;
}

static struct linux_channel *quiet_channel(struct linux_guest *g)
{
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	if (channel == NULL || !signals_settle(g))
		return NULL;
	channel->signals = 0;
	return channel;
}

/* R-RING-007 */
static enum conform_verdict signal_if_empty(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = quiet_channel(g);

	TRY(channel != NULL);
	TRY(beat_unread(channel, 1) && signals_settle(g));
	EXPECT(channel->signals == 1, "the first packet in an empty ring: %u signals",
		channel->signals);
	TRY(beat_unread(channel, 2) && beat_unread(channel, 3) && signals_settle(g));
	EXPECT(channel->signals == 1, "packets in a ring that is not empty: %u signals",
		channel->signals - 1);
	return CONFORM_PASS;
}

/* R-RING-008 */
static enum conform_verdict no_signal_if_masked(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = quiet_channel(g);

	TRY(channel != NULL);
	word_set(&channel->incoming, RING_WORD_MASK, 1);
	TRY(beat_unread(channel, 1) && signals_settle(g));
	EXPECT(channel->signals == 0, "%u signals while the interrupt mask is 1", channel->signals);
	return CONFORM_PASS;
}

/* Fill the guest's incoming ring, of which it does not know, and count what is in it. */
static unsigned fill(struct linux_channel *channel)
{
	unsigned packets = 0;
	const uint32_t limit = (uint32_t)channel->outgoing.data_bytes / 2;
	uint32_t used = 0;

	while (used < limit && beat_send(channel, packets, true)) {
		packets++;
		used += (uint32_t)packet_total_bytes(
			0, IC_OVERHEAD_BYTES + sizeof(struct heartbeat_v3_wire));
	}
	return packets;
}

static enum conform_verdict room(struct conform_target *t, bool has_wish)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = quiet_channel(g);

	TRY(channel != NULL);
	word_set(&channel->incoming, RING_WORD_MASK, 1); /* its data gives no signal */
	EXPECT(fill(channel) > 0, "the ring takes nothing");
	if (has_wish)
		word_set(&channel->outgoing, RING_WORD_PENDING,
			(uint32_t)channel->outgoing.data_bytes * 3 / 4);
	linux_event(channel);
	TRY(linux_taken(channel));
	TRY(signals_settle(g));
	if (has_wish)
		EXPECT(channel->signals >= 1, "no signal when room came that was wished for");
	else
		EXPECT(channel->signals == 0, "%u signals for room that nobody wished for",
			channel->signals);
	return CONFORM_PASS;
}

/* R-RING-011, R-RING-017 */
static enum conform_verdict room_wished(struct conform_target *t)
{
	return room(t, true);
}
/* R-RING-012 */
static enum conform_verdict room_not_wished(struct conform_target *t)
{
	return room(t, false);
}

/* R-RING-003, R-RING-004, R-PKT-011: sizes of all kinds, several times around the ring. */
static enum conform_verdict around(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	static uint8_t body[600];
	struct linux_ic ic;
	struct linux_ic_answer answer;

	TRY(channel != NULL);
	memset(body, 0xa5, sizeof body);
	for (unsigned i = 0; i < 300; i++) {
		const uint16_t bytes = (uint16_t)(16 + i * 7 % 560);
		uint32_t bad = 0;
		linux_ic_request(g, &ic, IC_TYPE_HEARTBEAT, body, bytes);
		TRY(linux_ic_ask(channel, &ic, &answer)); /* judges the trailer */
		for (uint32_t j = ic.bytes; j < answer.view.payload_bytes; j++)
			bad += answer.payload[j] != 0;
		EXPECT(bad == 0, "packet %u: %u bytes of padding are not 0", i, bad);
		EXPECT(answer.view.payload_bytes == (ic.bytes + 7) / 8 * 8,
			"packet %u: %u bytes answer %u", i, answer.view.payload_bytes, ic.bytes);
		EXPECT(memcmp(answer.body + 16, body, bytes - 16u) == 0,
			"packet %u: other bytes come back", i);
	}
	return CONFORM_PASS;
}

/* R-PKT-001: it never completes what asks for no completion. */
static enum conform_verdict no_completion(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	struct linux_ic ic;
	struct linux_ic_answer answer;

	TRY(channel != NULL);
	for (unsigned i = 0; i < 4; i++) {
		linux_ic_request(g, &ic, IC_TYPE_HEARTBEAT, "12345678", 8);
		TRY(linux_ic_ask(channel, &ic, &answer));
		EXPECT(answer.view.type == PACKET_TYPE_INBAND, "packet %u is of type %u", i,
			answer.view.type);
	}
	return CONFORM_PASS;
}

/* ---- a host that lies ------------------------------------------------------------------------ */

/*
 * Afterwards the channel may be as dead as it likes; the guest goes on, can part with it, and
 * everything else works (R-RING-039).
 */
static enum conform_verdict survives(struct linux_guest *g, struct linux_channel *channel)
{
	struct conform_target *t = &g->target;
	char found[CONFORM_EVIDENCE_BYTES];

	for (unsigned i = 0; i < 3; i++) {
		linux_event(channel);
		TRY(signals_settle(g));
	}
	if (!linux_ic_works(g)) {
		memcpy(found, t->evidence, sizeof found);
		return conform_fail(t, "no other channel works after that: %.160s", found);
	}
	linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	return CONFORM_PASS;
}

/* The host's index of the ring to the guest, and the guest's own. */
static enum conform_verdict index_lies(
	struct conform_target *t, bool is_incoming, enum ring_word word, uint32_t value)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	TRY(beat_send(channel, 1, true));
	word_set(is_incoming ? &channel->incoming : &channel->outgoing, word, value);
	return survives(g, channel);
}

/* R-RING-022 */
static enum conform_verdict in_huge(struct conform_target *t)
{
	return index_lies(t, false, RING_WORD_IN, 0xfffffff8);
}
static enum conform_verdict in_size(struct conform_target *t)
{
	return index_lies(t, false, RING_WORD_IN, 3 * 4096);
}
static enum conform_verdict in_odd(struct conform_target *t)
{
	return index_lies(t, false, RING_WORD_IN, 101);
}
static enum conform_verdict out_huge(struct conform_target *t)
{
	return index_lies(t, true, RING_WORD_OUT, 0xfffffff8);
}
static enum conform_verdict out_odd(struct conform_target *t)
{
	return index_lies(t, true, RING_WORD_OUT, 77);
}
/* R-RING-033 */
static enum conform_verdict in_back(struct conform_target *t)
{
	return index_lies(t, false, RING_WORD_IN, 8);
}
/* R-RING-023: what is the guest's own, and private. */
static enum conform_verdict own_in(struct conform_target *t)
{
	return index_lies(t, true, RING_WORD_IN, 0x00fffff8);
}
static enum conform_verdict own_out(struct conform_target *t)
{
	return index_lies(t, false, RING_WORD_OUT, 0x00fffff8);
}
/* R-RING-014 */
static enum conform_verdict wish_huge(struct conform_target *t)
{
	return index_lies(t, false, RING_WORD_PENDING, UINT32_MAX);
}

/* R-RING-032: bits in reserved words and features that nobody knows; the channel goes on. */
static enum conform_verdict reserved_words(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	for (unsigned word = 4; word < 1024; word++) {
		((uint32_t *)channel->outgoing.control)[word] = UINT32_MAX;
		if (word != RING_WORD_FEATURES)
			((uint32_t *)channel->incoming.control)[word] = UINT32_MAX;
	}
	TRY(linux_ic_beat(channel, 1) && linux_ic_beat(channel, 2));
	return survives(g, channel);
}

static enum conform_verdict descriptor_lies(
	struct conform_target *t, struct packet_descriptor_wire descriptor, uint32_t advance)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	struct linux_ic ic;

	TRY(channel != NULL);
	linux_ic_request(g, &ic, IC_TYPE_HEARTBEAT, "12345678", 8);
	linux_packet_raw(channel, &descriptor, ic.payload, 40, advance);
	return survives(g, channel);
}

/* R-RING-024 */
static enum conform_verdict length_0(struct conform_target *t)
{
	return descriptor_lies(t, (struct packet_descriptor_wire){6, 2, 0, 0, 9}, 64);
}
static enum conform_verdict length_long(struct conform_target *t)
{
	return descriptor_lies(t, (struct packet_descriptor_wire){6, 2, 0xffff, 0, 9}, 64);
}
static enum conform_verdict offset_0(struct conform_target *t)
{
	return descriptor_lies(t, (struct packet_descriptor_wire){6, 0, 7, 0, 9}, 64);
}
static enum conform_verdict offset_long(struct conform_target *t)
{
	return descriptor_lies(t, (struct packet_descriptor_wire){6, 0xffff, 7, 0, 9}, 64);
}
static enum conform_verdict less_than_descriptor(struct conform_target *t)
{
	return descriptor_lies(t, (struct packet_descriptor_wire){6, 2, 7, 0, 9}, 8);
}
/* R-RING-038 */
static enum conform_verdict type_0(struct conform_target *t)
{
	return descriptor_lies(t, (struct packet_descriptor_wire){0, 2, 7, 0, 9}, 64);
}
static enum conform_verdict type_huge(struct conform_target *t)
{
	return descriptor_lies(t, (struct packet_descriptor_wire){0xffff, 2, 7, 0, 9}, 64);
}
/* R-PKT-015, R-PKT-010: transfer pages, on a channel that has none. */
static enum conform_verdict type_transfer(struct conform_target *t)
{
	return descriptor_lies(t, (struct packet_descriptor_wire){7, 3, 7, 0, 9}, 64);
}

/* R-PKT-003: completions of ids that were never used. */
static enum conform_verdict completion_unknown(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	static const uint64_t ids[] = {0, 1, 0xffffffff, 0xffff888000001000, UINT64_MAX};

	TRY(channel != NULL);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		const struct packet_header header = {.type = PACKET_TYPE_COMPLETION,
			.payload_bytes = 8,
			.transaction_id = ids[i]};
		TRY(linux_packet(channel, &header, "12345678"));
	}
	return survives(g, channel);
}

/* R-PKT-012, R-PKT-004: no payload; flags from the future. */
static enum conform_verdict empty_packet(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	const struct packet_header header = {.type = PACKET_TYPE_INBAND, .transaction_id = 5};

	TRY(channel != NULL);
	TRY(linux_packet(channel, &header, NULL));
	TRY(linux_taken(channel));
	TRY(linux_ic_beat(channel, 20));
	return CONFORM_PASS;
}
/* R-RING-010 */
static enum conform_verdict behind_empty_packet(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	const struct packet_header header = {.type = PACKET_TYPE_INBAND, .transaction_id = 5};

	TRY(channel != NULL);
	/* one event for both */
	TRY(linux_packet_quiet(channel, &header, NULL));
	TRY(linux_ic_beat(channel, 20));
	return CONFORM_PASS;
}
static enum conform_verdict unknown_flags(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	struct linux_ic ic;
	struct linux_ic_answer answer;

	TRY(channel != NULL);
	linux_ic_request(g, &ic, IC_TYPE_HEARTBEAT, "12345678", 8);
	const struct packet_header header = {.type = PACKET_TYPE_INBAND,
		.flags = 0xfffe,
		.payload_bytes = ic.bytes,
		.transaction_id = ic.id};
	TRY(linux_packet(channel, &header, ic.payload));
	TRY(linux_ic_receive(channel, &answer));
	return CONFORM_PASS;
}

#define ROW(rule, name, test)                                                                      \
	{                                                                                          \
		rule, name, test, LINUX_BUS, 0, 0                                                  \
	}
const struct conform_test linux_ring_tests[] = {
	ROW("R-RING-007", "it signals only a ring that was empty", signal_if_empty),
	ROW("R-RING-008", "it does not signal while the mask is set", no_signal_if_masked),
	ROW("R-RING-011", "it signals room that was wished for", room_wished),
	ROW("R-RING-012", "it does not signal room that was not wished for", room_not_wished),
	ROW("R-RING-003", "packets of all sizes go around, with trailers and padding", around),
	ROW("R-PKT-001", "what asks for no completion gets none", no_completion),
	ROW("R-PKT-012", "a packet without payload is taken", empty_packet),
	ROW("R-RING-010", "what is behind a packet without payload is read", behind_empty_packet),
	ROW("R-PKT-004", "unknown packet flags are ignored", unknown_flags),
	ROW("R-RING-032", "reserved words and feature bits are ignored", reserved_words),
	ROW("R-PKT-003", "completions of unknown ids", completion_unknown),
	ROW("R-RING-014", "a wish for more than there can be", wish_huge),
	ROW("R-RING-024", "a packet of length 0", length_0),
	ROW("R-RING-024", "a packet longer than the ring", length_long),
	ROW("R-RING-024", "a payload that begins before its packet's descriptor ends", offset_0),
	ROW("R-RING-024", "a payload that begins behind its packet", offset_long),
	ROW("R-RING-024", "less than a descriptor in the ring", less_than_descriptor),
	ROW("R-RING-038", "a packet of type 0", type_0),
	ROW("R-RING-038", "a packet of type 65535", type_huge),
	ROW("R-PKT-010", "transfer pages on a channel that has none", type_transfer),
	ROW("R-RING-022", "an `in` that is not a multiple of 8", in_odd),
	ROW("R-RING-022", "an `in` that is the ring's size", in_size),
	ROW("R-RING-022", "an `in` far behind the ring", in_huge),
	ROW("R-RING-033", "an `in` that goes back", in_back),
	ROW("R-RING-022", "an `out` that is not a multiple of 8", out_odd),
	ROW("R-RING-022", "an `out` far behind the ring", out_huge),
	ROW("R-RING-023", "the guest's own `out` is overwritten", own_out),
	ROW("R-RING-023", "the guest's own `in` is overwritten", own_in),
};
const size_t linux_ring_test_count = sizeof linux_ring_tests / sizeof *linux_ring_tests;
