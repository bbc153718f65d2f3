// SPDX-License-Identifier: Apache-2.0
/*
 * hvconform: judges a host or a guest by the rules of the contract, and says by what evidence.
 *
 *	hvconform.c		 commands: list, show, table, compare, image
 *	  hvconform_run.c	 the command run: options, the table of targets, the progress line
 *	  rules.h		 the rules, from protocol/
 *	  conform_areas.h	 the tests; of the guest library: guest_areas.h; of a Linux guest:
 *				 linux/areas.h
 *	  run_linux.h		 what a run is; targets: run_loopback_linux.c, run_vm_linux.c (kvm,
 *				 qemu), run_library_linux.c, linux/run.c
 *	  report_linux.h	 text, TAP, JUnit, HTML, JSON; compare, table, resume
 *	  image_iso_linux.h	 the command image
 */
#include "tests/conformance/hvconform.h"
#include "packaging/version.h"
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_list.h"
#include "tests/conformance/guest_areas.h"
#include "tests/conformance/image_iso_linux.h"
#include "tests/conformance/linux/areas.h"
#include "tests/conformance/report_linux.h"
#include "tests/conformance/rules.h"

#include <string.h>

const char hvconform_usage[] =
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

int hvconform_complain(const char *what, const char *detail)
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

size_t hvconform_area_matches(const struct conform_area *area, const char *pattern)
{
	size_t tests = 0;

	for (size_t i = 0; i < *area->count; i++)
		tests += conform_matches(pattern, area->tests[i].rule);
	return tests;
}

int hvconform_complain_of_pattern(const char *pattern)
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
			return hvconform_complain(words[i], " is not an option of list");
		if (is_side && side != NULL && strcmp(side, words[i]) != 0)
			return hvconform_complain("list: give --host or --guest, not both", "");
		if (is_side)
			side = words[i];
		else if (pattern_count == PATTERNS_MAX)
			return hvconform_complain("list: too many patterns", "");
		else
			patterns[pattern_count++] = words[i];
	}
	for (size_t i = 0; i < pattern_count; i++) {
		size_t tests = 0;
		for (size_t s = 0; s < AREA_SETS; s++)
			for (size_t a = 0;
				is_listed(&area_sets[s], side) && a < *area_sets[s].count; a++)
				tests += hvconform_area_matches(
					&area_sets[s].areas[a], patterns[i]);
		if (tests == 0)
			return hvconform_complain_of_pattern(patterns[i]);
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
		return hvconform_complain("no rule is called ", id);
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
		return hvconform_complain("table: give JSON files", "");
	if (arguments[0][0] == '-')
		return hvconform_complain(arguments[0], " is not an option of table");
	return report_table(arguments, count, is_markdown);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* `hvconform list --help`, too; image has a help of its own. */
	if (strcmp(command, "--help") == 0 ||
		(argc == 3 && strcmp(argv[2], "--help") == 0 && strcmp(command, "image") != 0)) {
		fputs(hvconform_usage, stdout);
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
		return hvconform_complain("show: which rule?", "");
	if (strcmp(command, "compare") == 0 && argc == 4)
		return report_compare(argv[2], argv[3]);
	if (strcmp(command, "compare") == 0)
		return hvconform_complain("compare: give two JSON files", "");
	if (strcmp(command, "table") == 0)
		return table(argv + 2, (size_t)argc - 2);
	if (strcmp(command, "image") == 0)
		return image_iso(argc - 1, argv + 1);
	if (strcmp(command, "run") == 0)
		return hvconform_run(argc - 1, argv + 1);
	return hvconform_complain(
		command[0] ? command : "what to do?", command[0] ? " is not a command" : "");
}
