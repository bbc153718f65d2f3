// SPDX-License-Identifier: Apache-2.0
/*
 * The synthetic interrupt controller. See synic.h for the race between host and
 * guest and how it is won. One of the few files that touch guest memory: message
 * slots are only written, but for their type; event flags are set atomically.
 */
#include "host/hypervisor/synic.h"

#include "host/hypervisor/partition_internal.h"
#include "host/hypervisor/timers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void synic_reset(struct synic *synic)
{
	synic->scontrol = HV_SCONTROL_ENABLE; /* QUIRK: 0 in the TLFS; Hyper-V starts enabled */
	synic->siefp = 0;
	synic->simp = 0;
	synic->drained = 0;
	for (unsigned i = 0; i < HV_SINT_COUNT; i++) {
		free(synic->sints[i].queue);
		synic->sints[i] = (struct synic_sint){.value = HV_SINT_RESET};
	}
}

static bool is_valid(const struct partition *partition, uint32_t vp, uint32_t sint)
{
	return vp < partition->vp_count && sint < HV_SINT_COUNT;
}

static void interrupt(struct partition *partition, uint32_t vp, uint32_t sint)
{
	const uint64_t value = partition->vps[vp].synic.sints[sint].value;

	if (value & (HV_SINT_MASKED | HV_SINT_POLLING))
		return;
	partition->statistics.interrupts++;
	if (partition->backend)
		partition->backend->interrupt_assert(
			partition->backend_ctx, vp, sint, (uint8_t)(value & HV_SINT_VECTOR_MASK));
}

/* ---- messages ------------------------------------------------------------------------------ */

/* The slot, or NULL while the guest has no use for messages. */
static uint8_t *slot_of(struct partition *partition, uint32_t vp, uint32_t sint)
{
	const struct synic *synic = &partition->vps[vp].synic;

	if (!(synic->scontrol & HV_SCONTROL_ENABLE) || !synic->messages.is_on)
		return NULL;
	return overlay_contents(&synic->messages, &partition->memory) + sint * HV_MESSAGE_BYTES;
}

/* True if the slot can be written; else the guest was told that more is waiting. */
static bool slot_is_free(uint8_t *slot)
{
	uint32_t *type = (uint32_t *)(void *)slot;

	if (__atomic_load_n(type, __ATOMIC_SEQ_CST) == HV_MESSAGE_TYPE_NONE)
		return true;
	__atomic_fetch_or(slot + offsetof(struct hv_message_wire, flags), HV_MESSAGE_FLAG_PENDING,
		__ATOMIC_SEQ_CST);
	return __atomic_load_n(type, __ATOMIC_SEQ_CST) == HV_MESSAGE_TYPE_NONE;
}

/*
 * Flags and type are written atomically: a guest that has just emptied the slot may still
 * be about to read the flags. Whether it then sees the old or the new ones does not
 * matter: an EOM too many is harmless, and the new ones are right.
 */
static void slot_write(uint8_t *slot, const struct synic_message *message, bool more)
{
	const struct hv_message_wire header = {
		.payload_size = (uint8_t)message->bytes,
		.origin = message->origin,
	};
	const size_t size_at = offsetof(struct hv_message_wire, payload_size);
	const size_t flags_at = offsetof(struct hv_message_wire, flags);
	const size_t reserved_at = offsetof(struct hv_message_wire, reserved);
	const size_t payload_at = offsetof(struct hv_message_wire, payload);

	slot[size_at] = header.payload_size;
	memcpy(slot + reserved_at, (const uint8_t *)&header + reserved_at,
		payload_at - reserved_at);
	memcpy(slot + payload_at, message->payload, message->bytes);
	__atomic_store_n(slot + flags_at, more ? HV_MESSAGE_FLAG_PENDING : 0, __ATOMIC_SEQ_CST);
	__atomic_store_n((uint32_t *)(void *)slot, message->type, __ATOMIC_SEQ_CST);
}

/* True while a timer waits for the slot. */
static bool timer_waits(const struct synic *synic, uint32_t sint)
{
	return synic->timer_sints >> sint & 1;
}

/* Move messages from the queue of (vp, sint) to its slot while it is free. */
static void sint_service(struct partition *partition, uint32_t vp, uint32_t sint)
{
	struct synic *synic = &partition->vps[vp].synic;
	struct synic_sint *state = &synic->sints[sint];
	uint8_t *slot = slot_of(partition, vp, sint);

	if (!slot)
		return;
	while (state->count > 0 && slot_is_free(slot)) {
		slot_write(slot, &state->queue[state->head],
			state->count > 1 || timer_waits(synic, sint));
		state->head = (uint16_t)((state->head + 1u) % LIMIT_SYNIC_QUEUE);
		state->count--;
		partition->statistics.messages_sent++;
		interrupt(partition, vp, sint);
	}
	if (state->is_backlogged && state->count == 0) {
		state->is_backlogged = false;
		synic->drained |= (uint16_t)(1u << sint);
	}
}

