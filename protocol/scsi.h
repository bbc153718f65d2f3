// SPDX-License-Identifier: Apache-2.0
/*
 * SCSI as the storage channel carries it: numbers, layouts and field accessors for
 * command descriptor blocks (CDBs), sense data, INQUIRY and VPD (vital product data)
 * pages, mode pages, capacity, UNMAP and multimedia replies.
 *
 * Everything in SCSI is big-endian. Multi-byte fields are therefore arrays of bytes
 * here, read and written by scsi_get16() … scsi_put64().
 *
 * Sources: T10 SPC-3, SPC-4, SBC-3, MMC-5 (restated), protocol/storage.md.
 */
#ifndef PROTOCOL_SCSI_H
#define PROTOCOL_SCSI_H

#include "protocol/assert.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- big-endian fields --------------------------------------------------------------------- */

static inline uint16_t scsi_get16(const uint8_t *p)
{
	return (uint16_t)(((unsigned)p[0] << 8) | p[1]);
}

static inline uint32_t scsi_get24(const uint8_t *p)
{
	return ((uint32_t)p[0] << 16) | ((uint32_t)p[1] << 8) | p[2];
}

static inline uint32_t scsi_get32(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24) | scsi_get24(p + 1);
}

static inline uint64_t scsi_get64(const uint8_t *p)
{
	return ((uint64_t)scsi_get32(p) << 32) | scsi_get32(p + 4);
}

static inline void scsi_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void scsi_put24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

static inline void scsi_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	scsi_put24(p + 1, v);
}

static inline void scsi_put64(uint8_t *p, uint64_t v)
{
	scsi_put32(p, (uint32_t)(v >> 32));
	scsi_put32(p + 4, (uint32_t)v);
}

/* ---- status -------------------------------------------------------------------------------- */

enum scsi_status {
	SCSI_STATUS_GOOD = 0x00,
	SCSI_STATUS_CHECK_CONDITION = 0x02,
	SCSI_STATUS_CONDITION_MET = 0x04,
	SCSI_STATUS_BUSY = 0x08,
	SCSI_STATUS_RESERVATION_CONFLICT = 0x18,
	SCSI_STATUS_TASK_SET_FULL = 0x28,
	SCSI_STATUS_TASK_ABORTED = 0x40,
};

/* ---- operation codes ----------------------------------------------------------------------- */

