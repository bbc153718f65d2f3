// SPDX-License-Identifier: Apache-2.0
/*
 * The hypercall interface: control word, parameters in memory, fast and rep forms, the
 * order of checks. Calls whose only effect is a status are used: HvCallPostMessage to a
 * connection that does not exist, HvCallSignalEvent, HvCallGetVpIndexFromApicId.
 */
#include "tests/conformance/conform_areas.h"

#define NOBODY	  0x00ddddu /* no connection has this id */
#define POST	  hv_hypercall_input(HV_CALL_POST_MESSAGE, 0, 0)
#define SIGNAL	  (hv_hypercall_input(HV_CALL_SIGNAL_EVENT, 0, 0) | HV_HYPERCALL_FAST)
#define SIGNAL_TO hv_signal_event_fast(NOBODY, 0)

/* A page with the input of HvCallPostMessage to nobody, at its start. */
static struct winhv_pages post_page(struct conform_target *t)
{
	const struct hv_post_message_wire post = {
		.connection_id = NOBODY, .message_type = 1, .payload_size = 8};
	const struct winhv_pages pages = conform_pages(t, (size_t)2 * WINHV_PAGE_BYTES);

	if (pages.va != NULL)
		__builtin_memcpy(pages.va, &post, sizeof post);
	return pages;
}

static enum conform_verdict expect_status(
	struct conform_target *t, const char *what, uint16_t got, uint16_t wanted)
{
	EXPECT(got == wanted, "%s gave status 0x%x (%s), not 0x%x (%s)", what, got,
		got == CONFORM_FAULT ? "fault" : hv_status_name(got), wanted,
		hv_status_name(wanted));
	return CONFORM_PASS;
}
#define STATUS(what, got, wanted)                                                                  \
	do {                                                                                       \
		if (expect_status(t, what, got, wanted) != CONFORM_PASS)                           \
			return CONFORM_FAIL;                                                       \
	} while (0)

static enum conform_verdict reserved_bits(struct conform_target *t)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		if (!(HV_HYPERCALL_RESERVED_MASK & 1ull << bit))
			continue;
		const uint16_t status = conform_status(t, SIGNAL | 1ull << bit, SIGNAL_TO, 0);
		EXPECT(status == HV_STATUS_INVALID_HYPERCALL_INPUT, "bit %u gave status 0x%x", bit,
			status);
	}
	return CONFORM_PASS;
}

/* A rep call that every host that promises it takes: one element, one answer. */
#define INDICES(reps, start)                                                                       \
	(hv_hypercall_input(HV_CALL_GET_VP_INDEX_FROM_APIC_ID, 0, reps) |                          \
		(uint64_t)(start) << HV_HYPERCALL_REP_START_SHIFT)

static enum conform_verdict rep_shape(struct conform_target *t)
{
	const struct winhv_pages pages = conform_pages(t, (size_t)2 * WINHV_PAGE_BYTES);
	const uint16_t exists = conform_status(t, INDICES(1, 0), pages.gpa, pages.gpa + 4096);

