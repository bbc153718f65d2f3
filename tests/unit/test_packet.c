// SPDX-License-Identifier: Apache-2.0
/*
 * Page lists, transfer-page lists and pipe headers. Bytes marked as recorded come from a
 * Debian 6.1 cloud kernel; the others are written out from the layouts of
 * protocol/packet.md.
 */
#include "protocol/errors.h"
#include "protocol/packet.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

static const struct packet_gpa_limits roomy = {.max_bytes = UINT32_MAX, .end_gpn = 1ull << 52};

/* An extended header as 8-byte words; a pair of u32 is low, then high. */
#define PAIR(low, high) ((uint64_t)(low) | (uint64_t)(high) << 32)

/* ---- GPA-direct ------------------------------------------------------- */

/* Recorded: EXECUTE_SRB INQUIRY, one range of 36 bytes at 256 in page 0x5784. */
static const uint8_t recorded[24] = {0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x24, 0x00,
	0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x84, 0x57, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};

static void recorded_page_list_is_read(void)
{
	struct packet_gpa_list list;
	struct packet_segment segment;

	CU_ASSERT_EQUAL(
		packet_gpa_direct_check(recorded, sizeof recorded, &roomy, &list), PACKET_ACCEPTED);
	CU_ASSERT_EQUAL(list.range_count, 1);
	CU_ASSERT_EQUAL(list.page_count, 1);
	CU_ASSERT_EQUAL(list.total_bytes, 36);
	struct packet_gpa_iter iter = packet_gpa_iterate(&list);
	CU_ASSERT_TRUE(packet_gpa_next(&iter, &segment));
	CU_ASSERT_EQUAL(segment.gpa, 0x5784100);
	CU_ASSERT_EQUAL(segment.bytes, 36);
	CU_ASSERT_FALSE(packet_gpa_next(&iter, &segment));
}

static void recorded_page_list_is_written(void)
{
	const uint64_t gpn = 0x5784;
	const struct packet_gpa_range ranges[2] = {
		{.byte_count = 36, .byte_offset = 256, .gpns = &gpn},
		{.byte_count = 36, .byte_offset = 256, .first_gpn = 0x5784},
	};
	uint8_t extended[24];

	for (int i = 0; i < 2; i++) {
		memset(extended, 0xEE, sizeof extended);
		CU_ASSERT_EQUAL(packet_gpa_direct_bytes(&ranges[i], 1), 24);
		CU_ASSERT_EQUAL(packet_gpa_direct_put(extended, 24, &ranges[i], 1), 0);
		CU_ASSERT_EQUAL(memcmp(extended, recorded, sizeof recorded), 0);
	}
}

