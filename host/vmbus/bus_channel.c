// SPDX-License-Identifier: Apache-2.0
/*
 * Channels of the VMBus: the provider seam of bus_channel.h on one side, what the server
 * asks on the other. Between an OPEN_CHANNEL and the provider's close_done the rings are
 * mapped, whatever the guest does meanwhile (R-RING-028).
 */
#include "host/vmbus/bus_internal.h"

#include <errno.h>
#include <stdlib.h>

/* ---- rings ---- */

static struct ring_area area_of(const struct guest_ring_mapping *mapping)
{
	return (struct ring_area){
		.control = mapping->control,
		.data = mapping->data,
		.data_bytes = (uint32_t)mapping->data_bytes,
		.is_double_mapped = true,
	};
}

static enum vmbus_rejection map_error(int error)
{
	return error == -EFAULT ? VMBUS_REJECTION_GPADL_MEMORY : VMBUS_REJECTION_GPADL_QUOTA;
}

static enum vmbus_rejection rings_map(
	struct bus_channel *channel, const struct vmbus_server_open *open)
{
	const struct guest_memory *memory = channel->bus->memory;
	int error = guest_memory_ring_map(
		memory, open->gpns, open->downstream_page, &channel->incoming);
	if (error != 0)
		return map_error(error);
	error = guest_memory_ring_map(memory, open->gpns + open->downstream_page,
		open->page_count - open->downstream_page, &channel->outgoing);
	if (error != 0) {
		guest_memory_ring_unmap(&channel->incoming);
		return map_error(error);
	}
	const struct ring_area incoming = area_of(&channel->incoming);
	const struct ring_area outgoing = area_of(&channel->outgoing);
	if (ring_open(&channel->writer, &outgoing, &channel->reader, &incoming,
		    RING_FLAGS_STRICT) != RING_OK) {
		guest_memory_ring_unmap(&channel->outgoing);
		guest_memory_ring_unmap(&channel->incoming);
		return VMBUS_REJECTION_RING_GPADL;
	}
	return VMBUS_REJECTION_NONE;
}

static void statistics_keep(struct bus_channel *channel)
{
	const struct ring_stats in = ring_reader_stats(&channel->reader);
	const struct ring_stats out = ring_writer_stats(&channel->writer);
	channel->past_in.packets += in.packets;
	channel->past_in.bytes += in.bytes;
	channel->past_out.packets += out.packets;
	channel->past_out.bytes += out.bytes;
	channel->past_out.stalls += out.stalls;
}

static void signals_stop(struct bus_channel *channel)
{
	struct vmbus_bus *bus = channel->bus;
	bus_hot_remove(channel);
	partition_event_port_remove(bus->partition, channel->connection_id);
	bus_monitor_stop(channel);
	bus_room_stop(channel);
}

void bus_channel_down(struct bus_channel *channel)
{
	if (channel->state == BUS_CHANNEL_DOWN)
		return;
	if (channel->state != BUS_CHANNEL_CLOSING)
		signals_stop(channel);
	channel->state = BUS_CHANNEL_DOWN;
	channel->is_interrupt_due = false;
	statistics_keep(channel);
	guest_memory_ring_unmap(&channel->outgoing);
	guest_memory_ring_unmap(&channel->incoming);
}

/* ---- asked by the server ---- */

enum vmbus_rejection bus_channel_open(void *ctx, void *device, const struct vmbus_server_open *open)
{
	struct vmbus_bus *bus = ctx;
	struct bus_channel *channel = device;
	const enum vmbus_rejection reason = rings_map(channel, open);
	if (reason != VMBUS_REJECTION_NONE)
		return reason;
	/* the port first: the guest may signal before it has its answer (R-OPEN-016) */
	if (partition_event_port_add(bus->partition, open->connection_id, VMBUS_EVENT_FLAG_COUNT,
		    bus_on_channel_event, channel) != 0) {
		guest_memory_ring_unmap(&channel->outgoing);
		guest_memory_ring_unmap(&channel->incoming);
		return VMBUS_REJECTION_SIGNAL_PARAMETERS;
	}
	channel->state = BUS_CHANNEL_OPENING;
	channel->failure = NULL;
	channel->target_vp = open->target_vp;
	channel->event_flag = open->event_flag;
	channel->connection_id = open->connection_id;
	bus_monitor_start(channel, open->monitor_id);
	channel->offer.ops->open(channel->offer.ctx, channel, open->user_data);
	return VMBUS_REJECTION_NONE;
}

void bus_channel_close(void *ctx, void *device)
{
	struct bus_channel *channel = device;
	(void)ctx;
	signals_stop(channel);
	channel->state = BUS_CHANNEL_CLOSING;
	channel->offer.ops->close(channel->offer.ctx, channel);
}

void bus_channel_target_set(void *ctx, void *device, uint32_t target_vp)
{
	struct bus_channel *channel = device;
	(void)ctx;
	channel->target_vp = target_vp;
}

void bus_channel_relid_set(void *ctx, void *device, uint32_t relid, uint8_t monitor_id)
{
	struct vmbus_bus *bus = ctx;
	struct bus_channel *channel = device;
	if (bus->by_relid[channel->relid] == channel)
		bus->by_relid[channel->relid] = NULL;
	channel->relid = relid;
	channel->monitor_id = monitor_id;
	if (relid != 0)
		bus->by_relid[relid] = channel;
	bus_monitor_describe(channel);
}

