// SPDX-License-Identifier: Apache-2.0
/*
 * viridian-net-config: one request on standard input, one answer on standard output. Started by
 * systemd for each connection to a socket that only the key-value daemon's user can open; see
 * net_config_linux.h. Exit status: 0 an answer was written, whatever it says; 1 no request came,
 * or the answer could not be written; 2 usage.
 */
#include "guest/ic_daemons/net_config_linux.h"
#include "packaging/version.h"

#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MS 10000 /* for all of the request to come */

enum {
	OPTION_ROOT = 256,
	OPTION_SYSFS,
	OPTION_BUS,
	OPTION_SETTLE,
	OPTION_SYSTEMD_RUN,
	OPTION_VERSION,
};

static const struct argp_option options[] = {
	{"back-end", 'b', "NAME", 0,
		"systemd-networkd, NetworkManager, ifupdown or kernel, not the one that is found",
		0},
	{"bus", OPTION_BUS, "ADDRESS", 0, "D-Bus in place of the system's", 0},
	{"root", OPTION_ROOT, "DIRECTORY", 0, "before /etc, /run, /sbin and /var", 0},
	{"settle", OPTION_SETTLE, "MS", 0, "wait for static addresses; -1: do not (10000)", 0},
	{"sysfs", OPTION_SYSFS, "DIRECTORY", 0, "in place of /sys", 0},
	{"systemd-run", OPTION_SYSTEMD_RUN, "PROGRAM", 0,
		"have this program (systemd-run) run ifup and the like, out of the sandbox", 0},
	{"version", OPTION_VERSION, NULL, 0, "print the version", 0},
	{0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct net_config_options *chosen = state->input;
	char *end;
	switch (key) {
	case 'b':
		chosen->back_end = argument;
		return 0;
	case OPTION_ROOT:
		chosen->root = argument;
		return 0;
	case OPTION_SYSFS:
		chosen->sysfs = argument;
		return 0;
	case OPTION_BUS:
		chosen->bus_address = argument;
		return 0;
	case OPTION_SETTLE:
		errno = 0;
		long ms = strtol(argument, &end, 10);
		if (errno != 0 || end == argument || *end != '\0' || ms < -1 || ms > 600000)
			argp_error(state, "--settle takes -1 to 600000, not '%s'", argument);
		chosen->settle_ms = (int)ms;
		return 0;
	case OPTION_SYSTEMD_RUN:
		chosen->systemd_run = argument;
		return 0;
	case OPTION_VERSION:
		version_print("viridian-net-config");
		exit(0);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp parser = {
	.options = options,
	.parser = parse,
	.doc = "Changes a network interface's addresses as the host of this machine asks. Reads "
	       "one "
	       "request from standard input; vmic-kvp writes it.",
};

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The whole request, up to the end of input. -1: late, or an error; capacity: too long. */
static ssize_t read_request(char *text, size_t capacity)
{
	int64_t deadline = now_ms() + REQUEST_MS;
	size_t len = 0;
	while (len < capacity) {
		int64_t left = deadline - now_ms();
		struct pollfd watch = {.fd = STDIN_FILENO, .events = POLLIN};
		int ready = left > 0 ? poll(&watch, 1, (int)left) : 0;
		if (ready < 0 && errno == EINTR)
			continue;
		ssize_t got = ready > 0 ? read(STDIN_FILENO, text + len, capacity - len) : -1;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

int main(int argc, char **argv)
{
	struct net_config_options chosen = {0};
	char text[NET_CONFIG_TEXT_MAX];
	char line[NET_CONFIG_LINE_MAX];

	argp_err_exit_status = 2;
	argp_parse(&parser, argc, argv, 0, NULL, &chosen);
	if (clearenv() != 0 || chdir("/") != 0) {
		fprintf(stderr, "viridian-net-config: cannot set up: %s\n", strerror(errno));
		return 1;
	}
	umask(022);
	ssize_t len = read_request(text, sizeof text);
	if (len < 0) {
		fprintf(stderr, "viridian-net-config: no request on standard input\n");
		return 1;
	}
	size_t size = net_config_serve(&chosen, text, (size_t)len, line);
	fprintf(stderr, "viridian-net-config: %s", line);
	return write(STDOUT_FILENO, line, size) == (ssize_t)size ? 0 : 1;
}
