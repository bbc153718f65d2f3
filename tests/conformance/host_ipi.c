// SPDX-License-Identifier: Apache-2.0
/*
 * Interrupts by hypercall: every form, every set of VPs, and what is refused. That they come,
 * and once, is seen where interrupts can be counted.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_vps.h"

#define VECTOR 0xd7u
#define IPI    HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI
#define IPI_EX HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX

#define RECOMMENDED                                                                                \
	NEED(conform_is_recommended(t, HV_RECOMMEND_CLUSTER_IPI), "recommendation 10 is off")
#define RECOMMENDED_EX                                                                             \
	RECOMMENDED;                                                                               \
	NEED(conform_is_recommended(t, HV_RECOMMEND_EX_PROCESSOR_MASKS), "recommendation 11 is "   \
									 "off")

/* Fast with a mask fits two registers, with a set it does not. */
static bool is_promised(const struct conform_target *t, enum conform_form form)
{
	return conform_form_is_promised(t, form, conform_form_is_ex(form));
}

static uint16_t send(struct conform_target *t, enum conform_form form, uint32_t vector,
	uint64_t mask, bool is_all)
{
	const struct winhv_vp_set set = conform_vp_set(mask, is_all);
	const bool is_fast = conform_form_is_fast(form);
	uint16_t status = CONFORM_FAULT;
	const int error = conform_form_is_ex(form)
				  ? winhv_send_ipi_ex(t->hv, is_fast, vector, &set, &status)
				  : winhv_send_ipi(t->hv, is_fast, vector, mask, &status);

	return error ? CONFORM_FAULT : status;
}

