// SPDX-License-Identifier: Apache-2.0
/* What came of a run, as JSON, and what two such files say. See report_linux.h. */
#include "packaging/version.h"
#include "tests/conformance/report_linux.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

int report_json(const struct run *run, const char *path)
{
	json_t *tests = json_array();

	for (size_t i = 0; i < run->count; i++) {
		const struct run_result *result = &run->results[i];
		/* Evidence may quote a hostile host: "s%" refuses what is not UTF-8, so that it is
		 * replaced as a whole. */
		json_t *evidence = json_string(result->evidence);
		json_array_append_new(tests,
			json_pack("{s:s, s:s, s:s, s:s, s:o, s:f}", "rule", result->test->rule,
				"name", result->test->name, "area", result->area, "verdict",
				run_outcome_name(result->outcome), "evidence",
				evidence != NULL ? evidence : json_string("(not UTF-8)"), "ms",
				result->ms));
	}
	json_t *root = json_pack("{s:s, s:s, s:s, s:f, s:I, s:{s:I, s:I, s:I, s:I}, s:o}",
		"program", viridian_version, "target", run->target, "host", run->host, "seconds",
		run->seconds, "hosts", (json_int_t)run->hosts, "totals", "passed",
		(json_int_t)run->totals[RUN_PASSED], "failed", (json_int_t)run->totals[RUN_FAILED],
		"died", (json_int_t)run->totals[RUN_DIED], "skipped",
		(json_int_t)run->totals[RUN_SKIPPED], "tests", tests);
	const size_t flags = JSON_INDENT(1) | JSON_REAL_PRECISION(6);
	const int result = strcmp(path, "-") == 0 ? json_dumpf(root, stdout, flags)
						  : json_dump_file(root, path, flags);
	json_decref(root);
	if (result == 0)
		return strcmp(path, "-") == 0 && putchar('\n') == EOF ? -1 : 0;
	fprintf(stderr,
		"hvconform: %s: could not be written; give a file in a folder to write in\n", path);
	return -1;
}

/* The list of tests of a file; *root keeps it alive. */
static json_t *load(const char *path, json_t **root)
{
	json_error_t error;

	*root = json_load_file(path, 0, &error);
	json_t *tests = json_object_get(*root, "tests");
	if (json_is_array(tests))
		return tests;
	fprintf(stderr, "hvconform: %s: %s; give a file that hvconform run --json has written\n",
		path, *root == NULL ? error.text : "it has no list of tests");
	json_decref(*root);
	return NULL;
}

static const char *text(const json_t *test, const char *key)
{
	const char *value = json_string_value(json_object_get(test, key));
	return value != NULL ? value : "";
}

static json_t *find(json_t *tests, const json_t *which)
{
	size_t i;
	json_t *test;

	json_array_foreach(tests, i,
		test) if (strcmp(text(test, "rule"), text(which, "rule")) == 0 &&
			  strcmp(text(test, "name"), text(which, "name")) == 0) return test;
	return NULL;
}

static void put_difference(const json_t *test, const char *a, const char *b, const json_t *why)
{
	printf("%-12s %-8s %-8s %s\n", text(test, "rule"), a, b, text(test, "name"));
	if (why != NULL && text(why, "evidence")[0] != '\0')
		printf("      %s\n", text(why, "evidence"));
}

int report_compare(const char *a, const char *b)
{
	json_t *roots[2];
	json_t *old = load(a, &roots[0]);
	json_t *new = old != NULL ? load(b, &roots[1]) : NULL;
	size_t i, differences = 0;
	json_t *test;

	if (new == NULL) {
		if (old != NULL)
			json_decref(roots[0]);
		return 2;
	}
	json_array_foreach(old, i, test)
	{
		const json_t *other = find(new, test);
		const char *verdict = other != NULL ? text(other, "verdict") : "absent";
		if (strcmp(text(test, "verdict"), verdict) == 0)
			continue;
		differences++;
		put_difference(test, text(test, "verdict"), verdict,
			strcmp(text(test, "verdict"), "passed") == 0 ? other : test);
	}
	json_array_foreach(new, i, test) if (find(old, test) == NULL)
	{
		differences++;
		put_difference(test, "absent", text(test, "verdict"), test);
	}
	printf("%zu difference%s\n", differences, differences == 1 ? "" : "s");
	json_decref(roots[0]);
	json_decref(roots[1]);
	return differences > 0;
}

int report_of_rule(const char *path, const char *rule)
{
	json_t *root;
	json_t *tests = load(path, &root);
	size_t i;
	json_t *test;

	if (tests == NULL)
		return -1;
	json_array_foreach(tests, i, test) if (strcmp(text(test, "rule"), rule) == 0) printf(
		"  %-10s %-8s %s%s%s\n", text(root, "target"), text(test, "verdict"),
		text(test, "name"), text(test, "evidence")[0] ? ": " : "", text(test, "evidence"));
	json_decref(root);
	return 0;
}
