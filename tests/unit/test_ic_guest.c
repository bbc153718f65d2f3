// SPDX-License-Identifier: Apache-2.0
/*
 * Integration components, guest side: the answers equal those of Linux byte for byte, and
 * a host that breaks the rules gets nothing but what the rules give it.
 */
#include "guest/ic_daemons/ic_guest.h"
#include "tests/harness.h"
#include "tests/unit/ic_bytes.h"
#include "tests/unit/ic_golden.h"

#include <stdlib.h>
#include <string.h>

/* A service that answers with a status of the test's choice and marks the body. */
static uint32_t marking_handle(
	void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes)
{
	(void)agreement;
	const uint32_t *status = ctx;
	memset(body, 0xA5, body_bytes);
	return *status;
}

static struct ic_guest_service service_of(const struct linux_row *row)
{
	return (struct ic_guest_service){
		.name = row->device,
		.type = row->type,
		.body_min_bytes = 8,
		.frameworks = row->frameworks,
		.messages = row->messages,
		.handle = marking_handle,
	};
}

/* R-IC-003. */
static void guest_answers_as_linux_does_byte_for_byte(void)
{
	FILE *file = golden_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	struct golden_packet request;
	struct golden_packet answer;
	unsigned seen = 0;
	while (golden_read(file, &request) && golden_read(file, &answer)) {
		if (strcmp(request.kind, "negotiate") != 0)
			continue;
		const struct linux_row *row = linux_row_find(request.device);
		CU_ASSERT_PTR_NOT_NULL_FATAL(row);
		struct ic_guest_service service = service_of(row);
		struct ic_guest guest;
		ic_guest_init(&guest, &service, NULL);
		uint8_t reply[256] = {0};
		size_t len = 0;
		CU_ASSERT_EQUAL(ic_guest_on_packet(&guest, request.bytes, request.len, reply,
					sizeof reply, &len),
			IC_OK);
		CU_ASSERT_TRUE(len <= answer.len && answer.len - len < 8);
		CU_ASSERT_EQUAL(memcmp(reply, answer.bytes, answer.len), 0);
		seen++;
	}
	fclose(file);
	CU_ASSERT_EQUAL(seen, 6);
}

/* A guest of the shutdown component's lists, negotiated or not. */
struct guest_fixture {
	struct ic_guest_service service;
	struct ic_guest guest;
	uint32_t status;
	uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	size_t reply_len;
};

static void guest_fixture_init(struct guest_fixture *f, const char *device)
{
	f->service = service_of(linux_row_find(device));
	f->status = IC_STATUS_SUCCESS;
	ic_guest_init(&f->guest, &f->service, &f->status);
}

static enum ic_rejection give(struct guest_fixture *f, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	memcpy(copy, bytes, len);
	f->reply_len = 12345;
	enum ic_rejection verdict = ic_guest_on_packet(
		&f->guest, copy, len, f->reply, sizeof f->reply, &f->reply_len);
	free(copy);
	return verdict;
}

/* R-IC-005. */
static void guest_answers_no_common_version_with_zero_counts(void)
{
	struct guest_fixture f;
	guest_fixture_init(&f, "vss");
	CU_ASSERT_EQUAL(give(&f, shutdown_negotiation, sizeof shutdown_negotiation),
		IC_REJECT_NO_COMMON_VERSION);
	CU_ASSERT_EQUAL(f.reply_len, sizeof shutdown_negotiation);
	CU_ASSERT_EQUAL(get16(f.reply + AT_FRAMEWORK_COUNT), 0);
	CU_ASSERT_EQUAL(get16(f.reply + AT_MESSAGE_COUNT), 0);
	CU_ASSERT_EQUAL(f.reply[AT_FLAGS], 5);
	CU_ASSERT_FALSE(f.guest.is_negotiated);
}

