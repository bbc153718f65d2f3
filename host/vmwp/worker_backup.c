// SPDX-License-Identifier: Apache-2.0
/* Backups by command: see worker_backup.h. */
#include "host/vmwp/worker_backup.h"

#include "host/vmwp/worker.h"
#include "host/vmwp/worker_disk.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS     1000000ull
#define NS_PER_SECOND 1000000000ull
#define REASON_BYTES  256

/* ---- words ---------------------------------------------------------------------------------- */

static double seconds_of(uint64_t ns)
{
	return (double)ns / (double)NS_PER_SECOND;
}

/* Why there is no consistent copy. */
static void reason_write(const struct vss_report *report, uint64_t limit_s, char *text, size_t size)
{
	const char *step = vss_operation_name(report->operation);
	if (report->hit_limit) {
		snprintf(text, size, "it was thawed after its limit of %llu seconds (--limit)",
			(unsigned long long)limit_s);
		return;
	}
	switch (report->result) {
	case VSS_OK:
		snprintf(text, size, "it was not frozen");
		return;
	case VSS_REFUSED:
		if (report->operation == VSS_THAW)
			snprintf(text, size,
				"it says that it was thawed before it was told to (status 0x%08x)",
				report->status);
		else
			snprintf(text, size,
				"it refuses the %s with status 0x%08x: does its backup daemon run?",
				step, report->status);
		return;
	case VSS_BAD_ANSWER:
		snprintf(text, size, "its answer to the %s breaks the rules", step);
		return;
	case VSS_NO_ANSWER:
		snprintf(text, size, "it gave no answer to the %s", step);
		return;
	case VSS_CLOSED:
		snprintf(text, size, "it closed the service at the %s", step);
		return;
	case VSS_NOT_SENT:
		snprintf(text, size, "it reads nothing, so the %s could not be sent", step);
		return;
	case VSS_GIVEN_UP:
		snprintf(text, size, "the freeze was given up");
		return;
	}
}

static const char *thaw_note(const struct vss_report *report)
{
	return report->thaw == VSS_OK ? "" : "; it MAY STILL BE FROZEN, and is told to thaw again";
}

/* ---- answers -------------------------------------------------------------------------------- */

static void answer(struct worker *worker, json_t *result, const struct control_error *error)
{
	struct worker_backup *backup = &worker->services.backup;
	if (!backup->ticket.is_taken) {
		json_decref(result);
		return;
	}
	backup->ticket.is_taken = false;
	backup->asker = 0;
	control_socket_answer(worker->control, &backup->ticket, result, error);
}

static const char *kind_name(enum disk_kind kind)
{
	return kind == DISK_DVD ? "dvd" : kind == DISK_RAM ? "memory" : "disk";
}

static json_t *disk_json(const struct worker_disk *disk)
{
	char path[PATH_MAX];
	const bool has_path = disk->kind != DISK_RAM && disk->name != NULL &&
			      realpath(disk->name, path) != NULL;
	json_t *name = has_path ? json_string(path) : NULL;
	return json_pack("{s:i, s:i, s:i, s:s, s:o, s:I, s:b}", "controller", (int)disk->controller,
		"target", (int)disk->target, "lun", (int)disk->lun, "kind", kind_name(disk->kind),
		"path", name != NULL ? name : json_null(), "bytes", (json_int_t)disk->bytes,
		"read_only", disk->is_read_only);
}

static json_t *disks_json(const struct worker *worker)
{
	json_t *rows = json_array();
	for (unsigned i = 0; i < WORKER_DISKS_MAX; i++) {
		if (worker->disks[i].is_used)
			json_array_append_new(rows, disk_json(&worker->disks[i]));
	}
	return rows;
}

static json_t *report_json(const struct vss_report *report, uint64_t limit_s)
{
	char reason[REASON_BYTES] = "";
	if (!report->is_consistent)
		reason_write(report, limit_s, reason, sizeof reason);
	return json_pack("{s:b, s:b, s:f, s:f, s:s, s:s}", "frozen", report->was_frozen,
		"consistent", report->is_consistent, "freezing_seconds",
		seconds_of(report->freezing_ns), "frozen_seconds", seconds_of(report->frozen_ns),
		"thaw", vss_result_name(report->thaw), "reason", reason);
}

