// SPDX-License-Identifier: Apache-2.0
/*
 * Backup coordination on a VMBus: the machine in vss_vsp.h behind an ic_provider.
 *
 *	vmbus channel <-> ic_provider <-> vss_vsp
 *
 * Threads: everything on the loop of the bus.
 */
#ifndef HOST_VSP_VSS_PROVIDER_H
#define HOST_VSP_VSS_PROVIDER_H

#include "host/vsp/ic_provider.h"
#include "host/vsp/vss_vsp.h"

/* An answer is as long as its request, in whole words. */
#define VSS_PROVIDER_BUFFER_BYTES ((IC_OVERHEAD_BYTES + VSS_SNAPSHOT_BYTES + 7u) / 8u * 8u)

struct vss_provider_config {
	struct ic_provider_loop loop;
	/* As of struct vss_vsp_ops. `ctx` is borrowed. */
	void (*frozen)(void *ctx);
	void (*ended)(void *ctx, const struct vss_report *report);
	void *ctx;
};

struct vss_provider {
	struct ic_provider provider;
	struct vss_vsp vsp; /* read it for status */
	struct vss_provider_config config;
	uint64_t buffer[VSS_PROVIDER_BUFFER_BYTES / 8];
};

/*
 * Prepare `vss` and offer the component on `bus`. `config` is copied; `vss` must not move until
 * it is removed. 0, or the error of bus_offer_add(). Remove it, and tell it the time, by
 * ic_provider_*() on its `provider`.
 */
int vss_provider_add(
	struct vss_provider *vss, struct vmbus_bus *bus, const struct vss_provider_config *config);

/* As vss_vsp_freeze() and vss_vsp_thaw(). */
int vss_provider_freeze(struct vss_provider *vss, const struct vss_vsp_request *request);
int vss_provider_thaw(struct vss_provider *vss);

#endif
