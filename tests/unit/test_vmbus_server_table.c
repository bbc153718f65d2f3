// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus server: the whole message table. Every type at every version, every channel
 * message in every channel state, host-only types, over-long and short messages.
 * The expectations are written out here from the state tables of the protocol text.
 */
#include "tests/unit/vmbus_server_rig.h"

/* ---- types and versions ---- */

struct message_rule {
	bool is_from_guest;
	uint32_t first_version; /* that knows it */
	uint32_t feature;
	unsigned bytes;
};

static const struct message_rule rules[30] = {
	[1] = {false, 0, 0, 0},
	[2] = {false, 0, 0, 0},
	[3] = {true, 0x0000d, 0, 8},
	[4] = {false, 0, 0, 0},
	[5] = {true, 0x0000d, 0, 148},
	[6] = {false, 0, 0, 0},
	[7] = {true, 0x0000d, 0, 12},
	[8] = {true, 0x0000d, 0, 20},
	[9] = {true, 0x0000d, 0, 16},
	[10] = {false, 0, 0, 0},
	[11] = {true, 0x0000d, 0, 16},
	[12] = {false, 0, 0, 0},
	[13] = {true, 0x0000d, 0, 12},
	[14] = {true, 0, 0, 40},
	[15] = {false, 0, 0, 0},
	[16] = {true, 0x0000d, 0, 8},
	[17] = {false, 0, 0, 0},
	[18] = {true, 0x40000, 0, 28},
	[19] = {true, 0, 0, 20},
	[20] = {false, 0, 0, 0},
	[21] = {true, 0x40000, 0, 40},
	[22] = {true, 0x40001, 0, 16},
	[23] = {false, 0, 0, 0},
	[24] = {false, 0, 0, 0},
	[25] = {true, 0x60000, 0x04, 24},
	[26] = {false, 0, 0, 0},
	[27] = {true, 0x60000, 0x20, 8},
	[28] = {false, 0, 0, 0},
	[29] = {true, 0x60000, 0x20, 8},
};

static enum vmbus_rejection expected_rejection(uint32_t type, uint32_t version, unsigned bytes)
{
	if (type == 0 || type > 29)
		return VMBUS_REJECTION_UNKNOWN_TYPE;
	const struct message_rule *rule = &rules[type];
	if (!rule->is_from_guest)
		return VMBUS_REJECTION_WRONG_DIRECTION;
	if (version < rule->first_version)
		return VMBUS_REJECTION_NOT_NEGOTIATED;
	if (bytes < rule->bytes)
		return VMBUS_REJECTION_TOO_SMALL;
	return VMBUS_REJECTION_NONE;
}

/* R-MSG-006, R-CONN-034 */
static void each_version_knows_its_types(void)
{
	for (unsigned v = 0; v < RIG_VERSIONS; v++) {
		for (uint32_t type = 0; type <= 32; type++) {
			struct rig *r = rig_make();
			rig_connect(r, rig_versions[v], 0x24);
			struct rig_bytes b = rig_header(type);
			b.count = 240;
			rig_say(r, &b);
			const enum vmbus_rejection expected = expected_rejection(
				type, rig_versions[v], 240);
			if (expected != VMBUS_REJECTION_NONE) {
				CU_ASSERT_EQUAL(rig_status(r).last_rejection, expected);
				CU_ASSERT_EQUAL(rig_status(r).rejected, 1);
				RIG_DEAD(r);
			} else {
				/* known: whatever was wrong with it, it was understood */
				const enum vmbus_rejection last = rig_status(r).last_rejection;
				CU_ASSERT_NOT_EQUAL(last, VMBUS_REJECTION_NOT_NEGOTIATED);
				CU_ASSERT_NOT_EQUAL(last, VMBUS_REJECTION_UNKNOWN_TYPE);
				CU_ASSERT_NOT_EQUAL(last, VMBUS_REJECTION_TOO_SMALL);
			}
			rig_destroy(r);
		}
	}
}

static void features_not_asked_for_are_not_known(void)
{
	static const uint32_t gated[] = {25, 27, 29};
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			struct rig *r = rig_make();
			rig_connect(r, 0x60000, 1u << bit);
			struct rig_bytes b = rig_header(gated[i]);
			b.count = 240;
			rig_say(r, &b);
			const bool is_known = rules[gated[i]].feature == 1u << bit;
			CU_ASSERT_EQUAL(rig_status(r).rejected, is_known ? 0 : 1);
			rig_destroy(r);
		}
	}
}