/* R-IC-011. */
static void guest_refuses_huge_counts_with_zero_counts(void)
{
	struct guest_fixture f;
	guest_fixture_init(&f, "shutdown");
	uint8_t bytes[sizeof shutdown_negotiation];
	memcpy(bytes, shutdown_negotiation, sizeof bytes);
	put16(bytes + AT_MESSAGE_COUNT, 101);
	CU_ASSERT_EQUAL(give(&f, bytes, sizeof bytes), IC_REJECT_VERSION_COUNT);
	CU_ASSERT_EQUAL(get16(f.reply + AT_FRAMEWORK_COUNT), 0);
	CU_ASSERT_EQUAL(get16(f.reply + AT_MESSAGE_COUNT), 0);
	/* Counts alone in the request: the answer has room for counts alone. */
	put16(bytes + AT_PIPE_LENGTH, 28);
	put16(bytes + AT_BODY_BYTES, 8);
	CU_ASSERT_EQUAL(give(&f, bytes, 36), IC_REJECT_VERSION_COUNT);
	CU_ASSERT_EQUAL(f.reply_len, 36);
	CU_ASSERT_EQUAL(get16(f.reply + AT_BODY_BYTES), 8);
	/* Not even counts: no reply. */
	put16(bytes + AT_PIPE_LENGTH, 27);
	put16(bytes + AT_BODY_BYTES, 7);
	CU_ASSERT_EQUAL(give(&f, bytes, 35), IC_REJECT_BODY_SHORT);
	CU_ASSERT_EQUAL(f.reply_len, 0);
}

/* R-IC-010. */
static void guest_drops_short_messages_without_a_reply(void)
{
	struct guest_fixture f;
	guest_fixture_init(&f, "shutdown");
	for (size_t len = 0; len < 28; len++) {
		CU_ASSERT_EQUAL(give(&f, shutdown_negotiation, len), IC_REJECT_SHORT);
		CU_ASSERT_EQUAL(f.reply_len, 0);
	}
	CU_ASSERT_EQUAL(f.guest.rejections[IC_REJECT_SHORT], 28);
	CU_ASSERT_EQUAL(ic_guest_rejections(&f.guest), 28);
}

/* R-IC-032, R-IC-033. */
static void guest_never_replies_to_what_is_not_a_request(void)
{
	struct guest_fixture f;
	guest_fixture_init(&f, "shutdown");
	for (unsigned flags = 0; flags < 256; flags++) {
		uint8_t bytes[sizeof shutdown_negotiation];
		memcpy(bytes, shutdown_negotiation, sizeof bytes);
		bytes[AT_FLAGS] = (uint8_t)flags;
		bool is_request = (flags & 7) == 3;
		CU_ASSERT_EQUAL(
			give(&f, bytes, sizeof bytes), is_request ? IC_OK : IC_REJECT_FLAGS);
		CU_ASSERT_EQUAL(f.reply_len != 0, is_request);
	}
}

/* R-IC-037. */
static void guest_fails_requests_before_negotiation(void)
{
	struct guest_fixture f;
	guest_fixture_init(&f, "heartbeat");
	CU_ASSERT_EQUAL(
		give(&f, heartbeat_request, sizeof heartbeat_request), IC_REJECT_NOT_NEGOTIATED);
	CU_ASSERT_EQUAL(f.reply_len, sizeof heartbeat_request);
	CU_ASSERT_EQUAL(memcmp(f.reply + AT_STATUS, "\x05\x40\x00\x80", 4), 0);
	CU_ASSERT_EQUAL(f.reply[AT_BODY], 0x29);
	CU_ASSERT_EQUAL(f.guest.requests, 0);
}

/* R-IC-008. */
static void guest_fails_unknown_types_and_keeps_its_agreement(void)
{
	struct guest_fixture f;
	guest_fixture_init(&f, "shutdown");
	CU_ASSERT_EQUAL(give(&f, shutdown_negotiation, sizeof shutdown_negotiation), IC_OK);
	CU_ASSERT_EQUAL(give(&f, heartbeat_request, sizeof heartbeat_request), IC_REJECT_TYPE);
	CU_ASSERT_EQUAL(f.reply_len, sizeof heartbeat_request);
	CU_ASSERT_EQUAL(memcmp(f.reply + AT_STATUS, "\x05\x40\x00\x80", 4), 0);
	CU_ASSERT_EQUAL(f.reply[AT_FLAGS], 5);
	CU_ASSERT_EQUAL(f.guest.requests, 0);
	CU_ASSERT_TRUE(f.guest.is_negotiated);
}

