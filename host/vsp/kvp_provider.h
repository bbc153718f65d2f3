// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pair exchange on a VMBus: the machine in kvp_vsp.h behind an ic_provider.
 *
 *	vmbus channel <-> ic_provider <-> kvp_vsp
 *
 * Threads: everything on the loop of the bus.
 */
#ifndef HOST_VSP_KVP_PROVIDER_H
#define HOST_VSP_KVP_PROVIDER_H

#include "host/vsp/ic_provider.h"
#include "host/vsp/kvp_vsp.h"

/* An answer is as long as its request, in whole words. */
#define KVP_PROVIDER_BUFFER_BYTES ((IC_OVERHEAD_BYTES + KVP_IP_BODY_BYTES + 7u) / 8u * 8u)

struct kvp_provider_config {
	struct ic_provider_loop loop;
	void (*ready)(void *ctx); /* as of struct kvp_vsp_ops; may be NULL */
	void *ctx;		  /* borrowed */
};

struct kvp_provider {
	struct ic_provider provider;
	struct kvp_vsp vsp; /* read it for status */
	struct kvp_provider_config config;
	uint64_t buffer[KVP_PROVIDER_BUFFER_BYTES / 8];
};

/*
 * Prepare `kvp` and offer the component on `bus`. `config` is copied; `kvp` must not move until
 * it is removed. 0, or the error of bus_offer_add(). Remove it, and tell it the time, by
 * ic_provider_*() on its `provider`.
 */
int kvp_provider_add(
	struct kvp_provider *kvp, struct vmbus_bus *bus, const struct kvp_provider_config *config);

/* As kvp_vsp_start() and kvp_vsp_cancel(). */
int kvp_provider_start(struct kvp_provider *kvp, struct kvp_job *job);
void kvp_provider_cancel(struct kvp_provider *kvp, struct kvp_job *job);

#endif
