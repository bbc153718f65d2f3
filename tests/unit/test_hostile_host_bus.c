// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's bus against a host that answers every hypercall, but each one late; and
 * against one that leaves a hypercall unanswered. Deadlines hold, and memory that the host
 * may still write is used for nothing else.
 */
#include "tests/harness.h"
#include "tests/unit/vmbus_bus_peer.h"

#include "protocol/hypervisor.h"

/* What one hypercall or MSR access takes: just less than the platform's patience. */
#define SLOW	 (5 * SECOND - 1)
#define PATIENCE (10 * SECOND)

/* How late a call may come back: its grace, and what was under way as its time was over. */
#define LATE (VMBUS_CLIENT_GRACE_100NS + 3 * SLOW)

static bool is_post_slow, is_eom_slow, is_hypercall_lost;

static int slow_hypercall(void *ctx, uint32_t vp, uint64_t control, uint64_t input, uint64_t output,
	struct winhv_xmm *xmm, uint64_t *result)
{
	struct platform_scripted *script = ctx;
	if (is_hypercall_lost)
		return -VIRIDIAN_ETIMEDOUT;
	if (is_post_slow)
		script->now_100ns += SLOW;
	return platform_scripted_ops.hypercall(ctx, vp, control, input, output, xmm, result);
}

static int slow_msr_write(void *ctx, uint32_t vp, uint32_t msr, uint64_t value)
{
	struct platform_scripted *script = ctx;
	if (is_eom_slow && msr == HV_X64_MSR_EOM)
		script->now_100ns += SLOW;
	return platform_scripted_ops.msr_write(ctx, vp, msr, value);
}

static struct winhv_platform_ops slow_ops;

static struct peer *slow_peer(void)
{
	struct peer *p = peer_connected(VMBUS_VERSION_5_3, NULL, 1);
	slow_ops = platform_scripted_ops;
	slow_ops.hypercall = slow_hypercall;
	slow_ops.msr_write = slow_msr_write;
	p->hv.ops = &slow_ops;
	is_post_slow = false;
	is_eom_slow = false;
	is_hypercall_lost = false;
	return p;
}

static void junk_queue(struct peer *p, unsigned count)
{
	static const uint8_t junk[8] = {99};
	for (unsigned i = 0; i < count; i++)
		CU_ASSERT_EQUAL(
			platform_scripted_message(&p->script, 0, 2, 1, junk, sizeof junk), 0);
}

static void slow_posts_do_not_outlast_the_deadline(void)
{
	struct peer *p = slow_peer();
	struct winhv_pages pages;
	struct vmbus_gpadl gpadl = {0};
	CU_ASSERT_EQUAL(winhv_pages_alloc(&p->hv, 300 * 4096, &pages), 0); /* 11 messages */
	const uint64_t start = p->script.now_100ns;
	is_post_slow = true;
	CU_ASSERT_EQUAL(vmbus_gpadl_create(p->bus, 1, &pages, &gpadl, start + PATIENCE),
		-VIRIDIAN_ETIMEDOUT);
	CU_ASSERT(p->script.now_100ns - start <= PATIENCE + LATE);
	CU_ASSERT(vmbus_gpadl_is_lent(&gpadl));
	/* A host that is merely slow gets its time. */
	struct vmbus_gpadl patient = {0};
	CU_ASSERT_EQUAL(winhv_pages_alloc(&p->hv, 100 * 4096, &pages), 0); /* 4 messages */
	CU_ASSERT_EQUAL(vmbus_gpadl_create(
				p->bus, 1, &pages, &patient, p->script.now_100ns + 10 * PATIENCE),
		0);
	peer_destroy(p);
}

static void slow_end_of_message_does_not_outlast_the_deadline(void)
{
	struct peer *p = slow_peer();
	struct winhv_pages pages;
	struct vmbus_gpadl gpadl = {0};
	CU_ASSERT_EQUAL(winhv_pages_alloc(&p->hv, 4096, &pages), 0);
	p->is_silent[8] = true;
	junk_queue(p, 200);
	const uint64_t start = p->script.now_100ns;
	is_eom_slow = true;
	CU_ASSERT_EQUAL(vmbus_gpadl_create(p->bus, 1, &pages, &gpadl, start + PATIENCE),
		-VIRIDIAN_ETIMEDOUT);
	CU_ASSERT(p->script.now_100ns - start <= PATIENCE + LATE);
	is_eom_slow = false;
	peer_destroy(p);
}

static void slow_end_of_stale_messages_does_not_outlast_the_deadline(void)
{
	struct peer *p = slow_peer();
	CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), 0);
	junk_queue(p, 200);
	const uint64_t start = p->script.now_100ns;
	is_eom_slow = true;
	CU_ASSERT_EQUAL(vmbus_connect(p->bus, start + PATIENCE), -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT(p->script.now_100ns - start <= PATIENCE + LATE);
	is_eom_slow = false;
	peer_destroy(p);
}

static void pages_of_an_unanswered_hypercall_are_not_used_again(void)
{
	struct peer *p = slow_peer();
	uint16_t status;
	uint8_t output[16];
	CU_ASSERT_EQUAL(vmbus_unload(p->bus, peer_deadline(p)), 0);
	is_hypercall_lost = true;
	CU_ASSERT_EQUAL(winhv_hypercall(&p->hv, HV_CALL_POST_MESSAGE, output, sizeof output, output,
				sizeof output, &status),
		-VIRIDIAN_ETIMEDOUT);
	const uint64_t before = p->hv.pages_abandoned;
	winhv_shutdown(&p->hv);
	CU_ASSERT_EQUAL(p->hv.pages_abandoned, before + 2);
	CU_ASSERT_EQUAL(p->script.pages_used, 2);
	free(p->bus);
	free(p->memory);
	free(p);
}

static const struct test tests[] = {
	TEST(slow_posts_do_not_outlast_the_deadline),
	TEST(slow_end_of_message_does_not_outlast_the_deadline),
	TEST(slow_end_of_stale_messages_does_not_outlast_the_deadline),
	TEST(pages_of_an_unanswered_hypercall_are_not_used_again),
};
TEST_MAIN("hostile_host_bus", tests)
