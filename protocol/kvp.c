// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pairs: names, keys and values. See kvp.h; addresses are in kvp_ip.c.
 *
 * Freestanding; pure functions over private bytes; call from any thread.
 */
#include "protocol/kvp.h"

static const char *const reason_names[KVP_REASON_COUNT] = {
#define KVP_REASON_NAME(symbol, name) [symbol] = (name),
	KVP_REASONS(KVP_REASON_NAME)
#undef KVP_REASON_NAME
};

static const struct operation {
	const char *name;
	size_t needs;
} operations[KVP_OPERATION_COUNT] = {
	[KVP_OPERATION_GET] = {"get", sizeof(struct kvp_exchange_wire)},
	[KVP_OPERATION_SET] = {"set", sizeof(struct kvp_exchange_wire)},
	[KVP_OPERATION_DELETE] = {"delete", sizeof(struct kvp_delete_wire)},
	[KVP_OPERATION_ENUMERATE] = {"enumerate", sizeof(struct kvp_enumerate_wire)},
	[KVP_OPERATION_GET_IP] = {"get IP", sizeof(struct kvp_ip_text_wire)},
	[KVP_OPERATION_SET_IP] = {"set IP", sizeof(struct kvp_ip_text_wire)},
};

static const char *const pool_names[KVP_POOL_COUNT] = {
	[KVP_POOL_EXTERNAL] = "external",
	[KVP_POOL_GUEST] = "guest",
	[KVP_POOL_AUTO] = "auto",
	[KVP_POOL_AUTO_EXTERNAL] = "auto-external",
	[KVP_POOL_INTERNAL] = "internal",
};

static const char *const auto_keys[KVP_AUTO_COUNT] = {
	[KVP_AUTO_DOMAIN_NAME] = "FullyQualifiedDomainName",
	[KVP_AUTO_SERVICES_VERSION] = "IntegrationServicesVersion",
	[KVP_AUTO_ADDRESS_IPV4] = "NetworkAddressIPv4",
	[KVP_AUTO_ADDRESS_IPV6] = "NetworkAddressIPv6",
	[KVP_AUTO_OS_BUILD] = "OSBuildNumber",
	[KVP_AUTO_OS_NAME] = "OSName",
	[KVP_AUTO_OS_MAJOR] = "OSMajorVersion",
	[KVP_AUTO_OS_MINOR] = "OSMinorVersion",
	[KVP_AUTO_OS_VERSION] = "OSVersion",
	[KVP_AUTO_PROCESSOR] = "ProcessorArchitecture",
};

size_t kvp_body_needs(uint8_t operation, struct ic_version_wire message)
{
	if (operation >= KVP_OPERATION_COUNT)
		return 0;
	if (operation >= KVP_OPERATION_GET_IP && kvp_has_binary_ip(message))
		return sizeof(struct kvp_ip_binary_wire);
	return operations[operation].needs;
}

const char *kvp_reason_name(enum kvp_reason reason)
{
	return (unsigned)reason < KVP_REASON_COUNT ? reason_names[reason] : "unknown";
}

const char *kvp_operation_name(uint8_t operation)
{
	return operation < KVP_OPERATION_COUNT ? operations[operation].name : "unknown";
}

const char *kvp_pool_name(uint8_t pool)
{
	return pool < KVP_POOL_COUNT ? pool_names[pool] : "unknown";
}

const char *kvp_auto_key(uint32_t index)
{
	return index < KVP_AUTO_COUNT ? auto_keys[index] : NULL;
}

/* --- text --------------------------------------------------------------------------------- */

/*
 * A text of `bytes`, NUL included, in a field of `field_bytes`. `bad_size` is the reason for a
 * size that cannot be.
 */
static enum kvp_reason text_decode(const uint8_t *field, uint32_t bytes, uint32_t field_bytes,
	enum utf16_policy policy, enum kvp_reason bad_size, char *to, size_t capacity)
{
	to[0] = '\0';
	if (bytes == 0 || bytes % 2 != 0 || bytes > field_bytes)
		return bad_size;
	if (!utf16_has_nul(field, bytes))
		return KVP_BAD_END;
	if (utf16_to_utf8(field, bytes, policy, to, capacity, NULL) != UTF16_OK)
		return KVP_BAD_TEXT;
	return KVP_OK;
}

/* `from` is NUL-ended within `from_bytes`. */
static enum kvp_reason text_encode(
	const char *from, size_t from_bytes, uint8_t *field, size_t field_bytes, uint32_t *bytes)
{
	size_t written;
	__builtin_memset(field, 0, field_bytes);
	switch (utf16_from_utf8(from, from_bytes, UTF16_REFUSE, field, field_bytes, &written)) {
	case UTF16_OK:
		*bytes = (uint32_t)written;
		return KVP_OK;
	case UTF16_NO_ROOM:
		return KVP_NO_ROOM;
	default:
		return KVP_BAD_TEXT;
	}
}

