// SPDX-License-Identifier: Apache-2.0
/*
 * Entry points, the way to long mode, the trampoline of the other VPs, and the first
 * instructions of every interrupt. Selectors: 0x08 32-bit code, 0x10 64-bit code, 0x18
 * data, 0x20 user data, 0x28 user code, 0x30.. TSS of each VP.
 *
 * An image has both ways in, unless BARE_NO_MULTIBOOT or BARE_NO_PVH leaves one out (a loader
 * that knows both chooses).
 */
#define CODE32	0x08
#define CODE64	0x10
#define DATA	0x18
#define TSS0	0x30
#define VPS	64
#define BOOT_MULTIBOOT	1
#define BOOT_PVH	2
#define BOOT_MULTIBOOT2	3
#define MULTIBOOT2_MAGIC	0x36d76289	/* in eax, from a loader of multiboot 2 */

#define CR0_LONG	0x80010033	/* PG, WP, NE, ET, MP, PE */
#define CR4_LONG	0x620		/* OSXMMEXCPT, OSFXSR, PAE */
#define EFER		0xc0000080
#define EFER_LME	0x100

#ifndef BARE_NO_MULTIBOOT
	.section .multiboot, "a"
	.balign	8
	.long	0x1badb002, 3, -(0x1badb002 + 3)
	.balign	8
	.long	0xe85250d6, 0, 24, -(0xe85250d6 + 24)
	.long	0, 8			/* multiboot 2: no more tags */
#endif

#ifndef BARE_NO_PVH
	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 8, 18		/* the 32-bit entry point */
	.asciz	"Xen"
	.quad	bare_entry_pvh
#endif

/* ---- the first VP ---------------------------------------------------------------------------- */

	.text
	.code32
	.globl	bare_entry_multiboot, bare_entry_pvh
bare_entry_multiboot:
	movl	$BOOT_MULTIBOOT2, %edi
	cmpl	$MULTIBOOT2_MAGIC, %eax
	je	1f
	movl	$BOOT_MULTIBOOT, %edi
	jmp	1f
bare_entry_pvh:
	movl	$BOOT_PVH, %edi
1:	cli
	cld
	movl	%ebx, %esi
	movl	$boot_stack_top, %esp

	/* the first 4 GiB: one PML4, one PDPT, four page directories of 2 MiB pages */
	movl	$bare_pml4, %eax
	movl	$pdpt + 3, (%eax)
	movl	$pdpt, %eax
	movl	$pds + 3, %ecx
	movl	$4, %edx
2:	movl	%ecx, (%eax)
	addl	$8, %eax
	addl	$4096, %ecx
	decl	%edx
	jnz	2b
	movl	$pds, %eax
	movl	$0x83, %ecx
	movl	$2048, %edx
3:	movl	%ecx, (%eax)
	addl	$8, %eax
	addl	$0x200000, %ecx
	decl	%edx
	jnz	3b
	/* the 2 MiB of the local APIC and of the IOAPIC uncached */
	orl	$0x18, pds + 3 * 4096 + 0x1f7 * 8
	orl	$0x18, pds + 3 * 4096 + 0x1f6 * 8

	call	long_mode
	ljmp	$CODE64, $start64

/* Paging and long mode on; changes eax, ecx, edx. */
long_mode:
	lgdtl	gdt_pointer
	movl	$CR4_LONG, %eax
	movl	%eax, %cr4
	movl	$bare_pml4, %eax
	movl	%eax, %cr3
	movl	$EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	$CR0_LONG, %eax
	movl	%eax, %cr0
	ret

	.code64
start64:
	call	segments
	movl	$boot_stack_top, %esp
	xorl	%ebp, %ebp
	movl	%edi, %edi
	movl	%esi, %esi
	call	bare_start
1:	hlt
	jmp	1b

segments:
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	ret

/* ---- the others ------------------------------------------------------------------------------ */

	.section .rodata
	.globl	bare_trampoline_begin, bare_trampoline_end
	.balign	16
	.code16
bare_trampoline_begin:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	(trampoline_gdt - bare_trampoline_begin)
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$CODE32, $ap_start32
	.balign	8
trampoline_gdt:
	.word	bare_gdt_end - bare_gdt - 1
	.long	bare_gdt
bare_trampoline_end:

	.text
	.code32
ap_start32:
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	bare_ap_stack, %esp
	call	long_mode
	ljmp	$CODE64, $ap_start64
	.code64
ap_start64:
	call	segments
	movq	bare_ap_stack, %rsp
	xorl	%ebp, %ebp
	call	bare_ap_start
1:	hlt
	jmp	1b

/* ---- interrupts ------------------------------------------------------------------------------ */

	.globl	bare_vectors
	.balign	16
bare_vectors:
	vector = 0
	.rept	256
	.balign	16
	/* 8, 10..14, 17, 21, 29, 30 have an error code */
	.if	vector >= 32
	pushq	$0
	.elseif	(0x60227d00 >> vector) & 1 == 0
	pushq	$0
	.endif
	pushq	$vector
	jmp	interrupt
	vector = vector + 1
	.endr

interrupt:
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	bare_interrupt
	movq	%rbp, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
	addq	$16, %rsp
	iretq

/*
 * uint64_t bare_try_call(fn, ctx, uint64_t *rsp): keep where to come back to in *rsp, call
 * fn(ctx), return 0. After a fault the handler goes on at the landing, with that rsp: 1.
 */
	.globl	bare_try_call, bare_try_landing
bare_try_call:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdx
	movq	%rsp, (%rdx)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	xorl	%eax, %eax
	jmp	1f
bare_try_landing:
	cld
	movl	$1, %eax
1:	popq	%rdx
	movq	$0, (%rdx)
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

/* ---- tables ---------------------------------------------------------------------------------- */

	.data
	.balign	16
	.globl	bare_gdt
bare_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* 0x08: 32-bit code */
	.quad	0x00af9b000000ffff	/* 0x10: 64-bit code */
	.quad	0x00cf93000000ffff	/* 0x18: data */
	.quad	0x00cff3000000ffff	/* 0x20: user data */
	.quad	0x00affb000000ffff	/* 0x28: user code */
	.fill	VPS * 16, 1, 0		/* 0x30: TSSs */
bare_gdt_end:
	.balign	8
gdt_pointer:
	.word	bare_gdt_end - bare_gdt - 1
	.quad	bare_gdt
	.balign	8
	.globl	bare_ap_stack
bare_ap_stack:
	.quad	0

	.bss
	.balign	4096
	.globl	bare_pml4
bare_pml4:
	.skip	4096
pdpt:	.skip	4096
pds:	.skip	4 * 4096
	.globl	bare_ist_stack_top
	.skip	4096
bare_ist_stack_top:
	.skip	32768
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
