// SPDX-License-Identifier: Apache-2.0
/*
 * File copy, guest side. See fcopy_ic.h.
 */
#include "guest/ic_daemons/fcopy_ic.h"

#include "protocol/utf16.h"

#include <string.h>

static const struct ic_version_wire framework_versions[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire message_versions[] = {{1, 1}};

/* ---- the order of a copy ------------------------------------------------------------------- */

static uint32_t fail(struct fcopy_ic *fcopy, uint32_t status)
{
	fcopy->failed++;
	fcopy->last_status = status;
	return status;
}

/* A request that is refused here, and ends the copy if there is one. */
static uint32_t refuse(struct fcopy_ic *fcopy)
{
	if (fcopy->progress.is_open) {
		fcopy->progress.is_open = false;
		fcopy->ops->drop(fcopy->ctx);
	}
	return fail(fcopy, IC_STATUS_FAIL);
}

/* What an operation that has ended means. */
static void settle(struct fcopy_ic *fcopy, const struct fcopy_request *request, uint32_t status)
{
	if (status != IC_STATUS_SUCCESS) {
		fcopy->progress.is_open = false;
		(void)fail(fcopy, status);
		return;
	}
	switch (request->operation) {
	case FCOPY_START:
		fcopy->progress = (struct fcopy_progress){
			.is_open = true, .size_bytes = request->start.size_bytes};
		break;
	case FCOPY_WRITE:
		fcopy_progress_add(&fcopy->progress, request->offset, request->bytes);
		fcopy->written_bytes += request->bytes;
		break;
	case FCOPY_COMPLETE:
		fcopy->progress.is_open = false;
		fcopy->completed++;
		break;
	default:
		break;
	}
}

static uint32_t start(struct fcopy_ic *fcopy, const struct fcopy_request *request)
{
	struct fcopy_start what = request->start;
	if (fcopy->progress.is_open) {
		fcopy->progress.is_open = false;
		fcopy->ops->drop(fcopy->ctx);
	}
	if ((request->flags & ~FCOPY_FLAGS_KNOWN) != 0 || what.size_bytes > FCOPY_SIZE_MAX_BYTES ||
		!fcopy_name_is_good(what.name) || !fcopy_path_is_good(what.path))
		return IC_STATUS_FAIL;
	what.overwrites = (request->flags & (uint32_t)FCOPY_FLAG_OVERWRITE) != 0;
	what.creates_path = (request->flags & (uint32_t)FCOPY_FLAG_CREATE_PATH) != 0;
	fcopy->starts++;
	return fcopy->ops->start(fcopy->ctx, &what);
}

static uint32_t cancel(struct fcopy_ic *fcopy)
{
	fcopy->cancelled += fcopy->progress.is_open ? 1 : 0;
	fcopy->progress.is_open = false;
	return fcopy->ops->cancel(fcopy->ctx);
}

/* Returns the status, or IC_GUEST_LATER with the request noted. */
static uint32_t run(struct fcopy_ic *fcopy, const struct fcopy_request *request)
{
	const struct fcopy_progress *progress = &fcopy->progress;
	uint32_t status;
	switch (request->operation) {
	case FCOPY_START:
		status = start(fcopy, request);
		break;
	case FCOPY_WRITE:
		if (!fcopy_progress_takes(progress, request->offset, request->bytes))
			return refuse(fcopy);
		status = fcopy->ops->write(
			fcopy->ctx, request->offset, request->data, request->bytes);
		break;
	case FCOPY_COMPLETE:
		if (!progress->is_open || progress->done_bytes != progress->size_bytes)
			return refuse(fcopy);
		status = fcopy->ops->complete(fcopy->ctx);
		break;
	case FCOPY_CANCEL:
		status = cancel(fcopy);
		break;
	default:
		return fail(fcopy, IC_STATUS_FAIL);
	}
	if (status == IC_GUEST_LATER) {
		fcopy->is_pending = true;
		fcopy->pending = *request;
		fcopy->pending.data = NULL;
		fcopy->pending.start.name = NULL;
		fcopy->pending.start.path = NULL;
		return status;
	}
	settle(fcopy, request, status);
	return status;
}

uint32_t fcopy_ic_request(struct fcopy_ic *fcopy, const struct fcopy_request *request)
{
	if (fcopy->is_pending)
		return fail(fcopy, IC_STATUS_FAIL);
	fcopy->is_device = true;
	return run(fcopy, request);
}

void fcopy_ic_finish(struct fcopy_ic *fcopy, uint32_t status)
{
	if (!fcopy->is_pending)
		return;
	fcopy->is_pending = false;
	settle(fcopy, &fcopy->pending, status);
	if (fcopy->is_device)
		fcopy->ops->reply(fcopy->ctx, status);
	else
		(void)ic_guest_finish(&fcopy->ic, fcopy->ticket, status, NULL, 0);
}

/* ---- packets ------------------------------------------------------------------------------- */

/* A text of a start: false, if it is none (R-FCOPY-010). */
static bool text_take(const uint8_t *field, char text[FCOPY_TEXT_BYTES])
{
	const size_t bytes = FCOPY_NAME_UNITS * sizeof(uint16_t);
	return utf16_has_nul(field, bytes) &&
	       utf16_to_utf8(field, bytes, UTF16_REFUSE, text, FCOPY_TEXT_BYTES, NULL) == UTF16_OK;
}

static uint32_t handle_start(struct fcopy_ic *fcopy, const uint8_t *body, size_t body_bytes)
{
	struct fcopy_start_wire wire;
	char name[FCOPY_TEXT_BYTES];
	char path[FCOPY_TEXT_BYTES];
	if (body_bytes < sizeof wire)
		return refuse(fcopy);
	memcpy(&wire, body, sizeof wire);
	if (!text_take(body + offsetof(struct fcopy_start_wire, name), name) ||
		!text_take(body + offsetof(struct fcopy_start_wire, path), path))
		return refuse(fcopy);
	const struct fcopy_request request = {
		.operation = FCOPY_START,
		.start = {.name = name, .path = path, .size_bytes = wire.size_bytes},
		.flags = wire.flags,
	};
	return run(fcopy, &request);
}

/* The body may end with the data that counts (R-FCOPY-015). */
static uint32_t handle_write(struct fcopy_ic *fcopy, const uint8_t *body, size_t body_bytes)
{
	struct fcopy_request request = {.operation = FCOPY_WRITE, .data = body + FCOPY_WRITE_HEAD};
	if (body_bytes < FCOPY_WRITE_HEAD)
		return refuse(fcopy);
	memcpy(&request.offset, body + offsetof(struct fcopy_write_wire, offset),
		sizeof request.offset);
	memcpy(&request.bytes, body + offsetof(struct fcopy_write_wire, bytes),
		sizeof request.bytes);
	if (request.bytes > body_bytes - FCOPY_WRITE_HEAD)
		return refuse(fcopy);
	return run(fcopy, &request);
}

static uint32_t handle(
	void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes)
{
	struct fcopy_ic *fcopy = ctx;
	struct fcopy_request request = {0};
	(void)agreement;
	if (fcopy->is_pending)
		return fail(fcopy, IC_STATUS_FAIL);
	fcopy->is_device = false;
	fcopy->ticket = ic_guest_ticket(&fcopy->ic);
	memcpy(&request.operation, body, sizeof request.operation); /* body_min_bytes */
	if (request.operation == FCOPY_START)
		return handle_start(fcopy, body, body_bytes);
	if (request.operation == FCOPY_WRITE)
		return handle_write(fcopy, body, body_bytes);
	return run(fcopy, &request);
}

/* Nobody waits any more; what is under way must not be taken for another's. */
static void forget(void *ctx)
{
	fcopy_ic_reset(ctx);
}

const struct ic_guest_service fcopy_ic_service = {
	.name = "fcopy",
	.type = IC_TYPE_FCOPY,
	.body_min_bytes = sizeof(uint32_t),
	.frameworks = {framework_versions, 2},
	.messages = {message_versions, 1},
	.handle = handle,
	.forget = forget,
};

void fcopy_ic_init(struct fcopy_ic *fcopy, const struct fcopy_ic_ops *ops, void *ctx)
{
	memset(fcopy, 0, sizeof *fcopy);
	fcopy->ops = ops;
	fcopy->ctx = ctx;
	ic_guest_init(&fcopy->ic, &fcopy_ic_service, fcopy);
}

void fcopy_ic_reset(struct fcopy_ic *fcopy)
{
	const bool has_work = fcopy->is_pending || fcopy->progress.is_open;
	fcopy->is_pending = false;
	fcopy->progress.is_open = false;
	if (has_work)
		fcopy->ops->drop(fcopy->ctx);
}
