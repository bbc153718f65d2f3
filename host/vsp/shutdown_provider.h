// SPDX-License-Identifier: Apache-2.0
/*
 * Shutdown on a VMBus: the machine in shutdown_vsp.h behind an ic_provider.
 *
 *	vmbus channel <-> ic_provider <-> shutdown_vsp
 *
 * Threads: everything on the loop of the bus.
 */
#ifndef HOST_VSP_SHUTDOWN_PROVIDER_H
#define HOST_VSP_SHUTDOWN_PROVIDER_H

#include "host/vsp/ic_provider.h"
#include "host/vsp/shutdown_vsp.h"

/* An answer is as long as its request, in whole words. */
#define SHUTDOWN_PROVIDER_BUFFER_BYTES ((IC_OVERHEAD_BYTES + SHUTDOWN_BODY_BYTES + 7u) / 8u * 8u)

struct shutdown_provider_config {
	struct ic_provider_loop loop;
	/* As of struct shutdown_vsp_ops. `ctx` is borrowed. */
	void (*done)(void *ctx, enum shutdown_action action, enum shutdown_result result,
		uint32_t status);
	void *ctx;
};

struct shutdown_provider {
	struct ic_provider provider;
	struct shutdown_vsp vsp; /* read it for status */
	struct shutdown_provider_config config;
	uint64_t buffer[SHUTDOWN_PROVIDER_BUFFER_BYTES / 8];
};

/*
 * Prepare `shutdown` and offer the component on `bus`. `config` is copied; `shutdown` must
 * not move until it is removed. 0, or the error of bus_offer_add(). Remove it, and tell it
 * the time, by ic_provider_*() on its `provider`.
 */
int shutdown_provider_add(struct shutdown_provider *shutdown, struct vmbus_bus *bus,
	const struct shutdown_provider_config *config);

/* As shutdown_vsp_request(). */
int shutdown_provider_request(
	struct shutdown_provider *shutdown, const struct shutdown_vsp_request *request);

#endif
