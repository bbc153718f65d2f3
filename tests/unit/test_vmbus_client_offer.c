// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's VMBus client: offers, rescind and release, against a scripted host.
 */
#include "tests/unit/vmbus_client_host.h"

#include "tests/harness.h"

#define DEADLINE 50000000000ull

static void keeps_what_the_host_says_about_a_device(void)
{
	struct host *h = host_connected(0x50003, 0);
	uint8_t m[196];

	offer_bytes(m, 7, 0x11, 0);
	put16(m + 56, 0x2011);
	m[188] = 127;
	m[189] = 1;
	put32(m + 192, 0xabcdef);
	host_send(h, m, sizeof m);
	const struct vmbus_offer *offer = vmbus_client_offer(&h->client, 7);
	if (offer == NULL)
		abort();
	CU_ASSERT_EQUAL(offer->relid, 7);
	CU_ASSERT_EQUAL(memcmp(offer->interface_id.bytes, m + 8, 16), 0);
	CU_ASSERT_EQUAL(memcmp(offer->instance_id.bytes, m + 24, 16), 0);
	CU_ASSERT_EQUAL(memcmp(offer->user_data, m + 60, 120), 0);
	CU_ASSERT_EQUAL(offer->flags, 0x2011);
	CU_ASSERT_EQUAL(offer->mmio_mib, 8);
	CU_ASSERT_EQUAL(offer->subchannel_index, 0);
	CU_ASSERT_EQUAL(offer->monitor_id, 127);
	CU_ASSERT_TRUE(offer->is_dedicated_interrupt);
	CU_ASSERT_EQUAL(offer->connection_id, 0xabcdef);
	CU_ASSERT_EQUAL(h->offers, 1);
	CU_ASSERT_EQUAL(h->offer_relid, 7);
	free(h);
}

/* R-OFFER-016. */
static void drops_offers_with_bad_relids(void)
{
	struct host *h = host_connected(0x50003, 1);
	static const uint32_t relids[] = {0, 2048, 2049, 0x10001, 0xffffffff};
	const unsigned posts = h->post_count;

	for (unsigned i = 0; i < 5; i++)
		host_offer(h, relids[i], 9, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_OFFER_FIELDS), 5);
	host_offer(h, 1, 9, 0); /* in use */
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_OFFER_IN_USE), 1);
	CU_ASSERT_EQUAL(h->offers, 1);
	CU_ASSERT_EQUAL(vmbus_client_offer(&h->client, 1)->instance_id.bytes[0], 1);
	CU_ASSERT_EQUAL(h->post_count, posts); /* no release of the live one */
	host_offer(h, 2047, 9, 0);	       /* the last good one */
	CU_ASSERT_EQUAL(h->offers, 2);
	free(h);
}

/* R-OFFER-017. */
static void drops_short_offers(void)
{
	struct host *h = host_connected(0x50003, 0);
	uint8_t m[196];

	offer_bytes(m, 1, 1, 0);
	host_send(h, m, 195);
	host_send(h, m, 190);
	CU_ASSERT_EQUAL(h->offers, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_TOO_SMALL), 2);
	free(h);

	/* the first version ended before the interrupt fields, which it does not know */
	h = host_connected(0x0d, 0);
	host_send(h, m, 189);
	CU_ASSERT_EQUAL(h->offers, 0);
	host_send(h, m, 190);
	CU_ASSERT_EQUAL(h->offers, 1);
	CU_ASSERT_FALSE(vmbus_client_offer(&h->client, 1)->is_dedicated_interrupt);
	CU_ASSERT_EQUAL(vmbus_client_offer(&h->client, 1)->connection_id, 2);
	offer_bytes(m, 2, 2, 0);
	host_send(h, m, 196);
	CU_ASSERT_FALSE(vmbus_client_offer(&h->client, 2)->is_dedicated_interrupt);
	free(h);
}

/* R-OFFER-018, R-OFFER-020. */
static void drops_duplicate_primaries_and_orphan_subchannels(void)
{
	struct host *h = host_connected(0x50003, 1);

	host_offer(h, 2, 1, 0); /* same device again */
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_OFFER_IN_USE), 1);
	host_offer(h, 3, 9, 1); /* of no device */
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_OFFER_ORPHAN), 1);
	CU_ASSERT_EQUAL(h->offers, 1);
	/* their relids go back, once each; the live one stays */
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 2);
	CU_ASSERT_EQUAL(get32(host_post(h, 1)->payload + 8), 2);
	CU_ASSERT_EQUAL(get32(host_post(h, 0)->payload + 8), 3);
	CU_ASSERT_EQUAL(h->gone, 0);

	host_offer(h, 3, 1, 1); /* a good subchannel under the same relid */
	CU_ASSERT_EQUAL(h->offers, 2);
	CU_ASSERT_EQUAL(vmbus_client_offer_primary(&h->client, 3), 1);
	const struct vmbus_offer *primary = vmbus_client_offer(&h->client, 1);
	CU_ASSERT_EQUAL(vmbus_client_offer_subchannel(&h->client, primary, 1)->relid, 3);
	CU_ASSERT_PTR_NULL(vmbus_client_offer_subchannel(&h->client, primary, 2));
	free(h);
}

