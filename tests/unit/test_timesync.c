// SPDX-License-Identifier: Apache-2.0
/*
 * Time synchronisation: the host's machine against real guests' packets and hostile guests,
 * the guest's machine against the recorded host and hostile ones, and both wired to each
 * other at each pair of versions.
 */
#include "guest/ic_daemons/timesync_ic.h"
#include "host/vsp/timesync_vsp.h"
#include "tests/harness.h"
#include "tests/unit/ic_golden.h"
#include "tests/unit/ic_session_rig.h"

#include <errno.h>

/* 2025-01-01 00:00 UTC, and reference time a minute: the figures of the notes. */
#define NEW_YEAR 133801632000000000ull
#define MINUTE	 600000000ull
#define PERIOD	 (5 * RIG_SECOND)

struct fixture {
	struct session_rig rig;
	struct timesync_vsp vsp;
	/* The host's clocks run with rig.now; this is what was added by setting them. */
	uint64_t utc_at_0, reference_at_0;
	uint8_t leap;
	unsigned dones;
	enum timesync_result result;
	uint32_t status;
	/* The guest. */
	struct timesync_ic guest;
	uint64_t guest_reference_lag; /* its reference time is so much behind the host's */
	unsigned handed;
	struct timesync_sample sample;
};

static uint64_t reference_of(const struct fixture *f)
{
	return f->reference_at_0 + f->rig.now / 100;
}

static void on_read(void *ctx, struct timesync_reading *out)
{
	const struct fixture *f = ctx;
	*out = (struct timesync_reading){
		.utc_100ns = f->utc_at_0 + f->rig.now / 100,
		.reference_100ns = reference_of(f),
		.leap = f->leap,
	};
}

static void on_done(void *ctx, enum timesync_result result, uint32_t status)
{
	struct fixture *f = ctx;
	f->dones++;
	f->result = result;
	f->status = status;
}

static const struct timesync_vsp_ops ops = {
	.session = {.send = rig_send, .failed = rig_failed},
	.read = on_read,
	.done = on_done,
};

static uint64_t guest_reference(void *ctx)
{
	const struct fixture *f = ctx;
	return reference_of(f) - f->guest_reference_lag;
}

static void guest_sample(void *ctx, const struct timesync_sample *sample)
{
	struct fixture *f = ctx;
	f->handed++;
	f->sample = *sample;
}

static const struct timesync_ic_ops guest_ops = {
	.reference_100ns = guest_reference,
	.sample = guest_sample,
};

static void prepare(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->utc_at_0 = NEW_YEAR;
	f->reference_at_0 = MINUTE;
	f->rig.session = &f->vsp.session;
	timesync_vsp_init(&f->vsp, NULL, &ops, f);
	timesync_ic_init(&f->guest, &guest_ops, f);
}

static void open_host(struct fixture *f)
{
	prepare(f);
	ic_session_on_open(&f->vsp.session, f->rig.now);
}

static bool answer(struct fixture *f)
{
	return rig_guest_answers(&f->rig, &f->guest.ic);
}

/* Agreed on 4.0, and the first message, which is a SYNC, is on its way. */
static void agreed(struct fixture *f)
{
	open_host(f);
	CU_ASSERT_TRUE(answer(f));
	CU_ASSERT_EQUAL_FATAL(f->vsp.session.ic.state, IC_HOST_READY);
}

static uint8_t sent_flags(const struct fixture *f)
{
	bool is_v4 = f->vsp.session.ic.agreement.message.major >= 4;
	return f->rig.sent[AT_BODY + (is_v4 ? 16 : 24)];
}

/* --- with recorded packets, and those of the notes ----------------------------------------- */

static const uint8_t sync_of_the_notes[52] = {
	0x01, 0, 0, 0, 0x2C, 0, 0, 0,			/* pipe: data, 44 bytes */
	0x03, 0, 0, 0, 0x04, 0, 0x04, 0, 0, 0,		/* framework 3.0, time sync, 4.0 */
	0x18, 0, 0, 0, 0, 0,				/* body 24, status */
	0x00, 0x03, 0, 0,				/* transaction id, flags, reserved */
	0x00, 0x40, 0xBA, 0x19, 0xE0, 0x5B, 0xDB, 0x01, /* parent: 2025-01-01 00:00 UTC */
	0x00, 0x46, 0xC3, 0x23, 0x00, 0x00, 0x00, 0x00, /* reference time: 60 s */
	0x01, 0, 0, 0, 0, 0, 0, 0,			/* SYNC; leap, stratum, reserved */
};

