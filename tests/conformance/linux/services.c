// SPDX-License-Identifier: Apache-2.0
/* The integration components that Linux's hv_utils answers without a daemon. */
#include "tests/conformance/linux/ic.h"

#include "protocol/heartbeat.h"
#include "protocol/shutdown.h"
#include "protocol/timesync.h"
#include "protocol/vss.h"

#include <stdlib.h>
#include <string.h>

#define YEAR_2030    UINT64_C(1893456000) /* seconds since 1970 */
#define EPOCH_OFFSET UINT64_C(11644473600)

#define CLOCK_LATE_S	   8		       /* a clock is read so late at most */
#define UNMISTAKABLE_100NS UINT64_C(200000000) /* 20 s */

/* ---- negotiation ----------------------------------------------------------------------------- */

static struct linux_channel *open_only(struct linux_guest *g, uint16_t type)
{
	struct linux_channel *channel = linux_offer(g, linux_ic_interface(type));
	return channel != NULL && linux_opened(g, channel) ? channel : NULL;
}

static enum conform_verdict picks(struct conform_target *t, struct linux_channel *channel,
	const struct ic_version_wire *messages, uint16_t count, struct ic_version_wire wanted)
{
	struct linux_guest *g = channel->guest;
	static const struct ic_version_wire frameworks[] = {{1, 0}, {9, 9}, {3, 0}};
	struct linux_ic ic;
	struct linux_ic_answer answer;
	struct ic_negotiate_wire counts;
	struct ic_version_wire chosen[2];

	linux_ic_negotiation(g, &ic, frameworks, 3, messages, count);
	TRY(linux_ic_ask(channel, &ic, &answer));
	memcpy(&counts, answer.body, sizeof counts);
	memcpy(chosen, answer.body + sizeof counts, sizeof chosen);
	EXPECT(counts.framework_count == 1 && counts.message_count == 1,
		"counts %u and %u, not 1 and 1", counts.framework_count, counts.message_count);
	EXPECT(chosen[0].major == 3 && chosen[0].minor == 0, "framework %u.%u, not 3.0",
		chosen[0].major, chosen[0].minor);
	EXPECT(ic_version_compare(chosen[1], wanted) == 0, "version %u.%u, not %u.%u",
		chosen[1].major, chosen[1].minor, wanted.major, wanted.minor);
	EXPECT(answer.header.flags == IC_FLAGS_RESPONSE &&
			answer.header.transaction_id == linux_ic_header(&ic)->transaction_id,
		"flags %u, transaction id %u for %u", answer.header.flags,
		answer.header.transaction_id, linux_ic_header(&ic)->transaction_id);
	return CONFORM_PASS;
}

/* R-IC-003, R-IC-004, R-IC-007, R-IC-034: whatever the order, the highest that both know. */
static enum conform_verdict negotiates(
	struct conform_target *t, uint16_t type, struct ic_version_wire highest)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = open_only(g, type);
	const struct ic_version_wire up[] = {{1, 0}, {3, 0}, highest, {99, 0}};
	const struct ic_version_wire down[] = {{99, 1}, highest, {3, 0}, {1, 0}};

	TRY(channel != NULL);
	const enum conform_verdict verdict = picks(t, channel, up, 4, highest);
	return verdict != CONFORM_PASS ? verdict : picks(t, channel, down, 4, highest);
}
static enum conform_verdict negotiates_heartbeat(struct conform_target *t)
{
	return negotiates(t, IC_TYPE_HEARTBEAT, (struct ic_version_wire){3, 0});
}
static enum conform_verdict negotiates_shutdown(struct conform_target *t)
{
	return negotiates(t, IC_TYPE_SHUTDOWN, (struct ic_version_wire){3, 2});
}
static enum conform_verdict negotiates_timesync(struct conform_target *t)
{
	return negotiates(t, IC_TYPE_TIMESYNC, (struct ic_version_wire){4, 0});
}
static enum conform_verdict negotiates_vss(struct conform_target *t)
{
	return negotiates(t, IC_TYPE_VSS, (struct ic_version_wire){5, 0});
}

