// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: both ring halves against a peer that writes what it likes, when it likes.
 * The input is a header and a list of actions:
 *
 *	header	u8 shape (bit 0: mapped twice, bit 1: three pages, bit 2: flags ignored,
 *		bit 3: indices of the input), u32 in, u32 out
 *
 *	the peer
 *	0 u8 word, u32 value		writes a word of the control page
 *	1 u16 at, u64 value		writes a word of the data
 *	2 u64 descriptor		writes the descriptor that is read next
 *	3 u16 bytes			moves the write index on
 *	4 u16 bytes			moves the read index on
 *	the ends
 *	5 u16 payload, u8 extended	reserve, fill, commit
 *	6				flush
 *	7 u16 payload			want
 *	8 u64 change			peek; the peer changes the packet; use it, release
 *	9 u16 capacity			receive
 *	10 / 11 / 12 / 13		publish / flush / arm / mask
 *	14				open both again
 *
 * Broken invariants abort: a view or a span outside its memory, a half that goes on after
 * corruption, an index that is not ours, a packet that could not be.
 */
#include "protocol/cursor.h"
#include "protocol/ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

enum { PAGE = 4096, SIZE_MOST = 3 * PAGE, ACTIONS_MOST = 4096 };

struct world {
	uint32_t *control;
	uint8_t *data;
	uint32_t size;
	struct ring_area writer_area;
	struct ring_area reader_area;
	enum ring_flag_policy policy;
	struct ring_writer writer;
	struct ring_reader reader;
	uint8_t *scratches[2];
	uint8_t *received; /* SIZE_MOST */
	uint64_t touched;  /* keeps reads alive */
};

