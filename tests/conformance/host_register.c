// SPDX-License-Identifier: Apache-2.0
/*
 * Synthetic registers: what only one of them does, and the pages that they place. What is the
 * same for all is in host_msr.c.
 */
#include "tests/conformance/conform_areas.h"

/* In the table of protocol/hypervisor.md, section 3, whether promised or not. */
static bool is_register(uint32_t msr)
{
	static const struct {
		uint32_t first, last;
	} known[] = {
		{0x40000000, 0x40000003},
		{0x40000010, 0x40000010},
		{0x40000020, 0x40000023},
		{0x40000040, 0x40000040},
		{0x40000070, 0x40000073},
		{0x40000080, 0x40000084},
		{0x40000090, 0x4000009f},
		{0x400000b0, 0x400000b7},
		{0x400000f0, 0x400000f5},
		{0x400000ff, 0x40000108},
		{0x40000114, 0x40000115},
		{0x40000118, 0x40000118},
	};

	for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
		if (msr >= known[i].first && msr <= known[i].last)
			return true;
	return false;
}

static enum conform_verdict unknown_numbers(struct conform_target *t)
{
	uint64_t value;

	for (uint32_t msr = HV_X64_MSR_FIRST; msr <= HV_X64_MSR_LAST; msr++) {
		if (is_register(msr))
			continue;
		EXPECT(!conform_read(t, 0, msr, &value), "0x%x can be read", msr);
		EXPECT(!conform_write(t, 0, msr, 0), "0x%x can be written", msr);
	}
	return CONFORM_PASS;
}

static enum conform_verdict sint_vectors(struct conform_target *t)
{
	uint64_t value;

	for (uint64_t vector = 0; vector < HV_SINT_MIN_VECTOR; vector++) {
		EXPECT(!conform_write(t, 0, HV_X64_MSR_SINT0 + 3, vector), "SINT3 takes vector %u",
			(unsigned)vector);
		EXPECT(conform_write(t, 0, HV_X64_MSR_SINT0 + 3, vector | HV_SINT_MASKED),
			"SINT3, masked, does not take vector %u", (unsigned)vector);
	}
	EXPECT(conform_write(t, 0, HV_X64_MSR_SINT0 + 3, HV_SINT_MIN_VECTOR), "vector 16 faults");
	EXPECT(conform_read(t, 0, HV_X64_MSR_SINT0 + 3, &value) && value == HV_SINT_MIN_VECTOR,
		"SINT3 reads 0x%llx", (unsigned long long)value);
	return CONFORM_PASS;
}

static enum conform_verdict scontrol(struct conform_target *t)
{
	uint64_t value;

	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
		EXPECT(conform_read(t, vp, HV_X64_MSR_SCONTROL, &value) && value == 1,
			"SCONTROL of VP %u reads 0x%llx, not 0x1", vp, (unsigned long long)value);
	return CONFORM_PASS;
}

static enum conform_verdict eom(struct conform_target *t)
{
	uint64_t value;

	EXPECT(conform_write(t, 0, HV_X64_MSR_EOM, 0x1234), "a write of EOM faults");
	EXPECT(conform_read(t, 0, HV_X64_MSR_EOM, &value) && value == 0, "EOM reads 0x%llx",
		(unsigned long long)value);
	return CONFORM_PASS;
}

static enum conform_verdict page_not_memory(struct conform_target *t)
{
	static const uint32_t registers[] = {HV_X64_MSR_SIMP, HV_X64_MSR_SIEFP};
	const uint64_t outside = (1ull << 45) | HV_MSR_PAGE_ENABLE;
	uint64_t value;

	for (unsigned i = 0; i < 2; i++) {
		EXPECT(!conform_write(t, 0, registers[i], outside),
			"register 0x%x takes a page that is not memory", registers[i]);
		EXPECT(conform_read(t, 0, registers[i], &value) && value == 0,
			"register 0x%x reads 0x%llx after a fault", registers[i],
			(unsigned long long)value);
	}
	return CONFORM_PASS;
}

static enum conform_verdict os_id(struct conform_target *t)
{
	static const uint64_t ids[] = {1, CONFORM_OS_ID, 0x0001040600000001, 0xffffffffffffffff};
	uint64_t value;

	for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		EXPECT(conform_write(t, 0, HV_X64_MSR_GUEST_OS_ID, ids[i]), "GUEST_OS_ID faults");
		EXPECT(conform_read(t, 0, HV_X64_MSR_GUEST_OS_ID, &value) && value == ids[i],
			"0x%llx reads as 0x%llx", (unsigned long long)ids[i],
			(unsigned long long)value);
	}
	return CONFORM_PASS;
}

