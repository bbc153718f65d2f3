// SPDX-License-Identifier: Apache-2.0
/*
 * What tests can do on bare metal only (struct conform_machine): count interrupts, run code on
 * other VPs, look at memory through a page-table entry of their own, and do what may fault.
 */
#include "tests/conformance/image/image_platform.h"

#include "tests/conformance/conform.h"

#define WINDOW	   (BARE_WINDOW + 0x20000000ull)
#define USER	   (WINDOW + 0x10000) /* code, the hypercall page, a stack: a page each */
#define CODE_USER  0x2bu
#define DATA_USER  0x23u
#define ICR_ASSERT 0x4000u

static uint32_t counts[BARE_VPS_MAX];

static void counted(struct bare_frame *frame, void *ctx)
{
	(void)frame;
	(void)ctx;
	__atomic_fetch_add(&counts[bare_vp()->index], 1, __ATOMIC_SEQ_CST);
	bare_apic_eoi();
}

static void count(unsigned vector)
{
	for (uint32_t vp = 0; vp < BARE_VPS_MAX; vp++)
		__atomic_store_n(&counts[vp], 0, __ATOMIC_SEQ_CST);
	bare_vector_set(vector, counted, NULL);
}

static uint32_t interrupts(uint32_t vp)
{
	return __atomic_load_n(&counts[vp % BARE_VPS_MAX], __ATOMIC_SEQ_CST);
}

static const volatile uint8_t *window(uint64_t gpa)
{
	bare_map(WINDOW, gpa, 0);
	return (const volatile uint8_t *)(uintptr_t)WINDOW;
}

static void window_change(uint64_t gpa)
{
	uint64_t *entry = bare_map_entry(WINDOW);
	const uint64_t flags = *entry % BARE_PAGE_BYTES;

	__atomic_store_n(entry, gpa | flags, __ATOMIC_SEQ_CST);
}

/* ---- hypercalls ---------------------------------------------------------------------------- */

struct whole_call {
	struct conform_registers *registers;
	const void *code;
};

/* Call `code` with all registers loaded, and store them back. */
void image_call_all(struct conform_registers *registers, const void *code);
__asm__("	.text\n"
	"image_call_all:\n"
	"	pushq	%rbx\n	pushq	%rbp\n	pushq	%r12\n	pushq	%r13\n"
	"	pushq	%r14\n	pushq	%r15\n	pushq	%rdi\n	pushq	%rsi\n"
	"	movq	%rdi, %rbp\n"
	"	movq	0(%rbp), %rax\n	movq	8(%rbp), %rbx\n	movq	16(%rbp), %rcx\n"
	"	movq	24(%rbp), %rdx\n	movq	32(%rbp), %rsi\n	movq	40(%rbp), "
	"%rdi\n"
	"	movq	48(%rbp), %r8\n	movq	56(%rbp), %r9\n	movq	64(%rbp), %r10\n"
	"	movq	72(%rbp), %r11\n	movq	80(%rbp), %r12\n	movq	88(%rbp), "
	"%r13\n"
	"	movq	96(%rbp), %r14\n	movq	104(%rbp), %r15\n"
	"	call	*(%rsp)\n"
	"	movq	8(%rsp), %rbp\n"
	"	movq	%rax, 0(%rbp)\n	movq	%rbx, 8(%rbp)\n	movq	%rcx, 16(%rbp)\n"
	"	movq	%rdx, 24(%rbp)\n	movq	%rsi, 32(%rbp)\n	movq	%rdi, "
	"40(%rbp)\n"
	"	movq	%r8, 48(%rbp)\n	movq	%r9, 56(%rbp)\n	movq	%r10, 64(%rbp)\n"
	"	movq	%r11, 72(%rbp)\n	movq	%r12, 80(%rbp)\n	movq	%r13, "
	"88(%rbp)\n"
	"	movq	%r14, 96(%rbp)\n	movq	%r15, 104(%rbp)\n"
	"	addq	$16, %rsp\n"
	"	popq	%r15\n	popq	%r14\n	popq	%r13\n	popq	%r12\n"
	"	popq	%rbp\n	popq	%rbx\n	ret\n");

