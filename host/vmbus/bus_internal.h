// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the bus share: bus.c (server, ports, hot list), bus_channel.c
 * (the provider seam), bus_signal.c (interrupts, and the pages that carry signals).
 */
#ifndef HOST_VMBUS_BUS_INTERNAL_H
#define HOST_VMBUS_BUS_INTERNAL_H

#include "host/vmbus/bus.h"
#include "host/vmbus/server.h"

enum bus_channel_state {
	BUS_CHANNEL_DOWN,    /* no rings */
	BUS_CHANNEL_OPENING, /* rings mapped, provider asked */
	BUS_CHANNEL_RUNNING,
	BUS_CHANNEL_CLOSING, /* provider asked; rings still mapped */
};

struct bus_channel {
	/* every packet and every turn */
	struct ring_reader reader; /* guest -> host */
	struct ring_writer writer; /* host -> guest */
	struct vmbus_bus *bus;
	enum bus_channel_state state;
	bool is_hot;
	bool is_interrupt_due; /* wanted before OPEN_CHANNEL_RESULT was sent */
	bool is_room_polled;   /* its ring is full, and the guest does not tell of room */
	unsigned idle_polls;   /* in a row */
	struct bus_channel *hot_next;
	struct bus_channel *hot_previous;
	uint32_t target_vp;
	uint32_t event_flag;
	uint64_t signals_in;
	uint64_t signals_out;
	/* rarely */
	struct bus_offer offer;
	vmbus_server_id id;
	uint32_t relid;
	uint32_t connection_id;
	uint8_t monitor_id;  /* as offered, or VMBUS_MONITOR_ID_NONE */
	bool is_monitored;   /* open, and found by its bit in the monitor page */
	const char *failure; /* constant string; the channel is silent */
	struct guest_ring_mapping incoming;
	struct guest_ring_mapping outgoing;
	/* of rings that are gone */
	struct ring_stats past_in;
	struct ring_stats past_out;
	struct bus_channel *next; /* of all channels of the bus */
};

struct vmbus_bus {
	struct partition *partition;
	const struct guest_memory *memory;
	struct vmbus_server *server;
	struct vmbus_bus_config config;
	void (*reset_done)(void *ctx);
	void *reset_done_ctx;

	struct bus_channel *hot_first;
	struct bus_channel *hot_last;
	struct bus_channel *visit_next; /* where a walk over the hot list goes on */
	struct bus_channel *visited;	/* whose provider is being called; NULL if freed by it */
	unsigned hot_count;

	/* pages of the guest: anything in them may change at any time */
	uint64_t *interrupt_page;     /* words of a vmbus_interrupt_page_wire */
	uint32_t *monitor_page;	      /* words of a vmbus_monitor_page_wire, child to parent */
	uint64_t monitor_interval_ns; /* lowest latency of by_monitor; 0: nobody is in it */
	unsigned room_polled_count;   /* channels that are is_room_polled */
	struct bus_channel *by_monitor[VMBUS_MONITOR_ID_COUNT]; /* is_monitored */
	struct bus_channel *by_relid[VMBUS_RELID_COUNT];
	struct bus_channel *channels; /* owned list */
};

/* ---- bus.c ---- */
void bus_hot_add(struct bus_channel *channel);
void bus_hot_remove(struct bus_channel *channel);

/* ---- bus_channel.c: what the server asks of a channel ---- */
enum vmbus_rejection bus_channel_open(
	void *ctx, void *device, const struct vmbus_server_open *open);
void bus_channel_close(void *ctx, void *device);
void bus_channel_target_set(void *ctx, void *device, uint32_t target_vp);
void bus_channel_relid_set(void *ctx, void *device, uint32_t relid, uint8_t monitor_id);
void bus_channel_gone(void *ctx, void *device);
/* Unmap rings, free ports; the channel is down. */
void bus_channel_down(struct bus_channel *channel);

/* ---- bus_signal.c ---- */
/* Raise the channel's interrupt in the guest. */
void bus_interrupt(struct bus_channel *channel);
/* The guest has signalled the channel, or may have. */
void bus_doorbell(struct bus_channel *channel);
void bus_on_channel_event(void *ctx, uint32_t connection_id, uint16_t flag);
void bus_on_shared_event(void *ctx, uint32_t connection_id, uint16_t flag);
/* Collect signals from the monitor page. */
void bus_monitor_scan(struct vmbus_bus *bus);
/* Write into the monitor page how the channel's signals are treated (R-MNF-010). */
void bus_monitor_describe(const struct bus_channel *channel);
/* Look for the channel's signals in the monitor page from now on, if it has an id; or no more. */
void bus_monitor_start(struct bus_channel *channel, uint8_t monitor_id);
void bus_monitor_stop(struct bus_channel *channel);
/* A batch has been written: is room to be waited for, and by polling (R-RING-018)? */
void bus_room_note(struct bus_channel *channel);
/* The channel is not waited for any more. */
void bus_room_stop(struct bus_channel *channel);
/* Let the providers whose room is polled look again. */
void bus_room_scan(struct vmbus_bus *bus);
int bus_pages_set(void *ctx, const struct vmbus_server_pages *pages);

#endif
