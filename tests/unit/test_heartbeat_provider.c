// SPDX-License-Identifier: Apache-2.0
/*
 * The heartbeat provider on a channel with real rings: the bus is a stand-in, the guest is
 * the test.
 */
#include "guest/ic_daemons/heartbeat_ic.h"
#include "host/vsp/heartbeat_provider.h"
#include "tests/harness.h"
#include "tests/unit/bus_stand_in.h"
#include "tests/unit/ic_bytes.h"

#include <errno.h>
#include <string.h>

#define SECOND 1000000000ull

/* --- fixture ------------------------------------------------------------------------------ */

struct fixture {
	struct vmbus_bus bus;
	struct heartbeat_provider provider;
	struct heartbeat_ic guest;
	uint64_t now;
	uint64_t deadline;
	enum heartbeat_contact contact;
};

static uint64_t fixture_now(void *ctx)
{
	return ((struct fixture *)ctx)->now;
}

static void fixture_timer_set(void *ctx, uint64_t deadline_ns)
{
	((struct fixture *)ctx)->deadline = deadline_ns;
}

static void fixture_changed(void *ctx, enum heartbeat_contact contact, uint32_t application_state)
{
	(void)application_state;
	((struct fixture *)ctx)->contact = contact;
}

static int fixture_add(struct fixture *f)
{
	const struct heartbeat_provider_config config = {
		.loop = {.now_ns = fixture_now, .timer_set = fixture_timer_set, .ctx = f},
		.changed = fixture_changed,
		.ctx = f,
	};
	return heartbeat_provider_add(&f->provider, &f->bus, &config);
}

static void open_channel(struct fixture *f)
{
	static const uint8_t user_data[VMBUS_USER_DATA_BYTES];
	struct bus_channel *channel = &f->bus.channel;
	ring_pair_open(&channel->rings);
	channel->failure = NULL;
	heartbeat_ic_init(&f->guest);
	channel->offer.ops->open(channel->offer.ctx, channel, user_data);
}

static void start(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->now = 50 * SECOND;
	CU_ASSERT_EQUAL_FATAL(fixture_add(f), 0);
	open_channel(f);
}

static bool ready(struct fixture *f)
{
	return f->bus.channel.offer.ops->ready(f->bus.channel.offer.ctx, &f->bus.channel);
}

/* The guest takes one packet and answers it as the real one does. */
static bool guest_serves(struct fixture *f)
{
	uint64_t buffer[128];
	struct packet_view view;
	size_t len = 0;
	if (!far_receive(&f->bus.channel.rings, buffer, sizeof buffer, &view))
		return false;
	CU_ASSERT_EQUAL(view.type, PACKET_TYPE_INBAND);
	CU_ASSERT_EQUAL(view.flags, 0);
	(void)ic_guest_on_packet(
		&f->guest.ic, view.payload, view.payload_bytes, buffer, sizeof buffer, &len);
	return far_send(&f->bus.channel.rings, PACKET_TYPE_INBAND, view.transaction_id, buffer,
		       len) == RING_OK;
}

static void beat_once(struct fixture *f)
{
	CU_ASSERT_TRUE(guest_serves(f)); /* negotiation */
	CU_ASSERT_TRUE(ready(f));
	CU_ASSERT_TRUE(guest_serves(f)); /* first beat */
	CU_ASSERT_TRUE(ready(f));
	CU_ASSERT_EQUAL(f->contact, HEARTBEAT_OK);
}

static void stop(struct fixture *f)
{
	ic_provider_remove(&f->provider.provider);
	CU_ASSERT_FALSE(f->bus.channel.is_open);
	CU_ASSERT_EQUAL(f->deadline, HEARTBEAT_VSP_NEVER);
}

/* --- tests -------------------------------------------------------------------------------- */

