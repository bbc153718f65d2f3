// SPDX-License-Identifier: Apache-2.0
/*
 * The KVM backend with real guests in it: hypercalls, MSRs, clocks, exits, and the life of
 * VPs. Skipped where KVM cannot run guests.
 */
#include "tests/kvm/kvm_rig.h"

#include <dirent.h>

#define FAULT_UD 7u /* vector + 1 */
#define FAULT_GP 14u
#define PARK_NS	 2000000000ull

/* ---- exits --------------------------------------------------------------------------------- */

static void ports_and_memory_reach_their_devices(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	const unsigned port = rig_command(&rig, 0, OP_IN, RIG_PORT + 4, 0, 0, 0);
	const unsigned nobody = rig_command(&rig, 0, OP_IN, 0x9999, 0, 0, 0);
	const unsigned mmio = rig_command(&rig, 0, OP_LOAD, RIG_MMIO + 8, 0, 0, 0);
	const unsigned hole = rig_command(&rig, 0, OP_LOAD, RIG_MMIO + 16, 0, 0, 0);
	rig_command(&rig, 0, OP_STORE, RIG_MMIO, 0x1234, 0, 0);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, port)->result, 0xabcd0004u);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, nobody)->result, 0xffffffffu);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, mmio)->result, 0xabcd0008u);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, hole)->result, 0xffffffffu);
	CU_ASSERT_EQUAL(rig.port_last, 0x1234);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_PORT_IN), 2);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_MMIO), 3);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_PORT_OUT), 1); /* the end of the list */
	CU_ASSERT_EQUAL(backend_kvm_ports(rig.kvm)->unclaimed, 1);
	rig_destroy(&rig);
}

/* KVM hands over many at once. */
static void strings_are_moved_to_their_end(void)
{
	struct rig rig;
	uint32_t sum = 0;

	if (!rig_create(&rig, 1))
		return;
	for (uint32_t i = 0; i < 16; i += 2)
		rig_store64(&rig, GUEST_INPUT + 4 * i, (7ull * i + 8) << 32 | (7 * i + 1));
	for (uint32_t i = 0; i < 16; i++)
		sum += (7 * i + 1) * (i + 1);
	rig_command(&rig, 0, OP_OUTS, RIG_PORT, GUEST_INPUT, 16, 0);
	rig_command(&rig, 0, OP_INS, RIG_COUNTER, GUEST_INPUT + 0x100, 16, 0);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig.port_writes, 16);
	CU_ASSERT_EQUAL(rig.port_sum, sum);
	CU_ASSERT_EQUAL(rig.port_reads, 16);
	for (uint64_t i = 0; i < 16; i += 2)
		CU_ASSERT_EQUAL(rig_load64(&rig, GUEST_INPUT + 0x100 + 4 * i),
			(0x101 + i) << 32 | (0x100 + i));
	rig_destroy(&rig);
}

static void unknown_msrs_fault(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	const unsigned read = rig_command(&rig, 0, OP_RDMSR, 0x400001ff, 0, 0, 0);
	const unsigned write = rig_command(&rig, 0, OP_WRMSR, HV_X64_MSR_VP_INDEX, 0, 0, 0);
	const unsigned index = rig_command(&rig, 0, OP_RDMSR, HV_X64_MSR_VP_INDEX, 0, 0, 0);
	const unsigned kvm_clock = rig_command(&rig, 0, OP_RDMSR, 0x4b564d00, 0, 0, 0);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, read)->fault, FAULT_GP);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, write)->fault, FAULT_GP);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, index)->fault, 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, kvm_clock)->fault, FAULT_GP);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_MSR_READ), 2);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_MSR_WRITE), 1);
	rig_destroy(&rig);
}

static void cpuid_tells_who_is_there(void)
{
	struct rig rig;

	if (!rig_create(&rig, 2))
		return;
	rig_command(&rig, 0, OP_START, 1, 0, 0, 0);
	const unsigned one = rig_command(&rig, 1, OP_CPUID, 1, 0, 0, 0);
	const unsigned vendor = rig_command(&rig, 1, OP_CPUID, 0x40000000, 0, 0, 0);
	const unsigned interface = rig_command(&rig, 1, OP_CPUID, 0x40000001, 0, 0, 0);
	const unsigned level = rig_command(&rig, 1, OP_CPUID, 0xb, 1, 0, 0);
	const unsigned own = rig_command(&rig, 1, OP_CPUID, 0x40000100, 0, 0, 0);
	rig_run(&rig, 3);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 1, one)->result >> 56, 1);	/* APIC id */
	CU_ASSERT_EQUAL(rig_result(&rig, 1, one)->second >> 31 & 1, 1); /* hypervisor */
	CU_ASSERT_EQUAL(rig_result(&rig, 1, one)->second >> 5 & 1, 0);	/* no VMX */
	CU_ASSERT_EQUAL(rig_result(&rig, 1, vendor)->result >> 32, 0x7263694d);
	CU_ASSERT_EQUAL(rig_result(&rig, 1, vendor)->second, 0x76482074666f736full);
	CU_ASSERT_EQUAL((uint32_t)rig_result(&rig, 1, interface)->result, 0x31237648);
	CU_ASSERT_EQUAL(rig_result(&rig, 1, level)->result >> 32, 2);		 /* VPs */
	CU_ASSERT_EQUAL(rig_result(&rig, 1, level)->second >> 32, 1);		 /* x2APIC id */
	CU_ASSERT_NOT_EQUAL(rig_result(&rig, 1, own)->result >> 32, 0x4b4d564b); /* "KVMK" */
	rig_destroy(&rig);
}

