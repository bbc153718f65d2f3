// SPDX-License-Identifier: Apache-2.0
/*
 * Host side of an integration component, the part that is the same for each:
 * negotiation, then one request at a time and its response.
 *
 *	heartbeat_vsp	bodies and timing
 *	    |
 *	ic_host		which message is due, is the answer acceptable
 *	    |
 *	protocol/ic	framing, version lists
 *
 * A sans-I/O state machine: bytes in, bytes and events out. It has no clock: whoever
 * owns it decides when a request is overdue and calls ic_host_abandon().
 *
 * The guest is hostile. Bad messages are dropped, counted by reason, and, once there
 * are IC_HOST_REJECTIONS_MAX of them between two calls of ic_host_budget_renew(), end
 * the channel; so does a negotiation that cannot succeed.
 *
 * Threads: none of its own; one owner. Rules: R-IC-001 to R-IC-015, R-IC-030 to R-IC-040.
 */
#ifndef HOST_VSP_IC_HOST_H
#define HOST_VSP_IC_HOST_H

#include "protocol/ic.h"

/* Rejected messages that are tolerated between two renewals of the budget. */
#define IC_HOST_REJECTIONS_MAX 64u

enum ic_host_state {
	IC_HOST_CLOSED,
	IC_HOST_NEGOTIATING, /* lists sent or about to be sent, no agreement */
	IC_HOST_READY,	     /* agreed */
	IC_HOST_FAILED,	     /* the channel is given up until it is opened again */
};

enum ic_host_event {
	IC_HOST_DROPPED,  /* message rejected and counted; nothing else changed */
	IC_HOST_AGREED,	  /* negotiation succeeded; requests may follow */
	IC_HOST_ANSWERED, /* the outstanding request has this response */
	IC_HOST_BROKEN,	  /* state became IC_HOST_FAILED by this message: fail the channel */
};

struct ic_host {
	const struct ic_component *component; /* borrowed, constant */
	enum ic_host_state state;
	struct ic_agreement agreement; /* valid in IC_HOST_READY */
	enum ic_rejection failure;     /* why IC_HOST_FAILED */
	bool is_outstanding;	       /* a request waits for its response */
	uint8_t transaction_id;	       /* of the latest request */
	uint32_t rejections_left;      /* budget */
	/* Since init; they survive reopening. */
	uint64_t requests;
	uint64_t responses;
	uint64_t abandoned;
	uint64_t rejections[IC_REJECTION_COUNT];
	enum ic_rejection last_rejection; /* IC_OK: none yet */
};

/* Closed, counters zero. `component` is borrowed for the life of `host`. */
void ic_host_init(struct ic_host *host, const struct ic_component *component);

/* The guest opened the channel: whatever was agreed before is void (R-IC-015). */
void ic_host_open(struct ic_host *host);

/* The guest closed, or the channel is failing. Nothing is outstanding any more. */
void ic_host_close(struct ic_host *host);

/*
 * Make the negotiation request (state NEGOTIATING). Returns its length and marks it
 * outstanding; 0 if the state is another, a request is outstanding (R-IC-009), or
 * `capacity` is short (IC_NEGOTIATE_MAX_BYTES suffices).
 */
size_t ic_host_negotiate(struct ic_host *host, void *buffer, size_t capacity);

/*
 * Make a request of the component's type around `body` (state READY). Returns the
 * payload's length and marks it outstanding; 0 as above (R-IC-006, R-IC-009).
 */
size_t ic_host_request(
	struct ic_host *host, const void *body, uint16_t body_bytes, void *buffer, size_t capacity);

/* The request just made could not be sent after all: it is not outstanding. */
void ic_host_unsend(struct ic_host *host);

/* Give up on the outstanding request; a late answer to it will be rejected by its id. */
void ic_host_abandon(struct ic_host *host);

/*
 * One packet payload from the guest, private bytes. On IC_HOST_ANSWERED *response is
 * filled and points into `bytes`; its status may be a failure, its body is unchecked
 * but for being inside the message.
 */
enum ic_host_event ic_host_on_packet(
	struct ic_host *host, const void *bytes, size_t len, struct ic_message *response);

/* Count a response that the component found wrong in its body, as on_packet would. */
enum ic_host_event ic_host_reject(struct ic_host *host, enum ic_rejection reason);

/* A period has passed: rejections are tolerated anew. */
void ic_host_budget_renew(struct ic_host *host);

/* Sum of all rejections. */
uint64_t ic_host_rejections(const struct ic_host *host);

/* "closed", "negotiating", "ready", "failed". */
const char *ic_host_state_name(enum ic_host_state state);

#endif
