// SPDX-License-Identifier: Apache-2.0
/*
 * The ring and a peer that breaks the rules: indices, descriptors, memory that changes
 * under the reader. Each kind of damage has one name; it stops its ring half for good and
 * nothing else.
 */
#include "tests/unit/ring_rig.h"

enum { SIZE = 4096 };

/* ---- descriptors ------------------------------------------------------ */

/* R-RING-024, R-PKT-004, R-PKT-005: what the peer wrote, and what it is called. */
static const struct {
	uint16_t type;
	uint16_t offset8;
	uint16_t length8;
	uint16_t flags;
	uint32_t available; /* bytes between out and in */
	enum ring_status status;
} descriptors[] = {
	{6, 2, 2, 0, 24, RING_OK}, /* the least that is right */
	{6, 2, 10, 1, 88, RING_OK},
	{6, 2, 10, 1, 4088, RING_OK},
	{11, 2, 2, 0, 24, RING_OK},
	{9, 3, 3, 0, 32, RING_OK},
	{7, 3, 3, 0, 32, RING_OK},
	{6, 2, 510, 0, 4088, RING_OK},
	{6, 2, 2, 0, 8, RING_CORRUPT_DESCRIPTOR_SHORT},
	{6, 2, 0, 0, 24, RING_CORRUPT_LENGTH_SHORT},
	{6, 2, 1, 0, 24, RING_CORRUPT_LENGTH_SHORT},
	{6, 0, 0, 0, 24, RING_CORRUPT_LENGTH_SHORT},
	{6, 2, 2, 0, 16, RING_CORRUPT_LENGTH_PAST_DATA}, /* no trailer */
	{6, 2, 3, 0, 24, RING_CORRUPT_LENGTH_PAST_DATA}, /* length fits, trailer does not */
	{6, 2, 4, 0, 32, RING_CORRUPT_LENGTH_PAST_DATA},
	{6, 2, 511, 0, 4088, RING_CORRUPT_LENGTH_PAST_DATA},
	{6, 2, 512, 0, 4088, RING_CORRUPT_LENGTH_PAST_DATA},
	{6, 2, 0xFFFF, 0, 4088, RING_CORRUPT_LENGTH_PAST_DATA},
	{6, 0xFFFF, 0xFFFF, 0, 4088, RING_CORRUPT_LENGTH_PAST_DATA},
	{6, 0, 2, 0, 24, RING_CORRUPT_OFFSET_SHORT},
	{6, 1, 10, 0, 88, RING_CORRUPT_OFFSET_SHORT},
	{9, 1, 10, 0, 88, RING_CORRUPT_OFFSET_SHORT},
	{6, 3, 2, 0, 24, RING_CORRUPT_OFFSET_PAST_LENGTH},
	{6, 11, 10, 0, 88, RING_CORRUPT_OFFSET_PAST_LENGTH},
	{6, 0xFFFF, 10, 0, 88, RING_CORRUPT_OFFSET_PAST_LENGTH},
	{9, 2, 10, 0, 88, RING_CORRUPT_EXTENDED_SHORT},
	{7, 2, 10, 0, 88, RING_CORRUPT_EXTENDED_SHORT},
	{6, 2, 10, 2, 88, RING_CORRUPT_FLAGS},
	{6, 2, 10, 0x8001, 88, RING_CORRUPT_FLAGS},
	{0, 2, 10, 2, 88, RING_CORRUPT_FLAGS},
	{0, 2, 10, 0, 88, RING_CORRUPT_TYPE},
	{8, 2, 10, 0, 88, RING_CORRUPT_TYPE},
	{10, 2, 10, 0, 88, RING_CORRUPT_TYPE},
	{12, 2, 10, 0, 88, RING_CORRUPT_TYPE},
	{0xFFFF, 2, 10, 0, 88, RING_CORRUPT_TYPE},
};

