// SPDX-License-Identifier: Apache-2.0
/*
 * The table of synthetic registers (protocol/hypervisor.md, section 3), row by row: promised or
 * not, value at reset, what is kept of a write, read-only or not, one for the partition or each
 * VP's own. What only one register does is in host_register.c.
 */
#include "tests/conformance/conform_areas.h"

enum trait {
	READ = 0x1,
	WRITE = 0x2,
	SAVED = 0x4,  /* write back what was read; otherwise 0 */
	SHARED = 0x8, /* one for the partition */
};

/* Registers that have all of this in common. */
struct group {
	uint32_t first, count;
	uint64_t privilege;
	uint32_t feature;
	uint32_t traits; /* enum trait */
	uint64_t reset;
	uint64_t kept, other; /* values that read back as they were written */
};

#define P(name) HV_PRIVILEGE_ACCESS_##name
#define F(name) HV_FEATURE_##name
#define RW	(READ | WRITE | SAVED)
/* clang-format off */
/* X(id, first, count, privilege, feature, traits, reset, kept, other) */
#define GROUPS(X)                                                                                  \
	X(os_id, GUEST_OS_ID, 1, P(HYPERCALL_MSRS), 0, RW | SHARED, 0, CONFORM_OS_ID, 0x0001040600000001)\
	X(hypercall, HYPERCALL, 1, P(HYPERCALL_MSRS), 0, RW | SHARED, 0, 0x1ff8, 0x2004)           \
	X(vp_index, VP_INDEX, 1, P(VP_INDEX), 0, READ, 0, 0, 0)                                    \
	X(reset, RESET, 1, P(RESET), 0, READ | WRITE | SHARED, 0, 0, 0)                            \
	X(run_time, VP_RUNTIME, 1, P(VP_RUNTIME), 0, READ, 0, 0, 0)                                \
	X(counter, TIME_REF_COUNT, 1, P(REFERENCE_COUNTER), 0, READ | SHARED, 0, 0, 0)             \
	X(tsc_page, REFERENCE_TSC, 1, P(REFERENCE_TSC), 0, RW | SHARED, 0, 0xabe, 0x540)           \
	X(frequencies, TSC_FREQUENCY, 2, P(FREQUENCIES), F(FREQUENCIES), READ | SHARED, 0, 0, 0)   \
	X(npiep, NPIEP_CONFIG, 1, 0, F(NPIEP), READ | WRITE, 0, 0, 0)                              \
	X(eoi, EOI, 1, P(INTERRUPT_CONTROL), 0, WRITE, 0, 0, 0)                                    \
	X(icr, ICR, 1, P(INTERRUPT_CONTROL), 0, READ, 0, 0, 0)                                     \
	X(tpr, TPR, 1, P(INTERRUPT_CONTROL), 0, RW, 0, 0x10, 0x20)                                 \
	X(assist, VP_ASSIST_PAGE, 1, P(INTERRUPT_CONTROL), 0, RW, 0, 0xabe, 0x540)                 \
	X(scontrol, SCONTROL, 1, P(SYNIC), 0, RW, 1, 0xffffffffffffffff, 1)                        \
	X(sversion, SVERSION, 1, P(SYNIC), 0, READ, 1, 0, 0)                                       \
	X(siefp, SIEFP, 1, P(SYNIC), 0, RW, 0, 0xabe, 0x540)                                       \
	X(simp, SIMP, 1, P(SYNIC), 0, RW, 0, 0xabe, 0x540)                                         \
	X(eom, EOM, 1, P(SYNIC), 0, READ | WRITE, 0, 0, 0)                                         \
	X(sints, SINT0, HV_SINT_COUNT, P(SYNIC), 0, RW, HV_SINT_RESET,                             \
		0xfffffffffff8ff40 | HV_SINT_MASKED, HV_SINT_MASKED | 0x50)                        \
	X(timers, STIMER0_CONFIG, 2 * HV_STIMER_COUNT, P(SYNTHETIC_TIMERS), 0,                     \
		READ | WRITE, 0, 0, 0)                                                             \
	X(idle, GUEST_IDLE, 1, P(GUEST_IDLE), F(GUEST_IDLE), 0, 0, 0, 0)                           \
	X(debug, SYNDBG_CONTROL, 5, 0, F(DEBUG_MSRS), READ, 0, 0, 0)                               \
	X(crash, CRASH_P0, 5, 0, F(GUEST_CRASH_MSRS), RW | SHARED, 0,                              \
		0xfedcba9876543210, 0x1122334455667788)                                            \
	X(crash_ctl, CRASH_CTL, 1, 0, F(GUEST_CRASH_MSRS), READ | WRITE | SHARED, 0, 0, 0)         \
	X(reenlighten, REENLIGHTENMENT_CONTROL, 3, P(REENLIGHTENMENT), 0,                          \
		READ | WRITE | SHARED, 0, 0, 0)                                                    \
	X(unhalted, STIME_UNHALTED_TIMER_CONFIG, 2, 0, F(SYNTHETIC_TIME_UNHALTED),                 \
		READ | WRITE, 0, 0, 0)                                                             \
	X(invariant, TSC_INVARIANT_CONTROL, 1, P(TSC_INVARIANT), 0, RW | SHARED, 0, 0, 0)
