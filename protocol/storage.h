// SPDX-License-Identifier: Apache-2.0
/*
 * Storage: the protocol between the storage VSP (virtualization service provider,
 * host) and the storage VSC (client, guest), in bytes and numbers. The rules are
 * in protocol/storage.md (R-STOR-...); SCSI itself is in protocol/scsi.h.
 *
 *	VMBus packet: in-band (no data) or GPA-direct with exactly one range (data)
 *	  payload = vstor packet: 12-byte header, then 36 or 52 bytes
 *	    EXECUTE_SRB: the SCSI request block (SRB)
 *
 * All fields are little-endian; the CDB, sense bytes and SCSI data are big-endian.
 * Trailing bytes of a packet (ring padding) are ignored by both sides.
 *
 * Sources: mu_msvm StorvscDxe headers (layouts), Linux storvsc and OpenVMM storvsp
 * (behaviour), recordings of Debian guests.
 */
#ifndef PROTOCOL_STORAGE_H
#define PROTOCOL_STORAGE_H

#include "protocol/assert.h"

#include <stddef.h>
#include <stdint.h>

/* ---- operations ---------------------------------------------------------------------------- */

/* X(name, number, direction of the packet that starts it) */
#define STORAGE_OPERATIONS(X)                                                                      \
	X(COMPLETE_IO, 1, HOST_TO_GUEST)                                                           \
	X(REMOVE_DEVICE, 2, HOST_TO_GUEST)                                                         \
	X(EXECUTE_SRB, 3, GUEST_TO_HOST)                                                           \
	X(RESET_LUN, 4, GUEST_TO_HOST)                                                             \
	X(RESET_ADAPTER, 5, GUEST_TO_HOST)                                                         \
	X(RESET_BUS, 6, GUEST_TO_HOST)                                                             \
	X(BEGIN_INITIALIZATION, 7, GUEST_TO_HOST)                                                  \
	X(END_INITIALIZATION, 8, GUEST_TO_HOST)                                                    \
	X(QUERY_PROTOCOL_VERSION, 9, GUEST_TO_HOST)                                                \
	X(QUERY_PROPERTIES, 10, GUEST_TO_HOST)                                                     \
	X(ENUMERATE_BUS, 11, HOST_TO_GUEST)                                                        \
	X(FC_HBA_DATA, 12, GUEST_TO_HOST)                                                          \
	X(CREATE_SUB_CHANNELS, 13, GUEST_TO_HOST)                                                  \
	X(EVENT_NOTIFICATION, 14, HOST_TO_GUEST)

enum storage_operation {
#define STORAGE_OPERATION_ENUM(name, number, direction) STORAGE_OP_##name = number,
	STORAGE_OPERATIONS(STORAGE_OPERATION_ENUM)
#undef STORAGE_OPERATION_ENUM
};

#define STORAGE_OP_MAX 14u

/* Name of an operation for logs, "unknown" for others. */
static inline const char *storage_operation_name(uint32_t operation)
{
	switch (operation) {
#define STORAGE_OPERATION_NAME(name, number, direction)                                            \
	case number:                                                                               \
		return #name;
		STORAGE_OPERATIONS(STORAGE_OPERATION_NAME)
#undef STORAGE_OPERATION_NAME
	default:
		return "unknown";
	}
}

/* ---- vstor packet -------------------------------------------------------------------------- */

#define STORAGE_PACKET_COMPLETION_REQUESTED 0x1u /* storage_header_wire.flags */

/* Both directions; start of every storage payload. */
struct storage_header_wire {
	uint32_t operation; /* enum storage_operation */
	uint32_t flags;	    /* STORAGE_PACKET_*; guests set COMPLETION_REQUESTED, replies carry 0 */
	uint32_t status;    /* NTSTATUS (STORAGE_STATUS_*); 0 in requests */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct storage_header_wire, 12);
PROTOCOL_ASSERT_OFFSET(struct storage_header_wire, flags, 4);
PROTOCOL_ASSERT_OFFSET(struct storage_header_wire, status, 8);

#define STORAGE_HEADER_BYTES 12u

/* Payload behind the header and whole packet: 2.0 and 4.2 / 5.1 and later. */
#define STORAGE_PAYLOAD_BYTES_WIN7 36u
#define STORAGE_PAYLOAD_BYTES_WIN8 52u
#define STORAGE_PACKET_BYTES_WIN7  48u
#define STORAGE_PACKET_BYTES_WIN8  64u
#define STORAGE_PACKET_BYTES_MIN   STORAGE_HEADER_BYTES
#define STORAGE_PACKET_BYTES_MAX   STORAGE_PACKET_BYTES_WIN8