/* R-RING-038, R-RING-039, R-RING-024. */
static void each_bad_descriptor_has_its_name_and_stops_the_reader(void)
{
	for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0]; i++) {
		for (uint32_t at = 0; at < SIZE; at += i % 2 ? 1016 : 584) {
			for (int is_double = 0; is_double < 2; is_double++) {
				struct ring_rig rig;
				struct packet_view view = {0};

				ring_rig_make(&rig, SIZE, is_double);
				ring_rig_open_at(&rig, at);
				raw_descriptor_put(&rig, at, descriptors[i].type,
					descriptors[i].offset8, descriptors[i].length8,
					descriptors[i].flags);
				rig.control[RING_WORD_IN] = (at + descriptors[i].available) % SIZE;
				CU_ASSERT_EQUAL(
					ring_peek(&rig.reader, &view), descriptors[i].status);
				if (descriptors[i].status == RING_OK) {
					CU_ASSERT_EQUAL(
						view.total_bytes, descriptors[i].length8 * 8 + 8);
				} else {
					/* for good, whatever comes then */
					raw_descriptor_put(&rig, at, 6, 2, 2, 0);
					rig.control[RING_WORD_IN] = (at + 1024) % SIZE;
					CU_ASSERT_EQUAL(ring_peek(&rig.reader, &view),
						descriptors[i].status);
					CU_ASSERT_TRUE(ring_reader_arm(&rig.reader));
					CU_ASSERT_FALSE(ring_read_flush(&rig.reader));
					ring_reader_mask(&rig.reader);
					CU_ASSERT_EQUAL(rig.control[RING_WORD_OUT], at);
					CU_ASSERT_EQUAL(rig.control[RING_WORD_MASK], 0);
				}
				ring_rig_free(&rig);
			}
		}
	}
}

/* R-PKT-005, R-RING-038 in full: all 65,536 types. */
static void every_unknown_type_is_refused(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};

	ring_rig_make(&rig, SIZE, true);
	for (uint32_t type = 0; type < 65536; type++) {
		const bool is_known = type == 6 || type == 7 || type == 9 || type == 11;

		ring_rig_open_at(&rig, 0);
		raw_descriptor_put(&rig, 0, (uint16_t)type, 3, 4, 0);
		rig.control[RING_WORD_IN] = 40;
		CU_ASSERT_EQUAL(
			ring_peek(&rig.reader, &view), is_known ? RING_OK : RING_CORRUPT_TYPE);
		if (is_known) {
			CU_ASSERT_EQUAL(view.type, type);
		}
	}
	ring_rig_free(&rig);
}

/* R-PKT-004: a host is strict; a guest drops the bits it does not know. */
static void unknown_flags_are_refused_or_dropped_as_chosen(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};

	ring_rig_make(&rig, SIZE, true);
	for (int bit = 0; bit < 16; bit++) {
		ring_rig_open_at(&rig, 0);
		raw_descriptor_put(&rig, 0, 6, 2, 2, (uint16_t)(1u << bit));
		rig.control[RING_WORD_IN] = 24;
		CU_ASSERT_EQUAL(ring_peek(&rig.reader, &view), bit ? RING_CORRUPT_FLAGS : RING_OK);
		CU_ASSERT_EQUAL(ring_reader_init(&rig.reader, &rig.reader_area, RING_FLAGS_IGNORE),
			RING_OK);
		rig_must(ring_peek(&rig.reader, &view));
		CU_ASSERT_EQUAL(view.flags, bit ? 0 : 1);
	}
	ring_rig_free(&rig);
}

static void packets_before_the_damage_count(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};

	ring_rig_make(&rig, SIZE, true);
	ring_rig_open_at(&rig, 0);
	CU_ASSERT_EQUAL(rig_send_total(&rig, 64), RING_OK);
	CU_ASSERT_EQUAL(rig_send_total(&rig, 64), RING_OK);
	(void)ring_flush(&rig.writer);
	raw_descriptor_put(&rig, 64, 5, 2, 2, 0);
	rig_must(rig_take(&rig, &view));
	CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_CORRUPT_TYPE);
	(void)ring_read_flush(&rig.reader);
	CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_CORRUPT_TYPE);
	CU_ASSERT_EQUAL(ring_reader_stats(&rig.reader).packets, 1);
	ring_rig_free(&rig);
}

