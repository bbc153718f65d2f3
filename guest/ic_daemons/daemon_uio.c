// SPDX-License-Identifier: Apache-2.0
/*
 * Transport: the component's own VMBus channel, through /dev/uioN. See daemon.h.
 *
 *	uio_channel_linux <-> ic_link <-> the component's ic_guest
 */
#include "guest/ic_daemons/daemon_internal.h"

#include "guest/ic_daemons/ic_link.h"
#include "guest/vmbus/uio_channel_linux.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define DRAINS_MAX 4u /* batches in one go */

struct daemon_uio {
	struct daemon *daemon;
	struct uio_channel channel;
	struct uio_channel_place place;
	struct daemon_watch watch;
	struct daemon_timer again; /* more was there than a turn is good for */
	struct ic_link link;
};

static void flush(void *ctx)
{
	struct daemon_uio *uio = ctx;
	uio_channel_flush(&uio->channel);
}

static void drain(void *ctx);

static void check(struct daemon_uio *uio)
{
	if (uio->link.is_gone)
		daemon_transport_lose(uio->daemon, uio->link.reason);
	else if (uio->channel.is_gone)
		daemon_transport_lose(uio->daemon, "the device was taken away");
}

static void drain(void *ctx)
{
	struct daemon_uio *uio = ctx;
	for (unsigned i = 0; i < DRAINS_MAX; i++) {
		const bool has_more = ic_link_serve(&uio->link);
		if (uio->link.is_gone || uio->channel.is_gone)
			break;
		if (!has_more && !uio_channel_arm(&uio->channel))
			return;
	}
	check(uio);
	if (!uio->link.is_gone && !uio->channel.is_gone)
		daemon_timer_set(uio->daemon, &uio->again, 0, drain, uio);
}

static void on_ready(void *ctx, uint32_t events)
{
	struct daemon_uio *uio = ctx;
	(void)events;
	uio_channel_collect(&uio->channel);
	if (uio->channel.is_gone)
		check(uio);
	else
		drain(uio);
}

/* Find the device and its uio. 0, or why not. */
static int find(struct daemon *daemon, struct uio_channel_place *place, char *why, size_t why_bytes)
{
	const struct daemon_component *component = daemon->component;
	const int error = uio_channel_find(
		daemon->options.sysfs_root, component->interface_id, place);
	if (error == -ENOSYS)
		snprintf(why, why_bytes, "this machine is no guest of Hyper-V: it has no VMBus");
	else if (error == -ENOENT)
		snprintf(why, why_bytes, "the host does not offer %s", component->stem);
	else if (error != 0)
		snprintf(why, why_bytes, "%s: %s", daemon->options.sysfs_root, strerror(-error));
	else if (place->uio[0] != '\0')
		return 0;
	else if (place->driver[0] != '\0')
		snprintf(why, why_bytes, "the kernel's driver %.32s has the device", place->driver);
	else
		snprintf(why, why_bytes,
			"no driver has the device: \"vmbusctl bind %s uio_hv_generic\" makes it "
			"usable",
			component->stem);
	return error == 0 || error == -ENOSYS || error == -ENOENT ? -ENODEV : error;
}

static int open_uio(struct daemon *daemon, char *why, size_t why_bytes)
{
	struct uio_channel_config config = {
		.sysfs_root = daemon->options.sysfs_root,
		.dev_root = daemon->options.dev_root,
		.event_fd = -1,
		.monitor_fd = -1,
	};
	struct uio_channel_place place;
	int error = find(daemon, &place, why, why_bytes);
	if (error != 0)
		return error;
	struct daemon_uio *uio = calloc(1, sizeof *uio);
	if (uio == NULL) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	uio->daemon = daemon;
	uio->place = place;
	error = uio_channel_open(&uio->channel, &config, &place);
	if (error != 0) {
		snprintf(why, why_bytes, "%s/%s: cannot open the channel: %s", config.dev_root,
			place.uio, strerror(-error));
		free(uio);
		return error;
	}
	daemon->uio = uio;
	return 0;
}

static int begin_uio(struct daemon *daemon, char *why, size_t why_bytes)
{
	struct daemon_uio *uio = daemon->uio;
	ic_link_open(
		&uio->link, daemon->component->ic, &uio->channel.in, &uio->channel.out, flush, uio);
	const int error = daemon_watch_add(
		daemon, &uio->watch, uio->channel.fd, EPOLLIN, on_ready, uio);
	if (error != 0)
		snprintf(why, why_bytes, "/dev/%s: %s", uio->place.uio, strerror(-error));
	else
		daemon_timer_set(daemon, &uio->again, 0, drain, uio);
	return error;
}

static void close_uio(struct daemon *daemon)
{
	struct daemon_uio *uio = daemon->uio;
	daemon->uio = NULL;
	daemon_timer_clear(daemon, &uio->again);
	daemon_watch_remove(daemon, &uio->watch);
	ic_link_close(&uio->link);
	uio_channel_close(&uio->channel);
	free(uio);
}

const struct daemon_transport_ops daemon_uio_ops = {
	.kind = DAEMON_TRANSPORT_UIO,
	.name = "uio",
	.open = open_uio,
	.begin = begin_uio,
	.close = close_uio,
};
