// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's VMBus client: pages lent by GPADL, and what happens to them when the host
 * is slow, silent, wrong or gone. The host is scripted, time is a number.
 */
#include "tests/unit/vmbus_client_host.h"

#include "tests/harness.h"

#define DEADLINE 50000000000ull
#define GRACE	 VMBUS_CLIENT_GRACE_100NS

static void create(struct host *h, struct vmbus_client_gpadl *gpadl, uint32_t relid,
	uint64_t first_pfn, uint32_t pages)
{
	memset(gpadl, 0, sizeof *gpadl);
	CU_ASSERT_EQUAL(vmbus_client_gpadl_create(
				&h->client, gpadl, relid, first_pfn, NULL, pages, h->now, DEADLINE),
		0);
}

static void lists_pages_over_header_and_bodies(void)
{
	/* pages, messages, bytes of the last one */
	static const unsigned rows[][3] = {{1, 1, 36}, {26, 1, 236}, {27, 2, 24}, {54, 2, 240},
		{55, 3, 24}, {8190, 293, 16 + 8 * ((8191 - 27) % 28)}};

	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct host *h = host_connected(0x50003, 9);
		struct vmbus_client_gpadl gpadl;
		const unsigned from = h->post_count;
		create(h, &gpadl, 9, 0x100, rows[i][0]);
		CU_ASSERT_EQUAL(h->post_count - from, rows[i][1]);
		CU_ASSERT_EQUAL(host_post(h, 0)->bytes, rows[i][2]);
		const uint8_t *header = h->posts[from].payload;
		CU_ASSERT_EQUAL(get32(header), 8);
		CU_ASSERT_EQUAL(get32(header + 8), 9);
		CU_ASSERT_EQUAL(get32(header + 12), gpadl.id);
		CU_ASSERT_EQUAL(get16(header + 16), 8 + 8 * rows[i][0]);
		CU_ASSERT_EQUAL(get16(header + 18), 1);
		CU_ASSERT_EQUAL(get32(header + 20), rows[i][0] * 4096);
		CU_ASSERT_EQUAL(get32(header + 24), 0);
		uint64_t pfn = 0x100;
		for (unsigned m = from; m < h->post_count; m++) {
			const struct host_post *post = &h->posts[m];
			if (m > from) {
				CU_ASSERT_EQUAL(get32(post->payload), 9);
				CU_ASSERT_EQUAL(get32(post->payload + 8), 0);
				CU_ASSERT_EQUAL(get32(post->payload + 12), gpadl.id);
			}
			for (size_t at = m > from ? 16 : 28; at < post->bytes; at += 8)
				if (get64(post->payload + at) != pfn++)
					CU_FAIL("page numbers in order");
		}
		CU_ASSERT_EQUAL(pfn, 0x100 + rows[i][0]);
		host_created(h, 9, gpadl.id, 0);
		CU_ASSERT_EQUAL(gpadl.result, 0);
		CU_ASSERT_EQUAL(gpadl.state, VMBUS_CLIENT_GPADL_LIVE);
		CU_ASSERT_EQUAL(h->client.statistics.pages_lent, rows[i][0]);
		free(h);
	}
}

