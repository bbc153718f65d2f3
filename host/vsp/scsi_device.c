// SPDX-License-Identifier: Apache-2.0
/*
 * Life of SCSI devices and of their attachments (nexuses): creation over a store,
 * unit attentions, changes of capacity.
 */
#include "host/vsp/scsi_internal.h"

#include <stdlib.h>
#include <string.h>

#define DVD_BLOCK_BYTES 2048u

static bool block_size_fits(enum scsi_device_type type, uint32_t block_bytes)
{
	if (type == SCSI_DEVICE_DVD)
		return block_bytes == DVD_BLOCK_BYTES;
	return block_bytes == 512 || block_bytes == 1024 || block_bytes == 2048 ||
	       block_bytes == 4096;
}

static bool serial_is_valid(const char *serial)
{
	const size_t length = strlen(serial);
	if (length == 0 || length > SCSI_SERIAL_BYTES_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (serial[i] < 0x20 || serial[i] > 0x7E)
			return false;
	return true;
}

/* Take what the device needs to know from its store. */
static void device_measure(struct scsi_device *device)
{
	const struct store *store = device->store;
	device->blocks = store->capacity_bytes / store->block_bytes;
	device->block_shift = (uint8_t)__builtin_ctz(store->block_bytes);
}

int scsi_device_create(
	const struct scsi_device_config *config, struct store *store, struct scsi_device **out)
{
	int result = -EINVAL;
	struct scsi_device *device = NULL;
	if (config->type >= SCSI_DEVICE_TYPE_COUNT || (!store && config->type != SCSI_DEVICE_DVD) ||
		(store && !block_size_fits(config->type, store->block_bytes)) ||
		(config->serial && !serial_is_valid(config->serial)))
		goto fail;
	result = -ENOMEM;
	device = calloc(1, sizeof *device);
	if (!device)
		goto fail;

	device->type = config->type;
	device->store = store;
	memcpy(device->id, config->id, sizeof device->id);
	if (config->serial)
		memcpy(device->serial, config->serial, strlen(config->serial));
	device->block_shift = (uint8_t)__builtin_ctz(DVD_BLOCK_BYTES);
	device->is_read_only = config->type == SCSI_DEVICE_DVD || config->is_read_only ||
			       store->is_read_only;
	if (store) {
		device_measure(device);
		device->can_unmap = config->type == SCSI_DEVICE_DISK && store->can_discard &&
				    !config->refuses_unmap && !device->is_read_only;
		device->dvd.has_medium = true;
	}
	uint32_t bytes = config->max_transfer_bytes;
	if (bytes == 0)
		bytes = STORAGE_TRANSFER_BYTES_DEFAULT;
	device->write_same_bytes_max =
		bytes < SCSI_WRITE_SAME_BYTES_MAX ? bytes : SCSI_WRITE_SAME_BYTES_MAX;
	*out = device;
	return 0;

fail:
	if (store)
		store_close(store);
	return result;
}

void scsi_device_destroy(struct scsi_device *device)
{
	if (!device)
		return;
	if (device->retired)
		store_close(device->retired);
	if (device->store)
		store_close(device->store);
	free(device);
}

int scsi_device_refresh(struct scsi_device *device)
{
	struct store *store = device->store;
	if (!store || !store->ops->refresh)
		return 0;
	const uint64_t before = device->blocks;
	const int result = store->ops->refresh(store);
	if (result < 0)
		return result;
	device_measure(device);
	if (device->blocks == before)
		return 0;
	scsi_device_raise(device, SCSI_ATTENTION_CAPACITY, NULL);
	return 1;
}

/* ---- DVD media ----------------------------------------------------------------------------- */

void scsi_device_retire(struct scsi_device *device)
{
	for (const struct scsi_nexus *nexus = device->nexuses; nexus; nexus = nexus->next)
		if (nexus->outstanding != 0)
			return;
	store_close(device->retired);
	device->retired = NULL;
}

/* Take the medium out: the store is closed once no request uses it. */
static int medium_remove(struct scsi_device *device)
{
	if (!device->store)
		return 0;
	if (device->retired)
		return -EBUSY;
	device->retired = device->store;
	device->store = NULL;
	device->blocks = 0;
	scsi_device_retire(device);
	return 0;
}

int scsi_dvd_insert(struct scsi_device *device, struct store *store)
{
	int result = -EINVAL;
	if (device->type != SCSI_DEVICE_DVD || store->block_bytes != DVD_BLOCK_BYTES)
		goto fail;
	const bool had_medium = device->dvd.has_medium;
	result = medium_remove(device);
	if (result < 0)
		goto fail;
	device->store = store;
	device_measure(device);
	device->dvd.has_removal_event |= had_medium;
	device->dvd.has_medium = true;
	device->dvd.is_tray_open = false;
	device->dvd.has_new_event = true;
	return 0;
fail:
	store_close(store);
	return result;
}

int scsi_dvd_eject(struct scsi_device *device, bool is_forced)
{
	if (device->type != SCSI_DEVICE_DVD)
		return -EINVAL;
	if (!is_forced && (device->dvd.is_locked || device->dvd.is_locked_persistent))
		return -EBUSY;
	const int result = medium_remove(device);
	if (result < 0)
		return result;
	device->dvd.has_removal_event |= device->dvd.has_medium;
	device->dvd.has_new_event = false;
	device->dvd.has_medium = false;
	device->dvd.is_tray_open = true;
	return 0;
}

/* ---- nexuses ------------------------------------------------------------------------------- */

int scsi_nexus_attach(struct scsi_nexus *nexus, struct scsi_device *device, uint64_t port)
{
	unsigned count = 0;
	for (const struct scsi_nexus *n = device->nexuses; n; n = n->next)
		count++;
	if (count >= SCSI_NEXUSES_MAX)
		return -ENOSPC;
	*nexus = (struct scsi_nexus){.device = device, .port = port, .next = device->nexuses};
	device->nexuses = nexus;
	return 0;
}

void scsi_nexus_detach(struct scsi_nexus *nexus)
{
	struct scsi_device *device = nexus->device;
	scsi_reservation_nexus_gone(nexus);
	for (struct scsi_nexus **link = &device->nexuses; *link; link = &(*link)->next) {
		if (*link != nexus)
			continue;
		*link = nexus->next;
		break;
	}
	nexus->device = NULL;
}

void scsi_nexus_raise(struct scsi_nexus *nexus, enum scsi_attention attention)
{
	nexus->attentions |= (uint8_t)attention;
}

void scsi_nexus_reset(struct scsi_nexus *nexus)
{
	scsi_nexus_raise(nexus, SCSI_ATTENTION_RESET);
	nexus->device->dvd.is_locked = false;
	nexus->device->dvd.is_locked_persistent = false;
}

void scsi_device_raise(
	struct scsi_device *device, enum scsi_attention attention, const struct scsi_nexus *except)
{
	for (struct scsi_nexus *nexus = device->nexuses; nexus; nexus = nexus->next)
		if (nexus != except)
			scsi_nexus_raise(nexus, attention);
}

uint16_t scsi_attention_take(struct scsi_nexus *nexus)
{
	static const struct {
		enum scsi_attention bit;
		uint16_t asc;
	} order[] = {
		{SCSI_ATTENTION_RESET, SCSI_ASC_POWER_ON_OR_RESET},
		{SCSI_ATTENTION_CAPACITY, SCSI_ASC_CAPACITY_CHANGED},
		{SCSI_ATTENTION_LUNS, SCSI_ASC_REPORTED_LUNS_CHANGED},
		{SCSI_ATTENTION_PREEMPTED, SCSI_ASC_RESERVATIONS_PREEMPTED},
		{SCSI_ATTENTION_RELEASED, SCSI_ASC_RESERVATIONS_RELEASED},
		{SCSI_ATTENTION_UNREGISTERED, SCSI_ASC_REGISTRATIONS_PREEMPTED},
	};
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		if (!(nexus->attentions & order[i].bit))
			continue;
		nexus->attentions &= (uint8_t)~order[i].bit;
		return order[i].asc;
	}
	return SCSI_ASC_NONE;
}
