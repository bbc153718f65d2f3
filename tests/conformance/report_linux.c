// SPDX-License-Identifier: Apache-2.0
/* What came of a run, for people, TAP and JUnit. See report_linux.h. */
#include "tests/conformance/report_linux.h"

#include "packaging/version.h"
#include "tests/conformance/rules.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool report_is_writable(const char *path)
{
	char folder[PATH_MAX];
	struct stat status;

	if (strcmp(path, "-") == 0)
		return true;
	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
		errno = EISDIR;
	} else if (access(path, W_OK) == 0) {
		return true;
	} else if (errno == ENOENT && snprintf(folder, sizeof folder, "%s", path) < PATH_MAX) {
		if (access(dirname(folder), W_OK) == 0)
			return true;
	}
	fprintf(stderr, "hvconform: %s: %s; give a file in a folder to write in\n", path,
		strerror(errno));
	return false;
}

static FILE *file_open(const char *path)
{
	if (strcmp(path, "-") == 0)
		return stdout;
	FILE *file = fopen(path, "we");
	if (file == NULL)
		fprintf(stderr, "hvconform: %s: %s; give a file in a folder to write in\n", path,
			strerror(errno));
	return file;
}

static int file_close(FILE *file, const char *path)
{
	const bool is_bad = ferror(file) != 0;

	if ((file == stdout ? fflush(file) : fclose(file)) == 0 && !is_bad)
		return 0;
	fprintf(stderr, "hvconform: %s: could not be written; is there room?\n", path);
	return -1;
}

static bool is_failure(enum run_outcome outcome)
{
	return outcome == RUN_FAILED || outcome == RUN_DIED;
}

/* Counts by outcome of the results from `at` on that are of the same area; the next area's first.
 */
static size_t area_count(const struct run *run, size_t at, size_t counts[RUN_DIED + 1])
{
	const char *area = run->results[at].area;

	memset(counts, 0, (RUN_DIED + 1) * sizeof *counts);
	for (; at < run->count && strcmp(run->results[at].area, area) == 0; at++)
		counts[run->results[at].outcome]++;
	return at;
}

void report_text(const struct run *run, FILE *out)
{
	size_t counts[RUN_DIED + 1];
	int width = 12;

	for (size_t i = 0; i < run->count; i++)
		if ((int)strlen(run->results[i].area) > width)
			width = (int)strlen(run->results[i].area);
	fprintf(out, "%-*s %6s %6s %7s\n", width, "area", "passed", "failed", "skipped");
	for (size_t at = 0; at < run->count;) {
		const char *area = run->results[at].area;
		at = area_count(run, at, counts);
		fprintf(out, "%-*s %6zu %6zu %7zu\n", width, area, counts[RUN_PASSED],
			counts[RUN_FAILED] + counts[RUN_DIED], counts[RUN_SKIPPED]);
	}
	for (size_t i = 0; i < run->count; i++) {
		const struct run_result *result = &run->results[i];
		if (is_failure(result->outcome))
			fprintf(out, "%s %s: %s\n      %s\n",
				result->outcome == RUN_DIED ? "DIED " : "FAIL ", result->test->rule,
				result->test->name, result->evidence);
	}
	fprintf(out, "%zu passed, %zu failed, %zu skipped in %.1f s; %u host%s\n",
		run->totals[RUN_PASSED], run->totals[RUN_FAILED] + run->totals[RUN_DIED],
		run->totals[RUN_SKIPPED], run->seconds, run->hosts, run->hosts == 1 ? "" : "s");
}

void report_skips(const struct run *run, FILE *out)
{
	for (size_t i = 0; i < run->count; i++)
		if (run->results[i].outcome == RUN_SKIPPED)
			fprintf(out, "SKIP  %s: %s\n      %s\n", run->results[i].test->rule,
				run->results[i].test->name, run->results[i].evidence);
}

