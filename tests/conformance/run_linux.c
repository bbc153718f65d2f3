// SPDX-License-Identifier: Apache-2.0
/* Running tests, one process for each. See run_linux.h. */
#include "tests/conformance/run_linux.h"

#include "tests/conformance/target_loopback_linux.h"

#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEST_LIMIT_MS 20000

/* What a test's process writes when it ends by itself. */
struct report {
	enum conform_verdict verdict;
	char evidence[CONFORM_EVIDENCE_BYTES];
};

const char *run_outcome_name(enum run_outcome outcome)
{
	static const char *const names[] = {"passed", "failed", "skipped", "died"};
	return names[outcome];
}

static double now_ms(void)
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
		if (fnmatch(config->patterns[i], test->rule, 0) == 0)
			return true;
	return false;
}

size_t run_selected(const struct run_config *config)
{
	size_t count = 0;

	for (size_t a = 0; a < config->area_count; a++)
		for (size_t i = 0; i < *config->areas[a].count; i++)
			count += is_selected(config, &config->areas[a].tests[i]);
	return count;
}

static void test_child(const struct loopback_host *host, const struct conform_test *test, int fd)
{
	static struct conform_target target;
	struct report report = {0};
	const struct rlimit none = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
	report.verdict = loopback_guest_run(host, test, &target);
	memcpy(report.evidence, target.evidence, sizeof report.evidence);
	_exit(write(fd, &report, sizeof report) == (ssize_t)sizeof report ? 0 : 1);
}

/* Wait for the report of the child, or its end, or the deadline. */
static void collect(pid_t pid, int fd, struct run_result *result)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct report report;
	int status;

	if (poll(&wait, 1, TEST_LIMIT_MS) == 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		result->outcome = RUN_FAILED;
		snprintf(result->evidence, sizeof result->evidence,
			"the test did not end within %d s", TEST_LIMIT_MS / 1000);
		return;
	}
	const ssize_t got = read(fd, &report, sizeof report);
	waitpid(pid, &status, 0);
	if (got == (ssize_t)sizeof report) {
		static const enum run_outcome outcomes[] = {RUN_PASSED, RUN_FAILED, RUN_SKIPPED};
		result->outcome = outcomes[report.verdict];
		memcpy(result->evidence, report.evidence, sizeof result->evidence);
		return;
	}
	result->outcome = RUN_FAILED;
	snprintf(result->evidence, sizeof result->evidence, "the test itself ended: %s",
		WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it left without a verdict");
}

static int run_one(struct loopback_host *host, struct run_result *result)
{
	int fds[2];

	fflush(NULL);
	if (pipe(fds) != 0) {
		perror("hvconform: pipe");
		return -1;
	}
	const pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		test_child(host, result->test, fds[1]);
	}
	close(fds[1]);
	if (pid < 0)
		perror("hvconform: fork");
	else
		collect(pid, fds[0], result);
	close(fds[0]);
	return pid < 0 ? -1 : 0;
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

static int run_all(
	const struct run_config *config, struct loopback_host *host, struct run *run, size_t total)
{
	for (size_t a = 0; a < config->area_count; a++) {
		const struct conform_area *area = &config->areas[a];
		for (size_t i = 0; i < *area->count; i++) {
			if (!is_selected(config, &area->tests[i]))
				continue;
			struct run_result *result = &run->results[run->count];
			*result = (struct run_result){.area = area->name, .test = &area->tests[i]};
			if (config->on_begin != NULL)
				config->on_begin(run, total, result->test);
			if (host->pid == 0) {
				if (loopback_host_start(host) != 0)
					return -1;
				run->hosts++;
			}
			const double began = now_ms();
			if (run_one(host, result) != 0)
				return -1;
			charge(host, result);
			result->ms = now_ms() - began;
			run->totals[result->outcome]++;
			run->count++;
			if (config->on_result != NULL)
				config->on_result(run, total);
		}
	}
	return 0;
}

int run_loopback(const struct run_config *config, struct run *run)
{
	const size_t total = run_selected(config);
	const double began = now_ms();
	struct loopback_host host;

	*run = (struct run){.target = "loopback", .host = loopback_host_options};
	run->results = calloc(total + 1, sizeof *run->results);
	if (run->results == NULL) {
		perror("hvconform");
		return -1;
	}
	if (loopback_host_prepare(&host, config->vmwp) != 0)
		return -1;
	const int result = run_all(config, &host, run, total);
	loopback_host_remove(&host);
	run->seconds = (now_ms() - began) / 1e3;
	return result;
}

void run_free(struct run *run)
{
	free(run->results);
	run->results = NULL;
}
