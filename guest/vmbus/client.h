// SPDX-License-Identifier: Apache-2.0
/*
 * The VMBus client: the control protocol seen from the guest, as a pure state
 * machine. Messages and time go in by calls; posts and events come out by a table
 * of four functions. It allocates nothing, reads no clock and knows no page but by
 * its number.
 *
 *	synic_bus.c, tests, fuzzers
 *	   | vmbus_client_on_message(), _on_time()	^ ops: post, offer,
 *	   | vmbus_client_connect(), _channel_open() …	|      rescinded, offer_gone
 *	client.c	  connection: contact, versions, offers done, unload; dispatch
 *	client_post.c	  requests in order, their bytes, retries, deadlines
 *	client_offer.c	  offers, rescind, release
 *	client_gpadl.c	  page lists lent to the host
 *	client_channel.c  open, close, move to another VP
 *
 * A request is started by a call and goes on by itself. While it runs, its `result`
 * is VMBUS_CLIENT_BUSY; then it is 0 or a negative VIRIDIAN_E*. Every request has a
 * deadline and ends by it at the latest, or, where the host must first be made to let
 * go of memory (a failed or rescinded open), at most VMBUS_CLIENT_GRACE_100NS after it.
 *
 * Memory. Pages of a GPADL belong to the host from the first message that names them
 * until it refuses the GPADL, confirms the teardown, or confirms an unload. If that
 * never comes, the pages are lost: `is_lent` stays true, pages_abandoned counts them,
 * and the caller must never use them again.
 *
 * The host is hostile: each message is checked against what was asked; what is not
 * expected is dropped, counted under its reason (enum vmbus_rejection), and changes
 * nothing.
 *
 * Threads: one thread at a time. The functions of the table are called last, when the
 * state is consistent; they may ask (vmbus_client_offer_*), not start anything.
 *
 * Sources: R-CONN, R-OFFER, R-GPADL, R-OPEN, R-MOD, R-RESC, R-UNL, R-MSG, R-ROB.
 */
#ifndef GUEST_VMBUS_CLIENT_H
#define GUEST_VMBUS_CLIENT_H

#include "protocol/guid.h"
#include "protocol/vmbus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Result of what is still running. */
#define VMBUS_CLIENT_BUSY 1

/* How long a host may take to let go of memory once the caller's wait has already failed. */
#define VMBUS_CLIENT_GRACE_100NS 10000000ull /* 1 s */

/* Posts that the host has no room for: first and longest pause, and when to give up. */
#define VMBUS_CLIENT_POST_PAUSE_MIN_100NS 100ull       /* 10 µs, doubled each time */
#define VMBUS_CLIENT_POST_PAUSE_MAX_100NS 1000000ull   /* 100 ms */
#define VMBUS_CLIENT_POST_LIMIT_100NS	  100000000ull /* 10 s for one message */

/* First GPADL id, as other guests have it. */
#define VMBUS_CLIENT_GPADL_ID_FIRST 0xe1e10u

/* One offer as the host made it; valid until offer_gone for its relid. */
struct vmbus_offer {
	uint32_t relid; /* 1..2047 */
	struct guid interface_id;
	struct guid instance_id;
	uint16_t flags; /* VMBUS_OFFER_* */
	uint16_t mmio_mib;
	uint16_t subchannel_index;   /* 0: primary */
	uint8_t monitor_id;	     /* 0..127, or VMBUS_MONITOR_ID_NONE */
	bool is_dedicated_interrupt; /* false: signalled by the interrupt page */
	uint32_t connection_id;	     /* for signals; opaque */
	uint8_t user_data[VMBUS_USER_DATA_BYTES];
	bool is_open;
	bool is_rescinded; /* RESCIND was seen; released once no channel or GPADL uses it */
};

struct vmbus_client;

struct vmbus_client_ops {
	/*
	 * HvCallPostMessage, SynIC message type 1. Returns the HV_STATUS_* of the hypercall, or
	 * a negative VIRIDIAN_E* if it could not be made (the request then fails with it);
	 * -VIRIDIAN_EAGAIN: not made now, to be tried again by vmbus_client_on_time().
	 */
	int (*post)(void *ctx, uint32_t connection_id, const void *payload, size_t bytes);
	/* A valid offer has come. */
	void (*offer)(void *ctx, const struct vmbus_offer *offer);
	/* The host takes it back: its rings are dead. Close the channel, tear its GPADLs down. */
	void (*rescinded)(void *ctx, const struct vmbus_offer *offer);
	/* The offer is no more (released, or the connection has ended). The last use of it. */
	void (*offer_gone)(void *ctx, const struct vmbus_offer *offer);
};

