// SPDX-License-Identifier: Apache-2.0
/*
 * The synthetic interrupt controller: 16 SINTs of every VP raised from every VP, slots,
 * pending messages and EOM, masks, polling, AutoEOI, event flags, and the pages as
 * overlays. Needs the test device at port 0x3000.
 */
#include "tests/bare/bare_test.h"

#define FIRST_VECTOR 0xb0u /* + SINT */
#define CONNECTION   0x40u
#define SINT	     6u
#define VECTOR	     0x96u
#define AUTO_VECTOR  0x97u
#define QUEUE_MAX    4096u /* more than any port should hold */

/* ---- every SINT of every VP ------------------------------------------------------------------ */

static uint32_t target;

static void sints_enable(void *ctx)
{
	struct winhv *hv = bare_winhv();

	(void)ctx;
	for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
		(void)winhv_synic_enable(hv, hv->vp, sint, (uint8_t)(FIRST_VECTOR + sint));
}

static void sints_disable(void *ctx)
{
	struct winhv *hv = bare_winhv();

	(void)ctx;
	winhv_synic_disable(hv, hv->vp);
}

static void sints_raise(void *ctx)
{
	(void)ctx;
	for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
		test_device(TEST_DEVICE_ROUTE_SET_SINT, target, sint, 0);
}

static void matrix_pair(uint32_t from, uint32_t to)
{
	char name[60];
	uint32_t bad = HV_SINT_COUNT;

	for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
		test_count_vector(FIRST_VECTOR + sint, true);
	target = to;
	bare_run_on(from, sints_raise, NULL);
	for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
		(void)test_interrupts_reach(to, FIRST_VECTOR + sint, 1);
	bare_pause(TEST_SETTLE);
	for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
		for (uint32_t vp = 0; vp < bare.vp_count; vp++)
			if (test_interrupts[vp][FIRST_VECTOR + sint] != (vp == to))
				bad = sint;
	(void)bare_print_to(
		name, sizeof name, "VP %u raises 16 SINTs of VP %u, once each", from, to);
	check(bad == HV_SINT_COUNT, name, "SINT %u: %u interrupts on VP %u", bad,
		test_interrupts[to][FIRST_VECTOR + bad % HV_SINT_COUNT], to);
}

static void matrix(void)
{
	bare_run_on_all(sints_enable, NULL);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
			test_device(TEST_DEVICE_ROUTE_CREATE, vp, sint, 0);
	for (uint32_t from = 0; from < bare.vp_count; from++)
		for (uint32_t to = 0; to < bare.vp_count; to++)
			matrix_pair(from, to);
	for (uint32_t vp = 0; vp < bare.vp_count; vp++)
		for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
			test_device(TEST_DEVICE_ROUTE_DESTROY, vp, sint, 0);
	bare_run_on_all(sints_disable, NULL);
}

/* ---- one slot of this VP --------------------------------------------------------------------- */

static uint16_t post_once(uint32_t type, const void *payload, size_t bytes)
{
	uint16_t status = 0xffff;

	return winhv_post_message(bare_winhv(), CONNECTION, type, payload, bytes, &status) ? 0xffff
											   : status;
}

/* A host may need a moment after a slot was emptied: senders try again. */
static uint16_t post(uint32_t type, const void *payload, size_t bytes)
{
	const uint64_t begin = bare_time();
	uint16_t status;

	do
		status = post_once(type, payload, bytes);
	while (status == HV_STATUS_INSUFFICIENT_BUFFERS && bare_time() - begin < TEST_PATIENCE);
	return status;
}

static volatile struct hv_message_wire *slot(void)
{
	return (volatile struct hv_message_wire *)(void *)(bare_winhv()->synic[0].messages.va +
							   SINT * HV_MESSAGE_BYTES);
}

static bool slot_is_full(void *ctx)
{
	(void)ctx;
	return slot()->type != HV_MESSAGE_TYPE_NONE;
}

static bool take(struct winhv_message *got)
{
	return bare_wait(slot_is_full, NULL, TEST_PATIENCE) &&
	       winhv_message_take(bare_winhv(), 0, SINT, got);
}

static void sint_set(uint64_t value)
{
	(void)test_write(HV_X64_MSR_SINT0 + SINT, value);
}

