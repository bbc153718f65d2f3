// SPDX-License-Identifier: Apache-2.0
/*
 * The control messages of a plain host, and the offers it has made. What a test does not take for
 * itself is answered here as the contract wants it. See guest.h.
 */
#include "tests/conformance/linux/guest.h"

#include "protocol/hypervisor.h"
#include "protocol/hypervisor_x86.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GPADL_HEADER_BYTES sizeof(struct vmbus_gpadl_header_wire)
#define GPADL_BODY_BYTES   sizeof(struct vmbus_gpadl_body_wire)

/* ---- to the guest ---------------------------------------------------------------------------- */

void linux_bus_flush(struct linux_guest *g)
{
	while (g->outbox_count > 0 && !synic_message_is_backlogged(g->partition, 0, VMBUS_SINT)) {
		const struct linux_outbox *next = &g->outbox[g->outbox_first];
		if (synic_message_post(g->partition, 0, VMBUS_SINT, VMBUS_SYNIC_MESSAGE_TYPE,
			    VMBUS_PORT_MESSAGE, next->payload, next->bytes) != 0)
			return;
		g->outbox_count--;
		g->outbox_first = g->outbox_count > 0 ? g->outbox_first + 1 : 0;
	}
}

void linux_send(struct linux_guest *g, const void *payload, size_t bytes)
{
	const size_t at = g->outbox_first + g->outbox_count;

	if (at == g->outbox_size) {
		const size_t size = g->outbox_size * 2 + 64;
		struct linux_outbox *more = realloc(g->outbox, size * sizeof *more);
		if (more == NULL)
			return;
		g->outbox = more;
		g->outbox_size = size;
	}
	g->outbox[at].bytes = (uint16_t)bytes;
	memcpy(g->outbox[at].payload, payload, bytes);
	g->outbox_count++;
	linux_bus_flush(g);
}

void linux_send_words(struct linux_guest *g, uint32_t type, const uint32_t *words, size_t count)
{
	uint32_t message[8] = {type};

	for (size_t i = 0; i < count; i++)
		message[2 + i] = words[i];
	linux_send(g, message, (2 + count) * sizeof *words);
}

void linux_send_version(struct linux_guest *g, uint8_t supported, uint8_t state, uint32_t selected)
{
	const uint32_t words[] = {(uint32_t)supported | (uint32_t)state << 8, selected};
	linux_send_words(g, VMBUS_MESSAGE_VERSION_RESPONSE, words, 2);
}

void linux_send_created(struct linux_guest *g, uint32_t relid, uint32_t gpadl, uint32_t status)
{
	const uint32_t words[] = {relid, gpadl, status};
	linux_send_words(g, VMBUS_MESSAGE_GPADL_CREATED, words, 3);
}

void linux_send_result(struct linux_guest *g, uint32_t relid, uint32_t open_id, uint32_t status)
{
	const uint32_t words[] = {relid, open_id, status};
	linux_send_words(g, VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, words, 3);
}

/* SINT 2's slot on VP 0, in the guest's memory; NULL if there is none. */
static struct hv_message_wire *slot_of(struct linux_guest *g)
{
	uint64_t simp = 0;

	if (partition_msr_read(g->partition, 0, HV_X64_MSR_SIMP, &simp) != PARTITION_FAULT_NONE ||
		!(simp & 1))
		return NULL;
	uint8_t *page = guest_memory_at(g->memory, simp & ~UINT64_C(0xfff), HV_PAGE_BYTES);
	return page != NULL ? (void *)(page + VMBUS_SINT * sizeof(struct hv_message_wire)) : NULL;
}

static bool slot_is_free(struct linux_guest *g, void *ctx)
{
	const struct hv_message_wire *slot = slot_of(g);
	(void)ctx;
	return slot != NULL && g->outbox_count == 0 &&
	       !synic_message_is_backlogged(g->partition, 0, VMBUS_SINT) &&
	       __atomic_load_n((const uint32_t *)(const void *)slot, __ATOMIC_ACQUIRE) == 0;
}

bool linux_drained(struct linux_guest *g)
{
	return linux_until(g, slot_is_free, NULL) ||
	       conform_no(&g->target, "the guest does not empty its message slot%s%s",
		       g->has_ended ? ": " : "", g->end);
}

