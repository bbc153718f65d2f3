// SPDX-License-Identifier: Apache-2.0
/*
 * The VMBus ring: one direction of a channel, in shared memory (protocol/ring.md).
 *
 *	writer  reserve -> fill in place -> commit ... commit -> flush  (signal?)
 *	reader  peek -> use -> release ... release -> publish / flush   (signal?)
 *
 * One implementation for both ends: a host and a guest each have a
 * `struct ring_writer` over their outgoing ring and a `struct ring_reader` over
 * their incoming one. A whole packet is one contiguous piece of memory, always:
 * the data area is mapped twice, back to back, so that a packet that wraps runs on
 * into the second mapping; where there is no second mapping, a packet that wraps
 * (and only that one) is put together in a scratch buffer of the caller.
 *
 * The smallest useful example, a sleeping reader:
 *
 *	for (;;) {
 *		struct packet_view v;
 *		while ((status = ring_peek(r, &v)) == RING_OK) {
 *			handle(&v);
 *			ring_release(r, &v);
 *		}
 *		if (ring_read_flush(r))
 *			signal_peer();		// it waits for the room we made
 *		if (status != RING_EMPTY)
 *			return status;		// corrupt: for good
 *		if (ring_reader_arm(r))
 *			continue;		// data came meanwhile
 *		wait_for_signal();
 *		ring_reader_mask(r);
 *	}
 *
 * and a writer that may find the ring full:
 *
 *	while ((status = ring_send(w, &header, NULL, bytes)) == RING_FULL) {
 *		if (ring_flush(w))
 *			signal_peer();
 *		if (ring_writer_want(w, &header) == RING_FULL)
 *			wait_for_signal();	// or a timer, see ring_peer_signals_space()
 *	}
 *	if (status == RING_OK && ring_flush(w))
 *		signal_peer();
 *
 * Whoever receives the channel's signal looks at both: its incoming ring and its
 * blocked writer (R-RING-020).
 *
 * The peer is hostile. Own indices are private and only ever published; the
 * peer's are validated each time they are loaded; a descriptor is loaded once. A
 * peer that breaks the rules stops its ring for good with a named reason and
 * harms nothing else. Payloads in place stay the peer's to change: copy before you
 * decide (R-RING-026).
 *
 * Memory: an area is borrowed from init until the caller has stopped using the
 * ring; it must stay mapped that long whatever the peer does (R-RING-028). Nothing
 * is allocated, locked or global. Threads: one at a time for each writer and for
 * each reader (R-RING-029: several writers take a lock around reserve .. flush);
 * a writer and a reader are independent.
 *
 * Sources: R-RING-001 .. R-RING-030, R-OPEN-008, R-OPEN-024; ring.md.
 */
#ifndef PROTOCOL_RING_H
#define PROTOCOL_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/assert.h"
#include "protocol/packet.h"
#include "protocol/ring_access.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RING_LIKELY(x)	 __builtin_expect(!!(x), 1)
#define RING_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* The hot path is inlined whatever the compiler's taste, unless a build for size says otherwise. */
#ifndef RING_INLINE
#define RING_INLINE static inline __attribute__((always_inline))
#endif

enum ring_limit {
	RING_PAGE_BYTES = 4096,
	RING_CONTROL_BYTES = 4096, /* one control page before the data */
	RING_MIN_DATA_BYTES = 4096,
	RING_MAX_DATA_BYTES = 1 << 30, /* a GPADL describes less than 32 MiB */
	RING_RESERVED_BYTES = 8,       /* never written: in = out means empty */
};

/* The control page, for the layout's sake; code uses the word numbers below. */
struct ring_control_wire {
	uint32_t in;		    /* writer's index; written by the writer */
	uint32_t out;		    /* reader's index; written by the reader */
	uint32_t interrupt_mask;    /* non-zero: no data signal, please; by the reader */
	uint32_t pending_send_size; /* bytes the writer waits for, 0 = none; by the writer */
	uint32_t reserved[12];	    /* 0 */
	uint32_t features;	    /* enum ring_feature; written by the writer */
	uint8_t reserved2[4020];    /* 0 */
	uint64_t interrupt_counter; /* guest's statistics; not touched here */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct ring_control_wire, RING_CONTROL_BYTES);
