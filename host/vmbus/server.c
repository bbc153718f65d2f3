// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus server: making one, dispatch of the guest's messages by two tables, counters.
 *
 *	vmbus_message_table (protocol/vmbus.c)	type -> direction, version, feature, size
 *	rows (here)				type -> handler, and for messages that name
 *						a channel: state -> do it, ignore it, reject it
 *
 * All checks that differ only in data are made once, here, before a handler runs.
 */
#include "host/vmbus/server_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---- */

/* What a row says of a channel state, beside a VMBUS_REJECTION_*. */
#define DO     0u    /* run the handler */
#define IGNORE 0xffu /* take it, with no effect and no answer */

struct row {
	server_handler handle;
	/* Tell the guest of a rejection, where the protocol has a way. May be NULL. */
	void (*refuse)(struct vmbus_server *s, const struct server_message *m,
		enum vmbus_rejection reason);
	bool names_channel; /* relid at byte 8 */
	uint8_t in_state[SERVER_CHANNEL_STATE_COUNT];
};

#define REASON(NAME) ((uint8_t)VMBUS_REJECTION_##NAME)
_Static_assert(VMBUS_REJECTION_COUNT <= IGNORE, "reasons must fit into the table");

/* A row of channel states; the guest does not know channels in the states left out. */
#define STATES(closed, opening, open, closing, closing_reopen, revoked)                            \
	{                                                                                          \
		[SERVER_CHANNEL_FREE] = REASON(UNKNOWN_CHANNEL),                                   \
		[SERVER_CHANNEL_UNOFFERED] = REASON(UNKNOWN_CHANNEL),                              \
		[SERVER_CHANNEL_CLOSED] = (closed), [SERVER_CHANNEL_OPENING] = (opening),          \
		[SERVER_CHANNEL_OPEN] = (open), [SERVER_CHANNEL_CLOSING] = (closing),              \
		[SERVER_CHANNEL_CLOSING_REOPEN] = (closing_reopen),                                \
		[SERVER_CHANNEL_REVOKING] = (revoked), [SERVER_CHANNEL_REVOKED] = (revoked),       \
		[SERVER_CHANNEL_RELEASED] = REASON(UNKNOWN_CHANNEL),                               \
	}

#define ALREADY_OPEN REASON(CHANNEL_ALREADY_OPEN)
#define NOT_OPEN     REASON(CHANNEL_NOT_OPEN)
#define WRONG_STATE  REASON(CHANNEL_STATE)
#define REVOKED	     REASON(CHANNEL_REVOKED)

