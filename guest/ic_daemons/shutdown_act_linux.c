// SPDX-License-Identifier: Apache-2.0
/*
 * Powering off, restarting and hibernating. See shutdown_act_linux.h.
 */
#include "guest/ic_daemons/shutdown_act_linux.h"

#include "guest/ic_daemons/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef VIRIDIAN_HAVE_SYSTEMD
#include <systemd/sd-bus.h>
#endif

#define PROGRAM_S 60u
#define BUS_US	  (25u * 1000000u)

const char *shutdown_act_name(enum shutdown_action action)
{
	static const char *const names[SHUTDOWN_ACTION_COUNT] = {
		[SHUTDOWN_POWER_OFF] = "power off",
		[SHUTDOWN_RESTART] = "restart",
		[SHUTDOWN_HIBERNATE] = "hibernate",
	};
	return (unsigned)action < SHUTDOWN_ACTION_COUNT ? names[action] : "nothing";
}

bool shutdown_act_can_hibernate(const char *root)
{
	char path[PATH_MAX];
	char text[128];
	if (snprintf(path, sizeof path, "%s/sys/power/state", root) >= (int)sizeof path)
		return false;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	const ssize_t len = read(fd, text, sizeof text - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return strstr(text, "disk") != NULL;
}

/* ---- programs ------------------------------------------------------------ */

struct program {
	const char *path; /* without the root */
	enum shutdown_action action;
	const char *words[3];
	bool takes_message;
};

/* Best first. */
static const struct program programs[] = {
	{"/sbin/shutdown", SHUTDOWN_POWER_OFF, {"-P", "now", NULL}, true},
	{"/usr/sbin/shutdown", SHUTDOWN_POWER_OFF, {"-P", "now", NULL}, true},
	{"/sbin/poweroff", SHUTDOWN_POWER_OFF, {NULL}, false},
	{"/usr/sbin/poweroff", SHUTDOWN_POWER_OFF, {NULL}, false},
	{"/sbin/shutdown", SHUTDOWN_RESTART, {"-r", "now", NULL}, true},
	{"/usr/sbin/shutdown", SHUTDOWN_RESTART, {"-r", "now", NULL}, true},
	{"/sbin/reboot", SHUTDOWN_RESTART, {NULL}, false},
	{"/usr/sbin/reboot", SHUTDOWN_RESTART, {NULL}, false},
	{"/usr/bin/systemctl", SHUTDOWN_HIBERNATE, {"hibernate", NULL}, false},
	{"/usr/sbin/pm-hibernate", SHUTDOWN_HIBERNATE, {NULL}, false},
};

bool shutdown_act_program(const char *root, enum shutdown_action action, const char *message,
	const char *argv[SHUTDOWN_ACT_WORDS + 1])
{
	char path[PATH_MAX];
	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
		const struct program *program = &programs[i];
		unsigned words = 0;
		if (program->action != action ||
			snprintf(path, sizeof path, "%s%s", root, program->path) >=
				(int)sizeof path ||
			access(path, X_OK) != 0)
			continue;
		argv[words++] = program->path;
		for (unsigned k = 0; program->words[k] != NULL; k++)
			argv[words++] = program->words[k];
		if (program->takes_message)
			argv[words++] = message;
		argv[words] = NULL;
		return true;
	}
	return false;
}

static int by_program(const struct shutdown_act_config *config, enum shutdown_action action,
	const char *message, char *how, size_t how_bytes)
{
	const char *argv[SHUTDOWN_ACT_WORDS + 1];
	char output[256];
	if (!shutdown_act_program(config->root, action, message, argv)) {
		snprintf(how, how_bytes, "there is neither logind nor a program for it");
		return -ENOENT;
	}
	snprintf(how, how_bytes, "%s", argv[0]);
	if (config->is_dry_run)
		return 0;
	const int status = daemon_execute(argv, NULL, PROGRAM_S, output, sizeof output);
	if (status == 0)
		return 0;
	if (status < 0)
		snprintf(how, how_bytes, "%s: %s", argv[0], strerror(-status));
	else
		snprintf(how, how_bytes, "%s ended with status %d: %s", argv[0], status, output);
	return status < 0 ? status : -EIO;
}

/* ---- logind -------------------------------------------------------------- */

#ifdef VIRIDIAN_HAVE_SYSTEMD

#define LOGIND_NAME "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define LOGIND_FACE "org.freedesktop.login1.Manager"

/* -ENOENT: there is no logind to ask. */
static int by_logind(const struct shutdown_act_config *config, enum shutdown_action action,
	const char *message, char *how, size_t how_bytes)
{
	static const char *const methods[SHUTDOWN_ACTION_COUNT] = {
		[SHUTDOWN_POWER_OFF] = "PowerOff",
		[SHUTDOWN_RESTART] = "Reboot",
		[SHUTDOWN_HIBERNATE] = "Hibernate",
	};
	sd_bus *bus = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	if (sd_bus_open_system(&bus) < 0)
		return -ENOENT;
	(void)sd_bus_set_method_call_timeout(bus, BUS_US);
	/* Known, or to be started by the bus: either way it answers this. */
	int result = sd_bus_call_method(bus, LOGIND_NAME, LOGIND_PATH, "org.freedesktop.DBus.Peer",
		"Ping", &error, NULL, NULL);
	if (result < 0) {
		result = -ENOENT;
	} else if (!config->is_dry_run) {
		(void)sd_bus_call_method(bus, LOGIND_NAME, LOGIND_PATH, LOGIND_FACE,
			"SetWallMessage", NULL, NULL, "sb", message, 1);
		sd_bus_error_free(&error);
		result = sd_bus_call_method(bus, LOGIND_NAME, LOGIND_PATH, LOGIND_FACE,
			methods[action], &error, NULL, "b", 0);
	}
	if (result >= 0)
		snprintf(how, how_bytes, "logind");
	else if (result != -ENOENT)
		snprintf(how, how_bytes, "logind: %s",
			error.message != NULL ? error.message : strerror(-result));
	sd_bus_error_free(&error);
	sd_bus_flush_close_unref(bus);
	return result < 0 ? result : 0;
}

#else

static int by_logind(const struct shutdown_act_config *config, enum shutdown_action action,
	const char *message, char *how, size_t how_bytes)
{
	(void)config;
	(void)action;
	(void)message;
	(void)how;
	(void)how_bytes;
	return -ENOENT;
}

#endif

int shutdown_act(const struct shutdown_act_config *config, enum shutdown_action action,
	const char *message, char *how, size_t how_bytes)
{
	int result = -ENOENT;
	how[0] = '\0';
	if ((unsigned)action >= SHUTDOWN_ACTION_COUNT)
		return -EINVAL;
	if (!config->has_no_logind)
		result = by_logind(config, action, message, how, how_bytes);
	if (result == 0)
		return 0;
	/* One that refuses may have its reasons (an inhibitor, a policy), but the host was told
	 * that it will be so. */
	if (result != -ENOENT)
		daemon_log(LOG_WARNING, "%s; trying without", how);
	return by_program(config, action, message, how, how_bytes);
}
