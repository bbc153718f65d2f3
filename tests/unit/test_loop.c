// SPDX-License-Identifier: Apache-2.0
/* The worker's event loop: descriptors, timers, busy sources, sleeping. */
#include "host/vmwp/loop.h"
#include "tests/harness.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <stdlib.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull

struct seen {
	struct loop *loop;
	unsigned calls;
	uint32_t events;
	bool removes_itself;
	bool stops;
};

static void on_fd(void *ctx, int fd, uint32_t events)
{
	struct seen *seen = ctx;
	seen->calls++;
	seen->events = events;
	if (seen->removes_itself)
		loop_fd_remove(seen->loop, fd);
	if (seen->stops)
		loop_stop(seen->loop, 7);
}

static struct loop *loop_make(void)
{
	struct loop *loop = NULL;
	CU_ASSERT_EQUAL_FATAL(loop_create(16, &loop), 0);
	return loop;
}

static void loop_reports_a_readable_descriptor_until_it_is_drained(void)
{
	struct loop *loop = loop_make();
	struct seen seen = {.loop = loop};
	const int fd = eventfd(0, EFD_NONBLOCK);
	CU_ASSERT_EQUAL(loop_fd_add(loop, fd, POLLIN, on_fd, &seen), 0);
	CU_ASSERT_EQUAL(loop_fd_add(loop, fd, POLLIN, on_fd, &seen), -EEXIST);
	loop_turn(loop, 0);
	CU_ASSERT_EQUAL(seen.calls, 0);
	eventfd_write(fd, 1);
	for (unsigned i = 0; i < 10 && seen.calls < 2; i++)
		loop_turn(loop, SECOND_NS);
	CU_ASSERT_EQUAL(seen.calls, 2); /* level-like: reported again while it is readable */
	CU_ASSERT(seen.events & POLLIN);
	eventfd_t value;
	eventfd_read(fd, &value);
	const unsigned before = seen.calls;
	loop_turn(loop, 0); /* at most one report that was under way */
	const unsigned after = seen.calls;
	CU_ASSERT(after <= before + 1);
	loop_turn(loop, 0);
	CU_ASSERT_EQUAL(seen.calls, after);
	loop_fd_remove(loop, fd);
	loop_destroy(loop);
	close(fd);
}

static void loop_lets_a_callback_remove_its_own_descriptor(void)
{
	struct loop *loop = loop_make();
	struct seen seen = {.loop = loop, .removes_itself = true};
	const int fd = eventfd(1, EFD_NONBLOCK);
	CU_ASSERT_EQUAL(loop_fd_add(loop, fd, POLLIN, on_fd, &seen), 0);
	for (unsigned i = 0; i < 5; i++)
		loop_turn(loop, 0);
	CU_ASSERT_EQUAL(seen.calls, 1);
	CU_ASSERT_EQUAL(loop_fd_modify(loop, fd, POLLIN), -ENOENT);
	loop_destroy(loop);
	close(fd);
}

static void loop_removes_a_watch_whose_poll_is_in_the_kernel(void)
{
	struct loop *loop = loop_make();
	struct seen seen = {.loop = loop};
	int fd = eventfd(0, EFD_NONBLOCK);
	CU_ASSERT_EQUAL(loop_fd_add(loop, fd, POLLIN, on_fd, &seen), 0);
	loop_turn(loop, 0);
	loop_fd_remove(loop, fd);
	eventfd_write(fd, 1);
	/* The number may be watched again before the old request is gone. */
	struct seen again = {.loop = loop};
	CU_ASSERT_EQUAL(loop_fd_add(loop, fd, POLLIN, on_fd, &again), 0);
	for (unsigned i = 0; i < 5; i++)
		loop_turn(loop, 0);
	CU_ASSERT_EQUAL(seen.calls, 0);
	CU_ASSERT(again.calls > 0);
	loop_fd_remove(loop, fd);
	loop_destroy(loop);
	close(fd);
}

/* The poll in the kernel holds the file: the other end sees it close only if that is gone too. */
static void loop_lets_go_of_a_file_whose_watch_is_removed(void)
{
	struct loop *loop = loop_make();
	struct seen seen = {.loop = loop};
	int ends[2];
	char byte;
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	CU_ASSERT_EQUAL(loop_fd_add(loop, ends[0], POLLIN, on_fd, &seen), 0);
	loop_turn(loop, 0);
	loop_fd_remove(loop, ends[0]);
	close(ends[0]);
	for (unsigned i = 0; i < 5; i++)
		loop_turn(loop, 0);
	CU_ASSERT_EQUAL(recv(ends[1], &byte, 1, 0), 0);
	CU_ASSERT_EQUAL(seen.calls, 0);
	loop_destroy(loop);
	close(ends[1]);
}

