// SPDX-License-Identifier: Apache-2.0
/*
 * What CPUID says: leaves, and bits that go with others. What the bits promise is in host_msr.c
 * and host_promise.c.
 */
#include "tests/conformance/conform_areas.h"

static void leaf_get(struct conform_target *t, uint32_t leaf, uint32_t out[4])
{
	t->hv->ops->cpuid(t->hv->ctx, leaf, 0, out);
}

static enum conform_verdict interface_leaf(struct conform_target *t)
{
	static const uint32_t registers[] = {
		HV_X64_MSR_GUEST_OS_ID, HV_X64_MSR_HYPERCALL, HV_X64_MSR_VP_INDEX};
	uint64_t value;

	EXPECT(t->hv->identity.max_leaf >= HV_CPUID_MIN_MAX_LEAF, "leaf 0x40000000 says 0x%x",
		t->hv->identity.max_leaf);
	for (unsigned i = 0; i < 3; i++)
		EXPECT(conform_read(t, 0, registers[i], &value), "register 0x%x faults",
			registers[i]);
	return CONFORM_PASS;
}

/* If any bit of the one is on, all of the others are. */
static enum conform_verdict implies(
	struct conform_target *t, uint64_t bits, uint64_t privileges, const char *what)
{
	NEED(t->hv->identity.privileges & bits, "%s is off", what);
	EXPECT(conform_has(t, privileges), "%s is on without privileges 0x%llx", what,
		(unsigned long long)(privileges & ~t->hv->identity.privileges));
	return CONFORM_PASS;
}

static enum conform_verdict timers_imply(struct conform_target *t)
{
	return implies(t, HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMERS,
		HV_PRIVILEGE_ACCESS_SYNIC | HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER,
		"AccessSyntheticTimerRegs");
}

static enum conform_verdict messages_imply(struct conform_target *t)
{
	return implies(t, HV_PRIVILEGE_POST_MESSAGES | HV_PRIVILEGE_SIGNAL_EVENTS,
		HV_PRIVILEGE_ACCESS_SYNIC, "PostMessages or SignalEvents");
}

static enum conform_verdict tsc_implies(struct conform_target *t)
{
	return implies(t, HV_PRIVILEGE_ACCESS_REFERENCE_TSC, HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER,
		"AccessPartitionReferenceTsc");
}

static enum conform_verdict frequencies_agree(struct conform_target *t)
{
	const bool privilege = conform_has(t, HV_PRIVILEGE_ACCESS_FREQUENCIES);
	const bool feature = conform_has_feature(t, HV_FEATURE_FREQUENCIES);

	EXPECT(privilege == feature, "privilege %u, feature %u", privilege, feature);
	return CONFORM_PASS;
}

static enum conform_verdict idle_agrees(struct conform_target *t)
{
	const bool privilege = conform_has(t, HV_PRIVILEGE_ACCESS_GUEST_IDLE);
	const bool feature = conform_has_feature(t, HV_FEATURE_GUEST_IDLE);

	EXPECT(privilege == feature, "privilege %u, feature %u", privilege, feature);
	return CONFORM_PASS;
}

static enum conform_verdict apic_recommended(struct conform_target *t)
{
	NEED(conform_is_recommended(t, HV_RECOMMEND_APIC_MSRS), "recommendation 3 is off");
	EXPECT(conform_has(t, HV_PRIVILEGE_ACCESS_INTERRUPT_CONTROL), "AccessIntrCtrlRegs is off");
	return CONFORM_PASS;
}

static enum conform_verdict reset_recommended(struct conform_target *t)
{
	NEED(conform_is_recommended(t, HV_RECOMMEND_RESET_MSR), "recommendation 4 is off");
	EXPECT(conform_has(t, HV_PRIVILEGE_ACCESS_RESET), "AccessResetReg is off");
	return CONFORM_PASS;
}

