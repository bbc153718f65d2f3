// SPDX-License-Identifier: Apache-2.0
/*
 * What each call of the hypervisor costs: makes one call after the other, some hundred
 * times each, and says how long one takes when nothing gets in the way.
 *
 *	"@next NN\n"		before each row of the table; then waits for a character, so
 *				that whoever counts exits from outside can read its counters
 *	"@cost NAME PICOSECONDS"	for each row, when all are done; "absent" where the
 *				hypervisor does not have it
 *
 * calls=N on the command line chooses how many; without wait it does not wait. Row 0 does
 * nothing: it is what the waiting and the loop cost.
 */
#include "tests/bare/bare_test.h"

#define CALLS_DEFAULT 100u
#define BATCH	      20u
#define CONNECTION    0x30u
#define NOBODY	      0x777777u
#define SINT	      7u
#define VECTOR	      0xb7u
#define UART	      0x3f8u
#define UART_STATUS   (UART + 5u)
#define UART_DATA     1u
#define POLL_100NS    (2 * TEST_MS) /* each look at the UART is an exit */
#define PORT_UNUSED   0xedu
#define COUNT_FAR     0x7fffffffffffffffull
#define ABSENT	      0xffffffffffffffffull

/* False: the hypervisor does not have it. */
typedef bool call_fn(struct winhv *hv, uint64_t argument);

static bool nothing(struct winhv *hv, uint64_t argument)
{
	(void)hv;
	(void)argument;
	return true;
}

static bool port_out(struct winhv *hv, uint64_t argument)
{
	(void)hv;
	bare_out8((uint16_t)argument, 0);
	return true;
}

static bool cpuid(struct winhv *hv, uint64_t argument)
{
	uint32_t out[4];
	(void)hv;
	bare_cpuid((uint32_t)argument, 0, out);
	return true;
}

static bool msr_read(struct winhv *hv, uint64_t argument)
{
	uint64_t value;
	(void)hv;
	return test_read((uint32_t)argument, &value);
}

/* Write what is there. */
static bool msr_write(struct winhv *hv, uint64_t argument)
{
	static uint32_t last;
	static uint64_t value;
	(void)hv;
	if (last != argument && !test_read((uint32_t)argument, &value))
		return false;
	last = (uint32_t)argument;
	return test_write(last, value);
}

static bool msr_zero(struct winhv *hv, uint64_t argument)
{
	(void)hv;
	return test_write((uint32_t)argument, 0);
}

static bool stimer_arm(struct winhv *hv, uint64_t argument)
{
	(void)hv;
	return test_write((uint32_t)argument, COUNT_FAR);
}

/* As a guest reads it: no exit where the page is valid. */
static bool time_page_read(struct winhv *hv, uint64_t argument)
{
	static volatile struct hv_reference_tsc_page_wire *page;
	(void)hv;
	if (!page && test_has(HV_PRIVILEGE_ACCESS_REFERENCE_TSC)) {
		page = bare_pages(1);
		if (!test_write((uint32_t)argument, (uintptr_t)page | HV_MSR_PAGE_ENABLE))
			return false;
	}
	if (!page || page->sequence == 0)
		return false;
	const uint64_t time = (uint64_t)((unsigned __int128)bare_tsc() * page->scale >> 64);
	return time + (uint64_t)page->offset != 0;
}

/* ---- hypercalls ---------------------------------------------------------------------------- */

static bool is_known(int error, uint16_t status)
{
	return error == 0 && status != HV_STATUS_INVALID_HYPERCALL_CODE &&
	       status != HV_STATUS_INVALID_HYPERCALL_INPUT && status != HV_STATUS_ACCESS_DENIED;
}

static bool unknown_call(struct winhv *hv, uint64_t argument)
{
	uint16_t status = 0;
	return winhv_hypercall_fast(hv, (uint16_t)argument, 0, 0, &status) == 0;
}

static bool signal_event(struct winhv *hv, uint64_t argument)
{
	return winhv_signal_event(hv, (uint32_t)argument, 0) >= 0;
}

static bool post_message(struct winhv *hv, uint64_t argument)
{
	uint16_t status = 0;
	const int error = winhv_post_message(hv, (uint32_t)argument, 1, "message", 8, &status);
	return is_known(error, status);
}

