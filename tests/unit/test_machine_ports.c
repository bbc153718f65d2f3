// SPDX-License-Identifier: Apache-2.0
/* The small devices of a machine: clock, sleep and reset registers, exit port, fw_cfg. */
#include "host/machine/cmos.h"
#include "host/machine/debug_exit.h"
#include "host/machine/fw_cfg.h"
#include "host/machine/power.h"
#include "tests/harness.h"

/* ---- clock --------------------------------------------------------------------------------- */

static uint64_t given_us(void *ctx)
{
	return *(uint64_t *)ctx;
}

static uint8_t cmos_in(struct cmos *cmos, uint8_t index)
{
	cmos_ops.write(cmos, 0, 1, index);
	return (uint8_t)cmos_ops.read(cmos, 1, 1);
}

static void cmos_out(struct cmos *cmos, uint8_t index, uint8_t value)
{
	cmos_ops.write(cmos, 0, 1, index);
	cmos_ops.write(cmos, 1, 1, value);
}

/* 2026-11-24 21:05:09 UTC, a Tuesday */
#define MOMENT_US 1795554309000000ull

static void cmos_tells_the_time_in_bcd(void)
{
	struct cmos cmos;
	uint64_t now = MOMENT_US;
	cmos_init(&cmos, given_us, &now);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x00), 0x09);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x02), 0x05);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x04), 0x21);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x06), 0x03); /* Sunday is 1 */
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x07), 0x24);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x08), 0x11);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x09), 0x26);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x32), 0x20);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x0b), 0x02); /* BCD, 24 hours */
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x0d), 0x80); /* valid */
	cmos_destroy(&cmos);
}

static void cmos_tells_the_time_in_binary_and_in_12_hours_if_asked(void)
{
	struct cmos cmos;
	uint64_t now = MOMENT_US;
	cmos_init(&cmos, given_us, &now);
	cmos_out(&cmos, 0x0b, 0x06);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x07), 24);
	cmos_out(&cmos, 0x0b, 0x00);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x04), 0x89); /* 9 in the evening */
	now = MOMENT_US - 21ull * 3600 * 1000000;
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x04), 0x12); /* midnight */
	cmos_destroy(&cmos);
}

static void cmos_announces_an_update_for_244_us_only(void)
{
	struct cmos cmos;
	uint64_t now = MOMENT_US;
	cmos_init(&cmos, given_us, &now);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x0a), 0x26);
	now = MOMENT_US + 999755;
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x0a), 0x26);
	now = MOMENT_US + 999756;
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x0a), 0xa6);
	now = MOMENT_US + 1000000;
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x0a), 0x26);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x00), 0x10);
	cmos_destroy(&cmos);
}

static void cmos_keeps_memory_over_a_reset_and_its_clock_from_the_guest(void)
{
	struct cmos cmos;
	uint64_t now = MOMENT_US;
	cmos_init(&cmos, given_us, &now);
	cmos_out(&cmos, 0x8f, 0x0a); /* bit 7 is the NMI mask, not the index */
	cmos_out(&cmos, 0x00, 0x33);
	cmos_out(&cmos, 0x0d, 0x00);
	cmos_ops.write(&cmos, 0, 2, 0x5a40); /* both ports at once */
	cmos_reset(&cmos);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x0f), 0x0a);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x00), 0x09);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x0d), 0x80);
	CU_ASSERT_EQUAL(cmos_in(&cmos, 0x40), 0x5a);
	cmos_destroy(&cmos);
}

/* ---- power --------------------------------------------------------------------------------- */

struct asked {
	unsigned off, resets;
	uint32_t exit_value;
	unsigned exits;
};

static void on_off(void *ctx)
{
	((struct asked *)ctx)->off++;
}

static void on_reset(void *ctx)
{
	((struct asked *)ctx)->resets++;
}

static void power_goes_off_for_sleep_type_5_with_enable_only(void)
{
	struct asked asked = {0};
	struct power power = {.off = on_off, .reset = on_reset, .ctx = &asked};
	power_sleep_ops.write(&power, 0, 1, 0x14); /* type 5, no enable */
	power_sleep_ops.write(&power, 0, 1, 0x24); /* type 1, enable */
	power_sleep_ops.write(&power, 1, 1, 0x34); /* the status register */
	CU_ASSERT_EQUAL(asked.off, 0);
	power_sleep_ops.write(&power, 0, 1, 0x34);
	CU_ASSERT_EQUAL(asked.off, 1);
	CU_ASSERT_EQUAL(power_sleep_ops.read(&power, 0, 1), 0);
	CU_ASSERT_EQUAL(power_sleep_ops.read(&power, 1, 1), 0);
	CU_ASSERT_EQUAL(asked.resets, 0);
}

