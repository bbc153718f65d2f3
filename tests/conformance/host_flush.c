// SPDX-License-Identifier: Apache-2.0
/*
 * TLB flushes by hypercall: every form, flags, lists and their counts; and, on bare metal,
 * whether stale translations really go: a page is read through a mapping by a VP, the
 * mapping is changed under it, and it reads again after the flush.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_vps.h"

#define SPACE	 HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE
#define LIST	 HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST
#define SPACE_EX HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX
#define LIST_EX	 HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX
#define ALL	 (HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_ADDRESS_SPACES)
#define EVERY_VP UINT64_MAX /* as a mask; as a VP set: of the format that has no banks */
#define ADDRESS	 0x0000012340000000ull
#define ROUNDS	 8u

#define RECOMMENDED                                                                                \
	NEED(conform_is_recommended(t, HV_RECOMMEND_REMOTE_FLUSH), "recommendation 2 is off")
#define RECOMMENDED_EX                                                                             \
	RECOMMENDED;                                                                               \
	NEED(conform_is_recommended(t, HV_RECOMMEND_EX_PROCESSOR_MASKS), "recommendation 11 is "   \
									 "off")

/* With ranges if `count` is not 0. CONFORM_FAULT also if it was not all done. */
static uint16_t flush(struct conform_target *t, enum conform_form form, uint64_t flags,
	uint64_t mask, const uint64_t *ranges, uint16_t count)
{
	const struct winhv_vp_set set = conform_vp_set(mask, mask == EVERY_VP);
	const bool is_fast = conform_form_is_fast(form);
	uint16_t status = CONFORM_FAULT, done = count;
	const int error = conform_form_is_ex(form) ? winhv_flush_list_ex(t->hv, is_fast, 0, flags,
							     &set, ranges, count, &done, &status)
						   : winhv_flush_list(t->hv, is_fast, 0, flags,
							     mask, ranges, count, &done, &status);

	return error || (status == 0 && done != count) ? CONFORM_FAULT : status;
}

#define EXPECT_STATUS(what, wanted, ...)                                                           \
	do {                                                                                       \
		const uint16_t status_ = flush(t, __VA_ARGS__);                                    \
		EXPECT(status_ == (wanted), "%s, %s: status 0x%x", what, conform_form_name(form),  \
			status_);                                                                  \
	} while (0)
#define EACH_FORM(form)                                                                            \
	for (enum conform_form form = FORM_SLOW; form < FORM_COUNT; form++)                        \
		if (conform_form_is_promised(t, form, true))

static enum conform_verdict works(struct conform_target *t, uint16_t count)
{
	const uint64_t ranges[] = {ADDRESS, (ADDRESS + 0x100000) | 7};

	RECOMMENDED;
	EACH_FORM(form)
	EXPECT_STATUS("all VPs", HV_STATUS_SUCCESS, form, ALL, 0, ranges, count);
	EACH_FORM(form)
	EXPECT_STATUS("this VP", HV_STATUS_SUCCESS, form, HV_FLUSH_ALL_ADDRESS_SPACES,
		conform_vp_bit(t, 0), ranges, count);
	EACH_FORM(form)
	EXPECT_STATUS("one address space", HV_STATUS_SUCCESS, form, 0, conform_vp_bit(t, 0), ranges,
		count);
	return CONFORM_PASS;
}

static enum conform_verdict spaces(struct conform_target *t)
{
	return works(t, 0);
}

static enum conform_verdict lists(struct conform_target *t)
{
	return works(t, 2);
}

static enum conform_verdict unknown_flags(struct conform_target *t)
{
	const uint64_t range = ADDRESS;

	RECOMMENDED;
	for (unsigned bit = 4; bit < 64; bit += 5)
		EACH_FORM(form)
		{
			EXPECT_STATUS("a space with an unknown flag", HV_STATUS_INVALID_PARAMETER,
				form, ALL | 1ull << bit, 0, NULL, 0);
			EXPECT_STATUS("a list with an unknown flag", HV_STATUS_INVALID_PARAMETER,
				form, ALL | 1ull << bit, 0, &range, 1);
		}
	return CONFORM_PASS;
}

static enum conform_verdict flag_4_on_list(struct conform_target *t)
{
	const uint64_t range = ADDRESS;