/* ---- hypercalls ---------------------------------------------------------------------------- */

static void hypercalls_go_and_come_back(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_hypercalls_enable(&rig, 0);
	const unsigned unknown = rig_command(&rig, 0, OP_HYPERCALL, 0xbeef, 0, 0, 1);
	const unsigned spin = rig_command(
		&rig, 0, OP_HYPERCALL, HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_HYPERCALL_FAST, 1, 0, 1);
	/* A post to no port, with its input in memory. */
	rig_store64(&rig, GUEST_INPUT, 0x77);
	rig_store64(&rig, GUEST_INPUT + 8, 1);
	const unsigned post = rig_command(
		&rig, 0, OP_HYPERCALL, HV_CALL_POST_MESSAGE, GUEST_INPUT, 0, 1);
	const unsigned crossing = rig_command(
		&rig, 0, OP_HYPERCALL, HV_CALL_POST_MESSAGE, 0x7ff8, 0, 1);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, unknown)->result, 0x02);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, spin)->result, 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, post)->result, 0x12);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, crossing)->result, 0x04);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_HYPERCALL), 4);
	rig_destroy(&rig);
}

static void signals_take_no_exit(void)
{
	struct rig rig;
	struct backend_kvm_statistics statistics;

	if (!rig_create(&rig, 1))
		return;
	rig_hypercalls_enable(&rig, 0);
	const unsigned known = rig_command(
		&rig, 0, OP_HYPERCALL, RIG_SIGNAL, RIG_CONNECTION, 0, 100);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, known)->result, 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, known)->second, RIG_CONNECTION);
	backend_kvm_statistics_get(rig.kvm, &statistics);
	CU_ASSERT_EQUAL(statistics.doorbells, 100);
	CU_ASSERT_EQUAL(statistics.exits[BACKEND_KVM_EXIT_SIGNAL], 0);
	CU_ASSERT_EQUAL(statistics.exits[BACKEND_KVM_EXIT_HYPERCALL], 0);
	CU_ASSERT_TRUE(rig.signals[0] > 0);
	rig_destroy(&rig);
}

static void signals_that_nobody_takes_get_their_status(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_hypercalls_enable(&rig, 0);
	const unsigned nobody = rig_command(&rig, 0, OP_HYPERCALL, RIG_SIGNAL, 0x77, 0, 1);
	const unsigned flag = rig_command(
		&rig, 0, OP_HYPERCALL, RIG_SIGNAL, RIG_CONNECTION | 3ull << 32, 0, 1);
	const unsigned too_far = rig_command(
		&rig, 0, OP_HYPERCALL, RIG_SIGNAL, RIG_CONNECTION | 16ull << 32, 0, 1);
	const unsigned reserved = rig_command(
		&rig, 0, OP_HYPERCALL, RIG_SIGNAL, RIG_CONNECTION | 1ull << 48, 0, 1);
	partition_event_port_remove(rig.partition, RIG_CONNECTION + 1);
	const unsigned gone = rig_command(
		&rig, 0, OP_HYPERCALL, RIG_SIGNAL, RIG_CONNECTION + 1, 0, 1);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, nobody)->result, 0x12);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, flag)->result, 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, too_far)->result, 0x05);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, reserved)->result, 0x05);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, gone)->result, 0x12);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_SIGNAL), 2);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_HYPERCALL), 3);
	CU_ASSERT_EQUAL(rig.signals[0], 1);
	rig_destroy(&rig);
}

/* The page's code without a page that is enabled: what a guest has left of an earlier one. */
static void hypercalls_fault_while_they_are_off(void)
{
	static const uint8_t code[] = {0x8c, 0xc8, 0xa8, 0x03, 0x75, 0x1c, 0x48, 0x81, 0xf9, 0x5d,
		0x00, 0x01, 0x00, 0x75, 0x10, 0x48, 0x89, 0xd0, 0x48, 0xc1, 0xe8, 0x20, 0x75, 0x07,
		0x89, 0xd0, 0xe7, 0xe8, 0x31, 0xc0, 0xc3, 0xe7, 0xe4, 0xc3, 0x0f, 0x0b};
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	memcpy(rig_memory(&rig, GUEST_HYPERCALLS), code, sizeof code);
	const unsigned slow = rig_command(&rig, 0, OP_HYPERCALL, 0x5c, GUEST_INPUT, 0, 1);
	const unsigned fast = rig_command(&rig, 0, OP_HYPERCALL, RIG_SIGNAL, 0x77, 0, 1);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, slow)->fault, FAULT_UD);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, slow)->fault_offset, 0x1f);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, fast)->fault, FAULT_UD);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, fast)->fault_offset, 0x1a);
	rig_destroy(&rig);
}

