// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's VMBus client: opening, closing and moving channels, with hosts that
 * refuse, stay silent, answer late or take the device back. The host is scripted, time
 * is a number.
 */
#include "tests/unit/vmbus_client_host.h"

#include "tests/harness.h"

#define DEADLINE 50000000000ull
#define GRACE	 VMBUS_CLIENT_GRACE_100NS

static const struct vmbus_client_open rings = {
	.first_pfn = 0x400,
	.page_count = 8,
	.downstream_page = 4,
	.target_vp = 2,
};

static void start(struct host *h, struct vmbus_client_channel *channel, uint32_t relid)
{
	memset(channel, 0, sizeof *channel);
	CU_ASSERT_EQUAL(
		vmbus_client_channel_open(&h->client, channel, relid, &rings, h->now, DEADLINE), 0);
}

static void open_channel(struct host *h, struct vmbus_client_channel *channel, uint32_t relid)
{
	start(h, channel, relid);
	host_created(h, relid, channel->rings.id, 0);
	host_open_result(h, relid, relid, 0);
	CU_ASSERT_EQUAL(channel->result, 0);
	CU_ASSERT_EQUAL(channel->state, VMBUS_CLIENT_CHANNEL_OPEN);
}

static void opens_and_closes(void)
{
	struct host *h = host_connected(0x50003, 3);
	struct vmbus_client_channel channel;
	uint8_t user_data[120];
	struct vmbus_client_open open = rings;

	memset(user_data, 0x77, sizeof user_data);
	open.user_data = user_data;
	memset(&channel, 0, sizeof channel);
	CU_ASSERT_EQUAL(
		vmbus_client_channel_open(&h->client, &channel, 3, &open, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 8);
	CU_ASSERT_EQUAL(host_count(h, 5, 0), 0); /* not before CREATED */
	CU_ASSERT_EQUAL(channel.result, VMBUS_CLIENT_BUSY);
	host_created(h, 3, channel.rings.id, 0);
	const struct host_post *post = host_post(h, 0);
	CU_ASSERT_EQUAL(post_type(post), 5);
	CU_ASSERT_EQUAL(post->bytes, 148);
	CU_ASSERT_EQUAL(get32(post->payload + 8), 3);
	CU_ASSERT_EQUAL(get32(post->payload + 12), 3);
	CU_ASSERT_EQUAL(get32(post->payload + 16), channel.rings.id);
	CU_ASSERT_EQUAL(get32(post->payload + 20), 2);
	CU_ASSERT_EQUAL(get32(post->payload + 24), 4);
	CU_ASSERT_EQUAL(memcmp(post->payload + 28, user_data, 120), 0);
	CU_ASSERT_FALSE(vmbus_client_offer(&h->client, 3)->is_open);
	host_open_result(h, 3, 3, 0);
	CU_ASSERT_EQUAL(channel.result, 0);
	CU_ASSERT_TRUE(vmbus_client_offer(&h->client, 3)->is_open);

	CU_ASSERT_EQUAL(vmbus_client_channel_close(&h->client, &channel, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(post_type(host_post(h, 1)), 7);
	CU_ASSERT_EQUAL(get32(host_post(h, 1)->payload + 8), 3);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 11);
	CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&channel.rings));
	host_torndown(h, channel.rings.id);
	CU_ASSERT_EQUAL(channel.result, 0);
	CU_ASSERT_EQUAL(channel.state, VMBUS_CLIENT_CHANNEL_CLOSED);
	CU_ASSERT_FALSE(vmbus_client_gpadl_is_lent(&channel.rings));
	CU_ASSERT_FALSE(vmbus_client_offer(&h->client, 3)->is_open);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 0); /* the offer stays */
	CU_ASSERT_EQUAL(vmbus_client_channel_close(&h->client, &channel, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(h->client.statistics.messages_rejected, 0);
	free(h);
}

static void refuses_what_cannot_be_opened(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel, other;
	struct vmbus_client_open bad = rings;
	static const uint32_t offsets[] = {0, 1, 7, 8, 0xffffffff};

	memset(&other, 0, sizeof other);
	for (unsigned i = 0; i < 5; i++) {
		bad.downstream_page = offsets[i];
		CU_ASSERT_EQUAL(
			vmbus_client_channel_open(&h->client, &other, 1, &bad, h->now, DEADLINE),
			-VIRIDIAN_EINVAL);
	}
	CU_ASSERT_EQUAL(vmbus_client_channel_open(&h->client, &other, 9, &rings, h->now, DEADLINE),
		-VIRIDIAN_ENOENT);
	open_channel(h, &channel, 1);
	CU_ASSERT_EQUAL(vmbus_client_channel_open(&h->client, &other, 1, &rings, h->now, DEADLINE),
		-VIRIDIAN_EBUSY);
	CU_ASSERT_EQUAL(
		vmbus_client_channel_open(&h->client, &channel, 1, &rings, h->now, DEADLINE),
		-VIRIDIAN_EBUSY);
	CU_ASSERT_EQUAL(vmbus_client_gpadl_teardown(&h->client, &channel.rings, h->now, DEADLINE),
		-VIRIDIAN_EBUSY);
	free(h);
}

/* R-GPADL-027. */
static void never_opens_over_a_refused_gpadl(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel;

	start(h, &channel, 1);
	host_created(h, 1, channel.rings.id, 0xc0000044);
	CU_ASSERT_EQUAL(channel.result, -VIRIDIAN_EIO);
	CU_ASSERT_EQUAL(channel.state, VMBUS_CLIENT_CHANNEL_CLOSED);
	CU_ASSERT_EQUAL(host_count(h, 5, 0), 0);
	CU_ASSERT_FALSE(vmbus_client_gpadl_is_lent(&channel.rings));
	open_channel(h, &channel, 1); /* and the next try works */
	free(h);
}

/* R-OPEN-023. */
static void takes_the_rings_back_when_open_is_refused(void)
{
	static const uint32_t statuses[] = {0xc0000225, 1, 0x103};

	for (unsigned i = 0; i < 3; i++) {
		struct host *h = host_connected(0x50003, 1);
		struct vmbus_client_channel channel;
		start(h, &channel, 1);
		host_created(h, 1, channel.rings.id, 0);
		host_open_result(h, 1, 1, statuses[i]);
		CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 11);
		CU_ASSERT_EQUAL(channel.result, VMBUS_CLIENT_BUSY);
		host_torndown(h, channel.rings.id);
		CU_ASSERT_EQUAL(channel.result, -VIRIDIAN_EIO);
		CU_ASSERT_FALSE(vmbus_client_gpadl_is_lent(&channel.rings));
		CU_ASSERT_EQUAL(host_count(h, 7, 0), 0); /* it never was open */
		open_channel(h, &channel, 1);
		free(h);
	}
}

