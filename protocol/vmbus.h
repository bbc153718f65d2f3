// SPDX-License-Identifier: Apache-2.0
/*
 * VMBus control protocol: the messages by which a guest and its host agree on a
 * version, offer and open channels, and share memory (GPADLs).
 *
 *	host VMBus server            guest VMBus client
 *	        \  these messages, 8..240 bytes  /
 *	   SynIC message slots (SINT 2)    HvCallPostMessage
 *
 * Here are the layouts, numbers and limits, and the two tables that both ends,
 * the tests and the documentation share: VMBUS_MESSAGES (one row a message) and
 * VMBUS_VERSIONS (one row a protocol version). The rules of who sends what when are
 * in protocol/vmbus.md; rings are in protocol/ring.h, packets in protocol/packet.h.
 *
 * Conventions: little-endian; structures are packed; a page is 4096 bytes; a page
 * number (GPN, PFN) is a guest-physical address divided by 4096. A structure shows
 * the longest form of its message; the *_BYTES constants beside it give the sizes of
 * the shorter forms. Senders zero every reserved field; receivers ignore them.
 *
 * Receiving: copy the payload once, find the row, compare the size with
 * vmbus_message_min_bytes(), ask vmbus_message_is_allowed(), and only then look at
 * the fields. Longer messages than needed are accepted; the tail is ignored.
 *
 * Threads: pure tables and functions; call from anywhere.
 * Sources: observed in Linux 6.1/6.12, in Microsoft's UEFI firmware (mu_msvm), in
 * OpenVMM, QEMU and FreeBSD; SynIC and hypercalls: TLFS.
 */
#ifndef PROTOCOL_VMBUS_H
#define PROTOCOL_VMBUS_H

#include "protocol/assert.h"
#include "protocol/guid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- well-known ids ------------------------------------------------------------------------ */

#define VMBUS_SINT		 2u /* messages and channel events, on every VP */
#define VMBUS_VTL		 0u
#define VMBUS_SYNIC_MESSAGE_TYPE 1u /* SynIC message type of every control message */

/* Connection ids, guest → host */
#define VMBUS_CONNECTION_MESSAGE	      1u /* control messages; any version may use it */
#define VMBUS_CONNECTION_EVENT		      2u /* shared channel signal, with the interrupt page */
#define VMBUS_CONNECTION_MONITOR	      3u /* monitored notification */
#define VMBUS_CONNECTION_MESSAGE_MULTI_CLIENT 4u /* INITIATE_CONTACT for VMBUS_CAP_MULTI_CLIENT */
/* Control messages redirected to a paravisor (VTL 2, SINT 7). */
#define VMBUS_CONNECTION_MESSAGE_REDIRECT 0x800074u
#define VMBUS_REDIRECT_SINT		  7u
#define VMBUS_REDIRECT_VTL		  2u

/* Port ids: the sender field of host → guest SynIC messages */
#define VMBUS_PORT_MESSAGE 1u
#define VMBUS_PORT_EVENT   2u
#define VMBUS_PORT_MONITOR 3u

/* ---- limits -------------------------------------------------------------------------------- */

#define VMBUS_PAGE_BYTES	   4096u
#define VMBUS_MESSAGE_BYTES_MAX	   240u /* payload of a SynIC message */
#define VMBUS_HEADER_BYTES	   8u
#define VMBUS_RELID_MIN		   1u
#define VMBUS_RELID_MAX		   2047u
#define VMBUS_RELID_COUNT	   2048u /* of a table indexed by relid; 0 is never used */
#define VMBUS_CHANNELS_MAX	   VMBUS_RELID_MAX
#define VMBUS_USER_DATA_BYTES	   120u	  /* in OFFER_CHANNEL and in OPEN_CHANNEL */
#define VMBUS_GPADL_HEADER_U64_MAX 27u	  /* (240 - 20) / 8 */
#define VMBUS_GPADL_BODY_U64_MAX   28u	  /* (240 - 16) / 8 */
#define VMBUS_GPADL_BYTES_MAX	   65528u /* of the range stream: largest multiple of 8 in a u16 */
#define VMBUS_GPADL_PAGES_MAX	   8190u  /* of one range: 65528 / 8 - 1 */
#define VMBUS_RING_PAGES_MIN	   4u	  /* two rings, each a control page and a data page */
#define VMBUS_MONITOR_ID_COUNT	   128u
#define VMBUS_MONITOR_ID_NONE	   0xffu
#define VMBUS_TARGET_VP_NONE	   0xffffffffu /* OPEN_CHANNEL: interrupts disabled */
#define VMBUS_EVENT_FLAG_COUNT	   2048u       /* SynIC event flags of one SINT */

/* ---- status values ------------------------------------------------------------------------- */

/* OPEN_CHANNEL_RESULT, GPADL_CREATED, MODIFY_CHANNEL_RESPONSE, TL_CONNECT_RESULT (status).
 * NTSTATUS values. A receiver takes 0 as success and everything else as failure. */
#define VMBUS_STATUS_SUCCESS		0x00000000u
#define VMBUS_STATUS_FAILURE		0x8000ffffu /* unspecified */
#define VMBUS_STATUS_QUOTA_EXCEEDED	0xc0000044u /* GPADL_CREATED: over the host's limit */
#define VMBUS_STATUS_NOT_FOUND		0xc0000225u /* OPEN_CHANNEL_RESULT: no such ring GPADL */
#define VMBUS_STATUS_CONNECTION_REFUSED 0xc0000236u /* TL_CONNECT_RESULT: nobody listens */

/* VERSION_RESPONSE and MODIFY_CONNECTION_RESPONSE (connection_state) */
#define VMBUS_CONNECTION_SUCCESSFUL    0u
#define VMBUS_CONNECTION_LOW_RESOURCES 1u
#define VMBUS_CONNECTION_FAILED	       2u

/* ---- feature flags (VMBUS_CAP_FEATURES) ---------------------------------------------------- */

