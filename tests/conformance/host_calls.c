// SPDX-License-Identifier: Apache-2.0
/*
 * Calls with output and lists: registers of VPs, APIC ids, debug data. With them the forms that
 * no other call shows: addresses of output, errors in the middle of a list.
 */
#include "guest/winhv/calls.h"
#include "tests/conformance/conform_areas.h"

#define GET(reps)    hv_hypercall_input(HV_CALL_GET_VP_REGISTERS, 0, reps)
#define SET(reps)    hv_hypercall_input(HV_CALL_SET_VP_REGISTERS, 0, reps)
#define START(n)     ((uint64_t)(n) << HV_HYPERCALL_REP_START_SHIFT)
#define NO_REGISTER  0x7fffffffu
#define CR0_PE_PG    0x80000001u
#define UNTOUCHED    0x5au
#define APIC_IDS_MAX 256u

/* An input page and an output page, and a page behind them. */
struct pages {
	struct winhv_pages all;
	uint8_t *input, *output;
	uint64_t input_gpa, output_gpa;
};

static struct pages pages_make(struct conform_target *t)
{
	struct pages pages = {.all = conform_pages(t, (size_t)3 * WINHV_PAGE_BYTES)};

	pages.input = pages.all.va;
	pages.input_gpa = pages.all.gpa;
	pages.output = pages.input + WINHV_PAGE_BYTES;
	pages.output_gpa = pages.input_gpa + WINHV_PAGE_BYTES;
	__builtin_memset(pages.output, UNTOUCHED, (size_t)2 * WINHV_PAGE_BYTES);
	return pages;
}

static void header_put(uint8_t *at, uint32_t vp)
{
	const struct hv_vp_registers_header_wire header = {
		.partition_id = HV_PARTITION_ID_SELF, .vp_index = vp};

	__builtin_memcpy(at, &header, sizeof header);
}

static void names_put(uint8_t *at, uint32_t vp, const uint32_t *names, unsigned count)
{
	header_put(at, vp);
	__builtin_memcpy(
		at + sizeof(struct hv_vp_registers_header_wire), names, count * sizeof *names);
}

/* Did the call end with this status, after so many elements? */
static bool ends(
	struct conform_target *t, const char *what, uint64_t result, uint16_t status, unsigned reps)
{
	return (hv_hypercall_result_status(result) == status &&
		       hv_hypercall_result_reps(result) == reps) ||
	       conform_no(t, "%s gave status 0x%x after %u elements, not 0x%x after %u", what,
		       hv_hypercall_result_status(result), hv_hypercall_result_reps(result), status,
		       reps);
}

static bool is_value(struct conform_target *t, const uint8_t *output, unsigned n, uint64_t low)
{
	struct hv_register_value_wire value;

	__builtin_memcpy(&value, output + n * sizeof value, sizeof value);
	return (value.low == low && value.high == 0) ||
	       conform_no(t, "value %u is 0x%llx 0x%llx, not 0x%llx", n,
		       (unsigned long long)value.low, (unsigned long long)value.high,
		       (unsigned long long)low);
}

static bool is_untouched(
	struct conform_target *t, const uint8_t *output, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		if (output[i] != UNTOUCHED)
			return conform_no(t, "byte %u of the output was written", i);
	return true;
}

static const uint32_t four[] = {HV_REGISTER_GUEST_OS_ID, HV_REGISTER_VP_INDEX,
	HV_REGISTER_GUEST_OS_ID, HV_REGISTER_VP_INDEX};

/* ---- lists --------------------------------------------------------------------------------- */

static enum conform_verdict whole_list(struct conform_target *t)
{
	const struct pages pages = pages_make(t);
	uint64_t index;

	EXPECT(conform_read(t, 0, HV_X64_MSR_VP_INDEX, &index), "VP_INDEX faults");
	names_put(pages.input, HV_VP_INDEX_SELF, four, 4);
	TRY(ends(t, "a list of 4", conform_call(t, GET(4), pages.input_gpa, pages.output_gpa, NULL),
		0, 4));
	for (unsigned n = 0; n < 4; n++)
		TRY(is_value(t, pages.output, n, n % 2 ? index : CONFORM_OS_ID));
	TRY(is_untouched(t, pages.output, 64, 2 * WINHV_PAGE_BYTES));
	return CONFORM_PASS;
}

