// SPDX-License-Identifier: Apache-2.0
/*
 * Storage client (VSC): speaks protocol/storage.md over the rings of a storage
 * channel and its subchannels. A state machine without I/O: rings, packets and
 * time go in; packets, completions and events come out. It never sleeps,
 * allocates, or reads a clock.
 *
 *	program (vsc_disk, benchmarks, …)
 *	   |  storage_vsc_submit(request)           ^ request->done(), once
 *	storage_vsc*.c     handshake, queue, retries, deadlines, enumeration
 *	   |  ring.h                                ^ storage_vsc_drain()
 *	channels           storage_controller.h opens them on a vmbus
 *
 * Requests belong to the caller, from submit until done(). Their data is one range
 * of guest-physical memory that the host reads or writes directly: no copy is
 * made. Any number may be submitted; as many are in flight as there are slots and
 * ring space, the rest wait in order in a list through the requests themselves.
 *
 * A batch is published and signalled once:
 *
 *	for (i = 0; i < n; i++)
 *		storage_vsc_submit(&vsc, &requests[i]);
 *	storage_vsc_flush(&vsc);
 *
 * The host is hostile. A completion counts only if its transaction id (slot index
 * and generation) is outstanding on the channel that it came from; everything in
 * it is copied once, checked, then used. Each request is completed exactly once,
 * whatever the host does or omits: with its answer, by its deadline, or by
 * storage_vsc_stop().
 *
 * When a deadline passes, the LUN is reset and the request gets a time of grace. If
 * there is still no answer it is completed with -VIRIDIAN_ETIMEDOUT and
 * is_memory_lost: the host may still write to its data, which must not be used for
 * anything else until the channels have been closed.
 *
 * Threads: one owner. Callbacks run inside the calls of the owner, and may submit.
 * Rules: R-STOR-049 to R-STOR-056, R-STOR-062, R-PKT-003.
 */
#ifndef GUEST_VSC_STORAGE_VSC_H
#define GUEST_VSC_STORAGE_VSC_H

#include "guest/vsc/storage_vsc_scsi.h"
#include "guest/winhv/winhv.h"
#include "protocol/errors.h"
#include "protocol/ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct storage_vsc;
struct storage_vsc_lun;
struct storage_vsc_request;

#define STORAGE_VSC_CHANNELS_MAX 65u /* the primary and 64 subchannels */
#define STORAGE_VSC_SLOTS_MAX	 4096u
#define STORAGE_VSC_RETRIES_MAX	 5u
#define STORAGE_VSC_SCAN_BYTES	 8192u /* shared memory that enumeration needs */
#define STORAGE_VSC_DRAIN_MAX	 256u  /* a good budget for storage_vsc_drain() */

/* ---- requests ----------------------------------------------------------- */

enum storage_vsc_op {
	STORAGE_VSC_READ,
	STORAGE_VSC_WRITE,
	STORAGE_VSC_FLUSH, /* every completed write becomes durable; no data */
	STORAGE_VSC_UNMAP, /* lba, blocks; data: STORAGE_UNMAP_LIST_BYTES, filled by the caller */
	STORAGE_VSC_WRITE_SAME, /* lba, blocks; data: one block */
	STORAGE_VSC_SCSI,	/* any CDB: cdb, cdb_length, direction, data */
};

#define STORAGE_VSC_FUA	      0x01u /* WRITE: durable at completion */
#define STORAGE_VSC_MAY_UNMAP 0x02u /* WRITE_SAME: the blocks need not stay allocated */
#define STORAGE_VSC_NO_RETRY  0x04u /* report unit attentions and busy instead of trying again */

/*
 * Guest-physical memory: `bytes` from `offset` (0..4095) into the first page on.
 * Page numbers follow one another from first_gpn, or are listed in gpns (borrowed
 * until done). R-STOR-051: one range, so inner page boundaries are page aligned.
 */
struct storage_vsc_data {
	uint64_t first_gpn; /* used when gpns is NULL */
	const uint64_t *gpns;
	uint32_t offset;
	uint32_t bytes; /* 0: no data; at most storage_vsc.max_transfer_bytes */
};