/* ---- indices ---------------------------------------------------------- */

static const struct {
	uint32_t value;
	enum ring_status status;
} bad_indices[] = {
	{SIZE, RING_CORRUPT_INDEX_RANGE},
	{SIZE + 8, RING_CORRUPT_INDEX_RANGE},
	{2 * SIZE, RING_CORRUPT_INDEX_RANGE},
	{0x7FFFFFF8, RING_CORRUPT_INDEX_RANGE},
	{0x80000000, RING_CORRUPT_INDEX_RANGE},
	{0xFFFFFFFF, RING_CORRUPT_INDEX_RANGE},
	{1, RING_CORRUPT_INDEX_ALIGNMENT},
	{4, RING_CORRUPT_INDEX_ALIGNMENT},
	{SIZE - 1, RING_CORRUPT_INDEX_ALIGNMENT},
	{SIZE - 4, RING_CORRUPT_INDEX_ALIGNMENT},
};

enum { BAD_INDICES = sizeof bad_indices / sizeof bad_indices[0] };

/* R-RING-022, wherever the reader loads the write index. */
static void reader_validates_the_write_index_at_each_use(void)
{
	struct packet_view view = {0};

	for (size_t i = 0; i < BAD_INDICES; i++) {
		for (int place = 0; place < 3; place++) {
			struct ring_rig rig;

			ring_rig_make(&rig, SIZE, true);
			ring_rig_open_at(&rig, 2048);
			CU_ASSERT_EQUAL(rig_send_total(&rig, 64), RING_OK);
			(void)ring_flush(&rig.writer);
			rig_must(rig_take(&rig, &view));
			rig.control[RING_WORD_IN] = bad_indices[i].value;
			if (place == 0) {
				CU_ASSERT_EQUAL(
					ring_peek(&rig.reader, &view), bad_indices[i].status);
			} else if (place == 1) {
				CU_ASSERT_TRUE(ring_reader_arm(&rig.reader));
			} else {
				rig.control[RING_WORD_PENDING] = 64;
				CU_ASSERT_FALSE(ring_read_flush(&rig.reader));
			}
			CU_ASSERT_EQUAL(rig.reader.status, bad_indices[i].status);
			rig.control[RING_WORD_IN] = 2048 + 64;
			CU_ASSERT_EQUAL(ring_peek(&rig.reader, &view), bad_indices[i].status);
			ring_rig_free(&rig);
		}
	}
}

/* R-RING-022, wherever the writer loads the read index. */
static void writer_validates_the_read_index_at_each_use(void)
{
	const struct packet_header header = inband(488, 1);

	for (size_t i = 0; i < BAD_INDICES; i++) {
		for (int place = 0; place < 3; place++) {
			struct ring_rig rig;

			ring_rig_make(&rig, SIZE, true);
			ring_rig_open_at(&rig, 2048);
			for (int k = 0; k < 7; k++)
				CU_ASSERT_EQUAL(rig_send_total(&rig, 512), RING_OK);
			const uint32_t in = rig.control[RING_WORD_IN];
			rig.control[RING_WORD_OUT] = bad_indices[i].value;
			if (place == 0) {
				CU_ASSERT_EQUAL(rig_send_total(&rig, 1024), bad_indices[i].status);
				CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], in);
			} else if (place == 1) {
				CU_ASSERT_FALSE(ring_flush(&rig.writer));
			} else {
				CU_ASSERT_EQUAL(ring_writer_want(&rig.writer, &header),
					bad_indices[i].status);
			}
			CU_ASSERT_EQUAL(rig.writer.status, bad_indices[i].status);
			/* for good */
			const uint32_t stopped = rig.control[RING_WORD_IN];
			rig.control[RING_WORD_OUT] = 2048;
			CU_ASSERT_EQUAL(rig_send_total(&rig, 64), bad_indices[i].status);
			CU_ASSERT_EQUAL(
				ring_writer_want(&rig.writer, &header), bad_indices[i].status);
			CU_ASSERT_FALSE(ring_flush(&rig.writer));
			CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], stopped);
			ring_rig_free(&rig);
		}
	}
}

