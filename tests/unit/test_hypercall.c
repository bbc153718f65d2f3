// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls: each validity rule, in its order, then what the calls do. Rule ids are
 * those of protocol/hypervisor.md.
 */
#include "tests/unit/partition_rig.h"

#include "host/hypervisor/hypercall.h"

static struct rig rig;

#define FAST	   (1ull << 16)
#define VARHEAD	   (1ull << 17)
#define NESTED	   (1ull << 31)
#define REPS(n)	   ((uint64_t)(n) << 32)
#define START(n)   ((uint64_t)(n) << 48)
#define DONE(n)	   ((uint64_t)(n) << 32)
#define POST	   0x5cull
#define SIGNAL	   0x5dull
#define SPIN	   0x08ull
#define GET	   0x50ull
#define SET	   0x51ull
#define QUERY	   0x8001ull
#define SELF_VP	   0xfffffffeu
#define REFUSED(r) hypercall_refusals(rig.partition, HYPERCALL_REFUSED_##r)

/* ---- ports that record --------------------------------------------------------------------- */

static struct {
	unsigned messages, events;
	uint32_t connection_id, type;
	uint8_t payload[240];
	size_t bytes;
	uint16_t flag;
	uint16_t answer;
} seen;

static uint16_t on_message(
	void *ctx, uint32_t connection_id, uint32_t type, const uint8_t *payload, size_t bytes)
{
	(void)ctx;
	seen.messages++;
	seen.connection_id = connection_id;
	seen.type = type;
	seen.bytes = bytes;
	memcpy(seen.payload, payload, bytes);
	return seen.answer;
}

static void on_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	(void)ctx;
	seen.events++;
	seen.connection_id = connection_id;
	seen.flag = flag;
}

static void open_with_hypercalls(void)
{
	memset(&seen, 0, sizeof seen);
	rig_open(&rig, 2);
	rig_hypercalls_on(&rig);
	partition_message_port_add(rig.partition, 1, on_message, NULL);
	partition_event_port_add(rig.partition, 0x2001, 4, on_event, NULL);
}

/* Input of HvCallPostMessage, byte by byte: connection, type, size, "ping". */
static void post_input(uint64_t gpa, uint32_t connection, uint32_t type, uint32_t size)
{
	uint8_t *at = rig_at(&rig, gpa);

	memset(at, 0, 256);
	memcpy(at, &connection, 4);
	memcpy(at + 8, &type, 4);
	memcpy(at + 12, &size, 4);
	static const uint8_t ping[] = {'p', 'i', 'n', 'g'};
	memcpy(at + 16, ping, sizeof ping);
}

/* Input of the register calls: SELF, VP, VTL 0. */
static void registers_header(uint64_t gpa, uint32_t vp)
{
	uint8_t *at = rig_at(&rig, gpa);

	memset(at, 0, 16);
	memset(at, 0xff, 8);
	memcpy(at + 8, &vp, 4);
}

static uint64_t call(uint64_t control, uint64_t input, uint64_t output)
{
	return rig_hypercall(&rig, control, input, output);
}

static bool faults(uint64_t control)
{
	struct hypercall_registers registers = {.rcx = control, .rdx = RIG_INPUT, .rax = 0x1234};
	const enum partition_fault fault = partition_hypercall(rig.partition, 0, &registers);

	CU_ASSERT_EQUAL(registers.rax, 0x1234); /* a fault changes nothing */
	return fault == PARTITION_FAULT_UD;
}

/* ---- the table ----------------------------------------------------------------------------- */

static void table_is_sorted_and_complete(void)
{
	size_t count;
	const struct hypercall_row *rows = hypercall_table(&count);

	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_EQUAL(
			(rows[i].simple != NULL) + (rows[i].rep != NULL) + (rows[i].list != NULL),
			1);
		CU_ASSERT_TRUE(i == 0 || rows[i - 1].code < rows[i].code);
		CU_ASSERT_TRUE(rows[i].simple != NULL || rows[i].input_bytes % 8 == 0);
		CU_ASSERT_STRING_NOT_EQUAL(hv_call_name(rows[i].code), "unknown");
	}
	for (unsigned i = 0; i < HYPERCALL_REFUSAL_COUNT; i++)
		CU_ASSERT_PTR_NOT_NULL(hypercall_refusal_text(i));
	CU_ASSERT_STRING_EQUAL(hypercall_refusal_text(HYPERCALL_REFUSAL_COUNT), "unknown");
}

