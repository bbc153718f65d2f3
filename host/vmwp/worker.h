// SPDX-License-Identifier: Apache-2.0
/*
 * The worker: one process, one partition. Puts the pieces together, in this order, and
 * takes them apart in the reverse one:
 *
 *	event loop -> partition and what runs it (struct worker_backend) -> VMBus -> storage
 *	controllers with their disks, services -> control socket -> guest -> run
 *
 * A loopback guest that goes away (its process ends, or breaks the transport) resets the
 * bus; the partition then waits for the next guest. A guest on KVM that reboots does the
 * same, and is booted again. SIGTERM, SIGINT, SIGHUP, the control command "stop" and a
 * guest that powers off end the worker: the guest's devices are closed, I/O in flight is
 * finished and flushed, sockets are removed.
 *
 * Threads: one, and those of the backend.
 */
#ifndef HOST_VMWP_WORKER_H
#define HOST_VMWP_WORKER_H

#include "host/hypervisor/partition.h"
#include "host/vmbus/bus.h"
#include "host/vmwp/control_socket.h"
#include "host/vmwp/log.h"
#include "host/vmwp/loop.h"
#include "host/vmwp/options.h"
#include "host/vmwp/worker_crash.h"
#include "host/vmwp/worker_kvm.h"
#include "host/vmwp/worker_loopback.h"
#include "host/vmwp/worker_services.h"
#include "host/vsp/store.h"

#include <stdbool.h>
#include <stdint.h>

#define WORKER_DISKS_MAX 256u /* attached at once */

/* Exit statuses beside success, failure and wrong usage. */
#define WORKER_EXIT_CRASH	 3
#define WORKER_EXIT_TRIPLE_FAULT 4
#define WORKER_EXIT_REBOOT	 5

struct scsi_device;
struct storage_provider;
struct test_provider;
struct worker;

/* What runs the partition: one constant table for each backend. */
struct worker_backend {
	const char *name;
	/* Make worker->partition. 0, or -1 after a line in the log. */
	int (*create)(struct worker *worker);
	/* Everything is there: let the guest come, or start it. 0, or -1 after a line. */
	int (*start)(struct worker *worker);
	/* Part with the guest, for good; worker_bus_reset() follows here or from callbacks. */
	void (*stop)(struct worker *worker);
	/* Destroy backend and partition; the bus has gone. */
	void (*destroy)(struct worker *worker);
	/* Add members to the control commands' answers. */
	void (*status)(const struct worker *worker, json_t *object);
	void (*statistics)(const struct worker *worker, json_t *object);
};

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
	char *name;		    /* owned */
	struct scsi_device *device; /* the controller's until it is detached */
	struct store_request flush; /* in flight: is_flushing */
	bool is_flushing;
	bool is_closing; /* detached, but a flush is in flight */
};

struct worker {
	const struct options *options;
	const struct worker_backend *backend;
	bool has_backend; /* its create() was called */
	struct loop *loop;
	struct store_loop store_loop;
	struct partition *partition;
	struct worker_loopback loopback; /* of the two, the one in use */
	struct worker_kvm kvm;
	struct vmbus_bus *bus;
	struct storage_provider *controllers[OPTIONS_CONTROLLERS_MAX]; /* NULL: not offered */
	struct worker_disk disks[WORKER_DISKS_MAX];
	unsigned flushes; /* in flight, and one while they are being made */
	int flush_result;
	void (*flush_done)(struct worker *worker, int result);
	struct worker_services services;
	struct test_provider *test_devices; /* NULL: not offered */
	struct worker_crash crash;
	struct control_socket *control;
	struct control_worker control_worker;
	struct loop_source bus_source;
	struct loop_timer bus_timer; /* while a guest signals by monitor page */
	struct loop_timer stop_timer;
	int signal_fd;
	uint64_t started_ns;
	bool is_stopping;
	bool is_bus_resetting;
	void (*bus_reset_done)(struct worker *worker);
	int exit_status;
};

/* Run until told to end. Returns the exit status of the process. */
int worker_run(const struct options *options);

/* Begin the orderly end; the loop stops when all I/O is finished. The first status counts. */
void worker_stop(struct worker *worker, int exit_status);

/*
 * The guest has gone, or is about to be started anew: close its channels. `done` runs when
 * no I/O of it is left, perhaps at once, unless the worker ends meanwhile.
 */
void worker_bus_reset(struct worker *worker, void (*done)(struct worker *worker));

/*
 * Find an address on disk->controller for a disk that was given none: the lowest target that
 * nobody uses; on KVM disk->lun of target 0, or its lowest free LUN if that is 0, because Linux
 * looks for disks at targets 0 and 1 only. 0, or -1 if there is none.
 */
int worker_address_pick(struct worker *worker, struct disk_options *disk);

/*
 * Attach a disk or DVD at an address. 0, or -1 with one line for a person in `error`.
 * worker_detach(): the same; I/O in flight is finished before the image is closed.
 */
int worker_attach(
	struct worker *worker, const struct disk_options *disk, char *error, size_t error_bytes);
int worker_detach(struct worker *worker, unsigned controller, unsigned target, unsigned lun,
	char *error, size_t error_bytes);

/* The functions behind the control socket; worker_commands.c. */
extern const struct control_ops worker_control_ops;

/* Answers of the control commands "status" and "statistics"; worker_report.c. */
json_t *worker_status_json(const struct worker *worker);
json_t *worker_statistics_json(const struct worker *worker);

#endif