#define VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS 0x01u /* OPEN names connection id, event flag */
#define VMBUS_FEATURE_INTERRUPT_REDIRECTION   0x02u /* OPEN flags bit 0 */
#define VMBUS_FEATURE_MODIFY_CONNECTION	      0x04u /* messages 25 and 26 */
#define VMBUS_FEATURE_CLIENT_ID		      0x08u /* INITIATE_CONTACT carries a client GUID */
#define VMBUS_FEATURE_CONFIDENTIAL_CHANNELS   0x10u /* offer flags 0x2, 0x4; paravisor only */
#define VMBUS_FEATURE_PAUSE_RESUME	      0x20u /* messages 27, 28 and 29 */
#define VMBUS_FEATURE_SERVER_MONITOR_PAGES    0x40u /* 40-byte VERSION_RESPONSE */
#define VMBUS_FEATURE_GPA_PINNING	      0x80u /* offer flag 0x8 */
#define VMBUS_FEATURES_KNOWN		      0xffu

/* ---- versions and capabilities ------------------------------------------------------------- */

/* What a version can do. Code asks vmbus_version_has(), it never compares versions. */
#define VMBUS_CAP_DEDICATED_INTERRUPT 0x00000001u /* OFFER @190 and @192 are there */
#define VMBUS_CAP_UNLOAD_RESPONSE     0x00000002u /* UNLOAD is answered */
#define VMBUS_CAP_EVENT_FLAGS	      0x00000004u /* host → guest by SynIC flag = relid */
#define VMBUS_CAP_TARGET_VP	      0x00000008u /* OPEN names the VP for interrupts */
#define VMBUS_CAP_SUBCHANNELS	      0x00000010u /* OFFER @180 is a subchannel index */
#define VMBUS_CAP_FAILURE_STATE	      0x00000020u /* VERSION_RESPONSE @9 is valid */
#define VMBUS_CAP_PENDING_SEND_SIZE   0x00000040u /* rings: the writer can ask for space */
#define VMBUS_CAP_MESSAGE_VP	      0x00000080u /* INITIATE_CONTACT names the VP for messages */
#define VMBUS_CAP_TL_CONNECT	      0x00000100u /* hvsock: message 21 */
#define VMBUS_CAP_RESERVED_CHANNELS   0x00000200u /* messages 18 and 20 */
#define VMBUS_CAP_MODIFY_CHANNEL      0x00000400u /* message 22 */
#define VMBUS_CAP_TL_CONNECT_RESULT   0x00000800u /* message 23 */
#define VMBUS_CAP_MULTI_CLIENT	      0x00001000u /* contact on connection 4, SINT, new id */
#define VMBUS_CAP_VTL		      0x00002000u /* INITIATE_CONTACT @17 is the VTL */
#define VMBUS_CAP_SILO		      0x00004000u /* TL_CONNECT_REQUEST may carry a silo id */
#define VMBUS_CAP_MODIFY_RESPONSE     0x00008000u /* message 24 answers message 22 */
#define VMBUS_CAP_FEATURES	      0x00010000u /* feature flags are negotiated */

/* What each version adds to the one before. */
#define VMBUS_CAPS_ADDED_0_13 0u
#define VMBUS_CAPS_ADDED_1_1  (VMBUS_CAP_DEDICATED_INTERRUPT | VMBUS_CAP_UNLOAD_RESPONSE)
#define VMBUS_CAPS_ADDED_2_4                                                                       \
	(VMBUS_CAP_EVENT_FLAGS | VMBUS_CAP_TARGET_VP | VMBUS_CAP_SUBCHANNELS |                     \
		VMBUS_CAP_FAILURE_STATE | VMBUS_CAP_PENDING_SEND_SIZE)
#define VMBUS_CAPS_ADDED_3_0 VMBUS_CAP_MESSAGE_VP
#define VMBUS_CAPS_ADDED_4_0 (VMBUS_CAP_TL_CONNECT | VMBUS_CAP_RESERVED_CHANNELS)
#define VMBUS_CAPS_ADDED_4_1 (VMBUS_CAP_MODIFY_CHANNEL | VMBUS_CAP_TL_CONNECT_RESULT)
#define VMBUS_CAPS_ADDED_5_0 VMBUS_CAP_MULTI_CLIENT
#define VMBUS_CAPS_ADDED_5_1 VMBUS_CAP_VTL
#define VMBUS_CAPS_ADDED_5_2 VMBUS_CAP_SILO
#define VMBUS_CAPS_ADDED_5_3 VMBUS_CAP_MODIFY_RESPONSE
#define VMBUS_CAPS_ADDED_6_0 VMBUS_CAP_FEATURES

#define VMBUS_VERSION_VALUE(major, minor) (((uint32_t)(major) << 16) | (uint32_t)(minor))

/*
 * Every version that exists, newest first: X(suffix, major, minor, text, first host).
 * A host accepts exactly these values; anything else is "unsupported".
 */
#define VMBUS_VERSIONS(X)                                                                          \
	X(6_0, 6, 0, "6.0", "hosts later than Windows Server 2022")                                \
	X(5_3, 5, 3, "5.3", "Windows 11, Windows Server 2022")                                     \
	X(5_2, 5, 2, "5.2", "Windows 10 1809, Windows Server 2019")                                \
	X(5_1, 5, 1, "5.1", "Windows 10 1803")                                                     \
	X(5_0, 5, 0, "5.0", "Windows 10, in no listed release")                                    \
	X(4_1, 4, 1, "4.1", "Windows 10 1709")                                                     \
	X(4_0, 4, 0, "4.0", "Windows 10 1607, Windows Server 2016")                                \
	X(3_0, 3, 0, "3.0", "Windows 8.1, Windows Server 2012 R2")                                 \
	X(2_4, 2, 4, "2.4", "Windows 8, Windows Server 2012")                                      \
	X(1_1, 1, 1, "1.1", "Windows 7, Windows Server 2008 R2")                                   \
	X(0_13, 0, 13, "0.13", "Windows Server 2008")

