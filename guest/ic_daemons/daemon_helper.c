// SPDX-License-Identifier: Apache-2.0
/*
 * The child that keeps a daemon's privileges. See daemon.h, struct daemon_helper.
 *
 *	daemon (sandbox) --- SOCK_SEQPACKET ---> helper: one message, one answer, in order
 *
 * A request is the caller's bytes; an answer is the result of serve(), a 64-bit number, and its
 * bytes, perhaps with a descriptor. Either end takes the other's death by the socket's end.
 */
#include "guest/ic_daemons/daemon_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_BYTES (sizeof(int64_t) + DAEMON_HELPER_BYTES_MAX)

union fd_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* ---- the child ----------------------------------------------------------- */

static int answer(int socket_fd, const void *bytes, size_t len, int fd)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	union fd_control control;
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	memset(&control, 0, sizeof control);
	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof control.bytes;
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	return sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void serve(const struct daemon_component *component, int socket_fd)
{
	static uint8_t request[DAEMON_HELPER_BYTES_MAX];
	static uint8_t reply[ANSWER_BYTES];
	for (;;) {
		const ssize_t len = recv(socket_fd, request, sizeof request, 0);
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return;
		int fd = -1;
		const int64_t result = component->helper->serve(component->ctx, request,
			(size_t)len, reply + sizeof result, DAEMON_HELPER_BYTES_MAX, &fd);
		size_t reply_len = sizeof result;
		if (result > 0 && result <= (int64_t)DAEMON_HELPER_BYTES_MAX)
			reply_len += (size_t)result;
		memcpy(reply, &result, sizeof result);
		const int error = answer(socket_fd, reply, reply_len, fd);
		if (fd >= 0)
			close(fd);
		if (error != 0)
			return;
	}
}

static _Noreturn void child(struct daemon *daemon, int socket_fd, pid_t parent)
{
	const struct daemon_component *component = daemon->component;
	const struct daemon_identity same = {0};
	/* The terminal's and the supervisor's signals are the parent's business: it ends us. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (component->helper->capabilities != NULL &&
		daemon_privileges_keep(component->helper->capabilities, &same) != 0)
		_exit(1);
	if (daemon->epoll_fd >= 0)
		close(daemon->epoll_fd);
	serve(component, socket_fd);
	_exit(0);
}

/* ---- the daemon ---------------------------------------------------------- */

static void send_first(struct daemon *daemon);

static void fail_all(struct daemon *daemon, ssize_t result)
{
	struct daemon_helper_state *helper = &daemon->helper;
	while (helper->first != NULL) {
		struct daemon_helper_request *request = helper->first;
		helper->first = request->next;
		helper->count--;
		request->done(request->ctx, result, NULL, -1);
		free(request);
	}
}

static void helper_lost(struct daemon *daemon)
{
	struct daemon_helper_state *helper = &daemon->helper;
	daemon_watch_remove(daemon, &helper->watch);
	close(helper->fd);
	helper->fd = -1;
	daemon_log(LOG_ERR, "its helper process has died");
	fail_all(daemon, -EPIPE);
	daemon_quit(daemon, 1);
}

/* The descriptor of an answer, or -1. */
static int answer_fd(struct msghdr *message)
{
	int fd = -1;
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);
	if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
		header->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(header), sizeof fd);
	return fd;
}

static void on_answer(void *ctx, uint32_t events)
{
	struct daemon *daemon = ctx;
	struct daemon_helper_state *helper = &daemon->helper;
	union fd_control control;
	struct iovec iov = {.iov_base = helper->buffer, .iov_len = ANSWER_BYTES};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	int64_t result;
	(void)events;
	const ssize_t len = recvmsg(helper->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	struct daemon_helper_request *request = helper->first;
	if (len < (ssize_t)sizeof result || request == NULL) {
		helper_lost(daemon);
		return;
	}
	memcpy(&result, helper->buffer, sizeof result);
	helper->first = request->next;
	helper->count--;
	request->done(
		request->ctx, (ssize_t)result, helper->buffer + sizeof result, answer_fd(&message));
	free(request);
	if (helper->first != NULL && helper->fd >= 0)
		send_first(daemon);
}

static void send_first(struct daemon *daemon)
{
	struct daemon_helper_state *helper = &daemon->helper;
	const struct daemon_helper_request *request = helper->first;
	if (send(helper->fd, request->bytes, request->len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
		(ssize_t)request->len)
		helper_lost(daemon);
}

int daemon_helper_call(struct daemon *daemon, const void *request, size_t len,
	void (*done)(void *ctx, ssize_t result, const void *reply, int fd), void *ctx)
{
	struct daemon_helper_state *helper = &daemon->helper;
	struct daemon_helper_request **at = &helper->first;
	if (helper->fd < 0)
		return -ENOTCONN;
	if (len == 0 || len > DAEMON_HELPER_BYTES_MAX)
		return -EMSGSIZE;
	if (helper->count >= DAEMON_HELPER_CALLS_MAX)
		return -EAGAIN;
	struct daemon_helper_request *call = malloc(sizeof *call + len);
	if (call == NULL)
		return -ENOMEM;
	call->next = NULL;
	call->done = done;
	call->ctx = ctx;
	call->len = len;
	memcpy(call->bytes, request, len);
	while (*at != NULL)
		at = &(*at)->next;
	*at = call;
	helper->count++;
	if (helper->first == call)
		send_first(daemon);
	return 0;
}

int daemon_helper_start(struct daemon *daemon)
{
	struct daemon_helper_state *helper = &daemon->helper;
	int pair[2];
	if (daemon->component->helper == NULL)
		return 0;
	helper->buffer = malloc(ANSWER_BYTES);
	if (helper->buffer == NULL)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -errno;
	const pid_t parent = getpid();
	helper->pid = fork();
	if (helper->pid < 0) {
		const int error = -errno;
		close(pair[0]);
		close(pair[1]);
		return error;
	}
	if (helper->pid == 0) {
		close(pair[0]);
		child(daemon, pair[1], parent);
	}
	close(pair[1]);
	helper->fd = pair[0];
	return daemon_watch_add(daemon, &helper->watch, helper->fd, EPOLLIN, on_answer, daemon);
}

void daemon_helper_stop(struct daemon *daemon)
{
	struct daemon_helper_state *helper = &daemon->helper;
	daemon_watch_remove(daemon, &helper->watch);
	if (helper->fd >= 0)
		close(helper->fd); /* which ends it, once it is through with its request */
	helper->fd = -1;
	while (helper->first != NULL) {
		struct daemon_helper_request *request = helper->first;
		helper->first = request->next;
		free(request);
	}
	helper->count = 0;
	if (helper->pid > 0)
		while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
			;
	helper->pid = 0;
	free(helper->buffer);
	helper->buffer = NULL;
}
