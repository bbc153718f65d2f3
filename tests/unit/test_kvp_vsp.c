// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pair exchange, host side: against the packets of a real guest, and against a guest
 * that is slow or silent. Its answers are written out here. Hostile ones are in
 * test_kvp_hostile.c.
 */
#include "tests/unit/kvp_golden.h"
#include "tests/unit/kvp_vsp_rig.h"

/* --- with recorded packets ------------------------------------------------------------------ */

static void exchange_recorded(struct fixture *f, const char *kind)
{
	static struct kvp_golden packet;
	kvp_golden(kind, "h2g", &packet);
	CU_ASSERT_EQUAL_FATAL((f->rig.sent_len + 7) / 8 * 8, packet.len);
	/* The recorded host asked for IPv4 in pool 0. */
	if (strcmp(kind, "get_ip") == 0) {
		packet.bytes[29] = KVP_POOL_GUEST;
		packet.bytes[286] = KVP_FAMILY_BOTH;
	}
	CU_ASSERT_EQUAL(memcmp(f->rig.sent, packet.bytes, f->rig.sent_len), 0);
	kvp_golden(kind, "g2h", &packet);
	f->rig.sent_len = 0;
	rig_give(&f->rig, packet.bytes, packet.len);
}

/*
 * The recorded session from its first message on: the same requests byte for byte, and what
 * comes of Linux' answers. Rules R-KVP-001, R-KVP-003, R-KVP-007, R-KVP-012, R-KVP-020.
 */
static void host_repeats_the_recorded_session_with_linux(void)
{
	struct fixture *f = agreed(4);
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_LIST, KVP_POOL_AUTO)), 0);
	for (unsigned i = 0; i <= KVP_AUTO_COUNT; i++) {
		char kind[24];
		snprintf(kind, sizeof kind, "enumerate_%u", i);
		exchange_recorded(f, kind);
		if (i < KVP_AUTO_COUNT)
			CU_ASSERT_STRING_EQUAL(f->key, kvp_auto_key(i));
	}
	ended(f, 1, KVP_DONE);
	CU_ASSERT_EQUAL(f->items, 10);
	CU_ASSERT_TRUE(f->job->is_at_end);
	CU_ASSERT_STRING_EQUAL(f->value, "x86_64");
	struct kvp_job *job = job_of(f, 0, KVP_JOB_SET, KVP_POOL_EXTERNAL);
	strcpy(job->item.key, "HostKey");
	strcpy(job->item.value, "hello");
	CU_ASSERT_EQUAL(start(f, job), 0);
	exchange_recorded(f, "set");
	ended(f, 2, KVP_DONE);
	job->kind = KVP_JOB_GET;
	CU_ASSERT_EQUAL(start(f, job), 0);
	exchange_recorded(f, "get");
	ended(f, 3, KVP_DONE);
	CU_ASSERT_STRING_EQUAL(job->item.value, ""); /* so it says, though it has "hello" */
	job->kind = KVP_JOB_DELETE;
	CU_ASSERT_EQUAL(start(f, job), 0);
	exchange_recorded(f, "delete");
	ended(f, 4, KVP_DONE);
	job->kind = KVP_JOB_GET;
	CU_ASSERT_EQUAL(start(f, job), 0);
	exchange_recorded(f, "get_absent");
	ended(f, 5, KVP_NOT_FOUND);
	job->kind = KVP_JOB_GET_IP;
	job->ip.family = KVP_FAMILY_BOTH;
	strcpy(job->ip.adapter, "00:15:5D:01:02:03");
	CU_ASSERT_EQUAL(start(f, job), 0);
	exchange_recorded(f, "get_ip");
	ended(f, 6, KVP_DONE);
	CU_ASSERT_EQUAL(job->ip.address_count, 2);
	CU_ASSERT_EQUAL(ic_host_rejections(&f->vsp.session.ic), 0);
	CU_ASSERT_EQUAL(f->vsp.done, 6);
	CU_ASSERT_EQUAL(f->vsp.jobs, 0);
}

