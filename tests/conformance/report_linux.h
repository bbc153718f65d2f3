// SPDX-License-Identifier: Apache-2.0
/*
 * What came of a run, written down: for people (text, HTML), for machines (JSON, JUnit,
 * TAP), and what several JSON files say.
 *
 * Functions that write a file return 0, or -1 with a line on standard error. "-" is
 * standard output. Threads: one.
 */
#ifndef TESTS_CONFORMANCE_REPORT_LINUX_H
#define TESTS_CONFORMANCE_REPORT_LINUX_H

#include "tests/conformance/run_linux.h"

#include <stdio.h>

/* Can such a file be written, by what is known before? If not, a line on stderr says why. */
bool report_is_writable(const char *path);
/* Table of areas, then each failure with its evidence, then the total. */
void report_text(const struct run *run, FILE *out);
void report_skips(const struct run *run, FILE *out);
int report_tap(const struct run *run, const char *path);
int report_junit(const struct run *run, const char *path);
int report_html(const struct run *run, const char *path);
/* At once: who reads the file finds the old or the new. */
int report_json(const struct run *run, const char *path, bool is_complete);
/*
 * Give `run` the results that such a file has of this target and these tests. A file that is not
 * there has none. 0, or -1 with a line on standard error.
 */
int report_resume(const char *path, const struct run_config *config, struct run *run);

/* Print each test whose verdict differs. 0 the same, 1 different, 2 a file cannot be read. */
int report_compare(const char *a, const char *b);
/*
 * Print a table of groups of rules by files, and each failure below it. A column has the name of
 * its target. 0, or 2 with a line on standard error: a file cannot be read.
 */
int report_table(char *const *paths, size_t count, bool is_markdown);
/* Print what a JSON file says of a rule. 0, or -1 if it cannot be read. */
int report_of_rule(const char *path, const char *rule);

#endif