static enum conform_verdict refuses(
	struct conform_target *t, struct linux_channel *channel, const struct linux_ic *ic)
{
	struct linux_ic_answer answer;
	struct ic_negotiate_wire counts;

	TRY(linux_ic_ask(channel, ic, &answer));
	memcpy(&counts, answer.body, sizeof counts);
	EXPECT(counts.framework_count == 0 && counts.message_count == 0,
		"counts %u and %u, not 0 and 0", counts.framework_count, counts.message_count);
	return CONFORM_PASS;
}

/* R-IC-005 */
static enum conform_verdict none_in_common(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = open_only(g, IC_TYPE_HEARTBEAT);
	static const struct ic_version_wire known[] = {{3, 0}};
	static const struct ic_version_wire alien[] = {{77, 7}};
	struct linux_ic ic;

	TRY(channel != NULL);
	linux_ic_negotiation(g, &ic, known, 1, alien, 1);
	const enum conform_verdict verdict = refuses(t, channel, &ic);
	if (verdict != CONFORM_PASS)
		return verdict;
	linux_ic_negotiation(g, &ic, alien, 1, known, 1);
	return refuses(t, channel, &ic);
}

/* R-IC-011 */
static enum conform_verdict count_lies(
	struct conform_target *t, uint16_t frameworks, uint16_t messages)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = open_only(g, IC_TYPE_HEARTBEAT);
	const struct ic_negotiate_wire counts = {frameworks, messages, 0};
	static const struct ic_version_wire known[] = {{3, 0}};
	struct linux_ic ic;

	TRY(channel != NULL);
	linux_ic_negotiation(g, &ic, known, 1, known, 1);
	memcpy(ic.payload + IC_OVERHEAD_BYTES, &counts, sizeof counts);
	const enum conform_verdict verdict = refuses(t, channel, &ic);
	if (verdict == CONFORM_PASS)
		TRY(linux_ic_works(g));
	return verdict;
}
static enum conform_verdict counts_0(struct conform_target *t)
{
	return count_lies(t, 0, 0);
}
static enum conform_verdict counts_101(struct conform_target *t)
{
	return count_lies(t, 101, 1);
}
static enum conform_verdict counts_65535(struct conform_target *t)
{
	return count_lies(t, 65535, 65535);
}
static enum conform_verdict counts_past_body(struct conform_target *t)
{
	return count_lies(t, 50, 50);
}

/* R-IC-039 */
static enum conform_verdict again(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	struct linux_ic_answer answer;

	TRY(channel != NULL);
	for (unsigned i = 0; i < 5; i++) {
		TRY(linux_ic_beat(channel, i));
		TRY(linux_ic_agree(channel, IC_TYPE_HEARTBEAT, &answer));
	}
	return CONFORM_PASS;
}

/* ---- framing --------------------------------------------------------------------------------- */

static enum conform_verdict dropped(struct conform_target *t, void (*spoil)(struct linux_ic *ic))
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	const struct heartbeat_v3_wire body = {.sequence = 5};
	struct linux_ic ic;

	TRY(channel != NULL);
	linux_ic_request(g, &ic, IC_TYPE_HEARTBEAT, &body, sizeof body);
	spoil(&ic);
	TRY(linux_ic_is_dropped(channel, &ic));
	return CONFORM_PASS;
}

static void spoil_pipe_type(struct linux_ic *ic)
{
	ic->payload[0] = 2;
}
static void spoil_pipe_long(struct linux_ic *ic)
{
	memset(ic->payload + 4, 0xff, 4);
}
static void spoil_pipe_short(struct linux_ic *ic)
{
	ic->payload[4] = 19;
}
static void spoil_short(struct linux_ic *ic)
{
	ic->bytes = 24;
}
static void spoil_flags(struct linux_ic *ic)
{
	linux_ic_header(ic)->flags = IC_FLAGS_RESPONSE;
}
static void spoil_body(struct linux_ic *ic)
{
	ic->bytes = IC_OVERHEAD_BYTES;
	linux_ic_header(ic)->body_bytes = 0;
	ic->payload[4] = IC_HEADER_BYTES;
}

