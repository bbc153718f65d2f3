// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pairs: the addresses of an adapter, as text lists and in binary. See kvp.h;
 * one address is in kvp_address.c.
 *
 * Freestanding; pure functions over private bytes; call from any thread.
 */
#include "protocol/kvp.h"

#define V4_BITS 32u
#define V6_BITS 128u

/* --- lists of addresses ------------------------------------------------------------------- */

/* A list that is filled: at most `max` of each family. */
struct list {
	struct kvp_address *at;
	uint16_t *count;
	uint16_t max;
	uint16_t of_family[2];
};

static bool list_add(struct list *list, const struct kvp_address *address)
{
	uint16_t *held = &list->of_family[address->family == KVP_FAMILY_IPV6];
	if (*held == list->max)
		return false;
	(*held)++;
	list->at[(*list->count)++] = *address;
	return true;
}

static struct list addresses_of(struct kvp_ip *ip)
{
	return (struct list){ip->addresses, &ip->address_count, KVP_ADDRESSES_MAX, {0, 0}};
}

static struct list gateways_of(struct kvp_ip *ip)
{
	return (struct list){ip->gateways, &ip->gateway_count, KVP_GATEWAYS_MAX, {0, 0}};
}

static struct list dns_of(struct kvp_ip *ip)
{
	return (struct list){ip->dns, &ip->dns_count, KVP_ADDRESSES_MAX, {0, 0}};
}

static enum kvp_reason adapter_decode(const uint8_t field[KVP_ADAPTER_BYTES], struct kvp_ip *out)
{
	if (!utf16_has_nul(field, KVP_ADAPTER_BYTES))
		return KVP_BAD_END;
	if (utf16_to_utf8(field, KVP_ADAPTER_BYTES, UTF16_REFUSE, out->adapter, sizeof out->adapter,
		    NULL) != UTF16_OK)
		return KVP_BAD_TEXT;
	return KVP_OK;
}

static enum kvp_reason adapter_encode(const struct kvp_ip *ip, uint8_t field[KVP_ADAPTER_BYTES])
{
	switch (utf16_from_utf8(
		ip->adapter, sizeof ip->adapter, UTF16_REFUSE, field, KVP_ADAPTER_BYTES, NULL)) {
	case UTF16_OK:
		return KVP_OK;
	case UTF16_NO_ROOM:
		return KVP_NO_ROOM;
	default:
		return KVP_BAD_TEXT;
	}
}

/* --- text form ---------------------------------------------------------------------------- */

/* Longer entries are read past and are no addresses. */
#define ENTRY_MAX (KVP_ADDRESS_TEXT_BYTES - 1u)

struct entries {
	const uint8_t *units;
	size_t count; /* up to the NUL */
	size_t at;
};

struct entry {
	char text[ENTRY_MAX];
	size_t length; /* 0: longer than any address, or not ASCII */
};

static enum kvp_reason entries_over(struct entries *entries, const uint8_t *field, size_t bytes)
{
	*entries = (struct entries){.units = field};
	while (entries->count < bytes / 2) {
		const uint8_t *unit = field + 2 * entries->count;
		if (unit[0] == 0 && unit[1] == 0)
			return KVP_OK;
		entries->count++;
	}
	return KVP_BAD_END;
}

/* The next entry that is not empty. False: there is none. */
static bool entries_next(struct entries *entries, struct entry *out)
{
	bool has_any = false;
	bool is_readable = true;
	out->length = 0;
	while (entries->at < entries->count) {
		const uint8_t *unit = entries->units + 2 * entries->at++;
		if (unit[1] == 0 && unit[0] == ';') {
			if (has_any)
				break;
			continue;
		}
		if (unit[1] == 0 && unit[0] == ' ')
			continue;
		has_any = true;
		if (unit[1] != 0 || unit[0] > 0x7E || out->length == ENTRY_MAX)
			is_readable = false;
		else
			out->text[out->length++] = (char)unit[0];
	}
	if (!is_readable)
		out->length = 0;
	return has_any;
}