/* R-MSG-005: every length of every type; nothing is read past the end */
static void short_messages_are_dropped(void)
{
	for (uint32_t type = 0; type <= 30; type++) {
		struct rig *r = rig_make();
		rig_connect(r, 0x50003, 0);
		for (unsigned bytes = 0; bytes < 64; bytes++) {
			struct rig_bytes b = rig_header(type);
			b.count = bytes;
			const enum vmbus_rejection expected =
				bytes < 8 ? VMBUS_REJECTION_TOO_SMALL
					  : expected_rejection(type, 0x50003, bytes);
			if (expected == VMBUS_REJECTION_NONE)
				break;
			const uint64_t before = rig_status(r).rejected;
			rig_say(r, &b);
			CU_ASSERT_TRUE(rig_rejected(r, expected, before));
		}
		RIG_DEAD(r);
		rig_destroy(r);
	}
}

static void more_bytes_than_a_message_can_have_are_refused(void)
{
	struct rig *r = rig_make();
	uint8_t bytes[VMBUS_MESSAGE_BYTES_MAX + 1] = {14};
	CU_ASSERT_EQUAL(vmbus_server_message(r->server, 4, bytes, sizeof bytes), 0);
	CU_ASSERT_EQUAL(rig_status(r).last_rejection, VMBUS_REJECTION_NOT_CONTROL);
	CU_ASSERT_EQUAL(vmbus_server_message(r->server, 4, NULL, 0), 0);
	CU_ASSERT_EQUAL(rig_status(r).last_rejection, VMBUS_REJECTION_TOO_SMALL);
	rig_destroy(r);
}

static void say_padded(struct rig *r, struct rig_bytes b)
{
	memset(b.at + b.count, 0xff, 240 - b.count);
	b.count = 240;
	rig_say(r, &b);
}

/* R-CONN-011 */
static void over_long_messages_are_taken_as_they_are(void)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_device(r, 1, 0);
	say_padded(r, rig_contact_bytes(0x50003, 0, 2, 0, 0));
	say_padded(r, rig_hex("0300000000000000"));
	struct rig_bytes b = rig_gpadl_header(1, 1, 40, 1);
	rig_range(&b, 0x4000, 0);
	for (unsigned i = 0; i < 4; i++)
		rig_u64(&b, 0x100 + i);
	say_padded(r, b);
	say_padded(r, rig_open_bytes(1, 1, 1, 0, 2));
	RIG_STATE(r, d, "open");
	say_padded(r, rig_hex("1600000000000000 01000000 03000000"));
	CU_ASSERT_EQUAL(d->target_vp, 3);
	say_padded(r, rig_hex("0700000000000000 01000000"));
	say_padded(r, rig_hex("0b00000000000000 01000000 01000000"));
	say_padded(r, rig_hex("0d00000000000000 01000000"));
	RIG_STATE(r, d, "unoffered");
	say_padded(r, rig_hex("1000000000000000"));
	CU_ASSERT_EQUAL(rig_status(r).rejected, 0);
	/* R-CONN-037: what we say has its exact size */
	static const uint8_t sizes[] = {16, 196, 8, 20, 20, 16, 12, 8};
	CU_ASSERT_EQUAL(r->logged, sizeof sizes);
	for (unsigned i = 0; i < sizeof sizes; i++)
		CU_ASSERT_EQUAL(rig_next(r)->bytes, sizes[i]);
	rig_destroy(r);
}

/* ---- channel states ---- */

enum state {
	CLOSED,
	OPENING,
	OPEN,
	CLOSING,
	REOPEN,
	REVOKING,
	REVOKED,
	REOFFERED,
	RELEASED,
	UNKNOWN,
	STATES
};
static const char *const state_names[STATES] = {"closed", "opening", "open", "closing",
	"closing-reopen", "revoking", "revoked", "reoffered", "released", "unoffered"};

/* A server whose channel with relid 1 is in this state, at `version`; GPADL 1 is its ring. */
static struct rig *in_state(enum state state, uint32_t version, struct rig_device **out)
{
	struct rig *r = rig_make();
	struct rig_device *d = rig_device(r, 1, 0);
	rig_connect(r, version, 0);
	rig_gpadl(r, 1, 1, 4, 0x100);
	rig_gpadl(r, 1, 2, 4, 0x200);
	if (state != CLOSED && state != UNKNOWN) {
		d->waits_open = state == OPENING;
		d->waits_close = state == CLOSING || state == REOPEN || state == REVOKING ||
				 state == RELEASED;
		rig_open(r, 1, 1);
	}
	if (state == CLOSING || state == REOPEN || state == RELEASED)
		RIG_CLOSE(r, 1);
	if (state == REOPEN)
		rig_open(r, 1, 1);
	if (state == REVOKING || state == REVOKED || state == REOFFERED)
		rig_remove(r, d);
	if (state == REOFFERED)
		rig_device(r, 1, 0);
	if (state == RELEASED || state == UNKNOWN)
		RIG_RELEASE(r, 1);
	RIG_STATE(r, d, state_names[state]);
	rig_forget(r);
	*out = d;
	return r;
}

