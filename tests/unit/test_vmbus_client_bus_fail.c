// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's bus over SynIC when things go wrong: silent hosts, vanished hosts, devices
 * taken back, memory that is short. No page may be freed that the host still has, none may
 * leak that it gave back, and every call returns.
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
	struct peer *p = ctx;

	p->rescinded++;
	vmbus_channel_flush(channel); /* allowed, does nothing */
	p->ready_result = vmbus_channel_close(p->bus, channel, peer_deadline(p));
}

static int open_channel(struct peer *p, struct vmbus_channel *channel, uint32_t relid)
{
	const struct vmbus_open_config config = {
		.ring_out_bytes = 8192,
		.ring_in_bytes = 8192,
		.on_ready = on_ready,
		.on_rescind = on_rescind,
		.ctx = p,
	};
	return vmbus_channel_open(p->bus, relid, channel, &config, peer_deadline(p));
}

static uint64_t abandoned(const struct peer *p)
{
	struct vmbus_statistics statistics;
	vmbus_statistics_get(p->bus, &statistics);
	return statistics.pages_abandoned;
}

static void connect_has_a_deadline(void)
{
	struct peer *p = peer_create(0x50003, NULL);
	const uint64_t deadline = p->script.now_100ns + SECOND;

	p->is_silent[14] = true;
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, deadline), -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_EQUAL(p->script.now_100ns, deadline);
	CU_ASSERT_EQUAL(abandoned(p), 1); /* the interrupt page: who knows */
	CU_ASSERT_EQUAL(vmbus_version(p->bus), 0);
	p->is_silent[14] = false;
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), -VIRIDIAN_EBUSY);
	CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(peer_destroy(p), 1);
}

/* R-CONN-026. */
static void a_host_of_no_known_version_costs_nothing(void)
{
	struct peer *p = peer_create(0, NULL);

	CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), -VIRIDIAN_ENOTSUP);
	CU_ASSERT_EQUAL(peer_posts(p, 14), 11);
	CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

/* R-CONN-039. */
static void a_contact_vp_must_exist(void)
{
	struct peer *p = peer_create(0x50003, NULL);
	const struct vmbus_config config = {.contact_vp = 2};

	CU_ASSERT_EQUAL(vmbus_init(p->bus, &p->hv, &config), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
	/* contact from VP 1: both it and VP 0 are watched, for refusals come to VP 0 */
	const struct vmbus_config second = {.contact_vp = 1};
	p = peer_create(0x20004, &second);
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(p->hv.synic_enabled, 3);
	CU_ASSERT_EQUAL(vmbus_version(p->bus), 0x20004);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void a_silent_open_ends_and_keeps_what_is_not_confirmed(void)
{
	for (unsigned confirms = 0; confirms < 2; confirms++) {
		struct peer *p = peer_connected(0x50003, NULL, 1);
		struct vmbus_channel channel;
		const uint64_t deadline = peer_deadline(p);
		p->is_silent[5] = true;
		p->is_silent[11] = !confirms;
		CU_ASSERT_EQUAL(open_channel(p, &channel, 1), -VIRIDIAN_ETIMEDOUT);
		CU_ASSERT_TRUE(p->script.now_100ns >= deadline);
		CU_ASSERT_TRUE(p->script.now_100ns <= deadline + VMBUS_CLIENT_GRACE_100NS);
		CU_ASSERT_FALSE(channel.is_open);
		CU_ASSERT_EQUAL(abandoned(p), confirms ? 0 : 4);
		CU_ASSERT_EQUAL(p->ready, 0);
		vmbus_unload(p->bus, peer_deadline(p));
		CU_ASSERT_EQUAL(peer_destroy(p), confirms ? 0 : 4);
	}
}

static void a_silent_close_keeps_the_rings(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;

	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), 0);
	p->is_silent[11] = true;
	CU_ASSERT_EQUAL(
		vmbus_channel_close(p->bus, &channel, peer_deadline(p)), -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_EQUAL(abandoned(p), 4);
	CU_ASSERT_FALSE(channel.is_open);
	/* even the late answer to an unload does not bring them back: nobody remembers them */
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 4);
}