static enum kvp_reason list_decode(
	const uint8_t *field, size_t bytes, struct list list, uint16_t *unreadable)
{
	struct entries entries;
	struct entry entry;
	enum kvp_reason reason = entries_over(&entries, field, bytes);
	while (reason == KVP_OK && entries_next(&entries, &entry)) {
		struct kvp_address address;
		if (!kvp_address_parse(entry.text, entry.length, &address))
			(*unreadable)++;
		else if (!list_add(&list, &address))
			reason = KVP_BAD_COUNT;
	}
	return reason;
}

/* Without any subnets all prefixes are unknown; else there is one for each address. */
static enum kvp_reason subnets_decode(const struct kvp_ip_text_wire *wire, struct kvp_ip *out)
{
	struct entries entries;
	struct entries subnets = {0};
	struct entry entry;
	struct entry subnet;
	struct list list = addresses_of(out);
	enum kvp_reason reason = entries_over(&entries, wire->addresses, sizeof wire->addresses);
	if (reason == KVP_OK)
		reason = entries_over(&subnets, wire->subnets, sizeof wire->subnets);
	bool has_subnets = reason == KVP_OK && subnets.count != 0;
	while (reason == KVP_OK && entries_next(&entries, &entry)) {
		struct kvp_address address;
		if (has_subnets && !entries_next(&subnets, &subnet))
			return KVP_BAD_SUBNETS;
		if (!kvp_address_parse(entry.text, entry.length, &address)) {
			out->unreadable++;
			continue;
		}
		if (has_subnets)
			address.prefix = kvp_prefix_parse(
				subnet.text, subnet.length, address.family);
		if (has_subnets && address.prefix == KVP_PREFIX_UNKNOWN)
			out->unreadable++;
		if (!list_add(&list, &address))
			reason = KVP_BAD_COUNT;
	}
	if (reason == KVP_OK && has_subnets && entries_next(&subnets, &subnet))
		reason = KVP_BAD_SUBNETS;
	return reason;
}

enum kvp_reason kvp_ip_text_decode(const struct kvp_ip_text_wire *wire, struct kvp_ip *out)
{
	__builtin_memset(out, 0, sizeof *out);
	out->family = wire->family;
	out->is_dhcp = wire->dhcp != 0;
	if (wire->family > KVP_FAMILY_BOTH)
		return KVP_BAD_FAMILY;
	enum kvp_reason reason = adapter_decode(wire->adapter, out);
	if (reason == KVP_OK)
		reason = subnets_decode(wire, out);
	if (reason == KVP_OK)
		reason = list_decode(
			wire->gateways, sizeof wire->gateways, gateways_of(out), &out->unreadable);
	if (reason == KVP_OK)
		reason = list_decode(wire->dns, sizeof wire->dns, dns_of(out), &out->unreadable);
	return reason;
}

/* A field that is filled with entries; its NUL stays free. */
struct field {
	uint8_t *units;
	size_t capacity; /* units */
	size_t used;
};

static bool field_put(struct field *field, const char *text, size_t length)
{
	size_t separator = field->used != 0 ? 1 : 0;
	if (length + separator >= field->capacity - field->used)
		return false;
	if (separator != 0)
		field->units[2 * field->used++] = ';';
	for (size_t i = 0; i < length; i++)
		field->units[2 * field->used++] = (uint8_t)text[i];
	return true;
}

static enum kvp_reason list_encode(
	const struct kvp_address *at, uint16_t count, uint8_t *to, size_t bytes)
{
	struct field field = {to, bytes / 2, 0};
	for (uint16_t i = 0; i < count; i++) {
		char text[KVP_ADDRESS_TEXT_BYTES];
		size_t length = kvp_address_format(&at[i], text);
		if (!field_put(&field, text, length))
			return KVP_NO_ROOM;
	}
	return KVP_OK;
}

/* The subnets, if each address has one. */
static enum kvp_reason subnets_encode(const struct kvp_ip *ip, struct kvp_ip_text_wire *wire)
{
	struct field field = {wire->subnets, sizeof wire->subnets / 2, 0};
	for (uint16_t i = 0; i < ip->address_count; i++)
		if (ip->addresses[i].prefix == KVP_PREFIX_UNKNOWN)
			return KVP_OK;
	for (uint16_t i = 0; i < ip->address_count; i++) {
		char text[KVP_ADDRESS_TEXT_BYTES];
		size_t length = kvp_prefix_format(
			ip->addresses[i].prefix, ip->addresses[i].family, text);
		if (!field_put(&field, text, length))
			return KVP_NO_ROOM;
	}
	return KVP_OK;
}

