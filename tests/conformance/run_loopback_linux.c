// SPDX-License-Identifier: Apache-2.0
/*
 * The target "loopback": one process for each test, whose partition is that of a worker of
 * ours (target_loopback_linux.h). When the host is found dead, hanging or with more
 * descriptors than before, the test that was run last is charged with it.
 */
#include "tests/conformance/run_process_linux.h"
#include "tests/conformance/target_loopback_linux.h"

#include <stdio.h>
#include <string.h>

static enum conform_verdict test_run(
	void *ctx, const struct conform_test *test, struct conform_target *target)
{
	return loopback_guest_run(ctx, test, target);
}

/* How is the host? What is wrong with it, the test has done. */
static void charge(struct loopback_host *host, struct run_result *result)
{
	char how[CONFORM_EVIDENCE_BYTES];
	const enum loopback_health health = loopback_host_probe(host, how, sizeof how);

	if (health == LOOPBACK_WELL)
		return;
	result->outcome = health == LOOPBACK_LEAKS ? RUN_FAILED : RUN_DIED;
	memcpy(result->evidence, how, sizeof result->evidence);
}

static int run_test(const struct run_config *config, struct loopback_host *host, struct run *run,
	const struct conform_area *area, const struct conform_test *test)
{
	struct run_result result = {.area = area->name, .test = test};

	run_begins(config, run, test);
	if (host->pid == 0) {
		if (loopback_host_start(host) != 0)
			return -1;
		run->hosts++;
	}
	const double began = run_now_ms();
	if (run_process(config->limit_ms, test_run, host, &result) < 0)
		return -1;
	charge(host, &result);
	result.ms = run_now_ms() - began;
	/* What a terminal sends goes to the test and the host as well: that is no verdict. */
	if (!run_is_stopped())
		run_add(config, run, &result);
	return 0;
}

int run_loopback(const struct run_config *config, struct run *run)
{
	struct loopback_host host;
	int result = 0;

	snprintf(run->host, sizeof run->host, "%s", loopback_host_options);
	if (loopback_host_prepare(&host, config->vmwp) != 0)
		return -1;
	for (size_t a = 0; a < config->area_count; a++) {
		const struct conform_area *area = &config->areas[a];
		for (size_t i = 0; i < *area->count && result == 0 && !run_is_stopped(); i++)
			if (run_wants(config, run, &area->tests[i]))
				result = run_test(config, &host, run, area, &area->tests[i]);
	}
	loopback_host_remove(&host);
	return result;
}
