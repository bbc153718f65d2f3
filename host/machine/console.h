// SPDX-License-Identifier: Apache-2.0
/*
 * The console: what stands at the other end of the guest's serial port. A terminal or a pipe,
 * a file, or whoever connects to a socket.
 *
 *	VP thread: console_write() -> ring of CONSOLE_RING_BYTES -> loop thread -> descriptor
 *	descriptor -> loop thread -> (escape sequences) -> receive() -> serial port
 *
 * A reader that does not keep up cannot hold up the guest: when the ring is full, a VP waits
 * for at most CONSOLE_STALL_MS, once until the reader moves again; then the oldest output is
 * lost, counted, and the reader told so in its place. Where nobody is connected nothing waits.
 *
 * Threads: console_write() and console_room() on any; all else on the loop thread.
 */
#ifndef HOST_MACHINE_CONSOLE_H
#define HOST_MACHINE_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_RING_BYTES 65536u
#define CONSOLE_STALL_MS   100u

struct console;

/* Descriptors are borrowed; -1: none. */
struct console_config {
	int input_fd;
	int output_fd;
	int listen_fd;	 /* a listening stream socket, instead of both */
	bool has_escape; /* Ctrl-A sequences are obeyed */
};

struct console_callbacks {
	/* Poll `fd` for these poll(2) events, level-like, from now on; 0: stop. 0 or -errno. */
	int (*poll_set)(void *ctx, int fd, uint32_t events);
	/* Bytes for the guest; returns how many were taken. If not all, console_room() follows. */
	size_t (*receive)(void *ctx, const uint8_t *bytes, size_t count);
	/* The person at the console wants to end. */
	void (*quit)(void *ctx);
	void *ctx;
};

/* 0 or a negative errno with nothing made. */
int console_create(const struct console_config *config, const struct console_callbacks *callbacks,
	struct console **out);
/* Writes what is left, for at most a second. NULL is nothing. */
void console_destroy(struct console *console);

/* A polled descriptor is ready. True if it was one of the console's. */
bool console_on_ready(struct console *console, int fd, uint32_t events);

/* The guest has sent a byte. [any thread] */
void console_write(struct console *console, uint8_t byte);
/* The guest can receive again. [any thread] */
void console_room(struct console *console);

struct console_statistics {
	uint64_t written; /* by the guest */
	uint64_t lost;	  /* of these, never shown */
	uint64_t received;
};
void console_statistics_get(struct console *console, struct console_statistics *out);

#endif
