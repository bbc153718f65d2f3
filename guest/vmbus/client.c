// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus client: the connection, and the table by which messages find their
 * handlers. See client.h.
 *
 *	DISCONNECTED --connect--> CONTACTING --accepted--> NEGOTIATED
 *	     ^   ^__refused, late______|                      | all offers delivered
 *	     |                                                v
 *	     +----answered, late----- UNLOADING <--unload-- CONNECTED
 *
 * A connect that fails after a version was agreed goes through UNLOADING, so that
 * the host does not go on with a connection that nobody serves.
 *
 * VERSION_RESPONSE does not say which contact it answers. Where one may still come for an
 * earlier contact, a connect first posts UNLOAD: messages are handled in order, so once that
 * answer or UNLOAD_COMPLETE is here, nothing of the past is under way any more (R-CONN-040).
 *
 * Sources: R-CONN-024 .. R-CONN-031, R-CONN-040, R-CONN-041, R-UNL-010 .. R-UNL-012, R-MSG-007,
 *R-MSG-008.
 */
#include "guest/vmbus/client_private.h"
#include "protocol/hypervisor.h"

void client_reject(struct vmbus_client *client, enum vmbus_rejection reason)
{
	client->statistics.messages_rejected++;
	client->statistics.rejections[reason]++;
	client->statistics.last_rejection = reason;
}

void vmbus_client_init(struct vmbus_client *client, const struct vmbus_client_ops *ops, void *ctx,
	const struct vmbus_client_config *config)
{
	__builtin_memset(client, 0, sizeof *client);
	client->ops = ops;
	client->ctx = ctx;
	client->config = *config;
	client->gpadl_id_next = VMBUS_CLIENT_GPADL_ID_FIRST;
}

bool client_is_connected(const struct vmbus_client *client)
{
	return client->state == VMBUS_CLIENT_NEGOTIATED || client->state == VMBUS_CLIENT_CONNECTED;
}

uint32_t vmbus_client_version(const struct vmbus_client *client)
{
	return client->state >= VMBUS_CLIENT_NEGOTIATED ? client->version->version : 0;
}

bool vmbus_client_has(const struct vmbus_client *client, uint32_t caps)
{
	return client->state >= VMBUS_CLIENT_NEGOTIATED &&
	       (client->version->capabilities & caps) == caps;
}

