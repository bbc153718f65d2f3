// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pair exchange on a VMBus. See kvp_provider.h.
 */
#include "host/vsp/kvp_provider.h"

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct kvp_provider *kvp = ctx;
	return ic_provider_send(&kvp->provider, bytes, len);
}

static void on_failed(void *ctx, const char *reason)
{
	struct kvp_provider *kvp = ctx;
	ic_provider_fail(&kvp->provider, reason);
}

static void on_ready(void *ctx)
{
	const struct kvp_provider *kvp = ctx;
	if (kvp->config.ready != NULL)
		kvp->config.ready(kvp->config.ctx);
}

static const struct kvp_vsp_ops vsp_ops = {
	.session = {.send = on_send, .failed = on_failed},
	.ready = on_ready,
};

static const struct ic_provider_ops provider_ops = {
	.name = "kvp",
	.interface_id = &guid_kvp,
	.instance_id = &guid_kvp_instance,
	IC_PROVIDER_SESSION_OPS,
};

int kvp_provider_add(
	struct kvp_provider *kvp, struct vmbus_bus *bus, const struct kvp_provider_config *config)
{
	kvp->config = *config;
	kvp_vsp_init(&kvp->vsp, &vsp_ops, kvp);
	return ic_provider_add(&kvp->provider, bus, &provider_ops, &kvp->vsp.session,
		&kvp->vsp.session.ic, kvp->buffer, sizeof kvp->buffer, &config->loop);
}

int kvp_provider_start(struct kvp_provider *kvp, struct kvp_job *job)
{
	int error = kvp_vsp_start(&kvp->vsp, job, ic_provider_now_ns(&kvp->provider));
	ic_provider_touched(&kvp->provider);
	return error;
}

void kvp_provider_cancel(struct kvp_provider *kvp, struct kvp_job *job)
{
	kvp_vsp_cancel(&kvp->vsp, job);
	ic_provider_touched(&kvp->provider);
}
