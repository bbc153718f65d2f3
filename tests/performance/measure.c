// SPDX-License-Identifier: Apache-2.0
/* Rounds, medians and the machine's noise: see measure.h. */
#include "tests/performance/measure.h"

#include "protocol/spin.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t measure_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t measure_thread_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* Of the program, from its start on; 0: not set. */
static uint64_t fixed_count;

void measure_count_set(uint64_t count)
{
	fixed_count = count;
}

uint64_t measure_count(uint64_t usual)
{
	return fixed_count != 0 ? fixed_count : usual;
}

static int double_compare(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;
	return (x > y) - (x < y);
}

double measure_median(double *values, size_t n)
{
	qsort(values, n, sizeof *values, double_compare);
	return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Half the distance of the quartiles, relative to the median, of sorted values. */
static double sorted_spread(const double *sorted, size_t n)
{
	const double median = sorted[n / 2];
	return median > 0 ? (sorted[n * 3 / 4] - sorted[n / 4]) / 2 / median : 0;
}

static enum measure_verdict judge(const struct measure_case *c, double ratio, double spread)
{
	if (c->kind == MEASURE_SHOWN || fixed_count != 0)
		return VERDICT_SHOWN;
	const bool is_met = c->kind == MEASURE_AT_MOST ? ratio <= c->goal : ratio >= c->goal;
	/* The median of n rounds is surer than one round; a quarter of the spread is cautious. */
	const double doubt = ratio * spread / 2;
	if (spread > 0.25 && fabs(ratio - c->goal) < 2 * doubt)
		return VERDICT_TOO_NOISY;
	if (doubt > 0 && fabs(ratio - c->goal) < doubt / 2)
		return VERDICT_TOO_NOISY;
	return is_met ? VERDICT_MET : VERDICT_MISSED;
}

void measure_run(const struct measure_case *c, unsigned rounds, struct measure_result *out)
{
	double subjects[MEASURE_ROUNDS_MAX] = {0};
	double references[MEASURE_ROUNDS_MAX] = {0};
	double sorted[MEASURE_ROUNDS_MAX] = {0};
	if (fixed_count != 0)
		rounds = 1;
	*out = (struct measure_result){.c = c, .rounds = rounds, .verdict = VERDICT_FAILED};
	for (unsigned i = 0; i < rounds; i++) {
		if (i % 2 == 0)
			references[i] = c->measure_reference(c->ctx);
		subjects[i] = c->measure_subject(c->ctx);
		if (i % 2 == 1)
			references[i] = c->measure_reference(c->ctx);
		if (!(subjects[i] >= 0) || !(references[i] > 0)) {
			out->why = subjects[i] >= 0 ? "the reference could not be measured"
						    : "the subject could not be measured";
			return;
		}
		out->ratios[i] = subjects[i] / references[i];
		sorted[i] = out->ratios[i];
	}
	out->ratio = measure_median(sorted, rounds);
	out->spread = sorted_spread(sorted, rounds);
	out->value = measure_median(subjects, rounds);
	out->reference_value = measure_median(references, rounds);
	out->verdict = judge(c, out->ratio, out->spread);
	if (out->verdict == VERDICT_TOO_NOISY)
		out->why = "the goal lies within the spread of the rounds";
}

const char *measure_verdict_name(enum measure_verdict verdict)
{
	switch (verdict) {
	case VERDICT_MET:
		return "met";
	case VERDICT_MISSED:
		return "missed";
	case VERDICT_TOO_NOISY:
		return "too noisy";
	case VERDICT_SHOWN:
		return "-";
	case VERDICT_ABSENT:
		return "absent";
	case VERDICT_FAILED:
		return "failed";
	}
	return "?";
}

bool measure_pin(unsigned processor)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(processor % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &set);
	return sched_setaffinity(0, sizeof set, &set) == 0;
}

bool measure_unpin(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &set);
	return sched_setaffinity(0, sizeof set, &set) == 0;
}

/* ---- the machine --------------------------------------------------------------------------- */

#define LINE_TRIPS  2000u
#define LINE_STRIDE 16u	      /* trips between two looks at the clock */
#define LINE_NS_MAX 20000000u /* where two processors take turns on one, a trip takes for ever */
#define LINE_OVER   UINT32_MAX

static void *line_echo(void *arg)
{
	uint32_t *line = arg;
	measure_pin(1);
	uint32_t seen = 0;
	for (uint32_t i = 1; i <= LINE_TRIPS; i++) {
		while ((seen = __atomic_load_n(line, __ATOMIC_ACQUIRE)) != 2 * i - 1) {
			if (seen == LINE_OVER)
				return NULL;
			spin_pause();
		}
		__atomic_store_n(line, 2 * i, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Mean round trip of one cache line between two processors, in ns. */
static double line_round_trip(void)
{
	static uint32_t line __attribute__((aligned(64)));
	pthread_t thread;
	__atomic_store_n(&line, 0, __ATOMIC_RELEASE);
	if (pthread_create(&thread, NULL, line_echo, &line) != 0)
		return 0;
	const uint64_t start = measure_now_ns();
	uint32_t trips = 0;
	do {
		trips++;
		__atomic_store_n(&line, 2 * trips - 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&line, __ATOMIC_ACQUIRE) != 2 * trips)
			spin_pause();
	} while (trips < LINE_TRIPS &&
		 (trips % LINE_STRIDE != 0 || measure_now_ns() - start < LINE_NS_MAX));
	const double mean = (double)(measure_now_ns() - start) / trips;
	__atomic_store_n(&line, LINE_OVER, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	return mean;
}

static double fixed_computation(void)
{
	const uint64_t start = measure_now_ns();
	uint64_t x = 88172645463325252u;
	for (unsigned i = 0; i < 2000000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	__asm__ volatile("" : : "r"(x));
	return (double)(measure_now_ns() - start);
}

static void processor_name_get(char *name, size_t size)
{
	snprintf(name, size, "unknown");
	FILE *file = fopen("/proc/cpuinfo", "r");
	if (file == NULL)
		return;
	char line[256];
	while (fgets(line, sizeof line, file) != NULL) {
		const char *colon = strchr(line, ':');
		if (strncmp(line, "model name", 10) != 0 || colon == NULL)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(name, size, "%s", colon + 2);
		break;
	}
	fclose(file);
}

void measure_machine_get(struct measure_machine *out)
{
	struct utsname system;
	memset(out, 0, sizeof *out);
	processor_name_get(out->processor, sizeof out->processor);
	out->processors = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (uname(&system) == 0)
		snprintf(out->kernel, sizeof out->kernel, "%.30s %.30s", system.sysname,
			system.release);
	if (fixed_count != 0) /* under such a tool a round trip takes for ever */
		return;
	double trips[15];
	double loops[15];
	for (unsigned i = 0; i < 15; i++) {
		trips[i] = out->processors > 1 ? line_round_trip() : 0;
		loops[i] = fixed_computation();
	}
	out->line_round_trip_ns[1] = measure_median(trips, 15);
	out->line_round_trip_ns[0] = trips[0];
	out->line_round_trip_ns[2] = trips[14];
	measure_median(loops, 15);
	out->loop_spread = sorted_spread(loops, 15);
}
