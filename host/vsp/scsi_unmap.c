// SPDX-License-Identifier: Apache-2.0
/*
 * Commands that free or fill ranges: UNMAP and WRITE SAME.
 *
 * Sources: protocol/storage.md section 7 (R-STOR-040, R-STOR-041); T10 SBC-3.
 */
#include "host/vsp/scsi_internal.h"

#include <string.h>

#define DESCRIPTOR_BYTES sizeof(struct scsi_unmap_descriptor_wire)

/* ---- UNMAP --------------------------------------------------------------------------------- */

/*
 * One descriptor a step. Each is copied out of guest memory once, when its turn
 * comes. What the store answers is advice to it and no error of the command. Descriptors
 * that together are longer than the disk overlap: the surplus frees nothing, so that one
 * command cannot go over the whole disk thousands of times.
 */
static bool unmap_step(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	while (request->position < request->blocks) {
		struct scsi_unmap_descriptor_wire descriptor;
		const size_t offset = sizeof(struct scsi_unmap_header_wire) +
				      (size_t)request->position * DESCRIPTOR_BYTES;
		request->position++;
		if (scsi_buffer_read(request, offset, &descriptor, sizeof descriptor) !=
			sizeof descriptor)
			memset(&descriptor, 0xFF, sizeof descriptor);
		const uint64_t lba = scsi_get64(descriptor.lba);
		const uint32_t count = scsi_get32(descriptor.count);
		if (count == 0 && lba <= device->blocks)
			continue;
		if (!scsi_range_is_valid(request, lba, count))
			return false;
		if (count > request->blocks_left)
			continue;
		request->blocks_left -= count;
		struct store_request *store = &request->store;
		store->op = STORE_DISCARD;
		store->fua = false;
		store->iov = NULL;
		store->iov_count = 0;
		store->offset = lba << device->block_shift;
		store->bytes = (uint64_t)count << device->block_shift;
		scsi_submit(request);
		return true;
	}
	scsi_good(request, request->data_bytes);
	return false;
}

void scsi_unmap(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	const uint16_t length = scsi_get16(request->cdb + 7);
	struct scsi_unmap_header_wire header;

	if (!device->can_unmap) {
		scsi_illegal(request, SCSI_ASC_INVALID_FIELD_IN_CDB);
		return;
	}
	if (request->cdb[1] & SCSI_UNMAP_ANCHOR) {
		scsi_illegal_cdb(request, 1);
		return;
	}
	if (length < sizeof header || length != request->data_bytes) {
		scsi_illegal_cdb(request, 7);
		return;
	}
	if (scsi_buffer_read(request, 0, &header, sizeof header) != sizeof header ||
		scsi_get16(header.data_length) != length - 2) {
		scsi_illegal(request, SCSI_ASC_INVALID_FIELD_IN_CDB);
		return;
	}
	const unsigned bytes = scsi_get16(header.descriptors_length);
	if (bytes != length - sizeof header || bytes % DESCRIPTOR_BYTES != 0) {
		scsi_illegal(request, SCSI_ASC_NONE);
		return;
	}
	if (bytes / DESCRIPTOR_BYTES > SCSI_UNMAP_DESCRIPTORS_MAX) {
		scsi_illegal_parameter(request, 2);
		return;
	}
	if (!scsi_is_writable(request))
		return;
	request->step = unmap_step;
	request->blocks = bytes / DESCRIPTOR_BYTES;
	request->position = 0;
	request->blocks_left = device->blocks;
	scsi_drive(request);
}

/* ---- WRITE SAME ---------------------------------------------------------------------------- */

static bool is_all_zero(const uint8_t *bytes, size_t count)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

static void write_zeroes_done(struct store_request *store, int result)
{
	struct scsi_request *request = (struct scsi_request *)store;
	if (result < 0)
		scsi_store_failed(request, STORE_WRITE_ZEROES, result);
	else
		scsi_good(request, request->data_bytes);
}

