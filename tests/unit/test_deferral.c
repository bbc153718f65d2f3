// SPDX-License-Identifier: Apache-2.0
/*
 * A partition whose VPs have threads: what they have to tell waits until the loop thread
 * dispatches it, in order, bounded, and with nothing lost. At the end two threads play VPs that
 * post and signal as fast as they can while the loop thread serves them.
 */
#include "tests/unit/partition_rig.h"

#include "host/hypervisor/hypercall.h"
#include "host/limits.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct rig rig;

#define POST   0x5cull
#define SIGNAL 0x1005dull
#define FLAG   (1ull << 32)

/* What ports and observers have heard, as a text: "m1:a" a message, "s9.2" a signal, ... */
static char heard[4096];
static size_t heard_bytes;
static uint16_t answer; /* of the message port */
static unsigned resets_in_message, posts_in_message;

static uint64_t post(const char *text);

static void hear(const char *what)
{
	const size_t bytes = strlen(what);

	if (heard_bytes + bytes < sizeof heard)
		memcpy(heard + heard_bytes, what, bytes + 1);
	heard_bytes += bytes;
}

static bool has_heard(const char *expected)
{
	const bool is_so = strcmp(heard, expected) == 0;

	if (!is_so)
		printf("heard '%s' instead of '%s'\n", heard, expected);
	heard_bytes = 0;
	heard[0] = '\0';
	return is_so;
}

static uint16_t on_message(
	void *ctx, uint32_t connection_id, uint32_t type, const uint8_t *payload, size_t bytes)
{
	char text[64];

	(void)ctx;
	(void)type;
	snprintf(text, sizeof text, "m%u:%.*s ", connection_id, (int)bytes, (const char *)payload);
	hear(text);
	if (resets_in_message > 0) {
		resets_in_message--;
		partition_reset(rig.partition);
	}
	if (posts_in_message > 0) {
		posts_in_message--;
		CU_ASSERT_EQUAL(post("more"), 0);
	}
	return answer;
}

static void on_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	char text[64];

	(void)ctx;
	snprintf(text, sizeof text, "s%u.%u ", connection_id, flag);
	hear(text);
}

static void on_drained(void *ctx, uint32_t vp, uint32_t sint)
{
	char text[64];

	(void)ctx;
	snprintf(text, sizeof text, "d%u.%u ", vp, sint);
	hear(text);
}

static void on_reset(void *ctx)
{
	(void)ctx;
	hear("reset ");
}

static void on_crash(void *ctx, const struct partition_crash *crash)
{
	char text[128];

	(void)ctx;
	snprintf(text, sizeof text, "crash%llu:%.*s ", (unsigned long long)crash->parameters[0],
		(int)crash->message_bytes, crash->message ? crash->message : "");
	hear(text);
}

static void open_with(const struct partition_backend_ops *ops)
{
	heard_bytes = 0;
	heard[0] = '\0';
	answer = HV_STATUS_SUCCESS;
	resets_in_message = 0;
	posts_in_message = 0;
	rig_open_full(&rig, 2, ops, NULL);
	rig_hypercalls_on(&rig);
	partition_message_port_add(rig.partition, 1, on_message, NULL);
	partition_event_port_add(rig.partition, 9, 100, on_event, NULL);
	partition_event_port_add(rig.partition, 8, 1, on_event, NULL);
	synic_drained_observer_set(rig.partition, on_drained, NULL);
	partition_crash_observer_set(rig.partition, on_crash, NULL);
	partition_reset_observer_add(rig.partition, on_reset, NULL);
}

static void open_threaded(void)
{
	open_with(&rig_ops_threaded);
}

/* HvCallPostMessage on connection 1. */
static uint64_t post(const char *text)
{
	uint32_t input[64] = {1, 0, 1, (uint32_t)strlen(text)};

	memcpy(input + 4, text, strlen(text));
	memcpy(rig_at(&rig, RIG_INPUT), input, sizeof input);
	return rig_hypercall(&rig, POST, RIG_INPUT, 0);
}

static uint64_t signal_flag(uint32_t connection_id, uint64_t flag)
{
	return rig_hypercall(&rig, SIGNAL, connection_id | flag << 32, 0);
}

