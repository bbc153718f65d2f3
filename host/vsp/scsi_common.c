// SPDX-License-Identifier: Apache-2.0
/*
 * What SCSI commands have in common: how they end, how replies reach the data
 * buffer, how commands of several steps go on, unit attentions, devices.
 *
 * Sources: protocol/storage.md sections 6 and 7.
 */
#include "host/vsp/scsi_internal.h"

#include <stdlib.h>
#include <string.h>

const char scsi_vendor[8] = {'M', 's', 'f', 't', ' ', ' ', ' ', ' '};

/* ---- endings ------------------------------------------------------------------------------- */

void scsi_sense_fill(uint8_t *sense, enum scsi_sense_key key, uint16_t asc)
{
	memset(sense, 0, SCSI_SENSE_BYTES);
	sense[0] = SCSI_SENSE_FIXED_CURRENT;
	sense[2] = (uint8_t)key;
	sense[7] = SCSI_SENSE_BYTES - 8;
	scsi_put16(sense + 12, asc);
}

void scsi_finish(struct scsi_request *request, uint8_t scsi_status, uint8_t srb_status)
{
	request->scsi_status = scsi_status;
	request->srb_status = srb_status;
	struct scsi_device *device = request->nexus->device;
	if (--request->nexus->outstanding == 0 && device->retired)
		scsi_device_retire(device);
	request->done(request);
}

void scsi_good(struct scsi_request *request, uint32_t moved)
{
	request->moved_bytes = moved;
	scsi_finish(request, SCSI_STATUS_GOOD, STORAGE_SRB_SUCCESS);
}

/* Save the sense of the request for REQUEST SENSE, and end. */
static void finish_with_sense(struct scsi_request *request, uint8_t scsi_status, uint8_t srb_status)
{
	struct scsi_nexus *nexus = request->nexus;
	request->sense_bytes = SCSI_SENSE_BYTES;
	memcpy(nexus->sense, request->sense, SCSI_SENSE_BYTES);
	nexus->sense_bytes = SCSI_SENSE_BYTES;
	scsi_finish(request, scsi_status, srb_status);
}

void scsi_check(
	struct scsi_request *request, uint8_t srb_status, enum scsi_sense_key key, uint16_t asc)
{
	scsi_sense_fill(request->sense, key, asc);
	finish_with_sense(request, SCSI_STATUS_CHECK_CONDITION, srb_status);
}

void scsi_check_bare(struct scsi_request *request, uint8_t srb_status)
{
	scsi_finish(request, SCSI_STATUS_CHECK_CONDITION, srb_status);
}

static uint8_t illegal_srb_status(const struct scsi_request *request)
{
	return request->nexus->device->type == SCSI_DEVICE_DVD ? STORAGE_SRB_ERROR
							       : STORAGE_SRB_INVALID_REQUEST;
}

void scsi_illegal(struct scsi_request *request, uint16_t asc)
{
	scsi_check(request, illegal_srb_status(request), SCSI_KEY_ILLEGAL_REQUEST, asc);
}

static void illegal_field(struct scsi_request *request, uint16_t asc, uint8_t where, unsigned field)
{
	scsi_sense_fill(request->sense, SCSI_KEY_ILLEGAL_REQUEST, asc);
	request->sense[15] = SCSI_SKS_VALID | where;
	scsi_put16(request->sense + 16, (uint16_t)field);
	finish_with_sense(request, SCSI_STATUS_CHECK_CONDITION, illegal_srb_status(request));
}

void scsi_illegal_cdb(struct scsi_request *request, unsigned field)
{
	illegal_field(request, SCSI_ASC_INVALID_FIELD_IN_CDB, SCSI_SKS_IN_CDB, field);
}

void scsi_illegal_parameter(struct scsi_request *request, unsigned field)
{
	illegal_field(request, SCSI_ASC_INVALID_FIELD_IN_PARAMETER_LIST, 0, field);
}

