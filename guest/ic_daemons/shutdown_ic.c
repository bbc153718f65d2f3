// SPDX-License-Identifier: Apache-2.0
/*
 * Shutdown, guest side. See shutdown_ic.h.
 */
#include "guest/ic_daemons/shutdown_ic.h"

#include <string.h>

static const struct ic_version_wire framework_versions[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire message_versions[] = {{1, 0}, {3, 0}, {3, 1}, {3, 2}};

/* The flags decide, whatever the version (R-SHUT-005). The body stays as it is. */
static uint32_t handle(
	void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes)
{
	struct shutdown_ic *shutdown = ctx;
	struct shutdown_wire request;
	enum shutdown_action action;
	bool is_forced;
	(void)agreement;
	(void)body_bytes; /* at least body_min_bytes */
	memcpy(&request, body, sizeof request);
	if (!shutdown_flags_split(request.flags, &action, &is_forced) ||
		(shutdown->actions & SHUTDOWN_IC_CAN(action)) == 0) {
		shutdown->refused++;
		return IC_STATUS_FAIL;
	}
	struct shutdown_order *order = &shutdown->order;
	order->action = action;
	order->is_forced = is_forced;
	order->reason = request.reason;
	order->timeout_s = request.timeout_s;
	memcpy(order->text, request.text, sizeof request.text);
	order->text[SHUTDOWN_TEXT_BYTES] = '\0';
	shutdown->has_order = true;
	shutdown->accepted++;
	return IC_STATUS_SUCCESS;
}

const struct ic_guest_service shutdown_ic_service = {
	.name = "shutdown",
	.type = IC_TYPE_SHUTDOWN,
	.body_min_bytes = SHUTDOWN_BODY_BYTES,
	.frameworks = {framework_versions, 2},
	.messages = {message_versions, 4},
	.handle = handle,
};

void shutdown_ic_init(struct shutdown_ic *shutdown, unsigned actions)
{
	memset(shutdown, 0, sizeof *shutdown);
	shutdown->actions = actions;
	ic_guest_init(&shutdown->ic, &shutdown_ic_service, shutdown);
}

bool shutdown_ic_take(struct shutdown_ic *shutdown, struct shutdown_order *out)
{
	if (!shutdown->has_order)
		return false;
	shutdown->has_order = false;
	*out = shutdown->order;
	return true;
}