static void dispatch(void)
{
	partition_dispatch(rig.partition);
}

static struct partition_statistics statistics(void)
{
	struct partition_statistics out;

	partition_statistics_get(rig.partition, &out);
	return out;
}

/* ---- posts and signals --------------------------------------------------------------------- */

static void nothing_is_told_before_dispatch(void)
{
	open_threaded();
	CU_ASSERT_EQUAL(post("a"), 0);
	CU_ASSERT_EQUAL(signal_flag(9, 2), 0);
	CU_ASSERT_TRUE(has_heard(""));
	CU_ASSERT_EQUAL(rig.wakes, 1);
	dispatch();
	CU_ASSERT_TRUE(has_heard("m1:a s9.2 "));
	dispatch();
	CU_ASSERT_TRUE(has_heard(""));
	CU_ASSERT_EQUAL(post("b"), 0);
	CU_ASSERT_EQUAL(rig.wakes, 2); /* once for each dispatch that is needed */
	rig_close(&rig);
}

static void without_vp_threads_it_is_told_at_once(void)
{
	open_with(&rig_ops_full);
	CU_ASSERT_EQUAL(post("a"), 0);
	CU_ASSERT_EQUAL(signal_flag(9, 2), 0);
	CU_ASSERT_TRUE(has_heard("m1:a s9.2 "));
	CU_ASSERT_EQUAL(rig.wakes, 0);
	dispatch();
	CU_ASSERT_TRUE(has_heard(""));
	rig_close(&rig);
}

static void posts_and_signals_keep_their_order(void)
{
	open_threaded();
	post("a");
	signal_flag(8, 0);
	post("b");
	post("c");
	signal_flag(9, 0);
	dispatch();
	CU_ASSERT_TRUE(has_heard("m1:a s8.0 m1:b m1:c s9.0 ")); /* R-SYNIC-018 */
	rig_close(&rig);
}

static void signals_coalesce_by_flag_where_the_first_stands(void)
{
	open_threaded();
	signal_flag(9, 99);
	post("a");
	signal_flag(9, 99);
	signal_flag(9, 64);
	signal_flag(9, 0);
	dispatch();
	CU_ASSERT_TRUE(has_heard("s9.0 s9.64 s9.99 m1:a "));
	signal_flag(9, 99);
	dispatch();
	CU_ASSERT_TRUE(has_heard("s9.99 ")); /* R-SYNIC-019 */
	CU_ASSERT_EQUAL(statistics().events_signalled, 5);
	rig_close(&rig);
}

static void one_port_cannot_push_another_out(void)
{
	open_threaded();
	signal_flag(8, 0);
	for (unsigned i = 0; i < LIMIT_PORTS + 1; i++)
		CU_ASSERT_EQUAL(signal_flag(9, i % 2), 0);
	dispatch();
	CU_ASSERT_TRUE(has_heard("s8.0 s9.0 s9.1 "));
	rig_close(&rig);
}

static void refusals_that_need_no_port_function_are_immediate(void)
{
	open_threaded();
	CU_ASSERT_EQUAL(signal_flag(7, 0), 0x12);
	CU_ASSERT_EQUAL(signal_flag(9, 100), 5);
	CU_ASSERT_EQUAL(signal_flag(1, 0), 0x11);
	partition_message_port_remove(rig.partition, 1);
	CU_ASSERT_EQUAL(post("a"), 0x12);
	CU_ASSERT_EQUAL(rig.wakes, 0);
	rig_close(&rig);
}

static void full_queue_refuses_the_post_and_recovers(void)
{
	char text[16];

	open_threaded();
	for (unsigned i = 0; i < LIMIT_DEFERRED_POSTS; i++) {
		snprintf(text, sizeof text, "%u", i);
		CU_ASSERT_EQUAL(post(text), 0);
	}
	CU_ASSERT_EQUAL(post("x"), 0x13); /* R-SYNIC-015 */
	CU_ASSERT_EQUAL(statistics().posts_refused, 1);
	CU_ASSERT_EQUAL(statistics().messages_posted, LIMIT_DEFERRED_POSTS);
	CU_ASSERT_EQUAL(signal_flag(8, 0), 0); /* a signal is never refused for want of room */
	dispatch();
	CU_ASSERT_TRUE(strncmp(heard, "m1:0 m1:1 m1:2 ", 15) == 0);
	heard_bytes = 0;
	CU_ASSERT_EQUAL(post("y"), 0);
	dispatch();
	CU_ASSERT_TRUE(has_heard("m1:y "));
	rig_close(&rig);
}

