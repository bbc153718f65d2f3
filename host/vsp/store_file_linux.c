// SPDX-License-Identifier: Apache-2.0
/*
 * A store in a regular file or on a block device, through the event loop's
 * io_uring: reads and writes scatter and gather straight from the caller's memory,
 * as many at a time as there are.
 *
 * Files are registered with the ring, the guest's memory is not: that would pin all of it, and
 * so take it from the host, for the life of the guest, to save pinning the pages of a request:
 * 0.2 µs of the 12 that a request of 4 KiB takes, 4 of the 95 of one of 128 KiB.
 *
 * With O_DIRECT, requests whose memory or range the device cannot take directly go
 * through a second descriptor without O_DIRECT; the kernel keeps the two coherent.
 */
#include "host/vsp/store_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* request->phase */
enum phase {
	PHASE_IDLE,
	PHASE_TRANSFER,	   /* readv or writev */
	PHASE_FLUSH,	   /* fdatasync */
	PHASE_DISCARD,	   /* fallocate: punch a hole */
	PHASE_ZERO,	   /* fallocate: punch or zero, for STORE_WRITE_ZEROES */
	PHASE_ZERO_WRITES, /* write from `zeroes`, where fallocate cannot */
};

static void on_complete(struct loop_completion *completion, int result, uint32_t flags);

/* The request ends: it, and even the store, may be gone when this returns. */
static void finish(struct store_request *request, int result)
{
	request->phase = PHASE_IDLE;
	request->done(request, result);
}

/* ---- submitting ---------------------------------------------------------------------------- */

/* An entry for the request's next operation, or NULL after ending the request. */
static struct io_uring_sqe *sqe_get(struct store_file *file, struct store_request *request)
{
	struct io_uring_sqe *sqe = file->loop->sqe(file->loop->ctx);
	if (!sqe)
		finish(request, -EBUSY);
	return sqe;
}

