// SPDX-License-Identifier: Apache-2.0
/*
 * Integration components, host side: negotiation with real guests' answers, one request
 * at a time, and hostile guests: each bad message counted by reason, floods bounded.
 */
#include "host/vsp/ic_host.h"
#include "tests/harness.h"
#include "tests/unit/ic_bytes.h"
#include "tests/unit/ic_golden.h"

#include <stdlib.h>
#include <string.h>

/* The answer of a Linux guest to heartbeat_negotiation. */
static const uint8_t heartbeat_answer[52] = {
	0x01, 0, 0, 0, 0x2C, 0, 0, 0, /* pipe: data, 44 bytes */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* framework, type, message */
	0x10, 0, 0, 0, 0, 0,	      /* body 16, status */
	0x00, 0x05, 0, 0,	      /* transaction id, flags, reserved */
	1, 0, 1, 0, 0, 0, 0, 0,	      /* counts, reserved */
	3, 0, 0, 0, 3, 0, 0, 0,	      /* the pair */
	1, 0, 0, 0, 3, 0, 0, 0,	      /* left over from the request */
};

/* The response of a Linux guest to sequence 0x29, transaction id 1. */
static const uint8_t heartbeat_response[44] = {
	0x01, 0, 0, 0, 0x24, 0, 0, 0, /* pipe: data, 36 bytes */
	3, 0, 0, 0, 1, 0, 3, 0, 0, 0, /* framework, type, message */
	0x10, 0, 0, 0, 0, 0,	      /* body 16, status */
	0x01, 0x05, 0, 0,	      /* transaction id, flags, reserved */
	0x2A, 0, 0, 0, 0, 0, 0, 0,    /* sequence + 1 */
	0, 0, 0, 0, 0, 0, 0, 0,	      /* state, reserved */
};

static const uint8_t body[16] = {0x29};

struct fixture {
	struct ic_host host;
	uint8_t out[IC_NEGOTIATE_MAX_BYTES];
	size_t out_len;
	struct ic_message response;
};

static void negotiating_init(struct fixture *f)
{
	ic_host_init(&f->host, ic_component_find(IC_TYPE_HEARTBEAT));
	ic_host_open(&f->host);
	f->out_len = ic_host_negotiate(&f->host, f->out, sizeof f->out);
}

static enum ic_host_event give(struct fixture *f, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	memcpy(copy, bytes, len);
	enum ic_host_event event = ic_host_on_packet(&f->host, copy, len, &f->response);
	free(copy);
	return event;
}

static void ready_init(struct fixture *f)
{
	negotiating_init(f);
	CU_ASSERT_EQUAL(give(f, heartbeat_answer, sizeof heartbeat_answer), IC_HOST_AGREED);
}

static size_t request(struct fixture *f)
{
	return ic_host_request(&f->host, body, sizeof body, f->out, sizeof f->out);
}

/* Give `bytes` with the 16 bits at `at` replaced. */
static enum ic_host_event give_changed(
	struct fixture *f, const uint8_t *bytes, size_t len, size_t at, uint16_t value)
{
	uint8_t changed[64];
	memcpy(changed, bytes, len);
	put16(changed + at, value);
	return give(f, changed, len);
}

/* R-IC-001. */
static void host_speaks_first_with_the_recorded_bytes(void)
{
	struct fixture f;
	negotiating_init(&f);
	CU_ASSERT_EQUAL_FATAL(f.out_len, sizeof heartbeat_negotiation);
	CU_ASSERT_EQUAL(memcmp(f.out, heartbeat_negotiation, f.out_len), 0);
}