static void refuses_sizes_and_relids_that_cannot_be(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_gpadl gpadl = {0};
	struct vmbus_client *c = &h->client;

	CU_ASSERT_EQUAL(vmbus_client_gpadl_create(c, &gpadl, 1, 5, NULL, 0, h->now, DEADLINE),
		-VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(vmbus_client_gpadl_create(c, &gpadl, 1, 5, NULL, 8191, h->now, DEADLINE),
		-VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(vmbus_client_gpadl_create(c, &gpadl, 2, 5, NULL, 1, h->now, DEADLINE),
		-VIRIDIAN_ENOENT);
	CU_ASSERT_EQUAL(vmbus_client_gpadl_create(c, &gpadl, 5000, 5, NULL, 1, h->now, DEADLINE),
		-VIRIDIAN_ENOENT);
	CU_ASSERT_EQUAL(vmbus_client_gpadl_teardown(c, &gpadl, h->now, DEADLINE), -VIRIDIAN_ENOENT);
	create(h, &gpadl, 1, 5, 1);
	CU_ASSERT_EQUAL(vmbus_client_gpadl_create(c, &gpadl, 1, 5, NULL, 1, h->now, DEADLINE),
		-VIRIDIAN_EBUSY);
	free(h);
}

/* R-GPADL-030. */
static void ids_count_up_and_are_unique_among_the_living(void)
{
	struct host *h = host_connected(0x50003, 2);
	struct vmbus_client_gpadl a, b, c, d;

	create(h, &a, 1, 5, 1);
	create(h, &b, 2, 5, 1);
	CU_ASSERT_EQUAL(a.id, 0xe1e10);
	CU_ASSERT_EQUAL(b.id, 0xe1e11);
	h->client.gpadl_id_next = 0xffffffff;
	create(h, &c, 1, 5, 1);
	CU_ASSERT_EQUAL(c.id, 0xffffffff);
	h->client.gpadl_id_next = 0; /* as it is after the wrap */
	create(h, &d, 1, 5, 1);
	CU_ASSERT_EQUAL(d.id, 1);
	host_created(h, 1, d.id, 1); /* refused: free again */
	h->client.gpadl_id_next = 0xe1e10;
	create(h, &d, 1, 5, 1);
	CU_ASSERT_EQUAL(d.id, 0xe1e12);
	free(h);
}

/* R-GPADL-027. */
static void a_refused_gpadl_is_free_at_once(void)
{
	static const uint32_t statuses[] = {0xc0000044, 0x8000ffff, 1, 0x103};

	for (unsigned i = 0; i < 4; i++) {
		struct host *h = host_connected(0x50003, 1);
		struct vmbus_client_gpadl gpadl;
		create(h, &gpadl, 1, 5, 40);
		host_created(h, 1, gpadl.id, statuses[i]);
		CU_ASSERT_EQUAL(gpadl.result, -VIRIDIAN_EIO);
		CU_ASSERT_FALSE(vmbus_client_gpadl_is_lent(&gpadl));
		CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, 0);
		CU_ASSERT_EQUAL(h->client.statistics.pages_lent, 0);
		CU_ASSERT_EQUAL(host_count(h, 11, 0), 0);
		free(h);
	}
}

/* R-GPADL-026, R-GPADL-028. */
static void pages_are_lent_until_the_host_confirms(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_gpadl gpadl;

	create(h, &gpadl, 1, 5, 40);
	CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&gpadl));
	/* no teardown before CREATED, nor twice */
	CU_ASSERT_EQUAL(
		vmbus_client_gpadl_teardown(&h->client, &gpadl, h->now, DEADLINE), -VIRIDIAN_EBUSY);
	host_created(h, 1, gpadl.id, 0);
	CU_ASSERT_EQUAL(vmbus_client_gpadl_teardown(&h->client, &gpadl, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(
		vmbus_client_gpadl_teardown(&h->client, &gpadl, h->now, DEADLINE), -VIRIDIAN_EBUSY);
	CU_ASSERT_EQUAL(host_count(h, 11, 0), 1);
	CU_ASSERT_EQUAL(get32(host_post(h, 0)->payload + 8), 1);
	CU_ASSERT_EQUAL(get32(host_post(h, 0)->payload + 12), gpadl.id);
	host_run_until(h, DEADLINE - 1);
	CU_ASSERT_EQUAL(gpadl.result, VMBUS_CLIENT_BUSY);
	CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&gpadl));
	host_torndown(h, gpadl.id);
	CU_ASSERT_EQUAL(gpadl.result, 0);
	CU_ASSERT_FALSE(vmbus_client_gpadl_is_lent(&gpadl));
	CU_ASSERT_EQUAL(h->client.statistics.pages_lent, 0);
	free(h);
}

