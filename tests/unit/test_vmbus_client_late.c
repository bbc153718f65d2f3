// SPDX-License-Identifier: Apache-2.0
/*
 * A contact that was given up and is answered late: VERSION_RESPONSE does not say which
 * contact it answers, so the client must see the end of one before the next (R-CONN-040).
 */
#include "guest/vmbus/client.h"
#include "tests/harness.h"
#include "tests/unit/vmbus_bus_peer.h"

#define WAIT  1000u /* of the contact that is given up */
#define LATER 100000000ull

/* The version that the last INITIATE_CONTACT asked for, and only if it is the last post. */
static uint32_t asked(const struct host *h)
{
	const struct host_post *post = host_post(h, 0);
	return post_type(post) == 14 ? get32(post->payload + 8) : 0;
}

/* A client up to `max` whose contact for version `last` was posted and never answered. */
static struct host *given_up(uint32_t max, uint32_t last)
{
	const struct vmbus_client_config config = {.version_max = max};
	struct host *h = host_create(&config);

	vmbus_client_connect(&h->client, h->now, h->now + WAIT);
	while (asked(h) != last && h->client.state == VMBUS_CLIENT_CONTACTING)
		host_refuse(h);
	host_run_until(h, h->now + WAIT);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
	return h;
}

static void again(struct host *h)
{
	CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, h->now + LATER), 0);
}

/* It is still in negotiation, with nothing but UNLOAD posted, where the last contact was. */
static void expect_resync(const struct host *h, uint32_t connection_id)
{
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_CONTACTING);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 16);
	CU_ASSERT_EQUAL(host_post(h, 0)->bytes, 8);
	CU_ASSERT_EQUAL(host_post(h, 0)->connection_id, connection_id);
}

/* R-CONN-040. */
static void a_late_answer_is_not_taken_for_that_of_the_next_contact(void)
{
	struct host *h = given_up(0x60000, 0x50003);
	again(h);
	expect_resync(h, 4);
	host_version(h, 16, 1, 0, 4, 0); /* yes to 5.3 */
	CU_ASSERT_EQUAL(asked(h), 0x60000);
	host_unload_complete(h); /* of that connection; nobody waits for it any more */
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_CONTACTING);
	host_refuse(h);
	CU_ASSERT_EQUAL(asked(h), 0x50003);
	host_version(h, 16, 1, 0, 4, 0);
	host_all_offers(h);
	CU_ASSERT_EQUAL(h->client.result, 0);
	CU_ASSERT_EQUAL(vmbus_client_version(&h->client), 0x50003);
	/* and it is over */
	vmbus_client_unload(&h->client, h->now, h->now + LATER);
	host_unload_complete(h);
	again(h);
	CU_ASSERT_EQUAL(asked(h), 0x60000);
	free(h);
}

static void a_late_refusal_is_not_taken_either(void)
{
	struct host *h = given_up(0x60000, 0x60000);
	again(h);
	expect_resync(h, 4);
	host_refuse(h);
	CU_ASSERT_EQUAL(asked(h), 0x60000);
	host_version(h, 20, 1, 0, 4, 0);
	CU_ASSERT_EQUAL(vmbus_client_version(&h->client), 0x60000);
	free(h);
}

/* The host discards what waits for a guest that unloads: no answer will come (R-UNL-002). */
static void the_end_of_the_unload_is_the_end_of_the_contact(void)
{
	static const uint32_t versions[] = {0x10001, 0x30000, 0x50000, 0x60000};
	for (unsigned i = 0; i < 4; i++) {
		struct host *h = given_up(versions[i], versions[i]);
		again(h);
		expect_resync(h, versions[i] >= 0x50000 ? 4 : 1);
		host_offer(h, 1, 1, 0); /* of a connection that was never ours */
		CU_ASSERT_EQUAL(h->offers, 0);
		host_unload_complete(h);
		CU_ASSERT_EQUAL(asked(h), versions[i]);
		CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE), 0);
		free(h);
	}
}

static void an_answer_that_comes_before_the_next_connect_is_seen(void)
{
	struct host *h = given_up(0x60000, 0x50002);
	host_version(h, 16, 1, 0, 4, 0);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE), 1);
	again(h);
	CU_ASSERT_EQUAL(asked(h), 0x60000);
	CU_ASSERT_EQUAL(host_count(h, 16, 0), 0);
	free(h);
}

/* R-CONN-040. */
static void a_host_that_says_nothing_delays_the_next_contact_for_a_bounded_time(void)
{
	struct host *h = given_up(0x60000, 0x60000);
	const uint64_t start = h->now;
	again(h);
	host_run_until(h, start + VMBUS_CLIENT_GRACE_100NS - 1);
	expect_resync(h, 4);
	host_run_until(h, start + VMBUS_CLIENT_GRACE_100NS);
	CU_ASSERT_EQUAL(asked(h), 0x60000);
	host_version(h, 20, 1, 0, 4, 0);
	CU_ASSERT_EQUAL(vmbus_client_version(&h->client), 0x60000);
	free(h);

	/* within the caller's deadline */
	h = given_up(0x60000, 0x60000);
	CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, h->now + WAIT), 0);
	host_run_until(h, UINT64_MAX);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_EQUAL(host_count(h, 14, 0), 1);
	/* and the answer is still one of the past */
	again(h);
	expect_resync(h, 4);
	host_version(h, 20, 1, 0, 4, 0);
	CU_ASSERT_EQUAL(asked(h), 0x60000);
	free(h);
}