static void loop_modify_silences_and_revives_a_watch(void)
{
	struct loop *loop = loop_make();
	struct seen seen = {.loop = loop};
	const int fd = eventfd(1, EFD_NONBLOCK);
	CU_ASSERT_EQUAL(loop_fd_add(loop, fd, 0, on_fd, &seen), 0);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
	CU_ASSERT_EQUAL(seen.calls, 0);
	CU_ASSERT_EQUAL(loop_fd_modify(loop, fd, POLLIN), 0);
	for (unsigned i = 0; i < 5 && seen.calls == 0; i++)
		loop_turn(loop, SECOND_NS);
	CU_ASSERT(seen.calls > 0);
	CU_ASSERT_EQUAL(loop_fd_modify(loop, fd, 0), 0);
	for (unsigned i = 0; i < 5; i++)
		loop_turn(loop, 0);
	const unsigned calls = seen.calls;
	for (unsigned i = 0; i < 5; i++)
		loop_turn(loop, 0);
	CU_ASSERT_EQUAL(seen.calls, calls);
	loop_fd_remove(loop, fd);
	loop_destroy(loop);
	close(fd);
}

struct order {
	char text[8];
	struct loop *loop;
	struct loop_timer *again;
	uint64_t again_ns;
};

static void order_note(struct order *order, char who)
{
	const size_t length = strlen(order->text);
	if (length + 1 < sizeof order->text)
		order->text[length] = who;
}

static void on_a(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	order_note(ctx, 'a');
}

static void on_b(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	struct order *order = ctx;
	order_note(order, 'b');
	if (order->again != NULL)
		loop_timer_set(order->loop, order->again, order->again_ns);
	order->again = NULL;
}

static void loop_runs_timers_in_order_of_their_deadlines(void)
{
	struct loop *loop = loop_make();
	struct order order = {.loop = loop};
	const uint64_t now_ns = loop_now_ns();
	struct loop_timer a = {.fn = on_a, .ctx = &order};
	struct loop_timer b = {.fn = on_b, .ctx = &order};
	struct loop_timer never = {.fn = on_a, .ctx = &order};
	order.again = &b; /* a timer may set itself again from its callback */
	order.again_ns = now_ns + 1000001;
	loop_timer_set(loop, &a, now_ns + 2000000);
	loop_timer_set(loop, &b, now_ns + 1000000);
	loop_timer_set(loop, &never, now_ns + 1500000);
	loop_timer_cancel(loop, &never);
	while (strlen(order.text) < 3 && loop_now_ns() < now_ns + 5 * SECOND_NS)
		loop_turn(loop, SECOND_NS);
	CU_ASSERT_STRING_EQUAL(order.text, "bba");
	CU_ASSERT(loop_now_ns() >= now_ns + 2000000);
	loop_destroy(loop);
}

struct busy {
	unsigned work; /* polls that still find something */
	unsigned polls, arms, disarms;
	bool refuses_once;
};

static bool busy_poll(void *ctx)
{
	struct busy *busy = ctx;
	busy->polls++;
	if (busy->work == 0)
		return false;
	busy->work--;
	return true;
}

static bool busy_arm(void *ctx)
{
	struct busy *busy = ctx;
	busy->arms++;
	if (!busy->refuses_once)
		return true;
	busy->refuses_once = false;
	busy->work = 1; /* it came between the last poll and arming */
	return false;
}

static void busy_disarm(void *ctx)
{
	((struct busy *)ctx)->disarms++;
}

