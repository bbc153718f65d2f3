// SPDX-License-Identifier: Apache-2.0
/*
 * Storage client: completions in, notifications, retries, deadlines, endings.
 *
 * A request is in exactly one place: with the caller (IDLE), in `waiting`, in
 * `delayed`, or in a slot (IN_FLIGHT). storage_vsc_request_finish() is the only way back to the
 * caller, and it is called only by code that has just taken the request out of its
 * place: so each is completed exactly once.
 *
 * A slot is busy while the host has its id. Only the answer frees it, on the channel
 * that carried the request; a request that is given up leaves its slot busy and
 * empty, and the late answer finds nobody.
 */
#include "guest/vsc/storage_vsc_internal.h"

#include <string.h>

#define DELAY_FIRST_MS 10u

/*
 * Answers taken before what their done() submitted is published: the host works on that
 * while the next ones are taken.
 */
#define ANSWERS_PER_FLUSH 8u

/* ---- completion --------------------------------------------------------- */

/* Give the request back. It must have been taken out of wherever it was. */
void storage_vsc_request_finish(
	struct storage_vsc *vsc, struct storage_vsc_request *request, int result)
{
	struct storage_vsc_lun *lun = request->lun;
	request->result = result;
	request->state = STORAGE_VSC_REQUEST_IDLE;
	vsc->counters.completed++;
	lun->outstanding--;
	if (RING_UNLIKELY(result != 0)) {
		vsc->counters.failed++;
		lun->errors++;
		if (request->is_memory_lost)
			vsc->counters.memory_lost++;
	} else if (request->op == STORAGE_VSC_READ) {
		lun->reads++;
		lun->read_bytes += request->transferred;
	} else if (request->op == STORAGE_VSC_WRITE) {
		lun->writes++;
		lun->written_bytes += request->transferred;
	}
	if (RING_UNLIKELY(lun->state == STORAGE_VSC_LUN_GONE))
		storage_vsc_lun_settle(lun);
	request->done(request);
}

/* The host has answered: its id means nothing from now on. */
static inline void slot_free(struct storage_vsc *vsc, uint32_t index)
{
	struct storage_vsc_slot *slot = &vsc->slots[index];
	slot->request = NULL;
	slot->is_busy = false;
	slot->generation = storage_vsc_generation_next(slot->generation);
	slot->next_free = vsc->free_head;
	vsc->free_head = index;
	vsc->in_flight--;
	vsc->channels[slot->channel].in_flight--;
}

static void request_again(
	struct storage_vsc *vsc, struct storage_vsc_request *request, bool is_later)
{
	vsc->counters.retries++;
	if (is_later) {
		request->not_before =
			vsc->now + ((uint64_t)DELAY_FIRST_MS * STORAGE_VSC_MS << request->retries);
		storage_vsc_due(vsc, request->not_before);
		request->state = STORAGE_VSC_REQUEST_DELAYED;
		storage_vsc_list_add(&vsc->delayed, request);
	} else {
		request->state = STORAGE_VSC_REQUEST_WAITING;
		storage_vsc_list_add(&vsc->waiting, request);
	}
	request->retries++;
}

static struct storage_sense sense_take(struct storage_vsc *vsc, const struct storage_srb_wire *srb)
{
	uint8_t sense[sizeof srb->cdb_or_sense];
	size_t bytes = 0;
	if (srb->srb_status & STORAGE_SRB_AUTOSENSE_VALID) {
		bytes = srb->sense_length;
		if (bytes > vsc->sense_bytes) {
			storage_vsc_reject(vsc, STORAGE_VSC_REJECT_SENSE_LENGTH);
			bytes = vsc->sense_bytes;
		}
	}
	memcpy(sense, srb->cdb_or_sense, sizeof sense);
	return storage_sense_read(sense, bytes);
}

static bool is_transfer(const struct storage_vsc_request *request)
{
	return request->op == STORAGE_VSC_READ || request->op == STORAGE_VSC_WRITE;
}

