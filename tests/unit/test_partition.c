// SPDX-License-Identifier: Apache-2.0
/*
 * A partition's promises: CPUID against MSRs, registers, overlay pages, clock, reset,
 * crash, ports. Rule ids are those of protocol/hypervisor.md.
 */
#include "tests/unit/partition_rig.h"

#include "host/hypervisor/hypercall.h"
#include "host/limits.h"

#include <errno.h>

static struct rig rig;

static void cpuid(uint32_t leaf, uint32_t registers[4])
{
	partition_cpuid(rig.partition, 0, leaf, 0, registers);
}

/* ---- creation ------------------------------------------------------------------------------ */

static void limits_of_a_partition_hold_at_and_past_the_bound(void)
{
	struct partition *partition = NULL;
	struct partition_config config = {.memory_bytes = LIMIT_MEMORY_BYTES_MIN, .vp_count = 1};

	CU_ASSERT_EQUAL(partition_create(&config, &partition), 0);
	partition_destroy(partition);
	config.vp_count = LIMIT_VPS;
	CU_ASSERT_EQUAL(partition_create(&config, &partition), 0);
	CU_ASSERT_EQUAL(partition_vp_count(partition), LIMIT_VPS);
	partition_destroy(partition);
	config.vp_count = LIMIT_VPS + 1;
	CU_ASSERT_EQUAL(partition_create(&config, &partition), -EINVAL);
	config.vp_count = 0;
	CU_ASSERT_EQUAL(partition_create(&config, &partition), -EINVAL);
	config = (struct partition_config){
		.memory_bytes = LIMIT_MEMORY_BYTES_MIN - 4096, .vp_count = 1};
	CU_ASSERT_EQUAL(partition_create(&config, &partition), -EINVAL);
	config.memory_bytes = LIMIT_MEMORY_BYTES_MAX + 4096;
	CU_ASSERT_EQUAL(partition_create(&config, &partition), -EINVAL);
	config.memory_bytes = LIMIT_MEMORY_BYTES_MIN + 1;
	CU_ASSERT_EQUAL(partition_create(&config, &partition), -EINVAL);
}

static void memory_may_have_a_hole_below_4_gib(void)
{
	struct partition *partition = NULL;
	struct partition_config config = {
		.memory_bytes = LIMIT_MEMORY_BYTES_MIN,
		.memory_low_bytes = LIMIT_MEMORY_BYTES_MIN / 2,
		.vp_count = 1,
	};

	CU_ASSERT_EQUAL_FATAL(partition_create(&config, &partition), 0);
	partition_msr_write(partition, 0, HV_X64_MSR_GUEST_OS_ID, RIG_OS_ID);
	/* Pages of the hypervisor may lie above the hole, and not in it. */
	CU_ASSERT_EQUAL(partition_msr_write(partition, 0, HV_X64_MSR_HYPERCALL, 0x100000001ull),
		PARTITION_FAULT_NONE);
	CU_ASSERT_EQUAL(
		partition_msr_write(partition, 0, HV_X64_MSR_SIMP, 0x80001), PARTITION_FAULT_GP);
	partition_destroy(partition);
	config.memory_low_bytes = 4097;
	CU_ASSERT_EQUAL(partition_create(&config, &partition), -EINVAL);
}

/* ---- CPUID --------------------------------------------------------------------------------- */

static void cpuid_says_hv1_and_at_least_leaf_5(void)
{
	uint32_t r[4];

	rig_open(&rig, 2);
	cpuid(1, r);
	CU_ASSERT_EQUAL(r[2], 0x80000000u); /* hypervisor present, and nothing else */
	cpuid(0x40000000, r);
	CU_ASSERT_TRUE(r[0] >= 0x40000005u);
	CU_ASSERT_EQUAL(memcmp(&r[1], "Microsoft Hv", 12), 0);
	cpuid(0x40000001, r);
	CU_ASSERT_EQUAL(r[0], 0x31237648u);
	CU_ASSERT_EQUAL(r[1] | r[2] | r[3], 0);
	cpuid(0x40000005, r);
	CU_ASSERT_TRUE(r[0] >= 2); /* R-CPUID-029 */
	rig_close(&rig);
}

