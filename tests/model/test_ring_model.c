// SPDX-License-Identifier: Apache-2.0
/*
 * The ring's signalling rule, walked exhaustively over the real code.
 *
 * protocol/ring.c and the inline functions of ring.h are compiled here with their shared
 * accesses handed to the explorer (ring_hooks.h). A writer sends a few packets through a
 * ring that holds three, a reader takes them; both sleep when the API tells them to, and
 * only a signal wakes them. Every interleaving and every delay of a store is tried. What
 * is shown: nobody sleeps for ever (R-RING-006, -009, -015), packets arrive in order
 * (R-RING-005), a masked ring is never signalled (R-RING-008).
 *
 * The same scenarios then run with one barrier or one second look taken out of the code.
 * Each of these defects must be noticed; a model that finds nothing proves nothing.
 */
#define RING_ACCESS_HOOKS "tests/model/ring_hooks.h"
#include "protocol/ring.c" /* NOLINT(bugprone-suspicious-include): with other accesses */

#include "tests/harness.h"

#include <stdio.h>
#include <string.h>

enum {
	DATA_BYTES = 4096,
	PACKET_BYTES = 1024, /* in the ring: three fit, and none wraps */
	SLOTS = DATA_BYTES / PACKET_BYTES,
	WRITER = 0,
	READER = 1,
};

/* How the two sides behave. */
struct habits {
	unsigned int packets;
	unsigned int batch;   /* packets of one flush */
	bool is_masking;      /* the reader masks while it drains */
	bool is_polling;      /* the reader masks for good and never sleeps */
	bool is_publishing;   /* the reader gives room back after each packet */
	bool is_publish_only; /* broken: it never flushes */
	bool is_spinning;     /* the writer polls for room */
	bool is_wishful;      /* the writer wants room for two packets, and sends one */
};

enum writer_phase { SEND, WRITER_FLUSH, WANT, WRITER_WAIT, WRITER_DONE };
enum reader_phase { PEEK, READER_FLUSH, ARM, READER_WAIT, REMASK, READER_DONE };

struct writer_state {
	struct ring_writer ring;
	enum writer_phase phase;
	enum writer_phase after_flush;
	unsigned int sent;
	unsigned int in_batch;
};

struct reader_state {
	struct ring_reader ring;
	enum reader_phase phase;
	unsigned int received;
	bool is_flushed;
};

_Static_assert(sizeof(struct writer_state) <= EXPLORER_PRIVATE, "private state too small");
_Static_assert(sizeof(struct reader_state) <= EXPLORER_PRIVATE, "private state too small");

static const struct habits *habits; /* of the scenario that runs */
static _Alignas(4096) uint8_t data[2 * DATA_BYTES];

/* ---- packets in bulk data --------------------------------------------- */

enum { SLOT_BYTES = 32 };

/* The words of each packet that matter live in the explorer's bulk data. */
static void packets_load(void)
{
	for (size_t i = 0; i < SLOTS; i++) {
		memcpy(data + i * PACKET_BYTES, explorer_bulk + i * SLOT_BYTES, 24);
		memcpy(data + (i + 1) * PACKET_BYTES - 8, explorer_bulk + i * SLOT_BYTES + 24, 8);
	}
}

static void packets_save(void)
{
	for (size_t i = 0; i < SLOTS; i++) {
		memcpy(explorer_bulk + i * SLOT_BYTES, data + i * PACKET_BYTES, 24);
		memcpy(explorer_bulk + i * SLOT_BYTES + 24, data + (i + 1) * PACKET_BYTES - 8, 8);
	}
}

static struct packet_header header_of(unsigned int number, unsigned int packets)
{
	struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.payload_bytes = packets * PACKET_BYTES - 24,
		.transaction_id = number + 1,
	};

	return header;
}

/* ---- the writer ------------------------------------------------------- */

static void writer_send(struct writer_state *s)
{
	struct packet_header header = header_of(s->sent, 1);
	struct ring_span span;
	enum ring_status status = ring_reserve(&s->ring, &header, &span);

	if (status == RING_FULL) {
		s->after_flush = habits->is_spinning ? SEND : WANT;
		s->phase = WRITER_FLUSH;
		return;
	}
	if (status != RING_OK)
		return; /* the ring's status says why */
	const uint64_t content = s->sent * 3u + 1;
	memcpy(span.payload, &content, sizeof content);
	ring_commit(&s->ring, &span);
	packets_save();
	s->sent++;
	s->in_batch++;
	if (s->in_batch == habits->batch || s->sent == habits->packets) {
		s->after_flush = s->sent == habits->packets ? WRITER_DONE : SEND;
		s->phase = WRITER_FLUSH;
	}
}

static enum explorer_step writer_step(void *state)
{
	struct writer_state *s = state;

