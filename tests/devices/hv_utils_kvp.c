// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value messages to and from the records of /dev/vmbus/hv_kvp, as Linux 6.1 makes them: see
 * hv_utils.h. Offsets are those of the messages and records; a body begins with operation and
 * pool.
 */
#include "tests/devices/hv_utils.h"

#include <stdio.h>
#include <string.h>

#define RECORD_BYTES 7432u

enum {
	OP_GET,
	OP_SET,
	OP_DELETE,
	OP_ENUMERATE,
	OP_GET_IP,
	OP_SET_IP,
};

enum {
	TYPE_SZ = 1,
	TYPE_U32 = 4,
	TYPE_U64 = 8,
};

/* Of a value, from its type: on the wire and in records alike. */
enum {
	VALUE_KEY_SIZE = 4,
	VALUE_VALUE_SIZE = 8,
	VALUE_KEY = 12,
	VALUE_VALUE = 524,
};

/* Texts of addresses: offset in the body, offset in the record, units. */
static const struct ip_text {
	unsigned body;
	unsigned record;
	unsigned units;
} ip_texts[] = {
	{260, 262, 1024},   /* addresses */
	{2308, 2310, 1024}, /* subnets */
	{4356, 4358, 512},  /* gateways */
	{5380, 5382, 1024}, /* DNS servers */
	{2, 4, 128},	    /* adapter */
};

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

static void put32(uint8_t *at, size_t value)
{
	uint32_t number = (uint32_t)value;
	memcpy(at, &number, sizeof number);
}

size_t hv_utils_utf8(const uint8_t *utf16, size_t units, uint8_t *utf8, size_t bytes)
{
	size_t len = 0;
	for (size_t i = 0; i < units; i++) {
		uint32_t c = (uint32_t)utf16[2 * i] | (uint32_t)utf16[2 * i + 1] << 8;
		uint8_t text[4];
		size_t size = 0;
		if (c == 0)
			break;
		if (c >= 0xd800 && c < 0xdc00 && i + 1 < units) {
			uint32_t low = (uint32_t)utf16[2 * i + 2] | (uint32_t)utf16[2 * i + 3] << 8;
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			i++;
		}
		if (c < 0x80) {
			text[size++] = (uint8_t)c;
		} else {
			int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
			static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
			text[size++] = (uint8_t)(lead[more] | c >> 6 * more);
			for (int j = more - 1; j >= 0; j--)
				text[size++] = (uint8_t)(0x80 | (c >> 6 * j & 0x3f));
		}
		if (len + size > bytes)
			break;
		memcpy(utf8 + len, text, size);
		len += size;
	}
	return len;
}

size_t hv_utils_utf16(const uint8_t *utf8, uint8_t *utf16, size_t units)
{
	size_t count = 0;
	while (*utf8 != 0 && count < units) {
		uint32_t c = *utf8++;
		int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
		static const uint8_t mask[] = {0x7f, 0x1f, 0x0f, 0x07};
		c &= mask[more];
		for (; more > 0 && *utf8 != 0; more--)
			c = c << 6 | (*utf8++ & 0x3f);
		uint32_t parts[2] = {c, 0};
		int many = 1;
		if (c >= 0x10000) {
			parts[0] = 0xd800 + ((c - 0x10000) >> 10);
			parts[1] = 0xdc00 + ((c - 0x10000) & 0x3ff);
			many = 2;
		}
		for (int i = 0; i < many && count < units; i++, count++) {
			utf16[2 * count] = (uint8_t)parts[i];
			utf16[2 * count + 1] = (uint8_t)(parts[i] >> 8);
		}
	}
	return count;
}

static size_t bounded(uint32_t bytes, size_t most)
{
	return (bytes < most ? bytes : most) / 2;
}

static void request_value(const uint8_t *in, uint8_t *out)
{
	char *text = (char *)out + VALUE_VALUE;
	uint64_t wide;
	switch (get32(in)) {
	case TYPE_SZ:
		put32(out + VALUE_VALUE_SIZE,
			hv_utils_utf8(in + VALUE_VALUE, bounded(get32(in + VALUE_VALUE_SIZE), 2048),
				out + VALUE_VALUE, 2047) +
				1);
		break;
	case TYPE_U32:
		put32(out + VALUE_VALUE_SIZE,
			(size_t)snprintf(text, 2048, "%u", get32(in + VALUE_VALUE)) + 1);
		break;
	case TYPE_U64:
		memcpy(&wide, in + VALUE_VALUE, sizeof wide);
		put32(out + VALUE_VALUE_SIZE,
			(size_t)snprintf(text, 2048, "%llu", (unsigned long long)wide) + 1);
		break;
	default:
		break;
	}
}

static void request_key(const uint8_t *size, const uint8_t *key, uint8_t *out_size, uint8_t *out)
{
	put32(out_size, hv_utils_utf8(key, bounded(get32(size), 512), out, 511) + 1);
}

static void request_ip(uint8_t operation, const uint8_t *body, uint8_t *record)
{
	size_t first = operation == OP_SET_IP ? 0 : 4; /* of a question, the adapter alone */
	for (size_t i = first; i < sizeof ip_texts / sizeof ip_texts[0]; i++)
		hv_utils_utf8(body + ip_texts[i].body, ip_texts[i].units,
			record + ip_texts[i].record, ip_texts[i].units * 2);
	record[260] = body[258]; /* family */
	if (operation == OP_SET_IP)
		record[261] = body[259]; /* DHCP */
}

size_t hv_utils_kvp_request(const uint8_t *body, uint8_t *record)
{
	memset(record, 0, RECORD_BYTES);
	record[0] = body[0];
	record[1] = body[1];
	switch (body[0]) {
	case OP_SET:
		request_value(body + 4, record + 4);
		/* fall through */
	case OP_GET:
		request_key(body + 4 + VALUE_KEY_SIZE, body + 4 + VALUE_KEY,
			record + 4 + VALUE_KEY_SIZE, record + 4 + VALUE_KEY);
		break;
	case OP_DELETE:
		request_key(body + 4, body + 8, record + 4, record + 8);
		break;
	case OP_ENUMERATE:
		memcpy(record + 4, body + 4, 4);
		break;
	case OP_GET_IP:
	case OP_SET_IP:
		request_ip(body[0], body, record);
		break;
	default:
		break;
	}
	return RECORD_BYTES;
}

/* The value always comes from where an enumeration has it; QUIRK: of GET that is elsewhere. */
uint32_t hv_utils_kvp_response(const uint8_t *record, uint8_t *body)
{
	const uint8_t *from = record + 8;
	uint8_t *to = body + (body[0] == OP_GET ? 4 : 8);
	switch (body[0]) {
	case OP_GET_IP:
		for (size_t i = 0; i < sizeof ip_texts / sizeof ip_texts[0]; i++)
			hv_utils_utf16(record + ip_texts[i].record, body + ip_texts[i].body,
				ip_texts[i].units);
		body[258] = record[260];
		body[259] = record[261];
		return IC_STATUS_SUCCESS;
	case OP_ENUMERATE:
		put32(to + VALUE_KEY_SIZE,
			2 * (hv_utils_utf16(from + VALUE_KEY, to + VALUE_KEY, 254) + 1));
		/* fall through */
	case OP_GET:
		put32(to + VALUE_VALUE_SIZE,
			2 * (hv_utils_utf16(from + VALUE_VALUE, to + VALUE_VALUE, 1022) + 1));
		put32(to, TYPE_SZ);
		return IC_STATUS_SUCCESS;
	default:
		return IC_STATUS_SUCCESS;
	}
}
