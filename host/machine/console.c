// SPDX-License-Identifier: Apache-2.0
/* The console: see console.h. Absolute counters; ring positions are these modulo its size. */
#include "host/machine/console.h"

#include "host/machine/console_escape.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES 4096u
/* A ring full, and a notice before and behind it. */
#define CHUNKS_OF_FLUSH (CONSOLE_RING_BYTES / CHUNK_BYTES + 2)
#define INPUT_BYTES	256u
#define FLUSH_LIMIT_MS	1000
/* Output waits this long for more of it: the loop is not to wake up for each character. */
#define GATHER_NS 1000000
#define NOW_NS	  1 /* 0 would disarm */

static const char help_text[] = "\r\n"
				"Ctrl-A x       end the worker\r\n"
				"Ctrl-A h       this help\r\n"
				"Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

struct console {
	struct console_callbacks callbacks;
	bool has_escape, is_escaped;
	int wake_fd; /* owned: VP threads to the loop; a timerfd */

	/* loop thread */
	int input_fd, output_fd, listen_fd;
	int own_output_fd; /* owned: output_fd opened again, non-blocking; or the client */
	bool is_output_file, is_output_socket, is_output_polled;
	uint8_t input[INPUT_BYTES]; /* for the guest, not taken yet */
	size_t input_count;
	bool is_input_over;

	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t space;
	uint64_t head, tail; /* bytes taken out, put in */
	uint64_t lost_untold;
	bool has_reader;
	bool is_stalled; /* a VP has waited in vain since the reader last moved */
	bool is_woken;	 /* wake_fd is armed or due, and was not read yet; */
	bool is_urgent;	 /* due at once */
	bool has_room;	 /* console_room() was called */
	struct console_statistics statistics;
	uint8_t ring[CONSOLE_RING_BYTES];
};

static void wake(struct console *console, bool is_urgent)
{
	const struct itimerspec timer = {.it_value.tv_nsec = is_urgent ? NOW_NS : GATHER_NS};
	if (console->is_woken && (console->is_urgent || !is_urgent))
		return;
	console->is_woken = true;
	console->is_urgent = is_urgent;
	timerfd_settime(console->wake_fd, 0, &timer, NULL);
}

/* ---- VP threads ---------------------------------------------------------------------------- */

/* Wait for the reader, once; true if there is room then. */
static bool space_wait(struct console *console)
{
	struct timespec limit;
	if (!console->has_reader || console->is_stalled)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_nsec += CONSOLE_STALL_MS * 1000000L;
	limit.tv_sec += limit.tv_nsec / 1000000000L;
	limit.tv_nsec %= 1000000000L;
	wake(console, true);
	while (console->tail - console->head == CONSOLE_RING_BYTES) {
		if (pthread_cond_clockwait(
			    &console->space, &console->lock, CLOCK_MONOTONIC, &limit) != 0) {
			console->is_stalled = true;
			return false;
		}
	}
	return true;
}

void console_write(struct console *console, uint8_t byte)
{
	pthread_mutex_lock(&console->lock);
	if (console->tail - console->head == CONSOLE_RING_BYTES && !space_wait(console)) {
		console->head++;
		console->lost_untold++;
		console->statistics.lost++;
	}
	console->ring[console->tail++ % CONSOLE_RING_BYTES] = byte;
	console->statistics.written++;
	if (console->has_reader && !console->is_stalled)
		wake(console, console->tail - console->head >= CONSOLE_RING_BYTES / 2);
	pthread_mutex_unlock(&console->lock);
}

void console_room(struct console *console)
{
	pthread_mutex_lock(&console->lock);
	console->has_room = true;
	wake(console, true);
	pthread_mutex_unlock(&console->lock);
}

/* ---- output, loop thread ------------------------------------------------------------------- */

static int output_fd(const struct console *console)
{
	return console->own_output_fd >= 0 ? console->own_output_fd : console->output_fd;
}

