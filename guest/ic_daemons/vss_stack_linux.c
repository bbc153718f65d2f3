// SPDX-License-Identifier: Apache-2.0
/*
 * What lies below a block device, by sysfs: partitions, device mapper, md, loop devices and the
 * files of those. See struct vss_stack_ops of vss_policy_linux.h.
 */
#include "guest/ic_daemons/vss_policy_linux.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEPTH_MAX   8u	/* devices on devices */
#define DEVICES_MAX 64u /* looked at for one question */

struct search {
	unsigned wanted; /* files still to pass over */
	unsigned devices_left;
	char *path;
	size_t size;
};

/* The text of a small file below `folder`, without its newline. */
static bool text_read(int folder, const char *name, char *text, size_t size)
{
	const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

static int folder_open(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* True: found, in search->path. `device` is a folder of sysfs. */
static bool search_device(struct search *search, int device, unsigned depth);

static bool search_slaves(struct search *search, int device, unsigned depth)
{
	bool is_found = false;
	const int fd = folder_open(device, "slaves");
	DIR *slaves = fd >= 0 ? fdopendir(fd) : NULL;
	if (slaves == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (const struct dirent *entry = readdir(slaves); entry != NULL && !is_found;
		entry = readdir(slaves)) {
		if (entry->d_name[0] == '.')
			continue;
		const int slave = folder_open(dirfd(slaves), entry->d_name);
		if (slave < 0)
			continue;
		is_found = search_device(search, slave, depth + 1);
		close(slave);
	}
	closedir(slaves);
	return is_found;
}

static bool search_device(struct search *search, int device, unsigned depth)
{
	char number[32];
	if (depth > DEPTH_MAX || search->devices_left == 0)
		return false;
	search->devices_left--;
	if (text_read(device, "loop/backing_file", search->path, search->size))
		return search->wanted-- == 0;
	if (text_read(device, "partition", number, sizeof number)) {
		const int whole = folder_open(device, "..");
		const bool is_found = whole >= 0 && search_device(search, whole, depth + 1);
		if (whole >= 0)
			close(whole);
		return is_found;
	}
	return search_slaves(search, device, depth);
}

static bool backing_file(
	void *ctx, unsigned major, unsigned minor, unsigned n, char *path, size_t size)
{
	char name[64];
	struct search search = {
		.wanted = n, .devices_left = DEVICES_MAX, .path = path, .size = size};
	(void)ctx;
	snprintf(name, sizeof name, "/sys/dev/block/%u:%u", major, minor);
	const int device = folder_open(AT_FDCWD, name);
	if (device < 0)
		return false;
	const bool is_found = search_device(&search, device, 0);
	close(device);
	return is_found;
}

static bool device(void *ctx, const char *path, unsigned *major_number, unsigned *minor_number)
{
	struct stat st;
	(void)ctx;
	if (path[0] != '/' || stat(path, &st) != 0 || !S_ISBLK(st.st_mode))
		return false;
	*major_number = major(st.st_rdev);
	*minor_number = minor(st.st_rdev);
	return true;
}

const struct vss_stack_ops vss_stack_sysfs = {.backing_file = backing_file, .device = device};
