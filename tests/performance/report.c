// SPDX-License-Identifier: Apache-2.0
/* Results as a table, as JSON and as HTML: see report.h. */
#include "tests/performance/report.h"

#include "tests/performance/process.h"
#include "tests/performance/why.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void goal_format(const struct measure_case *c, char *text, size_t size)
{
	if (c->kind == MEASURE_SHOWN)
		snprintf(text, size, "-");
	else
		snprintf(text, size, "%s %.2f", c->kind == MEASURE_AT_MOST ? "<=" : ">=", c->goal);
}

void report_begin(struct report *report, unsigned rounds, bool is_json)
{
	memset(report, 0, sizeof *report);
	report->rounds = rounds;
	report->is_json = is_json;
}

/* Before the first case that is wanted. */
static void head_make(struct report *report)
{
	measure_machine_get(&report->machine);
	if (report->is_json)
		return;
	const struct measure_machine *m = &report->machine;
	printf("machine: %s, %u processors, %s\n", m->processor, m->processors, m->kernel);
	printf("noise:   cache line round trip %.0f ns (%.0f to %.0f), fixed computation "
	       "within %.1f %%\n",
		m->line_round_trip_ns[1], m->line_round_trip_ns[0], m->line_round_trip_ns[2],
		m->loop_spread * 100);
	printf("ratios:  medians of %u rounds, subject / reference, interleaved\n\n",
		report->rounds);
	printf("%-40s %7s %6s %8s %-9s %12s %12s %-10s %s\n", "name", "ratio", "±", "goal",
		"verdict", "value", "reference", "unit", "reference is");
}

/* Not wanted, but there: for who has asked for something that is not. */
static void other_add(struct report *report, const char *name)
{
	if (report->other_count < REPORT_RESULTS_MAX)
		report->others[report->other_count++] = name;
}

bool report_wants(struct report *report, const char *section)
{
	if (report->only == NULL)
		return true;
	const size_t length = strlen(section);
	const size_t most = strlen(report->only);
	const bool is_wanted = strncmp(section, report->only, length < most ? length : most) == 0;
	if (!is_wanted)
		other_add(report, section);
	return is_wanted;
}

static struct measure_result *result_add(struct report *report, const struct measure_case *c)
{
	if (report->only != NULL && strncmp(c->name, report->only, strlen(report->only)) != 0) {
		other_add(report, c->name);
		return NULL;
	}
	if (report->count == REPORT_RESULTS_MAX)
		return NULL;
	if (report->count == 0)
		head_make(report);
	return &report->results[report->count++];
}

static bool is_measured(const struct measure_result *r)
{
	return r->verdict != VERDICT_FAILED && r->verdict != VERDICT_ABSENT;
}

static void row_print(const struct measure_result *r)
{
	const struct measure_case *c = r->c;
	char goal[32];
	goal_format(c, goal, sizeof goal);
	if (!is_measured(r)) {
		printf("%-40s %7s %6s %8s %-9s %s\n", c->name, "-", "-", goal,
			measure_verdict_name(r->verdict), r->why);
		return;
	}
	printf("%-40s %7.3f %5.1f%% %8s %-9s %12.1f %12.1f %-10s %s\n", c->name, r->ratio,
		r->spread * 100, goal, measure_verdict_name(r->verdict), r->value,
		r->reference_value, c->unit, c->reference);
	if (r->verdict == VERDICT_MISSED || r->verdict == VERDICT_TOO_NOISY)
		printf("    why: %s\n", r->why);
	fflush(stdout);
}

void report_case(struct report *report, const struct measure_case *c)
{
	struct measure_result *r = result_add(report, c);
	if (r == NULL)
		return;
	struct process_load before;
	struct process_load after;
	process_load_get(&before);
	measure_run(c, report->rounds, r);
	process_load_get(&after);
	if (report->others_max > 0 && (r->verdict == VERDICT_MET || r->verdict == VERDICT_MISSED) &&
		process_others_share(&before, &after) > report->others_max) {
		r->verdict = VERDICT_TOO_NOISY;
		r->why = "other programs used the processors meanwhile";
	}
	if (r->verdict == VERDICT_MISSED)
		r->why = why_missed(c->name);
	if (!report->is_json)
		row_print(r);
}

