// SPDX-License-Identifier: Apache-2.0
/*
 * hvbench ring: what a packet costs. Subject: protocol/ring.h with all its checks and
 * the doorbell decision. Reference: the bare queue (bare_queue.h) with the same copies
 * and fences, and plain memcpy for large packets.
 */
#include "tests/performance/bench.h"

#include "protocol/packet.h"
#include "protocol/ring.h"
#include "protocol/spin.h"
#include "tests/performance/bare_queue.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATA_BYTES (256u * 1024)
#define BATCH_MAX  64u

/*
 * Each half, of the ring and of the bare queue, begins a cache line: on the stack it is an
 * accident of the run where it begins, and worth 5 % of a packet.
 */
#define ON_A_LINE __attribute__((aligned(64)))

struct ring_bench {
	uint32_t bytes; /* payload of each packet */
	uint32_t batch;
	uint32_t extended_bytes; /* GPA-direct: page list */
	struct bench_pair pair;
};

static uint8_t source[65536] __attribute__((aligned(64)));
static uint8_t target[65536] __attribute__((aligned(64)));

static uint64_t packets_for(uint32_t bytes)
{
	return measure_count(bytes >= 8192 ? 20000 : bytes >= 1024 ? 100000 : 400000);
}

static struct packet_header header_make(const struct ring_bench *b)
{
	return (struct packet_header){
		.type = b->extended_bytes > 0 ? PACKET_TYPE_GPA_DIRECT : PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.extended_bytes = b->extended_bytes,
		.payload_bytes = b->bytes,
		.transaction_id = 1,
	};
}

/* ---- one thread ---------------------------------------------------------------------------- */

static double ring_copy(void *ctx)
{
	struct ring_bench *b = ctx;
	const struct packet_header header = header_make(b);
	const uint64_t count = packets_for(b->bytes);
	static struct ring_writer writer ON_A_LINE;
	static struct ring_reader reader ON_A_LINE;
	uint64_t signals = 0;
	bench_ring_open(&b->pair, &writer, &reader);
	const uint64_t start = measure_thread_ns();
	for (uint64_t i = 0; i < count; i++) {
		struct packet_view view;
		if (ring_send(&writer, &header, source, source) != RING_OK)
			return -1;
		signals += ring_flush(&writer);
		if (ring_receive(&reader, target, sizeof target, &view) != RING_OK)
			return -1;
		signals += ring_read_publish(&reader);
	}
	const double ns = (double)(measure_thread_ns() - start) / (double)count;
	return signals == count ? ns : -1; /* each packet found the ring empty */
}

static double bare_copy(void *ctx)
{
	struct ring_bench *b = ctx;
	const uint64_t count = packets_for(b->bytes);
	const uint64_t bytes = (uint64_t)b->bytes + b->extended_bytes;
	static struct bare_producer producer ON_A_LINE;
	static struct bare_consumer consumer ON_A_LINE;
	bench_bare_open(&b->pair, &producer, &consumer);
	const uint64_t start = measure_thread_ns();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t length;
		if (!bare_send(&producer, source, bytes))
			return -1;
		if (!bare_receive(&consumer, target, sizeof target, &length))
			return -1;
	}
	return (double)(measure_thread_ns() - start) / (double)count;
}

/* The work done in place on each packet: write and add up its words. */
static inline __attribute__((always_inline)) void fill(uint8_t *payload, uint32_t bytes, uint64_t n)
{
	for (uint32_t i = 0; i < bytes; i += 8)
		memcpy(payload + i, &n, 8);
}

static inline __attribute__((always_inline)) uint64_t sum(const uint8_t *payload, uint32_t bytes)
{
	uint64_t total = 0;
	for (uint32_t i = 0; i < bytes; i += 8) {
		uint64_t word;
		memcpy(&word, payload + i, 8);
		total += word;
	}
	return total;
}

static double ring_in_place(void *ctx)
{
	struct ring_bench *b = ctx;
	const struct packet_header header = header_make(b);
	const uint64_t batches = packets_for(b->bytes) / b->batch;
	static struct ring_writer writer ON_A_LINE;
	static struct ring_reader reader ON_A_LINE;
	uint64_t total = 0;
	bench_ring_open(&b->pair, &writer, &reader);
	ring_reader_mask(&reader); /* one thread polls both ends */
	const uint64_t start = measure_thread_ns();
	for (uint64_t i = 0; i < batches; i++) {
		for (uint32_t j = 0; j < b->batch; j++) {
			struct ring_span span;
			if (ring_reserve(&writer, &header, &span) != RING_OK)
				return -1;
			fill(span.payload, b->bytes, j);
			ring_commit(&writer, &span);
		}
		ring_flush(&writer);
		struct packet_view view;
		while (ring_peek(&reader, &view) == RING_OK) {
			total += sum(view.payload, view.payload_bytes);
			ring_release(&reader, &view);
		}
		ring_read_publish(&reader);
	}
	const double ns = (double)(measure_thread_ns() - start) / (double)(batches * b->batch);
	const uint64_t expected = batches * (b->bytes / 8) *
				  ((uint64_t)b->batch * (b->batch - 1) / 2);
	return total == expected ? ns : -1;
}

