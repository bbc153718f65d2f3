// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket's clients: lines in, lines out, all bounds. See control_socket.h.
 * The name in the file system is control_listen.c's.
 */
#include "host/vmwp/control_socket.h"

#include "host/vmwp/control_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* First size of a client's line buffer; it doubles up to a whole line and its newline. */
#define INPUT_FIRST_BYTES 1024u
#define INPUT_MAX_BYTES	  (CONTROL_LINE_MAX_BYTES + 1u)

struct client {
	struct control_socket *socket; /* borrowed: its owner */
	int fd;			       /* -1: free place */
	uint32_t events;	       /* that the loop watches for it */
	bool is_closing;	       /* take no more; go when the output is out */
	bool is_waiting; /* its line will be answered later: take no more until then */
	uint64_t serial; /* of its last line */
	int passed_fd;	 /* that came with a line, and waits for its command; or -1 */
	uint64_t connection;
	char *input; /* owned */
	size_t input_bytes;
	size_t input_size;
	char *output; /* owned */
	size_t output_bytes;
	size_t output_sent;
	size_t output_size;
};

struct control_socket {
	struct control_loop loop;
	control_line_fn handle;
	void *ctx;
	struct control_listener listener;
	int spare_fd; /* given up to accept, and refuse, when descriptors run out */
	struct client clients[CONTROL_CLIENTS_MAX];
	uint64_t serial;			      /* of the last line */
	void (*gone)(void *ctx, uint64_t connection); /* or NULL */
	void *gone_ctx;
	struct control_socket_statistics statistics;
};

static void passed_fd_close(struct client *client)
{
	if (client->passed_fd >= 0)
		close(client->passed_fd);
	client->passed_fd = -1;
}

static void client_remove(struct client *client)
{
	struct control_socket *control = client->socket;
	control->loop.fd_remove(control->loop.ctx, client->fd);
	close(client->fd);
	passed_fd_close(client);
	free(client->input);
	free(client->output);
	const uint64_t connection = client->connection;
	*client = (struct client){.socket = control, .fd = -1, .passed_fd = -1};
	control->statistics.clients--;
	if (control->gone != NULL)
		control->gone(control->gone_ctx, connection);
}

/* --- output ------------------------------------------------------------------------------- */

static size_t output_pending(const struct client *client)
{
	return client->output_bytes - client->output_sent;
}

/* Queue `len` bytes; false if that is past the bound, or memory ran out. */
static bool output_add(struct client *client, const char *bytes, size_t len)
{
	if (output_pending(client) + len > CONTROL_OUTPUT_MAX_BYTES)
		return false;
	if (client->output_sent > 0) {
		memmove(client->output, client->output + client->output_sent,
			output_pending(client));
		client->output_bytes -= client->output_sent;
		client->output_sent = 0;
	}
	if (client->output_bytes + len > client->output_size) {
		char *larger = realloc(client->output, client->output_bytes + len);
		if (larger == NULL)
			return false;
		client->output = larger;
		client->output_size = client->output_bytes + len;
	}
	memcpy(client->output + client->output_bytes, bytes, len);
	client->output_bytes += len;
	return true;
}