void scsi_store_failed(struct scsi_request *request, enum store_op op, int result)
{
	switch (result) {
	case -EBUSY:
	case -EAGAIN:
		scsi_finish(request, SCSI_STATUS_BUSY, STORAGE_SRB_BUSY);
		return;
	case -ECANCELED:
		scsi_sense_fill(request->sense, SCSI_KEY_ABORTED_COMMAND, SCSI_ASC_NONE);
		finish_with_sense(request, SCSI_STATUS_TASK_ABORTED, STORAGE_SRB_ABORTED);
		return;
	case -EFAULT:
		scsi_check(request, STORAGE_SRB_INVALID_REQUEST, SCSI_KEY_ILLEGAL_REQUEST,
			SCSI_ASC_INVALID_FIELD_IN_CDB);
		return;
	case -EROFS:
		scsi_check(request, STORAGE_SRB_ERROR, SCSI_KEY_DATA_PROTECT,
			SCSI_ASC_WRITE_PROTECTED);
		return;
	case -ENOSPC:
	case -EDQUOT:
		scsi_check(request, STORAGE_SRB_ERROR, SCSI_KEY_DATA_PROTECT,
			SCSI_ASC_SPACE_ALLOCATION_FAILED);
		return;
	default:
		break;
	}
	if (request->nexus->device->type == SCSI_DEVICE_DVD) {
		scsi_check_bare(request, STORAGE_SRB_ERROR);
		return;
	}
	uint16_t asc = SCSI_ASC_NONE;
	if (result == -EIO && op == STORE_READ)
		asc = SCSI_ASC_UNRECOVERED_READ;
	else if (result == -EIO && (op == STORE_WRITE || op == STORE_WRITE_ZEROES))
		asc = SCSI_ASC_WRITE_FAULT;
	scsi_check(request, STORAGE_SRB_ERROR, SCSI_KEY_MEDIUM_ERROR, asc);
}

/* ---- data ---------------------------------------------------------------------------------- */

size_t scsi_buffer_write(
	struct scsi_request *request, size_t offset, const void *data, size_t bytes)
{
	const uint8_t *from = data;
	size_t moved = 0;
	for (unsigned i = 0; i < request->iov_count && moved < bytes; i++) {
		const struct iovec *v = &request->iov[i];
		if (offset >= v->iov_len) {
			offset -= v->iov_len;
			continue;
		}
		size_t part = v->iov_len - offset;
		if (part > bytes - moved)
			part = bytes - moved;
		memcpy((uint8_t *)v->iov_base + offset, from + moved, part);
		moved += part;
		offset = 0;
	}
	return moved;
}

size_t scsi_buffer_read(const struct scsi_request *request, size_t offset, void *data, size_t bytes)
{
	uint8_t *to = data;
	size_t moved = 0;
	for (unsigned i = 0; i < request->iov_count && moved < bytes; i++) {
		const struct iovec *v = &request->iov[i];
		if (offset >= v->iov_len) {
			offset -= v->iov_len;
			continue;
		}
		size_t part = v->iov_len - offset;
		if (part > bytes - moved)
			part = bytes - moved;
		memcpy(to + moved, (const uint8_t *)v->iov_base + offset, part);
		/* The guest may change it: the copy is what counts, read once. */
		__asm__ volatile("" : : : "memory");
		moved += part;
		offset = 0;
	}
	return moved;
}

void scsi_request_cut(struct scsi_request *request, uint32_t bytes)
{
	uint32_t left = bytes;
	unsigned i = 0;
	for (; i < request->iov_count && left != 0; i++) {
		if (request->iov[i].iov_len > left)
			request->iov[i].iov_len = left;
		left -= (uint32_t)request->iov[i].iov_len;
	}
	request->iov_count = i;
	request->data_bytes = bytes;
}

unsigned scsi_buffer_slice(const struct scsi_request *request, size_t offset, size_t bytes,
	struct iovec *out, unsigned out_max)
{
	unsigned count = 0;
	for (unsigned i = 0; i < request->iov_count && bytes != 0; i++) {
		const struct iovec *v = &request->iov[i];
		if (offset >= v->iov_len) {
			offset -= v->iov_len;
			continue;
		}
		if (count == out_max)
			return 0;
		size_t part = v->iov_len - offset;
		if (part > bytes)
			part = bytes;
		out[count].iov_base = (uint8_t *)v->iov_base + offset;
		out[count].iov_len = part;
		count++;
		bytes -= part;
		offset = 0;
	}
	return bytes == 0 ? count : 0;
}

void scsi_reply(struct scsi_request *request, const void *data, size_t bytes, size_t allocation)
{
	if (bytes > allocation)
		bytes = allocation;
	if (bytes > request->data_bytes)
		bytes = request->data_bytes;
	scsi_good(request, (uint32_t)scsi_buffer_write(request, 0, data, bytes));
}

