// SPDX-License-Identifier: Apache-2.0
/*
 * A VMBus channel through /dev/uioN. See uio_channel_linux.h.
 */
#include "guest/vmbus/uio_channel_linux.h"

#include "protocol/vmbus.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAP_RINGS   0 /* number of the mapping: both rings, outgoing first */
#define MAP_MONITOR 2 /* monitor page, guest to host */

#define RINGS_BYTES_MAX (64u << 20)

/* A number in a file of sysfs, decimal or 0x. False: none. */
static bool number_read(const char *path, unsigned long *out)
{
	char text[64];
	char *end;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	const ssize_t len = read(fd, text, sizeof text - 1);
	close(fd);
	if (len <= 0)
		return false;
	text[len] = '\0';
	errno = 0;
	*out = strtoul(text, &end, 0);
	return errno == 0 && end != text && (*end == '\n' || *end == '\0');
}

struct paths {
	const char *sysfs;
	const char *dev;
	const struct uio_channel_place *place;
};

/* <sysfs>/bus/vmbus/devices/<device>/<before><name><after>. False: too long. */
static bool device_path(const struct paths *paths, char path[PATH_MAX], const char *before,
	const char *name, const char *after)
{
	const int len = snprintf(path, PATH_MAX, "%s/bus/vmbus/devices/%s/%s%s%s", paths->sysfs,
		paths->place->device, before, name, after);
	return len >= 0 && len < PATH_MAX;
}

/* Both rings together. 0: it makes no sense. */
static size_t rings_bytes(const struct paths *paths)
{
	char path[PATH_MAX];
	unsigned long bytes;
	const unsigned long least = 2 * (RING_CONTROL_BYTES + RING_MIN_DATA_BYTES);
	if (!device_path(paths, path, "uio/", paths->place->uio, "/maps/map0/size") ||
		!number_read(path, &bytes))
		return 0;
	if (bytes < least || bytes > RINGS_BYTES_MAX || bytes % (2 * RING_PAGE_BYTES) != 0)
		return 0;
	return bytes;
}

/*
 * Only a channel with a monitor has these files in sysfs; the kernel hides them for others. The
 * device's own monitor_id says nothing.
 */
static bool monitor_find(const struct paths *paths, uint32_t *monitor_id)
{
	char path[PATH_MAX];
	unsigned long id = 0;
	unsigned long relid;
	char relid_text[16];
	if (!device_path(paths, path, "id", "", "") || !number_read(path, &relid) ||
		relid > UINT32_MAX)
		return false;
	snprintf(relid_text, sizeof relid_text, "%lu", relid);
	if (!device_path(paths, path, "channels/", relid_text, "/monitor_id") ||
		!number_read(path, &id) || id >= 128)
		return false;
	*monitor_id = (uint32_t)id;
	return true;
}

/* ---- mappings ------------------------------------------------------------ */

/*
 * The device can only be mapped from its start. So, to have a ring's data twice in a row, the whole
 * is mapped twice, at places where the first copy ends with the data, and the second, whose start
 * the first covers, has the data right behind: for the ring that begins at `ring` bytes,
 *
 *	first	[0 ........ ring: control | data ]
 *	second	              [ covered, control ][ data ...
 *
 * Returns the place of the ring's control page, or NULL.
 */
