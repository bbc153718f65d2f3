// SPDX-License-Identifier: Apache-2.0
/*
 * The hypercall interface itself: the page (an overlay that moves, and can be locked), the
 * control word, parameters in memory and in registers, repetitions, what is preserved,
 * and what faults.
 */
#include "tests/bare/bare_test.h"

#define PATTERN	   0xa5u
#define NOBODY	   0x777777u /* a connection that does not exist */
#define CONNECTION 0x30u
#define SINT	   7u
#define VECTOR	   0xb7u
#define CODE_USER  0x2bu
#define DATA_USER  0x23u

static uint8_t *input, *output; /* a page each */

static uint64_t gpa(const void *va)
{
	return (uintptr_t)va;
}

static void expect(const char *name, uint16_t status, uint16_t wanted)
{
	check(status == wanted, name, "status 0x%x (%s) in place of 0x%x (%s)", status,
		hv_status_name(status), wanted, hv_status_name(wanted));
}

/* ---- the page -------------------------------------------------------------------------------- */

static void write_first_byte(void *ctx)
{
	*(volatile uint8_t *)ctx = 0xcc;
}

static void needs_os_id(const uint8_t *page)
{
	uint64_t value = 1;

	(void)test_write(HV_X64_MSR_GUEST_OS_ID, 0);
	check(test_write(HV_X64_MSR_HYPERCALL, gpa(page) | HV_MSR_PAGE_ENABLE),
		"enabling without a guest OS id does not fault", "#GP");
	(void)test_read(HV_X64_MSR_HYPERCALL, &value);
	check(!(value & HV_MSR_PAGE_ENABLE), "... and does not enable", "reads 0x%lx", value);
	(void)test_write(HV_X64_MSR_HYPERCALL, 0);
}

/* Calls the page at `code`; the winhv of this VP is pointed at it. */
static uint16_t call_at(const void *code)
{
	const struct winhv_pages pages = {
		.va = (uint8_t *)(uintptr_t)code, .gpa = gpa(code), .bytes = BARE_PAGE_BYTES};

	platform_bare_ops.hypercall_page_set(&bare.vps[0].platform, &pages);
	return test_status(hv_hypercall_input(HV_CALL_SIGNAL_EVENT, 0, 0) | HV_HYPERCALL_FAST,
		hv_signal_event_fast(NOBODY, 0), 0);
}

static void overlay(void)
{
	uint8_t *first = bare_pages(1), *second = bare_pages(1);
	uint64_t value;

	needs_os_id(first);
	(void)test_write(HV_X64_MSR_GUEST_OS_ID, TEST_OS_ID);
	__builtin_memset(first, PATTERN, BARE_PAGE_BYTES);
	__builtin_memset(second, PATTERN + 1, BARE_PAGE_BYTES);
	(void)test_write(HV_X64_MSR_HYPERCALL, gpa(first) | HV_MSR_PAGE_ENABLE);
	check(first[0] != PATTERN && (first[0] | first[1] | first[2]),
		"the code is there when the WRMSR returns", "%02x %02x %02x", first[0], first[1],
		first[2]);
	expect("... and works", call_at(first), HV_STATUS_INVALID_CONNECTION_ID);
	const uint8_t byte = first[0];

	(void)test_write(HV_X64_MSR_HYPERCALL, gpa(second) | HV_MSR_PAGE_ENABLE);
	check(second[0] == byte, "the page moves", "first byte %02x", second[0]);
	expect("... and works there", call_at(second), HV_STATUS_INVALID_CONNECTION_ID);
	check(test_is_filled(first, PATTERN), "what was under it is back", "first byte %02x",
		first[0]);
	(void)test_write(HV_X64_MSR_HYPERCALL, gpa(second));
	check(test_is_filled(second, PATTERN + 1), "disabling it uncovers the memory",
		"first byte %02x", second[0]);

	(void)test_write(HV_X64_MSR_HYPERCALL, gpa(second) | HV_MSR_PAGE_ENABLE);
	(void)test_write(HV_X64_MSR_GUEST_OS_ID, 0);
	(void)test_read(HV_X64_MSR_HYPERCALL, &value);
	check(!(value & HV_MSR_PAGE_ENABLE), "clearing the guest OS id disables the page",
		"reads 0x%lx", value);
	check(test_is_filled(second, PATTERN + 1), "... and uncovers the memory", "first byte %02x",
		second[0]);
	(void)test_write(HV_X64_MSR_HYPERCALL, 0);
}