/* clang-format on */

enum {
#define GROUP_ID(id, ...) GROUP_##id,
	GROUPS(GROUP_ID)
#undef GROUP_ID
};
static const struct group groups[] = {
#define GROUP_ROW(id, first, ...) {HV_X64_MSR_##first, __VA_ARGS__},
	GROUPS(GROUP_ROW)
#undef GROUP_ROW
};

#define EACH_REGISTER(msr, group)                                                                  \
	for (uint32_t msr = (group)->first; msr < (group)->first + (group)->count; msr++)
#define EACH_VP(vp, t) for (uint32_t vp = 0; vp < (t)->hv->vp_count; vp++)

static bool is_promised(const struct conform_target *t, const struct group *group)
{
	return conform_has(t, group->privilege) && conform_has_feature(t, group->feature);
}

static enum conform_verdict accessible(struct conform_target *t, const struct group *group)
{
	EACH_VP(vp, t)
	EACH_REGISTER(msr, group)
	{
		uint64_t value = 0;
		EXPECT(!(group->traits & READ) || conform_read(t, vp, msr, &value),
			"VP %u: 0x%x is promised, and cannot be read", vp, msr);
		if (!(group->traits & SAVED))
			value = 0;
		EXPECT(!(group->traits & WRITE) || conform_write(t, vp, msr, value),
			"VP %u: 0x%x is promised, and takes no 0x%llx", vp, msr,
			(unsigned long long)value);
	}
	return CONFORM_PASS;
}

static enum conform_verdict inaccessible(struct conform_target *t, const struct group *group)
{
	EACH_VP(vp, t)
	EACH_REGISTER(msr, group)
	{
		uint64_t value;
		/* Reading GUEST_IDLE would sleep, were it there. */
		EXPECT(msr == HV_X64_MSR_GUEST_IDLE || !conform_read(t, vp, msr, &value),
			"VP %u: 0x%x is not promised, and can be read", vp, msr);
		EXPECT(!conform_write(t, vp, msr, 0),
			"VP %u: 0x%x is not promised, and can be written", vp, msr);
	}
	return CONFORM_PASS;
}

static enum conform_verdict promised(struct conform_target *t, const struct group *group)
{
	NEED(is_promised(t, group), "it is not promised");
	return accessible(t, group);
}

static enum conform_verdict not_promised(struct conform_target *t, const struct group *group)
{
	NEED(!is_promised(t, group), "it is promised");
	return inaccessible(t, group);
}

/* By a feature: both ways in one. */
static enum conform_verdict by_feature(struct conform_target *t, const struct group *group)
{
	return is_promised(t, group) ? accessible(t, group) : inaccessible(t, group);
}

