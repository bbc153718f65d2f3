// SPDX-License-Identifier: Apache-2.0
/*
 * A storage controller on the guest's bus: opens its channel and the subchannels
 * that the host grants, joins their rings to a storage client (storage_vsc.h), and
 * gives simple programs calls that wait.
 *
 *	program
 *	   |  storage_vsc_submit(&controller.vsc, …)   storage_controller_read(…)
 *	storage_controller
 *	   |  vmbus.h
 *	guest bus
 *
 *	struct storage_controller c;
 *	storage_controller_open(&c, &bus, &hv, offer->relid, &config, deadline);
 *	storage_controller_scan(&c, deadline);
 *	lun = storage_vsc_lun_find(&c.vsc, 0, 0, 0);
 *	storage_controller_read(&c, lun, lba, blocks, &pages, 0, 5000);
 *	storage_controller_close(&c, deadline);
 *
 * A program with a loop of its own calls vmbus_poll() and then, outside of
 * callbacks, storage_controller_service(); storage_controller_poll() does both.
 *
 * No allocation but shared pages, no libc, no threads: everything on the bus's thread.
 * The struct must not move while it is open, and is too large for a small stack.
 */
#ifndef GUEST_VSC_STORAGE_CONTROLLER_H
#define GUEST_VSC_STORAGE_CONTROLLER_H

#include "guest/vmbus/vmbus.h"
#include "guest/vsc/storage_vsc.h"

#define STORAGE_CONTROLLER_RING_OUT_BYTES (132u * 1024) /* control page included */
#define STORAGE_CONTROLLER_RING_IN_BYTES  (68u * 1024)
#define STORAGE_CONTROLLER_OPEN_100NS	  20000000u /* 2 s: for opening a subchannel */

struct storage_controller;

struct storage_controller_config {
	uint16_t version_max;			/* STORAGE_VERSION_*; 0: the newest */
	uint16_t sub_channels;			/* wanted beside the primary, 0..64 */
	uint8_t path_count;			/* to enumerate; 0: 1 */
	uint8_t target_count;			/* 0: 64 */
	uint32_t timeout_ms;			/* of a request; 0: 30000 */
	uint32_t grace_ms;			/* 0: 10000 */
	uint32_t ring_out_bytes, ring_in_bytes; /* 0: STORAGE_CONTROLLER_RING_*; page multiples */
	struct storage_vsc_slot *slots;		/* borrowed while open */
	uint32_t slot_count;
	struct storage_vsc_lun *luns; /* likewise */
	uint32_t lun_count;
	/* As in struct storage_vsc_config; may be NULL. */
	void (*on_lun)(void *ctx, struct storage_controller *controller,
		enum storage_vsc_event event, struct storage_vsc_lun *lun);
	void (*on_scan)(void *ctx, struct storage_controller *controller, int error);
	void *ctx;
};

struct storage_controller_channel {
	struct vmbus_channel channel;
	struct storage_controller *owner;
	unsigned index; /* in the client */
	bool is_open;
	bool is_rescinded;
	bool is_broken; /* its ring */
};

struct storage_controller {
	struct storage_vsc vsc;
	struct vmbus *bus;
	struct winhv *hv;
	struct storage_controller_config config;
	struct winhv_pages scan_pages;
	uint32_t relid; /* of the primary */
	bool is_open;
	bool is_gone;		     /* rescinded, or the host is dead: close it */
	uint16_t sub_channels_tried; /* subchannels 1..n have been opened, or refused */
	uint32_t sub_channels_open;
	struct storage_controller_channel channels[STORAGE_VSC_CHANNELS_MAX]; /* 0: primary */
};

/*
 * Open the controller whose primary channel is offered as `relid` and negotiate. Returns 0, or
 * a negative error with nothing left open: -VIRIDIAN_ENOENT (no such offer), -VIRIDIAN_ENOTSUP
 * (no common protocol version), -VIRIDIAN_ETIMEDOUT, -VIRIDIAN_ENODEV, -VIRIDIAN_EPROTO,
 * -VIRIDIAN_EIO (the host refused), -VIRIDIAN_ENOMEM, -VIRIDIAN_EINVAL.
 */
int storage_controller_open(struct storage_controller *controller, struct vmbus *bus,
	struct winhv *hv, uint32_t relid, const struct storage_controller_config *config,
	uint64_t deadline);

/*
 * Time and housekeeping: deadlines and retries of requests, enumeration, subchannels that were
 * offered or rescinded. *next gets the time of the next call that is needed (UINT64_MAX: none)
 * if next is not NULL. 0, or why the controller has to be closed: -VIRIDIAN_ENODEV, or the
 * error of a client that failed.
 */
int storage_controller_service(struct storage_controller *controller, uint64_t *next);

/* vmbus_poll() for at most `timeout_100ns`, then the service. 0 or a negative error. */
int storage_controller_poll(struct storage_controller *controller, uint64_t timeout_100ns);

/*
 * Close all channels; every request ends, every LUN is removed. The controller is closed
 * whatever the result; an error says that the host did not confirm it, so that the memory of
 * requests that were in flight is lost (their is_memory_lost says which).
 */
int storage_controller_close(struct storage_controller *controller, uint64_t deadline);

/* ---- calls that wait ------------------------------------------------------ */

/* Enumerate; LUNs are in the table afterwards. */
int storage_controller_scan(struct storage_controller *controller, uint64_t deadline);

/*
 * Submit a request (done is set here) and wait for its end. Returns its result. If
 * the host dies meanwhile, everything ends and is_memory_lost is set.
 */
int storage_controller_run(
	struct storage_controller *controller, struct storage_vsc_request *request);

/* `blocks` blocks from `lba` on, at `offset` of `pages`; timeout_ms 0: the configured one. */
int storage_controller_read(struct storage_controller *controller, struct storage_vsc_lun *lun,
	uint64_t lba, uint32_t blocks, const struct winhv_pages *pages, size_t offset,
	uint32_t timeout_ms);
int storage_controller_write(struct storage_controller *controller, struct storage_vsc_lun *lun,
	uint64_t lba, uint32_t blocks, const struct winhv_pages *pages, size_t offset,
	uint32_t timeout_ms);
int storage_controller_flush(
	struct storage_controller *controller, struct storage_vsc_lun *lun, uint32_t timeout_ms);

#endif