/* R-OPEN-022. */
static void matches_the_result_by_relid_and_open_id(void)
{
	struct host *h = host_connected(0x50003, 2);
	struct vmbus_client_channel channel;

	start(h, &channel, 1);
	host_open_result(h, 1, 1, 0); /* nothing was asked yet */
	host_created(h, 1, channel.rings.id, 0);
	host_open_result(h, 1, 77, 0);
	host_open_result(h, 2, 1, 0);
	host_open_result(h, 2, 2, 0);
	host_open_result(h, 9, 9, 0);
	host_open_result(h, 0, 0, 0);
	host_open_result(h, 0xffffffff, 0xffffffff, 0);
	CU_ASSERT_EQUAL(channel.state, VMBUS_CLIENT_CHANNEL_OPENING);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE), 4);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNKNOWN_CHANNEL), 3);
	host_open_result(h, 1, 1, 0);
	CU_ASSERT_EQUAL(channel.state, VMBUS_CLIENT_CHANNEL_OPEN);
	host_open_result(h, 1, 1, 0xc0000225); /* twice */
	CU_ASSERT_EQUAL(channel.state, VMBUS_CLIENT_CHANNEL_OPEN);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE), 5);
	free(h);
}

static void an_open_that_is_never_answered_ends_by_its_deadline(void)
{
	for (unsigned confirms = 0; confirms < 2; confirms++) {
		struct host *h = host_connected(0x50003, 1);
		struct vmbus_client_channel channel;
		start(h, &channel, 1);
		host_created(h, 1, channel.rings.id, 0);
		host_run_until(h, DEADLINE);
		CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 11); /* take the rings back */
		if (confirms)
			host_torndown(h, channel.rings.id);
		host_run_until(h, UINT64_MAX);
		CU_ASSERT_EQUAL(channel.result, -VIRIDIAN_ETIMEDOUT);
		CU_ASSERT_EQUAL(channel.state, VMBUS_CLIENT_CHANNEL_CLOSED);
		CU_ASSERT_EQUAL(h->now, confirms ? DEADLINE : DEADLINE + GRACE);
		CU_ASSERT_EQUAL(vmbus_client_gpadl_is_lent(&channel.rings), !confirms);
		CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, confirms ? 0 : 8);
		/* a result may still come: no second open before it */
		struct vmbus_client_channel again = {0};
		CU_ASSERT_EQUAL(vmbus_client_channel_open(
					&h->client, &again, 1, &rings, h->now, UINT64_MAX),
			-VIRIDIAN_EBUSY);
		/* it comes, and opened: close that */
		host_open_result(h, 1, 1, 0);
		CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 7);
		CU_ASSERT_EQUAL(vmbus_client_channel_open(
					&h->client, &again, 1, &rings, h->now, UINT64_MAX),
			0);
		CU_ASSERT_EQUAL(h->client.statistics.messages_rejected, 0);
		free(h);
	}
}