/* X(name, opcode, CDB bytes) in ascending order. */
#define SCSI_OPCODES(X)                                                                            \
	X(TEST_UNIT_READY, 0x00, 6)                                                                \
	X(REQUEST_SENSE, 0x03, 6)                                                                  \
	X(FORMAT_UNIT, 0x04, 6)                                                                    \
	X(READ_6, 0x08, 6)                                                                         \
	X(WRITE_6, 0x0A, 6)                                                                        \
	X(INQUIRY, 0x12, 6)                                                                        \
	X(MODE_SELECT_6, 0x15, 6)                                                                  \
	X(RESERVE_6, 0x16, 6)                                                                      \
	X(RELEASE_6, 0x17, 6)                                                                      \
	X(MODE_SENSE_6, 0x1A, 6)                                                                   \
	X(START_STOP_UNIT, 0x1B, 6)                                                                \
	X(SEND_DIAGNOSTIC, 0x1D, 6)                                                                \
	X(PREVENT_ALLOW_MEDIUM_REMOVAL, 0x1E, 6)                                                   \
	X(READ_CAPACITY_10, 0x25, 10)                                                              \
	X(READ_10, 0x28, 10)                                                                       \
	X(WRITE_10, 0x2A, 10)                                                                      \
	X(WRITE_AND_VERIFY_10, 0x2E, 10)                                                           \
	X(VERIFY_10, 0x2F, 10)                                                                     \
	X(SYNCHRONIZE_CACHE_10, 0x35, 10)                                                          \
	X(WRITE_SAME_10, 0x41, 10)                                                                 \
	X(UNMAP, 0x42, 10)                                                                         \
	X(READ_TOC, 0x43, 10)                                                                      \
	X(GET_CONFIGURATION, 0x46, 10)                                                             \
	X(GET_EVENT_STATUS_NOTIFICATION, 0x4A, 10)                                                 \
	X(READ_DISC_INFORMATION, 0x51, 10)                                                         \
	X(READ_TRACK_INFORMATION, 0x52, 10)                                                        \
	X(MODE_SELECT_10, 0x55, 10)                                                                \
	X(MODE_SENSE_10, 0x5A, 10)                                                                 \
	X(READ_BUFFER_CAPACITY, 0x5C, 10)                                                          \
	X(PERSISTENT_RESERVE_IN, 0x5E, 10)                                                         \
	X(PERSISTENT_RESERVE_OUT, 0x5F, 10)                                                        \
	X(ATA_PASS_THROUGH_16, 0x85, 16)                                                           \
	X(READ_16, 0x88, 16)                                                                       \
	X(COMPARE_AND_WRITE, 0x89, 16)                                                             \
	X(WRITE_16, 0x8A, 16)                                                                      \
	X(WRITE_AND_VERIFY_16, 0x8E, 16)                                                           \
	X(VERIFY_16, 0x8F, 16)                                                                     \
	X(SYNCHRONIZE_CACHE_16, 0x91, 16)                                                          \
	X(WRITE_SAME_16, 0x93, 16)                                                                 \
	X(SERVICE_ACTION_IN_16, 0x9E, 16)                                                          \
	X(REPORT_LUNS, 0xA0, 12)                                                                   \
	X(ATA_PASS_THROUGH_12, 0xA1, 12)                                                           \
	X(MAINTENANCE_IN, 0xA3, 12)                                                                \
	X(READ_12, 0xA8, 12)                                                                       \
	X(WRITE_12, 0xAA, 12)                                                                      \
	X(GET_PERFORMANCE, 0xAC, 12)                                                               \
	X(READ_DVD_STRUCTURE, 0xAD, 12)                                                            \
	X(WRITE_AND_VERIFY_12, 0xAE, 12)                                                           \
	X(VERIFY_12, 0xAF, 12)                                                                     \
	X(SET_STREAMING, 0xB6, 12)                                                                 \
	X(MECHANISM_STATUS, 0xBD, 12)

enum scsi_opcode {
#define SCSI_OPCODE_ENUM(name, opcode, bytes) SCSI_OP_##name = opcode,
	SCSI_OPCODES(SCSI_OPCODE_ENUM)
#undef SCSI_OPCODE_ENUM
};

/* Name of an operation code for logs, "unknown" for others. */
static inline const char *scsi_opcode_name(uint8_t opcode)
{
	switch (opcode) {
#define SCSI_OPCODE_NAME(name, value, bytes)                                                       \
	case value:                                                                                \
		return #name;
		SCSI_OPCODES(SCSI_OPCODE_NAME)
#undef SCSI_OPCODE_NAME
	default:
		return "unknown";
	}
}

/* CDB length that the group of an opcode implies; 0 for reserved and vendor groups. */
static inline unsigned scsi_cdb_bytes(uint8_t opcode)
{
	switch (opcode >> 5) {
	case 0:
		return 6;
	case 1:
	case 2:
		return 10;
	case 4:
		return 16;
	case 5:
		return 12;
	default:
		return 0;
	}
}

#define SCSI_SERVICE_READ_CAPACITY_16 0x10u
#define SCSI_SERVICE_GET_LBA_STATUS   0x12u
#define SCSI_SERVICE_MASK	      0x1Fu

/* ---- CDBs of block commands ---------------------------------------------------------------- */