#define VMBUS_VERSION_ANY  0u /* in a row of the message table: needs no connection */
#define VMBUS_VERSION_6_0  VMBUS_VERSION_VALUE(6, 0)
#define VMBUS_VERSION_5_3  VMBUS_VERSION_VALUE(5, 3)
#define VMBUS_VERSION_5_2  VMBUS_VERSION_VALUE(5, 2)
#define VMBUS_VERSION_5_1  VMBUS_VERSION_VALUE(5, 1)
#define VMBUS_VERSION_5_0  VMBUS_VERSION_VALUE(5, 0)
#define VMBUS_VERSION_4_1  VMBUS_VERSION_VALUE(4, 1)
#define VMBUS_VERSION_4_0  VMBUS_VERSION_VALUE(4, 0)
#define VMBUS_VERSION_3_0  VMBUS_VERSION_VALUE(3, 0)
#define VMBUS_VERSION_2_4  VMBUS_VERSION_VALUE(2, 4)
#define VMBUS_VERSION_1_1  VMBUS_VERSION_VALUE(1, 1)
#define VMBUS_VERSION_0_13 VMBUS_VERSION_VALUE(0, 13)

#define VMBUS_VERSION_COUNT 11u

struct vmbus_version_info {
	uint32_t version;      /* VMBUS_VERSION_* */
	uint32_t added;	       /* VMBUS_CAP_* that the version before lacks */
	uint32_t capabilities; /* all VMBUS_CAP_* of the version */
	const char *text;      /* "5.3" */
	const char *host;      /* first hosts that spoke it */
};

/* Rows of VMBUS_VERSIONS, newest first. */
extern const struct vmbus_version_info vmbus_version_table[VMBUS_VERSION_COUNT];

/* Row of a version, or NULL if there is no such version (exact match). */
const struct vmbus_version_info *vmbus_version_find(uint32_t version);

/* True if `version` exists and has all capabilities in `caps` (VMBUS_CAP_*). */
bool vmbus_version_has(uint32_t version, uint32_t caps);

/* ---- messages ------------------------------------------------------------------------------ */

enum vmbus_direction {
	VMBUS_HOST_TO_GUEST,
	VMBUS_GUEST_TO_HOST,
};

/* Circumstances in which a message is allowed beside the ordinary, connected one. */
#define VMBUS_ALLOWED_DISCONNECTED 0x1u /* before contact and after unload */
#define VMBUS_ALLOWED_PAUSED	   0x2u /* between PAUSE and RESUME */

/*
 * Every control message, by type:
 * X(type, NAME, direction, lowest version, minimum size of the shortest form, feature
 * needed or 0, circumstances). The name is also the text in logs. Sizes that
 * depend on version or features: vmbus_message_min_bytes().
 */
/* clang-format off */
#define VMBUS_MESSAGES(X)                                                                          \
	X(1, OFFER_CHANNEL, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_0_13,                               \
		VMBUS_OFFER_CHANNEL_0_13_BYTES, 0, 0)                                              \
	X(2, RESCIND_CHANNEL_OFFER, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_0_13, 12, 0, 0)             \
	X(3, REQUEST_OFFERS, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_0_13, 8, 0, 0)                     \
	X(4, ALL_OFFERS_DELIVERED, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_0_13, 8, 0, 0)               \
	X(5, OPEN_CHANNEL, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_0_13,                                \
		VMBUS_OPEN_CHANNEL_BYTES, 0, 0)                                                    \
	X(6, OPEN_CHANNEL_RESULT, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_0_13, 20, 0, 0)               \
	X(7, CLOSE_CHANNEL, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_0_13, 12, 0, 0)                     \
	X(8, GPADL_HEADER, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_0_13, 20, 0, 0)                      \
	X(9, GPADL_BODY, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_0_13, 16, 0, 0)                        \
	X(10, GPADL_CREATED, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_0_13, 20, 0, 0)                    \
	X(11, GPADL_TEARDOWN, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_0_13, 16, 0, 0)                   \
	X(12, GPADL_TORNDOWN, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_0_13, 12, 0, 0)                   \
	X(13, REL_ID_RELEASED, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_0_13, 12, 0, 0)                  \
	X(14, INITIATE_CONTACT, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_ANY,                            \
		VMBUS_INITIATE_CONTACT_BYTES, 0,                                                   \
		VMBUS_ALLOWED_DISCONNECTED | VMBUS_ALLOWED_PAUSED)                                 \
	X(15, VERSION_RESPONSE, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_ANY,                            \
		VMBUS_VERSION_RESPONSE_SHORTEST_BYTES, 0,                                          \
		VMBUS_ALLOWED_DISCONNECTED | VMBUS_ALLOWED_PAUSED)                                 \
	X(16, UNLOAD, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_0_13, 8, 0, VMBUS_ALLOWED_PAUSED)         \
	X(17, UNLOAD_COMPLETE, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_1_1, 8, 0,                       \
		VMBUS_ALLOWED_PAUSED)                                                              \
	X(18, OPEN_RESERVED_CHANNEL, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_4_0, 28, 0, 0)             \
	X(19, CLOSE_RESERVED_CHANNEL, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_ANY, 20, 0,               \
		VMBUS_ALLOWED_DISCONNECTED)                                                        \
	X(20, CLOSE_RESERVED_RESPONSE, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_ANY, 12, 0,              \
		VMBUS_ALLOWED_DISCONNECTED | VMBUS_ALLOWED_PAUSED)                                 \
	X(21, TL_CONNECT_REQUEST, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_4_0,                          \
		VMBUS_TL_CONNECT_REQUEST_BYTES, 0, 0)                                              \
	X(22, MODIFY_CHANNEL, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_4_1, 16, 0, 0)                    \
	X(23, TL_CONNECT_RESULT, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_4_1, 44, 0, 0)                 \
	X(24, MODIFY_CHANNEL_RESPONSE, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_5_3, 16, 0, 0)           \
	X(25, MODIFY_CONNECTION, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_6_0, 24,                       \
		VMBUS_FEATURE_MODIFY_CONNECTION, 0)                                                \
	X(26, MODIFY_CONNECTION_RESPONSE, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_6_0, 9,               \
		VMBUS_FEATURE_MODIFY_CONNECTION, 0)                                                \
	X(27, PAUSE, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_6_0, 8,                                    \
		VMBUS_FEATURE_PAUSE_RESUME, 0)                                                     \
	X(28, PAUSE_RESPONSE, VMBUS_HOST_TO_GUEST, VMBUS_VERSION_6_0, 8,                           \
		VMBUS_FEATURE_PAUSE_RESUME, 0)                                                     \
	X(29, RESUME, VMBUS_GUEST_TO_HOST, VMBUS_VERSION_6_0, 8,                                   \
		VMBUS_FEATURE_PAUSE_RESUME, VMBUS_ALLOWED_PAUSED)
