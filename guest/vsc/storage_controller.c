// SPDX-License-Identifier: Apache-2.0
/*
 * A storage controller on the guest's bus. See storage_controller.h.
 */
#include "guest/vsc/storage_controller.h"

#include <string.h>

#define WAIT_SLICE_100NS 1000000u /* 100 ms: nothing here waits longer without a look around */

/* ---- what the bus and the client ask for -------------------------------- */

static void on_ready(void *ctx, struct vmbus_channel *channel)
{
	struct storage_controller_channel *at = ctx;
	(void)channel;
	if (at->is_broken || at->is_rescinded)
		return;
	if (storage_vsc_drain(&at->owner->vsc, at->index, STORAGE_VSC_DRAIN_MAX) < 0)
		at->is_broken = true;
}

static void on_rescind(void *ctx, struct vmbus_channel *channel)
{
	struct storage_controller_channel *at = ctx;
	(void)channel;
	at->is_rescinded = true;
	storage_vsc_channel_retire(&at->owner->vsc, at->index);
	if (at == &at->owner->channels[0])
		at->owner->is_gone = true;
}

static void on_flush(void *ctx, unsigned channel)
{
	struct storage_controller *controller = ctx;
	if (controller->channels[channel].is_open)
		vmbus_channel_flush(&controller->channels[channel].channel);
}

static void on_lun(void *ctx, struct storage_vsc *vsc, enum storage_vsc_event event,
	struct storage_vsc_lun *lun)
{
	struct storage_controller *controller = ctx;
	if (controller->config.on_lun != NULL)
		controller->config.on_lun(controller->config.ctx, controller, event, lun);
	else if (event == STORAGE_VSC_LUN_REMOVED)
		storage_vsc_lun_release(vsc, lun);
}

static void on_scan(void *ctx, struct storage_vsc *vsc, int error)
{
	struct storage_controller *controller = ctx;
	(void)vsc;
	if (controller->config.on_scan != NULL)
		controller->config.on_scan(controller->config.ctx, controller, error);
}

/* ---- channels ------------------------------------------------------------ */

static int channel_open(
	struct storage_controller *controller, unsigned index, uint32_t relid, uint64_t deadline)
{
	struct storage_controller_channel *at = &controller->channels[index];
	const struct storage_controller_config *config = &controller->config;
	const struct vmbus_open_config open = {
		.ring_out_bytes = config->ring_out_bytes ? config->ring_out_bytes
							 : STORAGE_CONTROLLER_RING_OUT_BYTES,
		.ring_in_bytes = config->ring_in_bytes ? config->ring_in_bytes
						       : STORAGE_CONTROLLER_RING_IN_BYTES,
		.on_ready = on_ready,
		.on_rescind = on_rescind,
		.ctx = at,
	};
	memset(at, 0, sizeof *at);
	at->owner = controller;
	at->index = index;
	const int error = vmbus_channel_open(controller->bus, relid, &at->channel, &open, deadline);
	at->is_open = error == 0;
	return error;
}

/* The client numbers channels as they are added; so do we. An error: one channel less. */
static int sub_channel_open(
	struct storage_controller *controller, uint32_t relid, uint64_t deadline)
{
	unsigned index = 1;
	while (index < STORAGE_VSC_CHANNELS_MAX && controller->vsc.channels[index].in != NULL)
		index++;
	if (index == STORAGE_VSC_CHANNELS_MAX)
		return -VIRIDIAN_ENOMEM;
	struct storage_controller_channel *at = &controller->channels[index];
	int error = channel_open(controller, index, relid, deadline);
	if (error != 0)
		return error;
	error = storage_vsc_channel_add(
		&controller->vsc, &at->channel.in, &at->channel.out, &at->index);
	if (error == 0) {
		controller->sub_channels_open++;
		return 0;
	}
	at->is_open = false;
	(void)vmbus_channel_close(controller->bus, &at->channel, deadline);
	return error;
}

/*
 * Open what the host has granted and offered so far, in order. One deadline for all: a host
 * that lets it pass does with fewer channels, and what is left has its turn another time.
 */
