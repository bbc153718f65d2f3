// SPDX-License-Identifier: Apache-2.0
/*
 * Typed hypercalls (guest/winhv/calls.h) over the scripted platform: control words and
 * parameter bytes in memory and in registers, as the TLFS lays them out; outputs; and what
 * does not fit.
 */
#include "guest/winhv/calls.h"
#include "guest/winhv/platform_scripted.h"

#include "protocol/errors.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#define OS_ID 0x8100000000000001ull

static _Alignas(4096) uint8_t memory[32 * 4096];
static struct platform_scripted script;
static struct winhv hv;

/* What the host was asked, and what it answers. */
static uint64_t control, words[64], result, answer[4];
static uint64_t registers[2];
static struct winhv_xmm block;
static bool has_xmm;
static unsigned calls;

static uint64_t serve(void *ctx, struct platform_scripted *s, uint64_t value, uint64_t input,
	uint64_t output, struct winhv_xmm *xmm)
{
	(void)ctx;
	control = value;
	calls++;
	has_xmm = xmm != NULL;
	registers[0] = input;
	registers[1] = output;
	if (xmm) {
		block = *xmm;
		xmm->word[2] = answer[0];
	}
	if (value >> 16 & 1)
		return result;
	if (input)
		memcpy(words, platform_scripted_at(s, input, sizeof words), sizeof words);
	if (output)
		memcpy(platform_scripted_at(s, output, sizeof answer), answer, sizeof answer);
	return result;
}

static void open_guest(void)
{
	if (platform_scripted_init(&script, memory, sizeof memory, 1) != 0 ||
		winhv_init(&hv, &platform_scripted_ops, &script, 1) != 0 ||
		winhv_hypercall_enable(&hv, OS_ID) != 0)
		abort();
	script.on_hypercall = serve;
	result = 0;
	calls = 0;
	memset(words, 0xee, sizeof words);
	memset(&block, 0xee, sizeof block);
	memset(answer, 0, sizeof answer);
	memset(hv.hypercall.va, 0xee, 4096);
}