static enum conform_verdict os_id_any(struct conform_target *t)
{
	const uint16_t nobody = HV_STATUS_INVALID_CONNECTION_ID;

	for (uint64_t id = 1; id != 0; id <<= 9) {
		EXPECT(winhv_hypercall_enable(t->hv, id) == 0, "id 0x%llx: no hypercalls",
			(unsigned long long)id);
		const uint16_t status = conform_status(t, HV_CALL_SIGNAL_EVENT | HV_HYPERCALL_FAST,
			hv_signal_event_fast(0xdddd, 0), 0);
		EXPECT(status == nobody, "id 0x%llx: status 0x%x", (unsigned long long)id, status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict page_needs_id(struct conform_target *t)
{
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	uint64_t value;

	EXPECT(conform_write(t, 0, HV_X64_MSR_GUEST_OS_ID, 0), "GUEST_OS_ID faults");
	EXPECT(conform_write(t, 0, HV_X64_MSR_HYPERCALL, page.gpa | HV_MSR_PAGE_ENABLE),
		"HYPERCALL faults");
	EXPECT(conform_read(t, 0, HV_X64_MSR_HYPERCALL, &value) && !(value & HV_MSR_PAGE_ENABLE),
		"it is enabled without a guest OS id");
	return CONFORM_PASS;
}

static enum conform_verdict id_zero_disables(struct conform_target *t)
{
	uint64_t value;

	EXPECT(conform_read(t, 0, HV_X64_MSR_HYPERCALL, &value) && (value & HV_MSR_PAGE_ENABLE),
		"HYPERCALL is not enabled");
	EXPECT(conform_write(t, 0, HV_X64_MSR_GUEST_OS_ID, 0), "GUEST_OS_ID faults");
	EXPECT(conform_read(t, 0, HV_X64_MSR_HYPERCALL, &value) && !(value & HV_MSR_PAGE_ENABLE),
		"HYPERCALL reads 0x%llx", (unsigned long long)value);
	return CONFORM_PASS;
}

static enum conform_verdict page_beyond(struct conform_target *t)
{
	EXPECT(conform_write(t, 0, HV_X64_MSR_GUEST_OS_ID, CONFORM_OS_ID), "GUEST_OS_ID faults");
	EXPECT(!conform_write(t, 0, HV_X64_MSR_HYPERCALL, 0xfffffffffffff000 | HV_MSR_PAGE_ENABLE),
		"a page at the end of 64 bits was taken");
	return CONFORM_PASS;
}

static enum conform_verdict beneath(struct conform_target *t)
{
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);

	__builtin_memset(page.va, 0x5c, WINHV_PAGE_BYTES);
	EXPECT(conform_write(t, 0, HV_X64_MSR_SIMP, page.gpa | HV_MSR_PAGE_ENABLE), "SIMP faults");
	EXPECT(conform_write(t, 0, HV_X64_MSR_SIMP, 0), "SIMP faults");
	NEED(page.va[0] != 0 || page.va[4095] != 0,
		"this hypervisor keeps its pages in the guest's memory");
	for (unsigned i = 0; i < WINHV_PAGE_BYTES; i++)
		EXPECT(page.va[i] == 0x5c, "byte %u reads 0x%x", i, page.va[i]);
	return CONFORM_PASS;
}

/* Two pages in one place, taken away from below and from above. */
static enum conform_verdict beneath_two(struct conform_target *t)
{
	static const uint32_t registers[] = {HV_X64_MSR_SIMP, HV_X64_MSR_SIEFP};
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	volatile uint8_t *memory = page.va;

	__builtin_memset(page.va, 0x5c, WINHV_PAGE_BYTES);
	EXPECT(conform_write(t, 0, HV_X64_MSR_SIMP, page.gpa | HV_MSR_PAGE_ENABLE), "SIMP faults");
	EXPECT(conform_write(t, 0, HV_X64_MSR_SIMP, 0), "SIMP faults");
	NEED(memory[0] != 0 || memory[4095] != 0,
		"this hypervisor keeps its pages in the guest's memory");
	for (unsigned first = 0; first < 2; first++) {
		__builtin_memset(page.va, 0x5c, WINHV_PAGE_BYTES);
		for (unsigned i = 0; i < 2; i++)
			EXPECT(conform_write(t, 0, registers[i], page.gpa | HV_MSR_PAGE_ENABLE),
				"register 0x%x faults", registers[i]);
		EXPECT(conform_write(t, 0, registers[first], 0), "it faults");
		EXPECT(conform_write(t, 0, registers[1 - first], 0), "it faults");
		for (unsigned i = 0; i < WINHV_PAGE_BYTES; i++)
			EXPECT(memory[i] == 0x5c, "0x%x first: byte %u reads 0x%x",
				registers[first], i, memory[i]);
	}
	return CONFORM_PASS;
}

static enum conform_verdict synic_pages_empty(struct conform_target *t)
{
	static const uint32_t registers[] = {HV_X64_MSR_SIMP, HV_X64_MSR_SIEFP};

	for (unsigned r = 0; r < 2; r++) {
		const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
		__builtin_memset(page.va, 0xa5, WINHV_PAGE_BYTES);
		EXPECT(conform_write(t, 0, registers[r], page.gpa | HV_MSR_PAGE_ENABLE),
			"it faults");
		for (unsigned i = 0; i < WINHV_PAGE_BYTES; i++)
			EXPECT(((volatile uint8_t *)page.va)[i] == 0,
				"register 0x%x: byte %u reads 0x%x", registers[r], i, page.va[i]);
	}
	return CONFORM_PASS;
}

/* As winhv numbers them: those of a machine are in the order of their firmware's tables. */
static enum conform_verdict vp_indices(struct conform_target *t)
{
	uint64_t value;

	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
		EXPECT(conform_read(t, vp, HV_X64_MSR_VP_INDEX, &value) && value == vp,
			"VP_INDEX of VP %u reads %llu", vp, (unsigned long long)value);
	return CONFORM_PASS;
}

static enum conform_verdict lock(struct conform_target *t)
{
	uint64_t before, after;

	EXPECT(conform_read(t, 0, HV_X64_MSR_HYPERCALL, &before), "HYPERCALL faults");
	EXPECT(conform_write(t, 0, HV_X64_MSR_HYPERCALL, before | HV_MSR_HYPERCALL_LOCKED),
		"the lock faults");
	(void)conform_write(t, 0, HV_X64_MSR_HYPERCALL, 0);
	EXPECT(conform_read(t, 0, HV_X64_MSR_HYPERCALL, &after) &&
			after == (before | HV_MSR_HYPERCALL_LOCKED),
		"after the lock 0x%llx became 0x%llx", (unsigned long long)before,
		(unsigned long long)after);
	return CONFORM_PASS;
}

static enum conform_verdict time_forward(struct conform_target *t)
{
	uint64_t last = 0, now;

	for (unsigned i = 0; i < 200; i++) {
		EXPECT(conform_read(t, i % t->hv->vp_count, HV_X64_MSR_TIME_REF_COUNT, &now),
			"TIME_REF_COUNT faults");
		EXPECT(now >= last, "%llu came after %llu", (unsigned long long)now,
			(unsigned long long)last);
		last = now;
	}
	return CONFORM_PASS;
}

#define SYNIC HV_PRIVILEGE_ACCESS_SYNIC
const struct conform_test conform_register_tests[] = {
	{"R-REG-002", "numbers that are no register fault", unknown_numbers, 0, 0, 0},
	{"R-REG-004", "a SINT has a vector from 16 on, or is masked", sint_vectors, 0, SYNIC, 0},
	{"R-REG-005", "SCONTROL is 1 after reset", scontrol, 0, SYNIC, 0},
	{"R-REG-006", "EOM reads as 0", eom, 0, SYNIC, 0},
	{"R-REG-007", "any guest OS id but 0 will do", os_id_any, 0, HV_PRIVILEGE_SIGNAL_EVENTS, 0},
	{"R-REG-008", "the guest OS id reads back", os_id, 0, 0, 0},
	{"R-REG-009", "no hypercall page without a guest OS id", page_needs_id, 0, 0, 0},
	{"R-REG-010", "guest OS id 0 disables the hypercall page", id_zero_disables,
		CONFORM_HYPERCALLS, 0, 0},
	{"R-REG-011", "a hypercall page beyond the address space faults", page_beyond, 0, 0, 0},
	{"R-REG-013", "the memory beneath a page comes back", beneath, 0, SYNIC, 0},
	{"R-REG-013", "the memory beneath two pages comes back", beneath_two, 0, SYNIC, 0},
	{"R-REG-014", "SynIC pages are zero at first", synic_pages_empty, 0, SYNIC, 0},
	{"R-REG-020", "VP_INDEX: its value after reset", vp_indices, 0, 0, 0},
	{"R-REG-023", "SynIC pages must be memory", page_not_memory, 0, SYNIC, 0},
	{"R-CPUID-022", "the hypercall register can be locked", lock,
		CONFORM_HYPERCALLS | CONFORM_LAST, 0, HV_FEATURE_HYPERCALL_MSR_LOCK},
	{"R-TIME-001", "reference time does not go back, over all VPs", time_forward, 0,
		HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER, 0},
};
const size_t conform_register_test_count = sizeof conform_register_tests /
					   sizeof conform_register_tests[0];