/* clang-format on */

enum vmbus_message_type {
	VMBUS_MESSAGE_INVALID = 0,
#define VMBUS_MESSAGE_ENUM(type, NAME, direction, version, bytes, feature, allowed)                \
	VMBUS_MESSAGE_##NAME = type,
	VMBUS_MESSAGES(VMBUS_MESSAGE_ENUM)
#undef VMBUS_MESSAGE_ENUM
};
#define VMBUS_MESSAGE_TYPE_MAX 29u

struct vmbus_message_info {
	uint32_t type;	  /* VMBUS_MESSAGE_* */
	const char *name; /* "OFFER_CHANNEL" */
	enum vmbus_direction direction;
	uint32_t version;   /* lowest VMBUS_VERSION_*, or VMBUS_VERSION_ANY */
	uint16_t min_bytes; /* of the shortest form, header included */
	uint32_t feature;   /* VMBUS_FEATURE_* needed, or 0 */
	uint32_t allowed;   /* VMBUS_ALLOWED_* */
};

/* Row n - 1 is message type n. */
extern const struct vmbus_message_info vmbus_message_table[VMBUS_MESSAGE_TYPE_MAX];

/* Row of a message type, or NULL if there is no such type. */
const struct vmbus_message_info *vmbus_message_find(uint32_t type);

/* Name of a message type for logs; "unknown" if there is no such type. Never NULL. */
const char *vmbus_message_name(uint32_t type);

/*
 * True if the message exists for a connection of `version` with `features`.
 * version is VMBUS_VERSION_ANY (0) while disconnected; then only the messages that are
 * VMBUS_ALLOWED_DISCONNECTED are. Direction and pause are the caller's to check.
 */
bool vmbus_message_is_allowed(
	const struct vmbus_message_info *message, uint32_t version, uint32_t features);

/*
 * Least number of bytes, header included, of this message for a connection of `version`
 * with `features`; fewer are "too small". For INITIATE_CONTACT and VERSION_RESPONSE the
 * version and the features are those being asked for.
 */
size_t vmbus_message_min_bytes(
	const struct vmbus_message_info *message, uint32_t version, uint32_t features);

/* ---- layouts ------------------------------------------------------------------------------- */

/* First 8 bytes of every message. */
struct vmbus_header_wire {
	uint32_t type;	   /* VMBUS_MESSAGE_* */
	uint32_t reserved; /* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_header_wire, VMBUS_HEADER_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_header_wire, reserved, 4);

/* OFFER_CHANNEL flags */
#define VMBUS_OFFER_ENUMERATE_DEVICE_INTERFACE	   0x0001u
#define VMBUS_OFFER_CONFIDENTIAL_RING		   0x0002u /* FEATURE_CONFIDENTIAL_CHANNELS */
#define VMBUS_OFFER_CONFIDENTIAL_EXTERNAL_MEMORY   0x0004u /* FEATURE_CONFIDENTIAL_CHANNELS */
#define VMBUS_OFFER_REQUIRE_PINNED_MEMORY	   0x0008u /* FEATURE_GPA_PINNING */
#define VMBUS_OFFER_NAMED_PIPE			   0x0010u /* packets carry a pipe header */
#define VMBUS_OFFER_LOOPBACK			   0x0100u /* host-internal; never sent to a guest */
#define VMBUS_OFFER_PARENT			   0x0200u /* host-internal; never sent to a guest */
#define VMBUS_OFFER_REQUEST_MONITORED_NOTIFICATION 0x0400u /* host-internal; never sent */
#define VMBUS_OFFER_TLNPI_PROVIDER		   0x2000u /* hvsock */
/* Bits a guest may ever see; the feature-gated ones only if negotiated. */
#define VMBUS_OFFER_GUEST_VISIBLE 0x201fu

/* OFFER_CHANNEL monitor_flags and interrupt_flags */
#define VMBUS_OFFER_MONITOR_ALLOCATED	0x01u
#define VMBUS_OFFER_DEDICATED_INTERRUPT 0x0001u

/*
 * 1, host → guest, after REQUEST_OFFERS and on hot add: here is a device.
 * Always sent with 196 bytes; the original form ended before interrupt_flags.
 */
struct vmbus_offer_channel_wire {
	struct vmbus_header_wire header;
	struct guid interface_id; /* type of the device, or hvsock service */
	struct guid instance_id;  /* which one, or hvsock endpoint */
	uint8_t reserved[16];
	uint16_t flags;		 /* VMBUS_OFFER_* */
	uint16_t mmio_megabytes; /* MMIO space that the device needs */
	uint8_t user_data[VMBUS_USER_DATA_BYTES];
	uint16_t subchannel_index;	  /* 0: primary channel (VMBUS_CAP_SUBCHANNELS) */
	uint16_t mmio_megabytes_optional; /* wanted in addition */
	uint32_t relid;			  /* 1..2047 */
	uint8_t monitor_id;		  /* 0..127, or VMBUS_MONITOR_ID_NONE */
	uint8_t monitor_flags;		  /* VMBUS_OFFER_MONITOR_ALLOCATED */
	uint16_t interrupt_flags;	  /* VMBUS_OFFER_DEDICATED_INTERRUPT */
	uint32_t connection_id;		  /* for HvCallSignalEvent; opaque */
} PROTOCOL_PACKED;
#define VMBUS_OFFER_CHANNEL_0_13_BYTES 190u
#define VMBUS_OFFER_CHANNEL_BYTES      196u
PROTOCOL_ASSERT_SIZE(struct vmbus_offer_channel_wire, VMBUS_OFFER_CHANNEL_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, interface_id, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, instance_id, 24);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, reserved, 40);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, flags, 56);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, mmio_megabytes, 58);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, user_data, 60);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, subchannel_index, 180);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, mmio_megabytes_optional, 182);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, relid, 184);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, monitor_id, 188);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, monitor_flags, 189);
PROTOCOL_ASSERT_OFFSET(
	struct vmbus_offer_channel_wire, interrupt_flags, VMBUS_OFFER_CHANNEL_0_13_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_offer_channel_wire, connection_id, 192);

