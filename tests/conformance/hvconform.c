// SPDX-License-Identifier: Apache-2.0
/*
 * hvconform: judges a host or a guest by the rules of the contract, and says by what evidence.
 *
 *	hvconform.c		 options, commands, the table of targets, the progress line
 *	  rules.h		 the rules, from protocol/
 *	  conform_areas.h	 the tests; of the guest library: guest_areas.h; of a Linux guest:
 *				 linux/areas.h
 *	  run_linux.h		 what a run is; targets: run_loopback_linux.c, run_vm_linux.c (kvm,
 *				 qemu), run_library_linux.c, linux/run.c
 *	  report_linux.h	 text, TAP, JUnit, HTML, JSON; compare, table, resume
 *	  image_iso_linux.h	 the command image
 */
#include "packaging/version.h"
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_list.h"
#include "tests/conformance/guest_areas.h"
#include "tests/conformance/image_iso_linux.h"
#include "tests/conformance/linux/areas.h"
#include "tests/conformance/report_linux.h"
#include "tests/conformance/rules.h"
#include "tests/conformance/runner_checks.h"

#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATTERNS_MAX 64

static const char usage[] =
	"usage: hvconform list [--host | --guest] [PATTERN...]  tests of a side, of these rules\n"
	"       hvconform show RULE [RESULT.json...] text, tests and results of a rule\n"
	"       hvconform run --host HOST [options]  run the tests of the host's side\n"
	"       hvconform run --guest GUEST [options] play the host against a guest\n"
	"       hvconform compare A.json B.json      which verdicts differ\n"
	"       hvconform table [--markdown] RESULT.json... groups of rules by targets\n"
	"       hvconform image --iso FILE [options] a disk that boots the tests, for other hosts\n"
	"\n"
	"  --host loopback  a vmwp of its own, with a loopback partition\n"
	"  --host kvm       a bare-metal image in a virtual machine of vmwp\n"
	"  --host qemu      the same image in one of QEMU's, with its vmbus-bridge\n"
	"  --guest library  the guest library of this project, in processes of this program\n"
	"  --guest linux    Linux as it is, in a virtual machine of this program\n"
	"  --kernel FILE    that Linux\n"
	"  --initrd FILE    its initramfs; tests/conformance/linux/guest makes one\n"
	"  --console FILE   what that Linux says on its serial port, test by test\n"
	"  --vmwp PROGRAM   that vmwp (default: beside hvconform)\n"
	"  --qemu PROGRAM   that QEMU (default: qemu-system-x86_64)\n"
	"  --image FILE     that image (default: conform.elf of the build)\n"
	"  --only PATTERN   rules such as R-HCALL-002 or 'R-RING-*'; again for more\n"
	"  --timeout S      a test that takes longer than S seconds is ended, and has not passed\n"
	"                   (default 20; not for linux)\n"
	"  --resume FILE    --json FILE, and what is in it already is not run again\n"
	"  --tap            TAP on standard output, in place of the text; so is any FILE \"-\"\n"
	"  --junit FILE     JUnit XML\n"
	"  --html FILE      a page for people\n"
	"  --json FILE      for compare, show and --resume; written as results come\n"
	"  --markdown       for a page, in place of text\n"
	"  --verbose        each test as it ends, and why tests were skipped\n"
	"  --self-check     instead of tests, ones that misbehave, to judge this program\n"
	"  --help, --version\n"
	"\n"
	"status: 0 no test failed, or nothing differs; 1 a test failed, or something differs;\n"
	"        2 wrong usage; 3 the tests could not be run, or not to their end\n"
	"\n"
	"example: hvconform run --host loopback --only 'R-GPADL-*' --json results.json\n";

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

/* All areas, for list and show. */
static const struct area_set {
	const struct conform_area *areas;
	const size_t *count;
	const char *side; /* the option of list that means it */
} area_sets[] = {
	{conform_host_areas, &conform_host_area_count, "--host"},
	{conform_guest_areas, &conform_guest_area_count, "--guest"},
	{conform_linux_areas, &conform_linux_area_count, "--guest"},
};
#define AREA_SETS (sizeof area_sets / sizeof area_sets[0])

