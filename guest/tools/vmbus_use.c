// SPDX-License-Identifier: Apache-2.0
/* Who uses a device. See vmbus_use.h. */
#include "guest/tools/vmbus_use.h"

#include "guest/tools/vmbus_sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NUMBER_BYTES 32u
#define LINK_BYTES   4096u

/* A disk or partition, as the kernel names it. */
struct block {
	char name[VMBUS_SYSFS_NAME_MAX + 1];
	char number[NUMBER_BYTES]; /* "8:1" */
};

struct search {
	const char *proc;
	char *use;
	size_t bytes;
};

static int __attribute__((format(printf, 2, 3)))
found(const struct search *search, const char *format, ...)
{
	char text[2 * LINK_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	vmbus_text_safe(text, search->use, search->bytes);
	return 1;
}

/* Whether a source of a mount or swap, "/dev/sda1", is this one. */
static bool source_is(const char *source, const struct block *block)
{
	const char *slash = strrchr(source, '/');
	return slash != NULL && strcmp(slash + 1, block->name) == 0;
}

static FILE *proc_open(const struct search *search, const char *file)
{
	char path[LINK_BYTES];
	const int n = snprintf(path, sizeof path, "%s/%s", search->proc, file);
	if (n < 0 || (size_t)n >= sizeof path) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return fopen(path, "re");
}

/*
 * A line of mountinfo: id, parent, "8:1", root, mount point, options…, "-", type, source, options.
 * The source counts too, for some file systems have a device number of their own.
 */
static int mount_look(const struct search *search, char *line, const struct block *block)
{
	char *fields[5] = {NULL};
	char *rest = NULL;
	char *word = strtok_r(line, " \n", &rest);
	size_t count = 0;
	for (; word != NULL && strcmp(word, "-") != 0; word = strtok_r(NULL, " \n", &rest)) {
		if (count < 5)
			fields[count++] = word;
	}
	const char *type = word == NULL ? NULL : strtok_r(NULL, " \n", &rest);
	const char *source = type == NULL ? NULL : strtok_r(NULL, " \n", &rest);
	if (count < 5)
		return 0;
	if (strcmp(fields[2], block->number) != 0 && (source == NULL || !source_is(source, block)))
		return 0;
	return found(search, "%s is mounted on %s", block->name, fields[4]);
}

static int swap_look(const struct search *search, char *line, const struct block *block)
{
	char *rest = NULL;
	const char *source = strtok_r(line, " \t\n", &rest);
	if (source == NULL || !source_is(source, block))
		return 0;
	return found(search, "%s is swap space", block->name);
}

/* Each line of a file of /proc; `is_needed`: without it nothing can be said. */
static int lines_look(const struct search *search, const char *file, bool is_needed,
	int (*look)(const struct search *, char *, const struct block *), const struct block *block)
{
	FILE *in = proc_open(search, file);
	char *line = NULL;
	size_t bytes = 0;
	int result = 0;
	if (in == NULL)
		return is_needed ? -errno : 0;
	while (result == 0 && getline(&line, &bytes, in) >= 0)
		result = look(search, line, block);
	free(line);
	fclose(in);
	return result;
}

/* Devices that are made of this one: device mapper, RAID. */
static int holders_look(const struct search *search, int folder, const struct block *block)
{
	char path[VMBUS_SYSFS_NAME_MAX + 16];
	snprintf(path, sizeof path, "%s/holders", block->name);
	const int fd = openat(folder, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int result = 0;
	if (dir == NULL && fd >= 0)
		close(fd);
	for (const struct dirent *entry;
		result == 0 && dir != NULL && (entry = readdir(dir)) != NULL;) {
		if (entry->d_name[0] != '.')
			result = found(search, "%s is part of %s", block->name, entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	return result;
}

static int block_look(const struct search *search, int folder, struct block *block)
{
	char path[VMBUS_SYSFS_NAME_MAX + 16];
	snprintf(path, sizeof path, "%s/dev", block->name);
	const int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const ssize_t n = fd < 0 ? -1 : read(fd, block->number, sizeof block->number - 1);
	if (fd >= 0)
		close(fd);
	block->number[n > 0 ? n : 0] = '\0';
	block->number[strcspn(block->number, "\n")] = '\0';
	int result = lines_look(search, "self/mountinfo", true, mount_look, block);
	if (result == 0)
		result = lines_look(search, "swaps", false, swap_look, block);
	if (result == 0)
		result = holders_look(search, folder, block);
	return result;
}

/* Whether an entry of class/block leads through the folder of the device. */
static bool is_below(int folder, const char *entry, const char *name)
{
	char target[LINK_BYTES];
	const ssize_t n = readlinkat(folder, entry, target, sizeof target - 1);
	const size_t bytes = strlen(name);
	if (n <= 0 || bytes == 0)
		return false;
	target[n] = '\0';
	for (const char *at = target; (at = strstr(at, name)) != NULL; at++) {
		if (at > target && at[-1] == '/' && at[bytes] == '/')
			return true;
	}
	return false;
}

int vmbus_use_find(const char *root, const char *proc, const char *name, char *use, size_t bytes)
{
	const struct search search = {proc, use, bytes};
	char path[LINK_BYTES];
	const int length = snprintf(path, sizeof path, "%s/class/block", root);
	if (length < 0 || (size_t)length >= sizeof path)
		return -ENAMETOOLONG;
	DIR *dir = opendir(path);
	int result = 0;
	if (dir == NULL)
		return errno == ENOENT ? 0 : -errno; /* a kernel without disks */
	for (const struct dirent *entry; result == 0 && (entry = readdir(dir)) != NULL;) {
		struct block block;
		if (!is_below(dirfd(dir), entry->d_name, name))
			continue;
		snprintf(block.name, sizeof block.name, "%s", entry->d_name);
		result = block_look(&search, dirfd(dir), &block);
	}
	closedir(dir);
	return result;
}
