// SPDX-License-Identifier: Apache-2.0
/*
 * What the tests of a guest's rings share: each runs on a channel whose rings are mapped twice
 * (relid 1) and on one that copies at the wrap (relid 2); relid 3 is there to go on.
 *
 * Threads: one.
 */
#ifndef TESTS_CONFORMANCE_GUEST_RING_H
#define TESTS_CONFORMANCE_GUEST_RING_H

#include "tests/conformance/guest_areas.h"

#define RING_SIZE (SCRIPTED_HOST_RING_BYTES - RING_CONTROL_BYTES)

typedef enum conform_verdict (*ring_body)(
	struct conform_target *t, struct scripted_host *h, uint32_t relid);

/* Run it on both kinds of channel. */
enum conform_verdict guest_ring_both(struct conform_target *t, ring_body body);

/* A test with this body, which sees t, h and relid. */
#define RING_TEST(name)                                                                            \
	static enum conform_verdict name##_on(                                                     \
		struct conform_target *t, struct scripted_host *h, uint32_t relid);                \
	static enum conform_verdict name(struct conform_target *t)                                 \
	{                                                                                          \
		return guest_ring_both(t, name##_on);                                              \
	}                                                                                          \
	static enum conform_verdict name##_on(__attribute__((unused)) struct conform_target *t,    \
		struct scripted_host *h, uint32_t relid)

/* Close and open again: clear rings. */
bool guest_ring_fresh(struct conform_target *t, uint32_t relid);
/* Bring both indices of both rings to `at`, by packets. */
bool guest_ring_advance(struct conform_target *t, uint32_t relid, uint32_t at);
/* An in-band packet of the guest with `bytes` of payload, flushed. */
enum ring_status guest_ring_send(struct scripted_host *h, uint32_t relid, uint32_t bytes);
/* The guest takes a packet: its id, or 0. Flushes. */
uint64_t guest_ring_take(struct scripted_host *h, uint32_t relid);
/* The guest's incoming ring has stopped for this reason, its outgoing one has not. */
bool guest_ring_stopped(struct conform_target *t, uint32_t relid, enum ring_status reason);
/* A descriptor. */
void host_descriptor(uint8_t d[16], uint16_t type, uint16_t offset8, uint16_t length8,
	uint16_t flags, uint64_t id);

#endif