static void stray_writes_to_the_ports_are_no_hypercalls(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_hypercalls_enable(&rig, 0);
	rig_command(&rig, 0, OP_OUT, 0xe4, 0, 1, 0);
	rig_command(&rig, 0, OP_OUT, 0xe8, 0x77, 1, 0);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_HYPERCALL), 0);
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_SIGNAL), 0);
	CU_ASSERT_EQUAL(backend_kvm_ports(rig.kvm)->unclaimed, 2);
	rig_destroy(&rig);
}

#define REGISTERS_FAST(code, reps)                                                                 \
	((code) | HV_HYPERCALL_FAST | (uint64_t)(reps) << HV_HYPERCALL_REP_COUNT_SHIFT)

#define DESCRIPTOR_CODE_32   0x00cf9b000000ffffull
#define DESCRIPTOR_USER_DATA 0x00cff3000000ffffull
#define DESCRIPTOR_USER_CODE 0x00affb000000ffffull
#define SELECTOR_CODE_32     0x20u
#define SELECTOR_USER_DATA   0x2bu
#define SELECTOR_USER_CODE   0x33u
#define RFLAGS_IOPL_3	     0x3002u
#define TSS_RSP_0	     4u /* of the task segment after power-on, whose base is 0 */
#define SIGNAL_OUT	     (GUEST_HYPERCALLS + 0x1au)
#define CALL_OUT	     (GUEST_HYPERCALLS + 0x1fu)

/* User code may have the pages, too. */
static void tables_open(struct rig *rig)
{
	rig_store64(rig, GUEST_TABLES, (GUEST_TABLES + 0x1000) | 7);
	for (uint64_t i = 0; i < 4; i++)
		rig_store64(rig, GUEST_TABLES + 0x1000 + 8 * i,
			(GUEST_TABLES + 0x2000 + 0x1000 * i) | 7);
	for (uint64_t i = 0; i < 2048; i++)
		rig_store64(rig, GUEST_TABLES + 0x2000 + 8 * i, i << 21 | 0x87);
}

/* R-HCALL-001: who jumps past the page's own check of the level, or comes in 32-bit code. */
static void hypercalls_are_for_64_bit_code_of_the_kernel(void)
{
	static const uint64_t outs[] = {SIGNAL_OUT, CALL_OUT};
	struct rig rig;
	unsigned user[2];
	unsigned narrow[2];

	if (!rig_create(&rig, 1))
		return;
	tables_open(&rig);
	rig_store64(&rig, GUEST_GDT + SELECTOR_CODE_32, DESCRIPTOR_CODE_32);
	rig_store64(&rig, GUEST_GDT + (SELECTOR_USER_DATA & ~7u), DESCRIPTOR_USER_DATA);
	rig_store64(&rig, GUEST_GDT + (SELECTOR_USER_CODE & ~7u), DESCRIPTOR_USER_CODE);
	rig_store64(&rig, TSS_RSP_0, GUEST_STACKS + 0x4000);
	rig_hypercalls_enable(&rig, 0);
	for (unsigned i = 0; i < 2; i++) {
		narrow[i] = rig_command(&rig, 0, OP_ENTER, SELECTOR_CODE_32, 0x18, 2, outs[i]);
		user[i] = rig_command(&rig, 0, OP_ENTER, SELECTOR_USER_CODE, SELECTOR_USER_DATA,
			RFLAGS_IOPL_3, outs[i]);
	}
	const unsigned good = rig_command(&rig, 0, OP_HYPERCALL, RIG_SIGNAL, 0x77, 0, 1);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(rig_result(&rig, 0, narrow[i])->fault, FAULT_UD);
		CU_ASSERT_EQUAL(rig_result(&rig, 0, narrow[i])->fault_offset, outs[i] & 0xfff);
		CU_ASSERT_EQUAL(rig_result(&rig, 0, user[i])->fault, FAULT_UD);
		CU_ASSERT_EQUAL(rig_result(&rig, 0, user[i])->fault_offset, outs[i] & 0xfff);
	}
	CU_ASSERT_EQUAL(rig_result(&rig, 0, good)->result, 0x12);
	rig_destroy(&rig);
}

/* Fast output without input begins in RDX. */
static void fast_output_comes_back_in_rdx(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_hypercalls_enable(&rig, 0);
	const unsigned query = rig_command(&rig, 0, OP_HYPERCALL,
		HV_CALL_EXT_QUERY_CAPABILITIES | HV_HYPERCALL_FAST, 0x1234567, 0, 1);
	const unsigned refused = rig_command(&rig, 0, OP_HYPERCALL,
		HV_CALL_EXT_QUERY_CAPABILITIES | HV_HYPERCALL_FAST | 1ull << 63, 0x1234567, 0, 1);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, query)->result, 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, query)->second, 0);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, refused)->result, 3);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, refused)->second, 0x1234567);
	rig_destroy(&rig);
}

