// SPDX-License-Identifier: Apache-2.0
/*
 * The bus over SynIC: channels and GPADLs. Ring memory is allocated and mapped
 * here, initialised before the host hears of it, and freed only when the client
 * knows that the host has let go. See synic_bus.h and vmbus.h.
 *
 * Sources: R-OPEN-017, R-OPEN-024, R-OPEN-025, R-GPADL-026, R-MNF-001, R-ROB-010.
 */
#include "guest/vmbus/synic_bus.h"

#include "protocol/errors.h"

/* ---- ring memory ---------------------------------------------------------------------------- */

static void rings_free(struct vmbus *bus, struct vmbus_channel *channel)
{
	const struct winhv_platform_ops *ops = bus->hv->ops;
	const struct vmbus_open_config *config = &channel->config;

	if (channel->is_double_mapped) {
		ops->ring_unmap(bus->hv->ctx, channel->out_control, channel->out_data,
			config->ring_out_bytes - RING_CONTROL_BYTES);
		ops->ring_unmap(bus->hv->ctx, channel->in_control, channel->in_data,
			config->ring_in_bytes - RING_CONTROL_BYTES);
		channel->is_double_mapped = false;
	}
	if (channel->scratch.bytes)
		winhv_pages_free(bus->hv, &channel->scratch);
	if (channel->pages.bytes && !vmbus_client_gpadl_is_lent(&channel->client.rings))
		winhv_pages_free(bus->hv, &channel->pages);
	channel->scratch = (struct winhv_pages){0};
	channel->pages = (struct winhv_pages){0};
	channel->out_control = channel->in_control = NULL;
	channel->out_data = channel->in_data = NULL;
}

/* Map each ring so that its data follows itself. False: the platform cannot. */
static bool rings_map(struct vmbus *bus, struct vmbus_channel *channel)
{
	const struct winhv_platform_ops *ops = bus->hv->ops;
	const struct vmbus_open_config *config = &channel->config;

	if (ops->ring_map == NULL)
		return false;
	if (ops->ring_map(bus->hv->ctx, &channel->pages, 0, config->ring_out_bytes,
		    &channel->out_control, &channel->out_data))
		return false;
	if (ops->ring_map(bus->hv->ctx, &channel->pages, config->ring_out_bytes,
		    config->ring_in_bytes, &channel->in_control, &channel->in_data)) {
		ops->ring_unmap(bus->hv->ctx, channel->out_control, channel->out_data,
			config->ring_out_bytes - RING_CONTROL_BYTES);
		return false;
	}
	channel->is_double_mapped = true;
	return true;
}

static size_t scratch_bytes(uint32_t ring_bytes)
{
	const size_t bytes = ring_scratch_bytes(ring_bytes - RING_CONTROL_BYTES);
	return (bytes + WINHV_PAGE_BYTES - 1) / WINHV_PAGE_BYTES * WINHV_PAGE_BYTES;
}

/* Without a second mapping, packets that wrap are put together in scratch memory. */
static int rings_lay_out(struct vmbus *bus, struct vmbus_channel *channel)
{
	const struct vmbus_open_config *config = &channel->config;
	const int error = winhv_pages_alloc(bus->hv,
		scratch_bytes(config->ring_out_bytes) + scratch_bytes(config->ring_in_bytes),
		&channel->scratch);

	if (error)
		return error;
	channel->out_control = channel->pages.va;
	channel->out_data = channel->pages.va + RING_CONTROL_BYTES;
	channel->in_control = channel->pages.va + config->ring_out_bytes;
	channel->in_data = channel->pages.va + config->ring_out_bytes + RING_CONTROL_BYTES;
	return 0;
}

