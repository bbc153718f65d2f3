// SPDX-License-Identifier: Apache-2.0
/*
 * vmwpctl: sends one command to a worker's control socket and shows the answer.
 *
 *	vmwpctl SOCKET VERB [ARGUMENTS]
 *
 * One verb, one row of the table below. Exit status: 0 done; 1 the worker refused, or
 * could not be reached; 2 wrong usage.
 */
#include "host/vmwp/control.h"
#include "host/vmwp/control_print.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define EXIT_USAGE	  2
#define ANSWER_MAX_BYTES  (16u * 1024u * 1024u)
#define TIMEOUT_DEFAULT_S 5
#define GUEST_DEFAULT_S	  10 /* for verbs that ask the guest */
#define TIMEOUT_MAX_S	  CONTROL_TIMEOUT_MAX_S
#define NUMBER_NOT_GIVEN  (-1)

struct arguments {
	const char *socket;
	const char *verb;
	char **operands; /* after the verb */
	int operand_count;
	long controller; /* NUMBER_NOT_GIVEN, or what the option said */
	long target;
	long lun;
	long timeout_s;
	const char *reason; /* or NULL */
	bool is_read_only;
	bool is_forced;
	bool is_json;
};

/* Usage mistakes are reported here and nowhere else. Returns EXIT_USAGE. */
static int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int usage_error(const char *format, ...)
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

enum {
	TAKES_CONTROLLER = 1,
	TAKES_TARGET = 2,
	TAKES_LUN = 4,
	TAKES_READ_ONLY = 8,
	TAKES_FORCE = 16,
	TAKES_REASON = 32,
	ASKS_GUEST = 64, /* the answer comes when the guest has given its own */
	TAKES_ADDRESS = TAKES_CONTROLLER | TAKES_TARGET | TAKES_LUN,
};

struct verb {
	const char *name;
	const char *operands; /* for --help */
	const char *help;
	int operand_count;
	int options; /* TAKES_*, ASKS_GUEST */
	/* Fill `out` (an empty object). 0, or EXIT_USAGE after a message. */
	int (*build)(const struct arguments *arguments, json_t *out);
};

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
		return usage_error("attach: '%s' is not a kind of device: say disk or dvd", kind);
	if (path[0] == '\0')
		return usage_error("attach: the path is empty: name an image");
	/* The worker's folder is not ours. */
	if (path[0] != '/' && getcwd(folder, sizeof folder) == NULL)
		return usage_error("attach: this folder has no name (%s): give an absolute path",
			strerror(errno));
	int n = path[0] == '/' ? snprintf(absolute, sizeof absolute, "%s", path)
			       : snprintf(absolute, sizeof absolute, "%s/%s", folder, path);
	if (n < 0 || (size_t)n > CONTROL_PATH_MAX_BYTES)
		return usage_error(
			"attach: the path is longer than %u bytes", CONTROL_PATH_MAX_BYTES);
	json_t *text = json_string(absolute);
	if (text == NULL)
		return usage_error("attach: the path is not UTF-8: rename the image");
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
		return usage_error("detach: which device? give --target");
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
		return usage_error(
			"--reason: give 1 to %u bytes of text", CONTROL_REASON_MAX_BYTES);
	json_t *text = json_string(arguments->reason);
	if (text == NULL)
		return usage_error("--reason: the text is not UTF-8");
	json_object_set_new(out, "reason", text);
	return 0;
}

static int build_time(const struct arguments *arguments, json_t *out)
{
	const char *kind = arguments->operands[0];
	if (strcmp(kind, "sync") != 0 && strcmp(kind, "sample") != 0)
		return usage_error("time: '%s' is not a kind: say sync or sample", kind);
	json_object_set_new(out, "kind", json_string(kind));
	return 0;
}

#define POWER_OPTIONS (TAKES_FORCE | TAKES_REASON | ASKS_GUEST)

static const struct verb verbs[] = {
	{"attach", "disk|dvd PATH", "attach an image; --controller --target --lun --read-only", 2,
		TAKES_ADDRESS | TAKES_READ_ONLY, build_attach},
	{"detach", "", "take a device away; --target, --controller, --lun", 0, TAKES_ADDRESS,
		build_detach},
	{"heartbeat", "", "whether the guest answers", 0, 0, build_nothing},
	{"help", "", "the commands that the worker knows", 0, 0, build_nothing},
	{"hibernate", "", "ask the guest to hibernate; --force --reason", 0, POWER_OPTIONS,
		build_power},
	{"reboot", "", "ask the guest to restart; --force --reason", 0, POWER_OPTIONS, build_power},
	{"services", "", "the integration services and how they fare", 0, 0, build_nothing},
	{"shutdown", "", "ask the guest to power off, which ends the worker; --force --reason", 0,
		POWER_OPTIONS, build_power},
	{"statistics", "", "counters of every channel", 0, 0, build_nothing},
	{"status", "", "state of the partition, its bus and its devices", 0, 0, build_nothing},
	{"stop", "", "end partition and worker in order, without asking the guest", 0, 0,
		build_nothing},
	{"time", "sync|sample", "tell the guest the time, to set its clock or to take note", 1,
		ASKS_GUEST, build_time},
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
};