static void post_that_its_port_refuses_comes_again_first(void)
{
	open_threaded();
	answer = HV_STATUS_INSUFFICIENT_BUFFERS;
	post("a");
	post("b");
	signal_flag(8, 0);
	dispatch();
	CU_ASSERT_TRUE(has_heard("m1:a s8.0 "));
	dispatch();
	CU_ASSERT_TRUE(has_heard("m1:a "));
	answer = HV_STATUS_SUCCESS;
	post("c");
	dispatch();
	CU_ASSERT_TRUE(has_heard("m1:a m1:b m1:c "));
	/* Any other answer is final. */
	answer = HV_STATUS_INVALID_PARAMETER;
	post("d");
	dispatch();
	dispatch();
	CU_ASSERT_TRUE(has_heard("m1:d "));
	rig_close(&rig);
}

static void refused_post_is_retried_when_a_backlog_is_discarded(void)
{
	open_threaded();
	answer = HV_STATUS_INSUFFICIENT_BUFFERS;
	post("a");
	dispatch();
	const unsigned wakes = rig.wakes;
	synic_message_discard(rig.partition, 0, 2);
	CU_ASSERT_EQUAL(rig.wakes, wakes + 1);
	rig_close(&rig);
}

static void what_comes_while_it_is_told_waits_for_the_next_wake(void)
{
	open_threaded();
	post("a");
	post("b");
	posts_in_message = 100; /* a guest that never stops must not keep the loop here */
	dispatch();
	CU_ASSERT_TRUE(has_heard("m1:a m1:b "));
	CU_ASSERT_EQUAL(rig.wakes, 2);
	posts_in_message = 0;
	dispatch();
	CU_ASSERT_TRUE(has_heard("m1:more m1:more "));
	CU_ASSERT_EQUAL(rig.wakes, 2);
	rig_close(&rig);
}

static void signal_on_the_loop_thread_is_told_at_once(void)
{
	open_threaded();
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 9, 3), 0);
	CU_ASSERT_TRUE(has_heard("s9.3 "));
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 9, 100), 5);
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 7, 0), 0x12);
	CU_ASSERT_EQUAL(rig.wakes, 0);
	rig_close(&rig);
}

static void *signal_elsewhere(void *arg)
{
	(void)arg;
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 9, 3), 0);
	return NULL;
}

static void signal_on_another_thread_waits(void)
{
	pthread_t thread;

	open_threaded();
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, signal_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_TRUE(has_heard(""));
	dispatch();
	CU_ASSERT_TRUE(has_heard("s9.3 "));
	rig_close(&rig);
}

/* ---- ports --------------------------------------------------------------------------------- */

/* R-SYNIC-017. */
static void port_that_goes_takes_its_signals_along(void)
{
	open_threaded();
	signal_flag(9, 1);
	signal_flag(8, 0);
	partition_event_port_remove(rig.partition, 9);
	partition_event_port_add(rig.partition, 9, 100, on_event, NULL);
	dispatch();
	CU_ASSERT_TRUE(has_heard("s8.0 "));
	signal_flag(9, 2);
	dispatch();
	CU_ASSERT_TRUE(has_heard("s9.2 "));
	post("a");
	partition_message_port_remove(rig.partition, 1);
	dispatch();
	CU_ASSERT_TRUE(has_heard(""));
	rig_close(&rig);
}

static void on_event_that_removes(void *ctx, uint32_t connection_id, uint16_t flag)
{
	on_event(ctx, connection_id, flag);
	partition_event_port_remove(rig.partition, connection_id);
}

static void port_may_remove_itself_with_flags_waiting(void)
{
	open_threaded();
	partition_event_port_add(rig.partition, 50, 2048, on_event_that_removes, NULL);
	signal_flag(50, 5);
	signal_flag(50, 6);
	signal_flag(50, 2047);
	dispatch();
	CU_ASSERT_TRUE(has_heard("s50.5 "));
	rig_close(&rig);
}

