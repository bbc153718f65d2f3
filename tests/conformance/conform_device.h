// SPDX-License-Identifier: Apache-2.0
/*
 * The test devices of protocol/testdevice.md for conformance tests: open one, and compare what
 * comes with what should.
 *
 * Functions that return false have set the evidence.
 */
#ifndef TESTS_CONFORMANCE_CONFORM_DEVICE_H
#define TESTS_CONFORMANCE_CONFORM_DEVICE_H

#include "protocol/testdevice.h"
#include "tests/conformance/conform_channel.h"

#define WANTED		  PACKET_FLAG_COMPLETION_REQUESTED
#define CONFORM_NO_DEVICE "the host offers no test devices (vmwp run --test-devices)"

/* `channel`: lent, then opened; rings with so many data pages each. */
#define LENT(which, data_pages)                                                                    \
	struct conform_channel opened;                                                             \
	struct conform_channel *channel = &opened;                                                 \
	TRY(conform_bus_offers(t));                                                                \
	NEED(conform_offer(t, &testdevice_##which##_interface) != NULL, CONFORM_NO_DEVICE);        \
	TRY(conform_channel_lend(                                                                  \
		t, channel, conform_offer(t, &testdevice_##which##_interface), data_pages))
#define OPENED(which, data_pages)                                                                  \
	LENT(which, data_pages);                                                                   \
	TRY(conform_device_open(t, channel))
/* Memory of CONFORM_BUFFER_BYTES. */
#define CONFORM_BUFFER_BYTES 65536u
#define BUFFER(name)                                                                               \
	uint8_t *name = conform_pages(t, CONFORM_BUFFER_BYTES).va;                                 \
	EXPECT(name != NULL, "there is no memory")

/* OPEN_CHANNEL of what was lent must succeed. */
bool conform_device_open(struct conform_target *t, struct conform_channel *channel);

/* A word of a control page. */
static inline uint32_t conform_word(const uint8_t *control, enum ring_word which)
{
	return __atomic_load_n((const uint32_t *)(const void *)control + which, __ATOMIC_SEQ_CST);
}

static inline void conform_word_set(uint8_t *control, enum ring_word which, uint32_t value)
{
	__atomic_store_n((uint32_t *)(void *)control + which, value, __ATOMIC_SEQ_CST);
}

/* Bytes that differ by where they are, from page to page, and by seed. */
void conform_fill(uint8_t *bytes, uint32_t count, uint32_t seed);
bool conform_same(
	struct conform_target *t, const uint8_t *got, const uint8_t *wanted, uint32_t count);
/*
 * The next packet must have this type, transaction id and payload, padded, and flags 0. It is done
 * with when it has been compared.
 */
bool conform_comes(struct conform_target *t, struct conform_channel *channel, uint16_t type,
	uint64_t id, const uint8_t *bytes, uint32_t count);

#endif
