// SPDX-License-Identifier: Apache-2.0
/*
 * Crash registers, up to the report itself: with that the partition may end. The image's own
 * report by them (image_report.c) is judged by whoever reads it.
 */
#include "guest/winhv/calls.h"
#include "tests/conformance/conform_areas.h"

#define PARAMETERS 5u
#define NAMED	   (HV_CRASH_NOTIFY | HV_CRASH_MESSAGE | HV_CRASH_NO_DUMP | HV_CRASH_PRE_OS_ID_MASK)

static bool is_there(struct conform_target *t, uint32_t vp, uint32_t n, uint64_t wanted)
{
	uint64_t value = 0;

	return (conform_read(t, vp, HV_X64_MSR_CRASH_P0 + n, &value) && value == wanted) ||
	       conform_no(t, "P%u was written 0x%llx and reads 0x%llx on VP %u", n,
		       (unsigned long long)wanted, (unsigned long long)value, vp);
}

static uint64_t own(uint32_t n)
{
	return 0x1111111111111111ull * (n + 1);
}

static bool own_put(struct conform_target *t)
{
	for (uint32_t n = 0; n < PARAMETERS; n++)
		if (!conform_write(t, 0, HV_X64_MSR_CRASH_P0 + n, own(n)))
			return conform_no(t, "P%u faults", n);
	return true;
}

static bool own_kept(struct conform_target *t)
{
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
		for (uint32_t n = 0; n < PARAMETERS; n++)
			if (!is_there(t, vp, n, own(n)))
				return false;
	return true;
}

static enum conform_verdict control(struct conform_target *t)
{
	uint64_t value;

	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++) {
		EXPECT(conform_read(t, vp, HV_X64_MSR_CRASH_CTL, &value), "CRASH_CTL faults");
		EXPECT(value & HV_CRASH_NOTIFY, "CRASH_CTL reads 0x%llx on VP %u",
			(unsigned long long)value, vp);
		EXPECT(!(value & ~NAMED), "CRASH_CTL reads 0x%llx on VP %u: bits without meaning",
			(unsigned long long)value, vp);
	}
	return CONFORM_PASS;
}

static enum conform_verdict each_its_own(struct conform_target *t)
{
	TRY(own_put(t));
	TRY(own_kept(t));
	return CONFORM_PASS;
}

static enum conform_verdict every_bit(struct conform_target *t)
{
	for (uint32_t n = 0; n < PARAMETERS; n++)
		for (unsigned bit = 0; bit < 64; bit++) {
			const uint64_t value = bit % 2 ? 1ull << bit : ~(1ull << bit);
			EXPECT(conform_write(t, 0, HV_X64_MSR_CRASH_P0 + n, value), "P%u faults",
				n);
			TRY(is_there(t, 0, n, value));
		}
	return CONFORM_PASS;
}

static enum conform_verdict by_hypercall(struct conform_target *t)
{
	static const uint32_t names[PARAMETERS] = {HV_REGISTER_CRASH_P0, HV_REGISTER_CRASH_P0 + 1,
		HV_REGISTER_CRASH_P0 + 2, HV_REGISTER_CRASH_P0 + 3, HV_REGISTER_CRASH_P0 + 4};
	struct hv_register_value_wire values[PARAMETERS];
	uint16_t done = 0, status = CONFORM_FAULT;

	TRY(own_put(t));
	(void)winhv_registers_get(
		t->hv, HV_VP_INDEX_SELF, names, PARAMETERS, values, &done, &status);
	EXPECT(status == 0, "reading register 0x%x gave status 0x%x",
		names[done < PARAMETERS ? done : 0], status);
	for (uint32_t n = 0; n < PARAMETERS; n++)
		EXPECT(values[n].low == own(n) && values[n].high == 0, "P%u is 0x%llx by hypercall",
			n, (unsigned long long)values[n].low);
	return CONFORM_PASS;
}

/* With what would be a text that is none. */
static enum conform_verdict no_report(struct conform_target *t)
{
	static const uint64_t values[] = {0, HV_CRASH_MESSAGE, HV_CRASH_NO_DUMP,
		HV_CRASH_MESSAGE | HV_CRASH_PRE_OS_ID_MASK, ~HV_CRASH_NOTIFY, 1};
	uint64_t before, after;

	TRY(own_put(t));
	EXPECT(conform_read(t, 0, HV_X64_MSR_CRASH_CTL, &before), "CRASH_CTL faults");
	for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
		for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
			EXPECT(conform_write(t, vp, HV_X64_MSR_CRASH_CTL, values[i]),
				"CRASH_CTL takes no 0x%llx", (unsigned long long)values[i]);
	TRY(own_kept(t));
	EXPECT(conform_read(t, 0, HV_X64_MSR_CRASH_CTL, &after) && after == before,
		"CRASH_CTL reads 0x%llx, and read 0x%llx before", (unsigned long long)after,
		(unsigned long long)before);
	return CONFORM_PASS;
}

#define CRASH HV_FEATURE_GUEST_CRASH_MSRS
const struct conform_test conform_crash_tests[] = {
	{"R-CPUID-008", "CRASH_CTL says what may be reported, on every VP", control, 0, 0, CRASH},
	{"R-REG-017", "P0 to P4 read back, on every VP", each_its_own, 0, 0, CRASH},
	{"R-REG-017", "P0 to P4 keep every bit", every_bit, 0, 0, CRASH},
	{"R-REG-017", "P0 to P4 are the same by hypercall", by_hypercall, CONFORM_HYPERCALLS,
		HV_PRIVILEGE_ACCESS_VP_REGISTERS, CRASH},
	{"R-REG-018", "CRASH_CTL without bit 63 reports nothing", no_report, 0, 0, CRASH},
};
const size_t conform_crash_test_count = sizeof conform_crash_tests / sizeof conform_crash_tests[0];
