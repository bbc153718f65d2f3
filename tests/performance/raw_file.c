// SPDX-License-Identifier: Apache-2.0
/* A file, by io_uring or by calls: see raw_file.h. */
#include "tests/performance/raw_file.h"

#include "tests/performance/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct raw_run {
	int fd;
	struct io_uring ring;
	struct load load;
	struct load_cursor cursor;
	uint8_t *buffers;
	uint64_t submitted, done;
	uint32_t in_flight;
	int error;
};

static int ring_make(struct raw_run *run)
{
	const struct load *load = &run->load;
	const struct iovec all = {run->buffers, (size_t)load->depth * load->bytes};
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	int error = io_uring_queue_init_params(load->depth, &run->ring, &params);
	if (error == -EINVAL) /* kernels before 6.1 */
		error = io_uring_queue_init(load->depth, &run->ring, 0);
	if (error != 0)
		return error;
	error = io_uring_register_files(&run->ring, &run->fd, 1);
	if (error == 0)
		error = io_uring_register_buffers(&run->ring, &all, 1);
	if (error != 0)
		io_uring_queue_exit(&run->ring);
	return error;
}

static void request_put(struct raw_run *run, uint64_t slot)
{
	const struct load *load = &run->load;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&run->ring);
	uint8_t *buffer = run->buffers + slot * load->bytes;
	const uint64_t offset = load_next(load, &run->cursor);
	if (load->is_write)
		io_uring_prep_write_fixed(sqe, 0, buffer, load->bytes, offset, 0);
	else
		io_uring_prep_read_fixed(sqe, 0, buffer, load->bytes, offset, 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = slot;
	run->in_flight++;
	run->submitted++;
}

static bool is_enough(const struct raw_run *run)
{
	return run->load.requests != 0 && run->submitted >= run->load.requests;
}

/* Take what has completed; put as many again unless the time is over. */
static void completions_take(struct raw_run *run, bool is_over)
{
	struct io_uring_cqe *cqes[64];
	const unsigned count = io_uring_peek_batch_cqe(&run->ring, cqes, 64);
	uint64_t slots[64];
	for (unsigned i = 0; i < count; i++) {
		slots[i] = cqes[i]->user_data;
		if (cqes[i]->res != (int)run->load.bytes)
			run->error = cqes[i]->res < 0 ? cqes[i]->res : -EIO;
	}
	io_uring_cq_advance(&run->ring, count);
	run->in_flight -= count;
	run->done += count;
	for (unsigned i = 0; i < count && !is_over && !is_enough(run) && run->error == 0; i++)
		request_put(run, slots[i]);
}

static double ring_run(struct raw_run *run)
{
	run->error = ring_make(run);
	if (run->error != 0)
		return -1;
	const uint64_t start = measure_now_ns();
	const uint64_t end = start + run->load.duration_ns;
	for (uint32_t slot = 0; slot < run->load.depth && !is_enough(run); slot++)
		request_put(run, slot);
	while (run->in_flight > 0) {
		const int error = io_uring_submit_and_wait(&run->ring, 1);
		if (error < 0 && error != -EINTR) {
			run->error = error;
			break;
		}
		completions_take(run, measure_now_ns() >= end);
	}
	const uint64_t took = measure_now_ns() - start;
	io_uring_queue_exit(&run->ring);
	return load_rate(&run->load, run->done, took);
}

/* One request after the other, each with a system call of its own. */
static double calls_run(struct raw_run *run)
{
	const struct load *load = &run->load;
	const uint64_t start = measure_now_ns();
	const uint64_t end = start + load->duration_ns;
	uint64_t now = start;
	while (now < end && !is_enough(run)) {
		/* The clock is looked at as often as io_uring's completions are. */
		for (uint32_t slot = 0; slot < load->depth && !is_enough(run); slot++) {
			uint8_t *buffer = run->buffers + (size_t)slot * load->bytes;
			const off_t offset = (off_t)load_next(load, &run->cursor);
			const ssize_t moved = load->is_write
						      ? pwrite(run->fd, buffer, load->bytes, offset)
						      : pread(run->fd, buffer, load->bytes, offset);
			if (moved != (ssize_t)load->bytes) {
				run->error = moved < 0 ? -errno : -EIO;
				return -1;
			}
			run->submitted++;
		}
		now = measure_now_ns();
	}
	return load_rate(load, run->submitted, now - start);
}

static double file_run(const char *path, bool is_direct, const struct load *load,
	double (*fn)(struct raw_run *run), const char *what)
{
	static struct raw_run run;
	double rate = -1;
	const size_t bytes = (size_t)load->depth * load->bytes;
	memset(&run, 0, sizeof run);
	run.load = load_limit(load);
	run.fd = open(path, O_RDWR | O_CLOEXEC | (is_direct ? O_DIRECT : 0));
	run.error = run.fd < 0 ? -errno : 0;
	run.buffers = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (run.error == 0 && run.buffers == MAP_FAILED)
		run.error = -ENOMEM;
	if (run.error == 0) {
		memset(run.buffers, 0x5a, bytes);
		rate = fn(&run);
	}
	if (run.buffers != MAP_FAILED)
		munmap(run.buffers, bytes);
	if (run.fd >= 0)
		close(run.fd);
	if (run.error == 0)
		return rate;
	fprintf(stderr, "hvbench: %s on %s: %s\n", what, path, strerror(-run.error));
	return -1;
}

double raw_file_run(const char *path, bool is_direct, const struct load *load)
{
	return file_run(path, is_direct, load, ring_run, "io_uring");
}

double raw_file_best(const char *path, const struct load *load)
{
	const double ring = file_run(path, false, load, ring_run, "io_uring");
	const double calls = file_run(
		path, false, load, calls_run, load->is_write ? "pwrite" : "pread");
	return ring < 0 || calls < 0 ? -1 : ring > calls ? ring : calls;
}
