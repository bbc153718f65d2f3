// SPDX-License-Identifier: Apache-2.0
/*
 * A real worker (vmwp, from this program's folder) as a child, and its guest in this
 * process: winhv over the loopback platform, the VMBus client, and storage controllers.
 *
 *	hvbench, processor 0			vmwp, processor 1
 *	  guest  ->  storage_controller  ->  winhv  <->  partition  ->  storage VSP  ->  image
 *
 * Messages for people go to stderr from here. One thread.
 */
#ifndef TESTS_PERFORMANCE_GUEST_H
#define TESTS_PERFORMANCE_GUEST_H

#include "guest/vmbus/synic_bus.h"
#include "guest/vsc/storage_controller.h"
#include "guest/winhv/platform_loopback_linux.h"
#include "tests/performance/load.h"
#include "tests/performance/sandbox.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define GUEST_WORKER_OPTIONS_MAX 16u
#define GUEST_SLOTS		 256u
#define GUEST_CONTROLLERS_MAX	 4u
#define GUEST_DEADLINE_100NS	 100000000u /* 10 s, for whatever is waited for */

struct guest_worker {
	pid_t pid; /* 0: none */
	char socket[SANDBOX_PATH_BYTES];
	char log[SANDBOX_PATH_BYTES];
};

/*
 * Start `vmwp run --guest … options`; options ended by NULL. `number` names its files in
 * the sandbox. 0, or -1 after a message.
 */
int guest_worker_start(struct guest_worker *worker, const struct sandbox *sandbox, unsigned number,
	const char *const options[]);
/* SIGTERM only, so that the ends of many overlap; then guest_worker_stop(). */
void guest_worker_signal(const struct guest_worker *worker);
void guest_worker_stop(struct guest_worker *worker);

struct guest_controller {
	struct storage_controller controller;
	struct storage_vsc_slot slots[GUEST_SLOTS];
	struct storage_vsc_lun luns[2];
};

struct guest {
	struct platform_loopback *loopback;
	struct winhv hv;
	struct vmbus *bus;					     /* owned */
	struct guest_controller *controllers[GUEST_CONTROLLERS_MAX]; /* owned; NULL: closed */
	struct winhv_pages data; /* for requests; empty until guest_data_get() */
	bool is_hypercall_enabled, is_connected;
};

/*
 * Connect to the worker and its bus, waiting for it if it is just starting. 0, or -1 after
 * a message, with nothing left open.
 */
int guest_connect(struct guest *guest, const struct guest_worker *worker);
/* Close everything in order. */
void guest_disconnect(struct guest *guest);

/* Open controller `index` with that many channels. Ring bytes 0: the usual ones. 0 or -1. */
int guest_controller_open(
	struct guest *guest, unsigned index, unsigned channels, uint32_t ring_bytes);
/* Enumerate and return the LUN at target 0; NULL after a message. */
struct storage_vsc_lun *guest_lun_find(struct guest *guest, unsigned index);

/* Run a load on the disk of controller 0: the rate (load_rate()), or -1 after a message. */
double guest_run(struct guest *guest, struct storage_vsc_lun *lun, const struct load *load);

/* Absolute deadline for calls that wait. */
static inline uint64_t guest_deadline(const struct guest *guest)
{
	return winhv_time_100ns(&guest->hv) + GUEST_DEADLINE_100NS;
}

#endif
