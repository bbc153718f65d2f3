// SPDX-License-Identifier: Apache-2.0
/* The cursor: bounds, stickiness, sub-cursors, and the writer as its mirror. */
#include "protocol/cursor.h"
#include "tests/harness.h"

#include <string.h>

static const uint8_t bytes[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x10, 0x32, 0x54,
	0x76, 0x98, 0xba, 0xdc, 0xfe};

static void reader_takes_little_endian_integers_of_any_alignment(void)
{
	struct cursor c = cursor_over(bytes, sizeof bytes);

	CU_ASSERT_EQUAL(cursor_u8(&c), 0x01);
	CU_ASSERT_EQUAL(cursor_u16(&c), 0x4523);
	CU_ASSERT_EQUAL(cursor_u32(&c), 0xcdab8967);
	CU_ASSERT_EQUAL(cursor_u64(&c), 0xdcba9876543210ef);
	CU_ASSERT_EQUAL(cursor_left(&c), 1);
	CU_ASSERT_FALSE(cursor_is_at_end(&c));
	CU_ASSERT_EQUAL(cursor_u8(&c), 0xfe);
	CU_ASSERT_TRUE(cursor_is_at_end(&c));
}

/* Every read at every length: it succeeds exactly if the bytes are there. */
static void read_past_the_end_gives_zero_and_sticks(void)
{
	for (size_t length = 0; length < 8; length++) {
		for (size_t want = 1; want <= 8; want *= 2) {
			struct cursor c = cursor_over(bytes, length);
			const uint64_t got = want == 1	 ? cursor_u8(&c)
					     : want == 2 ? cursor_u16(&c)
					     : want == 4 ? cursor_u32(&c)
							 : cursor_u64(&c);

			CU_ASSERT_EQUAL(c.has_failed, want > length);
			if (want <= length) {
				CU_ASSERT_EQUAL(got & 0xFF, 0x01);
				CU_ASSERT_EQUAL(cursor_left(&c), length - want);
				continue;
			}
			CU_ASSERT_EQUAL(got, 0);
			CU_ASSERT_EQUAL(c.position, 0);
			/* nothing more comes out, though bytes are left */
			CU_ASSERT_EQUAL(cursor_u8(&c), 0);
			CU_ASSERT_EQUAL(cursor_left(&c), 0);
			CU_ASSERT_FALSE(cursor_is_at_end(&c));
			CU_ASSERT_PTR_NULL(cursor_take(&c, 0));
			CU_ASSERT_TRUE(c.has_failed);
		}
	}
}

static void sizes_near_the_largest_do_not_wrap(void)
{
	struct cursor c = cursor_over(bytes, sizeof bytes);

	cursor_skip(&c, 8);
	CU_ASSERT_PTR_NULL(cursor_take(&c, SIZE_MAX));
	CU_ASSERT_TRUE(c.has_failed);
	c = cursor_over(bytes, sizeof bytes);
	cursor_skip(&c, 8);
	cursor_skip(&c, SIZE_MAX - 7);
	CU_ASSERT_TRUE(c.has_failed);
	CU_ASSERT_EQUAL(c.position, 8);
}

static void failed_copy_zeroes_its_target(void)
{
	struct cursor c = cursor_over(bytes, 4);
	uint8_t target[6];

	memset(target, 0xEE, sizeof target);
	cursor_bytes(&c, target, 4);
	CU_ASSERT_EQUAL(memcmp(target, bytes, 4), 0);
	CU_ASSERT_EQUAL(target[4], 0xEE);
	c = cursor_over(bytes, 4);
	cursor_bytes(&c, target, 5);
	CU_ASSERT_EQUAL(memcmp(target, "\0\0\0\0\0\xEE", 6), 0);
	CU_ASSERT_TRUE(c.has_failed);
}

static void empty_cursor_over_nothing_is_fine(void)
{
	struct cursor c = cursor_over(NULL, 0);

	CU_ASSERT_TRUE(cursor_is_at_end(&c));
	cursor_bytes(&c, NULL, 0);
	cursor_skip(&c, 0);
	CU_ASSERT_FALSE(c.has_failed);
	CU_ASSERT_EQUAL(cursor_u8(&c), 0);
	CU_ASSERT_TRUE(c.has_failed);
}

