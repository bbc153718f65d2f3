// SPDX-License-Identifier: Apache-2.0
/*
 * A file of this machine that is read from start to end while the loop goes on: two pieces,
 * one being used while the next one is read by io_uring, which waits for a slow disk in our
 * place.
 *
 * The file must not change: it is looked at (size, time of modification) before the first
 * piece, after each and at the end.
 *
 * Threads: the loop's.
 */
#ifndef HOST_VMWP_WORKER_COPY_SOURCE_H
#define HOST_VMWP_WORKER_COPY_SOURCE_H

#include "host/vmwp/loop.h"

#include <stddef.h>
#include <sys/stat.h>

/* One piece: a multiple of what is asked for at a time, so that no read is of two pieces. */
#define COPY_SOURCE_READ_BYTES	6144u
#define COPY_SOURCE_PIECE_BYTES (85u * COPY_SOURCE_READ_BYTES)

enum copy_piece_state {
	COPY_PIECE_EMPTY,
	COPY_PIECE_READING,
	COPY_PIECE_LOOKING, /* at the file, after it was read */
	COPY_PIECE_READY,   /* with bytes, or an error */
};

struct copy_source;

struct copy_piece {
	struct loop_completion done; /* first */
	struct copy_source *source;
	enum copy_piece_state state;
	uint64_t number; /* the file's first is 0 */
	size_t bytes;	 /* of the file; 0: a look alone */
	size_t filled;
	int error;
	struct statx seen;
	uint8_t *at; /* in the source's buffer */
};

struct copy_source {
	struct loop *loop;
	int fd; /* owned; -1: closed */
	/* The first look has come, with 0 or a negative errno; -EINVAL: no regular file. */
	void (*opened)(void *ctx, int error, uint64_t size_bytes);
	/* What copy_source_read() put off is there. */
	void (*ready)(void *ctx);
	void *ctx;
	bool is_opened;
	bool is_closing;     /* what is in flight has to come back first */
	bool is_wanted;	     /* a read was put off */
	unsigned in_flight;  /* completions that will come */
	uint64_t size_bytes; /* at the first look */
	struct statx first;
	struct copy_piece look;	     /* the first and the last */
	struct copy_piece pieces[2]; /* number N is in N % 2 */
	uint8_t *buffer;	     /* owned */
};

/* Closed. */
void copy_source_init(struct copy_source *source);

/* Is it closed, and nothing in flight? */
bool copy_source_is_closed(const struct copy_source *source);

/*
 * Begin to look at `fd`, which is the source's from here on. `opened` follows, from the loop, once,
 * unless it is closed before. 0; -ENOMEM, -EAGAIN: nothing was taken. It must be closed.
 */
int copy_source_open(struct copy_source *source, struct loop *loop, int fd,
	void (*opened)(void *ctx, int error, uint64_t size_bytes), void (*ready)(void *ctx),
	void *ctx);

/*
 * Up to COPY_SOURCE_READ_BYTES from `offset`, in order, each time so many but for the last;
 * and at last 0 bytes, at the end. 0: they are at `to`; -EAGAIN: ready() follows; -ENODATA: the
 * file has become shorter; -ESTALE: it was changed; or what the kernel says.
 */
int copy_source_read(struct copy_source *source, uint64_t offset, uint8_t *to, size_t bytes);

/* Close it, at the latest when what is in flight has come back. Calls nothing back. */
void copy_source_close(struct copy_source *source);

#endif
