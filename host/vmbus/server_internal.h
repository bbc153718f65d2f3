// SPDX-License-Identifier: Apache-2.0
/*
 * The state of the VMBus server, and what its files offer each other. See server.h
 * for the whole; nothing here is for others.
 *
 * All state is in struct vmbus_server, in tables that refer to each other by index, never by
 * pointer; index 0 of channels and GPADLs is not used and means none. A table is scanned only
 * as far as it was ever used (`channel_limit`, `gpadl_limit`).
 */
#ifndef HOST_VMBUS_SERVER_INTERNAL_H
#define HOST_VMBUS_SERVER_INTERNAL_H

#include "host/limits.h"
#include "host/vmbus/server.h"

#define SERVER_CHANNEL_COUNT (LIMIT_SERVER_CHANNELS + 1u) /* with the unused 0 */
#define SERVER_GPADL_COUNT   (LIMIT_GPADLS + 1u)
#define SERVER_GPADL_BUCKETS 1024u
#define SERVER_ID_SLOT_BITS  13u /* of a vmbus_server_id; the rest is the generation */

/* ---- states: X(NAME, text) ---- */

/* clang-format off */
#define SERVER_CONNECTION_STATES(X)                                                                \
	X(DISCONNECTED, "disconnected")                                                            \
	X(NEGOTIATED, "negotiated")		/* version agreed, offers not asked for */         \
	X(CONNECTED, "connected")		/* offers sent */                                  \
	X(DISCONNECTING, "disconnecting")	/* waits for devices */

#define SERVER_CHANNEL_STATES(X)                                                                   \
	X(FREE, "gone")                                                                            \
	X(UNOFFERED, "unoffered")                                                                  \
	X(CLOSED, "closed")                                                                        \
	X(OPENING, "opening")                                                                      \
	X(OPEN, "open")                                                                            \
	X(CLOSING, "closing")                                                                      \
	X(CLOSING_REOPEN, "closing-reopen")                                                        \
	X(REVOKING, "revoking")                                                                    \
	X(REVOKED, "revoked")                                                                      \
	X(RELEASED, "released")

#define SERVER_DEVICE_STATES(X)                                                                    \
	X(IDLE, "idle")                                                                            \
	X(OPENING, "opening")			/* has to answer an open */                        \
	X(OPEN, "open")                                                                            \
	X(CLOSING, "closing")			/* has to answer a close */

#define SERVER_GPADL_STATES(X)                                                                     \
	X(FREE, "free")                                                                            \
	X(IN_PROGRESS, "in-progress")		/* waits for GPADL_BODY */                         \
	X(ACCEPTED, "accepted")                                                                    \
	X(TEARING_DOWN, "tearing-down")		/* waits for its user */
/* clang-format on */

#define SERVER_ENUM_CONNECTION(NAME, text) SERVER_CONNECTION_##NAME,
enum server_connection_state { SERVER_CONNECTION_STATES(SERVER_ENUM_CONNECTION) };
#define SERVER_ENUM_CHANNEL(NAME, text) SERVER_CHANNEL_##NAME,
enum server_channel_state { SERVER_CHANNEL_STATES(SERVER_ENUM_CHANNEL) SERVER_CHANNEL_STATE_COUNT };
#define SERVER_ENUM_DEVICE(NAME, text) SERVER_DEVICE_##NAME,
enum server_device_state { SERVER_DEVICE_STATES(SERVER_ENUM_DEVICE) };
#define SERVER_ENUM_GPADL(NAME, text) SERVER_GPADL_##NAME,
enum server_gpadl_state { SERVER_GPADL_STATES(SERVER_ENUM_GPADL) };

/* What happens when a disconnect is complete. A later request overwrites it. */
enum server_next {
	SERVER_NEXT_NONE,
	SERVER_NEXT_UNLOAD_COMPLETE,
	SERVER_NEXT_CONTACT, /* server->contact */
};

/* An INITIATE_CONTACT that waits for the disconnect. */
struct server_contact {
	uint32_t version;
	uint32_t target_vp;
	uint32_t features; /* asked for */
	struct vmbus_server_pages pages;
};

/* OPEN_CHANNEL or OPEN_RESERVED_CHANNEL, as asked. */
struct server_open_request {
	uint32_t open_id;
	uint32_t ring_gpadl_id;
	uint32_t target_vp;
	uint32_t downstream_page;
	uint32_t connection_id;
	uint32_t event_flag;
	bool is_reserved;
	uint32_t reserved_vp; /* where the answer goes, if is_reserved */
	uint32_t reserved_sint;
	uint8_t user_data[VMBUS_USER_DATA_BYTES];
};

