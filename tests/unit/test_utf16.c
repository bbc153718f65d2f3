// SPDX-License-Identifier: Apache-2.0
/*
 * UTF-16LE and UTF-8: both directions, each length of a code point, what is no text, and
 * bounds. Expected bytes are those of the tables of RFC 2781 and RFC 3629, written out.
 */
#include "protocol/utf16.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

struct pair {
	const char *utf8;
	const char *utf16; /* without NUL */
	size_t bytes;	   /* of utf16 */
};

/* Least and largest code point of each length; a text of several. */
static const struct pair pairs[] = {
	{"", "", 0},
	{"a", "a\0", 2},
	{"\x01", "\x01\0", 2},
	{"\x7f", "\x7f\0", 2},
	{"\xc2\x80", "\x80\0", 2},
	{"\xdf\xbf", "\xff\x07", 2},
	{"\xe0\xa0\x80", "\0\x08", 2},
	{"\xed\x9f\xbf", "\xff\xd7", 2},
	{"\xee\x80\x80", "\0\xe0", 2},
	{"\xef\xbf\xbf", "\xff\xff", 2},
	{"\xf0\x90\x80\x80", "\0\xd8\0\xdc", 4},
	{"\xf4\x8f\xbf\xbf", "\xff\xdb\xff\xdf", 4},
	{"a\xe2\x82\xac\xf0\x9f\x98\x80z", "a\0\xac\x20\x3d\xd8\0\xdez\0", 10},
};
#define PAIRS (sizeof pairs / sizeof *pairs)

/* Exact copies, so that a sanitizer sees a byte too many. */
static void *copy_of(const void *from, size_t bytes)
{
	void *copy = malloc(bytes > 0 ? bytes : 1);
	memcpy(copy, from, bytes);
	return copy;
}

static void utf16_becomes_utf8_with_a_nul(void)
{
	for (size_t i = 0; i < PAIRS; i++) {
		size_t expected = strlen(pairs[i].utf8);
		char *from = copy_of(pairs[i].utf16, pairs[i].bytes);
		char *to = malloc(expected + 1);
		size_t length = 99;
		CU_ASSERT_EQUAL(utf16_to_utf8(from, pairs[i].bytes, UTF16_REFUSE, to, expected + 1,
					&length),
			UTF16_OK);
		CU_ASSERT_EQUAL(length, expected);
		CU_ASSERT_EQUAL(memcmp(to, pairs[i].utf8, expected + 1), 0);
		free(from);
		free(to);
	}
}

static void utf8_becomes_utf16_and_its_size_counts_the_nul(void)
{
	for (size_t i = 0; i < PAIRS; i++) {
		size_t length = strlen(pairs[i].utf8);
		char *from = copy_of(pairs[i].utf8, length);
		char *to = malloc(pairs[i].bytes + 2);
		size_t bytes = 99;
		CU_ASSERT_EQUAL(
			utf16_from_utf8(from, length, UTF16_REFUSE, to, pairs[i].bytes + 2, &bytes),
			UTF16_OK);
		CU_ASSERT_EQUAL(bytes, pairs[i].bytes + 2);
		CU_ASSERT_EQUAL(memcmp(to, pairs[i].utf16, pairs[i].bytes), 0);
		CU_ASSERT_EQUAL(memcmp(to + pairs[i].bytes, "\0\0", 2), 0);
		free(from);
		free(to);
	}
}

static void text_ends_at_the_first_nul(void)
{
	char utf8[16];
	char utf16[16];
	size_t size;
	CU_ASSERT_EQUAL(
		utf16_to_utf8("a\0\0\0b\0", 6, UTF16_REFUSE, utf8, sizeof utf8, &size), UTF16_OK);
	CU_ASSERT_EQUAL(size, 1);
	CU_ASSERT_STRING_EQUAL(utf8, "a");
	/* What is behind the NUL need not be text. */
	CU_ASSERT_EQUAL(
		utf16_to_utf8("a\0\0\0\0\xd8", 6, UTF16_REFUSE, utf8, sizeof utf8, NULL), UTF16_OK);
	CU_ASSERT_EQUAL(
		utf16_from_utf8("a\0\xff", 3, UTF16_REFUSE, utf16, sizeof utf16, &size), UTF16_OK);
	CU_ASSERT_EQUAL(size, 4);
}

