// SPDX-License-Identifier: Apache-2.0
/*
 * Bare metal: what a program needs around it to run alone in a partition, at CPL 0,
 * in long mode, on all VPs, with no firmware and no operating system.
 *
 *	program (a test kernel, a unikernel): int bare_main(void)
 *	   |
 *	bare: boot, memory map, page tables, interrupts, APIC, VPs, UART, power
 *	   |                                    \
 *	machine (multiboot 1 or PVH)             winhv on platform_bare: one for each VP
 *
 * Booted by multiboot 1 or 2 or PVH at a 32-bit entry point, from a BIOS or from UEFI (whose
 * boot services the loader has ended). The first 4 GiB are mapped to
 * themselves by 2 MiB pages, the APIC uncached; bare_map() maps single pages elsewhere.
 * VPs other than the first start by INIT and SIPI and sleep until bare_run_on().
 *
 * The guest's bus and its VSCs run on bare_winhv() of one VP: rings are mapped twice, waits
 * sleep in HLT until the interrupt or the APIC's timer. Before vmbus_init():
 *
 *	bare_hypercall_enable(os_id);
 *	bare_clock_enable();
 *	bare_sint_set(VMBUS_SINT, VMBUS_DEFAULT_VECTOR);
 *
 * guest/examples/partition_table.c is a whole program.
 *
 * A machine is one of its kind: `bare` is the one variable that others may look at.
 * Interrupt handlers run with interrupts off and must use general registers only (all of
 * this is compiled so).
 *
 * Threads: a function acts on the VP that calls it, unless it says otherwise. Output
 * and page allocation may be called on any VP.
 * Sources: Intel SDM volume 3; Multiboot 0.6.96 and 2.0; Xen's PVH start information; ACPI 6.4.
 */
#ifndef GUEST_WINHV_BARE_BARE_H
#define GUEST_WINHV_BARE_BARE_H

#include "guest/winhv/platform_bare_x86.h"
#include "guest/winhv/winhv.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BARE_VPS_MAX	      WINHV_VP_MAX
#define BARE_PAGE_BYTES	      4096u
#define BARE_COMMAND_LINE_MAX 512u /* some loaders put the path of the image before the words */
#define BARE_VP_POOL_PAGES    64u  /* what the winhv of a VP can allocate */
#define BARE_BOOT_POOL_PAGES                                                                       \
	512u /* and that of the boot VP, where the buses are; less if the                          \
	      * machine is small */

/* Vectors that bare keeps: end a sleep; take the work of bare_run_on(). */
#define BARE_VECTOR_WAKE     0xefu
#define BARE_VECTOR_SPURIOUS 0xffu

/* What is on the stack of a handler. */
struct bare_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* A fault that bare_try() caught. */
struct bare_fault {
	uint64_t rip, address; /* address: CR2, of a page fault */
	uint32_t error;
	uint8_t vector; /* 6: #UD, 13: #GP, 14: #PF */
};

typedef void bare_handler_fn(struct bare_frame *frame, void *ctx);

/* One VP. Found by TR, so that neither GS nor the stack need to be anything special. */
struct bare_vp {
	uint32_t index; /* 0..: order of the MADT; the boot VP is 0 */
	uint32_t apic_id;
	bool is_online;
	uint64_t try_rsp; /* of the bare_try() that runs, or 0 */
	struct bare_fault fault;
	uint32_t spurious; /* interrupts that nobody handles */
	uint8_t last_spurious;

	/* work from bare_run_on(): set by the caller, cleared by this VP when done */
	void (*work)(void *ctx);
	void *work_ctx;

	struct platform_bare platform;
	struct winhv hv;
};

struct bare {
	/* from the loader */
	bool is_pvh, is_multiboot2;
	char command_line[BARE_COMMAND_LINE_MAX];
	uint64_t ram_bytes;   /* all that the loader calls usable */
	uint64_t free, limit; /* the bump allocator's */
	uint64_t trampoline;  /* a page below 1 MiB, where VPs wake up */
	uint64_t rsdp;	      /* 0: no ACPI */

	/* from ACPI */
	uint32_t vp_count;
	uint16_t sleep_port, sleep_value; /* power off; port 0: unknown */
	uint16_t reset_port, reset_value; /* port 0: unknown */
	bool is_sleep_word;		  /* PM1 control (16 bits), not the sleep register */

	bool is_x2apic;
	uint64_t tsc_begin; /* when this image began to run */
	uint64_t tsc_hz;
	struct bare_vp vps[BARE_VPS_MAX];
};
extern struct bare bare;

/* The program. What it returns goes to bare_exit(). */
int bare_main(void);

/* ---- output and end ------------------------------------------------------------------------ */

/*
 * %d %u %x %lx %s %c %p %%, with a width and zeros in front if wanted; l and ll are 64 bits.
 * Returns the length that it would have had.
 */
