// SPDX-License-Identifier: Apache-2.0
/*
 * The ring as a carrier of packets: layout, bytes, sizes, wrapping, batches. Expected
 * bytes are written out or computed here from the layouts of protocol/ring.md, never by
 * the code under test. Packets of real guests: Debian 6.1 cloud kernel, recorded.
 */
#include "tests/unit/ring_rig.h"

#include "protocol/errors.h"

#include <stdio.h>

/* Every test runs with the data mapped twice and once, on a size that is a power of two
 * and on one that is not. */
static const struct {
	uint32_t size;
	bool is_double;
} shapes[] = {{4096, true}, {4096, false}, {12288, true}, {12288, false}};

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

#define FOR_EACH_SHAPE(rig)                                                                        \
	for (size_t shape_ = 0;                                                                    \
		shape_ < SHAPES &&                                                                 \
		(ring_rig_make((rig), shapes[shape_].size, shapes[shape_].is_double), true);       \
		ring_rig_free(rig), shape_++)

/* ---- opening ---------------------------------------------------------- */

static void writer_init_sets_features_and_no_pending_size(void)
{
	struct ring_rig rig;

	ring_rig_make(&rig, 4096, true);
	rig.control[RING_WORD_PENDING] = 0x1000;
	rig.control[RING_WORD_MASK] = 5;
	CU_ASSERT_EQUAL(ring_writer_init(&rig.writer, &rig.writer_area), RING_OK);
	CU_ASSERT_EQUAL(rig.control[3], 0);  /* offset 12 */
	CU_ASSERT_EQUAL(rig.control[16], 1); /* offset 64: R-RING-019 */
	CU_ASSERT_EQUAL(rig.control[2], 5);  /* offset 8: not ours */
	for (uint32_t i = 17; i < 1024; i++)
		CU_ASSERT_EQUAL(rig.control[i], 0);
	ring_rig_free(&rig);
}

static void reader_init_clears_the_mask_alone(void)
{
	struct ring_rig rig;

	ring_rig_make(&rig, 4096, true);
	rig.control[RING_WORD_MASK] = 1;
	rig.control[RING_WORD_PENDING] = 64;
	CU_ASSERT_EQUAL(
		ring_reader_init(&rig.reader, &rig.reader_area, RING_FLAGS_STRICT), RING_OK);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_MASK], 0);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_PENDING], 64);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_FEATURES], 0);
	ring_rig_free(&rig);
}

/* R-OPEN-008: four indices, each of them bad in turn; nothing is written then. */
static void open_validates_all_four_indices(void)
{
	static const struct {
		uint32_t value;
		enum ring_status status;
	} bad[] = {
		{4096, RING_CORRUPT_INDEX_RANGE},
		{0xFFFFFFF8, RING_CORRUPT_INDEX_RANGE},
		{0x80000000, RING_CORRUPT_INDEX_RANGE},
		{4, RING_CORRUPT_INDEX_ALIGNMENT},
		{4095, RING_CORRUPT_INDEX_ALIGNMENT},
	};
	struct ring_rig out;
	struct ring_rig in;

	ring_rig_make(&out, 4096, true);
	ring_rig_make(&in, 4096, false);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		for (int which = 0; which < 4; which++) {
			struct ring_rig *hit = which < 2 ? &out : &in;

			memset(out.memory, 0, 128);
			memset(in.memory, 0, 128);
			in.control[RING_WORD_MASK] = 1;
			hit->control[which % 2] = bad[i].value;
			CU_ASSERT_EQUAL(ring_open(&out.writer, &out.writer_area, &in.reader,
						&in.reader_area, RING_FLAGS_STRICT),
				bad[i].status);
			CU_ASSERT_EQUAL(out.control[RING_WORD_FEATURES], 0);
			CU_ASSERT_EQUAL(in.control[RING_WORD_MASK], 1);
		}
	}
	memset(out.memory, 0, 128);
	memset(in.memory, 0, 128);
	CU_ASSERT_EQUAL(ring_open(&out.writer, &out.writer_area, &in.reader, &in.reader_area,
				RING_FLAGS_STRICT),
		RING_OK);
	ring_rig_free(&out);
	ring_rig_free(&in);
}

