// SPDX-License-Identifier: Apache-2.0
/* The worker's event loop over one io_uring: see loop.h. */
#include "host/vmwp/loop.h"

#include "protocol/spin.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * Completions handled before the sources are looked at, and entries gathered before they are
 * submitted. Half of a usual queue depth of 32: one half of the requests is on its way between
 * the rings and the kernel while the device works on the other.
 */
#define CQES_PER_TURN	16u
#define SQES_PER_SUBMIT 16u
/*
 * Polls that are put again after their callback wait for other entries or the next sleep, which
 * submits as well: one system call less each. A loop that has work all the time submits them
 * after so many turns.
 */
#define TURNS_PER_REPOLL 4u

/* One watched descriptor: a one-shot poll that is put again after each callback. */
struct fd_watch {
	struct loop_completion completion; /* first: found from the CQE */
	struct loop *loop;
	struct fd_watch *next;
	loop_fd_fn fn;
	void *ctx;
	int fd;
	uint32_t events;
	bool is_pending; /* a poll request is in the kernel */
	bool is_removed; /* free it when the last CQE has come */
};

struct loop {
	struct io_uring ring;
	struct fd_watch *watches;
	struct loop_timer *timers;
	struct loop_source *sources;
	struct loop_source *source_next; /* where a walk over them goes on */
	struct spin_policy spin;
	struct loop_completion ignored; /* for cancel requests */
	struct loop_statistics statistics;
	unsigned repolls;      /* of the entries in the queue, those that may wait */
	unsigned repoll_turns; /* that they have waited */
	volatile int is_stopping;
	int stop_value;
};

static void ignored_done(struct loop_completion *completion, int result, uint32_t flags)
{
	(void)completion;
	(void)result;
	(void)flags;
}

int loop_create(unsigned entries, struct loop **out)
{
	struct loop *loop = calloc(1, sizeof *loop);
	if (loop == NULL)
		return -ENOMEM;
	const unsigned flags = IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN |
			       IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER;
	int result = io_uring_queue_init(entries, &loop->ring, flags);
	if (result == -EINVAL) /* kernels before 6.0 lack these flags */
		result = io_uring_queue_init(entries, &loop->ring, IORING_SETUP_CLAMP);
	if (result < 0) {
		free(loop);
		return result;
	}
	loop->ignored.fn = ignored_done;
	spin_init(&loop->spin, 0);
	*out = loop;
	return 0;
}

void loop_destroy(struct loop *loop)
{
	if (loop == NULL)
		return;
	io_uring_queue_exit(&loop->ring);
	while (loop->watches != NULL) {
		struct fd_watch *watch = loop->watches;
		loop->watches = watch->next;
		free(watch);
	}
	free(loop);
}

struct io_uring *loop_ring(struct loop *loop)
{
	return &loop->ring;
}

/* All entries go to the kernel, here or with a sleep. */
static void repolls_forget(struct loop *loop)
{
	loop->repolls = loop->repoll_turns = 0;
}

static void submit(struct loop *loop)
{
	loop->statistics.submits++;
	repolls_forget(loop);
	io_uring_submit(&loop->ring);
}

struct io_uring_sqe *loop_sqe(struct loop *loop)
{
	if (io_uring_sq_ready(&loop->ring) >= SQES_PER_SUBMIT)
		submit(loop);
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);
	if (sqe != NULL)
		return sqe;
	submit(loop);
	return io_uring_get_sqe(&loop->ring);
}

/* ---- descriptors --------------------------------------------------------------------------- */

static void watch_free(struct fd_watch *watch)
{
	struct fd_watch **link = &watch->loop->watches;
	while (*link != watch)
		link = &(*link)->next;
	*link = watch->next;
	free(watch);
}

static int watch_poll(struct fd_watch *watch)
{
	struct io_uring_sqe *sqe = loop_sqe(watch->loop);
	if (sqe == NULL)
		return -EAGAIN;
	io_uring_prep_poll_add(sqe, watch->fd, watch->events);
	io_uring_sqe_set_data(sqe, &watch->completion);
	watch->is_pending = true;
	return 0;
}

static int watch_cancel(struct fd_watch *watch)
{
	struct io_uring_sqe *sqe = loop_sqe(watch->loop);
	if (sqe == NULL)
		return -EAGAIN;
	io_uring_prep_cancel(sqe, &watch->completion, 0);
	io_uring_sqe_set_data(sqe, &watch->loop->ignored);
	return 0;
}

