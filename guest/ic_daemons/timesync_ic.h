// SPDX-License-Identifier: Apache-2.0
/*
 * Time synchronisation, guest side: makes of each message what the time of day is now, by
 * the partition's reference time where the message has it, and hands it to its owner, who
 * may ask time_policy.h what to do about it.
 *
 *	host -> ic_channel -> ic_guest -> timesync_ic -> ops->sample -> time_policy
 *
 * A message that makes no sense reaches the owner as nothing: see timesync.md, section 5.
 *
 * Threads: none of its own; one owner. Rules: R-IC-022 to R-IC-026, R-TIME-101 to R-TIME-118.
 */
#ifndef GUEST_IC_DAEMONS_TIMESYNC_IC_H
#define GUEST_IC_DAEMONS_TIMESYNC_IC_H

#include "guest/ic_daemons/ic_guest.h"
#include "protocol/timesync.h"

/* What the host's clock says now, as far as can be told. */
struct timesync_sample {
	uint64_t utc_100ns;	  /* as timesync.h counts, at reference time … */
	uint64_t reference_100ns; /* … this one: the moment of the call */
	bool is_sync;		  /* the clock is to be set; else it is for information */
	bool is_exact;		  /* false: late by the way that the message took */
	uint8_t leap;		  /* enum timesync_leap */
	uint8_t stratum;	  /* 0: not stated */
};

struct timesync_ic_ops {
	/* The partition's reference time, 100 ns. */
	uint64_t (*reference_100ns)(void *ctx);
	/*
	 * Instead of it, for a guest that cannot read it but has an idea: what it is now, given
	 * that it was `message_100ns` (not 0) when the message was sent. May be NULL.
	 */
	uint64_t (*reference_since)(void *ctx, uint64_t message_100ns);
	/* A message that tells the time. `sample` is borrowed during the call. */
	void (*sample)(void *ctx, const struct timesync_sample *sample);
};

struct timesync_ic {
	struct ic_guest ic;
	const struct timesync_ic_ops *ops; /* borrowed, constant */
	void *ctx;			   /* borrowed; handed to ops */
	uint64_t syncs;			   /* handed over, likewise samples */
	uint64_t samples;
	uint64_t probes;  /* messages that tell nothing */
	uint64_t inexact; /* without a reference time that makes sense */
	uint64_t stale;	  /* older than TIMESYNC_STALE_S; not handed over */
	uint64_t refused; /* with a time of day that is none, or a body that is too short */
};

/* Ready for a channel to open. `timesync` must not move afterwards. */
void timesync_ic_init(struct timesync_ic *timesync, const struct timesync_ic_ops *ops, void *ctx);

/* The component's row. */
extern const struct ic_guest_service timesync_ic_service;

#endif
