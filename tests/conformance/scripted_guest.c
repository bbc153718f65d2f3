// SPDX-License-Identifier: Apache-2.0
/* Life of a scripted host, and the guest that it is a host to. See scripted_host.h. */
#include "tests/conformance/scripted_host.h"
#include "tests/conformance/scripted_memory_linux.h"

#include "protocol/hypervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scripted_host *host_of(void *script)
{
	return (struct scripted_host *)(void *)((char *)script -
						offsetof(struct scripted_host, script));
}

/* ---- what the guest does to its hypervisor -------------------------------------------------- */

static int watched_msr_write(void *ctx, uint32_t vp, uint32_t msr, uint64_t value)
{
	struct scripted_host *h = host_of(ctx);

	if (msr == HV_X64_MSR_EOM && h->on_eom != NULL)
		h->on_eom(h);
	if (msr != HV_X64_MSR_EOM && h->write_count < SCRIPTED_HOST_WRITES)
		h->writes[h->write_count++] = (struct scripted_write){vp, msr, value};
	return platform_scripted_ops.msr_write(ctx, vp, msr, value);
}

static int watched_hypercall(void *ctx, uint32_t vp, uint64_t control, uint64_t input,
	uint64_t output, struct winhv_xmm *xmm, uint64_t *result)
{
	struct scripted_host *h = host_of(ctx);

	if ((control & HV_HYPERCALL_CODE_MASK) == HV_CALL_POST_MESSAGE) {
		const uint8_t *page = platform_scripted_at(&h->script, input, 256);
		for (uint32_t i = 16 + get32(page + 12); i < 256; i++)
			h->tails += page[i] != 0;
		h->post_times[h->script.post_count % SCRIPTED_POSTS_MAX] = h->script.now_100ns;
	}
	return platform_scripted_ops.hypercall(ctx, vp, control, input, output, xmm, result);
}

static uint64_t stepping_time(void *ctx)
{
	struct scripted_host *h = host_of(ctx);

	h->script.now_100ns += h->clock_step;
	return h->script.now_100ns;
}

static uint16_t on_post(
	void *ctx, struct platform_scripted *script, const struct scripted_post *post)
{
	struct scripted_host *h = ctx;

	(void)script;
	if (h->on_message == NULL || !h->on_message(h, post->payload, post->bytes))
		host_answer(h, post->payload, post->bytes);
	return HV_STATUS_SUCCESS;
}

static void on_wait(void *ctx, struct platform_scripted *script, uint32_t vp)
{
	struct scripted_host *h = ctx;

	(void)script;
	(void)vp;
	for (uint32_t relid = 1; relid < SCRIPTED_HOST_RELIDS; relid++)
		host_serve(h, relid);
	if (h->on_wait != NULL)
		h->on_wait(h);
}

/* ---- life ----------------------------------------------------------------------------------- */

struct scripted_host *scripted_host_create(void)
{
	struct scripted_host *h = calloc(1, sizeof *h);

	if (h == NULL)
		return NULL;
	h->bus = calloc(1, vmbus_bytes());
	if (h->bus == NULL || !scripted_memory_create(h) ||
		platform_scripted_init(&h->script, h->memory, SCRIPTED_HOST_MEMORY_BYTES, 2) != 0) {
		free(h->bus);
		free(h);
		return NULL;
	}
	h->target.format = vsnprintf;
	h->version = VMBUS_VERSION_6_0;
	h->offers = 3;
	memset(h->monitor_id, 0xff, sizeof h->monitor_id);
	h->ops = platform_scripted_ops;
	h->ops.msr_write = watched_msr_write;
	h->ops.hypercall = watched_hypercall;
	h->ops.time_100ns = stepping_time;
	scripted_memory_ops(&h->ops, false);
	h->script.ctx = h;
	h->script.on_post = on_post;
	h->script.on_wait = on_wait;
	h->script.now_100ns = 3 * SECOND;
	if (winhv_init(&h->hv, &h->ops, &h->script, 2) != 0)
		return NULL;
	h->target.hv = &h->hv;
	return h;
}

void scripted_host_free(struct scripted_host *h)
{
	scripted_memory_free(h);
	free(h->bus);
	free(h);
}

static void on_offer(void *ctx, const struct vmbus_offer *offer)
{
	(void)offer;
	((struct scripted_host *)ctx)->offered++;
}

static void on_offer_gone(void *ctx, const struct vmbus_offer *offer)
{
	(void)offer;
	((struct scripted_host *)ctx)->gone++;
}

bool guest_bus(struct conform_target *t, const struct vmbus_config *with)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_config config = with ? *with : (struct vmbus_config){0};
	struct vmbus_statistics statistics;

	if (h->bus->hv != NULL) { /* what it counts ends with it */
		vmbus_statistics_get(h->bus, &statistics);
		h->pages_of_dead += (unsigned)statistics.pages_abandoned;
	}
	config.on_offer = on_offer;
	config.on_offer_gone = on_offer_gone;
	config.ctx = h;
	if (h->hv.hypercall.bytes == 0 || h->script.guest_os_id == 0)
		if (winhv_hypercall_enable(&h->hv, CONFORM_OS_ID) != 0)
			return conform_no(t, "hypercalls cannot be enabled");
	if (vmbus_init(h->bus, &h->hv, &config) != 0)
		return conform_no(t, "the bus cannot be set up");
	return true;
}