/* Doubly mapped memory of each size, made once. */
static uint8_t *double_mapping(uint32_t size)
{
	static uint8_t *mappings[SIZE_MOST / PAGE + 1];
	uint8_t *made = mappings[size / PAGE];

	if (made != NULL)
		return made;
	const int fd = memfd_create("fuzz_ring", MFD_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, (off_t)PAGE + size) == 0);
	/* a page on either side that faults */
	uint8_t *base = mmap(NULL, (size_t)3 * PAGE + 2 * (size_t)size, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(base != MAP_FAILED);
	base += PAGE;
	CHECK(mmap(base, PAGE + (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		      0) != MAP_FAILED);
	CHECK(mmap(base + PAGE + size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		      PAGE) != MAP_FAILED);
	close(fd);
	mappings[size / PAGE] = base;
	return base;
}

static void *allocated(size_t bytes)
{
	void *memory = NULL;

	CHECK(posix_memalign(&memory, 64, bytes) == 0);
	memset(memory, 0, bytes);
	return memory;
}

static void world_open(struct world *w)
{
	const struct ring_area writer_area = w->writer_area;
	const struct ring_area reader_area = w->reader_area;

	if (ring_writer_init(&w->writer, &writer_area) != RING_OK) {
		w->control[RING_WORD_IN] = 0;
		w->control[RING_WORD_OUT] = 0;
		CHECK(ring_writer_init(&w->writer, &writer_area) == RING_OK);
	}
	CHECK(ring_reader_init(&w->reader, &reader_area, w->policy) == RING_OK);
	CHECK(w->control[RING_WORD_FEATURES] == 1);
	CHECK(w->control[RING_WORD_MASK] == 0);
	CHECK(w->control[RING_WORD_PENDING] == 0);
}

static void world_make(struct world *w, struct cursor *c)
{
	const uint8_t shape = cursor_u8(c);
	const uint32_t in = cursor_u32(c);
	const uint32_t out = cursor_u32(c);
	const bool is_double = shape & 1;

	w->touched = 0;
	w->scratches[0] = NULL;
	w->scratches[1] = NULL;
	w->size = shape & 2 ? SIZE_MOST : PAGE;
	w->policy = shape & 4 ? RING_FLAGS_IGNORE : RING_FLAGS_STRICT;
	w->received = allocated(SIZE_MOST);
	if (is_double) {
		w->control = (uint32_t *)(void *)double_mapping(w->size);
		memset(w->control, 0, PAGE + (size_t)w->size);
		w->data = (uint8_t *)w->control + PAGE;
	} else {
		/* on the heap, so that the address sanitizer guards both ends */
		w->control = allocated(PAGE);
		w->data = allocated(w->size);
		w->scratches[0] = allocated(ring_scratch_bytes(w->size));
		w->scratches[1] = allocated(ring_scratch_bytes(w->size));
	}
	w->writer_area = (struct ring_area){
		.control = (uint8_t *)w->control,
		.data = w->data,
		.data_bytes = w->size,
		.is_double_mapped = is_double,
		.scratch = w->scratches[0],
		.scratch_bytes = is_double ? 0 : ring_scratch_bytes(w->size),
	};
	w->reader_area = w->writer_area;
	w->reader_area.scratch = w->scratches[1];
	if (shape & 8) {
		w->control[RING_WORD_IN] = in;
		w->control[RING_WORD_OUT] = out;
	}
	world_open(w);
}

static void world_free(struct world *w)
{
	if (!w->writer_area.is_double_mapped) {
		free(w->control);
		free(w->data);
		free(w->scratches[0]);
		free(w->scratches[1]);
	}
	free(w->received);
}

/* ---- the peer --------------------------------------------------------- */

static void peer_move(struct world *w, enum ring_word word, uint32_t bytes)
{
	w->control[word] = (w->control[word] + bytes / 8 * 8) % w->size;
}

static void peer_describe(struct world *w, uint64_t descriptor)
{
	for (uint32_t i = 0; i < 8; i++)
		w->data[(ring_reader_out(&w->reader) + i) % w->size] =
			(uint8_t)(descriptor >> (8 * i));
}

/* ---- the ends --------------------------------------------------------- */

static void writer_send(struct world *w, uint16_t payload_bytes, uint8_t extended_bytes)
{
	const struct packet_header header = {.type = PACKET_TYPE_GPA_DIRECT,
		.flags = 0,
		.extended_bytes = extended_bytes,
		.payload_bytes = payload_bytes,
		.transaction_id = 1};
	struct ring_span span = {0};
	const enum ring_status before = w->writer.status;
	const enum ring_status status = ring_reserve(&w->writer, &header, &span);

	if (status == RING_OK) {
		CHECK(before == RING_OK);
		CHECK(extended_bytes % 8 == 0);
		CHECK(span.total_bytes <= w->size - 8);
		memset(span.extended, 0xE7, extended_bytes);
		memset(span.payload, 0x9A, payload_bytes);
		ring_commit(&w->writer, &span);
	} else if (extended_bytes % 8 == 0) {
		CHECK(before == RING_OK || status == before);
	}
}

static void writer_flush(struct world *w)
{
	const uint32_t in = (uint32_t)(w->writer.next - w->writer.data);
	const bool is_new = in != w->writer.published;
	const bool is_signal = ring_flush(&w->writer);

	CHECK(in < w->size && in % 8 == 0);
	if (is_new)
		CHECK(w->control[RING_WORD_IN] == in);
	CHECK(!is_signal || (is_new && w->control[RING_WORD_MASK] == 0));
}

static void writer_want(struct world *w, uint16_t payload_bytes)
{
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND, .payload_bytes = payload_bytes};
	const enum ring_status status = ring_writer_want(&w->writer, &header);

	if (status == RING_FULL)
		CHECK(w->control[RING_WORD_PENDING] != 0 &&
			w->control[RING_WORD_PENDING] < w->size);
	if (status == RING_OK)
		CHECK(w->control[RING_WORD_PENDING] == 0);
}

