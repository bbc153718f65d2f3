// SPDX-License-Identifier: Apache-2.0
/*
 * The worker's disks: from an option or a control command to a store, a SCSI device and
 * an address on a controller, and back. A controller is offered when its first disk is
 * attached.
 *
 * Threads: the worker's loop.
 */
#ifndef HOST_VMWP_WORKER_DISK_H
#define HOST_VMWP_WORKER_DISK_H

#include "host/vmwp/worker.h"

/* Prepare the way that file stores reach the loop. After the loop was made. */
void worker_store_loop_init(struct worker *worker);

/* Could this disk be attached, for what is known of its file? 0, or -1 with one line in `error`. */
int worker_disk_check(
	struct worker *worker, const struct disk_options *options, char *error, size_t error_bytes);

/* True if no device is attached, nor any of them closing. */
bool worker_disks_are_idle(const struct worker *worker);

/*
 * Make durable in each image what the guest has written, as far as the disk's requests have
 * completed. `done` runs once, perhaps at once, with 0 or the first negative errno. One at a time.
 */
void worker_disks_flush(struct worker *worker, void (*done)(struct worker *worker, int result));

/* Detach everything; `done` runs each time that one has been closed. */
void worker_disks_detach_all(struct worker *worker, void (*done)(struct worker *worker));

/* Take the controllers back and free them; the bus is idle and all disks are detached, or the
 * worker never ran. */
void worker_controllers_destroy(struct worker *worker);

#endif
