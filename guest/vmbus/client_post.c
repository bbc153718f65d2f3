// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus client: requests on their way to the host. One list holds every request that
 * is under way, in the order in which it was begun; messages are posted in that
 * order and no other. A host without room pauses the whole list, each time for
 * longer, and a message that it refuses for too long fails. See client_private.h.
 *
 * Each message is built here, in a zeroed buffer: what is not set is 0 on the wire
 * (R-ROB-011). Sources: R-CONN-024, R-CONN-031, R-GPADL-002, R-GPADL-003.
 */
#include "guest/vmbus/client_private.h"
#include "protocol/cursor.h"
#include "protocol/hypervisor.h"

struct message {
	uint32_t connection_id;
	uint8_t bytes[VMBUS_MESSAGE_BYTES_MAX];
	size_t length;
};

/* ---- the list ----------------------------------------------------------------------------- */

void client_now(struct vmbus_client *client, uint64_t now)
{
	if (now > client->now)
		client->now = now;
}

uint64_t client_grace(const struct vmbus_client *client)
{
	const uint64_t end = client->now + VMBUS_CLIENT_GRACE_100NS;
	return end < client->now ? UINT64_MAX : end;
}

void client_request_begin(struct vmbus_client *client, struct vmbus_request *request,
	enum vmbus_request_kind kind, uint64_t deadline)
{
	request->kind = kind;
	request->state = VMBUS_REQUEST_QUEUED;
	request->sent = 0;
	request->deadline = deadline;
	request->next = NULL;
	request->previous = client->requests.last;
	if (request->previous)
		request->previous->next = request;
	else
		client->requests.first = request;
	client->requests.last = request;
}

static struct vmbus_request *first_queued(const struct vmbus_client *client)
{
	struct vmbus_request *request = client->requests.first;
	while (request && request->state != VMBUS_REQUEST_QUEUED)
		request = request->next;
	return request;
}

void client_request_end(struct vmbus_client *client, struct vmbus_request *request)
{
	if (request->state == VMBUS_REQUEST_IDLE)
		return;
	if (request == first_queued(client))
		client->retry.since = 0; /* the next message has its own limit */
	if (request->previous)
		request->previous->next = request->next;
	else
		client->requests.first = request->next;
	if (request->next)
		request->next->previous = request->previous;
	else
		client->requests.last = request->previous;
	request->next = NULL;
	request->previous = NULL;
	request->state = VMBUS_REQUEST_IDLE;
}

bool client_request_awaits(const struct vmbus_request *request, enum vmbus_request_kind kind)
{
	return request->state == VMBUS_REQUEST_WAITING && request->kind == kind;
}

/* ---- messages ----------------------------------------------------------------------------- */

static void message_put(struct message *m, const void *wire, size_t bytes)
{
	__builtin_memcpy(m->bytes, wire, bytes);
	m->length = bytes;
}

static void contact_encode(const struct vmbus_client *client, struct message *m)
{
	const struct vmbus_client_config *config = &client->config;
	const uint32_t caps = client->version->capabilities;
	struct vmbus_initiate_contact_wire wire = {
		.header.type = VMBUS_MESSAGE_INITIATE_CONTACT,
		.version = client->version->version,
		.target_vp = (caps & VMBUS_CAP_MESSAGE_VP) ? config->contact_vp : 0,
		.parent_to_child_page_gpa = config->parent_to_child_page_gpa,
		.child_to_parent_page_gpa = config->child_to_parent_page_gpa,
	};
	size_t bytes = VMBUS_INITIATE_CONTACT_BYTES;

	if (caps & VMBUS_CAP_MULTI_CLIENT)
		wire.target.sint = VMBUS_SINT;
	else
		wire.interrupt_page_gpa = config->interrupt_page_gpa;
	if (caps & VMBUS_CAP_VTL)
		wire.target.vtl = VMBUS_VTL;
	if (caps & VMBUS_CAP_FEATURES) {
		wire.target.features = config->features;
		if (config->features & VMBUS_FEATURE_CLIENT_ID) {
			wire.client_id = config->client_id;
			bytes = VMBUS_INITIATE_CONTACT_CLIENT_ID_BYTES;
		}
	}
	message_put(m, &wire, bytes);
}

