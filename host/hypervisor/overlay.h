// SPDX-License-Identifier: Apache-2.0
/*
 * Overlay pages: pages of the hypervisor (hypercall code, messages, event flags,
 * reference TSC) that the guest lays over its own memory and takes away again.
 *
 * An overlay has a life of its own: what is in it survives being moved or turned
 * off, and the guest's page below appears again unchanged. There being no second
 * address space to map it in, the bytes are exchanged: while the overlay is on, its
 * private page holds what was below; while it is off, its own contents.
 */
#ifndef HOST_HYPERVISOR_OVERLAY_H
#define HOST_HYPERVISOR_OVERLAY_H

#include "host/hypervisor/memory.h"

struct overlay {
	uint8_t *page; /* private, GUEST_PAGE_BYTES, borrowed from the partition */
	uint64_t gpa;  /* where it is, if on */
	bool is_on;
};

/*
 * Turn the overlay on at `gpa`, off, or move it. False, with the overlay as it was, if
 * the page is not RAM or not page aligned.
 */
bool overlay_set(struct overlay *overlay, const struct guest_memory *memory, bool on, uint64_t gpa);

/* The contents, wherever they are now: of a page that is on, the guest's to write as well. */
uint8_t *overlay_contents(const struct overlay *overlay, const struct guest_memory *memory);

#endif
