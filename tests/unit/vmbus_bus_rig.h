// SPDX-License-Identifier: Apache-2.0
/*
 * A VMBus over a partition on a bench, with providers that echo packets and a guest
 * that makes real hypercalls, reads its message slot and writes its own rings.
 */
#ifndef TESTS_UNIT_VMBUS_BUS_RIG_H
#define TESTS_UNIT_VMBUS_BUS_RIG_H

#include "host/vmbus/bus.h"
#include "tests/unit/partition_rig.h"

#include <errno.h>
#include <stdio.h>

#define BENCH_RINGS	     0x40000ull /* of channel n: BENCH_RINGS + n * 0x8000 */
#define BENCH_RING_STRIDE    0x8000ull
#define BENCH_RING_PAGES     8u /* two rings of a control page and three pages of data */
#define BENCH_INTERRUPTS     0x30000ull
#define BENCH_MONITOR_OUT    0x31000ull
#define BENCH_MONITOR_IN     0x32000ull
#define BENCH_SIMP(vp)	     (RIG_SIMP + (vp)*0x4000ull)
#define BENCH_SIEFP(vp)	     (RIG_SIEFP + (vp)*0x4000ull)
#define BENCH_DATA_BYTES     (3u * 4096u)
#define BENCH_CHANNELS	     6u
#define BENCH_PACKETS_A_TURN 4u

struct bench_provider {
	struct bus_channel *channel; /* NULL: not offered */
	bool waits_open, waits_close;
	bool is_lazy; /* declines packets */
	int open_status;
	bool writes_at_open;
	void (*on_ready)(struct bench_provider *provider, struct bus_channel *channel);
	struct bench_provider *victim; /* for on_ready */
	unsigned opens, closes, readies, packets;
	uint8_t user_data[VMBUS_USER_DATA_BYTES];
};

/* The guest's side of a channel's rings. */
struct bench_channel {
	struct ring_writer out;
	struct ring_reader in;
	uint8_t scratch[2][BENCH_DATA_BYTES];
};

struct bench {
	struct rig rig;
	struct vmbus_bus *bus;
	struct bench_provider providers[BENCH_CHANNELS + 1]; /* by relid */
	struct bench_channel channels[BENCH_CHANNELS + 1];
	uint8_t message[240]; /* last heard */
	unsigned resets_done;
};

/* ---- provider ---- */

static inline void bench_send(struct bus_channel *channel, uint64_t id)
{
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND, .payload_bytes = 8, .transaction_id = id};
	CU_ASSERT_EQUAL(
		ring_send(bus_channel_writer(channel), &header, NULL, "\1\2\3\4\5\6\7"), RING_OK);
}

static inline void bench_open(void *ctx, struct bus_channel *channel, const uint8_t *user_data)
{
	struct bench_provider *p = ctx;
	p->opens++;
	memcpy(p->user_data, user_data, sizeof p->user_data);
	if (p->writes_at_open) {
		bench_send(channel, 0xabc);
		bus_channel_flush(channel);
	}
	if (!p->waits_open)
		bus_channel_open_done(channel, p->open_status);
}

static inline void bench_close(void *ctx, struct bus_channel *channel)
{
	struct bench_provider *p = ctx;
	p->closes++;
	if (!p->waits_close)
		bus_channel_close_done(channel);
}

/* Completes each packet. */
static inline bool bench_ready(void *ctx, struct bus_channel *channel)
{
	struct bench_provider *p = ctx;
	struct ring_reader *reader = bus_channel_reader(channel);
	unsigned handled = 0;
	p->readies++;
	if (p->on_ready != NULL) {
		p->on_ready(p, channel);
		return false;
	}
	while (!p->is_lazy && handled < BENCH_PACKETS_A_TURN) {
		struct packet_view view;
		const enum ring_status status = ring_peek(reader, &view);
		if (status == RING_EMPTY)
			break;
		if (status != RING_OK) {
			bus_channel_fail(channel, ring_status_name(status));
			return false;
		}
		const struct packet_header header = {
			.type = PACKET_TYPE_COMPLETION, .transaction_id = view.transaction_id};
		ring_release(reader, &view);
		if (ring_send(bus_channel_writer(channel), &header, NULL, NULL) != RING_OK)
			break;
		handled++;
	}
	p->packets += handled;
	bus_channel_flush(channel);
	return handled > 0;
}

static const struct bus_provider_ops bench_provider_ops = {
	.name = "echo",
	.open = bench_open,
	.close = bench_close,
	.ready = bench_ready,
};

/* Provider `number`, which gets relid `number` if they are added in order. */
static inline struct bus_offer bench_offer(struct bench *b, unsigned number)
{
	struct bus_offer offer = {
		.interface_id = guid_storage,
		.flags = VMBUS_OFFER_ENUMERATE_DEVICE_INTERFACE,
		.ops = &bench_provider_ops,
		.ctx = &b->providers[number],
	};
	offer.instance_id.bytes[15] = (uint8_t)number;
	return offer;
}

