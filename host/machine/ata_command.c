// SPDX-License-Identifier: Apache-2.0
/* What each ATA command does: one row of a table. See ata_disk.h. */
#include "host/machine/ata_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FEATURE_TRANSFER_MODE 0x03u
#define SECTORS_28_BITS	      0x0fffffffu
/* The geometry that old software is told. */
#define GEOMETRY_HEADS	 16u
#define GEOMETRY_SECTORS 63u

struct command {
	uint8_t code;
	void (*run)(struct ata_disk *disk, const struct command *command);
	enum ata_transfer transfer;
	bool is_48_bit;
	bool is_multiple;
};

/* ---- address and count --------------------------------------------------------------------- */

static uint32_t count_of(const struct ata_disk *disk, const struct command *command)
{
	if (!command->is_48_bit)
		return disk->count[0] == 0 ? 256 : disk->count[0];
	const uint32_t count = (uint32_t)disk->count[1] << 8 | disk->count[0];
	return count == 0 ? ATA_SECTORS_MAX : count;
}

static uint64_t address_of(const struct ata_disk *disk, const struct command *command)
{
	const uint64_t low = (uint64_t)disk->lba_high[0] << 16 | (uint64_t)disk->lba_mid[0] << 8 |
			     disk->lba_low[0];
	if (command->is_48_bit)
		return (uint64_t)disk->lba_high[1] << 40 | (uint64_t)disk->lba_mid[1] << 32 |
		       (uint64_t)disk->lba_low[1] << 24 | low;
	if (disk->device & ATA_DEVICE_LBA)
		return (uint64_t)(disk->device & 0x0f) << 24 | low;
	/* Cylinder, head, sector; sectors count from 1. */
	const uint64_t cylinder = low >> 8;
	const uint64_t sector = low & 0xff;
	if (sector == 0)
		return UINT64_MAX;
	return (cylinder * GEOMETRY_HEADS + (disk->device & 0x0f)) * GEOMETRY_SECTORS + sector - 1;
}

/* ---- PIO ----------------------------------------------------------------------------------- */

