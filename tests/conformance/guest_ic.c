// SPDX-License-Identifier: Apache-2.0
/* The frame of integration components, guest side, around that of heartbeat: ic.md. */
#include "tests/conformance/guest_ic.h"

#include "guest/ic_daemons/heartbeat_ic.h"

#include <string.h>

static struct heartbeat_ic heartbeat;

static struct ic_stage *opened(struct conform_target *t)
{
	heartbeat_ic_init(&heartbeat);
	return ic_stage_open(t, &heartbeat.ic, &guid_heartbeat);
}

static struct ic_stage *agreed(struct conform_target *t)
{
	heartbeat_ic_init(&heartbeat);
	return ic_stage_agreed(t, &heartbeat.ic, &guid_heartbeat, 3, 3, 0);
}

/* A beat with this sequence, of 16 bytes of body. */
static uint32_t beat(struct ic_stage *stage, uint64_t sequence)
{
	const uint32_t bytes = ic_request(stage, 1, 16);

	put64(stage->message + IC_AT_BODY, sequence);
	return bytes;
}

/* It still beats, as agreed. */
static bool beats(struct conform_target *t, struct ic_stage *stage)
{
	struct scripted_host *h = scripted_host_of(t);

	if (ic_say(h, stage, beat(stage, 41)) != 1)
		return conform_no(t, "the next request is not answered");
	return (ic_status(stage) == 0 && get64(stage->answer + IC_AT_BODY) == 42) ||
	       conform_no(t, "the next request is answered by status 0x%x", ic_status(stage));
}

/* ---- negotiation ---------------------------------------------------------------------------- */

static enum conform_verdict highest_common(struct conform_target *t)
{
	static const struct {
		uint32_t frameworks[4], messages[4];
		uint16_t framework_count, message_count;
		uint32_t framework, message; /* expected */
	} rows[] = {
		{{0x10000}, {0x10000}, 1, 1, 0x10000, 0x10000},
		{{0x10000, 0x30000}, {0x10000, 0x30000}, 2, 2, 0x30000, 0x30000},
		{{0x30000, 0x10000}, {0x30000, 0x10000}, 2, 2, 0x30000, 0x30000},
		{{0x90000, 0x10000, 0x30000, 0x30001}, {0x10000, 0xffffffff, 0x30000, 0}, 4, 4,
			0x30000, 0x30000},
		{{0x30000, 0x30000}, {0x20000, 0x10000, 0x10000, 0x30001}, 2, 4, 0x30000, 0x10000},
	};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = opened(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const uint32_t bytes = ic_negotiation(stage, rows[i].frameworks,
			rows[i].framework_count, rows[i].messages, rows[i].message_count);
		EXPECT(ic_say(h, stage, bytes) == 1, "case %u: no answer", i);
		const uint8_t *body = stage->answer + IC_AT_BODY;
		EXPECT(get16(body) == 1 && get16(body + 2) == 1, "case %u: counts %u and %u", i,
			get16(body), get16(body + 2));
		EXPECT((get16(body + 8) << 16 | get16(body + 10)) == rows[i].framework,
			"case %u: framework %u.%u", i, get16(body + 8), get16(body + 10));
		EXPECT((get16(body + 12) << 16 | get16(body + 14)) == rows[i].message,
			"case %u: message %u.%u", i, get16(body + 12), get16(body + 14));
	}
	return CONFORM_PASS;
}

static enum conform_verdict none_in_common(struct conform_target *t)
{
	static const uint32_t known[] = {0x30000}, unknown[] = {0x20000, 0x40000, 0x30001};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = opened(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < 3; i++) {
		const uint32_t bytes = i == 0	? ic_negotiation(stage, unknown, 3, known, 1)
				       : i == 1 ? ic_negotiation(stage, known, 1, unknown, 3)
						: ic_negotiation(stage, unknown, 3, unknown, 3);
		EXPECT(ic_say(h, stage, bytes) == 1, "case %u: no answer", i);
		EXPECT(get32(stage->answer + IC_AT_BODY) == 0, "case %u: counts 0x%x", i,
			get32(stage->answer + IC_AT_BODY));
	}
	return CONFORM_PASS;
}

