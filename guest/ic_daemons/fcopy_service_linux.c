// SPDX-License-Identifier: Apache-2.0
/*
 * File copy as a daemon. See fcopy_service_linux.h.
 */
#include "guest/ic_daemons/fcopy_service_linux.h"

#include "guest/ic_daemons/fcopy_config_linux.h"
#include "guest/ic_daemons/fcopy_device_linux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHY_BYTES 512

/* ---- the kernel's device ------------------------------------------------------------------- */

static void reply(void *ctx, uint32_t status)
{
	const struct fcopy_job *job = ctx;
	(void)daemon_reply(job->daemon, &status, sizeof status);
}

static void on_record(void *ctx, struct daemon *daemon, const uint8_t *record, size_t len)
{
	struct fcopy_service *fcopy = ctx;
	struct fcopy_device_text text;
	struct fcopy_request request;
	uint32_t status = IC_STATUS_FAIL;
	uint32_t version = 0;
	switch (fcopy_device_decode(record, len, &text, &request, &version)) {
	case FCOPY_DEVICE_VERSION_REPLY:
		fcopy->kernel_version = version;
		return;
	case FCOPY_DEVICE_REQUEST:
		status = fcopy_ic_request(&fcopy->ic, &request);
		break;
	case FCOPY_DEVICE_BAD:
		fcopy_ic_reset(&fcopy->ic);
		daemon_log(LOG_WARNING, "the kernel hands out a record of %zu bytes that is none",
			len);
		break;
	}
	if (status != IC_GUEST_LATER)
		(void)daemon_reply(daemon, &status, sizeof status);
}

static void on_device_close(void *ctx)
{
	struct fcopy_service *fcopy = ctx;
	fcopy_ic_reset(&fcopy->ic);
}

static const uint32_t greeting = FCOPY_DEVICE_VERSION;

static const struct daemon_device device = {
	.path = FCOPY_DEVICE_PATH,
	.record_bytes_max = FCOPY_DEVICE_RECORD_MAX,
	.greeting = &greeting,
	.greeting_bytes = sizeof greeting,
	.on_record = on_record,
	.on_close = on_device_close,
};

/* ---- options ------------------------------------------------------------------------------- */

enum {
	OPTION_CONFIG = 0x700,
	OPTION_MODE,
	OPTION_RECORD,
	OPTION_ROOT,
};

static const struct argp_option option_table[] = {
	{"config", OPTION_CONFIG, "FILE", 0, "settings (" FCOPY_CONFIG_PATH ")", 0},
	{"mode", OPTION_MODE, "OCTAL", 0, "mode of files, up to 0777 (0744)", 0},
	{"record", OPTION_RECORD, "FILE", 0,
		"where it is noted what is unfinished (" FCOPY_CONFIG_RECORD ")", 0},
	{"root", OPTION_ROOT, "DIR", 0,
		"the host may copy below DIR; once for each; in place of the settings' "
		"(" FCOPY_CONFIG_ROOT ")",
		0},
	{0},
};

