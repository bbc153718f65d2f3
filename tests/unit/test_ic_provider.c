// SPDX-License-Identifier: Apache-2.0
/*
 * The providers of shutdown and time synchronisation on a channel with real rings: the bus
 * is a stand-in, the guest is the test, answering by the real guest machines.
 */
#include "guest/ic_daemons/shutdown_ic.h"
#include "guest/ic_daemons/timesync_ic.h"
#include "host/vsp/shutdown_provider.h"
#include "host/vsp/timesync_provider.h"
#include "tests/harness.h"
#include "tests/unit/bus_stand_in.h"
#include "tests/unit/ic_bytes.h"

#include <errno.h>
#include <string.h>

#define SECOND	 1000000000ull
#define NEW_YEAR 133801632000000000ull

struct fixture {
	struct vmbus_bus bus;
	struct shutdown_provider shutdown;
	struct timesync_provider timesync;
	struct ic_provider *provider; /* of the two, the one under test */
	struct shutdown_ic shutdown_guest;
	struct timesync_ic timesync_guest;
	struct ic_guest *guest;
	uint64_t now;
	uint64_t deadline;
	unsigned dones;
	int result; /* of either enumeration */
	unsigned samples;
	uint64_t sample_100ns;
};

static uint64_t fixture_now(void *ctx)
{
	return ((struct fixture *)ctx)->now;
}

static void fixture_timer_set(void *ctx, uint64_t deadline_ns)
{
	((struct fixture *)ctx)->deadline = deadline_ns;
}

static void shutdown_done(
	void *ctx, enum shutdown_action action, enum shutdown_result result, uint32_t status)
{
	struct fixture *f = ctx;
	(void)action;
	(void)status;
	f->dones++;
	f->result = (int)result;
}

static void timesync_done(void *ctx, enum timesync_result result, uint32_t status)
{
	struct fixture *f = ctx;
	(void)status;
	f->dones++;
	f->result = (int)result;
}

static void timesync_read(void *ctx, struct timesync_reading *out)
{
	const struct fixture *f = ctx;
	*out = (struct timesync_reading){
		.utc_100ns = NEW_YEAR + f->now / 100, .reference_100ns = f->now / 100};
}

static uint64_t guest_reference(void *ctx)
{
	return ((struct fixture *)ctx)->now / 100;
}

static void guest_sample(void *ctx, const struct timesync_sample *sample)
{
	struct fixture *f = ctx;
	f->samples++;
	f->sample_100ns = sample->utc_100ns;
}

static const struct timesync_ic_ops guest_ops = {
	.reference_100ns = guest_reference, .sample = guest_sample};

static int offer(struct fixture *f, bool is_timesync)
{
	const struct ic_provider_loop loop = {
		.now_ns = fixture_now, .timer_set = fixture_timer_set, .ctx = f};
	const struct shutdown_provider_config shutdown = {
		.loop = loop, .done = shutdown_done, .ctx = f};
	const struct timesync_provider_config timesync = {
		.loop = loop, .read = timesync_read, .done = timesync_done, .ctx = f};
	f->provider = is_timesync ? &f->timesync.provider : &f->shutdown.provider;
	f->guest = is_timesync ? &f->timesync_guest.ic : &f->shutdown_guest.ic;
	return is_timesync ? timesync_provider_add(&f->timesync, &f->bus, &timesync)
			   : shutdown_provider_add(&f->shutdown, &f->bus, &shutdown);
}

static void open_channel(struct fixture *f)
{
	static const uint8_t user_data[VMBUS_USER_DATA_BYTES];
	struct bus_channel *channel = &f->bus.channel;
	ring_pair_open(&channel->rings);
	channel->failure = NULL;
	shutdown_ic_init(&f->shutdown_guest, SHUTDOWN_IC_CAN(SHUTDOWN_POWER_OFF));
	timesync_ic_init(&f->timesync_guest, &guest_ops, f);
	channel->offer.ops->open(channel->offer.ctx, channel, user_data);
}

