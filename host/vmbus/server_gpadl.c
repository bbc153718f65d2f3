// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus server: GPADLs, the lists of guest pages that a guest gives to a channel,
 * in one message or in many. A stream of 64-bit words: for each range its length and
 * offset, then its page numbers. It is kept as it came; once complete it is checked
 * as a whole, and never changes afterwards.
 *
 * A GPADL belongs to a channel and is named by (id, channel). It is torn down at once, or
 * when the device has let go of it (R-GPADL-001 .. R-GPADL-025).
 */
#include "host/vmbus/server_internal.h"
#include "protocol/cursor.h"

#include <errno.h>
#include <string.h>

static uint16_t *bucket_of(struct vmbus_server *s, uint32_t gpadl_id)
{
	/* ids count up, so their low bits spread well */
	return &s->gpadl_bucket[gpadl_id % SERVER_GPADL_BUCKETS];
}

/* The GPADL of any state with this name, or 0. */
static uint16_t gpadl_lookup(const struct vmbus_server *s, uint32_t gpadl_id, uint16_t channel)
{
	uint16_t slot = s->gpadl_bucket[gpadl_id % SERVER_GPADL_BUCKETS];
	while (slot != 0 && (s->gpadls[slot].id != gpadl_id || s->gpadls[slot].channel != channel))
		slot = s->gpadls[slot].next_in_bucket;
	return slot;
}

static bool gpadl_exists(const struct vmbus_server *s, uint32_t gpadl_id)
{
	uint16_t slot = s->gpadl_bucket[gpadl_id % SERVER_GPADL_BUCKETS];
	while (slot != 0 && s->gpadls[slot].id != gpadl_id)
		slot = s->gpadls[slot].next_in_bucket;
	return slot != 0;
}

static uint16_t gpadl_in_progress(const struct vmbus_server *s, uint32_t gpadl_id)
{
	uint16_t slot = s->gpadl_bucket[gpadl_id % SERVER_GPADL_BUCKETS];
	while (slot != 0 && (s->gpadls[slot].id != gpadl_id ||
				    s->gpadls[slot].state != SERVER_GPADL_IN_PROGRESS))
		slot = s->gpadls[slot].next_in_bucket;
	return slot;
}

uint16_t server_gpadl_find(
	const struct vmbus_server *s, const struct server_channel *c, uint32_t gpadl_id)
{
	const uint16_t slot = gpadl_lookup(s, gpadl_id, server_channel_slot(s, c));
	return s->gpadls[slot].state == SERVER_GPADL_ACCEPTED ? slot : 0;
}

/* A new GPADL, in progress and empty, or NULL if that is over a limit. */
static struct server_gpadl *gpadl_make(struct vmbus_server *s, struct server_channel *c,
	const struct vmbus_gpadl_header_wire *header, uint16_t word_count)
{
	if (s->gpadl_count >= LIMIT_GPADLS || word_count > LIMIT_GPADL_WORDS - s->gpadl_words)
		return NULL;
	uint64_t *words = NULL;
	if (word_count > 0) {
		words = s->ops->allocate(s->ctx, word_count * sizeof *words);
		if (words == NULL)
			return NULL;
	}
	uint16_t slot = s->gpadl_free;
	if (slot != 0)
		s->gpadl_free = s->gpadls[slot].next_in_bucket;
	else
		slot = (uint16_t)s->gpadl_limit++;
	uint16_t *bucket = bucket_of(s, header->gpadl_id);
	struct server_gpadl *g = &s->gpadls[slot];
	*g = (struct server_gpadl){
		.id = header->gpadl_id,
		.state = SERVER_GPADL_IN_PROGRESS,
		.channel = server_channel_slot(s, c),
		.range_count = header->range_count,
		.word_count = word_count,
		.next_in_bucket = *bucket,
		.next_in_channel = c->gpadls,
		.words = words,
	};
	*bucket = slot;
	c->gpadls = slot;
	s->gpadl_count++;
	s->gpadl_words += word_count;
	return g;
}

static void gpadl_free(struct vmbus_server *s, struct server_gpadl *g)
{
	const uint16_t slot = server_gpadl_slot(s, g);
	uint16_t *link = bucket_of(s, g->id);
	while (*link != slot)
		link = &s->gpadls[*link].next_in_bucket;
	*link = g->next_in_bucket;
	link = &s->channels[g->channel].gpadls;
	while (*link != slot)
		link = &s->gpadls[*link].next_in_channel;
	*link = g->next_in_channel;

	s->gpadl_count--;
	s->gpadl_words -= g->word_count;
	if (g->words != NULL)
		s->ops->release(s->ctx, g->words);
	*g = (struct server_gpadl){.next_in_bucket = s->gpadl_free};
	s->gpadl_free = slot;
}

void server_gpadls_free(struct vmbus_server *s, struct server_channel *c)
{
	while (c->gpadls != 0)
		gpadl_free(s, &s->gpadls[c->gpadls]);
}

