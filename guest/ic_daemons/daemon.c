// SPDX-License-Identifier: Apache-2.0
/*
 * The life of a daemon. See daemon.h.
 *
 *	options -> start() -> helper -> transport is opened -> sandbox -> ready() -> loop -> stop()
 *
 * Whatever needs privileges comes before the sandbox, and nothing that the host says is looked at
 * before it.
 */
#include "guest/ic_daemons/daemon_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct daemon *daemon_new(
	const struct daemon_component *component, const struct daemon_options *options)
{
	struct daemon *daemon = calloc(1, sizeof *daemon);
	if (daemon == NULL)
		return NULL;
	daemon->component = component;
	daemon->options = *options;
	daemon->device.fd = -1;
	daemon->helper.fd = -1;
	daemon->status.dir_fd = -1;
	daemon->epoll_fd = -1;
	daemon->work.pipe[0] = daemon->work.pipe[1] = -1;
	const int error = daemon_loop_init(daemon);
	if (error == 0 && daemon_work_init(daemon) == 0)
		return daemon;
	daemon_work_end(daemon);
	daemon_loop_end(daemon);
	free(daemon);
	return NULL;
}

static int call(int (*function)(void *ctx, struct daemon *daemon), struct daemon *daemon)
{
	return function != NULL ? function(daemon->component->ctx, daemon) : 0;
}

int daemon_destroy(struct daemon *daemon)
{
	const struct daemon_component *component = daemon->component;
	daemon->is_quitting = true;
	daemon_transport_close(daemon);
	if (component->stop != NULL)
		component->stop(component->ctx, daemon);
	daemon_work_end(daemon);
	daemon_helper_stop(daemon);
	if (daemon->is_quiet)
		daemon_quiet(daemon, false);
	daemon_status_close(daemon);
	daemon_timer_clear(daemon, &daemon->watchdog);
	daemon_loop_end(daemon);
	const int status = daemon->exit_status;
	free(daemon);
	return status;
}

struct daemon *daemon_create(const struct daemon_component *component)
{
	struct daemon_options options;
	daemon_options_default(&options);
	daemon_log_open(component->stem, false);
	struct daemon *daemon = daemon_new(component, &options);
	if (daemon == NULL)
		return NULL;
	if (call(component->start, daemon) == 0 && daemon_helper_start(daemon) == 0 &&
		call(component->ready, daemon) == 0)
		return daemon;
	(void)daemon_destroy(daemon);
	return NULL;
}

/* ---- the program --------------------------------------------------------- */

/* Nothing could be opened. 0: go on and wait; else the program ends with exit_status. */
static int nothing_open(struct daemon *daemon, int error)
{
	const bool is_absent = error == -ENODEV;
	char line[3 * DAEMON_WHY_BYTES] = {0};
	size_t len = 0;
	for (unsigned i = 1; i < DAEMON_TRANSPORTS; i++) {
		const char *why = daemon->why[i];
		if (why[0] == '\0' || strncmp(why, "not ", 4) == 0 || len >= sizeof line ||
			(i == DAEMON_TRANSPORT_DEVICE && daemon->component->device == NULL))
			continue;
		const int added = snprintf(
			line + len, sizeof line - len, "%s%s", len > 0 ? "; " : "", why);
		len += added > 0 ? (size_t)added : 0;
	}
	if (daemon->options.waits) {
		daemon_log(LOG_NOTICE, "waiting: %s", line);
		return 0;
	}
	if (error == -EBUSY)
		daemon_status_disown(daemon);
	daemon_log(is_absent ? LOG_INFO : LOG_ERR, "%s%s", is_absent ? "nothing to serve: " : "",
		line);
	/* systemd takes an end before READY for a failure, and would start it again and again */
	if (is_absent)
		daemon_notify_nothing(line);
	daemon_quit(daemon, is_absent ? 0 : 1);
	return error;
}

/* Up to the sandbox and beyond. An error: it was said, and the program ends. */
static int begin(struct daemon *daemon)
{
	const struct daemon_component *component = daemon->component;
	struct daemon_identity identity;
	int error = daemon_identity_find(daemon->options.user, &identity);
	if (error != 0)
		return error;
	daemon_status_open(daemon, &identity);
	error = call(component->start, daemon);
	if (error != 0)
		return error;
	error = daemon_helper_start(daemon);
	if (error == 0)
		error = daemon_signals_take(daemon);
	if (error != 0) {
		daemon_log(LOG_ERR, "cannot start: %s", strerror(-error));
		return error;
	}
	error = daemon_transport_open(daemon);
	if (error != 0 && nothing_open(daemon, error) != 0)
		return error;
	if (daemon->options.has_sandbox) {
		error = daemon_sandbox_enter(daemon, &identity);
		if (error != 0)
			return error;
	}
	return call(component->ready, daemon);
}

int daemon_main(int argc, char **argv, const struct daemon_component *component)
{
	struct daemon_options options;
	const int parsed = daemon_options_parse(&options, component, argc, argv);
	if (parsed != 0)
		return parsed - 1;
	daemon_log_open(component->stem, options.is_verbose);
	struct daemon *daemon = daemon_new(component, &options);
	if (daemon == NULL) {
		daemon_log(LOG_ERR, "out of memory or descriptors");
		return 1;
	}
	if (begin(daemon) != 0) {
		if (!daemon->is_quitting)
			daemon_quit(daemon, 1);
		return daemon_destroy(daemon);
	}
	daemon_transport_begin(daemon);
	daemon_notify_watchdog_start(daemon);
	daemon_notify_ready(daemon);
	daemon_status_touch(daemon);
	while (daemon_turn(daemon, -1))
		;
	daemon_notify_stopping();
	return daemon_destroy(daemon);
}
