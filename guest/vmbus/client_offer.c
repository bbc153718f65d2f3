// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus client: offers, from OFFER_CHANNEL to REL_ID_RELEASED. See client.h.
 *
 *	FREE --offer--> LIVE --rescind--> RESCINDED --last user gone--> RELEASING
 *	  ^                                                                |
 *	  +--------------------- REL_ID_RELEASED posted -------------------+
 *
 * An offer that cannot be used, but whose relid is free here, is released at once
 * (REFUSED), so that the host can have its relid back (R-OFFER-020). One table by
 * relid bounds everything (R-OFFER-021); a relid is in use here until its release
 * is posted, and is released exactly once (R-RESC-017).
 *
 * Sources: R-OFFER-016 .. R-OFFER-021, R-RESC-014, R-RESC-016 .. R-RESC-021, R-ROB-010.
 */
#include "guest/vmbus/client_private.h"

struct vmbus_client_offer *client_offer_row(struct vmbus_client *client, uint32_t relid)
{
	return vmbus_relid_is_valid(relid) ? &client->offers[relid] : NULL;
}

static const struct vmbus_client_offer *row_const(const struct vmbus_client *client, uint32_t relid)
{
	return vmbus_relid_is_valid(relid) ? &client->offers[relid] : NULL;
}

struct vmbus_client_offer *client_offer_live(
	struct vmbus_client *client, uint32_t relid, int *error)
{
	struct vmbus_client_offer *row = client_offer_row(client, relid);

	*error = -VIRIDIAN_ENODEV;
	if (!client_is_connected(client))
		return NULL;
	if (row && row->state == VMBUS_CLIENT_OFFER_RESCINDED)
		return NULL;
	*error = -VIRIDIAN_ENOENT;
	return row && row->state == VMBUS_CLIENT_OFFER_LIVE ? row : NULL;
}

/* ---- queries ------------------------------------------------------------------------------ */

static bool is_announced(const struct vmbus_client_offer *row)
{
	return row->state == VMBUS_CLIENT_OFFER_LIVE || row->state == VMBUS_CLIENT_OFFER_RESCINDED;
}

const struct vmbus_offer *vmbus_client_offer(const struct vmbus_client *client, uint32_t relid)
{
	const struct vmbus_client_offer *row = row_const(client, relid);
	return row && is_announced(row) ? &row->offer : NULL;
}

const struct vmbus_offer *vmbus_client_offer_next(
	const struct vmbus_client *client, uint32_t after_relid)
{
	for (uint32_t relid = after_relid; relid < client->relid_max;) {
		const struct vmbus_client_offer *row = &client->offers[++relid];
		if (row->state == VMBUS_CLIENT_OFFER_LIVE)
			return &row->offer;
	}
	return NULL;
}

const struct vmbus_offer *vmbus_client_offer_find(
	const struct vmbus_client *client, const struct guid *interface_id, unsigned index)
{
	const struct vmbus_offer *offer = NULL;

	while ((offer = vmbus_client_offer_next(client, offer ? offer->relid : 0)) != NULL)
		if (offer->subchannel_index == 0 &&
			guid_equal(&offer->interface_id, interface_id) && index-- == 0)
			return offer;
	return NULL;
}

const struct vmbus_offer *vmbus_client_offer_subchannel(const struct vmbus_client *client,
	const struct vmbus_offer *primary, uint16_t subchannel_index)
{
	const struct vmbus_offer *offer = NULL;

	while ((offer = vmbus_client_offer_next(client, offer ? offer->relid : 0)) != NULL)
		if (offer->subchannel_index == subchannel_index &&
			client->offers[offer->relid].primary_relid == primary->relid)
			return offer;
	return NULL;
}

uint32_t vmbus_client_offer_primary(const struct vmbus_client *client, uint32_t relid)
{
	const struct vmbus_client_offer *row = row_const(client, relid);
	return row && is_announced(row) ? row->primary_relid : 0;
}

/* ---- offers ------------------------------------------------------------------------------- */

/* The live primary with the key of `offer`, or NULL. */
static const struct vmbus_offer *primary_find(
	const struct vmbus_client *client, const struct vmbus_offer *offer)
{
	const struct vmbus_offer *other = NULL;

	while ((other = vmbus_client_offer_next(client, other ? other->relid : 0)) != NULL)
		if (other->subchannel_index == 0 &&
			guid_equal(&other->instance_id, &offer->instance_id) &&
			guid_equal(&other->interface_id, &offer->interface_id))
			return other;
	return NULL;
}