struct storage_vsc_request {
	/* The caller's; kept in place until done(). */
	struct storage_vsc_lun *lun;
	uint8_t op;	    /* enum storage_vsc_op */
	uint8_t flags;	    /* STORAGE_VSC_* */
	uint8_t direction;  /* SCSI: enum storage_direction */
	uint8_t cdb_length; /* SCSI: 1..16 */
	uint32_t blocks;
	uint64_t lba;
	struct storage_vsc_data data;
	uint32_t timeout_ms; /* 0: the configured one */
	void (*done)(struct storage_vsc_request *request);
	void *ctx;

	/* The result, valid in done(). */
	int result;	      /* 0 or a negative VIRIDIAN_E* */
	uint32_t transferred; /* bytes; never more than data.bytes */
	uint8_t srb_status;   /* of the last answer, if there was one */
	uint8_t scsi_status;
	bool is_memory_lost; /* the host may still access data; see above */
	struct storage_sense sense;

	/* The client's own. */
	uint8_t state;
	uint8_t retries;
	uint32_t slot;
	uint64_t deadline;
	uint64_t not_before;
	struct storage_vsc_request *next;

	uint8_t cdb[STORAGE_CDB_BYTES_MAX]; /* SCSI: the caller's, zero padded */
};

/* True before a request is submitted and once it has ended, from before done() on. */
static inline bool storage_vsc_is_idle(const struct storage_vsc_request *request)
{
	return request->state == 0;
}

/* The page list of `bytes` at `offset` of `pages`; the range must lie inside. */
static inline struct storage_vsc_data storage_vsc_data_at(
	const struct winhv_pages *pages, size_t offset, uint32_t bytes)
{
	const uint64_t gpa = pages->gpa + offset;
	struct storage_vsc_data data = {0, 0, 0, 0};
	data.first_gpn = gpa / WINHV_PAGE_BYTES;
	data.offset = (uint32_t)(gpa % WINHV_PAGE_BYTES);
	data.bytes = bytes;
	return data;
}

/* ---- logical units ------------------------------------------------------ */

enum storage_vsc_lun_state {
	STORAGE_VSC_LUN_FREE = 0,
	STORAGE_VSC_LUN_PRESENT,
	STORAGE_VSC_LUN_GONE, /* removed; waits for storage_vsc_lun_release() and its requests */
};

/* The fixed parts of the three kinds of packets to this LUN, by enum storage_direction. */
struct storage_vsc_templates {
	struct storage_srb_packet_wire packet[3];
};

struct storage_vsc_lun {
	uint8_t state; /* enum storage_vsc_lun_state */
	uint8_t path, target, lun;
	bool is_released;
	bool needs_reset;
	bool is_seen;	      /* by the scan in progress */
	uint32_t outstanding; /* requests submitted and not done */
	struct storage_properties properties;
	struct storage_vsc_templates templates;
	void *user; /* the program's, for instance its file */
	uint64_t reads, writes, read_bytes, written_bytes, errors;
};

enum storage_vsc_event {
	STORAGE_VSC_LUN_ADDED,
	STORAGE_VSC_LUN_CHANGED, /* size, medium or write protection */
	/* No new requests; those in flight end with their own results. The program calls
	 * storage_vsc_lun_release() once it has forgotten the pointer, perhaps at once. */
	STORAGE_VSC_LUN_REMOVED,
};

/* ---- the client --------------------------------------------------------- */

enum storage_vsc_state {
	STORAGE_VSC_CLOSED,
	STORAGE_VSC_BEGIN, /* handshake: waiting for the answer to this operation */
	STORAGE_VSC_VERSION,
	STORAGE_VSC_PROPERTIES,
	STORAGE_VSC_END,
	STORAGE_VSC_READY,
	STORAGE_VSC_FAILED, /* error says why; only storage_vsc_stop() leads out */
	STORAGE_VSC_STATE_COUNT,
};

