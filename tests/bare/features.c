// SPDX-License-Identifier: Apache-2.0
/*
 * What CPUID promises of MSRs, and whether it is kept: each bit joined to its registers, in
 * both directions (promised: they work; not promised: #GP). Then the leaves themselves,
 * values after reset, read-only registers, and reserved bits. Hypercalls: privileges.c.
 */
#include "tests/bare/bare_test.h"

#define P(name)	      HV_PRIVILEGE_##name
#define F(name)	      HV_FEATURE_##name
#define MAX_LEAF_BASE 0x40000000u
#define SELF_VECTOR   0xb8u

/* How a register may be touched: R it reads, W it can be written. */
#define R     1u
#define W     2u
#define SAFE0 4u  /* write 0, not what was read */
#define RAW   8u  /* reading is not specified, or blocks: do not read */
#define QUIET 16u /* do not write: it would do something */

struct msr_row {
	uint32_t first, count;
	uint64_t privilege;
	uint32_t feature;
	uint32_t access;
	const char *name;
};

static const struct msr_row rows[] = {
	{HV_X64_MSR_GUEST_OS_ID, 2, P(ACCESS_HYPERCALL_MSRS), 0, R | W, "GUEST_OS_ID, HYPERCALL"},
	{HV_X64_MSR_VP_INDEX, 1, P(ACCESS_VP_INDEX), 0, R, "VP_INDEX"},
	{HV_X64_MSR_RESET, 1, P(ACCESS_RESET), 0, R | W | SAFE0, "RESET"},
	{HV_X64_MSR_VP_RUNTIME, 1, P(ACCESS_VP_RUNTIME), 0, R, "VP_RUNTIME"},
	{HV_X64_MSR_TIME_REF_COUNT, 1, P(ACCESS_REFERENCE_COUNTER), 0, R, "TIME_REF_COUNT"},
	{HV_X64_MSR_REFERENCE_TSC, 1, P(ACCESS_REFERENCE_TSC), 0, R | W, "REFERENCE_TSC"},
	{HV_X64_MSR_TSC_FREQUENCY, 2, P(ACCESS_FREQUENCIES), F(FREQUENCIES), R,
		"TSC_FREQUENCY, APIC_FREQUENCY"},
	{HV_X64_MSR_NPIEP_CONFIG, 1, 0, F(NPIEP), R | W, "NPIEP_CONFIG"},
	{HV_X64_MSR_EOI, 1, P(ACCESS_INTERRUPT_CONTROL), 0, W | RAW | SAFE0, "EOI"},
	{HV_X64_MSR_ICR, 1, P(ACCESS_INTERRUPT_CONTROL), 0, R | QUIET, "ICR"},
	{HV_X64_MSR_TPR, 2, P(ACCESS_INTERRUPT_CONTROL), 0, R | W, "TPR, VP_ASSIST_PAGE"},
	{HV_X64_MSR_SCONTROL, 1, P(ACCESS_SYNIC), 0, R | W, "SCONTROL"},
	{HV_X64_MSR_SVERSION, 1, P(ACCESS_SYNIC), 0, R, "SVERSION"},
	{HV_X64_MSR_SIEFP, 2, P(ACCESS_SYNIC), 0, R | W, "SIEFP, SIMP"},
	{HV_X64_MSR_EOM, 1, P(ACCESS_SYNIC), 0, R | W | SAFE0, "EOM"},
	{HV_X64_MSR_SINT0, HV_SINT_COUNT, P(ACCESS_SYNIC), 0, R | W, "SINT0..15"},
	{HV_X64_MSR_STIMER0_CONFIG, 2 * HV_STIMER_COUNT, P(ACCESS_SYNTHETIC_TIMERS), 0, R | W,
		"STIMER0..3 CONFIG, COUNT"},
	{HV_X64_MSR_STATS_PARTITION_RETAIL, 4, P(ACCESS_STATS_REG), 0, R | W, "STATS"},
	{HV_X64_MSR_GUEST_IDLE, 1, P(ACCESS_GUEST_IDLE), F(GUEST_IDLE), R | RAW, "GUEST_IDLE"},
	{HV_X64_MSR_SYNDBG_CONTROL, 5, 0, F(DEBUG_MSRS), R | QUIET, "SYNDBG"},
	{HV_X64_MSR_CRASH_P0, 5, 0, F(GUEST_CRASH_MSRS), R | W, "CRASH_P0..4"},
	{HV_X64_MSR_CRASH_CTL, 1, 0, F(GUEST_CRASH_MSRS), R | W | SAFE0, "CRASH_CTL"},
	{HV_X64_MSR_REENLIGHTENMENT_CONTROL, 3, P(ACCESS_REENLIGHTENMENT), 0, R | W | SAFE0,
		"REENLIGHTENMENT, TSC_EMULATION"},
	{0x40000110, 3, 0, F(WATCHDOG_TIMER), R | W, "watchdog"},
	{HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG, 2, P(ACCESS_SYNTHETIC_TIMERS),
		F(SYNTHETIC_TIME_UNHALTED), R | W, "STIME_UNHALTED_TIMER"},
	{HV_X64_MSR_TSC_INVARIANT_CONTROL, 1, P(ACCESS_TSC_INVARIANT), 0, R | W,
		"TSC_INVARIANT_CONTROL"},
};
#define ROWS (sizeof rows / sizeof rows[0])

