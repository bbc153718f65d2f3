// SPDX-License-Identifier: Apache-2.0
/*
 * What VP threads leave for the loop thread to tell the rest of the host: messages that the
 * guest posted, its signals, crash reports and debug text, queues that have drained, a reset.
 *
 *	VP thread, lock held: deferral_*()  ->  config.wake
 *	loop thread: partition_dispatch()   ->  ports and observers, lock not held
 *
 * Posts and first signals are told in the order in which they came; a signal whose flag waits
 * already coalesces with it, as event flags do, so signals need no bound but the ports' own.
 * All else is bounded by host/limits.h: what does not fit is refused to the guest, or
 * counted, and never displaces what has been accepted.
 *
 * A port that refuses a post (HV_STATUS_INSUFFICIENT_BUFFERS) gets it again at the next
 * dispatch, before any later one: the guest has long been told that it was accepted.
 */
#ifndef HOST_HYPERVISOR_DEFERRAL_H
#define HOST_HYPERVISOR_DEFERRAL_H

#include "host/hypervisor/partition.h"
#include "host/limits.h"
#include "protocol/hypervisor.h"

struct port;

struct deferred_post {
	uint64_t sequence;
	uint32_t connection_id, type, bytes;
	uint8_t payload[HV_MESSAGE_PAYLOAD_MAX];
};

struct deferred_signal {
	uint64_t sequence;
	uint32_t connection_id; /* its port has the flags */
};

struct deferred_crash {
	uint64_t parameters[5];
	uint64_t control;
	uint32_t text_bytes;
	bool has_text;
	char text[HV_CRASH_MESSAGE_MAX];
};

/* Zero is empty. Embedded in the partition; under its lock. */
struct deferral {
	bool is_woken;	   /* wake was called, dispatch has not begun */
	bool is_telling;   /* loop thread only: partition_dispatch() is at work */
	bool is_reset_due; /* RESET was written, and the backend has no way of its own */
	uint64_t sequence; /* of the next post or signal */
	uint32_t post_head, post_count;
	uint32_t signal_head, signal_count;
	uint32_t crash_head, crash_count;
	uint32_t debug_head, debug_count;
	struct deferred_post posts[LIMIT_DEFERRED_POSTS];
	struct deferred_signal signals[LIMIT_PORTS];
	struct deferred_crash crashes[LIMIT_DEFERRED_CRASHES];
	uint8_t debug[LIMIT_DEFERRED_DEBUG_BYTES];
};

/* Call config.wake, unless it has been and partition_dispatch() is still to come. */
void deferral_wake(struct partition *partition);
/* Forget everything: a reset, or another backend. Flags that wait in ports as well. */
void deferral_clear(struct partition *partition);

/* HV_STATUS_SUCCESS, or HV_STATUS_INSUFFICIENT_BUFFERS (counted). */
uint16_t deferral_post(struct partition *partition, uint32_t connection_id, uint32_t type,
	const uint8_t *payload, uint32_t bytes);
/* `flag` is below the port's count. */
void deferral_signal(struct partition *partition, struct port *port, uint16_t flag);
/* The port is about to go. */
void deferral_port_gone(struct partition *partition, uint32_t connection_id);
/* The report is copied, text and all; the fifth that waits is dropped. */
void deferral_crash(struct partition *partition, const struct partition_crash *crash);
/* Returns how many of the bytes there is room for. */
uint32_t deferral_debug(struct partition *partition, const uint8_t *data, uint32_t bytes);
void deferral_reset(struct partition *partition);

#endif
