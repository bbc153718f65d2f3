// SPDX-License-Identifier: Apache-2.0
/*
 * The worker's event loop: one thread, one io_uring. Files, descriptors, timers
 * and busy sources (rings that are being polled) meet here and nowhere else.
 *
 *	each turn:	busy sources polled -> SQEs submitted -> CQEs dispatched
 *			-> due timers -> sleep only when every source agrees
 *
 * A busy source is polled every turn while it finds work; when no source and no
 * completion found any for the (adaptive) spin budget, the sources are armed
 * (they ask their peers for wake-ups and look once more) and the loop sleeps in
 * the kernel until a completion or a timer is due.
 *
 * Threads: everything on the loop's thread, but for loop_stop(), which is also
 * safe in a signal handler.
 */
#ifndef HOST_VMWP_LOOP_H
#define HOST_VMWP_LOOP_H

#include "host/completion.h" /* struct loop_completion: where a CQE goes */

#include <stdbool.h>
#include <stdint.h>

struct io_uring;
struct loop;

/* entries: size of the submission queue. 0, or a negative errno with nothing made. */
int loop_create(unsigned entries, struct loop **out);
void loop_destroy(struct loop *loop);

/* The ring, to get SQEs from. The loop submits; sources only fill SQEs. */
struct io_uring *loop_ring(struct loop *loop);
/* An SQE, submitting what is queued if the queue is full; NULL only if the kernel refuses. */
struct io_uring_sqe *loop_sqe(struct loop *loop);

typedef void (*loop_fd_fn)(void *ctx, int fd, uint32_t events);
/* Watch `fd` for poll(2) events, level-like, until removed. 0, -EEXIST, -ENOMEM. */
int loop_fd_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *ctx);
/* Change the events. 0 events is legal (nothing reported). -ENOENT if unknown. */
int loop_fd_modify(struct loop *loop, int fd, uint32_t events);
/* Stop watching. No callback after it returns. Does not close the descriptor. */
void loop_fd_remove(struct loop *loop, int fd);

/* Embed; zero is "not armed". */
struct loop_timer {
	void (*fn)(void *ctx, uint64_t now_ns);
	void *ctx;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0 = not armed */
	struct loop_timer *next;
};
/* Arm or re-arm; one shot. Timers are few: a list. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);
uint64_t loop_now_ns(void);

/* A source of work that lives in shared memory. Embed. */
struct loop_source {
	/* Look once; do a bounded amount of work. True if there was any. */
	bool (*poll)(void *ctx);
	/* Ask for wake-ups and look again. True if it is safe to sleep. */
	bool (*arm)(void *ctx);
	/* The loop is awake again: wake-ups are not needed any more. May be NULL. */
	void (*disarm)(void *ctx);
	void *ctx;
	struct loop_source *next;
};
/* poll and arm may add and remove sources, their own and others'; disarm may not. */
void loop_source_add(struct loop *loop, struct loop_source *source);
void loop_source_remove(struct loop *loop, struct loop_source *source);

/* Longest time to spin without finding work before sleeping, in ns; 0 = never spin. */
void loop_spin_set(struct loop *loop, uint64_t max_spin_ns);

struct loop_statistics {
	uint64_t turns;
	uint64_t sleeps;
	uint64_t completions;
	uint64_t submits; /* io_uring_enter calls for that alone: sleeps submit, too */
};
void loop_statistics_get(const struct loop *loop, struct loop_statistics *out);

/* Run until loop_stop(). Returns the value given to loop_stop(), or a negative errno. */
int loop_run(struct loop *loop);
/* One turn without sleeping longer than timeout_ns; for tests. True if work was done. */
bool loop_turn(struct loop *loop, uint64_t timeout_ns);
void loop_stop(struct loop *loop, int value);

#endif
