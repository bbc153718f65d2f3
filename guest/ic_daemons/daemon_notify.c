// SPDX-License-Identifier: Apache-2.0
/*
 * Telling systemd that a daemon is ready, alive, and what it does. See daemon_internal.h. Under
 * another supervisor, or built without libsystemd, nothing.
 */
#include "guest/ic_daemons/daemon_internal.h"

#include <stdio.h>

#ifdef VIRIDIAN_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

static void status_text(const struct daemon *daemon, char text[DAEMON_WHY_BYTES])
{
	if (daemon->is_begun)
		snprintf(text, DAEMON_WHY_BYTES, "serving the host by %s", daemon->transport->name);
	else
		snprintf(text, DAEMON_WHY_BYTES, "waiting for the device");
}

void daemon_notify_ready(struct daemon *daemon)
{
	char text[DAEMON_WHY_BYTES];
	status_text(daemon, text);
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", text);
}

void daemon_notify_nothing(const char *why)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=nothing to serve: %s", why);
}

void daemon_notify_status(struct daemon *daemon)
{
	char text[DAEMON_WHY_BYTES];
	if (daemon->is_quiet)
		return;
	status_text(daemon, text);
	(void)sd_notifyf(0, "STATUS=%s", text);
}

void daemon_notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

static void on_watchdog(void *ctx)
{
	struct daemon *daemon = ctx;
	(void)sd_notify(0, "WATCHDOG=1");
	daemon_timer_set(daemon, &daemon->watchdog, daemon->watchdog_ms, on_watchdog, daemon);
}

void daemon_notify_watchdog_start(struct daemon *daemon)
{
	uint64_t us = 0;
	if (sd_watchdog_enabled(0, &us) <= 0)
		return;
	daemon->watchdog_ms = us / 3000 > 0 ? us / 3000 : 1;
	on_watchdog(daemon);
}

#else

void daemon_notify_ready(struct daemon *daemon)
{
	(void)daemon;
}

void daemon_notify_nothing(const char *why)
{
	(void)why;
}

void daemon_notify_status(struct daemon *daemon)
{
	(void)daemon;
}

void daemon_notify_stopping(void)
{
}

void daemon_notify_watchdog_start(struct daemon *daemon)
{
	(void)daemon;
}

#endif
