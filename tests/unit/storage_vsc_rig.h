// SPDX-License-Identifier: Apache-2.0
/*
 * A storage client and a scripted host, joined by rings in plain memory. The host
 * answers as a host should, unless a test's hook says otherwise; what the guest sent
 * stays for inspection.
 */
#ifndef TESTS_UNIT_STORAGE_VSC_RIG_H
#define TESTS_UNIT_STORAGE_VSC_RIG_H

#include "guest/vsc/storage_vsc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIG_RING_BYTES 8192u
#define RIG_CHANNELS   4u
#ifndef RIG_SLOTS
#define RIG_SLOTS 8u
#endif
#define RIG_LUNS 4u
#ifndef RIG_PAGES
#define RIG_PAGES 80u
#endif
#define RIG_SENT_MAX	64u
#define RIG_DISK_BLOCKS 20480u

struct rig_ring {
	_Alignas(4096) uint8_t control[4096];
	_Alignas(4096) uint8_t data[RIG_RING_BYTES];
	_Alignas(8) uint8_t writer_scratch[RIG_RING_BYTES];
	_Alignas(8) uint8_t reader_scratch[RIG_RING_BYTES];
};

struct rig_channel {
	struct rig_ring to_host, to_guest;
	struct ring_writer guest_out, host_out;
	struct ring_reader guest_in, host_in;
	unsigned index; /* the client's number for it */
	unsigned flushes;
};

/* A packet from the guest, as the host saw it. */
struct rig_packet {
	unsigned channel;
	uint16_t type, flags;
	uint64_t id;
	uint32_t extended_bytes, payload_bytes;
	uint8_t extended[2200];
	uint8_t payload[64];
};

/* What the scripted host is about to answer. */
struct rig_answer {
	uint16_t type;
	uint64_t id;
	uint32_t bytes;
	uint8_t payload[80];
	bool is_held; /* do not answer */
	bool has_data;
	uint32_t data_bytes;
	uint8_t data[4096];
};

struct rig_lun {
	bool is_there;
	uint8_t target, lun;
	uint8_t type; /* first INQUIRY byte */
	uint64_t blocks;
	uint32_t block_bytes;
	uint8_t write_protect;
	char serial[9];
};

struct rig {
	struct storage_vsc vsc;
	struct storage_vsc_slot slots[RIG_SLOTS];
	struct storage_vsc_lun luns[RIG_LUNS];
	struct rig_channel channels[RIG_CHANNELS];
	unsigned channel_count;
	uint64_t now;
	_Alignas(4096) uint8_t memory[RIG_PAGES * 4096]; /* guest-physical 0 onwards */

	/* the host */
	uint16_t accepts; /* highest version */
	uint16_t sub_channels;
	uint32_t max_transfer;
	struct rig_lun units[4];
	/* May change the answer to a packet. */
	void (*hook)(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer);
	int hook_state;

	/* what happened */
	struct rig_packet sent[RIG_SENT_MAX]; /* packet n is in sent[n % RIG_SENT_MAX] */
	unsigned sent_count;
	unsigned states, sub_channels_told, scans;
	int scan_error;
	unsigned added, changed, removed;
	struct storage_vsc_lun *last_lun;
};

static inline void rig_flush(void *ctx, unsigned channel)
{
	struct rig *rig = ctx;
	for (unsigned i = 0; i < rig->channel_count; i++)
		if (rig->channels[i].index == channel) {
			rig->channels[i].flushes++;
			(void)ring_flush(&rig->channels[i].guest_out);
			(void)ring_read_flush(&rig->channels[i].guest_in);
		}
}

static inline void rig_on_state(void *ctx, struct storage_vsc *vsc)
{
	(void)vsc;
	((struct rig *)ctx)->states++;
}

static inline void rig_on_sub_channels(void *ctx, struct storage_vsc *vsc)
{
	(void)vsc;
	((struct rig *)ctx)->sub_channels_told++;
}