static void a_late_refusal_needs_no_close(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel;

	start(h, &channel, 1);
	host_created(h, 1, channel.rings.id, 0);
	host_run_until(h, DEADLINE);
	host_torndown(h, channel.rings.id);
	host_open_result(h, 1, 1, 5);
	CU_ASSERT_EQUAL(host_count(h, 7, 0), 0);
	host_open_result(h, 1, 1, 0); /* only one answer is due */
	CU_ASSERT_EQUAL(h->client.statistics.messages_rejected, 1);
	free(h);
}

/* R-GPADL-029. */
static void loses_the_rings_when_a_post_fails(void)
{
	/* the n-th post after the rings were lent: OPEN; CLOSE; TEARDOWN */
	for (unsigned n = 0; n < 3; n++) {
		struct host *h = host_connected(0x50003, 1);
		struct vmbus_client_channel channel;
		start(h, &channel, 1);
		if (n == 0)
			h->fail_at = h->attempts + 1;
		h->fail_status = 3;
		host_created(h, 1, channel.rings.id, 0);
		if (n == 0) {
			/* OPEN never left: the rings come back */
			CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 11);
			host_torndown(h, channel.rings.id);
			CU_ASSERT_EQUAL(channel.result, -VIRIDIAN_EIO);
			CU_ASSERT_FALSE(vmbus_client_gpadl_is_lent(&channel.rings));
			open_channel(h, &channel, 1);
			free(h);
			continue;
		}
		host_open_result(h, 1, 1, 0);
		h->fail_at = h->attempts + n;
		vmbus_client_channel_close(&h->client, &channel, h->now, DEADLINE);
		CU_ASSERT_EQUAL(channel.result, -VIRIDIAN_EIO);
		CU_ASSERT_EQUAL(channel.state, VMBUS_CLIENT_CHANNEL_CLOSED);
		CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&channel.rings));
		CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, 8);
		CU_ASSERT_EQUAL(host_count(h, 7, 0), n - 1);
		CU_ASSERT_EQUAL(host_count(h, 11, 0), 0);
		free(h);
	}
}

