// SPDX-License-Identifier: Apache-2.0
/*
 * CPUID leaves of the hypervisor. What is promised here is implemented in
 * msr_x86.c, hypercall.c and synic.c, and nothing else is promised.
 */
#include "host/hypervisor/partition_internal.h"

#include <string.h>

/* Reported as Windows Server 2016 does: the interface level that is implemented. */
#define VERSION_BUILD 14393u
#define VERSION_MAJOR 10u
#define VERSION_MINOR 0u

/* Attempts on a lock before HvCallNotifyLongSpinWait, as Hyper-V reports. */
#define SPIN_ATTEMPTS 0xfffu

struct cpuid_row {
	uint32_t leaf;
	uint32_t registers[4]; /* eax, ebx, ecx, edx */
	void (*fill)(const struct partition *partition, uint32_t registers[4]);
};

static void features(const struct partition *partition, uint32_t registers[4])
{
	registers[0] = (uint32_t)partition->privileges;
	registers[1] = (uint32_t)(partition->privileges >> 32);
	registers[3] = partition->features;
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
	/* No watchdogs on a host that is itself scheduled; AutoEOI needs help from the APIC. */
	{HV_CPUID_RECOMMENDATIONS,
		{HV_RECOMMEND_RELAXED_TIMING | HV_RECOMMEND_NO_AUTO_EOI, SPIN_ATTEMPTS, 0, 0},
		NULL},
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
