// SPDX-License-Identifier: Apache-2.0
/*
 * File copy, host side. See fcopy_vsp.h.
 */
#include "host/vsp/fcopy_vsp.h"

#include "protocol/utf16.h"

#include <errno.h>
#include <string.h>

#define NS_PER_MS 1000000ull

static const char *const result_names[] = {
	[FCOPY_RESULT_COPIED] = "copied",
	[FCOPY_RESULT_EXISTS] = "exists",
	[FCOPY_RESULT_FULL] = "disk full",
	[FCOPY_RESULT_DENIED] = "not allowed",
	[FCOPY_RESULT_REFUSED] = "refused",
	[FCOPY_RESULT_NO_ANSWER] = "no answer",
	[FCOPY_RESULT_NO_ROOM] = "no room in the ring",
	[FCOPY_RESULT_CLOSED] = "channel closed",
	[FCOPY_RESULT_SOURCE] = "file not read",
	[FCOPY_RESULT_CANCELLED] = "cancelled",
};

static const char *const state_names[] = {
	[FCOPY_STATE_IDLE] = "idle",
	[FCOPY_STATE_STARTING] = "starting",
	[FCOPY_STATE_READING] = "reading",
	[FCOPY_STATE_WAITING] = "waiting for room",
	[FCOPY_STATE_WRITING] = "writing",
	[FCOPY_STATE_COMPLETING] = "completing",
	[FCOPY_STATE_CANCELLING] = "cancelling",
};

const char *fcopy_result_name(enum fcopy_result result)
{
	return result_names[result];
}

const char *fcopy_state_name(enum fcopy_state state)
{
	return state_names[state];
}

/* ---- ends ---------------------------------------------------------------------------------- */

/* The copy is over. Called last: done() may start the next. */
static void finish(struct fcopy_vsp *vsp)
{
	const struct fcopy_end end = vsp->end;
	vsp->state = FCOPY_STATE_IDLE;
	vsp->progress.is_open = false;
	vsp->wants_cancel = false;
	if (end.result == FCOPY_RESULT_COPIED)
		vsp->copied++;
	else
		vsp->failed++;
	vsp->ops->done(vsp->ctx, &end);
}

static int request(struct fcopy_vsp *vsp, const void *body, uint16_t bytes, uint32_t wait_ms,
	enum fcopy_state next, uint64_t now_ns)
{
	const int error = ic_session_request(
		&vsp->session, body, bytes, ic_session_after(now_ns, wait_ms * NS_PER_MS), now_ns);
	if (error == 0)
		vsp->state = next;
	return error;
}

static int request_plain(struct fcopy_vsp *vsp, enum fcopy_operation operation, uint32_t wait_ms,
	enum fcopy_state next, uint64_t now_ns)
{
	const struct fcopy_header_wire body = {.operation = (uint32_t)operation};
	return request(vsp, &body, sizeof body, wait_ms, next, now_ns);
}

/* The guest is told that the copy is given up, if it takes messages (R-FCOPY-020). */
static void give_up(struct fcopy_vsp *vsp, enum fcopy_result result, uint64_t now_ns)
{
	vsp->end.result = result;
	vsp->end.state = vsp->state;
	if (request_plain(vsp, FCOPY_CANCEL, FCOPY_CANCEL_MS, FCOPY_STATE_CANCELLING, now_ns) != 0)
		finish(vsp);
}

/* The guest's answer was a failure. */
static void refused(struct fcopy_vsp *vsp, uint32_t status, uint64_t now_ns)
{
	enum fcopy_result result = FCOPY_RESULT_REFUSED;
	vsp->end.status = status;
	if (status == IC_STATUS_ALREADY_EXISTS)
		result = FCOPY_RESULT_EXISTS;
	else if (status == IC_STATUS_DISK_FULL)
		result = FCOPY_RESULT_FULL;
	else if (status == FCOPY_STATUS_ACCESS_DENIED)
		result = FCOPY_RESULT_DENIED;
	if (vsp->state != FCOPY_STATE_STARTING) {
		give_up(vsp, result, now_ns);
		return;
	}
	vsp->end.result = result;
	vsp->end.state = vsp->state;
	vsp->end.is_clean = true;
	finish(vsp);
}

/* ---- the way of a copy --------------------------------------------------------------------- */

