// SPDX-License-Identifier: Apache-2.0
/*
 * Shutdown, host side. See shutdown_vsp.h.
 */
#include "host/vsp/shutdown_vsp.h"

#include <errno.h>
#include <string.h>

#define NS_PER_MS 1000000ull

static const char *const action_names[SHUTDOWN_ACTION_COUNT] = {
	[SHUTDOWN_POWER_OFF] = "power off",
	[SHUTDOWN_RESTART] = "restart",
	[SHUTDOWN_HIBERNATE] = "hibernate",
};

static const char *const result_names[] = {
	[SHUTDOWN_ACCEPTED] = "accepted",
	[SHUTDOWN_REFUSED] = "refused",
	[SHUTDOWN_NO_ANSWER] = "no answer",
	[SHUTDOWN_CLOSED] = "channel closed",
};

const char *shutdown_action_name(enum shutdown_action action)
{
	return action_names[action];
}

const char *shutdown_result_name(enum shutdown_result result)
{
	return result_names[result];
}

static void finish(struct shutdown_vsp *vsp, enum shutdown_result result, uint32_t status)
{
	if (!vsp->is_asked)
		return;
	vsp->is_asked = false;
	switch (result) {
	case SHUTDOWN_ACCEPTED:
		vsp->accepted++;
		break;
	case SHUTDOWN_REFUSED:
		vsp->refused++;
		break;
	case SHUTDOWN_NO_ANSWER:
	case SHUTDOWN_CLOSED:
		vsp->unanswered++;
		break;
	}
	vsp->ops->done(vsp->ctx, vsp->action, result, status);
}

/* The body is not looked at: the guest has only its status to say (R-SHUT-009). */
static void answered(void *component, const struct ic_message *response, uint64_t now_ns)
{
	struct shutdown_vsp *vsp = component;
	(void)now_ns;
	vsp->last_status = response->header.status;
	finish(vsp, vsp->last_status == IC_STATUS_SUCCESS ? SHUTDOWN_ACCEPTED : SHUTDOWN_REFUSED,
		vsp->last_status);
}

static void silent(void *component, uint64_t now_ns)
{
	(void)now_ns;
	finish(component, SHUTDOWN_NO_ANSWER, 0);
}

static void closed(void *component, uint64_t now_ns)
{
	(void)now_ns;
	finish(component, SHUTDOWN_CLOSED, 0);
}

static const struct ic_session_component component_ops = {
	.answered = answered,
	.silent = silent,
	.closed = closed,
};

void shutdown_vsp_init(struct shutdown_vsp *vsp, const struct shutdown_vsp_ops *ops, void *ctx)
{
	memset(vsp, 0, sizeof *vsp);
	vsp->ops = ops;
	vsp->ctx = ctx;
	ic_session_init(&vsp->session, IC_TYPE_SHUTDOWN, &component_ops, vsp, &ops->session, ctx);
}

int shutdown_vsp_request(
	struct shutdown_vsp *vsp, const struct shutdown_vsp_request *request, uint64_t now_ns)
{
	struct shutdown_wire body = {
		.reason = request->reason,
		.timeout_s = request->timeout_s,
		.flags = shutdown_flags(request->action, request->is_forced),
	};
	size_t len = request->text != NULL ? strlen(request->text) : 0;
	if (vsp->session.ic.state != IC_HOST_READY)
		return -ENOTCONN;
	if (vsp->is_asked)
		return -EBUSY;
	if (!shutdown_has_action(vsp->session.ic.agreement.message, request->action))
		return -ENOTSUP;
	if (len > SHUTDOWN_TEXT_MAX_BYTES)
		return -EMSGSIZE;
	if (len > 0)
		memcpy(body.text, request->text, len);
	uint64_t wait_ns = request->answer_ns != 0 ? request->answer_ns
						   : SHUTDOWN_ANSWER_MS * NS_PER_MS;
	int error = ic_session_request(
		&vsp->session, &body, sizeof body, ic_session_after(now_ns, wait_ns), now_ns);
	if (error != 0)
		return error;
	vsp->is_asked = true;
	vsp->action = request->action;
	return 0;
}
