// SPDX-License-Identifier: Apache-2.0
/*
 * The storage VSP: one SCSI controller (or IDE accelerator) as the guest sees it.
 * The protocol machine of protocol/storage.md, and the LUNs behind it.
 *
 *	storage_provider.c: rings, GPA lists -> iovecs     host: attach, detach
 *	   |  storage_request_begin/_submit    ^ ops             |
 *	storage_vsp.c: states, SRBs, replies  <------------------+
 *	   |  scsi_execute()                   ^ done()
 *	scsi_device.h
 *
 * The machine knows no ring, no guest memory map and no operating system. Packets
 * come in as bytes, with the data buffer as a list of mapped, bounds-checked pieces
 * of memory; replies go out as bytes. It owns fixed pools of requests, one for each
 * channel; when a pool is empty, packets stay in the ring and the guest feels it
 * (R-PKT-014).
 *
 * States: BEGIN -> QUERY_VERSION -> QUERY_PROPERTIES -> END_INITIALIZATION -> READY,
 * back to BEGIN when the primary channel closes.
 *
 * Threads: everything on the event loop of the controller's channels.
 */
#ifndef HOST_VSP_STORAGE_VSP_H
#define HOST_VSP_STORAGE_VSP_H

#include "host/vsp/scsi_device.h"
#include "protocol/storage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define STORAGE_REQUESTS_MAX	 1024u /* limit of config.requests */
#define STORAGE_REQUESTS_DEFAULT 256u  /* in flight, a channel; more wait in the ring */
#define STORAGE_SUB_CHANNELS_MAX 63u

struct storage_vsp;
struct storage_channel;

struct storage_vsp_config {
	unsigned requests;	     /* a channel, 1..STORAGE_REQUESTS_MAX; 0: default */
	uint16_t max_sub_channels;   /* 0: no multi-channel; ≤ STORAGE_SUB_CHANNELS_MAX */
	uint16_t version_max;	     /* highest STORAGE_VERSION_* to accept; 0: all */
	uint32_t max_transfer_bytes; /* 0: default; multiple of 4096, ≤ 8 MiB */
	bool is_ide;		     /* IDE accelerator: one device; the SRB's path is ignored */
	uint8_t ide_channel;
	uint64_t port; /* names this controller in persistent reservations */
};

/* Outputs. Called when the machine's state is consistent: they may call back in, but must not
 * destroy the controller. */
struct storage_vsp_ops {
	/*
	 * Send a completion. `bytes` ≤ STORAGE_PACKET_BYTES_MAX. The caller of
	 * storage_request_begin() has made sure that there is room for it.
	 */
	void (*complete)(
		void *channel_ctx, uint64_t transaction_id, const void *reply, size_t bytes);
	/* storage_vsp_notification() has something to send on the primary channel. */
	void (*notify)(void *channel_ctx);
	/* A sub-channel's packets, held so far, may be read now. */
	void (*resume)(void *channel_ctx);
	/* Offer sub-channels 1..count, as far as they are not offered. 0 or a negative errno. */
	int (*sub_channels)(void *ctx, unsigned count);
	/* A closing channel has no request left: it touches no guest memory any more. */
	void (*idle)(void *channel_ctx);
};

enum storage_state {
	STORAGE_STATE_BEGIN,
	STORAGE_STATE_QUERY_VERSION,
	STORAGE_STATE_QUERY_PROPERTIES,
	STORAGE_STATE_END_INITIALIZATION,
	STORAGE_STATE_READY,
	STORAGE_STATE_COUNT,
};
const char *storage_state_name(enum storage_state state);

/* Why a packet was refused or answered with an error. X(name, text for logs) */
#define STORAGE_REJECTS(X)                                                                         \
	X(PACKET_SHORT, "payload shorter than a packet header")                                    \
	X(PACKET_TYPE, "packet type that a guest does not send")                                   \
	X(COMPLETION, "completion of a request that the host did not make")                        \
	X(NO_COMPLETION, "request that asks for no completion")                                    \
	X(OPERATION, "unknown operation")                                                          \
	X(STATE, "operation not legal in this state")                                              \
	X(SUB_CHANNEL, "control operation on a sub-channel")                                       \
	X(VERSION, "protocol version not spoken")                                                  \
	X(PARAMETERS, "payload too short for its operation")                                       \
	X(SUB_CHANNEL_COUNT, "more sub-channels than offered")                                     \
	X(DATA_LENGTH, "data length beyond the data buffer")                                       \
	X(DATA_RANGES, "page list malformed, not one range, or beyond the maximum transfer")       \
	X(DATA_MEMORY, "data buffer outside guest memory")                                         \
	X(CDB_LENGTH, "CDB length not 1 to 16")

