// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus client: channels. Opening is lending the rings, then OPEN, then its result;
 * closing is CLOSE, then taking the rings back, for TORNDOWN is the only proof
 * that the host is done with them. See client.h.
 *
 *	CLOSED -> LENDING -> OPENING -> OPEN -> CLOSING -> RECLAIMING -> CLOSED
 *	             |          |_________________^            ^
 *	             |          |  (rescinded)                 |
 *	             |          +-- refused, late -------------+
 *	             +-- refused, late, rescinded -> CLOSED
 *
 * Sources: R-OPEN-017 .. R-OPEN-026, R-MOD-008, R-MOD-009, R-RESC-016, R-GPADL-027,
 * R-GPADL-029.
 */
#include "guest/vmbus/client_private.h"

static void list_add(struct vmbus_client *client, struct vmbus_client_channel *channel)
{
	channel->previous = NULL;
	channel->next = client->channels;
	if (channel->next)
		channel->next->previous = channel;
	client->channels = channel;
}

static void list_remove(struct vmbus_client *client, struct vmbus_client_channel *channel)
{
	if (channel->previous)
		channel->previous->next = channel->next;
	else
		client->channels = channel->next;
	if (channel->next)
		channel->next->previous = channel->previous;
}

static struct vmbus_client_offer *row_of(
	struct vmbus_client *client, const struct vmbus_client_channel *channel)
{
	return &client->offers[channel->relid];
}

/* ---- moving to another VP ----------------------------------------------------------------- */

static void modify_end(
	struct vmbus_client *client, struct vmbus_client_channel *channel, int result)
{
	client_request_end(client, &channel->modify);
	channel->modify_result = result;
	if (result == 0)
		channel->target_vp = channel->next_target_vp;
}

/* Give up on a response that may still come. */
static void modify_abandon(
	struct vmbus_client *client, struct vmbus_client_channel *channel, int error)
{
	if (channel->modify.state == VMBUS_REQUEST_IDLE)
		return;
	if (channel->modify.state == VMBUS_REQUEST_WAITING)
		row_of(client, channel)->is_modify_late = true;
	modify_end(client, channel, error);
}

int vmbus_client_channel_modify(struct vmbus_client *client, struct vmbus_client_channel *channel,
	uint32_t target_vp, uint64_t now, uint64_t deadline)
{
	client_now(client, now);
	if (target_vp == VMBUS_TARGET_VP_NONE)
		return -VIRIDIAN_EINVAL;
	if (channel->state != VMBUS_CLIENT_CHANNEL_OPEN)
		return -VIRIDIAN_ENOENT;
	if (row_of(client, channel)->state != VMBUS_CLIENT_OFFER_LIVE)
		return -VIRIDIAN_ENODEV;
	if (!vmbus_client_has(client, VMBUS_CAP_MODIFY_CHANNEL))
		return -VIRIDIAN_ENOTSUP;
	if (channel->modify.state != VMBUS_REQUEST_IDLE || row_of(client, channel)->is_modify_late)
		return -VIRIDIAN_EBUSY;
	channel->next_target_vp = target_vp;
	channel->modify_result = VMBUS_CLIENT_BUSY;
	client_request_begin(client, &channel->modify, VMBUS_REQUEST_MODIFY, deadline);
	client_pump(client);
	return 0;
}

enum vmbus_rejection client_on_modify_response(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes)
{
	struct vmbus_modify_channel_response_wire wire;

	(void)bytes;
	__builtin_memcpy(&wire, payload, sizeof wire);
	struct vmbus_client_offer *row = client_offer_row(client, wire.relid);
	if (row == NULL || row->state == VMBUS_CLIENT_OFFER_FREE)
		return VMBUS_REJECTION_UNKNOWN_CHANNEL;
	if (row->is_modify_late) {
		row->is_modify_late = false;
		return VMBUS_REJECTION_NONE;
	}
	if (row->channel == NULL ||
		!client_request_awaits(&row->channel->modify, VMBUS_REQUEST_MODIFY))
		return VMBUS_REJECTION_UNEXPECTED_RESPONSE;
	modify_end(client, row->channel, wire.status == VMBUS_STATUS_SUCCESS ? 0 : -VIRIDIAN_EIO);
	return VMBUS_REJECTION_NONE;
}

