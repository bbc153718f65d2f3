// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus server: open, close, modify; the two halves of a channel, what the guest
 * asked for and what the device has answered (R-OPEN-001 .. R-OPEN-032,
 * R-MOD-001 .. R-MOD-007). Which message is possible in which state is in the
 * table of server.c.
 */
#include "host/vmbus/server_internal.h"

#include <string.h>

/* ---- opening ---- */

/* Well-known ids, whether this host listens there or not. */
static bool is_reserved_id(uint32_t connection_id)
{
	return connection_id <= VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT ||
	       connection_id == VMBUS_CONNECTION_MESSAGE_REDIRECT;
}

static enum vmbus_rejection open_check(const struct vmbus_server *s, const struct server_channel *c,
	uint16_t gpadl, struct vmbus_server_open *open)
{
	const struct server_open_request *r = &c->request;
	if (gpadl == 0)
		return VMBUS_REJECTION_RING_GPADL;
	const enum vmbus_rejection reason = server_gpadl_ring(
		s, gpadl, r->downstream_page, &open->gpns, &open->page_count);
	if (reason != VMBUS_REJECTION_NONE)
		return reason;
	if (r->target_vp != VMBUS_TARGET_VP_NONE && r->target_vp >= s->config.vp_count)
		return VMBUS_REJECTION_TARGET_VP;
	/* flag 0 belongs to the interrupt page, and guests use flags as table indices */
	if (r->event_flag == 0 || r->event_flag >= VMBUS_EVENT_FLAG_COUNT ||
		is_reserved_id(r->connection_id))
		return VMBUS_REJECTION_SIGNAL_PARAMETERS;
	open->relid = c->relid;
	open->target_vp = r->target_vp;
	open->connection_id = r->connection_id;
	open->event_flag = r->event_flag;
	open->monitor_id = r->is_reserved || r->target_vp == VMBUS_TARGET_VP_NONE
				   ? VMBUS_MONITOR_ID_NONE
				   : c->monitor_id;
	open->is_reserved = r->is_reserved;
	open->downstream_page = r->downstream_page;
	open->user_data = r->user_data;
	return VMBUS_REJECTION_NONE;
}

/* Everything that follows from a device having become idle. The channel may be freed by it. */
static void device_idle(struct vmbus_server *s, struct server_channel *c, uint32_t open_status);

/* Execute c->request on a closed channel. */
static enum vmbus_rejection channel_open(struct vmbus_server *s, struct server_channel *c)
{
	struct vmbus_server_open open = {0};
	const uint16_t gpadl = server_gpadl_find(s, c, c->request.ring_gpadl_id);
	enum vmbus_rejection reason = open_check(s, c, gpadl, &open);
	if (reason != VMBUS_REJECTION_NONE) {
		server_send_open_result(
			s, c, gpadl == 0 ? VMBUS_STATUS_NOT_FOUND : VMBUS_STATUS_FAILURE);
		return reason;
	}
	c->state = SERVER_CHANNEL_OPENING;
	c->device = SERVER_DEVICE_OPENING;
	c->ring_gpadl = gpadl;
	reason = s->ops->channel_open(s->ctx, c->context, &open);
	if (reason != VMBUS_REJECTION_NONE)
		device_idle(s, c, VMBUS_STATUS_FAILURE);
	return reason;
}

/* Now, or when the device has closed. */
static enum vmbus_rejection channel_open_or_store(
	struct vmbus_server *s, struct server_channel *c, const struct server_open_request *request)
{
	c->request = *request;
	if (c->state == SERVER_CHANNEL_CLOSED)
		return channel_open(s, c);
	c->state = SERVER_CHANNEL_CLOSING_REOPEN;
	return VMBUS_REJECTION_NONE;
}

enum vmbus_rejection server_on_open_channel(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	struct vmbus_open_channel_wire wire;
	server_message_copy(m, &wire, sizeof wire);
	struct server_open_request request = {
		.open_id = wire.open_id,
		.ring_gpadl_id = wire.ring_gpadl_id,
		.target_vp = server_has(s, VMBUS_CAP_TARGET_VP) ? wire.target_vp : 0,
		.downstream_page = wire.downstream_page_offset,
		.connection_id = vmbus_channel_connection_id(c->relid, VMBUS_SINT, VMBUS_VTL),
		.event_flag = c->relid,
	};
	/* OPEN_REDIRECT_INTERRUPT means nothing here: there is no other VTL to redirect to */
	if (s->features & VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS) {
		request.connection_id = wire.connection_id;
		request.event_flag = wire.event_flag;
	}
	memcpy(request.user_data, wire.user_data, sizeof request.user_data);
	return channel_open_or_store(s, c, &request);
}

