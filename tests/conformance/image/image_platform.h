// SPDX-License-Identifier: Apache-2.0
/*
 * winhv's platform for the tests in the bare-metal image: one struct winhv on the boot VP
 * that reaches all VPs, calls that may fault, pages that all come back, and registers that
 * have after a test the values which they had before it.
 *
 *	host_<area>.c -> struct winhv -> image_platform_ops -> platform_bare_ops of each VP
 *
 * Threads: the boot VP. Interrupts may come on any VP.
 */
#ifndef TESTS_CONFORMANCE_IMAGE_IMAGE_PLATFORM_H
#define TESTS_CONFORMANCE_IMAGE_IMAGE_PLATFORM_H

#include "guest/winhv/bare/bare.h"

struct conform_machine; /* tests/conformance/conform.h */

extern const struct winhv_platform_ops image_platform_ops;
extern const struct conform_machine image_machine;

/* Once, before all else: memory for tests, interrupts of all SINTs. */
void image_platform_init(void);
/* Before each test: all memory is free. */
void image_platform_begin(void);
/*
 * After each test: the registers that it wrote get back what they had. NULL, or what could
 * not be undone, and needs a reset of the machine.
 */
const char *image_platform_end(void);

#endif
