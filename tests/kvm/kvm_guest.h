// SPDX-License-Identifier: Apache-2.0
/*
 * A guest that does what a list in its memory says: each VP walks its own list of commands,
 * writes down what came of each, and is told of interrupts and faults by handlers that only
 * count. The test fills in the lists beforehand, so every scenario is plain C.
 *
 * Everything below is in guest-physical addresses, which are mapped one to one.
 */
#ifndef TESTS_KVM_KVM_GUEST_H
#define TESTS_KVM_KVM_GUEST_H

#include <stdint.h>

#define GUEST_BYTES	  (16u << 20)
#define GUEST_VPS	  4u
#define GUEST_GDT	  0x500u
#define GUEST_GDT_POINTER 0x580u
#define GUEST_CR3_VALUE	  0x590u
#define GUEST_IDT_POINTER 0x5a0u
#define GUEST_GDT_LONGER  0x5b0u  /* pointer to the same table, with four more entries */
#define GUEST_NO_EOI	  0x600u  /* 256 bytes: vectors whose handler does not write EOI */
#define GUEST_TRAMPOLINE  0x2000u /* where SIPI vector 2 leads to */
#define GUEST_IDT	  0x3000u
#define GUEST_HYPERCALLS  0x5000u /* the hypercall page */
#define GUEST_TSC_PAGE	  0x6000u
#define GUEST_INPUT	  0x7000u
#define GUEST_TABLES	  0x9000u /* 6 pages */
#define GUEST_PAGE_A	  0x10000u
#define GUEST_PAGE_B	  0x11000u
#define GUEST_FLAGS	  0x12000u /* words that VPs tell each other by */
#define GUEST_CODE	  0x100000u
#define GUEST_STUBS	  0x110000u
#define GUEST_LISTS	  0x200000u /* 64 KiB for each VP */
#define GUEST_COUNTERS	  0x300000u /* 4 KiB for each VP: interrupts by vector */
#define GUEST_STACKS	  0x310000u /* 16 KiB for each VP */
#define GUEST_SYNIC	  0x400000u /* message page and event page for each VP */
#define GUEST_PORT_DONE	  0x500u    /* a VP is through with its list */

enum guest_op {
	OP_END,
	OP_HYPERCALL, /* rcx, rdx, r8, times -> rax, rdx */
	OP_WRMSR,     /* msr, value */
	OP_RDMSR,     /* msr -> value */
	OP_OUT,	      /* port, value, times; 32 bits */
	OP_IN,	      /* port -> value; 32 bits */
	OP_HALT,      /* vector, count: halt until it has come that often */
	OP_WATCH,     /* vector, count: spin with interrupts on until then */
	OP_SPIN,      /* for ever, interrupts off */
	OP_TRIPLE,    /* triple fault */
	OP_LOAD,      /* address -> value; 32 bits */
	OP_STORE,     /* address, value; 32 bits */
	OP_AWAIT,     /* address, value: spin until it is that; 32 bits */
	OP_START,     /* APIC id: INIT, SIPI */
	OP_XMM_LOAD,  /* address: XMM0..XMM5 */
	OP_XMM_STORE, /* address */
	OP_CLOCK,     /* times -> readings of the MSR that the page did not bracket */
	OP_CPUID,     /* leaf, subleaf -> ebx:eax, edx:ecx */
	OP_RDTSC,     /* -> value */
	OP_FLOOD,     /* port, value: OUT for ever */
	OP_ICR,	      /* low, high: the local APIC's command register */
	OP_IDLE,      /* msr, interrupts on?: RDMSR -> value, interrupts waiting afterwards */
	OP_INS,	      /* port, address, count: REP INSD */
	OP_OUTS,      /* port, address, count: REP OUTSD */
	OP_ENTER, /* CS, SS, RFLAGS, RIP: go there with a fast SignalEvent on 0x77 in RCX and RDX */
	OP_XCR,	  /* value, or 0 to leave it -> XCR0 as it was */
};

struct guest_command {
	uint64_t op;
	uint64_t a[4];
	uint64_t result, second;
	uint32_t fault;	       /* vector of an exception + 1 */
	uint32_t fault_offset; /* of its RIP in its page */
};
_Static_assert(sizeof(struct guest_command) == 64, "as the assembly has it");

extern const uint8_t guest_code[], guest_code_end[];
extern const uint8_t guest_trampoline[], guest_trampoline_end[];

