// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus server: offers. Which channels the guest knows, by which relid; how they are
 * offered, taken back and released (R-OFFER-001 .. R-OFFER-015, R-RESC-001 .. R-RESC-022).
 *
 * All channels are in one list sorted by (interface, instance, subchannel index), which is
 * the order of offering: the same devices get the same relids at each contact, and a
 * primary comes before its subchannels.
 *
 * The same offer made again while the first is being taken back gets a slot of its own, which
 * waits (`is_waiting`) until the first is released, and inherits its relid.
 */
#include "host/vmbus/server_internal.h"

#include <errno.h>
#include <string.h>

/* ---- tables ---- */

static int key_compare(const struct server_channel *a, const struct server_channel *b)
{
	int order = guid_compare(&a->interface_id, &b->interface_id);
	if (order == 0)
		order = guid_compare(&a->instance_id, &b->instance_id);
	if (order == 0)
		order = (int)a->subchannel_index - (int)b->subchannel_index;
	return order;
}

static uint16_t relid_lowest_free(const struct vmbus_server *s)
{
	for (unsigned relid = VMBUS_RELID_MIN; relid <= VMBUS_RELID_MAX; relid++) {
		if (s->relid_slot[relid] == 0)
			return (uint16_t)relid;
	}
	return 0;
}

static uint8_t monitor_id_take(struct vmbus_server *s)
{
	for (unsigned id = 0; id < VMBUS_MONITOR_ID_COUNT; id++) {
		uint64_t *word = &s->monitor_ids[id / 64];
		const uint64_t bit = UINT64_C(1) << id % 64;
		if ((*word & bit) == 0) {
			*word |= bit;
			return (uint8_t)id;
		}
	}
	return VMBUS_MONITOR_ID_NONE;
}

static void monitor_id_give_back(struct vmbus_server *s, struct server_channel *c)
{
	if (c->monitor_id < VMBUS_MONITOR_ID_COUNT)
		s->monitor_ids[c->monitor_id / 64] &= ~(UINT64_C(1) << c->monitor_id % 64);
	c->monitor_id = VMBUS_MONITOR_ID_NONE;
}

static void relid_set(struct vmbus_server *s, struct server_channel *c, uint16_t relid)
{
	if (c->relid != 0) {
		s->relid_slot[c->relid] = 0;
		s->relid_count--;
	}
	c->relid = relid;
	if (relid != 0) {
		s->relid_slot[relid] = server_channel_slot(s, c);
		s->relid_count++;
	}
	if (c->context != NULL)
		s->ops->channel_relid_set(s->ctx, c->context, relid, c->monitor_id);
}

static uint16_t slot_take(struct vmbus_server *s)
{
	uint16_t slot = s->channel_free;
	if (slot != 0)
		s->channel_free = s->channels[slot].next;
	else if (s->channel_limit < SERVER_CHANNEL_COUNT)
		slot = (uint16_t)s->channel_limit++;
	return slot;
}

void server_channel_forget(struct vmbus_server *s, struct server_channel *c)
{
	server_gpadls_free(s, c);
	monitor_id_give_back(s, c);
	relid_set(s, c, 0);
	c->is_offered = false;
	c->request.is_reserved = false;
}

void *server_channel_take_device(struct server_channel *c)
{
	if (!c->is_removed || c->device != SERVER_DEVICE_IDLE)
		return NULL;
	void *device = c->context;
	c->context = NULL;
	return device;
}

static void subchannels_orphan(struct vmbus_server *s, uint16_t primary)
{
	for (unsigned i = 1; i < s->channel_limit; i++) {
		if (s->channels[i].primary == primary)
			s->channels[i].primary = 0;
	}
}

void server_channel_free(struct vmbus_server *s, struct server_channel *c)
{
	const uint16_t slot = server_channel_slot(s, c);
	const uint16_t relid = c->relid;
	const uint16_t successor = c->successor;

	server_channel_forget(s, c);
	uint16_t *link = &s->channel_sorted;
	while (*link != slot)
		link = &s->channels[*link].next;
	*link = c->next;
	if (c->is_waiting) {
		for (unsigned i = 1; i < s->channel_limit; i++) {
			if (s->channels[i].successor == slot)
				s->channels[i].successor = 0;
		}
	}
	if (c->subchannel_index == 0)
		subchannels_orphan(s, slot);
	*c = (struct server_channel){.generation = c->generation + 1, .next = s->channel_free};
	s->channel_free = slot;

	if (successor != 0) {
		s->channels[successor].is_waiting = false;
		server_channel_offer(s, &s->channels[successor], relid);
	}
}

/* ---- offering ---- */

static bool can_offer(const struct vmbus_server *s, const struct server_channel *c)
{
	if (s->state != SERVER_CONNECTION_CONNECTED || c->state != SERVER_CHANNEL_UNOFFERED ||
		c->is_removed || c->is_waiting)
		return false;
	if (c->subchannel_index == 0)
		return true;
	return server_has(s, VMBUS_CAP_SUBCHANNELS) && s->channels[c->primary].is_offered;
}

