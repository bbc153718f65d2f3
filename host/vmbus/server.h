// SPDX-License-Identifier: Apache-2.0
/*
 * The VMBus server of one partition: a state machine that takes control messages
 * of the guest and answers of devices, and gives messages and device actions. It
 * owns the connection, the offers with their relids, the channels and the GPADLs.
 *
 *	bus.c	rings, ports, interrupts			(or a test)
 *	  | vmbus_server_message(), _offer_add(), _open_done() ...	^ ops
 *	server.c		dispatch: message table, rejections
 *	server_connection.c	contact, unload, pause, monitor pages
 *	server_offer.c		offers, relids, rescind, release
 *	server_channel.c	open, close, modify; the channel state x message table
 *	server_gpadl.c		guest page lists
 *	server_output.c		messages to the guest, in order, with back-pressure
 *
 * Sans-I/O: no clock, no OS call, no access to guest memory. It allocates once,
 * when made; GPADL page lists come from ops->allocate within the bounds of
 * host/limits.h.
 *
 * Channel states (the guest's view; "device" is what stands behind the offer):
 *
 *	unoffered	the guest does not know of it, or has released it
 *	closed		offered, not open
 *	opening		device asked to open, not answered yet
 *	open
 *	closing		device asked to close
 *	closing-reopen	the same, and the guest has asked to open again
 *	revoking	the host takes it back; waits for the device, then for
 *			subchannels, and then sends RESCIND
 *	revoked		RESCIND sent, waits for REL_ID_RELEASED ("reoffered" if the host
 *			has made the same offer again meanwhile: it comes after the
 *			release, with the same relid)
 *	released	the guest has let go (release, unload, reset), the device has not
 *
 * RESCIND goes out only once the device has closed: after it, the host does not
 * touch the channel's memory (R-RESC-015). A device is asked one thing at a time: it
 * is never asked to close before it has answered an open, so that a late answer
 * can only be the one that is waited for; ids carry a generation, so that an answer
 * for a channel that is gone is discarded (R-ROB-007).
 *
 * Documented choices where implementations differ: UNLOAD while disconnected is
 * ignored (R-UNL-003); a GPADL is complete as soon as its last word is there, the
 * device is not asked; MODIFY_CHANNEL takes effect at once, so that no two overlap
 * (R-MOD-006); INITIATE_CONTACT and UNLOAD are taken even while messages wait for
 * the guest, and those are then dropped: a guest that has died does not drain them.
 *
 * Threads: one; ops are called from within the functions below, when the state is
 * consistent, and may call back in.
 */
#ifndef HOST_VMBUS_SERVER_H
#define HOST_VMBUS_SERVER_H

#include "protocol/guid.h"
#include "protocol/vmbus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vmbus_server;

/* Names one offer of this server. 0 names none. Stale ids are harmless. */
typedef uint32_t vmbus_server_id;

/* What a server grants if VMBUS_FEATURE_* are asked for and the configuration says nothing. */
#define VMBUS_SERVER_FEATURES_DEFAULT                                                              \
	(VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS | VMBUS_FEATURE_INTERRUPT_REDIRECTION |             \
		VMBUS_FEATURE_MODIFY_CONNECTION | VMBUS_FEATURE_CLIENT_ID |                        \
		VMBUS_FEATURE_PAUSE_RESUME)

struct vmbus_server_config {
	uint32_t version_max; /* highest VMBUS_VERSION_* to accept; 0: all */
	uint32_t features;    /* VMBUS_FEATURE_* to grant; 0: VMBUS_SERVER_FEATURES_DEFAULT */
	uint32_t vp_count;    /* VPs are 0..vp_count-1 */
	/* Monitor pages of ours for FEATURE_SERVER_MONITOR_PAGES; child-to-parent 0: none. */
	uint64_t parent_to_child_page_gpa;
	uint64_t child_to_parent_page_gpa;
};

/* An offer as the guest is to see it. Copied. */
struct vmbus_server_offer {
	struct guid interface_id;
	struct guid instance_id;
	uint16_t flags; /* VMBUS_OFFER_* */
	uint16_t mmio_megabytes;
	uint16_t subchannel_index; /* 0: primary */
	bool wants_monitor;	   /* give it a monitor id if the connection has monitor pages */
	const uint8_t *user_data;  /* VMBUS_USER_DATA_BYTES, borrowed for the call; NULL: zeros */
};

