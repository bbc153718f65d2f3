// SPDX-License-Identifier: Apache-2.0
/*
 * An integration component on a VMBus: makes the offer, moves packets between the channel's
 * rings and the component's machine, and keeps its timer. The same for each component; one
 * adds a struct ic_provider_ops.
 *
 *	vmbus channel <-> ic_provider <-> heartbeat_vsp, shutdown_vsp, timesync_vsp
 *			      |  now, timer_set
 *			  event loop (the owner's)
 *
 * Owns its offer. Holds no clock: the owner gives one, and calls ic_provider_on_time() when
 * the deadline of the last timer_set() has come.
 *
 * Threads: everything on the loop of the bus.
 */
#ifndef HOST_VSP_IC_PROVIDER_H
#define HOST_VSP_IC_PROVIDER_H

#include "host/vmbus/bus_channel.h"
#include "host/vsp/ic_session.h"

#define IC_PROVIDER_NEVER UINT64_MAX /* no deadline */

/* Packets taken in one turn of the loop. */
#define IC_PROVIDER_BATCH 32u

/* The longest answer that is looked at if the component sends nothing longer than its lists. */
#define IC_PROVIDER_BUFFER_BYTES 840u

/* How a provider drives its component's machine, `core`. Constant. */
struct ic_provider_ops {
	const char *name; /* stem, for the bus's status */
	const struct guid *interface_id;
	const struct guid *instance_id;
	void (*on_open)(void *core, uint64_t now_ns);
	void (*on_close)(void *core, uint64_t now_ns);
	void (*on_packet)(void *core, const void *bytes, size_t len, uint64_t now_ns);
	void (*on_bad_packet)(void *core, enum ic_rejection reason, uint64_t now_ns);
	uint64_t (*on_time)(void *core, uint64_t now_ns);
	uint64_t (*deadline_ns)(const void *core);
};

/* The five functions of a core that is a struct ic_session. */
#define IC_PROVIDER_SESSION_OPS                                                                    \
	.on_open = ic_provider_session_on_open, .on_close = ic_provider_session_on_close,          \
	.on_packet = ic_provider_session_on_packet,                                                \
	.on_bad_packet = ic_provider_session_on_bad_packet,                                        \
	.on_time = ic_provider_session_on_time, .deadline_ns = ic_provider_session_deadline_ns

/* What the owner gives. Functions run on the loop; `ctx` is borrowed. */
struct ic_provider_loop {
	/* Monotonic time in ns. */
	uint64_t (*now_ns)(void *ctx);
	/* Call ic_provider_on_time() at deadline_ns; IC_PROVIDER_NEVER: not at all. */
	void (*timer_set)(void *ctx, uint64_t deadline_ns);
	void *ctx;
};

struct ic_provider {
	const struct ic_provider_ops *ops; /* borrowed */
	void *core;			   /* borrowed; handed to ops */
	const struct ic_host *ic;	   /* the core's; borrowed, for status */
	struct ic_provider_loop loop;
	struct bus_provider_ops bus_ops;
	struct bus_channel *offered; /* the offer; NULL when removed */
	struct bus_channel *channel; /* the same while open, else NULL */
	uint64_t transaction_id;     /* of the next packet */
	bool is_failed;		     /* until closed: read and write nothing */
	bool has_contact;	     /* a response was accepted since init */
	uint64_t contact_ns;	     /* when the last one was */
	void *buffer;		     /* borrowed; 8-byte aligned */
	size_t buffer_bytes;	     /* multiple of 8; longer packets are rejected */
};

/*
 * Prepare `provider` around an initialised `core` and offer the component on `bus`. `loop`
 * is copied; `provider` must not move until it is removed. 0, or the error of
 * bus_offer_add().
 */
int ic_provider_add(struct ic_provider *provider, struct vmbus_bus *bus,
	const struct ic_provider_ops *ops, void *core, const struct ic_host *ic, void *buffer,
	size_t buffer_bytes, const struct ic_provider_loop *loop);

/* Take the offer back (rescind). An open channel is closed by the bus meanwhile. */
void ic_provider_remove(struct ic_provider *provider);

/* The deadline has come; re-arms through timer_set(). Early and late calls are harmless. */
void ic_provider_on_time(struct ic_provider *provider, uint64_t now_ns);

/* The machine was told something from outside: its deadline may have changed. */
void ic_provider_touched(const struct ic_provider *provider);

/* For the machine's ops. Send a payload: 0, -ENODEV, -EAGAIN. Fail the channel. */
int ic_provider_send(struct ic_provider *provider, const void *bytes, size_t len);
void ic_provider_fail(struct ic_provider *provider, const char *reason);
uint64_t ic_provider_now_ns(const struct ic_provider *provider);

void ic_provider_session_on_open(void *core, uint64_t now_ns);
void ic_provider_session_on_close(void *core, uint64_t now_ns);
void ic_provider_session_on_packet(void *core, const void *bytes, size_t len, uint64_t now_ns);
void ic_provider_session_on_bad_packet(void *core, enum ic_rejection reason, uint64_t now_ns);
uint64_t ic_provider_session_on_time(void *core, uint64_t now_ns);
uint64_t ic_provider_session_deadline_ns(const void *core);

#endif