bool linux_slot(struct linux_guest *g, uint32_t type, uint8_t payload_bytes, uint8_t flags,
	const void *payload, size_t bytes)
{
	if (!linux_drained(g))
		return false;
	struct hv_message_wire *slot = slot_of(g);
	slot->payload_size = payload_bytes;
	slot->flags = flags;
	slot->reserved = 0;
	slot->origin = VMBUS_PORT_MESSAGE;
	memcpy(slot->payload, payload, bytes);
	__atomic_store_n((uint32_t *)(void *)slot, type, __ATOMIC_SEQ_CST);
	(void)synic_interrupt_raise(g->partition, 0, VMBUS_SINT);
	if (type != 0 && !linux_until(g, slot_is_free, NULL))
		return conform_no(&g->target,
			"a message of type 0x%x and size %u stays in the slot", type,
			payload_bytes);
	return true;
}

/* ---- offers ---------------------------------------------------------------------------------- */

struct linux_channel *linux_channel_find(struct linux_guest *g, uint32_t relid)
{
	for (size_t i = 0; i < LINUX_CHANNELS_MAX && relid != 0; i++)
		if (g->channels[i].offer.relid == relid)
			return &g->channels[i];
	return NULL;
}

static void on_event(void *ctx, uint32_t connection_id, uint16_t flag)
{
	struct linux_channel *channel = ctx;
	(void)connection_id;
	(void)flag;
	channel->signals++;
}

static void channel_drop(struct linux_channel *channel)
{
	if (channel->is_open)
		linux_rings_unmap(channel);
	if (channel->offer.relid != 0)
		partition_event_port_remove(
			channel->guest->partition, channel->offer.connection_id);
	*channel = (struct linux_channel){.guest = channel->guest};
}

static struct linux_channel *channel_unused(struct linux_guest *g)
{
	for (size_t i = 0; i < LINUX_CHANNELS_MAX; i++) {
		struct linux_channel *channel = &g->channels[i];
		if (channel->offer.relid != 0)
			continue;
		*channel = (struct linux_channel){.guest = g};
		return channel;
	}
	return NULL;
}

struct linux_channel *linux_offer_make(struct linux_guest *g, const struct guid *type)
{
	struct linux_channel *channel = channel_unused(g);

	if (channel == NULL)
		return NULL;
	struct vmbus_offer_channel_wire *offer = &channel->offer;
	offer->header.type = VMBUS_MESSAGE_OFFER_CHANNEL;
	offer->interface_id = *type;
	/* bytes 4 and 5 are a position to Linux's drivers: 0 */
	offer->instance_id = (struct guid)GUID_INIT(0, 0, 0x4c69, 0x8e75, 0x787465737400);
	const uint32_t number = ++g->instance_next;
	memcpy(offer->instance_id.bytes, &number, sizeof number);
	offer->relid = g->relid_next;
	g->relid_next = g->relid_next % VMBUS_RELID_MAX + 1;
	offer->monitor_id = VMBUS_MONITOR_ID_NONE;
	offer->interrupt_flags = VMBUS_OFFER_DEDICATED_INTERRUPT;
	offer->connection_id = vmbus_channel_connection_id(offer->relid, VMBUS_SINT, VMBUS_VTL);
	return channel;
}

void linux_offer_tell(struct linux_guest *g, struct linux_channel *channel)
{
	(void)partition_event_port_add(
		g->partition, channel->offer.connection_id, 1, on_event, channel);
	if (!g->wants_offers)
		return; /* with the others, when the guest asks */
	channel->is_told = true;
	linux_send(g, &channel->offer, sizeof channel->offer);
}

struct linux_channel *linux_offer(struct linux_guest *g, const struct guid *type)
{
	struct linux_channel *channel = linux_offer_make(g, type);
	if (channel != NULL)
		linux_offer_tell(g, channel);
	return channel;
}

void linux_offer_raw(struct linux_guest *g, const struct vmbus_offer_channel_wire *offer)
{
	linux_send(g, offer, sizeof *offer);
}

void linux_rescind(struct linux_guest *g, struct linux_channel *channel)
{
	const uint32_t relid = channel->offer.relid;
	channel->is_rescinded = true;
	linux_send_words(g, VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER, &relid, 1);
}

