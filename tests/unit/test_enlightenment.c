// SPDX-License-Identifier: Apache-2.0
/*
 * Enlightenments by name, and what becomes of them in CPUID: nothing that is not asked for,
 * nothing that cannot be kept, and the bits that belong together together. Rule ids are those
 * of protocol/hypervisor.md; bits are written out as numbers.
 */
#include "tests/unit/partition_rig.h"

#include "host/hypervisor/enlightenment.h"

#include <errno.h>

static struct rig rig;

static struct enlightenments parse(const char *text)
{
	struct enlightenments out;
	const char *unknown = NULL;
	size_t bytes = 0;

	CU_ASSERT_EQUAL(enlightenments_parse(text, &out, &unknown, &bytes), 0);
	return out;
}

static bool refuses(const char *text, const char *word)
{
	struct enlightenments out;
	const char *unknown = NULL;
	size_t bytes = 0;
	const int error = enlightenments_parse(text, &out, &unknown, &bytes);

	return error == -EINVAL && unknown && bytes == strlen(word) &&
	       memcmp(unknown, word, bytes) == 0;
}

/* ---- words --------------------------------------------------------------------------------- */

static void names_give_their_bits(void)
{
	CU_ASSERT_EQUAL(parse("stimer").privileges, 0x8);
	CU_ASSERT_EQUAL(parse("stimer").features, 0);
	CU_ASSERT_EQUAL(parse("stimer").spin_attempts, 0xffffffff);
	CU_ASSERT_EQUAL(parse("stimer-direct").features, 0x80000);
	CU_ASSERT_EQUAL(parse("frequencies").privileges, 0x800);
	CU_ASSERT_EQUAL(parse("frequencies").features, 0x100);
	CU_ASSERT_EQUAL(parse("synic,stimer,reference-tsc").privileges, 0x300000000cull | 0x200);
	CU_ASSERT_EQUAL(parse("tlb-flush").recommendations, 0x4);
	CU_ASSERT_EQUAL(parse("cluster-ipi,ex-masks").recommendations, 0xc00);
	CU_ASSERT_EQUAL(parse("spin-wait").spin_attempts, 0xfff);
}

static void minus_takes_away_what_stands_before(void)
{
	const struct enlightenments all = parse("all");
	const struct enlightenments less = parse("all,-stimer-direct,-spin-wait");

	CU_ASSERT_EQUAL(less.features, all.features & ~0x80000u);
	CU_ASSERT_EQUAL(less.privileges, all.privileges);
	CU_ASSERT_EQUAL(less.spin_attempts, 0xffffffff);
	CU_ASSERT_EQUAL(parse("-stimer,stimer").privileges, 0x8);
	CU_ASSERT_EQUAL(parse("stimer,-stimer").privileges, 0);
	CU_ASSERT_EQUAL(parse("fast,stimer,-fast").privileges, 0x8);
}

static void unknown_words_are_named(void)
{
	CU_ASSERT_TRUE(refuses("synic,stimers", "stimers"));
	CU_ASSERT_TRUE(refuses("Synic", "Synic"));
	CU_ASSERT_TRUE(refuses("all,-nothing,stimer", "-nothing"));
	CU_ASSERT_TRUE(refuses("", ""));
	CU_ASSERT_TRUE(refuses("all,", ""));
	CU_ASSERT_TRUE(refuses(",all", ""));
	CU_ASSERT_TRUE(refuses("-", "-"));
	CU_ASSERT_TRUE(refuses("--stimer", "--stimer"));
	CU_ASSERT_TRUE(refuses("stime", "stime"));
}

static void table_is_sorted_and_each_row_stands_for_something(void)
{
	const char *before = "";
	const char *what;
	struct enlightenments all = parse("all");
	struct enlightenments sum = {0};
	size_t rows = 0;

	for (const char *name; (name = enlightenment_name(rows, &what)) != NULL; rows++) {
		CU_ASSERT_TRUE(strcmp(before, name) < 0);
		CU_ASSERT_TRUE(strlen(what) > 0);
		const struct enlightenments one = parse(name);
		CU_ASSERT_TRUE((one.privileges | one.features | one.recommendations) != 0 ||
			       one.spin_attempts != 0xffffffff);
		sum.privileges |= one.privileges;
		sum.features |= one.features;
		sum.recommendations |= one.recommendations;
		before = name;
	}
	CU_ASSERT_EQUAL(sum.privileges, all.privileges);
	CU_ASSERT_EQUAL(sum.features, all.features);
	CU_ASSERT_EQUAL(sum.recommendations, all.recommendations);
	CU_ASSERT_TRUE(rows >= 20);
}

