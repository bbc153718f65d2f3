// SPDX-License-Identifier: Apache-2.0
/*
 * Commands that move blocks: READ, WRITE, WRITE AND VERIFY, VERIFY, SYNCHRONIZE
 * CACHE, of every CDB size. Reads and writes are the hot path: one pass from the
 * CDB to the store, straight to or from guest memory.
 *
 * Sources: protocol/storage.md section 7 (R-STOR-031 … R-STOR-036); T10 SBC-3.
 */
#include "host/vsp/scsi_internal.h"

#include <string.h>

/* Obsolete relative addressing, in the 10- and 12-byte forms. */
static bool has_reladr(const struct scsi_request *request)
{
	const uint8_t group = request->cdb[0] >> 5;
	return group != 0 && group != 4 && (request->cdb[1] & SCSI_CDB_RELADR);
}

static bool has_fua(const struct scsi_request *request)
{
	return request->cdb[0] >> 5 != 0 && (request->cdb[1] & SCSI_CDB_FUA);
}

static void transfer_done(struct store_request *store, int result)
{
	struct scsi_request *request = (struct scsi_request *)store;
	if (__builtin_expect(result < 0, 0))
		scsi_store_failed(request, store->op, result);
	else
		scsi_good(request, (uint32_t)store->bytes);
}

_Static_assert(offsetof(struct scsi_request, store) == 0, "transfer_done() converts the pointer");

/*
 * The checks of data commands, in the order of R-STOR-032: RELADR, length, range.
 * Fills the range and bytes of request->store. False: the request has ended.
 */
static bool transfer_prepare(struct scsi_request *request, enum store_op op)
{
	const struct scsi_device *device = request->nexus->device;
	const struct scsi_block_range range = scsi_block_range_get(request->cdb);
	const uint64_t bytes = (uint64_t)range.count << device->block_shift;

	if (has_reladr(request)) {
		scsi_illegal_cdb(request, 1);
		return false;
	}
	if (range.count == 0 || bytes > request->data_bytes) {
		scsi_illegal(request, SCSI_ASC_LBA_OUT_OF_RANGE);
		return false;
	}
	if (!scsi_range_is_valid(request, range.lba, range.count))
		return false;
	if (bytes != request->data_bytes)
		scsi_request_cut(request, (uint32_t)bytes);
	struct store_request *store = &request->store;
	store->op = op;
	store->fua = op == STORE_WRITE && has_fua(request);
	store->iov = request->iov;
	store->iov_count = request->iov_count;
	store->offset = range.lba << device->block_shift;
	store->bytes = bytes;
	store->done = transfer_done;
	return true;
}

void scsi_block_read(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	if (device->type == SCSI_DEVICE_DVD) {
		if (!scsi_has_medium(request))
			return;
		if (scsi_block_range_get(request->cdb).count == 0) {
			scsi_good(request, 0);
			return;
		}
	}
	if (transfer_prepare(request, STORE_READ))
		store_submit(device->store, &request->store);
}

void scsi_block_write(struct scsi_request *request)
{
	if (transfer_prepare(request, STORE_WRITE) && scsi_is_writable(request))
		store_submit(request->nexus->device->store, &request->store);
}

/* ---- verify -------------------------------------------------------------------------------- */

/* Compare `bytes` of scratch with the data buffer from `offset`. */
static bool scratch_equals(const struct scsi_request *request, size_t offset, size_t bytes)
{
	struct iovec pieces[SCSI_REQUEST_WORK_IOVECS];
	const unsigned count = scsi_buffer_slice(
		request, offset, bytes, pieces, SCSI_REQUEST_WORK_IOVECS);
	const uint8_t *expected = request->scratch->bytes;
	if (count == 0)
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (memcmp(expected, pieces[i].iov_base, pieces[i].iov_len) != 0)
			return false;
		expected += pieces[i].iov_len;
	}
	return true;
}

enum verify_phase { VERIFY_START, VERIFY_WRITING, VERIFY_READING };

