// SPDX-License-Identifier: Apache-2.0
/* Children of the benchmarks: see process.h. */
#include "tests/performance/process.h"

#include "tests/performance/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REAP_PAUSE_NS	 2000000
#define OUTPUT_BYTES_MAX (4u << 20)

static int beside_find(const char *name, char *path, size_t bytes)
{
	char self[PATH_MAX];
	const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
	if (length <= 0)
		return -ENOENT;
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	const int written = snprintf(path, bytes, "%s/%s", self, name);
	return written > 0 && (size_t)written < bytes && access(path, X_OK) == 0 ? 0 : -ENOENT;
}

int process_find(const char *name, char *path, size_t bytes)
{
	if (beside_find(name, path, bytes) == 0)
		return 0;
	const char *folders = getenv("PATH");
	while (folders != NULL && *folders != '\0') {
		const size_t length = strcspn(folders, ":");
		const int written = snprintf(path, bytes, "%.*s/%s", (int)length, folders, name);
		if (length > 0 && written > 0 && (size_t)written < bytes && access(path, X_OK) == 0)
			return 0;
		folders += length + (folders[length] == ':');
	}
	path[0] = '\0';
	return -ENOENT;
}

pid_t process_fork(int processor)
{
	const pid_t parent = getpid();
	const pid_t child = fork();
	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	if (processor == PROCESS_ANYWHERE)
		measure_unpin();
	else
		measure_pin((unsigned)processor);
	return 0;
}

/* In the child. */
static void become(const char *const argv[], int output, int errors)
{
	const int empty = open("/dev/null", O_RDONLY);
	dup2(empty, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	execv(argv[0], (char *const *)argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int log_open(const char *log_path)
{
	const int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0)
		fprintf(stderr, "hvbench: %s: %s\n", log_path, strerror(errno));
	return log;
}

pid_t process_start(const char *const argv[], int processor, const char *log_path)
{
	const int log = log_open(log_path);
	if (log < 0)
		return -1;
	const pid_t child = process_fork(processor);
	if (child == 0)
		become(argv, log, log);
	if (child < 0)
		fprintf(stderr, "hvbench: starting %s: %s\n", argv[0], strerror(errno));
	close(log);
	return child;
}

bool process_has_ended(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) != 0;
}

bool process_stop(pid_t pid, unsigned patience_ms)
{
	const struct timespec pause = {.tv_nsec = REAP_PAUSE_NS};
	const uint64_t end = measure_now_ns() + patience_ms * 1000000ull;
	int status = 0;
	if (pid <= 0)
		return false;
	kill(pid, SIGTERM);
	for (;;) {
		const pid_t ended = waitpid(pid, &status, WNOHANG);
		if (ended != 0)
			return ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
		if (measure_now_ns() > end)
			break;
		nanosleep(&pause, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return false;
}

/* Everything from `fd` until its end; NULL if it is too much. */
static char *read_all(int fd)
{
	size_t used = 0;
	size_t room = 65536;
	char *text = malloc(room);
	while (text != NULL) {
		const ssize_t got = read(fd, text + used, room - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
		if (used + 1 < room)
			continue;
		room *= 2;
		char *larger = room <= OUTPUT_BYTES_MAX ? realloc(text, room) : NULL;
		if (larger == NULL)
			free(text);
		text = larger;
	}
	if (text != NULL)
		text[used] = '\0';
	return text;
}

char *process_output(const char *const argv[], int processor, const char *log_path)
{
	int ends[2];
	int status;
	const int log = log_open(log_path);
	if (log < 0)
		return NULL;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		close(log);
		return NULL;
	}
	const pid_t child = process_fork(processor);
	if (child == 0)
		become(argv, ends[1], log);
	close(log);
	close(ends[1]);
	char *text = child > 0 ? read_all(ends[0]) : NULL;
	close(ends[0]);
	if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
		WEXITSTATUS(status) == 0 && text != NULL)
		return text;
	process_complain(argv[0], log_path);
	free(text);
	return NULL;
}

void process_complain(const char *what, const char *log_path)
{
	char line[512];
	char last[512] = "it failed and said nothing";
	FILE *file = fopen(log_path, "r");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			memcpy(last, line, sizeof last);
	}
	if (file != NULL)
		fclose(file);
	fprintf(stderr, "hvbench: %s: %s\n", what, last);
}

/* ---- /proc --------------------------------------------------------------------------------- */

/* Sum of the numbers of the lines of /proc/PID/`name` that start with `key`. */
static double proc_sum(pid_t pid, const char *name, const char *key)
{
	char path[64];
	char line[256];
	double sum = -1;
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return -1;
	while (fgets(line, sizeof line, file) != NULL) {
		const char *colon = strchr(line, ':');
		if (strncmp(line, key, strlen(key)) == 0 && colon != NULL)
			sum = (sum < 0 ? 0 : sum) + strtod(colon + 1, NULL);
	}
	fclose(file);
	return sum;
}

double process_private_kib(pid_t pid)
{
	char path[64];
	char line[512];
	double sum = -1;
	bool is_private = false;
	snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return -1;
	while (fgets(line, sizeof line, file) != NULL) {
		char permissions[5];
		if (sscanf(line, "%*x-%*x %4s", permissions) == 1)
			is_private = permissions[3] == 'p';
		else if (is_private && strncmp(line, "Private_", 8) == 0)
			sum = (sum < 0 ? 0 : sum) + strtod(strchr(line, ':') + 1, NULL);
	}
	fclose(file);
	return sum;
}

double process_sleeps(pid_t pid)
{
	return proc_sum(pid, "status", "voluntary_ctxt_switches");
}

double process_cpu_ns(pid_t pid)
{
	clockid_t clock;
	struct timespec used;
	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
		return -1;
	return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}

/* Our living children, by the kernel's list of them; without that list, those of a benchmark
 * that needs it count as others. */
static double children_cpu_ns(void)
{
	char path[64];
	double sum = 0;
	int pid;
	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	FILE *file = fopen(path, "r");
	while (file != NULL && fscanf(file, "%d", &pid) == 1) {
		const double used = process_cpu_ns((pid_t)pid);
		sum += used > 0 ? used : 0;
	}
	if (file != NULL)
		fclose(file);
	return sum;
}

static double usage_ns(int who)
{
	struct rusage usage;
	if (getrusage(who, &usage) != 0)
		return 0;
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

void process_load_get(struct process_load *out)
{
	double ticks[8] = {0}; /* user nice system idle iowait irq softirq steal */
	FILE *file = fopen("/proc/stat", "r");
	if (file != NULL) {
		if (fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &ticks[0], &ticks[1],
			    &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]) != 8)
			memset(ticks, 0, sizeof ticks);
		fclose(file);
	}
	const double busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7];
	out->busy_ns = busy * 1e9 / (double)sysconf(_SC_CLK_TCK);
	out->own_ns = usage_ns(RUSAGE_SELF) + usage_ns(RUSAGE_CHILDREN) + children_cpu_ns();
	out->now_ns = measure_now_ns();
}

double process_others_share(const struct process_load *before, const struct process_load *after)
{
	const double all = (double)(after->now_ns - before->now_ns) *
			   (double)sysconf(_SC_NPROCESSORS_ONLN);
	const double others = (after->busy_ns - before->busy_ns) - (after->own_ns - before->own_ns);
	return all > 0 && others > 0 ? others / all : 0;
}