/* "KVP enumerate index 5, pool auto" as the notes write it out, but for the transaction id. */
static void host_enumerates_with_the_bytes_of_the_notes(void)
{
	static const uint8_t head[36] = {0x01, 0, 0, 0, 0x28, 0x0A, 0, 0, 0x03, 0, 0, 0, 0x02, 0,
		0x04, 0, 0, 0, 0x14, 0x0A, 0, 0, 0, 0, 0x01, 0x03, 0, 0, 0x03, 0x02, 0, 0, 0x05, 0,
		0, 0};
	static const uint8_t zero[2572];
	struct fixture *f = agreed(4);
	struct kvp_job *job = job_of(f, 0, KVP_JOB_LIST, KVP_POOL_AUTO);
	job->index = 5;
	job->count_max = 1;
	CU_ASSERT_EQUAL(start(f, job), 0);
	CU_ASSERT_EQUAL_FATAL(f->rig.sent_len, 2608);
	CU_ASSERT_EQUAL(memcmp(f->rig.sent, head, sizeof head), 0);
	CU_ASSERT_EQUAL(memcmp(f->rig.sent + 36, zero, sizeof zero), 0);
	respond_pair(f, "OSName", "Linux");
	ended(f, 1, KVP_DONE);
	CU_ASSERT_FALSE(job->is_at_end);
	CU_ASSERT_EQUAL(job->index, 6);
	CU_ASSERT_EQUAL(f->index, 5);
	CU_ASSERT_STRING_EQUAL(f->value, "Linux");
}

/* --- finding ------------------------------------------------------------------------------- */

/* Rule R-KVP-023. */
static void find_stops_at_the_key(void)
{
	struct fixture *f = agreed(5);
	struct kvp_job *job = job_of(f, 0, KVP_JOB_FIND, KVP_POOL_GUEST);
	CU_ASSERT_EQUAL(start(f, job), 0);
	respond_pair(f, "K", "other case");
	respond_pair(f, "kk", "longer");
	CU_ASSERT_EQUAL(f->dones, 0);
	CU_ASSERT_EQUAL(get32(body_of(f) + 4), 2);
	respond_pair(f, "k", "found");
	ended(f, 1, KVP_DONE);
	CU_ASSERT_STRING_EQUAL(job->item.value, "found");
	CU_ASSERT_EQUAL(f->rig.sent_len, 0);
}

/* A job that is used again searches from the beginning; a pair that cannot be read is passed over.
 */
static void find_begins_at_the_first_and_passes_over_what_is_broken(void)
{
	struct fixture *f = agreed(5);
	struct kvp_job *job = job_of(f, 0, KVP_JOB_FIND, KVP_POOL_GUEST);
	uint8_t body[KVP_BODY_BYTES];
	job->index = 7;
	CU_ASSERT_EQUAL(start(f, job), 0);
	CU_ASSERT_EQUAL(get32(body_of(f) + 4), 0);
	memcpy(body, body_of(f), sizeof body);
	pair_put(body + 8, "k", "of no type");
	body[8] = 99;
	respond(f, IC_STATUS_SUCCESS, body, sizeof body);
	CU_ASSERT_EQUAL(f->dones, 0);
	CU_ASSERT_EQUAL(f->vsp.session.ic.rejections[IC_REJECT_BODY_CONTENT], 1);
	respond_pair(f, "k", "found");
	ended(f, 1, KVP_DONE);
	CU_ASSERT_EQUAL(job->reason, KVP_OK);
	CU_ASSERT_STRING_EQUAL(job->item.value, "found");
	/* In a list it is the last that may come. */
	job = job_of(f, 0, KVP_JOB_LIST, KVP_POOL_GUEST);
	job->count_max = 1;
	CU_ASSERT_EQUAL(start(f, job), 0);
	respond(f, IC_STATUS_SUCCESS, body, sizeof body);
	ended(f, 2, KVP_DONE);
	CU_ASSERT_NOT_EQUAL(f->reason, KVP_OK);
}

/* Rules R-KVP-003, R-KVP-004. */
static void enumeration_ends_with_any_failure(void)
{
	struct fixture *f = agreed(4);
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_FIND, KVP_POOL_GUEST)), 0);
	respond(f, IC_STATUS_NO_MORE_ITEMS, NULL, 0);
	ended(f, 1, KVP_NOT_FOUND);
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_LIST, KVP_POOL_GUEST)), 0);
	respond_pair(f, "a", "1");
	respond(f, IC_STATUS_FAIL, NULL, 0);
	ended(f, 2, KVP_REFUSED);
	CU_ASSERT_EQUAL(f->job->status, IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f->job->count, 1);
	CU_ASSERT_FALSE(f->job->is_at_end);
	CU_ASSERT_EQUAL(f->rig.sent_len, 0);
	CU_ASSERT_EQUAL(f->vsp.refused, 1);
}

