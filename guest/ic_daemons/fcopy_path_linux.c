// SPDX-License-Identifier: Apache-2.0
/*
 * The way to a directory. See fcopy_path_linux.h.
 */
#include "guest/ic_daemons/fcopy_path_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_MODE 0755

/*
 * One component. (openat2 could take a whole path, but systemd's RestrictSUIDSGID= takes that call
 * away from the service.) EINTR: a few times is enough.
 */
static int open_step(int from, const char *name)
{
	struct stat st;
	for (unsigned i = 0;; i++) {
		const int fd = openat(from, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != EINTR || i == 100)
			break;
	}
	const int error = errno;
	if (error == ENOTDIR && fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISLNK(st.st_mode))
		return -ELOOP;
	return error == EPERM ? -EACCES : -error;
}

/* The next component of *rest, which moves behind it: its length, 0 at the end. */
static size_t component_next(const char **rest, const char **component)
{
	for (;;) {
		*rest += strspn(*rest, "/");
		const size_t bytes = strcspn(*rest, "/");
		*component = *rest;
		*rest += bytes;
		if (bytes != 1 || **component != '.')
			return bytes;
	}
}

const char *fcopy_path_below(const char *root, const char *path)
{
	for (;;) {
		const char *wanted;
		const char *given;
		const char *rest = path;
		const size_t wanted_bytes = component_next(&root, &wanted);
		if (wanted_bytes == 0)
			return path + strspn(path, "/");
		const size_t given_bytes = component_next(&rest, &given);
		if (given_bytes != wanted_bytes || memcmp(given, wanted, wanted_bytes) != 0)
			return NULL;
		path = rest;
	}
}

/* One step down, which may have to be made first. Closes `from`. */
static int step(int from, const char *component, size_t bytes, bool creates)
{
	char name[NAME_MAX + 1];
	int fd = -ENAMETOOLONG;
	if (bytes <= NAME_MAX) {
		memcpy(name, component, bytes);
		name[bytes] = '\0';
		fd = open_step(from, name);
		if (fd == -ENOENT && creates) {
			if (mkdirat(from, name, DIRECTORY_MODE) != 0 && errno != EEXIST)
				fd = errno == EPERM ? -EACCES : -errno;
			else
				fd = open_step(from, name);
		}
	}
	close(from);
	return fd;
}

/* Down from `fd`, which is closed. */
static int descend(int fd, const char *path, bool creates)
{
	const char *component;
	while (fd >= 0) {
		const size_t bytes = component_next(&path, &component);
		if (bytes == 0)
			break;
		fd = step(fd, component, bytes, creates);
	}
	return fd;
}

static int walk(const char *root, const char *rest, bool creates)
{
	return descend(descend(open_step(AT_FDCWD, "/"), root, false), rest, creates);
}

int fcopy_path_open(const struct fcopy_file_config *config, const char *path, bool creates)
{
	for (unsigned i = 0; i < config->root_count; i++) {
		const char *rest = fcopy_path_below(config->roots[i], path);
		if (rest != NULL)
			return walk(config->roots[i], rest, creates);
	}
	return -EPERM;
}
