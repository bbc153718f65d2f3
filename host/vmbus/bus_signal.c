// SPDX-License-Identifier: Apache-2.0
/*
 * Signals of the VMBus in both directions, and the two pages of the guest that can
 * carry them: the interrupt page of versions before 2.4, and the monitor page.
 *
 *	host -> guest	SynIC event flag of the channel's VP; or bit relid in the first half of
 *			the interrupt page, then flag 0 on VP 0 (R-MSG-012)
 *	guest -> host	the channel's own event port; or bit relid in the second half of
 *			the interrupt page, then the shared port (R-MSG-013); or a pending bit in
 *			the monitor page, which is polled (R-MNF-002)
 *
 * A guest that does not tell of room in a ring that was full is polled for it, too.
 *
 * The pages are only ever exchanged or or-ed, one word at a time: whatever the guest writes
 * there means "look at these channels", which is harmless.
 */
#include "host/vmbus/bus_internal.h"

#include <errno.h>

/* ---- to the guest ---- */

void bus_interrupt(struct bus_channel *channel)
{
	struct vmbus_bus *bus = channel->bus;
	if (channel->state == BUS_CHANNEL_OPENING) {
		/* QUIRK: Linux's storvsc loses an interrupt before OPEN_CHANNEL_RESULT */
		channel->is_interrupt_due = true;
		return;
	}
	/* a guest that has closed may have no use for the flag, or crash on it (R-OPEN-020) */
	if (channel->state != BUS_CHANNEL_RUNNING || channel->target_vp == VMBUS_TARGET_VP_NONE)
		return;
	channel->signals_out++;
	if (bus->interrupt_page == NULL) {
		(void)synic_event_set(
			bus->partition, channel->target_vp, VMBUS_SINT, channel->event_flag);
		return;
	}
	const uint64_t bit = UINT64_C(1) << channel->event_flag % 64;
	__atomic_fetch_or(&bus->interrupt_page[channel->event_flag / 64], bit, __ATOMIC_SEQ_CST);
	(void)synic_event_set(bus->partition, 0, VMBUS_SINT, 0);
}

/* ---- from the guest ---- */

void bus_doorbell(struct bus_channel *channel)
{
	channel->signals_in++;
	if (channel->state == BUS_CHANNEL_RUNNING && channel->failure == NULL)
		bus_hot_add(channel);
}

void bus_on_channel_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	(void)connection_id;
	(void)flag;
	bus_doorbell(ctx);
}

void bus_on_shared_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	struct vmbus_bus *bus = ctx;
	(void)connection_id;
	(void)flag;
	if (bus->interrupt_page == NULL)
		return;
	uint64_t *words = bus->interrupt_page +
			  offsetof(struct vmbus_interrupt_page_wire, to_host) / sizeof *words;
	for (unsigned i = 0; i < VMBUS_RELID_COUNT / 64; i++) {
		uint64_t set = __atomic_exchange_n(&words[i], 0, __ATOMIC_SEQ_CST);
		for (; set != 0; set &= set - 1) {
			const unsigned relid = i * 64 + (unsigned)__builtin_ctzll(set);
			if (bus->by_relid[relid] != NULL)
				bus_doorbell(bus->by_relid[relid]);
		}
	}
}

void bus_monitor_scan(struct vmbus_bus *bus)
{
	if (bus->monitor_interval_ns == 0)
		return;
	for (unsigned group = 0; group < VMBUS_MONITOR_ID_COUNT / 32; group++) {
		uint32_t *word =
			&bus->monitor_page[vmbus_monitor_pending_offset(group * 32) / sizeof *word];
		if (__atomic_load_n(word, __ATOMIC_RELAXED) == 0)
			continue;
		uint32_t set = __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
		for (; set != 0; set &= set - 1) {
			const unsigned id = group * 32 + (unsigned)__builtin_ctz(set);
			if (bus->by_monitor[id] != NULL)
				bus_doorbell(bus->by_monitor[id]);
		}
	}
}

/* The lowest latency of the channels that are looked for. */
static void monitor_interval_update(struct vmbus_bus *bus)
{
	bus->monitor_interval_ns = 0;
	for (unsigned id = 0; id < VMBUS_MONITOR_ID_COUNT; id++) {
		if (bus->by_monitor[id] == NULL)
			continue;
		const uint64_t ns = bus->by_monitor[id]->offer.monitor_latency_100ns * 100ull;
		if (bus->monitor_interval_ns == 0 || ns < bus->monitor_interval_ns)
			bus->monitor_interval_ns = ns;
	}
}

