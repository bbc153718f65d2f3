// SPDX-License-Identifier: Apache-2.0
/*
 * Shutdown on a VMBus. See shutdown_provider.h.
 */
#include "host/vsp/shutdown_provider.h"

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct shutdown_provider *shutdown = ctx;
	return ic_provider_send(&shutdown->provider, bytes, len);
}

static void on_failed(void *ctx, const char *reason)
{
	struct shutdown_provider *shutdown = ctx;
	ic_provider_fail(&shutdown->provider, reason);
}

static void on_done(
	void *ctx, enum shutdown_action action, enum shutdown_result result, uint32_t status)
{
	const struct shutdown_provider *shutdown = ctx;
	shutdown->config.done(shutdown->config.ctx, action, result, status);
}

static const struct shutdown_vsp_ops vsp_ops = {
	.session = {.send = on_send, .failed = on_failed},
	.done = on_done,
};

static const struct ic_provider_ops provider_ops = {
	.name = "shutdown",
	.interface_id = &guid_shutdown,
	.instance_id = &guid_shutdown_instance,
	IC_PROVIDER_SESSION_OPS,
};

int shutdown_provider_add(struct shutdown_provider *shutdown, struct vmbus_bus *bus,
	const struct shutdown_provider_config *config)
{
	shutdown->config = *config;
	shutdown_vsp_init(&shutdown->vsp, &vsp_ops, shutdown);
	return ic_provider_add(&shutdown->provider, bus, &provider_ops, &shutdown->vsp.session,
		&shutdown->vsp.session.ic, shutdown->buffer, sizeof shutdown->buffer,
		&config->loop);
}

int shutdown_provider_request(
	struct shutdown_provider *shutdown, const struct shutdown_vsp_request *request)
{
	int error = shutdown_vsp_request(
		&shutdown->vsp, request, ic_provider_now_ns(&shutdown->provider));
	ic_provider_touched(&shutdown->provider);
	return error;
}