	RECOMMENDED;
	EACH_FORM(form)
	{
		EXPECT_STATUS("flag 4 on a space", HV_STATUS_SUCCESS, form,
			ALL | HV_FLUSH_NON_GLOBAL_ONLY, 0, NULL, 0);
		EXPECT_STATUS("flag 4 on a list", HV_STATUS_INVALID_PARAMETER, form,
			ALL | HV_FLUSH_NON_GLOBAL_ONLY, 0, &range, 1);
	}
	return CONFORM_PASS;
}

static enum conform_verdict flag_8_on_space(struct conform_target *t)
{
	RECOMMENDED;
	EACH_FORM(form)
	EXPECT_STATUS("flag 8 on a space", HV_STATUS_INVALID_PARAMETER, form,
		ALL | HV_FLUSH_EXTENDED_RANGE_FORMAT, 0, NULL, 0);
	return CONFORM_PASS;
}

static enum conform_verdict extended_ranges(struct conform_target *t)
{
	const uint64_t range = ADDRESS;

	RECOMMENDED;
	NEED(conform_has_feature(t, HV_FEATURE_EXTENDED_GVA_RANGES), "they are not promised");
	EACH_FORM(form)
	EXPECT_STATUS("extended ranges", HV_STATUS_SUCCESS, form,
		ALL | HV_FLUSH_EXTENDED_RANGE_FORMAT, 0, &range, 1);
	return CONFORM_PASS;
}

static enum conform_verdict extended_not_promised(struct conform_target *t)
{
	const uint64_t range = ADDRESS;

	RECOMMENDED;
	NEED(!conform_has_feature(t, HV_FEATURE_EXTENDED_GVA_RANGES), "they are promised");
	EACH_FORM(form)
	EXPECT_STATUS("extended ranges", HV_STATUS_INVALID_PARAMETER, form,
		ALL | HV_FLUSH_EXTENDED_RANGE_FORMAT, 0, &range, 1);
	return CONFORM_PASS;
}

static enum conform_verdict nowhere(struct conform_target *t)
{
	const uint64_t range = ADDRESS;

	RECOMMENDED;
	NEED(t->hv->vp_count < 32, "there are so many VPs");
	EACH_FORM(form)
	{
		EXPECT_STATUS("VPs that do not exist", HV_STATUS_SUCCESS, form, 0,
			0xffffffff00000000, NULL, 0);
		EXPECT_STATUS("VPs that do not exist, a list", HV_STATUS_SUCCESS, form, 0,
			0xffffffff00000000, &range, 1);
	}
	return CONFORM_PASS;
}

static enum conform_verdict odd_addresses(struct conform_target *t)
{
	static const uint64_t ranges[] = {0x0000800000000000, 0x8000000000000000,
		0xffff7ffffffff000, 0x0000010000000fff, 0xffffffffffffffff, 0};

	RECOMMENDED;
	EACH_FORM(form)
	EXPECT_STATUS("addresses outside of the space", HV_STATUS_SUCCESS, form, ALL, 0, ranges,
		sizeof ranges / sizeof ranges[0]);
	return CONFORM_PASS;
}

/* ---- as given -------------------------------------------------------------------------------- */

struct input {
	struct hv_flush_wire fixed;
	uint64_t ranges[8];
};
struct ex_input {
	struct hv_flush_ex_wire fixed;
	uint64_t words[8]; /* banks, then ranges */
};

/* In memory, `bytes` of it at `offset` in a page of two. */
static uint64_t raw(
	struct conform_target *t, uint64_t control, const void *input, size_t bytes, size_t offset)
{
	const struct winhv_pages pages = conform_pages(t, (size_t)2 * WINHV_PAGE_BYTES);

	if (pages.va == NULL)
		return CONFORM_FAULT;
	__builtin_memcpy(pages.va + offset, input, bytes);
	const uint64_t result = conform_call(t, control, pages.gpa + offset, 0, NULL);
	winhv_pages_free(t->hv, &pages);
	return result;
}

#define REPS(code, words, reps, start)                                                             \
	(hv_hypercall_input(code, words, reps) | (uint64_t)(start) << HV_HYPERCALL_REP_START_SHIFT)