/* ---- steps --------------------------------------------------------------------------------- */

/* The scratch memory goes to the next in the queue. */
static void scratch_release(struct scsi_scratch *scratch)
{
	struct scsi_request *next = scratch->waiting;
	scratch->owner = next;
	if (!next)
		return;
	scratch->waiting = next->next;
	if (!scratch->waiting)
		scratch->waiting_end = &scratch->waiting;
}

/* The next step, but not of a request that is to end soon. False: the request has ended. */
static bool step_run(struct scsi_request *request)
{
	if (!request->is_hurried)
		return request->step(request);
	scsi_store_failed(request, request->store.op, -ECANCELED);
	return false;
}

void scsi_drive(struct scsi_request *request)
{
	for (;;) {
		struct scsi_scratch *scratch = request->scratch;
		const bool owns_scratch = scratch->owner == request;
		request->is_driving = true;
		request->has_result = false;
		if (!step_run(request)) {
			/* The request has ended: it is not ours any more. */
			if (!owns_scratch)
				return;
			scratch_release(scratch);
			request = scratch->owner;
			if (!request)
				return;
			continue;
		}
		request->is_driving = false;
		if (!request->has_result)
			return;
	}
}

static void step_done(struct store_request *store, int result)
{
	struct scsi_request *request = (struct scsi_request *)store;
	request->result = result;
	if (request->is_driving)
		request->has_result = true;
	else
		scsi_drive(request);
}

_Static_assert(offsetof(struct scsi_request, store) == 0, "step_done() converts the pointer");

void scsi_submit(struct scsi_request *request)
{
	request->store.done = step_done;
	store_submit(request->nexus->device->store, &request->store);
}

void scsi_drive_with_scratch(struct scsi_request *request)
{
	struct scsi_scratch *scratch = request->scratch;
	request->is_driving = false;
	if (scratch->owner) {
		request->next = NULL;
		*scratch->waiting_end = request;
		scratch->waiting_end = &request->next;
		return;
	}
	scratch->owner = request;
	scsi_drive(request);
}

void scsi_request_hurry(struct scsi_request *request)
{
	struct store *store = request->nexus->device->store;
	request->is_hurried = true;
	if (store && store->ops->cancel)
		store->ops->cancel(store, &request->store);
}

int scsi_scratch_init(struct scsi_scratch *scratch)
{
	*scratch = (struct scsi_scratch){0};
	scratch->waiting_end = &scratch->waiting;
	scratch->bytes = aligned_alloc(4096, SCSI_SCRATCH_BYTES);
	return scratch->bytes ? 0 : -ENOMEM;
}

void scsi_scratch_destroy(struct scsi_scratch *scratch)
{
	free(scratch->bytes);
	scratch->bytes = NULL;
}

/* ---- shared checks and commands ------------------------------------------------------------ */

bool scsi_range_is_valid(struct scsi_request *request, uint64_t lba, uint64_t count)
{
	const uint64_t blocks = request->nexus->device->blocks;
	if (lba < blocks && count <= blocks - lba)
		return true;
	scsi_illegal(request, SCSI_ASC_LBA_OUT_OF_RANGE);
	return false;
}

bool scsi_is_writable(struct scsi_request *request)
{
	if (!request->nexus->device->is_read_only)
		return true;
	scsi_check(request, STORAGE_SRB_ERROR, SCSI_KEY_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED);
	return false;
}

void scsi_run_nothing(struct scsi_request *request)
{
	scsi_good(request, 0);
}

void scsi_run_request_sense(struct scsi_request *request)
{
	struct scsi_nexus *nexus = request->nexus;
	const uint8_t allocation = request->cdb[4];
	if (allocation < 8 || allocation > request->data_bytes) {
		scsi_illegal_cdb(request, 4);
		return;
	}
	uint8_t sense[SCSI_SENSE_BYTES];
	scsi_sense_fill(sense, SCSI_KEY_NO_SENSE, SCSI_ASC_NONE);
	if (nexus->attentions)
		scsi_sense_fill(sense, SCSI_KEY_UNIT_ATTENTION, scsi_attention_take(nexus));
	else if (nexus->sense_bytes)
		memcpy(sense, nexus->sense, sizeof sense);
	nexus->sense_bytes = 0;
	scsi_reply(request, sense, sizeof sense, allocation);
}

