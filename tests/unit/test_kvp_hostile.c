// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pair exchange, host side, against a guest whose answers break the rules: at each
 * bound and one past it.
 */
#include "tests/unit/kvp_vsp_rig.h"

static void bad(struct fixture *f, enum kvp_reason reason, unsigned count)
{
	ended(f, f->dones, KVP_BAD_ANSWER);
	CU_ASSERT_EQUAL(f->job->reason, reason);
	CU_ASSERT_EQUAL(f->vsp.bad[reason], count);
	CU_ASSERT_EQUAL(f->vsp.session.ic.last_rejection, IC_REJECT_BODY_CONTENT);
}

/* Rule R-KVP-021: size, operation, pool, index and key are those that were asked. */
static void answers_to_something_else_are_refused(void)
{
	struct fixture *f = agreed(4);
	static uint8_t body[KVP_BODY_BYTES];
	struct kvp_job *job = job_of(f, 0, KVP_JOB_LIST, KVP_POOL_GUEST);
	CU_ASSERT_EQUAL(start(f, job), 0);
	memcpy(body, body_of(f), sizeof body);
	pair_put(body + 8, "k", "v");
	body[0] = KVP_OPERATION_GET;
	respond(f, IC_STATUS_SUCCESS, body, sizeof body);
	bad(f, KVP_BAD_OPERATION, 1);
	CU_ASSERT_EQUAL(start(f, job), 0);
	body[0] = KVP_OPERATION_ENUMERATE;
	body[1] = KVP_POOL_AUTO;
	respond(f, IC_STATUS_SUCCESS, body, sizeof body);
	bad(f, KVP_BAD_POOL, 1);
	CU_ASSERT_EQUAL(start(f, job), 0);
	body[1] = KVP_POOL_GUEST;
	body[4] = 1;
	respond(f, IC_STATUS_SUCCESS, body, sizeof body);
	bad(f, KVP_BAD_INDEX, 1);
	CU_ASSERT_EQUAL(f->items, 0);
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_GET, KVP_POOL_GUEST)), 0);
	respond_pair(f, "kk", "v");
	bad(f, KVP_BAD_KEY, 1);
	/* A body one byte too short for each operation, and one that just does. */
	static const struct {
		enum kvp_job_kind kind;
		uint16_t needs;
	} rows[] = {{KVP_JOB_GET, 2576}, {KVP_JOB_SET, 2576}, {KVP_JOB_DELETE, 520},
		{KVP_JOB_LIST, 2580}, {KVP_JOB_GET_IP, 7428}, {KVP_JOB_SET_IP, 7428}};
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (uint16_t size = (uint16_t)(rows[i].needs - 1); size <= rows[i].needs; size++) {
			job = job_of(f, 0, rows[i].kind, KVP_POOL_GUEST);
			job->count_max = 1;
			CU_ASSERT_EQUAL(start(f, job), 0);
			if (rows[i].kind == KVP_JOB_GET || rows[i].kind == KVP_JOB_LIST)
				pair_put(body_of(f) + (rows[i].kind == KVP_JOB_GET ? 4 : 8), "k",
					"v");
			memcpy(f->rig.sent + 18, &size, 2);
			uint32_t pipe = 20u + size;
			memcpy(f->rig.sent + 4, &pipe, 4);
			f->rig.sent_len = 28u + size;
			respond(f, IC_STATUS_SUCCESS, NULL, 0);
			ended(f, f->dones, size < rows[i].needs ? KVP_BAD_ANSWER : KVP_DONE);
		}
	}
	CU_ASSERT_EQUAL(f->vsp.bad[KVP_BAD_SIZE], 6);
	CU_ASSERT_PTR_NULL(f->rig.failure);
}