void server_gpadls_abandon(struct vmbus_server *s, struct server_channel *c)
{
	for (uint16_t slot = c->gpadls; slot != 0;) {
		struct server_gpadl *g = &s->gpadls[slot];
		slot = g->next_in_channel;
		if (g->state == SERVER_GPADL_IN_PROGRESS)
			gpadl_free(s, g);
	}
}

static bool gpadl_is_used(const struct vmbus_server *s, const struct server_gpadl *g)
{
	return g->is_held || s->channels[g->channel].ring_gpadl == server_gpadl_slot(s, g);
}

void server_gpadls_let_go(struct vmbus_server *s, struct server_channel *c, bool tell_guest)
{
	for (uint16_t slot = c->gpadls; slot != 0;) {
		struct server_gpadl *g = &s->gpadls[slot];
		slot = g->next_in_channel;
		g->is_held = false;
		if (g->state != SERVER_GPADL_TEARING_DOWN || gpadl_is_used(s, g))
			continue;
		const uint32_t id = g->id;
		gpadl_free(s, g);
		if (tell_guest)
			server_send_gpadl_torndown(s, id);
	}
}

/* ---- the range stream ---- */

/*
 * Step to the range that starts at word *at: its fields, its first page number, and *at
 * behind it. False if the stream ends before the range does.
 */
static bool range_next(const struct server_gpadl *g, unsigned *at,
	struct vmbus_gpadl_range_wire *range, const uint64_t **gpns, uint32_t *page_count)
{
	if (*at >= g->word_count)
		return false;
	memcpy(range, &g->words[*at], sizeof *range);
	const uint64_t end = (uint64_t)range->byte_offset + range->byte_count;
	const uint64_t pages = (end + VMBUS_PAGE_BYTES - 1) / VMBUS_PAGE_BYTES;
	if (pages > g->word_count - *at - 1u)
		return false;
	*gpns = &g->words[*at + 1];
	*page_count = (uint32_t)pages;
	*at += 1u + (unsigned)pages;
	return true;
}

static enum vmbus_rejection ranges_check(struct vmbus_server *s, const struct server_gpadl *g)
{
	unsigned at = 0;
	for (unsigned i = 0; i < g->range_count; i++) {
		struct vmbus_gpadl_range_wire range;
		const uint64_t *gpns;
		uint32_t page_count;
		if (!range_next(g, &at, &range, &gpns, &page_count))
			return VMBUS_REJECTION_GPADL_RANGE;
		if (range.byte_count == 0 || range.byte_offset >= VMBUS_PAGE_BYTES)
			return VMBUS_REJECTION_GPADL_RANGE;
		for (uint32_t page = 0; page < page_count; page++) {
			if (!s->ops->page_is_memory(s->ctx, gpns[page]))
				return VMBUS_REJECTION_GPADL_MEMORY;
		}
	}
	return VMBUS_REJECTION_NONE;
}

enum vmbus_rejection server_gpadl_ring(const struct vmbus_server *s, uint16_t gpadl,
	uint32_t downstream_page, const uint64_t **gpns, uint32_t *page_count)
{
	const struct server_gpadl *g = &s->gpadls[gpadl];
	struct vmbus_gpadl_range_wire range;
	unsigned at = 0;
	if (g->range_count != 1 || !range_next(g, &at, &range, gpns, page_count))
		return VMBUS_REJECTION_RING_GPADL;
	if (range.byte_offset != 0 || range.byte_count % VMBUS_PAGE_BYTES != 0)
		return VMBUS_REJECTION_RING_GPADL;
	/* each ring is a control page and at least one page of data (R-OPEN-006) */
	if (*page_count < VMBUS_RING_PAGES_MIN || downstream_page < 2 ||
		downstream_page > *page_count - 2)
		return VMBUS_REJECTION_RING_GPADL;
	return VMBUS_REJECTION_NONE;
}

/* ---- messages ---- */

/* Take the words behind the fixed part; surplus ones are ignored (R-GPADL-005). */
static void words_append(struct server_gpadl *g, const struct server_message *m, size_t fixed)
{
	const size_t wanted = (size_t)(g->word_count - g->words_received);
	const size_t present = (m->bytes - fixed) / sizeof(uint64_t);
	const size_t count = present < wanted ? present : wanted;
	struct cursor words = cursor_over(m->payload + fixed, m->bytes - fixed);
	if (count > 0)
		cursor_bytes(&words, &g->words[g->words_received], count * sizeof(uint64_t));
	g->words_received = (uint16_t)(g->words_received + count);
}

/* If all words are there: check them and answer. */
static enum vmbus_rejection gpadl_advance(struct vmbus_server *s, struct server_gpadl *g)
{
	if (g->words_received < g->word_count)
		return VMBUS_REJECTION_NONE;
	const enum vmbus_rejection reason = ranges_check(s, g);
	if (reason != VMBUS_REJECTION_NONE) {
		gpadl_free(s, g);
		return reason;
	}
	g->state = SERVER_GPADL_ACCEPTED;
	server_send_gpadl_created(s, s->channels[g->channel].relid, g->id, VMBUS_STATUS_SUCCESS);
	return VMBUS_REJECTION_NONE;
}

