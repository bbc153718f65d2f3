// SPDX-License-Identifier: Apache-2.0
/*
 * The device by which test kernels try out a SynIC: a 32-bit port, at which a VP asks for
 * interrupts of SINTs, and for connections whose messages and events come back to a SINT.
 *
 *	bits 7..0	SINT
 *	bits 15..8	VP index
 *	bits 23..16	command (enum synic_test_command)
 *	bits 31..24	connection id
 *
 * Reads give 0; what makes no sense is ignored.
 *
 * Threads: the port may be written on any; ports of a partition belong to the loop thread, so
 * the writer waits, at most SYNIC_TEST_WAIT_MS, until synic_test_device_run() has done what
 * it asked for: connections exist when its OUT is over.
 */
#ifndef HOST_MACHINE_SYNIC_TEST_DEVICE_H
#define HOST_MACHINE_SYNIC_TEST_DEVICE_H

#include "host/hypervisor/io_space.h"
#include "host/hypervisor/partition.h"

#define SYNIC_TEST_PORTS   4u
#define SYNIC_TEST_WAIT_MS 1000u

enum synic_test_command {
	SYNIC_TEST_SINT_ROUTE_CREATE = 1, /* (VP, SINT) may be raised */
	SYNIC_TEST_SINT_ROUTE_DESTROY = 2,
	SYNIC_TEST_SINT_ROUTE_SET_SINT = 3,  /* raise it */
	SYNIC_TEST_MESSAGE_CONN_CREATE = 4,  /* messages to the id are posted to (VP, SINT) */
	SYNIC_TEST_MESSAGE_CONN_DESTROY = 5, /* by id */
	SYNIC_TEST_EVENT_CONN_CREATE = 6,    /* signals to the id set flag `id` of (VP, SINT) */
	SYNIC_TEST_EVENT_CONN_DESTROY = 7,   /* by id */
};

struct synic_test_device;

extern const struct io_device_ops synic_test_device_ops; /* ctx: the device */

/*
 * `wake` is called when synic_test_device_run() is wanted, on the thread that wrote. 0 or
 * -ENOMEM.
 */
int synic_test_device_create(struct partition *partition, void (*wake)(void *ctx), void *ctx,
	struct synic_test_device **out);
/* Takes its ports back. NULL is nothing. */
void synic_test_device_destroy(struct synic_test_device *device);

/* Do what was asked for. Loop thread. */
void synic_test_device_run(struct synic_test_device *device);
/* Forget all routes and connections. Loop thread. */
void synic_test_device_reset(struct synic_test_device *device);
/* Writers wait no more: the loop is about to wait for them. Until synic_test_device_reset(). */
void synic_test_device_release(struct synic_test_device *device);

#endif
