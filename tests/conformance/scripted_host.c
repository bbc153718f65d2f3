// SPDX-License-Identifier: Apache-2.0
/* The host's side: answers, offers, rings. See scripted_host.h. */
#include "tests/conformance/scripted_host.h"

#include "protocol/hypervisor.h"

#include <string.h>

/* ---- control messages ----------------------------------------------------------------------- */

void host_say(struct scripted_host *h, const uint8_t *bytes, size_t count)
{
	(void)platform_scripted_message(&h->script, h->vp, VMBUS_SINT, 1, bytes, count);
}

void host_say_words(
	struct scripted_host *h, uint32_t type, unsigned count, uint32_t a, uint32_t b, uint32_t c)
{
	uint8_t m[20] = {0};

	put32(m, type);
	put32(m + 8, a);
	put32(m + 12, b);
	put32(m + 16, c);
	host_say(h, m, 8 + 4u * count);
}

void host_offer_bytes(const struct scripted_host *h, uint32_t relid, uint8_t m[196])
{
	const uint32_t at = relid < SCRIPTED_HOST_RELIDS ? relid : 0;
	const uint16_t subchannel = h->subchannel[at];

	memset(m, 0, 196);
	put32(m, 1);
	if (h->interface[at] != NULL)
		memcpy(m + 8, h->interface[at], 16);
	else
		memset(m + 8, 0x5a, 16);
	memset(m + 24, (int)(subchannel ? 1 : relid), 16); /* instance */
	put16(m + 56, 0x0010);				   /* named pipe */
	put16(m + 58, 8);				   /* MMIO MiB */
	memset(m + 60, 0xd0, 120);			   /* user data */
	put16(m + 180, subchannel);
	put32(m + 184, relid);
	m[188] = h->monitor_id[at];
	m[189] = h->monitor_id[at] != 0xff;
	put16(m + 190, !h->is_shared[at]); /* dedicated interrupt */
	put32(m + 192, 0x2000 | relid);
}

void host_offer(struct scripted_host *h, uint32_t relid)
{
	uint8_t m[196];

	host_offer_bytes(h, relid, m);
	host_say(h, m, sizeof m);
}

void host_rescind(struct scripted_host *h, uint32_t relid)
{
	host_say_words(h, 2, 1, relid, 0, 0);
}

void host_version(struct scripted_host *h, size_t bytes, uint8_t supported, uint8_t state,
	uint32_t selected, uint32_t features)
{
	uint8_t m[40] = {0};

	put32(m, 15);
	m[8] = supported;
	m[9] = state;
	put32(m + 12, selected);
	put32(m + 16, features);
	host_say(h, m, bytes);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void answer_contact(struct scripted_host *h, const uint8_t *m)
{
	const uint32_t version = get32(m + 8);

	h->vp = version >= 0x30000 ? get32(m + 12) : 0;
	if (version > h->version || version < h->version_last) {
		host_version(h, 16, 0, 0, 0, 0);
		return;
	}
	h->interrupt_page = version < 0x50000 ? get64(m + 16) : 0;
	h->monitor_page = get64(m + 32);
	host_version(h, version >= 0x60000 ? 20 : 16, 1, 0, version >= 0x50000 ? 4 : version,
		version >= 0x60000 ? get32(m + 20) & h->features : 0);
}

static struct scripted_gpadl *gpadl_of(struct scripted_host *h, uint32_t id)
{
	for (unsigned i = h->gpadl_count; i-- > 0;)
		if (h->gpadls[i].id == id)
			return &h->gpadls[i];
	return NULL;
}

/* Those that were torn down make room. */
static void forget_gpadls(struct scripted_host *h)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < h->gpadl_count; i++)
		if (!h->gpadls[i].was_torn_down)
			h->gpadls[kept++] = h->gpadls[i];
	h->gpadl_count = kept;
}

