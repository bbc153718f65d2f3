// SPDX-License-Identifier: Apache-2.0
/*
 * What a guest does about its clock when the host tells it the time: nothing, slew, or step.
 *
 *	timesync_ic -> time_policy -> the owner, who calls clock_adjtime() or only shows it
 *
 * - A clock that is a little wrong is slewed: the kernel's own phase-locked loop takes the
 *   offset out, and learns the clock's rate from it. If the owner dies, the loop ends by
 *   itself.
 * - A clock that is wrong by step_100ns or more is stepped: at once if the host asks for it
 *   (SYNC), else when step_samples messages in a row agree, for one of them may have been
 *   late. The first SYNC steps from a millisecond on: nobody relies on the clock yet.
 * - A step that turns the clock back is marked; the owner has to say so before it does it.
 *
 * Computes what struct timex wants; calls nothing. Integers only, no allocation.
 *
 * Threads: none of its own; one owner. Sources: adjtimex(2); timesync.md, section 4.
 */
#ifndef GUEST_IC_DAEMONS_TIME_POLICY_H
#define GUEST_IC_DAEMONS_TIME_POLICY_H

#include "guest/ic_daemons/timesync_ic.h"

/* Defaults, and bounds of the kernel's loop, which takes no more than half a second. */
#define TIME_POLICY_STEP_100NS	     1280000ull /* 128 ms */
#define TIME_POLICY_STEP_MAX_100NS   5000000ull /* 500 ms */
#define TIME_POLICY_STEP_SAMPLES     3u
#define TIME_POLICY_FIRST_STEP_100NS 10000ull /* 1 ms */
#define TIME_POLICY_IGNORE_100NS     100ull   /* 10 µs: what reading the clocks costs */
/* From here on the loop is told to take its time: 1/256 of the offset each second, not 1/16. */
#define TIME_POLICY_GENTLE_100NS 100000ull /* 10 ms */

/* Linux's numbers, for struct timex. */
#define TIME_POLICY_ADJ_OFFSET	  0x0001u
#define TIME_POLICY_ADJ_MAXERROR  0x0004u
#define TIME_POLICY_ADJ_ESTERROR  0x0008u
#define TIME_POLICY_ADJ_STATUS	  0x0010u
#define TIME_POLICY_ADJ_TIMECONST 0x0020u
#define TIME_POLICY_ADJ_SETOFFSET 0x0100u
#define TIME_POLICY_ADJ_NANO	  0x2000u
#define TIME_POLICY_STA_PLL	  0x0001
#define TIME_POLICY_STA_INS	  0x0010
#define TIME_POLICY_STA_DEL	  0x0020

struct time_policy_config {
	uint64_t step_100ns;   /* 0: TIME_POLICY_STEP_100NS; at most _MAX */
	uint32_t step_samples; /* 0: TIME_POLICY_STEP_SAMPLES */
};

enum time_policy_action {
	TIME_POLICY_NOTHING,
	TIME_POLICY_SLEW,
	TIME_POLICY_STEP,
};

/* What to do. The members from `modes` on are those of struct timex, for NOTHING all 0. */
struct time_policy_order {
	enum time_policy_action action;
	int64_t offset_100ns; /* the host's clock less the guest's */
	bool is_backwards;    /* a step that turns the clock back */
	uint32_t modes;	      /* TIME_POLICY_ADJ_* */
	int64_t offset_ns;    /* SLEW */
	int64_t constant;     /* SLEW */
	int32_t status;	      /* SLEW: TIME_POLICY_STA_* */
	int64_t maxerror_us;  /* SLEW, and esterror */
	int64_t esterror_us;
	int64_t seconds;     /* STEP: time.tv_sec, of either sign */
	int64_t nanoseconds; /* STEP: time.tv_usec, 0 to 999999999 */
};

struct time_policy {
	struct time_policy_config config;
	bool has_synced;      /* a SYNC was followed */
	uint32_t far;	      /* samples in a row that were far off, to the same side */
	bool is_far_ahead;    /* which side: the host is ahead */
	int64_t offset_100ns; /* of the last sample */
	/* Since init. */
	uint64_t slews, steps, backward_steps, ignored;
};

/* `config` is copied; NULL means the defaults. */
void time_policy_init(struct time_policy *policy, const struct time_policy_config *config);

/*
 * Judge a sample against the guest's clock, read at the same moment (`clock_100ns`, as
 * timesync.h counts). The order is to be carried out before the next sample.
 */
void time_policy_judge(struct time_policy *policy, const struct timesync_sample *sample,
	uint64_t clock_100ns, struct time_policy_order *out);

/* "nothing", "slew", "step". */
const char *time_policy_action_name(enum time_policy_action action);

#endif
