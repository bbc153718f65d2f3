// SPDX-License-Identifier: Apache-2.0
/*
 * The table of the worker's control commands. See control.h.
 */
#include "host/vmwp/control.h"

static const char *const kinds[] = {"disk", "dvd", NULL};

#define CONTROLLER_ARGUMENT                                                                        \
	{                                                                                          \
		.name = "controller", .type = CONTROL_INTEGER, .maximum = CONTROL_CONTROLLER_MAX,  \
		.help = "storage controller; 0 if not given",                                      \
	}

#define LUN_ARGUMENT                                                                               \
	{                                                                                          \
		.name = "lun", .type = CONTROL_INTEGER, .maximum = CONTROL_LUN_MAX,                \
		.help = "logical unit; 0 if not given",                                            \
	}

static const struct control_argument attach_arguments[] = {
	{
		.name = "kind",
		.type = CONTROL_STRING,
		.is_required = true,
		.maximum = 16,
		.choices = kinds,
		.help = "what to attach",
	},
	{
		.name = "path",
		.type = CONTROL_STRING,
		.is_required = true,
		.maximum = CONTROL_PATH_MAX_BYTES,
		.help = "image file or block device, as the worker sees it",
	},
	CONTROLLER_ARGUMENT,
	{
		.name = "target",
		.type = CONTROL_INTEGER,
		.maximum = CONTROL_TARGET_MAX,
		.help = "target; the first free one if not given",
	},
	LUN_ARGUMENT,
	{
		.name = "read_only",
		.type = CONTROL_BOOLEAN,
		.help = "refuse writes of the guest; false if not given",
	},
};

static const struct control_argument detach_arguments[] = {
	CONTROLLER_ARGUMENT,
	{
		.name = "target",
		.type = CONTROL_INTEGER,
		.is_required = true,
		.maximum = CONTROL_TARGET_MAX,
		.help = "target of the device to detach",
	},
	LUN_ARGUMENT,
};

static unsigned number(const json_t *arguments, const char *name)
{
	return (unsigned)json_integer_value(json_object_get(arguments, name));
}

static json_t *handle_attach(void *ctx, const json_t *arguments, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	const char *kind = json_string_value(json_object_get(arguments, "kind"));
	struct control_attach what = {
		.is_dvd = kind[1] == 'v',
		.path = json_string_value(json_object_get(arguments, "path")),
		.controller = number(arguments, "controller"),
		.has_target = json_object_get(arguments, "target") != NULL,
		.target = number(arguments, "target"),
		.lun = number(arguments, "lun"),
		.is_read_only = json_is_true(json_object_get(arguments, "read_only")),
	};
	/* cppcheck-suppress returnDanglingLifetime ; `what` is lent for the call only */
	return worker->ops->attach(worker->ctx, &what, error);
}

static json_t *handle_detach(void *ctx, const json_t *arguments, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	struct control_detach what = {
		.controller = number(arguments, "controller"),
		.target = number(arguments, "target"),
		.lun = number(arguments, "lun"),
	};
	/* cppcheck-suppress returnDanglingLifetime ; `what` is lent for the call only */
	return worker->ops->detach(worker->ctx, &what, error);
}

static json_t *handle_heartbeat(void *ctx, const json_t *arguments, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	(void)arguments;
	return worker->ops->heartbeat(worker->ctx, error);
}

static json_t *handle_help(void *ctx, const json_t *arguments, struct control_error *error)
{
	(void)ctx;
	(void)arguments;
	(void)error;
	size_t count;
	const struct control_command *table = control_worker_table(&count);
	return control_table_describe(table, count);
}

static json_t *handle_shutdown(void *ctx, const json_t *arguments, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	(void)arguments;
	return worker->ops->shutdown(worker->ctx, error);
}

static json_t *handle_statistics(void *ctx, const json_t *arguments, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	(void)arguments;
	return worker->ops->statistics(worker->ctx, error);
}

static json_t *handle_status(void *ctx, const json_t *arguments, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	(void)arguments;
	return worker->ops->status(worker->ctx, error);
}

static const struct control_command commands[] = {
	{"attach", "attach a disk or a DVD", attach_arguments,
		sizeof attach_arguments / sizeof attach_arguments[0], handle_attach},
	{"detach", "take a disk or a DVD away", detach_arguments,
		sizeof detach_arguments / sizeof detach_arguments[0], handle_detach},
	{"heartbeat", "whether the guest answers, and what it says", NULL, 0, handle_heartbeat},
	{"help", "list these commands", NULL, 0, handle_help},
	{"shutdown", "end the partition and the worker in order", NULL, 0, handle_shutdown},
	{"statistics", "counters of every channel", NULL, 0, handle_statistics},
	{"status", "state of the partition, its bus and its devices", NULL, 0, handle_status},
};

const struct control_command *control_worker_table(size_t *count)
{
	*count = sizeof commands / sizeof commands[0];
	return commands;
}

char *control_worker_handle_line(void *worker, const char *line, size_t len)
{
	return control_handle_line(
		commands, sizeof commands / sizeof commands[0], worker, line, len);
}
