// SPDX-License-Identifier: Apache-2.0
/*
 * Which way a daemon reaches the host, and what to do when the way is gone. See daemon.h.
 *
 *	none --open--> open --begin--> serving --lose--> none, tried again with back-off
 *
 * Of the ways that the options allow the first that is there is taken: the kernel's device, the
 * channel through UIO, a loopback partition (only if named). Why the others were not is kept for
 * the status file.
 */
#include "guest/ic_daemons/daemon_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct daemon_transport_ops *const ways[] = {
	&daemon_device_ops, &daemon_uio_ops, &daemon_loopback_ops};

const char *daemon_transport_name(enum daemon_transport kind)
{
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		if (ways[i]->kind == kind)
			return ways[i]->name;
	return "none";
}

enum daemon_transport daemon_transport_now(const struct daemon *daemon)
{
	return daemon->is_begun && daemon->transport != NULL ? daemon->transport->kind
							     : DAEMON_TRANSPORT_NONE;
}

/* May this way be tried? A partition that is named is what is meant. */
static bool is_allowed(const struct daemon *daemon, enum daemon_transport kind)
{
	if (daemon->options.forced != DAEMON_TRANSPORT_NONE)
		return kind == daemon->options.forced;
	return (kind == DAEMON_TRANSPORT_LOOPBACK) == (daemon->options.loopback != NULL);
}

int daemon_transport_open(struct daemon *daemon)
{
	int result = -ENODEV;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		char *why = daemon->why[ways[i]->kind];
		if (!is_allowed(daemon, ways[i]->kind)) {
			snprintf(why, DAEMON_WHY_BYTES, "not asked for");
			continue;
		}
		const int error = ways[i]->open(daemon, why, DAEMON_WHY_BYTES);
		if (error != 0) {
			/* One that is there but not to be had says more than one that is not. */
			if (result == -ENODEV)
				result = error;
			continue;
		}
		daemon->transport = ways[i];
		snprintf(why, DAEMON_WHY_BYTES, "chosen");
		while (++i < sizeof ways / sizeof ways[0])
			snprintf(daemon->why[ways[i]->kind], DAEMON_WHY_BYTES, "%s",
				is_allowed(daemon, ways[i]->kind) ? "not needed" : "not asked for");
		return 0;
	}
	return result;
}

static void transport_tell(struct daemon *daemon)
{
	if (daemon->component->on_transport != NULL)
		daemon->component->on_transport(
			daemon->component->ctx, daemon_transport_now(daemon));
	daemon_notify_status(daemon);
	daemon_status_touch(daemon);
}

static void on_retry(void *ctx)
{
	struct daemon *daemon = ctx;
	const int error = daemon_transport_open(daemon);
	if (error == 0) {
		daemon_transport_begin(daemon);
		return;
	}
	if (error == -EACCES || error == -EPERM) {
		daemon_log(LOG_WARNING, "the device is back, and needs the privileges that were "
					"given up: start again");
		daemon_quit(daemon, 1);
		return;
	}
	daemon_transport_lose(daemon, NULL);
}

static void retry_later(struct daemon *daemon)
{
	daemon->retry_ms = daemon->retry_ms == 0 ? DAEMON_RETRY_FIRST_MS : daemon->retry_ms * 2;
	if (daemon->retry_ms > DAEMON_RETRY_MOST_MS)
		daemon->retry_ms = DAEMON_RETRY_MOST_MS;
	daemon_timer_set(daemon, &daemon->retry, daemon->retry_ms, on_retry, daemon);
}

void daemon_transport_begin(struct daemon *daemon)
{
	char *why;
	if (daemon->transport == NULL) {
		retry_later(daemon);
		return;
	}
	why = daemon->why[daemon->transport->kind];
	if (daemon->transport->begin(daemon, why, DAEMON_WHY_BYTES) != 0) {
		daemon_log(LOG_WARNING, "%s", why);
		daemon->transport->close(daemon);
		daemon->transport = NULL;
		retry_later(daemon);
		return;
	}
	daemon->is_begun = true;
	daemon->is_transport_gone = false;
	daemon->retry_ms = 0;
	daemon->connections++;
	daemon_log(LOG_INFO, "serving the host by %s", daemon->transport->name);
	transport_tell(daemon);
}

void daemon_transport_close(struct daemon *daemon)
{
	const bool was_begun = daemon->is_begun;
	daemon_timer_clear(daemon, &daemon->retry);
	daemon->is_transport_gone = false;
	if (daemon->transport == NULL)
		return;
	daemon->is_begun = false;
	daemon->transport->close(daemon);
	daemon->transport = NULL;
	if (was_begun)
		transport_tell(daemon);
}

void daemon_transport_lose(struct daemon *daemon, const char *why)
{
	if (daemon->transport != NULL && why != NULL) {
		snprintf(daemon->why[daemon->transport->kind], DAEMON_WHY_BYTES, "%s", why);
		daemon_log(LOG_NOTICE, "lost the %s: %s", daemon->transport->name, why);
	}
	daemon->is_transport_gone = true;
}

void daemon_transport_tend(struct daemon *daemon)
{
	if (!daemon->is_transport_gone)
		return;
	daemon_transport_close(daemon);
	/* A partition that ends does not come back; a device may. */
	if (daemon->options.loopback != NULL && !daemon->options.waits)
		daemon_quit(daemon, 0);
	else
		retry_later(daemon);
}