static void many_ports_come_and_go_without_overflow(void)
{
	open_threaded();
	signal_flag(8, 0); /* the first, which an overflow would push out */
	for (unsigned round = 0; round < 3 * LIMIT_PORTS; round++) {
		const uint32_t id = 1000 + round % 7;
		partition_event_port_add(rig.partition, id, 1, on_event, NULL);
		CU_ASSERT_EQUAL(signal_flag(id, 0), 0);
		if (round % 2)
			partition_event_port_remove(rig.partition, id);
	}
	dispatch();
	CU_ASSERT_TRUE(strncmp(heard, "s8.0 s1", 7) == 0);
	CU_ASSERT_TRUE(heard_bytes <= 5 + 7 * strlen("s1000.0 "));
	rig_close(&rig);
}

static void backend_hears_of_event_ports(void)
{
	open_with(&rig_ops_full); /* ports 9 and 8 came after the backend */
	CU_ASSERT_EQUAL(rig.ports_told, 2);
	CU_ASSERT_EQUAL(rig.last_port, 8);
	CU_ASSERT_TRUE(rig.last_port_is_there);
	partition_event_port_remove(rig.partition, 9);
	CU_ASSERT_EQUAL(rig.ports_told, 3);
	CU_ASSERT_EQUAL(rig.last_port, 9);
	CU_ASSERT_FALSE(rig.last_port_is_there);
	partition_event_port_remove(rig.partition, 9);
	CU_ASSERT_EQUAL(partition_event_port_add(rig.partition, 8, 1, on_event, NULL), -EEXIST);
	CU_ASSERT_EQUAL(rig.ports_told, 3);
	partition_backend_set(rig.partition, &rig_ops_threaded, &rig); /* one goes, one comes */
	CU_ASSERT_EQUAL(rig.ports_told, 5);
	CU_ASSERT_TRUE(rig.last_port_is_there);
	rig_close(&rig);
}

/* ---- reset and crash ----------------------------------------------------------------------- */

static void reset_waits_and_drops_what_waits(void)
{
	open_threaded();
	post("a");
	signal_flag(9, 1);
	rig_write(&rig, 0, HV_X64_MSR_RESET, 1);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_GUEST_OS_ID), RIG_OS_ID);
	dispatch();
	CU_ASSERT_TRUE(has_heard("reset "));
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_GUEST_OS_ID), 0);
	CU_ASSERT_EQUAL(statistics().resets, 1);
	rig_hypercalls_on(&rig);
	signal_flag(9, 2); /* the flag of before is gone */
	dispatch();
	CU_ASSERT_TRUE(has_heard("s9.2 "));
	rig_close(&rig);
}

static void on_reset_request(void *ctx, uint32_t vp)
{
	(void)ctx;
	(void)vp;
	hear("request ");
}

static void backend_may_have_a_way_to_reset_of_its_own(void)
{
	static const struct partition_backend_ops ops = {
		RIG_FULL_OPS,
		.has_vp_threads = true,
		.reset_request = on_reset_request,
	};

	open_with(&ops);
	rig_write(&rig, 0, HV_X64_MSR_RESET, 1);
	CU_ASSERT_TRUE(has_heard("request "));
	dispatch();
	CU_ASSERT_TRUE(has_heard(""));
	CU_ASSERT_EQUAL(statistics().resets, 0);
	rig_close(&rig);
}

static void reset_by_a_port_ends_the_round(void)
{
	open_threaded();
	post("a");
	post("b");
	signal_flag(9, 1);
	resets_in_message = 1;
	dispatch();
	CU_ASSERT_TRUE(has_heard("m1:a reset "));
	dispatch();
	CU_ASSERT_TRUE(has_heard(""));
	/* And if it is refused as well: it must not come again after the reset. */
	rig_hypercalls_on(&rig);
	answer = HV_STATUS_INSUFFICIENT_BUFFERS;
	resets_in_message = 1;
	post("c");
	dispatch();
	dispatch();
	CU_ASSERT_TRUE(has_heard("m1:c reset "));
	rig_close(&rig);
}

