// SPDX-License-Identifier: Apache-2.0
/*
 * The guest of backend_kvm_probe.c, which alone includes this: its memory and its code.
 */
#ifndef HOST_HYPERVISOR_BACKEND_KVM_PROBE_GUEST_H
#define HOST_HYPERVISOR_BACKEND_KVM_PROBE_GUEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PROBE_BYTES	    0x10000u
#define PROBE_GDT	    0x500u
#define PROBE_REAL_MODE	    0x1000u /* SIPI vector 1 */
#define PROBE_CODE	    0x2000u
#define PROBE_IDT	    0x3000u
#define PROBE_TABLES	    0x4000u /* PML4, PDPT, page directory of the first and fourth GiB */
#define PROBE_STACK	    0x9000u
#define PROBE_CODE_SELECTOR 0x10u
#define PROBE_PORT	    0xf0u
#define PROBE_VECTOR	    0x40u
#define PROBE_LOOPS	    200000u /* as in the code */

extern const uint8_t probe_code[], probe_handler[], probe_code_end[];
extern const uint8_t probe_real_mode[], probe_real_mode_end[];

/* clang-format off */
__asm__(
	".section .rodata\n"
	".intel_syntax noprefix\n"
	"probe_code:\n"
	".code64\n"
	"	mov al, 1\n"
	"	out 0xf0, al\n"
	"	mov ecx, 0x40000000\n"
	"	mov eax, 1\n"
	"	xor edx, edx\n"
	"	wrmsr\n"
	"	rdmsr\n"
	"	mov ebx, 0xfee00000\n"
	"	mov dword ptr [rbx + 0xf0], 0x1ff\n" /* APIC on */
	"	out 0xf0, al\n"			 /* 2, as the host said */
	"	sti\n"
	"	hlt\n"
	"	mov al, 4\n"
	"	mov dword ptr [rbx + 0x310], 0x01000000\n"
	"	mov dword ptr [rbx + 0x300], 0x4500\n"
	"	mov dword ptr [rbx + 0x310], 0x01000000\n"
	"	mov dword ptr [rbx + 0x300], 0x4601\n"
	"	out 0xf0, al\n"
	"1:	hlt\n"
	"	jmp 1b\n"
	"probe_handler:\n"
	"	mov al, 3\n"
	"	out 0xf0, al\n"
	"	mov dword ptr [rbx + 0xb0], 0\n"
	"	iretq\n"
	"probe_code_end:\n"
	"probe_real_mode:\n"
	".code16\n"
	"	mov al, 5\n"
	"	out 0xf0, al\n"
	"1:	mov ecx, 200000\n"
	"2:	dec ecx\n"
	"	jnz 2b\n"
	"	mov al, 6\n"
	"	out 0xf0, al\n"
	"	jmp 1b\n" /* as often as the host wants it */
	"probe_real_mode_end:\n"
	".code64\n"
	".att_syntax prefix\n"
	".text\n");
/* clang-format on */

static inline size_t probe_distance(const uint8_t *from, const uint8_t *to)
{
	return (size_t)((uintptr_t)to - (uintptr_t)from);
}

static inline void probe_store(uint8_t *memory, uint32_t at, uint64_t value)
{
	memcpy(memory + at, &value, sizeof value);
}

static inline void probe_guest_write(uint8_t *memory)
{
	const uint64_t handler = PROBE_CODE + probe_distance(probe_code, probe_handler);

	memcpy(memory + PROBE_CODE, probe_code, probe_distance(probe_code, probe_code_end));
	memcpy(memory + PROBE_REAL_MODE, probe_real_mode,
		probe_distance(probe_real_mode, probe_real_mode_end));
	probe_store(memory, PROBE_GDT + 0x10, 0x00af9b000000ffffull);
	probe_store(memory, PROBE_GDT + 0x18, 0x00cf93000000ffffull);
	probe_store(memory, PROBE_IDT + 16 * PROBE_VECTOR,
		handler | (uint64_t)PROBE_CODE_SELECTOR << 16 | 0x8e00ull << 32);
	/* 2 MiB pages: the first, and the one that the local APIC is in. */
	probe_store(memory, PROBE_TABLES, (PROBE_TABLES + 0x1000) | 3);
	probe_store(memory, PROBE_TABLES + 0x1000, (PROBE_TABLES + 0x2000) | 3);
	probe_store(memory, PROBE_TABLES + 0x1018, (PROBE_TABLES + 0x3000) | 3);
	probe_store(memory, PROBE_TABLES + 0x2000, 0x83);
	probe_store(memory, PROBE_TABLES + 0x3000 + 8 * (0x3ee00000 >> 21), 0xfee00083);
}

#endif
