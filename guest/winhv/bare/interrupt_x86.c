// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptor tables, interrupts, faults, and page tables. See bare.h.
 */
#include "guest/winhv/bare/bare_internal.h"

#define VECTOR_BREAKPOINT   3u
#define VECTOR_DOUBLE_FAULT 8u
#define VECTOR_GP	    13u
#define VECTOR_PF	    14u
#define EXCEPTIONS	    32u

struct gate {
	uint16_t low, selector;
	uint8_t ist, type;
	uint16_t middle;
	uint32_t high, reserved;
} __attribute__((packed));

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed, aligned(8)));

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static struct gate idt[256];
static struct tss tss[BARE_VPS_MAX];
static struct {
	bare_handler_fn *fn;
	void *ctx;
} handlers[256];

void bare_tables_init(void)
{
	for (unsigned i = 0; i < 256; i++) {
		const uint64_t address = (uint64_t)(uintptr_t)bare_vectors + i * 16u;
		idt[i] = (struct gate){
			.low = (uint16_t)address,
			.selector = BARE_CODE,
			.ist = i == VECTOR_DOUBLE_FAULT ? 1 : 0,
			.type = i == VECTOR_BREAKPOINT ? 0xee : 0x8e, /* INT3 from CPL 3 too */
			.middle = (uint16_t)(address >> 16),
			.high = (uint32_t)(address >> 32),
		};
	}
}

void bare_tables_load(uint32_t vp)
{
	const uint64_t base = (uint64_t)(uintptr_t)&tss[vp];
	const uint64_t limit = sizeof tss[vp] - 1;
	const uint64_t low = limit | (base & 0xffffff) << 16 | 0x89ull << 40 |
			     (base >> 24 & 0xff) << 56;
	const uint64_t high = base >> 32;
	const uint16_t selector = (uint16_t)(BARE_TSS + 16 * vp);
	const struct table_pointer pointer = {sizeof idt - 1, (uint64_t)(uintptr_t)idt};

	tss[vp].io_map = sizeof tss[vp];
	tss[vp].ist[0] = (uint64_t)(uintptr_t)bare_ist_stack_top;
	__builtin_memcpy(bare_gdt + selector, &low, sizeof low);
	__builtin_memcpy(bare_gdt + selector + 8, &high, sizeof high);
	bare.vps[vp].index = vp;
	__asm__ volatile("ltr	%w0\n"
			 "	lidt	%1"
			 :
			 : "r"(selector), "m"(pointer)
			 : "memory");
}

void bare_tables_stack(uint32_t vp, uint64_t top)
{
	tss[vp].rsp[0] = top;
}

struct bare_vp *bare_vp(void)
{
	uint16_t selector;

	__asm__ volatile("str	%w0" : "=r"(selector));
	return &bare.vps[(selector - BARE_TSS) / 16u];
}

void bare_vector_set(unsigned vector, bare_handler_fn *handler, void *ctx)
{
	handlers[vector % 256].ctx = ctx;
	__atomic_store_n(&handlers[vector % 256].fn, handler, __ATOMIC_RELEASE);
}

bool bare_try(void (*fn)(void *ctx), void *ctx, struct bare_fault *fault)
{
	struct bare_vp *vp = bare_vp();
	const bool is_faulted = bare_try_call(fn, ctx, &vp->try_rsp) != 0;

	if (is_faulted && fault)
		*fault = vp->fault;
	return !is_faulted;
}

static uint64_t fault_address(void)
{
	uint64_t cr2;

	__asm__ volatile("movq	%%cr2, %0" : "=r"(cr2));
	return cr2;
}

__attribute__((noreturn)) static void die(const struct bare_frame *frame)
{
	bare_printf("bare: VP %u: exception %lu, error 0x%lx, at 0x%lx, address 0x%lx\n"
		    "bare: rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rsp %lx\n",
		bare_vp()->index, frame->vector, frame->error, frame->rip, fault_address(),
		frame->rax, frame->rbx, frame->rcx, frame->rdx, frame->rsi, frame->rdi, frame->rsp);
	bare_exit(3);
}

static void exception(struct bare_frame *frame)
{
	struct bare_vp *vp = bare_vp();

	if (frame->vector == VECTOR_GP) {
		const uintptr_t next = platform_bare_fixup(frame->rip);
		if (next) {
			frame->rip = next;
			return;
		}
	}
	if (!vp->try_rsp)
		die(frame);
	vp->fault = (struct bare_fault){.rip = frame->rip,
		.address = frame->vector == VECTOR_PF ? fault_address() : 0,
		.error = (uint32_t)frame->error,
		.vector = (uint8_t)frame->vector};
	/* An interrupt gate has turned interrupts off; the caller's flag is in the frame. */
	frame->rip = (uint64_t)(uintptr_t)bare_try_landing;
	frame->rsp = vp->try_rsp;
	frame->cs = BARE_CODE;
	frame->ss = BARE_DATA;
}

void bare_interrupt(struct bare_frame *frame)
{
	const uint64_t vector = frame->vector;
	bare_handler_fn *handler = __atomic_load_n(&handlers[vector].fn, __ATOMIC_ACQUIRE);

	if (handler) {
		handler(frame, handlers[vector].ctx);
	} else if (vector < EXCEPTIONS) {
		exception(frame);
	} else {
		struct bare_vp *vp = bare_vp();
		vp->spurious++;
		vp->last_spurious = (uint8_t)vector;
		if (vector != BARE_VECTOR_SPURIOUS)
			bare_apic_eoi();
	}
}

/* ---- page tables --------------------------------------------------------------------------- */

#define PRESENT	  0x001ull
#define LARGE	  0x080ull
#define TABLE	  (PRESENT | BARE_MAP_WRITE | BARE_MAP_USER)
#define ADDRESSES 0x000ffffffffff000ull

static uint64_t *next_table(uint64_t *entry)
{
	if (!(*entry & PRESENT)) {
		*entry = (uint64_t)(uintptr_t)bare_pages(1) | TABLE;
	} else if (*entry & LARGE) { /* of 2 MiB: the same in 4 KiB pages */
		uint64_t *table = bare_pages(1);
		for (uint64_t i = 0; i < 512; i++)
			table[i] = (*entry & ~LARGE) + i * BARE_PAGE_BYTES;
		*entry = (uint64_t)(uintptr_t)table | TABLE;
	}
	return (uint64_t *)(uintptr_t)(*entry & ADDRESSES);
}

uint64_t *bare_map_entry(uint64_t va)
{
	uint64_t *table = bare_pml4;

	for (unsigned shift = 39; shift > 12; shift -= 9)
		table = next_table(&table[va >> shift & 511]);
	return &table[va >> 12 & 511];
}

void bare_map(uint64_t va, uint64_t gpa, uint32_t flags)
{
	__atomic_store_n(bare_map_entry(va), (gpa & ADDRESSES) | flags | PRESENT, __ATOMIC_SEQ_CST);
	bare_invlpg(va);
}
