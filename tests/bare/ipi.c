// SPDX-License-Identifier: Apache-2.0
/*
 * Hypercalls that act on other VPs: interrupts to every set of VPs in every form, and TLB
 * flushes that really make stale translations go: a page is read through a mapping on
 * one VP, the mapping is changed by another, and the first reads again after the flush.
 */
#include "tests/bare/bare_test.h"

#define VECTOR	0xe3u
#define WINDOW	(BARE_WINDOW + 0x10000000ull)
#define ROUNDS	8u
#define VPS_MAX 8u

enum form { SLOW, FAST, EX_SLOW, EX_FAST, FORMS };
static const char *const form_names[FORMS] = {"slow", "fast", "Ex slow", "Ex fast"};

static bool form_is_offered(enum form form, bool is_flush)
{
	if ((form == EX_SLOW || form == EX_FAST) &&
		!test_is_recommended(HV_RECOMMEND_EX_PROCESSOR_MASKS))
		return false;
	/* The flushes, and Ex with a bank, do not fit into two registers. */
	return !((form == FAST && is_flush) || form == EX_FAST) ||
	       test_has_feature(HV_FEATURE_XMM_HYPERCALL_INPUT);
}

static struct winhv_vp_set set_of(uint64_t mask, bool is_all)
{
	struct winhv_vp_set set = {.is_all = is_all};

	for (uint32_t vp = 0; vp < 64; vp++)
		if (mask >> vp & 1)
			winhv_vp_set_add(&set, vp);
	return set;
}

/* VP indices of the hypervisor: those of bare are the order of the MADT. */
static uint32_t vp_index[BARE_VPS_MAX];

static void index_read(void *ctx)
{
	uint64_t value = bare_vp()->index;

	(void)ctx;
	(void)test_read(HV_X64_MSR_VP_INDEX, &value);
	vp_index[bare_vp()->index] = (uint32_t)value;
}

static uint64_t mask_of(uint64_t bare_mask)
{
	uint64_t mask = 0;

	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		if (bare_mask >> vp & 1)
			mask |= 1ull << vp_index[vp];
	return mask;
}

/* ---- interrupts ------------------------------------------------------------------------------ */

static uint16_t ipi(enum form form, uint32_t vector, uint64_t mask, bool is_all)
{
	struct winhv *hv = bare_winhv();
	const struct winhv_vp_set set = set_of(mask, is_all);
	uint16_t status = 0xffff;
	int error;

	if (form == SLOW || form == FAST)
		error = winhv_send_ipi(hv, form == FAST, vector, mask, &status);
	else
		error = winhv_send_ipi_ex(hv, form == EX_FAST, vector, &set, &status);
	return error ? 0xffff : status;
}

/* To all sets of the VPs there are, from this VP. */
static void ipi_sets(enum form form)
{
	const uint64_t sets = 1ull << bare.vp_count;
	char name[80], why[120] = "";

	for (uint64_t set = 0; set < sets; set++) {
		test_count_vector(VECTOR, true);
		const uint16_t status = ipi(form, VECTOR, mask_of(set), false);
		for (uint32_t vp = 0; vp < bare.vp_count; vp++)
			if (set >> vp & 1)
				(void)test_interrupts_reach(vp, VECTOR, 1);
		bare_pause(TEST_MS);
		for (uint32_t vp = 0; vp < bare.vp_count; vp++)
			if (status || test_interrupts[vp][VECTOR] != (set >> vp & 1))
				(void)bare_print_to(why, sizeof why,
					"set 0x%lx: status 0x%x, %u interrupts on VP %u", set,
					status, test_interrupts[vp][VECTOR], vp);
	}
	(void)bare_print_to(name, sizeof name, "%s: an interrupt to each of %lu sets of VPs",
		form_names[form], sets);
	check(!why[0], name, "%s", why);
}

static void ipi_all(enum form form)
{
	char name[80];
	bool is_right = true;

	test_count_vector(VECTOR, true);
	const uint16_t status = ipi(form, VECTOR, 0, true);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		is_right = test_interrupts_reach(vp, VECTOR, 1) && is_right;
	bare_pause(TEST_MS);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		is_right = is_right && test_interrupts[vp][VECTOR] == 1;
	(void)bare_print_to(name, sizeof name, "%s: an interrupt to all VPs", form_names[form]);
	check(is_right && status == 0, name, "status 0x%x, %u interrupts on VP 0", status,
		test_interrupts[0][VECTOR]);
}

static enum form sender_form;

static void sender(void *ctx)
{
	(void)ctx;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		const uint32_t vp = bare_vp()->index;
		const uint32_t next = (vp + 1) % bare.vp_count;
		const uint32_t before = test_interrupts[next][VECTOR];
		(void)ipi(sender_form, VECTOR, mask_of(1ull << next), false);
		(void)test_interrupts_reach(next, VECTOR, before + 1);
	}
}