/* R-PKT-006: what the guest wrote, how many bytes of it there are, what it is called. */
static void malformed_page_lists_have_their_names(void)
{
	static const struct {
		uint64_t words[6];
		uint32_t bytes;
		enum packet_reject reason;
	} cases[] = {
		{{PAIR(0, 1), PAIR(1, 0), 5}, 24, PACKET_ACCEPTED},
		{{PAIR(0xA5A5A5A5, 1), PAIR(1, 0), 5}, 24, PACKET_ACCEPTED}, /* R-PKT-009 */
		{{PAIR(0, 1), PAIR(1, 4095), 5}, 24, PACKET_ACCEPTED},
		{{PAIR(0, 1), PAIR(1, 0), 5, 6}, 32, PACKET_ACCEPTED}, /* surplus ignored */
		{{PAIR(0, 1), PAIR(2, 4095), 5, 6}, 32, PACKET_ACCEPTED},
		{{PAIR(0, 1), PAIR(0x8000, 0), 5}, 24, PACKET_REJECT_RANGES_OVERRUN},
		{{PAIR(0, 1), PAIR(2, 4095), 5}, 24, PACKET_REJECT_RANGES_OVERRUN},
		{{PAIR(0, 1), PAIR(4097, 0), 5}, 24, PACKET_REJECT_RANGES_OVERRUN},
		{{PAIR(0, 1), PAIR(1, 0)}, 16, PACKET_REJECT_RANGES_OVERRUN},
		{{PAIR(0, 1)}, 8, PACKET_REJECT_RANGES_OVERRUN},
		{{PAIR(0, 2), PAIR(1, 0), 5}, 24, PACKET_REJECT_RANGES_OVERRUN},
		{{PAIR(0, 0xFFFFFFFF), PAIR(1, 0), 5}, 24, PACKET_REJECT_RANGES_OVERRUN},
		{{PAIR(0, 1), PAIR(0xFFFFFFFF, 4095), 5}, 24, PACKET_REJECT_RANGES_OVERRUN},
		{{PAIR(0, 0), PAIR(1, 0), 5}, 24, PACKET_REJECT_NO_RANGE},
		{{PAIR(0, 1), PAIR(0, 0), 5}, 24, PACKET_REJECT_RANGE_EMPTY},
		{{PAIR(0, 2), PAIR(1, 0), 5, PAIR(0, 0), 6}, 40, PACKET_REJECT_RANGE_EMPTY},
		{{PAIR(0, 1), PAIR(1, 4096), 5}, 24, PACKET_REJECT_RANGE_OFFSET},
		{{PAIR(0, 1), PAIR(1, 0xFFFFFFFF), 5}, 24, PACKET_REJECT_RANGE_OFFSET},
		{{PAIR(0, 1), PAIR(1, 0), 0x100}, 24, PACKET_REJECT_PAGE_NUMBER},
		{{PAIR(0, 1), PAIR(1, 0), 0xFF}, 24, PACKET_ACCEPTED}, /* the last page */
		{{PAIR(0, 1), PAIR(1, 0), 1ull << 52}, 24, PACKET_REJECT_PAGE_NUMBER},
		{{PAIR(0, 1), PAIR(1, 0), UINT64_MAX}, 24, PACKET_REJECT_PAGE_NUMBER},
		{{PAIR(0, 1), PAIR(8192, 0), 5, UINT64_MAX}, 32, PACKET_REJECT_PAGE_NUMBER},
		{{PAIR(0, 1), PAIR(8192, 0), 5, 6}, 32, PACKET_ACCEPTED}, /* at the limit */
		{{PAIR(0, 1), PAIR(8193, 0), 5, 6, 7}, 40, PACKET_REJECT_TOTAL_BYTES},
		{{PAIR(0, 2), PAIR(4096, 0), 5, PAIR(4097, 0), 6, 7}, 48,
			PACKET_REJECT_TOTAL_BYTES},
		{{0}, 0, PACKET_REJECT_EXTENDED_SHORT},
	};
	const struct packet_gpa_limits limits = {.max_bytes = 8192, .end_gpn = 0x100};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		/* an exact copy on the heap, so that reads past it are seen */
		uint8_t *copy = malloc(cases[i].bytes ? cases[i].bytes : 1);
		struct packet_gpa_list list;

		memcpy(copy, cases[i].words, cases[i].bytes);
		memset(&list, 0xEE, sizeof list);
		CU_ASSERT_EQUAL(packet_gpa_direct_check(copy, cases[i].bytes, &limits, &list),
			cases[i].reason);
		if (cases[i].reason != PACKET_ACCEPTED) {
			struct packet_gpa_iter iter = packet_gpa_iterate(&list);
			struct packet_segment segment;

			CU_ASSERT_EQUAL(list.range_count, 0);
			CU_ASSERT_FALSE(packet_gpa_next(&iter, &segment));
		}
		free(copy);
	}
}

