// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus server: messages to the guest. One queue, first in, first out, for the
 * connection's target; messages for a target that the guest has named (reserved
 * channels, another SINT) are sent at once or lost, so that they cannot pile up.
 *
 * What can wait is bounded by the state that it belongs to (LIMIT_SERVER_QUEUE_BYTES), since
 * the guest's requests are refused while anything waits (R-MSG-001, R-MSG-004).
 */
#include "host/vmbus/server_internal.h"

#include <errno.h>
#include <string.h>

#define QUEUE_LENGTH_BYTES 1u
/* An offer, a rescind, an open result and a modify response; and the answer to a GPADL. */
#define QUEUE_CHANNEL_BYTES                                                                        \
	(4u * QUEUE_LENGTH_BYTES + sizeof(struct vmbus_offer_channel_wire) +                       \
		sizeof(struct vmbus_rescind_channel_offer_wire) +                                  \
		sizeof(struct vmbus_open_channel_result_wire) +                                    \
		sizeof(struct vmbus_modify_channel_response_wire))
#define QUEUE_GPADL_BYTES (QUEUE_LENGTH_BYTES + sizeof(struct vmbus_gpadl_created_wire))
_Static_assert(VMBUS_CHANNELS_MAX *QUEUE_CHANNEL_BYTES + LIMIT_GPADLS * QUEUE_GPADL_BYTES +
			       VMBUS_MESSAGE_BYTES_MAX <=
		       LIMIT_SERVER_QUEUE_BYTES,
	"the queue must hold all that can wait at once");

static void queue_write(struct vmbus_server *s, const void *from, uint32_t bytes)
{
	const uint32_t at = (s->queue_head + s->queue_used) % LIMIT_SERVER_QUEUE_BYTES;
	const uint32_t first =
		bytes <= LIMIT_SERVER_QUEUE_BYTES - at ? bytes : LIMIT_SERVER_QUEUE_BYTES - at;
	memcpy(s->queue + at, from, first);
	memcpy(s->queue, (const uint8_t *)from + first, bytes - first);
	s->queue_used += bytes;
}

static void queue_read(const struct vmbus_server *s, uint32_t offset, void *to, uint32_t bytes)
{
	const uint32_t at = (s->queue_head + offset) % LIMIT_SERVER_QUEUE_BYTES;
	const uint32_t first =
		bytes <= LIMIT_SERVER_QUEUE_BYTES - at ? bytes : LIMIT_SERVER_QUEUE_BYTES - at;
	memcpy(to, s->queue + at, first);
	memcpy((uint8_t *)to + first, s->queue, bytes - first);
}

static void queue_put(struct vmbus_server *s, const void *payload, size_t bytes)
{
	if (bytes + QUEUE_LENGTH_BYTES > LIMIT_SERVER_QUEUE_BYTES - s->queue_used) {
		s->messages_lost++;
		return;
	}
	const uint8_t length = (uint8_t)bytes;
	queue_write(s, &length, QUEUE_LENGTH_BYTES);
	queue_write(s, payload, length);
}

static void queue_drop_first(struct vmbus_server *s, uint32_t bytes)
{
	s->queue_used -= bytes;
	/* an empty queue starts over, so that only the pages at its start are ever touched */
	s->queue_head = s->queue_used > 0 ? (s->queue_head + bytes) % LIMIT_SERVER_QUEUE_BYTES : 0;
}

/* False if the message must wait. */
static bool post(
	struct vmbus_server *s, uint32_t vp, uint32_t sint, const void *payload, size_t bytes)
{
	const int error = s->ops->message_post(s->ctx, vp, sint, payload, bytes);
	if (error == -EAGAIN)
		return false;
	if (error == 0)
		s->messages_out++;
	else
		s->messages_lost++;
	return true;
}

/*
 * One message in the slot and one behind it are enough to keep the guest busy; the rest
 * waits here, where it is small.
 */
static bool can_post(const struct vmbus_server *s)
{
	return !s->is_paused && !s->ops->message_is_backlogged(s->ctx, s->message_vp, VMBUS_SINT);
}

void vmbus_server_drained(struct vmbus_server *s)
{
	while (can_post(s) && s->queue_used > 0) {
		uint8_t payload[VMBUS_MESSAGE_BYTES_MAX];
		uint8_t length;
		queue_read(s, 0, &length, QUEUE_LENGTH_BYTES);
		queue_read(s, QUEUE_LENGTH_BYTES, payload, length);
		if (!post(s, s->message_vp, VMBUS_SINT, payload, length))
			break;
		queue_drop_first(s, QUEUE_LENGTH_BYTES + length);
	}
}

void server_queue_clear(struct vmbus_server *s)
{
	s->queue_head = 0;
	s->queue_used = 0;
	s->ops->message_discard(s->ctx, s->message_vp, VMBUS_SINT);
}

bool server_is_backlogged(const struct vmbus_server *s)
{
	/* what a pause holds back is not the guest's fault, and it cannot ask for more */
	if (s->queue_used > 0 && !s->is_paused)
		return true;
	return s->ops->message_is_backlogged(s->ctx, s->message_vp, VMBUS_SINT);
}

void server_send(struct vmbus_server *s, const void *payload, size_t bytes)
{
	if (s->queue_used > 0 || !can_post(s) ||
		!post(s, s->message_vp, VMBUS_SINT, payload, bytes))
		queue_put(s, payload, bytes);
}

void server_send_custom(
	struct vmbus_server *s, uint32_t vp, uint32_t sint, const void *payload, size_t bytes)
{
	if (vp >= s->config.vp_count || s->ops->message_is_backlogged(s->ctx, vp, sint) ||
		!post(s, vp, sint, payload, bytes))
		s->messages_lost++;
}

void server_send_header(struct vmbus_server *s, uint32_t type)
{
	const struct vmbus_header_wire wire = {.type = type};
	server_send(s, &wire, sizeof wire);
}

void server_send_gpadl_created(
	struct vmbus_server *s, uint32_t relid, uint32_t gpadl_id, uint32_t status)
{
	const struct vmbus_gpadl_created_wire wire = {
		.header.type = VMBUS_MESSAGE_GPADL_CREATED,
		.relid = relid,
		.gpadl_id = gpadl_id,
		.status = status,
	};
	server_send(s, &wire, sizeof wire);
}

void server_send_gpadl_torndown(struct vmbus_server *s, uint32_t gpadl_id)
{
	const struct vmbus_gpadl_torndown_wire wire = {
		.header.type = VMBUS_MESSAGE_GPADL_TORNDOWN,
		.gpadl_id = gpadl_id,
	};
	server_send(s, &wire, sizeof wire);
}

void server_send_open_result(
	struct vmbus_server *s, const struct server_channel *c, uint32_t status)
{
	const struct vmbus_open_channel_result_wire wire = {
		.header.type = VMBUS_MESSAGE_OPEN_CHANNEL_RESULT,
		.relid = c->relid,
		.open_id = c->request.open_id,
		.status = status,
	};
	if (c->request.is_reserved)
		server_send_custom(
			s, c->request.reserved_vp, c->request.reserved_sint, &wire, sizeof wire);
	else
		server_send(s, &wire, sizeof wire);
}
