// SPDX-License-Identifier: Apache-2.0
/*
 * Integration component framework: framing, and negotiation as pure functions in both
 * roles. Expected bytes are written out in ic_bytes.h, never from the encoder.
 */
#include "protocol/ic.h"
#include "tests/harness.h"
#include "tests/unit/ic_bytes.h"

#include <stdlib.h>
#include <string.h>

/* --- framing ------------------------------------------------------------------------------ */

/* Decode a heap copy of exact size, so that a sanitizer sees a read past the end. */
static enum ic_rejection decode_exact(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	memcpy(copy, bytes, len);
	struct ic_message message;
	enum ic_rejection verdict = ic_message_decode(copy, len, &message);
	if (verdict == IC_OK)
		CU_ASSERT_TRUE(message.body + message.capacity_bytes <= copy + len);
	free(copy);
	return verdict;
}

static void message_decodes_header_and_body(void)
{
	struct ic_message message;
	CU_ASSERT_EQUAL_FATAL(
		ic_message_decode(heartbeat_request, sizeof heartbeat_request, &message), IC_OK);
	CU_ASSERT_EQUAL(message.header.framework.major, 3);
	CU_ASSERT_EQUAL(message.header.type, IC_TYPE_HEARTBEAT);
	CU_ASSERT_EQUAL(message.header.message.major, 3);
	CU_ASSERT_EQUAL(message.header.flags, IC_FLAGS_REQUEST);
	CU_ASSERT_EQUAL(message.body_bytes, 16);
	CU_ASSERT_EQUAL(message.capacity_bytes, 16);
	CU_ASSERT_EQUAL(message.body[0], 0x29);
}

/* R-IC-031. */
static void message_padding_is_not_body(void)
{
	uint8_t padded[48] = {0};
	memcpy(padded, heartbeat_request, sizeof heartbeat_request);
	struct ic_message message;
	CU_ASSERT_EQUAL_FATAL(ic_message_decode(padded, sizeof padded, &message), IC_OK);
	CU_ASSERT_EQUAL(message.capacity_bytes, 16);
}

static void message_cut_anywhere_is_rejected(void)
{
	for (size_t len = 0; len < sizeof heartbeat_request; len++) {
		enum ic_rejection want = len < 28 ? IC_REJECT_SHORT : IC_REJECT_PIPE_LENGTH;
		CU_ASSERT_EQUAL(decode_exact(heartbeat_request, len), want);
	}
}

/* R-IC-030, R-IC-031. */
static void message_bad_fields_are_named(void)
{
	uint8_t bytes[sizeof heartbeat_request];
	const struct {
		size_t at;
		uint16_t value;
		enum ic_rejection want;
	} cases[] = {
		{AT_PIPE_TYPE, 0, IC_REJECT_PIPE_TYPE},
		{AT_PIPE_TYPE, 2, IC_REJECT_PIPE_TYPE},
		{AT_PIPE_TYPE + 2, 1, IC_REJECT_PIPE_TYPE},
		{AT_PIPE_LENGTH, 0, IC_REJECT_SHORT},
		{AT_PIPE_LENGTH, 19, IC_REJECT_SHORT},
		{AT_PIPE_LENGTH, 20, IC_REJECT_BODY_BYTES},
		{AT_PIPE_LENGTH, 35, IC_REJECT_BODY_BYTES},
		{AT_PIPE_LENGTH, 37, IC_REJECT_PIPE_LENGTH},
		{AT_PIPE_LENGTH, 13312, IC_REJECT_PIPE_LENGTH},
		{AT_PIPE_LENGTH, 13313, IC_REJECT_TOO_LONG},
		{AT_PIPE_LENGTH + 2, 0xFFFF, IC_REJECT_TOO_LONG},
		{AT_BODY_BYTES, 17, IC_REJECT_BODY_BYTES},
		{AT_BODY_BYTES, 0xFFFF, IC_REJECT_BODY_BYTES},
		{AT_BODY_BYTES, 0, IC_OK},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		memcpy(bytes, heartbeat_request, sizeof bytes);
		put16(bytes + cases[i].at, cases[i].value);
		CU_ASSERT_EQUAL(decode_exact(bytes, sizeof bytes), cases[i].want);
	}
}

