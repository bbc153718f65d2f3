// SPDX-License-Identifier: Apache-2.0
/*
 * vmwpctl: sends one command to a worker's control socket and shows the answer.
 *
 *	vmwpctl SOCKET VERB [ARGUMENTS]
 *
 * One verb, one row of the table below. Exit status: 0 done; 1 the worker refused, or
 * could not be reached; 2 wrong usage.
 */
#include "host/vmwp/vmwpctl_internal.h"
#include "packaging/version.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int vmwpctl_usage_error(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("vmwpctl: ", stderr);
	vfprintf(stderr, format, args);
	fputs(" (vmwpctl --help)\n", stderr);
	va_end(args);
	return EXIT_USAGE;
}

/* --- verbs -------------------------------------------------------------------------------- */

static void put_number(json_t *out, const char *name, long number)
{
	if (number != NUMBER_NOT_GIVEN)
		json_object_set_new(out, name, json_integer(number));
}

static int build_nothing(const struct arguments *arguments, json_t *out)
{
	(void)arguments;
	(void)out;
	return 0;
}

static int build_attach(const struct arguments *arguments, json_t *out)
{
	const char *kind = arguments->operands[0];
	const char *path = arguments->operands[1];
	char absolute[CONTROL_PATH_MAX_BYTES + 2];
	char folder[CONTROL_PATH_MAX_BYTES + 1] = "";
	if (strcmp(kind, "disk") != 0 && strcmp(kind, "dvd") != 0)
		return vmwpctl_usage_error(
			"attach: '%s' is not a kind of device: say disk or dvd", kind);
	if (path[0] == '\0')
		return vmwpctl_usage_error("attach: the path is empty: name an image");
	/* The worker's folder is not ours. */
	if (path[0] != '/' && getcwd(folder, sizeof folder) == NULL)
		return vmwpctl_usage_error(
			"attach: this folder has no name (%s): give an absolute path",
			strerror(errno));
	int n = path[0] == '/' ? snprintf(absolute, sizeof absolute, "%s", path)
			       : snprintf(absolute, sizeof absolute, "%s/%s", folder, path);
	if (n < 0 || (size_t)n > CONTROL_PATH_MAX_BYTES)
		return vmwpctl_usage_error(
			"attach: the path is longer than %u bytes", CONTROL_PATH_MAX_BYTES);
	json_t *text = json_string(absolute);
	if (text == NULL)
		return vmwpctl_usage_error("attach: the path is not UTF-8: rename the image");
	json_object_set_new(out, "kind", json_string(kind));
	json_object_set_new(out, "path", text);
	put_number(out, "controller", arguments->controller);
	put_number(out, "target", arguments->target);
	put_number(out, "lun", arguments->lun);
	if (arguments->is_read_only)
		json_object_set_new(out, "read_only", json_true());
	return 0;
}

static int build_detach(const struct arguments *arguments, json_t *out)
{
	if (arguments->target == NUMBER_NOT_GIVEN)
		return vmwpctl_usage_error("detach: which device? give --target");
	put_number(out, "controller", arguments->controller);
	put_number(out, "target", arguments->target);
	put_number(out, "lun", arguments->lun);
	return 0;
}

static int build_power(const struct arguments *arguments, json_t *out)
{
	if (arguments->is_forced)
		json_object_set_new(out, "force", json_true());
	put_number(out, "timeout",
		arguments->timeout_s != NUMBER_NOT_GIVEN ? arguments->timeout_s : GUEST_DEFAULT_S);
	if (arguments->reason == NULL)
		return 0;
	if (arguments->reason[0] == '\0' || strlen(arguments->reason) > CONTROL_REASON_MAX_BYTES)
		return vmwpctl_usage_error(
			"--reason: give 1 to %u bytes of text", CONTROL_REASON_MAX_BYTES);
	json_t *text = json_string(arguments->reason);
	if (text == NULL)
		return vmwpctl_usage_error("--reason: the text is not UTF-8");
	json_object_set_new(out, "reason", text);
	return 0;
}