/* Allocate, map, and make both rings empty, before the host hears of them (R-OPEN-024). */
static int rings_make(struct vmbus *bus, struct vmbus_channel *channel)
{
	const struct vmbus_open_config *config = &channel->config;
	int error = winhv_pages_alloc(
		bus->hv, (size_t)config->ring_out_bytes + config->ring_in_bytes, &channel->pages);

	if (error == 0 && !rings_map(bus, channel))
		error = rings_lay_out(bus, channel);
	if (error) {
		rings_free(bus, channel);
		return error;
	}
	struct ring_area out = {
		.control = channel->out_control,
		.data = channel->out_data,
		.data_bytes = config->ring_out_bytes - RING_CONTROL_BYTES,
		.is_double_mapped = channel->is_double_mapped,
	};
	struct ring_area in = {
		.control = channel->in_control,
		.data = channel->in_data,
		.data_bytes = config->ring_in_bytes - RING_CONTROL_BYTES,
		.is_double_mapped = channel->is_double_mapped,
	};
	if (!channel->is_double_mapped) {
		out.scratch = channel->scratch.va;
		out.scratch_bytes = ring_scratch_bytes(out.data_bytes);
		in.scratch = channel->scratch.va + scratch_bytes(config->ring_out_bytes);
		in.scratch_bytes = ring_scratch_bytes(in.data_bytes);
	}
	ring_clear(&out);
	ring_clear(&in);
	if (ring_open(&channel->out, &out, &channel->in, &in, RING_FLAGS_IGNORE) != RING_OK) {
		rings_free(bus, channel);
		return -VIRIDIAN_EINVAL;
	}
	return 0;
}

/* ---- open ----------------------------------------------------------------------------------- */

static bool is_ring_size(uint32_t bytes)
{
	return bytes % RING_PAGE_BYTES == 0 && bytes >= RING_CONTROL_BYTES + RING_MIN_DATA_BYTES;
}

static int open_check(struct vmbus *bus, uint32_t relid, const struct vmbus_open_config *config)
{
	const int error = synic_bus_may_block(bus);
	if (error)
		return error;
	if (!is_ring_size(config->ring_out_bytes) || !is_ring_size(config->ring_in_bytes) ||
		(uint64_t)config->ring_out_bytes + config->ring_in_bytes >
			(uint64_t)VMBUS_GPADL_PAGES_MAX * VMBUS_PAGE_BYTES)
		return -VIRIDIAN_EINVAL;
	const struct vmbus_offer *offer = vmbus_client_offer(&bus->client, relid);
	if (offer == NULL)
		return -VIRIDIAN_ENOENT;
	if (offer->is_rescinded)
		return -VIRIDIAN_ENODEV;
	/* Also while an open is under way: one channel of a relid at a time. */
	return bus->by_flag[relid] ? -VIRIDIAN_EBUSY : 0;
}

/* How the host is to be signalled, from the offer. */
static void signal_set_up(
	struct vmbus *bus, struct vmbus_channel *channel, const struct vmbus_offer *offer)
{
	channel->event_flag = (uint16_t)offer->relid;
	channel->connection_id = offer->connection_id;
	channel->monitor_id = VMBUS_MONITOR_ID_NONE;
	if (bus->monitor_page && offer->monitor_id < VMBUS_MONITOR_ID_COUNT)
		channel->monitor_id = offer->monitor_id;
	/* The interrupt page is named to older versions only; others always signal by id. */
	channel->is_dedicated = offer->is_dedicated_interrupt || bus->interrupt_page == NULL ||
				vmbus_client_has(&bus->client, VMBUS_CAP_MULTI_CLIENT);
}

static void link(struct vmbus *bus, struct vmbus_channel *channel)
{
	channel->next_open = bus->channels;
	bus->channels = channel;
	bus->by_flag[channel->event_flag] = channel;
	if (channel->event_flag > bus->flag_max)
		bus->flag_max = channel->event_flag;
}

static void unlink(struct vmbus *bus, struct vmbus_channel *channel)
{
	struct vmbus_channel **at = &bus->channels;

	while (*at && *at != channel)
		at = &(*at)->next_open;
	if (*at == NULL)
		return;
	*at = channel->next_open;
	channel->next_open = NULL;
	bus->by_flag[channel->event_flag] = NULL;
	bus->flag_max = 0;
	for (const struct vmbus_channel *c = bus->channels; c; c = c->next_open)
		if (c->event_flag > bus->flag_max)
			bus->flag_max = c->event_flag;
}