/* ---- NTSTATUS values of replies ------------------------------------------------------------ */

#define STORAGE_STATUS_SUCCESS		    0x00000000u
#define STORAGE_STATUS_BUFFER_OVERFLOW	    0x80000005u /* SRB data overrun */
#define STORAGE_STATUS_DEVICE_BUSY	    0x80000011u
#define STORAGE_STATUS_UNSUCCESSFUL	    0xC0000001u /* SRB request flushed */
#define STORAGE_STATUS_INVALID_PARAMETER    0xC000000Du
#define STORAGE_STATUS_INVALID_REQUEST	    0xC0000010u /* SRB bad function or length */
#define STORAGE_STATUS_REVISION_MISMATCH    0xC0000059u /* protocol version refused */
#define STORAGE_STATUS_DEVICE_NOT_CONNECTED 0xC000009Du /* SRB selection timeout */
#define STORAGE_STATUS_IO_TIMEOUT	    0xC00000B5u
#define STORAGE_STATUS_NO_SUCH_DEVICE	    0xC00000C0u /* SRB invalid LUN, target, no device */
#define STORAGE_STATUS_CANCELLED	    0xC0000120u /* SRB aborted */
#define STORAGE_STATUS_INVALID_DEVICE_STATE 0xC0000184u /* operation not legal in this state */
#define STORAGE_STATUS_IO_DEVICE_ERROR	    0xC0000185u /* any other SRB error */

/* ---- versions ------------------------------------------------------------------------------ */

#define STORAGE_VERSION(major, minor) ((uint16_t)(((major) << 8) | (minor)))

#define STORAGE_VERSION_2_0 0x0200u /* Windows Server 2008 */
#define STORAGE_VERSION_4_2 0x0402u /* Windows Server 2008 R2 */
#define STORAGE_VERSION_5_1 0x0501u /* Windows Server 2012 */
#define STORAGE_VERSION_6_0 0x0600u /* Windows Server 2012 R2 */
#define STORAGE_VERSION_6_2 0x0602u /* Windows Server 2016 */

#define STORAGE_FEATURE_ENUMERATE_BUS	   0x1u /* the host sends ENUMERATE_BUS */
#define STORAGE_FEATURE_WIDE_SRB	   0x2u /* 52-byte payload: queue tag, flags, timeout */
#define STORAGE_FEATURE_MULTI_CHANNEL	   0x4u /* CREATE_SUB_CHANNELS may be offered */
#define STORAGE_FEATURE_EVENT_NOTIFICATION 0x8u /* EVENT_NOTIFICATION, client properties */

struct storage_version {
	uint16_t version;	/* STORAGE_VERSION_* */
	uint16_t payload_bytes; /* behind the header */
	uint16_t sense_bytes;	/* largest sense data in a reply */
	uint16_t reserved;
	uint32_t features; /* STORAGE_FEATURE_* */
	const char *name;
};

/*
 * The versions that Viridian speaks, newest first: the order in which a guest
 * tries them. 3.0, 4.0 and 5.0 were pre-releases and are refused.
 */
#define STORAGE_VERSIONS(X)                                                                        \
	X(6_2, 52, 20,                                                                             \
		STORAGE_FEATURE_ENUMERATE_BUS | STORAGE_FEATURE_WIDE_SRB |                         \
			STORAGE_FEATURE_MULTI_CHANNEL | STORAGE_FEATURE_EVENT_NOTIFICATION,        \
		"6.2")                                                                             \
	X(6_0, 52, 20,                                                                             \
		STORAGE_FEATURE_ENUMERATE_BUS | STORAGE_FEATURE_WIDE_SRB |                         \
			STORAGE_FEATURE_MULTI_CHANNEL | STORAGE_FEATURE_EVENT_NOTIFICATION,        \
		"6.0")                                                                             \
	X(5_1, 52, 20,                                                                             \
		STORAGE_FEATURE_ENUMERATE_BUS | STORAGE_FEATURE_WIDE_SRB |                         \
			STORAGE_FEATURE_MULTI_CHANNEL,                                             \
		"5.1")                                                                             \
	X(4_2, 36, 18, STORAGE_FEATURE_ENUMERATE_BUS, "4.2")                                       \
	X(2_0, 36, 18, 0, "2.0")

