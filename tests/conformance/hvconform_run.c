// SPDX-License-Identifier: Apache-2.0
/*
 * The command run of hvconform: options, whom they mean, the progress line, the reports.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_list.h"
#include "tests/conformance/guest_areas.h"
#include "tests/conformance/hvconform.h"
#include "tests/conformance/linux/areas.h"
#include "tests/conformance/report_linux.h"
#include "tests/conformance/runner_checks.h"

#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	const char *host, *vmwp, *qemu, *image, *junit, *html, *json, *resume, *timeout;
	const char *guest, *kernel, *initrd, *console;
	const char *only[PATTERNS_MAX];
	size_t only_count;
	bool is_tap, is_verbose, is_self_check;
};

/* Options that some targets alone look at. */
#define TAKES_VMWP    0x1u
#define TAKES_QEMU    0x2u
#define TAKES_IMAGE   0x4u
#define TAKES_LINUX   0x8u /* --kernel, --initrd, --console */
#define TAKES_TIMEOUT 0x10u

/* Whom --host NAME or --guest NAME means, and what is run against it. */
struct target {
	const char *name;
	int (*run)(const struct run_config *config, struct run *run);
	unsigned takes; /* TAKES_* */
	const struct conform_area *areas;
	const size_t *area_count;
	const struct conform_area *checks; /* --self-check; one area, or NULL */
};

static const struct target targets[] = {
	{"loopback", run_loopback, TAKES_VMWP | TAKES_TIMEOUT, conform_host_areas,
		&conform_host_area_count, &runner_checks},
	{"kvm", run_kvm, TAKES_VMWP | TAKES_IMAGE | TAKES_TIMEOUT, conform_host_areas,
		&conform_host_area_count, &conform_image_checks},
	{"qemu", run_qemu, TAKES_QEMU | TAKES_IMAGE | TAKES_TIMEOUT, conform_host_areas,
		&conform_host_area_count, &conform_image_checks},
};

static const struct target guests[] = {
	{"library", run_library, TAKES_TIMEOUT, conform_guest_areas, &conform_guest_area_count,
		NULL},
	{"linux", run_linux_guest, TAKES_LINUX, conform_linux_areas, &conform_linux_area_count,
		NULL},
};

/* ---- run ------------------------------------------------------------------------------------- */

static bool is_terminal, is_verbose;
static const char *results_file; /* written as results come; NULL: none */
static double written_ms;

#define WRITE_EVERY_MS 200

static void on_begin(const struct run *run, const struct conform_test *test)
{
	if (is_terminal)
		fprintf(stderr, "\r\033[K[%zu/%zu] %s %s", run->count + 1, run->total, test->rule,
			test->name);
}

static void on_result(const struct run *run)
{
	const struct run_result *result = &run->results[run->count - 1];

	if (is_terminal)
		fprintf(stderr, "\r\033[K");
	if (is_verbose)
		fprintf(stderr, "%-8s %-12s %s (%.1f ms)\n", run_outcome_name(result->outcome),
			result->test->rule, result->test->name, result->ms);
	if (results_file != NULL && run_now_ms() - written_ms >= WRITE_EVERY_MS) {
		if (report_json(run, results_file, false) != 0)
			results_file = NULL; /* said once; it is tried again at the end */
		written_ms = run_now_ms();
	}
}

static const char *vmwp_beside(char path[PATH_MAX])
{
	char self[PATH_MAX];
	const ssize_t bytes = readlink("/proc/self/exe", self, sizeof self - 1);

	if (bytes <= 0)
		return "vmwp";
	self[bytes] = '\0';
	if (snprintf(path, PATH_MAX, "%s/vmwp", dirname(self)) >= PATH_MAX)
		return "vmwp";
	return path;
}

/* Reports that go to standard output, in place of the text. */
static unsigned on_output(const struct options *options)
{
	const char *const paths[] = {options->junit, options->html, options->json};
	unsigned count = options->is_tap;

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		count += paths[i] != NULL && strcmp(paths[i], "-") == 0;
	return count;
}

/* What cannot be written is said before the tests, not hours later. */
static bool are_writable(const struct options *options)
{
	const char *const paths[] = {options->junit, options->html, options->json};

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		if (paths[i] != NULL && !report_is_writable(paths[i]))
			return false;
	return true;
}

static int write_reports(const struct options *options, const struct run *run)
{
	const bool has_text = on_output(options) == 0;
	int result = 0;

	if (options->is_tap)
		result |= report_tap(run, "-");
	if (has_text)
		report_text(run, stdout);
	if (has_text && options->is_verbose)
		report_skips(run, stdout);
	if (options->junit != NULL)
		result |= report_junit(run, options->junit);
	if (options->html != NULL)
		result |= report_html(run, options->html);
	if (options->json != NULL)
		result |= report_json(run, options->json, run->count == run->total);
	return result;
}

