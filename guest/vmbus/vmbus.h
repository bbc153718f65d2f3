// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's bus: find offers, open channels, move packets: the client state machine
 * (client.h) on SynIC (synic_bus.h).
 *
 *	VSC / integration component
 *	        |  this file
 *	client*.c  pure state machine: bytes and time in, posts and events out
 *	        |
 *	synic_bus.c, synic_channel.c  move messages and events between winhv and the client
 *
 * No allocation after start: the caller gives struct vmbus and one struct
 * vmbus_channel for each channel; shared pages come from winhv_pages_alloc().
 * No wait is without a deadline. The host is not trusted: everything it sends is
 * checked, and pages go back to the allocator only once it has confirmed that it
 * let go of them (else they are abandoned and counted).
 *
 * Threads: one thread owns a bus. vmbus_channel_signal() may be called from others.
 * Callbacks (on_*) run inside the call that serves the bus; from them only the
 * functions that do not wait may be called, the others return -VIRIDIAN_EBUSY.
 *
 * Smallest use:
 *	vmbus_init(bus, &hv, &config);
 *	vmbus_connect(bus, deadline);
 *	offer = vmbus_offer_find(bus, &guid_storage, 0);
 *	vmbus_channel_open(bus, offer->relid, &channel, &open_config, deadline);
 *	while (...) vmbus_poll(bus, timeout);   // calls channel.on_ready
 *	vmbus_channel_close(bus, &channel, deadline);
 *	vmbus_unload(bus, deadline);
 */
#ifndef GUEST_VMBUS_VMBUS_H
#define GUEST_VMBUS_VMBUS_H

#include "guest/vmbus/client.h"
#include "guest/winhv/winhv.h"
#include "protocol/guid.h"
#include "protocol/ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vmbus; /* complete in synic_bus.h, for callers with static memory */
struct vmbus_channel;

/* struct vmbus_offer is in client.h: one offer, valid until on_offer_gone() for its relid. */

struct vmbus_config {
	uint32_t version_max; /* VMBUS_VERSION_*; 0: the highest known */
	uint32_t version_min; /* 0: the lowest known */
	/* VMBUS_FEATURE_* to ask for at 6.0. SERVER_MONITOR_PAGES is never asked for here: no
	 * platform can map a page that the host has chosen. */
	uint32_t features;
	uint32_t contact_vp;   /* VP that gets the control messages, and on which waits sleep */
	uint8_t vector;	       /* interrupt vector for SynIC; 0: VMBUS_DEFAULT_VECTOR */
	struct guid client_id; /* sent with VMBUS_FEATURE_CLIENT_ID */
	bool wants_monitor_pages;
	/* Offer appeared, or vanished for good (released, or the connection ended). May be NULL.
	 * Called from vmbus_poll() and from the blocking calls. */
	void (*on_offer)(void *ctx, const struct vmbus_offer *offer);
	void (*on_offer_gone)(void *ctx, const struct vmbus_offer *offer);
	void *ctx;
};
#define VMBUS_DEFAULT_VECTOR 0xf3u

struct vmbus_open_config {
	uint32_t ring_out_bytes; /* guest→host, control page included; page multiple ≥ 8 KiB */
	uint32_t ring_in_bytes;	 /* host→guest, likewise; both ≤ VMBUS_GPADL_PAGES_MAX pages */
	/* VP that gets the channel's interrupts. VMBUS_TARGET_VP_NONE: none; every vmbus_poll()
	 * looks at the ring, and waits do not end because of it. */
	uint32_t target_vp;
	uint8_t user_data[VMBUS_USER_DATA_BYTES];
	/* The host signalled, or data has arrived: read the ring, retry blocked writes, flush.
	 * Called again as long as data is left. May be NULL. */
	void (*on_ready)(void *ctx, struct vmbus_channel *channel);
	/* The host took the device back, or is gone; the rings are dead. Call
	 * vmbus_channel_close() soon, after the callback. May be NULL. */
	void (*on_rescind)(void *ctx, struct vmbus_channel *channel);
	void *ctx;
};

