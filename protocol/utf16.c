// SPDX-License-Identifier: Apache-2.0
/*
 * UTF-16LE and UTF-8. See utf16.h.
 *
 * Freestanding; pure functions; call from any thread.
 */
#include "protocol/utf16.h"

#define REPLACEMENT 0xFFFDu

static uint32_t unit_at(const uint8_t *from, size_t index)
{
	return (uint32_t)from[2 * index] | (uint32_t)from[2 * index + 1] << 8;
}

static bool is_surrogate(uint32_t code)
{
	return code >= 0xD800u && code <= 0xDFFFu;
}

/* The code point at *index, which moves past it. False: a surrogate alone, one unit long. */
static bool utf16_next(const uint8_t *from, size_t units, size_t *index, uint32_t *code)
{
	*code = unit_at(from, (*index)++);
	if (!is_surrogate(*code))
		return true;
	if (*code >= 0xDC00u || *index == units)
		return false;
	uint32_t low = unit_at(from, *index);
	if (low < 0xDC00u || low > 0xDFFFu)
		return false;
	(*index)++;
	*code = 0x10000u + ((*code - 0xD800u) << 10) + (low - 0xDC00u);
	return true;
}

/* Bytes of UTF-8 of a code point, written to `out`. */
static size_t utf8_put(uint32_t code, uint8_t out[4])
{
	if (code < 0x80u) {
		out[0] = (uint8_t)code;
		return 1;
	}
	size_t bytes = code < 0x800u ? 2 : code < 0x10000u ? 3 : 4;
	for (size_t i = bytes - 1; i > 0; i--) {
		out[i] = (uint8_t)(0x80u | (code & 0x3Fu));
		code >>= 6;
	}
	static const uint8_t lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
	out[0] = (uint8_t)(lead[bytes] | code);
	return bytes;
}

enum utf16_result utf16_to_utf8(const void *from, size_t bytes, enum utf16_policy policy, char *to,
	size_t capacity, size_t *length)
{
	const uint8_t *units = from;
	size_t count = bytes / 2;
	size_t written = 0;
	enum utf16_result result = bytes % 2 != 0 ? UTF16_ODD_SIZE : UTF16_OK;

	for (size_t i = 0; i < count && result == UTF16_OK;) {
		uint32_t code;
		uint8_t encoded[4];
		bool is_valid = utf16_next(units, count, &i, &code);
		if (is_valid && code == 0)
			break;
		if (!is_valid && policy == UTF16_REFUSE) {
			result = UTF16_INVALID;
			break;
		}
		size_t size = utf8_put(is_valid ? code : REPLACEMENT, encoded);
		if (capacity == 0 || size > capacity - 1 - written) {
			result = UTF16_NO_ROOM;
			break;
		}
		__builtin_memcpy(to + written, encoded, size);
		written += size;
	}
	if (capacity == 0 && result == UTF16_OK)
		result = UTF16_NO_ROOM;
	if (result != UTF16_OK)
		written = 0;
	if (capacity != 0)
		to[written] = '\0';
	if (length != NULL)
		*length = written;
	return result;
}

/*
 * The code point at *index, which moves past it. False: no UTF-8; *index moves past one byte, and
 * past those that follow it and could have belonged to it.
 */
static bool utf8_next(const uint8_t *from, size_t length, size_t *index, uint32_t *code)
{
	uint8_t lead = from[(*index)++];
	if (lead < 0x80u) {
		*code = lead;
		return true;
	}
	if (lead < 0xC2u || lead > 0xF4u)
		return false;
	size_t more = lead < 0xE0u ? 1 : lead < 0xF0u ? 2 : 3;
	/* The second byte is narrower after some: no long forms, surrogates, or past U+10FFFF. */
	uint8_t low = lead == 0xE0u ? 0xA0u : lead == 0xF0u ? 0x90u : 0x80u;
	uint8_t high = lead == 0xEDu ? 0x9Fu : lead == 0xF4u ? 0x8Fu : 0xBFu;
	*code = lead & (0x3Fu >> more);
	for (size_t i = 0; i < more; i++) {
		if (*index == length || from[*index] < low || from[*index] > high)
			return false;
		*code = *code << 6 | (from[(*index)++] & 0x3Fu);
		low = 0x80u;
		high = 0xBFu;
	}
	return true;
}

/* UTF-16LE of a code point; returns its bytes. */
static size_t utf16_put(uint32_t code, uint8_t out[4])
{
	if (code < 0x10000u) {
		out[0] = (uint8_t)code;
		out[1] = (uint8_t)(code >> 8);
		return 2;
	}
	uint32_t rest = code - 0x10000u;
	uint32_t high = 0xD800u + (rest >> 10);
	uint32_t low = 0xDC00u + (rest & 0x3FFu);
	out[0] = (uint8_t)high;
	out[1] = (uint8_t)(high >> 8);
	out[2] = (uint8_t)low;
	out[3] = (uint8_t)(low >> 8);
	return 4;
}

enum utf16_result utf16_from_utf8(const char *from, size_t length, enum utf16_policy policy,
	void *to, size_t capacity, size_t *bytes)
{
	const uint8_t *text = (const uint8_t *)from;
	uint8_t *out = to;
	size_t written = 0;
	enum utf16_result result = capacity < 2 ? UTF16_NO_ROOM : UTF16_OK;

	for (size_t i = 0; i < length && result == UTF16_OK;) {
		uint32_t code;
		uint8_t encoded[4];
		bool is_valid = utf8_next(text, length, &i, &code);
		if (is_valid && code == 0)
			break;
		if (!is_valid && policy == UTF16_REFUSE) {
			result = UTF16_INVALID;
			break;
		}
		size_t size = utf16_put(is_valid ? code : REPLACEMENT, encoded);
		if (size > capacity - 2 - written) {
			result = UTF16_NO_ROOM;
			break;
		}
		__builtin_memcpy(out + written, encoded, size);
		written += size;
	}
	if (result != UTF16_OK)
		written = 0;
	if (capacity >= 2) {
		out[written] = 0;
		out[written + 1] = 0;
	}
	if (bytes != NULL)
		*bytes = result == UTF16_OK ? written + 2 : 0;
	return result;
}

bool utf16_has_nul(const void *from, size_t bytes)
{
	for (size_t i = 0; i < bytes / 2; i++)
		if (unit_at(from, i) == 0)
			return true;
	return false;
}

bool utf16_is_utf8(const char *text, size_t capacity)
{
	const uint8_t *bytes = (const uint8_t *)text;
	for (size_t i = 0; i < capacity;) {
		uint32_t code;
		if (!utf8_next(bytes, capacity, &i, &code))
			return false;
		if (code == 0)
			return true;
	}
	return false;
}