/* R-GPADL-026. */
static void silence_loses_the_pages_and_counts_them(void)
{
	for (unsigned when = 0; when < 2; when++) {
		struct host *h = host_connected(0x50003, 1);
		struct vmbus_client_gpadl gpadl;
		create(h, &gpadl, 1, 5, 40);
		if (when == 1) {
			host_created(h, 1, gpadl.id, 0);
			vmbus_client_gpadl_teardown(&h->client, &gpadl, h->now, DEADLINE);
		}
		host_run_until(h, UINT64_MAX);
		CU_ASSERT_EQUAL(h->now, DEADLINE);
		CU_ASSERT_EQUAL(gpadl.result, -VIRIDIAN_ETIMEDOUT);
		CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&gpadl));
		CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, 40);
		CU_ASSERT_EQUAL(h->client.statistics.pages_lent, 0);
		/* answers that come later find nothing, and no teardown is sent on their behalf */
		const unsigned posts = h->post_count;
		host_created(h, 1, gpadl.id, 0);
		host_torndown(h, gpadl.id);
		CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNKNOWN_GPADL), 2);
		CU_ASSERT_EQUAL(h->post_count, posts);
		CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&gpadl));
		free(h);
	}
}

/* R-GPADL-029. */
static void a_post_that_fails_half_way_loses_the_pages(void)
{
	/* 60 pages: header, two bodies. The n-th post fails for good. */
	for (unsigned n = 1; n <= 3; n++) {
		struct host *h = host_connected(0x50003, 1);
		struct vmbus_client_gpadl gpadl;
		h->fail_at = h->attempts + n;
		h->fail_status = 3;
		create(h, &gpadl, 1, 5, 60);
		CU_ASSERT_EQUAL(gpadl.result, -VIRIDIAN_EIO);
		/* only if the host has heard nothing are they ours */
		CU_ASSERT_EQUAL(vmbus_client_gpadl_is_lent(&gpadl), n > 1);
		CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, n > 1 ? 60 : 0);
		free(h);
	}
	/* TEARDOWN fails */
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_gpadl gpadl;
	create(h, &gpadl, 1, 5, 60);
	host_created(h, 1, gpadl.id, 0);
	h->fail_at = h->attempts + 1;
	h->fail_status = 3;
	CU_ASSERT_EQUAL(vmbus_client_gpadl_teardown(&h->client, &gpadl, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(gpadl.result, -VIRIDIAN_EIO);
	CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&gpadl));
	CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, 60);
	free(h);
}

static void goes_on_where_a_full_host_stopped_it(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_gpadl gpadl = {0};
	const unsigned from = h->post_count;

	h->status = 0x13;
	h->status_times = 1;
	create(h, &gpadl, 1, 7, 60);
	CU_ASSERT_EQUAL(h->post_count, from);
	host_advance(h, VMBUS_CLIENT_POST_PAUSE_MIN_100NS);
	CU_ASSERT_EQUAL(h->post_count, from + 3);
	CU_ASSERT_EQUAL(get32(h->posts[from].payload), 8);
	CU_ASSERT_EQUAL(get32(h->posts[from + 1].payload), 9);
	CU_ASSERT_EQUAL(get64(h->posts[from + 1].payload + 16), 7 + 26);
	CU_ASSERT_EQUAL(get64(h->posts[from + 2].payload + 16), 7 + 26 + 28);
	free(h);
}

/* R-CONN-031: the limit is that of one message. */
static void time_that_one_message_was_refused_is_not_counted_against_the_next(void)
{
	struct host *h = host_connected(0x50003, 2);
	struct vmbus_client_gpadl gpadl = {0};

	for (unsigned round = 0; round < 3; round++) {
		const uint64_t until = h->now + VMBUS_CLIENT_POST_LIMIT_100NS * 3 / 4;
		h->status = 0x13;
		h->status_times = UINT32_MAX;
		create(h, &gpadl, 1, 7, 1);
		host_run_until(h, until);
		CU_ASSERT_EQUAL(gpadl.result, VMBUS_CLIENT_BUSY);
		h->status_times = 0;
		host_run_until(h, h->now + VMBUS_CLIENT_POST_PAUSE_MAX_100NS);
		host_created(h, 1, gpadl.id, 0);
		CU_ASSERT_EQUAL(gpadl.result, 0);
		CU_ASSERT_EQUAL(h->client.statistics.posts_failed, 0);
		vmbus_client_gpadl_teardown(&h->client, &gpadl, h->now, UINT64_MAX);
		host_torndown(h, gpadl.id);
	}
	free(h);
}

