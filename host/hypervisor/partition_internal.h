// SPDX-License-Identifier: Apache-2.0
/*
 * Inside a partition. For the files of host/hypervisor/ alone; everyone else has
 * partition.h. Threads: the loop thread only.
 */
#ifndef HOST_HYPERVISOR_PARTITION_INTERNAL_H
#define HOST_HYPERVISOR_PARTITION_INTERNAL_H

#include "host/hypervisor/hypercall.h"
#include "host/hypervisor/overlay.h"
#include "host/hypervisor/partition.h"
#include "host/hypervisor/port_table.h"
#include "host/hypervisor/synic.h"
#include "host/limits.h"

struct partition_vp {
	struct synic synic;
};

struct partition_reset_observer {
	partition_reset_fn fn;
	void *ctx;
};

struct partition {
	struct guest_memory memory;
	uint32_t vp_count;
	struct partition_config config;
	uint64_t start_ns; /* clock when reference time was 0 */

	const struct partition_backend_ops *backend;
	void *backend_ctx;
	uint64_t privileges; /* HV_PRIVILEGE_*: what CPUID says and the checks use */
	uint32_t features;   /* HV_FEATURE_*: likewise */

	/* registers of the whole partition */
	uint64_t guest_os_id;
	uint64_t hypercall;
	uint64_t reference_tsc;
	uint64_t crash[5];

	struct overlay hypercall_page;
	struct overlay reference_tsc_page;
	uint8_t *overlay_pages; /* owned: hypercall, reference TSC, then two for each VP */

	struct port_table message_ports;
	struct port_table event_ports;

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

/* Lay the hypercall page at its place, or take it away, as guest_os_id and hypercall say. */
bool partition_hypercall_page_update(
	struct partition *partition, uint64_t guest_os_id, uint64_t hypercall);

/* MSRs by register name, for HvCallGetVpRegisters and HvCallSetVpRegisters. HV_STATUS_*. */
uint16_t partition_register_read(
	struct partition *partition, uint32_t vp, uint32_t name, uint64_t value[2]);
uint16_t partition_register_write(
	struct partition *partition, uint32_t vp, uint32_t name, const uint64_t value[2]);

#endif
