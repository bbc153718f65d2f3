// SPDX-License-Identifier: Apache-2.0
/*
 * hvconform: judges a host by the rules of the contract, and says by what evidence.
 *
 *	hvconform.c		 options, commands, the progress line
 *	  rules.h		 the rules, from protocol/
 *	  conform_areas.h	 the tests
 *	  run_linux.h		 one process for each test -- target_loopback_linux.h
 *	  report_linux.h	 text, TAP, JUnit, HTML, JSON; compare
 */
#include "packaging/version.h"
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/report_linux.h"
#include "tests/conformance/rules.h"
#include "tests/conformance/runner_checks.h"

#include <fnmatch.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATTERNS_MAX 64

static const char usage[] =
	"usage: hvconform list [PATTERN...]          tests, by area; of these rules\n"
	"       hvconform show RULE [RESULT.json...] text, tests and results of a rule\n"
	"       hvconform run --host HOST [options]  run the tests of the host's side\n"
	"       hvconform compare A.json B.json      which verdicts differ\n"
	"\n"
	"  --host loopback  a vmwp of its own, with a loopback partition\n"
	"  --vmwp PROGRAM   that vmwp (default: beside hvconform)\n"
	"  --only PATTERN   rules such as R-HCALL-002 or 'R-RING-*'; again for more\n"
	"  --tap            TAP on standard output, in place of the text\n"
	"  --junit FILE     JUnit XML\n"
	"  --html FILE      a page for people\n"
	"  --json FILE      for compare and show\n"
	"  --verbose        each test as it ends, and why tests were skipped\n"
	"  --self-check     instead of tests, ones that misbehave, to judge this program\n"
	"  --help, --version\n"
	"\n"
	"status: 0 no test failed, or nothing differs; 1 a test failed, or something differs;\n"
	"        2 wrong usage; 3 the tests could not be run\n"
	"\n"
	"example: hvconform run --host loopback --only 'R-GPADL-*' --json results.json\n";

struct options {
	const char *host, *vmwp, *junit, *html, *json;
	const char *only[PATTERNS_MAX];
	size_t only_count;
	bool is_tap, is_verbose, is_self_check;
};

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

static bool matches(const char *rule, char *const *patterns, int count)
{
	for (int i = 0; i < count; i++)
		if (fnmatch(patterns[i], rule, 0) == 0)
			return true;
	return count == 0;
}

static int list(char *const *patterns, int count)
{
	size_t tests = 0;

	for (size_t a = 0; a < conform_host_area_count; a++)
		for (size_t i = 0; i < *conform_host_areas[a].count; i++) {
			const struct conform_test *test = &conform_host_areas[a].tests[i];
			const struct conform_rule *rule = conform_rule_find(test->rule);
			if (!matches(test->rule, patterns, count))
				continue;
			tests++;
			printf("%-11s %-12s %-10s %s\n", conform_host_areas[a].name, test->rule,
				rule != NULL ? rule->level : "?", test->name);
		}
	if (tests == 0)
		return complain("no test has a rule that matches ", patterns[0]);
	return 0;
}

static int show(const char *id, char *const *files, int count)
{
	const struct conform_rule *rule = conform_rule_find(id);
	unsigned tests = 0;

	if (rule == NULL)
		return complain("no rule is called ", id);
	printf("%s (%s, %s, %s; %s)\n%s\n\ntests:\n", rule->id, rule->side, rule->level,
		rule->versions, rule->place, rule->text);
	for (size_t a = 0; a < conform_host_area_count; a++)
		for (size_t i = 0; i < *conform_host_areas[a].count; i++)
			if (strcmp(conform_host_areas[a].tests[i].rule, id) == 0) {
				printf("  %s: %s\n", conform_host_areas[a].name,
					conform_host_areas[a].tests[i].name);
				tests++;
			}
	if (tests == 0)
		printf("  none here; tests/tools/rules --cited lists those of the tree\n");
	if (count > 0)
		printf("\nresults:\n");
	for (int i = 0; i < count; i++)
		if (report_of_rule(files[i], id) != 0)
			return 2;
	return 0;
}

