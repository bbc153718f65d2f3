// SPDX-License-Identifier: Apache-2.0
/*
 * vsc-disk's integration services. See vsc_disk_services.h.
 */
#include "guest/vsc/vsc_disk_services.h"

#include "guest/vsc/vsc_disk_log.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define REASON_SHOWN_BYTES 200

static uint64_t on_reference(void *ctx)
{
	const struct disk_services *services = ctx;
	return winhv_time_100ns(services->hv);
}

static void on_sample(void *ctx, const struct timesync_sample *sample)
{
	struct disk_services *services = ctx;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	services->clock_offset_100ns = (int64_t)sample->utc_100ns -
				       (int64_t)(TIMESYNC_UNIX_EPOCH_100NS +
						 (uint64_t)now.tv_sec * 10000000 +
						 (uint64_t)now.tv_nsec / 100);
}

static const struct timesync_ic_ops timesync_ops = {
	.reference_100ns = on_reference,
	.sample = on_sample,
};

static struct ic_guest *service_ic(struct disk_services *services, unsigned i)
{
	struct ic_guest *const all[DISK_SERVICES] = {
		&services->heartbeat.ic, &services->shutdown.ic, &services->timesync.ic};
	return all[i];
}

void disk_services_open(struct disk_services *services, struct vmbus *bus, const struct winhv *hv,
	uint64_t each_100ns)
{
	const struct guid *const interfaces[DISK_SERVICES] = {
		&guid_heartbeat, &guid_shutdown, &guid_timesync};
	services->hv = hv;
	heartbeat_ic_init(&services->heartbeat);
	shutdown_ic_init(&services->shutdown, SHUTDOWN_IC_CAN(SHUTDOWN_POWER_OFF));
	timesync_ic_init(&services->timesync, &timesync_ops, services);
	for (unsigned i = 0; i < DISK_SERVICES; i++) {
		struct ic_guest *ic = service_ic(services, i);
		const int error = ic_channel_open(&services->channels[i], bus, ic, interfaces[i],
			winhv_time_100ns(hv) + each_100ns);
		services->is_open[i] = error == 0;
		if (error != 0 && error != -ENOENT)
			disk_log("%s: cannot open its channel: %s", ic->service->name,
				strerror(-error));
	}
}

static void channel_close(struct disk_services *services, unsigned i, uint64_t each_100ns)
{
	services->is_open[i] = false;
	(void)ic_channel_close(&services->channels[i], winhv_time_100ns(services->hv) + each_100ns);
}

void disk_services_serve(struct disk_services *services, uint64_t each_100ns)
{
	for (unsigned i = 0; i < DISK_SERVICES; i++)
		if (services->is_open[i] && services->channels[i].link.is_gone)
			channel_close(services, i, each_100ns);
}

void disk_services_close(struct disk_services *services, uint64_t each_100ns)
{
	for (unsigned i = 0; i < DISK_SERVICES; i++)
		if (services->is_open[i])
			channel_close(services, i, each_100ns);
}

/* The host's words, as far as they are printable. */
static void reason_copy(const char *from, char text[REASON_SHOWN_BYTES])
{
	size_t i = 0;
	for (; i < REASON_SHOWN_BYTES - 1 && from[i] != '\0'; i++)
		text[i] = from[i] >= 0x20 && from[i] < 0x7F ? from[i] : '?';
	text[i] = '\0';
}

bool disk_services_want_end(struct disk_services *services)
{
	struct shutdown_order order;
	char reason[REASON_SHOWN_BYTES];
	if (!services->shutdown.has_order || !shutdown_ic_take(&services->shutdown, &order))
		return false;
	reason_copy(order.text, reason);
	disk_log("the host asks for power off%s%s", reason[0] != '\0' ? ": " : "", reason);
	return true;
}
