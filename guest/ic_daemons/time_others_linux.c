// SPDX-License-Identifier: Apache-2.0
/*
 * Other keepers of the clock. See time_others_linux.h.
 */
#include "guest/ic_daemons/time_others_linux.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMM_BYTES 17u /* the kernel's names have 15 characters at most */

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

static bool comm_read(int proc_fd, const char *pid, char comm[COMM_BYTES])
{
	char path[64];
	if (snprintf(path, sizeof path, "%s/comm", pid) >= (int)sizeof path)
		return false;
	const int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	const ssize_t len = read(fd, comm, COMM_BYTES - 1);
	close(fd);
	if (len <= 0)
		return false;
	comm[len] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
	return true;
}

const char *time_others_find(const char *proc)
{
	char comm[COMM_BYTES];
	const char *found = NULL;
	DIR *dir = opendir(proc);
	if (dir == NULL)
		return NULL;
	for (const struct dirent *entry = readdir(dir); entry != NULL && found == NULL;
		entry = readdir(dir)) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
			!comm_read(dirfd(dir), entry->d_name, comm))
			continue;
		for (size_t i = 0; i < sizeof keepers / sizeof keepers[0]; i++)
			if (strcmp(comm, keepers[i].comm) == 0)
				found = keepers[i].name;
	}
	closedir(dir);
	return found;
}