/* R-IC-014. */
static void message_of_13312_bytes_is_the_largest(void)
{
	static uint8_t bytes[8 + 13313];
	memcpy(bytes, heartbeat_request, 28);
	for (uint16_t length = 13311; length <= 13313; length++) {
		put16(bytes + AT_PIPE_LENGTH, length);
		put16(bytes + AT_BODY_BYTES, (uint16_t)(length - 20));
		enum ic_rejection want = length <= 13312 ? IC_OK : IC_REJECT_TOO_LONG;
		CU_ASSERT_EQUAL(decode_exact(bytes, sizeof bytes), want);

		struct ic_header_wire header = {.body_bytes = (uint16_t)(length - 20)};
		static uint8_t framed[8 + 13313];
		size_t len = ic_message_frame(framed, sizeof framed, &header);
		CU_ASSERT_EQUAL(len, length <= 13312 ? 8u + length : 0u);
	}
}

static void every_rejection_and_type_has_a_name(void)
{
	for (unsigned i = 0; i < IC_REJECTION_COUNT; i++) {
		const char *name = ic_rejection_name((enum ic_rejection)i);
		CU_ASSERT_STRING_NOT_EQUAL(name, "unknown");
		for (unsigned j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(name, ic_rejection_name((enum ic_rejection)j));
	}
	CU_ASSERT_STRING_EQUAL(ic_rejection_name(IC_REJECTION_COUNT), "unknown");
	CU_ASSERT_STRING_EQUAL(ic_type_name(IC_TYPE_VM_SESSION), "vm session");
	CU_ASSERT_STRING_EQUAL(ic_type_name(9), "unknown");
}

static void component_table_is_sorted_and_complete(void)
{
	size_t count;
	const struct ic_component *table = ic_component_table(&count);
	CU_ASSERT_EQUAL(count, 6);
	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_TRUE(i == 0 || table[i - 1].type < table[i].type);
		CU_ASSERT_PTR_EQUAL(ic_component_find(table[i].type), &table[i]);
		CU_ASSERT_STRING_EQUAL(table[i].name, ic_type_name(table[i].type));
		const struct ic_version_list *lists[] = {&table[i].frameworks, &table[i].messages};
		for (size_t l = 0; l < 2; l++) {
			CU_ASSERT_TRUE(lists[l]->count >= 1);
			for (uint16_t v = 1; v < lists[l]->count; v++)
				CU_ASSERT_TRUE(ic_version_compare(
						       lists[l]->at[v - 1], lists[l]->at[v]) < 0);
		}
	}
	CU_ASSERT_PTR_NULL(ic_component_find(IC_TYPE_NEGOTIATE));
	CU_ASSERT_PTR_NULL(ic_component_find(IC_TYPE_RDV));
}

/* --- negotiation, pure -------------------------------------------------------------------- */

/* R-IC-002, R-IC-030. */
static void negotiation_request_has_the_bytes_of_the_notes(void)
{
	const struct ic_component *shutdown = ic_component_find(IC_TYPE_SHUTDOWN);
	uint8_t bytes[64];
	size_t len = ic_negotiate_request(
		&shutdown->frameworks, &shutdown->messages, 0, bytes, sizeof bytes);
	CU_ASSERT_EQUAL_FATAL(len, sizeof shutdown_negotiation);
	CU_ASSERT_EQUAL(memcmp(bytes, shutdown_negotiation, len), 0);
	CU_ASSERT_EQUAL(
		ic_negotiate_request(&shutdown->frameworks, &shutdown->messages, 0, bytes, 59), 0);
}

/* R-IC-002. */
static void negotiation_lists_are_bounded_at_100(void)
{
	static struct ic_version_wire many[101];
	static uint8_t bytes[2 * IC_NEGOTIATE_MAX_BYTES];
	struct ic_version_list full = {many, 100};
	struct ic_version_list over = {many, 101};
	struct ic_version_list none = {many, 0};
	CU_ASSERT_EQUAL(ic_negotiate_request(&full, &full, 0, bytes, IC_NEGOTIATE_MAX_BYTES),
		IC_NEGOTIATE_MAX_BYTES);
	CU_ASSERT_EQUAL(ic_negotiate_request(&over, &full, 0, bytes, sizeof bytes), 0);
	CU_ASSERT_EQUAL(ic_negotiate_request(&full, &over, 0, bytes, sizeof bytes), 0);
	CU_ASSERT_EQUAL(ic_negotiate_request(&none, &full, 0, bytes, sizeof bytes), 0);
	CU_ASSERT_EQUAL(ic_negotiate_request(&full, &none, 0, bytes, sizeof bytes), 0);
}

