// SPDX-License-Identifier: Apache-2.0
/*
 * The ring as a carrier of packets: opening, layout, bytes, wrapping. Expected
 * bytes are written out or computed here from the layouts of protocol/ring.md, never by
 * the code under test. Packets of real guests: Debian 6.1 cloud kernel, recorded.
 */
#include "tests/unit/ring_rig.h"

/* ---- opening ---------------------------------------------------------- */

/* R-RING-031. */
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

/* R-RING-031. */
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
	struct packet_view view = {0};

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
		rig_must(rig_take(&rig, &view));
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

/* R-RING-004. */
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
	struct packet_view view = {0};

	FOR_EACH_SHAPE(&rig)
	{
		ring_rig_open_at(&rig, 352);
		memcpy(rig.data + 352, recorded_srb, sizeof recorded_srb);
		rig.control[RING_WORD_IN] = 352 + sizeof recorded_srb;
		rig_must(ring_peek(&rig.reader, &view));
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
	struct packet_view view = {0};

	FOR_EACH_SHAPE(&rig)
	{
		struct packet_header header = inband(0, 3);

		header.flags = PACKET_FLAG_COMPLETION_REQUESTED;
		ring_rig_open_at(&rig, 0);
		CU_ASSERT_EQUAL(ring_send(&rig.writer, &header, NULL, NULL), RING_OK);
		(void)ring_flush(&rig.writer);
		CU_ASSERT_EQUAL(raw_word(&rig, 0), 0x0001000200020006);
		CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], 24);
		rig_must(rig_take(&rig, &view));
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
	struct packet_view view = {0};
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

			rig_must(ring_peek(&rig.reader, &view));
			CU_ASSERT_EQUAL(view.total_bytes, 96);
			CU_ASSERT_EQUAL(memcmp(view.extended, extended, 24), 0);
			CU_ASSERT_EQUAL(memcmp(view.payload, payload, 44), 0);
			CU_ASSERT_EQUAL(ring_view_trailer(&rig.reader, &view), (uint64_t)at << 32);
			rig_must(ring_receive(&rig.reader, got, sizeof got, &view));
			CU_ASSERT_EQUAL(memcmp(got, extended, 24), 0);
			CU_ASSERT_EQUAL(memcmp(got + 24, payload, 44), 0);
			CU_ASSERT_PTR_EQUAL(view.extended, got);
			CU_ASSERT_PTR_EQUAL(view.payload, got + 24);
			(void)ring_read_flush(&rig.reader);
			CU_ASSERT_EQUAL(rig.control[RING_WORD_OUT], (at + 96) % rig.size);
		}
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
};

TEST_MAIN("ring", tests)
