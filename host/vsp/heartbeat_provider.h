// SPDX-License-Identifier: Apache-2.0
/*
 * Heartbeat on a VMBus: makes the offer, moves packets between the channel's rings and
 * the machine in heartbeat_vsp.h, and keeps its timer.
 *
 *	vmbus channel <-> heartbeat_provider <-> heartbeat_vsp
 *			      |  now, timer_set
 *			  event loop (the owner's)
 *
 * Owns its offer. Holds no clock: the owner gives one, and calls
 * heartbeat_provider_on_time() when the deadline of the last timer_set() has come.
 *
 * Threads: everything on the loop of the bus.
 */
#ifndef HOST_VSP_HEARTBEAT_PROVIDER_H
#define HOST_VSP_HEARTBEAT_PROVIDER_H

#include "host/vmbus/bus_channel.h"
#include "host/vsp/heartbeat_vsp.h"

/* The longest answer that is looked at: as long as the longest request. */
#define HEARTBEAT_PROVIDER_BUFFER_BYTES 840u

/* Packets taken in one turn of the loop. */
#define HEARTBEAT_PROVIDER_BATCH 32u

/* What the owner gives. Functions run on the loop; `ctx` is borrowed. */
struct heartbeat_provider_config {
	struct heartbeat_vsp_config heartbeat;
	/* Monotonic time in ns. */
	uint64_t (*now_ns)(void *ctx);
	/* Call heartbeat_provider_on_time() at deadline_ns; HEARTBEAT_VSP_NEVER: not at all. */
	void (*timer_set)(void *ctx, uint64_t deadline_ns);
	/* Contact or application state changed; may be NULL. At most a few times a period. */
	void (*changed)(void *ctx, enum heartbeat_contact contact, uint32_t application_state);
	void *ctx;
};

struct heartbeat_provider {
	struct heartbeat_provider_config config;
	struct heartbeat_vsp vsp;    /* read it for status */
	struct bus_channel *offered; /* the offer; NULL when removed */
	struct bus_channel *channel; /* the same while open, else NULL */
	uint64_t transaction_id;     /* of the next packet */
	bool is_failed;		     /* until closed: read and write nothing */
	uint64_t buffer[HEARTBEAT_PROVIDER_BUFFER_BYTES / 8];
};

/*
 * Prepare `provider` and offer the heartbeat component on `bus`. `config` is copied;
 * `provider` must not move until it is removed. 0, or the error of bus_offer_add().
 */
int heartbeat_provider_add(struct heartbeat_provider *provider, struct vmbus_bus *bus,
	const struct heartbeat_provider_config *config);

/* Take the offer back (rescind). An open channel is closed by the bus meanwhile. */
void heartbeat_provider_remove(struct heartbeat_provider *provider);

/* The deadline has come; re-arms through timer_set(). Early and late calls are harmless. */
void heartbeat_provider_on_time(struct heartbeat_provider *provider, uint64_t now_ns);

#endif
