// SPDX-License-Identifier: Apache-2.0
/*
 * A control socket in a folder of its own, served by an event loop of one poll(2): what
 * the tests of the socket and of vmwpctl share.
 */
#ifndef TESTS_UNIT_CONTROL_SERVER_H
#define TESTS_UNIT_CONTROL_SERVER_H

#include "host/vmwp/control_socket.h"
#include "tests/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- an event loop ------------------------------------------------------------------------ */

#define WATCH_MAX 32

struct watch {
	int fd;
	uint32_t events;
	void (*fn)(void *ctx, int fd, uint32_t events);
	void *ctx;
};

struct poll_loop {
	struct watch watches[WATCH_MAX];
	unsigned count;
};

static inline int loop_find(const struct poll_loop *loop, int fd)
{
	for (unsigned i = 0; i < loop->count; i++) {
		if (loop->watches[i].fd == fd)
			return (int)i;
	}
	return -1;
}

static inline int test_fd_add(void *ctx, int fd, uint32_t events,
	void (*fn)(void *fn_ctx, int fd, uint32_t events), void *fn_ctx)
{
	struct poll_loop *loop = ctx;
	if (loop->count == WATCH_MAX)
		return -ENOMEM;
	loop->watches[loop->count++] = (struct watch){fd, events, fn, fn_ctx};
	return 0;
}

static inline int test_fd_modify(void *ctx, int fd, uint32_t events)
{
	struct poll_loop *loop = ctx;
	int i = loop_find(loop, fd);
	if (i < 0)
		return -ENOENT;
	loop->watches[i].events = events;
	return 0;
}

static inline void test_fd_remove(void *ctx, int fd)
{
	struct poll_loop *loop = ctx;
	int i = loop_find(loop, fd);
	CU_ASSERT_TRUE_FATAL(i >= 0);
	loop->watches[i] = loop->watches[--loop->count];
}

/* Handle what is ready. Returns how many callbacks ran. */
static inline unsigned loop_turn(struct poll_loop *loop, int timeout_ms)
{
	struct pollfd fds[WATCH_MAX];
	unsigned count = loop->count;
	unsigned ran = 0;
	for (unsigned i = 0; i < count; i++)
		fds[i] = (struct pollfd){
			.fd = loop->watches[i].fd, .events = (short)loop->watches[i].events};
	poll(fds, count, timeout_ms);
	for (unsigned i = 0; i < count; i++) {
		int at = loop_find(loop, fds[i].fd);
		if (fds[i].revents == 0 || at < 0)
			continue;
		struct watch watch = loop->watches[at];
		watch.fn(watch.ctx, watch.fd, (uint32_t)fds[i].revents);
		ran++;
	}
	return ran;
}

static inline void loop_settle(struct poll_loop *loop)
{
	while (loop_turn(loop, 0) > 0)
		;
}

/* --- a server ----------------------------------------------------------------------------- */

struct server {
	char folder[64];
	char path[80];
	struct poll_loop loop;
	struct control_socket *socket;
	struct control_error error;
	control_line_fn handle;
	size_t answer_bytes; /* for the handler: size of its answers; 0: echo */
};

static inline int server_listen(struct server *server, struct control_socket **out)
{
	const struct control_loop loop = {
		.ctx = &server->loop,
		.fd_add = test_fd_add,
		.fd_modify = test_fd_modify,
		.fd_remove = test_fd_remove,
	};
	return control_socket_create(
		server->path, &loop, server->handle, server, out, &server->error);
}

static inline void server_start(struct server *server, control_line_fn handle)
{
	memset(server, 0, sizeof *server);
	server->handle = handle;
	snprintf(server->folder, sizeof server->folder, "/tmp/test_control.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(server->folder));
	snprintf(server->path, sizeof server->path, "%s/socket", server->folder);
	int result = server_listen(server, &server->socket);
	if (result != 0)
		printf("    %s\n", server->error.text);
	CU_ASSERT_EQUAL_FATAL(result, 0);
}

static inline void server_stop(struct server *server)
{
	control_socket_destroy(server->socket);
	CU_ASSERT_EQUAL(server->loop.count, 0);
	unlink(server->path);
	CU_ASSERT_EQUAL(rmdir(server->folder), 0);
}

static inline struct control_socket_statistics statistics_of(const struct server *server)
{
	struct control_socket_statistics statistics;
	control_socket_statistics_get(server->socket, &statistics);
	return statistics;
}

#endif
