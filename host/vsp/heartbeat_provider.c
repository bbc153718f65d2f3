// SPDX-License-Identifier: Apache-2.0
/*
 * Heartbeat on a VMBus. See heartbeat_provider.h.
 */
#include "host/vsp/heartbeat_provider.h"

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct heartbeat_provider *heartbeat = ctx;
	return ic_provider_send(&heartbeat->provider, bytes, len);
}

static void on_changed(void *ctx, enum heartbeat_contact contact, uint32_t application_state)
{
	const struct heartbeat_provider *heartbeat = ctx;
	if (heartbeat->config.changed != NULL)
		heartbeat->config.changed(heartbeat->config.ctx, contact, application_state);
}

static void on_failed(void *ctx, const char *reason)
{
	struct heartbeat_provider *heartbeat = ctx;
	ic_provider_fail(&heartbeat->provider, reason);
}

static const struct heartbeat_vsp_ops vsp_ops = {
	.send = on_send,
	.changed = on_changed,
	.failed = on_failed,
};

static void core_on_open(void *core, uint64_t now_ns)
{
	heartbeat_vsp_on_open(core, now_ns);
}

static void core_on_close(void *core, uint64_t now_ns)
{
	(void)now_ns;
	heartbeat_vsp_on_close(core);
}

static void core_on_packet(void *core, const void *bytes, size_t len, uint64_t now_ns)
{
	heartbeat_vsp_on_packet(core, bytes, len, now_ns);
}

static void core_on_bad_packet(void *core, enum ic_rejection reason, uint64_t now_ns)
{
	(void)now_ns;
	heartbeat_vsp_on_bad_packet(core, reason);
}

static uint64_t core_on_time(void *core, uint64_t now_ns)
{
	return heartbeat_vsp_on_time(core, now_ns);
}

static uint64_t core_deadline_ns(const void *core)
{
	return heartbeat_vsp_deadline_ns(core);
}

static const struct ic_provider_ops provider_ops = {
	.name = "heartbeat",
	.interface_id = &guid_heartbeat,
	.instance_id = &guid_heartbeat_instance,
	.on_open = core_on_open,
	.on_close = core_on_close,
	.on_packet = core_on_packet,
	.on_bad_packet = core_on_bad_packet,
	.on_time = core_on_time,
	.deadline_ns = core_deadline_ns,
};

int heartbeat_provider_add(struct heartbeat_provider *heartbeat, struct vmbus_bus *bus,
	const struct heartbeat_provider_config *config)
{
	heartbeat->config = *config;
	heartbeat_vsp_init(&heartbeat->vsp, &config->heartbeat, &vsp_ops, heartbeat);
	return ic_provider_add(&heartbeat->provider, bus, &provider_ops, &heartbeat->vsp,
		&heartbeat->vsp.ic, heartbeat->buffer, sizeof heartbeat->buffer, &config->loop);
}
