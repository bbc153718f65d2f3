// SPDX-License-Identifier: Apache-2.0
/*
 * What CPUID promises of hypercalls, and whether it is kept: each privilege and
 * recommendation joined to its calls, in both directions (promised: they work; not promised:
 * ACCESS_DENIED). Registers: features.c.
 */
#include "tests/bare/bare_test.h"

#define P(name)	    HV_PRIVILEGE_##name
#define SELF_VECTOR 0xb8u

struct call_row {
	uint64_t privilege;
	uint16_t code, reps;
};

static const struct call_row call_rows[] = {
	{P(CREATE_PARTITIONS), HV_CALL_CREATE_PARTITION, 0},
	{P(ACCESS_PARTITION_ID), HV_CALL_GET_PARTITION_ID, 0},
	{P(ACCESS_MEMORY_POOL), HV_CALL_DEPOSIT_MEMORY, 1},
	{P(ACCESS_MEMORY_POOL), HV_CALL_WITHDRAW_MEMORY, 1},
	{P(ACCESS_MEMORY_POOL), HV_CALL_GET_MEMORY_BALANCE, 0},
	{P(POST_MESSAGES), HV_CALL_POST_MESSAGE, 0},
	{P(SIGNAL_EVENTS), HV_CALL_SIGNAL_EVENT, 0},
	{P(CREATE_PORT), HV_CALL_CREATE_PORT, 0},
	{P(CREATE_PORT), HV_CALL_DELETE_PORT, 0},
	{P(CONNECT_PORT), HV_CALL_CONNECT_PORT, 0},
	{P(CONNECT_PORT), HV_CALL_DISCONNECT_PORT, 0},
	{P(ACCESS_STATS), HV_CALL_MAP_STATS_PAGE, 0},
	{P(ACCESS_STATS), HV_CALL_UNMAP_STATS_PAGE, 0},
	{P(DEBUGGING), HV_CALL_POST_DEBUG_DATA, 0},
	{P(DEBUGGING), HV_CALL_RETRIEVE_DEBUG_DATA, 0},
	{P(DEBUGGING), HV_CALL_RESET_DEBUG_SESSION, 0},
	{P(CPU_MANAGEMENT), HV_CALL_GET_LOGICAL_PROCESSOR_RUN_TIME, 0},
	{P(ACCESS_VSM), HV_CALL_ENABLE_PARTITION_VTL, 0},
	{P(ACCESS_VSM), HV_CALL_ENABLE_VP_VTL, 0},
	{P(ACCESS_VP_REGISTERS), HV_CALL_GET_VP_REGISTERS, 1},
	{P(ACCESS_VP_REGISTERS), HV_CALL_SET_VP_REGISTERS, 1},
	{P(ENABLE_EXTENDED_HYPERCALLS), HV_CALL_EXT_QUERY_CAPABILITIES, 0},
	{P(START_VIRTUAL_PROCESSOR), HV_CALL_START_VIRTUAL_PROCESSOR, 0},
};

/*
 * Without the privilege: ACCESS_DENIED. With it: anything but that, and but "no such
 * call": parameters are zeros, so that most complain about those.
 */
static void calls_and_privileges(void)
{
	uint8_t *pages = bare_pages(2);
	const struct hv_vp_registers_header_wire own = {
		.partition_id = HV_PARTITION_ID_SELF, .vp_index = HV_VP_INDEX_SELF};

	for (size_t i = 0; i < sizeof call_rows / sizeof call_rows[0]; i++) {
		const struct call_row *row = &call_rows[i];
		const bool is_there = test_has(row->privilege);
		const bool is_own = row->privilege == P(ACCESS_VP_REGISTERS);
		char name[80];
		__builtin_memset(pages, 0, sizeof own);
		if (is_own) /* of another partition's VPs, it would not be allowed */
			__builtin_memcpy(pages, &own, sizeof own);
		const uint16_t status = test_status(hv_hypercall_input(row->code, 0, row->reps),
			(uintptr_t)pages, (uintptr_t)pages + BARE_PAGE_BYTES);
		(void)bare_print_to(name, sizeof name, "%s: %s%s", is_there ? "P10, P11" : "P12",
			hv_call_name(row->code), is_there ? "" : " (not promised)");
		if (is_there)
			check(status != HV_STATUS_ACCESS_DENIED &&
					status != HV_STATUS_INVALID_HYPERCALL_CODE,
				name, "status 0x%x (%s)", status, hv_status_name(status));
		else
			check(status == HV_STATUS_ACCESS_DENIED, name,
				"status 0x%x (%s) in place of ACCESS_DENIED", status,
				hv_status_name(status));
	}
	check(test_status(hv_hypercall_input(0xbeef & 0x7fff, 0, 0), 0, 0) ==
			HV_STATUS_INVALID_HYPERCALL_CODE,
		"P12: an unknown code is INVALID_HYPERCALL_CODE", "status 0x%x",
		test_status(hv_hypercall_input(0xbeef & 0x7fff, 0, 0), 0, 0));
}

static void recommended(const char *name, uint32_t hint, int error, uint16_t status)
{
	if (!test_is_recommended(hint))
		skip(name, "not recommended");
	else
		check(!error && status == HV_STATUS_SUCCESS, name, "error %d, status 0x%x (%s)",
			error, status, hv_status_name(status));
}

