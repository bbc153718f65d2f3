// SPDX-License-Identifier: Apache-2.0
/* The console: what the guest writes reaches the reader, what is typed reaches the guest. */
#include "host/machine/console.h"
#include "host/machine/terminal.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define WATCH_MAX 8

struct fixture {
	struct console *console;
	struct pollfd watches[WATCH_MAX];
	unsigned watch_count;
	char received[512]; /* by the guest */
	size_t received_count;
	size_t room; /* of the guest */
	unsigned quits;
	int input[2], output[2]; /* pipes: read end, write end */
};

static int on_poll_set(void *ctx, int fd, uint32_t events)
{
	struct fixture *f = ctx;
	unsigned i = 0;
	while (i < f->watch_count && f->watches[i].fd != fd)
		i++;
	if (events == 0) {
		if (i < f->watch_count)
			f->watches[i] = f->watches[--f->watch_count];
		return 0;
	}
	CU_ASSERT_FATAL(i < WATCH_MAX);
	f->watches[i] = (struct pollfd){.fd = fd, .events = (short)events};
	if (i == f->watch_count)
		f->watch_count++;
	return 0;
}

static size_t on_receive(void *ctx, const uint8_t *bytes, size_t count)
{
	struct fixture *f = ctx;
	const size_t taken = count < f->room ? count : f->room;
	memcpy(f->received + f->received_count, bytes, taken);
	f->received_count += taken;
	f->room -= taken;
	return taken;
}

static void on_quit(void *ctx)
{
	((struct fixture *)ctx)->quits++;
}

/* Output may wait for more of it, but not as long as this. */
#define REST_MS 5

/* Turn the loop until nothing is ready. */
static void settle(struct fixture *f)
{
	for (unsigned turns = 0; turns < 1000; turns++) {
		struct pollfd fds[WATCH_MAX];
		const unsigned count = f->watch_count;
		memcpy(fds, f->watches, sizeof fds);
		if (poll(fds, count, REST_MS) <= 0)
			return;
		for (unsigned i = 0; i < count; i++) {
			if (fds[i].revents != 0)
				console_on_ready(f->console, fds[i].fd, (uint32_t)fds[i].revents);
		}
	}
	CU_FAIL("the loop never comes to rest");
}

static void create(struct fixture *f, const struct console_config *config)
{
	const struct console_callbacks callbacks = {
		.poll_set = on_poll_set, .receive = on_receive, .quit = on_quit, .ctx = f};
	CU_ASSERT_EQUAL_FATAL(console_create(config, &callbacks, &f->console), 0);
}

static void start(struct fixture *f, bool has_escape)
{
	memset(f, 0, sizeof *f);
	f->room = sizeof f->received;
	CU_ASSERT_EQUAL_FATAL(pipe(f->input), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(f->output), 0);
	fcntl(f->output[0], F_SETFL, O_NONBLOCK);
	const struct console_config config = {.input_fd = f->input[0],
		.output_fd = f->output[1],
		.listen_fd = -1,
		.has_escape = has_escape};
	create(f, &config);
}

static void stop(struct fixture *f)
{
	console_destroy(f->console);
	CU_ASSERT_EQUAL(f->watch_count, 0);
	for (unsigned i = 0; i < 2; i++) {
		close(f->input[i]);
		close(f->output[i]);
	}
}

static void guest_writes(struct fixture *f, const char *text)
{
	for (; *text != '\0'; text++)
		console_write(f->console, (uint8_t)*text);
}

static void types(struct fixture *f, const char *text, size_t count)
{
	CU_ASSERT_EQUAL(write(f->input[1], text, count), (ssize_t)count);
	settle(f);
}

static bool reader_has(int fd, const char *text)
{
	char got[512] = {0};
	const ssize_t n = read(fd, got, sizeof got - 1);
	return n == (ssize_t)strlen(text) && memcmp(got, text, (size_t)n) == 0;
}

static struct console_statistics statistics(struct fixture *f)
{
	struct console_statistics s;
	console_statistics_get(f->console, &s);
	return s;
}

