// SPDX-License-Identifier: Apache-2.0
/*
 * A partition on a bench: 1 MiB of memory, a backend that records interrupts, a
 * clock that stands still until it is moved. rig_open() has the least of backends;
 * rig_open_full() one that can do everything, with or without VP threads.
 */
#ifndef TESTS_UNIT_PARTITION_RIG_H
#define TESTS_UNIT_PARTITION_RIG_H

#include "host/hypervisor/partition.h"

#include "protocol/hypervisor.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#define RIG_MEMORY (1ull << 20)
#define RIG_SIMP   0x10000ull
#define RIG_SIEFP  0x11000ull
#define RIG_CODE   0x12000ull
#define RIG_INPUT  0x20000ull
#define RIG_OUTPUT 0x21000ull
#define RIG_OS_ID  0x8100000000000001ull
#define RIG_VECTOR 0x41u

struct rig {
	struct partition *partition;
	uint64_t now_ns;
	unsigned interrupts;
	uint32_t last_vp, last_sint;
	uint8_t last_vector;

	/* a full backend */
	uint64_t tsc;
	unsigned direct_interrupts;
	uint64_t direct_vps;
	uint8_t direct_vector;
	unsigned flushes;
	uint64_t flushed_vps;
	uint32_t flush_caller;
	uint64_t apic[3]; /* by enum partition_apic_register */
	unsigned idles, reset_requests, sint_changes;
	uint64_t last_sint_value;
	unsigned ports_told;
	uint32_t last_port;
	bool last_port_is_there;

	/* its driver */
	unsigned timer_sets, wakes; /* atomic: wakes */
	uint64_t deadline_ns;
	char debug_text[256];
	size_t debug_bytes;
};

static inline void rig_interrupt(void *ctx, uint32_t vp, uint32_t sint, uint8_t vector)
{
	struct rig *rig = ctx;

	rig->interrupts++;
	rig->last_vp = vp;
	rig->last_sint = sint;
	rig->last_vector = vector;
}

static inline uint64_t rig_clock(void *ctx)
{
	const struct rig *rig = ctx;

	return rig->now_ns;
}

static const struct partition_backend_ops rig_ops = {
	.name = "rig",
	.interrupt_assert = rig_interrupt,
	.has_xmm = true,
};
static const struct partition_backend_ops rig_ops_without_xmm = {
	.name = "rig",
	.interrupt_assert = rig_interrupt,
};

static inline void rig_vector_assert(void *ctx, uint64_t vps, uint8_t vector)
{
	struct rig *rig = ctx;

	rig->direct_interrupts++;
	rig->direct_vps = vps;
	rig->direct_vector = vector;
}

static inline void rig_tlb_flush(void *ctx, uint32_t vp, uint64_t vps)
{
	struct rig *rig = ctx;

	rig->flushes++;
	rig->flush_caller = vp;
	rig->flushed_vps = vps;
}

static inline uint64_t rig_tsc_read(void *ctx)
{
	const struct rig *rig = ctx;

	return rig->tsc;
}

static inline uint64_t rig_apic_read(void *ctx, uint32_t vp, enum partition_apic_register which)
{
	const struct rig *rig = ctx;

	(void)vp;
	return rig->apic[which];
}

static inline void rig_apic_write(
	void *ctx, uint32_t vp, enum partition_apic_register which, uint64_t value)
{
	struct rig *rig = ctx;

	(void)vp;
	rig->apic[which] = value;
}

/* APIC ids that are not the VP indices: 0, 2, 4. */
static inline uint32_t rig_apic_id(void *ctx, uint32_t vp)
{
	(void)ctx;
	return 2 * vp;
}

static inline uint64_t rig_run_time(void *ctx, uint32_t vp)
{
	(void)ctx;
	return 1000 + vp;
}

static inline void rig_vp_idle(void *ctx, uint32_t vp)
{
	struct rig *rig = ctx;

	(void)vp;
	rig->idles++;
}

/* There is one register, RAX. */
static inline bool rig_register_read(void *ctx, uint32_t vp, uint32_t name, uint64_t value[2])
{
	(void)ctx;
	value[0] = 0xabc0 + vp;
	return name == HV_X64_REGISTER_RAX;
}

static inline bool rig_register_write(
	void *ctx, uint32_t vp, uint32_t name, const uint64_t value[2])
{
	struct rig *rig = ctx;

	(void)vp;
	if (name != HV_X64_REGISTER_RAX)
		return false;
	rig->apic[0] = value[0];
	return true;
}

static inline void rig_event_port_changed(void *ctx, uint32_t connection_id, bool is_there)
{
	struct rig *rig = ctx;

	rig->ports_told++;
	rig->last_port = connection_id;
	rig->last_port_is_there = is_there;
}

static inline void rig_sint_changed(void *ctx, uint32_t vp, uint32_t sint, uint64_t value)
{
	struct rig *rig = ctx;

	(void)vp;
	(void)sint;
	rig->sint_changes++;
	rig->last_sint_value = value;
}

static inline void rig_timer_set(void *ctx, uint64_t deadline_ns)
{
	struct rig *rig = ctx;

	rig->timer_sets++;
	rig->deadline_ns = deadline_ns;
}

static inline void rig_wake(void *ctx)
{
	struct rig *rig = ctx;

	__atomic_fetch_add(&rig->wakes, 1, __ATOMIC_SEQ_CST);
}