static ssize_t output_write(const struct console *console, const void *bytes, size_t count)
{
	ssize_t n;
	do {
		n = console->is_output_socket
			    ? send(output_fd(console), bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT)
			    : write(output_fd(console), bytes, count);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* What goes out next: a notice of what was lost, or bytes of the ring; with their place in it. */
static size_t chunk_take(struct console *console, uint8_t *chunk, uint64_t *at, uint64_t *lost)
{
	size_t count = 0;
	pthread_mutex_lock(&console->lock);
	*at = console->head;
	*lost = console->lost_untold;
	if (*lost > 0) {
		const int n = snprintf((char *)chunk, CHUNK_BYTES,
			"\r\n[console: %llu bytes of output lost]\r\n", (unsigned long long)*lost);
		count = n > 0 ? (size_t)n : 0;
	}
	while (*lost == 0 && count < CHUNK_BYTES && *at + count < console->tail) {
		chunk[count] = console->ring[(*at + count) % CONSOLE_RING_BYTES];
		count++;
	}
	pthread_mutex_unlock(&console->lock);
	return count;
}

static void chunk_done(struct console *console, uint64_t end, uint64_t lost)
{
	pthread_mutex_lock(&console->lock);
	console->lost_untold -= lost;
	if (end > console->head)
		console->head = end;
	console->is_stalled = false;
	pthread_cond_broadcast(&console->space);
	pthread_mutex_unlock(&console->lock);
}

/* One descriptor may be polled for both: a client's. */
static void poll_update(struct console *console)
{
	const bool wants_input = !console->is_input_over && console->input_count == 0;
	const uint32_t out = console->is_output_polled ? POLLOUT : 0;
	const struct console_callbacks *callbacks = &console->callbacks;
	if (console->listen_fd >= 0) {
		if (console->own_output_fd >= 0)
			callbacks->poll_set(callbacks->ctx, console->own_output_fd,
				(wants_input ? POLLIN | POLLRDHUP : 0) | out);
		return;
	}
	if (console->input_fd >= 0)
		callbacks->poll_set(callbacks->ctx, console->input_fd, wants_input ? POLLIN : 0);
	if (console->output_fd >= 0 && !console->is_output_file)
		callbacks->poll_set(callbacks->ctx, console->output_fd, out);
}

static void reader_set(struct console *console, bool has_reader)
{
	pthread_mutex_lock(&console->lock);
	console->has_reader = has_reader;
	console->is_stalled = false;
	pthread_cond_broadcast(&console->space);
	pthread_mutex_unlock(&console->lock);
}

static void reader_lost(struct console *console)
{
	const struct console_callbacks *callbacks = &console->callbacks;
	reader_set(console, false);
	console->is_output_polled = false;
	if (console->listen_fd < 0)
		return;
	callbacks->poll_set(callbacks->ctx, console->own_output_fd, 0);
	close(console->own_output_fd);
	console->own_output_fd = -1;
	console->input_count = 0;
	callbacks->poll_set(callbacks->ctx, console->listen_fd, POLLIN);
}

/*
 * Write until there is nothing left, or the reader wants no more for now; but not more than
 * there was, for a guest that goes on writing must not keep the loop here.
 */
static void output_flush(struct console *console)
{
	uint8_t chunk[CHUNK_BYTES];
	uint64_t at;
	uint64_t lost;
	bool is_full = false;
	for (unsigned chunks = 0; output_fd(console) >= 0 && !is_full; chunks++) {
		if (chunks == CHUNKS_OF_FLUSH) {
			pthread_mutex_lock(&console->lock);
			wake(console, true);
			pthread_mutex_unlock(&console->lock);
			break;
		}
		const size_t count = chunk_take(console, chunk, &at, &lost);
		if (count == 0)
			break;
		const ssize_t n = output_write(console, chunk, count);
		if (n < 0 && errno != EAGAIN) {
			reader_lost(console);
			return;
		}
		is_full = n < (ssize_t)count;
		if (n > 0)
			chunk_done(console, lost > 0 ? at : at + (uint64_t)n, lost);
	}
	if (is_full != console->is_output_polled) {
		console->is_output_polled = is_full;
		poll_update(console);
	}
}

/* ---- input, loop thread -------------------------------------------------------------------- */

static void input_give(struct console *console)
{
	if (console->input_count == 0)
		return;
	const size_t taken = console->callbacks.receive(
		console->callbacks.ctx, console->input, console->input_count);
	console->input_count -= taken;
	memmove(console->input, console->input + taken, console->input_count);
	pthread_mutex_lock(&console->lock);
	console->statistics.received += taken;
	pthread_mutex_unlock(&console->lock);
}

/* Obey escape sequences, keep the rest. */
static void input_filter(struct console *console, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const enum console_key key =
			console->has_escape ? console_escape_next(&console->is_escaped, bytes[i])
					    : CONSOLE_KEY_GUEST;
		if (key == CONSOLE_KEY_GUEST)
			console->input[console->input_count++] = bytes[i];
		else if (key == CONSOLE_KEY_QUIT)
			console->callbacks.quit(console->callbacks.ctx);
		else if (key == CONSOLE_KEY_HELP)
			(void)output_write(console, help_text, sizeof help_text - 1);
	}
}

static void input_read(struct console *console, int fd)
{
	uint8_t bytes[INPUT_BYTES];
	if (console->input_count > 0)
		return;
	const ssize_t n = read(fd, bytes, sizeof bytes);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		input_filter(console, bytes, (size_t)n);
		input_give(console);
		poll_update(console);
	} else if (console->listen_fd >= 0) {
		reader_lost(console);
	} else {
		console->is_input_over = true;
		poll_update(console);
	}
}

