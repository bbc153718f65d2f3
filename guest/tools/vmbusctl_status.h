// SPDX-License-Identifier: Apache-2.0
/*
 * vmbusctl status: each integration service, whether the host offers it, which driver has its
 * device, which daemon serves it, what that has done, and what to do where nobody serves it.
 *
 * A daemon leaves a JSON object in <run>/<stem>.json (guest/ic_daemons/daemon_status.c). It was
 * written by another user: it is read with a bound, and shown as text that cannot do anything.
 *
 * Threads: none of its own.
 */
#ifndef GUEST_TOOLS_VMBUSCTL_STATUS_H
#define GUEST_TOOLS_VMBUSCTL_STATUS_H

#include "guest/tools/vmbus_sysfs.h"

#include <jansson.h>
#include <stdio.h>

#define VMBUSCTL_STATUS_RUN "/run/viridian"

/* Where to look. */
struct vmbusctl_status_paths {
	const char *root; /* of sysfs */
	const char *proc;
	const char *run;
};

/*
 * An array with an object for each service, in a fixed order:
 *	"service"	stem: "kvp"
 *	"state"		"on", "off", or "absent" (the host does not offer it)
 *	"relid", "instance_id", "driver", "device"	null if there is none
 *	"served_by"	"hv_utils" (the kernel itself), name of the daemon, or null
 *	"pid"		of the daemon, or null
 *	"advice"	what is wrong and what to do, or null
 *	"daemon"	what the daemon's file says, or null; text in it is not made safe
 * The caller owns it; NULL without memory.
 */
json_t *vmbusctl_status_read(
	const struct vmbus_sysfs_list *list, const struct vmbusctl_status_paths *paths);

/* The same for people. */
void vmbusctl_status_print(FILE *out, const json_t *services);

#endif
