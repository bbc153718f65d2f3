// SPDX-License-Identifier: Apache-2.0
/* The worker's disks: see worker_disk.h. */
#include "host/vmwp/worker_disk.h"

#include "host/vsp/scsi_device.h"
#include "host/vsp/storage_provider.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Instance ids of the controllers: ours, the same in every run, so that a guest knows its
 * disks again; the last byte is the controller's number. */
#define CONTROLLER_INSTANCE GUID_INIT(0x0c1d7f3a, 0x5b2e, 0x4b6f, 0x9d41, 0x56495249d900)

static struct io_uring_sqe *store_sqe(void *ctx)
{
	return loop_sqe(ctx);
}

void worker_store_loop_init(struct worker *worker)
{
	worker->store_loop = (struct store_loop){
		.ring = loop_ring(worker->loop),
		.sqe = store_sqe,
		.ctx = worker->loop,
	};
}

/* ---- controllers ------------------------------------------------------------------------------
 */

static int controller_get(struct worker *worker, unsigned number, struct storage_provider **out)
{
	int result = 0;
	if (worker->controllers[number] == NULL) {
		struct storage_provider_config config = {
			.vsp.max_sub_channels = (uint16_t)(worker->options->channels_max - 1),
			.vsp.port = number + 1,
			.instance_id = CONTROLLER_INSTANCE,
		};
		config.instance_id.bytes[15] = (uint8_t)number;
		result = storage_provider_create(
			worker->bus, &config, &worker->controllers[number]);
	}
	*out = worker->controllers[number];
	return result;
}

void worker_controllers_destroy(struct worker *worker)
{
	worker_disks_detach_all(worker, NULL);
	for (unsigned i = 0; i < OPTIONS_CONTROLLERS_MAX; i++) {
		if (worker->controllers[i] == NULL)
			continue;
		storage_provider_remove(worker->controllers[i]);
		/* the kernel may still use what belongs to a request: that ends with the process */
		if (!storage_provider_is_idle(worker->controllers[i]))
			continue;
		storage_provider_destroy(worker->controllers[i]);
		worker->controllers[i] = NULL;
	}
}

/* ---- disks --------------------------------------------------------------------------------------
 */

static struct worker_disk *disk_find(
	struct worker *worker, unsigned controller, unsigned target, unsigned lun)
{
	for (unsigned i = 0; i < WORKER_DISKS_MAX; i++) {
		struct worker_disk *disk = &worker->disks[i];
		if (disk->is_used && disk->controller == controller && disk->target == target &&
			disk->lun == lun)
			return disk;
	}
	return NULL;
}

int worker_address_pick(struct worker *worker, struct disk_options *disk)
{
	uint64_t targets = 0;
	if (worker->options->backend == BACKEND_KVM) {
		disk->target = 0;
		if (disk->lun != 0)
			return 0; /* it was asked for */
		while (disk_find(worker, disk->controller, 0, disk->lun) != NULL) {
			if (disk->lun++ == CONTROL_LUN_MAX)
				return -1;
		}
		return 0;
	}
	for (unsigned i = 0; i < WORKER_DISKS_MAX; i++) {
		if (worker->disks[i].is_used && worker->disks[i].controller == disk->controller)
			targets |= 1ull << worker->disks[i].target;
	}
	if (targets == UINT64_MAX)
		return -1;
	disk->target = (unsigned)__builtin_ctzll(~targets);
	return 0;
}

static struct worker_disk *disk_slot(struct worker *worker)
{
	for (unsigned i = 0; i < WORKER_DISKS_MAX; i++) {
		if (!worker->disks[i].is_used)
			return &worker->disks[i];
	}
	return NULL;
}

/*
 * An identity that stays the same while the image does: from the device and inode of a
 * file, or from the address of a RAM disk. FNV-1a twice, with the two halves salted.
 */
