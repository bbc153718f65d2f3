// SPDX-License-Identifier: Apache-2.0
/*
 * Configuration files, replaced atomically and put back on failure: see net_file_linux.h.
 */
#include "guest/ic_daemons/net_file_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int join(char out[NET_FILE_PATH_MAX], const char *root, const char *path)
{
	int len = snprintf(out, NET_FILE_PATH_MAX, "%s%s", root, path);
	return len < 0 || (size_t)len >= NET_FILE_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* An open regular file that is no symbolic link, and its size and mode; -1 with errno. */
static int open_regular(const char *path, struct stat *status)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	int error = 0;
	if (fstat(fd, status) != 0)
		error = errno;
	else if (!S_ISREG(status->st_mode))
		error = EINVAL;
	else if (status->st_size > (off_t)NET_FILE_BYTES_MAX)
		error = EFBIG;
	if (error != 0) {
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static char *read_file(const char *path, size_t *len, unsigned *mode)
{
	struct stat status;
	int fd = open_regular(path, &status);
	if (fd < 0)
		return NULL;
	char *text = malloc(NET_FILE_BYTES_MAX + 1);
	size_t have = 0;
	ssize_t got = text ? 1 : -1;
	while (got > 0 && have < NET_FILE_BYTES_MAX) {
		got = read(fd, text + have, NET_FILE_BYTES_MAX - have);
		have += got > 0 ? (size_t)got : 0;
	}
	int error = errno;
	close(fd);
	if (got < 0) {
		free(text);
		errno = error;
		return NULL;
	}
	text[have] = '\0';
	*len = have;
	*mode = status.st_mode & 0777;
	return text;
}

char *net_file_read(const char *root, const char *path, size_t *len)
{
	char full[NET_FILE_PATH_MAX];
	unsigned mode;
	int error = join(full, root, path);
	if (error != 0) {
		errno = -error;
		return NULL;
	}
	return read_file(full, len, &mode);
}

/* The directory of `path`, created if only it is missing. */
static int open_directory(const char *path)
{
	char copy[NET_FILE_PATH_MAX];
	snprintf(copy, sizeof copy, "%s", path);
	const char *name = dirname(copy);
	if (mkdir(name, 0755) != 0 && errno != EEXIST)
		return -errno;
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, text, len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		text += put;
		len -= (size_t)put;
	}
	return 0;
}

/* Beside its place, to the disk, and then in one step. */
static int put_file(const char *path, const char *text, size_t len, unsigned mode)
{
	char beside[NET_FILE_PATH_MAX];
	char copy[NET_FILE_PATH_MAX];
	int directory = open_directory(path);
	if (directory < 0)
		return directory;
	snprintf(copy, sizeof copy, "%s", path);
	int error = join(beside, dirname(copy), "/.viridian-XXXXXX");
	int fd = error == 0 ? mkostemp(beside, O_CLOEXEC) : -1;
	if (fd < 0) {
		error = error != 0 ? error : -errno;
		close(directory);
		return error;
	}
	error = write_all(fd, text, len);
	if (error == 0 && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
		error = -errno;
	close(fd);
	if (error == 0 && rename(beside, path) != 0)
		error = -errno;
	if (error == 0 && fsync(directory) != 0)
		error = -errno;
	else if (error != 0)
		unlink(beside);
	close(directory);
	return error;
}

/* Copy what is not ours to where it is kept. */
static int keep(const char *root, const char *path, const char *text, size_t len, unsigned mode)
{
	char kept[NET_FILE_PATH_MAX];
	if (strncmp(text, NET_FILE_MARK, strlen(NET_FILE_MARK)) == 0)
		return 0;
	int error = join(kept, root, NET_FILES_KEPT);
	size_t start = strlen(kept);
	if (error == 0 && start + strlen(path) >= sizeof kept)
		error = -ENAMETOOLONG;
	if (error != 0)
		return error;
	snprintf(kept + start, sizeof kept - start, "%s", path + 1);
	for (char *c = kept + start; *c != '\0'; c++)
		if (*c == '/')
			*c = '_';
	return put_file(kept, text, len, mode);
}

int net_file_keep(const char *root, const char *path)
{
	char full[NET_FILE_PATH_MAX];
	size_t len;
	unsigned mode;
	int error = join(full, root, path);
	char *text = error == 0 ? read_file(full, &len, &mode) : NULL;
	if (!text)
		return error != 0 ? error : -errno;
	error = keep(root, path, text, len, mode);
	free(text);
	return error;
}

/* Note how a file is, and keep it; `full` is its whole path. */
static int note(struct net_files *files, const char *path, char full[NET_FILE_PATH_MAX])
{
	size_t len = 0;
	unsigned mode = 0644;
	int error = join(full, files->root, path);
	if (error == 0 && files->count == NET_FILES_MAX)
		error = -EMFILE;
	if (error != 0)
		return error;
	char *before = read_file(full, &len, &mode);
	if (!before && errno != ENOENT)
		return -errno;
	error = before ? keep(files->root, path, before, len, mode) : 0;
	if (error != 0) {
		free(before);
		return error;
	}
	unsigned at = files->count++;
	snprintf(files->changed[at].path, sizeof files->changed[at].path, "%s", path);
	files->changed[at].before = before;
	files->changed[at].before_bytes = len;
	files->changed[at].mode = mode;
	return 0;
}

int net_files_write(struct net_files *files, const char *path, const char *text, size_t len)
{
	char full[NET_FILE_PATH_MAX];
	int error = note(files, path, full);
	return error != 0 ? error
			  : put_file(full, text, len, files->changed[files->count - 1].mode);
}

int net_files_remove(struct net_files *files, const char *path)
{
	char full[NET_FILE_PATH_MAX];
	int error = note(files, path, full);
	if (error == 0 && unlink(full) != 0 && errno != ENOENT)
		error = -errno;
	return error;
}

int net_files_undo(struct net_files *files)
{
	int first = 0;
	for (unsigned i = files->count; i-- > 0;) {
		char full[NET_FILE_PATH_MAX];
		int error = join(full, files->root, files->changed[i].path);
		if (error == 0 && files->changed[i].before)
			error = put_file(full, files->changed[i].before,
				files->changed[i].before_bytes, files->changed[i].mode);
		else if (error == 0 && unlink(full) != 0 && errno != ENOENT)
			error = -errno;
		first = first != 0 ? first : error;
	}
	return first;
}

void net_files_free(struct net_files *files)
{
	for (unsigned i = 0; i < files->count; i++)
		free(files->changed[i].before);
	files->count = 0;
}