	NEED(exists != HV_STATUS_INVALID_HYPERCALL_CODE && exists != HV_STATUS_ACCESS_DENIED,
		"no rep call is offered (HvCallGetVpIndexFromApicId: status 0x%x)", exists);
	STATUS("rep count 0", conform_status(t, INDICES(0, 0), pages.gpa, pages.gpa + 4096),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	STATUS("start index = count", conform_status(t, INDICES(2, 2), pages.gpa, pages.gpa + 4096),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	STATUS("start index > count", conform_status(t, INDICES(2, 7), pages.gpa, pages.gpa + 4096),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	return CONFORM_PASS;
}

static enum conform_verdict simple_shape(struct conform_target *t)
{
	STATUS("a simple call with count 1",
		conform_status(t, SIGNAL | 1ull << HV_HYPERCALL_REP_COUNT_SHIFT, SIGNAL_TO, 0),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	STATUS("a simple call with start index 1",
		conform_status(t, SIGNAL | 1ull << HV_HYPERCALL_REP_START_SHIFT, SIGNAL_TO, 0),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	return CONFORM_PASS;
}

static enum conform_verdict variable_header(struct conform_target *t)
{
	for (unsigned words = 1; words < 0x400; words = words * 2 + 1) {
		const uint16_t status = conform_status(
			t, SIGNAL | (uint64_t)words << HV_HYPERCALL_VARHEAD_SHIFT, SIGNAL_TO, 0);
		EXPECT(status == HV_STATUS_INVALID_HYPERCALL_INPUT,
			"a variable header of %u words gave status 0x%x", words, status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict alignment(struct conform_target *t)
{
	const struct winhv_pages pages = post_page(t);

	STATUS("aligned input", conform_status(t, POST, pages.gpa, 0),
		HV_STATUS_INVALID_CONNECTION_ID);
	for (unsigned offset = 1; offset < 8; offset++) {
		const uint16_t status = conform_status(t, POST, pages.gpa + offset, 0);
		EXPECT(status == HV_STATUS_INVALID_ALIGNMENT, "input at offset %u gave status 0x%x",
			offset, status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict page_crossing(struct conform_target *t)
{
	const struct winhv_pages pages = post_page(t);
	const struct hv_post_message_wire post = {
		.connection_id = NOBODY, .message_type = 1, .payload_size = 8};
	const unsigned last = WINHV_PAGE_BYTES - sizeof post;

	__builtin_memcpy(pages.va + last, &post, sizeof post);
	STATUS("input that ends with its page", conform_status(t, POST, pages.gpa + last, 0),
		HV_STATUS_INVALID_CONNECTION_ID);
	for (unsigned over = 8; over < sizeof post; over += 8) {
		__builtin_memcpy(pages.va + last + over, &post, sizeof post);
		const uint16_t status = conform_status(t, POST, pages.gpa + last + over, 0);
		EXPECT(status == HV_STATUS_INVALID_ALIGNMENT,
			"input with %u bytes in the next page gave status 0x%x", over, status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict outside_of_memory(struct conform_target *t)
{
	static const uint64_t addresses[] = {
		1ull << 40, 1ull << 51, 0x7ffffffffffff000, 0xfffffffffffff000};

	for (unsigned i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		const uint16_t status = conform_status(t, POST, addresses[i], 0);
		EXPECT(status == HV_STATUS_INVALID_ALIGNMENT, "input at 0x%llx gave status 0x%x",
			(unsigned long long)addresses[i], status);
	}
	if (t->memory_bytes != 0)
		STATUS("input behind the last page", conform_status(t, POST, t->memory_bytes, 0),
			HV_STATUS_INVALID_ALIGNMENT);
	return CONFORM_PASS;
}

static enum conform_verdict no_output(struct conform_target *t)
{
	const struct winhv_pages pages = post_page(t);

	STATUS("an output address that is unaligned", conform_status(t, POST, pages.gpa, 3),
		HV_STATUS_INVALID_CONNECTION_ID);
	STATUS("an output address outside of memory",
		conform_status(t, POST, pages.gpa, 0xfffffffffffff000),
		HV_STATUS_INVALID_CONNECTION_ID);
	return CONFORM_PASS;
}

static enum conform_verdict fast_refused(struct conform_target *t)
{
	const uint16_t status = conform_status(t, POST | HV_HYPERCALL_FAST, NOBODY, 1);

	EXPECT(status == HV_STATUS_INVALID_HYPERCALL_INPUT || status == CONFORM_FAULT,
		"HvCallPostMessage as a fast call gave status 0x%x", status);
	return CONFORM_PASS;
}

static enum conform_verdict fast_and_slow(struct conform_target *t)
{
	const struct winhv_pages pages = conform_pages(t, WINHV_PAGE_BYTES);
	const struct hv_signal_event_wire signal = {.connection_id = NOBODY};

	__builtin_memcpy(pages.va, &signal, sizeof signal);
	STATUS("HvCallSignalEvent in memory",
		conform_status(t, SIGNAL & ~HV_HYPERCALL_FAST, pages.gpa, 0),
		HV_STATUS_INVALID_CONNECTION_ID);
	STATUS("HvCallSignalEvent in registers", conform_status(t, SIGNAL, SIGNAL_TO, 0),
		HV_STATUS_INVALID_CONNECTION_ID);
	return CONFORM_PASS;
}

static enum conform_verdict post_to_nobody(struct conform_target *t)
{
	const struct winhv_pages pages = post_page(t);

	STATUS("HvCallPostMessage to nobody", conform_status(t, POST, pages.gpa, 0),
		HV_STATUS_INVALID_CONNECTION_ID);
	return CONFORM_PASS;
}

static enum conform_verdict unknown_codes(struct conform_target *t)
{
	static const uint16_t codes[] = {0x0000, 0x0005, 0x003f, 0x00ff, 0x0fff, 0x7fff};

	for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		const uint16_t status = conform_status(t, codes[i], 0, 0);
		EXPECT(status == HV_STATUS_INVALID_HYPERCALL_CODE,
			"call code 0x%x gave status 0x%x", codes[i], status);
	}
	return CONFORM_PASS;
}

static enum conform_verdict code_before_shape(struct conform_target *t)
{
	const uint64_t bad = HV_HYPERCALL_RESERVED_MASK & (0xfull << 60);
	const struct winhv_pages pages = post_page(t);

	STATUS("an unknown code with reserved bits", conform_status(t, 0x0005 | bad, 1, 0),
		HV_STATUS_INVALID_HYPERCALL_CODE);
	STATUS("reserved bits with an unaligned input", conform_status(t, POST | bad, 1, 0),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	STATUS("a rep count with an unaligned input",
		conform_status(t, POST | 1ull << HV_HYPERCALL_REP_COUNT_SHIFT, 1, 0),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	STATUS("an unaligned input with parameters that are wrong",
		conform_status(t, POST, pages.gpa + 1, 0), HV_STATUS_INVALID_ALIGNMENT);
	return CONFORM_PASS;
}

/* Whoever may not make a call learns nothing of it. */
static enum conform_verdict privilege_first(struct conform_target *t)
{
	static const uint64_t wrong[] = {0, HV_HYPERCALL_RESERVED_MASK, HV_HYPERCALL_FAST,
		HV_HYPERCALL_REP_COUNT_MASK, HV_HYPERCALL_REP_START_MASK,
		HV_HYPERCALL_VARHEAD_MASK};

	NEED(!conform_has(t, HV_PRIVILEGE_CREATE_PARTITIONS), "CreatePartitions is promised");
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		STATUS("a call without privilege, and with all else wrong",
			conform_status(t, HV_CALL_DELETE_PARTITION | wrong[i], 1, 1),
			HV_STATUS_ACCESS_DENIED);
	return CONFORM_PASS;
}

static enum conform_verdict nested_bit(struct conform_target *t)
{
	uint32_t leaf[4];

	NEED(!conform_is_recommended(t, HV_RECOMMEND_NESTED), "the hypervisor is nested");
	STATUS("the nested bit", conform_status(t, SIGNAL | HV_HYPERCALL_NESTED, SIGNAL_TO, 0),
		HV_STATUS_INVALID_HYPERCALL_INPUT);
	t->hv->ops->cpuid(t->hv->ctx, HV_CPUID_NESTED_PRIVILEGES, 0, leaf);
	EXPECT((leaf[0] | leaf[1] | leaf[2] | leaf[3]) == 0,
		"leaf 0x40000009 is 0x%x 0x%x 0x%x 0x%x", leaf[0], leaf[1], leaf[2], leaf[3]);
	return CONFORM_PASS;
}

static enum conform_verdict spin_wait(struct conform_target *t)
{
	uint32_t leaf[4];

	t->hv->ops->cpuid(t->hv->ctx, HV_CPUID_RECOMMENDATIONS, 0, leaf);
	NEED(leaf[1] != 0 && leaf[1] != 0xffffffff, "no number of spins is recommended");
	STATUS("HvCallNotifyLongSpinWait",
		conform_status(t, HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_HYPERCALL_FAST, leaf[1], 0),
		HV_STATUS_SUCCESS);
	return CONFORM_PASS;
}

static enum conform_verdict long_message(struct conform_target *t)
{
	const struct winhv_pages pages = post_page(t);
	struct hv_post_message_wire post = {.connection_id = VMBUS_CONNECTION_MESSAGE,
		.message_type = VMBUS_SYNIC_MESSAGE_TYPE};
	static const uint32_t sizes[] = {241, 256, 4096, 0x80000000, 0xffffffff};

	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		post.payload_size = sizes[i];
		__builtin_memcpy(pages.va, &post, sizeof post);
		const uint16_t status = conform_status(t, POST, pages.gpa, 0);
		EXPECT(status != HV_STATUS_SUCCESS, "a payload of %u bytes was accepted", sizes[i]);
	}
	return CONFORM_PASS;
}

static enum conform_verdict short_message(struct conform_target *t)
{
	const uint64_t type = VMBUS_MESSAGE_UNLOAD;

	TRY(conform_bus_connect(t));
	for (unsigned bytes = 0; bytes < 8; bytes++)
		(void)conform_bus_post_to(t, t->bus.connection_id, &type, bytes);
	TRY(conform_bus_quiet(t, "a payload of fewer than 8 bytes"));
	return CONFORM_PASS;
}

static enum conform_verdict read_only_page(struct conform_target *t)
{
	const struct winhv_pages pages = post_page(t);
	struct hv_post_message_wire after;

	(void)conform_status(t, POST, pages.gpa, pages.gpa + WINHV_PAGE_BYTES);
	__builtin_memcpy(&after, pages.va, sizeof after);
	EXPECT(after.connection_id == NOBODY && after.message_type == 1 && after.payload_size == 8,
		"the input was changed");
	for (unsigned i = 0; i < WINHV_PAGE_BYTES; i++)
		EXPECT(pages.va[WINHV_PAGE_BYTES + i] == 0, "byte %u behind the call was written",
			i);
	return CONFORM_PASS;
}

#define POSTS	HV_PRIVILEGE_POST_MESSAGES
#define SIGNALS HV_PRIVILEGE_SIGNAL_EVENTS
const struct conform_test conform_hypercall_tests[] = {
	{"R-HCALL-002", "reserved bits give 3", reserved_bits, CONFORM_HYPERCALLS, SIGNALS, 0},
	{"R-HCALL-003", "rep count 0, or a start not below it, gives 3", rep_shape,
		CONFORM_HYPERCALLS, 0, 0},
	{"R-HCALL-004", "a simple call with a count or start gives 3", simple_shape,
		CONFORM_HYPERCALLS, SIGNALS, 0},
	{"R-HCALL-005", "a variable header that the call has not gives 3", variable_header,
		CONFORM_HYPERCALLS, SIGNALS, 0},
	{"R-HCALL-007", "unaligned input gives 4", alignment, CONFORM_HYPERCALLS, POSTS, 0},
	{"R-HCALL-008", "input across a page gives 4", page_crossing, CONFORM_HYPERCALLS, POSTS, 0},
	{"R-HCALL-009", "input outside of memory gives 4", outside_of_memory, CONFORM_HYPERCALLS,
		POSTS, 0},
	{"R-HCALL-010", "the address of no output is ignored", no_output, CONFORM_HYPERCALLS, POSTS,
		0},
	{"R-HCALL-010", "nothing is written where there is no output", read_only_page,
		CONFORM_HYPERCALLS, POSTS, 0},
	{"R-HCALL-012", "a call that cannot be fast is refused so", fast_refused,
		CONFORM_HYPERCALLS, POSTS, 0},
	{"R-HCALL-015", "code, reserved bits, shape, alignment are checked in order",
		code_before_shape, CONFORM_HYPERCALLS, POSTS, 0},
	{"R-HCALL-015", "a privilege that is off comes before all else", privilege_first,
		CONFORM_HYPERCALLS, 0, 0},
	{"R-HCALL-023", "HvCallNotifyLongSpinWait succeeds", spin_wait, CONFORM_HYPERCALLS, 0, 0},
	{"R-CPUID-010", "a post to nobody gives 0x12", post_to_nobody, CONFORM_HYPERCALLS, POSTS,
		0},
	{"R-CPUID-011", "a signal to nobody gives 0x12, fast and slow", fast_and_slow,
		CONFORM_HYPERCALLS, SIGNALS, 0},
	{"R-CPUID-012", "a code that does not exist gives 2", unknown_codes, CONFORM_HYPERCALLS, 0,
		0},
	{"R-CPUID-017", "the recommended spins can be told", spin_wait, CONFORM_HYPERCALLS, 0, 0},
	{"R-CPUID-025", "the nested bit gives 3 where nothing is nested", nested_bit,
		CONFORM_HYPERCALLS, SIGNALS, 0},
	{"R-MSG-005", "more than 240 bytes are refused", long_message, CONFORM_BUS, POSTS, 0},
	{"R-MSG-005", "fewer than 8 bytes are refused or dropped", short_message, CONFORM_BUS,
		POSTS, 0},
};
const size_t conform_hypercall_test_count = sizeof conform_hypercall_tests /
					    sizeof conform_hypercall_tests[0];