struct server_channel {
	uint8_t state;	/* enum server_channel_state */
	uint8_t device; /* enum server_device_state */
	uint8_t monitor_id;
	bool is_offered;      /* in this connection */
	bool is_removed;      /* the host has taken the offer back */
	bool is_waiting;      /* for the relid of the same offer, made before and removed */
	bool is_close_due;    /* ops->channel_close to be called in this pass */
	bool is_response_due; /* CLOSE_RESERVED_RESPONSE, when the device has closed */
	bool wants_monitor;
	uint16_t relid;	     /* 0: none */
	uint16_t primary;    /* of a subchannel */
	uint16_t successor;  /* the same offer, made again, that is_waiting for our relid */
	uint16_t next;	     /* in the list sorted by key, or of free slots */
	uint16_t gpadls;     /* first of this channel's GPADLs */
	uint16_t ring_gpadl; /* in use by the device */
	uint32_t generation;
	void *context;	      /* device, borrowed; NULL once ops->channel_gone was called */
	uint32_t response_vp; /* if is_response_due */
	uint32_t response_sint;

	struct guid interface_id;
	struct guid instance_id;
	uint16_t subchannel_index;
	uint16_t flags;
	uint16_t mmio_megabytes;
	uint8_t user_data[VMBUS_USER_DATA_BYTES];

	struct server_open_request request; /* of the open in force, or stored for reopening */
};

struct server_gpadl {
	uint32_t id;
	uint8_t state; /* enum server_gpadl_state */
	bool is_held;  /* by the device */
	uint16_t channel;
	uint16_t range_count;
	uint16_t word_count;	 /* of the stream */
	uint16_t words_received; /* ≤ word_count */
	uint16_t next_in_bucket; /* or in the list of free ones */
	uint16_t next_in_channel;
	uint64_t *words; /* owned, by ops->allocate; NULL if word_count is 0 */
};

struct vmbus_server {
	struct vmbus_server_config config;
	const struct vmbus_server_ops *ops;
	void *ctx;

	/* connection */
	uint8_t state; /* enum server_connection_state */
	uint8_t next;  /* enum server_next */
	bool is_paused;
	bool is_reset_pending;
	bool has_server_pages; /* FEATURE_SERVER_MONITOR_PAGES in force */
	uint32_t version;      /* 0 unless negotiated or connected */
	uint32_t capabilities; /* VMBUS_CAP_* of version */
	uint32_t features;
	uint32_t message_vp;
	struct vmbus_server_pages pages;
	struct server_contact contact;

	/* channels */
	unsigned channel_limit;	 /* slots below were used */
	uint16_t channel_free;	 /* list */
	uint16_t channel_sorted; /* list of all that are not free, by key */
	unsigned offer_count;	 /* not removed */
	unsigned relid_count;	 /* assigned */
	unsigned busy_count;	 /* in state RELEASED */
	uint64_t monitor_ids[2]; /* bit: in use */
	uint16_t relid_slot[VMBUS_RELID_COUNT];
	struct server_channel channels[SERVER_CHANNEL_COUNT];

	/* GPADLs */
	unsigned gpadl_limit;
	uint16_t gpadl_free; /* list */
	unsigned gpadl_count;
	unsigned gpadl_words;
	uint16_t gpadl_bucket[SERVER_GPADL_BUCKETS];
	struct server_gpadl gpadls[SERVER_GPADL_COUNT];

	/* counters */
	uint64_t messages_in;
	uint64_t messages_out;
	uint64_t messages_lost;
	uint64_t rejected;
	uint64_t rejections[VMBUS_REJECTION_COUNT];
	enum vmbus_rejection last_rejection;

	/* messages that wait: each a length byte and the payload, wrapping */
	uint32_t queue_head; /* offset of the first */
	uint32_t queue_used; /* bytes */
	uint8_t queue[LIMIT_SERVER_QUEUE_BYTES];
};

/* One message, parsed as far as the table says. */
struct server_message {
	uint32_t type;
	uint32_t connection_id;
	const uint8_t *payload;
	size_t bytes;
	uint32_t relid; /* of messages that name a channel */
};

/* A handler does what the message asks, or says why not, having changed nothing. */
typedef enum vmbus_rejection (*server_handler)(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);

/* Copy the fixed part of a message, of which at least `bytes` are there; the rest zeros. */
void server_message_copy(const struct server_message *m, void *wire, size_t wire_bytes);

static inline bool server_has(const struct vmbus_server *s, uint32_t caps)
{
	return (s->capabilities & caps) == caps;
}

static inline bool server_is_connected(const struct vmbus_server *s)
{
	return s->state == SERVER_CONNECTION_NEGOTIATED || s->state == SERVER_CONNECTION_CONNECTED;
}

