// SPDX-License-Identifier: Apache-2.0
/*
 * Checks, totals and helpers of the bare-metal test kernels. See bare_test.h.
 */
#include "tests/bare/bare_test.h"

#define DEVICE_PORT  0x3000u
#define LINE_MAX     400u
#define PROBE_VECTOR 0x7fu

static unsigned passed, failed, skipped;
volatile uint32_t test_interrupts[BARE_VPS_MAX][256];

bool check(bool condition, const char *name, const char *evidence, ...)
{
	char text[LINE_MAX];
	va_list arguments;

	if (condition) {
		passed++;
		bare_printf("ok %s\n", name);
		return true;
	}
	failed++;
	va_start(arguments, evidence);
	(void)bare_format(text, sizeof text, evidence, arguments);
	va_end(arguments);
	bare_printf("not ok %s: %s\n", name, text);
	return false;
}

void skip(const char *name, const char *reason)
{
	skipped++;
	bare_printf("skip %s: %s\n", name, reason);
}

/* Is `name` one of the names, joined by commas, of the option? */
static bool is_listed(const char *list, const char *name)
{
	for (;;) {
		size_t i = 0;
		while (name[i] && list[i] == name[i])
			i++;
		if (!name[i] && (list[i] == 0 || list[i] == ' ' || list[i] == ','))
			return true;
		while (*list && *list != ' ' && *list != ',')
			list++;
		if (*list != ',')
			return false;
		list++;
	}
}

bool test_group(const char *name)
{
	const char *list;

	if (bare_option("only=", &list) && !is_listed(list, name))
		return false;
	if (bare_option("skip=", &list) && is_listed(list, name)) {
		skip(name, "left out by the command line");
		return false;
	}
	bare_printf("# %s\n", name);
	return true;
}

int bare_main(void)
{
	const struct winhv *hv = &bare.vps[0].hv;

	bare_printf("# %s, %u VPs, %s, %lu MiB, TSC %5lu MHz, interface %s, vendor %s\n",
		bare.is_pvh ? "PVH" : "multiboot", bare.vp_count,
		bare.is_x2apic ? "x2APIC" : "xAPIC", bare.ram_bytes >> 20, bare.tsc_hz / 1000000,
		hv->identity.is_present ? "Hv#1" : "none", (const char *)hv->identity.vendor);
	bare_printf("# privileges %016lx features %08x recommendations %08x\n",
		hv->identity.privileges, hv->identity.features, hv->identity.hints);
	if (check(hv->identity.is_present, "a hypervisor with the interface Hv#1",
		    "leaf 0x40000001 says otherwise"))
		test_main();
	bare_printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	if (bare_option("hold", NULL)) {
		/* For those who look at the host's counters meanwhile; they end the machine. */
		bare_interrupts_off();
		for (;;)
			__asm__ volatile("hlt");
	}
	return failed > 0;
}

/* ---- hypercalls and MSRs ------------------------------------------------------------------- */

bool test_hypercalls(const char *name)
{
	const struct winhv *hv = &bare.vps[0].hv;

	if (!test_has(HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS)) {
		skip(name, "AccessHypercallMsrs is not promised");
		return false;
	}
	const int error = bare_hypercall_enable(TEST_OS_ID);
	if (!error && hv->code.va)
		return true;
	return check(false, name, "hypercall page: error %d", error);
}

struct call {
	uint64_t control, input, output, result;
	struct winhv_xmm *xmm;
};

static void call_make(void *ctx)
{
	struct call *call = ctx;
	struct winhv *hv = bare_winhv();

	if (hv->ops->hypercall(hv->ctx, hv->vp, call->control, call->input, call->output, call->xmm,
		    &call->result))
		call->result = TEST_FAULTED;
}

uint64_t test_call(
	uint64_t control, uint64_t input, uint64_t output, struct winhv_xmm *xmm, uint8_t *fault)
{
	struct call call = {control, input, output, TEST_FAULTED, xmm};
	struct bare_fault caught = {0};

	if (!bare_try(call_make, &call, &caught))
		call.result = TEST_FAULTED;
	if (fault)
		*fault = caught.vector;
	return call.result;
}

uint16_t test_status(uint64_t control, uint64_t input, uint64_t output)
{
	return (uint16_t)test_call(control, input, output, NULL, NULL);
}

bool test_is_filled(const volatile uint8_t *page, uint8_t with)
{
	for (size_t i = 0; i < BARE_PAGE_BYTES; i++)
		if (page[i] != with)
			return false;
	return true;
}

bool test_read(uint32_t msr, uint64_t *value)
{
	return bare_rdmsr(msr, value) == 0;
}

bool test_write(uint32_t msr, uint64_t value)
{
	return bare_wrmsr(msr, value) == 0;
}

/* ---- the test device ----------------------------------------------------------------------- */

void test_device(uint32_t command, uint32_t vp, uint32_t sint, uint32_t connection)
{
	bare_out32(DEVICE_PORT, sint | vp << 8 | command << 16 | connection << 24);
}

bool test_device_exists(void)
{
	const uint32_t connection = 0xfe, sint = 15;
	struct winhv *hv = bare_winhv();
	uint16_t status = 0;

	/* The SINT must take events first: some hosts end the machine otherwise. */
	test_count_vector(PROBE_VECTOR, true);
	if (winhv_synic_enable(hv, hv->vp, sint, PROBE_VECTOR))
		return false;
	test_device(TEST_DEVICE_EVT_CREATE, hv->vp, sint, connection);
	const int error = winhv_hypercall_fast(
		hv, HV_CALL_SIGNAL_EVENT, hv_signal_event_fast(connection, 0), 0, &status);
	if (!error && status == HV_STATUS_SUCCESS)
		(void)test_interrupts_reach(hv->vp, PROBE_VECTOR, 1);
	test_device(TEST_DEVICE_EVT_DESTROY, hv->vp, sint, connection);
	(void)winhv_events_take(hv, hv->vp, sint, connection / 64);
	(void)test_write(HV_X64_MSR_SINT0 + sint, HV_SINT_RESET);
	return !error && status == HV_STATUS_SUCCESS;
}

/* ---- interrupts ---------------------------------------------------------------------------- */

static bool silent[256];

static void count(struct bare_frame *frame, void *ctx)
{
	const uint8_t vector = (uint8_t)frame->vector;

	(void)ctx;
	test_interrupts[bare_vp()->index][vector]++;
	if (!silent[vector])
		bare_apic_eoi();
}

void test_count_vector(unsigned vector, bool is_acknowledged)
{
	silent[vector] = !is_acknowledged;
	for (unsigned vp = 0; vp < BARE_VPS_MAX; vp++)
		test_interrupts[vp][vector] = 0;
	bare_vector_set(vector, count, NULL);
}

struct expected {
	uint32_t vp, count;
	unsigned vector;
};

static bool has_reached(void *ctx)
{
	const struct expected *expected = ctx;

	return test_interrupts[expected->vp][expected->vector] >= expected->count;
}

bool test_interrupts_reach(uint32_t vp, unsigned vector, uint32_t count_wanted)
{
	struct expected expected = {vp, count_wanted, vector};

	return bare_wait(has_reached, &expected, TEST_PATIENCE);
}