const char *linux_instance(const struct linux_channel *channel, char text[GUID_TEXT_BYTES])
{
	return guid_format(&channel->offer.instance_id, text);
}

/* ---- from the guest -------------------------------------------------------------------------- */

uint32_t linux_word(const struct linux_post *post, size_t offset)
{
	uint32_t word = 0;

	if (offset + sizeof word <= post->bytes)
		memcpy(&word, post->payload + offset, sizeof word);
	return word;
}

static struct linux_gpadl *gpadl_find(struct linux_guest *g, uint32_t id)
{
	for (size_t i = 0; i < LINUX_GPADLS_MAX; i++)
		if (g->gpadls[i].id == id && (id == 0 || g->gpadls[i].words != NULL))
			return &g->gpadls[i];
	return NULL;
}

static void gpadl_free(struct linux_gpadl *gpadl)
{
	if (gpadl == NULL)
		return;
	free(gpadl->words);
	*gpadl = (struct linux_gpadl){0};
}

static void gpadl_take(
	struct linux_guest *g, struct linux_gpadl *gpadl, const uint8_t *from, size_t bytes)
{
	const uint32_t room = gpadl->stream_bytes - gpadl->got_bytes;
	const uint32_t take = bytes < room ? (uint32_t)bytes : room;

	memcpy((uint8_t *)gpadl->words + gpadl->got_bytes, from, take);
	gpadl->got_bytes += take;
	if (gpadl->got_bytes < gpadl->stream_bytes)
		return;
	gpadl->is_created = true;
	linux_send_created(g, gpadl->relid, gpadl->id, VMBUS_STATUS_SUCCESS);
}

static void on_gpadl(struct linux_guest *g, const struct linux_post *post)
{
	const uint32_t id = linux_word(post, 12);
	struct linux_gpadl *gpadl = gpadl_find(g, id);

	if (post->type == VMBUS_MESSAGE_GPADL_BODY) {
		if (gpadl != NULL && post->bytes > GPADL_BODY_BYTES)
			gpadl_take(g, gpadl, post->payload + GPADL_BODY_BYTES,
				post->bytes - GPADL_BODY_BYTES);
		return;
	}
	const uint32_t stream_bytes = linux_word(post, 16) & 0xffff;
	gpadl_free(gpadl);
	gpadl = gpadl_find(g, 0);
	if (gpadl == NULL || post->bytes < GPADL_HEADER_BYTES)
		return;
	*gpadl = (struct linux_gpadl){
		.id = id,
		.relid = linux_word(post, 8),
		.stream_bytes = stream_bytes,
		.words = calloc(1, stream_bytes + sizeof(uint64_t)),
	};
	if (gpadl->words != NULL)
		gpadl_take(g, gpadl, post->payload + GPADL_HEADER_BYTES,
			post->bytes - GPADL_HEADER_BYTES);
}

static void on_open(struct linux_guest *g, const struct linux_post *post)
{
	struct linux_channel *channel = linux_channel_find(g, linux_word(post, 8));

	if (channel == NULL)
		return;
	memcpy(&channel->request, post->payload,
		post->bytes < sizeof channel->request ? post->bytes : sizeof channel->request);
	const struct linux_gpadl *gpadl = gpadl_find(g, channel->request.ring_gpadl_id);
	const bool is_mapped = gpadl != NULL && linux_rings_map(channel, gpadl);
	channel->opens++;
	linux_send_result(g, channel->offer.relid, channel->request.open_id,
		is_mapped ? VMBUS_STATUS_SUCCESS : VMBUS_STATUS_FAILURE);
}

static void on_contact(struct linux_guest *g, const struct linux_post *post)
{
	const uint32_t version = linux_word(post, 8);
	const bool is_taken = version <= g->version_max && version >= VMBUS_VERSION_2_4;

	g->version = is_taken ? version : 0;
	g->wants_offers = false;
	if (!is_taken)
		linux_send_version(g, 0, 0, 0);
	else if (version < VMBUS_VERSION_5_0)
		linux_send_version(g, 1, VMBUS_CONNECTION_SUCCESSFUL, version);
	else
		linux_send_version(g, 1, VMBUS_CONNECTION_SUCCESSFUL,
			g->selected != 0 ? g->selected : VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT);
}

