// SPDX-License-Identifier: Apache-2.0
/*
 * Backup coordination, host side: one backup at a time, from the check to its completion.
 * Freezes the guest, says when it is frozen, and sees that it is thawed, however the backup
 * goes.
 *
 *	owner (vss_provider.c on a VMBus, or a test)
 *	   |  vss_vsp_freeze(), vss_vsp_thaw()	^  ops: send, failed, frozen, ended
 *	vss_vsp		this file: what comes next, deadlines, the thaw that is owed
 *	   |
 *	ic_session	negotiation, deadlines; driven by ic_session_on_*() on `session`
 *
 *	idle -> checking -> freezing -> frozen -> thawing -> completing -> idle
 *
 * A sans-I/O state machine. The act in the middle, the copy, is the owner's. A guest that does
 * not answer to thaw is told again, also in a channel that it opens anew.
 *
 * Threads: none of its own; one owner. Rules: R-VSS-006, R-VSS-008, R-VSS-016 to R-VSS-025.
 */
#ifndef HOST_VSP_VSS_VSP_H
#define HOST_VSP_VSS_VSP_H

#include "host/vsp/ic_session.h"
#include "protocol/vss.h"

#define VSS_VSP_LIMIT_MS      60000u /* frozen, if not told otherwise (R-VSS-017) */
#define VSS_VSP_THAW_TRIES    3u     /* until it is called a failure (R-VSS-021) */
#define VSS_VSP_THAW_PAUSE_NS 1000000000ull
#define VSS_VSP_OWED_PAUSE_NS 30000000000ull /* between tries after that */

enum vss_state {
	VSS_IDLE,
	VSS_CHECKING,
	VSS_FREEZING,
	VSS_FROZEN,
	VSS_THAWING,
	VSS_COMPLETING,
};

/* How a step with the guest went. */
enum vss_result {
	VSS_OK,
	VSS_REFUSED,	/* with a status */
	VSS_BAD_ANSWER, /* to something else, or too short */
	VSS_NO_ANSWER,	/* by the deadline */
	VSS_CLOSED,	/* the channel closed first */
	VSS_NOT_SENT,	/* the ring is full */
	VSS_GIVEN_UP,	/* by the owner, before the guest was frozen */
};

/* What became of a backup. */
struct vss_report {
	enum vss_result result; /* VSS_OK: it was frozen and thawed */
	uint8_t operation;	/* where it went wrong; or VSS_THAW */
	uint32_t status;	/* of VSS_REFUSED */
	bool was_frozen;	/* the guest said so */
	bool is_consistent;   /* frozen from vss_vsp_ops.frozen() to the owner's thaw (R-VSS-022) */
	bool hit_limit;	      /* the thaw was not the owner's */
	enum vss_result thaw; /* of the last thaw; VSS_OK also if none was needed */
	uint64_t freezing_ns; /* from the request to its answer */
	uint64_t frozen_ns;   /* from there to the answer to thaw, or the failure */
	uint32_t check_flags; /* of the guest's answer */
};

/* Outputs; see ic_session.h for the first two. */
struct vss_vsp_ops {
	struct ic_session_ops session;
	/* The guest is frozen: copy, then vss_vsp_thaw(). */
	void (*frozen)(void *ctx);
	/* The backup, or a thaw alone, is over. A new one may be begun from here. */
	void (*ended)(void *ctx, const struct vss_report *report);
};

struct vss_vsp_request {
	uint64_t freeze_ns; /* how long to wait for freeze; 0: VSS_FREEZE_ANSWER_MS */
	uint64_t limit_ns;  /* how long the guest may be frozen; 0: VSS_VSP_LIMIT_MS */
};

struct vss_vsp {
	struct ic_session session; /* read it for status */
	const struct vss_vsp_ops *ops;
	void *ctx;
	enum vss_state state;
	bool is_given_up;    /* thaw as soon as freeze is answered */
	bool is_owed;	     /* a thaw, after a backup that ended without */
	bool is_paying;	     /* that thaw is under way */
	unsigned thaw_tries; /* in this backup */
	uint64_t freeze_ns;  /* of the request */
	uint64_t limit_ns;   /* likewise */
	uint64_t frozen_at;  /* or when freeze was sent */
	struct vss_report report;
	/* Since init; they survive reopening. */
	uint64_t backups; /* that were frozen and thawed */
	uint64_t failures;
	uint64_t limits;
};

/* Closed. `ops` is borrowed, `ctx` handed to it. */
void vss_vsp_init(struct vss_vsp *vsp, const struct vss_vsp_ops *ops, void *ctx);

/*
 * Begin a backup. 0: ended() follows, once, and before it perhaps frozen(). Else nothing was
 * sent: -ENOTCONN, the guest does not run the service, or has not agreed yet; -EBUSY, a backup
 * is under way; -ENOTSUP, the agreed version cannot freeze (R-VSS-006); -EAGAIN, the guest takes
 * no requests at present, or a thaw is owed.
 */
int vss_vsp_freeze(struct vss_vsp *vsp, const struct vss_vsp_request *request, uint64_t now_ns);

/*
 * The copy is made, or nobody wants it any more: thaw, now or when the guest has answered to
 * freeze. Without a backup, thaw all the same: ended() follows (R-VSS-003). 0, or as above;
 * -EALREADY: it is being thawed.
 */
int vss_vsp_thaw(struct vss_vsp *vsp, uint64_t now_ns);

/* "idle", "checking", "freezing", "frozen", "thawing", "completing". */
const char *vss_state_name(enum vss_state state);

/* "done", "refused", "wrong answer", "no answer", "channel closed", "not sent", "given up". */
const char *vss_result_name(enum vss_result result);

#endif
