// SPDX-License-Identifier: Apache-2.0
/*
 * The ring as a carrier of packets: sizes at their bounds, batches, copies, and many
 * packets in a row.
 */
#include "tests/unit/ring_rig.h"

#include "protocol/errors.h"

/* ---- sizes ------------------------------------------------------------ */

/* R-RING-002, at the bound and one past it, on an empty and on a half-full ring. */
static void largest_packet_is_accepted_and_a_larger_one_never(void)
{
	struct ring_rig rig;

	FOR_EACH_SHAPE(&rig)
	{
		const uint32_t most = rig.size - 8 - 24; /* payload */
		struct ring_span span = {0};

		for (uint32_t at = 0; at < rig.size; at += rig.size / 4) {
			struct packet_header header = inband(most, 1);

			ring_rig_open_at(&rig, at);
			rig_must(ring_reserve(&rig.writer, &header, &span));
			CU_ASSERT_EQUAL(span.total_bytes, rig.size - 8);
			memset(span.payload, 0x33, most);
			ring_commit(&rig.writer, &span);
			(void)ring_flush(&rig.writer);
			CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], (at + rig.size - 8) % rig.size);

			struct packet_view view = {0};
			rig_must(rig_take(&rig, &view));
			CU_ASSERT_EQUAL(view.payload_bytes, most);
			for (uint32_t i = 0; i < most; i++)
				CU_ASSERT_EQUAL_FATAL(view.payload[i], 0x33);
			(void)ring_read_flush(&rig.reader);

			header.payload_bytes = most + 1;
			CU_ASSERT_EQUAL(ring_reserve(&rig.writer, &header, &span), RING_TOO_LARGE);
			header.payload_bytes = UINT32_MAX;
			CU_ASSERT_EQUAL(ring_reserve(&rig.writer, &header, &span), RING_TOO_LARGE);
			header.extended_bytes = UINT32_MAX - 7;
			CU_ASSERT_EQUAL(ring_reserve(&rig.writer, &header, &span), RING_TOO_LARGE);
			CU_ASSERT_EQUAL(ring_writer_want(&rig.writer, &header), RING_TOO_LARGE);
			CU_ASSERT_EQUAL(rig_send_total(&rig, 64), RING_OK);
			header = inband(most + 1, 1);
			CU_ASSERT_EQUAL(ring_reserve(&rig.writer, &header, &span), RING_TOO_LARGE);
			header = inband(most, 1);
			CU_ASSERT_EQUAL(ring_reserve(&rig.writer, &header, &span), RING_FULL);
		}
	}
}

/* What a descriptor can say bounds packets on a ring that is larger than that. */
static void descriptor_bounds_packets_of_large_rings(void)
{
	for (int is_double = 0; is_double < 2; is_double++) {
		struct ring_rig rig;
		struct ring_span span = {0};
		struct packet_view view = {0};
		struct packet_header header = inband(65535 * 8 - 16, 1);

		ring_rig_make(&rig, 2 << 20, is_double);
		ring_rig_open_at(&rig, (2 << 20) - 64);
		rig_must(ring_reserve(&rig.writer, &header, &span));
		memset(span.payload, 0x44, header.payload_bytes);
		ring_commit(&rig.writer, &span);
		(void)ring_flush(&rig.writer);
		CU_ASSERT_EQUAL(raw_word(&rig, (2 << 20) - 64), 0x0000ffff00020006);
		rig_must(rig_take(&rig, &view));
		CU_ASSERT_EQUAL(view.total_bytes, 524288);
		CU_ASSERT_EQUAL(view.payload[524263], 0x44);
		header.payload_bytes++;
		CU_ASSERT_EQUAL(ring_reserve(&rig.writer, &header, &span), RING_TOO_LARGE);
		ring_rig_free(&rig);
	}
}

