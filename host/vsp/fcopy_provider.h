// SPDX-License-Identifier: Apache-2.0
/*
 * File copy on a VMBus: the machine in fcopy_vsp.h behind an ic_provider.
 *
 *	vmbus channel <-> ic_provider <-> fcopy_vsp
 *
 * Threads: everything on the loop of the bus.
 */
#ifndef HOST_VSP_FCOPY_PROVIDER_H
#define HOST_VSP_FCOPY_PROVIDER_H

#include "host/vsp/fcopy_vsp.h"
#include "host/vsp/ic_provider.h"

/* An answer is as long as its request, in whole words. */
#define FCOPY_PROVIDER_BUFFER_BYTES ((IC_OVERHEAD_BYTES + FCOPY_WRITE_BYTES + 7u) / 8u * 8u)

struct fcopy_provider_config {
	struct ic_provider_loop loop;
	/* As of struct fcopy_vsp_ops. `ctx` is borrowed. */
	int (*read)(void *ctx, uint64_t offset, uint8_t *to, uint32_t bytes);
	void (*done)(void *ctx, const struct fcopy_end *end);
	void *ctx;
};

struct fcopy_provider {
	struct ic_provider provider;
	struct fcopy_vsp vsp; /* read it for status */
	struct fcopy_provider_config config;
	uint64_t buffer[FCOPY_PROVIDER_BUFFER_BYTES / 8];
};

/*
 * Prepare `fcopy` and offer the component on `bus`. `config` is copied; `fcopy` must not move
 * until it is removed. 0, or the error of bus_offer_add(). Remove it, and tell it the time, by
 * ic_provider_*() on its `provider`.
 */
int fcopy_provider_add(struct fcopy_provider *fcopy, struct vmbus_bus *bus,
	const struct fcopy_provider_config *config);

/* As fcopy_vsp_start(), fcopy_vsp_source_ready() and fcopy_vsp_cancel(). */
int fcopy_provider_start(struct fcopy_provider *fcopy, const struct fcopy_vsp_request *request);
void fcopy_provider_source_ready(struct fcopy_provider *fcopy);
void fcopy_provider_cancel(struct fcopy_provider *fcopy);

#endif