struct vmbus_client_config {
	uint32_t version_max; /* VMBUS_VERSION_*; 0: the highest known */
	uint32_t version_min; /* 0: the lowest known */
	uint32_t features;    /* VMBUS_FEATURE_* to ask for, where the version has features */
	uint32_t contact_vp;  /* VP that gets control messages, where the version lets us say */
	struct guid client_id;
	/* Pages lent to the host while connected; 0: none. Page aligned. */
	uint64_t interrupt_page_gpa; /* named to versions without VMBUS_CAP_MULTI_CLIENT */
	uint64_t parent_to_child_page_gpa;
	uint64_t child_to_parent_page_gpa;
};

/* ---- requests: private to the client -------------------------------------------------------- */

enum vmbus_request_kind {
	VMBUS_REQUEST_RESYNC, /* UNLOAD, to see the end of a contact that was not answered */
	VMBUS_REQUEST_CONTACT,
	VMBUS_REQUEST_OFFERS,
	VMBUS_REQUEST_UNLOAD,
	VMBUS_REQUEST_GPADL,
	VMBUS_REQUEST_TEARDOWN,
	VMBUS_REQUEST_OPEN,
	VMBUS_REQUEST_CLOSE,
	VMBUS_REQUEST_MODIFY,
	VMBUS_REQUEST_RELEASE,	  /* REL_ID_RELEASED */
	VMBUS_REQUEST_LATE_CLOSE, /* CLOSE after its deadline, or of what opened after its own */
};

enum vmbus_request_state {
	VMBUS_REQUEST_IDLE,
	VMBUS_REQUEST_QUEUED,  /* messages left to post */
	VMBUS_REQUEST_WAITING, /* all posted, an answer is due */
};

struct vmbus_request {
	struct vmbus_request *next, *previous; /* in the client's list unless IDLE */
	enum vmbus_request_kind kind;
	enum vmbus_request_state state;
	uint32_t sent; /* messages of the series that were posted */
	uint64_t deadline;
};

struct vmbus_request_list {
	struct vmbus_request *first, *last;
};

/* ---- GPADLs -----------------------------------------------------------------------------------
 */

enum vmbus_client_gpadl_state {
	VMBUS_CLIENT_GPADL_FREE,     /* the host has no claim on the pages */
	VMBUS_CLIENT_GPADL_CREATING, /* messages are being posted, or CREATED is awaited */
	VMBUS_CLIENT_GPADL_LIVE,
	VMBUS_CLIENT_GPADL_TEARING, /* TEARDOWN is queued, or TORNDOWN is awaited */
	VMBUS_CLIENT_GPADL_LIMBO,   /* an unload is under way; its end decides */
	VMBUS_CLIENT_GPADL_LOST,    /* the host never confirmed: the pages are gone */
};

struct vmbus_client_channel;

/* A page list; the caller owns the struct, zeroed at first, until its state is FREE or LOST. */
struct vmbus_client_gpadl {
	uint32_t id;
	uint32_t relid;
	enum vmbus_client_gpadl_state state;
	int result; /* of the last create or teardown */
	/* private */
	int error; /* result once the pages are back */
	uint32_t page_count;
	uint64_t first_pfn;
	const uint64_t *pfns; /* borrowed while CREATING; NULL: consecutive from first_pfn */
	struct vmbus_client_channel *channel; /* whose rings these are, or NULL */
	struct vmbus_client_gpadl *next, *previous;
	struct vmbus_request request;
};

/* ---- channels ---------------------------------------------------------------------------------
 */

