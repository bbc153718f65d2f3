// SPDX-License-Identifier: Apache-2.0
/*
 * The host of the model: the server's own sources over small tables, devices that answer
 * when the walk says so, and defects. See model_channel.h.
 *
 * A defect is a macro around one of the sources, which then calls the broken function.
 */
#include "tests/model/model_channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- defects, and the sources ---- */

/* Forget a TORNDOWN that is due because a device has let go. */
static void defective_torndown(struct vmbus_server *s, uint32_t gpadl_id)
{
	const bool is_late = s->messages_in == 0; /* counted from the start of the move */
	if (model_defect != MODEL_TORNDOWN_LOST || !is_late)
		server_send_gpadl_torndown(s, gpadl_id);
}

/* Lose a RESCIND; or think that the relid is free with it; or answer the open, too late. */
static void defective_send(struct vmbus_server *s, const void *payload, size_t bytes)
{
	struct vmbus_rescind_channel_offer_wire rescind;
	memcpy(&rescind, payload, bytes < sizeof rescind ? bytes : sizeof rescind);
	if (rescind.header.type != VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER) {
		server_send(s, payload, bytes);
		return;
	}
	const uint16_t slot = s->relid_slot[rescind.relid];
	const bool is_awaited = (world.monitor.opens & 1u << rescind.relid) != 0;
	if (model_defect != MODEL_RESCIND_LOST)
		server_send(s, payload, bytes);
	if (model_defect == MODEL_RELID_REUSED)
		s->relid_slot[rescind.relid] = 0;
	if (model_defect == MODEL_OPEN_AFTER_RESCIND && is_awaited)
		server_send_open_result(s, &s->channels[slot], VMBUS_STATUS_SUCCESS);
}

/* Think that a disconnect is complete when the first device has answered. */
static void defective_disconnect_check(struct vmbus_server *s)
{
	const unsigned busy = s->busy_count;
	if (model_defect == MODEL_UNLOAD_EARLY)
		s->busy_count = 0;
	server_disconnect_check(s);
	s->busy_count = busy;
}

/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "host/vmbus/server_output.c"
#include "host/vmbus/server_status.c"
#define server_send_gpadl_torndown defective_torndown
#include "host/vmbus/server_gpadl.c"
#undef server_send_gpadl_torndown
#define server_send defective_send
#include "host/vmbus/server_offer.c"
#undef server_send
#include "host/vmbus/server_connection.c"
#define server_disconnect_check defective_disconnect_check
#include "host/vmbus/server_channel.c"
#undef server_disconnect_check
#include "host/vmbus/server.c"
/* NOLINTEND(bugprone-suspicious-include) */

/* ---- what the server asks for ---- */

static int message_post(void *ctx, uint32_t vp, uint32_t sint, const void *payload, size_t bytes)
{
	(void)ctx;
	if (vp != 0 || sint != VMBUS_SINT)
		model_wrong("a message to a VP or SINT that nobody named");
	if (world.to_guest_count == MODEL_TO_GUEST)
		return -EAGAIN;
	struct model_message *m = &world.to_guest[world.to_guest_count++];
	memset(m, 0, sizeof *m);
	m->bytes = (uint8_t)bytes;
	m->tag = world.monitor.host_epoch;
	memcpy(m->payload, payload, bytes);
	model_monitor_to_guest(m);
	return 0;
}

static bool message_is_backlogged(void *ctx, uint32_t vp, uint32_t sint)
{
	(void)ctx;
	(void)vp;
	(void)sint;
	return world.to_guest_count > 1;
}

static void message_discard(void *ctx, uint32_t vp, uint32_t sint)
{
	(void)ctx;
	(void)vp;
	(void)sint;
	if (world.to_guest_count > 1) { /* what is in the slot stays there */
		world.to_guest_count = 1;
		memset(&world.to_guest[1], 0, sizeof world.to_guest[1]);
	}
}

static bool page_is_memory(void *ctx, uint64_t gpn)
{
	(void)ctx;
	(void)gpn;
	return true;
}

static int pages_set(void *ctx, const struct vmbus_server_pages *pages)
{
	(void)ctx;
	(void)pages;
	return 0;
}

static enum vmbus_rejection device_open(
	void *ctx, void *device, const struct vmbus_server_open *open)
{
	struct model_device *d = device;
	(void)ctx;
	if (!d->is_used || d->state != SERVER_DEVICE_IDLE)
		model_wrong("a device that is not idle is asked to open");
	d->state = SERVER_DEVICE_OPENING;
	d->range = (uint8_t)model_range_of(open->gpns[0]);
	if (model_scenario->is_prompt)
		(void)model_device_opened(d, 0);
	return VMBUS_REJECTION_NONE;
}