/* ---- ends --------------------------------------------------------------------------------- */

/* The host has no claim on the channel any more, or its rings are lost. */
static void closed(struct vmbus_client *client, struct vmbus_client_channel *channel, int result)
{
	struct vmbus_client_offer *row = row_of(client, channel);

	modify_abandon(client, channel, -VIRIDIAN_ECANCELED);
	channel->state = VMBUS_CLIENT_CHANNEL_CLOSED;
	channel->result = result;
	list_remove(client, channel);
	row->channel = NULL;
	row->offer.is_open = false;
	client_offer_settle(client, row);
}

/* Take the rings back; the channel's result will be `error`. */
static void reclaim(struct vmbus_client *client, struct vmbus_client_channel *channel, int error,
	uint64_t deadline)
{
	channel->state = VMBUS_CLIENT_CHANNEL_RECLAIMING;
	client_gpadl_reclaim(client, &channel->rings, error, deadline);
}

static void close_begin(struct vmbus_client *client, struct vmbus_client_channel *channel,
	int error, uint64_t deadline)
{
	modify_abandon(client, channel, -VIRIDIAN_ECANCELED);
	channel->state = VMBUS_CLIENT_CHANNEL_CLOSING;
	channel->result = VMBUS_CLIENT_BUSY;
	channel->error = error;
	channel->deadline = deadline;
	row_of(client, channel)->offer.is_open = false;
	client_request_begin(client, &channel->request, VMBUS_REQUEST_CLOSE, deadline);
}

void client_channel_rings_settled(struct vmbus_client *client, struct vmbus_client_channel *channel)
{
	if (channel->state == VMBUS_CLIENT_CHANNEL_CLOSED)
		return;
	if (channel->rings.state != VMBUS_CLIENT_GPADL_LIVE) {
		client_request_end(client, &channel->request);
		closed(client, channel, channel->rings.result);
	} else if (channel->state == VMBUS_CLIENT_CHANNEL_LENDING) {
		channel->state = VMBUS_CLIENT_CHANNEL_OPENING;
		client_request_begin(
			client, &channel->request, VMBUS_REQUEST_OPEN, channel->deadline);
	}
}

void client_channel_posted(struct vmbus_client *client, struct vmbus_request *request)
{
	struct vmbus_client_channel *channel;

	switch (request->kind) {
	case VMBUS_REQUEST_CLOSE:
		channel = CLIENT_OWNER(request, struct vmbus_client_channel, request);
		client_request_end(client, request);
		if (client->state == VMBUS_CLIENT_UNLOADING)
			channel->state = VMBUS_CLIENT_CHANNEL_RECLAIMING; /* by the unload */
		else
			reclaim(client, channel, channel->error, channel->deadline);
		break;
	case VMBUS_REQUEST_MODIFY:
		channel = CLIENT_OWNER(request, struct vmbus_client_channel, modify);
		if (!vmbus_client_has(client, VMBUS_CAP_MODIFY_RESPONSE))
			modify_end(client, channel, 0);
		break;
	default: /* OPEN has an answer */
		break;
	}
}