static void host_agrees_with_every_real_guest(void)
{
	static const struct ic_version_wire want[] = {
		{1, 1}, {3, 0}, {4, 0}, {3, 2}, {4, 0}, {5, 0}};
	static const uint16_t types[] = {IC_TYPE_FCOPY, IC_TYPE_HEARTBEAT, IC_TYPE_KVP,
		IC_TYPE_SHUTDOWN, IC_TYPE_TIMESYNC, IC_TYPE_VSS};
	FILE *file = golden_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	struct golden_packet packet;
	unsigned seen = 0;
	while (golden_read(file, &packet)) {
		if (strcmp(packet.kind, "negotiate") != 0 || strcmp(packet.direction, "g2h") != 0)
			continue;
		CU_ASSERT_TRUE_FATAL(seen < 6);
		struct fixture f;
		ic_host_init(&f.host, ic_component_find(types[seen]));
		ic_host_open(&f.host);
		CU_ASSERT_TRUE(ic_host_negotiate(&f.host, f.out, sizeof f.out) > 0);
		CU_ASSERT_EQUAL(give(&f, packet.bytes, packet.len), IC_HOST_AGREED);
		CU_ASSERT_EQUAL(f.host.agreement.framework.major, 3);
		CU_ASSERT_EQUAL(ic_version_compare(f.host.agreement.message, want[seen]), 0);
		seen++;
	}
	fclose(file);
	CU_ASSERT_EQUAL(seen, 6);
}

/* R-IC-006. */
static void host_sends_no_request_before_agreement(void)
{
	struct fixture f;
	ic_host_init(&f.host, ic_component_find(IC_TYPE_HEARTBEAT));
	CU_ASSERT_EQUAL(request(&f), 0);
	CU_ASSERT_EQUAL(ic_host_negotiate(&f.host, f.out, sizeof f.out), 0);
	negotiating_init(&f);
	CU_ASSERT_EQUAL(request(&f), 0);
}

/* R-IC-009. */
static void host_has_one_request_outstanding(void)
{
	struct fixture f;
	negotiating_init(&f);
	CU_ASSERT_EQUAL(ic_host_negotiate(&f.host, f.out, sizeof f.out), 0);
	ready_init(&f);
	CU_ASSERT_EQUAL(request(&f), 44);
	CU_ASSERT_EQUAL(request(&f), 0);
	CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_ANSWERED);
	CU_ASSERT_EQUAL(f.response.body_bytes, 16);
	CU_ASSERT_EQUAL(request(&f), 44);
}

/* R-IC-038. */
static void host_request_carries_the_agreed_versions(void)
{
	struct fixture f;
	ready_init(&f);
	CU_ASSERT_EQUAL_FATAL(request(&f), sizeof heartbeat_request);
	uint8_t want[sizeof heartbeat_request];
	memcpy(want, heartbeat_request, sizeof want);
	want[AT_TRANSACTION] = 1; /* negotiation had 0 */
	CU_ASSERT_EQUAL(memcmp(f.out, want, sizeof want), 0);
}

static void host_fails_the_channel_when_negotiation_cannot_succeed(void)
{
	const struct {
		size_t at;
		uint16_t value;
		enum ic_rejection want;
	} cases[] = {
		{AT_STATUS, 5, IC_REJECT_STATUS},
		{AT_BODY_BYTES, 7, IC_REJECT_BODY_SHORT},
		{AT_BODY_BYTES, 15, IC_REJECT_VERSION_LIST},
		{AT_FRAMEWORK_COUNT, 0, IC_REJECT_VERSION_COUNT},
		{AT_MESSAGE_COUNT, 2, IC_REJECT_VERSION_COUNT},
		{AT_VERSIONS, 2, IC_REJECT_NOT_OFFERED},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		negotiating_init(&f);
		CU_ASSERT_EQUAL(give_changed(&f, heartbeat_answer, sizeof heartbeat_answer,
					cases[i].at, cases[i].value),
			IC_HOST_BROKEN);
		CU_ASSERT_EQUAL(f.host.state, IC_HOST_FAILED);
		CU_ASSERT_EQUAL(f.host.failure, cases[i].want);
		CU_ASSERT_EQUAL(f.host.rejections[cases[i].want], 1);
		/* Dead until it is opened again. */
		CU_ASSERT_EQUAL(give(&f, heartbeat_answer, 52), IC_HOST_DROPPED);
		CU_ASSERT_EQUAL(ic_host_negotiate(&f.host, f.out, sizeof f.out), 0);
		ic_host_open(&f.host);
		CU_ASSERT_TRUE(ic_host_negotiate(&f.host, f.out, sizeof f.out) > 0);
		CU_ASSERT_EQUAL(give(&f, heartbeat_answer, 52), IC_HOST_AGREED);
	}
}

