// SPDX-License-Identifier: Apache-2.0
/*
 * What CPUID promises, against the hypercalls that it promises, both ways. Calls are made with
 * addresses that no parameter can have: a call that exists and is allowed complains about
 * those, and has no effect. Registers are in host_msr.c.
 */
#include "guest/winhv/calls.h"
#include "tests/conformance/conform_areas.h"

#define P(name) HV_PRIVILEGE_##name

static const struct call {
	uint64_t privilege;
	uint16_t code, reps;
	bool is_parents; /* of whoever owns partitions, ports, processors */
} calls[] = {
	{P(CREATE_PARTITIONS), HV_CALL_CREATE_PARTITION, 0, true},
	{P(CREATE_PARTITIONS), HV_CALL_DELETE_PARTITION, 0, true},
	{P(CREATE_PARTITIONS), HV_CALL_CREATE_VP, 0, true},
	{P(ACCESS_MEMORY_POOL), HV_CALL_DEPOSIT_MEMORY, 1, true},
	{P(ACCESS_MEMORY_POOL), HV_CALL_WITHDRAW_MEMORY, 1, true},
	{P(ACCESS_MEMORY_POOL), HV_CALL_GET_MEMORY_BALANCE, 0, true},
	{P(CREATE_PORT), HV_CALL_CREATE_PORT, 0, true},
	{P(CREATE_PORT), HV_CALL_DELETE_PORT, 0, true},
	{P(CONNECT_PORT), HV_CALL_CONNECT_PORT, 0, true},
	{P(CONNECT_PORT), HV_CALL_DISCONNECT_PORT, 0, true},
	{P(ACCESS_STATS), HV_CALL_MAP_STATS_PAGE, 0, true},
	{P(ACCESS_STATS), HV_CALL_UNMAP_STATS_PAGE, 0, true},
	{P(CPU_MANAGEMENT), HV_CALL_GET_LOGICAL_PROCESSOR_RUN_TIME, 0, true},
	{P(ACCESS_PARTITION_ID), HV_CALL_GET_PARTITION_ID, 0, false},
	{P(POST_MESSAGES), HV_CALL_POST_MESSAGE, 0, false},
	{P(SIGNAL_EVENTS), HV_CALL_SIGNAL_EVENT, 0, false},
	{P(DEBUGGING), HV_CALL_POST_DEBUG_DATA, 0, false},
	{P(DEBUGGING), HV_CALL_RETRIEVE_DEBUG_DATA, 0, false},
	{P(DEBUGGING), HV_CALL_RESET_DEBUG_SESSION, 0, false},
	{P(ACCESS_VSM), HV_CALL_ENABLE_PARTITION_VTL, 0, false},
	{P(ACCESS_VSM), HV_CALL_ENABLE_VP_VTL, 0, false},
	{P(ACCESS_VP_REGISTERS), HV_CALL_GET_VP_REGISTERS, 1, false},
	{P(ACCESS_VP_REGISTERS), HV_CALL_SET_VP_REGISTERS, 1, false},
	{P(ENABLE_EXTENDED_HYPERCALLS), HV_CALL_EXT_QUERY_CAPABILITIES, 0, false},
	{P(START_VIRTUAL_PROCESSOR), HV_CALL_START_VIRTUAL_PROCESSOR, 0, false},
};
#define CALLS	(sizeof calls / sizeof calls[0])
#define NOWHERE 1u /* not aligned */

/* ---- privileges ---------------------------------------------------------------------------- */

static uint16_t made(struct conform_target *t, uint16_t code, uint16_t reps)
{
	return conform_status(t, hv_hypercall_input(code, 0, reps), NOWHERE, NOWHERE);
}

static bool exists(struct conform_target *t, uint16_t code, uint16_t reps)
{
	const uint16_t status = made(t, code, reps);

	return (status != HV_STATUS_INVALID_HYPERCALL_CODE && status != HV_STATUS_ACCESS_DENIED &&
		       status != CONFORM_FAULT) ||
	       conform_no(t, "call 0x%x, %s, which is promised, gave status 0x%x", code,
		       hv_call_name(code), status);
}

static enum conform_verdict promised(struct conform_target *t, uint64_t privilege)
{
	NEED(conform_has(t, privilege), "it is not promised");
	for (unsigned i = 0; i < CALLS; i++)
		if (calls[i].privilege == privilege)
			TRY(exists(t, calls[i].code, calls[i].reps));
	return CONFORM_PASS;
}

static enum conform_verdict denied(struct conform_target *t, bool is_parents)
{
	unsigned tried = 0;

	for (unsigned i = 0; i < CALLS; i++) {
		if (calls[i].is_parents != is_parents || conform_has(t, calls[i].privilege))
			continue;
		tried++;
		const uint16_t status = made(t, calls[i].code, calls[i].reps);
		EXPECT(status == HV_STATUS_ACCESS_DENIED,
			"%s, whose privilege is off, gave status 0x%x", hv_call_name(calls[i].code),
			status);
	}
	NEED(tried > 0, "CPUID promises all of them");
	return CONFORM_PASS;
}