/* R-IC-030 */
static enum conform_verdict pipe_type(struct conform_target *t)
{
	return dropped(t, spoil_pipe_type);
}
/* R-IC-031 */
static enum conform_verdict pipe_long(struct conform_target *t)
{
	return dropped(t, spoil_pipe_long);
}
static enum conform_verdict pipe_short(struct conform_target *t)
{
	return dropped(t, spoil_pipe_short);
}
/* R-IC-010 */
static enum conform_verdict short_message(struct conform_target *t)
{
	return dropped(t, spoil_short);
}
/* R-IC-033 */
static enum conform_verdict answers_an_answer(struct conform_target *t)
{
	return dropped(t, spoil_flags);
}
/* R-IC-040 */
static enum conform_verdict short_body(struct conform_target *t)
{
	return dropped(t, spoil_body);
}

/* R-IC-008 */
static enum conform_verdict other_type(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	struct linux_ic ic;
	struct linux_ic_answer answer;

	TRY(channel != NULL);
	linux_ic_request(g, &ic, 99, "0123456789abcdef", 16);
	TRY(linux_ic_ask(channel, &ic, &answer));
	EXPECT(answer.header.status == IC_STATUS_FAIL, "status 0x%x", answer.header.status);
	return CONFORM_PASS;
}

/* R-ROB-003: each byte of the header 0xff, in a request that asks for nothing. */
static enum conform_verdict header_lies(
	struct conform_target *t, uint16_t type, const void *body, uint16_t bytes)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, type);

	TRY(channel != NULL);
	for (unsigned at = 0; at < IC_OVERHEAD_BYTES; at++) {
		struct linux_ic ic;
		linux_ic_request(g, &ic, type, body, bytes);
		ic.payload[at] = 0xff;
		TRY(linux_ic_send(channel, &ic));
		TRY(linux_taken(channel));
	}
	linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}
static enum conform_verdict header_lies_heartbeat(struct conform_target *t)
{
	static const struct heartbeat_v3_wire body;
	return header_lies(t, IC_TYPE_HEARTBEAT, &body, sizeof body);
}
static enum conform_verdict header_lies_shutdown(struct conform_target *t)
{
	static const struct shutdown_wire body = {.flags = 99};
	return header_lies(t, IC_TYPE_SHUTDOWN, &body, sizeof body);
}
static enum conform_verdict header_lies_timesync(struct conform_target *t)
{
	static const struct timesync_v4_wire body;
	return header_lies(t, IC_TYPE_TIMESYNC, &body, sizeof body);
}
static enum conform_verdict header_lies_vss(struct conform_target *t)
{
	static const struct vss_flags_wire body = {.header.operation = VSS_GET_DM_INFO};
	return header_lies(t, IC_TYPE_VSS, &body, sizeof body);
}

/* ---- heartbeat ------------------------------------------------------------------------------- */

/* R-IC-027, R-HB-005, R-HB-006 */
static enum conform_verdict sequence(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	static const uint64_t numbers[] = {1, 2, 3, 2, 500, 0, 0x7fffffffffffffff, 9};

	TRY(channel != NULL);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		TRY(linux_ic_beat(channel, numbers[i]));
	return CONFORM_PASS;
}

/* R-IC-029 */
static enum conform_verdict sequence_wraps(struct conform_target *t)
{
	struct linux_channel *channel = linux_ic_open(linux_guest_of(t), IC_TYPE_HEARTBEAT);
	TRY(channel != NULL && linux_ic_beat(channel, UINT64_MAX));
	return CONFORM_PASS;
}

