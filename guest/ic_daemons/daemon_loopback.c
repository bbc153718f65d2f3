// SPDX-License-Identifier: Apache-2.0
/*
 * Transport: a loopback partition, whose guest the daemon is, alone: the partition has one. See
 * daemon.h and protocol/loopback.h.
 *
 *	platform_loopback_linux <-> winhv <-> vmbus <-> ic_channel <-> the component's ic_guest
 */
#include "guest/ic_daemons/daemon_internal.h"

#include "guest/ic_daemons/ic_channel.h"
#include "guest/winhv/platform_loopback_linux.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define GUEST_OS_ID  0x8100000000010000ull /* an open-source guest, none in particular */
#define SECOND_100NS 10000000ull
#define OPEN_100NS   (10 * SECOND_100NS)
#define CLOSE_100NS  (2 * SECOND_100NS)
#define JOIN_NS	     1000000000ull /* for a host that is just starting to listen */
#define POLLS_MAX    64u	   /* before descriptors get their turn */

struct daemon_loopback {
	struct daemon *daemon;
	struct platform_loopback *platform;
	struct winhv hv;
	struct vmbus *bus; /* owned */
	bool is_bus_up;
	struct ic_channel channel;
	struct daemon_watch host_watch;
	struct daemon_watch interrupt_watch;
};

static uint64_t soon(const struct daemon_loopback *loopback, uint64_t after_100ns)
{
	return winhv_time_100ns(&loopback->hv) + after_100ns;
}

uint64_t daemon_reference_100ns(const struct daemon *daemon)
{
	return daemon->loopback != NULL ? winhv_time_100ns(&daemon->loopback->hv) : 0;
}

/* ---- life ---------------------------------------------------------------- */

static void loopback_end(struct daemon_loopback *loopback)
{
	if (loopback->is_bus_up) {
		(void)ic_channel_close(&loopback->channel, soon(loopback, CLOSE_100NS));
		(void)vmbus_unload(loopback->bus, soon(loopback, CLOSE_100NS));
	}
	free(loopback->bus);
	if (loopback->platform != NULL) {
		winhv_shutdown(&loopback->hv);
		platform_loopback_destroy(loopback->platform);
	}
	free(loopback);
}

static int bus_connect(struct daemon_loopback *loopback)
{
	const struct vmbus_config config = {.ctx = loopback};
	loopback->bus = calloc(1, vmbus_bytes());
	if (loopback->bus == NULL)
		return -ENOMEM;
	int error = winhv_hypercall_enable(&loopback->hv, GUEST_OS_ID);
	if (error == 0)
		error = vmbus_init(loopback->bus, &loopback->hv, &config);
	if (error == 0)
		error = vmbus_connect(loopback->bus, soon(loopback, OPEN_100NS));
	loopback->is_bus_up = error == 0;
	return error;
}

static const char *advice(int error)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "start the host first: vmwp run --guest and this path";
	case -EACCES:
		return "only the host's user may join";
	default:
		return "is it what vmwp run --guest made?";
	}
}

static int join(struct daemon_loopback *loopback, const char *path, char *why, size_t why_bytes)
{
	int error = platform_loopback_connect(path, JOIN_NS, &loopback->platform);
	if (error == 0)
		error = winhv_init(&loopback->hv, &platform_loopback_ops, loopback->platform,
			platform_loopback_vp_count(loopback->platform));
	else
		loopback->platform = NULL;
	if (error == -EBUSY)
		snprintf(why, why_bytes, "%s: the partition has a guest already", path);
	else if (error != 0)
		snprintf(why, why_bytes, "%s: cannot join the partition: %s (%s)", path,
			strerror(-error), advice(error));
	if (error != 0)
		return error; /* it was named, so its absence is a failure */
	error = bus_connect(loopback);
	if (error != 0)
		snprintf(
			why, why_bytes, "%s: cannot connect the VMBus: %s", path, strerror(-error));
	return error;
}

static int open_loopback(struct daemon *daemon, char *why, size_t why_bytes)
{
	const struct daemon_component *component = daemon->component;
	const char *path = daemon->options.loopback;
	if (path == NULL) {
		snprintf(why, why_bytes, "no --loopback SOCKET");
		return -ENODEV;
	}
	struct daemon_loopback *loopback = calloc(1, sizeof *loopback);
	if (loopback == NULL) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	loopback->daemon = daemon;
	int error = join(loopback, path, why, why_bytes);
	if (error == 0 && vmbus_offer_find(loopback->bus, component->interface_id, 0) == NULL) {
		snprintf(why, why_bytes, "%s: the host does not offer %s", path, component->stem);
		error = -ENODEV;
	}
	if (error != 0) {
		loopback_end(loopback);
		return error;
	}
	daemon->loopback = loopback;
	return 0;
}

/* Waking up is all that is wanted: prepare looks at everything. */
static void on_wake(void *ctx, uint32_t events)
{
	(void)ctx;
	(void)events;
}

static int begin_loopback(struct daemon *daemon, char *why, size_t why_bytes)
{
	struct daemon_loopback *loopback = daemon->loopback;
	struct platform_loopback *platform = loopback->platform;
	int error = ic_channel_open(&loopback->channel, loopback->bus, daemon->component->ic,
		daemon->component->interface_id, soon(loopback, OPEN_100NS));
	if (error == 0)
		error = daemon_watch_add(daemon, &loopback->host_watch,
			platform_loopback_host_fd(platform), EPOLLIN, on_wake, NULL);
	if (error == 0)
		error = daemon_watch_add(daemon, &loopback->interrupt_watch,
			platform_loopback_interrupt_fd(platform, 0), EPOLLIN, on_wake, NULL);
	if (error != 0)
		snprintf(why, why_bytes, "%s: cannot open the channel: %s",
			daemon->options.loopback, strerror(-error));
	return error;
}

static void close_loopback(struct daemon *daemon)
{
	struct daemon_loopback *loopback = daemon->loopback;
	daemon->loopback = NULL;
	daemon_watch_remove(daemon, &loopback->host_watch);
	daemon_watch_remove(daemon, &loopback->interrupt_watch);
	loopback_end(loopback);
}

/* ---- work ---------------------------------------------------------------- */

/* Milliseconds until the bus wants to be looked at. */
static int wake_ms(const struct daemon_loopback *loopback)
{
	const uint64_t at = vmbus_wake_time(loopback->bus);
	const uint64_t now = winhv_time_100ns(&loopback->hv);
	if (at == UINT64_MAX)
		return -1;
	if (at <= now)
		return 0;
	const uint64_t left = (at - now + 9999) / 10000;
	return left > 60000 ? 60000 : (int)left;
}

static int prepare_loopback(struct daemon *daemon)
{
	struct daemon_loopback *loopback = daemon->loopback;
	for (unsigned i = 0; i < POLLS_MAX; i++) {
		const int done = vmbus_poll(loopback->bus, 0);
		if (done < 0) {
			daemon_transport_lose(daemon, "the host went away");
			return 0;
		}
		if (loopback->channel.link.is_gone) {
			daemon_transport_lose(daemon, loopback->channel.link.reason);
			return 0;
		}
		if (done == 0 && vmbus_arm(loopback->bus))
			return wake_ms(loopback);
	}
	return 0;
}

const struct daemon_transport_ops daemon_loopback_ops = {
	.kind = DAEMON_TRANSPORT_LOOPBACK,
	.name = "loopback",
	.open = open_loopback,
	.begin = begin_loopback,
	.close = close_loopback,
	.prepare = prepare_loopback,
};
