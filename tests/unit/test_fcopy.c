// SPDX-License-Identifier: Apache-2.0
/*
 * File copy: the host's machine against the bytes of the document, each failure and hostile
 * guests; and both machines wired to each other.
 */
#include "tests/unit/fcopy_rig.h"

/* --- with the bytes of the document --- */

static int read_abc(void *ctx, uint64_t offset, uint8_t *to, uint32_t bytes)
{
	(void)ctx;
	CU_ASSERT_TRUE(offset + bytes <= 3);
	memcpy(to, &"abc"[offset], bytes);
	return 0;
}

static const struct fcopy_vsp_ops abc_ops = {
	.session = {.send = rig_send, .failed = rig_failed},
	.read = read_abc,
	.done = on_done,
};

/* R-FCOPY-002, R-FCOPY-014. The transaction ids go on from the negotiation's. */
static void host_sends_the_bytes_of_the_document(void)
{
	static uint8_t want[6224];
	struct fixture f;
	size_t len;
	agreed(&f);
	f.vsp.ops = &abc_ops;
	struct fcopy_vsp_request request = plain;
	request.overwrites = request.creates_path = true;
	memset(f.vsp.write.data, 0xEE, sizeof f.vsp.write.data); /* of a file before */
	CU_ASSERT_EQUAL(start(&f, &request), 0);
	for (unsigned i = 0; i < 3; i++) {
		golden(i, want, &len);
		want[AT_TRANSACTION] = (uint8_t)(i + 1);
		CU_ASSERT_EQUAL_FATAL(f.rig.sent_len, len);
		CU_ASSERT_EQUAL(memcmp(f.rig.sent, want, len), 0);
		answer_with(&f, 0);
	}
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_COPIED);
	CU_ASSERT_TRUE(f.end.is_clean);
}

/* --- sizes --------------------------------------------------------------------------------- */

/* R-FCOPY-007, R-FCOPY-002. */
static void every_size_arrives_as_it_was(void)
{
	static const struct {
		uint64_t size;
		unsigned writes;
	} cases[] = {{0, 0}, {1, 1}, {6143, 1}, {6144, 1}, {6145, 2}, {12288, 2}, {1000000, 163}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (unsigned late = 0; late < 2; late++) {
			struct fixture f;
			agreed(&f);
			f.reads_late = late != 0;
			CU_ASSERT_EQUAL(start_sized(&f, cases[i].size), 0);
			talk(&f);
			CU_ASSERT_EQUAL(f.dones, 1);
			CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_COPIED);
			CU_ASSERT_EQUAL(f.size, cases[i].size);
			CU_ASSERT_EQUAL(f.end_of_data, cases[i].size);
			CU_ASSERT_EQUAL(f.writes, cases[i].writes);
			CU_ASSERT_EQUAL(f.completes, 1);
			CU_ASSERT_FALSE(f.is_wrong);
			CU_ASSERT_EQUAL(f.vsp.copied_bytes, cases[i].size);
			CU_ASSERT_EQUAL(f.read_bytes, 0); /* the last look */
			CU_ASSERT_EQUAL(f.read_offset, cases[i].size);
		}
	}
}

static void a_file_over_4_gib_arrives(void)
{
	struct fixture f;
	agreed(&f);
	f.is_zero = true;
	const uint64_t size = 4 * GIB + 5;
	CU_ASSERT_EQUAL(start_sized(&f, size), 0);
	talk(&f);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_COPIED);
	CU_ASSERT_EQUAL(f.end_of_data, size);
	CU_ASSERT_EQUAL(f.writes, (size + 6143) / 6144);
	CU_ASSERT_FALSE(f.is_wrong);
	CU_ASSERT_EQUAL(ic_guest_rejections(&f.guest.ic), 0);
}

/* Names of every kind of character go through UTF-16 and back. */
static void names_arrive_as_they_were(void)
{
	static const char *const names[] = {"a", "Grüße.txt", "\xe6\x96\x87.bin",
		"\xf0\x9f\x98\x80", "with space", "-rf", ".hidden", "..."};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct fixture f;
		agreed(&f);
		const struct fcopy_vsp_request request = {.name = names[i], .path = "/d/ü"};
		CU_ASSERT_EQUAL(start(&f, &request), 0);
		talk(&f);
		CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_COPIED);
		CU_ASSERT_STRING_EQUAL(f.name, names[i]);
		CU_ASSERT_STRING_EQUAL(f.path, "/d/ü");
		CU_ASSERT_FALSE(f.overwrites);
		CU_ASSERT_FALSE(f.creates_path);
	}
}