PROTOCOL_ASSERT_OFFSET(struct ring_control_wire, in, 0);
PROTOCOL_ASSERT_OFFSET(struct ring_control_wire, out, 4);
PROTOCOL_ASSERT_OFFSET(struct ring_control_wire, interrupt_mask, 8);
PROTOCOL_ASSERT_OFFSET(struct ring_control_wire, pending_send_size, 12);
PROTOCOL_ASSERT_OFFSET(struct ring_control_wire, reserved, 16);
PROTOCOL_ASSERT_OFFSET(struct ring_control_wire, features, 64);
PROTOCOL_ASSERT_OFFSET(struct ring_control_wire, reserved2, 68);
PROTOCOL_ASSERT_OFFSET(struct ring_control_wire, interrupt_counter, 4088);

/* The control page as 4-byte words: control[RING_WORD_IN] and so on. */
enum ring_word {
	RING_WORD_IN = 0,
	RING_WORD_OUT = 1,
	RING_WORD_MASK = 2,
	RING_WORD_PENDING = 3,
	RING_WORD_FEATURES = 16,
};

/* Control page field `features`. */
enum ring_feature {
	RING_FEATURE_PENDING_SEND_SIZE = 0x00000001,
};

/*
 * Outcomes. X(constant, word for logs). From RING_CORRUPT_INDEX_ALIGNMENT on the
 * peer broke the rules: the ring has stopped and every later call says the same.
 */
#define RING_STATUSES(X)                                                                           \
	X(RING_OK, "ok")                                                                           \
	X(RING_EMPTY, "empty")                                                                     \
	X(RING_FULL, "full")                                                                       \
	X(RING_TOO_LARGE, "packet-larger-than-ring")                                               \
	X(RING_BUFFER_TOO_SMALL, "buffer-too-small")                                               \
	X(RING_BAD_HEADER, "bad-header")                                                           \
	X(RING_BAD_AREA, "bad-area")                                                               \
	X(RING_CORRUPT_INDEX_ALIGNMENT, "peer-index-unaligned")                                    \
	X(RING_CORRUPT_INDEX_RANGE, "peer-index-past-ring")                                        \
	X(RING_CORRUPT_INDEX_BACKWARD, "peer-index-moved-backward")                                \
	X(RING_CORRUPT_DESCRIPTOR_SHORT, "less-than-a-descriptor")                                 \
	X(RING_CORRUPT_LENGTH_SHORT, "packet-length-short")                                        \
	X(RING_CORRUPT_LENGTH_PAST_DATA, "packet-length-past-data")                                \
	X(RING_CORRUPT_OFFSET_SHORT, "payload-offset-short")                                       \
	X(RING_CORRUPT_OFFSET_PAST_LENGTH, "payload-offset-past-length")                           \
	X(RING_CORRUPT_FLAGS, "packet-flags-unknown")                                              \
	X(RING_CORRUPT_TYPE, "packet-type-unknown")                                                \
	X(RING_CORRUPT_EXTENDED_SHORT, "extended-header-missing")

#define RING_ENUMERATE(constant, word) constant,
enum ring_status { RING_STATUSES(RING_ENUMERATE) RING_STATUS_COUNT };
#undef RING_ENUMERATE

/* The word for a status, for logs and statistics; "unknown" outside the enum. */
const char *ring_status_name(enum ring_status status);

/* True if the peer broke the rules and the ring has stopped for good. */
static inline bool ring_status_is_corrupt(enum ring_status status)
{
	return status >= RING_CORRUPT_INDEX_ALIGNMENT;
}

/*
 * The status as 0 or a negative number of protocol/errors.h: -VIRIDIAN_EAGAIN for
 * empty and full, -VIRIDIAN_EMSGSIZE for too large, -VIRIDIAN_ENOSPC for a small
 * buffer, -VIRIDIAN_EINVAL for a caller's mistake, -VIRIDIAN_EPROTO for corruption.
 */
int ring_status_error(enum ring_status status);

/* ---- areas ------------------------------------------------------------ */

/*
 * One ring's memory. All pointers are borrowed until the ring is no longer used.
 *
 * data_bytes is a multiple of 4096 in [RING_MIN_DATA_BYTES, RING_MAX_DATA_BYTES],
 * not necessarily a power of two. If is_double_mapped, data is 2 * data_bytes of
 * address space whose second half shows the same memory as the first, and scratch
 * is not used. Otherwise scratch is private memory of at least
 * ring_scratch_bytes(data_bytes) bytes, aligned to 8, for this one ring half alone.
 */