/* R-CPUID-028. */
static void cpuid_leaves_beyond_the_last_are_zero(void)
{
	static const uint32_t leaves[] = {0, 2, 0x40000006, 0x40000009, 0x4000000b, 0x4000000c,
		0x40000080, 0x40000100, 0xffffffff};
	uint32_t r[4];

	rig_open(&rig, 1);
	for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
		memset(r, 0xff, sizeof r);
		cpuid(leaves[i], r);
		CU_ASSERT_EQUAL(r[0] | r[1] | r[2] | r[3], 0);
	}
	rig_close(&rig);
}

/* R-CPUID-030. */
static void every_vp_sees_the_same_cpuid(void)
{
	uint32_t first[4], last[4];

	rig_open(&rig, LIMIT_VPS);
	for (uint32_t leaf = 0x40000000; leaf <= 0x4000000c; leaf++) {
		partition_cpuid(rig.partition, 0, leaf, 0, first);
		partition_cpuid(rig.partition, LIMIT_VPS - 1, leaf, 1, last);
		CU_ASSERT_EQUAL(memcmp(first, last, sizeof first), 0);
	}
	rig_close(&rig);
}

/* Registers that each bit of leaf 3 EAX (and the crash bit of EDX, as 32 + 10) stands for. */
static const struct {
	unsigned bit;
	uint32_t first, last;
} promises[] = {
	{0, 0x40000010, 0x40000010},
	{1, 0x40000020, 0x40000020},
	{2, 0x40000080, 0x40000084},
	{2, 0x40000090, 0x4000009f},
	{3, 0x400000b0, 0x400000b7},
	{4, 0x40000070, 0x40000073},
	{5, 0x40000000, 0x40000001},
	{6, 0x40000002, 0x40000002},
	{7, 0x40000003, 0x40000003},
	{8, 0x400000e0, 0x400000e3},
	{9, 0x40000021, 0x40000021},
	{10, 0x400000f0, 0x400000f0},
	{11, 0x40000022, 0x40000023},
	{13, 0x40000106, 0x40000108},
	{15, 0x40000118, 0x40000118},
	{32 + 10, 0x40000100, 0x40000105},
	{32 + 11, 0x400000f1, 0x400000f5},
	{32 + 12, 0x40000040, 0x40000040},
	{32 + 23, 0x40000114, 0x40000115},
};

/* R-CPUID-002, R-CPUID-003. */
static void promises_check(void)
{
	uint32_t r[4];
	bool has_row[0x200] = {false};

	cpuid(0x40000003, r);
	for (size_t i = 0; i < sizeof promises / sizeof promises[0]; i++) {
		const unsigned bit = promises[i].bit;
		const bool is_on = (bit < 32 ? r[0] >> bit : r[3] >> (bit - 32)) & 1;
		for (uint32_t msr = promises[i].first; msr <= promises[i].last; msr++) {
			has_row[msr & 0x1ff] = true;
			if (!is_on || msr != HV_X64_MSR_EOI) /* write-only */
				CU_ASSERT_EQUAL(rig_read_faults(&rig, 0, msr), !is_on);
			if (!is_on)
				CU_ASSERT_TRUE(rig_write_faults(&rig, 0, msr, 0));
		}
	}
	/* R-REG-002: all other numbers fault. */
	for (uint32_t msr = 0x40000000; msr <= 0x400001ff; msr++)
		if (!has_row[msr & 0x1ff]) {
			CU_ASSERT_TRUE(rig_read_faults(&rig, 0, msr));
			CU_ASSERT_TRUE(rig_write_faults(&rig, 0, msr, 0));
		}
	CU_ASSERT_TRUE(rig_read_faults(&rig, 0, 0x10));
	CU_ASSERT_TRUE(rig_read_faults(&rig, 0, 0x40001080));
	/* Pairs: frequencies, idle, XMM output. Timers need SynIC and the counter. */
	CU_ASSERT_EQUAL(r[0] >> 11 & 1, r[3] >> 8 & 1);
	CU_ASSERT_EQUAL(r[0] >> 10 & 1, r[3] >> 5 & 1);
	CU_ASSERT_EQUAL(r[1] >> 19 & 1, r[3] >> 15 & 1);
	if (r[0] >> 3 & 1)
		CU_ASSERT_EQUAL(r[0] & 6u, 6u);
}

static void cpuid_promises_what_is_there_and_nothing_else(void)
{
	rig_open(&rig, 1);
	promises_check();
	rig_close(&rig);
}