/* Tell the observer of the queues of a VP that have drained until now. */
static void drained_tell(struct partition *partition, uint32_t vp)
{
	uint16_t *drained = &partition->vps[vp].synic.drained;

	for (uint16_t telling = *drained; telling; telling &= (uint16_t)(telling - 1)) {
		const uint16_t bit = telling & (uint16_t)-telling;
		if (!(*drained & bit))
			continue; /* a reset or a discard while others were told */
		*drained &= (uint16_t)~bit;
		if (!partition->drained_fn)
			continue;
		partition_unlock(partition);
		partition->drained_fn(partition->drained_ctx, vp, (uint32_t)__builtin_ctz(bit));
		partition_lock(partition);
	}
}

/*
 * Tell the observer of every queue that has drained; it may post, and drain again. With VP
 * threads, which can empty slots as fast as it fills them, that is for the next dispatch.
 */
void synic_drained_tell(struct partition *partition)
{
	bool is_left = false;

	if (partition->is_telling_drained)
		return;
	partition->is_telling_drained = true;
	for (uint32_t vp = 0; vp < partition->vp_count; vp++) {
		do {
			drained_tell(partition, vp);
		} while (partition->vps[vp].synic.drained && !partition->is_threaded);
		is_left |= partition->vps[vp].synic.drained != 0;
	}
	partition->is_telling_drained = false;
	if (is_left)
		deferral_wake(partition);
}

/* Something may have drained: tell it, or have the loop thread tell it. */
static void drained_check(struct partition *partition, uint32_t vp)
{
	if (!partition->vps[vp].synic.drained)
		return;
	if (partition->is_threaded)
		deferral_wake(partition);
	else
		synic_drained_tell(partition);
}

void synic_service(struct partition *partition, uint32_t vp)
{
	timers_deliver(partition, vp);
	for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
		if (partition->vps[vp].synic.sints[sint].count > 0)
			sint_service(partition, vp, sint);
	drained_check(partition, vp);
}

static int message_post(struct partition *partition, uint32_t vp, uint32_t sint,
	const struct synic_message *message)
{
	struct synic *synic = &partition->vps[vp].synic;
	struct synic_sint *state = &synic->sints[sint];
	uint8_t *slot = slot_of(partition, vp, sint);
	if (state->count == 0 && slot && slot_is_free(slot)) {
		slot_write(slot, message, timer_waits(synic, sint));
		partition->statistics.messages_sent++;
		interrupt(partition, vp, sint);
		return 0;
	}

	if (!state->queue)
		state->queue = malloc(LIMIT_SYNIC_QUEUE * sizeof *state->queue);
	if (!state->queue || state->count == LIMIT_SYNIC_QUEUE) {
		partition->statistics.messages_lost++;
		return -EAGAIN;
	}
	state->queue[(state->head + state->count) % LIMIT_SYNIC_QUEUE] = *message;
	state->count++;
	state->is_backlogged = true;
	partition->statistics.messages_queued++;
	sint_service(partition, vp, sint);
	drained_check(partition, vp);
	return 0;
}

int synic_message_post(struct partition *partition, uint32_t vp, uint32_t sint, uint32_t type,
	uint64_t port_id, const void *payload, size_t bytes)
{
	if (!is_valid(partition, vp, sint) || bytes > HV_MESSAGE_PAYLOAD_MAX ||
		type == HV_MESSAGE_TYPE_NONE)
		return -EINVAL;

	struct synic_message message = {
		.type = type,
		.bytes = (uint32_t)bytes,
		.origin = port_id,
	};
	if (bytes)
		memcpy(message.payload, payload, bytes);
	partition_lock(partition);
	const int error = message_post(partition, vp, sint, &message);
	partition_unlock(partition);
	return error;
}

bool synic_timer_message(struct partition *partition, uint32_t vp, uint32_t sint,
	const struct synic_message *message, bool waits, bool more)
{
	const struct synic *synic = &partition->vps[vp].synic;
	uint8_t *slot = slot_of(partition, vp, sint);

	if (!slot)
		return false;
	if (waits && !slot_is_free(slot))
		return false;
	if (!waits && (more || synic->sints[sint].count > 0 ||
			      __atomic_load_n((uint32_t *)(void *)slot, __ATOMIC_SEQ_CST) !=
				      HV_MESSAGE_TYPE_NONE))
		return false;
	slot_write(slot, message, more || synic->sints[sint].count > 0);
	partition->statistics.messages_sent++;
	interrupt(partition, vp, sint);
	return true;
}