#define SCSI_CDB_RELADR	       0x01u /* byte 1 of the 10- and 12-byte forms, obsolete */
#define SCSI_CDB_FUA	       0x08u /* byte 1 of READ and WRITE 10, 12, 16 */
#define SCSI_CDB_DPO	       0x10u
#define SCSI_CDB_PROTECT       0xE0u /* byte 1, RDPROTECT or WRPROTECT */
#define SCSI_CDB_BYTCHK	       0x06u /* byte 1 of VERIFY and WRITE AND VERIFY */
#define SCSI_WRITE_SAME_UNMAP  0x08u /* byte 1 of WRITE SAME */
#define SCSI_WRITE_SAME_ANCHOR 0x10u
#define SCSI_WRITE_SAME_NDOB   0x01u /* byte 1 of WRITE SAME(16): no data-out buffer */
#define SCSI_WRITE_SAME_LBDATA 0x02u
#define SCSI_WRITE_SAME_PBDATA 0x04u

struct scsi_block_range {
	uint64_t lba;
	uint32_t count;	     /* blocks; READ(6) and WRITE(6) with 0 mean 256 */
	uint8_t flags;	     /* CDB byte 1; 0 for 6-byte forms */
	uint8_t lba_field;   /* first CDB byte of the LBA, for the sense field pointer */
	uint8_t count_field; /* first CDB byte of the count */
};

/*
 * Read the LBA and count of any CDB whose group has the usual layout (READ, WRITE,
 * VERIFY, WRITE SAME, SYNCHRONIZE CACHE of 6, 10, 12 or 16 bytes). `cdb` has 16 bytes.
 */
static inline struct scsi_block_range scsi_block_range_get(const uint8_t *cdb)
{
	struct scsi_block_range r = {0, 0, 0, 0, 0};
	switch (cdb[0] >> 5) {
	case 0:
		r.lba = scsi_get24(cdb + 1) & 0x1FFFFFu;
		r.count = cdb[4] ? cdb[4] : 256u;
		r.lba_field = 1;
		r.count_field = 4;
		break;
	case 1:
	case 2:
		r.lba = scsi_get32(cdb + 2);
		r.count = scsi_get16(cdb + 7);
		r.flags = cdb[1];
		r.lba_field = 2;
		r.count_field = 7;
		break;
	case 4:
		r.lba = scsi_get64(cdb + 2);
		r.count = scsi_get32(cdb + 10);
		r.flags = cdb[1];
		r.lba_field = 2;
		r.count_field = 10;
		break;
	case 5:
		r.lba = scsi_get32(cdb + 2);
		r.count = scsi_get32(cdb + 6);
		r.flags = cdb[1];
		r.lba_field = 2;
		r.count_field = 6;
		break;
	default:
		break;
	}
	return r;
}

/* Write a 10-byte block CDB into a zeroed 16-byte array. lba < 2^32, count < 2^16. */
static inline void scsi_block_cdb10_put(
	uint8_t *cdb, uint8_t opcode, uint8_t flags, uint32_t lba, uint16_t count)
{
	cdb[0] = opcode;
	cdb[1] = flags;
	scsi_put32(cdb + 2, lba);
	scsi_put16(cdb + 7, count);
}

/* Write a 16-byte block CDB into a zeroed 16-byte array. */
static inline void scsi_block_cdb16_put(
	uint8_t *cdb, uint8_t opcode, uint8_t flags, uint64_t lba, uint32_t count)
{
	cdb[0] = opcode;
	cdb[1] = flags;
	scsi_put64(cdb + 2, lba);
	scsi_put32(cdb + 10, count);
}

/* ---- sense --------------------------------------------------------------------------------- */

enum scsi_sense_key {
	SCSI_KEY_NO_SENSE = 0x0,
	SCSI_KEY_RECOVERED_ERROR = 0x1,
	SCSI_KEY_NOT_READY = 0x2,
	SCSI_KEY_MEDIUM_ERROR = 0x3,
	SCSI_KEY_HARDWARE_ERROR = 0x4,
	SCSI_KEY_ILLEGAL_REQUEST = 0x5,
	SCSI_KEY_UNIT_ATTENTION = 0x6,
	SCSI_KEY_DATA_PROTECT = 0x7,
	SCSI_KEY_ABORTED_COMMAND = 0xB,
	SCSI_KEY_MISCOMPARE = 0xE,
};

