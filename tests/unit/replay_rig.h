// SPDX-License-Identifier: Apache-2.0
/*
 * What a replay of a recording keeps, and the provider that stands for every device: it
 * takes packets and compares each with what the recorded guest wrote. See test_replay.c.
 */
#ifndef TESTS_UNIT_REPLAY_RIG_H
#define TESTS_UNIT_REPLAY_RIG_H

#include "host/vmbus/bus.h"
#include "protocol/hypervisor.h"
#include "protocol/packet.h"
#include "tests/harness.h"
#include "tests/unit/replay_capture.h"

#include <errno.h>

/* Sparse; one guest was given memory at 4 GiB while it ran, and put rings there. */
#define MEMORY_BYTES (UINT64_C(5) << 30)
#define OUR_PAGES    (MEMORY_BYTES - 0x20000) /* of the bench; above all that the guests use */
#define INPUT_PAGE   OUR_PAGES
#define CODE_PAGE    (OUR_PAGES + 0x1000)
#define SIMP(vp)     (OUR_PAGES + 0x2000 + (vp)*0x2000ull)
#define SIEFP(vp)    (OUR_PAGES + 0x3000 + (vp)*0x2000ull)
#define VPS	     2u
#define DEVICES	     64u
#define POOL	     64u
#define GPADLS	     256u
#define OFFER_BYTES  196u

struct gpadl {
	uint32_t id; /* 0: free */
	uint64_t *gpns;
	unsigned count, total;
};

struct device {
	struct replay *replay;
	struct bus_channel *channel; /* NULL: taken back */
	uint8_t offer[OFFER_BYTES];  /* as recorded */
	bool is_deferred; /* made, but the guest still holds the relid of the one before */
	/* the guest's side */
	const struct gpadl *ring;
	uint32_t downstream;
	uint32_t in;
	/* the packet that is to arrive */
	const struct capture_line *expected;
	unsigned arrived;
};

struct message {
	size_t count; /* 0: matched */
	uint8_t bytes[240];
};

struct replay {
	const char *name;
	struct capture capture;
	size_t at; /* line */
	struct partition *partition;
	struct vmbus_bus *bus;
	struct device devices[DEVICES];
	unsigned device_count;
	uint16_t device_of[2048]; /* by recorded relid, + 1 */
	struct gpadl gpadls[GPADLS];
	struct message pool[POOL]; /* said by our host, not matched yet */
	bool is_connected;
	unsigned unsupported, after_unload; /* refusals that the recording itself shows */
	unsigned messages, packets;
};

#define EXPECT(r, condition)                                                                       \
	do {                                                                                       \
		const bool holds_ = (condition);                                                   \
		if (!holds_)                                                                       \
			printf("%s, line %zu: not so: %s\n", (r)->name, (r)->at + 1, #condition);  \
		CU_ASSERT_TRUE(holds_);                                                            \
	} while (0)

static inline uint32_t u32_at(const uint8_t *bytes, size_t at)
{
	uint32_t value;
	memcpy(&value, bytes + at, sizeof value);
	return value;
}

static inline void u32_put(uint8_t *bytes, size_t at, uint32_t value)
{
	memcpy(bytes + at, &value, sizeof value);
}

static inline uint8_t *memory_at(struct replay *r, uint64_t gpa)
{
	uint8_t *at = guest_memory_at(partition_memory(r->partition), gpa, 1);
	if (at == NULL) {
		fprintf(stderr, "%s, line %zu: 0x%llx is not memory\n", r->name, r->at + 1,
			(unsigned long long)gpa);
		abort();
	}
	return at;
}

/* ---- provider ---- */

static inline void on_open(void *ctx, struct bus_channel *channel, const uint8_t *user_data)
{
	(void)ctx;
	(void)user_data;
	bus_channel_open_done(channel, 0);
}

static inline void on_close(void *ctx, struct bus_channel *channel)
{
	(void)ctx;
	bus_channel_close_done(channel);
}

/* The packet that has arrived is the one that was written. */
static inline void packet_compare(struct device *d, const struct packet_view *view)
{
	struct replay *r = d->replay;
	const struct capture_line *line = d->expected;
	static uint8_t store[1 << 16];
	EXPECT(r, line != NULL && view->total_bytes == line->count + PACKET_TRAILER_BYTES);
	if (line == NULL)
		return;
	const size_t payload = 16 + (size_t)view->extended_bytes;
	EXPECT(r, view->type == (u32_at(line->bytes, 0) & 0xffff));
	EXPECT(r, memcmp(&view->transaction_id, line->bytes + 8, 8) == 0);
	EXPECT(r, payload + view->payload_bytes == line->count);
	EXPECT(r, memcmp(view->extended, line->bytes + 16, view->extended_bytes) == 0);
	EXPECT(r, memcmp(view->payload, line->bytes + payload, view->payload_bytes) == 0);
	if (view->type == PACKET_TYPE_GPA_DIRECT) {
		const struct packet_gpa_limits limits = {
			.max_bytes = 1 << 20, .end_gpn = MEMORY_BYTES >> 12};
		struct packet_gpa_list list;
		EXPECT(r, packet_gpa_direct_parse(view, &limits, store, sizeof store, &list) ==
				  PACKET_ACCEPTED);
		struct packet_gpa_iter iter = packet_gpa_iterate(&list);
		struct packet_segment segment;
		uint64_t bytes = 0;
		while (packet_gpa_next(&iter, &segment)) {
			EXPECT(r, guest_memory_at(partition_memory(r->partition), segment.gpa,
					  segment.bytes) != NULL);
			bytes += segment.bytes;
		}
		EXPECT(r, bytes == list.total_bytes);
	}
	if ((d->offer[56] & VMBUS_OFFER_NAMED_PIPE) && view->type == PACKET_TYPE_INBAND) {
		struct packet_pipe pipe;
		EXPECT(r, packet_pipe_parse(view->payload, view->payload_bytes, &pipe) ==
				  PACKET_ACCEPTED);
	}
}

static inline bool on_ready(void *ctx, struct bus_channel *channel)
{
	struct device *d = ctx;
	struct ring_reader *reader = bus_channel_reader(channel);
	struct packet_view view;
	const enum ring_status status = ring_peek(reader, &view);
	if (status == RING_EMPTY)
		return false;
	EXPECT(d->replay, status == RING_OK);
	if (status != RING_OK) {
		bus_channel_fail(channel, ring_status_name(status));
		return false;
	}
	packet_compare(d, &view);
	const uint64_t trailer = ring_view_trailer(reader, &view);
	EXPECT(d->replay, d->expected != NULL && memcmp(&trailer, d->expected->trailer, 8) == 0);
	d->expected = NULL;
	d->arrived++;
	ring_release(reader, &view);
	bus_channel_flush(channel);
	return true;
}

static const struct bus_provider_ops provider_ops = {
	.name = "replay",
	.open = on_open,
	.close = on_close,
	.ready = on_ready,
};

#endif