/* --- host ---------------------------------------------------------------------------------- */

/* R-FCOPY-023, R-IC-009. */
static void host_says_at_once_that_nobody_is_there(void)
{
	struct fixture f;
	memset(&f, 0, sizeof f);
	fcopy_vsp_init(&f.vsp, &vsp_ops, &f);
	CU_ASSERT_EQUAL(start(&f, &plain), -ENOTCONN);
	opened(&f);
	CU_ASSERT_EQUAL(start(&f, &plain), -ENOTCONN);
	agreed(&f);
	CU_ASSERT_EQUAL(start(&f, &plain), 0);
	CU_ASSERT_EQUAL(start(&f, &plain), -EBUSY);
	CU_ASSERT_EQUAL(f.dones, 0);
}

/* R-FCOPY-016, at the limit and one past it. */
static void host_refuses_names_that_the_guest_cannot_take(void)
{
	static char text[400];
	struct fixture f;
	struct fcopy_vsp_request request = plain;
	agreed(&f);
	const unsigned sends = f.rig.sends;
	static const char *const bad[] = {"", "a/b", "/"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		request.name = bad[i];
		CU_ASSERT_EQUAL(start(&f, &request), -EINVAL);
	}
	request.name = "a\xff";
	CU_ASSERT_EQUAL(start(&f, &request), -EILSEQ);
	request.name = "\xed\xa0\x80"; /* a surrogate */
	CU_ASSERT_EQUAL(start(&f, &request), -EILSEQ);
	request = plain;
	request.path = "/\xc3";
	CU_ASSERT_EQUAL(start(&f, &request), -EILSEQ);
	request = plain;
	for (size_t i = 0; i < 260; i += 2) /* 130 units, 260 bytes */
		memcpy(text + i, "\xc3\xbc", 2);
	request.name = text;
	CU_ASSERT_EQUAL(start(&f, &request), -ENAMETOOLONG);
	request = plain;
	request.size_bytes = 1ull << 63;
	CU_ASSERT_EQUAL(start(&f, &request), -EFBIG);
	request = plain;
	memset(text, 'x', sizeof text - 1);
	request.name = text;
	CU_ASSERT_EQUAL(start(&f, &request), -ENAMETOOLONG);
	text[260] = '\0';
	CU_ASSERT_EQUAL(start(&f, &request), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(f.rig.sends, sends);
	text[259] = '\0';
	CU_ASSERT_EQUAL(start(&f, &request), 0);
	CU_ASSERT_EQUAL(f.rig.sent[64 + 2 * 258], 'x');
	CU_ASSERT_EQUAL(f.rig.sent[64 + 2 * 259], 0);
	talk(&f);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_COPIED);
	CU_ASSERT_STRING_EQUAL(f.name, text);
}

/* R-FCOPY-024; a start that failed leaves nothing to cancel. */
static void host_tells_the_statuses_of_a_start_apart(void)
{
	static const struct {
		uint32_t status;
		enum fcopy_result result;
	} cases[] = {
		{0x80070050, FCOPY_RESULT_EXISTS},
		{0x80070070, FCOPY_RESULT_FULL},
		{0x80070005, FCOPY_RESULT_DENIED},
		{0x80004005, FCOPY_RESULT_REFUSED},
		{1, FCOPY_RESULT_REFUSED},
	};
	struct fixture f;
	agreed(&f);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CU_ASSERT_EQUAL(start(&f, &plain), 0);
		answer_with(&f, cases[i].status);
		CU_ASSERT_EQUAL(f.dones, i + 1);
		CU_ASSERT_EQUAL(f.end.result, cases[i].result);
		CU_ASSERT_EQUAL(f.end.status, cases[i].status);
		CU_ASSERT_EQUAL(f.end.state, FCOPY_STATE_STARTING);
		CU_ASSERT_TRUE(f.end.is_clean);
		CU_ASSERT_EQUAL(f.rig.sent_len, 0);
	}
	CU_ASSERT_EQUAL(f.reads, 0);
	CU_ASSERT_EQUAL(f.vsp.failed, 5);
}