static bool medium_io(
	struct ata_disk *disk, bool is_write, uint64_t sector, uint8_t *buffer, uint32_t bytes)
{
	uint64_t at = sector * ATA_SECTOR_BYTES;
	while (bytes > 0) {
		const ssize_t n = is_write ? pwrite(disk->fd, buffer, bytes, (off_t)at)
					   : pread(disk->fd, buffer, bytes, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buffer += n;
		at += (uint64_t)n;
		bytes -= (uint32_t)n;
	}
	return true;
}

/* Begin the next block: read it, or let the guest write it. */
static void block_begin(struct ata_disk *disk)
{
	const uint32_t sectors = disk->sectors_left < disk->block_sectors ? disk->sectors_left
									  : disk->block_sectors;
	disk->buffer_at = 0;
	disk->buffer_bytes = sectors * ATA_SECTOR_BYTES;
	disk->sectors_left -= sectors;
	if (disk->transfer == ATA_TRANSFER_PIO_IN) {
		if (!medium_io(disk, false, disk->next_sector, disk->buffer, disk->buffer_bytes)) {
			ata_failed(disk, ATA_ERROR_DATA);
			return;
		}
		disk->next_sector += sectors;
		ata_interrupt(disk);
	}
	disk->status = ATA_STATUS_READY | ATA_STATUS_SEEK | ATA_STATUS_REQUEST;
}

void ata_buffer_done(struct ata_disk *disk)
{
	if (disk->transfer == ATA_TRANSFER_PIO_IN) {
		if (disk->sectors_left > 0) {
			block_begin(disk);
			return;
		}
		/* The last interrupt came with the data. */
		disk->transfer = ATA_TRANSFER_NONE;
		disk->status = ATA_STATUS_READY | ATA_STATUS_SEEK;
		return;
	}
	if (!medium_io(disk, true, disk->next_sector, disk->buffer, disk->buffer_bytes)) {
		ata_failed(disk, ATA_ERROR_DATA);
		return;
	}
	disk->next_sector += disk->buffer_bytes / ATA_SECTOR_BYTES;
	if (disk->sectors_left == 0) {
		ata_done(disk);
		return;
	}
	block_begin(disk);
	ata_interrupt(disk);
}

/* ---- commands ------------------------------------------------------------------------------ */

static void read_write(struct ata_disk *disk, const struct command *command)
{
	const uint32_t count = count_of(disk, command);
	const uint64_t address = address_of(disk, command);
	const bool is_dma = command->transfer == ATA_TRANSFER_DMA_IN ||
			    command->transfer == ATA_TRANSFER_DMA_OUT;
	if ((is_dma && disk->config.is_pio) || (command->is_multiple && disk->multiple == 0)) {
		ata_failed(disk, ATA_ERROR_ABORTED);
		return;
	}
	if (address >= disk->sectors || count > disk->sectors - address) {
		ata_failed(disk, ATA_ERROR_NO_ADDRESS);
		return;
	}
	disk->transfer = command->transfer;
	disk->next_sector = address;
	disk->sectors_left = count;
	disk->block_sectors = command->is_multiple ? disk->multiple : 1;
	disk->error = 0;
	if (is_dma) {
		disk->status = ATA_STATUS_READY | ATA_STATUS_SEEK | ATA_STATUS_REQUEST;
		ata_dma_try(disk);
	} else {
		block_begin(disk);
	}
}

/* READ VERIFY: there is nothing that could be worn. */
static void verify(struct ata_disk *disk, const struct command *command)
{
	const uint64_t address = address_of(disk, command);
	if (address >= disk->sectors || count_of(disk, command) > disk->sectors - address)
		ata_failed(disk, ATA_ERROR_NO_ADDRESS);
	else
		ata_done(disk);
}

static void nothing(struct ata_disk *disk, const struct command *command)
{
	(void)command;
	ata_done(disk);
}

static void flush(struct ata_disk *disk, const struct command *command)
{
	(void)command;
	ata_flush_begin(disk);
}

static void diagnostic(struct ata_disk *disk, const struct command *command)
{
	(void)command;
	ata_done(disk);
	ata_signature_set(disk);
}

static void check_power(struct ata_disk *disk, const struct command *command)
{
	(void)command;
	disk->count[0] = 0xff; /* active */
	ata_done(disk);
}

static void multiple_set(struct ata_disk *disk, const struct command *command)
{
	const uint8_t count = disk->count[0];
	(void)command;
	if (count > ATA_MULTIPLE_MAX || (count & (count - 1)) != 0) {
		ata_failed(disk, ATA_ERROR_ABORTED);
		return;
	}
	disk->multiple = count;
	ata_done(disk);
}

/* Transfer modes may be set to what they like: nothing depends on them. */
static void features_set(struct ata_disk *disk, const struct command *command)
{
	(void)command;
	if (disk->features[0] == FEATURE_TRANSFER_MODE)
		ata_done(disk);
	else
		ata_failed(disk, ATA_ERROR_ABORTED);
}

/* ---- IDENTIFY DEVICE ----------------------------------------------------------------------- */

static void word_put(struct ata_disk *disk, unsigned word, uint64_t value)
{
	disk->buffer[word * 2] = (uint8_t)value;
	disk->buffer[word * 2 + 1] = (uint8_t)(value >> 8);
}

/* Padded with blanks, the first character of each pair in the high byte. */
static void text_put(struct ata_disk *disk, unsigned word, unsigned words, const char *text)
{
	const size_t bytes = strlen(text);
	for (unsigned i = 0; i < words * 2; i++)
		disk->buffer[word * 2 + (i ^ 1)] = i < bytes ? (uint8_t)text[i] : ' ';
}

static void identify(struct ata_disk *disk, const struct command *command)
{
	const uint64_t sectors = disk->sectors;
	const uint64_t sectors_28 = sectors < SECTORS_28_BITS ? sectors : SECTORS_28_BITS;
	const uint64_t cylinders = sectors / (GEOMETRY_HEADS * GEOMETRY_SECTORS);
	const bool has_dma = !disk->config.is_pio;
	(void)command;
	memset(disk->buffer, 0, ATA_SECTOR_BYTES);
	word_put(disk, 0, 0x0040); /* fixed disk */
	word_put(disk, 1, cylinders < 16383 ? cylinders : 16383);
	word_put(disk, 3, GEOMETRY_HEADS);
	word_put(disk, 6, GEOMETRY_SECTORS);
	text_put(disk, 10, 10, "0");
	text_put(disk, 23, 4, "1");
	text_put(disk, 27, 20, "Viridian emulated disk");
	word_put(disk, 47, 0x8000 | ATA_MULTIPLE_MAX);
	word_put(disk, 49, has_dma ? 0x0b00 : 0x0a00); /* IORDY, LBA, DMA */
	word_put(disk, 53, 0x0002);		       /* words 64 to 70 are valid */
	word_put(disk, 59, disk->multiple ? 0x0100 | disk->multiple : 0);
	word_put(disk, 60, sectors_28);
	word_put(disk, 61, sectors_28 >> 16);
	word_put(disk, 63, has_dma ? 0x0007 : 0); /* multiword DMA modes 0 to 2 */
	word_put(disk, 64, 0x0003);		  /* PIO modes 3 and 4 */
	for (unsigned word = 65; word <= 68; word++)
		word_put(disk, word, 120); /* ns for each cycle */
	word_put(disk, 80, 0x0070);	   /* ATA/ATAPI-4 to -6 */
	word_put(disk, 82, 0x0020);	   /* write cache */
	word_put(disk, 83, 0x7400);	   /* FLUSH CACHE, its EXT, 48-bit addresses */
	word_put(disk, 84, 0x4000);
	word_put(disk, 85, 0x0020);
	word_put(disk, 86, 0x3400);
	word_put(disk, 87, 0x4000);
	word_put(disk, 93, 0x6001);
	for (unsigned i = 0; i < 4; i++)
		word_put(disk, 100 + i, sectors >> (16 * i));
	disk->transfer = ATA_TRANSFER_PIO_IN;
	disk->buffer_at = 0;
	disk->buffer_bytes = ATA_SECTOR_BYTES;
	disk->sectors_left = 0;
	disk->error = 0;
	disk->status = ATA_STATUS_READY | ATA_STATUS_SEEK | ATA_STATUS_REQUEST;
	ata_interrupt(disk);
}

/* Sorted by code; what is not here is aborted. */
static const struct command commands[] = {
	{.code = 0x10, .run = nothing}, /* RECALIBRATE */
	{.code = 0x20, .run = read_write, .transfer = ATA_TRANSFER_PIO_IN},
	{.code = 0x21, .run = read_write, .transfer = ATA_TRANSFER_PIO_IN},
	{.code = 0x24, .run = read_write, .transfer = ATA_TRANSFER_PIO_IN, .is_48_bit = true},
	{.code = 0x25, .run = read_write, .transfer = ATA_TRANSFER_DMA_IN, .is_48_bit = true},
	{.code = 0x29,
		.run = read_write,
		.transfer = ATA_TRANSFER_PIO_IN,
		.is_48_bit = true,
		.is_multiple = true},
	{.code = 0x30, .run = read_write, .transfer = ATA_TRANSFER_PIO_OUT},
	{.code = 0x31, .run = read_write, .transfer = ATA_TRANSFER_PIO_OUT},
	{.code = 0x34, .run = read_write, .transfer = ATA_TRANSFER_PIO_OUT, .is_48_bit = true},
	{.code = 0x35, .run = read_write, .transfer = ATA_TRANSFER_DMA_OUT, .is_48_bit = true},
	{.code = 0x39,
		.run = read_write,
		.transfer = ATA_TRANSFER_PIO_OUT,
		.is_48_bit = true,
		.is_multiple = true},
	{.code = 0x40, .run = verify},
	{.code = 0x41, .run = verify},
	{.code = 0x42, .run = verify, .is_48_bit = true},
	{.code = 0x90, .run = diagnostic},
	{.code = 0x91, .run = nothing}, /* INITIALIZE DEVICE PARAMETERS */
	{.code = 0xc4, .run = read_write, .transfer = ATA_TRANSFER_PIO_IN, .is_multiple = true},
	{.code = 0xc5, .run = read_write, .transfer = ATA_TRANSFER_PIO_OUT, .is_multiple = true},
	{.code = 0xc6, .run = multiple_set},
	{.code = 0xc8, .run = read_write, .transfer = ATA_TRANSFER_DMA_IN},
	{.code = 0xc9, .run = read_write, .transfer = ATA_TRANSFER_DMA_IN},
	{.code = 0xca, .run = read_write, .transfer = ATA_TRANSFER_DMA_OUT},
	{.code = 0xcb, .run = read_write, .transfer = ATA_TRANSFER_DMA_OUT},
	{.code = 0xe0, .run = nothing}, /* STANDBY IMMEDIATE */
	{.code = 0xe1, .run = nothing}, /* IDLE IMMEDIATE */
	{.code = 0xe2, .run = nothing}, /* STANDBY */
	{.code = 0xe3, .run = nothing}, /* IDLE */
	{.code = 0xe5, .run = check_power},
	{.code = 0xe7, .run = flush},
	{.code = 0xea, .run = flush},
	{.code = 0xec, .run = identify},
	{.code = 0xef, .run = features_set},
};

void ata_command_run(struct ata_disk *disk, uint8_t command)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (commands[i].code == command) {
			commands[i].run(disk, &commands[i]);
			return;
		}
	}
	ata_failed(disk, ATA_ERROR_ABORTED);
}
