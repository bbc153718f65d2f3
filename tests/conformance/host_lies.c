// SPDX-License-Identifier: Apache-2.0
/*
 * A host that lies in a ring because it was told to (the hostile device of protocol/testdevice.md):
 * each lie comes through as it was told, the reader of this guest refuses it, and no other channel
 * sees anything of it.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_device.h"

#define TRUE_BYTES 8u /* of payload; with descriptor and trailer 32 in the ring */
#define DESCRIPTOR(type, offset8, length8, flags)                                                  \
	((uint64_t)(type) | (uint64_t)(offset8) << 16 | (uint64_t)(length8) << 32 |                \
		(uint64_t)(flags) << 48)

struct lie {
	const char *what;
	uint64_t descriptor;
	uint32_t in;
};

/* Two channels: one that lies, and an echo that must not notice. */
struct pair {
	struct conform_channel hostile, echo;
};

static bool pair_open(struct conform_target *t, struct pair *pair)
{
	return conform_channel_open(
		       t, &pair->echo, conform_offer(t, &testdevice_echo_interface), 1) &&
	       conform_channel_open(
		       t, &pair->hostile, conform_offer(t, &testdevice_hostile_interface), 1);
}

#define PAIR                                                                                       \
	struct pair opened;                                                                        \
	struct pair *pair = &opened;                                                               \
	TRY(conform_bus_offers(t));                                                                \
	NEED(conform_offer(t, &testdevice_hostile_interface) != NULL &&                            \
			conform_offer(t, &testdevice_echo_interface) != NULL,                      \
		CONFORM_NO_DEVICE);                                                                \
	TRY(pair_open(t, pair))

static bool tell(struct conform_target *t, struct pair *pair, uint64_t descriptor, uint32_t in)
{
	const struct testdevice_hostile_request_wire request = {
		descriptor, ++pair->hostile.next_id, TRUE_BYTES, in};
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND, .payload_bytes = sizeof request};

	return conform_channel_send(t, &pair->hostile, &header, NULL, &request);
}

/* A packet as it should be. */
static bool truth(struct conform_target *t, struct pair *pair)
{
	return tell(t, pair, DESCRIPTOR(PACKET_TYPE_INBAND, 2, 3, 0), TESTDEVICE_TRUE_INDEX) &&
	       conform_comes(t, &pair->hostile, PACKET_TYPE_INBAND, pair->hostile.next_id,
		       (const uint8_t[TRUE_BYTES]){0}, TRUE_BYTES);
}

static bool echo_works(struct conform_target *t, struct pair *pair)
{
	const struct packet_header header = {.type = PACKET_TYPE_INBAND,
		.flags = WANTED,
		.payload_bytes = 8,
		.transaction_id = ++pair->echo.next_id};

	return conform_channel_send(t, &pair->echo, &header, NULL, "still ok") &&
	       conform_comes(t, &pair->echo, PACKET_TYPE_COMPLETION, pair->echo.next_id,
		       (const uint8_t *)"still ok", 8);
}

/* After a packet that is true, one lie: it is in the ring as told, and is refused for good. */
static bool refused(struct conform_target *t, struct pair *pair, const struct lie *lie)
{
	struct conform_channel *channel = &pair->hostile;
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	struct packet_view view;
	enum ring_status status;

	if (!truth(t, pair) || !tell(t, pair, lie->descriptor, lie->in))
		return false;
	const uint32_t shown = lie->in != TESTDEVICE_TRUE_INDEX ? lie->in : 64;
	while (conform_word(channel->in_control, RING_WORD_IN) != shown)
		if (conform_now(t) >= deadline)
			return conform_no(t, "%s: the index is 0x%x after 3 s, not 0x%x", lie->what,
				conform_word(channel->in_control, RING_WORD_IN), shown);
	uint64_t descriptor;
	__builtin_memcpy(&descriptor, channel->in_data + 32, sizeof descriptor);
	if (descriptor != lie->descriptor)
		return conform_no(t, "%s: the descriptor is 0x%llx, not 0x%llx", lie->what,
			(unsigned long long)descriptor, (unsigned long long)lie->descriptor);
	status = ring_peek(&channel->in, &view);
	if (!ring_status_is_corrupt(status))
		return conform_no(t, "%s: %s", lie->what, ring_status_name(status));
	status = ring_peek(&channel->in, &view);
	return ring_status_is_corrupt(status) ||
	       conform_no(t, "%s: refused once, then taken", lie->what);
}

