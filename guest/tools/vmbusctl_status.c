// SPDX-License-Identifier: Apache-2.0
/* What serves the integration components. See vmbusctl_status.h. */
#include "guest/tools/vmbusctl_status.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES   4096u
#define FILE_BYTES   65536u /* of a status file */
#define ADVICE_BYTES 256u
#define COMM_BYTES   17u /* a process's name, 15 characters at most, its newline and NUL */
#define SERVICE_MAX  8u

/* The services that have daemons. */
static const struct service {
	const char *stem;
	const struct guid *class_id;
	bool is_in_kernel;   /* hv_utils answers by itself, without a daemon */
	const char *misc;    /* the kernel's device for a daemon, in class/misc; NULL: none */
	const char *path;    /* and in /dev */
	const char *comm[3]; /* daemons of others, by the names of their processes */
} services[] = {
	{"heartbeat", &guid_heartbeat, true, NULL, NULL, {NULL}},
	{"shutdown", &guid_shutdown, true, NULL, NULL, {NULL}},
	{"timesync", &guid_timesync, true, NULL, NULL, {NULL}},
	{"kvp", &guid_kvp, false, "vmbus!hv_kvp", "/dev/vmbus/hv_kvp", {"hv_kvp_daemon"}},
	{"vss", &guid_vss, false, "vmbus!hv_vss", "/dev/vmbus/hv_vss", {"hv_vss_daemon"}},
	{"fcopy", &guid_fcopy, false, "vmbus!hv_fcopy", "/dev/vmbus/hv_fcopy",
		{"hv_fcopy_daemon", "hv_fcopy_uio_da"}},
};
#define SERVICE_COUNT (sizeof services / sizeof services[0])
_Static_assert(SERVICE_COUNT <= SERVICE_MAX, "foreign_pids");

/* What was found out about one of them. */
struct finding {
	const struct service *service;
	const struct vmbus_sysfs_device *device; /* NULL: not offered */
	char path[PATH_BYTES];			 /* of its device file; empty: none */
	json_t *daemon;				 /* what its file says; NULL: no file */
	long pid;				 /* of a daemon that runs; 0: none does */
	const char *served_by;			 /* NULL: nobody */
	char name[COMM_BYTES];			 /* of the daemon, for served_by */
	char advice[ADVICE_BYTES];
};

static void __attribute__((format(printf, 2, 3)))
advise(struct finding *finding, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(finding->advice, sizeof finding->advice, format, args);
	va_end(args);
}

/* ---- files ---- */

static bool path_make(char path[PATH_BYTES], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool path_make(char path[PATH_BYTES], const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const int n = vsnprintf(path, PATH_BYTES, format, args);
	va_end(args);
	return n > 0 && (size_t)n < PATH_BYTES;
}

/* The status file of a daemon: a regular file, not a link, of bounded size. NULL: none such. */
static json_t *daemon_read(const char *run, const char *stem)
{
	char path[PATH_BYTES];
	struct stat status;
	char *text = NULL;
	json_t *out = NULL;
	if (!path_make(path, "%s/%s.json", run, stem))
		return NULL;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size < FILE_BYTES)
		text = malloc(FILE_BYTES);
	const ssize_t n = text == NULL ? -1 : read(fd, text, FILE_BYTES);
	if (n > 0)
		out = json_loadb(text, (size_t)n, 0, NULL);
	if (out != NULL && !json_is_object(out)) {
		json_decref(out);
		out = NULL;
	}
	free(text);
	close(fd);
	return out;
}

static bool comm_read(const char *proc, const char *pid, char comm[COMM_BYTES])
{
	char path[PATH_BYTES];
	if (!path_make(path, "%s/%s/comm", proc, pid))
		return false;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const ssize_t n = fd < 0 ? -1 : read(fd, comm, COMM_BYTES - 1);
	if (fd >= 0)
		close(fd);
	comm[n > 0 ? n : 0] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
	return n > 0;
}

