// SPDX-License-Identifier: Apache-2.0
/*
 * Heartbeat: the host's machine against real guests' packets and hostile guests, the
 * guest's machine against the recorded host, and both wired to each other.
 */
#include "guest/ic_daemons/heartbeat_ic.h"
#include "host/vsp/heartbeat_vsp.h"
#include "tests/harness.h"
#include "tests/unit/ic_bytes.h"
#include "tests/unit/ic_golden.h"

#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000ull
#define PERIOD (2 * SECOND)

struct fixture {
	struct heartbeat_vsp vsp;
	uint64_t now;
	/* What the host did. */
	uint8_t sent[IC_NEGOTIATE_MAX_BYTES];
	size_t sent_len;
	unsigned sends;
	int send_result;
	unsigned changes;
	enum heartbeat_contact contact;
	uint32_t application;
	const char *failure;
};

static int fixture_send(void *ctx, const void *bytes, size_t len)
{
	struct fixture *f = ctx;
	CU_ASSERT_TRUE_FATAL(len <= sizeof f->sent);
	if (f->send_result != 0)
		return f->send_result;
	memcpy(f->sent, bytes, len);
	f->sent_len = len;
	f->sends++;
	return 0;
}

static void fixture_changed(void *ctx, enum heartbeat_contact contact, uint32_t application)
{
	struct fixture *f = ctx;
	f->changes++;
	f->contact = contact;
	f->application = application;
}

static void fixture_failed(void *ctx, const char *reason)
{
	struct fixture *f = ctx;
	CU_ASSERT_PTR_NULL(f->failure);
	f->failure = reason;
}

static const struct heartbeat_vsp_ops fixture_ops = {
	.send = fixture_send,
	.changed = fixture_changed,
	.failed = fixture_failed,
};

static void open_with(struct fixture *f, const struct heartbeat_vsp_config *config)
{
	memset(f, 0, sizeof *f);
	f->now = 100 * SECOND;
	heartbeat_vsp_init(&f->vsp, config, &fixture_ops, f);
	CU_ASSERT_EQUAL(heartbeat_vsp_deadline_ns(&f->vsp), HEARTBEAT_VSP_NEVER);
	heartbeat_vsp_on_open(&f->vsp, f->now);
}

static void give(struct fixture *f, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	memcpy(copy, bytes, len);
	heartbeat_vsp_on_packet(&f->vsp, copy, len, f->now);
	free(copy);
}

/* The guest takes what was sent and answers it, by the real guest machine. */
static void guest_answers(struct fixture *f, struct heartbeat_ic *guest)
{
	uint8_t reply[IC_NEGOTIATE_MAX_BYTES];
	size_t len = 0;
	ic_guest_on_packet(&guest->ic, f->sent, f->sent_len, reply, sizeof reply, &len);
	f->sent_len = 0;
	if (len > 0)
		give(f, reply, len);
}

static void tick(struct fixture *f)
{
	f->now = heartbeat_vsp_deadline_ns(&f->vsp);
	heartbeat_vsp_on_time(&f->vsp, f->now);
}

/* Opened, agreed on 3.0 and beating once. */
static void beating(struct fixture *f, struct heartbeat_ic *guest)
{
	open_with(f, NULL);
	heartbeat_ic_init(guest);
	guest_answers(f, guest);
	guest_answers(f, guest);
	CU_ASSERT_EQUAL_FATAL(f->contact, HEARTBEAT_OK);
}

static uint64_t sent_sequence(const struct fixture *f)
{
	uint64_t sequence;
	memcpy(&sequence, f->sent + AT_BODY, sizeof sequence);
	return sequence;
}

/* --- with recorded packets ---------------------------------------------------------------- */

static void host_accepts_the_recorded_guest(void)
{
	FILE *file = golden_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	struct golden_packet packet;
	struct fixture f;
	open_with(&f, NULL);
	unsigned beats = 0;
	while (golden_read(file, &packet)) {
		if (strcmp(packet.device, "heartbeat") != 0 || strcmp(packet.direction, "g2h") != 0)
			continue;
		if (strcmp(packet.kind, "negotiate") == 0) {
			give(&f, packet.bytes, packet.len);
			CU_ASSERT_EQUAL(f.vsp.ic.state, IC_HOST_READY);
			continue;
		}
		/* The recording host's sequences were 0, 10, 20; put ours where its were. */
		f.vsp.sequence = 10 * beats;
		give(&f, packet.bytes, packet.len);
		beats++;
		CU_ASSERT_EQUAL(f.vsp.answers, beats);
		tick(&f);
	}
	fclose(file);
	CU_ASSERT_EQUAL(beats, 3);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_OK);
	CU_ASSERT_EQUAL(ic_host_rejections(&f.vsp.ic), 0);
}

