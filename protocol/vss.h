// SPDX-License-Identifier: Apache-2.0
/*
 * Backup coordination (VSS) integration component: the host has the guest bring its file
 * systems to rest while the host takes a copy of the disks. Rules: vss.md. Framing and
 * negotiation: protocol/ic.h.
 *
 * Constants, layouts and the meaning of the operations; what a version has is asked for by
 * operation.
 */
#ifndef PROTOCOL_VSS_H
#define PROTOCOL_VSS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/assert.h"
#include "protocol/ic.h"

#ifdef __cplusplus
extern "C" {
#endif

enum vss_operation {
	VSS_CREATE = 0,
	VSS_DELETE = 1,
	VSS_HOT_BACKUP = 2, /* can the guest be copied while it runs? */
	VSS_GET_DM_INFO = 3,
	VSS_BACKUP_COMPLETE = 4,
	VSS_FREEZE = 5,
	VSS_THAW = 6,
	VSS_AUTO_RECOVER = 7,
	VSS_CLUSTER_INFO = 8,
};
#define VSS_OPERATION_COUNT 9u

/* What a guest that needs no recovery of the copy answers to VSS_HOT_BACKUP (R-VSS-001). */
#define VSS_FLAGS_NO_AUTO_RECOVERY 0x00000005u

#define VSS_LUNS_MAX 260u

#define VSS_HEADER_BYTES	    8u
#define VSS_FLAGS_BYTES		    12u
#define VSS_CREATE_BYTES	    24u
#define VSS_CREATE_TYPED_BYTES	    28u
#define VSS_LUN_BYTES		    24u
#define VSS_SNAPSHOT_BYTES	    6260u
#define VSS_SNAPSHOT_EXTENDED_BYTES 12500u
#define VSS_CLUSTER_BYTES	    7312u
#define VSS_CLUSTER_EXTENDED_BYTES  7320u

/* How long a host of this tree waits for the answer (R-VSS-016). */
#define VSS_FREEZE_ANSWER_MS 900000u /* a guest may have much to write */
#define VSS_ANSWER_MS	     30000u

/* Every message begins with it. */
struct vss_header_wire {
	uint8_t operation; /* enum vss_operation */
	uint8_t reserved[7];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vss_header_wire, VSS_HEADER_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vss_header_wire, operation, 0);
PROTOCOL_ASSERT_OFFSET(struct vss_header_wire, reserved, 1);

/* Request and response of VSS_HOT_BACKUP, _GET_DM_INFO, _BACKUP_COMPLETE and _THAW. */
struct vss_flags_wire {
	struct vss_header_wire header;
	uint32_t flags;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vss_flags_wire, VSS_FLAGS_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vss_flags_wire, flags, 8);

/* VSS_CREATE; older messages end before the type. */
struct vss_create_wire {
	struct vss_header_wire header;
	uint8_t set_id[16];
	uint32_t type;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vss_create_wire, VSS_CREATE_TYPED_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vss_create_wire, set_id, 8);
PROTOCOL_ASSERT_OFFSET(struct vss_create_wire, type, VSS_CREATE_BYTES);

/* Where a disk is attached. */
struct vss_lun_wire {
	uint8_t bus;
	uint8_t reserved0[3];
	uint8_t controller[16]; /* instance of the storage controller */
	uint8_t port;
	uint8_t target;
	uint8_t lun;
	uint8_t reserved1;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vss_lun_wire, VSS_LUN_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vss_lun_wire, bus, 0);
PROTOCOL_ASSERT_OFFSET(struct vss_lun_wire, controller, 4);
PROTOCOL_ASSERT_OFFSET(struct vss_lun_wire, port, 20);
PROTOCOL_ASSERT_OFFSET(struct vss_lun_wire, target, 21);
PROTOCOL_ASSERT_OFFSET(struct vss_lun_wire, lun, 22);

/* VSS_FREEZE and VSS_AUTO_RECOVER; the extended form adds a second array of LUNs. */
struct vss_snapshot_wire {
	struct vss_header_wire header;
	uint32_t type;
	uint32_t flags;
	uint32_t lun_count; /* at most VSS_LUNS_MAX (R-VSS-009) */
	struct vss_lun_wire luns[VSS_LUNS_MAX];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vss_snapshot_wire, VSS_SNAPSHOT_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vss_snapshot_wire, type, 8);
PROTOCOL_ASSERT_OFFSET(struct vss_snapshot_wire, flags, 12);
PROTOCOL_ASSERT_OFFSET(struct vss_snapshot_wire, lun_count, 16);
PROTOCOL_ASSERT_OFFSET(struct vss_snapshot_wire, luns, 20);

struct vss_snapshot_extended_wire {
	struct vss_snapshot_wire snapshot;
	struct vss_lun_wire targets[VSS_LUNS_MAX];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vss_snapshot_extended_wire, VSS_SNAPSHOT_EXTENDED_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vss_snapshot_extended_wire, targets, VSS_SNAPSHOT_BYTES);

/* VSS_CLUSTER_INFO; the extended form adds a 64-bit word. */
struct vss_cluster_wire {
	struct vss_header_wire header;
	uint8_t set_id[16];
	uint32_t size;
	uint32_t count;
	struct vss_lun_wire luns[VSS_LUNS_MAX];
	uint32_t states[VSS_LUNS_MAX];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vss_cluster_wire, VSS_CLUSTER_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vss_cluster_wire, set_id, 8);
PROTOCOL_ASSERT_OFFSET(struct vss_cluster_wire, size, 24);
PROTOCOL_ASSERT_OFFSET(struct vss_cluster_wire, count, 28);
PROTOCOL_ASSERT_OFFSET(struct vss_cluster_wire, luns, 32);
PROTOCOL_ASSERT_OFFSET(struct vss_cluster_wire, states, 6272);

struct vss_cluster_extended_wire {
	struct vss_cluster_wire cluster;
	uint64_t extra;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vss_cluster_extended_wire, VSS_CLUSTER_EXTENDED_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vss_cluster_extended_wire, extra, VSS_CLUSTER_BYTES);

/* May a host send this operation in that message version? (R-VSS-006) */
static inline bool vss_has_operation(struct ic_version_wire message, uint8_t operation)
{
	if (operation >= VSS_OPERATION_COUNT)
		return false;
	if (operation == VSS_CLUSTER_INFO)
		return message.major >= 6;
	if (operation >= VSS_FREEZE)
		return message.major >= 5;
	return message.major >= 4;
}

/* The least that a guest must have of a body to act on it (R-VSS-012). */
static inline uint16_t vss_body_min_bytes(uint8_t operation)
{
	switch (operation) {
	case VSS_HOT_BACKUP:
	case VSS_GET_DM_INFO:
		return VSS_FLAGS_BYTES; /* it writes the flags */
	default:
		return VSS_HEADER_BYTES;
	}
}

/* "freeze", …; "unknown" for what is none. */
static inline const char *vss_operation_name(uint8_t operation)
{
	switch (operation) {
	case VSS_CREATE:
		return "create";
	case VSS_DELETE:
		return "delete";
	case VSS_HOT_BACKUP:
		return "hot-backup check";
	case VSS_GET_DM_INFO:
		return "device information";
	case VSS_BACKUP_COMPLETE:
		return "backup complete";
	case VSS_FREEZE:
		return "freeze";
	case VSS_THAW:
		return "thaw";
	case VSS_AUTO_RECOVER:
		return "auto-recover";
	case VSS_CLUSTER_INFO:
		return "cluster information";
	default:
		return "unknown";
	}
}

#ifdef __cplusplus
}
#endif

#endif