/* R-FCOPY-020. */
static void host_cancels_when_a_write_or_complete_is_refused(void)
{
	for (unsigned at_complete = 0; at_complete < 2; at_complete++) {
		struct fixture f;
		agreed(&f);
		CU_ASSERT_EQUAL(start_sized(&f, 5), 0);
		for (unsigned i = 0; i < 1 + at_complete; i++)
			answer_with(&f, 0);
		CU_ASSERT_EQUAL(sent_operation(&f), 1 + at_complete);
		answer_with(&f, 0x80070070);
		CU_ASSERT_EQUAL(f.dones, 0);
		CU_ASSERT_EQUAL(sent_operation(&f), FCOPY_CANCEL);
		CU_ASSERT_EQUAL(f.rig.sent_len, 64);
		CU_ASSERT_EQUAL(start(&f, &plain), -EBUSY);
		answer_with(&f, 0);
		CU_ASSERT_EQUAL(f.dones, 1);
		CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_FULL);
		CU_ASSERT_EQUAL(
			f.end.state, at_complete ? FCOPY_STATE_COMPLETING : FCOPY_STATE_WRITING);
		CU_ASSERT_TRUE(f.end.is_clean);
		CU_ASSERT_EQUAL(start(&f, &plain), 0);
	}
}

/* R-FCOPY-021: each request ends, by 35, 120 and 5 seconds. */
static void host_gives_up_at_each_deadline(void)
{
	static const unsigned waits[] = {35, 35, 120};
	for (unsigned stage = 0; stage < 3; stage++) {
		struct fixture f;
		agreed(&f);
		CU_ASSERT_EQUAL(start_sized(&f, 5), 0);
		for (unsigned i = 0; i < stage; i++)
			answer_with(&f, 0);
		CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session),
			f.rig.now + waits[stage] * RIG_SECOND);
		rig_tick(&f.rig);
		CU_ASSERT_EQUAL(f.dones, 0);
		CU_ASSERT_EQUAL(sent_operation(&f), FCOPY_CANCEL);
		CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session), f.rig.now + 5 * RIG_SECOND);
		rig_tick(&f.rig);
		CU_ASSERT_EQUAL(f.dones, 1);
		CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_NO_ANSWER);
		CU_ASSERT_FALSE(f.end.is_clean);
		CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session), IC_SESSION_NEVER);
	}
}

/* R-FCOPY-022. */
static void host_cancels_when_its_file_fails(void)
{
	static const struct {
		uint64_t at;
		int error;
	} cases[] = {{0, -EIO}, {6144, -ENODATA}, {20000, -ESTALE}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		agreed(&f);
		f.fail_at = cases[i].at;
		f.fail_with = cases[i].error;
		CU_ASSERT_EQUAL(start_sized(&f, 20000), 0);
		talk(&f);
		CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_SOURCE);
		CU_ASSERT_EQUAL(f.end.source_error, cases[i].error);
		CU_ASSERT_EQUAL(f.completes, 0);
		CU_ASSERT_EQUAL(f.cancels, 1);
		CU_ASSERT_TRUE(f.end.is_clean);
	}
}

static void host_cancels_in_each_state(void)
{
	struct fixture f;
	/* While the owner reads: at once. */
	agreed(&f);
	f.reads_late = true;
	CU_ASSERT_EQUAL(start_sized(&f, 5), 0);
	guest_answers(&f);
	CU_ASSERT_EQUAL(f.vsp.state, FCOPY_STATE_READING);
	fcopy_vsp_cancel(&f.vsp, f.rig.now);
	CU_ASSERT_EQUAL(sent_operation(&f), FCOPY_CANCEL);
	fcopy_vsp_source_ready(&f.vsp, f.rig.now);
	fcopy_vsp_cancel(&f.vsp, f.rig.now);
	guest_answers(&f);
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_CANCELLED);
	CU_ASSERT_EQUAL(f.cancels, 1);
	/* While a request is outstanding: after its answer, for which it waits less. */
	agreed(&f);
	CU_ASSERT_EQUAL(start_sized(&f, 5), 0);
	guest_answers(&f);
	fcopy_vsp_cancel(&f.vsp, f.rig.now);
	CU_ASSERT_EQUAL(sent_operation(&f), FCOPY_WRITE);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session), f.rig.now + 5 * RIG_SECOND);
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(sent_operation(&f), FCOPY_CANCEL);
	guest_answers(&f);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_CANCELLED);
	/* When the file is in its place, it is too late. */
	agreed(&f);
	CU_ASSERT_EQUAL(start_sized(&f, 0), 0);
	guest_answers(&f);
	CU_ASSERT_EQUAL(f.vsp.state, FCOPY_STATE_COMPLETING);
	fcopy_vsp_cancel(&f.vsp, f.rig.now);
	guest_answers(&f);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_COPIED);
	fcopy_vsp_cancel(&f.vsp, f.rig.now);
	CU_ASSERT_EQUAL(f.dones, 1);
}

