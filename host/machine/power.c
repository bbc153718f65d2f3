// SPDX-License-Identifier: Apache-2.0
/* Sleep and reset registers: see power.h. */
#include "host/machine/power.h"

#include "host/machine/layout.h"

#include <stdint.h>

#define SLEEP_ENABLE	 0x20u
#define SLEEP_TYPE_SHIFT 2u
#define SLEEP_TYPE_MASK	 7u

/* The enable bit reads as zero, and the machine never wakes up from a sleep. */
static uint64_t zero_read(void *ctx, uint64_t offset, unsigned bytes)
{
	(void)ctx;
	(void)offset;
	(void)bytes;
	return 0;
}

static void sleep_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	const struct power *power = ctx;
	(void)bytes;
	if (offset == 0 && value & SLEEP_ENABLE &&
		(value >> SLEEP_TYPE_SHIFT & SLEEP_TYPE_MASK) == POWER_SLEEP_TYPE_OFF)
		power->off(power->ctx);
}

static void reset_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	const struct power *power = ctx;
	(void)offset;
	(void)bytes;
	if ((uint8_t)value == LAYOUT_RESET_VALUE)
		power->reset(power->ctx);
}

const struct io_device_ops power_sleep_ops = {
	.name = "sleep registers",
	.read = zero_read,
	.write = sleep_write,
};

const struct io_device_ops power_reset_ops = {
	.name = "reset register",
	.read = zero_read,
	.write = reset_write,
};
