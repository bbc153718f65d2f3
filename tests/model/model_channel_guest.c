// SPDX-License-Identifier: Apache-2.0
/*
 * The guest of the model: the client's own sources over small tables, a user who calls it,
 * and defects. See model_channel.h.
 *
 * A defect is a macro around one of the sources, which then calls the broken function.
 */
#include "tests/model/model_channel.h"

#include "guest/vmbus/client_private.h"
#include "protocol/hypervisor.h"

#include <string.h>

#define PATIENT	    UINT64_MAX
#define HASTE_100NS 20000000ull /* 2 s: far below what a post may wait for room */
#define TICK_100NS  1000000ull	/* 100 ms: finer differences in deadlines do not matter */

/* ---- defects, and the sources ---- */

/* Go on waiting for what a rescinded channel waits for. */
static void defective_rescind(struct vmbus_client *client, struct vmbus_client_channel *channel)
{
	if (model_defect != MODEL_WAIT_NOT_ENDED)
		client_channel_rescind(client, channel);
}

/* Take CLOSE for the proof that the pages are back. */
static void defective_reclaim(
	struct vmbus_client *client, struct vmbus_client_gpadl *gpadl, int error, uint64_t deadline)
{
	if (model_defect != MODEL_PAGES_FREED_EARLY) {
		client_gpadl_reclaim(client, gpadl, error, deadline);
		return;
	}
	client_gpadl_lose(client, gpadl, error);
	gpadl->state = VMBUS_CLIENT_GPADL_FREE;
}

/* Do not look whether a GPADL was the last user of a rescinded offer. */
static void defective_settle(struct vmbus_client *client, struct vmbus_client_offer *row)
{
	if (model_defect != MODEL_RELEASE_LOST)
		client_offer_settle(client, row);
}

/* Post REL_ID_RELEASED once more. */
static void defective_end(struct vmbus_client *client, struct vmbus_request *request)
{
	const uint32_t relid =
		CLIENT_OWNER(request, struct vmbus_client_offer, request)->offer.relid;
	const struct vmbus_rel_id_released_wire wire = {
		.header.type = VMBUS_MESSAGE_REL_ID_RELEASED, .relid = relid};
	if (model_defect == MODEL_RELEASE_TWICE && request->kind == VMBUS_REQUEST_RELEASE &&
		request->state == VMBUS_REQUEST_WAITING)
		(void)client->ops->post(client->ctx, client->connection_id, &wire, sizeof wire);
	client_request_end(client, request);
}

/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "guest/vmbus/client_post.c"
#include "guest/vmbus/client.c"
#define client_channel_rescind defective_rescind
#define client_request_end     defective_end
#include "guest/vmbus/client_offer.c"
#undef client_request_end
#undef client_channel_rescind
#define client_offer_settle defective_settle
#define list_add	    gpadl_list_add
#define list_remove	    gpadl_list_remove
#include "guest/vmbus/client_gpadl.c"
#undef list_remove
#undef list_add
#undef client_offer_settle
#define client_gpadl_reclaim defective_reclaim
#include "guest/vmbus/client_channel.c"
#undef client_gpadl_reclaim
/* NOLINTEND(bugprone-suspicious-include) */

/* ---- what the client asks for ---- */

static int on_post(void *ctx, uint32_t connection_id, const void *payload, size_t bytes)
{
	(void)ctx;
	if (world.to_host_count >= model_scenario->host_room)
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	struct model_message *m = &world.to_host[world.to_host_count++];
	memset(m, 0, sizeof *m);
	m->bytes = (uint8_t)bytes;
	m->tag = (uint8_t)connection_id;
	memcpy(m->payload, payload, bytes);
	model_monitor_to_host(m);
	return HV_STATUS_SUCCESS;
}

static void on_offer(void *ctx, const struct vmbus_offer *offer)
{
	uint8_t *heard = &world.monitor.guest[offer->relid];
	(void)ctx;
	if (*heard != MODEL_RELID_UNKNOWN)
		model_wrong("the user hears of an offer twice");
	*heard = MODEL_RELID_OFFERED;
}

static void on_rescinded(void *ctx, const struct vmbus_offer *offer)
{
	uint8_t *heard = &world.monitor.guest[offer->relid];
	(void)ctx;
	if (*heard != MODEL_RELID_OFFERED)
		model_wrong("the user hears twice that an offer was taken back");
	*heard = MODEL_RELID_RESCINDED;
}

static void on_offer_gone(void *ctx, const struct vmbus_offer *offer)
{
	uint8_t *heard = &world.monitor.guest[offer->relid];
	(void)ctx;
	if (*heard == MODEL_RELID_UNKNOWN)
		model_wrong("the user hears of the end of an offer that it does not know");
	*heard = MODEL_RELID_UNKNOWN;
}

static const struct vmbus_client_ops client_ops = {
	.post = on_post,
	.offer = on_offer,
	.rescinded = on_rescinded,
	.offer_gone = on_offer_gone,
};

/* ---- what the walk does ---- */

struct vmbus_client_gpadl *model_loan(unsigned n)
{
	return n < MODEL_CHANNELS ? &world.channels[n].rings : &world.buffers[n - MODEL_CHANNELS];
}