static void full_backend_is_promised_and_kept(void)
{
	rig_open_full(&rig, 2, &rig_ops_with_tsc, NULL);
	promises_check();
	rig_close(&rig);
}

static void without_known_frequencies_they_are_not_promised(void)
{
	const struct partition_config config = {
		.memory_bytes = RIG_MEMORY, .vp_count = 1, .tsc_hz = 1};

	memset(&rig, 0, sizeof rig);
	CU_ASSERT_EQUAL(partition_create(&config, &rig.partition), 0);
	promises_check();
	CU_ASSERT_TRUE(rig_read_faults(&rig, 0, HV_X64_MSR_TSC_FREQUENCY));
	rig_close(&rig);
}

/* R-CPUID-012. */
static void privileges_that_are_off_deny_their_calls(void)
{
	uint32_t r[4];

	rig_open(&rig, 1);
	rig_hypercalls_on(&rig);
	cpuid(0x40000003, r);
	CU_ASSERT_EQUAL(r[1] & 0xfu, 0); /* create partitions, id, memory pool */
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0040, 0, 0), 6);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0046, 0, 0), 6);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0048, 0, 0), 6);
	CU_ASSERT_EQUAL(r[1] >> 21 & 1, 0);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0099, 0, 0), 6);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x009a, 0, 0), 6);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0xbeef, 0, 0), 2); /* extended, allowed, unknown */
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0000, 0, 0), 2);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0200, 0, 0), 2);
	rig_close(&rig);
}

/* ---- registers ----------------------------------------------------------------------------- */

/* R-REG-007, R-REG-008. */
static void guest_os_id_reads_back_whatever_it_is(void)
{
	rig_open(&rig, 2);
	rig_write(&rig, 0, HV_X64_MSR_GUEST_OS_ID, 0x0000010000000000ull); /* vendor 0 */
	CU_ASSERT_EQUAL(rig_read(&rig, 1, HV_X64_MSR_GUEST_OS_ID), 0x0000010000000000ull);
	rig_write(&rig, 1, HV_X64_MSR_GUEST_OS_ID, UINT64_MAX);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_GUEST_OS_ID), UINT64_MAX);
	/* nor does it matter to what it enables */
	rig_write(&rig, 0, HV_X64_MSR_GUEST_OS_ID, 1);
	rig_write(&rig, 0, HV_X64_MSR_HYPERCALL, RIG_CODE | 1);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_HYPERCALL), RIG_CODE | 1);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0008, RIG_INPUT, 0), 0);
	rig_close(&rig);
}

/* R-REG-009, R-REG-010. */
static void hypercall_page_needs_a_guest_os_id(void)
{
	rig_open(&rig, 1);
	rig_write(&rig, 0, HV_X64_MSR_HYPERCALL, RIG_CODE | 1);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_HYPERCALL), RIG_CODE);
	rig_hypercalls_on(&rig);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_HYPERCALL), RIG_CODE | 1);
	rig_write(&rig, 0, HV_X64_MSR_GUEST_OS_ID, 0);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_HYPERCALL), RIG_CODE);
	rig_close(&rig);
}

/* R-REG-012. */
static void hypercall_page_covers_memory_and_gives_it_back(void)
{
	static const uint8_t code[] = {0xb8, 2, 0, 0, 0, 0x31, 0xd2, 0xc3};
	uint8_t *page;

	rig_open(&rig, 1);
	page = rig_at(&rig, RIG_CODE);
	memset(page, 0x5a, 4096);
	rig_hypercalls_on(&rig);
	CU_ASSERT_EQUAL(memcmp(page, code, sizeof code), 0); /* mov eax, 2; xor edx, edx; ret */
	CU_ASSERT_EQUAL(page[sizeof code], 0xcc);
	CU_ASSERT_EQUAL(page[4095], 0xcc);
	/* Moved: the code goes along. */
	rig_write(&rig, 0, HV_X64_MSR_HYPERCALL, (RIG_CODE + 0x1000) | 1);
	CU_ASSERT_EQUAL(page[0], 0x5a);
	CU_ASSERT_EQUAL(page[4095], 0x5a);
	CU_ASSERT_EQUAL(memcmp(page + 4096, code, sizeof code), 0);
	rig_write(&rig, 0, HV_X64_MSR_GUEST_OS_ID, 0);
	CU_ASSERT_EQUAL(page[4096], 0);
	rig_close(&rig);
}