static enum conform_verdict bad_counts(struct conform_target *t)
{
	static const uint16_t rows[][2] = {{0, 1}, {1, 0}, {0, 0}, {101, 1}, {1, 101}, {0xffff, 1},
		{1, 0xffff}, {0xffff, 0xffff}, {2, 1}, {1, 2}, {100, 100}, {0x8000, 0x8000}};
	static const uint32_t versions[] = {0x30000, 0x30000};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const uint32_t bytes = ic_negotiation(stage, versions, 1, versions, 1);
		put16(stage->message + IC_AT_BODY, rows[i][0]);
		put16(stage->message + IC_AT_BODY + 2, rows[i][1]);
		EXPECT(ic_say(h, stage, bytes) == 1, "counts %u and %u: no answer", rows[i][0],
			rows[i][1]);
		EXPECT(get32(stage->answer + IC_AT_BODY) == 0, "counts %u and %u: answer 0x%x",
			rows[i][0], rows[i][1], get32(stage->answer + IC_AT_BODY));
		EXPECT(stage->bytes <= (bytes + 7) / 8 * 8, "the answer has %u bytes",
			stage->bytes);
	}
	/* what failed leaves no agreement */
	EXPECT(ic_say(h, stage, beat(stage, 1)) == 1 && ic_status(stage) == STATUS_FAIL,
		"a request without agreement gets status 0x%x", ic_status(stage));
	return CONFORM_PASS;
}

/* Messages with room for the counts alone, and for less. */
static enum conform_verdict short_negotiations(struct conform_target *t)
{
	static const uint32_t versions[] = {0x30000};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (uint16_t room = 0; room < 16; room++) {
		(void)ic_negotiation(stage, versions, 1, versions, 1);
		put32(stage->message + IC_AT_PIPE_LENGTH, 20u + room);
		put16(stage->message + IC_AT_BODY_BYTES, room);
		const unsigned answers = ic_say(h, stage, (uint32_t)IC_AT_BODY + room);
		EXPECT(answers == (room >= 8), "room of %u bytes: %u answers", room, answers);
		if (room < 8)
			continue;
		EXPECT(get16(stage->answer + IC_AT_BODY_BYTES) == 8, "room of %u bytes: body of %u",
			room, get16(stage->answer + IC_AT_BODY_BYTES));
		EXPECT(get32(stage->answer + IC_AT_BODY) == 0, "room of %u bytes: counts 0x%x",
			room, get32(stage->answer + IC_AT_BODY));
	}
	EXPECT(!heartbeat.ic.is_negotiated, "there is an agreement");
	return CONFORM_PASS;
}

/* All that an answer does not say comes back as it was. */
static enum conform_verdict rest_of_answer(struct conform_target *t)
{
	static const uint32_t versions[] = {0x10000, 0x20000, 0x30000, 0x40000};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = opened(t);
	uint8_t expected[IC_AT_BODY + 40] = {0};

	TRY(stage != NULL);
	const uint32_t bytes = ic_negotiation(stage, versions, 4, versions, 4);
	memset(stage->message + 8, 0x3c, 4);		   /* framework of the header */
	memset(stage->message + 14, 0x3c, 4);		   /* message of the header */
	memset(stage->message + IC_AT_FLAGS + 1, 0x3c, 2); /* reserved */
	memset(stage->message + IC_AT_BODY + 4, 0x3c, 4);  /* reserved */
	memcpy(expected, stage->message, sizeof expected);
	EXPECT(ic_say(h, stage, bytes) == 1 && stage->bytes == (bytes + 7) / 8 * 8,
		"%u bytes are answered by %u", bytes, stage->bytes);
	put16(expected + IC_AT_BODY_BYTES, 16);
	expected[IC_AT_FLAGS] = 5;
	put32(expected + IC_AT_BODY, 0x10001);
	put16(expected + IC_AT_BODY + 8, 3);
	put16(expected + IC_AT_BODY + 12, 3);
	for (unsigned at = 0; at < sizeof expected; at++)
		EXPECT(stage->answer[at] == expected[at], "byte %u is 0x%x, not 0x%x", at,
			stage->answer[at], expected[at]);
	return CONFORM_PASS;
}

