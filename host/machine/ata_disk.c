// SPDX-License-Identifier: Apache-2.0
/* The ATA disk: registers, data port, life. See ata_disk.h. */
#include "host/machine/ata_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	REGISTER_DATA = 0,
	REGISTER_ERROR = 1, /* written: features */
	REGISTER_COUNT = 2,
	REGISTER_LBA_LOW = 3,
	REGISTER_LBA_MID = 4,
	REGISTER_LBA_HIGH = 5,
	REGISTER_DEVICE = 6,
	REGISTER_STATUS = 7, /* written: command */
};

#define ERROR_DEVICE_0_PASSED 0x01u

/* ---- interrupt ----------------------------------------------------------------------------- */

void ata_line_update(struct ata_disk *disk)
{
	const bool is_high = disk->is_interrupting && !(disk->control & ATA_CONTROL_NO_INTERRUPT);
	if (is_high == disk->is_line_high)
		return;
	disk->is_line_high = is_high;
	disk->config.line_set(disk->config.ctx, is_high);
}

void ata_interrupt(struct ata_disk *disk)
{
	disk->is_interrupting = true;
}

void ata_done(struct ata_disk *disk)
{
	disk->transfer = ATA_TRANSFER_NONE;
	disk->status = ATA_STATUS_READY | ATA_STATUS_SEEK;
	disk->error = 0;
	ata_interrupt(disk);
}

void ata_failed(struct ata_disk *disk, uint8_t error)
{
	ata_done(disk);
	disk->status |= ATA_STATUS_ERROR;
	disk->error = error;
}

/* ---- registers ----------------------------------------------------------------------------- */

void ata_signature_set(struct ata_disk *disk)
{
	const uint8_t one[2] = {1, 0};
	memcpy(disk->count, one, 2);
	memcpy(disk->lba_low, one, 2);
	memset(disk->lba_mid, 0, 2);
	memset(disk->lba_high, 0, 2);
	disk->device = 0;
	disk->error = ERROR_DEVICE_0_PASSED;
}

static bool is_absent(const struct ata_disk *disk)
{
	return disk->device & ATA_DEVICE_SLAVE;
}

static void registers_reset(struct ata_disk *disk)
{
	ata_flush_forget(disk);
	ata_signature_set(disk);
	disk->status = ATA_STATUS_READY | ATA_STATUS_SEEK;
	disk->transfer = ATA_TRANSFER_NONE;
	disk->buffer_at = disk->buffer_bytes = 0;
	disk->multiple = ATA_MULTIPLE_MAX;
	disk->is_interrupting = false;
}

static uint8_t register_read(struct ata_disk *disk, uint64_t number)
{
	const unsigned old = disk->control & ATA_CONTROL_HIGH_BYTES ? 1 : 0;
	if (is_absent(disk))
		return number == REGISTER_DEVICE ? disk->device : 0;
	switch (number) {
	case REGISTER_ERROR:
		return disk->error;
	case REGISTER_COUNT:
		return disk->count[old];
	case REGISTER_LBA_LOW:
		return disk->lba_low[old];
	case REGISTER_LBA_MID:
		return disk->lba_mid[old];
	case REGISTER_LBA_HIGH:
		return disk->lba_high[old];
	case REGISTER_DEVICE:
		return disk->device;
	case REGISTER_STATUS:
		disk->is_interrupting = false;
		return disk->status;
	default:
		return 0;
	}
}

static void pair_write(uint8_t pair[2], uint8_t value)
{
	pair[1] = pair[0];
	pair[0] = value;
}

static void register_write(struct ata_disk *disk, uint64_t number, uint8_t value)
{
	disk->control &= (uint8_t)~ATA_CONTROL_HIGH_BYTES;
	switch (number) {
	case REGISTER_ERROR:
		pair_write(disk->features, value);
		break;
	case REGISTER_COUNT:
		pair_write(disk->count, value);
		break;
	case REGISTER_LBA_LOW:
		pair_write(disk->lba_low, value);
		break;
	case REGISTER_LBA_MID:
		pair_write(disk->lba_mid, value);
		break;
	case REGISTER_LBA_HIGH:
		pair_write(disk->lba_high, value);
		break;
	case REGISTER_DEVICE:
		disk->device = value;
		break;
	case REGISTER_STATUS:
		disk->is_interrupting = false;
		if (!is_absent(disk) && !(disk->control & ATA_CONTROL_RESET))
			ata_command_run(disk, value);
		break;
	default:
		break;
	}
}

/* Up to four bytes at once; behind the end of a block are zeros, and nobody listens. */
static uint64_t data_read(struct ata_disk *disk, unsigned bytes)
{
	uint64_t value = 0;
	if (disk->transfer != ATA_TRANSFER_PIO_IN || is_absent(disk))
		return 0;
	for (unsigned i = 0; i < bytes && disk->buffer_at < disk->buffer_bytes; i++)
		value |= (uint64_t)disk->buffer[disk->buffer_at++] << (8 * i);
	if (disk->buffer_at == disk->buffer_bytes)
		ata_buffer_done(disk);
	return value;
}