/* An answer that is not plain success. The request is out of its slot. */
static void answer_judge(struct storage_vsc *vsc, struct storage_vsc_request *request,
	const struct storage_srb_packet_wire *reply, bool is_late)
{
	request->srb_status = reply->srb.srb_status;
	request->scsi_status = reply->srb.scsi_status;
	request->sense = sense_take(vsc, &reply->srb);
	struct storage_judgement judgement = storage_judge(
		request->srb_status, request->scsi_status, &request->sense);
	if (judgement.verdict == STORAGE_VERDICT_DONE) {
		uint32_t moved = reply->srb.data_length;
		if (moved > request->data.bytes) {
			storage_vsc_reject(vsc, STORAGE_VSC_REJECT_TRANSFER_LENGTH);
			moved = request->data.bytes;
		}
		request->transferred = moved;
		const uint8_t srb = request->srb_status & STORAGE_SRB_STATUS_MASK;
		/* Less than asked, or a header that contradicts its SRB: no success. */
		const bool is_short = is_transfer(request) && moved != request->data.bytes;
		const bool is_contradiction = srb == STORAGE_SRB_SUCCESS &&
					      reply->header.status != 0;
		storage_vsc_request_finish(
			vsc, request, is_short || is_contradiction ? -VIRIDIAN_EIO : 0);
		return;
	}
	if (judgement.wants_rescan && request != &vsc->scan.request)
		storage_vsc_scan_want(vsc);
	const bool may_retry = judgement.verdict != STORAGE_VERDICT_FAIL &&
			       !(request->flags & STORAGE_VSC_NO_RETRY) &&
			       request->retries < STORAGE_VSC_RETRIES_MAX && !is_late &&
			       vsc->state == STORAGE_VSC_READY;
	if (may_retry)
		request_again(vsc, request, judgement.verdict == STORAGE_VERDICT_RETRY_LATER);
	else
		storage_vsc_request_finish(
			vsc, request, is_late ? -VIRIDIAN_ETIMEDOUT : judgement.error);
}

/* The slot of an id, or NULL with the reason counted. */
static inline struct storage_vsc_slot *slot_find(
	struct storage_vsc *vsc, unsigned channel, uint64_t id, uint32_t *index)
{
	const uint32_t number = (uint32_t)id - 1;
	if (RING_UNLIKELY(number >= vsc->config.slot_count)) {
		storage_vsc_reject(
			vsc, id == 0 ? STORAGE_VSC_REJECT_ID_ZERO : STORAGE_VSC_REJECT_ID_UNKNOWN);
		return NULL;
	}
	struct storage_vsc_slot *slot = &vsc->slots[number];
	if (RING_UNLIKELY(!slot->is_busy || slot->generation != (uint32_t)(id >> 32))) {
		storage_vsc_reject(vsc, STORAGE_VSC_REJECT_ID_STALE);
		return NULL;
	}
	if (RING_UNLIKELY(slot->channel != channel)) {
		storage_vsc_reject(vsc, STORAGE_VSC_REJECT_CHANNEL);
		return NULL;
	}
	*index = number;
	return slot;
}

/* `reply` is private, zero padded behind `bytes`. */
static inline void completion_take(struct storage_vsc *vsc, unsigned channel, uint64_t id,
	const struct storage_srb_packet_wire *reply, uint32_t bytes)
{
	uint32_t index;
	if (RING_UNLIKELY((uint32_t)id == STORAGE_VSC_CONTROL_INDEX)) {
		if (channel == 0)
			storage_vsc_control_reply(vsc, id, (const uint8_t *)reply, bytes);
		else
			storage_vsc_reject(vsc, STORAGE_VSC_REJECT_CHANNEL);
		return;
	}
	struct storage_vsc_slot *slot = slot_find(vsc, channel, id, &index);
	if (RING_UNLIKELY(slot == NULL))
		return;
	struct storage_vsc_request *request = slot->request;
	const bool is_late = slot->is_aborting;
	slot_free(vsc, index);
	if (RING_UNLIKELY(request == NULL)) {
		vsc->counters.late_answers++;
		return;
	}
	if (RING_UNLIKELY(bytes < vsc->packet_bytes ||
			  reply->header.operation != STORAGE_OP_COMPLETE_IO)) {
		storage_vsc_reject(vsc, bytes < vsc->packet_bytes ? STORAGE_VSC_REJECT_SHORT
								  : STORAGE_VSC_REJECT_OPERATION);
		storage_vsc_request_finish(vsc, request, -VIRIDIAN_EPROTO);
		return;
	}
	if (RING_LIKELY(reply->srb.srb_status == STORAGE_SRB_SUCCESS &&
			reply->srb.scsi_status == SCSI_STATUS_GOOD && reply->header.status == 0 &&
			reply->srb.data_length == request->data.bytes)) {
		request->srb_status = STORAGE_SRB_SUCCESS;
		request->transferred = request->data.bytes;
		storage_vsc_request_finish(vsc, request, 0);
		return;
	}
	answer_judge(vsc, request, reply, is_late);
}