static uint16_t visible_flags(const struct vmbus_server *s, uint16_t flags)
{
	uint32_t visible = VMBUS_OFFER_GUEST_VISIBLE;
	if (!server_has(s, VMBUS_CAP_TL_CONNECT))
		visible &= ~VMBUS_OFFER_TLNPI_PROVIDER;
	if ((s->features & VMBUS_FEATURE_CONFIDENTIAL_CHANNELS) == 0)
		visible &= ~(
			VMBUS_OFFER_CONFIDENTIAL_RING | VMBUS_OFFER_CONFIDENTIAL_EXTERNAL_MEMORY);
	if ((s->features & VMBUS_FEATURE_GPA_PINNING) == 0)
		visible &= ~VMBUS_OFFER_REQUIRE_PINNED_MEMORY;
	return (uint16_t)(flags & visible);
}

static void offer_send(struct vmbus_server *s, const struct server_channel *c)
{
	const bool has_monitor = c->monitor_id != VMBUS_MONITOR_ID_NONE;
	struct vmbus_offer_channel_wire wire = {
		.header.type = VMBUS_MESSAGE_OFFER_CHANNEL,
		.interface_id = c->interface_id,
		.instance_id = c->instance_id,
		.flags = visible_flags(s, c->flags),
		.mmio_megabytes = c->mmio_megabytes,
		.subchannel_index = c->subchannel_index,
		.relid = c->relid,
		.monitor_id = c->monitor_id,
		.monitor_flags = has_monitor ? VMBUS_OFFER_MONITOR_ALLOCATED : 0,
		.interrupt_flags = VMBUS_OFFER_DEDICATED_INTERRUPT,
		.connection_id = vmbus_channel_connection_id(c->relid, VMBUS_SINT, VMBUS_VTL),
	};
	memcpy(wire.user_data, c->user_data, sizeof wire.user_data);
	server_send(s, &wire, sizeof wire);
}

/* Offer one channel; false if there is no relid for it. */
static bool offer_one(struct vmbus_server *s, struct server_channel *c, uint16_t relid)
{
	if (relid == 0 || s->relid_slot[relid] != 0)
		relid = relid_lowest_free(s);
	if (relid == 0)
		return false;
	c->state = SERVER_CHANNEL_CLOSED;
	c->is_offered = true;
	if (c->wants_monitor && s->pages.child_to_parent_gpa != 0)
		c->monitor_id = monitor_id_take(s);
	relid_set(s, c, relid);
	offer_send(s, c);
	return true;
}

void server_channel_offer(struct vmbus_server *s, struct server_channel *c, uint16_t relid)
{
	if (!can_offer(s, c) || !offer_one(s, c, relid) || c->subchannel_index != 0)
		return;
	/* subchannels that had to wait for their primary */
	const uint16_t slot = server_channel_slot(s, c);
	for (uint16_t i = c->next; i != 0 && s->channels[i].primary == slot;
		i = s->channels[i].next) {
		if (can_offer(s, &s->channels[i]) && !offer_one(s, &s->channels[i], 0))
			break;
	}
}

void server_offers_send(struct vmbus_server *s)
{
	for (uint16_t i = s->channel_sorted; i != 0; i = s->channels[i].next) {
		if (can_offer(s, &s->channels[i]))
			(void)offer_one(s, &s->channels[i], 0);
	}
}

/* ---- the host's side ---- */

/* Where an offer belongs in the sorted list, and what is there already. */
struct place {
	uint16_t *link;	      /* to insert at */
	uint16_t predecessor; /* the same offer, being taken back, that still has its relid */
	uint16_t primary;
};

/* 0, -EEXIST, -ENOENT. */
static int place_find(struct vmbus_server *s, const struct server_channel *key, struct place *place)
{
	struct server_channel primary = *key;
	primary.subchannel_index = 0;
	place->link = &s->channel_sorted;
	for (uint16_t i = s->channel_sorted; i != 0; i = s->channels[i].next) {
		struct server_channel *c = &s->channels[i];
		const int order = key_compare(c, key);
		if (order > 0)
			break;
		place->link = &c->next;
		if (order == 0 && !c->is_removed)
			return -EEXIST;
		if (order == 0 && c->relid != 0 && c->successor == 0)
			place->predecessor = i;
		if (!c->is_removed && key_compare(c, &primary) == 0)
			place->primary = i;
	}
	return key->subchannel_index != 0 && place->primary == 0 ? -ENOENT : 0;
}