struct ring_area {
	uint8_t *control; /* the control page, aligned to 8 */
	uint8_t *data;	  /* aligned to 8 */
	uint32_t data_bytes;
	bool is_double_mapped;
	uint8_t *scratch;
	uint32_t scratch_bytes;
};

/* Largest packet, trailer included, that a ring of data_bytes can carry (R-RING-002). */
static inline uint32_t ring_max_packet_bytes(uint32_t data_bytes)
{
	uint32_t most = data_bytes - RING_RESERVED_BYTES;

	return most < PACKET_MAX_BYTES ? most : (uint32_t)PACKET_MAX_BYTES;
}

/* Scratch that a half over a singly mapped area needs. */
static inline uint32_t ring_scratch_bytes(uint32_t data_bytes)
{
	return ring_max_packet_bytes(data_bytes);
}

/*
 * Zero the control page (R-OPEN-024). For the guest, before it offers the memory
 * to a host: the peer must not be there yet.
 */
void ring_clear(const struct ring_area *area);

/* ---- writer ----------------------------------------------------------- */

/* Counted since init; plain reads, for logs and control sockets. */
struct ring_stats {
	uint64_t packets; /* committed by the writer, released by the reader */
	uint64_t bytes;	  /* of those, trailers included */
	uint64_t signals; /* times that a flush or publish said: signal */
	uint64_t stalls;  /* writer: reservations refused for want of room */
	uint64_t waits;	  /* writer: wishes that had to wait; reader: arms that found nothing */
};

struct ring_writer {
	/* every packet */
	uint8_t *next;	/* where the next packet starts: data + private write index */
	uint8_t *limit; /* a packet that ends up to here takes the fast path */
	uint8_t *data;	/* shared, written only */
	uint8_t *end;	/* data + data_bytes */
	uint64_t packets;
	/* every batch */
	uint32_t *control;  /* shared */
	uint32_t published; /* write index as the peer knows it: where this batch starts */
	uint32_t out;	    /* last valid read index of the peer */
	uint64_t signals;
	/* rarely */
	uint8_t *room_end;   /* end of the room known to be free, counted on past end */
	uint8_t *contiguous; /* packets that end past this go through scratch */
	uint8_t *scratch;    /* private; NULL when double mapped */
	uint32_t size;	     /* data_bytes */
	uint32_t max_packet;
	uint32_t pending; /* what we stored as pending send size; 0 = nothing */
	uint32_t start;	  /* write index at init */
	enum ring_status status;
	bool is_split; /* the reserved packet wraps and is in scratch */
	uint64_t laps;
	uint64_t stalls;
	uint64_t waits;
};

/* Where to put the parts of a reserved packet. */
struct ring_span {
	uint8_t *extended;    /* header.extended_bytes, aligned to 8 */
	uint8_t *payload;     /* header.payload_bytes, aligned to 8 */
	uint32_t total_bytes; /* in the ring */
};

/* One piece of a payload. */
struct ring_piece {
	const void *base;
	uint32_t bytes;
};

/*
 * Take the writing half of `area`: adopt the indices found there if both are
 * valid, set pending send size 0 and the feature word (R-RING-019). Returns
 * RING_OK, RING_BAD_AREA, or RING_CORRUPT_INDEX_* with nothing written.
 */
enum ring_status ring_writer_init(struct ring_writer *w, const struct ring_area *area);

/* Internal slow paths of the inline functions. */
enum ring_status ring_writer_make_room(struct ring_writer *w, uint64_t total);
uint8_t *ring_writer_wrap(struct ring_writer *w, uint8_t *packet_end);
enum ring_status ring_writer_note_out(struct ring_writer *w, uint32_t out);

typedef uint64_t __attribute__((may_alias)) ring_u64;

/*
 * Reserve room for one packet and write everything but its contents: descriptor,
 * zeroed pad, trailer (R-RING-004, R-PKT-011). The caller fills
 * header->extended_bytes at span->extended and header->payload_bytes at
 * span->payload, all of them, and commits; or just forgets the span, and nothing
 * has happened. Nothing is visible to the peer before ring_flush().
 *
 * Returns RING_OK; RING_FULL (R-RING-001; see ring_writer_want()); RING_TOO_LARGE
 * (never, on this ring, R-RING-002); RING_BAD_HEADER (extended_bytes not a multiple
 * of 8); or why the ring has stopped.
 */