static const struct target *target_find(const struct target *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

/* Run what is left, and report all. */
static int run_target(
	const struct options *options, const struct target *target, const struct run_config *config)
{
	struct run run;

	for (size_t i = 0; i < config->pattern_count; i++) {
		size_t tests = 0;
		for (size_t a = 0; a < config->area_count; a++)
			tests += hvconform_area_matches(&config->areas[a], config->patterns[i]);
		if (tests == 0)
			return hvconform_complain_of_pattern(config->patterns[i]);
	}
	if (run_begin(config, &run) != 0)
		return 3;
	if (options->resume != NULL && report_resume(options->resume, config, &run) != 0) {
		run_free(&run);
		return 2;
	}
	if (run.count > 0)
		fprintf(stderr, "hvconform: %s has %zu of %zu results already%s\n", options->resume,
			run.count, run.total,
			run.count == run.total ? ": nothing is run; without the file, all is" : "");
	if (!are_writable(options)) {
		run_free(&run);
		return 3;
	}
	const char *terminal = getenv("TERM");
	is_terminal = isatty(STDERR_FILENO) && !options->is_verbose &&
		      (terminal == NULL || strcmp(terminal, "dumb") != 0);
	is_verbose = options->is_verbose;
	results_file = options->json != NULL && strcmp(options->json, "-") != 0 ? options->json
										: NULL;
	run_stop_by_signals();
	const double began = run_now_ms();
	const int result = run.count < run.total ? target->run(config, &run) : 0;
	run.seconds += (run_now_ms() - began) / 1e3;
	run_end(config, &run);
	const int written = run.count > 0 ? write_reports(options, &run) : 0;
	const size_t failed = run.totals[RUN_FAILED] + run.totals[RUN_DIED];
	const bool is_whole = run.count == run.total;
	if (run_is_stopped() && !is_whole)
		fprintf(stderr, "hvconform: stopped after %zu of %zu tests%s\n", run.count,
			run.total,
			options->json != NULL ? "; --resume FILE goes on from here" : "");
	else if (result == 0 && !is_whole)
		fprintf(stderr, "hvconform: %zu of %zu tests have no verdict: they were not run\n",
			run.total - run.count, run.total);
	run_free(&run);
	if (result != 0 || written != 0 || !is_whole)
		return 3;
	return failed > 0;
}

/* The first option that was given and that this target takes no notice of, or NULL. */
static const char *option_in_vain(const struct options *options, const struct target *target)
{
	const struct {
		const char *name, *value;
		unsigned takes;
	} all[] = {
		{"--vmwp", options->vmwp, TAKES_VMWP},
		{"--qemu", options->qemu, TAKES_QEMU},
		{"--image", options->image, TAKES_IMAGE},
		{"--kernel", options->kernel, TAKES_LINUX},
		{"--initrd", options->initrd, TAKES_LINUX},
		{"--console", options->console, TAKES_LINUX},
		{"--timeout", options->timeout, TAKES_TIMEOUT},
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i].value != NULL && !(target->takes & all[i].takes))
			return all[i].name;
	return NULL;
}

static int run_tests(const struct options *options, const struct target *target)
{
	const char *in_vain = option_in_vain(options, target);
	char path[PATH_MAX];
	char *end = NULL;
	const unsigned long limit_s = options->timeout != NULL ? strtoul(options->timeout, &end, 10)
							       : RUN_LIMIT_MS / 1000;
	const struct run_config config = {
		.target = target->name,
		.is_self_check = options->is_self_check,
		.vmwp = options->vmwp != NULL ? options->vmwp : vmwp_beside(path),
		.image = options->image,
		.kernel = options->kernel,
		.initrd = options->initrd,
		.console = options->console,
		.qemu = options->qemu != NULL ? options->qemu : "qemu-system-x86_64",
		.limit_ms = (unsigned)limit_s * 1000,
		.patterns = options->only,
		.pattern_count = options->only_count,
		.areas = options->is_self_check ? target->checks : target->areas,
		.area_count = options->is_self_check ? 1 : *target->area_count,
		.on_begin = on_begin,
		.on_result = on_result,
	};

	if (in_vain != NULL) {
		fprintf(stderr, "hvconform: %s: not for %s; see hvconform --help\n", in_vain,
			target->name);
		return 2;
	}
	if (limit_s < 1 || limit_s > 3600 || (end != NULL && *end != '\0'))
		return hvconform_complain(
			"--timeout: give 1 to 3600 seconds, not ", options->timeout);
	if (target->run == run_linux_guest && (options->kernel == NULL || options->initrd == NULL))
		return hvconform_complain("--guest linux: give --kernel and --initrd; "
					  "tests/conformance/linux/guest makes both",
			"");
	if (options->is_self_check && target->checks == NULL)
		return hvconform_complain("--self-check: there is none for ", target->name);
	if ((target->takes & TAKES_VMWP) && access(config.vmwp, X_OK) != 0) {
		fprintf(stderr, "hvconform: %s cannot be run: give --vmwp PROGRAM\n", config.vmwp);
		return 3;
	}
	return run_target(options, target, &config);
}

