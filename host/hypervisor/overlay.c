// SPDX-License-Identifier: Apache-2.0
/*
 * Overlay pages. See overlay.h.
 */
#include "host/hypervisor/overlay.h"

#include <string.h>

static void exchange(struct overlay *overlay, uint8_t *guest)
{
	uint8_t below[GUEST_PAGE_BYTES];

	memcpy(below, guest, sizeof below);
	memcpy(guest, overlay->page, sizeof below);
	memcpy(overlay->page, below, sizeof below);
}

bool overlay_set(struct overlay *overlay, const struct guest_memory *memory, bool on, uint64_t gpa)
{
	if (on && overlay->is_on && overlay->gpa == gpa)
		return true;

	uint8_t *target = on ? guest_memory_at(memory, gpa, GUEST_PAGE_BYTES) : NULL;
	if (on && (!target || gpa % GUEST_PAGE_BYTES != 0))
		return false;
	if (overlay->is_on) {
		exchange(overlay, guest_memory_at(memory, overlay->gpa, GUEST_PAGE_BYTES));
		overlay->is_on = false;
	}
	if (on) {
		exchange(overlay, target);
		overlay->gpa = gpa;
		overlay->is_on = true;
	}
	return true;
}

uint8_t *overlay_contents(const struct overlay *overlay, const struct guest_memory *memory)
{
	if (!overlay->is_on)
		return overlay->page;
	return guest_memory_at(memory, overlay->gpa, GUEST_PAGE_BYTES);
}