/* Write what the kernel takes. False: the client has gone. */
static bool output_flush(struct client *client)
{
	while (output_pending(client) > 0) {
		ssize_t n = send(client->fd, client->output + client->output_sent,
			output_pending(client), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		client->output_sent += (size_t)n;
	}
	free(client->output);
	client->output = NULL;
	client->output_bytes = client->output_sent = client->output_size = 0;
	return true;
}

static bool answer_line(struct client *client, const char *line, size_t len)
{
	struct control_socket *control = client->socket;
	struct control_ticket ticket = {
		.client = (unsigned)(client - control->clients),
		.serial = ++control->serial,
		.connection = client->connection,
	};
	client->serial = ticket.serial;
	ticket.passed_fd = &client->passed_fd;
	char *answer = control->handle(control->ctx, line, len, &ticket);
	passed_fd_close(client); /* if the command had no use for it */
	client->is_waiting = ticket.is_taken;
	if (answer == NULL)
		return client->is_waiting;
	control->statistics.requests++;
	bool is_queued = output_add(client, answer, strlen(answer)) && output_add(client, "\n", 1);
	free(answer);
	return is_queued;
}

/* --- input -------------------------------------------------------------------------------- */

/* Answer every whole line of the input, and keep the rest. False: drop the client. */
static bool input_consume(struct client *client)
{
	size_t start = 0;
	while (!client->is_closing && !client->is_waiting) {
		char *line = client->input + start;
		char *end = memchr(line, '\n', client->input_bytes - start);
		if (end == NULL)
			break;
		size_t len = (size_t)(end - line);
		start += len + 1;
		if (!answer_line(client, line, len))
			return false;
	}
	client->input_bytes -= start;
	memmove(client->input, client->input + start, client->input_bytes);
	if (client->input_bytes < INPUT_MAX_BYTES || client->is_closing || client->is_waiting)
		return true;
	/* A line that never ends: say so by the same words as for any long line, and part. */
	client->is_closing = true;
	client->socket->statistics.dropped++;
	return answer_line(client, client->input, client->input_bytes);
}

static bool input_make_room(struct client *client)
{
	if (client->input_bytes < client->input_size)
		return true;
	size_t size = client->input_size == 0 ? INPUT_FIRST_BYTES : client->input_size * 2;
	if (size > INPUT_MAX_BYTES)
		size = INPUT_MAX_BYTES;
	char *larger = realloc(client->input, size);
	if (larger == NULL)
		return false;
	client->input = larger;
	client->input_size = size;
	return true;
}

/*
 * recv() with a descriptor, if one comes along: the last one is kept for the line's command. More
 * than fit in the message the kernel closes.
 */
static ssize_t input_receive(struct client *client, void *bytes, size_t size)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec data = {.iov_base = bytes, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};
	const ssize_t n = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = n >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return n;
	/* For the sake of alignment there may be room for one more. */
	for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= header->cmsg_len; at += sizeof(int)) {
		passed_fd_close(client);
		memcpy(&client->passed_fd, CMSG_DATA(header) + at, sizeof client->passed_fd);
	}
	return n;
}

/* Read once: the loop calls again while there is more. False: drop the client. */
static bool input_read(struct client *client)
{
	if (!input_make_room(client))
		return false;
	ssize_t n = input_receive(client, client->input + client->input_bytes,
		client->input_size - client->input_bytes);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0) {
		client->is_closing = true;
		return true;
	}
	client->input_bytes += (size_t)n;
	if (input_consume(client))
		return true;
	client->socket->statistics.dropped++;
	return false;
}

static void client_watch(struct client *client)
{
	struct control_socket *control = client->socket;
	/* Who waits is watched for its end: that comes with any event, also with one that never
	 * does. */
	uint32_t events = client->is_waiting ? POLLPRI : client->is_closing ? 0 : POLLIN;
	if (output_pending(client) > 0)
		events |= POLLOUT;
	if (events == client->events)
		return;
	client->events = events;
	if (control->loop.fd_modify(control->loop.ctx, client->fd, events) != 0)
		client_remove(client);
}

static void on_client(void *ctx, int fd, uint32_t events)
{
	struct client *client = ctx;
	(void)fd;
	bool is_alive = (events & POLLERR) == 0;
	if (client->is_waiting && (events & POLLHUP) != 0)
		is_alive = false; /* nobody waits any more */
	if (is_alive && (events & (POLLIN | POLLHUP)) != 0 && !client->is_closing)
		is_alive = input_read(client);
	if (is_alive)
		is_alive = output_flush(client);
	if (!is_alive || (client->is_closing && output_pending(client) == 0))
		client_remove(client);
	else if (client->is_closing && (events & POLLHUP) != 0)
		client_remove(client); /* nobody is left to read it */
	else
		client_watch(client);
}