static void a_close_that_is_never_confirmed_loses_the_rings(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel;

	open_channel(h, &channel, 1);
	vmbus_client_channel_close(&h->client, &channel, h->now, DEADLINE);
	CU_ASSERT_EQUAL(vmbus_client_channel_close(&h->client, &channel, h->now, DEADLINE),
		-VIRIDIAN_EBUSY);
	host_run_until(h, UINT64_MAX);
	CU_ASSERT_EQUAL(h->now, DEADLINE);
	CU_ASSERT_EQUAL(channel.result, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&channel.rings));
	open_channel(h, &channel, 1); /* over other pages */
	free(h);
}

/* R-RESC-016, R-RESC-018. */
static void rescind_ends_an_open_that_nobody_answers(void)
{
	for (unsigned confirms = 0; confirms < 2; confirms++) {
		struct host *h = host_connected(0x50003, 2);
		struct vmbus_client_channel channel;
		const uint64_t begin = h->now;
		start(h, &channel, 1);
		host_created(h, 1, channel.rings.id, 0);
		host_rescind(h, 1);
		/* CLOSE and TEARDOWN, then the host lets go or not */
		CU_ASSERT_EQUAL(post_type(host_post(h, 1)), 7);
		CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 11);
		if (confirms)
			host_torndown(h, channel.rings.id);
		host_run_until(h, UINT64_MAX);
		CU_ASSERT_EQUAL(channel.result, -VIRIDIAN_ENODEV);
		CU_ASSERT_EQUAL(vmbus_client_gpadl_is_lent(&channel.rings), !confirms);
		CU_ASSERT_TRUE(h->now <= begin + GRACE);
		CU_ASSERT_EQUAL(host_count(h, 13, 0), 1);
		CU_ASSERT_EQUAL(
			post_type(host_post(h, 0)), 13); /* the last message of that relid */
		CU_ASSERT_EQUAL(h->gone, 1);
		host_open_result(h, 1, 1, 0); /* answered after all: harmless */
		CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 13);
		/* other channels are not held up */
		open_channel(h, &channel, 2);
		free(h);
	}
}

static void rescind_while_the_rings_are_lent_ends_the_open(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel;

	start(h, &channel, 1);
	host_rescind(h, 1);
	host_created(h, 1, channel.rings.id, 0);
	CU_ASSERT_EQUAL(host_count(h, 5, 0), 0); /* no OPEN any more */
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 11);
	host_torndown(h, channel.rings.id);
	CU_ASSERT_EQUAL(channel.result, -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 13);
	free(h);
}

static void rescind_of_an_open_channel_waits_for_its_user(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel;
	struct vmbus_client_gpadl buffer = {0};

	open_channel(h, &channel, 1);
	vmbus_client_gpadl_create(&h->client, &buffer, 1, 9, NULL, 2, h->now, DEADLINE);
	host_created(h, 1, buffer.id, 0);
	const unsigned from = h->post_count;
	host_rescind(h, 1);
	CU_ASSERT_EQUAL(h->rescinds, 1);
	CU_ASSERT_EQUAL(h->gone, 0);
	CU_ASSERT_EQUAL(h->post_count, from);
	CU_ASSERT_EQUAL(channel.state, VMBUS_CLIENT_CHANNEL_OPEN);
	CU_ASSERT_EQUAL(vmbus_client_channel_close(&h->client, &channel, h->now, DEADLINE), 0);
	host_torndown(h, channel.rings.id);
	CU_ASSERT_EQUAL(channel.result, 0);
	CU_ASSERT_EQUAL(host_count(h, 13, from), 0); /* the buffer still uses the relid */
	CU_ASSERT_EQUAL(vmbus_client_gpadl_teardown(&h->client, &buffer, h->now, DEADLINE), 0);
	host_torndown(h, buffer.id);
	CU_ASSERT_EQUAL(host_count(h, 13, from), 1);
	CU_ASSERT_EQUAL(host_count(h, 7, from), 1);
	CU_ASSERT_EQUAL(host_count(h, 11, from), 2);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 13);
	CU_ASSERT_EQUAL(h->gone, 1);
	free(h);
}

