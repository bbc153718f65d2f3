// SPDX-License-Identifier: Apache-2.0
/*
 * The registers by which a guest on hardware-reduced ACPI powers off and resets: sleep
 * control, sleep status, reset. The FADT names them (layout.h has the ports).
 *
 * Threads: any; no state that needs a lock.
 *
 * Source: ACPI 6.4, sections 4.8.3.7 (sleep registers) and 4.8.3.6 (reset register).
 */
#ifndef HOST_MACHINE_POWER_H
#define HOST_MACHINE_POWER_H

#include "host/hypervisor/io_space.h"

#define POWER_SLEEP_PORTS    2u /* control, status */
#define POWER_RESET_PORTS    1u
#define POWER_SLEEP_TYPE_OFF 5u /* what \_S5 names */

/* The guest asks for it; called on VP threads. */
struct power {
	void (*off)(void *ctx);
	void (*reset)(void *ctx);
	void *ctx;
};

extern const struct io_device_ops power_sleep_ops; /* ctx: a struct power */
extern const struct io_device_ops power_reset_ops; /* ctx: a struct power */

#endif
