// SPDX-License-Identifier: Apache-2.0
/* Preparing, running and leaving a test; verdicts. See conform.h. */
#include "tests/conformance/conform_bus.h"

void conform_note(struct conform_target *t, const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	(void)t->format(t->evidence, sizeof t->evidence, text, arguments);
	va_end(arguments);
	for (char *at = t->evidence; *at; at++)
		if (*at == '\n' || *at == '\t')
			*at = ' ';
}

uint64_t conform_call(struct conform_target *t, uint64_t control, uint64_t input, uint64_t output,
	struct winhv_xmm *xmm)
{
	uint64_t result;
	const int error = t->hv->ops->hypercall(
		t->hv->ctx, t->hv->vp, control, input, output, xmm, &result);

	return error ? CONFORM_FAULT : result;
}

bool conform_read(struct conform_target *t, uint32_t vp, uint32_t msr, uint64_t *value)
{
	return t->hv->ops->msr_read(t->hv->ctx, vp, msr, value) == 0;
}

bool conform_write(struct conform_target *t, uint32_t vp, uint32_t msr, uint64_t value)
{
	return t->hv->ops->msr_write(t->hv->ctx, vp, msr, value) == 0;
}

struct winhv_pages conform_pages(struct conform_target *t, size_t bytes)
{
	struct winhv_pages pages;

	if (winhv_pages_alloc(t->hv, bytes, &pages))
		return (struct winhv_pages){0};
	return pages;
}

static enum conform_verdict prepare(struct conform_target *t, const struct conform_test *test)
{
	const struct winhv_identity *identity = &t->hv->identity;

	NEED(identity->is_present, "there is no hypervisor with the interface Hv#1");
	NEED(conform_has(t, test->privileges), "CPUID leaf 3 does not promise privilege 0x%llx",
		(unsigned long long)(test->privileges & ~identity->privileges));
	NEED(conform_has_feature(t, test->features), "CPUID leaf 3 does not promise feature 0x%x",
		test->features & ~identity->features);
	NEED(!(test->needs & CONFORM_VP_1) || t->hv->vp_count > 1, "there is one VP only");
	if (!(test->needs & CONFORM_HYPERCALLS))
		return CONFORM_PASS;
	EXPECT(winhv_hypercall_enable(t->hv, CONFORM_OS_ID) == 0, "hypercalls cannot be enabled");
	if ((test->needs & CONFORM_SYNIC) != CONFORM_SYNIC)
		return CONFORM_PASS;
	NEED(conform_has(t, HV_PRIVILEGE_ACCESS_SYNIC), "CPUID promises no SynIC");
	EXPECT(winhv_synic_enable(t->hv, 0, VMBUS_SINT, CONFORM_VECTOR) == 0,
		"the SynIC of VP 0 cannot be enabled");
	if ((test->needs & CONFORM_BUS) != CONFORM_BUS)
		return CONFORM_PASS;
	NEED(conform_has(t, HV_PRIVILEGE_POST_MESSAGES | HV_PRIVILEGE_SIGNAL_EVENTS),
		"CPUID promises neither messages nor events");
	NEED(conform_bus_exists(t), "nobody takes messages on connection 1: there is no VMBus");
	return CONFORM_PASS;
}

void conform_end(struct conform_target *t)
{
	conform_bus_end(t);
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
		winhv_synic_disable(t->hv, vp);
	(void)conform_write(t, 0, HV_X64_MSR_GUEST_OS_ID, 0);
}

enum conform_verdict conform_run(struct conform_target *t, const struct conform_test *test)
{
	t->evidence[0] = '\0';
	conform_bus_begin(t);
	enum conform_verdict verdict = prepare(t, test);

	if (verdict == CONFORM_PASS)
		verdict = test->run(t);
	if (verdict == CONFORM_FAIL && t->bus.is_renewed) {
		char evidence[CONFORM_EVIDENCE_BYTES];
		__builtin_memcpy(evidence, t->evidence, sizeof evidence);
		verdict = conform_skip(t,
			"the host does not answer a GPADL of no channel, which the test needs; "
			"then: %s",
			evidence);
	}
	conform_end(t);
	return verdict;
}