static void console_shows_what_the_guest_writes(void)
{
	struct fixture f;
	start(&f, false);
	guest_writes(&f, "Linux version\r\n");
	settle(&f);
	CU_ASSERT(reader_has(f.output[0], "Linux version\r\n"));
	CU_ASSERT_EQUAL(statistics(&f).written, 15);
	CU_ASSERT_EQUAL(statistics(&f).lost, 0);
	stop(&f);
}

static void console_gives_the_guest_what_is_typed(void)
{
	struct fixture f;
	start(&f, false);
	types(&f, "ls\x01x\n", 5);
	CU_ASSERT_EQUAL(f.received_count, 5); /* without escapes Ctrl-A is like any key */
	CU_ASSERT_EQUAL(memcmp(f.received, "ls\x01x\n", 5), 0);
	CU_ASSERT_EQUAL(f.quits, 0);
	CU_ASSERT_EQUAL(statistics(&f).received, 5);
	stop(&f);
}

static void console_obeys_escape_sequences(void)
{
	struct fixture f;
	start(&f, true);
	types(&f, "a\x01\x01z", 4); /* one Ctrl-A */
	CU_ASSERT_EQUAL(f.received_count, 3);
	CU_ASSERT_EQUAL(memcmp(f.received, "a\x01z", 3), 0);
	types(&f, "\x01q", 2); /* swallowed */
	types(&f, "\x01", 1);
	CU_ASSERT_EQUAL(f.quits, 0);
	types(&f, "x", 1); /* in two reads */
	CU_ASSERT_EQUAL(f.quits, 1);
	CU_ASSERT_EQUAL(f.received_count, 3);
	char help[512] = {0};
	types(&f, "\x01h", 2);
	CU_ASSERT(read(f.output[0], help, sizeof help - 1) > 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(help, "Ctrl-A x"));
	stop(&f);
}

static void console_reads_no_further_than_the_guest_can_take(void)
{
	struct fixture f;
	start(&f, false);
	f.room = 3;
	types(&f, "abcdef", 6);
	CU_ASSERT_EQUAL(f.received_count, 3);
	types(&f, "gh", 2);
	CU_ASSERT_EQUAL(f.received_count, 3);
	f.room = 4;
	console_room(f.console);
	settle(&f);
	CU_ASSERT_EQUAL(f.received_count, 7);
	f.room = 16;
	console_room(f.console);
	settle(&f);
	CU_ASSERT_EQUAL(f.received_count, 8);
	CU_ASSERT_EQUAL(memcmp(f.received, "abcdefgh", 8), 0);
	stop(&f);
}