static void start(struct fixture *f, bool is_timesync)
{
	memset(f, 0, sizeof *f);
	f->now = 50 * SECOND;
	CU_ASSERT_EQUAL_FATAL(offer(f, is_timesync), 0);
	open_channel(f);
}

static void stop(struct fixture *f)
{
	ic_provider_remove(f->provider);
	CU_ASSERT_FALSE(f->bus.channel.is_open);
	CU_ASSERT_EQUAL(f->deadline, IC_PROVIDER_NEVER);
}

static bool ready(struct fixture *f)
{
	return f->bus.channel.offer.ops->ready(f->bus.channel.offer.ctx, &f->bus.channel);
}

/* The guest takes one packet and answers it; the host takes the answer. False: no packet. */
static bool exchange(struct fixture *f)
{
	static uint64_t buffer[IC_PAYLOAD_MAX_BYTES / 8];
	struct packet_view view;
	size_t len = 0;
	if (!far_receive(&f->bus.channel.rings, buffer, sizeof buffer, &view))
		return false;
	CU_ASSERT_EQUAL(view.type, PACKET_TYPE_INBAND);
	CU_ASSERT_EQUAL(view.flags, 0);
	(void)ic_guest_on_packet(
		f->guest, view.payload, view.payload_bytes, buffer, sizeof buffer, &len);
	CU_ASSERT_EQUAL(far_send(&f->bus.channel.rings, PACKET_TYPE_INBAND, view.transaction_id,
				buffer, len),
		RING_OK);
	CU_ASSERT_TRUE(ready(f));
	return true;
}

/* --- tests --------------------------------------------------------------------------------- */

/* Interface and instance as the devices' table has them, in wire order. */
static void offers_are_message_pipes_of_their_classes(void)
{
	static const uint8_t ids[2][2][16] = {
		{{0x31, 0x60, 0x0b, 0x0e, 0x13, 0x52, 0x34, 0x49, 0x81, 0x8b, 0x38, 0xd9, 0x0c,
			 0xed, 0x39, 0xdb},
			{0xf7, 0x0f, 0x65, 0xb6, 0xbc, 0x33, 0x40, 0x48, 0x80, 0x48, 0xe0, 0x67,
				0x67, 0x86, 0xf3, 0x93}},
		{{0x30, 0xe6, 0x27, 0x95, 0xae, 0xd0, 0x7b, 0x49, 0xad, 0xce, 0xe8, 0x0a, 0xb0,
			 0x17, 0x5c, 0xaf},
			{0x17, 0xce, 0xd1, 0x2d, 0x9e, 0x07, 0x3c, 0x40, 0xb3, 0x52, 0xa1, 0x92,
				0x1e, 0xe2, 0x07, 0xee}},
	};
	static const char *const names[] = {"shutdown", "timesync"};
	static const uint8_t user_data[VMBUS_USER_DATA_BYTES] = {4};
	for (unsigned i = 0; i < 2; i++) {
		struct fixture f;
		memset(&f, 0, sizeof f);
		CU_ASSERT_EQUAL(offer(&f, i == 1), 0);
		const struct bus_offer *made = &f.bus.channel.offer;
		CU_ASSERT_EQUAL(memcmp(&made->interface_id, ids[i][0], 16), 0);
		CU_ASSERT_EQUAL(memcmp(&made->instance_id, ids[i][1], 16), 0);
		CU_ASSERT_EQUAL(made->flags, 0x0011);
		CU_ASSERT_EQUAL(memcmp(made->user_data, user_data, sizeof user_data), 0);
		CU_ASSERT_STRING_EQUAL(made->ops->name, names[i]);
		ic_provider_remove(f.provider);
		CU_ASSERT_FALSE(f.bus.channel.is_offered);
		ic_provider_remove(f.provider);
		f.bus.add_result = -EEXIST;
		CU_ASSERT_EQUAL(offer(&f, i == 1), -EEXIST);
		ic_provider_remove(f.provider);
	}
}

