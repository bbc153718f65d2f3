// SPDX-License-Identifier: Apache-2.0
/*
 * Negotiation and responses of integration components, guest side. See ic_guest.h.
 */
#include "guest/ic_daemons/ic_guest.h"

#include <string.h>

void ic_guest_init(struct ic_guest *guest, const struct ic_guest_service *service, void *ctx)
{
	memset(guest, 0, sizeof *guest);
	guest->service = service;
	guest->ctx = ctx;
}

void ic_guest_attach(struct ic_guest *guest,
	void (*send)(void *transport, const void *reply, size_t len), void *transport)
{
	guest->send = send;
	guest->transport = transport;
}

static void pending_void(struct ic_guest *guest)
{
	if (!guest->is_pending)
		return;
	guest->is_pending = false;
	guest->late_voids++;
	if (guest->service->forget != NULL)
		guest->service->forget(guest->ctx);
}

void ic_guest_reset(struct ic_guest *guest)
{
	pending_void(guest);
	guest->is_negotiated = false;
	memset(&guest->agreement, 0, sizeof guest->agreement);
}

static enum ic_rejection reject(struct ic_guest *guest, enum ic_rejection reason)
{
	guest->rejections[reason]++;
	guest->last_rejection = reason;
	return reason;
}

static enum ic_rejection negotiate(struct ic_guest *guest, const void *bytes, size_t len,
	const struct ic_message *request, void *reply, size_t capacity, size_t *reply_len)
{
	struct ic_agreement agreement;
	pending_void(guest);
	enum ic_rejection verdict = ic_negotiate_pick(
		request, &guest->service->frameworks, &guest->service->messages, &agreement);
	*reply_len = ic_negotiate_answer(
		bytes, len, verdict == IC_OK ? &agreement : NULL, reply, capacity);
	if (verdict == IC_OK && *reply_len == 0)
		verdict = IC_REJECT_TOO_LONG;
	guest->is_negotiated = verdict == IC_OK;
	if (verdict != IC_OK)
		return reject(guest, verdict);
	guest->agreement = agreement;
	guest->negotiations++;
	return IC_OK;
}

/* Hand the request to the handler, whose reply is in the making. False: the reply comes later. */
static bool handle(struct ic_guest *guest, uint8_t *reply, size_t len, size_t body_bytes)
{
	guest->requests++;
	const uint32_t status = guest->service->handle(
		guest->ctx, &guest->agreement, reply + IC_OVERHEAD_BYTES, body_bytes);
	if (status != IC_GUEST_LATER) {
		ic_response_mark(reply, status);
		return true;
	}
	guest->later++;
	guest->is_pending = true;
	guest->pending_len = len;
	guest->pending_body_bytes = body_bytes;
	memcpy(guest->pending, reply, len);
	return false;
}

bool ic_guest_finish(struct ic_guest *guest, uint64_t ticket, uint32_t status, const void *body,
	size_t body_bytes)
{
	uint8_t *reply = (uint8_t *)guest->pending;
	if (!guest->is_pending || ticket != guest->requests)
		return false;
	guest->is_pending = false;
	if (body != NULL && body_bytes <= guest->pending_body_bytes)
		memcpy(reply + IC_OVERHEAD_BYTES, body, body_bytes);
	else if (body != NULL || status == IC_GUEST_LATER)
		status = IC_STATUS_FAIL;
	ic_response_mark(reply, status);
	if (guest->send == NULL)
		return false;
	guest->send(guest->transport, reply, guest->pending_len);
	return true;
}

/* A framed message that asks for a response: may the handler see it? */
static enum ic_rejection admit(const struct ic_guest *guest, const struct ic_message *request)
{
	if (request->header.type != guest->service->type)
		return IC_REJECT_TYPE;
	if (!guest->is_negotiated)
		return IC_REJECT_NOT_NEGOTIATED;
	if (request->body_bytes < guest->service->body_min_bytes)
		return IC_REJECT_BODY_SHORT;
	return IC_OK;
}

enum ic_rejection ic_guest_on_packet(struct ic_guest *guest, const void *bytes, size_t len,
	void *reply, size_t capacity, size_t *reply_len)
{
	const unsigned known = IC_FLAG_TRANSACTION | IC_FLAG_REQUEST | IC_FLAG_RESPONSE;
	struct ic_message request;
	*reply_len = 0;
	enum ic_rejection verdict = ic_message_decode(bytes, len, &request);
	if (verdict != IC_OK)
		return reject(guest, verdict);
	if ((request.header.flags & known) != IC_FLAGS_REQUEST)
		return reject(guest, IC_REJECT_FLAGS);
	if (request.header.type == IC_TYPE_NEGOTIATE)
		return negotiate(guest, bytes, len, &request, reply, capacity, reply_len);

	verdict = admit(guest, &request);
	if (verdict == IC_REJECT_BODY_SHORT)
		return reject(guest, verdict);
	if (verdict == IC_OK && guest->is_pending)
		return reject(guest, IC_REJECT_BUSY);
	size_t answer_len = IC_OVERHEAD_BYTES + request.capacity_bytes;
	if (capacity < answer_len)
		return reject(guest, IC_REJECT_TOO_LONG);
	size_t body_bytes = request.body_bytes;
	memmove(reply, bytes, answer_len);
	if (verdict == IC_OK) {
		*reply_len = handle(guest, reply, answer_len, body_bytes) ? answer_len : 0;
		return IC_OK;
	}
	ic_response_mark(reply, IC_STATUS_FAIL);
	*reply_len = answer_len;
	return reject(guest, verdict);
}

uint64_t ic_guest_rejections(const struct ic_guest *guest)
{
	uint64_t sum = 0;
	for (size_t i = 1; i < IC_REJECTION_COUNT; i++)
		sum += guest->rejections[i];
	return sum;
}
