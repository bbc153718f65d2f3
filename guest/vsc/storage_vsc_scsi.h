// SPDX-License-Identifier: Apache-2.0
/*
 * SCSI as the storage client needs it: builds CDBs (command descriptor blocks),
 * reads the replies that describe a logical unit, and says what to do about a
 * command that did not go well.
 *
 * Pure functions over private bytes: nothing here touches memory that a host can
 * change, keeps state, or fails in another way than its return value says.
 *
 * Sources: protocol/scsi.h, T10 SPC-3 and SBC-3; R-STOR-027, R-STOR-037, R-STOR-054.
 */
#ifndef GUEST_VSC_STORAGE_VSC_SCSI_H
#define GUEST_VSC_STORAGE_VSC_SCSI_H

#include "protocol/scsi.h"
#include "protocol/storage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- commands: write a CDB into 16 zeroed bytes, return its length ------ */

/* READ or WRITE: the 10-byte form if address and count fit, else the 16-byte form. */
static inline uint8_t storage_cdb_transfer(
	uint8_t *cdb, bool is_write, uint8_t flags, uint64_t lba, uint32_t blocks)
{
	if (lba + blocks <= UINT32_MAX && blocks <= UINT16_MAX) {
		scsi_block_cdb10_put(cdb, is_write ? SCSI_OP_WRITE_10 : SCSI_OP_READ_10, flags,
			(uint32_t)lba, (uint16_t)blocks);
		return 10;
	}
	scsi_block_cdb16_put(
		cdb, is_write ? SCSI_OP_WRITE_16 : SCSI_OP_READ_16, flags, lba, blocks);
	return 16;
}

/* SYNCHRONIZE CACHE of the whole medium. */
uint8_t storage_cdb_flush(uint8_t *cdb);
/* UNMAP with a parameter list of `bytes`. */
uint8_t storage_cdb_unmap(uint8_t *cdb, uint16_t bytes);
/* WRITE SAME(16) of one block of data; may_unmap: the blocks need not stay allocated. */
uint8_t storage_cdb_write_same(uint8_t *cdb, bool may_unmap, uint64_t lba, uint32_t blocks);
uint8_t storage_cdb_test_unit_ready(uint8_t *cdb);
/* Standard INQUIRY data, or a VPD page. */
uint8_t storage_cdb_inquiry(uint8_t *cdb, uint16_t bytes);
uint8_t storage_cdb_vpd(uint8_t *cdb, uint8_t page, uint16_t bytes);
uint8_t storage_cdb_report_luns(uint8_t *cdb, uint32_t bytes);
uint8_t storage_cdb_capacity10(uint8_t *cdb);
uint8_t storage_cdb_capacity16(uint8_t *cdb, uint32_t bytes);
/* Current values of all mode pages. */
uint8_t storage_cdb_mode_sense6(uint8_t *cdb, uint8_t bytes);
uint8_t storage_cdb_mode_sense10(uint8_t *cdb, uint16_t bytes);

#define STORAGE_UNMAP_LIST_BYTES 24u /* parameter list with one descriptor */

/* Parameter list of an UNMAP of one range. */
void storage_unmap_list_put(uint8_t list[STORAGE_UNMAP_LIST_BYTES], uint64_t lba, uint32_t blocks);

/* ---- what a logical unit is --------------------------------------------- */

#define STORAGE_BLOCK_BYTES_MIN 512u
#define STORAGE_BLOCK_BYTES_MAX 4096u
#define STORAGE_SERIAL_BYTES	64u
#define STORAGE_ID_BYTES	32u

struct storage_properties {
	uint8_t type; /* SCSI_TYPE_DISK or SCSI_TYPE_DVD */
	uint8_t version;
	bool is_removable;
	bool is_tagged;	 /* INQUIRY CmdQue: tagged commands may be queued */
	bool has_medium; /* blocks and block_bytes are valid */
	bool is_read_only;
	bool has_write_cache;  /* a flush is needed for durability */
	bool can_fua;	       /* DPOFUA */
	bool can_unmap;	       /* UNMAP */
	bool can_unmap_same;   /* WRITE SAME(16) with UNMAP */
	bool unmapped_is_zero; /* unmapped blocks read as zeros */
	uint32_t block_bytes;  /* 512..4096, a power of two; 0 if there is no medium */
	uint32_t physical_bytes;
	uint64_t blocks;			  /* blocks * block_bytes <= INT64_MAX */
	uint32_t unmap_blocks_max;		  /* in one UNMAP; 0: unknown */
	uint64_t write_same_blocks_max;		  /* 0: no limit given */
	uint8_t vpd_pages;			  /* STORAGE_VPD_*: offered by the device */
	uint8_t id_bytes;			  /* of id: the NAA designator, else T10's */
	char vendor[9], product[17], revision[5]; /* printable ASCII, NUL-terminated, trimmed */
	char serial[STORAGE_SERIAL_BYTES + 1];	  /* likewise; "" if there is none */
	uint8_t id[STORAGE_ID_BYTES];
};