/* R-IC-027, R-HB-003, R-HB-005, R-HB-006. */
static void guest_answers_the_recorded_host_as_linux_does(void)
{
	FILE *file = golden_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	struct golden_packet request;
	struct golden_packet answer;
	struct heartbeat_ic guest;
	heartbeat_ic_init(&guest);
	unsigned seen = 0;
	while (golden_read(file, &request) && golden_read(file, &answer)) {
		if (strcmp(request.device, "heartbeat") != 0)
			continue;
		uint8_t reply[256] = {0};
		size_t len = 0;
		CU_ASSERT_EQUAL(ic_guest_on_packet(&guest.ic, request.bytes, request.len, reply,
					sizeof reply, &len),
			IC_OK);
		CU_ASSERT_TRUE(len <= answer.len && answer.len - len < 8);
		CU_ASSERT_EQUAL(memcmp(reply, answer.bytes, answer.len), 0);
		seen++;
	}
	fclose(file);
	CU_ASSERT_EQUAL(seen, 4);
	CU_ASSERT_EQUAL(guest.beats, 3);
	CU_ASSERT_EQUAL(guest.sequence, 20);
}

/* --- host --------------------------------------------------------------------------------- */

/* R-HB-001. */
static void host_negotiates_first_then_beats_at_once(void)
{
	struct fixture f;
	open_with(&f, NULL);
	CU_ASSERT_EQUAL(f.sends, 1);
	CU_ASSERT_EQUAL_FATAL(f.sent_len, sizeof heartbeat_negotiation);
	CU_ASSERT_EQUAL(memcmp(f.sent, heartbeat_negotiation, f.sent_len), 0);
	CU_ASSERT_EQUAL(f.vsp.contact, HEARTBEAT_NO_CONTACT);
	struct heartbeat_ic guest;
	heartbeat_ic_init(&guest);
	guest_answers(&f, &guest);
	CU_ASSERT_EQUAL(f.sends, 2);
	uint8_t want[sizeof heartbeat_request];
	memcpy(want, heartbeat_request, sizeof want);
	want[AT_TRANSACTION] = 1;
	want[AT_BODY] = 0; /* first sequence */
	CU_ASSERT_EQUAL_FATAL(f.sent_len, sizeof want);
	CU_ASSERT_EQUAL(memcmp(f.sent, want, sizeof want), 0);
}

/* R-HB-007, R-HB-008. */
static void host_beats_once_a_period(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	unsigned before = f.sends;
	for (unsigned i = 1; i <= 100; i++) {
		uint64_t deadline = heartbeat_vsp_deadline_ns(&f.vsp);
		CU_ASSERT_EQUAL(heartbeat_vsp_on_time(&f.vsp, deadline - 1), deadline);
		CU_ASSERT_EQUAL(f.sends, before + i - 1);
		tick(&f);
		CU_ASSERT_EQUAL(heartbeat_vsp_deadline_ns(&f.vsp), deadline + PERIOD);
		CU_ASSERT_EQUAL(f.sends, before + i);
		CU_ASSERT_EQUAL(sent_sequence(&f), i);
		f.now += SECOND / 4;
		guest_answers(&f, &guest);
		CU_ASSERT_EQUAL(f.vsp.round_trip_ns, SECOND / 4);
	}
	CU_ASSERT_EQUAL(f.vsp.answers, 101);
	CU_ASSERT_EQUAL(f.vsp.missed_total, 0);
	CU_ASSERT_EQUAL(f.changes, 1);
}

