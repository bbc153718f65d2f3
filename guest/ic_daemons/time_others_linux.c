// SPDX-License-Identifier: Apache-2.0
/*
 * Other keepers of the clock. See time_others_linux.h.
 */
#include "guest/ic_daemons/time_others_linux.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMM_BYTES   17u   /* the kernel's names have 15 characters at most */
#define STATUS_BYTES 4096u /* of a process's status: what is wanted is in its first half */

/* Users of services: below those of people, and those that systemd makes for a service's life. */
#define SERVICE_UID_END	  1000u
#define DYNAMIC_UID_FIRST 61184u
#define DYNAMIC_UID_LAST  65519u

static const struct {
	const char *comm;
	const char *name;
} keepers[] = {
	{"chronyd", "chrony"},
	{"systemd-timesyn", "systemd-timesyncd"},
	{"ntpd", "ntpd"},
	{"openntpd", "OpenNTPD"},
	{"phc2sys", "linuxptp (phc2sys)"},
};

/* The beginning of a process's file. */
static bool text_read(int proc_fd, const char *pid, const char *name, char *text, size_t size)
{
	char path[64];
	if (snprintf(path, sizeof path, "%s/%s", pid, name) >= (int)sizeof path)
		return false;
	const int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	const ssize_t len = read(fd, text, size - 1);
	close(fd);
	if (len <= 0)
		return false;
	text[len] = '\0';
	return true;
}

/* The number after the `skipped`-th one of a line of a status, "\nUid:\t0\t0\t0\t0". */
static bool number_find(
	const char *status, const char *key, unsigned skipped, int base, unsigned long long *out)
{
	const char *at = strstr(status, key);
	if (at == NULL)
		return false;
	char *end = (char *)(uintptr_t)at + strlen(key);
	do {
		at = end;
		*out = strtoull(at, &end, base);
		if (end == at)
			return false;
	} while (skipped-- > 0);
	return true;
}

/*
 * Any process can give itself a name, so a name alone says nothing: it must be one that can set
 * the clock, of a service's user. (The latter, because whoever makes a user namespace has all
 * capabilities in it.)
 */
static bool may_set_clock(int proc_fd, const char *pid)
{
	char status[STATUS_BYTES];
	unsigned long long uid;
	unsigned long long capabilities;
	return text_read(proc_fd, pid, "status", status, sizeof status) &&
	       number_find(status, "\nUid:", 1, 10, &uid) &&
	       (uid < SERVICE_UID_END || (uid >= DYNAMIC_UID_FIRST && uid <= DYNAMIC_UID_LAST)) &&
	       number_find(status, "\nCapEff:", 0, 16, &capabilities) &&
	       (capabilities >> CAP_SYS_TIME & 1u) != 0;
}

static const char *keeper_name(int proc_fd, const char *pid)
{
	char comm[COMM_BYTES];
	if (!text_read(proc_fd, pid, "comm", comm, sizeof comm))
		return NULL;
	comm[strcspn(comm, "\n")] = '\0';
	for (size_t i = 0; i < sizeof keepers / sizeof keepers[0]; i++)
		if (strcmp(comm, keepers[i].comm) == 0)
			return may_set_clock(proc_fd, pid) ? keepers[i].name : NULL;
	return NULL;
}

const char *time_others_find(const char *proc)
{
	const char *found = NULL;
	DIR *dir = opendir(proc);
	if (dir == NULL)
		return NULL;
	for (const struct dirent *entry = readdir(dir); entry != NULL && found == NULL;
		entry = readdir(dir))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			found = keeper_name(dirfd(dir), entry->d_name);
	closedir(dir);
	return found;
}
