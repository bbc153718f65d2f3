// SPDX-License-Identifier: Apache-2.0
/*
 * A guest that does to its hypervisor what no guest should, on all VPs at once, and must find
 * it in order afterwards: wrong registers, ports and addresses where nothing is, interrupts
 * whose vectors change under way, timers of the shortest period, VPs that flush each other,
 * and resets in the middle of all of it.
 *
 * A word die=WAY on the command line ends it, by triple fault ("triple") or by code where
 * there is no memory ("nowhere").
 * What the next start must know is in memory, which a reset does not change.
 */
#include "tests/bare/bare_test.h"

#define NOTE	     0x3000000ull /* 48 MiB: far from what is allocated from the image up */
#define NOTE_MAGIC   0x454c4954534f48ull
#define PAGES	     (NOTE + BARE_PAGE_BYTES)
#define NOWHERE	     0xd0000000ull
#define VECTOR_NMI   2u
#define VECTOR	     0xc0u
#define COMMAND_INIT 0x4500u
#define COMMAND_NMI  0x4400u
#define PORT_NOWHERE 0x0cf0u
#define PORT_COM1    0x3f8u
#define PORT_RESET   0x604u
#define PORT_DEVICE  0x3000u
#define STRING_BYTES 4096u

struct note {
	uint64_t magic;
	uint32_t resets;
};

static volatile struct note *const note = (volatile struct note *)NOTE;

static void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

/* ---- where nothing is ------------------------------------------------------------------------ */

static void ins(uint16_t port, void *to, unsigned width, uint64_t count)
{
	if (width == 1)
		__asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(port) : "memory");
	else if (width == 2)
		__asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(port) : "memory");
	else
		__asm__ volatile("rep insl" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}

static void outs(uint16_t port, const void *from, unsigned width, uint64_t count)
{
	if (width == 1)
		__asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(port) : "memory");
	else if (width == 2)
		__asm__ volatile("rep outsw" : "+S"(from), "+c"(count) : "d"(port) : "memory");
	else
		__asm__ volatile("rep outsl" : "+S"(from), "+c"(count) : "d"(port) : "memory");
}

static void ports(void)
{
	static const uint16_t ends[] = {PORT_NOWHERE, PORT_COM1 - 1, PORT_COM1 + 6, PORT_RESET - 1,
		PORT_DEVICE - 1, PORT_DEVICE + 3, 0xfffc};
	uint8_t *page = bare_pages(1);
	bool all = true;

	for (unsigned width = 1; width <= 4; width *= 2) {
		__builtin_memset(page, 0, BARE_PAGE_BYTES);
		ins(PORT_NOWHERE, page, width, BARE_PAGE_BYTES / width);
		all = all && test_is_filled(page, 0xff);
	}
	check(all, "strings of a page from a port where nothing is are ones", "others");
	for (unsigned width = 2; width <= 4; width *= 2) {
		for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; i++) {
			ins(ends[i], page, width, 3);
			outs(ends[i], page, width, 3);
		}
	}
	check(true, "accesses that straddle the ends of devices are survived", "not");
}

static bool is_ones(uint64_t gpa)
{
	return *(volatile uint8_t *)gpa == 0xff && *(volatile uint16_t *)gpa == 0xffff &&
	       *(volatile uint32_t *)gpa == 0xffffffff &&
	       *(volatile uint64_t *)gpa == 0xffffffffffffffff;
}

static void addresses(void)
{
	static const uint64_t gpas[] = {NOWHERE, NOWHERE + 0xffc, 0xf8000000, 0xfffffff0};
	const uint64_t end = (bare.ram_bytes + 0x1fffff) & ~0x1fffffull;

	for (unsigned i = 0; i < sizeof gpas / sizeof gpas[0]; i++) {
		char name[64];
		*(volatile uint64_t *)gpas[i] = 0;
		bare_print_to(name, sizeof name, "no memory at 0x%lx reads as ones", gpas[i]);
		check(is_ones(gpas[i]), name, "others");
	}
	/* Half of it is memory. */
	*(volatile uint64_t *)(end - 4) = 0;
	check(*(volatile uint64_t *)(end - 4) == 0xffffffff00000000,
		"what straddles the end of memory is half ones", "0x%lx",
		*(volatile uint64_t *)(end - 4));
}

/* ---- registers ------------------------------------------------------------------------------- */