static inline void rig_debug_data(void *ctx, const uint8_t *data, size_t bytes)
{
	struct rig *rig = ctx;

	for (size_t i = 0; i < bytes; i++, rig->debug_bytes++)
		if (rig->debug_bytes < sizeof rig->debug_text - 1)
			rig->debug_text[rig->debug_bytes] = (char)data[i];
}

#define RIG_FULL_OPS                                                                               \
	.name = "full", .interrupt_assert = rig_interrupt, .has_xmm = true,                        \
	.vector_assert = rig_vector_assert, .tlb_flush = rig_tlb_flush,                            \
	.apic_read = rig_apic_read, .apic_write = rig_apic_write, .apic_id = rig_apic_id,          \
	.run_time_100ns = rig_run_time, .vp_idle = rig_vp_idle,                                    \
	.register_read = rig_register_read, .register_write = rig_register_write,                  \
	.event_port_changed = rig_event_port_changed, .sint_changed = rig_sint_changed
static const struct partition_backend_ops rig_ops_full = {RIG_FULL_OPS};
static const struct partition_backend_ops rig_ops_with_tsc = {
	RIG_FULL_OPS, .tsc_read = rig_tsc_read};
static const struct partition_backend_ops rig_ops_threaded = {RIG_FULL_OPS, .has_vp_threads = true};

/* Ends the program if it fails: nothing can be tested then. */
static inline void rig_open(struct rig *rig, uint32_t vp_count)
{
	memset(rig, 0, sizeof *rig);
	rig->now_ns = 1000000;
	const struct partition_config config = {
		.memory_bytes = RIG_MEMORY,
		.vp_count = vp_count,
		.clock_ns = rig_clock,
		.clock_ctx = rig,
		.tsc_hz = 2500000000u,
		.apic_hz = 1000000000u,
	};
	if (partition_create(&config, &rig->partition) != 0)
		abort();
	partition_backend_set(rig->partition, &rig_ops, rig);
}

/* With a backend that can do everything, and a driver. */
static inline void rig_open_full(struct rig *rig, uint32_t vp_count,
	const struct partition_backend_ops *ops, const struct enlightenments *enlightenments)
{
	memset(rig, 0, sizeof *rig);
	rig->now_ns = 1000000;
	rig->deadline_ns = UINT64_MAX;
	const struct partition_config config = {
		.memory_bytes = RIG_MEMORY,
		.vp_count = vp_count,
		.enlightenments = enlightenments,
		.clock_ns = rig_clock,
		.clock_ctx = rig,
		.tsc_hz = 2500000000u,
		.apic_hz = 1000000000u,
		.timer_set = rig_timer_set,
		.wake = rig_wake,
		.driver_ctx = rig,
		.debug_data = rig_debug_data,
		.debug_ctx = rig,
	};
	if (partition_create(&config, &rig->partition) != 0)
		abort();
	partition_backend_set(rig->partition, ops, rig);
}

static inline void rig_close(struct rig *rig)
{
	partition_destroy(rig->partition);
}

static inline void *rig_at(struct rig *rig, uint64_t gpa)
{
	void *at = guest_memory_at(partition_memory(rig->partition), gpa, 1);

	if (!at)
		abort();
	return at;
}

static inline uint64_t rig_read(struct rig *rig, uint32_t vp, uint32_t msr)
{
	uint64_t value = 0;

	CU_ASSERT_EQUAL(partition_msr_read(rig->partition, vp, msr, &value), PARTITION_FAULT_NONE);
	return value;
}

static inline void rig_write(struct rig *rig, uint32_t vp, uint32_t msr, uint64_t value)
{
	CU_ASSERT_EQUAL(partition_msr_write(rig->partition, vp, msr, value), PARTITION_FAULT_NONE);
}

static inline bool rig_read_faults(struct rig *rig, uint32_t vp, uint32_t msr)
{
	uint64_t value;

	return partition_msr_read(rig->partition, vp, msr, &value) == PARTITION_FAULT_GP;
}

static inline bool rig_write_faults(struct rig *rig, uint32_t vp, uint32_t msr, uint64_t value)
{
	return partition_msr_write(rig->partition, vp, msr, value) == PARTITION_FAULT_GP;
}

/* Guest OS id and hypercall page, as every guest does first. */
static inline void rig_hypercalls_on(struct rig *rig)
{
	rig_write(rig, 0, HV_X64_MSR_GUEST_OS_ID, RIG_OS_ID);
	rig_write(rig, 0, HV_X64_MSR_HYPERCALL, RIG_CODE | 1);
}

/* Message and event pages of VP 0 and SINT 2, as VMBus guests have them. */
static inline void rig_synic_on(struct rig *rig)
{
	rig_write(rig, 0, HV_X64_MSR_SIMP, RIG_SIMP | 1);
	rig_write(rig, 0, HV_X64_MSR_SIEFP, RIG_SIEFP | 1);
	rig_write(rig, 0, HV_X64_MSR_SINT0 + 2, RIG_VECTOR);
}

static inline uint64_t rig_hypercall(
	struct rig *rig, uint64_t control, uint64_t input, uint64_t output)
{
	struct hypercall_registers registers = {.rcx = control, .rdx = input, .r8 = output};

	CU_ASSERT_EQUAL(partition_hypercall(rig->partition, 0, &registers), PARTITION_FAULT_NONE);
	return registers.rax;
}

#endif
