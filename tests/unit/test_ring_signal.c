// SPDX-License-Identifier: Apache-2.0
/*
 * Who signals whom, and when: data signals, the interrupt mask, pending send sizes. The
 * interleavings are in tests/model; here each rule is looked at by itself, with the test
 * playing the peer on the raw control page.
 */
#include "tests/unit/ring_rig.h"

enum { SIZE = 4096, PACKET = 512 }; /* seven packets fit: 7 * 512 = 3584 <= 4088 */

static void rig_open(struct ring_rig *rig, uint32_t index)
{
	ring_rig_make(rig, SIZE, true);
	ring_rig_open_at(rig, index);
}

static void send_packets(struct ring_rig *rig, int count)
{
	while (count-- > 0)
		CU_ASSERT_EQUAL_FATAL(rig_send_total(rig, PACKET), RING_OK);
	(void)ring_flush(&rig->writer);
}

static void take_packets(struct ring_rig *rig, int count)
{
	struct packet_view view = {0};

	while (count-- > 0)
		CU_ASSERT_EQUAL_FATAL(rig_take(rig, &view), RING_OK);
}

/* ---- data ------------------------------------------------------------- */

/* R-RING-007, R-RING-008: every combination of mask and what was there before. */
static void writer_signals_only_into_an_empty_unmasked_ring(void)
{
	static const uint32_t masks[] = {0, 1, 2, 0x80000000, 0xFFFFFFFF};

	for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
		for (int before = 0; before < 3; before++) {
			struct ring_rig rig;

			rig_open(&rig, SIZE - 64);
			send_packets(&rig, before);
			rig.control[RING_WORD_MASK] = masks[i];
			CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
			CU_ASSERT_EQUAL(ring_flush(&rig.writer), masks[i] == 0 && before == 0);
			ring_rig_free(&rig);
		}
	}
}

static void one_batch_is_one_signal(void)
{
	struct ring_rig rig;

	rig_open(&rig, 0);
	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	CU_ASSERT_TRUE(ring_flush(&rig.writer));
	CU_ASSERT_FALSE(ring_flush(&rig.writer)); /* nothing new */
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	CU_ASSERT_FALSE(ring_flush(&rig.writer)); /* not empty */
	CU_ASSERT_EQUAL(ring_writer_stats(&rig.writer).signals, 1);
	ring_rig_free(&rig);
}

static void flush_of_nothing_leaves_shared_memory_alone(void)
{
	struct ring_rig rig;

	rig_open(&rig, 128);
	rig.control[RING_WORD_IN] = 0xDEAD; /* someone else scribbles on it */
	CU_ASSERT_FALSE(ring_flush(&rig.writer));
	CU_ASSERT_EQUAL(rig.control[RING_WORD_IN], 0xDEAD);
	ring_rig_free(&rig);
}

/* A batch is what lies between two flushes: the ring was empty when it began, or not. */
static void empty_means_empty_for_the_peer(void)
{
	struct ring_rig rig;

	rig_open(&rig, 0);
	send_packets(&rig, 1);
	take_packets(&rig, 1);
	/* read, but not given back: the writer cannot know */
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	CU_ASSERT_FALSE(ring_flush(&rig.writer));
	take_packets(&rig, 1);
	(void)ring_read_publish(&rig.reader);
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	CU_ASSERT_TRUE(ring_flush(&rig.writer));
	ring_rig_free(&rig);
}

/* The reader is already inside the batch when the writer looks: it is awake. */
static void reader_inside_the_batch_needs_no_signal(void)
{
	struct ring_rig rig;

	rig_open(&rig, 0);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	/* what the reader would store between our store of in and our load of out */
	rig.control[RING_WORD_OUT] = PACKET;
	CU_ASSERT_FALSE(ring_flush(&rig.writer));
	CU_ASSERT_EQUAL(rig.writer.status, RING_OK);
	ring_rig_free(&rig);
}

/* R-RING-009: the write comes between the drain and the unmasking. */
static void arming_notices_data_that_came_meanwhile(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};

	rig_open(&rig, SIZE - 512);
	ring_reader_mask(&rig.reader);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_MASK], 1);
	send_packets(&rig, 1);
	take_packets(&rig, 1);
	CU_ASSERT_EQUAL(rig_take(&rig, &view), RING_EMPTY);
	(void)ring_read_flush(&rig.reader);

	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	CU_ASSERT_FALSE(ring_flush(&rig.writer)); /* masked: nobody will tell */
	CU_ASSERT_TRUE(ring_reader_arm(&rig.reader));
	CU_ASSERT_EQUAL(rig.control[RING_WORD_MASK], 1); /* still draining */
	take_packets(&rig, 1);
	(void)ring_read_flush(&rig.reader);

	CU_ASSERT_FALSE(ring_reader_arm(&rig.reader));
	CU_ASSERT_EQUAL(rig.control[RING_WORD_MASK], 0);
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	CU_ASSERT_TRUE(ring_flush(&rig.writer));
	CU_ASSERT_EQUAL(ring_reader_stats(&rig.reader).waits, 1);
	ring_rig_free(&rig);
}

