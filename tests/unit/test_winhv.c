// SPDX-License-Identifier: Apache-2.0
/*
 * winhv over the scripted platform: detection, hypercalls, SynIC, messages, events,
 * a hostile host; the scripted platform's own promises; and the bare platform as far
 * as a program can run it: CPUID, the calling convention, faulting MSRs.
 */
#include "guest/winhv/platform_bare_x86.h"
#include "guest/winhv/platform_scripted.h"

#include "protocol/errors.h"
#include "protocol/hypervisor.h"
#include "tests/harness.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define PAGES  64u
#define OS_ID  0x8100000000000001ull
#define SINT   2u
#define VECTOR 0x41u

static _Alignas(4096) uint8_t memory[PAGES * 4096];
static struct platform_scripted script;
static struct winhv hv;

static void open_script(uint32_t vp_count)
{
	if (platform_scripted_init(&script, memory, sizeof memory, vp_count) != 0)
		abort();
}

static void open_guest(void)
{
	open_script(2);
	CU_ASSERT_EQUAL(winhv_init(&hv, &platform_scripted_ops, &script, 2), 0);
	CU_ASSERT_EQUAL(winhv_hypercall_enable(&hv, OS_ID), 0);
	CU_ASSERT_EQUAL(winhv_synic_enable(&hv, 0, SINT, VECTOR), 0);
}

static void close_guest(void)
{
	winhv_shutdown(&hv);
	CU_ASSERT_EQUAL(script.pages_used, 0);
	CU_ASSERT_EQUAL(hv.pages_abandoned, 0);
}

/* ---- detection ----------------------------------------------------------------------------- */