/* Set CR2, then read CR2 and CR3: names in XMM0, values from XMM1 on. */
static void registers_go_through_xmm(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_hypercalls_enable(&rig, 0);
	rig_store64(&rig, GUEST_INPUT, 0x00040001);		      /* XMM0: name of CR2 */
	rig_store64(&rig, GUEST_INPUT + 16, 0x1234567);		      /* XMM1: its value */
	rig_store64(&rig, GUEST_INPUT + 0x80, 0x0004000200040001ull); /* CR2, CR3 */
	rig_command(&rig, 0, OP_XMM_LOAD, GUEST_INPUT, 0, 0, 0);
	const unsigned set = rig_command(&rig, 0, OP_HYPERCALL,
		REGISTERS_FAST(HV_CALL_SET_VP_REGISTERS, 1), UINT64_MAX, 0xfffffffe, 1);
	rig_command(&rig, 0, OP_XMM_LOAD, GUEST_INPUT + 0x80, 0, 0, 0);
	const unsigned get = rig_command(&rig, 0, OP_HYPERCALL,
		REGISTERS_FAST(HV_CALL_GET_VP_REGISTERS, 2), UINT64_MAX, 0xfffffffe, 1);
	rig_command(&rig, 0, OP_XMM_STORE, GUEST_INPUT + 0x100, 0, 0, 0);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, set)->result, 1ull << 32);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, get)->result, 2ull << 32);
	CU_ASSERT_EQUAL(rig_load64(&rig, GUEST_INPUT + 0x110), 0x1234567);
	CU_ASSERT_EQUAL(rig_load64(&rig, GUEST_INPUT + 0x120), GUEST_TABLES);
	rig_destroy(&rig);
}

/* Every kind of register, by its name, through memory. */
static void registers_have_what_the_processor_has(void)
{
	static const uint32_t names[] = {
		0x00020001, /* RCX: the input value */
		0x00020002, /* RDX: the input's address */
		0x00020010, /* RIP: the OUT, or what is behind it */
		0x00040000, /* CR0 */
		0x00040003, /* CR4 */
		0x00050005, /* DR7 */
		0x00060001, /* CS */
		0x00070001, /* GDTR */
		0x00080001, /* EFER */
		0x0008000c, /* initial APIC id */
		0x00080004, /* PAT */
	};
	const uint64_t count = sizeof names / sizeof names[0];
	const uint64_t input_value = HV_CALL_GET_VP_REGISTERS | count << 32;
	const uint64_t output = GUEST_INPUT + 0x200;
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_hypercalls_enable(&rig, 0);
	rig_store64(&rig, GUEST_INPUT, UINT64_MAX);
	rig_store64(&rig, GUEST_INPUT + 8, 0xfffffffe);
	memcpy(rig_memory(&rig, GUEST_INPUT + 16), names, sizeof names);
	const unsigned get = rig_command(
		&rig, 0, OP_HYPERCALL, input_value, GUEST_INPUT, output, 1);
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig_result(&rig, 0, get)->result, count << 32);
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x00), input_value);
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x10), GUEST_INPUT);
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x20) & ~0xfffull, GUEST_HYPERCALLS);
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x30), 0x80010033); /* PG WP NE ET MP PE */
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x40), 0x620);
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x50), 0x400);
	/* 64-bit code, present, granular, selector 0x10, limit ffffffff. */
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x68), 0xa09b0010ffffffffull);
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x70), 31ull << 48);
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x78), GUEST_GDT);
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x80), 0x500);
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x90), 0);
	CU_ASSERT_EQUAL(rig_load64(&rig, output + 0xa0), 0x0007040600070406ull);
	rig_destroy(&rig);
}

/* What the processor would refuse at the next entry is refused here, and the guest goes on. */
static void registers_that_no_processor_can_have_are_refused(void)
{
	static const struct {
		uint32_t name;
		uint64_t low, high;
	} values[] = {
		{HV_X64_REGISTER_CS, 0, 0xe09b0010ffffffffull}, /* long, and 32 bits */
		{HV_X64_REGISTER_CS, 0, 0xa0fb0010ffffffffull}, /* level 3 */
		{HV_X64_REGISTER_CS, 0, 0xa0930010ffffffffull}, /* data */
		{HV_X64_REGISTER_CS, 0, 0xaf9b0010ffffffffull}, /* reserved bits */
		{HV_X64_REGISTER_SS, 0, 0xc0f30018ffffffffull}, /* level 3 */
		{HV_X64_REGISTER_DS, 0, 0x40930018ffffffffull}, /* limit in bytes */
		{HV_X64_REGISTER_FS, 1ull << 47, 0xc0930018ffffffffull},
		{HV_X64_REGISTER_TR, 0, 0x000b000000000000ull}, /* not present */
		{HV_X64_REGISTER_GDTR, 0x1full << 48, 1ull << 47},
		{HV_X64_REGISTER_RIP, 1ull << 47, 0},
		{HV_X64_REGISTER_RFLAGS, 0x8002, 0},
		{HV_X64_REGISTER_CR8, 16, 0},
	};
	const uint64_t count = sizeof values / sizeof values[0];
	unsigned commands[sizeof values / sizeof values[0]];
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_hypercalls_enable(&rig, 0);
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t at = GUEST_INPUT + 0x40 * i;
		rig_store64(&rig, at, UINT64_MAX);
		rig_store64(&rig, at + 8, 0xfffffffe);
		rig_store64(&rig, at + 16, values[i].name);
		rig_store64(&rig, at + 32, values[i].low);
		rig_store64(&rig, at + 40, values[i].high);
		commands[i] = rig_command(
			&rig, 0, OP_HYPERCALL, HV_CALL_SET_VP_REGISTERS | 1ull << 32, at, 0, 1);
	}
	rig_run(&rig, 1);
	CU_ASSERT_FALSE(rig.is_stopped);
	for (uint64_t i = 0; i < count; i++)
		CU_ASSERT_EQUAL(rig_result(&rig, 0, commands[i])->result, 0x50);
	rig_destroy(&rig);
}