enum kvp_reason kvp_ip_text_encode(const struct kvp_ip *ip, struct kvp_ip_text_wire *wire)
{
	struct kvp_header_wire header = wire->header;
	__builtin_memset(wire, 0, sizeof *wire);
	wire->header = header;
	wire->family = ip->family;
	wire->dhcp = ip->is_dhcp;
	enum kvp_reason reason = adapter_encode(ip, wire->adapter);
	if (reason == KVP_OK)
		reason = list_encode(
			ip->addresses, ip->address_count, wire->addresses, sizeof wire->addresses);
	if (reason == KVP_OK)
		reason = subnets_encode(ip, wire);
	if (reason == KVP_OK)
		reason = list_encode(
			ip->gateways, ip->gateway_count, wire->gateways, sizeof wire->gateways);
	if (reason == KVP_OK)
		reason = list_encode(ip->dns, ip->dns_count, wire->dns, sizeof wire->dns);
	return reason;
}

/* --- binary form -------------------------------------------------------------------------- */

/* Append `count` addresses of 4 or 16 bytes, one after the other at `from`. */
static void binary_take(struct list *list, uint8_t family, const uint8_t *from, uint32_t count)
{
	size_t bytes = family == KVP_FAMILY_IPV4 ? 4 : 16;
	for (uint32_t i = 0; i < count; i++) {
		struct kvp_address address = {.family = family, .prefix = KVP_PREFIX_UNKNOWN};
		__builtin_memcpy(address.bytes, from + i * bytes, bytes);
		(void)list_add(list, &address);
	}
}

/* Counts fit; the addresses of *out are those of the message, IPv4 first. */
static enum kvp_reason binary_subnets(const struct kvp_ip_binary_wire *wire, struct kvp_ip *out)
{
	for (uint32_t i = 0; i < out->address_count; i++) {
		struct kvp_address *address = &out->addresses[i];
		uint16_t origin = wire->origins[i];
		if (address->family == KVP_FAMILY_IPV4)
			address->prefix = kvp_mask_prefix(wire->masks_v4[i], 4);
		else if (wire->prefixes_v6[i - wire->address_v4] <= V6_BITS)
			address->prefix = (uint8_t)wire->prefixes_v6[i - wire->address_v4];
		if (address->prefix == KVP_PREFIX_UNKNOWN)
			return KVP_BAD_SUBNETS;
		if (origin <= KVP_ORIGIN_STATIC)
			address->origin = (uint8_t)origin;
	}
	return KVP_OK;
}

enum kvp_reason kvp_ip_binary_decode(const struct kvp_ip_binary_wire *wire, struct kvp_ip *out)
{
	__builtin_memset(out, 0, sizeof *out);
	out->family = wire->family;
	out->is_dhcp = wire->dhcp != 0;
	if (wire->family > KVP_FAMILY_BOTH)
		return KVP_BAD_FAMILY;
	if (wire->address_v4 > KVP_ADDRESSES_MAX || wire->address_v6 > KVP_ADDRESSES_MAX ||
		wire->gateway_v4 > KVP_GATEWAYS_MAX || wire->gateway_v6 > KVP_GATEWAYS_MAX ||
		wire->dns_v4 > KVP_ADDRESSES_MAX || wire->dns_v6 > KVP_ADDRESSES_MAX)
		return KVP_BAD_COUNT;
	enum kvp_reason reason = adapter_decode(wire->adapter, out);
	if (reason != KVP_OK)
		return reason;
	struct list list = addresses_of(out);
	binary_take(&list, KVP_FAMILY_IPV4, wire->addresses_v4[0], wire->address_v4);
	binary_take(&list, KVP_FAMILY_IPV6, wire->addresses_v6[0], wire->address_v6);
	list = gateways_of(out);
	binary_take(&list, KVP_FAMILY_IPV4, wire->gateways_v4[0], wire->gateway_v4);
	binary_take(&list, KVP_FAMILY_IPV6, wire->gateways_v6[0], wire->gateway_v6);
	list = dns_of(out);
	binary_take(&list, KVP_FAMILY_IPV4, wire->dns_servers_v4[0], wire->dns_v4);
	binary_take(&list, KVP_FAMILY_IPV6, wire->dns_servers_v6[0], wire->dns_v6);
	return binary_subnets(wire, out);
}

