// SPDX-License-Identifier: Apache-2.0
/*
 * Storage client: requests on their way out. Checks a request, puts it into a slot and
 * its packet into a ring, or into the list of those that wait for room.
 *
 * The packet is written once, in place: the fixed parts from the LUN's template, then
 * what differs. Ring memory is never read here.
 */
#include "guest/vsc/storage_vsc_internal.h"

#include <string.h>

#define SRB_AT	       ((uint32_t)sizeof(struct storage_header_wire))
#define DATA_LENGTH_AT (SRB_AT + (uint32_t)offsetof(struct storage_srb_wire, data_length))
#define CDB_LENGTH_AT  (SRB_AT + (uint32_t)offsetof(struct storage_srb_wire, cdb_length))
#define CDB_AT	       (SRB_AT + (uint32_t)offsetof(struct storage_srb_wire, cdb_or_sense))

#define CHANNEL_RUN 8u /* requests in a row on one channel */

/* ---- packets out -------------------------------------------------------- */

/* Extended header of one range; room for 16 + 8 * pages bytes. */
static inline void range_put(uint8_t *to, const struct storage_vsc_data *data, uint32_t pages)
{
	const uint32_t words[4] = {0, 1, data->bytes, data->offset};
	memcpy(to, words, sizeof words);
	to += sizeof words;
	if (data->gpns != NULL) {
		memcpy(to, data->gpns, (size_t)pages * sizeof data->gpns[0]);
		return;
	}
	for (uint32_t i = 0; i < pages; i++) {
		const uint64_t gpn = data->first_gpn + i;
		memcpy(to + (size_t)i * sizeof gpn, &gpn, sizeof gpn);
	}
}

static inline unsigned direction_of(const struct storage_vsc_request *request)
{
	if (RING_LIKELY(request->op == STORAGE_VSC_READ))
		return STORAGE_DATA_IN;
	if (request->data.bytes == 0)
		return STORAGE_DATA_NONE;
	return request->op == STORAGE_VSC_SCSI ? request->direction : STORAGE_DATA_OUT;
}

static inline uint8_t cdb_put(uint8_t *cdb, const struct storage_vsc_request *request)
{
	switch (request->op) {
	case STORAGE_VSC_READ:
	case STORAGE_VSC_WRITE:
		return storage_cdb_transfer(cdb, request->op == STORAGE_VSC_WRITE,
			request->flags & STORAGE_VSC_FUA ? SCSI_CDB_FUA : 0, request->lba,
			request->blocks);
	case STORAGE_VSC_FLUSH:
		return storage_cdb_flush(cdb);
	case STORAGE_VSC_UNMAP:
		return storage_cdb_unmap(cdb, (uint16_t)request->data.bytes);
	case STORAGE_VSC_WRITE_SAME:
		return storage_cdb_write_same(cdb, (request->flags & STORAGE_VSC_MAY_UNMAP) != 0,
			request->lba, request->blocks);
	default:
		memcpy(cdb, request->cdb, STORAGE_CDB_BYTES_MAX);
		return request->cdb_length;
	}
}

/* The vstor packet, straight into the ring (written only). */
static inline void payload_put(
	const struct storage_vsc *vsc, uint8_t *to, const struct storage_vsc_request *request)
{
	const struct storage_srb_packet_wire *from =
		&request->lun->templates.packet[direction_of(request)];
	if (RING_LIKELY(vsc->packet_bytes == STORAGE_PACKET_BYTES_WIN8))
		memcpy(to, from, STORAGE_PACKET_BYTES_WIN8);
	else
		memcpy(to, from, STORAGE_PACKET_BYTES_WIN7);
	memcpy(to + DATA_LENGTH_AT, &request->data.bytes, sizeof request->data.bytes);
	to[CDB_LENGTH_AT] = cdb_put(to + CDB_AT, request);
}

/* Turn to the next usable channel. False: there is none. */
static bool channel_turn(struct storage_vsc *vsc)
{
	for (unsigned tried = 0; tried < vsc->channel_count; tried++) {
		if (++vsc->channel_next >= vsc->channel_count)
			vsc->channel_next = 0;
		if (vsc->channels[vsc->channel_next].is_usable) {
			vsc->channel_run = CHANNEL_RUN;
			return true;
		}
	}
	return false;
}

