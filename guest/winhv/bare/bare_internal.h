// SPDX-License-Identifier: Apache-2.0
/*
 * Between the files of guest/winhv/bare: what boot_x86.S and the C code share, and the
 * steps of the start in their order. Not for programs.
 */
#ifndef GUEST_WINHV_BARE_BARE_INTERNAL_H
#define GUEST_WINHV_BARE_BARE_INTERNAL_H

#include "guest/winhv/bare/bare.h"

/* Selectors; boot_x86.S has the same. */
#define BARE_CODE    0x10u
#define BARE_DATA    0x18u
#define BARE_TSS     0x30u /* of VP 0; 16 bytes each */
#define BARE_GDT_TOP (BARE_TSS + 16u * BARE_VPS_MAX)

#define BARE_BOOT_MULTIBOOT  1u
#define BARE_BOOT_PVH	     2u
#define BARE_BOOT_MULTIBOOT2 3u

#define BARE_STACK_PAGES 8u
#define BARE_TRAMPOLINE	 0x70000u /* bare.trampoline, where the memory map does not object */

/* boot_x86.S */
extern uint8_t bare_gdt[BARE_GDT_TOP];
extern uint64_t bare_pml4[512];
extern uint8_t bare_vectors[256 * 16];
extern const uint8_t bare_trampoline_begin[], bare_trampoline_end[];
extern uint64_t bare_ap_stack;
extern uint8_t bare_image_end[];
extern const char bare_try_landing[];
extern const char bare_ist_stack_top[];
uint64_t bare_try_call(void (*fn)(void *ctx), void *ctx, uint64_t *rsp);

/* called from boot_x86.S */
void bare_start(uint32_t boot, uint32_t information);
void bare_ap_start(void);
void bare_interrupt(struct bare_frame *frame);

/* machine_x86.c: what the loader and ACPI say */
void bare_machine_read(uint32_t boot, uint32_t information);
void bare_acpi_read(void);
/* bare_pages() that are not cleared: touching each costs an exit on a new machine. */
void *bare_pages_raw(size_t count);

/* interrupt_x86.c */
void bare_tables_init(void);
void bare_tables_load(uint32_t vp);
/* The stack of interrupts that come while the VP is at CPL 3. */
void bare_tables_stack(uint32_t vp, uint64_t top);

/* platform_x86.c: what the winhv of a VP asks of the machine; `bitmap`: BARE_RING_PAGES bits */
void bare_platform_init(struct bare_vp *vp, uint64_t *bitmap);

/* vp_x86.c */
void bare_apic_quiet(void);
/* winhv of the VP that calls */
void bare_vp_init(struct bare_vp *vp);

void bare_uart_init(void);

#endif