/* R-IC-022, R-IC-023, R-IC-024. */
static void host_begins_with_the_sync_of_the_notes(void)
{
	struct fixture f;
	uint8_t want[sizeof sync_of_the_notes];
	agreed(&f);
	memcpy(want, sync_of_the_notes, sizeof want);
	want[AT_TRANSACTION] = 1; /* the second message on the channel */
	CU_ASSERT_EQUAL(f.rig.sends, 2);
	CU_ASSERT_EQUAL_FATAL(f.rig.sent_len, sizeof want);
	CU_ASSERT_EQUAL(memcmp(f.rig.sent, want, sizeof want), 0);
}

static void host_accepts_the_recorded_guest(void)
{
	FILE *file = golden_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	static struct golden_packet packet;
	struct fixture f;
	open_host(&f);
	unsigned seen = 0;
	while (golden_read(file, &packet)) {
		if (strcmp(packet.device, "timesync") != 0 || strcmp(packet.direction, "g2h") != 0)
			continue;
		seen++;
		rig_give(&f.rig, packet.bytes, packet.len);
		if (seen > 1) {
			CU_ASSERT_EQUAL(f.vsp.taken, seen - 1);
			rig_tick(&f.rig);
		}
	}
	fclose(file);
	CU_ASSERT_EQUAL(seen, 3);
	CU_ASSERT_EQUAL(ic_host_rejections(&f.vsp.session.ic), 0);
}

static void guest_answers_the_recorded_host_as_linux_does(void)
{
	FILE *file = golden_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	static struct golden_packet request;
	static struct golden_packet want;
	struct fixture f;
	prepare(&f);
	unsigned seen = 0;
	while (golden_read(file, &request) && golden_read(file, &want)) {
		uint8_t reply[256] = {0};
		size_t len = 0;
		if (strcmp(request.device, "timesync") != 0)
			continue;
		f.reference_at_0 = get64(request.bytes + AT_BODY + 8) + 30;
		CU_ASSERT_EQUAL(ic_guest_on_packet(&f.guest.ic, request.bytes, request.len, reply,
					sizeof reply, &len),
			IC_OK);
		CU_ASSERT_EQUAL(memcmp(reply, want.bytes, want.len), 0);
		if (seen++ == 0)
			continue;
		CU_ASSERT_EQUAL(f.handed, seen - 1);
		CU_ASSERT_EQUAL(f.sample.is_sync, strcmp(request.kind, "sync") == 0);
		CU_ASSERT_TRUE(f.sample.is_exact);
		CU_ASSERT_EQUAL(f.sample.utc_100ns, get64(request.bytes + AT_BODY) + 30);
	}
	fclose(file);
	CU_ASSERT_EQUAL(seen, 3);
	CU_ASSERT_EQUAL(f.guest.syncs, 1);
	CU_ASSERT_EQUAL(f.guest.samples, 1);
}

/* --- versions ------------------------------------------------------------------------------ */