static int build_time(const struct arguments *arguments, json_t *out)
{
	const char *kind = arguments->operands[0];
	if (strcmp(kind, "sync") != 0 && strcmp(kind, "sample") != 0)
		return vmwpctl_usage_error("time: '%s' is not a kind: say sync or sample", kind);
	json_object_set_new(out, "kind", json_string(kind));
	return 0;
}

#define POWER_OPTIONS (TAKES_FORCE | TAKES_REASON | ASKS_GUEST)

static const struct verb verbs[] = {
	{"attach", "disk|dvd PATH", "attach an image; --controller --target --lun --read-only", 2,
		TAKES_ADDRESS | TAKES_READ_ONLY, build_attach, NULL},
	{"backup", "freeze|thaw|status|run", "copy the disks of a guest that is at rest; see below",
		OPERANDS_ITS_OWN, TAKES_BACKUP | ASKS_GUEST, NULL, vmwpctl_backup},
	{"copy", "FILE guest:/PATH", "copy a file into the guest; --overwrite --create-dirs", 2,
		TAKES_OVERWRITE, NULL, vmwpctl_fcopy},
	{"detach", "", "take a device away; --target, --controller, --lun", 0, TAKES_ADDRESS,
		build_detach, NULL},
	{"heartbeat", "", "whether the guest answers; --watch", 0, TAKES_WATCH | TAKES_PERIOD, NULL,
		vmwpctl_heartbeat},
	{"help", "", "the commands that the worker knows", 0, 0, build_nothing, NULL},
	{"hibernate", "", "ask the guest to hibernate; --force --reason", 0, POWER_OPTIONS,
		build_power, NULL},
	{"ip", "get MAC|set GUID", "addresses of an adapter in the guest", OPERANDS_ITS_OWN,
		TAKES_NETWORK | ASKS_GUEST, NULL, vmwpctl_ip},
	{"kvp", "get|set|delete|list|watch", "named values that are kept in the guest; see below",
		OPERANDS_ITS_OWN,
		TAKES_POOL | TAKES_TYPE | TAKES_DIRECT | TAKES_PERIOD | ASKS_GUEST, NULL,
		vmwpctl_kvp},
	{"reboot", "", "ask the guest to restart; --force --reason", 0, POWER_OPTIONS, build_power,
		NULL},
	{"services", "", "the integration services and how they fare", 0, 0, build_nothing, NULL},
	{"shutdown", "", "ask the guest to power off, which ends the worker; --force --reason", 0,
		POWER_OPTIONS, build_power, NULL},
	{"statistics", "", "counters of every channel", 0, 0, build_nothing, NULL},
	{"status", "", "state of the partition, its bus and its devices", 0, 0, build_nothing,
		NULL},
	{"stop", "", "end partition and worker in order, without asking the guest", 0, 0,
		build_nothing, NULL},
	{"time", "sync|sample", "tell the guest the time, to set its clock or to take note", 1,
		ASKS_GUEST, build_time, NULL},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

/* --- command line ------------------------------------------------------------------------- */

enum {
	OPTION_CONTROLLER = 256,
	OPTION_TARGET,
	OPTION_LUN,
	OPTION_READ_ONLY,
	OPTION_FORCE,
	OPTION_REASON,
	OPTION_TIMEOUT,
	OPTION_JSON,
	OPTION_POOL,
	OPTION_TYPE,
	OPTION_DIRECT,
	OPTION_PERIOD,
	OPTION_WATCH,
	OPTION_ADDRESS,
	OPTION_GATEWAY,
	OPTION_DNS,
	OPTION_DHCP,
	OPTION_OVERWRITE,
	OPTION_CREATE_DIRS,
	OPTION_LIMIT,
	OPTION_IMAGE_COPY,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{"controller", required_argument, NULL, OPTION_CONTROLLER},
	{"target", required_argument, NULL, OPTION_TARGET},
	{"lun", required_argument, NULL, OPTION_LUN},
	{"read-only", no_argument, NULL, OPTION_READ_ONLY},
	{"force", no_argument, NULL, OPTION_FORCE},
	{"reason", required_argument, NULL, OPTION_REASON},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"pool", required_argument, NULL, OPTION_POOL},
	{"type", required_argument, NULL, OPTION_TYPE},
	{"direct", no_argument, NULL, OPTION_DIRECT},
	{"period", required_argument, NULL, OPTION_PERIOD},
	{"watch", no_argument, NULL, OPTION_WATCH},
	{"address", required_argument, NULL, OPTION_ADDRESS},
	{"gateway", required_argument, NULL, OPTION_GATEWAY},
	{"dns", required_argument, NULL, OPTION_DNS},
	{"dhcp", required_argument, NULL, OPTION_DHCP},
	{"overwrite", no_argument, NULL, OPTION_OVERWRITE},
	{"create-dirs", no_argument, NULL, OPTION_CREATE_DIRS},
	{"limit", required_argument, NULL, OPTION_LIMIT},
	{"image-copy", required_argument, NULL, OPTION_IMAGE_COPY},
	{"json", no_argument, NULL, OPTION_JSON},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

static void help_print(void)
{
	puts("Usage: vmwpctl [OPTIONS] SOCKET VERB [ARGUMENTS]\n"
	     "Send one command to a worker (vmwp) that was started with --control SOCKET.\n");
	for (size_t i = 0; i < VERB_COUNT; i++) {
		char left[40];
		snprintf(left, sizeof left, "%s %s", verbs[i].name, verbs[i].operands);
		printf("  %-30s %s\n", left, verbs[i].help);
	}
	printf("\n"
	       "  --controller N         storage controller, 0 to %u (0 if not given)\n"
	       "  --target N             target, 0 to %u (attach: the first free one)\n"
	       "  --lun N                logical unit, 0 to %u (0 if not given)\n"
	       "  --read-only            attach so that the guest cannot write\n"
	       "  --force                programs of the guest may not object\n"
	       "  --reason TEXT          why, for people in the guest\n"
	       "  --pool POOL            kvp: external, guest, auto or auto-external\n"
	       "  --type TYPE            kvp set: string (if not given), expand, u32 or u64\n"
	       "  --direct               kvp get: by one GET, which Linux answers cut short\n"
	       "  --watch                heartbeat: stay, and print a line for each change\n"
	       "  --period SECONDS       how often to look: kvp watch (5), heartbeat --watch (1)\n"
	       "  --address ADDRESS/BITS, --gateway ADDRESS, --dns ADDRESS, --dhcp on|off\n"
	       "                         ip set; the first three as often as needed\n"
	       "  --overwrite            copy: replace a file that exists in the guest\n"
	       "  --create-dirs          copy: make the directory in the guest if it is missing\n"
	       "  --limit SECONDS        backup: thaw in any case after so long (60)\n"
	       "  --image-copy DIR       backup run: copy the disks' images into DIR\n"
	       "  --json                 print the answer as JSON\n"
	       "  --timeout SECONDS      wait this long for the worker (%d), or the guest (%d)\n"
	       "  --help                 this text\n"
	       "  --version              name and version\n"
	       "\n"
	       "backup run [--image-copy DIR] [-- COMMAND...] freezes the guest's file systems,\n"
	       "copies the images, runs the command, and thaws whatever happens.\n"
	       "kvp get KEY, set KEY VALUE, delete KEY, list, watch: each needs --pool.\n"
	       "copy: a PATH that ends with / is a directory, and the file keeps its name.\n"
	       "\n"
	       "Exit status: 0 done, 1 refused or not reached, 2 wrong usage.\n"
	       "\n"
	       "Example:\n"
	       "  vmwpctl /run/viridian/a.sock attach disk data.img --target 1\n",
		CONTROL_CONTROLLER_MAX, CONTROL_TARGET_MAX, CONTROL_LUN_MAX, TIMEOUT_DEFAULT_S,
		GUEST_DEFAULT_S);
}

static int number_parse(const char *option, const char *text, long minimum, long maximum, long *out)
{
	char *end;
	errno = 0;
	long number = strtol(text, &end, 10);
	if (text[0] == '\0' || *end != '\0' || errno != 0 || number < minimum || number > maximum)
		return vmwpctl_usage_error("--%s: '%s' is not a number from %ld to %ld", option,
			text, minimum, maximum);
	*out = number;
	return 0;
}

static int list_add(const char *option, struct text_list *list)
{
	if (list->count == LIST_OPTIONS_MAX)
		return vmwpctl_usage_error("--%s: more than %u of them", option, LIST_OPTIONS_MAX);
	list->at[list->count++] = optarg;
	return 0;
}

/* 0: go on; 1: --help was printed; EXIT_USAGE: a mistake was reported. */
static int option_take(int option, struct arguments *out)
{
	switch (option) {
	case OPTION_CONTROLLER:
		return number_parse(
			"controller", optarg, 0, CONTROL_CONTROLLER_MAX, &out->controller);
	case OPTION_TARGET:
		return number_parse("target", optarg, 0, CONTROL_TARGET_MAX, &out->target);
	case OPTION_LUN:
		return number_parse("lun", optarg, 0, CONTROL_LUN_MAX, &out->lun);
	case OPTION_READ_ONLY:
		out->is_read_only = true;
		return 0;
	case OPTION_FORCE:
		out->is_forced = true;
		return 0;
	case OPTION_REASON:
		out->reason = optarg;
		return 0;
	case OPTION_TIMEOUT:
		return number_parse("timeout", optarg, 1, TIMEOUT_MAX_S, &out->timeout_s);
	case OPTION_OVERWRITE:
		out->overwrites = true;
		return 0;
	case OPTION_CREATE_DIRS:
		out->creates_dirs = true;
		return 0;
	case OPTION_LIMIT:
		return number_parse("limit", optarg, 1, TIMEOUT_MAX_S, &out->limit_s);
	case OPTION_IMAGE_COPY:
		out->image_copy = optarg;
		return 0;
	case OPTION_JSON:
		out->is_json = true;
		return 0;
	case OPTION_POOL:
		out->pool = optarg;
		return 0;
	case OPTION_TYPE:
		out->type = optarg;
		return 0;
	case OPTION_DIRECT:
		out->is_direct = true;
		return 0;
	case OPTION_PERIOD:
		return number_parse("period", optarg, 1, TIMEOUT_MAX_S, &out->period_s);
	case OPTION_WATCH:
		out->is_watching = true;
		return 0;
	case OPTION_ADDRESS:
		return list_add("address", &out->addresses);
	case OPTION_GATEWAY:
		return list_add("gateway", &out->gateways);
	case OPTION_DNS:
		return list_add("dns", &out->dns);
	case OPTION_DHCP:
		out->dhcp = optarg;
		return 0;
	case 'h':
		help_print();
		return 1;
	case OPTION_VERSION:
		version_print("vmwpctl");
		return 1;
	default:
		return EXIT_USAGE;
	}
}

/* What getopt_long did not take, in one line. */
static void option_complain(int key, char *const *argv)
{
	const char *text = argv[optind - 1];
	if (key == ':')
		vmwpctl_usage_error("%s needs a value", text);
	else if (optopt >= OPTION_CONTROLLER)
		vmwpctl_usage_error("%s: this option takes no value", text);
	else if (optopt != 0 && text[1] != '-')
		vmwpctl_usage_error("'-%c' is not an option", optopt);
	else
		vmwpctl_usage_error("'%s' is not an option", text);
}

static int options_parse(int argc, char **argv, struct arguments *out)
{
	*out = (struct arguments){
		.controller = NUMBER_NOT_GIVEN,
		.target = NUMBER_NOT_GIVEN,
		.lun = NUMBER_NOT_GIVEN,
		.timeout_s = NUMBER_NOT_GIVEN,
		.limit_s = NUMBER_NOT_GIVEN,
		.period_s = NUMBER_NOT_GIVEN,
	};
	opterr = 0;
	for (;;) {
		int option = getopt_long(argc, argv, ":h", long_options, NULL);
		if (option < 0)
			break;
		if (option == '?' || option == ':') {
			option_complain(option, argv);
			return EXIT_USAGE;
		}
		int result = option_take(option, out);
		if (result != 0)
			return result;
	}
	if (optind == argc) {
		vmwpctl_usage_error("which worker? give its control socket and a verb");
		return EXIT_USAGE;
	}
	out->socket = argv[optind++];
	if (optind == argc) {
		vmwpctl_usage_error("what to do with '%s'? give a verb, as status", out->socket);
		return EXIT_USAGE;
	}
	out->verb = argv[optind++];
	out->operands = argv + optind;
	out->operand_count = argc - optind;
	return 0;
}

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < VERB_COUNT; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static int operands_check(const struct verb *verb, const struct arguments *arguments)
{
	if (verb->operand_count == OPERANDS_ITS_OWN)
		return 0;
	if (verb->operand_count == 0 && arguments->operand_count > 0)
		return vmwpctl_usage_error(
			"%s takes no operands: '%s'", verb->name, arguments->operands[0]);
	if (arguments->operand_count != verb->operand_count)
		return vmwpctl_usage_error("%s takes %d operands, not %d: %s %s", verb->name,
			verb->operand_count, arguments->operand_count, verb->name, verb->operands);
	return 0;
}

/* Operands and options that the verb does not take are mistakes. */
static int verb_check(const struct verb *verb, const struct arguments *arguments)
{
	if (operands_check(verb, arguments) != 0)
		return EXIT_USAGE;
	const struct {
		int option;
		const char *name;
		bool is_given;
	} given[] = {
		{TAKES_CONTROLLER, "controller", arguments->controller != NUMBER_NOT_GIVEN},
		{TAKES_TARGET, "target", arguments->target != NUMBER_NOT_GIVEN},
		{TAKES_LUN, "lun", arguments->lun != NUMBER_NOT_GIVEN},
		{TAKES_READ_ONLY, "read-only", arguments->is_read_only},
		{TAKES_FORCE, "force", arguments->is_forced},
		{TAKES_REASON, "reason", arguments->reason != NULL},
		{TAKES_BACKUP, "limit", arguments->limit_s != NUMBER_NOT_GIVEN},
		{TAKES_BACKUP, "image-copy", arguments->image_copy != NULL},
		{TAKES_OVERWRITE, "overwrite", arguments->overwrites},
		{TAKES_OVERWRITE, "create-dirs", arguments->creates_dirs},
		{TAKES_POOL, "pool", arguments->pool != NULL},
		{TAKES_TYPE, "type", arguments->type != NULL},
		{TAKES_DIRECT, "direct", arguments->is_direct},
		{TAKES_PERIOD, "period", arguments->period_s != NUMBER_NOT_GIVEN},
		{TAKES_WATCH, "watch", arguments->is_watching},
		{TAKES_NETWORK, "address", arguments->addresses.count > 0},
		{TAKES_NETWORK, "gateway", arguments->gateways.count > 0},
		{TAKES_NETWORK, "dns", arguments->dns.count > 0},
		{TAKES_NETWORK, "dhcp", arguments->dhcp != NULL},
	};
	for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
		if (given[i].is_given && (verb->options & given[i].option) == 0)
			return vmwpctl_usage_error("%s takes no --%s", verb->name, given[i].name);
	}
	return 0;
}