static void open_adopts_indices_and_what_lies_between(void)
{
	struct ring_rig rig;
	struct packet_view view;

	FOR_EACH_SHAPE(&rig)
	{
		const uint32_t at = rig.size - 8; /* the descriptor wraps */

		memset(rig.memory, 0, 128);
		rig.control[RING_WORD_OUT] = at;
		rig.control[RING_WORD_IN] = 24;
		raw_descriptor_put(&rig, at, 6, 2, 3, 0);
		CU_ASSERT_EQUAL(ring_writer_init(&rig.writer, &rig.writer_area), RING_OK);
		CU_ASSERT_EQUAL(ring_reader_init(&rig.reader, &rig.reader_area, RING_FLAGS_STRICT),
			RING_OK);
		CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_OK);
		CU_ASSERT_EQUAL(view.transaction_id, 0x1122334455667788);
		CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_EMPTY);
		CU_ASSERT_EQUAL(rig_send_total(&rig, 48), RING_OK);
		(void)ring_flush(&rig.writer);
		CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], 24 + 48);
	}
}

static void bad_areas_are_refused(void)
{
	struct ring_rig rig;
	struct ring_area bad[9];

	ring_rig_make(&rig, 8192, false);
	for (size_t i = 0; i < 9; i++)
		bad[i] = rig.reader_area;
	bad[0].control = NULL;
	bad[1].data = NULL;
	bad[2].control += 4;
	bad[3].data += 4;
	bad[4].data_bytes = 0;
	bad[5].data_bytes = 4096 + 8;
	bad[6].scratch = NULL;
	bad[7].scratch_bytes = ring_scratch_bytes(8192) - 1;
	bad[8].scratch += 4;
	for (size_t i = 0; i < 9; i++) {
		CU_ASSERT_EQUAL(ring_writer_init(&rig.writer, &bad[i]), RING_BAD_AREA);
		CU_ASSERT_EQUAL(
			ring_reader_init(&rig.reader, &bad[i], RING_FLAGS_STRICT), RING_BAD_AREA);
	}
	bad[0] = rig.reader_area;
	bad[0].data_bytes = (1u << 30) + 4096;
	CU_ASSERT_EQUAL(ring_writer_init(&rig.writer, &bad[0]), RING_BAD_AREA);
	ring_rig_free(&rig);
}

static void clear_zeroes_the_control_page_alone(void)
{
	struct ring_rig rig;

	ring_rig_make(&rig, 4096, true);
	memset(rig.memory, 0xEE, 8192);
	ring_clear(&rig.writer_area);
	for (uint32_t i = 0; i < 4096; i++)
		CU_ASSERT_EQUAL(rig.memory[i], 0);
	CU_ASSERT_EQUAL(rig.memory[4096], 0xEE);
	ring_rig_free(&rig);
}

/* ---- bytes ------------------------------------------------------------ */

/* In-band, completion requested, "hello", at ring offset 0x40. */
static const uint8_t golden[32] = {0x06, 0x00, 0x02, 0x00, 0x03, 0x00, 0x01,
	0x00,						 /* type, offset8, length8, flags */
	0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,	 /* transaction id */
	0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x00, 0x00, 0x00,	 /* payload, pad */
	0x00, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00}; /* reserved, start offset */

static void packet_has_the_golden_bytes(void)
{
	struct ring_rig rig;

	FOR_EACH_SHAPE(&rig)
	{
		const struct packet_header header = {.type = 6,
			.flags = 1,
			.payload_bytes = 5,
			.transaction_id = 0x1122334455667788};

		ring_rig_open_at(&rig, 0x40);
		memset(rig.data, 0xA5, rig.size);
		CU_ASSERT_EQUAL(ring_send(&rig.writer, &header, NULL, "hello"), RING_OK);
		CU_ASSERT_TRUE(ring_flush(&rig.writer));
		CU_ASSERT_EQUAL(memcmp(rig.data + 0x40, golden, sizeof golden), 0);
		CU_ASSERT_EQUAL(rig.data[0x3f], 0xA5);
		CU_ASSERT_EQUAL(rig.data[0x60], 0xA5);
		CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], 0x60);
	}
}