/* Why a packet from the host was refused. X(constant, word for logs) */
#define STORAGE_VSC_REJECTS(X)                                                                     \
	X(STORAGE_VSC_ACCEPTED, "accepted")                                                        \
	X(STORAGE_VSC_REJECT_TYPE, "packet-type-unexpected")                                       \
	X(STORAGE_VSC_REJECT_SHORT, "payload-short")                                               \
	X(STORAGE_VSC_REJECT_ID_ZERO, "transaction-id-zero")                                       \
	X(STORAGE_VSC_REJECT_ID_UNKNOWN, "transaction-id-unknown")                                 \
	X(STORAGE_VSC_REJECT_ID_STALE, "transaction-id-stale")                                     \
	X(STORAGE_VSC_REJECT_CHANNEL, "answered-on-another-channel")                               \
	X(STORAGE_VSC_REJECT_OPERATION, "operation-unexpected")                                    \
	X(STORAGE_VSC_REJECT_VERSION_ECHO, "version-not-echoed")                                   \
	X(STORAGE_VSC_REJECT_PROPERTIES, "properties-out-of-range")                                \
	X(STORAGE_VSC_REJECT_TRANSFER_LENGTH, "transfer-length-past-request")                      \
	X(STORAGE_VSC_REJECT_SENSE_LENGTH, "sense-length-past-reply")

#define STORAGE_VSC_ENUMERATE(constant, word) constant,
enum storage_vsc_reject { STORAGE_VSC_REJECTS(STORAGE_VSC_ENUMERATE) STORAGE_VSC_REJECT_COUNT };
#undef STORAGE_VSC_ENUMERATE

/* The word for a reason; "unknown" outside the enum. */
const char *storage_vsc_reject_name(enum storage_vsc_reject reason);
const char *storage_vsc_state_name(enum storage_vsc_state state);

/* A request in flight, by index of its transaction id. */
struct storage_vsc_slot {
	struct storage_vsc_request *request; /* NULL: free, or waits for a late answer */
	uint64_t deadline;		     /* 0: counts from the next storage_vsc_tick() on */
	uint32_t generation;		     /* upper half of the id; never 0 */
	uint32_t next_free;
	uint32_t next_new;
	uint8_t channel;
	bool is_busy;	  /* the host has the id */
	bool is_new;	  /* in the list of those whose time has not begun */
	bool is_aborting; /* its deadline has passed, the LUN was reset */
};

struct storage_vsc_channel {
	struct ring_reader *in; /* borrowed until storage_vsc_channel_remove() or _stop() */
	struct ring_writer *out;
	uint32_t in_flight;
	bool is_usable; /* takes new requests */
	bool is_dirty;	/* holds packets that are not published */
};

struct storage_vsc_config {
	uint16_t version_max;		/* STORAGE_VERSION_*; 0: the newest */
	uint16_t sub_channels;		/* wanted beside the primary, 0..64 */
	uint8_t path_count;		/* paths to enumerate, 1..8; 0: 1 */
	uint8_t target_count;		/* targets on each, 1..64; 0: 64 */
	uint32_t timeout_ms;		/* of a request; 0: 30000 */
	uint32_t grace_ms;		/* after a reset; 0: 10000 */
	uint32_t handshake_timeout_ms;	/* of each step; 0: 30000 */
	uint32_t rescan_interval_ms;	/* least time between two enumerations; 0: 100 */
	struct storage_vsc_slot *slots; /* borrowed for the client's life */
	uint32_t slot_count;		/* 1..STORAGE_VSC_SLOTS_MAX */
	struct storage_vsc_lun *luns;	/* borrowed likewise; at least 1 */
	uint32_t lun_count;
	struct winhv_pages scan_pages; /* STORAGE_VSC_SCAN_BYTES shared with the host, likewise */

	/* Publish what was read and written on a channel and signal the host if the ring rules
	 * ask for it: vmbus_channel_flush(). */
	void (*flush)(void *ctx, unsigned channel);
	/* The handshake ended: state is READY, or FAILED with an error. May be NULL. */
	void (*on_state)(void *ctx, struct storage_vsc *vsc);
	/* The host offers subchannels 1..storage_vsc.sub_channels_granted from now on; NULL: fine.
	 */
	void (*on_sub_channels)(void *ctx, struct storage_vsc *vsc);
	void (*on_lun)(void *ctx, struct storage_vsc *vsc, enum storage_vsc_event event,
		struct storage_vsc_lun *lun);
	/* An enumeration has ended; error 0, or why it was given up. May be NULL. */
	void (*on_scan)(void *ctx, struct storage_vsc *vsc, int error);
	void *ctx;
};

