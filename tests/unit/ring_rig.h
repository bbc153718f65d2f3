// SPDX-License-Identifier: Apache-2.0
/*
 * One ring over real memory, with both halves and with raw access to every byte, so that
 * a test can play a peer of any kind. The data area is mapped twice or once.
 */
#ifndef TESTS_UNIT_RING_RIG_H
#define TESTS_UNIT_RING_RIG_H

#include "protocol/ring.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct ring_rig {
	uint8_t *memory; /* control page, data, data again if mapped twice */
	size_t mapped_bytes;
	uint32_t *control;
	uint8_t *data;
	uint32_t size;
	uint8_t *scratch; /* for both halves */
	struct ring_area writer_area;
	struct ring_area reader_area;
	struct ring_writer writer;
	struct ring_reader reader;
};

/* Memory and areas; nothing is opened, all bytes are zero. */
static inline void ring_rig_make(struct ring_rig *rig, uint32_t size, bool is_double)
{
	const int fd = memfd_create("ring", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)RING_CONTROL_BYTES + size) != 0)
		abort();
	rig->mapped_bytes = RING_CONTROL_BYTES + 2 * (size_t)size;
	rig->memory = mmap(NULL, rig->mapped_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (rig->memory == MAP_FAILED ||
		mmap(rig->memory, RING_CONTROL_BYTES + (size_t)size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		abort();
	/* mapped once, a step past the end of the data is a fault */
	if (is_double && mmap(rig->memory + RING_CONTROL_BYTES + size, size, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED, fd, RING_CONTROL_BYTES) == MAP_FAILED)
		abort();
	close(fd);
	rig->control = (uint32_t *)(void *)rig->memory;
	rig->data = rig->memory + RING_CONTROL_BYTES;
	rig->size = size;
	const uint32_t scratch_bytes = ring_scratch_bytes(size);
	rig->scratch = aligned_alloc(16, 2 * ((size_t)scratch_bytes + 16) / 16 * 16);
	if (rig->scratch == NULL)
		abort();
	rig->writer_area = (struct ring_area){
		.control = rig->memory,
		.data = rig->data,
		.data_bytes = size,
		.is_double_mapped = is_double,
		.scratch = is_double ? NULL : rig->scratch,
		.scratch_bytes = is_double ? 0 : scratch_bytes,
	};
	rig->reader_area = rig->writer_area;
	if (!is_double)
		rig->reader_area.scratch = rig->scratch + scratch_bytes;
}

/* For what must be right before a test can go on. */
static inline void rig_must(enum ring_status status)
{
	CU_ASSERT_EQUAL_FATAL(status, RING_OK);
	if (status != RING_OK)
		abort();
}

/* Open both halves with both indices at `index`. */
static inline void ring_rig_open_at(struct ring_rig *rig, uint32_t index)
{
	memset(rig->memory, 0, RING_CONTROL_BYTES);
	rig->control[RING_WORD_IN] = index;
	rig->control[RING_WORD_OUT] = index;
	const struct ring_area writer_area = rig->writer_area;
	const struct ring_area reader_area = rig->reader_area;
	rig_must(ring_writer_init(&rig->writer, &writer_area));
	rig_must(ring_reader_init(&rig->reader, &reader_area, RING_FLAGS_STRICT));
}

static inline void ring_rig_free(struct ring_rig *rig)
{
	munmap(rig->memory, rig->mapped_bytes);
	free(rig->scratch);
}

/* Most tests run with the data mapped twice and once, on a size that is a power of two
 * and on one that is not. */
static const struct {
	uint32_t size;
	bool is_double;
} ring_shapes[] = {{4096, true}, {4096, false}, {12288, true}, {12288, false}};

enum { RING_SHAPES = sizeof ring_shapes / sizeof ring_shapes[0] };

#define FOR_EACH_SHAPE(rig)                                                                        \
	for (size_t shape_ = 0;                                                                    \
		shape_ < RING_SHAPES &&                                                            \
		(ring_rig_make((rig), ring_shapes[shape_].size, ring_shapes[shape_].is_double),    \
			true);                                                                     \
		ring_rig_free(rig), shape_++)

/* ---- raw access, with wrapping ---- */

static inline uint8_t raw_byte(const struct ring_rig *rig, uint32_t at)
{
	return rig->data[at % rig->size];
}

static inline uint64_t raw_word(const struct ring_rig *rig, uint32_t at)
{
	uint64_t word = 0;

	for (uint32_t i = 0; i < 8; i++)
		word |= (uint64_t)raw_byte(rig, at + i) << (8 * i);
	return word;
}

static inline void raw_word_put(struct ring_rig *rig, uint32_t at, uint64_t word)
{
	for (uint32_t i = 0; i < 8; i++)
		rig->data[(at + i) % rig->size] = (uint8_t)(word >> (8 * i));
}

static inline void raw_descriptor_put(struct ring_rig *rig, uint32_t at, uint16_t type,
	uint16_t offset8, uint16_t length8, uint16_t flags)
{
	raw_word_put(rig, at,
		type | (uint64_t)offset8 << 16 | (uint64_t)length8 << 32 | (uint64_t)flags << 48);
	raw_word_put(rig, at + 8, 0x1122334455667788);
}

/* ---- plain packets ---- */

static inline struct packet_header inband(uint32_t payload_bytes, uint64_t transaction_id)
{
	return (struct packet_header){
		.type = PACKET_TYPE_INBAND,
		.payload_bytes = payload_bytes,
		.transaction_id = transaction_id,
	};
}

/* Send a packet that takes `total` bytes in the ring. */
static inline enum ring_status rig_send_total(struct ring_rig *rig, uint32_t total)
{
	const struct packet_header header = inband(total - 24, 7);
	struct ring_span span;
	const enum ring_status status = ring_reserve(&rig->writer, &header, &span);

	if (status != RING_OK)
		return status;
	memset(span.payload, 0x5A, header.payload_bytes);
	ring_commit(&rig->writer, &span);
	return RING_OK;
}

/* Take one packet, without giving its room back. */
static inline enum ring_status rig_take(struct ring_rig *rig, struct packet_view *view)
{
	const enum ring_status status = ring_peek(&rig->reader, view);

	if (status == RING_OK)
		ring_release(&rig->reader, view);
	return status;
}

#endif