static void a_closed_subchannel_may_come_again_under_another_relid(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel = {0};
	const struct vmbus_client_open open = {
		.first_pfn = 1, .page_count = 4, .downstream_page = 2};
	const struct vmbus_offer *primary = vmbus_client_offer(&h->client, 1);

	host_offer(h, 2, 1, 1);
	vmbus_client_channel_open(&h->client, &channel, 2, &open, h->now, DEADLINE);
	host_offer(h, 3, 1, 1); /* not while it is in use */
	CU_ASSERT_EQUAL(h->offers, 2);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_OFFER_IN_USE), 1);
	host_created(h, 2, channel.rings.id, 5);
	CU_ASSERT_EQUAL(channel.state, VMBUS_CLIENT_CHANNEL_CLOSED);
	host_offer(h, 3, 1, 1);
	CU_ASSERT_EQUAL(h->offers, 3);
	CU_ASSERT_EQUAL(vmbus_client_offer_subchannel(&h->client, primary, 1)->relid, 3);
	CU_ASSERT_EQUAL(vmbus_client_offer_primary(&h->client, 2), 0);
	host_rescind(h, 2);
	CU_ASSERT_EQUAL(h->gone_relid, 2);
	CU_ASSERT_EQUAL(vmbus_client_offer_subchannel(&h->client, primary, 1)->relid, 3);
	CU_ASSERT_EQUAL(h->event_errors, 0);
	free(h);
}

/* R-ROB-010. */
static void does_not_trust_the_monitor_id(void)
{
	struct host *h = host_connected(0x50003, 0);
	uint8_t m[196];

	offer_bytes(m, 1, 1, 0);
	m[188] = 128;
	m[189] = 1;
	host_send(h, m, sizeof m);
	CU_ASSERT_EQUAL(h->offers, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_OFFER_FIELDS), 1);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 1);
	m[189] = 0; /* not allocated: the id means nothing */
	host_send(h, m, sizeof m);
	CU_ASSERT_EQUAL(h->offers, 1);
	CU_ASSERT_EQUAL(vmbus_client_offer(&h->client, 1)->monitor_id, 0xff);
	free(h);
}

/* R-OFFER-019. */
static void takes_all_2047_offers_before_and_after_the_terminator(void)
{
	struct host *h = host_connected(0x50003, 0);
	uint8_t m[196];

	for (uint32_t relid = 2047; relid > 0; relid--) {
		offer_bytes(m, relid, 0, 0);
		put32(m + 24, relid); /* one instance each */
		host_send(h, m, sizeof m);
	}
	CU_ASSERT_EQUAL(h->offers, 2047);
	unsigned count = 0;
	uint32_t last = 0;
	for (const struct vmbus_offer *o; (o = vmbus_client_offer_next(&h->client, last)) != NULL;
		count++) {
		CU_ASSERT_TRUE(o->relid > last);
		last = o->relid;
	}
	CU_ASSERT_EQUAL(count, 2047);
	struct guid interface_id;
	memset(&interface_id, 0x5a, sizeof interface_id);
	CU_ASSERT_EQUAL(vmbus_client_offer_find(&h->client, &interface_id, 2046)->relid, 2047);
	CU_ASSERT_PTR_NULL(vmbus_client_offer_find(&h->client, &interface_id, 2047));
	CU_ASSERT_PTR_NULL(vmbus_client_offer_find(&h->client, &(struct guid){{1}}, 0));
	CU_ASSERT_PTR_NULL(vmbus_client_offer(&h->client, 0));
	CU_ASSERT_PTR_NULL(vmbus_client_offer(&h->client, 2048));
	CU_ASSERT_PTR_NULL(vmbus_client_offer(&h->client, 0xffffffff));
	/* one more has no relid left */
	host_offer(h, 5, 0xee, 0);
	CU_ASSERT_EQUAL(h->offers, 2047);
	free(h);
}

static void drops_offers_of_an_earlier_connection(void)
{
	struct host *h = host_create(NULL);

	host_offer(h, 1, 1, 0);
	vmbus_client_connect(&h->client, h->now, DEADLINE);
	host_offer(h, 1, 1, 0);
	host_rescind(h, 1);
	CU_ASSERT_EQUAL(h->offers, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_NOT_NEGOTIATED), 3);
	/* accepted, but our request for offers is not out */
	h->status = 0x13;
	h->status_times = 1;
	host_version(h, 20, 1, 0, 4, 0);
	host_offer(h, 1, 1, 0);
	CU_ASSERT_EQUAL(h->offers, 0);
	host_advance(h, 1000);
	host_offer(h, 1, 1, 0);
	CU_ASSERT_EQUAL(h->offers, 1);
	free(h);
}