/* The guest has not given back the room of the last one yet; there is no signal for that. */
static void wait_for_room(struct fcopy_vsp *vsp, uint64_t now_ns)
{
	if (vsp->state != FCOPY_STATE_WAITING)
		vsp->room_by_ns = ic_session_after(now_ns, FCOPY_ROOM_MS * NS_PER_MS);
	vsp->state = FCOPY_STATE_WAITING;
	if (now_ns >= vsp->room_by_ns)
		give_up(vsp, FCOPY_RESULT_NO_ROOM, now_ns);
	else
		ic_session_wake(
			&vsp->session, ic_session_after(now_ns, FCOPY_ROOM_RETRY_MS * NS_PER_MS));
}

static void send_next(struct fcopy_vsp *vsp, uint64_t now_ns)
{
	struct fcopy_write_wire *write = &vsp->write;
	int error;
	if (vsp->progress.done_bytes == vsp->progress.size_bytes) {
		error = request_plain(
			vsp, FCOPY_COMPLETE, FCOPY_COMPLETE_MS, FCOPY_STATE_COMPLETING, now_ns);
	} else {
		error = request(
			vsp, write, sizeof *write, FCOPY_ANSWER_MS, FCOPY_STATE_WRITING, now_ns);
	}
	if (error != 0)
		wait_for_room(vsp, now_ns);
}

/* The next fragment, or the file's end (R-FCOPY-002, R-FCOPY-022). */
static void read_next(struct fcopy_vsp *vsp, uint64_t now_ns)
{
	struct fcopy_write_wire *write = &vsp->write;
	const uint64_t left = vsp->progress.size_bytes - vsp->progress.done_bytes;
	write->offset = vsp->progress.done_bytes;
	write->bytes = left < FCOPY_FRAGMENT_BYTES ? (uint32_t)left : FCOPY_FRAGMENT_BYTES;
	vsp->state = FCOPY_STATE_READING;
	const int error = vsp->ops->read(vsp->ctx, write->offset, write->data, write->bytes);
	if (error == 0) {
		memset(write->data + write->bytes, 0, FCOPY_FRAGMENT_BYTES - write->bytes);
		send_next(vsp, now_ns);
	} else if (error != -EAGAIN) {
		vsp->end.source_error = error;
		give_up(vsp, FCOPY_RESULT_SOURCE, now_ns);
	}
}

static void succeeded(struct fcopy_vsp *vsp, uint64_t now_ns)
{
	if (vsp->state == FCOPY_STATE_WRITING) {
		fcopy_progress_add(&vsp->progress, vsp->write.offset, vsp->write.bytes);
		vsp->copied_bytes += vsp->write.bytes;
	}
	if (vsp->state == FCOPY_STATE_COMPLETING) {
		vsp->end = (struct fcopy_end){.result = FCOPY_RESULT_COPIED, .is_clean = true};
		finish(vsp);
	} else if (vsp->wants_cancel) {
		give_up(vsp, FCOPY_RESULT_CANCELLED, now_ns);
	} else {
		read_next(vsp, now_ns);
	}
}

/* The body is not looked at: the guest has only its status to say. */
static void answered(void *component, const struct ic_message *response, uint64_t now_ns)
{
	struct fcopy_vsp *vsp = component;
	vsp->last_status = response->header.status;
	if (vsp->state == FCOPY_STATE_CANCELLING) {
		vsp->end.is_clean = vsp->last_status == IC_STATUS_SUCCESS;
		finish(vsp);
	} else if (vsp->last_status == IC_STATUS_SUCCESS) {
		succeeded(vsp, now_ns);
	} else {
		refused(vsp, vsp->last_status, now_ns);
	}
}

static void silent(void *component, uint64_t now_ns)
{
	struct fcopy_vsp *vsp = component;
	if (vsp->state == FCOPY_STATE_CANCELLING)
		finish(vsp);
	else if (vsp->state != FCOPY_STATE_IDLE)
		give_up(vsp, vsp->wants_cancel ? FCOPY_RESULT_CANCELLED : FCOPY_RESULT_NO_ANSWER,
			now_ns);
}

static void closed(void *component, uint64_t now_ns)
{
	struct fcopy_vsp *vsp = component;
	(void)now_ns;
	if (vsp->state == FCOPY_STATE_IDLE)
		return;
	if (vsp->state != FCOPY_STATE_CANCELLING) {
		vsp->end.result = FCOPY_RESULT_CLOSED;
		vsp->end.state = vsp->state;
	}
	finish(vsp);
}