/* Each on a channel that was opened anew: it works again. */
static enum conform_verdict each_refused(
	struct conform_target *t, const struct lie *lies, unsigned count)
{
	PAIR;
	for (unsigned i = 0; i < count; i++) {
		TRY(refused(t, pair, &lies[i]));
		TRY(echo_works(t, pair));
		TRY(conform_channel_close(t, &pair->hostile));
		TRY(conform_channel_open(
			t, &pair->hostile, conform_offer(t, &testdevice_hostile_interface), 1));
	}
	TRY(truth(t, pair));
	TRY(echo_works(t, pair));
	return CONFORM_PASS;
}

static enum conform_verdict descriptors(struct conform_target *t)
{
#define LIE(what, type, offset8, length8)                                                          \
	{                                                                                          \
		what, DESCRIPTOR(type, offset8, length8, 0), TESTDEVICE_TRUE_INDEX                 \
	}
	static const struct lie lies[] = {
		LIE("zeros", 0, 0, 0),
		LIE("a length of 0", 6, 2, 0),
		LIE("a length of 8", 6, 1, 1),
		LIE("a length of 40 where 24 are", 6, 2, 5),
		LIE("a length of 524,280", 6, 2, 0xffff),
		LIE("an offset of 0", 6, 0, 3),
		LIE("an offset of 8", 6, 1, 3),
		LIE("an offset past the length", 6, 4, 3),
		LIE("an offset of 524,280", 6, 0xffff, 3),
		LIE("type 12", 12, 2, 3),
		LIE("type 0xffff", 0xffff, 2, 3),
		LIE("a page list without its head", 9, 2, 3),
		LIE("pieces without their head", 7, 2, 3),
	};
#undef LIE
	return each_refused(t, lies, sizeof lies / sizeof lies[0]);
}

static enum conform_verdict indices(struct conform_target *t)
{
#define LIE(what, in)                                                                              \
	{                                                                                          \
		what, DESCRIPTOR(PACKET_TYPE_INBAND, 2, 3, 0), in                                  \
	}
	static const struct lie lies[] = {
		LIE("an index that is odd", 65),
		LIE("no multiple of 8", 68),
		LIE("the ring's size", 4096),
		LIE("past the ring", 4104),
		LIE("0x80000000", 0x80000000),
		LIE("-8", 0xfffffff8),
	};
#undef LIE
	return each_refused(t, lies, sizeof lies / sizeof lies[0]);
}

/* What comes after them is the first to be answered. */
static enum conform_verdict out_of_bounds(struct conform_target *t)
{
	static const struct {
		uint16_t type;
		uint32_t bytes, payload;
	} bad[] = {
		{PACKET_TYPE_INBAND, 16, TRUE_BYTES},
		{PACKET_TYPE_INBAND, 24, TESTDEVICE_HOSTILE_BYTES + 1},
		{PACKET_TYPE_INBAND, 24, 0xffffffff},
		{PACKET_TYPE_COMPLETION, 24, TRUE_BYTES},
	};
	PAIR;
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const struct testdevice_hostile_request_wire request = {
			DESCRIPTOR(PACKET_TYPE_INBAND, 2, 3, 0), 0xbad, bad[i].payload,
			TESTDEVICE_TRUE_INDEX};
		const struct packet_header header = {.type = bad[i].type,
			.flags = bad[i].type == PACKET_TYPE_INBAND ? WANTED : 0,
			.payload_bytes = bad[i].bytes};
		TRY(conform_channel_send(t, &pair->hostile, &header, NULL, &request));
		TRY(truth(t, pair));
	}
	return CONFORM_PASS;
}

#define ROW(rule, name, run)                                                                       \
	{                                                                                          \
		rule, name, run, CONFORM_BUS, 0, 0                                                 \
	}
const struct conform_test conform_lies_tests[] = {
	ROW("R-TDEV-010", "packets that lie come as told; they are refused", descriptors),
	ROW("R-TDEV-011", "indices that lie come as told; they are refused", indices),
	ROW("R-TDEV-012", "the hostile device does not answer bad requests", out_of_bounds),
};
#undef ROW
const size_t conform_lies_test_count = sizeof conform_lies_tests / sizeof conform_lies_tests[0];
