// SPDX-License-Identifier: Apache-2.0
/*
 * Messages of integration components, written out byte by byte, and the versions that
 * Linux guests support: what the tests of the framework expect.
 */
#ifndef TESTS_UNIT_IC_BYTES_H
#define TESTS_UNIT_IC_BYTES_H

#include "protocol/ic.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What Linux 6.1 and 6.12 support, by component: the golden answers follow from it. */
static const struct ic_version_wire linux_frameworks[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire linux_vss_frameworks[] = {{3, 0}};
static const struct ic_version_wire linux_heartbeat[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire linux_shutdown[] = {{1, 0}, {3, 0}, {3, 1}, {3, 2}};
static const struct ic_version_wire linux_timesync[] = {{1, 0}, {3, 0}, {4, 0}};
static const struct ic_version_wire linux_kvp[] = {{1, 0}, {3, 0}, {4, 0}};
static const struct ic_version_wire linux_vss[] = {{5, 0}};
static const struct ic_version_wire linux_fcopy[] = {{1, 1}};

static const struct linux_row {
	const char *device;
	uint16_t type;
	struct ic_version_list frameworks;
	struct ic_version_list messages;
} linux_rows[] = {
	{"fcopy", IC_TYPE_FCOPY, {linux_vss_frameworks, 1}, {linux_fcopy, 1}},
	{"heartbeat", IC_TYPE_HEARTBEAT, {linux_frameworks, 2}, {linux_heartbeat, 2}},
	{"kvp", IC_TYPE_KVP, {linux_frameworks, 2}, {linux_kvp, 3}},
	{"shutdown", IC_TYPE_SHUTDOWN, {linux_frameworks, 2}, {linux_shutdown, 4}},
	{"timesync", IC_TYPE_TIMESYNC, {linux_frameworks, 2}, {linux_timesync, 3}},
	{"vss", IC_TYPE_VSS, {linux_vss_frameworks, 1}, {linux_vss, 1}},
};
#define LINUX_ROWS (sizeof linux_rows / sizeof linux_rows[0])

static inline const struct linux_row *linux_row_find(const char *device)
{
	for (size_t i = 0; i < LINUX_ROWS; i++) {
		if (strcmp(linux_rows[i].device, device) == 0)
			return &linux_rows[i];
	}
	return NULL;
}

/* A heartbeat request as the notes write it out. */
static const uint8_t heartbeat_request[44] = {
	0x01, 0, 0, 0,		   /* pipe type: data */
	0x24, 0, 0, 0,		   /* pipe length 36 */
	0x03, 0, 0, 0,		   /* framework 3.0 */
	0x01, 0,		   /* type heartbeat */
	0x03, 0, 0, 0,		   /* message 3.0 */
	0x10, 0,		   /* body 16 */
	0, 0, 0, 0,		   /* status */
	0x00,			   /* transaction id */
	0x03,			   /* flags: transaction, request */
	0, 0,			   /* reserved */
	0x29, 0, 0, 0, 0, 0, 0, 0, /* sequence */
	0, 0, 0, 0,		   /* state */
	0, 0, 0, 0,		   /* reserved */
};

/* The shutdown negotiation as the notes write it out: both lists, counts 2 and 4. */
static const uint8_t shutdown_negotiation[60] = {
	0x01, 0, 0, 0,		/* pipe type: data */
	0x34, 0, 0, 0,		/* pipe length 52 */
	0, 0, 0, 0,		/* framework 0.0 */
	0, 0,			/* type negotiate */
	0, 0, 0, 0,		/* message 0.0 */
	0x20, 0,		/* body 32 */
	0, 0, 0, 0,		/* status */
	0x00,			/* transaction id */
	0x03,			/* flags */
	0, 0,			/* reserved */
	0x02, 0, 0x04, 0,	/* counts */
	0, 0, 0, 0,		/* reserved */
	1, 0, 0, 0, 3, 0, 0, 0, /* frameworks 1.0, 3.0 */
	1, 0, 0, 0, 3, 0, 0, 0, /* messages 1.0, 3.0, */
	3, 0, 1, 0, 3, 0, 2, 0, /* 3.1, 3.2 */
};

/* The short answer to it, counts 1/1, 3.0 and 3.2. */
static const uint8_t shutdown_answer[44] = {
	0x01, 0, 0, 0,		      /* pipe type */
	0x24, 0, 0, 0,		      /* pipe length 36 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* framework, type, message */
	0x10, 0,		      /* body 16 */
	0, 0, 0, 0,		      /* status */
	0x00, 0x05, 0, 0,	      /* transaction id, flags, reserved */
	1, 0, 1, 0, 0, 0, 0, 0,	      /* counts, reserved */
	3, 0, 0, 0, 3, 0, 2, 0,	      /* framework 3.0, message 3.2 */
};

/* Offsets in a payload. */
enum {
	AT_PIPE_TYPE = 0,
	AT_PIPE_LENGTH = 4,
	AT_TYPE = 12,
	AT_BODY_BYTES = 18,
	AT_STATUS = 20,
	AT_TRANSACTION = 24,
	AT_FLAGS = 25,
	AT_BODY = 28,
	AT_FRAMEWORK_COUNT = 28,
	AT_MESSAGE_COUNT = 30,
	AT_VERSIONS = 36,
};

static inline void put16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof value);
}

static inline uint16_t get16(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

/* The heartbeat negotiation of the recordings, host side. */
static const uint8_t heartbeat_negotiation[52] = {
	0x01, 0, 0, 0, 0x2C, 0, 0, 0, /* pipe: data, 44 bytes */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* framework, type, message */
	0x18, 0, 0, 0, 0, 0,	      /* body 24, status */
	0x00, 0x03, 0, 0,	      /* transaction id, flags, reserved */
	2, 0, 2, 0, 0, 0, 0, 0,	      /* counts, reserved */
	1, 0, 0, 0, 3, 0, 0, 0,	      /* frameworks */
	1, 0, 0, 0, 3, 0, 0, 0,	      /* messages */
};

/* Is there a text, and is it that one? */
static inline bool is_text(const char *text, const char *want)
{
	return text != NULL && strcmp(text, want) == 0;
}

#endif