void synic_channel_dispose(struct vmbus *bus, struct vmbus_channel *channel)
{
	synic_channel_cool(bus, channel);
	unlink(bus, channel);
	channel->is_open = false;
	rings_free(bus, channel);
}

/* Lend, open, wait. The interrupt is served from here on: an event may come first. */
static int open_run(struct vmbus *bus, struct vmbus_channel *channel, uint64_t deadline)
{
	const struct vmbus_open_config *config = &channel->config;
	const struct vmbus_client_open open = {
		.first_pfn = channel->pages.gpa / VMBUS_PAGE_BYTES,
		.page_count = (uint32_t)(channel->pages.bytes / VMBUS_PAGE_BYTES),
		.downstream_page = config->ring_out_bytes / VMBUS_PAGE_BYTES,
		.target_vp = config->target_vp,
		.user_data = config->user_data,
	};

	bus->is_serving = true;
	const int error = vmbus_client_channel_open(&bus->client, &channel->client, channel->relid,
		&open, winhv_time_100ns(bus->hv), deadline);
	bus->is_serving = false;
	return error ? error : synic_bus_wait(bus, &channel->client.result);
}

int vmbus_channel_open(struct vmbus *bus, uint32_t relid, struct vmbus_channel *channel,
	const struct vmbus_open_config *config, uint64_t deadline)
{
	int error = open_check(bus, relid, config);

	if (error)
		return error;
	if (config->target_vp != VMBUS_TARGET_VP_NONE &&
		vmbus_client_has(&bus->client, VMBUS_CAP_TARGET_VP))
		error = synic_bus_vp_enable(bus, config->target_vp);
	if (error)
		return error;
	__builtin_memset(channel, 0, sizeof *channel);
	channel->bus = bus;
	channel->relid = relid;
	channel->config = *config;
	error = rings_make(bus, channel);
	if (error)
		return error;
	signal_set_up(bus, channel, vmbus_client_offer(&bus->client, relid));
	link(bus, channel);
	error = open_run(bus, channel, deadline);
	channel->gpadl_id = channel->client.rings.id;
	if (error == 0 && channel->is_rescinded)
		error = -VIRIDIAN_ENODEV; /* opened and taken back within one turn */
	if (error) {
		if (channel->client.state == VMBUS_CLIENT_CHANNEL_OPEN)
			(void)vmbus_channel_close(bus, channel, deadline);
		else
			synic_channel_dispose(bus, channel);
		return error;
	}
	channel->is_open = true;
	channel->was_signalled = true; /* look once, whatever came before the result */
	synic_channel_heat(bus, channel);
	return 0;
}

/* ---- close and move ------------------------------------------------------------------------- */

static struct vmbus_channel *subchannel_of(struct vmbus *bus, uint32_t relid)
{
	for (struct vmbus_channel *c = bus->channels; c; c = c->next_open)
		if (vmbus_client_offer_primary(&bus->client, c->relid) == relid)
			return c;
	return NULL;
}

static bool is_linked(const struct vmbus *bus, const struct vmbus_channel *channel)
{
	for (const struct vmbus_channel *c = bus->channels; c; c = c->next_open)
		if (c == channel)
			return true;
	return false;
}

/* One channel, whose subchannels are closed. */
static int close_one(struct vmbus *bus, struct vmbus_channel *channel, uint64_t deadline)
{
	channel->is_open = false;
	synic_channel_cool(bus, channel);
	bus->by_flag[channel->event_flag] = NULL;
	bus->is_serving = true;
	int error = vmbus_client_channel_close(
		&bus->client, &channel->client, winhv_time_100ns(bus->hv), deadline);
	bus->is_serving = false;
	if (error == 0)
		error = synic_bus_wait(bus, &channel->client.result);
	if (error == 0 && vmbus_client_gpadl_is_lent(&channel->client.rings))
		error = -VIRIDIAN_ENODEV; /* lost when the host went */
	synic_channel_dispose(bus, channel);
	return error;
}

int vmbus_channel_close(struct vmbus *bus, struct vmbus_channel *channel, uint64_t deadline)
{
	if (bus->is_serving)
		return -VIRIDIAN_EBUSY;
	if (!is_linked(bus, channel))
		return 0;
	for (struct vmbus_channel *sub; (sub = subchannel_of(bus, channel->relid)) != NULL;)
		(void)close_one(bus, sub, deadline);
	return close_one(bus, channel, deadline);
}