static void device_id_make(const struct disk_options *options, uint8_t id[SCSI_DEVICE_ID_BYTES])
{
	struct stat st = {0};
	uint64_t words[4] = {options->controller, options->target, options->lun, 0};
	if (options->path != NULL && stat(options->path, &st) == 0) {
		words[0] = st.st_dev;
		words[1] = st.st_ino;
		words[2] = S_ISBLK(st.st_mode) ? st.st_rdev : 0;
	}
	for (unsigned half = 0; half < 2; half++) {
		uint64_t hash = 14695981039346656037u + half;
		for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
			for (unsigned shift = 0; shift < 64; shift += 8)
				hash = (hash ^ (words[i] >> shift & 0xff)) * 1099511628211u;
		}
		memcpy(id + (size_t)half * 8, &hash, 8);
	}
}

static int store_make(struct worker *worker, const struct disk_options *options,
	struct store **store, char *error, size_t error_bytes)
{
	if (options->kind != DISK_RAM) {
		const struct store_file_options file = {
			.path = options->path,
			.block_bytes = options->kind == DISK_DVD ? 0 : options->block_bytes,
			.is_read_only = options->is_read_only,
			.is_direct = options->is_direct,
			.is_dvd = options->kind == DISK_DVD,
		};
		return store_file_open(&file, &worker->store_loop, store, error, error_bytes);
	}
	const int result = store_ram_create(
		options->ram_bytes, options->block_bytes, options->is_read_only, store);
	if (result != 0)
		snprintf(error, error_bytes, "RAM disk of %llu MiB: %s; try a smaller one",
			(unsigned long long)(options->ram_bytes >> 20), strerror(-result));
	return result;
}

int worker_disk_check(
	struct worker *worker, const struct disk_options *options, char *error, size_t error_bytes)
{
	struct store *store;
	if (options->kind == DISK_RAM)
		return 0;
	if (store_make(worker, options, &store, error, error_bytes) != 0)
		return -1;
	store_close(store);
	return 0;
}

static int device_make(struct worker *worker, const struct disk_options *options,
	struct scsi_device **device, char *error, size_t error_bytes)
{
	struct store *store;
	if (store_make(worker, options, &store, error, error_bytes) != 0)
		return -1;
	struct scsi_device_config config = {
		.type = options->kind == DISK_DVD ? SCSI_DEVICE_DVD : SCSI_DEVICE_DISK,
		.is_read_only = options->is_read_only,
	};
	char serial[SCSI_DEVICE_ID_BYTES * 2 + 1];
	device_id_make(options, config.id);
	for (unsigned i = 0; i < SCSI_DEVICE_ID_BYTES; i++)
		snprintf(serial + (size_t)i * 2, 3, "%02x", config.id[i]);
	config.serial = serial;
	const int result = scsi_device_create(&config, store, device);
	if (result != 0)
		snprintf(error, error_bytes, "%s: %s",
			options->path != NULL ? options->path : "RAM disk", strerror(-result));
	return result;
}

int worker_attach(
	struct worker *worker, const struct disk_options *options, char *error, size_t error_bytes)
{
	struct storage_provider *provider;
	struct scsi_device *device;
	struct worker_disk *disk = disk_slot(worker);
	if (worker->is_stopping) {
		snprintf(error, error_bytes, "the worker is shutting down");
		return -1;
	}
	if (disk == NULL) {
		snprintf(error, error_bytes, "%u disks are attached: detach one first",
			WORKER_DISKS_MAX);
		return -1;
	}
	if (disk_find(worker, options->controller, options->target, options->lun) != NULL) {
		snprintf(error, error_bytes,
			"controller %u, target %u, lun %u is taken: detach it, or choose another "
			"address",
			options->controller, options->target, options->lun);
		return -1;
	}
	int result = controller_get(worker, options->controller, &provider);
	if (result != 0) {
		snprintf(error, error_bytes, "storage controller %u: %s", options->controller,
			strerror(-result));
		return -1;
	}
	if (device_make(worker, options, &device, error, error_bytes) != 0)
		return -1;
	const struct storage_address address = {
		.target = (uint8_t)options->target, .lun = (uint8_t)options->lun};
	result = storage_vsp_attach(storage_provider_vsp(provider), address, device);
	if (result != 0) {
		snprintf(error, error_bytes, "controller %u, target %u, lun %u: %s",
			options->controller, options->target, options->lun,
			result == -EEXIST ? "requests to the last disk there have not ended yet: "
					    "try again in a moment"
					  : strerror(-result));
		scsi_device_destroy(device);
		return -1;
	}
	*disk = (struct worker_disk){
		.worker = worker,
		.is_used = true,
		.controller = options->controller,
		.target = options->target,
		.lun = options->lun,
		.kind = options->kind,
		.is_read_only = options->is_read_only,
		.bytes = device->store->capacity_bytes,
		.device = device,
		.name = strdup(options->path != NULL ? options->path : "memory"),
	};
	log_info("attached %s at controller %u, target %u, lun %u%s",
		disk->name != NULL ? disk->name : "?", disk->controller, disk->target, disk->lun,
		disk->is_read_only ? ", read-only" : "");
	return 0;
}