static void a_silent_unload_keeps_everything(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 2);
	struct vmbus_channel channel;
	struct vmbus_gpadl gpadl = {0};
	struct winhv_pages pages;

	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), 0);
	CU_ASSERT_EQUAL(winhv_pages_alloc(&p->hv, 4096 * 3, &pages), 0);
	CU_ASSERT_EQUAL(vmbus_gpadl_create(p->bus, 2, &pages, &gpadl, peer_deadline(p)), 0);
	p->is_silent[16] = true;
	CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_TRUE(vmbus_gpadl_is_lent(&gpadl));
	CU_ASSERT_FALSE(channel.is_open);
	CU_ASSERT_EQUAL(p->gone, 2);
	CU_ASSERT_EQUAL(abandoned(p), 4 + 3 + 1);
	CU_ASSERT_EQUAL(peer_destroy(p), 8);
}

static void unload_gives_back_what_was_never_torn_down(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 2);
	struct vmbus_channel channel;
	struct vmbus_gpadl gpadl = {0};
	struct winhv_pages pages;

	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), 0);
	CU_ASSERT_EQUAL(winhv_pages_alloc(&p->hv, 4096 * 3, &pages), 0);
	CU_ASSERT_EQUAL(vmbus_gpadl_create(p->bus, 2, &pages, &gpadl, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(peer_posts(p, 11), 0);
	CU_ASSERT_FALSE(vmbus_gpadl_is_lent(&gpadl));
	winhv_pages_free(&p->hv, &pages);
	CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &channel, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void rescind_in_the_middle_of_traffic(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 2);
	struct vmbus_channel channel;

	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), 0);
	peer_write(p, 1, 1);
	peer_event(p, 0, 1);
	peer_words(p, 2, 1, 1, 0, 0);
	CU_ASSERT_TRUE(vmbus_poll(p->bus, 0) > 0);
	CU_ASSERT_EQUAL(p->rescinded, 1);
	CU_ASSERT_EQUAL(p->ready_result, -VIRIDIAN_EBUSY); /* not from a callback */
	CU_ASSERT_TRUE(channel.is_rescinded);
	CU_ASSERT_EQUAL(p->gone, 0);
	/* its rings are dead: no callback, no signal, whatever the host does */
	const unsigned ready = p->ready;
	const uint64_t signals = p->script.signal_count;
	peer_write(p, 1, 2);
	peer_event(p, 0, 1);
	(void)vmbus_poll(p->bus, 0);
	vmbus_channel_signal(&channel);
	vmbus_channel_flush(&channel);
	CU_ASSERT_EQUAL(p->ready, ready);
	CU_ASSERT_EQUAL(p->script.signal_count, signals);
	CU_ASSERT_EQUAL(peer_posts(p, 13), 0);
	CU_ASSERT_EQUAL(
		vmbus_channel_retarget(p->bus, &channel, 1, peer_deadline(p)), -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &channel, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(peer_posts(p, 7), 1);
	CU_ASSERT_EQUAL(peer_posts(p, 11), 1);
	CU_ASSERT_EQUAL(peer_posts(p, 13), 1);
	CU_ASSERT_EQUAL(p->gone, 1);
	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), -VIRIDIAN_ENOENT);
	/* hot add of the same device works */
	peer_offer(p, 1);
	(void)vmbus_poll(p->bus, 0);
	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), 0);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void rescind_now(struct peer *p, uint32_t relid)
{
	peer_words(p, 2, 1, relid, 0, 0);
}

static void rescind_while_opening(void)
{
	for (unsigned answers = 0; answers < 2; answers++) {
		struct peer *p = peer_connected(0x50003, NULL, 1);
		struct vmbus_channel channel;
		p->is_silent[5] = !answers; /* or a result right behind the rescind */
		p->on_open = rescind_now;
		CU_ASSERT_EQUAL(open_channel(p, &channel, 1), -VIRIDIAN_ENODEV);
		CU_ASSERT_EQUAL(p->rescinded, 0); /* it never was the caller's */
		CU_ASSERT_EQUAL(p->gone, 1);
		CU_ASSERT_EQUAL(peer_posts(p, 13), 1);
		CU_ASSERT_EQUAL(abandoned(p), 0);
		vmbus_unload(p->bus, peer_deadline(p));
		CU_ASSERT_EQUAL(peer_destroy(p), 0);
	}
}

static void rescind_soon(void *ctx, struct platform_scripted *script, uint32_t vp)
{
	struct peer *p = ctx;
	(void)vp;
	script->on_wait = NULL;
	rescind_now(p, 1);
}