static void backend_gives_the_hypercall_code(void)
{
	static const uint8_t code[] = {0x0f, 0x01, 0xc1, 0xc3};
	const struct partition_backend_ops ops = {
		.name = "test",
		.interrupt_assert = rig_interrupt,
		.hypercall_code = code,
		.hypercall_code_bytes = sizeof code,
	};

	rig_open(&rig, 1);
	partition_backend_set(rig.partition, &ops, &rig);
	rig_hypercalls_on(&rig);
	CU_ASSERT_EQUAL(memcmp(rig_at(&rig, RIG_CODE), code, sizeof code), 0);
	CU_ASSERT_EQUAL(*((uint8_t *)rig_at(&rig, RIG_CODE) + 4), 0xcc);
	rig_close(&rig);
}

/* R-REG-011. */
static void page_registers_fault_beyond_memory(void)
{
	rig_open(&rig, 1);
	rig_hypercalls_on(&rig);
	rig_synic_on(&rig);
	CU_ASSERT_TRUE(rig_write_faults(&rig, 0, HV_X64_MSR_HYPERCALL, RIG_MEMORY | 1));
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_HYPERCALL), RIG_CODE | 1);
	CU_ASSERT_TRUE(rig_write_faults(&rig, 0, HV_X64_MSR_SIMP, RIG_MEMORY | 1));
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SIMP), RIG_SIMP | 1);
	CU_ASSERT_TRUE(rig_write_faults(&rig, 0, HV_X64_MSR_SIEFP, 0xfffffffffffff001ull));
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SIEFP), RIG_SIEFP | 1);
	/* Disabled, any number will do. */
	rig_write(&rig, 0, HV_X64_MSR_SIMP, 0xfffffffffffff000ull);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SIMP), 0xfffffffffffff000ull);
	/* The TSC page has no fault: it just is not there. */
	rig_write(&rig, 0, HV_X64_MSR_REFERENCE_TSC, RIG_MEMORY | 1);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_REFERENCE_TSC), RIG_MEMORY | 1);
	rig_close(&rig);
}

/* R-REG-013: of two pages at one place the lower is taken away first. */
static void pages_on_top_of_one_another_come_off_in_any_order(void)
{
	rig_open(&rig, 1);
	uint8_t *at = rig_at(&rig, 0x30000);
	memset(at, 0x77, 4096);
	rig_write(&rig, 0, HV_X64_MSR_SIMP, 0x30001);
	memset(at, 0x11, 4096);
	rig_write(&rig, 0, HV_X64_MSR_SIEFP, 0x30001);
	memset(at, 0x22, 4096);
	rig_write(&rig, 0, HV_X64_MSR_SIMP, 0);
	CU_ASSERT_EQUAL(at[0], 0x22);
	rig_write(&rig, 0, HV_X64_MSR_SIMP, 0x31001);
	CU_ASSERT_EQUAL(*(uint8_t *)rig_at(&rig, 0x31000), 0x11);
	rig_write(&rig, 0, HV_X64_MSR_SIEFP, 0);
	CU_ASSERT_EQUAL(at[0], 0x77);
	CU_ASSERT_EQUAL(at[4095], 0x77);
	rig_close(&rig);
}

/* R-CPUID-022. */
static void locked_hypercall_register_stays_until_reset(void)
{
	rig_open(&rig, 1);
	rig_write(&rig, 0, HV_X64_MSR_GUEST_OS_ID, RIG_OS_ID);
	rig_write(&rig, 0, HV_X64_MSR_HYPERCALL, RIG_CODE | 3);
	rig_write(&rig, 0, HV_X64_MSR_HYPERCALL, 0);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_HYPERCALL), RIG_CODE | 3);
	partition_reset(rig.partition);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_HYPERCALL), 0);
	rig_hypercalls_on(&rig);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_HYPERCALL), RIG_CODE | 1);
	rig_close(&rig);
}

/* R-REG-001. */
static void read_only_registers_fault_when_written(void)
{
	static const uint32_t msrs[] = {HV_X64_MSR_VP_INDEX, HV_X64_MSR_TIME_REF_COUNT,
		HV_X64_MSR_TSC_FREQUENCY, HV_X64_MSR_APIC_FREQUENCY, HV_X64_MSR_SVERSION};

	rig_open(&rig, 1);
	for (size_t i = 0; i < sizeof msrs / sizeof msrs[0]; i++)
		CU_ASSERT_TRUE(rig_write_faults(&rig, 0, msrs[i], 0));
	rig_close(&rig);
}