/* R-HB-002 */
static enum conform_verdict eight_bytes(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	struct linux_ic ic;
	struct linux_ic_answer answer;

	TRY(channel != NULL);
	linux_ic_request(g, &ic, IC_TYPE_HEARTBEAT, "\x05\0\0\0\0\0\0\0", 8);
	TRY(linux_ic_ask(channel, &ic, &answer));
	EXPECT(answer.body[0] == 6, "sequence 5 is answered by %u", answer.body[0]);
	return CONFORM_PASS;
}

/* R-HB-003 */
static enum conform_verdict same_bytes(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);
	uint8_t body[40];
	struct linux_ic ic;
	struct linux_ic_answer answer;

	TRY(channel != NULL);
	memset(body, 0x5a, sizeof body);
	linux_ic_request(g, &ic, IC_TYPE_HEARTBEAT, body, sizeof body);
	TRY(linux_ic_ask(channel, &ic, &answer));
	EXPECT(answer.header.body_bytes == sizeof body, "a body of %u bytes, not 40",
		answer.header.body_bytes);
	EXPECT(memcmp(answer.body + 16, body + 16, 24) == 0, "bytes behind 16 are changed");
	return CONFORM_PASS;
}

/* ---- time ------------------------------------------------------------------------------------ */

static bool time_send(struct linux_channel *channel, uint64_t seconds, uint64_t reference,
	uint8_t flags, struct linux_ic_answer *answer)
{
	const struct timesync_v4_wire body = {
		.parent_100ns = (seconds + EPOCH_OFFSET) * 10000000,
		.reference_100ns = reference,
		.flags = flags,
	};
	struct linux_ic ic;

	linux_ic_request(channel->guest, &ic, IC_TYPE_TIMESYNC, &body, sizeof body);
	return linux_ic_ask(channel, &ic, answer);
}

/* The guest's seconds since 1970; -1. */
static int64_t clock_read(struct linux_guest *g)
{
	char output[LINUX_OUTPUT_BYTES];
	return linux_say(g, output, "date +%%s") == 0 ? strtoll(output, NULL, 10) : -1;
}

/* Late enough after the start that the time since then is seen if it is counted in. */
static void grow_old(struct linux_guest *g)
{
	while (partition_time_100ns(g->partition) < UNMISTAKABLE_100NS && !g->has_ended)
		linux_turn(g, 50);
}

static enum conform_verdict clock_is_set(
	struct conform_target *t, int64_t reference_offset, uint8_t flags, int64_t wanted_off)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_TIMESYNC);
	struct linux_ic_answer answer;

	TRY(channel != NULL);
	const uint64_t base = YEAR_2030 + g->instance_next * 1000;
	const uint64_t now = partition_time_100ns(g->partition);
	const uint64_t reference = reference_offset == INT64_MIN ? 0
								 : now + (uint64_t)reference_offset;
	TRY(time_send(channel, base, reference, flags, &answer));
	int64_t off = INT64_MAX;
	for (unsigned i = 0; i < 5 && (off < wanted_off - 1 || off > wanted_off + CLOCK_LATE_S);
		i++)
		off = clock_read(g) - (int64_t)base; /* it is set by a work queue */
	EXPECT(off >= wanted_off - 1 && off <= wanted_off + CLOCK_LATE_S,
		"the clock is %lld s off what was sent, not %lld", (long long)off,
		(long long)wanted_off);
	return CONFORM_PASS;
}

/* R-IC-025: and what has gone by since the reference time counts. */
static enum conform_verdict time_sync(struct conform_target *t)
{
	return clock_is_set(t, 0, TIMESYNC_FLAG_SYNC, 0);
}
static enum conform_verdict time_sync_old(struct conform_target *t)
{
	grow_old(linux_guest_of(t));
	return clock_is_set(t, -(int64_t)UNMISTAKABLE_100NS, TIMESYNC_FLAG_SYNC,
		(int64_t)(UNMISTAKABLE_100NS / 10000000));
}
/* R-TIME-103 */
static enum conform_verdict time_other_bits(struct conform_target *t)
{
	return clock_is_set(t, 0, 0xff, 0);
}
/* R-IC-026 */
static enum conform_verdict time_reference_0(struct conform_target *t)
{
	grow_old(linux_guest_of(t));
	return clock_is_set(t, INT64_MIN, TIMESYNC_FLAG_SYNC, 0);
}
static enum conform_verdict time_reference_future(struct conform_target *t)
{
	return clock_is_set(t, 36000000000, TIMESYNC_FLAG_SYNC, 0);
}