static int complain(const char *what, const char *detail)
{
	fprintf(stderr, "hvconform: %s%s; see hvconform --help\n", what, detail);
	return 2;
}

const struct conform_rule *conform_rule_find(const char *id)
{
	for (size_t i = 0; i < conform_rule_count; i++)
		if (strcmp(conform_rules[i].id, id) == 0)
			return &conform_rules[i];
	return NULL;
}

/* ---- list, show ------------------------------------------------------------------------------ */

static bool matches(const char *rule, const char *const *patterns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (conform_matches(patterns[i], rule))
			return true;
	return count == 0;
}

static size_t area_matches(const struct conform_area *area, const char *pattern)
{
	size_t tests = 0;

	for (size_t i = 0; i < *area->count; i++)
		tests += conform_matches(pattern, area->tests[i].rule);
	return tests;
}

/* A pattern that chooses no test is a mistake, and would not be seen among others. */
static int complain_of_pattern(const char *pattern)
{
	if (conform_rule_find(pattern) != NULL)
		fprintf(stderr,
			"hvconform: %s is a rule, but none of these tests is about it; see "
			"hvconform "
			"show %s\n",
			pattern, pattern);
	else
		fprintf(stderr,
			"hvconform: no test has a rule that matches %s; see hvconform list\n",
			pattern);
	return 2;
}

static void list_area(const struct conform_area *area, const char *const *patterns, size_t count)
{
	for (size_t i = 0; i < *area->count; i++) {
		const struct conform_test *test = &area->tests[i];
		const struct conform_rule *rule = conform_rule_find(test->rule);
		if (matches(test->rule, patterns, count))
			printf("%-18s %-12s %-10s %s\n", area->name, test->rule,
				rule != NULL ? rule->level : "?", test->name);
	}
}

static bool is_listed(const struct area_set *set, const char *side)
{
	return side == NULL || strcmp(side, set->side) == 0;
}

static int list(char *const *words, int count)
{
	const char *patterns[PATTERNS_MAX];
	size_t pattern_count = 0;
	const char *side = NULL;

	for (int i = 0; i < count; i++) {
		const bool is_side = strcmp(words[i], "--host") == 0 ||
				     strcmp(words[i], "--guest") == 0;
		if (words[i][0] == '-' && !is_side)
			return complain(words[i], " is not an option of list");
		if (is_side && side != NULL && strcmp(side, words[i]) != 0)
			return complain("list: give --host or --guest, not both", "");
		if (is_side)
			side = words[i];
		else if (pattern_count == PATTERNS_MAX)
			return complain("list: too many patterns", "");
		else
			patterns[pattern_count++] = words[i];
	}
	for (size_t i = 0; i < pattern_count; i++) {
		size_t tests = 0;
		for (size_t s = 0; s < AREA_SETS; s++)
			for (size_t a = 0;
				is_listed(&area_sets[s], side) && a < *area_sets[s].count; a++)
				tests += area_matches(&area_sets[s].areas[a], patterns[i]);
		if (tests == 0)
			return complain_of_pattern(patterns[i]);
	}
	for (size_t s = 0; s < AREA_SETS; s++)
		for (size_t a = 0; is_listed(&area_sets[s], side) && a < *area_sets[s].count; a++)
			list_area(&area_sets[s].areas[a], patterns, pattern_count);
	return 0;
}

static size_t show_area(const struct conform_area *area, const char *id)
{
	size_t tests = 0;

	for (size_t i = 0; i < *area->count; i++)
		if (strcmp(area->tests[i].rule, id) == 0) {
			printf("  %s: %s\n", area->name, area->tests[i].name);
			tests++;
		}
	return tests;
}

static int show(const char *id, char *const *files, int count)
{
	const struct conform_rule *rule = conform_rule_find(id);
	size_t tests = 0;

	if (rule == NULL)
		return complain("no rule is called ", id);
	printf("%s (%s, %s, %s; %s)\n%s\n\ntests:\n", rule->id, rule->side, rule->level,
		rule->versions, rule->place, rule->text);
	for (size_t s = 0; s < AREA_SETS; s++)
		for (size_t a = 0; a < *area_sets[s].count; a++)
			tests += show_area(&area_sets[s].areas[a], id);
	if (tests == 0)
		printf("  none here; tests/tools/rules --cited lists those of the tree\n");
	if (count > 0)
		printf("\nresults:\n");
	for (int i = 0; i < count; i++)
		if (report_of_rule(files[i], id) != 0)
			return 2;
	return 0;
}

