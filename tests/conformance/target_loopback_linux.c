// SPDX-License-Identifier: Apache-2.0
/* The target "loopback". See target_loopback_linux.h. */
#include "tests/conformance/target_loopback_linux.h"

#include "guest/winhv/platform_loopback_linux.h"
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
#include <time.h>
#include <unistd.h>

#define START_NS   30000000000ull /* to load and be ready */
#define HEALTH_NS  5000000000ull  /* to take a guest */
#define ATTEMPT_NS 1000000000ull
#define REQUEST_NS 2000000000ull /* a hypercall that takes longer is the host's end */
#define MEMORY_MIB 64u
#define NS_PER_S   1000000000ull

/* Two VPs, two disks, a heartbeat that need not be waited for, test devices. */
#define HOST_WORDS                                                                                 \
	"--vps", "2", "--memory", "64M", "--ram-disk", "8M,target=0", "--ram-disk",                \
		"1M,target=1,lun=2,ro", "--heartbeat", "50", "--test-devices"
const char loopback_host_options[] =
	"--vps 2 --memory 64M --ram-disk 8M,target=0 --ram-disk 1M,target=1,lun=2,ro "
	"--heartbeat 50 --test-devices";

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

int loopback_host_prepare(struct loopback_host *host, const char *program)
{
	*host = (struct loopback_host){.program = program};
	if (run_folder_make(host->folder) != 0)
		return -1;
	snprintf(host->socket, sizeof host->socket, "%s/guest", host->folder);
	snprintf(host->log, sizeof host->log, "%s/log", host->folder);
	return 0;
}

static void become_host(const struct loopback_host *host)
{
	const int log = open(host->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* A group of its own: what it starts ends with it, and Ctrl-C is for hvconform alone. */
	(void)setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (log < 0 || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
		dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(127);
	execl(host->program, "vmwp", "run", "--guest", host->socket, HOST_WORDS, (char *)NULL);
	fprintf(stderr, "%s: %s\n", host->program, strerror(errno));
	_exit(127);
}

/* It has ended and was not reaped. Never true in a child of the runner. */
static bool is_dead(const struct loopback_host *host)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)host->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid != 0;
}

/* The worker's partition is taken until it has seen the last guest go. */
static int join(
	const struct loopback_host *host, uint64_t within_ns, struct platform_loopback **platform)
{
	const uint64_t deadline = now_ns() + within_ns;
	const struct timespec pause = {.tv_nsec = 200000};

	for (;;) {
		const int error = platform_loopback_connect(host->socket, ATTEMPT_NS, platform);
		if ((error != -EBUSY && error != -ETIMEDOUT) || is_dead(host) ||
			now_ns() >= deadline)
			return error;
		if (error == -EBUSY)
			nanosleep(&pause, NULL);
	}
}

static unsigned descriptor_count(pid_t pid)
{
	char path[64];
	unsigned count = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	if (folder == NULL)
		return 0;
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

/* The last line of its log, without the time stamp. */
static void last_words(const struct loopback_host *host, char *line, size_t bytes)
{
	char at[256];
	FILE *log = fopen(host->log, "r");

	line[0] = '\0';
	if (log == NULL)
		return;
	while (fgets(at, sizeof at, log) != NULL) {
		at[strcspn(at, "\n")] = '\0';
		if (at[0] != '\0')
			snprintf(line, bytes, "%.*s", (int)bytes - 1, at);
	}
	fclose(log);
}

/* It has ended or is about to: end what it has started, too. Not reaped, its group is its own. */
static void group_reap(const struct loopback_host *host, int *status)
{
	kill(-host->pid, SIGKILL);
	while (waitpid(host->pid, status, 0) < 0 && errno == EINTR)
		continue;
}

/* Has it ended, or does it within this time? */
static bool ends_within(struct loopback_host *host, int timeout_ms, char *how, size_t bytes)
{
	char words[128];
	int status;
	const int fd = (int)syscall(SYS_pidfd_open, host->pid, 0);

	if (fd >= 0) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		(void)poll(&wait, 1, timeout_ms);
		close(fd);
	}
	if (!is_dead(host))
		return false;
	group_reap(host, &status);
	host->pid = 0;
	last_words(host, words, sizeof words);
	if (WIFSIGNALED(status))
		snprintf(how, bytes, "the host died of signal %d (%s); its last line: %s",
			WTERMSIG(status), strsignal(WTERMSIG(status)), words);
	else
		snprintf(how, bytes, "the host ended with status %d; its last line: %s",
			WEXITSTATUS(status), words);
	return true;
}