static uint8_t *ring_map_twice(
	int fd, size_t ring, size_t ring_bytes, void **map, size_t *map_bytes)
{
	const size_t end = ring + ring_bytes; /* of the first copy */
	const size_t data = ring_bytes - RING_CONTROL_BYTES;
	const int protection = PROT_READ | PROT_WRITE;
	const size_t bytes = end + data;
	uint8_t *at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	*map = at;
	*map_bytes = bytes;
	/* The second first: it starts so that its data begins at `end`. */
	uint8_t *second = at + end - (ring + RING_CONTROL_BYTES);
	if (mmap(second, end, protection, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
		mmap(at, end, protection, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		munmap(at, bytes);
		*map = NULL;
		return NULL;
	}
	return at + ring;
}

static void area_set(struct ring_area *area, uint8_t *control, size_t ring_bytes)
{
	*area = (struct ring_area){
		.control = control,
		.data = control + RING_CONTROL_BYTES,
		.data_bytes = (uint32_t)(ring_bytes - RING_CONTROL_BYTES),
		.is_double_mapped = true,
	};
}

/* One mapping, and scratch for packets that wrap. */
static int rings_map_once(
	struct uio_channel *channel, size_t ring_bytes, struct ring_area *out, struct ring_area *in)
{
	const uint32_t scratch_bytes = ring_scratch_bytes(out->data_bytes);
	uint8_t *at = mmap(
		NULL, 2 * ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, channel->file, 0);
	if (at == MAP_FAILED)
		return -errno;
	channel->out_map = at;
	channel->out_map_bytes = 2 * ring_bytes;
	channel->scratch = aligned_alloc(8, 2 * (((size_t)scratch_bytes + 7) & ~(size_t)7));
	if (channel->scratch == NULL)
		return -ENOMEM;
	area_set(out, at, ring_bytes);
	area_set(in, at + ring_bytes, ring_bytes);
	out->is_double_mapped = in->is_double_mapped = false;
	out->scratch_bytes = in->scratch_bytes = scratch_bytes;
	out->scratch = channel->scratch;
	in->scratch = channel->scratch + (((size_t)scratch_bytes + 7) & ~(size_t)7);
	return 0;
}

static int rings_map(struct uio_channel *channel, size_t bytes)
{
	const size_t ring_bytes = bytes / 2;
	struct ring_area out;
	struct ring_area in;
	uint8_t *out_control = ring_map_twice(
		channel->file, 0, ring_bytes, &channel->out_map, &channel->out_map_bytes);
	uint8_t *in_control = ring_map_twice(
		channel->file, ring_bytes, ring_bytes, &channel->in_map, &channel->in_map_bytes);
	if (out_control != NULL && in_control != NULL) {
		area_set(&out, out_control, ring_bytes);
		area_set(&in, in_control, ring_bytes);
		channel->is_double_mapped = true;
	} else {
		if (channel->out_map != NULL)
			munmap(channel->out_map, channel->out_map_bytes);
		if (channel->in_map != NULL)
			munmap(channel->in_map, channel->in_map_bytes);
		channel->out_map = channel->in_map = NULL;
		out.data_bytes = (uint32_t)(ring_bytes - RING_CONTROL_BYTES);
		const int error = rings_map_once(channel, ring_bytes, &out, &in);
		if (error != 0)
			return error;
	}
	return ring_open(&channel->out, &out, &channel->in, &in, RING_FLAGS_STRICT) == RING_OK
		       ? 0
		       : -EPROTO;
}

static int monitor_map(struct uio_channel *channel, const struct uio_channel_config *config)
{
	const bool is_device = config->monitor_fd < 0;
	void *page = mmap(NULL, VMBUS_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		is_device ? channel->file : config->monitor_fd,
		is_device ? (off_t)MAP_MONITOR * (off_t)sysconf(_SC_PAGESIZE) : 0);
	if (page == MAP_FAILED)
		return -errno;
	channel->monitor_page = page;
	return 0;
}

/* ---- life ---------------------------------------------------------------- */

/* The file under /dev must be the very device that sysfs means. */
static int device_check(const struct paths *paths, int file)
{
	char path[PATH_MAX];
	char expected[32];
	char text[32] = {0};
	struct stat status;
	if (fstat(file, &status) != 0)
		return -errno;
	if (!S_ISCHR(status.st_mode) ||
		!device_path(paths, path, "uio/", paths->place->uio, "/dev"))
		return -ENODEV;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENODEV;
	const ssize_t len = read(fd, text, sizeof text - 1);
	close(fd);
	snprintf(
		expected, sizeof expected, "%u:%u\n", major(status.st_rdev), minor(status.st_rdev));
	return len > 0 && strcmp(text, expected) == 0 ? 0 : -ENODEV;
}

static int file_open(struct uio_channel *channel, const struct uio_channel_config *config,
	const struct paths *paths)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/%s", paths->dev, paths->place->uio) >= (int)sizeof path)
		return -ENAMETOOLONG;
	channel->file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (channel->file < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	channel->fd = config->event_fd >= 0 ? config->event_fd : channel->file;
	return config->event_fd >= 0 ? 0 : device_check(paths, channel->file);
}

int uio_channel_open(struct uio_channel *channel, const struct uio_channel_config *config,
	const struct uio_channel_place *place)
{
	const struct paths paths = {
		.sysfs = config->sysfs_root != NULL ? config->sysfs_root : "/sys",
		.dev = config->dev_root != NULL ? config->dev_root : "/dev",
		.place = place,
	};
	memset(channel, 0, sizeof *channel);
	channel->fd = channel->file = -1;
	if (place->uio[0] == '\0')
		return -ENODEV;
	const size_t bytes = rings_bytes(&paths);
	if (bytes == 0)
		return -EPROTO;
	channel->is_monitored = monitor_find(&paths, &channel->monitor_id);
	int error = file_open(channel, config, &paths);
	if (error == 0)
		error = rings_map(channel, bytes);
	if (error == 0 && channel->is_monitored)
		error = monitor_map(channel, config);
	if (error != 0)
		uio_channel_close(channel);
	return error;
}

void uio_channel_close(struct uio_channel *channel)
{
	if (channel->file < 0)
		return;
	if (channel->out_map != NULL)
		munmap(channel->out_map, channel->out_map_bytes);
	if (channel->in_map != NULL)
		munmap(channel->in_map, channel->in_map_bytes);
	if (channel->monitor_page != NULL)
		munmap(channel->monitor_page, VMBUS_PAGE_BYTES);
	free(channel->scratch);
	close(channel->file);
	memset(channel, 0, sizeof *channel);
	channel->fd = channel->file = -1;
}

/* ---- work ---------------------------------------------------------------- */

void uio_channel_collect(struct uio_channel *channel)
{
	uint32_t events;
	const ssize_t len = read(channel->fd, &events, sizeof events);
	if (len == (ssize_t)sizeof events) {
		channel->interrupts += channel->interrupts == 0 ? 1 : events - channel->events;
		channel->events = events;
	} else if (len >= 0 || (errno != EAGAIN && errno != EINTR)) {
		channel->is_gone = true;
	}
}

bool uio_channel_arm(struct uio_channel *channel)
{
	return !channel->is_gone && ring_reader_arm(&channel->in);
}

void uio_channel_signal(struct uio_channel *channel)
{
	const int32_t unmask = 1;
	channel->signals++;
	if (channel->monitor_page != NULL) {
		uint32_t *pending =
			(uint32_t *)(void *)(channel->monitor_page +
					     vmbus_monitor_pending_offset(channel->monitor_id));
		__atomic_fetch_or(pending, 1u << (channel->monitor_id % 32u), __ATOMIC_SEQ_CST);
		return;
	}
	if (write(channel->fd, &unmask, sizeof unmask) != (ssize_t)sizeof unmask &&
		errno != EAGAIN && errno != EINTR)
		channel->is_gone = true;
}

void uio_channel_flush(struct uio_channel *channel)
{
	bool is_due = ring_flush(&channel->out);
	is_due |= ring_read_flush(&channel->in);
	if (is_due)
		uio_channel_signal(channel);
}
