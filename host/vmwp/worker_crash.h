// SPDX-License-Identifier: Apache-2.0
/*
 * What a guest said as it crashed: kept for the control command "status", and written to
 * stderr with everything made harmless that could command a terminal.
 *
 * Threads: the worker's loop.
 */
#ifndef HOST_VMWP_WORKER_CRASH_H
#define HOST_VMWP_WORKER_CRASH_H

#include "host/vmwp/log.h"

#include <jansson.h>
#include <stdint.h>

#define WORKER_CRASH_TEXT_BYTES 4096u

struct worker;

struct worker_crash {
	uint64_t count;
	uint64_t parameters[5]; /* of the last one, as the next */
	uint64_t control;
	char text[WORKER_CRASH_TEXT_BYTES + 1]; /* printable ASCII and line ends */
	struct log_limit limit;
};

/* Begin to listen; worker->partition is there. */
void worker_crash_watch(struct worker *worker);

/* NULL if there was none. New reference. */
json_t *worker_crash_json(const struct worker_crash *crash);

#endif
