// SPDX-License-Identifier: Apache-2.0
/*
 * The mount table of Linux, as /proc/self/mountinfo tells it, and the paths in it.
 *
 *	text -> struct vss_mounts
 *
 * Owns its memory. Threads: none; one owner. Source: proc(5).
 */
#ifndef GUEST_IC_DAEMONS_VSS_MOUNTS_LINUX_H
#define GUEST_IC_DAEMONS_VSS_MOUNTS_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSS_MOUNTS_MAX	    100000u	/* the kernel's own bound for a namespace */
#define VSS_MOUNTS_TEXT_MAX (64u << 20) /* bytes of the file that are read */
#define VSS_MOUNT_NONE	    ((size_t)-1)

/* One mount. Strings are unescaped, and owned by the table. */
struct vss_mount {
	unsigned id; /* as statx(2) gives it */
	unsigned parent;
	unsigned major; /* of the superblock; 0: no block device of its own */
	unsigned minor;
	const char *root; /* what of the file system is mounted */
	const char *point;
	const char *type;
	const char *source;
	const char *super_options;
	bool is_read_only; /* the file system, not only the mount */
};

struct vss_mounts {
	struct vss_mount *at; /* in the kernel's order: a mount follows what it covers */
	size_t count;
	size_t malformed; /* lines left out */
	char *text;
};

/*
 * Read `len` bytes of a mountinfo file; `text` is malloc'ed and taken over, with one byte of room
 * behind `len`. 0, or -ENOMEM, -E2BIG with nothing made (and `text` freed).
 */
int vss_mounts_parse(char *text, size_t len, struct vss_mounts *out);

/* The same, from a file. 0 or a negative errno. */
int vss_mounts_read(const char *path, struct vss_mounts *out);

void vss_mounts_free(struct vss_mounts *mounts);

/*
 * The mount that an absolute path lies on, by its name alone: the last one mounted at the longest
 * beginning. VSS_MOUNT_NONE for paths that are not absolute, or on none.
 */
size_t vss_mounts_of_path(const struct vss_mounts *mounts, const char *path);

/* Is `path` the folder `folder` or below it? By name. */
bool vss_path_is_below(const char *path, const char *folder);

/* Undo \NNN in place, as in mountinfo and fstab. */
void vss_unescape(char *text);

/* Value of an option such as "upperdir" in "rw,upperdir=/x,…"; false: it is not there. */
bool vss_option_value(const char *options, const char *name, char *value, size_t size);

#endif
