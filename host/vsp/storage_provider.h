// SPDX-License-Identifier: Apache-2.0
/*
 * A storage controller on a VMBus: makes the offers, and moves packets between the
 * channels' rings and the machine in storage_vsp.h.
 *
 *	vmbus channels (primary, sub-channels) <-> storage_provider <-> storage_vsp
 *
 * Turns page lists of GPA-direct packets into iovecs over guest memory, and makes
 * sure that a packet is read only when its reply has room in the ring (R-STOR-012).
 *
 * Threads: everything on the loop of the bus.
 */
#ifndef HOST_VSP_STORAGE_PROVIDER_H
#define HOST_VSP_STORAGE_PROVIDER_H

#include "host/vmbus/bus_channel.h"
#include "host/vsp/storage_vsp.h"

/* Packets taken from one channel in one turn of the loop. */
#define STORAGE_PROVIDER_BATCH 64u

struct storage_provider;

struct storage_provider_config {
	struct storage_vsp_config vsp;
	struct guid instance_id; /* ignored for IDE accelerators, whose ids are fixed */
	uint8_t ide_device;	 /* vsp.is_ide: 0 or 1 */
};

/*
 * Make a controller and offer it. config is copied. Returns 0, the errors of
 * storage_vsp_create() and bus_offer_add().
 */
int storage_provider_create(struct vmbus_bus *bus, const struct storage_provider_config *config,
	struct storage_provider **out);

/* The machine: attach and detach devices, look at its state. */
struct storage_vsp *storage_provider_vsp(struct storage_provider *provider);

/* Take the offers back (rescind). Requests in flight end first: see storage_provider_is_idle(). */
void storage_provider_remove(struct storage_provider *provider);

/* True if no channel is open or closing: after remove, the provider may be destroyed. */
bool storage_provider_is_idle(const struct storage_provider *provider);

/* Removed, idle, and every device detached. Not from inside a callback of the bus. */
void storage_provider_destroy(struct storage_provider *provider);

#endif
