// SPDX-License-Identifier: Apache-2.0
/*
 * An integration component on a guest's channel with real rings: the bus is a stand-in of
 * this file, the host is the test.
 */
#include "guest/ic_daemons/heartbeat_ic.h"
#include "guest/ic_daemons/ic_channel.h"
#include "protocol/errors.h"
#include "tests/harness.h"
#include "tests/unit/ic_bytes.h"
#include "tests/unit/ic_golden.h"
#include "tests/unit/ring_pair.h"

#include <string.h>

/* --- the bus ------------------------------------------------------------------------------ */

struct vmbus {
	struct vmbus_offer offer;
	struct ring_pair rings; /* the far halves; the near ones live in the channel */
	bool is_offered;
	int open_result;
	int close_result;
	unsigned closes;
	struct vmbus_channel *channel;
};

const struct vmbus_offer *vmbus_offer_find(
	const struct vmbus *bus, const struct guid *interface_id, unsigned index)
{
	bool is_it = bus->is_offered && index == 0 &&
		     memcmp(interface_id, &bus->offer.interface_id, sizeof *interface_id) == 0;
	return is_it ? &bus->offer : NULL;
}

int vmbus_channel_open(struct vmbus *bus, uint32_t relid, struct vmbus_channel *channel,
	const struct vmbus_open_config *config, uint64_t deadline)
{
	CU_ASSERT_EQUAL(relid, bus->offer.relid);
	CU_ASSERT_EQUAL(deadline, 77);
	if (bus->open_result != 0)
		return bus->open_result;
	channel->config = *config;
	channel->pages.bytes = RING_PAIR_DATA_BYTES; /* not zero: there are rings */
	channel->in = bus->rings.near_in;
	channel->out = bus->rings.near_out;
	bus->channel = channel;
	return 0;
}

int vmbus_channel_close(struct vmbus *bus, struct vmbus_channel *channel, uint64_t deadline)
{
	CU_ASSERT_EQUAL(deadline, 88);
	CU_ASSERT_PTR_EQUAL(channel, bus->channel);
	bus->closes++;
	return bus->close_result;
}

/* The host of this file looks at the rings without being asked. */
void vmbus_channel_signal(struct vmbus_channel *channel)
{
	channel->signals_sent++;
}

/* --- fixture ------------------------------------------------------------------------------ */

struct fixture {
	struct vmbus bus;
	struct heartbeat_ic heartbeat;
	struct ic_channel channel;
};

static void start(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->bus.is_offered = true;
	f->bus.offer.relid = 5;
	f->bus.offer.interface_id = guid_heartbeat;
	ring_pair_open(&f->bus.rings);
	heartbeat_ic_init(&f->heartbeat);
	CU_ASSERT_EQUAL_FATAL(
		ic_channel_open(&f->channel, &f->bus, &f->heartbeat.ic, &guid_heartbeat, 77), 0);
}

static void stop(struct fixture *f)
{
	CU_ASSERT_EQUAL(ic_channel_close(&f->channel, 88), 0);
	CU_ASSERT_EQUAL(f->bus.closes, 1);
	ring_pair_close(&f->bus.rings);
}

static void ready(struct fixture *f)
{
	f->bus.channel->config.on_ready(f->bus.channel->config.ctx, f->bus.channel);
}

/* The host sends; the reply is in `buffer` (zero-filled first), or there is none: false. */
static bool exchange(struct fixture *f, const void *bytes, size_t len, uint64_t transaction_id,
	void *buffer, size_t size)
{
	struct packet_view view = {0};
	CU_ASSERT_EQUAL(
		far_send(&f->bus.rings, PACKET_TYPE_INBAND, transaction_id, bytes, len), RING_OK);
	ready(f);
	memset(buffer, 0, size);
	if (!far_receive(&f->bus.rings, buffer, size, &view))
		return false;
	CU_ASSERT_EQUAL(view.type, PACKET_TYPE_INBAND);
	CU_ASSERT_EQUAL(view.flags, 0);
	CU_ASSERT_EQUAL(view.transaction_id, transaction_id);
	return true;
}

/* --- tests -------------------------------------------------------------------------------- */