/* What a message does: a rejection, and the state afterwards (NULL: as before). */
struct effect {
	enum vmbus_rejection reason;
	const char *state;
	const char *answer; /* exact bytes, or NULL */
};

#define NO(NAME)                                                                                   \
	{                                                                                          \
		.reason = VMBUS_REJECTION_##NAME                                                   \
	}
#define TO(name)                                                                                   \
	{                                                                                          \
		.state = name                                                                      \
	}
#define NOTHING                                                                                    \
	{                                                                                          \
		.reason = VMBUS_REJECTION_NONE                                                     \
	}

static void check_effects(const struct rig_bytes *message, const struct effect effects[STATES])
{
	for (enum state s = CLOSED; s < STATES; s++) {
		struct rig_device *d;
		struct rig *r = in_state(s, 0x50002, &d);
		const uint64_t before = rig_status(r).rejected;
		d->waits_open = true;
		d->waits_close = true;
		rig_say(r, message);
		const struct vmbus_server_status status = rig_status(r);
		const bool is_rejected = effects[s].reason != VMBUS_REJECTION_NONE;
		CU_ASSERT_EQUAL(status.rejected - before, is_rejected ? 1 : 0);
		if (is_rejected)
			CU_ASSERT_EQUAL(status.last_rejection, effects[s].reason);
		const char *expected = effects[s].state != NULL ? effects[s].state : state_names[s];
		if (strcmp(rig_state(r, d), expected) != 0)
			printf("type %u in %s: %s, expected %s\n", message->at[0], state_names[s],
				rig_state(r, d), expected);
		RIG_STATE(r, d, expected);
		if (effects[s].answer != NULL)
			RIG_HEAR(r, effects[s].answer);
		RIG_DEAD(r);
		rig_destroy(r);
	}
}

static void open_in_every_state(void)
{
	static const struct effect effects[STATES] = {
		[CLOSED] = TO("opening"),
		[OPENING] = NO(CHANNEL_ALREADY_OPEN),
		[OPEN] = NO(CHANNEL_ALREADY_OPEN),
		[CLOSING] = TO("closing-reopen"),
		[REOPEN] = NO(CHANNEL_ALREADY_OPEN),
		[REVOKING] = NOTHING,
		[REVOKED] = NOTHING,
		[REOFFERED] = NOTHING,
		[RELEASED] = NO(UNKNOWN_CHANNEL),
		[UNKNOWN] = NO(UNKNOWN_CHANNEL),
	};
	const struct rig_bytes b = rig_open_bytes(1, 1, 1, 0, 2);
	check_effects(&b, effects);
}

static void close_in_every_state(void)
{
	static const struct effect effects[STATES] = {
		[CLOSED] = NO(CHANNEL_NOT_OPEN),
		[OPENING] = NO(CHANNEL_NOT_OPEN),
		[OPEN] = TO("closing"),
		[CLOSING] = NO(CHANNEL_NOT_OPEN),
		[REOPEN] = NO(CHANNEL_NOT_OPEN),
		[REVOKING] = NOTHING,
		[REVOKED] = NOTHING,
		[REOFFERED] = NOTHING,
		[RELEASED] = NO(UNKNOWN_CHANNEL),
		[UNKNOWN] = NO(UNKNOWN_CHANNEL),
	};
	const struct rig_bytes b = rig_hex("0700000000000000 01000000");
	check_effects(&b, effects);
}

static void open_reserved_in_every_state(void)
{
	static const struct effect effects[STATES] = {
		[CLOSED] = TO("opening"),
		[OPENING] = NO(CHANNEL_ALREADY_OPEN),
		[OPEN] = NO(CHANNEL_ALREADY_OPEN),
		[CLOSING] = NO(CHANNEL_STATE),
		[REOPEN] = NO(CHANNEL_STATE),
		[REVOKING] = NOTHING,
		[REVOKED] = NOTHING,
		[REOFFERED] = NOTHING,
		[RELEASED] = NO(UNKNOWN_CHANNEL),
		[UNKNOWN] = NO(UNKNOWN_CHANNEL),
	};
	const struct rig_bytes b = rig_hex(
		"1200000000000000 01000000 00000000 02000000 01000000 02000000");
	check_effects(&b, effects);
}