static void header_encode(enum vmbus_message_type type, struct message *m)
{
	const struct vmbus_header_wire wire = {.type = type};
	message_put(m, &wire, sizeof wire);
}

/* CLOSE_CHANNEL, REL_ID_RELEASED: a relid and nothing else. */
static void relid_encode(enum vmbus_message_type type, uint32_t relid, struct message *m)
{
	const struct vmbus_close_channel_wire wire = {.header.type = type, .relid = relid};
	PROTOCOL_STATIC_ASSERT(sizeof wire == sizeof(struct vmbus_rel_id_released_wire),
		"both messages are a header and a relid");
	message_put(m, &wire, sizeof wire);
}

static uint32_t gpadl_words(const struct vmbus_client_gpadl *gpadl)
{
	return 1 + gpadl->page_count; /* one range and its page numbers */
}

static uint32_t gpadl_messages(const struct vmbus_client_gpadl *gpadl)
{
	const uint32_t words = gpadl_words(gpadl);
	if (words <= VMBUS_GPADL_HEADER_U64_MAX)
		return 1;
	return 1 + (words - VMBUS_GPADL_HEADER_U64_MAX + VMBUS_GPADL_BODY_U64_MAX - 1) /
			   VMBUS_GPADL_BODY_U64_MAX;
}

static uint64_t gpadl_word(const struct vmbus_client_gpadl *gpadl, uint32_t index)
{
	if (index == 0) /* byte count low, offset in the first page high */
		return (uint64_t)gpadl->page_count * VMBUS_PAGE_BYTES;
	return gpadl->pfns ? gpadl->pfns[index - 1] : gpadl->first_pfn + index - 1;
}

static void gpadl_encode(const struct vmbus_client_gpadl *gpadl, uint32_t sent, struct message *m)
{
	struct cursor_writer w = cursor_writer_over(m->bytes, sizeof m->bytes);
	uint32_t at = 0, end = VMBUS_GPADL_HEADER_U64_MAX;

	if (sent == 0) {
		const struct vmbus_gpadl_header_wire wire = {
			.header.type = VMBUS_MESSAGE_GPADL_HEADER,
			.relid = gpadl->relid,
			.gpadl_id = gpadl->id,
			.range_bytes = (uint16_t)(gpadl_words(gpadl) * 8),
			.range_count = 1,
		};
		cursor_put_bytes(&w, &wire, sizeof wire);
	} else {
		const struct vmbus_gpadl_body_wire wire = {
			.header.type = VMBUS_MESSAGE_GPADL_BODY,
			.gpadl_id = gpadl->id,
		};
		cursor_put_bytes(&w, &wire, sizeof wire);
		at = VMBUS_GPADL_HEADER_U64_MAX + (sent - 1) * VMBUS_GPADL_BODY_U64_MAX;
		end = at + VMBUS_GPADL_BODY_U64_MAX;
	}
	if (end > gpadl_words(gpadl))
		end = gpadl_words(gpadl);
	for (; at < end; at++)
		cursor_put_u64(&w, gpadl_word(gpadl, at));
	m->length = w.position;
}

static void teardown_encode(const struct vmbus_client_gpadl *gpadl, struct message *m)
{
	const struct vmbus_gpadl_teardown_wire wire = {
		.header.type = VMBUS_MESSAGE_GPADL_TEARDOWN,
		.relid = gpadl->relid,
		.gpadl_id = gpadl->id,
	};
	message_put(m, &wire, sizeof wire);
}

static void open_encode(const struct vmbus_client *client,
	const struct vmbus_client_channel *channel, struct message *m)
{
	struct vmbus_open_channel_wire wire = {
		.header.type = VMBUS_MESSAGE_OPEN_CHANNEL,
		.relid = channel->relid,
		.open_id = channel->relid,
		.ring_gpadl_id = channel->rings.id,
		.target_vp = channel->target_vp,
		.downstream_page_offset = channel->downstream_page,
	};
	__builtin_memcpy(wire.user_data, channel->user_data, sizeof wire.user_data);
	if (client->features & VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS) {
		wire.connection_id = client->offers[channel->relid].offer.connection_id;
		wire.event_flag = (uint16_t)channel->relid;
	}
	const bool is_extended = client->features & (VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS |
							    VMBUS_FEATURE_INTERRUPT_REDIRECTION);
	message_put(m, &wire,
		is_extended ? VMBUS_OPEN_CHANNEL_EXTENDED_BYTES : VMBUS_OPEN_CHANNEL_BYTES);
}

