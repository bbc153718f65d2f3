// SPDX-License-Identifier: Apache-2.0
/*
 * The clock of this machine: read it, and carry out what time_policy.h has decided.
 *
 *	timesync_daemon_linux -> time_policy -> order -> time_clock_linux -> clock_adjtime(2)
 *
 * Threads: none of its own; one owner. Sources: clock_adjtime(2), adjtimex(2).
 */
#ifndef GUEST_IC_DAEMONS_TIME_CLOCK_LINUX_H
#define GUEST_IC_DAEMONS_TIME_CLOCK_LINUX_H

#include "guest/ic_daemons/time_policy.h"

#include <sys/timex.h>

/* The kernel's side; a test puts its own there. */
struct time_clock_ops {
	int (*adjust)(
		void *ctx, struct timex *timex); /* as clock_adjtime(): the state; or -errno */
	uint64_t (*now_100ns)(void *ctx);	 /* time of day, as timesync.h counts */
};

struct time_clock {
	const struct time_clock_ops *ops; /* borrowed, constant */
	void *ctx;
	/* Since init. */
	uint64_t steps, slews, failures;
	int last_error; /* positive errno; 0: none */
};

/* `ops` NULL: the machine's clock. */
void time_clock_init(struct time_clock *clock, const struct time_clock_ops *ops, void *ctx);

uint64_t time_clock_now_100ns(const struct time_clock *clock);

/* What an order means to clock_adjtime(). The rest of `out` is 0. */
void time_clock_timex(const struct time_policy_order *order, struct timex *out);

/*
 * Carry it out; NOTHING is nothing. 0 or a negative errno: -EPERM without CAP_SYS_TIME. The kernel
 * does a step at once and whole or not at all.
 */
int time_clock_apply(struct time_clock *clock, const struct time_policy_order *order);

#endif