#define STORAGE_VPD_SERIAL	    0x01u
#define STORAGE_VPD_IDENTIFICATION  0x02u
#define STORAGE_VPD_LIMITS	    0x04u
#define STORAGE_VPD_CHARACTERISTICS 0x08u
#define STORAGE_VPD_PROVISIONING    0x10u

/*
 * Readers of replies: `data` is a private copy of the `bytes` that the device
 * moved. Each adds what it learned to *p and returns true, or returns false and
 * leaves *p alone when the reply is too short or cannot be true.
 */
bool storage_inquiry_read(struct storage_properties *p, const uint8_t *data, size_t bytes);
bool storage_vpd_list_read(struct storage_properties *p, const uint8_t *data, size_t bytes);
bool storage_vpd_serial_read(struct storage_properties *p, const uint8_t *data, size_t bytes);
bool storage_vpd_id_read(struct storage_properties *p, const uint8_t *data, size_t bytes);
bool storage_vpd_limits_read(struct storage_properties *p, const uint8_t *data, size_t bytes);
bool storage_vpd_characteristics_read(
	struct storage_properties *p, const uint8_t *data, size_t bytes);
bool storage_vpd_provisioning_read(struct storage_properties *p, const uint8_t *data, size_t bytes);
/* READ CAPACITY(10) is no use (false) if the medium is too large for it. */
bool storage_capacity10_read(struct storage_properties *p, const uint8_t *data, size_t bytes);
bool storage_capacity16_read(struct storage_properties *p, const uint8_t *data, size_t bytes);
bool storage_mode6_read(struct storage_properties *p, const uint8_t *data, size_t bytes);
bool storage_mode10_read(struct storage_properties *p, const uint8_t *data, size_t bytes);

/* True if the first byte of INQUIRY data says that nothing is at this LUN. */
static inline bool storage_inquiry_is_absent(uint8_t peripheral)
{
	return (peripheral & 0xE0u) == SCSI_QUALIFIER_ABSENT ||
	       (peripheral & SCSI_TYPE_MASK) == SCSI_TYPE_UNKNOWN;
}

#define STORAGE_LUNS_LIST_BYTES                                                                    \
	(SCSI_REPORT_LUNS_HEADER_BYTES + 256u * SCSI_REPORT_LUNS_ENTRY_BYTES)

/* Which LUNs (bit n: LUN n, 0..255) a REPORT LUNS reply names. False: no such reply. */
bool storage_luns_read(uint64_t luns[4], const uint8_t *data, size_t bytes);

/* ---- judgement ---------------------------------------------------------- */

enum storage_verdict {
	STORAGE_VERDICT_DONE,
	STORAGE_VERDICT_RETRY,	     /* at once */
	STORAGE_VERDICT_RETRY_LATER, /* the device is busy */
	STORAGE_VERDICT_FAIL,
};

struct storage_judgement {
	enum storage_verdict verdict;
	int error;	   /* FAIL, or a retry too many: a negative VIRIDIAN_E*; else 0 */
	bool wants_rescan; /* what we know of this LUN or its bus is out of date */
};

struct storage_sense {
	bool is_valid;
	bool is_deferred; /* about an earlier command */
	uint8_t key;	  /* enum scsi_sense_key */
	uint16_t asc;	  /* enum scsi_asc */
};

/* Decode sense data; is_valid is false if there is none in a known format. */
struct storage_sense storage_sense_read(const uint8_t *sense, size_t bytes);

/* What to do about a completed command. srb_status may carry its flag bits. */
struct storage_judgement storage_judge(
	uint8_t srb_status, uint8_t scsi_status, const struct storage_sense *sense);

#endif