static void modify_encode(const struct vmbus_client_channel *channel, struct message *m)
{
	const struct vmbus_modify_channel_wire wire = {
		.header.type = VMBUS_MESSAGE_MODIFY_CHANNEL,
		.relid = channel->relid,
		.target_vp = channel->next_target_vp,
	};
	message_put(m, &wire, sizeof wire);
}

static struct vmbus_client_gpadl *gpadl_of(struct vmbus_request *request)
{
	return CLIENT_OWNER(request, struct vmbus_client_gpadl, request);
}

static struct vmbus_client_channel *channel_of(struct vmbus_request *request)
{
	return CLIENT_OWNER(request, struct vmbus_client_channel, request);
}

static uint32_t relid_of(struct vmbus_request *request)
{
	return CLIENT_OWNER(request, struct vmbus_client_offer, request)->offer.relid;
}

static void encode(struct vmbus_client *client, struct vmbus_request *request, struct message *m)
{
	*m = (struct message){.connection_id = client->connection_id};
	switch (request->kind) {
	case VMBUS_REQUEST_CONTACT:
		contact_encode(client, m);
		break;
	case VMBUS_REQUEST_OFFERS:
		header_encode(VMBUS_MESSAGE_REQUEST_OFFERS, m);
		break;
	case VMBUS_REQUEST_RESYNC:
	case VMBUS_REQUEST_UNLOAD:
		header_encode(VMBUS_MESSAGE_UNLOAD, m);
		break;
	case VMBUS_REQUEST_GPADL:
		gpadl_encode(gpadl_of(request), request->sent, m);
		break;
	case VMBUS_REQUEST_TEARDOWN:
		teardown_encode(gpadl_of(request), m);
		break;
	case VMBUS_REQUEST_OPEN:
		open_encode(client, channel_of(request), m);
		break;
	case VMBUS_REQUEST_CLOSE:
		relid_encode(VMBUS_MESSAGE_CLOSE_CHANNEL, channel_of(request)->relid, m);
		break;
	case VMBUS_REQUEST_MODIFY:
		modify_encode(CLIENT_OWNER(request, struct vmbus_client_channel, modify), m);
		break;
	case VMBUS_REQUEST_RELEASE:
		relid_encode(VMBUS_MESSAGE_REL_ID_RELEASED, relid_of(request), m);
		break;
	case VMBUS_REQUEST_LATE_CLOSE:
		relid_encode(VMBUS_MESSAGE_CLOSE_CHANNEL, relid_of(request), m);
		break;
	}
}

/* ---- owners ------------------------------------------------------------------------------- */

static void posted(struct vmbus_client *client, struct vmbus_request *request)
{
	switch (request->kind) {
	case VMBUS_REQUEST_RESYNC:
	case VMBUS_REQUEST_CONTACT:
	case VMBUS_REQUEST_OFFERS:
	case VMBUS_REQUEST_UNLOAD:
		client_connection_posted(client);
		break;
	case VMBUS_REQUEST_GPADL:
	case VMBUS_REQUEST_TEARDOWN:
		break; /* both have an answer */
	case VMBUS_REQUEST_OPEN:
	case VMBUS_REQUEST_CLOSE:
	case VMBUS_REQUEST_MODIFY:
		client_channel_posted(client, request);
		break;
	case VMBUS_REQUEST_RELEASE:
	case VMBUS_REQUEST_LATE_CLOSE:
		client_offer_posted(client, request);
		break;
	}
}

static void failed(
	struct vmbus_client *client, struct vmbus_request *request, int error, int status)
{
	client_request_end(client, request);
	switch (request->kind) {
	case VMBUS_REQUEST_RESYNC:
	case VMBUS_REQUEST_CONTACT:
	case VMBUS_REQUEST_OFFERS:
	case VMBUS_REQUEST_UNLOAD:
		client_connection_failed(client, error, status);
		break;
	case VMBUS_REQUEST_GPADL:
	case VMBUS_REQUEST_TEARDOWN:
		client_gpadl_failed(client, gpadl_of(request), error);
		break;
	case VMBUS_REQUEST_OPEN:
	case VMBUS_REQUEST_CLOSE:
	case VMBUS_REQUEST_MODIFY:
		client_channel_failed(client, request, error);
		break;
	case VMBUS_REQUEST_RELEASE:
	case VMBUS_REQUEST_LATE_CLOSE:
		client_offer_failed(client, request);
		break;
	}
}

