// SPDX-License-Identifier: Apache-2.0
/*
 * One synthetic timer. See stimer.h.
 */
#include "host/hypervisor/stimer.h"

#include "host/limits.h"

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void stimer_reset(struct stimer *timer)
{
	*timer = (struct stimer){.due = STIMER_NEVER};
}

/* Message mode needs a SINT; SINT 0 is the hypervisor's own. */
static bool may_be_enabled(const struct stimer *timer)
{
	return (timer->config & HV_STIMER_DIRECT_MODE) || stimer_sint(timer) != 0;
}

static void restart(struct stimer *timer, uint64_t now)
{
	timer->is_waiting = false;
	timer->due = STIMER_NEVER;
	if (!(timer->config & HV_STIMER_ENABLED) || timer->count == 0)
		return;
	timer->expiration = stimer_is_periodic(timer) ? add(now, timer->count) : timer->count;
	timer->due = timer->expiration;
}

void stimer_config_write(struct stimer *timer, uint64_t value, uint64_t now)
{
	timer->config = value;
	if (!may_be_enabled(timer))
		timer->config &= ~HV_STIMER_ENABLED;
	restart(timer, now);
}

void stimer_count_write(struct stimer *timer, uint64_t value, uint64_t now)
{
	timer->count = value;
	if (value == 0)
		timer->config &= ~HV_STIMER_ENABLED;
	else if ((timer->config & HV_STIMER_AUTO_ENABLE) && may_be_enabled(timer))
		timer->config |= HV_STIMER_ENABLED;
	restart(timer, now);
}

/* The tick after one that is served at `now`. Returns false if this one is to be left out. */
static bool period_next(struct stimer *timer, uint64_t now, uint64_t *lost)
{
	const bool is_lazy = timer->config & HV_STIMER_LAZY;
	const uint64_t period = timer->count;
	const uint64_t missed = (now - timer->expiration) / period;
	bool is_told = true;

	timer->expired = timer->expiration;
	if (is_lazy || missed > LIMIT_TIMER_CATCH_UP) {
		*lost += missed;
		timer->expired += missed * period;
	}
	if (is_lazy && now - timer->expired > period / 2) {
		*lost += 1;
		is_told = false;
	}
	timer->expiration = add(timer->expired, period);

	const uint64_t spaced = add(now, LIMIT_TIMER_SPACING_100NS);
	if (period < LIMIT_TIMER_SPACING_100NS && timer->expiration < spaced) {
		const uint64_t more = (spaced - timer->expiration + period - 1) / period;
		*lost += more;
		timer->expiration = add(timer->expiration, more * period);
	}
	/* Behind: twice the rate, but not more than the spacing allows. */
	const uint64_t hurried = is_lazy ? now : add(now, period / 2);
	timer->due = timer->expiration;
	if (timer->due < hurried)
		timer->due = hurried;
	if (timer->due < spaced)
		timer->due = spaced;
	return is_told;
}

enum stimer_action stimer_expire(struct stimer *timer, uint64_t now, uint64_t *lost)
{
	const bool is_direct = timer->config & HV_STIMER_DIRECT_MODE;

	if (timer->due == STIMER_NEVER || now < timer->due)
		return STIMER_NOTHING;
	if (stimer_is_periodic(timer)) {
		if (!period_next(timer, now, lost))
			return STIMER_NOTHING;
		return is_direct ? STIMER_INTERRUPT : STIMER_MESSAGE;
	}
	timer->expired = timer->expiration;
	timer->due = STIMER_NEVER;
	if (is_direct) {
		timer->config &= ~HV_STIMER_ENABLED;
		return STIMER_INTERRUPT;
	}
	timer->is_waiting = true;
	return STIMER_MESSAGE;
}

void stimer_delivered(struct stimer *timer)
{
	if (timer->is_waiting)
		timer->config &= ~HV_STIMER_ENABLED;
	timer->is_waiting = false;
}
