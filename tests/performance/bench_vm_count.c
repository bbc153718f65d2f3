// SPDX-License-Identifier: Apache-2.0
/* What can be counted about a virtual machine from outside: see bench_vm.h. */
#include "tests/performance/bench_vm.h"

#include <errno.h>
#include <jansson.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX (1u << 20)
#define ANSWER_SECONDS	 20

/* ---- tracepoints --------------------------------------------------------------------------- */

/* The number of a tracepoint; 0 if it cannot be read. */
static uint64_t trace_id(enum vm_trace which)
{
	static const char *const names[VM_TRACE_COUNT] = {
		[VM_TRACE_USER_EXITS] = "kvm_userspace_exit",
		[VM_TRACE_EXITS] = "kvm_exit",
		[VM_TRACE_INTERRUPTS] = "kvm_inj_virq",
	};
	static const char *const folders[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	char path[128];
	unsigned long long id = 0;
	for (size_t i = 0; i < sizeof folders / sizeof *folders && id == 0; i++) {
		snprintf(path, sizeof path, "%s/events/kvm/%s/id", folders[i], names[which]);
		FILE *file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fscanf(file, "%llu", &id) != 1)
			id = 0;
		fclose(file);
	}
	return id;
}

static int trace_open(enum vm_trace which, pid_t pid, bool is_from_exec)
{
	const uint64_t id = trace_id(which);
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof attributes,
		.config = id,
		.disabled = is_from_exec,
		.enable_on_exec = is_from_exec,
		.inherit = 1,
	};
	if (id == 0)
		return -1;
	return (int)syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

bool vm_traces_are_there(void)
{
	const int fd = trace_open(VM_TRACE_USER_EXITS, 0, false);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

void vm_traces_open(struct vm_traces *traces, pid_t pid)
{
	for (unsigned i = 0; i < VM_TRACE_COUNT; i++)
		traces->fds[i] = trace_open(i, pid, true);
}

void vm_traces_close(struct vm_traces *traces)
{
	for (unsigned i = 0; i < VM_TRACE_COUNT; i++) {
		if (traces->fds[i] >= 0)
			close(traces->fds[i]);
		traces->fds[i] = -1;
	}
}

double vm_traces_get(const struct vm_traces *traces, enum vm_trace which)
{
	uint64_t count;
	if (traces->fds[which] < 0 ||
		read(traces->fds[which], &count, sizeof count) != sizeof count)
		return VM_ABSENT;
	return (double)count;
}

/* ---- the worker's own statistics ----------------------------------------------------------- */

static int worker_connect(const char *path)
{
	const struct timeval patience = {.tv_sec = ANSWER_SECONDS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One line of JSON; NULL if none came. */
static json_t *worker_ask(int fd, const char *request)
{
	char *text = malloc(ANSWER_BYTES_MAX);
	size_t used = 0;
	if (text == NULL || send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
		free(text);
		return NULL;
	}
	while (used < ANSWER_BYTES_MAX) {
		const ssize_t got = read(fd, text + used, ANSWER_BYTES_MAX - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
		if (text[used - 1] == '\n')
			break;
	}
	json_t *answer = json_loadb(text, used, 0, NULL);
	free(text);
	return answer;
}

static double number(const json_t *object, const char *name)
{
	return (double)json_integer_value(json_object_get(object, name));
}

static void statistics_take(const json_t *result, struct vm_statistics *out)
{
	const json_t *exits = json_object_get(result, "exits");
	const json_t *backend = json_object_get(result, "backend");
	*out = (struct vm_statistics){{
		[VM_STATISTIC_EXITS] = number(backend, "exits"),
		[VM_STATISTIC_HYPERCALLS] = number(exits, "hypercall"),
		[VM_STATISTIC_MSRS] = number(exits, "MSR read") + number(exits, "MSR write"),
		[VM_STATISTIC_PORTS] = number(exits, "port in") + number(exits, "port out"),
		[VM_STATISTIC_INTERRUPTS] = number(backend, "interrupts_fd") +
					    number(backend, "interrupts_ioctl"),
		[VM_STATISTIC_DOORBELLS] = number(backend, "doorbells"),
	}};
}

bool vm_statistics_get(const char *path, struct vm_statistics *out)
{
	const int fd = worker_connect(path);
	json_t *answer = fd >= 0 ? worker_ask(fd, "{\"command\": \"statistics\"}\n") : NULL;
	const json_t *result = json_object_get(answer, "result");
	const bool is_there = json_object_get(result, "backend") != NULL;
	if (is_there)
		statistics_take(result, out);
	else
		fprintf(stderr, "hvbench: %s: no statistics from vmwp\n", path);
	json_decref(answer);
	if (fd >= 0)
		close(fd);
	return is_there;
}

/* ---- memory -------------------------------------------------------------------------------- */

double vm_memory_beyond_ram(pid_t pid, uint64_t ram_bytes, const char *image)
{
	char path[64];
	char line[512];
	char name[256];
	unsigned long kib;
	unsigned long from;
	unsigned long to;
	double sum = 0;
	bool is_guest = false;
	snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return VM_ABSENT;
	while (fgets(line, sizeof line, file) != NULL) {
		name[0] = '\0';
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %255s", &from, &to, name) >= 2)
			is_guest = to - from >= ram_bytes || strcmp(name, image) == 0 ||
				   (strncmp(name, "/memfd:", 7) == 0 &&
					   strstr(name, "memory") != NULL);
		else if (!is_guest && sscanf(line, "Pss: %lu kB", &kib) == 1)
			sum += (double)kib;
	}
	fclose(file);
	return sum / 1024;
}
