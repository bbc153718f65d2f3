// SPDX-License-Identifier: Apache-2.0
/* A test in a process of its own. See run_process_linux.h. */
#include "tests/conformance/run_process_linux.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a test's process writes when it ends by itself. */
struct report {
	enum conform_verdict verdict;
	char evidence[CONFORM_EVIDENCE_BYTES];
};

static void test_child(run_process_fn *fn, void *ctx, const struct conform_test *test, int fd)
{
	static struct conform_target target;
	struct report report = {0};
	const struct rlimit none = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
	report.verdict = fn(ctx, test, &target);
	memcpy(report.evidence, target.evidence, sizeof report.evidence);
	_exit(write(fd, &report, sizeof report) == (ssize_t)sizeof report ? 0 : 1);
}

/* Is there something to read within the time? A signal that stops the run is no reason to leave. */
static bool has_report(int fd, unsigned limit_ms)
{
	const double deadline = run_now_ms() + limit_ms;

	for (;;) {
		const double left = deadline - run_now_ms();
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		const int found = poll(&wait, 1, left > 0 ? (int)left + 1 : 0);
		if (found > 0)
			return true;
		if (found == 0 || errno != EINTR)
			return false;
	}
}

/* Wait for the report of the child, or its end, or the deadline. 1: there is no report. */
static int collect(pid_t pid, int fd, unsigned limit_ms, struct run_result *result)
{
	struct report report;
	int status;

	if (!has_report(fd, limit_ms)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		result->outcome = RUN_FAILED;
		snprintf(result->evidence, sizeof result->evidence,
			"the test did not end within %u s", limit_ms / 1000);
		return 1;
	}
	const ssize_t got = read(fd, &report, sizeof report);
	waitpid(pid, &status, 0);
	if (got == (ssize_t)sizeof report) {
		static const enum run_outcome outcomes[] = {RUN_PASSED, RUN_FAILED, RUN_SKIPPED};
		result->outcome = outcomes[report.verdict];
		memcpy(result->evidence, report.evidence, sizeof result->evidence);
		return 0;
	}
	result->outcome = RUN_FAILED;
	snprintf(result->evidence, sizeof result->evidence, "the test itself ended: %s",
		WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it left without a verdict");
	return 1;
}

int run_process(unsigned limit_ms, run_process_fn *fn, void *ctx, struct run_result *result)
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
		test_child(fn, ctx, result->test, fds[1]);
	}
	close(fds[1]);
	int outcome = -1;
	if (pid < 0)
		perror("hvconform: fork");
	else
		outcome = collect(pid, fds[0], limit_ms, result);
	close(fds[0]);
	return outcome;
}