void bus_channel_gone(void *ctx, void *device)
{
	struct vmbus_bus *bus = ctx;
	struct bus_channel *channel = device;
	struct bus_channel **link = &bus->channels;
	while (*link != channel)
		link = &(*link)->next;
	*link = channel->next;
	if (bus->by_relid[channel->relid] == channel)
		bus->by_relid[channel->relid] = NULL;
	if (bus->visited == channel)
		bus->visited = NULL;
	bus_channel_down(channel);
	free(channel);
}

/* ---- asked by providers ---- */

int bus_offer_add(struct vmbus_bus *bus, const struct bus_offer *offer, struct bus_channel **out)
{
	struct bus_channel *channel = calloc(1, sizeof *channel);
	if (channel == NULL)
		return -ENOMEM;
	channel->bus = bus;
	channel->offer = *offer;
	channel->monitor_id = VMBUS_MONITOR_ID_NONE;
	if (channel->offer.monitor_latency_100ns == 0)
		channel->offer.monitor_latency_100ns = BUS_MONITOR_LATENCY_100NS;
	channel->target_vp = VMBUS_TARGET_VP_NONE;
	const struct vmbus_server_offer server_offer = {
		.interface_id = offer->interface_id,
		.instance_id = offer->instance_id,
		.flags = offer->flags,
		.mmio_megabytes = offer->mmio_mib,
		.subchannel_index = offer->subchannel_index,
		.wants_monitor = offer->wants_monitor,
		.user_data = offer->user_data,
	};
	const int error = vmbus_server_offer_add(bus->server, &server_offer, channel, &channel->id);
	if (error != 0) {
		free(channel);
		return error;
	}
	channel->next = bus->channels;
	bus->channels = channel;
	*out = channel;
	return 0;
}

void bus_offer_remove(struct bus_channel *channel)
{
	vmbus_server_offer_remove(channel->bus->server, channel->id);
}

void bus_channel_open_done(struct bus_channel *channel, int status)
{
	if (channel->state != BUS_CHANNEL_OPENING)
		return;
	if (status < 0) {
		bus_channel_down(channel);
	} else {
		channel->state = BUS_CHANNEL_RUNNING;
		/* look once without being told: the guest's signal may have come before this */
		bus_hot_add(channel);
	}
	(void)vmbus_server_open_done(channel->bus->server, channel->id, status);
}

void bus_channel_close_done(struct bus_channel *channel)
{
	if (channel->state != BUS_CHANNEL_CLOSING)
		return;
	bus_channel_down(channel);
	(void)vmbus_server_close_done(channel->bus->server, channel->id);
}

struct ring_reader *bus_channel_reader(struct bus_channel *channel)
{
	return &channel->reader;
}

struct ring_writer *bus_channel_writer(struct bus_channel *channel)
{
	return &channel->writer;
}

void bus_channel_flush(struct bus_channel *channel)
{
	if (channel->state == BUS_CHANNEL_DOWN)
		return;
	const bool has_room = ring_read_flush(&channel->reader);
	const bool has_data = ring_flush(&channel->writer);
	if (has_room || has_data)
		bus_interrupt(channel);
	bus_room_note(channel);
}

void bus_channel_flush_writes(struct bus_channel *channel)
{
	if (channel->state != BUS_CHANNEL_DOWN && ring_flush(&channel->writer))
		bus_interrupt(channel);
}

void bus_channel_kick(struct bus_channel *channel)
{
	if (channel->state == BUS_CHANNEL_RUNNING && channel->failure == NULL)
		bus_hot_add(channel);
}

void bus_channel_fail(struct bus_channel *channel, const char *reason)
{
	if (channel->failure == NULL)
		channel->failure = reason;
	bus_hot_remove(channel);
	bus_room_stop(channel);
}

const struct guest_memory *bus_channel_memory(const struct bus_channel *channel)
{
	return channel->bus->memory;
}

uint32_t bus_channel_relid(const struct bus_channel *channel)
{
	return channel->relid;
}

uint32_t bus_channel_target_vp(const struct bus_channel *channel)
{
	return channel->target_vp;
}

const struct bus_offer *bus_channel_offer(const struct bus_channel *channel)
{
	return &channel->offer;
}

struct vmbus_bus *bus_channel_bus(const struct bus_channel *channel)
{
	return channel->bus;
}

int bus_channel_gpadl_pages(struct bus_channel *channel, uint32_t gpadl_id, unsigned range,
	const uint64_t **gpns, size_t *count, uint32_t *offset_bytes, uint64_t *bytes)
{
	struct vmbus_server_gpadl gpadl;
	const int error = vmbus_server_gpadl_hold(
		channel->bus->server, channel->id, gpadl_id, range, &gpadl);
	if (error != 0)
		return error;
	*gpns = gpadl.gpns;
	*count = gpadl.page_count;
	*offset_bytes = gpadl.offset_bytes;
	*bytes = gpadl.bytes;
	return 0;
}

void bus_channel_gpadl_release(struct bus_channel *channel, uint32_t gpadl_id)
{
	vmbus_server_gpadl_release(channel->bus->server, channel->id, gpadl_id);
}