/* An open channel; the caller owns the memory, from open until close has returned. */
struct vmbus_channel {
	struct ring_reader in;
	struct ring_writer out;
	struct vmbus *bus;
	uint32_t relid;
	uint32_t gpadl_id; /* of the rings */
	uint32_t connection_id;
	uint16_t event_flag;
	uint8_t monitor_id; /* signalled by monitor page; VMBUS_MONITOR_ID_NONE: not */
	bool is_dedicated;  /* signalled by connection_id; else by the interrupt page */
	bool is_open;
	bool is_rescinded;
	bool is_hot;	    /* polled, interrupt masked */
	bool was_signalled; /* since on_ready last ran */
	struct vmbus_open_config config;
	struct winhv_pages pages;   /* of the rings: lent to the host */
	struct winhv_pages scratch; /* where the rings are not mapped twice; else empty */
	bool is_double_mapped;
	void *out_control, *in_control;
	uint8_t *out_data, *in_data;
	struct vmbus_channel *next_open;
	struct vmbus_channel *next_hot;
	struct vmbus_client_channel client;
	uint64_t signals_sent; /* relaxed atomic */
	uint64_t signals_received;
};

/*
 * A buffer lent to the host by page list. The caller owns the struct, zeroed at first, until the
 * pages are back; see vmbus_gpadl_is_lent().
 */
struct vmbus_gpadl {
	uint32_t id;
	uint32_t relid;
	struct winhv_pages pages;
	struct vmbus_client_gpadl client;
};

/*
 * All deadlines are absolute winhv_time_100ns() values. Every call that waits serves the bus
 * meanwhile. A call that fails late may take up to VMBUS_CLIENT_GRACE_100NS longer, to get memory
 * back, and a hypercall that is under way is not cut short. Errors common to all:
 * -VIRIDIAN_ETIMEDOUT, -VIRIDIAN_ENODEV (host gone or device rescinded), -VIRIDIAN_EPROTO (the host
 * broke the protocol), -VIRIDIAN_EIO (it refused), -VIRIDIAN_EINVAL, -VIRIDIAN_EBUSY (called from a
 * callback, or under way already).
 */
size_t vmbus_bytes(void); /* size of struct vmbus, for callers that cannot see it */
/*
 * Set up over a hypervisor whose hypercalls are enabled. `hv` and what `config` points to are
 * borrowed for the life of the bus. -VIRIDIAN_EINVAL: contact_vp is not one of hv's VPs.
 */
int vmbus_init(struct vmbus *bus, struct winhv *hv, const struct vmbus_config *config);

/*
 * Enable SynIC where it is needed, negotiate, highest version first, then collect the offers.
 * -VIRIDIAN_ENOTSUP: the host speaks no version between min and max.
 */
int vmbus_connect(struct vmbus *bus, uint64_t deadline);
/*
 * Close what is open, UNLOAD, wait for the answer, which gives all pages back. Pages that stay
 * unconfirmed are abandoned. Afterwards every channel is closed, every GPADL ended and every
 * offer gone, whatever the result. SynIC stays on: winhv_shutdown() turns it off.
 */
int vmbus_unload(struct vmbus *bus, uint64_t deadline);
uint32_t vmbus_version(const struct vmbus *bus);  /* 0: not connected */
uint32_t vmbus_features(const struct vmbus *bus); /* negotiated */

/* The index-th live offer of that interface (primary channels only), or NULL. */
const struct vmbus_offer *vmbus_offer_find(
	const struct vmbus *bus, const struct guid *interface_id, unsigned index);
/* Live offers in relid order: start with relid 0, then the last one's relid. NULL at the end. */
const struct vmbus_offer *vmbus_offer_next(const struct vmbus *bus, uint32_t after_relid);
/* The subchannel `subchannel_index` of a primary, or NULL. */
const struct vmbus_offer *vmbus_offer_subchannel(
	const struct vmbus *bus, const struct vmbus_offer *primary, uint16_t subchannel_index);

/*
 * Allocate the rings, lend them, open. The interrupt of the channel is served from before OPEN
 * on; its first on_ready comes from the first vmbus_poll(). -VIRIDIAN_ENOENT: no such offer;
 * -VIRIDIAN_ENOMEM.
 */