/* A test runs in a bare_try() of its own. */
static unsigned tried(void (*fn)(void *ctx), void *ctx)
{
	struct bare_vp *vp = bare_vp();
	const uint64_t outer = vp->try_rsp;
	struct bare_fault fault = {0};
	const bool is_done = bare_try(fn, ctx, &fault);

	vp->try_rsp = outer;
	return is_done ? 0 : fault.vector;
}

static void call_all(void *ctx)
{
	const struct whole_call *whole = ctx;

	image_call_all(whole->registers, whole->code);
}

static unsigned call(struct conform_registers *registers)
{
	struct whole_call whole = {registers, bare_vp()->platform.hypercall_code};

	return tried(call_all, &whole);
}

/* At CPL 3: call *rbx, then INT3, to tell a return from a fault. */
extern const uint8_t image_user[], image_user_end[];
__asm__("	.section .rodata\n"
	"image_user:\n"
	"	call	*%rbx\n"
	"	int3\n"
	"image_user_end:\n"
	"	.text\n");

static void user_enter(void *ctx)
{
	const struct conform_registers *registers = ctx;
	const uint64_t output = registers->r8;
	register uint64_t r8 __asm__("r8") = output;

	__asm__ volatile("pushq	%[ss]\n"
			 "	pushq	%[rsp]\n"
			 "	pushq	$2\n"
			 "	pushq	%[cs]\n"
			 "	pushq	%[rip]\n"
			 "	iretq"
			 :
			 : [ss] "i"(DATA_USER), [rsp] "r"(USER + 3ull * BARE_PAGE_BYTES),
			 [cs] "i"(CODE_USER), [rip] "r"(USER), "b"(USER + BARE_PAGE_BYTES),
			 "c"(registers->rcx), "d"(registers->rdx), "r"(r8)
			 : "memory");
}

static unsigned call_user(uint64_t control, uint64_t input, uint64_t output)
{
	static uint8_t *pages; /* code, stack */
	struct conform_registers registers = {.rcx = control, .rdx = input, .r8 = output};
	const uint64_t code = (uintptr_t)bare_vp()->platform.hypercall_code;

	if (!pages) {
		pages = bare_pages(2);
		__builtin_memcpy(
			pages, image_user, (uintptr_t)image_user_end - (uintptr_t)image_user);
	}
	bare_map(USER, (uintptr_t)pages, BARE_MAP_USER);
	bare_map(USER + BARE_PAGE_BYTES, code, BARE_MAP_USER);
	bare_map(USER + 2ull * BARE_PAGE_BYTES, (uintptr_t)pages + BARE_PAGE_BYTES,
		BARE_MAP_USER | BARE_MAP_WRITE);
	const unsigned vector = tried(user_enter, &registers);
	bare_interrupts_on(); /* they were off there */
	return vector;
}

/* ---- others -------------------------------------------------------------------------------- */

struct byte {
	volatile uint8_t *at;
	uint8_t value;
};

static void byte_store(void *ctx)
{
	const struct byte *byte = ctx;

	*byte->at = byte->value;
}

static unsigned store(volatile uint8_t *at, uint8_t value)
{
	struct byte byte = {at, value};

	return tried(byte_store, &byte);
}

static void raise(uint32_t vp, unsigned vector)
{
	bare_apic_command(bare.vps[vp % BARE_VPS_MAX].apic_id, ICR_ASSERT | vector);
}

static bool idle(unsigned vector, uint32_t *early)
{
	const uint32_t vp = bare_vp()->index;
	uint64_t value;

	bare_interrupts_off();
	if (vector)
		raise(vp, vector);
	const int error = bare_rdmsr(HV_X64_MSR_GUEST_IDLE, &value);
	*early = interrupts(vp);
	bare_interrupts_on();
	return error == 0;
}

static bool in_service(unsigned vector)
{
	const bool is_it = bare_apic_is_in_service(vector);

	if (is_it)
		bare_apic_eoi();
	return is_it;
}

const struct conform_machine image_machine = {
	.count = count,
	.interrupts = interrupts,
	.run_on = bare_run_on,
	.begin = bare_run_begin,
	.end = bare_run_wait,
	.window = window,
	.window_change = window_change,
	.call = call,
	.call_user = call_user,
	.store = store,
	.raise = raise,
	.idle = idle,
	.in_service = in_service,
};
