// SPDX-License-Identifier: Apache-2.0
/*
 * A SCSI controller with one disk, as a plain host has it: write-through, read-only contents that
 * depend on the block. A test can take any packet for itself. See guest.h.
 */
#ifndef TESTS_CONFORMANCE_LINUX_DISK_H
#define TESTS_CONFORMANCE_LINUX_DISK_H

#include "protocol/storage.h"
#include "tests/conformance/linux/guest.h"

#define LINUX_DISK_BLOCKS  8192u
#define LINUX_DISK_PACKETS 512u

/* A packet of the guest, private. */
struct linux_disk_packet {
	uint64_t id;
	uint16_t type, flags;
	uint32_t range_count, range_bytes;
	uint32_t extended_bytes;
	uint8_t extended[2072];
	uint32_t payload_bytes;
	union {
		struct storage_srb_packet_wire wire;
		uint8_t payload[128];
	};
};

struct linux_disk {
	struct linux_channel *channel;
	uint16_t version_max;	   /* STORAGE_VERSION_* */
	uint16_t version;	   /* that was agreed on */
	uint16_t max_sub_channels; /* 0: no multi-channel */
	unsigned packets;	   /* since the channel was opened */
	unsigned faults;	   /* packets that break a rule of the guest's side */
	const char *fault;	   /* the first of them */
	unsigned commands[256];	   /* by the CDB's first byte */
	/* A test's: true: this packet is dealt with. */
	bool (*on_packet)(struct linux_disk *disk, struct linux_disk_packet *packet);
	struct linux_disk_packet *kept; /* of the test's, LINUX_DISK_PACKETS */
	size_t kept_count;
	unsigned count;
	bool has_read; /* of one that was left open */
};

/* Offer a controller, and see the guest open it; the disk is there when sda is. */
struct linux_disk *linux_disk_offer(struct linux_guest *guest);
bool linux_disk_is_up(struct linux_guest *guest, struct linux_disk *disk);
/* Rid the guest of its disks, so that their controller can be rescinded. */
bool linux_disk_remove(struct linux_guest *guest);
/* Do what it asks for and put the answer into it; complete it. */
void linux_disk_serve(struct linux_disk *disk, struct linux_disk_packet *packet);
void linux_disk_complete(struct linux_disk *disk, uint64_t id, const void *payload, uint32_t bytes);
/* The guest reads block `block` (4096 bytes), in the foreground, and finds what is in it. */
bool linux_disk_reads(struct linux_guest *guest, unsigned block);

#endif
