// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket: its name, its clients, its bounds. One thread.
 */
#include "host/vmwp/control_socket.h"
#include "tests/harness.h"
#include "tests/unit/control_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Lines that begin with "later" are answered when the test says so. */
#define LATER_MAX 4
static struct control_ticket later[LATER_MAX];
static unsigned later_count;

static char *on_line(void *ctx, const char *line, size_t len, struct control_ticket *ticket)
{
	const struct server *server = ctx;
	if (len >= 5 && memcmp(line, "later", 5) == 0 && later_count < LATER_MAX) {
		later[later_count++] = control_ticket_take(ticket);
		return NULL;
	}
	if (server->answer_bytes > 0) {
		char *answer = malloc(server->answer_bytes + 1);
		memset(answer, 'x', server->answer_bytes);
		answer[server->answer_bytes] = '\0';
		return answer;
	}
	char *answer = malloc(64);
	snprintf(answer, 64, "%zu:%.*s", len, len < 20 ? (int)len : 20, line);
	return answer;
}

static int dial(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(connect(fd, (const struct sockaddr *)&name, sizeof name), 0);
	return fd;
}

/* Send all, letting the server run; false once it has hung up. */
static bool say(struct server *server, int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
		loop_settle(&server->loop);
	}
	return true;
}

/* What the server has sent so far, NUL-terminated; *is_open: it has not hung up. */
static char *hear(struct server *server, int fd, bool *is_open)
{
	size_t size = 4 * CONTROL_OUTPUT_MAX_BYTES;
	char *text = malloc(size + 1);
	size_t used = 0;
	*is_open = true;
	for (;;) {
		loop_settle(&server->loop);
		ssize_t n = recv(fd, text + used, size - used, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			*is_open = false;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
	return text;
}

static void expect_heard(struct server *server, int fd, const char *want, bool want_open)
{
	bool is_open;
	char *text = hear(server, fd, &is_open);
	CU_ASSERT_STRING_EQUAL(text, want);
	CU_ASSERT_EQUAL(is_open, want_open);
	free(text);
}

/* --- the name ----------------------------------------------------------------------------- */

static void name_is_a_socket_of_the_owner_alone(void)
{
	mode_t before = umask(0);
	struct server server;
	server_start(&server, on_line);
	struct stat st;
	CU_ASSERT_EQUAL(stat(server.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode, S_IFSOCK | 0600);
	umask(before);
	control_socket_destroy(server.socket);
	CU_ASSERT_EQUAL(stat(server.path, &st), -1);
	server.socket = NULL;
	server_stop(&server);
}

static void name_of_a_live_worker_is_refused(void)
{
	struct server server;
	server_start(&server, on_line);
	struct control_socket *second = NULL;
	CU_ASSERT_EQUAL(server_listen(&server, &second), -EADDRINUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(server.error.text, "a running worker uses it"));
	CU_ASSERT_PTR_NOT_NULL(strstr(server.error.text, server.path));
	int fd = dial(server.path);
	say(&server, fd, "hi\n", 3);
	expect_heard(&server, fd, "2:hi\n", true);
	close(fd);
	server_stop(&server);
}

static void name_of_a_dead_worker_is_taken(void)
{
	struct server server;
	server_start(&server, on_line);
	/* A worker that was killed leaves the name of a socket that nobody listens on. */
	control_socket_destroy(server.socket);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(name.sun_path, sizeof name.sun_path, "%s", server.path);
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(bind(dead, (const struct sockaddr *)&name, sizeof name), 0);
	close(dead);
	CU_ASSERT_EQUAL(server_listen(&server, &server.socket), 0);
	int fd = dial(server.path);
	say(&server, fd, "hi\n", 3);
	expect_heard(&server, fd, "2:hi\n", true);
	close(fd);
	server_stop(&server);
}

static void name_of_another_file_is_not_touched(void)
{
	struct server server;
	server_start(&server, on_line);
	control_socket_destroy(server.socket);
	server.socket = NULL;
	int fd = open(server.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CU_ASSERT_EQUAL(write(fd, "data", 4), 4);
	close(fd);
	CU_ASSERT_EQUAL(server_listen(&server, &server.socket), -EEXIST);
	struct stat st;
	CU_ASSERT_EQUAL(stat(server.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_size, 4);
	unlink(server.path);
	/* Nor is what a symbolic link leads to. */
	CU_ASSERT_EQUAL(symlink("/dev/null", server.path), 0);
	CU_ASSERT_EQUAL(server_listen(&server, &server.socket), -EEXIST);
	server_stop(&server);
}

static void name_taken_by_another_is_left_at_the_end(void)
{
	struct server server;
	server_start(&server, on_line);
	unlink(server.path);
	int fd = open(server.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	control_socket_destroy(server.socket);
	server.socket = NULL;
	struct stat st;
	CU_ASSERT_EQUAL(stat(server.path, &st), 0);
	server_stop(&server);
}

static void name_is_bounded_and_its_folder_must_exist(void)
{
	struct server server;
	server_start(&server, on_line);
	struct control_socket *second = NULL;
	const struct control_loop loop = {.ctx = &server.loop};
	char path[200];
	memset(path, 'x', sizeof path);
	path[108] = '\0';
	CU_ASSERT_EQUAL(
		control_socket_create(path, &loop, on_line, &server, &second, &server.error),
		-ENAMETOOLONG);
	CU_ASSERT_PTR_NOT_NULL(strstr(server.error.text, "108 bytes: give 1 to 107"));
	CU_ASSERT_EQUAL(control_socket_create("", &loop, on_line, &server, &second, &server.error),
		-EINVAL);
	snprintf(path, sizeof path, "%s/none/socket", server.folder);
	CU_ASSERT_EQUAL(
		control_socket_create(path, &loop, on_line, &server, &second, &server.error),
		-ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(server.error.text, "make the folder first"));
	server_stop(&server);
}

/* --- clients ------------------------------------------------------------------------------ */

static void client_lines_may_come_in_any_pieces(void)
{
	struct server server;
	server_start(&server, on_line);
	int fd = dial(server.path);
	static const char lines[] = "one\n\nthree\n";
	for (size_t i = 0; i < sizeof lines - 1; i++)
		CU_ASSERT_TRUE(say(&server, fd, lines + i, 1));
	expect_heard(&server, fd, "3:one\n0:\n5:three\n", true);
	CU_ASSERT_TRUE(say(&server, fd, lines, sizeof lines - 1));
	expect_heard(&server, fd, "3:one\n0:\n5:three\n", true);
	/* The end of its input ends the client; half a line is no command. */
	say(&server, fd, "four\nfi", 7);
	shutdown(fd, SHUT_WR);
	expect_heard(&server, fd, "4:four\n", false);
	close(fd);
	CU_ASSERT_EQUAL(statistics_of(&server).clients, 0);
	CU_ASSERT_EQUAL(statistics_of(&server).requests, 7);
	CU_ASSERT_EQUAL(statistics_of(&server).dropped, 0);
	server_stop(&server);
}

static void client_line_of_64_kib_is_the_longest(void)
{
	struct server server;
	server_start(&server, on_line);
	static char line[CONTROL_LINE_MAX_BYTES + 2];
	memset(line, 'z', sizeof line);
	line[CONTROL_LINE_MAX_BYTES] = '\n';
	int fd = dial(server.path);
	CU_ASSERT_TRUE(say(&server, fd, line, CONTROL_LINE_MAX_BYTES + 1));
	expect_heard(&server, fd, "65536:zzzzzzzzzzzzzzzzzzzz\n", true);
	line[CONTROL_LINE_MAX_BYTES] = 'z';
	(void)say(&server, fd, line, CONTROL_LINE_MAX_BYTES + 1);
	expect_heard(&server, fd, "65537:zzzzzzzzzzzzzzzzzzzz\n", false);
	close(fd);
	CU_ASSERT_EQUAL(statistics_of(&server).dropped, 1);
	CU_ASSERT_EQUAL(statistics_of(&server).clients, 0);
	server_stop(&server);
}

static void client_that_does_not_read_is_dropped_at_the_bound(void)
{
	struct server server;
	server_start(&server, on_line);
	server.answer_bytes = 64 * 1024;
	int idle = dial(server.path);
	int slow = dial(server.path);
	unsigned asked = 0;
	while (asked < 1000 && say(&server, slow, "x\n", 2))
		asked++;
	CU_ASSERT_TRUE(asked >= CONTROL_OUTPUT_MAX_BYTES / server.answer_bytes);
	CU_ASSERT_TRUE(asked < 100);
	CU_ASSERT_EQUAL(statistics_of(&server).dropped, 1);
	CU_ASSERT_EQUAL(statistics_of(&server).clients, 1);
	close(slow);
	server.answer_bytes = 0;
	say(&server, idle, "x\n", 2);
	expect_heard(&server, idle, "1:x\n", true);
	close(idle);
	server_stop(&server);
}

static void client_gets_an_answer_as_long_as_the_bound_and_no_longer(void)
{
	struct server server;
	server_start(&server, on_line);
	server.answer_bytes = CONTROL_OUTPUT_MAX_BYTES - 1; /* and the newline */
	int fd = dial(server.path);
	say(&server, fd, "x\n", 2);
	bool is_open;
	char *text = hear(&server, fd, &is_open);
	CU_ASSERT_EQUAL(strlen(text), CONTROL_OUTPUT_MAX_BYTES);
	CU_ASSERT_TRUE(is_open);
	free(text);
	server.answer_bytes = CONTROL_OUTPUT_MAX_BYTES;
	say(&server, fd, "x\n", 2);
	expect_heard(&server, fd, "", false);
	CU_ASSERT_EQUAL(statistics_of(&server).dropped, 1);
	close(fd);
	server_stop(&server);
}

static void client_that_reads_late_gets_everything(void)
{
	struct server server;
	server_start(&server, on_line);
	server.answer_bytes = 200 * 1024;
	int fd = dial(server.path);
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_TRUE(say(&server, fd, "x\n", 2));
	shutdown(fd, SHUT_WR);
	bool is_open;
	char *text = hear(&server, fd, &is_open);
	CU_ASSERT_EQUAL(strlen(text), 4 * (server.answer_bytes + 1));
	CU_ASSERT_FALSE(is_open);
	free(text);
	close(fd);
	CU_ASSERT_EQUAL(statistics_of(&server).dropped, 0);
	server_stop(&server);
}

static void client_that_vanishes_with_answers_due_is_forgotten(void)
{
	struct server server;
	server_start(&server, on_line);
	server.answer_bytes = 500 * 1024;
	int fd = dial(server.path);
	say(&server, fd, "x\n", 2);
	close(fd);
	loop_settle(&server.loop);
	CU_ASSERT_EQUAL(statistics_of(&server).clients, 0);
	server_stop(&server);
}

static void eighth_client_is_served_and_the_ninth_is_told(void)
{
	struct server server;
	server_start(&server, on_line);
	int fds[CONTROL_CLIENTS_MAX + 1];
	for (unsigned i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
		fds[i] = dial(server.path);
		loop_settle(&server.loop);
	}
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		say(&server, fds[i], "x\n", 2);
		expect_heard(&server, fds[i], "1:x\n", true);
	}
	bool is_open;
	char *text = hear(&server, fds[CONTROL_CLIENTS_MAX], &is_open);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"ok\":false"));
	CU_ASSERT_FALSE(is_open);
	free(text);
	CU_ASSERT_EQUAL(statistics_of(&server).refused, 1);
	/* A place that is given back is given again. */
	close(fds[0]);
	close(fds[CONTROL_CLIENTS_MAX]);
	loop_settle(&server.loop);
	fds[0] = dial(server.path);
	say(&server, fds[0], "x\n", 2);
	expect_heard(&server, fds[0], "1:x\n", true);
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
	server_stop(&server);
}

static void clients_are_refused_when_descriptors_run_out(void)
{
	struct server server;
	server_start(&server, on_line);
	int fd = dial(server.path);
	struct rlimit before;
	getrlimit(RLIMIT_NOFILE, &before);
	struct rlimit tight = {.rlim_cur = (rlim_t)fd + 1, .rlim_max = before.rlim_max};
	setrlimit(RLIMIT_NOFILE, &tight);
	/* Every number below the limit is taken, so accept() has none. */
	int fillers[64];
	unsigned count = 0;
	while (count < 64 && (fillers[count] = dup(0)) >= 0)
		count++;
	loop_settle(&server.loop);
	CU_ASSERT_EQUAL(statistics_of(&server).refused, 1);
	CU_ASSERT_EQUAL(statistics_of(&server).clients, 0);
	while (count > 0)
		close(fillers[--count]);
	setrlimit(RLIMIT_NOFILE, &before);
	close(fd);
	server_stop(&server);
}

/* --- answers that come later -------------------------------------------------------------- */

static void later_start(struct server *server)
{
	later_count = 0;
	server_start(server, on_line);
}

static void later_answer(struct server *server, unsigned i, const char *text)
{
	struct control_error error = {0};
	snprintf(error.text, sizeof error.text, "%s", text);
	control_socket_answer(server->socket, &later[i], NULL, &error);
}

static void later_lines_wait_for_the_answer_and_keep_their_order(void)
{
	struct server server;
	later_start(&server);
	int fd = dial(server.path);
	int other = dial(server.path);
	say(&server, fd, "a\nlater\nb\nc", 11);
	expect_heard(&server, fd, "1:a\n", true);
	say(&server, other, "d\n", 2);
	expect_heard(&server, other, "1:d\n", true);
	say(&server, fd, "c\n", 2);
	expect_heard(&server, fd, "", true);
	CU_ASSERT_EQUAL(loop_turn(&server.loop, 0), 0); /* and nothing spins meanwhile */
	later_answer(&server, 0, "no");
	expect_heard(&server, fd, "{\"id\":null,\"ok\":false,\"error\":\"no\"}\n1:b\n2:cc\n", true);
	/* The same ticket again is nothing. */
	later_answer(&server, 0, "again");
	expect_heard(&server, fd, "", true);
	close(fd);
	close(other);
	server_stop(&server);
}

static void later_answer_to_a_client_that_has_gone_reaches_nobody(void)
{
	struct server server;
	later_start(&server);
	int fd = dial(server.path);
	say(&server, fd, "later\n", 6);
	loop_settle(&server.loop);
	close(fd);
	loop_settle(&server.loop);
	CU_ASSERT_EQUAL(statistics_of(&server).clients, 0);
	/* Another has its place now, and waits for an answer of its own. */
	fd = dial(server.path);
	say(&server, fd, "later\n", 6);
	loop_settle(&server.loop);
	CU_ASSERT_EQUAL_FATAL(later_count, 2);
	CU_ASSERT_EQUAL(later[0].client, later[1].client);
	later_answer(&server, 0, "for the dead");
	expect_heard(&server, fd, "", true);
	later_answer(&server, 1, "yours");
	expect_heard(&server, fd, "{\"id\":null,\"ok\":false,\"error\":\"yours\"}\n", true);
	close(fd);
	server_stop(&server);
}

static void later_answer_comes_to_a_client_that_says_no_more(void)
{
	struct server server;
	later_start(&server);
	int fd = dial(server.path);
	say(&server, fd, "later\n", 6);
	shutdown(fd, SHUT_WR);
	expect_heard(&server, fd, "", true);
	later_answer(&server, 0, "done");
	expect_heard(&server, fd, "{\"id\":null,\"ok\":false,\"error\":\"done\"}\n", false);
	CU_ASSERT_EQUAL(statistics_of(&server).clients, 0);
	close(fd);
	server_stop(&server);
}

static void later_answer_after_the_socket_has_gone_is_nothing(void)
{
	struct server server;
	later_start(&server);
	int fd = dial(server.path);
	say(&server, fd, "later\n", 6);
	loop_settle(&server.loop);
	server_stop(&server);
	const struct control_error error = {.text = "late"};
	control_socket_answer(NULL, &later[0], json_object(), &error);
	CU_ASSERT_PTR_NULL(later[0].id);
	close(fd);
}

static uint64_t gone[8];
static unsigned gone_count;

static void on_gone(void *ctx, uint64_t connection)
{
	CU_ASSERT_PTR_EQUAL(ctx, gone);
	if (gone_count < 8)
		gone[gone_count] = connection;
	gone_count++;
}

/* A place is used again, a connection's number is not; the socket's own end is no news. */
static void end_of_a_connection_is_told_once_and_by_its_number(void)
{
	struct server server;
	gone_count = 0;
	later_start(&server);
	control_socket_gone_set(server.socket, on_gone, gone);
	int fd = dial(server.path);
	int other = dial(server.path);
	say(&server, other, "later\n", 6);
	say(&server, fd, "later\n", 6);
	loop_settle(&server.loop);
	CU_ASSERT_EQUAL_FATAL(later_count, 2);
	CU_ASSERT_NOT_EQUAL(later[0].connection, later[1].connection);
	CU_ASSERT_NOT_EQUAL(later[1].connection, 0);
	close(fd);
	loop_settle(&server.loop);
	CU_ASSERT_EQUAL(gone_count, 1);
	CU_ASSERT_EQUAL(gone[0], later[1].connection);
	fd = dial(server.path);
	say(&server, fd, "later\n", 6);
	loop_settle(&server.loop);
	CU_ASSERT_EQUAL(later[2].client, later[1].client);
	CU_ASSERT_NOT_EQUAL(later[2].connection, later[1].connection);
	close(fd);
	loop_settle(&server.loop);
	CU_ASSERT_EQUAL(gone_count, 2);
	CU_ASSERT_EQUAL(gone[1], later[2].connection);
	later_answer(&server, 1, "for the dead");
	later_answer(&server, 2, "for the dead");
	server_stop(&server);
	CU_ASSERT_EQUAL(gone_count, 2);
	later_answer(&(struct server){0}, 0, "late");
	close(other);
}

static const struct test tests[] = {
	TEST(name_is_a_socket_of_the_owner_alone),
	TEST(name_of_a_live_worker_is_refused),
	TEST(name_of_a_dead_worker_is_taken),
	TEST(name_of_another_file_is_not_touched),
	TEST(name_taken_by_another_is_left_at_the_end),
	TEST(name_is_bounded_and_its_folder_must_exist),
	TEST(client_lines_may_come_in_any_pieces),
	TEST(client_line_of_64_kib_is_the_longest),
	TEST(client_that_does_not_read_is_dropped_at_the_bound),
	TEST(client_gets_an_answer_as_long_as_the_bound_and_no_longer),
	TEST(client_that_reads_late_gets_everything),
	TEST(client_that_vanishes_with_answers_due_is_forgotten),
	TEST(eighth_client_is_served_and_the_ninth_is_told),
	TEST(clients_are_refused_when_descriptors_run_out),
	TEST(later_lines_wait_for_the_answer_and_keep_their_order),
	TEST(later_answer_to_a_client_that_has_gone_reaches_nobody),
	TEST(later_answer_comes_to_a_client_that_says_no_more),
	TEST(later_answer_after_the_socket_has_gone_is_nothing),
	TEST(end_of_a_connection_is_told_once_and_by_its_number),
};
TEST_MAIN("control_socket", tests)