static enum conform_verdict later_start(struct conform_target *t)
{
	const struct pages pages = pages_make(t);

	names_put(pages.input, HV_VP_INDEX_SELF, four, 4);
	TRY(ends(t, "4 elements, from element 2",
		conform_call(t, GET(4) | START(2), pages.input_gpa, pages.output_gpa, NULL), 0, 4));
	TRY(is_untouched(t, pages.output, 0, 32));
	TRY(is_value(t, pages.output, 2, CONFORM_OS_ID));
	return CONFORM_PASS;
}

static enum conform_verdict error_in_list(struct conform_target *t)
{
	for (unsigned bad = 0; bad < 4; bad++) {
		const struct pages pages = pages_make(t);
		uint32_t names[4];
		__builtin_memcpy(names, four, sizeof names);
		names[bad] = NO_REGISTER;
		names_put(pages.input, HV_VP_INDEX_SELF, names, 4);
		const uint64_t result = conform_call(
			t, GET(4), pages.input_gpa, pages.output_gpa, NULL);
		const uint16_t status = hv_hypercall_result_status(result);
		EXPECT(status != 0 && status != CONFORM_FAULT, "register 0x%x gave status 0x%x",
			NO_REGISTER, status);
		TRY(ends(t, "an unknown register", result, status, bad));
		for (unsigned n = 0; n < bad; n += 2)
			TRY(is_value(t, pages.output, n, CONFORM_OS_ID));
		winhv_pages_free(t->hv, &pages.all);
	}
	return CONFORM_PASS;
}

static enum conform_verdict error_from_start(struct conform_target *t)
{
	const struct pages pages = pages_make(t);
	const uint32_t names[4] = {
		HV_REGISTER_VP_INDEX, HV_REGISTER_VP_INDEX, HV_REGISTER_GUEST_OS_ID, NO_REGISTER};

	names_put(pages.input, HV_VP_INDEX_SELF, names, 4);
	const uint64_t result = conform_call(
		t, GET(4) | START(2), pages.input_gpa, pages.output_gpa, NULL);
	EXPECT(hv_hypercall_result_status(result) != 0, "an unknown register gave status 0");
	TRY(ends(t, "element 3, from 2", result, hv_hypercall_result_status(result), 3));
	TRY(is_value(t, pages.output, 2, CONFORM_OS_ID));
	return CONFORM_PASS;
}

/* SINT 5 and 7 are written, what is between is no register. */
static enum conform_verdict effect_before_error(struct conform_target *t)
{
	const struct pages pages = pages_make(t);
	const uint64_t value = HV_SINT_MASKED | 0x55;
	uint64_t before, after;
	const struct hv_set_register_wire list[3] = {
		{.name = HV_REGISTER_SINT0 + 5, .value.low = value},
		{.name = NO_REGISTER, .value.low = value},
		{.name = HV_REGISTER_SINT0 + 7, .value.low = value},
	};

	EXPECT(conform_read(t, 0, HV_X64_MSR_SINT0 + 7, &before), "SINT7 faults");
	/* A write by MSR: a target that stays puts it back. */
	EXPECT(conform_write(t, 0, HV_X64_MSR_SINT0 + 5, HV_SINT_RESET), "SINT5 faults");
	header_put(pages.input, HV_VP_INDEX_SELF);
	__builtin_memcpy(
		pages.input + sizeof(struct hv_vp_registers_header_wire), list, sizeof list);
	const uint64_t result = conform_call(t, SET(3), pages.input_gpa, 0, NULL);
	EXPECT(hv_hypercall_result_status(result) != 0, "an unknown register gave status 0");
	TRY(ends(t, "a write of an unknown register", result, hv_hypercall_result_status(result),
		1));
	EXPECT(conform_read(t, 0, HV_X64_MSR_SINT0 + 5, &after) && after == value,
		"SINT5, before the error, reads 0x%llx", (unsigned long long)after);
	EXPECT(conform_read(t, 0, HV_X64_MSR_SINT0 + 7, &after) && after == before,
		"SINT7, behind the error, reads 0x%llx", (unsigned long long)after);
	return CONFORM_PASS;
}

