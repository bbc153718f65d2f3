// SPDX-License-Identifier: Apache-2.0
/*
 * File copy on a VMBus. See fcopy_provider.h.
 */
#include "host/vsp/fcopy_provider.h"

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct fcopy_provider *fcopy = ctx;
	return ic_provider_send(&fcopy->provider, bytes, len);
}

static void on_failed(void *ctx, const char *reason)
{
	struct fcopy_provider *fcopy = ctx;
	ic_provider_fail(&fcopy->provider, reason);
}

static int on_read(void *ctx, uint64_t offset, uint8_t *to, uint32_t bytes)
{
	const struct fcopy_provider *fcopy = ctx;
	return fcopy->config.read(fcopy->config.ctx, offset, to, bytes);
}

static void on_done(void *ctx, const struct fcopy_end *end)
{
	const struct fcopy_provider *fcopy = ctx;
	fcopy->config.done(fcopy->config.ctx, end);
}

static const struct fcopy_vsp_ops vsp_ops = {
	.session = {.send = on_send, .failed = on_failed},
	.read = on_read,
	.done = on_done,
};

static const struct ic_provider_ops provider_ops = {
	.name = "fcopy",
	.interface_id = &guid_fcopy,
	.instance_id = &guid_fcopy_instance,
	IC_PROVIDER_SESSION_OPS,
};

int fcopy_provider_add(struct fcopy_provider *fcopy, struct vmbus_bus *bus,
	const struct fcopy_provider_config *config)
{
	fcopy->config = *config;
	fcopy_vsp_init(&fcopy->vsp, &vsp_ops, fcopy);
	return ic_provider_add(&fcopy->provider, bus, &provider_ops, &fcopy->vsp.session,
		&fcopy->vsp.session.ic, fcopy->buffer, sizeof fcopy->buffer, &config->loop);
}

int fcopy_provider_start(struct fcopy_provider *fcopy, const struct fcopy_vsp_request *request)
{
	const int error = fcopy_vsp_start(
		&fcopy->vsp, request, ic_provider_now_ns(&fcopy->provider));
	ic_provider_touched(&fcopy->provider);
	return error;
}

void fcopy_provider_source_ready(struct fcopy_provider *fcopy)
{
	fcopy_vsp_source_ready(&fcopy->vsp, ic_provider_now_ns(&fcopy->provider));
	ic_provider_touched(&fcopy->provider);
}

void fcopy_provider_cancel(struct fcopy_provider *fcopy)
{
	fcopy_vsp_cancel(&fcopy->vsp, ic_provider_now_ns(&fcopy->provider));
	ic_provider_touched(&fcopy->provider);
}
