// SPDX-License-Identifier: Apache-2.0
/*
 * Builders and parsers of what all packets have in common: page lists (type 9),
 * pieces of an agreed buffer (type 7), pipe headers. Freestanding, no state.
 *
 * Parsers come in pairs: *_parse copies the extended header out of the ring once and
 * hands the copy to *_check, which trusts nothing in it. After *_check has accepted a
 * list, walking it needs no more checks, because the list is private.
 *
 * Sources: R-PKT-001 .. R-PKT-015; packet.md.
 */
#include "protocol/packet.h"

#include "protocol/errors.h"

const char *packet_reject_name(enum packet_reject reason)
{
#define PACKET_NAME(constant, word) word,
	static const char *const names[] = {PACKET_REJECTS(PACKET_NAME)};
#undef PACKET_NAME

	return (unsigned int)reason < PACKET_REJECT_COUNT ? names[reason] : "unknown";
}

const char *packet_type_name(uint16_t type)
{
	switch (type) {
	case PACKET_TYPE_INBAND:
		return "in-band";
	case PACKET_TYPE_TRANSFER_PAGES:
		return "transfer-pages";
	case PACKET_TYPE_GPA_DIRECT:
		return "gpa-direct";
	case PACKET_TYPE_COMPLETION:
		return "completion";
	default:
		return "unknown";
	}
}

/* What a descriptor can say about where the payload starts. */
#define EXTENDED_MAX_BYTES                                                                         \
	((uint64_t)PACKET_MAX_LENGTH8 * PACKET_UNIT_BYTES - PACKET_DESCRIPTOR_BYTES)

/* ---- GPA-direct ------------------------------------------------------- */

uint32_t packet_gpa_direct_bytes(const struct packet_gpa_range *ranges, uint32_t count)
{
	uint64_t bytes = PACKET_GPA_DIRECT_HEADER_BYTES;

	for (uint32_t i = 0; i < count; i++) {
		if (ranges[i].byte_count == 0 || ranges[i].byte_offset >= PACKET_PAGE_BYTES)
			return 0;
		bytes += PACKET_GPA_RANGE_HEADER_BYTES +
			 (uint64_t)packet_gpa_pages(ranges[i].byte_offset, ranges[i].byte_count) *
				 sizeof(uint64_t);
		if (bytes > EXTENDED_MAX_BYTES)
			return 0;
	}
	return count ? (uint32_t)bytes : 0;
}

int packet_gpa_direct_put(uint8_t *extended, uint32_t extended_bytes,
	const struct packet_gpa_range *ranges, uint32_t count)
{
	struct cursor_writer w = cursor_writer_over(extended, extended_bytes);

	cursor_put_u32(&w, 0);
	cursor_put_u32(&w, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct packet_gpa_range *range = &ranges[i];
		uint32_t pages = packet_gpa_pages(range->byte_offset, range->byte_count);

		if (range->byte_count == 0 || range->byte_offset >= PACKET_PAGE_BYTES)
			return -VIRIDIAN_EINVAL;
		if (cursor_writer_left(&w) <
			PACKET_GPA_RANGE_HEADER_BYTES + (uint64_t)pages * sizeof(uint64_t))
			return -VIRIDIAN_EINVAL;
		cursor_put_u32(&w, range->byte_count);
		cursor_put_u32(&w, range->byte_offset);
		for (uint32_t page = 0; page < pages; page++)
			cursor_put_u64(
				&w, range->gpns ? range->gpns[page] : range->first_gpn + page);
	}
	return count > 0 && !w.has_failed && w.position == extended_bytes ? 0 : -VIRIDIAN_EINVAL;
}

/* Check one range and move behind it; adds it to the list's sums. */
static enum packet_reject gpa_range_check(
	struct cursor *c, const struct packet_gpa_limits *limits, struct packet_gpa_list *list)
{
	uint32_t byte_count = cursor_u32(c);
	uint32_t byte_offset = cursor_u32(c);

	if (c->has_failed)
		return PACKET_REJECT_RANGES_OVERRUN;
	if (byte_count == 0)
		return PACKET_REJECT_RANGE_EMPTY;
	if (byte_offset >= PACKET_PAGE_BYTES)
		return PACKET_REJECT_RANGE_OFFSET;

