// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's bus over SynIC, on the scripted platform: slots, event flags, interrupt
 * and monitor pages, hot channels and sleeping, memory. The peer is in vmbus_bus_peer.h.
 */
#include "tests/unit/vmbus_bus_peer.h"

#include "tests/harness.h"

static void on_ready(void *ctx, struct vmbus_channel *channel)
{
	struct peer *p = ctx;

	p->ready++;
	peer_packets_read(p, channel);
}

static void on_rescind(void *ctx, struct vmbus_channel *channel)
{
	(void)channel;
	((struct peer *)ctx)->rescinded++;
}

static struct vmbus_open_config open_config(struct peer *p)
{
	return (struct vmbus_open_config){
		.ring_out_bytes = 8192,
		.ring_in_bytes = 8192,
		.on_ready = on_ready,
		.on_rescind = on_rescind,
		.ctx = p,
	};
}

static void open_channel(struct peer *p, struct vmbus_channel *channel, uint32_t relid)
{
	const struct vmbus_open_config config = open_config(p);
	CU_ASSERT_EQUAL_FATAL(
		vmbus_channel_open(p->bus, relid, channel, &config, peer_deadline(p)), 0);
	/* the first look after an open */
	CU_ASSERT_TRUE(vmbus_poll(p->bus, 0) > 0);
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, 0), 0);
}

static struct packet_header packet(uint32_t payload_bytes)
{
	return (struct packet_header){.type = PACKET_TYPE_INBAND, .payload_bytes = payload_bytes};
}

static void a_whole_session_leaves_no_page(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 3);
	struct vmbus_channel channel;
	struct vmbus_gpadl gpadl = {0};
	struct winhv_pages pages;

	CU_ASSERT_EQUAL(p->offered, 3);
	CU_ASSERT_EQUAL(vmbus_version(p->bus), 0x50003);
	open_channel(p, &channel, 2);
	CU_ASSERT_TRUE(channel.is_open);
	CU_ASSERT_EQUAL(winhv_pages_alloc(&p->hv, 40 * 4096, &pages), 0);
	CU_ASSERT_EQUAL(vmbus_gpadl_create(p->bus, 2, &pages, &gpadl, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(p->gpadls_live, 2);
	CU_ASSERT_TRUE(vmbus_gpadl_is_lent(&gpadl));

	peer_write(p, 2, 1);
	peer_event(p, 0, 2);
	const unsigned before = p->ready;
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, 0), 2);
	CU_ASSERT_EQUAL(p->ready, before + 1);
	const struct packet_header header = packet(8);
	CU_ASSERT_EQUAL(ring_send(&channel.out, &header, NULL, "12345678"), RING_OK);
	vmbus_channel_flush(&channel);
	CU_ASSERT_EQUAL(p->script.signal_count, 1);
	CU_ASSERT_EQUAL(p->script.signals[0].connection_id, 0x2002);
	CU_ASSERT_EQUAL(p->script.signals[0].flag_number, 0);
	CU_ASSERT_EQUAL(*peer_control(p, 2, false, 0), 32);

	CU_ASSERT_EQUAL(vmbus_gpadl_teardown(p->bus, &gpadl, peer_deadline(p)), 0);
	winhv_pages_free(&p->hv, &pages);
	CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &channel, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &channel, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(p->gpadls_live, 0);
	CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(p->gone, 3);
	struct vmbus_statistics statistics;
	vmbus_statistics_get(p->bus, &statistics);
	CU_ASSERT_EQUAL(statistics.messages_rejected, 0);
	CU_ASSERT_PTR_NULL(statistics.last_rejection);
	CU_ASSERT_EQUAL(statistics.pages_abandoned, 0);
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

/* Event and data before the result of the open: neither may be lost. */
static void event_now(struct peer *p, uint32_t relid)
{
	peer_write(p, relid, 7);
	peer_event(p, 0, relid);
	CU_ASSERT_EQUAL(*peer_control(p, relid, true, 2), 0);
}

