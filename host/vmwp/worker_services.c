// SPDX-License-Identifier: Apache-2.0
/* The worker's integration services: see worker_services.h. */
#include "host/vmwp/worker_services.h"

#include "host/vmwp/worker.h"

#include <stdio.h>

#define NS_PER_MS 1000000ull

/* ---- the loop under a provider ------------------------------------------------------------- */

static uint64_t slot_now(void *ctx)
{
	(void)ctx;
	return loop_now_ns();
}

static void slot_timer_set(void *ctx, uint64_t deadline_ns)
{
	struct worker_service_slot *slot = ctx;
	if (deadline_ns == IC_PROVIDER_NEVER)
		loop_timer_cancel(slot->worker->loop, &slot->timer);
	else
		loop_timer_set(slot->worker->loop, &slot->timer, deadline_ns);
}

static void on_slot_timer(void *ctx, uint64_t now_ns)
{
	const struct worker_service_slot *slot = ctx;
	ic_provider_on_time(slot->provider, now_ns);
}

/* ---- heartbeat ----------------------------------------------------------------------------- */

static void on_heartbeat_changed(
	void *ctx, enum heartbeat_contact contact, uint32_t application_state)
{
	struct worker *worker = ctx;
	if (!log_limit_take(&worker->services.heartbeat_limit, loop_now_ns()))
		return;
	log_line(contact == HEARTBEAT_LOST_CONTACT ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		"heartbeat: %s, application %s", heartbeat_contact_name(contact),
		heartbeat_application_name(application_state));
}

static int heartbeat_add(struct worker *worker, const struct ic_provider_loop *loop)
{
	const struct heartbeat_provider_config config = {
		.heartbeat.period_ns = worker->options->heartbeat_period_ms * NS_PER_MS,
		.loop = *loop,
		.changed = on_heartbeat_changed,
		.ctx = worker,
	};
	return heartbeat_provider_add(&worker->services.heartbeat, worker->bus, &config);
}

static void heartbeat_describe(const struct worker_services *services, char *text, size_t size)
{
	const struct heartbeat_vsp *vsp = &services->heartbeat.vsp;
	snprintf(text, size, "%s, application %s", heartbeat_contact_name(vsp->contact),
		heartbeat_application_name(vsp->application_state));
}

/* ---- shutdown ------------------------------------------------------------------------------ */

static int shutdown_add(struct worker *worker, const struct ic_provider_loop *loop)
{
	const struct shutdown_provider_config config = {
		.loop = *loop,
		.done = worker_power_done,
		.ctx = worker,
	};
	return shutdown_provider_add(&worker->services.shutdown, worker->bus, &config);
}

static void shutdown_describe(const struct worker_services *services, char *text, size_t size)
{
	const struct shutdown_vsp *vsp = &services->shutdown.vsp;
	snprintf(text, size, "%s, accepted %llu, refused %llu, unanswered %llu",
		vsp->is_asked ? shutdown_action_name(vsp->action) : "nothing asked",
		(unsigned long long)vsp->accepted, (unsigned long long)vsp->refused,
		(unsigned long long)vsp->unanswered);
}

/* ---- time ---------------------------------------------------------------------------------- */

static int timesync_add(struct worker *worker, const struct ic_provider_loop *loop)
{
	const struct timesync_provider_config config = {
		.timesync.period_ns = worker->options->time_period_ms * NS_PER_MS,
		.loop = *loop,
		.read = worker_time_read,
		.done = worker_time_done,
		.ctx = worker,
	};
	return timesync_provider_add(&worker->services.timesync, worker->bus, &config);
}

static void timesync_describe(const struct worker_services *services, char *text, size_t size)
{
	const struct timesync_vsp *vsp = &services->timesync.vsp;
	snprintf(text, size, "syncs %llu, samples %llu, refused %llu",
		(unsigned long long)vsp->syncs, (unsigned long long)vsp->samples,
		(unsigned long long)vsp->refused);
}

/* ---- backup -------------------------------------------------------------------------------- */

static int backup_add(struct worker *worker, const struct ic_provider_loop *loop)
{
	const struct vss_provider_config config = {
		.loop = *loop,
		.frozen = worker_backup_frozen,
		.ended = worker_backup_ended,
		.ctx = worker,
	};
	return vss_provider_add(&worker->services.backup.vss, worker->bus, &config);
}

static void backup_describe(const struct worker_services *services, char *text, size_t size)
{
	const struct vss_vsp *vsp = &services->backup.vss.vsp;
	snprintf(text, size, "%s, backups %llu, failures %llu%s", vss_state_name(vsp->state),
		(unsigned long long)vsp->backups, (unsigned long long)vsp->failures,
		vsp->is_owed ? ", owes a thaw" : "");
}

/* ---- file copy ----------------------------------------------------------------------------- */

static int fcopy_add(struct worker *worker, const struct ic_provider_loop *loop)
{
	const struct fcopy_provider_config config = {
		.loop = *loop,
		.read = worker_copy_read,
		.done = worker_copy_done,
		.ctx = worker,
	};
	worker_copy_init(&worker->services.copy);
	return fcopy_provider_add(&worker->services.fcopy, worker->bus, &config);
}

