// SPDX-License-Identifier: Apache-2.0
/*
 * SCSI logical units: disks and DVD drives over a store (host/vsp/store.h).
 *
 *	storage_vsp.c: SRB -> struct scsi_request
 *	   |  scsi_execute()                          ^ request->done(), once
 *	scsi_command.c: the table of commands; checks that all share
 *	   |
 *	scsi_disk.c, scsi_dvd.c, scsi_block.c, scsi_unmap.c, scsi_reserve.c
 *	   |  store_submit()                          ^ store_request.done()
 *	store
 *
 * A device is what a LUN is: it owns a store. A nexus is one attachment of a
 * device to one address of one controller: it holds what SCSI keeps for each
 * initiator (pending unit attentions, saved sense). A device may have several
 * nexuses; they contend by persistent reservations.
 *
 * Requests are owned by the caller, in fixed pools; nothing here allocates after
 * scsi_device_create(). Guest memory appears only as request->iov: mapped and
 * bounds-checked, but written by the guest at any time. Bytes that decide
 * something are copied out once.
 *
 * Threads: a device, its nexuses and its store belong to one event loop.
 */
#ifndef HOST_VSP_SCSI_DEVICE_H
#define HOST_VSP_SCSI_DEVICE_H

#include "host/vsp/store.h"
#include "protocol/scsi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scsi_command;
struct scsi_request;

enum scsi_device_type {
	SCSI_DEVICE_DISK,
	SCSI_DEVICE_DVD,
	SCSI_DEVICE_TYPE_COUNT,
};

#define SCSI_DEVICE_ID_BYTES	   16u
#define SCSI_SERIAL_BYTES_MAX	   64u
#define SCSI_REGISTRATIONS_MAX	   32u /* persistent reservations; one for each nexus */
#define SCSI_NEXUSES_MAX	   SCSI_REGISTRATIONS_MAX
#define SCSI_UNMAP_DESCRIPTORS_MAX 4096u
#define SCSI_WRITE_SAME_BYTES_MAX  (8u << 20)
#define SCSI_SCRATCH_BYTES	   65536u /* bounce for VERIFY and patterns, one a controller */

struct scsi_device_config {
	enum scsi_device_type type;
	uint8_t id[SCSI_DEVICE_ID_BYTES]; /* stable identity: VPD page 83 */
	const char *serial;		  /* VPD page 80; NULL: none; copied */
	bool is_read_only;		  /* even if the store is writable; DVDs always are */
	bool refuses_unmap;		  /* do not offer UNMAP even if the store can discard */
	uint32_t max_transfer_bytes;	  /* bounds WRITE SAME; 0: STORAGE_TRANSFER_BYTES_DEFAULT */
};

/* Unit attentions that a nexus can have pending, reported in this order. */
enum scsi_attention {
	SCSI_ATTENTION_RESET = 0x01,	    /* 29/00 */
	SCSI_ATTENTION_CAPACITY = 0x02,	    /* 2A/09 */
	SCSI_ATTENTION_LUNS = 0x04,	    /* 3F/0E */
	SCSI_ATTENTION_PREEMPTED = 0x08,    /* 2A/03 reservations preempted */
	SCSI_ATTENTION_RELEASED = 0x10,	    /* 2A/04 reservations released */
	SCSI_ATTENTION_UNREGISTERED = 0x20, /* 2A/05 registrations preempted */
};

struct scsi_registration {
	const struct scsi_nexus *nexus;
	uint64_t key;
};

struct scsi_reservations {
	uint32_t generation;
	unsigned count;
	uint8_t type;			 /* enum scsi_pr_type; 0: nothing reserved */
	const struct scsi_nexus *holder; /* NULL for the all-registrants types */
	struct scsi_registration registrations[SCSI_REGISTRATIONS_MAX];
};

struct scsi_dvd_state {
	bool has_medium;
	bool is_tray_open;
	bool is_locked;		   /* PREVENT */
	bool is_locked_persistent; /* persistent PREVENT */
	bool has_removal_event;
	bool has_new_event;
};

struct scsi_device {
	/* Read on every request. */
	struct store *store; /* owned; NULL only in an empty DVD drive */
	uint64_t blocks;
	uint8_t block_shift;
	bool is_read_only;
	bool is_reserved; /* reservations.type != 0 */
	enum scsi_device_type type;

	bool can_unmap;
	uint32_t write_same_bytes_max;
	uint8_t id[SCSI_DEVICE_ID_BYTES];
	char serial[SCSI_SERIAL_BYTES_MAX + 1];
	struct scsi_nexus *nexuses; /* list, borrowed while attached */
	struct scsi_reservations reservations;
	struct scsi_dvd_state dvd;
	struct store *retired; /* owned; a DVD medium that requests in flight still use */
};

/* One attachment; embedded by the controller. Zero, then scsi_nexus_attach(). */
struct scsi_nexus {
	struct scsi_device *device;
	unsigned outstanding; /* requests between scsi_execute() and done() */
	uint8_t attentions;   /* pending enum scsi_attention bits */
	uint8_t sense_bytes;  /* 0: no saved sense */
	uint8_t sense[SCSI_SENSE_BYTES];
	uint64_t port; /* names the initiator in READ FULL STATUS */
	struct scsi_nexus *next;
};

/* Bounce memory shared by the rare commands of a controller that need it. */
struct scsi_scratch {
	uint8_t *bytes;		      /* SCSI_SCRATCH_BYTES, page aligned, owned */
	struct scsi_request *owner;   /* who uses it now */
	struct scsi_request *waiting; /* FIFO */
	struct scsi_request **waiting_end;
};

