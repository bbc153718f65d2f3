// SPDX-License-Identifier: Apache-2.0
/*
 * Records of the kernel's device. See fcopy_device_linux.h.
 */
#include "guest/ic_daemons/fcopy_device_linux.h"

#include "protocol/utf16.h"

#include <string.h>

/* A field of text; it must end inside, and be UTF-8. */
static bool text_take(const uint8_t *field, char text[FCOPY_DEVICE_TEXT_BYTES + 1])
{
	memcpy(text, field, FCOPY_DEVICE_TEXT_BYTES);
	text[FCOPY_DEVICE_TEXT_BYTES] = '\0';
	return utf16_is_utf8(text, FCOPY_DEVICE_TEXT_BYTES);
}

static bool start_take(const uint8_t *record, size_t len, struct fcopy_device_text *text,
	struct fcopy_request *out)
{
	struct fcopy_start_wire wire;
	if (len < sizeof wire)
		return false;
	memcpy(&wire, record, sizeof wire);
	out->flags = wire.flags;
	out->start.size_bytes = wire.size_bytes;
	out->start.name = text->name;
	out->start.path = text->path;
	return text_take(record + offsetof(struct fcopy_start_wire, name), text->name) &&
	       text_take(record + offsetof(struct fcopy_start_wire, path), text->path);
}

static bool write_take(const uint8_t *record, size_t len, struct fcopy_request *out)
{
	if (len < FCOPY_WRITE_HEAD)
		return false;
	memcpy(&out->offset, record + offsetof(struct fcopy_write_wire, offset),
		sizeof out->offset);
	memcpy(&out->bytes, record + offsetof(struct fcopy_write_wire, bytes), sizeof out->bytes);
	out->data = record + FCOPY_WRITE_HEAD;
	return out->bytes <= len - FCOPY_WRITE_HEAD;
}

enum fcopy_device_record fcopy_device_decode(const uint8_t *record, size_t len,
	struct fcopy_device_text *text, struct fcopy_request *out, uint32_t *version)
{
	memset(out, 0, sizeof *out);
	if (len == sizeof *version) {
		memcpy(version, record, sizeof *version);
		return FCOPY_DEVICE_VERSION_REPLY;
	}
	if (len < FCOPY_HEADER_BYTES)
		return FCOPY_DEVICE_BAD;
	memcpy(&out->operation, record, sizeof out->operation);
	if (out->operation == FCOPY_START && !start_take(record, len, text, out))
		return FCOPY_DEVICE_BAD;
	if (out->operation == FCOPY_WRITE && !write_take(record, len, out))
		return FCOPY_DEVICE_BAD;
	return FCOPY_DEVICE_REQUEST;
}