static void absent_hypervisor_is_reported_not_assumed(void)
{
	open_script(1);
	script.is_absent = true;
	CU_ASSERT_EQUAL(winhv_init(&hv, &platform_scripted_ops, &script, 1), 0);
	CU_ASSERT_FALSE(hv.identity.is_present);
	CU_ASSERT_EQUAL(script.pages_used, 0);
	CU_ASSERT_EQUAL(winhv_hypercall_enable(&hv, OS_ID), -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(winhv_synic_enable(&hv, 0, SINT, VECTOR), -VIRIDIAN_ENODEV);
	uint16_t status;
	CU_ASSERT_EQUAL(winhv_post_message(&hv, 1, 1, "x", 1, &status), -VIRIDIAN_ENODEV);
	winhv_shutdown(&hv);
}

static void identity_is_what_cpuid_says(void)
{
	open_script(3);
	CU_ASSERT_EQUAL(winhv_init(&hv, &platform_scripted_ops, &script, 3), 0);
	CU_ASSERT_TRUE(hv.identity.is_present);
	CU_ASSERT_STRING_EQUAL((char *)hv.identity.vendor, "Scripted Hv ");
	CU_ASSERT_EQUAL(hv.identity.privileges, script.privileges);
	CU_ASSERT_EQUAL(hv.identity.vp_max, 3);
	CU_ASSERT_EQUAL(winhv_init(&hv, &platform_scripted_ops, &script, 0), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(winhv_init(&hv, &platform_scripted_ops, &script, 65), -VIRIDIAN_EINVAL);
}

static void missing_privileges_are_not_worked_around(void)
{
	open_script(1);
	script.privileges &= ~(HV_PRIVILEGE_ACCESS_SYNIC | HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS);
	CU_ASSERT_EQUAL(winhv_init(&hv, &platform_scripted_ops, &script, 1), 0);
	CU_ASSERT_EQUAL(winhv_hypercall_enable(&hv, OS_ID), -VIRIDIAN_ENOTSUP);
	CU_ASSERT_EQUAL(winhv_synic_enable(&hv, 0, SINT, VECTOR), -VIRIDIAN_ENOTSUP);
	close_guest();
}

/* ---- start and end ------------------------------------------------------------------------- */

static void start_and_end_leave_nothing_behind(void)
{
	open_guest();
	CU_ASSERT_EQUAL(script.guest_os_id, OS_ID);
	CU_ASSERT_EQUAL(script.hypercall_msr, hv.code.gpa | 1);
	CU_ASSERT_EQUAL(script.vps[0].simp, hv.synic[0].messages.gpa | 1);
	CU_ASSERT_EQUAL(script.vps[0].siefp, hv.synic[0].events.gpa | 1);
	CU_ASSERT_EQUAL(script.vps[0].sint[SINT], VECTOR);
	CU_ASSERT_EQUAL(script.vps[0].sint[SINT + 1], HV_SINT_RESET);
	CU_ASSERT_EQUAL(script.vps[1].simp, 0);
	CU_ASSERT_EQUAL(winhv_synic_enable(&hv, 0, 3, VECTOR + 1), 0); /* no more pages */
	CU_ASSERT_EQUAL(script.pages_used, 5);
	winhv_synic_disable(&hv, 0);
	CU_ASSERT_EQUAL(script.vps[0].sint[SINT], HV_SINT_RESET);
	CU_ASSERT_EQUAL(script.vps[0].sint[3], HV_SINT_RESET);
	CU_ASSERT_EQUAL(script.vps[0].simp & 1, 0);
	CU_ASSERT_EQUAL(script.pages_used, 3);
	winhv_synic_disable(&hv, 0);
	close_guest();
	CU_ASSERT_EQUAL(script.guest_os_id, 0);
	CU_ASSERT_EQUAL(script.hypercall_msr, 0);
}

static void bad_arguments_are_refused(void)
{
	open_guest();
	CU_ASSERT_EQUAL(winhv_synic_enable(&hv, 2, SINT, VECTOR), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(winhv_synic_enable(&hv, 0, 16, VECTOR), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(winhv_synic_enable(&hv, 0, SINT, 15), -VIRIDIAN_EINVAL);
	struct winhv_message message;
	CU_ASSERT_FALSE(winhv_message_take(&hv, 2, SINT, &message));
	CU_ASSERT_FALSE(winhv_message_take(&hv, 0, 16, &message));
	CU_ASSERT_FALSE(winhv_message_take(&hv, 1, SINT, &message)); /* not enabled */
	CU_ASSERT_EQUAL(winhv_events_take(&hv, 0, SINT, 32), 0);
	CU_ASSERT_EQUAL(winhv_events_take(&hv, 1, SINT, 0), 0);
	uint8_t payload[241] = {0};
	uint16_t status;
	CU_ASSERT_EQUAL(winhv_post_message(&hv, 1, 1, payload, 241, &status), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(winhv_hypercall(&hv, 9, memory, 4097, NULL, 0, &status), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(winhv_hypercall(&hv, 9, NULL, 0, memory, 4097, &status), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(winhv_hypercall_enable(&hv, 0), -VIRIDIAN_EINVAL);
	close_guest();
}

static void failed_allocations_undo_what_was_done(void)
{
	for (uint32_t allocations = 0; allocations < 4; allocations++) {
		open_script(1);
		script.allocs_left = allocations;
		int error = winhv_init(&hv, &platform_scripted_ops, &script, 1);
		if (!error)
			error = winhv_hypercall_enable(&hv, OS_ID);
		if (!error)
			error = winhv_synic_enable(&hv, 0, SINT, VECTOR);
		CU_ASSERT_EQUAL(error, -VIRIDIAN_ENOMEM);
		CU_ASSERT_EQUAL(hv.synic_enabled, 0);
		close_guest();
	}
}

static void failed_registers_undo_what_was_done(void)
{
	static const uint32_t msrs[] = {HV_X64_MSR_GUEST_OS_ID, HV_X64_MSR_SIMP, HV_X64_MSR_SIEFP,
		HV_X64_MSR_SCONTROL, HV_X64_MSR_SINT0 + SINT};

	for (size_t i = 0; i < sizeof msrs / sizeof msrs[0]; i++) {
		open_script(1);
		script.faulting_msr = msrs[i];
		CU_ASSERT_EQUAL(winhv_init(&hv, &platform_scripted_ops, &script, 1), 0);
		int error = winhv_hypercall_enable(&hv, OS_ID);
		if (!error)
			error = winhv_synic_enable(&hv, 0, SINT, VECTOR);
		CU_ASSERT_EQUAL(error, -VIRIDIAN_EINVAL);
		script.faulting_msr = 0;
		winhv_shutdown(&hv);
		CU_ASSERT_EQUAL(script.pages_used, hv.pages_abandoned);
	}
}

static void pages_are_abandoned_to_a_host_that_has_gone(void)
{
	open_guest();
	script.is_gone = true;
	winhv_shutdown(&hv);
	CU_ASSERT_EQUAL(hv.pages_abandoned, 3); /* code, messages, events */
	CU_ASSERT_EQUAL(script.pages_used, 3);
}

static void scontrol_is_set_only_if_it_is_clear(void)
{
	open_script(1);
	script.vps[0].scontrol = 0x10;
	CU_ASSERT_EQUAL(winhv_init(&hv, &platform_scripted_ops, &script, 1), 0);
	CU_ASSERT_EQUAL(winhv_synic_enable(&hv, 0, SINT, VECTOR), 0);
	CU_ASSERT_EQUAL(script.vps[0].scontrol, 0x11);
	winhv_shutdown(&hv);
}

static void reserved_bits_of_page_registers_are_kept(void)
{
	open_script(1);
	script.vps[0].simp = 0xabc2;
	CU_ASSERT_EQUAL(winhv_init(&hv, &platform_scripted_ops, &script, 1), 0);
	CU_ASSERT_EQUAL(winhv_synic_enable(&hv, 0, SINT, VECTOR), 0);
	CU_ASSERT_EQUAL(script.vps[0].simp, hv.synic[0].messages.gpa | 0xbc3);
	winhv_shutdown(&hv);
}

/* ---- hypercalls ---------------------------------------------------------------------------- */

static void post_message_has_the_documented_bytes(void)
{
	static const uint8_t expected[] = {
		0x01,
		0x00,
		0x00,
		0x00, /* connection 1 */
		0x00,
		0x00,
		0x00,
		0x00, /* reserved */
		0x01,
		0x00,
		0x00,
		0x00, /* type 1 */
		0x03,
		0x00,
		0x00,
		0x00, /* size */
		'a',
		'b',
		'c',
		0,
		0,
		0,
		0,
		0,
	};
	uint16_t status = 99;

	open_guest();
	memset(hv.hypercall.va, 0xff, 4096);
	CU_ASSERT_EQUAL(winhv_post_message(&hv, 1, 1, "abc", 3, &status), 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(memcmp(hv.hypercall.va, expected, sizeof expected), 0);
	/* R-HYP-005: the rest of the 256 bytes is zero. */
	unsigned nonzero = 0;
	for (unsigned i = 19; i < 256; i++)
		nonzero += hv.hypercall.va[i] != 0;
	CU_ASSERT_EQUAL(nonzero, 0);
	CU_ASSERT_EQUAL(platform_scripted_post(&script, 0)->bytes, 3);
	platform_scripted_post_status(&script, 0x13, 2);
	CU_ASSERT_EQUAL(winhv_post_message(&hv, 1, 1, NULL, 0, &status), 0);
	CU_ASSERT_EQUAL(status, 0x13);
	winhv_post_message(&hv, 1, 1, NULL, 0, &status);
	CU_ASSERT_EQUAL(status, 0x13);
	winhv_post_message(&hv, 1, 1, NULL, 0, &status);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(script.post_count, 4);
	CU_ASSERT_EQUAL(platform_scripted_post(&script, 1)->status, 0x13);
	CU_ASSERT_PTR_NULL(platform_scripted_post(&script, 4));
	close_guest();
}

static void signal_event_passes_id_and_flag(void)
{
	uint16_t status;

	open_guest();
	CU_ASSERT_EQUAL(winhv_signal_event(&hv, 0x2001, 7), 0);
	CU_ASSERT_EQUAL(script.signals[0].connection_id, 0x2001);
	CU_ASSERT_EQUAL(script.signals[0].flag_number, 7);
	script.signal_status = 0x12;
	CU_ASSERT_EQUAL(winhv_signal_event(&hv, 0x2001, 0), 0x12);
	CU_ASSERT_EQUAL(
		winhv_hypercall_fast(&hv, HV_CALL_SIGNAL_EVENT, 0x300002001ull, 0, &status), 0);
	CU_ASSERT_EQUAL(status, 0x12);
	CU_ASSERT_EQUAL(script.signals[2].flag_number, 3);
	script.is_gone = true;
	CU_ASSERT_EQUAL(winhv_signal_event(&hv, 0x2001, 0), -VIRIDIAN_ENODEV);
	winhv_shutdown(&hv);
}

/* A host for rep calls: does up to `step` elements a time, then says how many are done. */
struct rep_host {
	unsigned calls, step, fail_at;
	int lie; /* added to the count */
	uint16_t status;
};

static uint64_t rep_serve(void *ctx, struct platform_scripted *s, uint64_t control, uint64_t input,
	uint64_t output, struct winhv_xmm *xmm)
{
	struct rep_host *host = ctx;
	const unsigned count = control >> 32 & 0xfff;
	unsigned done = control >> 48 & 0xfff;
	const uint32_t *in = platform_scripted_at(s, input + 16, count * 4);
	uint64_t *out = platform_scripted_at(s, output, count * 16);

	(void)xmm;
	host->calls++;
	for (unsigned i = 0; i < host->step && done < count; i++, done++) {
		if (in[done] == host->fail_at)
			return hv_hypercall_result(5, (uint16_t)done);
		out[2 * done] = in[done] * 10ull;
	}
	return hv_hypercall_result(host->status, (uint16_t)((int)done + host->lie));
}

#define REPS 700u
static uint32_t rep_in[REPS];
static uint64_t rep_out[REPS][2];

static int rep_call(struct rep_host *host, uint16_t reps, uint16_t *done, uint16_t *status)
{
	const uint64_t header[2] = {UINT64_MAX, 0xfffffffe};

	script.ctx = host;
	script.on_hypercall = rep_serve;
	for (unsigned i = 0; i < REPS; i++)
		rep_in[i] = i + 1;
	memset(rep_out, 0, sizeof rep_out);
	return winhv_hypercall_rep(&hv, 0x50, header, sizeof header, rep_in, sizeof rep_in[0], reps,
		rep_out, sizeof rep_out[0], done, status);
}

static void long_lists_are_cut_into_pages(void)
{
	struct rep_host host = {.step = 4095};
	uint16_t done, status;

	open_guest();
	CU_ASSERT_EQUAL(rep_call(&host, REPS, &done, &status), 0);
	CU_ASSERT_EQUAL(done, REPS);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(host.calls, 3); /* 256 values fit a page of output */
	CU_ASSERT_EQUAL(rep_out[0][0], 10);
	CU_ASSERT_EQUAL(rep_out[256][0], 2570);
	CU_ASSERT_EQUAL(rep_out[REPS - 1][0], REPS * 10);
	close_guest();
}

static void rep_calls_are_continued_where_they_stopped(void)
{
	struct rep_host host = {.step = 100};
	uint16_t done, status;

	open_guest();
	CU_ASSERT_EQUAL(rep_call(&host, 256, &done, &status), 0);
	CU_ASSERT_EQUAL(done, 256);
	CU_ASSERT_EQUAL(host.calls, 3);
	CU_ASSERT_EQUAL(rep_out[255][0], 2560);
	host = (struct rep_host){.step = 100, .status = HV_STATUS_TIMEOUT};
	CU_ASSERT_EQUAL(rep_call(&host, 256, &done, &status), 0);
	CU_ASSERT_EQUAL(done, 256);
	CU_ASSERT_EQUAL(status, 0);
	close_guest();
}

/* R-HCALL-011. */
static void failed_element_ends_a_rep_call(void)
{
	struct rep_host host = {.step = 100, .fail_at = 300};
	uint16_t done, status;

	open_guest();
	CU_ASSERT_EQUAL(rep_call(&host, REPS, &done, &status), 0);
	CU_ASSERT_EQUAL(status, 5);
	CU_ASSERT_EQUAL(done, 299);
	CU_ASSERT_EQUAL(rep_out[298][0], 2990);
	CU_ASSERT_EQUAL(rep_out[299][0], 0);
	close_guest();
}

static void host_that_miscounts_is_refused(void)
{
	struct rep_host host = {.step = 100, .lie = 100};
	uint16_t done, status;

	open_guest();
	CU_ASSERT_EQUAL(rep_call(&host, 120, &done, &status), -VIRIDIAN_EPROTO); /* 200 > 120 */
	CU_ASSERT_EQUAL(done, 0);
	host = (struct rep_host){.step = 100, .lie = -100};
	CU_ASSERT_EQUAL(rep_call(&host, 120, &done, &status), -VIRIDIAN_EPROTO); /* no progress */
	host = (struct rep_host){.step = 0};
	CU_ASSERT_EQUAL(rep_call(&host, 1, &done, &status), -VIRIDIAN_EPROTO);
	CU_ASSERT_EQUAL(host.calls, 1); /* no endless loop */
	CU_ASSERT_EQUAL(rep_call(&host, 0, &done, &status), -VIRIDIAN_EINVAL);
	close_guest();
}

/* ---- messages ------------------------------------------------------------------------------ */

/* R-SYNIC-010. */
static void messages_are_taken_one_by_one(void)
{
	struct winhv_message message;

	open_guest();
	CU_ASSERT_FALSE(winhv_message_take(&hv, 0, SINT, &message));
	for (uint8_t i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(platform_scripted_message(&script, 0, SINT, 1, &i, 1), 0);
	for (uint8_t i = 0; i < 5; i++) {
		CU_ASSERT_TRUE(winhv_message_take(&hv, 0, SINT, &message));
		CU_ASSERT_EQUAL(message.type, 1);
		CU_ASSERT_EQUAL(message.bytes, 1);
		CU_ASSERT_EQUAL(message.payload[0], i);
	}
	CU_ASSERT_FALSE(winhv_message_take(&hv, 0, SINT, &message));
	CU_ASSERT_EQUAL(script.vps[0].eom_writes, 4); /* none after the last */
	close_guest();
}

static void message_too_long_is_taken_as_empty(void)
{
	struct winhv_message message;
	uint8_t *slot;

	open_guest();
	slot = platform_scripted_slot(&script, 0, SINT);
	memset(slot, 0xff, 256);
	CU_ASSERT_TRUE(winhv_message_take(&hv, 0, SINT, &message)); /* R-HYP-004 */
	CU_ASSERT_EQUAL(message.type, 0xffffffff);
	CU_ASSERT_EQUAL(message.bytes, 0);
	CU_ASSERT_FALSE(winhv_message_take(&hv, 0, SINT, &message));
	memset(slot, 0, 256);
	slot[0] = 1;
	slot[4] = 240;
	slot[255] = 0x77;
	CU_ASSERT_TRUE(winhv_message_take(&hv, 0, SINT, &message));
	CU_ASSERT_EQUAL(message.bytes, 240);
	CU_ASSERT_EQUAL(message.payload[239], 0x77);
	close_guest();
}

/* ---- events -------------------------------------------------------------------------------- */

/* R-SYNIC-013. */
static void event_flags_are_taken_by_words(void)
{
	open_guest();
	CU_ASSERT_EQUAL(platform_scripted_event(&script, 0, SINT, 1), 0);
	CU_ASSERT_EQUAL(platform_scripted_event(&script, 0, SINT, 63), 0);
	CU_ASSERT_EQUAL(platform_scripted_event(&script, 0, SINT, 2047), 0);
	CU_ASSERT_EQUAL(winhv_events_take(&hv, 0, SINT, 0), 1ull << 63 | 2);
	CU_ASSERT_EQUAL(winhv_events_take(&hv, 0, SINT, 0), 0);
	CU_ASSERT_EQUAL(winhv_events_take(&hv, 0, SINT, 31), 1ull << 63);
	CU_ASSERT_EQUAL(winhv_events_take(&hv, 0, SINT + 1, 0), 0);
	CU_ASSERT_EQUAL(platform_scripted_event(&script, 0, 3, 1), -VIRIDIAN_ENODEV); /* masked */
	CU_ASSERT_EQUAL(platform_scripted_event(&script, 0, SINT, 2048), -VIRIDIAN_ENODEV);
	close_guest();
}

/* ---- the scripted platform ----------------------------------------------------------------- */

static void answer_on_wait(void *ctx, struct platform_scripted *s, uint32_t vp)
{
	unsigned *turns = ctx;

	if (++*turns == 3)
		platform_scripted_message(s, vp, SINT, 1, "x", 1);
}

static void script_moves_its_clock_while_nothing_happens(void)
{
	uint32_t sints;
	unsigned turns = 0;

	open_guest();
	CU_ASSERT_EQUAL(winhv_time_100ns(&hv), 0);
	CU_ASSERT_EQUAL(winhv_wait(&hv, 0, 500, &sints), 0);
	CU_ASSERT_EQUAL(sints, 0);
	CU_ASSERT_EQUAL(winhv_time_100ns(&hv), 500);
	CU_ASSERT_EQUAL(winhv_wait(&hv, 0, 0, &sints), 0);
	CU_ASSERT_EQUAL(winhv_time_100ns(&hv), 500);

	script.ctx = &turns;
	script.on_wait = answer_on_wait;
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(winhv_wait(&hv, 0, 10, &sints), 0);
	CU_ASSERT_EQUAL(sints, 1u << SINT);
	CU_ASSERT_EQUAL(winhv_time_100ns(&hv), 520); /* the third found work */
	CU_ASSERT_EQUAL(winhv_wait(&hv, 0, 0, &sints), 0);
	CU_ASSERT_EQUAL(sints, 0);

	winhv_wait_arm(&hv, 0);
	CU_ASSERT_TRUE(script.vps[0].is_armed);
	winhv_wait_disarm(&hv, 0);
	CU_ASSERT_FALSE(script.vps[0].is_armed);
	close_guest();
}

static void endless_wait_of_a_script_ends(void)
{
	uint32_t sints;
	unsigned waits = 0;

	open_guest();
	while (winhv_wait(&hv, 0, UINT64_MAX, &sints) == 0)
		waits++;
	CU_ASSERT_EQUAL(waits, SCRIPTED_IDLE_WAITS_MAX - 1);
	CU_ASSERT_TRUE(script.is_gone);
}

static void script_refuses_bad_memory(void)
{
	CU_ASSERT_EQUAL(platform_scripted_init(&script, memory + 8, 8 * 4096, 1), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(platform_scripted_init(&script, memory, 7 * 4096, 1), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(platform_scripted_init(&script, memory, 8 * 4096, 5), -VIRIDIAN_EINVAL);
	open_script(1);
	CU_ASSERT_EQUAL(platform_scripted_message(&script, 1, 2, 1, "x", 1), -VIRIDIAN_EINVAL);
	CU_ASSERT_PTR_NULL(platform_scripted_at(&script, sizeof memory - 1, 2));
	CU_ASSERT_PTR_NULL(platform_scripted_slot(&script, 0, SINT));
	for (unsigned i = 0; i < SCRIPTED_QUEUE_MAX; i++)
		CU_ASSERT_EQUAL(platform_scripted_message(&script, 0, 2, 1, "x", 1), 0);
	CU_ASSERT_EQUAL(platform_scripted_message(&script, 0, 2, 1, "x", 1), -VIRIDIAN_ENOMEM);
}

/* ---- the bare platform --------------------------------------------------------------------- */

#if defined(__x86_64__)

static struct platform_bare bare;
static uint64_t bitmap[1];

static void open_bare(void)
{
	if (platform_bare_init(&bare, memory, sizeof memory, bitmap, sizeof bitmap) != 0)
		abort();
}

/* A page of machine code to stand for the hypercall page. */
static const void *code_page(const uint8_t *code, size_t bytes)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		abort();
	memcpy(page, code, bytes);
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	return page;
}

static void bare_cpuid_is_the_instruction(void)
{
	uint32_t leaf[4];

	open_bare();
	platform_bare_ops.cpuid(&bare, 0, 0, leaf);
	CU_ASSERT_TRUE(leaf[0] >= 1);
	CU_ASSERT_NOT_EQUAL(leaf[1], 0);
}

static void bare_hypercall_follows_the_calling_convention(void)
{
	/* lea rax, [rcx + rdx]; add rax, r8; xor r8d, r8d; ret */
	static const uint8_t sum[] = {
		0x48, 0x8d, 0x04, 0x11, 0x4c, 0x01, 0xc0, 0x45, 0x31, 0xc0, 0xc3};
	struct winhv_pages code = {.va = NULL};
	uint64_t result;

	open_bare();
	CU_ASSERT_EQUAL(
		platform_bare_ops.hypercall(&bare, 0, 1, 2, 3, NULL, &result), -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(platform_bare_ops.signal_event(&bare, 1, 0), -VIRIDIAN_ENODEV);
	const void *page = code_page(sum, sizeof sum);
	memcpy(&code.va, &page, sizeof page);
	platform_bare_ops.hypercall_page_set(&bare, &code);
	CU_ASSERT_EQUAL(platform_bare_ops.hypercall(&bare, 0, 0x100, 0x20, 0x3, NULL, &result), 0);
	CU_ASSERT_EQUAL(result, 0x123);
	CU_ASSERT_EQUAL(
		platform_bare_ops.hypercall(&bare, 1, 0, 0, 0, NULL, &result), -VIRIDIAN_ENOTSUP);
	/* Signal: 0x1005d in RCX, id and flag in RDX; the sum's low 16 bits come back. */
	CU_ASSERT_EQUAL(platform_bare_ops.signal_event(&bare, 0x2001, 1), 0x005d + 0x2001);
	platform_bare_ops.hypercall_page_set(&bare, NULL);
	CU_ASSERT_EQUAL(
		platform_bare_ops.hypercall(&bare, 0, 1, 2, 3, NULL, &result), -VIRIDIAN_ENODEV);
	munmap(code.va, 4096);
}

static void bare_hypercall_moves_xmm_both_ways(void)
{
	/* movq rax, xmm5; paddq xmm0, xmm1; ret */
	static const uint8_t add[] = {0x66, 0x48, 0x0f, 0x7e, 0xe8, 0x66, 0x0f, 0xd4, 0xc1, 0xc3};
	struct winhv_pages code = {.va = NULL};
	struct winhv_xmm xmm = {.word = {1, 2, 30, 40, 5, 6, 7, 8, 9, 10, 0x77, 12}};
	uint64_t result;

	open_bare();
	const void *page = code_page(add, sizeof add);
	memcpy(&code.va, &page, sizeof page);
	platform_bare_ops.hypercall_page_set(&bare, &code);
	CU_ASSERT_EQUAL(platform_bare_ops.hypercall(&bare, 0, 0, 0, 0, &xmm, &result), 0);
	CU_ASSERT_EQUAL(result, 0x77);
	CU_ASSERT_EQUAL(xmm.word[0], 31);
	CU_ASSERT_EQUAL(xmm.word[1], 42);
	CU_ASSERT_EQUAL(xmm.word[2], 30);
	CU_ASSERT_EQUAL(xmm.word[11], 12);
	munmap(code.va, 4096);
}

static unsigned faults_seen;

/* What an image's #GP handler does. */
static void on_fault(int number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;
	const uintptr_t resume = platform_bare_fixup((uintptr_t)user->uc_mcontext.gregs[REG_RIP]);

	(void)info;
	faults_seen++;
	if (resume == 0) {
		signal(number, SIG_DFL);
		return;
	}
	user->uc_mcontext.gregs[REG_RIP] = (greg_t)resume;
}

static void bare_msr_that_faults_is_an_error(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	struct sigaction before;
	uint64_t value;

	open_bare();
	faults_seen = 0;
	sigaction(SIGSEGV, &action, &before);
	/* Outside ring 0 every MSR faults. */
	CU_ASSERT_EQUAL(platform_bare_ops.msr_read(&bare, 0, HV_X64_MSR_VP_INDEX, &value),
		-VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(platform_bare_ops.msr_write(&bare, 0, HV_X64_MSR_EOM, 0), -VIRIDIAN_EINVAL);
	sigaction(SIGSEGV, &before, NULL);
	CU_ASSERT_EQUAL(faults_seen, 2);
	CU_ASSERT_EQUAL(platform_bare_fixup(0), 0);
	CU_ASSERT_EQUAL(
		platform_bare_ops.msr_read(&bare, 1, HV_X64_MSR_EOM, &value), -VIRIDIAN_ENOTSUP);
}

static void bare_pages_come_from_the_pool(void)
{
	struct winhv_pages a, b;

	CU_ASSERT_EQUAL(platform_bare_init(&bare, memory, 65 * 4096, bitmap, sizeof bitmap),
		-VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(platform_bare_init(&bare, memory + 1, 4096, bitmap, sizeof bitmap),
		-VIRIDIAN_EINVAL);
	open_bare();
	memory[0] = 0xff;
	CU_ASSERT_EQUAL(platform_bare_ops.pages_alloc(&bare, (PAGES - 1) * 4096, &a), 0);
	CU_ASSERT_EQUAL(a.gpa, (uintptr_t)memory);
	CU_ASSERT_EQUAL(a.va[0], 0);
	CU_ASSERT_EQUAL(platform_bare_ops.pages_alloc(&bare, 2 * 4096, &b), -VIRIDIAN_ENOMEM);
	CU_ASSERT_EQUAL(platform_bare_ops.pages_alloc(&bare, 4096, &b), 0);
	CU_ASSERT_EQUAL(platform_bare_ops.pages_alloc(&bare, 4096, &b), -VIRIDIAN_ENOMEM);
	platform_bare_ops.pages_free(&bare, &a);
	CU_ASSERT_EQUAL(platform_bare_ops.pages_alloc(&bare, 2 * 4096, &b), 0);
	CU_ASSERT_EQUAL(platform_bare_ops.pages_alloc(&bare, 4095, &b), -VIRIDIAN_EINVAL);
}

static void bare_interrupts_are_collected(void)
{
	uint32_t sints;

	open_bare();
	CU_ASSERT_EQUAL(platform_bare_ops.wait(&bare, 0, 0, &sints), 0);
	CU_ASSERT_EQUAL(sints, 0);
	platform_bare_interrupt(&bare, 1u << SINT);
	platform_bare_interrupt(&bare, 1u << 1);
	CU_ASSERT_EQUAL(platform_bare_ops.wait(&bare, 0, UINT64_MAX, &sints), 0);
	CU_ASSERT_EQUAL(sints, 6);
	CU_ASSERT_EQUAL(platform_bare_ops.wait(&bare, 1, 0, &sints), -VIRIDIAN_ENOTSUP);
}

#endif

static const struct test tests[] = {
	TEST(absent_hypervisor_is_reported_not_assumed),
	TEST(identity_is_what_cpuid_says),
	TEST(missing_privileges_are_not_worked_around),
	TEST(start_and_end_leave_nothing_behind),
	TEST(bad_arguments_are_refused),
	TEST(failed_allocations_undo_what_was_done),
	TEST(failed_registers_undo_what_was_done),
	TEST(pages_are_abandoned_to_a_host_that_has_gone),
	TEST(scontrol_is_set_only_if_it_is_clear),
	TEST(reserved_bits_of_page_registers_are_kept),
	TEST(post_message_has_the_documented_bytes),
	TEST(signal_event_passes_id_and_flag),
	TEST(long_lists_are_cut_into_pages),
	TEST(rep_calls_are_continued_where_they_stopped),
	TEST(failed_element_ends_a_rep_call),
	TEST(host_that_miscounts_is_refused),
	TEST(messages_are_taken_one_by_one),
	TEST(message_too_long_is_taken_as_empty),
	TEST(event_flags_are_taken_by_words),
	TEST(script_moves_its_clock_while_nothing_happens),
	TEST(endless_wait_of_a_script_ends),
	TEST(script_refuses_bad_memory),
#if defined(__x86_64__)
	TEST(bare_cpuid_is_the_instruction),
	TEST(bare_hypercall_follows_the_calling_convention),
	TEST(bare_hypercall_moves_xmm_both_ways),
	TEST(bare_msr_that_faults_is_an_error),
	TEST(bare_pages_come_from_the_pool),
	TEST(bare_interrupts_are_collected),
#endif
};

TEST_MAIN("winhv", tests)