/* user_data of an offer with VMBUS_OFFER_NAMED_PIPE and without _TLNPI_PROVIDER */
#define VMBUS_PIPE_TYPE_BYTE	   0u
#define VMBUS_PIPE_TYPE_MESSAGE	   4u
#define VMBUS_PIPE_FLAG_GPA_DIRECT 0x1u
#define VMBUS_PIPE_USER_DATA_BYTES 112u
struct vmbus_pipe_user_data_wire {
	uint32_t pipe_type; /* VMBUS_PIPE_TYPE_* */
	uint8_t user_data[VMBUS_PIPE_USER_DATA_BYTES];
	uint32_t pipe_flags; /* VMBUS_PIPE_FLAG_* */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_pipe_user_data_wire, VMBUS_USER_DATA_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_pipe_user_data_wire, user_data, 4);
PROTOCOL_ASSERT_OFFSET(struct vmbus_pipe_user_data_wire, pipe_flags, 116);

/* user_data of an offer with VMBUS_OFFER_TLNPI_PROVIDER (hvsock) */
#define VMBUS_HVSOCK_VERSION_PRE_RS5 0u
#define VMBUS_HVSOCK_VERSION_RS5     1u
struct vmbus_hvsock_user_data_wire {
	uint32_t pipe_type;		/* VMBUS_PIPE_TYPE_BYTE */
	uint8_t is_for_guest_accept;	/* 1: the host connects; 0: answer to TL_CONNECT_REQUEST */
	uint8_t is_for_guest_container; /* boolean */
	uint32_t version;		/* VMBUS_HVSOCK_VERSION_*; unaligned */
	struct guid silo_id;
	uint8_t reserved[94];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_hvsock_user_data_wire, VMBUS_USER_DATA_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_hvsock_user_data_wire, is_for_guest_accept, 4);
PROTOCOL_ASSERT_OFFSET(struct vmbus_hvsock_user_data_wire, is_for_guest_container, 5);
PROTOCOL_ASSERT_OFFSET(struct vmbus_hvsock_user_data_wire, version, 6);
PROTOCOL_ASSERT_OFFSET(struct vmbus_hvsock_user_data_wire, silo_id, 10);
PROTOCOL_ASSERT_OFFSET(struct vmbus_hvsock_user_data_wire, reserved, 26);

/* 2, host → guest: the device is going; release the relid. */
struct vmbus_rescind_channel_offer_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_rescind_channel_offer_wire, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_rescind_channel_offer_wire, relid, 8);

/* 3 REQUEST_OFFERS, 4 ALL_OFFERS_DELIVERED, 16 UNLOAD, 17 UNLOAD_COMPLETE, 27 PAUSE,
 * 28 PAUSE_RESPONSE, 29 RESUME are a struct vmbus_header_wire and nothing else. */

/* OPEN_CHANNEL flags */
#define VMBUS_OPEN_REDIRECT_INTERRUPT 0x0001u /* FEATURE_INTERRUPT_REDIRECTION */

/*
 * 5, guest → host: open a channel over a ring GPADL. The last three fields belong
 * to the message only if a feature that uses them was negotiated; else ignore them,
 * for some guests always send 156 bytes.
 */
struct vmbus_open_channel_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
	uint32_t open_id; /* chosen by the guest, echoed */
	uint32_t ring_gpadl_id;
	uint32_t target_vp;		 /* or VMBUS_TARGET_VP_NONE */
	uint32_t downstream_page_offset; /* page of the host → guest ring in the GPADL */
	uint8_t user_data[VMBUS_USER_DATA_BYTES];
	uint32_t connection_id; /* FEATURE_GUEST_SIGNAL_PARAMETERS */
	uint16_t event_flag;	/* FEATURE_GUEST_SIGNAL_PARAMETERS */
	uint16_t flags;		/* VMBUS_OPEN_*; FEATURE_INTERRUPT_REDIRECTION */
} PROTOCOL_PACKED;
#define VMBUS_OPEN_CHANNEL_BYTES	  148u
#define VMBUS_OPEN_CHANNEL_EXTENDED_BYTES 156u
PROTOCOL_ASSERT_SIZE(struct vmbus_open_channel_wire, VMBUS_OPEN_CHANNEL_EXTENDED_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_wire, relid, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_wire, open_id, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_wire, ring_gpadl_id, 16);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_wire, target_vp, 20);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_wire, downstream_page_offset, 24);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_wire, user_data, 28);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_wire, connection_id, VMBUS_OPEN_CHANNEL_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_wire, event_flag, 152);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_wire, flags, 154);

/* 6, host → guest: the answer to 5 and to 18 (then open_id is 0). */
struct vmbus_open_channel_result_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
	uint32_t open_id;
	uint32_t status; /* VMBUS_STATUS_*; success is exactly 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_open_channel_result_wire, 20);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_result_wire, relid, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_result_wire, open_id, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_channel_result_wire, status, 16);

/* 7, guest → host: stop using the channel's rings. Never answered. */
struct vmbus_close_channel_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_close_channel_wire, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_close_channel_wire, relid, 8);

/*
 * 8, guest → host: start of a GPADL. Followed by up to VMBUS_GPADL_HEADER_U64_MAX words of
 * the range stream; the rest comes in GPADL_BODY messages. The stream is, for
 * each range, one vmbus_gpadl_range_wire and one u64 page number for each page it
 * touches.
 */
struct vmbus_gpadl_header_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
	uint32_t gpadl_id;    /* chosen by the guest, not 0 */
	uint16_t range_bytes; /* length of the whole range stream, ≤ 65528 */
	uint16_t range_count;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_gpadl_header_wire, 20);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_header_wire, relid, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_header_wire, gpadl_id, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_header_wire, range_bytes, 16);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_header_wire, range_count, 18);