static enum conform_verdict clock_stays(
	struct conform_target *t, uint64_t seconds, uint8_t flags, uint16_t bytes)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_TIMESYNC);
	const struct timesync_v4_wire body = {
		.parent_100ns = (seconds + EPOCH_OFFSET) * 10000000,
		.reference_100ns = partition_time_100ns(g->partition),
		.flags = flags,
	};
	struct linux_ic ic;
	struct linux_ic_answer answer;

	TRY(channel != NULL);
	const int64_t before = clock_read(g);
	linux_ic_request(g, &ic, IC_TYPE_TIMESYNC, &body, bytes);
	TRY(linux_ic_send(channel, &ic) && linux_taken(channel));
	TRY(linux_ic_agree(channel, IC_TYPE_TIMESYNC, &answer) ||
		linux_ic_receive(channel, &answer)); /* it may have been answered itself */
	TRY(linux_do(g, "usleep 300000") == 0);
	const int64_t gone = clock_read(g) - before;
	(void)(time_send(channel, YEAR_2030, partition_time_100ns(g->partition), TIMESYNC_FLAG_SYNC,
		       &answer) &&
		linux_do(g, "usleep 100000"));
	EXPECT(gone >= 0 && gone < 30, "the clock has moved by %lld s", (long long)gone);
	return CONFORM_PASS;
}

/* R-TIME-112 */
static enum conform_verdict time_probe(struct conform_target *t)
{
	return clock_stays(t, YEAR_2030 + 90000000, 0, sizeof(struct timesync_v4_wire));
}
/* R-TIME-102 */
static enum conform_verdict time_short(struct conform_target *t)
{
	return clock_stays(t, YEAR_2030 + 90000000, TIMESYNC_FLAG_SYNC, 12);
}
/* R-TIME-110 */
static enum conform_verdict time_absurd(struct conform_target *t)
{
	return clock_stays(t, UINT64_MAX / 10000000 - EPOCH_OFFSET - 1, TIMESYNC_FLAG_SYNC,
		sizeof(struct timesync_v4_wire));
}

/* ---- shutdown, backup ------------------------------------------------------------------------ */

/* R-IC-016 */
static enum conform_verdict shutdown_odd_flags(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_SHUTDOWN);
	static const uint32_t flags[] = {6, 99, UINT32_MAX};

	TRY(channel != NULL);
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		static struct shutdown_wire body;
		struct linux_ic ic;
		struct linux_ic_answer answer;
		body.flags = flags[i];
		memset(body.text, 0xff, sizeof body.text);
		linux_ic_request(g, &ic, IC_TYPE_SHUTDOWN, &body, sizeof body);
		TRY(linux_ic_ask(channel, &ic, &answer));
		EXPECT(answer.header.status == IC_STATUS_FAIL, "flags 0x%x: status 0x%x", flags[i],
			answer.header.status);
	}
	return CONFORM_PASS;
}

/* R-IC-020: a request to power off without its text. */
static enum conform_verdict shutdown_short(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_SHUTDOWN);
	static const uint8_t body[12];
	struct linux_ic ic;

	TRY(channel != NULL);
	linux_ic_request(g, &ic, IC_TYPE_SHUTDOWN, body, sizeof body);
	TRY(linux_ic_is_dropped(channel, &ic));
	EXPECT(linux_do(g, "usleep 500000") == 0, "it shuts down");
	return CONFORM_PASS;
}

