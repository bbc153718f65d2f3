// SPDX-License-Identifier: Apache-2.0
/*
 * One synthetic timer: its two registers, and when it expires next. What an expiry leads to
 * (a message, an interrupt) is the business of timers.c.
 *
 *	not armed --(enabled, count not 0)--> armed --(due)--> one-shot: not armed
 *	    ^                                   |  ^______ periodic
 *	    |____ any write of a register ______|
 *
 * A periodic timer that is served late keeps its phase. Up to LIMIT_TIMER_CATCH_UP periods it makes
 * up for, at twice its rate; beyond that, and always when it is lazy, the periods missed are
 * lost; and a lazy one that is served nearer to its next tick than to its last leaves this one
 * out as well. Ticks are at least LIMIT_TIMER_SPACING_100NS apart, whatever the period: the
 * guest pays nothing for a tick, and must not keep the host busy with them. All of that is
 * arithmetic: there is no loop over periods.
 *
 * No I/O; times are reference time, 100 ns. Threads: the partition's lock.
 * Sources: TLFS, "Synthetic timers"; R-TIMER rules of protocol/hypervisor.md.
 */
#ifndef HOST_HYPERVISOR_STIMER_H
#define HOST_HYPERVISOR_STIMER_H

#include "protocol/hypervisor.h"

#include <stdbool.h>
#include <stdint.h>

#define STIMER_NEVER UINT64_MAX

struct stimer {
	uint64_t config, count; /* the registers */
	uint64_t due;		/* when to expire, or STIMER_NEVER: not armed */
	uint64_t expiration;	/* while armed: when it should expire; not after due */
	uint64_t expired;	/* when the last expiry should have been */
	bool is_waiting;	/* one-shot: its message waits for a free slot */
};

/* State after power-on. */
void stimer_reset(struct stimer *timer);

/*
 * Write a register at the time `now`: stops the timer, drops its message, and starts it if
 * what the registers then say is so. The caller checks HV_STIMER_DIRECT_MODE.
 */
void stimer_config_write(struct stimer *timer, uint64_t value, uint64_t now);
void stimer_count_write(struct stimer *timer, uint64_t value, uint64_t now);

enum stimer_action {
	STIMER_NOTHING,
	STIMER_MESSAGE,	  /* to the SINT; if it can be delivered, call stimer_delivered() */
	STIMER_INTERRUPT, /* with the vector */
};

/*
 * Expire if it is time. *lost grows by the ticks that nobody will hear of. A message that
 * cannot be delivered: one of a periodic timer is lost, another waits (is_waiting).
 */
enum stimer_action stimer_expire(struct stimer *timer, uint64_t now, uint64_t *lost);
void stimer_delivered(struct stimer *timer);

static inline bool stimer_is_periodic(const struct stimer *timer)
{
	return timer->config & HV_STIMER_PERIODIC;
}

static inline uint32_t stimer_sint(const struct stimer *timer)
{
	return (uint32_t)((timer->config & HV_STIMER_SINT_MASK) >> HV_STIMER_SINT_SHIFT);
}

static inline uint8_t stimer_vector(const struct stimer *timer)
{
	return (uint8_t)((timer->config & HV_STIMER_VECTOR_MASK) >> HV_STIMER_VECTOR_SHIFT);
}

#endif