/* Sizes and bytes. */
static void sizes(void)
{
	static const uint8_t lengths[] = {0, 1, 7, 8, 30, 100, 239};
	uint8_t bytes[HV_MESSAGE_PAYLOAD_MAX];
	unsigned bad = 0xffff;

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	for (size_t i = 0; i < sizeof lengths; i++) {
		struct winhv_message got = {0};
		const uint16_t status = post(0x100u + (uint32_t)i, bytes, lengths[i]);
		if (status || !take(&got) || got.type != 0x100u + i || got.bytes != lengths[i] ||
			__builtin_memcmp(got.payload, bytes, lengths[i]) != 0)
			bad = lengths[i];
	}
	check(bad == 0xffff, "messages of 0 to 239 bytes arrive as they were sent",
		"the one of %u does not", bad);
}

/* As many as are taken, then all of them again, in order. */
static void queue(void)
{
	struct winhv_message got;
	uint32_t sent = 0, received = 0, odd = 0;
	uint16_t status = 0;

	bare_pause(TEST_SETTLE);
	while (sent < QUEUE_MAX && (status = post_once(1 + sent, &sent, sizeof sent)) == 0)
		sent++;
	check(status == HV_STATUS_INSUFFICIENT_BUFFERS, "a full port says INSUFFICIENT_BUFFERS",
		"status 0x%x after %u", status, sent);
	check(sent >= HV_PORT_MESSAGE_COUNT, "a port holds 16 messages", "%u", sent);
	check(slot()->flags & HV_MESSAGE_FLAG_PENDING, "the slot says that more wait", "flags 0x%x",
		slot()->flags);
	while (received < sent && take(&got)) {
		received++;
		if (got.type != received && odd == 0)
			odd = got.type;
	}
	check(received == sent && odd == 0, "EOM brings them one by one, in order",
		"%u of %u, the first out of order is number %u", received, sent, odd);
	bare_pause(TEST_SETTLE);
	check(!slot_is_full(NULL), "... and then no more", "type 0x%x", slot()->type);
}

static void masks(void)
{
	struct winhv_message got = {0};

	sint_set(HV_SINT_MASKED | VECTOR);
	test_count_vector(VECTOR, true);
	const uint16_t status = post(5, "masked", 6);
	check(status == 0 && bare_wait(slot_is_full, NULL, TEST_PATIENCE),
		"a message for a masked SINT is put into the slot", "status 0x%x", status);
	bare_pause(TEST_SETTLE);
	check(test_interrupts[0][VECTOR] == 0, "... without an interrupt", "%u",
		test_interrupts[0][VECTOR]);
	sint_set(VECTOR);
	bare_pause(TEST_SETTLE);
	check(test_interrupts[0][VECTOR] == 0, "... which is lost, also after unmasking", "%u",
		test_interrupts[0][VECTOR]);
	(void)take(&got);
	test_count_vector(VECTOR, true);
	(void)post(6, "open", 4);
	check(test_interrupts_reach(0, VECTOR, 1), "unmasked, the next one interrupts", "none");
	(void)take(&got);
}

static void polling(void)
{
	struct winhv_message got = {0};

	if (!test_has_feature(HV_FEATURE_SINT_POLLING)) {
		skip("P21: polling", "not promised");
		return;
	}
	sint_set(HV_SINT_POLLING | VECTOR);
	test_count_vector(VECTOR, true);
	check(post(7, "poll", 4) == 0 && take(&got) && got.type == 7,
		"P21: a polled SINT gets its message", "type 0x%x", got.type);
	check(post(8, "poll", 4) == 0 && post(9, "poll", 4) == 0 && take(&got) && take(&got) &&
			got.type == 9,
		"P21: ... and the next after EOM", "type 0x%x", got.type);
	bare_pause(TEST_SETTLE);
	check(test_interrupts[0][VECTOR] == 0, "P21: ... and no interrupt", "%u",
		test_interrupts[0][VECTOR]);
	sint_set(VECTOR);
}

/* An interrupt that is not acknowledged, three times. */
static void auto_eoi(void)
{
	struct winhv_message got = {0};
	bool has_come = true;
	uint16_t status = 0;

	test_count_vector(AUTO_VECTOR, false);
	sint_set(HV_SINT_AUTO_EOI | AUTO_VECTOR);
	for (uint32_t i = 1; i <= 3 && has_come; i++) {
		status = post(10 + i, NULL, 0);
		has_come = test_interrupts_reach(0, AUTO_VECTOR, i);
		(void)take(&got);
	}
	bare_pause(TEST_SETTLE);
	check(has_come && test_interrupts[0][AUTO_VECTOR] == 3, "P31: AutoEOI acknowledges",
		"%u of 3 came, the last post had status 0x%x", test_interrupts[0][AUTO_VECTOR],
		status);
	check(!bare_apic_is_in_service(AUTO_VECTOR), "P31: ... nothing stays in service",
		"ISR set");
	if (bare_apic_is_in_service(AUTO_VECTOR))
		bare_apic_eoi();
	sint_set(VECTOR);
}