/* ---- clocks -------------------------------------------------------------------------------- */

static void clock_page_and_register_agree_on_every_vp(void)
{
	struct rig rig;

	if (!rig_create(&rig, 2))
		return;
	rig_command(&rig, 0, OP_WRMSR, HV_X64_MSR_REFERENCE_TSC, GUEST_TSC_PAGE | 1, 0, 0);
	rig_command(&rig, 0, OP_START, 1, 0, 0, 0);
	const unsigned sequence = rig_command(&rig, 0, OP_LOAD, GUEST_TSC_PAGE, 0, 0, 0);
	const unsigned clocks[2] = {
		rig_command(&rig, 0, OP_CLOCK, 500, 0, 0, 0),
		rig_command(&rig, 1, OP_CLOCK, 500, 0, 0, 0),
	};
	rig_run(&rig, 3);
	CU_ASSERT_FALSE(rig.is_stopped);
	const uint64_t now = partition_time_100ns(rig.partition);
	if (rig_result(&rig, 0, sequence)->result == 0) {
		test_skip("the host's TSC is not stable: no reference TSC page");
	} else {
		for (uint32_t vp = 0; vp < 2; vp++) {
			const struct guest_command *clock = rig_result(&rig, vp, clocks[vp]);
			CU_ASSERT_EQUAL(clock->result, 0);
			CU_ASSERT_TRUE(clock->second <= now);
			CU_ASSERT_TRUE(now - clock->second < 600000000); /* a minute */
		}
	}
	rig_destroy(&rig);
}

static void tsc_begins_near_zero_and_is_one(void)
{
	struct rig rig;
	uint64_t tsc_hz = 0;
	uint64_t apic_hz = 0;

	if (!rig_create(&rig, 2))
		return;
	CU_ASSERT_EQUAL(backend_kvm_frequencies(&tsc_hz, &apic_hz), 0);
	CU_ASSERT_TRUE(tsc_hz > 100000000u);
	CU_ASSERT_EQUAL(apic_hz, 1000000000u);
	const unsigned first = rig_command(&rig, 0, OP_RDTSC, 0, 0, 0, 0);
	rig_command(&rig, 0, OP_START, 1, 0, 0, 0);
	rig_command(&rig, 0, OP_AWAIT, GUEST_FLAGS, 1, 0, 0);
	const unsigned last = rig_command(&rig, 0, OP_RDTSC, 0, 0, 0, 0);
	const unsigned other = rig_command(&rig, 1, OP_RDTSC, 0, 0, 0, 0);
	rig_command(&rig, 1, OP_STORE, GUEST_FLAGS, 1, 0, 0);
	rig_run(&rig, 3);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_TRUE(rig_result(&rig, 0, first)->result < 60 * tsc_hz);
	CU_ASSERT_TRUE(rig_result(&rig, 0, first)->result < rig_result(&rig, 1, other)->result);
	CU_ASSERT_TRUE(rig_result(&rig, 1, other)->result < rig_result(&rig, 0, last)->result);
	rig_destroy(&rig);
}

#define VECTOR 0x51u

/* VP 1 has work to do, VP 0 sleeps meanwhile. */
static void run_time_is_that_of_each_vp(void)
{
	struct rig rig;

	if (!rig_create(&rig, 2))
		return;
	rig_command(&rig, 0, OP_START, 1, 0, 0, 0);
	rig_command(&rig, 0, OP_HALT, VECTOR, 1, 0, 0);
	const unsigned sleeper = rig_command(&rig, 0, OP_RDMSR, HV_X64_MSR_VP_RUNTIME, 0, 0, 0);
	rig_command(&rig, 1, OP_OUT, RIG_PORT, 1, 10000, 0);
	const unsigned worker = rig_command(&rig, 1, OP_RDMSR, HV_X64_MSR_VP_RUNTIME, 0, 0, 0);
	rig_command(&rig, 1, OP_ICR, 0x4000 | VECTOR, 0, 0, 0);
	rig_run(&rig, 3);
	CU_ASSERT_FALSE(rig.is_stopped);
	CU_ASSERT_TRUE(rig_result(&rig, 0, sleeper)->result > 0);
	CU_ASSERT_TRUE(
		rig_result(&rig, 1, worker)->result > 2 * rig_result(&rig, 0, sleeper)->result);
	rig_destroy(&rig);
}

