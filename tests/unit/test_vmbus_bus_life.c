// SPDX-License-Identifier: Apache-2.0
/* The bus: messages, resets, removal, statistics, coming and going. */
#include "tests/unit/vmbus_bus_rig.h"

static void count_reset(void *ctx)
{
	((struct bench *)ctx)->resets_done++;
}

static void remove_self(struct bench_provider *p, struct bus_channel *channel)
{
	p->on_ready = NULL;
	bus_offer_remove(channel);
	p->channel = NULL;
}

static void remove_victim(struct bench_provider *p, struct bus_channel *channel)
{
	(void)channel;
	p->on_ready = NULL;
	bus_offer_remove(p->victim->channel);
	p->victim->channel = NULL;
}

/* `remover` takes `victim` away while the hot list is walked, by a poll or by arming. */
static void remove_within(unsigned remover, unsigned victim, bool by_arming)
{
	struct bench *b = bench_make();
	struct bench_provider *p = &b->providers[remover];
	for (unsigned i = 1; i <= 3; i++)
		bench_add(b, i);
	bench_connect(b);
	for (unsigned i = 1; i <= 3; i++)
		bench_opened(b, i);
	bench_run(b);
	bench_write(&b->channels[remover], 77);
	p->victim = &b->providers[victim];
	p->on_ready = remover == victim ? remove_self : remove_victim;
	for (unsigned i = 1; i <= 3; i++)
		bus_channel_kick(b->providers[i].channel);
	if (by_arming)
		vmbus_bus_arm(b->bus);
	bench_run(b);
	CU_ASSERT_EQUAL(b->providers[victim].closes, 1);
	BENCH_HEAR(b, 12, 2);
	CU_ASSERT_EQUAL(bench_word(b, 2), victim);
	for (unsigned i = 1; i <= 3; i++) {
		if (i == victim)
			continue;
		bench_write(&b->channels[i], i);
		bench_signal(b, 0x2000 + i);
	}
	bench_run(b);
	for (unsigned i = 1; i <= 3; i++) {
		if (i == victim)
			continue;
		if (i == remover)
			CU_ASSERT_EQUAL(bench_read(&b->channels[i]), 77);
		CU_ASSERT_EQUAL(bench_read(&b->channels[i]), i);
	}
	bench_destroy(b);
}

struct visited {
	unsigned count;
	struct bus_channel_statistics last;
};

static void visit(void *ctx, const struct bus_channel_statistics *statistics)
{
	struct visited *visited = ctx;
	CU_ASSERT_TRUE(statistics->relid >= visited->last.relid);
	visited->count++;
	visited->last = *statistics;
}

static void messages_of_another_synic_type_are_dropped(void)
{
	struct bench *b = bench_make();
	const uint32_t contact[10] = {14, 0, 0x50003, 0, 2};
	CU_ASSERT_EQUAL(bench_post_type(b, 4, 2, contact, 40), 0);
	BENCH_DEAD(b);
	CU_ASSERT_STRING_EQUAL(bench_status(b).last_rejection, "NOT_CONTROL");
	CU_ASSERT_EQUAL(bench_post(b, 4, contact, 0), 0);
	CU_ASSERT_STRING_EQUAL(bench_status(b).last_rejection, "TOO_SMALL");
	CU_ASSERT_EQUAL(bench_post(b, 4, contact, 40), 0);
	BENCH_HEAR(b, 16, 15);
	CU_ASSERT_EQUAL(bench_post(b, 5, contact, 40), HV_STATUS_INVALID_CONNECTION_ID);
	bench_destroy(b);
}

static void a_single_client_bus_is_like_an_older_host(void)
{
	struct bench *b = bench_make_with(
		&(struct vmbus_bus_config){.version_max = 0x40000, .is_single_client = true});
	const uint32_t contact[10] = {14, 0, 0x50003, 0, 2};
	CU_ASSERT_EQUAL(bench_post(b, 4, contact, 40), HV_STATUS_INVALID_CONNECTION_ID);
	CU_ASSERT_EQUAL(bench_post(b, 1, contact, 40), 0);
	BENCH_HEAR(b, 16, 15);
	CU_ASSERT_EQUAL(bench_word(b, 2), 0);
	bench_connect_with(b, 0x40000, 0, BENCH_INTERRUPTS, false);
	bench_destroy(b);
}

