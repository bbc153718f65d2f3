// SPDX-License-Identifier: Apache-2.0
/*
 * The worker's loopback partition: backend_loopback on the event loop.
 *
 * Threads: the worker's loop.
 */
#ifndef HOST_VMWP_WORKER_LOOPBACK_H
#define HOST_VMWP_WORKER_LOOPBACK_H

#include "host/hypervisor/backend_loopback.h"
#include "host/vmwp/log.h"
#include "host/vmwp/loop.h"

#include <stdint.h>

struct worker_backend;

struct worker_loopback {
	struct backend_loopback *backend;
	struct loop_source source;
	uint64_t guests; /* that have connected */
	struct log_limit connected_limit, gone_limit;
};

extern const struct worker_backend worker_backend_loopback;

#endif
