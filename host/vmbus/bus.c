// SPDX-License-Identifier: Apache-2.0
/*
 * The VMBus of a partition: binds the server to ports, and runs channels that have
 * work. See bus.h for the whole and bus_internal.h for how it is divided.
 *
 * The hot list. A channel gets there by a signal of the guest, by a kick of its provider, or
 * by opening; its ring's interrupt mask is set meanwhile. Each turn calls each provider once.
 * A channel leaves it when its provider has found nothing for some turns, or all at once
 * when the loop wants to sleep: its ring is unmasked, and looked at once more, so that no
 * packet is left behind without a signal to come (R-RING-009).
 */
#include "host/vmbus/bus_internal.h"
#include "protocol/hypervisor.h"

#include <errno.h>
#include <stdlib.h>

/* Turns without work after which a channel is not polled any more. */
#define IDLE_POLLS_MAX 64u
/* How often to look for room of which the guest does not tell. */
#define ROOM_INTERVAL_NS 1000000u

/* ---- hot list ---- */

void bus_hot_add(struct bus_channel *channel)
{
	struct vmbus_bus *bus = channel->bus;
	channel->idle_polls = 0;
	if (channel->is_hot)
		return;
	channel->is_hot = true;
	channel->hot_next = NULL;
	channel->hot_previous = bus->hot_last;
	if (bus->hot_last != NULL)
		bus->hot_last->hot_next = channel;
	else
		bus->hot_first = channel;
	bus->hot_last = channel;
	bus->hot_count++;
	ring_reader_mask(&channel->reader);
}

void bus_hot_remove(struct bus_channel *channel)
{
	struct vmbus_bus *bus = channel->bus;
	if (!channel->is_hot)
		return;
	channel->is_hot = false;
	if (bus->visit_next == channel)
		bus->visit_next = channel->hot_next;
	if (channel->hot_previous != NULL)
		channel->hot_previous->hot_next = channel->hot_next;
	else
		bus->hot_first = channel->hot_next;
	if (channel->hot_next != NULL)
		channel->hot_next->hot_previous = channel->hot_previous;
	else
		bus->hot_last = channel->hot_previous;
	bus->hot_count--;
}

/* The interrupt that had to wait for OPEN_CHANNEL_RESULT. */
static void interrupt_due(struct bus_channel *channel)
{
	if (channel->is_interrupt_due) {
		channel->is_interrupt_due = false;
		bus_interrupt(channel);
	}
}

/* Call the provider. *is_gone: the channel was freed, or is not hot any more. */
static bool channel_run(struct vmbus_bus *bus, struct bus_channel *channel, bool *is_gone)
{
	bus->visited = channel;
	interrupt_due(channel);
	const bool has_worked = channel->offer.ops->ready(channel->offer.ctx, channel);
	*is_gone = bus->visited == NULL || !channel->is_hot;
	bus->visited = NULL;
	return has_worked;
}

/* Let the channel sleep. False if there is work, and it stays hot. */
static bool channel_cool(struct vmbus_bus *bus, struct bus_channel *channel)
{
	bool is_gone;
	interrupt_due(channel);
	bus_channel_flush(channel);
	if (!ring_reader_arm(&channel->reader)) {
		bus_hot_remove(channel);
		return true;
	}
	if (channel_run(bus, channel, &is_gone))
		return false;
	/* the provider knows of the packets and does not want them now: it will kick */
	if (!is_gone)
		bus_hot_remove(channel);
	return true;
}

bool vmbus_bus_poll(struct vmbus_bus *bus)
{
	bool has_worked = false;
	bus_monitor_scan(bus);
	bus_room_scan(bus);
	unsigned budget = bus->hot_count;
	bus->visit_next = bus->hot_first;
	while (bus->visit_next != NULL && budget-- > 0) {
		struct bus_channel *channel = bus->visit_next;
		bool is_gone;
		bus->visit_next = channel->hot_next;
		if (channel_run(bus, channel, &is_gone)) {
			has_worked = true;
			if (!is_gone)
				channel->idle_polls = 0;
		} else if (!is_gone && ++channel->idle_polls >= IDLE_POLLS_MAX) {
			has_worked |= !channel_cool(bus, channel);
		}
	}
	bus->visit_next = NULL;
	return has_worked;
}

bool vmbus_bus_arm(struct vmbus_bus *bus)
{
	unsigned budget = bus->hot_count;
	bus->visit_next = bus->hot_first;
	while (bus->visit_next != NULL && budget-- > 0) {
		struct bus_channel *channel = bus->visit_next;
		bus->visit_next = channel->hot_next;
		(void)channel_cool(bus, channel);
	}
	bus->visit_next = NULL;
	return bus->hot_first == NULL;
}