/* Additional sense code and qualifier as one number. */
#define SCSI_ASC(asc, ascq) ((uint16_t)(((asc) << 8) | (ascq)))

enum scsi_asc {
	SCSI_ASC_NONE = 0x0000,
	SCSI_ASC_IO_PROCESS_TERMINATED = 0x0006,
	SCSI_ASC_WRITE_FAULT = 0x0300,
	SCSI_ASC_NOT_READY = 0x0400,
	SCSI_ASC_UNRECOVERED_READ = 0x1100,
	SCSI_ASC_PARAMETER_LIST_LENGTH = 0x1A00,
	SCSI_ASC_MISCOMPARE = 0x1D00,
	SCSI_ASC_INVALID_OPCODE = 0x2000,
	SCSI_ASC_LBA_OUT_OF_RANGE = 0x2100,
	SCSI_ASC_INVALID_FIELD_IN_CDB = 0x2400,
	SCSI_ASC_LUN_NOT_SUPPORTED = 0x2500,
	SCSI_ASC_INVALID_FIELD_IN_PARAMETER_LIST = 0x2600,
	SCSI_ASC_WRITE_PROTECTED = 0x2700,
	SCSI_ASC_SPACE_ALLOCATION_FAILED = 0x2707,
	SCSI_ASC_MEDIUM_MAY_HAVE_CHANGED = 0x2800,
	SCSI_ASC_POWER_ON_OR_RESET = 0x2900,
	SCSI_ASC_RESERVATIONS_PREEMPTED = 0x2A03,
	SCSI_ASC_RESERVATIONS_RELEASED = 0x2A04,
	SCSI_ASC_REGISTRATIONS_PREEMPTED = 0x2A05,
	SCSI_ASC_CAPACITY_CHANGED = 0x2A09,
	SCSI_ASC_COMMANDS_CLEARED = 0x2F00,
	SCSI_ASC_INCOMPATIBLE_MEDIUM = 0x3002,
	SCSI_ASC_SAVING_NOT_SUPPORTED = 0x3900,
	SCSI_ASC_NO_MEDIUM_TRAY_CLOSED = 0x3A01,
	SCSI_ASC_NO_MEDIUM_TRAY_OPEN = 0x3A02,
	SCSI_ASC_REPORTED_LUNS_CHANGED = 0x3F0E,
	SCSI_ASC_INTERNAL_TARGET_FAILURE = 0x4400,
	SCSI_ASC_REMOVAL_PREVENTED = 0x5302,
};

/* Fixed-format sense data, 18 bytes. */
struct scsi_sense_wire {
	uint8_t response_code; /* 0x70 current, 0x71 deferred; bit 7: information valid */
	uint8_t segment;
	uint8_t flags_key; /* low 4 bits: enum scsi_sense_key; SCSI_SENSE_ILI … */
	uint8_t information[4];
	uint8_t additional_length; /* 10 */
	uint8_t command_specific[4];
	uint8_t asc;
	uint8_t ascq;
	uint8_t fru;
	uint8_t key_specific[3]; /* field pointer of ILLEGAL REQUEST: SCSI_SKS_*, byte number */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_sense_wire, 18);
PROTOCOL_ASSERT_OFFSET(struct scsi_sense_wire, information, 3);
PROTOCOL_ASSERT_OFFSET(struct scsi_sense_wire, additional_length, 7);
PROTOCOL_ASSERT_OFFSET(struct scsi_sense_wire, asc, 12);
PROTOCOL_ASSERT_OFFSET(struct scsi_sense_wire, ascq, 13);
PROTOCOL_ASSERT_OFFSET(struct scsi_sense_wire, key_specific, 15);

