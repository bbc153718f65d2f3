// SPDX-License-Identifier: Apache-2.0
/*
 * The framework of the integration components (IC): framing, version negotiation
 * and the checks that both ends make before they look at a component's own body.
 *
 *	VMBus packet payload = pipe header (8, struct packet_pipe_wire) | IC header (20) | body
 *
 * The host speaks first, with a list of versions; the guest answers each request
 * with one response. `ic.md` has the rules (R-IC-…) that this code implements.
 *
 * Everything here is a pure function over bytes: no allocation, no state, no OS.
 * Thread-safe as long as the caller's buffers are its own. The bytes given in must
 * be private (copied out of the ring), because they are looked at more than once.
 *
 * Sources: ic.md; behaviour of Linux 6.1 and 6.12 guests in tests/data/ic.txt.
 */
#ifndef PROTOCOL_IC_H
#define PROTOCOL_IC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/assert.h"
#include "protocol/packet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- numbers ------------------------------------------------------------------------------ */

#define IC_HEADER_BYTES	       20u /* IC header */
#define IC_OVERHEAD_BYTES      28u /* both: where the body starts in the payload */
#define IC_NEGOTIATE_BYTES     8u  /* counts and reserved word, before the versions */
#define IC_VERSION_BYTES       4u
#define IC_MESSAGE_MAX_BYTES   13312u /* IC header and body (R-IC-014) */
#define IC_PAYLOAD_MAX_BYTES   (PACKET_PIPE_HEADER_BYTES + IC_MESSAGE_MAX_BYTES)
#define IC_VERSIONS_MAX	       100u /* entries of one list (R-IC-011) */
#define IC_ANSWER_BODY_BYTES   16u  /* body of a negotiation answer: counts and one pair */
#define IC_NEGOTIATE_MAX_BYTES (IC_OVERHEAD_BYTES + IC_NEGOTIATE_BYTES + 8u * IC_VERSIONS_MAX)

enum ic_type {
	IC_TYPE_NEGOTIATE = 0,
	IC_TYPE_HEARTBEAT = 1,
	IC_TYPE_KVP = 2,
	IC_TYPE_SHUTDOWN = 3,
	IC_TYPE_TIMESYNC = 4,
	IC_TYPE_VSS = 5,
	IC_TYPE_RDV = 6,
	IC_TYPE_FCOPY = 7,
	IC_TYPE_VM_SESSION = 8,
};

enum ic_flag {
	IC_FLAG_TRANSACTION = 1, /* the sender wants an answer, or this is one */
	IC_FLAG_REQUEST = 2,
	IC_FLAG_RESPONSE = 4,
};
#define IC_FLAGS_REQUEST  3u /* transaction and request */
#define IC_FLAGS_RESPONSE 5u /* transaction and response */

/* Status of a response, HRESULT numbers. */
#define IC_STATUS_SUCCESS	       0x00000000u
#define IC_STATUS_FAIL		       0x80004005u
#define IC_STATUS_NOT_FOUND	       0x80041002u
#define IC_STATUS_NOT_SUPPORTED	       0x80070032u
#define IC_STATUS_ALREADY_EXISTS       0x80070050u
#define IC_STATUS_INVALID_ARGUMENT     0x80070057u
#define IC_STATUS_DISK_FULL	       0x80070070u
#define IC_STATUS_NO_MORE_ITEMS	       0x80070103u
#define IC_STATUS_DEVICE_NOT_CONNECTED 0x8007048Fu
#define IC_STATUS_MACHINE_LOCKED       0x800704F7u

/* --- wire --------------------------------------------------------------------------------- */

/* A version in negotiation, and in run-time lists alike. */
struct ic_version_wire {
	uint16_t major;
	uint16_t minor;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct ic_version_wire, IC_VERSION_BYTES);
PROTOCOL_ASSERT_OFFSET(struct ic_version_wire, major, 0);
PROTOCOL_ASSERT_OFFSET(struct ic_version_wire, minor, 2);