static void shutdown_is_asked_and_answered_over_the_rings(void)
{
	struct fixture f;
	struct shutdown_order order;
	const struct shutdown_vsp_request off = {.text = "bye"};
	const struct shutdown_vsp_request again = {.action = SHUTDOWN_RESTART};
	start(&f, false);
	CU_ASSERT_FALSE(f.provider->has_contact);
	CU_ASSERT_TRUE(exchange(&f));
	CU_ASSERT_TRUE(f.provider->has_contact);
	CU_ASSERT_EQUAL(f.deadline, IC_PROVIDER_NEVER);
	f.now += SECOND;
	CU_ASSERT_EQUAL(shutdown_provider_request(&f.shutdown, &off), 0);
	CU_ASSERT_EQUAL(f.deadline, f.now + 10 * SECOND);
	CU_ASSERT_TRUE(exchange(&f));
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_ACCEPTED);
	CU_ASSERT_EQUAL(f.provider->contact_ns, f.now);
	CU_ASSERT_EQUAL(f.deadline, IC_PROVIDER_NEVER);
	CU_ASSERT_TRUE(shutdown_ic_take(&f.shutdown_guest, &order));
	CU_ASSERT_STRING_EQUAL(order.text, "bye");
	CU_ASSERT_EQUAL(shutdown_provider_request(&f.shutdown, &again), 0);
	CU_ASSERT_TRUE(exchange(&f));
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_REFUSED);
	stop(&f);
}

static void shutdown_request_ends_with_its_deadline_and_its_channel(void)
{
	struct fixture f;
	const struct shutdown_vsp_request off = {0};
	start(&f, false);
	CU_ASSERT_TRUE(exchange(&f));
	CU_ASSERT_EQUAL(shutdown_provider_request(&f.shutdown, &off), 0);
	f.now = f.deadline;
	ic_provider_on_time(f.provider, f.now);
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_NO_ANSWER);
	CU_ASSERT_EQUAL(shutdown_provider_request(&f.shutdown, &off), 0);
	bus_close(&f.bus);
	CU_ASSERT_EQUAL(f.dones, 2);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_CLOSED);
	CU_ASSERT_EQUAL(shutdown_provider_request(&f.shutdown, &off), -ENOTCONN);
	open_channel(&f);
	CU_ASSERT_TRUE(exchange(&f));
	CU_ASSERT_EQUAL(shutdown_provider_request(&f.shutdown, &off), 0);
	ic_provider_remove(f.provider);
	CU_ASSERT_EQUAL(f.dones, 3);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_CLOSED);
}

/* What is as long as the longest answer is looked at; what is longer is not. */
static void packets_longer_than_an_answer_are_not_looked_at(void)
{
	static const uint8_t bytes[SHUTDOWN_PROVIDER_BUFFER_BYTES + 8];
	struct fixture f;
	start(&f, false);
	CU_ASSERT_TRUE(exchange(&f));
	CU_ASSERT_EQUAL(SHUTDOWN_PROVIDER_BUFFER_BYTES, 2088);
	far_send(&f.bus.channel.rings, PACKET_TYPE_INBAND, 1, bytes, 2088);
	far_send(&f.bus.channel.rings, PACKET_TYPE_INBAND, 1, bytes, 2089);
	far_send(&f.bus.channel.rings, PACKET_TYPE_COMPLETION, 1, bytes, 8);
	CU_ASSERT_TRUE(ready(&f));
	CU_ASSERT_EQUAL(f.provider->ic->rejections[IC_REJECT_PIPE_TYPE], 1);
	CU_ASSERT_EQUAL(f.provider->ic->rejections[IC_REJECT_TOO_LONG], 1);
	CU_ASSERT_EQUAL(f.provider->ic->rejections[IC_REJECT_PACKET_TYPE], 1);
	CU_ASSERT_PTR_NULL(f.bus.channel.failure);
	stop(&f);
}