/* R-IC-028, R-HB-010. */
static void host_loses_contact_after_five_missed_and_recovers(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	tick(&f); /* ends the period with the answer, starts the first without */
	for (unsigned i = 1; i < HEARTBEAT_MISSED_MAX; i++) {
		tick(&f);
		CU_ASSERT_EQUAL(f.vsp.missed, i);
		CU_ASSERT_EQUAL(f.contact, HEARTBEAT_OK);
	}
	tick(&f);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_LOST_CONTACT);
	CU_ASSERT_EQUAL(f.vsp.lost_contacts, 1);
	CU_ASSERT_EQUAL(f.changes, 2);
	tick(&f);
	tick(&f);
	CU_ASSERT_EQUAL(f.changes, 2);
	guest_answers(&f, &guest);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_OK);
	CU_ASSERT_EQUAL(f.vsp.recoveries, 1);
	CU_ASSERT_EQUAL(f.vsp.missed, 0);
	CU_ASSERT_EQUAL(f.changes, 3);
}

/* R-HB-013, R-IC-009. */
static void host_keeps_one_request_outstanding_until_it_gives_up(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	tick(&f);
	unsigned before = f.sends;
	for (unsigned i = 1; i < HEARTBEAT_MISSED_MAX; i++) {
		tick(&f);
		CU_ASSERT_EQUAL(f.sends, before);
	}
	tick(&f);
	CU_ASSERT_EQUAL(f.sends, before + 1);
	CU_ASSERT_EQUAL(f.vsp.ic.abandoned, 1);
}

/* R-HB-013. */
static void host_leaves_a_bounded_number_of_requests_to_a_stopped_guest(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	unsigned before = f.sends;
	for (unsigned i = 0; i < 10000; i++)
		tick(&f);
	CU_ASSERT_EQUAL(f.sends, before + 1 + HEARTBEAT_VSP_UNANSWERED_MAX);
	CU_ASSERT_EQUAL(f.vsp.ic.abandoned, HEARTBEAT_VSP_UNANSWERED_MAX);
	/* The guest runs again and answers the last of them. */
	guest_answers(&f, &guest);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_OK);
	CU_ASSERT_PTR_NULL(f.failure);
}

/* R-HB-013. */
static void host_negotiates_again_when_the_guest_is_silent(void)
{
	struct fixture f;
	open_with(&f, NULL);
	for (unsigned i = 0; i < HEARTBEAT_MISSED_MAX - 1; i++)
		tick(&f);
	CU_ASSERT_EQUAL(f.sends, 1);
	tick(&f);
	CU_ASSERT_EQUAL(f.sends, 2);
	CU_ASSERT_EQUAL(f.vsp.contact, HEARTBEAT_NO_CONTACT);
	CU_ASSERT_EQUAL(f.changes, 0);
	struct heartbeat_ic guest;
	heartbeat_ic_init(&guest);
	guest_answers(&f, &guest);
	guest_answers(&f, &guest);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_OK);
}

/* R-HB-012. */
static void host_does_not_count_periods_that_it_slept_through(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	f.now += 3600 * SECOND;
	uint64_t next = heartbeat_vsp_on_time(&f.vsp, f.now);
	CU_ASSERT_EQUAL(next, f.now + PERIOD);
	guest_answers(&f, &guest);
	CU_ASSERT_EQUAL(f.vsp.missed_total, 0);
	f.now += 3600 * SECOND;
	heartbeat_vsp_on_time(&f.vsp, f.now);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_OK);
}

/* R-IC-029, R-HB-008. */
static void host_sequence_wraps_at_two_to_the_64(void)
{
	struct heartbeat_vsp_config config = {.first_sequence = UINT64_MAX - 1};
	struct fixture f;
	struct heartbeat_ic guest;
	open_with(&f, &config);
	heartbeat_ic_init(&guest);
	guest_answers(&f, &guest);
	static const uint64_t want[] = {UINT64_MAX - 1, UINT64_MAX, 0, 1};
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(sent_sequence(&f), want[i]);
		guest_answers(&f, &guest);
		CU_ASSERT_EQUAL(f.vsp.answers, i + 1);
		tick(&f);
	}
	CU_ASSERT_EQUAL(guest.sequence, 1);
}

static void host_retries_when_the_ring_is_full(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	f.send_result = -11;
	tick(&f);
	tick(&f);
	CU_ASSERT_EQUAL(f.vsp.send_failures, 2);
	CU_ASSERT_FALSE(f.vsp.ic.is_outstanding);
	f.send_result = 0;
	tick(&f);
	guest_answers(&f, &guest);
	CU_ASSERT_EQUAL(f.vsp.missed, 0);
	CU_ASSERT_EQUAL(f.vsp.answers, 2);
}