static enum conform_verdict at_reset(struct conform_target *t, const struct group *group)
{
	NEED(is_promised(t, group), "it is not promised");
	EACH_VP(vp, t)
	EACH_REGISTER(msr, group)
	{
		uint64_t value;
		EXPECT(conform_read(t, vp, msr, &value) && value == group->reset,
			"VP %u: 0x%x reads 0x%llx, not 0x%llx", vp, msr, (unsigned long long)value,
			(unsigned long long)group->reset);
	}
	return CONFORM_PASS;
}

static bool put(struct conform_target *t, uint32_t vp, uint32_t msr, uint64_t value)
{
	return conform_write(t, vp, msr, value) ||
	       conform_no(t, "VP %u: 0x%x takes no 0x%llx", vp, msr, (unsigned long long)value);
}

static bool is_there(struct conform_target *t, uint32_t vp, uint32_t msr, uint64_t wanted)
{
	uint64_t value;

	return (conform_read(t, vp, msr, &value) && value == wanted) ||
	       conform_no(t, "VP %u: 0x%x was written 0x%llx and reads 0x%llx", vp, msr,
		       (unsigned long long)wanted, (unsigned long long)value);
}

/* HYPERCALL is nobody's while there is no guest OS id. */
static bool id_set(struct conform_target *t, const struct group *group)
{
	return group->first != HV_X64_MSR_HYPERCALL ||
	       put(t, 0, HV_X64_MSR_GUEST_OS_ID, CONFORM_OS_ID);
}

static enum conform_verdict kept(struct conform_target *t, const struct group *group)
{
	NEED(is_promised(t, group), "it is not promised");
	TRY(id_set(t, group));
	EACH_VP(vp, t)
	EACH_REGISTER(msr, group)
	{
		uint64_t before;
		EXPECT(conform_read(t, vp, msr, &before), "VP %u: 0x%x faults", vp, msr);
		TRY(put(t, vp, msr, group->kept));
		TRY(is_there(t, vp, msr, group->kept));
		TRY(put(t, vp, msr, group->other));
		TRY(is_there(t, vp, msr, group->other));
		TRY(put(t, vp, msr, before));
	}
	return CONFORM_PASS;
}

static enum conform_verdict read_only(struct conform_target *t, const struct group *group)
{
	static const uint64_t values[] = {0, 1, 0xffffffffffffffff};

	EACH_VP(vp, t)
	EACH_REGISTER(msr, group)
	for (unsigned i = 0; i < 3; i++)
		EXPECT(!conform_write(t, vp, msr, values[i]), "VP %u: 0x%x takes 0x%llx", vp, msr,
			(unsigned long long)values[i]);
	return CONFORM_PASS;
}

static enum conform_verdict scope(struct conform_target *t, const struct group *group)
{
	const uint32_t last = t->hv->vp_count - 1;
	const bool is_shared = group->traits & SHARED;

	NEED(is_promised(t, group), "it is not promised");
	TRY(id_set(t, group));
	EACH_REGISTER(msr, group)
	{
		TRY(put(t, 0, msr, group->kept));
		TRY(put(t, last, msr, group->other));
		TRY(is_there(t, 0, msr, is_shared ? group->other : group->kept));
		TRY(is_there(t, last, msr, group->other));
		TRY(put(t, 0, msr, group->kept));
		TRY(is_there(t, last, msr, is_shared ? group->kept : group->other));
		TRY(put(t, 0, msr, group->reset));
		TRY(put(t, last, msr, group->reset));
	}
	return CONFORM_PASS;
}

/* ---- registers of their own kind ----------------------------------------------------------- */

static enum conform_verdict reset_ignored(struct conform_target *t)
{
	static const uint64_t values[] = {0, 2, 0x100000000, 0xfffffffffffffffe};

	TRY(put(t, 0, HV_X64_MSR_GUEST_OS_ID, CONFORM_OS_ID));
	EACH_VP(vp, t)
	for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
		TRY(put(t, vp, HV_X64_MSR_RESET, values[i]));
	/* A reset would have taken it. */
	TRY(is_there(t, 0, HV_X64_MSR_GUEST_OS_ID, CONFORM_OS_ID));
	return CONFORM_PASS;
}