/* R-RING-033. */
static void write_index_that_moves_backward_is_corruption(void)
{
	struct packet_view view = {0};

	for (uint32_t at = 0; at < SIZE; at += 512) {
		struct ring_rig rig;

		ring_rig_make(&rig, SIZE, true);
		ring_rig_open_at(&rig, at);
		for (int k = 0; k < 3; k++)
			CU_ASSERT_EQUAL(rig_send_total(&rig, 256), RING_OK);
		(void)ring_flush(&rig.writer);
		rig_must(rig_take(&rig, &view)); /* 512 more are known */
		/* by a packet, or by the least that there is */
		rig.control[RING_WORD_IN] = (at + (at % 1024 ? 512 : 768 - 8)) % SIZE;
		CU_ASSERT_TRUE(ring_reader_arm(&rig.reader));
		CU_ASSERT_EQUAL(rig.reader.status, RING_CORRUPT_INDEX_BACKWARD);
		ring_rig_free(&rig);
	}
}

/* R-RING-033: a reader can neither go back nor pass what is published. */
static void read_index_that_moves_backward_or_too_far_is_corruption(void)
{
	for (uint32_t at = 0; at < SIZE; at += 512) {
		for (int is_far = 0; is_far < 2; is_far++) {
			struct ring_rig rig;
			struct packet_view view = {0};

			ring_rig_make(&rig, SIZE, true);
			ring_rig_open_at(&rig, at);
			for (int k = 0; k < 4; k++)
				CU_ASSERT_EQUAL(rig_send_total(&rig, 512), RING_OK);
			(void)ring_flush(&rig.writer);
			rig_must(rig_take(&rig, &view));
			rig_must(rig_take(&rig, &view));
			(void)ring_read_flush(&rig.reader);
			CU_ASSERT_EQUAL(rig_send_total(&rig, 2560), RING_OK); /* sees out */
			rig.control[RING_WORD_OUT] = (at + (is_far ? 2056 : 1016)) % SIZE;
			CU_ASSERT_EQUAL(rig_send_total(&rig, 1024), RING_CORRUPT_INDEX_BACKWARD);
			ring_rig_free(&rig);
		}
	}
}

/* R-RING-023: ours are private; what the peer puts there is overwritten, not read. */
static void scribbling_on_our_indices_changes_nothing(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};

	ring_rig_make(&rig, SIZE, true);
	ring_rig_open_at(&rig, 1024);
	for (int i = 0; i < 100; i++) {
		rig.control[RING_WORD_IN] = 0xFFFFFFFF;
		CU_ASSERT_EQUAL(rig_send_total(&rig, 256), RING_OK);
		rig.control[RING_WORD_OUT] = rig.writer.published; /* the reader's, sane */
		CU_ASSERT_TRUE(ring_flush(&rig.writer));
		rig.control[RING_WORD_OUT] = 3;
		rig_must(rig_take(&rig, &view));
		(void)ring_read_flush(&rig.reader);
		CU_ASSERT_EQUAL(
			rig.control[RING_WORD_OUT], (1024 + 256 * (uint32_t)(i + 1)) % SIZE);
		CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], rig.control[RING_WORD_OUT]);
	}
	ring_rig_free(&rig);
}

/* R-RING-039. */
static void one_half_stops_and_the_other_goes_on(void)
{
	struct ring_rig out;
	struct ring_rig in;
	struct packet_view view = {0};

	ring_rig_make(&out, SIZE, true);
	ring_rig_make(&in, SIZE, true);
	ring_rig_open_at(&out, 0);
	ring_rig_open_at(&in, 0);
	in.control[RING_WORD_IN] = 4;
	CU_ASSERT_EQUAL(ring_peek(&in.reader, &view), RING_CORRUPT_INDEX_ALIGNMENT);
	CU_ASSERT_EQUAL(rig_send_total(&out, 64), RING_OK);
	CU_ASSERT_TRUE(ring_flush(&out.writer));
	rig_must(rig_take(&out, &view));
	ring_rig_free(&out);
	ring_rig_free(&in);
}

