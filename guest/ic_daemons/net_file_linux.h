// SPDX-License-Identifier: Apache-2.0
/*
 * Configuration files that are replaced as a whole, and put back if what follows fails:
 *
 *	struct net_files files = {.root = ""};
 *	if (net_files_write(&files, "/etc/…", text, len) != 0 || …)
 *		net_files_undo(&files);
 *	net_files_free(&files);
 *
 * A file is written beside its place, synchronised and renamed, so that a reader sees the old
 * one or the new. What somebody else wrote is copied first, to NET_FILES_KEPT and the path with '_'
 * for '/'; his last version is there. A symbolic link is not followed and not replaced.
 *
 * Threads: none of its own.
 */
#ifndef GUEST_IC_DAEMONS_NET_FILE_LINUX_H
#define GUEST_IC_DAEMONS_NET_FILE_LINUX_H

#include <stdbool.h>
#include <stddef.h>

#define NET_FILES_MAX	   20u /* changed in one go */
#define NET_FILE_BYTES_MAX 262144u
#define NET_FILE_PATH_MAX  512u
#define NET_FILES_KEPT                                                                             \
	"/var/lib/viridian-net-config/" /* of root alone; created if it is missing                 \
					 */

/* The first line of each file that is ours: such a file is replaced without being kept. */
#define NET_FILE_MARK                                                                              \
	"# Written by viridian-net-config; replaced when the host asks for a change.\n"

struct net_files {
	const char *root; /* before each path; borrowed */
	unsigned count;
	struct {
		char path[NET_FILE_PATH_MAX]; /* without the root */
		char *before;		      /* owned; NULL: it was not there */
		size_t before_bytes;
		unsigned mode;
	} changed[NET_FILES_MAX];
};

/*
 * Read a regular file. Returns its text and a NUL, for the caller to free(), and *len; NULL with
 * errno: ENOENT, ELOOP a symbolic link, EFBIG more than NET_FILE_BYTES_MAX, …
 */
char *net_file_read(const char *root, const char *path, size_t *len);

/* Copy a file that is not ours to where such are kept. 0 or a negative errno. */
int net_file_keep(const char *root, const char *path);

/*
 * Replace or create a file; its directory is created if only that is missing. 0 or a negative
 * errno; then it is as it was.
 */
int net_files_write(struct net_files *files, const char *path, const char *text, size_t len);

/* Remove a file, which need not be there. Likewise. */
int net_files_remove(struct net_files *files, const char *path);

/* Put all back, the last first. Goes on past failures; returns the first, or 0. */
int net_files_undo(struct net_files *files);

void net_files_free(struct net_files *files);

#endif