int bare_format(char *bytes, size_t room, const char *format, va_list arguments);
int bare_print_to(char *text, size_t bytes, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* To the UART at 0x3f8. A line at a time when several VPs print. */
void bare_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Is there an UART? Its scratch register keeps what is written to it. */
bool bare_uart_exists(void);

/*
 * End: write `status` to the debug exit port (0xf4); where there is none, power off by ACPI;
 * failing that, reset. Any VP.
 */
__attribute__((noreturn)) void bare_exit(int status);
__attribute__((noreturn)) void bare_reset(void);

/* Is `word` one of the words of the command line? `word=`: *value is what follows. */
bool bare_option(const char *word, const char **value);

/* ---- memory -------------------------------------------------------------------------------- */

/* Zeroed, contiguous, identity-mapped; never given back. Ends the program if there is none. */
void *bare_pages(size_t count);

#define BARE_MAP_WRITE	  0x002u
#define BARE_MAP_USER	  0x004u
#define BARE_MAP_UNCACHED 0x018u
#define BARE_MAP_GLOBAL	  0x100u
/*
 * Map the page at `va` to `gpa`, in all VPs, splitting a 2 MiB page if one is there. The
 * old translation goes out of this VP's TLB, not out of another's. Any VP, one at a time.
 */
void bare_map(uint64_t va, uint64_t gpa, uint32_t flags);
/* The entry for `va`, its tables made if needed; write it and flush as you like. */
uint64_t *bare_map_entry(uint64_t va);
/* Addresses for bare_map() that nothing else uses, 1 GiB. */
#define BARE_WINDOW 0x0000010000000000ull
/* Where rings are mapped: a slice for each VP, so that no other has translations of it. */
#define BARE_RINGS	0x0000018000000000ull
#define BARE_RING_PAGES 4096u /* of a slice */

/* ---- interrupts and faults ----------------------------------------------------------------- */

/* The handler of a vector, on all VPs; it acknowledges (bare_apic_eoi). NULL: none. */
void bare_vector_set(unsigned vector, bare_handler_fn *handler, void *ctx);

/*
 * Call fn(ctx). A fault in it (any exception) ends it: false, and what it was in
 * *fault (may be NULL). RDMSR and WRMSR by winhv do not end it (platform_bare_fixup).
 */
bool bare_try(void (*fn)(void *ctx), void *ctx, struct bare_fault *fault);

static inline void bare_interrupts_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void bare_interrupts_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

/*
 * `vector` is that of SINT `sint`, on all VPs: its interrupts are acknowledged and end the
 * winhv_wait() of their VP. The SINT itself is the program's or the bus's to unmask.
 */
void bare_sint_set(unsigned sint, unsigned vector);

/* ---- VPs ----------------------------------------------------------------------------------- */

/* The VP that runs this. */
struct bare_vp *bare_vp(void);

/* Start all VPs that ACPI names; returns how many run. Called before bare_main(). */
uint32_t bare_vps_start(void);

/* Run fn(ctx) on VP `vp` and return when it is done. On the caller's own: a plain call. */
void bare_run_on(uint32_t vp, void (*fn)(void *ctx), void *ctx);
/* The same on all VPs, at the same time. */
void bare_run_on_all(void (*fn)(void *ctx), void *ctx);
/* Begin, and wait: to do something on this VP meanwhile. Not for the VP that calls. */
void bare_run_begin(uint32_t vp, void (*fn)(void *ctx), void *ctx);
void bare_run_wait(uint32_t vp);

/*
 * winhv_hypercall_enable() on the boot VP, which calls this; the winhv of all VPs then use
 * the page. Its errors.
 */
int bare_hypercall_enable(uint64_t guest_os_id);
/* winhv of the VP that runs this. */
static inline struct winhv *bare_winhv(void)
{
	return &bare_vp()->hv;
}

/* ---- local APIC ---------------------------------------------------------------------------- */

void bare_apic_eoi(void);
/* ICR: the low half (vector, mode) to the APIC with this id. */
void bare_apic_command(uint32_t apic_id, uint32_t low);
uint32_t bare_apic_id(void);
/* Is `vector` accepted but not delivered yet (IRR), or delivered but not acknowledged (ISR)? */
bool bare_apic_is_requested(unsigned vector);
bool bare_apic_is_in_service(unsigned vector);
uint32_t bare_apic_read(uint32_t offset); /* offset of the xAPIC, 0x20.. */
void bare_apic_write(uint32_t offset, uint32_t value);
/* Turn the APIC of this VP on, in x2APIC mode if bare.is_x2apic. */
void bare_apic_start(void);

/* ---- time ---------------------------------------------------------------------------------- */

static inline uint64_t bare_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n	rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}
/*
 * Have winhv_time_100ns() read the hypervisor's reference TSC page, on all VPs, where that is
 * promised; else it stays as it is: the MSR, or the TSC where there is none. Once, on the
 * boot VP. True if the page is on.
 */
bool bare_clock_enable(void);
/* Time by the TSC, in 100 ns, from any beginning; as exact as bare.tsc_hz. */
uint64_t bare_time(void);
/* Wait until condition(ctx) holds, interrupts on; false if it did not within `limit_100ns`. */
bool bare_wait(bool (*condition)(void *ctx), void *ctx, uint64_t limit_100ns);
/* Let `time_100ns` pass, interrupts on. */
void bare_pause(uint64_t time_100ns);

/* ---- processor ----------------------------------------------------------------------------- */

void bare_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
/* 0, or -VIRIDIAN_EINVAL after a #GP. */
int bare_rdmsr(uint32_t msr, uint64_t *value);
int bare_wrmsr(uint32_t msr, uint64_t value);

static inline void bare_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb	%0, %1" : : "a"(value), "Nd"(port));
}

static inline void bare_out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw	%0, %1" : : "a"(value), "Nd"(port));
}

static inline void bare_out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl	%0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t bare_in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb	%1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint16_t bare_in16(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw	%1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void bare_invlpg(uint64_t va)
{
	__asm__ volatile("invlpg	(%0)" : : "r"(va) : "memory");
}

#endif