/* The write that is under way succeeds: the rest is not sent. What is said is of this copy. */
static void host_cancels_after_the_write_that_is_under_way(void)
{
	struct fixture f;
	agreed(&f);
	CU_ASSERT_EQUAL(start_sized(&f, 20000), 0);
	answer_with(&f, 0);
	answer_with(&f, 0x80070070);
	CU_ASSERT_EQUAL(sent_operation(&f), FCOPY_CANCEL);
	answer_with(&f, IC_STATUS_FAIL); /* something is left */
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_FULL);
	CU_ASSERT_FALSE(f.end.is_clean);
	CU_ASSERT_EQUAL(start_sized(&f, 20000), 0);
	const unsigned reads = f.reads;
	fcopy_vsp_source_ready(&f.vsp, f.rig.now); /* nothing is being read */
	CU_ASSERT_EQUAL(f.reads, reads);
	CU_ASSERT_EQUAL(f.vsp.state, FCOPY_STATE_STARTING);
	answer_with(&f, 0);
	CU_ASSERT_EQUAL(sent_operation(&f), FCOPY_WRITE);
	fcopy_vsp_cancel(&f.vsp, f.rig.now);
	answer_with(&f, 0);
	CU_ASSERT_EQUAL(sent_operation(&f), FCOPY_CANCEL);
	answer_with(&f, 0);
	CU_ASSERT_EQUAL(f.dones, 2);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_CANCELLED);
	CU_ASSERT_EQUAL(f.end.status, 0);
	CU_ASSERT_TRUE(f.end.is_clean);
}

static void host_says_that_the_channel_closed(void)
{
	for (unsigned stage = 0; stage < 4; stage++) {
		struct fixture f;
		agreed(&f);
		f.starts_again = true;
		CU_ASSERT_EQUAL(start_sized(&f, 5), 0);
		for (unsigned i = 0; i < stage; i++)
			answer_with(&f, i == 2 ? IC_STATUS_FAIL : 0);
		ic_session_on_close(&f.vsp.session, f.rig.now);
		CU_ASSERT_EQUAL(f.dones, 1);
		CU_ASSERT_EQUAL(f.again, -ENOTCONN);
		CU_ASSERT_EQUAL(
			f.end.result, stage == 3 ? FCOPY_RESULT_REFUSED : FCOPY_RESULT_CLOSED);
		CU_ASSERT_FALSE(f.end.is_clean);
		ic_session_on_close(&f.vsp.session, f.rig.now);
		CU_ASSERT_EQUAL(f.dones, 1);
	}
}

static void host_may_start_the_next_when_it_is_told_of_the_end(void)
{
	struct fixture f;
	agreed(&f);
	f.starts_again = true;
	CU_ASSERT_EQUAL(start(&f, &plain), 0);
	talk(&f);
	CU_ASSERT_EQUAL(f.again, 0);
	talk(&f);
	CU_ASSERT_EQUAL(f.dones, 2);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_COPIED);
}

/* A guest that gives back a packet's room a little after it has answered it. */
static void host_waits_for_room_in_the_ring(void)
{
	struct fixture f;
	agreed(&f);
	CU_ASSERT_EQUAL(start(&f, &plain), 0);
	f.rig.send_result = -EAGAIN;
	guest_answers(&f);
	for (unsigned i = 0; i < 10; i++)
		rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.vsp.state, FCOPY_STATE_WAITING);
	CU_ASSERT_EQUAL(f.rig.now, 100 * RIG_SECOND + 10000000);
	f.rig.send_result = 0;
	rig_tick(&f.rig);
	talk(&f);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_COPIED);
	CU_ASSERT_FALSE(f.is_wrong);
}

static void host_ends_a_copy_for_which_the_ring_has_no_room(void)
{
	struct fixture f;
	agreed(&f);
	CU_ASSERT_EQUAL(start(&f, &plain), 0);
	f.rig.send_result = -EAGAIN;
	guest_answers(&f);
	while (f.dones == 0 && f.rig.now < 200 * RIG_SECOND)
		rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.rig.now, 105 * RIG_SECOND);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_NO_ROOM);
	CU_ASSERT_FALSE(f.end.is_clean);
	CU_ASSERT_EQUAL(start(&f, &plain), -EAGAIN);
	/* Cancelled while it waits. */
	agreed(&f);
	CU_ASSERT_EQUAL(start(&f, &plain), 0);
	f.rig.send_result = -EAGAIN;
	guest_answers(&f);
	f.rig.send_result = 0;
	fcopy_vsp_cancel(&f.vsp, f.rig.now);
	guest_answers(&f);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_CANCELLED);
	CU_ASSERT_TRUE(f.end.is_clean);
	CU_ASSERT_EQUAL(f.cancels, 1);
}