static void crash(uint64_t number, const char *text)
{
	memcpy(rig_at(&rig, 0x40000), text, strlen(text));
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P0, number);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P0 + 3, 0x40000);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P4, strlen(text));
	rig_write(&rig, 0, HV_X64_MSR_CRASH_CTL, 0xc000000000000000ull);
}

static void crash_text_is_taken_when_it_happens(void)
{
	open_threaded();
	crash(1, "it was me");
	memset(rig_at(&rig, 0x40000), 'x', 64);
	CU_ASSERT_TRUE(has_heard(""));
	CU_ASSERT_EQUAL(rig.wakes, 1);
	rig_write(&rig, 0, HV_X64_MSR_RESET, 1);
	dispatch(); /* the crash, then the reset that follows it */
	CU_ASSERT_TRUE(has_heard("crash1:it was me reset "));
	rig_close(&rig);
}

static void crashes_that_wait_are_limited(void)
{
	open_threaded();
	for (unsigned i = 0; i < LIMIT_DEFERRED_CRASHES + 1; i++)
		crash(i, "x");
	dispatch();
	CU_ASSERT_TRUE(has_heard("crash0:x crash1:x crash2:x crash3:x "));
	CU_ASSERT_EQUAL(statistics().crashes, LIMIT_DEFERRED_CRASHES + 1);
	crash(9, "y");
	dispatch();
	CU_ASSERT_TRUE(has_heard("crash9:y "));
	rig_close(&rig);
}

/* ---- drained queues, debug output ---------------------------------------------------------- */

static void drained_queue_is_told_by_dispatch(void)
{
	open_threaded();
	rig_synic_on(&rig);
	synic_message_post(rig.partition, 0, 2, 1, 0, "a", 1);
	synic_message_post(rig.partition, 0, 2, 1, 0, "b", 1);
	memset((uint8_t *)rig_at(&rig, RIG_SIMP) + 512, 0, 4);
	rig_write(&rig, 0, HV_X64_MSR_EOM, 0);
	CU_ASSERT_TRUE(has_heard(""));
	CU_ASSERT_EQUAL(rig.wakes, 1);
	post("c");
	dispatch(); /* first who waits for room, then who may need it */
	CU_ASSERT_TRUE(has_heard("d0.2 m1:c "));
	rig_close(&rig);
}

static uint64_t debug_post(uint32_t count)
{
	uint8_t *at = rig_at(&rig, RIG_INPUT);

	memset(at, 'x', 4096);
	memcpy(at, &count, 4);
	memset(at + 4, 0, 4);
	return rig_hypercall(&rig, 0x69, RIG_INPUT, RIG_OUTPUT);
}

static void debug_output_waits_and_is_taken_as_far_as_there_is_room(void)
{
	uint32_t pending = 0;
	uint32_t given = 0;

	open_threaded();
	for (; given + 4088 <= LIMIT_DEFERRED_DEBUG_BYTES; given += 4088)
		CU_ASSERT_EQUAL(debug_post(4088), 0);
	CU_ASSERT_EQUAL(rig.debug_bytes, 0);
	CU_ASSERT_EQUAL(debug_post(4088), 0);
	memcpy(&pending, rig_at(&rig, RIG_OUTPUT), 4);
	CU_ASSERT_EQUAL(pending, 4088 - (LIMIT_DEFERRED_DEBUG_BYTES - given));
	CU_ASSERT_EQUAL(debug_post(1), 0x13);
	CU_ASSERT_EQUAL(debug_post(0), 0);
	dispatch();
	CU_ASSERT_EQUAL(rig.debug_bytes, LIMIT_DEFERRED_DEBUG_BYTES);
	CU_ASSERT_EQUAL(debug_post(1), 0);
	dispatch();
	CU_ASSERT_EQUAL(rig.debug_bytes, LIMIT_DEFERRED_DEBUG_BYTES + 1);
	rig_close(&rig);
}

/* ---- threads ------------------------------------------------------------------------------- */

#define VPS   2u
#define POSTS 20000u

