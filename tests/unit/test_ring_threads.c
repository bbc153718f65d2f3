// SPDX-License-Identifier: Apache-2.0
/*
 * The ring between real threads: sleeping and polling ends, several writers behind a
 * lock, a peer that scribbles while it is being read. Amounts are bounded, not times; a
 * lost wake-up shows as a wait that runs into its deadline.
 */
#include "protocol/spin.h"
#include "tests/unit/ring_rig.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

#if defined(UNDER_TSAN) || defined(__SANITIZE_ADDRESS__)
#define SLOWER 10u
#else
#define SLOWER 1u
#endif

enum { WAIT_SECONDS = 20, WRITERS = 8 };

/* A channel's interrupt: signals may merge, none may be lost. */
struct doorbell {
	sem_t sem;
	bool is_late; /* a wait ran into its deadline */
};

static void doorbell_ring(struct doorbell *d)
{
	sem_post(&d->sem);
}

static bool doorbell_wait(struct doorbell *d)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += WAIT_SECONDS;
	while (sem_timedwait(&d->sem, &deadline) != 0) {
		if (errno == EINTR)
			continue;
		d->is_late = true;
		return false;
	}
	return true;
}

/* One transfer: who does what, and what came of it. */
struct transfer {
	struct ring_rig rig;
	struct doorbell data; /* rung by the writer */
	struct doorbell room; /* rung by the reader */
	uint64_t packets;
	bool is_polling; /* the reader masks for good */
	bool is_masking;
	bool is_brief; /* 8-byte packets, and pauses in which the reader arms */
	uint32_t batch;
	uint64_t sum_sent;
	uint64_t sum_received;
	pthread_mutex_t lock; /* around the writer when there are several */
};

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Wait until `header` fits; false if the ring has stopped or nobody woke us. */
static bool wait_for_room(struct transfer *t, const struct packet_header *header)
{
	if (ring_flush(&t->rig.writer))
		doorbell_ring(&t->data);
	switch (ring_writer_want(&t->rig.writer, header)) {
	case RING_OK:
		return true;
	case RING_FULL:
		return doorbell_wait(&t->room);
	default:
		return false;
	}
}

static void *writer_main(void *argument)
{
	struct transfer *t = argument;
	uint32_t random = 12345;
	uint8_t payload[1024];

	for (uint64_t i = 0; i < t->packets;) {
		const uint32_t chance = next_random(&random);
		const struct packet_header header = inband(t->is_brief ? 8 : 8 + chance % 900, i);

		/* so few stores that only the barrier puts them before the look at the mask */
		for (uint32_t pause = t->is_brief ? chance % 256 : 0; pause > 0; pause--)
			spin_pause();
		memset(payload, (int)(i & 0xFF), header.payload_bytes);
		memcpy(payload, &i, sizeof i);
		enum ring_status status;
		/* a signal may be an old one: only room ends the wait */
		while ((status = ring_send(&t->rig.writer, &header, NULL, payload)) == RING_FULL) {
			if (!wait_for_room(t, &header))
				break;
		}
		if (status != RING_OK)
			break;
		t->sum_sent += header.payload_bytes + i;
		i++;
		if (i % t->batch == 0 && ring_flush(&t->rig.writer))
			doorbell_ring(&t->data);
	}
	if (ring_flush(&t->rig.writer))
		doorbell_ring(&t->data);
	return NULL;
}

/* Check one packet; false if it is not what was sent. */
static bool packet_is_right(struct transfer *t, const struct packet_view *view, uint64_t number)
{
	uint64_t content;

	memcpy(&content, view->payload, sizeof content);
	if (view->transaction_id != number || content != number)
		return false;
	t->sum_received += number;
	return view->payload_bytes <= 8 || view->payload[8] == (uint8_t)number;
}