/* GPADL_HEADER or GPADL_BODY: note the list; answer when all of it is here. */
static void answer_gpadl(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	if (get32(m) == 8 && h->gpadl_count == SCRIPTED_HOST_GPADLS)
		forget_gpadls(h);
	if (get32(m) == 8 && h->gpadl_count < SCRIPTED_HOST_GPADLS) {
		h->gpadls[h->gpadl_count++] = (struct scripted_gpadl){
			.relid = get32(m + 8),
			.id = get32(m + 12),
			.pages = get16(m + 16) / 8 - 1,
			.first_pfn = get64(m + 28),
		};
		h->pending_words = get16(m + 16) / 8 - (bytes - 20) / 8;
	} else {
		h->pending_words -= (bytes - 16) / 8;
	}
	struct scripted_gpadl *gpadl = &h->gpadls[h->gpadl_count - 1];
	if (h->pending_words != 0 || h->is_silent[8])
		return;
	gpadl->is_live = h->status[8] == 0;
	host_say_words(h, 10, 3, gpadl->relid, gpadl->id, h->status[8]);
}

static struct ring_area area_of(uint8_t *at, uint32_t bytes, uint8_t *scratch)
{
	return (struct ring_area){
		.control = at,
		.data = at + RING_CONTROL_BYTES,
		.data_bytes = bytes - RING_CONTROL_BYTES,
		.scratch = scratch,
		.scratch_bytes = SCRIPTED_HOST_SCRATCH,
	};
}

static void answer_open(struct scripted_host *h, const uint8_t *m)
{
	const uint32_t relid = get32(m + 8);
	const struct scripted_gpadl *gpadl = gpadl_of(h, get32(m + 16));

	if (relid >= SCRIPTED_HOST_RELIDS || gpadl == NULL)
		return;
	struct scripted_channel *channel = &h->channels[relid];
	channel->open_id = get32(m + 12);
	channel->gpadl_id = gpadl->id;
	channel->target_vp = get32(m + 20);
	channel->downstream = get32(m + 24);
	channel->out_bytes = channel->downstream * 4096;
	channel->in_bytes = gpadl->pages * 4096 - channel->out_bytes;
	channel->rings = platform_scripted_at(
		&h->script, gpadl->first_pfn * 4096, (uint64_t)gpadl->pages * 4096);
	const struct ring_area in = area_of(
		channel->rings, channel->out_bytes, channel->scratch[0]);
	const struct ring_area out = area_of(
		channel->rings + channel->out_bytes, channel->in_bytes, channel->scratch[1]);
	(void)ring_open(&channel->out, &out, &channel->in, &in, RING_FLAGS_STRICT);
	channel->is_open = h->status[5] == 0;
	if (h->on_open != NULL)
		h->on_open(h, relid);
	if (!h->is_silent[5])
		host_say_words(h, 6, 3, relid, channel->open_id, h->status[5]);
}

void host_answer(struct scripted_host *h, const uint8_t *m, uint32_t bytes)
{
	const uint32_t type = get32(m);
	struct scripted_gpadl *gpadl;

	switch (type) {
	case 3:
		for (uint32_t relid = 1; relid <= h->offers; relid++)
			host_offer(h, relid);
		if (!h->is_silent[3])
			host_say_words(h, 4, 0, 0, 0, 0);
		break;
	case 5:
		answer_open(h, m);
		break;
	case 7:
		h->channels[get32(m + 8) % SCRIPTED_HOST_RELIDS].is_open = false;
		break;
	case 8:
	case 9:
		answer_gpadl(h, m, bytes);
		break;
	case 11:
		gpadl = gpadl_of(h, get32(m + 12));
		if (h->is_silent[11] || gpadl == NULL)
			break;
		gpadl->is_live = false;
		gpadl->was_torn_down = true;
		host_say_words(h, 12, 1, gpadl->id, 0, 0);
		break;
	case 14:
		if (!h->is_silent[14])
			answer_contact(h, m);
		break;
	case 16:
		if (!h->is_silent[16] && h->version > 0x0d)
			host_say_words(h, 17, 0, 0, 0, 0);
		break;
	case 22:
		if (!h->is_silent[22] && h->version >= 0x50003)
			host_say_words(h, 24, 2, get32(m + 8), h->status[22], 0);
		break;
	default:
		break;
	}
}