int vmbus_channel_open(struct vmbus *bus, uint32_t relid, struct vmbus_channel *channel,
	const struct vmbus_open_config *config, uint64_t deadline);
/*
 * Close; open subchannels of a primary are closed first. No callback of the channel runs any
 * more from here on. The channel is closed whatever the result; an error says that its pages
 * were abandoned. Closing a closed channel is 0. GPADLs of the channel stay: tear them down.
 */
int vmbus_channel_close(struct vmbus *bus, struct vmbus_channel *channel, uint64_t deadline);
/* Move the channel's interrupts to another VP. -VIRIDIAN_ENOTSUP before version 4.1. */
int vmbus_channel_retarget(
	struct vmbus *bus, struct vmbus_channel *channel, uint32_t vp, uint64_t deadline);

/*
 * Lend `pages` (from winhv_pages_alloc, ≤ VMBUS_GPADL_PAGES_MAX pages) to the host. After an
 * error look at vmbus_gpadl_is_lent(): if true, the pages must never be freed or used again.
 */
int vmbus_gpadl_create(struct vmbus *bus, uint32_t relid, const struct winhv_pages *pages,
	struct vmbus_gpadl *gpadl, uint64_t deadline);
/* Take them back. 0: they are the caller's again. An error: abandoned and counted, as above. */
int vmbus_gpadl_teardown(struct vmbus *bus, struct vmbus_gpadl *gpadl, uint64_t deadline);
/* True while the host may touch the pages: for ever, if it never confirmed that it does not. */
static inline bool vmbus_gpadl_is_lent(const struct vmbus_gpadl *gpadl)
{
	return vmbus_client_gpadl_is_lent(&gpadl->client);
}

/* Signal the host, by whatever way the offer named. Any thread. */
void vmbus_channel_signal(struct vmbus_channel *channel);

/* True if the ring that the host writes has something that was not read. */
static inline bool vmbus_channel_has_data(const struct vmbus_channel *channel)
{
	const struct ring_reader *r = &channel->in;
	return r->status == RING_OK &&
	       ring_load(&r->control[RING_WORD_IN], RING_SITE_READ_DATA) != ring_reader_out(r);
}

/* Publish what was read and written on the rings; signal the host if the ring rules ask. */
static inline void vmbus_channel_flush(struct vmbus_channel *channel)
{
	if (channel->is_rescinded || channel->pages.bytes == 0)
		return;
	bool is_due = ring_flush(&channel->out);
	/* In the middle of a drain the barrier can wait; at its end it cannot (ring.md 6.3). */
	is_due |= vmbus_channel_has_data(channel) ? ring_read_publish(&channel->in)
						  : ring_read_flush(&channel->in);
	if (is_due)
		vmbus_channel_signal(channel);
}

/*
 * Serve the bus: control messages, events, hot channels. Waits up to `timeout_100ns` for
 * something if nothing was pending (0: never enters the OS). Returns the number of things
 * done, or a negative error. Channels that were signalled stay hot (polled, their interrupt
 * masked) until vmbus_arm() or a wait puts them to rest.
 */
int vmbus_poll(struct vmbus *bus, uint64_t timeout_100ns);
/*
 * For callers with descriptors of their own: unmask every hot ring, arm the platform's
 * wake-up. True: safe to sleep on the platform's descriptors until vmbus_wake_time();
 * afterwards call vmbus_poll(bus, 0). False: work arrived; poll again.
 */
bool vmbus_arm(struct vmbus *bus);
/* When the bus needs a vmbus_poll() even without an interrupt; UINT64_MAX: never. */
uint64_t vmbus_wake_time(const struct vmbus *bus);

struct vmbus_statistics {
	uint64_t messages_sent, messages_received;
	uint64_t messages_rejected;
	const char *last_rejection; /* name, or NULL */
	uint64_t pages_lent;	    /* now, in GPADLs */
	uint64_t pages_abandoned;   /* ever */
	uint64_t post_retries;
};
void vmbus_statistics_get(const struct vmbus *bus, struct vmbus_statistics *out);

#endif
