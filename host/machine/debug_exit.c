// SPDX-License-Identifier: Apache-2.0
/* The port that ends a test: see debug_exit.h. */
#include "host/machine/debug_exit.h"

static uint64_t exit_read(void *ctx, uint64_t offset, unsigned bytes)
{
	(void)ctx;
	(void)offset;
	(void)bytes;
	return 0;
}

static void exit_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	const struct debug_exit *debug_exit = ctx;
	(void)bytes;
	if (offset == 0)
		debug_exit->ended(debug_exit->ctx, (uint32_t)value);
}

const struct io_device_ops debug_exit_ops = {
	.name = "debug exit port",
	.read = exit_read,
	.write = exit_write,
};
