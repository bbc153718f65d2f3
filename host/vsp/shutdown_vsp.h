// SPDX-License-Identifier: Apache-2.0
/*
 * Shutdown, host side: asks the guest to power off, restart or hibernate, and says what it
 * answered.
 *
 *	owner (shutdown_provider.c on a VMBus, or a test)
 *	   |  shutdown_vsp_request()		^  ops: send, failed, done
 *	shutdown_vsp	this file: the body, one request at a time, its end
 *	   |
 *	ic_session	negotiation, deadlines; driven by ic_session_on_*() on `session`
 *
 * A sans-I/O state machine. An answer says what the guest means to do; whether it has done it
 * is seen by the partition, not here (R-SHUT-010).
 *
 * Threads: none of its own; one owner. Rules: R-IC-016 to R-IC-021, R-SHUT-001 to R-SHUT-013.
 */
#ifndef HOST_VSP_SHUTDOWN_VSP_H
#define HOST_VSP_SHUTDOWN_VSP_H

#include "host/vsp/ic_session.h"
#include "protocol/shutdown.h"

/* How a request ended. */
enum shutdown_result {
	SHUTDOWN_ACCEPTED,
	SHUTDOWN_REFUSED,   /* with a status */
	SHUTDOWN_NO_ANSWER, /* by the deadline; the guest may act yet */
	SHUTDOWN_CLOSED,    /* the channel closed first; the guest may act yet */
};

/* Outputs; see ic_session.h for the first two. */
struct shutdown_vsp_ops {
	struct ic_session_ops session;
	/* The request is over. `status`: of SHUTDOWN_REFUSED. A new one may be made from here. */
	void (*done)(void *ctx, enum shutdown_action action, enum shutdown_result result,
		uint32_t status);
};

struct shutdown_vsp_request {
	enum shutdown_action action;
	bool is_forced;
	uint32_t reason;    /* SHUTDOWN_REASON_* */
	uint32_t timeout_s; /* that the guest is told; 0: none */
	const char *text;   /* for people, UTF-8, at most SHUTDOWN_TEXT_MAX_BYTES; or NULL */
	uint64_t answer_ns; /* how long to wait for the answer; 0: SHUTDOWN_ANSWER_MS */
};

struct shutdown_vsp {
	struct ic_session session; /* read it for status */
	const struct shutdown_vsp_ops *ops;
	void *ctx;
	bool is_asked; /* a request waits for its end */
	enum shutdown_action action;
	/* Since init; they survive reopening. */
	uint64_t accepted;
	uint64_t refused;
	uint64_t unanswered;  /* given up, or lost with the channel */
	uint32_t last_status; /* of the guest's last answer */
};

/* Closed. `ops` is borrowed, `ctx` handed to it. */
void shutdown_vsp_init(struct shutdown_vsp *vsp, const struct shutdown_vsp_ops *ops, void *ctx);

/*
 * Ask the guest. 0: done() follows, once. Else nothing was sent: -ENOTCONN, the guest does not
 * run the service, or has not agreed yet (R-IC-019); -EBUSY, a request is under way;
 * -ENOTSUP, the agreed version has no such action (R-SHUT-004); -EMSGSIZE, the text is too
 * long; -EAGAIN, the guest takes no requests at present.
 */
int shutdown_vsp_request(
	struct shutdown_vsp *vsp, const struct shutdown_vsp_request *request, uint64_t now_ns);

/* "power off", "restart", "hibernate". */
const char *shutdown_action_name(enum shutdown_action action);

/* "accepted", "refused", "no answer", "channel closed". */
const char *shutdown_result_name(enum shutdown_result result);

#endif
