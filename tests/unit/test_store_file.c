// SPDX-License-Identifier: Apache-2.0
/*
 * The file store on real files: data, holes, durability, direct I/O, locks, and the
 * errors of images that cannot be used.
 */
#include "host/vsp/store_file_internal.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE_BYTES (4u << 20)

/* ---- a small event loop -------------------------------------------------------------------- */

struct test_loop {
	struct io_uring ring;
	struct store_loop store;
	struct io_uring_sqe *last; /* as the store filled it; NULL: none yet */
	bool refuses;		   /* no SQEs: as a kernel out of memory */
};

static struct io_uring_sqe *loop_sqe(void *ctx)
{
	struct test_loop *loop = ctx;
	if (loop->refuses)
		return NULL;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);
	if (!sqe) {
		io_uring_submit(&loop->ring);
		sqe = io_uring_get_sqe(&loop->ring);
	}
	loop->last = sqe;
	return sqe;
}

static struct test_loop loop;
static char folder[] = "/tmp/viridian-test-XXXXXX";
static char path[128];

static void loop_start(void)
{
	memset(&loop, 0, sizeof loop);
	CU_ASSERT_EQUAL_FATAL(io_uring_queue_init(64, &loop.ring, 0), 0);
	loop.store = (struct store_loop){.ring = &loop.ring, .sqe = loop_sqe, .ctx = &loop};
}

/* Wait until *pending is 0. */
static void loop_run(const unsigned *pending)
{
	while (*pending) {
		struct io_uring_cqe *cqe;
		io_uring_submit_and_wait(&loop.ring, 1);
		CU_ASSERT_EQUAL_FATAL(io_uring_wait_cqe(&loop.ring, &cqe), 0);
		struct loop_completion *completion = io_uring_cqe_get_data(cqe);
		const int result = cqe->res;
		const uint32_t flags = cqe->flags;
		io_uring_cqe_seen(&loop.ring, cqe);
		completion->fn(completion, result, flags);
	}
}

/* ---- requests ------------------------------------------------------------------------------ */

struct io {
	struct store_request request; /* first */
	struct iovec iov[2];
	unsigned *pending;
	int result;
};

static void io_done(struct store_request *request, int result)
{
	struct io *io = (struct io *)(void *)request;
	io->result = result;
	(*io->pending)--;
}

static void io_start(struct store *store, struct io *io, enum store_op op, uint64_t offset,
	uint8_t *data, size_t bytes, unsigned *pending)
{
	io->request.op = op;
	io->request.iov = io->iov;
	io->request.iov_count = 0;
	if (data) {
		/* Two pieces, the first an odd number of bytes. */
		const size_t first = bytes > 4096 ? 4096 : bytes;
		io->iov[0] = (struct iovec){data, first};
		io->iov[1] = (struct iovec){data + first, bytes - first};
		io->request.iov_count = bytes > first ? 2 : 1;
	}
	io->request.offset = offset;
	io->request.bytes = bytes;
	io->request.done = io_done;
	io->pending = pending;
	io->result = 1;
	(*pending)++;
	store_submit(store, &io->request);
}

static int io_run(struct store *store, enum store_op op, uint64_t offset, void *data, size_t bytes)
{
	struct io io = {0};
	unsigned pending = 0;
	io_start(store, &io, op, offset, data, bytes, &pending);
	loop_run(&pending);
	return io.result;
}

static int zeroes_run(
	struct store *store, uint64_t offset, size_t bytes, bool may_unmap, bool is_forced)
{
	struct io io = {0};
	unsigned pending = 0;
	io.request.may_unmap = may_unmap;
	io.request.fua = is_forced;
	io_start(store, &io, STORE_WRITE_ZEROES, offset, NULL, bytes, &pending);
	loop_run(&pending);
	return io.result;
}

/* ---- images -------------------------------------------------------------------------------- */

static void fill(uint8_t *data, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(seed + i * 7 + i / 4096);
}

static void image_make(const char *name, size_t bytes, bool has_data)
{
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	uint8_t *data = malloc(bytes + 1);
	fill(data, bytes, 1);
	if (has_data)
		CU_ASSERT_EQUAL(fwrite(data, 1, bytes, file), bytes);
	fclose(file);
	free(data);
	CU_ASSERT_EQUAL(truncate(path, (off_t)bytes), 0);
}

