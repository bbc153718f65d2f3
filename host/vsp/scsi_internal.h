// SPDX-License-Identifier: Apache-2.0
/*
 * What the SCSI command handlers share. Private to host/vsp/scsi_*.c.
 */
#ifndef HOST_VSP_SCSI_INTERNAL_H
#define HOST_VSP_SCSI_INTERNAL_H

#include "host/vsp/scsi_device.h"
#include "protocol/storage.h"

#include <errno.h>

/* How a command meets a reservation that the nexus does not hold. */
enum scsi_access {
	SCSI_ACCESS_ANY,   /* always allowed */
	SCSI_ACCESS_READ,  /* conflicts with the exclusive-access types */
	SCSI_ACCESS_WRITE, /* conflicts with every type */
};

#define SCSI_COMMAND_KEEPS_ATTENTION 0x1u /* runs although a unit attention is pending */
#define SCSI_COMMAND_KEEPS_SENSE     0x2u /* does not forget saved sense */

#define SCSI_TYPE_BIT_DISK (1u << SCSI_DEVICE_DISK)
#define SCSI_TYPE_BIT_DVD  (1u << SCSI_DEVICE_DVD)

struct scsi_command {
	uint8_t opcode;
	uint8_t cdb_bytes; /* shortest */
	uint8_t types;	   /* SCSI_TYPE_BIT_* */
	uint8_t direction; /* enum storage_direction of its data */
	uint8_t access;	   /* enum scsi_access */
	uint8_t flags;	   /* SCSI_COMMAND_* */
	const char *name;
	void (*run)(struct scsi_request *request);
};

/* The table, in ascending order of (opcode, types); row 0 is not a command. */
extern const struct scsi_command scsi_command_table[];
extern const unsigned scsi_command_count;

/* "Msft    ", which Linux looks at. */
extern const char scsi_vendor[8];

/* ---- endings: each calls done() ------------------------------------------------------------ */

void scsi_finish(struct scsi_request *request, uint8_t scsi_status, uint8_t srb_status);
/* GOOD, with `moved` bytes moved. */
void scsi_good(struct scsi_request *request, uint32_t moved);
/* CHECK CONDITION with sense. */
void scsi_check(
	struct scsi_request *request, uint8_t srb_status, enum scsi_sense_key key, uint16_t asc);
/* ILLEGAL REQUEST with the SRB status that the type of device uses. */
void scsi_illegal(struct scsi_request *request, uint16_t asc);
/* 5/24/00 with a pointer to byte `field` of the CDB. */
void scsi_illegal_cdb(struct scsi_request *request, unsigned field);
/* 5/26/00 with a pointer to byte `field` of the parameter list. */
void scsi_illegal_parameter(struct scsi_request *request, unsigned field);
/* CHECK CONDITION without sense. */
void scsi_check_bare(struct scsi_request *request, uint8_t srb_status);
/* What a failed store operation means to the guest; result < 0. */
void scsi_store_failed(struct scsi_request *request, enum store_op op, int result);

/* ---- data ---------------------------------------------------------------------------------- */

/* End GOOD with min(bytes, allocation, data buffer) bytes of `data`. */
void scsi_reply(struct scsi_request *request, const void *data, size_t bytes, size_t allocation);
/* Copy into or out of the data buffer from byte `offset`; returns the bytes that fit. */
size_t scsi_buffer_write(
	struct scsi_request *request, size_t offset, const void *data, size_t bytes);
size_t scsi_buffer_read(
	const struct scsi_request *request, size_t offset, void *data, size_t bytes);
/* Put the pieces of [offset, offset + bytes) of the buffer into `out`; how many, 0: too many. */
unsigned scsi_buffer_slice(const struct scsi_request *request, size_t offset, size_t bytes,
	struct iovec *out, unsigned out_max);

/* ---- steps --------------------------------------------------------------------------------- */

/*
 * Run request->step until it ends the request. Each step submits one I/O with
 * scsi_submit() and returns true, or ends the request and returns false; it finds
 * the result of its last I/O in request->result.
 */
void scsi_drive(struct scsi_request *request);
/* Submit request->store (op, range, iov set) as the I/O of a step. */
void scsi_submit(struct scsi_request *request);
/* As scsi_drive(), once the controller's scratch memory is this request's alone. */
void scsi_drive_with_scratch(struct scsi_request *request);

/* ---- shared checks ------------------------------------------------------------------------- */