static enum conform_verdict counts(struct conform_target *t)
{
	const uint64_t wrong[] = {GET(0), GET(2) | START(2), GET(2) | START(3),
		GET(4) | START(0xfff), GET(0) | START(1)};
	const struct pages pages = pages_make(t);

	names_put(pages.input, HV_VP_INDEX_SELF, four, 4);
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const uint16_t status = conform_status(
			t, wrong[i], pages.input_gpa, pages.output_gpa);
		EXPECT(status == HV_STATUS_INVALID_HYPERCALL_INPUT,
			"control 0x%llx gave status 0x%x", (unsigned long long)wrong[i], status);
	}
	TRY(is_untouched(t, pages.output, 0, WINHV_PAGE_BYTES));
	return CONFORM_PASS;
}

static enum conform_verdict list_header(struct conform_target *t)
{
	const struct pages pages = pages_make(t);

	names_put(pages.input, HV_VP_INDEX_SELF, four, 4);
	const uint16_t status = conform_status(t,
		hv_hypercall_input(HV_CALL_GET_VP_REGISTERS, 1, 2), pages.input_gpa,
		pages.output_gpa);
	EXPECT(status == HV_STATUS_INVALID_HYPERCALL_INPUT, "status 0x%x", status);
	return CONFORM_PASS;
}

/* ---- addresses ----------------------------------------------------------------------------- */

static bool refused(struct conform_target *t, const char *what, unsigned at, uint64_t control,
	uint64_t input, uint64_t output)
{
	const uint16_t status = conform_status(t, control, input, output);

	return status == HV_STATUS_INVALID_ALIGNMENT ||
	       conform_no(t, "%s %u gave status 0x%x", what, at, status);
}

static enum conform_verdict output_alignment(struct conform_target *t)
{
	const struct pages pages = pages_make(t);

	names_put(pages.input, HV_VP_INDEX_SELF, four, 4);
	for (unsigned offset = 1; offset < 8; offset++)
		TRY(refused(t, "output at offset", offset, GET(1), pages.input_gpa,
			pages.output_gpa + offset));
	TRY(is_untouched(t, pages.output, 0, WINHV_PAGE_BYTES));
	return CONFORM_PASS;
}

static enum conform_verdict output_crossing(struct conform_target *t)
{
	const struct pages pages = pages_make(t);

	names_put(pages.input, HV_VP_INDEX_SELF, four, 4);
	for (unsigned over = 8; over < 64; over += 8)
		TRY(refused(t, "output, over the end of a page by", over, GET(4), pages.input_gpa,
			pages.output_gpa + WINHV_PAGE_BYTES - 64 + over));
	TRY(is_untouched(t, pages.output, 0, 2 * WINHV_PAGE_BYTES));
	TRY(ends(t, "output that ends with its page",
		conform_call(
			t, GET(4), pages.input_gpa, pages.output_gpa + WINHV_PAGE_BYTES - 64, NULL),
		0, 4));
	return CONFORM_PASS;
}

/* The header fits, the list does not. */
static enum conform_verdict list_crossing(struct conform_target *t)
{
	const struct pages pages = pages_make(t);
	const unsigned fits = WINHV_PAGE_BYTES - 24; /* header and two names */

	names_put(pages.input + fits, HV_VP_INDEX_SELF, four, 2);
	TRY(ends(t, "a list that ends with its page",
		conform_call(t, GET(2), pages.input_gpa + fits, pages.output_gpa + WINHV_PAGE_BYTES,
			NULL),
		0, 2));
	TRY(refused(t, "a list, over the end of its page by", 4, GET(3), pages.input_gpa + fits,
		pages.output_gpa + WINHV_PAGE_BYTES));
	/* Also where it starts with what is still in the page. */
	TRY(refused(t, "a list of", 4095, GET(0xfff), pages.input_gpa,
		pages.output_gpa + WINHV_PAGE_BYTES));
	return CONFORM_PASS;
}

static enum conform_verdict output_outside(struct conform_target *t)
{
	static const uint64_t addresses[] = {1ull << 40, 1ull << 51, 0xfffffffffffff000};
	const struct pages pages = pages_make(t);

