// SPDX-License-Identifier: Apache-2.0
/*
 * vsc-disk as a guest: joins the partition, connects the bus, opens every SCSI
 * controller (also those that appear later), and the services (vsc_disk_services.h).
 *
 *	vsc_disk.c, vsc_disk_tree.c
 *	   |  disk_guest_*                            ^ on_lun
 *	vsc_disk_guest.c
 *	   |  storage_controller.h, vsc_disk_services.h, vmbus.h, platform_loopback_linux.h
 *
 * Threads: one. Calls that wait have deadlines and serve the bus meanwhile.
 */
#ifndef GUEST_VSC_VSC_DISK_GUEST_H
#define GUEST_VSC_VSC_DISK_GUEST_H

#include "guest/vsc/storage_controller.h"
#include "guest/vsc/vsc_disk_options.h"
#include "guest/vsc/vsc_disk_services.h"
#include "guest/winhv/platform_loopback_linux.h"

#define DISK_CONTROLLERS_MAX 8u
#define DISK_LUNS_MAX	     256u /* of one controller */
#define DISK_ARENA_BYTES_MAX (128u << 20)
#define DISK_ARENA_BYTES_MIN (4u << 20)

struct disk_guest;

struct disk_controller {
	struct disk_guest *guest;
	unsigned number; /* c0, c1, …: kept for the instance, however often it comes back */
	bool is_known;	 /* instance is valid */
	bool is_open;
	uint32_t failed_relid; /* opening this offer failed: leave it alone */
	struct guid instance;
	struct storage_controller *controller; /* owned, with its slots and LUNs; NULL: closed */
	struct storage_vsc_slot *slots;
	struct storage_vsc_lun *luns;
	bool is_scanned; /* once at least */
};

struct disk_guest {
	const struct disk_options *options;
	struct platform_loopback *platform;
	struct winhv hv;
	struct vmbus *bus; /* owned */
	bool is_bus_up;
	bool are_offers_new;
	bool is_host_gone;
	struct disk_controller controllers[DISK_CONTROLLERS_MAX];
	struct winhv_pages arena;
	struct disk_services services;
	uint64_t next_time; /* of disk_guest_service(), 100 ns */
	/* A LUN came, changed or went. */
	void (*on_lun)(void *ctx, struct disk_controller *controller, enum storage_vsc_event event,
		struct storage_vsc_lun *lun);
	void *ctx;
};

/*
 * Join and connect, take memory for data, open what is offered, enumerate. Complains on stderr
 * in one line and returns a negative errno, with nothing left, if that fails.
 */
int disk_guest_connect(struct disk_guest *guest, const struct disk_options *options);

/* One look at the bus, without sleeping. The number of things done; negative: the host is gone. */
int disk_guest_poll(struct disk_guest *guest);
/* Publish what was submitted. */
void disk_guest_flush(struct disk_guest *guest);
/* Deadlines, new controllers, dead ones. Outside of callbacks, when next_time has come or
 * disk_guest_poll() did something. */
void disk_guest_service(struct disk_guest *guest);
/* Requests that the host has, or that wait to get there. */
bool disk_guest_is_busy(const struct disk_guest *guest);

/* The host has gone: end every request and every disk; the memory stays for now. */
void disk_guest_give_up(struct disk_guest *guest);

/*
 * Flush the disks, close the channels, unload, part. Returns 0, or a negative errno if the host
 * did not play along (then memory that it may still use is gone with it).
 */
int disk_guest_disconnect(struct disk_guest *guest, bool with_flush);

#endif
