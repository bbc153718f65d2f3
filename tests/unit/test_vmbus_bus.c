// SPDX-License-Identifier: Apache-2.0
/*
 * The bus: rings, doorbells, interrupts, the hot list, resets. A guest makes real
 * hypercalls to a partition without virtual processors.
 */
#include "tests/unit/vmbus_bus_rig.h"

/* ---- packets and signals ---- */

static void packets_go_both_ways(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	bench_connect(b);
	struct bench_channel *c = bench_opened(b, 1);
	CU_ASSERT_EQUAL(p->opens, 1);
	bench_run(b);
	for (uint64_t id = 1; id <= 1000; id++) {
		/* all is asleep: the first packet asks for a signal, more do not */
		CU_ASSERT_TRUE(bench_write(c, id));
		CU_ASSERT_EQUAL(bench_signal(b, 0x2001), 0);
		CU_ASSERT_FALSE(bench_write(c, id + 100000));
		bench_run(b);
		CU_ASSERT_EQUAL(bench_flag(b, 0), 1);
		CU_ASSERT_EQUAL(bench_flag(b, 0), BENCH_NO_FLAG);
		CU_ASSERT_EQUAL(bench_read(c), id);
		CU_ASSERT_EQUAL(bench_read(c), id + 100000);
	}
	CU_ASSERT_EQUAL(p->packets, 2000);
	bench_destroy(b);
}

/* R-RING-008, R-RING-009 */
static void a_hot_ring_is_masked_and_found_by_polling(void)
{
	struct bench *b = bench_make();
	bench_add(b, 1);
	bench_connect(b);
	struct bench_channel *c = bench_opened(b, 1);
	const uint32_t *mask = (uint32_t *)rig_at(&b->rig, BENCH_RINGS + BENCH_RING_STRIDE) + 2;
	bench_run(b);
	CU_ASSERT_EQUAL(*mask, 0);
	bench_write(c, 1);
	bench_signal(b, 0x2001);
	CU_ASSERT_EQUAL(*mask, 1);
	CU_ASSERT_TRUE(vmbus_bus_poll(b->bus));
	CU_ASSERT_FALSE(vmbus_bus_poll(b->bus));
	CU_ASSERT_EQUAL(*mask, 1);
	CU_ASSERT_FALSE(bench_write(c, 2)); /* no signal wanted, and found all the same */
	CU_ASSERT_TRUE(vmbus_bus_poll(b->bus));
	CU_ASSERT_FALSE(vmbus_bus_poll(b->bus));
	CU_ASSERT_FALSE(bench_write(c, 3)); /* between the last look and arming */
	CU_ASSERT_FALSE(vmbus_bus_arm(b->bus));
	CU_ASSERT_EQUAL(b->providers[1].packets, 3);
	bench_run(b);
	CU_ASSERT_EQUAL(*mask, 0);
	CU_ASSERT_TRUE(bench_write(c, 4));
	bench_destroy(b);
}

static void an_idle_channel_cools_while_others_are_busy(void)
{
	struct bench *b = bench_make();
	bench_add(b, 1);
	bench_add(b, 2);
	bench_connect(b);
	struct bench_channel *c = bench_opened(b, 1);
	bench_opened(b, 2);
	const uint32_t *mask = (uint32_t *)rig_at(&b->rig, BENCH_RINGS + 2 * BENCH_RING_STRIDE) + 2;
	bench_signal(b, 0x2002);
	CU_ASSERT_EQUAL(*mask, 1);
	for (uint64_t id = 1; id <= 100; id++) {
		bench_write(c, id);
		bench_signal(b, 0x2001);
		CU_ASSERT_TRUE(vmbus_bus_poll(b->bus));
		CU_ASSERT_EQUAL(bench_read(c), id);
	}
	CU_ASSERT_EQUAL(*mask, 0);
	const unsigned readies = b->providers[2].readies;
	CU_ASSERT_TRUE(readies < 100);
	vmbus_bus_poll(b->bus);
	CU_ASSERT_EQUAL(b->providers[2].readies, readies);
	bench_destroy(b);
}

