// SPDX-License-Identifier: Apache-2.0
/* What the files of the program hvconform share: hvconform.c (commands), hvconform_run.c (run). */
#ifndef TESTS_CONFORMANCE_HVCONFORM_H
#define TESTS_CONFORMANCE_HVCONFORM_H

#include "tests/conformance/conform.h"

#include <stddef.h>

#define PATTERNS_MAX 64

extern const char hvconform_usage[];

/* "hvconform: WHAT DETAIL", and where to look. 2, the status of wrong usage. */
int hvconform_complain(const char *what, const char *detail);
/* A pattern that chooses no test is a mistake, and would not be seen among others. 2. */
int hvconform_complain_of_pattern(const char *pattern);
/* How many tests of the area the pattern chooses. */
size_t hvconform_area_matches(const struct conform_area *area, const char *pattern);

/* The command run: argv[0] is "run". Exit status. */
int hvconform_run(int argc, char **argv);

#endif
