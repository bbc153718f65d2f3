// SPDX-License-Identifier: Apache-2.0
/*
 * Who uses a device of the VMBus: disks of it that are mounted, swapped to, or part of
 * another device. Asked before a device is taken from its driver.
 *
 * Threads: none of its own. Sources: proc(5), sysfs(5), Documentation/ABI/testing/sysfs-block.
 */
#ifndef GUEST_TOOLS_VMBUS_USE_H
#define GUEST_TOOLS_VMBUS_USE_H

#include <stddef.h>

#define VMBUS_PROC_ROOT "/proc"

/*
 * Looks for a use of the device `name` (its name in sysfs) below the sysfs `root`, in the mounts
 * and swaps of `proc`. 1: it is used, and `use` says by what ("sda1 is mounted on /"), safe to
 * print. 0: it is not. Negative errno: that could not be found out.
 */
int vmbus_use_find(const char *root, const char *proc, const char *name, char *use, size_t bytes);

#endif
