// SPDX-License-Identifier: Apache-2.0
/*
 * The bare queue: what a VMBus ring is measured against.
 *
 * A byte queue for one producer and one consumer, as plain and as fast as the job
 * allows, with exactly the copies and the ordering that a ring needs and nothing of
 * its protocol: no descriptor, no trailer, no checks, no interrupt mask, no doorbell
 * decision, no statistics, no hostile peer.
 *
 *	record: u64 length, data, pad to 8	(8 + length bytes, rounded up)
 *
 * Same as the ring: the data area is mapped twice, back to back, so that records
 * are contiguous; own index private, the peer's index cached and loaded again (with
 * acquire) only when the cached one says full or empty; indices published with
 * release; records filled and used in place, or copied by the same function.
 * Better than the ring can have it: a power-of-two size with free-running 64-bit
 * indices and a mask, and each index alone on its own pair of cache lines (a VMBus
 * control page puts both indices, the mask and the pending size in one).
 *
 * Two ways to publish what was written:
 *	bare_publish		store-release
 *	bare_publish_full	the same and a full barrier, the one that any sender which
 *				has to decide whether its peer sleeps cannot do without.
 * bare_send(), the copying one-packet send, uses the latter; the batched variants
 * use the former, so against them a ring's one barrier per batch is paid in full.
 *
 * Measurement only; each side belongs to one thread.
 */
#ifndef TESTS_PERFORMANCE_BARE_QUEUE_H
#define TESTS_PERFORMANCE_BARE_QUEUE_H

#include "protocol/ring.h" /* ring_move(): the very same copy */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BARE_INLINE static inline __attribute__((always_inline))

/* The shared indices; zero at the start. */
struct bare_shared {
	_Alignas(128) uint64_t written;
	_Alignas(128) uint64_t read;
};

struct bare_producer {
	uint8_t *data;
	uint64_t mask;	  /* size - 1 */
	uint64_t written; /* private */
	uint64_t limit;	  /* read index as last seen, + size */
	struct bare_shared *shared;
};

struct bare_consumer {
	const uint8_t *data;
	uint64_t mask;
	uint64_t read;	/* private */
	uint64_t limit; /* write index as last seen */
	struct bare_shared *shared;
};

/* `data` is mapped twice, `size` a power of two; `shared` is zeroed by the caller. */
static inline void bare_producer_init(
	struct bare_producer *p, struct bare_shared *shared, uint8_t *data, uint64_t size)
{
	*p = (struct bare_producer){
		.data = data, .mask = size - 1, .limit = size, .shared = shared};
}

static inline void bare_consumer_init(
	struct bare_consumer *c, struct bare_shared *shared, const uint8_t *data, uint64_t size)
{
	*c = (struct bare_consumer){.data = data, .mask = size - 1, .shared = shared};
}

/* Bytes that a record of `length` takes. */
BARE_INLINE uint64_t bare_record_bytes(uint64_t length)
{
	return 8 + ((length + 7) & ~(uint64_t)7);
}

/* Room for a record of `length` bytes, or NULL if the queue is full. */
BARE_INLINE uint8_t *bare_reserve(struct bare_producer *p, uint64_t length)
{
	uint64_t end = p->written + bare_record_bytes(length);

	if (__builtin_expect(end > p->limit, 0)) {
		p->limit = __atomic_load_n(&p->shared->read, __ATOMIC_ACQUIRE) + p->mask + 1;
		if (end > p->limit)
			return NULL;
	}
	uint8_t *record = p->data + (p->written & p->mask);
	memcpy(record, &length, 8);
	return record + 8;
}

/* Add the reserved record of `length` bytes. */
BARE_INLINE void bare_commit(struct bare_producer *p, uint64_t length)
{
	p->written += bare_record_bytes(length);
}

/* Make all committed records visible. */
BARE_INLINE void bare_publish(struct bare_producer *p)
{
	__atomic_store_n(&p->shared->written, p->written, __ATOMIC_RELEASE);
}

/* The same, visible before anything that follows. */
BARE_INLINE void bare_publish_full(struct bare_producer *p)
{
	__atomic_store_n(&p->shared->written, p->written, __ATOMIC_RELEASE);
#if defined(__x86_64__)
	__asm__ volatile("lock; orl $0, -64(%%rsp)" : : : "memory", "cc");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Copy one record in and publish it with a full barrier; false if full. */
BARE_INLINE bool bare_send(struct bare_producer *p, const void *source, uint64_t length)
{
	uint8_t *to = bare_reserve(p, length);

	if (!to)
		return false;
	ring_move(to, source, length);
	bare_commit(p, length);
	bare_publish_full(p);
	return true;
}

/* The next record and its length, or NULL if the queue is empty. */
BARE_INLINE const uint8_t *bare_peek(struct bare_consumer *c, uint64_t *length)
{
	if (c->read == c->limit) {
		c->limit = __atomic_load_n(&c->shared->written, __ATOMIC_ACQUIRE);
		if (c->read == c->limit)
			return NULL;
	}
	const uint8_t *record = c->data + (c->read & c->mask);
	memcpy(length, record, 8);
	return record + 8;
}

/* Be done with the record of `length` bytes. */
BARE_INLINE void bare_release(struct bare_consumer *c, uint64_t length)
{
	c->read += bare_record_bytes(length);
}

/* Give the room of all released records back. */
BARE_INLINE void bare_release_publish(struct bare_consumer *c)
{
	__atomic_store_n(&c->shared->read, c->read, __ATOMIC_RELEASE);
}

/*
 * Copy one record out (at most `bytes`) and give its room back; its length goes to
 * `length`. False if the queue is empty.
 */
BARE_INLINE bool bare_receive(
	struct bare_consumer *c, void *target, uint64_t bytes, uint64_t *length)
{
	const uint8_t *from = bare_peek(c, length);

	if (!from)
		return false;
	ring_move(target, from, *length < bytes ? *length : bytes);
	bare_release(c, *length);
	bare_release_publish(c);
	return true;
}

#endif
