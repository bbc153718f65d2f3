// SPDX-License-Identifier: Apache-2.0
/* Shutdown, time and backup, guest side: shutdown.md, timesync.md, vss.md. */
#include "tests/conformance/guest_ic.h"

#include "guest/ic_daemons/shutdown_ic.h"
#include "guest/ic_daemons/timesync_ic.h"
#include "guest/ic_daemons/vss_ic.h"

#include <string.h>

/* ---- shutdown: reason, timeout, flags, text of 2048 bytes ----------------------------------- */

static struct shutdown_ic shutdown_guest;

static struct ic_stage *shutdown_stage(struct conform_target *t, unsigned actions)
{
	shutdown_ic_init(&shutdown_guest, actions);
	return ic_stage_agreed(t, &shutdown_guest.ic, &guid_shutdown, 3, 3, 0);
}

static enum conform_verdict shutdown_flags_alone(struct conform_target *t)
{
	struct ic_stage *stage = shutdown_stage(t, SHUTDOWN_IC_CAN(0) | SHUTDOWN_IC_CAN(1));
	static uint8_t body[2060];
	struct shutdown_order order;

	TRY(stage != NULL);
	put32(body, 0xffffffff);     /* any reason */
	put32(body + 4, 0xffffffff); /* and any time */
	for (unsigned flags = 0; flags < 4; flags++) {
		put32(body + 8, flags);
		TRY(ic_answered(t, stage, 3, body, sizeof body, STATUS_OK));
		EXPECT(shutdown_ic_take(&shutdown_guest, &order), "flags %u: no order", flags);
		EXPECT(order.is_forced == (flags & 1) && order.action == (flags & 2 ? 1u : 0u),
			"flags %u: action %u", flags, (unsigned)order.action);
	}
	return CONFORM_PASS;
}

static enum conform_verdict shutdown_refused(
	struct conform_target *t, struct ic_stage *stage, const uint32_t *flags, unsigned count)
{
	static uint8_t body[2060];

	TRY(stage != NULL);
	for (unsigned i = 0; i < count; i++) {
		put32(body + 8, flags[i]);
		TRY(ic_answered(t, stage, 3, body, sizeof body, STATUS_FAIL));
	}
	EXPECT(!shutdown_guest.has_order, "it is going to act");
	return CONFORM_PASS;
}

static enum conform_verdict shutdown_no_action(struct conform_target *t)
{
	static const uint32_t flags[] = {6, 7, 8, 9, 16, 0x10002, 0x80000000, 0xffffffff};

	return shutdown_refused(t,
		shutdown_stage(t, SHUTDOWN_IC_CAN(0) | SHUTDOWN_IC_CAN(1) | SHUTDOWN_IC_CAN(2)),
		flags, sizeof flags / sizeof flags[0]);
}

static enum conform_verdict shutdown_cannot(struct conform_target *t)
{
	static const uint32_t flags[] = {2, 3, 4, 5};

	return shutdown_refused(t, shutdown_stage(t, SHUTDOWN_IC_CAN(0)), flags, 4);
}

static enum conform_verdict shutdown_bodies(struct conform_target *t)
{
	static const uint16_t sizes[] = {0, 1, 8, 11, 12, 13, 2048, 2059};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = shutdown_stage(t, SHUTDOWN_IC_CAN(0) | SHUTDOWN_IC_CAN(1));
	static uint8_t body[4000];
	struct shutdown_order order;

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		EXPECT(ic_say(h, stage, ic_request(stage, 3, sizes[i])) == 0,
			"a body of %u bytes is answered", sizes[i]);
	EXPECT(!shutdown_guest.has_order, "it acts on one");
	put32(body + 8, 2);
	memset(body + 2060, 0xff, sizeof body - 2060);
	TRY(ic_answered(t, stage, 3, body, sizeof body, STATUS_OK));
	EXPECT(shutdown_ic_take(&shutdown_guest, &order) && order.action == 1,
		"it does not go by the first 2060 bytes");
	return CONFORM_PASS;
}