static const struct storage_version storage_versions[] = {
#define STORAGE_VERSION_ROW(id, payload, sense, features, name)                                    \
	{STORAGE_VERSION_##id, payload, sense, 0, features, name},
	STORAGE_VERSIONS(STORAGE_VERSION_ROW)
#undef STORAGE_VERSION_ROW
};

#define STORAGE_VERSION_COUNT ((unsigned)(sizeof(storage_versions) / sizeof(storage_versions[0])))

/* Row of a version, or NULL if Viridian does not speak it. */
static inline const struct storage_version *storage_version_find(uint16_t version)
{
	for (unsigned i = 0; i < STORAGE_VERSION_COUNT; i++)
		if (storage_versions[i].version == version)
			return &storage_versions[i];
	return NULL;
}

/* QUERY_PROTOCOL_VERSION, request and reply; behind the header. */
struct storage_version_wire {
	uint16_t major_minor; /* major in the high byte; the reply echoes it */
	uint16_t build;	      /* informative, 0 is fine; 0 in replies */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct storage_version_wire, 4);
PROTOCOL_ASSERT_OFFSET(struct storage_version_wire, build, 2);

/* ---- channel properties -------------------------------------------------------------------- */

#define STORAGE_PROPERTIES_MULTI_CHANNEL 0x1u

/* QUERY_PROPERTIES, reply; behind the header. Also the (ignored) user data of an OPEN. */
struct storage_properties_wire {
	uint32_t reserved1;
	uint16_t max_sub_channels; /* beside the primary */
	uint16_t reserved2;
	uint32_t flags;		     /* STORAGE_PROPERTIES_* */
	uint32_t max_transfer_bytes; /* > 0, ≤ STORAGE_TRANSFER_BYTES_MAX, multiple of 4096 */
	uint64_t reserved3;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct storage_properties_wire, 24);
PROTOCOL_ASSERT_OFFSET(struct storage_properties_wire, max_sub_channels, 4);
PROTOCOL_ASSERT_OFFSET(struct storage_properties_wire, flags, 8);
PROTOCOL_ASSERT_OFFSET(struct storage_properties_wire, max_transfer_bytes, 12);

#define STORAGE_TRANSFER_BYTES_DEFAULT 0x40000u	 /* 256 KiB */
#define STORAGE_TRANSFER_BYTES_MAX     0x800000u /* 8 MiB */

/* QUERY_PROPERTIES, request, from 6.0: which notifications the client can take. */
#define STORAGE_CLIENT_ASYNC_NOTIFICATION 0x1u

struct storage_client_properties_wire {
	uint32_t flags; /* STORAGE_CLIENT_* */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct storage_client_properties_wire, 4);

/* CREATE_SUB_CHANNELS, request; behind the header. */
struct storage_sub_channels_wire {
	uint16_t count; /* 1..max_sub_channels */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct storage_sub_channels_wire, 2);

/* FC_HBA_DATA, reply (synthetic Fibre Channel only); behind the header. */
struct storage_fc_hba_wire {
	uint8_t primary_active; /* 1: the primary pair is in use, 0: the secondary */
	uint8_t reserved[3];
	uint8_t primary_port_wwn[8];
	uint8_t primary_node_wwn[8];
	uint8_t secondary_port_wwn[8];
	uint8_t secondary_node_wwn[8];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct storage_fc_hba_wire, 36);
PROTOCOL_ASSERT_OFFSET(struct storage_fc_hba_wire, primary_port_wwn, 4);
PROTOCOL_ASSERT_OFFSET(struct storage_fc_hba_wire, primary_node_wwn, 12);
PROTOCOL_ASSERT_OFFSET(struct storage_fc_hba_wire, secondary_port_wwn, 20);
PROTOCOL_ASSERT_OFFSET(struct storage_fc_hba_wire, secondary_node_wwn, 28);

/* EVENT_NOTIFICATION, host to guest, from 6.0; behind the header. Values of `flags` are unknown. */
struct storage_event_wire {
	uint8_t lun;
	uint8_t target;
	uint8_t path;
	uint8_t flags;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct storage_event_wire, 4);
PROTOCOL_ASSERT_OFFSET(struct storage_event_wire, target, 1);
PROTOCOL_ASSERT_OFFSET(struct storage_event_wire, path, 2);
PROTOCOL_ASSERT_OFFSET(struct storage_event_wire, flags, 3);

/* ---- SRB ----------------------------------------------------------------------------------- */

#define STORAGE_CDB_BYTES_MAX	 16u
#define STORAGE_SENSE_BYTES_MAX	 20u
#define STORAGE_SENSE_BYTES_WIN7 18u

enum storage_direction {
	STORAGE_DATA_OUT = 0,  /* to the device (write) */
	STORAGE_DATA_IN = 1,   /* from the device (read) */
	STORAGE_DATA_NONE = 2, /* "unknown" on the wire: no data */
};

/*
 * EXECUTE_SRB, request and reply; also the address fields of RESET_LUN. Behind the
 * header. The first 36 bytes are the whole structure for 2.0 and 4.2.
 */
struct storage_srb_wire {
	uint16_t length;     /* 36 or 52 */
	uint8_t srb_status;  /* reply: enum storage_srb_status | STORAGE_SRB_* */
	uint8_t scsi_status; /* reply: enum scsi_status of protocol/scsi.h */
	uint8_t port;	     /* 0 */
	uint8_t path;
	uint8_t target;
	uint8_t lun;
	uint8_t cdb_length;	  /* 1..16 */
	uint8_t sense_length;	  /* request: room for sense; reply: ≤ 20 (18 in the old form) */
	uint8_t direction;	  /* enum storage_direction */
	uint8_t properties;	  /* 0 */
	uint32_t data_length;	  /* request: buffer bytes; reply: bytes moved */
	uint8_t cdb_or_sense[20]; /* request: CDB, zero padded; reply: sense data */
	uint16_t reserved;	  /* from here on: STORAGE_FEATURE_WIDE_SRB */
	uint8_t queue_tag;	  /* 0xFF for tagged commands, else 0 */
	uint8_t queue_action;	  /* 0x20 simple */
	uint32_t srb_flags;	  /* STORAGE_SRB_FLAG_* */
	uint32_t timeout_s;	  /* informative */
	uint32_t queue_sort_key;  /* informative */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct storage_srb_wire, 52);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, srb_status, 2);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, scsi_status, 3);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, port, 4);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, path, 5);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, target, 6);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, lun, 7);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, cdb_length, 8);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, sense_length, 9);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, direction, 10);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, properties, 11);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, data_length, 12);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, cdb_or_sense, 16);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, reserved, 36);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, queue_tag, 38);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, queue_action, 39);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, srb_flags, 40);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, timeout_s, 44);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_wire, queue_sort_key, 48);

