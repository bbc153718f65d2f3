// SPDX-License-Identifier: Apache-2.0
/*
 * Backups by command: the guest is frozen, its disks are made to hold all that it has written,
 * whoever asked copies them, and the guest is thawed, whatever happens meanwhile.
 *
 *	control command "backup" -> worker_backup.c -> vss_provider, worker_disk.c (flush)
 *
 * A client may hold the freeze: its going thaws the guest. So does the limit. When the worker ends,
 * its channel closes, and the guest thaws by itself (R-VSS-010).
 *
 * Threads: the worker's loop.
 */
#ifndef HOST_VMWP_WORKER_BACKUP_H
#define HOST_VMWP_WORKER_BACKUP_H

#include "host/vmwp/control.h"
#include "host/vsp/vss_provider.h"

struct worker;

struct worker_backup {
	struct vss_provider vss;
	struct control_ticket ticket; /* is_taken: a client waits for freeze, or for thaw */
	bool is_thawing;	      /* it waits for thaw */
	bool is_flushing;
	bool is_flush_stale; /* it has to be done again */
	uint64_t asker;	     /* connection that waits for freeze; 0: none */
	uint64_t holder;     /* connection whose end thaws; 0: none */
	uint64_t frozen_ns;  /* since when */
	uint64_t limit_s;
	/* How the last one ended, */
	bool has_report;
	bool is_untold; /* which nobody has been told */
	struct vss_report report;
};

/* Control command "backup". */
json_t *worker_backup_command(void *ctx, const struct control_backup *what,
	struct control_ticket *ticket, struct control_error *error);

/* A control connection has ended. */
void worker_backup_client_gone(void *ctx, uint64_t connection);

/* What the provider needs. `ctx` is the worker. */
void worker_backup_frozen(void *ctx);
void worker_backup_ended(void *ctx, const struct vss_report *report);

#endif