/* R-IC-007, R-IC-040. */
static void guest_response_carries_id_status_and_handled_body(void)
{
	struct guest_fixture f;
	guest_fixture_init(&f, "heartbeat");
	give(&f, heartbeat_negotiation, sizeof heartbeat_negotiation);
	f.status = IC_STATUS_NO_MORE_ITEMS;
	uint8_t bytes[sizeof heartbeat_request];
	memcpy(bytes, heartbeat_request, sizeof bytes);
	bytes[AT_TRANSACTION] = 0xC7;
	CU_ASSERT_EQUAL(give(&f, bytes, sizeof bytes), IC_OK);
	CU_ASSERT_EQUAL(f.reply_len, sizeof bytes);
	CU_ASSERT_EQUAL(f.reply[AT_TRANSACTION], 0xC7);
	CU_ASSERT_EQUAL(f.reply[AT_FLAGS], 5);
	CU_ASSERT_EQUAL(memcmp(f.reply + AT_STATUS, "\x03\x01\x07\x80", 4), 0);
	CU_ASSERT_EQUAL(f.reply[AT_BODY], 0xA5);
	CU_ASSERT_EQUAL(f.reply[AT_BODY + 15], 0xA5);
	/* A body below the service's minimum is ignored: 7, then 8. */
	put16(bytes + AT_BODY_BYTES, 7);
	CU_ASSERT_EQUAL(give(&f, bytes, sizeof bytes), IC_REJECT_BODY_SHORT);
	CU_ASSERT_EQUAL(f.reply_len, 0);
	put16(bytes + AT_BODY_BYTES, 8);
	CU_ASSERT_EQUAL(give(&f, bytes, sizeof bytes), IC_OK);
	CU_ASSERT_EQUAL(f.reply[AT_BODY + 8], 0);
}

/* R-IC-039. */
static void guest_reset_forgets_the_agreement(void)
{
	struct guest_fixture f;
	guest_fixture_init(&f, "heartbeat");
	give(&f, heartbeat_negotiation, sizeof heartbeat_negotiation);
	ic_guest_reset(&f.guest);
	CU_ASSERT_EQUAL(
		give(&f, heartbeat_request, sizeof heartbeat_request), IC_REJECT_NOT_NEGOTIATED);
	/* A host that was restored negotiates again on an open channel. */
	CU_ASSERT_EQUAL(give(&f, heartbeat_negotiation, sizeof heartbeat_negotiation), IC_OK);
	CU_ASSERT_EQUAL(give(&f, heartbeat_negotiation, sizeof heartbeat_negotiation), IC_OK);
	CU_ASSERT_EQUAL(give(&f, heartbeat_request, sizeof heartbeat_request), IC_OK);
	CU_ASSERT_EQUAL(f.guest.negotiations, 3);
}

static void guest_replies_in_place_and_within_capacity(void)
{
	struct guest_fixture f;
	guest_fixture_init(&f, "heartbeat");
	uint8_t buffer[64];
	size_t len = 0;
	memcpy(buffer, heartbeat_negotiation, sizeof heartbeat_negotiation);
	CU_ASSERT_EQUAL(
		ic_guest_on_packet(&f.guest, buffer, 52, buffer, sizeof buffer, &len), IC_OK);
	CU_ASSERT_EQUAL(len, 52);
	CU_ASSERT_EQUAL(get16(buffer + AT_FRAMEWORK_COUNT), 1);
	memcpy(buffer, heartbeat_request, sizeof heartbeat_request);
	CU_ASSERT_EQUAL(
		ic_guest_on_packet(&f.guest, buffer, 44, buffer, 43, &len), IC_REJECT_TOO_LONG);
	CU_ASSERT_EQUAL(len, 0);
	CU_ASSERT_EQUAL(ic_guest_on_packet(&f.guest, buffer, 44, buffer, 44, &len), IC_OK);
	CU_ASSERT_EQUAL(buffer[AT_BODY], 0xA5);
	CU_ASSERT_EQUAL(ic_guest_on_packet(&f.guest, heartbeat_negotiation, 52, buffer, 51, &len),
		IC_REJECT_TOO_LONG);
	CU_ASSERT_FALSE(f.guest.is_negotiated);
}

/* --- answers that come later -------------------------------------------------------------- */

struct late {
	struct ic_guest_service service;
	struct ic_guest guest;
	uint64_t ticket;
	unsigned forgotten;
	uint8_t sent[64];
	size_t sent_len;
	unsigned sends;
};

static uint32_t late_handle(
	void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes)
{
	struct late *late = ctx;
	(void)agreement;
	(void)body_bytes;
	late->ticket = ic_guest_ticket(&late->guest);
	body[1] = 0x77;
	return IC_GUEST_LATER;
}

static void late_forget(void *ctx)
{
	struct late *late = ctx;
	late->forgotten++;
}

static void late_send(void *transport, const void *reply, size_t len)
{
	struct late *late = transport;
	CU_ASSERT_FATAL(len <= sizeof late->sent);
	memcpy(late->sent, reply, len);
	late->sent_len = len;
	late->sends++;
}

