// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus client: pages lent to the host by GPADL, and the proof that they are back.
 * See client.h for the states.
 *
 *	FREE -> CREATING -> LIVE -> TEARING -> FREE
 *	           |          |        |
 *	           +----------+--------+----> LOST: no proof came
 *
 * CREATING ends in FREE only if the host refused, or had heard nothing. A GPADL
 * that is accepted for a channel that was rescinded meanwhile is torn down by itself.
 *
 * Sources: R-GPADL-026 .. R-GPADL-031, R-RESC-016.
 */
#include "guest/vmbus/client_private.h"

static void list_add(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl)
{
	gpadl->previous = NULL;
	gpadl->next = client->gpadls;
	if (gpadl->next)
		gpadl->next->previous = gpadl;
	client->gpadls = gpadl;
	client->statistics.pages_lent += gpadl->page_count;
}

static void list_remove(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl)
{
	if (gpadl->previous)
		gpadl->previous->next = gpadl->next;
	else
		client->gpadls = gpadl->next;
	if (gpadl->next)
		gpadl->next->previous = gpadl->previous;
	client->statistics.pages_lent -= gpadl->page_count;
}

static struct vmbus_client_gpadl *gpadl_find(struct vmbus_client *client, uint32_t id)
{
	struct vmbus_client_gpadl *gpadl = client->gpadls;
	while (gpadl && gpadl->id != id)
		gpadl = gpadl->next;
	return gpadl;
}

/* A counter, as other guests have; never 0 and never an id that lives (R-GPADL-030). */
static uint32_t id_choose(struct vmbus_client *client)
{
	uint32_t id;

	do
		id = client->gpadl_id_next++;
	while (id == 0 || gpadl_find(client, id));
	return id;
}

bool vmbus_client_gpadl_is_lent(const struct vmbus_client_gpadl *gpadl)
{
	return gpadl->state != VMBUS_CLIENT_GPADL_FREE;
}

/* Tell who waits, now that the state is final or LIVE. */
static void settle(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl,
	enum vmbus_client_gpadl_state state, int result)
{
	struct vmbus_client_offer *row = &client->offers[gpadl->relid];
	struct vmbus_client_channel *channel = gpadl->channel;

	client_request_end(client, &gpadl->request);
	gpadl->state = state;
	gpadl->result = result;
	if (state != VMBUS_CLIENT_GPADL_LIVE) {
		list_remove(client, gpadl);
		row->gpadl_count--;
		if (state == VMBUS_CLIENT_GPADL_LOST)
			client->statistics.pages_abandoned += gpadl->page_count;
	}
	if (channel)
		client_channel_rings_settled(client, channel);
	client_offer_settle(client, row);
}

/* ---- requests ----------------------------------------------------------------------------- */

int client_gpadl_start(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl,
	struct vmbus_client_offer *row, struct vmbus_client_channel *channel, uint64_t deadline)
{
	if (gpadl->state != VMBUS_CLIENT_GPADL_FREE && gpadl->state != VMBUS_CLIENT_GPADL_LOST)
		return -VIRIDIAN_EBUSY;
	gpadl->id = id_choose(client);
	gpadl->relid = row->offer.relid;
	gpadl->channel = channel;
	gpadl->state = VMBUS_CLIENT_GPADL_CREATING;
	gpadl->result = VMBUS_CLIENT_BUSY;
	gpadl->error = 0;
	list_add(client, gpadl);
	row->gpadl_count++;
	client_request_begin(client, &gpadl->request, VMBUS_REQUEST_GPADL, deadline);
	return 0;
}

int vmbus_client_gpadl_create(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl,
	uint32_t relid, uint64_t first_pfn, const uint64_t *pfns, uint32_t page_count, uint64_t now,
	uint64_t deadline)
{
	int error;

	client_now(client, now);
	if (page_count == 0 || page_count > VMBUS_GPADL_PAGES_MAX)
		return -VIRIDIAN_EINVAL;
	struct vmbus_client_offer *row = client_offer_live(client, relid, &error);
	if (row == NULL)
		return error;
	if (gpadl->state != VMBUS_CLIENT_GPADL_FREE && gpadl->state != VMBUS_CLIENT_GPADL_LOST)
		return -VIRIDIAN_EBUSY;
	gpadl->first_pfn = first_pfn;
	gpadl->pfns = pfns;
	gpadl->page_count = page_count;
	error = client_gpadl_start(client, gpadl, row, NULL, deadline);
	client_pump(client);
	return error;
}

void client_gpadl_reclaim(
	struct vmbus_client *client, struct vmbus_client_gpadl *gpadl, int error, uint64_t deadline)
{
	gpadl->state = VMBUS_CLIENT_GPADL_TEARING;
	gpadl->result = VMBUS_CLIENT_BUSY;
	gpadl->error = error;
	client_request_begin(client, &gpadl->request, VMBUS_REQUEST_TEARDOWN, deadline);
}

void client_gpadl_lose(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl, int error)
{
	settle(client, gpadl, VMBUS_CLIENT_GPADL_LOST, error);
}