enum kvp_reason kvp_key_decode(const uint8_t field[KVP_KEY_BYTES], uint32_t key_bytes,
	enum utf16_policy policy, char key[KVP_KEY_TEXT_BYTES])
{
	enum kvp_reason reason = text_decode(
		field, key_bytes, KVP_KEY_BYTES, policy, KVP_BAD_KEY_SIZE, key, KVP_KEY_TEXT_BYTES);
	if (reason == KVP_OK && key[0] == '\0')
		reason = KVP_EMPTY_KEY;
	return reason;
}

enum kvp_reason kvp_key_encode(const char *key, uint8_t field[KVP_KEY_BYTES], uint32_t *key_bytes)
{
	*key_bytes = 0;
	if (key[0] == '\0') {
		__builtin_memset(field, 0, KVP_KEY_BYTES);
		return KVP_EMPTY_KEY;
	}
	return text_encode(key, KVP_KEY_TEXT_BYTES, field, KVP_KEY_BYTES, key_bytes);
}

/* --- values ------------------------------------------------------------------------------- */

/* The digits of a number; the longest, 2^64 - 1, has 20. */
static void decimal(uint64_t number, char text[21])
{
	char digits[20];
	size_t count = 0;
	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	for (size_t i = 0; i < count; i++)
		text[i] = digits[count - 1 - i];
	text[count] = '\0';
}

bool kvp_number_parse(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t number = 0;
	if (text[0] == '\0')
		return false;
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] < '0' || text[i] > '9' ||
			__builtin_mul_overflow(number, 10u, &number) ||
			__builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
			return false;
	}
	if (number > max)
		return false;
	*out = number;
	return true;
}

static enum kvp_reason number_decode(
	const struct kvp_value_wire *wire, size_t bytes, struct kvp_item *out)
{
	if (wire->value_bytes != bytes)
		return KVP_BAD_VALUE_SIZE;
	__builtin_memcpy(&out->number, wire->value, bytes);
	decimal(out->number, out->value);
	return KVP_OK;
}

static enum kvp_reason content_decode(
	const struct kvp_value_wire *wire, enum utf16_policy policy, struct kvp_item *out)
{
	switch (wire->type) {
	case KVP_TYPE_STRING:
	case KVP_TYPE_EXPAND_STRING:
		if (wire->value_bytes == 0)
			return KVP_OK;
		return text_decode(wire->value, wire->value_bytes, KVP_VALUE_BYTES, policy,
			KVP_BAD_VALUE_SIZE, out->value, sizeof out->value);
	case KVP_TYPE_U32:
		return number_decode(wire, 4, out);
	case KVP_TYPE_U64:
		return number_decode(wire, 8, out);
	default:
		return KVP_BAD_TYPE;
	}
}

enum kvp_reason kvp_value_decode(
	const struct kvp_value_wire *wire, enum utf16_policy policy, struct kvp_item *out)
{
	out->type = wire->type;
	out->number = 0;
	out->value[0] = '\0';
	enum kvp_reason reason = kvp_key_decode(wire->key, wire->key_bytes, policy, out->key);
	return reason == KVP_OK ? content_decode(wire, policy, out) : reason;
}

enum kvp_reason kvp_value_encode(const struct kvp_item *item, struct kvp_value_wire *wire)
{
	uint32_t key_bytes;
	uint32_t value_bytes = 0;
	__builtin_memset(wire, 0, sizeof *wire);
	enum kvp_reason reason = kvp_key_encode(item->key, wire->key, &key_bytes);
	if (reason != KVP_OK)
		return reason;
	switch (item->type) {
	case KVP_TYPE_STRING:
	case KVP_TYPE_EXPAND_STRING:
		reason = text_encode(item->value, sizeof item->value, wire->value, KVP_VALUE_BYTES,
			&value_bytes);
		if (reason != KVP_OK)
			return reason;
		break;
	case KVP_TYPE_U32:
		if (item->number > UINT32_MAX)
			return KVP_BAD_VALUE_SIZE;
		value_bytes = 4;
		__builtin_memcpy(wire->value, &item->number, 4);
		break;
	case KVP_TYPE_U64:
		value_bytes = 8;
		__builtin_memcpy(wire->value, &item->number, 8);
		break;
	default:
		return KVP_BAD_TYPE;
	}
	wire->type = item->type;
	wire->key_bytes = key_bytes;
	wire->value_bytes = value_bytes;
	return KVP_OK;
}