#define STORAGE_SRB_BYTES_WIN7 36u /* sizeof the first part: offset of `reserved` */
#define STORAGE_SRB_BYTES_WIN8 52u

/* A whole SRB packet as both sides write it. */
struct storage_srb_packet_wire {
	struct storage_header_wire header;
	struct storage_srb_wire srb;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct storage_srb_packet_wire, STORAGE_PACKET_BYTES_WIN8);
PROTOCOL_ASSERT_OFFSET(struct storage_srb_packet_wire, srb, 12);

#define STORAGE_QUEUE_TAG_NONE 0x00u
#define STORAGE_QUEUE_TAG_ANY  0xFFu
#define STORAGE_QUEUE_SIMPLE   0x20u
#define STORAGE_QUEUE_HEAD     0x21u
#define STORAGE_QUEUE_ORDERED  0x22u

#define STORAGE_SRB_FLAG_QUEUE_ACTION_ENABLE   0x00000002u
#define STORAGE_SRB_FLAG_DISABLE_SYNC_TRANSFER 0x00000008u
#define STORAGE_SRB_FLAG_DISABLE_AUTOSENSE     0x00000020u
#define STORAGE_SRB_FLAG_DATA_IN	       0x00000040u
#define STORAGE_SRB_FLAG_DATA_OUT	       0x00000080u
#define STORAGE_SRB_FLAG_NO_QUEUE_FREEZE       0x00000100u