	uint32_t pages = packet_gpa_pages(byte_offset, byte_count);
	struct cursor numbers = cursor_sub(c, (size_t)pages * sizeof(uint64_t));
	if (c->has_failed)
		return PACKET_REJECT_RANGES_OVERRUN;
	if (byte_count > limits->max_bytes - list->total_bytes)
		return PACKET_REJECT_TOTAL_BYTES;
	for (uint32_t page = 0; page < pages; page++) {
		if (cursor_u64(&numbers) >= limits->end_gpn)
			return PACKET_REJECT_PAGE_NUMBER;
	}
	list->total_bytes += byte_count;
	list->page_count += pages;
	return PACKET_ACCEPTED;
}

enum packet_reject packet_gpa_direct_check(const void *extended, uint32_t extended_bytes,
	const struct packet_gpa_limits *limits, struct packet_gpa_list *list)
{
	struct cursor c = cursor_over(extended, extended_bytes);
	struct packet_gpa_list found = {0};

	__builtin_memset(list, 0, sizeof *list);
	cursor_skip(&c, sizeof(uint32_t)); /* reserved, may be anything (R-PKT-009) */
	found.range_count = cursor_u32(&c);
	if (c.has_failed)
		return PACKET_REJECT_EXTENDED_SHORT;
	if (found.range_count == 0)
		return PACKET_REJECT_NO_RANGE;

	found.ranges = c.base + c.position;
	for (uint32_t i = 0; i < found.range_count; i++) {
		enum packet_reject reason = gpa_range_check(&c, limits, &found);

		if (reason != PACKET_ACCEPTED)
			return reason;
	}
	found.ranges_bytes = (uint32_t)c.position - PACKET_GPA_DIRECT_HEADER_BYTES;
	*list = found;
	return PACKET_ACCEPTED;
}

/* Bring the extended header of a packet of `type` into private memory. */
static enum packet_reject extended_copy(
	const struct packet_view *view, uint16_t type, void *store, uint32_t store_bytes)
{
	if (view->type != type)
		return PACKET_REJECT_TYPE;
	if (view->extended_bytes > store_bytes)
		return PACKET_REJECT_EXTENDED_TOO_LONG;
	if (view->extended_bytes > 0) /* `store` may be NULL then */
		packet_copy_in(store, view->extended, view->extended_bytes);
	return PACKET_ACCEPTED;
}

enum packet_reject packet_gpa_direct_parse(const struct packet_view *view,
	const struct packet_gpa_limits *limits, void *store, uint32_t store_bytes,
	struct packet_gpa_list *list)
{
	enum packet_reject reason = extended_copy(view, PACKET_TYPE_GPA_DIRECT, store, store_bytes);

	if (reason != PACKET_ACCEPTED) {
		__builtin_memset(list, 0, sizeof *list);
		return reason;
	}
	return packet_gpa_direct_check(store, view->extended_bytes, limits, list);
}

struct packet_gpa_iter packet_gpa_iterate(const struct packet_gpa_list *list)
{
	struct packet_gpa_iter iter = {
		.words = cursor_over(list->ranges, list->ranges_bytes),
		.ranges_left = list->range_count,
		.bytes_left = 0,
		.byte_offset = 0,
	};

	return iter;
}

/* The part of the current range that lies in its next page. */
static uint32_t bytes_in_page(const struct packet_gpa_iter *iter)
{
	uint32_t in_page = PACKET_PAGE_BYTES - iter->byte_offset;

	return iter->bytes_left < in_page ? iter->bytes_left : in_page;
}

bool packet_gpa_next(struct packet_gpa_iter *iter, struct packet_segment *segment)
{
	if (iter->bytes_left == 0) {
		if (iter->ranges_left == 0)
			return false;
		iter->ranges_left--;
		iter->bytes_left = cursor_u32(&iter->words);
		iter->byte_offset = cursor_u32(&iter->words);
	}

	uint64_t gpn = cursor_u64(&iter->words);
	uint32_t bytes = bytes_in_page(iter);
	segment->gpa = gpn * PACKET_PAGE_BYTES + iter->byte_offset;
	segment->bytes = bytes;
	iter->bytes_left -= bytes;
	iter->byte_offset = 0;

	/* pages that follow one another go into one segment */
	while (iter->bytes_left > 0) {
		struct cursor ahead = iter->words;

		gpn++;
		if (cursor_u64(&ahead) != gpn)
			break;
		iter->words = ahead;
		bytes = bytes_in_page(iter);
		segment->bytes += bytes;
		iter->bytes_left -= bytes;
	}
	return true;
}

/* ---- transfer pages --------------------------------------------------- */

uint32_t packet_transfer_pages_bytes(uint32_t count)
{
	uint64_t bytes = PACKET_TRANSFER_HEADER_BYTES +
			 (uint64_t)count * PACKET_TRANSFER_RANGE_BYTES;

	return count > 0 && bytes <= EXTENDED_MAX_BYTES ? (uint32_t)bytes : 0;
}