static error_t option_take(int key, char *text, struct argp_state *state)
{
	struct fcopy_service *fcopy = state->input;
	switch (key) {
	case OPTION_CONFIG:
		fcopy->config_path = text;
		return 0;
	case OPTION_RECORD:
		fcopy->record = text;
		return 0;
	case OPTION_MODE:
		fcopy->has_mode = true;
		if (fcopy_config_mode(text, &fcopy->mode) != 0)
			argp_error(state, "--mode: \"%s\" is no octal number up to 0777", text);
		return 0;
	case OPTION_ROOT:
		if (fcopy_file_root_add(&fcopy->config, text) != 0)
			argp_error(state,
				"--root: \"%s\" cannot be one: give up to %u absolute paths "
				"without \"..\"",
				text, FCOPY_FILE_ROOTS_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp options = {.options = option_table, .parser = option_take};

/* ---- life ---------------------------------------------------------------------------------- */

/* Options count before the file, the file before what is usual. */
static int settings_read(struct fcopy_service *fcopy)
{
	struct fcopy_file_config *config = &fcopy->config;
	struct fcopy_file_config said;
	char why[WHY_BYTES];
	const char *path = fcopy->config_path != NULL ? fcopy->config_path : FCOPY_CONFIG_PATH;
	fcopy_file_config_init(&said);
	int error = fcopy_config_read(&said, path, why, sizeof why);
	if (error == -ENOENT && fcopy->config_path == NULL)
		error = 0;
	if (error != 0)
		daemon_log(LOG_ERR, "%s", why);
	config->mode = fcopy->has_mode ? fcopy->mode : said.mode;
	if (error == 0 && config->root_count == 0) {
		memcpy(config->roots, said.roots, sizeof config->roots);
		config->root_count = said.root_count;
		said.root_count = 0;
	}
	if (error == 0 && config->root_count == 0)
		error = fcopy_file_root_add(config, FCOPY_CONFIG_ROOT);
	fcopy_file_config_free(&said);
	return error;
}

static int start(void *ctx, struct daemon *daemon)
{
	struct fcopy_service *fcopy = ctx;
	const int error = settings_read(fcopy);
	if (error != 0)
		return error;
	fcopy->config.record = strdup(fcopy->record != NULL ? fcopy->record : FCOPY_CONFIG_RECORD);
	fcopy->config.write_back_bytes = FCOPY_JOB_WRITE_BACK_BYTES;
	fcopy->config.is_without_tmpfile = access("/proc/self/fd", X_OK) != 0;
	umask(022); /* of directories that the host has made */
	for (unsigned i = 0; i < fcopy->config.root_count; i++) {
		daemon_log(LOG_INFO, "the host may copy files below %s", fcopy->config.roots[i]);
		if (access(fcopy->config.roots[i], F_OK) != 0)
			daemon_log(LOG_WARNING,
				"%s: %s; files for it are refused until it is there",
				fcopy->config.roots[i], strerror(errno));
	}
	fcopy_job_attach(&fcopy->job, daemon);
	return 0;
}

static int ready(void *ctx, struct daemon *daemon)
{
	const struct fcopy_service *fcopy = ctx;
	(void)daemon;
	const int result = fcopy_file_clean(&fcopy->config);
	if (result > 0)
		daemon_log(LOG_NOTICE, "removed what an unfinished copy had left");
	else if (result < 0)
		daemon_log(LOG_WARNING, "cannot remove what an unfinished copy has left (%s): %s",
			fcopy->config.record, strerror(-result));
	return 0;
}

static void on_transport(void *ctx, enum daemon_transport transport)
{
	struct fcopy_service *fcopy = ctx;
	if (transport == DAEMON_TRANSPORT_NONE)
		fcopy_ic_reset(&fcopy->ic);
}

static void stop(void *ctx, struct daemon *daemon)
{
	struct fcopy_service *fcopy = ctx;
	(void)daemon;
	fcopy_job_end(&fcopy->job);
	if (fcopy->job.running == FCOPY_JOB_NONE)
		fcopy_file_config_free(&fcopy->config);
}

static void status(void *ctx, json_t *object)
{
	const struct fcopy_service *fcopy = ctx;
	const struct fcopy_ic *ic = &fcopy->ic;
	json_t *roots = json_array();
	for (unsigned i = 0; i < fcopy->config.root_count; i++)
		json_array_append_new(roots, json_string(fcopy->config.roots[i]));
	json_object_set_new(object, "roots", roots);
	json_object_set_new(object, "copying", json_boolean(ic->progress.is_open));
	json_object_set_new(object, "file", json_string(fcopy->job.last.name));
	json_object_set_new(object, "directory", json_string(fcopy->job.last.path));
	json_object_set_new(object, "last", json_string(fcopy->job.last_end));
	json_object_set_new(object, "started", json_integer((json_int_t)ic->starts));
	json_object_set_new(object, "copied", json_integer((json_int_t)ic->completed));
	json_object_set_new(object, "cancelled", json_integer((json_int_t)ic->cancelled));
	json_object_set_new(object, "failures", json_integer((json_int_t)ic->failed));
	json_object_set_new(object, "bytes", json_integer((json_int_t)ic->written_bytes));
}

static const struct fcopy_ic_ops ops = {
	.start = fcopy_job_start,
	.write = fcopy_job_write,
	.complete = fcopy_job_complete,
	.cancel = fcopy_job_cancel,
	.drop = fcopy_job_drop,
	.reply = reply,
};

static const char *const system_calls[] = {"openat", "open", "mkdirat", "mkdir", "linkat",
	"unlinkat", "unlink", "renameat", "renameat2", "fallocate", "ftruncate", "fchmod", "fsync",
	"fdatasync", "sync_file_range", "pwrite64", "newfstatat", "fstat", "fstatfs", "statfs",
	"getrandom", NULL};

int fcopy_service_init(struct fcopy_service *service)
{
	memset(service, 0, sizeof *service);
	fcopy_file_config_init(&service->config);
	fcopy_ic_init(&service->ic, &ops, &service->job);
	service->component = (struct daemon_component){
		.stem = "fcopy",
		.description = "files that the host copies into this guest",
		.documentation =
			"The host may write below the directories of --root or of the settings "
			"alone, and what the daemon's user may write there. Nothing that "
			"exists is written into, and no symbolic link is followed.",
		.interface_id = &guid_fcopy,
		.ctx = service,
		.ic = &service->ic.ic,
		.device = &device,
		.options = &options,
		.start = start,
		.ready = ready,
		.on_transport = on_transport,
		.stop = stop,
		.status = status,
		.system_calls = system_calls,
	};
	return fcopy_job_init(&service->job, &service->config, &service->ic);
}