/* R-MSG-001, R-MSG-002, R-MSG-003, R-MSG-004 */
static void a_slow_guest_gets_all_offers_in_order_and_must_wait(void)
{
	struct bench *b = bench_make();
	static struct bench_provider many;
	for (unsigned i = 0; i < 500; i++) {
		struct bus_offer offer = bench_offer(b, 0);
		struct bus_channel *channel;
		offer.ctx = &many;
		offer.instance_id.bytes[14] = (uint8_t)(i >> 8);
		offer.instance_id.bytes[15] = (uint8_t)i;
		CU_ASSERT_EQUAL(bus_offer_add(b->bus, &offer, &channel), 0);
	}
	BENCH_SAY(b, 40, 14, 0, 0x50003, 0, 2);
	BENCH_HEAR(b, 16, 15);
	BENCH_SAY(b, 8, 3);
	const uint32_t header[5] = {8, 0, 1999, 1};
	for (unsigned i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(bench_post(b, 1, header, 20), HV_STATUS_INSUFFICIENT_BUFFERS);
	for (unsigned i = 1; i <= 500; i++) {
		BENCH_HEAR(b, 196, 1);
		CU_ASSERT_EQUAL(bench_word(b, 46), i);
	}
	BENCH_HEAR(b, 8, 4);
	BENCH_DEAD(b);
	CU_ASSERT_EQUAL(bench_post(b, 1, header, 20), 0);
	BENCH_HEAR(b, 20, 10);
	CU_ASSERT_EQUAL(bench_status(b).channel_count, 500);
	bench_destroy(b);
}

/* R-UNL-009, R-ROB-012 */
static void a_message_page_that_is_off_harms_nobody(void)
{
	struct bench *b = bench_make();
	bench_add(b, 1);
	bench_connect(b);
	rig_write(&b->rig, 0, HV_X64_MSR_SIMP, 0);
	for (unsigned i = 2; i <= BENCH_CHANNELS; i++)
		bench_add(b, i);
	/* the next kernel of the guest, from VP 1, reads nothing of the old messages */
	const uint32_t contact[10] = {14, 0, 0x50003, 1, 2};
	CU_ASSERT_EQUAL(bench_post(b, 4, contact, 40), 0);
	CU_ASSERT_EQUAL(bench_hear_on(b, 1), 16);
	CU_ASSERT_EQUAL(bench_word(b, 0), 15);
	bench_synic_on(b, 0);
	BENCH_DEAD(b);
	bench_destroy(b);
}

/* R-UNL-007, R-ROB-007 */
static void a_reset_waits_for_providers(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	struct bench_provider *opening = bench_add(b, 2);
	bench_connect(b);
	bench_opened(b, 1);
	p->waits_close = true;
	opening->waits_open = true;
	bench_rings(b, 2);
	bench_say_open(b, 2, 0);
	vmbus_bus_reset(b->bus, count_reset, b);
	CU_ASSERT_EQUAL(p->closes, 1);
	CU_ASSERT_EQUAL(opening->closes, 0);
	CU_ASSERT_EQUAL(b->resets_done, 0);
	bench_send(p->channel, 1); /* memory is still mapped */
	bus_channel_flush(p->channel);
	bus_channel_close_done(p->channel);
	CU_ASSERT_EQUAL(b->resets_done, 0);
	bus_channel_open_done(opening->channel, 0);
	CU_ASSERT_EQUAL(opening->closes, 1);
	CU_ASSERT_EQUAL(b->resets_done, 1);
	BENCH_DEAD(b);
	CU_ASSERT_STRING_EQUAL(bench_status(b).connection_state, "disconnected");
	vmbus_bus_reset(b->bus, count_reset, b); /* nothing to wait for */
	CU_ASSERT_EQUAL(b->resets_done, 2);
	p->waits_close = false;
	opening->waits_open = false;
	bench_connect(b);
	bench_opened(b, 1);
	bench_destroy(b);
}

static void a_reset_of_the_partition_resets_the_bus(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	bench_connect(b);
	bench_opened(b, 1);
	partition_reset(b->rig.partition);
	CU_ASSERT_EQUAL(p->closes, 1);
	CU_ASSERT_EQUAL(bench_status(b).version, 0);
	rig_hypercalls_on(&b->rig);
	bench_synic_on(b, 0);
	bench_connect(b);
	bench_opened(b, 1);
	bench_destroy(b);
}

static void providers_may_remove_offers_from_within(void)
{
	for (unsigned remover = 1; remover <= 3; remover++) {
		for (unsigned victim = 1; victim <= 3; victim++) {
			remove_within(remover, victim, false);
			remove_within(remover, victim, true);
		}
	}
}

static void the_guest_may_close_within_a_turn(void)
{
	struct bench *b = bench_make();
	bench_add(b, 1);
	bench_connect(b);
	for (unsigned i = 0; i < 200; i++) {
		struct bench_channel *c = bench_opened(b, 1);
		bench_write(c, 1);
		bench_signal(b, 0x2001);
		if (i % 2)
			vmbus_bus_poll(b->bus);
		BENCH_SAY(b, 12, 7, 0, 1);
		vmbus_bus_poll(b->bus);
		BENCH_SAY(b, 16, 11, 0, 1, 1);
		BENCH_HEAR(b, 12, 12);
		while (bench_flag(b, 0) != BENCH_NO_FLAG)
			;
	}
	CU_ASSERT_EQUAL(bench_status(b).messages_rejected, 0);
	bench_destroy(b);
}

static void gpadls_are_seen_by_their_provider(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	const uint64_t *gpns;
	size_t count;
	uint32_t offset;
	uint64_t bytes;
	bench_connect(b);
	bench_opened(b, 1);
	const uint32_t words[60] = {8, 0, 1, 9, 24 | 1 << 16, 8000, 100, 0x50, 0, 0x60, 0};
	CU_ASSERT_EQUAL(bench_post(b, 1, words, 44), 0);
	BENCH_HEAR(b, 20, 10);
	CU_ASSERT_EQUAL(
		bus_channel_gpadl_pages(p->channel, 9, 0, &gpns, &count, &offset, &bytes), 0);
	CU_ASSERT_EQUAL(count, 2);
	CU_ASSERT_EQUAL(gpns[0], 0x50);
	CU_ASSERT_EQUAL(gpns[1], 0x60);
	CU_ASSERT_EQUAL(offset, 100);
	CU_ASSERT_EQUAL(bytes, 8000);
	CU_ASSERT_EQUAL(
		bus_channel_gpadl_pages(p->channel, 8, 0, &gpns, &count, &offset, &bytes), -ENOENT);
	BENCH_SAY(b, 16, 11, 0, 1, 9);
	BENCH_DEAD(b);
	bus_channel_gpadl_release(p->channel, 9);
	BENCH_HEAR(b, 12, 12);
	bench_destroy(b);
}

static void statistics_say_what_happened(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	bench_add(b, 2);
	struct visited visited = {0};
	vmbus_bus_channels_visit(b->bus, visit, &visited);
	CU_ASSERT_EQUAL(visited.count, 2);
	CU_ASSERT_STRING_EQUAL(visited.last.state, "unoffered");
	CU_ASSERT_PTR_NULL(bench_status(b).last_rejection);
	bench_connect(b);
	for (unsigned session = 0; session < 2; session++) {
		struct bench_channel *c = bench_opened(b, 1);
		for (unsigned i = 1; i <= 3; i++) {
			bench_write(c, i);
			bench_signal(b, 0x2001);
			bench_run(b);
			bench_read(c);
		}
		if (session == 0) {
			BENCH_SAY(b, 12, 7, 0, 1);
			BENCH_SAY(b, 16, 11, 0, 1, 1);
			BENCH_HEAR(b, 12, 12);
		}
	}
	bus_offer_remove(b->providers[2].channel);
	visited = (struct visited){0};
	vmbus_bus_channels_visit(b->bus, visit, &visited);
	CU_ASSERT_EQUAL(visited.count, 1);
	CU_ASSERT_EQUAL(visited.last.relid, 1);
	CU_ASSERT_STRING_EQUAL(visited.last.state, "open");
	CU_ASSERT_STRING_EQUAL(visited.last.provider, "echo");
	CU_ASSERT_EQUAL(visited.last.packets_in, 6);
	CU_ASSERT_EQUAL(visited.last.packets_out, 6);
	CU_ASSERT_EQUAL(visited.last.bytes_in, 6 * 40);
	CU_ASSERT_EQUAL(visited.last.bytes_out, 6 * 24);
	CU_ASSERT_EQUAL(visited.last.signals_in, 6);
	CU_ASSERT_EQUAL(visited.last.signals_out, 6);
	CU_ASSERT_PTR_NULL(visited.last.failure);
	bus_channel_fail(p->channel, "breach");
	bus_channel_fail(p->channel, "later");
	visited = (struct visited){0};
	vmbus_bus_channels_visit(b->bus, visit, &visited);
	CU_ASSERT_STRING_EQUAL(visited.last.failure, "breach");
	const struct vmbus_bus_statistics status = bench_status(b);
	CU_ASSERT_STRING_EQUAL(status.connection_state, "connected");
	CU_ASSERT_EQUAL(status.version, 0x50003);
	CU_ASSERT_EQUAL(status.channel_count, 1);
	CU_ASSERT_EQUAL(status.messages_in, 8);
	CU_ASSERT_EQUAL(bus_channel_relid(p->channel), 1);
	CU_ASSERT_PTR_EQUAL(bus_channel_bus(p->channel), b->bus);
	CU_ASSERT_PTR_EQUAL(bus_channel_memory(p->channel), partition_memory(b->rig.partition));
	CU_ASSERT_PTR_EQUAL(bus_channel_offer(p->channel)->ctx, p);
	bench_destroy(b);
}

static void a_partition_has_one_bus(void)
{
	struct bench *b = bench_make();
	struct vmbus_bus *second = NULL;
	CU_ASSERT_EQUAL(vmbus_bus_create(b->rig.partition, &(struct vmbus_bus_config){0}, &second),
		-EEXIST);
	CU_ASSERT_PTR_NULL(second);
	bench_connect(b);
	vmbus_bus_destroy(b->bus);
	CU_ASSERT_EQUAL(bench_signal(b, 2), HV_STATUS_INVALID_CONNECTION_ID);
	CU_ASSERT_EQUAL(
		vmbus_bus_create(b->rig.partition, &(struct vmbus_bus_config){0}, &b->bus), 0);
	bench_connect(b);
	bench_destroy(b);
}

/* Open channels and providers that owe answers, at the end. */
static void a_bus_can_be_destroyed_at_any_time(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	bench_add(b, 2);
	bench_connect(b);
	bench_opened(b, 1);
	bench_opened(b, 2);
	p->waits_close = true;
	bench_signal(b, 0x2001);
	bench_destroy(b);
}

static void a_provider_may_refuse_an_open(void)
{
	struct bench *b = bench_make();
	struct bench_provider *p = bench_add(b, 1);
	p->open_status = -EBUSY;
	bench_connect(b);
	bench_rings(b, 1);
	for (unsigned i = 0; i < 3; i++) {
		bench_say_open(b, 1, 0);
		BENCH_HEAR(b, 20, 6);
		CU_ASSERT_EQUAL(bench_word(b, 4), 0x8000ffff);
		CU_ASSERT_EQUAL(bench_signal(b, 0x2001), HV_STATUS_INVALID_CONNECTION_ID);
	}
	p->open_status = 0;
	bench_say_open(b, 1, 0);
	BENCH_HEAR(b, 20, 6);
	CU_ASSERT_EQUAL(bench_word(b, 4), 0);
	CU_ASSERT_EQUAL(p->closes, 0);
	CU_ASSERT_EQUAL(p->opens, 4);
	bench_destroy(b);
}

static void the_same_offer_twice_is_refused(void)
{
	struct bench *b = bench_make();
	const struct bus_offer offer = bench_offer(b, 1);
	struct bus_channel *second = NULL;
	bench_add(b, 1);
	CU_ASSERT_EQUAL(bus_offer_add(b->bus, &offer, &second), -EEXIST);
	CU_ASSERT_PTR_NULL(second);
	CU_ASSERT_EQUAL(bench_status(b).channel_count, 1);
	bench_destroy(b);
}

/* R-CONN-038: in each state of the connection, whatever the message; a full host says 0x13. */
static void connection_1_is_always_there(void)
{
	struct bench *b = bench_make();
	bench_add(b, 1);
	for (unsigned state = 0; state < 4; state++) {
		for (uint32_t type = 0; type < 40; type++) {
			const uint32_t message[10] = {type, 0, 0x7fff};
			if (type == 14 || type == 16)
				continue; /* those that change the state */
			const uint16_t status = bench_post(b, 1, message, 40);
			CU_ASSERT_TRUE(status == 0 || status == 0x13);
			while (bench_hear(b) > 0)
				;
		}
		if (state == 0)
			bench_connect(b);
		else if (state == 1)
			BENCH_SAY(b, 8, 16);
		else if (state == 2)
			bench_connect_with(b, 0x20004, 0, 0, false);
		while (bench_hear(b) > 0)
			;
	}
	bench_destroy(b);
}

static const struct test tests[] = {
	TEST(messages_of_another_synic_type_are_dropped),
	TEST(a_single_client_bus_is_like_an_older_host),
	TEST(a_slow_guest_gets_all_offers_in_order_and_must_wait),
	TEST(a_message_page_that_is_off_harms_nobody),
	TEST(a_reset_waits_for_providers),
	TEST(a_reset_of_the_partition_resets_the_bus),
	TEST(providers_may_remove_offers_from_within),
	TEST(the_guest_may_close_within_a_turn),
	TEST(gpadls_are_seen_by_their_provider),
	TEST(statistics_say_what_happened),
	TEST(a_partition_has_one_bus),
	TEST(a_bus_can_be_destroyed_at_any_time),
	TEST(a_provider_may_refuse_an_open),
	TEST(the_same_offer_twice_is_refused),
	TEST(connection_1_is_always_there),
};
TEST_MAIN("vmbus_bus_life", tests)