struct storage_vsc_counters {
	uint64_t submitted, completed, failed;
	uint64_t retries, timeouts, resets;
	uint64_t late_answers;	/* after their request had timed out */
	uint64_t memory_lost;	/* requests completed while the host had their memory */
	uint64_t notifications; /* ENUMERATE_BUS, REMOVE_DEVICE, EVENT_NOTIFICATION */
	uint64_t scans;
	uint64_t luns_ignored; /* seen by a scan but of no use, or no room for them */
	uint64_t rejections[STORAGE_VSC_REJECT_COUNT];
};

/* A control operation (anything but EXECUTE_SRB): one at a time. */
struct storage_vsc_control {
	uint32_t operation; /* enum storage_operation; 0: none in flight */
	uint32_t generation;
	uint64_t deadline;     /* 0: counts from the next tick on */
	uint32_t packet_bytes; /* of the request in flight */
	bool is_bus_reset_due;
	bool is_lun_reset_due; /* some LUN has needs_reset */
	bool is_sub_channels_due;
};

struct storage_vsc_list {
	struct storage_vsc_request *head, *tail;
};

/* Enumeration in progress; storage_vsc_scan.c. */
struct storage_vsc_scan {
	bool is_running;
	bool is_due;	   /* another one is wanted */
	bool is_broken;	   /* the host still has the scan's memory */
	bool is_no_medium; /* the LUN being identified said so */
	bool has_mode;	   /* its mode pages were read */
	uint8_t path, target;
	uint8_t step;
	uint64_t luns[4]; /* of this target, not yet identified */
	uint64_t not_before;
	struct storage_vsc_lun candidate; /* being identified: address, templates, properties */
	struct storage_vsc_request request;
	uint8_t copy[STORAGE_LUNS_LIST_BYTES]; /* private copy of a reply */
};

/* Plain data; fields are the program's to read. */
struct storage_vsc {
	/* every request */
	uint8_t state; /* enum storage_vsc_state */
	uint8_t channel_count;
	uint8_t channel_next;  /* where the next request goes */
	uint8_t channel_run;   /* requests left before the next channel's turn */
	uint16_t packet_bytes; /* 48 or 64 */
	uint16_t sense_bytes;
	uint32_t free_head; /* slot index; UINT32_MAX: none */
	uint32_t new_head;  /* likewise, by next_new */
	uint32_t in_flight;
	uint32_t max_transfer_bytes; /* of one request, by the host's word and by the rings */
	struct storage_vsc_slot *slots;
	uint64_t now;	   /* 100 ns; as of the last storage_vsc_tick() */
	uint64_t earliest; /* no deadline or delayed retry is due before */
	uint64_t timeout_100ns;
	struct storage_vsc_list waiting; /* for a slot, ring space, or a channel */
	struct storage_vsc_list delayed; /* until not_before */
	struct storage_vsc_channel channels[STORAGE_VSC_CHANNELS_MAX];
	/* rarely */
	struct storage_vsc_config config;
	const struct storage_version *version; /* negotiated, NULL before */
	unsigned version_index;		       /* being tried */
	int error;			       /* why FAILED */
	bool is_state_news;		       /* on_state() has not been called for it */
	uint16_t sub_channels_offered;	       /* the host's maximum; 0: single channel */
	uint16_t sub_channels_granted;	       /* created */
	struct storage_vsc_control control;
	struct storage_vsc_scan scan;
	struct storage_vsc_counters counters;
	enum storage_vsc_reject last_reject;
};

/*
 * Prepare a client in state CLOSED. -VIRIDIAN_EINVAL if the configuration is out of range.
 * The slots and LUNs are cleared.
 */
int storage_vsc_init(struct storage_vsc *vsc, const struct storage_vsc_config *config);