/*
 * No room on the channel whose turn it is: look at the others, then ask the host to
 * signal for room on the last one. RING_OK: the span is reserved on channel_next.
 */
static enum ring_status room_find(
	struct storage_vsc *vsc, const struct packet_header *header, struct ring_span *span)
{
	enum ring_status status = RING_FULL;
	for (unsigned tried = 0; tried < vsc->channel_count; tried++) {
		if (!channel_turn(vsc))
			return RING_FULL;
		const unsigned index = vsc->channel_next;
		struct storage_vsc_channel *channel = &vsc->channels[index];
		status = ring_reserve(channel->out, header, span);
		if (ring_status_is_corrupt(status)) {
			storage_vsc_channel_fail(vsc, index);
			continue;
		}
		if (status != RING_FULL)
			return status;
		/* What is there must go out first: the host can't free what it does not see. */
		if (channel->is_dirty) {
			channel->is_dirty = false;
			vsc->config.flush(vsc->config.ctx, index);
		}
		if (ring_writer_want(channel->out, header) == RING_OK) {
			status = ring_reserve(channel->out, header, span);
			if (status == RING_OK)
				return status;
		}
	}
	return status;
}

/* Put a request into a slot and its packet into a ring. False: no slot or no room now. */
static bool request_start(struct storage_vsc *vsc, struct storage_vsc_request *request)
{
	const uint32_t index = vsc->free_head;
	if (RING_UNLIKELY(index == STORAGE_VSC_NONE))
		return false;
	struct storage_vsc_slot *slot = &vsc->slots[index];
	const uint32_t bytes = request->data.bytes;
	const uint32_t pages = bytes ? packet_gpa_pages(request->data.offset, bytes) : 0;
	const struct packet_header header = {
		.type = bytes ? PACKET_TYPE_GPA_DIRECT : PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.extended_bytes = bytes ? 16 + 8 * pages : 0,
		.payload_bytes = vsc->packet_bytes,
		.transaction_id = storage_vsc_id(slot->generation, index + 1),
	};
	struct ring_span span;
	struct storage_vsc_channel *channel = &vsc->channels[vsc->channel_next];
	if (vsc->channel_run-- == 0 || RING_UNLIKELY(!channel->is_usable)) {
		if (!channel_turn(vsc))
			return false;
		channel = &vsc->channels[vsc->channel_next];
	}
	const enum ring_status status = ring_reserve(channel->out, &header, &span);
	if (RING_UNLIKELY(status != RING_OK)) {
		if (ring_status_is_corrupt(status))
			storage_vsc_channel_fail(vsc, vsc->channel_next);
		if (room_find(vsc, &header, &span) != RING_OK)
			return false;
		channel = &vsc->channels[vsc->channel_next];
	}
	if (bytes)
		range_put(span.extended, &request->data, pages);
	payload_put(vsc, span.payload, request);
	ring_commit(channel->out, &span);

	vsc->free_head = slot->next_free;
	vsc->in_flight++;
	channel->in_flight++;
	channel->is_dirty = true;
	slot->request = request;
	slot->deadline = request->deadline;
	slot->channel = vsc->channel_next;
	slot->is_busy = true;
	slot->is_aborting = false;
	if (!slot->is_new) {
		slot->is_new = true;
		slot->next_new = vsc->new_head;
		vsc->new_head = index;
	}
	request->slot = index;
	request->state = STORAGE_VSC_REQUEST_IN_FLIGHT;
	return true;
}

void storage_vsc_flush(struct storage_vsc *vsc)
{
	for (unsigned i = 0; i < vsc->channel_count; i++) {
		struct storage_vsc_channel *channel = &vsc->channels[i];
		if (channel->is_dirty) {
			channel->is_dirty = false;
			vsc->config.flush(vsc->config.ctx, i);
		}
	}
}

/* ---- submission --------------------------------------------------------- */

static int range_check(
	const struct storage_properties *p, const struct storage_vsc_request *request)
{
	if (request->blocks == 0 || request->blocks > p->blocks ||
		request->lba > p->blocks - request->blocks)
		return -VIRIDIAN_EINVAL;
	return 0;
}

