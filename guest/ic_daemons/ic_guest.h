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
 * The host is not trusted: what breaks a rule gets no reply, or a failure status where
 * the rules give one, and is counted by reason. A reply is never longer than its request.
 *
 * Threads: none of its own; one owner. Rules: R-IC-003 to R-IC-011, R-IC-030 to R-IC-040.
 */
#ifndef GUEST_IC_DAEMONS_IC_GUEST_H
#define GUEST_IC_DAEMONS_IC_GUEST_H

#include "protocol/ic.h"

/* One component: the row that it adds. Constant. */
struct ic_guest_service {
	const char *name; /* stem */
	uint16_t type;	  /* enum ic_type */
	uint16_t body_min_bytes;
	struct ic_version_list frameworks; /* that the guest supports */
	struct ic_version_list messages;
	/*
	 * Handle one request. `body` is `body_bytes` (at least body_min_bytes) of the reply in
	 * the making, equal to the request's body; change it in place. Returns IC_STATUS_*.
	 */
	uint32_t (*handle)(
		void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes);
};

struct ic_guest {
	const struct ic_guest_service *service; /* borrowed, constant */
	void *ctx;				/* borrowed; handed to the handler */
	bool is_negotiated;
	struct ic_agreement agreement; /* valid if is_negotiated */
	/* Since init; they survive reopening. */
	uint64_t negotiations;
	uint64_t requests; /* that reached the handler */
	uint64_t rejections[IC_REJECTION_COUNT];
	enum ic_rejection last_rejection; /* IC_OK: none yet */
};

void ic_guest_init(struct ic_guest *guest, const struct ic_guest_service *service, void *ctx);

/* The channel was opened, or closed: the next message must be a negotiation. */
void ic_guest_reset(struct ic_guest *guest);

/*
 * One packet payload from the host (padding included): `bytes` is private, `len` its
 * length. Writes the reply to `reply`, which may be the same buffer as `bytes` but not
 * overlap it otherwise, and its length, 0 for no reply, to *reply_len. IC_PAYLOAD_MAX_BYTES
 * of capacity always suffice; a reply that does not fit counts as IC_REJECT_TOO_LONG.
 * Returns why the message was refused, or IC_OK; both may come with a reply.
 */
enum ic_rejection ic_guest_on_packet(struct ic_guest *guest, const void *bytes, size_t len,
	void *reply, size_t capacity, size_t *reply_len);

/* Sum of all rejections. */
uint64_t ic_guest_rejections(const struct ic_guest *guest);

#endif
