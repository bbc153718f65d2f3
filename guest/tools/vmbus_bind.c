// SPDX-License-Identifier: Apache-2.0
/* Changes the driver of a device. See vmbus_bind.h. */
#include "guest/tools/vmbus_bind.h"

#include "guest/tools/vmbus_use.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096u
#define SAFE_BYTES (4 * VMBUS_SYSFS_NAME_MAX + 1)
/* The kernel's ENOTSUPP, which user space has no name for. */
#define KERNEL_ENOTSUPP 524

static int __attribute__((format(printf, 3, 4)))
say(char why[VMBUS_BIND_WHY_BYTES], int result, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why, VMBUS_BIND_WHY_BYTES, format, args);
	va_end(args);
	return result;
}

/* ---- which device ---- */

static bool relid_is(const struct vmbus_sysfs_device *device, const char *text)
{
	char *end;
	errno = 0;
	const long relid = strtol(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' &&
	       device->numbers[VMBUS_DEVICE_ID] == relid;
}

static bool class_is(const struct vmbus_sysfs_device *device, const char *text)
{
	const char *name = guid_interface_name(&device->class_id);
	return name != NULL && strcmp(name, text) == 0;
}

const struct vmbus_sysfs_device *vmbus_bind_find(
	const struct vmbus_sysfs_list *list, const char *text, char why[VMBUS_BIND_WHY_BYTES])
{
	struct guid id;
	char safe[SAFE_BYTES];
	const bool is_guid = guid_parse(text, &id) == 0;
	const struct vmbus_sysfs_device *of_class = NULL;
	vmbus_text_safe(text, safe, sizeof safe);
	for (size_t i = 0; i < list->count; i++) {
		const struct vmbus_sysfs_device *device = &list->devices[i];
		if (strcmp(device->name, text) == 0 || relid_is(device, text) ||
			(is_guid && guid_equal(&device->instance_id, &id)))
			return device;
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct vmbus_sysfs_device *device = &list->devices[i];
		if (!class_is(device, text))
			continue;
		if (of_class != NULL) {
			say(why, 0,
				"there are several devices of class %s: give a relid, such as "
				"%lld or %lld",
				safe, (long long)of_class->numbers[VMBUS_DEVICE_ID],
				(long long)device->numbers[VMBUS_DEVICE_ID]);
			return NULL;
		}
		of_class = device;
	}
	if (of_class == NULL)
		say(why, 0,
			"there is no device \"%s\": give a class, relid or instance that "
			"vmbusctl list -l shows",
			safe);
	return of_class;
}

/* ---- files ---- */

int vmbus_bind_write_file(void *ctx, const char *path, const char *text)
{
	(void)ctx;
	const int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	const ssize_t n = write(fd, text, strlen(text));
	const int error = n < 0 ? -errno : 0;
	close(fd);
	return error;
}

static int __attribute__((format(printf, 3, 4)))
put(const struct vmbus_bind *request, const char *text, const char *format, ...)
{
	char path[PATH_BYTES];
	va_list args;
	const int top = snprintf(path, sizeof path, "%s/bus/vmbus/", request->root);
	if (top < 0 || (size_t)top >= sizeof path)
		return -ENAMETOOLONG;
	va_start(args, format);
	const int n = vsnprintf(path + top, sizeof path - (size_t)top, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof path - (size_t)top)
		return -ENAMETOOLONG;
	return request->write(request->write_ctx, path, text);
}

static bool driver_exists(const struct vmbus_bind *request, const char *driver)
{
	char path[PATH_BYTES];
	const int n = snprintf(
		path, sizeof path, "%s/bus/vmbus/drivers/%s/bind", request->root, driver);
	return n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0;
}

/* A driver's name is a folder's, and not a way out of it. */
static bool driver_is_name(const char *driver)
{
	return driver[0] != '\0' && driver[0] != '.' && strlen(driver) <= VMBUS_SYSFS_NAME_MAX &&
	       strpbrk(driver, "/\n") == NULL;
}

/* The driver that has the device now; empty: none. False: the device has gone. */
static bool driver_read(
	const struct vmbus_bind *request, const char *name, char driver[VMBUS_SYSFS_NAME_MAX + 1])
{
	struct vmbus_sysfs_list list;
	bool is_there = false;
	driver[0] = '\0';
	if (vmbus_sysfs_read(request->root, &list) != 0)
		return false;
	for (size_t i = 0; i < list.count && !is_there; i++) {
		is_there = strcmp(list.devices[i].name, name) == 0;
		if (is_there)
			memcpy(driver, list.devices[i].driver, sizeof list.devices[i].driver);
	}
	vmbus_sysfs_free(&list);
	return is_there;
}

/* ---- steps ---- */

/* What the kernel's errno means here, and what to do. */
static const char *advice(int error, const char *driver)
{
	const bool is_uio = driver != NULL && strcmp(driver, "uio_hv_generic") == 0;
	switch (error) {
	case -EACCES:
	case -EPERM:
		return "not permitted: run it as root";
	case -EROFS:
		return "sysfs is read-only here: run it outside of the container";
	case -KERNEL_ENOTSUPP:
	case -EOPNOTSUPP:
		return is_uio ? "the driver refuses it: before Linux 6.12 it takes only devices "
				"with a monitor id (vmbusctl list -l)"
			      : "the driver refuses it";
	case -ENODEV:
		return "the driver is not for this device";
	case -EBUSY:
		return "it is busy";
	default:
		return strerror(-error);
	}
}

static int unbind_step(const struct vmbus_bind *request, const struct vmbus_sysfs_device *device,
	char why[VMBUS_BIND_WHY_BYTES])
{
	char use[SAFE_BYTES];
	char driver[SAFE_BYTES];
	vmbus_text_safe(device->driver, driver, sizeof driver);
	const int used = request->is_forced ? 0
					    : vmbus_use_find(request->root, request->proc,
						      device->name, use, sizeof use);
	if (used > 0)
		return say(why, -EBUSY,
			"%s would lose its disks, and %.300s: unmount it first, or say --force",
			driver, use);
	if (used < 0)
		return say(why, used, "cannot find out what uses it (%s): say --force to go on",
			strerror(-used));
	int error = put(request, device->name, "drivers/%s/unbind", device->driver);
	if (error != 0)
		return say(why, error, "cannot take it from %s: %s", driver, advice(error, NULL));
	return 0;
}

/* Put everything back as it was, as far as that goes. */
static void undo(const struct vmbus_bind *request, const struct vmbus_sysfs_device *device,
	bool has_override)
{
	if (has_override)
		put(request, "\n", "devices/%s/driver_override", device->name);
	if (device->driver[0] != '\0')
		put(request, device->name, "drivers/%s/bind", device->driver);
}

/* The device is free; give it to the driver. */
static int bind_step(const struct vmbus_bind *request, const struct vmbus_sysfs_device *device,
	char why[VMBUS_BIND_WHY_BYTES])
{
	char now[VMBUS_SYSFS_NAME_MAX + 1];
	char safe[SAFE_BYTES];
	char id[GUID_TEXT_BYTES];
	int error;
	const int override_error = put(
		request, request->driver, "devices/%s/driver_override", device->name);
	const bool has_override = override_error == 0;
	if (override_error == -ENOENT) /* an old kernel */
		error = put(request, guid_format(&device->class_id, id), "drivers/%s/new_id",
			request->driver);
	else
		error = override_error;
	if (error == 0) /* new_id may have bound it already, and then this is refused */
		error = put(request, device->name, "drivers/%s/bind", request->driver);
	if (!driver_read(request, device->name, now))
		return say(why, -ENODEV, "the device has gone meanwhile: the host took it away");
	if (strcmp(now, request->driver) == 0)
		return 0;
	undo(request, device, has_override);
	vmbus_text_safe(request->driver, safe, sizeof safe);
	if (error == 0)
		return say(why, -EIO, "%s did not take it; the kernel's log (dmesg) may say why",
			safe);
	return say(why, error, "cannot bind it to %s: %s", safe, advice(error, request->driver));
}

/* Without a driver's name: whoever the kernel's tables name. */
static int probe_step(const struct vmbus_bind *request, const struct vmbus_sysfs_device *device,
	char why[VMBUS_BIND_WHY_BYTES])
{
	char now[VMBUS_SYSFS_NAME_MAX + 1];
	char safe[SAFE_BYTES];
	int error = put(request, "\n", "devices/%s/driver_override", device->name);
	if (error == 0 || error == -ENOENT)
		error = put(request, device->name, "drivers_probe");
	if (!driver_read(request, device->name, now))
		return say(why, -ENODEV, "the device has gone meanwhile: the host took it away");
	if (error != 0)
		return say(why, error, "cannot have a driver chosen: %s", advice(error, NULL));
	if (now[0] == '\0')
		return say(why, -ENODEV, "no loaded driver wants it: modprobe one, or name one");
	return say(why, 0, "relid %lld: bound to %s", (long long)device->numbers[VMBUS_DEVICE_ID],
		vmbus_text_safe(now, safe, sizeof safe));
}

static int rebind(const struct vmbus_bind *request, const struct vmbus_sysfs_device *device,
	char why[VMBUS_BIND_WHY_BYTES])
{
	const long long relid = device->numbers[VMBUS_DEVICE_ID];
	char driver[SAFE_BYTES];
	char safe[SAFE_BYTES] = "";
	vmbus_text_safe(device->driver, driver, sizeof driver);
	if (request->driver != NULL)
		vmbus_text_safe(request->driver, safe, sizeof safe);
	if (request->driver != NULL && !driver_is_name(request->driver))
		return say(why, -EINVAL, "\"%.200s\" is no name of a driver", safe);
	if (request->is_if_free && device->driver[0] != '\0')
		return say(why, 0, "relid %lld: left to %s", relid, driver);
	if (request->driver != NULL && strcmp(device->driver, request->driver) == 0)
		return say(why, 0, "relid %lld: bound to %s already", relid, safe);
	if (request->driver != NULL && !driver_exists(request, request->driver))
		return say(why, -ENODEV,
			"there is no driver %.200s: modprobe %.200s, or see "
			"/sys/bus/vmbus/drivers",
			safe, safe);
	if (device->driver[0] != '\0') {
		const int error = unbind_step(request, device, why);
		if (error != 0)
			return error;
	}
	if (request->driver == NULL)
		return probe_step(request, device, why);
	const int error = bind_step(request, device, why);
	if (error != 0)
		return error;
	return say(why, 0, "relid %lld: bound to %s", relid, safe);
}

static int take(const struct vmbus_bind *request, const struct vmbus_sysfs_device *device,
	char why[VMBUS_BIND_WHY_BYTES])
{
	const long long relid = device->numbers[VMBUS_DEVICE_ID];
	char now[VMBUS_SYSFS_NAME_MAX + 1];
	char driver[SAFE_BYTES];
	if (device->driver[0] == '\0')
		return say(why, 0, "relid %lld: no driver had it", relid);
	vmbus_text_safe(device->driver, driver, sizeof driver);
	const int error = unbind_step(request, device, why);
	if (error != 0)
		return error;
	put(request, "\n", "devices/%s/driver_override", device->name);
	if (driver_read(request, device->name, now) && now[0] != '\0')
		return say(why, -EIO, "%s has it still; the kernel's log (dmesg) may say why",
			vmbus_text_safe(now, driver, sizeof driver));
	return say(why, 0, "relid %lld: taken from %s", relid, driver);
}

static int run(const struct vmbus_bind *request,
	int (*act)(const struct vmbus_bind *, const struct vmbus_sysfs_device *, char *), char *why)
{
	struct vmbus_sysfs_list list;
	why[0] = '\0';
	int error = vmbus_sysfs_read(request->root, &list);
	if (error != 0)
		return error;
	const struct vmbus_sysfs_device *device = vmbus_bind_find(&list, request->device, why);
	error = device == NULL ? -ENODEV : act(request, device, why);
	vmbus_sysfs_free(&list);
	return error;
}

int vmbus_bind(const struct vmbus_bind *request, char why[VMBUS_BIND_WHY_BYTES])
{
	return run(request, rebind, why);
}

int vmbus_unbind(const struct vmbus_bind *request, char why[VMBUS_BIND_WHY_BYTES])
{
	return run(request, take, why);
}
