// SPDX-License-Identifier: Apache-2.0
/*
 * The bus master of the first ATA channel: a table of physical regions in guest memory, at
 * which and from which the data of one command goes. See ata_disk.h.
 */
#include "host/machine/ata_internal.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	REGISTER_COMMAND = 0,
	REGISTER_STATUS = 2,
	REGISTER_TABLE = 4,
};
#define CHANNEL_PORTS 8u

#define COMMAND_START	  0x01u
#define COMMAND_TO_MEMORY 0x08u

#define STATUS_ACTIVE	 0x01u
#define STATUS_ERROR	 0x02u
#define STATUS_INTERRUPT 0x04u
#define STATUS_CAPABLE	 0x60u /* for software to remember what it found */

/* A table fills 64 KiB at most; the data of one command is bounded by its sectors. */
#define REGIONS_MAX	  8192u
#define REGION_BYTES_ZERO 65536u /* what a count of 0 stands for */
#define REGION_LAST	  0x8000u
#define IOVS_MAX	  64

struct region_wire {
	uint32_t address;
	uint16_t bytes;
	uint16_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct region_wire) == 8, "Bus Master IDE 1.0, 1.2");

/* Move `count` pieces; all, or it is an error. */
static bool pieces_move(
	struct ata_disk *disk, bool is_write, struct iovec *iovs, int count, uint64_t offset)
{
	while (count > 0) {
		ssize_t n = is_write ? pwritev(disk->fd, iovs, count, (off_t)offset)
				     : preadv(disk->fd, iovs, count, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		offset += (uint64_t)n;
		while (count > 0 && (size_t)n >= iovs->iov_len) {
			n -= (ssize_t)iovs->iov_len;
			iovs++;
			count--;
		}
		if (count > 0 && n > 0) {
			iovs->iov_base = (char *)iovs->iov_base + n;
			iovs->iov_len -= (size_t)n;
		}
	}
	return true;
}

/* 0 on success, else an ATA_ERROR_*. */
static uint8_t regions_move(struct ata_disk *disk, bool is_write)
{
	struct iovec iovs[IOVS_MAX];
	int count = 0;
	uint64_t gathered = 0;
	uint64_t offset = disk->next_sector * ATA_SECTOR_BYTES;
	uint64_t left = (uint64_t)disk->sectors_left * ATA_SECTOR_BYTES;
	bool is_last = false;
	for (unsigned i = 0; i < REGIONS_MAX && left > 0 && !is_last; i++) {
		struct region_wire region = {0};
		if (guest_memory_read(disk->config.memory, disk->dma_table + (uint64_t)i * 8,
			    &region, sizeof region) != 0)
			return ATA_ERROR_ABORTED;
		uint64_t bytes = region.bytes & ~1u;
		if (bytes == 0)
			bytes = REGION_BYTES_ZERO;
		if (bytes > left)
			bytes = left;
		void *at = guest_memory_at(disk->config.memory, region.address & ~1u, bytes);
		if (!at)
			return ATA_ERROR_ABORTED;
		iovs[count++] = (struct iovec){.iov_base = at, .iov_len = bytes};
		gathered += bytes;
		left -= bytes;
		is_last = region.flags & REGION_LAST;
		if (count < IOVS_MAX && left > 0 && !is_last)
			continue;
		if (!pieces_move(disk, is_write, iovs, count, offset))
			return ATA_ERROR_DATA;
		offset += gathered;
		gathered = 0;
		count = 0;
	}
	return left > 0 ? ATA_ERROR_ABORTED : 0; /* the table was too short */
}

void ata_dma_try(struct ata_disk *disk)
{
	const bool is_in = disk->transfer == ATA_TRANSFER_DMA_IN;
	const bool is_out = disk->transfer == ATA_TRANSFER_DMA_OUT;
	if (!(disk->dma_command & COMMAND_START) || (!is_in && !is_out))
		return;
	if (((disk->dma_command & COMMAND_TO_MEMORY) != 0) != is_in)
		return; /* the wrong way: both wait for ever, until software gives up */
	const uint8_t error = regions_move(disk, is_out);
	if (error != 0) {
		ata_failed(disk, error);
		disk->dma_status |= STATUS_ERROR;
	} else {
		ata_done(disk);
	}
	disk->dma_status = (uint8_t)((disk->dma_status & ~STATUS_ACTIVE) | STATUS_INTERRUPT);
}

void ata_dma_reset(struct ata_disk *disk)
{
	disk->dma_command = 0;
	disk->dma_status = 0;
	disk->dma_table = 0;
}

/* ---- registers ----------------------------------------------------------------------------- */

static uint64_t dma_read(void *ctx, uint64_t offset, unsigned bytes)
{
	struct ata_disk *disk = ctx;
	uint64_t value = 0;
	if (offset >= CHANNEL_PORTS)
		return 0; /* the second channel */
	pthread_mutex_lock(&disk->lock);
	if (offset == REGISTER_COMMAND)
		value = disk->dma_command;
	else if (offset == REGISTER_STATUS)
		value = disk->dma_status;
	else if (offset >= REGISTER_TABLE)
		value = disk->dma_table >> (8 * (offset - REGISTER_TABLE));
	pthread_mutex_unlock(&disk->lock);
	(void)bytes;
	return value;
}

static void command_write(struct ata_disk *disk, uint8_t value)
{
	const bool was_started = disk->dma_command & COMMAND_START;
	disk->dma_command = value & (COMMAND_START | COMMAND_TO_MEMORY);
	if (!(value & COMMAND_START)) {
		disk->dma_status &= (uint8_t)~STATUS_ACTIVE;
		return;
	}
	if (was_started)
		return;
	disk->dma_status |= STATUS_ACTIVE;
	ata_dma_try(disk);
}

static void status_write(struct ata_disk *disk, uint8_t value)
{
	const uint8_t cleared = value & (STATUS_ERROR | STATUS_INTERRUPT);
	disk->dma_status = (uint8_t)((disk->dma_status & ~STATUS_CAPABLE & ~cleared) |
				     (value & STATUS_CAPABLE));
}

static void dma_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	struct ata_disk *disk = ctx;
	if (offset >= CHANNEL_PORTS)
		return;
	pthread_mutex_lock(&disk->lock);
	if (offset == REGISTER_COMMAND)
		command_write(disk, (uint8_t)value);
	else if (offset == REGISTER_STATUS)
		status_write(disk, (uint8_t)value);
	else if (offset == REGISTER_TABLE && bytes == 4)
		disk->dma_table = (uint32_t)value & ~3u;
	ata_line_update(disk);
	pthread_mutex_unlock(&disk->lock);
}

const struct io_device_ops ata_dma_ops = {
	.name = "ATA bus master",
	.read = dma_read,
	.write = dma_write,
};
