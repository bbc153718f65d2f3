// SPDX-License-Identifier: Apache-2.0
/*
 * Registers of a VP through HvCallGetVpRegisters and HvCallSetVpRegisters, on every VP,
 * compared with what the processor itself says; VP indices by APIC id; debug output.
 */
#include "tests/bare/bare_test.h"

#define MSR_EFER	   0xc0000080u
#define MSR_STAR	   0xc0000081u
#define MSR_LSTAR	   0xc0000082u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define NOWHERE		   0x7fffffffu /* a register that does not exist */

static char failure[120]; /* of the VP that runs; "" if none */

static void fail(const char *what, uint64_t got, uint64_t wanted)
{
	if (!failure[0])
		(void)bare_print_to(failure, sizeof failure, "VP %u: %s: 0x%lx in place of 0x%lx",
			bare_vp()->index, what, got, wanted);
}

static bool get(uint32_t name, struct hv_register_value_wire *value)
{
	uint16_t status = 0xffff, done = 0;

	*value = (struct hv_register_value_wire){0};
	return !winhv_registers_get(
		       bare_winhv(), HV_VP_INDEX_SELF, &name, 1, value, &done, &status) &&
	       status == 0 && done == 1;
}

static uint16_t set(uint32_t name, uint64_t low, uint64_t high)
{
	const struct hv_set_register_wire wire = {.name = name, .value = {low, high}};
	uint16_t status = 0xffff, done = 0;

	return winhv_registers_set(bare_winhv(), HV_VP_INDEX_SELF, &wire, 1, &done, &status)
		       ? 0xffff
		       : status;
}

static void on_all(const char *name, void (*fn)(void *ctx))
{
	failure[0] = 0;
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		bare_run_on(vp, fn, NULL);
	check(!failure[0], name, "%s", failure);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static void expect(const char *what, uint32_t name, uint64_t wanted)
{
	struct hv_register_value_wire value;

	if (!get(name, &value))
		fail(what, UINT64_MAX, wanted);
	else if (value.low != wanted)
		fail(what, value.low, wanted);
}

static void control_registers(void *ctx)
{
	uint64_t cr0, cr3, cr4, efer = 0;

	(void)ctx;
	__asm__ volatile("movq	%%cr0, %0" : "=r"(cr0));
	__asm__ volatile("movq	%%cr3, %0" : "=r"(cr3));
	__asm__ volatile("movq	%%cr4, %0" : "=r"(cr4));
	(void)test_read(MSR_EFER, &efer);
	expect("CR0", HV_X64_REGISTER_CR0, cr0);
	expect("CR3", HV_X64_REGISTER_CR3, cr3);
	expect("CR4", HV_X64_REGISTER_CR4, cr4);
	expect("EFER", HV_X64_REGISTER_EFER, efer);
}

static void tables(void *ctx)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table;
	struct hv_register_value_wire value;
	struct hv_x64_table_wire wire;
	struct hv_x64_segment_wire segment;
	uint16_t selector;

	(void)ctx;
	__asm__ volatile("sgdt	%0" : "=m"(table));
	(void)get(HV_X64_REGISTER_GDTR, &value);
	__builtin_memcpy(&wire, &value, sizeof wire);
	if (wire.base != table.base || wire.limit != table.limit)
		fail("GDTR", wire.base, table.base);
	__asm__ volatile("sidt	%0" : "=m"(table));
	(void)get(HV_X64_REGISTER_IDTR, &value);
	__builtin_memcpy(&wire, &value, sizeof wire);
	if (wire.base != table.base || wire.limit != table.limit)
		fail("IDTR", wire.base, table.base);
	__asm__ volatile("str	%0" : "=r"(selector));
	(void)get(HV_X64_REGISTER_TR, &value);
	__builtin_memcpy(&segment, &value, sizeof segment);
	if (segment.selector != selector)
		fail("TR", segment.selector, selector);
	__asm__ volatile("movw	%%cs, %0" : "=r"(selector));
	(void)get(HV_X64_REGISTER_CS, &value);
	__builtin_memcpy(&segment, &value, sizeof segment);
	/* attributes as in a VMCB and a VMCS: 64-bit code, present, accessed */
	if (segment.selector != selector || (segment.attributes & 0x209f) != 0x209b)
		fail("CS", segment.attributes, 0x209b);
}