static void offer_is_a_message_pipe_of_the_heartbeat_class(void)
{
	struct fixture f;
	memset(&f, 0, sizeof f);
	CU_ASSERT_EQUAL(fixture_add(&f), 0);
	const struct bus_offer *offer = &f.bus.channel.offer;
	CU_ASSERT_EQUAL(offer->flags, 0x0011);
	CU_ASSERT_EQUAL(offer->subchannel_index, 0);
	CU_ASSERT_FALSE(offer->wants_monitor);
	static const uint8_t interface_id[16] = {0x39, 0x4f, 0x16, 0x57, 0x15, 0x91, 0x78, 0x4e,
		0xab, 0x55, 0x38, 0x2f, 0x3b, 0xd5, 0x42, 0x2d};
	static const uint8_t instance_id[16] = {0x91, 0x9e, 0x14, 0xfd, 0xe0, 0x82, 0x7d, 0x4a,
		0xaf, 0xa6, 0x2a, 0x41, 0x66, 0xcb, 0xd7, 0xc0};
	CU_ASSERT_EQUAL(memcmp(&offer->interface_id, interface_id, 16), 0);
	CU_ASSERT_EQUAL(memcmp(&offer->instance_id, instance_id, 16), 0);
	static const uint8_t user_data[VMBUS_USER_DATA_BYTES] = {4};
	CU_ASSERT_EQUAL(memcmp(offer->user_data, user_data, sizeof user_data), 0);
	ic_provider_remove(&f.provider.provider);
	CU_ASSERT_FALSE(f.bus.channel.is_offered);
	ic_provider_remove(&f.provider.provider);
	f.bus.add_result = -EEXIST;
	CU_ASSERT_EQUAL(fixture_add(&f), -EEXIST);
	ic_provider_remove(&f.provider.provider);
}

static void channel_beats_over_its_rings(void)
{
	struct fixture f;
	start(&f);
	beat_once(&f);
	CU_ASSERT_FALSE(ready(&f));
	for (unsigned i = 0; i < 1000; i++) {
		CU_ASSERT_FALSE(guest_serves(&f));
		f.now = f.deadline;
		ic_provider_on_time(&f.provider.provider, f.now);
		CU_ASSERT_EQUAL(f.deadline, f.now + 2 * SECOND);
		CU_ASSERT_TRUE(guest_serves(&f));
		CU_ASSERT_TRUE(ready(&f));
	}
	CU_ASSERT_EQUAL(f.provider.vsp.answers, 1001);
	CU_ASSERT_EQUAL(ic_host_rejections(&f.provider.vsp.ic), 0);
	stop(&f);
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_NO_CONTACT);
}

/* R-IC-015. */
static void channel_negotiates_again_after_reopening(void)
{
	struct fixture f;
	start(&f);
	beat_once(&f);
	bus_close(&f.bus);
	CU_ASSERT_EQUAL(f.deadline, HEARTBEAT_VSP_NEVER);
	ic_provider_on_time(&f.provider.provider, f.now + 100 * SECOND);
	open_channel(&f);
	beat_once(&f);
	stop(&f);
}

static void channel_that_vanishes_while_opening_is_left_alone(void)
{
	struct fixture f;
	memset(&f, 0, sizeof f);
	f.bus.channel.vanishes_in_open = true;
	CU_ASSERT_EQUAL(fixture_add(&f), 0);
	open_channel(&f);
	CU_ASSERT_FALSE(f.bus.channel.is_open);
	CU_ASSERT_EQUAL(f.deadline, HEARTBEAT_VSP_NEVER);
	CU_ASSERT_EQUAL(f.provider.vsp.ic.requests, 0);
	stop(&f);
}

static void channel_batch_is_bounded(void)
{
	struct fixture f;
	start(&f);
	beat_once(&f);
	uint8_t junk[32] = {0};
	for (unsigned i = 0; i < IC_PROVIDER_BATCH + 1; i++)
		CU_ASSERT_EQUAL(
			far_send(&f.bus.channel.rings, PACKET_TYPE_INBAND, 0, junk, sizeof junk),
			RING_OK);
	CU_ASSERT_TRUE(ready(&f));
	CU_ASSERT_EQUAL(f.provider.vsp.ic.rejections[IC_REJECT_PIPE_TYPE], IC_PROVIDER_BATCH);
	CU_ASSERT_TRUE(ready(&f));
	CU_ASSERT_FALSE(ready(&f));
	CU_ASSERT_EQUAL(f.provider.vsp.ic.rejections[IC_REJECT_PIPE_TYPE], IC_PROVIDER_BATCH + 1);
	stop(&f);
}

static void channel_is_failed_once_by_a_flood_and_then_silent(void)
{
	struct fixture f;
	start(&f);
	beat_once(&f);
	uint8_t junk[32] = {0};
	for (unsigned i = 0; i < IC_HOST_REJECTIONS_MAX + 20; i++)
		far_send(&f.bus.channel.rings, PACKET_TYPE_INBAND, 0, junk, sizeof junk);
	while (ready(&f))
		;
	CU_ASSERT_TRUE(is_text(f.bus.channel.failure, "too many rejected messages"));
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_LOST_CONTACT);
	CU_ASSERT_EQUAL(f.deadline, HEARTBEAT_VSP_NEVER);
	unsigned flushes = f.bus.channel.flushes;
	CU_ASSERT_FALSE(ready(&f));
	ic_provider_on_time(&f.provider.provider, f.now + 100 * SECOND);
	CU_ASSERT_EQUAL(f.bus.channel.flushes, flushes);
	bus_close(&f.bus);
	open_channel(&f);
	beat_once(&f);
	stop(&f);
}