/* ---- key-value pairs ----------------------------------------------------------------------- */

static void kvp_describe(const struct worker_services *services, char *text, size_t size)
{
	worker_kvp_describe(&services->kvp, text, size);
}

/* ---- the table ----------------------------------------------------------------------------- */

struct service {
	int (*add)(struct worker *worker, const struct ic_provider_loop *loop);
	size_t provider_at; /* its struct ic_provider, in struct worker_services */
	/* What there is to say of it, in a few words. */
	void (*describe)(const struct worker_services *services, char *text, size_t size);
};

static const struct service table[OPTIONS_SERVICE_COUNT] = {
	[OPTIONS_SERVICE_HEARTBEAT] = {heartbeat_add,
		offsetof(struct worker_services, heartbeat.provider), heartbeat_describe},
	[OPTIONS_SERVICE_SHUTDOWN] = {shutdown_add,
		offsetof(struct worker_services, shutdown.provider), shutdown_describe},
	[OPTIONS_SERVICE_TIME] = {timesync_add, offsetof(struct worker_services, timesync.provider),
		timesync_describe},
	[OPTIONS_SERVICE_COPY] = {fcopy_add, offsetof(struct worker_services, fcopy.provider),
		worker_copy_describe},
	[OPTIONS_SERVICE_BACKUP] = {backup_add,
		offsetof(struct worker_services, backup.vss.provider), backup_describe},
	[OPTIONS_SERVICE_KVP] = {worker_kvp_add, offsetof(struct worker_services, kvp.kvp.provider),
		kvp_describe},
};

int worker_services_start(struct worker *worker)
{
	struct worker_services *services = &worker->services;
	int result = 0;
	for (unsigned i = 0; i < OPTIONS_SERVICE_COUNT && result == 0; i++) {
		struct worker_service_slot *slot = &services->slots[i];
		if ((worker->options->services & 1u << i) == 0)
			continue;
		slot->worker = worker;
		slot->provider =
			(struct ic_provider *)(void *)((uint8_t *)services + table[i].provider_at);
		slot->timer = (struct loop_timer){.fn = on_slot_timer, .ctx = slot};
		const struct ic_provider_loop loop = {
			.now_ns = slot_now, .timer_set = slot_timer_set, .ctx = slot};
		result = table[i].add(worker, &loop);
		slot->is_offered = result == 0;
	}
	return result;
}

void worker_services_stop(struct worker *worker)
{
	for (unsigned i = 0; i < OPTIONS_SERVICE_COUNT; i++) {
		struct worker_service_slot *slot = &worker->services.slots[i];
		if (slot->is_offered)
			ic_provider_remove(slot->provider);
		slot->is_offered = false;
	}
}

/* ---- reports ------------------------------------------------------------------------------- */

json_t *worker_heartbeat_json(const struct worker *worker)
{
	if (!worker->services.slots[OPTIONS_SERVICE_HEARTBEAT].is_offered)
		return json_pack("{s:b}", "offered", 0);
	const struct heartbeat_vsp *vsp = &worker->services.heartbeat.vsp;
	return json_pack("{s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "offered", 1, "contact",
		heartbeat_contact_name(vsp->contact), "application",
		heartbeat_application_name(vsp->application_state), "sequence",
		(json_int_t)vsp->sequence, "answers", (json_int_t)vsp->answers, "missed",
		(json_int_t)vsp->missed_total, "lost_contacts", (json_int_t)vsp->lost_contacts,
		"recoveries", (json_int_t)vsp->recoveries);
}

static json_t *version_json(const struct ic_host *ic, struct ic_version_wire version)
{
	char text[16];
	if (ic->state != IC_HOST_READY)
		return json_null();
	snprintf(text, sizeof text, "%u.%u", version.major, version.minor);
	return json_string(text);
}

static json_t *service_json(const struct worker_services *services, unsigned i)
{
	char about[128];
	const struct worker_service_slot *slot = &services->slots[i];
	if (!slot->is_offered)
		return json_pack("{s:s, s:b}", "service", options_service_names[i], "offered", 0);
	const struct ic_provider *provider = slot->provider;
	const struct ic_host *ic = provider->ic;
	table[i].describe(services, about, sizeof about);
	json_t *contact = json_null();
	if (provider->has_contact)
		contact = json_real((double)(loop_now_ns() - provider->contact_ns) / 1e9);
	return json_pack("{s:s, s:b, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:s}", "service",
		options_service_names[i], "offered", 1, "state", ic_host_state_name(ic->state),
		"framework", version_json(ic, ic->agreement.framework), "version",
		version_json(ic, ic->agreement.message), "last_contact_seconds", contact,
		"requests", (json_int_t)ic->requests, "answers", (json_int_t)ic->responses,
		"rejected", (json_int_t)ic_host_rejections(ic), "about", about);
}

json_t *worker_services_json(const struct worker *worker)
{
	json_t *rows = json_array();
	for (unsigned i = 0; i < OPTIONS_SERVICE_COUNT; i++)
		json_array_append_new(rows, service_json(&worker->services, i));
	return rows;
}
