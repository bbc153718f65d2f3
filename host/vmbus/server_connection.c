// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus server: the connection. Contact and version, unload, reset, pause, monitor
 * pages (R-CONN-001 .. R-CONN-038, R-UNL-001 .. R-UNL-013).
 *
 *	disconnected --INITIATE_CONTACT--> negotiated --REQUEST_OFFERS--> connected
 *	      ^                                |                              |
 *	      +------- disconnecting <---------+------------------------------+
 *	               (UNLOAD, INITIATE_CONTACT, reset; waits for devices)
 *
 * What is to happen at the end of disconnecting is one thing, overwritten by the newest
 * request: an INITIATE_CONTACT that comes while an UNLOAD waits replaces its answer.
 */
#include "host/vmbus/server_internal.h"

#include <stddef.h>

static void version_response_send(struct vmbus_server *s, const struct server_contact *contact,
	uint32_t capabilities, uint8_t connection_state)
{
	struct vmbus_version_response_wire wire = {
		.header.type = VMBUS_MESSAGE_VERSION_RESPONSE,
		.supported = 1,
		.connection_state = connection_state,
		.selected = capabilities & VMBUS_CAP_MULTI_CLIENT
				    ? VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT
				    : contact->version,
		.features = s->features,
	};
	size_t bytes = VMBUS_VERSION_RESPONSE_BYTES;
	if (capabilities & VMBUS_CAP_FEATURES)
		bytes = VMBUS_VERSION_RESPONSE_FEATURES_BYTES;
	if (s->has_server_pages) {
		wire.parent_to_child_page_gpa = s->config.parent_to_child_page_gpa;
		wire.child_to_parent_page_gpa = s->config.child_to_parent_page_gpa;
		bytes = VMBUS_VERSION_RESPONSE_MONITOR_PAGES_BYTES;
	}
	server_send(s, &wire, bytes);
}

/* The refusal has one form, whatever was asked for (R-CONN-002). */
static const struct {
	struct vmbus_header_wire header;
	uint8_t zeros[VMBUS_VERSION_RESPONSE_BYTES - VMBUS_HEADER_BYTES];
} unsupported = {.header.type = VMBUS_MESSAGE_VERSION_RESPONSE};
_Static_assert(sizeof unsupported == VMBUS_VERSION_RESPONSE_BYTES, "a refusal is 16 bytes");

/* ---- contact ---- */

static bool page_is_usable(const struct vmbus_server *s, uint64_t gpa)
{
	return gpa % VMBUS_PAGE_BYTES == 0 &&
	       s->ops->page_is_memory(s->ctx, gpa / VMBUS_PAGE_BYTES);
}

/* Both pages or neither, and pages that exist. */
static bool monitor_pages_are_usable(const struct vmbus_server *s, uint64_t a, uint64_t b)
{
	if (a == 0 && b == 0)
		return true;
	return a != 0 && b != 0 && page_is_usable(s, a) && page_is_usable(s, b);
}

static enum vmbus_rejection contact_check(
	const struct vmbus_server *s, const struct server_contact *contact, uint32_t capabilities)
{
	const struct vmbus_server_pages *pages = &contact->pages;
	if (!monitor_pages_are_usable(s, pages->parent_to_child_gpa, pages->child_to_parent_gpa))
		return VMBUS_REJECTION_MONITOR_PAGES;
	if ((capabilities & VMBUS_CAP_EVENT_FLAGS) == 0 &&
		(pages->interrupt_gpa == 0 || !page_is_usable(s, pages->interrupt_gpa)))
		return VMBUS_REJECTION_INTERRUPT_PAGE;
	if (contact->target_vp >= s->config.vp_count)
		return VMBUS_REJECTION_TARGET_VP;
	return VMBUS_REJECTION_NONE;
}

static void contact_fail(struct vmbus_server *s, const struct server_contact *contact,
	uint32_t capabilities, enum vmbus_rejection reason)
{
	vmbus_server_reject(s, reason);
	if (contact->target_vp < s->config.vp_count)
		s->message_vp = contact->target_vp;
	if (capabilities & VMBUS_CAP_FAILURE_STATE)
		version_response_send(s, contact, capabilities, VMBUS_CONNECTION_FAILED);
	else
		server_send(s, &unsupported, sizeof unsupported);
}

