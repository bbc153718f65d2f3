// SPDX-License-Identifier: Apache-2.0
/*
 * The worker: one process, one partition. Puts the pieces together, in this order, and
 * takes them apart in the reverse one:
 *
 *	event loop -> partition -> loopback backend -> VMBus -> storage controllers with
 *	their disks, heartbeat -> control socket -> run
 *
 * A guest that goes away (its process ends, or breaks the transport) resets the bus; the
 * partition then waits for the next guest. SIGTERM, SIGINT and the control command
 * "shutdown" end the worker: the guest's devices are closed, I/O in flight is finished
 * and flushed, sockets are removed.
 *
 * Threads: one.
 */
#ifndef HOST_VMWP_WORKER_H
#define HOST_VMWP_WORKER_H

#include "host/hypervisor/backend_loopback.h"
#include "host/hypervisor/partition.h"
#include "host/vmbus/bus.h"
#include "host/vmwp/control_socket.h"
#include "host/vmwp/log.h"
#include "host/vmwp/loop.h"
#include "host/vmwp/options.h"
#include "host/vsp/heartbeat_provider.h"
#include "host/vsp/store.h"

#include <stdbool.h>
#include <stdint.h>

#define WORKER_DISKS_MAX 256u /* attached at once */

struct storage_provider;
struct worker;

/* What the worker knows about one attached LUN, for status and detach. */
struct worker_disk {
	struct worker *worker;
	bool is_used;
	bool is_detaching;
	void (*detached)(struct worker *worker); /* when it is closed; or NULL */
	unsigned controller, target, lun;
	enum disk_kind kind;
	bool is_read_only;
	uint64_t bytes;
	char *name; /* owned */
};

struct worker {
	const struct options *options;
	struct loop *loop;
	struct store_loop store_loop;
	struct partition *partition;
	struct backend_loopback *backend;
	struct vmbus_bus *bus;
	struct storage_provider *controllers[OPTIONS_CONTROLLERS_MAX]; /* NULL: not offered */
	struct worker_disk disks[WORKER_DISKS_MAX];
	struct heartbeat_provider heartbeat;
	struct loop_timer heartbeat_timer;
	bool has_heartbeat;
	struct control_socket *control;
	struct control_worker control_worker;
	struct loop_source backend_source, bus_source;
	struct loop_timer stop_timer;
	int signal_fd;
	uint64_t guests; /* that have connected */
	/* of what a guest can make us say as often as it likes */
	struct log_limit connected_limit, gone_limit, heartbeat_limit;
	uint64_t started_ns;
	bool is_stopping;
	bool is_bus_resetting;
	int exit_status;
};

/* Run until told to end. Returns the exit status of the process. */
int worker_run(const struct options *options);

/* Begin the orderly end; the loop stops when all I/O is finished. */
void worker_stop(struct worker *worker, int exit_status);

/*
 * Attach a disk or DVD at an address. 0, or -1 with one line for a person in `error`.
 * worker_detach(): the same; I/O in flight is finished before the image is closed.
 */
int worker_attach(
	struct worker *worker, const struct disk_options *disk, char *error, size_t error_bytes);
int worker_detach(struct worker *worker, unsigned controller, unsigned target, unsigned lun,
	char *error, size_t error_bytes);

/* The functions behind the control socket; worker_control.c. */
extern const struct control_ops worker_control_ops;

#endif