static void interrupt_in_memory_and_in_registers(void)
{
	uint16_t status = 99;

	open_guest();
	CU_ASSERT_EQUAL(winhv_send_ipi(&hv, false, 0xe3, 0x8000000000000005, &status), 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(control, 0x0b);
	CU_ASSERT_EQUAL(words[0], 0xe3);
	CU_ASSERT_EQUAL(words[1], 0x8000000000000005);
	CU_ASSERT_EQUAL(winhv_send_ipi(&hv, true, 0xe3, 5, &status), 0);
	CU_ASSERT_EQUAL(control, 0x1000b);
	CU_ASSERT_EQUAL(registers[0], 0xe3);
	CU_ASSERT_EQUAL(registers[1], 5);
	CU_ASSERT_FALSE(has_xmm);
	winhv_shutdown(&hv);
}

/* Banks 0 and 2: the mask 5, two words of variable header, ascending. */
static void interrupt_to_a_sparse_set(void)
{
	struct winhv_vp_set set = {0};
	uint16_t status;

	open_guest();
	winhv_vp_set_add(&set, 130);
	winhv_vp_set_add(&set, 3);
	winhv_vp_set_add(&set, 191);
	CU_ASSERT_EQUAL(winhv_send_ipi_ex(&hv, false, 0x40, &set, &status), 0);
	CU_ASSERT_EQUAL(control, 0x40015);
	CU_ASSERT_EQUAL(words[0], 0x40);
	CU_ASSERT_EQUAL(words[1], 0);
	CU_ASSERT_EQUAL(words[2], 5);
	CU_ASSERT_EQUAL(words[3], 8);
	CU_ASSERT_EQUAL(words[4], 0x8000000000000004);
	CU_ASSERT_EQUAL(winhv_send_ipi_ex(&hv, true, 0x40, &set, &status), 0);
	CU_ASSERT_EQUAL(control, 0x50015);
	CU_ASSERT_EQUAL(registers[0], 0x40);
	CU_ASSERT_EQUAL(registers[1], 0);
	CU_ASSERT_TRUE(has_xmm);
	CU_ASSERT_EQUAL(block.word[0], 5);
	CU_ASSERT_EQUAL(block.word[1], 8);
	CU_ASSERT_EQUAL(block.word[2], 0x8000000000000004);
	CU_ASSERT_EQUAL(block.word[3], 0);
	winhv_shutdown(&hv);
}

static void interrupt_to_all_has_no_banks(void)
{
	struct winhv_vp_set set = {.is_all = true, .bank_mask = 7};
	uint16_t status;

	open_guest();
	CU_ASSERT_EQUAL(winhv_send_ipi_ex(&hv, false, 0x40, &set, &status), 0);
	CU_ASSERT_EQUAL(control, 0x15);
	CU_ASSERT_EQUAL(words[1], 1);
	CU_ASSERT_EQUAL(words[2], 0);
	winhv_shutdown(&hv);
}

static void flush_of_a_space(void)
{
	struct winhv_vp_set set = {0};
	uint16_t status;

	open_guest();
	CU_ASSERT_EQUAL(winhv_flush(&hv, false, 0x1234000, 2, 9, &status), 0);
	CU_ASSERT_EQUAL(control, 0x02);
	CU_ASSERT_EQUAL(words[0], 0x1234000);
	CU_ASSERT_EQUAL(words[1], 2);
	CU_ASSERT_EQUAL(words[2], 9);
	CU_ASSERT_EQUAL(winhv_flush(&hv, true, 0x1234000, 2, 9, &status), 0);
	CU_ASSERT_EQUAL(control, 0x10002);
	CU_ASSERT_EQUAL(registers[1], 2);
	CU_ASSERT_EQUAL(block.word[0], 9);
	winhv_vp_set_add(&set, 64);
	CU_ASSERT_EQUAL(winhv_flush_ex(&hv, false, 0x1234000, 2, &set, &status), 0);
	CU_ASSERT_EQUAL(control, 0x20013);
	CU_ASSERT_EQUAL(words[2], 0);
	CU_ASSERT_EQUAL(words[3], 2);
	CU_ASSERT_EQUAL(words[4], 1);
	winhv_shutdown(&hv);
}

static void flush_of_ranges(void)
{
	const uint64_t ranges[3] = {0x7000001, 0x8000000, 0x9000fff};
	struct winhv_vp_set set = {0};
	uint16_t status, done = 99;

	open_guest();
	result = 3ull << 32;
	CU_ASSERT_EQUAL(winhv_flush_list(&hv, false, 0, 2, 1, ranges, 3, &done, &status), 0);
	CU_ASSERT_EQUAL(done, 3);
	CU_ASSERT_EQUAL(control, 0x300000003);
	CU_ASSERT_EQUAL(memcmp(words + 3, ranges, sizeof ranges), 0);
	winhv_vp_set_add(&set, 0);
	CU_ASSERT_EQUAL(winhv_flush_list_ex(&hv, true, 0, 2, &set, ranges, 3, &done, &status), 0);
	CU_ASSERT_EQUAL(done, 3);
	CU_ASSERT_EQUAL(control, 0x300030014);
	CU_ASSERT_EQUAL(block.word[2], 1); /* the bank, then the ranges */
	CU_ASSERT_EQUAL(memcmp(block.word + 3, ranges, sizeof ranges), 0);
	winhv_shutdown(&hv);
}

static void registers_are_read(void)
{
	const uint32_t names[2] = {0x90003, 0x40002};
	struct hv_register_value_wire values[2] = {{0}};
	uint16_t status, done;

	open_guest();
	result = 2ull << 32;
	answer[0] = 7;
	answer[2] = 0x1000;
	answer[3] = 1;
	CU_ASSERT_EQUAL(winhv_registers_get(&hv, 0xfffffffe, names, 2, values, &done, &status), 0);
	CU_ASSERT_EQUAL(control, 0x200000050);
	CU_ASSERT_EQUAL(words[0], UINT64_MAX);
	CU_ASSERT_EQUAL(words[1], 0xfffffffe);
	CU_ASSERT_EQUAL(words[2], 0x4000200090003);
	CU_ASSERT_EQUAL(done, 2);
	CU_ASSERT_EQUAL(values[0].low, 7);
	CU_ASSERT_EQUAL(values[1].low, 0x1000);
	CU_ASSERT_EQUAL(values[1].high, 1);
	winhv_shutdown(&hv);
}

static void registers_are_written(void)
{
	const struct hv_set_register_wire two[2] = {
		{.name = 0xa0002, .value = {0x10041, 0}}, {.name = 0x30003, .value = {1, 2}}};
	uint16_t status, done;

	open_guest();
	result = 2ull << 32;
	CU_ASSERT_EQUAL(winhv_registers_set(&hv, 1, two, 2, &done, &status), 0);
	CU_ASSERT_EQUAL(control, 0x200000051);
	CU_ASSERT_EQUAL(words[1], 1);
	CU_ASSERT_EQUAL(words[2], 0xa0002);
	CU_ASSERT_EQUAL(words[3], 0);
	CU_ASSERT_EQUAL(words[4], 0x10041);
	CU_ASSERT_EQUAL(words[6], 0x30003);
	CU_ASSERT_EQUAL(words[9], 2);
	winhv_shutdown(&hv);
}

static void vp_indices_are_found_by_apic_id(void)
{
	const uint32_t ids[3] = {0, 4, 2};
	uint32_t vps[3] = {9, 9, 9};
	uint16_t status, done;

	open_guest();
	result = 3ull << 32;
	answer[0] = 0x100000000;
	answer[1] = 2;
	CU_ASSERT_EQUAL(winhv_vp_index_from_apic_id(&hv, ids, 3, vps, &done, &status), 0);
	CU_ASSERT_EQUAL(control, 0x30000009a);
	CU_ASSERT_EQUAL(words[0], UINT64_MAX);
	CU_ASSERT_EQUAL(words[1], 0);
	CU_ASSERT_EQUAL(words[2], 0x400000000);
	CU_ASSERT_EQUAL((uint32_t)words[3], 2);
	CU_ASSERT_EQUAL(vps[0], 0);
	CU_ASSERT_EQUAL(vps[1], 1);
	CU_ASSERT_EQUAL(vps[2], 2);
	winhv_shutdown(&hv);
}

static void small_calls(void)
{
	uint64_t capabilities = 0;
	uint32_t pending = 0;
	uint16_t status = 99;

	open_guest();
	CU_ASSERT_EQUAL(winhv_notify_long_spin_wait(&hv, 0xfff, &status), 0);
	CU_ASSERT_EQUAL(control, 0x10008);
	CU_ASSERT_EQUAL(registers[0], 0xfff);
	answer[0] = 3;
	CU_ASSERT_EQUAL(winhv_query_capabilities(&hv, &capabilities, &status), 0);
	CU_ASSERT_EQUAL(control, 0x8001);
	CU_ASSERT_EQUAL(registers[0], 0); /* no input */
	CU_ASSERT_EQUAL(capabilities, 3);
	CU_ASSERT_EQUAL(winhv_post_debug_data(&hv, "abcdefgh", 8, &pending, &status), 0);
	CU_ASSERT_EQUAL(control, 0x69);
	CU_ASSERT_EQUAL(words[0], 8);
	CU_ASSERT_EQUAL(memcmp(words + 1, "abcdefgh", 8), 0);
	CU_ASSERT_EQUAL(pending, 3);
	CU_ASSERT_EQUAL(winhv_post_debug_data(&hv, "", 4089, &pending, &status), -VIRIDIAN_EINVAL);
	winhv_shutdown(&hv);
}

/* 20 bytes of input leave XMM1.. for output. */
static void output_in_registers_is_behind_the_input(void)
{
	static const uint8_t input[20] = {1};
	uint64_t output[2] = {0};
	const struct winhv_call call = {.code = 0x77,
		.is_fast = true,
		.header = input,
		.header_bytes = sizeof input,
		.output = output,
		.output_bytes = sizeof output};
	uint16_t status;

	open_guest();
	answer[0] = 0xabcdef; /* in XMM1: RDX, R8 and XMM0 are the input's */
	CU_ASSERT_EQUAL(winhv_call(&hv, &call, NULL, &status), 0);
	CU_ASSERT_EQUAL(control, 0x10077);
	CU_ASSERT_EQUAL(registers[0], 1);
	CU_ASSERT_EQUAL(output[0], 0xabcdef);
	CU_ASSERT_EQUAL(output[1], 0);
	winhv_shutdown(&hv);
}

static void what_does_not_fit_is_not_sent(void)
{
	static const uint8_t big[4096] = {0};
	struct winhv_call call = {.code = 1, .is_fast = true, .header = big, .header_bytes = 113};
	struct winhv_vp_set set = {0};
	uint16_t status, done;

	open_guest();
	CU_ASSERT_EQUAL(winhv_call(&hv, &call, NULL, &status), -VIRIDIAN_EINVAL);
	call.header_bytes = 112;
	CU_ASSERT_EQUAL(winhv_call(&hv, &call, NULL, &status), 0);
	call.output = words;
	call.output_bytes = 8;
	CU_ASSERT_EQUAL(winhv_call(&hv, &call, NULL, &status), -VIRIDIAN_EINVAL);
	call = (struct winhv_call){.code = 1, .header = big, .header_bytes = 4097};
	CU_ASSERT_EQUAL(winhv_call(&hv, &call, NULL, &status), -VIRIDIAN_EINVAL);
	for (uint32_t vp = 0; vp < 4096; vp += 64)
		winhv_vp_set_add(&set, vp);
	CU_ASSERT_EQUAL(winhv_send_ipi_ex(&hv, true, 0x40, &set, &status), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(winhv_send_ipi_ex(&hv, false, 0x40, &set, &status), 0);
	CU_ASSERT_EQUAL(control, 0x15 | 64u << 17);
	CU_ASSERT_EQUAL(words[2], UINT64_MAX);
	CU_ASSERT_EQUAL(
		winhv_registers_get(&hv, 0, NULL, 0, NULL, &done, &status), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(calls, 2);
	winhv_shutdown(&hv);
}

/* R-HCALL-011. */
static void output_of_a_call_that_failed_is_left_alone(void)
{
	uint64_t out[2] = {0x1111, 0x2222};
	const struct winhv_call slow = {.code = 0x77, .output = out, .output_bytes = sizeof out};
	const struct winhv_call fast = {.code = 0x77,
		.is_fast = true,
		.header = words,
		.header_bytes = 16,
		.output = out,
		.output_bytes = sizeof out};
	uint16_t status;

	open_guest();
	answer[0] = answer[1] = 0x5a5a;
	result = 5;
	CU_ASSERT_EQUAL(winhv_call(&hv, &slow, NULL, &status), 0);
	CU_ASSERT_EQUAL(status, 5);
	CU_ASSERT_EQUAL(winhv_call(&hv, &fast, NULL, &status), 0);
	CU_ASSERT_EQUAL(status, 5);
	CU_ASSERT_TRUE(out[0] == 0x1111 && out[1] == 0x2222);
	result = 0;
	CU_ASSERT_EQUAL(winhv_call(&hv, &slow, NULL, &status), 0);
	CU_ASSERT_TRUE(out[0] == 0x5a5a && out[1] == 0x5a5a);
	winhv_shutdown(&hv);
}

static int time_out(void *ctx, uint32_t vp, uint64_t value, uint64_t input, uint64_t output,
	struct winhv_xmm *xmm, uint64_t *out)
{
	(void)ctx;
	(void)vp;
	(void)value;
	(void)input;
	(void)output;
	(void)xmm;
	(void)out;
	return -VIRIDIAN_ETIMEDOUT;
}

/* R-ROB-003: the hypervisor may write to them yet. */
static void pages_of_a_call_that_timed_out_are_not_used_again(void)
{
	struct winhv_platform_ops ops = platform_scripted_ops;
	uint64_t out;
	const struct winhv_call call = {.code = 0x77, .output = &out, .output_bytes = sizeof out};
	uint16_t status;

	open_guest();
	hv.ops = &ops;
	ops.hypercall = time_out;
	CU_ASSERT_EQUAL(winhv_call(&hv, &call, NULL, &status), -VIRIDIAN_ETIMEDOUT);
	winhv_shutdown(&hv);
	CU_ASSERT_EQUAL(hv.pages_abandoned, 2);
	CU_ASSERT_EQUAL(script.pages_used, 2);
}

static const struct test tests[] = {
	TEST(interrupt_in_memory_and_in_registers),
	TEST(interrupt_to_a_sparse_set),
	TEST(interrupt_to_all_has_no_banks),
	TEST(flush_of_a_space),
	TEST(flush_of_ranges),
	TEST(registers_are_read),
	TEST(registers_are_written),
	TEST(vp_indices_are_found_by_apic_id),
	TEST(small_calls),
	TEST(output_in_registers_is_behind_the_input),
	TEST(what_does_not_fit_is_not_sent),
	TEST(output_of_a_call_that_failed_is_left_alone),
	TEST(pages_of_a_call_that_timed_out_are_not_used_again),
};

TEST_MAIN("winhv calls", tests)