/* R-REG-006, R-TIME-006. */
static void registers_have_their_values(void)
{
	rig_open(&rig, 3);
	CU_ASSERT_EQUAL(rig_read(&rig, 2, HV_X64_MSR_VP_INDEX), 2);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_TSC_FREQUENCY), 2500000000u);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_APIC_FREQUENCY), 1000000000u);
	CU_ASSERT_EQUAL(rig_read(&rig, 1, HV_X64_MSR_SVERSION), 1);
	CU_ASSERT_EQUAL(rig_read(&rig, 1, HV_X64_MSR_SCONTROL), 1); /* R-REG-005 */
	CU_ASSERT_EQUAL(rig_read(&rig, 1, HV_X64_MSR_EOM), 0);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_RESET), 0);
	for (uint32_t sint = 0; sint < 16; sint++)
		CU_ASSERT_EQUAL(rig_read(&rig, 1, HV_X64_MSR_SINT0 + sint), 0x10000);
	CU_ASSERT_TRUE(rig_read_faults(&rig, 3, HV_X64_MSR_VP_INDEX)); /* no such VP */
	CU_ASSERT_TRUE(rig_write_faults(&rig, 3, HV_X64_MSR_EOM, 0));
	rig_close(&rig);
}

static void reserved_bits_are_kept(void)
{
	rig_open(&rig, 1);
	rig_write(&rig, 0, HV_X64_MSR_SIMP, RIG_SIMP | 0xfff);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SIMP), RIG_SIMP | 0xfff);
	rig_write(&rig, 0, HV_X64_MSR_SCONTROL, 0xfedcba9876543210ull);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SCONTROL), 0xfedcba9876543210ull);
	rig_write(&rig, 0, HV_X64_MSR_SINT0 + 15, 0xffffffffffffffffull);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SINT15), 0xffffffffffffffffull);
	rig_close(&rig);
}

/* R-REG-004. */
static void sint_vectors_below_16_fault_unless_masked(void)
{
	rig_open(&rig, 1);
	CU_ASSERT_TRUE(rig_write_faults(&rig, 0, HV_X64_MSR_SINT0, 15));
	CU_ASSERT_TRUE(rig_write_faults(&rig, 0, HV_X64_MSR_SINT0, 0));
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SINT0), 0x10000);
	rig_write(&rig, 0, HV_X64_MSR_SINT0, 16);
	rig_write(&rig, 0, HV_X64_MSR_SINT0, 0x10000);
	rig_write(&rig, 0, HV_X64_MSR_SINT0, 0x1000f);
	rig_close(&rig);
}

/* ---- time ---------------------------------------------------------------------------------- */

static void reference_time_counts_100_ns_from_creation(void)
{
	rig_open(&rig, 2);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_TIME_REF_COUNT), 0);
	rig.now_ns += 1000000000;
	CU_ASSERT_EQUAL(rig_read(&rig, 1, HV_X64_MSR_TIME_REF_COUNT), 10000000);
	CU_ASSERT_EQUAL(partition_time_100ns(rig.partition), 10000000);
	partition_reset(rig.partition); /* R-REG-020: reference time goes on */
	rig.now_ns += 150;
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_TIME_REF_COUNT), 10000001);
	rig_close(&rig);
}

static void reference_tsc_page_says_use_the_register(void)
{
	uint8_t zeros[4096] = {0};
	uint8_t *page;

	rig_open(&rig, 1);
	page = rig_at(&rig, 0x30000);
	memset(page, 0xee, 4096);
	rig_write(&rig, 0, HV_X64_MSR_REFERENCE_TSC, 0x30001);
	CU_ASSERT_EQUAL(memcmp(page, zeros, 4096), 0); /* sequence 0 */
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_REFERENCE_TSC), 0x30001);
	rig_write(&rig, 0, HV_X64_MSR_REFERENCE_TSC, RIG_MEMORY | 1); /* to what is no memory */
	CU_ASSERT_EQUAL(page[0], 0xee);
	rig_write(&rig, 0, HV_X64_MSR_REFERENCE_TSC, 0x30001);
	CU_ASSERT_EQUAL(page[0], 0);
	rig_write(&rig, 0, HV_X64_MSR_REFERENCE_TSC, 0);
	CU_ASSERT_EQUAL(page[0], 0xee);
	rig_close(&rig);
}

