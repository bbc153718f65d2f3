// SPDX-License-Identifier: Apache-2.0
/*
 * Heartbeat on a VMBus. See heartbeat_provider.h.
 */
#include "host/vsp/heartbeat_provider.h"

#include "protocol/packet.h"
#include "protocol/vmbus.h"

#include <errno.h>
#include <string.h>

_Static_assert(HEARTBEAT_PROVIDER_BUFFER_BYTES >= IC_NEGOTIATE_MAX_BYTES &&
		       HEARTBEAT_PROVIDER_BUFFER_BYTES % 8 == 0,
	"an answer to the longest request fits");

static uint64_t now_ns(const struct heartbeat_provider *provider)
{
	return provider->config.now_ns(provider->config.ctx);
}

static void timer_update(const struct heartbeat_provider *provider)
{
	provider->config.timer_set(provider->config.ctx, heartbeat_vsp_deadline_ns(&provider->vsp));
}

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct heartbeat_provider *provider = ctx;
	if (provider->channel == NULL)
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

static void on_changed(void *ctx, enum heartbeat_contact contact, uint32_t application_state)
{
	const struct heartbeat_provider *provider = ctx;
	if (provider->config.changed != NULL)
		provider->config.changed(provider->config.ctx, contact, application_state);
}

static void on_failed(void *ctx, const char *reason)
{
	struct heartbeat_provider *provider = ctx;
	provider->is_failed = true;
	bus_channel_fail(provider->channel, reason);
}

static const struct heartbeat_vsp_ops vsp_ops = {
	.send = on_send,
	.changed = on_changed,
	.failed = on_failed,
};

static void on_open(void *ctx, struct bus_channel *channel, const uint8_t *user_data)
{
	struct heartbeat_provider *provider = ctx;
	(void)user_data;
	provider->channel = channel;
	provider->is_failed = false;
	provider->transaction_id = 0;
	bus_channel_open_done(channel, 0);
	if (provider->channel == NULL)
		return; /* the guest went away meanwhile, and on_close has run */
	heartbeat_vsp_on_open(&provider->vsp, now_ns(provider));
	timer_update(provider);
}

static void on_close(void *ctx, struct bus_channel *channel)
{
	struct heartbeat_provider *provider = ctx;
	provider->channel = NULL;
	heartbeat_vsp_on_close(&provider->vsp);
	timer_update(provider);
	bus_channel_close_done(channel);
}

/* Take one packet. RING_OK: there was one, whatever became of it. */
static enum ring_status take(struct heartbeat_provider *provider, struct ring_reader *reader)
{
	struct packet_view view = {0};
	enum ring_status status = ring_receive(
		reader, provider->buffer, sizeof provider->buffer, &view);
	if (status == RING_BUFFER_TOO_SMALL) {
		ring_release(reader, &view);
		heartbeat_vsp_on_bad_packet(&provider->vsp, IC_REJECT_TOO_LONG);
		return RING_OK;
	}
	if (status != RING_OK)
		return status;
	if (view.type != PACKET_TYPE_INBAND)
		heartbeat_vsp_on_bad_packet(&provider->vsp, IC_REJECT_PACKET_TYPE);
	else
		heartbeat_vsp_on_packet(
			&provider->vsp, view.payload, view.payload_bytes, now_ns(provider));
	return RING_OK;
}

static bool on_ready(void *ctx, struct bus_channel *channel)
{
	struct heartbeat_provider *provider = ctx;
	if (provider->is_failed)
		return false;
	struct ring_reader *reader = bus_channel_reader(channel);
	enum ring_status status = RING_OK;
	unsigned taken = 0;
	while (taken < HEARTBEAT_PROVIDER_BATCH && !provider->is_failed) {
		status = take(provider, reader);
		if (status != RING_OK)
			break;
		taken++;
	}
	if (ring_status_is_corrupt(status) && !provider->is_failed) {
		heartbeat_vsp_on_close(&provider->vsp);
		on_failed(provider, ring_status_name(status));
	}
	if (!provider->is_failed)
		bus_channel_flush(channel);
	timer_update(provider);
	return taken > 0;
}

static const struct bus_provider_ops provider_ops = {
	.name = "heartbeat",
	.open = on_open,
	.close = on_close,
	.ready = on_ready,
};

int heartbeat_provider_add(struct heartbeat_provider *provider, struct vmbus_bus *bus,
	const struct heartbeat_provider_config *config)
{
	memset(provider, 0, sizeof *provider);
	provider->config = *config;
	heartbeat_vsp_init(&provider->vsp, &config->heartbeat, &vsp_ops, provider);
	struct vmbus_pipe_user_data_wire pipe = {.pipe_type = VMBUS_PIPE_TYPE_MESSAGE};
	struct bus_offer offer = {
		.interface_id = guid_heartbeat,
		.instance_id = guid_heartbeat_instance,
		.flags = VMBUS_OFFER_ENUMERATE_DEVICE_INTERFACE | VMBUS_OFFER_NAMED_PIPE,
		.ops = &provider_ops,
		.ctx = provider,
	};
	memcpy(offer.user_data, &pipe, sizeof pipe);
	return bus_offer_add(bus, &offer, &provider->offered);
}

void heartbeat_provider_remove(struct heartbeat_provider *provider)
{
	if (provider->offered == NULL)
		return;
	struct bus_channel *offered = provider->offered;
	provider->offered = NULL;
	bus_offer_remove(offered);
}

void heartbeat_provider_on_time(struct heartbeat_provider *provider, uint64_t now)
{
	heartbeat_vsp_on_time(&provider->vsp, now);
	timer_update(provider);
}
