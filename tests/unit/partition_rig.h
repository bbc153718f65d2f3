// SPDX-License-Identifier: Apache-2.0
/*
 * A partition on a bench: 1 MiB of memory, a backend that records interrupts, a
 * clock that stands still until it is moved.
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