/* ---- reset and crash ----------------------------------------------------------------------- */

static unsigned resets_seen[2];

static void on_reset(void *ctx)
{
	unsigned *seen = ctx;

	/* Called last: the registers are reset already. */
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_GUEST_OS_ID), 0);
	(*seen)++;
}

/* R-REG-019. */
static void reset_register_resets_on_1_alone(void)
{
	rig_open(&rig, 1);
	memset(resets_seen, 0, sizeof resets_seen);
	CU_ASSERT_EQUAL(partition_reset_observer_add(rig.partition, on_reset, &resets_seen[0]), 0);
	CU_ASSERT_EQUAL(partition_reset_observer_add(rig.partition, on_reset, &resets_seen[1]), 0);
	rig_hypercalls_on(&rig);
	rig_write(&rig, 0, HV_X64_MSR_RESET, 0);
	rig_write(&rig, 0, HV_X64_MSR_RESET, 2);
	CU_ASSERT_EQUAL(resets_seen[0], 0);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_GUEST_OS_ID), RIG_OS_ID);
	rig_write(&rig, 0, HV_X64_MSR_RESET, 1);
	CU_ASSERT_EQUAL(resets_seen[0], 1);
	CU_ASSERT_EQUAL(resets_seen[1], 1);
	partition_reset_observer_remove(rig.partition, on_reset, &resets_seen[0]);
	partition_reset(rig.partition);
	CU_ASSERT_EQUAL(resets_seen[0], 1);
	CU_ASSERT_EQUAL(resets_seen[1], 2);
	rig_close(&rig);
}

/* R-REG-020. */
static void reset_restores_registers_and_uncovers_memory(void)
{
	rig_open(&rig, 1);
	memset(rig_at(&rig, RIG_SIMP), 0x11, 4096);
	memset(rig_at(&rig, RIG_SIEFP), 0x22, 4096);
	memset(rig_at(&rig, RIG_CODE), 0x33, 4096);
	rig_hypercalls_on(&rig);
	rig_synic_on(&rig);
	rig_write(&rig, 0, HV_X64_MSR_SCONTROL, 0);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P0, 7);
	*((uint8_t *)rig_at(&rig, RIG_SIMP)) = 0x99; /* in the message page, not beneath it */
	partition_reset(rig.partition);

	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_GUEST_OS_ID), 0);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_HYPERCALL), 0);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SIMP), 0);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SIEFP), 0);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SCONTROL), 1);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SINT0 + 2), 0x10000);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_CRASH_P0), 0);
	CU_ASSERT_EQUAL(*((uint8_t *)rig_at(&rig, RIG_SIMP)), 0x11);
	CU_ASSERT_EQUAL(*((uint8_t *)rig_at(&rig, RIG_SIEFP) + 4095), 0x22);
	CU_ASSERT_EQUAL(*((uint8_t *)rig_at(&rig, RIG_CODE)), 0x33);
	/* R-REG-014: the pages are zero after reset. */
	rig_synic_on(&rig);
	CU_ASSERT_EQUAL(*((uint8_t *)rig_at(&rig, RIG_SIMP)), 0);
	rig_close(&rig);
}

static void reset_observers_are_limited(void)
{
	unsigned seen = 0;

	rig_open(&rig, 1);
	for (unsigned i = 0; i < LIMIT_RESET_OBSERVERS; i++)
		CU_ASSERT_EQUAL(partition_reset_observer_add(rig.partition, on_reset, &seen), 0);
	CU_ASSERT_EQUAL(partition_reset_observer_add(rig.partition, on_reset, &seen), -ENOSPC);
	rig_close(&rig);
}

struct crash_seen {
	unsigned count;
	struct partition_crash crash;
	char message[4097];
};

static void on_crash(void *ctx, const struct partition_crash *crash)
{
	struct crash_seen *seen = ctx;

	seen->count++;
	seen->crash = *crash;
	if (crash->message)
		memcpy(seen->message, crash->message, crash->message_bytes);
}

