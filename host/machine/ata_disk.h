// SPDX-License-Identifier: Apache-2.0
/*
 * A disk on an ATA channel, as machines had before enlightened storage: command and control
 * blocks, PIO, and a PCI bus-master engine. It is here to be measured against: every request
 * costs a dozen exits, and I/O is done at once, on the VP that asks for it. (FLUSH CACHE alone
 * has a thread: it may take seconds.)
 *
 *	ata_disk.c	registers, PIO		ata_command.c	what each command does
 *	ata_dma.c	bus master		ata_pci.c	the controller, as PCI shows it
 *	ata_flush.c	FLUSH CACHE
 *
 * Device 0 is there, device 1 is not.
 *
 * Threads: any; one lock for all of it, held over reads and writes.
 *
 * Sources: ATA/ATAPI-6 (T13 1410D); Programming Interface for Bus Master IDE Controller 1.0.
 */
#ifndef HOST_MACHINE_ATA_DISK_H
#define HOST_MACHINE_ATA_DISK_H

#include "host/hypervisor/io_space.h"
#include "host/hypervisor/memory.h"

#include <stdbool.h>
#include <stddef.h>

#define ATA_COMMAND_PORTS 8u
#define ATA_CONTROL_PORTS 1u
#define ATA_DMA_PORTS	  16u /* of two channels; the second is empty */

struct ata_disk;

struct ata_disk_config {
	const char *path; /* raw image; a multiple of 512 bytes */
	bool is_pio;	  /* offer no DMA */
	const struct guest_memory *memory;
	/* The interrupt line; called with the lock held. [any thread] */
	void (*line_set)(void *ctx, bool is_high);
	/* Flush the image, as fdatasync(2), which NULL stands for. On a thread of the disk's own.
	 */
	int (*sync)(void *ctx, int fd);
	void *ctx;
};

/* ctx of all: a struct ata_disk */
extern const struct io_device_ops ata_command_ops;
extern const struct io_device_ops ata_control_ops;
extern const struct io_device_ops ata_dma_ops;

/* Open and lock the image. 0, or a negative errno with one line in `error`. */
int ata_disk_create(const struct ata_disk_config *config, struct ata_disk **out, char *error,
	size_t error_bytes);
/* Flushes. NULL is nothing. */
void ata_disk_destroy(struct ata_disk *disk);
/* As after power-on. */
void ata_disk_reset(struct ata_disk *disk);

#endif