uint64_t vmbus_bus_poll_interval_ns(const struct vmbus_bus *bus)
{
	const uint64_t monitor_ns = bus->monitor_interval_ns;
	const bool is_room_sooner = monitor_ns == 0 || monitor_ns > ROOM_INTERVAL_NS;
	return bus->room_polled_count != 0 && is_room_sooner ? ROOM_INTERVAL_NS : monitor_ns;
}

/* ---- what the server asks of the partition ---- */

static int message_post(void *ctx, uint32_t vp, uint32_t sint, const void *payload, size_t bytes)
{
	struct vmbus_bus *bus = ctx;
	return synic_message_post(bus->partition, vp, sint, VMBUS_SYNIC_MESSAGE_TYPE,
		VMBUS_PORT_MESSAGE, payload, bytes);
}

static bool message_is_backlogged(void *ctx, uint32_t vp, uint32_t sint)
{
	struct vmbus_bus *bus = ctx;
	return synic_message_is_backlogged(bus->partition, vp, sint);
}

static void message_discard(void *ctx, uint32_t vp, uint32_t sint)
{
	struct vmbus_bus *bus = ctx;
	synic_message_discard(bus->partition, vp, sint);
}

static bool page_is_memory(void *ctx, uint64_t gpn)
{
	struct vmbus_bus *bus = ctx;
	return gpn <= UINT64_MAX >> GUEST_PAGE_SHIFT &&
	       guest_memory_at(bus->memory, gpn << GUEST_PAGE_SHIFT, GUEST_PAGE_BYTES) != NULL;
}

static void reset_done(void *ctx)
{
	struct vmbus_bus *bus = ctx;
	void (*done)(void *) = bus->reset_done;
	bus->reset_done = NULL;
	if (done != NULL)
		done(bus->reset_done_ctx);
}

static bool connect_request(
	void *ctx, const struct guid *endpoint, const struct guid *service, const struct guid *silo)
{
	const struct vmbus_bus *bus = ctx;
	(void)silo;
	return bus->config.connect_request != NULL &&
	       bus->config.connect_request(bus->config.connect_ctx, endpoint, service);
}

static void *memory_allocate(void *ctx, size_t bytes)
{
	(void)ctx;
	return malloc(bytes);
}

static void memory_release(void *ctx, void *memory)
{
	(void)ctx;
	free(memory);
}

static const struct vmbus_server_ops server_ops = {
	.message_post = message_post,
	.message_is_backlogged = message_is_backlogged,
	.message_discard = message_discard,
	.page_is_memory = page_is_memory,
	.pages_set = bus_pages_set,
	.channel_open = bus_channel_open,
	.channel_close = bus_channel_close,
	.channel_target_set = bus_channel_target_set,
	.channel_relid_set = bus_channel_relid_set,
	.channel_gone = bus_channel_gone,
	.reset_done = reset_done,
	.connect_request = connect_request,
	.allocate = memory_allocate,
	.release = memory_release,
};

/* ---- what the partition tells ---- */

static uint16_t on_message(void *ctx, uint32_t connection_id, uint32_t message_type,
	const uint8_t *payload, size_t bytes)
{
	struct vmbus_bus *bus = ctx;
	if (message_type != VMBUS_SYNIC_MESSAGE_TYPE) {
		vmbus_server_reject(bus->server, VMBUS_REJECTION_NOT_CONTROL);
		return HV_STATUS_SUCCESS;
	}
	return vmbus_server_message(bus->server, connection_id, payload, bytes) == -EAGAIN
		       ? HV_STATUS_INSUFFICIENT_BUFFERS
		       : HV_STATUS_SUCCESS;
}

static void on_drained(void *ctx, uint32_t vp, uint32_t sint)
{
	struct vmbus_bus *bus = ctx;
	(void)vp;
	if (sint == VMBUS_SINT)
		vmbus_server_drained(bus->server);
}

static void on_reset(void *ctx)
{
	struct vmbus_bus *bus = ctx;
	vmbus_server_reset(bus->server);
}

/* ---- life ---- */

static const uint32_t message_ports[] = {
	VMBUS_CONNECTION_MESSAGE, VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT};

static unsigned message_port_count(const struct vmbus_bus *bus)
{
	return bus->config.is_single_client ? 1 : 2;
}

/* Give back the first `count` message ports. */
static void ports_give_back(struct vmbus_bus *bus, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		partition_message_port_remove(bus->partition, message_ports[i]);
}

static int ports_take(struct vmbus_bus *bus)
{
	const unsigned count = message_port_count(bus);
	for (unsigned i = 0; i < count; i++) {
		const int error = partition_message_port_add(
			bus->partition, message_ports[i], on_message, bus);
		if (error != 0) {
			ports_give_back(bus, i);
			return error;
		}
	}
	const int error = partition_event_port_add(bus->partition, VMBUS_CONNECTION_EVENT,
		VMBUS_EVENT_FLAG_COUNT, bus_on_shared_event, bus);
	if (error != 0)
		ports_give_back(bus, count);
	return error;
}

