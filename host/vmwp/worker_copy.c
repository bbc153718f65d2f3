// SPDX-License-Identifier: Apache-2.0
/* Files copied into the guest: see worker_copy.h. */
#include "host/vmwp/worker_copy.h"

#include "host/vmwp/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MIB	      1048576.0
#define NS_PER_SECOND 1e9

void worker_copy_init(struct worker_copy *copy)
{
	memset(copy, 0, sizeof *copy);
	copy_source_init(&copy->source);
}

static struct fcopy_vsp *vsp_of(struct worker *worker)
{
	return &worker->services.fcopy.vsp;
}

/* ---- ends ---------------------------------------------------------------------------------- */

static void answer(struct worker *worker, json_t *result, const struct control_error *error)
{
	struct worker_copy *copy = &worker->services.copy;
	copy->is_active = false;
	copy_source_close(&copy->source);
	control_socket_answer(worker->control, &copy->ticket, result, error);
}

static void refuse(struct worker *worker, const struct control_error *error)
{
	log_warning("%s", error->text);
	answer(worker, NULL, error);
}

/* The guest does not take requests: why, and what to do about it. */
static void say_why_not(const struct worker *worker, int result, struct control_error *error)
{
	const char *why;
	switch (result) {
	case -EBUSY:
		why = "another copy is under way: wait for its end";
		break;
	case -EAGAIN:
		why = "the guest answers nothing at present: try again later";
		break;
	case -EINVAL:
		why = "no file can have that name";
		break;
	case -EILSEQ:
		why = "name and path in the guest must be UTF-8";
		break;
	case -ENAMETOOLONG:
		why = "name and path in the guest may have 259 bytes each";
		break;
	case -EFBIG:
		why = "the file is larger than any guest's can be";
		break;
	default:
		switch (worker->services.fcopy.provider.ic->state) {
		case IC_HOST_NEGOTIATING:
			why = "the guest has not agreed on a version yet: try again soon";
			break;
		case IC_HOST_FAILED:
			why = "the guest broke the service's rules, so it is off until the "
			      "guest opens it again";
			break;
		default:
			why = "the guest does not run this service: start vmic-fcopy in it, or "
			      "the daemon of its hyperv-daemons, or see \"services\"";
		}
	}
	control_error_set(error, "copy: %s", why);
}

static const char *source_why(int error)
{
	switch (error) {
	case -ENODATA:
		return "the file has become shorter while it was copied";
	case -ESTALE:
		return "the file was changed while it was copied";
	default:
		return strerror(-error);
	}
}

static void say_refused(
	const struct worker_copy *copy, const struct fcopy_end *end, struct control_error *error)
{
	if (end->state == FCOPY_STATE_STARTING)
		control_error_set(error,
			"copy: the guest refuses, with status 0x%08x: its directory '%s' may be "
			"missing (--create-dirs), or no daemon in it serves the copy (vmic-fcopy, "
			"hv_fcopy_daemon); its log may say why",
			end->status, copy->path);
	else
		control_error_set(error,
			"copy: the guest cannot go on (%s), with status 0x%08x; its log may say "
			"why",
			fcopy_state_name(end->state), end->status);
}

static void say_end(
	const struct worker_copy *copy, const struct fcopy_end *end, struct control_error *error)
{
	switch (end->result) {
	case FCOPY_RESULT_EXISTS:
		control_error_set(error,
			"copy: '%s' exists in the guest's '%s' (--overwrite replaces it)",
			copy->name, copy->path);
		break;
	case FCOPY_RESULT_FULL:
		control_error_set(error, "copy: the guest's disk is full: '%s' needs %llu bytes",
			copy->name, (unsigned long long)copy->size_bytes);
		break;
	case FCOPY_RESULT_DENIED:
		control_error_set(error,
			"copy: the guest does not allow files in '%s' (its fcopy.conf names the "
			"directories; its daemon's user must be able to write there)",
			copy->path);
		break;
	case FCOPY_RESULT_REFUSED:
		say_refused(copy, end, error);
		break;
	case FCOPY_RESULT_NO_ANSWER:
		control_error_set(error, "copy: the guest gave no answer (%s): see \"heartbeat\"",
			fcopy_state_name(end->state));
		break;
	case FCOPY_RESULT_NO_ROOM:
		control_error_set(error, "copy: the guest's ring takes no more");
		break;
	case FCOPY_RESULT_CLOSED:
		control_error_set(error,
			"copy: the guest closed the service before the copy was complete (its "
			"daemon ended, or the guest did)");
		break;
	case FCOPY_RESULT_SOURCE:
		control_error_set(error, "copy: %s", source_why(end->source_error));
		break;
	case FCOPY_RESULT_CANCELLED:
		control_error_set(error, "copy: cancelled");
		break;
	case FCOPY_RESULT_COPIED:
		break;
	}
	const size_t used = strlen(error->text);
	if (!end->is_clean && end->result != FCOPY_RESULT_CLOSED && used < sizeof error->text)
		snprintf(error->text + used, sizeof error->text - used,
			"; a part of the file may be left in the guest");
}