/* Set request->store for the piece of the device that begins at request->position. */
static void verify_piece(struct scsi_request *request, enum store_op op)
{
	const struct scsi_device *device = request->nexus->device;
	struct store_request *store = &request->store;
	store->op = op;
	store->fua = op == STORE_WRITE;
	store->iov = request->work;
	store->offset = (request->lba + request->position) << device->block_shift;
	store->bytes = (uint64_t)request->step_blocks << device->block_shift;
	if (op == STORE_WRITE) {
		store->iov_count = scsi_buffer_slice(request,
			(size_t)request->position << device->block_shift, (size_t)store->bytes,
			request->work, SCSI_REQUEST_WORK_IOVECS);
	} else {
		request->work[0].iov_base = request->scratch->bytes;
		request->work[0].iov_len = (size_t)store->bytes;
		store->iov_count = 1;
	}
	scsi_submit(request);
}

/* For each piece: write it if asked to, read it into the scratch memory, compare. */
static bool verify_step(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	if (request->phase != VERIFY_START && request->result < 0) {
		scsi_store_failed(request, request->store.op, request->result);
		return false;
	}
	if (request->phase == VERIFY_WRITING) {
		request->phase = VERIFY_READING;
		verify_piece(request, STORE_READ);
		return true;
	}
	if (request->phase == VERIFY_READING) {
		const size_t bytes = (size_t)request->step_blocks << device->block_shift;
		const size_t offset = (size_t)request->position << device->block_shift;
		if (!scratch_equals(request, offset, bytes)) {
			scsi_check(request, STORAGE_SRB_ERROR, SCSI_KEY_MISCOMPARE,
				SCSI_ASC_MISCOMPARE);
			return false;
		}
		request->position += request->step_blocks;
	}
	if (request->position == request->blocks) {
		scsi_good(request, request->data_bytes);
		return false;
	}
	uint64_t blocks = request->blocks - request->position;
	if (blocks > SCSI_SCRATCH_BYTES >> device->block_shift)
		blocks = SCSI_SCRATCH_BYTES >> device->block_shift;
	request->step_blocks = (uint32_t)blocks;
	request->phase = request->is_writing ? VERIFY_WRITING : VERIFY_READING;
	verify_piece(request, request->is_writing ? STORE_WRITE : STORE_READ);
	return true;
}

static void compare_start(struct scsi_request *request, bool is_writing)
{
	const struct scsi_block_range range = scsi_block_range_get(request->cdb);
	request->step = verify_step;
	request->phase = VERIFY_START;
	request->is_writing = is_writing;
	request->lba = range.lba;
	request->blocks = range.count;
	request->position = 0;
	scsi_drive_with_scratch(request);
}

/* The data is durable at completion; BYTCHK reads it back and compares. */
void scsi_block_write_and_verify(struct scsi_request *request)
{
	if (!transfer_prepare(request, STORE_WRITE) || !scsi_is_writable(request))
		return;
	if (request->cdb[1] & SCSI_CDB_BYTCHK) {
		compare_start(request, true);
		return;
	}
	request->store.fua = true;
	store_submit(request->nexus->device->store, &request->store);
}

/* Without BYTCHK there is nothing to do but to check the range. */
void scsi_block_verify(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	const struct scsi_block_range range = scsi_block_range_get(request->cdb);
	const unsigned bytchk = request->cdb[1] & SCSI_CDB_BYTCHK;
	const uint64_t bytes = (uint64_t)range.count << device->block_shift;

	if (has_reladr(request) || (bytchk != 0 && bytchk != 2)) {
		scsi_illegal_cdb(request, 1);
		return;
	}
	if (bytchk != 0 && (range.count == 0 || bytes > request->data_bytes)) {
		scsi_illegal(request, SCSI_ASC_LBA_OUT_OF_RANGE);
		return;
	}
	if (!scsi_range_is_valid(request, range.lba, range.count))
		return;
	if (bytchk == 0) {
		scsi_good(request, 0);
		return;
	}
	scsi_request_cut(request, (uint32_t)bytes);
	compare_start(request, false);
}

/* ---- flush --------------------------------------------------------------------------------- */

static void flush_done(struct store_request *store, int result)
{
	struct scsi_request *request = (struct scsi_request *)store;
	if (result < 0)
		scsi_store_failed(request, STORE_FLUSH, result);
	else
		scsi_good(request, 0);
}

/* The whole device: the range is a hint (R-STOR-035). */
void scsi_block_synchronize_cache(struct scsi_request *request)
{
	struct store_request *store = &request->store;
	store->op = STORE_FLUSH;
	store->fua = false;
	store->iov = NULL;
	store->iov_count = 0;
	store->offset = 0;
	store->bytes = 0;
	store->done = flush_done;
	store_submit(request->nexus->device->store, store);
}
