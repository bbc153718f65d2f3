// SPDX-License-Identifier: Apache-2.0
/*
 * The clock and the battery-backed memory of a PC, as far as software that looks for them
 * needs: index and data port, the time of day (UTC, of the host), 114 bytes of memory. The
 * clock runs from the host's and cannot be set; it has no interrupts.
 *
 * Threads: any; one lock.
 *
 * Source: Motorola MC146818A data sheet.
 */
#ifndef HOST_MACHINE_CMOS_H
#define HOST_MACHINE_CMOS_H

#include "host/hypervisor/io_space.h"

#include <pthread.h>
#include <stdint.h>

#define CMOS_PORTS 2u
#define CMOS_BYTES 128u

struct cmos {
	pthread_mutex_t lock;
	/* Microseconds since 1970; NULL: the host's clock. */
	uint64_t (*now_us)(void *ctx);
	void *ctx;
	uint8_t index;
	uint8_t memory[CMOS_BYTES];
};

extern const struct io_device_ops cmos_ops; /* ctx is a struct cmos */

void cmos_init(struct cmos *cmos, uint64_t (*now_us)(void *ctx), void *ctx);
void cmos_destroy(struct cmos *cmos);
/* The index goes back to 0; the memory has a battery. */
void cmos_reset(struct cmos *cmos);

#endif