static int table(char *const *arguments, size_t count)
{
	const bool is_markdown = count > 0 && strcmp(arguments[0], "--markdown") == 0;

	if (is_markdown) {
		arguments++;
		count--;
	}
	if (count == 0)
		return complain("table: give JSON files", "");
	if (arguments[0][0] == '-')
		return complain(arguments[0], " is not an option of table");
	return report_table(arguments, count, is_markdown);
}

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
			tests += area_matches(&config->areas[a], config->patterns[i]);
		if (tests == 0)
			return complain_of_pattern(config->patterns[i]);
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
		return complain("--timeout: give 1 to 3600 seconds, not ", options->timeout);
	if (target->run == run_linux_guest && (options->kernel == NULL || options->initrd == NULL))
		return complain("--guest linux: give --kernel and --initrd; "
				"tests/conformance/linux/guest makes both",
			"");
	if (options->is_self_check && target->checks == NULL)
		return complain("--self-check: there is none for ", target->name);
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
			return complain(
				"run: --resume FILE is --json FILE, too: give one of them", "");
		if (options->is_self_check)
			return complain("--self-check: not with --resume", "");
		options->json = options->resume;
	}
	if (on_output(options) > 1)
		return complain("run: one report only can be on standard output", "");
	if (options->host != NULL && options->guest != NULL)
		return complain("run: give --host or --guest, not both", "");
	if (options->guest != NULL) {
		target = target_find(guests, sizeof guests / sizeof guests[0], options->guest);
		if (target == NULL)
			return complain("--guest: library or linux, not ", options->guest);
	} else if (options->host != NULL) {
		target = target_find(targets, sizeof targets / sizeof targets[0], options->host);
		if (target == NULL)
			return complain("--host: loopback, kvm or qemu, not ", options->host);
	} else {
		return complain("run: which host? Give --host loopback, kvm or qemu, or --guest "
				"library or linux",
			"");
	}
	return run_tests(options, target);
}

static int run_parse(int argc, char **argv)
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
				return complain("--only was given too often", "");
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
			fputs(usage, stdout);
			return 0;
		case ':':
			return complain(argv[optind - 1], ": a value is missing");
		default:
			letter[1] = (char)optopt; /* of -vx optind is still before it */
			return complain(optopt > ' ' ? letter : argv[optind - 1],
				" is not an option of run");
		}
	}
	if (optind < argc)
		return complain(argv[optind], " is too much");
	return run_chosen(&options);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* `hvconform list --help`, too; image has a help of its own. */
	if (strcmp(command, "--help") == 0 ||
		(argc == 3 && strcmp(argv[2], "--help") == 0 && strcmp(command, "image") != 0)) {
		fputs(usage, stdout);
		return 0;
	}
	if (strcmp(command, "--version") == 0) {
		version_print("hvconform");
		return 0;
	}
	if (strcmp(command, "list") == 0)
		return list(argv + 2, argc - 2);
	if (strcmp(command, "show") == 0 && argc > 2)
		return show(argv[2], argv + 3, argc - 3);
	if (strcmp(command, "show") == 0)
		return complain("show: which rule?", "");
	if (strcmp(command, "compare") == 0 && argc == 4)
		return report_compare(argv[2], argv[3]);
	if (strcmp(command, "compare") == 0)
		return complain("compare: give two JSON files", "");
	if (strcmp(command, "table") == 0)
		return table(argv + 2, (size_t)argc - 2);
	if (strcmp(command, "image") == 0)
		return image_iso(argc - 1, argv + 1);
	if (strcmp(command, "run") == 0)
		return run_parse(argc - 1, argv + 1);
	return complain(
		command[0] ? command : "what to do?", command[0] ? " is not a command" : "");
}