static enum conform_verdict eoi_read(struct conform_target *t)
{
	uint64_t value;

	EACH_VP(vp, t)
	EXPECT(!conform_read(t, vp, HV_X64_MSR_EOI, &value), "VP %u: it reads 0x%llx", vp,
		(unsigned long long)value);
	return CONFORM_PASS;
}

static enum conform_verdict tpr_reserved(struct conform_target *t)
{
	static const uint64_t values[] = {0xffffffffffffff10, 0x100000010, 0xff10, 0x110};

	EACH_VP(vp, t)
	for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) {
		TRY(put(t, vp, HV_X64_MSR_TPR, 0x20));
		const bool is_taken = conform_write(t, vp, HV_X64_MSR_TPR, values[i]);
		TRY(is_there(t, vp, HV_X64_MSR_TPR, is_taken ? 0x10 : 0x20));
		TRY(put(t, vp, HV_X64_MSR_TPR, 0));
	}
	return CONFORM_PASS;
}

static enum conform_verdict assist_not_memory(struct conform_target *t)
{
	EXPECT(!conform_write(t, 0, HV_X64_MSR_VP_ASSIST_PAGE, (1ull << 45) | HV_MSR_PAGE_ENABLE),
		"a page that is not memory was taken");
	TRY(is_there(t, 0, HV_X64_MSR_VP_ASSIST_PAGE, 0));
	return CONFORM_PASS;
}

/* ---- the rows ------------------------------------------------------------------------------ */

/* clang-format off */
#define BY_PRIVILEGE(X)                                                                            \
	X(os_id, "GUEST_OS_ID") X(hypercall, "HYPERCALL") X(vp_index, "VP_INDEX")                  \
	X(reset, "RESET") X(run_time, "VP_RUNTIME") X(counter, "TIME_REF_COUNT")                   \
	X(tsc_page, "REFERENCE_TSC") X(frequencies, "the frequencies") X(eoi, "EOI")               \
	X(icr, "ICR") X(tpr, "TPR") X(assist, "VP_ASSIST_PAGE") X(scontrol, "SCONTROL")            \
	X(sversion, "SVERSION") X(siefp, "SIEFP") X(simp, "SIMP") X(eom, "EOM")                    \
	X(sints, "SINT0 to SINT15") X(timers, "the timers")                  \
	X(reenlighten, "reenlightenment") X(invariant, "TSC_INVARIANT_CONTROL")
#define BY_FEATURE(X)                                                                              \
	X(npiep, "NPIEP_CONFIG") X(debug, "the debug registers") X(crash, "CRASH_P0 to P4")        \
	X(crash_ctl, "CRASH_CTL") X(unhalted, "STIME_UNHALTED_TIMER")
#define AT_RESET(X)                                                                                \
	X(os_id, "GUEST_OS_ID") X(hypercall, "HYPERCALL") X(reset, "RESET")                        \
	X(tsc_page, "REFERENCE_TSC") X(npiep, "NPIEP_CONFIG") X(tpr, "TPR")                        \
	X(assist, "VP_ASSIST_PAGE") X(scontrol, "SCONTROL") X(sversion, "SVERSION")                \
	X(siefp, "SIEFP") X(simp, "SIMP") X(eom, "EOM") X(sints, "SINT0 to SINT15")                \
	X(crash, "CRASH_P0 to P4") X(reenlighten, "reenlightenment")                               \
	X(unhalted, "STIME_UNHALTED_TIMER") X(invariant, "TSC_INVARIANT_CONTROL")
#define KEPT(X)                                                                                    \
	X(hypercall, "HYPERCALL") X(tsc_page, "REFERENCE_TSC") X(assist, "VP_ASSIST_PAGE")         \
	X(scontrol, "SCONTROL") X(siefp, "SIEFP") X(simp, "SIMP") X(sints, "SINT0 to SINT15")
#define READ_ONLY(X)                                                                               \
	X(vp_index, "VP_INDEX") X(run_time, "VP_RUNTIME") X(counter, "TIME_REF_COUNT")             \
	X(frequencies, "the frequencies") X(sversion, "SVERSION") X(idle, "GUEST_IDLE")
