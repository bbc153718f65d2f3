// SPDX-License-Identifier: Apache-2.0
/*
 * Reference time and its page. See reference_time.h.
 */
#include "host/hypervisor/reference_time.h"

#include "protocol/hypervisor.h"

#define NS_PER_UNIT 100u

uint64_t reference_time_scale(uint64_t tsc_hz)
{
	if (tsc_hz <= HV_TIME_PER_SECOND)
		return 0;
	return (uint64_t)(((unsigned __int128)HV_TIME_PER_SECOND << 64) / tsc_hz);
}

static uint64_t scaled(uint64_t tsc, uint64_t scale)
{
	return (uint64_t)((unsigned __int128)tsc * scale >> 64);
}

void reference_time_use_clock(struct reference_time *time, uint64_t clock_ns, uint64_t now_100ns)
{
	time->counts_tsc = false;
	time->start_ns = clock_ns - now_100ns * NS_PER_UNIT;
}

bool reference_time_use_tsc(
	struct reference_time *time, uint64_t tsc_hz, uint64_t tsc, uint64_t now_100ns)
{
	const uint64_t scale = reference_time_scale(tsc_hz);

	if (scale == 0)
		return false;
	time->counts_tsc = true;
	time->scale = scale;
	time->offset = now_100ns - scaled(tsc, scale);
	return true;
}

uint64_t reference_time_of_clock(const struct reference_time *time, uint64_t clock_ns)
{
	return (clock_ns - time->start_ns) / NS_PER_UNIT;
}

uint64_t reference_time_of_tsc(const struct reference_time *time, uint64_t tsc)
{
	return scaled(tsc, time->scale) + time->offset;
}

void reference_time_page_write(struct reference_time *time, uint8_t *page)
{
	uint32_t *sequence =
		(uint32_t *)(void *)(page + offsetof(struct hv_reference_tsc_page_wire, sequence));
	uint64_t *scale =
		(uint64_t *)(void *)(page + offsetof(struct hv_reference_tsc_page_wire, scale));
	uint64_t *offset =
		(uint64_t *)(void *)(page + offsetof(struct hv_reference_tsc_page_wire, offset));

	/* Whoever reads the old sequence and a new number reads the sequence again: 0, or new. */
	__atomic_store_n(sequence, HV_REFERENCE_TSC_SEQUENCE_INVALID, __ATOMIC_SEQ_CST);
	if (!time->counts_tsc)
		return;
	__atomic_store_n(scale, time->scale, __ATOMIC_RELEASE);
	__atomic_store_n(offset, time->offset, __ATOMIC_RELEASE);
	time->sequence++;
	if (time->sequence == UINT32_MAX || time->sequence == HV_REFERENCE_TSC_SEQUENCE_INVALID)
		time->sequence = 1;
	__atomic_store_n(sequence, time->sequence, __ATOMIC_RELEASE);
}
