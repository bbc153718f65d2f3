// SPDX-License-Identifier: Apache-2.0
/*
 * Inside a partition. For the files of host/hypervisor/ alone; everyone else has
 * partition.h. Threads: the public functions marked [any thread] take the lock; what is
 * declared here is called with it held.
 */
#ifndef HOST_HYPERVISOR_PARTITION_INTERNAL_H
#define HOST_HYPERVISOR_PARTITION_INTERNAL_H

#include "host/hypervisor/deferral.h"
#include "host/hypervisor/enlightenment.h"
#include "host/hypervisor/hypercall.h"
#include "host/hypervisor/overlay.h"
#include "host/hypervisor/partition.h"
#include "host/hypervisor/port_table.h"
#include "host/hypervisor/reference_time.h"
#include "host/hypervisor/stimer.h"
#include "host/hypervisor/synic.h"
#include "host/limits.h"

#include <pthread.h>

struct partition_vp {
	struct synic synic;
	struct stimer timers[HV_STIMER_COUNT];
	uint64_t assist; /* VP_ASSIST_PAGE */
	struct overlay assist_page;
};

struct partition_reset_observer {
	partition_reset_fn fn;
	void *ctx;
};

struct partition {
	struct guest_memory memory;
	uint32_t vp_count;
	struct partition_config config;
	struct enlightenments asked; /* for what CPUID is to say */

	/*
	 * The lock is for everything below but the observers, which belong to the loop thread,
	 * and what is set once with the backend. Without VP threads nobody takes it.
	 */
	pthread_mutex_t lock;
	pthread_t loop_thread;
	bool is_threaded; /* the backend has VP threads */

	const struct partition_backend_ops *backend;
	void *backend_ctx;
	struct enlightenments promises; /* what CPUID says and the checks use */

	/* registers of the whole partition */
	uint64_t guest_os_id;
	uint64_t hypercall;
	uint64_t reference_tsc;
	uint64_t crash[5];
	struct reference_time time;
	uint64_t timers_due; /* what timer_set was last called for, reference time */

	struct overlays overlays;
	struct overlay hypercall_page;
	struct overlay reference_tsc_page;
	uint8_t *overlay_pages; /* owned: hypercall, reference TSC, then three for each VP */

	struct port_table message_ports;
	struct port_table event_ports;
	struct deferral deferral;

	struct partition_reset_observer reset_observers[LIMIT_RESET_OBSERVERS];
	unsigned reset_observer_count;
	synic_drained_fn drained_fn;
	void *drained_ctx;
	bool is_telling_drained;
	partition_crash_fn crash_fn;
	void *crash_ctx;

	struct partition_statistics statistics;
	uint64_t refusals[HYPERCALL_REFUSAL_COUNT];

	struct partition_vp vps[]; /* vp_count */
};

static inline void partition_lock(const struct partition *partition)
{
	/* Whoever may read a partition may lock it. */
	if (partition->is_threaded)
		pthread_mutex_lock(&((struct partition *)(uintptr_t)partition)->lock);
}

static inline void partition_unlock(const struct partition *partition)
{
	if (partition->is_threaded)
		pthread_mutex_unlock(&((struct partition *)(uintptr_t)partition)->lock);
}

/* What the partition can promise, of what it was asked to; after the backend has changed. */
void partition_promises_update(struct partition *partition);

/* partition_time_100ns(). */
uint64_t partition_time(const struct partition *partition);

/* RESET was written on `vp`: on the spot, or as soon as its threads allow. */
void partition_reset_request(struct partition *partition, uint32_t vp);
/* HvSignalEvent, with the lock held. HV_STATUS_*. */
uint16_t partition_signal_locked(
	struct partition *partition, uint32_t connection_id, uint16_t flag);

/* Lay the hypercall page at its place, or take it away, as guest_os_id and hypercall say. */
bool partition_hypercall_page_update(
	struct partition *partition, uint64_t guest_os_id, uint64_t hypercall);

/* MSRs by register name, for HvCallGetVpRegisters and HvCallSetVpRegisters. HV_STATUS_*. */
uint16_t partition_register_read(
	struct partition *partition, uint32_t vp, uint32_t name, uint64_t value[2]);
uint16_t partition_register_write(
	struct partition *partition, uint32_t vp, uint32_t name, const uint64_t value[2]);

#endif
