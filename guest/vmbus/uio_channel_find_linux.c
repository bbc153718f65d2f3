// SPDX-License-Identifier: Apache-2.0
/*
 * Finding a VMBus device and its uio in sysfs. See uio_channel_linux.h.
 *
 *	<root>/bus/vmbus/devices/<name>/class_id	{interface}
 *	<root>/bus/vmbus/devices/<name>/driver		-> .../uio_hv_generic
 *	<root>/bus/vmbus/devices/<name>/uio/uioN	if that driver has it
 *
 * Devices come and go meanwhile: what cannot be read is not there.
 */
#include "guest/vmbus/uio_channel_linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* First line of a file below `dir_fd`, without its end. False: none. */
static bool line_read(int dir_fd, const char *path, char *out, size_t bytes)
{
	const int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	const ssize_t len = read(fd, out, bytes - 1);
	close(fd);
	if (len <= 0)
		return false;
	out[len] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return true;
}

static bool is_of_class(int dir_fd, const char *name, const struct guid *interface_id)
{
	char path[PATH_MAX];
	char text[64];
	struct guid id;
	if (snprintf(path, sizeof path, "%s/class_id", name) >= (int)sizeof path ||
		!line_read(dir_fd, path, text, sizeof text))
		return false;
	return guid_parse(text, &id) == 0 && guid_equal(&id, interface_id);
}

/* The last part of a link's target. */
static void link_read(int dir_fd, const char *path, char *out, size_t bytes)
{
	char target[PATH_MAX];
	out[0] = '\0';
	const ssize_t len = readlinkat(dir_fd, path, target, sizeof target - 1);
	if (len <= 0)
		return;
	target[len] = '\0';
	const char *last = strrchr(target, '/');
	last = last != NULL ? last + 1 : target;
	if (strlen(last) < bytes)
		memcpy(out, last, strlen(last) + 1);
}

/* "uio" and digits, and nothing else: it becomes a part of paths. */
static bool is_uio_name(const char *name)
{
	return strncmp(name, "uio", 3) == 0 && name[3] != '\0' && strlen(name) < 16 &&
	       strspn(name + 3, "0123456789") == strlen(name + 3);
}

static void uio_read(int dir_fd, const char *name, char *out)
{
	char path[PATH_MAX];
	out[0] = '\0';
	if (snprintf(path, sizeof path, "%s/uio", name) >= (int)sizeof path)
		return;
	const int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		if (!is_uio_name(entry->d_name))
			continue;
		memcpy(out, entry->d_name, strlen(entry->d_name) + 1);
		break;
	}
	closedir(dir);
}

static void place_fill(int dir_fd, const char *name, struct uio_channel_place *out)
{
	char path[PATH_MAX];
	memcpy(out->device, name, strlen(name) + 1);
	if (snprintf(path, sizeof path, "%s/driver", name) < (int)sizeof path)
		link_read(dir_fd, path, out->driver, sizeof out->driver);
	uio_read(dir_fd, name, out->uio);
}

int uio_channel_find(
	const char *sysfs_root, const struct guid *interface_id, struct uio_channel_place *out)
{
	char path[PATH_MAX];
	memset(out, 0, sizeof *out);
	if (snprintf(path, sizeof path, "%s/bus/vmbus/devices",
		    sysfs_root != NULL ? sysfs_root : "/sys") >= (int)sizeof path)
		return -ENAMETOOLONG;
	DIR *dir = opendir(path);
	if (dir == NULL)
		return errno == ENOENT ? -ENOSYS : -errno;
	int result = -ENOENT;
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof out->device ||
			!is_of_class(dirfd(dir), entry->d_name, interface_id))
			continue;
		place_fill(dirfd(dir), entry->d_name, out);
		result = 0;
		if (out->uio[0] != '\0')
			break; /* of several, one that can be opened */
	}
	closedir(dir);
	return result;
}