static bool flush_space(struct winhv *hv, uint64_t argument)
{
	uint16_t status = 0;
	const int error = winhv_flush(hv, false, 0, HV_FLUSH_ALL_ADDRESS_SPACES, argument, &status);
	return is_known(error, status);
}

static bool flush_list(struct winhv *hv, uint64_t argument)
{
	const uint64_t range = BARE_WINDOW;
	uint16_t done = 0, status = 0;
	const int error = winhv_flush_list(
		hv, false, 0, HV_FLUSH_ALL_ADDRESS_SPACES, argument, &range, 1, &done, &status);
	return is_known(error, status);
}

static bool send_ipi(struct winhv *hv, uint64_t argument)
{
	uint16_t status = 0;
	const int error = winhv_send_ipi(hv, true, VECTOR, argument, &status);
	return is_known(error, status);
}

static bool spin_wait(struct winhv *hv, uint64_t argument)
{
	uint16_t status = 0;
	const int error = winhv_notify_long_spin_wait(hv, (uint32_t)argument, &status);
	return is_known(error, status);
}

static bool registers_get(struct winhv *hv, uint64_t argument)
{
	const uint32_t name = (uint32_t)argument;
	struct hv_register_value_wire value;
	uint16_t done = 0, status = 0;
	const int error = winhv_registers_get(
		hv, HV_VP_INDEX_SELF, &name, 1, &value, &done, &status);
	return is_known(error, status);
}

static bool vp_index(struct winhv *hv, uint64_t argument)
{
	const uint32_t id = (uint32_t)argument;
	uint32_t vp;
	uint16_t done = 0, status = 0;
	const int error = winhv_vp_index_from_apic_id(hv, &id, 1, &vp, &done, &status);
	return is_known(error, status);
}

static bool capabilities(struct winhv *hv, uint64_t argument)
{
	uint64_t all;
	uint16_t status = 0;
	(void)argument;
	if (!test_has(HV_PRIVILEGE_ENABLE_EXTENDED_HYPERCALLS))
		return false;
	const int error = winhv_query_capabilities(hv, &all, &status);
	return is_known(error, status);
}

static bool apic_icr(struct winhv *hv, uint64_t argument)
{
	(void)hv;
	bare_apic_command((uint32_t)argument, VECTOR);
	return true;
}

/* ---- the table ----------------------------------------------------------------------------- */

static const struct row {
	const char *name;
	call_fn *call;
	uint64_t argument;
} rows[] = {
	{"nothing", nothing, 0},
	{"exit/port-out", port_out, PORT_UNUSED},
	{"exit/cpuid", cpuid, 0},
	{"exit/apic-icr", apic_icr, 1},
	{"hypercall/unknown", unknown_call, 0x7ff0},
	{"hypercall/signal-event", signal_event, CONNECTION},
	{"hypercall/signal-nobody", signal_event, NOBODY},
	{"hypercall/post-nobody", post_message, NOBODY},
	{"hypercall/flush-space", flush_space, 3},
	{"hypercall/flush-list", flush_list, 3},
	{"hypercall/send-ipi", send_ipi, 2},
	{"hypercall/long-spin-wait", spin_wait, 4096},
	{"hypercall/get-registers", registers_get, HV_REGISTER_VP_INDEX},
	{"hypercall/vp-index", vp_index, 0},
	{"hypercall/capabilities", capabilities, 0},
	{"time/tsc-page", time_page_read, HV_X64_MSR_REFERENCE_TSC},
	{"rdmsr/guest-os-id", msr_read, HV_X64_MSR_GUEST_OS_ID},
	{"rdmsr/hypercall", msr_read, HV_X64_MSR_HYPERCALL},
	{"rdmsr/vp-index", msr_read, HV_X64_MSR_VP_INDEX},
	{"rdmsr/vp-runtime", msr_read, HV_X64_MSR_VP_RUNTIME},
	{"rdmsr/time-ref-count", msr_read, HV_X64_MSR_TIME_REF_COUNT},
	{"rdmsr/reference-tsc", msr_read, HV_X64_MSR_REFERENCE_TSC},
	{"rdmsr/tsc-frequency", msr_read, HV_X64_MSR_TSC_FREQUENCY},
	{"rdmsr/apic-frequency", msr_read, HV_X64_MSR_APIC_FREQUENCY},
	{"rdmsr/tpr", msr_read, HV_X64_MSR_TPR},
	{"rdmsr/icr", msr_read, HV_X64_MSR_ICR},
	{"rdmsr/vp-assist-page", msr_read, HV_X64_MSR_VP_ASSIST_PAGE},
	{"rdmsr/scontrol", msr_read, HV_X64_MSR_SCONTROL},
	{"rdmsr/sint", msr_read, HV_X64_MSR_SINT0 + SINT},
	{"rdmsr/stimer-config", msr_read, HV_X64_MSR_STIMER0_CONFIG},
	{"rdmsr/stimer-count", msr_read, HV_X64_MSR_STIMER0_COUNT},
	{"rdmsr/crash-p0", msr_read, HV_X64_MSR_CRASH_P0},
	{"wrmsr/eoi", msr_zero, HV_X64_MSR_EOI},
	{"wrmsr/tpr", msr_zero, HV_X64_MSR_TPR},
	{"wrmsr/eom", msr_zero, HV_X64_MSR_EOM},
	{"wrmsr/sint", msr_write, HV_X64_MSR_SINT0 + SINT},
	{"wrmsr/stimer-count", stimer_arm, HV_X64_MSR_STIMER0_COUNT},
	{"wrmsr/crash-p0", msr_zero, HV_X64_MSR_CRASH_P0},
};
#define ROWS (sizeof rows / sizeof rows[0])

