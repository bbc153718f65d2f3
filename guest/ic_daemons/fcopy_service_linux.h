// SPDX-License-Identifier: Apache-2.0
/*
 * The daemon's component for files that the host copies into this guest: all but main().
 *
 *	daemon.h (packets)	daemon.h (records)
 *	     |			     |
 *	fcopy_ic	<-	fcopy_device_linux
 *	     |
 *	fcopy_job_linux -> fcopy_file_linux
 *
 * Threads: the loop's, and one at a time of fcopy_job's.
 */
#ifndef GUEST_IC_DAEMONS_FCOPY_SERVICE_LINUX_H
#define GUEST_IC_DAEMONS_FCOPY_SERVICE_LINUX_H

#include "guest/ic_daemons/daemon.h"
#include "guest/ic_daemons/fcopy_job_linux.h"

struct fcopy_service {
	struct fcopy_ic ic;
	struct fcopy_job job; /* ctx of the core's operations */
	struct fcopy_file_config config;
	const char *config_path; /* of --config; NULL: the usual one; borrowed, like record */
	const char *record;
	bool has_mode;
	mode_t mode;
	uint32_t kernel_version; /* that the kernel's device said; 0: none */
	struct daemon_component component;
};

/*
 * Fill in `service`, its component included, which is then for daemon_main() or daemon_create().
 * It must not move. 0 or -ENOMEM. The component's stop() frees what it holds.
 */
int fcopy_service_init(struct fcopy_service *service);

#endif