struct vmbus_gpadl_range_wire {
	uint32_t byte_count;  /* ≥ 1 */
	uint32_t byte_offset; /* into the first page, 0..4095 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_gpadl_range_wire, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_range_wire, byte_offset, 4);

/* 9, guest → host: more of the range stream, up to VMBUS_GPADL_BODY_U64_MAX words. */
struct vmbus_gpadl_body_wire {
	struct vmbus_header_wire header;
	uint32_t message_number; /* 0; receivers ignore it */
	uint32_t gpadl_id;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_gpadl_body_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_body_wire, message_number, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_body_wire, gpadl_id, 12);

/* 10, host → guest: the answer to a complete or refused GPADL. */
struct vmbus_gpadl_created_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
	uint32_t gpadl_id;
	uint32_t status; /* VMBUS_STATUS_*; success is exactly 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_gpadl_created_wire, 20);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_created_wire, relid, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_created_wire, gpadl_id, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_created_wire, status, 16);

/* 11, guest → host: give the pages of a GPADL back. */
struct vmbus_gpadl_teardown_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
	uint32_t gpadl_id;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_gpadl_teardown_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_teardown_wire, relid, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_teardown_wire, gpadl_id, 12);

/* 12, host → guest: the pages are the guest's again. */
struct vmbus_gpadl_torndown_wire {
	struct vmbus_header_wire header;
	uint32_t gpadl_id;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_gpadl_torndown_wire, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_gpadl_torndown_wire, gpadl_id, 8);

/* 13, guest → host: the relid of an offer is free; after this it names nothing. */
struct vmbus_rel_id_released_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_rel_id_released_wire, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_rel_id_released_wire, relid, 8);

/* Where messages go and what is asked for: the 8 bytes that older versions give to the
 * interrupt page, from VMBUS_CAP_MULTI_CLIENT on. */
struct vmbus_contact_target_wire {
	uint8_t sint;	   /* VMBUS_SINT */
	uint8_t vtl;	   /* VMBUS_CAP_VTL */
	uint16_t reserved; /* 0 */
	uint32_t features; /* VMBUS_FEATURE_*; VMBUS_CAP_FEATURES */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_contact_target_wire, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_contact_target_wire, vtl, 1);
PROTOCOL_ASSERT_OFFSET(struct vmbus_contact_target_wire, reserved, 2);
PROTOCOL_ASSERT_OFFSET(struct vmbus_contact_target_wire, features, 4);

/*
 * 14, guest → host, in any state: connect with this version. Ends an existing
 * connection. client_id is there only if FEATURE_CLIENT_ID is asked for.
 */
struct vmbus_initiate_contact_wire {
	struct vmbus_header_wire header;
	uint32_t version;   /* VMBUS_VERSION_* */
	uint32_t target_vp; /* VP for messages; VMBUS_CAP_MESSAGE_VP, else 0 */
	union {
		uint64_t interrupt_page_gpa;		 /* without VMBUS_CAP_MULTI_CLIENT; the
							    host uses it only without
							    VMBUS_CAP_EVENT_FLAGS */
		struct vmbus_contact_target_wire target; /* with VMBUS_CAP_MULTI_CLIENT */
	};
	uint64_t parent_to_child_page_gpa; /* monitor page host → guest; 0: none */
	uint64_t child_to_parent_page_gpa; /* monitor page guest → host; 0: none */
	struct guid client_id;
} PROTOCOL_PACKED;
#define VMBUS_INITIATE_CONTACT_BYTES	       40u
#define VMBUS_INITIATE_CONTACT_CLIENT_ID_BYTES 56u
PROTOCOL_ASSERT_SIZE(struct vmbus_initiate_contact_wire, VMBUS_INITIATE_CONTACT_CLIENT_ID_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_initiate_contact_wire, version, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_initiate_contact_wire, target_vp, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_initiate_contact_wire, interrupt_page_gpa, 16);
PROTOCOL_ASSERT_OFFSET(struct vmbus_initiate_contact_wire, target, 16);
PROTOCOL_ASSERT_OFFSET(struct vmbus_initiate_contact_wire, parent_to_child_page_gpa, 24);
PROTOCOL_ASSERT_OFFSET(struct vmbus_initiate_contact_wire, child_to_parent_page_gpa, 32);
PROTOCOL_ASSERT_OFFSET(struct vmbus_initiate_contact_wire, client_id, VMBUS_INITIATE_CONTACT_BYTES);

/*
 * 15, host → guest: the answer to 14. Sizes: 16 below VMBUS_CAP_FEATURES and for a
 * refusal; 20 with features; 40 with FEATURE_SERVER_MONITOR_PAGES granted. Hosts of
 * the first versions may send as little as the byte `supported`; missing bytes are 0.
 */
struct vmbus_version_response_wire {
	struct vmbus_header_wire header;
	uint8_t supported;	  /* 0 or 1 */
	uint8_t connection_state; /* VMBUS_CONNECTION_*; VMBUS_CAP_FAILURE_STATE */
	uint16_t reserved0;	  /* 0 */
	uint32_t selected;	  /* VMBUS_CAP_MULTI_CLIENT: connection id for later messages;
				     else the version; 0 in a refusal */
	uint32_t features;	  /* VMBUS_FEATURE_* granted */
	uint32_t reserved1;	  /* 0 */
	uint64_t parent_to_child_page_gpa; /* may be 0 */
	uint64_t child_to_parent_page_gpa; /* not 0 */
} PROTOCOL_PACKED;
#define VMBUS_VERSION_RESPONSE_SHORTEST_BYTES	   9u
#define VMBUS_VERSION_RESPONSE_BYTES		   16u
#define VMBUS_VERSION_RESPONSE_FEATURES_BYTES	   20u
#define VMBUS_VERSION_RESPONSE_MONITOR_PAGES_BYTES 40u
PROTOCOL_ASSERT_SIZE(
	struct vmbus_version_response_wire, VMBUS_VERSION_RESPONSE_MONITOR_PAGES_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_version_response_wire, supported, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_version_response_wire, connection_state,
	VMBUS_VERSION_RESPONSE_SHORTEST_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_version_response_wire, reserved0, 10);
PROTOCOL_ASSERT_OFFSET(struct vmbus_version_response_wire, selected, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_version_response_wire, features, VMBUS_VERSION_RESPONSE_BYTES);
PROTOCOL_ASSERT_OFFSET(
	struct vmbus_version_response_wire, reserved1, VMBUS_VERSION_RESPONSE_FEATURES_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_version_response_wire, parent_to_child_page_gpa, 24);
PROTOCOL_ASSERT_OFFSET(struct vmbus_version_response_wire, child_to_parent_page_gpa, 32);