bool scsi_inquiry_is_valid(struct scsi_request *request)
{
	const uint8_t *cdb = request->cdb;
	const uint16_t allocation = scsi_get16(cdb + 3);
	const bool is_vpd = cdb[1] & SCSI_INQUIRY_EVPD;
	if (request->data_bytes < allocation) {
		scsi_illegal_cdb(request, 3);
	} else if (cdb[1] & SCSI_INQUIRY_CMDDT) {
		scsi_illegal_cdb(request, 1);
	} else if (!is_vpd && cdb[2] != 0) {
		scsi_illegal_cdb(request, 2);
	} else if (allocation < (is_vpd ? 4 : 5)) {
		scsi_illegal_cdb(request, 3);
	} else {
		return true;
	}
	return false;
}

/* ---- LUNs that are not there, REPORT LUNS -------------------------------------------------- */

/* End a request that no device executes. */
static void finish_absent(
	struct scsi_request *request, uint8_t scsi_status, uint8_t srb_status, uint32_t moved)
{
	request->scsi_status = scsi_status;
	request->srb_status = srb_status;
	request->moved_bytes = moved;
	request->done(request);
}

static uint32_t reply_absent(
	struct scsi_request *request, const void *data, size_t bytes, size_t allocation)
{
	if (bytes > allocation)
		bytes = allocation;
	if (bytes > request->data_bytes)
		bytes = request->data_bytes;
	return (uint32_t)scsi_buffer_write(request, 0, data, bytes);
}

void scsi_request_refuse(struct scsi_request *request)
{
	scsi_sense_fill(request->sense, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_CDB);
	request->sense_bytes = SCSI_SENSE_BYTES;
	finish_absent(request, SCSI_STATUS_CHECK_CONDITION, STORAGE_SRB_INVALID_REQUEST, 0);
}

void scsi_execute_absent(struct scsi_request *request, bool is_lun_zero)
{
	const uint8_t *cdb = request->cdb;
	request->sense_bytes = 0;
	if (cdb[0] != SCSI_OP_INQUIRY) {
		finish_absent(request, SCSI_STATUS_CHECK_CONDITION, STORAGE_SRB_INVALID_LUN, 0);
		return;
	}
	const uint16_t allocation = scsi_get16(cdb + 3);
	if ((cdb[1] & (SCSI_INQUIRY_EVPD | SCSI_INQUIRY_CMDDT)) || cdb[2] != 0 || allocation < 5 ||
		request->data_bytes < allocation) {
		scsi_sense_fill(
			request->sense, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_CDB);
		request->sense_bytes = SCSI_SENSE_BYTES;
		finish_absent(request, SCSI_STATUS_CHECK_CONDITION, STORAGE_SRB_INVALID_REQUEST, 0);
		return;
	}
	uint8_t data[SCSI_DISK_INQUIRY_BYTES];
	scsi_disk_inquiry_fill(data);
	data[0] = SCSI_PERIPHERAL_ABSENT;
	if (!is_lun_zero)
		memset(data + 8, 0, 28);
	const uint32_t moved = reply_absent(request, data, sizeof data, allocation);
	finish_absent(request, SCSI_STATUS_GOOD, STORAGE_SRB_SUCCESS, moved);
}

void scsi_execute_report_luns(struct scsi_request *request, const uint8_t *luns, unsigned count)
{
	uint8_t data[SCSI_REPORT_LUNS_HEADER_BYTES +
		     STORAGE_LUNS_MAX * SCSI_REPORT_LUNS_ENTRY_BYTES];
	const uint32_t bytes = count * SCSI_REPORT_LUNS_ENTRY_BYTES;
	memset(data, 0, SCSI_REPORT_LUNS_HEADER_BYTES + bytes);
	scsi_put32(data, bytes);
	for (unsigned i = 0; i < count; i++)
		data[SCSI_REPORT_LUNS_HEADER_BYTES + i * SCSI_REPORT_LUNS_ENTRY_BYTES + 1] =
			luns[i];
	request->sense_bytes = 0;
	const uint32_t moved = reply_absent(
		request, data, SCSI_REPORT_LUNS_HEADER_BYTES + bytes, scsi_get32(request->cdb + 6));
	finish_absent(request, SCSI_STATUS_GOOD, STORAGE_SRB_SUCCESS, moved);
}
