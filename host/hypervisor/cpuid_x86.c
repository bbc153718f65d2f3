// SPDX-License-Identifier: Apache-2.0
/*
 * CPUID leaves of the hypervisor, and what they promise: of what was asked for
 * (enlightenment.h), that which this partition and its backend can keep. What is promised
 * is implemented in msr_x86.c, the hypercall*.c, synic.c and timers.c, and nothing else is.
 *
 * Three things are not asked for. Guest OS id, hypercall page and VP index come with the
 * interface's signature (R-CPUID-001); and AutoEOI is always advised against, since no
 * backend ends interrupts by itself (R-CPUID-031).
 */
#include "host/hypervisor/partition_internal.h"

#include <string.h>

/* Reported as Windows Server 2016 does: the interface level that is implemented. */
#define VERSION_BUILD 14393u
#define VERSION_MAJOR 10u
#define VERSION_MINOR 0u

#define P(name) HV_PRIVILEGE_##name
#define F(name) HV_FEATURE_##name
#define R(name) HV_RECOMMEND_##name

/* ---- promises ------------------------------------------------------------------------------ */

/* What depends on functions that a backend may lack. */
static void backend_can(const struct partition_backend_ops *backend, struct enlightenments *can)
{
	if (backend->has_xmm) {
		can->privileges |= P(FAST_HYPERCALL_OUTPUT);
		can->features |= F(XMM_HYPERCALL_INPUT) | F(XMM_HYPERCALL_OUTPUT);
	}
	if (backend->vector_assert) {
		can->features |= F(DIRECT_SYNTHETIC_TIMERS);
		can->recommendations |= R(CLUSTER_IPI);
	}
	if (backend->tlb_flush) {
		can->privileges |= P(EXTENDED_GVA_RANGES);
		can->features |= F(EXTENDED_GVA_RANGES);
		can->recommendations |= R(REMOTE_FLUSH);
	}
	if (backend->apic_read && backend->apic_write) {
		can->privileges |= P(ACCESS_INTERRUPT_CONTROL);
		can->recommendations |= R(APIC_MSRS);
	}
	if (backend->run_time_100ns)
		can->privileges |= P(ACCESS_VP_RUNTIME);
	if (backend->vp_idle) {
		can->privileges |= P(ACCESS_GUEST_IDLE);
		can->features |= F(GUEST_IDLE);
	}
}

static struct enlightenments what_it_can(const struct partition *partition)
{
	const struct partition_config *config = &partition->config;
	struct enlightenments can = {
		.privileges = P(ACCESS_REFERENCE_COUNTER) | P(ACCESS_SYNIC) | P(ACCESS_RESET) |
			      P(ACCESS_REFERENCE_TSC) | P(POST_MESSAGES) | P(SIGNAL_EVENTS) |
			      P(ACCESS_VP_REGISTERS) | P(ENABLE_EXTENDED_HYPERCALLS),
		.features = F(GUEST_CRASH_MSRS) | F(SINT_POLLING) | F(HYPERCALL_MSR_LOCK),
		.recommendations = R(RELAXED_TIMING) | R(RESET_MSR) | R(EX_PROCESSOR_MASKS),
	};

	if (config->tsc_hz && config->apic_hz) {
		can.privileges |= P(ACCESS_FREQUENCIES);
		can.features |= F(FREQUENCIES);
	}
	if (config->timer_set)
		can.privileges |= P(ACCESS_SYNTHETIC_TIMERS);
	if (config->debug_data) {
		can.privileges |= P(DEBUGGING);
		can.features |= F(GUEST_DEBUGGING);
	}
	if (partition->backend)
		backend_can(partition->backend, &can);
	return can;
}

/* Bits that stand for nothing without others: `bits` are dropped unless all of `needs` is on. */
static const struct {
	struct enlightenments bits, needs;
} dependencies[] = {
	{{.privileges = P(POST_MESSAGES) | P(SIGNAL_EVENTS)}, {.privileges = P(ACCESS_SYNIC)}},
	{{.features = F(SINT_POLLING)}, {.privileges = P(ACCESS_SYNIC)}},
	{{.privileges = P(ACCESS_REFERENCE_TSC)}, {.privileges = P(ACCESS_REFERENCE_COUNTER)}},
	{{.privileges = P(ACCESS_SYNTHETIC_TIMERS)},
		{.privileges = P(ACCESS_SYNIC) | P(ACCESS_REFERENCE_COUNTER)}},
	{{.features = F(DIRECT_SYNTHETIC_TIMERS)}, {.privileges = P(ACCESS_SYNTHETIC_TIMERS)}},
	{{.features = F(XMM_HYPERCALL_OUTPUT), .privileges = P(FAST_HYPERCALL_OUTPUT)},
		{.features = F(XMM_HYPERCALL_INPUT)}},
	{{.recommendations = R(APIC_MSRS)}, {.privileges = P(ACCESS_INTERRUPT_CONTROL)}},
	{{.recommendations = R(RESET_MSR)}, {.privileges = P(ACCESS_RESET)}},
	{{.privileges = P(EXTENDED_GVA_RANGES), .features = F(EXTENDED_GVA_RANGES)},
		{.recommendations = R(REMOTE_FLUSH)}},
};