static void wrong_registers(void)
{
	static const struct {
		uint32_t name;
		uint64_t value;
	} wrong[] = {
		{HV_X64_REGISTER_CR0, 0xffffffff80000011},
		{HV_X64_REGISTER_CR0, 0x80000010}, /* paging without protection */
		{HV_X64_REGISTER_CR0, 0xa0000011}, /* NW without CD */
		{HV_X64_REGISTER_CR3, UINT64_MAX},
		{HV_X64_REGISTER_CR4, UINT64_MAX},
		{HV_X64_REGISTER_CR4, 0x2020}, /* VMXE */
		{HV_X64_REGISTER_EFER, UINT64_MAX},
		{HV_X64_REGISTER_EFER, 0x1d01}, /* SVME */
		{HV_X64_REGISTER_PAT, UINT64_MAX},
		{HV_X64_REGISTER_APIC_BASE, UINT64_MAX},
		{HV_X64_REGISTER_DR7, UINT64_MAX},
	};

	if (!test_has(HV_PRIVILEGE_ACCESS_VP_REGISTERS)) {
		skip("wrong values of registers", "registers are not offered");
		return;
	}
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const struct hv_set_register_wire set = {
			.name = wrong[i].name, .value.low = wrong[i].value};
		uint16_t status = 0xffff;
		uint16_t done = 0;
		char name[64];
		(void)winhv_registers_set(bare_winhv(), HV_VP_INDEX_SELF, &set, 1, &done, &status);
		bare_print_to(name, sizeof name, "register 0x%x cannot be 0x%lx", wrong[i].name,
			wrong[i].value);
		check(status == HV_STATUS_INVALID_REGISTER_VALUE, name,
			"status 0x%x in place of 0x50", status);
	}
}

/* ---- interrupts ------------------------------------------------------------------------------ */

/* A route is made, dropped, made anew; each interrupt comes at the vector of its time. */
static void vectors_that_change(void)
{
	bool all = true;
	unsigned failed = 0;

	if (!test_device_exists()) {
		skip("vectors that change", "no test device");
		return;
	}
	test_device(TEST_DEVICE_ROUTE_CREATE, 0, 7, 0);
	for (unsigned round = 0; round < 64 && all; round++) {
		const unsigned vector = VECTOR + round % 16;
		test_count_vector(vector, true);
		const uint32_t before = test_interrupts[0][vector];
		(void)test_write(HV_X64_MSR_SINT0 + 7, vector | (round & 1 ? HV_SINT_AUTO_EOI : 0));
		for (unsigned i = 1; i <= round % 7 + 1 && all; i++) {
			test_device(TEST_DEVICE_ROUTE_SET_SINT, 0, 7, 0);
			all = test_interrupts_reach(0, vector, before + i);
			failed = round << 8 | i;
		}
	}
	(void)test_write(HV_X64_MSR_SINT0 + 7, HV_SINT_MASKED | VECTOR);
	test_device(TEST_DEVICE_ROUTE_DESTROY, 0, 7, 0);
	check(all, "interrupts come at the vector that is set when they are raised",
		"in round %u not the %u.", failed >> 8, failed & 0xff);
}

static volatile uint32_t nmis;

static void on_nmi(struct bare_frame *frame, void *ctx)
{
	(void)frame;
	(void)ctx;
	nmis++;
}

static volatile bool is_idle, has_woken;

static void idle_with_interrupts_off(void *ctx)
{
	uint64_t value;

	(void)ctx;
	bare_interrupts_off();
	is_idle = true;
	(void)test_read(HV_X64_MSR_GUEST_IDLE, &value);
	has_woken = true;
	bare_interrupts_on();
}

static bool comes(volatile bool *what)
{
	const uint64_t start = winhv_time_100ns(bare_winhv());

	while (!*what && winhv_time_100ns(bare_winhv()) - start < TEST_PATIENCE)
		spin_pause();
	return *what;
}