static void watch_done(struct loop_completion *completion, int result, uint32_t flags)
{
	struct fd_watch *watch = (struct fd_watch *)completion;
	(void)flags;
	watch->is_pending = false;
	if (!watch->is_removed && result > 0 &&
		((uint32_t)result & (watch->events | POLLERR | POLLHUP)) != 0) {
		/* The callback may remove this watch; keep it alive until we are back. */
		watch->is_pending = true;
		watch->fn(watch->ctx, watch->fd, (uint32_t)result);
		watch->is_pending = false;
	}
	if (watch->is_removed)
		watch_free(watch);
	else if (watch->events != 0 && watch_poll(watch) == 0)
		watch->loop->repolls++;
}

static struct fd_watch *watch_find(struct loop *loop, int fd)
{
	for (struct fd_watch *watch = loop->watches; watch != NULL; watch = watch->next) {
		if (watch->fd == fd && !watch->is_removed)
			return watch;
	}
	return NULL;
}

int loop_fd_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *ctx)
{
	if (watch_find(loop, fd) != NULL)
		return -EEXIST;
	struct fd_watch *watch = calloc(1, sizeof *watch);
	if (watch == NULL)
		return -ENOMEM;
	*watch = (struct fd_watch){
		.completion.fn = watch_done,
		.loop = loop,
		.next = loop->watches,
		.fn = fn,
		.ctx = ctx,
		.fd = fd,
		.events = events,
	};
	loop->watches = watch;
	const int result = events != 0 ? watch_poll(watch) : 0;
	if (result < 0)
		watch_free(watch);
	return result;
}

int loop_fd_modify(struct loop *loop, int fd, uint32_t events)
{
	struct fd_watch *watch = watch_find(loop, fd);
	if (watch == NULL)
		return -ENOENT;
	if (watch->events == events)
		return 0;
	watch->events = events;
	if (watch->is_pending) /* its CQE puts the poll again with the new events */
		return watch_cancel(watch);
	return events != 0 ? watch_poll(watch) : 0;
}

void loop_fd_remove(struct loop *loop, int fd)
{
	struct fd_watch *watch = watch_find(loop, fd);
	if (watch == NULL)
		return;
	watch->is_removed = true;
	if (!watch->is_pending) {
		watch_free(watch);
		return;
	}
	/* Submit now: the caller may close the descriptor, and its number may be used again. */
	watch_cancel(watch);
	submit(loop);
}

/* ---- timers -------------------------------------------------------------------------------- */

uint64_t loop_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	for (struct loop_timer **link = &loop->timers; *link != NULL; link = &(*link)->next) {
		if (*link == timer) {
			*link = timer->next;
			break;
		}
	}
	timer->next = NULL;
	timer->deadline_ns = 0;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns)
{
	loop_timer_cancel(loop, timer);
	timer->deadline_ns = deadline_ns;
	struct loop_timer **link = &loop->timers;
	while (*link != NULL && (*link)->deadline_ns <= deadline_ns)
		link = &(*link)->next;
	timer->next = *link;
	*link = timer;
}

static bool timers_run(struct loop *loop, uint64_t now_ns)
{
	bool ran = false;
	while (loop->timers != NULL && loop->timers->deadline_ns <= now_ns) {
		struct loop_timer *timer = loop->timers;
		loop_timer_cancel(loop, timer);
		timer->fn(timer->ctx, now_ns);
		ran = true;
	}
	return ran;
}

/* ---- busy sources -------------------------------------------------------------------------- */

void loop_source_add(struct loop *loop, struct loop_source *source)
{
	source->next = loop->sources;
	loop->sources = source;
}

void loop_source_remove(struct loop *loop, struct loop_source *source)
{
	for (struct loop_source **link = &loop->sources; *link != NULL; link = &(*link)->next) {
		if (*link != source)
			continue;
		*link = source->next;
		if (loop->source_next == source)
			loop->source_next = source->next;
		return;
	}
}

static bool sources_poll(struct loop *loop)
{
	bool worked = false;
	for (struct loop_source *source = loop->sources; source != NULL;
		source = loop->source_next) {
		loop->source_next = source->next;
		worked |= source->poll(source->ctx);
	}
	return worked;
}