/* R-HB-014, R-HB-015. */
static void host_reports_application_state(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	CU_ASSERT_STRING_EQUAL(heartbeat_application_name(f.application), "unknown");
	static const char *const names[] = {"unknown", "healthy", "critical", "stopped"};
	for (uint32_t state = 1; state < HEARTBEAT_APPLICATION_COUNT; state++) {
		guest.application_state = state;
		tick(&f);
		guest_answers(&f, &guest);
		CU_ASSERT_EQUAL(f.application, state);
		CU_ASSERT_STRING_EQUAL(heartbeat_application_name(state), names[state]);
	}
	CU_ASSERT_EQUAL(f.vsp.undefined_applications, 0);
	guest.application_state = HEARTBEAT_APPLICATION_COUNT;
	tick(&f);
	guest_answers(&f, &guest);
	CU_ASSERT_EQUAL(f.vsp.undefined_applications, 1);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_OK);
	CU_ASSERT_STRING_EQUAL(heartbeat_application_name(f.application), "undefined");
	/* of a guest that says nothing any more nothing is known */
	for (unsigned i = 0; i <= HEARTBEAT_MISSED_MAX; i++)
		tick(&f);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_LOST_CONTACT);
	CU_ASSERT_EQUAL(f.application, HEARTBEAT_APPLICATION_UNKNOWN);
}

/*
 * R-HB-009: answers that reach the heartbeat but are no beats: the offset, the value, the
 * reason.
 */
static void host_counts_answers_that_are_no_beats(void)
{
	const struct {
		size_t at;
		uint16_t value;
		enum ic_rejection want;
	} cases[] = {
		{AT_BODY, 0, IC_REJECT_BODY_CONTENT},	  /* sequence - 1 */
		{AT_BODY, 1, IC_REJECT_BODY_CONTENT},	  /* sequence not changed */
		{AT_BODY, 3, IC_REJECT_BODY_CONTENT},	  /* sequence + 3 */
		{AT_BODY + 6, 1, IC_REJECT_BODY_CONTENT}, /* sequence jump */
		{AT_STATUS + 2, 0x8000, IC_REJECT_STATUS},
		{AT_BODY_BYTES, 7, IC_REJECT_BODY_SHORT},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		struct heartbeat_ic guest;
		beating(&f, &guest);
		tick(&f);
		uint8_t reply[64];
		size_t len = 0;
		ic_guest_on_packet(&guest.ic, f.sent, f.sent_len, reply, sizeof reply, &len);
		put16(reply + cases[i].at, cases[i].value);
		give(&f, reply, len);
		CU_ASSERT_EQUAL(f.vsp.ic.rejections[cases[i].want], 1);
		CU_ASSERT_EQUAL(f.vsp.answers, 1);
		CU_ASSERT_FALSE(f.vsp.ic.is_outstanding);
		tick(&f);
		CU_ASSERT_EQUAL(f.vsp.missed, 1);
		guest_answers(&f, &guest);
		CU_ASSERT_EQUAL(f.vsp.missed, 0);
	}
}

/* R-HB-002, R-HB-014. */
static void host_takes_a_beat_of_eight_bytes(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	guest.application_state = HEARTBEAT_APPLICATION_HEALTHY;
	tick(&f);
	uint8_t reply[64];
	size_t len = 0;
	ic_guest_on_packet(&guest.ic, f.sent, f.sent_len, reply, sizeof reply, &len);
	put16(reply + AT_BODY_BYTES, 8);
	give(&f, reply, len);
	CU_ASSERT_EQUAL(f.vsp.answers, 2);
	CU_ASSERT_EQUAL(f.vsp.application_state, HEARTBEAT_APPLICATION_UNKNOWN);
}