static enum ic_rejection late_give(struct late *late, const uint8_t *bytes, size_t len, size_t *out)
{
	uint8_t reply[64];
	return ic_guest_on_packet(&late->guest, bytes, len, reply, sizeof reply, out);
}

/* A negotiated heartbeat that answers later, with one request pending. */
static void late_begin(struct late *late)
{
	size_t len = 0;
	memset(late, 0, sizeof *late);
	late->service = service_of(linux_row_find("heartbeat"));
	late->service.handle = late_handle;
	late->service.forget = late_forget;
	ic_guest_init(&late->guest, &late->service, late);
	ic_guest_attach(&late->guest, late_send, late);
	CU_ASSERT_EQUAL(
		late_give(late, heartbeat_negotiation, sizeof heartbeat_negotiation, &len), IC_OK);
	uint8_t bytes[sizeof heartbeat_request];
	memcpy(bytes, heartbeat_request, sizeof bytes);
	bytes[AT_TRANSACTION] = 0x5A;
	CU_ASSERT_EQUAL(late_give(late, bytes, sizeof bytes, &len), IC_OK);
	CU_ASSERT_EQUAL(len, 0);
	CU_ASSERT_TRUE(late->guest.is_pending);
}

/* R-IC-041: what was asked is answered, once, with its own transaction id. */
static void late_answer_goes_to_the_transport_once(void)
{
	static struct late f;
	const uint8_t body[3] = {1, 2, 3};
	late_begin(&f);
	CU_ASSERT_FALSE(ic_guest_finish(&f.guest, f.ticket + 1, IC_STATUS_SUCCESS, NULL, 0));
	CU_ASSERT_TRUE(ic_guest_finish(&f.guest, f.ticket, IC_STATUS_DISK_FULL, body, sizeof body));
	CU_ASSERT_EQUAL(f.sends, 1);
	CU_ASSERT_EQUAL(f.sent_len, sizeof heartbeat_request);
	CU_ASSERT_EQUAL(f.sent[AT_TRANSACTION], 0x5A);
	CU_ASSERT_EQUAL(f.sent[AT_FLAGS], 5);
	CU_ASSERT_EQUAL(memcmp(f.sent + AT_STATUS, "\x70\x00\x07\x80", 4), 0);
	CU_ASSERT_EQUAL(memcmp(f.sent + AT_BODY, body, sizeof body), 0);
	CU_ASSERT_EQUAL(memcmp(f.sent + AT_BODY + 3, heartbeat_request + AT_BODY + 3, 13), 0);
	CU_ASSERT_FALSE(ic_guest_finish(&f.guest, f.ticket, IC_STATUS_SUCCESS, NULL, 0));
	CU_ASSERT_EQUAL(f.sends, 1);
	CU_ASSERT_EQUAL(f.forgotten, 0);
}

static void late_answer_without_a_body_is_what_the_handler_left(void)
{
	static struct late f;
	uint8_t long_body[17] = {0};
	late_begin(&f);
	CU_ASSERT_TRUE(ic_guest_finish(&f.guest, f.ticket, IC_STATUS_SUCCESS, NULL, 0));
	CU_ASSERT_EQUAL(memcmp(f.sent + AT_STATUS, "\0\0\0\0", 4), 0);
	CU_ASSERT_EQUAL(f.sent[AT_BODY + 1], 0x77);
	/* A body that does not fit in the request's is a failure of the owner, told as one. */
	late_begin(&f);
	CU_ASSERT_TRUE(ic_guest_finish(
		&f.guest, f.ticket, IC_STATUS_SUCCESS, long_body, sizeof long_body));
	CU_ASSERT_EQUAL(memcmp(f.sent + AT_STATUS, "\x05\x40\x00\x80", 4), 0);
	CU_ASSERT_EQUAL(f.sent[AT_BODY + 1], 0x77);
}

static void request_while_one_is_pending_is_refused_and_counted(void)
{
	static struct late f;
	size_t len = 9;
	late_begin(&f);
	CU_ASSERT_EQUAL(
		late_give(&f, heartbeat_request, sizeof heartbeat_request, &len), IC_REJECT_BUSY);
	CU_ASSERT_EQUAL(len, 0);
	CU_ASSERT_EQUAL(f.guest.rejections[IC_REJECT_BUSY], 1);
	CU_ASSERT_EQUAL(f.guest.requests, 1);
	CU_ASSERT_TRUE(ic_guest_finish(&f.guest, f.ticket, IC_STATUS_SUCCESS, NULL, 0));
	CU_ASSERT_EQUAL(late_give(&f, heartbeat_request, sizeof heartbeat_request, &len), IC_OK);
	CU_ASSERT_EQUAL(f.guest.requests, 2);
}

