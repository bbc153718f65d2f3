// SPDX-License-Identifier: Apache-2.0
/*
 * A guest that writes anything: registers, hypercalls, and the pages that it shares with the
 * hypervisor. After each the partition still works, and no byte beside those pages has changed;
 * the runner looks at the host itself. Numbers are pseudo-random, and the same each time.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_storage.h"

#define WRITES	1000u
#define CALLS	2500u
#define MOVES	20u
#define PATTERN 0x6bu

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33 | *state << 31;
}

/* A contact is answered: the SynIC, messages and hypercalls work. */
static bool works(struct conform_target *t, const char *after)
{
	return conform_bus_connect(t) || conform_no(t, "after %s the host takes no contact", after);
}

/* ---- registers ----------------------------------------------------------------------------- */

/*
 * Not those that end the test: reset, report of a crash, lock, sleep, ends of interrupts and
 * interrupts themselves, and not the pages' places in memory that others use.
 */
static const struct {
	uint32_t first, count;
	uint64_t privilege;
	uint64_t mask, set; /* what may be random, what is always on */
} targets[] = {
	{HV_X64_MSR_GUEST_OS_ID, 1, HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS, UINT64_MAX, 1},
	{HV_X64_MSR_HYPERCALL, 1, HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS, 0xfffffffffffffffcull, 0},
	{HV_X64_MSR_REFERENCE_TSC, 1, HV_PRIVILEGE_ACCESS_REFERENCE_TSC, 0xfffffffffffffffeull, 0},
	{HV_X64_MSR_SCONTROL, 1, HV_PRIVILEGE_ACCESS_SYNIC, UINT64_MAX, 0},
	{HV_X64_MSR_SIEFP, 2, HV_PRIVILEGE_ACCESS_SYNIC, 0xfffffffffffffffeull, 0},
	{HV_X64_MSR_EOM, 1, HV_PRIVILEGE_ACCESS_SYNIC, UINT64_MAX, 0},
	{HV_X64_MSR_SINT0, HV_SINT_COUNT, HV_PRIVILEGE_ACCESS_SYNIC, UINT64_MAX, HV_SINT_MASKED},
	{HV_X64_MSR_STIMER0_COUNT, 1, HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMERS, UINT64_MAX, 0},
	{HV_X64_MSR_CRASH_P0, 5, 0, UINT64_MAX, 0},
	{0x40000000, 0x200, 0, 0, 0}, /* read alone, see below */
};
#define TARGETS (sizeof targets / sizeof targets[0])

static enum conform_verdict registers(struct conform_target *t)
{
	uint64_t state = 1, value;

	for (unsigned i = 0; i < WRITES; i++) {
		const unsigned n = (unsigned)(next(&state) % TARGETS);
		const uint32_t vp = (uint32_t)(next(&state) % t->hv->vp_count);
		const uint32_t msr = targets[n].first + (uint32_t)(next(&state) % targets[n].count);
		const uint64_t random = next(&state) ^ next(&state) << 32;
		if (!conform_has(t, targets[n].privilege))
			continue;
		if (n == TARGETS - 1) {
			if (msr != HV_X64_MSR_GUEST_IDLE)
				(void)conform_read(t, vp, msr, &value);
		} else {
			(void)conform_write(
				t, vp, msr, (random & targets[n].mask) | targets[n].set);
		}
	}
	/* The hypercall page is where it was put now; all else is enabled from the beginning. */
	for (uint32_t vp = 0; vp < t->hv->vp_count; vp++) {
		(void)conform_write(t, vp, HV_X64_MSR_SCONTROL, HV_SCONTROL_ENABLE);
		for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
			(void)conform_write(t, vp, HV_X64_MSR_SINT0 + sint, HV_SINT_MASKED);
	}
	EXPECT(conform_write(t, 0, HV_X64_MSR_HYPERCALL, t->hv->code.gpa | HV_MSR_PAGE_ENABLE),
		"HYPERCALL faults");
	EXPECT(conform_write(
		       t, 0, HV_X64_MSR_SIMP, t->hv->synic[0].messages.gpa | HV_MSR_PAGE_ENABLE),
		"SIMP faults");
	EXPECT(conform_write(
		       t, 0, HV_X64_MSR_SIEFP, t->hv->synic[0].events.gpa | HV_MSR_PAGE_ENABLE),
		"SIEFP faults");
	EXPECT(conform_write(t, 0, HV_X64_MSR_SINT0 + VMBUS_SINT, CONFORM_VECTOR), "SINT2 faults");
	TRY(works(t, "writing registers"));
	return CONFORM_PASS;
}

/* ---- hypercalls ---------------------------------------------------------------------------- */

/* Calls with no effect but on the partition's ports, whatever their input. */
static const uint16_t codes[] = {HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE,
	HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST, HV_CALL_NOTIFY_LONG_SPIN_WAIT,
	HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX,
	HV_CALL_GET_VP_REGISTERS, HV_CALL_POST_MESSAGE, HV_CALL_SIGNAL_EVENT,
	HV_CALL_POST_DEBUG_DATA, HV_CALL_RETRIEVE_DEBUG_DATA, HV_CALL_RESET_DEBUG_SESSION,
	HV_CALL_GET_VP_INDEX_FROM_APIC_ID, HV_CALL_EXT_QUERY_CAPABILITIES, 0, 0x7fff, 0xffff};