void client_channel_failed(struct vmbus_client *client, struct vmbus_request *request, int error)
{
	struct vmbus_client_channel *channel;

	if (request->kind == VMBUS_REQUEST_MODIFY) {
		channel = CLIENT_OWNER(request, struct vmbus_client_channel, modify);
		if (request->sent > 0)
			row_of(client, channel)->is_modify_late = true;
		channel->modify_result = error;
		return;
	}
	channel = CLIENT_OWNER(request, struct vmbus_client_channel, request);
	if (request->kind == VMBUS_REQUEST_OPEN) {
		/* If the host has the OPEN, it may yet act on it: see client_on_open_result(). */
		if (request->sent > 0)
			row_of(client, channel)->is_open_late = true;
		reclaim(client, channel, error, client_grace(client));
	} else if (client->state == VMBUS_CLIENT_UNLOADING) {
		channel->state = VMBUS_CLIENT_CHANNEL_RECLAIMING; /* by the unload */
	} else {
		/* Not closed as far as the host knows: it may go on writing (R-GPADL-029). If all
		 * that failed is the wait for room, the CLOSE still follows, as nothing else
		 * would make the offer fit to be opened again. */
		struct vmbus_client_offer *row = row_of(client, channel);
		if (error == -VIRIDIAN_ETIMEDOUT && row->state == VMBUS_CLIENT_OFFER_LIVE)
			client_request_begin(
				client, &row->request, VMBUS_REQUEST_LATE_CLOSE, UINT64_MAX);
		client_gpadl_lose(client, &channel->rings, channel->error ? channel->error : error);
	}
}

/* ---- open and close ----------------------------------------------------------------------- */

int vmbus_client_channel_open(struct vmbus_client *client, struct vmbus_client_channel *channel,
	uint32_t relid, const struct vmbus_client_open *open, uint64_t now, uint64_t deadline)
{
	int error;

	client_now(client, now);
	if (open->page_count < VMBUS_RING_PAGES_MIN || open->page_count > VMBUS_GPADL_PAGES_MAX ||
		open->downstream_page < 2 || open->downstream_page > open->page_count - 2)
		return -VIRIDIAN_EINVAL;
	struct vmbus_client_offer *row = client_offer_live(client, relid, &error);
	if (row == NULL)
		return error;
	if (channel->state != VMBUS_CLIENT_CHANNEL_CLOSED || row->channel || row->is_open_late)
		return -VIRIDIAN_EBUSY;

	channel->relid = relid;
	channel->target_vp = vmbus_client_has(client, VMBUS_CAP_TARGET_VP) ? open->target_vp : 0;
	channel->downstream_page = open->downstream_page;
	channel->deadline = deadline;
	channel->error = 0;
	channel->modify_result = 0;
	if (open->user_data)
		__builtin_memcpy(channel->user_data, open->user_data, sizeof channel->user_data);
	else
		__builtin_memset(channel->user_data, 0, sizeof channel->user_data);
	channel->rings.first_pfn = open->first_pfn;
	channel->rings.pfns = NULL;
	channel->rings.page_count = open->page_count;
	error = client_gpadl_start(client, &channel->rings, row, channel, deadline);
	if (error)
		return error;
	channel->state = VMBUS_CLIENT_CHANNEL_LENDING;
	channel->result = VMBUS_CLIENT_BUSY;
	row->channel = channel;
	list_add(client, channel);
	client_pump(client);
	return 0;
}

int vmbus_client_channel_close(struct vmbus_client *client, struct vmbus_client_channel *channel,
	uint64_t now, uint64_t deadline)
{
	client_now(client, now);
	if (channel->state == VMBUS_CLIENT_CHANNEL_CLOSED) {
		channel->result = 0;
		return 0;
	}
	if (channel->state != VMBUS_CLIENT_CHANNEL_OPEN)
		return -VIRIDIAN_EBUSY;
	close_begin(client, channel, 0, deadline);
	client_pump(client);
	return 0;
}

enum vmbus_rejection client_on_open_result(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes)
{
	struct vmbus_open_channel_result_wire wire;