static enum conform_verdict denied_parents(struct conform_target *t)
{
	return denied(t, true);
}

static enum conform_verdict denied_own(struct conform_target *t)
{
	return denied(t, false);
}

static enum conform_verdict denied_extended(struct conform_target *t)
{
	NEED(!conform_has(t, P(ENABLE_EXTENDED_HYPERCALLS)), "extended calls are promised");
	for (uint32_t code = HV_CALL_EXT_FIRST; code <= UINT16_MAX; code += 0xfff) {
		const uint16_t status = made(t, (uint16_t)code, 0);
		EXPECT(status == HV_STATUS_ACCESS_DENIED, "call 0x%x gave status 0x%x", code,
			status);
	}
	return CONFORM_PASS;
}

/* ---- recommendations ----------------------------------------------------------------------- */

/* While one of the bits that it belongs to is off. */
static enum conform_verdict not_recommended(
	struct conform_target *t, uint16_t code, uint16_t reps, uint32_t bits)
{
	NEED(!conform_is_recommended(t, bits), "it is recommended");
	const uint16_t status = made(t, code, reps);
	EXPECT(status == HV_STATUS_ACCESS_DENIED, "call 0x%x, %s, gave status 0x%x", code,
		hv_call_name(code), status);
	return CONFORM_PASS;
}

static enum conform_verdict spins_off(struct conform_target *t)
{
	uint32_t leaf[4];

	t->hv->ops->cpuid(t->hv->ctx, HV_CPUID_RECOMMENDATIONS, 0, leaf);
	NEED(leaf[1] == HV_SPIN_NEVER_NOTIFY, "0x%x spins are recommended", leaf[1]);
	return not_recommended(t, HV_CALL_NOTIFY_LONG_SPIN_WAIT, 0, UINT32_MAX);
}

/* ---- others -------------------------------------------------------------------------------- */

static enum conform_verdict extended(struct conform_target *t)
{
	uint64_t capabilities = 0;
	uint16_t status = CONFORM_FAULT;

	EXPECT(winhv_query_capabilities(t->hv, &capabilities, &status) == 0 && status == 0,
		"QueryCapabilities gave status 0x%x", status);
	for (unsigned n = 0; n < 63; n++)
		if (capabilities >> n & 1)
			TRY(exists(t, (uint16_t)(HV_CALL_EXT_FIRST + 1 + n), 0));
	return CONFORM_PASS;
}

static enum conform_verdict start(struct conform_target *t)
{
	TRY(exists(t, HV_CALL_START_VIRTUAL_PROCESSOR, 0));
	TRY(exists(t, HV_CALL_GET_VP_INDEX_FROM_APIC_ID, 1));
	return CONFORM_PASS;
}

/* Header and one name are 20 bytes; the value comes behind them, at 32: XMM1. */
static enum conform_verdict xmm_output(struct conform_target *t)
{
	const uint64_t code = hv_hypercall_input(HV_CALL_GET_VP_REGISTERS, 0, 1);
	struct winhv_xmm xmm = {.word = {HV_REGISTER_GUEST_OS_ID, 0, 0xaaaa, 0xbbbb, 0xcccc}};

	const uint64_t result = conform_call(
		t, code | HV_HYPERCALL_FAST, HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, &xmm);
	EXPECT(result == hv_hypercall_result(HV_STATUS_SUCCESS, 1), "result 0x%llx",
		(unsigned long long)result);
	EXPECT(xmm.word[2] == CONFORM_OS_ID && xmm.word[3] == 0,
		"XMM1 has 0x%llx 0x%llx, not the guest OS id", (unsigned long long)xmm.word[2],
		(unsigned long long)xmm.word[3]);
	EXPECT(xmm.word[0] == HV_REGISTER_GUEST_OS_ID && xmm.word[1] == 0 && xmm.word[4] == 0xcccc,
		"other XMM registers were changed");
	return CONFORM_PASS;
}

/* Bits 7:0 of EAX: the lowest version, 15:8 the highest. */
static enum conform_verdict evmcs(struct conform_target *t)
{
	uint32_t leaf[4];

	NEED(conform_is_recommended(t, HV_RECOMMEND_ENLIGHTENED_VMCS), "recommendation 14 is off");
	EXPECT(t->hv->identity.max_leaf >= HV_CPUID_NESTED_FEATURES, "the last leaf is 0x%x",
		t->hv->identity.max_leaf);
	t->hv->ops->cpuid(t->hv->ctx, HV_CPUID_NESTED_FEATURES, 0, leaf);
	EXPECT((leaf[0] & 0xff) > 0 && (leaf[0] >> 8 & 0xff) >= (leaf[0] & 0xff),
		"leaf 0x4000000a says versions %u to %u", leaf[0] & 0xff, leaf[0] >> 8 & 0xff);
	return CONFORM_PASS;
}