static void one_request_waits_behind_the_other(void)
{
	struct host *h = host_connected(0x50003, 2);
	struct vmbus_client_gpadl a, b;
	const unsigned from = h->post_count;

	h->status = 0x13;
	h->status_times = 1;
	create(h, &a, 1, 5, 30);
	create(h, &b, 2, 5, 1);
	CU_ASSERT_EQUAL(h->post_count, from); /* b does not overtake */
	host_advance(h, VMBUS_CLIENT_POST_PAUSE_MIN_100NS);
	CU_ASSERT_EQUAL(h->post_count, from + 3);
	CU_ASSERT_EQUAL(get32(h->posts[from].payload + 8), 1);
	CU_ASSERT_EQUAL(get32(h->posts[from + 1].payload + 12), a.id);
	CU_ASSERT_EQUAL(get32(h->posts[from + 2].payload + 8), 2);
	free(h);
}

/* R-GPADL-031. */
static void ignores_answers_that_match_no_request(void)
{
	struct host *h = host_connected(0x50003, 2);
	struct vmbus_client_gpadl gpadl;

	create(h, &gpadl, 1, 5, 1);
	host_created(h, 1, gpadl.id + 1, 0); /* unknown id */
	host_created(h, 2, gpadl.id, 0);     /* another channel's */
	host_created(h, 0, 0, 0);
	host_torndown(h, gpadl.id + 1);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNKNOWN_GPADL), 4);
	host_torndown(h, gpadl.id); /* before its time */
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_GPADL_STATE), 1);
	CU_ASSERT_EQUAL(gpadl.state, VMBUS_CLIENT_GPADL_CREATING);
	host_created(h, 1, gpadl.id, 0);
	host_created(h, 1, gpadl.id, 0); /* twice */
	host_created(h, 1, gpadl.id, 5);
	host_torndown(h, gpadl.id);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_GPADL_STATE), 4);
	CU_ASSERT_EQUAL(gpadl.state, VMBUS_CLIENT_GPADL_LIVE);
	vmbus_client_gpadl_teardown(&h->client, &gpadl, h->now, DEADLINE);
	host_torndown(h, gpadl.id);
	host_torndown(h, gpadl.id);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNKNOWN_GPADL), 5);
	free(h);
}

static void success_for_pages_that_it_has_not_seen_is_no_success(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_gpadl gpadl;

	h->fail_at = h->attempts + 2; /* the body has to wait */
	h->fail_status = 0x13;
	create(h, &gpadl, 1, 5, 30);
	host_created(h, 1, gpadl.id, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_GPADL_STATE), 1);
	CU_ASSERT_EQUAL(gpadl.state, VMBUS_CLIENT_GPADL_CREATING);
	host_created(h, 1, gpadl.id, 1); /* but it may refuse early */
	CU_ASSERT_EQUAL(gpadl.state, VMBUS_CLIENT_GPADL_FREE);
	host_run_until(h, UINT64_MAX);
	CU_ASSERT_EQUAL(host_count(h, 9, 0), 0);
	/* nothing posted at all: no answer can be meant */
	h->status = 0x13;
	h->status_times = 1;
	create(h, &gpadl, 1, 5, 30);
	host_created(h, 1, gpadl.id, 1);
	CU_ASSERT_EQUAL(gpadl.state, VMBUS_CLIENT_GPADL_CREATING);
	free(h);
}

