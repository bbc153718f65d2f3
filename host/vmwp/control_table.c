// SPDX-License-Identifier: Apache-2.0
/*
 * The table of the worker's control commands. See control.h.
 */
#include "host/vmwp/control.h"

#include "host/vmwp/control_kvp.h"

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
		.help = "target; if not given the first free one, for a virtual machine 0 and "
			"the first free lun",
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

#define TIMEOUT_ARGUMENT                                                                           \
	{                                                                                          \
		.name = "timeout", .type = CONTROL_INTEGER, .minimum = 1,                          \
		.maximum = CONTROL_TIMEOUT_MAX_S,                                                  \
		.help = "seconds to wait for the guest's answer; 10 if not given",                 \
	}

static const struct control_argument power_arguments[] = {
	{
		.name = "force",
		.type = CONTROL_BOOLEAN,
		.help = "programs of the guest may not object; false if not given",
	},
	{
		.name = "reason",
		.type = CONTROL_STRING,
		.maximum = CONTROL_REASON_MAX_BYTES,
		.help = "why, for people in the guest",
	},
	TIMEOUT_ARGUMENT,
};

static const char *const time_kinds[] = {"sync", "sample", NULL};

static const struct control_argument time_arguments[] = {
	{
		.name = "kind",
		.type = CONTROL_STRING,
		.is_required = true,
		.maximum = 16,
		.choices = time_kinds,
		.help = "sync: the guest is to set its clock; sample: to take note",
	},
};

static const char *const backup_actions[] = {"freeze", "thaw", "status", NULL};

static const struct control_argument backup_arguments[] = {
	{
		.name = "action",
		.type = CONTROL_STRING,
		.is_required = true,
		.maximum = 16,
		.choices = backup_actions,
		.help = "freeze: its file systems take no writes until thaw",
	},
	{
		.name = "hold",
		.type = CONTROL_BOOLEAN,
		.help = "with freeze: thaw when this client has gone; false if not given",
	},
	{
		.name = "limit",
		.type = CONTROL_INTEGER,
		.minimum = 1,
		.maximum = CONTROL_TIMEOUT_MAX_S,
		.help = "with freeze: seconds until it is thawed in any case; 60 if not given",
	},
	{
		.name = "timeout",
		.type = CONTROL_INTEGER,
		.minimum = 1,
		.maximum = CONTROL_TIMEOUT_MAX_S,
		.help = "with freeze: seconds that the guest may take to freeze; 900 if not given",
	},
};