/* R-RING-001: whatever the size of the packets, in never reaches out. */
static void eight_bytes_stay_free_for_every_packet_size(void)
{
	struct ring_rig rig;

	FOR_EACH_SHAPE(&rig)
	{
		for (uint32_t total = 24; total <= 1024; total += 8) {
			uint32_t sent = 0;

			ring_rig_open_at(&rig, rig.size - 40);
			while (rig_send_total(&rig, total) == RING_OK)
				sent++;
			(void)ring_flush(&rig.writer);
			CU_ASSERT_EQUAL(sent, (rig.size - 8) / total);
			CU_ASSERT_NOT_EQUAL(rig.control[RING_WORD_IN], rig.control[RING_WORD_OUT]);
			CU_ASSERT_EQUAL(rig_send_total(&rig, total), RING_FULL);
		}
	}
}

static void unaligned_extended_header_is_refused(void)
{
	struct ring_rig rig;
	struct ring_span span = {0};

	ring_rig_make(&rig, 4096, true);
	ring_rig_open_at(&rig, 0);
	for (uint32_t bytes = 1; bytes < 8; bytes++) {
		struct packet_header header = inband(8, 1);

		header.extended_bytes = bytes;
		CU_ASSERT_EQUAL(ring_reserve(&rig.writer, &header, &span), RING_BAD_HEADER);
		CU_ASSERT_EQUAL(ring_writer_want(&rig.writer, &header), RING_BAD_HEADER);
	}
	ring_rig_free(&rig);
}

/* ---- batches ---------------------------------------------------------- */

static void nothing_is_visible_before_flush(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};

	FOR_EACH_SHAPE(&rig)
	{
		ring_rig_open_at(&rig, rig.size - 72);
		for (int i = 0; i < 5; i++)
			CU_ASSERT_EQUAL(rig_send_total(&rig, 48), RING_OK);
		CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], rig.size - 72);
		CU_ASSERT_EQUAL(ring_peek(&rig.reader, &view), RING_EMPTY);
		CU_ASSERT_TRUE(ring_flush(&rig.writer));
		CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], 5 * 48 - 72);
		for (int i = 0; i < 5; i++)
			rig_must(rig_take(&rig, &view));
		CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_EMPTY);
	}
}

static void forgotten_reservation_leaves_no_trace(void)
{
	struct ring_rig rig;

	FOR_EACH_SHAPE(&rig)
	{
		const struct packet_header header = inband(100, 1);
		struct ring_span span = {0};

		ring_rig_open_at(&rig, rig.size - 48);
		rig_must(ring_reserve(&rig.writer, &header, &span));
		CU_ASSERT_FALSE(ring_flush(&rig.writer));
		CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], rig.size - 48);
		CU_ASSERT_EQUAL(rig_send_total(&rig, 40), RING_OK);
		CU_ASSERT_TRUE(ring_flush(&rig.writer));
		CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], rig.size - 8);
		CU_ASSERT_EQUAL(raw_word(&rig, rig.size - 48), 0x0000000400020006);
	}
}

/* R-RING-027: one index store for the batch, and views stay good until then. */
static void reader_gives_a_batch_back_at_once(void)
{
	struct ring_rig rig;
	struct packet_view views[100];

	FOR_EACH_SHAPE(&rig)
	{
		ring_rig_open_at(&rig, rig.size - 16 * 32);
		for (uint32_t i = 0; i < 100; i++) {
			const struct packet_header header = inband(8, i);
			const uint64_t content = i * 0x0101010101010101u;

			CU_ASSERT_EQUAL(ring_send(&rig.writer, &header, NULL, &content), RING_OK);
		}
		(void)ring_flush(&rig.writer);
		for (uint32_t i = 0; i < 100; i++)
			rig_must(rig_take(&rig, &views[i]));
		CU_ASSERT_EQUAL(rig.control[RING_WORD_OUT], rig.size - 16 * 32);
		for (uint32_t i = 0; i < 100; i++) {
			CU_ASSERT_EQUAL(views[i].transaction_id, i);
			CU_ASSERT_EQUAL(views[i].payload[7], (uint8_t)i);
		}
		(void)ring_read_flush(&rig.reader);
		CU_ASSERT_EQUAL(rig.control[RING_WORD_OUT], rig.control[RING_WORD_IN]);
	}
}