static void corrupt_ring_and_flood_end_the_channel_and_the_request(void)
{
	static const uint8_t junk[32];
	const struct shutdown_vsp_request off = {0};
	for (unsigned is_flood = 0; is_flood < 2; is_flood++) {
		struct fixture f;
		start(&f, false);
		CU_ASSERT_TRUE(exchange(&f));
		CU_ASSERT_EQUAL(shutdown_provider_request(&f.shutdown, &off), 0);
		uint32_t *control = (uint32_t *)(void *)f.bus.channel.rings.memory;
		if (is_flood == 0)
			control[RING_WORD_IN] = 3;
		for (unsigned i = 0; is_flood != 0 && i < IC_HOST_REJECTIONS_MAX + 1; i++)
			far_send(&f.bus.channel.rings, PACKET_TYPE_INBAND, 0, junk, sizeof junk);
		while (ready(&f))
			;
		CU_ASSERT_PTR_NOT_NULL(f.bus.channel.failure);
		CU_ASSERT_EQUAL(f.dones, 1);
		CU_ASSERT_EQUAL(f.result, SHUTDOWN_CLOSED);
		CU_ASSERT_EQUAL(f.deadline, IC_PROVIDER_NEVER);
		CU_ASSERT_EQUAL(shutdown_provider_request(&f.shutdown, &off), -ENOTCONN);
		const unsigned flushes = f.bus.channel.flushes;
		ic_provider_on_time(f.provider, f.now + 100 * SECOND);
		CU_ASSERT_FALSE(ready(&f));
		CU_ASSERT_EQUAL(f.bus.channel.flushes, flushes);
		bus_close(&f.bus);
		open_channel(&f);
		CU_ASSERT_TRUE(exchange(&f));
		CU_ASSERT_EQUAL(shutdown_provider_request(&f.shutdown, &off), 0);
		CU_ASSERT_TRUE(exchange(&f));
		CU_ASSERT_EQUAL(f.result, SHUTDOWN_ACCEPTED);
		stop(&f);
	}
}

static void time_is_told_over_the_rings(void)
{
	struct fixture f;
	start(&f, true);
	CU_ASSERT_TRUE(exchange(&f)); /* lists */
	CU_ASSERT_TRUE(exchange(&f)); /* SYNC */
	CU_ASSERT_EQUAL(f.timesync_guest.syncs, 1);
	for (unsigned i = 1; i <= 100; i++) {
		CU_ASSERT_FALSE(exchange(&f));
		CU_ASSERT_EQUAL(f.deadline, 50 * SECOND + 5 * SECOND * i);
		f.now = f.deadline;
		ic_provider_on_time(f.provider, f.now);
		f.now += SECOND;
		CU_ASSERT_TRUE(exchange(&f));
		CU_ASSERT_EQUAL(f.timesync_guest.samples, i);
		CU_ASSERT_EQUAL(f.sample_100ns, NEW_YEAR + f.now / 100);
	}
	CU_ASSERT_EQUAL(timesync_provider_request(&f.timesync, true), 0);
	CU_ASSERT_TRUE(exchange(&f));
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.result, TIMESYNC_TAKEN);
	CU_ASSERT_EQUAL(f.timesync_guest.syncs, 2);
	CU_ASSERT_EQUAL(ic_host_rejections(f.provider->ic), 0);
	stop(&f);
}

static const struct test tests[] = {
	TEST(offers_are_message_pipes_of_their_classes),
	TEST(shutdown_is_asked_and_answered_over_the_rings),
	TEST(shutdown_request_ends_with_its_deadline_and_its_channel),
	TEST(packets_longer_than_an_answer_are_not_looked_at),
	TEST(corrupt_ring_and_flood_end_the_channel_and_the_request),
	TEST(time_is_told_over_the_rings),
};
TEST_MAIN("ic_provider", tests)
