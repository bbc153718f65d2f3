// SPDX-License-Identifier: Apache-2.0
/*
 * Typed hypercalls (guest/winhv/calls.h) over the scripted platform: the table of forms
 * against protocol/hypervisor.md, the choice of registers or memory, and the bytes of the
 * calls for VPs, ports, devices and debugging as the TLFS lays them out.
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
static uint64_t control, words[512], answer[512], registers[2];
static bool has_xmm, has_output;

static uint64_t serve(void *ctx, struct platform_scripted *s, uint64_t value, uint64_t input,
	uint64_t output, struct winhv_xmm *xmm)
{
	(void)ctx;
	control = value;
	registers[0] = input;
	registers[1] = output;
	has_xmm = xmm != NULL;
	has_output = !(value >> 16 & 1) && output != 0;
	if (value >> 16 & 1)
		return 0;
	if (input)
		memcpy(words, platform_scripted_at(s, input, 4096), 4096);
	if (output)
		memcpy(platform_scripted_at(s, output, 4096), answer, 4096);
	return 0;
}

static void open_guest(void)
{
	if (platform_scripted_init(&script, memory, sizeof memory, 1) != 0 ||
		winhv_init(&hv, &platform_scripted_ops, &script, 1) != 0 ||
		winhv_hypercall_enable(&hv, OS_ID) != 0)
		abort();
	script.on_hypercall = serve;
	memset(words, 0xee, sizeof words);
	memset(answer, 0, sizeof answer);
	memset(hv.hypercall.va, 0xee, 8192);
}

/* protocol/hypervisor.md, 5, the column "kind": R rep, F fast, X fast with XMM. */
static void forms_are_those_of_the_contract(void)
{
	static const struct {
		uint16_t code;
		const char *kind;
	} rows[] = {
		{0x0001, "F"},
		{0x0002, "X"},
		{0x0003, "RX"},
		{0x0008, "F"},
		{0x000b, "F"},
		{0x0013, "X"},
		{0x0014, "RX"},
		{0x0015, "X"},
		{0x0046, ""},
		{0x0050, "R"},
		{0x0051, "R"},
		{0x0052, ""},
		{0x0058, ""},
		{0x005b, ""},
		{0x005c, ""},
		{0x005d, "F"},
		{0x0069, ""},
		{0x006a, ""},
		{0x006b, "F"},
		{0x007e, ""},
		{0x0095, ""},
		{0x0096, ""},
		{0x0099, ""},
		{0x009a, "R"},
		{0x8001, ""},
		{0x8002, ""},
	};
	unsigned known = 0;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const uint32_t may = winhv_call_forms(rows[i].code);
		const bool is_xmm = strchr(rows[i].kind, 'X') != NULL;
		CU_ASSERT_TRUE(may & WINHV_FORM_KNOWN);
		CU_ASSERT_EQUAL((may & WINHV_FORM_REP) != 0, strchr(rows[i].kind, 'R') != NULL);
		CU_ASSERT_EQUAL((may & WINHV_FORM_XMM) != 0, is_xmm);
		CU_ASSERT_EQUAL(
			(may & WINHV_FORM_FAST) != 0, is_xmm || strchr(rows[i].kind, 'F') != NULL);
	}
	for (uint32_t code = 0; code < 0x10000; code++)
		known += winhv_call_forms((uint16_t)code) != 0;
	CU_ASSERT_EQUAL(known, sizeof rows / sizeof rows[0]);
}