static void rescind_shortens_a_close_that_nobody_confirms(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel;

	open_channel(h, &channel, 1);
	vmbus_client_channel_close(&h->client, &channel, h->now, DEADLINE);
	const uint64_t begin = h->now;
	host_rescind(h, 1);
	host_run_until(h, UINT64_MAX);
	CU_ASSERT_EQUAL(h->now, begin + GRACE);
	CU_ASSERT_EQUAL(channel.result, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 1);
	free(h);
}

static void unload_closes_subchannels_first_and_frees_nothing_before_its_answer(void)
{
	struct host *h = host_connected(0x50003, 2);
	struct vmbus_client_channel c[4];

	host_offer(h, 3, 1, 1);
	host_offer(h, 4, 1, 2);
	open_channel(h, &c[0], 1);
	open_channel(h, &c[1], 3);
	open_channel(h, &c[2], 2);
	start(h, &c[3], 4); /* half open */
	host_created(h, 4, c[3].rings.id, 0);
	const unsigned from = h->post_count;
	vmbus_client_unload(&h->client, h->now, DEADLINE);
	CU_ASSERT_EQUAL(h->post_count - from, 4);
	CU_ASSERT_EQUAL(host_count(h, 7, from), 3); /* what is half open cannot be closed */
	CU_ASSERT_EQUAL(get32(h->posts[from].payload + 8), 3);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 16);
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&c[i].rings));
		CU_ASSERT_NOT_EQUAL(c[i].state, VMBUS_CLIENT_CHANNEL_CLOSED);
	}
	host_unload_complete(h);
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT_FALSE(vmbus_client_gpadl_is_lent(&c[i].rings));
		CU_ASSERT_EQUAL(c[i].state, VMBUS_CLIENT_CHANNEL_CLOSED);
		CU_ASSERT_EQUAL(c[i].result, i == 3 ? -VIRIDIAN_ECANCELED : 0);
	}
	CU_ASSERT_PTR_NULL(h->client.channels);
	CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, 0);
	CU_ASSERT_EQUAL(h->gone, 4);
	free(h);
}

static void unload_of_a_silent_host_loses_the_rings(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel;

	open_channel(h, &channel, 1);
	vmbus_client_unload(&h->client, h->now, DEADLINE);
	host_run_until(h, UINT64_MAX);
	CU_ASSERT_EQUAL(channel.state, VMBUS_CLIENT_CHANNEL_CLOSED);
	CU_ASSERT_TRUE(vmbus_client_gpadl_is_lent(&channel.rings));
	CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, 8);
	free(h);
}

static void nothing_follows_an_unload(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel;

	start(h, &channel, 1);
	host_created(h, 1, channel.rings.id, 0);
	host_run_until(h, DEADLINE);
	vmbus_client_unload(&h->client, h->now, UINT64_MAX);
	host_open_result(h, 1, 1, 0); /* open after all; the unload closes it */
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 16);
	host_unload_complete(h);
	CU_ASSERT_EQUAL(h->client.result, 0);
	CU_ASSERT_PTR_NULL(h->client.requests.first);
	free(h);
}

