// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket: a Unix stream socket of the owner alone (mode 0600) on which
 * clients send requests, one a line, and get answers, one a line.
 *
 *	clients <-> control_socket <-> a function from line to line (control.h)
 *		         |
 *		    event loop, through struct control_loop
 *
 * Bounds: CONTROL_CLIENTS_MAX clients, lines of CONTROL_LINE_MAX_BYTES, and
 * CONTROL_OUTPUT_MAX_BYTES of answers that a client has not read. A client past one of
 * them is told, where it can be, and dropped; the others notice nothing.
 *
 * Owns its descriptors and the socket's name, which it removes at the end if it is still
 * its own. Threads: everything on the loop's thread.
 */
#ifndef HOST_VMWP_CONTROL_SOCKET_H
#define HOST_VMWP_CONTROL_SOCKET_H

#include "host/vmwp/control.h"

#include <stdint.h>

#define CONTROL_CLIENTS_MAX	 8u
#define CONTROL_OUTPUT_MAX_BYTES (1024u * 1024u)

/*
 * What the socket needs of an event loop. Events are those of poll(2), level-like. Once
 * fd_remove has returned, the function is not called any more for that descriptor; it may
 * be called from within it.
 */
struct control_loop {
	void *ctx;
	/* 0 or a negative errno */
	int (*fd_add)(void *ctx, int fd, uint32_t events,
		void (*fn)(void *fn_ctx, int fd, uint32_t events), void *fn_ctx);
	int (*fd_modify)(void *ctx, int fd, uint32_t events);
	void (*fd_remove)(void *ctx, int fd);
};

/*
 * Answer a line (no newline, any bytes): a malloc'ed string without newline, or NULL with the
 * ticket taken: control_socket_answer() follows, not from within this call.
 */
typedef char *(*control_line_fn)(
	void *ctx, const char *line, size_t len, struct control_ticket *ticket);

struct control_socket;

struct control_socket_statistics {
	unsigned clients; /* now */
	uint64_t accepted;
	uint64_t refused;  /* no free place */
	uint64_t requests; /* lines answered */
	uint64_t dropped;  /* clients past a bound */
};

/*
 * Listen at `path` (borrowed during the call; at most 107 bytes) and serve on `loop`
 * (copied). A socket there that nobody listens on is replaced; one with a live worker, or
 * a file of another kind, is not touched: -EADDRINUSE, -EEXIST. Returns 0, or a negative
 * errno with *error saying what to do.
 */
int control_socket_create(const char *path, const struct control_loop *loop, control_line_fn handle,
	void *ctx, struct control_socket **out, struct control_error *error);

/* Stop, drop all clients, remove the socket's name. NULL is nothing. */
void control_socket_destroy(struct control_socket *socket);

/*
 * The answer to a ticket that was taken; the ticket is used up, and `result` with it (NULL:
 * *error says what went wrong). Until then the client's further lines wait. A client that has
 * gone meanwhile is nothing, and so is a NULL socket.
 */
void control_socket_answer(struct control_socket *socket, struct control_ticket *ticket,
	json_t *result, const struct control_error *error);

/*
 * Call `gone` with the number of each connection (control_ticket.connection) that ends, from here
 * to control_socket_destroy(), which calls it no more. It may answer tickets of others.
 */
void control_socket_gone_set(
	struct control_socket *socket, void (*gone)(void *ctx, uint64_t connection), void *ctx);

void control_socket_statistics_get(
	const struct control_socket *socket, struct control_socket_statistics *out);

#endif
