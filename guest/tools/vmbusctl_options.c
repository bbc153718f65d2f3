// SPDX-License-Identifier: Apache-2.0
/* Command line of vmbusctl. See vmbusctl_options.h. */
#include "guest/tools/vmbusctl_options.h"

#include "guest/tools/vmbus_sysfs.h"
#include "guest/tools/vmbus_use.h"
#include "guest/tools/vmbusctl_status.h"
#include "packaging/version.h"

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
	"       vmbusctl status [--json]\n"
	"       vmbusctl bind DEVICE [DRIVER] [--if-free] [--force]\n"
	"       vmbusctl unbind DEVICE [--force]\n"
	"       vmbusctl lsvmbus [-v] [-vv]\n"
	"\n"
	"The VMBus of the Linux guest that this runs in. A DEVICE is a class that has one\n"
	"device (fcopy), a relid (5), or an instance.\n"
	"\n"
	"list: the devices, by relid; without an option, and with -v and -vv, as the kernel's\n"
	"lsvmbus does, which this also is by that name\n"
	"  -v, --verbose       class, and the channels with their CPUs\n"
	"  -vv                 and instance, and path in sysfs\n"
	"  -l, --long          everything: state, driver, monitor id, NUMA node, rings, counters\n"
	"      --json          everything, as JSON; one object a line with --monitor\n"
	"      --monitor       stay, and print a line for each add, remove, bind and unbind\n"
	"      --interval S    with --monitor: the rings of all channels every S seconds\n"
	"      --count N       with --interval: end after N times\n"
	"status: each integration service, what serves it, and what to do if nothing does\n"
	"      --json          the same for programs\n"
	"      --run DIR       where the daemons leave their status (/run/viridian)\n"
	"bind: give a device to a driver; without DRIVER to the one that the kernel chooses\n"
	"      --if-free       only if it has none; else leave it, and succeed\n"
	"unbind: take a device from its driver\n"
	"      --force         even one whose disks are mounted or otherwise used\n"
	"all:\n"
	"      --sysfs DIR     use this tree in place of /sys\n"
	"      --proc DIR      and this in place of /proc\n"
	"  -V, --version\n"
	"  -h, --help\n"
	"\n"
	"Exit status: 0 done, 1 failure, 2 wrong usage.\n"
	"example: vmbusctl bind fcopy uio_hv_generic\n";

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
	OPTION_PROC,
	OPTION_RUN,
	OPTION_IF_FREE,
	OPTION_FORCE,
};

static const struct option long_options[] = {
	{"verbose", no_argument, NULL, 'v'},
	{"long", no_argument, NULL, 'l'},
	{"json", no_argument, NULL, OPTION_JSON},
	{"monitor", no_argument, NULL, OPTION_MONITOR},
	{"interval", required_argument, NULL, OPTION_INTERVAL},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"sysfs", required_argument, NULL, OPTION_SYSFS},
	{"proc", required_argument, NULL, OPTION_PROC},
	{"run", required_argument, NULL, OPTION_RUN},
	{"if-free", no_argument, NULL, OPTION_IF_FREE},
	{"force", no_argument, NULL, OPTION_FORCE},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* ---- values ---- */

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

static int path_take(const char *option, const char *value, const char **out)
{
	*out = value;
	return value[0] != '\0' ? 0 : complain("%s: the path is empty", option);
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
		options->is_other_root = true;
		return path_take("--sysfs", value, &options->root);
	case OPTION_PROC:
		return path_take("--proc", value, &options->proc);
	case OPTION_RUN:
		return path_take("--run", value, &options->run);
	case OPTION_IF_FREE:
		options->is_if_free = true;
		return 0;
	case OPTION_FORCE:
		options->is_forced = true;
		return 0;
	case 'V':
		version_print("vmbusctl");
		return 1;
	case 'h':
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
	if (optopt >= OPTION_JSON || (optopt != 0 && strchr("vlVh", optopt) != NULL))
		return complain("%s: this option takes no value", text);
	if (optopt != 0)
		return complain("\"-%c\" is not an option", optopt);
	return complain("\"%s\" is not an option", text);
}

/* ---- verbs ---- */

