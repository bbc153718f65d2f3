// SPDX-License-Identifier: Apache-2.0
/* A worker in a child process: see stack_host.h. */
#include "tests/loopback/stack_host.h"

#include "host/vmwp/options.h"
#include "host/vmwp/worker.h"
#include "tests/temp_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS_WORDS_MAX 64

int stack_host_prepare(struct stack_host *host)
{
	memset(host, 0, sizeof *host);
	if (!temp_folder_make(host->folder, sizeof host->folder))
		return -1;
	snprintf(host->guest_socket, sizeof host->guest_socket, "%s/guest", host->folder);
	snprintf(host->control_socket, sizeof host->control_socket, "%s/control", host->folder);
	snprintf(host->image, sizeof host->image, "%s/image", host->folder);
	snprintf(host->log, sizeof host->log, "%s/log", host->folder);
	return 0;
}

static void worker_child(struct stack_host *host, const char *const *options)
{
	static struct options parsed;
	char *words[OPTIONS_WORDS_MAX] = {
		"run", "--guest", host->guest_socket, "--control", host->control_socket};
	int count = 5;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	const int log = open(host->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log >= 0)
		dup2(log, STDERR_FILENO);
	for (; *options != NULL && count < OPTIONS_WORDS_MAX; options++)
		words[count++] = strdup(*options);
	const int result = options_parse(count, words, &parsed);
	_exit(result != 0 ? 2 : worker_run(&parsed));
}

int stack_host_start(struct stack_host *host, const char *const *options)
{
	fflush(NULL);
	host->pid = fork();
	if (host->pid == 0)
		worker_child(host, options);
	if (host->pid < 0)
		return -1;
	/* The control socket is made last: once it answers, the worker is ready. */
	const struct timespec pause = {.tv_nsec = 1000000};
	for (unsigned i = 0; i < 20000; i++) {
		if (stack_host_control(host, "{\"command\":\"status\"}") != NULL)
			return 0;
		if (waitpid(host->pid, NULL, WNOHANG) == host->pid)
			break;
		nanosleep(&pause, NULL);
	}
	host->pid = 0;
	return -1;
}

static void folder_remove(const struct stack_host *host)
{
	DIR *folder = opendir(host->folder);
	if (folder == NULL)
		return;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
		unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	rmdir(host->folder);
}

static void log_show(const struct stack_host *host)
{
	char line[512];
	FILE *log = fopen(host->log, "r");
	if (log == NULL)
		return;
	while (fgets(line, sizeof line, log) != NULL)
		printf("    worker: %s", line);
	fclose(log);
}

int stack_host_stop(struct stack_host *host)
{
	int status = 0;
	if (host->pid > 0) {
		kill(host->pid, SIGTERM);
		waitpid(host->pid, &status, 0);
		status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	}
	if (status != 0)
		log_show(host);
	folder_remove(host);
	return status;
}

void stack_host_kill(struct stack_host *host)
{
	kill(host->pid, SIGKILL);
	waitpid(host->pid, NULL, 0);
	host->pid = 0;
}

unsigned stack_host_descriptors(const struct stack_host *host)
{
	char path[64];
	unsigned count = 0;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)host->pid);
	DIR *folder = opendir(path);
	if (folder == NULL)
		return 0;
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

unsigned long stack_host_private_kib(const struct stack_host *host)
{
	char path[64];
	char line[256];
	unsigned long total = 0;
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)host->pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof line, file) != NULL) {
		unsigned long kib;
		if (sscanf(line, "Private_Dirty: %lu", &kib) == 1 ||
			sscanf(line, "Private_Clean: %lu", &kib) == 1)
			total += kib;
	}
	fclose(file);
	return total;
}

const char *stack_host_control(const struct stack_host *host, const char *line)
{
	static char answer[262144];
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	const struct timeval limit = {.tv_sec = 20};
	size_t bytes = 0;
	snprintf(name.sun_path, sizeof name.sun_path, "%s", host->control_socket);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd, (const struct sockaddr *)&name, sizeof name) != 0 ||
		send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 ||
		send(fd, "\n", 1, MSG_NOSIGNAL) != 1) {
		close(fd);
		return NULL;
	}
	while (bytes < sizeof answer - 1) {
		const ssize_t got = read(fd, answer + bytes, sizeof answer - 1 - bytes);
		if (got <= 0)
			break;
		bytes += (size_t)got;
		if (answer[bytes - 1] == '\n')
			break;
	}
	close(fd);
	answer[bytes] = '\0';
	return bytes > 0 ? answer : NULL;
}
