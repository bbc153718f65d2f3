// SPDX-License-Identifier: Apache-2.0
/*
 * winhv against a hypervisor that does not do what was asked, and one that acts between two
 * instructions: pages of the SynIC are read-only until the guest's first write, whose fault is the
 * moment at which the hypervisor acts.
 */
#include "guest/winhv/platform_scripted.h"

#include "protocol/errors.h"
#include "protocol/hypervisor.h"
#include "tests/harness.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES  64u
#define OS_ID  0x8100000000000001ull
#define SINT   2u
#define VECTOR 0x41u

static _Alignas(4096) uint8_t memory[PAGES * 4096];
static struct platform_scripted script;
static struct winhv_platform_ops ops;
static struct winhv hv;

/* Registers as they are written, and one that does not read back. */
static struct {
	uint32_t msr;
	uint64_t value;
} writes[64];
static unsigned write_count;
static uint64_t hypercall_cleared; /* bits that HYPERCALL reads as 0 */

static int write_noted(void *ctx, uint32_t vp, uint32_t msr, uint64_t value)
{
	if (write_count < 64) {
		writes[write_count].msr = msr;
		writes[write_count++].value = value;
	}
	return platform_scripted_ops.msr_write(ctx, vp, msr, value);
}

static int read_changed(void *ctx, uint32_t vp, uint32_t msr, uint64_t *value)
{
	const int error = platform_scripted_ops.msr_read(ctx, vp, msr, value);

	if (error == 0 && msr == HV_X64_MSR_HYPERCALL)
		*value &= ~hypercall_cleared;
	return error;
}

static void open_script(void)
{
	if (platform_scripted_init(&script, memory, sizeof memory, 1) != 0)
		abort();
	ops = platform_scripted_ops;
	ops.msr_write = write_noted;
	ops.msr_read = read_changed;
	write_count = 0;
	hypercall_cleared = 0;
	CU_ASSERT_EQUAL(winhv_init(&hv, &ops, &script, 1), 0);
}

static unsigned written_at(unsigned from, uint32_t msr, uint64_t value)
{
	while (from < write_count && (writes[from].msr != msr || writes[from].value != value))
		from++;
	return from;
}

/* R-REG-009: without an OS id the hypercall page cannot stay. */
static void the_page_goes_before_the_id(void)
{
	open_script();
	CU_ASSERT_EQUAL(winhv_hypercall_enable(&hv, OS_ID), 0);
	const unsigned id = written_at(0, HV_X64_MSR_GUEST_OS_ID, OS_ID);
	CU_ASSERT_TRUE(id < write_count);
	for (unsigned i = 0; i < id; i++)
		CU_ASSERT_NOT_EQUAL(writes[i].msr, HV_X64_MSR_HYPERCALL);
	const unsigned end = write_count;
	winhv_shutdown(&hv);
	const unsigned page_gone = written_at(end, HV_X64_MSR_HYPERCALL, 0);
	const unsigned id_gone = written_at(end, HV_X64_MSR_GUEST_OS_ID, 0);
	CU_ASSERT_TRUE(page_gone < id_gone && id_gone < write_count);
	CU_ASSERT_EQUAL(script.pages_used, 0);
}

/* And what it was given stays with it. */
static void a_page_that_is_not_enabled_is_not_used(void)
{
	static const uint64_t cleared[] = {HV_MSR_PAGE_ENABLE, 0x1000, HV_MSR_PAGE_ADDRESS_MASK};

	for (unsigned i = 0; i < 3; i++) {
		open_script();
		hypercall_cleared = cleared[i];
		const int error = winhv_hypercall_enable(&hv, OS_ID);
		if (error == 0) { /* that bit of the address was 0 */
			CU_ASSERT_EQUAL(hv.code.gpa & cleared[i], 0);
		} else {
			CU_ASSERT_EQUAL(error, -VIRIDIAN_EPROTO);
		}
		if (cleared[i] == HV_MSR_PAGE_ENABLE) {
			CU_ASSERT_EQUAL(error, -VIRIDIAN_EPROTO);
			CU_ASSERT_EQUAL(hv.pages_abandoned, 1);
		}
		winhv_shutdown(&hv);
	}
}

