// SPDX-License-Identifier: Apache-2.0
/* One main for all CUnit programs: see harness.h. */
#include "tests/harness.h"

#include <CUnit/TestRun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_reason;

void test_skip(const char *reason)
{
	skip_reason = reason;
}

struct outcome {
	const char *name;
	const char *skipped; /* reason, or NULL */
	unsigned failures;   /* failed assertions */
};

static void failures_print(const char *name)
{
	for (CU_pFailureRecord f = CU_get_failure_list(); f != NULL; f = f->pNext) {
		if (f->pTest != NULL && strcmp(f->pTest->pName, name) == 0)
			printf("    %s:%u: %s\n", f->strFileName, f->uiLineNumber, f->strCondition);
	}
}

static void outcome_print(const struct outcome *outcome, size_t number)
{
	if (getenv("TAP") != NULL) {
		printf("%sok %zu - %s", outcome->failures > 0 ? "not " : "", number, outcome->name);
		if (outcome->skipped != NULL)
			printf(" # SKIP %s", outcome->skipped);
		putchar('\n');
	} else if (outcome->skipped != NULL) {
		printf("  SKIP %s: %s\n", outcome->name, outcome->skipped);
	} else if (outcome->failures > 0) {
		printf("  FAIL %s\n", outcome->name);
	}
	if (outcome->failures > 0)
		failures_print(outcome->name);
}

static void junit_write(const char *suite, const struct outcome *outcomes, size_t count)
{
	const char *folder = getenv("REPORT");
	if (folder == NULL)
		return;
	char path[512];
	snprintf(path, sizeof path, "%s/%s.xml", folder, suite);
	FILE *file = fopen(path, "w");
	if (file == NULL) {
		fprintf(stderr, "%s: cannot write the JUnit report: set REPORT to a folder\n",
			path);
		return;
	}
	fprintf(file, "<testsuite name=\"%s\" tests=\"%zu\">\n", suite, count);
	for (size_t i = 0; i < count; i++) {
		const struct outcome *o = &outcomes[i];
		fprintf(file, "  <testcase classname=\"%s\" name=\"%s\">", suite, o->name);
		if (o->skipped != NULL)
			fprintf(file, "<skipped/>");
		if (o->failures > 0)
			fprintf(file, "<failure>%u assertions</failure>", o->failures);
		fprintf(file, "</testcase>\n");
	}
	fprintf(file, "</testsuite>\n");
	fclose(file);
}

int test_main(const char *suite, const struct test *tests, size_t count, int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	const char *filter = argc > 1 ? argv[1] : "";
	struct outcome *outcomes = calloc(count, sizeof *outcomes);
	if (outcomes == NULL || CU_initialize_registry() != CUE_SUCCESS) {
		fprintf(stderr, "%s: out of memory\n", suite);
		free(outcomes);
		return 1;
	}
	CU_pSuite registered = CU_add_suite(suite, NULL, NULL);
	size_t run = 0;
	unsigned passed = 0;
	unsigned failed = 0;
	unsigned skipped = 0;
	for (size_t i = 0; i < count; i++) {
		if (strstr(tests[i].name, filter) == NULL)
			continue;
		CU_pTest test = CU_add_test(registered, tests[i].name, tests[i].run);
		struct outcome *outcome = &outcomes[run++];
		outcome->name = tests[i].name;
		skip_reason = NULL;
		CU_run_test(registered, test);
		outcome->failures = CU_get_number_of_failures();
		outcome->skipped = outcome->failures > 0 ? NULL : skip_reason;
		failed += outcome->failures > 0;
		skipped += outcome->skipped != NULL;
		passed += outcome->failures == 0 && outcome->skipped == NULL;
		outcome_print(outcome, run);
	}
	if (getenv("TAP") != NULL)
		printf("1..%zu\n", run);
	junit_write(suite, outcomes, run);
	printf("%s: %u passed, %u failed, %u skipped\n", suite, passed, failed, skipped);
	CU_cleanup_registry();
	free(outcomes);
	return failed == 0 && run > 0 ? 0 : 1;
}