/*
 * The primary channel is open: start the handshake. `now` in 100 ns, as for
 * storage_vsc_tick(). on_state() tells the outcome. 0, or -VIRIDIAN_EBUSY if not CLOSED.
 */
int storage_vsc_start(
	struct storage_vsc *vsc, struct ring_reader *in, struct ring_writer *out, uint64_t now);

/* A subchannel is open; *index gets its number for storage_vsc_drain(). -VIRIDIAN_ENOMEM: full. */
int storage_vsc_channel_add(
	struct storage_vsc *vsc, struct ring_reader *in, struct ring_writer *out, unsigned *index);
/* Give it no new requests (it was rescinded, or will be closed). */
void storage_vsc_channel_retire(struct storage_vsc *vsc, unsigned index);
/*
 * A subchannel has been closed. What it had in flight goes out again on the others, bounded
 * like any retry; if the close was not confirmed (is_memory_lost) it fails with
 * -VIRIDIAN_ENODEV instead.
 */
void storage_vsc_channel_remove(struct storage_vsc *vsc, unsigned index, bool is_memory_lost);

/*
 * Take up to `budget` packets from a channel's incoming ring, complete requests, start waiting
 * ones, and flush the channels that were touched. Returns the number taken, or -VIRIDIAN_EPROTO
 * if the ring is corrupt (the client is FAILED if it was the primary, else retire the channel).
 */
int storage_vsc_drain(struct storage_vsc *vsc, unsigned channel, unsigned budget);

/*
 * Time has come to `now`: deadlines, delayed retries, enumeration. Returns the time of the next
 * call that is needed, UINT64_MAX if none is. Cheap when nothing is due. The time of what was
 * submitted since the last call begins now, so that a program that was busy, or stopped, sees
 * nothing expire that the host never had the time to do.
 */
uint64_t storage_vsc_tick(struct storage_vsc *vsc, uint64_t now);

/* Publish what was submitted. */
void storage_vsc_flush(struct storage_vsc *vsc);

/*
 * Submit a request; done() will run once, but not before this returns. Nothing is published
 * before storage_vsc_flush(). 0, or with no done() to come: -VIRIDIAN_ENODEV (not READY, or the
 * LUN is gone), -VIRIDIAN_EINVAL (past the end of the medium, lengths that do not fit together),
 * -VIRIDIAN_EMSGSIZE (more than max_transfer_bytes), -VIRIDIAN_EROFS, -VIRIDIAN_ENOTSUP.
 */
int storage_vsc_submit(struct storage_vsc *vsc, struct storage_vsc_request *request);

/* Reset one LUN, or the bus (lun NULL). Answers arrive by the requests that the reset ends. */
int storage_vsc_reset(struct storage_vsc *vsc, struct storage_vsc_lun *lun);

/* Enumerate (again): ends with on_scan(). -VIRIDIAN_ENODEV if not READY. */
int storage_vsc_rescan(struct storage_vsc *vsc);

/* A LUN that was reported REMOVED is forgotten. */
void storage_vsc_lun_release(struct storage_vsc *vsc, struct storage_vsc_lun *lun);

/* The present LUN at an address, or NULL. */
struct storage_vsc_lun *storage_vsc_lun_find(
	struct storage_vsc *vsc, unsigned path, unsigned target, unsigned lun);

/*
 * A LUN at a known address without enumeration: *out takes commands of op SCSI, and READ and
 * WRITE if `properties` has blocks and block_bytes. -VIRIDIAN_EEXIST, -VIRIDIAN_ENOMEM.
 */
int storage_vsc_lun_attach(struct storage_vsc *vsc, unsigned path, unsigned target, unsigned lun,
	const struct storage_properties *properties, struct storage_vsc_lun **out);

/*
 * All channels are closed (is_memory_lost: without the host's confirmation): complete every
 * request with `error`, remove every LUN, go to CLOSED. Afterwards storage_vsc_start() may
 * begin anew.
 */
void storage_vsc_stop(struct storage_vsc *vsc, int error, bool is_memory_lost);

/* One line for logs: state, version, channels, requests. Returns `text`. */
char *storage_vsc_describe(const struct storage_vsc *vsc, char *text, size_t bytes);

#endif