static uint64_t picoseconds[ROWS];

static void host_await(unsigned row)
{
	bare_printf("@next %02u\n", row);
	while (!(bare_in8(UART_STATUS) & UART_DATA))
		bare_pause(POLL_100NS);
	(void)bare_in8(UART);
}

/* What one call takes in the quickest batch: others are slowed by whatever else runs. */
static uint64_t row_measure(const struct row *row, uint32_t calls)
{
	struct winhv *hv = bare_winhv();
	uint64_t least = ABSENT;

	if (!row->call(hv, row->argument))
		return ABSENT;
	uint32_t left = calls > 1 ? calls - 1 : 0;
	for (;;) {
		const uint32_t batch = left < BATCH ? left : BATCH;
		if (batch == 0)
			break;
		const uint64_t start = bare_tsc();
		for (uint32_t i = 0; i < batch; i++)
			(void)row->call(hv, row->argument);
		const uint64_t cycles = (bare_tsc() - start) / batch;
		least = cycles < least ? cycles : least;
		left -= batch;
	}
	return least * 1000000 / (bare.tsc_hz / 1000000);
}

static uint32_t calls_wanted(void)
{
	const char *text;
	uint32_t calls = 0;

	if (bare_option("calls=", &text))
		for (; *text >= '0' && *text <= '9' && calls < 100000; text++)
			calls = calls * 10 + (uint32_t)(*text - '0');
	return calls > 1 ? calls : CALLS_DEFAULT;
}

void test_main(void)
{
	const uint32_t calls = calls_wanted();
	const char *text;
	const bool is_waiting = bare_option("wait", &text);
	unsigned absent = 0;

	if (!test_hypercalls("hypercalls"))
		return;
	test_count_vector(VECTOR, true);
	(void)winhv_synic_enable(bare_winhv(), 0, SINT, VECTOR);
	test_device(TEST_DEVICE_EVT_CREATE, 0, SINT, CONNECTION);
	for (unsigned i = 0; i < ROWS; i++) {
		if (is_waiting)
			host_await(i);
		picoseconds[i] = row_measure(&rows[i], calls);
	}
	if (is_waiting)
		host_await(ROWS);
	test_device(TEST_DEVICE_EVT_DESTROY, 0, SINT, CONNECTION);
	for (unsigned i = 0; i < ROWS; i++) {
		absent += picoseconds[i] == ABSENT;
		if (picoseconds[i] == ABSENT)
			bare_printf("@cost %s absent\n", rows[i].name);
		else
			bare_printf("@cost %s %lu\n", rows[i].name, picoseconds[i]);
	}
	check(absent < ROWS, "calls could be measured", "none of %u", (unsigned)ROWS);
	bare_printf("@end\n");
}