/* R-RESC-016, R-RESC-017. */
static void rescind_ends_a_wait_for_creation(void)
{
	/* the host answers success, failure, or nothing after the rescind */
	for (unsigned answer = 0; answer < 3; answer++) {
		struct host *h = host_connected(0x50003, 1);
		struct vmbus_client_gpadl gpadl;
		const uint64_t start = h->now;
		create(h, &gpadl, 1, 5, 30);
		host_rescind(h, 1);
		if (answer == 0) {
			host_created(h, 1, gpadl.id, 0); /* taken back by itself */
			CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 11);
			CU_ASSERT_EQUAL(gpadl.result, VMBUS_CLIENT_BUSY);
			host_torndown(h, gpadl.id);
		} else if (answer == 1) {
			host_created(h, 1, gpadl.id, 0x8000ffff);
		}
		host_run_until(h, UINT64_MAX);
		CU_ASSERT_EQUAL(gpadl.result, -VIRIDIAN_ENODEV);
		CU_ASSERT_EQUAL(vmbus_client_gpadl_is_lent(&gpadl), answer == 2);
		CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, answer == 2 ? 30 : 0);
		CU_ASSERT_TRUE(h->now <= start + GRACE);
		/* last of all, once, the release */
		CU_ASSERT_EQUAL(host_count(h, 13, 0), 1);
		CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 13);
		CU_ASSERT_EQUAL(h->gone, 1);
		free(h);
	}
}

/* R-RESC-016. */
static void rescind_ends_a_wait_for_teardown(void)
{
	for (unsigned answer = 0; answer < 2; answer++) {
		struct host *h = host_connected(0x50003, 1);
		struct vmbus_client_gpadl gpadl;
		const uint64_t start = h->now;
		create(h, &gpadl, 1, 5, 30);
		host_created(h, 1, gpadl.id, 0);
		vmbus_client_gpadl_teardown(&h->client, &gpadl, h->now, DEADLINE);
		if (answer == 0)
			host_torndown(h, gpadl.id);
		host_rescind(h, 1);
		host_run_until(h, UINT64_MAX);
		CU_ASSERT_EQUAL(gpadl.result, answer == 0 ? 0 : -VIRIDIAN_ETIMEDOUT);
		CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, answer == 0 ? 0 : 30);
		CU_ASSERT_TRUE(h->now <= start + GRACE);
		CU_ASSERT_EQUAL(host_count(h, 13, 0), 1);
		CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 13);
		free(h);
	}
}

/* R-UNL-010. */
static void unload_settles_every_gpadl(void)
{
	for (unsigned answer = 0; answer < 2; answer++) {
		struct host *h = host_connected(0x50003, 2);
		struct vmbus_client_gpadl creating, live, tearing;
		create(h, &live, 1, 5, 10);
		host_created(h, 1, live.id, 0);
		create(h, &tearing, 1, 5, 20);
		host_created(h, 1, tearing.id, 0);
		vmbus_client_gpadl_teardown(&h->client, &tearing, h->now, DEADLINE);
		create(h, &creating, 2, 5, 30);
		vmbus_client_unload(&h->client, h->now, DEADLINE);
		/* lent until the answer, whatever else comes */
		host_torndown(h, tearing.id);
		host_created(h, 2, creating.id, 1);
		CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&live));
		CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&tearing));
		CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&creating));
		CU_ASSERT_EQUAL(vmbus_client_gpadl_teardown(&h->client, &live, h->now, DEADLINE),
			-VIRIDIAN_EBUSY);
		CU_ASSERT_EQUAL(h->client.statistics.pages_lent, 60);
		if (answer == 0)
			host_unload_complete(h);
		else
			host_run_until(h, UINT64_MAX);
		CU_ASSERT_EQUAL(vmbus_client_gpadl_is_lent(&live), answer == 1);
		CU_ASSERT_EQUAL(live.result, answer ? -VIRIDIAN_ETIMEDOUT : 0);
		CU_ASSERT_EQUAL(
			creating.result, answer ? -VIRIDIAN_ETIMEDOUT : -VIRIDIAN_ECANCELED);
		CU_ASSERT_EQUAL(h->client.statistics.pages_lent, 0);
		CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, answer ? 60 : 0);
		CU_ASSERT_PTR_NULL(h->client.gpadls);
		free(h);
	}
}