static void names_signal_parameters_when_they_were_negotiated(void)
{
	static const struct {
		uint32_t features;
		size_t bytes;
		uint32_t connection_id, event_flag;
	} rows[] = {{0, 148, 0, 0}, {1, 156, 0x2001, 1}, {2, 156, 0, 0}, {3, 156, 0x2001, 1}};

	for (unsigned i = 0; i < 4; i++) {
		const struct vmbus_client_config config = {.features = rows[i].features};
		struct host *h = host_create(&config);
		struct vmbus_client_channel channel;
		vmbus_client_connect(&h->client, h->now, DEADLINE);
		host_version(h, 20, 1, 0, 4, rows[i].features);
		host_offer(h, 1, 1, 0);
		host_all_offers(h);
		start(h, &channel, 1);
		host_created(h, 1, channel.rings.id, 0);
		const struct host_post *post = host_post(h, 0);
		CU_ASSERT_EQUAL(post_type(post), 5);
		CU_ASSERT_EQUAL(post->bytes, rows[i].bytes);
		CU_ASSERT_EQUAL(get32(post->payload + 148), rows[i].connection_id);
		CU_ASSERT_EQUAL(get16(post->payload + 152), rows[i].event_flag);
		CU_ASSERT_EQUAL(get16(post->payload + 154), 0);
		free(h);
	}
}

static void old_versions_have_no_target_vp(void)
{
	struct host *h = host_connected(0x10001, 1);
	struct vmbus_client_channel channel;

	start(h, &channel, 1);
	host_created(h, 1, channel.rings.id, 0);
	CU_ASSERT_EQUAL(get32(host_post(h, 0)->payload + 20), 0);
	free(h);
}