static void close_reserved_in_every_state(void)
{
	static const struct effect effects[STATES] = {
		[CLOSED] = NO(CHANNEL_NOT_OPEN),
		[OPENING] = NO(CHANNEL_NOT_OPEN),
		[OPEN] = NO(CHANNEL_NOT_RESERVED),
		[CLOSING] = NO(CHANNEL_NOT_OPEN),
		[REOPEN] = NO(CHANNEL_NOT_OPEN),
		[REVOKING] = NOTHING,
		[REVOKED] = NOTHING,
		[REOFFERED] = NOTHING,
		[RELEASED] = NO(UNKNOWN_CHANNEL),
		[UNKNOWN] = NO(UNKNOWN_CHANNEL),
	};
	const struct rig_bytes b = rig_hex("1300000000000000 01000000 00000000 02000000");
	check_effects(&b, effects);
}

static void release_in_every_state(void)
{
	static const struct effect effects[STATES] = {
		[CLOSED] = TO("unoffered"),
		[OPENING] = NO(CHANNEL_STATE),
		[OPEN] = NO(CHANNEL_STATE),
		[CLOSING] = TO("released"),
		[REOPEN] = NO(CHANNEL_STATE),
		[REVOKING] = TO("released"),
		[REVOKED] = TO("gone"),
		[REOFFERED] = {.state = "gone",
			.answer = "0100000000000000 d96361baa104294db60572e2ffb1dc7f"
				  "67254bd3b6b9b9428778000000000001"
				  "00000000000000000000000000000000 0100 0000"
				  "00000000000000000000000000000000000000000000000000000000"
				  "00000000000000000000000000000000000000000000000000000000"
				  "00000000000000000000000000000000000000000000000000000000"
				  "00000000000000000000000000000000000000000000000000000000"
				  "0000000000000000 0000 0000 01000000 ff 00 0100 01200000"},
		[RELEASED] = NO(UNKNOWN_CHANNEL),
		[UNKNOWN] = NO(UNKNOWN_CHANNEL),
	};
	const struct rig_bytes b = rig_hex("0d00000000000000 01000000");
	check_effects(&b, effects);
}

static void gpadl_header_in_every_state(void)
{
#define CREATED "0a00000000000000 01000000 09000000 00000000"
#define REFUSED "0a00000000000000 01000000 09000000 ffff0080"
	static const struct effect effects[STATES] = {
		[CLOSED] = {.answer = CREATED},
		[OPENING] = {.answer = CREATED},
		[OPEN] = {.answer = CREATED},
		[CLOSING] = {.answer = CREATED},
		[REOPEN] = {.answer = CREATED},
		[REVOKING] = {.answer = CREATED},
		[REVOKED] = {.answer = CREATED},
		[REOFFERED] = {.answer = CREATED},
		[RELEASED] = {.reason = VMBUS_REJECTION_UNKNOWN_CHANNEL, .answer = REFUSED},
		[UNKNOWN] = {.reason = VMBUS_REJECTION_UNKNOWN_CHANNEL, .answer = REFUSED},
	};
	const struct rig_bytes b = rig_hex("0800000000000000 01000000 09000000 1000 0100"
					   "0010000000000000 7700000000000000");
	check_effects(&b, effects);
}

static void gpadl_teardown_in_every_state(void)
{
#define TORNDOWN "0c00000000000000 02000000"
	static const struct effect effects[STATES] = {
		[CLOSED] = {.answer = TORNDOWN},
		[OPENING] = {.answer = TORNDOWN},
		[OPEN] = {.answer = TORNDOWN},
		[CLOSING] = {.answer = TORNDOWN},
		[REOPEN] = {.answer = TORNDOWN},
		[REVOKING] = {.answer = TORNDOWN},
		[REVOKED] = {.answer = TORNDOWN},
		[REOFFERED] = {.answer = TORNDOWN},
		[RELEASED] = NO(UNKNOWN_CHANNEL),
		[UNKNOWN] = NO(UNKNOWN_CHANNEL),
	};
	const struct rig_bytes b = rig_hex("0b00000000000000 01000000 02000000");
	check_effects(&b, effects);
}