/* R-HB-001, R-HB-014. */
static void host_version_1_has_40_bytes_and_no_application_state(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	open_with(&f, NULL);
	heartbeat_ic_init(&guest);
	uint8_t reply[64];
	size_t len = 0;
	ic_guest_on_packet(&guest.ic, f.sent, f.sent_len, reply, sizeof reply, &len);
	put16(reply + AT_VERSIONS, 1);
	put16(reply + AT_VERSIONS + 4, 1);
	give(&f, reply, len);
	CU_ASSERT_EQUAL(f.vsp.ic.agreement.message.major, 1);
	CU_ASSERT_EQUAL(f.sent_len, 28 + 40);
	CU_ASSERT_EQUAL(get16(f.sent + AT_BODY_BYTES), 40);
	guest.ic.agreement = f.vsp.ic.agreement;
	guest.application_state = HEARTBEAT_APPLICATION_CRITICAL;
	uint8_t beat[80];
	ic_guest_on_packet(&guest.ic, f.sent, f.sent_len, beat, sizeof beat, &len);
	CU_ASSERT_EQUAL(beat[AT_BODY + 8], 0);
	beat[AT_BODY + 8] = 2;
	give(&f, beat, len);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_OK);
	CU_ASSERT_EQUAL(f.application, HEARTBEAT_APPLICATION_UNKNOWN);
}

static void host_gives_up_a_guest_without_a_common_version(void)
{
	struct fixture f;
	open_with(&f, NULL);
	uint8_t none[sizeof heartbeat_negotiation];
	memcpy(none, heartbeat_negotiation, sizeof none);
	none[AT_FLAGS] = 5;
	memset(none + AT_FRAMEWORK_COUNT, 0, 4);
	give(&f, none, sizeof none);
	CU_ASSERT_TRUE(is_text(f.failure, "no version in common"));
	CU_ASSERT_EQUAL(heartbeat_vsp_deadline_ns(&f.vsp), HEARTBEAT_VSP_NEVER);
	CU_ASSERT_EQUAL(heartbeat_vsp_on_time(&f.vsp, UINT64_MAX), HEARTBEAT_VSP_NEVER);
	CU_ASSERT_EQUAL(f.sends, 1);
}

/* R-HB-011. */
static void host_ends_a_flood_with_lost_contact(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	uint8_t junk[28] = {1};
	for (unsigned i = 0; i < 1000000; i++)
		heartbeat_vsp_on_packet(&f.vsp, junk, sizeof junk, f.now);
	CU_ASSERT_TRUE(is_text(f.failure, "too many rejected messages"));
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_LOST_CONTACT);
	CU_ASSERT_EQUAL(f.changes, 2);
	CU_ASSERT_EQUAL(ic_host_rejections(&f.vsp.ic), 1000000);
	/* Close and open: all is well again. */
	heartbeat_vsp_on_close(&f.vsp);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_NO_CONTACT);
	heartbeat_vsp_on_open(&f.vsp, f.now);
	guest_answers(&f, &guest);
	guest_answers(&f, &guest);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_OK);
}

static void host_counts_packets_of_a_wrong_kind(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	for (unsigned i = 0; i < IC_HOST_REJECTIONS_MAX; i++)
		heartbeat_vsp_on_bad_packet(&f.vsp, IC_REJECT_PACKET_TYPE);
	CU_ASSERT_PTR_NULL(f.failure);
	heartbeat_vsp_on_bad_packet(&f.vsp, IC_REJECT_TOO_LONG);
	CU_ASSERT_PTR_NOT_NULL(f.failure);
	CU_ASSERT_EQUAL(f.vsp.ic.rejections[IC_REJECT_PACKET_TYPE], IC_HOST_REJECTIONS_MAX);
}

static void host_tolerates_junk_every_period_for_ever(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	uint8_t junk[28] = {1};
	for (unsigned period = 0; period < 100; period++) {
		for (unsigned i = 0; i < IC_HOST_REJECTIONS_MAX; i++)
			give(&f, junk, sizeof junk);
		tick(&f);
		guest_answers(&f, &guest);
	}
	CU_ASSERT_PTR_NULL(f.failure);
	CU_ASSERT_EQUAL(f.vsp.answers, 101);
}

/* R-HB-011. */
static void host_close_ends_contact_and_time(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	heartbeat_vsp_on_close(&f.vsp);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_NO_CONTACT);
	CU_ASSERT_EQUAL(f.vsp.lost_contacts, 0);
	CU_ASSERT_EQUAL(heartbeat_vsp_on_time(&f.vsp, f.now + 100 * SECOND), HEARTBEAT_VSP_NEVER);
	unsigned before = f.sends;
	give(&f, heartbeat_negotiation, sizeof heartbeat_negotiation);
	CU_ASSERT_EQUAL(f.sends, before);
	CU_ASSERT_EQUAL(f.vsp.ic.rejections[IC_REJECT_CLOSED], 1);
}