/* A guest that answers what was not asked, twice, or late. */
static void host_drops_what_is_no_answer(void)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	struct fixture f;
	agreed(&f);
	CU_ASSERT_EQUAL(start_sized(&f, 20000), 0);
	size_t len = rig_guest_reply(&f.rig, &f.guest.ic, reply);
	rig_give(&f.rig, reply, len);
	for (unsigned i = 0; i < 10; i++)
		rig_give(&f.rig, reply, len); /* the start's answer for the write's */
	CU_ASSERT_EQUAL(f.vsp.state, FCOPY_STATE_WRITING);
	CU_ASSERT_EQUAL(f.vsp.progress.done_bytes, 0);
	CU_ASSERT_EQUAL(f.vsp.session.ic.rejections[IC_REJECT_TRANSACTION_ID], 10);
	talk(&f);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_COPIED);
	/* A flood ends the channel, and the copy with it. */
	CU_ASSERT_EQUAL(start_sized(&f, 20000), 0);
	for (unsigned i = 0; i < 200 && f.rig.failure == NULL; i++)
		rig_give(&f.rig, reply, len);
	CU_ASSERT_PTR_NOT_NULL(f.rig.failure);
	CU_ASSERT_EQUAL(f.dones, 2);
	CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_CLOSED);
}

/* --- versions ------------------------------------------------------------------------------ */

/* Frameworks 1.0 and 3.0, as Linux (3.0 alone) and as old hosts have it. */
static void every_pair_of_frameworks_copies(void)
{
	static const struct ic_version_wire frameworks[] = {{1, 0}, {3, 0}};
	static const struct ic_version_wire messages[] = {{1, 1}};
	for (unsigned i = 0; i < 3; i++) {
		const struct ic_version_list both = {frameworks, 2};
		const struct ic_version_list list =
			i == 2 ? both : (struct ic_version_list){frameworks + i, 1};
		struct fixture f;
		const struct ic_component component = component_of(
			IC_TYPE_FCOPY, list, (struct ic_version_list){messages, 1});
		memset(&f, 0, sizeof f);
		f.rig.session = &f.vsp.session;
		fcopy_vsp_init(&f.vsp, &vsp_ops, &f);
		f.vsp.session.ic.component = &component;
		fcopy_ic_init(&f.guest, &sink_ops, &f);
		ic_session_on_open(&f.vsp.session, 0);
		guest_answers(&f);
		CU_ASSERT_EQUAL_FATAL(f.vsp.session.ic.state, IC_HOST_READY);
		CU_ASSERT_EQUAL(f.vsp.session.ic.agreement.framework.major, i == 0 ? 1 : 3);
		CU_ASSERT_EQUAL(f.vsp.session.ic.agreement.message.minor, 1);
		CU_ASSERT_EQUAL(start(&f, &plain), 0);
		talk(&f);
		CU_ASSERT_EQUAL(f.end.result, FCOPY_RESULT_COPIED);
	}
}

static const struct test tests[] = {
	TEST(host_sends_the_bytes_of_the_document),
	TEST(every_size_arrives_as_it_was),
	TEST(a_file_over_4_gib_arrives),
	TEST(names_arrive_as_they_were),
	TEST(host_says_at_once_that_nobody_is_there),
	TEST(host_refuses_names_that_the_guest_cannot_take),
	TEST(host_tells_the_statuses_of_a_start_apart),
	TEST(host_cancels_when_a_write_or_complete_is_refused),
	TEST(host_gives_up_at_each_deadline),
	TEST(host_cancels_when_its_file_fails),
	TEST(host_cancels_in_each_state),
	TEST(host_cancels_after_the_write_that_is_under_way),
	TEST(host_says_that_the_channel_closed),
	TEST(host_may_start_the_next_when_it_is_told_of_the_end),
	TEST(host_waits_for_room_in_the_ring),
	TEST(host_ends_a_copy_for_which_the_ring_has_no_room),
	TEST(host_drops_what_is_no_answer),
	TEST(every_pair_of_frameworks_copies),
};
TEST_MAIN("fcopy", tests)