static bool has(const struct enlightenments *all, const struct enlightenments *needs)
{
	return (all->privileges & needs->privileges) == needs->privileges &&
	       (all->features & needs->features) == needs->features &&
	       (all->recommendations & needs->recommendations) == needs->recommendations;
}

void partition_promises_update(struct partition *partition)
{
	const struct enlightenments can = what_it_can(partition);
	struct enlightenments promises = partition->asked;

	promises.privileges &= can.privileges;
	promises.features &= can.features;
	promises.recommendations &= can.recommendations;
	for (size_t i = 0; i < sizeof dependencies / sizeof dependencies[0]; i++) {
		if (has(&promises, &dependencies[i].needs))
			continue;
		promises.privileges &= ~dependencies[i].bits.privileges;
		promises.features &= ~dependencies[i].bits.features;
		promises.recommendations &= ~dependencies[i].bits.recommendations;
	}
	if (!(promises.recommendations & (R(CLUSTER_IPI) | R(REMOTE_FLUSH))))
		promises.recommendations &= ~R(EX_PROCESSOR_MASKS);
	promises.privileges |= P(ACCESS_HYPERCALL_MSRS) | P(ACCESS_VP_INDEX);
	promises.recommendations |= R(NO_AUTO_EOI);
	if (promises.spin_attempts == 0)
		promises.spin_attempts = HV_SPIN_NEVER_NOTIFY;
	partition->promises = promises;
}

#undef P
#undef F
#undef R

/* ---- leaves -------------------------------------------------------------------------------- */

struct cpuid_row {
	uint32_t leaf;
	uint32_t registers[4]; /* eax, ebx, ecx, edx */
	void (*fill)(const struct partition *partition, uint32_t registers[4]);
};

static void features(const struct partition *partition, uint32_t registers[4])
{
	registers[0] = (uint32_t)partition->promises.privileges;
	registers[1] = (uint32_t)(partition->promises.privileges >> 32);
	registers[3] = partition->promises.features;
}

static void recommendations(const struct partition *partition, uint32_t registers[4])
{
	registers[0] = partition->promises.recommendations;
	registers[1] = partition->promises.spin_attempts;
}

static const struct cpuid_row table[] = {
	{1, {0, 0, HV_CPUID_1_ECX_HYPERVISOR_PRESENT, 0}, NULL},
	{HV_CPUID_VENDOR_AND_MAX,
		{HV_CPUID_NESTED_FEATURES, HV_CPUID_VENDOR_EBX, HV_CPUID_VENDOR_ECX,
			HV_CPUID_VENDOR_EDX},
		NULL},
	{HV_CPUID_INTERFACE, {HV_CPUID_INTERFACE_HV1, 0, 0, 0}, NULL},
	{HV_CPUID_VERSION, {VERSION_BUILD, VERSION_MAJOR << 16 | VERSION_MINOR, 0, 0}, NULL},
	{HV_CPUID_FEATURES, {0, 0, 0, 0}, features},
	{HV_CPUID_RECOMMENDATIONS, {0, 0, 0, 0}, recommendations},
	{HV_CPUID_LIMITS, {LIMIT_VPS, 0, 0, 0}, NULL},
	/* Leaves 6 to 0xa: no hardware assist, no root partition, nothing nested: zeros. */
};

void partition_cpuid(struct partition *partition, uint32_t vp, uint32_t leaf, uint32_t subleaf,
	uint32_t registers[4])
{
	(void)vp; /* every VP answers alike */
	(void)subleaf;
	memset(registers, 0, 4 * sizeof *registers);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (table[i].leaf != leaf)
			continue;
		memcpy(registers, table[i].registers, sizeof table[i].registers);
		if (table[i].fill)
			table[i].fill(partition, registers);
	}
}
