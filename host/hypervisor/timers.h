// SPDX-License-Identifier: Apache-2.0
/*
 * The synthetic timers of all VPs and what their expiry leads to: messages in slots,
 * interrupts in direct mode, and the next deadline for partition_config.timer_set.
 *
 * A one-shot message that finds its slot full waits in its timer, not in the queue of the
 * SINT, sets MessagePending, and is served first when the slot is free. One of a periodic
 * timer is lost.
 *
 * Threads: the partition's lock. partition_timers_run() is in partition.h.
 */
#ifndef HOST_HYPERVISOR_TIMERS_H
#define HOST_HYPERVISOR_TIMERS_H

#include "host/hypervisor/partition.h"

/* All off, none waiting. */
void timers_reset(struct partition *partition);
/* STIMERn_CONFIG and _COUNT as MSRs. False: the write faults (#GP). */
bool timers_config_write(struct partition *partition, uint32_t vp, uint32_t index, uint64_t value);
bool timers_count_write(struct partition *partition, uint32_t vp, uint32_t index, uint64_t value);
/* A slot may be free now: deliver what waits. */
void timers_deliver(struct partition *partition, uint32_t vp);

#endif
