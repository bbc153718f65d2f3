// SPDX-License-Identifier: Apache-2.0
/*
 * A machine that runs on KVM: one partition, its backend, the devices that a guest needs to
 * boot, and the loader that puts a kernel into it. What else the guest is to have (the VMBus)
 * is added to its partition from outside, before machine_boot().
 *
 *	machine_create -> machine_boot -> running -+-> on_end
 *			      ^		           +-> on_reset (VPs parked, partition reset)
 *			      +---- the owner, once it has let go of guest memory
 *
 * Threads: all functions and callbacks are the loop thread's. Devices are reached from VP
 * threads too, each with a lock of its own.
 */
#ifndef HOST_MACHINE_MACHINE_H
#define HOST_MACHINE_MACHINE_H

#include "host/hypervisor/backend_kvm.h"
#include "host/hypervisor/partition.h"
#include "host/machine/boot.h"
#include "host/machine/console.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;

struct machine_config {
	const char *kernel;	  /* paths and text: borrowed for life */
	const char *initrd;	  /* or NULL */
	const char *command_line; /* or NULL */
	uint64_t memory_bytes;
	uint32_t vp_count;
	const struct enlightenments *enlightenments; /* NULL: all that works */
	struct console_config console;
	bool has_test_devices;
	const char *emulated_disk; /* image of an ATA disk, or NULL */
	bool is_emulated_disk_pio;
};

struct machine_callbacks {
	/*
	 * Poll `fd` for these poll(2) events, level-like, and call machine_on_ready(); 0 events:
	 * stop, the descriptor may be closed right after. 0 or a negative errno.
	 */
	int (*poll_set)(void *ctx, int fd, uint32_t events);
	/*
	 * The guest has asked for a reset; VPs are parked and the partition is as after
	 * power-on. Reply: machine_boot(), here or later, or machine_destroy(), later.
	 */
	void (*on_reset)(void *ctx);
	/* It has ended otherwise; VPs are parked. `detail` as in backend_kvm.h. */
	void (*on_end)(void *ctx, enum backend_kvm_stop stop, uint64_t detail);
	/* The person at the console wants to end. */
	void (*on_quit)(void *ctx);
	/* The guest said something by HvCallPostDebugData. Any bytes. */
	void (*on_debug_data)(void *ctx, const uint8_t *data, size_t bytes);
	void *ctx;
};

/* Make it, with VPs parked. 0, or a negative errno with one line in `error`. */
int machine_create(const struct machine_config *config, const struct machine_callbacks *callbacks,
	struct machine **out, char *error, size_t error_bytes);
/*
 * Take it apart; nobody uses the partition any more. If VPs did not come to rest, all stays
 * as it is, for the end of the process to clear away. NULL is nothing.
 */
void machine_destroy(struct machine *machine);

/*
 * Is there anything wrong with the kernel, the initrd, the command line? Needs no KVM: for a start
 * that fails anyway. 0, or a negative errno with one line in `error`. [any thread]
 */
int machine_files_check(const struct machine_config *config, char *error, size_t error_bytes);

/* Load the kernel and let the VPs run. 0, or a negative errno with one line in `error`. */
int machine_boot(struct machine *machine, char *error, size_t error_bytes);
/* Park the VPs for good. 0 or -ETIMEDOUT. */
int machine_stop(struct machine *machine);
/* A polled descriptor is ready. Unknown ones are ignored. */
void machine_on_ready(struct machine *machine, int fd, uint32_t events);

struct partition *machine_partition(struct machine *machine);

struct machine_statistics {
	uint64_t boots;
	struct backend_kvm_statistics backend;
	struct console_statistics console;
	uint64_t unclaimed; /* accesses to ports and addresses where no device is */
};
void machine_statistics_get(struct machine *machine, struct machine_statistics *out);

#endif
