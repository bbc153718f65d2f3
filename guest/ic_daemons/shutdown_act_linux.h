// SPDX-License-Identifier: Apache-2.0
/*
 * Powering off, restarting and hibernating a Linux machine in order: by systemd-logind on the
 * system's D-Bus, or by the programs that every init brings, without a shell.
 *
 *	shutdown_daemon_linux (helper process) -> shutdown_act_linux -> logind | /sbin/shutdown, …
 *
 * Threads: none of its own; blocks. Sources: org.freedesktop.login1(5), shutdown(8), sysfs's
 * power/state.
 */
#ifndef GUEST_IC_DAEMONS_SHUTDOWN_ACT_LINUX_H
#define GUEST_IC_DAEMONS_SHUTDOWN_ACT_LINUX_H

#include "protocol/shutdown.h"

#include <stdbool.h>
#include <stddef.h>

#define SHUTDOWN_ACT_WORDS 6u

struct shutdown_act_config {
	const char *root;   /* "" normally; where sbin/, usr/ and sys/ are looked for */
	bool has_no_logind; /* do not ask it */
	bool is_dry_run;    /* find a way, and do not go it */
};

/* Can this machine hibernate? (`root` as above.) */
bool shutdown_act_can_hibernate(const char *root);

/*
 * Which program does it: the words of its command, with room for SHUTDOWN_ACT_WORDS and the NULL.
 * `message` is borrowed. False: there is none.
 */
bool shutdown_act_program(const char *root, enum shutdown_action action, const char *message,
	const char *argv[SHUTDOWN_ACT_WORDS + 1]);

/*
 * Do it. `message` is for the users who are logged in. 0, with `how` saying which way (it may take
 * a moment until it comes true); a negative errno, with `how` saying what went wrong.
 */
int shutdown_act(const struct shutdown_act_config *config, enum shutdown_action action,
	const char *message, char *how, size_t how_bytes);

/* "power off", "restart", "hibernate". */
const char *shutdown_act_name(enum shutdown_action action);

#endif