/* R-OPEN-017. */
static void an_event_before_the_open_result_is_not_lost(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;
	const struct vmbus_open_config config = open_config(p);

	p->on_open = event_now;
	CU_ASSERT_EQUAL(vmbus_channel_open(p->bus, 1, &channel, &config, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(p->ready, 0); /* not before the caller has its channel */
	CU_ASSERT_TRUE(vmbus_poll(p->bus, 0) > 0);
	CU_ASSERT_EQUAL(p->ready, 1);
	CU_ASSERT_EQUAL(channel.signals_received, 1);
	CU_ASSERT_EQUAL(*peer_control(p, 1, true, 1), PEER_PACKET_BYTES); /* read */
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

/* R-OPEN-024. */
static void rings_are_made_before_open(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;
	struct vmbus_open_config config = open_config(p);

	config.ring_out_bytes = 4096 * 5;
	CU_ASSERT_EQUAL(vmbus_channel_open(p->bus, 1, &channel, &config, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(p->channels[1].downstream, 5);
	for (unsigned inwards = 0; inwards < 2; inwards++)
		for (unsigned word = 0; word < 1024; word++)
			if (!(word == 16 && !inwards) && !(word == 2 && inwards))
				CU_ASSERT_EQUAL(*peer_control(p, 1, inwards, word), 0);
	CU_ASSERT_EQUAL(*peer_control(p, 1, false, 16), 1); /* we know pending send sizes */
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void packets_that_wrap_without_a_second_mapping_arrive_whole(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;
	static uint8_t payload[900];

	open_channel(p, &channel, 1);
	CU_ASSERT_FALSE(channel.is_double_mapped);
	for (unsigned round = 0; round < 200; round++) {
		struct ring_span span = {0};
		/* out: read the payload back through guest memory, across the wrap */
		const uint32_t at = *peer_control(p, 1, false, 0);
		memset(payload, (int)round, sizeof payload);
		const struct packet_header header = packet(sizeof payload);
		if (ring_reserve(&channel.out, &header, &span) != RING_OK)
			abort();
		memcpy(span.payload, payload, sizeof payload);
		/* in: 40 bytes at a time pass the end too, while the other is being put together */
		for (unsigned i = 0; i < 20; i++)
			peer_write(p, 1, i);
		peer_event(p, 0, 1);
		CU_ASSERT_TRUE(vmbus_poll(p->bus, 0) > 0);
		CU_ASSERT_EQUAL(*peer_control(p, 1, true, 1), *peer_control(p, 1, true, 0));
		ring_commit(&channel.out, &span);
		vmbus_channel_flush(&channel);
		const uint8_t *data = (uint8_t *)peer_control(p, 1, false, 0) + 4096;
		for (uint32_t i = 0; i < sizeof payload; i++)
			if (data[(at + 16 + i) % 4096] != round)
				CU_FAIL("payload in the ring");
		*peer_control(p, 1, false, 1) = *peer_control(p, 1, false, 0);
	}
	CU_ASSERT_EQUAL(p->torn, 0);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void takes_messages_in_order_and_asks_for_the_next(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	const uint64_t eoms = p->script.vps[0].eom_writes;

	for (uint32_t relid = 2; relid <= 7; relid++)
		peer_offer(p, relid);
	CU_ASSERT_TRUE(p->script.queue_count > 0); /* one in the slot, the rest behind it */
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, 0), 6);
	CU_ASSERT_EQUAL(p->offered, 7);
	CU_ASSERT_EQUAL(p->script.queue_count, 0);
	CU_ASSERT_TRUE(p->script.vps[0].eom_writes > eoms);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

/* R-MSG-008, R-ROB-003. */
static void survives_any_size_and_type_in_the_slot(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);

	for (unsigned size = 0; size < 256; size++)
		for (uint32_t type = 1; type < 3; type++) {
			uint8_t *slot = platform_scripted_slot(&p->script, 0, 2);
			memset(slot, 0xee, 256);
			put32(slot, type);
			slot[4] = (uint8_t)size;
			slot[5] = 0;
			put32(slot + 16, size % 40);
			platform_scripted_interrupt(&p->script, 0, 2);
			CU_ASSERT_TRUE(vmbus_poll(p->bus, 0) >= 0);
			CU_ASSERT_EQUAL(get32(slot), 0); /* freed */
		}
	struct vmbus_statistics statistics;
	vmbus_statistics_get(p->bus, &statistics);
	CU_ASSERT_EQUAL(statistics.messages_received, 4 + 512);
	CU_ASSERT_TRUE(statistics.messages_rejected > 400);
	CU_ASSERT_PTR_NOT_NULL(statistics.last_rejection);
	CU_ASSERT_EQUAL(vmbus_version(p->bus), 0x50003);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

/* R-MSG-010. */
static void event_bits_of_nobody_are_ignored(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 2);
	struct vmbus_channel channel;

	open_channel(p, &channel, 1);
	memset(platform_scripted_flags(&p->script, 0, 2), 0xff, 256);
	platform_scripted_interrupt(&p->script, 0, 2);
	const unsigned ready = p->ready;
	CU_ASSERT_TRUE(vmbus_poll(p->bus, 0) > 0);
	CU_ASSERT_EQUAL(p->ready, ready + 1);
	CU_ASSERT_EQUAL(channel.signals_received, 1);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void signalled_channels_stay_hot_until_the_bus_rests(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;

	open_channel(p, &channel, 1);
	CU_ASSERT_TRUE(vmbus_arm(p->bus));
	CU_ASSERT_TRUE(p->script.vps[0].is_armed);
	CU_ASSERT_FALSE(channel.is_hot);
	CU_ASSERT_EQUAL(*peer_control(p, 1, true, 2), 0);

	peer_write(p, 1, 1);
	peer_event(p, 0, 1);
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, 0), 2);
	CU_ASSERT_FALSE(p->script.vps[0].is_armed);
	CU_ASSERT_TRUE(channel.is_hot);
	CU_ASSERT_EQUAL(*peer_control(p, 1, true, 2), 1); /* no signals, please */
	peer_write(p, 1, 2);
	const unsigned ready = p->ready;
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, 0), 1); /* found without a signal */
	CU_ASSERT_EQUAL(p->ready, ready + 1);
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, 0), 0);
	CU_ASSERT_EQUAL(p->ready, ready + 1);

	peer_write(p, 1, 3); /* just before it rests */
	CU_ASSERT_FALSE(vmbus_arm(p->bus));
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, 0), 1);
	CU_ASSERT_TRUE(vmbus_arm(p->bus));
	CU_ASSERT_EQUAL(*peer_control(p, 1, true, 2), 0);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void arming_finds_what_came_before_it(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;

	open_channel(p, &channel, 1);
	CU_ASSERT_TRUE(vmbus_arm(p->bus));
	peer_event(p, 0, 1);
	CU_ASSERT_FALSE(vmbus_arm(p->bus));
	CU_ASSERT_FALSE(p->script.vps[0].is_armed);
	CU_ASSERT_TRUE(vmbus_poll(p->bus, 0) > 0);
	CU_ASSERT_TRUE(vmbus_arm(p->bus));
	peer_words(p, 2, 1, 1, 0, 0);
	CU_ASSERT_FALSE(vmbus_arm(p->bus));
	CU_ASSERT_EQUAL(p->rescinded, 1);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void data_while_asleep(void *ctx, struct platform_scripted *script, uint32_t vp)
{
	struct peer *p = ctx;
	(void)script;
	(void)vp;
	if (*peer_control(p, 1, true, 2) == 0) { /* only if it wants to be told */
		peer_write(p, 1, 9);
		peer_event(p, p->channels[1].target_vp, 1);
	}
}

static void polling_sleeps_until_something_comes_or_time_is_up(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;

	open_channel(p, &channel, 1);
	const uint64_t start = p->script.now_100ns;
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, 5000), 0);
	CU_ASSERT_EQUAL(p->script.now_100ns, start + 5000);
	p->script.on_wait = data_while_asleep;
	CU_ASSERT_TRUE(vmbus_poll(p->bus, UINT64_MAX) > 0);
	CU_ASSERT_EQUAL(channel.in.status, RING_OK);
	CU_ASSERT_EQUAL(*peer_control(p, 1, true, 1), PEER_PACKET_BYTES);
	p->script.on_wait = NULL;
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void a_channel_of_another_vp_is_served_too(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;
	struct vmbus_open_config config = open_config(p);

	config.target_vp = 1;
	CU_ASSERT_EQUAL(p->hv.synic_enabled, 1);
	CU_ASSERT_EQUAL(vmbus_channel_open(p->bus, 1, &channel, &config, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(p->hv.synic_enabled, 3);
	CU_ASSERT_EQUAL(p->channels[1].target_vp, 1);
	vmbus_poll(p->bus, 0);
	p->script.on_wait = data_while_asleep;
	const uint64_t start = p->script.now_100ns;
	CU_ASSERT_TRUE(vmbus_poll(p->bus, SECOND) > 0);
	CU_ASSERT_TRUE(p->script.now_100ns - start <= 10000); /* not a second later */
	p->script.on_wait = NULL;
	CU_ASSERT_EQUAL(vmbus_channel_retarget(p->bus, &channel, 0, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(p->channels[1].target_vp, 0);
	CU_ASSERT_EQUAL(channel.config.target_vp, 0);
	CU_ASSERT_EQUAL(
		vmbus_channel_retarget(p->bus, &channel, 2, peer_deadline(p)), -VIRIDIAN_EINVAL);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void a_channel_without_interrupts_is_looked_at_in_every_poll(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;
	struct vmbus_open_config config = open_config(p);

	config.target_vp = VMBUS_TARGET_VP_NONE;
	CU_ASSERT_EQUAL(vmbus_channel_open(p->bus, 1, &channel, &config, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(p->channels[1].target_vp, 0xffffffff);
	vmbus_poll(p->bus, 0);
	CU_ASSERT_TRUE(vmbus_arm(p->bus)); /* it does not keep the bus awake */
	peer_write(p, 1, 5);
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, 0), 1);
	CU_ASSERT_EQUAL(*peer_control(p, 1, true, 2), 1);
	CU_ASSERT_EQUAL(
		vmbus_channel_retarget(p->bus, &channel, 0, peer_deadline(p)), -VIRIDIAN_EINVAL);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void old_versions_use_the_interrupt_page_both_ways(void)
{
	static const uint32_t versions[] = {0x0d, 0x10001};

	for (unsigned i = 0; i < 2; i++) {
		struct peer *p = peer_create(versions[i], NULL);
		struct vmbus_channel channel;
		p->offers = 3;
		p->is_shared[3] = true;
		CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
		uint8_t *page = platform_scripted_at(&p->script, p->interrupt_page, 4096);
		CU_ASSERT_PTR_NOT_NULL_FATAL(page);
		open_channel(p, &channel, 3);
		/* host → guest: bit in the first half, then event flag 0 of VP 0 */
		peer_write(p, 3, 1);
		page[0] = 1 << 3;
		page[200] = 0xff; /* relids that nobody has */
		peer_event(p, 0, 0);
		CU_ASSERT_EQUAL(vmbus_poll(p->bus, 0), 2);
		CU_ASSERT_EQUAL(channel.signals_received, 1);
		CU_ASSERT_EQUAL(page[0], 0);
		/* guest → host: bit in the second half, then connection 2 */
		vmbus_channel_signal(&channel);
		CU_ASSERT_EQUAL(page[2048], 1 << 3);
		CU_ASSERT_EQUAL(p->script.signals[p->script.signal_count - 1].connection_id, 2);
		/* a dedicated interrupt, which only 1.1 knows, leaves the page alone */
		struct vmbus_channel other;
		const struct vmbus_open_config config = open_config(p);
		CU_ASSERT_EQUAL(
			vmbus_channel_open(p->bus, 1, &other, &config, peer_deadline(p)), 0);
		page[2048] = 0;
		vmbus_channel_signal(&other);
		CU_ASSERT_EQUAL(page[2048], versions[i] == 0x0d ? 1 << 1 : 0);
		CU_ASSERT_EQUAL(p->script.signals[p->script.signal_count - 1].connection_id,
			versions[i] == 0x0d ? 2 : 0x2001);
		/* the first version confirms no unload, so each page list was asked for */
		CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), 0);
		CU_ASSERT_EQUAL(peer_posts(p, 11), versions[i] == 0x0d ? 2 : 0);
		/* but nothing confirms the interrupt page itself */
		CU_ASSERT_EQUAL(peer_destroy(p), versions[i] == 0x0d ? 1 : 0);
	}
}

static void monitored_channels_are_signalled_by_the_monitor_page(void)
{
	const struct vmbus_config config = {.wants_monitor_pages = true};
	struct peer *p = peer_create(0x50003, &config);
	struct vmbus_channel channel;
	static const uint8_t ids[] = {0, 31, 32, 127};
	static const unsigned bytes[] = {8, 11, 16, 35};
	static const uint8_t bits[] = {0x01, 0x80, 0x01, 0x80};

	p->offers = 5;
	for (unsigned i = 0; i < 4; i++)
		p->monitor_id[i + 1] = ids[i];
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
	const uint8_t *page = platform_scripted_at(&p->script, p->monitor_page, 4096);
	CU_ASSERT_PTR_NOT_NULL_FATAL(page);
	for (unsigned i = 0; i < 4; i++) {
		open_channel(p, &channel, i + 1);
		vmbus_channel_signal(&channel);
		CU_ASSERT_EQUAL(page[bytes[i]], bits[i]);
		CU_ASSERT_EQUAL(p->script.signal_count, 0);
		CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &channel, peer_deadline(p)), 0);
	}
	open_channel(p, &channel, 5); /* not monitored */
	vmbus_channel_signal(&channel);
	CU_ASSERT_EQUAL(p->script.signal_count, 1);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);

	/* without monitor pages of ours the id means nothing */
	p = peer_create(0x50003, NULL);
	p->offers = 1;
	p->monitor_id[1] = 5;
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(p->monitor_page, 0);
	open_channel(p, &channel, 1);
	vmbus_channel_signal(&channel);
	CU_ASSERT_EQUAL(p->script.signal_count, 1);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static const struct test tests[] = {
	TEST(a_whole_session_leaves_no_page),
	TEST(an_event_before_the_open_result_is_not_lost),
	TEST(rings_are_made_before_open),
	TEST(packets_that_wrap_without_a_second_mapping_arrive_whole),
	TEST(takes_messages_in_order_and_asks_for_the_next),
	TEST(survives_any_size_and_type_in_the_slot),
	TEST(event_bits_of_nobody_are_ignored),
	TEST(signalled_channels_stay_hot_until_the_bus_rests),
	TEST(arming_finds_what_came_before_it),
	TEST(polling_sleeps_until_something_comes_or_time_is_up),
	TEST(a_channel_of_another_vp_is_served_too),
	TEST(a_channel_without_interrupts_is_looked_at_in_every_poll),
	TEST(old_versions_use_the_interrupt_page_both_ways),
	TEST(monitored_channels_are_signalled_by_the_monitor_page),
};
TEST_MAIN("vmbus_client_bus", tests)