static void a_provider_that_declines_packets_is_not_asked_until_it_kicks(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	bench_connect(b);
	struct bench_channel *c = bench_opened(b, 1);
	bench_run(b);
	p->is_lazy = true;
	bench_write(c, 1);
	bench_signal(b, 0x2001);
	bench_run(b); /* ends: the loop may sleep though a packet is there */
	const unsigned readies = p->readies;
	CU_ASSERT_TRUE(vmbus_bus_arm(b->bus));
	CU_ASSERT_FALSE(vmbus_bus_poll(b->bus));
	CU_ASSERT_EQUAL(p->readies, readies);
	p->is_lazy = false;
	bus_channel_kick(p->channel);
	bench_run(b);
	CU_ASSERT_EQUAL(p->packets, 1);
	CU_ASSERT_EQUAL(bench_read(c), 1);
	bench_destroy(b);
}

/* The guest waits for room: it is signalled once there is some (R-RING-011, R-RING-020). */
static void room_in_the_ring_is_signalled(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	bench_connect(b);
	struct bench_channel *c = bench_opened(b, 1);
	const struct packet_header header = {.type = PACKET_TYPE_INBAND, .payload_bytes = 4096};
	static uint8_t payload[4096];
	bench_run(b);
	p->is_lazy = true;
	while (ring_send(&c->out, &header, NULL, payload) == RING_OK)
		;
	if (ring_flush(&c->out))
		bench_signal(b, 0x2001);
	CU_ASSERT_EQUAL(ring_writer_want(&c->out, &header), RING_FULL);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_flag(b, 0), BENCH_NO_FLAG);
	p->is_lazy = false;
	bus_channel_kick(p->channel);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_flag(b, 0), 1);
	CU_ASSERT_EQUAL(ring_send(&c->out, &header, NULL, payload), RING_OK);
	bench_destroy(b);
}

/* As many packets as there is room for. */
static void fill(struct bench_provider *p, struct bus_channel *channel)
{
	const struct packet_header header = {.type = PACKET_TYPE_INBAND, .payload_bytes = 1000};
	static uint8_t payload[1000];
	struct ring_writer *writer = bus_channel_writer(channel);
	while (ring_send(writer, &header, NULL, payload) == RING_OK)
		p->packets++;
	bus_channel_flush(channel);
	(void)ring_writer_want(writer, &header);
	bus_channel_flush(channel);
}

/* R-RING-018 */
static void room_is_polled_for_where_the_guest_does_not_tell(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	bench_connect(b);
	struct bench_channel *c = bench_opened(b, 1);
	uint32_t *features = (uint32_t *)rig_at(&b->rig, BENCH_RINGS + BENCH_RING_STRIDE) + 16;
	bench_run(b);
	p->on_ready = fill;
	bus_channel_kick(p->channel);
	bench_run(b);
	const unsigned most = p->packets;
	CU_ASSERT_TRUE(most > 4);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0); /* it would tell */
	CU_ASSERT_EQUAL(*features, 1);
	*features = 0;
	bus_channel_kick(p->channel);
	bench_run(b);
	CU_ASSERT_EQUAL(p->packets, most);
	CU_ASSERT_NOT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	for (unsigned i = 0; i < most; i++) {
		struct packet_view view = {0};
		CU_ASSERT_EQUAL_FATAL(ring_peek(&c->in, &view), RING_OK);
		ring_release(&c->in, &view);
	}
	(void)ring_read_flush(&c->in); /* and no signal */
	vmbus_bus_poll(b->bus);
	CU_ASSERT_EQUAL(p->packets, 2 * most);
	/* failed or closed, it is not waited for any more */
	CU_ASSERT_NOT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	bus_channel_fail(p->channel, "broken");
	bus_channel_flush(p->channel);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	bench_destroy(b);
}