/* Kept apart: a host that maps the page as ordinary memory cannot do it. */
static void protection(void)
{
	uint8_t *page = bare_winhv()->code.va;
	const uint8_t byte = page[0];
	struct bare_fault fault = {0};
	const bool is_done = bare_try(write_first_byte, page, &fault);

	check(!is_done && page[0] == byte && fault.vector == 13, "a write to the page faults (#GP)",
		"exception %u, first byte %02x", fault.vector, page[0]);
	if (page[0] != byte)
		page[0] = byte;
}

static void lock(void)
{
	struct winhv *hv = bare_winhv();
	uint64_t value = 0;
	uint8_t *other = bare_pages(1);

	if (!test_has_feature(HV_FEATURE_HYPERCALL_MSR_LOCK)) {
		skip("P22: locking the page", "not promised");
		return;
	}
	(void)test_write(
		HV_X64_MSR_HYPERCALL, hv->code.gpa | HV_MSR_PAGE_ENABLE | HV_MSR_HYPERCALL_LOCKED);
	(void)test_write(HV_X64_MSR_HYPERCALL, gpa(other) | HV_MSR_PAGE_ENABLE);
	(void)test_read(HV_X64_MSR_HYPERCALL, &value);
	check(value == (hv->code.gpa | HV_MSR_PAGE_ENABLE | HV_MSR_HYPERCALL_LOCKED),
		"P22: a locked page does not move", "reads 0x%lx", value);
	(void)test_write(HV_X64_MSR_HYPERCALL, 0);
	(void)test_read(HV_X64_MSR_HYPERCALL, &value);
	check(value & HV_MSR_HYPERCALL_LOCKED, "P22: ... nor is it unlocked", "reads 0x%lx", value);
	expect("P22: ... and works", call_at(hv->code.va), HV_STATUS_INVALID_CONNECTION_ID);
}

/* ---- the control word ------------------------------------------------------------------------ */