/* Opening, open or closing as a reserved channel. */
static inline bool server_channel_is_reserved(const struct server_channel *c)
{
	return c->request.is_reserved && c->device != SERVER_DEVICE_IDLE;
}

static inline uint16_t server_gpadl_slot(const struct vmbus_server *s, const struct server_gpadl *g)
{
	return (uint16_t)(g - s->gpadls);
}

/* Slot number of a channel or GPADL. */
static inline uint16_t server_channel_slot(
	const struct vmbus_server *s, const struct server_channel *c)
{
	return (uint16_t)(c - s->channels);
}

/* ---- server.c ---- */
/* The channel of an id, or NULL if the id is stale. */
struct server_channel *server_channel_by_id(struct vmbus_server *s, vmbus_server_id id);

/* ---- server_output.c ---- */
void server_queue_clear(struct vmbus_server *s);
bool server_is_backlogged(const struct vmbus_server *s);
/* Send to the connection's target, in order, now or later. */
void server_send(struct vmbus_server *s, const void *payload, size_t bytes);
/* Send to a target that a message named: now or never. */
void server_send_custom(
	struct vmbus_server *s, uint32_t vp, uint32_t sint, const void *payload, size_t bytes);
void server_send_header(struct vmbus_server *s, uint32_t type);
void server_send_gpadl_created(
	struct vmbus_server *s, uint32_t relid, uint32_t gpadl_id, uint32_t status);
void server_send_gpadl_torndown(struct vmbus_server *s, uint32_t gpadl_id);
/* To where the request says; then it may be lost. */
void server_send_open_result(
	struct vmbus_server *s, const struct server_channel *c, uint32_t status);

/* ---- server_connection.c ---- */
enum vmbus_rejection server_on_initiate_contact(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_request_offers(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_unload(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_pause(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_resume(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_modify_connection(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_tl_connect_request(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
/* Complete a disconnect if no device is busy any more. */
void server_disconnect_check(struct vmbus_server *s);

/* ---- server_offer.c ---- */
/* Offer all that is there, in order. */
void server_offers_send(struct vmbus_server *s);
/* Offer the channel, with `relid` or the lowest free one (0), if it can be offered now. */
void server_channel_offer(struct vmbus_server *s, struct server_channel *c, uint16_t relid);
/* Give back relid, monitor id and GPADLs: the guest does not know the channel any more. */
void server_channel_forget(struct vmbus_server *s, struct server_channel *c);
/* Forget a removed channel and free its slot; the same offer, made again, may follow. */
void server_channel_free(struct vmbus_server *s, struct server_channel *c);
/* The device of a removed offer is idle: take it out, for ops->channel_gone, once. */
void *server_channel_take_device(struct server_channel *c);
/* Send RESCIND for a REVOKING channel if nothing is in the way, then for its primary. */
void server_rescind_check(struct vmbus_server *s, struct server_channel *c);
enum vmbus_rejection server_on_rel_id_released(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);

/* ---- server_channel.c ---- */
/* The guest is gone: let go of all channels; reserved ones stay unless is_reset. */
void server_channels_disconnect(struct vmbus_server *s, bool is_reset);
/* Ask the device to close. */
void server_device_close(struct vmbus_server *s, struct server_channel *c);
enum vmbus_rejection server_on_open_channel(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_close_channel(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_open_reserved(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_close_reserved(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_modify_channel(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
void server_refuse_modify_channel(
	struct vmbus_server *s, const struct server_message *m, enum vmbus_rejection reason);

/* ---- server_gpadl.c ---- */
/* An accepted GPADL of the channel, or 0. */
uint16_t server_gpadl_find(
	const struct vmbus_server *s, const struct server_channel *c, uint32_t gpadl_id);
/* Forget those that are in progress: the guest has let go. */
void server_gpadls_abandon(struct vmbus_server *s, struct server_channel *c);
/* The device does not use memory of the channel any more: finish teardowns. */
void server_gpadls_let_go(struct vmbus_server *s, struct server_channel *c, bool tell_guest);
void server_gpadls_free(struct vmbus_server *s, struct server_channel *c);
/* Check the range stream of a ring. NONE: *gpns and *page_count are set. */
enum vmbus_rejection server_gpadl_ring(const struct vmbus_server *s, uint16_t gpadl,
	uint32_t downstream_page, const uint64_t **gpns, uint32_t *page_count);
enum vmbus_rejection server_on_gpadl_header(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_gpadl_body(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
enum vmbus_rejection server_on_gpadl_teardown(
	struct vmbus_server *s, struct server_channel *c, const struct server_message *m);
void server_refuse_gpadl_header(
	struct vmbus_server *s, const struct server_message *m, enum vmbus_rejection reason);

#endif