void worker_copy_done(void *ctx, const struct fcopy_end *end)
{
	struct worker *worker = ctx;
	struct worker_copy *copy = &worker->services.copy;
	struct control_error error = {0};
	if (end->result != FCOPY_RESULT_COPIED) {
		say_end(copy, end, &error);
		refuse(worker, &error);
		return;
	}
	const double seconds = (double)(loop_now_ns() - copy->started_ns) / NS_PER_SECOND;
	log_info("copied '%s' to the guest's '%s': %llu bytes in %.2f s", copy->name, copy->path,
		(unsigned long long)copy->size_bytes, seconds);
	answer(worker,
		json_pack("{s:s, s:s, s:I, s:f, s:f}", "file", copy->name, "directory", copy->path,
			"bytes", (json_int_t)copy->size_bytes, "seconds", seconds, "mib_per_second",
			seconds > 0 ? (double)copy->size_bytes / MIB / seconds : 0.0),
		&error);
}

/* ---- the file ------------------------------------------------------------------------------ */

int worker_copy_read(void *ctx, uint64_t offset, uint8_t *to, uint32_t bytes)
{
	struct worker *worker = ctx;
	return copy_source_read(&worker->services.copy.source, offset, to, bytes);
}

static void on_source_ready(void *ctx)
{
	struct worker *worker = ctx;
	fcopy_provider_source_ready(&worker->services.fcopy);
}

/* The file was looked at: now the guest is asked. */
static void on_source_opened(void *ctx, int result, uint64_t size_bytes)
{
	struct worker *worker = ctx;
	struct worker_copy *copy = &worker->services.copy;
	struct control_error error = {0};
	if (copy->is_cancelled) {
		control_error_set(&error, "copy: cancelled");
		refuse(worker, &error);
		return;
	}
	if (result != 0) {
		control_error_set(&error, "copy: %s",
			result == -EINVAL ? "it is no regular file" : strerror(-result));
		refuse(worker, &error);
		return;
	}
	const struct fcopy_vsp_request request = {
		.name = copy->name,
		.path = copy->path,
		.overwrites = copy->overwrites,
		.creates_path = copy->creates_path,
		.size_bytes = size_bytes,
	};
	copy->size_bytes = size_bytes;
	result = fcopy_provider_start(&worker->services.fcopy, &request);
	if (result == 0)
		return;
	say_why_not(worker, result, &error);
	refuse(worker, &error);
}

/* ---- commands ------------------------------------------------------------------------------ */

/* Is there a descriptor that can be read? It stays where it is. */
static bool fd_check(const struct control_ticket *ticket, struct control_error *error)
{
	const int fd = ticket->passed_fd != NULL ? *ticket->passed_fd : -1;
	const int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
	if (fd < 0)
		control_error_set(error,
			"copy: the request brings no open file (SCM_RIGHTS): use vmwpctl copy");
	else if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_WRONLY)
		control_error_set(error, "copy: the file is not open for reading");
	else
		return true;
	return false;
}

