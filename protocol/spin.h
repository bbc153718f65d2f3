// SPDX-License-Identifier: Apache-2.0
/*
 * How long to poll a ring before sleeping: one rule for both ends.
 *
 * A wake-up through an eventfd costs several microseconds on both sides; polling
 * costs a core. The budget follows what just happened: if the last sleep was
 * shorter than the longest spin allowed, spinning would have caught it, so spin
 * the whole budget next time; if it was longer, halve the budget, and stop
 * spinning after a few such sleeps in a row. An idle side therefore does not
 * spin at all, and a busy one does not sleep.
 *
 * No state but the struct; time comes in as an argument (any unit, one clock).
 */
#ifndef PROTOCOL_SPIN_H
#define PROTOCOL_SPIN_H

#include <stdint.h>

struct spin_policy {
	uint64_t max;	  /* longest spin */
	uint64_t current; /* budget of the next spin, 0..max */
};

static inline void spin_init(struct spin_policy *policy, uint64_t max)
{
	policy->max = max;
	policy->current = max;
}

/* A sleep ended that had lasted `slept`. */
static inline void spin_after_sleep(struct spin_policy *policy, uint64_t slept)
{
	if (slept < policy->max)
		policy->current = policy->max;
	else if (policy->current > policy->max / 16)
		policy->current /= 2;
	else
		policy->current = 0;
}

/* Tell the processor that this is a spin loop. */
static inline void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