/* What the guest has to do is known when its answer is in the ring. */
static enum conform_verdict shutdown_answer_first(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = shutdown_stage(t, SHUTDOWN_IC_CAN(0));

	TRY(stage != NULL);
	const uint32_t in = *host_word(h, 1, false, RING_WORD_IN);
	h->channels[1].is_open = false; /* nobody reads meanwhile */
	EXPECT(host_send(
		       h, 1, PACKET_TYPE_INBAND, 0, 1, stage->message, ic_request(stage, 3, 2060)),
		"there is no room");
	for (unsigned i = 0; i < 10 && !shutdown_guest.has_order; i++)
		(void)vmbus_poll(h->bus, 0);
	EXPECT(shutdown_guest.has_order, "there is no order");
	EXPECT(*host_word(h, 1, false, RING_WORD_IN) != in, "there is no answer yet");
	return CONFORM_PASS;
}

static enum conform_verdict shutdown_text(struct conform_target *t)
{
	struct ic_stage *stage = shutdown_stage(t, SHUTDOWN_IC_CAN(0));
	static uint8_t body[2060];
	struct shutdown_order order;

	TRY(stage != NULL);
	memset(body + 12, 0xfe, 2048); /* no NUL, and no text of any kind */
	TRY(ic_answered(t, stage, 3, body, sizeof body, STATUS_OK));
	EXPECT(memcmp(stage->answer + IC_AT_BODY, body, sizeof body) == 0, "the body has changed");
	EXPECT(shutdown_ic_take(&shutdown_guest, &order), "no order");
	EXPECT(strlen(order.text) == 2048, "the text has %zu bytes", strlen(order.text));
	return CONFORM_PASS;
}

static enum conform_verdict shutdown_last_counts(struct conform_target *t)
{
	struct ic_stage *stage = shutdown_stage(t, SHUTDOWN_IC_CAN(0) | SHUTDOWN_IC_CAN(1));
	static uint8_t body[2060];
	struct shutdown_order order;

	TRY(stage != NULL);
	TRY(ic_answered(t, stage, 3, body, sizeof body, STATUS_OK));
	put32(body + 8, 3);
	TRY(ic_answered(t, stage, 3, body, sizeof body, STATUS_OK));
	EXPECT(shutdown_ic_take(&shutdown_guest, &order) && order.action == 1 && order.is_forced,
		"the first order is in force");
	EXPECT(!shutdown_ic_take(&shutdown_guest, &order), "there is a second order");
	return CONFORM_PASS;
}

/* ---- time: v4: parent, reference, flags, leap, stratum -------------------------------------- */

#define DAY_2026 133800000000000000ull

static struct timesync_ic timesync_guest;
static struct timesync_sample last_sample;
static unsigned sample_count;
static uint64_t reference_now;

static uint64_t reference(void *ctx)
{
	(void)ctx;
	return reference_now;
}

static void sample(void *ctx, const struct timesync_sample *got)
{
	(void)ctx;
	last_sample = *got;
	sample_count++;
}

static struct ic_stage *timesync_stage(struct conform_target *t, uint16_t version)
{
	static const struct timesync_ic_ops ops = {.reference_100ns = reference, .sample = sample};

	reference_now = 5000 * SECOND;
	timesync_ic_init(&timesync_guest, &ops, NULL);
	return ic_stage_agreed(t, &timesync_guest.ic, &guid_timesync, 3, version, 0);
}

static void time_body(uint8_t body[24], uint64_t parent, uint64_t at, uint8_t flag)
{
	memset(body, 0, 24);
	put64(body, parent);
	put64(body + 8, at);
	body[16] = flag;
}

static enum conform_verdict time_is_brought_to_now(struct conform_target *t)
{
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	time_body(body, DAY_2026, 4990 * SECOND, 1);
	TRY(ic_answered(t, stage, 4, body, 24, STATUS_OK));
	EXPECT(sample_count == 1 && last_sample.utc_100ns == DAY_2026 + 10 * SECOND,
		"the time is off by %lld",
		(long long)(last_sample.utc_100ns - DAY_2026 - 10 * SECOND));
	EXPECT(last_sample.is_sync, "SYNC is not passed on");
	return CONFORM_PASS;
}

static enum conform_verdict time_as_it_stands(struct conform_target *t)
{
	static const uint64_t references[] = {0, 5001 * SECOND, UINT64_MAX, 1ull << 63};
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	for (unsigned i = 0; i < 4; i++) {
		time_body(body, DAY_2026, references[i], 1);
		TRY(ic_answered(t, stage, 4, body, 24, STATUS_OK));
		EXPECT(last_sample.utc_100ns == DAY_2026, "case %u: the time is moved", i);
	}
	return CONFORM_PASS;
}

