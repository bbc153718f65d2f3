// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses, prefixes and MACs as values and as text: see net_address.h. Freestanding.
 */
#include "guest/ic_daemons/net_address.h"

#include "protocol/errors.h"

#include <string.h>

bool net_address_equal(const struct net_address *a, const struct net_address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool net_address_same_prefix(
	const struct net_address *a, const struct net_address *b, unsigned bits)
{
	if (bits > 128)
		return false;
	unsigned whole = bits / 8;
	if (memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	unsigned rest = bits % 8;
	return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

bool net_address_is_zero(const struct net_address *address)
{
	static const struct net_address zero;
	return net_address_equal(address, &zero);
}

bool net_address_is_link_local(enum net_family family, const struct net_address *address)
{
	const uint8_t *b = address->bytes;
	return family == NET_IPV4 ? b[0] == 169 && b[1] == 254
				  : b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

int net_mask_bits(const struct net_address *mask)
{
	int bits = 0;
	while (bits < 32 && (mask->bytes[bits / 8] & (0x80 >> bits % 8)))
		bits++;
	struct net_address same = net_mask_from_bits((unsigned)bits);
	return memcmp(same.bytes, mask->bytes, 4) == 0 ? bits : -1;
}

struct net_address net_mask_from_bits(unsigned bits)
{
	struct net_address mask = {0};
	for (unsigned i = 0; i < bits && i < 32; i++)
		mask.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return mask;
}

/* A decimal number without leading zeros, at most `max`; moves *text past it, -1 if none. */
static int take_decimal(const char **text, int max)
{
	const char *at = *text;
	int value = 0;
	if (*at < '0' || *at > '9')
		return -1;
	if (at[0] == '0' && at[1] >= '0' && at[1] <= '9')
		return -1;
	for (; *at >= '0' && *at <= '9'; at++) {
		value = value * 10 + (*at - '0');
		if (value > max)
			return -1;
	}
	*text = at;
	return value;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four decimal parts and no more. */
static bool parse_ipv4(const char *text, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0 && *text++ != '.')
			return false;
		int part = take_decimal(&text, 255);
		if (part < 0)
			return false;
		out[i] = (uint8_t)part;
	}
	return *text == '\0';
}

/* One to four hexadecimal digits; moves *text past them, -1 if none. */
static int take_group(const char **text)
{
	int value = 0;
	int digits = 0;
	for (; digits < 4 && hex_digit(**text) >= 0; digits++, (*text)++)
		value = value << 4 | hex_digit(**text);
	return digits > 0 ? value : -1;
}

static bool parse_ipv6(const char *text, uint8_t out[16])
{
	uint8_t bytes[16] = {0};
	unsigned at = 0;
	unsigned gap = 17; /* where "::" stands; 17: nowhere */

	if (text[0] == ':') {
		if (text[1] != ':')
			return false;
		text++; /* the loop sees the second as a separator */
	}
	while (*text != '\0') {
		if (*text == ':') { /* the second of "::" */
			if (gap != 17)
				return false;
			gap = at;
			if (*++text == '\0')
				break;
		}
		if (at <= 12 && parse_ipv4(text, bytes + at)) {
			at += 4;
			break;
		}
		int group = at <= 14 ? take_group(&text) : -1;
		if (group < 0)
			return false;
		bytes[at++] = (uint8_t)(group >> 8);
		bytes[at++] = (uint8_t)group;
		if (*text == '\0')
			break;
		if (*text++ != ':' || *text == '\0')
			return false;
	}
	if (gap == 17 ? at != 16 : at > 14)
		return false;
	memset(out, 0, 16);
	if (gap == 17) {
		memcpy(out, bytes, 16);
	} else {
		memcpy(out, bytes, gap);
		memcpy(out + 16 - (at - gap), bytes + gap, at - gap);
	}
	return true;
}

int net_address_parse(enum net_family family, const char *text, struct net_address *address)
{
	struct net_address parsed = {0};
	bool good = family == NET_IPV4 ? parse_ipv4(text, parsed.bytes)
				       : parse_ipv6(text, parsed.bytes);
	if (!good)
		return -VIRIDIAN_EINVAL;
	*address = parsed;
	return 0;
}

static char *put_decimal(char *at, unsigned value)
{
	if (value >= 10)
		at = put_decimal(at, value / 10);
	*at++ = (char)('0' + value % 10);
	return at;
}

static char *put_ipv4(char *at, const uint8_t bytes[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*at++ = '.';
		at = put_decimal(at, bytes[i]);
	}
	return at;
}

static char *put_group(char *at, unsigned value)
{
	static const char digits[] = "0123456789abcdef";
	int shift = 12;
	while (shift > 0 && value >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*at++ = digits[value >> shift & 15];
	return at;
}

/* The longest run of two or more zero groups, the first of equals; *length 0 if none. */
static unsigned longest_zeros(const uint8_t bytes[16], unsigned *length)
{
	unsigned best = 0;
	*length = 0;
	for (unsigned i = 0; i < 8;) {
		unsigned run = 0;
		while (i + run < 8 && bytes[2 * (i + run)] == 0 && bytes[2 * (i + run) + 1] == 0)
			run++;
		if (run >= 2 && run > *length) {
			best = i;
			*length = run;
		}
		i += run + 1;
	}
	return best;
}

static char *put_ipv6(char *at, const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	unsigned length;
	unsigned start = longest_zeros(bytes, &length);
	unsigned groups = memcmp(bytes, mapped, sizeof mapped) == 0 ? 6 : 8;

	for (unsigned i = 0; i < groups;) {
		if (length > 0 && i == start) {
			*at++ = ':';
			if (i == 0)
				*at++ = ':';
			i += length;
			continue;
		}
		at = put_group(at, (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1]);
		if (++i < 8)
			*at++ = ':';
	}
	return groups == 6 ? put_ipv4(at, bytes + 12) : at;
}

char *net_address_format(enum net_family family, const struct net_address *address,
	char text[NET_ADDRESS_TEXT_BYTES])
{
	char *end = family == NET_IPV4 ? put_ipv4(text, address->bytes)
				       : put_ipv6(text, address->bytes);
	*end = '\0';
	return text;
}

int net_prefix_parse(enum net_family family, const char *text, struct net_prefix *prefix)
{
	char address[NET_ADDRESS_TEXT_BYTES];
	unsigned len = 0;
	while (text[len] != '\0' && text[len] != '/') {
		if (len + 1 == sizeof address)
			return -VIRIDIAN_EINVAL;
		address[len] = text[len];
		len++;
	}
	address[len] = '\0';
	if (text[len] != '/')
		return -VIRIDIAN_EINVAL;
	const char *rest = text + len + 1;
	int bits = take_decimal(&rest, (int)NET_FAMILY_BITS(family));
	struct net_prefix parsed = {.origin = NET_ORIGIN_STATIC};
	if (bits < 0 || *rest != '\0' || net_address_parse(family, address, &parsed.address) != 0)
		return -VIRIDIAN_EINVAL;
	parsed.bits = (uint8_t)bits;
	*prefix = parsed;
	return 0;
}

char *net_prefix_format(
	enum net_family family, const struct net_prefix *prefix, char text[NET_PREFIX_TEXT_BYTES])
{
	char *end = family == NET_IPV4 ? put_ipv4(text, prefix->address.bytes)
				       : put_ipv6(text, prefix->address.bytes);
	*end++ = '/';
	*put_decimal(end, prefix->bits) = '\0';
	return text;
}

int net_mac_parse(const char *text, uint8_t mac[NET_MAC_BYTES])
{
	uint8_t parsed[NET_MAC_BYTES];
	char separator = ':';
	for (unsigned i = 0; i < NET_MAC_BYTES; i++) {
		if (i == 1 && *text == '-')
			separator = '-';
		if (i > 0 && *text++ != separator)
			return -VIRIDIAN_EINVAL;
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -VIRIDIAN_EINVAL;
		parsed[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text != '\0')
		return -VIRIDIAN_EINVAL;
	memcpy(mac, parsed, sizeof parsed);
	return 0;
}

char *net_mac_format(const uint8_t mac[NET_MAC_BYTES], char text[NET_MAC_TEXT_BYTES])
{
	static const char digits[] = "0123456789ABCDEF";
	for (unsigned i = 0; i < NET_MAC_BYTES; i++) {
		text[3 * i] = digits[mac[i] >> 4];
		text[3 * i + 1] = digits[mac[i] & 15];
		text[3 * i + 2] = i + 1 < NET_MAC_BYTES ? ':' : '\0';
	}
	return text;
}

bool net_name_is_valid(const char *name)
{
	unsigned len = 0;
	for (; name[len] != '\0'; len++) {
		char c = name[len];
		char letter = (char)(c | 0x20);
		bool good = (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
			    (len > 0 && (c == '.' || c == '_' || c == '-'));
		if (!good || len + 1 == NET_NAME_BYTES)
			return false;
	}
	return len > 0;
}