void report_without(struct report *report, const struct measure_case *c,
	enum measure_verdict verdict, const char *why)
{
	struct measure_result *r = result_add(report, c);
	if (r == NULL)
		return;
	*r = (struct measure_result){.c = c, .verdict = verdict, .why = why};
	if (!report->is_json)
		row_print(r);
}

static json_t *result_json(const struct measure_result *r)
{
	char goal[32];
	goal_format(r->c, goal, sizeof goal);
	json_t *ratios = json_array();
	for (unsigned i = 0; i < r->rounds && is_measured(r); i++)
		json_array_append_new(ratios, json_real(r->ratios[i]));
	json_t *met = r->verdict == VERDICT_MET	     ? json_true()
		      : r->verdict == VERDICT_MISSED ? json_false()
						     : json_null();
	return json_pack("{s:s, s:f, s:s, s:s, s:f, s:f, s:f, s:s, s:o, s:s, s:s*, s:o}", "name",
		r->c->name, "value", r->value, "unit", r->c->unit, "reference", r->c->reference,
		"reference_value", r->reference_value, "ratio", r->ratio, "spread", r->spread,
		"goal", goal, "met", met, "verdict", measure_verdict_name(r->verdict), "why",
		r->why, "ratios", ratios);
}

static void json_print(const struct report *report, FILE *file)
{
	const struct measure_machine *m = &report->machine;
	json_t *results = json_array();
	for (unsigned i = 0; i < report->count; i++)
		json_array_append_new(results, result_json(&report->results[i]));
	json_t *root = json_pack("{s:{s:s, s:i, s:s, s:[f,f,f], s:f}, s:i, s:o}", "machine",
		"processor", m->processor, "processors", (int)m->processors, "kernel", m->kernel,
		"cache_line_round_trip_ns", m->line_round_trip_ns[0], m->line_round_trip_ns[1],
		m->line_round_trip_ns[2], "computation_spread", m->loop_spread, "rounds",
		(int)report->rounds, "results", results);
	json_dumpf(root, file, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	fputc('\n', file);
	json_decref(root);
}

/* 0, or 1 after a message. */
static int json_write(const struct report *report, const char *path)
{
	FILE *file = fopen(path, "w");
	if (file != NULL)
		json_print(report, file);
	if (file != NULL && fclose(file) == 0)
		return 0;
	fprintf(stderr, "hvbench: %s: %s; give --json= a file that can be written\n", path,
		strerror(errno));
	return 1;
}

/* One bar: the ratio on a scale of 0 to twice the goal (or twice the ratio). */
static void bar_write(FILE *file, const struct measure_result *r)
{
	const double width = 360;
	const double full = r->c->kind == MEASURE_SHOWN ? 2 * r->ratio : 2 * r->c->goal;
	const double scale = full > 0 ? full : 1;
	const double length = r->ratio / scale < 1 ? r->ratio / scale * width : width;
	const char *colour = r->verdict == VERDICT_MET	    ? "#2e8b57"
			     : r->verdict == VERDICT_MISSED ? "#c0392b"
							    : "#888888";
	fprintf(file,
		"<svg width=\"%.0f\" height=\"18\"><rect width=\"%.1f\" height=\"14\" y=\"2\" "
		"fill=\"%s\"/>",
		width, length, colour);
	for (unsigned i = 0; i < r->rounds; i++) {
		const double x = r->ratios[i] / scale * width;
		fprintf(file, "<circle cx=\"%.1f\" cy=\"9\" r=\"1.5\" fill=\"#222\"/>",
			x < width ? x : width);
	}
	if (r->c->kind != MEASURE_SHOWN)
		fprintf(file, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"18\" stroke=\"#000\"/>",
			width / 2, width / 2);
	fputs("</svg>", file);
}

static int html_write(const struct report *report, const char *path)
{
	FILE *file = fopen(path, "w");
	if (file == NULL) {
		fprintf(stderr, "hvbench: %s: %s; give --html a file that can be written\n", path,
			strerror(errno));
		return 1;
	}
	fputs("<!doctype html><meta charset=\"utf-8\"><title>hvbench</title>"
	      "<style>body{font:14px sans-serif;margin:2em}td,th{padding:2px 8px;text-align:left}"
	      "td.n{text-align:right}</style><h1>hvbench</h1>",
		file);
	fprintf(file,
		"<p>%s, %u processors, %s. Cache line round trip %.0f ns (%.0f to %.0f). Ratios "
		"are "
		"medians of %u interleaved rounds; each dot is a round, the line is the goal.</p>"
		"<table><tr><th>name<th>ratio<th>spread<th>goal<th>verdict<th>plot<th>value"
		"<th>reference<th>unit<th>reference is</tr>",
		report->machine.processor, report->machine.processors, report->machine.kernel,
		report->machine.line_round_trip_ns[1], report->machine.line_round_trip_ns[0],
		report->machine.line_round_trip_ns[2], report->rounds);
	for (unsigned i = 0; i < report->count; i++) {
		const struct measure_result *r = &report->results[i];
		char goal[32];
		goal_format(r->c, goal, sizeof goal);
		fprintf(file,
			"<tr><td>%s<td class=\"n\">%.3f<td class=\"n\">%.1f %%<td>%s %s<td>%s<td>",
			r->c->name, r->ratio, r->spread * 100,
			goal[0] == '<'	 ? "at most"
			: goal[0] == '>' ? "at least"
					 : "",
			goal + 2 * (goal[0] != '-'), measure_verdict_name(r->verdict));
		if (is_measured(r))
			bar_write(file, r);
		fprintf(file, "<td class=\"n\">%.1f<td class=\"n\">%.1f<td>%s<td>%s</tr>", r->value,
			r->reference_value, r->c->unit, r->c->reference);
	}
	fputs("</table>\n", file);
	return fclose(file) == 0 ? 0 : 1;
}

/* Section of a name: what comes before its second slash. */
static size_t section_bytes(const char *name)
{
	const size_t first = strcspn(name, "/");
	return name[first] == '\0' ? first : first + 1 + strcspn(name + first + 1, "/");
}

/* In one line: the cases of the sections that were asked for, or else all sections. */
static void others_tell(const struct report *report)
{
	const char *last = "";
	size_t last_bytes = 0;
	fprintf(stderr,
		"hvbench: --only %s: no case has a name that starts so; there are:", report->only);
	for (unsigned i = 0; i < report->other_count; i++) {
		const char *name = report->others[i];
		const size_t bytes = section_bytes(name);
		const bool is_asked = strncmp(name, report->only, bytes) == 0;
		if (is_asked)
			fprintf(stderr, " %s", name);
		else if (bytes != last_bytes || strncmp(name, last, bytes) != 0)
			fprintf(stderr, " %.*s", (int)bytes, name);
		last = name;
		last_bytes = bytes;
	}
	fputc('\n', stderr);
}

int report_end(struct report *report, const char *html_path)
{
	int status = 0;
	unsigned by_verdict[VERDICT_FAILED + 1] = {0};
	if (report->count == 0) {
		others_tell(report);
		return 2;
	}
	for (unsigned i = 0; i < report->count; i++)
		by_verdict[report->results[i].verdict]++;
	if (report->is_json)
		json_print(report, stdout);
	else
		printf("\n%u met, %u missed, %u too noisy to judge, %u without a goal, "
		       "%u absent, %u failed\n",
			by_verdict[VERDICT_MET], by_verdict[VERDICT_MISSED],
			by_verdict[VERDICT_TOO_NOISY], by_verdict[VERDICT_SHOWN],
			by_verdict[VERDICT_ABSENT], by_verdict[VERDICT_FAILED]);
	if (report->json_path != NULL)
		status = json_write(report, report->json_path);
	if (html_path != NULL)
		status |= html_write(report, html_path);
	return by_verdict[VERDICT_FAILED] > 0 ? 1 : status;
}
