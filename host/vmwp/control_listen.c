// SPDX-License-Identifier: Apache-2.0
/*
 * The name of a control socket. See control_listen.h.
 *
 * Who finds a dead socket must not remove the one that another worker made in the
 * meantime. So the whole of look, remove, bind and listen is done under a lock on the
 * folder, which goes away with its holder.
 */
#include "host/vmwp/control_listen.h"

#include "host/hypervisor/socket_probe_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG	      8
#define LOCK_TRIES    100
#define LOCK_PAUSE_MS 20
#define NS_PER_MS     1000000

/* Open and lock the folder of `path`. Returns its descriptor, or a negative errno. */
static int folder_lock(const char *path, struct control_error *error)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
	memcpy(folder, slash == NULL ? "." : path, len);
	folder[len] = '\0';
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int result = -errno;
		control_error_set(error,
			"socket '%s': cannot open its folder '%s': %s (make the folder "
			"first, or name another)",
			path, folder, strerror(-result));
		return result;
	}
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * NS_PER_MS};
	for (unsigned i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		int result = -errno;
		if ((result == -EWOULDBLOCK || result == -EINTR) && i < LOCK_TRIES) {
			nanosleep(&pause, NULL);
			continue;
		}
		control_error_set(error,
			"socket '%s': cannot lock its folder '%s': %s (another program "
			"holds it; name a folder of your own)",
			path, folder, strerror(-result));
		close(fd);
		return result;
	}
	return fd;
}

/* Make `path` free to bind, if nobody is hurt by that. */
static int name_clear(const struct sockaddr_un *name, struct control_error *error)
{
	const char *path = name->sun_path;
	struct stat st;
	if (lstat(path, &st) != 0) {
		if (errno == ENOENT)
			return 0;
		control_error_set(
			error, "socket '%s': cannot look at it: %s", path, strerror(errno));
		return -errno;
	}
	if (!S_ISSOCK(st.st_mode)) {
		control_error_set(error,
			"socket '%s': there is a file of another kind (name another path, "
			"or "
			"remove it)",
			path);
		return -EEXIST;
	}
	int live = socket_probe(name, SOCK_STREAM);
	if (live > 0) {
		control_error_set(error,
			"socket '%s': a running worker uses it (name another path, or stop "
			"that worker: vmwpctl %s stop)",
			path, path);
		return -EADDRINUSE;
	}
	if (live < 0) {
		control_error_set(error,
			"socket '%s': exists and cannot be tried: %s (name another path)", path,
			strerror(-live));
		return live;
	}
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	int result = -errno;
	control_error_set(
		error, "socket '%s': cannot remove the dead one: %s", path, strerror(-result));
	return result;
}

static int bind_and_listen(struct control_listener *listener, struct control_error *error)
{
	const struct sockaddr_un *name = &listener->name;
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode of the descriptor becomes that of the name: there is no moment without it. */
	if (fd >= 0 && fchmod(fd, 0600) == 0 &&
		bind(fd, (const struct sockaddr *)name, sizeof *name) == 0) {
		if (listen(fd, BACKLOG) == 0 && lstat(name->sun_path, &st) == 0) {
			listener->fd = fd;
			listener->device = st.st_dev;
			listener->inode = st.st_ino;
			return 0;
		}
		int result = -errno;
		unlink(name->sun_path);
		errno = -result;
	}
	int result = -errno;
	control_error_set(error, "socket '%s': cannot be made: %s (name another path)",
		name->sun_path, strerror(-result));
	if (fd >= 0)
		close(fd);
	return result;
}

int control_listener_open(
	struct control_listener *listener, const char *path, struct control_error *error)
{
	*listener = (struct control_listener){.fd = -1, .name.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof listener->name.sun_path) {
		control_error_set(error, "socket '%s': the path has %zu bytes: give 1 to %zu", path,
			len, sizeof listener->name.sun_path - 1);
		return len == 0 ? -EINVAL : -ENAMETOOLONG;
	}
	memcpy(listener->name.sun_path, path, len + 1);
	int folder = folder_lock(path, error);
	if (folder < 0)
		return folder;
	int result = name_clear(&listener->name, error);
	if (result == 0)
		result = bind_and_listen(listener, error);
	close(folder);
	return result;
}

void control_listener_close(struct control_listener *listener)
{
	struct stat st;
	if (listener->fd < 0)
		return;
	if (lstat(listener->name.sun_path, &st) == 0 && st.st_dev == listener->device &&
		st.st_ino == listener->inode)
		unlink(listener->name.sun_path);
	close(listener->fd);
	listener->fd = -1;
}