/* 18, guest → host: open a channel that outlives the connection, without interrupts. */
struct vmbus_open_reserved_channel_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
	uint32_t target_vp;   /* where OPEN_CHANNEL_RESULT goes */
	uint32_t target_sint; /* where OPEN_CHANNEL_RESULT goes */
	uint32_t ring_gpadl_id;
	uint32_t downstream_page_offset;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_open_reserved_channel_wire, 28);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_reserved_channel_wire, relid, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_reserved_channel_wire, target_vp, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_reserved_channel_wire, target_sint, 16);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_reserved_channel_wire, ring_gpadl_id, 20);
PROTOCOL_ASSERT_OFFSET(struct vmbus_open_reserved_channel_wire, downstream_page_offset, 24);

/* 19, guest → host, also while disconnected: close such a channel. */
struct vmbus_close_reserved_channel_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
	uint32_t target_vp;   /* where the response goes */
	uint32_t target_sint; /* where the response goes */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_close_reserved_channel_wire, 20);
PROTOCOL_ASSERT_OFFSET(struct vmbus_close_reserved_channel_wire, relid, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_close_reserved_channel_wire, target_vp, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_close_reserved_channel_wire, target_sint, 16);

/* 20, host → guest: the answer to 19. */
struct vmbus_close_reserved_response_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_close_reserved_response_wire, 12);
PROTOCOL_ASSERT_OFFSET(struct vmbus_close_reserved_response_wire, relid, 8);

/* 21, guest → host: connect to a service of the host (hvsock). silo_id is optional. */
struct vmbus_tl_connect_request_wire {
	struct vmbus_header_wire header;
	struct guid endpoint_id; /* of the guest; becomes the instance of the offer */
	struct guid service_id;	 /* of the host; becomes the interface of the offer */
	struct guid silo_id;	 /* VMBUS_CAP_SILO, and only if the message is long enough */
} PROTOCOL_PACKED;
#define VMBUS_TL_CONNECT_REQUEST_BYTES	    40u
#define VMBUS_TL_CONNECT_REQUEST_SILO_BYTES 56u
PROTOCOL_ASSERT_SIZE(struct vmbus_tl_connect_request_wire, VMBUS_TL_CONNECT_REQUEST_SILO_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_tl_connect_request_wire, endpoint_id, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_tl_connect_request_wire, service_id, 24);
PROTOCOL_ASSERT_OFFSET(
	struct vmbus_tl_connect_request_wire, silo_id, VMBUS_TL_CONNECT_REQUEST_BYTES);

/* 22, guest → host: move the interrupts of an open channel to another VP. */
struct vmbus_modify_channel_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
	uint32_t target_vp;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_modify_channel_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct vmbus_modify_channel_wire, relid, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_modify_channel_wire, target_vp, 12);

/* 23, host → guest: the answer to 21 when it failed; success is an OFFER_CHANNEL. */
struct vmbus_tl_connect_result_wire {
	struct vmbus_header_wire header;
	struct guid endpoint_id;
	struct guid service_id;
	uint32_t status; /* VMBUS_STATUS_* */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_tl_connect_result_wire, 44);
PROTOCOL_ASSERT_OFFSET(struct vmbus_tl_connect_result_wire, endpoint_id, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_tl_connect_result_wire, service_id, 24);
PROTOCOL_ASSERT_OFFSET(struct vmbus_tl_connect_result_wire, status, 40);

/* 24, host → guest: the answer to 22 (VMBUS_CAP_MODIFY_RESPONSE). */
struct vmbus_modify_channel_response_wire {
	struct vmbus_header_wire header;
	uint32_t relid;
	uint32_t status; /* VMBUS_STATUS_* */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_modify_channel_response_wire, 16);
PROTOCOL_ASSERT_OFFSET(struct vmbus_modify_channel_response_wire, relid, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_modify_channel_response_wire, status, 12);

/* 25, guest → host: new monitor pages; both or neither. */
struct vmbus_modify_connection_wire {
	struct vmbus_header_wire header;
	uint64_t parent_to_child_page_gpa;
	uint64_t child_to_parent_page_gpa;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_modify_connection_wire, 24);
PROTOCOL_ASSERT_OFFSET(struct vmbus_modify_connection_wire, parent_to_child_page_gpa, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_modify_connection_wire, child_to_parent_page_gpa, 16);

/* 26, host → guest: the answer to 25. */
struct vmbus_modify_connection_response_wire {
	struct vmbus_header_wire header;
	uint8_t connection_state; /* VMBUS_CONNECTION_* */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_modify_connection_response_wire, 9);
PROTOCOL_ASSERT_OFFSET(struct vmbus_modify_connection_response_wire, connection_state, 8);

/* ---- shared pages -------------------------------------------------------------------------- */

/*
 * Interrupt page, without VMBUS_CAP_EVENT_FLAGS. Bit n is byte n / 8, bit n % 8. Only the
 * first VMBUS_RELID_COUNT bits of each half are used: bit relid.
 */
struct vmbus_interrupt_page_wire {
	uint64_t to_guest[256]; /* set by the host, then SynIC flag 0 of VMBUS_SINT on VP 0 */
	uint64_t to_host[256];	/* set by the guest, then VMBUS_CONNECTION_EVENT */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_interrupt_page_wire, VMBUS_PAGE_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_interrupt_page_wire, to_host, 2048);

struct vmbus_monitor_trigger_group_wire {
	uint32_t pending; /* bit n: monitor id 32 * group + n wants a signal */
	uint32_t armed;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_monitor_trigger_group_wire, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_monitor_trigger_group_wire, armed, 4);

struct vmbus_monitor_parameter_wire {
	uint32_t connection_id;
	uint16_t flag_number;
	uint16_t reserved;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_monitor_parameter_wire, 8);
PROTOCOL_ASSERT_OFFSET(struct vmbus_monitor_parameter_wire, flag_number, 4);
PROTOCOL_ASSERT_OFFSET(struct vmbus_monitor_parameter_wire, reserved, 6);

