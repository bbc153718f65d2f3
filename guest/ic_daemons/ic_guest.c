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

void ic_guest_reset(struct ic_guest *guest)
{
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
	size_t answer_len = IC_OVERHEAD_BYTES + request.capacity_bytes;
	if (capacity < answer_len)
		return reject(guest, IC_REJECT_TOO_LONG);
	size_t body_bytes = request.body_bytes;
	memmove(reply, bytes, answer_len);
	uint32_t status = IC_STATUS_FAIL;
	if (verdict == IC_OK) {
		guest->requests++;
		status = guest->service->handle(guest->ctx, &guest->agreement,
			(uint8_t *)reply + IC_OVERHEAD_BYTES, body_bytes);
	}
	ic_response_mark(reply, status);
	*reply_len = answer_len;
	return verdict == IC_OK ? IC_OK : reject(guest, verdict);
}

uint64_t ic_guest_rejections(const struct ic_guest *guest)
{
	uint64_t sum = 0;
	for (size_t i = 1; i < IC_REJECTION_COUNT; i++)
		sum += guest->rejections[i];
	return sum;
}