/* R-CPUID-013, R-CPUID-014, R-CPUID-017. */
static void calls_recommended(struct winhv *hv)
{
	const uint32_t ex = HV_RECOMMEND_EX_PROCESSOR_MASKS;
	const uint64_t all = HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_ADDRESS_SPACES;
	const uint64_t range = (uint64_t)BARE_WINDOW;
	const struct winhv_vp_set set = {.is_all = true}, nobody = {0};
	uint32_t leaf[4];
	uint16_t status = 0xffff, done = 0;

	int error = winhv_flush(hv, false, 0, all, 0, &status);
	recommended("P13: FlushVirtualAddressSpace", HV_RECOMMEND_REMOTE_FLUSH, error, status);
	error = winhv_flush_list(hv, false, 0, all, 0, &range, 1, &done, &status);
	recommended("P13: FlushVirtualAddressList", HV_RECOMMEND_REMOTE_FLUSH, error, status);
	error = winhv_flush_ex(hv, false, 0, all, &set, &status);
	recommended(
		"P13: FlushVirtualAddressSpaceEx", HV_RECOMMEND_REMOTE_FLUSH | ex, error, status);
	error = winhv_flush_list_ex(hv, false, 0, all, &set, &range, 1, &done, &status);
	recommended(
		"P13: FlushVirtualAddressListEx", HV_RECOMMEND_REMOTE_FLUSH | ex, error, status);
	error = winhv_send_ipi(hv, true, SELF_VECTOR, 0, &status);
	recommended(
		"P14: SendSyntheticClusterIpi to nobody", HV_RECOMMEND_CLUSTER_IPI, error, status);
	error = winhv_send_ipi_ex(hv, false, SELF_VECTOR, &nobody, &status);
	recommended("P14: SendSyntheticClusterIpiEx to nobody", HV_RECOMMEND_CLUSTER_IPI | ex,
		error, status);
	bare_cpuid(HV_CPUID_RECOMMENDATIONS, 0, leaf);
	error = winhv_notify_long_spin_wait(hv, 1, &status);
	if (leaf[1] == 0 || leaf[1] == HV_SPIN_NEVER_NOTIFY)
		skip("P17: NotifyLongSpinWait", "leaf 4 EBX says never");
	else
		check(!error && status == HV_STATUS_SUCCESS, "P17: NotifyLongSpinWait succeeds",
			"error %d, status 0x%x", error, status);
}

static void calls_extended(struct winhv *hv)
{
	uint64_t capabilities = 0;
	uint16_t status = 0xffff;

	if (!test_has(P(ENABLE_EXTENDED_HYPERCALLS))) {
		skip("P23: QueryCapabilities", "EnableExtendedHypercalls is not promised");
		return;
	}
	const int error = winhv_query_capabilities(hv, &capabilities, &status);
	check(!error && status == 0, "P23: QueryCapabilities succeeds", "error %d, status 0x%x",
		error, status);
	for (uint16_t n = 0; n < 63; n++) {
		const uint16_t code = (uint16_t)(HV_CALL_EXT_FIRST + 1 + n);
		char name[60];
		if (!(capabilities >> n & 1))
			continue;
		uint8_t *pages = bare_pages(2);
		status = test_status(hv_hypercall_input(code, 0, 0), (uintptr_t)pages,
			(uintptr_t)pages + BARE_PAGE_BYTES);
		(void)bare_print_to(name, sizeof name, "P23: capability %u has its call", n);
		check(status != HV_STATUS_INVALID_HYPERCALL_CODE &&
				status != HV_STATUS_ACCESS_DENIED,
			name, "status 0x%x", status);
	}
}

/* R-CPUID-024. */
static void calls_of_start(void)
{
	uint8_t *pages = bare_pages(2);
	const uint64_t self = HV_PARTITION_ID_SELF;

	if (!test_has(P(START_VIRTUAL_PROCESSOR))) {
		skip("P24: GetVpIndexFromApicId", "StartVirtualProcessor is not promised");
		return;
	}
	__builtin_memcpy(pages, &self, sizeof self);
	const uint16_t status = test_status(
		hv_hypercall_input(HV_CALL_GET_VP_INDEX_FROM_APIC_ID, 0, 1), (uintptr_t)pages,
		(uintptr_t)pages + BARE_PAGE_BYTES);
	check(status == 0, "P24: GetVpIndexFromApicId", "status 0x%x", status);
}

static void nested_bit(void)
{
	uint8_t *page = bare_pages(1);

	if (test_is_recommended(HV_RECOMMEND_NESTED))
		return;
	const uint16_t status = test_status(
		hv_hypercall_input(HV_CALL_POST_MESSAGE, 0, 0) | HV_HYPERCALL_NESTED,
		(uintptr_t)page, 0);
	check(status == HV_STATUS_INVALID_HYPERCALL_INPUT,
		"P25: a call for the hypervisor below is INVALID_HYPERCALL_INPUT", "status 0x%x",
		status);
}

void test_main(void)
{
	struct winhv *hv = bare_winhv();

	if (!test_hypercalls("hypercalls"))
		return;
	if (test_group("privileges"))
		calls_and_privileges();
	if (test_group("recommended"))
		calls_recommended(hv);
	if (test_group("extended"))
		calls_extended(hv);
	if (test_group("others")) {
		calls_of_start();
		nested_bit();
	}
}