RING_INLINE enum ring_status ring_reserve(
	struct ring_writer *w, const struct packet_header *header, struct ring_span *span)
{
	uint32_t offset = PACKET_DESCRIPTOR_BYTES + header->extended_bytes;
	uint64_t total = packet_total_bytes(header->extended_bytes, header->payload_bytes);
	uint8_t *packet = w->next;
	const uint64_t trailer = (uint64_t)(packet - w->data) << 32;

	if (RING_UNLIKELY(header->extended_bytes & 7))
		return RING_BAD_HEADER;
	if (RING_UNLIKELY((uint64_t)(uintptr_t)packet + total > (uintptr_t)w->limit)) {
		enum ring_status status = ring_writer_make_room(w, total);

		if (status != RING_OK)
			return status;
		if (w->is_split)
			packet = w->scratch;
	}

	uint32_t length = (uint32_t)total - PACKET_TRAILER_BYTES;
	ring_u64 *words = (ring_u64 *)(void *)packet;
	if (RING_UNLIKELY(header->payload_bytes & 7))
		words[length / 8 - 1] = 0;
	words[0] = (uint64_t)header->type | (uint64_t)(offset / 8) << 16 |
		   (uint64_t)(length / 8) << 32 | (uint64_t)header->flags << 48;
	words[1] = header->transaction_id;
	words[length / 8] = trailer;

	span->extended = packet + PACKET_DESCRIPTOR_BYTES;
	span->payload = packet + offset;
	span->total_bytes = (uint32_t)total;
	return RING_OK;
}

/*
 * Add the packet of the last ring_reserve() to the batch. `span` is what that call
 * filled in.
 */
RING_INLINE void ring_commit(struct ring_writer *w, const struct ring_span *span)
{
	uint8_t *next = w->next + span->total_bytes;

	if (RING_UNLIKELY(next >= w->end))
		next = ring_writer_wrap(w, next);
	w->next = next;
	w->packets++;
}

/*
 * Publish the batch: all packets committed since the last flush become visible at
 * once. Returns true if the caller must signal the peer: the interrupt mask is
 * clear and the ring was empty when the batch began (R-RING-007, R-RING-008).
 * Nothing committed: returns false and touches nothing.
 *
 * Why no wake-up is lost (ring.md 6.1): our store of `in` is visible before we
 * load the mask and `out`. A reader that is about to wait has stored its final
 * `out` and a clear mask, visible before it loads `in` again. So either it sees our
 * `in` and goes on, or we see both of its stores and signal.
 */
RING_INLINE bool ring_flush(struct ring_writer *w)
{
	uint32_t *control = w->control;
	const uint32_t in = (uint32_t)(w->next - w->data);

	if (RING_UNLIKELY(in == w->published))
		return false;

	const uint32_t start = ring_store_full_swap(
		&control[RING_WORD_IN], in, &w->published, RING_SITE_WRITE_PUBLISH);
	if (RING_UNLIKELY(ring_load(&control[RING_WORD_MASK], RING_SITE_WRITE_MASK) != 0))
		return false;

	const uint32_t out = ring_load(&control[RING_WORD_OUT], RING_SITE_WRITE_EMPTY);
	if (RING_UNLIKELY(out != start)) {
		/* the reader is not through with older data: it will find ours */
		if (out != w->out)
			(void)ring_writer_note_out(w, out);
		return false;
	}
	w->signals++;
	return true;
}

/*
 * Say that the ring is too full for a packet of `header`'s sizes, and look once
 * more. Flush (and signal if told to) first.
 *
 * RING_OK: there is room now, reserve again; RING_FULL: pending send size is set,
 * the reader will signal once there is room (R-RING-015), so wait, then reserve
 * again; RING_TOO_LARGE, RING_BAD_HEADER or corruption as for ring_reserve(). The
 * first reservation that finds room clears the pending send size (R-RING-016).
 * If the peer does not signal for space (ring_peer_signals_space()), wait on a timer
 * (R-RING-018). Asking for more than one packet's room avoids ping-pong.
 */
enum ring_status ring_writer_want(struct ring_writer *w, const struct packet_header *header);

