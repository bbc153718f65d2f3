// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's VMBus client: contact, version fall-back, features, post retries, unload,
 * and the checks that every message passes. The host is scripted, time is a number.
 */
#include "tests/unit/vmbus_client_host.h"

#include "tests/harness.h"

#define DEADLINE 50000000000ull

static const uint32_t versions[] = {0x60000, 0x50003, 0x50002, 0x50001, 0x50000, 0x40001, 0x40000,
	0x30000, 0x20004, 0x10001, 0x0000d};
#define VERSIONS (sizeof versions / sizeof *versions)

static struct host *contacting(const struct vmbus_client_config *config)
{
	struct host *h = host_create(config);
	CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, DEADLINE), 0);
	return h;
}

/* R-CONN-024, R-CONN-025. */
static void tries_every_version_from_the_highest_down(void)
{
	for (size_t accepted = 0; accepted < VERSIONS; accepted++) {
		struct host *h = contacting(NULL);
		for (size_t i = 0; i < accepted; i++)
			host_refuse(h);
		CU_ASSERT_EQUAL(h->post_count, accepted + 1);
		for (size_t i = 0; i <= accepted; i++) {
			CU_ASSERT_EQUAL(get32(h->posts[i].payload), 14);
			CU_ASSERT_EQUAL(get32(h->posts[i].payload + 8), versions[i]);
			CU_ASSERT_EQUAL(h->posts[i].bytes, 40);
			CU_ASSERT_EQUAL(h->posts[i].connection_id, versions[i] >= 0x50000 ? 4 : 1);
		}
		const bool is_multi = versions[accepted] >= 0x50000;
		host_version(
			h, accepted == 0 ? 20 : 16, 1, 0, is_multi ? 9 : versions[accepted], 0);
		/* stops there, and goes on under the connection id that came back */
		CU_ASSERT_EQUAL(h->post_count, accepted + 2);
		CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 3);
		CU_ASSERT_EQUAL(host_post(h, 0)->connection_id, is_multi ? 9 : 1);
		CU_ASSERT_EQUAL(h->client.result, VMBUS_CLIENT_BUSY);
		host_all_offers(h);
		CU_ASSERT_EQUAL(h->client.result, 0);
		CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_CONNECTED);
		CU_ASSERT_EQUAL(vmbus_client_version(&h->client), versions[accepted]);
		CU_ASSERT_EQUAL(h->client.statistics.messages_rejected, 0);
		free(h);
	}
}

static void keeps_between_the_configured_versions(void)
{
	const struct vmbus_client_config config = {.version_max = 0x50001, .version_min = 0x40000};
	static const uint32_t expected[] = {0x50001, 0x50000, 0x40001, 0x40000};
	struct host *h = contacting(&config);

	for (unsigned i = 0; i < 4; i++)
		host_refuse(h);
	CU_ASSERT_EQUAL(h->post_count, 4);
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(get32(h->posts[i].payload + 8), expected[i]);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_ENOTSUP);
	free(h);

	const struct vmbus_client_config empty = {.version_max = 0x40000, .version_min = 0x50000};
	h = host_create(&empty);
	CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, DEADLINE), -VIRIDIAN_EINVAL);
	free(h);
}

/* R-CONN-026. */
static void fails_cleanly_when_no_version_is_accepted(void)
{
	struct host *h = contacting(NULL);

	for (size_t i = 0; i < VERSIONS; i++)
		host_refuse(h);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_ENOTSUP);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
	CU_ASSERT_EQUAL(h->post_count, VERSIONS);
	CU_ASSERT_FALSE(h->client.are_pages_lent);
	CU_ASSERT_EQUAL(vmbus_client_next_time(&h->client), UINT64_MAX);
	/* and can try again */
	CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(h->post_count, VERSIONS + 1);
	free(h);
}

