// SPDX-License-Identifier: Apache-2.0
/* Command line of vmbusctl. See vmbusctl_options.h. */
#include "guest/tools/vmbusctl_options.h"

#include "guest/tools/vmbus_sysfs.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_MAX_S 86400.0
#define COUNT_MAX      1000000000l

static const char usage[] =
	"usage: vmbusctl list [options]\n"
	"\n"
	"List the VMBus devices of the Linux guest that this runs in, by relid. Without an\n"
	"option, and with -v and -vv, the output is that of the kernel's lsvmbus.\n"
	"\n"
	"  -v, --verbose       class, and the channels with their CPUs\n"
	"  -vv                 and instance, and path in sysfs\n"
	"  -l, --long          everything: state, driver, monitor id, NUMA node, rings, counters\n"
	"      --json          everything, as JSON; one object a line with --monitor\n"
	"      --monitor       stay, and print a line for each add, remove, bind and unbind\n"
	"      --interval S    with --monitor: the rings of all channels every S seconds\n"
	"      --count N       with --interval: end after N times\n"
	"      --sysfs DIR     read this tree in place of /sys\n"
	"      --help\n"
	"\n"
	"Exit status: 0 done, 1 failure, 2 wrong usage.\n"
	"example: vmbusctl list --monitor --interval 1\n";

static int __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("vmbusctl: ", stderr);
	vfprintf(stderr, format, args);
	fputs(" (vmbusctl --help)\n", stderr);
	va_end(args);
	return -EINVAL;
}

enum option_key {
	OPTION_JSON = 1000,
	OPTION_MONITOR,
	OPTION_INTERVAL,
	OPTION_COUNT,
	OPTION_SYSFS,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"verbose", no_argument, NULL, 'v'},
	{"long", no_argument, NULL, 'l'},
	{"json", no_argument, NULL, OPTION_JSON},
	{"monitor", no_argument, NULL, OPTION_MONITOR},
	{"interval", required_argument, NULL, OPTION_INTERVAL},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"sysfs", required_argument, NULL, OPTION_SYSFS},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static int interval_parse(const char *text, unsigned *out)
{
	char *end;
	const double seconds = strtod(text, &end);
	if (end == text || *end != '\0' || !(seconds >= 0.001 && seconds <= INTERVAL_MAX_S))
		return complain("--interval: \"%s\" is not a number of seconds from 0.001 to %.0f",
			text, INTERVAL_MAX_S);
	*out = (unsigned)(seconds * 1000.0);
	return 0;
}

static int count_parse(const char *text, unsigned *out)
{
	char *end;
	errno = 0;
	const long number = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || number < 1 || number > COUNT_MAX)
		return complain("--count: \"%s\" is not a number from 1 to %ld", text, COUNT_MAX);
	*out = (unsigned)number;
	return 0;
}

static int option_take(struct vmbusctl_options *options, int key, const char *value)
{
	switch (key) {
	case 'v':
		options->verbosity++;
		return 0;
	case 'l':
		options->is_long = true;
		return 0;
	case OPTION_JSON:
		options->is_json = true;
		return 0;
	case OPTION_MONITOR:
		options->is_monitor = true;
		return 0;
	case OPTION_INTERVAL:
		return interval_parse(value, &options->interval_ms);
	case OPTION_COUNT:
		return count_parse(value, &options->count);
	case OPTION_SYSFS:
		options->root = value;
		options->is_other_root = true;
		return value[0] != '\0' ? 0 : complain("--sysfs: the path is empty");
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
		return complain("%s needs a value", text);
	if (optopt == 'v' || optopt == 'l' || optopt >= OPTION_JSON)
		return complain("%s: this option takes no value", text);
	if (optopt != 0)
		return complain("\"-%c\" is not an option", optopt);
	return complain("\"%s\" is not an option", text);
}

/* Options that mean nothing together. */
static int options_check(const struct vmbusctl_options *options)
{
	if (options->is_json && (options->is_long || options->verbosity > 0))
		return complain(
			"--json says everything: leave %s out", options->is_long ? "--long" : "-v");
	if (options->is_long && options->verbosity > 0)
		return complain("--long says everything: leave -v out");
	if (options->is_monitor && (options->is_long || options->verbosity > 0))
		return complain("--monitor has lines of its own: leave %s out",
			options->is_long ? "--long" : "-v");
	if (options->interval_ms != 0 && !options->is_monitor)
		return complain("--interval goes with --monitor");
	if (options->count != 0 && options->interval_ms == 0)
		return complain("--count goes with --interval");
	if (options->is_other_root && options->is_monitor && options->interval_ms == 0)
		return complain("--monitor with --sysfs can only show rings: give --interval");
	return 0;
}

int vmbusctl_options_parse(struct vmbusctl_options *options, int argc, char **argv)
{
	*options = (struct vmbusctl_options){.root = VMBUS_SYSFS_ROOT};
	optind = 1;
	opterr = 0;
	for (int key; (key = getopt_long(argc, argv, ":vl", long_options, NULL)) != -1;) {
		if (key == '?' || key == ':')
			return option_complain(key, argv);
		const int result = option_take(options, key, optarg);
		if (result != 0)
			return result;
	}
	if (optind == argc)
		return complain("a verb is missing: say list");
	if (strcmp(argv[optind], "list") != 0)
		return complain("\"%s\" is not a verb: say list", argv[optind]);
	if (optind + 1 < argc)
		return complain("list takes no operands: \"%s\"", argv[optind + 1]);
	return options_check(options);
}