/* The packet comes between the last look and arming, and its answer finds the ring full. */
static void arming_may_begin_to_poll_for_room(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	bench_connect(b);
	struct bench_channel *c = bench_opened(b, 1);
	bench_run(b);
	*((uint32_t *)rig_at(&b->rig, BENCH_RINGS + BENCH_RING_STRIDE) + 16) = 0;
	bench_write(c, 1);
	bench_signal(b, 0x2001);
	bench_run(b);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	bus_channel_kick(p->channel);
	while (vmbus_bus_poll(b->bus))
		;
	p->on_ready = fill;
	bench_write(c, 2);
	CU_ASSERT_TRUE(vmbus_bus_arm(b->bus));
	CU_ASSERT_NOT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	BENCH_SAY(b, 12, 7, 0, 1);
	bench_run(b);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	bench_destroy(b);
}

/* R-RING-021 */
static void spurious_signals_cost_little(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	bench_connect(b);
	struct bench_channel *c = bench_opened(b, 1);
	bench_run(b);
	const unsigned readies = p->readies;
	for (unsigned i = 0; i < 100000; i++)
		bench_signal(b, 0x2001);
	CU_ASSERT_EQUAL(p->readies, readies); /* nothing runs within a hypercall */
	bench_run(b);
	CU_ASSERT_TRUE(p->readies <= readies + 2);
	bench_write(c, 1);
	bench_signal(b, 0x2001);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_read(c), 1);
	bench_destroy(b);
}

/* R-OPEN-016 */
static void nothing_is_lost_around_an_open(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	p->waits_open = true;
	p->writes_at_open = true;
	bench_connect(b);
	bench_rings(b, 1);
	bench_say_open(b, 1, 0);
	struct bench_channel *c = &b->channels[1];
	CU_ASSERT_EQUAL(bench_read(c), 0xabc);
	bench_write(c, 1);
	CU_ASSERT_EQUAL(bench_signal(b, 0x2001), 0); /* the port is there */
	bench_run(b);
	CU_ASSERT_EQUAL(p->readies, 0); /* the provider is not ready yet */
	CU_ASSERT_EQUAL(bench_flag(b, 0), BENCH_NO_FLAG);
	bus_channel_open_done(p->channel, 0);
	BENCH_HEAR(b, 20, 6);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_flag(b, 0), 1); /* after the answer, for what was written before */
	CU_ASSERT_EQUAL(bench_read(c), 1);
	/* also if the loop would sleep at once */
	BENCH_SAY(b, 12, 7, 0, 1);
	BENCH_SAY(b, 16, 11, 0, 1, 1);
	BENCH_HEAR(b, 12, 12);
	p->waits_open = false;
	bench_opened(b, 1);
	CU_ASSERT_TRUE(vmbus_bus_arm(b->bus));
	CU_ASSERT_EQUAL(bench_flag(b, 0), 1);
	bus_channel_open_done(p->channel, 0); /* nobody waits for it */
	bench_destroy(b);
}

/* R-OPEN-021, R-OPEN-008, R-GPADL-015 */
static void rings_that_cannot_be_used_fail_the_open_alone(void)
{
	static const struct {
		unsigned word; /* of the control page */
		uint32_t value;
	} wrong[] = {{0, 0xfffffff8}, {0, 4}, {1, 0x3000}, {1, 1}};
	struct bench *b = bench_make();
	bench_add(b, 1);
	bench_add(b, 2);
	bench_connect(b);
	struct bench_channel *c = bench_opened(b, 2);
	bench_rings(b, 1);
	for (unsigned ring = 0; ring < 2; ring++) {
		for (unsigned i = 0; i < 4; i++) {
			uint32_t *control = rig_at(
				&b->rig, BENCH_RINGS + BENCH_RING_STRIDE + ring * 0x4000ull);
			control[wrong[i].word] = wrong[i].value;
			bench_say_open(b, 1, 0);
			BENCH_HEAR(b, 20, 6);
			CU_ASSERT_EQUAL(bench_word(b, 4), 0x8000ffff);
			CU_ASSERT_EQUAL(bench_signal(b, 0x2001), HV_STATUS_INVALID_CONNECTION_ID);
			control[wrong[i].word] = 0;
		}
	}
	CU_ASSERT_EQUAL(vmbus_bus_rejections(b->bus, VMBUS_REJECTION_RING_GPADL), 8);
	CU_ASSERT_EQUAL(b->providers[1].opens, 0);
	/* the page at the end of memory is there, the next one is not */
	uint32_t words[60] = {8, 0, 1, 50, 16 | 1 << 16, 4096, 0, RIG_MEMORY >> 12};
	CU_ASSERT_EQUAL(bench_post(b, 1, words, 36), 0);
	BENCH_HEAR(b, 20, 10);
	CU_ASSERT_EQUAL(bench_word(b, 4), 0x8000ffff);
	words[7]--;
	CU_ASSERT_EQUAL(bench_post(b, 1, words, 36), 0);
	BENCH_HEAR(b, 20, 10);
	CU_ASSERT_EQUAL(bench_word(b, 4), 0);
	bench_write(c, 7);
	bench_signal(b, 0x2002);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_read(c), 7);
	bench_say_open(b, 1, 0);
	BENCH_HEAR(b, 20, 6);
	CU_ASSERT_EQUAL(bench_word(b, 4), 0);
	bench_destroy(b);
}

