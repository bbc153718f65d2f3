// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that name VPs, for conformance tests: the forms in which one call can be made, and the
 * VPs as the hypervisor counts them.
 */
#ifndef TESTS_CONFORMANCE_CONFORM_VPS_H
#define TESTS_CONFORMANCE_CONFORM_VPS_H

#include "guest/winhv/calls.h"
#include "tests/conformance/conform.h"

enum conform_form {
	FORM_SLOW,
	FORM_FAST,
	FORM_EX_SLOW,
	FORM_EX_FAST,
	FORM_COUNT,
};

static inline bool conform_form_is_ex(enum conform_form form)
{
	return form == FORM_EX_SLOW || form == FORM_EX_FAST;
}

static inline bool conform_form_is_fast(enum conform_form form)
{
	return form == FORM_FAST || form == FORM_EX_FAST;
}

static inline const char *conform_form_name(enum conform_form form)
{
	static const char *const names[] = {"in memory", "fast", "Ex, in memory", "Ex, fast"};
	return form < FORM_COUNT ? names[form] : "?";
}

/* Does CPUID promise it? XMM: does it take more than two registers? */
static inline bool conform_form_is_promised(
	const struct conform_target *t, enum conform_form form, bool needs_xmm)
{
	if (conform_form_is_ex(form) && !conform_is_recommended(t, HV_RECOMMEND_EX_PROCESSOR_MASKS))
		return false;
	return !(conform_form_is_fast(form) && needs_xmm) ||
	       conform_has_feature(t, HV_FEATURE_XMM_HYPERCALL_INPUT);
}

/* The bit of winhv's VP `vp` in a mask of VP indices (below 64). */
static inline uint64_t conform_vp_bit(struct conform_target *t, uint32_t vp)
{
	uint64_t index = vp;

	(void)conform_read(t, vp, HV_X64_MSR_VP_INDEX, &index);
	return 1ull << index % 64;
}

/* The mask of VPs as the hypervisor counts them, from one of winhv's. */
static inline uint64_t conform_vp_mask(struct conform_target *t, uint64_t vps)
{
	uint64_t mask = 0;

	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
		if (vps >> vp & 1)
			mask |= conform_vp_bit(t, vp);
	return mask;
}

static inline struct winhv_vp_set conform_vp_set(uint64_t mask, bool is_all)
{
	struct winhv_vp_set set = {.is_all = is_all};

	if (mask != 0) {
		set.bank_mask = 1;
		set.banks[0] = mask;
	}
	return set;
}

#endif