	names_put(pages.input, HV_VP_INDEX_SELF, four, 1);
	for (unsigned i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
		TRY(refused(t, "output outside of memory, number", i, GET(1), pages.input_gpa,
			addresses[i]));
	return CONFORM_PASS;
}

static enum conform_verdict set_ignores_output(struct conform_target *t)
{
	const struct pages pages = pages_make(t);
	const struct hv_set_register_wire set = {.name = HV_REGISTER_EOM};

	header_put(pages.input, HV_VP_INDEX_SELF);
	__builtin_memcpy(
		pages.input + sizeof(struct hv_vp_registers_header_wire), &set, sizeof set);
	TRY(ends(t, "SetVpRegisters with an output address of 3",
		conform_call(t, SET(1), pages.input_gpa, 3, NULL), 0, 1));
	return CONFORM_PASS;
}

/* ---- whose registers ----------------------------------------------------------------------- */

static uint16_t get_one(struct conform_target *t, uint32_t vp, uint32_t name, uint64_t *value)
{
	struct hv_register_value_wire wire = {0};
	uint16_t done = 0, status = CONFORM_FAULT;

	if (winhv_registers_get(t->hv, vp, &name, 1, &wire, &done, &status) != 0)
		return CONFORM_FAULT;
	*value = wire.low;
	return status;
}

static enum conform_verdict own_processor(struct conform_target *t)
{
	uint64_t value = 0;

	NEED(t->machine != NULL, "a process has no processor of its own");
	const uint16_t status = get_one(t, HV_VP_INDEX_SELF, HV_X64_REGISTER_CR0, &value);
	EXPECT(status == 0, "CR0 of the calling VP gave status 0x%x", status);
	EXPECT((value & CR0_PE_PG) == CR0_PE_PG, "CR0 reads 0x%llx", (unsigned long long)value);
	return CONFORM_PASS;
}

static enum conform_verdict others_processor(struct conform_target *t)
{
	static const uint32_t names[] = {HV_X64_REGISTER_RAX, HV_X64_REGISTER_RIP,
		HV_X64_REGISTER_CR0, HV_X64_REGISTER_CR3, HV_X64_REGISTER_XMM0};
	uint64_t other, value;