static enum conform_verdict time_is_none(struct conform_target *t)
{
	static const uint64_t times[] = {
		0, 1, 116444735999999999ull, (1ull << 62) + 1, 1ull << 63, UINT64_MAX};
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof times / sizeof times[0]; i++) {
		time_body(body, times[i], 4990 * SECOND, 1);
		TRY(ic_answered(t, stage, 4, body, 24, STATUS_INVALID));
	}
	EXPECT(sample_count == 0, "a time that is none is used");
	return CONFORM_PASS;
}

static enum conform_verdict time_is_stale(struct conform_target *t)
{
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	time_body(body, DAY_2026, 4400 * SECOND, 1); /* 600 s: just not */
	TRY(ic_answered(t, stage, 4, body, 24, STATUS_OK));
	EXPECT(sample_count == 1, "600 s is too old");
	time_body(body, DAY_2026, 4400 * SECOND - 1, 1);
	TRY(ic_answered(t, stage, 4, body, 24, STATUS_OK));
	time_body(body, 1ull << 62, 1, 1);
	TRY(ic_answered(t, stage, 4, body, 24, STATUS_OK));
	EXPECT(sample_count == 1, "a stale message is used");
	return CONFORM_PASS;
}

static enum conform_verdict time_flags(struct conform_target *t)
{
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	for (unsigned value = 0; value < 256; value++) {
		const unsigned before = sample_count;
		time_body(body, DAY_2026, 4990 * SECOND, (uint8_t)value);
		TRY(ic_answered(t, stage, 4, body, 24, STATUS_OK));
		EXPECT(sample_count - before == ((value & 3) != 0), "flags 0x%x: used %u times",
			value, sample_count - before);
		EXPECT(!(value & 3) || last_sample.is_sync == (value & 1), "flags 0x%x: wrong kind",
			value);
	}
	return CONFORM_PASS;
}

static enum conform_verdict time_short_bodies(struct conform_target *t)
{
	struct ic_stage *stage = timesync_stage(t, 4);
	uint8_t body[24];

	TRY(stage != NULL);
	time_body(body, DAY_2026, 4990 * SECOND, 1);
	for (uint16_t bytes = 0; bytes < 22; bytes++) {
		const uint32_t length = ic_request(stage, 4, bytes);
		memcpy(stage->message + IC_AT_BODY, body, bytes);
		(void)ic_say(scripted_host_of(t), stage, length);
	}
	EXPECT(sample_count == 0, "a body of less than 22 bytes is used");
	TRY(ic_answered(t, stage, 4, body, 22, STATUS_OK));
	EXPECT(sample_count == 1, "22 bytes will not do");
	return CONFORM_PASS;
}

/* 1.0 and 3.0: flags at 24, and no reference time. */
static enum conform_verdict time_of_old(struct conform_target *t)
{
	struct ic_stage *stage = timesync_stage(t, 3);
	uint8_t body[28] = {0};

	TRY(stage != NULL);
	put64(body, DAY_2026);
	put64(body + 8, 4000 * SECOND); /* nobody's time */
	body[16] = 1;
	TRY(ic_answered(t, stage, 4, body, 25, STATUS_OK));
	EXPECT(sample_count == 0, "flags are looked for at 16");
	body[24] = 1;
	for (uint16_t bytes = 22; bytes < 25; bytes++) {
		const uint32_t length = ic_request(stage, 4, bytes);
		memcpy(stage->message + IC_AT_BODY, body, bytes);
		EXPECT(ic_say(scripted_host_of(t), stage, length) == 0 ||
				ic_status(stage) >= 0x80000000,
			"%u bytes are taken", bytes);
	}
	EXPECT(sample_count == 0, "a body of less than 25 bytes is used");
	TRY(ic_answered(t, stage, 4, body, 25, STATUS_OK));
	EXPECT(sample_count == 1 && last_sample.utc_100ns == DAY_2026 && last_sample.is_sync,
		"25 bytes are not used as they stand");
	return CONFORM_PASS;
}

/* ---- backup --------------------------------------------------------------------------------- */

static struct vss_ic vss_guest;
static unsigned vss_begun[VSS_OPERATION_COUNT], vss_forgotten;
static bool is_vss_slow;

static uint32_t vss_begin(void *ctx, uint8_t operation)
{
	(void)ctx;
	vss_begun[operation]++;
	return is_vss_slow ? IC_GUEST_LATER : STATUS_OK;
}