int vmbus_bus_create(
	struct partition *partition, const struct vmbus_bus_config *config, struct vmbus_bus **out)
{
	const struct vmbus_server_config server_config = {
		.version_max = config->version_max,
		.features = config->feature_mask,
		.vp_count = partition_vp_count(partition),
		.parent_to_child_page_gpa = config->parent_to_child_page_gpa,
		.child_to_parent_page_gpa = config->child_to_parent_page_gpa,
	};
	struct vmbus_bus *bus = calloc(1, sizeof *bus);
	if (bus == NULL)
		return -ENOMEM;
	bus->partition = partition;
	bus->memory = partition_memory(partition);
	bus->config = *config;
	int error = vmbus_server_create(&server_config, &server_ops, bus, &bus->server);
	if (error != 0)
		goto no_server;
	error = partition_reset_observer_add(partition, on_reset, bus);
	if (error != 0)
		goto no_observer;
	error = ports_take(bus);
	if (error != 0)
		goto no_ports;
	synic_drained_observer_set(partition, on_drained, bus);
	*out = bus;
	return 0;

no_ports:
	partition_reset_observer_remove(partition, on_reset, bus);
no_observer:
	vmbus_server_destroy(bus->server);
no_server:
	free(bus);
	return error;
}

void vmbus_bus_destroy(struct vmbus_bus *bus)
{
	if (bus == NULL)
		return;
	bus->reset_done = NULL;
	vmbus_server_reset(bus->server);
	synic_drained_observer_set(bus->partition, NULL, NULL);
	partition_reset_observer_remove(bus->partition, on_reset, bus);
	partition_event_port_remove(bus->partition, VMBUS_CONNECTION_EVENT);
	ports_give_back(bus, message_port_count(bus));
	while (bus->channels != NULL)
		bus_channel_gone(bus, bus->channels);
	vmbus_server_destroy(bus->server);
	free(bus);
}

void vmbus_bus_reset(struct vmbus_bus *bus, void (*done)(void *ctx), void *ctx)
{
	bus->reset_done = done;
	bus->reset_done_ctx = ctx;
	vmbus_server_reset(bus->server);
}

/* ---- status ---- */

void vmbus_bus_statistics_get(const struct vmbus_bus *bus, struct vmbus_bus_statistics *out)
{
	struct vmbus_server_status status;
	vmbus_server_status_get(bus->server, &status);
	*out = (struct vmbus_bus_statistics){
		.connection_state = status.connection_state,
		.version = status.version,
		.features = status.features,
		.messages_in = status.messages_in,
		.messages_out = status.messages_out,
		.messages_rejected = status.rejected,
		.last_rejection = status.rejected > 0 ? vmbus_rejection_name(status.last_rejection)
						      : NULL,
		.channel_count = status.offers,
	};
}

static void channel_visit(const struct bus_channel *channel,
	void (*fn)(void *ctx, const struct bus_channel_statistics *statistics), void *ctx)
{
	const bool has_rings = channel->state != BUS_CHANNEL_DOWN;
	const struct ring_stats in = has_rings ? ring_reader_stats(&channel->reader)
					       : (struct ring_stats){0};
	const struct ring_stats out = has_rings ? ring_writer_stats(&channel->writer)
						: (struct ring_stats){0};
	const struct bus_channel_statistics statistics = {
		.relid = channel->relid,
		.provider = channel->offer.ops->name,
		.interface_id = channel->offer.interface_id,
		.instance_id = channel->offer.instance_id,
		.subchannel_index = channel->offer.subchannel_index,
		.state = vmbus_server_channel_state(channel->bus->server, channel->id),
		.target_vp = channel->target_vp,
		.monitor_id = channel->monitor_id,
		.packets_in = channel->past_in.packets + in.packets,
		.packets_out = channel->past_out.packets + out.packets,
		.bytes_in = channel->past_in.bytes + in.bytes,
		.bytes_out = channel->past_out.bytes + out.bytes,
		.signals_in = channel->signals_in,
		.signals_out = channel->signals_out,
		.ring_full = channel->past_out.stalls + out.stalls,
		.failure = channel->failure,
	};
	fn(ctx, &statistics);
}

void vmbus_bus_channels_visit(const struct vmbus_bus *bus,
	void (*fn)(void *ctx, const struct bus_channel_statistics *statistics), void *ctx)
{
	for (const struct bus_channel *c = bus->channels; c != NULL; c = c->next) {
		if (bus->by_relid[c->relid] != c)
			channel_visit(c, fn, ctx);
	}
	for (unsigned relid = VMBUS_RELID_MIN; relid <= VMBUS_RELID_MAX; relid++) {
		if (bus->by_relid[relid] != NULL)
			channel_visit(bus->by_relid[relid], fn, ctx);
	}
}

uint64_t vmbus_bus_rejections(const struct vmbus_bus *bus, unsigned reason)
{
	return vmbus_server_rejections(bus->server, (enum vmbus_rejection)reason);
}