/* A guest that never comes to an end costs so many messages. Rule R-KVP-029. */
static void enumeration_is_bounded(void)
{
	struct fixture *f = agreed(4);
	struct kvp_job *job = job_of(f, 0, KVP_JOB_LIST, KVP_POOL_GUEST);
	job->index = LIMIT_KVP_ITEMS - 1;
	CU_ASSERT_EQUAL(start(f, job), 0);
	respond_pair(f, "a", "1");
	ended(f, 1, KVP_TOO_MANY);
	CU_ASSERT_EQUAL(f->items, 1);
	job->index = LIMIT_KVP_ITEMS;
	CU_ASSERT_EQUAL(start(f, job), -EINVAL);
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_FIND, KVP_POOL_GUEST)), 0);
	for (unsigned i = 0; i < LIMIT_KVP_ITEMS; i++)
		respond_pair(f, "a", "1");
	ended(f, 2, KVP_TOO_MANY);
	CU_ASSERT_EQUAL(f->rig.sent_len, 0);
}

/* --- waiting ------------------------------------------------------------------------------- */

/* Rule R-IC-009, R-KVP-012: one message at a time, and a turn for each. */
static void jobs_take_turns(void)
{
	struct fixture *f = agreed(4);
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_LIST, KVP_POOL_GUEST)), 0);
	CU_ASSERT_EQUAL(start(f, job_of(f, 1, KVP_JOB_DELETE, KVP_POOL_EXTERNAL)), 0);
	CU_ASSERT_EQUAL(f->rig.sends, 2); /* with the lists */
	respond_pair(f, "a", "1");
	CU_ASSERT_EQUAL(body_of(f)[0], KVP_OPERATION_DELETE);
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	CU_ASSERT_PTR_EQUAL(f->job, &f->jobs[1]);
	CU_ASSERT_EQUAL(body_of(f)[0], KVP_OPERATION_ENUMERATE);
	CU_ASSERT_EQUAL(get32(body_of(f) + 4), 1);
	respond(f, IC_STATUS_NO_MORE_ITEMS, NULL, 0);
	CU_ASSERT_PTR_EQUAL(f->job, &f->jobs[0]);
}

static void jobs_are_bounded(void)
{
	struct fixture *f = agreed(4);
	for (unsigned i = 0; i < LIMIT_KVP_JOBS; i++)
		CU_ASSERT_EQUAL(start(f, job_of(f, i, KVP_JOB_DELETE, KVP_POOL_EXTERNAL)), 0);
	CU_ASSERT_EQUAL(start(f, job_of(f, LIMIT_KVP_JOBS, KVP_JOB_DELETE, 0)), -ENOBUFS);
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	CU_ASSERT_EQUAL(start(f, &f->jobs[LIMIT_KVP_JOBS]), 0);
	for (unsigned i = 0; i < LIMIT_KVP_JOBS; i++)
		respond(f, IC_STATUS_SUCCESS, NULL, 0);
	CU_ASSERT_EQUAL(f->dones, LIMIT_KVP_JOBS + 1);
	CU_ASSERT_EQUAL(f->vsp.jobs, 0);
}

/* Linux' daemon may take 30 seconds before its kernel says fail. Rule R-KVP-013. */
static void an_answer_that_comes_late_but_in_time_is_taken(void)
{
	struct fixture *f = agreed(4);
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_DELETE, 0)), 0);
	f->rig.now += 31 * RIG_SECOND;
	(void)ic_session_on_time(f->rig.session, f->rig.now);
	CU_ASSERT_EQUAL(f->dones, 0);
	respond(f, IC_STATUS_FAIL, NULL, 0);
	ended(f, 1, KVP_REFUSED);
}