static double bare_in_place(void *ctx)
{
	struct ring_bench *b = ctx;
	const uint64_t batches = packets_for(b->bytes) / b->batch;
	static struct bare_producer producer ON_A_LINE;
	static struct bare_consumer consumer ON_A_LINE;
	uint64_t total = 0;
	bench_bare_open(&b->pair, &producer, &consumer);
	const uint64_t start = measure_thread_ns();
	for (uint64_t i = 0; i < batches; i++) {
		for (uint32_t j = 0; j < b->batch; j++) {
			uint8_t *record = bare_reserve(&producer, b->bytes);
			if (record == NULL)
				return -1;
			fill(record, b->bytes, j);
			bare_commit(&producer, b->bytes);
		}
		bare_publish(&producer);
		uint64_t length;
		const uint8_t *record;
		while ((record = bare_peek(&consumer, &length)) != NULL) {
			total += sum(record, (uint32_t)length);
			bare_release(&consumer, length);
		}
		bare_release_publish(&consumer);
	}
	__asm__ volatile("" : : "r"(total));
	return (double)(measure_thread_ns() - start) / (double)(batches * b->batch);
}

/* MiB/s of data that goes in and comes out: the subject through the ring … */
static double ring_rate(void *ctx)
{
	const struct ring_bench *b = ctx;
	const double ns = ring_copy(ctx);
	return ns > 0 ? (double)b->bytes / ns * 1e9 / 1048576 : -1;
}

/* … and the reference by two copies through a buffer that is as large as the ring. */
static double memcpy_rate(void *ctx)
{
	struct ring_bench *b = ctx;
	const uint64_t count = packets_for(b->bytes);
	uint32_t at = 0;
	const uint64_t start = measure_thread_ns();
	for (uint64_t i = 0; i < count; i++) {
		memcpy(b->pair.data + at, source, b->bytes);
		__asm__ volatile("" : : : "memory");
		memcpy(target, b->pair.data + at, b->bytes);
		__asm__ volatile("" : : : "memory");
		at = at + 2 * b->bytes <= DATA_BYTES ? at + b->bytes : 0;
	}
	const double ns = (double)(measure_thread_ns() - start) / (double)count;
	return (double)b->bytes / ns * 1e9 / 1048576;
}

/* ---- two processes ------------------------------------------------------------------------- */

static void ring_consume(struct ring_bench *b, struct ring_reader *reader, uint64_t count)
{
	uint64_t total = 0;
	ring_reader_mask(reader);
	for (uint64_t seen = 0; seen < count;) {
		struct packet_view view;
		uint32_t taken = 0;
		while (taken < BATCH_MAX && ring_peek(reader, &view) == RING_OK) {
			total += sum(view.payload, view.payload_bytes);
			ring_release(reader, &view);
			taken++;
		}
		seen += taken;
		if (taken > 0)
			ring_read_publish(reader);
		else
			spin_pause();
	}
	b->pair.shared->result = total;
}

static double ring_one_way(void *ctx)
{
	struct ring_bench *b = ctx;
	const struct packet_header header = header_make(b);
	const uint64_t count = packets_for(b->bytes);
	static struct ring_writer writer ON_A_LINE;
	static struct ring_reader reader ON_A_LINE;
	bench_ring_open(&b->pair, &writer, &reader);
	const pid_t child = bench_fork(&b->pair);
	if (child == 0) {
		bench_child_ready(&b->pair);
		ring_consume(b, &reader, count);
		_exit(0);
	}
	if (child < 0 || !bench_child_wait_ready(&b->pair))
		return -1;
	const uint64_t start = measure_now_ns();
	for (uint64_t i = 0; i < count;) {
		for (uint32_t j = 0; j < b->batch && i < count; j++) {
			struct ring_span span;
			const enum ring_status status = ring_reserve(&writer, &header, &span);
			if (status == RING_FULL)
				break;
			if (status != RING_OK)
				return -1;
			fill(span.payload, b->bytes, i);
			ring_commit(&writer, &span);
			i++;
		}
		ring_flush(&writer);
	}
	return bench_child_join(child) ? (double)count * 1e9 / (double)(measure_now_ns() - start)
				       : -1;
}

static void bare_consume(struct ring_bench *b, struct bare_consumer *consumer, uint64_t count)
{
	uint64_t total = 0;
	for (uint64_t seen = 0; seen < count;) {
		uint64_t length;
		const uint8_t *record;
		uint32_t taken = 0;
		while (taken < BATCH_MAX && (record = bare_peek(consumer, &length)) != NULL) {
			total += sum(record, (uint32_t)length);
			bare_release(consumer, length);
			taken++;
		}
		seen += taken;
		if (taken > 0)
			bare_release_publish(consumer);
		else
			spin_pause();
	}
	b->pair.shared->result = total;
}

