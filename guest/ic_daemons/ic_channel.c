// SPDX-License-Identifier: Apache-2.0
/*
 * An integration component on the guest's bus. See ic_channel.h.
 */
#include "guest/ic_daemons/ic_channel.h"

#include "protocol/errors.h"
#include "protocol/packet.h"

#include <string.h>

static void give_up(struct ic_channel *channel, const char *reason)
{
	channel->is_gone = true;
	if (channel->reason == NULL)
		channel->reason = reason;
}

static void reply(struct ic_channel *channel, size_t len, uint64_t transaction_id)
{
	struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.payload_bytes = (uint32_t)len,
		.transaction_id = transaction_id,
	};
	enum ring_status status = ring_send(&channel->channel.out, &header, NULL, channel->buffer);
	if (status == RING_OK) {
		channel->replies++;
		return;
	}
	channel->replies_dropped++;
	if (ring_status_is_corrupt(status))
		give_up(channel, ring_status_name(status));
}

static void count_bad_packet(struct ic_guest *ic, enum ic_rejection reason)
{
	ic->rejections[reason]++;
	ic->last_rejection = reason;
}

/* Take one packet and answer it. RING_OK: there was one, whatever became of it. */
static enum ring_status take(struct ic_channel *channel)
{
	struct packet_view view = {0};
	enum ring_status status = ring_receive(
		&channel->channel.in, channel->buffer, sizeof channel->buffer, &view);
	if (status == RING_BUFFER_TOO_SMALL) {
		ring_release(&channel->channel.in, &view);
		count_bad_packet(channel->ic, IC_REJECT_TOO_LONG);
		return RING_OK;
	}
	if (status != RING_OK)
		return status;
	channel->packets++;
	if (view.type != PACKET_TYPE_INBAND) {
		count_bad_packet(channel->ic, IC_REJECT_PACKET_TYPE);
		return RING_OK;
	}
	size_t len = 0;
	(void)ic_guest_on_packet(channel->ic, view.payload, view.payload_bytes, channel->buffer,
		sizeof channel->buffer, &len);
	if (len > 0)
		reply(channel, len, view.transaction_id);
	return RING_OK;
}

static void on_ready(void *ctx, struct vmbus_channel *bus_channel)
{
	struct ic_channel *channel = ctx;
	for (unsigned taken = 0; taken < IC_CHANNEL_BATCH && !channel->is_gone; taken++) {
		enum ring_status status = take(channel);
		if (ring_status_is_corrupt(status))
			give_up(channel, ring_status_name(status));
		if (status != RING_OK)
			break;
	}
	vmbus_channel_flush(bus_channel);
}

static void on_rescind(void *ctx, struct vmbus_channel *bus_channel)
{
	struct ic_channel *channel = ctx;
	(void)bus_channel;
	give_up(channel, "rescinded");
}

int ic_channel_open(struct ic_channel *channel, struct vmbus *bus, struct ic_guest *ic,
	const struct guid *interface_id, uint64_t deadline)
{
	memset(channel, 0, sizeof *channel);
	channel->bus = bus;
	channel->ic = ic;
	ic_guest_reset(ic);
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
	int error = vmbus_channel_open(bus, offer->relid, &channel->channel, &config, deadline);
	channel->is_open = error == 0;
	return error;
}

int ic_channel_close(struct ic_channel *channel, uint64_t deadline)
{
	if (!channel->is_open)
		return 0;
	channel->is_open = false;
	ic_guest_reset(channel->ic);
	return vmbus_channel_close(channel->bus, &channel->channel, deadline);
}