static int open_with(struct store_file_options options, struct store **store, char *error)
{
	if (!options.path)
		options.path = path;
	*store = NULL;
	return store_file_open(&options, &loop.store, store, error, 256);
}

static struct store *open_plain(void)
{
	struct store *store;
	char error[256];
	const int result = open_with((struct store_file_options){0}, &store, error);
	if (result < 0)
		fprintf(stderr, "%s\n", error);
	CU_ASSERT_EQUAL_FATAL(result, 0);
	return store;
}

static uint64_t blocks_used(void)
{
	struct stat st;
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void finish_test(struct store *store)
{
	if (store)
		store_close(store);
	unlink(path);
	CU_ASSERT_EQUAL(loop.store.files_used, 0);
	io_uring_queue_exit(&loop.ring);
}

/* ---- data ---------------------------------------------------------------------------------- */

static void data_survives_in_the_file(void)
{
	loop_start();
	image_make("data", IMAGE_BYTES, false);
	struct store *store = open_plain();
	CU_ASSERT_EQUAL(store->capacity_bytes, IMAGE_BYTES);
	CU_ASSERT_EQUAL(store->block_bytes, 512);
	uint8_t *data = malloc(256 << 10);
	uint8_t *back = malloc(256 << 10);
	static const size_t sizes[] = {512, 4096, 8192, 65536, 256 << 10};
	for (unsigned i = 0; i < 5; i++) {
		fill(data, sizes[i], i);
		memset(back, 0, sizes[i]);
		const uint64_t offset = i * 524288 + 1536;
		CU_ASSERT_EQUAL(io_run(store, STORE_WRITE, offset, data, sizes[i]), 0);
		CU_ASSERT_EQUAL(io_run(store, STORE_READ, offset, back, sizes[i]), 0);
		CU_ASSERT_EQUAL(memcmp(data, back, sizes[i]), 0);
		const int fd = open(path, O_RDONLY);
		CU_ASSERT_EQUAL(pread(fd, back, sizes[i], (off_t)offset), (ssize_t)sizes[i]);
		CU_ASSERT_EQUAL(memcmp(data, back, sizes[i]), 0);
		close(fd);
	}
	CU_ASSERT_EQUAL(io_run(store, STORE_FLUSH, 0, NULL, 0), 0);
	free(data);
	free(back);
	finish_test(store);
}

static void many_requests_are_in_flight_at_once(void)
{
	enum { COUNT = 500 };
	loop_start();
	image_make("many", IMAGE_BYTES, true);
	struct store *store = open_plain();
	struct io *ios = calloc(COUNT, sizeof *ios);
	uint8_t *data = calloc(COUNT, 8192);
	uint8_t expected[8192];
	unsigned pending = 0;
	for (unsigned i = 0; i < COUNT; i++)
		io_start(store, &ios[i], STORE_READ, i * 8192, data + i * 8192, 8192, &pending);
	loop_run(&pending);
	bool is_right = true;
	for (unsigned i = 0; i < COUNT; i++) {
		const int fd = open(path, O_RDONLY);
		is_right &= pread(fd, expected, 8192, (off_t)i * 8192) == 8192;
		close(fd);
		is_right &= ios[i].result == 0 && memcmp(data + i * 8192, expected, 8192) == 0;
	}
	CU_ASSERT(is_right);
	free(ios);
	free(data);
	finish_test(store);
}

/* More pieces than one system call takes. */
static void long_scatter_lists_are_split(void)
{
	enum { COUNT = 2049 };
	loop_start();
	image_make("pieces", IMAGE_BYTES, true);
	struct store *store = open_plain();
	struct io io = {0};
	struct iovec *iov = calloc(COUNT, sizeof *iov);
	uint8_t *data = calloc(COUNT, 512);
	uint8_t *expected = malloc(COUNT * 512);
	unsigned pending = 0;
	for (unsigned i = 0; i < COUNT; i++)
		iov[i] = (struct iovec){data + i * 512, 512};
	io_start(store, &io, STORE_FLUSH, 0, NULL, 0, &pending);
	loop_run(&pending);
	io.request.op = STORE_READ;
	io.request.iov = iov;
	io.request.iov_count = COUNT;
	io.request.offset = 512;
	io.request.bytes = COUNT * 512;
	pending = 1;
	store_submit(store, &io.request);
	loop_run(&pending);
	CU_ASSERT_EQUAL(io.result, 0);
	const int fd = open(path, O_RDONLY);
	CU_ASSERT_EQUAL(pread(fd, expected, COUNT * 512, 512), COUNT * 512);
	close(fd);
	CU_ASSERT_EQUAL(memcmp(data, expected, COUNT * 512), 0);
	free(iov);
	free(data);
	free(expected);
	finish_test(store);
}

static void forced_writes_and_flushes_reach_the_medium(void)
{
	loop_start();
	image_make("fua", IMAGE_BYTES, false);
	struct store *store = open_plain();
	const bool is_in_memory = ((struct store_file *)store)->is_in_memory;
	uint8_t data[8192];
	struct io io = {0};
	unsigned pending = 0;
	fill(data, sizeof data, 9);
	io.request.fua = true;
	io_start(store, &io, STORE_WRITE, 4096, data, sizeof data, &pending);
	/* Nothing else shows it short of cutting the power: ask the SQEs. */
	CU_ASSERT(is_in_memory || loop.last->rw_flags == RWF_DSYNC);
	loop_run(&pending);
	CU_ASSERT_EQUAL(io.result, 0);
	CU_ASSERT_EQUAL(io_run(store, STORE_FLUSH, 0, NULL, 0), 0);
	CU_ASSERT_EQUAL(loop.last->opcode, IORING_OP_FSYNC);
	loop.last = NULL;
	CU_ASSERT_EQUAL(zeroes_run(store, 8192, 4096, false, true), 0);
	CU_ASSERT(loop.last != NULL && loop.last->opcode == IORING_OP_FSYNC);
	CU_ASSERT_EQUAL(io_run(store, STORE_READ, 4096, data, sizeof data), 0);
	CU_ASSERT_EQUAL(data[4095], (uint8_t)(9 + 4095 * 7));
	CU_ASSERT_EQUAL(data[4096], 0);
	finish_test(store);
}

/* ---- holes --------------------------------------------------------------------------------- */

static void discards_free_the_blocks(void)
{
	loop_start();
	image_make("holes", IMAGE_BYTES, true);
	struct store *store = open_plain();
	if (!store->can_discard) {
		finish_test(store);
		test_skip("the file system of /tmp makes no holes");
		return;
	}
	CU_ASSERT_EQUAL(io_run(store, STORE_FLUSH, 0, NULL, 0), 0);
	const uint64_t before = blocks_used();
	CU_ASSERT(before >= IMAGE_BYTES);
	CU_ASSERT_EQUAL(io_run(store, STORE_DISCARD, 1 << 20, NULL, 1 << 20), 0);
	CU_ASSERT(blocks_used() <= before - (1 << 20));
	uint8_t data[4096];
	memset(data, 0xEE, sizeof data);
	CU_ASSERT_EQUAL(io_run(store, STORE_READ, 1 << 20, data, sizeof data), 0);
	CU_ASSERT(data[0] == 0 && data[4095] == 0);
	CU_ASSERT_EQUAL(io_run(store, STORE_READ, (1 << 20) - 512, data, 512), 0);
	CU_ASSERT_EQUAL(data[511], (uint8_t)(1 + ((1 << 20) - 1) * 7 + 255));
	/* A hole in the middle of nothing is nothing special. */
	CU_ASSERT_EQUAL(io_run(store, STORE_DISCARD, 1 << 20, NULL, 1 << 20), 0);
	CU_ASSERT_EQUAL(io_run(store, STORE_DISCARD, 0, NULL, IMAGE_BYTES), 0);
	CU_ASSERT(blocks_used() < 65536);
	struct stat st;
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_size, IMAGE_BYTES);
	finish_test(store);
}