/* R-RING-022 */
static void a_broken_ring_silences_its_channel_alone(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	bench_add(b, 2);
	bench_connect(b);
	bench_opened(b, 1);
	struct bench_channel *other = bench_opened(b, 2);
	bench_run(b);
	uint32_t *control = rig_at(&b->rig, BENCH_RINGS + BENCH_RING_STRIDE);
	control[0] = 0xfffffff0;
	bench_signal(b, 0x2001);
	bench_run(b);
	const unsigned readies = p->readies;
	bench_signal(b, 0x2001);
	bus_channel_kick(p->channel);
	bench_run(b);
	CU_ASSERT_EQUAL(p->readies, readies);
	bench_write(other, 7);
	bench_signal(b, 0x2002);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_read(other), 7);
	/* it can be closed, torn down and opened again */
	BENCH_SAY(b, 12, 7, 0, 1);
	CU_ASSERT_EQUAL(p->closes, 1);
	BENCH_SAY(b, 16, 11, 0, 1, 1);
	BENCH_HEAR(b, 12, 12);
	struct bench_channel *c = bench_opened(b, 1);
	bench_write(c, 8);
	bench_signal(b, 0x2001);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_read(c), 8);
	bench_destroy(b);
}

/* ---- interrupts ---- */

/* R-OPEN-014, R-OPEN-009, R-MOD-001, R-MOD-002 */
static void interrupts_go_where_the_guest_wants_them(void)
{
	struct bench *b = bench_make();
	bench_add(b, 1);
	bench_add(b, 2);
	bench_connect(b);
	struct bench_channel *none = bench_opened_on(b, 2, 0xffffffff);
	struct bench_channel *c = bench_opened_on(b, 1, 1);
	CU_ASSERT_EQUAL(bus_channel_target_vp(b->providers[1].channel), 1);
	bench_write(c, 1);
	bench_write(none, 1);
	bench_signal(b, 0x2001);
	bench_signal(b, 0x2002);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_read(none), 1);
	CU_ASSERT_EQUAL(bench_flag(b, 0), BENCH_NO_FLAG);
	CU_ASSERT_EQUAL(bench_flag(b, 1), 1);
	CU_ASSERT_EQUAL(bench_flag(b, 1), BENCH_NO_FLAG);
	CU_ASSERT_EQUAL(bench_read(c), 1);
	BENCH_SAY(b, 16, 22, 0, 1, 0);
	BENCH_HEAR(b, 16, 24);
	bench_write(c, 2);
	bench_signal(b, 0x2001);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_flag(b, 1), BENCH_NO_FLAG);
	CU_ASSERT_EQUAL(bench_flag(b, 0), 1);
	bench_destroy(b);
}