static void on_request_offers(struct linux_guest *g)
{
	g->wants_offers = true;
	for (size_t i = 0; i < LINUX_CHANNELS_MAX; i++) {
		struct linux_channel *channel = &g->channels[i];
		if (channel->offer.relid == 0 || channel->is_told)
			continue;
		channel->is_told = true;
		linux_send(g, &channel->offer, sizeof channel->offer);
	}
	linux_send_words(g, VMBUS_MESSAGE_ALL_OFFERS_DELIVERED, NULL, 0);
}

static void on_channel_post(struct linux_guest *g, const struct linux_post *post)
{
	struct linux_channel *channel = linux_channel_find(g, linux_word(post, 8));

	if (channel == NULL)
		return;
	switch (post->type) {
	case VMBUS_MESSAGE_CLOSE_CHANNEL:
		channel->closes++;
		if (channel->is_open)
			linux_rings_unmap(channel);
		break;
	case VMBUS_MESSAGE_MODIFY_CHANNEL:
		channel->target_vp = linux_word(post, 12);
		if (g->version >= VMBUS_VERSION_5_3)
			linux_send_words(g, VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE,
				(const uint32_t[]){channel->offer.relid, 0}, 2);
		break;
	default:
		channel->releases++;
		channel->is_released = true;
	}
}

static void answer(struct linux_guest *g, const struct linux_post *post)
{
	switch (post->type) {
	case VMBUS_MESSAGE_INITIATE_CONTACT:
		on_contact(g, post);
		break;
	case VMBUS_MESSAGE_REQUEST_OFFERS:
		on_request_offers(g);
		break;
	case VMBUS_MESSAGE_GPADL_HEADER:
	case VMBUS_MESSAGE_GPADL_BODY:
		on_gpadl(g, post);
		break;
	case VMBUS_MESSAGE_GPADL_TEARDOWN:
		gpadl_free(gpadl_find(g, linux_word(post, 12)));
		linux_send_words(g, VMBUS_MESSAGE_GPADL_TORNDOWN,
			(const uint32_t[]){linux_word(post, 12)}, 1);
		break;
	case VMBUS_MESSAGE_OPEN_CHANNEL:
		on_open(g, post);
		break;
	case VMBUS_MESSAGE_CLOSE_CHANNEL:
	case VMBUS_MESSAGE_MODIFY_CHANNEL:
	case VMBUS_MESSAGE_REL_ID_RELEASED:
		on_channel_post(g, post);
		break;
	case VMBUS_MESSAGE_UNLOAD:
		g->version = 0;
		g->wants_offers = false;
		linux_send_words(g, VMBUS_MESSAGE_UNLOAD_COMPLETE, NULL, 0);
		break;
	default:
		break;
	}
}

static uint16_t on_message(void *ctx, uint32_t connection_id, uint32_t message_type,
	const uint8_t *payload, size_t bytes)
{
	struct linux_guest *g = ctx;

	(void)message_type;
	if (g->post_count == LINUX_POSTS_MAX)
		return HV_STATUS_SUCCESS;
	struct linux_post *post = &g->posts[g->post_count++];
	*post = (struct linux_post){.connection_id = connection_id, .bytes = bytes};
	memcpy(post->payload, payload, bytes);
	post->type = bytes >= VMBUS_HEADER_BYTES ? linux_word(post, 0) : UINT32_MAX;
	if (g->is_mute || (g->on_post != NULL && g->on_post(g, post)))
		return HV_STATUS_SUCCESS;
	answer(g, post);
	return HV_STATUS_SUCCESS;
}