/* ---- posting ------------------------------------------------------------------------------ */

/* "Full now" and, on a connection that exists, "throttled" (R-CONN-038). */
static bool is_transient(
	const struct vmbus_client *client, const struct vmbus_request *request, int status)
{
	if (status == -VIRIDIAN_EAGAIN)
		return true;
	if (status == HV_STATUS_INVALID_CONNECTION_ID)
		return request->kind != VMBUS_REQUEST_CONTACT ||
		       client->connection_id == VMBUS_CONNECTION_MESSAGE;
	return status == HV_STATUS_INSUFFICIENT_MEMORY || status == HV_STATUS_INSUFFICIENT_BUFFERS;
}

/* Begin the next, longer pause. False: this message has been refused for too long. */
static bool pause_begin(struct vmbus_client *client)
{
	client->statistics.post_retries++;
	if (client->retry.since == 0) {
		client->retry.since = client->now ? client->now : 1;
		client->retry.pause = VMBUS_CLIENT_POST_PAUSE_MIN_100NS;
	} else if (client->now - client->retry.since >= VMBUS_CLIENT_POST_LIMIT_100NS) {
		return false;
	} else if (client->retry.pause < VMBUS_CLIENT_POST_PAUSE_MAX_100NS / 2) {
		client->retry.pause *= 2;
	} else {
		client->retry.pause = VMBUS_CLIENT_POST_PAUSE_MAX_100NS;
	}
	client->retry.at = client->now + client->retry.pause;
	return true;
}

static void pause_end(struct vmbus_client *client)
{
	client->retry.since = 0;
	client->retry.at = 0;
}

static bool is_all_sent(struct vmbus_request *request)
{
	return request->kind != VMBUS_REQUEST_GPADL ||
	       request->sent == gpadl_messages(gpadl_of(request));
}

/* Post the next message of a request. False: pause. */
static bool post_one(struct vmbus_client *client, struct vmbus_request *request)
{
	struct message m;

	encode(client, request, &m);
	const int status = client->ops->post(client->ctx, m.connection_id, m.bytes, m.length);
	if (status == HV_STATUS_SUCCESS) {
		pause_end(client);
		client->statistics.messages_sent++;
		request->sent++;
		if (is_all_sent(request)) {
			request->state = VMBUS_REQUEST_WAITING;
			posted(client, request);
		}
		return true;
	}
	if (is_transient(client, request, status) && pause_begin(client))
		return false;
	pause_end(client);
	client->statistics.posts_failed++;
	failed(client, request, status < 0 ? status : -VIRIDIAN_EIO, status);
	return true;
}

void client_pump(struct vmbus_client *client)
{
	if (client->is_posting)
		return;
	client->is_posting = true;
	while (client->now >= client->retry.at) {
		struct vmbus_request *request = first_queued(client);
		if (request == NULL || !post_one(client, request))
			break;
	}
	client->is_posting = false;
}

void client_expire(struct vmbus_client *client)
{
	struct vmbus_request *request = client->requests.first;

	while (request) {
		if (request->deadline > client->now || request->deadline == UINT64_MAX) {
			request = request->next;
			continue;
		}
		/* The owner may end or begin others: start again. Each of them makes progress. */
		failed(client, request, -VIRIDIAN_ETIMEDOUT, -VIRIDIAN_ETIMEDOUT);
		request = client->requests.first;
	}
}

uint64_t vmbus_client_next_time(const struct vmbus_client *client)
{
	uint64_t next = UINT64_MAX;
	bool is_queued = false;

	for (const struct vmbus_request *r = client->requests.first; r; r = r->next) {
		is_queued |= r->state == VMBUS_REQUEST_QUEUED;
		if (r->deadline < next)
			next = r->deadline;
	}
	if (is_queued && client->retry.at < next)
		next = client->retry.at;
	return next;
}
