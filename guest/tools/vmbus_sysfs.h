// SPDX-License-Identifier: Apache-2.0
/*
 * The VMBus devices of the Linux guest that this runs in, read from sysfs:
 *
 *	<root>/bus/vmbus/devices/<name>/		a device: its primary channel
 *	<root>/bus/vmbus/devices/<name>/channels/<relid>/	each of its channels
 *
 * The host chooses relids, GUIDs and what is in the rings, and devices vanish while they
 * are read: every attribute may be missing or nonsense, and is then unknown. Names are
 * bytes that need vmbus_text_safe() before they are shown.
 *
 * Threads: none of its own; a list belongs to its caller.
 * Sources: Documentation/ABI/stable/sysfs-bus-vmbus, and the attributes of Linux 6.1 and 6.12.
 */
#ifndef GUEST_TOOLS_VMBUS_SYSFS_H
#define GUEST_TOOLS_VMBUS_SYSFS_H

#include "protocol/guid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMBUS_SYSFS_ROOT     "/sys"
#define VMBUS_SYSFS_DEVICES  "bus/vmbus/devices" /* under the root */
#define VMBUS_SYSFS_NAME_MAX 255u

/* A number that the kernel does not tell, or that is none. */
#define VMBUS_SYSFS_UNKNOWN INT64_MIN

/* Numbers of a device: X(NAME, file). Rings are those of its primary channel. */
#define VMBUS_SYSFS_DEVICE_NUMBERS(X)                                                              \
	X(ID, "id") /* relid */                                                                    \
	X(STATE, "state")                                                                          \
	X(MONITOR_ID, "monitor_id")                                                                \
	X(NUMA_NODE, "numa_node")                                                                  \
	X(VENDOR, "vendor")                                                                        \
	X(DEVICE, "device")                                                                        \
	X(IN_READ_INDEX, "in_read_index")                                                          \
	X(IN_WRITE_INDEX, "in_write_index")                                                        \
	X(IN_READ_BYTES_AVAIL, "in_read_bytes_avail")                                              \
	X(IN_WRITE_BYTES_AVAIL, "in_write_bytes_avail")                                            \
	X(IN_INTR_MASK, "in_intr_mask")                                                            \
	X(OUT_READ_INDEX, "out_read_index")                                                        \
	X(OUT_WRITE_INDEX, "out_write_index")                                                      \
	X(OUT_READ_BYTES_AVAIL, "out_read_bytes_avail")                                            \
	X(OUT_WRITE_BYTES_AVAIL, "out_write_bytes_avail")                                          \
	X(OUT_INTR_MASK, "out_intr_mask")

/* Numbers of a channel: X(NAME, file). */
#define VMBUS_SYSFS_CHANNEL_NUMBERS(X)                                                             \
	X(SUBCHANNEL_ID, "subchannel_id")                                                          \
	X(CPU, "cpu")                                                                              \
	X(READ_AVAIL, "read_avail")   /* bytes that the host has written and we have not read */   \
	X(WRITE_AVAIL, "write_avail") /* bytes free for us to write */                             \
	X(IN_MASK, "in_mask")                                                                      \
	X(OUT_MASK, "out_mask")                                                                    \
	X(INTERRUPTS, "interrupts") /* from the host, ever */                                      \
	X(EVENTS, "events")	    /* signals to the host, ever */                                \
	X(INTR_IN_FULL, "intr_in_full")                                                            \
	X(INTR_OUT_EMPTY, "intr_out_empty")                                                        \
	X(OUT_FULL_FIRST, "out_full_first")                                                        \
	X(OUT_FULL_TOTAL, "out_full_total")                                                        \
	X(MONITOR_ID, "monitor_id")                                                                \
	X(PENDING, "pending") /* of the channel's whole trigger group */                           \
	X(LATENCY, "latency")

enum vmbus_sysfs_device_number {
#define VMBUS_SYSFS_ENUM(NAME, file) VMBUS_DEVICE_##NAME,
	VMBUS_SYSFS_DEVICE_NUMBERS(VMBUS_SYSFS_ENUM)
#undef VMBUS_SYSFS_ENUM
		VMBUS_DEVICE_NUMBER_COUNT
};
enum vmbus_sysfs_channel_number {
#define VMBUS_SYSFS_ENUM(NAME, file) VMBUS_CHANNEL_##NAME,
	VMBUS_SYSFS_CHANNEL_NUMBERS(VMBUS_SYSFS_ENUM)
#undef VMBUS_SYSFS_ENUM
		VMBUS_CHANNEL_NUMBER_COUNT
};

/* File names, which are also the keys in JSON. */
extern const char *const vmbus_sysfs_device_files[VMBUS_DEVICE_NUMBER_COUNT];
extern const char *const vmbus_sysfs_channel_files[VMBUS_CHANNEL_NUMBER_COUNT];

struct vmbus_sysfs_channel {
	uint32_t relid;
	int64_t mapped_cpu; /* from the device's channel_vp_mapping; UNKNOWN: not in it */
	int64_t numbers[VMBUS_CHANNEL_NUMBER_COUNT]; /* or UNKNOWN */
};

struct vmbus_sysfs_device {
	char name[VMBUS_SYSFS_NAME_MAX + 1];   /* "vmbus_5" of old kernels, or the instance */
	char driver[VMBUS_SYSFS_NAME_MAX + 1]; /* empty: none is bound */
	struct guid class_id;
	struct guid instance_id;
	int64_t numbers[VMBUS_DEVICE_NUMBER_COUNT];
	struct vmbus_sysfs_channel *channels; /* by relid */
	size_t channel_count;
};

struct vmbus_sysfs_list {
	struct vmbus_sysfs_device *devices; /* by relid */
	size_t count;
	size_t odd_count; /* entries left out because they have no relid or GUIDs */
};

/*
 * Read all devices below `root` (VMBUS_SYSFS_ROOT). 0, with a list for vmbus_sysfs_free(); or a
 * negative errno and nothing to free: -ENOENT if there is no VMBus in that tree.
 */
int vmbus_sysfs_read(const char *root, struct vmbus_sysfs_list *out);
void vmbus_sysfs_free(struct vmbus_sysfs_list *list);

/* The channel of this relid in any device of a list, or NULL. */
const struct vmbus_sysfs_channel *vmbus_sysfs_channel_find(
	const struct vmbus_sysfs_list *list, uint32_t relid);

/* What the kernel's number for the state of a channel means: "open"; "unknown" if nothing. */
const char *vmbus_sysfs_state_name(int64_t state);

/*
 * The interface GUID of "vmbus:" and 32 hexadecimal digits, which are its bytes in wire order
 * (MODALIAS of an event). False if `modalias` is not of that form, or NULL.
 */
bool vmbus_sysfs_modalias(const char *modalias, struct guid *class_id);

/*
 * Copy a text for a terminal or a log: what is not printable ASCII, and the backslash, become
 * \xNN. Cut at `bytes` with the NUL. Returns `out`.
 */
char *vmbus_text_safe(const char *text, char *out, size_t bytes);

#endif