static bool is_promised(const struct msr_row *row)
{
	return test_has(row->privilege) && test_has_feature(row->feature);
}

/* ---- CPUID ----------------------------------------------------------------------------------- */

static uint32_t max_leaf(void)
{
	uint32_t leaf[4];

	bare_cpuid(HV_CPUID_VENDOR_AND_MAX, 0, leaf);
	return leaf[0];
}

struct leaves {
	uint32_t leaf[11][4];
	uint64_t index;
};

static void leaves_read(void *ctx)
{
	struct leaves *leaves = ctx;

	for (uint32_t i = 0; i < 11; i++)
		bare_cpuid(MAX_LEAF_BASE + i, 0, leaves->leaf[i]);
	leaves->index = ~0ull;
	(void)test_read(HV_X64_MSR_VP_INDEX, &leaves->index);
}

/* R-CPUID-029, R-CPUID-030. */
static void cpuid_same_everywhere(void)
{
	static struct leaves first, other;
	uint64_t seen = 0;
	bool is_same = true, is_unique = true, is_below = true;

	for (uint32_t vp = 0; vp < bare.vp_count; vp++) {
		bare_run_on(vp, leaves_read, vp == 0 ? &first : &other);
		const struct leaves *leaves = vp == 0 ? &first : &other;
		is_same = is_same &&
			  __builtin_memcmp(leaves->leaf, first.leaf, sizeof first.leaf) == 0;
		is_below = is_below && (first.leaf[5][0] == 0 || leaves->index < first.leaf[5][0]);
		is_unique = is_unique && leaves->index < 64 && !(seen >> leaves->index & 1);
		seen |= 1ull << (leaves->index & 63);
	}
	check(is_same, "P30: leaves 0x40000000..0xa are the same on every VP", "they differ");
	check(first.leaf[5][0] == 0 || first.leaf[5][0] >= bare.vp_count,
		"P29: the VPs do not exceed leaf 5 EAX", "%u of %u", bare.vp_count,
		first.leaf[5][0]);
	if (test_has(P(ACCESS_VP_INDEX)))
		check(is_unique && is_below, "P29: each VP has its own index, below leaf 5 EAX",
			"indices seen 0x%lx, limit %u", seen, first.leaf[5][0]);
	else
		skip("P29: VP indices", "AccessVpIndex is not promised");
}

