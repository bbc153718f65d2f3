// SPDX-License-Identifier: Apache-2.0
/*
 * Guest side of an integration component, the part that is the same for each: the
 * answer to a negotiation, and the response around what the component's handler did.
 *
 *	heartbeat_ic	one struct ic_guest_service: versions, handler
 *	    |
 *	ic_guest	packet in, at most one packet out
 *	    |
 *	protocol/ic	framing, version lists
 *
 * A sans-I/O state machine: one private copy of a packet's payload in, the reply's bytes
 * out. No allocation, no libc beyond memcpy and memset. A component is added by writing
 * its row; nothing here changes.
 *
 * A request that takes long is answered later: the handler notes what was asked and the
 * ticket, and returns IC_GUEST_LATER. Once the work is done its owner finishes it, and the
 * transport that ic_guest_attach() named sends it:
 *
 *	handle:  job->ticket = ic_guest_ticket(ic); start(job, body); return IC_GUEST_LATER;
 *	later:   ic_guest_finish(ic, job->ticket, IC_STATUS_SUCCESS, body, body_bytes);
 *
 * One is pending at a time. A negotiation, or the end of the channel, makes its ticket void:
 * the handler's owner is told by `forget`, and finishing it does nothing (R-IC-041 to 043).
 *
 * The host is not trusted: what breaks a rule gets no reply, or a failure status where
 * the rules give one, and is counted by reason. A reply is never longer than its request.
 *
 * Threads: none of its own; one owner. Rules: R-IC-003 to R-IC-011, R-IC-030 to R-IC-043.
 */
#ifndef GUEST_IC_DAEMONS_IC_GUEST_H
#define GUEST_IC_DAEMONS_IC_GUEST_H

#include "protocol/ic.h"

/* What a handler returns if it will answer later. Never on the wire. */
#define IC_GUEST_LATER 0x8000000Au

/* One component: the row that it adds. Constant. */
struct ic_guest_service {
	const char *name; /* stem */
	uint16_t type;	  /* enum ic_type */
	uint16_t body_min_bytes;
	struct ic_version_list frameworks; /* that the guest supports */
	struct ic_version_list messages;
	/*
	 * Handle one request. `body` is `body_bytes` (at least body_min_bytes) of the reply in
	 * the making, equal to the request's body; change it in place. Returns IC_STATUS_*, or
	 * IC_GUEST_LATER; then `body` is the same until it is finished, but lies elsewhere.
	 */
	uint32_t (*handle)(
		void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes);
	/*
	 * Nobody waits for the pending answer any more; its ticket is void. May be NULL. Called
	 * inside ic_guest_on_packet() and ic_guest_reset().
	 */
	void (*forget)(void *ctx);
};

struct ic_guest {
	const struct ic_guest_service *service; /* borrowed, constant */
	void *ctx;				/* borrowed; handed to the handler */
	bool is_negotiated;
	struct ic_agreement agreement; /* valid if is_negotiated */
	/* The answer that comes later, as it stands; and who sends it. */
	bool is_pending;
	size_t pending_len;
	size_t pending_body_bytes;
	uint64_t pending[(IC_PAYLOAD_MAX_BYTES + 7) / 8];
	void (*send)(void *transport, const void *reply, size_t len);
	void *transport; /* borrowed while attached */
	/* Since init; they survive reopening. */
	uint64_t negotiations;
	uint64_t requests;   /* that reached the handler */
	uint64_t later;	     /* of those, answered later, or void */
	uint64_t late_voids; /* of those, void */
	uint64_t rejections[IC_REJECTION_COUNT];
	enum ic_rejection last_rejection; /* IC_OK: none yet */
};

void ic_guest_init(struct ic_guest *guest, const struct ic_guest_service *service, void *ctx);

/*
 * The channel was opened, or closed: the next message must be a negotiation. What is pending is
 * void.
 */
void ic_guest_reset(struct ic_guest *guest);

/*
 * Who sends answers that come later: `send` is called inside ic_guest_finish(), with a reply of
 * `len` bytes that is borrowed during the call. NULL: nobody, they are dropped.
 */
void ic_guest_attach(struct ic_guest *guest,
	void (*send)(void *transport, const void *reply, size_t len), void *transport);

/*
 * One packet payload from the host (padding included): `bytes` is private, `len` its
 * length. Writes the reply to `reply`, which may be the same buffer as `bytes` but not
 * overlap it otherwise, and its length, 0 for no reply, to *reply_len. IC_PAYLOAD_MAX_BYTES
 * of capacity always suffice; a reply that does not fit counts as IC_REJECT_TOO_LONG.
 * Returns why the message was refused, or IC_OK; both may come with a reply. No reply and IC_OK:
 * it comes later. While one is pending, requests are refused with IC_REJECT_BUSY and no reply;
 * whoever can keeps the last of them, and gives it again when the answer is out.
 */
enum ic_rejection ic_guest_on_packet(struct ic_guest *guest, const void *bytes, size_t len,
	void *reply, size_t capacity, size_t *reply_len);

/* Number of the request that the handler was last called for: during the call, and after it. */
static inline uint64_t ic_guest_ticket(const struct ic_guest *guest)
{
	return guest->requests;
}

/*
 * Answer the pending request: send `body` (at most as many bytes as the request's body; what is
 * beyond stays as the handler left it), or the body as the handler left it if that is NULL. A
 * longer one makes the status IC_STATUS_FAIL and leaves the body. True if it went to the
 * transport; false if the ticket is void, which is harmless. Not from within the handler. The next
 * request may reach the handler during the call.
 */
bool ic_guest_finish(struct ic_guest *guest, uint64_t ticket, uint32_t status, const void *body,
	size_t body_bytes);

/* Sum of all rejections. */
uint64_t ic_guest_rejections(const struct ic_guest *guest);

#endif