static void view_check(const struct world *w, const struct packet_view *view)
{
	const uint8_t *low = w->data;
	const uint8_t *high = w->data + w->size;

	if (w->reader_area.is_double_mapped) {
		high += w->size;
	} else if (view->extended >= w->scratches[1] &&
		   view->extended < w->scratches[1] + ring_scratch_bytes(w->size)) {
		low = w->scratches[1];
		high = low + ring_scratch_bytes(w->size);
	}
	CHECK(view->total_bytes >= 24 && view->total_bytes <= w->size - 8);
	CHECK(view->extended_bytes % 8 == 0 && view->payload_bytes % 8 == 0);
	CHECK(view->extended_bytes + view->payload_bytes + 24 == view->total_bytes);
	CHECK(view->type == 6 || view->type == 7 || view->type == 9 || view->type == 11);
	CHECK(view->flags <= 1);
	CHECK(view->type == 6 || view->type == 11 || view->extended_bytes >= 8);
	CHECK(view->extended >= low && view->payload + view->payload_bytes <= high);
	CHECK(view->payload == view->extended + view->extended_bytes);
}

static void reader_take(struct world *w, uint64_t change)
{
	struct packet_view view = {0};
	const enum ring_status before = w->reader.status;
	const enum ring_status status = ring_peek(&w->reader, &view);

	if (status != RING_OK) {
		CHECK(status == RING_EMPTY || status == w->reader.status);
		CHECK(before == RING_OK || status == before);
		return;
	}
	CHECK(before == RING_OK);
	view_check(w, &view);
	peer_describe(w, change);
	view_check(w, &view);
	for (uint32_t i = 0; i < view.payload_bytes; i++)
		w->touched += view.payload[i];
	w->touched += ring_view_trailer(&w->reader, &view);
	ring_release(&w->reader, &view);
}

static void reader_receive(struct world *w, uint32_t capacity)
{
	struct packet_view view = {0};

	capacity %= SIZE_MOST;
	const enum ring_status status = ring_receive(&w->reader, w->received, capacity, &view);
	if (status == RING_OK) {
		CHECK(view.extended == w->received);
		CHECK(view.extended_bytes + view.payload_bytes <= capacity);
	} else if (status == RING_BUFFER_TOO_SMALL) {
		view_check(w, &view);
		CHECK(view.extended_bytes + view.payload_bytes > capacity);
	}
}

static void reader_arm(struct world *w)
{
	if (!ring_reader_arm(&w->reader)) {
		CHECK(w->reader.status == RING_OK);
		CHECK(w->control[RING_WORD_MASK] == 0);
		CHECK(w->control[RING_WORD_OUT] == ring_reader_out(&w->reader));
	}
}

static void world_act(struct world *w, struct cursor *c)
{
	const uint8_t action = cursor_u8(c);

	switch (action % 15) {
	case 0: {
		const uint8_t word = cursor_u8(c);

		w->control[word % 8 == 7 ? RING_WORD_FEATURES : word % 4] = cursor_u32(c);
		break;
	}
	case 1: {
		const uint32_t at = cursor_u16(c) % w->size / 8 * 8;
		const uint64_t value = cursor_u64(c);

		memcpy(w->data + at, &value, sizeof value);
		break;
	}
	case 2:
		peer_describe(w, cursor_u64(c));
		break;
	case 3:
		peer_move(w, RING_WORD_IN, cursor_u16(c));
		break;
	case 4:
		peer_move(w, RING_WORD_OUT, cursor_u16(c));
		break;
	case 5: {
		const uint16_t payload_bytes = cursor_u16(c);

		writer_send(w, payload_bytes, cursor_u8(c));
		break;
	}
	case 6:
		writer_flush(w);
		break;
	case 7:
		writer_want(w, cursor_u16(c));
		break;
	case 8:
		reader_take(w, cursor_u64(c));
		break;
	case 9:
		reader_receive(w, cursor_u16(c));
		break;
	case 10:
		(void)ring_read_publish(&w->reader);
		CHECK(w->control[RING_WORD_OUT] == ring_reader_out(&w->reader));
		break;
	case 11:
		(void)ring_read_flush(&w->reader);
		break;
	case 12:
		reader_arm(w);
		break;
	case 13:
		ring_reader_mask(&w->reader);
		break;
	default:
		world_open(w);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_over(data, size);
	struct world world;

	world_make(&world, &c);
	for (int i = 0; i < ACTIONS_MOST && cursor_left(&c) > 0; i++)
		world_act(&world, &c);
	world_free(&world);
	return 0;
}