enum vmbus_rejection server_on_open_reserved(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	struct vmbus_open_reserved_channel_wire wire;
	server_message_copy(m, &wire, sizeof wire);
	const struct server_open_request request = {
		.ring_gpadl_id = wire.ring_gpadl_id,
		.target_vp = VMBUS_TARGET_VP_NONE,
		.downstream_page = wire.downstream_page_offset,
		.connection_id = vmbus_channel_connection_id(c->relid, VMBUS_SINT, VMBUS_VTL),
		.event_flag = c->relid,
		.is_reserved = true,
		.reserved_vp = wire.target_vp,
		.reserved_sint = wire.target_sint,
	};
	return channel_open_or_store(s, c, &request);
}

bool vmbus_server_open_done(struct vmbus_server *s, vmbus_server_id id, int status)
{
	struct server_channel *c = server_channel_by_id(s, id);
	if (c == NULL || c->device != SERVER_DEVICE_OPENING)
		return false;
	if (status < 0) {
		device_idle(s, c, VMBUS_STATUS_FAILURE);
		return true;
	}
	c->device = SERVER_DEVICE_OPEN;
	if (c->state == SERVER_CHANNEL_OPENING) {
		c->state = SERVER_CHANNEL_OPEN;
		server_send_open_result(s, c, VMBUS_STATUS_SUCCESS);
	} else { /* revoked, or the guest has gone, meanwhile */
		server_device_close(s, c);
	}
	return true;
}

/* ---- closing ---- */

void server_device_close(struct vmbus_server *s, struct server_channel *c)
{
	c->device = SERVER_DEVICE_CLOSING;
	s->ops->channel_close(s->ctx, c->context);
}

static void reserved_response_send(struct vmbus_server *s, struct server_channel *c)
{
	const struct vmbus_close_reserved_response_wire wire = {
		.header.type = VMBUS_MESSAGE_CLOSE_RESERVED_RESPONSE,
		.relid = c->relid,
	};
	c->is_response_due = false;
	server_send_custom(s, c->response_vp, c->response_sint, &wire, sizeof wire);
}

static void closing_done(struct vmbus_server *s, struct server_channel *c)
{
	c->request.is_reserved = false;
	if (c->is_offered) {
		c->state = SERVER_CHANNEL_CLOSED;
		return;
	}
	/* a reserved channel that was opened in an earlier connection */
	server_channel_forget(s, c);
	c->state = SERVER_CHANNEL_UNOFFERED;
	server_channel_offer(s, c, 0);
}

static void reopen(struct vmbus_server *s, struct server_channel *c)
{
	c->state = SERVER_CHANNEL_CLOSED;
	const enum vmbus_rejection reason = channel_open(s, c);
	if (reason != VMBUS_REJECTION_NONE)
		vmbus_server_reject(s, reason);
}

static void released_done(struct vmbus_server *s, struct server_channel *c)
{
	s->busy_count--;
	if (c->is_removed) {
		server_channel_free(s, c);
	} else {
		server_channel_forget(s, c);
		c->state = SERVER_CHANNEL_UNOFFERED;
	}
	server_disconnect_check(s);
}

static void device_idle(struct vmbus_server *s, struct server_channel *c, uint32_t open_status)
{
	c->device = SERVER_DEVICE_IDLE;
	c->ring_gpadl = 0;
	void *removed = server_channel_take_device(c);
	server_gpadls_let_go(s, c, c->state != SERVER_CHANNEL_RELEASED);
	if (c->is_response_due)
		reserved_response_send(s, c);

	switch (c->state) {
	case SERVER_CHANNEL_OPENING:
		if (c->request.is_reserved && !c->is_offered) {
			server_send_open_result(s, c, open_status);
			closing_done(s, c);
		} else {
			c->state = SERVER_CHANNEL_CLOSED;
			server_send_open_result(s, c, open_status);
			c->request.is_reserved = false;
		}
		break;
	case SERVER_CHANNEL_CLOSING:
		closing_done(s, c);
		break;
	case SERVER_CHANNEL_CLOSING_REOPEN:
		reopen(s, c);
		break;
	case SERVER_CHANNEL_REVOKING:
		server_rescind_check(s, c);
		break;
	case SERVER_CHANNEL_RELEASED:
		released_done(s, c);
		break;
	default: /* a device is busy in no other state */
		break;
	}
	if (removed != NULL)
		s->ops->channel_gone(s->ctx, removed);
}