/* R-CPUID-026, R-CPUID-027. */
static void cpuid_consistency(void)
{
	const struct winhv_identity *id = &bare.vps[0].hv.identity;
	uint32_t leaf[4];

	check(max_leaf() >= HV_CPUID_MIN_MAX_LEAF, "P1: the highest leaf is 0x40000005 or more",
		"it is 0x%x", max_leaf());
	if (test_has(P(ACCESS_SYNTHETIC_TIMERS)))
		check(test_has(P(ACCESS_SYNIC) | P(ACCESS_REFERENCE_COUNTER)),
			"P4: timers come with SynIC and reference counter", "privileges 0x%lx",
			id->privileges);
	if (test_has_feature(F(DIRECT_SYNTHETIC_TIMERS)))
		check(test_has(P(ACCESS_SYNTHETIC_TIMERS)), "P5: direct mode comes with timers",
			"privileges 0x%lx", id->privileges);
	check(test_has(P(ACCESS_FREQUENCIES)) == test_has_feature(F(FREQUENCIES)),
		"P7: both bits of the frequencies agree", "privileges 0x%lx, features 0x%x",
		id->privileges, id->features);
	check(test_has(P(ACCESS_GUEST_IDLE)) == test_has_feature(F(GUEST_IDLE)),
		"P9: both bits of guest idle agree", "privileges 0x%lx, features 0x%x",
		id->privileges, id->features);
	check(!test_is_recommended(HV_RECOMMEND_APIC_MSRS) || test_has(P(ACCESS_INTERRUPT_CONTROL)),
		"P15: APIC MSRs are recommended only if they are there", "privileges 0x%lx",
		id->privileges);
	check(!test_is_recommended(HV_RECOMMEND_RESET_MSR) || test_has(P(ACCESS_RESET)),
		"P16: the reset MSR is recommended only if it is there", "privileges 0x%lx",
		id->privileges);
	check(test_has_feature(F(XMM_HYPERCALL_OUTPUT)) == test_has(P(FAST_HYPERCALL_OUTPUT)),
		"P19: both bits of output in registers agree", "privileges 0x%lx, features 0x%x",
		id->privileges, id->features);
	check(test_has_feature(F(EXTENDED_GVA_RANGES)) == test_has(P(EXTENDED_GVA_RANGES)),
		"P20: both bits of extended ranges agree", "privileges 0x%lx, features 0x%x",
		id->privileges, id->features);
	bare_cpuid(HV_CPUID_NESTED_PRIVILEGES, 0, leaf);
	check(test_is_recommended(HV_RECOMMEND_NESTED) || max_leaf() < HV_CPUID_NESTED_PRIVILEGES ||
			!(leaf[0] | leaf[1] | leaf[2] | leaf[3]),
		"P25: leaf 9 is zero when not nested", "%x %x %x %x", leaf[0], leaf[1], leaf[2],
		leaf[3]);
	if (test_is_recommended(HV_RECOMMEND_ENLIGHTENED_VMCS)) {
		bare_cpuid(HV_CPUID_NESTED_FEATURES, 0, leaf);
		check(max_leaf() >= HV_CPUID_NESTED_FEATURES && (leaf[0] & 0xff) > 0 &&
				(leaf[0] & 0xff) <= (leaf[0] >> 8 & 0xff),
			"P26: the enlightened VMCS has versions", "leaf 0xa EAX 0x%x", leaf[0]);
	}
	if (test_has(P(ISOLATION)))
		check(max_leaf() >= HV_CPUID_ISOLATION, "P27: isolation has its leaf",
			"highest 0x%x", max_leaf());
}

/* Beyond the highest leaf: zeros, or what the bare processor answers out of range. */
static void cpuid_beyond(void)
{
	uint32_t basic[4], leaf[4], top[4];
	bool is_clean = true;
	uint32_t bad = 0;

	bare_cpuid(0, 0, basic);
	bare_cpuid(basic[0], 0, top);
	for (uint32_t n = max_leaf() + 1; n < MAX_LEAF_BASE + 0x20; n++) {
		bare_cpuid(n, 0, leaf);
		const bool is_zero = !(leaf[0] | leaf[1] | leaf[2] | leaf[3]);
		if (!is_zero && __builtin_memcmp(leaf, top, sizeof leaf) != 0 && is_clean) {
			is_clean = false;
			bad = n;
		}
	}
	check(is_clean, "P28: leaves above the highest hold nothing", "leaf 0x%x", bad);
}

/* ---- MSRs ------------------------------------------------------------------------------------ */

static void row_promised(const struct msr_row *row)
{
	uint32_t bad = 0;
	const char *how = "";
	uint64_t value;

	for (uint32_t msr = row->first; msr < row->first + row->count; msr++) {
		value = 0;
		if ((row->access & R) && !(row->access & RAW) && !test_read(msr, &value)) {
			bad = msr;
			how = "read faults";
		}
		if (row->access & SAFE0)
			value = 0;
		if ((row->access & W) && !test_write(msr, value)) {
			bad = msr;
			how = "write faults";
		}
		if (!(row->access & (W | QUIET)) && test_write(msr, 0)) {
			bad = msr;
			how = "is read-only, but takes a write";
		}
	}
	check(bad == 0, row->name, "promised, but 0x%x: %s", bad, how);
}

static void row_not_promised(const struct msr_row *row)
{
	uint32_t bad = 0;
	uint64_t value;
	char name[80];

	for (uint32_t msr = row->first; msr < row->first + row->count; msr++)
		if (test_read(msr, &value) || test_write(msr, 0))
			bad = msr;
	(void)bare_print_to(name, sizeof name, "%s (not promised)", row->name);
	check(bad == 0, name, "0x%x does not fault", bad);
}

