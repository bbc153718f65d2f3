// SPDX-License-Identifier: Apache-2.0
/*
 * A program run to its end: see net_run_linux.h. Its output goes to a file in memory, so that
 * nothing that it leaves behind can hold us up.
 */
#include "guest/ic_daemons/net_run_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_WORDS_MAX (NET_RUN_ARGUMENTS_MAX + 8u)

static int start(const char *const argv[], int output_fd, pid_t *pid)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *environment[] = {path, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none;
	union {
		const char *const *in;
		char *const *out;
	} arguments = {.in = argv}; /* which posix_spawn() does not change */

	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, output_fd, 1);
	posix_spawn_file_actions_adddup2(&files, output_fd, 2);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	int error = posix_spawn(pid, argv[0], &files, &attributes, arguments.out, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return -error;
}

/* The last line that has something to say. */
static void last_line(int fd, char *output, size_t bytes)
{
	char tail[1024];
	off_t end = lseek(fd, 0, SEEK_END);
	off_t from = end > (off_t)sizeof tail ? end - (off_t)sizeof tail : 0;
	ssize_t got = pread(fd, tail, sizeof tail, from);
	size_t len = got > 0 ? (size_t)got : 0;

	while (len > 0 && (tail[len - 1] == '\n' || tail[len - 1] == ' '))
		len--;
	size_t start = len;
	while (start > 0 && tail[start - 1] != '\n')
		start--;
	len = len - start < bytes - 1 ? len - start : bytes - 1;
	for (size_t i = 0; i < len; i++)
		output[i] = tail[start + i] >= ' ' && tail[start + i] <= '~' ? tail[start + i]
									     : '?';
	output[len] = '\0';
}

/* True once it has ended. */
static bool wait_for(pid_t pid, unsigned timeout_s)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return true; /* the caller waits for it, then */
	struct pollfd watch = {.fd = fd, .events = POLLIN};
	int ready;
	do
		ready = poll(&watch, 1, (int)timeout_s * 1000);
	while (ready < 0 && errno == EINTR);
	close(fd);
	return ready != 0;
}

/* argv behind the words that have systemd run it; what it leaves running is left alone. */
static void hand_over(const char *systemd_run, const char *const argv[], const char *limit,
	const char *out[RUN_WORDS_MAX])
{
	const char *const words[] = {systemd_run, "--quiet", "--wait", "--pipe", "--collect",
		"--property=KillMode=process", limit};
	size_t n = 0;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (words[i] != NULL)
			out[n++] = words[i];
	for (size_t i = 0; argv[i] != NULL && n < RUN_WORDS_MAX - 1; i++)
		out[n++] = argv[i];
	out[n] = NULL;
}

int net_run(const char *systemd_run, const char *const argv[], unsigned timeout_s, bool may_go_on,
	char *output, size_t output_bytes)
{
	const char *words[RUN_WORDS_MAX];
	char limit[64];
	pid_t pid;
	int status = 0;
	snprintf(limit, sizeof limit, "--property=RuntimeMaxSec=%u", timeout_s);
	if (systemd_run != NULL) {
		hand_over(systemd_run, argv, may_go_on ? NULL : limit, words);
		argv = words;
	}
	output[0] = '\0';
	int fd = memfd_create("output", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = start(argv, fd, &pid);
	bool has_ended = error == 0 && wait_for(pid, timeout_s);
	if (error == 0 && !has_ended && !may_go_on)
		kill(-pid, SIGKILL);
	if (error == 0 && (has_ended || !may_go_on))
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (error == 0)
		last_line(fd, output, output_bytes);
	close(fd);
	if (error != 0)
		return error;
	if (!has_ended)
		return -ETIMEDOUT;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