/* R-CONN-024. */
static void falls_back_to_connection_1_when_4_does_not_exist(void)
{
	struct host *h = host_create(NULL);

	h->fail_at = 1;
	h->fail_status = 0x12;
	CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, DEADLINE), 0);
	/* at once, below 5.0, on connection 1 */
	CU_ASSERT_EQUAL(h->attempts, 2);
	CU_ASSERT_EQUAL(h->attempt_connections[0], 4);
	CU_ASSERT_EQUAL(h->post_count, 1);
	CU_ASSERT_EQUAL(host_post(h, 0)->connection_id, 1);
	CU_ASSERT_EQUAL(get32(host_post(h, 0)->payload + 8), 0x40001);
	free(h);

	const struct vmbus_client_config config = {.version_min = 0x50000};
	h = host_create(&config);
	h->fail_at = 1;
	h->fail_status = 0x12;
	CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_ENOTSUP);
	free(h);
}

static void takes_0x12_on_connection_1_for_a_throttle(void)
{
	const struct vmbus_client_config config = {.version_max = 0x40001};
	struct host *h = host_create(&config);

	h->status = 0x12;
	h->status_times = 3;
	CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, DEADLINE), 0);
	host_run_until(h, h->now + 1000000);
	CU_ASSERT_EQUAL(h->post_count, 1);
	CU_ASSERT_EQUAL(h->attempts, 4);
	CU_ASSERT_EQUAL(get32(host_post(h, 0)->payload + 8), 0x40001);
	free(h);
}

static void takes_0x12_after_contact_for_a_throttle(void)
{
	struct host *h = contacting(NULL);

	h->status = 0x12;
	h->status_times = 2;
	host_version(h, 20, 1, 0, 4, 0);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_NEGOTIATED);
	host_run_until(h, h->now + 100000);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 3);
	CU_ASSERT_EQUAL(h->client.statistics.post_retries, 2);
	free(h);
}

/* R-CONN-027. */
static void treats_a_failed_connection_state_as_failure(void)
{
	static const uint8_t states[] = {1, 2, 255};

	for (unsigned i = 0; i < 3; i++) {
		struct host *h = contacting(NULL);
		host_version(h, 20, 1, states[i], 4, 0);
		CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_EIO);
		CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
		CU_ASSERT_EQUAL(h->post_count, 1);
		free(h);
	}
	/* older hosts leave garbage in that byte */
	const struct vmbus_client_config config = {.version_max = 0x10001};
	struct host *h = contacting(&config);
	host_version(h, 16, 1, 0x77, 0x10001, 0);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 3);
	free(h);
}

/* R-CONN-028. */
static void ignores_a_version_response_that_nobody_waits_for(void)
{
	struct host *h = host_connected(0x50003, 1);
	const unsigned posts = h->post_count;

	host_version(h, 16, 1, 0, 7, 0);
	host_refuse(h);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_CONNECTED);
	CU_ASSERT_EQUAL(h->client.connection_id, 4);
	CU_ASSERT_EQUAL(h->post_count, posts);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE), 2);
	free(h);

	h = host_create(NULL);
	host_version(h, 16, 1, 0, 4, 0);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
	CU_ASSERT_EQUAL(h->post_count, 0);
	free(h);
}

/* R-CONN-029. */
static void masks_features_that_it_did_not_ask_for(void)
{
	const struct vmbus_client_config config = {.features = 0x09, .client_id = {{1, 2, 3}}};
	struct host *h = contacting(&config);

	CU_ASSERT_EQUAL(host_post(h, 0)->bytes, 56);
	CU_ASSERT_EQUAL(get32(host_post(h, 0)->payload + 20), 0x09);
	CU_ASSERT_EQUAL(host_post(h, 0)->payload[40], 1);
	host_version(h, 20, 1, 0, 4, 0xffffffff);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_NEGOTIATED);
	CU_ASSERT_EQUAL(h->client.features, 0x09);
	CU_ASSERT_EQUAL(h->client.child_to_parent_page_gpa, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_VERSION_FIELDS), 1);
	free(h);
}