static void vss_forget(void *ctx)
{
	(void)ctx;
	vss_forgotten++;
}

static struct ic_stage *vss_stage_of(struct conform_target *t, uint16_t version)
{
	static const struct vss_ic_ops ops = {.begin = vss_begin, .forget = vss_forget};

	vss_ic_init(&vss_guest, &ops, NULL);
	return ic_stage_agreed(t, &vss_guest.ic, &guid_vss, 3, version, 0);
}

static struct ic_stage *vss_stage(struct conform_target *t)
{
	return vss_stage_of(t, 5);
}

static enum conform_verdict vss_luns(struct conform_target *t)
{
	static const struct {
		uint16_t bytes;
		uint32_t count, status;
	} rows[] = {{12, 0, STATUS_OK}, {20, 0, STATUS_OK}, {6260, 260, STATUS_OK},
		{44, 1, STATUS_OK}, {20, 1, STATUS_FAIL}, {44, 2, STATUS_FAIL},
		{6260, 261, STATUS_FAIL}, {6260, 0x0aaaaaab, STATUS_FAIL},
		{6260, 0x7fffffff, STATUS_FAIL}, {6260, 0xffffffff, STATUS_FAIL}};
	static uint8_t body[6260];
	struct ic_stage *stage = vss_stage(t);
	unsigned frozen = 0;

	TRY(stage != NULL);
	body[0] = VSS_FREEZE;
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		put32(body + 16, rows[i].count);
		TRY(ic_answered(t, stage, 5, body, rows[i].bytes, rows[i].status));
		frozen += rows[i].status == STATUS_OK;
		EXPECT(vss_begun[VSS_FREEZE] == frozen, "case %u: frozen %u times", i,
			vss_begun[VSS_FREEZE]);
	}
	return CONFORM_PASS;
}

static enum conform_verdict vss_operations(struct conform_target *t)
{
	static uint8_t body[6260];
	struct ic_stage *stage = vss_stage(t);

	TRY(stage != NULL);
	for (unsigned operation = VSS_OPERATION_COUNT; operation < 256; operation++) {
		body[0] = (uint8_t)operation;
		TRY(ic_answered(t, stage, 5, body, 6260, STATUS_FAIL));
	}
	body[0] = VSS_HOT_BACKUP;
	memset(body + 12, 0x3c, 4000);
	TRY(ic_answered(t, stage, 5, body, 6260, STATUS_OK));
	EXPECT(get32(stage->answer + IC_AT_BODY + 8) == 5, "the check says 0x%x",
		get32(stage->answer + IC_AT_BODY + 8));
	EXPECT(memcmp(stage->answer + IC_AT_BODY + 12, body + 12, 6000) == 0,
		"the rest of the body has changed");
	return CONFORM_PASS;
}

static enum conform_verdict vss_short(struct conform_target *t)
{
	static uint8_t body[16];
	struct ic_stage *stage = vss_stage(t);
	struct scripted_host *h = scripted_host_of(t);

	TRY(stage != NULL);
	for (uint16_t bytes = 0; bytes < 8; bytes++)
		EXPECT(ic_say(h, stage, ic_request(stage, 5, bytes)) == 0, "%u bytes are answered",
			bytes);
	for (uint16_t bytes = 8; bytes < 12; bytes++) {
		body[0] = VSS_HOT_BACKUP;
		TRY(ic_answered(t, stage, 5, body, bytes, STATUS_FAIL));
	}
	EXPECT(vss_begun[VSS_HOT_BACKUP] == 0, "it acts");
	return CONFORM_PASS;
}

static enum conform_verdict vss_versions(struct conform_target *t)
{
	static const uint32_t framework[] = {0x30000};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = vss_stage_of(t, 4);
	static uint8_t body[6260];

	TRY(stage != NULL);
	for (uint32_t version = 4; version <= 7; version++) {
		const uint32_t message[] = {version << 16};
		EXPECT(ic_say(h, stage, ic_negotiation(stage, framework, 1, message, 1)) == 1,
			"version %u.0 is not answered", version);
		body[0] = VSS_FREEZE;
		TRY(ic_answered(t, stage, 5, body, sizeof body, STATUS_OK));
		body[0] = VSS_THAW;
		TRY(ic_answered(t, stage, 5, body, 12, STATUS_OK));
		EXPECT(vss_begun[VSS_FREEZE] == version - 3 && vss_begun[VSS_THAW] == version - 3,
			"at %u.0 it does not act", version);
	}
	return CONFORM_PASS;
}

