// SPDX-License-Identifier: Apache-2.0
/*
 * The control command "copy" and the descriptor that comes with it: who gets it, and that none
 * is left open, whatever a client passes. A descriptor is the end of a pipe: when nobody has it
 * any more, the other end says so.
 */
#include "tests/unit/control_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define PASSED_MAX 4

struct recorder {
	unsigned copies, cancels, statuses;
	char name[64], path[64];
	bool overwrites, creates_path;
	int fd; /* taken */
};

static struct recorder recorder;

static json_t *on_copy(void *ctx, const struct control_copy *what, struct control_ticket *ticket,
	struct control_error *error)
{
	(void)ctx;
	recorder.copies++;
	snprintf(recorder.name, sizeof recorder.name, "%s", what->name);
	snprintf(recorder.path, sizeof recorder.path, "%s", what->path);
	recorder.overwrites = what->overwrites;
	recorder.creates_path = what->creates_path;
	recorder.fd = -1;
	if (ticket->passed_fd == NULL || *ticket->passed_fd < 0) {
		control_error_set(error, "no file");
		return NULL;
	}
	if (strcmp(what->name, "leave it") != 0) {
		recorder.fd = *ticket->passed_fd;
		*ticket->passed_fd = -1;
	}
	return json_object();
}

static json_t *on_cancel(void *ctx, struct control_error *error)
{
	(void)ctx;
	(void)error;
	recorder.cancels++;
	return json_object();
}

static json_t *on_status(void *ctx, struct control_error *error)
{
	(void)ctx;
	(void)error;
	recorder.statuses++;
	return json_object();
}

static const struct control_ops ops = {
	.copy = on_copy,
	.copy_cancel = on_cancel,
	.copy_status = on_status,
};

static char *on_line(void *ctx, const char *line, size_t len, struct control_ticket *ticket)
{
	struct control_worker worker = {.ops = &ops, .ctx = ctx};
	return control_worker_handle_line(&worker, line, len, ticket);
}

static int client_connect(struct server *server)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(name.sun_path, sizeof name.sun_path, "%s", server->path);
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
	loop_settle(&server->loop);
	return fd;
}