static int data_check(const struct storage_vsc *vsc, const struct storage_vsc_request *request)
{
	if (request->data.bytes > vsc->max_transfer_bytes)
		return -VIRIDIAN_EMSGSIZE;
	if (request->data.offset >= WINHV_PAGE_BYTES)
		return -VIRIDIAN_EINVAL;
	return 0;
}

/* Anything but a READ. */
static int rare_check(const struct storage_vsc *vsc, const struct storage_vsc_request *request)
{
	const struct storage_properties *p = &request->lun->properties;
	int error = data_check(vsc, request);
	if (error != 0)
		return error;
	switch (request->op) {
	case STORAGE_VSC_WRITE:
		if ((uint64_t)request->blocks * p->block_bytes != request->data.bytes)
			return -VIRIDIAN_EINVAL;
		break;
	case STORAGE_VSC_FLUSH:
		return request->data.bytes == 0 ? 0 : -VIRIDIAN_EINVAL;
	case STORAGE_VSC_UNMAP:
		if (!p->can_unmap)
			return -VIRIDIAN_ENOTSUP;
		if (request->data.bytes != STORAGE_UNMAP_LIST_BYTES)
			return -VIRIDIAN_EINVAL;
		break;
	case STORAGE_VSC_WRITE_SAME:
		if (request->data.bytes != p->block_bytes)
			return -VIRIDIAN_EINVAL;
		break;
	case STORAGE_VSC_SCSI:
		return request->cdb_length >= 1 && request->cdb_length <= STORAGE_CDB_BYTES_MAX &&
				       request->direction <= STORAGE_DATA_NONE
			       ? 0
			       : -VIRIDIAN_EINVAL;
	default:
		return -VIRIDIAN_EINVAL;
	}
	return p->is_read_only ? -VIRIDIAN_EROFS : range_check(p, request);
}

static inline int request_check(
	const struct storage_vsc *vsc, const struct storage_vsc_request *request)
{
	if (RING_UNLIKELY(vsc->state != STORAGE_VSC_READY || request->lun == NULL ||
			  request->lun->state != STORAGE_VSC_LUN_PRESENT))
		return -VIRIDIAN_ENODEV;
	if (RING_UNLIKELY(request->state != STORAGE_VSC_REQUEST_IDLE))
		return -VIRIDIAN_EBUSY;
	if (RING_UNLIKELY(request->op != STORAGE_VSC_READ))
		return rare_check(vsc, request);
	const struct storage_properties *p = &request->lun->properties;
	if (RING_UNLIKELY((uint64_t)request->blocks * p->block_bytes != request->data.bytes))
		return -VIRIDIAN_EINVAL;
	const int error = data_check(vsc, request);
	return RING_LIKELY(error == 0) ? range_check(p, request) : error;
}

int storage_vsc_submit(struct storage_vsc *vsc, struct storage_vsc_request *request)
{
	const int error = request_check(vsc, request);
	if (RING_UNLIKELY(error != 0))
		return error;
	request->result = 0;
	request->transferred = 0;
	request->srb_status = 0;
	request->scsi_status = 0;
	request->is_memory_lost = false;
	request->sense.is_valid = false;
	request->retries = 0;
	request->deadline = 0;
	request->lun->outstanding++;
	vsc->counters.submitted++;
	if (RING_UNLIKELY(vsc->waiting.head != NULL || !request_start(vsc, request))) {
		request->state = STORAGE_VSC_REQUEST_WAITING;
		storage_vsc_list_add(&vsc->waiting, request);
		storage_vsc_due(vsc, 0);
	}
	return 0;
}

void storage_vsc_waiting_start(struct storage_vsc *vsc)
{
	while (vsc->waiting.head != NULL && vsc->state == STORAGE_VSC_READY) {
		struct storage_vsc_request *request = vsc->waiting.head;
		if (RING_UNLIKELY(request->lun->state != STORAGE_VSC_LUN_PRESENT)) {
			storage_vsc_list_take(&vsc->waiting);
			storage_vsc_request_finish(vsc, request, -VIRIDIAN_ENODEV);
			continue;
		}
		/* `next` is the list's until the request is out of it, so unlink first. */
		struct storage_vsc_request *next = request->next;
		if (!request_start(vsc, request))
			return;
		vsc->waiting.head = next;
	}
}