/* ---- memory that changes ---------------------------------------------- */

/* R-RING-025: what counts is what was loaded first. */
static void descriptor_changed_after_the_look_has_no_effect(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};

	ring_rig_make(&rig, SIZE, true);
	ring_rig_open_at(&rig, 0);
	CU_ASSERT_EQUAL(rig_send_total(&rig, 64), RING_OK);
	CU_ASSERT_EQUAL(rig_send_total(&rig, 72), RING_OK);
	(void)ring_flush(&rig.writer);
	rig_must(ring_peek(&rig.reader, &view));
	raw_word_put(&rig, 0, UINT64_MAX);
	raw_word_put(&rig, 8, UINT64_MAX);
	CU_ASSERT_EQUAL(view.total_bytes, 64);
	CU_ASSERT_EQUAL(view.payload_bytes, 40);
	CU_ASSERT_EQUAL(view.transaction_id, 7);
	ring_release(&rig.reader, &view);
	rig_must(ring_peek(&rig.reader, &view));
	CU_ASSERT_EQUAL(view.total_bytes, 72);
	ring_rig_free(&rig);
}

/* R-RING-026: what was received by copying is ours. */
static void payload_changed_after_receiving_has_no_effect(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};
	uint8_t buffer[40];

	FOR_EACH_SHAPE(&rig)
	{
		ring_rig_open_at(&rig, rig.size - 32);
		CU_ASSERT_EQUAL(rig_send_total(&rig, 64), RING_OK);
		(void)ring_flush(&rig.writer);
		rig_must(ring_receive(&rig.reader, buffer, sizeof buffer, &view));
		memset(rig.data, 0xEE, rig.size);
		for (size_t i = 0; i < sizeof buffer; i++)
			CU_ASSERT_EQUAL(view.payload[i], 0x5A);
	}
}

/* R-RING-026: the extended header counts, too. */
static void contents_larger_than_the_buffer_are_not_copied(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};
	const struct packet_header header = {.type = PACKET_TYPE_GPA_DIRECT,
		.extended_bytes = 64,
		.payload_bytes = 16,
		.transaction_id = 1};
	uint64_t *buffer = malloc(72);
	uint8_t extended[64] = {0};
	uint8_t payload[16] = {0};

	ring_rig_make(&rig, SIZE, true);
	ring_rig_open_at(&rig, 0);
	CU_ASSERT_EQUAL(ring_send(&rig.writer, &header, extended, payload), RING_OK);
	(void)ring_flush(&rig.writer);
	CU_ASSERT_EQUAL(ring_receive(&rig.reader, buffer, 72, &view), RING_BUFFER_TOO_SMALL);
	CU_ASSERT_EQUAL(view.extended_bytes + view.payload_bytes, 80);
	free(buffer);
	ring_rig_free(&rig);
}

static const struct test tests[] = {
	TEST(each_bad_descriptor_has_its_name_and_stops_the_reader),
	TEST(every_unknown_type_is_refused),
	TEST(unknown_flags_are_refused_or_dropped_as_chosen),
	TEST(packets_before_the_damage_count),
	TEST(reader_validates_the_write_index_at_each_use),
	TEST(writer_validates_the_read_index_at_each_use),
	TEST(write_index_that_moves_backward_is_corruption),
	TEST(read_index_that_moves_backward_or_too_far_is_corruption),
	TEST(scribbling_on_our_indices_changes_nothing),
	TEST(one_half_stops_and_the_other_goes_on),
	TEST(descriptor_changed_after_the_look_has_no_effect),
	TEST(payload_changed_after_receiving_has_no_effect),
	TEST(contents_larger_than_the_buffer_are_not_copied),
};

TEST_MAIN("ring_hostile", tests)
