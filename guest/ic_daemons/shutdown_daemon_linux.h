// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-shutdown's component: powers off, restarts or hibernates this machine when the host asks.
 *
 *	host <-> daemon.h <-> shutdown_ic -> order -> helper process: hooks, then shutdown_act_linux
 *
 * The daemon itself can do nothing but answer. Acting is left to the helper, which knows three
 * acts and the hooks of the command line, and gets from the daemon which act, and a text for
 * people.
 *
 * The guest of a loopback partition is no machine but this process: there the act is its end.
 *
 * Threads: the daemon's loop.
 */
#ifndef GUEST_IC_DAEMONS_SHUTDOWN_DAEMON_LINUX_H
#define GUEST_IC_DAEMONS_SHUTDOWN_DAEMON_LINUX_H

#include "guest/ic_daemons/daemon.h"
#include "guest/ic_daemons/shutdown_act_linux.h"
#include "guest/ic_daemons/shutdown_ic.h"

#define SHUTDOWN_HOOKS_MAX 8u

struct shutdown_daemon {
	struct shutdown_ic ic;
	struct daemon *daemon;
	struct shutdown_act_config act;
	unsigned allowed; /* SHUTDOWN_IC_CAN() of the command line */
	const char *hooks[SHUTDOWN_HOOKS_MAX];
	unsigned hook_count;
	unsigned hook_timeout_s;
	bool is_acting;
	uint64_t done, failed;
	char last[160]; /* what became of the last order */
};

/* Fill in both. They must not move afterwards. */
void shutdown_daemon_init(struct shutdown_daemon *shutdown, struct daemon_component *component);

/*
 * What users and the journal are told: "the host asks for restart (forced): TEXT", with what is
 * not printable ASCII replaced.
 */
void shutdown_order_describe(const struct shutdown_order *order, char *out, size_t bytes);

#endif
