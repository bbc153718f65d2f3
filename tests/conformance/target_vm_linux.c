// SPDX-License-Identifier: Apache-2.0
/* A virtual machine as a process. See target_vm_linux.h. */
#include "tests/conformance/target_vm_linux.h"

#include "tests/conformance/run_linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_LINES_PRINTED 4u
#define LOG_LINE_BYTES	  512u

int vm_prepare(struct vm *vm)
{
	*vm = (struct vm){.fd = -1};
	if (run_folder_make(vm->folder) != 0)
		return -1;
	snprintf(vm->log, sizeof vm->log, "%s/log", vm->folder);
	return 0;
}

/* Never returns. What keeps the program from being run goes to `report`. */
static void become_host(const struct vm *vm, int output, int report, char *const arguments[])
{
	const int log = open(vm->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* A terminal's Ctrl-C is for hvconform alone. */
	(void)setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (log >= 0 && nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
		dup2(output, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0)
		execvp(arguments[0], arguments);
	const int error = errno;
	_exit(write(report, &error, sizeof error) == (ssize_t)sizeof error ? 127 : 126);
}

/* Does the child become the host? Waits until it has, or could not. */
static bool has_become(struct vm *vm, int report, const char *program)
{
	int error = 0;

	if (read(report, &error, sizeof error) != (ssize_t)sizeof error)
		return true;
	waitpid(vm->pid, NULL, 0);
	fprintf(stderr, "hvconform: %s cannot be run: %s; install it, or give another\n", program,
		strerror(error));
	return false;
}

int vm_start(struct vm *vm, char *const arguments[])
{
	int serial[2], report[2];

	fflush(NULL);
	vm->used = 0;
	vm->last[0] = '\0';
	if (pipe2(serial, O_CLOEXEC) != 0) {
		perror("hvconform: pipe");
		return -1;
	}
	if (pipe2(report, O_CLOEXEC) != 0) {
		perror("hvconform: pipe");
		close(serial[0]);
		close(serial[1]);
		return -1;
	}
	vm->pid = fork();
	if (vm->pid == 0)
		become_host(vm, serial[1], report[1], arguments);
	if (vm->pid < 0)
		perror("hvconform: fork");
	close(serial[1]);
	close(report[1]);
	const bool is_there = vm->pid > 0 && has_become(vm, report[0], arguments[0]);
	close(report[0]);
	if (!is_there) {
		vm->pid = 0;
		close(serial[0]);
		return -1;
	}
	vm->fd = serial[0];
	return 0;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* The first line of the buffer, if there is one, or if it must be one by now. */
static bool line_take(struct vm *vm, bool is_over, char line[VM_LINE_BYTES])
{
	const char *end = memchr(vm->buffer, '\n', vm->used);
	size_t length = end != NULL ? (size_t)(end - vm->buffer) : vm->used;

	if (end == NULL && vm->used < sizeof vm->buffer && !(is_over && vm->used > 0))
		return false;
	const size_t taken = end != NULL ? length + 1 : length;
	if (length >= VM_LINE_BYTES)
		length = VM_LINE_BYTES - 1;
	memcpy(line, vm->buffer, length);
	memmove(vm->buffer, vm->buffer + taken, vm->used - taken);
	vm->used -= taken;
	if (length > 0 && line[length - 1] == '\r')
		length--;
	line[length] = '\0';
	for (char *at = line; *at; at++)
		if ((unsigned char)*at < 0x20 || (unsigned char)*at > 0x7e)
			*at = '?';
	return true;
}

enum vm_event vm_line(struct vm *vm, unsigned limit_ms, char line[VM_LINE_BYTES])
{
	const double deadline = run_now_ms() + limit_ms;

	while (!line_take(vm, false, line)) {
		const double left = deadline - run_now_ms();
		struct pollfd wait = {.fd = vm->fd, .events = POLLIN};
		if (run_is_stopped())
			return VM_STOPPED;
		const int found = poll(&wait, 1, left > 0 ? (int)left + 1 : 0);
		if (found == 0)
			return VM_SILENT;
		if (found < 0)
			continue; /* a signal */
		const ssize_t got = read(
			vm->fd, vm->buffer + vm->used, sizeof vm->buffer - vm->used);
		if (got > 0)
			vm->used += (size_t)got;
		else if (got == 0 || errno != EINTR)
			return line_take(vm, true, line) ? VM_LINE : VM_OVER;
	}
	return VM_LINE;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Of its log the last line that warns, or the last; the guest's if that is empty. */
static void last_words(const struct vm *vm, char *line, size_t bytes)
{
	char at[LOG_LINE_BYTES];
	bool has_warned = false;
	FILE *log = fopen(vm->log, "re");

	snprintf(line, bytes, "%.*s", (int)bytes - 1, vm->last);
	if (log == NULL)
		return;
	while (fgets(at, sizeof at, log) != NULL) {
		const bool warns = strstr(at, "warning: ") != NULL || strstr(at, "error: ") != NULL;
		at[strcspn(at, "\r\n")] = '\0';
		if (at[0] != '\0' && (warns || !has_warned))
			snprintf(line, bytes, "%.*s", (int)bytes - 1, at);
		has_warned = has_warned || warns;
	}
	fclose(log);
}

void vm_log_print(const struct vm *vm)
{
	char line[LOG_LINE_BYTES], plain[LOG_LINE_BYTES];
	FILE *log = fopen(vm->log, "re");

	if (log == NULL)
		return;
	for (unsigned i = 0; i < LOG_LINES_PRINTED && fgets(line, sizeof line, log) != NULL; i++) {
		line[strcspn(line, "\r\n")] = '\0';
		run_text_put(plain, sizeof plain, line);
		fprintf(stderr, "  | %s\n", plain);
	}
	fclose(log);
}

struct vm_descriptors vm_descriptors(const struct vm *vm)
{
	static const char eventfd[] = "anon_inode:[eventfd]";
	char path[64], kind[sizeof eventfd + 1];
	struct vm_descriptors found = {0};
	struct dirent *entry;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)vm->pid);
	DIR *folder = opendir(path);
	if (folder == NULL)
		return found;
	while ((entry = readdir(folder)) != NULL) {
		const ssize_t bytes = readlinkat(dirfd(folder), entry->d_name, kind, sizeof kind);
		if (bytes < 0) /* the folder itself, or closed by now */
			continue;
		const bool is_eventfd = bytes == (ssize_t)sizeof eventfd - 1 &&
					memcmp(kind, eventfd, sizeof eventfd - 1) == 0;
		found.eventfds += is_eventfd;
		found.others += !is_eventfd;
	}
	closedir(folder);
	return found;
}

static bool ends_within(const struct vm *vm, unsigned limit_ms)
{
	siginfo_t info = {0};
	const int fd = (int)syscall(SYS_pidfd_open, vm->pid, 0);

	if (fd >= 0) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		(void)poll(&wait, 1, (int)limit_ms);
		close(fd);
	}
	return waitid(P_PID, (id_t)vm->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid != 0;
}

void vm_end(struct vm *vm, unsigned limit_ms, char *how, size_t bytes)
{
	char words[160];
	int status = 0;
	const bool has_ended = ends_within(vm, limit_ms);

	if (!has_ended)
		kill(vm->pid, SIGKILL);
	/* And what it has started: it may be a script. Not reaped yet, its group is its own. */
	kill(-vm->pid, SIGKILL);
	while (waitpid(vm->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	close(vm->fd);
	vm->fd = -1;
	vm->pid = 0;
	last_words(vm, words, sizeof words);
	if (!has_ended)
		snprintf(how, bytes, "it was silent, or had no report; its last line: %s", words);
	else if (WIFSIGNALED(status))
		snprintf(how, bytes, "the host died of signal %d (%s); its last line: %s",
			WTERMSIG(status), strsignal(WTERMSIG(status)), words);
	else
		snprintf(how, bytes, "the machine ended with status %d; its last line: %s",
			WEXITSTATUS(status), words);
}

void vm_remove(struct vm *vm)
{
	char how[256];

	if (vm->pid != 0)
		vm_end(vm, 0, how, sizeof how);
	unlink(vm->log);
	rmdir(vm->folder);
}