static void device_close(void *ctx, void *device)
{
	struct model_device *d = device;
	(void)ctx;
	if (d->state != SERVER_DEVICE_OPEN)
		model_wrong("a device that is not open is asked to close");
	d->state = SERVER_DEVICE_CLOSING;
	if (model_scenario->is_prompt)
		(void)model_device_closed(d);
}

static void device_target_set(void *ctx, void *device, uint32_t target_vp)
{
	const struct model_device *d = device;
	(void)ctx;
	(void)target_vp;
	if (d->state != SERVER_DEVICE_OPEN)
		model_wrong("a device that is not open is told of another VP");
}

static void device_relid_set(void *ctx, void *device, uint32_t relid, uint8_t monitor_id)
{
	(void)monitor_id;
	(void)ctx;
	((struct model_device *)device)->relid = (uint8_t)relid;
}

static void device_gone(void *ctx, void *device)
{
	struct model_device *d = device;
	(void)ctx;
	if (!d->is_removed || d->state != SERVER_DEVICE_IDLE)
		model_wrong("a device is gone that was not removed, or is busy");
	*d = (struct model_device){0};
}

static void reset_done(void *ctx)
{
	(void)ctx;
}

static void *arena_allocate(void *ctx, size_t bytes)
{
	(void)ctx;
	for (unsigned i = 0; i < MODEL_ARENA; i++) {
		if ((world.arena_used & 1u << i) != 0 || bytes > sizeof world.arena[i])
			continue;
		world.arena_used |= (uint16_t)(1u << i);
		return world.arena[i];
	}
	return NULL;
}

static void arena_release(void *ctx, void *memory)
{
	const size_t i = (size_t)((uint64_t *)memory - world.arena[0]) / MODEL_ARENA_WORDS;
	(void)ctx;
	world.arena_used &= (uint16_t) ~(1u << i);
	memset(world.arena[i], 0, sizeof world.arena[i]);
}

static const struct vmbus_server_ops ops = {
	.message_post = message_post,
	.message_is_backlogged = message_is_backlogged,
	.message_discard = message_discard,
	.page_is_memory = page_is_memory,
	.pages_set = pages_set,
	.channel_open = device_open,
	.channel_close = device_close,
	.channel_target_set = device_target_set,
	.channel_relid_set = device_relid_set,
	.channel_gone = device_gone,
	.reset_done = reset_done,
	.allocate = arena_allocate,
	.release = arena_release,
};

/* ---- what the walk does ---- */

void model_host_start(void)
{
	const struct vmbus_server_config config = {
		.version_max = model_scenario->host_version,
		.vp_count = 2,
	};
	struct vmbus_server *made = NULL;
	if (vmbus_server_create(&config, &ops, NULL, &made) != 0) {
		model_wrong("no memory for a server");
		return;
	}
	world.server = *made; /* no pointer in it points into it */
	free(made);
	for (unsigned i = 0; i < model_scenario->channels; i++)
		(void)model_host_offer(i);
}

bool model_host_message(const struct model_message *m)
{
	struct vmbus_server *s = &world.server;
	const uint32_t type = model_u32(m, 0);
	if (type != VMBUS_MESSAGE_INITIATE_CONTACT && type != VMBUS_MESSAGE_UNLOAD &&
		server_is_backlogged(s))
		return false;
	const struct model_message message = *m;
	model_monitor_taken(&message);
	if (vmbus_server_message(s, message.tag, message.payload, message.bytes) != 0)
		model_wrong("the server refuses a message although nothing waits");
	if (s->rejected != 0)
		model_monitor_rejected(true, &message, s->last_rejection);
	return true;
}

void model_host_drained(void)
{
	vmbus_server_drained(&world.server);
}

bool model_host_offer(unsigned index)
{
	const struct vmbus_server_offer offer = {
		.interface_id.bytes = {1},
		.instance_id.bytes = {2},
		.subchannel_index = (uint16_t)index,
	};
	struct model_device *d = world.devices;
	while (d < world.devices + MODEL_DEVICES && d->is_used)
		d++;
	if (d == world.devices + MODEL_DEVICES)
		return false;
	*d = (struct model_device){.is_used = true, .index = (uint8_t)index};
	if (vmbus_server_offer_add(&world.server, &offer, d, &d->id) == 0)
		return true;
	*d = (struct model_device){0};
	return false;
}

void model_host_remove(struct model_device *d)
{
	const bool is_primary = d->index == 0;
	for (unsigned i = 0; is_primary && i < MODEL_DEVICES; i++)
		world.devices[i].is_removed |= world.devices[i].is_used;
	d->is_removed = true;
	vmbus_server_offer_remove(&world.server, d->id);
}

void model_host_reset(void)
{
	vmbus_server_reset(&world.server);
}