/* ---- in CPUID ------------------------------------------------------------------------------ */

static void leaves(const char *asked, const struct partition_backend_ops *ops, uint32_t features[4],
	uint32_t recommendations[4])
{
	const struct enlightenments bits = parse(asked);

	rig_open_full(&rig, 2, ops, &bits);
	partition_cpuid(rig.partition, 1, 0x40000003, 0, features);
	partition_cpuid(rig.partition, 1, 0x40000004, 0, recommendations);
	rig_close(&rig);
}

static void all_of_a_full_backend(void)
{
	uint32_t f[4], r[4];

	leaves("all", &rig_ops_with_tsc, f, r);
	CU_ASSERT_EQUAL(f[0], 0x00000eff);
	CU_ASSERT_EQUAL(f[1], 0x001a8830); /* 52, 51, 49, 47, 43, 37, 36 */
	CU_ASSERT_EQUAL(f[2], 0);
	CU_ASSERT_EQUAL(f[3], 0x000ec532);
	CU_ASSERT_EQUAL(r[0], 0x00000e3c);
	CU_ASSERT_EQUAL(r[1], 0xfff);
}

static void fast_is_what_linux_needs_without_what_costs_exits(void)
{
	uint32_t f[4], r[4];

	leaves("fast", &rig_ops_with_tsc, f, r);
	/* Counter, SynIC, APIC registers, hypercalls, VP index, reset, TSC page, frequencies. */
	CU_ASSERT_EQUAL(f[0], 0x00000af6);
	CU_ASSERT_EQUAL(f[1] & 0x30, 0x30);
	CU_ASSERT_EQUAL(f[3] & 0x100, 0x100);
	CU_ASSERT_EQUAL(f[3] & 0x80000, 0); /* no direct timers */
	CU_ASSERT_EQUAL(r[0], 0x00000220);  /* relaxed timing, no AutoEOI */
	CU_ASSERT_EQUAL(r[1], 0xffffffff);
}

static void what_the_backend_lacks_is_dropped(void)
{
	uint32_t f[4], r[4];

	leaves("all", &rig_ops_without_xmm, f, r);
	CU_ASSERT_EQUAL(f[0], 0x00000aee); /* no run time, APIC, idle */
	CU_ASSERT_EQUAL(f[1], 0x00120830); /* no XMM output, no extended ranges */
	CU_ASSERT_EQUAL(f[3], 0x00060502); /* no XMM, idle, extended ranges, direct timers */
	CU_ASSERT_EQUAL(r[0], 0x00000230);
}

static void what_comes_with_the_signature_need_not_be_asked_for(void)
{
	uint32_t f[4], r[4];

	leaves("all,-all", &rig_ops_full, f, r);
	CU_ASSERT_EQUAL(f[0], 0x60); /* R-CPUID-001: hypercall MSRs, VP index */
	CU_ASSERT_EQUAL(f[1], 0);
	CU_ASSERT_EQUAL(f[3], 0);
	CU_ASSERT_EQUAL(r[0], 0x200); /* R-CPUID-031 */
	CU_ASSERT_EQUAL(r[1], 0xffffffff);
}

static void bits_without_what_they_need_are_dropped(void)
{
	uint32_t f[4], r[4];

	leaves("all,-synic", &rig_ops_full, f, r);
	CU_ASSERT_EQUAL(f[0] & 0xc, 0);	 /* R-CPUID-004: no timers without SynIC */
	CU_ASSERT_EQUAL(f[1] & 0x30, 0); /* R-CPUID-033 */
	CU_ASSERT_EQUAL(f[3] & (1u << 17 | 1u << 19), 0);
	leaves("all,-time-ref-count", &rig_ops_full, f, r);
	CU_ASSERT_EQUAL(f[0] & 0x20a, 0);
	CU_ASSERT_EQUAL(f[3] & 1u << 19, 0); /* R-CPUID-005 */
	leaves("all,-apic", &rig_ops_full, f, r);
	CU_ASSERT_EQUAL(r[0] & 1u << 3, 0); /* R-CPUID-015 */
	leaves("all,-reset", &rig_ops_full, f, r);
	CU_ASSERT_EQUAL(r[0] & 1u << 4, 0); /* R-CPUID-016 */
	leaves("all,-xmm-input", &rig_ops_full, f, r);
	CU_ASSERT_EQUAL(f[3] & 1u << 15, 0);
	CU_ASSERT_EQUAL(f[1] & 1u << 19, 0);
	leaves("ex-masks", &rig_ops_full, f, r);
	CU_ASSERT_EQUAL(r[0], 0x200); /* R-CPUID-034 */
	leaves("all,-tlb-flush", &rig_ops_full, f, r);
	CU_ASSERT_EQUAL(f[3] & 1u << 14, 0);
	CU_ASSERT_EQUAL(f[1] & 1u << 15, 0);
}