static void console_input_may_end(void)
{
	struct fixture f;
	start(&f, false);
	close(f.input[1]);
	settle(&f); /* comes to rest */
	f.input[1] = dup(f.input[0]);
	guest_writes(&f, "on");
	settle(&f);
	CU_ASSERT(reader_has(f.output[0], "on"));
	stop(&f);
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A reader that stopped reading: the guest waits once, loses the oldest, and goes on. */
static void console_is_not_held_up_by_a_slow_reader(void)
{
	struct fixture f;
	start(&f, false);
	const double before = seconds();
	for (unsigned i = 0; i < 4 * CONSOLE_RING_BYTES; i++) {
		console_write(f.console, 'x');
		if (i % 4096 == 0)
			settle(&f); /* the pipe takes 64 KiB */
	}
	CU_ASSERT(seconds() - before < 2.0);
	CU_ASSERT(statistics(&f).lost > CONSOLE_RING_BYTES);
	char *all = calloc(1, 1 << 20);
	size_t count = 0;
	for (unsigned i = 0; i < 64; i++) {
		const ssize_t n = read(f.output[0], all + count, (1 << 20) - 1 - count);
		count += n > 0 ? (size_t)n : 0;
		settle(&f);
	}
	char notice[64];
	snprintf(notice, sizeof notice, "[console: %llu bytes of output lost]",
		(unsigned long long)statistics(&f).lost);
	CU_ASSERT_PTR_NOT_NULL(strstr(all, notice));
	free(all);
	guest_writes(&f, "again");
	settle(&f);
	CU_ASSERT(reader_has(f.output[0], "again"));
	stop(&f);
}

static void *slow_reader(void *arg)
{
	const struct fixture *f = arg;
	char chunk[4096];
	size_t count = 0;
	fcntl(f->output[0], F_SETFL, 0);
	while (count < 3 * CONSOLE_RING_BYTES) {
		const ssize_t n = read(f->output[0], chunk, sizeof chunk);
		if (n <= 0)
			break;
		count += (size_t)n;
	}
	return NULL;
}

static void *fast_guest(void *arg)
{
	struct fixture *f = arg;
	for (unsigned i = 0; i < 3 * CONSOLE_RING_BYTES; i++)
		console_write(f->console, (uint8_t)('a' + i % 26));
	return NULL;
}

/* A reader that keeps reading loses nothing, however fast the guest is. */
static void console_waits_for_a_reader_that_moves(void)
{
	struct fixture f;
	pthread_t reader;
	pthread_t guest;
	start(&f, false);
	pthread_create(&reader, NULL, slow_reader, &f);
	pthread_create(&guest, NULL, fast_guest, &f);
	while (pthread_tryjoin_np(guest, NULL) != 0) {
		struct pollfd fds[WATCH_MAX];
		memcpy(fds, f.watches, sizeof fds);
		poll(fds, f.watch_count, 10);
		settle(&f);
	}
	for (double limit = seconds() + 20; pthread_tryjoin_np(reader, NULL) != 0;) {
		settle(&f);
		CU_ASSERT_FATAL(seconds() < limit);
	}
	CU_ASSERT_EQUAL(statistics(&f).lost, 0);
	stop(&f);
}

static void console_output_that_breaks_is_given_up(void)
{
	struct fixture f;
	signal(SIGPIPE, SIG_IGN);
	start(&f, false);
	close(f.output[0]);
	guest_writes(&f, "nobody");
	settle(&f);
	const double before = seconds();
	for (unsigned i = 0; i < 2 * CONSOLE_RING_BYTES; i++)
		console_write(f.console, 'x');
	CU_ASSERT(seconds() - before < 2.0);
	settle(&f);
	f.output[0] = dup(f.output[1]);
	stop(&f);
}

static int listener(char folder[64], struct sockaddr_un *name)
{
	snprintf(folder, 64, "/tmp/test_console.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	*name = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(name->sun_path, sizeof name->sun_path, "%s/serial", folder);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)name, sizeof *name), 0);
	CU_ASSERT_EQUAL_FATAL(listen(fd, 4), 0);
	return fd;
}

static int connected(const struct sockaddr_un *name)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (const struct sockaddr *)name, sizeof *name), 0);
	return fd;
}

static void console_socket_keeps_output_for_who_comes_later(void)
{
	struct fixture f;
	char folder[64];
	struct sockaddr_un name;
	memset(&f, 0, sizeof f);
	f.room = sizeof f.received;
	const int fd = listener(folder, &name);
	const struct console_config config = {.input_fd = -1, .output_fd = -1, .listen_fd = fd};
	create(&f, &config);
	guest_writes(&f, "early");
	settle(&f);
	const int first = connected(&name);
	settle(&f);
	CU_ASSERT(reader_has(first, "early"));
	CU_ASSERT_EQUAL(write(first, "root\n", 5), 5);
	settle(&f);
	CU_ASSERT_EQUAL(memcmp(f.received, "root\n", 5), 0);
	const int second = connected(&name); /* waits for the first to go */
	guest_writes(&f, "one");
	settle(&f);
	CU_ASSERT(reader_has(first, "one"));
	close(first);
	settle(&f);
	guest_writes(&f, "two");
	settle(&f);
	CU_ASSERT(reader_has(second, "two"));
	close(second);
	settle(&f);
	console_destroy(f.console);
	CU_ASSERT_EQUAL(f.watch_count, 0);
	close(fd);
	unlink(name.sun_path);
	rmdir(folder);
}

