// SPDX-License-Identifier: Apache-2.0
/* The command line of `vmwp run`: see options.h. */
#include "host/vmwp/options_internal.h"

#include "protocol/vmbus.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

/*
 * How long the loop polls before it sleeps. A loopback guest polls too, on a processor of its
 * own. VPs share theirs with the loop: 200 us took 25 times the turns and saved no doorbell.
 */
#define SPIN_NS_LOOPBACK 200000u
#define SPIN_NS_KVM	 20000u
#define SPIN_NOT_GIVEN	 UINT64_MAX

static const char help_text[] =
	"usage: vmwp run --kernel FILE [options]      a virtual machine on KVM\n"
	"       vmwp run --guest SOCKET [options]     a loopback partition: its guest is a\n"
	"                                             process that connects to SOCKET\n"
	"\n"
	"  --backend B          kvm (default with --kernel) or loopback (with --guest)\n"
	"  --control SOCKET     Unix socket to make for vmwpctl\n"
	"  --name TEXT          what the machine is called; the guest is told, by key-value pairs\n"
	"  --id GUID            its id, likewise\n"
	"  --memory SIZE        8M to 64G (default 512M); loopback 1M to 64G (64M)\n"
	"  --vps N              virtual processors, 1 to 64 (default 1)\n"
	"  --disk PATH[,…]      attach a raw image or block device\n"
	"  --dvd PATH[,…]       attach an ISO image, read-only\n"
	"  --ram-disk SIZE[,…]  attach a disk in memory, for measurements\n"
	"        …: ro, direct (O_DIRECT), block=512|4096, controller=0..3, target=0..63,\n"
	"        lun=0..254; without an address the next free target of controller 0 is\n"
	"        taken, with --kernel the next free lun of target 0 (Linux looks at targets\n"
	"        0 and 1 only); a comma in PATH is written twice\n"
	"  --channels N         most channels for one storage controller, 1 to 64 (default 4)\n"
	"  --max-version V      highest VMBus version to accept, such as 5.3 (default 6.0)\n"
	"  --services LIST      integration services to offer: all (default), none, or names of\n"
	"                       heartbeat, shutdown, time, backup, copy, kvp,\n"
	"                       joined by commas\n"
	"  --heartbeat MS       heartbeat period in milliseconds (default 2000; 0: none)\n"
	"  --time-sync MS       how often the guest is told the time (default 5000; 0: never)\n"
	"  --spin US            longest polling before sleeping, in microseconds (default 200,\n"
	"                       20 with --kernel, where VPs want the processor)\n"
	"  --on-crash ACTION    exit (default with --kernel) or report, when the guest crashes\n"
	"  --test-devices       channels that echo, take, send and lie, to test the VMBus; on\n"
	"                       KVM also debug exit port 0xf4, SynIC test device 0x3000,\n"
	"                       fw_cfg 0x510\n"
	"  --log LEVEL          error, warning, info (default) or debug\n"
	"loopback only:\n"
	"  --once               end when the first guest has gone\n"
	"kvm only:\n"
	"  --kernel FILE        bzImage, PVH ELF or multiboot kernel to boot\n"
	"  --initrd FILE        its initial RAM disk\n"
	"  --append TEXT        its command line, such as \"console=ttyS0 root=/dev/sda\"\n"
	"  --serial WHERE       stdio (default; Ctrl-A x ends, Ctrl-A h helps), socket:PATH,\n"
	"                       file:PATH or none\n"
	"  --enlightenments E   all, fast (default), or a list; vmwp run --enlightenments help\n"
	"  --on-reboot ACTION   reset (default) or exit, when the guest reboots\n"
	"  --emulated-disk FILE[,pio]  an ATA disk with DMA, or without, to compare with\n"
	"  --help\n"
	"\n"
	"status: 0 power off or stop, 1 failure, 2 wrong usage, 3 guest crashed,\n"
	"        4 triple fault, 5 guest rebooted with --on-reboot exit; with --test-devices\n"
	"        V * 2 + 1 when the guest writes V to its debug exit port\n"
	"\n"
	"example: vmwp run --kernel vmlinuz --initrd initrd.img --append \"console=ttyS0 \\\n"
	"             root=/dev/sda\" --memory 1G --vps 2 --disk root.img\n"
	"         vmwp run --guest /tmp/guest.sock --control /tmp/ctl.sock --disk root.img\n";