/* Two registers hold 16 bytes, XMM0 to XMM5 another 96. */
static void registers_are_chosen_where_they_may(void)
{
	static const uint8_t bytes[200] = {0};
	struct winhv_call call = {.code = 0x13, .header = bytes, .header_bytes = 16};
	uint64_t out;

	open_guest();
	hv.identity.features = 0;
	CU_ASSERT_TRUE(winhv_call_may_be_fast(&hv, &call));
	call.header_bytes = 24;
	CU_ASSERT_FALSE(winhv_call_may_be_fast(&hv, &call));
	hv.identity.features = 0x10;
	CU_ASSERT_TRUE(winhv_call_may_be_fast(&hv, &call));
	call.header_bytes = 112;
	CU_ASSERT_TRUE(winhv_call_may_be_fast(&hv, &call));
	call.header_bytes = 120;
	CU_ASSERT_FALSE(winhv_call_may_be_fast(&hv, &call));
	call = (struct winhv_call){.code = 3,
		.reps = 11,
		.header = bytes,
		.header_bytes = 24,
		.elements = bytes,
		.element_bytes = 8};
	CU_ASSERT_TRUE(winhv_call_may_be_fast(&hv, &call));
	call.reps = 12;
	CU_ASSERT_FALSE(winhv_call_may_be_fast(&hv, &call));
	call = (struct winhv_call){.code = 0x0b, .header = bytes, .header_bytes = 24};
	CU_ASSERT_FALSE(winhv_call_may_be_fast(&hv, &call));
	call = (struct winhv_call){.code = 0x52, .header = bytes, .header_bytes = 8};
	CU_ASSERT_FALSE(winhv_call_may_be_fast(&hv, &call));
	call = (struct winhv_call){.code = 2,
		.header = bytes,
		.header_bytes = 8,
		.output = &out,
		.output_bytes = sizeof out};
	CU_ASSERT_FALSE(winhv_call_may_be_fast(&hv, &call));
	winhv_shutdown(&hv);
}

static void best_form_is_the_one_that_is_sent(void)
{
	static const uint64_t input[3] = {0x1111, 0x2222, 0x3333};
	const struct winhv_call call = {.code = 2, .header = input, .header_bytes = sizeof input};
	uint16_t status;

	open_guest();
	hv.identity.features = 0;
	CU_ASSERT_EQUAL(winhv_call_best(&hv, &call, NULL, &status), 0);
	CU_ASSERT_EQUAL(control, 0x02);
	CU_ASSERT_EQUAL(memcmp(words, input, sizeof input), 0);
	hv.identity.features = 0x10;
	CU_ASSERT_EQUAL(winhv_call_best(&hv, &call, NULL, &status), 0);
	CU_ASSERT_EQUAL(control, 0x10002);
	CU_ASSERT_EQUAL(registers[0], 0x1111);
	CU_ASSERT_EQUAL(registers[1], 0x2222);
	CU_ASSERT_TRUE(has_xmm);
	winhv_shutdown(&hv);
}