/* Monitor page: signals that a peer collects by polling. Index [group][bit]. */
struct vmbus_monitor_page_wire {
	uint32_t trigger_state; /* bits 0..3: group enabled */
	uint32_t reserved0;
	struct vmbus_monitor_trigger_group_wire trigger_group[4];
	uint8_t reserved1[24];
	int32_t next_check_time[4][32];
	uint16_t latency_100ns[4][32];
	uint8_t reserved2[256];
	struct vmbus_monitor_parameter_wire parameter[4][32];
	uint8_t reserved3[1984];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct vmbus_monitor_page_wire, VMBUS_PAGE_BYTES);
PROTOCOL_ASSERT_OFFSET(struct vmbus_monitor_page_wire, reserved0, 0x004);
PROTOCOL_ASSERT_OFFSET(struct vmbus_monitor_page_wire, trigger_group, 0x008);
PROTOCOL_ASSERT_OFFSET(struct vmbus_monitor_page_wire, reserved1, 0x028);
PROTOCOL_ASSERT_OFFSET(struct vmbus_monitor_page_wire, next_check_time, 0x040);
PROTOCOL_ASSERT_OFFSET(struct vmbus_monitor_page_wire, latency_100ns, 0x240);
PROTOCOL_ASSERT_OFFSET(struct vmbus_monitor_page_wire, reserved2, 0x340);
PROTOCOL_ASSERT_OFFSET(struct vmbus_monitor_page_wire, parameter, 0x440);
PROTOCOL_ASSERT_OFFSET(struct vmbus_monitor_page_wire, reserved3, 0x840);

/*
 * Byte offset in a monitor page of the pending word of a monitor id (0..127); its bit in
 * that word is id % 32. Callers check the range.
 */
static inline uint32_t vmbus_monitor_pending_offset(uint32_t monitor_id)
{
	return 8u + 8u * (monitor_id / 32u);
}

/*
 * The connection id that our host gives to a channel's signal: unique for each relid, SINT
 * and VTL. Guests treat connection ids as opaque.
 */
static inline uint32_t vmbus_channel_connection_id(uint32_t relid, uint32_t sint, uint32_t vtl)
{
	return relid | (sint << 12) | (vtl << 16);
}

/* True if relid is one that can be offered: 1..2047. */
static inline bool vmbus_relid_is_valid(uint32_t relid)
{
	return relid >= VMBUS_RELID_MIN && relid <= VMBUS_RELID_MAX;
}

/* ---- rejections ---------------------------------------------------------------------------- */

/*
 * Why a receiver refuses or drops a message: X(NAME, text). The same names in counters, logs,
 * the control socket and protocol/vmbus.md, which states the visible effect of each.
 */
/* clang-format off */
#define VMBUS_REJECTIONS(X)                                                                        \
	X(TOO_SMALL, "shorter than its fixed part")                                                \
	X(UNKNOWN_TYPE, "no such message type")                                                    \
	X(WRONG_DIRECTION, "a message that only the receiver may send")                            \
	X(NOT_NEGOTIATED, "not in the negotiated version and features, or not connected")          \
	X(UNKNOWN_CHANNEL, "relid was never offered, is released, or is out of range")             \
	X(CHANNEL_REVOKED, "the channel was rescinded")                                            \
	X(CHANNEL_ALREADY_OPEN, "the channel is open or opening")                                  \
	X(CHANNEL_NOT_OPEN, "the channel is not open")                                             \
	X(CHANNEL_STATE, "not possible in the channel's state")                                    \
	X(CHANNEL_RESERVED, "the channel is open as a reserved channel")                           \
	X(CHANNEL_NOT_RESERVED, "the channel is not open as a reserved channel")                   \
	X(OFFERS_ALREADY_SENT, "offers were already requested")                                    \
	X(UNKNOWN_GPADL, "no such GPADL on this channel, or not in progress")                      \
	X(DUPLICATE_GPADL, "the GPADL id is in use")                                               \
	X(GPADL_STATE, "not possible in the GPADL's state")                                        \
	X(GPADL_RANGE, "the ranges are malformed")                                                 \
	X(GPADL_MEMORY, "a page is not memory of the guest")                                       \
	X(GPADL_QUOTA, "over the limit of GPADLs or of their pages")                               \
	X(RING_GPADL, "the GPADL cannot hold the two rings")                                       \
	X(SIGNAL_PARAMETERS, "event flag or connection id is out of range or in use")              \
	X(TARGET_VP, "no such virtual processor")                                                  \
	X(INTERRUPTS_DISABLED, "the channel was opened without interrupts")                        \
	X(MODIFY_IN_PROGRESS, "an earlier modification is not finished")                           \
	X(MONITOR_PAGES, "monitor pages are not both given, unaligned, not memory, or in use")     \
	X(INTERRUPT_PAGE, "the interrupt page is unaligned or not memory")                         \
	X(UNSUPPORTED_VERSION, "no such version, or above the configured highest")                 \
	X(WRONG_SINT, "SINT or VTL is served by another server")                                   \
	X(UNTRUSTED, "an untrusted message on a trusted connection")                               \
	X(PAUSED, "the connection is paused")                                                      \
	X(BACKLOG, "over the limit of requests waiting")                                           \
	X(OFFER_FIELDS, "an offer with an impossible relid, key or size")                          \
	X(OFFER_IN_USE, "an offer whose relid or key is in use")                                   \
	X(OFFER_ORPHAN, "an offer of a subchannel without its primary")                            \
	X(VERSION_FIELDS, "a version response that contradicts itself or what was asked for")      \
	X(NOT_CONTROL, "not a VMBus control message, or larger than a message slot")               \
	X(UNEXPECTED_RESPONSE, "a response that matches no request")
/* clang-format on */

enum vmbus_rejection {
	VMBUS_REJECTION_NONE = 0,
#define VMBUS_REJECTION_ENUM(NAME, text) VMBUS_REJECTION_##NAME,
	VMBUS_REJECTIONS(VMBUS_REJECTION_ENUM)
#undef VMBUS_REJECTION_ENUM
		VMBUS_REJECTION_COUNT
};

/* Name ("UNKNOWN_CHANNEL") or explanation of a rejection; "NONE", "unknown" beyond the enum. */
const char *vmbus_rejection_name(enum vmbus_rejection rejection);
const char *vmbus_rejection_text(enum vmbus_rejection rejection);

#ifdef __cplusplus
}
#endif

#endif