	NEED(t->machine != NULL, "a process has no processor of its own");
	EXPECT(conform_read(t, 1, HV_X64_MSR_VP_INDEX, &other), "VP_INDEX faults");
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		const uint16_t status = get_one(t, (uint32_t)other, names[i], &value);
		EXPECT(status == HV_STATUS_INVALID_VP_STATE,
			"reading register 0x%x of another VP gave status 0x%x", names[i], status);
		const struct hv_set_register_wire set = {.name = names[i]};
		uint16_t done, set_status = CONFORM_FAULT;
		(void)winhv_registers_set(t->hv, (uint32_t)other, &set, 1, &done, &set_status);
		EXPECT(set_status == HV_STATUS_INVALID_VP_STATE,
			"writing register 0x%x of another VP gave status 0x%x", names[i],
			set_status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict no_vp(struct conform_target *t)
{
	static const uint32_t vps[] = {0xffff, 0x7fffffff, 0xfffffffd};
	uint64_t value;

	for (unsigned i = 0; i < sizeof vps / sizeof vps[0]; i++) {
		const uint16_t status = get_one(t, vps[i], HV_REGISTER_VP_INDEX, &value);
		EXPECT(status == HV_STATUS_INVALID_VP_INDEX, "VP 0x%x gave status 0x%x", vps[i],
			status);
	}
	return CONFORM_PASS;
}

/* ---- APIC ids ------------------------------------------------------------------------------ */

static enum conform_verdict apic_ids(struct conform_target *t)
{
	uint32_t found = 0;
	uint64_t seen = 0;

	for (uint32_t id = 0; id < APIC_IDS_MAX; id++) {
		uint32_t vp = UINT32_MAX;
		uint16_t done = 0, status = CONFORM_FAULT;
		(void)winhv_vp_index_from_apic_id(t->hv, &id, 1, &vp, &done, &status);
		NEED(id > 0 || (status != HV_STATUS_INVALID_HYPERCALL_CODE &&
				       status != HV_STATUS_ACCESS_DENIED),
			"HvCallGetVpIndexFromApicId is not offered (status 0x%x)", status);
		EXPECT(status == HV_STATUS_INVALID_PARAMETER || (status == 0 && done == 1),
			"APIC id %u gave status 0x%x", id, status);
		if (status != 0)
			continue;
		EXPECT(vp < 64 && !(seen >> vp & 1), "APIC id %u is said to be VP %u's", id, vp);
		seen |= 1ull << vp;
		found++;
	}
	EXPECT(found >= t->hv->vp_count, "%u of %u VPs have an APIC id below 256", found,
		t->hv->vp_count);
	return CONFORM_PASS;
}

static enum conform_verdict no_apic_id(struct conform_target *t)
{
	static const uint32_t nobody[] = {0xfffffffe, 0xffffffff, 0x7fffffff, 0x00ffff00};

	for (unsigned i = 0; i < sizeof nobody / sizeof nobody[0]; i++) {
		uint32_t vp;
		uint16_t done = 0, status = CONFORM_FAULT;
		(void)winhv_vp_index_from_apic_id(t->hv, &nobody[i], 1, &vp, &done, &status);
		NEED(status != HV_STATUS_INVALID_HYPERCALL_CODE &&
				status != HV_STATUS_ACCESS_DENIED,
			"HvCallGetVpIndexFromApicId is not offered (status 0x%x)", status);
		EXPECT(status == HV_STATUS_INVALID_PARAMETER && done == 0,
			"APIC id 0x%x gave status 0x%x, %u done", nobody[i], status, done);
	}
	return CONFORM_PASS;
}

/* ---- debug data ---------------------------------------------------------------------------- */

#define POST hv_hypercall_input(HV_CALL_POST_DEBUG_DATA, 0, 0)

static uint16_t debug_post(
	struct conform_target *t, const struct pages *pages, unsigned at, uint32_t count)
{
	const struct hv_post_debug_data_wire header = {.count = count};

	__builtin_memset(pages->input, ' ', WINHV_PAGE_BYTES);
	__builtin_memcpy(pages->input + at, &header, sizeof header);
	return conform_status(t, POST, pages->input_gpa + at, pages->output_gpa);
}

static enum conform_verdict debug_leaves_page(struct conform_target *t)
{
	static const struct {
		unsigned at;
		uint32_t count;
	} wrong[] = {{0, WINHV_DEBUG_DATA_MAX + 1}, {0, 4096}, {0, 0x80000000}, {0, 0xffffffff},
		{WINHV_PAGE_BYTES - 8, 1}, {WINHV_PAGE_BYTES - 16, 9}, {2048, 2041}};
	const struct pages pages = pages_make(t);

	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const uint16_t status = debug_post(t, &pages, wrong[i].at, wrong[i].count);
		EXPECT(status == HV_STATUS_INVALID_ALIGNMENT, "%u bytes at %u gave status 0x%x",
			wrong[i].count, wrong[i].at + 8, status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict debug_counts(struct conform_target *t)
{
	static const struct {
		unsigned at;
		uint32_t count;
	} fits[] = {{0, 0}, {0, 1}, {WINHV_PAGE_BYTES - 8, 0}, {WINHV_PAGE_BYTES - 16, 8},
		{0, WINHV_DEBUG_DATA_MAX}};
	const struct pages pages = pages_make(t);

	for (unsigned i = 0; i < sizeof fits / sizeof fits[0]; i++) {
		uint32_t pending;
		const uint16_t status = debug_post(t, &pages, fits[i].at, fits[i].count);
		__builtin_memcpy(&pending, pages.output, sizeof pending);
		EXPECT(status == 0 ||
				(status == HV_STATUS_INSUFFICIENT_BUFFERS && fits[i].count > 0),
			"%u bytes gave status 0x%x", fits[i].count, status);
		EXPECT(status != 0 || pending == 0 || pending < fits[i].count,
			"of %u bytes, 0x%x were not taken, says the host", fits[i].count, pending);
	}
	TRY(is_untouched(t, pages.output, sizeof(uint32_t), WINHV_PAGE_BYTES));
	return CONFORM_PASS;
}

static enum conform_verdict debug_no_data(struct conform_target *t)
{
	const struct pages pages = pages_make(t);
	const struct hv_retrieve_debug_data_wire retrieve = {.count = 64};

	__builtin_memcpy(pages.input, &retrieve, sizeof retrieve);
	const uint16_t status = conform_status(t,
		hv_hypercall_input(HV_CALL_RETRIEVE_DEBUG_DATA, 0, 0), pages.input_gpa,
		pages.output_gpa);
	EXPECT(status == HV_STATUS_NO_DATA, "status 0x%x", status);
	return CONFORM_PASS;
}

static enum conform_verdict debug_not_fast(struct conform_target *t)
{
	static const uint16_t codes[] = {HV_CALL_POST_DEBUG_DATA, HV_CALL_RETRIEVE_DEBUG_DATA};

	for (unsigned i = 0; i < 2; i++) {
		const uint16_t status = conform_status(
			t, hv_hypercall_input(codes[i], 0, 0) | HV_HYPERCALL_FAST, 0, 0);
		EXPECT(status == HV_STATUS_INVALID_HYPERCALL_INPUT || status == CONFORM_FAULT,
			"%s as a fast call gave status 0x%x", hv_call_name(codes[i]), status);
	}
	return CONFORM_PASS;
}

/* ---- the rows ------------------------------------------------------------------------------ */

/* clang-format off */
#define H	  CONFORM_HYPERCALLS
#define REGISTERS HV_PRIVILEGE_ACCESS_VP_REGISTERS
#define DEBUG	  HV_PRIVILEGE_DEBUGGING

const struct conform_test conform_calls_tests[] = {
	{"R-HCALL-003", "a list: count 0, or a start not below it, gives 3", counts, H, REGISTERS, 0},
	{"R-HCALL-005", "a list without variable header has none", list_header, H, REGISTERS, 0},
	{"R-HCALL-007", "unaligned output gives 4", output_alignment, H, REGISTERS, 0},
	{"R-HCALL-008", "output across a page gives 4", output_crossing, H, REGISTERS, 0},
	{"R-HCALL-008", "a list across a page gives 4", list_crossing, H, REGISTERS, 0},
	{"R-HCALL-009", "output outside of memory gives 4", output_outside, H, REGISTERS, 0},
	{"R-HCALL-010", "a list without output ignores its address", set_ignores_output, H,
		REGISTERS | HV_PRIVILEGE_ACCESS_SYNIC, 0},
	{"R-HCALL-012", "debug calls that cannot be fast are refused so", debug_not_fast, H, DEBUG, 0},
	{"R-HCALL-013", "a list has its output, in order", whole_list, H, REGISTERS, 0},
	{"R-HCALL-013", "from a later start, elements are counted from the first", later_start, H,
		REGISTERS, 0},
	{"R-HCALL-014", "an error says at which element it was", error_in_list, H, REGISTERS, 0},
	{"R-HCALL-014", "also from a later start", error_from_start, H, REGISTERS, 0},
	{"R-HCALL-014", "elements before the error have taken effect, no others", effect_before_error,
		H, REGISTERS | HV_PRIVILEGE_ACCESS_SYNIC, 0},
	{"R-HCALL-030", "registers of the calling VP's processor can be read", own_processor, H,
		REGISTERS, 0},
	{"R-HCALL-030", "those of another VP's processor give 0x15", others_processor,
		H | CONFORM_VP_1, REGISTERS, 0},
	{"R-HCALL-030", "a VP that does not exist gives 0xe", no_vp, H, REGISTERS, 0},
	{"R-HCALL-031", "an APIC id that no VP has gives 5", no_apic_id, H, 0, 0},
	{"R-HCALL-031", "each VP has its APIC id", apic_ids, H, 0, 0},
	{"R-HCALL-032", "debug data that leave their page give 4", debug_leaves_page, H, DEBUG, 0},
	{"R-HCALL-032", "debug data are taken, or counted", debug_counts, H, DEBUG, 0},
	{"R-HCALL-033", "there are no debug data for the guest", debug_no_data, H, DEBUG, 0},
};
/* clang-format on */
const size_t conform_calls_test_count = sizeof conform_calls_tests / sizeof conform_calls_tests[0];