static inline void rig_on_lun(void *ctx, struct storage_vsc *vsc, enum storage_vsc_event event,
	struct storage_vsc_lun *lun)
{
	struct rig *rig = ctx;
	rig->last_lun = lun;
	if (event == STORAGE_VSC_LUN_ADDED)
		rig->added++;
	else if (event == STORAGE_VSC_LUN_CHANGED)
		rig->changed++;
	else {
		rig->removed++;
		storage_vsc_lun_release(vsc, lun);
	}
}

static inline void rig_on_scan(void *ctx, struct storage_vsc *vsc, int error)
{
	struct rig *rig = ctx;
	(void)vsc;
	rig->scans++;
	rig->scan_error = error;
}

static inline struct ring_area rig_area(struct rig_ring *ring, uint8_t *scratch)
{
	return (struct ring_area){
		.control = ring->control,
		.data = ring->data,
		.data_bytes = RIG_RING_BYTES,
		.scratch = scratch,
		.scratch_bytes = RIG_RING_BYTES,
	};
}

static inline void rig_channel_open(struct rig_channel *channel)
{
	memset(&channel->to_host, 0, sizeof channel->to_host);
	memset(&channel->to_guest, 0, sizeof channel->to_guest);
	const struct ring_area out = rig_area(&channel->to_host, channel->to_host.writer_scratch);
	const struct ring_area in = rig_area(&channel->to_guest, channel->to_guest.reader_scratch);
	const struct ring_area host_in = rig_area(
		&channel->to_host, channel->to_host.reader_scratch);
	const struct ring_area host_out = rig_area(
		&channel->to_guest, channel->to_guest.writer_scratch);
	(void)ring_open(&channel->guest_out, &out, &channel->guest_in, &in, RING_FLAGS_IGNORE);
	(void)ring_open(
		&channel->host_out, &host_out, &channel->host_in, &host_in, RING_FLAGS_STRICT);
}

static inline struct storage_vsc_config rig_config(struct rig *rig)
{
	return (struct storage_vsc_config){
		.path_count = 1,
		.target_count = 3,
		.slots = rig->slots,
		.slot_count = RIG_SLOTS,
		.luns = rig->luns,
		.lun_count = RIG_LUNS,
		.scan_pages = {.va = rig->memory + 4096, .gpa = 4096, .bytes = 8192},
		.flush = rig_flush,
		.on_state = rig_on_state,
		.on_sub_channels = rig_on_sub_channels,
		.on_lun = rig_on_lun,
		.on_scan = rig_on_scan,
		.ctx = rig,
	};
}

/* A disk at target 0, a DVD at target 2. Not started yet. */
static inline struct rig *rig_new(void)
{
	struct rig *rig = aligned_alloc(4096, (sizeof *rig + 4095) / 4096 * 4096);
	if (rig == NULL)
		abort();
	memset(rig, 0, sizeof *rig);
	rig->accepts = STORAGE_VERSION_6_2;
	rig->max_transfer = 0x40000;
	rig->units[0] = (struct rig_lun){.is_there = true,
		.type = SCSI_TYPE_DISK,
		.blocks = RIG_DISK_BLOCKS,
		.block_bytes = 512,
		.serial = "SERIAL01"};
	rig->units[1] = (struct rig_lun){.is_there = true,
		.target = 2,
		.type = SCSI_TYPE_DVD,
		.blocks = 300,
		.block_bytes = 2048,
		.serial = "SERIAL02"};
	const struct storage_vsc_config config = rig_config(rig);
	if (storage_vsc_init(&rig->vsc, &config) != 0)
		abort();
	return rig;
}

static inline void rig_start(struct rig *rig)
{
	rig->channel_count = 1;
	rig->channels[0].index = 0;
	rig_channel_open(&rig->channels[0]);
	(void)storage_vsc_start(
		&rig->vsc, &rig->channels[0].guest_in, &rig->channels[0].guest_out, rig->now);
}

static inline void rig_sub_channel_add(struct rig *rig)
{
	struct rig_channel *channel = &rig->channels[rig->channel_count++];
	rig_channel_open(channel);
	(void)storage_vsc_channel_add(
		&rig->vsc, &channel->guest_in, &channel->guest_out, &channel->index);
}

