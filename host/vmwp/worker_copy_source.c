// SPDX-License-Identifier: Apache-2.0
/*
 * The file of a copy. See worker_copy_source.h.
 */
#include "host/vmwp/worker_copy_source.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MASK (STATX_TYPE | STATX_SIZE | STATX_MTIME)

void copy_source_init(struct copy_source *source)
{
	memset(source, 0, sizeof *source);
	source->fd = -1;
}

bool copy_source_is_closed(const struct copy_source *source)
{
	return source->fd < 0;
}

static void close_now(struct copy_source *source)
{
	uint8_t *buffer = source->buffer;
	close(source->fd);
	copy_source_init(source);
	free(buffer);
}

void copy_source_close(struct copy_source *source)
{
	if (source->fd < 0)
		return;
	source->is_closing = true;
	if (source->in_flight == 0)
		close_now(source);
}

/* ---- what is in flight --------------------------------------------------------------------- */

static void piece_end(struct copy_piece *piece, int error)
{
	struct copy_source *source = piece->source;
	piece->state = COPY_PIECE_READY;
	piece->error = error;
	if (!source->is_wanted)
		return;
	source->is_wanted = false;
	source->ready(source->ctx);
}

static struct io_uring_sqe *sqe_take(struct copy_piece *piece)
{
	struct io_uring_sqe *sqe = loop_sqe(piece->source->loop);
	if (sqe != NULL)
		piece->source->in_flight++;
	return sqe;
}

/* False: the kernel takes nothing. */
static bool look(struct copy_piece *piece)
{
	struct io_uring_sqe *sqe = sqe_take(piece);
	if (sqe == NULL)
		return false;
	piece->state = COPY_PIECE_LOOKING;
	io_uring_prep_statx(sqe, piece->source->fd, "", AT_EMPTY_PATH, LOOK_MASK, &piece->seen);
	io_uring_sqe_set_data(sqe, &piece->done);
	return true;
}

static bool read_on(struct copy_piece *piece)
{
	struct io_uring_sqe *sqe = sqe_take(piece);
	if (sqe == NULL)
		return false;
	piece->state = COPY_PIECE_READING;
	io_uring_prep_read(sqe, piece->source->fd, piece->at + piece->filled,
		(unsigned)(piece->bytes - piece->filled),
		piece->number * COPY_SOURCE_PIECE_BYTES + piece->filled);
	io_uring_sqe_set_data(sqe, &piece->done);
	return true;
}

/* What a look after a read says of the file: 0, -ENODATA, -ESTALE. */
static int what_became_of(const struct copy_source *source, const struct statx *now)
{
	if (now->stx_size < source->first.stx_size)
		return -ENODATA;
	const bool is_as_it_was = now->stx_size == source->first.stx_size &&
				  now->stx_mtime.tv_sec == source->first.stx_mtime.tv_sec &&
				  now->stx_mtime.tv_nsec == source->first.stx_mtime.tv_nsec;
	return is_as_it_was ? 0 : -ESTALE;
}

static void on_first_look(struct copy_source *source, int result)
{
	source->is_opened = true;
	source->look.state = COPY_PIECE_EMPTY;
	source->first = source->look.seen;
	source->size_bytes = source->first.stx_size;
	if (result == 0 && !S_ISREG(source->first.stx_mode))
		result = -EINVAL;
	source->opened(source->ctx, result, source->size_bytes);
}

static void on_read(struct copy_piece *piece, int result)
{
	bool is_on_its_way = true;
	if (result == -EINTR) {
		is_on_its_way = read_on(piece);
	} else if (result <= 0) {
		/* EAGAIN: it was opened so as not to wait; to who reads it would mean "later". */
		piece_end(piece, result == 0 ? -ENODATA : result == -EAGAIN ? -EIO : result);
	} else {
		piece->filled += (size_t)result;
		is_on_its_way = piece->filled < piece->bytes ? read_on(piece) : look(piece);
	}
	if (!is_on_its_way)
		piece_end(piece, -EIO);
}