#define SCSI_SENSE_BYTES	       18u
#define SCSI_SENSE_FIXED_CURRENT       0x70u
#define SCSI_SENSE_FIXED_DEFERRED      0x71u
#define SCSI_SENSE_DESCRIPTOR_CURRENT  0x72u
#define SCSI_SENSE_DESCRIPTOR_DEFERRED 0x73u
#define SCSI_SENSE_KEY_MASK	       0x0Fu
#define SCSI_SENSE_ILI		       0x20u
#define SCSI_SKS_VALID		       0x80u /* key_specific[0] */
#define SCSI_SKS_IN_CDB		       0x40u /* else in the parameter list */
#define SCSI_SKS_BIT_VALID	       0x08u

struct scsi_sense {
	uint8_t key;  /* enum scsi_sense_key */
	uint16_t asc; /* SCSI_ASC() */
};

/*
 * Key, code and qualifier of sense data in fixed or descriptor format. False if the
 * bytes are too few or in neither format (*out is then NO SENSE).
 */
static inline bool scsi_sense_get(const uint8_t *sense, size_t bytes, struct scsi_sense *out)
{
	out->key = 0;
	out->asc = 0;
	if (bytes < 4)
		return false;
	switch (sense[0] & 0x7Fu) {
	case SCSI_SENSE_FIXED_CURRENT:
	case SCSI_SENSE_FIXED_DEFERRED:
		out->key = sense[2] & SCSI_SENSE_KEY_MASK;
		if (bytes >= 14)
			out->asc = scsi_get16(sense + 12);
		return true;
	case SCSI_SENSE_DESCRIPTOR_CURRENT:
	case SCSI_SENSE_DESCRIPTOR_DEFERRED:
		out->key = sense[1] & SCSI_SENSE_KEY_MASK;
		out->asc = scsi_get16(sense + 2);
		return true;
	default:
		return false;
	}
}

/* ---- INQUIRY ------------------------------------------------------------------------------- */

#define SCSI_INQUIRY_EVPD  0x01u /* CDB byte 1 */
#define SCSI_INQUIRY_CMDDT 0x02u

#define SCSI_TYPE_DISK	       0x00u
#define SCSI_TYPE_DVD	       0x05u
#define SCSI_TYPE_UNKNOWN      0x1Fu
#define SCSI_TYPE_MASK	       0x1Fu
#define SCSI_QUALIFIER_ABSENT  0x60u /* no device can be at this LUN */
#define SCSI_PERIPHERAL_ABSENT 0x7Fu /* first INQUIRY byte of a LUN that is not there */

#define SCSI_INQUIRY_REMOVABLE 0x80u /* byte 1 */
#define SCSI_INQUIRY_CMDQUE    0x02u /* byte 7 */
#define SCSI_INQUIRY_SPC3      0x05u
#define SCSI_INQUIRY_FORMAT    0x02u

struct scsi_inquiry_wire {
	uint8_t peripheral; /* SCSI_TYPE_*, SCSI_QUALIFIER_* */
	uint8_t removable;
	uint8_t version;
	uint8_t format;
	uint8_t additional_length; /* bytes behind this one */
	uint8_t flags5;
	uint8_t flags6;
	uint8_t flags7;
	uint8_t vendor[8];
	uint8_t product[16];
	uint8_t revision[4];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_inquiry_wire, 36);
PROTOCOL_ASSERT_OFFSET(struct scsi_inquiry_wire, flags7, 7);
PROTOCOL_ASSERT_OFFSET(struct scsi_inquiry_wire, vendor, 8);
PROTOCOL_ASSERT_OFFSET(struct scsi_inquiry_wire, product, 16);
PROTOCOL_ASSERT_OFFSET(struct scsi_inquiry_wire, revision, 32);