enum storage_reject {
#define STORAGE_REJECT_ENUM(name, text) STORAGE_REJECT_##name,
	STORAGE_REJECTS(STORAGE_REJECT_ENUM)
#undef STORAGE_REJECT_ENUM
		STORAGE_REJECT_COUNT,
};
const char *storage_reject_text(enum storage_reject reason);

struct storage_statistics {
	uint64_t commands; /* SRBs executed */
	uint64_t failures; /* of these, not GOOD */
	uint64_t bytes_in; /* to the guest */
	uint64_t bytes_out;
	uint64_t rejects[STORAGE_REJECT_COUNT];
};

struct storage_address {
	uint8_t path;	/* 0..7 */
	uint8_t target; /* 0..63 */
	uint8_t lun;	/* 0..254 */
};

/* One packet of the guest on its way. */
struct storage_request {
	struct scsi_request scsi; /* first: done() converts the pointer */
	struct storage_channel *channel;
	struct storage_lun *lun;
	uint64_t transaction_id;
	uint32_t reply_bytes; /* room that the request's payload gives the reply */
	uint8_t sense_room;
	bool disables_autosense;
	bool is_active;

	/* The caller of storage_request_begin() fills these. */
	enum storage_data {
		STORAGE_DATA_ABSENT,  /* in-band packet */
		STORAGE_DATA_MAPPED,  /* iov describes the data buffer */
		STORAGE_DATA_INVALID, /* malformed page list: STORAGE_REJECT_DATA_RANGES */
		STORAGE_DATA_OUTSIDE, /* not guest memory: STORAGE_REJECT_DATA_MEMORY */
	} data;
	unsigned iov_count;
	uint32_t iov_bytes; /* sum over iov */

	struct storage_request *next_free;
	struct iovec iov[]; /* max_transfer_bytes / 4096 + 1 */
};

struct storage_channel {
	struct storage_vsp *vsp;
	void *ctx;	/* for ops */
	uint16_t index; /* 0: primary */
	bool is_open;
	bool is_closing;
	unsigned outstanding;
	/* Pool: LIFO of used requests, then the never used ones. */
	struct storage_request *free;
	unsigned fresh;
	uint8_t *requests; /* owned; config.requests of vsp->request_bytes */
	/* Where the last command's LUN has its blocks in memory; see storage_channel_hint(). */
	const uint8_t *hint_memory; /* NULL: nowhere. Never read, so it may be stale */
	uint64_t hint_blocks;
	uint8_t hint_shift;
};

/* ---- controllers --------------------------------------------------------------------------- */

/*
 * Make a controller without LUNs. ops and ctx are borrowed for its life. Returns 0,
 * -EINVAL (config out of range) or -ENOMEM.
 */
int storage_vsp_create(const struct storage_vsp_config *config, const struct storage_vsp_ops *ops,
	void *ctx, struct storage_vsp **out);
/* All channels are closed and all LUNs detached. */
void storage_vsp_destroy(struct storage_vsp *vsp);

/*
 * Put a device at an address. The device is borrowed until detached. A guest that is
 * READY is told (R-STOR-020). Returns 0; -EINVAL (address; IDE: not target 0 or 1, LUN 0);
 * -EEXIST (taken, or its last device still has requests in flight); -ENOSPC (64 targets
 * in use, or the device is attached too often); -ENOMEM.
 */
int storage_vsp_attach(
	struct storage_vsp *vsp, struct storage_address address, struct scsi_device *device);

/*
 * Take a device away: the guest finds nothing there from now on, and is told. done()
 * runs, perhaps at once, when the last request to it has ended: the device is then the
 * caller's. Returns 0 or -ENOENT.
 */
int storage_vsp_detach(struct storage_vsp *vsp, struct storage_address address,
	void (*done)(void *ctx, struct scsi_device *device), void *ctx);