/* Lists of 100 and of 101 that are there: the last of each is the one that both know. */
static enum conform_verdict long_lists(struct conform_target *t)
{
	static const uint16_t rows[][2] = {{100, 100}, {1, 101}, {101, 1}, {101, 101}};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = opened(t);
	uint32_t lists[2][101];

	TRY(stage != NULL);
	for (unsigned i = 0; i < 4; i++) {
		for (uint32_t n = 0; n < 101; n++) {
			lists[0][n] = n + 1 == rows[i][0] ? 0x30000 : 0x70000 + n;
			lists[1][n] = n + 1 == rows[i][1] ? 0x30000 : 0x70000 + n;
		}
		EXPECT(ic_say(h, stage,
			       ic_negotiation(stage, lists[0], rows[i][0], lists[1], rows[i][1])) ==
				1,
			"lists of %u and %u: no answer", rows[i][0], rows[i][1]);
		EXPECT(get32(stage->answer + IC_AT_BODY) == (i == 0 ? 0x10001 : 0),
			"lists of %u and %u: counts 0x%x", rows[i][0], rows[i][1],
			get32(stage->answer + IC_AT_BODY));
	}
	return CONFORM_PASS;
}

static enum conform_verdict any_time(struct conform_target *t)
{
	static const uint32_t versions[] = {0x30000}, old[] = {0x10000}, none[] = {0x70000};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	TRY(beats(t, stage));
	for (unsigned i = 0; i < 20; i++) {
		EXPECT(ic_say(h, stage,
			       ic_negotiation(stage, versions, 1, i % 2 ? old : versions, 1)) == 1,
			"negotiation %u is not answered", i);
		TRY(beats(t, stage));
	}
	(void)ic_say(h, stage, ic_negotiation(stage, none, 1, versions, 1));
	EXPECT(ic_say(h, stage, beat(stage, 1)) == 1 && ic_status(stage) == STATUS_FAIL,
		"after one that failed, status 0x%x", ic_status(stage));
	return CONFORM_PASS;
}

static enum conform_verdict before_agreement(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = opened(t);

	TRY(stage != NULL);
	EXPECT(ic_say(h, stage, beat(stage, 1)) == 1, "it is not answered");
	EXPECT(ic_status(stage) == STATUS_FAIL, "status 0x%x", ic_status(stage));
	EXPECT(heartbeat.beats == 0, "it acts");
	return CONFORM_PASS;
}

static enum conform_verdict reopened(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	TRY(beats(t, stage));
	const uint64_t beats_before = heartbeat.beats;
	EXPECT(ic_channel_close(&stage->channel, guest_deadline(h)) == 0, "closing fails");
	EXPECT(ic_channel_open(&stage->channel, h->bus, &heartbeat.ic, &guid_heartbeat,
		       guest_deadline(h)) == 0,
		"it does not open again");
	EXPECT(ic_say(h, stage, beat(stage, 1)) == 1, "it is not answered");
	EXPECT(ic_status(stage) == STATUS_FAIL, "status 0x%x", ic_status(stage));
	EXPECT(heartbeat.beats == beats_before, "it acts");
	return CONFORM_PASS;
}

/* ---- framing -------------------------------------------------------------------------------- */