struct world {
	struct partition *partition;
	int wake_fd;
	/* loop thread */
	uint32_t next[VPS]; /* number that the next message of each VP must have */
	unsigned posts, out_of_order, refusals;
	uint64_t flags_heard;
	bool is_stuck; /* atomic */
};

static void world_wake(void *ctx)
{
	const struct world *world = ctx;

	(void)!write(world->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

static uint16_t world_message(
	void *ctx, uint32_t connection_id, uint32_t type, const uint8_t *payload, size_t bytes)
{
	struct world *world = ctx;
	uint32_t number;

	(void)type;
	(void)bytes;
	/* Now and then there is no room, and the observer of a drain is not there to help. */
	if (world->posts % 97 == 96 && world->refusals++ % 2 == 0) {
		world_wake(world);
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	}
	memcpy(&number, payload, sizeof number);
	world->out_of_order += number != world->next[connection_id];
	world->next[connection_id] = number + 1;
	world->posts++;
	(void)synic_event_set(world->partition, connection_id, 2, number % 2048);
	(void)synic_message_post(world->partition, connection_id, 2, 1, 0, payload, bytes);
	synic_message_discard(world->partition, connection_id, 2);
	return HV_STATUS_SUCCESS;
}

static void world_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	struct world *world = ctx;

	(void)connection_id;
	world->flags_heard |= 1ull << flag;
}

struct vp {
	struct world *world;
	uint32_t index;
	unsigned tries, failures;
};

/* A VP: its SynIC, then messages with numbers, signals, timers and clocks in between. */
static void *vp_run(void *arg)
{
	struct vp *vp = arg;
	struct partition *partition = vp->world->partition;
	const uint64_t gpa = 0x20000 + vp->index * 0x10000;
	uint64_t value, last = 0;

	partition_msr_write(partition, vp->index, HV_X64_MSR_SIMP, gpa + 0x1001);
	partition_msr_write(partition, vp->index, HV_X64_MSR_SIEFP, gpa + 0x2001);
	partition_msr_write(partition, vp->index, HV_X64_MSR_SINT0 + 2, 0x40);
	for (uint32_t number = 0;
		number < POSTS && !__atomic_load_n(&vp->world->is_stuck, __ATOMIC_RELAXED);) {
		const uint32_t input[5] = {vp->index, 0, 1, 4, number};
		(void)guest_memory_write(partition_memory(partition), gpa, input, sizeof input);
		struct hypercall_registers call = {.rcx = POST, .rdx = gpa};
		vp->failures += partition_hypercall(partition, vp->index, &call) != 0;
		vp->tries++;
		if (call.rax == HV_STATUS_SUCCESS)
			number++;
		else
			vp->failures += call.rax != HV_STATUS_INSUFFICIENT_BUFFERS;
		call = (struct hypercall_registers){.rcx = SIGNAL, .rdx = 9 | (number % 64 * FLAG)};
		partition_hypercall(partition, vp->index, &call);
		vp->failures += call.rax != 0;
		partition_msr_read(partition, vp->index, HV_X64_MSR_TIME_REF_COUNT, &value);
		vp->failures += value < last;
		last = value;
		partition_msr_write(partition, vp->index, HV_X64_MSR_EOM, 0);
		partition_msr_write(partition, vp->index, HV_X64_MSR_STIMER0_COUNT, value + 100);
	}
	return NULL;
}

static uint64_t world_clock(void *ctx)
{
	/* Steady, and the same on all threads. */
	return __atomic_add_fetch((uint64_t *)ctx, 1000, __ATOMIC_SEQ_CST);
}

static void world_timer_set(void *ctx, uint64_t deadline_ns)
{
	(void)ctx;
	(void)deadline_ns;
}

static void world_interrupt(void *ctx, uint32_t vp, uint32_t sint, uint8_t vector)
{
	(void)ctx;
	(void)vp;
	(void)sint;
	(void)vector;
}

static void world_open(struct world *world, uint64_t *clock)
{
	static const struct partition_backend_ops ops = {
		.name = "threads",
		.has_vp_threads = true,
		.interrupt_assert = world_interrupt,
	};
	const struct partition_config config = {
		.memory_bytes = RIG_MEMORY,
		.vp_count = VPS,
		.clock_ns = world_clock,
		.clock_ctx = clock,
		.timer_set = world_timer_set,
		.wake = world_wake,
		.driver_ctx = world,
	};

	world->wake_fd = eventfd(0, EFD_NONBLOCK);
	if (world->wake_fd < 0 || partition_create(&config, &world->partition) != 0)
		abort();
	partition_backend_set(world->partition, &ops, world);
	partition_msr_write(world->partition, 0, HV_X64_MSR_GUEST_OS_ID, RIG_OS_ID);
	partition_msr_write(world->partition, 0, HV_X64_MSR_HYPERCALL, RIG_CODE | 1);
	for (uint32_t vp = 0; vp < VPS; vp++)
		partition_message_port_add(world->partition, vp, world_message, world);
	partition_event_port_add(world->partition, 9, 64, world_event, world);
}

static void vps_on_threads_of_their_own_lose_nothing(void)
{
	struct world world = {0};
	struct vp vps[VPS];
	pthread_t threads[VPS];
	uint64_t clock = 0;

	world_open(&world, &clock);
	for (uint32_t i = 0; i < VPS; i++) {
		vps[i] = (struct vp){.world = &world, .index = i};
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, vp_run, &vps[i]), 0);
	}
	/* A wake-up that is lost shows as a poll that times out. */
	while (world.posts < VPS * POSTS && !world.is_stuck) {
		struct pollfd poll_fd = {.fd = world.wake_fd, .events = POLLIN};
		uint64_t count;
		if (poll(&poll_fd, 1, 10000) != 1)
			__atomic_store_n(&world.is_stuck, true, __ATOMIC_RELAXED);
		(void)!read(world.wake_fd, &count, sizeof count);
		partition_dispatch(world.partition);
		partition_timers_run(world.partition);
		/* Ports come and go meanwhile. */
		(void)partition_event_port_add(world.partition, 77, 1, world_event, &world);
		partition_event_port_remove(world.partition, 77);
	}
	for (uint32_t i = 0; i < VPS; i++) {
		pthread_join(threads[i], NULL);
		CU_ASSERT_EQUAL(vps[i].failures, 0);
	}
	partition_dispatch(world.partition);
	CU_ASSERT_FALSE(world.is_stuck);
	CU_ASSERT_EQUAL(world.posts, VPS * POSTS);
	CU_ASSERT_EQUAL(world.out_of_order, 0);
	CU_ASSERT_EQUAL(world.flags_heard, UINT64_MAX);
	CU_ASSERT_TRUE(world.refusals > 0);
	partition_destroy(world.partition);
	close(world.wake_fd);
}