	(void)bytes;
	__builtin_memcpy(&wire, payload, sizeof wire);
	struct vmbus_client_offer *row = client_offer_row(client, wire.relid);
	if (row == NULL || row->state == VMBUS_CLIENT_OFFER_FREE)
		return VMBUS_REJECTION_UNKNOWN_CHANNEL;
	if (wire.open_id != wire.relid) /* our open ids are relids (R-OPEN-022) */
		return VMBUS_REJECTION_UNEXPECTED_RESPONSE;
	if (row->is_open_late) {
		row->is_open_late = false;
		/* an unload, once begun, closes it too, and is the last thing to say */
		if (wire.status == VMBUS_STATUS_SUCCESS && client_is_connected(client))
			client_request_begin(
				client, &row->request, VMBUS_REQUEST_LATE_CLOSE, UINT64_MAX);
		return VMBUS_REJECTION_NONE;
	}

	struct vmbus_client_channel *channel = row->channel;
	if (channel == NULL || !client_request_awaits(&channel->request, VMBUS_REQUEST_OPEN))
		return VMBUS_REJECTION_UNEXPECTED_RESPONSE;
	client_request_end(client, &channel->request);
	if (wire.status != VMBUS_STATUS_SUCCESS) {
		reclaim(client, channel, -VIRIDIAN_EIO, client_grace(client));
	} else {
		channel->state = VMBUS_CLIENT_CHANNEL_OPEN;
		channel->result = 0;
		row->offer.is_open = true;
	}
	return VMBUS_REJECTION_NONE;
}

/* ---- rescind and unload ------------------------------------------------------------------- */

/*
 * The host took the offer back. What is awaited will not come, or not for long; what is
 * open stays so until its user closes it. The rings' own wait was shortened already.
 */
void client_channel_rescind(struct vmbus_client *client, struct vmbus_client_channel *channel)
{
	const uint64_t grace = client_grace(client);

	modify_abandon(client, channel, -VIRIDIAN_ENODEV);
	if (channel->deadline > grace)
		channel->deadline = grace;
	if (channel->state == VMBUS_CLIENT_CHANNEL_OPENING) {
		const bool is_told = channel->request.sent > 0;
		client_request_end(client, &channel->request);
		if (is_told)
			close_begin(client, channel, -VIRIDIAN_ENODEV, grace);
		else
			reclaim(client, channel, -VIRIDIAN_ENODEV, grace);
	} else if (channel->state == VMBUS_CLIENT_CHANNEL_CLOSING &&
		   channel->request.deadline > grace) {
		channel->request.deadline = grace;
	}
}

static void unload_close(struct vmbus_client *client, struct vmbus_client_channel *channel)
{
	/* an OPEN without its result cannot be closed (R-OPEN-019): the unload ends it */
	const bool is_open = channel->state == VMBUS_CLIENT_CHANNEL_OPEN ||
			     channel->state == VMBUS_CLIENT_CHANNEL_CLOSING;

	client_request_end(client, &channel->request);
	if (channel->state == VMBUS_CLIENT_CHANNEL_LENDING ||
		channel->state == VMBUS_CLIENT_CHANNEL_OPENING)
		channel->rings.error = -VIRIDIAN_ECANCELED;
	if (is_open)
		close_begin(client, channel, 0, UINT64_MAX);
	else
		channel->state = VMBUS_CLIENT_CHANNEL_RECLAIMING;
}

/* CLOSE everything, subchannels before primaries (R-OPEN-025); the unload does the rest. */
void client_channels_unload(struct vmbus_client *client)
{
	for (struct vmbus_client_channel *c = client->channels; c; c = c->next)
		if (row_of(client, c)->offer.subchannel_index != 0)
			unload_close(client, c);
	for (struct vmbus_client_channel *c = client->channels; c; c = c->next)
		if (row_of(client, c)->offer.subchannel_index == 0)
			unload_close(client, c);
}

void client_channels_conclude(struct vmbus_client *client, int error)
{
	while (client->channels) {
		struct vmbus_client_channel *channel = client->channels;
		client_request_end(client, &channel->request);
		closed(client, channel, error);
	}
}