static void silence_ends_a_job_and_the_next_has_its_turn(void)
{
	struct fixture *f = agreed(4);
	static uint8_t late[2608];
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_DELETE, 0)), 0);
	CU_ASSERT_EQUAL(start(f, job_of(f, 1, KVP_JOB_DELETE, 0)), 0);
	f->jobs[1].end_by_ns = IC_SESSION_NEVER - 1; /* it has time */
	memcpy(late, f->rig.sent, sizeof late);
	late[25] = 5;
	rig_tick(&f->rig);
	ended(f, 1, KVP_NO_ANSWER);
	CU_ASSERT_PTR_EQUAL(f->job, &f->jobs[0]);
	CU_ASSERT_EQUAL(f->rig.sends, 3);
	/* The answer to the first is not taken for one to the second. */
	rig_give(&f->rig, late, sizeof late);
	CU_ASSERT_EQUAL(f->dones, 1);
	CU_ASSERT_EQUAL(f->vsp.session.ic.rejections[IC_REJECT_TRANSACTION_ID], 1);
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	ended(f, 2, KVP_DONE);
}

static void patience_is_the_jobs_own_and_counts_from_its_last_progress(void)
{
	struct fixture *f = agreed(4);
	struct kvp_job *list = job_of(f, 0, KVP_JOB_LIST, 0);
	struct kvp_job *waiting = job_of(f, 1, KVP_JOB_DELETE, 0);
	list->patience_ns = 3 * RIG_SECOND;
	waiting->patience_ns = RIG_SECOND;
	CU_ASSERT_EQUAL(start(f, list), 0);
	CU_ASSERT_EQUAL(start(f, waiting), 0);
	/* Who only waits is told at its own time. */
	rig_tick(&f->rig);
	CU_ASSERT_EQUAL(f->rig.now, 101 * RIG_SECOND);
	ended(f, 1, KVP_NO_ANSWER);
	CU_ASSERT_PTR_EQUAL(f->job, waiting);
	CU_ASSERT_EQUAL(f->rig.sends, 2);
	f->rig.now += RIG_SECOND;
	respond_pair(f, "a", "1");
	rig_tick(&f->rig);
	CU_ASSERT_EQUAL(f->rig.now, 105 * RIG_SECOND);
	ended(f, 2, KVP_NO_ANSWER);
	CU_ASSERT_EQUAL(list->count, 1);
}

/* A guest whose daemon does not run says nothing for 55 seconds. Rule R-KVP-030. */
static void a_guest_without_its_daemon_is_waited_for(void)
{
	struct fixture *f = &fixture;
	open_host(f);
	for (unsigned i = 0; i < 6; i++) {
		rig_tick(&f->rig);
		CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_DELETE, 0)), -ENOTCONN);
	}
	CU_ASSERT_TRUE(f->rig.now >= 155 * RIG_SECOND);
	CU_ASSERT_PTR_NULL(f->rig.failure);
	agree(f, 4);
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_DELETE, 0)), 0);
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	ended(f, 1, KVP_DONE);
}

static void a_channel_that_closes_ends_all_jobs(void)
{
	struct fixture *f = agreed(4);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(start(f, job_of(f, i, KVP_JOB_DELETE, 0)), 0);
	f->follow = job_of(f, 3, KVP_JOB_DELETE, 0);
	ic_session_on_close(&f->vsp.session, f->rig.now);
	ended(f, 3, KVP_CLOSED);
	CU_ASSERT_EQUAL(f->follow_error, -ENOTCONN);
	CU_ASSERT_EQUAL(f->vsp.jobs, 0);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f->vsp.session), IC_SESSION_NEVER);
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_DELETE, 0)), -ENOTCONN);
}

static void a_job_may_be_started_when_one_is_done(void)
{
	struct fixture *f = agreed(4);
	f->follow = job_of(f, 1, KVP_JOB_DELETE, 0);
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_DELETE, 0)), 0);
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	CU_ASSERT_EQUAL(f->follow_error, 0);
	CU_ASSERT_EQUAL(f->dones, 1);
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	CU_ASSERT_EQUAL(f->dones, 2);
}

/* Whoever is told of the end of its waiting may take another out of the queue, to use it anew. */
static struct kvp_vsp *cancelled_in;
static struct kvp_job *cancelled;

static void done_and_cancel(struct kvp_job *job, enum kvp_result result)
{
	on_done(job, result);
	kvp_vsp_cancel(cancelled_in, cancelled);
	memset(cancelled, 0xee, sizeof *cancelled);
}

