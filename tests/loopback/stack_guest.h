// SPDX-License-Identifier: Apache-2.0
/*
 * A guest in this process, for tests of the whole stack: loopback platform, VMBus client,
 * storage controller.
 *
 *	static struct stack_guest guest;
 *	stack_guest_connect(&guest, host.guest_socket);
 *	stack_guest_open(&guest, 0);
 *	storage_controller_read(&guest.controller, stack_guest_lun(&guest, 0, 0), …);
 *	stack_guest_leave(&guest);
 */
#ifndef TESTS_LOOPBACK_STACK_GUEST_H
#define TESTS_LOOPBACK_STACK_GUEST_H

#include "guest/vsc/storage_controller.h"
#include "guest/winhv/platform_loopback_linux.h"

#define STACK_SLOTS   256u
#define STACK_WAIT_NS 20000000000ull

struct stack_guest {
	struct platform_loopback *platform;
	struct winhv hv;
	struct vmbus *bus;
	struct storage_controller controller;
	struct storage_vsc_slot slots[STACK_SLOTS];
	struct storage_vsc_lun luns[64];
	struct winhv_pages pages; /* 1 MiB for data */
	bool is_open;		  /* the controller */
};

/* Connect, negotiate VMBus. 0 or a negative error; on failure nothing is left. */
int stack_guest_connect(struct stack_guest *guest, const char *socket);
/* Open the storage controller with `sub_channels` and enumerate. */
int stack_guest_open(struct stack_guest *guest, unsigned sub_channels);
struct storage_vsc_lun *stack_guest_lun(struct stack_guest *guest, unsigned target, unsigned lun);
/* Close the controller if it is open; keeps the bus. */
int stack_guest_close(struct stack_guest *guest);
/* Close, UNLOAD, part. 0 if the host confirmed all of it. */
int stack_guest_leave(struct stack_guest *guest);
/* Part without a word, as a process that dies. */
void stack_guest_vanish(struct stack_guest *guest);

/* Now and STACK_WAIT_NS, in the bus's time. */
uint64_t stack_guest_deadline(const struct stack_guest *guest);

#endif