bool synic_message_is_backlogged(const struct partition *partition, uint32_t vp, uint32_t sint)
{
	if (!is_valid(partition, vp, sint))
		return false;
	partition_lock(partition);
	const bool is_backlogged = partition->vps[vp].synic.sints[sint].count > 0;
	partition_unlock(partition);
	return is_backlogged;
}

void synic_drained_observer_set(struct partition *partition, synic_drained_fn fn, void *ctx)
{
	partition->drained_fn = fn;
	partition->drained_ctx = ctx;
}

void synic_message_discard(struct partition *partition, uint32_t vp, uint32_t sint)
{
	if (!is_valid(partition, vp, sint))
		return;

	struct synic_sint *state = &partition->vps[vp].synic.sints[sint];
	partition_lock(partition);
	free(state->queue);
	state->queue = NULL;
	state->head = 0;
	state->count = 0;
	state->is_backlogged = false;
	partition->vps[vp].synic.drained &= (uint16_t) ~(1u << sint);
	/* No drain will be told, but posts that were refused because of it may go on. */
	if (partition->deferral.post_count > 0)
		deferral_wake(partition);
	partition_unlock(partition);
}

/* ---- event flags --------------------------------------------------------------------------- */

static int event_set(struct partition *partition, uint32_t vp, uint32_t sint, uint32_t flag)
{
	const struct synic *synic = &partition->vps[vp].synic;
	if (!(synic->scontrol & HV_SCONTROL_ENABLE) || !synic->events.is_on ||
		(synic->sints[sint].value & HV_SINT_MASKED))
		return -ENXIO;

	uint8_t *page = overlay_contents(&synic->events, &partition->memory);
	uint64_t *word = (uint64_t *)(void *)page + (sint * HV_EVENT_FLAG_COUNT + flag) / 64;
	const uint64_t bit = 1ull << flag % 64;
	if (__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST) & bit) {
		partition->statistics.events_coalesced++;
		return 0;
	}
	partition->statistics.events_set++;
	interrupt(partition, vp, sint);
	return 0;
}

int synic_event_set(struct partition *partition, uint32_t vp, uint32_t sint, uint32_t flag)
{
	if (!is_valid(partition, vp, sint) || flag >= HV_EVENT_FLAG_COUNT)
		return -EINVAL;
	partition_lock(partition);
	const int error = event_set(partition, vp, sint, flag);
	partition_unlock(partition);
	return error;
}

int synic_interrupt_raise(struct partition *partition, uint32_t vp, uint32_t sint)
{
	if (!is_valid(partition, vp, sint))
		return -EINVAL;
	partition_lock(partition);
	interrupt(partition, vp, sint);
	partition_unlock(partition);
	return 0;
}

/* ---- registers ----------------------------------------------------------------------------- */

bool synic_scontrol_write(struct partition *partition, uint32_t vp, uint64_t value)
{
	partition->vps[vp].synic.scontrol = value;
	synic_service(partition, vp);
	return true;
}

bool synic_page_write(struct partition *partition, uint32_t vp, bool is_messages, uint64_t value)
{
	struct synic *synic = &partition->vps[vp].synic;

	if (!overlay_set(is_messages ? &synic->messages : &synic->events, &partition->memory,
		    value & HV_MSR_PAGE_ENABLE, value & HV_MSR_PAGE_ADDRESS_MASK))
		return false;
	if (is_messages) {
		synic->simp = value;
		synic_service(partition, vp);
	} else {
		synic->siefp = value;
	}
	return true;
}

void synic_sint_tell(const struct partition *partition, uint32_t vp, uint32_t sint)
{
	if (partition->backend && partition->backend->sint_changed)
		partition->backend->sint_changed(partition->backend_ctx, vp, sint,
			partition->vps[vp].synic.sints[sint].value);
}

bool synic_sint_write(struct partition *partition, uint32_t vp, uint32_t sint, uint64_t value)
{
	/* QUIRK: the TLFS has no exception for masked SINTs; nested Hyper-V needs it. */
	if ((value & HV_SINT_VECTOR_MASK) < HV_SINT_MIN_VECTOR && !(value & HV_SINT_MASKED))
		return false;
	partition->vps[vp].synic.sints[sint].value = value;
	synic_sint_tell(partition, vp, sint);
	return true;
}