static void offer_decode(const struct vmbus_client *client, const uint8_t *payload, size_t bytes,
	struct vmbus_offer *offer)
{
	struct vmbus_offer_channel_wire wire = {0};

	__builtin_memcpy(&wire, payload, bytes < sizeof wire ? bytes : sizeof wire);
	*offer = (struct vmbus_offer){
		.relid = wire.relid,
		.interface_id = wire.interface_id,
		.instance_id = wire.instance_id,
		.flags = wire.flags,
		.mmio_mib = wire.mmio_megabytes,
		.monitor_id = VMBUS_MONITOR_ID_NONE,
		.connection_id = VMBUS_CONNECTION_EVENT,
	};
	__builtin_memcpy(offer->user_data, wire.user_data, sizeof offer->user_data);
	if (vmbus_client_has(client, VMBUS_CAP_SUBCHANNELS))
		offer->subchannel_index = wire.subchannel_index;
	if (wire.monitor_flags & VMBUS_OFFER_MONITOR_ALLOCATED)
		offer->monitor_id = wire.monitor_id;
	/* Without that capability the fields may be absent or garbage. */
	if (vmbus_client_has(client, VMBUS_CAP_DEDICATED_INTERRUPT)) {
		offer->is_dedicated_interrupt = wire.interrupt_flags &
						VMBUS_OFFER_DEDICATED_INTERRUPT;
		offer->connection_id = wire.connection_id;
	}
}

/* Give a relid back that is not used here. */
static void release(struct vmbus_client *client, struct vmbus_client_offer *row,
	enum vmbus_client_offer_state state)
{
	row->state = state;
	client_request_begin(client, &row->request, VMBUS_REQUEST_RELEASE, UINT64_MAX);
}

/*
 * Why an offer with a free relid cannot be used; NONE if it can. A closed subchannel may be
 * offered again under another relid without a rescind: *old is then the one it replaces.
 */
static enum vmbus_rejection offer_check(const struct vmbus_client *client,
	const struct vmbus_offer *offer, bool has_monitor, uint32_t *primary_relid,
	const struct vmbus_offer **old)
{
	const struct vmbus_offer *primary = primary_find(client, offer);

	if (has_monitor && offer->monitor_id >= VMBUS_MONITOR_ID_COUNT)
		return VMBUS_REJECTION_OFFER_FIELDS;
	if (offer->subchannel_index == 0)
		return primary ? VMBUS_REJECTION_OFFER_IN_USE : VMBUS_REJECTION_NONE;
	if (primary == NULL)
		return VMBUS_REJECTION_OFFER_ORPHAN;
	*old = vmbus_client_offer_subchannel(client, primary, offer->subchannel_index);
	if (*old && client->offers[(*old)->relid].channel)
		return VMBUS_REJECTION_OFFER_IN_USE;
	*primary_relid = primary->relid;
	return VMBUS_REJECTION_NONE;
}

enum vmbus_rejection client_on_offer(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes)
{
	struct vmbus_offer offer;
	uint32_t primary_relid = 0;
	const struct vmbus_offer *old = NULL;

	/* Before our request is out, it is a remnant of an earlier connection. */
	if (!client_is_connected(client) ||
		(client->state == VMBUS_CLIENT_NEGOTIATED &&
			!client_request_awaits(&client->request, VMBUS_REQUEST_OFFERS)))
		return VMBUS_REJECTION_NOT_NEGOTIATED;
	offer_decode(client, payload, bytes, &offer);
	struct vmbus_client_offer *row = client_offer_row(client, offer.relid);
	if (row == NULL)
		return VMBUS_REJECTION_OFFER_FIELDS;
	if (row->state != VMBUS_CLIENT_OFFER_FREE)
		return VMBUS_REJECTION_OFFER_IN_USE;

