// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-timesync's component: keeps this machine's clock by its host's, or, where another program
 * keeps it, offers that program the host's clock and sets nothing.
 *
 *	host <-> daemon.h <-> timesync_ic -> sample --+-> time_shm_linux -> chronyd, ntpd
 *	                                              +-> time_policy -> time_clock_linux
 *
 * The guest of a loopback partition is no machine but this process, and the clock is not its own:
 * there nothing is ever set.
 *
 * Threads: the daemon's loop.
 */
#ifndef GUEST_IC_DAEMONS_TIMESYNC_DAEMON_LINUX_H
#define GUEST_IC_DAEMONS_TIMESYNC_DAEMON_LINUX_H

#include "guest/ic_daemons/daemon.h"
#include "guest/ic_daemons/time_clock_linux.h"
#include "guest/ic_daemons/time_policy.h"
#include "guest/ic_daemons/time_reference.h"
#include "guest/ic_daemons/time_shm_linux.h"
#include "guest/ic_daemons/timesync_ic.h"

/* Who keeps the clock. */
enum timesync_set {
	TIMESYNC_SET_AUTO,   /* we do, unless another does */
	TIMESYNC_SET_ALWAYS, /* --set-anyway */
	TIMESYNC_SET_NEVER,  /* --no-set */
};

struct timesync_daemon {
	struct timesync_ic ic;
	struct time_policy policy;
	struct time_policy_config config;
	struct time_clock clock;
	struct time_shm shm;
	struct time_reference reference; /* where the transport does not tell the time */
	struct daemon *daemon;
	uint64_t looked_ms; /* when other keepers of the clock were looked for */
	const char *proc;   /* "/proc" but in tests */
	const char *other;  /* who else keeps the clock; NULL: nobody */
	enum timesync_set set;
	bool has_shm;
	unsigned shm_unit;
	bool is_process;      /* on a loopback partition */
	int complained_errno; /* of the clock, said once */
	uint64_t not_set;     /* orders that were not carried out because of the above */
	struct time_policy_order last;
};

/* Fill in both. They must not move afterwards. */
void timesync_daemon_init(struct timesync_daemon *timesync, struct daemon_component *component);

#endif