/* R-OPEN-010, R-OPEN-011 */
static void the_guest_may_choose_its_signals(void)
{
	struct bench *b = bench_make();
	bench_add(b, 1);
	bench_add(b, 2);
	bench_connect_with(b, 0x60000, 1, 0, false);
	uint32_t words[60] = {5, 0, 1, 1, 1, 0, 4};
	bench_rings(b, 1);
	bench_rings(b, 2);
	words[37] = 0x7777;
	words[38] = 77;
	CU_ASSERT_EQUAL(bench_post(b, 4, words, 156), 0);
	BENCH_HEAR(b, 20, 6);
	CU_ASSERT_EQUAL(bench_word(b, 4), 0);
	CU_ASSERT_EQUAL(bench_signal(b, 0x2001), HV_STATUS_INVALID_CONNECTION_ID);
	bench_write(&b->channels[1], 1);
	CU_ASSERT_EQUAL(bench_signal(b, 0x7777), 0);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_flag(b, 0), 77);
	CU_ASSERT_EQUAL(bench_read(&b->channels[1]), 1);
	/* taken, or impossible, ids */
	static const uint32_t wrong[] = {0x7777, 2, 0x1000000, 0xffffffff};
	words[2] = 2;
	words[4] = 2;
	for (unsigned i = 0; i < 4; i++) {
		words[37] = wrong[i];
		CU_ASSERT_EQUAL(bench_post(b, 4, words, 156), 0);
		BENCH_HEAR(b, 20, 6);
		CU_ASSERT_EQUAL(bench_word(b, 4), 0x8000ffff);
	}
	CU_ASSERT_EQUAL(vmbus_bus_rejections(b->bus, VMBUS_REJECTION_SIGNAL_PARAMETERS), 4);
	words[37] = 0x7778;
	CU_ASSERT_EQUAL(bench_post(b, 4, words, 156), 0);
	BENCH_HEAR(b, 20, 6);
	CU_ASSERT_EQUAL(bench_word(b, 4), 0);
	bench_destroy(b);
}

/* R-MSG-012, R-MSG-013 */
static void old_versions_use_the_interrupt_page(void)
{
	static const uint32_t versions[] = {0x0000d, 0x10001};
	for (unsigned i = 0; i < 2; i++) {
		struct bench *b = bench_make();
		bench_add(b, 1);
		bench_add(b, 2);
		bench_connect_with(b, versions[i], 0, BENCH_INTERRUPTS, false);
		struct bench_channel *c = bench_opened(b, 2);
		uint64_t *page = rig_at(&b->rig, BENCH_INTERRUPTS);
		bench_run(b);
		bench_write(c, 5);
		memset(&page[256], 0xff, 2048); /* every bit: those of open channels count */
		CU_ASSERT_EQUAL(bench_signal(b, 2), 0);
		for (unsigned word = 0; word < 32; word++)
			CU_ASSERT_EQUAL(page[256 + word], 0);
		bench_run(b);
		CU_ASSERT_EQUAL(bench_read(c), 5);
		CU_ASSERT_EQUAL(bench_flag(b, 0), 0);
		CU_ASSERT_EQUAL(page[0], UINT64_C(1) << 2);
		for (unsigned word = 1; word < 256; word++)
			CU_ASSERT_EQUAL(page[word], 0);
		page[0] = 0;
		/* the channel's own connection serves, too */
		bench_write(c, 6);
		CU_ASSERT_EQUAL(bench_signal(b, 0x2002), 0);
		bench_run(b);
		CU_ASSERT_EQUAL(bench_read(c), 6);
		/* the page is not touched any more after an unload */
		BENCH_SAY(b, 8, 16);
		page[0] = 0;
		memset(&page[256], 0xff, 2048);
		bench_signal(b, 2);
		CU_ASSERT_EQUAL(page[256], UINT64_MAX);
		bench_destroy(b);
	}
}