static void sub_channels_open(struct storage_controller *controller)
{
	const uint64_t deadline = winhv_time_100ns(controller->hv) + STORAGE_CONTROLLER_OPEN_100NS;
	const struct vmbus_offer *primary = NULL;
	for (const struct vmbus_offer *offer = vmbus_offer_next(controller->bus, 0); offer != NULL;
		offer = vmbus_offer_next(controller->bus, offer->relid))
		if (offer->relid == controller->relid)
			primary = offer;
	while (primary != NULL && !controller->is_gone &&
		controller->sub_channels_tried < controller->vsc.sub_channels_granted &&
		winhv_time_100ns(controller->hv) < deadline) {
		const uint16_t number = (uint16_t)(controller->sub_channels_tried + 1);
		const struct vmbus_offer *offer = vmbus_offer_subchannel(
			controller->bus, primary, number);
		if (offer == NULL)
			return;
		controller->sub_channels_tried = number;
		if (sub_channel_open(controller, offer->relid, deadline) == -VIRIDIAN_ETIMEDOUT)
			controller->sub_channels_tried = controller->vsc.sub_channels_granted;
	}
}

static void sub_channels_close_dead(struct storage_controller *controller)
{
	const uint64_t deadline = winhv_time_100ns(controller->hv) + STORAGE_CONTROLLER_OPEN_100NS;
	for (unsigned i = 1; i < controller->vsc.channel_count; i++) {
		struct storage_controller_channel *at = &controller->channels[i];
		if (!at->is_open || controller->vsc.channels[i].is_usable)
			continue;
		at->is_open = false;
		const int error = vmbus_channel_close(controller->bus, &at->channel, deadline);
		storage_vsc_channel_remove(&controller->vsc, i, error != 0);
		controller->sub_channels_open--;
	}
}

/* ---- life ---------------------------------------------------------------- */

int storage_controller_open(struct storage_controller *controller, struct vmbus *bus,
	struct winhv *hv, uint32_t relid, const struct storage_controller_config *config,
	uint64_t deadline)
{
	memset(controller, 0, sizeof *controller);
	controller->bus = bus;
	controller->hv = hv;
	controller->relid = relid;
	controller->config = *config;
	int error = winhv_pages_alloc(hv, STORAGE_VSC_SCAN_BYTES, &controller->scan_pages);
	if (error != 0)
		return error;
	const struct storage_vsc_config vsc_config = {
		.version_max = config->version_max,
		.sub_channels = config->sub_channels,
		.path_count = config->path_count,
		.target_count = config->target_count,
		.timeout_ms = config->timeout_ms,
		.grace_ms = config->grace_ms,
		.slots = config->slots,
		.slot_count = config->slot_count,
		.luns = config->luns,
		.lun_count = config->lun_count,
		.scan_pages = controller->scan_pages,
		.flush = on_flush,
		.on_lun = on_lun,
		.on_scan = on_scan,
		.ctx = controller,
	};
	error = storage_vsc_init(&controller->vsc, &vsc_config);
	if (error == 0)
		error = channel_open(controller, 0, relid, deadline);
	if (error != 0) {
		winhv_pages_free(hv, &controller->scan_pages);
		return error;
	}
	controller->is_open = true;
	struct vmbus_channel *primary = &controller->channels[0].channel;
	(void)storage_vsc_start(
		&controller->vsc, &primary->in, &primary->out, winhv_time_100ns(hv));
	while (error == 0 && controller->vsc.state != STORAGE_VSC_READY) {
		const uint64_t now = winhv_time_100ns(hv);
		error = now >= deadline ? -VIRIDIAN_ETIMEDOUT
					: storage_controller_poll(controller, deadline - now);
	}
	if (error != 0) {
		/* The bus may answer although the device does not: give it time to. */
		const uint64_t grace = winhv_time_100ns(hv) + VMBUS_CLIENT_GRACE_100NS;
		(void)storage_controller_close(controller, deadline > grace ? deadline : grace);
	}
	return error;
}

int storage_controller_service(struct storage_controller *controller, uint64_t *next)
{
	const uint64_t due = storage_vsc_tick(&controller->vsc, winhv_time_100ns(controller->hv));
	if (next != NULL)
		*next = due;
	if (controller->is_gone)
		return -VIRIDIAN_ENODEV;
	if (controller->vsc.state == STORAGE_VSC_FAILED)
		return controller->vsc.error;
	if (controller->sub_channels_open > 0)
		sub_channels_close_dead(controller);
	if (controller->sub_channels_tried < controller->vsc.sub_channels_granted)
		sub_channels_open(controller);
	return controller->is_gone ? -VIRIDIAN_ENODEV : 0;
}

int storage_controller_poll(struct storage_controller *controller, uint64_t timeout_100ns)
{
	uint64_t next;
	int error = storage_controller_service(controller, &next);
	if (error != 0)
		return error;
	const uint64_t now = winhv_time_100ns(controller->hv);
	const uint64_t left = next > now ? next - now : 0;
	if (timeout_100ns > left)
		timeout_100ns = left;
	const int done = vmbus_poll(controller->bus, timeout_100ns);
	if (done < 0) {
		controller->is_gone = true;
		return done;
	}
	return storage_controller_service(controller, NULL);
}