/* A checked OPEN_CHANNEL. Pointers are borrowed until the device has closed. */
struct vmbus_server_open {
	uint32_t relid;
	uint32_t target_vp;	/* or VMBUS_TARGET_VP_NONE: no interrupts at all */
	uint32_t connection_id; /* by which the guest signals */
	uint32_t event_flag;	/* SynIC flag by which the host signals, 1..2047 */
	uint8_t monitor_id;	/* or VMBUS_MONITOR_ID_NONE */
	bool is_reserved;
	const uint64_t *gpns;	  /* of the ring GPADL: guest → host ring, host → guest ring */
	uint32_t page_count;	  /* ≥ 4 */
	uint32_t downstream_page; /* first page of the host → guest ring: 2..page_count-2 */
	const uint8_t *user_data; /* VMBUS_USER_DATA_BYTES; borrowed for the call */
};

/* Pages that the guest gave with the connection. 0: none. */
struct vmbus_server_pages {
	uint64_t interrupt_gpa;	      /* without VMBUS_CAP_EVENT_FLAGS */
	uint64_t parent_to_child_gpa; /* monitor pages */
	uint64_t child_to_parent_gpa;
};

/* Outputs. All are needed unless said otherwise. */
struct vmbus_server_ops {
	/* Put a message into the queue of (vp, sint). 0, -EAGAIN (full, try when drained). */
	int (*message_post)(
		void *ctx, uint32_t vp, uint32_t sint, const void *payload, size_t bytes);
	/* True while messages wait behind a full slot of (vp, sint). */
	bool (*message_is_backlogged)(void *ctx, uint32_t vp, uint32_t sint);
	/* Forget messages that wait for (vp, sint) and are not in the slot yet. */
	void (*message_discard)(void *ctx, uint32_t vp, uint32_t sint);

	/* True if the page is memory of the guest. */
	bool (*page_is_memory)(void *ctx, uint64_t gpn);
	/*
	 * The connection's shared pages, all of them memory and page aligned, from now on: at
	 * contact, at MODIFY_CONNECTION, and with all zeros when the connection has ended. 0, or a
	 * negative errno: the contact fails.
	 */
	int (*pages_set)(void *ctx, const struct vmbus_server_pages *pages);

	/*
	 * Map the rings, make the event port, then ask the device to open; it answers with
	 * vmbus_server_open_done(), within this call or later. Returns NONE, or why the rings
	 * or ports are impossible, with nothing done and no answer to come.
	 */
	enum vmbus_rejection (*channel_open)(
		void *ctx, void *device, const struct vmbus_server_open *open);
	/* Ask the device to close; it answers with vmbus_server_close_done(). */
	void (*channel_close)(void *ctx, void *device);
	/* Interrupts go to this VP from now on, and to no other. */
	void (*channel_target_set)(void *ctx, void *device, uint32_t target_vp);
	/*
	 * The relid by which the guest knows the channel, and its monitor id; 0 and
	 * VMBUS_MONITOR_ID_NONE: none. Told before the offer goes out.
	 */
	void (*channel_relid_set)(void *ctx, void *device, uint32_t relid, uint8_t monitor_id);
	/* The offer was removed and nothing of it is left: `device` is not used any more. */
	void (*channel_gone)(void *ctx, void *device);

	/* A reset is complete: every device has closed. */
	void (*reset_done)(void *ctx);

	/*
	 * The guest wants to connect to a host service (hvsock). True: taken, an offer will
	 * follow. May be NULL: every request is refused. silo is NULL if not given.
	 */
	bool (*connect_request)(void *ctx, const struct guid *endpoint, const struct guid *service,
		const struct guid *silo);

	/* Memory for GPADL page lists. allocate may return NULL: the GPADL is refused. */
	void *(*allocate)(void *ctx, size_t bytes);
	void (*release)(void *ctx, void *memory);
};

/*
 * Make a server. `ops` and `ctx` are borrowed until destroy. 0, -ENOMEM, -EINVAL (no VP, or
 * server monitor page unaligned). About 2.5 MiB of address space, touched as it is used.
 */
int vmbus_server_create(const struct vmbus_server_config *config,
	const struct vmbus_server_ops *ops, void *ctx, struct vmbus_server **out);
/* Free everything; devices are not told. */
void vmbus_server_destroy(struct vmbus_server *server);

/* ---- guest ---- */

/*
 * A message that the guest has posted to VMBus connection `connection_id` (1 or 4).
 * `payload` is private memory of `bytes` bytes. Returns 0 if it was taken, which includes
 * messages that were rejected; -EAGAIN if the guest must post it again later, because
 * messages for it wait (R-MSG-004).
 */