static void rescind_right_after_the_result(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;

	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), 0);
	p->script.on_wait = rescind_soon;
	(void)vmbus_poll(p->bus, 0);
	CU_ASSERT_TRUE(vmbus_poll(p->bus, SECOND) > 0);
	CU_ASSERT_EQUAL(p->rescinded, 1);
	CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &channel, peer_deadline(p)), 0);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void closing_a_primary_closes_its_subchannels_first(void)
{
	struct peer *p = peer_create(0x50003, NULL);
	struct vmbus_channel channels[4];

	p->offers = 4;
	p->subchannel[3] = 1;
	p->subchannel[4] = 2;
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
	const struct vmbus_offer *primary = vmbus_offer_next(p->bus, 0);
	CU_ASSERT_EQUAL(vmbus_offer_subchannel(p->bus, primary, 2)->relid, 4);
	for (uint32_t relid = 1; relid <= 4; relid++)
		CU_ASSERT_EQUAL(open_channel(p, &channels[relid - 1], relid), 0);
	const uint64_t from = p->script.post_count;
	CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &channels[0], peer_deadline(p)), 0);
	unsigned closes = 0;
	for (uint64_t i = from; i < p->script.post_count; i++) {
		const uint8_t *m = p->script.posts[i].payload;
		if (get32(m) == 7 && ++closes == 3)
			CU_ASSERT_EQUAL(get32(m + 8), 1); /* last */
	}
	CU_ASSERT_EQUAL(closes, 3);
	CU_ASSERT_FALSE(channels[2].is_open);
	CU_ASSERT_FALSE(channels[3].is_open);
	CU_ASSERT_TRUE(channels[1].is_open);
	CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &channels[2], peer_deadline(p)), 0);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void leave_now(struct peer *p, uint32_t relid)
{
	(void)relid;
	p->script.is_gone = true;
}

static void a_host_that_vanishes_ends_every_wait(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 2);
	struct vmbus_channel channel, other;

	CU_ASSERT_EQUAL(open_channel(p, &other, 2), 0);
	p->is_silent[5] = true;
	p->on_open = leave_now;
	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(p->rescinded, 1); /* the open one is told */
	CU_ASSERT_EQUAL(p->gone, 2);
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, 0), -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, SECOND), -VIRIDIAN_ENODEV);
	CU_ASSERT_FALSE(vmbus_arm(p->bus));
	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &other, peer_deadline(p)), -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(abandoned(p), 4 + 4 + 1);
	CU_ASSERT_TRUE(peer_destroy(p) >= 9);
}