static void packets_of_other_types_and_sizes_are_counted(void)
{
	struct fixture f;
	start(&f);
	beat_once(&f);
	static const uint8_t bytes[2000];
	struct ring_pair *rings = &f.bus.channel.rings;
	far_send(rings, PACKET_TYPE_COMPLETION, 1, bytes, 8);
	far_send(rings, PACKET_TYPE_INBAND, 1, bytes, IC_PROVIDER_BUFFER_BYTES);
	far_send(rings, PACKET_TYPE_INBAND, 1, bytes, IC_PROVIDER_BUFFER_BYTES + 1);
	far_send(rings, PACKET_TYPE_INBAND, 1, bytes, sizeof bytes);
	far_send(rings, PACKET_TYPE_INBAND, 1, bytes, 0);
	CU_ASSERT_TRUE(ready(&f));
	const uint64_t *rejections = f.provider.vsp.ic.rejections;
	CU_ASSERT_EQUAL(rejections[IC_REJECT_PACKET_TYPE], 1);
	CU_ASSERT_EQUAL(rejections[IC_REJECT_PIPE_TYPE], 1);
	CU_ASSERT_EQUAL(rejections[IC_REJECT_TOO_LONG], 2);
	CU_ASSERT_EQUAL(rejections[IC_REJECT_SHORT], 1);
	CU_ASSERT_PTR_NULL(f.bus.channel.failure);
	stop(&f);
}

static void corrupt_ring_fails_the_channel(void)
{
	struct fixture f;
	start(&f);
	beat_once(&f);
	uint32_t *control = (uint32_t *)(void *)f.bus.channel.rings.memory;
	control[RING_WORD_IN] = 3;
	CU_ASSERT_FALSE(ready(&f));
	CU_ASSERT_TRUE(is_text(f.bus.channel.failure, "peer-index-unaligned"));
	CU_ASSERT_EQUAL(f.deadline, HEARTBEAT_VSP_NEVER);
	CU_ASSERT_FALSE(ready(&f));
	stop(&f);
}

static void full_ring_is_retried_and_nothing_else_happens(void)
{
	struct fixture f;
	start(&f);
	CU_ASSERT_TRUE(guest_serves(&f));
	/* Fill the host's ring behind its back, so that the first beat finds no space. */
	struct packet_header header = {.type = PACKET_TYPE_INBAND, .payload_bytes = 4000};
	static const uint8_t bytes[4000];
	while (header.payload_bytes > 0) {
		if (ring_send(&f.bus.channel.rings.near_out, &header, NULL, bytes) != RING_OK)
			header.payload_bytes /= 2;
	}
	CU_ASSERT_TRUE(ready(&f));
	CU_ASSERT_EQUAL(f.provider.vsp.send_failures, 1);
	CU_ASSERT_PTR_NULL(f.bus.channel.failure);
	uint64_t buffer[512];
	struct packet_view view;
	while (far_receive(&f.bus.channel.rings, buffer, sizeof buffer, &view))
		;
	f.now = f.deadline;
	ic_provider_on_time(&f.provider.provider, f.now);
	CU_ASSERT_TRUE(guest_serves(&f));
	CU_ASSERT_TRUE(ready(&f));
	CU_ASSERT_EQUAL(f.contact, HEARTBEAT_OK);
	stop(&f);
}

static const struct test tests[] = {
	TEST(offer_is_a_message_pipe_of_the_heartbeat_class),
	TEST(channel_beats_over_its_rings),
	TEST(channel_negotiates_again_after_reopening),
	TEST(channel_that_vanishes_while_opening_is_left_alone),
	TEST(channel_batch_is_bounded),
	TEST(channel_is_failed_once_by_a_flood_and_then_silent),
	TEST(packets_of_other_types_and_sizes_are_counted),
	TEST(corrupt_ring_fails_the_channel),
	TEST(full_ring_is_retried_and_nothing_else_happens),
};
TEST_MAIN("heartbeat_provider", tests)