/* R-KVP-014, R-KVP-015, R-KVP-016, R-KVP-031: such a pair is shown, the others are read. */
static void pairs_that_cannot_be_read_do_not_hide_the_others(void)
{
	struct fixture *f = agreed(4);
	static uint8_t body[KVP_BODY_BYTES];
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_LIST, KVP_POOL_GUEST)), 0);
	memcpy(body, body_of(f), sizeof body);
	pair_put(body + 8, "a", "v");
	body[8] = 3;
	respond(f, IC_STATUS_SUCCESS, body, sizeof body);
	CU_ASSERT_EQUAL(f->items, 1);
	CU_ASSERT_EQUAL(f->reason, KVP_BAD_TYPE);
	CU_ASSERT_STRING_EQUAL(f->key, "a");
	respond_pair(f, "b", "w");
	CU_ASSERT_EQUAL(f->reason, KVP_OK);
	CU_ASSERT_STRING_EQUAL(f->key, "b");
	memcpy(body, body_of(f), sizeof body);
	pair_put(body + 8, "c", "v");
	body[13] = 0xFF; /* key_bytes */
	respond(f, IC_STATUS_SUCCESS, body, sizeof body);
	CU_ASSERT_EQUAL(f->reason, KVP_BAD_KEY_SIZE);
	CU_ASSERT_STRING_EQUAL(f->key, "");
	/* Lone surrogates are shown as U+FFFD. */
	memcpy(body, body_of(f), sizeof body);
	pair_put(body + 8, "d", "v");
	body[8 + 525] = 0xDC;
	respond(f, IC_STATUS_SUCCESS, body, sizeof body);
	CU_ASSERT_EQUAL(f->reason, KVP_OK);
	CU_ASSERT_STRING_EQUAL(f->value, "\xef\xbf\xbd");
	respond(f, IC_STATUS_NO_MORE_ITEMS, NULL, 0);
	ended(f, 1, KVP_DONE);
	CU_ASSERT_EQUAL(f->items, 4);
	CU_ASSERT_EQUAL(f->vsp.session.ic.rejections[IC_REJECT_BODY_CONTENT], 2);
}

/* Rule R-KVP-017. */
static void addresses_that_cannot_be_are_refused(void)
{
	struct fixture *f = agreed(5);
	static uint8_t body[KVP_IP_BODY_BYTES];
	for (unsigned i = 0; i < 6; i++) {
		CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_GET_IP, 0)), 0);
		memcpy(body, body_of(f), sizeof body);
		body[4 + 4 * i] = i == 2 || i == 3 ? 6 : 65;
		respond(f, IC_STATUS_SUCCESS, body, sizeof body);
		bad(f, KVP_BAD_COUNT, i + 1);
	}
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_GET_IP, 0)), 0);
	memcpy(body, body_of(f), sizeof body);
	memset(body + 28, 'x', 256);
	respond(f, IC_STATUS_SUCCESS, body, sizeof body);
	bad(f, KVP_BAD_END, 1);
}

/* Rule R-IC-036: so many bad answers, and the channel is given up. */
static void a_flood_of_bad_answers_ends_the_channel(void)
{
	struct fixture *f = agreed(4);
	unsigned rounds = 0;
	while (f->rig.failure == NULL && rounds < 1000) {
		struct kvp_job *job = job_of(f, 0, KVP_JOB_GET, KVP_POOL_GUEST);
		CU_ASSERT_EQUAL_FATAL(start(f, job), 0);
		respond_pair(f, "other", "v");
		rounds++;
	}
	CU_ASSERT_EQUAL(rounds, IC_HOST_REJECTIONS_MAX + 1);
	CU_ASSERT_EQUAL(f->dones, rounds);
	CU_ASSERT_EQUAL(f->vsp.jobs, 0);
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_GET, 0)), -ENOTCONN);
}

static const struct test tests[] = {
	TEST(answers_to_something_else_are_refused),
	TEST(pairs_that_cannot_be_read_do_not_hide_the_others),
	TEST(addresses_that_cannot_be_are_refused),
	TEST(a_flood_of_bad_answers_ends_the_channel),
};

TEST_MAIN("kvp_hostile", tests)
