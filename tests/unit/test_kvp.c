// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pairs on the wire: against the packets of a real guest and the bytes of the notes,
 * what is no pair, and bounds. Addresses are in test_kvp_ip.c.
 */
#include "protocol/kvp.h"
#include "tests/harness.h"
#include "tests/unit/kvp_golden.h"

#include <string.h>

/* The ten pairs of pool 2 as Linux 6.1 gave them. Rule R-KVP-007. */
static void pairs_of_linux_are_read(void)
{
	static const char *const values[KVP_AUTO_COUNT] = {
		"getaddrinfo failed: 0xfffffffd Temporary failure in name resolution", "3.1",
		"10.0.0.2", "fe80::215:5dff:fe01:203", "6.1.0-50-cloud-amd64", "Linux", "", "",
		"6.1.0", "x86_64"};
	static struct kvp_golden packet;
	static struct kvp_item item;
	struct kvp_enumerate_wire body;
	for (uint32_t i = 0; i < KVP_AUTO_COUNT; i++) {
		char kind[24];
		snprintf(kind, sizeof kind, "enumerate_%u", i);
		kvp_golden(kind, "g2h", &packet);
		memcpy(&body, packet.bytes + KVP_GOLDEN_BODY_AT, sizeof body);
		CU_ASSERT_EQUAL(body.index, i);
		CU_ASSERT_EQUAL(kvp_value_decode(&body.value, UTF16_REFUSE, &item), KVP_OK);
		CU_ASSERT_EQUAL(item.type, KVP_TYPE_STRING);
		CU_ASSERT_STRING_EQUAL(item.key, kvp_auto_key(i));
		CU_ASSERT_STRING_EQUAL(item.value, values[i]);
	}
	CU_ASSERT_PTR_NULL(kvp_auto_key(KVP_AUTO_COUNT));
}

/* "KVP enumerate response" as the notes write it out. */
static void a_pair_is_written_as_the_notes_have_it(void)
{
	static const uint8_t head[12] = {1, 0, 0, 0, 0x0E, 0, 0, 0, 0x0C, 0, 0, 0};
	static const uint8_t key[14] = {0x4F, 0, 0x53, 0, 0x4E, 0, 0x61, 0, 0x6D, 0, 0x65, 0, 0, 0};
	static const uint8_t value[12] = {0x4C, 0, 0x69, 0, 0x6E, 0, 0x75, 0, 0x78, 0, 0, 0};
	static const uint8_t zero[2036];
	static struct kvp_item item = {.type = 1, .key = "OSName", .value = "Linux"};
	static uint8_t bytes[2572];
	memset(bytes, 0xEE, sizeof bytes);
	CU_ASSERT_EQUAL(kvp_value_encode(&item, (struct kvp_value_wire *)bytes), KVP_OK);
	CU_ASSERT_EQUAL(memcmp(bytes, head, 12), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 12, key, 14), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 26, zero, 498), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 524, value, 12), 0);
	CU_ASSERT_EQUAL(memcmp(bytes + 536, zero, 2036), 0);
}

/* Rule R-KVP-008. */
static void numbers_have_the_size_of_their_type(void)
{
	static const struct {
		uint32_t type;
		uint32_t bytes;
		enum kvp_reason reason;
		const char *text;
	} rows[] = {
		{KVP_TYPE_U32, 4, KVP_OK, "4293844428"},
		{KVP_TYPE_U32, 3, KVP_BAD_VALUE_SIZE, ""},
		{KVP_TYPE_U32, 5, KVP_BAD_VALUE_SIZE, ""},
		{KVP_TYPE_U32, 0, KVP_BAD_VALUE_SIZE, ""},
		{KVP_TYPE_U64, 8, KVP_OK, "18441921396665671116"},
		{KVP_TYPE_U64, 7, KVP_BAD_VALUE_SIZE, ""},
		{KVP_TYPE_U64, 9, KVP_BAD_VALUE_SIZE, ""},
		{KVP_TYPE_U64, 4, KVP_BAD_VALUE_SIZE, ""},
		{KVP_TYPE_U64_LINUX, 8, KVP_BAD_TYPE, ""},
		{KVP_TYPE_NONE, 0, KVP_BAD_TYPE, ""},
		{3, 4, KVP_BAD_TYPE, ""},
		{0xFFFFFFFF, 4, KVP_BAD_TYPE, ""},
	};
	static struct kvp_item item;
	static struct kvp_item again;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct kvp_value_wire wire = {
			.type = rows[i].type, .key_bytes = 4, .value_bytes = rows[i].bytes};
		static const uint8_t value[8] = {0xCC, 0xDD, 0xEE, 0xFF, 0xCC, 0xDD, 0xEE, 0xFF};
		wire.key[0] = 'k';
		memcpy(wire.value, value, sizeof value);
		CU_ASSERT_EQUAL(kvp_value_decode(&wire, UTF16_REFUSE, &item), rows[i].reason);
		CU_ASSERT_STRING_EQUAL(item.value, rows[i].text);
		if (rows[i].reason != KVP_OK)
			continue;
		CU_ASSERT_EQUAL(kvp_value_encode(&item, &wire), KVP_OK);
		CU_ASSERT_EQUAL(wire.value_bytes, rows[i].bytes);
		CU_ASSERT_EQUAL(memcmp(wire.value, value, rows[i].bytes), 0);
		CU_ASSERT_EQUAL(kvp_value_decode(&wire, UTF16_REFUSE, &again), KVP_OK);
		CU_ASSERT_EQUAL(again.number, item.number);
	}
	struct kvp_value_wire wire;
	item = (struct kvp_item){.type = KVP_TYPE_U32, .number = 0x100000000ull, .key = "k"};
	CU_ASSERT_EQUAL(kvp_value_encode(&item, &wire), KVP_BAD_VALUE_SIZE);
	item.type = KVP_TYPE_NONE;
	CU_ASSERT_EQUAL(kvp_value_encode(&item, &wire), KVP_BAD_TYPE);
}