static void woken(void *component, uint64_t now_ns)
{
	struct fcopy_vsp *vsp = component;
	if (vsp->state == FCOPY_STATE_WAITING)
		send_next(vsp, now_ns);
}

static const struct ic_session_component component_ops = {
	.answered = answered,
	.silent = silent,
	.closed = closed,
	.woken = woken,
};

/* ---- the owner ----------------------------------------------------------------------------- */

void fcopy_vsp_init(struct fcopy_vsp *vsp, const struct fcopy_vsp_ops *ops, void *ctx)
{
	memset(vsp, 0, sizeof *vsp);
	vsp->ops = ops;
	vsp->ctx = ctx;
	vsp->write.header.operation = FCOPY_WRITE;
	ic_session_init(&vsp->session, IC_TYPE_FCOPY, &component_ops, vsp, &ops->session, ctx);
}

/* One text of a start (R-FCOPY-016). */
static int text_put(const char *text, uint16_t *to)
{
	const size_t bytes = strlen(text);
	if (bytes > FCOPY_LINUX_TEXT_MAX_BYTES)
		return -ENAMETOOLONG;
	switch (utf16_from_utf8(
		text, bytes, UTF16_REFUSE, to, FCOPY_NAME_UNITS * sizeof *to, NULL)) {
	case UTF16_OK:
		return 0;
	case UTF16_NO_ROOM:
		return -ENAMETOOLONG;
	default:
		return -EILSEQ;
	}
}

static int start_fill(const struct fcopy_vsp_request *from, struct fcopy_start_wire *to)
{
	uint16_t units[FCOPY_NAME_UNITS] = {0};
	if (from->name[0] == '\0' || strchr(from->name, '/') != NULL)
		return -EINVAL;
	if (from->size_bytes > FCOPY_SIZE_MAX_BYTES)
		return -EFBIG;
	int error = text_put(from->name, units);
	if (error != 0)
		return error;
	memcpy(to->name, units, sizeof units);
	memset(units, 0, sizeof units);
	error = text_put(from->path, units);
	if (error != 0)
		return error;
	memcpy(to->path, units, sizeof units);
	to->flags = (from->overwrites ? (uint32_t)FCOPY_FLAG_OVERWRITE : 0u) |
		    (from->creates_path ? (uint32_t)FCOPY_FLAG_CREATE_PATH : 0u);
	to->size_bytes = from->size_bytes;
	return 0;
}

int fcopy_vsp_start(
	struct fcopy_vsp *vsp, const struct fcopy_vsp_request *request_made, uint64_t now_ns)
{
	struct fcopy_start_wire body = {.header.operation = FCOPY_START};
	if (vsp->session.ic.state != IC_HOST_READY)
		return -ENOTCONN;
	if (vsp->state != FCOPY_STATE_IDLE)
		return -EBUSY;
	int error = start_fill(request_made, &body);
	if (error == 0)
		error = request(
			vsp, &body, sizeof body, FCOPY_ANSWER_MS, FCOPY_STATE_STARTING, now_ns);
	if (error != 0)
		return error;
	vsp->end = (struct fcopy_end){0};
	vsp->wants_cancel = false;
	vsp->progress = (struct fcopy_progress){
		.is_open = true, .size_bytes = request_made->size_bytes};
	return 0;
}

void fcopy_vsp_source_ready(struct fcopy_vsp *vsp, uint64_t now_ns)
{
	if (vsp->state == FCOPY_STATE_READING)
		read_next(vsp, now_ns);
}

void fcopy_vsp_cancel(struct fcopy_vsp *vsp, uint64_t now_ns)
{
	if (vsp->state == FCOPY_STATE_READING || vsp->state == FCOPY_STATE_WAITING) {
		give_up(vsp, FCOPY_RESULT_CANCELLED, now_ns);
	} else if (vsp->state != FCOPY_STATE_IDLE && vsp->state != FCOPY_STATE_CANCELLING) {
		vsp->wants_cancel = true;
		ic_session_hasten(
			&vsp->session, ic_session_after(now_ns, FCOPY_CANCEL_MS * NS_PER_MS));
	}
}