/* The LUN at a target; it must be there. */
static inline struct storage_vsc_lun *rig_lun(struct rig *rig, unsigned target, unsigned lun)
{
	struct storage_vsc_lun *found = storage_vsc_lun_find(&rig->vsc, 0, target, lun);
	if (found == NULL)
		abort();
	return found;
}

/* ---- the host ------------------------------------------------------------ */

static inline struct rig_lun *rig_unit(struct rig *rig, uint8_t target, uint8_t lun)
{
	for (unsigned i = 0; i < 4; i++)
		if (rig->units[i].is_there && rig->units[i].target == target &&
			rig->units[i].lun == lun)
			return &rig->units[i];
	return NULL;
}

static inline void rig_data(struct rig_answer *answer, const void *bytes, uint32_t count)
{
	answer->has_data = true;
	answer->data_bytes = count;
	memcpy(answer->data, bytes, count);
}

static inline void rig_luns(struct rig *rig, uint8_t target, struct rig_answer *answer)
{
	uint8_t list[8 + 8 * 4] = {0};
	uint32_t count = 0;
	for (unsigned i = 0; i < 4; i++)
		if (rig->units[i].is_there && rig->units[i].target == target)
			list[8 + 8 * count++ + 1] = rig->units[i].lun;
	list[3] = (uint8_t)(8 * count);
	rig_data(answer, list, 8 + 8 * count);
}

static inline void rig_inquiry(
	const struct rig_lun *unit, const uint8_t *cdb, struct rig_answer *answer)
{
	/* SPC-3, response format 2, CmdQue; removable if it is a DVD */
	uint8_t standard[36] = "\0\0\5\2\x1F\0\0\2Msft    Virtual Disk    1.0 ";
	uint8_t pages[] = {0, 0, 0, 6, 0x00, 0x80, 0x83, 0xB0, 0xB1, 0xB2};
	uint8_t serial[12] = {0, 0x80, 0, 8};
	uint8_t id[] = {0, 0x83, 0, 20, 1, 3, 0, 16, 0x60, 2, 0x24, 0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9,
		10, 11, 12};
	uint8_t limits[64] = {0, 0xB0, 0, 60};
	uint8_t characteristics[64] = {0, 0xB1, 0, 60, 0, 1};
	uint8_t provisioning[8] = {0, 0xB2, 0, 4, 1, 0x80, 2, 0};
	if (unit == NULL) {
		standard[0] = SCSI_PERIPHERAL_ABSENT;
		rig_data(answer, standard, sizeof standard);
		return;
	}
	standard[0] = unit->type;
	standard[1] = unit->type == SCSI_TYPE_DVD ? 0x80 : 0;
	memcpy(serial + 4, unit->serial, 8);
	id[23] = (uint8_t)unit->serial[7];
	memset(limits + 20, 0xFF, 4);
	limits[26] = 0x10;
	if (!(cdb[1] & 1))
		rig_data(answer, standard, sizeof standard);
	else if (cdb[2] == 0x80)
		rig_data(answer, serial, sizeof serial);
	else if (cdb[2] == 0x83)
		rig_data(answer, id, sizeof id);
	else if (cdb[2] == 0xB0)
		rig_data(answer, limits, sizeof limits);
	else if (cdb[2] == 0xB1)
		rig_data(answer, characteristics, sizeof characteristics);
	else if (cdb[2] == 0xB2)
		rig_data(answer, provisioning, sizeof provisioning);
	else
		rig_data(answer, pages, sizeof pages);
}

static inline void rig_capacity(
	const struct rig_lun *unit, uint8_t opcode, struct rig_answer *answer)
{
	uint8_t sixteen[32] = {0};
	uint8_t ten[8];
	scsi_put64(sixteen, unit->blocks - 1);
	scsi_put32(sixteen + 8, unit->block_bytes);
	sixteen[13] = 3;
	sixteen[14] = 0x80;
	scsi_put32(ten, (uint32_t)(unit->blocks - 1));
	scsi_put32(ten + 4, unit->block_bytes);
	if (opcode == SCSI_OP_READ_CAPACITY_10)
		rig_data(answer, ten, sizeof ten);
	else
		rig_data(answer, sixteen, sizeof sixteen);
}

