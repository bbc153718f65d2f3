// SPDX-License-Identifier: Apache-2.0
/* What came of a run, as JSON, and what two such files say. See report_linux.h. */
#include "tests/conformance/report_json_linux.h"

#include "packaging/version.h"
#include "tests/conformance/report_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static json_t *result_pack(const struct run_result *result)
{
	/* Evidence may quote a hostile host: what is not UTF-8 is replaced as a whole. */
	json_t *evidence = json_string(result->evidence);

	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:f}", "rule", result->test->rule, "name",
		result->test->name, "area", result->area, "verdict",
		run_outcome_name(result->outcome), "evidence",
		evidence != NULL ? evidence : json_string("(not UTF-8)"), "ms", result->ms);
}

/* Beside the file, then in its place. Only a regular file is replaced; others are written to. */
static int replace(const json_t *root, const char *path, size_t flags)
{
	char next[PATH_MAX];
	struct stat status;

	if (strcmp(path, "-") == 0)
		return json_dumpf(root, stdout, flags) == 0 && putchar('\n') != EOF ? 0 : -1;
	if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return json_dump_file(root, path, flags);
	if (snprintf(next, sizeof next, "%s.XXXXXX", path) >= (int)sizeof next)
		return -1;
	const int fd = mkostemp(next, O_CLOEXEC);
	if (fd < 0)
		return -1;
	const mode_t mask = umask(0);
	(void)umask(mask);
	FILE *file = fdopen(fd, "w");
	if (file == NULL) {
		close(fd);
		unlink(next);
		return -1;
	}
	const bool is_bad = json_dumpf(root, file, flags) != 0 || fchmod(fd, 0666 & ~mask) != 0;
	if (fclose(file) == 0 && !is_bad && rename(next, path) == 0)
		return 0;
	unlink(next);
	return -1;
}

int report_json(const struct run *run, const char *path, bool is_complete)
{
	json_t *tests = json_array();

	for (size_t i = 0; i < run->count; i++)
		json_array_append_new(tests, result_pack(&run->results[i]));
	json_t *root = json_pack("{s:s, s:s, s:s, s:f, s:I, s:b, s:{s:I, s:I, s:I, s:I}, s:o}",
		"program", viridian_version, "target", run->target, "host", run->host, "seconds",
		run->seconds, "hosts", (json_int_t)run->hosts, "complete", is_complete, "totals",
		"passed", (json_int_t)run->totals[RUN_PASSED], "failed",
		(json_int_t)run->totals[RUN_FAILED], "died", (json_int_t)run->totals[RUN_DIED],
		"skipped", (json_int_t)run->totals[RUN_SKIPPED], "tests", tests);
	const int result = replace(root, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	json_decref(root);
	if (result != 0)
		fprintf(stderr, "hvconform: %s: could not be written (%s); is there room?\n", path,
			strerror(errno));
	return result;
}

/* The file may be of anybody: no byte of its texts is a command to a terminal. */
static void texts_make_plain(json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		char line[CONFORM_EVIDENCE_BYTES];
		if (!json_is_string(value))
			continue;
		run_text_put(line, sizeof line, json_string_value(value));
		json_string_set(value, line);
	}
}

json_t *results_load(const char *path, json_t **root)
{
	json_error_t error;

	*root = json_load_file(path, 0, &error);
	json_t *tests = json_object_get(*root, "tests");
	size_t i;
	json_t *test;
	if (json_is_array(tests)) {
		texts_make_plain(*root);
		json_array_foreach(tests, i, test)
		{
			texts_make_plain(test);
		}
		return tests;
	}
	fprintf(stderr, "hvconform: %s: %s; give a file that hvconform run --json has written\n",
		path, *root == NULL ? error.text : "it has no list of tests");
	json_decref(*root);
	return NULL;
}

const char *result_text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value != NULL ? value : "";
}

static json_t *find(json_t *tests, const json_t *which)
{
	size_t i;
	json_t *test;

	json_array_foreach(tests, i,
		test) if (strcmp(result_text(test, "rule"), result_text(which, "rule")) == 0 &&
			  strcmp(result_text(test, "name"), result_text(which, "name")) ==
				  0) return test;
	return NULL;
}

