// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-heartbeat's component: answers the host's heartbeats, and says how the applications of the
 * guest are, if somebody tells it: by an option, or by a file that is read whenever it changes.
 *
 *	host <-> daemon.h <-> heartbeat_ic <- application state <- heartbeat_daemon_linux <- file
 *
 * Threads: the daemon's loop.
 */
#ifndef GUEST_IC_DAEMONS_HEARTBEAT_DAEMON_LINUX_H
#define GUEST_IC_DAEMONS_HEARTBEAT_DAEMON_LINUX_H

#include "guest/ic_daemons/daemon.h"
#include "guest/ic_daemons/heartbeat_ic.h"

struct heartbeat_daemon {
	struct heartbeat_ic ic;
	uint32_t state;	  /* where there is no file, or none that makes sense */
	const char *file; /* --state-file, or NULL */
	const char *name; /* its last part */
	int dir_fd;
	struct daemon_watch watch; /* inotify, on the directory */
	bool is_odd;		   /* the file makes no sense; complained about */
};

/* Fill in both. They must not move afterwards. */
void heartbeat_daemon_init(struct heartbeat_daemon *heartbeat, struct daemon_component *component);

/* "unknown", "healthy", "critical", "stopped", or its number. False: none of them. */
bool heartbeat_state_parse(const char *text, uint32_t *out);

#endif
