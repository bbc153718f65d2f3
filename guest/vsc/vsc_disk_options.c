// SPDX-License-Identifier: Apache-2.0
/* Command line of vsc-disk. See vsc_disk_options.h. */
#include "guest/vsc/vsc_disk_options.h"

#include "packaging/version.h"
#include "protocol/vmbus.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: vsc-disk --connect SOCKET [options] MOUNTPOINT\n"
	"\n"
	"Be the guest of a loopback partition and show each disk of its host as a file\n"
	"under MOUNTPOINT: disk-c0-t1-l2 is LUN 2 of target 1 of controller 0, and so is\n"
	"dvd-c0-t1-l2 for a DVD. Disks come and go as the host adds and removes them.\n"
	"Heartbeats are answered. SIGTERM or SIGINT: flush, unmount, end in order.\n"
	"\n"
	"  --connect SOCKET    the host's socket: vmwp run --guest SOCKET (needed)\n"
	"  --channels N        channels of a controller, 1 to 64 (default 4)\n"
	"  --queue-depth N     requests in flight of a controller, to 4096 (default 256)\n"
	"  --max-version V     highest VMBus version to speak, as 5.3 (default 6.0)\n"
	"  --spin US           longest polling before sleeping, in us (default 200)\n"
	"  --wait S            seconds to wait for the host to be there (default 1)\n"
	"  --timeout S         seconds before a request is given up (default 30)\n"
	"  --allow-other       let other users use the files\n"
	"  --json-status FILE  write counts there, on SIGUSR1 and at the end too\n"
	"  --ready-fd N        write the line \"ready: N disks\" to this descriptor too\n"
	"  --version, --help\n"
	"\n"
	"Exit status: 0 ended in order, 1 failure, 2 wrong usage.\n"
	"example: vsc-disk --connect /tmp/guest.sock /mnt/disks\n";

static int __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("vsc-disk: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return -EINVAL;
}

static int number_parse(
	const char *what, const char *text, unsigned least, unsigned most, unsigned *out)
{
	char *end;
	errno = 0;
	const unsigned long value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value < least ||
		value > most)
		return complain(
			"--%s: \"%s\" is not a number from %u to %u", what, text, least, most);
	*out = (unsigned)value;
	return 0;
}

static int version_parse(const char *text, uint32_t *out)
{
	unsigned major;
	unsigned minor;
	char end;
	if (sscanf(text, "%u.%u%c", &major, &minor, &end) == 2 && major < 256 && minor < 256) {
		*out = major << 16 | minor;
		if (vmbus_version_find(*out) != NULL)
			return 0;
	}
	return complain("--max-version: \"%s\" is not a VMBus version: use 0.13, 1.1, 2.4, 3.0, "
			"4.0, 4.1, 5.0, 5.1, 5.2, 5.3 or 6.0",
		text);
}

enum option_key {
	OPTION_CONNECT = 1000,
	OPTION_CHANNELS,
	OPTION_QUEUE_DEPTH,
	OPTION_MAX_VERSION,
	OPTION_SPIN,
	OPTION_WAIT,
	OPTION_TIMEOUT,
	OPTION_ALLOW_OTHER,
	OPTION_JSON_STATUS,
	OPTION_READY_FD,
	OPTION_VERSION,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"connect", required_argument, NULL, OPTION_CONNECT},
	{"channels", required_argument, NULL, OPTION_CHANNELS},
	{"queue-depth", required_argument, NULL, OPTION_QUEUE_DEPTH},
	{"max-version", required_argument, NULL, OPTION_MAX_VERSION},
	{"spin", required_argument, NULL, OPTION_SPIN},
	{"wait", required_argument, NULL, OPTION_WAIT},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"allow-other", no_argument, NULL, OPTION_ALLOW_OTHER},
	{"json-status", required_argument, NULL, OPTION_JSON_STATUS},
	{"ready-fd", required_argument, NULL, OPTION_READY_FD},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static int option_take(struct disk_options *options, int key, const char *value)
{
	unsigned number = 0;
	int result;
	switch (key) {
	case OPTION_CONNECT:
		options->connect = value;
		return 0;
	case OPTION_CHANNELS:
		return number_parse("channels", value, 1, 64, &options->channels);
	case OPTION_QUEUE_DEPTH:
		return number_parse("queue-depth", value, 1, 4096, &options->queue_depth);
	case OPTION_MAX_VERSION:
		return version_parse(value, &options->version_max);
	case OPTION_SPIN:
		return number_parse("spin", value, 0, 1000000, &options->spin_us);
	case OPTION_WAIT:
		return number_parse("wait", value, 0, 86400, &options->wait_s);
	case OPTION_TIMEOUT:
		return number_parse("timeout", value, 1, 86400, &options->timeout_s);
	case OPTION_ALLOW_OTHER:
		options->allow_other = true;
		return 0;
	case OPTION_JSON_STATUS:
		options->json_status = value;
		return 0;
	case OPTION_READY_FD:
		result = number_parse("ready-fd", value, 0, 1048576, &number);
		options->ready_fd = (int)number;
		if (result == 0 && fcntl(options->ready_fd, F_GETFD) < 0)
			return complain("--ready-fd: \"%s\" is no open descriptor", value);
		return result;
	case OPTION_VERSION:
		version_print("vsc-disk");
		return 1;
	case OPTION_HELP:
		fputs(usage, stdout);
		return 1;
	default:
		return -EINVAL;
	}
}

/* What getopt_long did not take, in one line. */
static int option_complain(int key, char *const *argv)
{
	const char *text = argv[optind - 1];
	if (key == ':')
		return complain("%s needs a value; see vsc-disk --help", text);
	if (optopt >= OPTION_CONNECT)
		return complain("%s: this option takes no value; see vsc-disk --help", text);
	if (optopt != 0)
		return complain("\"-%c\" is not an option; see vsc-disk --help", optopt);
	return complain("\"%s\" is not an option; see vsc-disk --help", text);
}

int disk_options_parse(struct disk_options *options, int argc, char **argv)
{
	*options = (struct disk_options){
		.channels = 4,
		.queue_depth = 256,
		.spin_us = 200,
		.wait_s = 1,
		.timeout_s = 30,
		.ready_fd = -1,
	};
	optind = 1;
	opterr = 0;
	for (int key; (key = getopt_long(argc, argv, ":", long_options, NULL)) != -1;) {
		if (key == '?' || key == ':')
			return option_complain(key, argv);
		const int result = option_take(options, key, optarg);
		if (result != 0)
			return result;
	}
	if (options->connect == NULL || options->connect[0] == '\0')
		return complain("--connect SOCKET is missing: the socket of a running host "
				"(vmwp run --guest SOCKET)");
	if (optind >= argc || argv[optind][0] == '\0')
		return complain("MOUNTPOINT is missing: a directory to show the disks in");
	if (optind + 1 < argc)
		return complain(
			"\"%s\" is one argument too many: give one MOUNTPOINT", argv[optind + 1]);
	options->mount_point = argv[optind];
	return 0;
}