bool vmbus_server_close_done(struct vmbus_server *s, vmbus_server_id id)
{
	struct server_channel *c = server_channel_by_id(s, id);
	if (c == NULL || c->device != SERVER_DEVICE_CLOSING || c->is_close_due)
		return false;
	device_idle(s, c, VMBUS_STATUS_FAILURE);
	return true;
}

enum vmbus_rejection server_on_close_channel(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	(void)m;
	if (c->request.is_reserved)
		return VMBUS_REJECTION_CHANNEL_RESERVED;
	c->state = SERVER_CHANNEL_CLOSING;
	server_device_close(s, c);
	return VMBUS_REJECTION_NONE;
}

enum vmbus_rejection server_on_close_reserved(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	struct vmbus_close_reserved_channel_wire wire;
	server_message_copy(m, &wire, sizeof wire);
	if (!c->request.is_reserved)
		return VMBUS_REJECTION_CHANNEL_NOT_RESERVED;
	c->state = SERVER_CHANNEL_CLOSING;
	c->is_response_due = true;
	c->response_vp = wire.target_vp;
	c->response_sint = wire.target_sint;
	server_device_close(s, c);
	return VMBUS_REJECTION_NONE;
}

/* ---- the guest goes ---- */

/* Let go of one channel; closes are only marked, so that nothing calls back in yet. */
static void channel_disconnect(struct vmbus_server *s, struct server_channel *c, bool is_reset)
{
	if (is_reset)
		c->is_response_due = false;
	else if (server_channel_is_reserved(c) && c->state != SERVER_CHANNEL_REVOKING &&
		 c->state != SERVER_CHANNEL_CLOSING_REOPEN && c->state != SERVER_CHANNEL_RELEASED) {
		c->is_offered = false; /* survives (R-OPEN-030) */
		return;
	}
	switch (c->state) {
	case SERVER_CHANNEL_CLOSED:
		server_channel_forget(s, c);
		c->state = SERVER_CHANNEL_UNOFFERED;
		return;
	case SERVER_CHANNEL_REVOKED:
		server_channel_free(s, c);
		return;
	case SERVER_CHANNEL_REVOKING:
		if (c->device == SERVER_DEVICE_IDLE) {
			server_channel_free(s, c);
			return;
		}
		break;
	case SERVER_CHANNEL_OPEN:
		c->device = SERVER_DEVICE_CLOSING;
		c->is_close_due = true;
		break;
	case SERVER_CHANNEL_OPENING:
	case SERVER_CHANNEL_CLOSING:
	case SERVER_CHANNEL_CLOSING_REOPEN:
		break;
	default: /* free, unoffered, or released already */
		return;
	}
	c->state = SERVER_CHANNEL_RELEASED;
	c->is_offered = false;
	s->busy_count++;
}

void server_channels_disconnect(struct vmbus_server *s, bool is_reset)
{
	for (unsigned i = 1; i < s->channel_limit; i++)
		channel_disconnect(s, &s->channels[i], is_reset);
	for (unsigned i = 1; i < s->channel_limit; i++) {
		struct server_channel *c = &s->channels[i];
		if (c->is_close_due) {
			c->is_close_due = false;
			s->ops->channel_close(s->ctx, c->context);
		}
	}
}

/* ---- MODIFY_CHANNEL ---- */

static void modify_response_send(struct vmbus_server *s, uint32_t relid, uint32_t status)
{
	const struct vmbus_modify_channel_response_wire wire = {
		.header.type = VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE,
		.relid = relid,
		.status = status,
	};
	if (server_has(s, VMBUS_CAP_MODIFY_RESPONSE))
		server_send(s, &wire, sizeof wire);
}

void server_refuse_modify_channel(
	struct vmbus_server *s, const struct server_message *m, enum vmbus_rejection reason)
{
	(void)reason;
	modify_response_send(s, m->relid, VMBUS_STATUS_FAILURE);
}

enum vmbus_rejection server_on_modify_channel(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m)
{
	struct vmbus_modify_channel_wire wire;
	server_message_copy(m, &wire, sizeof wire);
	if (c->request.is_reserved)
		return VMBUS_REJECTION_CHANNEL_RESERVED;
	if (c->request.target_vp == VMBUS_TARGET_VP_NONE)
		return VMBUS_REJECTION_INTERRUPTS_DISABLED;
	if (wire.target_vp >= s->config.vp_count) /* VMBUS_TARGET_VP_NONE too */
		return VMBUS_REJECTION_TARGET_VP;
	c->request.target_vp = wire.target_vp;
	s->ops->channel_target_set(s->ctx, c->context, wire.target_vp);
	modify_response_send(s, wire.relid, VMBUS_STATUS_SUCCESS);
	return VMBUS_REJECTION_NONE;
}