/* ---- validity, in the order of the checks -------------------------------------------------- */

/* R-HCALL-015, R-HCALL-023. */
static void faults_until_the_interface_is_enabled(void)
{
	rig_open(&rig, 1);
	CU_ASSERT_TRUE(faults(SPIN));
	rig_write(&rig, 0, HV_X64_MSR_GUEST_OS_ID, RIG_OS_ID);
	CU_ASSERT_TRUE(faults(SPIN));
	rig_write(&rig, 0, HV_X64_MSR_HYPERCALL, RIG_CODE | 1);
	CU_ASSERT_EQUAL(call(SPIN, RIG_INPUT, 0), 0);
	rig_write(&rig, 0, HV_X64_MSR_GUEST_OS_ID, 0);
	CU_ASSERT_TRUE(faults(SPIN));
	CU_ASSERT_TRUE(REFUSED(INTERFACE_OFF) >= 3);
	rig_close(&rig);
}

/* R-HCALL-015. */
static void privilege_comes_before_everything_else(void)
{
	open_with_hypercalls();
	/* CreatePartition is not for us: 6, whatever else is wrong with the call. */
	CU_ASSERT_EQUAL(call(0x40 | 1ull << 63 | NESTED | VARHEAD | START(3), 1, 1), 6);
	CU_ASSERT_EQUAL(call(0x40 | FAST, 0, 0), 6);
	CU_ASSERT_EQUAL(REFUSED(ACCESS_DENIED), 2);
	/* An unknown code: 2, likewise. */
	CU_ASSERT_EQUAL(call(0x3f | 1ull << 63 | REPS(4), 1, 1), 2);
	CU_ASSERT_EQUAL(REFUSED(UNKNOWN_CODE), 1);
	rig_close(&rig);
}

static void reserved_bits_give_3(void)
{
	static const unsigned bits[] = {27, 28, 29, 30, 44, 45, 46, 47, 60, 61, 62, 63};

	open_with_hypercalls();
	for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
		CU_ASSERT_EQUAL(call(SPIN | 1ull << bits[i], RIG_INPUT, 0), 3);
		CU_ASSERT_EQUAL(call(GET | REPS(1) | 1ull << bits[i], RIG_INPUT, RIG_OUTPUT), 3);
	}
	CU_ASSERT_EQUAL(REFUSED(RESERVED_BITS), 24);
	rig_close(&rig);
}

static void nested_bit_gives_3(void)
{
	open_with_hypercalls();
	CU_ASSERT_EQUAL(call(SPIN | NESTED, RIG_INPUT, 0), 3); /* R-CPUID-025 */
	CU_ASSERT_EQUAL(REFUSED(NESTED), 1);
	rig_close(&rig);
}

static void xmm_that_is_not_offered_faults(void)
{
	uint32_t leaf[4];

	open_with_hypercalls();
	partition_backend_set(rig.partition, &rig_ops_without_xmm, &rig);
	partition_cpuid(rig.partition, 0, 0x40000003, 0, leaf);
	CU_ASSERT_EQUAL(leaf[3] & (1u << 4 | 1u << 15), 0);
	CU_ASSERT_EQUAL(leaf[1] >> 19 & 1, 0);
	CU_ASSERT_TRUE(faults(GET | FAST | REPS(1))); /* R-CPUID-018 */
	CU_ASSERT_TRUE(faults(QUERY | FAST));
	CU_ASSERT_TRUE(faults(POST | FAST));
	CU_ASSERT_EQUAL(call(SPIN | FAST, 1, 0), 0); /* 16 bytes need none */
	CU_ASSERT_EQUAL(REFUSED(XMM_UNAVAILABLE), 3);
	rig_close(&rig);
}

static void calls_that_cannot_be_fast_give_3(void)
{
	open_with_hypercalls();
	CU_ASSERT_EQUAL(call(POST | FAST, 1, 0), 3); /* R-HCALL-012 */
	CU_ASSERT_EQUAL(REFUSED(NOT_FAST), 1);
	CU_ASSERT_EQUAL(seen.messages, 0);
	rig_close(&rig);
}

