// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-heartbeat's component. See heartbeat_daemon_linux.h.
 */
#include "guest/ic_daemons/heartbeat_daemon_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_TEXT_BYTES 32u

static const char *const state_names[HEARTBEAT_APPLICATION_COUNT] = {
	[HEARTBEAT_APPLICATION_UNKNOWN] = "unknown",
	[HEARTBEAT_APPLICATION_HEALTHY] = "healthy",
	[HEARTBEAT_APPLICATION_CRITICAL] = "critical",
	[HEARTBEAT_APPLICATION_STOPPED] = "stopped",
};

bool heartbeat_state_parse(const char *text, uint32_t *out)
{
	for (uint32_t i = 0; i < HEARTBEAT_APPLICATION_COUNT; i++) {
		const char number[2] = {(char)('0' + i), '\0'};
		if (strcmp(text, state_names[i]) == 0 || strcmp(text, number) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

/* ---- the file ------------------------------------------------------------ */

/* First word of the file. False: there is no such file, or it is not one to read. */
static bool word_read(const struct heartbeat_daemon *heartbeat, char out[STATE_TEXT_BYTES])
{
	struct stat status;
	const int fd = openat(heartbeat->dir_fd, heartbeat->name,
		O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t len = -1;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		len = read(fd, out, STATE_TEXT_BYTES - 1);
	close(fd);
	if (len < 0)
		return false;
	out[len] = '\0';
	out[strcspn(out, " \t\r\n")] = '\0';
	return true;
}

static void state_set(struct heartbeat_daemon *heartbeat, uint32_t state)
{
	if (heartbeat->ic.application_state == state)
		return;
	heartbeat->ic.application_state = state;
	daemon_log(LOG_INFO, "the applications are said to be %s", state_names[state]);
}

static void file_look(struct heartbeat_daemon *heartbeat)
{
	char word[STATE_TEXT_BYTES];
	uint32_t state = heartbeat->state;
	const bool is_there = word_read(heartbeat, word);
	/* Being written, it is empty for a moment: then nothing has been said yet. */
	if (is_there && word[0] == '\0')
		return;
	const bool is_odd = is_there && !heartbeat_state_parse(word, &state);
	if (is_odd && !heartbeat->is_odd)
		daemon_log(LOG_WARNING, "%s: \"%s\" is not unknown, healthy, critical or stopped",
			heartbeat->file, word);
	heartbeat->is_odd = is_odd;
	state_set(heartbeat, state);
}

static void on_change(void *ctx, uint32_t events)
{
	struct heartbeat_daemon *heartbeat = ctx;
	char buffer[4096] __attribute__((aligned(8)));
	(void)events;
	while (read(heartbeat->watch.fd, buffer, sizeof buffer) > 0)
		;
	file_look(heartbeat);
}

/* ---- component ----------------------------------------------------------- */

static int complain(const char *path)
{
	const int error = -errno;
	daemon_log(LOG_ERR, "--state-file: %s: %s", path, strerror(-error));
	return error;
}

static int start(void *ctx, struct daemon *daemon)
{
	struct heartbeat_daemon *heartbeat = ctx;
	char dir[PATH_MAX] = ".";
	heartbeat->ic.application_state = heartbeat->state;
	if (heartbeat->file == NULL)
		return 0;
	const char *slash = strrchr(heartbeat->file, '/');
	heartbeat->name = slash != NULL ? slash + 1 : heartbeat->file;
	if (slash != NULL)
		snprintf(dir, sizeof dir, "%.*s/", (int)(slash - heartbeat->file), heartbeat->file);
	heartbeat->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (heartbeat->dir_fd < 0)
		return complain(dir);
	const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd < 0)
		return complain("inotify");
	if (inotify_add_watch(fd, dir,
		    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR) < 0 ||
		daemon_watch_add(daemon, &heartbeat->watch, fd, EPOLLIN, on_change, heartbeat) !=
			0) {
		const int error = complain(dir);
		close(fd);
		return error;
	}
	return 0;
}

static int ready(void *ctx, struct daemon *daemon)
{
	struct heartbeat_daemon *heartbeat = ctx;
	(void)daemon;
	if (heartbeat->file != NULL)
		file_look(heartbeat);
	return 0;
}

static void stop(void *ctx, struct daemon *daemon)
{
	struct heartbeat_daemon *heartbeat = ctx;
	if (heartbeat->watch.is_added) {
		const int fd = heartbeat->watch.fd;
		daemon_watch_remove(daemon, &heartbeat->watch);
		close(fd);
	}
	if (heartbeat->dir_fd >= 0)
		close(heartbeat->dir_fd);
	heartbeat->dir_fd = -1;
}

static void status(void *ctx, json_t *object)
{
	const struct heartbeat_daemon *heartbeat = ctx;
	json_object_set_new(object, "beats", json_integer((json_int_t)heartbeat->ic.beats));
	json_object_set_new(object, "application_state",
		json_string(state_names[heartbeat->ic.application_state]));
}

/* ---- options ------------------------------------------------------------- */

enum key { KEY_STATE = 0x2000, KEY_STATE_FILE };

static const struct argp_option option_rows[] = {
	{"state", KEY_STATE, "STATE", 0,
		"say that the applications are unknown (default), healthy, critical or stopped", 0},
	{"state-file", KEY_STATE_FILE, "FILE", 0,
		"say what the first word of this file says, and --state while there is none", 0},
	{0},
};

static error_t option_take(int key, char *value, struct argp_state *state)
{
	struct heartbeat_daemon *heartbeat = state->input;
	switch (key) {
	case KEY_STATE:
		if (!heartbeat_state_parse(value, &heartbeat->state))
			argp_error(state,
				"--state: \"%s\" is not unknown, healthy, critical or stopped",
				value);
		return 0;
	case KEY_STATE_FILE:
		heartbeat->file = value;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp options = {.options = option_rows, .parser = option_take};

void heartbeat_daemon_init(struct heartbeat_daemon *heartbeat, struct daemon_component *component)
{
	memset(heartbeat, 0, sizeof *heartbeat);
	heartbeat->dir_fd = -1;
	heartbeat_ic_init(&heartbeat->ic);
	*component = (struct daemon_component){
		.stem = "heartbeat",
		.description = "Answers the heartbeats of the virtual machine's host.",
		.interface_id = &guid_heartbeat,
		.ctx = heartbeat,
		.ic = &heartbeat->ic.ic,
		.options = &options,
		.start = start,
		.ready = ready,
		.stop = stop,
		.status = status,
	};
}
