// SPDX-License-Identifier: Apache-2.0
/*
 * The worker's virtual machine: struct machine on the event loop, its console, and what its
 * end means for the worker.
 *
 * Threads: the worker's loop.
 */
#ifndef HOST_VMWP_WORKER_KVM_H
#define HOST_VMWP_WORKER_KVM_H

#include "host/machine/machine.h"
#include "host/vmwp/control_listen.h"
#include "host/vmwp/log.h"

struct worker_backend;

struct worker_kvm {
	struct machine *machine;
	struct control_listener serial_listener; /* fd -1: none */
	int serial_fd;				 /* owned: of --serial file:, or -1 */
	struct log_limit debug_limit, reset_limit;
};

extern const struct worker_backend worker_backend_kvm;

#endif