static enum ic_rejection result_of(const uint8_t *bytes, size_t len, struct ic_agreement *agreed)
{
	const struct ic_component *shutdown = ic_component_find(IC_TYPE_SHUTDOWN);
	struct ic_message message;
	CU_ASSERT_EQUAL_FATAL(ic_message_decode(bytes, len, &message), IC_OK);
	return ic_negotiate_result(&message, &shutdown->frameworks, &shutdown->messages, agreed);
}

static void negotiation_result_takes_the_short_answer(void)
{
	struct ic_agreement agreed;
	CU_ASSERT_EQUAL(result_of(shutdown_answer, sizeof shutdown_answer, &agreed), IC_OK);
	CU_ASSERT_EQUAL(agreed.framework.major, 3);
	CU_ASSERT_EQUAL(agreed.message.major, 3);
	CU_ASSERT_EQUAL(agreed.message.minor, 2);
}

static void negotiation_result_names_what_is_wrong(void)
{
	const struct {
		size_t at;
		uint16_t value;
		enum ic_rejection want;
	} cases[] = {
		{AT_STATUS, 1, IC_REJECT_STATUS},
		{AT_BODY_BYTES, 7, IC_REJECT_BODY_SHORT},
		{AT_BODY_BYTES, 15, IC_REJECT_VERSION_LIST},
		{AT_FRAMEWORK_COUNT, 0, IC_REJECT_VERSION_COUNT},
		{AT_MESSAGE_COUNT, 0, IC_REJECT_VERSION_COUNT},
		{AT_FRAMEWORK_COUNT, 2, IC_REJECT_VERSION_COUNT},
		{AT_MESSAGE_COUNT, 0xFFFF, IC_REJECT_VERSION_COUNT},
		{AT_VERSIONS, 2, IC_REJECT_NOT_OFFERED},
		{AT_VERSIONS + 2, 1, IC_REJECT_NOT_OFFERED},
		{AT_VERSIONS + 4, 4, IC_REJECT_NOT_OFFERED},
		{AT_VERSIONS + 6, 3, IC_REJECT_NOT_OFFERED},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t bytes[sizeof shutdown_answer];
		memcpy(bytes, shutdown_answer, sizeof bytes);
		put16(bytes + cases[i].at, cases[i].value);
		struct ic_agreement agreed;
		CU_ASSERT_EQUAL(result_of(bytes, sizeof bytes, &agreed), cases[i].want);
	}
	uint8_t none[sizeof shutdown_answer];
	memcpy(none, shutdown_answer, sizeof none);
	memset(none + AT_FRAMEWORK_COUNT, 0, 4);
	struct ic_agreement agreed;
	CU_ASSERT_EQUAL(result_of(none, sizeof none, &agreed), IC_REJECT_NO_COMMON_VERSION);
}

static enum ic_rejection pick_of(const uint8_t *bytes, size_t len, struct ic_agreement *agreed)
{
	const struct linux_row *row = linux_row_find("shutdown");
	struct ic_message message;
	CU_ASSERT_EQUAL_FATAL(ic_message_decode(bytes, len, &message), IC_OK);
	return ic_negotiate_pick(&message, &row->frameworks, &row->messages, agreed);
}