int options_complain(const char *format, ...)
{
	va_list args;
	fputs("vmwp: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return -1;
}

int options_number_parse(
	const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	char *end;
	errno = 0;
	const unsigned long long value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < least ||
		value > most)
		return options_complain("%s: \"%s\" is not a number from %llu to %llu", what, text,
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
	return options_complain(
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
	return options_complain(
		"--log: \"%s\" is not a level: use error, warning, info or debug", text);
}

static int memory_parse(const char *text, uint64_t *out)
{
	if (options_size_parse(text, out) != 0 || *out == 0 || *out % 4096 != 0)
		return options_complain(
			"--memory: \"%s\" is not a size, such as 256M, of whole pages of 4K", text);
	return 0;
}

/* One of two words; `first` gives END_EXIT. */
static int action_parse(
	const char *option, const char *text, const char *other, enum end_action *out)
{
	*out = strcmp(text, "exit") == 0 ? END_EXIT : END_GO_ON;
	if (*out == END_EXIT || strcmp(text, other) == 0)
		return 0;
	return options_complain("%s: \"%s\" is not known: use exit or %s", option, text, other);
}

static int backend_parse(const char *text, enum backend_kind *out)
{
	*out = strcmp(text, "kvm") == 0 ? BACKEND_KVM : BACKEND_LOOPBACK;
	if (*out == BACKEND_KVM || strcmp(text, "loopback") == 0)
		return 0;
	return options_complain("--backend: \"%s\" is not known: use kvm or loopback", text);
}

static int serial_parse(const char *text, struct options *options)
{
	static const struct {
		const char *word;
		enum serial_kind kind;
		bool has_path;
	} words[] = {
		{"stdio", SERIAL_STDIO, false},
		{"none", SERIAL_NONE, false},
		{"socket:", SERIAL_SOCKET, true},
		{"file:", SERIAL_FILE, true},
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const size_t bytes = strlen(words[i].word);
		if (strncmp(text, words[i].word, bytes) != 0 ||
			(text[bytes] != '\0') != words[i].has_path)
			continue;
		options->serial = words[i].kind;
		options->serial_path = words[i].has_path ? text + bytes : NULL;
		return 0;
	}
	return options_complain("--serial: \"%s\" is not known: use stdio, socket:PATH, file:PATH "
				"or none",
		text);
}

static int enlightenments_help(void)
{
	const char *what;
	puts("all     everything that this host implements\n"
	     "fast    what pays (default)\n"
	     "or names joined by commas; -NAME takes one away from what stands before it:");
	for (size_t i = 0; enlightenment_name(i, &what) != NULL; i++)
		printf("  %-20s %s\n", enlightenment_name(i, &what), what);
	return 1;
}

static int enlightenments_take(const char *text, struct options *options)
{
	const char *unknown;
	size_t bytes;
	options->has_enlightenments = true;
	if (strcmp(text, "help") == 0)
		return enlightenments_help();
	if (enlightenments_parse(text, &options->enlightenments, &unknown, &bytes) == 0)
		return 0;
	return options_complain(
		"--enlightenments: \"%.*s\" is not known: use all, fast, or names from vmwp run "
		"--enlightenments help",
		(int)bytes, unknown);
}

static int emulated_disk_parse(char *text, struct options *options)
{
	const char *word = options_path_cut(text);
	options->emulated_disk = text;
	options->is_emulated_disk_pio = word != NULL && strcmp(word, "pio") == 0;
	if (text[0] == '\0')
		return options_complain(
			"--emulated-disk: a path is missing before the first comma");
	if (word != NULL && !options->is_emulated_disk_pio)
		return options_complain("--emulated-disk: \"%s\" is not known: use pio", word);
	return 0;
}

enum option_key {
	OPTION_GUEST = 256,
	OPTION_BACKEND,
	OPTION_KERNEL,
	OPTION_INITRD,
	OPTION_APPEND,
	OPTION_SERIAL,
	OPTION_ENLIGHTENMENTS,
	OPTION_ON_REBOOT,
	OPTION_ON_CRASH,
	OPTION_TEST_DEVICES,
	OPTION_EMULATED_DISK,
	OPTION_CONTROL,
	OPTION_NAME,
	OPTION_ID,
	OPTION_MEMORY,
	OPTION_VPS,
	OPTION_DISK,
	OPTION_DVD,
	OPTION_RAM_DISK,
	OPTION_CHANNELS,
	OPTION_MAX_VERSION,
	OPTION_HEARTBEAT,
	OPTION_SERVICES,
	OPTION_TIME_SYNC,
	OPTION_SPIN,
	OPTION_ONCE,
	OPTION_LOG,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"guest", required_argument, NULL, OPTION_GUEST},
	{"backend", required_argument, NULL, OPTION_BACKEND},
	{"kernel", required_argument, NULL, OPTION_KERNEL},
	{"initrd", required_argument, NULL, OPTION_INITRD},
	{"append", required_argument, NULL, OPTION_APPEND},
	{"serial", required_argument, NULL, OPTION_SERIAL},
	{"enlightenments", required_argument, NULL, OPTION_ENLIGHTENMENTS},
	{"on-reboot", required_argument, NULL, OPTION_ON_REBOOT},
	{"on-crash", required_argument, NULL, OPTION_ON_CRASH},
	{"test-devices", no_argument, NULL, OPTION_TEST_DEVICES},
	{"emulated-disk", required_argument, NULL, OPTION_EMULATED_DISK},
	{"control", required_argument, NULL, OPTION_CONTROL},
	{"name", required_argument, NULL, OPTION_NAME},
	{"id", required_argument, NULL, OPTION_ID},
	{"memory", required_argument, NULL, OPTION_MEMORY},
	{"vps", required_argument, NULL, OPTION_VPS},
	{"disk", required_argument, NULL, OPTION_DISK},
	{"dvd", required_argument, NULL, OPTION_DVD},
	{"ram-disk", required_argument, NULL, OPTION_RAM_DISK},
	{"channels", required_argument, NULL, OPTION_CHANNELS},
	{"max-version", required_argument, NULL, OPTION_MAX_VERSION},
	{"heartbeat", required_argument, NULL, OPTION_HEARTBEAT},
	{"services", required_argument, NULL, OPTION_SERVICES},
	{"time-sync", required_argument, NULL, OPTION_TIME_SYNC},
	{"spin", required_argument, NULL, OPTION_SPIN},
	{"once", no_argument, NULL, OPTION_ONCE},
	{"log", required_argument, NULL, OPTION_LOG},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

/* Options that need the KVM backend. */
static int kvm_option_take(struct options *options, int key, char *value)
{
	switch (key) {
	case OPTION_KERNEL:
		options->kernel = value;
		return 0;
	case OPTION_INITRD:
		options->initrd = value;
		return 0;
	case OPTION_APPEND:
		options->command_line = value;
		return 0;
	case OPTION_SERIAL:
		return serial_parse(value, options);
	case OPTION_ENLIGHTENMENTS:
		return enlightenments_take(value, options);
	case OPTION_ON_REBOOT:
		return action_parse("--on-reboot", value, "reset", &options->on_reboot);
	case OPTION_EMULATED_DISK:
		return emulated_disk_parse(value, options);
	default:
		return -1;
	}
}

/* Options of any backend. */
static int option_take(struct options *options, int key, char *value)
{
	uint64_t number = 0;
	int result = 0;
	switch (key) {
	case OPTION_GUEST:
		options->guest_socket = value;
		return 0;
	case OPTION_BACKEND:
		return backend_parse(value, &options->backend);
	case OPTION_ON_CRASH:
		return action_parse("--on-crash", value, "report", &options->on_crash);
	case OPTION_CONTROL:
		options->control_socket = value;
		return 0;
	case OPTION_NAME:
		return options_name_parse(value, options);
	case OPTION_ID:
		return options_id_parse(value, options);
	case OPTION_MEMORY:
		return memory_parse(value, &options->memory_bytes);
	case OPTION_VPS:
		result = options_number_parse("--vps", value, 1, 64, &number);
		options->vp_count = (uint32_t)number;
		return result;
	case OPTION_DISK:
		return options_disk_add(options, "--disk", DISK_FILE, value);
	case OPTION_DVD:
		return options_disk_add(options, "--dvd", DISK_DVD, value);
	case OPTION_RAM_DISK:
		return options_disk_add(options, "--ram-disk", DISK_RAM, value);
	case OPTION_CHANNELS:
		result = options_number_parse("--channels", value, 1, 64, &number);
		options->channels_max = (unsigned)number;
		return result;
	case OPTION_MAX_VERSION:
		return version_parse(value, &options->version_max);
	case OPTION_HEARTBEAT:
		return options_number_parse(
			"--heartbeat", value, 0, 3600000, &options->heartbeat_period_ms);
	case OPTION_SERVICES:
		return options_services_parse(value, options);
	case OPTION_TIME_SYNC:
		return options_number_parse(
			"--time-sync", value, 0, 3600000, &options->time_period_ms);
	case OPTION_SPIN:
		result = options_number_parse("--spin", value, 0, 1000000, &number);
		options->spin_ns = number * 1000;
		return result;
	case OPTION_ONCE:
		options->is_once = true;
		return 0;
	case OPTION_TEST_DEVICES:
		options->has_test_devices = true;
		return 0;
	case OPTION_LOG:
		return level_parse(value, &options->log_level);
	case OPTION_HELP:
		fputs(help_text, stdout);
		return 1;
	default:
		return kvm_option_take(options, key, value);
	}
}

/* What getopt_long did not take, in one line. */
static int option_complain(int key, char *const *argv)
{
	const char *text = argv[optind - 1];
	if (key == ':')
		return options_complain("%s needs a value; see vmwp run --help", text);
	if (optopt >= OPTION_GUEST)
		return options_complain(
			"%s: this option takes no value; see vmwp run --help", text);
	if (optopt != 0)
		return options_complain("\"-%c\" is not an option; see vmwp run --help", optopt);
	return options_complain("\"%s\" is not an option; see vmwp run --help", text);
}

int options_parse(int argc, char **argv, struct options *out)
{
	*out = (struct options){
		.vp_count = 1,
		.channels_max = 4,
		.spin_ns = SPIN_NOT_GIVEN,
		.services = (1u << OPTIONS_SERVICE_COUNT) - 1,
		.heartbeat_period_ms = 2000,
		.time_period_ms = 5000,
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
		return options_complain(
			"\"%s\" is not an option; disks are given with --disk PATH", argv[optind]);
	if (options_check(out) != 0)
		return -1;
	if (out->spin_ns == SPIN_NOT_GIVEN)
		out->spin_ns = out->backend == BACKEND_KVM ? SPIN_NS_KVM : SPIN_NS_LOOPBACK;
	options_disks_place(out);
	return 0;
}
