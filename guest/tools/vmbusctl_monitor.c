// SPDX-License-Identifier: Apache-2.0
/*
 * The live view. See vmbusctl_monitor.h. Events are the kernel's own (libudev's "kernel"
 * source), so that they come also where no udev daemon runs; of a device that is going away,
 * the event carries all that is still known.
 */
#include "guest/tools/vmbusctl_monitor.h"

#include "guest/tools/vmbusctl_print.h"

#include <errno.h>
#include <libudev.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S    1000000000ll
#define NS_PER_MS   1000000ll
#define TIME_BYTES  16u
#define EVENTS_TURN 256u /* before looking at signals and time again */

struct live {
	const struct vmbusctl_options *options;
	struct udev *udev;
	struct udev_monitor *monitor; /* NULL: of another tree there are no events */
	int signals;
	struct vmbus_sysfs_list rings; /* at the last look */
	int64_t next_ns;
	unsigned looks;
};

/* ---- output ---- */

static char *time_text(char text[TIME_BYTES])
{
	struct timespec now;
	struct tm local;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &local);
	const size_t used = strftime(text, TIME_BYTES, "%H:%M:%S", &local);
	snprintf(text + used, TIME_BYTES - used, ".%03u",
		(unsigned)(now.tv_nsec / NS_PER_MS) % 1000);
	return text;
}

