// SPDX-License-Identifier: Apache-2.0
/* A virtual machine as a child, and its console: see bench_vm.h. */
#include "tests/performance/bench_vm.h"

#include "tests/performance/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define END_PATIENCE_MS 10000u /* for a machine that powers itself off */
#define POLL_MS		1000
#define LINES_MAX	20000u /* of a guest that talks of other things */

/* In the child: `gate` says when to begin, so that the parent can look at the pid first. */
static void become(const struct vm_command *command, const int ends[3], int log)
{
	char go;
	dup2(ends[0], STDIN_FILENO);
	dup2(ends[1], STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	if (read(ends[2], &go, 1) == 1)
		execv(command->arguments[0], (char *const *)command->arguments);
	fprintf(stderr, "%s: %s\n", command->arguments[0], strerror(errno));
	_exit(127);
}

static void close_both(int ends[2])
{
	for (unsigned i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

int vm_machine_start(struct vm_machine *machine, const struct vm_command *command, const char *log)
{
	int to[2] = {-1, -1};
	int from[2] = {-1, -1};
	int gate[2] = {-1, -1};
	const int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	*machine = (struct vm_machine){.pid = -1, .traces = {{-1, -1, -1}}};
	snprintf(machine->log, sizeof machine->log, "%s", log);
	if (log_fd >= 0 && pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0 &&
		pipe2(gate, O_CLOEXEC) == 0)
		machine->pid = process_fork(PROCESS_ANYWHERE);
	if (machine->pid == 0)
		become(command, (const int[3]){to[0], from[1], gate[0]}, log_fd);
	if (machine->pid > 0) {
		vm_traces_open(&machine->traces, machine->pid);
		machine->to = to[1];
		machine->from = from[0];
		to[1] = from[0] = -1;
		machine->exec_ns = measure_now_ns();
		if (write(gate[1], "", 1) != 1)
			fprintf(stderr, "hvbench: %s\n", strerror(errno));
	} else {
		fprintf(stderr, "hvbench: starting %s: %s\n", command->arguments[0],
			strerror(errno));
	}
	close_both(to);
	close_both(from);
	close_both(gate);
	if (log_fd >= 0)
		close(log_fd);
	return machine->pid > 0 ? 0 : -1;
}

/* A whole line, or as much of one as fits, into `line`. */
static bool line_take(struct vm_machine *machine)
{
	const char *newline = memchr(machine->waiting, '\n', machine->waiting_bytes);
	size_t bytes = machine->waiting_bytes;
	if (newline == NULL && bytes < sizeof machine->waiting - 1)
		return false;
	if (newline != NULL)
		bytes = (size_t)(newline - machine->waiting) + 1;
	memcpy(machine->line, machine->waiting, bytes);
	machine->line[bytes] = '\0';
	machine->line[strcspn(machine->line, "\r\n")] = '\0';
	machine->waiting_bytes -= bytes;
	memmove(machine->waiting, machine->waiting + bytes, machine->waiting_bytes);
	machine->line_ns = machine->waiting_ns;
	return true;
}

/*
 * What has come. False: its end, or *polls_left times silence. Not by the clock: that of an
 * emulated machine may jump.
 */
static bool more_take(struct vm_machine *machine, unsigned *polls_left)
{
	struct pollfd wanted = {.fd = machine->from, .events = POLLIN};
	const int ready = poll(&wanted, 1, POLL_MS);
	if (ready < 0 && errno != EINTR)
		return false;
	if (ready <= 0)
		return --*polls_left > 0;
	machine->waiting_ns = measure_now_ns();
	const ssize_t got = read(machine->from, machine->waiting + machine->waiting_bytes,
		sizeof machine->waiting - 1 - machine->waiting_bytes);
	if (got > 0)
		machine->waiting_bytes += (size_t)got;
	return got > 0 || (got < 0 && errno == EINTR);
}

bool vm_machine_await(struct vm_machine *machine, const char *text)
{
	unsigned polls_left = VM_PATIENCE_MS / POLL_MS;
	for (unsigned lines = 0; lines < LINES_MAX;) {
		for (; line_take(machine); lines++) {
			if (strstr(machine->line, text) != NULL)
				return true;
			if (strstr(machine->line, "@failed") != NULL) {
				fprintf(stderr, "hvbench: the guest: %s\n", machine->line);
				return false;
			}
		}
		if (!more_take(machine, &polls_left))
			break;
	}
	fprintf(stderr, "hvbench: waiting for \"%s\": %s; the last line was: %s\n", text,
		polls_left == 0 ? "the guest is silent" : "the machine ended", machine->line);
	process_complain("its log", machine->log);
	return false;
}

bool vm_machine_tell(struct vm_machine *machine, const char *text)
{
	const ssize_t bytes = (ssize_t)strlen(text);
	/* A pipe takes so little at once, or its reader has gone. */
	return write(machine->to, text, (size_t)bytes) == bytes;
}

void vm_machine_stop(struct vm_machine *machine)
{
	unsigned polls_left = END_PATIENCE_MS / POLL_MS;
	if (machine->pid <= 0)
		return;
	do
		machine->waiting_bytes = 0;
	while (more_take(machine, &polls_left));
	process_stop(machine->pid, END_PATIENCE_MS);
	vm_traces_close(&machine->traces);
	close(machine->to);
	close(machine->from);
	machine->pid = -1;
}
