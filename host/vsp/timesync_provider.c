// SPDX-License-Identifier: Apache-2.0
/*
 * Time synchronisation on a VMBus. See timesync_provider.h.
 */
#include "host/vsp/timesync_provider.h"

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct timesync_provider *timesync = ctx;
	return ic_provider_send(&timesync->provider, bytes, len);
}

static void on_failed(void *ctx, const char *reason)
{
	struct timesync_provider *timesync = ctx;
	ic_provider_fail(&timesync->provider, reason);
}

static void on_read(void *ctx, struct timesync_reading *out)
{
	const struct timesync_provider *timesync = ctx;
	timesync->config.read(timesync->config.ctx, out);
}

static void on_done(void *ctx, enum timesync_result result, uint32_t status)
{
	const struct timesync_provider *timesync = ctx;
	timesync->config.done(timesync->config.ctx, result, status);
}

static const struct timesync_vsp_ops vsp_ops = {
	.session = {.send = on_send, .failed = on_failed},
	.read = on_read,
	.done = on_done,
};

static const struct ic_provider_ops provider_ops = {
	.name = "timesync",
	.interface_id = &guid_timesync,
	.instance_id = &guid_timesync_instance,
	IC_PROVIDER_SESSION_OPS,
};

int timesync_provider_add(struct timesync_provider *timesync, struct vmbus_bus *bus,
	const struct timesync_provider_config *config)
{
	timesync->config = *config;
	timesync_vsp_init(&timesync->vsp, &config->timesync, &vsp_ops, timesync);
	return ic_provider_add(&timesync->provider, bus, &provider_ops, &timesync->vsp.session,
		&timesync->vsp.session.ic, timesync->buffer, sizeof timesync->buffer,
		&config->loop);
}

int timesync_provider_request(struct timesync_provider *timesync, bool is_sync)
{
	int error = timesync_vsp_request(
		&timesync->vsp, is_sync, ic_provider_now_ns(&timesync->provider));
	ic_provider_touched(&timesync->provider);
	return error;
}