static void reader_that_never_masks_is_armed_too(void)
{
	struct ring_rig rig;

	rig_open(&rig, 0);
	send_packets(&rig, 1);
	CU_ASSERT_TRUE(ring_reader_arm(&rig.reader));
	CU_ASSERT_EQUAL(rig.control[RING_WORD_MASK], 0); /* it does not start to mask */
	take_packets(&rig, 1);
	/* arming publishes what was read, so that the writer sees an empty ring */
	CU_ASSERT_FALSE(ring_reader_arm(&rig.reader));
	CU_ASSERT_EQUAL(rig.control[RING_WORD_OUT], PACKET);
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	CU_ASSERT_TRUE(ring_flush(&rig.writer));
	ring_rig_free(&rig);
}

/* R-RING-010: many packets, one signal; then a wait. R-RING-008 while polling. */
static void polling_reader_is_never_signalled(void)
{
	struct ring_rig rig;
	struct packet_view view = {0};

	rig_open(&rig, 0);
	ring_reader_mask(&rig.reader);
	ring_reader_mask(&rig.reader);
	for (int i = 0; i < 10000; i++) {
		send_packets(&rig, 1 + i % 7);
		while (rig_take(&rig, &view) == RING_OK)
			(void)ring_read_publish(&rig.reader);
		(void)ring_read_flush(&rig.reader);
	}
	CU_ASSERT_EQUAL(ring_writer_stats(&rig.writer).signals, 0);
	CU_ASSERT_EQUAL(
		ring_writer_stats(&rig.writer).packets, ring_reader_stats(&rig.reader).packets);
	ring_rig_free(&rig);
}

/* ---- space ------------------------------------------------------------ */

/* R-RING-011, R-RING-012, R-RING-013, R-RING-014: free before and after a batch, and wanted. */
static void reader_signals_when_free_space_rises_to_what_is_wanted(void)
{
	/* free space = 4088 - 512 * (packets in the ring) */
	static const struct {
		int sent;
		int taken;
		uint32_t pending;
		bool expected;
	} cases[] = {
		{7, 1, 0, false},    /* nobody waits */
		{7, 1, 504, false},  /* 504 free before: was satisfied */
		{7, 1, 512, true},   /* 504 -> 1016 */
		{7, 1, 1016, true},  /* exactly reached */
		{7, 1, 1024, false}, /* one unit short */
		{7, 2, 1024, true},  /* 504 -> 1528 in one batch */
		{7, 2, 1528, true}, {7, 2, 1536, false},
		{7, 7, 4088, true}, /* only an empty ring will do */
		{7, 6, 4088, false},
		{7, 7, 4095, true}, /* size - 1: the same, from other writers */
		{7, 6, 4095, false}, {7, 7, 4089, true},
		{7, 7, 4096, false}, /* can never be free */
		{7, 7, 0xFFFFFFFF, false}, {7, 7, 0xFFFFFFF8, false}, {1, 1, 4088, true},
		{1, 1, 3576, false},		      /* 3576 free before */
		{1, 1, 3577, false},		      /* low bits do not count */
		{1, 1, 3584, true}, {7, 7, 7, false}, /* always free */
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (int mask = 0; mask < 2; mask++) {	    /* R-RING-017 */
			for (int way = 0; way < 2; way++) { /* flush, publish */
				struct ring_rig rig;

				rig_open(&rig, SIZE - 256);
				send_packets(&rig, cases[i].sent);
				rig.control[RING_WORD_PENDING] = cases[i].pending;
				rig.control[RING_WORD_MASK] = (uint32_t)mask;
				take_packets(&rig, cases[i].taken);
				const bool is_signal = way ? ring_read_publish(&rig.reader)
							   : ring_read_flush(&rig.reader);
				CU_ASSERT_EQUAL(is_signal, cases[i].expected);
				/* said once */
				CU_ASSERT_FALSE(ring_read_flush(&rig.reader));
				CU_ASSERT_EQUAL(
					ring_reader_stats(&rig.reader).signals, cases[i].expected);
				CU_ASSERT_EQUAL(rig.reader.status, RING_OK);
				ring_rig_free(&rig);
			}
		}
	}
}