/* R-MOD-008. */
static void moves_a_channel_one_request_at_a_time(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel;
	struct vmbus_client *c = &h->client;

	memset(&channel, 0, sizeof channel);
	CU_ASSERT_EQUAL(
		vmbus_client_channel_modify(c, &channel, 1, h->now, DEADLINE), -VIRIDIAN_ENOENT);
	open_channel(h, &channel, 1);
	CU_ASSERT_EQUAL(vmbus_client_channel_modify(c, &channel, 0xffffffff, h->now, DEADLINE),
		-VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(vmbus_client_channel_modify(c, &channel, 3, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 22);
	CU_ASSERT_EQUAL(get32(host_post(h, 0)->payload + 8), 1);
	CU_ASSERT_EQUAL(get32(host_post(h, 0)->payload + 12), 3);
	CU_ASSERT_EQUAL(host_post(h, 0)->bytes, 16);
	CU_ASSERT_EQUAL(
		vmbus_client_channel_modify(c, &channel, 4, h->now, DEADLINE), -VIRIDIAN_EBUSY);
	CU_ASSERT_EQUAL(channel.target_vp, 2);
	host_modify_response(h, 1, 0);
	CU_ASSERT_EQUAL(channel.modify_result, 0);
	CU_ASSERT_EQUAL(channel.target_vp, 3);
	host_modify_response(h, 1, 0); /* unasked */
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE), 1);
	host_modify_response(h, 77, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNKNOWN_CHANNEL), 1);
	/* refused: nothing moves */
	vmbus_client_channel_modify(c, &channel, 5, h->now, DEADLINE);
	host_modify_response(h, 1, 0x8000ffff);
	CU_ASSERT_EQUAL(channel.modify_result, -VIRIDIAN_EIO);
	CU_ASSERT_EQUAL(channel.target_vp, 3);
	/* late: no other before its response */
	vmbus_client_channel_modify(c, &channel, 5, h->now, h->now + 10);
	host_run_until(h, h->now + 20);
	CU_ASSERT_EQUAL(channel.modify_result, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_EQUAL(
		vmbus_client_channel_modify(c, &channel, 5, h->now, DEADLINE), -VIRIDIAN_EBUSY);
	host_modify_response(h, 1, 0);
	CU_ASSERT_EQUAL(vmbus_client_channel_modify(c, &channel, 5, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(c->statistics.messages_rejected, 2);
	free(h);
}

static void moving_needs_a_version_that_can(void)
{
	struct vmbus_client_channel channel;
	struct host *h = host_connected(0x40000, 1);

	open_channel(h, &channel, 1);
	CU_ASSERT_EQUAL(vmbus_client_channel_modify(&h->client, &channel, 3, h->now, DEADLINE),
		-VIRIDIAN_ENOTSUP);
	free(h);

	h = host_connected(0x50002, 1); /* no response before 5.3 */
	open_channel(h, &channel, 1);
	CU_ASSERT_EQUAL(vmbus_client_channel_modify(&h->client, &channel, 3, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(channel.modify_result, 0);
	CU_ASSERT_EQUAL(channel.target_vp, 3);
	host_modify_response(h, 1, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_NOT_NEGOTIATED), 1);
	free(h);
}

/* R-MOD-009, R-RESC-016. */
static void rescind_ends_a_move(void)
{
	for (unsigned late = 0; late < 2; late++) {
		struct host *h = host_connected(0x50003, 1);
		struct vmbus_client_channel channel;
		open_channel(h, &channel, 1);
		vmbus_client_channel_modify(&h->client, &channel, 3, h->now, DEADLINE);
		host_rescind(h, 1);
		CU_ASSERT_EQUAL(channel.modify_result, -VIRIDIAN_ENODEV);
		if (late)
			host_modify_response(h, 1, 0);
		CU_ASSERT_EQUAL(h->client.statistics.messages_rejected, 0);
		CU_ASSERT_EQUAL(
			vmbus_client_channel_modify(&h->client, &channel, 4, h->now, DEADLINE),
			-VIRIDIAN_ENODEV);
		vmbus_client_channel_close(&h->client, &channel, h->now, DEADLINE);
		host_torndown(h, channel.rings.id);
		CU_ASSERT_EQUAL(host_count(h, 13, 0), 1);
		free(h);
	}
}

/* R-OPEN-026. */
static void ten_thousand_rounds_leave_nothing(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel;

	for (unsigned i = 0; i < 10000; i++) {
		open_channel(h, &channel, 1);
		vmbus_client_channel_close(&h->client, &channel, h->now, DEADLINE);
		host_torndown(h, channel.rings.id);
		CU_ASSERT_EQUAL(channel.result, 0);
	}
	CU_ASSERT_EQUAL(h->client.statistics.pages_lent, 0);
	CU_ASSERT_EQUAL(h->client.statistics.pages_abandoned, 0);
	CU_ASSERT_PTR_NULL(h->client.channels);
	CU_ASSERT_PTR_NULL(h->client.gpadls);
	CU_ASSERT_PTR_NULL(h->client.requests.first);
	free(h);
}

static const struct test tests[] = {
	TEST(opens_and_closes),
	TEST(refuses_what_cannot_be_opened),
	TEST(never_opens_over_a_refused_gpadl),
	TEST(takes_the_rings_back_when_open_is_refused),
	TEST(matches_the_result_by_relid_and_open_id),
	TEST(an_open_that_is_never_answered_ends_by_its_deadline),
	TEST(a_late_refusal_needs_no_close),
	TEST(loses_the_rings_when_a_post_fails),
	TEST(a_close_that_is_never_confirmed_loses_the_rings),
	TEST(rescind_ends_an_open_that_nobody_answers),
	TEST(rescind_while_the_rings_are_lent_ends_the_open),
	TEST(rescind_of_an_open_channel_waits_for_its_user),
	TEST(rescind_shortens_a_close_that_nobody_confirms),
	TEST(unload_closes_subchannels_first_and_frees_nothing_before_its_answer),
	TEST(unload_of_a_silent_host_loses_the_rings),
	TEST(nothing_follows_an_unload),
	TEST(names_signal_parameters_when_they_were_negotiated),
	TEST(old_versions_have_no_target_vp),
	TEST(moves_a_channel_one_request_at_a_time),
	TEST(moving_needs_a_version_that_can),
	TEST(rescind_ends_a_move),
	TEST(ten_thousand_rounds_leave_nothing),
};
TEST_MAIN("vmbus_client_channel", tests)