static void fast_parameters_that_do_not_fit_give_3(void)
{
	open_with_hypercalls();
	/* 16 + 24 × 4 bytes fill the 112; but then there is no room for output. */
	CU_ASSERT_EQUAL(call(GET | FAST | REPS(24), UINT64_MAX, SELF_VP), 3);
	CU_ASSERT_EQUAL(call(GET | FAST | REPS(25), UINT64_MAX, SELF_VP), 3);
	CU_ASSERT_EQUAL(call(GET | FAST | REPS(5), UINT64_MAX, SELF_VP), 3);
	CU_ASSERT_EQUAL(call(SET | FAST | REPS(4), UINT64_MAX, SELF_VP), 3); /* 16 + 128 */
	CU_ASSERT_EQUAL(REFUSED(FAST_TOO_LONG), 4);
	rig_close(&rig);
}

static void variable_header_gives_3(void)
{
	open_with_hypercalls();
	CU_ASSERT_EQUAL(call(SPIN | VARHEAD, RIG_INPUT, 0), 3); /* R-HCALL-005 */
	CU_ASSERT_EQUAL(call(GET | REPS(1) | VARHEAD << 9, RIG_INPUT, RIG_OUTPUT), 3);
	CU_ASSERT_EQUAL(REFUSED(VARIABLE_HEADER), 2);
	rig_close(&rig);
}

static void simple_call_with_reps_gives_3(void)
{
	open_with_hypercalls();
	CU_ASSERT_EQUAL(call(SPIN | REPS(1), RIG_INPUT, 0), 3); /* R-HCALL-004 */
	CU_ASSERT_EQUAL(call(SPIN | START(1), RIG_INPUT, 0), 3);
	CU_ASSERT_EQUAL(call(SIGNAL | FAST | REPS(1), 0x2001, 0), 3);
	CU_ASSERT_EQUAL(REFUSED(SIMPLE_WITH_REPS), 3);
	CU_ASSERT_EQUAL(seen.events, 0);
	rig_close(&rig);
}

static void rep_call_needs_count_above_start(void)
{
	open_with_hypercalls();
	CU_ASSERT_EQUAL(call(GET, RIG_INPUT, RIG_OUTPUT), 3); /* R-HCALL-003 */
	CU_ASSERT_EQUAL(call(GET | START(1), RIG_INPUT, RIG_OUTPUT), 3);
	CU_ASSERT_EQUAL(call(GET | REPS(2) | START(2), RIG_INPUT, RIG_OUTPUT), 3);
	CU_ASSERT_EQUAL(call(GET | REPS(2) | START(0xfff), RIG_INPUT, RIG_OUTPUT), 3);
	CU_ASSERT_EQUAL(REFUSED(NO_REPS), 2);
	CU_ASSERT_EQUAL(REFUSED(START_PAST_COUNT), 2);
	rig_close(&rig);
}

static void unaligned_addresses_give_4(void)
{
	open_with_hypercalls();
	for (uint64_t off = 1; off < 8; off++) {
		CU_ASSERT_EQUAL(call(POST, RIG_INPUT + off, 0), 4); /* R-HCALL-007 */
		CU_ASSERT_EQUAL(call(QUERY, 0, RIG_OUTPUT + off), 4);
	}
	CU_ASSERT_EQUAL(REFUSED(INPUT_UNALIGNED), 7);
	CU_ASSERT_EQUAL(REFUSED(OUTPUT_UNALIGNED), 7);
	rig_close(&rig);
}

static void lists_that_cross_a_page_give_4(void)
{
	open_with_hypercalls();
	post_input(RIG_INPUT + 4096 - 256, 1, 1, 4);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT + 4096 - 256, 0), 0); /* to the last byte */
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT + 4096 - 248, 0), 4); /* R-HCALL-008 */
	CU_ASSERT_EQUAL(REFUSED(INPUT_CROSSES_PAGE), 1);
	registers_header(RIG_INPUT, SELF_VP);
	memset((uint8_t *)rig_at(&rig, RIG_INPUT) + 16, 0, 4080);
	CU_ASSERT_EQUAL(call(GET | REPS(257), RIG_INPUT, RIG_OUTPUT), 4); /* 257 × 16 out */
	CU_ASSERT_EQUAL(REFUSED(OUTPUT_CROSSES_PAGE), 1);
	CU_ASSERT_EQUAL(call(GET | REPS(256), RIG_INPUT, RIG_OUTPUT), 5);  /* fits; name 0 */
	CU_ASSERT_EQUAL(call(GET | REPS(1021), RIG_INPUT, RIG_OUTPUT), 4); /* 16 + 4084 in */
	CU_ASSERT_EQUAL(call(SET | REPS(128), RIG_INPUT, 0), 4);
	CU_ASSERT_EQUAL(call(SET | REPS(0xfff), RIG_INPUT, 0), 4);
	CU_ASSERT_EQUAL(REFUSED(INPUT_CROSSES_PAGE), 4);
	rig_close(&rig);
}