static void write_zeroes(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	struct store_request *store = &request->store;
	store->op = STORE_WRITE_ZEROES;
	store->fua = false;
	store->may_unmap = device->can_unmap && (request->cdb[1] & SCSI_WRITE_SAME_UNMAP);
	store->iov = NULL;
	store->iov_count = 0;
	store->offset = request->lba << device->block_shift;
	store->bytes = request->blocks << device->block_shift;
	store->done = write_zeroes_done;
	store_submit(device->store, store);
}

enum write_same_phase { WRITE_SAME_START, WRITE_SAME_WRITING };

/* Write as many copies of the scratch memory, full of the pattern, as one I/O takes. */
static bool write_same_step(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	const size_t block = (size_t)1 << device->block_shift;
	uint8_t *scratch = request->scratch->bytes;
	if (request->phase == WRITE_SAME_START) {
		scsi_buffer_read(request, 0, scratch, block);
		for (size_t at = block; at < SCSI_SCRATCH_BYTES; at += block)
			memcpy(scratch + at, scratch, block);
		request->phase = WRITE_SAME_WRITING;
	} else if (request->result < 0) {
		scsi_store_failed(request, STORE_WRITE, request->result);
		return false;
	} else {
		request->position += request->step_blocks;
	}
	if (request->position == request->blocks) {
		scsi_good(request, request->data_bytes);
		return false;
	}
	uint64_t left = (request->blocks - request->position) << device->block_shift;
	uint64_t bytes = 0;
	unsigned count = 0;
	for (; count < SCSI_REQUEST_WORK_IOVECS && left != 0; count++) {
		const size_t part = left < SCSI_SCRATCH_BYTES ? (size_t)left : SCSI_SCRATCH_BYTES;
		request->work[count].iov_base = scratch;
		request->work[count].iov_len = part;
		bytes += part;
		left -= part;
	}
	struct store_request *store = &request->store;
	store->op = STORE_WRITE;
	store->fua = false;
	store->iov = request->work;
	store->iov_count = count;
	store->offset = (request->lba + request->position) << device->block_shift;
	store->bytes = bytes;
	request->step_blocks = (uint32_t)(bytes >> device->block_shift);
	scsi_submit(request);
	return true;
}

/* CDB bits that WRITE SAME does not take here; 0 if none is set. */
static bool write_same_has_bad_bits(const struct scsi_request *request)
{
	uint8_t bad = SCSI_WRITE_SAME_ANCHOR | SCSI_WRITE_SAME_LBDATA | SCSI_WRITE_SAME_PBDATA;
	if (request->cdb[0] == SCSI_OP_WRITE_SAME_10)
		bad |= SCSI_CDB_RELADR;
	return request->cdb[1] & bad;
}

void scsi_write_same(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	const struct scsi_block_range range = scsi_block_range_get(request->cdb);
	const size_t block = (size_t)1 << device->block_shift;
	const bool has_data = !(request->cdb[0] == SCSI_OP_WRITE_SAME_16 &&
				(request->cdb[1] & SCSI_WRITE_SAME_NDOB));
	uint64_t count = range.count;

	if (write_same_has_bad_bits(request)) {
		scsi_illegal_cdb(request, 1);
		return;
	}
	if (count == 0 && range.lba < device->blocks)
		count = device->blocks - range.lba; /* to the end */
	if ((has_data && request->data_bytes < block) ||
		count > device->write_same_bytes_max >> device->block_shift) {
		scsi_illegal(request, SCSI_ASC_LBA_OUT_OF_RANGE);
		return;
	}
	if (!scsi_range_is_valid(request, range.lba, count) || !scsi_is_writable(request))
		return;
	request->lba = range.lba;
	request->blocks = count;
	request->position = 0;
	scsi_request_cut(request, has_data ? (uint32_t)block : 0);

	uint8_t pattern[4096];
	if (has_data)
		scsi_buffer_read(request, 0, pattern, block);
	if (!has_data || is_all_zero(pattern, block)) {
		write_zeroes(request);
		return;
	}
	request->step = write_same_step;
	request->phase = WRITE_SAME_START;
	scsi_drive_with_scratch(request);
}
