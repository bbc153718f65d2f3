// SPDX-License-Identifier: Apache-2.0
/*
 * The VMBus of one partition: binds the pure server (server.h) to a partition's
 * SynIC ports and memory, maps rings, and runs the channels that have work.
 *
 *	VSPs        bus_channel.h
 *	  |
 *	bus.c  -- ring mapping, doorbells, hot list, interrupts
 *	  |
 *	server*.c -- connection, offers, channels, GPADLs; no memory, no OS
 *	  |
 *	partition.h
 *
 * A channel that was signalled becomes hot: its ring's interrupt mask is set, and
 * vmbus_bus_poll() looks at it every turn until the loop wants to sleep; then
 * vmbus_bus_arm() unmasks each hot ring and looks once more.
 */
#ifndef HOST_VMBUS_BUS_H
#define HOST_VMBUS_BUS_H

#include "host/hypervisor/partition.h"
#include "host/vmbus/bus_channel.h"

struct vmbus_bus_config {
	uint32_t version_max;  /* highest VMBUS_VERSION_* to accept; 0: all */
	uint32_t feature_mask; /* VMBUS_FEATURE_* to grant if asked; 0: the default set */
	bool is_single_client; /* no message port 4, as on hosts before 5.0 */
	/*
	 * Monitor pages of the host's for guests that ask for FEATURE_SERVER_MONITOR_PAGES: pages
	 * of guest memory that the guest does not use otherwise. child_to_parent 0: none.
	 */
	uint64_t parent_to_child_page_gpa;
	uint64_t child_to_parent_page_gpa;
	/*
	 * The guest wants to connect to a service of the host (hvsock). True: it listens, and makes
	 * an offer for the connection, now or later. NULL: nobody listens to anything.
	 */
	bool (*connect_request)(
		void *ctx, const struct guid *endpoint_id, const struct guid *service_id);
	void *connect_ctx;
};

/*
 * Attach a bus to a partition: takes message ports 1 and 4 and event port 2, and observes
 * resets and drained message queues. Returns 0 or a negative errno with nothing taken.
 */
int vmbus_bus_create(
	struct partition *partition, const struct vmbus_bus_config *config, struct vmbus_bus **out);
/*
 * Close every channel and detach. Providers that are open get ops->close, and must have
 * finished their I/O: their channels are dead when this returns.
 */
void vmbus_bus_destroy(struct vmbus_bus *bus);

/* For loop sources: see loop.h. */
bool vmbus_bus_poll(struct vmbus_bus *bus);
bool vmbus_bus_arm(struct vmbus_bus *bus);
/*
 * While a channel is open whose guest signals through a monitor page (bus_offer.wants_monitor), or
 * one waits for room of which its guest will not tell (R-RING-018), poll at least this often, in
 * ns; 0: no need. To be asked after vmbus_bus_arm().
 */
uint64_t vmbus_bus_poll_interval_ns(const struct vmbus_bus *bus);

/*
 * The guest has gone (socket closed, triple fault): close all channels as by UNLOAD but
 * answer nothing. When every provider has answered, `done` runs (perhaps at once). A second
 * call before that replaces `done`. A partition_reset() does the same without `done`.
 */
void vmbus_bus_reset(struct vmbus_bus *bus, void (*done)(void *ctx), void *ctx);

/* A snapshot for status commands and tests. */
struct bus_channel_statistics {
	uint32_t relid;
	const char *provider; /* ops->name */
	struct guid interface_id, instance_id;
	uint16_t subchannel_index;
	const char *state; /* "closed", "open", … */
	uint32_t target_vp;
	uint8_t monitor_id; /* by which the guest may signal, or VMBUS_MONITOR_ID_NONE */
	uint64_t packets_in, packets_out, bytes_in, bytes_out;
	uint64_t signals_in;  /* doorbells from the guest */
	uint64_t signals_out; /* interrupts to the guest */
	uint64_t ring_full;   /* times a write found no space */
	const char *failure;  /* reason given to bus_channel_fail, or NULL */
};
struct vmbus_bus_statistics {
	const char *connection_state;
	uint32_t version;  /* VMBUS_VERSION_*, 0 if not connected */
	uint32_t features; /* VMBUS_FEATURE_* negotiated */
	uint64_t messages_in, messages_out;
	uint64_t messages_rejected;
	const char *last_rejection; /* name of the reason, or NULL */
	unsigned channel_count;
};
void vmbus_bus_statistics_get(const struct vmbus_bus *bus, struct vmbus_bus_statistics *out);
/* Call `fn` for each channel that exists, in relid order. */
void vmbus_bus_channels_visit(const struct vmbus_bus *bus,
	void (*fn)(void *ctx, const struct bus_channel_statistics *statistics), void *ctx);
/* Times that a message was rejected for this reason, a VMBUS_REJECTION_*. */
uint64_t vmbus_bus_rejections(const struct vmbus_bus *bus, unsigned reason);

#endif
