// SPDX-License-Identifier: Apache-2.0
/*
 * Results of hvbench for people (a table, as they come), for machines (JSON) and for
 * a browser (one self-contained HTML file with plots).
 */
#ifndef TESTS_PERFORMANCE_REPORT_H
#define TESTS_PERFORMANCE_REPORT_H

#include "tests/performance/measure.h"

#define REPORT_RESULTS_MAX 256u

struct report {
	struct measure_machine machine;
	unsigned rounds;
	bool is_json;
	/* Do not judge a case while others use more than this part of all processors; 0: always
	 * judge. For cases that need two processors at once, which interleaving cannot
	 * make comparable with those that need one. */
	double others_max;
	const char *json_path; /* also write JSON there; NULL: nowhere */
	const char *only;      /* measure only cases whose names start so; NULL: all */
	unsigned count;
	struct measure_result results[REPORT_RESULTS_MAX];
	/* of cases or sections that were not wanted */
	unsigned other_count;
	const char *others[REPORT_RESULTS_MAX];
};

/*
 * Start. The machine is measured, and the head of the table printed unless JSON was asked for,
 * before the first case that is wanted.
 */
void report_begin(struct report *report, unsigned rounds, bool is_json);
/* Measure `c` and print its row. The case and its strings must outlive the report. */
void report_case(struct report *report, const struct measure_case *c);
/* Put in a case that was not measured, with FAILED or ABSENT and why (it outlives the report). */
void report_without(struct report *report, const struct measure_case *c,
	enum measure_verdict verdict, const char *why);
/* True if some case whose name starts with `section` may have to be measured. */
bool report_wants(struct report *report, const char *section);
/*
 * Print JSON if asked for; write json_path and `html_path` unless NULL. Returns the exit status:
 * 0 if every measurement could be made, else 1, or 2 if `only` names no case, after a line that
 * says which there are. A goal that was missed is no failure of the program: it is in the table,
 * with the reason as far as it is known (why.h).
 */
int report_end(struct report *report, const char *html_path);

#endif