/* R-PKT-007: random lists against a model that goes byte by byte over pages. */
static void random_page_lists_move_exactly_what_they_say(void)
{
	uint32_t random = 7;

	for (int round = 0; round < 2000; round++) {
		struct packet_gpa_range ranges[5];
		uint64_t gpns[5][16];
		uint32_t count = 1 + (uint32_t)round % 5;
		uint64_t total = 0;
		uint32_t pages = 0;

		for (uint32_t i = 0; i < count; i++) {
			random = random * 1664525 + 1013904223;
			ranges[i].byte_offset = random >> 20 & 0xFFF;
			ranges[i].byte_count = 1 + (random >> 8) % 57000;
			ranges[i].gpns = random & 1 ? gpns[i] : NULL;
			ranges[i].first_gpn = 1000 * i + 5;
			for (uint32_t k = 0; k < 16; k++) {
				random = random * 1664525 + 1013904223;
				/* often, but not always, one behind the other */
				gpns[i][k] = k && random >> 30 ? gpns[i][k - 1] + 1 : random >> 8;
			}
			total += ranges[i].byte_count;
			pages += (ranges[i].byte_offset + ranges[i].byte_count + 4095) / 4096;
		}
		uint32_t bytes = packet_gpa_direct_bytes(ranges, count);
		CU_ASSERT_EQUAL(bytes, 8 + 8 * count + 8 * pages);
		uint8_t *extended = malloc(bytes);
		struct packet_gpa_list list;
		struct packet_segment segment = {0, 0};
		CU_ASSERT_EQUAL(packet_gpa_direct_put(extended, bytes, ranges, count), 0);
		CU_ASSERT_EQUAL(
			packet_gpa_direct_check(extended, bytes, &roomy, &list), PACKET_ACCEPTED);
		CU_ASSERT_EQUAL(list.total_bytes, total);
		CU_ASSERT_EQUAL(list.page_count, pages);

		struct packet_gpa_iter iter = packet_gpa_iterate(&list);
		uint64_t used = 0; /* of the segment */
		bool is_right = true;
		for (uint32_t i = 0; i < count; i++) {
			for (uint32_t b = 0; b < ranges[i].byte_count; b++) {
				uint32_t at = ranges[i].byte_offset + b;
				uint64_t gpn = ranges[i].gpns ? gpns[i][at / 4096]
							      : ranges[i].first_gpn + at / 4096;

				if (used == segment.bytes) {
					is_right = is_right && packet_gpa_next(&iter, &segment);
					used = 0;
				}
				is_right = is_right && segment.gpa + used == gpn * 4096 + at % 4096;
				used++;
			}
		}
		CU_ASSERT_TRUE(is_right);
		CU_ASSERT_EQUAL(used, segment.bytes);
		CU_ASSERT_FALSE(packet_gpa_next(&iter, &segment));
		free(extended);
	}
}

static void neighbouring_pages_come_as_one_segment(void)
{
	const uint64_t words[7] = {PAIR(0, 1), PAIR(4 * 4096 - 100 - 50, 100), 10, 11, 13, 14, 99};
	struct packet_gpa_list list;
	struct packet_segment segment;

	CU_ASSERT_EQUAL(
		packet_gpa_direct_check(words, sizeof words, &roomy, &list), PACKET_ACCEPTED);
	struct packet_gpa_iter iter = packet_gpa_iterate(&list);
	CU_ASSERT_TRUE(packet_gpa_next(&iter, &segment));
	CU_ASSERT_EQUAL(segment.gpa, 10 * 4096 + 100);
	CU_ASSERT_EQUAL(segment.bytes, 2 * 4096 - 100);
	CU_ASSERT_TRUE(packet_gpa_next(&iter, &segment));
	CU_ASSERT_EQUAL(segment.gpa, 13 * 4096);
	CU_ASSERT_EQUAL(segment.bytes, 2 * 4096 - 50);
	CU_ASSERT_FALSE(packet_gpa_next(&iter, &segment));
}