/* R-IC-012. */
static void host_drops_bad_responses_and_goes_on(void)
{
	const struct {
		size_t at;
		uint16_t value;
		enum ic_rejection want;
	} cases[] = {
		{AT_PIPE_TYPE, 2, IC_REJECT_PIPE_TYPE},
		{AT_PIPE_LENGTH, 19, IC_REJECT_SHORT},
		{AT_PIPE_LENGTH, 37, IC_REJECT_PIPE_LENGTH},
		{AT_PIPE_LENGTH, 0xFFFF, IC_REJECT_TOO_LONG},
		{AT_BODY_BYTES, 17, IC_REJECT_BODY_BYTES},
		{AT_TYPE, IC_TYPE_SHUTDOWN, IC_REJECT_TYPE},
		{AT_TYPE, 0xFFFF, IC_REJECT_TYPE},
		{AT_TYPE, IC_TYPE_NEGOTIATE, IC_REJECT_UNSOLICITED},
		{AT_TRANSACTION, 0x0500, IC_REJECT_TRANSACTION_ID},
		{AT_TRANSACTION, 0x0502, IC_REJECT_TRANSACTION_ID},
		{AT_TRANSACTION, 0x0101, IC_REJECT_FLAGS},
		{AT_TRANSACTION, 0x0301, IC_REJECT_FLAGS},
		{AT_TRANSACTION, 0x0701, IC_REJECT_FLAGS},
		{AT_TRANSACTION, 0x0401, IC_REJECT_FLAGS},
	};
	struct fixture f;
	ready_init(&f);
	request(&f);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t before = f.host.rejections[cases[i].want];
		CU_ASSERT_EQUAL(
			give_changed(&f, heartbeat_response, 44, cases[i].at, cases[i].value),
			IC_HOST_DROPPED);
		CU_ASSERT_EQUAL(f.host.rejections[cases[i].want], before + 1);
		CU_ASSERT_EQUAL(f.host.last_rejection, cases[i].want);
		CU_ASSERT_TRUE(f.host.is_outstanding);
	}
	CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_ANSWERED);
	CU_ASSERT_EQUAL(ic_host_rejections(&f.host), sizeof cases / sizeof cases[0]);
}

static void host_drops_duplicate_and_unsolicited_responses(void)
{
	struct fixture f;
	ready_init(&f);
	CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_DROPPED);
	request(&f);
	CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_ANSWERED);
	CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_DROPPED);
	CU_ASSERT_EQUAL(f.host.rejections[IC_REJECT_UNSOLICITED], 2);
}

/* R-IC-013. */
static void host_drops_stale_responses_during_negotiation(void)
{
	struct fixture f;
	negotiating_init(&f);
	CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_DROPPED);
	CU_ASSERT_EQUAL(f.host.rejections[IC_REJECT_STALE], 1);
	CU_ASSERT_EQUAL(give(&f, heartbeat_answer, 52), IC_HOST_AGREED);
}

/* R-IC-035. */
static void host_ignores_the_late_answer_to_an_abandoned_request(void)
{
	struct fixture f;
	ready_init(&f);
	request(&f);
	ic_host_abandon(&f.host);
	ic_host_abandon(&f.host);
	CU_ASSERT_EQUAL(f.host.abandoned, 1);
	CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_DROPPED);
	CU_ASSERT_EQUAL(request(&f), 44);
	CU_ASSERT_EQUAL(f.out[AT_TRANSACTION], 2);
	CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_DROPPED);
	CU_ASSERT_EQUAL(f.host.rejections[IC_REJECT_TRANSACTION_ID], 1);
	CU_ASSERT_EQUAL(
		give_changed(&f, heartbeat_response, 44, AT_TRANSACTION, 0x0502), IC_HOST_ANSWERED);
}