/* R-IC-043: without a daemon an answer comes at once, and says failure. */
static enum conform_verdict vss_without_daemon(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_VSS);
	static const uint8_t operations[] = {VSS_HOT_BACKUP, VSS_FREEZE, VSS_THAW};

	TRY(channel != NULL);
	for (size_t i = 0; i < sizeof operations; i++) {
		const struct vss_flags_wire body = {.header.operation = operations[i]};
		struct linux_ic ic;
		struct linux_ic_answer answer;
		linux_ic_request(g, &ic, IC_TYPE_VSS, &body, sizeof body);
		TRY(linux_ic_ask(channel, &ic, &answer));
		EXPECT(answer.header.status != 0, "operation %u succeeds without a daemon",
			operations[i]);
	}
	return CONFORM_PASS;
}

#define ROW(rule, name, test)                                                                      \
	{                                                                                          \
		rule, name, test, LINUX_BUS, 0, 0                                                  \
	}
const struct conform_test linux_ic_tests[] = {
	ROW("R-IC-004", "heartbeat: the highest version in common", negotiates_heartbeat),
	ROW("R-IC-004", "shutdown: the highest version in common", negotiates_shutdown),
	ROW("R-IC-004", "timesync: the highest version in common", negotiates_timesync),
	ROW("R-IC-004", "vss: the highest version in common", negotiates_vss),
	ROW("R-IC-005", "no version in common: counts 0 and 0", none_in_common),
	ROW("R-IC-011", "version counts of 0", counts_0),
	ROW("R-IC-011", "101 versions", counts_101),
	ROW("R-IC-011", "65535 versions", counts_65535),
	ROW("R-IC-011", "versions past the body", counts_past_body),
	ROW("R-IC-039", "negotiation at any time", again),
	ROW("R-IC-030", "a pipe type that is not data is dropped", pipe_type),
	ROW("R-IC-031", "a pipe length past the packet is dropped", pipe_long),
	ROW("R-IC-031", "a pipe length of 19 is dropped", pipe_short),
	ROW("R-IC-010", "a message of 24 bytes is dropped", short_message),
	ROW("R-IC-033", "an answer is not answered", answers_an_answer),
	ROW("R-IC-040", "a request without its body is dropped", short_body),
	ROW("R-IC-008", "a request of another type fails", other_type),
	ROW("R-ROB-003", "heartbeat: 0xff in each place of the header", header_lies_heartbeat),
	ROW("R-ROB-003", "shutdown: 0xff in each place of the header", header_lies_shutdown),
	ROW("R-ROB-003", "timesync: 0xff in each place of the header", header_lies_timesync),
	ROW("R-ROB-003", "vss: 0xff in each place of the header", header_lies_vss),
	ROW("R-IC-027", "heartbeat: sequence + 1, whatever came before", sequence),
	ROW("R-IC-029", "heartbeat: the sequence wraps", sequence_wraps),
	ROW("R-HB-002", "heartbeat: a body of 8 bytes is enough", eight_bytes),
	ROW("R-HB-003", "heartbeat: the answer has the request's bytes", same_bytes),
	ROW("R-IC-025", "timesync: SYNC sets the clock", time_sync),
	ROW("R-IC-025", "timesync: what has gone by since counts", time_sync_old),
	ROW("R-TIME-103", "timesync: other bits beside SYNC are ignored", time_other_bits),
	ROW("R-IC-026", "timesync: a reference time of 0", time_reference_0),
	ROW("R-IC-026", "timesync: a reference time of the future", time_reference_future),
	ROW("R-TIME-112", "timesync: a probe does nothing", time_probe),
	ROW("R-TIME-102", "timesync: a short body does nothing", time_short),
	ROW("R-TIME-110", "timesync: a time of day that is none", time_absurd),
	ROW("R-IC-016", "shutdown: flags without an action fail", shutdown_odd_flags),
	ROW("R-IC-020", "shutdown: a short request is dropped", shutdown_short),
	ROW("R-IC-043", "vss: without a daemon it fails at once", vss_without_daemon),
};
const size_t linux_ic_test_count = sizeof linux_ic_tests / sizeof *linux_ic_tests;