static void notification_take(
	struct storage_vsc *vsc, const struct storage_srb_packet_wire *packet, uint32_t bytes)
{
	if (bytes < sizeof packet->header.operation) {
		storage_vsc_reject(vsc, STORAGE_VSC_REJECT_SHORT);
		return;
	}
	switch (packet->header.operation) {
	case STORAGE_OP_ENUMERATE_BUS:
	case STORAGE_OP_REMOVE_DEVICE:
	case STORAGE_OP_EVENT_NOTIFICATION:
		vsc->counters.notifications++;
		storage_vsc_scan_want(vsc);
		return;
	default:
		storage_vsc_reject(vsc, STORAGE_VSC_REJECT_OPERATION);
	}
}

/* One packet: copy it, let go of it, act on the copy (done() may come back here). */
static inline void packet_take(struct storage_vsc *vsc, unsigned channel, struct packet_view *view)
{
	struct storage_srb_packet_wire packet;
	if (RING_LIKELY(view->payload_bytes >= sizeof packet)) {
		packet_copy_in(&packet, view->payload, sizeof packet);
	} else {
		memset(&packet, 0, sizeof packet);
		packet_copy_in(&packet, view->payload, view->payload_bytes);
	}
	ring_release(vsc->channels[channel].in, view);
	if (RING_LIKELY(view->type == PACKET_TYPE_COMPLETION))
		completion_take(vsc, channel, view->transaction_id, &packet, view->payload_bytes);
	else if (view->type == PACKET_TYPE_INBAND)
		notification_take(vsc, &packet, view->payload_bytes);
	else
		storage_vsc_reject(vsc, STORAGE_VSC_REJECT_TYPE);
}

int storage_vsc_drain(struct storage_vsc *vsc, unsigned channel, unsigned budget)
{
	unsigned taken = 0;
	while (taken < budget) {
		struct packet_view view = {0};
		/* done() may have stopped the client or removed the channel. */
		if (channel >= vsc->channel_count || vsc->channels[channel].in == NULL)
			return (int)taken;
		const enum ring_status status = ring_peek(vsc->channels[channel].in, &view);
		if (status == RING_EMPTY)
			break;
		if (RING_UNLIKELY(status != RING_OK)) {
			storage_vsc_channel_fail(vsc, channel);
			storage_vsc_state_tell(vsc);
			return -VIRIDIAN_EPROTO;
		}
		packet_take(vsc, channel, &view);
		if (++taken % ANSWERS_PER_FLUSH == 0)
			storage_vsc_flush(vsc);
	}
	if (taken > 0 && channel < vsc->channel_count && vsc->channels[channel].in != NULL)
		vsc->channels[channel].is_dirty = true;
	if (vsc->waiting.head != NULL)
		storage_vsc_waiting_start(vsc);
	storage_vsc_flush(vsc);
	storage_vsc_state_tell(vsc);
	return (int)taken;
}

/* ---- time --------------------------------------------------------------- */

static void request_stamp(struct storage_vsc *vsc, struct storage_vsc_request *request)
{
	if (request->deadline == 0)
		request->deadline = vsc->now +
				    (request->timeout_ms
						    ? (uint64_t)request->timeout_ms * STORAGE_VSC_MS
						    : vsc->timeout_100ns);
}

void storage_vsc_io_stamp(struct storage_vsc *vsc)
{
	while (vsc->new_head != STORAGE_VSC_NONE) {
		struct storage_vsc_slot *slot = &vsc->slots[vsc->new_head];
		vsc->new_head = slot->next_new;
		slot->is_new = false;
		if (slot->request == NULL || slot->deadline != 0)
			continue;
		request_stamp(vsc, slot->request);
		slot->deadline = slot->request->deadline;
		storage_vsc_due(vsc, slot->deadline);
	}
}

static void slot_expire(struct storage_vsc *vsc, struct storage_vsc_slot *slot)
{
	struct storage_vsc_request *request = slot->request;
	if (!slot->is_aborting && vsc->state == STORAGE_VSC_READY) {
		slot->is_aborting = true;
		slot->deadline = vsc->now + (uint64_t)vsc->config.grace_ms * STORAGE_VSC_MS;
		request->lun->needs_reset = true;
		vsc->control.is_lun_reset_due = true;
		return;
	}
	slot->request = NULL; /* the slot stays busy: the host has the id, and the memory */
	vsc->counters.timeouts++;
	request->is_memory_lost = true;
	storage_vsc_request_finish(vsc, request, -VIRIDIAN_ETIMEDOUT);
}