static double bare_one_way(void *ctx)
{
	struct ring_bench *b = ctx;
	const uint64_t count = packets_for(b->bytes);
	static struct bare_producer producer ON_A_LINE;
	static struct bare_consumer consumer ON_A_LINE;
	bench_bare_open(&b->pair, &producer, &consumer);
	const pid_t child = bench_fork(&b->pair);
	if (child == 0) {
		bench_child_ready(&b->pair);
		bare_consume(b, &consumer, count);
		_exit(0);
	}
	if (child < 0 || !bench_child_wait_ready(&b->pair))
		return -1;
	const uint64_t start = measure_now_ns();
	for (uint64_t i = 0; i < count;) {
		for (uint32_t j = 0; j < b->batch && i < count; j++) {
			uint8_t *record = bare_reserve(&producer, b->bytes);
			if (record == NULL)
				break;
			fill(record, b->bytes, i);
			bare_commit(&producer, b->bytes);
			i++;
		}
		bare_publish(&producer);
	}
	return bench_child_join(child) ? (double)count * 1e9 / (double)(measure_now_ns() - start)
				       : -1;
}

/* ---- the table ----------------------------------------------------------------------------- */

#define BARE_COPY  "bare queue, same copies, one full fence a packet"
#define BARE_BATCH "bare queue, batched, in place"

void bench_ring(struct report *report)
{
	static struct ring_bench b64 = {.bytes = 64, .batch = 1};
	static struct ring_bench b256 = {.bytes = 256, .batch = 1};
	static struct ring_bench b1024 = {.bytes = 1024, .batch = 1};
	static struct ring_bench b4096 = {.bytes = 4096, .batch = 1};
	static struct ring_bench b16k = {.bytes = 16384, .batch = 1};
	static struct ring_bench gpa = {.bytes = 64, .batch = 1, .extended_bytes = 24};
	static struct ring_bench p1 = {.bytes = 64, .batch = 1};
	static struct ring_bench p16 = {.bytes = 64, .batch = 16};
	static struct ring_bench p64 = {.bytes = 64, .batch = 64};
	static struct ring_bench w64 = {.bytes = 64, .batch = 16};
	static struct ring_bench w256 = {.bytes = 256, .batch = 16};
	static struct ring_bench w1024 = {.bytes = 1024, .batch = 16};
	static struct ring_bench *const all[] = {
		&b64, &b256, &b1024, &b4096, &b16k, &gpa, &p1, &p16, &p64, &w64, &w256, &w1024};
	static const struct measure_case cases[] = {
		{"ring/copy/64", "ns/packet", BARE_COPY, MEASURE_AT_MOST, 1.15, ring_copy,
			bare_copy, &b64},
		{"ring/copy/256", "ns/packet", BARE_COPY, MEASURE_SHOWN, 0, ring_copy, bare_copy,
			&b256},
		{"ring/copy/1024", "ns/packet", BARE_COPY, MEASURE_SHOWN, 0, ring_copy, bare_copy,
			&b1024},
		{"ring/copy/4096", "ns/packet", BARE_COPY, MEASURE_SHOWN, 0, ring_copy, bare_copy,
			&b4096},
		{"ring/copy/16384", "MiB/s", "memcpy in and out, same footprint", MEASURE_AT_LEAST,
			0.9, ring_rate, memcpy_rate, &b16k},
		{"ring/copy/gpa-direct", "ns/packet", BARE_COPY, MEASURE_SHOWN, 0, ring_copy,
			bare_copy, &gpa},
		{"ring/in-place/batch-1/64", "ns/packet", BARE_BATCH, MEASURE_SHOWN, 0,
			ring_in_place, bare_in_place, &p1},
		{"ring/in-place/batch-16/64", "ns/packet", BARE_BATCH, MEASURE_AT_MOST, 1.25,
			ring_in_place, bare_in_place, &p16},
		{"ring/in-place/batch-64/64", "ns/packet", BARE_BATCH, MEASURE_SHOWN, 0,
			ring_in_place, bare_in_place, &p64},
		{"ring/two-processes/64", "packets/s", BARE_BATCH, MEASURE_AT_LEAST, 0.70,
			ring_one_way, bare_one_way, &w64},
		{"ring/two-processes/256", "packets/s", BARE_BATCH, MEASURE_AT_LEAST, 0.70,
			ring_one_way, bare_one_way, &w256},
		{"ring/two-processes/1024", "packets/s", BARE_BATCH, MEASURE_AT_LEAST, 0.70,
			ring_one_way, bare_one_way, &w1024},
	};
	memset(source, 0x5a, sizeof source);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (bench_pair_make(&all[i]->pair, DATA_BYTES) != 0)
			return;
	}
	measure_pin(0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		report_case(report, &cases[i]);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		bench_pair_free(&all[i]->pair);
}