/* ---- frozen --------------------------------------------------------------------------------- */

static void on_flushed(struct worker *worker, int result);

static void flush(struct worker *worker)
{
	struct worker_backup *backup = &worker->services.backup;
	backup->is_flush_stale = backup->is_flushing;
	if (backup->is_flushing)
		return;
	backup->is_flushing = true;
	worker_disks_flush(worker, on_flushed);
}

/* All that the guest had written is in its images: whoever asked may copy (R-VSS-024). */
static void on_flushed(struct worker *worker, int result)
{
	struct worker_backup *backup = &worker->services.backup;
	struct control_error error = {0};
	backup->is_flushing = false;
	if (backup->is_flush_stale) {
		flush(worker); /* it began before this freeze */
		return;
	}
	if (backup->vss.vsp.state != VSS_FROZEN)
		return; /* it has ended meanwhile, and whoever asked has been told */
	if (result != 0) {
		control_error_set(&error,
			"backup: the guest's disks cannot be flushed: %s; it is thawed",
			strerror(-result));
		log_error("%s", error.text);
		answer(worker, NULL, &error);
		(void)vss_provider_thaw(&backup->vss);
		return;
	}
	answer(worker,
		json_pack("{s:b, s:f, s:I, s:I, s:o}", "frozen", 1, "freezing_seconds",
			seconds_of(backup->vss.vsp.report.freezing_ns), "limit_seconds",
			(json_int_t)backup->limit_s, "check_flags",
			(json_int_t)backup->vss.vsp.report.check_flags, "disks",
			disks_json(worker)),
		NULL);
}

void worker_backup_frozen(void *ctx)
{
	struct worker *worker = ctx;
	struct worker_backup *backup = &worker->services.backup;
	backup->frozen_ns = loop_now_ns();
	log_info("backup: the guest is frozen, for %llu seconds at most",
		(unsigned long long)backup->limit_s);
	flush(worker);
}

void worker_backup_ended(void *ctx, const struct vss_report *report)
{
	struct worker *worker = ctx;
	struct worker_backup *backup = &worker->services.backup;
	struct control_error error = {0};
	char reason[REASON_BYTES];
	const bool was_backup = report->was_frozen || report->operation != VSS_THAW;
	backup->has_report = true;
	backup->report = *report;
	backup->holder = 0;
	backup->is_untold = !backup->ticket.is_taken && was_backup && !report->is_consistent;
	if (backup->ticket.is_taken && !backup->is_thawing && report->is_consistent) {
		control_error_set(&error, "backup: the guest was thawed before it could be copied");
		answer(worker, NULL, &error);
		return;
	}
	if (report->is_consistent || (!was_backup && report->result == VSS_OK)) {
		log_info("backup: the guest is thawed, after %.3f seconds",
			seconds_of(report->frozen_ns));
		answer(worker, report_json(report, backup->limit_s), NULL);
		return;
	}
	reason_write(report, backup->limit_s, reason, sizeof reason);
	control_error_set(&error, "backup: the guest has no consistent copy: %s (frozen %.3f s)%s",
		reason, seconds_of(report->frozen_ns), thaw_note(report));
	log_warning("%s", error.text);
	answer(worker, NULL, &error);
}

/* ---- commands ------------------------------------------------------------------------------- */

static void ticket_keep(struct worker_backup *backup, struct control_ticket *ticket, bool is_thaw)
{
	backup->ticket = control_ticket_take(ticket);
	backup->ticket.is_taken = true;
	backup->is_thawing = is_thaw;
}

