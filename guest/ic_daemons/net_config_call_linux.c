// SPDX-License-Identifier: Apache-2.0
/*
 * The daemon's side of a change: one connection to the program with privileges, one request,
 * one answer. See net_config_linux.h.
 */
#include "guest/ic_daemons/net_config_linux.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for the socket; false once the deadline is over. */
static bool wait_for(int fd, short events, int64_t deadline)
{
	for (;;) {
		int64_t left = deadline - now_ms();
		struct pollfd watch = {.fd = fd, .events = events};
		int ready = left > 0 ? poll(&watch, 1, (int)left) : 0;
		if (ready > 0)
			return true;
		if (ready == 0 || errno != EINTR)
			return false;
	}
}

static bool send_all(int fd, const char *bytes, size_t len, int64_t deadline)
{
	while (len > 0) {
		if (!wait_for(fd, POLLOUT, deadline))
			return false;
		ssize_t put = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (put > 0) {
			bytes += put;
			len -= (size_t)put;
		}
	}
	return shutdown(fd, SHUT_WR) == 0;
}

/* All that comes until the other side closes; at most `capacity`, -1 on failure. */
static ssize_t receive_all(int fd, char *bytes, size_t capacity, int64_t deadline)
{
	size_t len = 0;
	while (wait_for(fd, POLLIN, deadline)) {
		ssize_t got = recv(fd, bytes + len, capacity - len, MSG_DONTWAIT);
		if (got == 0)
			return (ssize_t)len;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -1;
		if (got > 0)
			len += (size_t)got;
		if (len == capacity)
			return -1;
	}
	return -1;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path)
		return -1;
	memcpy(address.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

void net_config_call(const char *socket_path, int timeout_ms, const struct net_request *request,
	struct net_config_answer *answer)
{
	char text[NET_CONFIG_TEXT_MAX];
	char line[NET_CONFIG_LINE_MAX];
	int64_t deadline = now_ms() + timeout_ms;
	const char *wrong = net_config_check(request);

	memset(answer, 0, sizeof *answer);
	if (wrong) {
		answer->result = NET_CONFIG_INVALID;
		snprintf(answer->text, sizeof answer->text, "%s", wrong);
		return;
	}
	int fd = connect_to(socket_path);
	if (fd < 0) {
		answer->result = NET_CONFIG_UNAVAILABLE;
		snprintf(answer->text, sizeof answer->text,
			"cannot reach viridian-net-config at %.100s: %s", socket_path,
			strerror(errno));
		return;
	}
	ssize_t len = -1;
	if (send_all(fd, text, net_config_write(request, text), deadline))
		len = receive_all(fd, line, sizeof line, deadline);
	close(fd);
	net_config_answer_read(line, len < 0 ? 0 : (size_t)len, answer);
}
