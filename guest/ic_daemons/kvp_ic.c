// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pair exchange, guest side. See kvp_ic.h.
 */
#include "guest/ic_daemons/kvp_ic.h"

#include <string.h>

static const struct ic_version_wire framework_versions[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire message_versions[] = {{1, 0}, {3, 0}, {4, 0}, {5, 0}};

/* R-KVP-014 to R-KVP-019: nothing is guessed from a body that is wrong. */
static uint32_t refuse(struct kvp_ic *kvp, enum kvp_reason reason)
{
	kvp->refused[reason]++;
	return reason == KVP_BAD_OPERATION ? IC_STATUS_NOT_SUPPORTED : IC_STATUS_INVALID_ARGUMENT;
}

/* ---- Pairs. */

static uint32_t get(struct kvp_ic *kvp, uint8_t *body)
{
	struct kvp_exchange_wire message;
	memcpy(&message, body, sizeof message);
	enum kvp_reason reason = kvp_key_decode(
		message.value.key, message.value.key_bytes, UTF16_REFUSE, kvp->item.key);
	if (reason != KVP_OK)
		return refuse(kvp, reason);
	/* The operation's answer goes into the item that has the question. */
	char key[KVP_KEY_TEXT_BYTES];
	memcpy(key, kvp->item.key, sizeof key);
	uint32_t status = kvp->ops->get(kvp->ctx, message.header.pool, key, &kvp->item);
	if (status != IC_STATUS_SUCCESS)
		return status;
	reason = kvp_value_encode(&kvp->item, &message.value);
	if (reason != KVP_OK)
		return refuse(kvp, reason);
	memcpy(body, &message, sizeof message);
	return IC_STATUS_SUCCESS;
}

static uint32_t set(struct kvp_ic *kvp, uint8_t *body)
{
	struct kvp_exchange_wire message;
	memcpy(&message, body, sizeof message);
	enum kvp_reason reason = kvp_value_decode(&message.value, UTF16_REFUSE, &kvp->item);
	if (reason != KVP_OK)
		return refuse(kvp, reason);
	return kvp->ops->set(kvp->ctx, message.header.pool, &kvp->item);
}

static uint32_t remove_key(struct kvp_ic *kvp, uint8_t *body)
{
	struct kvp_delete_wire message;
	memcpy(&message, body, sizeof message);
	enum kvp_reason reason = kvp_key_decode(
		message.key, message.key_bytes, UTF16_REFUSE, kvp->item.key);
	if (reason != KVP_OK)
		return refuse(kvp, reason);
	return kvp->ops->remove(kvp->ctx, message.header.pool, kvp->item.key);
}

static uint32_t enumerate(struct kvp_ic *kvp, uint8_t *body)
{
	struct kvp_enumerate_wire message;
	memcpy(&message, body, sizeof message);
	uint32_t status = kvp->ops->enumerate(
		kvp->ctx, message.header.pool, message.index, &kvp->item);
	if (status != IC_STATUS_SUCCESS)
		return status;
	enum kvp_reason reason = kvp_value_encode(&kvp->item, &message.value);
	if (reason != KVP_OK)
		return refuse(kvp, reason);
	memcpy(body, &message, sizeof message);
	return IC_STATUS_SUCCESS;
}

/* ---- Addresses. */

/* The unit at an index of UTF-16LE text. */
static unsigned unit_at(const uint8_t *text, size_t index)
{
	return (unsigned)(text[2 * index] | text[2 * index + 1] << 8);
}

/* Is the entry of a list that starts at `index` a dotted mask? */
static bool is_dotted(const uint8_t *list, size_t index, size_t units)
{
	for (; index < units; index++) {
		unsigned unit = unit_at(list, index);
		if (unit == '.')
			return true;
		if (unit == ';' || unit == 0)
			return false;
	}
	return false;
}

/*
 * A guest gives prefixes of IPv6 as "/64", a host sends them as "64" (R-KVP-026). False: there is
 * no room.
 */
static bool slashes_put(uint8_t list[2048])
{
	uint8_t old[2048];
	const size_t units = sizeof old / 2;
	size_t to = 0;
	bool is_start = true;
	memcpy(old, list, sizeof old);
	memset(list, 0, sizeof old);
	for (size_t from = 0; from < units && unit_at(old, from) != 0; from++) {
		if (is_start && !is_dotted(old, from, units) && to < units)
			list[2 * to++] = '/';
		if (to + 1 >= units)
			return false;
		list[2 * to] = old[2 * from];
		list[2 * to + 1] = old[2 * from + 1];
		to++;
		is_start = unit_at(old, from) == ';';
	}
	return true;
}

enum kvp_reason kvp_ic_ip_text(struct kvp_ip *ip, struct kvp_ip_text_wire *wire)
{
	for (;;) {
		enum kvp_reason reason = kvp_ip_text_encode(ip, wire);
		if (reason == KVP_OK && !slashes_put(wire->subnets))
			reason = KVP_NO_ROOM;
		if (reason != KVP_NO_ROOM || (ip->address_count == 0 && ip->dns_count == 0))
			return reason;
		if (ip->address_count >= ip->dns_count)
			ip->address_count--;
		else
			ip->dns_count--;
	}
}

/* The adapter of a request, which is all that GET_IP says. */
static enum kvp_reason adapter_decode(const uint8_t *field, char *adapter)
{
	if (!utf16_has_nul(field, KVP_ADAPTER_BYTES))
		return KVP_BAD_END;
	return utf16_to_utf8(field, KVP_ADAPTER_BYTES, UTF16_REFUSE, adapter,
		       KVP_ADAPTER_TEXT_BYTES, NULL) == UTF16_OK
		       ? KVP_OK
		       : KVP_BAD_TEXT;
}

static uint32_t ip_get(struct kvp_ic *kvp, bool is_binary, uint8_t *body)
{
	union {
		struct kvp_header_wire header;
		struct kvp_ip_text_wire text;
		struct kvp_ip_binary_wire binary;
	} message;
	const size_t adapter_at = is_binary ? offsetof(struct kvp_ip_binary_wire, adapter)
					    : offsetof(struct kvp_ip_text_wire, adapter);
	memset(&kvp->ip, 0, sizeof kvp->ip);
	enum kvp_reason reason = adapter_decode(body + adapter_at, kvp->ip.adapter);
	if (reason != KVP_OK)
		return refuse(kvp, reason);
	uint32_t status = kvp->ops->ip_get(kvp->ctx, &kvp->ip);
	if (status != IC_STATUS_SUCCESS)
		return status;
	memset(&message, 0, sizeof message);
	reason = is_binary ? kvp_ip_binary_encode(&kvp->ip, &message.binary)
			   : kvp_ic_ip_text(&kvp->ip, &message.text);
	if (reason != KVP_OK)
		return refuse(kvp, reason);
	memcpy(&message.header, body, sizeof message.header);
	memcpy(body, &message, is_binary ? sizeof message.binary : sizeof message.text);
	return IC_STATUS_SUCCESS;
}

static uint32_t ip_set(struct kvp_ic *kvp, bool is_binary, const uint8_t *body)
{
	union {
		struct kvp_ip_text_wire text;
		struct kvp_ip_binary_wire binary;
	} message;
	memcpy(&message, body, is_binary ? sizeof message.binary : sizeof message.text);
	enum kvp_reason reason = is_binary ? kvp_ip_binary_decode(&message.binary, &kvp->ip)
					   : kvp_ip_text_decode(&message.text, &kvp->ip);
	if (reason == KVP_OK && kvp->ip.unreadable != 0)
		reason = KVP_BAD_ADDRESS;
	if (reason != KVP_OK)
		return refuse(kvp, reason);
	uint32_t status = kvp->ops->ip_set(kvp->ctx, &kvp->ip);
	kvp->is_pending = status == IC_GUEST_LATER;
	kvp->ticket = ic_guest_ticket(&kvp->ic);
	return status;
}

void kvp_ic_finish(struct kvp_ic *kvp, uint32_t status)
{
	if (!kvp->is_pending)
		return;
	kvp->is_pending = false;
	(void)ic_guest_finish(&kvp->ic, kvp->ticket, status, NULL, 0);
}

/* ---- The component. */

static uint32_t handle(
	void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes)
{
	struct kvp_ic *kvp = ctx;
	struct kvp_header_wire header; /* body_min_bytes */
	memcpy(&header, body, sizeof header);
	if (header.operation >= KVP_OPERATION_COUNT)
		return refuse(kvp, KVP_BAD_OPERATION);
	if (body_bytes < kvp_body_needs(header.operation, agreement->message))
		return refuse(kvp, KVP_BAD_SIZE);
	bool is_ip = header.operation >= KVP_OPERATION_GET_IP;
	if (!is_ip && header.pool >= KVP_POOL_INTERNAL)
		return refuse(kvp, KVP_BAD_POOL);
	bool is_binary = kvp_has_binary_ip(agreement->message);
	kvp->operations[header.operation]++;
	switch (header.operation) {
	case KVP_OPERATION_GET:
		return get(kvp, body);
	case KVP_OPERATION_SET:
		return set(kvp, body);
	case KVP_OPERATION_DELETE:
		return remove_key(kvp, body);
	case KVP_OPERATION_ENUMERATE:
		return enumerate(kvp, body);
	case KVP_OPERATION_GET_IP:
		return ip_get(kvp, is_binary, body);
	default:
		return ip_set(kvp, is_binary, body);
	}
}

static void forget(void *ctx)
{
	struct kvp_ic *kvp = ctx;
	kvp->is_pending = false;
}

const struct ic_guest_service kvp_ic_service = {
	.name = "kvp",
	.type = IC_TYPE_KVP,
	.body_min_bytes = sizeof(struct kvp_header_wire),
	.frameworks = {framework_versions, 2},
	.messages = {message_versions, 4},
	.handle = handle,
	.forget = forget,
};

void kvp_ic_init(struct kvp_ic *kvp, const struct kvp_ops *ops, void *ctx)
{
	memset(kvp, 0, sizeof *kvp);
	kvp->ops = ops;
	kvp->ctx = ctx;
	ic_guest_init(&kvp->ic, &kvp_ic_service, kvp);
}