static void another_may_be_cancelled_when_one_has_waited_enough(void)
{
	struct fixture *f = agreed(4);
	for (unsigned i = 0; i < 4; i++) {
		struct kvp_job *job = job_of(f, i, KVP_JOB_DELETE, 0);
		if (i == 1 || i == 2)
			job->patience_ns = RIG_SECOND;
		if (i == 1)
			job->done = done_and_cancel;
		CU_ASSERT_EQUAL(start(f, job), 0);
	}
	cancelled_in = &f->vsp;
	cancelled = &f->jobs[2];
	rig_tick(&f->rig);
	ended(f, 1, KVP_NO_ANSWER);
	CU_ASSERT_PTR_EQUAL(f->job, &f->jobs[1]);
	CU_ASSERT_EQUAL(f->vsp.jobs, 2);
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	ended(f, 3, KVP_DONE);
	CU_ASSERT_PTR_EQUAL(f->job, &f->jobs[3]);
}

static void cancelled_jobs_are_never_done(void)
{
	struct fixture *f = agreed(4);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(start(f, job_of(f, i, KVP_JOB_DELETE, 0)), 0);
	kvp_vsp_cancel(&f->vsp, &f->jobs[0]); /* its message is under way */
	kvp_vsp_cancel(&f->vsp, &f->jobs[1]);
	kvp_vsp_cancel(&f->vsp, &f->jobs[1]); /* nothing */
	CU_ASSERT_EQUAL(f->vsp.jobs, 1);
	CU_ASSERT_EQUAL(f->rig.sends, 2);
	CU_ASSERT_EQUAL(start(f, &f->jobs[1]), 0);
	CU_ASSERT_EQUAL(f->rig.sends, 2); /* still one message at a time */
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	CU_ASSERT_EQUAL(f->dones, 0);
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	CU_ASSERT_PTR_EQUAL(f->job, &f->jobs[2]);
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	CU_ASSERT_PTR_EQUAL(f->job, &f->jobs[1]);
	CU_ASSERT_EQUAL(f->vsp.jobs, 0);
	/* One whose message stays unanswered. */
	CU_ASSERT_EQUAL(start(f, &f->jobs[0]), 0);
	kvp_vsp_cancel(&f->vsp, &f->jobs[0]);
	CU_ASSERT_EQUAL(start(f, &f->jobs[1]), 0);
	f->jobs[1].end_by_ns = IC_SESSION_NEVER - 1;
	rig_tick(&f->rig);
	CU_ASSERT_EQUAL(f->dones, 2);
	respond(f, IC_STATUS_SUCCESS, NULL, 0);
	ended(f, 3, KVP_DONE);
}

static void a_full_ring_ends_the_job_unsent(void)
{
	struct fixture *f = agreed(4);
	f->rig.send_result = -EAGAIN;
	CU_ASSERT_EQUAL(start(f, job_of(f, 0, KVP_JOB_DELETE, 0)), 0);
	ended(f, 1, KVP_UNSENT);
	CU_ASSERT_EQUAL(f->job->reason, KVP_OK);
	CU_ASSERT_EQUAL(f->vsp.jobs, 0);
}

/* --- what is asked ------------------------------------------------------------------------- */

static void what_cannot_be_sent_is_refused_at_once(void)
{
	static const struct {
		enum kvp_job_kind kind;
		uint8_t pool;
		uint32_t type;
		const char *key;
		const char *value;
		enum kvp_reason reason;
	} rows[] = {
		{KVP_JOB_LIST, 4, 1, "k", "", KVP_BAD_POOL},
		{KVP_JOB_GET, 255, 1, "k", "", KVP_BAD_POOL},
		{KVP_JOB_SET, KVP_POOL_AUTO, 1, "k", "", KVP_BAD_POOL},
		{KVP_JOB_DELETE, KVP_POOL_AUTO, 1, "k", "", KVP_BAD_POOL},
		{KVP_JOB_FIND, 1, 1, "", "", KVP_EMPTY_KEY},
		{KVP_JOB_DELETE, 1, 1, "", "", KVP_EMPTY_KEY},
		{KVP_JOB_SET, 1, 1, "", "", KVP_EMPTY_KEY},
		{KVP_JOB_GET, 1, 1, "\xff", "", KVP_BAD_TEXT},
		{KVP_JOB_SET, 1, 1, "k", "\xff", KVP_BAD_TEXT},
		{KVP_JOB_SET, 1, 7, "k", "", KVP_BAD_TYPE},
	};
	struct fixture *f = agreed(4);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct kvp_job *job = job_of(f, 0, rows[i].kind, rows[i].pool);
		job->item.type = rows[i].type;
		snprintf(job->item.key, sizeof job->item.key, "%s", rows[i].key);
		snprintf(job->item.value, sizeof job->item.value, "%s", rows[i].value);
		CU_ASSERT_EQUAL(start(f, job), -EINVAL);
		CU_ASSERT_EQUAL(job->reason, rows[i].reason);
	}
	struct kvp_job *job = job_of(f, 0, KVP_JOB_SET, 0);
	memset(job->item.key, 'k', 256);
	CU_ASSERT_EQUAL(start(f, job), -EINVAL);
	CU_ASSERT_EQUAL(job->reason, KVP_NO_ROOM);
	CU_ASSERT_EQUAL(f->rig.sends, 1);
	CU_ASSERT_EQUAL(f->dones, 0);
}