static void disk_close(struct worker_disk *disk)
{
	struct worker *worker = disk->worker;
	void (*done)(struct worker * worker) = disk->detached;
	scsi_device_destroy(disk->device);
	log_info("detached %s from controller %u, target %u, lun %u",
		disk->name != NULL ? disk->name : "?", disk->controller, disk->target, disk->lun);
	free(disk->name);
	*disk = (struct worker_disk){0};
	if (done != NULL)
		done(worker);
}

static void on_detached(void *ctx, struct scsi_device *device)
{
	struct worker_disk *disk = ctx;
	disk->device = device;
	disk->is_closing = disk->is_flushing;
	if (!disk->is_closing)
		disk_close(disk);
}

static int disk_detach(struct worker *worker, struct worker_disk *disk)
{
	const struct storage_address address = {
		.target = (uint8_t)disk->target, .lun = (uint8_t)disk->lun};
	disk->is_detaching = true;
	return storage_vsp_detach(storage_provider_vsp(worker->controllers[disk->controller]),
		address, on_detached, disk);
}

int worker_detach(struct worker *worker, unsigned controller, unsigned target, unsigned lun,
	char *error, size_t error_bytes)
{
	struct worker_disk *disk = disk_find(worker, controller, target, lun);
	if (disk == NULL || disk->is_detaching) {
		snprintf(error, error_bytes,
			"nothing is attached at controller %u, target %u, lun %u: see status",
			controller, target, lun);
		return -1;
	}
	const int result = disk_detach(worker, disk);
	if (result != 0)
		snprintf(error, error_bytes, "detach: %s", strerror(-result));
	return result != 0 ? -1 : 0;
}

/* ---- flush ---------------------------------------------------------------------------------- */

static void flush_end(struct worker *worker)
{
	if (--worker->flushes == 0)
		worker->flush_done(worker, worker->flush_result);
}

static void on_disk_flushed(struct store_request *request, int result)
{
	struct worker_disk *disk =
		(struct worker_disk *)(void *)((uint8_t *)request -
					       offsetof(struct worker_disk, flush));
	struct worker *worker = disk->worker;
	if (result != 0 && worker->flush_result == 0)
		worker->flush_result = result;
	disk->is_flushing = false;
	if (disk->is_closing)
		disk_close(disk);
	flush_end(worker);
}

void worker_disks_flush(struct worker *worker, void (*done)(struct worker *worker, int result))
{
	worker->flush_done = done;
	worker->flush_result = 0;
	worker->flushes = 1;
	for (unsigned i = 0; i < WORKER_DISKS_MAX; i++) {
		struct worker_disk *disk = &worker->disks[i];
		if (!disk->is_used || disk->is_detaching || disk->is_read_only)
			continue;
		disk->is_flushing = true;
		worker->flushes++;
		disk->flush = (struct store_request){.op = STORE_FLUSH, .done = on_disk_flushed};
		store_submit(disk->device->store, &disk->flush);
	}
	flush_end(worker);
}

bool worker_disks_are_idle(const struct worker *worker)
{
	for (unsigned i = 0; i < WORKER_DISKS_MAX; i++) {
		if (worker->disks[i].is_used)
			return false;
	}
	return true;
}

void worker_disks_detach_all(struct worker *worker, void (*done)(struct worker *worker))
{
	for (unsigned i = 0; i < WORKER_DISKS_MAX; i++) {
		struct worker_disk *disk = &worker->disks[i];
		if (!disk->is_used)
			continue;
		disk->detached = done;
		if (!disk->is_detaching)
			disk_detach(worker, disk);
	}
}
