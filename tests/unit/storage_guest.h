// SPDX-License-Identifier: Apache-2.0
/*
 * A scripted guest of one storage controller: sends packets, keeps what comes back.
 * It speaks bytes; of the machine under test it uses only the inputs and outputs.
 */
#ifndef TESTS_UNIT_STORAGE_GUEST_H
#define TESTS_UNIT_STORAGE_GUEST_H

#include "host/vsp/storage_vsp.h"
#include "tests/harness.h"
#include "tests/unit/store_script.h"

#include <stdlib.h>

#define GUEST_REPLIES_MAX  2048u
#define GUEST_CHANNELS_MAX 4u
#define GUEST_DATA_MAX	   (1u << 20)

struct guest_reply {
	unsigned channel;
	uint64_t id;
	size_t bytes;
	uint8_t packet[64];
};

struct guest;

struct guest_channel {
	struct guest *guest;
	unsigned index;
	struct storage_channel *core;
	unsigned resumed;
	unsigned idle;
};

struct guest {
	struct storage_vsp *vsp;
	struct guest_channel channels[GUEST_CHANNELS_MAX];
	unsigned reply_count;
	struct guest_reply replies[GUEST_REPLIES_MAX];
	unsigned notified;
	unsigned sub_channels; /* asked for */
	int sub_channels_result;
	uint64_t next_id;
	uint8_t *data; /* data buffer of commands */
};

static inline void guest_on_complete(void *ctx, uint64_t id, const void *reply, size_t bytes)
{
	struct guest_channel *channel = ctx;
	struct guest *g = channel->guest;
	CU_ASSERT_FATAL(bytes <= 64 && g->reply_count < GUEST_REPLIES_MAX);
	struct guest_reply *r = &g->replies[g->reply_count++];
	r->channel = channel->index;
	r->id = id;
	r->bytes = bytes;
	memset(r->packet, 0xDD, sizeof r->packet);
	memcpy(r->packet, reply, bytes);
}

static inline void guest_on_notify(void *ctx)
{
	((struct guest_channel *)ctx)->guest->notified++;
}

static inline void guest_on_resume(void *ctx)
{
	((struct guest_channel *)ctx)->resumed++;
}

static inline int guest_on_sub_channels(void *ctx, unsigned count)
{
	struct guest *g = ctx;
	g->sub_channels = count;
	return g->sub_channels_result;
}

static inline void guest_on_idle(void *ctx)
{
	((struct guest_channel *)ctx)->idle++;
}

static const struct storage_vsp_ops guest_ops = {
	.complete = guest_on_complete,
	.notify = guest_on_notify,
	.resume = guest_on_resume,
	.sub_channels = guest_on_sub_channels,
	.idle = guest_on_idle,
};

static inline void guest_open(struct guest *g, unsigned index)
{
	struct guest_channel *channel = &g->channels[index];
	channel->guest = g;
	channel->index = index;
	channel->core = storage_channel_open(g->vsp, (uint16_t)index, channel);
	CU_ASSERT_PTR_NOT_NULL_FATAL(channel->core);
}

static inline struct guest *guest_create(const struct storage_vsp_config *config)
{
	struct guest *g = calloc(1, sizeof *g);
	g->data = calloc(1, GUEST_DATA_MAX);
	g->next_id = 0xFFFFFFFF00000001;
	CU_ASSERT_EQUAL_FATAL(storage_vsp_create(config, &guest_ops, g, &g->vsp), 0);
	guest_open(g, 0);
	return g;
}

static inline void guest_close(struct guest *g, unsigned index)
{
	storage_channel_close(g->channels[index].core);
	g->channels[index].core = NULL;
}

/* Ends the controller; devices must be detached. */
static inline void guest_free(struct guest *g)
{
	for (unsigned i = 0; i < GUEST_CHANNELS_MAX; i++)
		if (g->channels[i].core)
			guest_close(g, i);
	storage_vsp_destroy(g->vsp);
	free(g->data);
	free(g);
}

/* Send a packet of `bytes`, with `data_bytes` of g->data as data buffer. Its id, or 0 if held. */
static inline uint64_t guest_send_on(
	struct guest *g, unsigned channel, const void *packet, size_t bytes, uint32_t data_bytes)
{
	struct storage_request *request = storage_request_begin(g->channels[channel].core);
	if (!request)
		return 0;
	if (data_bytes) {
		/* Two pieces, as pages would be. */
		const uint32_t first = data_bytes > 4096 ? 4096 : data_bytes;
		request->data = STORAGE_DATA_MAPPED;
		request->iov_bytes = data_bytes;
		request->iov[0] = (struct iovec){g->data, first};
		request->iov_count = 1;
		if (first != data_bytes)
			request->iov[request->iov_count++] = (struct iovec){
				g->data + first, data_bytes - first};
	}
	/* A heap copy of the exact size lets the address sanitizer see reads past it. */
	uint8_t *copy = malloc(bytes ? bytes : 1);
	if (bytes)
		memcpy(copy, packet, bytes);
	const uint64_t id = g->next_id++;
	storage_request_submit(request, id, copy, bytes);
	free(copy);
	return id;
}

/* The reply to the last packet, which must have come by now. */
static inline const struct guest_reply *guest_last(const struct guest *g)
{
	static const struct guest_reply none;
	CU_ASSERT(g->reply_count != 0);
	return g->reply_count ? &g->replies[g->reply_count - 1] : &none;
}