static enum conform_verdict counts(struct conform_target *t)
{
	const struct input input = {.fixed = {.flags = ALL}, .ranges = {ADDRESS}};
	const struct ex_input ex = {
		.fixed = {.flags = ALL, .processors = {.format = HV_VP_SET_FORMAT_ALL}}};

	RECOMMENDED;
	for (uint16_t start = 0; start < 8; start++) {
		const uint64_t result = raw(t, REPS(LIST, 0, 8, start), &input, sizeof input, 0);
		EXPECT(result == hv_hypercall_result(HV_STATUS_SUCCESS, 8),
			"8 ranges from %u gave 0x%llx", start, (unsigned long long)result);
	}
	RECOMMENDED_EX;
	const uint64_t result = raw(t, REPS(LIST_EX, 0, 8, 3), &ex, sizeof ex, 0);
	EXPECT(result == hv_hypercall_result(HV_STATUS_SUCCESS, 8), "Ex: 8 ranges gave 0x%llx",
		(unsigned long long)result);
	return CONFORM_PASS;
}

static enum conform_verdict wrong_counts(struct conform_target *t)
{
	static const struct {
		uint16_t reps, start;
	} wrong[] = {{0, 0}, {1, 1}, {3, 3}, {3, 0xfff}, {0, 1}};
	const struct input input = {.fixed = {.flags = ALL}, .ranges = {ADDRESS}};