/* R-IC-042, R-IC-039. */
static void negotiation_and_reset_void_the_pending_answer(void)
{
	static struct late f;
	size_t len = 0;
	late_begin(&f);
	CU_ASSERT_EQUAL(
		late_give(&f, heartbeat_negotiation, sizeof heartbeat_negotiation, &len), IC_OK);
	CU_ASSERT_EQUAL(len, sizeof heartbeat_negotiation);
	CU_ASSERT_EQUAL(f.forgotten, 1);
	CU_ASSERT_EQUAL(f.guest.late_voids, 1);
	CU_ASSERT_FALSE(ic_guest_finish(&f.guest, f.ticket, IC_STATUS_SUCCESS, NULL, 0));
	late_begin(&f);
	ic_guest_reset(&f.guest);
	ic_guest_reset(&f.guest);
	CU_ASSERT_EQUAL(f.forgotten, 1);
	CU_ASSERT_FALSE(ic_guest_finish(&f.guest, f.ticket, IC_STATUS_SUCCESS, NULL, 0));
	CU_ASSERT_EQUAL(f.sends, 0);
	/* The ticket of a request that was voided does not answer its successor. */
	const uint64_t old = f.ticket;
	late_give(&f, heartbeat_negotiation, sizeof heartbeat_negotiation, &len);
	late_give(&f, heartbeat_request, sizeof heartbeat_request, &len);
	CU_ASSERT_TRUE(f.guest.is_pending);
	CU_ASSERT_FALSE(ic_guest_finish(&f.guest, old, IC_STATUS_SUCCESS, NULL, 0));
	CU_ASSERT_TRUE(f.guest.is_pending);
}

/* R-IC-038, of the receiver. */
static void guest_needs_no_versions_in_the_header(void)
{
	struct guest_fixture f;
	guest_fixture_init(&f, "heartbeat");
	give(&f, heartbeat_negotiation, sizeof heartbeat_negotiation);
	for (unsigned fill = 0; fill < 256; fill += 85) {
		uint8_t bytes[sizeof heartbeat_request];
		memcpy(bytes, heartbeat_request, sizeof bytes);
		memset(bytes + 8, (int)fill, 4);
		memset(bytes + 14, (int)fill, 4);
		CU_ASSERT_EQUAL(give(&f, bytes, sizeof bytes), IC_OK);
		CU_ASSERT_EQUAL(f.reply_len, sizeof bytes);
	}
}

/* R-IC-047: what the answer to a negotiation does not say stays, the reserved word too. */
static void guest_leaves_the_rest_of_a_negotiation_as_it_was(void)
{
	struct guest_fixture f;
	uint8_t bytes[sizeof heartbeat_negotiation];
	guest_fixture_init(&f, "heartbeat");
	memcpy(bytes, heartbeat_negotiation, sizeof bytes);
	memset(bytes + AT_BODY + 4, 0x3C, 4);
	CU_ASSERT_EQUAL(give(&f, bytes, sizeof bytes), IC_OK);
	CU_ASSERT_EQUAL(memcmp(f.reply + AT_BODY, "\x01\x00\x01\x00\x3C\x3C\x3C\x3C", 8), 0);
}

static const struct test tests[] = {
	TEST(guest_answers_as_linux_does_byte_for_byte),
	TEST(guest_answers_no_common_version_with_zero_counts),
	TEST(guest_refuses_huge_counts_with_zero_counts),
	TEST(guest_drops_short_messages_without_a_reply),
	TEST(guest_never_replies_to_what_is_not_a_request),
	TEST(guest_fails_requests_before_negotiation),
	TEST(guest_fails_unknown_types_and_keeps_its_agreement),
	TEST(guest_response_carries_id_status_and_handled_body),
	TEST(guest_reset_forgets_the_agreement),
	TEST(guest_replies_in_place_and_within_capacity),
	TEST(late_answer_goes_to_the_transport_once),
	TEST(late_answer_without_a_body_is_what_the_handler_left),
	TEST(request_while_one_is_pending_is_refused_and_counted),
	TEST(negotiation_and_reset_void_the_pending_answer),
	TEST(guest_needs_no_versions_in_the_header),
	TEST(guest_leaves_the_rest_of_a_negotiation_as_it_was),
};
TEST_MAIN("ic_guest", tests)