static void power_resets_for_the_value_of_the_fadt_only(void)
{
	struct asked asked = {0};
	struct power power = {.off = on_off, .reset = on_reset, .ctx = &asked};
	power_reset_ops.write(&power, 0, 1, 0x02);
	CU_ASSERT_EQUAL(asked.resets, 0);
	power_reset_ops.write(&power, 0, 1, 0x06);
	CU_ASSERT_EQUAL(asked.resets, 1);
	CU_ASSERT_EQUAL(asked.off, 0);
}

/* ---- test devices -------------------------------------------------------------------------- */

static void on_exit_value(void *ctx, uint32_t value)
{
	struct asked *asked = ctx;
	asked->exits++;
	asked->exit_value = value;
}

static void debug_exit_tells_the_value_and_makes_an_odd_status(void)
{
	struct asked asked = {0};
	struct debug_exit port = {.ended = on_exit_value, .ctx = &asked};
	debug_exit_ops.write(&port, 2, 1, 7); /* not the first byte */
	CU_ASSERT_EQUAL(asked.exits, 0);
	debug_exit_ops.write(&port, 0, 4, 0x12345);
	CU_ASSERT_EQUAL(asked.exits, 1);
	CU_ASSERT_EQUAL(asked.exit_value, 0x12345);
	CU_ASSERT_EQUAL(debug_exit_status(0), 1);
	CU_ASSERT_EQUAL(debug_exit_status(1), 3);
	CU_ASSERT_EQUAL(debug_exit_status(127), 255);
	CU_ASSERT_EQUAL(debug_exit_status(128), 1);
}

static uint64_t fw_item(struct fw_cfg *fw_cfg, uint16_t selector, unsigned bytes)
{
	uint64_t value = 0;
	fw_cfg_ops.write(fw_cfg, 0, 2, selector);
	for (unsigned i = 0; i < bytes; i++)
		value |= fw_cfg_ops.read(fw_cfg, 1, 1) << (8 * i);
	return value;
}

static void fw_cfg_gives_signature_vp_count_and_memory(void)
{
	struct fw_cfg fw_cfg;
	fw_cfg_init(&fw_cfg, 0x140000000, 3);
	CU_ASSERT_EQUAL(fw_item(&fw_cfg, 0, 4), 0x554d4551); /* "QEMU" */
	CU_ASSERT_EQUAL(fw_item(&fw_cfg, 1, 4), 1);
	CU_ASSERT_EQUAL(fw_item(&fw_cfg, 5, 2), 3);
	CU_ASSERT_EQUAL(fw_item(&fw_cfg, 15, 2), 3);
	CU_ASSERT_EQUAL(fw_item(&fw_cfg, 3, 8), 0x140000000);
	fw_cfg_destroy(&fw_cfg);
}

static void fw_cfg_gives_zeros_behind_the_end_and_for_unknown_items(void)
{
	struct fw_cfg fw_cfg;
	fw_cfg_init(&fw_cfg, 0x1000, 2);
	CU_ASSERT_EQUAL(fw_item(&fw_cfg, 5, 8), 2);
	CU_ASSERT_EQUAL(fw_item(&fw_cfg, 0x8001, 8), 0);
	fw_cfg_ops.write(&fw_cfg, 0, 2, 5);
	fw_cfg_ops.write(&fw_cfg, 1, 1, 9); /* items are for reading */
	CU_ASSERT_EQUAL(fw_cfg_ops.read(&fw_cfg, 1, 1), 2);
	fw_cfg_destroy(&fw_cfg);
}

static const struct test tests[] = {
	TEST(cmos_tells_the_time_in_bcd),
	TEST(cmos_tells_the_time_in_binary_and_in_12_hours_if_asked),
	TEST(cmos_announces_an_update_for_244_us_only),
	TEST(cmos_keeps_memory_over_a_reset_and_its_clock_from_the_guest),
	TEST(power_goes_off_for_sleep_type_5_with_enable_only),
	TEST(power_resets_for_the_value_of_the_fadt_only),
	TEST(debug_exit_tells_the_value_and_makes_an_odd_status),
	TEST(fw_cfg_gives_signature_vp_count_and_memory),
	TEST(fw_cfg_gives_zeros_behind_the_end_and_for_unknown_items),
};
TEST_MAIN("machine_ports", tests)