static void bytes_put(uint64_t *state, uint8_t *at, unsigned bytes)
{
	for (unsigned i = 0; i + 8 <= bytes; i += 8) {
		/* Now and then what a call would like to see. */
		static const uint64_t liked[] = {0, 1, HV_PARTITION_ID_SELF, 8, 0xfe,
			HV_VP_INDEX_SELF, 1ull << 32, 240ull << 32};
		const uint64_t random = next(state);
		const uint64_t word = random % 3 ? liked[random / 3 % 8] : next(state);
		__builtin_memcpy(at + i, &word, sizeof word);
	}
}

/* An address in the page, or near its end, or nowhere. */
static uint64_t address(uint64_t *state, uint64_t page)
{
	static const uint64_t outside[] = {1ull << 40, 1ull << 51, 0xfffffffffffff000, 1ull << 63};
	const uint64_t random = next(state);

	switch (random % 4) {
	case 0:
		return page;
	case 1:
		return page + (random >> 8) % 512 * 8;
	case 2:
		return page + (random >> 8) % WINHV_PAGE_BYTES;
	default:
		return outside[(random >> 8) % 4];
	}
}

static enum conform_verdict calls(struct conform_target *t)
{
	/* A page on either side is none of a call's. */
	const struct winhv_pages pages = conform_pages(t, (size_t)5 * WINHV_PAGE_BYTES);
	uint8_t *input = pages.va + WINHV_PAGE_BYTES;
	uint64_t state = 2;

	__builtin_memset(pages.va, PATTERN, pages.bytes);
	for (unsigned i = 0; i < CALLS; i++) {
		const uint64_t random = next(&state);
		uint64_t control = codes[random % (sizeof codes / sizeof codes[0])];
		if (random >> 8 & 1)
			control |= next(&state) & 0x03fe0000; /* variable header */
		if (random >> 9 & 1)
			control |= (next(&state) & 0xfff) << HV_HYPERCALL_REP_COUNT_SHIFT;
		if (random >> 10 & 1)
			control |= (next(&state) & 0xfff) << HV_HYPERCALL_REP_START_SHIFT;
		if ((random >> 11 & 7) == 0)
			control |= 1ull << (random >> 16 & 63) & ~0xffffull;
		if (i % 16 == 0)
			bytes_put(&state, input, WINHV_PAGE_BYTES);
		if (control & HV_HYPERCALL_FAST) {
			struct winhv_xmm xmm;
			bytes_put(&state, (uint8_t *)&xmm, sizeof xmm);
			(void)conform_call(t, control, next(&state), next(&state), &xmm);
		} else {
			const uint64_t in = address(&state, pages.gpa + WINHV_PAGE_BYTES);
			const uint64_t out = address(&state, pages.gpa + 3 * WINHV_PAGE_BYTES);
			(void)conform_call(t, control, in, out, NULL);
		}
	}
	for (unsigned i = 0; i < pages.bytes; i++) {
		const unsigned page = i / WINHV_PAGE_BYTES;
		EXPECT(page % 2 != 0 || pages.va[i] == PATTERN,
			"byte %u of page %u, which is no parameter's, was written",
			i % WINHV_PAGE_BYTES, page);
	}
	TRY(works(t, "hypercalls"));
	return CONFORM_PASS;
}

/* ---- shared pages -------------------------------------------------------------------------- */

/* The page of a SynIC register between two others of ours, all of them filled. */
static bool between(struct conform_target *t, uint32_t msr, struct winhv_pages *pages)
{
	*pages = conform_pages(t, (size_t)3 * WINHV_PAGE_BYTES);
	__builtin_memset(pages->va, PATTERN, pages->bytes);
	if (!conform_write(t, 0, msr, (pages->gpa + WINHV_PAGE_BYTES) | HV_MSR_PAGE_ENABLE))
		return conform_no(t, "register 0x%x faults", msr);
	return true;
}

static bool beside_kept(struct conform_target *t, const struct winhv_pages *pages)
{
	for (unsigned i = 0; i < pages->bytes; i++)
		if (i / WINHV_PAGE_BYTES != 1 && pages->va[i] != PATTERN)
			return conform_no(t, "byte %d from the page was written",
				(int)i - (int)WINHV_PAGE_BYTES);
	return true;
}

/* All slots but our own are said to be full, of messages with impossible sizes. */
static enum conform_verdict message_page(struct conform_target *t)
{
	const struct vmbus_initiate_contact_wire contact = conform_contact(t, 0x00090009, 0);
	struct winhv_pages pages;
	uint16_t status;