static const struct option long_options[] = {
	{"controller", required_argument, NULL, OPTION_CONTROLLER},
	{"target", required_argument, NULL, OPTION_TARGET},
	{"lun", required_argument, NULL, OPTION_LUN},
	{"read-only", no_argument, NULL, OPTION_READ_ONLY},
	{"force", no_argument, NULL, OPTION_FORCE},
	{"reason", required_argument, NULL, OPTION_REASON},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"json", no_argument, NULL, OPTION_JSON},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void help_print(void)
{
	puts("Usage: vmwpctl [OPTIONS] SOCKET VERB [ARGUMENTS]\n"
	     "Send one command to a worker (vmwp) that was started with --control SOCKET.\n");
	for (size_t i = 0; i < VERB_COUNT; i++) {
		char left[40];
		snprintf(left, sizeof left, "%s %s", verbs[i].name, verbs[i].operands);
		printf("  %-22s %s\n", left, verbs[i].help);
	}
	printf("\n"
	       "  --controller N         storage controller, 0 to %u (0 if not given)\n"
	       "  --target N             target, 0 to %u (attach: the first free one)\n"
	       "  --lun N                logical unit, 0 to %u (0 if not given)\n"
	       "  --read-only            attach so that the guest cannot write\n"
	       "  --force                programs of the guest may not object\n"
	       "  --reason TEXT          why, for people in the guest\n"
	       "  --json                 print the answer as JSON\n"
	       "  --timeout SECONDS      wait this long for the worker (%d), or the guest (%d)\n"
	       "  --help                 this text\n"
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
		return usage_error("--%s: '%s' is not a number from %ld to %ld", option, text,
			minimum, maximum);
	*out = number;
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
	case OPTION_JSON:
		out->is_json = true;
		return 0;
	case 'h':
		help_print();
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
		usage_error("%s needs a value", text);
	else if (optopt >= OPTION_CONTROLLER)
		usage_error("%s: this option takes no value", text);
	else if (optopt != 0 && text[1] != '-')
		usage_error("'-%c' is not an option", optopt);
	else
		usage_error("'%s' is not an option", text);
}

static int options_parse(int argc, char **argv, struct arguments *out)
{
	*out = (struct arguments){
		.controller = NUMBER_NOT_GIVEN,
		.target = NUMBER_NOT_GIVEN,
		.lun = NUMBER_NOT_GIVEN,
		.timeout_s = NUMBER_NOT_GIVEN,
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
		usage_error("which worker? give its control socket and a verb");
		return EXIT_USAGE;
	}
	out->socket = argv[optind++];
	if (optind == argc) {
		usage_error("what to do with '%s'? give a verb, as status", out->socket);
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

/* Operands and options that the verb does not take are mistakes. */
static int verb_check(const struct verb *verb, const struct arguments *arguments)
{
	if (verb->operand_count == 0 && arguments->operand_count > 0)
		return usage_error(
			"%s takes no operands: '%s'", verb->name, arguments->operands[0]);
	if (arguments->operand_count != verb->operand_count)
		return usage_error("%s takes %d operands, not %d: %s %s", verb->name,
			verb->operand_count, arguments->operand_count, verb->name, verb->operands);
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
	};
	for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
		if (given[i].is_given && (verb->options & given[i].option) == 0)
			return usage_error("%s takes no --%s", verb->name, given[i].name);
	}
	return 0;
}

/* --- talking to the worker ---------------------------------------------------------------- */

static bool is_socket(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static const char *advice(const char *path, int error)
{
	switch (error) {
	case ENOENT:
		return "is the worker running, and was it started with --control and this path?";
	case ECONNREFUSED:
		return is_socket(path) ? "the worker that made it has ended; start it again"
				       : "it is not a worker's control socket";
	case EACCES:
		return "only the worker's user may command it; try as that user";
	case EAGAIN:
		return "the worker does not answer; it may be stopped, or raise --timeout";
	case EPROTOTYPE:
	case ENOTSOCK:
		return "it is not a worker's control socket";
	case ECONNRESET:
		return "the worker closed the connection; its log may say why";
	default:
		return "is it a worker's control socket?";
	}
}

static int fail_on_socket(const char *what, const char *path, int error)
{
	fprintf(stderr, "vmwpctl: cannot %s '%s': %s (%s)\n", what, path,
		error == EAGAIN ? "timed out" : strerror(error), advice(path, error));
	return -1;
}

/* How long to wait for the worker: a while more than it waits for the guest. */
static long wait_s(const struct arguments *arguments, const struct verb *verb)
{
	const long given = arguments->timeout_s;
	if ((verb->options & ASKS_GUEST) == 0)
		return given != NUMBER_NOT_GIVEN ? given : TIMEOUT_DEFAULT_S;
	return (given != NUMBER_NOT_GIVEN ? given : GUEST_DEFAULT_S) + TIMEOUT_DEFAULT_S;
}

/* A connected descriptor, or -1 after a message. */
static int worker_connect(const struct arguments *arguments, const struct verb *verb)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t len = strlen(arguments->socket);
	if (len >= sizeof name.sun_path)
		return fail_on_socket("reach", arguments->socket, ENAMETOOLONG);
	memcpy(name.sun_path, arguments->socket, len + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_on_socket("reach", arguments->socket, errno);
	const struct timeval timeout = {.tv_sec = wait_s(arguments, verb)};
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0 ||
		connect(fd, (const struct sockaddr *)&name, sizeof name) != 0) {
		fail_on_socket("reach", arguments->socket, errno);
		close(fd);
		return -1;
	}
	return fd;
}

static int request_send(int fd, const struct arguments *arguments, const json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT);
	if (line == NULL)
		return fail_on_socket("write to", arguments->socket, ENOMEM);
	size_t len = strlen(line);
	line[len++] = '\n'; /* in place of the NUL */
	int result = 0;
	for (size_t sent = 0; sent < len && result == 0;) {
		ssize_t n = send(fd, line + sent, len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			result = fail_on_socket("write to", arguments->socket, errno);
		sent += n > 0 ? (size_t)n : 0;
	}
	free(line);
	return result;
}

/* Read one line. malloc'ed, NUL-terminated, or NULL after a message. */
static char *answer_read(int fd, const struct arguments *arguments)
{
	char *text = NULL;
	size_t used = 0;
	size_t size = 0;
	while (used < ANSWER_MAX_BYTES) {
		if (size - used < 2) {
			size = size == 0 ? 4096 : size * 2;
			char *larger = realloc(text, size);
			if (larger == NULL)
				break;
			text = larger;
		}
		ssize_t n = recv(fd, text + used, size - used - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int error = n < 0 ? errno : ECONNRESET;
			fail_on_socket("read from", arguments->socket, error);
			free(text);
			return NULL;
		}
		char *end = memchr(text + used, '\n', (size_t)n);
		used += (size_t)n;
		if (end != NULL) {
			*end = '\0';
			return text;
		}
	}
	fprintf(stderr,
		"vmwpctl: the answer of '%s' is longer than %u bytes: no worker says that\n",
		arguments->socket, ANSWER_MAX_BYTES);
	free(text);
	return NULL;
}

/* Show the answer; returns the exit status. */
static int answer_show(const struct arguments *arguments, const char *line)
{
	json_t *answer = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	const json_t *result = json_object_get(answer, "result");
	const char *error = json_string_value(json_object_get(answer, "error"));
	int status = EXIT_FAILURE;
	if (json_is_true(json_object_get(answer, "ok")) && result != NULL) {
		status = EXIT_SUCCESS;
		if (arguments->is_json) {
			json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
			putchar('\n');
		} else {
			control_print(stdout, result);
		}
	} else if (error != NULL) {
		fprintf(stderr, "vmwpctl: %s\n", error);
	} else {
		fprintf(stderr,
			"vmwpctl: '%s' does not answer like a worker (is it another "
			"program's socket?)\n",
			arguments->socket);
	}
	json_decref(answer);
	if (status == EXIT_SUCCESS && fflush(stdout) != 0) {
		fprintf(stderr, "vmwpctl: cannot write the answer: %s\n", strerror(errno));
		status = EXIT_FAILURE;
	}
	return status;
}

static int talk(const struct arguments *arguments, const struct verb *verb, const json_t *request)
{
	int fd = worker_connect(arguments, verb);
	if (fd < 0)
		return EXIT_FAILURE;
	int status = EXIT_FAILURE;
	if (request_send(fd, arguments, request) == 0) {
		char *line = answer_read(fd, arguments);
		if (line != NULL)
			status = answer_show(arguments, line);
		free(line);
	}
	close(fd);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments;
	int result = options_parse(argc, argv, &arguments);
	if (result != 0)
		return result == EXIT_USAGE ? EXIT_USAGE : EXIT_SUCCESS;
	const struct verb *verb = verb_find(arguments.verb);
	if (verb == NULL)
		return usage_error("'%s' is not a verb", arguments.verb);
	if (verb_check(verb, &arguments) != 0)
		return EXIT_USAGE;
	json_t *details = json_object();
	int status = verb->build(&arguments, details);
	json_t *request = json_pack(
		"{s:i, s:s, s:o}", "id", 1, "command", verb->name, "arguments", details);
	if (status == 0 && request == NULL)
		status = EXIT_FAILURE;
	if (status == 0)
		status = talk(&arguments, verb, request);
	json_decref(request);
	return status;
}