	packets_load();
	switch (s->phase) {
	case SEND:
		writer_send(s);
		break;
	case WRITER_FLUSH:
		s->in_batch = 0;
		if (ring_flush(&s->ring)) {
			if (habits->is_polling)
				return EXPLORER_WRONG; /* the reader said no, for good */
			(void)explorer_operate(EXPLORER_SIGNAL, 0, 0, 0);
		}
		s->phase = s->after_flush;
		break;
	case WANT: {
		struct packet_header header = header_of(0, habits->is_wishful ? 2 : 1);

		s->phase = ring_writer_want(&s->ring, &header) == RING_OK ? SEND : WRITER_WAIT;
		break;
	}
	case WRITER_WAIT:
		(void)explorer_operate(EXPLORER_WAIT, 0, 0, 0);
		s->phase = SEND;
		break;
	case WRITER_DONE:
		return EXPLORER_FINISHED;
	}
	/* counters would keep loops from closing */
	s->ring.stalls = 0;
	s->ring.waits = 0;
	s->ring.signals = 0;
	return s->ring.status == RING_OK ? EXPLORER_AGAIN : EXPLORER_WRONG;
}

/* ---- the reader ------------------------------------------------------- */

static enum explorer_step reader_peek(struct reader_state *s)
{
	struct packet_view view;
	uint64_t content;
	enum ring_status status = ring_peek(&s->ring, &view);

	if (status == RING_EMPTY) {
		s->phase = s->is_flushed ? PEEK : READER_FLUSH;
		return EXPLORER_AGAIN;
	}
	if (status != RING_OK)
		return EXPLORER_WRONG;
	memcpy(&content, view.payload, sizeof content);
	if (view.transaction_id != s->received + 1 || content != s->received * 3u + 1 ||
		view.total_bytes != PACKET_BYTES)
		return EXPLORER_WRONG;
	ring_release(&s->ring, &view);
	s->received++;
	s->is_flushed = false;
	if (habits->is_publishing && ring_read_publish(&s->ring))
		(void)explorer_operate(EXPLORER_SIGNAL, 0, 0, 0);
	if (s->received == habits->packets)
		s->phase = READER_FLUSH;
	return EXPLORER_AGAIN;
}

static enum explorer_step reader_step(void *state)
{
	struct reader_state *s = state;

	packets_load();
	switch (s->phase) {
	case PEEK: {
		enum explorer_step outcome = reader_peek(s);

		if (outcome != EXPLORER_AGAIN)
			return outcome;
		break;
	}
	case READER_FLUSH: {
		bool is_signal = habits->is_publish_only ? ring_read_publish(&s->ring)
							 : ring_read_flush(&s->ring);

		if (is_signal)
			(void)explorer_operate(EXPLORER_SIGNAL, 0, 0, 0);
		s->is_flushed = habits->is_polling;
		s->phase = s->received == habits->packets ? READER_DONE
			   : habits->is_polling		  ? PEEK
							  : ARM;
		break;
	}
	case ARM:
		s->phase = ring_reader_arm(&s->ring) ? PEEK : READER_WAIT;
		break;
	case READER_WAIT:
		(void)explorer_operate(EXPLORER_WAIT, 0, 0, 0);
		s->phase = habits->is_masking ? REMASK : PEEK;
		break;
	case REMASK:
		ring_reader_mask(&s->ring);
		s->phase = PEEK;
		break;
	case READER_DONE:
		return EXPLORER_FINISHED;
	}
	s->ring.waits = 0;
	s->ring.signals = 0;
	return s->ring.status == RING_OK ? EXPLORER_AGAIN : EXPLORER_WRONG;
}

/* ---- scenarios -------------------------------------------------------- */

static void start(const struct explorer_scenario *scenario, void *privates[EXPLORER_ACTORS])
{
	struct writer_state *w = privates[WRITER];
	struct reader_state *r = privates[READER];
	const struct ring_area area = {
		.control = (uint8_t *)explorer_words,
		.data = data,
		.data_bytes = DATA_BYTES,
		.is_double_mapped = true,
	};

	habits = scenario->parameters;
	memset(data, 0, sizeof data);
	(void)ring_writer_init(&w->ring, &area);
	(void)ring_reader_init(&r->ring, &area, RING_FLAGS_STRICT);
	if (habits->is_masking || habits->is_polling)
		ring_reader_mask(&r->ring);
}

static const struct {
	const char *name;
	struct habits habits;
} scenarios[] = {
	{"a masking reader and a writer that never blocks",
		{.packets = 3, .batch = 1, .is_masking = true}},
	{"a reader that never masks", {.packets = 3, .batch = 1}},
	{"batches of two", {.packets = 6, .batch = 2, .is_masking = true}},
	{"a full ring, masking reader", {.packets = 6, .batch = 1, .is_masking = true}},
	{"a full ring, reader that never masks", {.packets = 6, .batch = 3}},
	{"a full ring, room given back packet by packet",
		{.packets = 6, .batch = 1, .is_masking = true, .is_publishing = true}},
	{"a full ring, room given back packet by packet, no mask",
		{.packets = 6, .batch = 3, .is_publishing = true}},
	{"a wish for more than is sent",
		{.packets = 6, .batch = 1, .is_masking = true, .is_wishful = true}},
	{"a polling reader", {.packets = 6, .batch = 2, .is_polling = true}},
	{"a polling reader, room given back packet by packet",
		{.packets = 6, .batch = 2, .is_polling = true, .is_publishing = true}},
	{"a writer that polls for room",
		{.packets = 6, .batch = 3, .is_masking = true, .is_spinning = true}},
};

enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

static struct explorer_scenario scenario_of(const struct habits *h)
{
	struct explorer_scenario scenario = {
		.start = start,
		.step = {writer_step, reader_step},
		.parameters = h,
	};

	return scenario;
}

static void no_wake_up_is_lost_and_nothing_is_stuck(void)
{
	for (size_t i = 0; i < SCENARIOS; i++) {
		struct explorer_scenario scenario = scenario_of(&scenarios[i].habits);
		struct explorer_result result = explorer_run(&scenario, true);

		printf("  %-58s %8zu states: %s\n", scenarios[i].name, result.states,
			result.is_good ? "good" : result.fault);
		CU_ASSERT(result.is_good);
	}
}

/* Run all scenarios with a defect until one shows it. */
static bool defect_is_noticed(const char *what, enum explorer_defect defect, enum ring_site site)
{
	size_t states = 0;

	for (size_t i = 0; i < SCENARIOS; i++) {
		struct explorer_scenario scenario = scenario_of(&scenarios[i].habits);
		scenario.defect = defect;
		scenario.defect_site = (int)site;
		struct explorer_result result = explorer_run(&scenario, false);

		states += result.states;
		if (!result.is_good && result.is_complete) {
			printf("  %-40s noticed: %s (%s)\n", what, scenarios[i].name, result.fault);
			return true;
		}
	}
	printf("  %-40s NOT noticed in %zu states\n", what, states);
	return false;
}

#define DEFECT_TEST(name, what, defect, site)                                                      \
	static void name(void)                                                                     \
	{                                                                                          \
		CU_ASSERT(defect_is_noticed(what, defect, site));                                  \
	}

DEFECT_TEST(missing_barrier_after_publishing_data_is_noticed, "no barrier after in",
	EXPLORER_NO_BARRIER, RING_SITE_WRITE_PUBLISH)
DEFECT_TEST(missing_barrier_after_clearing_the_mask_is_noticed, "no barrier after mask := 0",
	EXPLORER_NO_BARRIER, RING_SITE_READ_ARM)
DEFECT_TEST(missing_second_look_after_clearing_the_mask_is_noticed,
	"no second look after mask := 0", EXPLORER_NO_LOAD, RING_SITE_READ_ARM_RECHECK)
DEFECT_TEST(missing_barrier_after_giving_room_back_is_noticed, "no barrier after out",
	EXPLORER_NO_BARRIER, RING_SITE_READ_FLUSH)
DEFECT_TEST(missing_barrier_after_the_wish_is_noticed, "no barrier after pending",
	EXPLORER_NO_BARRIER, RING_SITE_WRITE_WANT)
DEFECT_TEST(missing_second_look_after_the_wish_is_noticed, "no second look after pending",
	EXPLORER_NO_LOAD, RING_SITE_WRITE_WANT_RECHECK)
DEFECT_TEST(old_read_index_in_the_empty_test_is_noticed, "old out in the empty test",
	EXPLORER_NO_LOAD, RING_SITE_WRITE_EMPTY)
DEFECT_TEST(old_mask_is_noticed, "old mask", EXPLORER_NO_LOAD, RING_SITE_WRITE_MASK)
DEFECT_TEST(old_pending_size_is_noticed, "old pending", EXPLORER_NO_LOAD, RING_SITE_READ_PENDING)

/* R-RING-036. */
static void reader_that_publishes_but_never_flushes_is_noticed(void)
{
	static const struct habits broken = {
		.packets = 6, .batch = 1, .is_masking = true, .is_publish_only = true};
	struct explorer_scenario scenario = scenario_of(&broken);
	struct explorer_result result = explorer_run(&scenario, false);

	printf("  %-40s %s\n", "no flush before waiting", result.fault);
	CU_ASSERT(!result.is_good);
	CU_ASSERT(result.stuck > 0);
}

static const struct test tests[] = {
	TEST(no_wake_up_is_lost_and_nothing_is_stuck),
	TEST(missing_barrier_after_publishing_data_is_noticed),
	TEST(missing_barrier_after_clearing_the_mask_is_noticed),
	TEST(missing_second_look_after_clearing_the_mask_is_noticed),
	TEST(missing_barrier_after_giving_room_back_is_noticed),
	TEST(missing_barrier_after_the_wish_is_noticed),
	TEST(missing_second_look_after_the_wish_is_noticed),
	TEST(old_read_index_in_the_empty_test_is_noticed),
	TEST(old_mask_is_noticed),
	TEST(old_pending_size_is_noticed),
	TEST(reader_that_publishes_but_never_flushes_is_noticed),
};

TEST_MAIN("ring_model", tests)
