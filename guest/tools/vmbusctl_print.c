// SPDX-License-Identifier: Apache-2.0
/* Text and JSON of vmbusctl. See vmbusctl_print.h. */
#include "guest/tools/vmbusctl_print.h"

#include <inttypes.h>
#include <string.h>

#define SAFE_BYTES   (4 * VMBUS_SYSFS_NAME_MAX + 1)
#define NUMBER_BYTES 32u

/* ---- words ---- */

/* What lsvmbus calls the classes: part of its format. */
static const char *lsvmbus_title(const struct guid *class_id)
{
	static const struct {
		const struct guid *id;
		const char *title;
	} rows[] = {
		{&guid_avma1, "[Reserved system device]"},
		{&guid_avma2, "[Reserved system device]"},
		{&guid_balloon, "[Dynamic Memory]"},
		{&guid_fcopy, "[Guest services]"},
		{&guid_fibre_channel, "Synthetic fiber channel adapter"},
		{&guid_heartbeat, "[Heartbeat]"},
		{&guid_ide, "Synthetic IDE Controller"},
		{&guid_keyboard, "Synthetic keyboard"},
		{&guid_kvp, "[Data Exchange]"},
		{&guid_mouse, "Synthetic mouse"},
		{&guid_network, "Synthetic network adapter"},
		{&guid_network_direct, "Synthetic RDMA adapter"},
		{&guid_rdv, "[Reserved system device]"},
		{&guid_shutdown, "[Operating system shutdown]"},
		{&guid_storage, "Synthetic SCSI Controller"},
		{&guid_timesync, "[Time Synchronization]"},
		{&guid_video, "Synthetic framebuffer adapter"},
		{&guid_vpci, "PCI Express pass-through"},
		{&guid_vss, "[Backup (volume checkpoint)]"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (guid_equal(rows[i].id, class_id))
			return rows[i].title;
	}
	return "Unknown";
}

static const char *class_name(const struct guid *class_id)
{
	const char *name = guid_interface_name(class_id);
	return name != NULL ? name : "unknown";
}

/* "storage, SCSI controller" */
static void class_print(FILE *out, const struct guid *class_id)
{
	const struct guid_interface_info *info = guid_interface_find(class_id);
	char text[GUID_TEXT_BYTES];
	if (info != NULL && strcmp(info->stem, info->title) != 0)
		fprintf(out, "%s, %s", info->stem, info->title);
	else if (info != NULL)
		fputs(info->stem, out);
	else
		fprintf(out, "%s, class %s", class_name(class_id), guid_format(class_id, text));
}

static const char *number_text(int64_t number, char text[NUMBER_BYTES])
{
	if (number == VMBUS_SYSFS_UNKNOWN)
		return "-";
	snprintf(text, NUMBER_BYTES, "%" PRId64, number);
	return text;
}

/* ---- as lsvmbus ---- */

static void mapping_print(FILE *out, const struct vmbus_sysfs_device *device)
{
	for (size_t i = 0; i < device->channel_count; i++) {
		const struct vmbus_sysfs_channel *channel = &device->channels[i];
		if (channel->mapped_cpu != VMBUS_SYSFS_UNKNOWN)
			fprintf(out, "\tRel_ID=%" PRIu32 ", target_cpu=%" PRId64 "\n",
				channel->relid, channel->mapped_cpu);
	}
}

void vmbusctl_print_plain(
	FILE *out, const struct vmbus_sysfs_list *list, const char *root, unsigned verbosity)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct vmbus_sysfs_device *device = &list->devices[i];
		const char *title = lsvmbus_title(&device->class_id);
		char text[GUID_TEXT_BYTES];
		char name[SAFE_BYTES];
		char safe_root[SAFE_BYTES];
		fprintf(out, "VMBUS ID %2" PRId64 ": ", device->numbers[VMBUS_DEVICE_ID]);
		if (verbosity == 0) {
			fprintf(out, "%s\n", title);
			continue;
		}
		fprintf(out, "Class_ID = {%s} - %s\n", guid_format(&device->class_id, text), title);
		if (verbosity > 1)
			fprintf(out, "\tDevice_ID = {%s}\n\tSysfs path: %s/%s/%s\n",
				guid_format(&device->instance_id, text),
				vmbus_text_safe(root, safe_root, sizeof safe_root),
				VMBUS_SYSFS_DEVICES,
				vmbus_text_safe(device->name, name, sizeof name));
		mapping_print(out, device);
		fputc('\n', out);
	}
}

