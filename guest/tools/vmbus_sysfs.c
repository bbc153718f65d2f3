// SPDX-License-Identifier: Apache-2.0
/* Reads VMBus devices from sysfs. See vmbus_sysfs.h. */
#include "guest/tools/vmbus_sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An attribute of sysfs is a page at most. */
#define TEXT_BYTES 4097u
/* More than a bus can have: relids end at 2047. */
#define ENTRIES_MAX 4096u

#define FILE_NAME(NAME, file) [VMBUS_DEVICE_##NAME] = (file),
const char *const vmbus_sysfs_device_files[VMBUS_DEVICE_NUMBER_COUNT] = {
	VMBUS_SYSFS_DEVICE_NUMBERS(FILE_NAME)};
#undef FILE_NAME
#define FILE_NAME(NAME, file) [VMBUS_CHANNEL_##NAME] = (file),
const char *const vmbus_sysfs_channel_files[VMBUS_CHANNEL_NUMBER_COUNT] = {
	VMBUS_SYSFS_CHANNEL_NUMBERS(FILE_NAME)};
#undef FILE_NAME

/* ---- attributes ---- */

/* Read a file below a directory, without its last newline. False: none, or not readable. */
static bool text_read(int folder, const char *name, char text[TEXT_BYTES])
{
	/* not blocking: what a caller's tree has in place of an attribute may be a FIFO */
	const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	size_t used = 0;
	ssize_t n = 1;
	while (used < TEXT_BYTES - 1 && n > 0) {
		n = read(fd, text + used, TEXT_BYTES - 1 - used);
		if (n > 0)
			used += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	close(fd);
	if (n < 0)
		return false;
	if (used > 0 && text[used - 1] == '\n')
		used--;
	text[used] = '\0';
	return true;
}

/* A decimal or 0x number that fills the text, in *out. */
static bool number_parse(const char *text, int64_t *out)
{
	char *end;
	errno = 0;
	const long long value = strtoll(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
	if (errno != 0 || end == text || *end != '\0' || value == VMBUS_SYSFS_UNKNOWN)
		return false;
	*out = value;
	return true;
}

static void numbers_read(int folder, const char *const *files, size_t count, int64_t *out)
{
	char text[TEXT_BYTES];
	for (size_t i = 0; i < count; i++) {
		if (!text_read(folder, files[i], text) || !number_parse(text, &out[i]))
			out[i] = VMBUS_SYSFS_UNKNOWN;
	}
}

static bool guid_read(int folder, const char *name, struct guid *out)
{
	char text[TEXT_BYTES];
	return text_read(folder, name, text) && guid_parse(text, out) == 0;
}

/* The last part of where a symbolic link leads; empty if there is none. */
static void link_name_read(int folder, const char *name, char out[VMBUS_SYSFS_NAME_MAX + 1])
{
	char target[TEXT_BYTES];
	const ssize_t n = readlinkat(folder, name, target, sizeof target - 1);
	out[0] = '\0';
	if (n <= 0)
		return;
	target[n] = '\0';
	const char *slash = strrchr(target, '/');
	snprintf(out, VMBUS_SYSFS_NAME_MAX + 1, "%.*s", (int)VMBUS_SYSFS_NAME_MAX,
		slash != NULL ? slash + 1 : target);
}

/* ---- channels ---- */

static bool relid_parse(const char *text, uint32_t *out)
{
	int64_t value;
	if (text[0] < '0' || text[0] > '9' || !number_parse(text, &value) || value > UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* The device's channel of this relid, made if need be. NULL: no memory, or too many. */
static struct vmbus_sysfs_channel *channel_at(struct vmbus_sysfs_device *device, uint32_t relid)
{
	for (size_t i = 0; i < device->channel_count; i++) {
		if (device->channels[i].relid == relid)
			return &device->channels[i];
	}
	if (device->channel_count == ENTRIES_MAX)
		return NULL;
	struct vmbus_sysfs_channel *more = reallocarray(
		device->channels, device->channel_count + 1, sizeof *more);
	if (more == NULL)
		return NULL;
	device->channels = more;
	struct vmbus_sysfs_channel *channel = &more[device->channel_count++];
	channel->relid = relid;
	channel->mapped_cpu = VMBUS_SYSFS_UNKNOWN;
	for (size_t i = 0; i < VMBUS_CHANNEL_NUMBER_COUNT; i++)
		channel->numbers[i] = VMBUS_SYSFS_UNKNOWN;
	return channel;
}

/* Lines of "relid:cpu", of the primary and of its subchannels. */
static void mapping_read(int folder, struct vmbus_sysfs_device *device)
{
	char text[TEXT_BYTES];
	char *rest = NULL;
	if (!text_read(folder, "channel_vp_mapping", text))
		return;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		char *colon = strchr(line, ':');
		uint32_t relid;
		uint32_t cpu;
		if (colon == NULL)
			continue;
		*colon = '\0';
		if (!relid_parse(line, &relid) || !relid_parse(colon + 1, &cpu))
			continue;
		struct vmbus_sysfs_channel *channel = channel_at(device, relid);
		if (channel != NULL)
			channel->mapped_cpu = cpu;
	}
}

static int folder_open(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A directory to be read with readdir(); NULL with errno set. */
static DIR *folder_list(int parent, const char *name)
{
	const int fd = folder_open(parent, name);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL && fd >= 0)
		close(fd);
	return dir;
}

static int channel_compare(const void *a, const void *b)
{
	const uint32_t left = ((const struct vmbus_sysfs_channel *)a)->relid;
	const uint32_t right = ((const struct vmbus_sysfs_channel *)b)->relid;
	return (left > right) - (left < right);
}

static void channels_read(int folder, struct vmbus_sysfs_device *device)
{
	mapping_read(folder, device);
	DIR *dir = folder_list(folder, "channels");
	for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
		uint32_t relid;
		if (!relid_parse(entry->d_name, &relid))
			continue;
		const int at = folder_open(dirfd(dir), entry->d_name);
		struct vmbus_sysfs_channel *channel = at < 0 ? NULL : channel_at(device, relid);
		if (channel != NULL)
			numbers_read(at, vmbus_sysfs_channel_files, VMBUS_CHANNEL_NUMBER_COUNT,
				channel->numbers);
		if (at >= 0)
			close(at);
	}
	if (dir != NULL)
		closedir(dir);
	if (device->channel_count > 1)
		qsort(device->channels, device->channel_count, sizeof *device->channels,
			channel_compare);
}

/* ---- devices ---- */

/* True: *device is one. False: it has gone meanwhile, or (*is_odd) is something else. */
static bool device_read(
	int parent, const char *name, struct vmbus_sysfs_device *device, bool *is_odd)
{
	struct stat status;
	const int folder = folder_open(parent, name);
	if (folder < 0) {
		*is_odd = errno != ENOENT && errno != ENODEV;
		return false;
	}
	*device = (struct vmbus_sysfs_device){0};
	snprintf(device->name, sizeof device->name, "%s", name);
	numbers_read(folder, vmbus_sysfs_device_files, VMBUS_DEVICE_NUMBER_COUNT, device->numbers);
	const int64_t relid = device->numbers[VMBUS_DEVICE_ID];
	const bool is_device = relid >= 0 && relid <= UINT32_MAX &&
			       guid_read(folder, "class_id", &device->class_id) &&
			       guid_read(folder, "device_id", &device->instance_id);
	if (is_device) {
		link_name_read(folder, "driver", device->driver);
		channels_read(folder, device);
	}
	/* a device that went away while it was read is none, rather than an odd one */
	*is_odd = !is_device && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
	close(folder);
	return is_device;
}

static int device_compare(const void *a, const void *b)
{
	const struct vmbus_sysfs_device *left = a;
	const struct vmbus_sysfs_device *right = b;
	const int64_t x = left->numbers[VMBUS_DEVICE_ID];
	const int64_t y = right->numbers[VMBUS_DEVICE_ID];
	return x != y ? (x > y) - (x < y) : strcmp(left->name, right->name);
}

static int devices_read(DIR *dir, struct vmbus_sysfs_list *out)
{
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		struct vmbus_sysfs_device device;
		bool is_odd = false;
		if (entry->d_name[0] == '.')
			continue;
		if (!device_read(dirfd(dir), entry->d_name, &device, &is_odd)) {
			out->odd_count += is_odd;
			continue;
		}
		struct vmbus_sysfs_device *more =
			out->count == ENTRIES_MAX
				? NULL
				: reallocarray(out->devices, out->count + 1, sizeof *more);
		if (more == NULL) {
			free(device.channels);
			return out->count == ENTRIES_MAX ? -E2BIG : -ENOMEM;
		}
		out->devices = more;
		more[out->count++] = device;
	}
	return 0;
}

int vmbus_sysfs_read(const char *root, struct vmbus_sysfs_list *out)
{
	*out = (struct vmbus_sysfs_list){0};
	const int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return -errno;
	DIR *dir = folder_list(top, VMBUS_SYSFS_DEVICES);
	int error = dir == NULL ? -errno : 0;
	if (dir != NULL) {
		error = devices_read(dir, out);
		closedir(dir);
	}
	close(top);
	if (error != 0)
		vmbus_sysfs_free(out);
	else if (out->count > 1)
		qsort(out->devices, out->count, sizeof *out->devices, device_compare);
	return error;
}

void vmbus_sysfs_free(struct vmbus_sysfs_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->devices[i].channels);
	free(list->devices);
	*list = (struct vmbus_sysfs_list){0};
}