static void open_asks_for_rings_as_linux_does(void)
{
	struct fixture f;
	start(&f);
	CU_ASSERT_TRUE(f.channel.is_open);
	CU_ASSERT_EQUAL(f.bus.channel->config.ring_out_bytes, 16384);
	CU_ASSERT_EQUAL(f.bus.channel->config.ring_in_bytes, 16384);
	stop(&f);
	/* Closing again is nothing. */
	CU_ASSERT_EQUAL(ic_channel_close(&f.channel, 88), 0);
	CU_ASSERT_EQUAL(f.bus.closes, 1);
}

static void open_says_what_is_missing(void)
{
	struct fixture f;
	memset(&f, 0, sizeof f);
	heartbeat_ic_init(&f.heartbeat);
	CU_ASSERT_EQUAL(ic_channel_open(&f.channel, &f.bus, &f.heartbeat.ic, &guid_heartbeat, 77),
		-VIRIDIAN_ENOENT);
	f.bus.is_offered = true;
	f.bus.offer.interface_id = guid_heartbeat;
	f.bus.open_result = -VIRIDIAN_ETIMEDOUT;
	CU_ASSERT_EQUAL(ic_channel_open(&f.channel, &f.bus, &f.heartbeat.ic, &guid_heartbeat, 77),
		-VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_PTR_NULL(f.heartbeat.ic.transport); /* what did not open is not kept */
	CU_ASSERT_EQUAL(ic_channel_close(&f.channel, 88), 0);
	CU_ASSERT_EQUAL(f.bus.closes, 0);
}

/* R-IC-034. */
static void replies_are_those_of_linux_on_the_ring_too(void)
{
	FILE *file = golden_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	struct fixture f;
	start(&f);
	struct golden_packet request;
	struct golden_packet answer;
	uint64_t buffer[64];
	uint64_t transaction_id = 0x1001;
	while (golden_read(file, &request) && golden_read(file, &answer)) {
		if (strcmp(request.device, "heartbeat") != 0)
			continue;
		CU_ASSERT_TRUE(exchange(
			&f, request.bytes, request.len, transaction_id++, buffer, sizeof buffer));
		CU_ASSERT_EQUAL(memcmp(buffer, answer.bytes, answer.len), 0);
	}
	fclose(file);
	CU_ASSERT_EQUAL(f.channel.link.replies, 4);
	stop(&f);
}

static void agreement_ends_with_the_channel(void)
{
	struct fixture f;
	uint64_t buffer[64];
	start(&f);
	exchange(&f, heartbeat_negotiation, sizeof heartbeat_negotiation, 1, buffer, sizeof buffer);
	CU_ASSERT_TRUE(f.heartbeat.ic.is_negotiated);
	stop(&f);
	CU_ASSERT_FALSE(f.heartbeat.ic.is_negotiated);
}

static void packets_of_other_types_and_sizes_get_no_reply(void)
{
	struct fixture f;
	start(&f);
	static uint8_t bytes[12000];
	uint64_t buffer[64];
	struct packet_view view = {0};
	far_send(&f.bus.rings, PACKET_TYPE_COMPLETION, 1, heartbeat_negotiation,
		sizeof heartbeat_negotiation);
	ready(&f);
	CU_ASSERT_FALSE(far_receive(&f.bus.rings, buffer, sizeof buffer, &view));
	CU_ASSERT_EQUAL(f.heartbeat.ic.rejections[IC_REJECT_PACKET_TYPE], 1);
	CU_ASSERT_FALSE(exchange(&f, bytes, 0, 1, buffer, sizeof buffer));
	CU_ASSERT_FALSE(exchange(&f, bytes, sizeof bytes, 1, buffer, sizeof buffer));
	CU_ASSERT_EQUAL(f.heartbeat.ic.rejections[IC_REJECT_SHORT], 1);
	CU_ASSERT_EQUAL(f.heartbeat.ic.rejections[IC_REJECT_PIPE_TYPE], 1);
	CU_ASSERT_FALSE(f.channel.link.is_gone);
	stop(&f);
}

static void flood_is_handled_in_bounded_batches(void)
{
	struct fixture f;
	start(&f);
	uint8_t junk[32] = {0};
	for (unsigned i = 0; i < IC_LINK_BATCH + 1; i++)
		CU_ASSERT_EQUAL(
			far_send(&f.bus.rings, PACKET_TYPE_INBAND, 1, junk, sizeof junk), RING_OK);
	ready(&f);
	CU_ASSERT_EQUAL(f.channel.link.packets, IC_LINK_BATCH);
	ready(&f);
	CU_ASSERT_EQUAL(f.channel.link.packets, IC_LINK_BATCH + 1);
	ready(&f);
	CU_ASSERT_EQUAL(f.channel.link.packets, IC_LINK_BATCH + 1);
	stop(&f);
}

static void reply_without_space_is_dropped_and_counted(void)
{
	struct fixture f;
	start(&f);
	/* A host that asks and never reads the answers: each is as long as its question. */
	unsigned asked = 0;
	while (f.channel.link.replies_dropped == 0 && asked < 10000) {
		far_send(&f.bus.rings, PACKET_TYPE_INBAND, asked++, heartbeat_negotiation,
			sizeof heartbeat_negotiation);
		ready(&f);
	}
	CU_ASSERT_EQUAL(f.channel.link.replies_dropped, 1);
	CU_ASSERT_EQUAL(f.channel.link.replies, asked - 1);
	CU_ASSERT_FALSE(f.channel.link.is_gone);
	/* Once it reads, replies flow again. */
	uint64_t buffer[64];
	struct packet_view view = {0};
	while (far_receive(&f.bus.rings, buffer, sizeof buffer, &view))
		;
	CU_ASSERT_TRUE(exchange(
		&f, heartbeat_negotiation, sizeof heartbeat_negotiation, 9, buffer, sizeof buffer));
	stop(&f);
}

static void corrupt_ring_ends_the_component(void)
{
	struct fixture f;
	start(&f);
	uint32_t *control = (uint32_t *)(void *)f.bus.rings.memory;
	control[RING_WORD_IN] = RING_PAIR_DATA_BYTES;
	ready(&f);
	CU_ASSERT_TRUE(f.channel.link.is_gone);
	CU_ASSERT_TRUE(is_text(f.channel.link.reason, "peer-index-past-ring"));
	ready(&f);
	stop(&f);
}

static void rescind_ends_the_component(void)
{
	struct fixture f;
	start(&f);
	f.bus.channel->config.on_rescind(f.bus.channel->config.ctx, f.bus.channel);
	CU_ASSERT_TRUE(f.channel.link.is_gone);
	CU_ASSERT_TRUE(is_text(f.channel.link.reason, "rescinded"));
	far_send(&f.bus.rings, PACKET_TYPE_INBAND, 1, heartbeat_negotiation,
		sizeof heartbeat_negotiation);
	ready(&f);
	CU_ASSERT_EQUAL(f.channel.link.packets, 0);
	stop(&f);
}

/* --- answers that come later -------------------------------------------------------------- */

static uint32_t late_handle(
	void *ctx, const struct ic_agreement *agreement, uint8_t *body, size_t body_bytes)
{
	(void)ctx;
	(void)agreement;
	(void)body;
	(void)body_bytes;
	return IC_GUEST_LATER;
}

/* A heartbeat that answers later; the host has negotiated. */
static void start_late(struct fixture *f, struct ic_guest_service *service)
{
	uint64_t buffer[64];
	start(f);
	*service = heartbeat_ic_service;
	service->handle = late_handle;
	f->heartbeat.ic.service = service;
	CU_ASSERT_TRUE(exchange(
		f, heartbeat_negotiation, sizeof heartbeat_negotiation, 1, buffer, sizeof buffer));
}

static void ask(struct fixture *f, uint64_t packet_id, uint8_t transaction_id)
{
	uint8_t bytes[sizeof heartbeat_request];
	memcpy(bytes, heartbeat_request, sizeof bytes);
	bytes[AT_TRANSACTION] = transaction_id;
	CU_ASSERT_EQUAL(far_send(&f->bus.rings, PACKET_TYPE_INBAND, packet_id, bytes, sizeof bytes),
		RING_OK);
	ready(f);
}

/* The next reply on the ring is that of this request. */
static void expect(struct fixture *f, uint64_t packet_id, uint8_t transaction_id)
{
	uint64_t buffer[64] = {0};
	struct packet_view view = {0};
	CU_ASSERT_TRUE_FATAL(far_receive(&f->bus.rings, buffer, sizeof buffer, &view));
	CU_ASSERT_EQUAL(view.transaction_id, packet_id);
	CU_ASSERT_EQUAL(((uint8_t *)buffer)[AT_TRANSACTION], transaction_id);
	CU_ASSERT_EQUAL(((uint8_t *)buffer)[AT_FLAGS], 5);
}

static void expect_nothing(struct fixture *f)
{
	uint64_t buffer[64];
	struct packet_view view = {0};
	CU_ASSERT_FALSE(far_receive(&f->bus.rings, buffer, sizeof buffer, &view));
}

static bool finish(struct fixture *f)
{
	return ic_guest_finish(
		&f->heartbeat.ic, ic_guest_ticket(&f->heartbeat.ic), IC_STATUS_SUCCESS, NULL, 0);
}

static void late_reply_is_sent_and_signalled(void)
{
	static struct fixture f;
	struct ic_guest_service service;
	start_late(&f, &service);
	const uint64_t signals = f.channel.channel.signals_sent;
	ask(&f, 21, 0x21);
	expect_nothing(&f);
	CU_ASSERT_TRUE(finish(&f));
	expect(&f, 21, 0x21);
	CU_ASSERT_EQUAL(f.channel.channel.signals_sent, signals + 1);
	CU_ASSERT_FALSE(finish(&f));
	expect_nothing(&f);
	stop(&f);
}

/* R-IC-041: the host has given up 31; of what came then, 33 is what it waits for. */
static void last_request_waits_for_the_pending_answer(void)
{
	static struct fixture f;
	struct ic_guest_service service;
	start_late(&f, &service);
	ask(&f, 31, 0x31);
	ask(&f, 32, 0x32);
	ask(&f, 33, 0x33);
	CU_ASSERT_EQUAL(f.heartbeat.ic.requests, 1);
	CU_ASSERT_TRUE(finish(&f));
	expect(&f, 31, 0x31);
	expect_nothing(&f);
	CU_ASSERT_EQUAL(f.heartbeat.ic.requests, 2);
	CU_ASSERT_TRUE(finish(&f));
	expect(&f, 33, 0x33);
	CU_ASSERT_FALSE(finish(&f));
	expect_nothing(&f);
	stop(&f);
}

/* R-IC-042 */
static void negotiation_voids_what_is_pending_and_what_waits(void)
{
	static struct fixture f;
	struct ic_guest_service service;
	uint64_t buffer[64];
	start_late(&f, &service);
	ask(&f, 41, 0x41);
	ask(&f, 42, 0x42);
	CU_ASSERT_TRUE(exchange(&f, heartbeat_negotiation, sizeof heartbeat_negotiation, 43, buffer,
		sizeof buffer));
	CU_ASSERT_FALSE(finish(&f));
	expect_nothing(&f);
	ask(&f, 44, 0x44);
	CU_ASSERT_TRUE(finish(&f));
	expect(&f, 44, 0x44);
	expect_nothing(&f);
	CU_ASSERT_FALSE(f.heartbeat.ic.is_pending);
	stop(&f);
}

static void close_voids_what_is_pending(void)
{
	static struct fixture f;
	struct ic_guest_service service;
	start_late(&f, &service);
	ask(&f, 51, 0x51);
	stop(&f);
	CU_ASSERT_FALSE(finish(&f));
	CU_ASSERT_EQUAL(f.heartbeat.ic.late_voids, 1);
}

static const struct test tests[] = {
	TEST(open_asks_for_rings_as_linux_does),
	TEST(open_says_what_is_missing),
	TEST(replies_are_those_of_linux_on_the_ring_too),
	TEST(agreement_ends_with_the_channel),
	TEST(packets_of_other_types_and_sizes_get_no_reply),
	TEST(flood_is_handled_in_bounded_batches),
	TEST(reply_without_space_is_dropped_and_counted),
	TEST(corrupt_ring_ends_the_component),
	TEST(rescind_ends_the_component),
	TEST(late_reply_is_sent_and_signalled),
	TEST(last_request_waits_for_the_pending_answer),
	TEST(negotiation_voids_what_is_pending_and_what_waits),
	TEST(close_voids_what_is_pending),
};
TEST_MAIN("ic_channel", tests)
