// SPDX-License-Identifier: Apache-2.0
/*
 * Negotiation and transactions of integration components, host side. See ic_host.h.
 */
#include "host/vsp/ic_host.h"

#include <string.h>

static const char *const state_names[] = {
	[IC_HOST_CLOSED] = "closed",
	[IC_HOST_NEGOTIATING] = "negotiating",
	[IC_HOST_READY] = "ready",
	[IC_HOST_FAILED] = "failed",
};

const char *ic_host_state_name(enum ic_host_state state)
{
	return state_names[state];
}

void ic_host_init(struct ic_host *host, const struct ic_component *component)
{
	memset(host, 0, sizeof *host);
	host->component = component;
	host->state = IC_HOST_CLOSED;
}

void ic_host_open(struct ic_host *host)
{
	host->state = IC_HOST_NEGOTIATING;
	host->failure = IC_OK;
	host->is_outstanding = false;
	host->transaction_id = UINT8_MAX; /* the first request gets 0 */
	memset(&host->agreement, 0, sizeof host->agreement);
	ic_host_budget_renew(host);
}

void ic_host_close(struct ic_host *host)
{
	host->state = IC_HOST_CLOSED;
	host->is_outstanding = false;
}

static void fail(struct ic_host *host, enum ic_rejection reason)
{
	host->state = IC_HOST_FAILED;
	host->failure = reason;
	host->is_outstanding = false;
}

static size_t mark_sent(struct ic_host *host, size_t len)
{
	if (len == 0)
		return 0;
	host->is_outstanding = true;
	host->requests++;
	return len;
}

/* Ids run through all 256 values, so a late answer to an abandoned request is told apart. */
static uint8_t transaction_id_next(const struct ic_host *host)
{
	return (uint8_t)(host->transaction_id + 1);
}

size_t ic_host_negotiate(struct ic_host *host, void *buffer, size_t capacity)
{
	if (host->state != IC_HOST_NEGOTIATING || host->is_outstanding)
		return 0;
	size_t len = ic_negotiate_request(&host->component->frameworks, &host->component->messages,
		transaction_id_next(host), buffer, capacity);
	if (len != 0)
		host->transaction_id = transaction_id_next(host);
	return mark_sent(host, len);
}

size_t ic_host_request(
	struct ic_host *host, const void *body, uint16_t body_bytes, void *buffer, size_t capacity)
{
	if (host->state != IC_HOST_READY || host->is_outstanding)
		return 0;
	struct ic_header_wire header = {
		.framework = host->agreement.framework,
		.type = host->component->type,
		.message = host->agreement.message,
		.body_bytes = body_bytes,
		.transaction_id = transaction_id_next(host),
		.flags = IC_FLAGS_REQUEST,
	};
	size_t len = ic_message_frame(buffer, capacity, &header);
	if (len == 0)
		return 0;
	memcpy((uint8_t *)buffer + IC_OVERHEAD_BYTES, body, body_bytes);
	host->transaction_id = header.transaction_id;
	return mark_sent(host, len);
}

void ic_host_unsend(struct ic_host *host)
{
	if (!host->is_outstanding)
		return;
	host->is_outstanding = false;
	host->requests--;
}

void ic_host_abandon(struct ic_host *host)
{
	if (!host->is_outstanding)
		return;
	host->is_outstanding = false;
	host->abandoned++;
}

enum ic_host_event ic_host_reject(struct ic_host *host, enum ic_rejection reason)
{
	host->rejections[reason]++;
	host->last_rejection = reason;
	if (host->state == IC_HOST_CLOSED || host->state == IC_HOST_FAILED)
		return IC_HOST_DROPPED;
	if (host->rejections_left > 0) {
		host->rejections_left--;
		return IC_HOST_DROPPED;
	}
	fail(host, IC_REJECT_FLOOD);
	return IC_HOST_BROKEN;
}

/* A response whose framing holds: does it answer what is outstanding? */
static enum ic_rejection match(const struct ic_host *host, const struct ic_message *message)
{
	const unsigned known = IC_FLAG_TRANSACTION | IC_FLAG_REQUEST | IC_FLAG_RESPONSE;
	if ((message->header.flags & known) != IC_FLAGS_RESPONSE)
		return IC_REJECT_FLAGS;
	bool is_negotiation = message->header.type == IC_TYPE_NEGOTIATE;
	if (!is_negotiation && message->header.type != host->component->type)
		return IC_REJECT_TYPE;
	if (host->state == IC_HOST_NEGOTIATING && !is_negotiation)
		return IC_REJECT_STALE;
	if (!host->is_outstanding)
		return IC_REJECT_UNSOLICITED;
	if (host->state == IC_HOST_READY && is_negotiation)
		return IC_REJECT_UNSOLICITED;
	if (message->header.transaction_id != host->transaction_id)
		return IC_REJECT_TRANSACTION_ID;
	return IC_OK;
}

static enum ic_host_event finish_negotiation(struct ic_host *host, const struct ic_message *answer)
{
	enum ic_rejection result = ic_negotiate_result(
		answer, &host->component->frameworks, &host->component->messages, &host->agreement);
	if (result == IC_OK) {
		host->state = IC_HOST_READY;
		return IC_HOST_AGREED;
	}
	host->rejections[result]++;
	host->last_rejection = result;
	fail(host, result);
	return IC_HOST_BROKEN;
}

enum ic_host_event ic_host_on_packet(
	struct ic_host *host, const void *bytes, size_t len, struct ic_message *response)
{
	if (host->state == IC_HOST_CLOSED || host->state == IC_HOST_FAILED)
		return ic_host_reject(host, IC_REJECT_CLOSED);
	enum ic_rejection verdict = ic_message_decode(bytes, len, response);
	if (verdict == IC_OK)
		verdict = match(host, response);
	if (verdict != IC_OK)
		return ic_host_reject(host, verdict);
	host->is_outstanding = false;
	host->responses++;
	if (host->state == IC_HOST_NEGOTIATING)
		return finish_negotiation(host, response);
	return IC_HOST_ANSWERED;
}

void ic_host_budget_renew(struct ic_host *host)
{
	host->rejections_left = IC_HOST_REJECTIONS_MAX;
}

uint64_t ic_host_rejections(const struct ic_host *host)
{
	uint64_t sum = 0;
	for (size_t i = 1; i < IC_REJECTION_COUNT; i++)
		sum += host->rejections[i];
	return sum;
}