static inline uint32_t guest_u32(const struct guest_reply *reply, unsigned at)
{
	uint32_t value;
	memcpy(&value, reply->packet + at, sizeof value);
	return value;
}

/* Send a control operation of `bytes` with two bytes at offset 12; returns its status. */
static inline uint32_t guest_control_on(
	struct guest *g, unsigned channel, uint32_t operation, uint16_t word, size_t bytes)
{
	uint8_t packet[64] = {(uint8_t)operation, 0, 0, 0, 1};
	const unsigned before = g->reply_count;
	memcpy(packet + 12, &word, sizeof word);
	const uint64_t id = guest_send_on(g, channel, packet, bytes, 0);
	CU_ASSERT_EQUAL_FATAL(g->reply_count, before + 1);
	CU_ASSERT_EQUAL(guest_last(g)->id, id);
	CU_ASSERT_EQUAL(guest_last(g)->bytes, bytes);
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 0), 1);
	CU_ASSERT_EQUAL(guest_u32(guest_last(g), 4), 0);
	return guest_u32(guest_last(g), 8);
}

static inline uint32_t guest_control(struct guest *g, uint32_t operation, uint16_t word)
{
	return guest_control_on(g, 0, operation, word, 64);
}

/* The handshake with one version, in packets of its size. */
static inline void guest_handshake(struct guest *g, uint16_t version)
{
	const size_t bytes = version < 0x0501 ? 48 : 64;
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 7, 0, bytes), 0);
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 9, version, bytes), 0);
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 10, 0, bytes), 0);
	CU_ASSERT_EQUAL(guest_control_on(g, 0, 8, 0, bytes), 0);
}

struct guest_srb {
	uint8_t path, target, lun;
	uint8_t cdb_length, sense_length, direction;
	uint32_t data_length;
	uint32_t flags;
	uint8_t cdb[16];
};

/* Write an EXECUTE_SRB packet of 48 or 64 bytes. */
static inline void guest_srb_packet(uint8_t *packet, size_t bytes, const struct guest_srb *srb)
{
	memset(packet, 0, 64);
	packet[0] = 3;
	packet[4] = 1;
	packet[12] = (uint8_t)(bytes - 12);
	packet[17] = srb->path;
	packet[18] = srb->target;
	packet[19] = srb->lun;
	packet[20] = srb->cdb_length;
	packet[21] = srb->sense_length;
	packet[22] = srb->direction;
	memcpy(packet + 24, &srb->data_length, 4);
	memcpy(packet + 28, srb->cdb, 16);
	if (bytes == 64)
		memcpy(packet + 52, &srb->flags, 4);
}

static inline uint64_t guest_srb_on(
	struct guest *g, unsigned channel, size_t bytes, const struct guest_srb *srb)
{
	uint8_t packet[64];
	guest_srb_packet(packet, bytes, srb);
	return guest_send_on(g, channel, packet, bytes, srb->data_length);
}

static inline uint64_t guest_srb(struct guest *g, const struct guest_srb *srb)
{
	return guest_srb_on(g, 0, 64, srb);
}

/* READ(10) or WRITE(10) of LUN `lun` on 0:0. */
static inline struct guest_srb guest_transfer(
	bool is_write, uint8_t lun, uint32_t lba, uint16_t count)
{
	struct guest_srb srb = {
		.lun = lun,
		.cdb_length = 10,
		.sense_length = 20,
		.direction = is_write ? 0 : 1,
		.data_length = (uint32_t)count * 512,
		.cdb = {is_write ? 0x2A : 0x28},
	};
	srb.cdb[2] = (uint8_t)(lba >> 24);
	srb.cdb[3] = (uint8_t)(lba >> 16);
	srb.cdb[4] = (uint8_t)(lba >> 8);
	srb.cdb[5] = (uint8_t)lba;
	srb.cdb[7] = (uint8_t)(count >> 8);
	srb.cdb[8] = (uint8_t)count;
	return srb;
}

/* A disk of 20480 blocks over a scripted store, attached at an address. */
static inline struct store_script *guest_attach(
	struct guest *g, uint8_t path, uint8_t target, uint8_t lun, struct scsi_device **out)
{
	const struct scsi_device_config config = {.type = SCSI_DEVICE_DISK};
	struct store_script *store = store_script_create(20480 * 512, 512);
	struct scsi_device *device;
	CU_ASSERT_EQUAL_FATAL(scsi_device_create(&config, &store->base, &device), 0);
	CU_ASSERT_EQUAL_FATAL(
		storage_vsp_attach(g->vsp, (struct storage_address){path, target, lun}, device), 0);
	if (out)
		*out = device;
	return store;
}

static inline void guest_device_gone(void *ctx, struct scsi_device *device)
{
	unsigned *gone = ctx;
	(*gone)++;
	scsi_device_destroy(device);
}

/* Detach and destroy; 1 if the device was free at once. */
static inline unsigned guest_detach(struct guest *g, uint8_t path, uint8_t target, uint8_t lun)
{
	unsigned gone = 0;
	CU_ASSERT_EQUAL(storage_vsp_detach(g->vsp, (struct storage_address){path, target, lun},
				guest_device_gone, &gone),
		0);
	return gone;
}

#define ASSERT_REPLY(g, ...)                                                                       \
	do {                                                                                       \
		const uint8_t expected_[64] = {__VA_ARGS__};                                       \
		CU_ASSERT_EQUAL(guest_last(g)->bytes, 64);                                         \
		CU_ASSERT_EQUAL(memcmp(guest_last(g)->packet, expected_, 64), 0);                  \
	} while (0)

#endif