/* A host without room, or whose old connection is gone, ends the wait no later. */
static void an_unload_that_cannot_be_posted_delays_no_longer(void)
{
	static const struct {
		int status;
		bool is_at_once;
	} rows[] = {{0x12, false}, {0x13, false}, {0x0005, true}};
	for (unsigned i = 0; i < 3; i++) {
		struct host *h = given_up(0x60000, 0x60000);
		const uint64_t start = h->now;
		h->status = rows[i].status;
		h->status_times = rows[i].is_at_once ? 1 : UINT32_MAX;
		again(h);
		if (!rows[i].is_at_once) {
			host_run_until(h, start + VMBUS_CLIENT_GRACE_100NS - 1);
			h->status_times = 0;
			host_run_until(h, start + 2 * VMBUS_CLIENT_GRACE_100NS);
		}
		CU_ASSERT_EQUAL(asked(h), 0x60000);
		free(h);
	}
}

/* R-CONN-041: what cannot be the answer of the contact at hand is dropped. */
static void an_answer_later_than_that_is_told_by_its_form_where_it_can_be(void)
{
	static const struct {
		uint32_t max, old; /* versions: asked for now, asked for then */
		size_t old_bytes;
		uint32_t old_selected;
		size_t bytes;
		uint32_t selected;
	} rows[] = {
		{0x60000, 0x50003, 16, 4, 20, 4},	/* 6.0 is longer */
		{0x60000, 0x40001, 16, 0x40001, 20, 4}, /* below 5.0 the version is named */
		{0x50003, 0x40000, 16, 0x40000, 16, 4},
		{0x40001, 0x30000, 16, 0x30000, 16, 0x40001},
		{0x40001, 0x20004, 16, 0x20004, 10, 0}, /* an answer that names nothing counts */
	};
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct host *h = given_up(rows[i].max, rows[i].old);
		again(h);
		host_run_until(h, h->now + VMBUS_CLIENT_GRACE_100NS);
		CU_ASSERT_EQUAL(asked(h), rows[i].max);
		host_version(h, rows[i].old_bytes, 1, 0, rows[i].old_selected, 0);
		CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_CONTACTING);
		CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE), 1);
		host_version(h, rows[i].bytes, 1, 0, rows[i].selected, 0);
		CU_ASSERT_EQUAL(vmbus_client_version(&h->client), rows[i].max);
		free(h);
	}
}

/* A contact that is called off is one that was not answered. */
static void a_contact_that_is_called_off_is_seen_to_its_end(void)
{
	struct host *h = host_create(NULL);
	vmbus_client_connect(&h->client, h->now, UINT64_MAX);
	vmbus_client_unload(&h->client, h->now, h->now + WAIT);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
	again(h);
	expect_resync(h, 4);
	/* called off while it waits: still not answered */
	vmbus_client_unload(&h->client, h->now, h->now + WAIT);
	again(h);
	expect_resync(h, 4);
	free(h);

	/* one that the host never got is none */
	h = host_create(NULL);
	h->status = 0x13;
	h->status_times = UINT32_MAX;
	vmbus_client_connect(&h->client, h->now, h->now + WAIT);
	host_run_until(h, h->now + WAIT);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_ETIMEDOUT);
	h->status_times = 0;
	again(h);
	host_run_until(h, h->now + WAIT); /* the pause of the full host */
	CU_ASSERT_EQUAL(host_count(h, 16, 0), 0);
	CU_ASSERT_EQUAL(asked(h), 0x60000);
	free(h);
}

/* The bus over SynIC: the answer lies in the slot when the next connect begins. */
static void an_answer_in_the_slot_is_found_by_the_next_connect(void)
{
	struct peer *p = peer_create(0x50003, NULL);
	const uint8_t late[16] = {15, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4};
	p->is_silent[14] = true;
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, p->script.now_100ns + WAIT), -VIRIDIAN_ETIMEDOUT);
	p->is_silent[14] = false;
	peer_say(p, late, sizeof late);
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(vmbus_version(p->bus), 0x50003);
	CU_ASSERT_EQUAL(peer_posts(p, 16), 0);
	vmbus_unload(p->bus, peer_deadline(p));

	/* and where it does not, the host's end of the unload is waited for */
	p->is_silent[14] = true;
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, p->script.now_100ns + WAIT), -VIRIDIAN_ETIMEDOUT);
	p->is_silent[14] = false;
	const unsigned unloads = peer_posts(p, 16);
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, peer_deadline(p)), 0);
	CU_ASSERT_EQUAL(peer_posts(p, 16), unloads + 1);
	CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), 0);
	(void)peer_destroy(p); /* the pages of unanswered contacts stay abandoned */
}

static const struct test tests[] = {
	TEST(a_late_answer_is_not_taken_for_that_of_the_next_contact),
	TEST(a_late_refusal_is_not_taken_either),
	TEST(the_end_of_the_unload_is_the_end_of_the_contact),
	TEST(an_answer_that_comes_before_the_next_connect_is_seen),
	TEST(a_host_that_says_nothing_delays_the_next_contact_for_a_bounded_time),
	TEST(an_unload_that_cannot_be_posted_delays_no_longer),
	TEST(an_answer_later_than_that_is_told_by_its_form_where_it_can_be),
	TEST(a_contact_that_is_called_off_is_seen_to_its_end),
	TEST(an_answer_in_the_slot_is_found_by_the_next_connect),
};
TEST_MAIN("vmbus_client_late", tests)