/* A host that says yes and does not make sense is left, and told so. */
static void nonsense(const struct vmbus_client_config *config, size_t bytes, uint8_t supported,
	uint32_t selected, uint32_t features, enum vmbus_rejection reason)
{
	struct host *h = contacting(config);

	host_version(h, bytes, supported, 0, selected, features);
	CU_ASSERT_EQUAL(host_rejected(h, reason), 1);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_UNLOADING);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 16);
	CU_ASSERT_EQUAL(host_count(h, 3, 0), 0);
	host_unload_complete(h);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_EPROTO);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
	CU_ASSERT_FALSE(h->client.are_pages_lent);
	free(h);
}

/* R-CONN-029. */
static void leaves_a_host_whose_version_response_makes_no_sense(void)
{
	const struct vmbus_client_config pages = {.features = 0x40};

	nonsense(NULL, 20, 2, 4, 0, VMBUS_REJECTION_VERSION_FIELDS);
	nonsense(NULL, 20, 1, 0, 0, VMBUS_REJECTION_VERSION_FIELDS); /* connection id 0 */
	nonsense(NULL, 16, 1, 4, 0, VMBUS_REJECTION_TOO_SMALL);	     /* 6.0 without features */
	nonsense(NULL, 12, 1, 4, 0, VMBUS_REJECTION_TOO_SMALL);
	nonsense(&pages, 20, 1, 4, 0x40, VMBUS_REJECTION_TOO_SMALL); /* no room for the pages */
	nonsense(&pages, 40, 1, 4, 0x40, VMBUS_REJECTION_MONITOR_PAGES);
}

static void uses_the_monitor_pages_of_the_server(void)
{
	const struct vmbus_client_config config = {.features = 0x40,
		.parent_to_child_page_gpa = 0x101000,
		.child_to_parent_page_gpa = 0x102000};
	static const uint64_t to_child[] = {0, 0xfe000, 0xfe001, 0xfe000, 0xfe000};
	static const uint64_t to_parent[] = {0xff000, 0xff000, 0xff000, 0xff800, 0xff008};

	for (unsigned i = 0; i < 5; i++) {
		struct host *h = contacting(&config);
		uint8_t m[40] = {0};
		put32(m, 15);
		m[8] = 1;
		put32(m + 12, 4);
		put32(m + 16, 0x40);
		put64(m + 24, to_child[i]);
		put64(m + 32, to_parent[i]);
		host_send(h, m, sizeof m);
		if (i >= 2) {
			CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_MONITOR_PAGES), 1);
		} else {
			CU_ASSERT_EQUAL(h->client.child_to_parent_page_gpa, 0xff000);
			CU_ASSERT_EQUAL(h->client.parent_to_child_page_gpa, to_child[i]);
		}
		free(h);
	}
	struct host *h = contacting(&config);
	host_version(h, 20, 1, 0, 4, 0); /* not granted: ours stay in force */
	CU_ASSERT_EQUAL(h->client.child_to_parent_page_gpa, 0x102000);
	free(h);
}

/* R-CONN-030. */
static void accepts_a_version_response_that_is_too_long(void)
{
	struct host *h = contacting(NULL);

	host_version(h, 240, 1, 0, 4, 0);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_NEGOTIATED);
	CU_ASSERT_EQUAL(h->client.statistics.messages_rejected, 0);
	free(h);
}

static void accepts_the_short_response_of_the_first_hosts(void)
{
	const struct vmbus_client_config config = {.version_max = 0x0d};
	struct host *h = contacting(&config);

	host_version(h, 9, 1, 0, 0, 0);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_NEGOTIATED);
	free(h);
}

