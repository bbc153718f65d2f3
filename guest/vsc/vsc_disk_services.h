// SPDX-License-Identifier: Apache-2.0
/*
 * vsc-disk's integration services: answers heartbeats, ends in order when the host asks for
 * power off, and compares the host's clock with this machine's (whose clock is not its own to
 * set: a loopback guest is a process).
 *
 *	vsc_disk_guest.c <-> vsc_disk_services.c <-> ic_channel.h, *_ic.h
 *
 * Threads: vsc-disk's one.
 */
#ifndef GUEST_VSC_VSC_DISK_SERVICES_H
#define GUEST_VSC_VSC_DISK_SERVICES_H

#include "guest/ic_daemons/heartbeat_ic.h"
#include "guest/ic_daemons/ic_channel.h"
#include "guest/ic_daemons/shutdown_ic.h"
#include "guest/ic_daemons/timesync_ic.h"

#define DISK_SERVICES 3u

struct disk_services {
	const struct winhv *hv; /* borrowed while open */
	struct heartbeat_ic heartbeat;
	struct shutdown_ic shutdown;
	struct timesync_ic timesync;
	int64_t clock_offset_100ns; /* host's clock less ours, when last told */
	struct ic_channel channels[DISK_SERVICES];
	bool is_open[DISK_SERVICES];
};

/* Open those that the host offers; `each_100ns`: the time that one may take. */
void disk_services_open(struct disk_services *services, struct vmbus *bus, const struct winhv *hv,
	uint64_t each_100ns);

/* Close what the host took away. Outside of callbacks. */
void disk_services_serve(struct disk_services *services, uint64_t each_100ns);

void disk_services_close(struct disk_services *services, uint64_t each_100ns);

/* Has the host asked for the guest's end? Says so in the log, once. */
bool disk_services_want_end(struct disk_services *services);

#endif
