// SPDX-License-Identifier: Apache-2.0
/*
 * Heartbeat integration component: the host asks at a steady period whether the guest
 * still runs; the guest answers with the sequence number plus one and, from message
 * version 3.0, with the state of its applications. Rules: heartbeat.md. Framing and
 * negotiation: protocol/ic.h.
 *
 * Constants and layouts only; what a version has is asked for by feature.
 */
#ifndef PROTOCOL_HEARTBEAT_H
#define PROTOCOL_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/assert.h"
#include "protocol/ic.h"

/* Messages start with this much of the body; the rest is optional to a receiver. */
#define HEARTBEAT_BODY_MIN_BYTES 8u

/* Body sizes that a host of this tree sends. */
#define HEARTBEAT_V1_BODY_BYTES 40u
#define HEARTBEAT_V3_BODY_BYTES 16u
#define HEARTBEAT_BODY_BYTES	40u /* the larger of them */

#define HEARTBEAT_PERIOD_MS  2000u
#define HEARTBEAT_MISSED_MAX 5u /* periods without an answer before contact counts as lost */

enum heartbeat_application {
	HEARTBEAT_APPLICATION_UNKNOWN = 0,
	HEARTBEAT_APPLICATION_HEALTHY = 1,
	HEARTBEAT_APPLICATION_CRITICAL = 2,
	HEARTBEAT_APPLICATION_STOPPED = 3,
};
#define HEARTBEAT_APPLICATION_COUNT 4u

/* Request and response of message version 1.0. */
struct heartbeat_v1_wire {
	uint64_t sequence;    /* response: request's + 1, modulo 2^64 */
	uint32_t reserved[8]; /* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct heartbeat_v1_wire, HEARTBEAT_V1_BODY_BYTES);
PROTOCOL_ASSERT_OFFSET(struct heartbeat_v1_wire, sequence, 0);
PROTOCOL_ASSERT_OFFSET(struct heartbeat_v1_wire, reserved, 8);

/* Request and response of message version 3.0. */
struct heartbeat_v3_wire {
	uint64_t sequence;	    /* response: request's + 1, modulo 2^64 */
	uint32_t application_state; /* enum heartbeat_application; 0 in requests */
	uint32_t reserved;	    /* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct heartbeat_v3_wire, HEARTBEAT_V3_BODY_BYTES);
PROTOCOL_ASSERT_OFFSET(struct heartbeat_v3_wire, sequence, 0);
PROTOCOL_ASSERT_OFFSET(struct heartbeat_v3_wire, application_state, 8);
PROTOCOL_ASSERT_OFFSET(struct heartbeat_v3_wire, reserved, 12);

/* Features of an agreed message version. */
static inline bool heartbeat_has_application_state(struct ic_version_wire message)
{
	return message.major >= 3;
}

/* Body size that the host sends in that version. */
static inline uint16_t heartbeat_body_bytes(struct ic_version_wire message)
{
	return (uint16_t)(heartbeat_has_application_state(message) ? HEARTBEAT_V3_BODY_BYTES
								   : HEARTBEAT_V1_BODY_BYTES);
}

#endif