/* How long to wait for the worker: a while more than it waits for the guest. */
static long wait_s(const struct arguments *arguments, const struct verb *verb)
{
	const long given = arguments->timeout_s;
	if ((verb->options & ASKS_GUEST) == 0)
		return given != NUMBER_NOT_GIVEN ? given : TIMEOUT_DEFAULT_S;
	return (given != NUMBER_NOT_GIVEN ? given : GUEST_DEFAULT_S) + TIMEOUT_DEFAULT_S;
}

int main(int argc, char **argv)
{
	struct arguments arguments;
	int result = options_parse(argc, argv, &arguments);
	if (result != 0)
		return result == EXIT_USAGE ? EXIT_USAGE : EXIT_SUCCESS;
	const struct verb *verb = verb_find(arguments.verb);
	if (verb == NULL)
		return vmwpctl_usage_error("'%s' is not a verb", arguments.verb);
	if (verb_check(verb, &arguments) != 0)
		return EXIT_USAGE;
	if (verb->run != NULL)
		return verb->run(&arguments);
	json_t *details = json_object();
	int status = verb->build(&arguments, details);
	if (status != 0) {
		json_decref(details);
		return status;
	}
	json_t *answer = vmwpctl_ask(&arguments, wait_s(&arguments, verb), verb->name, details);
	status = answer != NULL ? vmwpctl_show_result(&arguments, answer) : EXIT_FAILURE;
	json_decref(answer);
	return status;
}
