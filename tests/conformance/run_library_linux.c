// SPDX-License-Identifier: Apache-2.0
/* The target "library": one process for each test, the guest in it. See target_library_linux.h. */
#include "tests/conformance/run_process_linux.h"
#include "tests/conformance/target_library_linux.h"

#include <stdio.h>

static enum conform_verdict test_run(
	void *ctx, const struct conform_test *test, struct conform_target *target)
{
	(void)ctx;
	return library_run(test, target);
}

static int run_test(const struct run_config *config, struct run *run,
	const struct conform_area *area, const struct conform_test *test)
{
	struct run_result result = {.area = area->name, .test = test};

	run_begins(config, run, test);
	run->hosts++;
	const double began = run_now_ms();
	const int silent = run_process(config->limit_ms, test_run, NULL, &result);
	if (silent < 0)
		return -1;
	if (silent > 0)
		result.outcome = RUN_DIED;
	result.ms = run_now_ms() - began;
	if (!run_is_stopped())
		run_add(config, run, &result);
	return 0;
}

int run_library(const struct run_config *config, struct run *run)
{
	int result = 0;

	snprintf(run->host, sizeof run->host, "a scripted host, two VPs, 4 MiB");
	for (size_t a = 0; a < config->area_count; a++) {
		const struct conform_area *area = &config->areas[a];
		for (size_t i = 0; i < *area->count && result == 0 && !run_is_stopped(); i++)
			if (run_wants(config, run, &area->tests[i]))
				result = run_test(config, run, area, &area->tests[i]);
	}
	return result;
}