/* A message that waits for another vector of the same VP does not hold up the rest. */
static void shared_vector(void)
{
	struct winhv *hv = bare_winhv();
	struct winhv_message got = {0};

	(void)winhv_synic_enable(hv, 0, SINT + 1, VECTOR);
	test_device(TEST_DEVICE_MSG_CREATE, 0, SINT + 1, CONNECTION + 1);
	test_count_vector(VECTOR, true);
	uint16_t status = 0xffff;
	(void)winhv_post_message(hv, CONNECTION + 1, 21, NULL, 0, &status);
	const bool has_come = test_interrupts_reach(0, VECTOR, 1);
	check(status == 0 && has_come && winhv_message_take(hv, 0, SINT + 1, &got) &&
			got.type == 21,
		"two SINTs may share a vector", "status 0x%x, type 0x%x", status, got.type);
	test_device(TEST_DEVICE_MSG_DESTROY, 0, SINT + 1, CONNECTION + 1);
	(void)test_write(HV_X64_MSR_SINT0 + SINT + 1, HV_SINT_RESET);
}

static void messages(void)
{
	struct winhv *hv = bare_winhv();

	(void)winhv_synic_enable(hv, 0, SINT, VECTOR);
	test_count_vector(VECTOR, true);
	test_device(TEST_DEVICE_MSG_CREATE, 0, SINT, CONNECTION);
	sizes();
	queue();
	masks();
	polling();
	auto_eoi();
	shared_vector();
	test_device(TEST_DEVICE_MSG_DESTROY, 0, SINT, CONNECTION);
	uint16_t status = 0;
	(void)winhv_post_message(hv, CONNECTION, 1, NULL, 0, &status);
	check(status == HV_STATUS_INVALID_CONNECTION_ID, "a connection that has gone is unknown",
		"status 0x%x", status);
	winhv_synic_disable(hv, 0);
}

/* ---- event flags ----------------------------------------------------------------------------- */

static void flags(void)
{
	struct winhv *hv = bare_winhv();
	char why[100] = "";

	(void)winhv_synic_enable(hv, 0, SINT, VECTOR);
	for (uint32_t id = 1; id < 0xf0; id += 17) {
		test_count_vector(VECTOR, true);
		test_device(TEST_DEVICE_EVT_CREATE, 0, SINT, id);
		const int first = winhv_signal_event(hv, id, 0);
		const bool has_come = test_interrupts_reach(0, VECTOR, 1);
		const int again = winhv_signal_event(hv, id, 0);
		bare_pause(TEST_SETTLE);
		const uint32_t interrupts = test_interrupts[0][VECTOR];
		/* In this order: a signal that was still under way is then done or dropped. */
		test_device(TEST_DEVICE_EVT_DESTROY, 0, SINT, id);
		const uint64_t word = winhv_events_take(hv, 0, SINT, id / 64);
		if (first || again || !has_come || interrupts != 1 || word != 1ull << id % 64)
			(void)bare_print_to(why, sizeof why,
				"connection %u: status 0x%x, 0x%x, %u interrupts, flags 0x%lx", id,
				(unsigned)first, (unsigned)again, interrupts, word);
	}
	check(!why[0], "a flag is set, interrupts once, and not again while it is set", "%s", why);
	winhv_synic_disable(hv, 0);
}

/*
 * The test device takes the signal and passes it on: the sender is told that it was taken,
 * or that the target cannot. Some hosts end the machine here: kept apart.
 */
