// SPDX-License-Identifier: Apache-2.0
/*
 * An integration component on the guest's bus. See ic_channel.h.
 */
#include "guest/ic_daemons/ic_channel.h"

#include "protocol/errors.h"

#include <string.h>

static void flush(void *ctx)
{
	struct ic_channel *channel = ctx;
	vmbus_channel_flush(&channel->channel);
}

static void on_ready(void *ctx, struct vmbus_channel *bus_channel)
{
	struct ic_channel *channel = ctx;
	(void)bus_channel;
	(void)ic_link_serve(&channel->link); /* the bus calls again as long as data is left */
}

static void on_rescind(void *ctx, struct vmbus_channel *bus_channel)
{
	struct ic_channel *channel = ctx;
	(void)bus_channel;
	ic_link_give_up(&channel->link, "rescinded");
}

int ic_channel_open(struct ic_channel *channel, struct vmbus *bus, struct ic_guest *ic,
	const struct guid *interface_id, uint64_t deadline)
{
	memset(channel, 0, sizeof *channel);
	channel->bus = bus;
	const struct vmbus_offer *offer = vmbus_offer_find(bus, interface_id, 0);
	if (offer == NULL)
		return -VIRIDIAN_ENOENT;
	struct vmbus_open_config config = {
		.ring_out_bytes = IC_CHANNEL_RING_BYTES,
		.ring_in_bytes = IC_CHANNEL_RING_BYTES,
		.on_ready = on_ready,
		.on_rescind = on_rescind,
		.ctx = channel,
	};
	ic_link_open(
		&channel->link, ic, &channel->channel.in, &channel->channel.out, flush, channel);
	int error = vmbus_channel_open(bus, offer->relid, &channel->channel, &config, deadline);
	channel->is_open = error == 0;
	if (error != 0)
		ic_link_close(&channel->link);
	return error;
}

int ic_channel_close(struct ic_channel *channel, uint64_t deadline)
{
	if (!channel->is_open)
		return 0;
	channel->is_open = false;
	ic_link_close(&channel->link);
	return vmbus_channel_close(channel->bus, &channel->channel, deadline);
}