static void addresses_outside_memory_give_4(void)
{
	open_with_hypercalls();
	CU_ASSERT_EQUAL(call(POST, RIG_MEMORY, 0), 4); /* R-HCALL-009 */
	CU_ASSERT_EQUAL(call(POST, 0xfffffffffffff000ull, 0), 4);
	CU_ASSERT_EQUAL(call(QUERY, 0, RIG_MEMORY), 4);
	CU_ASSERT_EQUAL(call(QUERY, 0, 0xfffffffffffffff8ull), 4);
	CU_ASSERT_EQUAL(REFUSED(INPUT_NOT_RAM), 2);
	CU_ASSERT_EQUAL(REFUSED(OUTPUT_NOT_RAM), 2);
	rig_close(&rig);
}

static void overlapping_input_and_output_give_4(void)
{
	open_with_hypercalls();
	registers_header(RIG_INPUT, SELF_VP);
	const uint32_t name = HV_REGISTER_VP_INDEX;
	memcpy((uint8_t *)rig_at(&rig, RIG_INPUT) + 16, &name, 4);
	CU_ASSERT_EQUAL(call(GET | REPS(1), RIG_INPUT, RIG_INPUT + 16), 4);
	CU_ASSERT_EQUAL(call(GET | REPS(1), RIG_INPUT + 8, RIG_INPUT), 4);
	CU_ASSERT_EQUAL(REFUSED(OVERLAP), 2);
	CU_ASSERT_EQUAL(call(GET | REPS(1), RIG_INPUT, RIG_INPUT + 24), DONE(1));
	rig_close(&rig);
}

static void addresses_of_absent_parameters_are_ignored(void)
{
	open_with_hypercalls();
	post_input(RIG_INPUT, 1, 1, 4);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0xdeadbeefull), 0); /* R-HCALL-010 */
	CU_ASSERT_EQUAL(call(QUERY, 0xdeadbeefull, RIG_OUTPUT), 0);
	rig_close(&rig);
}

static void statistics_count_calls_and_refusals(void)
{
	struct partition_statistics statistics;

	open_with_hypercalls();
	call(SPIN | FAST, 0, 0);
	call(SPIN | NESTED, 0, 0);
	call(0, 0, 0);
	partition_statistics_get(rig.partition, &statistics);
	CU_ASSERT_EQUAL(statistics.hypercalls, 3);
	CU_ASSERT_EQUAL(statistics.hypercalls_refused, 2);
	rig_close(&rig);
}

/* ---- PostMessage --------------------------------------------------------------------------- */

static void post_message_reaches_its_port(void)
{
	open_with_hypercalls();
	post_input(RIG_INPUT, 1, 0x12345678, 4);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 0);
	CU_ASSERT_EQUAL(seen.messages, 1);
	CU_ASSERT_EQUAL(seen.connection_id, 1);
	CU_ASSERT_EQUAL(seen.type, 0x12345678);
	CU_ASSERT_EQUAL(seen.bytes, 4);
	CU_ASSERT_EQUAL(memcmp(seen.payload, "ping", 4), 0);
	post_input(RIG_INPUT, 1, 0x7fffffff, 240);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 0);
	CU_ASSERT_EQUAL(seen.bytes, 240);
	post_input(RIG_INPUT, 1, 1, 0);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 0);
	CU_ASSERT_EQUAL(seen.bytes, 0);
	rig_close(&rig);
}

static void post_message_passes_on_what_the_port_answers(void)
{
	open_with_hypercalls();
	seen.answer = HV_STATUS_INSUFFICIENT_BUFFERS;
	post_input(RIG_INPUT, 1, 1, 4);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 0x13);
	rig_close(&rig);
}

