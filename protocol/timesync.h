// SPDX-License-Identifier: Apache-2.0
/*
 * Time synchronisation integration component: the host tells the guest the time of day,
 * at the start, from time to time, and when something has happened to a clock. Rules:
 * timesync.md. Framing and negotiation: protocol/ic.h.
 *
 * Time is UTC as Windows counts it: units of 100 ns since 1601-01-01 00:00, 864 000 000 000
 * of them a day, leap seconds not counted.
 */
#ifndef PROTOCOL_TIMESYNC_H
#define PROTOCOL_TIMESYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/assert.h"
#include "protocol/ic.h"

/* 1970-01-01 in this count: 134774 days. */
#define TIMESYNC_UNIX_EPOCH_100NS 116444736000000000ull

/* A time of day that is one: from 1970 to the year 16214. */
#define TIMESYNC_TIME_MAX_100NS (1ull << 62)

#define TIMESYNC_PERIOD_MS 5000u
#define TIMESYNC_STALE_S   600u /* a reading that is older says nothing any more */

/* What a receiver needs of a body, and what a host of this tree sends. */
#define TIMESYNC_V1_BODY_MIN_BYTES 25u
#define TIMESYNC_V1_BODY_BYTES	   28u
#define TIMESYNC_V4_BODY_MIN_BYTES 22u
#define TIMESYNC_V4_BODY_BYTES	   24u
#define TIMESYNC_BODY_BYTES	   28u /* the larger of them */

enum timesync_flag {
	TIMESYNC_FLAG_SYNC = 1,	  /* set the clock now */
	TIMESYNC_FLAG_SAMPLE = 2, /* take note */
};

/* As NTP has it (RFC 5905, figure 9). */
enum timesync_leap {
	TIMESYNC_LEAP_NONE = 0,
	TIMESYNC_LEAP_INSERT = 1, /* the last minute of the day has 61 seconds */
	TIMESYNC_LEAP_DELETE = 2, /* it has 59 */
	TIMESYNC_LEAP_UNSYNCHRONIZED = 3,
};
#define TIMESYNC_LEAP_COUNT 4u

/* Message versions 1.0 and 3.0. */
struct timesync_v1_wire {
	uint64_t parent_100ns;	   /* the time of day */
	uint64_t child_100ns;	   /* 0 */
	uint64_t round_trip_100ns; /* 0: not measured */
	uint8_t flags;		   /* enum timesync_flag */
	uint8_t reserved[3];	   /* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct timesync_v1_wire, TIMESYNC_V1_BODY_BYTES);
PROTOCOL_ASSERT_OFFSET(struct timesync_v1_wire, parent_100ns, 0);
PROTOCOL_ASSERT_OFFSET(struct timesync_v1_wire, child_100ns, 8);
PROTOCOL_ASSERT_OFFSET(struct timesync_v1_wire, round_trip_100ns, 16);
PROTOCOL_ASSERT_OFFSET(struct timesync_v1_wire, flags, 24);
PROTOCOL_ASSERT_OFFSET(struct timesync_v1_wire, reserved, 25);

/* Message version 4.0. */
struct timesync_v4_wire {
	uint64_t parent_100ns;	  /* the time of day … */
	uint64_t reference_100ns; /* … when the partition's reference time was this */
	uint8_t flags;		  /* enum timesync_flag */
	uint8_t leap;		  /* enum timesync_leap */
	uint8_t stratum;	  /* of NTP; 0: not stated */
	uint8_t reserved[5];	  /* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct timesync_v4_wire, TIMESYNC_V4_BODY_BYTES);
PROTOCOL_ASSERT_OFFSET(struct timesync_v4_wire, parent_100ns, 0);
PROTOCOL_ASSERT_OFFSET(struct timesync_v4_wire, reference_100ns, 8);
PROTOCOL_ASSERT_OFFSET(struct timesync_v4_wire, flags, 16);
PROTOCOL_ASSERT_OFFSET(struct timesync_v4_wire, leap, 17);
PROTOCOL_ASSERT_OFFSET(struct timesync_v4_wire, stratum, 18);
PROTOCOL_ASSERT_OFFSET(struct timesync_v4_wire, reserved, 19);

/* Does that message version say which reference time belongs to the time of day? */
static inline bool timesync_has_reference(struct ic_version_wire message)
{
	return message.major >= 4;
}

#endif