static void calls_of_a_processor(void)
{
	struct hv_x64_vp_context_wire context = {
		.rip = 0x1000, .rsp = 0x2000, .pat = 0x7040600070406};
	struct hv_translate_output_wire translated = {0};
	uint64_t id = 0;
	uint16_t status = 99;

	open_guest();
	context.cs.selector = 0x10;
	context.gdtr.limit = 0x7f;
	context.cr3 = 0x3000;
	CU_ASSERT_EQUAL(winhv_start_vp(&hv, 3, 0x11, &context, &status), 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(control, 0x99);
	CU_ASSERT_EQUAL(words[0], UINT64_MAX);
	CU_ASSERT_EQUAL(words[1], 0x1100000003); /* VP, then the VTL at byte 12 */
	CU_ASSERT_EQUAL(words[2], 0x1000);
	CU_ASSERT_EQUAL(words[3], 0x2000);
	CU_ASSERT_EQUAL(words[6] >> 32 & 0xffff, 0x10); /* CS: 40; its selector 12 further */
	CU_ASSERT_EQUAL(words[23] >> 48, 0x7f);		/* GDTR: 184; its limit 6 further */
	CU_ASSERT_EQUAL(words[27], 0x3000);		/* EFER, CR0, CR3 from 200 on */
	CU_ASSERT_EQUAL(words[29], 0x7040600070406);
	answer[0] = 0x5060000000003;
	answer[1] = 0x777;
	CU_ASSERT_EQUAL(winhv_translate(&hv, 0xfffffffe, 3, 0x7000, &translated, &status), 0);
	CU_ASSERT_EQUAL(control, 0x52);
	CU_ASSERT_EQUAL(words[0], UINT64_MAX);
	CU_ASSERT_EQUAL(words[1], 0xfffffffe);
	CU_ASSERT_EQUAL(words[2], 3);
	CU_ASSERT_EQUAL(words[3], 0x7000);
	CU_ASSERT_EQUAL(translated.result_code, 3);
	CU_ASSERT_EQUAL(translated.gpa_page, 0x777);
	answer[0] = 0x2a;
	CU_ASSERT_EQUAL(winhv_partition_id(&hv, &id, &status), 0);
	CU_ASSERT_EQUAL(control, 0x46);
	CU_ASSERT_EQUAL(registers[0], 0); /* no input */
	CU_ASSERT_EQUAL(id, 0x2a);
	CU_ASSERT_EQUAL(winhv_switch_address_space(&hv, 0x1234000, &status), 0);
	CU_ASSERT_EQUAL(control, 0x10001);
	CU_ASSERT_EQUAL(registers[0], 0x1234000);
	winhv_shutdown(&hv);
}

/* The bank mask and the banks are the variable header: one unit more than there are banks. */
static void interrupt_of_a_device_goes_to_a_mask_or_a_set(void)
{
	struct hv_retarget_device_interrupt_wire target = {.partition_id = UINT64_MAX,
		.device_id = 0x55,
		.entry_source = 1,
		.entry_address = 0xfee00000,
		.entry_data = 0x41,
		.vector = 0x62,
		.processor_mask = 6};
	struct winhv_vp_set set = {0};
	uint16_t status;

	open_guest();
	CU_ASSERT_EQUAL(winhv_retarget_interrupt(&hv, &target, NULL, &status), 0);
	CU_ASSERT_EQUAL(control, 0x7e);
	CU_ASSERT_EQUAL(words[1], 0x55);
	CU_ASSERT_EQUAL(words[2], 1);
	CU_ASSERT_EQUAL(words[3], 0x41fee00000);
	CU_ASSERT_EQUAL(words[5], 0x62);
	CU_ASSERT_EQUAL(words[6], 6);
	winhv_vp_set_add(&set, 130);
	winhv_vp_set_add(&set, 1);
	CU_ASSERT_EQUAL(winhv_retarget_interrupt(&hv, &target, &set, &status), 0);
	CU_ASSERT_EQUAL(control, 0x7e | 3u << 17);
	CU_ASSERT_EQUAL(words[5], 0x200000062);
	CU_ASSERT_EQUAL(words[6], 0); /* sparse */
	CU_ASSERT_EQUAL(words[7], 5);
	CU_ASSERT_EQUAL(words[8], 2);
	CU_ASSERT_EQUAL(words[9], 4);
	winhv_shutdown(&hv);
}

static void ports_and_connections(void)
{
	const struct hv_create_port_wire port = {
		.port_id = 0x12, .info = {.type = 2, .target_sint = 4}};
	const struct hv_connect_port_wire connection = {.connection_id = 0x34, .port_id = 0x12};
	uint16_t status;

	open_guest();
	CU_ASSERT_EQUAL(winhv_create_port(&hv, &port, &status), 0);
	CU_ASSERT_EQUAL(control, 0x95);
	CU_ASSERT_EQUAL((uint32_t)words[1], 0x12);
	CU_ASSERT_EQUAL(words[3], 2);
	CU_ASSERT_EQUAL(words[4], 4);
	CU_ASSERT_EQUAL(winhv_connect_port(&hv, &connection, &status), 0);
	CU_ASSERT_EQUAL(control, 0x96);
	CU_ASSERT_EQUAL((uint32_t)words[1], 0x34);
	CU_ASSERT_EQUAL((uint32_t)words[3], 0x12);
	CU_ASSERT_EQUAL(winhv_delete_port(&hv, 7, 0x12, &status), 0);
	CU_ASSERT_EQUAL(control, 0x58);
	CU_ASSERT_EQUAL(words[0], 7);
	CU_ASSERT_EQUAL(words[1], 0x12);
	CU_ASSERT_EQUAL(winhv_disconnect_port(&hv, 7, 0x34, &status), 0);
	CU_ASSERT_EQUAL(control, 0x5b);
	CU_ASSERT_EQUAL(words[1], 0x34);
	winhv_shutdown(&hv);
}

static void zeroed_memory_is_a_counted_list(void)
{
	struct hv_ext_zeroed_range_wire ranges[HV_EXT_BOOT_ZEROED_RANGES_MAX] = {{0}};
	uint16_t count, status;

	open_guest();
	answer[0] = 2;
	answer[1] = 0x100;
	answer[2] = 0x10;
	answer[3] = 0x200;
	answer[4] = 0x20;
	CU_ASSERT_EQUAL(winhv_boot_zeroed_memory(&hv, ranges, &count, &status), 0);
	CU_ASSERT_EQUAL(control, 0x8002);
	CU_ASSERT_TRUE(has_output);
	CU_ASSERT_EQUAL(count, 2);
	CU_ASSERT_EQUAL(ranges[1].start_page, 0x200);
	CU_ASSERT_EQUAL(ranges[1].page_count, 0x20);
	answer[0] = 255;
	CU_ASSERT_EQUAL(winhv_boot_zeroed_memory(&hv, ranges, &count, &status), 0);
	CU_ASSERT_EQUAL(count, 255);
	answer[0] = 256;
	CU_ASSERT_EQUAL(winhv_boot_zeroed_memory(&hv, ranges, &count, &status), -VIRIDIAN_EPROTO);
	CU_ASSERT_EQUAL(count, 0);
	winhv_shutdown(&hv);
}

static void debug_data_comes_with_its_size(void)
{
	uint8_t data[16];
	size_t bytes = sizeof data;
	uint32_t remaining = 0;
	uint16_t status;

	open_guest();
	memset(data, 0xee, sizeof data);
	answer[0] = 0x900000005; /* five bytes; nine remain */
	memcpy(answer + 1, "hello", 5);
	CU_ASSERT_EQUAL(
		winhv_retrieve_debug_data(&hv, 0x1234, data, &bytes, &remaining, &status), 0);
	CU_ASSERT_EQUAL(control, 0x6a);
	CU_ASSERT_EQUAL(words[0], 16);
	CU_ASSERT_EQUAL(words[1], 0x1234);
	CU_ASSERT_EQUAL(bytes, 5);
	CU_ASSERT_EQUAL(remaining, 9);
	CU_ASSERT_EQUAL(memcmp(data, "hello\xee", 6), 0);
	bytes = sizeof data;
	answer[0] = 17;
	CU_ASSERT_EQUAL(winhv_retrieve_debug_data(&hv, 0, data, &bytes, &remaining, &status),
		-VIRIDIAN_EPROTO);
	CU_ASSERT_EQUAL(bytes, 0);
	CU_ASSERT_EQUAL(winhv_reset_debug_session(&hv, &status), 0);
	CU_ASSERT_EQUAL(control, 0x1006b);
	CU_ASSERT_EQUAL(registers[0], 0);
	winhv_shutdown(&hv);
}

static const struct test tests[] = {
	TEST(forms_are_those_of_the_contract),
	TEST(registers_are_chosen_where_they_may),
	TEST(best_form_is_the_one_that_is_sent),
	TEST(calls_of_a_processor),
	TEST(interrupt_of_a_device_goes_to_a_mask_or_a_set),
	TEST(ports_and_connections),
	TEST(zeroed_memory_is_a_counted_list),
	TEST(debug_data_comes_with_its_size),
};

TEST_MAIN("winhv call forms", tests)
