// SPDX-License-Identifier: Apache-2.0
/* What the control commands do: see worker.h and control.h. */
#include "host/vmwp/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *status_op(void *ctx, struct control_error *error)
{
	(void)error;
	return worker_status_json(ctx);
}

static json_t *heartbeat_op(void *ctx, struct control_error *error)
{
	(void)error;
	return worker_heartbeat_json(ctx);
}

static json_t *statistics_op(void *ctx, struct control_error *error)
{
	(void)error;
	return worker_statistics_json(ctx);
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
	if (!what->has_target && worker_address_pick(worker, &disk) != 0) {
		control_error_set(error,
			"controller %u has no free target: name one, with a free lun",
			disk.controller);
		return NULL;
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

static json_t *services_op(void *ctx, struct control_error *error)
{
	(void)error;
	return worker_services_json(ctx);
}

static json_t *stop_op(void *ctx, struct control_error *error)
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
	.stop = stop_op,
	.services = services_op,
	.power = worker_power_command,
	.copy = worker_copy_command,
	.copy_cancel = worker_copy_cancel_command,
	.copy_status = worker_copy_status_command,
	.time = worker_time_command,
	.backup = worker_backup_command,
	.kvp = worker_kvp_command,
	.ip = worker_ip_command,
};
