// SPDX-License-Identifier: Apache-2.0
/*
 * Shutdown integration component: the host asks the guest to power off, to restart or to
 * hibernate; the guest says whether it will, and then does. Rules: shutdown.md. Framing
 * and negotiation: protocol/ic.h.
 *
 * Constants, layout and the meaning of the flags; what a version has is asked for by feature.
 */
#ifndef PROTOCOL_SHUTDOWN_H
#define PROTOCOL_SHUTDOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/assert.h"
#include "protocol/ic.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SHUTDOWN_TEXT_BYTES	2048u
#define SHUTDOWN_TEXT_MAX_BYTES (SHUTDOWN_TEXT_BYTES - 1u) /* without the NUL (R-SHUT-006) */
#define SHUTDOWN_BODY_BYTES	2060u

#define SHUTDOWN_REASON_PLANNED 0x80000000u

/* How long a host of this tree waits for the answer, and how many stay unanswered. */
#define SHUTDOWN_ANSWER_MS 10000u

enum shutdown_flag {
	SHUTDOWN_FLAG_FORCE = 1,
	SHUTDOWN_FLAG_RESTART = 2,
	SHUTDOWN_FLAG_HIBERNATE = 4,
};

enum shutdown_action {
	SHUTDOWN_POWER_OFF,
	SHUTDOWN_RESTART,
	SHUTDOWN_HIBERNATE,
};
#define SHUTDOWN_ACTION_COUNT 3u

/* Request and response, all versions. */
struct shutdown_wire {
	uint32_t reason;		   /* SHUTDOWN_REASON_*, or a code of the Windows SDK */
	uint32_t timeout_s;		   /* that the guest has for it; 0: none stated */
	uint32_t flags;			   /* enum shutdown_flag */
	uint8_t text[SHUTDOWN_TEXT_BYTES]; /* for people; perhaps without NUL (R-IC-021) */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct shutdown_wire, SHUTDOWN_BODY_BYTES);
PROTOCOL_ASSERT_OFFSET(struct shutdown_wire, reason, 0);
PROTOCOL_ASSERT_OFFSET(struct shutdown_wire, timeout_s, 4);
PROTOCOL_ASSERT_OFFSET(struct shutdown_wire, flags, 8);
PROTOCOL_ASSERT_OFFSET(struct shutdown_wire, text, 12);

/* May a host send this action in that message version? (R-SHUT-004) */
static inline bool shutdown_has_action(struct ic_version_wire message, enum shutdown_action action)
{
	const struct ic_version_wire restart = {3, 1};
	const struct ic_version_wire hibernate = {3, 2};
	if (action == SHUTDOWN_RESTART)
		return ic_version_compare(message, restart) >= 0;
	if (action == SHUTDOWN_HIBERNATE)
		return ic_version_compare(message, hibernate) >= 0;
	return true;
}

static inline uint32_t shutdown_flags(enum shutdown_action action, bool is_forced)
{
	uint32_t flags = is_forced ? (uint32_t)SHUTDOWN_FLAG_FORCE : 0u;
	if (action == SHUTDOWN_RESTART)
		flags |= (uint32_t)SHUTDOWN_FLAG_RESTART;
	if (action == SHUTDOWN_HIBERNATE)
		flags |= (uint32_t)SHUTDOWN_FLAG_HIBERNATE;
	return flags;
}

/* False: flags that mean nothing (R-IC-016); nothing is written then. */
static inline bool shutdown_flags_split(
	uint32_t flags, enum shutdown_action *action, bool *is_forced)
{
	switch (flags & ~(uint32_t)SHUTDOWN_FLAG_FORCE) {
	case 0:
		*action = SHUTDOWN_POWER_OFF;
		break;
	case SHUTDOWN_FLAG_RESTART:
		*action = SHUTDOWN_RESTART;
		break;
	case SHUTDOWN_FLAG_HIBERNATE:
		*action = SHUTDOWN_HIBERNATE;
		break;
	default:
		return false;
	}
	*is_forced = (flags & (uint32_t)SHUTDOWN_FLAG_FORCE) != 0;
	return true;
}

#ifdef __cplusplus
}
#endif

#endif