static void sources_disarm(struct loop *loop)
{
	for (struct loop_source *source = loop->sources; source != NULL; source = source->next) {
		if (source->disarm != NULL)
			source->disarm(source->ctx);
	}
}

static bool sources_arm(struct loop *loop)
{
	bool may_sleep = true;
	for (struct loop_source *source = loop->sources; source != NULL;
		source = loop->source_next) {
		loop->source_next = source->next;
		may_sleep &= source->arm(source->ctx);
	}
	if (!may_sleep)
		sources_disarm(loop);
	return may_sleep;
}

void loop_spin_set(struct loop *loop, uint64_t max_spin_ns)
{
	spin_init(&loop->spin, max_spin_ns);
}

/* ---- turns --------------------------------------------------------------------------------- */

static bool completions_run(struct loop *loop)
{
	struct io_uring_cqe *cqes[CQES_PER_TURN];
	const unsigned count = io_uring_peek_batch_cqe(&loop->ring, cqes, CQES_PER_TURN);
	for (unsigned i = 0; i < count; i++) {
		struct loop_completion *completion = io_uring_cqe_get_data(cqes[i]);
		const int result = cqes[i]->res;
		const uint32_t flags = cqes[i]->flags;
		if (completion != NULL)
			completion->fn(completion, result, flags);
	}
	io_uring_cq_advance(&loop->ring, count);
	loop->statistics.completions += count;
	return count > 0;
}

/* One look at everything, without sleeping. */
static bool work_once(struct loop *loop)
{
	loop->statistics.turns++;
	bool worked = sources_poll(loop);
	const unsigned ready = io_uring_sq_ready(&loop->ring);
	if (ready > loop->repolls || (ready > 0 && ++loop->repoll_turns == TURNS_PER_REPOLL))
		submit(loop);
	worked |= completions_run(loop);
	return worked;
}

static void sleep_until(struct loop *loop, uint64_t now_ns, uint64_t deadline_ns)
{
	struct io_uring_cqe *cqe;
	loop->statistics.sleeps++;
	repolls_forget(loop);
	if (deadline_ns == UINT64_MAX) {
		io_uring_submit_and_wait(&loop->ring, 1);
		return;
	}
	const uint64_t wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
	struct __kernel_timespec timeout = {
		.tv_sec = (int64_t)(wait_ns / 1000000000u),
		.tv_nsec = (long long)(wait_ns % 1000000000u),
	};
	io_uring_submit_and_wait_timeout(&loop->ring, &cqe, 1, &timeout, NULL);
}

/* Spin for the budget; true as soon as there was work. */
static bool spin(struct loop *loop, uint64_t start_ns)
{
	if (loop->spin.current == 0)
		return false;
	const uint64_t end_ns = start_ns + loop->spin.current;
	if (io_uring_sq_ready(&loop->ring) > 0)
		submit(loop);
	do {
		for (unsigned i = 0; i < 32; i++) {
			if (work_once(loop) || loop->is_stopping)
				return true;
			spin_pause();
		}
		/* Whoever we wait for may wait for this processor. */
		sched_yield();
	} while (loop_now_ns() < end_ns);
	return false;
}

bool loop_turn(struct loop *loop, uint64_t timeout_ns)
{
	bool worked = work_once(loop);
	uint64_t now_ns = loop_now_ns();
	worked |= timers_run(loop, now_ns);
	if (worked || timeout_ns == 0 || loop->is_stopping || spin(loop, now_ns))
		return worked;
	if (!sources_arm(loop))
		return true;
	now_ns = loop_now_ns();
	uint64_t deadline_ns = timeout_ns == UINT64_MAX ? UINT64_MAX : now_ns + timeout_ns;
	if (loop->timers != NULL && loop->timers->deadline_ns < deadline_ns)
		deadline_ns = loop->timers->deadline_ns;
	sleep_until(loop, now_ns, deadline_ns);
	sources_disarm(loop);
	spin_after_sleep(&loop->spin, loop_now_ns() - now_ns);
	return completions_run(loop);
}

void loop_statistics_get(const struct loop *loop, struct loop_statistics *out)
{
	*out = loop->statistics;
}

int loop_run(struct loop *loop)
{
	loop->is_stopping = 0;
	while (!loop->is_stopping)
		loop_turn(loop, UINT64_MAX);
	return loop->stop_value;
}

void loop_stop(struct loop *loop, int value)
{
	loop->stop_value = value;
	loop->is_stopping = 1;
}