enum scsi_vpd_page {
	SCSI_VPD_SUPPORTED = 0x00,
	SCSI_VPD_SERIAL = 0x80,
	SCSI_VPD_IDENTIFICATION = 0x83,
	SCSI_VPD_BLOCK_LIMITS = 0xB0,
	SCSI_VPD_BLOCK_CHARACTERISTICS = 0xB1,
	SCSI_VPD_PROVISIONING = 0xB2,
	SCSI_VPD_MSFT_PAGING_EXTENT = 0xCE,
	SCSI_VPD_MSFT_VIRTUAL_DEVICE = 0xCF,
};

struct scsi_vpd_header_wire {
	uint8_t peripheral;
	uint8_t page;
	uint8_t length[2]; /* bytes behind the header */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_vpd_header_wire, 4);

/* VPD 83 designator header; the designator follows. */
struct scsi_designator_wire {
	uint8_t code_set; /* 1 binary, 2 ASCII */
	uint8_t type;	  /* low 4 bits: 1 T10 vendor id, 2 EUI-64, 3 NAA; 4-5: association */
	uint8_t reserved;
	uint8_t length;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_designator_wire, 4);

#define SCSI_DESIGNATOR_BINARY 0x01u
#define SCSI_DESIGNATOR_ASCII  0x02u
#define SCSI_DESIGNATOR_T10    0x01u
#define SCSI_DESIGNATOR_NAA    0x03u

/* VPD B0, whole page. */
struct scsi_vpd_block_limits_wire {
	struct scsi_vpd_header_wire header; /* length 60 */
	uint8_t wsnz;			    /* bit 0: WRITE SAME count 0 is refused */
	uint8_t compare_and_write_max;	    /* blocks; 0: not supported */
	uint8_t transfer_granularity[2];
	uint8_t transfer_max[4];
	uint8_t transfer_optimal[4];
	uint8_t prefetch_max[4];
	uint8_t unmap_lba_max[4]; /* blocks in one UNMAP */
	uint8_t unmap_descriptors_max[4];
	uint8_t unmap_granularity[4];
	uint8_t unmap_alignment[4]; /* bit 31: valid */
	uint8_t write_same_max[8];
	uint8_t reserved[20];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_vpd_block_limits_wire, 64);
PROTOCOL_ASSERT_OFFSET(struct scsi_vpd_block_limits_wire, unmap_lba_max, 20);
PROTOCOL_ASSERT_OFFSET(struct scsi_vpd_block_limits_wire, unmap_descriptors_max, 24);
PROTOCOL_ASSERT_OFFSET(struct scsi_vpd_block_limits_wire, unmap_granularity, 28);
PROTOCOL_ASSERT_OFFSET(struct scsi_vpd_block_limits_wire, unmap_alignment, 32);
PROTOCOL_ASSERT_OFFSET(struct scsi_vpd_block_limits_wire, write_same_max, 36);

/* VPD B1, whole page. */
struct scsi_vpd_characteristics_wire {
	struct scsi_vpd_header_wire header; /* length 60 */
	uint8_t rotation_rate[2];	    /* 1: does not rotate */
	uint8_t reserved[58];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_vpd_characteristics_wire, 64);

/* VPD B2, whole page. */
struct scsi_vpd_provisioning_wire {
	struct scsi_vpd_header_wire header; /* length 4 */
	uint8_t threshold_exponent;
	uint8_t flags; /* SCSI_LBPU … */
	uint8_t type;  /* 0 full, 1 resource, 2 thin */
	uint8_t reserved;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_vpd_provisioning_wire, 8);

#define SCSI_LBPU	       0x80u /* UNMAP */
#define SCSI_LBPWS	       0x40u /* WRITE SAME(16) with UNMAP */
#define SCSI_LBPWS10	       0x20u /* WRITE SAME(10) with UNMAP */
#define SCSI_LBPRZ	       0x04u /* unmapped blocks read as zero */
#define SCSI_PROVISIONING_THIN 0x02u

