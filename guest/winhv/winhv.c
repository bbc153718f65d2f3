// SPDX-License-Identifier: Apache-2.0
/*
 * winhv: detection, start and end, memory and time. See winhv.h. Hypercalls are in
 * hypercall.c, SynIC in synic.c.
 */
#include "guest/winhv/winhv.h"

#include "protocol/errors.h"
#include "protocol/hypervisor.h"

/* ---- detection (TLFS, "Feature and interface discovery") ----------------------------------- */

static void leaf_read(const struct winhv *hv, uint32_t leaf, uint32_t out[4])
{
	__builtin_memset(out, 0, 4 * sizeof *out);
	if (hv->identity.max_leaf == 0 || leaf <= hv->identity.max_leaf)
		hv->ops->cpuid(hv->ctx, leaf, 0, out);
}

static void detect(struct winhv *hv)
{
	struct winhv_identity *identity = &hv->identity;
	uint32_t leaf[4];

	leaf_read(hv, 1, leaf);
	if (!(leaf[2] & HV_CPUID_1_ECX_HYPERVISOR_PRESENT))
		return;
	leaf_read(hv, HV_CPUID_INTERFACE, leaf);
	if (leaf[0] != HV_CPUID_INTERFACE_HV1)
		return;
	leaf_read(hv, HV_CPUID_VENDOR_AND_MAX, leaf);
	if (leaf[0] < HV_CPUID_MIN_MAX_LEAF)
		return;

	identity->is_present = true;
	identity->max_leaf = leaf[0];
	__builtin_memcpy(identity->vendor, &leaf[1], 12);
	leaf_read(hv, HV_CPUID_VERSION, leaf);
	identity->build = leaf[0];
	identity->major = (uint16_t)(leaf[1] >> 16);
	identity->minor = (uint16_t)leaf[1];
	leaf_read(hv, HV_CPUID_FEATURES, leaf);
	identity->privileges = (uint64_t)leaf[0] | (uint64_t)leaf[1] << 32;
	identity->features = leaf[3];
	leaf_read(hv, HV_CPUID_RECOMMENDATIONS, leaf);
	identity->hints = leaf[0];
	leaf_read(hv, HV_CPUID_LIMITS, leaf);
	identity->vp_max = leaf[0];
}

/* ---- start and end ------------------------------------------------------------------------- */

int winhv_init(struct winhv *hv, const struct winhv_platform_ops *ops, void *ctx, uint32_t vp_count)
{
	__builtin_memset(hv, 0, sizeof *hv);
	if (vp_count == 0 || vp_count > WINHV_VP_MAX)
		return -VIRIDIAN_EINVAL;
	hv->ops = ops;
	hv->ctx = ctx;
	hv->vp_count = vp_count;
	detect(hv);
	if (!hv->identity.is_present)
		return 0;
	return winhv_pages_alloc(hv, (size_t)2 * WINHV_PAGE_BYTES, &hv->hypercall);
}

/* Give `pages` back, or leave them for ever with a hypervisor that may still write to them. */
static void pages_retire(struct winhv *hv, struct winhv_pages *pages, bool is_ours)
{
	if (!pages->va)
		return;
	if (!is_ours) {
		winhv_pages_abandon(hv, pages);
		return;
	}
	winhv_pages_free(hv, pages);
	*pages = (struct winhv_pages){0};
}

int winhv_hypercall_enable(struct winhv *hv, uint64_t guest_os_id)
{
	uint64_t value;

	if (!hv->identity.is_present)
		return -VIRIDIAN_ENODEV;
	if (!(hv->identity.privileges & HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS))
		return -VIRIDIAN_ENOTSUP;
	if (guest_os_id == 0)
		return -VIRIDIAN_EINVAL;
	if (hv->code.va)
		return 0;

	struct winhv_pages code;
	int error = winhv_pages_alloc(hv, WINHV_PAGE_BYTES, &code);
	if (error)
		return error;
	error = hv->ops->msr_write(hv->ctx, hv->vp, HV_X64_MSR_GUEST_OS_ID, guest_os_id);
	if (!error)
		error = hv->ops->msr_read(hv->ctx, hv->vp, HV_X64_MSR_HYPERCALL, &value);
	if (error) {
		pages_retire(hv, &code, true); /* the hypervisor has not heard of it */
		return error;
	}
	value = (value & ~(HV_MSR_PAGE_ADDRESS_MASK | HV_MSR_HYPERCALL_LOCKED)) |
		HV_MSR_PAGE_ENABLE | code.gpa;
	error = hv->ops->msr_write(hv->ctx, hv->vp, HV_X64_MSR_HYPERCALL, value);
	if (!error)
		error = hv->ops->msr_read(hv->ctx, hv->vp, HV_X64_MSR_HYPERCALL, &value);
	if (!error &&
		(!(value & HV_MSR_PAGE_ENABLE) || (value & HV_MSR_PAGE_ADDRESS_MASK) != code.gpa))
		error = -VIRIDIAN_EPROTO;
	if (error) {
		pages_retire(hv, &code, false);
		return error;
	}
	hv->code = code;
	if (hv->ops->hypercall_page_set)
		hv->ops->hypercall_page_set(hv->ctx, &hv->code);
	return 0;
}

static void hypercall_disable(struct winhv *hv)
{
	if (!hv->code.va)
		return;
	if (hv->ops->hypercall_page_set)
		hv->ops->hypercall_page_set(hv->ctx, NULL);
	int error = hv->ops->msr_write(hv->ctx, hv->vp, HV_X64_MSR_HYPERCALL, 0);
	if (!error)
		error = hv->ops->msr_write(hv->ctx, hv->vp, HV_X64_MSR_GUEST_OS_ID, 0);
	pages_retire(hv, &hv->code, error == 0);
}

void winhv_shutdown(struct winhv *hv)
{
	for (uint32_t vp = 0; vp < hv->vp_count; vp++)
		winhv_synic_disable(hv, vp);
	hypercall_disable(hv);
	/* only used while a hypercall runs */
	pages_retire(hv, &hv->hypercall, !hv->is_hypercall_lost);
}

/* ---- memory, time, waiting ----------------------------------------------------------------- */

int winhv_pages_alloc(struct winhv *hv, size_t bytes, struct winhv_pages *out)
{
	return hv->ops->pages_alloc(hv->ctx, bytes, out);
}

void winhv_pages_free(struct winhv *hv, const struct winhv_pages *pages)
{
	hv->ops->pages_free(hv->ctx, pages);
}

void winhv_pages_abandon(struct winhv *hv, struct winhv_pages *pages)
{
	hv->pages_abandoned += pages->bytes / WINHV_PAGE_BYTES;
	*pages = (struct winhv_pages){0};
}

uint64_t winhv_time_100ns(const struct winhv *hv)
{
	return hv->ops->time_100ns(hv->ctx);
}

int winhv_wait(struct winhv *hv, uint32_t vp, uint64_t timeout_100ns, uint32_t *sints)
{
	return hv->ops->wait(hv->ctx, vp, timeout_100ns, sints);
}

void winhv_wait_arm(struct winhv *hv, uint32_t vp)
{
	hv->ops->wait_arm(hv->ctx, vp);
}

void winhv_wait_disarm(struct winhv *hv, uint32_t vp)
{
	hv->ops->wait_disarm(hv->ctx, vp);
}