static void flags_refused(void)
{
	struct winhv *hv = bare_winhv();

	(void)winhv_synic_enable(hv, 0, SINT, VECTOR);
	test_device(TEST_DEVICE_EVT_CREATE, 0, SINT, CONNECTION);
	test_count_vector(VECTOR, true);
	sint_set(HV_SINT_MASKED | VECTOR);
	int status = winhv_signal_event(hv, CONNECTION, 0);
	bare_pause(TEST_SETTLE);
	check(status == HV_STATUS_INVALID_SYNIC_STATE || status == HV_STATUS_SUCCESS,
		"an event for a masked SINT: taken, or refused", "status 0x%x", (unsigned)status);
	sint_set(VECTOR);
	bare_pause(TEST_SETTLE);
	check(winhv_events_take(hv, 0, SINT, CONNECTION / 64) == 0 &&
			test_interrupts[0][VECTOR] == 0,
		"... sets no flag and does not interrupt", "%u interrupts",
		test_interrupts[0][VECTOR]);
	(void)test_write(HV_X64_MSR_SIEFP, 0);
	status = winhv_signal_event(hv, CONNECTION, 0);
	bare_pause(TEST_SETTLE);
	check(status == HV_STATUS_INVALID_SYNIC_STATE || status == HV_STATUS_SUCCESS,
		"an event without a flags page: taken, or refused", "status 0x%x",
		(unsigned)status);
	check(test_interrupts[0][VECTOR] == 0, "... does not interrupt", "%u interrupts",
		test_interrupts[0][VECTOR]);
	(void)test_write(HV_X64_MSR_SIEFP, hv->synic[0].events.gpa | HV_MSR_PAGE_ENABLE);
	test_device(TEST_DEVICE_EVT_DESTROY, 0, SINT, CONNECTION);
	winhv_synic_disable(hv, 0);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void overlay(uint32_t msr, const char *what)
{
	volatile uint8_t *first = bare_pages(1), *second = bare_pages(1);
	char name[80];

	__builtin_memset((void *)(uintptr_t)first, 0x5a, BARE_PAGE_BYTES);
	__builtin_memset((void *)(uintptr_t)second, 0x5b, BARE_PAGE_BYTES);
	(void)test_write(msr, (uintptr_t)first | HV_MSR_PAGE_ENABLE);
	(void)bare_print_to(name, sizeof name, "the page at %s is zero when it is enabled", what);
	check(test_is_filled(first, 0), name, "byte 0 is 0x%x", first[0]);
	first[0x123] = 0x77;
	(void)test_write(msr, (uintptr_t)second | HV_MSR_PAGE_ENABLE);
	(void)bare_print_to(name, sizeof name, "what is in %s moves with it", what);
	check(second[0x123] == 0x77 && second[0] == 0, name, "0x%x", second[0x123]);
	(void)bare_print_to(name, sizeof name, "what was under %s is back", what);
	check(test_is_filled(first, 0x5a), name, "byte 0 is 0x%x", first[0]);
	(void)test_write(msr, 0);
	(void)bare_print_to(
		name, sizeof name, "%s can be disabled, and shows what was under it", what);
	check(test_is_filled(second, 0x5b), name, "byte 0 is 0x%x", second[0]);
}

static void pages(void)
{
	overlay(HV_X64_MSR_SIMP, "SIMP");
	overlay(HV_X64_MSR_SIEFP, "SIEFP");
}

/* A message that comes while the SynIC is off waits, or is refused; it is not lost. */
static void scontrol(void)
{
	struct winhv *hv = bare_winhv();
	struct winhv_message got = {0};

	(void)winhv_synic_enable(hv, 0, SINT, VECTOR);
	test_count_vector(VECTOR, true);
	test_device(TEST_DEVICE_MSG_CREATE, 0, SINT, CONNECTION);
	(void)test_write(HV_X64_MSR_SCONTROL, 0);
	const uint16_t status = post(31, NULL, 0);
	bare_pause(TEST_SETTLE);
	check(!slot_is_full(NULL), "with SCONTROL off, nothing is put into a slot", "type 0x%x",
		slot()->type);
	(void)test_write(HV_X64_MSR_SCONTROL, HV_SCONTROL_ENABLE);
	if (status == HV_STATUS_SUCCESS)
		check(take(&got) && got.type == 31, "what was taken meanwhile comes when it is on",
			"type 0x%x", got.type);
	else
		check(status == HV_STATUS_INVALID_SYNIC_STATE, "... and the sender is told",
			"status 0x%x", status);
	test_device(TEST_DEVICE_MSG_DESTROY, 0, SINT, CONNECTION);
	winhv_synic_disable(hv, 0);
}

void test_main(void)
{
	if (!test_has(HV_PRIVILEGE_ACCESS_SYNIC | HV_PRIVILEGE_POST_MESSAGES |
		      HV_PRIVILEGE_SIGNAL_EVENTS)) {
		skip("SynIC", "SynIC, messages or events are not promised");
		return;
	}
	if (!test_hypercalls("hypercall page"))
		return;
	if (test_group("pages"))
		pages();
	if (!test_device_exists()) {
		skip("SINTs, messages and events", "no test device at port 0x3000");
		return;
	}
	if (test_group("matrix"))
		matrix();
	if (test_group("messages"))
		messages();
	if (test_group("flags"))
		flags();
	if (test_group("refused"))
		flags_refused();
	if (test_group("scontrol"))
		scontrol();
}