int vmbus_channel_retarget(
	struct vmbus *bus, struct vmbus_channel *channel, uint32_t vp, uint64_t deadline)
{
	int error = synic_bus_may_block(bus);

	if (error == 0 && !channel->is_open)
		error = -VIRIDIAN_ENOENT;
	if (error == 0 && channel->config.target_vp == VMBUS_TARGET_VP_NONE)
		error = -VIRIDIAN_EINVAL; /* opened without interrupts, for good (R-MOD-004) */
	if (error == 0)
		error = synic_bus_vp_enable(bus, vp);
	if (error)
		return error;
	bus->is_serving = true;
	error = vmbus_client_channel_modify(
		&bus->client, &channel->client, vp, winhv_time_100ns(bus->hv), deadline);
	bus->is_serving = false;
	if (error == 0)
		error = synic_bus_wait(bus, &channel->client.modify_result);
	if (error == 0)
		channel->config.target_vp = vp;
	return error;
}

/* ---- GPADLs --------------------------------------------------------------------------------- */

int vmbus_gpadl_create(struct vmbus *bus, uint32_t relid, const struct winhv_pages *pages,
	struct vmbus_gpadl *gpadl, uint64_t deadline)
{
	int error = synic_bus_may_block(bus);

	if (error)
		return error;
	if (pages->bytes == 0 || pages->bytes % VMBUS_PAGE_BYTES ||
		pages->bytes / VMBUS_PAGE_BYTES > VMBUS_GPADL_PAGES_MAX)
		return -VIRIDIAN_EINVAL;
	bus->is_serving = true;
	error = vmbus_client_gpadl_create(&bus->client, &gpadl->client, relid,
		pages->gpa / VMBUS_PAGE_BYTES, NULL, (uint32_t)(pages->bytes / VMBUS_PAGE_BYTES),
		winhv_time_100ns(bus->hv), deadline);
	bus->is_serving = false;
	if (error)
		return error;
	gpadl->id = gpadl->client.id;
	gpadl->relid = relid;
	gpadl->pages = *pages;
	return synic_bus_wait(bus, &gpadl->client.result);
}

int vmbus_gpadl_teardown(struct vmbus *bus, struct vmbus_gpadl *gpadl, uint64_t deadline)
{
	int error = synic_bus_may_block(bus);

	if (error)
		return error;
	bus->is_serving = true;
	error = vmbus_client_gpadl_teardown(
		&bus->client, &gpadl->client, winhv_time_100ns(bus->hv), deadline);
	bus->is_serving = false;
	return error ? error : synic_bus_wait(bus, &gpadl->client.result);
}

/* ---- signals -------------------------------------------------------------------------------- */

void vmbus_channel_signal(struct vmbus_channel *channel)
{
	struct vmbus *bus = channel->bus;

	if (__atomic_load_n(&channel->is_rescinded, __ATOMIC_RELAXED))
		return;
	(void)__atomic_fetch_add(&channel->signals_sent, 1, __ATOMIC_RELAXED);
	if (channel->monitor_id != VMBUS_MONITOR_ID_NONE) {
		uint32_t *pending =
			(uint32_t *)(void *)(bus->monitor_page +
					     vmbus_monitor_pending_offset(channel->monitor_id));
		(void)__atomic_fetch_or(
			pending, 1u << (channel->monitor_id % 32u), __ATOMIC_SEQ_CST);
		return;
	}
	if (channel->is_dedicated) {
		(void)winhv_signal_event(bus->hv, channel->connection_id, 0);
		return;
	}
	uint64_t *to_host =
		(uint64_t *)(void *)(bus->interrupt_page +
				     offsetof(struct vmbus_interrupt_page_wire, to_host));
	(void)__atomic_fetch_or(
		&to_host[channel->relid / 64], 1ull << (channel->relid % 64), __ATOMIC_SEQ_CST);
	(void)winhv_signal_event(bus->hv, VMBUS_CONNECTION_EVENT, 0);
}