/* ---- start, park, stop --------------------------------------------------------------------- */

static uint64_t park_ns(struct rig *rig)
{
	const uint64_t began = rig_now_ns();

	CU_ASSERT_EQUAL(backend_kvm_park(rig->kvm), 0);
	return rig_now_ns() - began;
}

static void vp_that_spins_for_ever_is_parked_and_goes_on(void)
{
	struct rig rig;

	if (!rig_create(&rig, 2)) /* VP 1 waits for INIT all the time */
		return;
	rig_command(&rig, 0, OP_OUT, GUEST_PORT_DONE, 5, 1, 0);
	rig_command(&rig, 0, OP_SPIN, 0, 0, 0, 0);
	CU_ASSERT_EQUAL(backend_kvm_start(rig.kvm), 0);
	rig_wait(&rig, 1u << 5);
	for (int i = 0; i < 5; i++) {
		CU_ASSERT_TRUE(park_ns(&rig) < PARK_NS);
		CU_ASSERT_EQUAL(backend_kvm_start(rig.kvm), 0);
	}
	CU_ASSERT_TRUE(park_ns(&rig) < PARK_NS);
	CU_ASSERT_TRUE(park_ns(&rig) < PARK_NS); /* once more does no harm */
	CU_ASSERT_FALSE(rig.is_stopped);
	rig_destroy(&rig);
}

static void flood_of_port_writes_is_parked_and_goes_on(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_command(&rig, 0, OP_FLOOD, RIG_PORT, 7, 0, 0);
	uint32_t before = 0;
	for (int i = 0; i < 3; i++) {
		const uint64_t deadline = rig_now_ns() + RIG_SECONDS * 1000000000ull;
		CU_ASSERT_EQUAL(backend_kvm_start(rig.kvm), 0);
		while (__atomic_load_n(&rig.port_writes, __ATOMIC_SEQ_CST) < before + 100 &&
			rig_now_ns() < deadline)
			rig_turn(&rig, 1);
		CU_ASSERT_TRUE(park_ns(&rig) < PARK_NS);
		const uint32_t parked = __atomic_load_n(&rig.port_writes, __ATOMIC_SEQ_CST);
		CU_ASSERT_TRUE(parked >= before + 100);
		rig_turn(&rig, 20);
		CU_ASSERT_EQUAL(__atomic_load_n(&rig.port_writes, __ATOMIC_SEQ_CST), parked);
		before = parked;
	}
	CU_ASSERT_EQUAL(rig_exits(&rig, BACKEND_KVM_EXIT_PORT_OUT), before);
	CU_ASSERT_EQUAL(rig.port_last, 7);
	rig_destroy(&rig);
}

static void backend_can_be_destroyed_while_vps_run(void)
{
	struct rig rig;

	if (!rig_create(&rig, 2))
		return;
	rig_command(&rig, 0, OP_START, 1, 0, 0, 0);
	rig_command(&rig, 0, OP_OUT, GUEST_PORT_DONE, 5, 1, 0);
	rig_command(&rig, 0, OP_SPIN, 0, 0, 0, 0);
	rig_command(&rig, 1, OP_FLOOD, RIG_PORT, 7, 0, 0);
	CU_ASSERT_EQUAL(backend_kvm_start(rig.kvm), 0);
	rig_wait(&rig, 1u << 5);
	rig_destroy(&rig);
}

static unsigned entries_of(const char *path)
{
	DIR *folder = opendir(path);
	unsigned count = 0;

	CU_ASSERT_PTR_NOT_NULL(folder);
	if (!folder)
		return 0;
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void sixty_four_vps_leave_nothing_behind(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1)) /* what the first backend of a process makes for good */
		return;
	rig_destroy(&rig);
	const unsigned fds = entries_of("/proc/self/fd");
	const unsigned threads = entries_of("/proc/self/task");
	CU_ASSERT_TRUE_FATAL(rig_create(&rig, 64));
	CU_ASSERT_EQUAL(entries_of("/proc/self/task"), threads + 64);
	rig_run(&rig, 1); /* 63 of them wait for INIT */
	CU_ASSERT_FALSE(rig.is_stopped);
	rig_destroy(&rig);
	CU_ASSERT_EQUAL(entries_of("/proc/self/fd"), fds);
	CU_ASSERT_EQUAL(entries_of("/proc/self/task"), threads);
}

static void triple_fault_is_reported(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_command(&rig, 0, OP_TRIPLE, 0, 0, 0, 0);
	rig_run(&rig, 1);
	CU_ASSERT_TRUE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig.stop, BACKEND_KVM_STOP_TRIPLE_FAULT);
	CU_ASSERT_EQUAL(rig.stop_vp, 0);
	CU_ASSERT_STRING_EQUAL(backend_kvm_stop_text(rig.stop), "triple fault");
	rig_destroy(&rig);
}