static void digits_are_numbers_within_their_bound(void)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool is_number;
	} rows[] = {{"0", 0, true}, {"1", 0, false}, {"4294967295", UINT32_MAX, true},
		{"4294967296", UINT32_MAX, false}, {"18446744073709551615", UINT64_MAX, true},
		{"18446744073709551616", UINT64_MAX, false},
		{"99999999999999999999", UINT64_MAX, false}, {"", UINT64_MAX, false},
		{"-1", UINT64_MAX, false}, {"1 ", UINT64_MAX, false}, {"0x1", UINT64_MAX, false}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t number = 7;
		CU_ASSERT_EQUAL(
			kvp_number_parse(rows[i].text, rows[i].max, &number), rows[i].is_number);
		if (!rows[i].is_number)
			CU_ASSERT_EQUAL(number, 7);
	}
}

/* Rules R-KVP-002, R-KVP-014, R-KVP-015. The key of 512 bytes is full of 'k'. */
static void sizes_of_texts_are_checked_at_their_bounds(void)
{
	static const struct {
		uint32_t key_bytes;
		uint32_t value_bytes;
		enum kvp_reason reason;
	} rows[] = {
		{512, 2048, KVP_OK}, {0, 2048, KVP_BAD_KEY_SIZE}, {511, 2048, KVP_BAD_KEY_SIZE},
		{513, 2048, KVP_BAD_KEY_SIZE}, {514, 2048, KVP_BAD_KEY_SIZE},
		{0xFFFFFFFE, 2048, KVP_BAD_KEY_SIZE}, {510, 2048, KVP_BAD_END},
		{512, 2047, KVP_BAD_VALUE_SIZE}, {512, 2049, KVP_BAD_VALUE_SIZE},
		{512, 2050, KVP_BAD_VALUE_SIZE}, {512, 0xFFFFFFFE, KVP_BAD_VALUE_SIZE},
		{512, 2046, KVP_BAD_END}, {512, 0, KVP_OK}, /* the empty string, without its NUL */
	};
	static struct kvp_item item;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct kvp_value_wire wire = {.type = KVP_TYPE_EXPAND_STRING,
			.key_bytes = rows[i].key_bytes,
			.value_bytes = rows[i].value_bytes};
		for (size_t k = 0; k < 255; k++)
			wire.key[2 * k] = 'k';
		for (size_t k = 0; k < 1023; k++)
			wire.value[2 * k] = 'v';
		CU_ASSERT_EQUAL(kvp_value_decode(&wire, UTF16_REFUSE, &item), rows[i].reason);
		if (rows[i].reason == KVP_OK)
			CU_ASSERT_EQUAL(strlen(item.key), 255);
		if (rows[i].reason == KVP_OK)
			CU_ASSERT_EQUAL(strlen(item.value), rows[i].value_bytes == 0 ? 0 : 1023);
	}
	struct kvp_value_wire wire = {.type = KVP_TYPE_STRING, .key_bytes = 512};
	memset(wire.key, 'k', sizeof wire.key);
	CU_ASSERT_EQUAL(kvp_value_decode(&wire, UTF16_REPLACE, &item), KVP_BAD_END);
	memset(wire.key, 0, sizeof wire.key);
	CU_ASSERT_EQUAL(kvp_value_decode(&wire, UTF16_REPLACE, &item), KVP_EMPTY_KEY);
}

