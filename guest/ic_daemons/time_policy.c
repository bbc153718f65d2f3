// SPDX-License-Identifier: Apache-2.0
/*
 * What a guest does about its clock. See time_policy.h.
 */
#include "guest/ic_daemons/time_policy.h"

#include <string.h>

#define PER_SECOND   10000000
#define NS_PER_100NS 100

static const char *const action_names[] = {
	[TIME_POLICY_NOTHING] = "nothing",
	[TIME_POLICY_SLEW] = "slew",
	[TIME_POLICY_STEP] = "step",
};

const char *time_policy_action_name(enum time_policy_action action)
{
	return action_names[action];
}

void time_policy_init(struct time_policy *policy, const struct time_policy_config *config)
{
	memset(policy, 0, sizeof *policy);
	if (config != NULL)
		policy->config = *config;
	if (policy->config.step_100ns == 0)
		policy->config.step_100ns = TIME_POLICY_STEP_100NS;
	if (policy->config.step_100ns > TIME_POLICY_STEP_MAX_100NS)
		policy->config.step_100ns = TIME_POLICY_STEP_MAX_100NS;
	if (policy->config.step_samples == 0)
		policy->config.step_samples = TIME_POLICY_STEP_SAMPLES;
}

static void slew(struct time_policy *policy, const struct timesync_sample *sample, uint64_t away,
	struct time_policy_order *out)
{
	out->action = TIME_POLICY_SLEW;
	out->modes = TIME_POLICY_ADJ_OFFSET | TIME_POLICY_ADJ_STATUS | TIME_POLICY_ADJ_TIMECONST |
		     TIME_POLICY_ADJ_MAXERROR | TIME_POLICY_ADJ_ESTERROR | TIME_POLICY_ADJ_NANO;
	out->offset_ns = out->offset_100ns * NS_PER_100NS;
	out->constant = away >= TIME_POLICY_GENTLE_100NS ? 6 : 2;
	out->status = TIME_POLICY_STA_PLL;
	if (sample->leap == TIMESYNC_LEAP_INSERT)
		out->status |= TIME_POLICY_STA_INS;
	if (sample->leap == TIMESYNC_LEAP_DELETE)
		out->status |= TIME_POLICY_STA_DEL;
	out->esterror_us = (int64_t)(away / 10);
	out->maxerror_us = out->esterror_us;
	policy->slews++;
}

static void step(struct time_policy *policy, struct time_policy_order *out)
{
	out->action = TIME_POLICY_STEP;
	out->modes = TIME_POLICY_ADJ_SETOFFSET | TIME_POLICY_ADJ_NANO;
	out->is_backwards = out->offset_100ns < 0;
	out->seconds = out->offset_100ns / PER_SECOND;
	int64_t rest = out->offset_100ns % PER_SECOND;
	if (rest < 0) {
		out->seconds--;
		rest += PER_SECOND;
	}
	out->nanoseconds = rest * NS_PER_100NS;
	policy->steps++;
	if (out->is_backwards)
		policy->backward_steps++;
	policy->far = 0;
}

/* Have enough samples in a row been far off, to the same side? */
static bool is_far_for_long(struct time_policy *policy, bool is_ahead)
{
	if (policy->far == 0 || policy->is_far_ahead != is_ahead)
		policy->far = 0;
	policy->is_far_ahead = is_ahead;
	policy->far++;
	return policy->far >= policy->config.step_samples;
}

/* May the clock be stepped for this sample? `away` is how far off it is. */
static bool is_step(struct time_policy *policy, const struct timesync_sample *sample, uint64_t away)
{
	bool is_first = sample->is_sync && !policy->has_synced;
	if (sample->is_sync)
		policy->has_synced = true;
	if (is_first && away >= TIME_POLICY_FIRST_STEP_100NS)
		return true;
	if (away < policy->config.step_100ns) {
		policy->far = 0;
		return false;
	}
	return is_far_for_long(policy, policy->offset_100ns > 0) || sample->is_sync;
}

void time_policy_judge(struct time_policy *policy, const struct timesync_sample *sample,
	uint64_t clock_100ns, struct time_policy_order *out)
{
	memset(out, 0, sizeof *out);
	/* Both are below 2^63 as far as clocks go; a clock that is not is stepped from 0. */
	if (clock_100ns > (uint64_t)INT64_MAX)
		clock_100ns = 0;
	out->offset_100ns = (int64_t)sample->utc_100ns - (int64_t)clock_100ns;
	policy->offset_100ns = out->offset_100ns;
	uint64_t away = out->offset_100ns < 0 ? 0 - (uint64_t)out->offset_100ns
					      : (uint64_t)out->offset_100ns;
	/* A host that does not trust its own clock may set ours, but is no teacher. */
	if (sample->leap == TIMESYNC_LEAP_UNSYNCHRONIZED && !sample->is_sync) {
		policy->ignored++;
		return;
	}
	if (is_step(policy, sample, away)) {
		step(policy, out);
		return;
	}
	/* Too far for the loop and not yet far for long enough; or as good as it gets. */
	if (away >= policy->config.step_100ns || away < TIME_POLICY_IGNORE_100NS) {
		policy->ignored++;
		return;
	}
	slew(policy, sample, away, out);
}