static void msrs_unknown(void)
{
	uint64_t value;
	uint32_t bad = 0, count = 0;

	for (uint32_t msr = HV_X64_MSR_FIRST; msr <= HV_X64_MSR_LAST; msr++) {
		bool is_known = msr == HV_X64_MSR_SYNDBG_OPTIONS && test_has_feature(F(DEBUG_MSRS));
		for (size_t i = 0; i < ROWS; i++)
			is_known = is_known ||
				   (msr >= rows[i].first && msr - rows[i].first < rows[i].count);
		if (is_known)
			continue;
		if (test_read(msr, &value) || test_write(msr, 0)) {
			bad = msr;
			count++;
		}
	}
	check(count == 0, "all other numbers up to 0x400001ff fault", "%u do not, one is 0x%x",
		count, bad);
}

static void msrs(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (is_promised(&rows[i]))
			row_promised(&rows[i]);
		else
			row_not_promised(&rows[i]);
	}
	msrs_unknown();
}

/* ---- values after reset ---------------------------------------------------------------------- */

struct reset_row {
	uint32_t first, count;
	uint64_t value, ignored;
	uint64_t privilege;
	uint32_t feature;
	const char *name;
};

static const struct reset_row reset_rows[] = {
	{HV_X64_MSR_GUEST_OS_ID, 2, 0, 0, P(ACCESS_HYPERCALL_MSRS), 0, "GUEST_OS_ID, HYPERCALL"},
	{HV_X64_MSR_RESET, 1, 0, 0, P(ACCESS_RESET), 0, "RESET"},
	{HV_X64_MSR_REFERENCE_TSC, 1, 0, 0, P(ACCESS_REFERENCE_TSC), 0, "REFERENCE_TSC"},
	{HV_X64_MSR_TPR, 2, 0, 0, P(ACCESS_INTERRUPT_CONTROL), 0, "TPR, VP_ASSIST_PAGE"},
	{HV_X64_MSR_SCONTROL, 1, 1, 0, P(ACCESS_SYNIC), 0, "SCONTROL (acts enabled)"},
	{HV_X64_MSR_SVERSION, 1, HV_SVERSION_VALUE, 0xffffffff00000000, P(ACCESS_SYNIC), 0,
		"SVERSION"},
	{HV_X64_MSR_SIEFP, 3, 0, 0, P(ACCESS_SYNIC), 0, "SIEFP, SIMP, EOM"},
	{HV_X64_MSR_SINT0, HV_SINT_COUNT, HV_SINT_RESET, 0, P(ACCESS_SYNIC), 0, "SINT0..15"},
	{HV_X64_MSR_STIMER0_CONFIG, 8, 0, 0, P(ACCESS_SYNTHETIC_TIMERS), 0, "STIMER0..3"},
	{HV_X64_MSR_CRASH_P0, 5, 0, 0, 0, F(GUEST_CRASH_MSRS), "CRASH_P0..4"},
	{HV_X64_MSR_REENLIGHTENMENT_CONTROL, 3, 0, 0, P(ACCESS_REENLIGHTENMENT), 0,
		"REENLIGHTENMENT, TSC_EMULATION"},
};

struct reset_result {
	uint32_t msr[BARE_VPS_MAX];
	uint64_t value[BARE_VPS_MAX];
	const struct reset_row *row;
};

static void reset_read(void *ctx)
{
	struct reset_result *result = ctx;
	const struct reset_row *row = result->row;
	const uint32_t vp = bare_vp()->index;

	for (uint32_t msr = row->first; msr < row->first + row->count; msr++) {
		uint64_t value;
		if (test_read(msr, &value) && ((value ^ row->value) & ~row->ignored)) {
			result->msr[vp] = msr;
			result->value[vp] = value;
		}
	}
}

static void reset_values(void)
{
	for (size_t i = 0; i < sizeof reset_rows / sizeof reset_rows[0]; i++) {
		static struct reset_result result;
		const struct reset_row *row = &reset_rows[i];
		char name[80];
		uint32_t bad = BARE_VPS_MAX;
		if (!test_has(row->privilege) || !test_has_feature(row->feature))
			continue;
		result = (struct reset_result){.row = row};
		bare_run_on_all(reset_read, &result);
		for (uint32_t vp = 0; vp < bare.vp_count; vp++)
			if (result.msr[vp])
				bad = vp;
		(void)bare_print_to(name, sizeof name, "after reset: %s", row->name);
		check(bad == BARE_VPS_MAX, name, "VP %u: 0x%x reads 0x%lx", bad,
			result.msr[bad % BARE_VPS_MAX], result.value[bad % BARE_VPS_MAX]);
	}
}

