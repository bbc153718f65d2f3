// SPDX-License-Identifier: Apache-2.0
/*
 * Heartbeat on a VMBus: the machine in heartbeat_vsp.h behind an ic_provider.
 *
 *	vmbus channel <-> ic_provider <-> heartbeat_vsp
 *
 * Threads: everything on the loop of the bus.
 */
#ifndef HOST_VSP_HEARTBEAT_PROVIDER_H
#define HOST_VSP_HEARTBEAT_PROVIDER_H

#include "host/vsp/heartbeat_vsp.h"
#include "host/vsp/ic_provider.h"

/* What the owner gives. Functions run on the loop. */
struct heartbeat_provider_config {
	struct heartbeat_vsp_config heartbeat;
	struct ic_provider_loop loop;
	/* Contact or application state changed; may be NULL. At most a few times a period. */
	void (*changed)(void *ctx, enum heartbeat_contact contact, uint32_t application_state);
	void *ctx; /* borrowed; handed to changed */
};

struct heartbeat_provider {
	struct ic_provider provider;
	struct heartbeat_vsp vsp; /* read it for status */
	struct heartbeat_provider_config config;
	uint64_t buffer[IC_PROVIDER_BUFFER_BYTES / 8];
};

/*
 * Prepare `heartbeat` and offer the component on `bus`. `config` is copied; `heartbeat`
 * must not move until it is removed. 0, or the error of bus_offer_add(). Remove it, and
 * tell it the time, by ic_provider_*() on its `provider`.
 */
int heartbeat_provider_add(struct heartbeat_provider *heartbeat, struct vmbus_bus *bus,
	const struct heartbeat_provider_config *config);

#endif