/* R-UNL-010: before 1.1 there is no answer that gives the pages back. */
static void an_unload_that_has_no_answer_gives_no_pages_back(void)
{
	struct host *h = host_connected(0x0000000d, 1);
	struct vmbus_client_gpadl live;
	create(h, &live, 1, 5, 10);
	host_created(h, 1, live.id, 0);
	vmbus_client_unload(&h->client, h->now, DEADLINE);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
	CU_ASSERT_EQUAL(h->client.result, 0);
	CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&live));
	CU_ASSERT_EQUAL(live.result, -VIRIDIAN_ECANCELED);
	CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, 10);
	free(h);
}

static void a_close_without_room_follows_when_there_is_room(void)
{
	static const struct vmbus_client_open rings = {
		.first_pfn = 0x400, .page_count = 8, .downstream_page = 4};
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel = {0};

	vmbus_client_channel_open(&h->client, &channel, 1, &rings, h->now, UINT64_MAX);
	host_created(h, 1, channel.rings.id, 0);
	host_open_result(h, 1, 1, 0);
	h->status = 0x13; /* insufficient buffers */
	h->status_times = 1000;
	vmbus_client_channel_close(&h->client, &channel, h->now, h->now + 1000000);
	host_run_until(h, h->now + 1000000);
	CU_ASSERT_EQUAL(channel.state, VMBUS_CLIENT_CHANNEL_CLOSED);
	CU_ASSERT_EQUAL(channel.result, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&channel.rings));
	h->status_times = 0;
	host_run_until(h, UINT64_MAX);
	CU_ASSERT_EQUAL(host_count(h, 7, 0), 1); /* else it could never be opened again */
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 7);
	CU_ASSERT_PTR_NULL(h->client.requests.first);
	free(h);
}

static void ten_thousand_rounds_leave_nothing(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_gpadl gpadl = {0};

	for (unsigned i = 0; i < 10000; i++) {
		vmbus_client_gpadl_create(&h->client, &gpadl, 1, i, NULL, 3, h->now, DEADLINE);
		host_created(h, 1, gpadl.id, 0);
		vmbus_client_gpadl_teardown(&h->client, &gpadl, h->now, DEADLINE);
		host_torndown(h, gpadl.id);
	}
	CU_ASSERT_EQUAL(gpadl.result, 0);
	CU_ASSERT_EQUAL(h->client.statistics.pages_lent, 0);
	CU_ASSERT_EQUAL(h->client.offers[1].gpadl_count, 0);
	CU_ASSERT_PTR_NULL(h->client.gpadls);
	CU_ASSERT_PTR_NULL(h->client.requests.first);
	CU_ASSERT_EQUAL(h->client.statistics.messages_rejected, 0);
	free(h);
}

static const struct test tests[] = {
	TEST(lists_pages_over_header_and_bodies),
	TEST(refuses_sizes_and_relids_that_cannot_be),
	TEST(ids_count_up_and_are_unique_among_the_living),
	TEST(a_refused_gpadl_is_free_at_once),
	TEST(pages_are_lent_until_the_host_confirms),
	TEST(silence_loses_the_pages_and_counts_them),
	TEST(a_post_that_fails_half_way_loses_the_pages),
	TEST(goes_on_where_a_full_host_stopped_it),
	TEST(time_that_one_message_was_refused_is_not_counted_against_the_next),
	TEST(one_request_waits_behind_the_other),
	TEST(ignores_answers_that_match_no_request),
	TEST(success_for_pages_that_it_has_not_seen_is_no_success),
	TEST(rescind_ends_a_wait_for_creation),
	TEST(rescind_ends_a_wait_for_teardown),
	TEST(unload_settles_every_gpadl),
	TEST(an_unload_that_has_no_answer_gives_no_pages_back),
	TEST(a_close_without_room_follows_when_there_is_room),
	TEST(ten_thousand_rounds_leave_nothing),
};
TEST_MAIN("vmbus_client_gpadl", tests)