/* R-CPUID-010. */
static void post_message_checks_its_parameters(void)
{
	open_with_hypercalls();
	post_input(RIG_INPUT, 2, 1, 4);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 0x12); /* no such connection */
	post_input(RIG_INPUT, 0x01000001, 1, 4);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 0x12);
	post_input(RIG_INPUT, 0x2001, 1, 4);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 0x11); /* an event port */
	post_input(RIG_INPUT, 1, 0, 4);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 5);
	post_input(RIG_INPUT, 1, 0x80000000, 4);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 5);
	post_input(RIG_INPUT, 1, 1, 241);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 5);
	post_input(RIG_INPUT, 1, 1, 0xffffffff);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 5);
	post_input(RIG_INPUT, 1, 1, 4);
	*((uint8_t *)rig_at(&rig, RIG_INPUT) + 5) = 1; /* reserved */
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 5);
	CU_ASSERT_EQUAL(seen.messages, 0);
	rig_close(&rig);
}

/* ---- SignalEvent --------------------------------------------------------------------------- */

static void signal_event_is_fast_or_slow(void)
{
	static const uint8_t input[] = {0x01, 0x20, 0, 0, 3, 0, 0, 0};

	open_with_hypercalls();
	CU_ASSERT_EQUAL(call(SIGNAL | FAST, 0x2001, 0), 0);
	CU_ASSERT_EQUAL(seen.events, 1);
	CU_ASSERT_EQUAL(seen.connection_id, 0x2001);
	CU_ASSERT_EQUAL(seen.flag, 0);
	memcpy(rig_at(&rig, RIG_INPUT), input, sizeof input);
	CU_ASSERT_EQUAL(call(SIGNAL, RIG_INPUT, 0), 0);
	CU_ASSERT_EQUAL(seen.events, 2);
	CU_ASSERT_EQUAL(seen.flag, 3);
	rig_close(&rig);
}

static void signal_event_checks_its_parameters(void)
{
	open_with_hypercalls();
	CU_ASSERT_EQUAL(call(SIGNAL | FAST, 0x2002, 0), 0x12); /* R-CPUID-011 */
	CU_ASSERT_EQUAL(call(SIGNAL | FAST, 0xff002001, 0), 0x12);
	CU_ASSERT_EQUAL(call(SIGNAL | FAST, 1, 0), 0x11); /* a message port */
	CU_ASSERT_EQUAL(call(SIGNAL | FAST, 0x2001 | 4ull << 32, 0), 5);
	CU_ASSERT_EQUAL(call(SIGNAL | FAST, 0x2001 | 1ull << 48, 0), 5);
	CU_ASSERT_EQUAL(seen.events, 0);
	rig_close(&rig);
}

/* ---- registers ----------------------------------------------------------------------------- */

static void get_vp_registers_reads_by_name(void)
{
	static const uint32_t names[] = {
		0x00090002, /* guest OS id */
		0x00090003, /* VP index */
		0x000a0002, /* SINT2 */
		0x000a0013, /* SIMP */
		0x00000100, /* hypervisor version */
	};
	uint64_t out[10];

	open_with_hypercalls();
	rig_synic_on(&rig);
	registers_header(RIG_INPUT, SELF_VP);
	memcpy((uint8_t *)rig_at(&rig, RIG_INPUT) + 16, names, sizeof names);
	CU_ASSERT_EQUAL(call(GET | REPS(5), RIG_INPUT, RIG_OUTPUT), DONE(5));
	memcpy(out, rig_at(&rig, RIG_OUTPUT), sizeof out);
	CU_ASSERT_EQUAL(out[0], RIG_OS_ID);
	CU_ASSERT_EQUAL(out[2], 0);
	CU_ASSERT_EQUAL(out[4], RIG_VECTOR);
	CU_ASSERT_EQUAL(out[5], 0);
	CU_ASSERT_EQUAL(out[6], RIG_SIMP | 1);
	CU_ASSERT_EQUAL(out[8] >> 32, 10u << 16);

	registers_header(RIG_INPUT, 1);
	CU_ASSERT_EQUAL(call(GET | REPS(2), RIG_INPUT, RIG_OUTPUT), DONE(2));
	memcpy(out, rig_at(&rig, RIG_OUTPUT), 32);
	CU_ASSERT_EQUAL(out[2], 1); /* the other VP's index */
	rig_close(&rig);
}