/* ---- long ---- */

static void ring_print(FILE *out, const struct vmbus_sysfs_device *device, const char *name,
	enum vmbus_sysfs_device_number first)
{
	/* the five numbers of a ring lie in this order */
	const int64_t *n = &device->numbers[first];
	const int64_t to_read = n[2];
	const int64_t free_bytes = n[3];
	char text[NUMBER_BYTES];
	if (to_read == VMBUS_SYSFS_UNKNOWN || free_bytes == VMBUS_SYSFS_UNKNOWN)
		return;
	fprintf(out, "  %-3s ring: read index %s", name, number_text(n[0], text));
	fprintf(out, ", write index %s", number_text(n[1], text));
	fprintf(out, ", %" PRId64 " bytes to read, %" PRId64 " free", to_read, free_bytes);
	fprintf(out, ", interrupt mask %s\n", number_text(n[4], text));
}

/* The columns of a table of channels. */
static const struct {
	const char *title;
	enum vmbus_sysfs_channel_number number;
} columns[] = {
	{"sub", VMBUS_CHANNEL_SUBCHANNEL_ID},
	{"cpu", VMBUS_CHANNEL_CPU},
	{"to-read", VMBUS_CHANNEL_READ_AVAIL},
	{"free", VMBUS_CHANNEL_WRITE_AVAIL},
	{"in-mask", VMBUS_CHANNEL_IN_MASK},
	{"out-mask", VMBUS_CHANNEL_OUT_MASK},
	{"out-full", VMBUS_CHANNEL_OUT_FULL_TOTAL},
	{"monitor", VMBUS_CHANNEL_MONITOR_ID},
	{"interrupts", VMBUS_CHANNEL_INTERRUPTS},
	{"signals", VMBUS_CHANNEL_EVENTS},
};
#define COLUMN_COUNT (sizeof columns / sizeof columns[0])
#define RELID_WIDTH  5
#define CLASS_WIDTH  14

static int column_width(size_t i)
{
	const int title = (int)strlen(columns[i].title);
	return title > 8 ? title : 8;
}

static void columns_print(FILE *out)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		fprintf(out, " %*s", column_width(i), columns[i].title);
}

static int64_t channel_cpu(const struct vmbus_sysfs_channel *channel)
{
	const int64_t cpu = channel->numbers[VMBUS_CHANNEL_CPU];
	return cpu != VMBUS_SYSFS_UNKNOWN ? cpu : channel->mapped_cpu;
}

static void channel_print(FILE *out, const struct vmbus_sysfs_channel *channel)
{
	char text[NUMBER_BYTES];
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		const int64_t number = columns[i].number == VMBUS_CHANNEL_CPU
					       ? channel_cpu(channel)
					       : channel->numbers[columns[i].number];
		fprintf(out, " %*s", column_width(i), number_text(number, text));
	}
}