static inline void rig_mode(const struct rig_lun *unit, struct rig_answer *answer)
{
	const uint8_t mode[24] = {
		23, 0, (uint8_t)(0x10 | unit->write_protect), 0, 0x08, 0x12, 0x04};
	rig_data(answer, mode, sizeof mode);
}

/* Fail the answer with sense data. */
static inline void rig_check(struct rig_answer *answer, uint8_t key, uint16_t asc)
{
	uint8_t *srb = answer->payload + 12;
	const uint32_t status = STORAGE_STATUS_IO_DEVICE_ERROR;
	memcpy(answer->payload + 8, &status, 4);
	srb[2] = STORAGE_SRB_ERROR | STORAGE_SRB_AUTOSENSE_VALID;
	srb[3] = SCSI_STATUS_CHECK_CONDITION;
	srb[9] = 18;
	memset(srb + 12, 0, 4);
	memset(srb + 16, 0, 20);
	srb[16] = 0x70;
	srb[18] = key;
	srb[23] = 10;
	srb[28] = (uint8_t)(asc >> 8);
	srb[29] = (uint8_t)asc;
	answer->has_data = false;
}

static inline void rig_srb_fail(struct rig_answer *answer, uint8_t srb_status, uint8_t scsi_status)
{
	answer->payload[12 + 2] = srb_status;
	answer->payload[12 + 3] = scsi_status;
	memset(answer->payload + 12 + 12, 0, 4);
	answer->has_data = false;
}

static inline void rig_srb(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	const uint8_t *srb = packet->payload + 12;
	const uint8_t *cdb = srb + 16;
	const struct rig_lun *unit = rig_unit(rig, srb[6], srb[7]);
	memset(answer->payload + 12 + 16, 0, 20);
	answer->payload[12 + 2] = STORAGE_SRB_SUCCESS;
	if (cdb[0] == SCSI_OP_REPORT_LUNS) {
		rig_luns(rig, srb[6], answer);
	} else if (cdb[0] == SCSI_OP_INQUIRY) {
		rig_inquiry(unit, cdb, answer);
	} else if (unit == NULL) {
		rig_srb_fail(answer, STORAGE_SRB_INVALID_LUN, SCSI_STATUS_CHECK_CONDITION);
	} else if (cdb[0] == SCSI_OP_SERVICE_ACTION_IN_16 || cdb[0] == SCSI_OP_READ_CAPACITY_10) {
		rig_capacity(unit, cdb[0], answer);
	} else if (cdb[0] == SCSI_OP_MODE_SENSE_6) {
		rig_mode(unit, answer);
	}
	if (answer->has_data) {
		uint32_t asked;
		memcpy(&asked, srb + 12, 4);
		if (answer->data_bytes > asked)
			answer->data_bytes = asked;
		memcpy(answer->payload + 12 + 12, &answer->data_bytes, 4);
	}
}

static inline void rig_answer_make(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	uint32_t operation;
	uint32_t status = 0;
	const uint32_t complete = STORAGE_OP_COMPLETE_IO;
	memset(answer, 0, sizeof *answer);
	answer->type = PACKET_TYPE_COMPLETION;
	answer->id = packet->id;
	answer->bytes = packet->payload_bytes;
	memcpy(answer->payload, packet->payload, packet->payload_bytes);
	memcpy(&operation, packet->payload, 4);
	memcpy(answer->payload, &complete, 4);
	memset(answer->payload + 4, 0, 8);
	if (operation == STORAGE_OP_QUERY_PROTOCOL_VERSION) {
		uint16_t version;
		memcpy(&version, packet->payload + 12, 2);
		if (version > rig->accepts)
			status = STORAGE_STATUS_REVISION_MISMATCH;
	} else if (operation == STORAGE_OP_QUERY_PROPERTIES) {
		const struct storage_properties_wire properties = {
			.max_sub_channels = rig->sub_channels,
			.flags = rig->sub_channels ? STORAGE_PROPERTIES_MULTI_CHANNEL : 0,
			.max_transfer_bytes = rig->max_transfer,
		};
		memcpy(answer->payload + 12, &properties, sizeof properties);
	} else if (operation == STORAGE_OP_EXECUTE_SRB) {
		rig_srb(rig, packet, answer);
	}
	memcpy(answer->payload + 8, &status, 4);
	if (rig->hook != NULL)
		rig->hook(rig, packet, answer);
}

