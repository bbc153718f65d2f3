// SPDX-License-Identifier: Apache-2.0
/*
 * The administrator's programs around a backup: those of vss.conf, and the scripts of its folder.
 * Before: the scripts in the order of their names, each with the argument "freeze", then what
 * "before" names. After: what "after" names, then the scripts with "thaw", last to first.
 *
 * Run without a shell, one at a time, each with a limit of time. A program that somebody else than
 * root (or this user) may change is not run, and is a failure.
 *
 * Threads: none; blocks.
 */
#ifndef GUEST_IC_DAEMONS_VSS_HOOKS_LINUX_H
#define GUEST_IC_DAEMONS_VSS_HOOKS_LINUX_H

#include "guest/ic_daemons/vss_config_linux.h"

#define VSS_HOOKS_SCRIPTS_MAX  64u
#define VSS_HOOKS_OUTPUT_BYTES 512u

struct vss_hooks_ops {
	/* As daemon_execute() of daemon.h. */
	int (*execute)(const char *const argv[], const char *const envp[], unsigned timeout_s,
		char *output, size_t output_max);
	/* What there is to say, by a priority of syslog.h. */
	void (*say)(void *ctx, int priority, const char *text);
	void *ctx;
};

/* Run those before. 0, or -ECANCELED as soon as one fails; why is said. */
int vss_hooks_before(const struct vss_config *config, const struct vss_hooks_ops *ops);

/* Run those after: all, whatever becomes of each. Returns how many failed. */
size_t vss_hooks_after(const struct vss_config *config, const struct vss_hooks_ops *ops);

/* Can only root (or this user) change what the path leads to? `what` gets why not, constant. */
bool vss_hook_is_trusted(const char *path, const char **what);

#endif