bool model_device_opened(struct model_device *d, int status)
{
	if (!d->is_used || d->state != SERVER_DEVICE_OPENING)
		return false;
	d->state = status < 0 ? SERVER_DEVICE_IDLE : SERVER_DEVICE_OPEN;
	if (!vmbus_server_open_done(&world.server, d->id, status))
		model_wrong("nobody waits for the open that a device was asked for");
	return true;
}

bool model_device_closed(struct model_device *d)
{
	if (!d->is_used || d->state != SERVER_DEVICE_CLOSING)
		return false;
	d->state = SERVER_DEVICE_IDLE;
	d->is_holding = false;
	if (!vmbus_server_close_done(&world.server, d->id))
		model_wrong("nobody waits for the close that a device was asked for");
	return true;
}

static struct server_channel *channel_of(const struct model_device *d)
{
	return server_channel_by_id(&world.server, d->id);
}

bool model_device_hold(struct model_device *d)
{
	if (!d->is_used || d->state != SERVER_DEVICE_OPEN || d->is_holding)
		return false;
	const struct server_channel *c = channel_of(d);
	for (uint16_t i = c->gpadls; i != 0; i = world.server.gpadls[i].next_in_channel) {
		const struct server_gpadl *g = &world.server.gpadls[i];
		struct vmbus_server_gpadl pages;
		if (i == c->ring_gpadl ||
			vmbus_server_gpadl_hold(&world.server, d->id, g->id, 0, &pages) != 0)
			continue;
		d->is_holding = true;
		d->held = g->id;
		return true;
	}
	return false;
}

bool model_device_let_go(struct model_device *d)
{
	if (!d->is_used || !d->is_holding)
		return false;
	const struct server_channel *c = channel_of(d);
	for (uint16_t i = c->gpadls; i != 0; i = world.server.gpadls[i].next_in_channel) {
		const struct server_gpadl *g = &world.server.gpadls[i];
		if (g->id != d->held || g->state != SERVER_GPADL_TEARING_DOWN)
			continue;
		d->is_holding = false;
		vmbus_server_gpadl_release(&world.server, d->id, d->held);
		return true;
	}
	return false;
}

/* ---- canonical form ---- */

/* Place in the sorted list, from 1; 0 for none. */
static unsigned place_of(uint16_t slot)
{
	unsigned place = 1;
	for (uint16_t i = world.server.channel_sorted; i != 0; i = world.server.channels[i].next) {
		if (i == slot)
			return place;
		place++;
	}
	return 0;
}

static void channel_put(const struct server_channel *c)
{
	const struct vmbus_server *s = &world.server;
	const struct model_device *d = c->context;
	model_put((uint64_t)c->state | (uint64_t)c->device << 8 | (uint64_t)c->is_offered << 16 |
		  (uint64_t)c->is_removed << 18 | (uint64_t)c->is_waiting << 19 |
		  (uint64_t)c->subchannel_index << 20 | (uint64_t)c->relid << 24 |
		  (uint64_t)place_of(c->primary) << 32 | (uint64_t)place_of(c->successor) << 40 |
		  (uint64_t)(d != NULL ? d - world.devices + 1 : 0) << 48);
	if (c->device != SERVER_DEVICE_IDLE)
		model_put((uint64_t)c->request.ring_gpadl_id << 32 | c->request.target_vp);
	for (uint16_t i = c->gpadls; i != 0; i = s->gpadls[i].next_in_channel) {
		const struct server_gpadl *g = &s->gpadls[i];
		model_put((uint64_t)g->id << 32 | (uint64_t)g->state << 24 |
			  (uint64_t)g->is_held << 23 | (uint64_t)(i == c->ring_gpadl) << 22 |
			  (uint64_t)model_range_of(g->words[1]) << 16 | g->words_received);
	}
}

void model_host_put(void)
{
	const struct vmbus_server *s = &world.server;
	model_put((uint64_t)s->state | (uint64_t)s->next << 8 | (uint64_t)s->is_paused << 16 |
		  (uint64_t)s->is_reset_pending << 17 | (uint64_t)s->features << 32);
	model_put((uint64_t)s->version << 32 |
		  (s->next == SERVER_NEXT_CONTACT ? s->contact.version : 0));
	for (uint16_t i = s->channel_sorted; i != 0; i = s->channels[i].next)
		channel_put(&s->channels[i]);
	model_put(UINT64_MAX);
	for (uint32_t at = 0; at < s->queue_used;) {
		uint8_t length;
		uint8_t payload[VMBUS_MESSAGE_BYTES_MAX];
		queue_read(s, at, &length, QUEUE_LENGTH_BYTES);
		queue_read(s, at + QUEUE_LENGTH_BYTES, payload, length);
		model_put(length);
		model_put_bytes(payload, length);
		at += QUEUE_LENGTH_BYTES + length;
	}
	model_put_bytes(world.devices, sizeof world.devices);
}