/* Put reply data where the packet's page list says. */
static inline void rig_data_write(
	struct rig *rig, const struct rig_packet *packet, const struct rig_answer *answer)
{
	uint32_t offset;
	memcpy(&offset, packet->extended + 12, 4);
	for (uint32_t i = 0; i < answer->data_bytes; i++) {
		uint64_t gpn;
		const uint32_t at = offset + i;
		memcpy(&gpn, packet->extended + 16 + at / 4096 * 8, 8);
		if (gpn < RIG_PAGES)
			rig->memory[gpn * 4096 + at % 4096] = answer->data[i];
	}
}

static inline void rig_send(struct rig *rig, unsigned channel, uint16_t type, uint64_t id,
	const void *payload, uint32_t bytes)
{
	const struct packet_header header = {
		.type = type,
		.extended_bytes = type == PACKET_TYPE_GPA_DIRECT ? 8 : 0,
		.payload_bytes = bytes,
		.transaction_id = id,
	};
	const uint64_t extended = 0;
	(void)ring_send(&rig->channels[channel].host_out, &header, &extended, payload);
	(void)ring_flush(&rig->channels[channel].host_out);
}

/* Take one packet of the guest, if there is one. */
static inline bool rig_packet_take(struct rig *rig, unsigned channel, struct rig_packet *packet)
{
	struct ring_reader *in = &rig->channels[channel].host_in;
	struct packet_view view;
	if (ring_peek(in, &view) != RING_OK) {
		(void)ring_read_flush(in);
		return false;
	}
	packet->channel = channel;
	packet->type = view.type;
	packet->flags = view.flags;
	packet->id = view.transaction_id;
	packet->extended_bytes = view.extended_bytes;
	packet->payload_bytes = view.payload_bytes;
	memcpy(packet->extended, view.extended, view.extended_bytes);
	memcpy(packet->payload, view.payload, view.payload_bytes);
	ring_release(in, &view);
	return true;
}

/* The host's turn on one channel. Returns the number of packets taken. */
static inline unsigned rig_host_run(struct rig *rig, unsigned channel)
{
	static struct rig_answer answer;
	unsigned taken = 0;
	for (;;) {
		struct rig_packet *packet = &rig->sent[rig->sent_count % RIG_SENT_MAX];
		if (!rig_packet_take(rig, channel, packet))
			return taken;
		rig->sent_count++;
		taken++;
		rig_answer_make(rig, packet, &answer);
		if (answer.has_data)
			rig_data_write(rig, packet, &answer);
		if (!answer.is_held)
			rig_send(
				rig, channel, answer.type, answer.id, answer.payload, answer.bytes);
	}
}

/* Both sides in turn until neither has anything to do. */
static inline void rig_run(struct rig *rig)
{
	unsigned done;
	do {
		done = 0;
		for (unsigned i = 0; i < rig->channel_count; i++) {
			done += rig_host_run(rig, i);
			const int taken = storage_vsc_drain(
				&rig->vsc, rig->channels[i].index, STORAGE_VSC_DRAIN_MAX);
			done += taken > 0 ? (unsigned)taken : 0;
		}
		(void)storage_vsc_tick(&rig->vsc, rig->now);
	} while (done > 0);
}

static inline void rig_later(struct rig *rig, unsigned ms)
{
	rig->now += (uint64_t)ms * 10000;
	(void)storage_vsc_tick(&rig->vsc, rig->now);
}

/* The packet before the last `back` ones. */
static inline const struct rig_packet *rig_sent(const struct rig *rig, unsigned back)
{
	return &rig->sent[(rig->sent_count - 1 - back) % RIG_SENT_MAX];
}

/* A client that is READY, and one that has enumerated too. */
static inline struct rig *rig_ready(void)
{
	struct rig *rig = rig_new();
	rig_start(rig);
	rig_run(rig);
	return rig;
}

static inline struct rig *rig_scanned(void)
{
	struct rig *rig = rig_ready();
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	return rig;
}

#endif
