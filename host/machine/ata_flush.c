// SPDX-License-Identifier: Apache-2.0
/*
 * FLUSH CACHE of the ATA disk. It takes as long as the medium behind the image wants, and a VP
 * that waited for it could not be stopped meanwhile: so a thread of its own does it, and the guest
 * sees a device that is busy. See ata_disk.h.
 */
#include "host/machine/ata_internal.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

void ata_flush_begin(struct ata_disk *disk)
{
	disk->transfer = ATA_TRANSFER_NONE;
	disk->status = ATA_STATUS_BUSY;
	disk->is_flushing = true;
	disk->flushes++;
	pthread_cond_signal(&disk->changed);
}

void ata_flush_forget(struct ata_disk *disk)
{
	disk->is_flushing = false;
}

static int image_sync(const struct ata_disk *disk)
{
	return disk->config.sync ? disk->config.sync(disk->config.ctx, disk->fd)
				 : fdatasync(disk->fd);
}

static void *flusher_main(void *ctx)
{
	struct ata_disk *disk = ctx;

	pthread_mutex_lock(&disk->lock);
	while (!disk->is_quitting) {
		if (!disk->is_flushing) {
			pthread_cond_wait(&disk->changed, &disk->lock);
			continue;
		}
		const uint64_t flush = disk->flushes;
		pthread_mutex_unlock(&disk->lock);
		const int result = image_sync(disk);
		pthread_mutex_lock(&disk->lock);
		if (!disk->is_flushing || disk->flushes != flush)
			continue;
		disk->is_flushing = false;
		if (result != 0)
			ata_failed(disk, ATA_ERROR_ABORTED);
		else
			ata_done(disk);
		ata_line_update(disk);
	}
	pthread_mutex_unlock(&disk->lock);
	return NULL;
}

int ata_flush_start(struct ata_disk *disk)
{
	sigset_t all;
	sigset_t before;

	sigfillset(&all); /* signals are for other threads */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	const int error = pthread_create(&disk->flusher, NULL, flusher_main, disk);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	disk->has_flusher = error == 0;
	return -error;
}

void ata_flush_stop(struct ata_disk *disk)
{
	if (!disk->has_flusher)
		return;
	pthread_mutex_lock(&disk->lock);
	disk->is_quitting = true;
	pthread_cond_signal(&disk->changed);
	pthread_mutex_unlock(&disk->lock);
	pthread_join(disk->flusher, NULL);
}
