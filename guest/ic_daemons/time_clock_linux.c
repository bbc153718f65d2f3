// SPDX-License-Identifier: Apache-2.0
/*
 * The clock of this machine. See time_clock_linux.h.
 */
#include "guest/ic_daemons/time_clock_linux.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* time_policy.h has the numbers of Linux without its headers; here they meet. */
_Static_assert(TIME_POLICY_ADJ_OFFSET == ADJ_OFFSET, "ADJ_OFFSET");
_Static_assert(TIME_POLICY_ADJ_MAXERROR == ADJ_MAXERROR, "ADJ_MAXERROR");
_Static_assert(TIME_POLICY_ADJ_ESTERROR == ADJ_ESTERROR, "ADJ_ESTERROR");
_Static_assert(TIME_POLICY_ADJ_STATUS == ADJ_STATUS, "ADJ_STATUS");
_Static_assert(TIME_POLICY_ADJ_TIMECONST == ADJ_TIMECONST, "ADJ_TIMECONST");
_Static_assert(TIME_POLICY_ADJ_SETOFFSET == ADJ_SETOFFSET, "ADJ_SETOFFSET");
_Static_assert(TIME_POLICY_ADJ_NANO == ADJ_NANO, "ADJ_NANO");
_Static_assert(TIME_POLICY_STA_PLL == STA_PLL, "STA_PLL");
_Static_assert(TIME_POLICY_STA_INS == STA_INS, "STA_INS");
_Static_assert(TIME_POLICY_STA_DEL == STA_DEL, "STA_DEL");

static int machine_adjust(void *ctx, struct timex *timex)
{
	(void)ctx;
	const int state = clock_adjtime(CLOCK_REALTIME, timex);
	return state < 0 ? -errno : state;
}

static uint64_t machine_now(void *ctx)
{
	struct timespec now;
	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec < 0)
		return TIMESYNC_UNIX_EPOCH_100NS;
	return TIMESYNC_UNIX_EPOCH_100NS + (uint64_t)now.tv_sec * 10000000u +
	       (uint64_t)now.tv_nsec / 100u;
}

static const struct time_clock_ops machine_ops = {
	.adjust = machine_adjust, .now_100ns = machine_now};

void time_clock_init(struct time_clock *clock, const struct time_clock_ops *ops, void *ctx)
{
	memset(clock, 0, sizeof *clock);
	clock->ops = ops != NULL ? ops : &machine_ops;
	clock->ctx = ctx;
}

uint64_t time_clock_now_100ns(const struct time_clock *clock)
{
	return clock->ops->now_100ns(clock->ctx);
}

void time_clock_timex(const struct time_policy_order *order, struct timex *out)
{
	memset(out, 0, sizeof *out);
	out->modes = order->modes;
	if (order->action == TIME_POLICY_STEP) {
		out->time.tv_sec = order->seconds;
		out->time.tv_usec = order->nanoseconds; /* nanoseconds, with ADJ_NANO */
		return;
	}
	out->offset = order->offset_ns;
	out->constant = order->constant;
	out->status = order->status;
	out->maxerror = order->maxerror_us;
	out->esterror = order->esterror_us;
}

int time_clock_apply(struct time_clock *clock, const struct time_policy_order *order)
{
	struct timex timex;
	if (order->action == TIME_POLICY_NOTHING)
		return 0;
	time_clock_timex(order, &timex);
	const int state = clock->ops->adjust(clock->ctx, &timex);
	if (state < 0) {
		clock->failures++;
		clock->last_error = -state;
		return state;
	}
	if (order->action == TIME_POLICY_STEP)
		clock->steps++;
	else
		clock->slews++;
	return 0;
}
