// SPDX-License-Identifier: Apache-2.0
/*
 * An integration component on the guest's bus: opens the component's channel and answers
 * what the host sends, for any struct ic_guest.
 *
 *	vmbus channel <-> ic_channel <-> ic_link <-> ic_guest <-> the component's handler
 *
 * After ic_channel_open() all happens inside vmbus_poll(), and inside ic_guest_finish() for
 * answers that come later (not from a callback of the bus). No allocation; `channel` must not
 * move while it is open.
 *
 *	struct heartbeat_ic heartbeat;
 *	struct ic_channel channel;
 *	heartbeat_ic_init(&heartbeat);
 *	if (ic_channel_open(&channel, bus, &heartbeat.ic, &guid_heartbeat, deadline) == 0)
 *		while (!channel.link.is_gone)
 *			vmbus_poll(bus, timeout);
 *	ic_channel_close(&channel, deadline);
 *
 * Threads: the bus's.
 */
#ifndef GUEST_IC_DAEMONS_IC_CHANNEL_H
#define GUEST_IC_DAEMONS_IC_CHANNEL_H

#include "guest/ic_daemons/ic_link.h"
#include "guest/vmbus/vmbus.h"

/* Ring of one direction, control page included, as Linux's guests have it. */
#define IC_CHANNEL_RING_BYTES 16384u

struct ic_channel {
	struct vmbus *bus; /* borrowed while open */
	struct vmbus_channel channel;
	bool is_open;
	struct ic_link link; /* link.is_gone: rescinded, or the ring is corrupt: close it */
};

/*
 * Find the component's offer and open it. `deadline` is absolute, in winhv_time_100ns()
 * units. 0; -VIRIDIAN_ENOENT: the host does not offer it; else as vmbus_channel_open().
 */
int ic_channel_open(struct ic_channel *channel, struct vmbus *bus, struct ic_guest *ic,
	const struct guid *interface_id, uint64_t deadline);

/* Close it if it is open. As vmbus_channel_close(). */
int ic_channel_close(struct ic_channel *channel, uint64_t deadline);

#endif
