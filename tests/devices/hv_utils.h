// SPDX-License-Identifier: Apache-2.0
/*
 * What Linux's driver hv_utils does between a VMBus channel and the device of a daemon, for
 * key-value exchange, backup and file copy: negotiates with the host, waits for the daemon's
 * greeting, makes records of requests (UTF-16 to UTF-8) and responses of records, and gives up
 * after a time. Written for tests after the behaviour of Linux 6.1; it shares no code with the
 * daemons, nor with the codecs of protocol/ but for the framing.
 *
 * A state machine without I/O: packets, records and time in; packets and records out.
 */
#ifndef TESTS_DEVICES_HV_UTILS_H
#define TESTS_DEVICES_HV_UTILS_H

#include "protocol/ic.h"

#define HV_UTILS_RECORD_MAX 8192u
#define HV_UTILS_ANSWER_MS  30000u
#define HV_UTILS_FREEZE_MS  900000u

struct hv_utils_ops {
	void (*to_host)(void *ctx, const void *bytes, size_t len);
	/* 0 or a negative errno, as device_fs_send(). */
	int (*to_daemon)(void *ctx, const void *bytes, size_t len);
};

enum hv_utils_state {
	HV_UTILS_ABSENT,    /* no daemon */
	HV_UTILS_GREETED,   /* it has greeted, and not read the answer */
	HV_UTILS_READY,	    /* it is registered */
	HV_UTILS_REQUESTED, /* a record is its to answer */
};

struct hv_utils {
	uint16_t type; /* IC_TYPE_KVP, _VSS or _FCOPY */
	const struct hv_utils_ops *ops;
	void *ctx;
	enum hv_utils_state state;
	bool is_agreed;
	struct ic_agreement agreement;
	uint64_t answer_ms; /* to give up after; 0: what the kernel has */
	uint64_t due_ms;    /* when it does */
	size_t len;	    /* of the packet in work */
	size_t waiting_len; /* of one that came before its time; 0: none */
	uint64_t timeouts;
	uint8_t packet[IC_PAYLOAD_MAX_BYTES];
	uint8_t waiting[IC_PAYLOAD_MAX_BYTES];
	uint8_t record[HV_UTILS_RECORD_MAX];
};

void hv_utils_init(
	struct hv_utils *utils, uint16_t type, const struct hv_utils_ops *ops, void *ctx);

/* A packet's payload of the host's. */
void hv_utils_on_packet(struct hv_utils *utils, const void *bytes, size_t len, uint64_t now_ms);

/* The daemon has opened its device, written a record (0 or a negative errno), read what was
 * sent, gone. */
void hv_utils_on_open(struct hv_utils *utils);
int hv_utils_on_record(struct hv_utils *utils, const void *bytes, size_t len, uint64_t now_ms);
void hv_utils_on_read(struct hv_utils *utils, uint64_t now_ms);
void hv_utils_on_close(struct hv_utils *utils);

void hv_utils_on_time(struct hv_utils *utils, uint64_t now_ms);

/* Of hv_utils_kvp.c: the record of a request's body; its length. */
size_t hv_utils_kvp_request(const uint8_t *body, uint8_t *record);

/* Likewise: the answer's record into the body of the response. Returns the status. */
uint32_t hv_utils_kvp_response(const uint8_t *record, uint8_t *body);

/* Text of at most `units` to at most `bytes` of UTF-8; the number written, no NUL. And back. */
size_t hv_utils_utf8(const uint8_t *utf16, size_t units, uint8_t *utf8, size_t bytes);
size_t hv_utils_utf16(const uint8_t *utf8, uint8_t *utf16, size_t units);

#endif
