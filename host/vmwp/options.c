// SPDX-License-Identifier: Apache-2.0
/* The command line of `vmwp run`: see options.h. */
#include "host/vmwp/options.h"

#include "protocol/vmbus.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

static const char help_text[] =
	"usage: vmwp run --guest SOCKET [options]\n"
	"\n"
	"Host one loopback partition: its guest is a process that connects to SOCKET and\n"
	"shares the partition's memory.\n"
	"\n"
	"  --guest SOCKET       Unix socket to make for the guest (needed)\n"
	"  --control SOCKET     Unix socket to make for vmwpctl\n"
	"  --memory SIZE        guest memory, 1M to 64G (default 64M)\n"
	"  --vps N              virtual processors, 1 to 64 (default 1)\n"
	"  --disk PATH[,…]      attach a raw image or block device\n"
	"  --dvd PATH[,…]       attach an ISO image, read-only\n"
	"  --ram-disk SIZE[,…]  attach a disk in memory, for measurements\n"
	"        …: ro, direct (O_DIRECT), block=512|4096, controller=0..3, target=0..63,\n"
	"        lun=0..254; without an address the next free target is taken\n"
	"  --channels N         most channels for one storage controller, 1 to 64 (default 4)\n"
	"  --max-version V      highest VMBus version to accept, such as 5.3 (default 6.0)\n"
	"  --heartbeat MS       heartbeat period in milliseconds (default 2000; 0: none)\n"
	"  --spin US            longest polling before sleeping, in microseconds (default 50)\n"
	"  --once               end when the first guest has gone\n"
	"  --log LEVEL          error, warning, info (default) or debug\n"
	"  --help\n"
	"\n"
	"example: vmwp run --guest /tmp/guest.sock --control /tmp/ctl.sock --disk root.img\n";

static int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int complain(const char *format, ...)
{
	va_list args;
	fputs("vmwp: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return -1;
}

static int number_parse(
	const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	char *end;
	errno = 0;
	const unsigned long long value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < least ||
		value > most)
		return complain("%s: \"%s\" is not a number from %llu to %llu", what, text,
			(unsigned long long)least, (unsigned long long)most);
	*out = value;
	return 0;
}

int options_size_parse(const char *text, uint64_t *bytes)
{
	static const struct {
		const char *suffix;
		unsigned shift;
	} units[] = {{"", 0}, {"K", 10}, {"M", 20}, {"G", 30}, {"T", 40}};
	char *end;
	errno = 0;
	const unsigned long long value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || errno != 0)
		return -1;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcasecmp(end, units[i].suffix) != 0)
			continue;
		if (value > UINT64_MAX >> units[i].shift)
			return -1;
		*bytes = (uint64_t)value << units[i].shift;
		return 0;
	}
	return -1;
}

/* ---- disks --------------------------------------------------------------------------------- */

static int disk_number(const char *what, const char *key, const char *value, uint64_t most,
	unsigned *out, struct disk_options *disk)
{
	char name[64];
	uint64_t number = 0;
	snprintf(name, sizeof name, "%s: %s", what, key);
	if (number_parse(name, value, 0, most, &number) != 0)
		return -1;
	*out = (unsigned)number;
	disk->has_address = true;
	return 0;
}

static int disk_word(const char *what, char *word, struct disk_options *disk)
{
	char *value = strchr(word, '=');
	if (value != NULL)
		*value++ = '\0';
	if (value == NULL && strcmp(word, "ro") == 0) {
		disk->is_read_only = true;
		return 0;
	}
	if (value == NULL && strcmp(word, "direct") == 0) {
		disk->is_direct = true;
		return 0;
	}
	if (value != NULL && strcmp(word, "controller") == 0)
		return disk_number(
			what, word, value, OPTIONS_CONTROLLERS_MAX - 1, &disk->controller, disk);
	if (value != NULL && strcmp(word, "target") == 0)
		return disk_number(what, word, value, 63, &disk->target, disk);
	if (value != NULL && strcmp(word, "lun") == 0)
		return disk_number(what, word, value, 254, &disk->lun, disk);
	if (value != NULL && strcmp(word, "block") == 0) {
		if (strcmp(value, "512") != 0 && strcmp(value, "4096") != 0)
			return complain("%s: block=%s: use 512 or 4096", what, value);
		disk->block_bytes = (uint32_t)strtoul(value, NULL, 10);
		return 0;
	}
	return complain(
		"%s: \"%s\" is not known: use ro, direct, block=, controller=, target= or lun=",
		what, word);
}

