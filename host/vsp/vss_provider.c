// SPDX-License-Identifier: Apache-2.0
/*
 * Backup coordination on a VMBus. See vss_provider.h.
 */
#include "host/vsp/vss_provider.h"

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct vss_provider *vss = ctx;
	return ic_provider_send(&vss->provider, bytes, len);
}

static void on_failed(void *ctx, const char *reason)
{
	struct vss_provider *vss = ctx;
	ic_provider_fail(&vss->provider, reason);
}

static void on_frozen(void *ctx)
{
	const struct vss_provider *vss = ctx;
	vss->config.frozen(vss->config.ctx);
}

static void on_ended(void *ctx, const struct vss_report *report)
{
	const struct vss_provider *vss = ctx;
	vss->config.ended(vss->config.ctx, report);
}

static const struct vss_vsp_ops vsp_ops = {
	.session = {.send = on_send, .failed = on_failed},
	.frozen = on_frozen,
	.ended = on_ended,
};

static const struct ic_provider_ops provider_ops = {
	.name = "vss",
	.interface_id = &guid_vss,
	.instance_id = &guid_vss_instance,
	IC_PROVIDER_SESSION_OPS,
};

int vss_provider_add(
	struct vss_provider *vss, struct vmbus_bus *bus, const struct vss_provider_config *config)
{
	vss->config = *config;
	vss_vsp_init(&vss->vsp, &vsp_ops, vss);
	return ic_provider_add(&vss->provider, bus, &provider_ops, &vss->vsp.session,
		&vss->vsp.session.ic, vss->buffer, sizeof vss->buffer, &config->loop);
}

int vss_provider_freeze(struct vss_provider *vss, const struct vss_vsp_request *request)
{
	const int error = vss_vsp_freeze(&vss->vsp, request, ic_provider_now_ns(&vss->provider));
	ic_provider_touched(&vss->provider);
	return error;
}

int vss_provider_thaw(struct vss_provider *vss)
{
	const int error = vss_vsp_thaw(&vss->vsp, ic_provider_now_ns(&vss->provider));
	ic_provider_touched(&vss->provider);
	return error;
}