/* Recorded: storage driver, EXECUTE_SRB with one page, at offset 352. */
static const uint8_t recorded_srb[104 + 8] = {0x09, 0x00, 0x05, 0x00, 0x0d, 0x00, 0x01, 0x00, 0xc1,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
	0x24, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x84, 0x57, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x03, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x34, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06, 0x14, 0x01, 0x00, 0x24, 0x00, 0x00, 0x00, 0x12,
	0x00, 0x00, 0x00, 0x24, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x48, 0x00, 0x00, 0x00, 0x3c, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, /* trailer */ 0x00, 0x00, 0x00, 0x00, 0x60, 0x01, 0x00, 0x00};

static void real_guests_packet_is_read_and_written_alike(void)
{
	struct ring_rig rig;
	struct packet_view view;

	FOR_EACH_SHAPE(&rig)
	{
		ring_rig_open_at(&rig, 352);
		memcpy(rig.data + 352, recorded_srb, sizeof recorded_srb);
		rig.control[RING_WORD_IN] = 352 + sizeof recorded_srb;
		CU_ASSERT_EQUAL(ring_peek(&rig.reader, &view), RING_OK);
		CU_ASSERT_EQUAL(view.type, 9);
		CU_ASSERT_EQUAL(view.flags, 1);
		CU_ASSERT_EQUAL(view.transaction_id, 0xc1);
		CU_ASSERT_EQUAL(view.extended_bytes, 24);
		CU_ASSERT_EQUAL(view.payload_bytes, 64);
		CU_ASSERT_EQUAL(view.total_bytes, 112);
		CU_ASSERT_EQUAL(ring_view_trailer(&rig.reader, &view), (uint64_t)352 << 32);

		const struct packet_header header = {.type = 9,
			.flags = 1,
			.extended_bytes = 24,
			.payload_bytes = 64,
			.transaction_id = 0xc1};
		ring_rig_open_at(&rig, 352);
		memset(rig.data, 0, rig.size);
		CU_ASSERT_EQUAL(
			ring_send(&rig.writer, &header, recorded_srb + 16, recorded_srb + 40),
			RING_OK);
		CU_ASSERT_EQUAL(memcmp(rig.data + 352, recorded_srb, sizeof recorded_srb), 0);
	}
}

/* R-PKT-011: what lay in the ring does not leak through the pad. */
static void pad_is_zeroed_for_every_length(void)
{
	struct ring_rig rig;

	FOR_EACH_SHAPE(&rig)
	{
		for (uint32_t bytes = 1; bytes <= 100; bytes++) {
			const struct packet_header header = inband(bytes, 1);
			uint8_t payload[104];
			const uint32_t at = rig.size - 64 - bytes / 8 * 8;

			memset(payload, 0x77, sizeof payload);
			memset(rig.data, 0xA5, rig.size);
			ring_rig_open_at(&rig, at);
			CU_ASSERT_EQUAL(ring_send(&rig.writer, &header, NULL, payload), RING_OK);
			for (uint32_t i = 0; i < (bytes + 7) / 8 * 8; i++)
				CU_ASSERT_EQUAL(raw_byte(&rig, at + 16 + i), i < bytes ? 0x77 : 0);
		}
	}
}

/* R-PKT-012 */
static void empty_payload_is_legal(void)
{
	struct ring_rig rig;
	struct packet_view view;

	FOR_EACH_SHAPE(&rig)
	{
		struct packet_header header = inband(0, 3);

		header.flags = PACKET_FLAG_COMPLETION_REQUESTED;
		ring_rig_open_at(&rig, 0);
		CU_ASSERT_EQUAL(ring_send(&rig.writer, &header, NULL, NULL), RING_OK);
		(void)ring_flush(&rig.writer);
		CU_ASSERT_EQUAL(raw_word(&rig, 0), 0x0001000200020006);
		CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], 24);
		CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_OK);
		CU_ASSERT_EQUAL(view.payload_bytes, 0);
		CU_ASSERT_TRUE(packet_wants_completion(&view));
	}
}

