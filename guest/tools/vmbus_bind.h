// SPDX-License-Identifier: Apache-2.0
/*
 * Gives a device of the VMBus to another driver, or takes it from its driver, through the
 * kernel's files:
 *
 *	<root>/bus/vmbus/devices/<name>/driver_override	the one driver that may have it
 *	<root>/bus/vmbus/drivers/<driver>/bind, unbind	<name>
 *	<root>/bus/vmbus/drivers/<driver>/new_id	a class, where there is no override
 *	<root>/bus/vmbus/drivers_probe			<name>: whoever wants it
 *
 * What was done is looked at afterwards, and undone as far as possible if it was not what was
 * asked for. Every failure has a sentence that says what to do.
 *
 * Threads: none of its own.
 * Sources: Documentation/ABI/testing/sysfs-bus-vmbus,
 *Documentation/driver-api/driver-model/binding.
 */
#ifndef GUEST_TOOLS_VMBUS_BIND_H
#define GUEST_TOOLS_VMBUS_BIND_H

#include "guest/tools/vmbus_sysfs.h"

#define VMBUS_BIND_WHY_BYTES 1024u

/* Writes a text to a file of sysfs: 0, or the negative errno that the kernel answered. */
typedef int vmbus_bind_write(void *ctx, const char *path, const char *text);

struct vmbus_bind {
	const char *root;   /* of sysfs */
	const char *proc;   /* for mounts and swaps */
	const char *device; /* as a person names it; see vmbus_bind_find() */
	const char *driver; /* NULL: the one that the kernel chooses (or none, to unbind) */
	bool is_forced;	    /* even if something uses it */
	bool is_if_free;    /* only if no driver has it yet */
	vmbus_bind_write *write;
	void *write_ctx;
};

/* The vmbus_bind_write of real files; `ctx` is not used. */
int vmbus_bind_write_file(void *ctx, const char *path, const char *text);

/*
 * The device that a person means: instance GUID (with or without braces), relid, name in sysfs,
 * or the name of a class that has one device. NULL, and `why` says which could be meant.
 */
const struct vmbus_sysfs_device *vmbus_bind_find(
	const struct vmbus_sysfs_list *list, const char *text, char why[VMBUS_BIND_WHY_BYTES]);

/*
 * Both: 0, and `why` says in a sentence what was done; or a negative errno, and `why` says what was
 * not and what to do: -ENODEV no such device or driver, -EBUSY it is used, else the kernel's.
 * -ENOENT if the tree has no VMBus (`why` is empty).
 */
int vmbus_bind(const struct vmbus_bind *request, char why[VMBUS_BIND_WHY_BYTES]);
int vmbus_unbind(const struct vmbus_bind *request, char why[VMBUS_BIND_WHY_BYTES]);

#endif