/* Rule R-KVP-011: the text form below 5.0, binary from there on, both in 7428 bytes. */
static void addresses_go_in_the_form_of_the_version(void)
{
	for (uint8_t major = 3; major <= 5; major++) {
		struct fixture *f = agreed(major);
		struct kvp_job *job = job_of(f, 0, KVP_JOB_SET_IP, 0);
		job->ip.family = KVP_FAMILY_IPV4;
		strcpy(job->ip.adapter, "{a}");
		CU_ASSERT_TRUE(kvp_address_parse("10.0.0.2", 8, &job->ip.addresses[0]));
		job->ip.addresses[0].prefix = 8;
		job->ip.address_count = 1;
		CU_ASSERT_EQUAL(start(f, job), 0);
		CU_ASSERT_EQUAL(f->rig.sent_len, 28 + 7428);
		CU_ASSERT_EQUAL(get32(f->rig.sent + 4), 7448);
		CU_ASSERT_EQUAL(body_of(f)[0], KVP_OPERATION_SET_IP);
		if (major < 5) {
			CU_ASSERT_EQUAL(memcmp(body_of(f) + 2, "{\0a\0}\0\0", 8), 0);
			CU_ASSERT_EQUAL(memcmp(body_of(f) + 260, "1\0000\0.\0", 6), 0);
		} else {
			CU_ASSERT_EQUAL(get32(body_of(f) + 4), 1);
			CU_ASSERT_EQUAL(memcmp(body_of(f) + 28, "{\0a\0}\0\0", 8), 0);
			CU_ASSERT_EQUAL(memcmp(body_of(f) + 288, "\x0a\0\0\x02", 4), 0);
		}
		respond(f, IC_STATUS_NOT_FOUND, NULL, 0);
		ended(f, 1, KVP_REFUSED);
	}
	/* A prefix is needed in binary. */
	struct fixture *f = agreed(5);
	struct kvp_job *job = job_of(f, 0, KVP_JOB_SET_IP, 0);
	CU_ASSERT_TRUE(kvp_address_parse("10.0.0.2", 8, &job->ip.addresses[0]));
	job->ip.address_count = 1;
	CU_ASSERT_EQUAL(start(f, job), -EINVAL);
	CU_ASSERT_EQUAL(job->reason, KVP_BAD_SUBNETS);
}

static const struct test tests[] = {
	TEST(host_repeats_the_recorded_session_with_linux),
	TEST(host_enumerates_with_the_bytes_of_the_notes),
	TEST(find_stops_at_the_key),
	TEST(find_begins_at_the_first_and_passes_over_what_is_broken),
	TEST(enumeration_ends_with_any_failure),
	TEST(enumeration_is_bounded),
	TEST(jobs_take_turns),
	TEST(jobs_are_bounded),
	TEST(an_answer_that_comes_late_but_in_time_is_taken),
	TEST(silence_ends_a_job_and_the_next_has_its_turn),
	TEST(patience_is_the_jobs_own_and_counts_from_its_last_progress),
	TEST(a_guest_without_its_daemon_is_waited_for),
	TEST(a_channel_that_closes_ends_all_jobs),
	TEST(a_job_may_be_started_when_one_is_done),
	TEST(another_may_be_cancelled_when_one_has_waited_enough),
	TEST(cancelled_jobs_are_never_done),
	TEST(a_full_ring_ends_the_job_unsent),
	TEST(what_cannot_be_sent_is_refused_at_once),
	TEST(addresses_go_in_the_form_of_the_version),
};

TEST_MAIN("kvp_vsp", tests)