/* ---- run ------------------------------------------------------------------------------------- */

static bool is_terminal, is_verbose;

static void on_begin(const struct run *run, size_t total, const struct conform_test *test)
{
	if (is_terminal)
		fprintf(stderr, "\r\033[K[%zu/%zu] %s %s", run->count + 1, total, test->rule,
			test->name);
}

static void on_result(const struct run *run, size_t total)
{
	const struct run_result *result = &run->results[run->count - 1];

	(void)total;
	if (is_terminal)
		fprintf(stderr, "\r\033[K");
	if (is_verbose)
		fprintf(stderr, "%-8s %-12s %s (%.1f ms)\n", run_outcome_name(result->outcome),
			result->test->rule, result->test->name, result->ms);
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

static int write_reports(const struct options *options, const struct run *run)
{
	int result = 0;

	if (options->is_tap)
		result |= report_tap(run, "-");
	else
		report_text(run, stdout);
	if (options->is_verbose && !options->is_tap)
		report_skips(run, stdout);
	if (options->junit != NULL)
		result |= report_junit(run, options->junit);
	if (options->html != NULL)
		result |= report_html(run, options->html);
	if (options->json != NULL)
		result |= report_json(run, options->json);
	return result;
}

static int run_tests(const struct options *options)
{
	char path[PATH_MAX];
	struct run run;
	const struct run_config config = {
		.vmwp = options->vmwp != NULL ? options->vmwp : vmwp_beside(path),
		.patterns = options->only,
		.pattern_count = options->only_count,
		.areas = options->is_self_check ? &runner_checks : conform_host_areas,
		.area_count = options->is_self_check ? 1 : conform_host_area_count,
		.on_begin = on_begin,
		.on_result = on_result,
	};

	if (access(config.vmwp, X_OK) != 0) {
		fprintf(stderr, "hvconform: %s cannot be run: give --vmwp PROGRAM\n", config.vmwp);
		return 3;
	}
	if (run_selected(&config) == 0)
		return complain("--only: no test has a rule that matches ", options->only[0]);
	is_terminal = isatty(STDERR_FILENO) && !options->is_verbose;
	is_verbose = options->is_verbose;
	const int result = run_loopback(&config, &run);
	const int written = write_reports(options, &run);
	const size_t failed = run.totals[RUN_FAILED] + run.totals[RUN_DIED];
	run_free(&run);
	if (result != 0 || written != 0)
		return 3;
	return failed > 0;
}

static int run_parse(int argc, char **argv)
{
	enum { HOST, VMWP, ONLY, TAP, JUNIT, HTML, JSON, VERBOSE, SELF, HELP };
	static const struct option known[] = {
		{"host", required_argument, NULL, HOST},
		{"vmwp", required_argument, NULL, VMWP},
		{"only", required_argument, NULL, ONLY},
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

	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, ":", known, NULL)) != -1;) {
		switch (option) {
		case HOST:
			options.host = optarg;
			break;
		case VMWP:
			options.vmwp = optarg;
			break;
		case ONLY:
			if (options.only_count == PATTERNS_MAX)
				return complain("--only was given too often", "");
			options.only[options.only_count++] = optarg;
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
			return complain(argv[optind - 1], " is not an option of run");
		}
	}
	if (optind < argc)
		return complain(argv[optind], " is too much");
	if (options.host == NULL)
		return complain("run: which host? Give --host loopback", "");
	if (strcmp(options.host, "loopback") != 0)
		return complain("--host: the only host is loopback, not ", options.host);
	return run_tests(&options);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(command, "--help") == 0) {
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
	if (strcmp(command, "run") == 0)
		return run_parse(argc - 1, argv + 1);
	return complain(
		command[0] ? command : "what to do?", command[0] ? " is not a command" : "");
}