static const struct row rows[VMBUS_MESSAGE_TYPE_MAX + 1] = {
	[VMBUS_MESSAGE_REQUEST_OFFERS] = {.handle = server_on_request_offers},
	[VMBUS_MESSAGE_OPEN_CHANNEL] =
		{
			.handle = server_on_open_channel,
			.names_channel = true,
			.in_state = STATES(
				DO, ALREADY_OPEN, ALREADY_OPEN, DO, ALREADY_OPEN, IGNORE),
		},
	[VMBUS_MESSAGE_CLOSE_CHANNEL] =
		{
			.handle = server_on_close_channel,
			.names_channel = true,
			.in_state = STATES(NOT_OPEN, NOT_OPEN, DO, NOT_OPEN, NOT_OPEN, IGNORE),
		},
	[VMBUS_MESSAGE_GPADL_HEADER] =
		{
			.handle = server_on_gpadl_header,
			.refuse = server_refuse_gpadl_header,
			.names_channel = true,
			.in_state = STATES(DO, DO, DO, DO, DO, DO),
		},
	[VMBUS_MESSAGE_GPADL_BODY] = {.handle = server_on_gpadl_body},
	[VMBUS_MESSAGE_GPADL_TEARDOWN] =
		{
			.handle = server_on_gpadl_teardown,
			.names_channel = true,
			.in_state = STATES(DO, DO, DO, DO, DO, DO),
		},
	[VMBUS_MESSAGE_REL_ID_RELEASED] =
		{
			.handle = server_on_rel_id_released,
			.names_channel = true,
			.in_state = STATES(DO, WRONG_STATE, WRONG_STATE, DO, WRONG_STATE, DO),
		},
	[VMBUS_MESSAGE_INITIATE_CONTACT] = {.handle = server_on_initiate_contact},
	[VMBUS_MESSAGE_UNLOAD] = {.handle = server_on_unload},
	[VMBUS_MESSAGE_OPEN_RESERVED_CHANNEL] =
		{
			.handle = server_on_open_reserved,
			.names_channel = true,
			.in_state = STATES(
				DO, ALREADY_OPEN, ALREADY_OPEN, WRONG_STATE, WRONG_STATE, IGNORE),
		},
	[VMBUS_MESSAGE_CLOSE_RESERVED_CHANNEL] =
		{
			.handle = server_on_close_reserved,
			.names_channel = true,
			.in_state = STATES(NOT_OPEN, NOT_OPEN, DO, NOT_OPEN, NOT_OPEN, IGNORE),
		},
	[VMBUS_MESSAGE_TL_CONNECT_REQUEST] = {.handle = server_on_tl_connect_request},
	[VMBUS_MESSAGE_MODIFY_CHANNEL] =
		{
			.handle = server_on_modify_channel,
			.refuse = server_refuse_modify_channel,
			.names_channel = true,
			.in_state = STATES(NOT_OPEN, NOT_OPEN, DO, NOT_OPEN, NOT_OPEN, REVOKED),
		},
	[VMBUS_MESSAGE_MODIFY_CONNECTION] = {.handle = server_on_modify_connection},
	[VMBUS_MESSAGE_PAUSE] = {.handle = server_on_pause},
	[VMBUS_MESSAGE_RESUME] = {.handle = server_on_resume},
};

/* ---- dispatch ---- */

void server_message_copy(const struct server_message *m, void *wire, size_t wire_bytes)
{
	const size_t bytes = m->bytes < wire_bytes ? m->bytes : wire_bytes;
	memcpy(wire, m->payload, bytes);
	memset((uint8_t *)wire + bytes, 0, wire_bytes - bytes);
}

/* All that can be said of a message without looking behind its header. */
static enum vmbus_rejection header_check(
	const struct vmbus_server *s, const struct server_message *m)
{
	const struct vmbus_message_info *info = vmbus_message_find(m->type);
	if (info == NULL)
		return VMBUS_REJECTION_UNKNOWN_TYPE;
	if (info->direction != VMBUS_GUEST_TO_HOST)
		return VMBUS_REJECTION_WRONG_DIRECTION;
	if (!vmbus_message_is_allowed(info, s->version, s->features))
		return VMBUS_REJECTION_NOT_NEGOTIATED;
	/* how much a contact needs depends on what it asks for, which its handler sees */
	const bool is_contact = m->type == VMBUS_MESSAGE_INITIATE_CONTACT;
	const size_t needed = is_contact ? info->min_bytes
					 : vmbus_message_min_bytes(info, s->version, s->features);
	if (m->bytes < needed)
		return VMBUS_REJECTION_TOO_SMALL;
	if (s->is_paused && (info->allowed & VMBUS_ALLOWED_PAUSED) == 0)
		return VMBUS_REJECTION_PAUSED;
	return VMBUS_REJECTION_NONE;
}

static enum vmbus_rejection channel_message(
	struct vmbus_server *s, const struct row *row, struct server_message *m)
{
	memcpy(&m->relid, m->payload + VMBUS_HEADER_BYTES, sizeof m->relid);
	const uint16_t slot = vmbus_relid_is_valid(m->relid) ? s->relid_slot[m->relid] : 0;
	struct server_channel *c = &s->channels[slot]; /* slot 0 is free for ever */
	const uint8_t rule = row->in_state[c->state];
	if (rule == IGNORE)
		return VMBUS_REJECTION_NONE;
	if (rule != DO)
		return (enum vmbus_rejection)rule;
	return row->handle(s, c, m);
}