static const struct control_argument copy_arguments[] = {
	{
		.name = "name",
		.type = CONTROL_STRING,
		.is_required = true,
		.maximum = CONTROL_PATH_MAX_BYTES,
		.help = "of the file in the guest; the file itself is passed as a descriptor",
	},
	{
		.name = "path",
		.type = CONTROL_STRING,
		.is_required = true,
		.maximum = CONTROL_PATH_MAX_BYTES,
		.help = "its directory in the guest",
	},
	{
		.name = "overwrite",
		.type = CONTROL_BOOLEAN,
		.help = "replace a file that exists; false if not given",
	},
	{
		.name = "create_dirs",
		.type = CONTROL_BOOLEAN,
		.help = "make the directory if it is missing; false if not given",
	},
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

static json_t *begin_copy(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	const struct control_worker *worker = ctx;
	const struct control_copy what = {
		.name = json_string_value(json_object_get(arguments, "name")),
		.path = json_string_value(json_object_get(arguments, "path")),
		.overwrites = json_is_true(json_object_get(arguments, "overwrite")),
		.creates_path = json_is_true(json_object_get(arguments, "create_dirs")),
	};
	/* cppcheck-suppress returnDanglingLifetime ; `what` is lent for the call only */
	return worker->ops->copy(worker->ctx, &what, ticket, error);
}

static json_t *handle_copy_cancel(void *ctx, const json_t *arguments, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	(void)arguments;
	return worker->ops->copy_cancel(worker->ctx, error);
}

static json_t *handle_copy_status(void *ctx, const json_t *arguments, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	(void)arguments;
	return worker->ops->copy_status(worker->ctx, error);
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

static json_t *begin_power(void *ctx, enum control_power_action action, const json_t *arguments,
	struct control_ticket *ticket, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	const struct control_power what = {
		.action = action,
		.is_forced = json_is_true(json_object_get(arguments, "force")),
		.reason = json_string_value(json_object_get(arguments, "reason")),
		.timeout_s = number(arguments, "timeout"),
	};
	/* cppcheck-suppress returnDanglingLifetime ; `what` is lent for the call only */
	return worker->ops->power(worker->ctx, &what, ticket, error);
}

static json_t *begin_backup(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	const struct control_worker *worker = ctx;
	const char *action = json_string_value(json_object_get(arguments, "action"));
	const struct control_backup what = {
		.action = action[0] == 'f'   ? CONTROL_BACKUP_FREEZE
			  : action[0] == 't' ? CONTROL_BACKUP_THAW
					     : CONTROL_BACKUP_STATUS,
		.is_held = json_is_true(json_object_get(arguments, "hold")),
		.timeout_s = number(arguments, "timeout"),
		.limit_s = number(arguments, "limit"),
	};
	/* cppcheck-suppress returnDanglingLifetime ; `what` is lent for the call only */
	return worker->ops->backup(worker->ctx, &what, ticket, error);
}

static json_t *begin_hibernate(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	return begin_power(ctx, CONTROL_POWER_HIBERNATE, arguments, ticket, error);
}

static json_t *begin_reboot(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	return begin_power(ctx, CONTROL_POWER_REBOOT, arguments, ticket, error);
}

static json_t *begin_shutdown(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	return begin_power(ctx, CONTROL_POWER_OFF, arguments, ticket, error);
}

static json_t *begin_time(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error)
{
	const struct control_worker *worker = ctx;
	const char *kind = json_string_value(json_object_get(arguments, "kind"));
	return worker->ops->time(worker->ctx, kind[1] == 'y', ticket, error);
}

static json_t *handle_services(void *ctx, const json_t *arguments, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	(void)arguments;
	return worker->ops->services(worker->ctx, error);
}

static json_t *handle_stop(void *ctx, const json_t *arguments, struct control_error *error)
{
	const struct control_worker *worker = ctx;
	(void)arguments;
	return worker->ops->stop(worker->ctx, error);
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

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct control_command commands[] = {
	{"attach", "attach a disk or a DVD", attach_arguments, COUNT(attach_arguments),
		handle_attach, NULL},
	{"backup", "have the guest's file systems at rest while its disks are copied",
		backup_arguments, COUNT(backup_arguments), NULL, begin_backup},
	{"copy", "copy a file into the guest", copy_arguments, COUNT(copy_arguments), NULL,
		begin_copy},
	{"copy-cancel", "give the copy up", NULL, 0, handle_copy_cancel, NULL},
	{"copy-status", "how far the copy is", NULL, 0, handle_copy_status, NULL},
	{"detach", "take a disk or a DVD away", detach_arguments, COUNT(detach_arguments),
		handle_detach, NULL},
	{"heartbeat", "whether the guest answers, and what it says", NULL, 0, handle_heartbeat,
		NULL},
	{"help", "list these commands", NULL, 0, handle_help, NULL},
	{"hibernate", "ask the guest to hibernate", power_arguments, COUNT(power_arguments), NULL,
		begin_hibernate},
	{"ip-get", "the addresses of an adapter of the guest", control_ip_get_arguments,
		COUNT(control_ip_get_arguments), NULL, control_ip_get},
	{"ip-set", "have the guest set them", control_ip_set_arguments,
		COUNT(control_ip_set_arguments), NULL, control_ip_set},
	{"kvp-delete", "delete a pair that is kept in the guest", control_kvp_delete_arguments,
		COUNT(control_kvp_delete_arguments), NULL, control_kvp_delete},
	{"kvp-get", "read one", control_kvp_get_arguments, COUNT(control_kvp_get_arguments), NULL,
		control_kvp_get},
	{"kvp-list", "read a pool of them, by pages", control_kvp_list_arguments,
		COUNT(control_kvp_list_arguments), NULL, control_kvp_list},
	{"kvp-set", "make or change one", control_kvp_set_arguments,
		COUNT(control_kvp_set_arguments), NULL, control_kvp_set},
	{"reboot", "ask the guest to restart", power_arguments, COUNT(power_arguments), NULL,
		begin_reboot},
	{"services", "the integration services and how they fare", NULL, 0, handle_services, NULL},
	{"shutdown", "ask the guest to power off, which ends the worker", power_arguments,
		COUNT(power_arguments), NULL, begin_shutdown},
	{"statistics", "counters of every channel", NULL, 0, handle_statistics, NULL},
	{"status", "state of the partition, its bus and its devices", NULL, 0, handle_status, NULL},
	{"stop", "end the partition and the worker in order, without asking the guest", NULL, 0,
		handle_stop, NULL},
	{"time", "tell the guest the time", time_arguments, COUNT(time_arguments), NULL,
		begin_time},
};

const struct control_command *control_worker_table(size_t *count)
{
	*count = COUNT(commands);
	return commands;
}

char *control_worker_handle_line(
	void *worker, const char *line, size_t len, struct control_ticket *ticket)
{
	return control_handle_line(commands, COUNT(commands), worker, line, len, ticket);
}