/* Send text with descriptors, and have it taken. */
static void pass(struct server *server, int client, const char *text, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(PASSED_MAX * sizeof(int))];
	} control = {0};
	struct iovec data = {.iov_base = (void *)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
	if (count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	CU_ASSERT_EQUAL(sendmsg(client, &message, 0), (ssize_t)strlen(text));
	loop_settle(&server->loop);
}

/* Pipes whose writing ends are passed, and closed here. */
struct pipes {
	int read[PASSED_MAX];
	int write[PASSED_MAX];
};

static void pipes_make(struct pipes *pipes)
{
	for (unsigned i = 0; i < PASSED_MAX; i++) {
		int both[2];
		CU_ASSERT_EQUAL_FATAL(pipe(both), 0);
		pipes->read[i] = both[0];
		pipes->write[i] = both[1];
	}
}

static void pipes_let_go(struct pipes *pipes)
{
	for (unsigned i = 0; i < PASSED_MAX; i++)
		close(pipes->write[i]);
}

/* How many of them has somebody open? */
static unsigned pipes_held(struct pipes *pipes)
{
	unsigned held = 0;
	for (unsigned i = 0; i < PASSED_MAX; i++) {
		struct pollfd fd = {.fd = pipes->read[i], .events = POLLIN};
		poll(&fd, 1, 0);
		held += (fd.revents & POLLHUP) == 0;
	}
	return held;
}

static void pipes_close(struct pipes *pipes)
{
	CU_ASSERT_EQUAL(pipes_held(pipes), 0);
	for (unsigned i = 0; i < PASSED_MAX; i++)
		close(pipes->read[i]);
}

static const char copy_line[] =
	"{\"command\":\"copy\",\"arguments\":{\"name\":\"n\",\"path\":\"/p\","
	"\"overwrite\":true}}\n";
static const char leave_line[] =
	"{\"command\":\"copy\",\"arguments\":{\"name\":\"leave it\",\"path\":\"/p\","
	"\"create_dirs\":true}}\n";
static const char status_line[] = "{\"command\":\"copy-status\"}\n";

static void copy_gets_what_was_said_and_the_descriptor(void)
{
	struct server server;
	struct pipes pipes;
	memset(&recorder, 0, sizeof recorder);
	server_start(&server, on_line);
	pipes_make(&pipes);
	const int client = client_connect(&server);
	pass(&server, client, copy_line, pipes.write, 1);
	pipes_let_go(&pipes);
	CU_ASSERT_EQUAL(recorder.copies, 1);
	CU_ASSERT_STRING_EQUAL(recorder.name, "n");
	CU_ASSERT_STRING_EQUAL(recorder.path, "/p");
	CU_ASSERT_TRUE(recorder.overwrites);
	CU_ASSERT_FALSE(recorder.creates_path);
	CU_ASSERT_TRUE(recorder.fd >= 0);
	CU_ASSERT_EQUAL(pipes_held(&pipes), 1);
	CU_ASSERT_EQUAL(write(recorder.fd, "x", 1), 1);
	close(recorder.fd);
	pass(&server, client, "{\"command\":\"copy-cancel\"}\n", NULL, 0);
	pass(&server, client, status_line, NULL, 0);
	CU_ASSERT_EQUAL(recorder.cancels, 1);
	CU_ASSERT_EQUAL(recorder.statuses, 1);
	close(client);
	loop_settle(&server.loop);
	pipes_close(&pipes);
	server_stop(&server);
}

/* Ahead of the line, on a blank, as vmwpctl passes it. */
static void the_descriptor_may_come_ahead_of_its_line(void)
{
	struct server server;
	struct pipes pipes;
	memset(&recorder, 0, sizeof recorder);
	server_start(&server, on_line);
	pipes_make(&pipes);
	const int client = client_connect(&server);
	pass(&server, client, " ", pipes.write, 1);
	pipes_let_go(&pipes);
	CU_ASSERT_EQUAL(pipes_held(&pipes), 1);
	pass(&server, client, copy_line, NULL, 0);
	CU_ASSERT_TRUE(recorder.fd >= 0);
	close(recorder.fd);
	/* It is of one line only. */
	pass(&server, client, copy_line, NULL, 0);
	CU_ASSERT_EQUAL(recorder.copies, 2);
	CU_ASSERT_EQUAL(recorder.fd, -1);
	close(client);
	loop_settle(&server.loop);
	pipes_close(&pipes);
	server_stop(&server);
}

/* Whatever a client passes: at most one is held, and none after its line or its client. */
static void no_descriptor_is_left_open(void)
{
	static const struct {
		const char *text;
		size_t count;
		unsigned held; /* while the client is there */
	} cases[] = {
		{status_line, 1, 0},
		{leave_line, 1, 0},
		{"no JSON\n", 1, 0},
		{" ", 1, 1},
		{" ", 2, 1},
		{" ", 3, 1},
		{" ", 4, 1},
		{status_line, 4, 0},
		{leave_line, 2, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct server server;
		struct pipes pipes;
		server_start(&server, on_line);
		pipes_make(&pipes);
		const int client = client_connect(&server);
		pass(&server, client, cases[i].text, pipes.write, cases[i].count);
		pipes_let_go(&pipes);
		CU_ASSERT_EQUAL(pipes_held(&pipes), cases[i].held);
		pass(&server, client, "\n", NULL, 0);
		CU_ASSERT_EQUAL(pipes_held(&pipes), 0);
		pass(&server, client, " ", &pipes.read[0], 1);
		close(client);
		loop_settle(&server.loop);
		pipes_close(&pipes);
		server_stop(&server);
	}
}

/* One after the other without a line: the last one counts. */
static void a_client_cannot_pile_descriptors_up(void)
{
	struct server server;
	struct pipes pipes;
	memset(&recorder, 0, sizeof recorder);
	server_start(&server, on_line);
	pipes_make(&pipes);
	const int client = client_connect(&server);
	for (unsigned i = 0; i < PASSED_MAX; i++)
		pass(&server, client, " ", &pipes.write[i], 1);
	pipes_let_go(&pipes);
	CU_ASSERT_EQUAL(pipes_held(&pipes), 1);
	pass(&server, client, copy_line, NULL, 0);
	CU_ASSERT_EQUAL(write(recorder.fd, "x", 1), 1);
	char byte = 0;
	CU_ASSERT_EQUAL(read(pipes.read[PASSED_MAX - 1], &byte, 1), 1);
	close(recorder.fd);
	close(client);
	loop_settle(&server.loop);
	pipes_close(&pipes);
	server_stop(&server);
}

static void copy_wants_its_arguments(void)
{
	static const char *const lines[] = {"{\"command\":\"copy\"}",
		"{\"command\":\"copy\",\"arguments\":{\"name\":\"n\"}}",
		"{\"command\":\"copy\",\"arguments\":{\"name\":1,\"path\":\"/p\"}}",
		"{\"command\":\"copy\",\"arguments\":{\"name\":\"n\",\"path\":\"/p\",\"to\":1}}"};
	memset(&recorder, 0, sizeof recorder);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct control_ticket ticket = {0};
		char *answer = on_line(NULL, lines[i], strlen(lines[i]), &ticket);
		CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":false"));
		free(answer);
	}
	CU_ASSERT_EQUAL(recorder.copies, 0);
}

static const struct test tests[] = {
	TEST(copy_gets_what_was_said_and_the_descriptor),
	TEST(the_descriptor_may_come_ahead_of_its_line),
	TEST(no_descriptor_is_left_open),
	TEST(a_client_cannot_pile_descriptors_up),
	TEST(copy_wants_its_arguments),
};
TEST_MAIN("control copy", tests)