static enum conform_verdict response_fields(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (unsigned id = 0; id < 256; id++) {
		const uint32_t bytes = beat(stage, id);
		stage->message[IC_AT_TRANSACTION] = (uint8_t)id;
		EXPECT(ic_say(h, stage, bytes) == 1, "id %u: no answer", id);
		EXPECT(stage->answer[IC_AT_TRANSACTION] == id, "id %u: answer to %u", id,
			stage->answer[IC_AT_TRANSACTION]);
		EXPECT(stage->answer[IC_AT_FLAGS] == 5, "flags %u", stage->answer[IC_AT_FLAGS]);
		EXPECT(stage->type == PACKET_TYPE_INBAND, "packet type %u", stage->type);
		EXPECT(stage->id == 0x1000 + stage->sent - 1, "descriptor id 0x%llx",
			(unsigned long long)stage->id);
		EXPECT(stage->bytes <= (bytes + 7) / 8 * 8, "%u bytes for %u", stage->bytes, bytes);
	}
	return CONFORM_PASS;
}

static enum conform_verdict too_short(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (uint32_t bytes = 0; bytes <= 24; bytes += 8) {
		(void)beat(stage, 1);
		EXPECT(ic_say(h, stage, bytes) == 0, "%u bytes are answered", bytes);
	}
	EXPECT(heartbeat.ic.rejections[IC_REJECT_SHORT] == 4, "%u are called short",
		(unsigned)heartbeat.ic.rejections[IC_REJECT_SHORT]);
	TRY(beats(t, stage));
	return CONFORM_PASS;
}

static enum conform_verdict pipe_types(struct conform_target *t)
{
	static const uint32_t types[] = {0, 2, 3, 4, 5, 0x101, 0x10000, 0x80000001, 0xffffffff};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
		const uint32_t bytes = beat(stage, 1);
		put32(stage->message, types[i]);
		EXPECT(ic_say(h, stage, bytes) == 0, "pipe type 0x%x is answered", types[i]);
	}
	TRY(beats(t, stage));
	return CONFORM_PASS;
}

static enum conform_verdict pipe_lengths(struct conform_target *t)
{
	static const uint32_t lengths[] = {
		0, 1, 19, 41, 48, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		(void)beat(stage, 1);
		put32(stage->message + IC_AT_PIPE_LENGTH, lengths[i]);
		EXPECT(ic_say(h, stage, 48) == 0, "pipe length %u in 48 bytes is answered",
			lengths[i]);
	}
	EXPECT(heartbeat.ic.rejections[IC_REJECT_SHORT] == 3 &&
			heartbeat.ic.rejections[IC_REJECT_PIPE_LENGTH] == 2 &&
			heartbeat.ic.rejections[IC_REJECT_TOO_LONG] == 5,
		"they are not called by their names");
	/* what lies behind the length is nothing */
	(void)beat(stage, 5);
	memset(stage->message + 44, 0xff, 100);
	EXPECT(ic_say(h, stage, 144) == 1 && get64(stage->answer + IC_AT_BODY) == 6,
		"bytes behind the length disturb");
	TRY(beats(t, stage));
	return CONFORM_PASS;
}

static enum conform_verdict bodies_past_message(struct conform_target *t)
{
	static const uint16_t sizes[] = {17, 24, 0x7fff, 0x8000, 0xfff0, 0xffff};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		const uint32_t bytes = beat(stage, 1);
		put16(stage->message + IC_AT_BODY_BYTES, sizes[i]);
		EXPECT(ic_say(h, stage, bytes) == 0, "a body of %u bytes in 16 is answered",
			sizes[i]);
	}
	EXPECT(heartbeat.beats == 0, "it acts on one");
	TRY(beats(t, stage));
	return CONFORM_PASS;
}

static enum conform_verdict short_bodies(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (uint16_t size = 0; size < 8; size++) {
		const uint32_t bytes = beat(stage, 1);
		put16(stage->message + IC_AT_BODY_BYTES, size);
		EXPECT(ic_say(h, stage, bytes) == 0, "a body of %u bytes is answered", size);
	}
	EXPECT(heartbeat.beats == 0, "it acts on one");
	TRY(beats(t, stage));
	return CONFORM_PASS;
}