static void device_print(FILE *out, const struct vmbus_sysfs_device *device)
{
	const int64_t *n = device->numbers;
	char text[GUID_TEXT_BYTES];
	char number[NUMBER_BYTES];
	char safe[SAFE_BYTES];
	fprintf(out, "%s: ", vmbus_text_safe(device->name, safe, sizeof safe));
	class_print(out, &device->class_id);
	fprintf(out, "\n  class {%s}", guid_format(&device->class_id, text));
	fprintf(out, ", instance {%s}\n", guid_format(&device->instance_id, text));
	fprintf(out, "  relid %" PRId64 ", %s, driver %s", n[VMBUS_DEVICE_ID],
		vmbus_sysfs_state_name(n[VMBUS_DEVICE_STATE]),
		device->driver[0] != '\0' ? vmbus_text_safe(device->driver, safe, sizeof safe)
					  : "none");
	fprintf(out, ", NUMA node %s", number_text(n[VMBUS_DEVICE_NUMA_NODE], number));
	fprintf(out, ", monitor id %s\n",
		n[VMBUS_DEVICE_MONITOR_ID] == VMBUS_SYSFS_UNKNOWN
			? "none"
			: number_text(n[VMBUS_DEVICE_MONITOR_ID], number));
	ring_print(out, device, "in", VMBUS_DEVICE_IN_READ_INDEX);
	ring_print(out, device, "out", VMBUS_DEVICE_OUT_READ_INDEX);
	if (device->channel_count == 0)
		return;
	fprintf(out, "  %*s", RELID_WIDTH, "relid");
	columns_print(out);
	fputc('\n', out);
	for (size_t i = 0; i < device->channel_count; i++) {
		fprintf(out, "  %*" PRIu32, RELID_WIDTH, device->channels[i].relid);
		channel_print(out, &device->channels[i]);
		fputc('\n', out);
	}
}

void vmbusctl_print_long(FILE *out, const struct vmbus_sysfs_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			fputc('\n', out);
		device_print(out, &list->devices[i]);
	}
	if (list->count == 0)
		fputs("no devices: the host has offered none\n", out);
}

/* ---- live ---- */

/* " +12", or nothing if that is not known. */
static void added_print(FILE *out, const struct vmbus_sysfs_channel *now,
	const struct vmbus_sysfs_channel *before, enum vmbus_sysfs_channel_number number)
{
	if (before == NULL || now->numbers[number] == VMBUS_SYSFS_UNKNOWN ||
		before->numbers[number] == VMBUS_SYSFS_UNKNOWN ||
		now->numbers[number] < before->numbers[number]) {
		fprintf(out, " %9s", "-");
		return;
	}
	fprintf(out, " %+9" PRId64, now->numbers[number] - before->numbers[number]);
}

void vmbusctl_print_rings(FILE *out, const struct vmbus_sysfs_list *list,
	const struct vmbus_sysfs_list *before, const char *time)
{
	fprintf(out, "%s rings\n%*s %-*s", time, RELID_WIDTH, "relid", CLASS_WIDTH, "class");
	columns_print(out);
	fprintf(out, " %9s %9s\n", "+intr", "+sig");
	for (size_t i = 0; i < list->count; i++) {
		const struct vmbus_sysfs_device *device = &list->devices[i];
		for (size_t j = 0; j < device->channel_count; j++) {
			const struct vmbus_sysfs_channel *channel = &device->channels[j];
			const struct vmbus_sysfs_channel *old = vmbus_sysfs_channel_find(
				before, channel->relid);
			fprintf(out, "%*" PRIu32 " %-*s", RELID_WIDTH, channel->relid, CLASS_WIDTH,
				class_name(&device->class_id));
			channel_print(out, channel);
			added_print(out, channel, old, VMBUS_CHANNEL_INTERRUPTS);
			added_print(out, channel, old, VMBUS_CHANNEL_EVENTS);
			fputc('\n', out);
		}
	}
}

void vmbusctl_print_event(FILE *out, const struct vmbusctl_event *event, const char *time)
{
	char action[SAFE_BYTES];
	char name[SAFE_BYTES];
	char driver[SAFE_BYTES];
	char channel[SAFE_BYTES];
	fprintf(out, "%s %-7s %s", time, vmbus_text_safe(event->action, action, sizeof action),
		vmbus_text_safe(event->name, name, sizeof name));
	if (event->channel != NULL)
		fprintf(out, " channel %s",
			vmbus_text_safe(event->channel, channel, sizeof channel));
	if (event->class_id != NULL) {
		fputc(' ', out);
		class_print(out, event->class_id);
	}
	if (event->driver != NULL && event->driver[0] != '\0')
		fprintf(out, ", driver %s", vmbus_text_safe(event->driver, driver, sizeof driver));
	fputc('\n', out);
}

