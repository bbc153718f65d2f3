// SPDX-License-Identifier: Apache-2.0
/*
 * The port by which a test kernel ends its run with a verdict. A write of V asks for the exit
 * status V * 2 + 1, so that no verdict is taken for the success of a host that never ran it.
 *
 * Threads: any; no state.
 */
#ifndef HOST_MACHINE_DEBUG_EXIT_H
#define HOST_MACHINE_DEBUG_EXIT_H

#include "host/hypervisor/io_space.h"

#define DEBUG_EXIT_PORTS 4u

struct debug_exit {
	void (*ended)(void *ctx, uint32_t value); /* on a VP thread */
	void *ctx;
};

extern const struct io_device_ops debug_exit_ops; /* ctx: a struct debug_exit */

/* The exit status of a process for a value written: its low eight bits. */
static inline int debug_exit_status(uint64_t value)
{
	return (int)((value * 2 + 1) & 0xff);
}

#endif
