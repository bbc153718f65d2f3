// SPDX-License-Identifier: Apache-2.0
/*
 * Life of a partition: creation, reset, ports, observers, statistics. See
 * partition.h.
 */
#include "host/hypervisor/partition_internal.h"
#include "host/hypervisor/timers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OVERLAYS_OF_PARTITION 2u
#define OVERLAYS_OF_VP	      3u

/* MOV EAX, 2 (HV_STATUS_INVALID_HYPERCALL_CODE); XOR EDX, EDX; RET */
static const uint8_t no_hypercall_code[] = {0xb8, 0x02, 0x00, 0x00, 0x00, 0x31, 0xd2, 0xc3};
#define INT3 0xcc

static uint64_t monotonic_ns(void *ctx)
{
	struct timespec now;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- creation and reset -------------------------------------------------------------------- */

/* Give the overlay a page; returns the next. */
static uint8_t *overlay_init(struct partition *partition, struct overlay *overlay, uint8_t *page)
{
	*overlay = (struct overlay){.all = &partition->overlays, .page = page};
	return page + GUEST_PAGE_BYTES;
}

static void overlays_init(struct partition *partition)
{
	uint8_t *page = partition->overlay_pages;

	page = overlay_init(partition, &partition->hypercall_page, page);
	page = overlay_init(partition, &partition->reference_tsc_page, page);
	for (uint32_t vp = 0; vp < partition->vp_count; vp++) {
		page = overlay_init(partition, &partition->vps[vp].synic.messages, page);
		page = overlay_init(partition, &partition->vps[vp].synic.events, page);
		page = overlay_init(partition, &partition->vps[vp].assist_page, page);
	}
}

static void overlay_off(struct partition *partition, struct overlay *overlay)
{
	overlay_set(overlay, &partition->memory, false, 0);
	memset(overlay->page, 0, GUEST_PAGE_BYTES);
}

/* Registers as after power-on. */
static void registers_reset(struct partition *partition)
{
	partition->guest_os_id = 0;
	partition->hypercall = 0;
	partition->reference_tsc = 0;
	memset(partition->crash, 0, sizeof partition->crash);
	for (uint32_t vp = 0; vp < partition->vp_count; vp++) {
		overlay_off(partition, &partition->vps[vp].assist_page);
		partition->vps[vp].assist = 0;
		overlay_off(partition, &partition->vps[vp].synic.events);
		overlay_off(partition, &partition->vps[vp].synic.messages);
		synic_reset(&partition->vps[vp].synic);
		for (uint32_t sint = 0; sint < HV_SINT_COUNT; sint++)
			synic_sint_tell(partition, vp, sint);
	}
	timers_reset(partition);
	overlay_off(partition, &partition->reference_tsc_page);
	overlay_off(partition, &partition->hypercall_page);
}

static struct enlightenments asked(const struct partition_config *config)
{
	struct enlightenments all;
	const char *unknown;
	size_t unknown_bytes;

	if (config->enlightenments)
		return *config->enlightenments;
	(void)enlightenments_parse("all", &all, &unknown, &unknown_bytes);
	return all;
}

int partition_create(const struct partition_config *config, struct partition **out)
{
	if (config->memory_bytes < LIMIT_MEMORY_BYTES_MIN ||
		config->memory_bytes > LIMIT_MEMORY_BYTES_MAX || config->vp_count == 0 ||
		config->vp_count > LIMIT_VPS)
		return -EINVAL;

	struct partition *partition = calloc(
		1, sizeof *partition + config->vp_count * sizeof partition->vps[0]);
	if (!partition)
		return -ENOMEM;
	const size_t overlays = OVERLAYS_OF_PARTITION + OVERLAYS_OF_VP * config->vp_count;
	partition->overlay_pages = calloc(overlays, GUEST_PAGE_BYTES);
	int error = partition->overlay_pages ? 0 : -ENOMEM;
	if (!error)
		error = guest_memory_init(
			&partition->memory, config->memory_bytes, config->memory_low_bytes);
	if (error) {
		free(partition->overlay_pages);
		free(partition);
		return error;
	}

	partition->config = *config;
	pthread_mutex_init(&partition->lock, NULL);
	partition->loop_thread = pthread_self();
	if (!partition->config.clock_ns)
		partition->config.clock_ns = monotonic_ns;
	reference_time_use_clock(
		&partition->time, partition->config.clock_ns(partition->config.clock_ctx), 0);
	partition->vp_count = config->vp_count;
	overlays_init(partition);
	for (uint32_t vp = 0; vp < partition->vp_count; vp++)
		synic_reset(&partition->vps[vp].synic);
	partition->timers_due = STIMER_NEVER;
	timers_reset(partition);
	partition->asked = asked(config);
	partition->config.enlightenments = &partition->asked;
	partition_promises_update(partition);
	*out = partition;
	return 0;
}

void partition_destroy(struct partition *partition)
{
	if (!partition)
		return;
	partition->config.timer_set = NULL;
	partition->backend = NULL;
	registers_reset(partition);
	port_table_destroy(&partition->message_ports);
	port_table_destroy(&partition->event_ports);
	guest_memory_destroy(&partition->memory);
	free(partition->overlay_pages);
	pthread_mutex_destroy(&partition->lock);
	free(partition);
}

/* Tell the backend of every event port that there is. */
static void event_ports_tell(const struct partition *partition, bool is_there)
{
	const struct port_table *table = &partition->event_ports;

	if (!partition->backend || !partition->backend->event_port_changed)
		return;
	for (uint32_t i = 0; i < table->capacity; i++)
		if (table->slots[i].key != 0)
			partition->backend->event_port_changed(
				partition->backend_ctx, table->slots[i].key - 1, is_there);
}

/* Count reference time by the TSC, if the backend can read it; it goes on from `now`. */
static void time_source_choose(struct partition *partition, uint64_t now)
{
	const struct partition_config *config = &partition->config;
	const struct partition_backend_ops *backend = partition->backend;

	if (!backend || !backend->tsc_read ||
		!reference_time_use_tsc(&partition->time, config->tsc_hz,
			backend->tsc_read(partition->backend_ctx), now))
		reference_time_use_clock(
			&partition->time, config->clock_ns(config->clock_ctx), now);
	if (partition->reference_tsc_page.is_on)
		reference_time_page_write(&partition->time,
			overlay_contents(&partition->reference_tsc_page, &partition->memory));
}

void partition_backend_set(
	struct partition *partition, const struct partition_backend_ops *ops, void *ctx)
{
	const uint64_t now = partition_time(partition);

	deferral_clear(partition);
	event_ports_tell(partition, false);
	partition->backend = ops;
	partition->backend_ctx = ctx;
	partition->is_threaded = ops && ops->has_vp_threads;
	time_source_choose(partition, now);
	partition_promises_update(partition);
	event_ports_tell(partition, true);
}

void partition_reset(struct partition *partition)
{
	partition_lock(partition);
	registers_reset(partition);
	deferral_clear(partition);
	partition->statistics.resets++;
	partition_unlock(partition);
	for (unsigned i = 0; i < partition->reset_observer_count; i++)
		partition->reset_observers[i].fn(partition->reset_observers[i].ctx);
}

void partition_reset_request(struct partition *partition, uint32_t vp)
{
	const struct partition_backend_ops *backend = partition->backend;

	if (backend && backend->reset_request)
		backend->reset_request(partition->backend_ctx, vp);
	else if (partition->is_threaded)
		deferral_reset(partition);
	else
		partition_reset(partition);
}

int partition_reset_observer_add(struct partition *partition, partition_reset_fn fn, void *ctx)
{
	if (partition->reset_observer_count == LIMIT_RESET_OBSERVERS)
		return -ENOSPC;
	partition->reset_observers[partition->reset_observer_count++] =
		(struct partition_reset_observer){.fn = fn, .ctx = ctx};
	return 0;
}

void partition_reset_observer_remove(struct partition *partition, partition_reset_fn fn, void *ctx)
{
	struct partition_reset_observer *observers = partition->reset_observers;

	for (unsigned i = 0; i < partition->reset_observer_count; i++) {
		if (observers[i].fn != fn || observers[i].ctx != ctx)
			continue;
		partition->reset_observer_count--;
		memmove(&observers[i], &observers[i + 1],
			(partition->reset_observer_count - i) * sizeof observers[0]);
		return;
	}
}

void partition_crash_observer_set(struct partition *partition, partition_crash_fn fn, void *ctx)
{
	partition->crash_fn = fn;
	partition->crash_ctx = ctx;
}

/* ---- what it is made of -------------------------------------------------------------------- */

struct guest_memory *partition_memory(struct partition *partition)
{
	return &partition->memory;
}

uint32_t partition_vp_count(const struct partition *partition)
{
	return partition->vp_count;
}

uint64_t partition_time(const struct partition *partition)
{
	const struct partition_config *config = &partition->config;

	return partition->time.counts_tsc
		       ? reference_time_of_tsc(&partition->time,
				 partition->backend->tsc_read(partition->backend_ctx))
		       : reference_time_of_clock(
				 &partition->time, config->clock_ns(config->clock_ctx));
}

uint64_t partition_time_100ns(struct partition *partition)
{
	partition_lock(partition);
	const uint64_t now = partition_time(partition);
	partition_unlock(partition);
	return now;
}

void partition_statistics_get(const struct partition *partition, struct partition_statistics *out)
{
	partition_lock(partition);
	*out = partition->statistics;
	partition_unlock(partition);
}

bool partition_hypercall_page_update(
	struct partition *partition, uint64_t guest_os_id, uint64_t hypercall)
{
	struct overlay *overlay = &partition->hypercall_page;
	const struct partition_backend_ops *backend = partition->backend;
	const bool on = guest_os_id != 0 && (hypercall & HV_MSR_PAGE_ENABLE);

	if (on && !overlay->is_on) {
		const bool has_code = backend && backend->hypercall_code;
		memset(overlay->page, INT3, GUEST_PAGE_BYTES);
		memcpy(overlay->page, has_code ? backend->hypercall_code : no_hypercall_code,
			has_code ? backend->hypercall_code_bytes : sizeof no_hypercall_code);
	}
	if (!overlay_set(overlay, &partition->memory, on, hypercall & HV_MSR_PAGE_ADDRESS_MASK))
		return false;
	partition->guest_os_id = guest_os_id;
	partition->hypercall = guest_os_id != 0 ? hypercall : hypercall & ~HV_MSR_PAGE_ENABLE;
	return true;
}

/* ---- ports --------------------------------------------------------------------------------- */

static void event_port_tell(const struct partition *partition, uint32_t id, bool is_there)
{
	if (partition->backend && partition->backend->event_port_changed)
		partition->backend->event_port_changed(partition->backend_ctx, id, is_there);
}

int partition_message_port_add(
	struct partition *partition, uint32_t connection_id, partition_message_fn fn, void *ctx)
{
	const struct port port = {.fn.message = fn, .ctx = ctx};

	partition_lock(partition);
	const int error = port_table_add(&partition->message_ports, connection_id, &port);
	partition_unlock(partition);
	return error;
}

int partition_event_port_add(struct partition *partition, uint32_t connection_id,
	uint16_t flag_count, partition_event_fn fn, void *ctx)
{
	const struct port port = {.fn.event = fn, .flag_count = flag_count, .ctx = ctx};

	partition_lock(partition);
	const int error = port_table_add(&partition->event_ports, connection_id, &port);
	if (!error)
		event_port_tell(partition, connection_id, true);
	partition_unlock(partition);
	return error;
}

void partition_message_port_remove(struct partition *partition, uint32_t connection_id)
{
	partition_lock(partition);
	port_table_remove(&partition->message_ports, connection_id);
	partition_unlock(partition);
}

void partition_event_port_remove(struct partition *partition, uint32_t connection_id)
{
	partition_lock(partition);
	if (port_table_find(&partition->event_ports, connection_id)) {
		event_port_tell(partition, connection_id, false);
		deferral_port_gone(partition, connection_id);
		port_table_remove(&partition->event_ports, connection_id);
	}
	partition_unlock(partition);
}

/* The port that a signal is for, counted; or NULL with *status. */
static struct port *signalled_port(
	struct partition *partition, uint32_t connection_id, uint16_t flag, uint16_t *status)
{
	struct port *port = port_table_find(&partition->event_ports, connection_id);

	*status = HV_STATUS_SUCCESS;
	if (!port) {
		partition->statistics.signals_unknown++;
		/* An id that is no event port may still be a message port: the kind is wrong. */
		*status = port_table_find(&partition->message_ports, connection_id)
				  ? HV_STATUS_INVALID_PORT_ID
				  : HV_STATUS_INVALID_CONNECTION_ID;
		return NULL;
	}
	if (flag >= port->flag_count) {
		*status = HV_STATUS_INVALID_PARAMETER;
		return NULL;
	}
	partition->statistics.events_signalled++;
	return port;
}

uint16_t partition_signal_locked(struct partition *partition, uint32_t connection_id, uint16_t flag)
{
	uint16_t status;
	struct port *port = signalled_port(partition, connection_id, flag, &status);

	if (port && partition->is_threaded)
		deferral_signal(partition, port, flag);
	else if (port)
		port->fn.event(port->ctx, connection_id, flag);
	return status;
}

uint16_t partition_signal(struct partition *partition, uint32_t connection_id, uint16_t flag)
{
	uint16_t status;

	if (!partition->is_threaded)
		return partition_signal_locked(partition, connection_id, flag);
	if (!pthread_equal(pthread_self(), partition->loop_thread)) {
		partition_lock(partition);
		status = partition_signal_locked(partition, connection_id, flag);
		partition_unlock(partition);
		return status;
	}

	/* Nobody has to be woken, and nobody holds the lock above us: tell it now. */
	partition_lock(partition);
	const struct port *found = signalled_port(partition, connection_id, flag, &status);
	const struct port port = found ? *found : (struct port){0};
	partition_unlock(partition);
	if (found)
		port.fn.event(port.ctx, connection_id, flag);
	return status;
}