static void small_buffer_is_told_how_much_it_lacks(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};
	uint8_t buffer[64];

	FOR_EACH_SHAPE(&rig)
	{
		ring_rig_open_at(&rig, rig.size - 32);
		CU_ASSERT_EQUAL(rig_send_total(&rig, 24 + 64), RING_OK);
		(void)ring_flush(&rig.writer);
		CU_ASSERT_EQUAL(
			ring_receive(&rig.reader, buffer, 63, &view), RING_BUFFER_TOO_SMALL);
		CU_ASSERT_EQUAL(view.payload_bytes, 64);
		rig_must(ring_receive(&rig.reader, buffer, 64, &view));
		CU_ASSERT_EQUAL(buffer[63], 0x5A);
		CU_ASSERT_EQUAL(ring_receive(&rig.reader, buffer, 64, &view), RING_EMPTY);
	}
}

/* The inlined copy, its neighbours and memcpy. */
static void every_payload_length_arrives_unchanged(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};
	uint8_t payload[300];
	uint8_t got[304];

	for (uint32_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 7 + 3);
	FOR_EACH_SHAPE(&rig)
	{
		ring_rig_open_at(&rig, 0);
		for (uint32_t bytes = 0; bytes <= sizeof payload; bytes++) {
			const struct packet_header header = inband(bytes, bytes);

			memset(got, 0xEE, sizeof got);
			CU_ASSERT_EQUAL(ring_send(&rig.writer, &header, NULL, payload), RING_OK);
			(void)ring_flush(&rig.writer);
			rig_must(ring_receive(&rig.reader, got, sizeof got, &view));
			(void)ring_read_publish(&rig.reader);
			CU_ASSERT_EQUAL(memcmp(got, payload, bytes), 0);
			CU_ASSERT_EQUAL(view.payload_bytes, (bytes + 7) / 8 * 8);
			if (view.payload_bytes < sizeof got)
				CU_ASSERT_EQUAL(got[view.payload_bytes], 0xEE);
		}
	}
}

static void pieces_are_joined(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};
	const struct ring_piece pieces[] = {{"ab", 2}, {"", 0}, {"cdefg", 5}, {"hi", 2}};
	struct packet_header header = inband(9, 1);
	const uint64_t extended = 0xE0E1E2E3E4E5E6E7;

	FOR_EACH_SHAPE(&rig)
	{
		ring_rig_open_at(&rig, rig.size - 24);
		header.type = PACKET_TYPE_GPA_DIRECT;
		header.extended_bytes = 8;
		CU_ASSERT_EQUAL(
			ring_send_pieces(&rig.writer, &header, &extended, pieces, 4), RING_OK);
		CU_ASSERT_EQUAL(ring_send_pieces(&rig.writer, &header, &extended, pieces, 3),
			RING_BAD_HEADER);
		(void)ring_flush(&rig.writer);
		rig_must(rig_take(&rig, &view));
		CU_ASSERT_EQUAL(memcmp(view.payload, "abcdefghi\0\0\0\0\0\0\0", 16), 0);
		CU_ASSERT_EQUAL(memcmp(view.extended, &extended, 8), 0);
		CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_EMPTY);
	}
}