static void loop_polls_a_source_and_sleeps_only_when_it_agrees(void)
{
	struct loop *loop = loop_make();
	struct busy busy = {.work = 3, .refuses_once = true};
	struct loop_source source = {
		.poll = busy_poll, .arm = busy_arm, .disarm = busy_disarm, .ctx = &busy};
	loop_source_add(loop, &source);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT(loop_turn(loop, SECOND_NS));
	CU_ASSERT_EQUAL(busy.arms, 0);
	struct loop_statistics statistics;
	CU_ASSERT(loop_turn(loop, SECOND_NS)); /* arming finds work: no sleep */
	loop_statistics_get(loop, &statistics);
	CU_ASSERT_EQUAL(statistics.sleeps, 0);
	CU_ASSERT_EQUAL(busy.disarms, 1);
	CU_ASSERT(loop_turn(loop, SECOND_NS));
	CU_ASSERT_FALSE(loop_turn(loop, 1000)); /* nothing left: armed, slept, disarmed */
	loop_statistics_get(loop, &statistics);
	CU_ASSERT_EQUAL(statistics.sleeps, 1);
	CU_ASSERT_EQUAL(busy.arms, 2);
	CU_ASSERT_EQUAL(busy.disarms, 2);
	loop_source_remove(loop, &source);
	const unsigned polls = busy.polls;
	loop_turn(loop, 0);
	CU_ASSERT_EQUAL(busy.polls, polls);
	loop_destroy(loop);
}

static void on_fd_drain(void *ctx, int fd, uint32_t events)
{
	eventfd_t value;
	on_fd(ctx, fd, events);
	eventfd_read(fd, &value);
}

static void descriptor_is_polled_again_by_the_sleep_without_a_call_of_its_own(void)
{
	struct loop *loop = loop_make();
	struct seen seen = {.loop = loop};
	struct loop_statistics statistics;
	const int fd = eventfd(0, EFD_NONBLOCK);
	CU_ASSERT_EQUAL(loop_fd_add(loop, fd, POLLIN, on_fd_drain, &seen), 0);
	loop_turn(loop, 1000);
	loop_statistics_get(loop, &statistics);
	const uint64_t before = statistics.submits;
	for (unsigned i = 1; i <= 5; i++) {
		eventfd_write(fd, 1);
		for (unsigned turns = 0; turns < 3 && seen.calls < i; turns++)
			loop_turn(loop, SECOND_NS);
		CU_ASSERT_EQUAL(seen.calls, i);
		loop_turn(loop, 1000); /* nothing to do: sleeps */
	}
	loop_statistics_get(loop, &statistics);
	CU_ASSERT_EQUAL(statistics.submits, before);
	loop_fd_remove(loop, fd);
	loop_destroy(loop);
	close(fd);
}

static void loop_that_never_sleeps_hears_its_descriptors_all_the_same(void)
{
	struct loop *loop = loop_make();
	struct seen seen = {.loop = loop};
	struct busy busy = {.work = 1000};
	struct loop_source source = {
		.poll = busy_poll, .arm = busy_arm, .disarm = busy_disarm, .ctx = &busy};
	const int fd = eventfd(0, EFD_NONBLOCK);
	loop_source_add(loop, &source);
	CU_ASSERT_EQUAL(loop_fd_add(loop, fd, POLLIN, on_fd_drain, &seen), 0);
	for (unsigned i = 1; i <= 5; i++) {
		eventfd_write(fd, 1);
		for (unsigned turns = 0; turns < 10 && seen.calls < i; turns++)
			loop_turn(loop, SECOND_NS);
		CU_ASSERT_EQUAL(seen.calls, i);
	}
	CU_ASSERT_EQUAL(busy.arms, 0);
	loop_source_remove(loop, &source);
	loop_fd_remove(loop, fd);
	loop_destroy(loop);
	close(fd);
}

static uint64_t turns_of_one_turn(struct loop *loop)
{
	struct loop_statistics before;
	struct loop_statistics after;
	loop_statistics_get(loop, &before);
	loop_turn(loop, 2000000);
	loop_statistics_get(loop, &after);
	CU_ASSERT_EQUAL(after.sleeps, before.sleeps + 1);
	return after.turns - before.turns;
}

static void idle_loop_spins_less_and_less_and_then_not_at_all(void)
{
	struct loop *loop = loop_make();
	loop_spin_set(loop, 500000);
	CU_ASSERT(turns_of_one_turn(loop) > 1);
	/* Sleeps that are longer than a spin can be: half the budget each time, down to 1/16. */
	for (unsigned i = 0; i < 5; i++)
		turns_of_one_turn(loop);
	CU_ASSERT_EQUAL(turns_of_one_turn(loop), 1);
	loop_destroy(loop);
}

/* A source on the heap that frees itself and a neighbour, when polled or when armed. */
struct fleeting {
	struct loop_source source;
	struct loop *loop;
	struct fleeting **victims[2]; /* NULL: leaves nobody */
	bool leaves_at_arm;
	unsigned *looks;
};