/* Frozen for long: no answer comes. */
static bool vss_freezing(struct conform_target *t, struct ic_stage *stage)
{
	if (stage == NULL)
		return false;
	is_vss_slow = true;
	const uint32_t length = ic_request(stage, 5, 12);
	stage->message[IC_AT_BODY] = VSS_FREEZE;
	return (ic_say(scripted_host_of(t), stage, length) == 0 && vss_begun[VSS_FREEZE] == 1) ||
	       conform_no(t, "it answers before it has frozen");
}

/* What the host says meanwhile. */
static enum conform_verdict vss_meanwhile(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = vss_stage(t);

	TRY(vss_freezing(t, stage));
	const unsigned before = stage->answers;
	for (unsigned i = 0; i < 50; i++) {
		const uint32_t length = ic_request(stage, 5, 12);
		stage->message[IC_AT_BODY] = VSS_THAW;
		stage->message[IC_AT_TRANSACTION] = (uint8_t)i;
		EXPECT(ic_say(h, stage, length) == 0, "thaw is answered while freezing");
	}
	EXPECT(vss_begun[VSS_THAW] == 0, "thaw is begun while freezing");
	is_vss_slow = false;
	vss_ic_finish(&vss_guest, true);
	guest_serve(h);
	host_serve(h, 1);
	EXPECT(vss_begun[VSS_THAW] == 1, "of 50 thaws %u are done", vss_begun[VSS_THAW]);
	EXPECT(stage->answers == before + 2, "%u answers", stage->answers - before);
	EXPECT(stage->answer[IC_AT_TRANSACTION] == 49 && stage->id == 0x1000 + stage->sent - 1,
		"thaw %u is answered, as packet 0x%llx", stage->answer[IC_AT_TRANSACTION],
		(unsigned long long)stage->id);
	return CONFORM_PASS;
}

static enum conform_verdict vss_later(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = vss_stage(t);

	TRY(vss_freezing(t, stage));
	/* what is not the component's is answered all the same */
	EXPECT(ic_say(h, stage, ic_request(stage, 9, 12)) == 1 && ic_status(stage) == STATUS_FAIL,
		"another type is not answered meanwhile");
	vss_ic_finish(&vss_guest, false);
	host_serve(h, 1);
	EXPECT(ic_status(stage) == STATUS_FAIL && stage->answer[IC_AT_FLAGS] == 5,
		"a freeze that failed ends with status 0x%x", ic_status(stage));
	EXPECT(stage->id == 0x1000 + stage->sent - 2 && stage->answer[IC_AT_BODY] == VSS_FREEZE,
		"the answer is that of another request");
	const unsigned before = stage->answers;
	vss_ic_finish(&vss_guest, true);
	host_serve(h, 1);
	EXPECT(stage->answers == before, "it is answered twice");
	return CONFORM_PASS;
}

/* What was due, and what waited for it, is void; what comes afterwards is not. */
static enum conform_verdict vss_void(struct conform_target *t)
{
	static const uint32_t fw[] = {0x30000}, ms[] = {0x50000};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = vss_stage(t);

	TRY(vss_freezing(t, stage));
	uint32_t length = ic_request(stage, 5, 12);
	stage->message[IC_AT_BODY] = VSS_THAW;
	EXPECT(ic_say(h, stage, length) == 0, "thaw is answered while freezing");
	EXPECT(ic_say(h, stage, ic_negotiation(stage, fw, 1, ms, 1)) == 1,
		"negotiation is not answered meanwhile");
	EXPECT(vss_forgotten == 1, "who freezes is not told");
	const unsigned before = stage->answers;
	vss_ic_finish(&vss_guest, true);
	guest_serve(h);
	host_serve(h, 1);
	EXPECT(stage->answers == before, "the answer of before comes after all");
	length = ic_request(stage, 5, 12);
	stage->message[IC_AT_BODY] = VSS_FREEZE;
	EXPECT(ic_say(h, stage, length) == 0, "it answers before it has frozen again");
	vss_ic_finish(&vss_guest, true);
	guest_serve(h);
	host_serve(h, 1);
	EXPECT(stage->answers == before + 1 && vss_begun[VSS_THAW] == 0,
		"the thaw of before is done after all");
	return CONFORM_PASS;
}