/* R-RING-030, one thread: random sizes through the smallest ring, with flow control. */
static void smallest_ring_carries_a_million_packets(void)
{
	for (int is_double = 0; is_double < 2; is_double++) {
		struct ring_rig rig;
		struct packet_view view = {0};
		uint32_t random = 1;
		uint64_t sent = 0;
		uint64_t received = 0;
		uint64_t bytes = 0;

		ring_rig_make(&rig, 4096, is_double);
		ring_rig_open_at(&rig, 0);
		while (received < 500000) {
			random = random * 1664525 + 1013904223;
			const struct packet_header header = inband(random >> 22, sent);
			struct ring_span span = {0};

			if (ring_reserve(&rig.writer, &header, &span) == RING_OK) {
				if (header.payload_bytes >= 8)
					memcpy(span.payload, &sent, 8);
				ring_commit(&rig.writer, &span);
				bytes += span.total_bytes;
				sent++;
				continue;
			}
			(void)ring_flush(&rig.writer);
			while (ring_peek(&rig.reader, &view) == RING_OK) {
				if (view.transaction_id != received ||
					(view.payload_bytes > 8 &&
						memcmp(view.payload, &received, 8) != 0) ||
					ring_view_trailer(&rig.reader, &view) << 32 != 0) {
					CU_FAIL_FATAL("wrong packet");
				}
				ring_release(&rig.reader, &view);
				received++;
			}
			(void)ring_read_flush(&rig.reader);
		}
		CU_ASSERT_EQUAL(rig.writer.status, RING_OK);
		CU_ASSERT_EQUAL(rig.reader.status, RING_OK);
		const struct ring_stats out = ring_writer_stats(&rig.writer);
		const struct ring_stats in = ring_reader_stats(&rig.reader);
		CU_ASSERT_EQUAL(out.packets, sent);
		CU_ASSERT_EQUAL(out.bytes, bytes);
		CU_ASSERT_EQUAL(in.packets, received);
		CU_ASSERT_TRUE(out.stalls > 0);
		ring_rig_free(&rig);
	}
}

static void statuses_have_names_and_error_numbers(void)
{
	CU_ASSERT_STRING_EQUAL(ring_status_name(RING_OK), "ok");
	CU_ASSERT_STRING_EQUAL(ring_status_name(RING_FULL), "full");
	CU_ASSERT_STRING_EQUAL(
		ring_status_name(RING_CORRUPT_EXTENDED_SHORT), "extended-header-missing");
	CU_ASSERT_STRING_EQUAL(ring_status_name(RING_STATUS_COUNT), "unknown");
	CU_ASSERT_EQUAL(ring_status_error(RING_OK), 0);
	CU_ASSERT_EQUAL(ring_status_error(RING_EMPTY), -VIRIDIAN_EAGAIN);
	CU_ASSERT_EQUAL(ring_status_error(RING_FULL), -VIRIDIAN_EAGAIN);
	CU_ASSERT_EQUAL(ring_status_error(RING_TOO_LARGE), -VIRIDIAN_EMSGSIZE);
	CU_ASSERT_EQUAL(ring_status_error(RING_BUFFER_TOO_SMALL), -VIRIDIAN_ENOSPC);
	CU_ASSERT_EQUAL(ring_status_error(RING_BAD_AREA), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(ring_status_error(RING_BAD_HEADER), -VIRIDIAN_EINVAL);
	for (int s = RING_OK; s < RING_STATUS_COUNT; s++) {
		const bool is_corrupt = s >= RING_CORRUPT_INDEX_ALIGNMENT;

		CU_ASSERT_EQUAL(ring_status_is_corrupt((enum ring_status)s), is_corrupt);
		CU_ASSERT_EQUAL(
			ring_status_error((enum ring_status)s) == -VIRIDIAN_EPROTO, is_corrupt);
	}
}

static const struct test tests[] = {
	TEST(largest_packet_is_accepted_and_a_larger_one_never),
	TEST(descriptor_bounds_packets_of_large_rings),
	TEST(eight_bytes_stay_free_for_every_packet_size),
	TEST(unaligned_extended_header_is_refused),
	TEST(nothing_is_visible_before_flush),
	TEST(forgotten_reservation_leaves_no_trace),
	TEST(reader_gives_a_batch_back_at_once),
	TEST(small_buffer_is_told_how_much_it_lacks),
	TEST(every_payload_length_arrives_unchanged),
	TEST(pieces_are_joined),
	TEST(smallest_ring_carries_a_million_packets),
	TEST(statuses_have_names_and_error_numbers),
};

TEST_MAIN("ring_flow", tests)