/* 5.2: no answer. With answers: test_vmbus_server_channel. */
static void modify_in_every_state(void)
{
	static const struct effect effects[STATES] = {
		[CLOSED] = NO(CHANNEL_NOT_OPEN),
		[OPENING] = NO(CHANNEL_NOT_OPEN),
		[OPEN] = NOTHING,
		[CLOSING] = NO(CHANNEL_NOT_OPEN),
		[REOPEN] = NO(CHANNEL_NOT_OPEN),
		[REVOKING] = NO(CHANNEL_REVOKED),
		[REVOKED] = NO(CHANNEL_REVOKED),
		[REOFFERED] = NO(CHANNEL_REVOKED),
		[RELEASED] = NO(UNKNOWN_CHANNEL),
		[UNKNOWN] = NO(UNKNOWN_CHANNEL),
	};
	const struct rig_bytes b = rig_hex("1600000000000000 01000000 01000000");
	check_effects(&b, effects);
}

/* R-ROB-001: relids at the edges of the table, in every message that names one */
static void impossible_relids_name_nothing(void)
{
	static const uint32_t relids[] = {0, 2, 2047, 2048, 4096, 0x7fffffff, 0xffffffff};
	static const uint32_t types[] = {5, 7, 8, 11, 13, 18, 19, 22};
	struct rig *r = rig_make();
	rig_opened(r, 0x50003, 0);
	for (unsigned t = 0; t < 8; t++) {
		for (unsigned i = 0; i < 7; i++) {
			struct rig_bytes b = rig_header(types[t]);
			rig_u32(&b, relids[i]);
			b.count = 240;
			RIG_REJECTS(r, UNKNOWN_CHANNEL, rig_say(r, &b));
		}
	}
	CU_ASSERT_EQUAL(r->logged, 14); /* 8 and 22 are refused aloud */
	rig_destroy(r);
}

/* Device answers in every state: only the one that is waited for counts (R-ROB-007). */
static void answers_that_nobody_waits_for_are_discarded(void)
{
	for (enum state s = CLOSED; s < STATES; s++) {
		struct rig_device *d;
		struct rig *r = in_state(s, 0x50003, &d);
		const bool waits_open = s == OPENING;
		const bool waits_close = s == CLOSING || s == REOPEN || s == REVOKING ||
					 s == RELEASED;
		d->waits_close = true;
		d->waits_open = true;
		if (!waits_open)
			CU_ASSERT_FALSE(vmbus_server_open_done(r->server, d->id, 0));
		if (!waits_close)
			CU_ASSERT_FALSE(vmbus_server_close_done(r->server, d->id));
		RIG_STATE(r, d, state_names[s]);
		RIG_DEAD(r);
		if (waits_open)
			CU_ASSERT_TRUE(vmbus_server_open_done(r->server, d->id, -EIO));
		if (waits_close)
			CU_ASSERT_TRUE(vmbus_server_close_done(r->server, d->id));
		rig_check(r);
		CU_ASSERT_FALSE(vmbus_server_close_done(r->server, d->id));
		rig_destroy(r);
	}
}

/* Every rejection that this server can make has been counted under its name. */
static void rejections_have_names(void)
{
	for (unsigned i = 1; i < VMBUS_REJECTION_COUNT; i++) {
		CU_ASSERT_STRING_NOT_EQUAL(vmbus_rejection_name((enum vmbus_rejection)i), "NONE");
		CU_ASSERT_STRING_NOT_EQUAL(
			vmbus_rejection_name((enum vmbus_rejection)i), "unknown");
	}
	struct rig *r = rig_make();
	vmbus_server_reject(r->server, VMBUS_REJECTION_BACKLOG);
	CU_ASSERT_EQUAL(vmbus_server_rejections(r->server, VMBUS_REJECTION_BACKLOG), 1);
	CU_ASSERT_EQUAL(vmbus_server_rejections(r->server, (enum vmbus_rejection)9999), 0);
	rig_destroy(r);
}

static const struct test tests[] = {
	TEST(each_version_knows_its_types),
	TEST(features_not_asked_for_are_not_known),
	TEST(short_messages_are_dropped),
	TEST(more_bytes_than_a_message_can_have_are_refused),
	TEST(over_long_messages_are_taken_as_they_are),
	TEST(open_in_every_state),
	TEST(close_in_every_state),
	TEST(open_reserved_in_every_state),
	TEST(close_reserved_in_every_state),
	TEST(release_in_every_state),
	TEST(gpadl_header_in_every_state),
	TEST(gpadl_teardown_in_every_state),
	TEST(modify_in_every_state),
	TEST(impossible_relids_name_nothing),
	TEST(answers_that_nobody_waits_for_are_discarded),
	TEST(rejections_have_names),
};
TEST_MAIN("vmbus_server_table", tests)
