// SPDX-License-Identifier: Apache-2.0
/*
 * Backup coordination, host side. See vss_vsp.h.
 */
#include "host/vsp/vss_vsp.h"

#include <errno.h>
#include <string.h>

#define NS_PER_MS 1000000ull

static const char *const state_names[] = {
	[VSS_IDLE] = "idle",
	[VSS_CHECKING] = "checking",
	[VSS_FREEZING] = "freezing",
	[VSS_FROZEN] = "frozen",
	[VSS_THAWING] = "thawing",
	[VSS_COMPLETING] = "completing",
};

static const char *const result_names[] = {
	[VSS_OK] = "done",
	[VSS_REFUSED] = "refused",
	[VSS_BAD_ANSWER] = "wrong answer",
	[VSS_NO_ANSWER] = "no answer",
	[VSS_CLOSED] = "channel closed",
	[VSS_NOT_SENT] = "not sent",
	[VSS_GIVEN_UP] = "given up",
};

const char *vss_state_name(enum vss_state state)
{
	return state_names[state];
}

const char *vss_result_name(enum vss_result result)
{
	return result_names[result];
}

/* ---- steps --------------------------------------------------------------------------------- */

static uint64_t since(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

/* 0, or why it was not sent. */
static int send(struct vss_vsp *vsp, uint8_t operation, uint64_t wait_ns, uint64_t now_ns)
{
	static const struct vss_snapshot_wire blank;
	struct vss_flags_wire flags = {.header.operation = operation};
	struct vss_snapshot_wire snapshot = blank;
	snapshot.header.operation = operation;
	const bool is_long = operation == VSS_FREEZE;
	return ic_session_request(&vsp->session, is_long ? (const void *)&snapshot : &flags,
		is_long ? (uint16_t)sizeof snapshot : (uint16_t)sizeof flags,
		ic_session_after(now_ns, wait_ns), now_ns);
}

/* The backup is over; the last thing that is done in an input. */
static void end(struct vss_vsp *vsp)
{
	struct vss_report report = vsp->report;
	vsp->state = VSS_IDLE;
	vsp->is_given_up = false;
	report.is_consistent = report.result == VSS_OK && report.was_frozen && !report.hit_limit;
	vsp->report = report;
	if (report.result != VSS_OK)
		vsp->failures++;
	else if (report.was_frozen)
		vsp->backups++;
	vsp->ops->ended(vsp->ctx, &report);
}

/* The first thing that goes wrong is what is said. */
static void blame(struct vss_vsp *vsp, enum vss_result result, uint8_t operation, uint32_t status)
{
	if (vsp->report.result != VSS_OK)
		return;
	vsp->report.result = result;
	vsp->report.operation = operation;
	vsp->report.status = status;
}

/* The last thaw did not succeed; try again, later for ever. */
static void thaw_failed(
	struct vss_vsp *vsp, enum vss_result result, uint32_t status, uint64_t now_ns)
{
	vsp->report.thaw = result;
	if (!vsp->is_paying)
		blame(vsp, result, VSS_THAW, status);
	const bool is_last = vsp->is_paying || vsp->thaw_tries >= VSS_VSP_THAW_TRIES;
	if (!is_last) {
		ic_session_wake(&vsp->session, ic_session_after(now_ns, VSS_VSP_THAW_PAUSE_NS));
		return;
	}
	/* A guest that says no to it has nothing to thaw, or cannot: no more can be done. */
	vsp->is_owed = result != VSS_REFUSED;
	if (vsp->is_owed)
		ic_session_wake(&vsp->session, ic_session_after(now_ns, VSS_VSP_OWED_PAUSE_NS));
	if (vsp->is_paying) {
		vsp->is_paying = false;
		vsp->state = VSS_IDLE;
		return;
	}
	vsp->report.frozen_ns = since(now_ns, vsp->frozen_at);
	end(vsp);
}

static void thaw_send(struct vss_vsp *vsp, uint64_t now_ns)
{
	vsp->state = VSS_THAWING;
	vsp->thaw_tries++;
	if (send(vsp, VSS_THAW, VSS_ANSWER_MS * NS_PER_MS, now_ns) != 0)
		thaw_failed(vsp, VSS_NOT_SENT, 0, now_ns);
}

static void thaw_begin(struct vss_vsp *vsp, uint64_t now_ns)
{
	ic_session_wake(&vsp->session, IC_SESSION_NEVER);
	vsp->thaw_tries = 0;
	thaw_send(vsp, now_ns);
}

static void thawed(struct vss_vsp *vsp, uint64_t now_ns)
{
	vsp->is_owed = false;
	if (vsp->is_paying) {
		vsp->is_paying = false;
		vsp->state = VSS_IDLE;
		return;
	}
	vsp->report.thaw = VSS_OK;
	vsp->report.frozen_ns = since(now_ns, vsp->frozen_at);
	vsp->state = VSS_COMPLETING;
	/* The guest runs: whether it takes note of the end is of no consequence. */
	if (!vsp->report.was_frozen ||
		send(vsp, VSS_BACKUP_COMPLETE, VSS_ANSWER_MS * NS_PER_MS, now_ns) != 0)
		end(vsp);
}

static void freeze_send(struct vss_vsp *vsp, uint64_t now_ns)
{
	vsp->state = VSS_FREEZING;
	vsp->frozen_at = now_ns;
	if (send(vsp, VSS_FREEZE, vsp->freeze_ns, now_ns) == 0)
		return;
	blame(vsp, VSS_NOT_SENT, VSS_FREEZE, 0);
	end(vsp);
}

static void frozen(struct vss_vsp *vsp, uint64_t now_ns)
{
	vsp->report.freezing_ns = since(now_ns, vsp->frozen_at);
	vsp->frozen_at = now_ns;
	vsp->report.was_frozen = true;
	if (vsp->is_given_up) {
		blame(vsp, VSS_GIVEN_UP, VSS_FREEZE, 0);
		thaw_begin(vsp, now_ns);
		return;
	}
	vsp->state = VSS_FROZEN;
	ic_session_wake(&vsp->session, ic_session_after(now_ns, vsp->limit_ns));
	vsp->ops->frozen(vsp->ctx);
}

/* ---- what the guest does ------------------------------------------------------------------- */

/* A step has this result; VSS_OK is success. */
static void step(struct vss_vsp *vsp, enum vss_result result, uint32_t status, uint64_t now_ns)
{
	switch (vsp->state) {
	case VSS_CHECKING:
		if (result == VSS_OK && vsp->is_given_up)
			result = VSS_GIVEN_UP;
		if (result == VSS_OK) {
			freeze_send(vsp, now_ns);
			return;
		}
		blame(vsp, result, VSS_HOT_BACKUP, status);
		end(vsp);
		return;
	case VSS_FREEZING:
		if (result == VSS_OK) {
			frozen(vsp, now_ns);
			return;
		}
		blame(vsp, result, VSS_FREEZE, status);
		thaw_begin(vsp, now_ns); /* R-VSS-008 */
		return;
	case VSS_THAWING:
		if (result == VSS_OK)
			thawed(vsp, now_ns);
		else
			thaw_failed(vsp, result, status, now_ns);
		return;
	case VSS_COMPLETING:
		end(vsp);
		return;
	case VSS_IDLE:
	case VSS_FROZEN:
		return;
	}
}

static uint8_t operation_of(enum vss_state state)
{
	switch (state) {
	case VSS_CHECKING:
		return VSS_HOT_BACKUP;
	case VSS_FREEZING:
		return VSS_FREEZE;
	case VSS_THAWING:
		return VSS_THAW;
	default:
		return VSS_BACKUP_COMPLETE;
	}
}

/* R-VSS-023: the operation must be there, and to the check the flags. */
static void answered(void *component, const struct ic_message *response, uint64_t now_ns)
{
	struct vss_vsp *vsp = component;
	struct vss_flags_wire body = {0};
	const uint8_t operation = operation_of(vsp->state);
	const size_t len = response->body_bytes < sizeof body ? response->body_bytes : sizeof body;
	memcpy(&body, response->body, len);
	if (len < vss_body_min_bytes(operation) || body.header.operation != operation) {
		step(vsp, VSS_BAD_ANSWER, 0, now_ns);
		return;
	}
	if (operation == VSS_HOT_BACKUP)
		vsp->report.check_flags = body.flags;
	const uint32_t status = response->header.status;
	step(vsp, status == IC_STATUS_SUCCESS ? VSS_OK : VSS_REFUSED, status, now_ns);
}

static void silent(void *component, uint64_t now_ns)
{
	step(component, VSS_NO_ANSWER, 0, now_ns);
}

static void closed(void *component, uint64_t now_ns)
{
	struct vss_vsp *vsp = component;
	const enum vss_state state = vsp->state;
	if (vsp->is_paying) {
		vsp->is_paying = false;
		vsp->state = VSS_IDLE;
		return; /* still owed */
	}
	if (state == VSS_IDLE)
		return;
	if (state == VSS_COMPLETING) {
		end(vsp);
		return;
	}
	if (state != VSS_CHECKING) {
		vsp->is_owed = true;
		vsp->report.thaw = VSS_CLOSED;
		vsp->report.frozen_ns = since(now_ns, vsp->frozen_at);
	}
	blame(vsp, VSS_CLOSED, state == VSS_FROZEN ? VSS_THAW : operation_of(state), 0);
	end(vsp);
}

static void pay(struct vss_vsp *vsp, uint64_t now_ns)
{
	/* It speaks another version than when it was frozen: there is no way to tell it. */
	vsp->is_owed = vss_has_operation(vsp->session.ic.agreement.message, VSS_THAW);
	if (!vsp->is_owed)
		return;
	vsp->is_paying = true;
	thaw_begin(vsp, now_ns);
}

static void ready(void *component, uint64_t now_ns)
{
	struct vss_vsp *vsp = component;
	if (vsp->is_owed && vsp->state == VSS_IDLE)
		pay(vsp, now_ns);
}

/* The limit, or time for another thaw. */
static void woken(void *component, uint64_t now_ns)
{
	struct vss_vsp *vsp = component;
	switch (vsp->state) {
	case VSS_FROZEN:
		vsp->report.hit_limit = true;
		vsp->limits++;
		thaw_begin(vsp, now_ns);
		return;
	case VSS_THAWING:
		thaw_send(vsp, now_ns);
		return;
	case VSS_IDLE:
		if (vsp->is_owed)
			pay(vsp, now_ns);
		return;
	default:
		return;
	}
}

static const struct ic_session_component component_ops = {
	.ready = ready,
	.answered = answered,
	.silent = silent,
	.closed = closed,
	.woken = woken,
};

/* ---- the owner ----------------------------------------------------------------------------- */

void vss_vsp_init(struct vss_vsp *vsp, const struct vss_vsp_ops *ops, void *ctx)
{
	memset(vsp, 0, sizeof *vsp);
	vsp->ops = ops;
	vsp->ctx = ctx;
	ic_session_init(&vsp->session, IC_TYPE_VSS, &component_ops, vsp, &ops->session, ctx);
}

int vss_vsp_freeze(struct vss_vsp *vsp, const struct vss_vsp_request *request, uint64_t now_ns)
{
	if (vsp->session.ic.state != IC_HOST_READY)
		return -ENOTCONN;
	if (vsp->is_owed)
		return -EAGAIN;
	if (vsp->state != VSS_IDLE)
		return -EBUSY;
	if (!vss_has_operation(vsp->session.ic.agreement.message, VSS_FREEZE))
		return -ENOTSUP;
	const int error = send(vsp, VSS_HOT_BACKUP, VSS_ANSWER_MS * NS_PER_MS, now_ns);
	if (error != 0)
		return error;
	vsp->state = VSS_CHECKING;
	vsp->is_given_up = false;
	vsp->freeze_ns = request->freeze_ns != 0 ? request->freeze_ns
						 : VSS_FREEZE_ANSWER_MS * NS_PER_MS;
	vsp->limit_ns = request->limit_ns != 0 ? request->limit_ns : VSS_VSP_LIMIT_MS * NS_PER_MS;
	vsp->report = (struct vss_report){.operation = VSS_THAW};
	return 0;
}

int vss_vsp_thaw(struct vss_vsp *vsp, uint64_t now_ns)
{
	switch (vsp->state) {
	case VSS_FROZEN:
		thaw_begin(vsp, now_ns);
		return 0;
	case VSS_CHECKING:
	case VSS_FREEZING:
		vsp->is_given_up = true;
		return 0;
	case VSS_THAWING:
	case VSS_COMPLETING:
		return vsp->is_paying ? -EAGAIN : -EALREADY;
	case VSS_IDLE:
		break;
	}
	if (vsp->session.ic.state != IC_HOST_READY)
		return -ENOTCONN;
	if (!vss_has_operation(vsp->session.ic.agreement.message, VSS_THAW))
		return -ENOTSUP;
	const int error = send(vsp, VSS_THAW, VSS_ANSWER_MS * NS_PER_MS, now_ns);
	if (error != 0)
		return error;
	/* It is as good as one that is owed, whose next try may be due before the answer. */
	ic_session_wake(&vsp->session, IC_SESSION_NEVER);
	vsp->report = (struct vss_report){.operation = VSS_THAW};
	vsp->frozen_at = now_ns;
	vsp->thaw_tries = 1;
	vsp->state = VSS_THAWING;
	return 0;
}