static const struct ic_version_wire frameworks[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire messages[] = {{1, 0}, {3, 0}, {4, 0}};

static void run_pair(unsigned host_fw, unsigned guest_fw, unsigned host_msg, unsigned guest_msg)
{
	struct fixture f;
	const struct ic_component component = component_of(IC_TYPE_TIMESYNC,
		(struct ic_version_list){frameworks, (uint16_t)(host_fw + 1)},
		(struct ic_version_list){messages, (uint16_t)(host_msg + 1)});
	const struct ic_guest_service service = service_of(&timesync_ic_service,
		(struct ic_version_list){frameworks, (uint16_t)(guest_fw + 1)},
		(struct ic_version_list){messages, (uint16_t)(guest_msg + 1)});
	const unsigned message = host_msg < guest_msg ? host_msg : guest_msg;
	prepare(&f);
	f.vsp.session.ic.component = &component;
	f.guest.ic.service = &service;
	ic_session_on_open(&f.vsp.session, f.rig.now);
	CU_ASSERT_TRUE(answer(&f));
	CU_ASSERT_EQUAL(
		ic_version_compare(f.vsp.session.ic.agreement.message, messages[message]), 0);
	/* R-TIME-101: 28 bytes without reference time, 24 with it. */
	CU_ASSERT_EQUAL(f.rig.sent_len, message == 2 ? 52 : 56);
	CU_ASSERT_EQUAL(get64(f.rig.sent + AT_BODY), NEW_YEAR);
	CU_ASSERT_EQUAL(get64(f.rig.sent + AT_BODY + 8), message == 2 ? MINUTE : 0);
	CU_ASSERT_EQUAL(sent_flags(&f), 1);
	/* It takes 20 ms to arrive: what the reference time is for. */
	f.rig.now += 20000000;
	CU_ASSERT_TRUE(answer(&f));
	CU_ASSERT_EQUAL(f.handed, 1);
	CU_ASSERT_TRUE(f.sample.is_sync);
	CU_ASSERT_EQUAL(f.sample.is_exact, message == 2);
	CU_ASSERT_EQUAL(f.sample.utc_100ns, NEW_YEAR + (message == 2 ? 200000 : 0));
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(sent_flags(&f), 2);
	CU_ASSERT_TRUE(answer(&f));
	CU_ASSERT_FALSE(f.sample.is_sync);
	CU_ASSERT_EQUAL(ic_host_rejections(&f.vsp.session.ic), 0);
	CU_ASSERT_EQUAL(ic_guest_rejections(&f.guest.ic), 0);
}

static void every_pair_of_versions_agrees_and_tells_the_time(void)
{
	for (unsigned fw = 0; fw < 4; fw++)
		for (unsigned host = 0; host < 3; host++)
			for (unsigned guest = 0; guest < 3; guest++)
				run_pair(fw & 1, fw >> 1, host, guest);
}

/* --- host ---------------------------------------------------------------------------------- */

/* R-TIME-105. */
static void host_sends_a_sample_each_period(void)
{
	struct fixture f;
	agreed(&f);
	answer(&f);
	for (unsigned i = 1; i <= 100; i++) {
		const uint64_t deadline = ic_session_deadline_ns(&f.vsp.session);
		CU_ASSERT_EQUAL(deadline, i * PERIOD);
		(void)ic_session_on_time(&f.vsp.session, deadline - 1);
		CU_ASSERT_EQUAL(f.vsp.samples, i - 1);
		rig_tick(&f.rig);
		CU_ASSERT_EQUAL(sent_flags(&f), 2);
		f.rig.now += 300000000;
		CU_ASSERT_TRUE(answer(&f));
		CU_ASSERT_EQUAL(f.sample.utc_100ns, NEW_YEAR + f.rig.now / 100);
	}
	CU_ASSERT_EQUAL(f.vsp.syncs, 1);
	CU_ASSERT_EQUAL(f.vsp.samples, 100);
	CU_ASSERT_EQUAL(f.vsp.taken, 101);
	CU_ASSERT_EQUAL(f.vsp.steps, 0);
	CU_ASSERT_EQUAL(f.vsp.pauses, 0);
}

/* R-TIME-107: its own clock, forwards and back, and by less than it looks for. */
static void host_sends_sync_after_its_clock_was_set(void)
{
	static const struct {
		int64_t by_100ns;
		uint8_t flags;
	} cases[] = {{36000000000, 1}, {-36000000000, 1}, {1000001, 1}, {-1000001, 1}, {1000000, 2},
		{-1000000, 2}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		agreed(&f);
		answer(&f);
		rig_tick(&f.rig);
		answer(&f);
		f.utc_at_0 += (uint64_t)cases[i].by_100ns;
		rig_tick(&f.rig);
		CU_ASSERT_EQUAL(sent_flags(&f), cases[i].flags);
		CU_ASSERT_EQUAL(f.vsp.steps, cases[i].flags == 1);
		answer(&f);
		CU_ASSERT_EQUAL(f.sample.utc_100ns, f.utc_at_0 + f.rig.now / 100);
		rig_tick(&f.rig);
		CU_ASSERT_EQUAL(sent_flags(&f), 2);
	}
}

/* R-TIME-107: a worker that was stopped. */
static void host_sends_sync_after_it_was_paused(void)
{
	static const struct {
		uint64_t late_ns;
		uint8_t flags;
	} cases[] = {
		{TIMESYNC_VSP_LATE_NS, 2}, {TIMESYNC_VSP_LATE_NS + 1, 1}, {3600 * RIG_SECOND, 1}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		agreed(&f);
		answer(&f);
		const unsigned sends = f.rig.sends;
		f.rig.now = ic_session_deadline_ns(&f.vsp.session) + cases[i].late_ns;
		(void)ic_session_on_time(&f.vsp.session, f.rig.now);
		CU_ASSERT_EQUAL(f.rig.sends, sends + 1); /* one, not one for each period */
		CU_ASSERT_EQUAL(sent_flags(&f), cases[i].flags);
		CU_ASSERT_EQUAL(f.vsp.pauses, cases[i].flags == 1);
		CU_ASSERT_TRUE(ic_session_deadline_ns(&f.vsp.session) > f.rig.now);
	}
}

/* R-TIME-108: a SYNC that was not taken is sent again. */
static void host_repeats_a_sync_that_was_not_taken(void)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	static const uint32_t fail = IC_STATUS_FAIL;
	struct fixture f;
	agreed(&f);
	rig_tick(&f.rig); /* given up; it was due in the same moment */
	CU_ASSERT_EQUAL(sent_flags(&f), 1);
	size_t len = rig_guest_reply(&f.rig, &f.guest.ic, reply);
	memcpy(reply + AT_STATUS, &fail, sizeof fail);
	rig_give(&f.rig, reply, len);
	CU_ASSERT_EQUAL(f.vsp.refused, 1);
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(sent_flags(&f), 1);
	answer(&f);
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(sent_flags(&f), 2);
	CU_ASSERT_EQUAL(f.dones, 0);
}