int packet_transfer_pages_put(uint8_t *extended, uint32_t extended_bytes, uint16_t set_id,
	const struct packet_transfer_range_wire *ranges, uint32_t count)
{
	if (extended_bytes == 0 || extended_bytes != packet_transfer_pages_bytes(count))
		return -VIRIDIAN_EINVAL;

	struct cursor_writer w = cursor_writer_over(extended, extended_bytes);
	cursor_put_u16(&w, set_id);
	cursor_put_u16(&w, 0);
	cursor_put_u32(&w, count);
	cursor_put_bytes(&w, ranges, (size_t)count * sizeof *ranges);
	return w.has_failed ? -VIRIDIAN_EINVAL : 0;
}

enum packet_reject packet_transfer_pages_check(const void *extended, uint32_t extended_bytes,
	uint16_t set_id, uint32_t buffer_bytes, struct packet_transfer_list *list)
{
	struct cursor c = cursor_over(extended, extended_bytes);

	list->ranges = NULL;
	list->range_count = 0;
	uint16_t found_id = cursor_u16(&c);
	cursor_skip(&c, 2); /* whose set, and reserved: may be anything (R-PKT-009) */
	uint32_t count = cursor_u32(&c);
	if (c.has_failed)
		return PACKET_REJECT_EXTENDED_SHORT;
	if (found_id != set_id)
		return PACKET_REJECT_SET_ID;
	if (count == 0)
		return PACKET_REJECT_NO_RANGE;
	if ((uint64_t)count * PACKET_TRANSFER_RANGE_BYTES != cursor_left(&c))
		return PACKET_REJECT_RANGE_COUNT;

	const uint8_t *ranges = c.base + c.position;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t byte_count = cursor_u32(&c);
		uint32_t byte_offset = cursor_u32(&c);

		if (byte_offset > buffer_bytes || byte_count > buffer_bytes - byte_offset)
			return PACKET_REJECT_RANGE_OUTSIDE;
	}
	list->ranges = ranges;
	list->range_count = count;
	return PACKET_ACCEPTED;
}

enum packet_reject packet_transfer_pages_parse(const struct packet_view *view, uint16_t set_id,
	uint32_t buffer_bytes, void *store, uint32_t store_bytes, struct packet_transfer_list *list)
{
	enum packet_reject reason = extended_copy(
		view, PACKET_TYPE_TRANSFER_PAGES, store, store_bytes);

	if (reason != PACKET_ACCEPTED) {
		list->ranges = NULL;
		list->range_count = 0;
		return reason;
	}
	return packet_transfer_pages_check(store, view->extended_bytes, set_id, buffer_bytes, list);
}

struct packet_transfer_range_wire packet_transfer_range(
	const struct packet_transfer_list *list, uint32_t index)
{
	struct packet_transfer_range_wire range = {0, 0};

	if (index < list->range_count)
		__builtin_memcpy(&range, list->ranges + (size_t)index * sizeof range, sizeof range);
	return range;
}

/* ---- pipe header ------------------------------------------------------ */

enum packet_reject packet_pipe_parse(
	const uint8_t *payload, uint32_t payload_bytes, struct packet_pipe *pipe)
{
	struct packet_pipe_wire header;

	pipe->data = NULL;
	pipe->length = 0;
	pipe->is_end = false;
	if (payload_bytes < PACKET_PIPE_HEADER_BYTES)
		return PACKET_REJECT_PIPE_SHORT;
	packet_copy_in(&header, payload, sizeof header);
	if (header.type != PACKET_PIPE_DATA)
		return PACKET_REJECT_PIPE_TYPE;
	if (header.length > PACKET_PIPE_MAX_BYTES)
		return PACKET_REJECT_PIPE_TOO_LONG;
	if (header.length > payload_bytes - PACKET_PIPE_HEADER_BYTES)
		return PACKET_REJECT_PIPE_LENGTH;
	pipe->data = payload + PACKET_PIPE_HEADER_BYTES;
	pipe->length = header.length;
	pipe->is_end = header.length == 0;
	return PACKET_ACCEPTED;
}

void packet_pipe_put(uint8_t header[PACKET_PIPE_HEADER_BYTES], uint32_t length)
{
	struct cursor_writer w = cursor_writer_over(header, PACKET_PIPE_HEADER_BYTES);

	cursor_put_u32(&w, PACKET_PIPE_DATA);
	cursor_put_u32(&w, length);
}