/* R-CONN-031. */
static void retries_a_full_host_with_growing_pauses(void)
{
	struct host *h = host_create(NULL);

	h->status = 0x13;
	h->status_times = 10;
	CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(h->attempts, 1);
	vmbus_client_on_time(&h->client, h->now); /* not before the pause is over */
	CU_ASSERT_EQUAL(h->attempts, 1);
	host_run_until(h, h->now + 10000000);
	CU_ASSERT_EQUAL(h->attempts, 11);
	CU_ASSERT_EQUAL(h->post_count, 1);
	CU_ASSERT_EQUAL(h->client.statistics.post_retries, 10);
	for (unsigned i = 2; i < 11; i++)
		CU_ASSERT_TRUE(h->attempt_times[i] - h->attempt_times[i - 1] >
			       h->attempt_times[i - 1] - h->attempt_times[i - 2]);
	free(h);
}

/* R-CONN-031. */
static void gives_a_full_host_up_after_a_bounded_time(void)
{
	static const int statuses[] = {0x13, 0x0b};

	for (unsigned i = 0; i < 2; i++) {
		struct host *h = host_create(NULL);
		const uint64_t start = h->now;
		h->status = statuses[i];
		h->status_times = UINT32_MAX;
		CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, UINT64_MAX), 0);
		host_run_until(h, UINT64_MAX);
		CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_EIO);
		CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
		CU_ASSERT_TRUE(h->now - start >= VMBUS_CLIENT_POST_LIMIT_100NS);
		CU_ASSERT_TRUE(h->now - start <=
			       VMBUS_CLIENT_POST_LIMIT_100NS + VMBUS_CLIENT_POST_PAUSE_MAX_100NS);
		CU_ASSERT_TRUE(h->attempts < 200);
		free(h);
	}
}

static void does_not_retry_other_statuses(void)
{
	struct host *h = host_create(NULL);

	h->fail_at = 1;
	h->fail_status = 3;
	CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_EIO);
	CU_ASSERT_EQUAL(h->attempts, 1);
	h->fail_at = 2;
	h->fail_status = -VIRIDIAN_ENODEV; /* the hypercall itself is impossible */
	CU_ASSERT_EQUAL(vmbus_client_connect(&h->client, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_ENODEV);
	free(h);
}

static void contact_and_offers_have_a_deadline(void)
{
	struct host *h = contacting(NULL);

	host_run_until(h, UINT64_MAX);
	CU_ASSERT_EQUAL(h->now, DEADLINE);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
	CU_ASSERT_TRUE(h->client.are_pages_lent); /* who knows */
	free(h);

	/* offers never end: the connection is given back, within the grace */
	h = contacting(NULL);
	host_version(h, 20, 1, 0, 4, 0);
	host_offer(h, 1, 1, 0);
	host_run_until(h, DEADLINE);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_UNLOADING);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 16);
	host_run_until(h, UINT64_MAX);
	CU_ASSERT_EQUAL(h->now, DEADLINE + VMBUS_CLIENT_GRACE_100NS);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_EQUAL(h->gone, 1);
	free(h);
}

static void says_where_messages_go_and_names_its_pages(void)
{
	const struct vmbus_client_config config = {.contact_vp = 3,
		.interrupt_page_gpa = 0x100000,
		.parent_to_child_page_gpa = 0x101000,
		.child_to_parent_page_gpa = 0x102000};
	struct host *h = contacting(&config);

	for (size_t i = 0; i < VERSIONS; i++)
		host_refuse(h);
	for (size_t i = 0; i < VERSIONS; i++) {
		const uint8_t *m = h->posts[i].payload;
		/* VP from 3.0; SINT in place of the interrupt page from 5.0 */
		CU_ASSERT_EQUAL(get32(m + 12), versions[i] >= 0x30000 ? 3 : 0);
		CU_ASSERT_EQUAL(get64(m + 16), versions[i] >= 0x50000 ? 2 : 0x100000);
		CU_ASSERT_EQUAL(get64(m + 24), 0x101000);
		CU_ASSERT_EQUAL(get64(m + 32), 0x102000);
	}
	free(h);
}

