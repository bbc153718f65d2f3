// SPDX-License-Identifier: Apache-2.0
/*
 * vmwpctl's verb "backup". "run" is done here: it holds the guest frozen by its connection, copies
 * the images and runs a command, and thaws; if it dies, the worker thaws.
 *
 * An image is copied to a name of its own and gets its proper one only when the guest has said that
 * it was frozen all the time.
 */
#include "host/vmwp/vmwpctl_internal.h"

#include "host/vmwp/vmwpctl_images.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ENVIRONMENT_BYTES 65536
#define FREEZE_S	  900
#define THAW_S		  120

extern char **environ;

static void put_number(json_t *out, const char *name, long number)
{
	if (number != NUMBER_NOT_GIVEN)
		json_object_set_new(out, name, json_integer(number));
}

/* Freezing takes as long as the guest has to write; thawing is tried three times. */
static long wait_s(const struct arguments *arguments)
{
	return (arguments->timeout_s != NUMBER_NOT_GIVEN ? arguments->timeout_s : FREEZE_S) +
	       THAW_S;
}

/* ---- one request, one answer --------------------------------------------------------------- */

/* On a connection that is kept. The result, a new reference; or NULL after a message. */
static json_t *ask(int fd, const struct arguments *arguments, json_t *details)
{
	json_t *request = json_pack(
		"{s:i, s:s, s:o}", "id", 1, "command", "backup", "arguments", details);
	char *line = request != NULL && vmwpctl_send(fd, arguments, request) == 0
			     ? vmwpctl_receive(fd, arguments)
			     : NULL;
	json_t *result = line != NULL ? vmwpctl_result(arguments, line) : NULL;
	json_decref(request);
	free(line);
	return result;
}

static json_t *freeze_details(const struct arguments *arguments, bool is_held)
{
	json_t *details = json_pack("{s:s}", "action", "freeze");
	if (is_held)
		json_object_set_new(details, "hold", json_true());
	put_number(details, "limit", arguments->limit_s);
	put_number(details, "timeout", arguments->timeout_s);
	return details;
}

/* ---- while it is frozen ------------------------------------------------------------------------
 */

/* The images' paths for the command, one a line. */
static int environment_set(const json_t *disks)
{
	char paths[ENVIRONMENT_BYTES] = "";
	size_t used = 0;
	size_t i;
	const json_t *disk;
	json_array_foreach(disks, i, disk)
	{
		const char *path = json_string_value(json_object_get(disk, "path"));
		if (path == NULL)
			continue;
		const int n = snprintf(
			paths + used, sizeof paths - used, "%s%s", used > 0 ? "\n" : "", path);
		if (n < 0 || (size_t)n >= sizeof paths - used)
			return -1;
		used += (size_t)n;
	}
	return setenv("VIRIDIAN_BACKUP_DISKS", paths, 1);
}

/* The command's exit status, 128 and the signal's number, or 127 after a message. */
static int command_run(const struct arguments *arguments, const json_t *disks)
{
	pid_t pid;
	int status;
	char **argv = arguments->operands + 1;
	if (environment_set(disks) != 0) {
		fprintf(stderr, "vmwpctl: backup: the disks' paths are too long to hand on\n");
		return 127;
	}
	const int error = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (error != 0) {
		fprintf(stderr, "vmwpctl: backup: cannot run '%s': %s\n", argv[0], strerror(error));
		return 127;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static double seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* 0 or 1; what was done is added to `report`. */
static int act(const struct arguments *arguments, const json_t *frozen,
	struct vmwpctl_copies *copies, json_t *report)
{
	const json_t *disks = json_object_get(frozen, "disks");
	const double began = seconds_now();
	int status = 0;
	if (arguments->image_copy != NULL) {
		status = vmwpctl_copies_make(copies, arguments->image_copy, disks);
		json_object_set_new(report, "copying_seconds", json_real(seconds_now() - began));
	}
	if (status == 0 && arguments->operand_count > 1) {
		const double at = seconds_now();
		const int result = command_run(arguments, disks);
		json_object_set_new(report, "command_status", json_integer(result));
		json_object_set_new(report, "command_seconds", json_real(seconds_now() - at));
		if (result != 0)
			fprintf(stderr, "vmwpctl: backup: '%s' failed with status %d\n",
				arguments->operands[1], result);
		status = result != 0;
	}
	return status;
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

/* The guest is frozen. Thaws; returns the exit status. */
static int run_frozen(int fd, const struct arguments *arguments, const json_t *frozen)
{
	struct vmwpctl_copies copies = {0};
	json_t *report = json_object();
	const int acted = act(arguments, frozen, &copies, report);
	json_t *thawed = ask(fd, arguments, json_pack("{s:s}", "action", "thaw"));
	const bool is_consistent = json_is_true(json_object_get(thawed, "consistent"));
	if (thawed != NULL)
		json_object_update(report, thawed);
	json_decref(thawed);
	int status = EXIT_FAILURE;
	if (acted != 0 || !is_consistent)
		vmwpctl_copies_drop(&copies);
	else if (vmwpctl_copies_keep(&copies, report) == 0)
		status = vmwpctl_show_result(arguments, report);
	json_decref(report);
	return status;
}

static int run(const struct arguments *arguments)
{
	if (arguments->operand_count < 2 && arguments->image_copy == NULL)
		return vmwpctl_usage_error("backup run: what is to be done meanwhile? give "
					   "--image-copy DIR, or -- COMMAND");
	if (arguments->image_copy != NULL && vmwpctl_copies_check(arguments->image_copy) != 0)
		return EXIT_FAILURE;
	const int fd = vmwpctl_connect(arguments, wait_s(arguments));
	if (fd < 0)
		return EXIT_FAILURE;
	json_t *frozen = ask(fd, arguments, freeze_details(arguments, true));
	const int status = frozen != NULL ? run_frozen(fd, arguments, frozen) : EXIT_FAILURE;
	json_decref(frozen);
	close(fd);
	return status;
}

int vmwpctl_backup(const struct arguments *arguments)
{
	const char *action = arguments->operand_count > 0 ? arguments->operands[0] : "";
	const bool is_freeze = strcmp(action, "freeze") == 0;
	if (strcmp(action, "run") == 0)
		return run(arguments);
	if (!is_freeze && strcmp(action, "thaw") != 0 && strcmp(action, "status") != 0)
		return vmwpctl_usage_error(
			"backup: '%s' is not known: say freeze, thaw, status or run", action);
	if (arguments->operand_count > 1)
		return vmwpctl_usage_error(
			"backup %s takes no more: '%s'", action, arguments->operands[1]);
	if (arguments->image_copy != NULL)
		return vmwpctl_usage_error("backup %s takes no --image-copy: use run", action);
	if (!is_freeze && arguments->limit_s != NUMBER_NOT_GIVEN)
		return vmwpctl_usage_error("backup %s takes no --limit", action);
	json_t *result = vmwpctl_ask(arguments, wait_s(arguments), "backup",
		is_freeze ? freeze_details(arguments, false)
			  : json_pack("{s:s}", "action", action));
	const int status = result != NULL ? vmwpctl_show_result(arguments, result) : EXIT_FAILURE;
	json_decref(result);
	return status;
}
