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

static struct overlay *top_at(const struct overlays *all, uint64_t gpa)
{
	for (struct overlay *overlay = all->first; overlay; overlay = overlay->next)
		if (overlay->gpa == gpa && !overlay->above)
			return overlay;
	return NULL;
}

static void lay(struct overlay *overlay, uint8_t *guest, uint64_t gpa)
{
	overlay->gpa = gpa;
	overlay->is_on = true;
	overlay->below = top_at(overlay->all, gpa);
	if (overlay->below)
		overlay->below->above = overlay;
	overlay->next = overlay->all->first;
	overlay->all->first = overlay;
	exchange(overlay, guest);
}

static void lift(struct overlay *overlay, const struct guest_memory *memory)
{
	struct overlay *above = overlay->above;
	struct overlay **link = &overlay->all->first;

	if (above) {
		uint8_t *own = above->page;
		above->page = overlay->page;
		overlay->page = own;
		above->below = overlay->below;
	} else {
		exchange(overlay, guest_memory_at(memory, overlay->gpa, GUEST_PAGE_BYTES));
	}
	if (overlay->below)
		overlay->below->above = above;
	while (*link != overlay)
		link = &(*link)->next;
	*link = overlay->next;
	overlay->above = overlay->below = overlay->next = NULL;
	overlay->is_on = false;
}

bool overlay_set(struct overlay *overlay, const struct guest_memory *memory, bool on, uint64_t gpa)
{
	if (on && overlay->is_on && overlay->gpa == gpa)
		return true;

	uint8_t *target = on ? guest_memory_at(memory, gpa, GUEST_PAGE_BYTES) : NULL;
	if (on && (!target || gpa % GUEST_PAGE_BYTES != 0))
		return false;
	if (overlay->is_on)
		lift(overlay, memory);
	if (on)
		lay(overlay, target, gpa);
	return true;
}

uint8_t *overlay_contents(const struct overlay *overlay, const struct guest_memory *memory)
{
	if (!overlay->is_on)
		return overlay->page;
	if (overlay->above)
		return overlay->above->page;
	return guest_memory_at(memory, overlay->gpa, GUEST_PAGE_BYTES);
}