#define SCOPE(X)                                                                                   \
	X(os_id, "GUEST_OS_ID") X(hypercall, "HYPERCALL") X(tsc_page, "REFERENCE_TSC")             \
	X(tpr, "TPR") X(assist, "VP_ASSIST_PAGE") X(scontrol, "SCONTROL") X(siefp, "SIEFP")        \
	X(simp, "SIMP") X(sints, "SINT0 to SINT15") X(crash, "CRASH_P0 to P4")

#define DEFINE(aspect, id)                                                                         \
	static enum conform_verdict aspect##_##id(struct conform_target *t)                        \
	{                                                                                          \
		return aspect(t, &groups[GROUP_##id]);                                             \
	}
#define DEFINE_PROMISED(id, name) DEFINE(promised, id)
#define DEFINE_NOT_PROMISED(id, name) DEFINE(not_promised, id)
#define DEFINE_FEATURE(id, name) DEFINE(by_feature, id)
#define DEFINE_RESET(id, name) DEFINE(at_reset, id)
#define DEFINE_KEPT(id, name) DEFINE(kept, id)
#define DEFINE_READ_ONLY(id, name) DEFINE(read_only, id)
#define DEFINE_SCOPE(id, name) DEFINE(scope, id)
BY_PRIVILEGE(DEFINE_PROMISED)
BY_PRIVILEGE(DEFINE_NOT_PROMISED)
DEFINE_NOT_PROMISED(idle, "GUEST_IDLE")
BY_FEATURE(DEFINE_FEATURE)
AT_RESET(DEFINE_RESET)
KEPT(DEFINE_KEPT)
READ_ONLY(DEFINE_READ_ONLY)
SCOPE(DEFINE_SCOPE)

#define ROW_PROMISED(id, name)                                                                     \
	{"R-CPUID-002", name ": promised, it works", promised_##id, 0, 0, 0},
#define ROW_NOT_PROMISED(id, name)                                                                 \
	{"R-CPUID-003", name ": not promised, it faults", not_promised_##id, 0, 0, 0},
#define ROW_FEATURE(id, name)                                                                      \
	{"R-CPUID-035", name ": it works or faults, as promised", by_feature_##id, 0, 0, 0},
#define ROW_RESET(id, name)                                                                        \
	{"R-REG-020", name ": its value after reset", at_reset_##id, 0, 0, 0},
#define ROW_KEPT(id, name)                                                                         \
	{"R-REG-003", name ": reserved bits are kept", kept_##id, 0, 0, 0},
#define ROW_READ_ONLY(id, name)                                                                    \
	{"R-REG-001", name ": a write faults", read_only_##id, 0, 0, 0},
#define ROW_SCOPE(id, name)                                                                        \
	{"R-REG-024", name ": whose it is", scope_##id, CONFORM_VP_1, 0, 0},
#define APIC P(INTERRUPT_CONTROL)

const struct conform_test conform_msr_tests[] = {
	AT_RESET(ROW_RESET)
	BY_PRIVILEGE(ROW_PROMISED)
	BY_PRIVILEGE(ROW_NOT_PROMISED)
	ROW_NOT_PROMISED(idle, "GUEST_IDLE")
	BY_FEATURE(ROW_FEATURE)
	READ_ONLY(ROW_READ_ONLY)
	KEPT(ROW_KEPT)
	SCOPE(ROW_SCOPE)
	{"R-REG-019", "RESET ignores all but bit 0", reset_ignored, 0, P(RESET), 0},
	{"R-REG-021", "EOI cannot be read", eoi_read, 0, APIC, 0},
	{"R-REG-022", "reserved bits of TPR do nothing, or fault", tpr_reserved, 0, APIC, 0},
	{"R-REG-023", "VP_ASSIST_PAGE must be memory", assist_not_memory, 0, APIC, 0},
};
/* clang-format on */
const size_t conform_msr_test_count = sizeof conform_msr_tests / sizeof conform_msr_tests[0];