static void control_word(void)
{
	static const uint8_t reserved[] = {27, 28, 29, 30, 44, 45, 46, 47, 60, 61, 62, 63};
	const uint64_t post = hv_hypercall_input(HV_CALL_POST_MESSAGE, 0, 0);
	uint16_t status, worst = HV_STATUS_INVALID_HYPERCALL_INPUT;
	unsigned bit = 0;

	if (!test_has(HV_PRIVILEGE_POST_MESSAGES)) {
		skip("the control word", "PostMessages is not promised");
		return;
	}
	expect("an unknown code", test_status(hv_hypercall_input(0x7abc, 0, 0), 0, 0),
		HV_STATUS_INVALID_HYPERCALL_CODE);
	expect("code 0", test_status(0, 0, 0), HV_STATUS_INVALID_HYPERCALL_CODE);
	expect("an extended code that does not exist", test_status(0x8fff, 0, 0),
		test_has(HV_PRIVILEGE_ENABLE_EXTENDED_HYPERCALLS) ? HV_STATUS_INVALID_HYPERCALL_CODE
								  : HV_STATUS_ACCESS_DENIED);
	for (size_t i = 0; i < sizeof reserved; i++) {
		status = test_status(post | 1ull << reserved[i], gpa(input), 0);
		if (status != HV_STATUS_INVALID_HYPERCALL_INPUT) {
			worst = status;
			bit = reserved[i];
		}
	}
	check(worst == HV_STATUS_INVALID_HYPERCALL_INPUT, "each reserved bit is refused",
		"bit %u: status 0x%x", bit, worst);
	expect("a simple call with repetitions",
		test_status(hv_hypercall_input(HV_CALL_POST_MESSAGE, 0, 1), gpa(input), 0),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	expect("a simple call with a start index",
		test_status(post | 1ull << HV_HYPERCALL_REP_START_SHIFT, gpa(input), 0),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	expect("a variable header where there is none",
		test_status(hv_hypercall_input(HV_CALL_POST_MESSAGE, 1, 0), gpa(input), 0),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	status = test_status(post | HV_HYPERCALL_FAST, 0, 0);
	check(status == HV_STATUS_INVALID_HYPERCALL_INPUT ||
			status == HV_STATUS_INVALID_HYPERCALL_CODE || status == 0xffff,
		"PostMessage in registers is refused", "status 0x%x", status);
	expect("without the privilege, nothing else is told",
		test_status(hv_hypercall_input(HV_CALL_CREATE_PARTITION, 3, 5), 3, 0),
		test_has(HV_PRIVILEGE_CREATE_PARTITIONS) ? HV_STATUS_INVALID_HYPERCALL_INPUT
							 : HV_STATUS_ACCESS_DENIED);
}

/* ---- parameters ------------------------------------------------------------------------------ */

static uint16_t post(uint64_t at, uint32_t connection, uint32_t type, uint32_t bytes)
{
	const struct hv_post_message_wire wire = {
		.connection_id = connection, .message_type = type, .payload_size = bytes};

	if (at == gpa(input))
		__builtin_memcpy(input, &wire, sizeof wire);
	return test_status(hv_hypercall_input(HV_CALL_POST_MESSAGE, 0, 0), at, 0);
}

static void parameters(void)
{
	const uint64_t signal = hv_hypercall_input(HV_CALL_SIGNAL_EVENT, 0, 0);

	if (!test_has(HV_PRIVILEGE_POST_MESSAGES | HV_PRIVILEGE_SIGNAL_EVENTS)) {
		skip("parameters", "PostMessages or SignalEvents is not promised");
		return;
	}
	expect("PostMessage to nobody", post(gpa(input), NOBODY, 1, 0),
		HV_STATUS_INVALID_CONNECTION_ID);
	expect("an address that is not a multiple of 8", post(gpa(input) + 4, NOBODY, 1, 0),
		HV_STATUS_INVALID_ALIGNMENT);
	expect("input over the end of a page", post(gpa(input) + 0xf08, NOBODY, 1, 0),
		HV_STATUS_INVALID_ALIGNMENT);
	expect("input that ends with the page", post(gpa(input) + 0xf00, NOBODY, 1, 0),
		HV_STATUS_INVALID_CONNECTION_ID);
	expect("input outside of memory", post(1ull << 45, NOBODY, 1, 0),
		HV_STATUS_INVALID_ALIGNMENT);
	__builtin_memcpy(input, &(struct hv_signal_event_wire){.connection_id = NOBODY}, 8);
	expect("SignalEvent to nobody, in memory", test_status(signal, gpa(input), 0),
		HV_STATUS_INVALID_CONNECTION_ID);
	expect("SignalEvent, address not a multiple of 8", test_status(signal, gpa(input) + 1, 0),
		HV_STATUS_INVALID_ALIGNMENT);
	expect("SignalEvent to nobody, in registers",
		test_status(signal | HV_HYPERCALL_FAST, hv_signal_event_fast(NOBODY, 0), ~0ull),
		HV_STATUS_INVALID_CONNECTION_ID);
	const uint16_t status = test_status(
		signal | HV_HYPERCALL_FAST, hv_signal_event_fast(NOBODY, 0) | 1ull << 48, 0);
	check(status != HV_STATUS_SUCCESS, "SignalEvent with a reserved bit is refused",
		"status 0x%x", status);
}

static void parameters_of_connection(void)
{
	const uint64_t signal = hv_hypercall_input(HV_CALL_SIGNAL_EVENT, 0, 0) | HV_HYPERCALL_FAST;
	struct winhv *hv = bare_winhv();
	struct winhv_message got;

	if (!test_device_exists()) {
		skip("parameters of a connection", "no test device at port 0x3000");
		return;
	}
	test_count_vector(VECTOR, true);
	(void)winhv_synic_enable(hv, 0, SINT, VECTOR);
	test_device(TEST_DEVICE_MSG_CREATE, 0, SINT, CONNECTION);
	expect("a message of 241 bytes", post(gpa(input), CONNECTION, 1, 241),
		HV_STATUS_INVALID_PARAMETER);
	expect("message type 0", post(gpa(input), CONNECTION, 0, 8), HV_STATUS_INVALID_PARAMETER);
	expect("a message type of the hypervisor", post(gpa(input), CONNECTION, 0x80000001, 8),
		HV_STATUS_INVALID_PARAMETER);
	expect("SignalEvent on a message connection",
		test_status(signal, hv_signal_event_fast(CONNECTION, 0), 0),
		HV_STATUS_INVALID_PORT_ID);
	expect("a message of 240 bytes", post(gpa(input), CONNECTION, 1, 240), HV_STATUS_SUCCESS);
	(void)test_interrupts_reach(0, VECTOR, 1);
	check(winhv_message_take(hv, 0, SINT, &got) && got.bytes == 240, "... arrives", "%u bytes",
		got.bytes);
	test_device(TEST_DEVICE_MSG_DESTROY, 0, SINT, CONNECTION);

	test_device(TEST_DEVICE_EVT_CREATE, 0, SINT, CONNECTION + 1);
	expect("a flag number beyond the port's",
		test_status(signal, hv_signal_event_fast(CONNECTION + 1, 0x800), 0),
		HV_STATUS_INVALID_PARAMETER);
	expect("PostMessage on an event connection", post(gpa(input), CONNECTION + 1, 1, 8),
		HV_STATUS_INVALID_PORT_ID);
	test_device(TEST_DEVICE_EVT_DESTROY, 0, SINT, CONNECTION + 1);
	winhv_synic_disable(hv, 0);
}

/* ---- repetitions ----------------------------------------------------------------------------- */

static uint64_t registers_get(uint64_t at, uint64_t to, uint16_t count, uint16_t start)
{
	return test_call(hv_hypercall_input(HV_CALL_GET_VP_REGISTERS, 0, count) |
				 (uint64_t)start << HV_HYPERCALL_REP_START_SHIFT,
		at, to, NULL, NULL);
}

static void registers_ask(uint8_t *at, const uint32_t *names, size_t count)
{
	const struct hv_vp_registers_header_wire header = {
		.partition_id = HV_PARTITION_ID_SELF, .vp_index = HV_VP_INDEX_SELF};

	__builtin_memcpy(at, &header, sizeof header);
	__builtin_memcpy(at + sizeof header, names, count * sizeof *names);
}

static void repetitions(void)
{
	const uint32_t good = HV_REGISTER_VP_INDEX, bad = 0x7fffffff;
	const uint32_t names[4] = {HV_REGISTER_GUEST_OS_ID, good, HV_REGISTER_GUEST_OS_ID, good};
	const uint32_t broken[4] = {HV_REGISTER_GUEST_OS_ID, good, bad, good};
	uint64_t *values = (uint64_t *)(void *)output;

	if (!test_has(HV_PRIVILEGE_ACCESS_VP_REGISTERS)) {
		skip("repetitions", "AccessVpRegisters is not promised");
		return;
	}
	registers_ask(input, names, 4);
	expect("no repetitions", (uint16_t)registers_get(gpa(input), gpa(output), 0, 0),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	expect("a start at the end", (uint16_t)registers_get(gpa(input), gpa(output), 4, 4),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	__builtin_memset(output, PATTERN, BARE_PAGE_BYTES);
	uint64_t result = registers_get(gpa(input), gpa(output), 4, 0);
	check(result == hv_hypercall_result(0, 4) && values[0] == TEST_OS_ID && values[2] == 0 &&
			values[4] == TEST_OS_ID,
		"four registers", "result 0x%lx, values %lx %lx", result, values[0], values[2]);
	check(output[64] == PATTERN, "... and nothing behind them", "byte %02x", output[64]);
	__builtin_memset(output, PATTERN, BARE_PAGE_BYTES);
	result = registers_get(gpa(input), gpa(output), 4, 2);
	check(result == hv_hypercall_result(0, 4) && output[0] == PATTERN &&
			output[31] == PATTERN && values[4] == TEST_OS_ID,
		"a start in the middle: counted from the first, nothing before it is written",
		"result 0x%lx, %02x", result, output[0]);
	registers_ask(input, broken, 4);
	result = registers_get(gpa(input), gpa(output), 4, 0);
	check((uint16_t)result != 0 && hv_hypercall_result_reps(result) == 2,
		"an error in the third says that two are done", "result 0x%lx", result);
	registers_ask(input, names, 4);
	expect("output that is not a multiple of 8",
		(uint16_t)registers_get(gpa(input), gpa(output) + 4, 4, 0),
		HV_STATUS_INVALID_ALIGNMENT);
	expect("output over the end of a page",
		(uint16_t)registers_get(gpa(input), gpa(output) + 0xfe0, 4, 0),
		HV_STATUS_INVALID_ALIGNMENT);
	registers_ask(input + 0xfe8, names, 2);
	expect("a list over the end of a page",
		(uint16_t)registers_get(gpa(input) + 0xfe8, gpa(output), 4, 0),
		HV_STATUS_INVALID_ALIGNMENT);
	expect("a list that ends with the page",
		(uint16_t)registers_get(gpa(input) + 0xfe8, gpa(output), 2, 0), HV_STATUS_SUCCESS);
}

/* Two registers and XMM0..5 carry what fits nowhere else. */
static void in_registers(void)
{
	const uint64_t control = hv_hypercall_input(HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE, 0, 0) |
				 HV_HYPERCALL_FAST;
	struct winhv_xmm xmm = {{1}};
	uint8_t fault = 0;

	if (!test_is_recommended(HV_RECOMMEND_REMOTE_FLUSH)) {
		skip("P18: parameters in XMM registers", "no flush hypercall is recommended");
		return;
	}
	const uint64_t result = test_call(
		control, 0, HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_ADDRESS_SPACES, &xmm, &fault);
	if (test_has_feature(HV_FEATURE_XMM_HYPERCALL_INPUT))
		expect("P18: parameters in XMM registers", (uint16_t)result, HV_STATUS_SUCCESS);
	else
		check(fault == 6, "P18: XMM registers are not promised: #UD",
			"exception %u, status 0x%x", fault, (uint16_t)result);
	check(xmm.word[0] == 1 && xmm.word[11] == 0, "... and stay what they were", "%lx",
		xmm.word[0]);
}

/* ---- processor state ------------------------------------------------------------------------- */

struct state {
	uint64_t rbx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15, rcx, rdx, rax;
};

/* Call `code` with all registers loaded from *state, and store them back. */
void hypercall_call_all(struct state *state, const void *code);
__asm__("	.text\n"
	"hypercall_call_all:\n"
	"	pushq	%rbx\n	pushq	%rbp\n	pushq	%r12\n	pushq	%r13\n"
	"	pushq	%r14\n	pushq	%r15\n	pushq	%rdi\n	pushq	%rsi\n"
	"	movq	%rdi, %rbp\n"
	"	movq	0(%rbp), %rbx\n	movq	8(%rbp), %rsi\n	movq	16(%rbp), %rdi\n"
	"	movq	24(%rbp), %r8\n	movq	32(%rbp), %r9\n	movq	40(%rbp), %r10\n"
	"	movq	48(%rbp), %r11\n	movq	56(%rbp), %r12\n	movq	64(%rbp), "
	"%r13\n"
	"	movq	72(%rbp), %r14\n	movq	80(%rbp), %r15\n	movq	88(%rbp), "
	"%rcx\n"
	"	movq	96(%rbp), %rdx\n	movq	104(%rbp), %rax\n"
	"	call	*(%rsp)\n"
	"	movq	8(%rsp), %rbp\n" /* the one that is not checked */
	"	movq	%rbx, 0(%rbp)\n	movq	%rsi, 8(%rbp)\n	movq	%rdi, 16(%rbp)\n"
	"	movq	%r8, 24(%rbp)\n	movq	%r9, 32(%rbp)\n	movq	%r10, 40(%rbp)\n"
	"	movq	%r11, 48(%rbp)\n	movq	%r12, 56(%rbp)\n	movq	%r13, "
	"64(%rbp)\n"
	"	movq	%r14, 72(%rbp)\n	movq	%r15, 80(%rbp)\n	movq	%rcx, "
	"88(%rbp)\n"
	"	movq	%rdx, 96(%rbp)\n	movq	%rax, 104(%rbp)\n"
	"	addq	$16, %rsp\n"
	"	popq	%r15\n	popq	%r14\n	popq	%r13\n	popq	%r12\n"
	"	popq	%rbp\n	popq	%rbx\n	ret\n");

static void preserved(const char *name, uint64_t control, uint64_t rdx, uint64_t r8)
{
	const struct state before = {.rbx = 0x1111,
		.rsi = 0x2222,
		.rdi = 0x3333,
		.r8 = r8,
		.r9 = 0x4444,
		.r10 = 0x5555,
		.r11 = 0x6666,
		.r12 = 0x7777,
		.r13 = 0x8888,
		.r14 = 0x9999,
		.r15 = 0xaaaa,
		.rcx = control,
		.rdx = rdx,
		.rax = 0xbbbb};
	struct state after = before;

	hypercall_call_all(&after, bare_winhv()->code.va);
	check(__builtin_memcmp(&before, &after, offsetof(struct state, rax)) == 0, name,
		"rcx %lx rdx %lx r8 %lx r9 %lx r10 %lx r11 %lx", after.rcx, after.rdx, after.r8,
		after.r9, after.r10, after.r11);
	check((after.rax >> 16) == 0, "... and the result has no bits that mean nothing",
		"rax 0x%lx", after.rax);
}

/* At CPL 3: call *rbx, then INT3, to tell a return from a fault. */
extern const uint8_t hypercall_user[], hypercall_user_end[];
__asm__("	.section .rodata\n"
	"hypercall_user:\n"
	"	call	*%rbx\n"
	"	int3\n"
	"hypercall_user_end:\n"
	"	.text\n");

static void user_enter(void *ctx)
{
	(void)ctx;
	__asm__ volatile("pushq	%[ss]\n"
			 "	pushq	%[rsp]\n"
			 "	pushq	$2\n"
			 "	pushq	%[cs]\n"
			 "	pushq	%[rip]\n"
			 "	iretq"
			 :
			 : [ss] "i"(DATA_USER), [rsp] "r"(BARE_WINDOW + 0x3000),
			 [cs] "i"(CODE_USER), [rip] "r"(BARE_WINDOW), "b"(BARE_WINDOW + 0x1000),
			 "c"(hv_hypercall_input(HV_CALL_SIGNAL_EVENT, 0, 0) | HV_HYPERCALL_FAST),
			 "d"((uint64_t)NOBODY)
			 : "memory");
}

static void user_mode(void)
{
	uint8_t *code = bare_pages(1);
	struct bare_fault fault = {0};

	__builtin_memcpy(
		code, hypercall_user, (uintptr_t)hypercall_user_end - (uintptr_t)hypercall_user);
	bare_map(BARE_WINDOW, gpa(code), BARE_MAP_USER);
	bare_map(BARE_WINDOW + 0x1000, bare_winhv()->code.gpa, BARE_MAP_USER);
	bare_map(BARE_WINDOW + 0x2000, gpa(bare_pages(1)), BARE_MAP_USER | BARE_MAP_WRITE);
	(void)bare_try(user_enter, NULL, &fault);
	check(fault.vector == 6, "a call at CPL 3 takes #UD", "exception %u%s", fault.vector,
		fault.vector == 3 ? ": it returned" : "");
}

/* ---- all VPs at once ------------------------------------------------------------------------- */

#define ROUNDS 100u
static uint32_t wrong[BARE_VPS_MAX];

static void hammer(void *ctx)
{
	struct winhv *hv = bare_winhv();
	const uint32_t vp = hv->vp;

	(void)ctx;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint16_t status = 0xffff;
		if (winhv_post_message(hv, NOBODY + vp, 1, &i, sizeof i, &status) ||
			status != HV_STATUS_INVALID_CONNECTION_ID)
			wrong[vp]++;
		if (winhv_signal_event(hv, NOBODY, 0) != HV_STATUS_INVALID_CONNECTION_ID)
			wrong[vp]++;
	}
}

static void all_at_once(void)
{
	uint32_t total = 0;

	bare_run_on_all(hammer, NULL);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		total += wrong[vp];
	check(total == 0, "calls from all VPs at the same time", "%u of %u wrong", total,
		2 * ROUNDS * bare.vp_count);
}

void test_main(void)
{
	input = bare_pages(2);
	output = bare_pages(2);
	if (!test_has(HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS)) {
		skip("hypercalls", "AccessHypercallMsrs is not promised");
		return;
	}
	if (test_group("overlay"))
		overlay();
	if (!test_hypercalls("hypercall page"))
		return;
	if (test_group("protection"))
		protection();
	if (test_group("control"))
		control_word();
	if (test_group("parameters"))
		parameters();
	if (test_group("connection"))
		parameters_of_connection();
	if (test_group("repetitions"))
		repetitions();
	if (test_group("registers")) {
		in_registers();
		preserved("a fast call preserves the other registers",
			hv_hypercall_input(HV_CALL_SIGNAL_EVENT, 0, 0) | HV_HYPERCALL_FAST, NOBODY,
			0xcccc);
		preserved("a slow call preserves the other registers",
			hv_hypercall_input(HV_CALL_POST_MESSAGE, 0, 0), gpa(input), 0);
	}
	if (test_group("user"))
		user_mode();
	if (test_group("parallel"))
		all_at_once();
	if (test_group("lock"))
		lock();
}
