// SPDX-License-Identifier: Apache-2.0
/*
 * Time synchronisation, host side: tells the guest the time of day, to be set (SYNC) at the
 * start and after whatever may have left the guest behind, and to be noted (SAMPLE) once
 * each period.
 *
 *	owner (timesync_provider.c on a VMBus, or a test)
 *	   |  timesync_vsp_request()		^  ops: send, failed, read, done
 *	timesync_vsp	this file: when to tell what
 *	   |
 *	ic_session	negotiation, deadlines; driven by ic_session_on_*() on `session`
 *
 * A sans-I/O state machine. The clock that it tells of is behind ops->read; it notices by
 * itself that this clock was set, and that its own time has stood still (R-TIME-107).
 *
 * Threads: none of its own; one owner. Rules: R-IC-022 to R-IC-026, R-TIME-101 to R-TIME-118.
 */
#ifndef HOST_VSP_TIMESYNC_VSP_H
#define HOST_VSP_TIMESYNC_VSP_H

#include "host/vsp/ic_session.h"
#include "protocol/timesync.h"

#define TIMESYNC_VSP_ANSWER_NS	5000000000ull /* wait for an answer */
#define TIMESYNC_VSP_STEP_100NS 1000000ull    /* 100 ms: no clock drifts so far in a period */
#define TIMESYNC_VSP_LATE_NS	2000000000ull /* no loop is so late, unless it was stopped */

/* What the time was at one moment, by both clocks. */
struct timesync_reading {
	uint64_t utc_100ns;	  /* of the host, as timesync.h counts */
	uint64_t reference_100ns; /* of the partition: what the guest's own clock says */
	uint8_t leap;		  /* enum timesync_leap */
	uint8_t stratum;	  /* 0: not known */
};

/* How a request of the owner's ended. */
enum timesync_result {
	TIMESYNC_TAKEN,
	TIMESYNC_REFUSED, /* with a status */
	TIMESYNC_NO_ANSWER,
	TIMESYNC_CLOSED, /* the channel closed first */
};

struct timesync_vsp_config {
	uint64_t period_ns; /* of samples; 0: TIMESYNC_PERIOD_MS */
};

/* Outputs; see ic_session.h for the first two. */
struct timesync_vsp_ops {
	struct ic_session_ops session;
	/* Read both clocks, one right after the other. */
	void (*read)(void *ctx, struct timesync_reading *out);
	/* A request of timesync_vsp_request() is over. `status`: of TIMESYNC_REFUSED. */
	void (*done)(void *ctx, enum timesync_result result, uint32_t status);
};

struct timesync_vsp {
	struct ic_session session; /* read it for status */
	struct timesync_vsp_config config;
	const struct timesync_vsp_ops *ops;
	void *ctx;
	uint64_t tick_ns;    /* when the next sample is due */
	bool is_sync_wanted; /* the next message is to have SYNC */
	bool is_sync_owed;   /* the outstanding one has, and it was wanted: until it is taken */
	bool is_asked;	     /* the owner waits for done() */
	bool is_asked_sync;  /* for a message with SYNC */
	bool is_asked_sent;  /* and that is outstanding */
	bool has_base;	     /* base_100ns is valid */
	uint64_t base_100ns; /* host's time less reference time, modulo 2^64, when last read */
	/* Since init; they survive reopening. */
	uint64_t syncs; /* sent, likewise samples */
	uint64_t samples;
	uint64_t taken;	  /* answered with success */
	uint64_t refused; /* with another status */
	uint64_t steps;	  /* the host's clock was set */
	uint64_t pauses;  /* its time has stood still */
	uint32_t last_status;
};

/* Closed. `config` is copied, NULL means the default. `ops` is borrowed. */
void timesync_vsp_init(struct timesync_vsp *vsp, const struct timesync_vsp_config *config,
	const struct timesync_vsp_ops *ops, void *ctx);

/*
 * Tell the guest the time now, with SYNC or as a sample. 0: done() follows, once. Else nothing
 * was begun: -ENOTCONN, the guest does not run the service, or has not agreed yet; -EBUSY, a
 * request is under way; -EAGAIN, the guest takes no messages at present.
 */
int timesync_vsp_request(struct timesync_vsp *vsp, bool is_sync, uint64_t now_ns);

/* "taken", "refused", "no answer", "channel closed". */
const char *timesync_result_name(enum timesync_result result);

#endif