/* R-IC-009, R-TIME-106: the period passes over an outstanding message. */
static void host_sends_nothing_while_an_answer_is_awaited(void)
{
	struct timesync_vsp_config config = {.period_ns = RIG_SECOND};
	struct fixture f;
	prepare(&f);
	timesync_vsp_init(&f.vsp, &config, &ops, &f);
	ic_session_on_open(&f.vsp.session, f.rig.now);
	answer(&f);
	const unsigned sends = f.rig.sends;
	for (unsigned i = 0; i < 4; i++)
		rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.rig.now, 4 * RIG_SECOND);
	CU_ASSERT_EQUAL(f.rig.sends, sends);
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.rig.sends, sends + 1);
	CU_ASSERT_EQUAL(f.vsp.session.ic.abandoned, 1);
}

/* R-TIME-106. */
static void host_leaves_a_bounded_number_of_messages_to_a_stopped_guest(void)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	struct fixture f;
	agreed(&f);
	const unsigned sends = f.rig.sends;
	for (unsigned i = 0; i < 1000; i++)
		rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.rig.sends, sends - 1 + IC_SESSION_UNANSWERED_MAX);
	size_t len = rig_guest_reply(&f.rig, &f.guest.ic, reply);
	rig_give(&f.rig, reply, len);
	CU_ASSERT_EQUAL(f.vsp.taken, 0);
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(sent_flags(&f), 1);
	answer(&f);
	CU_ASSERT_EQUAL(f.vsp.taken, 1);
}

/* On demand, each kind, at once and behind a message that is outstanding. */
static void host_tells_the_time_on_demand(void)
{
	for (unsigned is_sync = 0; is_sync < 2; is_sync++) {
		struct fixture f;
		prepare(&f);
		CU_ASSERT_EQUAL(timesync_vsp_request(&f.vsp, true, 0), -ENOTCONN);
		agreed(&f);
		CU_ASSERT_EQUAL(timesync_vsp_request(&f.vsp, is_sync != 0, f.rig.now), 0);
		CU_ASSERT_EQUAL(timesync_vsp_request(&f.vsp, is_sync != 0, f.rig.now), -EBUSY);
		CU_ASSERT_EQUAL(f.rig.sends, 2);
		answer(&f); /* to the first message: not what was asked for */
		CU_ASSERT_EQUAL(f.dones, 0);
		CU_ASSERT_EQUAL(f.rig.sends, 3);
		CU_ASSERT_EQUAL(sent_flags(&f), is_sync ? 1 : 2);
		answer(&f);
		CU_ASSERT_EQUAL(f.dones, 1);
		CU_ASSERT_EQUAL(f.result, TIMESYNC_TAKEN);
		CU_ASSERT_EQUAL(timesync_vsp_request(&f.vsp, is_sync != 0, f.rig.now), 0);
		CU_ASSERT_EQUAL(sent_flags(&f), is_sync ? 1 : 2);
		answer(&f);
		CU_ASSERT_EQUAL(f.dones, 2);
		rig_tick(&f.rig);
		CU_ASSERT_EQUAL(sent_flags(&f), 2);
		CU_ASSERT_EQUAL(f.dones, 2);
	}
}

