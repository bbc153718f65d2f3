// SPDX-License-Identifier: Apache-2.0
/*
 * Integration components on a VMBus. See ic_provider.h.
 */
#include "host/vsp/ic_provider.h"

#include "protocol/packet.h"
#include "protocol/vmbus.h"

#include <errno.h>
#include <string.h>

_Static_assert(
	IC_PROVIDER_BUFFER_BYTES >= IC_NEGOTIATE_MAX_BYTES && IC_PROVIDER_BUFFER_BYTES % 8 == 0,
	"an answer to the longest lists fits");

uint64_t ic_provider_now_ns(const struct ic_provider *provider)
{
	return provider->loop.now_ns(provider->loop.ctx);
}

void ic_provider_touched(const struct ic_provider *provider)
{
	provider->loop.timer_set(provider->loop.ctx, provider->ops->deadline_ns(provider->core));
}

int ic_provider_send(struct ic_provider *provider, const void *bytes, size_t len)
{
	if (provider->channel == NULL || provider->is_failed)
		return -ENODEV;
	struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.payload_bytes = (uint32_t)len,
		.transaction_id = provider->transaction_id,
	};
	struct ring_writer *writer = bus_channel_writer(provider->channel);
	if (ring_send(writer, &header, NULL, bytes) != RING_OK)
		return -EAGAIN;
	provider->transaction_id++;
	bus_channel_flush(provider->channel);
	return 0;
}

void ic_provider_fail(struct ic_provider *provider, const char *reason)
{
	provider->is_failed = true;
	bus_channel_fail(provider->channel, reason);
}

static void on_open(void *ctx, struct bus_channel *channel, const uint8_t *user_data)
{
	struct ic_provider *provider = ctx;
	(void)user_data;
	provider->channel = channel;
	provider->is_failed = false;
	provider->transaction_id = 0;
	bus_channel_open_done(channel, 0);
	if (provider->channel == NULL)
		return; /* the guest went away meanwhile, and on_close has run */
	provider->ops->on_open(provider->core, ic_provider_now_ns(provider));
	ic_provider_touched(provider);
}

static void on_close(void *ctx, struct bus_channel *channel)
{
	struct ic_provider *provider = ctx;
	provider->channel = NULL;
	provider->ops->on_close(provider->core, ic_provider_now_ns(provider));
	ic_provider_touched(provider);
	bus_channel_close_done(channel);
}

/* Take one packet. RING_OK: there was one, whatever became of it. */
static enum ring_status take(struct ic_provider *provider, struct ring_reader *reader)
{
	struct packet_view view = {0};
	uint64_t now_ns = ic_provider_now_ns(provider);
	uint64_t responses = provider->ic->responses;
	enum ring_status status = ring_receive(
		reader, provider->buffer, provider->buffer_bytes, &view);
	if (status == RING_BUFFER_TOO_SMALL) {
		ring_release(reader, &view);
		provider->ops->on_bad_packet(provider->core, IC_REJECT_TOO_LONG, now_ns);
		return RING_OK;
	}
	if (status != RING_OK)
		return status;
	if (view.type != PACKET_TYPE_INBAND)
		provider->ops->on_bad_packet(provider->core, IC_REJECT_PACKET_TYPE, now_ns);
	else
		provider->ops->on_packet(provider->core, view.payload, view.payload_bytes, now_ns);
	if (provider->ic->responses != responses) {
		provider->has_contact = true;
		provider->contact_ns = now_ns;
	}
	return RING_OK;
}

static bool on_ready(void *ctx, struct bus_channel *channel)
{
	struct ic_provider *provider = ctx;
	if (provider->is_failed)
		return false;
	struct ring_reader *reader = bus_channel_reader(channel);
	enum ring_status status = RING_OK;
	unsigned taken = 0;
	while (taken < IC_PROVIDER_BATCH && !provider->is_failed) {
		status = take(provider, reader);
		if (status != RING_OK)
			break;
		taken++;
	}
	if (ring_status_is_corrupt(status) && !provider->is_failed) {
		provider->ops->on_close(provider->core, ic_provider_now_ns(provider));
		ic_provider_fail(provider, ring_status_name(status));
	}
	if (!provider->is_failed)
		bus_channel_flush(channel);
	ic_provider_touched(provider);
	return taken > 0;
}

int ic_provider_add(struct ic_provider *provider, struct vmbus_bus *bus,
	const struct ic_provider_ops *ops, void *core, const struct ic_host *ic, void *buffer,
	size_t buffer_bytes, const struct ic_provider_loop *loop)
{
	*provider = (struct ic_provider){
		.ops = ops,
		.core = core,
		.ic = ic,
		.loop = *loop,
		.bus_ops = {.name = ops->name,
			.open = on_open,
			.close = on_close,
			.ready = on_ready},
		.buffer = buffer,
		.buffer_bytes = buffer_bytes,
	};
	struct vmbus_pipe_user_data_wire pipe = {.pipe_type = VMBUS_PIPE_TYPE_MESSAGE};
	struct bus_offer offer = {
		.interface_id = *ops->interface_id,
		.instance_id = *ops->instance_id,
		.flags = VMBUS_OFFER_ENUMERATE_DEVICE_INTERFACE | VMBUS_OFFER_NAMED_PIPE,
		.ops = &provider->bus_ops,
		.ctx = provider,
	};
	memcpy(offer.user_data, &pipe, sizeof pipe);
	return bus_offer_add(bus, &offer, &provider->offered);
}

void ic_provider_remove(struct ic_provider *provider)
{
	if (provider->offered == NULL)
		return;
	struct bus_channel *offered = provider->offered;
	provider->offered = NULL;
	bus_offer_remove(offered);
}

void ic_provider_on_time(struct ic_provider *provider, uint64_t now_ns)
{
	(void)provider->ops->on_time(provider->core, now_ns);
	ic_provider_touched(provider);
}

/* ---- cores that are sessions --------------------------------------------------------------- */

void ic_provider_session_on_open(void *core, uint64_t now_ns)
{
	ic_session_on_open(core, now_ns);
}

void ic_provider_session_on_close(void *core, uint64_t now_ns)
{
	ic_session_on_close(core, now_ns);
}

void ic_provider_session_on_packet(void *core, const void *bytes, size_t len, uint64_t now_ns)
{
	ic_session_on_packet(core, bytes, len, now_ns);
}

void ic_provider_session_on_bad_packet(void *core, enum ic_rejection reason, uint64_t now_ns)
{
	ic_session_on_bad_packet(core, reason, now_ns);
}

uint64_t ic_provider_session_on_time(void *core, uint64_t now_ns)
{
	return ic_session_on_time(core, now_ns);
}

uint64_t ic_provider_session_deadline_ns(const void *core)
{
	return ic_session_deadline_ns(core);
}
