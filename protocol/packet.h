// SPDX-License-Identifier: Apache-2.0
/*
 * Packets: what travels inside a VMBus ring (protocol/packet.md).
 *
 *	| descriptor 16 | extended header | payload | pad to 8 | trailer 8 |
 *	                ^ 16              ^ offset8 * 8        ^ length8 * 8
 *
 * This module holds the layouts, the builders and the parsers of everything in
 * a packet that is common to all devices: the descriptor, the page lists of
 * types 7 and 9, and the pipe header. protocol/ring.h moves whole packets;
 * device protocols (protocol/storage.h, ...) give meaning to payloads.
 *
 * Two kinds of memory are kept apart here. A `struct packet_view` points into
 * ring memory, which the peer may change at any moment: it may be copied, or
 * passed on as bulk data, but never looked at twice. Everything a parser hands
 * out as a number or a list is private: copied once, checked, final.
 *
 * Nothing is owned, allocated or global; functions are pure and may be called
 * from any thread. Sources: R-PKT-001 .. R-PKT-015, packet.md.
 */
#ifndef PROTOCOL_PACKET_H
#define PROTOCOL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/assert.h"
#include "protocol/cursor.h"

#ifdef __cplusplus
extern "C" {
#endif

enum packet_limit {
	PACKET_UNIT_BYTES = 8, /* lengths and offsets count these */
	PACKET_DESCRIPTOR_BYTES = 16,
	PACKET_TRAILER_BYTES = 8,
	PACKET_MAX_LENGTH8 = 65535,	  /* what a descriptor can say */
	PACKET_MAX_BYTES = 65535 * 8 + 8, /* the longest packet, trailer included */
	PACKET_PAGE_BYTES = 4096,
	PACKET_GPA_DIRECT_HEADER_BYTES = 8, /* extended header before the first range */
	PACKET_GPA_RANGE_HEADER_BYTES = 8,  /* range before its first page number */
	PACKET_TRANSFER_HEADER_BYTES = 8,   /* extended header before the first range */
	PACKET_TRANSFER_RANGE_BYTES = 8,
	PACKET_PIPE_HEADER_BYTES = 8,
	PACKET_PIPE_MAX_BYTES = 16384, /* data behind one pipe header */
};

/* Descriptor field `type`. Only these four are in use; the others are refused. */
enum packet_type {
	PACKET_TYPE_INBAND = 6,		/* both ways: the payload is all there is */
	PACKET_TYPE_TRANSFER_PAGES = 7, /* host to guest: data in an agreed buffer */
	PACKET_TYPE_GPA_DIRECT = 9,	/* guest to host: data in listed guest pages */
	PACKET_TYPE_COMPLETION = 11,	/* both ways: answers a transaction id */
};

/* Descriptor field `flags`. */
enum packet_flag {
	PACKET_FLAG_COMPLETION_REQUESTED = 0x0001,
};

/* Pipe header field `type`. Only PACKET_PIPE_DATA travels. */
enum packet_pipe_type {
	PACKET_PIPE_INVALID = 0,
	PACKET_PIPE_DATA = 1,
	PACKET_PIPE_PARTIAL = 2, /* written in place by a reader, never sent */
	PACKET_PIPE_SETUP_GPA_DIRECT = 3,
	PACKET_PIPE_TEARDOWN_GPA_DIRECT = 4,
	PACKET_PIPE_INDICATION_COMPLETE = 5,
};

/* ---- wire ------------------------------------------------------------- */

/* First 16 bytes of every packet. Both directions, all versions. */
struct packet_descriptor_wire {
	uint16_t type;		 /* enum packet_type */
	uint16_t offset8;	 /* payload starts here, in units of 8 from the packet's start */
	uint16_t length8;	 /* packet ends here, in units of 8, trailer not counted */
	uint16_t flags;		 /* enum packet_flag */
	uint64_t transaction_id; /* echoed by the completion */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct packet_descriptor_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct packet_descriptor_wire, type, 0);
PROTOCOL_ASSERT_OFFSET(struct packet_descriptor_wire, offset8, 2);
PROTOCOL_ASSERT_OFFSET(struct packet_descriptor_wire, length8, 4);
PROTOCOL_ASSERT_OFFSET(struct packet_descriptor_wire, flags, 6);
PROTOCOL_ASSERT_OFFSET(struct packet_descriptor_wire, transaction_id, 8);

/* Last 8 bytes of every packet, not counted in length8. */
struct packet_trailer_wire {
	uint32_t reserved;     /* 0 */
	uint32_t start_offset; /* ring offset of this packet's descriptor */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct packet_trailer_wire, 8);
PROTOCOL_ASSERT_OFFSET(struct packet_trailer_wire, reserved, 0);
PROTOCOL_ASSERT_OFFSET(struct packet_trailer_wire, start_offset, 4);

/* Extended header of type 7, at 16. Host to guest. Ranges follow. */
struct packet_transfer_pages_wire {
	uint16_t set_id;	 /* the buffer agreed on by the device's protocol */
	uint8_t sender_owns_set; /* boolean; not used by receivers */
	uint8_t reserved;	 /* ignored, may be anything */
	uint32_t range_count;	 /* exactly (offset8 * 8 - 24) / 8 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct packet_transfer_pages_wire, PACKET_TRANSFER_HEADER_BYTES);
PROTOCOL_ASSERT_OFFSET(struct packet_transfer_pages_wire, set_id, 0);
PROTOCOL_ASSERT_OFFSET(struct packet_transfer_pages_wire, sender_owns_set, 2);
PROTOCOL_ASSERT_OFFSET(struct packet_transfer_pages_wire, reserved, 3);
PROTOCOL_ASSERT_OFFSET(struct packet_transfer_pages_wire, range_count, 4);

/* One range of type 7: a piece of the agreed buffer. */
struct packet_transfer_range_wire {
	uint32_t byte_count;
	uint32_t byte_offset; /* from the start of the buffer */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct packet_transfer_range_wire, PACKET_TRANSFER_RANGE_BYTES);
PROTOCOL_ASSERT_OFFSET(struct packet_transfer_range_wire, byte_count, 0);
PROTOCOL_ASSERT_OFFSET(struct packet_transfer_range_wire, byte_offset, 4);

/* Extended header of type 9, at 16. Guest to host. Ranges follow. */
struct packet_gpa_direct_wire {
	uint32_t reserved;    /* ignored, may be anything */
	uint32_t range_count; /* >= 1 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct packet_gpa_direct_wire, PACKET_GPA_DIRECT_HEADER_BYTES);
PROTOCOL_ASSERT_OFFSET(struct packet_gpa_direct_wire, reserved, 0);
PROTOCOL_ASSERT_OFFSET(struct packet_gpa_direct_wire, range_count, 4);

/* One range of type 9; ceil((byte_offset + byte_count) / 4096) u64 page numbers follow. */
struct packet_gpa_range_wire {
	uint32_t byte_count;  /* >= 1 */
	uint32_t byte_offset; /* into the first page, 0..4095 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct packet_gpa_range_wire, PACKET_GPA_RANGE_HEADER_BYTES);
PROTOCOL_ASSERT_OFFSET(struct packet_gpa_range_wire, byte_count, 0);
PROTOCOL_ASSERT_OFFSET(struct packet_gpa_range_wire, byte_offset, 4);

/* Start of the payload on channels in pipe mode. */
struct packet_pipe_wire {
	uint32_t type;	 /* enum packet_pipe_type */
	uint32_t length; /* bytes of data that follow; 0 = end of stream */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct packet_pipe_wire, PACKET_PIPE_HEADER_BYTES);
PROTOCOL_ASSERT_OFFSET(struct packet_pipe_wire, type, 0);
PROTOCOL_ASSERT_OFFSET(struct packet_pipe_wire, length, 4);

/* ---- run-time --------------------------------------------------------- */

/*
 * Why the inside of a packet was refused. X(constant, word for logs). The packet
 * as such was well formed, so the ring goes on; what happens to the request or
 * the channel is the device's decision. Zero is "not refused".
 */
#define PACKET_REJECTS(X)                                                                          \
	X(PACKET_ACCEPTED, "accepted")                                                             \
	X(PACKET_REJECT_TYPE, "packet-type-unexpected")                                            \
	X(PACKET_REJECT_EXTENDED_SHORT, "extended-header-short")                                   \
	X(PACKET_REJECT_EXTENDED_TOO_LONG, "extended-header-past-receiver-limit")                  \
	X(PACKET_REJECT_NO_RANGE, "range-count-zero")                                              \
	X(PACKET_REJECT_RANGE_COUNT, "range-count-mismatch")                                       \
	X(PACKET_REJECT_RANGES_OVERRUN, "ranges-past-extended-header")                             \
	X(PACKET_REJECT_RANGE_EMPTY, "range-empty")                                                \
	X(PACKET_REJECT_RANGE_OFFSET, "range-offset-past-page")                                    \
	X(PACKET_REJECT_RANGE_OUTSIDE, "range-outside-buffer")                                     \
	X(PACKET_REJECT_TOTAL_BYTES, "ranges-past-receiver-limit")                                 \
	X(PACKET_REJECT_PAGE_NUMBER, "page-number-outside-memory")                                 \
	X(PACKET_REJECT_SET_ID, "transfer-page-set-unknown")                                       \
	X(PACKET_REJECT_PIPE_SHORT, "pipe-header-short")                                           \
	X(PACKET_REJECT_PIPE_TYPE, "pipe-type-unexpected")                                         \
	X(PACKET_REJECT_PIPE_LENGTH, "pipe-length-past-payload")                                   \
	X(PACKET_REJECT_PIPE_TOO_LONG, "pipe-length-past-limit")

#define PACKET_ENUMERATE(constant, word) constant,
enum packet_reject { PACKET_REJECTS(PACKET_ENUMERATE) PACKET_REJECT_COUNT };
#undef PACKET_ENUMERATE

/* The word for a reason, for logs and statistics; "unknown" outside the enum. */
const char *packet_reject_name(enum packet_reject reason);

/* The word for a descriptor type, for logs; "unknown" for the refused ones. */
const char *packet_type_name(uint16_t type);

/*
 * What a sender decides about a packet. The caller fills it and hands it to
 * ring_reserve() or ring_send().
 */
struct packet_header {
	uint16_t type;		 /* enum packet_type */
	uint16_t flags;		 /* enum packet_flag; 0 for a completion */
	uint32_t extended_bytes; /* of the extended header; multiple of 8; 0 unless type 7 or 9 */
	uint32_t payload_bytes;	 /* may be 0 */
	uint64_t transaction_id;
};

/*
 * A packet as the reader sees it. The numbers are private and checked; the two
 * pointers lead into ring memory (hostile, borrowed until the reader publishes
 * its index) or, after ring_receive(), into the receiver's own buffer.
 */
struct packet_view {
	uint16_t type;		 /* enum packet_type, one of the four */
	uint16_t flags;		 /* PACKET_FLAG_COMPLETION_REQUESTED or 0 */
	uint32_t extended_bytes; /* multiple of 8; >= 8 for types 7 and 9 */
	uint32_t payload_bytes;	 /* multiple of 8: the pad is included */
	uint32_t total_bytes;	 /* in the ring, descriptor and trailer included */
	uint64_t transaction_id;
	const uint8_t *extended; /* extended_bytes; aligned to 8 */
	const uint8_t *payload;	 /* payload_bytes; aligned to 8 */
};

/* True if the sender asked for a completion (R-PKT-001, R-PKT-002). */
static inline bool packet_wants_completion(const struct packet_view *v)
{
	return (v->flags & PACKET_FLAG_COMPLETION_REQUESTED) != 0;
}

/* Bytes a packet takes in the ring, pad and trailer included. */
static inline uint64_t packet_total_bytes(uint32_t extended_bytes, uint32_t payload_bytes)
{
	return PACKET_DESCRIPTOR_BYTES + (uint64_t)extended_bytes +
	       (((uint64_t)payload_bytes + 7) & ~(uint64_t)7) + PACKET_TRAILER_BYTES;
}

/*
 * Copy `count` bytes out of memory that a peer may change, exactly once: the
 * compiler is kept from reading the source again behind the caller's back.
 */
static inline void packet_copy_in(void *target, const void *source, size_t count)
{
	__builtin_memcpy(target, source, count);
	__asm__ volatile("" : : : "memory");
}

/* ---- GPA-direct (type 9) ---------------------------------------------- */

/* One range as a sender describes it. */
struct packet_gpa_range {
	uint32_t byte_count;  /* >= 1 */
	uint32_t byte_offset; /* into the first page, 0..4095 */
	const uint64_t *gpns; /* borrowed for the call; NULL: consecutive from first_gpn */
	uint64_t first_gpn;   /* used when gpns is NULL */
};

/* Page numbers that a range of these bytes takes. */
static inline uint32_t packet_gpa_pages(uint32_t byte_offset, uint32_t byte_count)
{
	return (uint32_t)(((uint64_t)byte_offset + byte_count + PACKET_PAGE_BYTES - 1) /
			  PACKET_PAGE_BYTES);
}

/*
 * Size of the extended header for `count` ranges, or 0 if there are none, one is
 * empty, one starts past its first page, or the header fits into no packet.
 */
uint32_t packet_gpa_direct_bytes(const struct packet_gpa_range *ranges, uint32_t count);

/*
 * Write the extended header of type 9 into `extended` (room for `extended_bytes`,
 * which must be what packet_gpa_direct_bytes() said; ring memory is fine: it is
 * only written). Returns 0 or -VIRIDIAN_EINVAL with nothing said about the bytes.
 */
int packet_gpa_direct_put(uint8_t *extended, uint32_t extended_bytes,
	const struct packet_gpa_range *ranges, uint32_t count);

/* What the receiver of a type 9 packet puts up with. */
struct packet_gpa_limits {
	uint64_t max_bytes; /* sum over all ranges */
	uint64_t end_gpn;   /* page numbers must be below this, <= 2^52 */
};

/* A checked, private list of ranges. Plain data; borrows the private copy. */
struct packet_gpa_list {
	const uint8_t *ranges; /* first range; borrowed until the copy goes away */
	uint32_t ranges_bytes; /* up to the end of the last range */
	uint32_t range_count;  /* >= 1 */
	uint32_t page_count;   /* page numbers in all ranges */
	uint64_t total_bytes;  /* sum of byte counts, >= 1 */
};

/*
 * Check an extended header of type 9 that is already private (R-PKT-006). On
 * PACKET_ACCEPTED `list` describes it and borrows it; else `list` is empty.
 * Words behind the last range are ignored. The work is linear in extended_bytes.
 */
enum packet_reject packet_gpa_direct_check(const void *extended, uint32_t extended_bytes,
	const struct packet_gpa_limits *limits, struct packet_gpa_list *list);

/*
 * Copy the extended header of `view` into `store` once and check the copy.
 * A header longer than store_bytes is PACKET_REJECT_EXTENDED_TOO_LONG; a packet
 * of another type is PACKET_REJECT_TYPE. `list` borrows `store`.
 */
enum packet_reject packet_gpa_direct_parse(const struct packet_view *view,
	const struct packet_gpa_limits *limits, void *store, uint32_t store_bytes,
	struct packet_gpa_list *list);

/* A contiguous run of guest-physical memory. */
struct packet_segment {
	uint64_t gpa;
	uint32_t bytes; /* >= 1 */
};

/* Walks a list in order; plain data. */
struct packet_gpa_iter {
	struct cursor words;
	uint32_t ranges_left;
	uint32_t bytes_left;  /* of the current range */
	uint32_t byte_offset; /* into the next page; 0 after the first */
};

/* Start at the first byte of `list`. */
struct packet_gpa_iter packet_gpa_iterate(const struct packet_gpa_list *list);

/*
 * Produce the next segment: pages of one range that follow one another in guest
 * memory come as one. Returns false at the end. The segments' bytes add up to
 * list->total_bytes (R-PKT-007).
 */
bool packet_gpa_next(struct packet_gpa_iter *iter, struct packet_segment *segment);

/* ---- transfer pages (type 7) ------------------------------------------ */

/* Size of the extended header for `count` ranges, 0 if count is 0 or too many. */
uint32_t packet_transfer_pages_bytes(uint32_t count);

/*
 * Write the extended header of type 7 (R-PKT-015). `extended_bytes` must be what
 * packet_transfer_pages_bytes() said. Returns 0 or -VIRIDIAN_EINVAL.
 */
int packet_transfer_pages_put(uint8_t *extended, uint32_t extended_bytes, uint16_t set_id,
	const struct packet_transfer_range_wire *ranges, uint32_t count);

/* A checked, private list of pieces of the agreed buffer. */
struct packet_transfer_list {
	const uint8_t *ranges; /* borrowed until the copy goes away */
	uint32_t range_count;
};

/*
 * Check an extended header of type 7 that is already private: the set id must be
 * `set_id` (R-PKT-010), the count must be exactly what the header's size says,
 * and every range must lie inside [0, buffer_bytes) without wrapping (R-PKT-008).
 * An empty range is legal anywhere up to the end of the buffer.
 */
enum packet_reject packet_transfer_pages_check(const void *extended, uint32_t extended_bytes,
	uint16_t set_id, uint32_t buffer_bytes, struct packet_transfer_list *list);

/* Copy the extended header of `view` into `store` once and check the copy. */
enum packet_reject packet_transfer_pages_parse(const struct packet_view *view, uint16_t set_id,
	uint32_t buffer_bytes, void *store, uint32_t store_bytes,
	struct packet_transfer_list *list);

/* Range `index` of a checked list; index < list->range_count, else all zeros. */
struct packet_transfer_range_wire packet_transfer_range(
	const struct packet_transfer_list *list, uint32_t index);

/* ---- pipe header ------------------------------------------------------ */

/* What a pipe packet carries. */
struct packet_pipe {
	const uint8_t *data; /* inside the payload that was parsed; as hostile as that was */
	uint32_t length;     /* 0..16384 and within the payload */
	bool is_end;	     /* length 0: the stream has ended */
};

/*
 * Read the pipe header of a payload (R-PKT-013), once: the payload may be ring
 * memory. Only type 1 is accepted.
 */
enum packet_reject packet_pipe_parse(
	const uint8_t *payload, uint32_t payload_bytes, struct packet_pipe *pipe);

/* Write a pipe header of type 1 over `length` <= 16384 bytes of data. */
void packet_pipe_put(uint8_t header[PACKET_PIPE_HEADER_BYTES], uint32_t length);

#ifdef __cplusplus
}
#endif

#endif
