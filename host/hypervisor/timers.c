// SPDX-License-Identifier: Apache-2.0
/*
 * The synthetic timers of all VPs. See timers.h.
 */
#include "host/hypervisor/timers.h"

#include "host/hypervisor/partition_internal.h"

#include <string.h>

#define NS_PER_UNIT 100u

/* ---- deadline ------------------------------------------------------------------------------ */

static void deadline_set(struct partition *partition, uint64_t due)
{
	const struct partition_config *config = &partition->config;
	uint64_t deadline_ns = UINT64_MAX;

	partition->timers_due = due;
	if (!config->timer_set)
		return;
	if (due != STIMER_NEVER) {
		const uint64_t clock_ns = config->clock_ns(config->clock_ctx);
		const uint64_t now = partition_time(partition);
		const uint64_t left = due > now ? due - now : 0;
		if (left < (UINT64_MAX - clock_ns) / NS_PER_UNIT)
			deadline_ns = clock_ns + left * NS_PER_UNIT;
	}
	config->timer_set(config->driver_ctx, deadline_ns);
}

static uint64_t earliest_due(const struct partition *partition)
{
	uint64_t due = STIMER_NEVER;

	for (uint32_t vp = 0; vp < partition->vp_count; vp++)
		for (uint32_t i = 0; i < HV_STIMER_COUNT; i++)
			if (partition->vps[vp].timers[i].due < due)
				due = partition->vps[vp].timers[i].due;
	return due;
}

/* ---- expiry -------------------------------------------------------------------------------- */

/* Other timers wait for the slot of this one. */
static bool others_wait(const struct partition_vp *vp, uint32_t index)
{
	for (uint32_t i = 0; i < HV_STIMER_COUNT; i++)
		if (i != index && vp->timers[i].is_waiting &&
			stimer_sint(&vp->timers[i]) == stimer_sint(&vp->timers[index]))
			return true;
	return false;
}

/* Put the message of an expired timer into its slot, if that is free. */
static bool deliver(struct partition *partition, uint32_t vp, uint32_t index)
{
	struct stimer *timer = &partition->vps[vp].timers[index];
	const struct hv_timer_message_wire wire = {
		.timer_index = index,
		.expiration_time = timer->expired,
		.delivery_time = partition_time(partition),
	};
	struct synic_message message = {
		.type = HV_MESSAGE_TYPE_TIMER_EXPIRED,
		.bytes = sizeof wire,
	};

	memcpy(message.payload, &wire, sizeof wire);
	if (!synic_timer_message(partition, vp, stimer_sint(timer), &message, timer->is_waiting,
		    others_wait(&partition->vps[vp], index)))
		return false;
	stimer_delivered(timer);
	partition->statistics.timer_expirations++;
	return true;
}

/* Which SINTs have a timer's message waiting: their slots are to say MessagePending. */
static void waiting_note(struct partition *partition, uint32_t vp)
{
	uint16_t sints = 0;

	for (uint32_t i = 0; i < HV_STIMER_COUNT; i++) {
		const struct stimer *timer = &partition->vps[vp].timers[i];
		if (timer->is_waiting)
			sints |= (uint16_t)(1u << stimer_sint(timer));
	}
	partition->vps[vp].synic.timer_sints = sints;
}

static void expire(struct partition *partition, uint32_t vp, uint32_t index, uint64_t now)
{
	struct stimer *timer = &partition->vps[vp].timers[index];
	const struct partition_backend_ops *backend = partition->backend;
	const uint8_t vector = stimer_vector(timer);

	switch (stimer_expire(timer, now, &partition->statistics.timer_ticks_lost)) {
	case STIMER_MESSAGE:
		if (!deliver(partition, vp, index) && !timer->is_waiting)
			partition->statistics.timer_ticks_lost++;
		waiting_note(partition, vp);
		break;
	case STIMER_INTERRUPT:
		partition->statistics.timer_expirations++;
		/* An APIC takes no vector below 16. */
		if (vector >= HV_SINT_MIN_VECTOR && backend && backend->vector_assert)
			backend->vector_assert(partition->backend_ctx, 1ull << vp, vector);
		break;
	case STIMER_NOTHING:
		break;
	}
}

void timers_deliver(struct partition *partition, uint32_t vp)
{
	if (partition->vps[vp].synic.timer_sints == 0)
		return;
	for (uint32_t i = 0; i < HV_STIMER_COUNT; i++) {
		if (!partition->vps[vp].timers[i].is_waiting)
			continue;
		(void)deliver(partition, vp, i);
		waiting_note(partition, vp);
	}
}

void partition_timers_run(struct partition *partition)
{
	partition_lock(partition);
	const uint64_t now = partition_time(partition);
	for (uint32_t vp = 0; vp < partition->vp_count; vp++)
		for (uint32_t i = 0; i < HV_STIMER_COUNT; i++)
			expire(partition, vp, i, now);
	/* The deadline has passed, or came early: it has to be set in any case. */
	deadline_set(partition, earliest_due(partition));
	partition_unlock(partition);
}

/* ---- registers ----------------------------------------------------------------------------- */

/* A register of the timer was written: what is past expires at once. */
static void changed(struct partition *partition, uint32_t vp, uint32_t index, uint64_t now)
{
	waiting_note(partition, vp);
	expire(partition, vp, index, now);
	const uint64_t due = earliest_due(partition);
	if (due != partition->timers_due)
		deadline_set(partition, due);
}

bool timers_config_write(struct partition *partition, uint32_t vp, uint32_t index, uint64_t value)
{
	const uint64_t now = partition_time(partition);

	if ((value & HV_STIMER_DIRECT_MODE) &&
		!(partition->promises.features & HV_FEATURE_DIRECT_SYNTHETIC_TIMERS))
		return false;
	stimer_config_write(&partition->vps[vp].timers[index], value, now);
	changed(partition, vp, index, now);
	return true;
}

bool timers_count_write(struct partition *partition, uint32_t vp, uint32_t index, uint64_t value)
{
	const uint64_t now = partition_time(partition);

	stimer_count_write(&partition->vps[vp].timers[index], value, now);
	changed(partition, vp, index, now);
	return true;
}

void timers_reset(struct partition *partition)
{
	for (uint32_t vp = 0; vp < partition->vp_count; vp++) {
		for (uint32_t i = 0; i < HV_STIMER_COUNT; i++)
			stimer_reset(&partition->vps[vp].timers[i]);
		partition->vps[vp].synic.timer_sints = 0;
	}
	if (partition->timers_due != STIMER_NEVER)
		deadline_set(partition, STIMER_NEVER);
}
