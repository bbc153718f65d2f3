// SPDX-License-Identifier: Apache-2.0
/*
 * Running tests against a target, one process for each, and what came of them.
 *
 * A verdict is passed on by the test itself. Two more are the runner's: a test that
 * crashes or does not end within TEST_LIMIT_MS has failed; and when the host is found dead,
 * hanging or with more descriptors than before, the test that was run last is charged with
 * it, and the next one gets a new host.
 *
 * Threads: one.
 */
#ifndef TESTS_CONFORMANCE_RUN_LINUX_H
#define TESTS_CONFORMANCE_RUN_LINUX_H

#include "tests/conformance/conform.h"

enum run_outcome {
	RUN_PASSED,
	RUN_FAILED,
	RUN_SKIPPED,
	RUN_DIED, /* the host died or hung: a failure */
};

struct run_result {
	const char *area;
	const struct conform_test *test;
	enum run_outcome outcome;
	double ms;
	char evidence[CONFORM_EVIDENCE_BYTES];
};

struct run {
	const char *target;	    /* "loopback" */
	const char *host;	    /* how it was started */
	struct run_result *results; /* `count` of them, in order */
	size_t count;
	size_t totals[RUN_DIED + 1]; /* by outcome */
	unsigned hosts;		     /* that were started */
	double seconds;
};

/* "passed", "failed", "skipped", "died". */
const char *run_outcome_name(enum run_outcome outcome);

struct run_config {
	const char *vmwp;	     /* path of the worker's program */
	const char *const *patterns; /* of rules, as fnmatch(3); none: all */
	size_t pattern_count;
	const struct conform_area *areas;
	size_t area_count;
	/* After each result; `run->count` of `total` are there. May be NULL. */
	void (*on_result)(const struct run *run, size_t total);
	void (*on_begin)(const struct run *run, size_t total, const struct conform_test *test);
};

/* How many tests the patterns choose. */
size_t run_selected(const struct run_config *config);
/* Run them. 0; -1: no host could be started (said on standard error). Free with run_free(). */
int run_loopback(const struct run_config *config, struct run *run);
void run_free(struct run *run);

#endif