static void sub_cursor_is_bounded_by_itself(void)
{
	struct cursor c = cursor_over(bytes, sizeof bytes);
	struct cursor sub = cursor_sub(&c, 3);

	CU_ASSERT_EQUAL(c.position, 3);
	CU_ASSERT_EQUAL(cursor_u16(&sub), 0x2301);
	CU_ASSERT_EQUAL(cursor_u16(&sub), 0);
	CU_ASSERT_TRUE(sub.has_failed);
	CU_ASSERT_FALSE(c.has_failed); /* the parent goes on behind it */
	CU_ASSERT_EQUAL(cursor_u8(&c), 0x67);

	sub = cursor_sub(&c, 13);
	CU_ASSERT_TRUE(sub.has_failed);
	CU_ASSERT_TRUE(c.has_failed);
	CU_ASSERT_EQUAL(cursor_u8(&sub), 0);
	sub = cursor_sub(&c, 0);
	CU_ASSERT_TRUE(sub.has_failed);
}

static void writer_mirrors_the_reader(void)
{
	uint8_t target[17];
	struct cursor_writer w = cursor_writer_over(target, 16);

	memset(target, 0xEE, sizeof target);
	cursor_put_u8(&w, 0x01);
	cursor_put_u16(&w, 0x4523);
	cursor_put_u32(&w, 0xcdab8967);
	cursor_put_u64(&w, 0xdcba9876543210ef);
	cursor_put_u8(&w, 0xfe);
	CU_ASSERT_EQUAL(cursor_writer_left(&w), 0);
	CU_ASSERT_FALSE(w.has_failed);
	CU_ASSERT_EQUAL(memcmp(target, bytes, 16), 0);
	cursor_put_u8(&w, 0x55);
	CU_ASSERT_TRUE(w.has_failed);
	CU_ASSERT_EQUAL(target[16], 0xEE);
}

static void write_past_the_end_changes_nothing_and_sticks(void)
{
	uint8_t target[8];
	struct cursor_writer w = cursor_writer_over(target, 6);

	memset(target, 0xEE, sizeof target);
	cursor_put_bytes(&w, bytes, 4);
	cursor_put_u32(&w, 0);
	CU_ASSERT_TRUE(w.has_failed);
	CU_ASSERT_EQUAL(w.position, 4);
	CU_ASSERT_EQUAL(target[4], 0xEE);
	cursor_put_u8(&w, 0);
	CU_ASSERT_EQUAL(target[4], 0xEE);
	CU_ASSERT_EQUAL(cursor_writer_left(&w), 0);
	CU_ASSERT_PTR_NULL(cursor_claim(&w, 0));
	w = cursor_writer_over(target, 6);
	cursor_put_u8(&w, 1);
	CU_ASSERT_PTR_NULL(cursor_claim(&w, SIZE_MAX));
	CU_ASSERT_EQUAL(w.position, 1);
}

static void zeros_and_claims_are_placed_in_order(void)
{
	uint8_t target[8];
	struct cursor_writer w = cursor_writer_over(target, 8);

	memset(target, 0xEE, sizeof target);
	cursor_put_zeros(&w, 3);
	uint8_t *claimed = cursor_claim(&w, 2);
	CU_ASSERT_PTR_EQUAL(claimed, target + 3);
	struct cursor_writer sub = cursor_writer_sub(&w, 2);
	cursor_put_u16(&sub, 0xBBAA);
	cursor_put_u8(&sub, 1);
	CU_ASSERT_TRUE(sub.has_failed);
	CU_ASSERT_FALSE(w.has_failed);
	cursor_put_u8(&w, 0x77);
	CU_ASSERT_EQUAL(memcmp(target, "\0\0\0\xEE\xEE\xAA\xBB\x77", 8), 0);
	sub = cursor_writer_sub(&w, 1);
	CU_ASSERT_TRUE(sub.has_failed);
	CU_ASSERT_TRUE(w.has_failed);
}

static const struct test tests[] = {
	TEST(reader_takes_little_endian_integers_of_any_alignment),
	TEST(read_past_the_end_gives_zero_and_sticks),
	TEST(sizes_near_the_largest_do_not_wrap),
	TEST(failed_copy_zeroes_its_target),
	TEST(empty_cursor_over_nothing_is_fine),
	TEST(sub_cursor_is_bounded_by_itself),
	TEST(writer_mirrors_the_reader),
	TEST(write_past_the_end_changes_nothing_and_sticks),
	TEST(zeros_and_claims_are_placed_in_order),
};

TEST_MAIN("cursor", tests)