static void host_survives_the_end_of_time(void)
{
	struct fixture f;
	memset(&f, 0, sizeof f);
	heartbeat_vsp_init(&f.vsp, NULL, &fixture_ops, &f);
	heartbeat_vsp_on_open(&f.vsp, UINT64_MAX - 5);
	CU_ASSERT_TRUE(heartbeat_vsp_deadline_ns(&f.vsp) < HEARTBEAT_VSP_NEVER);
	heartbeat_vsp_on_time(&f.vsp, UINT64_MAX);
	CU_ASSERT_EQUAL(f.vsp.missed_total, 1);
}

static void host_describes_itself(void)
{
	struct fixture f;
	struct heartbeat_ic guest;
	beating(&f, &guest);
	char text[256];
	CU_ASSERT_STRING_EQUAL(heartbeat_vsp_describe(&f.vsp, text, sizeof text),
		"heartbeat: ok, applications unknown, channel ready, framework 3.0, version 3.0, "
		"sequence 0, answers 1, missed in a row 0, rejected 0");
	CU_ASSERT_EQUAL(strlen(heartbeat_vsp_describe(&f.vsp, text, 14)), 13);
}

/* --- guest -------------------------------------------------------------------------------- */

/* R-HB-002, R-HB-003. */
static void guest_ignores_a_beat_of_seven_bytes(void)
{
	struct heartbeat_ic guest;
	heartbeat_ic_init(&guest);
	uint8_t reply[64];
	size_t len = 0;
	ic_guest_on_packet(&guest.ic, heartbeat_negotiation, sizeof heartbeat_negotiation, reply,
		sizeof reply, &len);
	uint8_t bytes[sizeof heartbeat_request];
	memcpy(bytes, heartbeat_request, sizeof bytes);
	guest.application_state = HEARTBEAT_APPLICATION_STOPPED;
	for (uint16_t body_bytes = 0; body_bytes <= 16; body_bytes++) {
		put16(bytes + AT_BODY_BYTES, body_bytes);
		enum ic_rejection verdict = ic_guest_on_packet(
			&guest.ic, bytes, sizeof bytes, reply, sizeof reply, &len);
		CU_ASSERT_EQUAL(verdict, body_bytes < 8 ? IC_REJECT_BODY_SHORT : IC_OK);
		CU_ASSERT_EQUAL(len, body_bytes < 8 ? 0u : sizeof bytes);
		if (len == 0)
			continue;
		CU_ASSERT_EQUAL(reply[AT_BODY], 0x2A);
		/* The state is written only where the body has room for it. */
		CU_ASSERT_EQUAL(reply[AT_BODY + 8], body_bytes < 12 ? 0 : 3);
	}
	CU_ASSERT_EQUAL(guest.beats, 9);
}

static const struct test tests[] = {
	TEST(host_accepts_the_recorded_guest),
	TEST(guest_answers_the_recorded_host_as_linux_does),
	TEST(host_negotiates_first_then_beats_at_once),
	TEST(host_beats_once_a_period),
	TEST(host_loses_contact_after_five_missed_and_recovers),
	TEST(host_keeps_one_request_outstanding_until_it_gives_up),
	TEST(host_leaves_a_bounded_number_of_requests_to_a_stopped_guest),
	TEST(host_negotiates_again_when_the_guest_is_silent),
	TEST(host_does_not_count_periods_that_it_slept_through),
	TEST(host_sequence_wraps_at_two_to_the_64),
	TEST(host_retries_when_the_ring_is_full),
	TEST(host_reports_application_state),
	TEST(host_counts_answers_that_are_no_beats),
	TEST(host_takes_a_beat_of_eight_bytes),
	TEST(host_version_1_has_40_bytes_and_no_application_state),
	TEST(host_gives_up_a_guest_without_a_common_version),
	TEST(host_ends_a_flood_with_lost_contact),
	TEST(host_counts_packets_of_a_wrong_kind),
	TEST(host_tolerates_junk_every_period_for_ever),
	TEST(host_close_ends_contact_and_time),
	TEST(host_survives_the_end_of_time),
	TEST(host_describes_itself),
	TEST(guest_ignores_a_beat_of_seven_bytes),
};
TEST_MAIN("heartbeat", tests)