enum vmbus_client_channel_state {
	VMBUS_CLIENT_CHANNEL_CLOSED,
	VMBUS_CLIENT_CHANNEL_LENDING, /* the ring GPADL is being created */
	VMBUS_CLIENT_CHANNEL_OPENING, /* OPEN is queued, or its result is awaited */
	VMBUS_CLIENT_CHANNEL_OPEN,
	VMBUS_CLIENT_CHANNEL_CLOSING,	 /* CLOSE is queued */
	VMBUS_CLIENT_CHANNEL_RECLAIMING, /* the ring GPADL is being torn down */
};

/* A channel; the caller owns the struct, zeroed at first, until its state is CLOSED. */
struct vmbus_client_channel {
	uint32_t relid;
	enum vmbus_client_channel_state state;
	int result;	   /* of the last open or close */
	int modify_result; /* of the last modify */
	uint32_t target_vp;
	struct vmbus_client_gpadl rings;
	/* private */
	int error; /* result once the rings are back */
	uint32_t next_target_vp;
	uint32_t downstream_page;
	uint64_t deadline;
	uint8_t user_data[VMBUS_USER_DATA_BYTES];
	struct vmbus_client_channel *next, *previous;
	struct vmbus_request request; /* OPEN or CLOSE */
	struct vmbus_request modify;
};

/* What a channel is opened with. */
struct vmbus_client_open {
	uint64_t first_pfn; /* of both rings, guest → host first */
	uint32_t page_count;
	uint32_t downstream_page; /* where the host → guest ring begins: 2..page_count - 2 */
	uint32_t target_vp;	  /* or VMBUS_TARGET_VP_NONE */
	const uint8_t *user_data; /* 120 bytes, copied; NULL: zeros */
};

/* ---- the client -------------------------------------------------------------------------------
 */

enum vmbus_client_offer_state {
	VMBUS_CLIENT_OFFER_FREE,
	VMBUS_CLIENT_OFFER_LIVE,
	VMBUS_CLIENT_OFFER_RESCINDED, /* announced to ops, not released: still in use here */
	VMBUS_CLIENT_OFFER_RELEASING, /* REL_ID_RELEASED is queued */
	VMBUS_CLIENT_OFFER_REFUSED,   /* likewise, but never announced to ops */
	VMBUS_CLIENT_OFFER_STUCK,     /* the release could not be posted: unusable until unload */
};

/* Row of the table by relid. */
struct vmbus_client_offer {
	struct vmbus_offer offer;
	enum vmbus_client_offer_state state;
	uint32_t primary_relid; /* of a subchannel; 0 once the primary is gone, or has a new one */
	uint32_t gpadl_count;	/* of this relid that are not FREE or LOST */
	bool is_open_late;	/* an OPEN_RESULT may still come, its open has given up */
	bool is_modify_late;	/* likewise a MODIFY_CHANNEL_RESPONSE */
	struct vmbus_client_channel *channel; /* not CLOSED, or NULL */
	struct vmbus_request request;	      /* RELEASE or LATE_CLOSE */
};

enum vmbus_client_state {
	VMBUS_CLIENT_DISCONNECTED,
	VMBUS_CLIENT_CONTACTING, /* INITIATE_CONTACT, or RESYNC before, is queued or waits */
	VMBUS_CLIENT_NEGOTIATED, /* a version is agreed, offers are being delivered */
	VMBUS_CLIENT_CONNECTED,
	VMBUS_CLIENT_UNLOADING,
};

struct vmbus_client_statistics {
	uint64_t messages_sent;
	uint64_t messages_received;
	uint64_t messages_rejected;
	uint64_t rejections[VMBUS_REJECTION_COUNT];
	enum vmbus_rejection last_rejection;
	uint64_t post_retries;	  /* posts that the host had no room for */
	uint64_t posts_failed;	  /* messages given up */
	uint64_t pages_lent;	  /* now: named in GPADLs that are neither FREE nor LOST */
	uint64_t pages_abandoned; /* ever: in GPADLs that were LOST */
};