/* Daemons of others that run: the process of each service, 0 if there is none. */
static void foreign_find(const char *proc, long pids[SERVICE_MAX], const char *names[SERVICE_MAX])
{
	DIR *dir = opendir(proc);
	for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		char comm[COMM_BYTES];
		if (!isdigit((unsigned char)entry->d_name[0]) ||
			!comm_read(proc, entry->d_name, comm))
			continue;
		for (size_t i = 0; i < SERVICE_COUNT; i++) {
			for (size_t j = 0; j < 3 && services[i].comm[j] != NULL; j++) {
				if (strcmp(comm, services[i].comm[j]) != 0)
					continue;
				pids[i] = strtol(entry->d_name, NULL, 10);
				names[i] = services[i].comm[0];
			}
		}
	}
	if (dir != NULL)
		closedir(dir);
}

/* "/dev/uio3" of a device that uio_hv_generic has. */
static bool uio_find(const char *root, const char *name, char path[PATH_BYTES])
{
	char folder[PATH_BYTES];
	bool is_found = false;
	if (!path_make(folder, "%s/" VMBUS_SYSFS_DEVICES "/%s/uio", root, name))
		return false;
	DIR *dir = opendir(folder);
	for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		if (strncmp(entry->d_name, "uio", 3) == 0)
			is_found = path_make(path, "/dev/%s", entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	return is_found;
}

/* ---- verdict ---- */

/* A daemon of ours that runs, by its file; the file of one that has died stays behind. */
static void daemon_find(struct finding *finding, const struct vmbusctl_status_paths *paths)
{
	char pid[24];
	char comm[COMM_BYTES];
	char wanted[COMM_BYTES];
	finding->daemon = daemon_read(paths->run, finding->service->stem);
	const json_int_t number = json_integer_value(json_object_get(finding->daemon, "pid"));
	if (number <= 0 || number > INT32_MAX)
		return;
	snprintf(pid, sizeof pid, "%" JSON_INTEGER_FORMAT, number);
	snprintf(wanted, sizeof wanted, "vmic-%s", finding->service->stem);
	if (!comm_read(paths->proc, pid, comm) || strcmp(comm, wanted) != 0)
		return;
	finding->pid = (long)number;
	memcpy(finding->name, comm, sizeof comm);
	finding->served_by = finding->name;
}

static void device_find(struct finding *finding, const struct vmbus_sysfs_list *list,
	const struct vmbusctl_status_paths *paths)
{
	const struct service *service = finding->service;
	char path[PATH_BYTES];
	for (size_t i = 0; i < list->count && finding->device == NULL; i++) {
		if (guid_equal(&list->devices[i].class_id, service->class_id))
			finding->device = &list->devices[i];
	}
	if (finding->device == NULL)
		return;
	if (strcmp(finding->device->driver, "uio_hv_generic") == 0)
		uio_find(paths->root, finding->device->name, finding->path);
	else if (service->misc != NULL &&
		 path_make(path, "%s/class/misc/%s", paths->root, service->misc) &&
		 access(path, F_OK) == 0)
		snprintf(finding->path, sizeof finding->path, "%s", service->path);
}

/* Nobody serves it: why, and what to do. */
static void advice_make(struct finding *finding)
{
	const char *stem = finding->service->stem;
	const char *driver = finding->device->driver;
	if (driver[0] == '\0')
		advise(finding,
			"no driver has it: modprobe hv_utils, or vmbusctl bind %s uio_hv_generic",
			stem);
	else if (strcmp(driver, "hv_utils") != 0 && strcmp(driver, "uio_hv_generic") != 0)
		advise(finding, "%.100s has it: vmbusctl bind %s hv_utils", driver, stem);
	else if (finding->path[0] == '\0')
		advise(finding, "%s has made no device file for it: see the kernel's log (dmesg)",
			driver);
	else if (finding->daemon != NULL)
		advise(finding, "vmic-%s has ended: journalctl -u viridian-%s.service", stem, stem);
	else
		advise(finding, "no daemon serves it: systemctl start viridian-%s.service", stem);
}

/* Our daemon runs. Whether it serves; else what it says of the ways that it has tried. */
static void daemon_judge(struct finding *finding)
{
	const char *state = json_string_value(json_object_get(finding->daemon, "state"));
	json_t *ways = json_object_get(finding->daemon, "transports");
	if (state == NULL || strcmp(state, "serving") == 0)
		return;
	advise(finding, "%s reaches no device", finding->name);
	for (void *at = json_object_iter(ways); at != NULL; at = json_object_iter_next(ways, at)) {
		const char *why = json_string_value(json_object_iter_value(at));
		const size_t used = strlen(finding->advice);
		if (why != NULL)
			snprintf(finding->advice + used, sizeof finding->advice - used,
				"; %.20s: %.80s", json_object_iter_key(at), why);
	}
}

static void verdict_make(struct finding *finding, long foreign_pid, const char *foreign_name)
{
	const struct service *service = finding->service;
	if (finding->served_by == NULL && foreign_pid != 0) {
		finding->pid = foreign_pid;
		finding->served_by = foreign_name;
	}
	if (finding->device == NULL) {
		advise(finding, "the host does not offer it: switch it on there, in the "
				"machine's settings, or by vmwp run --services");
	} else if (service->is_in_kernel && strcmp(finding->device->driver, "hv_utils") == 0) {
		finding->served_by = "hv_utils";
		finding->pid = 0;
	} else if (finding->served_by == NULL) {
		advice_make(finding);
	} else if (finding->served_by == finding->name) {
		daemon_judge(finding);
	}
}

/* ---- JSON ---- */

static json_t *text_or_null(const char *text)
{
	char safe[PATH_BYTES];
	if (text == NULL || text[0] == '\0')
		return json_null();
	return json_string(vmbus_text_safe(text, safe, sizeof safe));
}

static json_t *finding_object(const struct finding *finding)
{
	const struct vmbus_sysfs_device *device = finding->device;
	char id[GUID_TEXT_BYTES];
	const char *state = "on";
	if (device == NULL)
		state = "absent";
	else if (finding->advice[0] != '\0')
		state = "off";
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "service",
		finding->service->stem, "state", state, "relid",
		device == NULL ? json_null() : json_integer(device->numbers[VMBUS_DEVICE_ID]),
		"instance_id",
		device == NULL ? json_null() : json_string(guid_format(&device->instance_id, id)),
		"driver", text_or_null(device == NULL ? NULL : device->driver), "device",
		text_or_null(finding->path), "served_by", text_or_null(finding->served_by), "pid",
		finding->pid == 0 ? json_null() : json_integer(finding->pid), "advice",
		text_or_null(finding->advice), "daemon",
		finding->daemon == NULL ? json_null() : json_incref(finding->daemon));
}