bool guest_connect(struct conform_target *t, uint32_t version)
{
	struct scripted_host *h = scripted_host_of(t);
	const struct vmbus_config config = {.version_max = version};

	if (!guest_bus(t, &config))
		return false;
	h->version = version;
	const int error = vmbus_connect(h->bus, guest_deadline(h));
	return error == 0 || conform_no(t, "connecting at 0x%x fails: %d", version, error);
}

bool scripted_host_prepare(struct conform_target *t, uint32_t needs)
{
	if ((needs & GUEST_CONNECTED) == GUEST_CONNECTED) {
		if (!guest_connect(t, VMBUS_VERSION_6_0))
			return false;
	} else if (needs & GUEST_BUS) {
		return guest_bus(t, NULL);
	}
	return (needs & GUEST_CHANNEL) != GUEST_CHANNEL || guest_opens(t, 1);
}

bool scripted_host_end(struct conform_target *t)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_statistics statistics = {0};

	h->clock_step = 0;
	h->on_message = NULL;
	h->on_eom = NULL;
	h->on_wait = NULL;
	if (h->bus->hv != NULL) {
		(void)vmbus_unload(h->bus, guest_deadline(h));
		vmbus_statistics_get(h->bus, &statistics);
	}
	winhv_shutdown(&h->hv);
	const uint64_t abandoned = statistics.pages_abandoned + h->hv.pages_abandoned +
				   h->pages_of_dead;
	if (statistics.pages_lent != 0)
		return conform_no(t, "%u pages are lent after all has ended",
			(unsigned)statistics.pages_lent);
	if (h->script.pages_used != abandoned)
		return conform_no(t, "the guest has %u pages in the end, and counts %u abandoned",
			h->script.pages_used, (unsigned)abandoned);
	for (uint32_t vp = 0; vp < 2; vp++)
		if ((h->script.vps[vp].simp | h->script.vps[vp].siefp) & HV_MSR_PAGE_ENABLE)
			return conform_no(t, "a SynIC page of VP %u is left on", vp);
	return true;
}

/* ---- the guest ------------------------------------------------------------------------------ */

uint64_t guest_deadline(const struct scripted_host *h)
{
	return h->script.now_100ns + 10 * SECOND;
}

static void on_ready(void *ctx, struct vmbus_channel *channel)
{
	((struct scripted_host *)ctx)->ready[channel->relid]++;
}

static void on_rescind(void *ctx, struct vmbus_channel *channel)
{
	((struct scripted_host *)ctx)->rescinded[channel->relid]++;
}

int guest_open(struct scripted_host *h, uint32_t relid)
{
	const struct vmbus_open_config config = {
		.ring_out_bytes = SCRIPTED_HOST_RING_BYTES,
		.ring_in_bytes = SCRIPTED_HOST_RING_BYTES,
		.on_ready = on_ready,
		.on_rescind = on_rescind,
		.ctx = h,
	};

	scripted_memory_ops(&h->ops, h->is_copying);
	return vmbus_channel_open(h->bus, relid, &h->guest[relid], &config, guest_deadline(h));
}

bool guest_opens(struct conform_target *t, uint32_t relid)
{
	const int error = guest_open(scripted_host_of(t), relid);

	return error == 0 || conform_no(t, "opening relid %u fails: %d", relid, error);
}

void guest_serve(struct scripted_host *h)
{
	for (unsigned i = 0; i < 1000 && vmbus_poll(h->bus, 0) > 0; i++)
		for (uint32_t relid = 1; relid < SCRIPTED_HOST_RELIDS; relid++)
			host_serve(h, relid);
}

bool guest_goes_on(struct conform_target *t, uint32_t relid)
{
	struct scripted_host *h = scripted_host_of(t);
	static const uint8_t words[16] = {1, 2, 3, 4, 5, 6, 7, 8};
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.transaction_id = 77,
		.payload_bytes = sizeof words,
	};
	struct vmbus_channel *channel = &h->guest[relid];
	struct packet_view view;

	if (!guest_opens(t, relid))
		return false;
	const uint64_t packets = h->channels[relid].packets;
	if (ring_send(&channel->out, &header, NULL, words) != RING_OK)
		return conform_no(t, "relid %u: the guest cannot write", relid);
	vmbus_channel_flush(channel);
	host_serve(h, relid);
	if (h->channels[relid].packets != packets + 1)
		return conform_no(t, "relid %u: the guest's packet does not come", relid);
	if (!host_send(h, relid, PACKET_TYPE_INBAND, 0, 78, words, sizeof words))
		return conform_no(t, "relid %u: there is no room to write", relid);
	(void)vmbus_poll(h->bus, 0);
	if (ring_peek(&channel->in, &view) != RING_OK || view.transaction_id != 78)
		return conform_no(t, "relid %u: the host's packet does not come", relid);
	ring_release(&channel->in, &view);
	vmbus_channel_flush(channel);
	const int error = vmbus_channel_close(h->bus, channel, guest_deadline(h));
	return error == 0 || conform_no(t, "closing relid %u fails: %d", relid, error);
}