static void get_vp_registers_checks_its_header(void)
{
	open_with_hypercalls();
	const uint32_t name = HV_REGISTER_VP_INDEX;
	uint8_t *input = rig_at(&rig, RIG_INPUT);
	memcpy(input + 16, &name, 4);

	registers_header(RIG_INPUT, 2);
	CU_ASSERT_EQUAL(call(GET | REPS(1), RIG_INPUT, RIG_OUTPUT), 0x0e);
	registers_header(RIG_INPUT, 0xffffffff); /* ANY */
	CU_ASSERT_EQUAL(call(GET | REPS(1), RIG_INPUT, RIG_OUTPUT), 0x0e);
	registers_header(RIG_INPUT, SELF_VP);
	input[0] = 1; /* another partition */
	CU_ASSERT_EQUAL(call(GET | REPS(1), RIG_INPUT, RIG_OUTPUT), 6);
	registers_header(RIG_INPUT, SELF_VP);
	input[12] = 0x11; /* VTL 1 */
	CU_ASSERT_EQUAL(call(GET | REPS(1), RIG_INPUT, RIG_OUTPUT), 5);
	input[12] = 0x10; /* VTL 0, said so */
	CU_ASSERT_EQUAL(call(GET | REPS(1), RIG_INPUT, RIG_OUTPUT), DONE(1));
	input[13] = 1;
	CU_ASSERT_EQUAL(call(GET | REPS(1), RIG_INPUT, RIG_OUTPUT), 5);
	rig_close(&rig);
}

static void rep_call_stops_at_the_element_that_fails(void)
{
	static const uint32_t names[] = {0x00090003, 0x00090003, 0x00020000, 0x00090003};
	uint8_t *output;

	open_with_hypercalls();
	registers_header(RIG_INPUT, 1);
	memcpy((uint8_t *)rig_at(&rig, RIG_INPUT) + 16, names, sizeof names);
	output = rig_at(&rig, RIG_OUTPUT);
	memset(output, 0xee, 64);
	CU_ASSERT_EQUAL(call(GET | REPS(4), RIG_INPUT, RIG_OUTPUT), DONE(2) | 5); /* R-HCALL-014 */
	CU_ASSERT_EQUAL(output[0], 1);
	CU_ASSERT_EQUAL(output[16], 1);
	CU_ASSERT_EQUAL(output[32], 0xee);
	rig_close(&rig);
}

static void rep_call_goes_on_from_its_start(void)
{
	static const uint32_t names[] = {0x00020000, 0x00020000, 0x00090003};
	uint8_t *output;

	open_with_hypercalls();
	registers_header(RIG_INPUT, 1);
	memcpy((uint8_t *)rig_at(&rig, RIG_INPUT) + 16, names, sizeof names);
	output = rig_at(&rig, RIG_OUTPUT);
	memset(output, 0xee, 48);
	/* R-HCALL-013: bad names before the start do not matter; the count is absolute. */
	CU_ASSERT_EQUAL(call(GET | REPS(3) | START(2), RIG_INPUT, RIG_OUTPUT), DONE(3));
	CU_ASSERT_EQUAL(output[0], 0xee);
	CU_ASSERT_EQUAL(output[31], 0xee);
	CU_ASSERT_EQUAL(output[32], 1);
	/* It fails at its first element: done = start. */
	CU_ASSERT_EQUAL(call(GET | REPS(3) | START(1), RIG_INPUT, RIG_OUTPUT), DONE(1) | 5);
	rig_close(&rig);
}

static void set_element(unsigned at, uint32_t name, uint64_t low, uint64_t high)
{
	uint8_t *element = (uint8_t *)rig_at(&rig, RIG_INPUT) + 16 + at * 32;

	memset(element, 0, 32);
	memcpy(element, &name, 4);
	memcpy(element + 16, &low, 8);
	memcpy(element + 24, &high, 8);
}