static enum conform_verdict to_nobody(struct conform_target *t)
{
	RECOMMENDED;
	for (enum conform_form form = FORM_SLOW; form < FORM_COUNT; form++) {
		if (!is_promised(t, form))
			continue;
		const uint16_t status = send(t, form, VECTOR, 0, false);
		EXPECT(status == 0, "%s: status 0x%x", conform_form_name(form), status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict bad_vectors(struct conform_target *t)
{
	static const uint32_t vectors[] = {0, 1, 0xf, 0x100, 0x10020, 0x80000020, 0xffffffff};

	RECOMMENDED;
	const uint64_t own = conform_vp_bit(t, 0);
	for (enum conform_form form = FORM_SLOW; form < FORM_COUNT; form++)
		for (unsigned i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
			if (!is_promised(t, form))
				continue;
			const uint16_t status = send(t, form, vectors[i], own, false);
			EXPECT(status == HV_STATUS_INVALID_PARAMETER ||
					status == HV_STATUS_INVALID_HYPERCALL_INPUT,
				"%s: vector 0x%x gave status 0x%x", conform_form_name(form),
				vectors[i], status);
		}
	return CONFORM_PASS;
}

static enum conform_verdict good_vectors(struct conform_target *t)
{
	RECOMMENDED;
	for (enum conform_form form = FORM_SLOW; form < FORM_COUNT; form++)
		for (uint32_t vector = HV_IPI_VECTOR_MIN; vector <= HV_IPI_VECTOR_MAX;
			vector += 0xf) {
			if (!is_promised(t, form))
				continue;
			const uint16_t status = send(t, form, vector, 0, false);
			EXPECT(status == 0, "%s: vector 0x%x gave status 0x%x",
				conform_form_name(form), vector, status);
		}
	return CONFORM_PASS;
}

static enum conform_verdict nowhere(struct conform_target *t)
{
	RECOMMENDED;
	NEED(t->hv->vp_count < 32, "there are so many VPs");
	for (enum conform_form form = FORM_SLOW; form < FORM_COUNT; form++) {
		if (!is_promised(t, form))
			continue;
		const uint16_t status = send(t, form, VECTOR, 0xffffffff00000000, false);
		EXPECT(status == 0, "%s: status 0x%x", conform_form_name(form), status);
	}
	return CONFORM_PASS;
}

/* A call in memory, as it is given. */
static uint16_t raw(
	struct conform_target *t, uint16_t code, uint16_t words, const void *input, size_t bytes)
{
	const struct winhv_pages pages = conform_pages(t, WINHV_PAGE_BYTES);

	if (pages.va == NULL)
		return CONFORM_FAULT;
	__builtin_memcpy(pages.va, input, bytes);
	const uint16_t status = conform_status(t, hv_hypercall_input(code, words, 0), pages.gpa, 0);
	winhv_pages_free(t->hv, &pages);
	return status;
}

struct ex_input {
	struct hv_send_ipi_ex_wire fixed;
	uint64_t banks[3];
};
#define EX_INPUT(format_, mask)                                                                    \
	{                                                                                          \
		.fixed = {.vector = VECTOR,                                                        \
			.processors = {.format = (format_), .bank_mask = (mask)}},                 \
	}

static enum conform_verdict bank_counts(struct conform_target *t)
{
	static const struct {
		uint64_t mask;
		uint16_t words;
	} wrong[] = {{1, 0}, {1, 2}, {3, 1}, {3, 3}, {0, 1}, {0x8000000000000001, 1}, {6, 3}};

	RECOMMENDED_EX;
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const struct ex_input input = EX_INPUT(HV_VP_SET_FORMAT_SPARSE, wrong[i].mask);
		const uint16_t status = raw(t, IPI_EX, wrong[i].words, &input, sizeof input);
		EXPECT(status == HV_STATUS_INVALID_HYPERCALL_INPUT,
			"bank mask 0x%llx with %u words gave status 0x%x",
			(unsigned long long)wrong[i].mask, wrong[i].words, status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict far_banks(struct conform_target *t)
{
	RECOMMENDED_EX;
	struct ex_input input = EX_INPUT(HV_VP_SET_FORMAT_SPARSE, 0xc000000000000000);
	input.banks[0] = input.banks[1] = UINT64_MAX;
	const uint16_t status = raw(t, IPI_EX, 2, &input, sizeof input);
	EXPECT(status == 0, "banks 62 and 63, of VPs that do not exist, gave status 0x%x", status);
	return CONFORM_PASS;
}

static enum conform_verdict formats(struct conform_target *t)
{
	static const uint64_t others[] = {2, 3, 0x100000000, UINT64_MAX};

	RECOMMENDED_EX;
	for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
		const struct ex_input input = EX_INPUT(others[i], 1);
		const uint16_t status = raw(t, IPI_EX, 1, &input, sizeof input);
		EXPECT(status == HV_STATUS_INVALID_PARAMETER, "format 0x%llx gave status 0x%x",
			(unsigned long long)others[i], status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict other_levels(struct conform_target *t)
{
	RECOMMENDED;
	NEED(!conform_has(t, HV_PRIVILEGE_ACCESS_VSM), "there may be other levels");
	for (unsigned byte = 0; byte < 4; byte++) {
		struct hv_send_ipi_wire input = {.vector = VECTOR};
		if (byte == 0)
			input.vtl = HV_VTL_USE_TARGET | 1;
		else
			input.reserved[byte - 1] = 1;
		const uint16_t status = raw(t, IPI, 0, &input, sizeof input);
		EXPECT(status == HV_STATUS_INVALID_PARAMETER, "byte %u gave status 0x%x", 4 + byte,
			status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict shape(struct conform_target *t)
{
	const uint64_t fast = hv_hypercall_input(IPI, 0, 0) | HV_HYPERCALL_FAST;

	RECOMMENDED;
	const uint16_t words = conform_status(
		t, fast | 1ull << HV_HYPERCALL_VARHEAD_SHIFT, VECTOR, 0);
	EXPECT(words == HV_STATUS_INVALID_HYPERCALL_INPUT,
		"a variable header without a set gave status 0x%x", words);
	const uint16_t reps = conform_status(
		t, fast | 1ull << HV_HYPERCALL_REP_COUNT_SHIFT, VECTOR, 0);
	EXPECT(reps == HV_STATUS_INVALID_HYPERCALL_INPUT, "a rep count gave status 0x%x", reps);
	return CONFORM_PASS;
}

/* Two registers, and sixteen bytes more than there are. */
static enum conform_verdict registers_kept(struct conform_target *t)
{
	struct winhv_xmm xmm;

	RECOMMENDED_EX;
	NEED(conform_has_feature(t, HV_FEATURE_XMM_HYPERCALL_INPUT), "XMM input is not promised");
	for (unsigned i = 0; i < 12; i++)
		xmm.word[i] = i == 0 ? 0 : 0x1111111111111111ull * i; /* word 0: bank mask 0 */
	const uint16_t status = hv_hypercall_result_status(
		conform_call(t, hv_hypercall_input(IPI_EX, 0, 0) | HV_HYPERCALL_FAST, VECTOR,
			HV_VP_SET_FORMAT_SPARSE, &xmm));
	EXPECT(status == 0, "status 0x%x", status);
	for (unsigned i = 1; i < 12; i++)
		EXPECT(xmm.word[i] == 0x1111111111111111ull * i,
			"half %u of the XMM registers is 0x%llx", i,
			(unsigned long long)xmm.word[i]);
	return CONFORM_PASS;
}

/* A set in registers needs XMM, which is not promised: #UD. */
static enum conform_verdict xmm_not_promised(struct conform_target *t)
{
	struct winhv_xmm xmm = {{0}};

	RECOMMENDED_EX;
	NEED(!conform_has_feature(t, HV_FEATURE_XMM_HYPERCALL_INPUT), "XMM input is promised");
	const uint16_t status = hv_hypercall_result_status(
		conform_call(t, hv_hypercall_input(IPI_EX, 0, 0) | HV_HYPERCALL_FAST, VECTOR,
			HV_VP_SET_FORMAT_SPARSE, &xmm));
	EXPECT(status == CONFORM_FAULT, "status 0x%x, and no #UD", status);
	return CONFORM_PASS;
}

/* ---- where interrupts can be counted ----------------------------------------------------------
 */

#define MACHINE                                                                                    \
	RECOMMENDED;                                                                               \
	NEED(t->machine, "interrupts are counted on bare metal only")

/* Exactly one on each VP of `vps`, and none elsewhere; an interrupt to all is the fence. */
static bool arrives(struct conform_target *t, enum conform_form form, uint64_t vps, bool is_all)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint32_t sints;

	t->machine->count(VECTOR);
	const uint16_t status = send(t, form, VECTOR, conform_vp_mask(t, vps), is_all);
	if (status != 0)
		return conform_no(t, "%s: status 0x%x", conform_form_name(form), status);
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++) {
		uint64_t index;
		while ((vps >> vp & 1) && t->machine->interrupts(vp) == 0) {
			if (conform_now(t) >= deadline)
				return conform_no(t, "%s, VPs 0x%llx: none came to VP %u",
					conform_form_name(form), (unsigned long long)vps, vp);
			(void)winhv_wait(t->hv, t->hv->vp, 1000, &sints);
		}
		/* The VP has been here: what was sent to it before has arrived. */
		(void)conform_read(t, vp, HV_X64_MSR_VP_INDEX, &index);
	}
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
		if (t->machine->interrupts(vp) != (vps >> vp & 1))
			return conform_no(t, "%s, VPs 0x%llx: %u came to VP %u",
				conform_form_name(form), (unsigned long long)vps,
				t->machine->interrupts(vp), vp);
	return true;
}

/* Every set of the first four VPs. */
static enum conform_verdict sets(struct conform_target *t, enum conform_form form)
{
	const uint32_t vps = t->hv->vp_count < 4 ? t->hv->vp_count : 4;

	MACHINE;
	NEED(is_promised(t, form), "this form is not promised");
	for (uint64_t set = 0; set < 1ull << vps; set++)
		TRY(arrives(t, form, set, false));
	return CONFORM_PASS;
}

static enum conform_verdict sets_slow(struct conform_target *t)
{
	return sets(t, FORM_SLOW);
}

static enum conform_verdict sets_fast(struct conform_target *t)
{
	return sets(t, FORM_FAST);
}

static enum conform_verdict sets_ex(struct conform_target *t)
{
	return sets(t, FORM_EX_SLOW);
}

static enum conform_verdict sets_ex_fast(struct conform_target *t)
{
	return sets(t, FORM_EX_FAST);
}

static enum conform_verdict to_all(struct conform_target *t)
{
	MACHINE;
	RECOMMENDED_EX;
	const uint64_t all = t->hv->vp_count == 64 ? UINT64_MAX : (1ull << t->hv->vp_count) - 1;
	TRY(arrives(t, FORM_EX_SLOW, all, true));
	if (is_promised(t, FORM_EX_FAST))
		TRY(arrives(t, FORM_EX_FAST, all, true));
	return CONFORM_PASS;
}

/* Format 1 with a mask: the words are there, and not looked at. */
static enum conform_verdict all_with_words(struct conform_target *t)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	uint32_t sints;

	MACHINE;
	RECOMMENDED_EX;
	const struct ex_input input = EX_INPUT(HV_VP_SET_FORMAT_ALL, 1);
	t->machine->count(VECTOR);
	const uint16_t status = raw(t, IPI_EX, 1, &input, sizeof input);
	EXPECT(status == 0, "status 0x%x", status);
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++)
		while (t->machine->interrupts(vp) == 0) {
			EXPECT(conform_now(t) < deadline, "none came to VP %u", vp);
			(void)winhv_wait(t->hv, t->hv->vp, 1000, &sints);
		}
	return CONFORM_PASS;
}

static enum conform_verdict none_when_refused(struct conform_target *t)
{
	uint64_t index;

	MACHINE;
	RECOMMENDED_EX;
	struct ex_input input = EX_INPUT(HV_VP_SET_FORMAT_SPARSE, 1);
	input.banks[0] = UINT64_MAX;
	t->machine->count(VECTOR);
	NEED(raw(t, IPI_EX, 0, &input, sizeof input) != 0 &&
			raw(t, IPI_EX, 2, &input, sizeof input) != 0,
		"words that do not fit are taken");
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++) {
		(void)conform_read(t, vp, HV_X64_MSR_VP_INDEX, &index);
		EXPECT(t->machine->interrupts(vp) == 0, "VP %u was interrupted", vp);
	}
	return CONFORM_PASS;
}

#define H CONFORM_HYPERCALLS
const struct conform_test conform_ipi_tests[] = {
	{"R-CPUID-014", "interrupts to nobody succeed, in every form", to_nobody, H, 0, 0},
	{"R-CPUID-018", "a set in registers without XMM faults", xmm_not_promised, H, 0, 0},
	{"R-HCALL-004", "interrupts take no count", shape, H, 0, 0},
	{"R-HCALL-006", "XMM registers stay what they were", registers_kept, H, 0, 0},
	{"R-HCALL-019", "the words of a set are as many as its banks", bank_counts, H, 0, 0},
	{"R-HCALL-019", "a set that is refused interrupts nobody", none_when_refused, H, 0, 0},
	{"R-HCALL-020", "vectors outside of 0x10 to 0xff are refused", bad_vectors, H, 0, 0},
	{"R-HCALL-020", "vectors from 0x10 to 0xff are taken", good_vectors, H, 0, 0},
	{"R-HCALL-021", "interrupts come to each VP named, once", sets_slow, H, 0, 0},
	{"R-HCALL-021", "... fast", sets_fast, H, 0, 0},
	{"R-HCALL-021", "... by sets", sets_ex, H, 0, 0},
	{"R-HCALL-021", "... by sets, fast", sets_ex_fast, H, 0, 0},
	{"R-HCALL-021", "an interrupt to all comes to all, once", to_all, H, 0, 0},
	{"R-HCALL-024", "VPs that do not exist are ignored", nowhere, H, 0, 0},
	{"R-HCALL-024", "banks of VPs that do not exist are ignored", far_banks, H, 0, 0},
	{"R-HCALL-025", "formats other than 0 and 1 are refused", formats, H, 0, 0},
	{"R-HCALL-025", "in format 1 the words are not looked at", all_with_words, H, 0, 0},
	{"R-HCALL-028", "other levels and reserved bytes are refused", other_levels, H, 0, 0},
};
const size_t conform_ipi_test_count = sizeof conform_ipi_tests / sizeof conform_ipi_tests[0];
