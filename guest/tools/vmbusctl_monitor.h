// SPDX-License-Identifier: Apache-2.0
/* vmbusctl list --monitor: what happens to VMBus devices, and their rings, as it goes on. */
#ifndef GUEST_TOOLS_VMBUSCTL_MONITOR_H
#define GUEST_TOOLS_VMBUSCTL_MONITOR_H

#include "guest/tools/vmbusctl_options.h"

/*
 * Print until SIGINT or SIGTERM, or options->count looks at the rings. Returns 0, or a negative
 * errno after one line on stderr. -ENOENT, with no line: there is no VMBus.
 */
int vmbusctl_monitor(const struct vmbusctl_options *options);

#endif