int storage_controller_close(struct storage_controller *controller, uint64_t deadline)
{
	if (!controller->is_open)
		return 0;
	/* Nothing new goes out; what is in flight may still come back until the close is sent. */
	for (unsigned i = 0; i < STORAGE_VSC_CHANNELS_MAX; i++)
		storage_vsc_channel_retire(&controller->vsc, i);
	int error = 0;
	for (unsigned i = STORAGE_VSC_CHANNELS_MAX; i-- > 0;) {
		struct storage_controller_channel *at = &controller->channels[i];
		if (!at->is_open)
			continue;
		at->is_open = false;
		const int result = vmbus_channel_close(controller->bus, &at->channel, deadline);
		if (error == 0)
			error = result;
	}
	controller->is_open = false;
	storage_vsc_stop(&controller->vsc,
		controller->is_gone ? -VIRIDIAN_ENODEV : -VIRIDIAN_ECANCELED, error != 0);
	if (error != 0) {
		winhv_pages_abandon(controller->hv, &controller->scan_pages);
		return error;
	}
	winhv_pages_free(controller->hv, &controller->scan_pages);
	controller->scan_pages = (struct winhv_pages){0};
	return 0;
}

/* ---- calls that wait ------------------------------------------------------ */

int storage_controller_scan(struct storage_controller *controller, uint64_t deadline)
{
	int error = storage_vsc_rescan(&controller->vsc);
	while (error == 0 && (controller->vsc.scan.is_running || controller->vsc.scan.is_due)) {
		const uint64_t now = winhv_time_100ns(controller->hv);
		if (now >= deadline)
			return -VIRIDIAN_ETIMEDOUT;
		const uint64_t left = deadline - now;
		error = storage_controller_poll(
			controller, left < WAIT_SLICE_100NS ? left : WAIT_SLICE_100NS);
	}
	return error;
}

static void run_done(struct storage_vsc_request *request)
{
	(void)request; /* storage_controller_run() looks at its state */
}

int storage_controller_run(
	struct storage_controller *controller, struct storage_vsc_request *request)
{
	request->done = run_done;
	/* The deadline counts from now. */
	(void)storage_vsc_tick(&controller->vsc, winhv_time_100ns(controller->hv));
	int error = storage_vsc_submit(&controller->vsc, request);
	if (error != 0)
		return error;
	storage_vsc_flush(&controller->vsc);
	while (!storage_vsc_is_idle(request)) {
		error = storage_controller_poll(controller, WAIT_SLICE_100NS);
		if (error != 0 && !storage_vsc_is_idle(request))
			(void)storage_controller_close(controller,
				winhv_time_100ns(controller->hv) + STORAGE_CONTROLLER_OPEN_100NS);
	}
	return request->result;
}

static int transfer(struct storage_controller *controller, struct storage_vsc_lun *lun, uint8_t op,
	uint64_t lba, uint32_t blocks, const struct winhv_pages *pages, size_t offset,
	uint32_t timeout_ms)
{
	const uint64_t bytes = (uint64_t)blocks * lun->properties.block_bytes;
	if (offset > pages->bytes || bytes > pages->bytes - offset)
		return -VIRIDIAN_EINVAL;
	struct storage_vsc_request request = {
		.lun = lun,
		.op = op,
		.lba = lba,
		.blocks = blocks,
		.data = storage_vsc_data_at(pages, offset, (uint32_t)bytes),
		.timeout_ms = timeout_ms,
	};
	return storage_controller_run(controller, &request);
}

int storage_controller_read(struct storage_controller *controller, struct storage_vsc_lun *lun,
	uint64_t lba, uint32_t blocks, const struct winhv_pages *pages, size_t offset,
	uint32_t timeout_ms)
{
	return transfer(controller, lun, STORAGE_VSC_READ, lba, blocks, pages, offset, timeout_ms);
}

int storage_controller_write(struct storage_controller *controller, struct storage_vsc_lun *lun,
	uint64_t lba, uint32_t blocks, const struct winhv_pages *pages, size_t offset,
	uint32_t timeout_ms)
{
	return transfer(controller, lun, STORAGE_VSC_WRITE, lba, blocks, pages, offset, timeout_ms);
}

int storage_controller_flush(
	struct storage_controller *controller, struct storage_vsc_lun *lun, uint32_t timeout_ms)
{
	struct storage_vsc_request request = {
		.lun = lun,
		.op = STORAGE_VSC_FLUSH,
		.timeout_ms = timeout_ms,
	};
	return storage_controller_run(controller, &request);
}
