// SPDX-License-Identifier: Apache-2.0
/*
 * Heartbeat, guest side. See heartbeat_ic.h.
 */
#include "guest/ic_daemons/heartbeat_ic.h"

#include <string.h>

static const struct ic_version_wire framework_versions[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire message_versions[] = {{1, 0}, {3, 0}};

static uint32_t handle(
	void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes)
{
	struct heartbeat_ic *heartbeat = ctx;
	const size_t state_at = offsetof(struct heartbeat_v3_wire, application_state);
	uint64_t sequence;
	memcpy(&sequence, body, sizeof sequence);
	heartbeat->sequence = sequence;
	heartbeat->beats++;
	sequence++; /* modulo 2^64: R-IC-029 */
	memcpy(body, &sequence, sizeof sequence);
	if (heartbeat_has_application_state(agreement->message) &&
		body_bytes >= state_at + sizeof heartbeat->application_state)
		memcpy(body + state_at, &heartbeat->application_state,
			sizeof heartbeat->application_state);
	return IC_STATUS_SUCCESS;
}

const struct ic_guest_service heartbeat_ic_service = {
	.name = "heartbeat",
	.type = IC_TYPE_HEARTBEAT,
	.body_min_bytes = HEARTBEAT_BODY_MIN_BYTES,
	.frameworks = {framework_versions, 2},
	.messages = {message_versions, 2},
	.handle = handle,
};

void heartbeat_ic_init(struct heartbeat_ic *heartbeat)
{
	memset(heartbeat, 0, sizeof *heartbeat);
	ic_guest_init(&heartbeat->ic, &heartbeat_ic_service, heartbeat);
}