static void host_kill(struct loopback_host *host)
{
	int status;

	if (host->pid == 0)
		return;
	kill(host->pid, SIGKILL);
	group_reap(host, &status);
	host->pid = 0;
}

static enum loopback_health probe(
	struct loopback_host *host, uint64_t within_ns, char *how, size_t bytes)
{
	struct platform_loopback *platform;
	uint32_t leaf[4] = {0};
	const int error = join(host, within_ns, &platform);

	if (error == 0) {
		platform_loopback_ops.cpuid(platform, HV_CPUID_INTERFACE, 0, leaf);
		const unsigned descriptors = descriptor_count(host->pid);
		platform_loopback_destroy(platform);
		if (leaf[0] == HV_CPUID_INTERFACE_HV1) {
			if (host->descriptors == 0)
				host->descriptors = descriptors;
			if (descriptors <= host->descriptors)
				return LOOPBACK_WELL;
			snprintf(how, bytes,
				"the host has %u descriptors more than when it was new",
				descriptors - host->descriptors);
			host->descriptors = descriptors;
			return LOOPBACK_LEAKS;
		}
	}
	if (ends_within(host, 1000, how, bytes))
		return LOOPBACK_DIED;
	snprintf(how, bytes, "the host hangs: %s",
		error != 0 ? strerror(-error) : "it takes a guest and does not answer it");
	host_kill(host);
	return LOOPBACK_HUNG;
}

enum loopback_health loopback_host_probe(struct loopback_host *host, char *how, size_t bytes)
{
	return probe(host, HEALTH_NS, how, bytes);
}

int loopback_host_start(struct loopback_host *host)
{
	char how[256];

	fflush(NULL);
	unlink(host->socket);
	host->descriptors = 0;
	host->pid = fork();
	if (host->pid == 0)
		become_host(host);
	if (host->pid < 0) {
		host->pid = 0;
		perror("hvconform: fork");
		return -1;
	}
	/* platform_loopback_connect() waits for a socket that is not there yet. */
	if (probe(host, START_NS, how, sizeof how) == LOOPBACK_WELL)
		return 0;
	fprintf(stderr, "hvconform: %s: %s\n", host->program, how);
	host_kill(host);
	return -1;
}

void loopback_host_remove(struct loopback_host *host)
{
	char how[256];

	if (host->pid != 0) {
		kill(host->pid, SIGTERM);
		if (!ends_within(host, 5000, how, sizeof how))
			host_kill(host);
	}
	unlink(host->socket);
	unlink(host->log);
	rmdir(host->folder);
}

/*
 * To a test a register that is not answered faults, and so does a call: what must fault would
 * pass. A VP that was not answered once is dead to the platform, which says so each time.
 */
static bool is_answered(struct conform_target *target, struct platform_loopback *platform)
{
	for (uint32_t vp = 0; vp < platform_loopback_vp_count(platform); vp++) {
		uint64_t value;
		const int error = platform_loopback_ops.msr_read(
			platform, vp, HV_X64_MSR_VP_INDEX, &value);
		if (error != 0 && error != -VIRIDIAN_EINVAL)
			return conform_no(
				target, "the host has not answered a request of VP %u", vp);
	}
	return true;
}

enum conform_verdict loopback_guest_run(const struct loopback_host *host,
	const struct conform_test *test, struct conform_target *target)
{
	static struct winhv hv;
	struct platform_loopback *platform;
	const int error = join(host, HEALTH_NS, &platform);

	*target = (struct conform_target){
		.hv = &hv, .memory_bytes = MEMORY_MIB << 20, .format = vsnprintf};
	if (error != 0)
		return conform_fail(target, "the host takes no guest: %s", strerror(-error));
	if (winhv_init(&hv, &platform_loopback_ops, platform,
		    platform_loopback_vp_count(platform)) != 0)
		return conform_fail(target, "winhv cannot start");
	platform_loopback_request_timeout_set(platform, REQUEST_NS);
	enum conform_verdict verdict = conform_run(target, test);
	if (verdict == CONFORM_PASS && !is_answered(target, platform))
		verdict = CONFORM_FAIL;
	winhv_shutdown(&hv);
	platform_loopback_destroy(platform);
	return verdict;
}
