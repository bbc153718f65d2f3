// SPDX-License-Identifier: Apache-2.0
/*
 * File copy, host side: sends one file at a time into the guest, fragment by fragment, and
 * says how it ended.
 *
 *	owner (fcopy_provider.c on a VMBus, or a test)
 *	   |  fcopy_vsp_start(), _cancel()		^  ops: send, failed, read, done
 *	fcopy_vsp	this file: the order of a copy, deadlines, statuses
 *	   |
 *	ic_session	negotiation, deadlines; driven by ic_session_on_*() on `session`
 *
 * A sans-I/O state machine. The file's bytes come from the owner, who may take time for them:
 *
 *	start -> [ read (perhaps later) -> write ]* -> read of nothing -> complete
 *	            any failure -> cancel -> done
 *
 * One request is outstanding at a time, so its speed is the guest's round trips. A copy that
 * the guest took part in ends by complete or by cancel, whatever goes wrong.
 *
 * Threads: none of its own; one owner. Rules: R-FCOPY-001, 002, 007, 014, 016, 020 to 024.
 */
#ifndef HOST_VSP_FCOPY_VSP_H
#define HOST_VSP_FCOPY_VSP_H

#include "host/vsp/ic_session.h"
#include "protocol/fcopy.h"

/* How long the answer to a cancel is waited for, or the one before it by who cancels. */
#define FCOPY_CANCEL_MS 5000u

/* How often it is looked for room in the ring, and how long. */
#define FCOPY_ROOM_RETRY_MS 1u
#define FCOPY_ROOM_MS	    5000u

enum fcopy_result {
	FCOPY_RESULT_COPIED,
	FCOPY_RESULT_EXISTS,
	FCOPY_RESULT_FULL,
	FCOPY_RESULT_DENIED,	/* not in that directory */
	FCOPY_RESULT_REFUSED,	/* with another status */
	FCOPY_RESULT_NO_ANSWER, /* by the deadline */
	FCOPY_RESULT_NO_ROOM,	/* the guest's ring takes no fragment */
	FCOPY_RESULT_CLOSED,	/* the channel closed, or failed */
	FCOPY_RESULT_SOURCE,	/* the file could not be read, with an error */
	FCOPY_RESULT_CANCELLED,
};

enum fcopy_state {
	FCOPY_STATE_IDLE,
	FCOPY_STATE_STARTING,
	FCOPY_STATE_READING, /* the owner has the word: fcopy_vsp_source_ready() */
	FCOPY_STATE_WAITING, /* for room in the ring */
	FCOPY_STATE_WRITING,
	FCOPY_STATE_COMPLETING,
	FCOPY_STATE_CANCELLING,
};

/* How a copy ended. */
struct fcopy_end {
	enum fcopy_result result;
	enum fcopy_state state; /* in which it failed */
	uint32_t status;	/* the guest's, of EXISTS to REFUSED */
	int source_error;	/* negative errno, of SOURCE */
	bool is_clean;		/* the guest has said that nothing is left, or had not begun */
};

/* Outputs; see ic_session.h for the first. */
struct fcopy_vsp_ops {
	struct ic_session_ops session;
	/*
	 * Put `bytes` of the file, from `offset`, at `to`. Asked in order, without gaps; at
	 * the end for 0 bytes: is the file still as it was? 0; -EAGAIN: later, call
	 * fcopy_vsp_source_ready(), not from within; any other negative errno ends the copy.
	 */
	int (*read)(void *ctx, uint64_t offset, uint8_t *to, uint32_t bytes);
	/* The copy is over; nothing is read any more. A new one may be started from here. */
	void (*done)(void *ctx, const struct fcopy_end *end);
};

struct fcopy_vsp_request {
	const char *name; /* UTF-8; no slash */
	const char *path; /* UTF-8; the guest's, as it knows paths */
	bool overwrites;
	bool creates_path;
	uint64_t size_bytes;
};

struct fcopy_vsp {
	struct ic_session session; /* read it for status */
	const struct fcopy_vsp_ops *ops;
	void *ctx;
	enum fcopy_state state;
	bool wants_cancel; /* as soon as the outstanding request has ended */
	struct fcopy_progress progress;
	struct fcopy_end end; /* in the making */
	uint64_t room_by_ns;  /* while WAITING */
	struct fcopy_write_wire write;
	/* Since init; they survive reopening. */
	uint64_t copied;
	uint64_t failed;
	uint64_t copied_bytes; /* that the guest has taken, of all copies */
	uint32_t last_status;  /* of the guest's last answer */
};

/* Closed. `ops` is borrowed, `ctx` handed to it. */
void fcopy_vsp_init(struct fcopy_vsp *vsp, const struct fcopy_vsp_ops *ops, void *ctx);

/*
 * Begin a copy; `request` is borrowed during the call. 0: done() follows, once. Else nothing
 * was sent: -ENOTCONN, the guest does not run the service, or has not agreed yet (R-FCOPY-023);
 * -EBUSY, a copy is under way, or being cancelled; -EINVAL, no name that a file can have;
 * -EILSEQ, name or path is not UTF-8; -ENAMETOOLONG, one is longer than the guest can take
 * (R-FCOPY-016); -EFBIG; -EAGAIN, the guest takes no requests at present.
 */
int fcopy_vsp_start(
	struct fcopy_vsp *vsp, const struct fcopy_vsp_request *request, uint64_t now_ns);

/* The read that was put off can be made now. Nothing if none was. */
void fcopy_vsp_source_ready(struct fcopy_vsp *vsp, uint64_t now_ns);

/*
 * Give the copy up. done() follows, within 2 × FCOPY_CANCEL_MS, perhaps during the call; with
 * FCOPY_RESULT_COPIED if it was too late. Nothing if there is none.
 */
void fcopy_vsp_cancel(struct fcopy_vsp *vsp, uint64_t now_ns);

/* "copied", "exists", …; "idle", "starting", …: constant. */
const char *fcopy_result_name(enum fcopy_result result);
const char *fcopy_state_name(enum fcopy_state state);

#endif
