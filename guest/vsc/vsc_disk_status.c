// SPDX-License-Identifier: Apache-2.0
/* Counts of vsc-disk as JSON. See vsc_disk_status.h. */
#include "guest/vsc/vsc_disk_status.h"

#include "guest/vsc/vsc_disk_log.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static json_t *count(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *rejections_json(const struct storage_vsc *vsc)
{
	json_t *out = json_object();
	for (unsigned i = 1; i < STORAGE_VSC_REJECT_COUNT; i++)
		if (vsc->counters.rejections[i] > 0)
			json_object_set_new(out,
				storage_vsc_reject_name((enum storage_vsc_reject)i),
				count(vsc->counters.rejections[i]));
	return out;
}

static json_t *controller_json(const struct disk_controller *at)
{
	const struct storage_vsc *vsc = &at->controller->vsc;
	const struct storage_vsc_counters *c = &vsc->counters;
	json_t *out = json_object();
	json_object_set_new(out, "controller", count(at->number));
	json_object_set_new(out, "state",
		json_string(storage_vsc_state_name((enum storage_vsc_state)vsc->state)));
	json_object_set_new(
		out, "protocol", json_string(vsc->version != NULL ? vsc->version->name : ""));
	json_object_set_new(out, "channels", count(1u + at->controller->sub_channels_open));
	json_object_set_new(out, "max_transfer_bytes", count(vsc->max_transfer_bytes));
	json_object_set_new(out, "in_flight", count(vsc->in_flight));
	json_object_set_new(out, "completed", count(c->completed));
	json_object_set_new(out, "failed", count(c->failed));
	json_object_set_new(out, "retries", count(c->retries));
	json_object_set_new(out, "timeouts", count(c->timeouts));
	json_object_set_new(out, "resets", count(c->resets));
	json_object_set_new(out, "late_answers", count(c->late_answers));
	json_object_set_new(out, "memory_lost", count(c->memory_lost));
	json_object_set_new(out, "notifications", count(c->notifications));
	json_object_set_new(out, "scans", count(c->scans));
	json_object_set_new(out, "luns_ignored", count(c->luns_ignored));
	json_object_set_new(out, "rejections", rejections_json(vsc));
	return out;
}

static json_t *file_json(const struct disk_file *file)
{
	const struct storage_vsc_lun *lun = file->disk.lun;
	json_t *out = json_object();
	json_object_set_new(out, "name", json_string(file->name));
	json_object_set_new(out, "bytes", count(file->disk.bytes));
	json_object_set_new(out, "block_bytes", count(file->disk.block_bytes));
	json_object_set_new(out, "read_only", json_boolean(file->disk.is_read_only));
	json_object_set_new(out, "reads", count(file->reads));
	json_object_set_new(out, "writes", count(file->writes));
	json_object_set_new(out, "partial_writes", count(file->disk.partial_writes));
	json_object_set_new(out, "flushes", count(file->flushes));
	json_object_set_new(out, "erases", count(file->erases));
	json_object_set_new(out, "errors", count(file->errors));
	if (lun != NULL) {
		json_object_set_new(out, "read_bytes", count(lun->read_bytes));
		json_object_set_new(out, "written_bytes", count(lun->written_bytes));
		json_object_set_new(out, "vendor", json_string(lun->properties.vendor));
		json_object_set_new(out, "product", json_string(lun->properties.product));
		json_object_set_new(out, "serial", json_string(lun->properties.serial));
	}
	return out;
}

static json_t *bus_json(const struct disk_guest *guest)
{
	struct vmbus_statistics statistics;
	char version[16];
	json_t *out = json_object();
	if (!guest->is_bus_up)
		return out;
	vmbus_statistics_get(guest->bus, &statistics);
	const uint32_t spoken = vmbus_version(guest->bus);
	snprintf(version, sizeof version, "%u.%u", spoken >> 16, spoken & 0xFFFF);
	json_object_set_new(out, "version", json_string(version));
	json_object_set_new(out, "features", count(vmbus_features(guest->bus)));
	json_object_set_new(out, "messages_sent", count(statistics.messages_sent));
	json_object_set_new(out, "messages_received", count(statistics.messages_received));
	json_object_set_new(out, "messages_rejected", count(statistics.messages_rejected));
	json_object_set_new(out, "pages_abandoned", count(statistics.pages_abandoned));
	return out;
}

static json_t *time_json(const struct disk_services *services)
{
	return json_pack("{s:o, s:o, s:f}", "syncs", count(services->timesync.syncs), "samples",
		count(services->timesync.samples), "host_ahead_us",
		(double)services->clock_offset_100ns / 10);
}

static json_t *snapshot(const struct disk_guest *guest, struct disk_tree *tree,
	const struct disk_fuse *fuse, const struct disk_io *io)
{
	json_t *out = json_object();
	json_t *controllers = json_array();
	json_t *disks = json_array();
	for (unsigned i = 0; i < DISK_CONTROLLERS_MAX; i++)
		if (guest->controllers[i].is_open)
			json_array_append_new(controllers, controller_json(&guest->controllers[i]));
	for (const struct disk_file *file = disk_tree_next(tree, 0); file != NULL;
		file = disk_tree_next(tree, file->ino))
		json_array_append_new(disks, file_json(file));
	json_object_set_new(out, "vmbus", bus_json(guest));
	json_object_set_new(out, "controllers", controllers);
	json_object_set_new(out, "disks", disks);
	json_object_set_new(out, "heartbeats", count(guest->services.heartbeat.beats));
	json_object_set_new(out, "time", time_json(&guest->services));
	json_object_set_new(out, "fuse_requests", count(fuse->counters.requests));
	json_object_set_new(out, "fuse_stalls", count(fuse->counters.stalls));
	json_object_set_new(out, "fuse_dry_looks", count(fuse->counters.dry));
	json_object_set_new(out, "jobs", count(io->jobs));
	json_object_set_new(out, "memory_bytes", count((uint64_t)io->arena.memory.bytes));
	json_object_set_new(
		out, "memory_lost_bytes", count((uint64_t)io->arena.lost_pages * WINHV_PAGE_BYTES));
	return out;
}

int disk_status_write(const char *path, const struct disk_guest *guest, struct disk_tree *tree,
	const struct disk_fuse *fuse, const struct disk_io *io)
{
	char temporary[4096];
	const int length = snprintf(temporary, sizeof temporary, "%s.new", path);
	if (length < 0 || (size_t)length >= sizeof temporary)
		return -ENAMETOOLONG;
	json_t *json = snapshot(guest, tree, fuse, io);
	int error = 0;
	if (json == NULL || json_dump_file(json, temporary, JSON_INDENT(2)) != 0 ||
		rename(temporary, path) != 0) {
		error = errno ? -errno : -EIO;
		disk_log("%s: cannot write the status: %s", path, strerror(-error));
		(void)unlink(temporary);
	}
	json_decref(json);
	return error;
}
