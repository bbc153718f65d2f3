// SPDX-License-Identifier: Apache-2.0
/* Which tests a run has, and what came of them. See run_linux.h. */
#include "tests/conformance/run_linux.h"

#include "tests/conformance/conform_list.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void run_text_put(char *to, size_t bytes, const char *from)
{
	size_t i = 0;

	for (; i + 1 < bytes && from[i] != '\0'; i++)
		to[i] = from[i] >= 0x20 && from[i] <= 0x7e ? from[i] : from[i] == '\n' ? ' ' : '?';
	to[i] = '\0';
}

const char *run_outcome_name(enum run_outcome outcome)
{
	static const char *const names[] = {"passed", "failed", "skipped", "died"};
	return names[outcome];
}

double run_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static bool is_selected(const struct run_config *config, const struct conform_test *test)
{
	if (config->pattern_count == 0)
		return true;
	for (size_t i = 0; i < config->pattern_count; i++)
		if (conform_matches(config->patterns[i], test->rule))
			return true;
	return false;
}

int run_begin(const struct run_config *config, struct run *run)
{
	size_t tests = 0;

	*run = (struct run){.target = config->target};
	for (size_t a = 0; a < config->area_count; a++)
		for (size_t i = 0; i < *config->areas[a].count; i++, tests++)
			run->total += is_selected(config, &config->areas[a].tests[i]);
	run->results = calloc(tests + 1, sizeof *run->results);
	if (run->results != NULL)
		return 0;
	perror("hvconform");
	return -1;
}

static struct run_result *find(const struct run *run, const struct conform_test *test)
{
	for (size_t i = 0; i < run->count; i++)
		if (run->results[i].test == test)
			return &run->results[i];
	return NULL;
}

void run_end(const struct run_config *config, struct run *run)
{
	struct run_result *sorted = calloc(run->total + 1, sizeof *sorted);
	size_t count = 0;

	if (sorted == NULL)
		return;
	for (size_t a = 0; a < config->area_count; a++)
		for (size_t i = 0; i < *config->areas[a].count; i++) {
			const struct run_result *result = find(run, &config->areas[a].tests[i]);
			if (result != NULL)
				sorted[count++] = *result;
		}
	free(run->results);
	run->results = sorted;
	run->count = count;
}

void run_free(struct run *run)
{
	free(run->results);
	run->results = NULL;
}

bool run_wants(
	const struct run_config *config, const struct run *run, const struct conform_test *test)
{
	return is_selected(config, test) && find(run, test) == NULL;
}

void run_begins(
	const struct run_config *config, const struct run *run, const struct conform_test *test)
{
	if (config->on_begin != NULL)
		config->on_begin(run, test);
}

static bool result_put(struct run *run, const struct run_result *result)
{
	if (run->count == run->total || find(run, result->test) != NULL)
		return false;
	struct run_result *added = &run->results[run->count++];
	*added = *result;
	run_text_put(added->evidence, sizeof added->evidence, result->evidence);
	run->totals[result->outcome]++;
	return true;
}

void run_restore(const struct run_config *config, struct run *run, const struct run_result *result)
{
	if (!is_selected(config, result->test) && find(run, result->test) == NULL)
		run->total++;
	(void)result_put(run, result);
}

void run_amend(struct run *run, const struct conform_test *test, enum run_outcome outcome,
	const char *evidence)
{
	struct run_result *result = find(run, test);

	if (result == NULL)
		return;
	run->totals[result->outcome]--;
	run->totals[outcome]++;
	result->outcome = outcome;
	run_text_put(result->evidence, sizeof result->evidence, evidence);
}

void run_add(const struct run_config *config, struct run *run, const struct run_result *result)
{
	if (result_put(run, result) && config->on_result != NULL)
		config->on_result(run);
}

int run_folder_make(char folder[RUN_FOLDER_BYTES])
{
	const char *base = getenv("TMPDIR");

	if (base == NULL || base[0] == '\0')
		base = "/tmp";
	if (snprintf(folder, RUN_FOLDER_BYTES, "%s/hvconform.XXXXXX", base) >=
		(int)RUN_FOLDER_BYTES) {
		fprintf(stderr, "hvconform: %s: set TMPDIR to a folder with a shorter name\n",
			base);
		return -1;
	}
	if (mkdtemp(folder) != NULL)
		return 0;
	fprintf(stderr, "hvconform: %s: %s; set TMPDIR to a folder to write in\n", folder,
		strerror(errno));
	return -1;
}

/* ---- stopping -------------------------------------------------------------------------------- */

static volatile sig_atomic_t is_stopped;

static void stop(int number)
{
	(void)number;
	is_stopped = 1;
}

void run_stop_by_signals(void)
{
	/* No SA_RESTART: a target that waits looks at once. */
	const struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* The terminal is gone; nohup asks that nothing comes of it. */
	struct sigaction hangup;
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
}

bool run_is_stopped(void)
{
	return is_stopped != 0;
}