static void put_difference(const json_t *test, const char *a, const char *b, const json_t *why)
{
	printf("%-12s %-8s %-8s %s\n", result_text(test, "rule"), a, b, result_text(test, "name"));
	if (why != NULL && result_text(why, "evidence")[0] != '\0')
		printf("      %s\n", result_text(why, "evidence"));
}

int report_compare(const char *a, const char *b)
{
	json_t *roots[2];
	json_t *old = results_load(a, &roots[0]);
	json_t *new = old != NULL ? results_load(b, &roots[1]) : NULL;
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
		const char *verdict = other != NULL ? result_text(other, "verdict") : "absent";
		if (strcmp(result_text(test, "verdict"), verdict) == 0)
			continue;
		differences++;
		put_difference(test, result_text(test, "verdict"), verdict,
			strcmp(result_text(test, "verdict"), "passed") == 0 ? other : test);
	}
	json_array_foreach(new, i, test) if (find(old, test) == NULL)
	{
		differences++;
		put_difference(test, "absent", result_text(test, "verdict"), test);
	}
	printf("%zu difference%s\n", differences, differences == 1 ? "" : "s");
	json_decref(roots[0]);
	json_decref(roots[1]);
	return differences > 0;
}

int report_of_rule(const char *path, const char *rule)
{
	json_t *root;
	json_t *tests = results_load(path, &root);
	size_t i;
	json_t *test;

	if (tests == NULL)
		return -1;
	json_array_foreach(tests, i, test)
	{
		if (strcmp(result_text(test, "rule"), rule) != 0)
			continue;
		printf("  %-10s %-8s %s%s%s\n", result_text(root, "target"),
			result_text(test, "verdict"), result_text(test, "name"),
			result_text(test, "evidence")[0] ? ": " : "",
			result_text(test, "evidence"));
	}
	json_decref(root);
	return 0;
}

/* ---- going on with a run --------------------------------------------------------------------- */

/* Chosen this time or not: the file is written anew, and keeps what it has. */
static void restore(const json_t *from, const struct run_config *config, struct run *run)
{
	const char *verdict = result_text(from, "verdict");
	struct run_result result = {.ms = json_real_value(json_object_get(from, "ms"))};

	while (result.outcome < RUN_DIED && strcmp(run_outcome_name(result.outcome), verdict) != 0)
		result.outcome++;
	if (strcmp(run_outcome_name(result.outcome), verdict) != 0)
		return;
	snprintf(result.evidence, sizeof result.evidence, "%s", result_text(from, "evidence"));
	for (size_t a = 0; a < config->area_count; a++)
		for (size_t i = 0; i < *config->areas[a].count; i++) {
			result.area = config->areas[a].name;
			result.test = &config->areas[a].tests[i];
			if (strcmp(result.test->rule, result_text(from, "rule")) == 0 &&
				strcmp(result.test->name, result_text(from, "name")) == 0) {
				run_restore(config, run, &result);
				return;
			}
		}
}

int report_resume(const char *path, const struct run_config *config, struct run *run)
{
	json_t *root, *test;
	size_t i;

	if (access(path, F_OK) != 0 && errno == ENOENT)
		return 0;
	json_t *tests = results_load(path, &root);
	if (tests == NULL)
		return -1;
	if (strcmp(result_text(root, "target"), run->target) != 0) {
		fprintf(stderr,
			"hvconform: %s: its target is \"%s\", not %s; give another --resume\n",
			path, result_text(root, "target"), run->target);
		json_decref(root);
		return -1;
	}
	json_array_foreach(tests, i, test)
	{
		restore(test, config, run);
	}
	snprintf(run->host, sizeof run->host, "%s", result_text(root, "host"));
	run->seconds = json_real_value(json_object_get(root, "seconds"));
	run->hosts = (unsigned)json_integer_value(json_object_get(root, "hosts"));
	json_decref(root);
	return 0;
}