/* clang-format off */
__asm__(
	".section .rodata\n"
	".intel_syntax noprefix\n"
	".globl guest_code, guest_code_end, guest_trampoline, guest_trampoline_end\n"

	/* ---- from INIT and SIPI to long mode; copied to GUEST_TRAMPOLINE ---- */
	".balign 16\n"
	"guest_trampoline:\n"
	".code16\n"
	"	cli\n"
	"	xor ax, ax\n"
	"	mov ds, ax\n"
	"	lgdtd [0x580]\n"
	"	mov eax, cr4\n"
	"	or eax, 0x620\n"
	"	mov cr4, eax\n"
	"	mov eax, [0x590]\n"
	"	mov cr3, eax\n"
	"	mov ecx, 0xc0000080\n"
	"	rdmsr\n"
	"	or eax, 0x100\n"
	"	wrmsr\n"
	"	mov eax, cr0\n"
	"	and eax, 0x9fffffff\n"
	"	or eax, 0x80000001\n"
	"	mov cr0, eax\n"
	"	.byte 0x66, 0xea\n"
	"	.long 0x2000 + (1f - guest_trampoline)\n"
	"	.word 0x10\n"
	".code64\n"
	"1:	mov eax, 0x18\n"
	"	mov ds, eax\n"
	"	mov es, eax\n"
	"	mov ss, eax\n"
	"	mov eax, 0x100000\n"
	"	jmp rax\n"
	"guest_trampoline_end:\n"

	/* ---- every VP: rbx command, r12 stack, r13 counters, r14 local APIC, r15 call page ---- */
	".balign 16\n"
	"guest_code:\n"
	"	lidt [0x5a0]\n"
	"	mov r14d, 0xfee00000\n"
	"	mov dword ptr [r14 + 0xf0], 0x1ff\n" /* APIC on */
	"	mov edi, [r14 + 0x20]\n"
	"	shr edi, 24\n"
	"	mov r12d, edi\n"
	"	shl r12d, 14\n"
	"	add r12d, 0x314000\n"
	"	mov rsp, r12\n"
	"	mov r13d, edi\n"
	"	shl r13d, 12\n"
	"	add r13d, 0x300000\n"
	"	mov ebx, edi\n"
	"	shl ebx, 16\n"
	"	add ebx, 0x200000 - 64\n"
	"	mov r15d, 0x5000\n"
	"next:	mov rsp, r12\n"
	"	add rbx, 64\n"
	"	mov rax, [rbx]\n"
	"	lea rcx, [rip + ops]\n"
	"	movsxd rax, dword ptr [rcx + rax * 4]\n"
	"	add rax, rcx\n"
	"	jmp rax\n"
	"	.balign 4\n"
	"ops:	.long op_end - ops, op_hypercall - ops, op_wrmsr - ops, op_rdmsr - ops\n"
	"	.long op_out - ops, op_in - ops, op_halt - ops, op_watch - ops\n"
	"	.long op_spin - ops, op_triple - ops, op_load - ops, op_store - ops\n"
	"	.long op_await - ops, op_start - ops, op_xmm_load - ops, op_xmm_store - ops\n"
	"	.long op_clock - ops, op_cpuid - ops, op_rdtsc - ops, op_flood - ops\n"
	"	.long op_icr - ops, op_idle - ops, op_ins - ops, op_outs - ops\n"
	"	.long op_enter - ops, op_xcr - ops\n"

	"op_end:\n"
	"	mov eax, edi\n"
	"	mov edx, 0x500\n"
	"	out dx, eax\n"
	"1:	cli\n"
	"	hlt\n"
	"	jmp 1b\n"
	"op_hypercall:\n"
	"	mov rbp, [rbx + 32]\n"
	"1:	mov rcx, [rbx + 8]\n"
	"	mov rdx, [rbx + 16]\n"
	"	mov r8, [rbx + 24]\n"
	"	mov rax, -1\n"
	"	call r15\n"
	"	mov [rbx + 40], rax\n"
	"	mov [rbx + 48], rdx\n"
	"	test rax, rax\n"
	"	jnz next\n"
	"	dec rbp\n"
	"	jg 1b\n"
	"	jmp next\n"
	"op_wrmsr:\n"
	"	mov ecx, [rbx + 8]\n"
	"	mov eax, [rbx + 16]\n"
	"	mov edx, [rbx + 20]\n"
	"	wrmsr\n"
	"	jmp next\n"
	"op_rdmsr:\n"
	"	mov ecx, [rbx + 8]\n"
	"	rdmsr\n"
	"	mov [rbx + 40], eax\n"
	"	mov [rbx + 44], edx\n"
	"	jmp next\n"
	"op_out:\n"
	"	mov edx, [rbx + 8]\n"
	"	mov eax, [rbx + 16]\n"
	"	mov ecx, [rbx + 24]\n"
	"1:	out dx, eax\n"
	"	dec ecx\n"
	"	jg 1b\n"
	"	jmp next\n"
	"op_in:\n"
	"	mov edx, [rbx + 8]\n"
	"	in eax, dx\n"
	"	mov [rbx + 40], rax\n"
	"	jmp next\n"
	"op_halt:\n"
	"	mov ecx, [rbx + 8]\n"
	"	mov edx, [rbx + 16]\n"
	"1:	cli\n"
	"	cmp [r13 + rcx * 4], edx\n"
	"	jae next\n"
	"	sti\n"
	"	hlt\n"
	"	jmp 1b\n"
	"op_watch:\n"
	"	mov ecx, [rbx + 8]\n"
	"	mov edx, [rbx + 16]\n"
	"	sti\n"
	"1:	pause\n"
	"	cmp [r13 + rcx * 4], edx\n"
	"	jb 1b\n"
	"	cli\n"
	"	jmp next\n"
	"op_spin:\n"
	"	cli\n"
	"1:	jmp 1b\n"
	"op_triple:\n"
	"	push 0\n"
	"	push 0\n"
	"	lidt [rsp]\n"
	"	ud2\n"
	"op_load:\n"
	"	mov rcx, [rbx + 8]\n"
	"	mov eax, [rcx]\n"
	"	mov [rbx + 40], rax\n"
	"	jmp next\n"
	"op_store:\n"
	"	mov rcx, [rbx + 8]\n"
	"	mov eax, [rbx + 16]\n"
	"	mov [rcx], eax\n"
	"	jmp next\n"
	"op_await:\n"
	"	mov rcx, [rbx + 8]\n"
	"	mov eax, [rbx + 16]\n"
	"1:	pause\n"
	"	cmp [rcx], eax\n"
	"	jne 1b\n"
	"	jmp next\n"
	"op_start:\n"
	"	mov eax, [rbx + 8]\n"
	"	shl eax, 24\n"
	"	mov [r14 + 0x310], eax\n"
	"	mov dword ptr [r14 + 0x300], 0x4500\n"
	"	mov [r14 + 0x310], eax\n"
	"	mov dword ptr [r14 + 0x300], 0x4602\n"
	"	jmp next\n"
	"op_xmm_load:\n"
	"	mov rcx, [rbx + 8]\n"
	"	movdqu xmm0, [rcx]\n"
	"	movdqu xmm1, [rcx + 16]\n"
	"	movdqu xmm2, [rcx + 32]\n"
	"	movdqu xmm3, [rcx + 48]\n"
	"	movdqu xmm4, [rcx + 64]\n"
	"	movdqu xmm5, [rcx + 80]\n"
	"	jmp next\n"
	"op_xmm_store:\n"
	"	mov rcx, [rbx + 8]\n"
	"	movdqu [rcx], xmm0\n"
	"	movdqu [rcx + 16], xmm1\n"
	"	movdqu [rcx + 32], xmm2\n"
	"	movdqu [rcx + 48], xmm3\n"
	"	movdqu [rcx + 64], xmm4\n"
	"	movdqu [rcx + 80], xmm5\n"
	"	jmp next\n"
	"op_clock:\n"
	"	mov rbp, [rbx + 8]\n"
	"1:	call page_time\n"
	"	mov r8, rax\n"
	"	mov ecx, 0x40000020\n"
	"	rdmsr\n"
	"	shl rdx, 32\n"
	"	or rax, rdx\n"
	"	mov r9, rax\n"
	"	call page_time\n"
	"	cmp r9, r8\n"
	"	jb 2f\n"
	"	cmp r9, rax\n"
	"	jbe 3f\n"
	"2:	inc qword ptr [rbx + 40]\n"
	"3:	dec rbp\n"
	"	jnz 1b\n"
	"	mov [rbx + 48], rax\n"
	"	jmp next\n"
	"page_time:\n"
	"	lfence\n"
	"	rdtsc\n"
	"	shl rdx, 32\n"
	"	or rax, rdx\n"
	"	mul qword ptr [0x6008]\n"
	"	mov rax, rdx\n"
	"	add rax, [0x6010]\n"
	"	ret\n"
	"op_cpuid:\n"
	"	mov rbp, rbx\n"
	"	mov eax, [rbp + 8]\n"
	"	mov ecx, [rbp + 16]\n"
	"	cpuid\n"
	"	mov [rbp + 40], eax\n"
	"	mov [rbp + 44], ebx\n"
	"	mov [rbp + 48], ecx\n"
	"	mov [rbp + 52], edx\n"
	"	mov rbx, rbp\n"
	"	jmp next\n"
	"op_rdtsc:\n"
	"	rdtsc\n"
	"	mov [rbx + 40], eax\n"
	"	mov [rbx + 44], edx\n"
	"	jmp next\n"
	"op_flood:\n"
	"	mov edx, [rbx + 8]\n"
	"	mov eax, [rbx + 16]\n"
	"1:	out dx, eax\n"
	"	jmp 1b\n"
	"op_icr:\n"
	"	mov eax, [rbx + 16]\n"
	"	mov [r14 + 0x310], eax\n"
	"	mov eax, [rbx + 8]\n"
	"	mov [r14 + 0x300], eax\n"
	"	jmp next\n"
	"op_idle:\n"
	"	cli\n"
	"	mov ecx, [rbx + 8]\n"
	"	cmp dword ptr [rbx + 16], 0\n"
	"	je 2f\n"
	"	sti\n"
	"2:	rdmsr\n"
	"	cli\n"
	"	mov [rbx + 40], eax\n"
	"	mov ecx, 8\n"
	"	lea rdx, [r14 + 0x200]\n"
	"	xor eax, eax\n"
	"1:	or eax, [rdx]\n"
	"	add rdx, 16\n"
	"	dec ecx\n"
	"	jnz 1b\n"
	"	mov [rbx + 48], eax\n"
	"	jmp next\n"

	"op_ins:\n"
	"	mov ebp, edi\n"
	"	mov edx, [rbx + 8]\n"
	"	mov edi, [rbx + 16]\n"
	"	mov ecx, [rbx + 24]\n"
	"	cld\n"
	"	rep insd\n"
	"	mov edi, ebp\n"
	"	jmp next\n"
	"op_outs:\n"
	"	mov edx, [rbx + 8]\n"
	"	mov esi, [rbx + 16]\n"
	"	mov ecx, [rbx + 24]\n"
	"	cld\n"
	"	rep outsd\n"
	"	jmp next\n"
	"op_enter:\n"
	"	lgdt [0x5b0]\n"
	"	push [rbx + 16]\n"
	"	push r12\n"
	"	push [rbx + 24]\n"
	"	push [rbx + 8]\n"
	"	push [rbx + 32]\n"
	"	mov ecx, 0x1005d\n"
	"	mov edx, 0x77\n"
	"	xor r8d, r8d\n"
	"	iretq\n"
	"op_xcr:\n"
	"	mov rax, cr4\n"
	"	bts rax, 18\n"
	"	mov cr4, rax\n" /* #GP without XSAVE */
	"	xor ecx, ecx\n"
	"	xgetbv\n"
	"	mov [rbx + 40], eax\n"
	"	mov [rbx + 44], edx\n"
	"	mov eax, [rbx + 8]\n"
	"	mov edx, [rbx + 12]\n"
	"	test eax, eax\n"
	"	jz next\n"
	"	xsetbv\n"
	"	jmp next\n"

	/* ---- stubs push an error code, if the processor did not, and the vector ---- */
	".globl guest_vector\n"
	"guest_vector:\n"
	"	push rax\n"
	"	push rcx\n"
	"	mov ecx, [rsp + 16]\n"
	"	cmp ecx, 32\n"
	"	jae 1f\n"
	"	inc ecx\n"
	"	mov [rbx + 56], ecx\n"
	"	mov eax, [rsp + 32]\n"
	"	and eax, 0xfff\n"
	"	mov [rbx + 60], eax\n"
	"	jmp next\n"
	"1:	lock inc dword ptr [r13 + rcx * 4]\n"
	"	cmp byte ptr [rcx + 0x600], 0\n"
	"	jne 2f\n"
	"	mov dword ptr [r14 + 0xb0], 0\n"
	"2:	pop rcx\n"
	"	pop rax\n"
	"	add rsp, 16\n"
	"	iretq\n"
	"guest_code_end:\n"
	".att_syntax prefix\n"
	".text\n");
/* clang-format on */

extern const uint8_t guest_vector[];

#endif
