// SPDX-License-Identifier: Apache-2.0
/* Inside the ATA disk; for ata_*.c alone. Everything is under the disk's lock. */
#ifndef HOST_MACHINE_ATA_INTERNAL_H
#define HOST_MACHINE_ATA_INTERNAL_H

#include "host/machine/ata_disk.h"

#include <pthread.h>
#include <stdint.h>

#define ATA_SECTOR_BYTES 512u
/* Sectors for each interrupt of READ and WRITE MULTIPLE, at most. */
#define ATA_MULTIPLE_MAX 16u
/* Of one command: 48-bit commands count to 65536. */
#define ATA_SECTORS_MAX 65536u

#define ATA_STATUS_ERROR   0x01u
#define ATA_STATUS_REQUEST 0x08u /* DRQ: the data port has or wants data */
#define ATA_STATUS_SEEK	   0x10u
#define ATA_STATUS_READY   0x40u
#define ATA_STATUS_BUSY	   0x80u /* nothing but the device control register is listened to */

#define ATA_ERROR_ABORTED    0x04u
#define ATA_ERROR_NO_ADDRESS 0x10u /* IDNF */
#define ATA_ERROR_DATA	     0x40u /* UNC */

#define ATA_DEVICE_SLAVE 0x10u
#define ATA_DEVICE_LBA	 0x40u

#define ATA_CONTROL_NO_INTERRUPT 0x02u
#define ATA_CONTROL_RESET	 0x04u
#define ATA_CONTROL_HIGH_BYTES	 0x80u /* registers read as they were before the last write */

/* What data the device and the host are exchanging. */
enum ata_transfer {
	ATA_TRANSFER_NONE,
	ATA_TRANSFER_PIO_IN,  /* the guest reads the data port */
	ATA_TRANSFER_PIO_OUT, /* it writes */
	ATA_TRANSFER_DMA_IN,  /* waits for the bus master, to memory */
	ATA_TRANSFER_DMA_OUT,
};

struct ata_disk {
	pthread_mutex_t lock;
	struct ata_disk_config config;
	int fd; /* owned */
	uint64_t sectors;

	/* registers; [1]: as they were before the last write */
	uint8_t features[2], count[2], lba_low[2], lba_mid[2], lba_high[2];
	uint8_t device, status, error, control;
	bool is_interrupting, is_line_high;
	unsigned multiple; /* sectors for each interrupt of MULTIPLE commands; 0: not set */

	enum ata_transfer transfer;
	uint64_t next_sector;	/* of the medium */
	uint32_t sectors_left;	/* after the block in the buffer */
	uint32_t block_sectors; /* sectors for each interrupt */
	uint32_t buffer_bytes, buffer_at;
	uint8_t buffer[ATA_MULTIPLE_MAX * ATA_SECTOR_BYTES];

	uint8_t dma_command, dma_status;
	uint32_t dma_table; /* physical region descriptors */

	/* a flush, on its own thread */
	pthread_t flusher;
	pthread_cond_t changed;
	bool has_flusher, is_flushing, is_quitting;
	uint64_t flushes; /* asked for: tells this one from one that a reset has ended */
};

/* ata_disk.c: the end of a command, or of a block of one */
void ata_interrupt(struct ata_disk *disk);
/* Drive the line as the interrupt and its mask say; at the end of each access. */
void ata_line_update(struct ata_disk *disk);
void ata_done(struct ata_disk *disk);
void ata_failed(struct ata_disk *disk, uint8_t error);
/* Signature of a disk, and the registers as after a reset or EXECUTE DEVICE DIAGNOSTIC. */
void ata_signature_set(struct ata_disk *disk);

/* ata_command.c */
void ata_command_run(struct ata_disk *disk, uint8_t command);
/* The buffer was read or written to its end: go on, or finish. */
void ata_buffer_done(struct ata_disk *disk);

/*
 * ata_flush.c: begin to flush; the status is busy until it ends. To forget one leaves its thread
 * at work, whose outcome then means nothing.
 */
void ata_flush_begin(struct ata_disk *disk);
void ata_flush_forget(struct ata_disk *disk);
int ata_flush_start(struct ata_disk *disk);
void ata_flush_stop(struct ata_disk *disk);

/* ata_dma.c: run the transfer if the command and the bus master are both ready. */
void ata_dma_try(struct ata_disk *disk);
void ata_dma_reset(struct ata_disk *disk);

#endif