static void callbacks_may_not_wait(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel, other;
	struct vmbus_gpadl gpadl = {0};
	struct winhv_pages pages = {.bytes = 4096, .gpa = 4096};

	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), 0);
	p->bus->is_serving = true; /* as in a callback */
	CU_ASSERT_EQUAL(open_channel(p, &other, 1), -VIRIDIAN_EBUSY);
	CU_ASSERT_EQUAL(vmbus_channel_close(p->bus, &channel, peer_deadline(p)), -VIRIDIAN_EBUSY);
	CU_ASSERT_EQUAL(
		vmbus_channel_retarget(p->bus, &channel, 1, peer_deadline(p)), -VIRIDIAN_EBUSY);
	CU_ASSERT_EQUAL(
		vmbus_gpadl_create(p->bus, 1, &pages, &gpadl, peer_deadline(p)), -VIRIDIAN_EBUSY);
	CU_ASSERT_EQUAL(vmbus_gpadl_teardown(p->bus, &gpadl, peer_deadline(p)), -VIRIDIAN_EBUSY);
	CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), -VIRIDIAN_EBUSY);
	CU_ASSERT_EQUAL(vmbus_poll(p->bus, 0), -VIRIDIAN_EBUSY);
	CU_ASSERT_FALSE(vmbus_arm(p->bus));
	p->bus->is_serving = false;
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void bad_arguments_are_refused(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel, other;
	struct vmbus_gpadl gpadl = {0};
	struct vmbus_open_config config = {.ring_out_bytes = 8192, .ring_in_bytes = 8192};
	static const uint32_t sizes[] = {0, 4096, 8191, 8192 + 8, 8190 * 4096, 0xfffff000};

	for (unsigned i = 0; i < 6; i++) {
		config.ring_out_bytes = sizes[i];
		CU_ASSERT_EQUAL(vmbus_channel_open(p->bus, 1, &channel, &config, peer_deadline(p)),
			-VIRIDIAN_EINVAL);
		config.ring_out_bytes = 8192;
		config.ring_in_bytes = sizes[i];
		CU_ASSERT_EQUAL(vmbus_channel_open(p->bus, 1, &channel, &config, peer_deadline(p)),
			-VIRIDIAN_EINVAL);
		config.ring_in_bytes = 8192;
	}
	config.target_vp = 2;
	CU_ASSERT_EQUAL(vmbus_channel_open(p->bus, 1, &channel, &config, peer_deadline(p)),
		-VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(open_channel(p, &channel, 2), -VIRIDIAN_ENOENT);
	CU_ASSERT_EQUAL(open_channel(p, &channel, 0), -VIRIDIAN_ENOENT);
	CU_ASSERT_EQUAL(open_channel(p, &channel, 4096), -VIRIDIAN_ENOENT);
	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), 0);
	CU_ASSERT_EQUAL(open_channel(p, &other, 1), -VIRIDIAN_EBUSY);
	const struct winhv_pages bad[] = {{.bytes = 0}, {.bytes = 100}, {.bytes = 8191 * 4096}};
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(vmbus_gpadl_create(p->bus, 1, &bad[i], &gpadl, peer_deadline(p)),
			-VIRIDIAN_EINVAL);
	CU_ASSERT_FALSE(vmbus_gpadl_is_lent(&gpadl));
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static void short_memory_fails_without_a_trace(void)
{
	/* the n-th allocation of a whole session fails */
	for (uint32_t n = 0; n < 8; n++) {
		struct peer *p = peer_create(0x50003, NULL);
		struct vmbus_channel channel;
		p->offers = 1;
		p->script.allocs_left = n;
		int error = vmbus_connect(p->bus, peer_deadline(p));
		if (error == 0)
			error = open_channel(p, &channel, 1);
		CU_ASSERT_EQUAL(error, n < 5 ? -VIRIDIAN_ENOMEM : 0);
		vmbus_unload(p->bus, peer_deadline(p));
		CU_ASSERT_EQUAL(abandoned(p), 0);
		CU_ASSERT_EQUAL(peer_destroy(p), 0);
	}
}

static void a_full_host_is_waited_for(void)
{
	struct peer *p = peer_connected(0x50003, NULL, 1);
	struct vmbus_channel channel;

	platform_scripted_post_status(&p->script, 0x13, 6);
	CU_ASSERT_EQUAL(open_channel(p, &channel, 1), 0);
	struct vmbus_statistics statistics;
	vmbus_statistics_get(p->bus, &statistics);
	CU_ASSERT_EQUAL(statistics.post_retries, 6);
	/* a release that has to wait makes the bus ask for its turn */
	CU_ASSERT_EQUAL(vmbus_wake_time(p->bus), UINT64_MAX);
	vmbus_channel_close(p->bus, &channel, peer_deadline(p));
	platform_scripted_post_status(&p->script, 0x13, 1);
	rescind_now(p, 1);
	(void)vmbus_poll(p->bus, 0);
	CU_ASSERT_EQUAL(peer_posts(p, 13), 1); /* logged with its status */
	CU_ASSERT_EQUAL(p->gone, 0);
	CU_ASSERT_TRUE(vmbus_wake_time(p->bus) <= p->script.now_100ns + 100);
	(void)vmbus_poll(p->bus, 1000);
	CU_ASSERT_EQUAL(p->gone, 1);
	vmbus_unload(p->bus, peer_deadline(p));
	CU_ASSERT_EQUAL(peer_destroy(p), 0);
}

static const struct test tests[] = {
	TEST(connect_has_a_deadline),
	TEST(a_host_of_no_known_version_costs_nothing),
	TEST(a_contact_vp_must_exist),
	TEST(a_silent_open_ends_and_keeps_what_is_not_confirmed),
	TEST(a_silent_close_keeps_the_rings),
	TEST(a_silent_unload_keeps_everything),
	TEST(unload_gives_back_what_was_never_torn_down),
	TEST(rescind_in_the_middle_of_traffic),
	TEST(rescind_while_opening),
	TEST(rescind_right_after_the_result),
	TEST(closing_a_primary_closes_its_subchannels_first),
	TEST(a_host_that_vanishes_ends_every_wait),
	TEST(callbacks_may_not_wait),
	TEST(bad_arguments_are_refused),
	TEST(short_memory_fails_without_a_trace),
	TEST(a_full_host_is_waited_for),
};
TEST_MAIN("vmbus_client_bus_fail", tests)
