// SPDX-License-Identifier: Apache-2.0
/*
 * The few ways in which a ring touches the words it shares with its peer.
 *
 * Everything that protocol/ring.{h,c} reads or writes in a control page goes
 * through the functions below, and each call names its place in the algorithm
 * (enum ring_site). In a product the site is a constant that the compiler drops. The
 * signalling model (tests/model) defines RING_ACCESS_HOOKS as a header of its own and
 * so gets every shared access of the real code, in order, with the place it comes from.
 *
 *	ring_load		load-acquire
 *	ring_store		store-release
 *	ring_store_full		store-release, then a full barrier: no later access of this
 *				thread happens before the store is visible to everyone
 *	ring_store_full_swap	the same; also sets a private word to the same value and
 *				returns what it was
 *
 * On x86-64 any locked instruction is a full barrier, whatever it works on. It is
 * cheapest on memory that is already ours and that nobody reads next: not on the
 * shared word itself (an exchange there costs a third more, for the loads that follow
 * want the same line), but on the stack, or, where the writer has to remember what it
 * published anyway, on that private word. Elsewhere it is a store and a fence.
 *
 * All accesses are 4 bytes, naturally aligned. Sources: R-RING-005, R-RING-006,
 * R-RING-009, R-RING-015, ring.md 6.
 */
#ifndef PROTOCOL_RING_ACCESS_H
#define PROTOCOL_RING_ACCESS_H

#include <stdint.h>

#include "protocol/ring_site.h"

#ifdef RING_ACCESS_HOOKS
// cppcheck-suppress preprocessorErrorDirective
#include RING_ACCESS_HOOKS
#else

static inline uint32_t ring_load(const uint32_t *word, enum ring_site site)
{
	(void)site;
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void ring_store(uint32_t *word, uint32_t value, enum ring_site site)
{
	(void)site;
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* A barrier that nothing passes; the stack word is only its operand. */
static inline void ring_barrier(void)
{
#if defined(__x86_64__)
	__asm__ volatile("lock; orl $0, -64(%%rsp)" : : : "memory", "cc");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static inline void ring_store_full(uint32_t *word, uint32_t value, enum ring_site site)
{
	(void)site;
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	ring_barrier();
}

static inline uint32_t ring_store_full_swap(
	uint32_t *word, uint32_t value, uint32_t *mine, enum ring_site site)
{
	(void)site;
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
#if defined(__x86_64__)
	return __atomic_exchange_n(mine, value, __ATOMIC_SEQ_CST);
#else
	const uint32_t before = *mine;

	*mine = value;
	ring_barrier();
	return before;
#endif
}

#endif

#endif