static void set_vp_registers_writes_by_name(void)
{
	open_with_hypercalls();
	registers_header(RIG_INPUT, 1);
	set_element(0, HV_REGISTER_SIMP, 0x50001, 0);
	set_element(1, HV_REGISTER_SINT0 + 2, 0x61, 0);
	CU_ASSERT_EQUAL(call(SET | REPS(2), RIG_INPUT, 0), DONE(2));
	CU_ASSERT_EQUAL(rig_read(&rig, 1, HV_X64_MSR_SIMP), 0x50001);
	CU_ASSERT_EQUAL(rig_read(&rig, 1, HV_X64_MSR_SINT0 + 2), 0x61);
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SIMP), 0);

	set_element(0, HV_REGISTER_SINT0, 3, 0); /* vector below 16 */
	CU_ASSERT_EQUAL(call(SET | REPS(2), RIG_INPUT, 0), 0x50);
	set_element(0, HV_REGISTER_SINT0, 0x30, 1); /* 65 bits */
	CU_ASSERT_EQUAL(call(SET | REPS(1), RIG_INPUT, 0), 0x50);
	set_element(0, HV_REGISTER_VP_INDEX, 0, 0); /* read-only */
	CU_ASSERT_EQUAL(call(SET | REPS(1), RIG_INPUT, 0), 5);
	set_element(0, 0, 0, 0);
	CU_ASSERT_EQUAL(call(SET | REPS(1), RIG_INPUT, 0), 5);
	set_element(0, HV_REGISTER_SINT0, 0x30, 0);
	*((uint8_t *)rig_at(&rig, RIG_INPUT) + 16 + 15) = 1; /* reserved */
	CU_ASSERT_EQUAL(call(SET | REPS(1), RIG_INPUT, 0), 5);
	rig_close(&rig);
}

/* ---- output in registers ------------------------------------------------------------------- */

static void fast_output_begins_at_the_next_16_bytes(void)
{
	open_with_hypercalls();
	/* 16 bytes of header, one name in XMM0: 20 bytes, output from XMM1. */
	struct hypercall_registers registers = {
		.rcx = GET | FAST | REPS(1),
		.rdx = UINT64_MAX,
		.r8 = SELF_VP,
		.xmm = {0x00090002, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21},
	};
	CU_ASSERT_EQUAL(partition_hypercall(rig.partition, 0, &registers), PARTITION_FAULT_NONE);
	CU_ASSERT_EQUAL(registers.rax, DONE(1));
	CU_ASSERT_EQUAL(registers.rdx, UINT64_MAX); /* R-HCALL-006 */
	CU_ASSERT_EQUAL(registers.r8, SELF_VP);
	CU_ASSERT_EQUAL(registers.xmm[0], 0x00090002);
	CU_ASSERT_EQUAL(registers.xmm[1], 11);
	CU_ASSERT_EQUAL(registers.xmm[2], RIG_OS_ID);
	CU_ASSERT_EQUAL(registers.xmm[3], 0);
	CU_ASSERT_EQUAL(registers.xmm[4], 14);
	rig_close(&rig);
}

static void fast_output_without_input_begins_in_rdx(void)
{
	open_with_hypercalls();
	struct hypercall_registers registers = {.rcx = QUERY | FAST, .rdx = 77, .r8 = 78};
	CU_ASSERT_EQUAL(partition_hypercall(rig.partition, 0, &registers), PARTITION_FAULT_NONE);
	CU_ASSERT_EQUAL(registers.rax, 0);
	CU_ASSERT_EQUAL(registers.rdx, 0); /* no capability */
	CU_ASSERT_EQUAL(registers.r8, 78);
	rig_close(&rig);
}

static void failed_fast_call_changes_no_register(void)
{
	open_with_hypercalls();
	struct hypercall_registers registers = {
		.rcx = GET | FAST | REPS(1),
		.rdx = UINT64_MAX,
		.r8 = 9, /* no such VP */
		.xmm = {0x00090002, 11, 12, 13},
	};
	struct hypercall_registers before = registers;
	partition_hypercall(rig.partition, 0, &registers);
	CU_ASSERT_EQUAL(registers.rax, 0x0e);
	before.rax = registers.rax;
	CU_ASSERT_EQUAL(memcmp(&registers, &before, sizeof before), 0);
	rig_close(&rig);
}

