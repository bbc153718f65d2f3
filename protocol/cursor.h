// SPDX-License-Identifier: Apache-2.0
/*
 * The cursor: the one way in which variable messages are read and written.
 *
 *	struct cursor c = cursor_over(private_copy, length);
 *	uint32_t type = cursor_u32(&c);
 *	uint16_t count = cursor_u16(&c);
 *	if (c.has_failed)
 *		return reject;		// shorter than its own fields
 *
 * A reader is a base, a length, a position and a failure flag. A read past the
 * end moves nothing, returns zero and sets the flag; from then on every read
 * returns zero, so the caller looks at the flag once, at the end. The writer
 * (`struct cursor_writer`) is the mirror: a write past the end changes nothing
 * and sets the flag.
 *
 * A cursor owns nothing: the bytes are borrowed from the caller and must be
 * private (already copied out of memory that a peer can change), because the
 * values that were read are used for decisions. All integers are little-endian;
 * any alignment will do. No function here can fail in another way, allocate, or
 * touch a byte outside [base, base + length). A cursor belongs to one thread.
 */
#ifndef PROTOCOL_CURSOR_H
#define PROTOCOL_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/assert.h"

PROTOCOL_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	"integers are copied as they are: the machine must be little-endian");

struct cursor {
	const uint8_t *base; /* borrowed for the life of the cursor */
	size_t length;	     /* bytes at base */
	size_t position;     /* next byte to read, <= length */
	bool has_failed;     /* a read went past the end; sticky */
};

struct cursor_writer {
	uint8_t *base;	 /* borrowed for the life of the cursor */
	size_t length;	 /* bytes at base */
	size_t position; /* next byte to write, <= length */
	bool has_failed; /* a write went past the end; sticky */
};

/* ---- reading ---------------------------------------------------------- */

/* A reader over `length` bytes at `base` (may be NULL if length is 0). */
static inline struct cursor cursor_over(const void *base, size_t length)
{
	struct cursor c;

	c.base = (const uint8_t *)base;
	c.length = length;
	c.position = 0;
	c.has_failed = false;
	return c;
}

/* Bytes that can still be read; 0 once the cursor has failed. */
static inline size_t cursor_left(const struct cursor *c)
{
	return c->has_failed ? 0 : c->length - c->position;
}

/* True if every read succeeded and nothing is left. */
static inline bool cursor_is_at_end(const struct cursor *c)
{
	return !c->has_failed && c->position == c->length;
}

/*
 * Take the next `count` bytes: returns a pointer to them inside the caller's
 * memory and moves past, or returns NULL and fails. Zero bytes always succeed
 * on a cursor that has not failed (the pointer may then be NULL only if base is).
 */
static inline const uint8_t *cursor_take(struct cursor *c, size_t count)
{
	if (c->has_failed || count > c->length - c->position) {
		c->has_failed = true;
		return NULL;
	}
	const uint8_t *taken = c->base ? c->base + c->position : NULL;
	c->position += count;
	return taken;
}

/* Move past `count` bytes. */
static inline void cursor_skip(struct cursor *c, size_t count)
{
	(void)cursor_take(c, count);
}

/* Copy the next `count` bytes to `target`; all zeros on failure. */
static inline void cursor_bytes(struct cursor *c, void *target, size_t count)
{
	const uint8_t *from = cursor_take(c, count);

	if (count == 0)
		return;
	if (from)
		__builtin_memcpy(target, from, count);
	else
		__builtin_memset(target, 0, count);
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	uint8_t value = 0;

	cursor_bytes(c, &value, sizeof value);
	return value;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	uint16_t value = 0;

	cursor_bytes(c, &value, sizeof value);
	return value;
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	uint32_t value = 0;

	cursor_bytes(c, &value, sizeof value);
	return value;
}

static inline uint64_t cursor_u64(struct cursor *c)
{
	uint64_t value = 0;

	cursor_bytes(c, &value, sizeof value);
	return value;
}

/*
 * A cursor over the next `count` bytes alone; the parent moves past them. If
 * they are not there, both the parent and the returned cursor have failed. A
 * later failure of the sub-cursor does not fail the parent.
 */
static inline struct cursor cursor_sub(struct cursor *c, size_t count)
{
	const uint8_t *from = cursor_take(c, count);
	struct cursor sub = cursor_over(from, c->has_failed ? 0 : count);

	sub.has_failed = c->has_failed;
	return sub;
}

/* ---- writing ---------------------------------------------------------- */

/* A writer over `length` bytes at `base`. */
static inline struct cursor_writer cursor_writer_over(void *base, size_t length)
{
	struct cursor_writer w;

	w.base = (uint8_t *)base;
	w.length = length;
	w.position = 0;
	w.has_failed = false;
	return w;
}

/* Bytes that can still be written; 0 once the writer has failed. */
static inline size_t cursor_writer_left(const struct cursor_writer *w)
{
	return w->has_failed ? 0 : w->length - w->position;
}

/*
 * Claim the next `count` bytes for the caller to fill: returns a pointer to
 * them (not initialised) and moves past, or returns NULL and fails.
 */
static inline uint8_t *cursor_claim(struct cursor_writer *w, size_t count)
{
	if (w->has_failed || count > w->length - w->position) {
		w->has_failed = true;
		return NULL;
	}
	uint8_t *claimed = w->base ? w->base + w->position : NULL;
	w->position += count;
	return claimed;
}

/* Append `count` bytes from `source`. */
static inline void cursor_put_bytes(struct cursor_writer *w, const void *source, size_t count)
{
	uint8_t *to = cursor_claim(w, count);

	if (to && count)
		__builtin_memcpy(to, source, count);
}

/* Append `count` zero bytes. */
static inline void cursor_put_zeros(struct cursor_writer *w, size_t count)
{
	uint8_t *to = cursor_claim(w, count);

	if (to && count)
		__builtin_memset(to, 0, count);
}

static inline void cursor_put_u8(struct cursor_writer *w, uint8_t value)
{
	cursor_put_bytes(w, &value, sizeof value);
}

static inline void cursor_put_u16(struct cursor_writer *w, uint16_t value)
{
	cursor_put_bytes(w, &value, sizeof value);
}

static inline void cursor_put_u32(struct cursor_writer *w, uint32_t value)
{
	cursor_put_bytes(w, &value, sizeof value);
}

static inline void cursor_put_u64(struct cursor_writer *w, uint64_t value)
{
	cursor_put_bytes(w, &value, sizeof value);
}

/*
 * A writer over the next `count` bytes alone; the parent moves past them. If
 * there is no such room, both have failed.
 */
static inline struct cursor_writer cursor_writer_sub(struct cursor_writer *w, size_t count)
{
	uint8_t *to = cursor_claim(w, count);
	struct cursor_writer sub = cursor_writer_over(to, w->has_failed ? 0 : count);

	sub.has_failed = w->has_failed;
	return sub;
}

#endif
