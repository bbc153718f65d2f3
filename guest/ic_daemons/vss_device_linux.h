// SPDX-License-Identifier: Apache-2.0
/*
 * Records of Linux's device /dev/vmbus/hv_vss: what the kernel hands out and takes. The
 * kernel has done the rest of the protocol: this is the operation, and how it went.
 *
 *	daemon -> kernel	greeting: operation 129, 12 bytes
 *	kernel -> daemon	129, 4 bytes; then requests: the operation, 12 bytes
 *	daemon -> kernel	the status in place of the operation, 12 bytes
 *
 * Pure functions over bytes. Sources: linux/hyperv.h; vss.md, section 5.
 */
#ifndef GUEST_IC_DAEMONS_VSS_DEVICE_LINUX_H
#define GUEST_IC_DAEMONS_VSS_DEVICE_LINUX_H

#include "protocol/vss.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSS_DEVICE_PATH		"/dev/vmbus/hv_vss"
#define VSS_DEVICE_RECORD_BYTES 12u
#define VSS_DEVICE_REGISTER	129u /* with an answer of the kernel's to it */

struct vss_device_record_wire {
	uint32_t operation_or_status; /* the operation is its first byte */
	uint32_t reserved;
	uint32_t flags;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vss_device_record_wire, VSS_DEVICE_RECORD_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vss_device_record_wire, operation_or_status, 0);
PROTOCOL_ASSERT_OFFSET(struct vss_device_record_wire, flags, 8);

enum vss_device_kind {
	VSS_DEVICE_BAD,
	VSS_DEVICE_WELCOME, /* the answer to the greeting */
	VSS_DEVICE_REQUEST,
};

/* First record that the daemon writes. */
extern const struct vss_device_record_wire vss_device_greeting;

/* What a record of the kernel is; *operation is set with VSS_DEVICE_REQUEST. */
enum vss_device_kind vss_device_read(const void *record, size_t len, uint8_t *operation);

/* The answer to the last request: IC_STATUS_*. */
struct vss_device_record_wire vss_device_answer(uint32_t status);

#endif
