// SPDX-License-Identifier: Apache-2.0
/*
 * Life of a partition: creation, reset, ports, observers, statistics. See
 * partition.h.
 */
#include "host/hypervisor/partition_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What every partition may do; what depends on the machine is added by privileges_update(). */
#define PRIVILEGES                                                                                 \
	(HV_PRIVILEGE_ACCESS_REFERENCE_COUNTER | HV_PRIVILEGE_ACCESS_SYNIC |                       \
		HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS | HV_PRIVILEGE_ACCESS_VP_INDEX |                \
		HV_PRIVILEGE_ACCESS_RESET | HV_PRIVILEGE_ACCESS_REFERENCE_TSC |                    \
		HV_PRIVILEGE_POST_MESSAGES | HV_PRIVILEGE_SIGNAL_EVENTS |                          \
		HV_PRIVILEGE_ACCESS_VP_REGISTERS | HV_PRIVILEGE_ENABLE_EXTENDED_HYPERCALLS)
#define FEATURES                                                                                   \
	(HV_FEATURE_GUEST_CRASH_MSRS | HV_FEATURE_SINT_POLLING | HV_FEATURE_HYPERCALL_MSR_LOCK)

#define OVERLAYS_OF_PARTITION 2u
#define OVERLAYS_OF_VP	      2u

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

static void privileges_update(struct partition *partition)
{
	partition->privileges = PRIVILEGES;
	partition->features = FEATURES;
	if (partition->config.tsc_hz && partition->config.apic_hz) {
		partition->privileges |= HV_PRIVILEGE_ACCESS_FREQUENCIES;
		partition->features |= HV_FEATURE_FREQUENCIES;
	}
	if (partition->backend && partition->backend->has_xmm) {
		partition->privileges |= HV_PRIVILEGE_FAST_HYPERCALL_OUTPUT;
		partition->features |= HV_FEATURE_XMM_HYPERCALL_INPUT |
				       HV_FEATURE_XMM_HYPERCALL_OUTPUT;
	}
}

/* ---- creation and reset -------------------------------------------------------------------- */

static void overlays_hand_out(struct partition *partition)
{
	uint8_t *page = partition->overlay_pages;

	partition->hypercall_page.page = page;
	partition->reference_tsc_page.page = page + GUEST_PAGE_BYTES;
	page += OVERLAYS_OF_PARTITION * GUEST_PAGE_BYTES;
	for (uint32_t vp = 0; vp < partition->vp_count; vp++) {
		partition->vps[vp].synic.messages.page = page;
		partition->vps[vp].synic.events.page = page + GUEST_PAGE_BYTES;
		page += OVERLAYS_OF_VP * GUEST_PAGE_BYTES;
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
		overlay_off(partition, &partition->vps[vp].synic.events);
		overlay_off(partition, &partition->vps[vp].synic.messages);
		synic_reset(&partition->vps[vp].synic);
	}
	overlay_off(partition, &partition->reference_tsc_page);
	overlay_off(partition, &partition->hypercall_page);
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
		error = guest_memory_init(&partition->memory, config->memory_bytes);
	if (error) {
		free(partition->overlay_pages);
		free(partition);
		return error;
	}

	partition->config = *config;
	if (!partition->config.clock_ns)
		partition->config.clock_ns = monotonic_ns;
	partition->start_ns = partition->config.clock_ns(partition->config.clock_ctx);
	partition->vp_count = config->vp_count;
	overlays_hand_out(partition);
	for (uint32_t vp = 0; vp < partition->vp_count; vp++)
		synic_reset(&partition->vps[vp].synic);
	privileges_update(partition);
	*out = partition;
	return 0;
}

void partition_destroy(struct partition *partition)
{
	if (!partition)
		return;
	registers_reset(partition);
	port_table_destroy(&partition->message_ports);
	port_table_destroy(&partition->event_ports);
	guest_memory_destroy(&partition->memory);
	free(partition->overlay_pages);
	free(partition);
}

void partition_backend_set(
	struct partition *partition, const struct partition_backend_ops *ops, void *ctx)
{
	partition->backend = ops;
	partition->backend_ctx = ctx;
	privileges_update(partition);
}

void partition_reset(struct partition *partition)
{
	registers_reset(partition);
	partition->statistics.resets++;
	for (unsigned i = 0; i < partition->reset_observer_count; i++)
		partition->reset_observers[i].fn(partition->reset_observers[i].ctx);
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

uint64_t partition_time_100ns(struct partition *partition)
{
	const uint64_t now = partition->config.clock_ns(partition->config.clock_ctx);

	return (now - partition->start_ns) / 100;
}

void partition_statistics_get(const struct partition *partition, struct partition_statistics *out)
{
	*out = partition->statistics;
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

int partition_message_port_add(
	struct partition *partition, uint32_t connection_id, partition_message_fn fn, void *ctx)
{
	const struct port port = {.fn.message = fn, .ctx = ctx};

	return port_table_add(&partition->message_ports, connection_id, &port);
}

int partition_event_port_add(struct partition *partition, uint32_t connection_id,
	uint16_t flag_count, partition_event_fn fn, void *ctx)
{
	const struct port port = {.fn.event = fn, .flag_count = flag_count, .ctx = ctx};

	return port_table_add(&partition->event_ports, connection_id, &port);
}

void partition_message_port_remove(struct partition *partition, uint32_t connection_id)
{
	port_table_remove(&partition->message_ports, connection_id);
}

void partition_event_port_remove(struct partition *partition, uint32_t connection_id)
{
	port_table_remove(&partition->event_ports, connection_id);
}

uint16_t partition_signal(struct partition *partition, uint32_t connection_id, uint16_t flag)
{
	const struct port *port = port_table_find(&partition->event_ports, connection_id);

	if (!port) {
		partition->statistics.signals_unknown++;
		/* An id that is no event port may still be a message port: the kind is wrong. */
		return port_table_find(&partition->message_ports, connection_id)
			       ? HV_STATUS_INVALID_PORT_ID
			       : HV_STATUS_INVALID_CONNECTION_ID;
	}
	if (flag >= port->flag_count)
		return HV_STATUS_INVALID_PARAMETER;
	partition->statistics.events_signalled++;
	port->fn.event(port->ctx, connection_id, flag);
	return HV_STATUS_SUCCESS;
}