/* 16 bytes of any alignment. */
typedef uint64_t ring_chunk __attribute__((vector_size(16), aligned(1), may_alias));

/* gcc warns of the chunks of a short array although the length test keeps them away. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Warray-bounds"
#endif
/*
 * memcpy, with the usual packet (32 to 64 bytes) copied on the spot as four chunks,
 * the last two of which overlap the first two.
 */
RING_INLINE void ring_move(void *target, const void *source, size_t bytes)
{
	uint8_t *to = (uint8_t *)target;
	const uint8_t *from = (const uint8_t *)source;

	if (__builtin_constant_p(bytes) || RING_UNLIKELY(bytes - 32 > 32)) {
		__builtin_memcpy(to, from, bytes);
		return;
	}
	const ring_chunk a = *(const ring_chunk *)(const void *)from;
	const ring_chunk b = *(const ring_chunk *)(const void *)(from + 16);
	const ring_chunk c = *(const ring_chunk *)(const void *)(from + bytes - 32);
	const ring_chunk d = *(const ring_chunk *)(const void *)(from + bytes - 16);
	*(ring_chunk *)(void *)to = a;
	*(ring_chunk *)(void *)(to + 16) = b;
	*(ring_chunk *)(void *)(to + bytes - 32) = c;
	*(ring_chunk *)(void *)(to + bytes - 16) = d;
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

/*
 * Send by copying: `extended` (header->extended_bytes) and `payload`
 * (header->payload_bytes) are borrowed for the call. Status as for ring_reserve();
 * on RING_OK the packet is committed, not flushed.
 */
RING_INLINE enum ring_status ring_send(struct ring_writer *w, const struct packet_header *header,
	const void *extended, const void *payload)
{
	struct ring_span span;
	enum ring_status status = ring_reserve(w, header, &span);

	if (RING_UNLIKELY(status != RING_OK))
		return status;
	if (RING_UNLIKELY(extended && header->extended_bytes))
		__builtin_memcpy(span.extended, extended, header->extended_bytes);
	if (RING_LIKELY(payload && header->payload_bytes))
		ring_move(span.payload, payload, header->payload_bytes);
	ring_commit(w, &span);
	return RING_OK;
}

/*
 * The same with a payload in `count` pieces, whose bytes must add up to
 * header->payload_bytes (else RING_BAD_HEADER and nothing is sent).
 */
enum ring_status ring_send_pieces(struct ring_writer *w, const struct packet_header *header,
	const void *extended, const struct ring_piece *pieces, uint32_t count);

/* ---- reader ----------------------------------------------------------- */

/* What a reader does with descriptor flags other than bit 0 (R-PKT-004). */
enum ring_flag_policy {
	RING_FLAGS_STRICT, /* corruption; a host's choice */
	RING_FLAGS_IGNORE, /* dropped from the view; a guest's choice, for later hosts */
};

struct ring_reader {
	/* every packet */
	const uint8_t *next;  /* the next packet: data + private read index */
	const uint8_t *limit; /* packets that end up to here take the fast path */
	const uint8_t *data;  /* shared, read only */
	const uint8_t *end;   /* data + data_bytes */
	uint64_t significant; /* descriptor bits that must make a plain type number */
	uint64_t packets;
	/* every batch */
	uint32_t *control; /* shared */
	uint32_t bound;	   /* write indices must be below: data_bytes, or 0 once stopped */
	uint32_t size;	   /* data_bytes */
	uint64_t checked;  /* position at the last fenced look at the pending send size */
	/* rarely */
	const uint8_t *contiguous; /* packets that end past this go through scratch */
	uint8_t *scratch;	   /* private; NULL when double mapped */
	uint64_t laps;
	uint64_t signals;
	uint64_t waits;
	uint32_t beyond; /* bytes known to be there behind limit */
	uint32_t start;	 /* read index at init */
	enum ring_status status;
	bool is_masked; /* what we last stored as interrupt mask */
};

/*
 * Take the reading half of `area`: adopt the indices found there if both are
 * valid and clear the interrupt mask. Returns RING_OK, RING_BAD_AREA, or
 * RING_CORRUPT_INDEX_* with nothing written.
 */
enum ring_status ring_reader_init(
	struct ring_reader *r, const struct ring_area *area, enum ring_flag_policy policy);

/*
 * Take both halves of a channel at once: all four indices are read and validated
 * before anything is written (R-OPEN-008). Status as for the halves.
 */
enum ring_status ring_open(struct ring_writer *w, const struct ring_area *outgoing,
	struct ring_reader *r, const struct ring_area *incoming, enum ring_flag_policy policy);

/*
 * True if the peer, which writes the ring that `r` reads, has set the feature bit:
 * it knows pending send sizes, so it will also signal for ours.
 */
bool ring_peer_signals_space(const struct ring_reader *r);

/* Least payload offset in bytes for each packet type; UINT32_MAX where there is none. */
extern const uint32_t ring_min_offset[PACKET_TYPE_COMPLETION + 1];

/* Internal slow paths of the inline functions. */
enum ring_status ring_reader_refill(struct ring_reader *r, uint32_t in);
const uint8_t *ring_reader_examine(struct ring_reader *r, uint64_t descriptor);
const uint8_t *ring_reader_wrap(struct ring_reader *r, const uint8_t *packet_end);
bool ring_reader_check_space(struct ring_reader *r);

/* The private read index. */
RING_INLINE uint32_t ring_reader_out(const struct ring_reader *r)
{
	return (uint32_t)(r->next - r->data);
}

/* Bytes read since some multiple of size before init; never repeats. */
RING_INLINE uint64_t ring_reader_position(const struct ring_reader *r)
{
	return r->laps * r->size + ring_reader_out(r);
}

/*
 * Look at the next packet. RING_OK: `view` describes it; its descriptor was loaded
 * once and checked (R-RING-024, R-RING-025); the packet stays where it is. To
 * get to the one behind it, release this one: that keeps its memory valid until the
 * next publish or flush, so a whole batch may be in view at once. Do not peek twice
 * at one packet unless you forget the first view.
 *
 * RING_EMPTY: nothing there. Before waiting or polling an empty ring, call
 * ring_read_flush(). Anything else: the ring has stopped.
 */
RING_INLINE enum ring_status ring_peek(struct ring_reader *r, struct packet_view *view)
{
	const uint8_t *packet = r->next;

	if (packet == r->limit) {
		uint32_t in = ring_load(&r->control[RING_WORD_IN], RING_SITE_READ_DATA);
		const uint8_t *data_end = r->data + in;

		if (RING_LIKELY(data_end > packet && in < r->bound && in % 8 == 0)) {
			r->limit = data_end;
		} else {
			enum ring_status status = ring_reader_refill(r, in);

			if (status != RING_OK)
				return status;
		}
	}

	const uint64_t descriptor = __atomic_load_n(
		(const ring_u64 *)(const void *)packet, __ATOMIC_RELAXED);
	const uint32_t offset = (uint32_t)(descriptor >> 13) & 0xFFFF * 8;
	const uint32_t length = (uint32_t)(descriptor >> 29) & 0xFFFF * 8;
	const uint64_t type = descriptor & r->significant;

	if (RING_UNLIKELY((uintptr_t)packet + length + PACKET_TRAILER_BYTES > (uintptr_t)r->limit ||
			  offset > length || type > PACKET_TYPE_COMPLETION ||
			  offset < ring_min_offset[type])) {
		packet = ring_reader_examine(r, descriptor);
		if (!packet) /* refused: never OK, and the compiler knows it too */
			return r->status == RING_OK ? RING_CORRUPT_TYPE : r->status;
	}

	view->type = (uint16_t)type;
	view->flags = (uint16_t)(descriptor >> 48 & PACKET_FLAG_COMPLETION_REQUESTED);
	view->extended_bytes = offset - PACKET_DESCRIPTOR_BYTES;
	view->payload_bytes = length - offset;
	view->total_bytes = length + PACKET_TRAILER_BYTES;
	view->transaction_id = __atomic_load_n(
		(const ring_u64 *)(const void *)(packet + 8), __ATOMIC_RELAXED);
	view->extended = packet + PACKET_DESCRIPTOR_BYTES;
	view->payload = packet + offset;
	return RING_OK;
}

/*
 * Be done with the packet that `view` describes (the one last peeked at). The peer
 * gets the memory back at the next publish or flush.
 */
RING_INLINE void ring_release(struct ring_reader *r, const struct packet_view *view)
{
	const uint8_t *next = r->next + view->total_bytes;

	if (RING_UNLIKELY(next >= r->end))
		next = ring_reader_wrap(r, next);
	r->next = next;
	r->packets++;
}

/*
 * The 8 bytes behind the packet that `view` describes, before it is released.
 * Readers need not look at them; conformance tests and checked builds compare them
 * with the packet's start index << 32.
 */
static inline uint64_t ring_view_trailer(
	const struct ring_reader *r, const struct packet_view *view)
{
	const uint8_t *at = r->next + view->total_bytes - PACKET_TRAILER_BYTES;

	if (at >= r->end)
		at -= r->size;
	return __atomic_load_n((const ring_u64 *)(const void *)at, __ATOMIC_RELAXED);
}

/*
 * Give released memory back to the writer, without a barrier: for the middle of a
 * drain. Returns true if the caller must signal the peer, which was seen waiting for
 * that room. The promise that goes with it: before waiting, before polling a ring
 * that was found empty, and before a pause in reading, call ring_read_flush().
 *
 * Why the barrier may wait (ring.md 6.3): what it protects from is a writer that
 * has stored its pending size but not yet seen our `out`, while we have not yet
 * seen the pending size. Such a writer waits; whoever keeps reading looks again,
 * and the last look before reading stops is ring_read_flush(), which has the
 * barrier and measures room from the last look that had one.
 */
RING_INLINE bool ring_read_publish(struct ring_reader *r)
{
	uint32_t *control = r->control;

	ring_store(&control[RING_WORD_OUT], ring_reader_out(r), RING_SITE_READ_PUBLISH);
	if (RING_LIKELY(
		    ring_load(&control[RING_WORD_PENDING], RING_SITE_READ_PUBLISH_PENDING) == 0))
		return false;
	return ring_reader_check_space(r);
}

/*
 * Give released memory back to the writer. Returns true if the caller must signal
 * the peer: free space has risen to its pending send size since the last look
 * (R-RING-011 .. R-RING-014), whatever the interrupt mask (R-RING-017).
 */
RING_INLINE bool ring_read_flush(struct ring_reader *r)
{
	if (ring_reader_position(r) == r->checked)
		return false;
	return ring_reader_check_space(r);
}

/*
 * Ask the writer for no data signals, while draining or polling (R-RING-008). A
 * reader that polls for ever leaves it so; a reader that never masks is correct too
 * and merely gets more signals.
 */
static inline void ring_reader_mask(struct ring_reader *r)
{
	if (r->is_masked || r->status != RING_OK)
		return;
	r->is_masked = true;
	ring_store(&r->control[RING_WORD_MASK], 1, RING_SITE_READ_MASK);
}

/*
 * Ask for data signals again and look once more, before waiting (R-RING-009). The
 * ring must have been drained and flushed. False: wait, a signal will come with the
 * next data. True: do not wait, peek again: data came meanwhile (the mask is
 * set again if it was), or the ring has stopped.
 */
bool ring_reader_arm(struct ring_reader *r);

/* What has gone through since init, in one struct. */
struct ring_stats ring_writer_stats(const struct ring_writer *w);
struct ring_stats ring_reader_stats(const struct ring_reader *r);

/*
 * Receive by copying: the extended header and the payload go to `buffer` (capacity
 * `bytes`, aligned to 8), `view` points there, and the packet is released, not
 * published. RING_BUFFER_TOO_SMALL: nothing is released, `view` is what ring_peek()
 * gives and says how much is needed. Other statuses as for ring_peek().
 */
RING_INLINE enum ring_status ring_receive(
	struct ring_reader *r, void *buffer, size_t bytes, struct packet_view *view)
{
	enum ring_status status = ring_peek(r, view);

	if (status != RING_OK)
		return status;
	const uint32_t contents = view->total_bytes - PACKET_DESCRIPTOR_BYTES -
				  PACKET_TRAILER_BYTES;
	if (RING_UNLIKELY(contents > bytes))
		return RING_BUFFER_TOO_SMALL;
	ring_move(buffer, view->extended, contents);
	__asm__ volatile("" : : : "memory"); /* once: see packet_copy_in() */
	view->extended = (const uint8_t *)buffer;
	view->payload = (const uint8_t *)buffer + view->extended_bytes;
	ring_release(r, view);
	return RING_OK;
}

#ifdef __cplusplus
}
#endif

#endif