static void fleeting_leave(struct fleeting *f)
{
	struct fleeting **victims[2] = {f->victims[0], f->victims[1]};
	struct loop *loop = f->loop;
	for (unsigned i = 0; i < 2; i++) {
		if (victims[i] == NULL || *victims[i] == NULL)
			continue;
		loop_source_remove(loop, &(*victims[i])->source);
		free(*victims[i]);
		*victims[i] = NULL;
	}
}

static bool fleeting_poll(void *ctx)
{
	struct fleeting *f = ctx;
	++*f->looks;
	if (!f->leaves_at_arm)
		fleeting_leave(f);
	return false;
}

static bool fleeting_arm(void *ctx)
{
	fleeting_leave(ctx);
	return true;
}

static void sources_may_go_while_they_are_visited(void)
{
	for (unsigned at_arm = 0; at_arm < 2; at_arm++) {
		struct loop *loop = loop_make();
		struct fleeting *sources[4];
		unsigned looks = 0;
		/* added first, visited last: 3 takes itself and the next away, then 1 the last */
		for (unsigned i = 0; i < 4; i++) {
			sources[i] = malloc(sizeof *sources[i]);
			*sources[i] = (struct fleeting){
				.source = {.poll = fleeting_poll,
					.arm = fleeting_arm,
					.ctx = sources[i]},
				.loop = loop,
				.leaves_at_arm = at_arm,
				.looks = &looks,
			};
			loop_source_add(loop, &sources[i]->source);
		}
		sources[3]->victims[0] = &sources[3];
		sources[3]->victims[1] = &sources[2];
		sources[1]->victims[0] = &sources[0];
		loop_turn(loop, 1000);
		CU_ASSERT_PTR_NULL(sources[3]);
		CU_ASSERT_PTR_NULL(sources[2]);
		CU_ASSERT_PTR_NULL(sources[0]);
		CU_ASSERT_EQUAL(looks, at_arm ? 4 : 2);
		looks = 0;
		loop_turn(loop, 0);
		CU_ASSERT_EQUAL(looks, 1);
		free(sources[1]);
		loop_destroy(loop);
	}
}

static void loop_run_returns_the_value_given_to_stop(void)
{
	struct loop *loop = loop_make();
	struct seen seen = {.loop = loop, .stops = true};
	const int fd = eventfd(1, EFD_NONBLOCK);
	loop_fd_add(loop, fd, POLLIN, on_fd, &seen);
	CU_ASSERT_EQUAL(loop_run(loop), 7);
	loop_destroy(loop);
	close(fd);
}

static void loop_gives_more_sqes_than_its_queue_holds(void)
{
	struct loop *loop = loop_make();
	for (unsigned i = 0; i < 100; i++) {
		struct io_uring_sqe *sqe = loop_sqe(loop);
		CU_ASSERT_PTR_NOT_NULL_FATAL(sqe);
		if (sqe == NULL)
			return;
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data(sqe, NULL);
	}
	for (unsigned i = 0; i < 20; i++)
		loop_turn(loop, 0);
	struct loop_statistics statistics;
	loop_statistics_get(loop, &statistics);
	CU_ASSERT_EQUAL(statistics.completions, 100);
	loop_destroy(loop);
}

static const struct test tests[] = {
	TEST(loop_reports_a_readable_descriptor_until_it_is_drained),
	TEST(loop_lets_a_callback_remove_its_own_descriptor),
	TEST(loop_removes_a_watch_whose_poll_is_in_the_kernel),
	TEST(loop_lets_go_of_a_file_whose_watch_is_removed),
	TEST(loop_modify_silences_and_revives_a_watch),
	TEST(loop_runs_timers_in_order_of_their_deadlines),
	TEST(loop_polls_a_source_and_sleeps_only_when_it_agrees),
	TEST(descriptor_is_polled_again_by_the_sleep_without_a_call_of_its_own),
	TEST(loop_that_never_sleeps_hears_its_descriptors_all_the_same),
	TEST(idle_loop_spins_less_and_less_and_then_not_at_all),
	TEST(sources_may_go_while_they_are_visited),
	TEST(loop_run_returns_the_value_given_to_stop),
	TEST(loop_gives_more_sqes_than_its_queue_holds),
};
TEST_MAIN("loop", tests)