static uint32_t gpadl_status(enum vmbus_rejection reason)
{
	return reason == VMBUS_REJECTION_GPADL_QUOTA ? VMBUS_STATUS_QUOTA_EXCEEDED
						     : VMBUS_STATUS_FAILURE;
}

void server_refuse_gpadl_header(
	struct vmbus_server *s, const struct server_message *m, enum vmbus_rejection reason)
{
	struct vmbus_gpadl_header_wire header;
	server_message_copy(m, &header, sizeof header);
	server_send_gpadl_created(s, header.relid, header.gpadl_id, gpadl_status(reason));
}

enum vmbus_rejection server_on_gpadl_header(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	struct vmbus_gpadl_header_wire header;
	server_message_copy(m, &header, sizeof header);
	const uint16_t word_count = header.range_bytes / sizeof(uint64_t);

	if (server_channel_is_reserved(c))
		return VMBUS_REJECTION_CHANNEL_RESERVED;
	if (gpadl_lookup(s, header.gpadl_id, server_channel_slot(s, c)) != 0)
		return VMBUS_REJECTION_DUPLICATE_GPADL;
	/* a body names no channel, so that ids in progress must be unique (R-GPADL-011) */
	if (gpadl_in_progress(s, header.gpadl_id) != 0)
		return VMBUS_REJECTION_DUPLICATE_GPADL;
	struct server_gpadl *g = gpadl_make(s, c, &header, word_count);
	if (g == NULL)
		return VMBUS_REJECTION_GPADL_QUOTA;
	words_append(g, m, sizeof header);
	return gpadl_advance(s, g);
}

enum vmbus_rejection server_on_gpadl_body(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	(void)c;
	struct vmbus_gpadl_body_wire body;
	server_message_copy(m, &body, sizeof body);
	const uint16_t slot = gpadl_in_progress(s, body.gpadl_id);
	if (slot == 0)
		return gpadl_exists(s, body.gpadl_id) ? VMBUS_REJECTION_GPADL_STATE
						      : VMBUS_REJECTION_UNKNOWN_GPADL;
	struct server_gpadl *g = &s->gpadls[slot];
	const uint32_t relid = s->channels[g->channel].relid;
	words_append(g, m, sizeof body);
	const enum vmbus_rejection reason = gpadl_advance(s, g);
	if (reason != VMBUS_REJECTION_NONE)
		server_send_gpadl_created(s, relid, body.gpadl_id, gpadl_status(reason));
	return reason;
}

enum vmbus_rejection server_on_gpadl_teardown(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	struct vmbus_gpadl_teardown_wire wire;
	server_message_copy(m, &wire, sizeof wire);
	if (server_channel_is_reserved(c))
		return VMBUS_REJECTION_CHANNEL_RESERVED;
	const uint16_t slot = gpadl_lookup(s, wire.gpadl_id, server_channel_slot(s, c));
	if (slot == 0)
		return VMBUS_REJECTION_UNKNOWN_GPADL;
	struct server_gpadl *g = &s->gpadls[slot];
	if (g->state != SERVER_GPADL_ACCEPTED)
		return VMBUS_REJECTION_GPADL_STATE;
	if (gpadl_is_used(s, g)) {
		g->state = SERVER_GPADL_TEARING_DOWN;
	} else {
		gpadl_free(s, g);
		server_send_gpadl_torndown(s, wire.gpadl_id);
	}
	return VMBUS_REJECTION_NONE;
}

/* ---- devices ---- */

int vmbus_server_gpadl_hold(struct vmbus_server *s, vmbus_server_id id, uint32_t gpadl_id,
	unsigned range, struct vmbus_server_gpadl *out)
{
	struct server_channel *c = server_channel_by_id(s, id);
	if (c == NULL || (c->device != SERVER_DEVICE_OPENING && c->device != SERVER_DEVICE_OPEN))
		return -ENOENT;
	const uint16_t slot = server_gpadl_find(s, c, gpadl_id);
	if (slot == 0)
		return -ENOENT;
	struct server_gpadl *g = &s->gpadls[slot];
	struct vmbus_gpadl_range_wire wire = {0};
	unsigned at = 0;
	if (range >= g->range_count)
		return -ERANGE;
	for (unsigned i = 0; i <= range; i++) {
		if (!range_next(g, &at, &wire, &out->gpns, &out->page_count))
			return -ERANGE;
	}
	out->offset_bytes = wire.byte_offset;
	out->bytes = wire.byte_count;
	g->is_held = true;
	return 0;
}

void vmbus_server_gpadl_release(struct vmbus_server *s, vmbus_server_id id, uint32_t gpadl_id)
{
	struct server_channel *c = server_channel_by_id(s, id);
	if (c == NULL)
		return;
	const uint16_t slot = gpadl_lookup(s, gpadl_id, server_channel_slot(s, c));
	struct server_gpadl *g = &s->gpadls[slot];
	if (slot == 0 || !g->is_held)
		return;
	g->is_held = false;
	if (g->state == SERVER_GPADL_TEARING_DOWN && !gpadl_is_used(s, g)) {
		gpadl_free(s, g);
		if (c->state != SERVER_CHANNEL_RELEASED)
			server_send_gpadl_torndown(s, gpadl_id);
	}
}
