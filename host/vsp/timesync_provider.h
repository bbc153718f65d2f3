// SPDX-License-Identifier: Apache-2.0
/*
 * Time synchronisation on a VMBus: the machine in timesync_vsp.h behind an ic_provider.
 *
 *	vmbus channel <-> ic_provider <-> timesync_vsp <-> the owner's clocks
 *
 * Threads: everything on the loop of the bus.
 */
#ifndef HOST_VSP_TIMESYNC_PROVIDER_H
#define HOST_VSP_TIMESYNC_PROVIDER_H

#include "host/vsp/ic_provider.h"
#include "host/vsp/timesync_vsp.h"

struct timesync_provider_config {
	struct timesync_vsp_config timesync;
	struct ic_provider_loop loop;
	/* As of struct timesync_vsp_ops. `ctx` is borrowed. */
	void (*read)(void *ctx, struct timesync_reading *out);
	void (*done)(void *ctx, enum timesync_result result, uint32_t status);
	void *ctx;
};

struct timesync_provider {
	struct ic_provider provider;
	struct timesync_vsp vsp; /* read it for status */
	struct timesync_provider_config config;
	uint64_t buffer[IC_PROVIDER_BUFFER_BYTES / 8];
};

/*
 * Prepare `timesync` and offer the component on `bus`. `config` is copied; `timesync` must
 * not move until it is removed. 0, or the error of bus_offer_add(). Remove it, and tell it
 * the time, by ic_provider_*() on its `provider`.
 */
int timesync_provider_add(struct timesync_provider *timesync, struct vmbus_bus *bus,
	const struct timesync_provider_config *config);

/* As timesync_vsp_request(). */
int timesync_provider_request(struct timesync_provider *timesync, bool is_sync);

#endif