static void on_done(struct loop_completion *completion, int result, uint32_t flags)
{
	struct copy_piece *piece = (struct copy_piece *)completion;
	struct copy_source *source = piece->source;
	(void)flags;
	source->in_flight--;
	if (source->is_closing) {
		if (source->in_flight == 0)
			close_now(source);
		return;
	}
	if (piece == &source->look && !source->is_opened)
		on_first_look(source, result);
	else if (piece->state == COPY_PIECE_READING)
		on_read(piece, result);
	else
		piece_end(piece, result < 0 ? result : what_became_of(source, &piece->seen));
}

/* ---- the owner ----------------------------------------------------------------------------- */

static void piece_init(struct copy_source *source, struct copy_piece *piece, uint8_t *at)
{
	*piece = (struct copy_piece){.done = {.fn = on_done}, .source = source, .at = at};
}

int copy_source_open(struct copy_source *source, struct loop *loop, int fd,
	void (*opened)(void *ctx, int error, uint64_t size_bytes), void (*ready)(void *ctx),
	void *ctx)
{
	uint8_t *buffer = malloc(2 * COPY_SOURCE_PIECE_BYTES);
	if (buffer == NULL)
		return -ENOMEM;
	*source = (struct copy_source){
		.loop = loop,
		.fd = fd,
		.opened = opened,
		.ready = ready,
		.ctx = ctx,
		.buffer = buffer,
	};
	piece_init(source, &source->look, NULL);
	piece_init(source, &source->pieces[0], buffer);
	piece_init(source, &source->pieces[1], buffer + COPY_SOURCE_PIECE_BYTES);
	if (look(&source->look))
		return 0;
	copy_source_init(source);
	free(buffer);
	return -EAGAIN;
}

/* Have the piece with that number read, if the file has one. */
static void piece_begin(struct copy_source *source, uint64_t number)
{
	struct copy_piece *piece = &source->pieces[number % 2];
	const uint64_t at = number * COPY_SOURCE_PIECE_BYTES;
	piece->state = COPY_PIECE_EMPTY;
	if (at >= source->size_bytes)
		return;
	const uint64_t left = source->size_bytes - at;
	piece->number = number;
	piece->filled = 0;
	piece->bytes = left < COPY_SOURCE_PIECE_BYTES ? (size_t)left : COPY_SOURCE_PIECE_BYTES;
	if (!read_on(piece)) {
		piece->state = COPY_PIECE_READY;
		piece->error = -EIO;
	}
}

static int put_off(struct copy_source *source)
{
	source->is_wanted = true;
	return -EAGAIN;
}

static int last_look(struct copy_source *source)
{
	struct copy_piece *piece = &source->look;
	if (piece->state == COPY_PIECE_READY)
		return piece->error;
	if (piece->state == COPY_PIECE_EMPTY && !look(piece))
		return -EIO;
	return put_off(source);
}

int copy_source_read(struct copy_source *source, uint64_t offset, uint8_t *to, size_t bytes)
{
	const uint64_t number = offset / COPY_SOURCE_PIECE_BYTES;
	const size_t from = (size_t)(offset % COPY_SOURCE_PIECE_BYTES);
	struct copy_piece *piece = &source->pieces[number % 2];
	if (bytes == 0)
		return last_look(source);
	if (offset == 0 && piece->state == COPY_PIECE_EMPTY) {
		piece_begin(source, 0);
		piece_begin(source, 1);
	}
	if (piece->state != COPY_PIECE_READY)
		return put_off(source);
	if (piece->error != 0)
		return piece->error;
	if (piece->number != number || from + bytes > piece->bytes)
		return -EINVAL;
	memcpy(to, piece->at + from, bytes);
	if (from + bytes == piece->bytes)
		piece_begin(source, number + 2);
	return 0;
}