/* What can be said before the file is looked at. */
static bool may_begin(struct worker *worker, const struct control_copy *what,
	const struct control_ticket *ticket, struct control_error *error)
{
	const struct worker_copy *copy = &worker->services.copy;
	int result = 0;
	if (!worker->services.slots[OPTIONS_SERVICE_COPY].is_offered) {
		control_error_set(error,
			"copy: the worker does not offer the service to its guest (--services)");
		return false;
	}
	if (strlen(what->name) >= sizeof copy->name || strlen(what->path) >= sizeof copy->path)
		result = -ENAMETOOLONG;
	else if (copy->is_active || vsp_of(worker)->state != FCOPY_STATE_IDLE)
		result = -EBUSY;
	else if (worker->services.fcopy.provider.ic->state != IC_HOST_READY)
		result = -ENOTCONN;
	if (result != 0) {
		say_why_not(worker, result, error);
		return false;
	}
	if (!copy_source_is_closed(&copy->source)) {
		control_error_set(error,
			"copy: the disk of the file before has not come back yet: try again soon");
		return false;
	}
	return fd_check(ticket, error);
}

json_t *worker_copy_command(void *ctx, const struct control_copy *what,
	struct control_ticket *ticket, struct control_error *error)
{
	struct worker *worker = ctx;
	struct worker_copy *copy = &worker->services.copy;
	if (!may_begin(worker, what, ticket, error))
		return NULL;
	if (copy_source_open(&copy->source, worker->loop, *ticket->passed_fd, on_source_opened,
		    on_source_ready, worker) != 0) {
		control_error_set(error, "copy: out of memory");
		return NULL;
	}
	*ticket->passed_fd = -1;
	snprintf(copy->name, sizeof copy->name, "%s", what->name);
	snprintf(copy->path, sizeof copy->path, "%s", what->path);
	copy->overwrites = what->overwrites;
	copy->creates_path = what->creates_path;
	copy->size_bytes = 0;
	copy->started_ns = loop_now_ns();
	copy->is_cancelled = false;
	copy->is_active = true;
	copy->ticket = control_ticket_take(ticket);
	log_info("copying '%s' to the guest's '%s'", copy->name, copy->path);
	return NULL;
}

static void cancel(struct worker *worker)
{
	worker->services.copy.is_cancelled = true;
	fcopy_provider_cancel(&worker->services.fcopy);
}

json_t *worker_copy_cancel_command(void *ctx, struct control_error *error)
{
	struct worker *worker = ctx;
	if (!worker->services.copy.is_active) {
		control_error_set(error, "copy-cancel: there is no copy");
		return NULL;
	}
	cancel(worker);
	return json_object();
}

json_t *worker_copy_status_command(void *ctx, struct control_error *error)
{
	struct worker *worker = ctx;
	const struct worker_copy *copy = &worker->services.copy;
	const struct fcopy_vsp *vsp = vsp_of(worker);
	(void)error;
	if (!copy->is_active)
		return json_pack("{s:b}", "copying", 0);
	const bool is_begun = vsp->state != FCOPY_STATE_IDLE;
	return json_pack("{s:b, s:s, s:s, s:s, s:I, s:I, s:f}", "copying", 1, "file", copy->name,
		"directory", copy->path, "state", fcopy_state_name(vsp->state), "bytes",
		(json_int_t)(is_begun ? vsp->progress.done_bytes : 0), "size",
		(json_int_t)copy->size_bytes, "seconds",
		(double)(loop_now_ns() - copy->started_ns) / NS_PER_SECOND);
}

void worker_copy_client_gone(struct worker *worker, uint64_t connection)
{
	const struct worker_copy *copy = &worker->services.copy;
	if (!copy->is_active || copy->ticket.connection != connection)
		return;
	log_warning("copy: its client has gone: giving it up");
	cancel(worker);
}

void worker_copy_describe(const struct worker_services *services, char *text, size_t size)
{
	const struct fcopy_vsp *vsp = &services->fcopy.vsp;
	snprintf(text, size, "%s, copied %llu, failed %llu, %llu bytes",
		vsp->state == FCOPY_STATE_IDLE ? "nothing to copy" : fcopy_state_name(vsp->state),
		(unsigned long long)vsp->copied, (unsigned long long)vsp->failed,
		(unsigned long long)vsp->copied_bytes);
}