static void data_write(struct ata_disk *disk, unsigned bytes, uint64_t value)
{
	if (disk->transfer != ATA_TRANSFER_PIO_OUT || is_absent(disk))
		return;
	for (unsigned i = 0; i < bytes && disk->buffer_at < disk->buffer_bytes; i++)
		disk->buffer[disk->buffer_at++] = (uint8_t)(value >> (8 * i));
	if (disk->buffer_at == disk->buffer_bytes)
		ata_buffer_done(disk);
}

static uint64_t command_read(void *ctx, uint64_t offset, unsigned bytes)
{
	struct ata_disk *disk = ctx;
	pthread_mutex_lock(&disk->lock);
	const uint64_t value = offset == REGISTER_DATA ? data_read(disk, bytes)
			       : bytes == 1	       ? register_read(disk, offset)
						       : UINT64_MAX;
	ata_line_update(disk);
	pthread_mutex_unlock(&disk->lock);
	return value;
}

static void command_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	struct ata_disk *disk = ctx;
	pthread_mutex_lock(&disk->lock);
	if (disk->status & ATA_STATUS_BUSY)
		; /* it does not listen */
	else if (offset == REGISTER_DATA)
		data_write(disk, bytes, value);
	else if (bytes == 1)
		register_write(disk, offset, (uint8_t)value);
	ata_line_update(disk);
	pthread_mutex_unlock(&disk->lock);
}

static uint64_t control_read(void *ctx, uint64_t offset, unsigned bytes)
{
	struct ata_disk *disk = ctx;
	(void)offset;
	(void)bytes;
	pthread_mutex_lock(&disk->lock);
	const uint8_t status = is_absent(disk) ? 0 : disk->status;
	pthread_mutex_unlock(&disk->lock);
	return status;
}

static void control_write(void *ctx, uint64_t offset, unsigned bytes, uint64_t value)
{
	struct ata_disk *disk = ctx;
	(void)offset;
	(void)bytes;
	pthread_mutex_lock(&disk->lock);
	const bool was_in_reset = disk->control & ATA_CONTROL_RESET;
	disk->control = (uint8_t)value;
	if (was_in_reset && !(value & ATA_CONTROL_RESET))
		registers_reset(disk);
	ata_line_update(disk);
	pthread_mutex_unlock(&disk->lock);
}

const struct io_device_ops ata_command_ops = {
	.name = "ATA command block",
	.read = command_read,
	.write = command_write,
};

const struct io_device_ops ata_control_ops = {
	.name = "ATA control block",
	.read = control_read,
	.write = control_write,
};

/* ---- life ---------------------------------------------------------------------------------- */

static int image_check(struct ata_disk *disk, char *error, size_t error_bytes)
{
	struct stat st;
	const char *path = disk->config.path;
	if (fstat(disk->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		snprintf(error, error_bytes, "emulated disk '%s': is no regular file", path);
		return -EINVAL;
	}
	disk->sectors = (uint64_t)st.st_size / ATA_SECTOR_BYTES;
	if (disk->sectors == 0 || st.st_size % (off_t)ATA_SECTOR_BYTES != 0) {
		snprintf(error, error_bytes,
			"emulated disk '%s': its size of %lld bytes is no multiple of 512", path,
			(long long)st.st_size);
		return -EINVAL;
	}
	if (flock(disk->fd, LOCK_EX | LOCK_NB) != 0) {
		snprintf(error, error_bytes,
			"emulated disk '%s': is locked: another worker uses it", path);
		return -EBUSY;
	}
	return 0;
}

int ata_disk_create(const struct ata_disk_config *config, struct ata_disk **out, char *error,
	size_t error_bytes)
{
	struct ata_disk *disk = calloc(1, sizeof *disk);
	if (!disk) {
		snprintf(error, error_bytes, "emulated disk: out of memory");
		return -ENOMEM;
	}
	disk->config = *config;
	pthread_mutex_init(&disk->lock, NULL);
	pthread_cond_init(&disk->changed, NULL);
	disk->fd = open(config->path, O_RDWR | O_CLOEXEC);
	int result = disk->fd < 0 ? -errno : 0;
	if (result != 0)
		snprintf(error, error_bytes,
			"emulated disk '%s': %s; give a file that can be "
			"written",
			config->path, strerror(errno));
	else
		result = image_check(disk, error, error_bytes);
	if (result == 0) {
		registers_reset(disk);
		result = ata_flush_start(disk);
		if (result != 0)
			snprintf(error, error_bytes, "emulated disk: no thread for it: %s",
				strerror(-result));
	}
	if (result != 0) {
		ata_disk_destroy(disk);
		return result;
	}
	*out = disk;
	return 0;
}

void ata_disk_destroy(struct ata_disk *disk)
{
	if (!disk)
		return;
	ata_flush_stop(disk);
	if (disk->fd >= 0) {
		fdatasync(disk->fd);
		close(disk->fd);
	}
	pthread_cond_destroy(&disk->changed);
	pthread_mutex_destroy(&disk->lock);
	free(disk);
}

void ata_disk_reset(struct ata_disk *disk)
{
	pthread_mutex_lock(&disk->lock);
	disk->control = 0;
	registers_reset(disk);
	ata_dma_reset(disk);
	ata_line_update(disk);
	pthread_mutex_unlock(&disk->lock);
}