#define LVT_ERROR     0xfee00370u /* of the local APIC */
#define IOAPIC_SELECT 0xfec00000u
#define IOAPIC_DATA   0xfec00010u
#define IOAPIC_PIN_7  0x1eu /* register: low half of its redirection entry */
#define MSR_TSC	      0x10u
#define TSC_FAR	      (1ull << 60)

static void reset_brings_all_vps_back_to_power_on(void)
{
	struct rig rig;

	if (!rig_create(&rig, 2))
		return;
	for (int i = 0; i < 3; i++) {
		rig_list_forget(&rig, 0);
		rig_list_forget(&rig, 1);
		rig_store64(&rig, GUEST_FLAGS, 0);
		const unsigned old_id = rig_command(
			&rig, 0, OP_RDMSR, HV_X64_MSR_GUEST_OS_ID, 0, 0, 0);
		const unsigned error = rig_command(&rig, 0, OP_LOAD, LVT_ERROR, 0, 0, 0);
		rig_command(&rig, 0, OP_STORE, IOAPIC_SELECT, IOAPIC_PIN_7, 0, 0);
		const unsigned pin = rig_command(&rig, 0, OP_LOAD, IOAPIC_DATA, 0, 0, 0);
		const unsigned tsc = rig_command(&rig, 0, OP_RDMSR, MSR_TSC, 0, 0, 0);
		const unsigned lstar = rig_command(&rig, 1, OP_RDMSR, 0xc0000082, 0, 0, 0);
		rig_hypercalls_enable(&rig, 0);
		rig_command(&rig, 0, OP_STORE, LVT_ERROR, 0x31, 0, 0);
		rig_command(&rig, 0, OP_STORE, IOAPIC_DATA, 0x31, 0, 0);
		rig_command(&rig, 0, OP_WRMSR, MSR_TSC, TSC_FAR, 0, 0);
		rig_command(&rig, 0, OP_START, 1, 0, 0, 0);
		rig_command(&rig, 0, OP_AWAIT, GUEST_FLAGS, 1, 0, 0);
		rig_command(&rig, 0, OP_WRMSR, HV_X64_MSR_RESET, 1, 0, 0);
		rig_command(&rig, 0, OP_OUT, RIG_PORT, 0xbad, 1, 0);
		rig_command(&rig, 1, OP_WRMSR, 0xc0000082, 0x1234, 0, 0);
		rig_command(&rig, 1, OP_STORE, GUEST_FLAGS, 1, 0, 0);
		rig_command(&rig, 1, OP_SPIN, 0, 0, 0, 0);
		rig_run(&rig, 4);
		CU_ASSERT_TRUE(rig.is_stopped);
		CU_ASSERT_EQUAL(rig.stop, BACKEND_KVM_STOP_RESET);
		CU_ASSERT_EQUAL(rig_result(&rig, 0, old_id)->result, 0);
		CU_ASSERT_EQUAL(rig_result(&rig, 0, error)->result, 0x10000); /* masked */
		CU_ASSERT_EQUAL(rig_result(&rig, 0, pin)->result, 0x10000);
		CU_ASSERT_TRUE(rig_result(&rig, 0, tsc)->result < TSC_FAR);
		CU_ASSERT_EQUAL(rig_result(&rig, 1, lstar)->result, 0);
		partition_reset(rig.partition);
		CU_ASSERT_EQUAL(rig_reset(&rig), 0);
	}
	CU_ASSERT_EQUAL(rig.port_writes, 0); /* nothing ran behind the reset */
	rig_destroy(&rig);
}

#define MSR_MTRR_PHYS_BASE_0 0x200u
#define MSR_MTRR_FIXED	     0x250u
#define MSR_MTRR_DEFAULT     0x2ffu

/* Set or get the debug registers DR0 and DR7 by hypercall. */
static void debug_registers_write(struct rig *rig, uint64_t dr0, uint64_t dr7)
{
	const uint64_t at = GUEST_INPUT + 0x200;

	rig_store64(rig, at, UINT64_MAX);
	rig_store64(rig, at + 8, 0xfffffffe);
	rig_store64(rig, at + 16, HV_X64_REGISTER_DR0);
	rig_store64(rig, at + 32, dr0);
	rig_store64(rig, at + 48, HV_X64_REGISTER_DR7);
	rig_store64(rig, at + 64, dr7);
	rig_command(rig, 0, OP_HYPERCALL, HV_CALL_SET_VP_REGISTERS | 2ull << 32, at, 0, 1);
}

static void debug_registers_read(struct rig *rig, uint64_t output)
{
	const uint64_t at = GUEST_INPUT + 0x100;

	rig_store64(rig, at, UINT64_MAX);
	rig_store64(rig, at + 8, 0xfffffffe);
	rig_store64(rig, at + 16, (uint64_t)HV_X64_REGISTER_DR7 << 32 | HV_X64_REGISTER_DR0);
	rig_command(rig, 0, OP_HYPERCALL, HV_CALL_GET_VP_REGISTERS | 2ull << 32, at, output, 1);
}

