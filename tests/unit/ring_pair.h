// SPDX-License-Identifier: Apache-2.0
/*
 * Both ends of a channel's two rings over plain memory, for tests of what sits on one end:
 * `near` is the end under test, `far` is the test, playing its peer.
 */
#ifndef TESTS_UNIT_RING_PAIR_H
#define TESTS_UNIT_RING_PAIR_H

#include "protocol/ring.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#define RING_PAIR_DATA_BYTES 12288u

struct ring_pair {
	struct ring_reader near_in;
	struct ring_writer near_out;
	struct ring_reader far_in;
	struct ring_writer far_out;
	uint8_t *memory;
};

/* One half's view of ring `index` of `memory`; `scratch_index` is its own. */
static inline struct ring_area ring_pair_area(uint8_t *memory, unsigned index, unsigned scratch)
{
	uint8_t *ring = memory + index * (size_t)(RING_CONTROL_BYTES + RING_PAIR_DATA_BYTES);
	uint8_t *scratches = memory + 2 * (size_t)(RING_CONTROL_BYTES + RING_PAIR_DATA_BYTES);
	return (struct ring_area){
		.control = ring,
		.data = ring + RING_CONTROL_BYTES,
		.data_bytes = RING_PAIR_DATA_BYTES,
		.scratch = scratches + scratch * (size_t)RING_PAIR_DATA_BYTES,
		.scratch_bytes = RING_PAIR_DATA_BYTES,
	};
}

static inline void ring_pair_open(struct ring_pair *pair)
{
	size_t bytes = 2 * (size_t)(RING_CONTROL_BYTES + RING_PAIR_DATA_BYTES) +
		       4 * (size_t)RING_PAIR_DATA_BYTES;
	pair->memory = aligned_alloc(4096, bytes);
	if (pair->memory == NULL)
		abort();
	memset(pair->memory, 0, bytes);
	const struct ring_area in_near = ring_pair_area(pair->memory, 0, 0);
	const struct ring_area in_far = ring_pair_area(pair->memory, 0, 1);
	const struct ring_area out_near = ring_pair_area(pair->memory, 1, 2);
	const struct ring_area out_far = ring_pair_area(pair->memory, 1, 3);
	CU_ASSERT_EQUAL_FATAL(
		ring_open(&pair->near_out, &out_near, &pair->near_in, &in_near, RING_FLAGS_STRICT),
		RING_OK);
	CU_ASSERT_EQUAL_FATAL(
		ring_open(&pair->far_out, &in_far, &pair->far_in, &out_far, RING_FLAGS_STRICT),
		RING_OK);
}

static inline void ring_pair_close(struct ring_pair *pair)
{
	free(pair->memory);
	pair->memory = NULL;
}

/* The peer sends one packet. */
static inline enum ring_status far_send(struct ring_pair *pair, uint16_t type,
	uint64_t transaction_id, const void *payload, size_t len)
{
	const struct packet_header header = {
		.type = type,
		.payload_bytes = (uint32_t)len,
		.transaction_id = transaction_id,
	};
	enum ring_status status = ring_send(&pair->far_out, &header, NULL, payload);
	(void)ring_flush(&pair->far_out);
	return status;
}

/* The peer takes one packet: true with its payload, which includes padding. */
static inline bool far_receive(
	struct ring_pair *pair, void *buffer, size_t size, struct packet_view *view)
{
	*view = (struct packet_view){0};
	bool has_packet = ring_receive(&pair->far_in, buffer, size, view) == RING_OK;
	(void)ring_read_flush(&pair->far_in);
	return has_packet;
}

#endif
