// SPDX-License-Identifier: Apache-2.0
/*
 * An integration component on the two rings of a channel, however they came to be: takes
 * what the host sends, answers, and sends the answers that come later.
 *
 *	ic_channel (guest's own bus) ---+
 *	                                +-- ic_link -- ic_guest -- the component's handler
 *	uio_channel_linux (/dev/uioN) --+
 *
 * A host that floods gets a bounded number of packets handled in one call; a reply that finds
 * no space is dropped and counted, for a host with one request outstanding never makes that
 * happen (R-IC-009). While an answer is due, the ring is read all the same: a negotiation voids
 * it, and the last request is kept until the answer is out (R-IC-041, R-IC-042).
 *
 * No allocation. Threads: those of the rings' owner.
 */
#ifndef GUEST_IC_DAEMONS_IC_LINK_H
#define GUEST_IC_DAEMONS_IC_LINK_H

#include "guest/ic_daemons/ic_guest.h"
#include "protocol/ring.h"

/* Packets taken in one call of ic_link_serve(). */
#define IC_LINK_BATCH 64u

#define IC_LINK_WORDS ((IC_PAYLOAD_MAX_BYTES + 7) / 8)

struct ic_link {
	struct ic_guest *ic; /* borrowed while open */
	struct ring_reader *in;
	struct ring_writer *out;
	void (*flush)(void *ctx); /* publish both rings and signal the host if that is due */
	void *ctx;
	bool is_gone;	    /* the ring is corrupt, or ic_link_give_up(): close it */
	const char *reason; /* why is_gone, constant; NULL before */
	uint64_t packets;
	uint64_t replies;
	uint64_t replies_dropped;	 /* no space in the ring */
	uint64_t pending_transaction_id; /* of the packet whose answer is due */
	bool is_held;			 /* a request waits for that answer to be out */
	uint32_t held_len;
	uint64_t held_transaction_id;
	uint64_t buffer[IC_LINK_WORDS];
	uint64_t held[IC_LINK_WORDS];
};

/*
 * Join `ic` to rings that are open, and stay so until ic_link_close(). `link` must not move. All
 * but the buffers is set; counters start at 0. Resets the component.
 */
void ic_link_open(struct ic_link *link, struct ic_guest *ic, struct ring_reader *in,
	struct ring_writer *out, void (*flush)(void *ctx), void *ctx);

/* Take what has come, up to IC_LINK_BATCH packets. True: there may be more. Flushes. */
bool ic_link_serve(struct ic_link *link);

/* Part: what is due is void. Closing a link that is closed is nothing. */
void ic_link_close(struct ic_link *link);

/* The channel is of no use any more, because of `reason` (constant). */
void ic_link_give_up(struct ic_link *link, const char *reason);

#endif
