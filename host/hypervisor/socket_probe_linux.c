// SPDX-License-Identifier: Apache-2.0
/* Live or stale: see socket_probe_linux.h. */
#include "host/hypervisor/socket_probe_linux.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* True if the process is certainly dead, reaped or not. */
static bool process_is_dead(pid_t pid)
{
	const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return errno == ESRCH;
	struct pollfd exit = {.fd = fd, .events = POLLIN};
	const bool is_dead = poll(&exit, 1, 0) > 0;
	close(fd);
	return is_dead;
}

int socket_probe(const struct sockaddr_un *name, int type)
{
	const int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int result = 1;
	if (connect(fd, (const struct sockaddr *)name, sizeof *name) != 0) {
		if (errno == ECONNREFUSED || errno == ENOENT)
			result = 0;
		else if (errno != EAGAIN) /* a full backlog is a live one */
			result = -errno;
	} else {
		struct ucred listener;
		socklen_t bytes = sizeof listener;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &bytes) == 0 &&
			listener.pid > 0 && process_is_dead(listener.pid))
			result = 0;
	}
	close(fd);
	return result;
}