int vmbus_server_message(
	struct vmbus_server *s, uint32_t connection_id, const uint8_t *payload, size_t bytes)
{
	struct vmbus_header_wire header = {0};
	if (bytes >= sizeof header)
		memcpy(&header, payload, sizeof header);
	struct server_message m = {
		.type = header.type,
		.connection_id = connection_id,
		.payload = payload,
		.bytes = bytes,
	};
	/* a guest that has died or is about to go does not drain its slot: hear it out */
	if (m.type != VMBUS_MESSAGE_INITIATE_CONTACT && m.type != VMBUS_MESSAGE_UNLOAD &&
		server_is_backlogged(s))
		return -EAGAIN;
	s->messages_in++;
	if (bytes < sizeof header || bytes > VMBUS_MESSAGE_BYTES_MAX) {
		vmbus_server_reject(s, bytes < sizeof header ? VMBUS_REJECTION_TOO_SMALL
							     : VMBUS_REJECTION_NOT_CONTROL);
		return 0;
	}
	enum vmbus_rejection reason = header_check(s, &m);
	if (reason == VMBUS_REJECTION_NONE) {
		const struct row *row = &rows[m.type];
		reason = row->names_channel ? channel_message(s, row, &m)
					    : row->handle(s, NULL, &m);
		if (reason != VMBUS_REJECTION_NONE && row->refuse != NULL)
			row->refuse(s, &m, reason);
	}
	if (reason != VMBUS_REJECTION_NONE)
		vmbus_server_reject(s, reason);
	return 0;
}

void vmbus_server_reject(struct vmbus_server *s, enum vmbus_rejection reason)
{
	s->rejected++;
	s->rejections[reason]++;
	s->last_rejection = reason;
}

/* ---- life ---- */

int vmbus_server_create(const struct vmbus_server_config *config,
	const struct vmbus_server_ops *ops, void *ctx, struct vmbus_server **out)
{
	if (config->vp_count == 0 || config->parent_to_child_page_gpa % VMBUS_PAGE_BYTES != 0 ||
		config->child_to_parent_page_gpa % VMBUS_PAGE_BYTES != 0)
		return -EINVAL;
	struct vmbus_server *s = calloc(1, sizeof *s);
	if (s == NULL)
		return -ENOMEM;
	s->config = *config;
	if (s->config.version_max == 0)
		s->config.version_max = UINT32_MAX;
	if (s->config.features == 0)
		s->config.features = VMBUS_SERVER_FEATURES_DEFAULT;
	/* no paravisor stands between us and the guest; pages of ours are decided at contact */
	s->config.features &= VMBUS_FEATURES_KNOWN & ~VMBUS_FEATURE_CONFIDENTIAL_CHANNELS &
			      ~VMBUS_FEATURE_SERVER_MONITOR_PAGES;
	s->ops = ops;
	s->ctx = ctx;
	s->channel_limit = 1;
	s->gpadl_limit = 1;
	*out = s;
	return 0;
}

void vmbus_server_destroy(struct vmbus_server *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 1; i < s->channel_limit; i++)
		server_gpadls_free(s, &s->channels[i]);
	free(s);
}

struct server_channel *server_channel_by_id(struct vmbus_server *s, vmbus_server_id id)
{
	const uint32_t slot = id & ((1u << SERVER_ID_SLOT_BITS) - 1);
	if (slot == 0 || slot >= s->channel_limit)
		return NULL;
	struct server_channel *c = &s->channels[slot];
	const uint32_t generation = c->generation << SERVER_ID_SLOT_BITS >> SERVER_ID_SLOT_BITS;
	if (c->state == SERVER_CHANNEL_FREE || generation != id >> SERVER_ID_SLOT_BITS)
		return NULL;
	return c;
}