json_t *vmbusctl_status_read(
	const struct vmbus_sysfs_list *list, const struct vmbusctl_status_paths *paths)
{
	long foreign_pids[SERVICE_MAX] = {0};
	const char *foreign_names[SERVICE_MAX] = {NULL};
	json_t *out = json_array();
	foreign_find(paths->proc, foreign_pids, foreign_names);
	for (size_t i = 0; i < SERVICE_COUNT; i++) {
		struct finding finding = {.service = &services[i]};
		device_find(&finding, list, paths);
		daemon_find(&finding, paths);
		verdict_make(&finding, foreign_pids[i], foreign_names[i]);
		json_array_append_new(out, finding_object(&finding));
		json_decref(finding.daemon);
	}
	return out;
}

/* ---- text ---- */

#define INDENT	   "               "
#define LINE_CHARS 96u

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* A value in few characters, safe; empty: it has none. */
static void value_text(const json_t *value, char out[ADVICE_BYTES])
{
	out[0] = '\0';
	if (json_is_string(value))
		vmbus_text_safe(json_string_value(value), out, ADVICE_BYTES);
	else if (json_is_integer(value))
		snprintf(out, ADVICE_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		snprintf(out, ADVICE_BYTES, "%.3f", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(out, ADVICE_BYTES, "%s", json_is_true(value) ? "yes" : "no");
}

/* Lines of "key value, key value", cut where they get long. */
struct columns {
	FILE *out;
	size_t used;
	unsigned items;
};

static void column_print(struct columns *columns, const char *key, const json_t *value)
{
	char name[64];
	char text[ADVICE_BYTES];
	value_text(value, text);
	if (text[0] == '\0' || columns->items == 64)
		return;
	vmbus_text_safe(key, name, sizeof name);
	for (char *c = name; *c != '\0'; c++)
		*c = *c == '_' ? ' ' : *c;
	const size_t bytes = strlen(name) + strlen(text) + 3;
	if (columns->used == 0 || columns->used + bytes > LINE_CHARS) {
		fprintf(columns->out, "%s" INDENT, columns->used == 0 ? "" : ",\n");
		columns->used = sizeof INDENT - 1;
	} else {
		fputs(", ", columns->out);
	}
	fprintf(columns->out, "%s %s", name, text);
	columns->used += bytes;
	columns->items++;
}

/* Seconds since "2024-05-06T07:08:09Z"; negative: that is no time, or still to come. */
static long long age_of(const char *text)
{
	struct tm parts = {0};
	const char *end = text == NULL ? NULL : strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts);
	if (end == NULL || *end != '\0')
		return -1;
	return (long long)time(NULL) - (long long)timegm(&parts);
}

static void contact_print(struct columns *columns, const json_t *daemon)
{
	const char *when = text_of(daemon, "last_contact");
	const long long age = age_of(when);
	if (when == NULL)
		return;
	json_t *text = age < 0 ? json_string(when) : json_sprintf("%s (%lld s ago)", when, age);
	column_print(columns, "last contact", text);
	json_decref(text);
}

/* All members of an object that have a value in few characters; one level deep. */
static void members_print(struct columns *columns, json_t *object)
{
	for (void *at = json_object_iter(object); at != NULL;
		at = json_object_iter_next(object, at)) {
		json_t *value = json_object_iter_value(at);
		column_print(columns, json_object_iter_key(at), value);
		for (void *in = json_object_iter(value); in != NULL;
			in = json_object_iter_next(value, in))
			column_print(columns, json_object_iter_key(in), json_object_iter_value(in));
	}
}

/* What a daemon says of itself, but for what the first line has. */
static void daemon_print(FILE *out, const json_t *daemon)
{
	static const struct {
		const char *key;
		const char *title;
	} shown[] = {
		{"transport", "transport"},
		{"message_version", "version"},
		{"framework_version", "framework"},
		{"requests", "requests"},
	};
	struct columns columns = {.out = out};
	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
		column_print(&columns, shown[i].title, json_object_get(daemon, shown[i].key));
	contact_print(&columns, daemon);
	members_print(&columns, json_object_get(daemon, "service"));
	members_print(&columns, json_object_get(daemon, "rejections"));
	if (columns.used != 0)
		fputc('\n', out);
}

static void service_print(FILE *out, const json_t *service)
{
	const char *state = text_of(service, "state");
	const char *driver = text_of(service, "driver");
	const char *device = text_of(service, "device");
	const char *served_by = text_of(service, "served_by");
	const char *advice = text_of(service, "advice");
	const json_t *pid = json_object_get(service, "pid");
	fprintf(out, "%-10s %-3s ", text_of(service, "service"),
		strcmp(state, "on") == 0 ? "on" : "off");
	if (strcmp(state, "absent") == 0) {
		fprintf(out, "%s\n", advice);
		return;
	}
	fprintf(out, "relid %" JSON_INTEGER_FORMAT ", %s",
		json_integer_value(json_object_get(service, "relid")),
		driver == NULL ? "no driver" : driver);
	if (device != NULL)
		fprintf(out, ", %s", device);
	if (served_by != NULL && json_is_integer(pid))
		fprintf(out, ", %s (pid %" JSON_INTEGER_FORMAT ")", served_by,
			json_integer_value(pid));
	else if (served_by != NULL)
		fputs(", which serves it itself", out);
	fputc('\n', out);
	if (advice != NULL)
		fprintf(out, INDENT "%s\n", advice);
	if (json_is_object(json_object_get(service, "daemon")) && json_is_integer(pid))
		daemon_print(out, json_object_get(service, "daemon"));
}

void vmbusctl_status_print(FILE *out, const json_t *rows)
{
	for (size_t i = 0; i < json_array_size(rows); i++)
		service_print(out, json_array_get(rows, i));
}