static void extended_capabilities_are_none(void)
{
	uint64_t capabilities = 1;

	open_with_hypercalls();
	memset(rig_at(&rig, RIG_OUTPUT), 0xff, 8);
	CU_ASSERT_EQUAL(call(QUERY, 0, RIG_OUTPUT), 0);
	memcpy(&capabilities, rig_at(&rig, RIG_OUTPUT), 8);
	CU_ASSERT_EQUAL(capabilities, 0);
	CU_ASSERT_EQUAL(call(0x8002, 0, RIG_OUTPUT), 2); /* R-CPUID-023 */
	rig_close(&rig);
}

/* A port whose owner sees the guest write over its input while the message is looked at. */
static uint16_t on_message_that_is_written_over(
	void *ctx, uint32_t connection_id, uint32_t type, const uint8_t *payload, size_t bytes)
{
	memset(rig_at(&rig, RIG_INPUT), 0xff, 256);
	return on_message(ctx, connection_id, type, payload, bytes);
}

/* R-HYP-002. */
static void input_that_changes_meanwhile_is_what_it_was(void)
{
	open_with_hypercalls();
	partition_message_port_add(rig.partition, 7, on_message_that_is_written_over, NULL);
	post_input(RIG_INPUT, 7, 3, 4);
	CU_ASSERT_EQUAL(call(POST, RIG_INPUT, 0), 0);
	CU_ASSERT_EQUAL(seen.messages, 1);
	CU_ASSERT_EQUAL(seen.connection_id, 7);
	CU_ASSERT_EQUAL(seen.type, 3);
	CU_ASSERT_EQUAL(seen.bytes, 4);
	CU_ASSERT_EQUAL(memcmp(seen.payload, "ping", 4), 0);
	rig_close(&rig);
}

/* R-HYP-002: the first element covers the input with the message page, which is empty. */
static void elements_that_vanish_meanwhile_are_what_they_were(void)
{
	open_with_hypercalls();
	registers_header(RIG_INPUT, 0);
	set_element(0, HV_REGISTER_SIMP, RIG_INPUT | 1, 0);
	set_element(1, HV_REGISTER_SINT0 + 2, 0x61, 0);
	CU_ASSERT_EQUAL(call(SET | REPS(2), RIG_INPUT, 0), DONE(2));
	CU_ASSERT_EQUAL(*(uint8_t *)rig_at(&rig, RIG_INPUT), 0); /* it is covered */
	CU_ASSERT_EQUAL(rig_read(&rig, 0, HV_X64_MSR_SINT0 + 2), 0x61);
	rig_close(&rig);
}

static const struct test tests[] = {
	TEST(table_is_sorted_and_complete),
	TEST(faults_until_the_interface_is_enabled),
	TEST(privilege_comes_before_everything_else),
	TEST(reserved_bits_give_3),
	TEST(nested_bit_gives_3),
	TEST(xmm_that_is_not_offered_faults),
	TEST(calls_that_cannot_be_fast_give_3),
	TEST(fast_parameters_that_do_not_fit_give_3),
	TEST(variable_header_gives_3),
	TEST(simple_call_with_reps_gives_3),
	TEST(rep_call_needs_count_above_start),
	TEST(unaligned_addresses_give_4),
	TEST(lists_that_cross_a_page_give_4),
	TEST(addresses_outside_memory_give_4),
	TEST(overlapping_input_and_output_give_4),
	TEST(addresses_of_absent_parameters_are_ignored),
	TEST(statistics_count_calls_and_refusals),
	TEST(post_message_reaches_its_port),
	TEST(post_message_passes_on_what_the_port_answers),
	TEST(post_message_checks_its_parameters),
	TEST(signal_event_is_fast_or_slow),
	TEST(signal_event_checks_its_parameters),
	TEST(get_vp_registers_reads_by_name),
	TEST(get_vp_registers_checks_its_header),
	TEST(rep_call_stops_at_the_element_that_fails),
	TEST(rep_call_goes_on_from_its_start),
	TEST(set_vp_registers_writes_by_name),
	TEST(fast_output_begins_at_the_next_16_bytes),
	TEST(fast_output_without_input_begins_in_rdx),
	TEST(failed_fast_call_changes_no_register),
	TEST(extended_capabilities_are_none),
	TEST(input_that_changes_meanwhile_is_what_it_was),
	TEST(elements_that_vanish_meanwhile_are_what_they_were),
};

TEST_MAIN("hypercall", tests)