/* All 256 values: an answer to those whose three bits say request, and to no other. */
static enum conform_verdict flags(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (unsigned value = 0; value < 256; value++) {
		const uint32_t bytes = beat(stage, 1);
		stage->message[IC_AT_FLAGS] = (uint8_t)value;
		EXPECT(ic_say(h, stage, bytes) == ((value & 7) == 3), "flags 0x%x", value);
		if ((value & 7) == 3)
			EXPECT(stage->answer[IC_AT_FLAGS] == 5, "flags 0x%x: answered by 0x%x",
				value, stage->answer[IC_AT_FLAGS]);
	}
	TRY(beats(t, stage));
	return CONFORM_PASS;
}

static enum conform_verdict other_types(struct conform_target *t)
{
	static const uint16_t types[] = {2, 3, 4, 5, 6, 7, 8, 9, 255, 256, 0x8001, 0xffff};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
		const uint32_t bytes = ic_request(stage, types[i], 16);
		EXPECT(ic_say(h, stage, bytes) == 1, "type %u is not answered", types[i]);
		EXPECT(ic_status(stage) == STATUS_FAIL, "type %u: status 0x%x", types[i],
			ic_status(stage));
	}
	TRY(beats(t, stage));
	return CONFORM_PASS;
}

static enum conform_verdict header_versions(struct conform_target *t)
{
	static const uint16_t majors[] = {0, 1, 2, 99, 0xffff};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof majors / sizeof majors[0]; i++) {
		const uint32_t bytes = beat(stage, 1);
		put16(stage->message + 8, majors[i]);
		put16(stage->message + 14, majors[i]);
		EXPECT(ic_say(h, stage, bytes) == 1 && ic_status(stage) == 0,
			"versions %u in the header: status 0x%x", majors[i], ic_status(stage));
	}
	return CONFORM_PASS;
}

/* ---- packets -------------------------------------------------------------------------------- */

/* A beat in each of the other packets that a ring takes: of pages, and completions. */
static enum conform_verdict other_packets(struct conform_target *t)
{
	static const uint16_t types[] = {
		PACKET_TYPE_TRANSFER_PAGES, PACKET_TYPE_GPA_DIRECT, PACKET_TYPE_COMPLETION};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);
	uint8_t payload[8 + 48] = {0};

	TRY(stage != NULL);
	const unsigned before = stage->answers;
	for (unsigned i = 0; i < 30; i++) {
		const uint32_t at = *host_word(h, 1, true, RING_WORD_IN);
		(void)beat(stage, 1);
		memcpy(payload + 8, stage->message, 48);
		EXPECT(host_send(h, 1, PACKET_TYPE_INBAND, 0, i, payload, sizeof payload),
			"there is no room");
		put16(host_data(h, 1, true) + at, types[i % 3]);
		put16(host_data(h, 1, true) + at + 2, 3); /* the message begins behind 8 bytes */
		guest_serve(h);
		host_serve(h, 1);
		EXPECT(stage->answers == before, "a packet of type 0x%x is answered", types[i % 3]);
	}
	EXPECT(heartbeat.beats == 0, "it acts on one");
	EXPECT(heartbeat.ic.rejections[IC_REJECT_PACKET_TYPE] == 30, "%u are called by their name",
		(unsigned)heartbeat.ic.rejections[IC_REJECT_PACKET_TYPE]);
	TRY(beats(t, stage));
	return CONFORM_PASS;
}

static enum conform_verdict in_order(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	const unsigned before = stage->answers;
	for (unsigned i = 0; i < 100; i++)
		EXPECT(host_send(h, 1, PACKET_TYPE_INBAND, 0, i, stage->message, beat(stage, i)),
			"no room for %u", i);
	guest_serve(h);
	host_serve(h, 1);
	EXPECT(stage->answers == before + 100, "of 100 requests %u are answered",
		stage->answers - before);
	EXPECT(stage->id == 99 && get64(stage->answer + IC_AT_BODY) == 100, "the last is not last");
	return CONFORM_PASS;
}