static void on_drained(void *ctx, uint32_t vp, uint32_t sint)
{
	(void)vp;
	(void)sint;
	linux_bus_flush(ctx);
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct wanted {
	uint32_t type;
	const struct linux_post *found;
};

static bool is_posted(struct linux_guest *g, void *ctx)
{
	struct wanted *wanted = ctx;

	for (; g->from < g->post_count && wanted->found == NULL; g->from++)
		if (g->posts[g->from].type == wanted->type)
			wanted->found = &g->posts[g->from];
	return wanted->found != NULL;
}

const struct linux_post *linux_await(struct linux_guest *g, uint32_t type)
{
	struct wanted wanted = {.type = type};

	if (!linux_until(g, is_posted, &wanted)) {
		conform_note(&g->target, "the guest does not post %s%s%s", vmbus_message_name(type),
			g->has_ended ? ": " : "", g->end);
	}
	return wanted.found;
}

unsigned linux_posts(const struct linux_guest *g, size_t from, uint32_t type, uint32_t word)
{
	unsigned count = 0;

	for (size_t i = from; i < g->post_count; i++)
		count += g->posts[i].type == type &&
			 (word == UINT32_MAX || linux_word(&g->posts[i], 8) == word);
	return count;
}

static bool is_released(struct linux_guest *g, void *ctx)
{
	(void)g;
	return ((struct linux_channel *)ctx)->is_released;
}

bool linux_released(struct linux_guest *g, struct linux_channel *channel)
{
	return linux_until(g, is_released, channel) ||
	       conform_no(&g->target, "the relid of a rescinded channel is not released");
}

static bool is_opened(struct linux_guest *g, void *ctx)
{
	(void)g;
	return ((struct linux_channel *)ctx)->is_open;
}

bool linux_opened(struct linux_guest *g, struct linux_channel *channel)
{
	return linux_until(g, is_opened, channel) ||
	       conform_no(&g->target, "the guest does not open the channel%s%s",
		       g->has_ended ? ": " : "", g->end);
}

static bool is_closed(struct linux_guest *g, void *ctx)
{
	(void)g;
	return !((struct linux_channel *)ctx)->is_open;
}

bool linux_closed(struct linux_guest *g, struct linux_channel *channel)
{
	return linux_until(g, is_closed, channel) ||
	       conform_no(&g->target, "the guest does not close the channel");
}

bool linux_clear(struct linux_guest *g)
{
	/* subchannels first */
	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < LINUX_CHANNELS_MAX; i++) {
			struct linux_channel *channel = &g->channels[i];
			if (channel->is_told && !channel->is_rescinded &&
				(channel->offer.subchannel_index != 0) == (pass == 0))
				linux_rescind(g, channel);
		}
	for (size_t i = 0; i < LINUX_CHANNELS_MAX; i++) {
		struct linux_channel *channel = &g->channels[i];
		if (channel->offer.relid == 0)
			continue;
		if (channel->is_told && !linux_released(g, channel))
			return false;
		channel_drop(channel);
	}
	return true;
}

/* ---- start and stop -------------------------------------------------------------------------- */

int linux_bus_start(struct linux_guest *g)
{
	g->channels = calloc(LINUX_CHANNELS_MAX, sizeof *g->channels);
	g->posts = calloc(LINUX_POSTS_MAX, sizeof *g->posts);
	g->relid_next = 1;
	g->version_max = VMBUS_VERSION_5_3;
	if (g->channels == NULL || g->posts == NULL)
		return -1;
	for (size_t i = 0; i < LINUX_CHANNELS_MAX; i++)
		g->channels[i].guest = g;
	synic_drained_observer_set(g->partition, on_drained, g);
	return partition_message_port_add(g->partition, VMBUS_CONNECTION_MESSAGE, on_message, g) ==
				       0 &&
			       partition_message_port_add(g->partition,
				       VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT, on_message, g) == 0
		       ? 0
		       : -1;
}

void linux_multi_client_set(struct linux_guest *g, bool is_there)
{
	if (is_there)
		(void)partition_message_port_add(
			g->partition, VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT, on_message, g);
	else
		partition_message_port_remove(g->partition, VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT);
}

void linux_bus_forget(struct linux_guest *g)
{
	for (size_t i = 0; i < LINUX_CHANNELS_MAX; i++)
		channel_drop(&g->channels[i]);
	for (size_t i = 0; i < LINUX_GPADLS_MAX; i++)
		gpadl_free(&g->gpadls[i]);
	g->outbox_first = g->outbox_count = 0;
	g->version = 0;
	g->wants_offers = false;
}

void linux_bus_stop(struct linux_guest *g)
{
	if (g->channels != NULL)
		linux_bus_forget(g);
	partition_message_port_remove(g->partition, VMBUS_CONNECTION_MESSAGE);
	partition_message_port_remove(g->partition, VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT);
	synic_drained_observer_set(g->partition, NULL, NULL);
	free(g->channels);
	free(g->posts);
	free(g->outbox);
}