static void zeroes_are_zero_whoever_makes_them(void)
{
	loop_start();
	image_make("zeroes", IMAGE_BYTES, true);
	struct store *store = open_plain();
	struct store_file *file = (struct store_file *)store;
	uint8_t *data = malloc(IMAGE_BYTES);
	/* Fallocate with a hole, fallocate without, and plain writes; unaligned ones too. */
	const uint64_t before = blocks_used();
	CU_ASSERT_EQUAL(zeroes_run(store, 512, 1 << 20, true, false), 0);
	if (file->can_punch)
		CU_ASSERT(blocks_used() <= before - (1 << 20) + 8192);
	CU_ASSERT_EQUAL(zeroes_run(store, (1 << 20) + 1536, 512, false, false), 0);
	file->can_punch = false;
	file->can_zero = false;
	CU_ASSERT_EQUAL(zeroes_run(store, 2 << 20, (1 << 20) + 4096, true, true), 0);
	CU_ASSERT_EQUAL(io_run(store, STORE_READ, 0, data, IMAGE_BYTES), 0);
	uint8_t *expected = malloc(IMAGE_BYTES);
	fill(expected, IMAGE_BYTES, 1);
	memset(expected + 512, 0, 1 << 20);
	memset(expected + (1 << 20) + 1536, 0, 512);
	memset(expected + (2 << 20), 0, (1 << 20) + 4096);
	CU_ASSERT_EQUAL(memcmp(data, expected, IMAGE_BYTES), 0);
	free(data);
	free(expected);
	finish_test(store);
}