static void a_field_with_a_zero_byte_in_a_unit_has_not_ended(void)
{
	char utf8[16];
	CU_ASSERT_EQUAL(
		utf16_to_utf8("\0\x01\x01\0", 4, UTF16_REFUSE, utf8, sizeof utf8, NULL), UTF16_OK);
	CU_ASSERT_STRING_EQUAL(utf8, "\xc4\x80\x01");
	CU_ASSERT_FALSE(utf16_has_nul("\x01\0\0\x01", 4)); /* zeros across two units */
	CU_ASSERT_TRUE(utf16_has_nul("\x01\0\0\0", 4));
	CU_ASSERT_FALSE(utf16_has_nul("\x01\0\0\0", 3));
	CU_ASSERT_FALSE(utf16_has_nul("", 0));
}

/* Surrogates alone: a low one, a high one at the end, before a letter, before a high one. */
static void surrogates_alone_are_refused_or_replaced(void)
{
	static const struct {
		const char *utf16;
		size_t bytes;
		const char *replaced;
	} rows[] = {
		{"\0\xdc", 2, "\xef\xbf\xbd"},
		{"\xff\xdf", 2, "\xef\xbf\xbd"},
		{"\0\xd8", 2, "\xef\xbf\xbd"},
		{"\xff\xdb\0\0", 4, "\xef\xbf\xbd"},
		{"\0\xd8z\0", 4, "\xef\xbf\xbdz"},
		{"\0\xd8\0\xd8\0\xdc", 6, "\xef\xbf\xbd\xf0\x90\x80\x80"},
		{"\0\xdc\0\xd8", 4, "\xef\xbf\xbd\xef\xbf\xbd"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *from = copy_of(rows[i].utf16, rows[i].bytes);
		char to[32] = "untouched";
		size_t length = 99;
		CU_ASSERT_EQUAL(
			utf16_to_utf8(from, rows[i].bytes, UTF16_REFUSE, to, sizeof to, &length),
			UTF16_INVALID);
		CU_ASSERT_EQUAL(length, 0);
		CU_ASSERT_EQUAL(to[0], '\0');
		CU_ASSERT_EQUAL(
			utf16_to_utf8(from, rows[i].bytes, UTF16_REPLACE, to, sizeof to, &length),
			UTF16_OK);
		CU_ASSERT_STRING_EQUAL(to, rows[i].replaced);
		free(from);
	}
}

/* Long forms, surrogates, past U+10FFFF, bytes cut off, bytes that never occur. */
static void bytes_that_are_no_utf8_are_refused_or_replaced(void)
{
	static const char *const rows[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z",
		"\xe0\x9f\xbf", "\xe1\x80", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
		"\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t length = strlen(rows[i]);
		char *from = copy_of(rows[i], length);
		uint8_t to[32] = {1, 1};
		size_t bytes = 99;
		CU_ASSERT_EQUAL(utf16_from_utf8(from, length, UTF16_REFUSE, to, sizeof to, &bytes),
			UTF16_INVALID);
		CU_ASSERT_EQUAL(bytes, 0);
		CU_ASSERT_EQUAL(memcmp(to, "\0\0", 2), 0);
		CU_ASSERT_EQUAL(utf16_from_utf8(from, length, UTF16_REPLACE, to, sizeof to, &bytes),
			UTF16_OK);
		CU_ASSERT_TRUE(bytes >= 4 && bytes <= 2 * length + 2);
		CU_ASSERT_EQUAL(memcmp(to, "\xfd\xff", 2), 0);
		CU_ASSERT_FALSE(utf16_is_utf8(rows[i], length + 1));
		free(from);
	}
	/* The letter behind a lead byte is kept. */
	uint8_t to[8];
	size_t bytes;
	CU_ASSERT_EQUAL(
		utf16_from_utf8("\xe2\x82z", 3, UTF16_REPLACE, to, sizeof to, &bytes), UTF16_OK);
	CU_ASSERT_EQUAL(bytes, 6);
	CU_ASSERT_EQUAL(memcmp(to, "\xfd\xffz\0\0\0", 6), 0);
}

static void text_that_does_not_fit_is_refused_and_not_cut(void)
{
	for (size_t i = 0; i < PAIRS; i++) {
		size_t length = strlen(pairs[i].utf8);
		for (size_t room = 0; room <= length; room++) {
			char *to = malloc(room > 0 ? room : 1);
			size_t written = 99;
			memset(to, 'x', room > 0 ? room : 1);
			CU_ASSERT_EQUAL(utf16_to_utf8(pairs[i].utf16, pairs[i].bytes, UTF16_REFUSE,
						to, room, &written),
				UTF16_NO_ROOM);
			CU_ASSERT_EQUAL(written, 0);
			CU_ASSERT_TRUE(to[0] == (room > 0 ? '\0' : 'x'));
			free(to);
		}
		for (size_t room = 0; room < pairs[i].bytes + 2; room++) {
			char *to = malloc(room > 0 ? room : 1);
			size_t written = 99;
			CU_ASSERT_EQUAL(utf16_from_utf8(pairs[i].utf8, length, UTF16_REFUSE, to,
						room, &written),
				UTF16_NO_ROOM);
			CU_ASSERT_EQUAL(written, 0);
			if (room >= 2)
				CU_ASSERT_EQUAL(memcmp(to, "\0\0", 2), 0);
			free(to);
		}
	}
}

static void half_a_unit_is_refused(void)
{
	char to[8] = "x";
	CU_ASSERT_EQUAL(
		utf16_to_utf8("a\0b", 3, UTF16_REPLACE, to, sizeof to, NULL), UTF16_ODD_SIZE);
	CU_ASSERT_STRING_EQUAL(to, "");
}

static void a_buffer_of_the_stated_size_holds_any_text(void)
{
	char utf16[8];
	char to[UTF16_UTF8_BYTES(4)];
	memset(utf16, 0xff, sizeof utf16); /* U+FFFF, three bytes each */
	CU_ASSERT_EQUAL(
		utf16_to_utf8(utf16, sizeof utf16, UTF16_REFUSE, to, sizeof to, NULL), UTF16_OK);
	CU_ASSERT_EQUAL(strlen(to), 12);
}

static void every_code_point_comes_back(void)
{
	uint32_t changed_back = 0;
	for (uint32_t code = 1; code <= 0x10FFFF; code++) {
		uint8_t utf16[4] = {(uint8_t)code, (uint8_t)(code >> 8)};
		size_t size = 2;
		uint8_t again[6];
		char utf8[5];
		size_t length;
		if (code >= 0xD800 && code <= 0xDFFF)
			continue;
		if (code > 0xFFFF) {
			uint32_t high = 0xD800 + ((code - 0x10000) >> 10);
			uint32_t low = 0xDC00 + ((code - 0x10000) & 0x3FF);
			utf16[0] = (uint8_t)high;
			utf16[1] = (uint8_t)(high >> 8);
			utf16[2] = (uint8_t)low;
			utf16[3] = (uint8_t)(low >> 8);
			size = 4;
		}
		if (utf16_to_utf8(utf16, size, UTF16_REFUSE, utf8, sizeof utf8, &length) !=
				UTF16_OK ||
			!utf16_is_utf8(utf8, length + 1) ||
			utf16_from_utf8(utf8, length, UTF16_REFUSE, again, sizeof again, &length) !=
				UTF16_OK ||
			length != size + 2 || memcmp(again, utf16, size) != 0) {
			CU_FAIL_FATAL("a code point was changed");
			return;
		}
		changed_back++;
	}
	/* All but NUL and the surrogates. */
	CU_ASSERT_EQUAL(changed_back, 0x110000u - 0x800u - 1u);
}

static void text_without_a_nul_is_no_text(void)
{
	char text[3] = {'a', 'b', 'c'};
	CU_ASSERT_FALSE(utf16_is_utf8(text, sizeof text));
	text[2] = '\0';
	CU_ASSERT_TRUE(utf16_is_utf8(text, sizeof text));
	CU_ASSERT_FALSE(utf16_is_utf8(text, 0));
}

static const struct test tests[] = {
	TEST(utf16_becomes_utf8_with_a_nul),
	TEST(utf8_becomes_utf16_and_its_size_counts_the_nul),
	TEST(text_ends_at_the_first_nul),
	TEST(a_field_with_a_zero_byte_in_a_unit_has_not_ended),
	TEST(surrogates_alone_are_refused_or_replaced),
	TEST(bytes_that_are_no_utf8_are_refused_or_replaced),
	TEST(text_that_does_not_fit_is_refused_and_not_cut),
	TEST(half_a_unit_is_refused),
	TEST(a_buffer_of_the_stated_size_holds_any_text),
	TEST(every_code_point_comes_back),
	TEST(text_without_a_nul_is_no_text),
};

TEST_MAIN("utf16", tests)