static inline struct bench_provider *bench_add(struct bench *b, unsigned number)
{
	const struct bus_offer offer = bench_offer(b, number);
	struct bench_provider *p = &b->providers[number];
	CU_ASSERT_EQUAL_FATAL(bus_offer_add(b->bus, &offer, &p->channel), 0);
	return p;
}

/* ---- life ---- */

static inline void bench_synic_on(struct bench *b, uint32_t vp)
{
	rig_write(&b->rig, vp, HV_X64_MSR_SIMP, BENCH_SIMP(vp) | 1);
	rig_write(&b->rig, vp, HV_X64_MSR_SIEFP, BENCH_SIEFP(vp) | 1);
	rig_write(&b->rig, vp, HV_X64_MSR_SINT0 + 2, RIG_VECTOR);
}

static inline struct bench *bench_make_with(const struct vmbus_bus_config *config)
{
	struct bench *b = calloc(1, sizeof *b);
	if (b == NULL)
		abort();
	rig_open(&b->rig, 2);
	if (vmbus_bus_create(b->rig.partition, config, &b->bus) != 0)
		abort();
	rig_hypercalls_on(&b->rig);
	bench_synic_on(b, 0);
	bench_synic_on(b, 1);
	return b;
}

static inline struct bench *bench_make(void)
{
	return bench_make_with(&(struct vmbus_bus_config){0});
}

/* R-OPEN-026: no ring stays mapped. */
static inline void bench_destroy(struct bench *b)
{
	vmbus_bus_destroy(b->bus);
	CU_ASSERT_EQUAL(*partition_memory(b->rig.partition)->ring_runs, 0);
	rig_close(&b->rig);
	free(b);
}

static inline struct vmbus_bus_statistics bench_status(const struct bench *b)
{
	struct vmbus_bus_statistics statistics;
	vmbus_bus_statistics_get(b->bus, &statistics);
	return statistics;
}

/* ---- guest: messages ---- */

/* HvPostMessage by memory; returns the HV_STATUS. */
static inline uint16_t bench_post_type(
	struct bench *b, uint32_t connection, uint32_t type, const void *payload, size_t bytes)
{
	const uint32_t header[4] = {connection, 0, type, (uint32_t)bytes};
	uint8_t *input = rig_at(&b->rig, RIG_INPUT);
	memset(input, 0, 256);
	memcpy(input, header, sizeof header);
	if (bytes > 0)
		memcpy(input + 16, payload, bytes);
	return (uint16_t)rig_hypercall(&b->rig, 0x5c, RIG_INPUT, 0);
}

static inline uint16_t bench_post(
	struct bench *b, uint32_t connection, const void *payload, size_t bytes)
{
	return bench_post_type(b, connection, 1, payload, bytes);
}

/* A message of 32-bit words, padded with zeros to `bytes`. */
#define BENCH_SAY(b, bytes, ...)                                                                   \
	do {                                                                                       \
		uint32_t words_[60] = {__VA_ARGS__};                                               \
		CU_ASSERT_EQUAL(bench_post(b, 1, words_, bytes), 0);                               \
	} while (0)

/* Take the message out of the slot of `vp`: its payload size, 0 if there is none. */
static inline size_t bench_hear_on(struct bench *b, uint32_t vp)
{
	uint8_t *slot = (uint8_t *)rig_at(&b->rig, BENCH_SIMP(vp)) + 2 * 256;
	uint32_t type;
	memcpy(&type, slot, sizeof type);
	if (type == 0)
		return 0;
	CU_ASSERT_EQUAL(type, 1);
	CU_ASSERT_EQUAL(slot[8], 1); /* port */
	const size_t bytes = slot[4];
	memcpy(b->message, slot + 16, sizeof b->message);
	memset(slot, 0, 4);
	if (slot[5] & 1)
		rig_write(&b->rig, vp, HV_X64_MSR_EOM, 0);
	return bytes;
}

static inline size_t bench_hear(struct bench *b)
{
	return bench_hear_on(b, 0);
}

static inline uint32_t bench_word(const struct bench *b, unsigned index)
{
	uint32_t word;
	memcpy(&word, b->message + 4 * index, sizeof word);
	return word;
}

/* The next message has this size and type. */
#define BENCH_HEAR(b, bytes, type)                                                                 \
	do {                                                                                       \
		CU_ASSERT_EQUAL(bench_hear(b), bytes);                                             \
		CU_ASSERT_EQUAL(bench_word(b, 0), type);                                           \
	} while (0)
#define BENCH_DEAD(b) CU_ASSERT_EQUAL(bench_hear(b), 0)

/* Contact, and all offers heard. */
static inline void bench_connect_with(
	struct bench *b, uint32_t version, uint32_t features, uint64_t interrupts, bool monitors)
{
	const uint64_t at16 = version >= 0x50000 ? 2 | (uint64_t)features << 32 : interrupts;
	BENCH_SAY(b, 40, 14, 0, version, 0, (uint32_t)at16, (uint32_t)(at16 >> 32),
		monitors ? BENCH_MONITOR_OUT : 0, 0, monitors ? BENCH_MONITOR_IN : 0, 0);
	CU_ASSERT_NOT_EQUAL(bench_hear(b), 0);
	CU_ASSERT_EQUAL(bench_word(b, 0), 15);
	CU_ASSERT_EQUAL(bench_word(b, 2), 1);
	BENCH_SAY(b, 8, 3);
	while (bench_hear(b) == 196)
		;
	CU_ASSERT_EQUAL(bench_word(b, 0), 4);
}