/* Disconnected: connect as s->contact asks. */
static void contact_make(struct vmbus_server *s)
{
	struct server_contact contact = s->contact;
	const struct vmbus_version_info *info = vmbus_version_find(contact.version);
	if (info == NULL || contact.version > s->config.version_max) {
		vmbus_server_reject(s, VMBUS_REJECTION_UNSUPPORTED_VERSION);
		server_send(s, &unsupported, sizeof unsupported);
		return;
	}
	const uint32_t capabilities = info->capabilities;
	if ((capabilities & VMBUS_CAP_MESSAGE_VP) == 0)
		contact.target_vp = 0;
	if (capabilities & VMBUS_CAP_EVENT_FLAGS)
		contact.pages.interrupt_gpa = 0;
	enum vmbus_rejection reason = contact_check(s, &contact, capabilities);

	const bool has_server_pages = (contact.features & VMBUS_FEATURE_SERVER_MONITOR_PAGES) &&
				      s->config.child_to_parent_page_gpa != 0;
	if (has_server_pages) {
		contact.pages.parent_to_child_gpa = s->config.parent_to_child_page_gpa;
		contact.pages.child_to_parent_gpa = s->config.child_to_parent_page_gpa;
	}
	if (reason == VMBUS_REJECTION_NONE && s->ops->pages_set(s->ctx, &contact.pages) != 0)
		reason = VMBUS_REJECTION_MONITOR_PAGES;
	if (reason != VMBUS_REJECTION_NONE) {
		contact_fail(s, &contact, capabilities, reason);
		return;
	}

	s->state = SERVER_CONNECTION_NEGOTIATED;
	s->version = contact.version;
	s->capabilities = capabilities;
	s->features = contact.features & s->config.features;
	if (has_server_pages)
		s->features |= VMBUS_FEATURE_SERVER_MONITOR_PAGES;
	s->has_server_pages = has_server_pages;
	s->pages = contact.pages;
	s->message_vp = contact.target_vp;
	version_response_send(s, &contact, capabilities, VMBUS_CONNECTION_SUCCESSFUL);
}

/* ---- disconnect ---- */

static void disconnect(struct vmbus_server *s, enum server_next next, bool is_reset)
{
	server_queue_clear(s);
	s->state = SERVER_CONNECTION_DISCONNECTING;
	s->next = (uint8_t)next;
	s->is_paused = false;
	s->version = 0;
	s->capabilities = 0;
	s->features = 0;
	s->has_server_pages = false;
	if (is_reset) {
		s->is_reset_pending = true;
		s->message_vp = 0;
	}
	server_channels_disconnect(s, is_reset);
	server_disconnect_check(s);
}

void server_disconnect_check(struct vmbus_server *s)
{
	if (s->state != SERVER_CONNECTION_DISCONNECTING || s->busy_count > 0)
		return;
	const enum server_next next = s->next;
	const bool is_reset = s->is_reset_pending;
	s->state = SERVER_CONNECTION_DISCONNECTED;
	s->next = SERVER_NEXT_NONE;
	s->is_reset_pending = false;
	s->pages = (struct vmbus_server_pages){0};
	(void)s->ops->pages_set(s->ctx, &s->pages);
	if (next == SERVER_NEXT_UNLOAD_COMPLETE)
		server_send_header(s, VMBUS_MESSAGE_UNLOAD_COMPLETE);
	else if (next == SERVER_NEXT_CONTACT)
		contact_make(s);
	if (is_reset)
		s->ops->reset_done(s->ctx);
}

void vmbus_server_reset(struct vmbus_server *s)
{
	disconnect(s, SERVER_NEXT_NONE, true);
}

/* ---- messages ---- */

enum vmbus_rejection server_on_initiate_contact(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	(void)c;
	struct vmbus_initiate_contact_wire wire;
	server_message_copy(m, &wire, sizeof wire);
	const bool has_target = vmbus_version_has(wire.version, VMBUS_CAP_MULTI_CLIENT);
	const uint32_t features =
		vmbus_version_has(wire.version, VMBUS_CAP_FEATURES) ? wire.target.features : 0;
	if (m->bytes < vmbus_message_min_bytes(vmbus_message_find(m->type), wire.version, features))
		return VMBUS_REJECTION_TOO_SMALL;
	/* the bytes mean something only on the connection made for them (R-CONN-021, -036) */
	if (has_target && m->connection_id == VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT) {
		if (vmbus_version_has(wire.version, VMBUS_CAP_VTL) && wire.target.vtl != VMBUS_VTL)
			return VMBUS_REJECTION_WRONG_SINT;
		if (wire.target.sint != VMBUS_SINT) {
			server_send_custom(s, wire.target_vp, wire.target.sint, &unsupported,
				sizeof unsupported);
			return VMBUS_REJECTION_WRONG_SINT;
		}
	}
	s->contact = (struct server_contact){
		.version = wire.version,
		.target_vp = wire.target_vp,
		.features = features,
		.pages.interrupt_gpa = wire.interrupt_page_gpa,
		.pages.parent_to_child_gpa = wire.parent_to_child_page_gpa,
		.pages.child_to_parent_gpa = wire.child_to_parent_page_gpa,
	};
	disconnect(s, SERVER_NEXT_CONTACT, false);
	return VMBUS_REJECTION_NONE;
}