/* Nobody reads the answers: the guest drops them, and lives. */
static enum conform_verdict no_room_for_answers(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	h->channels[1].is_open = false;
	for (unsigned i = 0; i < 1000; i++) {
		if (!host_send(h, 1, PACKET_TYPE_INBAND, 0, i, stage->message, beat(stage, i)))
			return conform_fail(t, "request %u is not taken from the ring", i);
		guest_serve(h);
	}
	EXPECT(stage->channel.link.replies_dropped > 0, "no answer was dropped");
	EXPECT(!stage->channel.link.is_gone, "the channel is given up");
	h->channels[1].is_open = true;
	host_serve(h, 1);
	TRY(beats(t, stage));
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict broken_ring(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	*host_word(h, 1, true, RING_WORD_IN) = 0xfffffff8;
	host_event(h, 1);
	guest_serve(h);
	EXPECT(stage->channel.link.is_gone, "the component goes on with a broken ring");
	EXPECT(stage->channel.link.reason != NULL, "it does not say why");
	EXPECT(ic_channel_close(&stage->channel, guest_deadline(h)) == 0, "closing fails");
	TRY(guest_goes_on(t, 2));
	return CONFORM_PASS;
}

static enum conform_verdict rescinded(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = agreed(t);

	TRY(stage != NULL);
	host_rescind(h, 1);
	guest_serve(h);
	EXPECT(stage->channel.link.is_gone, "the component goes on");
	EXPECT(ic_channel_close(&stage->channel, guest_deadline(h)) == 0, "closing fails");
	guest_serve(h);
	EXPECT(host_posts(h, 13) == 1, "the relid is released %u times", host_posts(h, 13));
	return CONFORM_PASS;
}

#define ROW(rule, name, test)                                                                      \
	{                                                                                          \
		rule, name, test, 0, 0, 0                                                          \
	}

const struct conform_test guest_ic_tests[] = {
	ROW("R-IC-003", "the answer has one pair, both from the host's lists", highest_common),
	ROW("R-IC-004", "the highest common versions are chosen, in any order", highest_common),
	ROW("R-IC-005", "nothing in common is answered by counts of 0", none_in_common),
	ROW("R-IC-011", "impossible counts and lists are answered by counts of 0", bad_counts),
	ROW("R-IC-011", "of lists 100 versions are read, and 101 are not", long_lists),
	ROW("R-IC-046", "without room for a pair it answers by counts of 0, or not at all",
		short_negotiations),
	ROW("R-IC-047", "the answer's other bytes are those of the request", rest_of_answer),
	ROW("R-IC-039", "it negotiates at any time; what fails leaves no agreement", any_time),
	ROW("R-IC-037", "a request before agreement is answered by a failure", before_agreement),
	ROW("R-IC-037", "a channel that was opened again has no agreement", reopened),
	ROW("R-IC-007", "flags 5, and each transaction id comes back", response_fields),
	ROW("R-IC-034", "the answer is in-band, with the descriptor's id, and no longer",
		response_fields),
	ROW("R-IC-010", "fewer than 28 bytes are dropped", too_short),
	ROW("R-IC-030", "each other pipe type is dropped", pipe_types),
	ROW("R-IC-031", "a pipe length that cannot be is dropped", pipe_lengths),
	ROW("R-IC-045", "a body longer than the message is dropped", bodies_past_message),
	ROW("R-IC-040", "a body shorter than it needs is dropped", short_bodies),
	ROW("R-IC-033", "only requests are answered, of all 256 values of the flags", flags),
	ROW("R-IC-032", "unknown bits of the flags are ignored, and sent as 0", flags),
	ROW("R-IC-008", "each other message type is answered by a failure", other_types),
	ROW("R-IC-038", "the versions in the header do not matter", header_versions),
	ROW("R-IC-044", "each other packet type is dropped", other_packets),
	ROW("R-HB-005", "100 requests at once are answered, in order", in_order),
	ROW("R-ROB-003", "answers that nobody reads do not block", no_room_for_answers),
	ROW("R-RING-039", "a component on a broken ring ends, others do not", broken_ring),
	ROW("R-RESC-017", "a component that is rescinded closes and releases", rescinded),
};
const size_t guest_ic_test_count = sizeof guest_ic_tests / sizeof guest_ic_tests[0];