/* ---- capacity ------------------------------------------------------------------------------ */

struct scsi_capacity10_wire {
	uint8_t last_lba[4]; /* 0xFFFFFFFF: ask with READ CAPACITY(16) */
	uint8_t block_bytes[4];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_capacity10_wire, 8);

struct scsi_capacity16_wire {
	uint8_t last_lba[8];
	uint8_t block_bytes[4];
	uint8_t protection;
	uint8_t physical_exponent; /* low 4 bits: log2(physical / logical block) */
	uint8_t provisioning[2];   /* SCSI_CAPACITY_LBPME, SCSI_CAPACITY_LBPRZ, lowest aligned */
	uint8_t reserved[16];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_capacity16_wire, 32);
PROTOCOL_ASSERT_OFFSET(struct scsi_capacity16_wire, physical_exponent, 13);
PROTOCOL_ASSERT_OFFSET(struct scsi_capacity16_wire, provisioning, 14);

#define SCSI_CAPACITY_LBPME 0x8000u
#define SCSI_CAPACITY_LBPRZ 0x4000u

/* ---- mode pages ---------------------------------------------------------------------------- */

#define SCSI_MODE_SELECT_SP	0x01u /* MODE SELECT byte 1: save pages */
#define SCSI_MODE_SELECT_PF	0x10u
#define SCSI_MODE_SENSE_DBD	0x08u /* MODE SENSE byte 1 */
#define SCSI_MODE_PAGE_MASK	0x3Fu /* MODE SENSE byte 2 */
#define SCSI_MODE_CONTROL_SHIFT 6u

enum scsi_mode_control {
	SCSI_MODE_CURRENT = 0,
	SCSI_MODE_CHANGEABLE = 1,
	SCSI_MODE_DEFAULT = 2,
	SCSI_MODE_SAVED = 3,
};

enum scsi_mode_page {
	SCSI_MODE_ERROR_RECOVERY = 0x01,
	SCSI_MODE_CACHING = 0x08,
	SCSI_MODE_POWER_CONDITION = 0x1A,
	SCSI_MODE_TIMEOUT_PROTECT = 0x1D,
	SCSI_MODE_ALL = 0x3F,
};

#define SCSI_MODE_HEADER6_BYTES	 4u
#define SCSI_MODE_HEADER10_BYTES 8u
#define SCSI_MODE_WRITE_PROTECT	 0x80u /* device-specific parameter */
#define SCSI_MODE_DPOFUA	 0x10u
#define SCSI_MODE_CACHING_BYTES	 20u /* page 08 with its two header bytes */
#define SCSI_MODE_CACHING_WCE	 0x04u
#define SCSI_MODE_CACHING_RCD	 0x01u

/* ---- UNMAP --------------------------------------------------------------------------------- */

struct scsi_unmap_header_wire {
	uint8_t data_length[2];	       /* bytes behind this field */
	uint8_t descriptors_length[2]; /* bytes of descriptors */
	uint8_t reserved[4];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_unmap_header_wire, 8);

struct scsi_unmap_descriptor_wire {
	uint8_t lba[8];
	uint8_t count[4];
	uint8_t reserved[4];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_unmap_descriptor_wire, 16);

#define SCSI_UNMAP_ANCHOR 0x01u /* CDB byte 1 */

/* ---- REPORT LUNS --------------------------------------------------------------------------- */

#define SCSI_REPORT_LUNS_HEADER_BYTES 8u /* length (32 bits), reserved */
#define SCSI_REPORT_LUNS_ENTRY_BYTES  8u /* LUN number in byte 1 */

/* ---- GET LBA STATUS ------------------------------------------------------------------------ */

#define SCSI_LBA_STATUS_HEADER_BYTES 8u
#define SCSI_LBA_STATUS_ENTRY_BYTES  16u
#define SCSI_LBA_MAPPED		     0x0u
#define SCSI_LBA_DEALLOCATED	     0x1u