/* ---- reserved bits --------------------------------------------------------------------------- */

/* RsvdP: stored and read back. */
static void preserved(uint32_t msr, uint64_t base, uint64_t bits, const char *name)
{
	uint64_t before, value = 0;

	if (!test_read(msr, &before))
		return;
	const bool is_taken = test_write(msr, base | bits) && test_read(msr, &value);
	(void)test_write(msr, before);
	check(is_taken && value == (base | bits), name, "wrote 0x%lx, read 0x%lx", base | bits,
		value);
}

static void faults(uint32_t msr, uint64_t value, const char *name)
{
	uint64_t before = 0;

	(void)test_read(msr, &before);
	const bool is_taken = test_write(msr, value);
	if (is_taken)
		(void)test_write(msr, before);
	check(!is_taken, name, "0x%x takes 0x%lx", msr, value);
}

static void reserved_bits(void)
{
	if (test_has(P(ACCESS_HYPERCALL_MSRS))) {
		preserved(HV_X64_MSR_GUEST_OS_ID, 0xfedcba9876543210, 0,
			"GUEST_OS_ID reads back exactly");
		preserved(HV_X64_MSR_GUEST_OS_ID, 0x0000010000000000, 0,
			"GUEST_OS_ID takes vendor 0");
		(void)test_write(HV_X64_MSR_GUEST_OS_ID, TEST_OS_ID);
		faults(HV_X64_MSR_HYPERCALL, 0x000ffffffffff001, "HYPERCALL beyond memory faults");
		(void)test_write(HV_X64_MSR_GUEST_OS_ID, 0);
	}
	if (test_has(P(ACCESS_REFERENCE_TSC)))
		preserved(HV_X64_MSR_REFERENCE_TSC, 0, 0xffe, "REFERENCE_TSC keeps bits 11:1");
	if (!test_has(P(ACCESS_SYNIC))) {
		skip("reserved bits of the SynIC", "AccessSynicRegs is not promised");
		return;
	}
	preserved(HV_X64_MSR_SIMP, 0, 0xffe, "SIMP keeps bits 11:1");
	preserved(HV_X64_MSR_SIEFP, 0, 0xffe, "SIEFP keeps bits 11:1");
	preserved(HV_X64_MSR_SCONTROL, 1, 0xfffffffffffffffe, "SCONTROL keeps bits 63:1");
	preserved(HV_X64_MSR_SINT0 + 9, HV_SINT_MASKED | 0x40, 0xffffffffffe0ff00,
		"SINT9 keeps bits 63:21 and 15:8");
	for (uint32_t vector = 0; vector < HV_SINT_MIN_VECTOR; vector += 15)
		faults(HV_X64_MSR_SINT0 + 9, vector, "SINT9 with a vector below 16 faults");
	check(test_write(HV_X64_MSR_SINT0 + 9, HV_SINT_RESET),
		"SINT9 takes its reset value: masked, vector 0", "#GP");
}

/* ---- what some registers do ------------------------------------------------------------------ */

static void crash(void)
{
	uint64_t value = 0;
	bool is_kept = true;

	if (!test_has_feature(F(GUEST_CRASH_MSRS)))
		return;
	check(test_read(HV_X64_MSR_CRASH_CTL, &value) && (value & HV_CRASH_NOTIFY),
		"P8: CRASH_CTL says what may be reported", "0x%lx", value);
	for (uint32_t i = 0; i < 5; i++)
		(void)test_write(HV_X64_MSR_CRASH_P0 + i, 0x1111111111111111u * (i + 1));
	for (uint32_t i = 0; i < 5; i++)
		is_kept = is_kept && test_read(HV_X64_MSR_CRASH_P0 + i, &value) &&
			  value == 0x1111111111111111u * (i + 1);
	check(is_kept, "P8: CRASH_P0..4 keep 64 bits each", "one reads 0x%lx", value);
	for (uint32_t i = 0; i < 5; i++)
		(void)test_write(HV_X64_MSR_CRASH_P0 + i, 0);
}