/* Fields are for reading, by callers and tests; the functions below change them. */
struct vmbus_client {
	const struct vmbus_client_ops *ops;
	void *ctx;
	struct vmbus_client_config config;
	enum vmbus_client_state state;
	int result;				  /* of the last connect or unload */
	const struct vmbus_version_info *version; /* asked for or agreed; NULL if none */
	uint32_t features;			  /* granted */
	uint32_t connection_id;			  /* that posts go to */
	uint64_t parent_to_child_page_gpa;	  /* in force; 0: none */
	uint64_t child_to_parent_page_gpa;
	bool are_pages_lent; /* the host may use the pages of the config */
	uint32_t relid_max;  /* no offer above it */
	struct vmbus_client_statistics statistics;
	/* of a contact that ended here without an answer, which may still come; NULL: none */
	const struct vmbus_version_info *unanswered;
	/* private */
	int error; /* result once unloaded */
	uint64_t now;
	uint64_t contact_deadline;
	bool is_posting;
	struct {
		uint64_t since; /* first refusal of the message at hand */
		uint64_t at;	/* do not post before; 0: no pause */
		uint64_t pause;
	} retry;
	uint32_t gpadl_id_next;
	struct vmbus_request request; /* RESYNC, CONTACT, OFFERS or UNLOAD */
	struct vmbus_request_list requests;
	struct vmbus_client_gpadl *gpadls;
	struct vmbus_client_channel *channels;
	struct vmbus_client_offer offers[VMBUS_RELID_COUNT]; /* by relid */
};

/* Set up; ops, ctx and what config points to are borrowed for the client's life. */
void vmbus_client_init(struct vmbus_client *client, const struct vmbus_client_ops *ops, void *ctx,
	const struct vmbus_client_config *config);

/*
 * Agree on the highest version that both know, then collect the offers. client->result
 * becomes 0 when all offers are here; -VIRIDIAN_ENOTSUP: the host speaks none of our
 * versions; -VIRIDIAN_EIO: it refused, or a post failed; -VIRIDIAN_EPROTO: it answered
 * nonsense; -VIRIDIAN_ETIMEDOUT. If the last contact was not answered, that answer is awaited
 * first, for VMBUS_CLIENT_GRACE_100NS at most (R-CONN-040). Returns 0, or -VIRIDIAN_EBUSY if not
 * disconnected, or -VIRIDIAN_EINVAL if no version is between min and max. `deadline` is absolute,
 * in the units of `now` (100 ns); UINT64_MAX: none.
 */
int vmbus_client_connect(struct vmbus_client *client, uint64_t now, uint64_t deadline);

/*
 * Close every open channel, UNLOAD, and wait for the answer, which frees every GPADL. Without
 * one by the deadline (result -VIRIDIAN_ETIMEDOUT) they are LOST. Versions without
 * VMBUS_CAP_UNLOAD_RESPONSE confirm nothing: tear GPADLs down first. All channels are CLOSED
 * and all offers gone afterwards. Returns 0 (nothing to do if not connected), or
 * -VIRIDIAN_EBUSY if an unload is under way.
 */
int vmbus_client_unload(struct vmbus_client *client, uint64_t now, uint64_t deadline);

/*
 * The hypervisor or the host has gone: nothing will be answered. Everything that runs ends with
 * `error` (negative); what is lent is LOST.
 */
void vmbus_client_abort(struct vmbus_client *client, int error);

/*
 * A message was taken from the slot of VMBUS_SINT: its SynIC type, and its payload as a private
 * copy. Any bytes may come.
 */
void vmbus_client_on_message(struct vmbus_client *client, uint32_t synic_type,
	const uint8_t *payload, size_t bytes, uint64_t now);
/* Let time pass: retries that are due, deadlines that are over. */
void vmbus_client_on_time(struct vmbus_client *client, uint64_t now);
/* When vmbus_client_on_time() next has something to do; UINT64_MAX: nothing is under way. */
uint64_t vmbus_client_next_time(const struct vmbus_client *client);

/* The version agreed on (VMBUS_VERSION_*), 0 if there is none. */
uint32_t vmbus_client_version(const struct vmbus_client *client);
/* True if the agreed version has all of VMBUS_CAP_*. */
bool vmbus_client_has(const struct vmbus_client *client, uint32_t caps);
/* "connected"; for logs. */
const char *vmbus_client_state_name(enum vmbus_client_state state);

/* The offer of a relid, rescinded or not, or NULL. */
const struct vmbus_offer *vmbus_client_offer(const struct vmbus_client *client, uint32_t relid);
/* The first live offer with a relid above this one, or NULL. */
const struct vmbus_offer *vmbus_client_offer_next(
	const struct vmbus_client *client, uint32_t after_relid);