/* R-CPUID-008, R-REG-017, R-REG-018. */
static void crash_is_reported_with_its_message(void)
{
	struct crash_seen seen = {0};

	rig_open(&rig, 1);
	partition_crash_observer_set(rig.partition, on_crash, &seen);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_CRASH_CTL), 0xc000000000000000ull);
	memcpy(rig_at(&rig, 0x40000), "panic", 5);
	for (uint32_t i = 0; i < 3; i++)
		rig_write(&rig, 0, HV_X64_MSR_CRASH_P0 + i, 0x100 + i);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P0 + 3, 0x40000);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P4, 5);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_CRASH_P0 + 2), 0x102);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_CTL, 0); /* no notify: nothing happens */
	rig_write(&rig, 0, HV_X64_MSR_CRASH_CTL, 0x7fffffffffffffffull);
	CU_ASSERT_EQUAL(seen.count, 0);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_CTL, 0xc000000000000000ull);
	CU_ASSERT_EQUAL(seen.count, 1);
	CU_ASSERT_EQUAL(seen.crash.parameters[1], 0x101);
	CU_ASSERT_EQUAL(seen.crash.message_bytes, 5);
	CU_ASSERT_STRING_EQUAL(seen.message, "panic");
	/* Without the message bit P3 and P4 are just numbers. */
	rig_write(&rig, 0, HV_X64_MSR_CRASH_CTL, 0x8000000000000000ull);
	CU_ASSERT_EQUAL(seen.count, 2);
	CU_ASSERT_PTR_NULL(seen.crash.message);
	rig_close(&rig);
}

/* R-REG-018. */
static void crash_message_is_bounded_by_a_page_and_memory(void)
{
	struct crash_seen seen = {0};

	rig_open(&rig, 1);
	partition_crash_observer_set(rig.partition, on_crash, &seen);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P0 + 3, RIG_MEMORY - 4096);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P4, 4096);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_CTL, 0xc000000000000000ull);
	CU_ASSERT_EQUAL(seen.crash.message_bytes, 4096);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P0 + 3, 0);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P4, 4097);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_CTL, 0xc000000000000000ull);
	CU_ASSERT_PTR_NULL(seen.crash.message);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P0 + 3, RIG_MEMORY - 1);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_P4, 2);
	rig_write(&rig, 0, HV_X64_MSR_CRASH_CTL, 0xc000000000000000ull);
	CU_ASSERT_EQUAL(seen.count, 3);
	CU_ASSERT_PTR_NULL(seen.crash.message);
	rig_close(&rig);
}

/* ---- ports --------------------------------------------------------------------------------- */

static unsigned events_seen;

static void on_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	(void)ctx;
	(void)connection_id;
	(void)flag;
	events_seen++;
}

static uint16_t on_message(
	void *ctx, uint32_t connection_id, uint32_t type, const uint8_t *payload, size_t bytes)
{
	(void)ctx;
	(void)connection_id;
	(void)type;
	(void)payload;
	(void)bytes;
	return HV_STATUS_SUCCESS;
}

static void ports_are_found_by_their_ids(void)
{
	rig_open(&rig, 1);
	events_seen = 0;
	CU_ASSERT_EQUAL(partition_event_port_add(rig.partition, 0x2001, 1, on_event, NULL), 0);
	CU_ASSERT_EQUAL(
		partition_event_port_add(rig.partition, 0x2001, 1, on_event, NULL), -EEXIST);
	CU_ASSERT_EQUAL(partition_event_port_add(rig.partition, 0xffffff, 4, on_event, NULL), 0);
	CU_ASSERT_EQUAL(
		partition_event_port_add(rig.partition, 0x1000000, 1, on_event, NULL), -EINVAL);
	CU_ASSERT_EQUAL(partition_message_port_add(rig.partition, 1, on_message, NULL), 0);
	CU_ASSERT_EQUAL(partition_message_port_add(rig.partition, 1, on_message, NULL), -EEXIST);

	CU_ASSERT_EQUAL(partition_signal(rig.partition, 0x2001, 0), 0);
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 0x2001, 1), 5); /* flag ≥ count */
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 0xffffff, 3), 0);
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 0x2002, 0), 0x12);
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 0xffffffff, 0), 0x12);
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 1, 0), 0x11); /* a message port */
	CU_ASSERT_EQUAL(events_seen, 2);

	partition_event_port_remove(rig.partition, 0x2001);
	partition_event_port_remove(rig.partition, 0x2001);
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 0x2001, 0), 0x12);
	partition_reset(rig.partition); /* ports stay */
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 0xffffff, 0), 0);
	rig_close(&rig);
}