int report_tap(const struct run *run, const char *path)
{
	FILE *out = file_open(path);

	if (out == NULL)
		return -1;
	fprintf(out, "TAP version 13\n1..%zu\n", run->count);
	for (size_t i = 0; i < run->count; i++) {
		const struct run_result *result = &run->results[i];
		fprintf(out, "%s %zu - %s %s", is_failure(result->outcome) ? "not ok" : "ok", i + 1,
			result->test->rule, result->test->name);
		if (result->outcome == RUN_SKIPPED)
			fprintf(out, " # SKIP %s", result->evidence);
		fprintf(out, "\n");
		if (is_failure(result->outcome))
			fprintf(out, "# %s: %s\n", run_outcome_name(result->outcome),
				result->evidence);
	}
	return file_close(out, path);
}

/* Text of XML and HTML, attributes included; what XML cannot say becomes "?". */
static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc((unsigned char)*text < 0x20 ? '?' : *text, out);
		}
	}
}

static void put_case(FILE *out, const struct run_result *result)
{
	fprintf(out, "    <testcase classname=\"%s.%s\" name=\"", result->area, result->test->rule);
	put_escaped(out, result->test->name);
	fprintf(out, "\" time=\"%.4f\"", result->ms / 1e3);
	if (result->outcome == RUN_PASSED) {
		fprintf(out, "/>\n");
		return;
	}
	fprintf(out, ">\n      <%s message=\"",
		result->outcome == RUN_SKIPPED ? "skipped"
		: result->outcome == RUN_DIED  ? "error"
					       : "failure");
	put_escaped(out, result->evidence);
	fprintf(out, "\"/>\n    </testcase>\n");
}

int report_junit(const struct run *run, const char *path)
{
	size_t counts[RUN_DIED + 1];
	FILE *out = file_open(path);

	if (out == NULL)
		return -1;
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"hvconform %s\" "
		"tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.3f\">\n",
		run->target, run->count, run->totals[RUN_FAILED], run->totals[RUN_DIED],
		run->totals[RUN_SKIPPED], run->seconds);
	for (size_t at = 0; at < run->count;) {
		const size_t end = area_count(run, at, counts);
		fprintf(out,
			"  <testsuite name=\"%s\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
			"skipped=\"%zu\">\n",
			run->results[at].area, end - at, counts[RUN_FAILED], counts[RUN_DIED],
			counts[RUN_SKIPPED]);
		for (; at < end; at++)
			put_case(out, &run->results[at]);
		fprintf(out, "  </testsuite>\n");
	}
	fprintf(out, "</testsuites>\n");
	return file_close(out, path);
}

static void put_row(FILE *out, const struct run_result *result)
{
	const struct conform_rule *rule = conform_rule_find(result->test->rule);
	const char *outcome = run_outcome_name(result->outcome);

	fprintf(out, "<tr class=\"%s\"><td>%s</td><td>%s</td><td title=\"", outcome, result->area,
		result->test->rule);
	put_escaped(out, rule != NULL ? rule->text : "");
	fprintf(out, "\">");
	put_escaped(out, result->test->name);
	fprintf(out, "</td><td>%s</td><td>", outcome);
	put_escaped(out, result->evidence);
	fprintf(out, "</td></tr>\n");
}

int report_html(const struct run *run, const char *path)
{
	FILE *out = file_open(path);

	if (out == NULL)
		return -1;
	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		"<title>hvconform: %s</title>\n<style>\nbody { font: 15px/1.4 sans-serif; margin: "
		"2em; }\ntable { border-collapse: collapse; }\ntd, th { padding: .2em .7em; "
		"text-align: left; vertical-align: top; border-bottom: 1px solid #ddd; }\n"
		".failed td, .died td { background: #fdd; }\n.skipped td { color: #777; }\n"
		"</style></head><body>\n<h1>hvconform: %s</h1>\n<p>",
		run->target, run->target);
	put_escaped(out, run->host);
	fprintf(out,
		"</p>\n<p>%zu passed, %zu failed, %zu skipped; version %s. Point at a name for the "
		"text of its rule.</p>\n<table>\n<tr><th>area</th><th>rule</th><th>what the host "
		"does</th><th>verdict</th><th>evidence</th></tr>\n",
		run->totals[RUN_PASSED], run->totals[RUN_FAILED] + run->totals[RUN_DIED],
		run->totals[RUN_SKIPPED], viridian_version);
	for (size_t i = 0; i < run->count; i++)
		put_row(out, &run->results[i]);
	fprintf(out, "</table>\n</body></html>\n");
	return file_close(out, path);
}