static void console_socket_without_reader_keeps_the_newest_and_counts(void)
{
	struct fixture f;
	char folder[64];
	struct sockaddr_un name;
	memset(&f, 0, sizeof f);
	const int fd = listener(folder, &name);
	const struct console_config config = {.input_fd = -1, .output_fd = -1, .listen_fd = fd};
	create(&f, &config);
	const double before = seconds();
	for (unsigned i = 0; i < CONSOLE_RING_BYTES + 7; i++)
		console_write(f.console, i < 7 ? 'o' : 'n');
	CU_ASSERT(seconds() - before < 1.0);
	CU_ASSERT_EQUAL(statistics(&f).lost, 7);
	const int client = connected(&name);
	settle(&f);
	char start_of_it[64] = {0};
	CU_ASSERT(read(client, start_of_it, 42) == 42);
	CU_ASSERT_STRING_EQUAL(start_of_it, "\r\n[console: 7 bytes of output lost]\r\nnnnnn");
	close(client);
	settle(&f);
	console_destroy(f.console);
	close(fd);
	unlink(name.sun_path);
	rmdir(folder);
}

/* ---- the terminal -------------------------------------------------------------------------- */

/* Run `leave` in a child whose terminal is a pty made raw; true if it is as before then. */
static bool terminal_is_restored_after(void (*leave)(void), bool *was_raw)
{
	struct termios before;
	struct termios raw;
	struct termios after;
	int channel[2];
	int master;
	char byte = 0;
	CU_ASSERT_EQUAL_FATAL(pipe(channel), 0);
	fflush(NULL);
	const pid_t child = forkpty(&master, NULL, NULL, NULL);
	if (child == 0) {
		byte = terminal_raw(STDIN_FILENO) ? 'r' : 'n';
		(void)!write(channel[1], &byte, 1);
		if (read(STDIN_FILENO, &byte, 1) == 1)
			leave();
		_exit(9);
	}
	/* A fresh pty's settings are the ones that the child found. */
	int other_master;
	int other_slave;
	CU_ASSERT_EQUAL_FATAL(openpty(&other_master, &other_slave, NULL, NULL, NULL), 0);
	tcgetattr(other_slave, &before);
	CU_ASSERT_EQUAL(read(channel[0], &byte, 1), 1);
	tcgetattr(master, &raw);
	*was_raw = byte == 'r' && !(raw.c_lflag & (ICANON | ECHO | ISIG)) && raw.c_oflag & OPOST;
	CU_ASSERT_EQUAL(write(master, "!", 1), 1);
	waitpid(child, NULL, 0);
	const bool is_read = tcgetattr(master, &after) == 0;
	close(master);
	close(other_master);
	close(other_slave);
	close(channel[0]);
	close(channel[1]);
	return is_read && after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag &&
	       after.c_cflag == before.c_cflag;
}

static void leave_by_exit(void)
{
	exit(0);
}

static void leave_by_abort(void)
{
	abort();
}

static void leave_by_signal(void)
{
	raise(SIGQUIT);
}

static void leave_by_restore(void)
{
	terminal_restore();
	_exit(0);
}

static void terminal_is_raw_and_restored_on_each_way_out(void)
{
	void (*const ways[])(void) = {
		leave_by_exit, leave_by_abort, leave_by_signal, leave_by_restore};
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		bool was_raw = false;
		CU_ASSERT(terminal_is_restored_after(ways[i], &was_raw));
		CU_ASSERT(was_raw);
	}
}

static void terminal_leaves_what_is_no_terminal_alone(void)
{
	const int fd = open("/dev/null", O_RDONLY);
	CU_ASSERT_FALSE(terminal_raw(fd));
	terminal_restore();
	close(fd);
}

static const struct test tests[] = {
	TEST(console_shows_what_the_guest_writes),
	TEST(console_gives_the_guest_what_is_typed),
	TEST(console_obeys_escape_sequences),
	TEST(console_reads_no_further_than_the_guest_can_take),
	TEST(console_input_may_end),
	TEST(console_is_not_held_up_by_a_slow_reader),
	TEST(console_waits_for_a_reader_that_moves),
	TEST(console_output_that_breaks_is_given_up),
	TEST(console_socket_keeps_output_for_who_comes_later),
	TEST(console_socket_without_reader_keeps_the_newest_and_counts),
	TEST(terminal_is_raw_and_restored_on_each_way_out),
	TEST(terminal_leaves_what_is_no_terminal_alone),
};
TEST_MAIN("console", tests)