	RECOMMENDED;
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const uint16_t status = hv_hypercall_result_status(raw(
			t, REPS(LIST, 0, wrong[i].reps, wrong[i].start), &input, sizeof input, 0));
		EXPECT(status == HV_STATUS_INVALID_HYPERCALL_INPUT,
			"count %u, start %u gave status 0x%x", wrong[i].reps, wrong[i].start,
			status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict error_count(struct conform_target *t)
{
	const struct input input = {.fixed = {.flags = ALL | 1ull << 40}, .ranges = {ADDRESS}};

	RECOMMENDED;
	for (uint16_t start = 0; start < 8; start += 3) {
		const uint64_t result = raw(t, REPS(LIST, 0, 8, start), &input, sizeof input, 0);
		NEED(hv_hypercall_result_status(result) != 0,
			"there is no error: an unknown flag is taken");
		EXPECT(hv_hypercall_result_reps(result) <= start,
			"8 ranges from %u with an unknown flag gave 0x%llx", start,
			(unsigned long long)result);
	}
	return CONFORM_PASS;
}

/* 509 ranges fill a page: that is as many as there can be. */
static enum conform_verdict whole_page(struct conform_target *t)
{
	const struct winhv_pages pages = conform_pages(t, (size_t)2 * WINHV_PAGE_BYTES);
	const struct hv_flush_wire fixed = {.flags = ALL};
	const uint16_t most = (WINHV_PAGE_BYTES - sizeof fixed) / sizeof(uint64_t);

	RECOMMENDED;
	__builtin_memcpy(pages.va, &fixed, sizeof fixed);
	const uint64_t full = conform_call(t, REPS(LIST, 0, most, 0), pages.gpa, 0, NULL);
	EXPECT(full == hv_hypercall_result(HV_STATUS_SUCCESS, most), "%u ranges gave 0x%llx", most,
		(unsigned long long)full);
	const uint16_t over = conform_status(t, REPS(LIST, 0, most + 1, 0), pages.gpa, 0);
	EXPECT(over == HV_STATUS_INVALID_ALIGNMENT, "%u ranges gave status 0x%x", most + 1, over);
	return CONFORM_PASS;
}

static enum conform_verdict crossing(struct conform_target *t)
{
	const struct input input = {.fixed = {.flags = ALL}};
	const size_t last = WINHV_PAGE_BYTES - sizeof input;

	RECOMMENDED;
	EXPECT(raw(t, REPS(LIST, 0, 8, 0), &input, sizeof input, last) ==
			hv_hypercall_result(HV_STATUS_SUCCESS, 8),
		"a list that ends with its page is refused");
	for (size_t over = 8; over < sizeof input; over += 8) {
		const uint16_t status = hv_hypercall_result_status(
			raw(t, REPS(LIST, 0, 8, 0), &input, sizeof input, last + over));
		EXPECT(status == HV_STATUS_INVALID_ALIGNMENT,
			"a list with %u bytes in the next page gave status 0x%x", (unsigned)over,
			status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict bank_counts(struct conform_target *t)
{
	static const struct {
		uint64_t mask;
		uint16_t words;
	} wrong[] = {{1, 0}, {1, 2}, {3, 1}, {0, 1}, {0x8000000000000001, 1}};

	RECOMMENDED_EX;
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const struct ex_input input = {
			.fixed = {.flags = ALL, .processors = {.bank_mask = wrong[i].mask}}};
		const uint16_t space = hv_hypercall_result_status(
			raw(t, REPS(SPACE_EX, wrong[i].words, 0, 0), &input, sizeof input, 0));
		const uint16_t list = hv_hypercall_result_status(
			raw(t, REPS(LIST_EX, wrong[i].words, 1, 0), &input, sizeof input, 0));
		EXPECT(space == HV_STATUS_INVALID_HYPERCALL_INPUT &&
				list == HV_STATUS_INVALID_HYPERCALL_INPUT,
			"bank mask 0x%llx with %u words gave status 0x%x on a space, 0x%x on a "
			"list",
			(unsigned long long)wrong[i].mask, wrong[i].words, space, list);
	}
	return CONFORM_PASS;
}

static enum conform_verdict formats(struct conform_target *t)
{
	RECOMMENDED_EX;
	for (uint64_t format = 2; format != 0; format <<= 21) {
		const struct ex_input input = {.fixed = {.flags = HV_FLUSH_ALL_ADDRESS_SPACES,
						       .processors = {.format = format}}};
		const uint16_t status = hv_hypercall_result_status(
			raw(t, REPS(SPACE_EX, 0, 0, 0), &input, sizeof input, 0));
		EXPECT(status == HV_STATUS_INVALID_PARAMETER, "format 0x%llx gave status 0x%x",
			(unsigned long long)format, status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict shape(struct conform_target *t)
{
	const struct input input = {.fixed = {.flags = ALL}};

	RECOMMENDED;
	const uint16_t reps = hv_hypercall_result_status(
		raw(t, REPS(SPACE, 0, 1, 0), &input, sizeof input, 0));
	EXPECT(reps == HV_STATUS_INVALID_HYPERCALL_INPUT, "a space with a count gave status 0x%x",
		reps);
	const uint16_t words = hv_hypercall_result_status(
		raw(t, REPS(SPACE, 1, 0, 0), &input, sizeof input, 0));
	EXPECT(words == HV_STATUS_INVALID_HYPERCALL_INPUT,
		"a variable header without a set gave status 0x%x", words);
	return CONFORM_PASS;
}

/* ---- in registers ---------------------------------------------------------------------------- */

static enum conform_verdict in_registers(struct conform_target *t)
{
	struct winhv_xmm xmm = {{0}}; /* its first half: the mask */

	RECOMMENDED;
	const uint16_t status = hv_hypercall_result_status(
		conform_call(t, hv_hypercall_input(SPACE, 0, 0) | HV_HYPERCALL_FAST, 0, ALL, &xmm));
	if (conform_has_feature(t, HV_FEATURE_XMM_HYPERCALL_INPUT))
		EXPECT(status == 0, "XMM input is promised, and gave status 0x%x", status);
	else
		EXPECT(status == CONFORM_FAULT, "XMM input is not promised, and gave status 0x%x",
			status);
	return CONFORM_PASS;
}

/* Two registers and six of XMM: 112 bytes, 11 ranges behind the header, and not 12. */
static enum conform_verdict most_in_registers(struct conform_target *t)
{
	struct winhv_xmm xmm = {{0}};
	const uint64_t fast = HV_HYPERCALL_FAST;

	RECOMMENDED;
	NEED(conform_has_feature(t, HV_FEATURE_XMM_HYPERCALL_INPUT), "XMM input is not promised");
	const uint64_t most = conform_call(t, REPS(LIST, 0, 11, 0) | fast, 0, ALL, &xmm);
	EXPECT(most == hv_hypercall_result(HV_STATUS_SUCCESS, 11), "11 ranges gave 0x%llx",
		(unsigned long long)most);
	const uint16_t over = hv_hypercall_result_status(
		conform_call(t, REPS(LIST, 0, 12, 0) | fast, 0, ALL, &xmm));
	EXPECT(over == HV_STATUS_INVALID_HYPERCALL_INPUT || over == CONFORM_FAULT,
		"12 ranges gave status 0x%x", over);
	return CONFORM_PASS;
}

/* ---- whether translations go ------------------------------------------------------------------
 */

/* The target reads again and again, and says what it sees. */
struct watch {
	const volatile uint8_t *at;
	uint32_t is_running, is_stopped;
	uint8_t seen;
	uint64_t looks;
};

static void watch(void *ctx)
{
	struct watch *watch = ctx;

	__atomic_store_n(&watch->is_running, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&watch->is_stopped, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&watch->seen, *watch->at, __ATOMIC_RELEASE);
		__atomic_fetch_add(&watch->looks, 1, __ATOMIC_SEQ_CST);
	}
}

/* What it sees in a look that began after now; 0 if it does not look. */
static uint8_t look_there(struct conform_target *t, struct watch *watch)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	const uint64_t wanted = __atomic_load_n(&watch->looks, __ATOMIC_SEQ_CST) + 2;

	while (__atomic_load_n(&watch->looks, __ATOMIC_SEQ_CST) < wanted)
		if (conform_now(t) >= deadline)
			return 0;
	return __atomic_load_n(&watch->seen, __ATOMIC_ACQUIRE);
}

static bool goes(struct conform_target *t, enum conform_form form, struct watch *watch,
	const struct winhv_pages *pages, uint64_t flags, uint64_t mask, uint16_t count)
{
	const uint64_t address = (uintptr_t)watch->at & ~0xfffull;
	const uint64_t ranges[] = {address + 0x100000, address};

	for (unsigned i = 0; i < ROUNDS; i++) {
		const unsigned which = i % 2;
		(void)look_there(t, watch);
		t->machine->window_change(pages->gpa + which * WINHV_PAGE_BYTES);
		const uint16_t status = flush(t, form, flags, mask, ranges, count);
		const uint8_t seen = look_there(t, watch);
		if (status != 0)
			return conform_no(t, "%s: status 0x%x", conform_form_name(form), status);
		if (seen != which + 1)
			return conform_no(t, "%s, round %u: page %u is seen, not %u",
				conform_form_name(form), i, seen, which + 1);
	}
	return true;
}

/*
 * All VPs are told of in the set as well as by the flag. Beside another set KVM ignores the flag
 * (R-HCALL-036); but where a VP that leaves its processor drops its translations anyway, as in a
 * machine in a machine, that is seen now and then only.
 */
static bool goes_in_each_form(struct conform_target *t, struct watch *watch,
	const struct winhv_pages *pages, uint64_t mask, uint16_t count)
{
	const uint64_t spaces = HV_FLUSH_ALL_ADDRESS_SPACES;

	EACH_FORM(form)
	if (!goes(t, form, watch, pages, spaces, mask, count) ||
		!goes(t, form, watch, pages, ALL, EVERY_VP, count))
		return false;
	return true;
}

/* Of the last VP, named or, in the calls with a mask, by naming none. */
static enum conform_verdict elsewhere(struct conform_target *t, uint16_t count, bool is_named)
{
	const uint32_t vp = t->hv->vp_count - 1;

	RECOMMENDED;
	NEED(t->machine, "only bare metal runs on a certain VP");
	const struct winhv_pages pages = conform_pages(t, (size_t)2 * WINHV_PAGE_BYTES);
	const uint64_t bit = conform_vp_bit(t, vp);
	pages.va[0] = 1;
	pages.va[WINHV_PAGE_BYTES] = 2;
	struct watch watching = {.at = t->machine->window(pages.gpa)};
	t->machine->begin(vp, watch, &watching);
	while (!__atomic_load_n(&watching.is_running, __ATOMIC_ACQUIRE))
		;
	const bool is_right = is_named ? goes_in_each_form(t, &watching, &pages, bit, count)
				       : goes(t, FORM_SLOW, &watching, &pages,
						 HV_FLUSH_ALL_ADDRESS_SPACES, 0, count);
	__atomic_store_n(&watching.is_stopped, 1, __ATOMIC_RELEASE);
	t->machine->end(vp);
	return is_right ? CONFORM_PASS : CONFORM_FAIL;
}

static enum conform_verdict elsewhere_space(struct conform_target *t)
{
	return elsewhere(t, 0, true);
}

static enum conform_verdict elsewhere_list(struct conform_target *t)
{
	return elsewhere(t, 2, true);
}

static enum conform_verdict elsewhere_empty(struct conform_target *t)
{
	return elsewhere(t, 0, false);
}

static enum conform_verdict own(struct conform_target *t)
{
	RECOMMENDED;
	NEED(t->machine, "only bare metal changes its page tables");
	const struct winhv_pages pages = conform_pages(t, (size_t)2 * WINHV_PAGE_BYTES);
	const volatile uint8_t *at = t->machine->window(pages.gpa);
	const uint64_t range = (uintptr_t)at, bit = conform_vp_bit(t, 0);
	pages.va[0] = 1;
	pages.va[WINHV_PAGE_BYTES] = 2;
	for (uint16_t count = 0; count < 2; count++)
		EACH_FORM(form)
	for (unsigned i = 0; i < ROUNDS; i++) {
		(void)*at;
		t->machine->window_change(pages.gpa + i % 2 * WINHV_PAGE_BYTES);
		EXPECT_STATUS("this VP", 0, form, HV_FLUSH_ALL_ADDRESS_SPACES, bit, &range, count);
		EXPECT(*at == i % 2 + 1, "%s, round %u: page %u is seen", conform_form_name(form),
			i, *at);
	}
	return CONFORM_PASS;
}

#define H CONFORM_HYPERCALLS
const struct conform_test conform_flush_tests[] = {
	{"R-CPUID-013", "flushes of spaces succeed, in every form", spaces, H, 0, 0},
	{"R-CPUID-013", "flushes of lists likewise", lists, H, 0, 0},
	{"R-CPUID-018", "fast flushes work with XMM, and fault without", in_registers, H, 0, 0},
	{"R-CPUID-018", "a list in registers has up to 112 bytes", most_in_registers, H, 0, 0},
	{"R-CPUID-020", "extended ranges are taken", extended_ranges, H, 0, 0},
	{"R-CPUID-020", "extended ranges that are not promised are refused", extended_not_promised,
		H, 0, 0},
	{"R-HCALL-003", "count 0, or a start not below it, is refused", wrong_counts, H, 0, 0},
	{"R-HCALL-004", "a space has no count and no variable header", shape, H, 0, 0},
	{"R-HCALL-008", "a list across pages is refused", crossing, H, 0, 0},
	{"R-HCALL-008", "a list may fill its page", whole_page, H, 0, 0},
	{"R-HCALL-013", "the completed count is the count, from any start", counts, H, 0, 0},
	{"R-HCALL-016", "stale translations of another VP go", elsewhere_space, H | CONFORM_VP_1, 0,
		0},
	{"R-HCALL-016", "... by lists", elsewhere_list, H | CONFORM_VP_1, 0, 0},
	{"R-HCALL-016", "stale translations of this VP go", own, H, 0, 0},
	{"R-HCALL-017", "addresses outside of the space are ignored", odd_addresses, H, 0, 0},
	{"R-HCALL-018", "unknown flags are refused", unknown_flags, H, 0, 0},
	{"R-HCALL-019", "the words of a flush's set are as many as its banks", bank_counts, H, 0,
		0},
	{"R-HCALL-024", "a flush ignores VPs that do not exist", nowhere, H, 0, 0},
	{"R-HCALL-025", "a flush refuses formats other than 0 and 1", formats, H, 0, 0},
	{"R-HCALL-026", "a flush with an empty mask is of all VPs", elsewhere_empty,
		H | CONFORM_VP_1, 0, 0},
	{"R-HCALL-027", "flag 4 is refused on a list", flag_4_on_list, H, 0, 0},
	{"R-HCALL-027", "flag 8 is refused on a space", flag_8_on_space, H, 0, 0},
	{"R-HCALL-029", "on an error nothing past the start is counted", error_count, H, 0, 0},
};
const size_t conform_flush_test_count = sizeof conform_flush_tests / sizeof conform_flush_tests[0];