int vmbus_server_message(
	struct vmbus_server *server, uint32_t connection_id, const uint8_t *payload, size_t bytes);

/* The message queue of some (vp, sint) has drained: send what waits. */
void vmbus_server_drained(struct vmbus_server *server);

/*
 * The guest was reset or has died: forget all that is queued, close all channels, reserved
 * ones included, answer nothing. ops->reset_done is called when the last device has closed,
 * perhaps within this call.
 */
void vmbus_server_reset(struct vmbus_server *server);

/* A message that never got here, for the counters: a wrong SynIC message type, for example. */
void vmbus_server_reject(struct vmbus_server *server, enum vmbus_rejection reason);

/* ---- host ---- */

/*
 * Make an offer on behalf of `device` (handed to ops; borrowed until ops->channel_gone). A
 * guest that has asked for offers gets it at once; the same offer as one that is being taken
 * back follows when the guest has released that. Returns 0; -EEXIST: the same (interface,
 * instance, subchannel index) is offered; -ENOSPC: no relid or 2047 offers; -ENOENT: a
 * subchannel without primary.
 */
int vmbus_server_offer_add(struct vmbus_server *server, const struct vmbus_server_offer *offer,
	void *device, vmbus_server_id *id);
/* Take an offer back, its subchannels first. ops->channel_gone may come within this call. */
void vmbus_server_offer_remove(struct vmbus_server *server, vmbus_server_id id);

/*
 * Answers of the device. status < 0 refuses; the device is then closed. Answers that are not
 * waited for are discarded: false.
 */
bool vmbus_server_open_done(struct vmbus_server *server, vmbus_server_id id, int status);
bool vmbus_server_close_done(struct vmbus_server *server, vmbus_server_id id);

/* One range of a complete GPADL. */
struct vmbus_server_gpadl {
	const uint64_t *gpns; /* borrowed while held */
	uint32_t page_count;
	uint32_t offset_bytes; /* into the first page */
	uint32_t bytes;
};

/*
 * Use a GPADL of a channel that is opening or open: the guest gets no GPADL_TORNDOWN before
 * it is let go of, by vmbus_server_gpadl_release() or because the device has closed
 * (R-GPADL-016). Holding twice is holding once. 0; -ENOENT: no such GPADL, or it is being
 * torn down; -ERANGE: it has no range number `range`.
 */
int vmbus_server_gpadl_hold(struct vmbus_server *server, vmbus_server_id id, uint32_t gpadl_id,
	unsigned range, struct vmbus_server_gpadl *out);
void vmbus_server_gpadl_release(struct vmbus_server *server, vmbus_server_id id, uint32_t gpadl_id);

/* ---- for status, tests and invariants ---- */

struct vmbus_server_status {
	const char *connection_state; /* "disconnected", "negotiated", "connected", ... */
	uint32_t version;	      /* 0: not connected */
	uint32_t features;
	bool is_paused;
	uint32_t message_vp; /* where messages go */
	unsigned offers;     /* of the host, alive */
	unsigned relids;     /* assigned */
	unsigned gpadls;
	unsigned gpadl_words; /* of all range streams */
	unsigned monitor_ids;
	unsigned devices_busy; /* devices that have to answer before a disconnect is complete */
	size_t queued_bytes;
	uint64_t messages_in, messages_out;
	uint64_t messages_lost; /* to a full custom target, or to a VP that is gone */
	uint64_t rejected;
	enum vmbus_rejection last_rejection;
};
void vmbus_server_status_get(const struct vmbus_server *server, struct vmbus_server_status *out);
uint64_t vmbus_server_rejections(const struct vmbus_server *server, enum vmbus_rejection reason);

/* State name of a channel ("open"), its relid or 0; "gone" and 0 for a stale id. */
const char *vmbus_server_channel_state(const struct vmbus_server *server, vmbus_server_id id);
uint32_t vmbus_server_channel_relid(const struct vmbus_server *server, vmbus_server_id id);

/*
 * Write the whole state as text, one line for the connection and one for each channel and
 * GPADL, in a stable order. Returns the length that it needs, as snprintf() does.
 */
size_t vmbus_server_describe(const struct vmbus_server *server, char *text, size_t bytes);

/* Walks all tables; NULL if they agree with each other, or what is wrong. For tests. */
const char *vmbus_server_check(const struct vmbus_server *server);

#endif