int vmbus_server_offer_add(struct vmbus_server *s, const struct vmbus_server_offer *offer,
	void *device, vmbus_server_id *id)
{
	struct server_channel made = {
		.state = SERVER_CHANNEL_UNOFFERED,
		.monitor_id = VMBUS_MONITOR_ID_NONE,
		.wants_monitor = offer->wants_monitor,
		.context = device,
		.interface_id = offer->interface_id,
		.instance_id = offer->instance_id,
		.subchannel_index = offer->subchannel_index,
		.flags = offer->flags,
		.mmio_megabytes = offer->mmio_megabytes,
	};
	if (offer->user_data != NULL)
		memcpy(made.user_data, offer->user_data, sizeof made.user_data);

	struct place place = {0};
	const int error = place_find(s, &made, &place);
	if (error != 0)
		return error;
	const bool needs_relid = s->state == SERVER_CONNECTION_CONNECTED && place.predecessor == 0;
	if (s->offer_count >= VMBUS_CHANNELS_MAX ||
		(needs_relid && s->relid_count >= VMBUS_CHANNELS_MAX))
		return -ENOSPC;
	const uint16_t slot = slot_take(s);
	if (slot == 0)
		return -ENOSPC;

	struct server_channel *c = &s->channels[slot];
	made.generation = c->generation;
	made.primary = place.primary;
	made.is_waiting = place.predecessor != 0;
	made.next = *place.link;
	*c = made;
	*place.link = slot;
	if (place.predecessor != 0)
		s->channels[place.predecessor].successor = slot;
	s->offer_count++;
	*id = c->generation << SERVER_ID_SLOT_BITS | slot;
	server_channel_offer(s, c, 0);
	return 0;
}

static bool has_revoking_subchannel(const struct vmbus_server *s, uint16_t primary)
{
	for (unsigned i = 1; i < s->channel_limit; i++) {
		if (s->channels[i].primary == primary &&
			s->channels[i].state == SERVER_CHANNEL_REVOKING)
			return true;
	}
	return false;
}

void server_rescind_check(struct vmbus_server *s, struct server_channel *c)
{
	const uint16_t primary = c->primary;
	if (c->state != SERVER_CHANNEL_REVOKING || c->device != SERVER_DEVICE_IDLE)
		return;
	if (c->subchannel_index == 0 && has_revoking_subchannel(s, server_channel_slot(s, c)))
		return;
	if (c->is_offered) {
		const struct vmbus_rescind_channel_offer_wire wire = {
			.header.type = VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER,
			.relid = c->relid,
		};
		c->state = SERVER_CHANNEL_REVOKED;
		server_send(s, &wire, sizeof wire);
	} else {
		/* a reserved channel of an earlier connection: this guest does not know it */
		server_channel_free(s, c);
	}
	if (primary != 0)
		server_rescind_check(s, &s->channels[primary]);
}

/* Remove one channel, whose subchannels are being removed already. */
static void channel_remove(struct vmbus_server *s, struct server_channel *c)
{
	const bool is_open = c->state == SERVER_CHANNEL_OPEN;
	c->is_removed = true;
	s->offer_count--;
	switch (c->state) {
	case SERVER_CHANNEL_CLOSED:
	case SERVER_CHANNEL_OPENING:
	case SERVER_CHANNEL_OPEN:
	case SERVER_CHANNEL_CLOSING:
	case SERVER_CHANNEL_CLOSING_REOPEN:
		c->state = SERVER_CHANNEL_REVOKING;
		break;
	default: /* unoffered; or released, and freed when the device has answered */
		break;
	}
	void *device = server_channel_take_device(c);
	if (c->state == SERVER_CHANNEL_UNOFFERED)
		server_channel_free(s, c);
	else if (is_open)
		server_device_close(s, c);
	else
		server_rescind_check(s, c);
	if (device != NULL)
		s->ops->channel_gone(s->ctx, device);
}

void vmbus_server_offer_remove(struct vmbus_server *s, vmbus_server_id id)
{
	struct server_channel *c = server_channel_by_id(s, id);
	if (c == NULL || c->is_removed)
		return;
	if (c->subchannel_index == 0) {
		const uint16_t slot = server_channel_slot(s, c);
		for (unsigned i = 1; i < s->channel_limit; i++) {
			if (s->channels[i].primary == slot && !s->channels[i].is_removed)
				channel_remove(s, &s->channels[i]);
		}
		/* the callbacks may have removed it already */
		if (server_channel_by_id(s, id) != c || c->is_removed)
			return;
	}
	channel_remove(s, c);
}

/* ---- the guest's side ---- */

enum vmbus_rejection server_on_rel_id_released(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	(void)m;
	if (c->device != SERVER_DEVICE_IDLE) { /* closing, perhaps because it is being revoked */
		c->state = SERVER_CHANNEL_RELEASED;
		c->is_offered = false;
		s->busy_count++;
		server_gpadls_abandon(s, c);
		if (c->primary != 0)
			server_rescind_check(s, &s->channels[c->primary]);
		return VMBUS_REJECTION_NONE;
	}
	const uint16_t primary = c->primary;
	if (c->is_removed) {
		server_channel_free(s, c);
		if (primary != 0)
			server_rescind_check(s, &s->channels[primary]);
	} else {
		server_channel_forget(s, c);
		c->state = SERVER_CHANNEL_UNOFFERED;
	}
	return VMBUS_REJECTION_NONE;
}
