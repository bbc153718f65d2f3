// SPDX-License-Identifier: Apache-2.0
/*
 * A storage controller of the guest library on the scripted host, which has a disk for it: relid
 * 1 is the controller, relid 2 of no device, relids from 4 on are subchannels. Packets are bytes
 * by offset, from storage.md.
 *
 *	guest_storage.c, guest_lun.c, guest_srb.c, guest_outage.c: tests
 *	   |  hook: what the host would answer, to be changed or held
 *	struct storage_stage	   storage_controller_… of the guest
 *
 * Threads: one.
 */
#ifndef TESTS_CONFORMANCE_GUEST_STORAGE_H
#define TESTS_CONFORMANCE_GUEST_STORAGE_H

#include "guest/vsc/storage_controller.h"
#include "tests/conformance/guest_areas.h"

#define STAGE_SLOTS	  16u
#define STAGE_LUNS	  4u
#define STAGE_REQUESTS	  40u
#define STAGE_PACKETS	  256u
#define STAGE_BLOCKS	  20480u /* of 512 bytes */
#define STAGE_TRANSFER	  32768u /* most that the host takes in one request */
#define STAGE_DATA_BYTES  65536u
#define STAGE_RANGE_BYTES (16u + 8u * 17u)

/* Offsets in a packet. */
enum {
	VSTOR_OPERATION = 0,
	VSTOR_FLAGS = 4,
	VSTOR_STATUS = 8,
	VSTOR_BODY = 12,
	VSTOR_SRB_STATUS = 14,
	VSTOR_SCSI_STATUS = 15,
	VSTOR_LUN = 19,
	VSTOR_SENSE_LENGTH = 21,
	VSTOR_DATA_LENGTH = 24,
	VSTOR_CDB = 28, /* or sense */
};

/* A packet of the guest's. */
struct stage_packet {
	uint32_t relid;
	uint16_t type, flags;
	uint64_t id;
	uint32_t range_bytes, bytes;
	uint8_t range[STAGE_RANGE_BYTES];
	uint8_t payload[64];
};

/* What the host answers to it. */
struct stage_answer {
	bool is_held; /* nothing, now */
	uint16_t type;
	uint32_t relid;
	uint64_t id;
	uint32_t bytes;
	uint8_t payload[80];
	uint32_t data_bytes; /* that go where the range says */
	uint8_t data[STAGE_TRANSFER];
};

struct storage_stage {
	struct conform_target *t;
	struct scripted_host *h;
	struct storage_controller controller;
	struct storage_vsc_slot slots[STAGE_SLOTS];
	struct storage_vsc_lun luns[STAGE_LUNS];
	struct winhv_pages data; /* STAGE_DATA_BYTES, between guards */
	struct storage_vsc_request requests[STAGE_REQUESTS];

	/* set: the host */
	uint16_t version; /* highest that it accepts */
	uint16_t sub_channels, sub_channels_offered;
	uint32_t max_transfer;
	uint8_t has_lun; /* bit for each, of target 0 */
	uint64_t blocks;
	uint8_t serial; /* its last digit */
	void (*hook)(struct storage_stage *stage, const struct stage_packet *packet,
		struct stage_answer *answer);
	unsigned turn; /* the test's */

	/* seen */
	struct stage_packet packets[STAGE_PACKETS]; /* packet n is in [n % STAGE_PACKETS] */
	unsigned packet_count;
	unsigned operations[16];
	uint16_t sub_channels_asked; /* by the last CREATE_SUB_CHANNELS */
	unsigned added, changed, removed, scans;
};

/* Connect, offer the controller. h->ctx is the stage from then on. */
struct storage_stage *storage_stage(struct conform_target *t);
/* Open it with so many subchannels wanted: 0 or a negative error. */
int storage_stage_open(struct storage_stage *stage, uint16_t sub_channels);
/* Opened, and scanned: LUN 0 is there. NULL: the evidence says why. */
struct storage_stage *storage_stage_ready(struct conform_target *t);
/* Both sides in turn until nothing is left to do. */
void storage_stage_serve(struct storage_stage *stage);
/* Let so many milliseconds pass, serving. */
void storage_stage_later(struct storage_stage *stage, unsigned ms);
/* Close it; relid 2 opens, passes packets and closes. */
bool storage_stage_ends(struct storage_stage *stage, int error);

/* LUN 0, or another one; NULL if the guest does not have it. */
static inline struct storage_vsc_lun *stage_lun(struct storage_stage *stage, unsigned lun)
{
	return storage_vsc_lun_find(&stage->controller.vsc, 0, 0, lun);
}

/* A packet from the host. */
bool storage_stage_send(struct storage_stage *stage, uint32_t relid, uint16_t type, uint64_t id,
	const uint8_t *payload, uint32_t bytes);
/* The answer that a host would give to this packet. */
void storage_stage_answer(struct storage_stage *stage, const struct stage_packet *packet,
	struct stage_answer *answer);
/* Give it. */
bool storage_stage_give(struct storage_stage *stage, const struct stage_packet *packet,
	const struct stage_answer *answer);

/* The last packet but `back` others. */
static inline const struct stage_packet *stage_last(
	const struct storage_stage *stage, unsigned back)
{
	return &stage->packets[(stage->packet_count - 1 - back) % STAGE_PACKETS];
}

/* Read of LUN 0 to the begin of the data: `blocks` blocks from `lba` on. */
struct storage_vsc_request stage_read(struct storage_stage *stage, uint64_t lba, uint32_t blocks);
/* Of a request that ends: nothing. */
void stage_done(struct storage_vsc_request *request);
/* Read a block by a call that waits: its result. */
int stage_read_now(struct storage_stage *stage, uint64_t lba);
/* It is what the disk has there. */
bool stage_data_is(const struct storage_stage *stage, size_t offset, uint64_t lba, uint32_t bytes);

/* Submit so many reads of a block each, from block 0 on, each to its place: stage->requests. */
bool stage_submit(struct storage_stage *stage, unsigned count);
/* A controller that is ready, with so many of them, of which none is answered. */
struct storage_stage *stage_held(struct conform_target *t, unsigned count);
/* Answer the last packet but `back` others as a host does. */
bool stage_answer_well(struct storage_stage *stage, unsigned back);
/* Request i has ended so. */
bool stage_ended(struct storage_stage *stage, unsigned i, int result);
/* It reads, and what it reads is right. The hook is gone then. */
bool stage_reads(struct storage_stage *stage);

/* Hooks: answer no SRB; no packet at all. */
void stage_hold(struct storage_stage *stage, const struct stage_packet *packet,
	struct stage_answer *answer);
void stage_silence(struct storage_stage *stage, const struct stage_packet *packet,
	struct stage_answer *answer);
/* Make the answer a CHECK CONDITION. */
void stage_check(struct stage_answer *answer, uint8_t key, uint8_t code, uint8_t qualifier);

static inline bool stage_is(const struct stage_packet *packet, uint32_t operation)
{
	return get32(packet->payload + VSTOR_OPERATION) == operation;
}

/* An EXECUTE_SRB with this CDB. */
static inline bool stage_is_cdb(const struct stage_packet *packet, uint8_t code)
{
	return stage_is(packet, 3) && packet->payload[VSTOR_CDB] == code;
}

#endif