/* R-RESC-017, R-RESC-019. */
static void releases_a_rescinded_offer_exactly_once(void)
{
	struct host *h = host_connected(0x50003, 2);

	host_rescind(h, 1);
	CU_ASSERT_EQUAL(h->rescinds, 1);
	CU_ASSERT_EQUAL(h->gone, 1);
	CU_ASSERT_EQUAL(h->gone_relid, 1);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 1);
	CU_ASSERT_EQUAL(get32(host_post(h, 0)->payload + 8), 1);
	CU_ASSERT_EQUAL(host_post(h, 0)->bytes, 12);
	CU_ASSERT_PTR_NULL(vmbus_client_offer(&h->client, 1));
	host_rescind(h, 1); /* again: nothing is there */
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNKNOWN_CHANNEL), 1);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 1);
	host_offer(h, 1, 1, 0); /* the relid can come again */
	CU_ASSERT_EQUAL(h->offers, 3);
	CU_ASSERT_EQUAL(h->event_errors, 0);
	free(h);
}

/* R-RESC-019. */
static void ignores_rescinds_of_unknown_relids(void)
{
	struct host *h = host_connected(0x50003, 1);
	static const uint32_t relids[] = {0, 1999, 2048, 0xffffffff};
	const unsigned posts = h->post_count;

	for (unsigned i = 0; i < 4; i++)
		host_rescind(h, relids[i]);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNKNOWN_CHANNEL), 4);
	CU_ASSERT_EQUAL(h->post_count, posts);
	CU_ASSERT_EQUAL(h->gone, 0);
	free(h);
}

/* R-OFFER-021, R-RESC-020. */
static void offer_and_rescind_back_to_back_leave_nothing(void)
{
	struct host *h = host_connected(0x50003, 0);

	for (unsigned i = 0; i < 100000; i++) {
		host_offer(h, 1 + i % 2047, 1, 0);
		host_rescind(h, 1 + i % 2047);
	}
	CU_ASSERT_EQUAL(h->offers, 100000);
	CU_ASSERT_EQUAL(h->gone, 100000);
	CU_ASSERT_EQUAL(h->event_errors, 0);
	CU_ASSERT_EQUAL(h->client.relid_max, 0);
	CU_ASSERT_PTR_NULL(h->client.requests.first);
	CU_ASSERT_EQUAL(h->client.statistics.messages_rejected, 0);
	/* contact, request, and one release for each */
	CU_ASSERT_EQUAL(h->client.statistics.messages_sent, 100002);
	free(h);
}

static void a_relid_is_in_use_until_its_release_is_posted(void)
{
	struct host *h = host_connected(0x50003, 1);

	h->status = 0x13;
	h->status_times = 2;
	host_rescind(h, 1);
	CU_ASSERT_EQUAL(h->gone, 0);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 0);
	host_offer(h, 1, 1, 0);
	CU_ASSERT_EQUAL(h->offers, 1);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_OFFER_IN_USE), 1);
	CU_ASSERT_PTR_NULL(vmbus_client_offer(&h->client, 1));
	host_run_until(h, h->now + 100000);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 1);
	CU_ASSERT_EQUAL(h->gone, 1);
	free(h);
}

static void a_release_that_cannot_be_posted_keeps_the_relid_unusable(void)
{
	struct host *h = host_connected(0x50003, 1);

	h->fail_at = h->attempts + 1;
	h->fail_status = 5;
	host_rescind(h, 1);
	CU_ASSERT_EQUAL(h->gone, 1);
	CU_ASSERT_EQUAL(h->client.statistics.posts_failed, 1);
	host_offer(h, 1, 1, 0);
	host_rescind(h, 1);
	CU_ASSERT_EQUAL(h->offers, 1);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 0);
	/* until the connection ends */
	vmbus_client_unload(&h->client, h->now, DEADLINE);
	host_unload_complete(h);
	CU_ASSERT_EQUAL(h->gone, 1);
	vmbus_client_connect(&h->client, h->now, DEADLINE);
	host_version(h, 16, 1, 0, 4, 0);
	host_offer(h, 1, 1, 0);
	CU_ASSERT_EQUAL(h->offers, 2);
	free(h);
}