int vmbus_client_gpadl_teardown(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl,
	uint64_t now, uint64_t deadline)
{
	client_now(client, now);
	switch (gpadl->state) {
	case VMBUS_CLIENT_GPADL_LIVE:
		break;
	case VMBUS_CLIENT_GPADL_CREATING:
	case VMBUS_CLIENT_GPADL_TEARING:
	case VMBUS_CLIENT_GPADL_LIMBO:
		return -VIRIDIAN_EBUSY;
	default:
		return -VIRIDIAN_ENOENT;
	}
	if (gpadl->channel)
		return -VIRIDIAN_EBUSY; /* rings: closing the channel does it */
	client_gpadl_reclaim(client, gpadl, 0, deadline);
	client_pump(client);
	return 0;
}

/* ---- what becomes of them ----------------------------------------------------------------- */

void client_gpadl_failed(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl, int error)
{
	const bool is_untold = gpadl->state == VMBUS_CLIENT_GPADL_CREATING &&
			       gpadl->request.sent == 0;

	settle(client, gpadl, is_untold ? VMBUS_CLIENT_GPADL_FREE : VMBUS_CLIENT_GPADL_LOST,
		gpadl->error ? gpadl->error : error);
}

enum vmbus_rejection client_on_gpadl_created(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes)
{
	struct vmbus_gpadl_created_wire wire;

	(void)bytes;
	__builtin_memcpy(&wire, payload, sizeof wire);
	struct vmbus_client_gpadl *gpadl = gpadl_find(client, wire.gpadl_id);
	if (gpadl == NULL || gpadl->relid != wire.relid)
		return VMBUS_REJECTION_UNKNOWN_GPADL;
	if (gpadl->state != VMBUS_CLIENT_GPADL_CREATING || gpadl->request.sent == 0)
		return VMBUS_REJECTION_GPADL_STATE;
	/* A refusal may come early; it cannot have accepted what it has not seen. */
	if (wire.status == VMBUS_STATUS_SUCCESS && gpadl->request.state != VMBUS_REQUEST_WAITING)
		return VMBUS_REJECTION_GPADL_STATE;

	if (wire.status != VMBUS_STATUS_SUCCESS) {
		settle(client, gpadl, VMBUS_CLIENT_GPADL_FREE,
			gpadl->error ? gpadl->error : -VIRIDIAN_EIO);
	} else if (gpadl->error) {
		client_request_end(client, &gpadl->request);
		client_gpadl_reclaim(client, gpadl, gpadl->error, client_grace(client));
	} else {
		settle(client, gpadl, VMBUS_CLIENT_GPADL_LIVE, 0);
	}
	return VMBUS_REJECTION_NONE;
}

enum vmbus_rejection client_on_gpadl_torndown(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes)
{
	struct vmbus_gpadl_torndown_wire wire;

	(void)bytes;
	__builtin_memcpy(&wire, payload, sizeof wire);
	struct vmbus_client_gpadl *gpadl = gpadl_find(client, wire.gpadl_id);
	if (gpadl == NULL)
		return VMBUS_REJECTION_UNKNOWN_GPADL;
	if (!client_request_awaits(&gpadl->request, VMBUS_REQUEST_TEARDOWN))
		return VMBUS_REJECTION_GPADL_STATE;
	settle(client, gpadl, VMBUS_CLIENT_GPADL_FREE, gpadl->error);
	return VMBUS_REJECTION_NONE;
}

void client_gpadls_rescind(struct vmbus_client *client, uint32_t relid)
{
	const uint64_t grace = client_grace(client);

	/* The host still answers; if it does not, the wait is short. */
	for (struct vmbus_client_gpadl *gpadl = client->gpadls; gpadl; gpadl = gpadl->next) {
		if (gpadl->relid != relid || gpadl->request.state == VMBUS_REQUEST_IDLE)
			continue;
		if (gpadl->request.deadline > grace)
			gpadl->request.deadline = grace;
		if (gpadl->state == VMBUS_CLIENT_GPADL_CREATING)
			gpadl->error = -VIRIDIAN_ENODEV;
	}
}

void client_gpadls_suspend(struct vmbus_client *client)
{
	for (struct vmbus_client_gpadl *gpadl = client->gpadls; gpadl; gpadl = gpadl->next) {
		if (gpadl->state == VMBUS_CLIENT_GPADL_CREATING && gpadl->error == 0)
			gpadl->error = -VIRIDIAN_ECANCELED;
		client_request_end(client, &gpadl->request);
		gpadl->state = VMBUS_CLIENT_GPADL_LIMBO;
		gpadl->result = VMBUS_CLIENT_BUSY;
	}
}

void client_gpadls_conclude(struct vmbus_client *client, bool is_confirmed, int error)
{
	while (client->gpadls) {
		struct vmbus_client_gpadl *gpadl = client->gpadls;
		if (is_confirmed)
			settle(client, gpadl, VMBUS_CLIENT_GPADL_FREE, gpadl->error);
		else
			settle(client, gpadl, VMBUS_CLIENT_GPADL_LOST,
				error ? error : -VIRIDIAN_ECANCELED);
	}
}