static void host_says_how_a_demand_ended(void)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	static const uint32_t status = IC_STATUS_MACHINE_LOCKED;
	struct fixture f;
	agreed(&f);
	answer(&f);
	CU_ASSERT_EQUAL(timesync_vsp_request(&f.vsp, true, f.rig.now), 0);
	size_t len = rig_guest_reply(&f.rig, &f.guest.ic, reply);
	memcpy(reply + AT_STATUS, &status, sizeof status);
	rig_give(&f.rig, reply, len);
	CU_ASSERT_EQUAL(f.result, TIMESYNC_REFUSED);
	CU_ASSERT_EQUAL(f.status, status);
	CU_ASSERT_EQUAL(timesync_vsp_request(&f.vsp, true, f.rig.now), 0);
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.dones, 2);
	CU_ASSERT_EQUAL(f.result, TIMESYNC_NO_ANSWER);
	answer(&f);
	f.rig.send_result = -EAGAIN;
	CU_ASSERT_EQUAL(timesync_vsp_request(&f.vsp, true, f.rig.now), -EAGAIN);
	f.rig.send_result = 0;
	CU_ASSERT_EQUAL(f.dones, 2);
	CU_ASSERT_EQUAL(timesync_vsp_request(&f.vsp, false, f.rig.now), 0);
	ic_session_on_close(&f.vsp.session, f.rig.now);
	CU_ASSERT_EQUAL(f.dones, 3);
	CU_ASSERT_EQUAL(f.result, TIMESYNC_CLOSED);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session), IC_SESSION_NEVER);
	CU_ASSERT_STRING_EQUAL(timesync_result_name(f.result), "channel closed");
}

/* A demand that waits behind a message that is given up, and then finds no space. */
static void host_ends_a_demand_that_cannot_be_sent_after_all(void)
{
	struct fixture f;
	agreed(&f);
	CU_ASSERT_EQUAL(timesync_vsp_request(&f.vsp, true, f.rig.now), 0);
	f.rig.send_result = -EAGAIN;
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.result, TIMESYNC_NO_ANSWER);
}

/* R-TIME-109. */
static void host_passes_on_what_it_knows_of_leap_seconds(void)
{
	struct fixture f;
	agreed(&f);
	answer(&f);
	f.leap = TIMESYNC_LEAP_INSERT;
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.rig.sent[AT_BODY + 17], 1);
	CU_ASSERT_EQUAL(f.rig.sent[AT_BODY + 18], 0);
	answer(&f);
	CU_ASSERT_EQUAL(f.sample.leap, TIMESYNC_LEAP_INSERT);
}

static void host_ends_a_flood(void)
{
	struct fixture f;
	const uint8_t junk[28] = {1};
	agreed(&f);
	for (unsigned i = 0; i < 1000; i++)
		rig_give(&f.rig, junk, sizeof junk);
	CU_ASSERT_TRUE(is_text(f.rig.failure, "too many rejected messages"));
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session), IC_SESSION_NEVER);
	CU_ASSERT_EQUAL(timesync_vsp_request(&f.vsp, true, f.rig.now), -ENOTCONN);
	ic_session_on_close(&f.vsp.session, f.rig.now);
	f.rig.failure = NULL;
	ic_session_on_open(&f.vsp.session, f.rig.now);
	ic_guest_reset(&f.guest.ic);
	answer(&f);
	CU_ASSERT_EQUAL(sent_flags(&f), 1);
	answer(&f);
	CU_ASSERT_EQUAL(f.vsp.taken, 1);
}

static void host_survives_the_end_of_time(void)
{
	struct fixture f;
	prepare(&f);
	f.rig.now = UINT64_MAX - 10;
	ic_session_on_open(&f.vsp.session, f.rig.now);
	answer(&f);
	CU_ASSERT_TRUE(ic_session_deadline_ns(&f.vsp.session) < IC_SESSION_NEVER);
	(void)ic_session_on_time(&f.vsp.session, UINT64_MAX);
	CU_ASSERT_TRUE(f.rig.sends >= 2);
}

/* --- guest --------------------------------------------------------------------------------- */