/* Write those of `family` one after the other; false if there are more than `max`. */
static bool binary_put(const struct kvp_address *at, uint16_t count, uint8_t family, uint8_t *to,
	uint32_t max, uint32_t *put)
{
	size_t bytes = family == KVP_FAMILY_IPV4 ? 4 : 16;
	for (uint16_t i = 0; i < count; i++) {
		if (at[i].family != family)
			continue;
		if (*put == max)
			return false;
		__builtin_memcpy(to + *put * bytes, at[i].bytes, bytes);
		(*put)++;
	}
	return true;
}

static enum kvp_reason binary_subnets_put(const struct kvp_ip *ip, struct kvp_ip_binary_wire *wire)
{
	uint32_t v4 = 0;
	uint32_t v6 = 0;
	for (uint16_t i = 0; i < ip->address_count; i++) {
		const struct kvp_address *address = &ip->addresses[i];
		bool is_v4 = address->family == KVP_FAMILY_IPV4;
		if (address->prefix > (is_v4 ? V4_BITS : V6_BITS))
			return KVP_BAD_SUBNETS;
		if (is_v4) {
			kvp_mask_from_prefix(address->prefix, wire->masks_v4[v4]);
			wire->origins[v4++] = address->origin;
		} else {
			wire->prefixes_v6[v6] = address->prefix;
			wire->origins[wire->address_v4 + v6++] = address->origin;
		}
	}
	return KVP_OK;
}

enum kvp_reason kvp_ip_binary_encode(const struct kvp_ip *ip, struct kvp_ip_binary_wire *wire)
{
	struct kvp_header_wire header = wire->header;
	uint32_t v4 = 0;
	uint32_t v6 = 0;
	__builtin_memset(wire, 0, sizeof *wire);
	wire->header = header;
	wire->family = ip->family;
	wire->dhcp = ip->is_dhcp;
	enum kvp_reason reason = adapter_encode(ip, wire->adapter);
	if (reason != KVP_OK)
		return reason;
	bool fits = binary_put(ip->addresses, ip->address_count, KVP_FAMILY_IPV4,
			    wire->addresses_v4[0], KVP_ADDRESSES_MAX, &v4) &&
		    binary_put(ip->addresses, ip->address_count, KVP_FAMILY_IPV6,
			    wire->addresses_v6[0], KVP_ADDRESSES_MAX, &v6);
	wire->address_v4 = v4;
	wire->address_v6 = v6;
	v4 = v6 = 0;
	fits = fits &&
	       binary_put(ip->gateways, ip->gateway_count, KVP_FAMILY_IPV4, wire->gateways_v4[0],
		       KVP_GATEWAYS_MAX, &v4) &&
	       binary_put(ip->gateways, ip->gateway_count, KVP_FAMILY_IPV6, wire->gateways_v6[0],
		       KVP_GATEWAYS_MAX, &v6);
	wire->gateway_v4 = v4;
	wire->gateway_v6 = v6;
	v4 = v6 = 0;
	fits = fits &&
	       binary_put(ip->dns, ip->dns_count, KVP_FAMILY_IPV4, wire->dns_servers_v4[0],
		       KVP_ADDRESSES_MAX, &v4) &&
	       binary_put(ip->dns, ip->dns_count, KVP_FAMILY_IPV6, wire->dns_servers_v6[0],
		       KVP_ADDRESSES_MAX, &v6);
	wire->dns_v4 = v4;
	wire->dns_v6 = v6;
	return fits ? binary_subnets_put(ip, wire) : KVP_BAD_COUNT;
}