/* R-RING-012: the wish stays, but is only newly fulfilled once. */
static void satisfied_wish_is_not_signalled_again(void)
{
	struct ring_rig rig;

	rig_open(&rig, 0);
	send_packets(&rig, 7);
	rig.control[RING_WORD_PENDING] = 1024;
	take_packets(&rig, 1);
	CU_ASSERT_FALSE(ring_read_flush(&rig.reader)); /* 1016 */
	take_packets(&rig, 1);
	CU_ASSERT_TRUE(ring_read_flush(&rig.reader)); /* 1528 */
	for (int i = 0; i < 5; i++) {
		take_packets(&rig, 1);
		CU_ASSERT_FALSE(ring_read_flush(&rig.reader));
	}
	/* the writer fills up again and leaves the wish where it is: an edge each time */
	send_packets(&rig, 7);
	take_packets(&rig, 2);
	CU_ASSERT_TRUE(ring_read_flush(&rig.reader));
	ring_rig_free(&rig);
}

/* R-RING-011, R-RING-032: a writer without the feature bit polls and must not be signalled. */
static void writer_without_the_feature_is_not_signalled_for_space(void)
{
	struct ring_rig rig;

	rig_open(&rig, 0);
	send_packets(&rig, 7);
	rig.control[RING_WORD_PENDING] = 1024;
	rig.control[RING_WORD_FEATURES] = 0xFFFFFFFE;
	take_packets(&rig, 7);
	CU_ASSERT_FALSE(ring_read_flush(&rig.reader));
	CU_ASSERT_FALSE(ring_peer_signals_space(&rig.reader));
	rig.control[RING_WORD_FEATURES] = 0x80000001;
	CU_ASSERT_TRUE(ring_peer_signals_space(&rig.reader));
	ring_rig_free(&rig);
}

/* R-RING-037: a wish that is seen only by the last look: room counts from the last fenced look. */
static void flush_makes_up_for_what_publish_could_not_see(void)
{
	struct ring_rig rig;

	rig_open(&rig, SIZE - 1024);
	send_packets(&rig, 7);
	take_packets(&rig, 1);
	CU_ASSERT_FALSE(ring_read_publish(&rig.reader));
	take_packets(&rig, 1);
	CU_ASSERT_FALSE(ring_read_publish(&rig.reader));
	CU_ASSERT_EQUAL(rig.control[RING_WORD_OUT], 0);
	rig.control[RING_WORD_PENDING] = 1024; /* stored before, visible only now */
	CU_ASSERT_TRUE(ring_read_flush(&rig.reader));
	CU_ASSERT_FALSE(ring_read_flush(&rig.reader));
	ring_rig_free(&rig);
}

static void flush_of_nothing_read_leaves_shared_memory_alone(void)
{
	struct ring_rig rig;

	rig_open(&rig, 0);
	rig.control[RING_WORD_OUT] = 0xDEAD;
	CU_ASSERT_FALSE(ring_read_flush(&rig.reader));
	CU_ASSERT_EQUAL(rig.control[RING_WORD_OUT], 0xDEAD);
	ring_rig_free(&rig);
}

/*
 * R-RING-015, R-RING-016, R-RING-035: the wish is stored, and cleared by the reservation that
 * fits.
 */
static void blocked_writer_stores_its_wish_and_clears_it_later(void)
{
	struct ring_rig rig;
	const struct packet_header header = inband(PACKET - 24, 1);

	rig_open(&rig, 512);
	send_packets(&rig, 7);
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_FULL);
	CU_ASSERT_EQUAL(ring_writer_want(&rig.writer, &header), RING_FULL);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_PENDING], PACKET);
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_FULL);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_PENDING], PACKET);

	take_packets(&rig, 1);
	CU_ASSERT_TRUE(ring_read_flush(&rig.reader));
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_PENDING], 0);
	CU_ASSERT_EQUAL(ring_writer_stats(&rig.writer).waits, 1);
	CU_ASSERT_EQUAL(ring_writer_stats(&rig.writer).stalls, 2);
	ring_rig_free(&rig);
}

/* A smaller packet fits although the wish does not: the wish is over all the same. */
static void reservation_that_fits_ends_a_larger_wish(void)
{
	struct ring_rig rig;
	const struct packet_header large = inband(2048, 1);

	rig_open(&rig, 0);
	send_packets(&rig, 6); /* 1016 free */
	CU_ASSERT_EQUAL(ring_writer_want(&rig.writer, &large), RING_FULL);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_PENDING], 2048 + 24);
	CU_ASSERT_EQUAL(rig_send_total(&rig, 64), RING_OK);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_PENDING], 0);
	ring_rig_free(&rig);
}