/* R-MNF-002, R-MNF-003, R-MNF-004, R-MNF-009 */
static void signals_are_collected_from_the_monitor_page(void)
{
	struct bench *b = bench_make();
	struct bus_offer offer = bench_offer(b, 1);
	offer.wants_monitor = true;
	CU_ASSERT_EQUAL(bus_offer_add(b->bus, &offer, &b->providers[1].channel), 0);
	bench_connect_with(b, 0x50003, 0, 0, true);
	uint32_t *pending = (uint32_t *)rig_at(&b->rig, BENCH_MONITOR_IN) + 2;
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	pending[0] = 0xffffffff; /* nothing is open: nothing happens */
	bench_run(b);
	CU_ASSERT_EQUAL(pending[0], 0xffffffff);
	struct bench_channel *c = bench_opened(b, 1);
	CU_ASSERT_NOT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	bench_run(b);
	bench_write(c, 1);
	for (unsigned group = 0; group < 4; group++)
		pending[2 * group] = 0xffffffff;
	vmbus_bus_poll(b->bus);
	for (unsigned group = 0; group < 4; group++)
		CU_ASSERT_EQUAL(pending[2 * group], 0);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_read(c), 1);
	bench_write(c, 2);
	bench_signal(b, 0x2001);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_read(c), 2);
	BENCH_SAY(b, 12, 7, 0, 1);
	CU_ASSERT_EQUAL(vmbus_bus_poll_interval_ns(b->bus), 0);
	bench_destroy(b);
}

/* R-ROB-013: through a whole life, no flag but those of open channels */
static void only_flags_of_open_channels_are_ever_set(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	bench_add(b, 2);
	bench_connect(b);
	CU_ASSERT_EQUAL(bench_flag(b, 0), BENCH_NO_FLAG);
	struct bench_channel *c = bench_opened(b, 1);
	for (unsigned i = 0; i < 10; i++) {
		bench_write(c, i + 1);
		bench_signal(b, 0x2001);
		bench_signal(b, 2);
		bench_signal(b, 0x2002);
		bench_run(b);
		CU_ASSERT_EQUAL(bench_flag(b, 0), 1);
		CU_ASSERT_EQUAL(bench_flag(b, 0), BENCH_NO_FLAG);
		CU_ASSERT_EQUAL(bench_read(c), i + 1);
	}
	p->waits_close = true;
	BENCH_SAY(b, 12, 7, 0, 1);
	/* R-OPEN-020, R-RING-028: rings are there, the guest is left in peace */
	bench_send(p->channel, 99);
	bus_channel_flush(p->channel);
	CU_ASSERT_EQUAL(bench_read(c), 99);
	CU_ASSERT_EQUAL(bench_flag(b, 0), BENCH_NO_FLAG);
	/* R-MSG-011 */
	CU_ASSERT_EQUAL(bench_signal(b, 0x2001), HV_STATUS_INVALID_CONNECTION_ID);
	bus_channel_kick(p->channel);
	bench_run(b);
	bus_channel_close_done(p->channel);
	bus_channel_close_done(p->channel); /* nobody waits for it */
	bus_channel_flush(p->channel);
	bus_offer_remove(p->channel);
	BENCH_HEAR(b, 12, 2);
	bench_connect(b);
	bench_run(b);
	CU_ASSERT_EQUAL(bench_flag(b, 0), BENCH_NO_FLAG);
	CU_ASSERT_EQUAL(bench_flag(b, 1), BENCH_NO_FLAG);
	bench_destroy(b);
}

static const struct test tests[] = {
	TEST(packets_go_both_ways),
	TEST(a_hot_ring_is_masked_and_found_by_polling),
	TEST(an_idle_channel_cools_while_others_are_busy),
	TEST(a_provider_that_declines_packets_is_not_asked_until_it_kicks),
	TEST(room_in_the_ring_is_signalled),
	TEST(room_is_polled_for_where_the_guest_does_not_tell),
	TEST(arming_may_begin_to_poll_for_room),
	TEST(spurious_signals_cost_little),
	TEST(nothing_is_lost_around_an_open),
	TEST(rings_that_cannot_be_used_fail_the_open_alone),
	TEST(a_broken_ring_silences_its_channel_alone),
	TEST(interrupts_go_where_the_guest_wants_them),
	TEST(the_guest_may_choose_its_signals),
	TEST(old_versions_use_the_interrupt_page),
	TEST(signals_are_collected_from_the_monitor_page),
	TEST(only_flags_of_open_channels_are_ever_set),
};
TEST_MAIN("vmbus_bus", tests)
