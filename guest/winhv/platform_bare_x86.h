// SPDX-License-Identifier: Apache-2.0
/*
 * The bare platform: real instructions, for code that runs in a partition at CPL 0
 * with flat, identity-mapped memory and nothing under it but the hypervisor.
 *
 *	static struct platform_bare bare;
 *	platform_bare_init(&bare, pool, pool_bytes, bitmap, sizeof bitmap);
 *	winhv_init(&hv, &platform_bare_ops, &bare, 1);
 *
 * What the image around it owes:
 *	- an IDT whose handler for a SINT's vector calls platform_bare_interrupt()
 *	  and then acknowledges the interrupt (EOI);
 *	- a #GP handler that asks platform_bare_fixup() where to go on, so that an MSR
 *	  which does not exist is an error and no crash;
 *	- `idle`, if it can do better than spinning (STI; HLT with a timer set);
 *	- `ring_map` and `ring_unmap`, if it has page tables, so that rings need not copy at
 *	  their end;
 *	- `tsc_hz` for a clock where the hypervisor has none, `reference_tsc` for one that needs
 *	  no exit.
 *
 * RDMSR and WRMSR act on the processor that executes them: one struct platform_bare
 * serves one VP, and another's registers are -VIRIDIAN_ENOTSUP.
 *
 * Threads: signals, pages and time from any processor; all else from the VP's own.
 */
#ifndef GUEST_WINHV_PLATFORM_BARE_X86_H
#define GUEST_WINHV_PLATFORM_BARE_X86_H

#include "guest/winhv/winhv.h"

struct hv_reference_tsc_page_wire; /* protocol/hypervisor.h */

struct platform_bare {
	uint32_t vp; /* set: index of the VP that this is used on; starts at 0 */
	/*
	 * set: sleep until an interrupt has come or `deadline_100ns` (reference time;
	 * UINT64_MAX: none) has passed; may return early. Called with `pending` 0. NULL: spin.
	 */
	void (*idle)(void *ctx, uint64_t deadline_100ns);
	void *idle_ctx;

	/*
	 * set: make `bytes` of RAM at `gpa` appear at *va, and all but their first page once more
	 * behind that; both NULL: rings are not mapped. 0 or a negative VIRIDIAN_E*. `bytes` is
	 * the same in both.
	 */
	int (*ring_map)(void *ctx, uint64_t gpa, size_t bytes, uint8_t **va);
	void (*ring_unmap)(void *ctx, uint8_t *va, size_t bytes);
	void *map_ctx;

	/* set: the page that HV_X64_MSR_REFERENCE_TSC names; NULL: time is read from the MSR */
	const struct hv_reference_tsc_page_wire *reference_tsc;
	uint64_t tsc_hz; /* set: time is the TSC's where there is no such MSR; 0: it is 0 there */

	const void *hypercall_code; /* the hypercall page, while it is enabled */
	uint32_t pending;	    /* atomic: SINTs since the last wait() */

	/* pages: under `lock`, a spin lock */
	uint32_t lock;
	uint8_t *pool;	  /* borrowed: identity-mapped RAM */
	uint64_t *bitmap; /* borrowed: a bit for each page of the pool */
	size_t page_count;
};

extern const struct winhv_platform_ops platform_bare_ops;

/*
 * `pool` is page aligned RAM that nothing else uses, `bitmap` room for a bit for each of
 * its pages. -VIRIDIAN_EINVAL if they do not fit.
 */
int platform_bare_init(struct platform_bare *bare, void *pool, size_t pool_bytes, uint64_t *bitmap,
	size_t bitmap_bytes);

/* From the interrupt handler of a SINT's vector: bit n of `sints` for SINT n. */
void platform_bare_interrupt(struct platform_bare *bare, uint32_t sints);

/* From the #GP handler: where execution goes on, or 0 if the fault is not ours. */
uintptr_t platform_bare_fixup(uintptr_t rip);

#endif
