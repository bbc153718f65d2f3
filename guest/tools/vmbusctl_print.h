// SPDX-License-Identifier: Apache-2.0
/*
 * How vmbusctl shows what it has read: the formats of lsvmbus, the long form, tables of
 * channels, and JSON. Everything that comes from outside is made safe to print.
 */
#ifndef GUEST_TOOLS_VMBUSCTL_PRINT_H
#define GUEST_TOOLS_VMBUSCTL_PRINT_H

#include "guest/tools/vmbus_sysfs.h"

#include <jansson.h>
#include <stdio.h>

/* What happened to a device, or is so: a row of --monitor. Strings are borrowed. */
struct vmbusctl_event {
	const char *action;	     /* "add", "bind", …, "present" */
	const char *name;	     /* of the device */
	const struct guid *class_id; /* NULL: not told */
	const char *driver;	     /* NULL or empty: none, or not told */
	const char *channel; /* relid of the subchannel that this is about; NULL: the device */
};

/* As lsvmbus prints them, with that many -v. */
void vmbusctl_print_plain(
	FILE *out, const struct vmbus_sysfs_list *list, const char *root, unsigned verbosity);
/* Everything, a paragraph a device. */
void vmbusctl_print_long(FILE *out, const struct vmbus_sysfs_list *list);
/* One table of all channels; counters with what was added since `before` (may be empty). */
void vmbusctl_print_rings(FILE *out, const struct vmbus_sysfs_list *list,
	const struct vmbus_sysfs_list *before, const char *time);
void vmbusctl_print_event(FILE *out, const struct vmbusctl_event *event, const char *time);

/* The caller owns them; NULL without memory. */
json_t *vmbusctl_json_list(const struct vmbus_sysfs_list *list, const char *root);
json_t *vmbusctl_json_rings(const struct vmbus_sysfs_list *list, const char *time);
json_t *vmbusctl_json_event(const struct vmbusctl_event *event, const char *time);

#endif