enum vmbus_rejection server_on_unload(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	(void)c;
	(void)m;
	disconnect(s,
		server_has(s, VMBUS_CAP_UNLOAD_RESPONSE) ? SERVER_NEXT_UNLOAD_COMPLETE
							 : SERVER_NEXT_NONE,
		false);
	return VMBUS_REJECTION_NONE;
}

enum vmbus_rejection server_on_request_offers(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	(void)c;
	(void)m;
	if (s->state == SERVER_CONNECTION_CONNECTED)
		return VMBUS_REJECTION_OFFERS_ALREADY_SENT;
	s->state = SERVER_CONNECTION_CONNECTED;
	server_offers_send(s);
	server_send_header(s, VMBUS_MESSAGE_ALL_OFFERS_DELIVERED);
	return VMBUS_REJECTION_NONE;
}

enum vmbus_rejection server_on_pause(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	(void)c;
	(void)m;
	server_send_header(s, VMBUS_MESSAGE_PAUSE_RESPONSE);
	s->is_paused = true;
	return VMBUS_REJECTION_NONE;
}

enum vmbus_rejection server_on_resume(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	(void)c;
	(void)m;
	s->is_paused = false;
	vmbus_server_drained(s);
	return VMBUS_REJECTION_NONE;
}

/* True if some open channel signals through the monitor page. */
static bool monitor_page_is_used(const struct vmbus_server *s)
{
	for (unsigned i = 1; i < s->channel_limit; i++) {
		const struct server_channel *c = &s->channels[i];
		if (c->device != SERVER_DEVICE_IDLE && c->monitor_id != VMBUS_MONITOR_ID_NONE &&
			!c->request.is_reserved && c->request.target_vp != VMBUS_TARGET_VP_NONE)
			return true;
	}
	return false;
}

enum vmbus_rejection server_on_modify_connection(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	(void)c;
	struct vmbus_modify_connection_wire wire;
	server_message_copy(m, &wire, sizeof wire);
	struct vmbus_server_pages pages = s->pages;
	pages.parent_to_child_gpa = wire.parent_to_child_page_gpa;
	pages.child_to_parent_gpa = wire.child_to_parent_page_gpa;

	struct vmbus_modify_connection_response_wire response = {
		.header.type = VMBUS_MESSAGE_MODIFY_CONNECTION_RESPONSE,
		.connection_state = VMBUS_CONNECTION_FAILED,
	};
	const bool is_possible = !s->has_server_pages && !monitor_page_is_used(s) &&
				 monitor_pages_are_usable(
					 s, pages.parent_to_child_gpa, pages.child_to_parent_gpa) &&
				 s->ops->pages_set(s->ctx, &pages) == 0;
	if (is_possible) {
		s->pages = pages;
		response.connection_state = VMBUS_CONNECTION_SUCCESSFUL;
	}
	server_send(s, &response, sizeof response);
	return is_possible ? VMBUS_REJECTION_NONE : VMBUS_REJECTION_MONITOR_PAGES;
}

enum vmbus_rejection server_on_tl_connect_request(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	(void)c;
	struct vmbus_tl_connect_request_wire wire;
	server_message_copy(m, &wire, sizeof wire);
	const bool has_silo = server_has(s, VMBUS_CAP_SILO) &&
			      m->bytes >= VMBUS_TL_CONNECT_REQUEST_SILO_BYTES;
	if (s->ops->connect_request != NULL &&
		s->ops->connect_request(s->ctx, &wire.endpoint_id, &wire.service_id,
			has_silo ? &wire.silo_id : NULL))
		return VMBUS_REJECTION_NONE;
	const struct vmbus_tl_connect_result_wire result = {
		.header.type = VMBUS_MESSAGE_TL_CONNECT_RESULT,
		.endpoint_id = wire.endpoint_id,
		.service_id = wire.service_id,
		.status = VMBUS_STATUS_CONNECTION_REFUSED,
	};
	if (server_has(s, VMBUS_CAP_TL_CONNECT_RESULT))
		server_send(s, &result, sizeof result);
	return VMBUS_REJECTION_NONE;
}