/* The index-th live primary offer of an interface, in relid order, or NULL. */
const struct vmbus_offer *vmbus_client_offer_find(
	const struct vmbus_client *client, const struct guid *interface_id, unsigned index);
/* That live subchannel of a primary, or NULL. */
const struct vmbus_offer *vmbus_client_offer_subchannel(const struct vmbus_client *client,
	const struct vmbus_offer *primary, uint16_t subchannel_index);
/* Of a subchannel, the relid of its primary: 0 once that is gone or has a new one. Else 0. */
uint32_t vmbus_client_offer_primary(const struct vmbus_client *client, uint32_t relid);

/*
 * Lend `page_count` pages (1..8190): those of `pfns`, or, if NULL, consecutive ones from
 * first_pfn. gpadl->result becomes 0, then it is LIVE; or an error, then it is FREE or
 * LOST: -VIRIDIAN_EIO (the host refused, or a post failed), -VIRIDIAN_ETIMEDOUT,
 * -VIRIDIAN_ENODEV (rescinded). Returns 0 or, with nothing begun, -VIRIDIAN_EINVAL,
 * -VIRIDIAN_EBUSY (the struct is in use), -VIRIDIAN_ENOENT (no such offer),
 * -VIRIDIAN_ENODEV (rescinded, or not connected).
 */
int vmbus_client_gpadl_create(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl,
	uint32_t relid, uint64_t first_pfn, const uint64_t *pfns, uint32_t page_count, uint64_t now,
	uint64_t deadline);
/*
 * Take them back. gpadl->result becomes 0, then it is FREE; or an error, then it is LOST.
 * Returns 0, or -VIRIDIAN_EBUSY if it is being created or torn down, -VIRIDIAN_ENOENT if it is
 * not LIVE.
 */
int vmbus_client_gpadl_teardown(struct vmbus_client *client, struct vmbus_client_gpadl *gpadl,
	uint64_t now, uint64_t deadline);
/* True while the host may touch the pages; for ever once they are LOST. */
bool vmbus_client_gpadl_is_lent(const struct vmbus_client_gpadl *gpadl);

/*
 * Open the channel of an offer over rings that are initialised: lend them, OPEN, wait for the
 * result. channel->result becomes 0, then it is OPEN. Else it is CLOSED, with what the host got
 * taken back as far as it confirms (see rings.state): -VIRIDIAN_EIO (refused),
 * -VIRIDIAN_ETIMEDOUT, -VIRIDIAN_ENODEV (rescinded). Returns 0 or, with nothing begun, as
 * vmbus_client_gpadl_create(); -VIRIDIAN_EBUSY also if the relid is open already or its last
 * open was never answered.
 */
int vmbus_client_channel_open(struct vmbus_client *client, struct vmbus_client_channel *channel,
	uint32_t relid, const struct vmbus_client_open *open, uint64_t now, uint64_t deadline);
/*
 * Close: CLOSE, take the rings back. channel->result becomes 0, or the error because of which
 * the rings are LOST. The channel is CLOSED then. Returns 0, also for a closed channel, or
 * -VIRIDIAN_EBUSY if it is not OPEN. Subchannels first (R-OPEN-025): the caller's duty.
 */
int vmbus_client_channel_close(struct vmbus_client *client, struct vmbus_client_channel *channel,
	uint64_t now, uint64_t deadline);
/*
 * Send an open channel's interrupts to another VP. channel->modify_result becomes 0 (at once
 * where the version has no response), or -VIRIDIAN_EIO (refused), -VIRIDIAN_ETIMEDOUT,
 * -VIRIDIAN_ENODEV; the old VP is then still the target as far as is known. Returns 0, or
 * -VIRIDIAN_ENOTSUP before VMBUS_CAP_MODIFY_CHANNEL, -VIRIDIAN_EBUSY if one is outstanding,
 * -VIRIDIAN_ENOENT if not open, -VIRIDIAN_ENODEV if rescinded, -VIRIDIAN_EINVAL for
 * VMBUS_TARGET_VP_NONE.
 */
int vmbus_client_channel_modify(struct vmbus_client *client, struct vmbus_client_channel *channel,
	uint32_t target_vp, uint64_t now, uint64_t deadline);

#endif