static int run_chosen(struct options *options)
{
	const struct target *target;

	if (options->resume != NULL) {
		if (options->json != NULL)
			return hvconform_complain(
				"run: --resume FILE is --json FILE, too: give one of them", "");
		if (options->is_self_check)
			return hvconform_complain("--self-check: not with --resume", "");
		options->json = options->resume;
	}
	if (on_output(options) > 1)
		return hvconform_complain("run: one report only can be on standard output", "");
	if (options->host != NULL && options->guest != NULL)
		return hvconform_complain("run: give --host or --guest, not both", "");
	if (options->guest != NULL) {
		target = target_find(guests, sizeof guests / sizeof guests[0], options->guest);
		if (target == NULL)
			return hvconform_complain(
				"--guest: library or linux, not ", options->guest);
	} else if (options->host != NULL) {
		target = target_find(targets, sizeof targets / sizeof targets[0], options->host);
		if (target == NULL)
			return hvconform_complain(
				"--host: loopback, kvm or qemu, not ", options->host);
	} else {
		return hvconform_complain(
			"run: which host? Give --host loopback, kvm or qemu, or --guest "
			"library or linux",
			"");
	}
	return run_tests(options, target);
}

int hvconform_run(int argc, char **argv)
{
	enum {
		HOST,
		GUEST,
		KERNEL,
		INITRD,
		CONSOLE,
		VMWP,
		QEMU,
		IMAGE,
		ONLY,
		TIMEOUT,
		RESUME,
		TAP,
		JUNIT,
		HTML,
		JSON,
		VERBOSE,
		SELF,
		HELP
	};
	static const struct option known[] = {
		{"host", required_argument, NULL, HOST},
		{"guest", required_argument, NULL, GUEST},
		{"kernel", required_argument, NULL, KERNEL},
		{"initrd", required_argument, NULL, INITRD},
		{"console", required_argument, NULL, CONSOLE},
		{"vmwp", required_argument, NULL, VMWP},
		{"qemu", required_argument, NULL, QEMU},
		{"image", required_argument, NULL, IMAGE},
		{"only", required_argument, NULL, ONLY},
		{"timeout", required_argument, NULL, TIMEOUT},
		{"resume", required_argument, NULL, RESUME},
		{"tap", no_argument, NULL, TAP},
		{"junit", required_argument, NULL, JUNIT},
		{"html", required_argument, NULL, HTML},
		{"json", required_argument, NULL, JSON},
		{"verbose", no_argument, NULL, VERBOSE},
		{"self-check", no_argument, NULL, SELF},
		{"help", no_argument, NULL, HELP},
		{0},
	};
	struct options options = {0};
	char letter[] = "-?";

	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, ":", known, NULL)) != -1;) {
		switch (option) {
		case HOST:
			options.host = optarg;
			break;
		case GUEST:
			options.guest = optarg;
			break;
		case KERNEL:
			options.kernel = optarg;
			break;
		case INITRD:
			options.initrd = optarg;
			break;
		case CONSOLE:
			options.console = optarg;
			break;
		case VMWP:
			options.vmwp = optarg;
			break;
		case ONLY:
			if (options.only_count == PATTERNS_MAX)
				return hvconform_complain("--only was given too often", "");
			options.only[options.only_count++] = optarg;
			break;
		case QEMU:
			options.qemu = optarg;
			break;
		case IMAGE:
			options.image = optarg;
			break;
		case TIMEOUT:
			options.timeout = optarg;
			break;
		case RESUME:
			options.resume = optarg;
			break;
		case TAP:
			options.is_tap = true;
			break;
		case JUNIT:
			options.junit = optarg;
			break;
		case HTML:
			options.html = optarg;
			break;
		case JSON:
			options.json = optarg;
			break;
		case VERBOSE:
			options.is_verbose = true;
			break;
		case SELF:
			options.is_self_check = true;
			break;
		case HELP:
			fputs(hvconform_usage, stdout);
			return 0;
		case ':':
			return hvconform_complain(argv[optind - 1], ": a value is missing");
		default:
			letter[1] = (char)optopt; /* of -vx optind is still before it */
			return hvconform_complain(optopt > ' ' ? letter : argv[optind - 1],
				" is not an option of run");
		}
	}
	if (optind < argc)
		return hvconform_complain(argv[optind], " is too much");
	return run_chosen(&options);
}
