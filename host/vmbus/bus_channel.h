// SPDX-License-Identifier: Apache-2.0
/*
 * The provider seam: what a VSP sees of the VMBus. A provider makes offers; the
 * guest opens and closes them; between the two the provider moves packets through
 * the channel's rings, which are already mapped and checked.
 *
 *	struct bus_provider_ops		bus -> provider: open, close, ready
 *	bus_channel_*			provider -> bus
 *
 * Life of one offer:
 *	bus_offer_add -> [open -> ready* -> close]* -> bus_offer_remove
 *
 * Threads: a channel belongs to the event loop of its bus; every call in both
 * directions is made there.
 */
#ifndef HOST_VMBUS_BUS_CHANNEL_H
#define HOST_VMBUS_BUS_CHANNEL_H

#include "host/hypervisor/memory.h"
#include "protocol/guid.h"
#include "protocol/ring.h"
#include "protocol/vmbus.h"

#include <stdbool.h>
#include <stdint.h>

struct vmbus_bus;
struct bus_channel;

struct bus_provider_ops {
	const char *name; /* stem: "storage", "heartbeat" */
	/*
	 * The guest opens the channel: rings are mapped, nothing was read. Set up, then answer
	 * with bus_channel_open_done(), here or later. `user_data`: 120 bytes of OPEN_CHANNEL.
	 */
	void (*open)(void *ctx, struct bus_channel *channel, const uint8_t *user_data);
	/*
	 * The guest closed, unloaded, died, or the offer is being removed. Stop using rings and
	 * guest memory as soon as outstanding I/O allows, then call bus_channel_close_done(),
	 * here or later. `ready` is not called any more; the rings stay mapped until then, but
	 * the guest is not signalled any more. Never called before open was answered; if the
	 * guest has gone meanwhile, it is called within bus_channel_open_done().
	 */
	void (*close)(void *ctx, struct bus_channel *channel);
	/*
	 * There may be packets, or ring space that the provider waited for. Handle a bounded
	 * number; return true if any was handled (the bus then calls again soon). Read with
	 * bus_channel_reader(), write with bus_channel_writer(), and end each batch with
	 * bus_channel_flush(). A corrupt ring: bus_channel_fail(). Whoever returns false
	 * with packets left (no request free, say) calls bus_channel_kick() when it can go on:
	 * the guest's signals are off until then.
	 */
	bool (*ready)(void *ctx, struct bus_channel *channel);
};

/* A latency that guests of a monitor page are used to: 100 µs. */
#define BUS_MONITOR_LATENCY_100NS 1000u

struct bus_offer {
	struct guid interface_id;
	struct guid instance_id;
	uint16_t flags;		   /* VMBUS_OFFER_* */
	uint16_t mmio_mib;	   /* MMIO space required */
	uint16_t subchannel_index; /* 0: primary */
	bool wants_monitor;	   /* ask for MNF when the connection has monitor pages */
	/* With wants_monitor: how late a signal may be seen; 0: BUS_MONITOR_LATENCY_100NS. */
	uint16_t monitor_latency_100ns;
	uint8_t user_data[VMBUS_USER_DATA_BYTES];
	const struct bus_provider_ops *ops;
	void *ctx; /* handed to ops */
};

/*
 * Make an offer; a connected guest that has asked for offers gets it at once, or, if the same
 * offer was removed and the guest still holds its relid, when it has released that. *out is
 * valid until the offer is removed: see bus_offer_remove(). Returns 0; -EEXIST if the
 * same (interface, instance, subchannel index) is offered already; -ENOSPC if all 2047
 * channel ids are in use; -ENOENT for a subchannel without its primary; -ENOMEM.
 */
int bus_offer_add(struct vmbus_bus *bus, const struct bus_offer *offer, struct bus_channel **out);

/*
 * Take the offer back, its subchannels first. The bus calls ops->close if the channel is open;
 * the channel pointer is dead once bus_channel_close_done() returns, or at once if it was
 * not open. Only then is the guest told (RESCIND): after that, nobody here touches its
 * memory (R-RESC-015). The relid stays reserved until the guest releases it.
 */
void bus_offer_remove(struct bus_channel *channel);

/*
 * Answers to ops->open and ops->close. status 0 opens; a negative errno refuses. An answer that
 * nobody waits for is ignored.
 */
void bus_channel_open_done(struct bus_channel *channel, int status);
void bus_channel_close_done(struct bus_channel *channel);

struct ring_reader *bus_channel_reader(struct bus_channel *channel);
struct ring_writer *bus_channel_writer(struct bus_channel *channel);

/*
 * Publish what was read and written since the last flush, and signal the guest if the ring
 * rules ask for it (R-RING-007, R-RING-011). Cheap when nothing changed.
 */
void bus_channel_flush(struct bus_channel *channel);

/*
 * The same for what was written alone: packets that were read and released stay in place. For
 * the middle of a batch; end it with bus_channel_flush().
 */
void bus_channel_flush_writes(struct bus_channel *channel);

/* Run ops->ready in the next turn of the loop even without a signal (deferred completions). */
void bus_channel_kick(struct bus_channel *channel);

/*
 * The peer broke a rule that ends the channel (corrupt ring, protocol breach): `reason` is a
 * constant string for status and log. The channel goes silent; it can still be closed.
 */
void bus_channel_fail(struct bus_channel *channel, const char *reason);

const struct guest_memory *bus_channel_memory(const struct bus_channel *channel);
uint32_t bus_channel_relid(const struct bus_channel *channel);
uint32_t bus_channel_target_vp(const struct bus_channel *channel);
const struct bus_offer *bus_channel_offer(const struct bus_channel *channel);
struct vmbus_bus *bus_channel_bus(const struct bus_channel *channel);

/*
 * Hold a GPADL of this channel and get the pages of its range number `range` (0 is the first):
 * *gpns is borrowed. While it is held, the guest that tears it down gets no answer; let go of
 * it with bus_channel_gpadl_release(), for instance when the guest revokes a buffer;
 * close_done lets go of all. Returns 0; -ENOENT if there is none, or it is being torn down;
 * -ERANGE if it has not so many ranges.
 */
int bus_channel_gpadl_pages(struct bus_channel *channel, uint32_t gpadl_id, unsigned range,
	const uint64_t **gpns, size_t *count, uint32_t *offset_bytes, uint64_t *bytes);
void bus_channel_gpadl_release(struct bus_channel *channel, uint32_t gpadl_id);

#endif