/* R-IC-036. */
static void host_tolerates_64_rejections_and_not_65(void)
{
	struct fixture f;
	ready_init(&f);
	for (unsigned i = 0; i < IC_HOST_REJECTIONS_MAX; i++)
		CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_DROPPED);
	ic_host_budget_renew(&f.host);
	for (unsigned i = 0; i < IC_HOST_REJECTIONS_MAX; i++)
		CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_DROPPED);
	CU_ASSERT_EQUAL(f.host.state, IC_HOST_READY);
	CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_BROKEN);
	CU_ASSERT_EQUAL(f.host.state, IC_HOST_FAILED);
	CU_ASSERT_EQUAL(f.host.failure, IC_REJECT_FLOOD);
	CU_ASSERT_EQUAL(request(&f), 0);
}

/* R-IC-032: of the other bits of the flags. */
static void host_ignores_flags_that_it_does_not_know(void)
{
	struct fixture f;
	ready_init(&f);
	CU_ASSERT_EQUAL(request(&f), 44);
	CU_ASSERT_EQUAL(
		give_changed(&f, heartbeat_response, 44, AT_TRANSACTION, 0xFD01), IC_HOST_ANSWERED);
}

static void host_transaction_id_wraps(void)
{
	struct fixture f;
	ready_init(&f);
	for (unsigned i = 1; i <= 600; i++) {
		CU_ASSERT_EQUAL(request(&f), 44);
		CU_ASSERT_EQUAL(f.out[AT_TRANSACTION], i & 0xFF);
		CU_ASSERT_EQUAL(give_changed(&f, heartbeat_response, 44, AT_TRANSACTION,
					(uint16_t)(0x0500 | (i & 0xFF))),
			IC_HOST_ANSWERED);
	}
}

static void host_unsent_request_is_not_outstanding(void)
{
	struct fixture f;
	ready_init(&f);
	uint64_t before = f.host.requests;
	CU_ASSERT_EQUAL(request(&f), 44);
	ic_host_unsend(&f.host);
	CU_ASSERT_EQUAL(f.host.requests, before);
	CU_ASSERT_EQUAL(request(&f), 44);
	ic_host_close(&f.host);
	ic_host_unsend(&f.host);
	CU_ASSERT_EQUAL(f.host.requests, before + 1);
	CU_ASSERT_EQUAL(give(&f, heartbeat_response, 44), IC_HOST_DROPPED);
	CU_ASSERT_EQUAL(f.host.rejections[IC_REJECT_CLOSED], 1);
}

static void host_request_needs_room(void)
{
	struct fixture f;
	ready_init(&f);
	CU_ASSERT_EQUAL(ic_host_request(&f.host, body, sizeof body, f.out, 43), 0);
	CU_ASSERT_FALSE(f.host.is_outstanding);
	CU_ASSERT_EQUAL(ic_host_request(&f.host, body, sizeof body, f.out, 44), 44);
	CU_ASSERT_EQUAL(f.out[AT_TRANSACTION], 1);
	ic_host_open(&f.host);
	CU_ASSERT_EQUAL(ic_host_negotiate(&f.host, f.out, 51), 0);
	CU_ASSERT_EQUAL(ic_host_negotiate(&f.host, f.out, 52), 52);
}

static const struct test tests[] = {
	TEST(host_speaks_first_with_the_recorded_bytes),
	TEST(host_agrees_with_every_real_guest),
	TEST(host_sends_no_request_before_agreement),
	TEST(host_has_one_request_outstanding),
	TEST(host_request_carries_the_agreed_versions),
	TEST(host_fails_the_channel_when_negotiation_cannot_succeed),
	TEST(host_drops_bad_responses_and_goes_on),
	TEST(host_drops_duplicate_and_unsolicited_responses),
	TEST(host_drops_stale_responses_during_negotiation),
	TEST(host_ignores_the_late_answer_to_an_abandoned_request),
	TEST(host_tolerates_64_rejections_and_not_65),
	TEST(host_ignores_flags_that_it_does_not_know),
	TEST(host_transaction_id_wraps),
	TEST(host_unsent_request_is_not_outstanding),
	TEST(host_request_needs_room),
};
TEST_MAIN("ic_host", tests)