/* ---- wrapping --------------------------------------------------------- */

/*
 * R-RING-003: at every offset a packet with extended header and payload, so that each of
 * its words straddles the end once; raw bytes, trailer and index are compared.
 */
static void packets_wrap_at_every_offset(void)
{
	struct ring_rig rig;
	struct packet_view view;
	uint8_t extended[24];
	uint8_t payload[44];
	uint8_t got[72];

	for (uint32_t i = 0; i < sizeof extended; i++)
		extended[i] = (uint8_t)(0x10 + i);
	for (uint32_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(0x80 + i);
	FOR_EACH_SHAPE(&rig)
	{
		for (uint32_t at = 0; at < rig.size; at += 8) {
			const struct packet_header header = {.type = 9,
				.flags = 1,
				.extended_bytes = 24,
				.payload_bytes = 44,
				.transaction_id = 0x0807060504030201};

			ring_rig_open_at(&rig, at);
			memset(rig.data, 0xFF, rig.size);
			CU_ASSERT_EQUAL(
				ring_send(&rig.writer, &header, extended, payload), RING_OK);
			CU_ASSERT_TRUE(ring_flush(&rig.writer));
			CU_ASSERT_EQUAL(raw_word(&rig, at), 0x0001000b00050009);
			CU_ASSERT_EQUAL(raw_word(&rig, at + 8), 0x0807060504030201);
			for (uint32_t i = 0; i < 24; i++)
				CU_ASSERT_EQUAL(raw_byte(&rig, at + 16 + i), extended[i]);
			for (uint32_t i = 0; i < 48; i++)
				CU_ASSERT_EQUAL(
					raw_byte(&rig, at + 40 + i), i < 44 ? payload[i] : 0);
			CU_ASSERT_EQUAL(raw_word(&rig, at + 88), (uint64_t)at << 32);
			CU_ASSERT_EQUAL(raw_word(&rig, at + 96), UINT64_MAX);
			CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], (at + 96) % rig.size);

			CU_ASSERT_EQUAL(ring_peek(&rig.reader, &view), RING_OK);
			CU_ASSERT_EQUAL(view.total_bytes, 96);
			CU_ASSERT_EQUAL(memcmp(view.extended, extended, 24), 0);
			CU_ASSERT_EQUAL(memcmp(view.payload, payload, 44), 0);
			CU_ASSERT_EQUAL(ring_view_trailer(&rig.reader, &view), (uint64_t)at << 32);
			CU_ASSERT_EQUAL(ring_receive(&rig.reader, got, sizeof got, &view), RING_OK);
			CU_ASSERT_EQUAL(memcmp(got, extended, 24), 0);
			CU_ASSERT_EQUAL(memcmp(got + 24, payload, 44), 0);
			CU_ASSERT_PTR_EQUAL(view.extended, got);
			CU_ASSERT_PTR_EQUAL(view.payload, got + 24);
			(void)ring_read_flush(&rig.reader);
			CU_ASSERT_EQUAL(rig.control[RING_WORD_OUT], (at + 96) % rig.size);
		}
	}
}

/* ---- sizes ------------------------------------------------------------ */