static json_t *freeze(struct worker *worker, const struct control_backup *what,
	struct control_ticket *ticket, struct control_error *error)
{
	struct worker_backup *backup = &worker->services.backup;
	const struct vss_vsp_request request = {
		.freeze_ns = what->timeout_s * NS_PER_SECOND,
		.limit_ns = what->limit_s * NS_PER_SECOND,
	};
	const int result = backup->ticket.is_taken ? -EBUSY
						   : vss_provider_freeze(&backup->vss, &request);
	if (result != 0) {
		control_error_set(error, "backup: %s",
			result == -EBUSY && backup->vss.vsp.state == VSS_FROZEN
				? "the guest is frozen already: thaw it first"
				: worker_service_why_not(&backup->vss.provider, result));
		return NULL;
	}
	log_info("backup: asking the guest to freeze");
	backup->is_untold = false;
	backup->limit_s = what->limit_s != 0 ? what->limit_s : VSS_VSP_LIMIT_MS / 1000;
	backup->asker = ticket->connection;
	backup->holder = what->is_held ? ticket->connection : 0;
	ticket_keep(backup, ticket, false);
	return NULL;
}

static json_t *thaw(
	struct worker *worker, struct control_ticket *ticket, struct control_error *error)
{
	struct worker_backup *backup = &worker->services.backup;
	char reason[REASON_BYTES];
	if (backup->is_untold) {
		backup->is_untold = false;
		reason_write(&backup->report, backup->limit_s, reason, sizeof reason);
		control_error_set(error,
			"backup: the guest has no consistent copy: %s (frozen %.3f s)%s", reason,
			seconds_of(backup->report.frozen_ns), thaw_note(&backup->report));
		return NULL;
	}
	if (backup->ticket.is_taken && !backup->is_thawing) {
		/* Whoever waits for freeze is told of its end; this one of the thaw's beginning. */
		(void)vss_provider_thaw(&backup->vss);
		return json_pack("{s:b}", "given_up", 1);
	}
	const int result = backup->ticket.is_taken ? -EBUSY : vss_provider_thaw(&backup->vss);
	if (result != 0 && result != -EALREADY) {
		control_error_set(
			error, "backup: %s", worker_service_why_not(&backup->vss.provider, result));
		return NULL;
	}
	ticket_keep(backup, ticket, true);
	return NULL;
}

static json_t *status(const struct worker *worker)
{
	const struct worker_backup *backup = &worker->services.backup;
	const struct vss_vsp *vsp = &backup->vss.vsp;
	json_t *object = json_pack("{s:s, s:b, s:I, s:I, s:I}", "state", vss_state_name(vsp->state),
		"held", backup->holder != 0, "backups", (json_int_t)vsp->backups, "failures",
		(json_int_t)vsp->failures, "limits", (json_int_t)vsp->limits);
	if (vsp->state == VSS_FROZEN) {
		json_object_set_new(object, "frozen_seconds",
			json_real(seconds_of(loop_now_ns() - backup->frozen_ns)));
		json_object_set_new(
			object, "limit_seconds", json_integer((json_int_t)backup->limit_s));
	}
	if (vsp->is_given_up)
		json_object_set_new(object, "given_up", json_true());
	if (vsp->is_owed)
		json_object_set_new(object, "owes_thaw", json_true());
	if (backup->has_report)
		json_object_set_new(object, "last", report_json(&backup->report, backup->limit_s));
	return object;
}

json_t *worker_backup_command(void *ctx, const struct control_backup *what,
	struct control_ticket *ticket, struct control_error *error)
{
	struct worker *worker = ctx;
	if (!worker->services.slots[OPTIONS_SERVICE_BACKUP].is_offered) {
		control_error_set(error,
			"backup: the worker does not offer the service to its guest (--services)");
		return NULL;
	}
	switch (what->action) {
	case CONTROL_BACKUP_FREEZE:
		return freeze(worker, what, ticket, error);
	case CONTROL_BACKUP_THAW:
		return thaw(worker, ticket, error);
	case CONTROL_BACKUP_STATUS:
		break;
	}
	return status(worker);
}

void worker_backup_client_gone(void *ctx, uint64_t connection)
{
	struct worker *worker = ctx;
	struct worker_backup *backup = &worker->services.backup;
	if (connection != backup->asker && connection != backup->holder)
		return;
	log_warning("backup: whoever wanted it has gone: the guest is thawed");
	backup->asker = backup->holder = 0;
	(void)vss_provider_thaw(&backup->vss);
}
