// SPDX-License-Identifier: Apache-2.0
/*
 * Host side of an integration component with time added to it: negotiates, again while the
 * guest is silent, and sees that each request ends, by its answer or by its deadline. What
 * the components that make requests have in common; a component adds bodies and meaning.
 *
 *	owner (ic_provider.c on a VMBus, or a test)
 *	   |  on_open, on_close, on_packet, on_time	^  ops: send, failed
 *	ic_session	this file: deadlines
 *	   |  \
 *	ic_host	 struct ic_session_component: shutdown_vsp, timesync_vsp
 *
 * A sans-I/O state machine. Time is an argument: nanoseconds of any clock that does not
 * step back. The guest is hostile: see ic_host.h for what happens to bad messages; the
 * budget of rejections is renewed every two seconds. Nothing is sent, and no timer runs,
 * while there is nothing to wait for.
 *
 * Threads: none of its own; one owner. Rules: R-IC-001 to R-IC-015, R-IC-035, R-IC-036.
 */
#ifndef HOST_VSP_IC_SESSION_H
#define HOST_VSP_IC_SESSION_H

#include "host/vsp/ic_host.h"

#define IC_SESSION_NEVER	UINT64_MAX     /* no deadline */
#define IC_SESSION_NEGOTIATE_NS 10000000000ull /* until the lists are sent again */
#define IC_SESSION_BUDGET_NS	2000000000ull

/* Requests given up, one after the other, while nothing at all comes from the guest. */
#define IC_SESSION_UNANSWERED_MAX 8u

/* Outputs. Called last in each input, when the state is consistent. */
struct ic_session_ops {
	/* Send one packet payload. 0, or a negative errno when there is no space now. */
	int (*send)(void *ctx, const void *bytes, size_t len);
	/* The guest broke the protocol, or has no version in common: give up the channel. */
	void (*failed)(void *ctx, const char *reason);
};

/* What a component does; each is called last too, and may make a request. */
struct ic_session_component {
	/* Versions are agreed: requests may be made. May be NULL, as those below but answered. */
	void (*ready)(void *component, uint64_t now_ns);
	/* The request has this response; its status may be a failure, its body is unchecked. */
	void (*answered)(void *component, const struct ic_message *response, uint64_t now_ns);
	/* The request was given up at its deadline. */
	void (*silent)(void *component, uint64_t now_ns);
	/* The channel closed or failed; a request that was outstanding has gone with it. */
	void (*closed)(void *component, uint64_t now_ns);
	/* The time of ic_session_wake() has come. */
	void (*woken)(void *component, uint64_t now_ns);
};

struct ic_session {
	struct ic_host ic; /* read it for status */
	const struct ic_session_component *component;
	void *component_ctx;
	const struct ic_session_ops *ops; /* borrowed, constant */
	void *ctx;			  /* borrowed; handed to ops */
	uint64_t answer_by_ns;		  /* of what is outstanding, or of the next try */
	uint64_t wake_ns;
	uint64_t budget_ns; /* when rejections are tolerated anew */
	uint64_t sent_ns;
	uint32_t unanswered; /* given up since a message last arrived */
	/* Since init; they survive reopening. */
	uint64_t send_failures;
	uint64_t round_trip_ns; /* of the last answer */
};

/* Closed. Everything is borrowed for the life of `session`. */
void ic_session_init(struct ic_session *session, uint16_t type,
	const struct ic_session_component *component, void *component_ctx,
	const struct ic_session_ops *ops, void *ctx);

/* The guest opened the channel: negotiate, whatever was before (R-IC-015). */
void ic_session_on_open(struct ic_session *session, uint64_t now_ns);

/* The guest closed the channel, or it was failed. */
void ic_session_on_close(struct ic_session *session, uint64_t now_ns);

/* One packet payload from the guest: private bytes, padding allowed. */
void ic_session_on_packet(
	struct ic_session *session, const void *bytes, size_t len, uint64_t now_ns);

/* A packet that could not be handed over: IC_REJECT_PACKET_TYPE, or _TOO_LONG. */
void ic_session_on_bad_packet(
	struct ic_session *session, enum ic_rejection reason, uint64_t now_ns);

/* Time has come to now_ns. Returns the next deadline. Early calls do nothing. */
uint64_t ic_session_on_time(struct ic_session *session, uint64_t now_ns);

/* When ic_session_on_time() wants to be called; changes with every input and request. */
uint64_t ic_session_deadline_ns(const struct ic_session *session);

/*
 * For the component. Make a request around `body`; it ends by one of answered, silent and
 * closed. 0; -ENOTCONN: no agreement; -EBUSY: one is outstanding (R-IC-009); -EAGAIN: the
 * ring is full, or IC_SESSION_UNANSWERED_MAX were given up and the guest has said nothing.
 */
int ic_session_request(struct ic_session *session, const void *body, uint16_t body_bytes,
	uint64_t answer_by_ns, uint64_t now_ns);

/* For the component. What is outstanding is given up at `by_ns`, if that is sooner. */
void ic_session_hasten(struct ic_session *session, uint64_t by_ns);

/* For the component. Call woken at `when_ns`; IC_SESSION_NEVER: not at all. */
void ic_session_wake(struct ic_session *session, uint64_t when_ns);

/*
 * For the component. Count a response that it found wrong, as one of ic_host_on_packet().
 * May end the channel: call it last.
 */
void ic_session_reject(struct ic_session *session, enum ic_rejection reason, uint64_t now_ns);

/* now + span, never IC_SESSION_NEVER. */
uint64_t ic_session_after(uint64_t now_ns, uint64_t span_ns);

#endif
