// SPDX-License-Identifier: Apache-2.0
/*
 * Records of Linux's device /dev/vmbus/hv_kvp. The kernel has done the negotiation and the
 * UTF-16; a record is one request, and with the status in its first four bytes its answer:
 *
 *	daemon -> kernel	greeting: operation 100
 *	kernel -> daemon	operation 100, with its version as text; then requests
 *	daemon -> kernel	each request again: status, and what it asked for
 *
 * Every record has KVP_DEVICE_RECORD_BYTES, whichever direction and operation; texts are UTF-8
 * with a NUL.
 *
 * Pure functions over bytes, and one struct. Sources: linux/hyperv.h; kvp.md.
 */
#ifndef GUEST_IC_DAEMONS_KVP_DEVICE_LINUX_H
#define GUEST_IC_DAEMONS_KVP_DEVICE_LINUX_H

#include "guest/ic_daemons/kvp_ic.h"

#define KVP_DEVICE_PATH		"/dev/vmbus/hv_kvp"
#define KVP_DEVICE_RECORD_BYTES 7432u
#define KVP_DEVICE_REGISTER	100u

struct kvp_device_value_wire {
	uint32_t type;
	uint32_t key_bytes; /* NUL included */
	uint32_t value_bytes;
	char key[512];
	char value[2048];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct kvp_device_value_wire, 2572);
PROTOCOL_ASSERT_OFFSET(struct kvp_device_value_wire, key, 12);
PROTOCOL_ASSERT_OFFSET(struct kvp_device_value_wire, value, 524);

struct kvp_device_ip_wire {
	char adapter[256];
	uint8_t family; /* enum kvp_family */
	uint8_t dhcp;
	char addresses[2048];
	char subnets[2048];
	char gateways[1024];
	char dns[2048];
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct kvp_device_ip_wire, 7426);
PROTOCOL_ASSERT_OFFSET(struct kvp_device_ip_wire, family, 256);
PROTOCOL_ASSERT_OFFSET(struct kvp_device_ip_wire, addresses, 258);
PROTOCOL_ASSERT_OFFSET(struct kvp_device_ip_wire, subnets, 2306);
PROTOCOL_ASSERT_OFFSET(struct kvp_device_ip_wire, gateways, 4354);
PROTOCOL_ASSERT_OFFSET(struct kvp_device_ip_wire, dns, 5378);

struct kvp_device_record_wire {
	union {
		struct kvp_header_wire header; /* of a request */
		uint32_t status;	       /* of an answer */
	} PROTOCOL_PACKED start;
	union {
		struct kvp_device_value_wire value; /* GET, SET */
		struct {
			uint32_t key_bytes;
			char key[512];
		} PROTOCOL_PACKED delete;
		struct {
			uint32_t index;
			struct kvp_device_value_wire value;
		} PROTOCOL_PACKED enumerate;
		struct kvp_device_ip_wire ip;
		char version[512]; /* KVP_DEVICE_REGISTER */
		uint8_t bytes[7428];
	} PROTOCOL_PACKED body;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(struct kvp_device_record_wire, KVP_DEVICE_RECORD_BYTES);
PROTOCOL_ASSERT_OFFSET(struct kvp_device_record_wire, body, 4);

/* What is written when the device is open. */
extern const struct kvp_device_record_wire kvp_device_greeting;

struct kvp_device {
	const struct kvp_ops *ops; /* borrowed, constant */
	void *ctx;
	bool is_registered; /* the kernel has answered the greeting */
	bool is_pending;    /* an ip_set is under way; its record is `record` */
	char version[32];   /* the kernel's, printable, of the answer to the greeting */
	uint64_t operations[KVP_OPERATION_COUNT];
	uint64_t refused[KVP_REASON_COUNT];
	struct kvp_device_record_wire record; /* in work */
	struct kvp_item item;
	struct kvp_ip ip;
};

void kvp_device_init(struct kvp_device *device, const struct kvp_ops *ops, void *ctx);

/* The device was opened or closed: nobody waits for an answer. */
void kvp_device_reset(struct kvp_device *device);

/*
 * One record of `len` bytes. True: device->record is the answer, to be written. False: none is
 * due, or (is_pending) it comes later.
 */
bool kvp_device_on_record(struct kvp_device *device, const void *bytes, size_t len);

/* The ip_set is over. True: device->record is the answer; false: nobody waits for it. */
bool kvp_device_finish(struct kvp_device *device, uint32_t status);

#endif