static enum conform_verdict masks_recommended(struct conform_target *t)
{
	NEED(conform_is_recommended(t, HV_RECOMMEND_EX_PROCESSOR_MASKS),
		"recommendation 11 is off");
	EXPECT(t->hv->identity.hints & (HV_RECOMMEND_REMOTE_FLUSH | HV_RECOMMEND_CLUSTER_IPI),
		"neither 2 nor 10 is on");
	return CONFORM_PASS;
}

static enum conform_verdict leaves_above(struct conform_target *t)
{
	uint32_t last[4], out[4];

	leaf_get(t, t->hv->identity.max_leaf + 1, last);
	for (uint32_t leaf = t->hv->identity.max_leaf + 2; leaf < 0x40000100; leaf += 7) {
		leaf_get(t, leaf, out);
		EXPECT((out[0] | out[1] | out[2] | out[3]) == 0 ||
				__builtin_memcmp(out, last, sizeof out) == 0,
			"leaf 0x%x is 0x%x 0x%x 0x%x 0x%x", leaf, out[0], out[1], out[2], out[3]);
	}
	return CONFORM_PASS;
}

static enum conform_verdict vp_limit(struct conform_target *t)
{
	uint32_t leaf[4];
	uint64_t index;

	leaf_get(t, HV_CPUID_LIMITS, leaf);
	for (uint32_t vp = 0; leaf[0] != 0 && vp < t->hv->vp_count; vp++) {
		EXPECT(conform_read(t, vp, HV_X64_MSR_VP_INDEX, &index), "VP_INDEX faults");
		EXPECT(index < leaf[0], "VP index %llu, limit %u", (unsigned long long)index,
			leaf[0]);
	}
	return CONFORM_PASS;
}

static enum conform_verdict leaves_stay(struct conform_target *t)
{
	uint32_t before[13][4], after[4];

	for (uint32_t i = 0; i < 13; i++)
		leaf_get(t, HV_CPUID_VENDOR_AND_MAX + i, before[i]);
	EXPECT(winhv_hypercall_enable(t->hv, CONFORM_OS_ID) == 0, "hypercalls cannot be enabled");
	if (conform_has(t, HV_PRIVILEGE_ACCESS_SYNIC))
		(void)winhv_synic_enable(t->hv, 0, VMBUS_SINT, CONFORM_VECTOR);
	for (uint32_t i = 0; i < 13; i++) {
		leaf_get(t, HV_CPUID_VENDOR_AND_MAX + i, after);
		EXPECT(__builtin_memcmp(before[i], after, sizeof after) == 0,
			"leaf 0x%x has changed", HV_CPUID_VENDOR_AND_MAX + i);
	}
	return CONFORM_PASS;
}

const struct conform_test conform_cpuid_tests[] = {
	{"R-CPUID-001", "the interface has its leaves and registers", interface_leaf, 0, 0, 0},
	{"R-CPUID-004", "timers come with SynIC and counter", timers_imply, 0, 0, 0},
	{"R-CPUID-007", "frequencies: privilege and feature agree", frequencies_agree, 0, 0, 0},
	{"R-CPUID-009", "guest idle: privilege and feature agree", idle_agrees, 0, 0, 0},
	{"R-CPUID-015", "APIC registers are recommended only with their privilege",
		apic_recommended, 0, 0, 0},
	{"R-CPUID-016", "the reset register likewise", reset_recommended, 0, 0, 0},
	{"R-CPUID-028", "leaves above the highest say nothing", leaves_above, 0, 0, 0},
	{"R-CPUID-029", "the limit of VPs is above every index", vp_limit, 0, 0, 0},
	{"R-CPUID-030", "leaves never change", leaves_stay, 0, 0, 0},
	{"R-CPUID-033", "messages and events come with SynIC", messages_imply, 0, 0, 0},
	{"R-CPUID-033", "the TSC page comes with the counter", tsc_implies, 0, 0, 0},
	{"R-CPUID-034", "processor masks come with flushes or IPIs", masks_recommended, 0, 0, 0},
};
const size_t conform_cpuid_test_count = sizeof conform_cpuid_tests / sizeof conform_cpuid_tests[0];
