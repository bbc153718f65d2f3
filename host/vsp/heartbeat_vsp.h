// SPDX-License-Identifier: Apache-2.0
/*
 * Heartbeat, host side: asks the guest at a steady period whether it lives, and says
 * when contact is made, lost and found again.
 *
 *	owner (heartbeat_provider.c on a VMBus, or a test)
 *	   |  on_open, on_close, on_packet, on_time	^  ops: send, changed, failed
 *	heartbeat_vsp	this file: sequence, periods, contact
 *	   |
 *	ic_host		negotiation, one request at a time
 *
 * A sans-I/O state machine. Time is an argument: nanoseconds of any clock that does not
 * step back. The guest is hostile: see ic_host.h for what happens to bad messages. It
 * gets one request for each period and its answers are looked at only once, so what it
 * does costs the host a bounded amount of work, and at most two calls of `changed` a period.
 *
 * Contact is what users see; it is apart from the state of the channel:
 *	no contact	no answer since the channel was opened
 *	ok		answers arrive
 *	lost contact	it was ok, then missed_max periods went by without a good answer
 *
 * Threads: none of its own; one owner. Rules: R-IC-027 to R-IC-029, R-HB-001 to R-HB-015.
 */
#ifndef HOST_VSP_HEARTBEAT_VSP_H
#define HOST_VSP_HEARTBEAT_VSP_H

#include "host/vsp/ic_host.h"
#include "protocol/heartbeat.h"

#define HEARTBEAT_VSP_NEVER UINT64_MAX /* no deadline */

/*
 * Requests that are given up, one after the other, while nothing at all comes from the
 * guest. A guest that was stopped for hours then finds this many in its ring and not a
 * ring full of them.
 */
#define HEARTBEAT_VSP_UNANSWERED_MAX 8u

enum heartbeat_contact {
	HEARTBEAT_NO_CONTACT,
	HEARTBEAT_OK,
	HEARTBEAT_LOST_CONTACT,
};

struct heartbeat_vsp_config {
	uint64_t period_ns;	 /* 0: HEARTBEAT_PERIOD_MS */
	uint32_t missed_max;	 /* 0: HEARTBEAT_MISSED_MAX */
	uint64_t first_sequence; /* of the first request after each opening */
};

/* Outputs. Called last in each input, when the state is consistent. */
struct heartbeat_vsp_ops {
	/*
	 * Send one packet payload. Returns 0, or a negative errno when there is no space now:
	 * the request is then made anew in the next period.
	 */
	int (*send)(void *ctx, const void *bytes, size_t len);
	/* Contact or application state changed. May be NULL. */
	void (*changed)(void *ctx, enum heartbeat_contact contact, uint32_t application_state);
	/* The guest broke the protocol, or has no version in common: give up the channel. */
	void (*failed)(void *ctx, const char *reason);
};

struct heartbeat_vsp {
	struct heartbeat_vsp_config config;
	const struct heartbeat_vsp_ops *ops; /* borrowed, constant */
	void *ctx;			     /* borrowed; handed to ops */
	struct ic_host ic;
	uint64_t deadline_ns; /* of the next period; HEARTBEAT_VSP_NEVER if none */

	enum heartbeat_contact contact;
	uint32_t application_state; /* as last answered; enum heartbeat_application */
	uint64_t sequence;	    /* of the latest request */
	uint64_t sent_ns;	    /* when it was made */
	bool is_answered;	    /* a good answer arrived in this period */
	uint32_t missed;	    /* periods in a row without a good answer */
	uint32_t overdue;	    /* periods that the outstanding request has waited */
	uint32_t unanswered;	    /* requests given up since a message last arrived */

	/* Since init; they survive reopening. */
	uint64_t answers;
	uint64_t missed_total;
	uint64_t lost_contacts;
	uint64_t recoveries;
	uint64_t send_failures;
	uint64_t bad_sequences;
	uint64_t undefined_applications;
	uint64_t last_answer_ns; /* valid if answers > 0 */
	uint64_t round_trip_ns;	 /* of the last answer */
};

/* Closed. `config` is copied; NULL or zero fields mean the defaults. `ops` is borrowed. */
void heartbeat_vsp_init(struct heartbeat_vsp *vsp, const struct heartbeat_vsp_config *config,
	const struct heartbeat_vsp_ops *ops, void *ctx);

/* The guest opened the channel: negotiate, whatever was before (R-IC-015). */
void heartbeat_vsp_on_open(struct heartbeat_vsp *vsp, uint64_t now_ns);

/* The guest closed the channel, or it was failed: contact ends, nothing is sent. */
void heartbeat_vsp_on_close(struct heartbeat_vsp *vsp);

/* One packet payload from the guest: private bytes, padding allowed. */
void heartbeat_vsp_on_packet(
	struct heartbeat_vsp *vsp, const void *bytes, size_t len, uint64_t now_ns);

/*
 * A packet that could not even be handed over: IC_REJECT_PACKET_TYPE, or _TOO_LONG. It is
 * counted against the guest like any bad message.
 */
void heartbeat_vsp_on_bad_packet(struct heartbeat_vsp *vsp, enum ic_rejection reason);

/*
 * Time has come to now_ns. Does what is due and returns the next deadline, or
 * HEARTBEAT_VSP_NEVER while the channel is closed or failed. Early calls do nothing.
 */
uint64_t heartbeat_vsp_on_time(struct heartbeat_vsp *vsp, uint64_t now_ns);

/* When heartbeat_vsp_on_time() wants to be called; changes with every input. */
uint64_t heartbeat_vsp_deadline_ns(const struct heartbeat_vsp *vsp);

/* "no contact", "ok", "lost contact". */
const char *heartbeat_contact_name(enum heartbeat_contact contact);

/* "unknown", "healthy", "critical", "stopped"; "undefined" for other numbers. */
const char *heartbeat_application_name(uint32_t application_state);

/*
 * One line for logs and people: contact, state, versions, sequence, misses. Writes at
 * most `size` bytes with the final NUL (cut if longer); returns text.
 */
char *heartbeat_vsp_describe(const struct heartbeat_vsp *vsp, char *text, size_t size);

#endif