/* False, after ending the request with 5/21/00, unless [lba, lba + count) is on the device. */
bool scsi_range_is_valid(struct scsi_request *request, uint64_t lba, uint64_t count);
/* False, after ending the request with 7/27/00, if the device is read-only. */
bool scsi_is_writable(struct scsi_request *request);
/* False, after ending the request with 2/3A/xx, if a DVD drive has no medium. */
bool scsi_has_medium(struct scsi_request *request);
/* True if the nexus may not run a command of this access now (R-STOR-043). */
bool scsi_reservation_conflicts(const struct scsi_nexus *nexus, enum scsi_access access);
/* Close a replaced medium once no request uses it. */
void scsi_device_retire(struct scsi_device *device);
/* Forget what a nexus registered and reserved. */
void scsi_reservation_nexus_gone(struct scsi_nexus *nexus);
/* Raise on every nexus of the device but `except` (may be NULL). */
void scsi_device_raise(
	struct scsi_device *device, enum scsi_attention attention, const struct scsi_nexus *except);
/* Take the most important pending attention of a nexus, as a SCSI_ASC. */
uint16_t scsi_attention_take(struct scsi_nexus *nexus);
/* Fill 18 bytes of fixed-format sense. */
void scsi_sense_fill(uint8_t *sense, enum scsi_sense_key key, uint16_t asc);

/* ---- handlers ------------------------------------------------------------------------------ */

/* scsi_common.c */
void scsi_run_nothing(struct scsi_request *request);
void scsi_run_request_sense(struct scsi_request *request);
/* True, or false after ending the request: the checks that every INQUIRY starts with. */
bool scsi_inquiry_is_valid(struct scsi_request *request);

/* scsi_disk.c */
#define SCSI_DISK_INQUIRY_BYTES 104u
void scsi_disk_inquiry_fill(uint8_t *data);
void scsi_disk_inquiry(struct scsi_request *request);
void scsi_disk_mode_select(struct scsi_request *request);
void scsi_disk_mode_sense(struct scsi_request *request);
void scsi_disk_start_stop(struct scsi_request *request);
void scsi_disk_send_diagnostic(struct scsi_request *request);
void scsi_disk_read_capacity_10(struct scsi_request *request);
void scsi_disk_service_action_in(struct scsi_request *request);

/* scsi_block.c */
void scsi_block_read(struct scsi_request *request);
void scsi_block_write(struct scsi_request *request);
void scsi_block_write_and_verify(struct scsi_request *request);
void scsi_block_verify(struct scsi_request *request);
void scsi_block_synchronize_cache(struct scsi_request *request);

/* scsi_unmap.c */
void scsi_unmap(struct scsi_request *request);
void scsi_write_same(struct scsi_request *request);

/* scsi_reserve.c */
void scsi_reserve_in(struct scsi_request *request);
void scsi_reserve_out(struct scsi_request *request);

/* scsi_dvd.c */
void scsi_dvd_inquiry(struct scsi_request *request);
void scsi_dvd_test_unit_ready(struct scsi_request *request);
void scsi_dvd_request_sense(struct scsi_request *request);
void scsi_dvd_start_stop(struct scsi_request *request);
void scsi_dvd_prevent_allow(struct scsi_request *request);
void scsi_dvd_read_capacity(struct scsi_request *request);
void scsi_dvd_mode_select(struct scsi_request *request);
void scsi_dvd_mode_sense(struct scsi_request *request);
void scsi_dvd_get_event_status(struct scsi_request *request);

/* scsi_mmc.c: fixed replies of a single-session DVD-ROM */
/* As scsi_reply(), but a data buffer too small for it is an error. */
void scsi_dvd_reply(
	struct scsi_request *request, const void *data, size_t bytes, size_t allocation);
void scsi_mmc_read_toc(struct scsi_request *request);
void scsi_mmc_get_configuration(struct scsi_request *request);
void scsi_mmc_read_disc_information(struct scsi_request *request);
void scsi_mmc_read_track_information(struct scsi_request *request);
void scsi_mmc_read_buffer_capacity(struct scsi_request *request);
void scsi_mmc_get_performance(struct scsi_request *request);
void scsi_mmc_read_dvd_structure(struct scsi_request *request);
void scsi_mmc_mechanism_status(struct scsi_request *request);
void scsi_mmc_set_streaming(struct scsi_request *request);

#endif
