// SPDX-License-Identifier: Apache-2.0
/* What the control commands see: see worker.h. */
#include "host/vmwp/worker.h"

#include "protocol/vmbus.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *version_text(uint32_t version)
{
	const struct vmbus_version_info *info = vmbus_version_find(version);
	return info != NULL ? info->text : "none";
}

static json_t *disks_json(const struct worker *worker)
{
	static const char *const kinds[] = {
		[DISK_FILE] = "disk", [DISK_DVD] = "dvd", [DISK_RAM] = "ram-disk"};
	json_t *disks = json_array();
	for (unsigned i = 0; i < WORKER_DISKS_MAX; i++) {
		const struct worker_disk *disk = &worker->disks[i];
		if (!disk->is_used)
			continue;
		json_array_append_new(disks,
			json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:b}", "kind", kinds[disk->kind],
				"path", disk->name, "controller", (int)disk->controller, "target",
				(int)disk->target, "lun", (int)disk->lun, "bytes",
				(json_int_t)disk->bytes, "read_only", (int)disk->is_read_only));
	}
	return disks;
}

json_t *worker_status_json(const struct worker *worker)
{
	struct vmbus_bus_statistics bus;
	char features[16];
	json_t *crash = worker_crash_json(&worker->crash);
	vmbus_bus_statistics_get(worker->bus, &bus);
	snprintf(features, sizeof features, "0x%02x", bus.features);
	json_t *status = json_pack("{s:I, s:f, s:s, s:i, s:I}", "pid", (json_int_t)getpid(),
		"uptime_seconds", (double)(loop_now_ns() - worker->started_ns) / 1e9, "backend",
		worker->backend->name, "vps", (int)worker->options->vp_count, "memory_bytes",
		(json_int_t)worker->options->memory_bytes);
	worker->backend->status(worker, status);
	if (crash != NULL)
		json_object_set_new(status, "crash", crash);
	json_t *rest = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s?, s:i, s:o, s:o}",
		"connection", bus.connection_state, "version", version_text(bus.version),
		"features", features, "messages_in", (json_int_t)bus.messages_in, "messages_out",
		(json_int_t)bus.messages_out, "messages_rejected",
		(json_int_t)bus.messages_rejected, "last_rejection", bus.last_rejection, "channels",
		(int)bus.channel_count, "disks", disks_json(worker), "heartbeat",
		worker_heartbeat_json(worker));
	json_object_update(status, rest);
	json_decref(rest);
	return status;
}

static json_t *partition_json(const struct worker *worker)
{
	struct partition_statistics s;
	partition_statistics_get(worker->partition, &s);
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"hypercalls", s.hypercalls},
		{"hypercalls_refused", s.hypercalls_refused},
		{"msr_faults", s.msr_faults},
		{"messages_posted", s.messages_posted},
		{"posts_refused", s.posts_refused},
		{"messages_sent", s.messages_sent},
		{"messages_queued", s.messages_queued},
		{"messages_lost", s.messages_lost},
		{"events_signalled", s.events_signalled},
		{"signals_unknown", s.signals_unknown},
		{"events_set", s.events_set},
		{"events_coalesced", s.events_coalesced},
		{"interrupts", s.interrupts},
		{"timer_expirations", s.timer_expirations},
		{"timer_ticks_lost", s.timer_ticks_lost},
		{"resets", s.resets},
		{"crashes", s.crashes},
	};
	json_t *object = json_object();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		json_object_set_new(object, rows[i].name, json_integer((json_int_t)rows[i].value));
	return object;
}

static void channel_append(void *ctx, const struct bus_channel_statistics *s)
{
	char interface[GUID_TEXT_BYTES];
	char instance[GUID_TEXT_BYTES];
	guid_format(&s->interface_id, interface);
	guid_format(&s->instance_id, instance);
	json_t *monitor_id = s->monitor_id == VMBUS_MONITOR_ID_NONE ? json_null()
								    : json_integer(s->monitor_id);
	json_array_append_new(ctx,
		json_pack("{s:i, s:s, s:s, s:i, s:i, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, "
			  "s:s, s:s}",
			"relid", (int)s->relid, "provider", s->provider, "state", s->state,
			"subchannel", (int)s->subchannel_index, "vp", (int)s->target_vp,
			"monitor_id", monitor_id, "packets_in", (json_int_t)s->packets_in,
			"packets_out", (json_int_t)s->packets_out, "bytes_in",
			(json_int_t)s->bytes_in, "bytes_out", (json_int_t)s->bytes_out,
			"signals_in", (json_int_t)s->signals_in, "signals_out",
			(json_int_t)s->signals_out, "ring_full", (json_int_t)s->ring_full,
			"failure", s->failure, "interface", interface, "instance", instance));
}

/* Requests of the guest to its disks, as packets of the storage channels that are there now. */
static void requests_add(void *ctx, const struct bus_channel_statistics *s)
{
	if (strcmp(s->provider, "storage") == 0)
		*(uint64_t *)ctx += s->packets_in;
}

json_t *worker_statistics_json(const struct worker *worker)
{
	struct loop_statistics loop;
	uint64_t requests = 0;
	json_t *statistics = json_object();
	json_t *channels = json_array();
	vmbus_bus_channels_visit(worker->bus, channel_append, channels);
	vmbus_bus_channels_visit(worker->bus, requests_add, &requests);
	json_object_set_new(statistics, "channels", channels);
	json_object_set_new(statistics, "storage_requests", json_integer((json_int_t)requests));
	json_object_set_new(statistics, "partition", partition_json(worker));
	worker->backend->statistics(worker, statistics);
	loop_statistics_get(worker->loop, &loop);
	json_object_set_new(statistics, "loop",
		json_pack("{s:I, s:I, s:I, s:I}", "turns", (json_int_t)loop.turns, "sleeps",
			(json_int_t)loop.sleeps, "completions", (json_int_t)loop.completions,
			"submits", (json_int_t)loop.submits));
	return statistics;
}