static void page_list_builder_refuses_what_cannot_be(void)
{
	struct packet_gpa_range range = {.byte_count = 4096, .first_gpn = 1};
	uint8_t extended[64];

	CU_ASSERT_EQUAL(packet_gpa_direct_bytes(&range, 0), 0);
	CU_ASSERT_EQUAL(packet_gpa_direct_put(extended, 8, &range, 0), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(packet_gpa_direct_put(extended, 16, &range, 1), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(packet_gpa_direct_put(extended, 4, &range, 1), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(packet_gpa_direct_put(extended, 32, &range, 1), -VIRIDIAN_EINVAL);
	range.byte_offset = 4096;
	CU_ASSERT_EQUAL(packet_gpa_direct_bytes(&range, 1), 0);
	CU_ASSERT_EQUAL(packet_gpa_direct_put(extended, 32, &range, 1), -VIRIDIAN_EINVAL);
	range.byte_offset = 0;
	range.byte_count = 0;
	CU_ASSERT_EQUAL(packet_gpa_direct_bytes(&range, 1), 0);
	CU_ASSERT_EQUAL(packet_gpa_direct_put(extended, 24, &range, 1), -VIRIDIAN_EINVAL);
	/* 65,535 units, of which two for the descriptor and two for headers */
	range.byte_count = 65531u * 4096;
	CU_ASSERT_EQUAL(packet_gpa_direct_bytes(&range, 1), 65533 * 8);
	range.byte_count++;
	CU_ASSERT_EQUAL(packet_gpa_direct_bytes(&range, 1), 0);
}

static struct packet_view view_of(uint16_t type, const void *extended, uint32_t bytes)
{
	const struct packet_view view = {
		.type = type, .extended = extended, .extended_bytes = bytes};

	return view;
}

static void parsing_copies_and_bounds_the_extended_header(void)
{
	uint64_t words[3] = {PAIR(0, 1), PAIR(100, 0), 5};
	uint64_t store[3];
	struct packet_gpa_list list;
	struct packet_view view = view_of(PACKET_TYPE_GPA_DIRECT, words, sizeof words);

	CU_ASSERT_EQUAL(packet_gpa_direct_parse(&view, &roomy, store, sizeof store - 1, &list),
		PACKET_REJECT_EXTENDED_TOO_LONG);
	CU_ASSERT_EQUAL(list.range_count, 0);
	CU_ASSERT_EQUAL(packet_gpa_direct_parse(&view, &roomy, store, sizeof store, &list),
		PACKET_ACCEPTED);
	memset(words, 0xFF, sizeof words); /* the peer, later */
	struct packet_gpa_iter iter = packet_gpa_iterate(&list);
	struct packet_segment segment;
	CU_ASSERT_TRUE(packet_gpa_next(&iter, &segment));
	CU_ASSERT_EQUAL(segment.gpa, 5 * 4096);
	CU_ASSERT_EQUAL(segment.bytes, 100);

	view.type = PACKET_TYPE_INBAND;
	CU_ASSERT_EQUAL(packet_gpa_direct_parse(&view, &roomy, store, sizeof store, &list),
		PACKET_REJECT_TYPE);
	view.type = PACKET_TYPE_GPA_DIRECT;
	struct packet_transfer_list ranges;
	CU_ASSERT_EQUAL(packet_transfer_pages_parse(&view, 0, 100, store, sizeof store, &ranges),
		PACKET_REJECT_TYPE);
	CU_ASSERT_EQUAL(ranges.range_count, 0);
}

/* ---- transfer pages --------------------------------------------------- */

/* R-PKT-015, and the layout: 0xCAFE is the set that network channels use. */
static void transfer_page_header_has_its_bytes(void)
{
	static const uint8_t expected[24] = {0xfe, 0xca, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x34,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x88, 0x00, 0x00, 0x00, 0xc0, 0x06, 0x00,
		0x00};
	const struct packet_transfer_range_wire ranges[2] = {{52, 0}, {136, 1728}};
	uint8_t extended[24];

	CU_ASSERT_EQUAL(packet_transfer_pages_bytes(2), 24);
	CU_ASSERT_EQUAL(packet_transfer_pages_put(extended, 24, 0xCAFE, ranges, 2), 0);
	CU_ASSERT_EQUAL(memcmp(extended, expected, sizeof expected), 0);
	CU_ASSERT_EQUAL(
		packet_transfer_pages_put(extended, 16, 0xCAFE, ranges, 2), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(
		packet_transfer_pages_put(extended, 0, 0xCAFE, ranges, 0), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(packet_transfer_pages_bytes(0), 0);
	CU_ASSERT_EQUAL(packet_transfer_pages_bytes(65532), 65533 * 8);
	CU_ASSERT_EQUAL(packet_transfer_pages_bytes(65533), 0);
	CU_ASSERT_EQUAL(packet_transfer_pages_bytes(UINT32_MAX), 0);
}

static void transfer_pages_come_back_as_they_were_sent(void)
{
	static const uint32_t counts[] = {1, 2, 375};
	static struct packet_transfer_range_wire ranges[375];
	static uint8_t extended[8 + 375 * 8];
	static uint8_t store[sizeof extended];

	for (uint32_t i = 0; i < 375; i++)
		ranges[i] = (struct packet_transfer_range_wire){i, 1000 * i};
	for (size_t c = 0; c < 3; c++) {
		const uint32_t bytes = packet_transfer_pages_bytes(counts[c]);
		struct packet_transfer_list list;

		CU_ASSERT_EQUAL(bytes, 8 + 8 * counts[c]);
		CU_ASSERT_EQUAL(
			packet_transfer_pages_put(extended, bytes, 7, ranges, counts[c]), 0);
		const struct packet_view view = view_of(
			PACKET_TYPE_TRANSFER_PAGES, extended, bytes);
		CU_ASSERT_EQUAL(
			packet_transfer_pages_parse(&view, 7, 1 << 20, store, sizeof store, &list),
			PACKET_ACCEPTED);
		CU_ASSERT_EQUAL(list.range_count, counts[c]);
		for (uint32_t i = 0; i < counts[c]; i++) {
			const struct packet_transfer_range_wire range = packet_transfer_range(
				&list, i);

			CU_ASSERT_EQUAL(range.byte_count, i);
			CU_ASSERT_EQUAL(range.byte_offset, 1000 * i);
		}
		CU_ASSERT_EQUAL(packet_transfer_range(&list, counts[c]).byte_offset, 0);
	}
}

/* R-PKT-008, R-PKT-010, R-PKT-015 from the receiver's side; the buffer has 4096 bytes. */
static void malformed_transfer_pages_have_their_names(void)
{
	static const struct {
		uint64_t words[3];
		uint32_t bytes;
		enum packet_reject reason;
	} cases[] = {
		{{PAIR(7, 1), PAIR(4096, 0)}, 16, PACKET_ACCEPTED},
		{{PAIR(0xA5010007, 1), PAIR(4096, 0)}, 16, PACKET_ACCEPTED}, /* R-PKT-009 */
		{{PAIR(7, 1), PAIR(1, 4095)}, 16, PACKET_ACCEPTED},
		{{PAIR(7, 1), PAIR(0, 4096)}, 16, PACKET_ACCEPTED},
		{{PAIR(7, 2), PAIR(1, 0), PAIR(2, 8)}, 24, PACKET_ACCEPTED},
		{{PAIR(7, 1), PAIR(4097, 0)}, 16, PACKET_REJECT_RANGE_OUTSIDE},
		{{PAIR(7, 1), PAIR(1, 4096)}, 16, PACKET_REJECT_RANGE_OUTSIDE},
		{{PAIR(7, 1), PAIR(0, 4097)}, 16, PACKET_REJECT_RANGE_OUTSIDE},
		{{PAIR(7, 1), PAIR(2, 0xFFFFFFFF)}, 16, PACKET_REJECT_RANGE_OUTSIDE},
		{{PAIR(7, 1), PAIR(0xFFFFFFFF, 2)}, 16, PACKET_REJECT_RANGE_OUTSIDE},
		{{PAIR(7, 2), PAIR(1, 0), PAIR(1, 4096)}, 24, PACKET_REJECT_RANGE_OUTSIDE},
		{{PAIR(7, 2), PAIR(1, 0)}, 16, PACKET_REJECT_RANGE_COUNT},
		{{PAIR(7, 1), PAIR(1, 0), PAIR(1, 0)}, 24, PACKET_REJECT_RANGE_COUNT},
		{{PAIR(7, 0x20000001), PAIR(1, 0)}, 16, PACKET_REJECT_RANGE_COUNT},
		{{PAIR(7, 0xFFFFFFFF), PAIR(1, 0)}, 16, PACKET_REJECT_RANGE_COUNT},
		{{PAIR(7, 0)}, 8, PACKET_REJECT_NO_RANGE},
		{{PAIR(7, 0), PAIR(1, 0)}, 16, PACKET_REJECT_NO_RANGE},
		{{PAIR(0xFFFF, 1), PAIR(1, 0)}, 16, PACKET_REJECT_SET_ID},
		{{PAIR(6, 1), PAIR(1, 0)}, 16, PACKET_REJECT_SET_ID},
		{{0}, 0, PACKET_REJECT_EXTENDED_SHORT},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t *copy = malloc(cases[i].bytes ? cases[i].bytes : 1);
		struct packet_transfer_list list = {copy, 99};

		memcpy(copy, cases[i].words, cases[i].bytes);
		CU_ASSERT_EQUAL(packet_transfer_pages_check(copy, cases[i].bytes, 7, 4096, &list),
			cases[i].reason);
		CU_ASSERT_EQUAL(list.range_count == 0, cases[i].reason != PACKET_ACCEPTED);
		free(copy);
	}
}

/* ---- pipe ------------------------------------------------------------- */

/* R-PKT-013 */
static void pipe_headers_are_checked(void)
{
	static const struct {
		uint32_t type;
		uint32_t length;
		uint32_t payload_bytes;
		enum packet_reject reason;
	} cases[] = {
		{1, 8, 16, PACKET_ACCEPTED},
		{1, 1, 16, PACKET_ACCEPTED}, /* the rest is pad */
		{1, 0, 8, PACKET_ACCEPTED},  /* end of stream */
		{1, 16384, 16392, PACKET_ACCEPTED},
		{1, 16385, 16400, PACKET_REJECT_PIPE_TOO_LONG},
		{1, 0xFFFFFFFF, 16, PACKET_REJECT_PIPE_TOO_LONG},
		{1, 9, 16, PACKET_REJECT_PIPE_LENGTH},
		{1, 1, 8, PACKET_REJECT_PIPE_LENGTH},
		{0, 8, 16, PACKET_REJECT_PIPE_TYPE},
		{2, 8, 16, PACKET_REJECT_PIPE_TYPE}, /* never sent */
		{3, 8, 16, PACKET_REJECT_PIPE_TYPE},
		{0x100, 8, 16, PACKET_REJECT_PIPE_TYPE},
		{0xFFFFFFFF, 8, 16, PACKET_REJECT_PIPE_TYPE},
		{1, 0, 0, PACKET_REJECT_PIPE_SHORT},
		{1, 0, 7, PACKET_REJECT_PIPE_SHORT},
	};
	static uint8_t payload[16400];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct packet_pipe pipe;

		memcpy(payload, &cases[i].type, 4);
		memcpy(payload + 4, &cases[i].length, 4);
		CU_ASSERT_EQUAL(
			packet_pipe_parse(payload, cases[i].payload_bytes, &pipe), cases[i].reason);
		if (cases[i].reason == PACKET_ACCEPTED) {
			CU_ASSERT_PTR_EQUAL(pipe.data, payload + 8);
			CU_ASSERT_EQUAL(pipe.length, cases[i].length);
			CU_ASSERT_EQUAL(pipe.is_end, cases[i].length == 0);
		} else {
			CU_ASSERT_PTR_NULL(pipe.data);
			CU_ASSERT_EQUAL(pipe.length, 0);
			CU_ASSERT_FALSE(pipe.is_end);
		}
	}
}

static void pipe_header_has_its_bytes(void)
{
	uint8_t header[8];

	packet_pipe_put(header, 0x1234);
	CU_ASSERT_EQUAL(memcmp(header, "\x01\x00\x00\x00\x34\x12\x00\x00", 8), 0);
}

/* ---- the rest --------------------------------------------------------- */

static void totals_include_pad_and_trailer(void)
{
	CU_ASSERT_EQUAL(packet_total_bytes(0, 0), 24);
	CU_ASSERT_EQUAL(packet_total_bytes(0, 1), 32);
	CU_ASSERT_EQUAL(packet_total_bytes(0, 8), 32);
	CU_ASSERT_EQUAL(packet_total_bytes(24, 64), 112);
	CU_ASSERT_EQUAL(
		packet_total_bytes(UINT32_MAX, UINT32_MAX), 24 + 0xFFFFFFFFull + 0x100000000ull);
	CU_ASSERT_EQUAL(packet_gpa_pages(0, 1), 1);
	CU_ASSERT_EQUAL(packet_gpa_pages(0, 4096), 1);
	CU_ASSERT_EQUAL(packet_gpa_pages(1, 4096), 2);
	CU_ASSERT_EQUAL(packet_gpa_pages(4095, UINT32_MAX), 0x100000 + 1);
}

/* R-PKT-001, R-PKT-002: the flag decides, whatever the id is. */
static void completion_is_wanted_only_with_the_flag(void)
{
	struct packet_view view = {.flags = 0, .transaction_id = 5};

	CU_ASSERT_FALSE(packet_wants_completion(&view));
	view.flags = PACKET_FLAG_COMPLETION_REQUESTED;
	view.transaction_id = 0;
	CU_ASSERT_TRUE(packet_wants_completion(&view));
}

static void reasons_and_types_have_names(void)
{
	CU_ASSERT_STRING_EQUAL(packet_reject_name(PACKET_ACCEPTED), "accepted");
	CU_ASSERT_STRING_EQUAL(
		packet_reject_name(PACKET_REJECT_PIPE_TOO_LONG), "pipe-length-past-limit");
	CU_ASSERT_STRING_EQUAL(packet_reject_name(PACKET_REJECT_COUNT), "unknown");
	CU_ASSERT_STRING_EQUAL(packet_type_name(6), "in-band");
	CU_ASSERT_STRING_EQUAL(packet_type_name(7), "transfer-pages");
	CU_ASSERT_STRING_EQUAL(packet_type_name(9), "gpa-direct");
	CU_ASSERT_STRING_EQUAL(packet_type_name(11), "completion");
	CU_ASSERT_STRING_EQUAL(packet_type_name(8), "unknown");
	for (int i = 0; i < PACKET_REJECT_COUNT; i++)
		CU_ASSERT_TRUE(strlen(packet_reject_name((enum packet_reject)i)) > 3);
}

static const struct test tests[] = {
	TEST(recorded_page_list_is_read),
	TEST(recorded_page_list_is_written),
	TEST(malformed_page_lists_have_their_names),
	TEST(random_page_lists_move_exactly_what_they_say),
	TEST(neighbouring_pages_come_as_one_segment),
	TEST(page_list_builder_refuses_what_cannot_be),
	TEST(parsing_copies_and_bounds_the_extended_header),
	TEST(transfer_page_header_has_its_bytes),
	TEST(transfer_pages_come_back_as_they_were_sent),
	TEST(malformed_transfer_pages_have_their_names),
	TEST(pipe_headers_are_checked),
	TEST(pipe_header_has_its_bytes),
	TEST(totals_include_pad_and_trailer),
	TEST(completion_is_wanted_only_with_the_flag),
	TEST(reasons_and_types_have_names),
};

TEST_MAIN("packet", tests)
