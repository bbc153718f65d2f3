// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: what is inside a packet. The first byte chooses the parser, the rest is
 * its input:
 *
 *	0 u16 end_gpn, u32 max_bytes, extended header of type 9
 *	1 u16 set, u32 buffer, extended header of type 7
 *	2 payload with a pipe header
 *
 * What a parser accepts must hold together: sums, bounds, and the same bytes when it is
 * written again.
 */
#include "protocol/packet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

enum { INPUT_MOST = 65536, RANGES_MOST = 512, STORE_BYTES = 8192 };

/* Write an accepted list again and compare, if it has not too many ranges. */
static void gpa_direct_rewrite(const uint8_t *extended, const struct packet_gpa_list *list)
{
	static struct packet_gpa_range ranges[RANGES_MOST];
	static uint64_t gpns[INPUT_MOST / 8];
	struct cursor c = cursor_over(list->ranges, list->ranges_bytes);
	size_t used = 0;

	if (list->range_count > RANGES_MOST)
		return;
	for (uint32_t i = 0; i < list->range_count; i++) {
		ranges[i].byte_count = cursor_u32(&c);
		ranges[i].byte_offset = cursor_u32(&c);
		ranges[i].gpns = &gpns[used];
		const uint32_t pages = packet_gpa_pages(
			ranges[i].byte_offset, ranges[i].byte_count);
		for (uint32_t k = 0; k < pages; k++)
			gpns[used++] = cursor_u64(&c);
	}
	CHECK(cursor_is_at_end(&c));
	const uint32_t bytes = packet_gpa_direct_bytes(ranges, list->range_count);
	CHECK(bytes == 8 + list->ranges_bytes);
	uint8_t *again = malloc(bytes);
	CHECK(again != NULL);
	CHECK(packet_gpa_direct_put(again, bytes, ranges, list->range_count) == 0);
	CHECK(memcmp(again + 4, extended + 4, bytes - 4) == 0);
	free(again);
}

static void gpa_direct_try(struct cursor *c)
{
	struct packet_gpa_limits limits;

	limits.end_gpn = (uint64_t)cursor_u16(c) << 8;
	limits.max_bytes = cursor_u32(c);
	const uint32_t bytes = (uint32_t)cursor_left(c);
	const uint8_t *extended = cursor_take(c, bytes);
	struct packet_gpa_list list;
	if (packet_gpa_direct_check(extended, bytes, &limits, &list) != PACKET_ACCEPTED) {
		CHECK(list.range_count == 0 && list.total_bytes == 0);
		return;
	}
	CHECK(list.range_count >= 1 && list.page_count >= list.range_count);
	CHECK(list.total_bytes >= 1 && list.total_bytes <= limits.max_bytes);
	CHECK(8 + list.ranges_bytes <= bytes);

	struct packet_gpa_iter iter = packet_gpa_iterate(&list);
	struct packet_segment segment;
	uint64_t total = 0;
	uint32_t segments = 0;
	while (packet_gpa_next(&iter, &segment)) {
		CHECK(segment.bytes >= 1);
		CHECK((segment.gpa + segment.bytes - 1) / PACKET_PAGE_BYTES < limits.end_gpn);
		total += segment.bytes;
		segments++;
	}
	CHECK(total == list.total_bytes && segments <= list.page_count);
	gpa_direct_rewrite(extended, &list);
}

static void transfer_pages_try(struct cursor *c)
{
	const uint16_t set_id = cursor_u16(c);
	const uint32_t buffer_bytes = cursor_u32(c);
	const uint32_t bytes = (uint32_t)cursor_left(c);
	static uint8_t store[STORE_BYTES];
	const struct packet_view view = {
		.type = PACKET_TYPE_TRANSFER_PAGES,
		.extended = cursor_take(c, bytes),
		.extended_bytes = bytes,
	};
	struct packet_transfer_list list;

	if (packet_transfer_pages_parse(&view, set_id, buffer_bytes, store, sizeof store, &list) !=
		PACKET_ACCEPTED) {
		CHECK(list.range_count == 0);
		return;
	}
	CHECK(list.range_count >= 1 && 8 + 8 * list.range_count == bytes);
	for (uint32_t i = 0; i < list.range_count; i++) {
		const struct packet_transfer_range_wire range = packet_transfer_range(&list, i);

		CHECK((uint64_t)range.byte_offset + range.byte_count <= buffer_bytes);
	}
}

static void pipe_try(struct cursor *c)
{
	const uint32_t bytes = (uint32_t)cursor_left(c);
	const uint8_t *payload = cursor_take(c, bytes);
	struct packet_pipe pipe;

	if (packet_pipe_parse(payload, bytes, &pipe) != PACKET_ACCEPTED) {
		CHECK(pipe.data == NULL && pipe.length == 0);
		return;
	}
	CHECK(pipe.length <= PACKET_PIPE_MAX_BYTES);
	CHECK(pipe.data == payload + 8 && pipe.length + 8 <= bytes);
	CHECK(pipe.is_end == (pipe.length == 0));
	uint8_t header[8];
	packet_pipe_put(header, pipe.length);
	CHECK(memcmp(header, payload, sizeof header) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_over(data, size < INPUT_MOST ? size : INPUT_MOST);

	switch (cursor_u8(&c) % 3) {
	case 0:
		gpa_direct_try(&c);
		break;
	case 1:
		transfer_pages_try(&c);
		break;
	default:
		pipe_try(&c);
		break;
	}
	return 0;
}