static void synthetic(void *ctx)
{
	struct hv_register_value_wire value;
	uint64_t before = 0, after = 0, index = 0, sint = 0;

	(void)ctx;
	(void)test_read(HV_X64_MSR_VP_INDEX, &index);
	(void)test_read(HV_X64_MSR_SINT0 + 12, &sint);
	expect("VP_INDEX", HV_REGISTER_VP_INDEX, index);
	expect("GUEST_OS_ID", HV_REGISTER_GUEST_OS_ID, TEST_OS_ID);
	expect("SINT12", HV_REGISTER_SINT0 + 12, sint);
	(void)test_read(HV_X64_MSR_TIME_REF_COUNT, &before);
	const bool is_read = get(HV_REGISTER_TIME_REF_COUNT, &value);
	(void)test_read(HV_X64_MSR_TIME_REF_COUNT, &after);
	if (!is_read || value.low < before || value.low > after)
		fail("TIME_REF_COUNT", value.low, before);
	before = bare_tsc();
	if (!get(HV_X64_REGISTER_TSC, &value) || value.low < before || value.low > bare_tsc())
		fail("TSC", value.low, before);
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static void written(const char *what, uint32_t name, uint32_t msr, uint64_t wanted)
{
	uint64_t before = 0, after = 0;

	(void)test_read(msr, &before);
	const uint16_t status = set(name, wanted, 0);
	(void)test_read(msr, &after);
	(void)test_write(msr, before);
	if (status != 0 || after != wanted)
		fail(what, status ? status : after, wanted);
}

static void writes(void *ctx)
{
	uint64_t dr0, xmm[2];

	(void)ctx;
	written("LSTAR", HV_X64_REGISTER_LSTAR, MSR_LSTAR, 0x123456789000);
	written("KERNEL_GS_BASE", HV_X64_REGISTER_KERNEL_GS_BASE, MSR_KERNEL_GS_BASE, 0x1122334455);
	written("STAR", HV_X64_REGISTER_STAR, MSR_STAR, 0x0023001000000000);
	if (test_has(HV_PRIVILEGE_ACCESS_SYNIC))
		written("SINT12", HV_REGISTER_SINT0 + 12, HV_X64_MSR_SINT0 + 12, 0x100c5);
	const uint16_t status = set(HV_X64_REGISTER_DR0, 0x1234000, 0);
	__asm__ volatile("movq	%%dr0, %0" : "=r"(dr0));
	if (status || dr0 != 0x1234000)
		fail("DR0", status ? status : dr0, 0x1234000);
	const uint16_t wide = set(HV_X64_REGISTER_XMM0 + 3, 0x1111222233334444, 0x5555666677778888);
	__asm__ volatile("movups	%%xmm3, %0" : "=m"(xmm));
	if (wide || xmm[0] != 0x1111222233334444 || xmm[1] != 0x5555666677778888)
		fail("XMM3", wide ? wide : xmm[0], 0x1111222233334444);
	struct hv_register_value_wire value;
	if (!get(HV_X64_REGISTER_XMM0 + 3, &value) || value.high != 0x5555666677778888)
		fail("XMM3, read back", value.high, 0x5555666677778888);
}

/* ---- what is refused ---------------------------------------------------------------------------
 */

static void refusals(void)
{
	struct winhv *hv = bare_winhv();
	const uint32_t name = HV_REGISTER_VP_INDEX;
	const struct hv_vp_registers_header_wire foreign = {
		.partition_id = 0x12345, .vp_index = HV_VP_INDEX_SELF};
	struct hv_register_value_wire value;
	struct hv_set_register_wire three[3] = {
		{.name = HV_X64_REGISTER_LSTAR, .value = {0x1000, 0}},
		{.name = NOWHERE},
		{.name = HV_X64_REGISTER_LSTAR, .value = {0x2000, 0}},
	};
	uint16_t status, done;
	uint64_t lstar = 0;

	status = set(NOWHERE, 0, 0);
	check(status == HV_STATUS_INVALID_PARAMETER || status == HV_STATUS_UNKNOWN_REGISTER_NAME,
		"a register that does not exist cannot be set", "status 0x%x", status);
	status = set(HV_REGISTER_VP_INDEX, 7, 0);
	check(status != HV_STATUS_SUCCESS, "a read-only register cannot be set", "status 0x%x",
		status);
	(void)winhv_registers_set(hv, HV_VP_INDEX_SELF, three, 3, &done, &status);
	(void)test_read(MSR_LSTAR, &lstar);
	check(status != 0 && done == 1 && lstar == 0x1000,
		"of three, the second bad: one is set, and counted", "status 0x%x, %u done, 0x%lx",
		status, done, lstar);
	(void)test_write(MSR_LSTAR, 0);
	(void)winhv_registers_get(hv, 0x1000, &name, 1, &value, &done, &status);
	check(status == HV_STATUS_INVALID_VP_INDEX, "a VP that does not exist", "status 0x%x",
		status);
	(void)winhv_hypercall_rep(hv, HV_CALL_GET_VP_REGISTERS, &foreign, sizeof foreign, &name,
		sizeof name, 1, &value, sizeof value, &done, &status);
	check(status == HV_STATUS_ACCESS_DENIED || status == HV_STATUS_INVALID_PARTITION_ID,
		"another partition's VP", "status 0x%x", status);
	status = set(HV_X64_REGISTER_CR4, 1ull << 63, 0);
	check(status != HV_STATUS_SUCCESS, "a value that the processor would not take",
		"status 0x%x", status);
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

static uint64_t indices[BARE_VPS_MAX];

static void index_read(void *ctx)
{
	(void)ctx;
	(void)test_read(HV_X64_MSR_VP_INDEX, &indices[bare_vp()->index]);
}

static void apic_ids(void)
{
	struct winhv *hv = bare_winhv();
	uint32_t ids[BARE_VPS_MAX], found[BARE_VPS_MAX];
	const uint32_t unknown = 0x7777;
	uint16_t status = 0xffff, done = 0;
	bool is_right = true;

	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		ids[vp] = bare.vps[vp].apic_id;
	const int error = winhv_vp_index_from_apic_id(
		hv, ids, (uint16_t)bare.vp_count, found, &done, &status);
	if (!test_has(HV_PRIVILEGE_START_VIRTUAL_PROCESSOR) && status != HV_STATUS_SUCCESS) {
		skip("VP indices by APIC id", "StartVirtualProcessor is not promised");
		return;
	}
	bare_run_on_all(index_read, NULL);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		is_right = is_right && found[vp] == indices[vp];
	check(!error && !status && done == bare.vp_count && is_right, "VP indices by APIC id",
		"error %d, status 0x%x, %u done, first %u", error, status, done, found[0]);
	(void)winhv_vp_index_from_apic_id(hv, &unknown, 1, found, &done, &status);
	check(status != HV_STATUS_SUCCESS && done == 0, "an APIC id that no VP has", "status 0x%x",
		status);
}

static void debug_output(void)
{
	static const char text[] = "debug output of a test kernel\n";
	uint32_t pending = 99;
	uint16_t status = 0xffff;

	if (!test_has(HV_PRIVILEGE_DEBUGGING)) {
		skip("debug output", "Debugging is not promised");
		return;
	}
	const int error = winhv_post_debug_data(
		bare_winhv(), text, sizeof text - 1, &pending, &status);
	check(!error && status == 0 && pending == 0, "debug output is taken",
		"error %d, status 0x%x, %u pending", error, status, pending);
}

void test_main(void)
{
	if (!test_hypercalls("hypercall page"))
		return;
	if (test_group("apic"))
		apic_ids();
	if (test_group("debug"))
		debug_output();
	if (!test_has(HV_PRIVILEGE_ACCESS_VP_REGISTERS)) {
		skip("registers", "AccessVpRegisters is not promised");
		return;
	}
	if (test_group("get")) {
		on_all("control registers", control_registers);
		on_all("descriptor tables and segments", tables);
		on_all("synthetic registers and time", synthetic);
	}
	if (test_group("set"))
		on_all("registers can be set", writes);
	if (test_group("refused"))
		refusals();
}
