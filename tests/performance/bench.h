// SPDX-License-Identifier: Apache-2.0
/*
 * What the benchmarks share: memory that two processes map, with a ring or a bare
 * queue in it, and a child process on the other processor.
 */
#ifndef TESTS_PERFORMANCE_BENCH_H
#define TESTS_PERFORMANCE_BENCH_H

#include "protocol/ring.h"
#include "tests/performance/bare_queue.h"
#include "tests/performance/report.h"
#include "tests/performance/sandbox.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Words that a benchmark and its child share beside the data. */
struct bench_shared {
	uint32_t ready;
	uint64_t result;
	uint64_t counter;
	uint32_t flags[64] __attribute__((aligned(64)));
};

/* One direction: control page, data mapped twice, and the bare queue's indices. */
struct bench_pair {
	uint8_t *control;
	uint8_t *data;
	uint32_t data_bytes;
	struct bare_shared *bare;
	struct bench_shared *shared;
};

/* Shared memory for one direction; 0, or -1 after a message. */
int bench_pair_make(struct bench_pair *pair, uint32_t data_bytes);
void bench_pair_free(struct bench_pair *pair);

/* Clear the control page and open both halves over it. */
void bench_ring_open(
	struct bench_pair *pair, struct ring_writer *writer, struct ring_reader *reader);
void bench_bare_open(
	struct bench_pair *pair, struct bare_producer *producer, struct bare_consumer *consumer);

/* Fork; the child runs on processor 1. Then: child says ready, parent waits, parent joins. */
pid_t bench_fork(struct bench_pair *pair);
void bench_child_ready(struct bench_pair *pair);
bool bench_child_wait_ready(struct bench_pair *pair);
/* True if the child ended with status 0. */
bool bench_child_join(pid_t child);

/* The verbs. Each adds its cases to the report. */
void bench_ring(struct report *report);
void bench_doorbell(struct report *report, uint64_t soak);
void bench_storage(struct report *report, const struct sandbox *sandbox);
void bench_scale(struct report *report, const struct sandbox *sandbox);
struct bench_vm_options {
	/* those of tests/performance/vm_guest/guest; NULL: have it make them */
	const char *kernel, *initrd;
	const char *kept; /* file for rounds that are done, or NULL */
};
void bench_vm(struct report *report, const struct sandbox *sandbox,
	const struct bench_vm_options *options);

#endif