/* Takes `row`. */
static void json_line_print(json_t *row)
{
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

static void event_print(const struct live *live, const struct vmbusctl_event *event)
{
	char time[TIME_BYTES];
	time_text(time);
	if (live->options->is_json)
		json_line_print(vmbusctl_json_event(event, time));
	else
		vmbusctl_print_event(stdout, event, time);
}

/* ---- events ---- */

/* A subchannel's directory is <device>/channels/<relid>; cut `path` into the two names. */
static bool subchannel_names(char *path, const char **device, const char **relid)
{
	char *slash = strrchr(path, '/');
	if (slash == NULL)
		return false;
	*relid = slash + 1;
	*slash = '\0';
	slash = strrchr(path, '/');
	if (slash == NULL || strcmp(slash, "/channels") != 0)
		return false;
	*slash = '\0';
	slash = strrchr(path, '/');
	*device = slash == NULL ? NULL : slash + 1;
	return *device != NULL;
}

/* From the event, which an unbind lacks, or from the device, which a remove has lost. */
static bool class_of(struct udev_device *device, struct guid *class_id)
{
	if (vmbus_sysfs_modalias(udev_device_get_property_value(device, "MODALIAS"), class_id))
		return true;
	const char *text = udev_device_get_sysattr_value(device, "class_id");
	return text != NULL && guid_parse(text, class_id) == 0;
}

static void event_take(const struct live *live, struct udev_device *device)
{
	const char *subsystem = udev_device_get_subsystem(device);
	const char *path = udev_device_get_devpath(device);
	struct vmbusctl_event event = {
		.action = udev_device_get_action(device),
		.name = udev_device_get_sysname(device),
		.driver = udev_device_get_property_value(device, "DRIVER"),
	};
	struct guid class_id;
	char names[4096];
	if (event.action == NULL || event.name == NULL || subsystem == NULL || path == NULL)
		return;
	if (class_of(device, &class_id))
		event.class_id = &class_id;
	if (strcmp(subsystem, "vmbus") != 0) {
		snprintf(names, sizeof names, "%s", path);
		if (!subchannel_names(names, &event.name, &event.channel))
			return;
	}
	event_print(live, &event);
}

/* What is there already. 0, -ENOENT without VMBus, or another negative errno. */
static int present_print(const struct live *live)
{
	struct vmbus_sysfs_list list;
	const int error = vmbus_sysfs_read(live->options->root, &list);
	if (error != 0)
		return error;
	for (size_t i = 0; i < list.count; i++) {
		const struct vmbusctl_event event = {
			.action = "present",
			.name = list.devices[i].name,
			.class_id = &list.devices[i].class_id,
			.driver = list.devices[i].driver,
		};
		event_print(live, &event);
	}
	vmbus_sysfs_free(&list);
	return 0;
}

static int events_take(const struct live *live)
{
	for (unsigned i = 0; i < EVENTS_TURN; i++) {
		errno = 0;
		struct udev_device *device = udev_monitor_receive_device(live->monitor);
		if (device != NULL) {
			event_take(live, device);
			udev_device_unref(device);
		} else if (errno == ENOBUFS) {
			fputs("vmbusctl: events were lost; all devices again:\n", stderr);
			return present_print(live);
		} else {
			return 0;
		}
	}
	return 0;
}

/* Of a namespace that has no events, libudev says so. */
static int monitor_start(struct live *live)
{
	live->udev = udev_new();
	live->monitor = live->udev == NULL ? NULL
					   : udev_monitor_new_from_netlink(live->udev, "kernel");
	if (live->monitor == NULL)
		return -ENOMEM;
	int error = udev_monitor_filter_add_match_subsystem_devtype(live->monitor, "vmbus", NULL);
	if (error >= 0) /* the set of a device's channels */
		error = udev_monitor_filter_add_match_subsystem_devtype(
			live->monitor, "channels", NULL);
	if (error >= 0)
		error = udev_monitor_enable_receiving(live->monitor);
	return error < 0 ? error : 0;
}

/* ---- rings ---- */

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int rings_look(struct live *live)
{
	char time[TIME_BYTES];
	struct vmbus_sysfs_list list;
	const int error = vmbus_sysfs_read(live->options->root, &list);
	if (error != 0)
		return error;
	time_text(time);
	if (live->options->is_json)
		json_line_print(vmbusctl_json_rings(&list, time));
	else
		vmbusctl_print_rings(stdout, &list, &live->rings, time);
	vmbus_sysfs_free(&live->rings);
	live->rings = list;
	live->looks++;
	return 0;
}

/* Look if it is time. *timeout_ms: how long it is not; -1: never. */
static int rings_run(struct live *live, int *timeout_ms)
{
	const int64_t interval_ns = live->options->interval_ms * NS_PER_MS;
	*timeout_ms = -1;
	if (interval_ns == 0)
		return 0;
	if (now_ns() >= live->next_ns) {
		const int error = rings_look(live);
		if (error != 0)
			return error;
		live->next_ns += interval_ns;
		if (live->next_ns < now_ns()) /* late: do not hurry after it */
			live->next_ns = now_ns() + interval_ns;
	}
	const int64_t left = live->next_ns - now_ns();
	*timeout_ms = left > 0 ? (int)((left + NS_PER_MS - 1) / NS_PER_MS) : 0;
	return 0;
}

/* ---- life ---- */

static int live_run(struct live *live)
{
	const unsigned count = live->options->count;
	for (;;) {
		int timeout_ms;
		int error = rings_run(live, &timeout_ms);
		if (error != 0)
			return error;
		if (fflush(stdout) != 0)
			return -errno;
		if (count != 0 && live->looks >= count)
			return 0;
		struct pollfd fds[] = {
			{.fd = live->signals, .events = POLLIN},
			{.fd = live->monitor != NULL ? udev_monitor_get_fd(live->monitor) : -1,
				.events = POLLIN},
		};
		if (poll(fds, 2, timeout_ms) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents != 0)
			return 0;
		error = fds[1].revents != 0 ? events_take(live) : 0;
		if (error != 0)
			return error;
	}
}

static int live_start(struct live *live)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -errno;
	live->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (live->signals < 0)
		return -errno;
	/* listen first, then list: nothing falls between */
	int error = live->options->is_other_root ? 0 : monitor_start(live);
	if (error == 0)
		error = present_print(live);
	live->next_ns = now_ns();
	return error;
}

int vmbusctl_monitor(const struct vmbusctl_options *options)
{
	struct live live = {.options = options, .signals = -1};
	int error = live_start(&live);
	if (error == 0)
		error = live_run(&live);
	vmbus_sysfs_free(&live.rings);
	udev_monitor_unref(live.monitor);
	udev_unref(live.udev);
	if (live.signals >= 0)
		close(live.signals);
	if (error != 0 && error != -ENOENT)
		fprintf(stderr, "vmbusctl: --monitor: %s\n", strerror(-error));
	return error;
}