static void reader_run(struct transfer *t)
{
	uint64_t received = 0;
	struct packet_view view = {0};

	while (received < t->packets) {
		const enum ring_status status = ring_peek(&t->rig.reader, &view);

		if (status == RING_OK) {
			if (!packet_is_right(t, &view, received))
				break;
			ring_release(&t->rig.reader, &view);
			received++;
			if (received % 3 == 0 && ring_read_publish(&t->rig.reader))
				doorbell_ring(&t->room);
			continue;
		}
		if (status != RING_EMPTY)
			break;
		if (ring_read_flush(&t->rig.reader))
			doorbell_ring(&t->room);
		if (t->is_polling) {
			sched_yield();
			continue;
		}
		if (ring_reader_arm(&t->rig.reader))
			continue;
		if (!doorbell_wait(&t->data))
			break;
		if (t->is_masking)
			ring_reader_mask(&t->rig.reader);
	}
	(void)ring_read_flush(&t->rig.reader);
	CU_ASSERT_EQUAL(received, t->packets);
}

static void transfer_run(struct transfer *t, uint32_t size, bool is_double)
{
	pthread_t writer;

	ring_rig_make(&t->rig, size, is_double);
	ring_rig_open_at(&t->rig, size - 504);
	if (t->is_polling || t->is_masking)
		ring_reader_mask(&t->rig.reader);
	sem_init(&t->data.sem, 0, 0);
	sem_init(&t->room.sem, 0, 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&writer, NULL, writer_main, t), 0);
	reader_run(t);
	pthread_join(writer, NULL);
	CU_ASSERT_FALSE(t->data.is_late);
	CU_ASSERT_FALSE(t->room.is_late);
	CU_ASSERT_EQUAL(t->rig.writer.status, RING_OK);
	CU_ASSERT_EQUAL(t->rig.reader.status, RING_OK);
	const struct ring_stats out = ring_writer_stats(&t->rig.writer);
	const struct ring_stats in = ring_reader_stats(&t->rig.reader);
	CU_ASSERT_EQUAL(out.packets, in.packets);
	CU_ASSERT_EQUAL(out.bytes, in.bytes);
	if (t->is_polling) {
		CU_ASSERT_EQUAL(out.signals, 0);
	}
	sem_destroy(&t->data.sem);
	sem_destroy(&t->room.sem);
	ring_rig_free(&t->rig);
}

/* R-RING-005, R-RING-006, R-RING-009, R-RING-015, R-RING-030 */
static void sleeping_ends_lose_no_wake_up(void)
{
	for (int is_double = 0; is_double < 2; is_double++) {
		for (uint32_t batch = 1; batch <= 4; batch *= 4) {
			struct transfer t = {
				.packets = 60000 / SLOWER, .is_masking = true, .batch = batch};

			transfer_run(&t, 4096, is_double);
		}
	}
}

static void sleeping_ends_lose_no_wake_up_without_the_mask(void)
{
	for (int is_double = 0; is_double < 2; is_double++) {
		struct transfer t = {.packets = 60000 / SLOWER, .batch = 2};

		transfer_run(&t, 12288, is_double);
	}
}

static void brief_packets_lose_no_wake_up(void)
{
	struct transfer t = {
		.packets = 400000 / SLOWER, .is_masking = true, .is_brief = true, .batch = 1};

	transfer_run(&t, 4096, true);
}

static void polling_reader_gets_everything_unsignalled(void)
{
	for (int is_double = 0; is_double < 2; is_double++) {
		struct transfer t = {.packets = 60000 / SLOWER, .is_polling = true, .batch = 8};

		transfer_run(&t, 4096, is_double);
	}
}

/* ---- several writers -------------------------------------------------- */

struct one_of_many {
	struct transfer *t;
	uint32_t number;
};

static void *locked_writer_main(void *argument)
{
	const struct one_of_many *me = argument;
	struct transfer *t = me->t;
	uint8_t payload[512];

	for (uint32_t i = 0; i < t->packets / WRITERS;) {
		const struct packet_header header = inband(
			16 + (i * 37 + me->number * 11) % 480, (uint64_t)me->number << 32 | i);
		enum ring_status status;

		memset(payload, (int)me->number + 1, header.payload_bytes);
		pthread_mutex_lock(&t->lock);
		status = ring_send(&t->rig.writer, &header, NULL, payload);
		(void)ring_flush(&t->rig.writer);
		pthread_mutex_unlock(&t->lock);
		if (status == RING_OK)
			i++;
		else if (status == RING_FULL)
			sched_yield();
		else
			break;
	}
	return NULL;
}