/* ---- JSON ---- */

static json_t *json_text(const char *text)
{
	char safe[SAFE_BYTES];
	return text == NULL || text[0] == '\0'
		       ? json_null()
		       : json_string(vmbus_text_safe(text, safe, sizeof safe));
}

static json_t *json_guid(const struct guid *id)
{
	char text[GUID_TEXT_BYTES];
	return id == NULL ? json_null() : json_string(guid_format(id, text));
}

static json_t *json_number(int64_t number)
{
	return number == VMBUS_SYSFS_UNKNOWN ? json_null() : json_integer(number);
}

static json_t *json_class(const struct guid *id)
{
	const char *name = id == NULL ? NULL : guid_interface_name(id);
	return name == NULL ? json_null() : json_string(name);
}

static json_t *json_channels(const struct vmbus_sysfs_device *device)
{
	json_t *channels = json_array();
	for (size_t i = 0; i < device->channel_count; i++) {
		const struct vmbus_sysfs_channel *channel = &device->channels[i];
		json_t *row = json_pack("{s:I}", "relid", (json_int_t)channel->relid);
		for (size_t j = 0; j < VMBUS_CHANNEL_NUMBER_COUNT; j++)
			json_object_set_new(row, vmbus_sysfs_channel_files[j],
				json_number(channel->numbers[j]));
		json_object_set_new(row, "cpu", json_number(channel_cpu(channel)));
		json_array_append_new(channels, row);
	}
	return channels;
}

static json_t *json_device(const struct vmbus_sysfs_device *device, const char *root)
{
	char path[3 * VMBUS_SYSFS_NAME_MAX];
	const int n = snprintf(
		path, sizeof path, "%s/%s/%s", root, VMBUS_SYSFS_DEVICES, device->name);
	json_t *out = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "name",
		json_text(device->name), "sysfs_path",
		json_text(n > 0 && (size_t)n < sizeof path ? path : NULL), "class",
		json_class(&device->class_id), "class_id", json_guid(&device->class_id),
		"instance_id", json_guid(&device->instance_id), "channel_state",
		vmbus_sysfs_state_name(device->numbers[VMBUS_DEVICE_STATE]), "driver",
		json_text(device->driver));
	for (size_t i = 0; i < VMBUS_DEVICE_NUMBER_COUNT; i++)
		json_object_set_new(out,
			i == VMBUS_DEVICE_ID ? "relid" : vmbus_sysfs_device_files[i],
			json_number(device->numbers[i]));
	json_object_set_new(out, "channels", json_channels(device));
	return out;
}

json_t *vmbusctl_json_list(const struct vmbus_sysfs_list *list, const char *root)
{
	json_t *out = json_array();
	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(out, json_device(&list->devices[i], root));
	return out;
}

json_t *vmbusctl_json_rings(const struct vmbus_sysfs_list *list, const char *time)
{
	json_t *devices = json_array();
	for (size_t i = 0; i < list->count; i++) {
		const struct vmbus_sysfs_device *device = &list->devices[i];
		json_array_append_new(devices,
			json_pack("{s:o, s:o, s:o}", "name", json_text(device->name), "class",
				json_class(&device->class_id), "channels", json_channels(device)));
	}
	return json_pack("{s:s, s:s, s:o}", "time", time, "event", "rings", "devices", devices);
}

json_t *vmbusctl_json_event(const struct vmbusctl_event *event, const char *time)
{
	json_t *out = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "time", time, "event",
		json_text(event->action), "name", json_text(event->name), "class",
		json_class(event->class_id), "class_id", json_guid(event->class_id), "driver",
		json_text(event->driver));
	if (event->channel != NULL)
		json_object_set_new(out, "channel", json_text(event->channel));
	return out;
}