/* A guest of message version 4.0 (or 3.0) that has agreed; its reference time is a minute. */
static void guest_start(struct fixture *f, unsigned message)
{
	static uint8_t reply[IC_NEGOTIATE_MAX_BYTES];
	prepare(f);
	uint8_t lists[52] = {0x01, 0, 0, 0, 0x2C, 0, 0,
		0, [AT_BODY_BYTES] = 0x18, [AT_FLAGS] = 3, [AT_BODY] = 2, 0, 2, 0, 0, 0, 0, 0, 1, 0,
		0, 0, 3, 0, 0, 0, 1, 0, 0, 0};
	lists[AT_VERSIONS + 12] = (uint8_t)message;
	size_t len = 0;
	CU_ASSERT_EQUAL(
		ic_guest_on_packet(&f->guest.ic, lists, sizeof lists, reply, sizeof reply, &len),
		IC_OK);
	CU_ASSERT_EQUAL(f->guest.ic.agreement.message.major, message);
}

/* Give the sync of the notes with one change; the status of the answer, or 1 for none. */
static uint32_t guest_give(struct fixture *f, size_t at, uint64_t value, size_t width)
{
	uint8_t bytes[sizeof sync_of_the_notes];
	uint8_t reply[sizeof bytes];
	size_t len = 0;
	memcpy(bytes, sync_of_the_notes, sizeof bytes);
	memcpy(bytes + at, &value, width);
	(void)ic_guest_on_packet(&f->guest.ic, bytes, sizeof bytes, reply, sizeof reply, &len);
	return len > 0 ? get32(reply + AT_STATUS) : 1;
}