/* A thaw waits for the freeze, and the channel ends. */
static enum conform_verdict vss_channel_ends(struct conform_target *t)
{
	static const uint32_t fw[] = {0x30000}, ms[] = {0x50000};
	struct scripted_host *h = scripted_host_of(t);
	struct ic_stage *stage = vss_stage(t);

	TRY(vss_freezing(t, stage));
	const uint32_t length = ic_request(stage, 5, 12);
	stage->message[IC_AT_BODY] = VSS_THAW;
	EXPECT(ic_say(h, stage, length) == 0, "thaw is answered while freezing");
	EXPECT(ic_channel_close(&stage->channel, guest_deadline(h)) == 0, "closing fails");
	EXPECT(vss_forgotten == 1, "who freezes is not told");
	EXPECT(ic_channel_open(
		       &stage->channel, h->bus, &vss_guest.ic, &guid_vss, guest_deadline(h)) == 0,
		"it does not open again");
	is_vss_slow = false;
	EXPECT(ic_say(h, stage, ic_negotiation(stage, fw, 1, ms, 1)) == 1, "no agreement");
	const unsigned before = stage->answers;
	vss_ic_finish(&vss_guest, true);
	guest_serve(h);
	host_serve(h, 1);
	EXPECT(stage->answers == before && vss_begun[VSS_THAW] == 0,
		"what was asked on the old channel is answered on the new one");
	return CONFORM_PASS;
}

#define ROW(rule, name, test)                                                                      \
	{                                                                                          \
		rule, name, test, 0, 0, 0                                                          \
	}

const struct conform_test guest_services_tests[] = {
	ROW("R-SHUT-005", "the flags decide, whatever the version", shutdown_flags_alone),
	ROW("R-SHUT-002", "neither reason nor time is a reason to refuse", shutdown_flags_alone),
	ROW("R-IC-016", "flags without an action are answered by a failure", shutdown_no_action),
	ROW("R-IC-018", "what it cannot do it refuses", shutdown_cannot),
	ROW("R-IC-020", "short bodies are dropped, of longer ones the begin counts",
		shutdown_bodies),
	ROW("R-IC-017", "it answers before it acts", shutdown_answer_first),
	ROW("R-IC-021", "the text may have any bytes and no end", shutdown_text),
	ROW("R-SHUT-007", "the body comes back as it was", shutdown_text),
	ROW("R-SHUT-008", "a further request takes the place of the one before",
		shutdown_last_counts),
	ROW("R-IC-025", "the time is brought to now by the reference time", time_is_brought_to_now),
	ROW("R-IC-026", "a reference time of 0 or in the future is not used", time_as_it_stands),
	ROW("R-TIME-113", "sums and differences of times do not wrap", time_as_it_stands),
	ROW("R-TIME-110", "a time of day that is none is refused", time_is_none),
	ROW("R-TIME-111", "a message more than 600 s old is not used", time_is_stale),
	ROW("R-TIME-103", "SYNC prevails, other bits are ignored", time_flags),
	ROW("R-TIME-112", "a probe is answered, and no more", time_flags),
	ROW("R-TIME-102", "a body with less than it needs is not used", time_short_bodies),
	ROW("R-TIME-102", "at 3.0 it needs 25 bytes, and no reference time", time_of_old),
	ROW("R-VSS-009", "a count of LUNs that the body has no room for is refused", vss_luns),
	ROW("R-VSS-013", "a freeze without LUNs is taken", vss_luns),
	ROW("R-VSS-005", "bodies of 6260 bytes are taken", vss_luns),
	ROW("R-VSS-001", "the check is answered with flags 5", vss_operations),
	ROW("R-VSS-014", "the rest of the body comes back as it was", vss_operations),
	ROW("R-VSS-012", "short bodies are dropped, or answered by a failure", vss_short),
	ROW("R-VSS-011", "the operation decides, at each version", vss_versions),
	ROW("R-VSS-002", "freeze is answered when it is done", vss_meanwhile),
	ROW("R-IC-041", "of what comes meanwhile the last is done, after it", vss_meanwhile),
	ROW("R-IC-034", "an answer that comes later is that of its request, once", vss_later),
	ROW("R-IC-042", "a negotiation makes the answer void", vss_void),
	ROW("R-IC-042", "the end of the channel makes it void, and what waits", vss_channel_ends),
};
const size_t guest_services_test_count = sizeof guest_services_tests /
					 sizeof guest_services_tests[0];
