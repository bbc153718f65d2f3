// SPDX-License-Identifier: Apache-2.0
/* What the control commands see and do: see worker.h and control.h. */
#include "host/vmwp/worker.h"

#include "protocol/vmbus.h"

#include <stdio.h>
#include <stdlib.h>
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

static json_t *heartbeat_json(const struct worker *worker)
{
	if (!worker->has_heartbeat)
		return json_pack("{s:b}", "offered", 0);
	const struct heartbeat_vsp *vsp = &worker->heartbeat.vsp;
	return json_pack("{s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "offered", 1, "contact",
		heartbeat_contact_name(vsp->contact), "application",
		heartbeat_application_name(vsp->application_state), "sequence",
		(json_int_t)vsp->sequence, "answers", (json_int_t)vsp->answers, "missed",
		(json_int_t)vsp->missed_total, "lost_contacts", (json_int_t)vsp->lost_contacts,
		"recoveries", (json_int_t)vsp->recoveries);
}

static json_t *status_op(void *ctx, struct control_error *error)
{
	const struct worker *worker = ctx;
	struct vmbus_bus_statistics bus;
	(void)error;
	vmbus_bus_statistics_get(worker->bus, &bus);
	char features[16];
	snprintf(features, sizeof features, "0x%02x", bus.features);
	return json_pack("{s:I, s:f, s:s, s:i, s:I, s:b, s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:s?, "
			 "s:i, s:o, s:o}",
		"pid", (json_int_t)getpid(), "uptime_seconds",
		(double)(loop_now_ns() - worker->started_ns) / 1e9, "backend", "loopback", "vps",
		(int)worker->options->vp_count, "memory_bytes",
		(json_int_t)worker->options->memory_bytes, "guest_connected",
		(int)backend_loopback_has_guest(worker->backend), "guests",
		(json_int_t)worker->guests, "connection", bus.connection_state, "version",
		version_text(bus.version), "features", features, "messages_in",
		(json_int_t)bus.messages_in, "messages_out", (json_int_t)bus.messages_out,
		"messages_rejected", (json_int_t)bus.messages_rejected, "last_rejection",
		bus.last_rejection, "channels", (int)bus.channel_count, "disks", disks_json(worker),
		"heartbeat", heartbeat_json(worker));
}

static json_t *heartbeat_op(void *ctx, struct control_error *error)
{
	(void)error;
	return heartbeat_json(ctx);
}

static void channel_append(void *ctx, const struct bus_channel_statistics *s)
{
	char interface[GUID_TEXT_BYTES];
	char instance[GUID_TEXT_BYTES];
	guid_format(&s->interface_id, interface);
	guid_format(&s->instance_id, instance);
	json_array_append_new(ctx,
		json_pack("{s:i, s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:s, "
			  "s:s}",
			"relid", (int)s->relid, "provider", s->provider, "state", s->state,
			"subchannel", (int)s->subchannel_index, "vp", (int)s->target_vp,
			"packets_in", (json_int_t)s->packets_in, "packets_out",
			(json_int_t)s->packets_out, "bytes_in", (json_int_t)s->bytes_in,
			"bytes_out", (json_int_t)s->bytes_out, "signals_in",
			(json_int_t)s->signals_in, "signals_out", (json_int_t)s->signals_out,
			"ring_full", (json_int_t)s->ring_full, "failure", s->failure, "interface",
			interface, "instance", instance));
}

static json_t *statistics_op(void *ctx, struct control_error *error)
{
	const struct worker *worker = ctx;
	struct loop_statistics loop;
	json_t *channels = json_array();
	(void)error;
	vmbus_bus_channels_visit(worker->bus, channel_append, channels);
	loop_statistics_get(worker->loop, &loop);
	return json_pack("{s:o, s:{s:I, s:I, s:I, s:I}}", "channels", channels, "loop", "turns",
		(json_int_t)loop.turns, "sleeps", (json_int_t)loop.sleeps, "completions",
		(json_int_t)loop.completions, "submits", (json_int_t)loop.submits);
}

static json_t *attach_op(void *ctx, const struct control_attach *what, struct control_error *error)
{
	struct worker *worker = ctx;
	struct disk_options disk = {
		.kind = what->is_dvd ? DISK_DVD : DISK_FILE,
		.path = what->path,
		.controller = what->controller,
		.target = what->target,
		.lun = what->lun,
		.block_bytes = what->is_dvd ? 2048 : 512,
		.has_address = true,
		.is_read_only = what->is_read_only || what->is_dvd,
	};
	if (!what->has_target) {
		uint64_t used = 0;
		for (unsigned i = 0; i < WORKER_DISKS_MAX; i++) {
			if (worker->disks[i].is_used &&
				worker->disks[i].controller == disk.controller)
				used |= 1ull << worker->disks[i].target;
		}
		if (used == UINT64_MAX) {
			control_error_set(error,
				"controller %u has no free target: name one, with a free lun",
				disk.controller);
			return NULL;
		}
		disk.target = (unsigned)__builtin_ctzll(~used);
	}
	if (worker_attach(worker, &disk, error->text, sizeof error->text) != 0)
		return NULL;
	return json_pack("{s:i, s:i, s:i}", "controller", (int)disk.controller, "target",
		(int)disk.target, "lun", (int)disk.lun);
}

static json_t *detach_op(void *ctx, const struct control_detach *what, struct control_error *error)
{
	if (worker_detach(ctx, what->controller, what->target, what->lun, error->text,
		    sizeof error->text) != 0)
		return NULL;
	return json_object();
}

static json_t *shutdown_op(void *ctx, struct control_error *error)
{
	(void)error;
	worker_stop(ctx, 0);
	return json_object();
}

const struct control_ops worker_control_ops = {
	.status = status_op,
	.statistics = statistics_op,
	.heartbeat = heartbeat_op,
	.attach = attach_op,
	.detach = detach_op,
	.shutdown = shutdown_op,
};