const char *vmbus_client_state_name(enum vmbus_client_state state)
{
	static const char *const names[] = {
		[VMBUS_CLIENT_DISCONNECTED] = "disconnected",
		[VMBUS_CLIENT_CONTACTING] = "contacting",
		[VMBUS_CLIENT_NEGOTIATED] = "negotiated",
		[VMBUS_CLIENT_CONNECTED] = "connected",
		[VMBUS_CLIENT_UNLOADING] = "unloading",
	};
	return (unsigned)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

/* ---- contact ------------------------------------------------------------------------------ */

/* The first configured version from row `from` on whose capabilities lack `without`. */
static const struct vmbus_version_info *version_next(
	const struct vmbus_client *client, size_t from, uint32_t without)
{
	const uint32_t max = client->config.version_max ? client->config.version_max : UINT32_MAX;

	for (size_t i = from; i < VMBUS_VERSION_COUNT; i++) {
		const struct vmbus_version_info *row = &vmbus_version_table[i];
		if (row->version <= max && row->version >= client->config.version_min &&
			!(row->capabilities & without))
			return row;
	}
	return NULL;
}

static void disconnect(struct vmbus_client *client, int result)
{
	client->state = VMBUS_CLIENT_DISCONNECTED;
	client->version = NULL;
	client->features = 0;
	client->parent_to_child_page_gpa = 0;
	client->child_to_parent_page_gpa = 0;
	client->result = result;
}

/* Ask for this version; if there is none left, give up. */
static void contact(
	struct vmbus_client *client, const struct vmbus_version_info *version, uint64_t deadline)
{
	if (version == NULL) {
		disconnect(client, -VIRIDIAN_ENOTSUP);
		return;
	}
	client->version = version;
	client->connection_id = (version->capabilities & VMBUS_CAP_MULTI_CLIENT)
					? VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT
					: VMBUS_CONNECTION_MESSAGE;
	client_request_begin(client, &client->request, VMBUS_REQUEST_CONTACT, deadline);
}

/* Wait for what is left of an earlier contact: to its connection, in its order. */
static void resync(struct vmbus_client *client)
{
	const uint64_t end = client_grace(client);

	client_request_begin(client, &client->request, VMBUS_REQUEST_RESYNC,
		end < client->contact_deadline ? end : client->contact_deadline);
}

/* The past is over, or has had its time: begin. */
static void resync_end(struct vmbus_client *client)
{
	client_request_end(client, &client->request);
	contact(client, version_next(client, 0, 0), client->contact_deadline);
}

/* The contact ends without an answer; if it was posted, there may still be one. */
static void contact_abandon(struct vmbus_client *client)
{
	if (client->request.kind == VMBUS_REQUEST_CONTACT && client->request.sent > 0)
		client->unanswered = client->version;
}

int vmbus_client_connect(struct vmbus_client *client, uint64_t now, uint64_t deadline)
{
	const struct vmbus_version_info *version = version_next(client, 0, 0);

	if (client->state != VMBUS_CLIENT_DISCONNECTED)
		return -VIRIDIAN_EBUSY;
	if (version == NULL)
		return -VIRIDIAN_EINVAL;
	client_now(client, now);
	client->state = VMBUS_CLIENT_CONTACTING;
	client->result = VMBUS_CLIENT_BUSY;
	client->error = 0;
	client->contact_deadline = deadline;
	if (client->unanswered)
		resync(client);
	else
		contact(client, version, deadline);
	client_pump(client);
	return 0;
}

static size_t row_after(const struct vmbus_client *client)
{
	return (size_t)(client->version - vmbus_version_table) + 1;
}

/* ---- unload ------------------------------------------------------------------------------- */

static void unload_begin(struct vmbus_client *client, int error, uint64_t deadline)
{
	client_request_end(client, &client->request);
	client->state = VMBUS_CLIENT_UNLOADING;
	client->result = VMBUS_CLIENT_BUSY;
	client->error = error;
	client_gpadls_suspend(client);
	client_channels_unload(client);
	client_request_begin(client, &client->request, VMBUS_REQUEST_UNLOAD, deadline);
}

/* The unload is over; the host confirmed it, or never will. */
static void unload_end(struct vmbus_client *client, bool is_confirmed, int error)
{
	client_request_end(client, &client->request);
	if (is_confirmed) {
		client->are_pages_lent = false;
		client->unanswered = NULL;
	}
	disconnect(client, client->error ? client->error : error);
	client_gpadls_conclude(client, is_confirmed, error);
	client_channels_conclude(client, error);
	client_offers_forget(client);
}

int vmbus_client_unload(struct vmbus_client *client, uint64_t now, uint64_t deadline)
{
	client_now(client, now);
	switch (client->state) {
	case VMBUS_CLIENT_DISCONNECTED:
		client->result = 0;
		return 0;
	case VMBUS_CLIENT_CONTACTING:
		contact_abandon(client);
		client_request_end(client, &client->request);
		disconnect(client, 0);
		return 0;
	case VMBUS_CLIENT_NEGOTIATED:
	case VMBUS_CLIENT_CONNECTED:
		unload_begin(client, 0, deadline);
		client_pump(client);
		return 0;
	case VMBUS_CLIENT_UNLOADING:
		break;
	}
	return -VIRIDIAN_EBUSY;
}

void vmbus_client_abort(struct vmbus_client *client, int error)
{
	if (client->state == VMBUS_CLIENT_DISCONNECTED)
		return;
	client->error = error;
	unload_end(client, false, error);
}

/* ---- what becomes of the connection's request --------------------------------------------- */

void client_connection_posted(struct vmbus_client *client)
{
	switch (client->request.kind) {
	case VMBUS_REQUEST_CONTACT:
		client->are_pages_lent = true;
		break;
	case VMBUS_REQUEST_UNLOAD:
		if (!vmbus_client_has(client, VMBUS_CAP_UNLOAD_RESPONSE))
			unload_end(client, false, 0);
		break;
	default:
		break;
	}
}

void client_connection_failed(struct vmbus_client *client, int error, int status)
{
	switch (client->request.kind) {
	case VMBUS_REQUEST_RESYNC:
		if (client->now < client->contact_deadline)
			resync_end(client);
		else
			disconnect(client, error);
		break;
	case VMBUS_REQUEST_CONTACT:
		contact_abandon(client);
		if (status == HV_STATUS_INVALID_CONNECTION_ID &&
			client->connection_id != VMBUS_CONNECTION_MESSAGE)
			/* The host is older than that connection (R-CONN-024). */
			contact(client,
				version_next(client, row_after(client), VMBUS_CAP_MULTI_CLIENT),
				client->request.deadline);
		else
			disconnect(client, error);
		break;
	case VMBUS_REQUEST_OFFERS:
		unload_begin(client, error, client_grace(client));
		break;
	default:
		unload_end(client, false, error);
		break;
	}
}

/* ---- messages ----------------------------------------------------------------------------- */

/* The host says yes but does not make sense: leave it. */
static enum vmbus_rejection version_nonsense(
	struct vmbus_client *client, enum vmbus_rejection reason)
{
	unload_begin(client, -VIRIDIAN_EPROTO, client_grace(client));
	return reason;
}

/* Features and monitor pages of an accepted version that has features. */
static enum vmbus_rejection features_take(struct vmbus_client *client,
	const struct vmbus_version_response_wire *response, size_t bytes)
{
	if (bytes < VMBUS_VERSION_RESPONSE_FEATURES_BYTES)
		return version_nonsense(client, VMBUS_REJECTION_TOO_SMALL);
	client->features = response->features & client->config.features;
	if (client->features & VMBUS_FEATURE_SERVER_MONITOR_PAGES) {
		if (bytes < VMBUS_VERSION_RESPONSE_MONITOR_PAGES_BYTES)
			return version_nonsense(client, VMBUS_REJECTION_TOO_SMALL);
		if (response->child_to_parent_page_gpa == 0 ||
			response->child_to_parent_page_gpa % VMBUS_PAGE_BYTES ||
			response->parent_to_child_page_gpa % VMBUS_PAGE_BYTES)
			return version_nonsense(client, VMBUS_REJECTION_MONITOR_PAGES);
		client->parent_to_child_page_gpa = response->parent_to_child_page_gpa;
		client->child_to_parent_page_gpa = response->child_to_parent_page_gpa;
	}
	/* Features that nobody asked for are not in force, but worth counting (R-CONN-029). */
	return response->features == client->features ? VMBUS_REJECTION_NONE
						      : VMBUS_REJECTION_VERSION_FIELDS;
}

static enum vmbus_rejection version_accept(struct vmbus_client *client,
	const struct vmbus_version_response_wire *response, size_t bytes, uint64_t deadline)
{
	const uint32_t caps = client->version->capabilities;
	enum vmbus_rejection reason = VMBUS_REJECTION_NONE;

	client->state = VMBUS_CLIENT_NEGOTIATED;
	client->parent_to_child_page_gpa = client->config.parent_to_child_page_gpa;
	client->child_to_parent_page_gpa = client->config.child_to_parent_page_gpa;
	if (response->supported != 1)
		return version_nonsense(client, VMBUS_REJECTION_VERSION_FIELDS);
	if (caps & VMBUS_CAP_MULTI_CLIENT) {
		if (bytes < VMBUS_VERSION_RESPONSE_BYTES)
			return version_nonsense(client, VMBUS_REJECTION_TOO_SMALL);
		if (response->selected == 0)
			return version_nonsense(client, VMBUS_REJECTION_VERSION_FIELDS);
		client->connection_id = response->selected;
	}
	if (caps & VMBUS_CAP_FEATURES)
		reason = features_take(client, response, bytes);
	if (client->state == VMBUS_CLIENT_NEGOTIATED)
		client_request_begin(client, &client->request, VMBUS_REQUEST_OFFERS, deadline);
	return reason;
}

/*
 * True if a response cannot be that of the contact at hand, but can be one of the unanswered:
 * what follows "supported" differs between the versions.
 */
static bool is_of_unanswered(const struct vmbus_client *client,
	const struct vmbus_version_response_wire *response, size_t bytes)
{
	const struct vmbus_version_info *old = client->unanswered;
	const uint32_t asked = client->version->capabilities;

	if (old == NULL || old == client->version || response->supported != 1 ||
		bytes < VMBUS_VERSION_RESPONSE_BYTES)
		return false;
	/* below 5.0 the version, from then on a connection id */
	if (!(asked & VMBUS_CAP_MULTI_CLIENT))
		return response->selected != 0 && response->selected != client->version->version;
	if (!(old->capabilities & VMBUS_CAP_MULTI_CLIENT))
		return response->selected == old->version;
	/* at 6.0 longer than before */
	return (asked & VMBUS_CAP_FEATURES) != (old->capabilities & VMBUS_CAP_FEATURES) &&
	       (bytes >= VMBUS_VERSION_RESPONSE_FEATURES_BYTES) !=
		       ((asked & VMBUS_CAP_FEATURES) != 0);
}

static enum vmbus_rejection on_version_response(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes)
{
	struct vmbus_version_response_wire response = {0};

	if (client->state == VMBUS_CLIENT_CONTACTING &&
		client->request.kind == VMBUS_REQUEST_RESYNC) {
		client->unanswered = NULL;
		resync_end(client);
		return VMBUS_REJECTION_NONE;
	}
	if (!client_request_awaits(&client->request, VMBUS_REQUEST_CONTACT)) {
		client->unanswered = NULL; /* if there was one, this is its end */
		return VMBUS_REJECTION_UNEXPECTED_RESPONSE;
	}
	__builtin_memcpy(&response, payload, bytes < sizeof response ? bytes : sizeof response);
	if (is_of_unanswered(client, &response, bytes)) {
		client->unanswered = NULL;
		return VMBUS_REJECTION_UNEXPECTED_RESPONSE;
	}
	const uint64_t deadline = client->request.deadline;
	client_request_end(client, &client->request);
	if (response.supported == 0) {
		client->are_pages_lent = false;
		contact(client, version_next(client, row_after(client), 0), deadline);
		return VMBUS_REJECTION_NONE;
	}
	if ((client->version->capabilities & VMBUS_CAP_FAILURE_STATE) && response.supported == 1 &&
		response.connection_state != VMBUS_CONNECTION_SUCCESSFUL) {
		client->are_pages_lent = false;
		disconnect(client, -VIRIDIAN_EIO);
		return VMBUS_REJECTION_NONE;
	}
	return version_accept(client, &response, bytes, deadline);
}

static enum vmbus_rejection on_all_offers_delivered(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes)
{
	(void)payload;
	(void)bytes;
	if (!client_request_awaits(&client->request, VMBUS_REQUEST_OFFERS))
		return VMBUS_REJECTION_UNEXPECTED_RESPONSE;
	client_request_end(client, &client->request);
	client->state = VMBUS_CLIENT_CONNECTED;
	client->result = 0;
	return VMBUS_REJECTION_NONE;
}

static enum vmbus_rejection on_unload_complete(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes)
{
	(void)payload;
	(void)bytes;
	if (client_request_awaits(&client->request, VMBUS_REQUEST_RESYNC)) {
		client->unanswered = NULL;
		resync_end(client);
		return VMBUS_REJECTION_NONE;
	}
	if (!client_request_awaits(&client->request, VMBUS_REQUEST_UNLOAD))
		return VMBUS_REJECTION_UNEXPECTED_RESPONSE;
	unload_end(client, true, 0);
	return VMBUS_REJECTION_NONE;
}

/* What the host may send. A type without a handler answers what this client never asks. */
static enum vmbus_rejection (*const handlers[VMBUS_MESSAGE_TYPE_MAX + 1])(
	struct vmbus_client *client, const uint8_t *payload, size_t bytes) = {
	[VMBUS_MESSAGE_OFFER_CHANNEL] = client_on_offer,
	[VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER] = client_on_rescind,
	[VMBUS_MESSAGE_ALL_OFFERS_DELIVERED] = on_all_offers_delivered,
	[VMBUS_MESSAGE_OPEN_CHANNEL_RESULT] = client_on_open_result,
	[VMBUS_MESSAGE_GPADL_CREATED] = client_on_gpadl_created,
	[VMBUS_MESSAGE_GPADL_TORNDOWN] = client_on_gpadl_torndown,
	[VMBUS_MESSAGE_VERSION_RESPONSE] = on_version_response,
	[VMBUS_MESSAGE_UNLOAD_COMPLETE] = on_unload_complete,
	[VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE] = client_on_modify_response,
};

static enum vmbus_rejection dispatch(
	struct vmbus_client *client, uint32_t synic_type, const uint8_t *payload, size_t bytes)
{
	struct vmbus_header_wire header;
	const uint32_t version = vmbus_client_version(client);

	if (synic_type != VMBUS_SYNIC_MESSAGE_TYPE || bytes > VMBUS_MESSAGE_BYTES_MAX)
		return VMBUS_REJECTION_NOT_CONTROL;
	if (bytes < sizeof header)
		return VMBUS_REJECTION_TOO_SMALL;
	__builtin_memcpy(&header, payload, sizeof header);

	const struct vmbus_message_info *info = vmbus_message_find(header.type);
	if (info == NULL)
		return VMBUS_REJECTION_UNKNOWN_TYPE;
	if (info->direction != VMBUS_HOST_TO_GUEST)
		return VMBUS_REJECTION_WRONG_DIRECTION;
	const bool is_of_resync = header.type == VMBUS_MESSAGE_UNLOAD_COMPLETE &&
				  client_request_awaits(&client->request, VMBUS_REQUEST_RESYNC);
	if (!is_of_resync && !vmbus_message_is_allowed(info, version, client->features))
		return VMBUS_REJECTION_NOT_NEGOTIATED;
	/* A response to contact is measured by its handler, which knows what it says. */
	const size_t least = header.type == VMBUS_MESSAGE_VERSION_RESPONSE
				     ? info->min_bytes
				     : vmbus_message_min_bytes(info, version, client->features);
	if (bytes < least)
		return VMBUS_REJECTION_TOO_SMALL;
	if (handlers[header.type] == NULL)
		return VMBUS_REJECTION_UNEXPECTED_RESPONSE;
	return handlers[header.type](client, payload, bytes);
}

void vmbus_client_on_message(struct vmbus_client *client, uint32_t synic_type,
	const uint8_t *payload, size_t bytes, uint64_t now)
{
	client_now(client, now);
	client->statistics.messages_received++;
	const enum vmbus_rejection reason = dispatch(client, synic_type, payload, bytes);
	if (reason != VMBUS_REJECTION_NONE)
		client_reject(client, reason);
	client_pump(client);
}

void vmbus_client_on_time(struct vmbus_client *client, uint64_t now)
{
	client_now(client, now);
	client_expire(client);
	client_pump(client);
}