/* Move the requests of `from` that are due to `late` (deadline) or to waiting (not_before). */
static uint64_t list_expire(struct storage_vsc *vsc, struct storage_vsc_list *from, bool is_delayed,
	struct storage_vsc_list *late)
{
	struct storage_vsc_list kept = {NULL, NULL};
	uint64_t earliest = STORAGE_VSC_NEVER;
	struct storage_vsc_request *request;
	while ((request = storage_vsc_list_take(from)) != NULL) {
		request_stamp(vsc, request);
		uint64_t due = request->deadline;
		if (due <= vsc->now) {
			storage_vsc_list_add(late, request);
			continue;
		}
		if (is_delayed && request->not_before <= vsc->now) {
			request->state = STORAGE_VSC_REQUEST_WAITING;
			storage_vsc_list_add(&vsc->waiting, request);
		} else {
			storage_vsc_list_add(&kept, request);
			if (is_delayed && request->not_before < due)
				due = request->not_before;
		}
		if (due < earliest)
			earliest = due;
	}
	*from = kept;
	return earliest;
}

void storage_vsc_io_tick(struct storage_vsc *vsc)
{
	struct storage_vsc_list late = {NULL, NULL};
	storage_vsc_due(vsc, list_expire(vsc, &vsc->waiting, false, &late));
	storage_vsc_due(vsc, list_expire(vsc, &vsc->delayed, true, &late));
	struct storage_vsc_request *request;
	while ((request = storage_vsc_list_take(&late)) != NULL) {
		vsc->counters.timeouts++;
		storage_vsc_request_finish(vsc, request, -VIRIDIAN_ETIMEDOUT);
	}
	for (uint32_t i = 0; i < vsc->config.slot_count; i++) {
		struct storage_vsc_slot *slot = &vsc->slots[i];
		/* deadline 0: submitted by a done() just now, its time has not begun */
		if (slot->request == NULL || slot->deadline == 0)
			continue;
		if (slot->deadline <= vsc->now)
			slot_expire(vsc, slot);
		if (slot->request != NULL)
			storage_vsc_due(vsc, slot->deadline);
	}
	storage_vsc_waiting_start(vsc);
}

/* ---- endings ------------------------------------------------------------ */

void storage_vsc_io_channel_remove(struct storage_vsc *vsc, unsigned channel, bool is_memory_lost)
{
	for (uint32_t i = 0; i < vsc->config.slot_count; i++) {
		struct storage_vsc_slot *slot = &vsc->slots[i];
		if (!slot->is_busy || slot->channel != channel)
			continue;
		struct storage_vsc_request *request = slot->request;
		const bool is_late = slot->is_aborting;
		slot_free(vsc, i);
		if (request == NULL)
			continue;
		/* Block transfers may be repeated; what a raw command does is not known. */
		if (!is_memory_lost && !is_late && request->op != STORAGE_VSC_SCSI &&
			request->retries < STORAGE_VSC_RETRIES_MAX) {
			request_again(vsc, request, false);
			continue;
		}
		request->is_memory_lost = is_memory_lost;
		storage_vsc_request_finish(vsc, request, -VIRIDIAN_ENODEV);
	}
	storage_vsc_waiting_start(vsc);
}

void storage_vsc_io_stop(struct storage_vsc *vsc, int error, bool is_memory_lost)
{
	struct storage_vsc_list lists[2] = {vsc->waiting, vsc->delayed};
	vsc->waiting.head = NULL;
	vsc->delayed.head = NULL;
	for (uint32_t i = 0; i < vsc->config.slot_count; i++) {
		struct storage_vsc_slot *slot = &vsc->slots[i];
		if (!slot->is_busy)
			continue;
		struct storage_vsc_request *request = slot->request;
		slot_free(vsc, i);
		if (request == NULL)
			continue;
		request->is_memory_lost = is_memory_lost;
		storage_vsc_request_finish(vsc, request, error);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct storage_vsc_request *request;
		while ((request = storage_vsc_list_take(&lists[i])) != NULL)
			storage_vsc_request_finish(vsc, request, error);
	}
}