/* R-IC-004. */
static void negotiation_pick_is_the_highest_whatever_the_order(void)
{
	/* The message versions of the request in every order. */
	static const uint8_t orders[24][4] = {{0, 1, 2, 3}, {0, 1, 3, 2}, {0, 2, 1, 3},
		{0, 2, 3, 1}, {0, 3, 1, 2}, {0, 3, 2, 1}, {1, 0, 2, 3}, {1, 0, 3, 2}, {1, 2, 0, 3},
		{1, 2, 3, 0}, {1, 3, 0, 2}, {1, 3, 2, 0}, {2, 0, 1, 3}, {2, 0, 3, 1}, {2, 1, 0, 3},
		{2, 1, 3, 0}, {2, 3, 0, 1}, {2, 3, 1, 0}, {3, 0, 1, 2}, {3, 0, 2, 1}, {3, 1, 0, 2},
		{3, 1, 2, 0}, {3, 2, 0, 1}, {3, 2, 1, 0}};
	for (size_t i = 0; i < 24; i++) {
		uint8_t bytes[sizeof shutdown_negotiation];
		memcpy(bytes, shutdown_negotiation, sizeof bytes);
		for (size_t v = 0; v < 4; v++)
			memcpy(bytes + AT_VERSIONS + 8 + 4 * v,
				shutdown_negotiation + AT_VERSIONS + 8 + 4 * orders[i][v], 4);
		struct ic_agreement agreed;
		CU_ASSERT_EQUAL(pick_of(bytes, sizeof bytes, &agreed), IC_OK);
		CU_ASSERT_EQUAL(agreed.framework.major, 3);
		CU_ASSERT_EQUAL(agreed.message.major, 3);
		CU_ASSERT_EQUAL(agreed.message.minor, 2);
	}
}

/* R-IC-011. */
static void negotiation_pick_names_what_is_wrong(void)
{
	const struct {
		size_t at;
		uint16_t value;
		enum ic_rejection want;
	} cases[] = {
		{AT_BODY_BYTES, 7, IC_REJECT_BODY_SHORT},
		{AT_BODY_BYTES, 31, IC_REJECT_VERSION_LIST},
		{AT_FRAMEWORK_COUNT, 0, IC_REJECT_VERSION_COUNT},
		{AT_FRAMEWORK_COUNT, 3, IC_REJECT_VERSION_LIST},
		{AT_FRAMEWORK_COUNT, 100, IC_REJECT_VERSION_LIST},
		{AT_FRAMEWORK_COUNT, 101, IC_REJECT_VERSION_COUNT},
		{AT_FRAMEWORK_COUNT, 0xFFFF, IC_REJECT_VERSION_COUNT},
		{AT_MESSAGE_COUNT, 0, IC_REJECT_VERSION_COUNT},
		{AT_MESSAGE_COUNT, 5, IC_REJECT_VERSION_LIST},
		{AT_MESSAGE_COUNT, 100, IC_REJECT_VERSION_LIST},
		{AT_MESSAGE_COUNT, 101, IC_REJECT_VERSION_COUNT},
		{AT_MESSAGE_COUNT, 1, IC_OK},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t bytes[sizeof shutdown_negotiation];
		memcpy(bytes, shutdown_negotiation, sizeof bytes);
		put16(bytes + cases[i].at, cases[i].value);
		struct ic_agreement agreed;
		CU_ASSERT_EQUAL(pick_of(bytes, sizeof bytes, &agreed), cases[i].want);
	}
	uint8_t foreign[sizeof shutdown_negotiation];
	memcpy(foreign, shutdown_negotiation, sizeof foreign);
	memset(foreign + AT_VERSIONS, 9, 8);
	struct ic_agreement agreed;
	CU_ASSERT_EQUAL(pick_of(foreign, sizeof foreign, &agreed), IC_REJECT_NO_COMMON_VERSION);
}

static const struct test tests[] = {
	TEST(message_decodes_header_and_body),
	TEST(message_padding_is_not_body),
	TEST(message_cut_anywhere_is_rejected),
	TEST(message_bad_fields_are_named),
	TEST(message_of_13312_bytes_is_the_largest),
	TEST(every_rejection_and_type_has_a_name),
	TEST(component_table_is_sorted_and_complete),
	TEST(negotiation_request_has_the_bytes_of_the_notes),
	TEST(negotiation_lists_are_bounded_at_100),
	TEST(negotiation_result_takes_the_short_answer),
	TEST(negotiation_result_names_what_is_wrong),
	TEST(negotiation_pick_is_the_highest_whatever_the_order),
	TEST(negotiation_pick_names_what_is_wrong),
};
TEST_MAIN("ic", tests)