/* R-STOR-087: tmpfs punches holes and makes no zeros otherwise; what it says no to is written. */
static void zeroes_that_a_file_system_does_not_make_are_written(void)
{
	uint8_t data[16384];
	char shared[] = "/dev/shm/viridian-test-XXXXXX";
	const int fd = mkstemp(shared);
	if (fd < 0) /* no shared memory here */
		return;
	loop_start();
	snprintf(path, sizeof path, "%s", shared);
	fill(data, sizeof data, 3);
	CU_ASSERT_EQUAL(write(fd, data, sizeof data), sizeof data);
	close(fd);
	struct store *store = open_plain();
	CU_ASSERT_EQUAL(zeroes_run(store, 512, 8192, false, false), 0);
	memset(data + 512, 0, 8192);
	uint8_t back[sizeof data];
	CU_ASSERT_EQUAL(io_run(store, STORE_READ, 0, back, sizeof back), 0);
	CU_ASSERT_EQUAL(memcmp(back, data, sizeof data), 0);
	finish_test(store);
}

/* ---- direct I/O ---------------------------------------------------------------------------- */

static void direct_io_takes_any_memory(void)
{
	loop_start();
	image_make("direct", IMAGE_BYTES, true);
	struct store *store;
	char error[256];
	const int result = open_with((struct store_file_options){.is_direct = true}, &store, error);
	if (result == -EINVAL) {
		CU_ASSERT_PTR_NOT_NULL(strstr(error, "no direct I/O"));
		finish_test(NULL);
		test_skip("the file system of /tmp has no direct I/O");
		return;
	}
	CU_ASSERT_EQUAL_FATAL(result, 0);
	uint8_t *data = aligned_alloc(4096, 65536 + 4096);
	uint8_t *back = aligned_alloc(4096, 65536 + 4096);
	static const size_t skews[] = {0, 512, 8, 1};
	for (unsigned i = 0; i < 4; i++) {
		fill(data + skews[i], 65536, 50 + i);
		const uint64_t offset = 65536 * i + (i == 3 ? 512 : 0);
		CU_ASSERT_EQUAL(io_run(store, STORE_WRITE, offset, data + skews[i], 65536), 0);
		memset(back, 0, 65536 + 4096);
		CU_ASSERT_EQUAL(io_run(store, STORE_READ, offset, back + 4, 65536), 0);
		CU_ASSERT_EQUAL(memcmp(back + 4, data + skews[i], 65536), 0);
		CU_ASSERT_EQUAL(io_run(store, STORE_READ, offset, back, 65536), 0);
		CU_ASSERT_EQUAL(memcmp(back, data + skews[i], 65536), 0);
	}
	free(data);
	free(back);
	finish_test(store);
}

/* ---- locks --------------------------------------------------------------------------------- */

static void a_writer_keeps_everybody_else_out(void)
{
	loop_start();
	image_make("locked", IMAGE_BYTES, false);
	struct store *store = open_plain();
	struct store *other;
	char error[256];
	CU_ASSERT_EQUAL(open_with((struct store_file_options){0}, &other, error), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(error, path));
	CU_ASSERT_PTR_NOT_NULL(strstr(error, "is locked"));
	CU_ASSERT_EQUAL(open_with((struct store_file_options){.is_read_only = true}, &other, error),
		-EBUSY);
	CU_ASSERT_EQUAL(
		open_with((struct store_file_options){.ignores_lock = true}, &other, error), 0);
	store_close(other);
	/* Another open of the same file elsewhere does not end the lock. */
	CU_ASSERT_EQUAL(open_with((struct store_file_options){0}, &other, error), -EBUSY);
	store_close(store);
	store = open_plain();
	finish_test(store);
}