/* Everybody to his neighbour, at the same time, one after the other. */
static void ipi_ring(enum form form)
{
	char name[80];
	uint32_t least = UINT32_MAX, most = 0;

	test_count_vector(VECTOR, true);
	sender_form = form;
	bare_run_on_all(sender, NULL);
	bare_pause(TEST_SETTLE);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++) {
		const uint32_t interrupts = test_interrupts[vp][VECTOR];
		least = interrupts < least ? interrupts : least;
		most = interrupts > most ? interrupts : most;
	}
	(void)bare_print_to(name, sizeof name, "%s: every VP interrupts the next, all at once",
		form_names[form]);
	check(least == ROUNDS && most == ROUNDS, name, "%u to %u in place of %u", least, most,
		ROUNDS);
}

static void ipi_refused(enum form form)
{
	static const uint32_t vectors[] = {0, 1, 0xf, 0x100, 0x10020, 0xffffffff};
	char name[80];
	uint32_t bad = 0;
	uint16_t status = 0;

	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const uint16_t got = ipi(form, vectors[i], mask_of(1), false);
		if (got != HV_STATUS_INVALID_HYPERCALL_INPUT &&
			got != HV_STATUS_INVALID_PARAMETER) {
			bad = vectors[i];
			status = got;
		}
	}
	(void)bare_print_to(name, sizeof name, "%s: vectors below 16 and above 255 are refused",
		form_names[form]);
	check(!bad && !status, name, "vector 0x%x: status 0x%x", bad, status);
}

/* The variable header must have exactly as many banks as the mask says. */
static void ipi_banks(void)
{
	uint8_t *page = bare_pages(1);
	const struct hv_send_ipi_ex_wire wire = {.vector = VECTOR,
		.processors = {.format = HV_VP_SET_FORMAT_SPARSE, .bank_mask = 1}};
	uint16_t status;

	if (!form_is_offered(EX_SLOW, false))
		return;
	test_count_vector(VECTOR, true);
	__builtin_memcpy(page, &wire, sizeof wire);
	page[sizeof wire] = 1;
	for (uint16_t banks = 0; banks < 3; banks += 2) {
		status = test_status(
			hv_hypercall_input(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX, banks, 0),
			(uintptr_t)page, 0);
		check(status == HV_STATUS_INVALID_HYPERCALL_INPUT,
			banks ? "Ex: a bank too many is refused" : "Ex: a bank too few is refused",
			"status 0x%x", status);
	}
	check(test_interrupts[0][VECTOR] == 0, "... and no interrupt comes", "%u",
		test_interrupts[0][VECTOR]);
}

static void ipis(void)
{
	if (!test_is_recommended(HV_RECOMMEND_CLUSTER_IPI)) {
		skip("interrupts by hypercall", "not recommended");
		return;
	}
	for (enum form form = SLOW; form < FORMS; form++) {
		if (!form_is_offered(form, false)) {
			skip(form_names[form], "this form is not promised");
			continue;
		}
		ipi_sets(form);
		if (form == EX_SLOW || form == EX_FAST)
			ipi_all(form);
		ipi_ring(form);
		ipi_refused(form);
	}
	ipi_banks();
}

/* ---- flushes --------------------------------------------------------------------------------- */

/*
 * The target reads the page at WINDOW again and again and says what it sees; the one who
 * flushes changes the mapping and asks. A translation that the target may keep (none is
 * guaranteed to stay) is seen as the old value.
 */
static uint8_t *first, *second;
static uint32_t is_watching, is_stopped;
static volatile uint8_t seen;
static volatile uint64_t looks;

static uint8_t look(void)
{
	return *(volatile uint8_t *)(uintptr_t)WINDOW;
}

static void watch(void *ctx)
{
	(void)ctx;
	__atomic_store_n(&is_watching, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&is_stopped, __ATOMIC_ACQUIRE)) {
		seen = look();
		__atomic_fetch_add(&looks, 1, __ATOMIC_SEQ_CST);
	}
}

static bool is_looked(void *ctx)
{
	return looks >= *(const uint64_t *)ctx;
}

/* What the target sees in a look that began after now. */
static uint8_t look_elsewhere(void)
{
	uint64_t wanted = looks + 2;

	(void)bare_wait(is_looked, &wanted, TEST_PATIENCE);
	return seen;
}

enum kind { SPACE, LIST, KINDS };

static uint16_t flush(enum form form, enum kind kind, uint64_t mask, bool is_all)
{
	struct winhv *hv = bare_winhv();
	const struct winhv_vp_set set = set_of(
		mask, is_all && (form == EX_SLOW || form == EX_FAST));
	const uint64_t flags = HV_FLUSH_ALL_ADDRESS_SPACES | (is_all ? HV_FLUSH_ALL_PROCESSORS : 0);
	const uint64_t ranges[2] = {WINDOW + 0x100000, WINDOW | 1};
	const uint16_t count = kind == LIST ? 2 : 0;
	const bool is_fast = form == FAST || form == EX_FAST;
	uint16_t status = 0xffff, done = count;
	int error;

	if (form == SLOW || form == FAST)
		error = winhv_flush_list(
			hv, is_fast, 0, flags, mask, ranges, count, &done, &status);
	else
		error = winhv_flush_list_ex(
			hv, is_fast, 0, flags, &set, ranges, count, &done, &status);
	return error || done != count ? 0xffff : status;
}