void bus_monitor_start(struct bus_channel *channel, uint8_t monitor_id)
{
	struct vmbus_bus *bus = channel->bus;
	channel->is_monitored = monitor_id < VMBUS_MONITOR_ID_COUNT && bus->monitor_page != NULL;
	if (!channel->is_monitored)
		return;
	bus->by_monitor[monitor_id] = channel;
	bus_monitor_describe(channel);
	monitor_interval_update(bus);
}

void bus_monitor_stop(struct bus_channel *channel)
{
	struct vmbus_bus *bus = channel->bus;
	if (!channel->is_monitored)
		return;
	channel->is_monitored = false;
	bus->by_monitor[channel->monitor_id] = NULL;
	monitor_interval_update(bus);
}

/*
 * Only ever written: a guest that writes there misinforms itself (R-MNF-008). Parameters are
 * words of 64 bits: connection id, flag number 0, reserved.
 */
void bus_monitor_describe(const struct bus_channel *channel)
{
	uint32_t *page = channel->bus->monitor_page;
	const unsigned id = channel->monitor_id;
	if (page == NULL || id >= VMBUS_MONITOR_ID_COUNT)
		return;
	uint16_t *latencies = (uint16_t *)(void *)page +
			      offsetof(struct vmbus_monitor_page_wire, latency_100ns) /
				      sizeof(uint16_t);
	uint64_t *parameters = (uint64_t *)(void *)page +
			       offsetof(struct vmbus_monitor_page_wire, parameter) /
				       sizeof(uint64_t);
	__atomic_store_n(&latencies[id], channel->offer.monitor_latency_100ns, __ATOMIC_RELAXED);
	const uint32_t connection_id = channel->state == BUS_CHANNEL_DOWN
					       ? vmbus_channel_connection_id(
							 channel->relid, VMBUS_SINT, VMBUS_VTL)
					       : channel->connection_id;
	__atomic_store_n(&parameters[id], connection_id, __ATOMIC_RELAXED);
	__atomic_fetch_or(page, 1u << id / 32, __ATOMIC_SEQ_CST);
}

/* ---- room ---- */

void bus_room_note(struct bus_channel *channel)
{
	const bool is_polled = channel->writer.pending != 0 && channel->failure == NULL &&
			       channel->state == BUS_CHANNEL_RUNNING &&
			       !ring_peer_signals_space(&channel->reader);
	if (is_polled == channel->is_room_polled)
		return;
	channel->is_room_polled = is_polled;
	if (is_polled)
		channel->bus->room_polled_count++;
	else
		channel->bus->room_polled_count--;
}

void bus_room_stop(struct bus_channel *channel)
{
	if (channel->is_room_polled)
		channel->bus->room_polled_count--;
	channel->is_room_polled = false;
}

void bus_room_scan(struct vmbus_bus *bus)
{
	if (bus->room_polled_count == 0)
		return;
	for (struct bus_channel *c = bus->channels; c != NULL; c = c->next)
		if (c->is_room_polled && !c->is_hot)
			bus_hot_add(c);
}

/* ---- the pages ---- */

/* The server has checked that they are memory. */
static void *page_at(const struct vmbus_bus *bus, uint64_t gpa)
{
	return gpa == 0 ? NULL : guest_memory_at(bus->memory, gpa, VMBUS_PAGE_BYTES);
}

int bus_pages_set(void *ctx, const struct vmbus_server_pages *pages)
{
	struct vmbus_bus *bus = ctx;
	void *interrupt_page = page_at(bus, pages->interrupt_gpa);
	void *monitor_page = page_at(bus, pages->child_to_parent_gpa);
	if ((interrupt_page == NULL) != (pages->interrupt_gpa == 0) ||
		(monitor_page == NULL) != (pages->child_to_parent_gpa == 0))
		return -EFAULT;
	bus->interrupt_page = interrupt_page;
	if (bus->monitor_page == monitor_page)
		return 0;
	bus->monitor_page = monitor_page;
	if (monitor_page != NULL) /* its first word is the trigger state: no group is enabled */
		__atomic_store_n(bus->monitor_page, 0, __ATOMIC_RELAXED);
	for (const struct bus_channel *c = bus->channels; c != NULL; c = c->next)
		bus_monitor_describe(c);
	return 0;
}
