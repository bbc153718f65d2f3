// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's bus over SynIC at its edges: an open that fails, relids at the end of a word of event
 * flags, what comes in the moment of resting, what an earlier life has left.
 */
#include "tests/unit/vmbus_bus_peer.h"

#include "tests/harness.h"

static void on_ready(void *ctx, struct vmbus_channel *channel)
{
	struct peer *p = ctx;

	p->ready++;
	peer_packets_read(p, channel);
}

static int open_channel(struct peer *p, struct vmbus_channel *channel, uint32_t relid)
{
	const struct vmbus_open_config config = {
		.ring_out_bytes = 8192, .ring_in_bytes = 8192, .on_ready = on_ready, .ctx = p};

	return vmbus_channel_open(p->bus, relid, channel, &config, peer_deadline(p));
}

static void settle(struct peer *p)
{
	while (vmbus_poll(p->bus, 0) > 0)
		;
}

/* R-OPEN-026. */
static void a_channel_that_did_not_open_can_be_opened_again(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel first, second;

	p->is_silent[8] = true; /* no GPADL_CREATED */
	CU_ASSERT_EQUAL(open_channel(p, &first, 1), -VIRIDIAN_ETIMEDOUT);
	p->is_silent[8] = false;
	CU_ASSERT_EQUAL_FATAL(open_channel(p, &second, 1), 0);
	settle(p);
	const unsigned ready = p->ready;
	peer_write(p, 1, 1);
	peer_event(p, 0, 1);
	settle(p);
	CU_ASSERT_EQUAL(p->ready, ready + 1);
	CU_ASSERT_EQUAL(p->torn, 0);
	CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &second, peer_deadline(p)), 0);
	vmbus_unload(p->bus, peer_deadline(p));
	(void)peer_destroy(p);
}

/* R-SYNIC-013: 63 and 64 are in different words. */
static void events_of_each_word_are_seen(void)
{
	static const uint32_t relids[] = {63, 64, 65};

	for (unsigned i = 0; i < 3; i++) {
		struct peer *p = peer_connected(0x50003, NULL, 1);
		struct vmbus_channel channel;
		uint8_t m[196];

		offer_bytes(m, relids[i], 9, 0);
		peer_say(p, m, sizeof m);
		settle(p);
		CU_ASSERT_EQUAL_FATAL(open_channel(p, &channel, relids[i]), 0);
		settle(p);
		CU_ASSERT_TRUE(vmbus_arm(p->bus)); /* the ring is not looked at any more */
		const unsigned ready = p->ready;
		peer_write(p, relids[i], 1);
		peer_event(p, 0, relids[i]);
		settle(p);
		CU_ASSERT_EQUAL(p->ready, ready + 1);
		vmbus_unload(p->bus, peer_deadline(p));
		(void)peer_destroy(p);
	}
}

/* R-MNF-001. */
static void monitor_bits_of_other_channels_stay(void)
{
	const struct vmbus_config config = {.wants_monitor_pages = true};
	struct peer *p = peer_create(0x50003, &config);
	struct vmbus_channel channels[2];

	p->offers = 2;
	p->monitor_id[1] = 0;
	p->monitor_id[2] = 3;
	CU_ASSERT_EQUAL_FATAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
	const uint8_t *page = platform_scripted_at(&p->script, p->monitor_page, 4096);
	CU_ASSERT_PTR_NOT_NULL_FATAL(page);
	for (uint32_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL_FATAL(open_channel(p, &channels[i], i + 1), 0);
		vmbus_channel_signal(&channels[i]);
	}
	CU_ASSERT_EQUAL(page != NULL ? page[8] : 0, 1u << 0 | 1u << 3);
	vmbus_unload(p->bus, peer_deadline(p));
	(void)peer_destroy(p);
}

/* The host answers a packet at once, and does not signal, for the guest has masked its ring. */
static void answer_at_once(
	void *ctx, struct platform_scripted *script, uint32_t connection_id, uint16_t flag)
{
	struct peer *p = ctx;
	(void)connection_id;
	(void)flag;
	script->on_signal = NULL;
	CU_ASSERT_EQUAL(*peer_control(p, 1, true, 2), 1);
	peer_write(p, 1, 1);
}

/* R-RING-009. */
static void what_comes_while_the_bus_goes_to_rest_is_served(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;
	const struct packet_header header = {.type = PACKET_TYPE_INBAND, .payload_bytes = 8};

	CU_ASSERT_EQUAL_FATAL(open_channel(p, &channel, 1), 0);
	settle(p);
	CU_ASSERT_TRUE(channel.is_hot);
	CU_ASSERT_EQUAL(ring_send(&channel.out, &header, NULL, "question"), RING_OK);
	p->script.on_signal = answer_at_once;
	const unsigned ready = p->ready;
	const uint64_t before = p->script.now_100ns;
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, SECOND), 1);
	CU_ASSERT_EQUAL(p->ready, ready + 1);
	CU_ASSERT_TRUE(p->script.now_100ns - before < SECOND);
	vmbus_unload(p->bus, peer_deadline(p));
	(void)peer_destroy(p);
}

static unsigned maps, unmaps;

/* Each second one is not to be had. */
static int map(void *ctx, const struct winhv_pages *pages, size_t offset, size_t bytes,
	void **control, uint8_t **data)
{
	(void)ctx;
	(void)bytes;
	if (maps++ % 2 != 0)
		return -VIRIDIAN_ENOMEM;
	*control = pages->va + offset;
	*data = pages->va + offset + 4096;
	return 0;
}

static void unmap(void *ctx, void *control, uint8_t *data, size_t data_bytes)
{
	(void)ctx;
	(void)control;
	(void)data;
	(void)data_bytes;
	unmaps++;
}

/* R-OPEN-026. */
static void a_ring_that_is_mapped_alone_is_unmapped(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct winhv_platform_ops ops = platform_scripted_ops;
	struct vmbus_channel channel;

	ops.ring_map = map;
	ops.ring_unmap = unmap;
	p->hv.ops = &ops;
	maps = unmaps = 0;
	CU_ASSERT_EQUAL_FATAL(open_channel(p, &channel, 1), 0);
	CU_ASSERT_FALSE(channel.is_double_mapped);
	CU_ASSERT_EQUAL(maps, 2);
	CU_ASSERT_EQUAL(unmaps, 1);
	CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &channel, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(unmaps, 1);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

/* R-ROB-012, R-CONN-028: a refusal that nobody has asked for. */
static void a_message_from_before_the_contact_is_no_answer(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	uint8_t refusal[16] = {15};

	CU_ASSERT_EQUAL(vmbus_version(p->bus), 0x50003);
	CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), 0);
	peer_say(p, refusal, sizeof refusal);
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(vmbus_version(p->bus), 0x50003);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static const struct test tests[] = {
	TEST(a_channel_that_did_not_open_can_be_opened_again),
	TEST(events_of_each_word_are_seen),
	TEST(monitor_bits_of_other_channels_stay),
	TEST(what_comes_while_the_bus_goes_to_rest_is_served),
	TEST(a_ring_that_is_mapped_alone_is_unmapped),
	TEST(a_message_from_before_the_contact_is_no_answer),
};

TEST_MAIN("vmbus_client_bus_edge", tests)
