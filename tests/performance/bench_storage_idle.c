// SPDX-License-Identifier: Apache-2.0
/*
 * hvbench storage, idle: what a worker with one partition costs while its guest, which
 * has a storage controller open, does nothing.
 */
#include "tests/performance/bench_storage.h"

#include "tests/performance/process.h"

#include <stdio.h>
#include <time.h>

#define IMAGE_BYTES  (4ull << 20)
#define SETTLE_NS    200000000
#define PRIVATE_GOAL 4096.0 /* KiB */

struct idle_bench {
	struct guest_worker worker;
	struct guest guest;
};

static double private_kib(void *ctx)
{
	const struct idle_bench *bench = ctx;
	return process_private_kib(bench->worker.pid);
}

static double private_goal(void *ctx)
{
	(void)ctx;
	return PRIVATE_GOAL;
}

static double wake_ups(void *ctx)
{
	const struct idle_bench *bench = ctx;
	const struct timespec second = {.tv_sec = 1};
	const double before = process_sleeps(bench->worker.pid);
	nanosleep(&second, NULL);
	const double after = process_sleeps(bench->worker.pid);
	return before >= 0 && after >= before ? after - before : -1;
}

static double wake_ups_of_a_clock(void *ctx)
{
	(void)ctx;
	return 1;
}

/* A channel open, the disk found and read once. */
static bool bench_open(struct idle_bench *bench, const struct sandbox *sandbox)
{
	char image[BENCH_STORAGE_PATH_BYTES];
	const char *folder = sandbox->memory[0] != '\0' ? sandbox->memory : sandbox->work;
	const struct load load = {
		.bytes = 4096,
		.depth = 32,
		.is_random = true,
		.span_bytes = IMAGE_BYTES,
		.duration_ns = 50000000,
	};
	const struct timespec settle = {.tv_nsec = SETTLE_NS};
	if (sandbox_file_make(folder, "idle-image", IMAGE_BYTES, image) != 0)
		return false;
	const char *const options[] = {"--disk", image, NULL};
	if (guest_worker_start(&bench->worker, sandbox, 200, options) != 0 ||
		guest_connect(&bench->guest, &bench->worker) != 0 ||
		guest_controller_open(&bench->guest, 0, 4, 0) != 0)
		return false;
	struct storage_vsc_lun *lun = guest_lun_find(&bench->guest, 0);
	if (lun == NULL || guest_run(&bench->guest, lun, &load) < 0)
		return false;
	/* Our end goes to sleep as well, its rings unmasked. */
	(void)storage_controller_poll(&bench->guest.controllers[0]->controller, 10000);
	nanosleep(&settle, NULL);
	return true;
}

void bench_storage_idle(struct report *report, const struct sandbox *sandbox)
{
	static struct idle_bench bench;
	static const struct measure_case memory = {"storage/idle/memory", "KiB",
		"4 MiB of private memory", MEASURE_AT_MOST, 1, private_kib, private_goal, &bench};
	static const struct measure_case sleeps = {"storage/idle/wake-ups", "per second",
		"one a second", MEASURE_SHOWN, 0, wake_ups, wake_ups_of_a_clock, &bench};
	if (bench_open(&bench, sandbox)) {
		const unsigned rounds = report->rounds;
		const double others_max = report->others_max;
		report->rounds = 5;	/* of a second each */
		report->others_max = 0; /* memory does not mind */
		report_case(report, &memory);
		report_case(report, &sleeps);
		report->rounds = rounds;
		report->others_max = others_max;
	} else {
		report_without(report, &memory, VERDICT_FAILED, "the worker could not be set up");
		report_without(report, &sleeps, VERDICT_FAILED, "the worker could not be set up");
	}
	guest_disconnect(&bench.guest);
	guest_worker_stop(&bench.worker);
}
