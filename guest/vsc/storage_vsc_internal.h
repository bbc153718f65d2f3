// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the storage client share with each other and with nobody else.
 *
 *	storage_vsc.c		init, channels, handshake, resets, stop
 *	storage_vsc_submit.c	requests out
 *	storage_vsc_io.c	completions in, notifications, retries, deadlines
 *	storage_vsc_lun.c	logical units, packet templates
 *	storage_vsc_scan.c	enumeration
 */
#ifndef GUEST_VSC_STORAGE_VSC_INTERNAL_H
#define GUEST_VSC_STORAGE_VSC_INTERNAL_H

#include "guest/vsc/storage_vsc.h"

#define STORAGE_VSC_NONE	  UINT32_MAX /* no slot */
#define STORAGE_VSC_CONTROL_INDEX UINT32_MAX /* low half of a control operation's id */
#define STORAGE_VSC_NEVER	  UINT64_MAX
#define STORAGE_VSC_MS		  10000u /* in units of 100 ns */

enum storage_vsc_request_state {
	STORAGE_VSC_REQUEST_IDLE = 0,
	STORAGE_VSC_REQUEST_WAITING,
	STORAGE_VSC_REQUEST_DELAYED,
	STORAGE_VSC_REQUEST_IN_FLIGHT,
};

static inline uint64_t storage_vsc_id(uint32_t generation, uint32_t index)
{
	return (uint64_t)generation << 32 | index;
}

/* The next generation; never 0, so that no id is 0 (R-STOR-052). */
static inline uint32_t storage_vsc_generation_next(uint32_t generation)
{
	return generation == UINT32_MAX ? 1 : generation + 1;
}

static inline void storage_vsc_due(struct storage_vsc *vsc, uint64_t time)
{
	if (time < vsc->earliest)
		vsc->earliest = time;
}

static inline void storage_vsc_list_add(
	struct storage_vsc_list *list, struct storage_vsc_request *request)
{
	request->next = NULL;
	if (list->head == NULL)
		list->head = request;
	else
		list->tail->next = request;
	list->tail = request;
}

static inline struct storage_vsc_request *storage_vsc_list_take(struct storage_vsc_list *list)
{
	struct storage_vsc_request *request = list->head;
	if (request != NULL)
		list->head = request->next;
	return request;
}

void storage_vsc_reject(struct storage_vsc *vsc, enum storage_vsc_reject reason);
/* The client can't go on: state FAILED; on_state() follows from the next drain or tick. */
void storage_vsc_fail(struct storage_vsc *vsc, int error);
/* The ring of a channel is corrupt. */
void storage_vsc_channel_fail(struct storage_vsc *vsc, unsigned channel);
/* Tell on_state() what happened since. */
void storage_vsc_state_tell(struct storage_vsc *vsc);

/* Send the next control operation that is due, if none is in flight. */
void storage_vsc_control_next(struct storage_vsc *vsc);
void storage_vsc_control_tick(struct storage_vsc *vsc);
/* A completion with a control id; `reply` is private and zero padded. */
void storage_vsc_control_reply(
	struct storage_vsc *vsc, uint64_t id, const uint8_t *reply, uint32_t bytes);

/* Give a request back. It must have been taken out of wherever it was. */
void storage_vsc_request_finish(
	struct storage_vsc *vsc, struct storage_vsc_request *request, int result);
/* Start what waits, as far as there is room. */
void storage_vsc_waiting_start(struct storage_vsc *vsc);
/* The time of what was started since the last tick begins. */
void storage_vsc_io_stamp(struct storage_vsc *vsc);
void storage_vsc_io_tick(struct storage_vsc *vsc);
/* Complete everything, in flight or not. */
void storage_vsc_io_stop(struct storage_vsc *vsc, int error, bool is_memory_lost);
/* Take a packet's request back from a closed channel. */
void storage_vsc_io_channel_remove(struct storage_vsc *vsc, unsigned channel, bool is_memory_lost);

/* Write the fixed parts of a LUN's packets, from its address and properties. */
void storage_vsc_templates_build(struct storage_vsc *vsc, struct storage_vsc_lun *lun);
/* Free the entry if nothing holds it any more. */
void storage_vsc_lun_settle(struct storage_vsc_lun *lun);
/* A free entry, or NULL. */
struct storage_vsc_lun *storage_vsc_lun_new(struct storage_vsc *vsc);
void storage_vsc_lun_remove(struct storage_vsc *vsc, struct storage_vsc_lun *lun);

void storage_vsc_scan_tick(struct storage_vsc *vsc);
/* What the host or a device said makes a scan worthwhile. */
void storage_vsc_scan_want(struct storage_vsc *vsc);
void storage_vsc_scan_stop(struct storage_vsc *vsc);

#endif