/* Pages that SCSI_SCRATCH_BYTES of a data buffer can touch, at any alignment. */
#define SCSI_REQUEST_WORK_IOVECS (SCSI_SCRATCH_BYTES / 4096u + 1u)

/* One command in flight. */
struct scsi_request {
	struct store_request store; /* the I/O in flight */

	/* Set by the caller and kept until done(). */
	struct scsi_nexus *nexus;
	struct scsi_scratch *scratch;
	const struct scsi_commands *commands;
	struct iovec *iov; /* the data buffer; entries may be changed */
	unsigned iov_count;
	uint32_t data_bytes; /* sum over iov */
	uint8_t direction;   /* enum storage_direction */
	uint8_t cdb_length;  /* 1..16 */
	uint8_t cdb[16];     /* private copy, zero padded */
	void (*done)(struct scsi_request *request);

	/* The result, valid in done(). */
	uint8_t scsi_status; /* enum scsi_status */
	uint8_t srb_status;  /* enum storage_srb_status, no flag bits */
	uint8_t sense_bytes; /* 0 or SCSI_SENSE_BYTES */
	uint32_t moved_bytes;
	uint8_t sense[SCSI_SENSE_BYTES];

	/* Progress of commands that take several steps. */
	const struct scsi_command *command;
	bool (*step)(struct scsi_request *request); /* true: an I/O was submitted */
	int result;				    /* of the last step */
	bool is_driving;
	bool has_result;
	bool is_writing;
	bool is_hurried; /* end instead of the next step */
	uint8_t phase;
	uint64_t lba;
	uint64_t blocks;   /* in all */
	uint64_t position; /* blocks or descriptors done */
	uint32_t step_blocks;
	uint64_t blocks_left; /* UNMAP: that it may still free */
	struct iovec work[SCSI_REQUEST_WORK_IOVECS];
	struct scsi_request *next; /* in the scratch queue */
};

/* ---- devices ------------------------------------------------------------------------------- */

/*
 * Make a device over `store`, which it owns from then on, also on failure. store NULL:
 * an empty DVD drive. Returns 0, -EINVAL (block size of the store does not fit the
 * type, serial too long or not printable ASCII) or -ENOMEM.
 */
int scsi_device_create(
	const struct scsi_device_config *config, struct store *store, struct scsi_device **out);

/* No nexus is attached and nothing is outstanding. Closes the store. */
void scsi_device_destroy(struct scsi_device *device);

/*
 * Ask the store for its size again; raises 6/2A/09 on every nexus if it changed
 * (R-STOR-037). Returns 1 if it changed, 0 if not, or a negative errno.
 */
int scsi_device_refresh(struct scsi_device *device);

/*
 * The host changes the medium of a DVD drive. insert: `store` (2048-byte blocks) is
 * owned from then on, also on failure; an old medium goes first. eject: fails with
 * -EBUSY while the guest prevents removal, unless forced. -EINVAL: not a DVD drive,
 * or a wrong block size.
 */
int scsi_dvd_insert(struct scsi_device *device, struct store *store);
int scsi_dvd_eject(struct scsi_device *device, bool is_forced);

/* ---- nexuses ------------------------------------------------------------------------------- */

/* Returns 0, or -ENOSPC if the device has SCSI_NEXUSES_MAX already. */
int scsi_nexus_attach(struct scsi_nexus *nexus, struct scsi_device *device, uint64_t port);
/* Also drops the nexus's registration and reservation. Nothing of it is outstanding. The
 * device stays; it may be destroyed once its last nexus is gone. */
void scsi_nexus_detach(struct scsi_nexus *nexus);
void scsi_nexus_raise(struct scsi_nexus *nexus, enum scsi_attention attention);
/* A reset reached the LUN: 6/29/00 is pending, and a DVD drive forgets PREVENT. */
void scsi_nexus_reset(struct scsi_nexus *nexus);

/* ---- commands ------------------------------------------------------------------------------ */

/* Index of the table of commands by type and operation code; 0: not supported. */
struct scsi_commands {
	uint8_t row[SCSI_DEVICE_TYPE_COUNT][256];
};
void scsi_commands_init(struct scsi_commands *commands);

/* 0 or -ENOMEM. */
int scsi_scratch_init(struct scsi_scratch *scratch);
void scsi_scratch_destroy(struct scsi_scratch *scratch);

/*
 * Execute one command. done() is called once, perhaps before this returns; the
 * request is then the caller's again. request->nexus has a device.
 */
void scsi_execute(struct scsi_request *request);

/*
 * The commands that a controller answers for a LUN that is not there: INQUIRY gives
 * data that say so (R-STOR-028); others end with SRB 0x20 (R-STOR-029).
 * request->nexus is not used. Calls done().
 */
void scsi_execute_absent(struct scsi_request *request, bool is_lun_zero);

/*
 * REPORT LUNS: answered by the controller. `luns` are `count` ≤ 255 ascending LUN
 * numbers (R-STOR-030). Calls done().
 */
void scsi_execute_report_luns(struct scsi_request *request, const uint8_t *luns, unsigned count);

/* End a request that contradicts itself, without executing it: 5/24/00. Calls done(). */
void scsi_request_refuse(struct scsi_request *request);

/* Make the data buffer the first `bytes` ≤ data_bytes bytes of what iov describes. */
void scsi_request_cut(struct scsi_request *request, uint32_t bytes);

/*
 * Let an executing request end soon, by done() as ever: the store is asked to give it up, and
 * it takes no further step.
 */
void scsi_request_hurry(struct scsi_request *request);

#endif
