// SPDX-License-Identifier: Apache-2.0
/* Shared memory and child processes of the benchmarks: see bench.h. */
#include "tests/performance/bench.h"

#include "protocol/spin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXTRA_BYTES 8192u /* control page, and a page for the rest */

int bench_pair_make(struct bench_pair *pair, uint32_t data_bytes)
{
	const size_t mapped = EXTRA_BYTES + 2 * (size_t)data_bytes;
	const int fd = memfd_create("hvbench", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)(EXTRA_BYTES + data_bytes)) != 0)
		goto failed;
	uint8_t *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		goto failed;
	if (mmap(base + EXTRA_BYTES + data_bytes, data_bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, fd, EXTRA_BYTES) == MAP_FAILED)
		goto failed;
	close(fd);
	*pair = (struct bench_pair){
		.control = base,
		.data = base + EXTRA_BYTES,
		.data_bytes = data_bytes,
		.bare = (struct bare_shared *)(void *)(base + 4096),
		.shared = (struct bench_shared *)(void *)(base + 4096 + 1024),
	};
	memset(pair->data, 0, data_bytes); /* no page faults while measuring */
	return 0;
failed:
	fprintf(stderr, "hvbench: shared memory of %u bytes: %s\n", data_bytes, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void bench_pair_free(struct bench_pair *pair)
{
	munmap(pair->control, EXTRA_BYTES + 2 * (size_t)pair->data_bytes);
}

void bench_ring_open(
	struct bench_pair *pair, struct ring_writer *writer, struct ring_reader *reader)
{
	const struct ring_area area = {
		.control = pair->control,
		.data = pair->data,
		.data_bytes = pair->data_bytes,
		.is_double_mapped = true,
	};
	memset(pair->shared, 0, sizeof *pair->shared);
	ring_clear(&area);
	ring_writer_init(writer, &area);
	ring_reader_init(reader, &area, RING_FLAGS_STRICT);
}

void bench_bare_open(
	struct bench_pair *pair, struct bare_producer *producer, struct bare_consumer *consumer)
{
	memset(pair->shared, 0, sizeof *pair->shared);
	memset(pair->bare, 0, sizeof *pair->bare);
	bare_producer_init(producer, pair->bare, pair->data, pair->data_bytes);
	bare_consumer_init(consumer, pair->bare, pair->data, pair->data_bytes);
}

pid_t bench_fork(struct bench_pair *pair)
{
	pair->shared->ready = 0;
	const pid_t child = fork();
	if (child == 0)
		measure_pin(1);
	return child;
}

void bench_child_ready(struct bench_pair *pair)
{
	__atomic_store_n(&pair->shared->ready, 1, __ATOMIC_RELEASE);
}

bool bench_child_wait_ready(struct bench_pair *pair)
{
	const uint64_t end = measure_now_ns() + 5000000000ull;
	while (__atomic_load_n(&pair->shared->ready, __ATOMIC_ACQUIRE) == 0) {
		if (measure_now_ns() > end)
			return false;
		spin_pause();
	}
	return true;
}

bool bench_child_join(pid_t child)
{
	int status;
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