enum storage_srb_status {
	STORAGE_SRB_PENDING = 0x00,
	STORAGE_SRB_SUCCESS = 0x01,
	STORAGE_SRB_ABORTED = 0x02,
	STORAGE_SRB_ABORT_FAILED = 0x03,
	STORAGE_SRB_ERROR = 0x04,
	STORAGE_SRB_BUSY = 0x05,
	STORAGE_SRB_INVALID_REQUEST = 0x06,
	STORAGE_SRB_INVALID_PATH = 0x07,
	STORAGE_SRB_NO_DEVICE = 0x08,
	STORAGE_SRB_TIMEOUT = 0x09,
	STORAGE_SRB_SELECTION_TIMEOUT = 0x0A,
	STORAGE_SRB_COMMAND_TIMEOUT = 0x0B,
	STORAGE_SRB_BUS_RESET = 0x0E,
	STORAGE_SRB_PARITY_ERROR = 0x0F,
	STORAGE_SRB_REQUEST_SENSE_FAILED = 0x10,
	STORAGE_SRB_NO_HBA = 0x11,
	STORAGE_SRB_DATA_OVERRUN = 0x12,
	STORAGE_SRB_BAD_LENGTH = 0x15,
	STORAGE_SRB_FLUSHED = 0x16,
	STORAGE_SRB_INVALID_LUN = 0x20,
	STORAGE_SRB_INVALID_TARGET = 0x21,
	STORAGE_SRB_BAD_FUNCTION = 0x22,
	STORAGE_SRB_ERROR_RECOVERY = 0x23,
	STORAGE_SRB_INTERNAL_ERROR = 0x30,
};

#define STORAGE_SRB_STATUS_MASK	    0x3Fu
#define STORAGE_SRB_QUEUE_FROZEN    0x40u
#define STORAGE_SRB_AUTOSENSE_VALID 0x80u

/* NTSTATUS of the reply header for an SRB status (flag bits ignored). R-STOR-024. */
static inline uint32_t storage_srb_ntstatus(uint8_t srb_status)
{
	switch (srb_status & STORAGE_SRB_STATUS_MASK) {
	case STORAGE_SRB_SUCCESS:
		return STORAGE_STATUS_SUCCESS;
	case STORAGE_SRB_BUSY:
		return STORAGE_STATUS_DEVICE_BUSY;
	case STORAGE_SRB_INVALID_LUN:
	case STORAGE_SRB_INVALID_TARGET:
	case STORAGE_SRB_NO_DEVICE:
	case STORAGE_SRB_NO_HBA:
		return STORAGE_STATUS_NO_SUCH_DEVICE;
	case STORAGE_SRB_TIMEOUT:
	case STORAGE_SRB_COMMAND_TIMEOUT:
		return STORAGE_STATUS_IO_TIMEOUT;
	case STORAGE_SRB_SELECTION_TIMEOUT:
		return STORAGE_STATUS_DEVICE_NOT_CONNECTED;
	case STORAGE_SRB_BAD_FUNCTION:
	case STORAGE_SRB_BAD_LENGTH:
		return STORAGE_STATUS_INVALID_REQUEST;
	case STORAGE_SRB_DATA_OVERRUN:
		return STORAGE_STATUS_BUFFER_OVERFLOW;
	case STORAGE_SRB_FLUSHED:
		return STORAGE_STATUS_UNSUCCESSFUL;
	case STORAGE_SRB_ABORTED:
		return STORAGE_STATUS_CANCELLED;
	default:
		return STORAGE_STATUS_IO_DEVICE_ERROR;
	}
}

/* ---- addressing and offers ----------------------------------------------------------------- */

#define STORAGE_PATHS_MAX   8u	 /* path 0..7 */
#define STORAGE_TARGETS_MAX 64u	 /* target 0..63, and 64 (path, target) pairs a controller */
#define STORAGE_LUNS_MAX    255u /* LUN 0..254 */

/* User-defined area of an IDE-accelerator offer, for guests that do not read the instance id. */
#define STORAGE_IDE_OFFER_FLAG_IDE 0x2u

struct storage_ide_offer_wire {
	uint16_t reserved1;
	uint8_t path;	/* IDE channel */
	uint8_t target; /* IDE device */
	uint32_t reserved2;
	uint32_t flags; /* STORAGE_IDE_OFFER_FLAG_IDE */
	uint8_t reserved3[12];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct storage_ide_offer_wire, 24);
PROTOCOL_ASSERT_OFFSET(struct storage_ide_offer_wire, path, 2);
PROTOCOL_ASSERT_OFFSET(struct storage_ide_offer_wire, target, 3);
PROTOCOL_ASSERT_OFFSET(struct storage_ide_offer_wire, flags, 8);

#endif
