// SPDX-License-Identifier: Apache-2.0
/*
 * Running a program for a daemon's helper: no shell, an environment of its own, bounded in time
 * and in what it says. See daemon.h.
 */
#include "guest/ic_daemons/daemon_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLAIN_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Close-on-exec for everything but the standard three. */
static void descriptors_keep_none(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0)
		return;
#endif
	for (int fd = 3; fd < 1024; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static _Noreturn void become(
	const char *const argv[], const char *const envp[], int output_fd, int error_fd)
{
	static const char *const plain[] = {PLAIN_PATH, "LC_ALL=C", NULL};
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int number = 1; number < 32; number++)
		signal(number, SIG_DFL);
	setpgid(0, 0);
	const int null_fd = open("/dev/null", O_RDONLY);
	if (null_fd >= 0 && dup2(null_fd, 0) >= 0 && dup2(output_fd, 1) >= 0 &&
		dup2(output_fd, 2) >= 0 && chdir("/") == 0) {
		descriptors_keep_none();
		execve(argv[0], (char *const *)(uintptr_t)argv,
			(char *const *)(uintptr_t)(envp != NULL ? envp : plain));
	}
	const int error = errno;
	if (write(error_fd, &error, sizeof error) < 0)
		_exit(126);
	_exit(127);
}

/* What is there to read now; false: the end. */
static bool output_take(int fd, char *output, size_t output_max, size_t *len)
{
	char rest[512];
	for (;;) {
		const size_t room = *len + 1 < output_max ? output_max - 1 - *len : 0;
		const ssize_t got = room > 0 ? read(fd, output + *len, room)
					     : read(fd, rest, sizeof rest);
		if (got < 0)
			return errno == EAGAIN || errno == EINTR;
		if (got == 0)
			return false;
		if (room > 0)
			*len += (size_t)got;
	}
}

/* Until the program has ended. Returns 0, or -ETIMEDOUT with it still running. */
static int output_follow(
	int pid_fd, int output_fd, uint64_t deadline_ms, char *output, size_t output_max)
{
	size_t len = 0;
	struct pollfd fds[2] = {
		{.fd = pid_fd, .events = POLLIN}, {.fd = output_fd, .events = POLLIN}};
	int error = 0;
	for (;;) {
		const uint64_t now = daemon_now_ms();
		if (now >= deadline_ms) {
			error = -ETIMEDOUT;
			break;
		}
		const uint64_t left = deadline_ms - now;
		if (poll(fds, 2, left < 60000 ? (int)left : 60000) < 0 && errno != EINTR) {
			error = -errno;
			break;
		}
		if (fds[1].revents != 0 && !output_take(output_fd, output, output_max, &len))
			fds[1].fd = -1;
		if (fds[0].revents != 0) {
			(void)output_take(output_fd, output, output_max, &len);
			break;
		}
	}
	if (output_max > 0)
		output[len] = '\0';
	return error;
}

/* The program has been forked: see it to its end. */
static int see_through(
	pid_t pid, int output_fd, int error_fd, unsigned timeout_s, char *output, size_t output_max)
{
	int failed = 0;
	int status = 0;
	int error = 0;
	const bool has_failed = read(error_fd, &failed, sizeof failed) == (ssize_t)sizeof failed;
	const int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pid_fd < 0)
		error = -errno;
	else if (!has_failed)
		error = output_follow(pid_fd, output_fd, daemon_now_ms() + timeout_s * 1000ull,
			output, output_max);
	if (error != 0)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid_fd >= 0)
		close(pid_fd);
	if (has_failed)
		return failed > 0 ? -failed : -EIO;
	if (error != 0)
		return error;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int daemon_execute(const char *const argv[], const char *const envp[], unsigned timeout_s,
	char *output, size_t output_max)
{
	int output_pipe[2];
	int error_pipe[2];
	if (output_max > 0)
		output[0] = '\0';
	if (argv[0] == NULL || argv[0][0] != '/')
		return -EINVAL;
	if (pipe2(output_pipe, O_CLOEXEC) != 0)
		return -errno;
	if (pipe2(error_pipe, O_CLOEXEC) != 0) {
		const int error = -errno;
		close(output_pipe[0]);
		close(output_pipe[1]);
		return error;
	}
	const pid_t pid = fork();
	if (pid == 0)
		become(argv, envp, output_pipe[1], error_pipe[1]);
	int result = pid < 0 ? -errno : 0;
	close(output_pipe[1]);
	close(error_pipe[1]);
	if (pid > 0) {
		setpgid(pid, pid); /* whoever is first */
		(void)fcntl(output_pipe[0], F_SETFL, O_NONBLOCK);
		result = see_through(
			pid, output_pipe[0], error_pipe[0], timeout_s, output, output_max);
	}
	close(output_pipe[0]);
	close(error_pipe[0]);
	return result;
}