/* R-RING-002, at the bound and one past it, on an empty and on a half-full ring. */
static void largest_packet_is_accepted_and_a_larger_one_never(void)
{
	struct ring_rig rig;

	FOR_EACH_SHAPE(&rig)
	{
		const uint32_t most = rig.size - 8 - 24; /* payload */
		struct ring_span span;

		for (uint32_t at = 0; at < rig.size; at += rig.size / 4) {
			struct packet_header header = inband(most, 1);

			ring_rig_open_at(&rig, at);
			CU_ASSERT_EQUAL(ring_reserve(&rig.writer, &header, &span), RING_OK);
			CU_ASSERT_EQUAL(span.total_bytes, rig.size - 8);
			memset(span.payload, 0x33, most);
			ring_commit(&rig.writer, &span);
			(void)ring_flush(&rig.writer);
			CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], (at + rig.size - 8) % rig.size);

			struct packet_view view;
			CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_OK);
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
		struct ring_span span;
		struct packet_view view;
		struct packet_header header = inband(65535 * 8 - 16, 1);

		ring_rig_make(&rig, 1 << 20, is_double);
		ring_rig_open_at(&rig, (1 << 20) - 64);
		CU_ASSERT_EQUAL(ring_reserve(&rig.writer, &header, &span), RING_OK);
		memset(span.payload, 0x44, header.payload_bytes);
		ring_commit(&rig.writer, &span);
		(void)ring_flush(&rig.writer);
		CU_ASSERT_EQUAL(raw_word(&rig, (1 << 20) - 64), 0x0000ffff00020006);
		CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_OK);
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
	struct ring_span span;

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
	struct packet_view view;

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
			CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_OK);
		CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_EMPTY);
	}
}

static void forgotten_reservation_leaves_no_trace(void)
{
	struct ring_rig rig;

	FOR_EACH_SHAPE(&rig)
	{
		const struct packet_header header = inband(100, 1);
		struct ring_span span;

		ring_rig_open_at(&rig, rig.size - 48);
		CU_ASSERT_EQUAL(ring_reserve(&rig.writer, &header, &span), RING_OK);
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
			CU_ASSERT_EQUAL(rig_take(&rig, &views[i]), RING_OK);
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
	struct packet_view view;
	uint8_t buffer[64];

	FOR_EACH_SHAPE(&rig)
	{
		ring_rig_open_at(&rig, rig.size - 32);
		CU_ASSERT_EQUAL(rig_send_total(&rig, 24 + 64), RING_OK);
		(void)ring_flush(&rig.writer);
		CU_ASSERT_EQUAL(
			ring_receive(&rig.reader, buffer, 63, &view), RING_BUFFER_TOO_SMALL);
		CU_ASSERT_EQUAL(view.payload_bytes, 64);
		CU_ASSERT_EQUAL(ring_receive(&rig.reader, buffer, 64, &view), RING_OK);
		CU_ASSERT_EQUAL(buffer[63], 0x5A);
		CU_ASSERT_EQUAL(ring_receive(&rig.reader, buffer, 64, &view), RING_EMPTY);
	}
}

/* The inlined copy, its neighbours and memcpy. */
static void every_payload_length_arrives_unchanged(void)
{
	struct ring_rig rig;
	struct packet_view view;
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
			CU_ASSERT_EQUAL(ring_receive(&rig.reader, got, sizeof got, &view), RING_OK);
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
	struct packet_view view;
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
		CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_OK);
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
		struct packet_view view;
		uint32_t random = 1;
		uint64_t sent = 0;
		uint64_t received = 0;
		uint64_t bytes = 0;

		ring_rig_make(&rig, 4096, is_double);
		ring_rig_open_at(&rig, 0);
		while (received < 500000) {
			random = random * 1664525 + 1013904223;
			const struct packet_header header = inband(random >> 22, sent);
			struct ring_span span;

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
	TEST(writer_init_sets_features_and_no_pending_size),
	TEST(reader_init_clears_the_mask_alone),
	TEST(open_validates_all_four_indices),
	TEST(open_adopts_indices_and_what_lies_between),
	TEST(bad_areas_are_refused),
	TEST(clear_zeroes_the_control_page_alone),
	TEST(packet_has_the_golden_bytes),
	TEST(real_guests_packet_is_read_and_written_alike),
	TEST(pad_is_zeroed_for_every_length),
	TEST(empty_payload_is_legal),
	TEST(packets_wrap_at_every_offset),
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

TEST_MAIN("ring", tests)
