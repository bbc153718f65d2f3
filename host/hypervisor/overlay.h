// SPDX-License-Identifier: Apache-2.0
/*
 * Overlay pages: pages of the hypervisor (hypercall code, messages, event flags,
 * reference TSC) that the guest lays over its own memory and takes away again.
 *
 * An overlay has a life of its own: what is in it survives being moved or turned
 * off, and the guest's page below appears again unchanged. There being no second
 * address space to map it in, the bytes are exchanged: while the overlay is on, its
 * private page holds what was below; while it is off, its own contents.
 *
 * Overlays at one page lie on top of each other, the last that came is what the guest sees,
 * and each may go first. One that is covered has its contents in the private page of the one
 * above it.
 */
#ifndef HOST_HYPERVISOR_OVERLAY_H
#define HOST_HYPERVISOR_OVERLAY_H

#include "host/hypervisor/memory.h"

struct overlay;

/* All overlays of a partition that are on. Zero is none. */
struct overlays {
	struct overlay *first;
};

struct overlay {
	struct overlays *all; /* borrowed, as the page */
	uint8_t *page; /* private, GUEST_PAGE_BYTES; exchanged with those of its neighbours */
	uint64_t gpa;  /* where it is, if on */
	bool is_on;
	struct overlay *next;	       /* of all that are on */
	struct overlay *above, *below; /* at the same page */
};

/*
 * Turn the overlay on at `gpa`, off, or move it. False, with the overlay as it was, if
 * the page is not RAM or not page aligned.
 */
bool overlay_set(struct overlay *overlay, const struct guest_memory *memory, bool on, uint64_t gpa);

/* The contents, wherever they are now: if the guest sees them, its to write as well. */
uint8_t *overlay_contents(const struct overlay *overlay, const struct guest_memory *memory);

#endif