static void the_longest_texts_are_written_and_one_unit_more_is_refused(void)
{
	static struct kvp_item item;
	static struct kvp_value_wire wire;
	item.type = KVP_TYPE_STRING;
	memset(item.key, 'k', 255);
	memset(item.value, 'v', 1023);
	CU_ASSERT_EQUAL(kvp_value_encode(&item, &wire), KVP_OK);
	CU_ASSERT_EQUAL(wire.key_bytes, 512);
	CU_ASSERT_EQUAL(wire.value_bytes, 2048);
	item.value[1023] = 'v';
	CU_ASSERT_EQUAL(kvp_value_encode(&item, &wire), KVP_NO_ROOM);
	item.value[1023] = '\0';
	item.key[255] = 'k';
	CU_ASSERT_EQUAL(kvp_value_encode(&item, &wire), KVP_NO_ROOM);
	/* Three bytes a unit: the longest that the buffers of the program hold. */
	for (size_t i = 0; i < 255; i++)
		memcpy(item.key + 3 * i, "\xe2\x82\xac", 3);
	for (size_t i = 0; i < 1023; i++)
		memcpy(item.value + 3 * i, "\xe2\x82\xac", 3);
	CU_ASSERT_EQUAL(kvp_value_encode(&item, &wire), KVP_OK);
	CU_ASSERT_EQUAL(wire.key_bytes, 512);
	static struct kvp_item again;
	CU_ASSERT_EQUAL(kvp_value_decode(&wire, UTF16_REFUSE, &again), KVP_OK);
	CU_ASSERT_STRING_EQUAL(again.key, item.key);
	CU_ASSERT_STRING_EQUAL(again.value, item.value);
}

/* Rule R-KVP-016. */
static void text_that_is_no_unicode_is_refused_or_replaced(void)
{
	static struct kvp_item item;
	struct kvp_value_wire wire = {.type = KVP_TYPE_STRING, .key_bytes = 4, .value_bytes = 4};
	wire.key[0] = 'k';
	wire.value[1] = 0xD8;
	CU_ASSERT_EQUAL(kvp_value_decode(&wire, UTF16_REFUSE, &item), KVP_BAD_TEXT);
	CU_ASSERT_EQUAL(kvp_value_decode(&wire, UTF16_REPLACE, &item), KVP_OK);
	CU_ASSERT_STRING_EQUAL(item.value, "\xef\xbf\xbd");
	wire.key[1] = 0xDC;
	CU_ASSERT_EQUAL(kvp_value_decode(&wire, UTF16_REFUSE, &item), KVP_BAD_TEXT);
	item = (struct kvp_item){.type = KVP_TYPE_STRING, .key = "k", .value = "\xff"};
	CU_ASSERT_EQUAL(kvp_value_encode(&item, &wire), KVP_BAD_TEXT);
	item = (struct kvp_item){.type = KVP_TYPE_STRING, .key = "\xff"};
	CU_ASSERT_EQUAL(kvp_value_encode(&item, &wire), KVP_BAD_TEXT);
	item.key[0] = '\0';
	CU_ASSERT_EQUAL(kvp_value_encode(&item, &wire), KVP_EMPTY_KEY);
}

/* Rule R-KVP-034. */
static void each_operation_needs_its_structure(void)
{
	const struct ic_version_wire four = {4, 0};
	const struct ic_version_wire five = {5, 0};
	static const size_t needs[] = {2576, 2576, 520, 2580, 7428, 7428};
	for (uint8_t i = 0; i < KVP_OPERATION_COUNT; i++) {
		CU_ASSERT_EQUAL(kvp_body_needs(i, four), needs[i]);
		CU_ASSERT_EQUAL(kvp_body_needs(i, five), i >= 4 ? 3716 : needs[i]);
	}
	CU_ASSERT_EQUAL(kvp_body_needs(KVP_OPERATION_COUNT, five), 0);
	CU_ASSERT_EQUAL(kvp_body_needs(255, four), 0);
}

static void names_are_there_for_all_and_for_none(void)
{
	CU_ASSERT_STRING_EQUAL(kvp_pool_name(KVP_POOL_AUTO_EXTERNAL), "auto-external");
	CU_ASSERT_STRING_EQUAL(kvp_pool_name(KVP_POOL_COUNT), "unknown");
	CU_ASSERT_STRING_EQUAL(kvp_operation_name(KVP_OPERATION_SET_IP), "set IP");
	CU_ASSERT_STRING_EQUAL(kvp_operation_name(KVP_OPERATION_COUNT), "unknown");
	CU_ASSERT_STRING_EQUAL(kvp_reason_name(KVP_REASON_COUNT), "unknown");
	for (unsigned i = 0; i < KVP_REASON_COUNT; i++)
		CU_ASSERT_PTR_NOT_NULL(kvp_reason_name((enum kvp_reason)i));
}

static const struct test tests[] = {
	TEST(pairs_of_linux_are_read),
	TEST(a_pair_is_written_as_the_notes_have_it),
	TEST(numbers_have_the_size_of_their_type),
	TEST(digits_are_numbers_within_their_bound),
	TEST(sizes_of_texts_are_checked_at_their_bounds),
	TEST(the_longest_texts_are_written_and_one_unit_more_is_refused),
	TEST(text_that_is_no_unicode_is_refused_or_replaced),
	TEST(each_operation_needs_its_structure),
	TEST(names_are_there_for_all_and_for_none),
};

TEST_MAIN("kvp", tests)