static void unload_waits_for_its_answer(void)
{
	struct host *h = host_connected(0x50003, 3);

	CU_ASSERT_EQUAL(vmbus_client_unload(&h->client, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(h->client.result, VMBUS_CLIENT_BUSY);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 16);
	CU_ASSERT_EQUAL(host_post(h, 0)->bytes, 8);
	CU_ASSERT_EQUAL(vmbus_client_unload(&h->client, h->now, DEADLINE), -VIRIDIAN_EBUSY);
	host_offer(h, 4, 4, 0); /* nothing else counts any more */
	host_rescind(h, 1);
	CU_ASSERT_EQUAL(h->offers, 3);
	CU_ASSERT_EQUAL(h->rescinds, 0);
	host_unload_complete(h);
	CU_ASSERT_EQUAL(h->client.result, 0);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
	CU_ASSERT_EQUAL(h->gone, 3);
	CU_ASSERT_EQUAL(host_count(h, 13, 0), 0); /* no release after UNLOAD */
	CU_ASSERT_FALSE(h->client.are_pages_lent);
	CU_ASSERT_EQUAL(vmbus_client_version(&h->client), 0);
	CU_ASSERT_PTR_NULL(vmbus_client_offer_next(&h->client, 0));
	free(h);
}

/* R-UNL-011. */
static void unload_proceeds_when_the_answer_never_comes(void)
{
	struct host *h = host_connected(0x50003, 2);
	const uint64_t start = h->now;

	/* 100 s, as on the way down after a crash */
	CU_ASSERT_EQUAL(vmbus_client_unload(&h->client, h->now, start + 1000000000), 0);
	host_run_until(h, start + 999999999);
	CU_ASSERT_EQUAL(h->client.result, VMBUS_CLIENT_BUSY);
	host_run_until(h, start + 1000000000);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
	CU_ASSERT_TRUE(h->client.are_pages_lent);
	CU_ASSERT_EQUAL(h->gone, 2);
	host_unload_complete(h); /* too late */
	CU_ASSERT_EQUAL(h->client.statistics.messages_rejected, 1);
	free(h);
}

/* R-UNL-012. */
static void ignores_unload_complete_when_not_unloading(void)
{
	struct host *h = host_connected(0x50003, 1);

	host_unload_complete(h);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_CONNECTED);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNEXPECTED_RESPONSE), 1);
	CU_ASSERT_EQUAL(h->gone, 0);
	free(h);
}

static void the_first_version_does_not_answer_unload(void)
{
	struct host *h = host_connected(0x0d, 1);

	CU_ASSERT_EQUAL(vmbus_client_unload(&h->client, h->now, DEADLINE), 0);
	CU_ASSERT_EQUAL(post_type(host_post(h, 0)), 16);
	CU_ASSERT_EQUAL(h->client.result, 0);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_DISCONNECTED);
	CU_ASSERT_TRUE(h->client.are_pages_lent); /* nothing was confirmed */
	free(h);
}

/* R-MSG-008. */
static void drops_unknown_and_guest_only_types(void)
{
	struct host *h = host_connected(0x50003, 1);
	static const uint32_t unknown[] = {0, 30, 31, 0x7fffffff, 0xffffffff};
	static const uint32_t guest_only[] = {3, 5, 7, 8, 9, 11, 13, 14, 16, 18, 19, 21, 22};
	const unsigned posts = h->post_count;

	for (unsigned i = 0; i < 5; i++)
		host_send_words(h, unknown[i], 3, 1, 1, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_UNKNOWN_TYPE), 5);
	for (unsigned i = 0; i < 13; i++)
		host_send_words(h, guest_only[i], 3, 1, 1, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_WRONG_DIRECTION), 13);
	host_send_words(h, 26, 3, 0, 0, 0); /* of a feature that was not negotiated */
	host_send_words(h, 28, 3, 0, 0, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_NOT_NEGOTIATED), 2);
	CU_ASSERT_EQUAL(h->post_count, posts);
	CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_CONNECTED);
	free(h);
}