/* R-IC-025, R-IC-026, R-TIME-113: every kind of reference time, and what becomes of the time. */
static void guest_adds_the_age_of_a_message_where_that_makes_sense(void)
{
	static const struct {
		uint64_t reference;
		bool is_handed;
		bool is_exact;
		uint64_t added;
	} cases[] = {
		{MINUTE, true, true, 0},
		{MINUTE - 1, true, true, 1},
		{MINUTE - 599999999, true, true, 599999999},
		{0, true, false, 0},
		{MINUTE + 1, true, false, 0},
		{UINT64_MAX, true, false, 0},
		{1ull << 63, true, false, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		guest_start(&f, 4);
		CU_ASSERT_EQUAL(guest_give(&f, AT_BODY + 8, cases[i].reference, 8), 0);
		CU_ASSERT_EQUAL(f.handed, cases[i].is_handed);
		CU_ASSERT_EQUAL(f.sample.is_exact, cases[i].is_exact);
		CU_ASSERT_EQUAL(f.sample.utc_100ns, NEW_YEAR + cases[i].added);
		CU_ASSERT_EQUAL(f.sample.reference_100ns, MINUTE);
	}
}

/* R-TIME-111. */
static void guest_leaves_a_stale_message_alone(void)
{
	struct fixture f;
	guest_start(&f, 4);
	f.reference_at_0 = MINUTE + 10 * MINUTE;
	CU_ASSERT_EQUAL(guest_give(&f, 0, 1, 1), 0);
	CU_ASSERT_EQUAL(f.handed, 1);
	f.reference_at_0++;
	CU_ASSERT_EQUAL(guest_give(&f, 0, 1, 1), 0);
	CU_ASSERT_EQUAL(f.handed, 1);
	CU_ASSERT_EQUAL(f.guest.stale, 1);
}

/* R-TIME-110: 1970 to 2^62, and nothing else is a time of day. */
static void guest_refuses_a_time_of_day_that_is_none(void)
{
	static const struct {
		uint64_t parent;
		uint32_t status;
	} cases[] = {{0, IC_STATUS_INVALID_ARGUMENT},
		{116444736000000000ull - 1, IC_STATUS_INVALID_ARGUMENT},
		{116444736000000000ull, IC_STATUS_SUCCESS}, {1ull << 62, IC_STATUS_SUCCESS},
		{(1ull << 62) + 1, IC_STATUS_INVALID_ARGUMENT},
		{UINT64_MAX, IC_STATUS_INVALID_ARGUMENT}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		guest_start(&f, 4);
		CU_ASSERT_EQUAL(guest_give(&f, AT_BODY, cases[i].parent, 8), cases[i].status);
		CU_ASSERT_EQUAL(f.handed, cases[i].status == IC_STATUS_SUCCESS);
	}
}

/* R-TIME-103, R-TIME-112. */
static void guest_goes_by_two_flags(void)
{
	for (unsigned flags = 0; flags < 256; flags++) {
		struct fixture f;
		guest_start(&f, 4);
		CU_ASSERT_EQUAL(guest_give(&f, AT_BODY + 16, flags, 1), 0);
		CU_ASSERT_EQUAL(f.handed, (flags & 3) != 0);
		CU_ASSERT_EQUAL(f.sample.is_sync, (flags & 1) != 0);
		CU_ASSERT_EQUAL(f.guest.probes, (flags & 3) == 0);
	}
}

static void guest_knows_four_kinds_of_leap(void)
{
	for (unsigned leap = 0; leap < 256; leap++) {
		struct fixture f;
		guest_start(&f, 4);
		CU_ASSERT_EQUAL(guest_give(&f, AT_BODY + 17, leap, 1), 0);
		CU_ASSERT_EQUAL(f.sample.leap, leap < 4 ? leap : 0);
	}
}

/* R-TIME-102: 22 bytes of 4.0, 25 of older ones; fewer than 22 are dropped, others refused. */
static void guest_needs_as_much_of_the_body_as_linux(void)
{
	for (unsigned message = 3; message <= 4; message++) {
		const unsigned need = message == 4 ? 22 : 25;
		for (uint16_t body_bytes = 0; body_bytes <= 28; body_bytes++) {
			struct fixture f;
			uint8_t bytes[56] = {0};
			uint8_t reply[sizeof bytes];
			size_t len = 0;
			guest_start(&f, message);
			memcpy(bytes, sync_of_the_notes, AT_BODY + 16);
			bytes[AT_BODY + (message == 4 ? 16 : 24)] = 2;
			put16(bytes + AT_BODY_BYTES, body_bytes);
			put16(bytes + AT_PIPE_LENGTH, (uint16_t)(20 + body_bytes));
			uint8_t *copy = malloc(28u + body_bytes);
			memcpy(copy, bytes, 28u + body_bytes);
			(void)ic_guest_on_packet(
				&f.guest.ic, copy, 28u + body_bytes, reply, sizeof reply, &len);
			free(copy);
			CU_ASSERT_EQUAL(len, body_bytes < 22 ? 0 : 28u + body_bytes);
			CU_ASSERT_EQUAL(f.handed, body_bytes >= need);
			CU_ASSERT_EQUAL(f.guest.refused, body_bytes >= 22 && body_bytes < need);
			if (f.handed > 0) {
				CU_ASSERT_EQUAL(f.sample.utc_100ns, NEW_YEAR);
				CU_ASSERT_EQUAL(f.sample.is_exact, message == 4);
			}
		}
	}
}

static void guest_does_nothing_before_agreement(void)
{
	struct fixture f;
	prepare(&f);
	CU_ASSERT_EQUAL(guest_give(&f, 0, 1, 1), IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f.handed, 0);
}

static const struct test tests[] = {
	TEST(host_begins_with_the_sync_of_the_notes),
	TEST(host_accepts_the_recorded_guest),
	TEST(guest_answers_the_recorded_host_as_linux_does),
	TEST(every_pair_of_versions_agrees_and_tells_the_time),
	TEST(host_sends_a_sample_each_period),
	TEST(host_sends_sync_after_its_clock_was_set),
	TEST(host_sends_sync_after_it_was_paused),
	TEST(host_repeats_a_sync_that_was_not_taken),
	TEST(host_sends_nothing_while_an_answer_is_awaited),
	TEST(host_leaves_a_bounded_number_of_messages_to_a_stopped_guest),
	TEST(host_tells_the_time_on_demand),
	TEST(host_says_how_a_demand_ended),
	TEST(host_ends_a_demand_that_cannot_be_sent_after_all),
	TEST(host_passes_on_what_it_knows_of_leap_seconds),
	TEST(host_ends_a_flood),
	TEST(host_survives_the_end_of_time),
	TEST(guest_adds_the_age_of_a_message_where_that_makes_sense),
	TEST(guest_leaves_a_stale_message_alone),
	TEST(guest_refuses_a_time_of_day_that_is_none),
	TEST(guest_goes_by_two_flags),
	TEST(guest_knows_four_kinds_of_leap),
	TEST(guest_needs_as_much_of_the_body_as_linux),
	TEST(guest_does_nothing_before_agreement),
};
TEST_MAIN("timesync", tests)