int options_disk_parse(const char *what, enum disk_kind kind, char *text, struct disk_options *out)
{
	*out = (struct disk_options){
		.kind = kind,
		.block_bytes = kind == DISK_DVD ? 2048 : 512,
		.is_read_only = kind == DISK_DVD,
	};
	char *rest = strchr(text, ',');
	if (rest != NULL)
		*rest++ = '\0';
	if (text[0] == '\0')
		return complain("%s: a path is missing before the first comma", what);
	out->path = text;
	if (kind == DISK_RAM) {
		out->path = NULL;
		if (options_size_parse(text, &out->ram_bytes) != 0 || out->ram_bytes == 0 ||
			out->ram_bytes % 4096 != 0 || out->ram_bytes > 1ull << 36)
			return complain("%s: \"%s\" is not a size from 4K to 64G, such as 256M",
				what, text);
	}
	while (rest != NULL) {
		char *word = rest;
		rest = strchr(word, ',');
		if (rest != NULL)
			*rest++ = '\0';
		if (disk_word(what, word, out) != 0)
			return -1;
	}
	return 0;
}

static int disk_add(struct options *options, const char *what, enum disk_kind kind, char *text)
{
	if (options->disk_count == OPTIONS_DISKS_MAX)
		return complain("%s: more than %u disks; attach the rest with vmwpctl", what,
			OPTIONS_DISKS_MAX);
	struct disk_options *disk = &options->disks[options->disk_count];
	if (options_disk_parse(what, kind, text, disk) != 0)
		return -1;
	for (unsigned i = 0; i < options->disk_count; i++) {
		const struct disk_options *other = &options->disks[i];
		if (disk->has_address && other->has_address &&
			disk->controller == other->controller && disk->target == other->target &&
			disk->lun == other->lun)
			return complain("%s: controller %u, target %u, lun %u is taken twice", what,
				disk->controller, disk->target, disk->lun);
	}
	options->disk_count++;
	return 0;
}

/* Disks without an address get the lowest target of controller 0 that nobody uses. */
static int disks_place(struct options *options)
{
	for (unsigned i = 0; i < options->disk_count; i++) {
		struct disk_options *disk = &options->disks[i];
		if (disk->has_address)
			continue;
		uint64_t used = 0;
		for (unsigned j = 0; j < options->disk_count; j++) {
			const struct disk_options *other = &options->disks[j];
			if (other->has_address && other->controller == 0)
				used |= 1ull << other->target;
		}
		if (used == UINT64_MAX)
			return complain("all 64 targets of controller 0 are taken: give addresses "
					"(controller=, target=, lun=)");
		disk->target = (unsigned)__builtin_ctzll(~used);
		disk->has_address = true;
	}
	return 0;
}

/* ---- the rest ------------------------------------------------------------------------------ */

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
	return complain(
		"--max-version: \"%s\" is not a VMBus version: use 0.13, 1.1, 2.4, 3.0, 4.0, "
		"4.1, 5.0, 5.1, 5.2, 5.3 or 6.0",
		text);
}

static int level_parse(const char *text, enum log_level *out)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {{"error", LOG_LEVEL_ERROR}, {"warning", LOG_LEVEL_WARNING},
		{"info", LOG_LEVEL_INFO}, {"debug", LOG_LEVEL_DEBUG}};
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*out = levels[i].level;
			return 0;
		}
	}
	return complain("--log: \"%s\" is not a level: use error, warning, info or debug", text);
}

static int memory_parse(const char *text, uint64_t *out)
{
	if (options_size_parse(text, out) != 0 || *out < 1u << 20 || *out > 1ull << 36 ||
		*out % 4096 != 0)
		return complain(
			"--memory: \"%s\" is not a size from 1M to 64G, such as 256M", text);
	return 0;
}

