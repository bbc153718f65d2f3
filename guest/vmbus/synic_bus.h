// SPDX-License-Identifier: Apache-2.0
/*
 * The bus over SynIC: the driver that moves messages, events and time between
 * winhv and the client state machine. The API is vmbus.h; this header is for those
 * who give the memory of a struct vmbus, and for synic_channel.c.
 *
 *	vmbus.h
 *	  |
 *	synic_bus.c	 connect, unload, serve, poll, arm
 *	synic_channel.c	 open, close, GPADLs, signals
 *	  |	    |
 *	client.h   winhv.h
 *
 * About 500 KiB, most of it the table of offers: static or allocated, not on a stack.
 * Threads: see vmbus.h. The fields are the bus's own.
 */
#ifndef GUEST_VMBUS_SYNIC_BUS_H
#define GUEST_VMBUS_SYNIC_BUS_H

#include "guest/vmbus/vmbus.h"

struct vmbus {
	struct winhv *hv;
	struct vmbus_config config;
	struct vmbus_client client;
	struct vmbus_channel *channels; /* open or opening, by next_open */
	struct vmbus_channel *hot;	/* by next_hot */
	struct vmbus_channel *by_flag[VMBUS_EVENT_FLAG_COUNT];
	uint32_t flag_max;	   /* no channel has a higher event flag */
	uint64_t vps;		   /* bit n: VP n may get messages or events of ours */
	uint64_t pending_vps;	   /* bit n: its VMBUS_SINT was asserted and not yet served */
	struct winhv_pages shared; /* interrupt page, monitor pages; empty: none */
	uint8_t *interrupt_page;   /* in `shared`, or NULL */
	uint8_t *monitor_page;	   /* guest → host, in `shared`, or NULL */
	uint64_t pages_abandoned;  /* of `shared` */
	int failure;		   /* the hypervisor failed for good: what the calls return */
	bool is_serving;	   /* a callback may be running */
};

/* For synic_channel.c. */
int synic_bus_vp_enable(struct vmbus *bus, uint32_t vp);
/* Serve until *result is no longer VMBUS_CLIENT_BUSY; returns it. */
int synic_bus_wait(struct vmbus *bus, const int *result);
/* -VIRIDIAN_EBUSY inside a callback, -VIRIDIAN_ENODEV after a failure, else 0. */
int synic_bus_may_block(const struct vmbus *bus);
void synic_channel_heat(struct vmbus *bus, struct vmbus_channel *channel);
void synic_channel_cool(struct vmbus *bus, struct vmbus_channel *channel);
/* The client has closed it: free or abandon its rings, forget it. */
void synic_channel_dispose(struct vmbus *bus, struct vmbus_channel *channel);

#endif