static const struct test tests[] = {
	TEST(nothing_is_told_before_dispatch),
	TEST(without_vp_threads_it_is_told_at_once),
	TEST(posts_and_signals_keep_their_order),
	TEST(signals_coalesce_by_flag_where_the_first_stands),
	TEST(one_port_cannot_push_another_out),
	TEST(refusals_that_need_no_port_function_are_immediate),
	TEST(full_queue_refuses_the_post_and_recovers),
	TEST(post_that_its_port_refuses_comes_again_first),
	TEST(refused_post_is_retried_when_a_backlog_is_discarded),
	TEST(what_comes_while_it_is_told_waits_for_the_next_wake),
	TEST(signal_on_the_loop_thread_is_told_at_once),
	TEST(signal_on_another_thread_waits),
	TEST(port_that_goes_takes_its_signals_along),
	TEST(port_may_remove_itself_with_flags_waiting),
	TEST(many_ports_come_and_go_without_overflow),
	TEST(backend_hears_of_event_ports),
	TEST(reset_waits_and_drops_what_waits),
	TEST(backend_may_have_a_way_to_reset_of_its_own),
	TEST(reset_by_a_port_ends_the_round),
	TEST(crash_text_is_taken_when_it_happens),
	TEST(crashes_that_wait_are_limited),
	TEST(drained_queue_is_told_by_dispatch),
	TEST(debug_output_waits_and_is_taken_as_far_as_there_is_room),
	TEST(vps_on_threads_of_their_own_lose_nothing),
};

TEST_MAIN("deferral", tests)