/* R-RING-029 */
static void locked_writers_tear_no_packet(void)
{
	struct transfer t = {.packets = 80000 / SLOWER, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct one_of_many writers[WRITERS];
	pthread_t threads[WRITERS];
	uint32_t next[WRITERS] = {0};
	struct packet_view view = {0};
	uint64_t received = 0;
	bool is_right = true;

	ring_rig_make(&t.rig, 4096, true);
	ring_rig_open_at(&t.rig, 0);
	ring_reader_mask(&t.rig.reader);
	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct one_of_many){&t, i};
		CU_ASSERT_EQUAL_FATAL(
			pthread_create(&threads[i], NULL, locked_writer_main, &writers[i]), 0);
	}
	while (received < t.packets / WRITERS * WRITERS && is_right) {
		const enum ring_status status = ring_peek(&t.rig.reader, &view);

		if (status == RING_EMPTY) {
			sched_yield();
			continue;
		}
		const uint64_t who = view.transaction_id >> 32;
		is_right = status == RING_OK && who < WRITERS &&
			   (uint32_t)view.transaction_id == next[who];
		if (!is_right)
			break;
		const uint32_t bytes = 16 + (next[who] * 37 + (uint32_t)who * 11) % 480;
		for (uint32_t i = 0; i < bytes; i++)
			is_right = is_right && view.payload[i] == who + 1;
		is_right = is_right && view.payload_bytes == (bytes + 7) / 8 * 8;
		next[who]++;
		received++;
		ring_release(&t.rig.reader, &view);
		(void)ring_read_publish(&t.rig.reader);
	}
	CU_ASSERT_TRUE(is_right);
	for (uint32_t i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	ring_rig_free(&t.rig);
}

/* ---- a peer that scribbles -------------------------------------------- */

struct scribbler {
	struct ring_rig *rig;
	uint32_t seed;
	bool is_stopping;
};