	const bool has_monitor = payload[offsetof(struct vmbus_offer_channel_wire, monitor_flags)] &
				 VMBUS_OFFER_MONITOR_ALLOCATED;
	const enum vmbus_rejection reason = offer_check(
		client, &offer, has_monitor, &primary_relid, &old);
	*row = (struct vmbus_client_offer){
		.offer = offer,
		.state = VMBUS_CLIENT_OFFER_LIVE,
		.primary_relid = primary_relid,
	};
	if (offer.relid > client->relid_max)
		client->relid_max = offer.relid;
	if (reason != VMBUS_REJECTION_NONE) {
		release(client, row, VMBUS_CLIENT_OFFER_REFUSED);
		return reason;
	}
	if (old)
		client->offers[old->relid].primary_relid = 0;
	client->ops->offer(client->ctx, &row->offer);
	return VMBUS_REJECTION_NONE;
}

/* ---- rescind and release ------------------------------------------------------------------ */

enum vmbus_rejection client_on_rescind(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes)
{
	struct vmbus_rescind_channel_offer_wire wire;

	(void)bytes;
	__builtin_memcpy(&wire, payload, sizeof wire);
	struct vmbus_client_offer *row = client_offer_row(client, wire.relid);
	if (!client_is_connected(client))
		return VMBUS_REJECTION_NOT_NEGOTIATED;
	if (row && row->state == VMBUS_CLIENT_OFFER_RESCINDED)
		return VMBUS_REJECTION_CHANNEL_REVOKED;
	if (row == NULL || row->state != VMBUS_CLIENT_OFFER_LIVE)
		return VMBUS_REJECTION_UNKNOWN_CHANNEL;

	row->state = VMBUS_CLIENT_OFFER_RESCINDED;
	row->offer.is_rescinded = true;
	row->is_open_late = false; /* the host closes it by itself */
	for (uint32_t relid = 1; relid <= client->relid_max; relid++)
		if (client->offers[relid].primary_relid == wire.relid)
			client->offers[relid].primary_relid = 0;
	client_gpadls_rescind(client, wire.relid);
	if (row->channel)
		client_channel_rescind(client, row->channel);
	client->ops->rescinded(client->ctx, &row->offer);
	client_offer_settle(client, row);
	return VMBUS_REJECTION_NONE;
}

void client_offer_settle(struct vmbus_client *client, struct vmbus_client_offer *row)
{
	/* an unload, once begun, releases everything, and is the last thing to say */
	if (client_is_connected(client) && row->state == VMBUS_CLIENT_OFFER_RESCINDED &&
		row->channel == NULL && row->gpadl_count == 0 &&
		row->request.state == VMBUS_REQUEST_IDLE)
		release(client, row, VMBUS_CLIENT_OFFER_RELEASING);
}

/* The offer ends here; the row's next state says whether the relid can come again. */
static void offer_end(struct vmbus_client *client, struct vmbus_client_offer *row,
	enum vmbus_client_offer_state next)
{
	const struct vmbus_offer offer = row->offer;
	const bool was_announced = is_announced(row) || row->state == VMBUS_CLIENT_OFFER_RELEASING;

	row->state = next;
	while (client->relid_max &&
		client->offers[client->relid_max].state == VMBUS_CLIENT_OFFER_FREE)
		client->relid_max--;
	if (was_announced)
		client->ops->offer_gone(client->ctx, &offer);
}

void client_offer_posted(struct vmbus_client *client, struct vmbus_request *request)
{
	struct vmbus_client_offer *row = CLIENT_OWNER(request, struct vmbus_client_offer, request);

	client_request_end(client, request);
	if (request->kind == VMBUS_REQUEST_LATE_CLOSE)
		client_offer_settle(client, row);
	else
		offer_end(client, row, VMBUS_CLIENT_OFFER_FREE);
}

void client_offer_failed(struct vmbus_client *client, struct vmbus_request *request)
{
	struct vmbus_client_offer *row = CLIENT_OWNER(request, struct vmbus_client_offer, request);

	if (request->kind == VMBUS_REQUEST_LATE_CLOSE)
		client_offer_settle(client, row);
	else
		offer_end(client, row, VMBUS_CLIENT_OFFER_STUCK);
}

void client_offers_forget(struct vmbus_client *client)
{
	for (uint32_t relid = client->relid_max; relid > 0; relid--) {
		struct vmbus_client_offer *row = &client->offers[relid];
		client_request_end(client, &row->request);
		if (row->state != VMBUS_CLIENT_OFFER_FREE)
			offer_end(client, row, VMBUS_CLIENT_OFFER_FREE);
	}
	client->relid_max = 0;
}
