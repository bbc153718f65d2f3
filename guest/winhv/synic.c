// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's side of the SynIC: pages, SINTs, messages, event flags. See winhv.h.
 * The only file of the guest that touches message and event-flag pages; everything
 * is copied out once.
 *
 * Emptying a slot and looking at MessagePending are sequentially consistent, as are
 * the hypervisor's setting of MessagePending and its second look at the type: either
 * we see that more is waiting and write EOM, or it sees the slot empty.
 */
#include "guest/winhv/winhv.h"

#include "protocol/errors.h"
#include "protocol/hypervisor.h"

#define TYPE_OFFSET    offsetof(struct hv_message_wire, type)
#define FLAGS_OFFSET   offsetof(struct hv_message_wire, flags)
#define PAYLOAD_OFFSET offsetof(struct hv_message_wire, payload)

static int page_enable(struct winhv *hv, uint32_t vp, uint32_t msr, const struct winhv_pages *page)
{
	uint64_t value;
	int error = hv->ops->msr_read(hv->ctx, vp, msr, &value);

	if (error)
		return error;
	value = (value & ~HV_MSR_PAGE_ADDRESS_MASK) | page->gpa | HV_MSR_PAGE_ENABLE;
	return hv->ops->msr_write(hv->ctx, vp, msr, value);
}

/* Turn a page off and give it back; leave it where it is if the hypervisor does not answer. */
static void page_disable(struct winhv *hv, uint32_t vp, uint32_t msr, struct winhv_pages *page)
{
	if (!page->va)
		return;
	if (hv->ops->msr_write(hv->ctx, vp, msr, 0) == 0)
		winhv_pages_free(hv, page);
	else
		hv->pages_abandoned += page->bytes / WINHV_PAGE_BYTES;
	*page = (struct winhv_pages){0};
}

static int pages_enable(struct winhv *hv, uint32_t vp)
{
	struct winhv_synic_pages *pages = &hv->synic[vp];
	uint64_t scontrol;
	int error = winhv_pages_alloc(hv, WINHV_PAGE_BYTES, &pages->messages);

	if (error) {
		pages->messages = (struct winhv_pages){0};
		return error;
	}
	error = winhv_pages_alloc(hv, WINHV_PAGE_BYTES, &pages->events);
	if (error)
		pages->events = (struct winhv_pages){0};
	if (!error)
		error = page_enable(hv, vp, HV_X64_MSR_SIMP, &pages->messages);
	if (!error)
		error = page_enable(hv, vp, HV_X64_MSR_SIEFP, &pages->events);
	if (!error)
		error = hv->ops->msr_read(hv->ctx, vp, HV_X64_MSR_SCONTROL, &scontrol);
	if (!error && !(scontrol & HV_SCONTROL_ENABLE))
		error = hv->ops->msr_write(
			hv->ctx, vp, HV_X64_MSR_SCONTROL, scontrol | HV_SCONTROL_ENABLE);
	if (error) {
		page_disable(hv, vp, HV_X64_MSR_SIEFP, &pages->events);
		page_disable(hv, vp, HV_X64_MSR_SIMP, &pages->messages);
		return error;
	}
	hv->synic_enabled |= 1ull << vp;
	return 0;
}

int winhv_synic_enable(struct winhv *hv, uint32_t vp, uint32_t sint, uint8_t vector)
{
	if (vp >= hv->vp_count || sint >= HV_SINT_COUNT || vector < HV_SINT_MIN_VECTOR)
		return -VIRIDIAN_EINVAL;
	if (!hv->identity.is_present)
		return -VIRIDIAN_ENODEV;
	if (!(hv->identity.privileges & HV_PRIVILEGE_ACCESS_SYNIC))
		return -VIRIDIAN_ENOTSUP;
	if (!(hv->synic_enabled & 1ull << vp)) {
		const int error = pages_enable(hv, vp);
		if (error)
			return error;
	}
	const int error = hv->ops->msr_write(hv->ctx, vp, HV_X64_MSR_SINT0 + sint, vector);
	if (!error)
		hv->sints[vp] |= (uint16_t)(1u << sint);
	return error;
}

void winhv_synic_disable(struct winhv *hv, uint32_t vp)
{
	if (vp >= hv->vp_count || !(hv->synic_enabled & 1ull << vp))
		return;
	for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
		if (hv->sints[vp] & 1u << sint)
			(void)hv->ops->msr_write(
				hv->ctx, vp, HV_X64_MSR_SINT0 + sint, HV_SINT_RESET);
	hv->sints[vp] = 0;
	hv->synic_enabled &= ~(1ull << vp);
	page_disable(hv, vp, HV_X64_MSR_SIEFP, &hv->synic[vp].events);
	page_disable(hv, vp, HV_X64_MSR_SIMP, &hv->synic[vp].messages);
}

bool winhv_message_take(struct winhv *hv, uint32_t vp, uint32_t sint, struct winhv_message *out)
{
	if (vp >= hv->vp_count || sint >= HV_SINT_COUNT || !hv->synic[vp].messages.va)
		return false;

	uint8_t *slot = hv->synic[vp].messages.va + sint * HV_MESSAGE_BYTES;
	uint32_t *type = (uint32_t *)(void *)(slot + TYPE_OFFSET);
	out->type = __atomic_load_n(type, __ATOMIC_ACQUIRE);
	if (out->type == HV_MESSAGE_TYPE_NONE)
		return false;

	struct hv_message_wire wire;
	__builtin_memcpy(&wire, slot, PAYLOAD_OFFSET);
	/* Once: without this, a compiler may read the size a second time, after its check. */
	__asm__ volatile("" : : : "memory");
	out->flags = wire.flags;
	out->sender = wire.origin;
	out->bytes = wire.payload_size <= HV_MESSAGE_PAYLOAD_MAX ? wire.payload_size : 0;
	__builtin_memcpy(out->payload, slot + PAYLOAD_OFFSET, out->bytes);

	__atomic_store_n(type, HV_MESSAGE_TYPE_NONE, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(slot + FLAGS_OFFSET, __ATOMIC_SEQ_CST) & HV_MESSAGE_FLAG_PENDING)
		(void)hv->ops->msr_write(hv->ctx, vp, HV_X64_MSR_EOM, 0);
	return true;
}

uint64_t winhv_events_take(struct winhv *hv, uint32_t vp, uint32_t sint, unsigned word)
{
	if (vp >= hv->vp_count || sint >= HV_SINT_COUNT || word >= HV_EVENT_FLAG_COUNT / 64 ||
		!hv->synic[vp].events.va)
		return 0;

	uint64_t *flags = (uint64_t *)(void *)hv->synic[vp].events.va +
			  sint * (HV_EVENT_FLAG_COUNT / 64) + word;
	if (__atomic_load_n(flags, __ATOMIC_RELAXED) == 0)
		return 0;
	return __atomic_exchange_n(flags, 0, __ATOMIC_SEQ_CST);
}