static void nmi_in_idle(void)
{
	if (bare.vp_count < 2 || !test_has(HV_PRIVILEGE_ACCESS_GUEST_IDLE)) {
		skip("NMI to a VP that is idle", "needs two VPs and GUEST_IDLE");
		return;
	}
	bare_vector_set(VECTOR_NMI, on_nmi, NULL);
	bare_run_begin(1, idle_with_interrupts_off, NULL);
	(void)comes(&is_idle);
	const uint64_t start = winhv_time_100ns(bare_winhv());
	while (winhv_time_100ns(bare_winhv()) - start < TEST_SETTLE)
		spin_pause();
	bare_apic_command(bare.vps[1].apic_id, COMMAND_NMI);
	const bool is_awake = comes(&has_woken);
	check(is_awake && nmis == 1, "an NMI wakes a VP that is idle with interrupts off",
		"%u NMIs, %s", nmis, is_awake ? "awake" : "idle");
	if (!is_awake)
		bare_apic_command(bare.vps[1].apic_id, 0x4000 | BARE_VECTOR_WAKE);
	bare_run_wait(1);
	bare_vector_set(VECTOR_NMI, NULL, NULL);
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void timers_on(void *ctx)
{
	(void)ctx;
	for (uint32_t i = 0; i < HV_STIMER_COUNT; i++) {
		(void)test_write(HV_X64_MSR_STIMER0_CONFIG + 2 * i,
			HV_STIMER_ENABLED | HV_STIMER_PERIODIC | HV_STIMER_DIRECT_MODE |
				(uint64_t)VECTOR << HV_STIMER_VECTOR_SHIFT);
		(void)test_write(HV_X64_MSR_STIMER0_CONFIG + 2 * i + 1, 1);
	}
}

static void timers_off(void *ctx)
{
	(void)ctx;
	for (uint32_t i = 0; i < HV_STIMER_COUNT; i++)
		(void)test_write(HV_X64_MSR_STIMER0_CONFIG + 2 * i, 0);
}

static void timers_of_the_shortest_period(void)
{
	if (!test_has(HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMERS) ||
		!test_has_feature(HV_FEATURE_DIRECT_SYNTHETIC_TIMERS)) {
		skip("timers of the shortest period", "not offered");
		return;
	}
	test_count_vector(VECTOR, true);
	const uint32_t before = test_interrupts[0][VECTOR];
	bare_run_on_all(timers_on, NULL);
	const bool has_come = test_interrupts_reach(0, VECTOR, before + 20);
	bare_run_on_all(timers_off, NULL);
	check(has_come, "all timers of all VPs with a period of 100 ns leave time to go on",
		"%u interrupts", test_interrupts[0][VECTOR] - before);
}

/* ---- VPs against each other ------------------------------------------------------------------ */

static void flush_and_send(void *ctx)
{
	struct winhv *hv = bare_winhv();
	uint16_t status;

	(void)ctx;
	for (unsigned i = 0; i < 300; i++) {
		(void)winhv_flush(hv, false, 0,
			HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_ADDRESS_SPACES, 0, &status);
		(void)winhv_send_ipi(hv, true, VECTOR, (1ull << bare.vp_count) - 1, &status);
		(void)winhv_post_message(hv, 0x777777, 1, "x", 1, &status);
	}
}

static void overlays_that_move(void *ctx)
{
	const uint64_t first = bare_vp()->index;

	(void)ctx;
	for (unsigned i = 0; i < 300; i++) {
		(void)test_write(HV_X64_MSR_SIMP, (PAGES + (i + first) % 3 * BARE_PAGE_BYTES) | 1);
		(void)test_write(HV_X64_MSR_SIEFP, (PAGES + i % 3 * BARE_PAGE_BYTES) | 1);
		(void)test_write(
			HV_X64_MSR_VP_ASSIST_PAGE, (PAGES + i / 3 % 3 * BARE_PAGE_BYTES) | 1);
		(void)test_write(
			HV_X64_MSR_REFERENCE_TSC, (PAGES + i / 5 % 3 * BARE_PAGE_BYTES) | 1);
	}
	(void)test_write(HV_X64_MSR_SIMP, 0);
	(void)test_write(HV_X64_MSR_SIEFP, 0);
	(void)test_write(HV_X64_MSR_VP_ASSIST_PAGE, 0);
	(void)test_write(HV_X64_MSR_REFERENCE_TSC, 0);
}

static void all_at_once(void)
{
	uint8_t *pages = (uint8_t *)PAGES;
	bool all = true;

	test_count_vector(VECTOR, true);
	bare_run_on_all(flush_and_send, NULL);
	check(true, "VPs that flush and interrupt each other go on", "not");
	for (unsigned i = 0; i < 3; i++)
		__builtin_memset(pages + i * BARE_PAGE_BYTES, 0x11 * (int)(i + 1), BARE_PAGE_BYTES);
	bare_run_on_all(overlays_that_move, NULL);
	for (unsigned i = 0; i < 3; i++)
		all = all && test_is_filled(pages + i * BARE_PAGE_BYTES, (uint8_t)(0x11 * (i + 1)));
	check(all, "overlays of all VPs on three pages leave these as they were", "they changed");
}

/* ---- resets ---------------------------------------------------------------------------------- */

static void reset_by_port(void *ctx)
{
	(void)ctx;
	bare_interrupts_off();
	for (;;)
		outb(PORT_RESET, 6);
}

static void reset_by_msr(void *ctx)
{
	(void)ctx;
	bare_interrupts_off();
	for (;;)
		(void)test_write(HV_X64_MSR_RESET, 1);
}

/* An INIT that is on its way to the first VP, which waits in its host, is not for the next start.
 */
static void init_then_reset(void *ctx)
{
	(void)ctx;
	(void)comes(&is_idle);
	const uint64_t start = winhv_time_100ns(bare_winhv());
	while (winhv_time_100ns(bare_winhv()) - start < TEST_SETTLE)
		spin_pause();
	bare_apic_command(bare.vps[0].apic_id, COMMAND_INIT);
	reset_by_port(NULL);
}

static void write_for_ever(void *ctx)
{
	static const char zeros[STRING_BYTES];

	(void)ctx;
	for (;;)
		outs(PORT_COM1 + 7, zeros, 1, sizeof zeros);
}

static void ask_for_ever(void *ctx)
{
	static const uint32_t nothing[STRING_BYTES / 4];

	(void)ctx;
	for (;;)
		outs(PORT_DEVICE, nothing, 4, STRING_BYTES / 4);
}

static void (*const ways[])(void *ctx) = {
	init_then_reset,
	reset_by_port,
	reset_by_msr,
	write_for_ever,
	ask_for_ever,
};
#define WAYS (sizeof ways / sizeof ways[0])

static void reset_some_way(void)
{
	const uint32_t way = note->resets++;

	bare_printf("# reset %u\n", way);
	if (bare.vp_count > 1)
		bare_run_begin(1, ways[way], NULL);
	if (way == 0 && bare.vp_count > 1)
		idle_with_interrupts_off(NULL);
	else if (way >= 3)
		timers_on(NULL);
	const uint64_t start = winhv_time_100ns(bare_winhv());
	while (way >= 3 && winhv_time_100ns(bare_winhv()) - start < TEST_SETTLE)
		spin_pause();
	reset_by_msr(NULL);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void die(const char *way)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) no_table;

	bare_printf("# dies: %s\n", way);
	bare_interrupts_off();
	if (way[0] == 't')
		__asm__ volatile("lidt %0; ud2" : : "m"(no_table));
	if (way[0] == 'n')
		((void (*)(void))NOWHERE)();
	for (;;)
		spin_pause();
}