/* After the prep call, which clears everything. */
static void sqe_finish(struct io_uring_sqe *sqe, struct store_request *request,
	const struct store_file_handle *handle)
{
	if (handle->registered >= 0) {
		sqe->fd = handle->registered;
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	request->completion.fn = on_complete;
	io_uring_sqe_set_data(sqe, &request->completion);
}

/* True if the rest of the request suits the descriptor with O_DIRECT. */
static bool is_aligned(const struct store_file *file, const struct store_request *request)
{
	const uint64_t range = (request->offset + request->progress_bytes) | request->bytes;
	if (range & (file->direct_offset_align - 1))
		return false;
	for (unsigned i = 0; i < request->iov_count; i++)
		if (((uintptr_t)request->iov[i].iov_base | request->iov[i].iov_len) &
			(file->direct_memory_align - 1))
			return false;
	return true;
}

static void transfer_complete(struct store_file *file, struct store_request *request, int result);

/*
 * tmpfs takes no request that must not wait, so io_uring gives each one to a thread of its
 * own; two changes of threads cost many times what the copy does. A second thread of ours would
 * not help either: two writers of one file wait for each other in the kernel, and a copy
 * through the map is faster than two processors that call it.
 */
static void transfer_now(struct store_file *file, struct store_request *request)
{
	const off_t offset = (off_t)(request->offset + request->progress_bytes);
	if (store_map_copy(&file->map, request->op == STORE_WRITE, request->iov, request->iov_count,
		    (uint64_t)offset, request->bytes - request->progress_bytes)) {
		finish(request, 0);
		return;
	}
	const int count = (int)(request->iov_count < IOV_MAX ? request->iov_count : IOV_MAX);
	const ssize_t moved = request->op == STORE_READ
				      ? preadv(file->buffered.fd, request->iov, count, offset)
				      : pwritev(file->buffered.fd, request->iov, count, offset);
	if (moved > 0 && request->op == STORE_WRITE)
		store_map_note(&file->map, (uint64_t)offset, (uint64_t)moved);
	transfer_complete(file, request, moved < 0 ? -errno : (int)moved);
}

static void transfer_submit(struct store_file *file, struct store_request *request)
{
	if (file->is_in_memory) {
		transfer_now(file, request);
		return;
	}
	const struct store_file_handle *handle = &file->buffered;
	if (file->direct.fd >= 0 && is_aligned(file, request))
		handle = &file->direct;
	struct io_uring_sqe *sqe = sqe_get(file, request);
	if (!sqe)
		return;
	const uint64_t offset = request->offset + request->progress_bytes;
	const struct iovec *iov = request->iov;
	const unsigned count = request->iov_count < IOV_MAX ? request->iov_count : IOV_MAX;
	if (request->op == STORE_READ && count == 1)
		io_uring_prep_read(sqe, handle->fd, iov->iov_base, (unsigned)iov->iov_len, offset);
	else if (request->op == STORE_READ)
		io_uring_prep_readv(sqe, handle->fd, iov, count, offset);
	else if (count == 1)
		io_uring_prep_write(sqe, handle->fd, iov->iov_base, (unsigned)iov->iov_len, offset);
	else
		io_uring_prep_writev(sqe, handle->fd, iov, count, offset);
	if (request->fua && request->op == STORE_WRITE)
		sqe->rw_flags = RWF_DSYNC;
	request->phase = PHASE_TRANSFER;
	sqe_finish(sqe, request, handle);
}

static void flush_submit(struct store_file *file, struct store_request *request)
{
	struct io_uring_sqe *sqe = sqe_get(file, request);
	if (!sqe)
		return;
	store_map_stamp(&file->map, file->buffered.fd);
	io_uring_prep_fsync(sqe, file->buffered.fd, IORING_FSYNC_DATASYNC);
	request->phase = PHASE_FLUSH;
	sqe_finish(sqe, request, &file->buffered);
}

static void fallocate_submit(
	struct store_file *file, struct store_request *request, int mode, enum phase phase)
{
	struct io_uring_sqe *sqe = sqe_get(file, request);
	if (!sqe)
		return;
	store_map_forget(&file->map, request->offset, request->bytes);
	io_uring_prep_fallocate(sqe, file->buffered.fd, mode | FALLOC_FL_KEEP_SIZE,
		(off_t)request->offset, (off_t)request->bytes);
	request->phase = phase;
	sqe_finish(sqe, request, &file->buffered);
}

/* Write the next piece of zeros. */
static void zero_writes_submit(struct store_file *file, struct store_request *request)
{
	struct io_uring_sqe *sqe = sqe_get(file, request);
	if (!sqe)
		return;
	uint64_t bytes = request->bytes - request->progress_bytes;
	if (bytes > STORE_FILE_ZEROES_BYTES)
		bytes = STORE_FILE_ZEROES_BYTES;
	io_uring_prep_write(sqe, file->buffered.fd, file->zeroes, (unsigned)bytes,
		request->offset + request->progress_bytes);
	request->phase = PHASE_ZERO_WRITES;
	sqe_finish(sqe, request, &file->buffered);
}

static void zero_submit(struct store_file *file, struct store_request *request)
{
	if (request->may_unmap && file->can_punch)
		fallocate_submit(file, request, FALLOC_FL_PUNCH_HOLE, PHASE_ZERO);
	else if (file->can_zero)
		fallocate_submit(file, request, FALLOC_FL_ZERO_RANGE, PHASE_ZERO);
	else
		zero_writes_submit(file, request);
}

static void file_submit(struct store *store, struct store_request *request)
{
	struct store_file *file = (struct store_file *)store;
	request->store = store;
	request->progress_bytes = 0;
	switch (request->op) {
	case STORE_READ:
	case STORE_WRITE:
		transfer_submit(file, request);
		return;
	case STORE_FLUSH:
		if (store->is_read_only)
			finish(request, 0);
		else
			flush_submit(file, request);
		return;
	case STORE_DISCARD:
		if (file->can_punch)
			fallocate_submit(file, request, FALLOC_FL_PUNCH_HOLE, PHASE_DISCARD);
		else
			finish(request, 0);
		return;
	case STORE_WRITE_ZEROES:
		zero_submit(file, request);
		return;
	default:
		finish(request, -EINVAL);
	}
}

/* ---- completing ---------------------------------------------------------------------------- */

/* Leave out the bytes that a short transfer has moved. */
static void iov_advance(struct store_request *request, size_t bytes)
{
	while (bytes != 0 && request->iov_count != 0) {
		struct iovec *iov = request->iov;
		if (bytes < iov->iov_len) {
			iov->iov_base = (uint8_t *)iov->iov_base + bytes;
			iov->iov_len -= bytes;
			return;
		}
		bytes -= iov->iov_len;
		request->iov++;
		request->iov_count--;
	}
}

static void transfer_complete(struct store_file *file, struct store_request *request, int result)
{
	if (result == -EINTR || result == -EAGAIN) {
		transfer_submit(file, request);
	} else if (result < 0) {
		finish(request, result);
	} else if (result == 0) {
		/* The file has become shorter than the store. */
		finish(request, -EIO);
	} else {
		request->progress_bytes += (uint64_t)result;
		if (request->progress_bytes >= request->bytes) {
			finish(request, 0);
			return;
		}
		iov_advance(request, (size_t)result);
		transfer_submit(file, request);
	}
}

/* The range is zero; a forced one must also be durable. */
static void zero_done(struct store_file *file, struct store_request *request)
{
	if (request->fua)
		flush_submit(file, request);
	else
		finish(request, 0);
}

/* The errors by which file systems and devices say that they do not do this. */
static bool is_unsupported(int result)
{
	return result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV || result == -ENOTTY;
}

static void zero_complete(struct store_file *file, struct store_request *request, int result)
{
	if (result == 0) {
		zero_done(file, request);
		return;
	}
	if (result == -EINTR) {
		zero_submit(file, request);
		return;
	}
	if (is_unsupported(result)) {
		if (request->may_unmap && file->can_punch)
			file->can_punch = false;
		else
			file->can_zero = false;
		zero_submit(file, request);
		return;
	}
	/* Also for what is merely not aligned well: writing always works. */
	if (result == -EINVAL)
		zero_writes_submit(file, request);
	else
		finish(request, result);
}

static void zero_writes_complete(struct store_file *file, struct store_request *request, int result)
{
	if (result < 0 && result != -EINTR && result != -EAGAIN) {
		finish(request, result);
		return;
	}
	if (result == 0) {
		finish(request, -EIO);
		return;
	}
	if (result > 0)
		request->progress_bytes += (uint64_t)result;
	if (request->progress_bytes >= request->bytes)
		zero_done(file, request);
	else
		zero_writes_submit(file, request);
}

static void on_complete(struct loop_completion *completion, int result, uint32_t flags)
{
	struct store_request *request =
		(struct store_request *)(void *)((uint8_t *)completion -
						 offsetof(struct store_request, completion));
	struct store_file *file = (struct store_file *)request->store;
	(void)flags;
	switch ((enum phase)request->phase) {
	case PHASE_TRANSFER:
		transfer_complete(file, request, result);
		return;
	case PHASE_FLUSH:
		if (result == -EINTR)
			flush_submit(file, request);
		else
			finish(request, result);
		return;
	case PHASE_DISCARD:
		store_map_forget(&file->map, request->offset, request->bytes);
		/* Advice: that it cannot be followed is no error. */
		if (is_unsupported(result))
			file->can_punch = false;
		finish(request, 0);
		return;
	case PHASE_ZERO:
		store_map_forget(&file->map, request->offset, request->bytes);
		zero_complete(file, request, result);
		return;
	case PHASE_ZERO_WRITES:
		zero_writes_complete(file, request, result);
		return;
	case PHASE_IDLE:
		return;
	}
}

/* ---- the other functions of a store -------------------------------------------------------- */

/* The result of a cancellation; the request's own completion says what became of it. */
static void cancel_complete(struct loop_completion *completion, int result, uint32_t flags)
{
	(void)completion;
	(void)result;
	(void)flags;
}

static const struct loop_completion cancel_completion = {.fn = cancel_complete};

static void file_cancel(struct store *store, struct store_request *request)
{
	struct store_file *file = (struct store_file *)store;
	if (request->phase == PHASE_IDLE || request->store != store)
		return;
	struct io_uring_sqe *sqe = file->loop->sqe(file->loop->ctx);
	if (!sqe)
		return;
	io_uring_prep_cancel(sqe, &request->completion, 0);
	/* Shared by all, and only called: never written. */
	sqe->user_data = (uintptr_t)&cancel_completion;
}

static int file_refresh(struct store *store)
{
	struct store_file *file = (struct store_file *)store;
	uint64_t bytes;
	const int result = store_image_size(file->buffered.fd, &bytes);
	if (result < 0)
		return result;
	if (bytes == 0 || bytes % store->block_bytes != 0)
		return -EINVAL;
	if (bytes != store->capacity_bytes)
		store_file_map(file, bytes);
	store->capacity_bytes = bytes;
	return 0;
}

void store_file_map(struct store_file *file, uint64_t bytes)
{
	store_map_close(&file->map, file->buffered.fd);
	if (file->is_in_memory)
		store_map_open(&file->map, file->buffered.fd, bytes, !file->base.is_read_only);
	file->base.memory = file->map.base;
}

static void handle_close(struct store_file *file, struct store_file_handle *handle)
{
	store_file_unregister(file->loop, handle);
	if (handle->fd >= 0)
		close(handle->fd);
}

static void file_close(struct store *store)
{
	struct store_file *file = (struct store_file *)store;
	store_map_close(&file->map, file->buffered.fd);
	handle_close(file, &file->direct);
	handle_close(file, &file->buffered);
	if (file->lock_fd >= 0)
		close(file->lock_fd);
	if (file->zeroes)
		munmap(file->zeroes, STORE_FILE_ZEROES_BYTES);
	free(file);
}

const struct store_ops store_file_ops = {
	.name = "file",
	.submit = file_submit,
	.cancel = file_cancel,
	.refresh = file_refresh,
	.close = file_close,
};

/* ---- registered files ---------------------------------------------------------------------- */

void store_file_register(struct store_loop *loop, struct store_file_handle *handle)
{
	handle->registered = -1;
	if (!loop->files_tried) {
		loop->files_tried = true;
		loop->files_registered = io_uring_register_files_sparse(
						 loop->ring, STORE_LOOP_FILES_MAX) == 0;
	}
	if (!loop->files_registered || loop->files_used == UINT64_MAX)
		return;
	const int place = __builtin_ctzll(~loop->files_used);
	if (io_uring_register_files_update(loop->ring, (unsigned)place, &handle->fd, 1) != 1)
		return;
	loop->files_used |= UINT64_C(1) << place;
	handle->registered = place;
}

void store_file_unregister(struct store_loop *loop, struct store_file_handle *handle)
{
	int none = -1;
	if (handle->registered < 0)
		return;
	io_uring_register_files_update(loop->ring, (unsigned)handle->registered, &none, 1);
	loop->files_used &= ~(UINT64_C(1) << handle->registered);
	handle->registered = -1;
}
