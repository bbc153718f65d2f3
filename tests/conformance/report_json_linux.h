// SPDX-License-Identifier: Apache-2.0
/*
 * Reading what report_json() wrote, for what compares such files. "tests" is a list of
 * {"rule", "name", "area", "verdict", "evidence", "ms"}; the root has "target" and "host".
 * Threads: one.
 */
#ifndef TESTS_CONFORMANCE_REPORT_JSON_LINUX_H
#define TESTS_CONFORMANCE_REPORT_JSON_LINUX_H

#include <jansson.h>

/*
 * The list of tests of a file; *root keeps it alive, and is the caller's. NULL with a line on
 * standard error: the file cannot be read, or has none.
 */
json_t *results_load(const char *path, json_t **root);
/* A string of an object; "" where there is none. */
const char *result_text(const json_t *object, const char *key);

#endif