static void ports_are_limited_and_survive_churn(void)
{
	rig_open(&rig, 1);
	events_seen = 0;
	for (uint32_t i = 0; i < LIMIT_PORTS; i++)
		CU_ASSERT_EQUAL_FATAL(
			partition_event_port_add(rig.partition, i * 7, 1, on_event, NULL), 0);
	CU_ASSERT_EQUAL(partition_event_port_add(rig.partition, 1, 1, on_event, NULL), -ENOSPC);
	for (uint32_t i = 0; i < LIMIT_PORTS; i += 2)
		partition_event_port_remove(rig.partition, i * 7);
	unsigned wrong = 0;
	for (uint32_t i = 0; i < LIMIT_PORTS; i++)
		wrong += partition_signal(rig.partition, i * 7, 0) != (i % 2 ? 0 : 0x12);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(events_seen, LIMIT_PORTS / 2);
	CU_ASSERT_EQUAL(partition_event_port_add(rig.partition, 1, 1, on_event, NULL), 0);
	rig_close(&rig);
}

/* Against a plain array: ids come and go at random, crowded enough to collide. */
static void ports_are_where_they_should_be_after_any_history(void)
{
	static bool is_there[4096];
	uint32_t random = 1;
	unsigned wrong = 0;

	rig_open(&rig, 1);
	memset(is_there, 0, sizeof is_there);
	for (unsigned step = 0; step < 20000; step++) {
		random = random * 1664525u + 1013904223u;
		const uint32_t id = random >> 20;
		if (is_there[id])
			partition_event_port_remove(rig.partition, id);
		else
			wrong += partition_event_port_add(rig.partition, id, 1, on_event, NULL) !=
				 0;
		is_there[id] = !is_there[id];
		if (step % 500 == 0)
			for (uint32_t i = 0; i < 4096; i++)
				wrong += partition_signal(rig.partition, i, 0) !=
					 (is_there[i] ? 0 : 0x12);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	rig_close(&rig);
}

static void on_event_remove(void *ctx, uint32_t connection_id, uint16_t flag)
{
	(void)flag;
	partition_event_port_remove(ctx, connection_id);
	events_seen++;
}

static void port_may_remove_itself(void)
{
	rig_open(&rig, 1);
	events_seen = 0;
	partition_event_port_add(rig.partition, 9, 1, on_event_remove, rig.partition);
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 9, 0), 0);
	CU_ASSERT_EQUAL(partition_signal(rig.partition, 9, 0), 0x12);
	CU_ASSERT_EQUAL(events_seen, 1);
	rig_close(&rig);
}

static const struct test tests[] = {
	TEST(limits_of_a_partition_hold_at_and_past_the_bound),
	TEST(memory_may_have_a_hole_below_4_gib),
	TEST(cpuid_says_hv1_and_at_least_leaf_5),
	TEST(cpuid_leaves_beyond_the_last_are_zero),
	TEST(every_vp_sees_the_same_cpuid),
	TEST(cpuid_promises_what_is_there_and_nothing_else),
	TEST(full_backend_is_promised_and_kept),
	TEST(without_known_frequencies_they_are_not_promised),
	TEST(privileges_that_are_off_deny_their_calls),
	TEST(guest_os_id_reads_back_whatever_it_is),
	TEST(hypercall_page_needs_a_guest_os_id),
	TEST(hypercall_page_covers_memory_and_gives_it_back),
	TEST(backend_gives_the_hypercall_code),
	TEST(page_registers_fault_beyond_memory),
	TEST(pages_on_top_of_one_another_come_off_in_any_order),
	TEST(locked_hypercall_register_stays_until_reset),
	TEST(read_only_registers_fault_when_written),
	TEST(registers_have_their_values),
	TEST(reserved_bits_are_kept),
	TEST(sint_vectors_below_16_fault_unless_masked),
	TEST(reference_time_counts_100_ns_from_creation),
	TEST(reference_tsc_page_says_use_the_register),
	TEST(reset_register_resets_on_1_alone),
	TEST(reset_restores_registers_and_uncovers_memory),
	TEST(reset_observers_are_limited),
	TEST(crash_is_reported_with_its_message),
	TEST(crash_message_is_bounded_by_a_page_and_memory),
	TEST(ports_are_found_by_their_ids),
	TEST(ports_are_limited_and_survive_churn),
	TEST(ports_are_where_they_should_be_after_any_history),
	TEST(port_may_remove_itself),
};

TEST_MAIN("partition", tests)