/* R-RING-015: the reader frees between the failed attempt and the wish. */
static void wish_notices_room_that_came_meanwhile(void)
{
	struct ring_rig rig;
	const struct packet_header header = inband(PACKET - 24, 1);

	rig_open(&rig, 512);
	send_packets(&rig, 7);
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_FULL);
	take_packets(&rig, 1);
	CU_ASSERT_FALSE(ring_read_flush(&rig.reader)); /* no wish yet */
	CU_ASSERT_EQUAL(ring_writer_want(&rig.writer, &header), RING_OK);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_PENDING], 0);
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	ring_rig_free(&rig);
}

/* R-RING-034: the reader counts from the published index: what is committed since is on top. */
static void wish_counts_what_is_not_yet_published(void)
{
	struct ring_rig rig;
	const struct packet_header header = inband(1024 - 24, 1);

	rig_open(&rig, 0);
	send_packets(&rig, 5);
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	CU_ASSERT_EQUAL(rig_send_total(&rig, PACKET), RING_OK);
	CU_ASSERT_EQUAL(ring_writer_want(&rig.writer, &header), RING_FULL);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_PENDING], 1024 + 2 * PACKET);
	const struct packet_header most = inband(4088 - 24, 1);
	CU_ASSERT_EQUAL(ring_writer_want(&rig.writer, &most), RING_FULL);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_PENDING], SIZE - 1);
	ring_rig_free(&rig);
}

static void wish_for_too_much_is_refused(void)
{
	struct ring_rig rig;
	const struct packet_header header = inband(4088 - 24 + 1, 1);

	rig_open(&rig, 0);
	CU_ASSERT_EQUAL(ring_writer_want(&rig.writer, &header), RING_TOO_LARGE);
	CU_ASSERT_EQUAL(rig.control[RING_WORD_PENDING], 0);
	ring_rig_free(&rig);
}

/* R-RING-020: one signal may stand for data and for room; both are there to be found. */
static void one_signal_can_mean_data_and_room(void)
{
	struct ring_rig a; /* we write */
	struct ring_rig b; /* we read */
	struct packet_view view = {0};
	const struct packet_header header = inband(PACKET - 24, 1);

	rig_open(&a, 0);
	rig_open(&b, 0);
	send_packets(&a, 7);
	CU_ASSERT_EQUAL(ring_writer_want(&a.writer, &header), RING_FULL);
	CU_ASSERT_FALSE(ring_reader_arm(&b.reader));
	int signals = 0;
	take_packets(&a, 3);
	signals += ring_read_flush(&a.reader);
	CU_ASSERT_EQUAL(rig_send_total(&b, PACKET), RING_OK);
	signals += ring_flush(&b.writer);
	CU_ASSERT_EQUAL(signals, 2); /* which the channel may merge into one */
	CU_ASSERT_EQUAL(rig_send_total(&a, PACKET), RING_OK);
	CU_ASSERT_EQUAL(rig_take(&b, &view), RING_OK);
	ring_rig_free(&a);
	ring_rig_free(&b);
}

static const struct test tests[] = {
	TEST(writer_signals_only_into_an_empty_unmasked_ring),
	TEST(one_batch_is_one_signal),
	TEST(flush_of_nothing_leaves_shared_memory_alone),
	TEST(empty_means_empty_for_the_peer),
	TEST(reader_inside_the_batch_needs_no_signal),
	TEST(arming_notices_data_that_came_meanwhile),
	TEST(reader_that_never_masks_is_armed_too),
	TEST(polling_reader_is_never_signalled),
	TEST(reader_signals_when_free_space_rises_to_what_is_wanted),
	TEST(satisfied_wish_is_not_signalled_again),
	TEST(writer_without_the_feature_is_not_signalled_for_space),
	TEST(flush_makes_up_for_what_publish_could_not_see),
	TEST(flush_of_nothing_read_leaves_shared_memory_alone),
	TEST(blocked_writer_stores_its_wish_and_clears_it_later),
	TEST(reservation_that_fits_ends_a_larger_wish),
	TEST(wish_notices_room_that_came_meanwhile),
	TEST(wish_counts_what_is_not_yet_published),
	TEST(wish_for_too_much_is_refused),
	TEST(one_signal_can_mean_data_and_room),
};

TEST_MAIN("ring_signal", tests)