void control_socket_answer(struct control_socket *control, struct control_ticket *ticket,
	json_t *result, const struct control_error *error)
{
	char *answer = control_ticket_answer(ticket, result, error);
	struct client *client = control != NULL ? &control->clients[ticket->client] : NULL;
	if (client == NULL || client->fd < 0 || !client->is_waiting ||
		client->serial != ticket->serial) {
		free(answer);
		return;
	}
	client->is_waiting = false;
	control->statistics.requests++;
	bool is_alive = answer != NULL && output_add(client, answer, strlen(answer)) &&
			output_add(client, "\n", 1) && input_consume(client) &&
			output_flush(client);
	free(answer);
	if (!is_alive || (client->is_closing && output_pending(client) == 0))
		client_remove(client);
	else
		client_watch(client);
}

/* --- accepting ---------------------------------------------------------------------------- */

static void refuse(struct control_socket *control, int fd)
{
	static const char text[] =
		"{\"id\":null,\"ok\":false,\"error\":\"the worker serves as many control clients "
		"as it can: close one and try again\"}\n";
	control->statistics.refused++;
	(void)send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void admit(struct control_socket *control, int fd)
{
	struct client *client = NULL;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX && client == NULL; i++) {
		if (control->clients[i].fd < 0)
			client = &control->clients[i];
	}
	if (client == NULL ||
		control->loop.fd_add(control->loop.ctx, fd, POLLIN, on_client, client) != 0) {
		refuse(control, fd);
		return;
	}
	client->fd = fd;
	client->events = POLLIN;
	client->connection = ++control->statistics.accepted;
	control->statistics.clients++;
}

static int spare_open(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_listener(void *ctx, int fd, uint32_t events)
{
	struct control_socket *control = ctx;
	(void)events;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client >= 0) {
		admit(control, client);
		return;
	}
	if (errno != EMFILE && errno != ENFILE)
		return;
	/* Out of descriptors: a connection left waiting would keep the loop awake for ever. */
	close(control->spare_fd);
	client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client >= 0)
		refuse(control, client);
	control->spare_fd = spare_open();
}

int control_socket_create(const char *path, const struct control_loop *loop, control_line_fn handle,
	void *ctx, struct control_socket **out, struct control_error *error)
{
	struct control_socket *control = calloc(1, sizeof *control);
	if (control == NULL) {
		control_error_set(error, "control socket '%s': out of memory", path);
		return -ENOMEM;
	}
	control->loop = *loop;
	control->handle = handle;
	control->ctx = ctx;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		control->clients[i] = (struct client){.socket = control, .fd = -1, .passed_fd = -1};
	int result = control_listener_open(&control->listener, path, error);
	if (result != 0)
		goto out_free;
	control->spare_fd = spare_open();
	result = loop->fd_add(loop->ctx, control->listener.fd, POLLIN, on_listener, control);
	if (result != 0) {
		control_error_set(error, "control socket '%s': cannot be watched: %s", path,
			strerror(-result));
		goto out_close;
	}
	*out = control;
	return 0;
out_close:
	close(control->spare_fd);
	control_listener_close(&control->listener);
out_free:
	free(control);
	return result;
}

void control_socket_destroy(struct control_socket *control)
{
	if (control == NULL)
		return;
	control->gone = NULL;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i].fd >= 0)
			client_remove(&control->clients[i]);
	}
	control->loop.fd_remove(control->loop.ctx, control->listener.fd);
	close(control->spare_fd);
	control_listener_close(&control->listener);
	free(control);
}

void control_socket_gone_set(
	struct control_socket *control, void (*gone)(void *ctx, uint64_t connection), void *ctx)
{
	control->gone = gone;
	control->gone_ctx = ctx;
}

void control_socket_statistics_get(
	const struct control_socket *control, struct control_socket_statistics *out)
{
	*out = control->statistics;
}
