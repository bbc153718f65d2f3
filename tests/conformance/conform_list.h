// SPDX-License-Identifier: Apache-2.0
/*
 * Tests by number, for a runner that is somewhere else than the tests: both sides count alike.
 * The number of a test is its place in the order in which they run there: that of the tables,
 * but for those behind which the machine must be reset (CONFORM_LAST): they come last.
 *
 * Threads: constant. Freestanding.
 */
#ifndef TESTS_CONFORMANCE_CONFORM_LIST_H
#define TESTS_CONFORMANCE_CONFORM_LIST_H

#include "tests/conformance/conform.h"

#define CONFORM_IMAGE_PATTERNS_MAX 16u /* that an image takes */

struct conform_list {
	const struct conform_area *areas;
	size_t area_count;
};

unsigned conform_list_count(const struct conform_list *list);
/* The test with this number, NULL if there is none; *area (may be NULL): the name of its area. */
const struct conform_test *conform_list_at(
	const struct conform_list *list, unsigned number, const char **area);

/* Is `text` what the pattern says? "*" stands for any characters, "?" for one. */
bool conform_matches(const char *pattern, const char *text);

/* For checks of the runner: tests of an image that misbehave (run --self-check). */
extern const struct conform_area conform_image_checks;

#endif