static uint64_t first_pfn(unsigned loan)
{
	return (uint64_t)(world.ranges[loan] + 1) * MODEL_RANGE_PAGES;
}

/* Other pages for the loan: these are not the user's any more. */
static void pages_abandon(unsigned loan)
{
	world.ranges[loan] = (uint8_t)(world.ranges[loan] + MODEL_LOANS);
}

void model_guest_start(void)
{
	const struct vmbus_client_config config = {
		.version_max = model_scenario->guest_version,
		.features = model_scenario->features,
		.interrupt_page_gpa = VMBUS_PAGE_BYTES,
	};
	const bool is_first = world.client.ops == NULL;
	for (unsigned i = 0; i < MODEL_LOANS; i++) {
		if (is_first)
			world.ranges[i] = (uint8_t)i;
		else
			pages_abandon(i);
	}
	memset(world.channels, 0, sizeof world.channels);
	memset(world.buffers, 0, sizeof world.buffers);
	memset(world.monitor.guest, 0, sizeof world.monitor.guest);
	vmbus_client_init(&world.client, &client_ops, NULL, &config);
	world.client.now = 1;
}

void model_guest_message(const struct model_message *m)
{
	struct vmbus_client *client = &world.client;
	vmbus_client_on_message(
		client, VMBUS_SYNIC_MESSAGE_TYPE, m->payload, m->bytes, client->now);
	if (client->statistics.messages_rejected != 0)
		model_monitor_rejected(false, m, client->statistics.last_rejection);
}

bool model_guest_retry(void)
{
	struct vmbus_client *client = &world.client;
	if (client->retry.at <= client->now || world.to_host_count >= model_scenario->host_room)
		return false;
	vmbus_client_on_time(client, client->retry.at);
	return true;
}

/* The next deadline passes; what waits for room is not what is meant. */
bool model_guest_time(void)
{
	struct vmbus_client *client = &world.client;
	uint64_t next = UINT64_MAX;
	for (const struct vmbus_request *r = client->requests.first; r != NULL; r = r->next)
		next = r->deadline < next ? r->deadline : next;
	if (next == UINT64_MAX)
		return false;
	world.monitor.is_contact_abandoned |= client->state == VMBUS_CLIENT_CONTACTING;
	world.monitor.is_expired = true;
	vmbus_client_on_time(client, next);
	return true;
}

static uint64_t deadline_of(bool is_hasty)
{
	return is_hasty ? world.client.now + HASTE_100NS : PATIENT;
}

/* The live offer that a channel of ours is for. */
static const struct vmbus_offer *offer_of(unsigned channel)
{
	const struct vmbus_offer *offer = NULL;
	while ((offer = vmbus_client_offer_next(&world.client, offer ? offer->relid : 0)) != NULL)
		if (offer->subchannel_index == channel)
			return offer;
	return NULL;
}

/* A loan whose pages are lost gets others before it is used again. Returns those before. */
static uint8_t pages_renew(unsigned loan)
{
	const uint8_t range = world.ranges[loan];
	if (model_loan(loan)->state == VMBUS_CLIENT_GPADL_LOST)
		pages_abandon(loan);
	return range;
}

static bool is_begun(int error, unsigned loan, uint8_t range)
{
	if (error != 0)
		world.ranges[loan] = range;
	return error == 0;
}

bool model_guest_connect(bool is_hasty)
{
	return vmbus_client_connect(&world.client, world.client.now, deadline_of(is_hasty)) == 0;
}

bool model_guest_open(unsigned channel, bool is_hasty)
{
	const struct vmbus_offer *offer = offer_of(channel);
	if (offer == NULL)
		return false;
	const uint8_t range = pages_renew(channel);
	const struct vmbus_client_open open = {
		.first_pfn = first_pfn(channel),
		.page_count = MODEL_RING_PAGES,
		.downstream_page = MODEL_RING_PAGES / 2,
	};
	const int error = vmbus_client_channel_open(&world.client, &world.channels[channel],
		offer->relid, &open, world.client.now, deadline_of(is_hasty));
	return is_begun(error, channel, range);
}

bool model_guest_close(unsigned channel, bool is_hasty)
{
	if (world.channels[channel].state != VMBUS_CLIENT_CHANNEL_OPEN)
		return false;
	/* subchannels first (R-OPEN-025) */
	for (unsigned i = 1; channel == 0 && i < MODEL_CHANNELS; i++)
		if (world.channels[i].state != VMBUS_CLIENT_CHANNEL_CLOSED)
			return false;
	return vmbus_client_channel_close(&world.client, &world.channels[channel], world.client.now,
		       deadline_of(is_hasty)) == 0;
}

bool model_guest_create(bool is_hasty)
{
	const struct vmbus_offer *offer = offer_of(0);
	if (offer == NULL)
		return false;
	const uint8_t range = pages_renew(MODEL_CHANNELS);
	const int error = vmbus_client_gpadl_create(&world.client, &world.buffers[0], offer->relid,
		first_pfn(MODEL_CHANNELS), NULL, MODEL_BUFFER_PAGES, world.client.now,
		deadline_of(is_hasty));
	return is_begun(error, MODEL_CHANNELS, range);
}