static enum conform_verdict isolation(struct conform_target *t)
{
	EXPECT(t->hv->identity.max_leaf >= HV_CPUID_ISOLATION, "the last leaf is 0x%x",
		t->hv->identity.max_leaf);
	return CONFORM_PASS;
}

/* ---- the rows ------------------------------------------------------------------------------ */

/* clang-format off */
#define PRIVILEGES(X)                                                                              \
	X(CREATE_PARTITIONS, "CreatePartitions") X(ACCESS_PARTITION_ID, "AccessPartitionId")       \
	X(ACCESS_MEMORY_POOL, "AccessMemoryPool") X(POST_MESSAGES, "PostMessages")                 \
	X(SIGNAL_EVENTS, "SignalEvents") X(CREATE_PORT, "CreatePort")                              \
	X(CONNECT_PORT, "ConnectPort") X(ACCESS_STATS, "AccessStats") X(DEBUGGING, "Debugging")    \
	X(CPU_MANAGEMENT, "CpuManagement") X(ACCESS_VSM, "AccessVSM")                              \
	X(ACCESS_VP_REGISTERS, "AccessVpRegisters")                                                \
	X(ENABLE_EXTENDED_HYPERCALLS, "EnableExtendedHypercalls")                                  \
	X(START_VIRTUAL_PROCESSOR, "StartVirtualProcessor")
#define RECOMMENDED(X)                                                                             \
	X(FLUSH_VIRTUAL_ADDRESS_SPACE, 0, REMOTE_FLUSH, 0)                                         \
	X(FLUSH_VIRTUAL_ADDRESS_LIST, 1, REMOTE_FLUSH, 0)                                          \
	X(SEND_SYNTHETIC_CLUSTER_IPI, 0, CLUSTER_IPI, 0)                                           \
	X(FLUSH_VIRTUAL_ADDRESS_SPACE_EX, 0, REMOTE_FLUSH, HV_RECOMMEND_EX_PROCESSOR_MASKS)        \
	X(FLUSH_VIRTUAL_ADDRESS_LIST_EX, 1, REMOTE_FLUSH, HV_RECOMMEND_EX_PROCESSOR_MASKS)         \
	X(SEND_SYNTHETIC_CLUSTER_IPI_EX, 0, CLUSTER_IPI, HV_RECOMMEND_EX_PROCESSOR_MASKS)

#define DEFINE_PROMISED(privilege, name)                                                           \
	static enum conform_verdict promised_##privilege(struct conform_target *t)                 \
	{                                                                                          \
		return promised(t, P(privilege));                                                  \
	}
#define DEFINE_OFF(call, reps, bit, also)                                                          \
	static enum conform_verdict off_##call(struct conform_target *t)                           \
	{                                                                                          \
		return not_recommended(t, HV_CALL_##call, reps, HV_RECOMMEND_##bit | (also));      \
	}
PRIVILEGES(DEFINE_PROMISED)
RECOMMENDED(DEFINE_OFF)

#define ROW_PROMISED(privilege, name)                                                              \
	{"R-CPUID-036", name ": promised, its calls exist", promised_##privilege, H, 0, 0},
#define ROW_OFF(call, reps, bit, also)                                                             \
	{"R-CPUID-032", #call " gives 6 while it is not recommended", off_##call, H, 0, 0},
#define H CONFORM_HYPERCALLS

const struct conform_test conform_promise_tests[] = {
	PRIVILEGES(ROW_PROMISED)
	{"R-CPUID-012", "calls of a parent give 6 without privilege", denied_parents, H, 0, 0},
	{"R-CPUID-012", "calls for itself give 6 without privilege", denied_own, H, 0, 0},
	{"R-CPUID-012", "extended calls give 6 without privilege", denied_extended, H, 0, 0},
	RECOMMENDED(ROW_OFF)
	{"R-CPUID-032", "NOTIFY_LONG_SPIN_WAIT gives 6 while it is not recommended", spins_off, H,
		0, 0},
	{"R-CPUID-019", "output of a fast call comes in XMM registers", xmm_output, H,
		P(ACCESS_VP_REGISTERS), HV_FEATURE_XMM_HYPERCALL_OUTPUT},
	{"R-CPUID-023", "each extended capability has its call", extended, H,
		P(ENABLE_EXTENDED_HYPERCALLS), 0},
	{"R-CPUID-024", "VPs can be started, and found", start, H, P(START_VIRTUAL_PROCESSOR), 0},
	{"R-CPUID-026", "an enlightened VMCS has versions", evmcs, 0, 0, 0},
	{"R-CPUID-027", "isolation has its leaf", isolation, 0, P(ISOLATION), 0},
};
/* clang-format on */
const size_t conform_promise_test_count = sizeof conform_promise_tests /
					  sizeof conform_promise_tests[0];