enum option_key {
	OPTION_GUEST = 256,
	OPTION_CONTROL,
	OPTION_MEMORY,
	OPTION_VPS,
	OPTION_DISK,
	OPTION_DVD,
	OPTION_RAM_DISK,
	OPTION_CHANNELS,
	OPTION_MAX_VERSION,
	OPTION_HEARTBEAT,
	OPTION_SPIN,
	OPTION_ONCE,
	OPTION_LOG,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"guest", required_argument, NULL, OPTION_GUEST},
	{"control", required_argument, NULL, OPTION_CONTROL},
	{"memory", required_argument, NULL, OPTION_MEMORY},
	{"vps", required_argument, NULL, OPTION_VPS},
	{"disk", required_argument, NULL, OPTION_DISK},
	{"dvd", required_argument, NULL, OPTION_DVD},
	{"ram-disk", required_argument, NULL, OPTION_RAM_DISK},
	{"channels", required_argument, NULL, OPTION_CHANNELS},
	{"max-version", required_argument, NULL, OPTION_MAX_VERSION},
	{"heartbeat", required_argument, NULL, OPTION_HEARTBEAT},
	{"spin", required_argument, NULL, OPTION_SPIN},
	{"once", no_argument, NULL, OPTION_ONCE},
	{"log", required_argument, NULL, OPTION_LOG},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static int option_take(struct options *options, int key, char *value)
{
	uint64_t number = 0;
	int result = 0;
	switch (key) {
	case OPTION_GUEST:
		options->guest_socket = value;
		return 0;
	case OPTION_CONTROL:
		options->control_socket = value;
		return 0;
	case OPTION_MEMORY:
		return memory_parse(value, &options->memory_bytes);
	case OPTION_VPS:
		result = number_parse("--vps", value, 1, 64, &number);
		options->vp_count = (uint32_t)number;
		return result;
	case OPTION_DISK:
		return disk_add(options, "--disk", DISK_FILE, value);
	case OPTION_DVD:
		return disk_add(options, "--dvd", DISK_DVD, value);
	case OPTION_RAM_DISK:
		return disk_add(options, "--ram-disk", DISK_RAM, value);
	case OPTION_CHANNELS:
		result = number_parse("--channels", value, 1, 64, &number);
		options->channels_max = (unsigned)number;
		return result;
	case OPTION_MAX_VERSION:
		return version_parse(value, &options->version_max);
	case OPTION_HEARTBEAT:
		return number_parse(
			"--heartbeat", value, 0, 3600000, &options->heartbeat_period_ms);
	case OPTION_SPIN:
		result = number_parse("--spin", value, 0, 1000000, &number);
		options->spin_ns = number * 1000;
		return result;
	case OPTION_ONCE:
		options->is_once = true;
		return 0;
	case OPTION_LOG:
		return level_parse(value, &options->log_level);
	case OPTION_HELP:
		fputs(help_text, stdout);
		return 1;
	default:
		return -1;
	}
}

/* What getopt_long did not take, in one line. */
static int option_complain(int key, char *const *argv)
{
	const char *text = argv[optind - 1];
	if (key == ':')
		return complain("%s needs a value; see vmwp run --help", text);
	if (optopt >= OPTION_GUEST)
		return complain("%s: this option takes no value; see vmwp run --help", text);
	if (optopt != 0)
		return complain("\"-%c\" is not an option; see vmwp run --help", optopt);
	return complain("\"%s\" is not an option; see vmwp run --help", text);
}

/* A path that will be a socket's name; NULL if it was not given. */
static int socket_check(const char *option, const char *path)
{
	struct sockaddr_un address;
	if (path == NULL || (path[0] != '\0' && strlen(path) < sizeof address.sun_path))
		return 0;
	if (path[0] == '\0')
		return complain("%s: the path is empty; name the socket to make", option);
	return complain("%s: \"%s\" is too long for a socket: %zu characters at most", option, path,
		sizeof address.sun_path - 1);
}

static int sockets_check(const struct options *options)
{
	if (options->guest_socket == NULL)
		return complain(
			"--guest SOCKET is missing: the Unix socket that the guest connects to");
	if (socket_check("--guest", options->guest_socket) != 0 ||
		socket_check("--control", options->control_socket) != 0)
		return -1;
	if (options->control_socket != NULL &&
		strcmp(options->guest_socket, options->control_socket) == 0)
		return complain("--guest and --control are the same path \"%s\": give each its own",
			options->guest_socket);
	return 0;
}

int options_parse(int argc, char **argv, struct options *out)
{
	*out = (struct options){
		.memory_bytes = 64u << 20,
		.vp_count = 1,
		.channels_max = 4,
		.spin_ns = 50000,
		.heartbeat_period_ms = 2000,
		.log_level = LOG_LEVEL_INFO,
	};
	optind = 1;
	opterr = 0;
	for (int key; (key = getopt_long(argc, argv, ":", long_options, NULL)) != -1;) {
		if (key == '?' || key == ':')
			return option_complain(key, argv);
		const int result = option_take(out, key, optarg);
		if (result != 0)
			return result;
	}
	if (optind < argc)
		return complain(
			"\"%s\" is not an option; disks are given with --disk PATH", argv[optind]);
	return sockets_check(out) != 0 ? -1 : disks_place(out);
}