static const struct {
	const char *name;
	enum vmbusctl_verb verb;
	int operands_min;
	int operands_max;
} verbs[] = {
	{"list", VMBUSCTL_LIST, 0, 0},
	{"status", VMBUSCTL_STATUS, 0, 0},
	{"bind", VMBUSCTL_BIND, 1, 2},
	{"unbind", VMBUSCTL_UNBIND, 1, 1},
	{"lsvmbus", VMBUSCTL_LSVMBUS, 0, 0},
};

/* Options that mean nothing to other verbs than these. */
static const struct {
	int key;
	unsigned verbs; /* 1 << verb */
} owned[] = {
	{'v', 1u << VMBUSCTL_LIST | 1u << VMBUSCTL_LSVMBUS},
	{'l', 1u << VMBUSCTL_LIST},
	{OPTION_JSON, 1u << VMBUSCTL_LIST | 1u << VMBUSCTL_STATUS},
	{OPTION_MONITOR, 1u << VMBUSCTL_LIST},
	{OPTION_INTERVAL, 1u << VMBUSCTL_LIST},
	{OPTION_COUNT, 1u << VMBUSCTL_LIST},
	{OPTION_RUN, 1u << VMBUSCTL_STATUS},
	{OPTION_IF_FREE, 1u << VMBUSCTL_BIND},
	{OPTION_FORCE, 1u << VMBUSCTL_BIND | 1u << VMBUSCTL_UNBIND},
};
#define OWNED_COUNT (sizeof owned / sizeof owned[0])

static const char *option_name(int key)
{
	const struct option *option = long_options;
	while (option->val != key)
		option++;
	return option->name;
}

static int verb_take(struct vmbusctl_options *options, const char *name, char **operands, int count,
	unsigned given)
{
	size_t i = 0;
	while (i < sizeof verbs / sizeof verbs[0] && strcmp(name, verbs[i].name) != 0)
		i++;
	if (i == sizeof verbs / sizeof verbs[0])
		return complain("\"%s\" is not a verb: say list, status, bind or unbind", name);
	options->verb = verbs[i].verb;
	if (count > verbs[i].operands_max)
		return complain(
			"%s: \"%s\" is too much", verbs[i].name, operands[verbs[i].operands_max]);
	if (count < verbs[i].operands_min)
		return complain(
			"%s: which device? Give a class, a relid or an instance", verbs[i].name);
	options->device = count > 0 ? operands[0] : NULL;
	options->driver = count > 1 ? operands[1] : NULL;
	for (size_t j = 0; j < OWNED_COUNT; j++) {
		if ((given & 1u << j) != 0 && (owned[j].verbs & 1u << options->verb) == 0)
			return complain("--%s does not go with %s", option_name(owned[j].key),
				verbs[i].name);
	}
	return 0;
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
	if (options->is_forced && options->is_if_free)
		return complain("--force takes a device, --if-free leaves it: give one of them");
	return 0;
}

static unsigned owned_bit(int key)
{
	for (size_t i = 0; i < OWNED_COUNT; i++) {
		if (owned[i].key == key)
			return 1u << i;
	}
	return 0;
}

int vmbusctl_options_parse(struct vmbusctl_options *options, int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const bool is_lsvmbus = strcmp(slash != NULL ? slash + 1 : argv[0], "lsvmbus") == 0;
	unsigned given = 0;
	*options = (struct vmbusctl_options){
		.root = VMBUS_SYSFS_ROOT,
		.proc = VMBUS_PROC_ROOT,
		.run = VMBUSCTL_STATUS_RUN,
	};
	optind = 1;
	opterr = 0;
	for (int key; (key = getopt_long(argc, argv, ":vlVh", long_options, NULL)) != -1;) {
		if (key == '?' || key == ':')
			return option_complain(key, argv);
		const int result = option_take(options, key, optarg);
		if (result != 0)
			return result;
		given |= owned_bit(key);
	}
	if (!is_lsvmbus && optind == argc)
		return complain("a verb is missing: say list, status, bind or unbind");
	const int error =
		is_lsvmbus ? verb_take(options, "lsvmbus", argv + optind, argc - optind, given)
			   : verb_take(options, argv[optind], argv + optind + 1, argc - optind - 1,
				     given);
	return error != 0 ? error : options_check(options);
}
