// SPDX-License-Identifier: Apache-2.0
/*
 * A test in a process of its own: one that crashes, or does not end within the limit, has
 * failed, and nothing that it did to its memory reaches the next.
 *
 * Threads: one.
 */
#ifndef TESTS_CONFORMANCE_RUN_PROCESS_LINUX_H
#define TESTS_CONFORMANCE_RUN_PROCESS_LINUX_H

#include "tests/conformance/run_linux.h"

/* In the child: run the test; evidence goes to *target, which is zero at first. */
typedef enum conform_verdict run_process_fn(
	void *ctx, const struct conform_test *test, struct conform_target *target);

/*
 * Run result->test so; its outcome and evidence go to *result. 0; 1: it left no report, or not in
 * time; -1: there can be no process (said on standard error).
 */
int run_process(unsigned limit_ms, run_process_fn *fn, void *ctx, struct run_result *result);

#endif