static void reset_brings_back_what_is_seldom_changed(void)
{
	const uint64_t output = GUEST_INPUT + 0x400;
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	for (int i = 0; i < 2; i++) {
		rig_list_forget(&rig, 0);
		const unsigned base = rig_command(&rig, 0, OP_RDMSR, MSR_MTRR_PHYS_BASE_0, 0, 0, 0);
		const unsigned fixed = rig_command(&rig, 0, OP_RDMSR, MSR_MTRR_FIXED, 0, 0, 0);
		const unsigned usual = rig_command(&rig, 0, OP_RDMSR, MSR_MTRR_DEFAULT, 0, 0, 0);
		const unsigned xcr = rig_command(&rig, 0, OP_XCR, 3, 0, 0, 0);
		rig_hypercalls_enable(&rig, 0);
		debug_registers_read(&rig, output);
		debug_registers_write(&rig, 0x1234, 0x401);
		rig_command(&rig, 0, OP_WRMSR, MSR_MTRR_PHYS_BASE_0, 0x80000006, 0, 0);
		rig_command(&rig, 0, OP_WRMSR, MSR_MTRR_FIXED, 0x0606060606060606ull, 0, 0);
		rig_command(&rig, 0, OP_WRMSR, MSR_MTRR_DEFAULT, 0xc00, 0, 0);
		debug_registers_read(&rig, output + 0x40);
		rig_run(&rig, 1);
		CU_ASSERT_FALSE(rig.is_stopped);
		CU_ASSERT_EQUAL(rig_result(&rig, 0, base)->result, 0);
		CU_ASSERT_EQUAL(rig_result(&rig, 0, fixed)->result, 0);
		CU_ASSERT_EQUAL(rig_result(&rig, 0, usual)->result, 0x806); /* as firmware has it */
		CU_ASSERT_EQUAL(rig_load64(&rig, output), 0);
		CU_ASSERT_EQUAL(rig_load64(&rig, output + 16), 0x400);
		CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x40), 0x1234);
		CU_ASSERT_EQUAL(rig_load64(&rig, output + 0x50), 0x401);
		if (rig_result(&rig, 0, xcr)->fault == 0)
			CU_ASSERT_EQUAL(rig_result(&rig, 0, xcr)->result, 1);
		partition_reset(rig.partition);
		CU_ASSERT_EQUAL(rig_reset(&rig), 0);
	}
	rig_destroy(&rig);
}

static void device_can_end_the_run(void)
{
	struct rig rig;

	if (!rig_create(&rig, 1))
		return;
	rig_command(&rig, 0, OP_OUT, GUEST_PORT_DONE, 5, 1, 0);
	rig_command(&rig, 0, OP_SPIN, 0, 0, 0, 0);
	CU_ASSERT_EQUAL(backend_kvm_start(rig.kvm), 0);
	rig_wait(&rig, 1u << 5);
	backend_kvm_stop(rig.kvm, 0, BACKEND_KVM_STOP_DEBUG_EXIT, 42);
	backend_kvm_stop(rig.kvm, 0, BACKEND_KVM_STOP_POWER_OFF, 0); /* the first one counts */
	rig_wait(&rig, 2);
	CU_ASSERT_TRUE(rig.is_stopped);
	CU_ASSERT_EQUAL(rig.stop, BACKEND_KVM_STOP_DEBUG_EXIT);
	CU_ASSERT_EQUAL(rig.stop_detail, 42);
	CU_ASSERT_TRUE(park_ns(&rig) < PARK_NS);
	rig_destroy(&rig);
}

static const struct test tests[] = {
	TEST(ports_and_memory_reach_their_devices),
	TEST(strings_are_moved_to_their_end),
	TEST(unknown_msrs_fault),
	TEST(cpuid_tells_who_is_there),
	TEST(hypercalls_go_and_come_back),
	TEST(signals_take_no_exit),
	TEST(signals_that_nobody_takes_get_their_status),
	TEST(hypercalls_fault_while_they_are_off),
	TEST(stray_writes_to_the_ports_are_no_hypercalls),
	TEST(hypercalls_are_for_64_bit_code_of_the_kernel),
	TEST(fast_output_comes_back_in_rdx),
	TEST(registers_go_through_xmm),
	TEST(registers_have_what_the_processor_has),
	TEST(registers_that_no_processor_can_have_are_refused),
	TEST(clock_page_and_register_agree_on_every_vp),
	TEST(tsc_begins_near_zero_and_is_one),
	TEST(run_time_is_that_of_each_vp),
	TEST(vp_that_spins_for_ever_is_parked_and_goes_on),
	TEST(flood_of_port_writes_is_parked_and_goes_on),
	TEST(backend_can_be_destroyed_while_vps_run),
	TEST(sixty_four_vps_leave_nothing_behind),
	TEST(triple_fault_is_reported),
	TEST(reset_brings_all_vps_back_to_power_on),
	TEST(reset_brings_back_what_is_seldom_changed),
	TEST(device_can_end_the_run),
};
TEST_MAIN("backend_kvm", tests)