static inline void bench_connect(struct bench *b)
{
	bench_connect_with(b, 0x50003, 0, 0, false);
}

/* ---- guest: rings and signals ---- */

static inline struct ring_area bench_area(
	struct bench *b, unsigned relid, unsigned ring, uint8_t *scratch)
{
	uint8_t *control = rig_at(
		&b->rig, BENCH_RINGS + relid * BENCH_RING_STRIDE + ring * 4 * 4096ull);
	return (struct ring_area){
		.control = control,
		.data = control + 4096,
		.data_bytes = BENCH_DATA_BYTES,
		.scratch = scratch,
		.scratch_bytes = BENCH_DATA_BYTES,
	};
}

static inline void bench_gpadl(struct bench *b, unsigned relid, uint64_t first_gpn)
{
	uint32_t words[60] = {8, 0, relid, relid, (8 + 8 * BENCH_RING_PAGES) | 1 << 16,
		BENCH_RING_PAGES * 4096, 0};
	for (unsigned i = 0; i < BENCH_RING_PAGES; i++)
		words[7 + 2 * i] = (uint32_t)first_gpn + i;
	CU_ASSERT_EQUAL(bench_post(b, 1, words, 28 + 8 * BENCH_RING_PAGES), 0);
	BENCH_HEAR(b, 20, 10);
	CU_ASSERT_EQUAL(bench_word(b, 4), 0);
}

/* The guest's half of the rings of channel `relid`, and their GPADL of the same number. */
static inline void bench_rings(struct bench *b, unsigned relid)
{
	struct bench_channel *c = &b->channels[relid];
	const struct ring_area out = bench_area(b, relid, 0, c->scratch[0]);
	const struct ring_area in = bench_area(b, relid, 1, c->scratch[1]);
	ring_clear(&out);
	ring_clear(&in);
	CU_ASSERT_EQUAL(ring_open(&c->out, &out, &c->in, &in, RING_FLAGS_STRICT), RING_OK);
	bench_gpadl(b, relid, (BENCH_RINGS + relid * BENCH_RING_STRIDE) >> 12);
}

static inline void bench_say_open(struct bench *b, unsigned relid, uint32_t vp)
{
	BENCH_SAY(b, 148, 5, 0, relid, relid, relid, vp, 4);
}

/* Channel `relid` is open. */
static inline struct bench_channel *bench_opened_on(struct bench *b, unsigned relid, uint32_t vp)
{
	bench_rings(b, relid);
	bench_say_open(b, relid, vp);
	BENCH_HEAR(b, 20, 6);
	CU_ASSERT_EQUAL(bench_word(b, 4), 0);
	return &b->channels[relid];
}

static inline struct bench_channel *bench_opened(struct bench *b, unsigned relid)
{
	return bench_opened_on(b, relid, 0);
}

/* Write a packet; true if the ring's rules ask for a signal. */
static inline bool bench_write(struct bench_channel *c, uint64_t id)
{
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.payload_bytes = 16,
		.transaction_id = id,
	};
	CU_ASSERT_EQUAL(ring_send(&c->out, &header, NULL, "0123456789abcdef"), RING_OK);
	return ring_flush(&c->out);
}

/* Transaction id of the next packet, or 0. */
static inline uint64_t bench_read(struct bench_channel *c)
{
	struct packet_view view;
	if (ring_peek(&c->in, &view) != RING_OK)
		return 0;
	const uint64_t id = view.transaction_id;
	ring_release(&c->in, &view);
	(void)ring_read_flush(&c->in);
	return id;
}

/* HvSignalEvent, fast form; returns the HV_STATUS. */
static inline uint16_t bench_signal(struct bench *b, uint32_t connection)
{
	return (uint16_t)rig_hypercall(&b->rig, 0x5d | 1 << 16, connection, 0);
}

#define BENCH_NO_FLAG 0xffffffffu

/* Take one event flag of SINT 2 of `vp`: its number, or BENCH_NO_FLAG. */
static inline uint32_t bench_flag(struct bench *b, uint32_t vp)
{
	uint64_t *words = (uint64_t *)rig_at(&b->rig, BENCH_SIEFP(vp)) + 2 * 32;
	for (unsigned i = 0; i < 32; i++) {
		if (words[i] != 0) {
			const unsigned bit = (unsigned)__builtin_ctzll(words[i]);
			words[i] &= words[i] - 1;
			return i * 64 + bit;
		}
	}
	return BENCH_NO_FLAG;
}

/* Run the bus until nothing is left, then let it sleep. */
static inline void bench_run(struct bench *b)
{
	unsigned turns = 0;
	do {
		while (vmbus_bus_poll(b->bus))
			CU_ASSERT_TRUE_FATAL(++turns < 10000);
		CU_ASSERT_TRUE_FATAL(++turns < 10000);
	} while (!vmbus_bus_arm(b->bus));
}

#endif
