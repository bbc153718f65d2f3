// SPDX-License-Identifier: Apache-2.0
/*
 * Test devices of a VMBus (protocol/testdevice.md): echo, sink, source and hostile. Not devices of
 * Hyper-V: a host offers them where its channels, rings and packets are to be tested.
 *
 *	tests, a guest's driver		host's provider
 *		|				|
 *		+------- this file, packet.h ---+
 *
 * Constants and wire structures only; any thread.
 */
#ifndef PROTOCOL_TESTDEVICE_H
#define PROTOCOL_TESTDEVICE_H

#include "protocol/assert.h"
#include "protocol/guid.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Interfaces. Each is offered once, with the instance below. */
static const struct guid testdevice_echo_interface = GUID_INIT(
	0xbd7a7c2c, 0xd9b4, 0x4fe8, 0xa6e3, 0xb4adfa91376a);
static const struct guid testdevice_sink_interface = GUID_INIT(
	0x22ef67ee, 0x5e6d, 0x4c40, 0x88ab, 0xb9b6f17c42a3);
static const struct guid testdevice_source_interface = GUID_INIT(
	0xeb0f14b0, 0x33c8, 0x44d5, 0xab75, 0x98611dad7202);
static const struct guid testdevice_echo_instance = GUID_INIT(
	0x37eb2bb4, 0x07b5, 0x4661, 0xba67, 0xf475e04df4d4);
static const struct guid testdevice_sink_instance = GUID_INIT(
	0xcd6ca9c9, 0xc10f, 0x4fdb, 0xafd9, 0x45ada38165c4);
static const struct guid testdevice_source_instance = GUID_INIT(
	0xbe0a8b55, 0xfbf3, 0x4147, 0x9f71, 0x994ee6105947);
static const struct guid testdevice_hostile_interface = GUID_INIT(
	0x82eee6d3, 0x9880, 0x4600, 0x9312, 0xfd45ce69f1c1);
static const struct guid testdevice_hostile_instance = GUID_INIT(
	0xcc719c3f, 0x3ff6, 0x4a88, 0x8a83, 0xebf94fc8fa46);

#define TESTDEVICE_SET_ID	  0x7e57u /* of packets of type 7, both ways */
#define TESTDEVICE_MOVE_MAX	  65536u  /* bytes that ranges may name */
#define TESTDEVICE_EXTENDED_MAX	  65536u  /* bytes of an extended header that are looked at */
#define TESTDEVICE_SOURCE_PACKETS 65536u  /* of one request */
#define TESTDEVICE_SOURCE_RANGES  4096u	  /* of one packet */
#define TESTDEVICE_RANGE_BYTES	  8u	  /* of each range of the source's packets */

/* What the sink has taken since its channel was opened. */
struct testdevice_sink_answer_wire {
	uint64_t packets;
	uint64_t bytes;	   /* of payloads, pads included */
	uint64_t checksum; /* of these bytes: FNV-1a of 64 bits */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct testdevice_sink_answer_wire, 24);
PROTOCOL_ASSERT_OFFSET(struct testdevice_sink_answer_wire, packets, 0);
PROTOCOL_ASSERT_OFFSET(struct testdevice_sink_answer_wire, bytes, 8);
PROTOCOL_ASSERT_OFFSET(struct testdevice_sink_answer_wire, checksum, 16);

/* What the source is to send. */
struct testdevice_source_request_wire {
	uint32_t packets;	/* at most TESTDEVICE_SOURCE_PACKETS */
	uint32_t bytes_first;	/* packet i has bytes_first + i * bytes_step mod bytes_modulus */
	uint32_t bytes_step;	/* i * bytes_step is a number of 32 bits, too */
	uint32_t bytes_modulus; /* at least 1 */
	uint32_t ranges;	/* 0: in-band; else of type 7, with as many ranges */
	uint32_t reserved;	/* 0 */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct testdevice_source_request_wire, 24);
PROTOCOL_ASSERT_OFFSET(struct testdevice_source_request_wire, packets, 0);
PROTOCOL_ASSERT_OFFSET(struct testdevice_source_request_wire, bytes_first, 4);
PROTOCOL_ASSERT_OFFSET(struct testdevice_source_request_wire, bytes_step, 8);
PROTOCOL_ASSERT_OFFSET(struct testdevice_source_request_wire, bytes_modulus, 12);
PROTOCOL_ASSERT_OFFSET(struct testdevice_source_request_wire, ranges, 16);
PROTOCOL_ASSERT_OFFSET(struct testdevice_source_request_wire, reserved, 20);

enum testdevice_status {
	TESTDEVICE_OK = 0,
	TESTDEVICE_REFUSED = 1, /* no such request, or a packet that the ring cannot carry */
};

/* How a request of the source has ended. */
struct testdevice_source_answer_wire {
	uint32_t status;  /* enum testdevice_status */
	uint32_t packets; /* that were sent */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct testdevice_source_answer_wire, 8);
PROTOCOL_ASSERT_OFFSET(struct testdevice_source_answer_wire, status, 0);
PROTOCOL_ASSERT_OFFSET(struct testdevice_source_answer_wire, packets, 4);

/* What the hostile device is to do to its ring. */
struct testdevice_hostile_request_wire {
	uint64_t descriptor;	 /* first 8 bytes of the packet: type, offset, length, flags */
	uint64_t transaction_id; /* of the packet */
	uint32_t bytes;		 /* its true payload, zeros: at most TESTDEVICE_HOSTILE_BYTES */
	uint32_t in; /* write index to show after it; TESTDEVICE_TRUE_INDEX: the true one */
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct testdevice_hostile_request_wire, 24);
PROTOCOL_ASSERT_OFFSET(struct testdevice_hostile_request_wire, descriptor, 0);
PROTOCOL_ASSERT_OFFSET(struct testdevice_hostile_request_wire, transaction_id, 8);
PROTOCOL_ASSERT_OFFSET(struct testdevice_hostile_request_wire, bytes, 16);
PROTOCOL_ASSERT_OFFSET(struct testdevice_hostile_request_wire, in, 20);

#define TESTDEVICE_HOSTILE_BYTES 2048u
#define TESTDEVICE_TRUE_INDEX	 0xffffffffu

/* Byte `at` of packet `packet` of the source. */
static inline uint8_t testdevice_source_byte(uint32_t packet, uint32_t at)
{
	return (uint8_t)(packet * 31 + at);
}

/* Payload bytes of packet `packet`, if bytes_modulus is not 0. */
static inline uint64_t testdevice_source_bytes(
	const struct testdevice_source_request_wire *request, uint32_t packet)
{
	return (uint64_t)request->bytes_first +
	       packet * request->bytes_step % request->bytes_modulus;
}

#define TESTDEVICE_CHECKSUM_START UINT64_C(0xcbf29ce484222325)

/* FNV-1a, 64 bits, of these bytes after those of `sum`. */
static inline uint64_t testdevice_checksum(uint64_t sum, const uint8_t *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

#ifdef __cplusplus
}
#endif

#endif
