// SPDX-License-Identifier: Apache-2.0
/*
 * What vmic-vss does besides serving: say what it would freeze, and thaw in an emergency.
 *
 * Threads: none.
 */
#ifndef GUEST_IC_DAEMONS_VSS_SHOW_LINUX_H
#define GUEST_IC_DAEMONS_VSS_SHOW_LINUX_H

#include "guest/ic_daemons/vss_keeper_linux.h"

#include <stdio.h>

/* A table of all mounts: order, mount, type, decision, reason. Returns the exit status. */
int vss_show_plan(
	FILE *out, const struct vss_keeper_options *options, const struct vss_keeper_ops *ops);

/*
 * Thaw every file system that could be frozen, whoever froze it; the configuration is not looked
 * at. Says nothing before all is done. Returns the exit status.
 */
int vss_show_thaw_all(
	FILE *out, const struct vss_keeper_options *options, const struct vss_keeper_ops *ops);

#endif
