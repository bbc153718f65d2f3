// SPDX-License-Identifier: Apache-2.0
/*
 * Tests of the bare-metal image that misbehave, so that its runner can be judged
 * (run --self-check): a triple fault, a hang, a fault, an end without a verdict, and ones
 * that pass, fail and skip. Only an image runs them; elsewhere they are names.
 */
#include "tests/conformance/conform_list.h"

static enum conform_verdict passes(struct conform_target *t)
{
	(void)t;
	return CONFORM_PASS;
}

static enum conform_verdict fails(struct conform_target *t)
{
	return conform_fail(t, "as it should: <&\"'>");
}

static enum conform_verdict skips(struct conform_target *t)
{
	return conform_skip(t, "nothing is promised");
}

static enum conform_verdict triple_fault(struct conform_target *t)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing = {0, 0};

	(void)t;
	__asm__ volatile("lidt	%0\n	ud2" : : "m"(nothing));
	return CONFORM_PASS;
}

static enum conform_verdict hangs(struct conform_target *t)
{
	while (t)
		__asm__ volatile("cli\n	hlt" : : : "memory");
	return CONFORM_PASS;
}

/* Not canonical: #GP, whatever is mapped. */
static enum conform_verdict faults(struct conform_target *t)
{
	(void)t;
	*(volatile uint64_t *)0x8000000000000000ull = 0;
	return CONFORM_PASS;
}

/* The register stays locked until the machine is reset. */
static enum conform_verdict locks(struct conform_target *t)
{
	uint64_t value;

	EXPECT(conform_read(t, 0, HV_X64_MSR_HYPERCALL, &value), "HYPERCALL faults");
	EXPECT(conform_write(t, 0, HV_X64_MSR_HYPERCALL, value | HV_MSR_HYPERCALL_LOCKED),
		"the lock faults");
	return CONFORM_PASS;
}

static const struct conform_test checks[] = {
	{"SELF-PASS", "a test that passes", passes, CONFORM_BUS, 0, 0},
	{"SELF-FAIL", "a test that fails", fails, 0, 0, 0},
	{"SELF-SKIP", "a test that skips", skips, 0, 0, 0},
	{"SELF-DEATH", "the guest's processor gives up", triple_fault, CONFORM_SYNIC, 0, 0},
	{"SELF-AFTER-DEATH", "the next test has a new machine", passes, CONFORM_BUS, 0, 0},
	{"SELF-HANG", "the guest is silent", hangs, 0, 0, 0},
	{"SELF-AFTER-HANG", "the next test has a new machine", passes, CONFORM_BUS, 0, 0},
	{"SELF-FAULT", "the test faults", faults, CONFORM_BUS, 0, 0},
	{"SELF-AFTER-FAULT", "the next test has what it needs", passes, CONFORM_BUS, 0, 0},
	{"SELF-LOCK", "only a reset undoes it", locks, CONFORM_HYPERCALLS, 0,
		HV_FEATURE_HYPERCALL_MSR_LOCK},
	{"SELF-END", "the last test has a machine that was reset", passes, CONFORM_BUS, 0, 0},
};
static const size_t check_count = sizeof checks / sizeof checks[0];

const struct conform_area conform_image_checks = {"runner", checks, &check_count};
