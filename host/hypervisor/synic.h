// SPDX-License-Identifier: Apache-2.0
/*
 * The synthetic interrupt controller of one VP: its registers, its message and
 * event-flag pages, and the messages that wait behind a full slot. The functions
 * that other modules use are in partition.h (synic_message_post() and so on).
 *
 * Two sides write a message slot at the same time, on different processors. The
 * hypervisor writes an empty slot (type 0) and stores the type last; the guest
 * empties it by storing 0 and then looks at MessagePending. If the slot is full,
 * the hypervisor sets MessagePending and looks at the type once more: either the
 * guest's later look sees the flag (and it writes EOM), or the hypervisor's second
 * look sees type 0 (and delivers at once). Both orders are sequentially consistent.
 *
 * Sources: TLFS, chapter "Synthetic interrupt controller".
 */
#ifndef HOST_HYPERVISOR_SYNIC_H
#define HOST_HYPERVISOR_SYNIC_H

#include "host/hypervisor/overlay.h"
#include "host/hypervisor/partition.h"
#include "protocol/hypervisor.h"

struct synic_message {
	uint32_t type;
	uint32_t bytes;
	uint64_t origin;
	uint8_t payload[HV_MESSAGE_PAYLOAD_MAX];
};

struct synic_sint {
	uint64_t value;		     /* of the SINT register */
	struct synic_message *queue; /* owned; LIMIT_SYNIC_QUEUE entries, or NULL until needed */
	uint16_t head, count;
	bool is_backlogged; /* messages waited since the observer last heard of it */
};

struct synic {
	uint64_t scontrol, siefp, simp;
	struct overlay messages, events;
	struct synic_sint sints[HV_SINT_COUNT];
	uint16_t drained;     /* SINTs whose drain the observer has to be told */
	uint16_t timer_sints; /* SINTs for whose slot a timer waits (timers.c) */
};

/* State after power-on; frees what was queued. The pages must be off (overlay_set). */
void synic_reset(struct synic *synic);

/* The registers below, as MSRs. False: the write faults (#GP). */
bool synic_scontrol_write(struct partition *partition, uint32_t vp, uint64_t value);
bool synic_page_write(struct partition *partition, uint32_t vp, bool is_messages, uint64_t value);
bool synic_sint_write(struct partition *partition, uint32_t vp, uint32_t sint, uint64_t value);
/* Tell the backend what the register of a SINT says. */
void synic_sint_tell(const struct partition *partition, uint32_t vp, uint32_t sint);
/* EOM: look through all queues of the VP. */
void synic_service(struct partition *partition, uint32_t vp);
/*
 * A timer's message: into the slot now, or not at all (false). If it `waits`, the slot is made
 * to say MessagePending, and it goes before the queue; else it overtakes nothing. `more`: other
 * timers wait for this slot.
 */
bool synic_timer_message(struct partition *partition, uint32_t vp, uint32_t sint,
	const struct synic_message *message, bool waits, bool more);
/* Tell the observer of what has drained. Loop thread; the lock is given up meanwhile. */
void synic_drained_tell(struct partition *partition);

#endif
