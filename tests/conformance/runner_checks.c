// SPDX-License-Identifier: Apache-2.0
/*
 * Tests that misbehave, so that the runner can be judged (run --self-check): a host that
 * is killed, a test that crashes or leaves, and ones that pass, fail and skip. The host is
 * found as the one child of the runner that is not this process.
 */
#include "tests/conformance/runner_checks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum conform_verdict passes(struct conform_target *t)
{
	(void)t;
	return CONFORM_PASS;
}

static enum conform_verdict fails(struct conform_target *t)
{
	return conform_fail(t, "as it should: <&\"'>");
}

static enum conform_verdict skips(struct conform_target *t)
{
	return conform_skip(t, "nothing is promised");
}

/* The worker: the other child of our parent. 0: not found. */
static pid_t host_pid(void)
{
	char path[64];
	int pid = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)getppid(), (int)getppid());
	FILE *children = fopen(path, "re");
	if (children == NULL)
		return 0;
	while (fscanf(children, "%d", &pid) == 1 && pid == getpid())
		pid = 0;
	fclose(children);
	return pid;
}

static enum conform_verdict kills(struct conform_target *t)
{
	const pid_t pid = host_pid();

	NEED(pid > 0, "the host's process was not found");
	kill(pid, SIGKILL);
	return CONFORM_PASS;
}

static enum conform_verdict stops(struct conform_target *t)
{
	const pid_t pid = host_pid();

	NEED(pid > 0, "the host's process was not found");
	kill(pid, SIGSTOP);
	return CONFORM_PASS;
}

/* A host that is too late with one answer, and well again before it is looked at. */
static enum conform_verdict unanswered(struct conform_target *t)
{
	const pid_t pid = host_pid();
	uint64_t value;

	NEED(pid > 0, "the host's process was not found");
	kill(pid, SIGSTOP);
	const bool is_read = conform_read(t, 0, HV_X64_MSR_VP_INDEX, &value);
	kill(pid, SIGCONT);
	EXPECT(!is_read, "a host that is stopped has answered");
	return CONFORM_PASS;
}

static enum conform_verdict crashes(struct conform_target *t)
{
	(void)t;
	abort();
}

static enum conform_verdict leaves(struct conform_target *t)
{
	(void)t;
	_exit(0);
}

static const struct conform_test checks[] = {
	{"SELF-PASS", "a test that passes", passes, CONFORM_BUS, 0, 0},
	{"SELF-FAIL", "a test that fails", fails, 0, 0, 0},
	{"SELF-SKIP", "a test that skips", skips, 0, 0, 0},
	{"SELF-DEATH", "the host is killed", kills, CONFORM_BUS, 0, 0},
	{"SELF-AFTER-DEATH", "the next test has a new host", passes, CONFORM_BUS, 0, 0},
	{"SELF-HANG", "the host is stopped", stops, 0, 0, 0},
	{"SELF-AFTER-HANG", "the next test has a new host", passes, CONFORM_BUS, 0, 0},
	{"SELF-UNANSWERED", "a register that is not answered has not faulted", unanswered, 0, 0, 0},
	{"SELF-CRASH", "the test crashes", crashes, 0, 0, 0},
	{"SELF-LEAVE", "the test leaves without a verdict", leaves, 0, 0, 0},
	{"SELF-END", "the last test has the same host", passes, CONFORM_BUS, 0, 0},
};
static const size_t check_count = sizeof checks / sizeof checks[0];

const struct conform_area runner_checks = {"runner", checks, &check_count};