static void readers_share(void)
{
	loop_start();
	image_make("shared", IMAGE_BYTES, false);
	struct store *first, *second, *writer;
	char error[256];
	const struct store_file_options read_only = {.is_read_only = true};
	CU_ASSERT_EQUAL_FATAL(open_with(read_only, &first, error), 0);
	CU_ASSERT_EQUAL_FATAL(open_with(read_only, &second, error), 0);
	CU_ASSERT(first->is_read_only && !first->can_discard);
	CU_ASSERT_EQUAL(open_with((struct store_file_options){0}, &writer, error), -EBUSY);
	CU_ASSERT_EQUAL(io_run(first, STORE_FLUSH, 0, NULL, 0), 0);
	store_close(first);
	CU_ASSERT_EQUAL(open_with((struct store_file_options){0}, &writer, error), -EBUSY);
	store_close(second);
	CU_ASSERT_EQUAL(open_with((struct store_file_options){0}, &writer, error), 0);
	finish_test(writer);
}

static void a_lock_ends_with_its_process(void)
{
	loop_start();
	image_make("killed", IMAGE_BYTES, false);
	int pipes[2];
	CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
	const pid_t child = fork();
	CU_ASSERT_FATAL(child >= 0);
	if (child == 0) {
		struct store *store;
		char error[256];
		loop_start(); /* a ring of its own, as every worker has */
		const int result = open_with((struct store_file_options){0}, &store, error);
		const char byte = result == 0 ? 'y' : 'n';
		if (write(pipes[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	char byte = 0;
	struct store *store;
	char error[256];
	CU_ASSERT_EQUAL(read(pipes[0], &byte, 1), 1);
	CU_ASSERT_EQUAL(byte, 'y');
	CU_ASSERT_EQUAL(open_with((struct store_file_options){0}, &store, error), -EBUSY);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	store = open_plain();
	close(pipes[0]);
	close(pipes[1]);
	finish_test(store);
}

/* ---- bad images ---------------------------------------------------------------------------- */

#define ASSERT_REFUSED(options, code, text)                                                        \
	do {                                                                                       \
		struct store *refused_;                                                            \
		char error_[256];                                                                  \
		CU_ASSERT_EQUAL(open_with((options), &refused_, error_), (code));                  \
		CU_ASSERT_PTR_NULL(refused_);                                                      \
		CU_ASSERT_PTR_NOT_NULL(strstr(error_, "image '"));                                 \
		if (!strstr(error_, (text)))                                                       \
			fprintf(stderr, "got: %s\n", error_);                                      \
		CU_ASSERT_PTR_NOT_NULL(strstr(error_, (text)));                                    \
	} while (0)

static void unusable_images_are_refused_with_advice(void)
{
	const struct store_file_options plain = {0};
	const struct store_file_options read_only = {.is_read_only = true};
	const struct store_file_options dvd = {.is_dvd = true};
	loop_start();
	snprintf(path, sizeof path, "%s/missing", folder);
	ASSERT_REFUSED(plain, -ENOENT, "does not exist");
	image_make("empty", 0, false);
	ASSERT_REFUSED(plain, -EINVAL, "is empty");
	unlink(path);
	image_make("short", 512 * 7 + 100, true);
	ASSERT_REFUSED(plain, -EINVAL, "not a multiple of the sector size 512");
	CU_ASSERT_EQUAL(truncate(path, 512 * 7), 0);
	ASSERT_REFUSED(dvd, -EINVAL, "not a multiple of the sector size 2048");
	ASSERT_REFUSED((struct store_file_options){.block_bytes = 4096}, -EINVAL,
		"not a multiple of the sector size 4096");
	ASSERT_REFUSED((struct store_file_options){.block_bytes = 513}, -EINVAL, "513");
	ASSERT_REFUSED((struct store_file_options){.block_bytes = 8192}, -EINVAL, "8192");
	unlink(path);
	ASSERT_REFUSED((struct store_file_options){.path = folder}, -EISDIR, "is a directory");
	ASSERT_REFUSED((struct store_file_options){.path = "/dev/null"}, -EINVAL,
		"neither a regular file nor a block device");
	snprintf(path, sizeof path, "%s/fifo", folder);
	CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
	ASSERT_REFUSED(read_only, -EINVAL, "neither"); /* and does not hang */
	unlink(path);
	CU_ASSERT_EQUAL(loop.store.files_used, 0);
	io_uring_queue_exit(&loop.ring);
}

static void images_without_permission_are_refused(void)
{
	if (geteuid() == 0 && setegid(65534) == 0 && seteuid(65534) != 0) {
		test_skip("runs as root and cannot drop to another user");
		return;
	}
	loop_start();
	const bool was_root = getuid() == 0;
	if (was_root)
		CU_ASSERT_EQUAL(seteuid(0), 0);
	image_make("private", IMAGE_BYTES, false);
	CU_ASSERT_EQUAL(chmod(path, 0444), 0);
	CU_ASSERT_EQUAL(chmod(folder, 0755), 0);
	if (was_root)
		CU_ASSERT_EQUAL(seteuid(65534), 0);
	ASSERT_REFUSED((struct store_file_options){0}, -EACCES, "attach it read-only");
	if (was_root)
		CU_ASSERT_EQUAL(seteuid(0), 0);
	CU_ASSERT_EQUAL(chmod(path, 0), 0);
	if (was_root)
		CU_ASSERT_EQUAL(seteuid(65534), 0);
	ASSERT_REFUSED(
		(struct store_file_options){.is_read_only = true}, -EACCES, "make it readable");
	if (was_root)
		CU_ASSERT_EQUAL(seteuid(0) | setegid(0), 0);
	finish_test(NULL);
}

static void a_dvd_image_is_read_only_with_large_sectors(void)
{
	loop_start();
	image_make("disc.iso", 2048 * 100, true);
	CU_ASSERT_EQUAL(chmod(path, 0444), 0);
	struct store *store;
	char error[256];
	CU_ASSERT_EQUAL_FATAL(
		open_with((struct store_file_options){.is_dvd = true}, &store, error), 0);
	CU_ASSERT(store->is_read_only);
	CU_ASSERT_EQUAL(store->block_bytes, 2048);
	uint8_t data[2048];
	CU_ASSERT_EQUAL(io_run(store, STORE_READ, 2048 * 99, data, sizeof data), 0);
	CU_ASSERT_EQUAL(data[5], (uint8_t)(1 + (2048 * 99 + 5) * 7 + (2048 * 99 + 5) / 4096));
	finish_test(store);
}

/* ---- things that go wrong later ------------------------------------------------------------ */

static void a_file_that_shrinks_fails_its_reads(void)
{
	loop_start();
	image_make("shrunk", IMAGE_BYTES, true);
	struct store *store = open_plain();
	uint8_t *data = malloc(65536);
	CU_ASSERT_EQUAL(truncate(path, IMAGE_BYTES / 2), 0);
	CU_ASSERT_EQUAL(io_run(store, STORE_READ, IMAGE_BYTES / 2, data, 65536), -EIO);
	CU_ASSERT_EQUAL(io_run(store, STORE_READ, IMAGE_BYTES / 2 - 4096, data, 65536), -EIO);
	CU_ASSERT_EQUAL(io_run(store, STORE_READ, 0, data, 65536), 0);
	free(data);
	finish_test(store);
}

static void a_resize_is_learnt_by_refreshing(void)
{
	loop_start();
	image_make("resized", IMAGE_BYTES, false);
	struct store *store = open_plain();
	CU_ASSERT_EQUAL(truncate(path, IMAGE_BYTES * 2), 0);
	CU_ASSERT_EQUAL(store->capacity_bytes, IMAGE_BYTES);
	CU_ASSERT_EQUAL(store->ops->refresh(store), 0);
	CU_ASSERT_EQUAL(store->capacity_bytes, IMAGE_BYTES * 2);
	CU_ASSERT_EQUAL(truncate(path, IMAGE_BYTES + 1), 0);
	CU_ASSERT_EQUAL(store->ops->refresh(store), -EINVAL);
	CU_ASSERT_EQUAL(truncate(path, 0), 0);
	CU_ASSERT_EQUAL(store->ops->refresh(store), -EINVAL);
	CU_ASSERT_EQUAL(store->capacity_bytes, IMAGE_BYTES * 2);
	finish_test(store);
}

static void a_loop_without_room_makes_the_store_busy(void)
{
	loop_start();
	image_make("busy", IMAGE_BYTES, false);
	struct store *store = open_plain();
	/* what is in memory is copied without the loop */
	const int busy = ((struct store_file *)store)->is_in_memory ? 0 : -EBUSY;
	uint8_t data[512];
	loop.refuses = true;
	CU_ASSERT_EQUAL(io_run(store, STORE_READ, 0, data, 512), busy);
	CU_ASSERT_EQUAL(io_run(store, STORE_WRITE, 0, data, 512), busy);
	CU_ASSERT_EQUAL(io_run(store, STORE_FLUSH, 0, NULL, 0), -EBUSY);
	CU_ASSERT_EQUAL(zeroes_run(store, 0, 512, true, false), -EBUSY);
	loop.refuses = false;
	CU_ASSERT_EQUAL(io_run(store, STORE_READ, 0, data, 512), 0);
	finish_test(store);
}

/* A cancelled request still ends exactly once, with its result or as cancelled. */
static void cancelled_requests_end_once(void)
{
	loop_start();
	image_make("cancel", IMAGE_BYTES, true);
	struct store *store = open_plain();
	const bool is_in_memory = ((struct store_file *)store)->is_in_memory;
	struct io ios[16] = {0};
	uint8_t *data = malloc(16 * 65536);
	unsigned pending = 0;
	store->ops->cancel(store, &ios[0].request); /* not in flight: nothing happens */
	for (unsigned i = 0; i < 16; i++) {
		io_start(store, &ios[i], STORE_WRITE, i * 65536, data + i * 65536, 65536, &pending);
		store->ops->cancel(store, &ios[i].request);
		CU_ASSERT(is_in_memory || loop.last->opcode == IORING_OP_ASYNC_CANCEL);
	}
	loop_run(&pending);
	for (unsigned i = 0; i < 16; i++)
		CU_ASSERT(ios[i].result == 0 || ios[i].result == -ECANCELED);
	free(data);
	finish_test(store);
}

static void more_stores_than_registered_files_work(void)
{
	loop_start();
	image_make("crowd", IMAGE_BYTES, true);
	struct store *stores[STORE_LOOP_FILES_MAX + 3];
	char error[256];
	uint8_t data[512];
	for (unsigned i = 0; i < STORE_LOOP_FILES_MAX + 3; i++) {
		CU_ASSERT_EQUAL_FATAL(open_with((struct store_file_options){.is_read_only = true},
					      &stores[i], error),
			0);
		CU_ASSERT_EQUAL(io_run(stores[i], STORE_READ, 512, data, 512), 0);
	}
	if (loop.store.files_registered)
		CU_ASSERT_EQUAL(loop.store.files_used, UINT64_MAX);
	for (unsigned i = 0; i < STORE_LOOP_FILES_MAX + 3; i++)
		store_close(stores[i]);
	finish_test(NULL);
}

static const struct test tests[] = {
	TEST(data_survives_in_the_file),
	TEST(many_requests_are_in_flight_at_once),
	TEST(long_scatter_lists_are_split),
	TEST(forced_writes_and_flushes_reach_the_medium),
	TEST(discards_free_the_blocks),
	TEST(zeroes_are_zero_whoever_makes_them),
	TEST(zeroes_that_a_file_system_does_not_make_are_written),
	TEST(direct_io_takes_any_memory),
	TEST(a_writer_keeps_everybody_else_out),
	TEST(readers_share),
	TEST(a_lock_ends_with_its_process),
	TEST(unusable_images_are_refused_with_advice),
	TEST(images_without_permission_are_refused),
	TEST(a_dvd_image_is_read_only_with_large_sectors),
	TEST(a_file_that_shrinks_fails_its_reads),
	TEST(a_resize_is_learnt_by_refreshing),
	TEST(a_loop_without_room_makes_the_store_busy),
	TEST(cancelled_requests_end_once),
	TEST(more_stores_than_registered_files_work),
};

int main(int argc, char **argv)
{
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	const int status = test_main(
		"store_file", tests, sizeof tests / sizeof tests[0], argc, argv);
	rmdir(folder);
	return status;
}