static void on_wake(struct console *console)
{
	uint64_t count;
	(void)!read(console->wake_fd, &count, sizeof count);
	pthread_mutex_lock(&console->lock);
	console->is_woken = console->is_urgent = false;
	const bool has_room = console->has_room;
	console->has_room = false;
	pthread_mutex_unlock(&console->lock);
	output_flush(console);
	if (has_room && console->input_count > 0) {
		input_give(console);
		poll_update(console);
	}
}

static void on_listener(struct console *console)
{
	const struct console_callbacks *callbacks = &console->callbacks;
	const int fd = accept4(console->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	console->own_output_fd = fd;
	callbacks->poll_set(callbacks->ctx, console->listen_fd, 0); /* the next one waits */
	reader_set(console, true);
	poll_update(console);
	output_flush(console);
}

bool console_on_ready(struct console *console, int fd, uint32_t events)
{
	if (fd == console->wake_fd) {
		on_wake(console);
	} else if (fd == console->listen_fd && fd >= 0) {
		on_listener(console);
	} else if (fd >= 0 && (fd == console->own_output_fd || fd == console->output_fd ||
				      fd == console->input_fd)) {
		if (events & (POLLOUT | POLLERR) && fd != console->input_fd)
			output_flush(console);
		const bool is_input = fd == console->input_fd ||
				      (fd == console->own_output_fd && console->listen_fd >= 0);
		if (is_input && events & POLLHUP && console->input_count > 0)
			console->input_count = 0; /* nobody is left who would miss it */
		if (is_input && events & (POLLIN | POLLHUP | POLLERR | POLLRDHUP))
			input_read(console, fd);
	} else {
		return false;
	}
	return true;
}

/* ---- life ---------------------------------------------------------------------------------- */

/*
 * Others may share the descriptor (a shell its terminal), so it must not be made non-blocking;
 * opened again it is ours alone. A file needs no such care: writing to it never waits.
 */
static void output_open(struct console *console)
{
	struct stat st;
	char path[64];
	if (console->output_fd < 0 || fstat(console->output_fd, &st) != 0)
		return;
	console->is_output_file = S_ISREG(st.st_mode);
	console->is_output_socket = S_ISSOCK(st.st_mode);
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", console->output_fd);
	const int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	console->own_output_fd = fd;
	console->output_fd = fd;
}

int console_create(const struct console_config *config, const struct console_callbacks *callbacks,
	struct console **out)
{
	struct console *console = calloc(1, sizeof *console);
	if (!console)
		return -ENOMEM;
	console->callbacks = *callbacks;
	console->has_escape = config->has_escape;
	console->input_fd = config->input_fd;
	console->output_fd = config->output_fd;
	console->listen_fd = config->listen_fd;
	console->own_output_fd = -1;
	console->has_reader = config->output_fd >= 0;
	console->is_output_socket = config->listen_fd >= 0;
	pthread_mutex_init(&console->lock, NULL);
	pthread_cond_init(&console->space, NULL);
	output_open(console);
	console->wake_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int error = console->wake_fd < 0 ? -errno : 0;
	if (error == 0)
		error = callbacks->poll_set(callbacks->ctx, console->wake_fd, POLLIN);
	if (error == 0 && config->listen_fd >= 0)
		error = callbacks->poll_set(callbacks->ctx, config->listen_fd, POLLIN);
	if (error != 0) {
		console_destroy(console);
		return error;
	}
	poll_update(console);
	*out = console;
	return 0;
}

static void flush_last(struct console *console)
{
	struct timespec start;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &start);
	output_flush(console);
	while (console->is_output_polled && output_fd(console) >= 0) {
		struct pollfd pollfd = {.fd = output_fd(console), .events = POLLOUT};
		clock_gettime(CLOCK_MONOTONIC, &now);
		const long spent = (now.tv_sec - start.tv_sec) * 1000 +
				   (now.tv_nsec - start.tv_nsec) / 1000000;
		if (spent >= FLUSH_LIMIT_MS || poll(&pollfd, 1, FLUSH_LIMIT_MS - (int)spent) <= 0)
			break;
		output_flush(console);
	}
}

void console_destroy(struct console *console)
{
	if (!console)
		return;
	const struct console_callbacks *callbacks = &console->callbacks;
	const int fds[] = {console->wake_fd, console->listen_fd, console->input_fd,
		console->is_output_file ? -1 : output_fd(console)};
	if (console->wake_fd >= 0)
		flush_last(console);
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
		if (fds[i] >= 0)
			callbacks->poll_set(callbacks->ctx, fds[i], 0);
	}
	if (console->wake_fd >= 0)
		close(console->wake_fd);
	if (console->own_output_fd >= 0)
		close(console->own_output_fd);
	pthread_cond_destroy(&console->space);
	pthread_mutex_destroy(&console->lock);
	free(console);
}

void console_statistics_get(struct console *console, struct console_statistics *out)
{
	pthread_mutex_lock(&console->lock);
	*out = console->statistics;
	pthread_mutex_unlock(&console->lock);
}