const struct vmbus_sysfs_channel *vmbus_sysfs_channel_find(
	const struct vmbus_sysfs_list *list, uint32_t relid)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct vmbus_sysfs_device *device = &list->devices[i];
		for (size_t j = 0; j < device->channel_count; j++) {
			if (device->channels[j].relid == relid)
				return &device->channels[j];
		}
	}
	return NULL;
}

/* ---- words ---- */

const char *vmbus_sysfs_state_name(int64_t state)
{
	static const char *const names[] = {"offered", "opening", "closed", "open"};
	return state >= 0 && state < (int64_t)(sizeof names / sizeof names[0]) ? names[state]
									       : "unknown";
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool vmbus_sysfs_modalias(const char *modalias, struct guid *class_id)
{
	static const char prefix[] = "vmbus:";
	struct guid id;
	if (modalias == NULL || strncmp(modalias, prefix, sizeof prefix - 1) != 0)
		return false;
	const char *digits = modalias + sizeof prefix - 1;
	if (strlen(digits) != 2 * sizeof id.bytes)
		return false;
	for (size_t i = 0; i < sizeof id.bytes; i++) {
		const int high = hex_digit(digits[2 * i]);
		const int low = hex_digit(digits[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		id.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*class_id = id;
	return true;
}

char *vmbus_text_safe(const char *text, char *out, size_t bytes)
{
	size_t used = 0;
	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;
		const bool is_plain = c >= 0x20 && c < 0x7f && c != '\\';
		if (used + (is_plain ? 1 : 4) >= bytes)
			break;
		if (is_plain)
			out[used++] = (char)c;
		else
			used += (size_t)snprintf(out + used, bytes - used, "\\x%02x", c);
	}
	out[used] = '\0';
	return out;
}