/* Each subset by one name less: pairs agree, and what is off faults or is denied. */
static void pairs_agree_whatever_is_left_out(void)
{
	const char *what;
	char text[64];
	uint32_t f[4], r[4];

	for (size_t i = 0; enlightenment_name(i, &what) != NULL; i++) {
		snprintf(text, sizeof text, "all,-%s", enlightenment_name(i, &what));
		leaves(text, &rig_ops_with_tsc, f, r);
		CU_ASSERT_EQUAL(f[0] >> 11 & 1, f[3] >> 8 & 1);	 /* R-CPUID-007 */
		CU_ASSERT_EQUAL(f[0] >> 10 & 1, f[3] >> 5 & 1);	 /* R-CPUID-009 */
		CU_ASSERT_EQUAL(f[1] >> 19 & 1, f[3] >> 15 & 1); /* R-CPUID-019 */
		CU_ASSERT_EQUAL(f[1] >> 15 & 1, f[3] >> 14 & 1);
		CU_ASSERT_TRUE(!(f[0] & 8) || (f[0] & 6) == 6);
		CU_ASSERT_TRUE(!(f[3] & 1u << 19) || (f[0] & 8));
		CU_ASSERT_TRUE(!(r[0] & 8) || (f[0] & 0x10));
	}
}

static void calls_that_are_not_recommended_are_denied(void)
{
	struct enlightenments bits = parse("fast");

	rig_open_full(&rig, 2, &rig_ops_full, &bits);
	rig_hypercalls_on(&rig);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0002, RIG_INPUT, 0), 6); /* R-CPUID-032 */
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0003 | 1ull << 32, RIG_INPUT, 0), 6);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0008, RIG_INPUT, 0), 6); /* R-CPUID-017 */
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x000b, RIG_INPUT, 0), 6);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0013, RIG_INPUT, 0), 6);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0014 | 1ull << 32, RIG_INPUT, 0), 6);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0015, RIG_INPUT, 0), 6);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0050 | 1ull << 32, RIG_INPUT, 0), 6);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x8001, 0, RIG_OUTPUT), 6);
	rig_close(&rig);
	bits = parse("tlb-flush,cluster-ipi"); /* without ex-masks */
	rig_open_full(&rig, 2, &rig_ops_full, &bits);
	rig_hypercalls_on(&rig);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0002, RIG_INPUT, 0), 0);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0013, RIG_INPUT, 0), 6);
	CU_ASSERT_EQUAL(rig_hypercall(&rig, 0x0015, RIG_INPUT, 0), 6);
	rig_close(&rig);
}

/* R-CPUID-003 */
static void registers_that_are_not_offered_fault(void)
{
	struct enlightenments bits = parse("all,-crash");
	uint64_t value;

	rig_open_full(&rig, 1, &rig_ops_with_tsc, &bits);
	CU_ASSERT_EQUAL(partition_msr_read(rig.partition, 0, HV_X64_MSR_CRASH_P0, &value),
		PARTITION_FAULT_GP);
	CU_ASSERT_EQUAL(partition_msr_write(rig.partition, 0, HV_X64_MSR_CRASH_CTL, 1ull << 63),
		PARTITION_FAULT_GP);
	rig_close(&rig);
	bits = parse("all");
	rig_open_full(&rig, 1, &rig_ops_with_tsc, &bits);
	CU_ASSERT_EQUAL(partition_msr_read(rig.partition, 0, HV_X64_MSR_CRASH_P0, &value),
		PARTITION_FAULT_NONE);
	rig_close(&rig);
}

static const struct test tests[] = {
	TEST(registers_that_are_not_offered_fault),
	TEST(names_give_their_bits),
	TEST(minus_takes_away_what_stands_before),
	TEST(unknown_words_are_named),
	TEST(table_is_sorted_and_each_row_stands_for_something),
	TEST(all_of_a_full_backend),
	TEST(fast_is_what_linux_needs_without_what_costs_exits),
	TEST(what_the_backend_lacks_is_dropped),
	TEST(what_comes_with_the_signature_need_not_be_asked_for),
	TEST(bits_without_what_they_need_are_dropped),
	TEST(pairs_agree_whatever_is_left_out),
	TEST(calls_that_are_not_recommended_are_denied),
};

TEST_MAIN("enlightenment", tests)