/* ---- between two instructions ------------------------------------------------------------------
 */

static uint8_t *guarded; /* a page; NULL: none */
static size_t act_at;
static uint8_t act_bits;
static unsigned acts;

static void on_fault(int number, siginfo_t *info, void *context)
{
	const uint8_t *at = info->si_addr;
	(void)context;
	if (guarded == NULL || at < guarded || at >= guarded + 4096 ||
		mprotect(guarded, 4096, PROT_READ | PROT_WRITE) != 0) {
		signal(number, SIG_DFL);
		return;
	}
	guarded[act_at] |= act_bits;
	guarded = NULL;
	acts++;
}

/* At the guest's first write to the page, set `bits` at `at` just before it. */
static void act_before_the_write(uint8_t *page, size_t at, uint8_t bits)
{
	const struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	CU_ASSERT_EQUAL_FATAL(sigaction(SIGSEGV, &action, NULL), 0);
	act_at = at;
	act_bits = bits;
	acts = 0;
	guarded = page;
	CU_ASSERT_EQUAL_FATAL(mprotect(page, 4096, PROT_READ), 0);
}

static void open_guest(void)
{
	open_script();
	CU_ASSERT_EQUAL(winhv_hypercall_enable(&hv, OS_ID), 0);
	CU_ASSERT_EQUAL(winhv_synic_enable(&hv, 0, SINT, VECTOR), 0);
}

/* R-SYNIC-010: the next message came after this one was read and before its slot was empty. */
static void a_message_that_waits_from_the_last_moment_on_is_asked_for(void)
{
	struct winhv_message message;

	open_guest();
	CU_ASSERT_EQUAL(platform_scripted_message(&script, 0, SINT, 1, "abc", 3), 0);
	act_before_the_write(hv.synic[0].messages.va,
		SINT * HV_MESSAGE_BYTES + offsetof(struct hv_message_wire, flags),
		HV_MESSAGE_FLAG_PENDING);
	CU_ASSERT_TRUE(winhv_message_take(&hv, 0, SINT, &message));
	signal(SIGSEGV, SIG_DFL);
	CU_ASSERT_EQUAL(acts, 1);
	CU_ASSERT_EQUAL(message.bytes, 3);
	CU_ASSERT_EQUAL(script.vps[0].eom_writes, 1);
	winhv_shutdown(&hv);
	CU_ASSERT_EQUAL(script.pages_used, 0);
}

/* R-SYNIC-013. */
static void a_flag_that_is_set_meanwhile_is_not_lost(void)
{
	open_guest();
	CU_ASSERT_EQUAL(platform_scripted_event(&script, 0, SINT, 5), 0);
	const uint64_t *word = (const uint64_t *)(const void *)(hv.synic[0].events.va + SINT * 256);
	act_before_the_write(hv.synic[0].events.va, SINT * 256 + 1, 1u << 1);
	const uint64_t taken = winhv_events_take(&hv, 0, SINT, 0);
	signal(SIGSEGV, SIG_DFL);
	CU_ASSERT_EQUAL(acts, 1);
	CU_ASSERT_EQUAL(taken | *word, 1ull << 5 | 1ull << 9);
	CU_ASSERT_EQUAL(taken & *word, 0);
	winhv_shutdown(&hv);
}

static const struct test tests[] = {
	TEST(the_page_goes_before_the_id),
	TEST(a_page_that_is_not_enabled_is_not_used),
	TEST(a_message_that_waits_from_the_last_moment_on_is_asked_for),
	TEST(a_flag_that_is_set_meanwhile_is_not_lost),
};

TEST_MAIN("winhv_edge", tests)