bool model_guest_teardown(bool is_hasty)
{
	return vmbus_client_gpadl_teardown(&world.client, &world.buffers[0], world.client.now,
		       deadline_of(is_hasty)) == 0;
}

bool model_guest_modify(unsigned channel, bool is_hasty)
{
	return vmbus_client_channel_modify(&world.client, &world.channels[channel], 1,
		       world.client.now, deadline_of(is_hasty)) == 0;
}

bool model_guest_unload(bool is_hasty)
{
	const bool is_contacting = world.client.state == VMBUS_CLIENT_CONTACTING;
	if (world.client.state == VMBUS_CLIENT_DISCONNECTED ||
		vmbus_client_unload(&world.client, world.client.now, deadline_of(is_hasty)) != 0)
		return false;
	world.monitor.is_contact_abandoned |= is_contacting;
	return true;
}

/* ---- canonical form ---- */

/* From now on, in ticks; 255 for none, so that it fits a byte. */
static uint64_t wait_of(uint64_t deadline)
{
	const uint64_t now = world.client.now;
	if (deadline == UINT64_MAX)
		return 255;
	return deadline <= now ? 0 : (deadline - now + TICK_100NS / 2) / TICK_100NS;
}

/* Which request this is, whatever it does. */
static uint64_t owner_of(struct vmbus_request *request)
{
	if (request == &world.client.request)
		return 1;
	for (unsigned i = 0; i < MODEL_LOANS; i++)
		if (request == &model_loan(i)->request)
			return 2 + i;
	for (unsigned i = 0; i < MODEL_CHANNELS; i++) {
		if (request == &world.channels[i].request)
			return 16 + i;
		if (request == &world.channels[i].modify)
			return 24 + i;
	}
	return 32 + relid_of(request);
}

static void loan_put(const struct vmbus_client_gpadl *g, unsigned loan)
{
	const bool is_idle = g->state == VMBUS_CLIENT_GPADL_FREE ||
			     g->state == VMBUS_CLIENT_GPADL_LOST;
	model_put((uint64_t)g->state | (uint64_t)world.ranges[loan] << 8 |
		  (uint64_t)(!is_idle && g->error != 0) << 16 | (is_idle ? 0 : g->relid) << 24 |
		  (is_idle ? 0 : (uint64_t)g->id << 32));
}

static void channel_put(const struct vmbus_client_channel *c)
{
	const bool is_closed = c->state == VMBUS_CLIENT_CHANNEL_CLOSED;
	model_put(is_closed ? 0
			    : (uint64_t)c->state | (uint64_t)c->relid << 8 |
				      (uint64_t)c->target_vp << 16 |
				      (uint64_t)(c->error != 0) << 24 | wait_of(c->deadline) << 32);
}

static void row_put(const struct vmbus_client_offer *row)
{
	model_put((uint64_t)row->state | (uint64_t)row->offer.subchannel_index << 4 |
		  (uint64_t)row->offer.relid << 8 | (uint64_t)row->primary_relid << 16 |
		  (uint64_t)row->gpadl_count << 24 | (uint64_t)row->is_open_late << 32 |
		  (uint64_t)row->is_modify_late << 33 | (uint64_t)row->offer.is_open << 34 |
		  (uint64_t)row->offer.is_rescinded << 35 |
		  (uint64_t)(row->channel != NULL ? row->channel - world.channels + 1 : 0) << 40);
}

void model_guest_put(void)
{
	const struct vmbus_client *client = &world.client;
	const size_t version = client->version ? (size_t)(client->version - vmbus_version_table) + 1
					       : 0;
	model_put((uint64_t)client->state | version << 8 | (uint64_t)client->connection_id << 16 |
		  (uint64_t)(client->retry.at > client->now) << 24 |
		  (uint64_t)(client->state == VMBUS_CLIENT_UNLOADING && client->error != 0) << 25 |
		  (uint64_t)client->features << 32);
	model_put(client->gpadl_id_next);
	for (unsigned i = 0; i < MODEL_LOANS; i++)
		loan_put(model_loan(i), i);
	for (unsigned i = 0; i < MODEL_CHANNELS; i++)
		channel_put(&world.channels[i]);
	for (unsigned relid = 1; relid <= client->relid_max; relid++)
		if (client->offers[relid].state != VMBUS_CLIENT_OFFER_FREE)
			row_put(&client->offers[relid]);
	for (struct vmbus_request *r = client->requests.first; r != NULL; r = r->next)
		model_put(owner_of(r) | (uint64_t)r->kind << 8 | (uint64_t)r->state << 16 |
			  (uint64_t)r->sent << 24 | wait_of(r->deadline) << 32);
	/* orders that decide in which order messages go out */
	for (const struct vmbus_client_gpadl *g = client->gpadls; g != NULL; g = g->next)
		model_put(g->id);
	for (const struct vmbus_client_channel *c = client->channels; c != NULL; c = c->next)
		model_put((uint64_t)(c - world.channels));
}