static void direct_bit(void)
{
	const uint64_t config = HV_STIMER_DIRECT_MODE | 0x80ull << HV_STIMER_VECTOR_SHIFT;
	uint64_t value = 0;

	if (!test_has(P(ACCESS_SYNTHETIC_TIMERS)))
		return;
	const bool is_taken = test_write(HV_X64_MSR_STIMER0_CONFIG, config) &&
			      test_read(HV_X64_MSR_STIMER0_CONFIG, &value) &&
			      (value & HV_STIMER_DIRECT_MODE);
	(void)test_write(HV_X64_MSR_STIMER0_CONFIG, 0);
	check(is_taken == test_has_feature(F(DIRECT_SYNTHETIC_TIMERS)),
		"P5, P6: the direct mode bit sticks only if promised", "read 0x%lx", value);
}

/* R-TIME-007. */
static void runtime_and_counter(void)
{
	uint64_t first = 0, second = 0;

	if (test_has(P(ACCESS_VP_RUNTIME))) {
		(void)test_read(HV_X64_MSR_VP_RUNTIME, &first);
		bare_pause(20 * TEST_MS);
		(void)test_read(HV_X64_MSR_VP_RUNTIME, &second);
		check(second > first, "VP_RUNTIME grows while the VP runs", "%lu, then %lu", first,
			second);
	}
	if (test_has(P(ACCESS_REFERENCE_COUNTER))) {
		(void)test_read(HV_X64_MSR_TIME_REF_COUNT, &first);
		bare_pause(20 * TEST_MS);
		(void)test_read(HV_X64_MSR_TIME_REF_COUNT, &second);
		check(second - first >= 10 * TEST_MS && second - first < TEST_SECOND,
			"TIME_REF_COUNT counts units of 100 ns", "%lu in 20 ms", second - first);
	}
}

static void apic_msrs(void)
{
	uint64_t value = 0;

	if (!test_has(P(ACCESS_INTERRUPT_CONTROL)))
		return;
	test_count_vector(SELF_VECTOR, false);
	check(test_write(
		      HV_X64_MSR_ICR, (uint64_t)bare.vps[0].apic_id << (bare.is_x2apic ? 32 : 56) |
					      0x4000 | SELF_VECTOR),
		"ICR takes an interrupt to this VP", "#GP");
	check(test_interrupts_reach(0, SELF_VECTOR, 1), "... which comes", "none");
	check(bare_apic_is_in_service(SELF_VECTOR), "... and is in service", "ISR bit clear");
	(void)test_write(HV_X64_MSR_EOI, 0);
	check(!bare_apic_is_in_service(SELF_VECTOR), "EOI ends it", "still in service");
	(void)test_write(HV_X64_MSR_TPR, 0x30);
	(void)test_read(HV_X64_MSR_TPR, &value);
	check(value == 0x30 && bare_apic_read(0x80) == 0x30, "TPR is the APIC's",
		"MSR 0x%lx, APIC 0x%x", value, bare_apic_read(0x80));
	(void)test_write(HV_X64_MSR_TPR, 0);
}

/* RDMSR of GUEST_IDLE returns when an interrupt is there, even one that is not let in. */
static void guest_idle(void)
{
	uint64_t value;

	if (!test_has(P(ACCESS_GUEST_IDLE)))
		return;
	test_count_vector(SELF_VECTOR, true);
	bare_interrupts_off();
	bare_apic_command(bare_apic_id(), 0x4000 | SELF_VECTOR);
	const bool is_read = test_read(HV_X64_MSR_GUEST_IDLE, &value);
	const uint32_t taken = test_interrupts[0][SELF_VECTOR];
	bare_interrupts_on();
	check(is_read && taken == 0, "P9: GUEST_IDLE wakes for an interrupt that is held off",
		"%s, %u taken", is_read ? "read" : "#GP", taken);
	check(test_interrupts_reach(0, SELF_VECTOR, 1), "... which comes afterwards", "none");
}

void test_main(void)
{
	if (test_group("reset"))
		reset_values();
	if (test_group("cpuid")) {
		cpuid_consistency();
		cpuid_same_everywhere();
		cpuid_beyond();
	}
	if (test_group("msrs"))
		msrs();
	if (test_group("reserved"))
		reserved_bits();
	if (test_group("behaviour")) {
		crash();
		direct_bit();
		runtime_and_counter();
		apic_msrs();
		guest_idle();
	}
}