/* ---- what was posted ------------------------------------------------------------------------ */

static unsigned post_count(const struct scripted_host *h)
{
	return h->script.post_count < SCRIPTED_POSTS_MAX ? (unsigned)h->script.post_count
							 : SCRIPTED_POSTS_MAX;
}

unsigned host_posts(const struct scripted_host *h, uint32_t type)
{
	unsigned count = 0;

	for (unsigned i = 0; i < post_count(h); i++)
		count += get32(h->script.posts[i].payload) == type;
	return count;
}

const struct scripted_post *host_last(const struct scripted_host *h, uint32_t type)
{
	static const struct scripted_post none;

	for (unsigned back = 0; back < post_count(h); back++) {
		const struct scripted_post *post = platform_scripted_post(&h->script, back);
		if (get32(post->payload) == type)
			return post;
	}
	return &none;
}

unsigned host_first(const struct scripted_host *h, uint32_t type)
{
	for (unsigned i = 0; i < post_count(h); i++)
		if (get32(h->script.posts[i].payload) == type)
			return i;
	return UINT32_MAX;
}

/* ---- rings ---------------------------------------------------------------------------------- */

uint32_t *host_word(struct scripted_host *h, uint32_t relid, bool is_in, unsigned word)
{
	struct scripted_channel *channel = &h->channels[relid];

	return (uint32_t *)(void *)(channel->rings + (is_in ? channel->out_bytes : 0)) + word;
}

uint8_t *host_data(struct scripted_host *h, uint32_t relid, bool is_in)
{
	return (uint8_t *)host_word(h, relid, is_in, 0) + RING_CONTROL_BYTES;
}

void host_event(struct scripted_host *h, uint32_t relid)
{
	const uint32_t vp = h->channels[relid].target_vp;

	if (h->interrupt_page != 0) {
		uint8_t *page = platform_scripted_at(&h->script, h->interrupt_page, 4096);
		(void)__atomic_fetch_or(
			&page[relid / 8], (uint8_t)(1u << relid % 8), __ATOMIC_SEQ_CST);
	}
	(void)platform_scripted_event(&h->script, vp == VMBUS_TARGET_VP_NONE ? 0 : vp, VMBUS_SINT,
		h->interrupt_page != 0 && h->version < 0x20004 ? 0 : relid);
}

bool host_send(struct scripted_host *h, uint32_t relid, uint16_t type, uint16_t flags, uint64_t id,
	const void *payload, uint32_t bytes)
{
	struct scripted_channel *channel = &h->channels[relid];
	const struct packet_header header = {
		.type = type,
		.flags = flags,
		.transaction_id = id,
		.payload_bytes = bytes,
	};

	if (ring_send(&channel->out, &header, NULL, payload) != RING_OK)
		return false;
	if (ring_flush(&channel->out))
		host_event(h, relid);
	return true;
}

void host_send_raw(struct scripted_host *h, uint32_t relid, const uint8_t *bytes, uint32_t count,
	uint32_t published)
{
	uint32_t *in = host_word(h, relid, true, RING_WORD_IN);
	uint8_t *data = host_data(h, relid, true);
	const uint32_t size = h->channels[relid].in_bytes - RING_CONTROL_BYTES;
	const uint32_t from = *in;

	for (uint32_t i = 0; i < count; i++)
		data[(from + i) % size] = bytes[i];
	__atomic_store_n(in, (from + published) % size, __ATOMIC_SEQ_CST);
	host_event(h, relid);
}

void host_serve(struct scripted_host *h, uint32_t relid)
{
	struct scripted_channel *channel = &h->channels[relid];
	struct packet_view view;

	if (!channel->is_open)
		return;
	while (ring_peek(&channel->in, &view) == RING_OK) {
		channel->packets++;
		if (h->on_packet != NULL)
			h->on_packet(h, relid, &view);
		ring_release(&channel->in, &view);
	}
	const bool is_room_due = ring_read_flush(&channel->in);
	if (ring_flush(&channel->out) || is_room_due)
		host_event(h, relid);
}