/* Change the mapping under VP `vp`, which watches it, and flush there. */
static void flush_vp(enum form form, enum kind kind, uint32_t vp, bool is_all)
{
	char name[100];
	uint32_t stale = 0, wrong = 0, kept = 0;
	uint16_t status = 0;
	volatile uint64_t *entry = bare_map_entry(WINDOW);

	for (uint32_t i = 0; i < ROUNDS && !status; i++) {
		const uint8_t *page = i % 2 ? first : second;
		const uint8_t old = look_elsewhere();
		*entry = (uintptr_t)page | 1; /* no INVLPG anywhere */
		kept += look_elsewhere() == old;
		status = flush(form, kind, is_all ? 0 : mask_of(1ull << vp), is_all);
		const uint8_t now = look_elsewhere();
		stale += now == old;
		wrong += now != page[0];
	}
	(void)bare_print_to(name, sizeof name, "%s %s: VP %u sees the new page after a flush%s",
		form_names[form], kind == LIST ? "list" : "space", vp, is_all ? " of all" : "");
	check(!status && !stale && !wrong, name, "status 0x%x, %u of %u times the old page", status,
		stale, ROUNDS);
	if (kept == 0)
		bare_printf("# nothing stale was ever seen before the flush\n");
}

static void flush_self(enum form form, enum kind kind)
{
	char name[80];
	uint32_t stale = 0;
	uint16_t status = 0;
	volatile uint64_t *entry = bare_map_entry(WINDOW);

	for (uint32_t i = 0; i < ROUNDS && !status; i++) {
		const uint8_t *page = i % 2 ? first : second;
		(void)look();
		*entry = (uintptr_t)page | 1;
		status = flush(form, kind, mask_of(1ull << bare_vp()->index), false);
		stale += look() != page[0];
	}
	(void)bare_print_to(name, sizeof name, "%s %s: the caller's own translation goes",
		form_names[form], kind == LIST ? "list" : "space");
	check(!status && !stale, name, "status 0x%x, %u of %u times the old page", status, stale,
		ROUNDS);
}

static void flush_forms(uint32_t vp)
{
	for (enum form form = SLOW; form < FORMS; form++) {
		if (!form_is_offered(form, true)) {
			skip(form_names[form], "this form is not promised");
			continue;
		}
		for (enum kind kind = SPACE; kind < KINDS; kind++) {
			/* header, ranges, and a bank do not fit into 112 bytes of registers */
			flush_vp(form, kind, vp, false);
			flush_vp(form, kind, vp, true);
			flush_self(form, kind);
		}
	}
}

static void flush_refused(void)
{
	const uint64_t all = HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_ADDRESS_SPACES;
	struct winhv *hv = bare_winhv();
	const uint64_t range = WINDOW;
	uint16_t status = 0, done;

	(void)winhv_flush(hv, false, 0, all | 1ull << 20, 0, &status);
	check(status == HV_STATUS_INVALID_PARAMETER, "a reserved flag is refused", "status 0x%x",
		status);
	(void)winhv_flush_list(
		hv, false, 0, all | HV_FLUSH_NON_GLOBAL_ONLY, 0, &range, 1, &done, &status);
	check(status == HV_STATUS_INVALID_PARAMETER, "non-global only is refused for a list",
		"status 0x%x", status);
	(void)winhv_flush_list(
		hv, false, 0, all | HV_FLUSH_EXTENDED_RANGE_FORMAT, 0, &range, 1, &done, &status);
	if (test_has_feature(HV_FEATURE_EXTENDED_GVA_RANGES))
		check(status == 0, "P20: the extended range format is taken", "status 0x%x",
			status);
	else
		check(status == HV_STATUS_INVALID_PARAMETER ||
				status == HV_STATUS_INVALID_HYPERCALL_INPUT,
			"P20: the extended range format is not promised", "status 0x%x", status);
}

static void flushes(void)
{
	const uint32_t vp = bare.vp_count - 1;

	if (!test_is_recommended(HV_RECOMMEND_REMOTE_FLUSH)) {
		skip("flushes by hypercall", "not recommended");
		return;
	}
	first = bare_pages(1);
	second = bare_pages(1);
	first[0] = 1;
	second[0] = 2;
	bare_map(WINDOW, (uintptr_t)first, 0);
	if (vp == 0) {
		skip("flushes of another VP", "one VP");
	} else {
		bare_run_begin(vp, watch, NULL);
		while (!__atomic_load_n(&is_watching, __ATOMIC_ACQUIRE))
			spin_pause();
		flush_forms(vp);
		__atomic_store_n(&is_stopped, 1, __ATOMIC_RELEASE);
		bare_run_wait(vp);
	}
}

void test_main(void)
{
	if (!test_hypercalls("hypercall page"))
		return;
	if (bare.vp_count > VPS_MAX)
		bare.vp_count = VPS_MAX;
	bare_run_on_all(index_read, NULL);
	if (test_group("ipi"))
		ipis();
	if (test_group("flush"))
		flushes();
	if (test_group("refused") && test_is_recommended(HV_RECOMMEND_REMOTE_FLUSH))
		flush_refused();
}
