// SPDX-License-Identifier: Apache-2.0
/*
 * Transport: the device that the kernel's driver has for its daemon, /dev/vmbus/hv_*. See
 * daemon.h.
 *
 * Such a device has one user at a time, gives one record a read, and takes one a write. The first
 * write greets; the kernel's answer is the first record.
 */
#include "guest/ic_daemons/daemon_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char *device_path(const struct daemon *daemon)
{
	return daemon->options.device != NULL ? daemon->options.device
					      : daemon->component->device->path;
}

static void on_ready(void *ctx, uint32_t events)
{
	struct daemon *daemon = ctx;
	struct daemon_device_state *device = &daemon->device;
	const struct daemon_device *of = daemon->component->device;
	(void)events;
	const ssize_t len = read(device->fd, device->record, of->record_bytes_max + 1);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		daemon_transport_lose(
			daemon, len == 0 ? "the kernel has closed it" : strerror(errno));
		return;
	}
	if ((size_t)len > of->record_bytes_max) {
		daemon_transport_lose(daemon, "it speaks another protocol: a record is too long");
		return;
	}
	device->records++;
	of->on_record(daemon->component->ctx, daemon, device->record, (size_t)len);
}

int daemon_reply(struct daemon *daemon, const void *record, size_t len)
{
	struct daemon_device_state *device = &daemon->device;
	if (!daemon->is_begun || daemon->transport != &daemon_device_ops)
		return -ENOTCONN;
	const ssize_t written = write(device->fd, record, len);
	if (written == (ssize_t)len) {
		device->replies++;
		return 0;
	}
	const int error = written < 0 ? -errno : -EIO;
	device->reply_errors++;
	daemon_log(error == -EINVAL ? LOG_INFO : LOG_WARNING, "%s: a reply was refused: %s",
		device_path(daemon), strerror(-error));
	return error;
}

/* A program can stand in for the kernel: its file is a regular one, of FUSE. */
static bool is_served(int fd)
{
	struct statfs of;
	return fstatfs(fd, &of) == 0 && of.f_type == FUSE_SUPER_MAGIC;
}

static int open_device(struct daemon *daemon, char *why, size_t why_bytes)
{
	const struct daemon_component *component = daemon->component;
	const char *path;
	struct stat status;
	if (component->device == NULL) {
		snprintf(why, why_bytes, "the kernel has no device for %s", component->stem);
		return -ENODEV;
	}
	path = device_path(daemon);
	daemon->device.fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (daemon->device.fd >= 0 && fstat(daemon->device.fd, &status) == 0 &&
		((S_ISREG(status.st_mode) && !is_served(daemon->device.fd)) ||
			S_ISDIR(status.st_mode))) {
		close(daemon->device.fd);
		daemon->device.fd = -1;
		errno = ENOTTY;
	}
	if (daemon->device.fd >= 0)
		return 0;
	const int error = -errno;
	if (error == -EBUSY)
		snprintf(why, why_bytes,
			"%s is in use by another daemon: stop it (hv_%s_daemon of the package "
			"hyperv-daemons, or another vmic-%s)",
			path, component->stem, component->stem);
	else if (error == -ENOENT || error == -ENXIO || error == -ENODEV)
		snprintf(why, why_bytes, "there is no %s", path);
	else
		snprintf(why, why_bytes, "%s: %s", path, strerror(-error));
	return error == -ENOENT || error == -ENXIO ? -ENODEV : error;
}

static int begin_device(struct daemon *daemon, char *why, size_t why_bytes)
{
	struct daemon_device_state *device = &daemon->device;
	const struct daemon_device *of = daemon->component->device;
	device->record = malloc(of->record_bytes_max + 1);
	if (device->record == NULL) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	if (of->greeting_bytes > 0 && write(device->fd, of->greeting, of->greeting_bytes) !=
					      (ssize_t)of->greeting_bytes) {
		const int error = -errno;
		snprintf(why, why_bytes, "%s: the kernel refuses to talk: %s", device_path(daemon),
			strerror(-error));
		return error < 0 ? error : -EIO;
	}
	const int error = daemon_watch_add(
		daemon, &device->watch, device->fd, EPOLLIN, on_ready, daemon);
	if (error != 0)
		snprintf(why, why_bytes, "%s: %s", device_path(daemon), strerror(-error));
	else if (of->on_open != NULL)
		of->on_open(daemon->component->ctx);
	return error;
}

static void close_device(struct daemon *daemon)
{
	struct daemon_device_state *device = &daemon->device;
	const bool was_open = device->watch.is_added;
	daemon_watch_remove(daemon, &device->watch);
	if (device->fd >= 0)
		close(device->fd);
	device->fd = -1;
	free(device->record);
	device->record = NULL;
	if (was_open && daemon->component->device->on_close != NULL)
		daemon->component->device->on_close(daemon->component->ctx);
}

const struct daemon_transport_ops daemon_device_ops = {
	.kind = DAEMON_TRANSPORT_DEVICE,
	.name = "device",
	.open = open_device,
	.begin = begin_device,
	.close = close_device,
};

int daemon_device_attach(struct daemon *daemon, int fd)
{
	char *why = daemon->why[DAEMON_TRANSPORT_DEVICE];
	daemon_transport_close(daemon);
	daemon->transport = &daemon_device_ops;
	daemon->device.fd = fd;
	const int error = begin_device(daemon, why, DAEMON_WHY_BYTES);
	if (error != 0) {
		close_device(daemon);
		daemon->transport = NULL;
		return error;
	}
	daemon->is_begun = true;
	daemon->connections++;
	if (daemon->component->on_transport != NULL)
		daemon->component->on_transport(daemon->component->ctx, DAEMON_TRANSPORT_DEVICE);
	return 0;
}