	TRY(between(t, HV_X64_MSR_SIMP, &pages));
	uint8_t *page = pages.va + WINHV_PAGE_BYTES;
	uint8_t *slot = page + VMBUS_SINT * HV_MESSAGE_BYTES;
	__builtin_memset(page, 0xff, WINHV_PAGE_BYTES);
	__atomic_store_n((uint32_t *)(void *)slot, 0, __ATOMIC_SEQ_CST);
	EXPECT(winhv_post_message(t->hv, VMBUS_CONNECTION_MESSAGE, VMBUS_SYNIC_MESSAGE_TYPE,
		       &contact, VMBUS_INITIATE_CONTACT_BYTES, &status) == 0 &&
			status == 0,
		"the contact could not be posted");
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	while (__atomic_load_n((uint32_t *)(void *)slot, __ATOMIC_ACQUIRE) == 0)
		EXPECT(conform_now(t) < deadline, "no message came");
	for (unsigned i = 0; i < WINHV_PAGE_BYTES; i++)
		EXPECT(i / HV_MESSAGE_BYTES == VMBUS_SINT || page[i] == 0xff,
			"byte %u of slot %u was written", i % HV_MESSAGE_BYTES,
			i / HV_MESSAGE_BYTES);
	TRY(beside_kept(t, &pages));
	__builtin_memset(page, 0, WINHV_PAGE_BYTES);
	EXPECT(conform_write(
		       t, 0, HV_X64_MSR_SIMP, t->hv->synic[0].messages.gpa | HV_MSR_PAGE_ENABLE),
		"SIMP faults");
	return CONFORM_PASS;
}

/* The page moves while the host sets a flag: with none, and with all of them set. */
static enum conform_verdict event_page(struct conform_target *t)
{
	const union conform_packet packet = {
		.header = {.operation = STORAGE_OP_BEGIN_INITIALIZATION,
			.flags = STORAGE_PACKET_COMPLETION_REQUESTED}};
	struct packet_header header = {.type = PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.payload_bytes = sizeof packet};
	struct conform_storage storage;
	struct winhv_pages pages;

	TRY(conform_bus_offers(t));
	NEED(conform_offer(t, &guid_storage) != NULL, "the host offers no SCSI controller");
	TRY(conform_storage_open(t, &storage));
	struct conform_channel *channel = &storage.channel;
	for (unsigned i = 0; i < MOVES; i++) {
		struct packet_view view;
		TRY(between(t, HV_X64_MSR_SIEFP, &pages));
		__builtin_memset(pages.va + WINHV_PAGE_BYTES, i % 2 ? 0xff : 0, WINHV_PAGE_BYTES);
		(void)ring_reader_arm(&channel->in);
		header.transaction_id = i + 1;
		TRY(conform_channel_send(t, channel, &header, NULL, &packet));
		EXPECT(conform_write(t, 0, HV_X64_MSR_SIEFP,
			       t->hv->synic[0].events.gpa | HV_MSR_PAGE_ENABLE),
			"SIEFP faults");
		__builtin_memset(t->hv->synic[0].events.va, 0, WINHV_PAGE_BYTES);
		const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
		while (ring_peek(&channel->in, &view) != RING_OK)
			EXPECT(conform_now(t) < deadline, "request %u was not answered", i + 1);
		conform_channel_done(t, channel, &view);
		TRY(beside_kept(t, &pages));
		winhv_pages_free(t->hv, &pages);
	}
	return CONFORM_PASS;
}

/* Of a page full of what is no packet, posted again and again. */
static enum conform_verdict posts(struct conform_target *t)
{
	uint8_t bytes[HV_MESSAGE_PAYLOAD_MAX];
	uint64_t state = 3;

	TRY(conform_bus_connect(t));
	for (unsigned i = 0; i < 400; i++) {
		bytes_put(&state, bytes, sizeof bytes);
		const uint32_t type = 0x8000 + i % 4; /* no control message's */
		__builtin_memcpy(bytes, &type, sizeof type);
		const uint16_t status = conform_bus_post_to(
			t, t->bus.connection_id, bytes, i % (sizeof bytes + 1));
		EXPECT(status == 0 || status == HV_STATUS_INVALID_PARAMETER ||
				status == HV_STATUS_INVALID_HYPERCALL_INPUT,
			"a message of an unknown type gave status 0x%x", status);
	}
	TRY(conform_bus_quiet(t, "messages of unknown types"));
	return CONFORM_PASS;
}

#define POSTS HV_PRIVILEGE_POST_MESSAGES
const struct conform_test conform_hostile_tests[] = {
	{"R-HYP-001", "any values in registers do no harm", registers, CONFORM_BUS, 0, 0},
	{"R-HYP-001", "any hypercalls do no harm", calls, CONFORM_BUS, 0, 0},
	{"R-HYP-001", "messages of no type do no harm", posts, CONFORM_BUS, 0, 0},
	{"R-HYP-003", "a message is written to its slot alone", message_page, CONFORM_BUS, POSTS,
		0},
	{"R-HYP-003", "a page of flags that moves keeps what is beside", event_page, CONFORM_BUS, 0,
		0},
};
const size_t conform_hostile_test_count = sizeof conform_hostile_tests /
					  sizeof conform_hostile_tests[0];
