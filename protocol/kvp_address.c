// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pairs: the text of one address, of a mask and of a prefix. See kvp.h.
 *
 * Freestanding; pure functions over private bytes; call from any thread.
 */
#include "protocol/kvp.h"

#define V4_BITS 32u
#define V6_BITS 128u

/* A decimal number of at most `max`, without leading zeros. */
static bool decimal_parse(const char *text, size_t length, uint32_t max, uint32_t *out)
{
	uint32_t value = 0;
	if (length == 0 || length > 3 || (length > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	*out = value;
	return value <= max;
}

static bool v4_parse(const char *text, size_t length, uint8_t bytes[4])
{
	size_t start = 0;
	for (unsigned part = 0; part < 4; part++) {
		size_t end = start;
		uint32_t value;
		while (end < length && text[end] != '.')
			end++;
		if ((end == length) != (part == 3) ||
			!decimal_parse(text + start, end - start, 255, &value))
			return false;
		bytes[part] = (uint8_t)value;
		start = end + 1;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* A group of one to four digits; 0: none is here. */
static size_t group_parse(const char *text, size_t length, uint32_t *value)
{
	size_t digits = 0;
	*value = 0;
	while (digits < length && digits < 4 && hex_digit(text[digits]) >= 0)
		*value = *value << 4 | (uint32_t)hex_digit(text[digits++]);
	return digits;
}

/* Groups from the front; `gap` is the byte where "::" stands, 16 for nowhere. */
static bool v6_parse(const char *text, size_t length, uint8_t bytes[16])
{
	uint8_t read[16];
	size_t count = 0;
	size_t gap = 16;
	size_t i = 0;

	if (length >= 2 && text[0] == ':' && text[1] == ':') {
		gap = 0;
		i = 2;
	}
	while (i < length) {
		uint32_t value;
		size_t digits = group_parse(text + i, length - i, &value);
		if (digits == 0 || count > 14)
			return false;
		if (i + digits < length && text[i + digits] == '.') {
			if (count > 12 || !v4_parse(text + i, length - i, read + count))
				return false;
			count += 4;
			break;
		}
		read[count++] = (uint8_t)(value >> 8);
		read[count++] = (uint8_t)value;
		i += digits;
		if (i == length)
			break;
		if (text[i++] != ':' || i == length)
			return false;
		if (text[i] == ':') {
			if (gap != 16)
				return false;
			gap = count;
			i++;
		}
	}
	if (gap == 16 ? count != 16 : count > 14)
		return false;
	size_t head = gap == 16 ? count : gap;
	__builtin_memset(bytes, 0, 16);
	__builtin_memcpy(bytes, read, head);
	__builtin_memcpy(bytes + 16 - (count - head), read + head, count - head);
	return true;
}

bool kvp_address_parse(const char *text, size_t length, struct kvp_address *out)
{
	struct kvp_address address = {.prefix = KVP_PREFIX_UNKNOWN};
	if (length >= KVP_ADDRESS_TEXT_BYTES)
		return false;
	if (v4_parse(text, length, address.bytes))
		address.family = KVP_FAMILY_IPV4;
	else if (v6_parse(text, length, address.bytes))
		address.family = KVP_FAMILY_IPV6;
	else
		return false;
	*out = address;
	return true;
}

static size_t put_decimal(char *text, uint32_t value)
{
	size_t n = 0;
	if (value >= 100)
		text[n++] = (char)('0' + value / 100);
	if (value >= 10)
		text[n++] = (char)('0' + value / 10 % 10);
	text[n++] = (char)('0' + value % 10);
	return n;
}

static size_t v4_format(const uint8_t bytes[4], char *text)
{
	size_t n = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (i != 0)
			text[n++] = '.';
		n += put_decimal(text + n, bytes[i]);
	}
	return n;
}

static uint32_t group_at(const uint8_t bytes[16], unsigned group)
{
	return (uint32_t)bytes[2 * group] << 8 | bytes[2 * group + 1];
}

/* The longest run of zero groups, the first of such; 0 if it is shorter than two. */
static unsigned longest_zeros(const uint8_t bytes[16], unsigned *start)
{
	unsigned best = 0;
	for (unsigned i = 0; i < 8; i++) {
		unsigned run = 0;
		while (i + run < 8 && group_at(bytes, i + run) == 0)
			run++;
		if (run > best) {
			best = run;
			*start = i;
		}
	}
	return best >= 2 ? best : 0;
}

static size_t put_group(char *text, uint32_t value)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;
	for (int shift = 12; shift >= 0; shift -= 4)
		if (shift == 0 || value >> shift != 0)
			text[n++] = digits[value >> shift & 0xF];
	return n;
}

static size_t v6_format(const uint8_t bytes[16], char *text)
{
	unsigned start = 8;
	unsigned zeros = longest_zeros(bytes, &start);
	bool is_mapped = zeros == 5 && start == 0 && group_at(bytes, 5) == 0xFFFF;
	unsigned groups = is_mapped ? 6 : 8;
	size_t n = 0;
	for (unsigned i = 0; i < groups; i++) {
		if (zeros != 0 && i == start) {
			text[n++] = ':';
			text[n++] = ':';
			i += zeros - 1;
			continue;
		}
		if (n != 0 && text[n - 1] != ':')
			text[n++] = ':';
		n += put_group(text + n, group_at(bytes, i));
	}
	if (is_mapped) {
		text[n++] = ':';
		n += v4_format(bytes + 12, text + n);
	}
	return n;
}

size_t kvp_address_format(const struct kvp_address *address, char text[KVP_ADDRESS_TEXT_BYTES])
{
	size_t n = address->family == KVP_FAMILY_IPV4 ? v4_format(address->bytes, text)
						      : v6_format(address->bytes, text);
	text[n] = '\0';
	return n;
}

uint8_t kvp_mask_prefix(const uint8_t *mask, size_t bytes)
{
	size_t bits = 0;
	while (bits < 8 * bytes && (mask[bits / 8] & 0x80u >> bits % 8) != 0)
		bits++;
	for (size_t i = bits; i < 8 * bytes; i++)
		if ((mask[i / 8] & 0x80u >> i % 8) != 0)
			return KVP_PREFIX_UNKNOWN;
	return (uint8_t)bits;
}

void kvp_mask_from_prefix(unsigned prefix, uint8_t mask[4])
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned bits = prefix > 8 * i ? prefix - 8 * i : 0;
		mask[i] = (uint8_t)(0xFF00u >> (bits < 8 ? bits : 8));
	}
}

uint8_t kvp_prefix_parse(const char *text, size_t length, uint8_t family)
{
	uint32_t bits;
	size_t slash = length != 0 && text[0] == '/' ? 1 : 0;
	uint32_t max = family == KVP_FAMILY_IPV4 ? V4_BITS : V6_BITS;
	if (decimal_parse(text + slash, length - slash, max, &bits))
		return (uint8_t)bits;
	struct kvp_address mask;
	if (slash != 0 || !kvp_address_parse(text, length, &mask) || mask.family != family)
		return KVP_PREFIX_UNKNOWN;
	return kvp_mask_prefix(mask.bytes, max / 8);
}

size_t kvp_prefix_format(unsigned prefix, uint8_t family, char text[KVP_ADDRESS_TEXT_BYTES])
{
	size_t n;
	if (family == KVP_FAMILY_IPV4) {
		uint8_t mask[4];
		kvp_mask_from_prefix(prefix, mask);
		n = v4_format(mask, text);
	} else {
		n = put_decimal(text, prefix);
	}
	text[n] = '\0';
	return n;
}