static void *scribbler_main(void *argument)
{
	struct scribbler *s = argument;
	uint32_t random = s->seed;

	while (!__atomic_load_n(&s->is_stopping, __ATOMIC_RELAXED)) {
		const uint32_t what = next_random(&random) % 8;
		const uint32_t value = next_random(&random);

		if (what < 4) { /* an index, the mask, the pending size: mostly plausible */
			const uint32_t plausible = value % s->rig->size & ~7u;

			__atomic_store_n(&s->rig->control[what],
				value % 16 ? plausible : value * 2654435761u, __ATOMIC_RELAXED);
		} else { /* a word of the data, mostly like a descriptor */
			uint64_t word = 6 | (uint64_t)2 << 16 | (uint64_t)(2 + value % 64) << 32;

			if (value % 8 == 0)
				word ^= (uint64_t)value << (value % 32);
			uint64_t *at =
				(uint64_t *)(void *)(s->rig->data + value % s->rig->size / 8 * 8);
			__atomic_store_n(at, word, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

/* Read and write as long as the ring lasts; returns what it did. */
static uint64_t hostile_round(struct ring_rig *rig)
{
	uint64_t packets = 0;
	uint8_t buffer[4096];
	struct packet_view view = {0};

	for (int i = 0; i < 200; i++) {
		const struct packet_header header = inband((uint32_t)i * 3, 1);
		struct ring_span span = {0};

		if (ring_reserve(&rig->writer, &header, &span) == RING_OK)
			ring_commit(&rig->writer, &span);
		else
			(void)ring_writer_want(&rig->writer, &header);
		(void)ring_flush(&rig->writer);
		if (ring_receive(&rig->reader, buffer, sizeof buffer, &view) == RING_OK)
			packets++;
		/* whatever happened, views stay inside their packet and the ring */
		CU_ASSERT_TRUE(view.total_bytes <= rig->size - 8);
		CU_ASSERT_TRUE(view.extended_bytes + view.payload_bytes + 24 == view.total_bytes ||
			       view.total_bytes == 0);
		(void)ring_read_publish(&rig->reader);
		(void)ring_read_flush(&rig->reader);
		(void)ring_reader_arm(&rig->reader);
		ring_reader_mask(&rig->reader);
	}
	return packets;
}

/* R-RING-022, R-RING-025: under the sanitizers this also shows that nothing is overrun. */
static void scribbling_peer_stops_its_ring_and_nothing_else(void)
{
#ifdef UNDER_TSAN
	test_skip("memory that changes while it is read is a data race, and the point");
	return;
#endif
	for (int is_double = 0; is_double < 2; is_double++) {
		struct ring_rig rig;
		struct scribbler scribbler = {.rig = &rig, .seed = 77};
		pthread_t thread;
		uint64_t packets = 0;
		uint32_t stopped = 0;

		ring_rig_make(&rig, 4096, is_double);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, scribbler_main, &scribbler), 0);
		/* the scribbler may sleep: go on until it has been at work, within reason */
		for (uint32_t round = 0; stopped < 1000 / SLOWER && round < 1000000; round++) {
			if (round % 16 == 0)
				sched_yield();
			if (ring_open(&rig.writer, &rig.writer_area, &rig.reader, &rig.reader_area,
				    round % 2 ? RING_FLAGS_STRICT : RING_FLAGS_IGNORE) != RING_OK) {
				__atomic_store_n(&rig.control[RING_WORD_IN], 0, __ATOMIC_RELAXED);
				__atomic_store_n(&rig.control[RING_WORD_OUT], 0, __ATOMIC_RELAXED);
				continue;
			}
			packets += hostile_round(&rig);
			stopped += ring_status_is_corrupt(rig.reader.status);
			stopped += ring_status_is_corrupt(rig.writer.status);
		}
		__atomic_store_n(&scribbler.is_stopping, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		CU_ASSERT_TRUE(packets > 0);
		CU_ASSERT_TRUE(stopped > 0);
		ring_rig_free(&rig);
	}
}

/* One descriptor that says one of two lengths, as fast as it can be made to. */
static void *changer_main(void *argument)
{
	struct scribbler *s = argument;
	uint64_t *word = (uint64_t *)(void *)s->rig->data;
	uint64_t value = 6 | (uint64_t)2 << 16 | (uint64_t)8 << 32;

	while (!__atomic_load_n(&s->is_stopping, __ATOMIC_RELAXED)) {
		__atomic_store_n(word, value, __ATOMIC_RELAXED);
		value ^= (uint64_t)(8 ^ 4) << 32;
	}
	return NULL;
}

/* R-RING-025: what is checked and what is handed out come from one look. */
static void descriptor_that_changes_all_the_time_is_seen_once(void)
{
#ifdef UNDER_TSAN
	test_skip("memory that changes while it is read is a data race, and the point");
	return;
#endif
	struct ring_rig rig;
	struct scribbler changer = {.rig = &rig};
	pthread_t thread;
	uint32_t lengths[2] = {0, 0};
	bool is_whole = true;

	ring_rig_make(&rig, 4096, true);
	ring_rig_open_at(&rig, 0);
	const struct packet_header header = inband(48, 1);
	struct ring_span span = {0};
	CU_ASSERT_EQUAL_FATAL(ring_reserve(&rig.writer, &header, &span), RING_OK);
	ring_commit(&rig.writer, &span);
	(void)ring_flush(&rig.writer);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, changer_main, &changer), 0);
	for (uint32_t i = 0; i < 4000000 / SLOWER && is_whole; i++) {
		struct packet_view view = {0};

		if (ring_peek(&rig.reader, &view) != RING_OK)
			break;
		is_whole = view.extended_bytes == 0 && view.payload_bytes + 24 == view.total_bytes;
		lengths[view.payload_bytes == 48]++;
	}
	__atomic_store_n(&changer.is_stopping, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	CU_ASSERT_TRUE(is_whole);
	CU_ASSERT_TRUE(lengths[0] + lengths[1] > 0);
	ring_rig_free(&rig);
}

static const struct test tests[] = {
	TEST(sleeping_ends_lose_no_wake_up),
	TEST(sleeping_ends_lose_no_wake_up_without_the_mask),
	TEST(brief_packets_lose_no_wake_up),
	TEST(polling_reader_gets_everything_unsignalled),
	TEST(locked_writers_tear_no_packet),
	TEST(scribbling_peer_stops_its_ring_and_nothing_else),
	TEST(descriptor_that_changes_all_the_time_is_seen_once),
};

TEST_MAIN("ring_threads", tests)