/* ---- persistent reservations --------------------------------------------------------------- */

enum scsi_pr_in_action {
	SCSI_PR_READ_KEYS = 0,
	SCSI_PR_READ_RESERVATION = 1,
	SCSI_PR_REPORT_CAPABILITIES = 2,
	SCSI_PR_READ_FULL_STATUS = 3,
};

enum scsi_pr_out_action {
	SCSI_PR_REGISTER = 0,
	SCSI_PR_RESERVE = 1,
	SCSI_PR_RELEASE = 2,
	SCSI_PR_CLEAR = 3,
	SCSI_PR_PREEMPT = 4,
	SCSI_PR_PREEMPT_ABORT = 5,
	SCSI_PR_REGISTER_IGNORE = 6,
	SCSI_PR_REGISTER_MOVE = 7,
};

enum scsi_pr_type {
	SCSI_PR_WRITE_EXCLUSIVE = 1,
	SCSI_PR_EXCLUSIVE_ACCESS = 3,
	SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS = 5,
	SCSI_PR_EXCLUSIVE_ACCESS_REGISTRANTS = 6,
	SCSI_PR_WRITE_EXCLUSIVE_ALL = 7,
	SCSI_PR_EXCLUSIVE_ACCESS_ALL = 8,
};

/* Parameter list of PERSISTENT RESERVE OUT. */
struct scsi_pr_out_wire {
	uint8_t key[8];
	uint8_t service_key[8];
	uint8_t obsolete1[4];
	uint8_t flags; /* SCSI_PR_APTPL … */
	uint8_t reserved;
	uint8_t obsolete2[2];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct scsi_pr_out_wire, 24);
PROTOCOL_ASSERT_OFFSET(struct scsi_pr_out_wire, flags, 20);

#define SCSI_PR_APTPL	  0x01u
#define SCSI_PR_ALL_TG_PT 0x04u
#define SCSI_PR_SPEC_I_PT 0x08u

/* ---- multimedia (DVD) ---------------------------------------------------------------------- */

#define SCSI_TOC_MSF	     0x02u /* READ TOC byte 1 */
#define SCSI_TOC_FORMAT_MASK 0x0Fu /* byte 2 */
#define SCSI_TOC_LEADOUT     0xAAu

#define SCSI_CONFIG_RT_MASK  0x03u /* GET CONFIGURATION byte 1 */
#define SCSI_PROFILE_CD_ROM  0x0008u
#define SCSI_PROFILE_DVD_ROM 0x0010u

#define SCSI_EVENT_POLLED 0x01u /* GET EVENT STATUS NOTIFICATION byte 1 */

enum scsi_event_class {
	SCSI_EVENT_OPERATIONAL = 1,
	SCSI_EVENT_POWER = 2,
	SCSI_EVENT_EXTERNAL = 3,
	SCSI_EVENT_MEDIA = 4,
	SCSI_EVENT_MULTI_HOST = 5,
	SCSI_EVENT_BUSY = 6,
};

#define SCSI_MEDIA_EVENT_NONE	 0u
#define SCSI_MEDIA_EVENT_EJECT	 1u
#define SCSI_MEDIA_EVENT_NEW	 2u
#define SCSI_MEDIA_EVENT_REMOVAL 3u
#define SCSI_MEDIA_TRAY_OPEN	 0x01u
#define SCSI_MEDIA_PRESENT	 0x02u

#define SCSI_START_START 0x01u /* START STOP UNIT byte 4 */
#define SCSI_START_LOEJ	 0x02u
#define SCSI_START_IMMED 0x01u /* byte 1 */

#define SCSI_PREVENT		0x01u /* PREVENT ALLOW MEDIUM REMOVAL byte 4 */
#define SCSI_PREVENT_PERSISTENT 0x02u

#endif