/* Both directions, after the pipe header. */
struct ic_header_wire {
	struct ic_version_wire framework; /* 0.0 in negotiation, the agreed one later */
	uint16_t type;			  /* enum ic_type */
	struct ic_version_wire message;	  /* 0.0 in negotiation, the agreed one later */
	uint16_t body_bytes;		  /* of the body; the payload may be longer */
	uint32_t status;		  /* IC_STATUS_*; 0 in requests */
	uint8_t transaction_id;		  /* the host's choice; echoed */
	uint8_t flags;			  /* enum ic_flag */
	uint8_t reserved[2];		  /* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct ic_header_wire, IC_HEADER_BYTES);
PROTOCOL_ASSERT_OFFSET(struct ic_header_wire, framework, 0);
PROTOCOL_ASSERT_OFFSET(struct ic_header_wire, type, 4);
PROTOCOL_ASSERT_OFFSET(struct ic_header_wire, message, 6);
PROTOCOL_ASSERT_OFFSET(struct ic_header_wire, body_bytes, 10);
PROTOCOL_ASSERT_OFFSET(struct ic_header_wire, status, 12);
PROTOCOL_ASSERT_OFFSET(struct ic_header_wire, transaction_id, 16);
PROTOCOL_ASSERT_OFFSET(struct ic_header_wire, flags, 17);
PROTOCOL_ASSERT_OFFSET(struct ic_header_wire, reserved, 18);

/* Body of a negotiation; the versions follow, framework versions first. */
struct ic_negotiate_wire {
	uint16_t framework_count; /* request: 1..100; answer: 1, or 0 for none in common */
	uint16_t message_count;	  /* likewise */
	uint32_t reserved;	  /* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct ic_negotiate_wire, IC_NEGOTIATE_BYTES);
PROTOCOL_ASSERT_OFFSET(struct ic_negotiate_wire, framework_count, 0);
PROTOCOL_ASSERT_OFFSET(struct ic_negotiate_wire, message_count, 2);
PROTOCOL_ASSERT_OFFSET(struct ic_negotiate_wire, reserved, 4);

/* --- run time ----------------------------------------------------------------------------- */

/* Versions that one side supports, lowest first. `at` is borrowed, constant. */
struct ic_version_list {
	const struct ic_version_wire *at;
	uint16_t count; /* 1..IC_VERSIONS_MAX */
};

/* What both sides settled on. */
struct ic_agreement {
	struct ic_version_wire framework;
	struct ic_version_wire message;
};

/* A component as the contract knows it: a row of ic_component_table. */
struct ic_component {
	uint16_t type;			   /* enum ic_type */
	const char *name;		   /* for logs and status */
	struct ic_version_list frameworks; /* every known version */
	struct ic_version_list messages;   /* every known version */
};

/*
 * Why a message, or an answer to a negotiation, was not taken. Counted by whoever
 * decodes; ic_rejection_name() names them. X(symbol, name)
 */
#define IC_REJECTIONS(X)                                                                           \
	X(IC_OK, "accepted")                                                                       \
	X(IC_REJECT_PACKET_TYPE, "packet is not in-band data")                                     \
	X(IC_REJECT_SHORT, "shorter than its headers")                                             \
	X(IC_REJECT_PIPE_TYPE, "pipe packet type is not data")                                     \
	X(IC_REJECT_PIPE_LENGTH, "pipe length past the packet")                                    \
	X(IC_REJECT_TOO_LONG, "message longer than 13312 bytes")                                   \
	X(IC_REJECT_BODY_BYTES, "body size past the message")                                      \
	X(IC_REJECT_FLAGS, "wrong flags for its direction")                                        \
	X(IC_REJECT_TYPE, "message type is not this component's")                                  \
	X(IC_REJECT_BODY_SHORT, "body shorter than the message type needs")                        \
	X(IC_REJECT_BODY_CONTENT, "body breaks a rule of its component")                           \
	X(IC_REJECT_VERSION_COUNT, "version count is zero or over 100")                            \
	X(IC_REJECT_VERSION_LIST, "version list past the body")                                    \
	X(IC_REJECT_NO_COMMON_VERSION, "no version in common")                                     \
	X(IC_REJECT_NOT_OFFERED, "answered with a version that was not offered")                   \
	X(IC_REJECT_NOT_NEGOTIATED, "request before version negotiation")                          \
	X(IC_REJECT_UNSOLICITED, "response without a request")                                     \
	X(IC_REJECT_TRANSACTION_ID, "response to another transaction")                             \
	X(IC_REJECT_STALE, "stale response during negotiation")                                    \
	X(IC_REJECT_STATUS, "peer answered with a failure status")                                 \
	X(IC_REJECT_BUSY, "request while another is pending")                                      \
	X(IC_REJECT_FLOOD, "too many rejected messages")                                           \
	X(IC_REJECT_CLOSED, "channel is not open")

enum ic_rejection {
#define IC_REJECTION_ENUM(symbol, name) symbol,
	IC_REJECTIONS(IC_REJECTION_ENUM)
#undef IC_REJECTION_ENUM
		IC_REJECTION_COUNT
};

/* A message whose framing holds: header in host order, body inside the caller's bytes. */
struct ic_message {
	struct ic_header_wire header;
	const uint8_t *body;   /* borrowed from the decoded bytes */
	size_t body_bytes;     /* header.body_bytes, checked */
	size_t capacity_bytes; /* from body to the end of the pipe message; >= body_bytes */
};

/* Name of a rejection, constant; "unknown" for a number outside the enumeration. */
const char *ic_rejection_name(enum ic_rejection rejection);

/* Name of a message type ("heartbeat", …), constant; "unknown" for others. */
const char *ic_type_name(uint16_t type);

/* Row of a component type, or NULL. NEGOTIATE, RDV and VM_SESSION have none. */
const struct ic_component *ic_component_find(uint16_t type);

/* Rows of the component table, sorted by type; *count receives how many. */
const struct ic_component *ic_component_table(size_t *count);

/* <0, 0, >0 as a is lower than, equal to, higher than b: major first, then minor. */
int ic_version_compare(struct ic_version_wire a, struct ic_version_wire b);

/*
 * Check the framing of one packet payload (R-IC-010, R-IC-012, R-IC-014, R-IC-030,
 * R-IC-031). `len` may include padding. On IC_OK fills *out, whose body points into
 * `bytes`; on a rejection *out is not to be used.
 */
enum ic_rejection ic_message_decode(const void *bytes, size_t len, struct ic_message *out);

/*
 * Write the framing of a message with `body_bytes` of body at IC_OVERHEAD_BYTES of
 * `buffer` (the body is the caller's to fill). Returns the payload's length, or 0 if
 * it does not fit in `capacity` or IC_MESSAGE_MAX_BYTES.
 */
size_t ic_message_frame(void *buffer, size_t capacity, const struct ic_header_wire *header);

/* --- negotiation, host side --------------------------------------------------------------- */

/*
 * Write a negotiation request with both lists (R-IC-001, R-IC-002). Returns its length,
 * or 0 if a list is empty or over IC_VERSIONS_MAX, or `capacity` is too small;
 * IC_NEGOTIATE_MAX_BYTES always suffices.
 */
size_t ic_negotiate_request(const struct ic_version_list *frameworks,
	const struct ic_version_list *messages, uint8_t transaction_id, void *buffer,
	size_t capacity);

/*
 * Judge a guest's answer: a decoded message of type negotiate (R-IC-003, R-IC-005).
 * IC_OK fills *out. The lists are those that were sent.
 */
enum ic_rejection ic_negotiate_result(const struct ic_message *answer,
	const struct ic_version_list *frameworks, const struct ic_version_list *messages,
	struct ic_agreement *out);

/* --- negotiation, guest side -------------------------------------------------------------- */

/*
 * Read the host's lists out of a decoded negotiation request and pick the highest common
 * pair (R-IC-004, R-IC-011). IC_OK fills *out.
 */
enum ic_rejection ic_negotiate_pick(const struct ic_message *request,
	const struct ic_version_list *frameworks, const struct ic_version_list *messages,
	struct ic_agreement *out);

/*
 * Write the answer to a negotiation request: the request's bytes with flags, status,
 * counts and the picked pair replaced (R-IC-003, R-IC-005, R-IC-007). `agreement` NULL
 * means none in common. `request` and `len` are what was decoded. Returns the answer's
 * length (pipe header and pipe length of the request), or 0 if `capacity` is smaller
 * than that, or the request had no room for the counts.
 */
size_t ic_negotiate_answer(const void *request, size_t len, const struct ic_agreement *agreement,
	void *buffer, size_t capacity);

/*
 * Turn `buffer`, a copy of a request's `len` bytes, into its response: flags 5 and
 * `status`; all else, body included, stays (R-IC-007). The caller has decoded the
 * request, so `len` is at least IC_OVERHEAD_BYTES.
 */
void ic_response_mark(void *buffer, uint32_t status);

#ifdef __cplusplus
}
#endif

#endif