/* A state that no processor runs is refused with the register's value, and the guest goes on. */
static void state_that_no_processor_runs(void)
{
	/* Code of 64 and of 32 bits at once. */
	const struct hv_set_register_wire wrong = {
		.name = HV_X64_REGISTER_CS, .value.high = 0xe09b0010ffffffff};
	uint16_t status = 0;
	uint16_t done = 0;

	const int error = winhv_registers_set(
		bare_winhv(), HV_VP_INDEX_SELF, &wrong, 1, &done, &status);
	check(error == 0 && status == HV_STATUS_INVALID_REGISTER_VALUE && done == 0,
		"a state that no processor runs is refused", "error %d, status 0x%x, %u done",
		error, status, done);
}

void test_main(void)
{
	const char *way = NULL;

	if (!test_hypercalls("the hypercall page"))
		return;
	if (bare_option("die=", &way) && way)
		die(way);
	if (note->magic != NOTE_MAGIC) {
		note->resets = 0;
		note->magic = NOTE_MAGIC;
	}
	if (note->resets < WAYS)
		reset_some_way();
	state_that_no_processor_runs();
	check(note->resets == WAYS, "resets in the middle of everything start anew", "%u of them",
		note->resets);
	note->magic = 0;
	bare_interrupts_on();
	if (test_group("ports"))
		ports();
	if (test_group("addresses"))
		addresses();
	if (test_group("registers"))
		wrong_registers();
	if (test_group("vectors"))
		vectors_that_change();
	if (test_group("nmi"))
		nmi_in_idle();
	if (test_group("timers"))
		timers_of_the_shortest_period();
	if (test_group("together"))
		all_at_once();
}