/* The device at an address, or NULL. */
struct scsi_device *storage_vsp_device(struct storage_vsp *vsp, struct storage_address address);
/* Call `fn` for each attached device, in ascending order of addresses. */
void storage_vsp_devices_visit(struct storage_vsp *vsp,
	void (*fn)(void *ctx, struct storage_address address, struct scsi_device *device),
	void *ctx);

/* ---- channels ------------------------------------------------------------------------------ */

/* Channel `index` (0: primary) opens. NULL: no such channel, or it is not closed yet. */
struct storage_channel *storage_channel_open(struct storage_vsp *vsp, uint16_t index, void *ctx);
/*
 * The channel closes: requests in flight are hurried, nothing more is sent, and idle()
 * is called, perhaps at once, when none is left (R-STOR-018). The primary's closing
 * takes the machine back to BEGIN (R-STOR-017).
 */
void storage_channel_close(struct storage_channel *channel);

/* True if a packet may be read now: open, a request is free, no sub-channel before READY. */
bool storage_channel_can_take(const struct storage_channel *channel);

/*
 * Take a request from the pool for one packet, whose reply has room. NULL unless
 * storage_channel_can_take(). The caller sets data, iov, iov_count and iov_bytes, and
 * hands it to storage_request_submit() or, if the packet wants no reply,
 * storage_request_reject().
 */
struct storage_request *storage_request_begin(struct storage_channel *channel);

/*
 * Execute the packet. `payload` may be memory that the guest changes: it is copied once
 * (R-STOR-048). Exactly one ops->complete() follows, perhaps before this returns;
 * none if the packet is too short to be answered (it is counted).
 */
void storage_request_submit(struct storage_request *request, uint64_t transaction_id,
	const void *payload, size_t bytes);
/* Give the request back without an answer. */
void storage_request_reject(struct storage_request *request, enum storage_reject reason);

/*
 * A packet with this payload will be submitted next. If the channel's last command went to
 * blocks in memory, this one probably does: fetch the start of its blocks into the
 * processor's caches while something else is done. (More than a few lines get in the way of a
 * copy going on; the processor fetches the rest once it sees where the copy goes.) Looks at
 * memory that the guest changes, and decides nothing by it.
 */
static inline void storage_channel_hint(
	const struct storage_channel *channel, const uint8_t *payload, size_t bytes)
{
	enum { LINE_BYTES = 64, LINES = 6, CDB = 28 };
	if (!channel->hint_memory || bytes < STORAGE_PACKET_BYTES_WIN7)
		return;
	const uint8_t opcode = payload[CDB];
	uint64_t lba;
	if (opcode == SCSI_OP_READ_10 || opcode == SCSI_OP_WRITE_10)
		lba = scsi_get32(payload + CDB + 2);
	else if (opcode == SCSI_OP_READ_16 || opcode == SCSI_OP_WRITE_16)
		lba = scsi_get64(payload + CDB + 2);
	else
		return;
	if (lba >= channel->hint_blocks)
		return;
	const uint8_t *at = channel->hint_memory + (lba << channel->hint_shift);
	for (unsigned i = 0; i < LINES; i++)
		__builtin_prefetch(at + (size_t)i * LINE_BYTES, 0, 3);
	/* GCC finds that a function of prefetches has no effect, and drops the call. */
	__asm__ volatile("" : : "r"(at));
}

/*
 * Write the pending unsolicited packet into `packet` (STORAGE_PACKET_BYTES_MAX) and
 * forget it. Returns its bytes, 0 if there is none.
 */
size_t storage_vsp_notification(struct storage_vsp *vsp, void *packet);
bool storage_vsp_has_notification(const struct storage_vsp *vsp);

/* ---- looking at it ------------------------------------------------------------------------- */

enum storage_state storage_vsp_state(const struct storage_vsp *vsp);
/* The negotiated version, NULL before. */
const struct storage_version *storage_vsp_version(const struct storage_vsp *vsp);
uint32_t storage_vsp_max_transfer_bytes(const struct storage_vsp *vsp);
const struct storage_statistics *storage_vsp_statistics(const struct storage_vsp *vsp);
/* One line for logs and status; returns what snprintf() returns. */
int storage_vsp_describe(const struct storage_vsp *vsp, char *text, size_t bytes);

#endif