/* R-RESC-021. */
static void tolerates_a_primary_that_goes_before_its_subchannels(void)
{
	struct host *h = host_connected(0x50003, 1);

	host_offer(h, 2, 1, 1);
	host_offer(h, 3, 1, 2);
	host_rescind(h, 1);
	CU_ASSERT_EQUAL(h->gone, 1);
	CU_ASSERT_EQUAL(vmbus_client_offer_primary(&h->client, 2), 0);
	/* the device comes back: the old subchannels are not those of the new primary */
	host_offer(h, 4, 1, 0);
	const struct vmbus_offer *primary = vmbus_client_offer(&h->client, 4);
	CU_ASSERT_PTR_NULL(vmbus_client_offer_subchannel(&h->client, primary, 1));
	host_offer(h, 5, 1, 1);
	CU_ASSERT_EQUAL(vmbus_client_offer_subchannel(&h->client, primary, 1)->relid, 5);
	host_rescind(h, 2);
	host_rescind(h, 3);
	CU_ASSERT_EQUAL(h->gone, 3);
	CU_ASSERT_EQUAL(h->event_errors, 0);
	free(h);
}

static void releases_nothing_once_an_unload_has_begun(void)
{
	static const struct vmbus_client_open rings = {
		.first_pfn = 0x400, .page_count = 8, .downstream_page = 4};
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_channel channel = {0};

	vmbus_client_channel_open(&h->client, &channel, 1, &rings, h->now, h->now + 1000);
	host_created(h, 1, channel.rings.id, 0);
	host_advance(h, 1000);
	host_torndown(h, channel.rings.id);
	h->status = 0x13; /* insufficient buffers */
	h->status_times = 1;
	host_open_result(h, 1, 1, 0); /* late: a CLOSE waits for room */
	host_rescind(h, 1);
	vmbus_client_unload(&h->client, h->now, UINT64_MAX);
	host_run_until(h, UINT64_MAX);
	CU_ASSERT_EQUAL(post_type(host_post(h, 1)), 7);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 16);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 0); /* the unload releases everything */
	host_unload_complete(h);
	CU_ASSERT_EQUAL(h->gone, 1);
	free(h);
}

static void a_device_may_come_back_while_its_old_offer_is_in_use(void)
{
	struct host *h = host_connected(0x50003, 1);
	struct vmbus_client_gpadl gpadl = {0};

	vmbus_client_gpadl_create(&h->client, &gpadl, 1, 5, NULL, 1, h->now, DEADLINE);
	host_created(h, 1, gpadl.id, 0);
	host_rescind(h, 1);
	CU_ASSERT_EQUAL(h->gone, 0);
	CU_ASSERT_TRUE(vmbus_client_offer(&h->client, 1)->is_rescinded);
	host_rescind(h, 1);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_CHANNEL_REVOKED), 1);
	host_offer(h, 2, 1, 0); /* the same device under another relid */
	CU_ASSERT_EQUAL(h->offers, 2);
	struct guid interface_id;
	memset(&interface_id, 0x5a, sizeof interface_id);
	CU_ASSERT_EQUAL(vmbus_client_offer_find(&h->client, &interface_id, 0)->relid, 2);
	/* nothing new on the old one */
	struct vmbus_client_gpadl other = {0};
	CU_ASSERT_EQUAL(
		vmbus_client_gpadl_create(&h->client, &other, 1, 5, NULL, 1, h->now, DEADLINE),
		-VIRIDIAN_ENODEV);
	/* the last user goes: TEARDOWN, and only after its answer REL_ID_RELEASED */
	CU_ASSERT_EQUAL(vmbus_client_gpadl_teardown(&h->client, &gpadl, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 0);
	host_torndown(h, gpadl.id);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 1);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 13);
	CU_ASSERT_EQUAL(h->gone, 1);
	free(h);
}

static const struct test tests[] = {
	TEST(keeps_what_the_host_says_about_a_device),
	TEST(drops_offers_with_bad_relids),
	TEST(drops_short_offers),
	TEST(drops_duplicate_primaries_and_orphan_subchannels),
	TEST(a_closed_subchannel_may_come_again_under_another_relid),
	TEST(does_not_trust_the_monitor_id),
	TEST(takes_all_2047_offers_before_and_after_the_terminator),
	TEST(drops_offers_of_an_earlier_connection),
	TEST(releases_a_rescinded_offer_exactly_once),
	TEST(ignores_rescinds_of_unknown_relids),
	TEST(offer_and_rescind_back_to_back_leave_nothing),
	TEST(a_relid_is_in_use_until_its_release_is_posted),
	TEST(a_release_that_cannot_be_posted_keeps_the_relid_unusable),
	TEST(tolerates_a_primary_that_goes_before_its_subchannels),
	TEST(releases_nothing_once_an_unload_has_begun),
	TEST(a_device_may_come_back_while_its_old_offer_is_in_use),
};
TEST_MAIN("vmbus_client_offer", tests)