static void checks_sizes_before_fields(void)
{
	static const struct {
		uint32_t type;
		size_t least;
	} rows[] = {{1, 196}, {2, 12}, {4, 8}, {6, 20}, {10, 20}, {12, 12}, {15, 9}, {17, 8},
		{20, 12}, {23, 44}, {24, 16}};

	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct host *h = host_connected(0x50003, 1);
		uint8_t m[255] = {0};
		put32(m, rows[i].type);
		for (size_t bytes = 0; bytes < 256; bytes++) {
			const uint64_t small = host_rejected(h, VMBUS_REJECTION_TOO_SMALL);
			const uint64_t big = host_rejected(h, VMBUS_REJECTION_NOT_CONTROL);
			host_send(h, m, bytes);
			CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_TOO_SMALL) - small,
				bytes < rows[i].least);
			CU_ASSERT_EQUAL(
				host_rejected(h, VMBUS_REJECTION_NOT_CONTROL) - big, bytes > 240);
		}
		CU_ASSERT_EQUAL(h->client.state, VMBUS_CLIENT_CONNECTED);
		free(h);
	}
}

static void takes_only_vmbus_messages_of_the_slot(void)
{
	struct host *h = host_connected(0x50003, 1);
	uint8_t m[12] = {2, [8] = 1};

	vmbus_client_on_message(&h->client, 0x80000010, m, sizeof m, h->now);
	vmbus_client_on_message(&h->client, 0, m, sizeof m, h->now);
	CU_ASSERT_EQUAL(h->rescinds, 0);
	CU_ASSERT_EQUAL(host_rejected(h, VMBUS_REJECTION_NOT_CONTROL), 2);
	free(h);
}

static void ends_everything_when_the_host_is_gone(void)
{
	struct host *h = host_connected(0x50003, 2);
	struct vmbus_client_gpadl gpadl = {0};

	CU_ASSERT_EQUAL(
		vmbus_client_gpadl_create(&h->client, &gpadl, 1, 5, NULL, 3, h->now, DEADLINE), 0);
	vmbus_client_abort(&h->client, -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(gpadl.result, -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(gpadl.state, VMBUS_CLIENT_GPADL_LOST);
	CU_ASSERT_EQUAL(h->client.result, -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(h->gone, 2);
	CU_ASSERT_EQUAL(vmbus_client_next_time(&h->client), UINT64_MAX);
	free(h);
}

static const struct test tests[] = {
	TEST(tries_every_version_from_the_highest_down),
	TEST(keeps_between_the_configured_versions),
	TEST(fails_cleanly_when_no_version_is_accepted),
	TEST(falls_back_to_connection_1_when_4_does_not_exist),
	TEST(takes_0x12_on_connection_1_for_a_throttle),
	TEST(takes_0x12_after_contact_for_a_throttle),
	TEST(treats_a_failed_connection_state_as_failure),
	TEST(ignores_a_version_response_that_nobody_waits_for),
	TEST(masks_features_that_it_did_not_ask_for),
	TEST(leaves_a_host_whose_version_response_makes_no_sense),
	TEST(uses_the_monitor_pages_of_the_server),
	TEST(accepts_a_version_response_that_is_too_long),
	TEST(accepts_the_short_response_of_the_first_hosts),
	TEST(retries_a_full_host_with_growing_pauses),
	TEST(gives_a_full_host_up_after_a_bounded_time),
	TEST(does_not_retry_other_statuses),
	TEST(contact_and_offers_have_a_deadline),
	TEST(says_where_messages_go_and_names_its_pages),
	TEST(unload_waits_for_its_answer),
	TEST(unload_proceeds_when_the_answer_never_comes),
	TEST(ignores_unload_complete_when_not_unloading),
	TEST(the_first_version_does_not_answer_unload),
	TEST(drops_unknown_and_guest_only_types),
	TEST(checks_sizes_before_fields),
	TEST(takes_only_vmbus_messages_of_the_slot),
	TEST(ends_everything_when_the_host_is_gone),
};
TEST_MAIN("vmbus_client_connect", tests)
