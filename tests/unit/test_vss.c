// SPDX-License-Identifier: Apache-2.0
/*
 * Backup coordination: the host's machine against real guests' packets and hostile guests, the
 * guest's machine against the recorded host and hostile ones, and both wired to each other at each
 * pair of versions.
 */
#include "guest/ic_daemons/vss_ic.h"
#include "host/vsp/vss_vsp.h"
#include "tests/harness.h"
#include "tests/unit/ic_golden.h"
#include "tests/unit/ic_session_rig.h"

#include <errno.h>

#define LIMIT_S 60u

/* Whoever can freeze, as the test wants it. */
struct freezer {
	uint32_t status; /* of what is begun; IC_GUEST_LATER */
	uint8_t begun[16];
	unsigned begins;
	unsigned forgotten;
	bool is_frozen;
};

struct fixture {
	struct session_rig rig;
	struct vss_vsp vsp;
	struct vss_ic guest;
	struct freezer freezer;
	/* What the owner was told. */
	unsigned frozen;
	unsigned ended;
	struct vss_report report;
	bool thaws_at_once; /* from within frozen */
	uint8_t sent[32];   /* operations, in order */
	unsigned sent_count;
	/* An answer that came later. */
	uint8_t late[IC_PAYLOAD_MAX_BYTES];
	size_t late_len;
};

static uint32_t on_begin(void *ctx, uint8_t operation)
{
	struct freezer *freezer = ctx;
	freezer->begun[freezer->begins++ % sizeof freezer->begun] = operation;
	if (freezer->status == IC_STATUS_SUCCESS && operation == VSS_FREEZE)
		freezer->is_frozen = true;
	if (freezer->status == IC_STATUS_SUCCESS && operation == VSS_THAW)
		freezer->is_frozen = false;
	return freezer->status;
}

static void on_forget(void *ctx)
{
	struct freezer *freezer = ctx;
	freezer->forgotten++;
}

static const struct vss_ic_ops guest_ops = {.begin = on_begin, .forget = on_forget};

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct fixture *f = ctx;
	const uint8_t *at = bytes;
	const int result = rig_send(ctx, bytes, len);
	if (result == 0 && at[AT_TYPE] == IC_TYPE_VSS && f->sent_count < sizeof f->sent)
		f->sent[f->sent_count++] = at[AT_BODY];
	return result;
}

static void on_frozen(void *ctx)
{
	struct fixture *f = ctx;
	f->frozen++;
	if (f->thaws_at_once)
		CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
}

static void on_ended(void *ctx, const struct vss_report *report)
{
	struct fixture *f = ctx;
	f->ended++;
	f->report = *report;
}

static const struct vss_vsp_ops ops = {
	.session = {.send = on_send, .failed = rig_failed},
	.frozen = on_frozen,
	.ended = on_ended,
};

static void on_late(void *transport, const void *reply, size_t len)
{
	struct fixture *f = transport;
	memcpy(f->late, reply, len);
	f->late_len = len;
}

static struct fixture *fixture(void)
{
	static struct fixture f;
	memset(&f, 0, sizeof f);
	f.rig.now = 100 * RIG_SECOND;
	f.rig.session = &f.vsp.session;
	vss_vsp_init(&f.vsp, &ops, &f);
	vss_ic_init(&f.guest, &guest_ops, &f.freezer);
	ic_guest_attach(&f.guest.ic, on_late, &f);
	ic_session_on_open(&f.vsp.session, f.rig.now);
	return &f;
}

static struct fixture *agreed(void)
{
	struct fixture *f = fixture();
	CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &f->guest.ic));
	CU_ASSERT_EQUAL_FATAL(f->vsp.session.ic.state, IC_HOST_READY);
	return f;
}

static int freeze(struct fixture *f)
{
	const struct vss_vsp_request request = {.limit_ns = LIMIT_S * RIG_SECOND};
	return vss_vsp_freeze(&f->vsp, &request, f->rig.now);
}

/* The guest answers all that the host sends, in turn. */
static void talk(struct fixture *f)
{
	while (f->rig.sent_len > 0)
		CU_ASSERT_TRUE_FATAL(rig_guest_answers(&f->rig, &f->guest.ic));
}

static struct fixture *frozen(void)
{
	struct fixture *f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	talk(f);
	CU_ASSERT_EQUAL_FATAL(f->vsp.state, VSS_FROZEN);
	CU_ASSERT_EQUAL(f->frozen, 1);
	return f;
}

static void expect_sent(const struct fixture *f, const uint8_t *operations, unsigned count)
{
	CU_ASSERT_EQUAL(f->sent_count, count);
	CU_ASSERT_EQUAL(memcmp(f->sent, operations, count), 0);
}
#define EXPECT_SENT(f, ...)                                                                        \
	do {                                                                                       \
		static const uint8_t wanted[] = {__VA_ARGS__};                                     \
		expect_sent(f, wanted, sizeof wanted);                                             \
	} while (0)

/* The guest's answer to what was sent, with its status and first byte of the body replaced. */
static void answer_with(struct fixture *f, uint32_t status, uint8_t operation)
{
	uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	memcpy(reply, f->rig.sent, f->rig.sent_len);
	reply[AT_FLAGS] = 5;
	memcpy(reply + AT_STATUS, &status, sizeof status);
	reply[AT_BODY] = operation;
	size_t len = f->rig.sent_len;
	f->rig.sent_len = 0;
	rig_give(&f->rig, reply, len);
}

/* The recorded pair of a kind. */
static void recorded(const char *kind, struct golden_packet *request, struct golden_packet *answer)
{
	FILE *file = fopen("tests/data/vss.txt", "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	bool is_found = false;
	while (!is_found && golden_read(file, request) && golden_read(file, answer))
		is_found = strcmp(request->kind, kind) == 0;
	fclose(file);
	CU_ASSERT_TRUE_FATAL(is_found);
}

/* --- with recorded packets, and those of the notes ----------------------------------------- */

/* R-VSS-025: Linux answers the check with flags 0. The freeze is of 6260 bytes here (R-VSS-005). */
static void host_takes_linux_through_a_backup(void)
{
	static struct golden_packet request;
	static struct golden_packet answer;
	struct fixture *f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	recorded("check", &request, &answer);
	CU_ASSERT_EQUAL_FATAL(f->rig.sent_len, request.len);
	CU_ASSERT_EQUAL(memcmp(f->rig.sent + AT_BODY, request.bytes + AT_BODY, 12), 0);
	rig_give(&f->rig, answer.bytes, answer.len);
	CU_ASSERT_EQUAL(f->vsp.state, VSS_FREEZING);
	CU_ASSERT_EQUAL(f->rig.sent_len, 28 + 6260);
	CU_ASSERT_EQUAL(f->rig.sent[AT_BODY], 5);
	recorded("freeze", &request, &answer);
	f->rig.now += RIG_SECOND;
	rig_give(&f->rig, answer.bytes, answer.len);
	CU_ASSERT_EQUAL(f->vsp.state, VSS_FROZEN);
	f->rig.now += 2 * RIG_SECOND;
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	recorded("thaw", &request, &answer);
	CU_ASSERT_EQUAL_FATAL(f->rig.sent_len, request.len);
	CU_ASSERT_EQUAL(f->rig.sent[AT_TRANSACTION], request.bytes[AT_TRANSACTION]);
	CU_ASSERT_EQUAL(memcmp(f->rig.sent + AT_BODY, request.bytes + AT_BODY, 12), 0);
	rig_give(&f->rig, answer.bytes, answer.len);
	CU_ASSERT_EQUAL(f->vsp.state, VSS_COMPLETING);
	recorded("complete", &request, &answer);
	CU_ASSERT_EQUAL(memcmp(f->rig.sent + AT_BODY, request.bytes + AT_BODY, 12), 0);
	answer.bytes[AT_TRANSACTION] = f->rig.sent[AT_TRANSACTION];
	rig_give(&f->rig, answer.bytes, answer.len);
	CU_ASSERT_EQUAL(f->ended, 1);
	CU_ASSERT_EQUAL(f->report.result, VSS_OK);
	CU_ASSERT_TRUE(f->report.is_consistent);
	CU_ASSERT_EQUAL(f->report.check_flags, 0);
	CU_ASSERT_EQUAL(f->report.freezing_ns, RIG_SECOND);
	CU_ASSERT_EQUAL(f->report.frozen_ns, 2 * RIG_SECOND);
	CU_ASSERT_EQUAL(ic_host_rejections(&f->vsp.session.ic), 0);
}

/* As Linux does, but for the flags of the check, which the notes have. R-VSS-014. */
static void guest_answers_the_recorded_host(void)
{
	static struct golden_packet request;
	static struct golden_packet answer;
	static uint8_t reply[2112];
	FILE *file = fopen("tests/data/vss.txt", "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	struct fixture *f = fixture();
	unsigned seen = 0;
	while (golden_read(file, &request) && golden_read(file, &answer)) {
		size_t len = 0;
		memset(reply, 0, sizeof reply);
		CU_ASSERT_EQUAL(ic_guest_on_packet(&f->guest.ic, request.bytes, request.len, reply,
					sizeof reply, &len),
			IC_OK);
		if (strcmp(request.kind, "check") == 0)
			answer.bytes[AT_BODY + 8] = 5;
		if (strcmp(request.kind, "negotiate") == 0) {
			/* We know 7.0, and both lists. */
			CU_ASSERT_EQUAL(get16(answer.bytes + AT_VERSIONS + 4), 5);
			answer.bytes[AT_VERSIONS + 4] = 7;
		}
		CU_ASSERT_TRUE(len <= answer.len && answer.len - len < 8);
		CU_ASSERT_EQUAL(memcmp(reply, answer.bytes, answer.len), 0);
		seen++;
	}
	fclose(file);
	CU_ASSERT_EQUAL(seen, 6);
	CU_ASSERT_EQUAL(f->freezer.begins, 3);
}

/* R-VSS-001: "VSS hot-backup check" and its answer, as the notes write them out. */
static void the_check_has_the_bytes_of_the_notes(void)
{
	static const uint8_t request[40] = {
		0x01, 0, 0, 0, 0x20, 0, 0, 0,	       /* pipe: data, 32 bytes */
		0x03, 0, 0, 0, 0x05, 0, 0x05, 0, 0, 0, /* framework 3.0, VSS, 5.0 */
		0x0C, 0, 0, 0, 0, 0,		       /* body 12, status */
		0x00, 0x03, 0, 0,		       /* transaction id, flags, reserved */
		0x02, 0, 0, 0, 0, 0, 0, 0,	       /* operation, reserved */
		0, 0, 0, 0,			       /* flags */
	};
	uint8_t wanted[40];
	uint8_t reply[64];
	size_t len = 0;
	struct fixture *f = agreed();
	memcpy(wanted, request, sizeof wanted);
	wanted[AT_FLAGS] = 5;
	wanted[36] = 5;
	CU_ASSERT_EQUAL(
		ic_guest_on_packet(&f->guest.ic, request, sizeof request, reply, 64, &len), IC_OK);
	CU_ASSERT_EQUAL(len, 40);
	CU_ASSERT_EQUAL(memcmp(reply, wanted, 40), 0);
	/* And later, the same. */
	f->freezer.status = IC_GUEST_LATER;
	CU_ASSERT_EQUAL(
		ic_guest_on_packet(&f->guest.ic, request, sizeof request, reply, 64, &len), IC_OK);
	CU_ASSERT_EQUAL(len, 0);
	vss_ic_finish(&f->guest, true);
	CU_ASSERT_EQUAL(f->late_len, 40);
	CU_ASSERT_EQUAL(memcmp(f->late, wanted, 40), 0);
	/* The host sends those bytes, but for its versions and the transaction's number. */
	CU_ASSERT_EQUAL(freeze(f), 0);
	CU_ASSERT_EQUAL(f->rig.sent_len, 40);
	f->rig.sent[14] = 5;
	f->rig.sent[AT_TRANSACTION] = 0;
	CU_ASSERT_EQUAL(memcmp(f->rig.sent, request, 40), 0);
}

/* --- versions ------------------------------------------------------------------------------ */

static const struct ic_version_wire frameworks[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire messages[] = {{4, 0}, {5, 0}, {6, 0}, {7, 0}};

/* R-VSS-006: below 5.0 nothing is sent; else a whole backup. */
static void run_pair(unsigned host_fw, unsigned guest_fw, unsigned host_msg, unsigned guest_msg)
{
	const struct ic_component component = component_of(IC_TYPE_VSS,
		(struct ic_version_list){frameworks, (uint16_t)(host_fw + 1)},
		(struct ic_version_list){messages, (uint16_t)(host_msg + 1)});
	const struct ic_guest_service service = service_of(&vss_ic_service,
		(struct ic_version_list){frameworks, (uint16_t)(guest_fw + 1)},
		(struct ic_version_list){messages, (uint16_t)(guest_msg + 1)});
	const unsigned framework = host_fw < guest_fw ? host_fw : guest_fw;
	const unsigned message = host_msg < guest_msg ? host_msg : guest_msg;
	struct fixture *f = fixture();
	ic_session_on_close(&f->vsp.session, f->rig.now);
	f->vsp.session.ic.component = &component;
	f->guest.ic.service = &service;
	ic_session_on_open(&f->vsp.session, f->rig.now);
	talk(f);
	const struct ic_agreement *agreement = &f->vsp.session.ic.agreement;
	CU_ASSERT_EQUAL(ic_version_compare(agreement->framework, frameworks[framework]), 0);
	CU_ASSERT_EQUAL(ic_version_compare(agreement->message, messages[message]), 0);
	f->thaws_at_once = true;
	CU_ASSERT_EQUAL(freeze(f), message == 0 ? -ENOTSUP : 0);
	CU_ASSERT_EQUAL(f->sent_count, message == 0 ? 0 : 1);
	if (message == 0)
		CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), -ENOTSUP);
	talk(f);
	CU_ASSERT_EQUAL(f->ended, message != 0);
	CU_ASSERT_EQUAL(f->report.is_consistent, message != 0);
	if (message != 0)
		EXPECT_SENT(f, VSS_HOT_BACKUP, VSS_FREEZE, VSS_THAW, VSS_BACKUP_COMPLETE);
	CU_ASSERT_EQUAL(ic_host_rejections(&f->vsp.session.ic), 0);
	CU_ASSERT_EQUAL(ic_guest_rejections(&f->guest.ic), 0);
}

static void every_pair_of_versions_makes_a_backup_from_5_0_on(void)
{
	for (unsigned fw = 0; fw < 4; fw++)
		for (unsigned host = 0; host < 4; host++)
			for (unsigned guest = 0; guest < 4; guest++)
				run_pair(fw & 1, fw >> 1, host, guest);
	/* What belongs to which version. */
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(vss_has_operation(messages[i], VSS_BACKUP_COMPLETE), true);
		CU_ASSERT_EQUAL(vss_has_operation(messages[i], VSS_FREEZE), i >= 1);
		CU_ASSERT_EQUAL(vss_has_operation(messages[i], VSS_AUTO_RECOVER), i >= 1);
		CU_ASSERT_EQUAL(vss_has_operation(messages[i], VSS_CLUSTER_INFO), i >= 2);
		CU_ASSERT_FALSE(vss_has_operation(messages[i], 9));
	}
}

/* --- host ---------------------------------------------------------------------------------- */

static void host_refuses_what_it_cannot_begin(void)
{
	struct fixture *f = fixture();
	CU_ASSERT_EQUAL(freeze(f), -ENOTCONN);
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), -ENOTCONN);
	f = frozen();
	CU_ASSERT_EQUAL(freeze(f), -EBUSY);
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), -EALREADY);
	CU_ASSERT_EQUAL(freeze(f), -EBUSY);
	talk(f);
	CU_ASSERT_EQUAL(f->ended, 1);
	f->rig.send_result = -EAGAIN;
	CU_ASSERT_EQUAL(freeze(f), -EAGAIN);
	CU_ASSERT_EQUAL(f->vsp.state, VSS_IDLE);
	CU_ASSERT_EQUAL(f->ended, 1);
}

/* R-VSS-007: with the check refused nothing was frozen, and nothing is thawed. */
static void host_ends_at_a_refused_check(void)
{
	struct fixture *f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	answer_with(f, IC_STATUS_FAIL, VSS_HOT_BACKUP);
	EXPECT_SENT(f, VSS_HOT_BACKUP);
	CU_ASSERT_EQUAL(f->ended, 1);
	CU_ASSERT_EQUAL(f->report.result, VSS_REFUSED);
	CU_ASSERT_EQUAL(f->report.operation, VSS_HOT_BACKUP);
	CU_ASSERT_EQUAL(f->report.status, IC_STATUS_FAIL);
	CU_ASSERT_FALSE(f->report.was_frozen);
}

/* R-VSS-008. */
static void host_thaws_after_a_refused_freeze(void)
{
	struct fixture *f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &f->guest.ic));
	answer_with(f, IC_STATUS_FAIL, VSS_FREEZE);
	EXPECT_SENT(f, VSS_HOT_BACKUP, VSS_FREEZE, VSS_THAW);
	CU_ASSERT_EQUAL(f->ended, 0);
	talk(f);
	EXPECT_SENT(f, VSS_HOT_BACKUP, VSS_FREEZE, VSS_THAW);
	CU_ASSERT_EQUAL(f->ended, 1);
	CU_ASSERT_EQUAL(f->report.result, VSS_REFUSED);
	CU_ASSERT_EQUAL(f->report.operation, VSS_FREEZE);
	CU_ASSERT_EQUAL(f->report.thaw, VSS_OK);
	CU_ASSERT_FALSE(f->report.is_consistent);
}

/*
 * R-VSS-008: what went wrong first is what is said. A guest that refuses to thaw has nothing that
 * is frozen: nothing is owed to it.
 */
static void host_blames_the_freeze_where_the_thaw_is_refused_too(void)
{
	struct fixture *f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &f->guest.ic));
	answer_with(f, 0x80070001, VSS_FREEZE);
	while (f->ended == 0) {
		if (f->rig.sent_len > 0)
			answer_with(f, 0x80070002, VSS_THAW);
		else
			rig_tick(&f->rig);
	}
	CU_ASSERT_EQUAL(f->report.result, VSS_REFUSED);
	CU_ASSERT_EQUAL(f->report.operation, VSS_FREEZE);
	CU_ASSERT_EQUAL(f->report.status, 0x80070001);
	CU_ASSERT_EQUAL(f->report.thaw, VSS_REFUSED);
	CU_ASSERT_FALSE(f->vsp.is_owed);
	CU_ASSERT_EQUAL(freeze(f), 0);
}

/* One try of an owed thaw at a time; that is not the end of another backup. */
static void host_tries_an_owed_thaw_once_each_time(void)
{
	struct fixture *f = frozen();
	ic_session_on_close(&f->vsp.session, f->rig.now);
	CU_ASSERT_EQUAL(f->ended, 1);
	ic_session_on_open(&f->vsp.session, f->rig.now);
	CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &f->guest.ic));
	CU_ASSERT_EQUAL(f->rig.sent[AT_BODY], VSS_THAW);
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), -EAGAIN);
	rig_tick(&f->rig); /* no answer */
	CU_ASSERT_EQUAL(f->vsp.state, VSS_IDLE);
	CU_ASSERT_TRUE(f->vsp.is_owed);
	CU_ASSERT_EQUAL(f->ended, 1);
}

/* R-VSS-016, R-VSS-008: fifteen minutes, then thaw; the late answer is dropped. */
static void host_thaws_after_a_freeze_without_answer(void)
{
	static uint8_t late[IC_PAYLOAD_MAX_BYTES];
	struct fixture *f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f->vsp.session), f->rig.now + 30 * RIG_SECOND);
	CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &f->guest.ic));
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f->vsp.session), f->rig.now + 900 * RIG_SECOND);
	const size_t len = rig_guest_reply(&f->rig, &f->guest.ic, late);
	rig_tick(&f->rig);
	EXPECT_SENT(f, VSS_HOT_BACKUP, VSS_FREEZE, VSS_THAW);
	rig_give(&f->rig, late, len);
	CU_ASSERT_EQUAL(f->frozen, 0);
	CU_ASSERT_EQUAL(f->vsp.state, VSS_THAWING);
	talk(f);
	CU_ASSERT_EQUAL(f->ended, 1);
	CU_ASSERT_EQUAL(f->report.result, VSS_NO_ANSWER);
	CU_ASSERT_EQUAL(f->report.operation, VSS_FREEZE);
	CU_ASSERT_EQUAL(f->report.thaw, VSS_OK);
}

/* R-VSS-017. */
static void host_thaws_at_its_limit(void)
{
	struct fixture *f = frozen();
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f->vsp.session), f->rig.now + LIMIT_S * RIG_SECOND);
	rig_tick(&f->rig);
	CU_ASSERT_EQUAL(f->rig.sent[AT_BODY], VSS_THAW);
	talk(f);
	CU_ASSERT_EQUAL(f->ended, 1);
	CU_ASSERT_TRUE(f->report.hit_limit);
	CU_ASSERT_FALSE(f->report.is_consistent);
	CU_ASSERT_EQUAL(f->report.frozen_ns, LIMIT_S * RIG_SECOND);
	CU_ASSERT_EQUAL(f->vsp.limits, 1);
}

/* Whoever wanted it has gone while the guest is asked. */
static void host_gives_up_before_or_right_after_the_freeze(void)
{
	struct fixture *f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	talk(f);
	EXPECT_SENT(f, VSS_HOT_BACKUP);
	CU_ASSERT_EQUAL(f->report.result, VSS_GIVEN_UP);
	f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &f->guest.ic));
	CU_ASSERT_EQUAL(f->vsp.state, VSS_FREEZING);
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	talk(f);
	EXPECT_SENT(f, VSS_HOT_BACKUP, VSS_FREEZE, VSS_THAW, VSS_BACKUP_COMPLETE);
	CU_ASSERT_EQUAL(f->frozen, 0);
	CU_ASSERT_EQUAL(f->report.result, VSS_GIVEN_UP);
	CU_ASSERT_EQUAL(f->report.thaw, VSS_OK);
	CU_ASSERT_FALSE(f->freezer.is_frozen);
}

/* R-VSS-018, R-VSS-022: the guest was thawed early. A second thaw succeeds, the copy is bad. */
static void host_calls_a_copy_bad_that_the_guest_does_not_vouch_for(void)
{
	struct fixture *f = frozen();
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	answer_with(f, IC_STATUS_FAIL, VSS_THAW);
	CU_ASSERT_EQUAL(f->ended, 0);
	rig_tick(&f->rig);
	talk(f);
	EXPECT_SENT(f, VSS_HOT_BACKUP, VSS_FREEZE, VSS_THAW, VSS_THAW, VSS_BACKUP_COMPLETE);
	CU_ASSERT_EQUAL(f->ended, 1);
	CU_ASSERT_EQUAL(f->report.result, VSS_REFUSED);
	CU_ASSERT_EQUAL(f->report.operation, VSS_THAW);
	CU_ASSERT_EQUAL(f->report.thaw, VSS_OK);
	CU_ASSERT_FALSE(f->report.is_consistent);
}

/* R-VSS-021: three tries, then it is said; and again, for as long as the guest says nothing. */
static void host_does_not_stop_to_thaw_a_silent_guest(void)
{
	struct fixture *f = frozen();
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	for (unsigned i = 0; i < 2; i++) {
		rig_tick(&f->rig); /* no answer */
		CU_ASSERT_EQUAL(f->ended, 0);
		rig_tick(&f->rig); /* again */
	}
	CU_ASSERT_EQUAL(f->sent_count, 5);
	rig_tick(&f->rig);
	CU_ASSERT_EQUAL(f->ended, 1);
	CU_ASSERT_EQUAL(f->report.result, VSS_NO_ANSWER);
	CU_ASSERT_EQUAL(f->report.thaw, VSS_NO_ANSWER);
	CU_ASSERT_TRUE(f->vsp.is_owed);
	CU_ASSERT_EQUAL(freeze(f), -EAGAIN);
	for (unsigned i = 0; i < 40; i++)
		rig_tick(&f->rig);
	/* No more of them than the ring is spared. */
	CU_ASSERT_EQUAL(f->vsp.session.unanswered, IC_SESSION_UNANSWERED_MAX);
	CU_ASSERT_EQUAL(f->ended, 1);
	/* It is back, late: what it says is of no request, and lets us ask again. */
	rig_give(&f->rig, f->rig.sent, f->rig.sent_len);
	f->rig.sent_len = 0;
	while (f->rig.sent_len == 0)
		rig_tick(&f->rig);
	CU_ASSERT_EQUAL(f->rig.sent[AT_BODY], VSS_THAW);
	talk(f);
	CU_ASSERT_FALSE(f->vsp.is_owed);
	CU_ASSERT_EQUAL(f->ended, 1);
	CU_ASSERT_EQUAL(freeze(f), 0);
}

/* The next try of an owed thaw was due: the owner's own, which is on its way, takes its place. */
static void host_gives_an_owners_thaw_the_time_of_an_answer(void)
{
	struct fixture *f = frozen();
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	while (f->ended == 0)
		rig_tick(&f->rig); /* no answers */
	CU_ASSERT_TRUE(f->vsp.is_owed);
	CU_ASSERT_EQUAL(f->vsp.state, VSS_IDLE);
	f->rig.now += VSS_VSP_OWED_PAUSE_NS * 2 / 3;
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	const unsigned sent = f->sent_count;
	f->rig.now += VSS_VSP_OWED_PAUSE_NS / 3;
	for (unsigned i = 0; i < 4; i++) {
		(void)ic_session_on_time(&f->vsp.session, f->rig.now);
		f->rig.now += RIG_SECOND;
	}
	CU_ASSERT_EQUAL(f->sent_count, sent);
	CU_ASSERT_EQUAL(f->ended, 1);
	CU_ASSERT_EQUAL(f->vsp.state, VSS_THAWING);
	talk(f);
	CU_ASSERT_EQUAL(f->ended, 2);
	CU_ASSERT_EQUAL(f->report.thaw, VSS_OK);
	CU_ASSERT_FALSE(f->vsp.is_owed);
}

/* R-VSS-021: in a channel that was closed, the thaw is the first request. */
static void host_owes_a_thaw_to_a_guest_that_closed(void)
{
	static const enum vss_state states[] = {VSS_FREEZING, VSS_FROZEN, VSS_THAWING};
	for (unsigned i = 0; i < 3; i++) {
		struct fixture *f = agreed();
		CU_ASSERT_EQUAL(freeze(f), 0);
		while (f->vsp.state != states[i]) {
			const bool is_good = f->rig.sent_len > 0
						     ? rig_guest_answers(&f->rig, &f->guest.ic)
						     : vss_vsp_thaw(&f->vsp, f->rig.now) == 0;
			CU_ASSERT_TRUE_FATAL(is_good);
		}
		ic_session_on_close(&f->vsp.session, f->rig.now);
		CU_ASSERT_EQUAL(f->ended, 1);
		CU_ASSERT_EQUAL(f->report.result, VSS_CLOSED);
		CU_ASSERT_FALSE(f->report.is_consistent);
		CU_ASSERT_TRUE(f->vsp.is_owed);
		ic_guest_reset(&f->guest.ic);
		ic_session_on_open(&f->vsp.session, f->rig.now);
		CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &f->guest.ic));
		CU_ASSERT_EQUAL(f->rig.sent[AT_BODY], VSS_THAW);
		CU_ASSERT_EQUAL(freeze(f), -EAGAIN);
		talk(f);
		CU_ASSERT_FALSE(f->vsp.is_owed);
		CU_ASSERT_EQUAL(f->ended, 1);
		CU_ASSERT_EQUAL(freeze(f), 0);
	}
	/* One that speaks 4.0 only by then cannot be told (R-VSS-006). */
	static const struct ic_version_wire oldest[] = {{4, 0}};
	const struct ic_guest_service service = service_of(&vss_ic_service,
		(struct ic_version_list){vss_ic_service.frameworks.at, 2},
		(struct ic_version_list){oldest, 1});
	struct fixture *g = frozen();
	ic_session_on_close(&g->vsp.session, g->rig.now);
	g->guest.ic.service = &service;
	ic_session_on_open(&g->vsp.session, g->rig.now);
	const unsigned sent = g->sent_count;
	talk(g);
	CU_ASSERT_EQUAL(g->sent_count, sent);
	CU_ASSERT_FALSE(g->vsp.is_owed);
	/* A check leaves nothing behind. */
	struct fixture *f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	ic_session_on_close(&f->vsp.session, f->rig.now);
	CU_ASSERT_EQUAL(f->report.result, VSS_CLOSED);
	CU_ASSERT_EQUAL(f->report.operation, VSS_HOT_BACKUP);
	CU_ASSERT_FALSE(f->vsp.is_owed);
	/* Nor does the closing of what is done. */
	f = frozen();
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &f->guest.ic));
	CU_ASSERT_EQUAL(f->vsp.state, VSS_COMPLETING);
	ic_session_on_close(&f->vsp.session, f->rig.now);
	CU_ASSERT_TRUE(f->report.is_consistent);
	CU_ASSERT_FALSE(f->vsp.is_owed);
}

/* R-VSS-023, at each step. */
static void host_takes_an_answer_to_something_else_for_a_failure(void)
{
	struct fixture *f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	answer_with(f, IC_STATUS_SUCCESS, VSS_FREEZE);
	CU_ASSERT_EQUAL(f->report.result, VSS_BAD_ANSWER);
	CU_ASSERT_EQUAL(f->report.operation, VSS_HOT_BACKUP);
	f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &f->guest.ic));
	answer_with(f, IC_STATUS_SUCCESS, VSS_THAW);
	CU_ASSERT_EQUAL(f->vsp.state, VSS_THAWING);
	talk(f);
	CU_ASSERT_EQUAL(f->report.result, VSS_BAD_ANSWER);
	CU_ASSERT_EQUAL(f->report.operation, VSS_FREEZE);
	/* Too short for an operation, and for the check's flags. */
	for (uint16_t body = 0; body < 12; body++) {
		uint8_t reply[40];
		f = agreed();
		CU_ASSERT_EQUAL(freeze(f), 0);
		memcpy(reply, f->rig.sent, sizeof reply);
		reply[AT_FLAGS] = 5;
		put16(reply + AT_BODY_BYTES, body);
		rig_give(&f->rig, reply, sizeof reply);
		CU_ASSERT_EQUAL(f->report.result, VSS_BAD_ANSWER);
	}
	/* The end of it is of no consequence. */
	f = frozen();
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &f->guest.ic));
	answer_with(f, IC_STATUS_FAIL, 99);
	CU_ASSERT_TRUE(f->report.is_consistent);
}

static void host_says_when_freeze_does_not_fit_in_the_ring(void)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	struct fixture *f = agreed();
	CU_ASSERT_EQUAL(freeze(f), 0);
	const size_t len = rig_guest_reply(&f->rig, &f->guest.ic, reply);
	f->rig.send_result = -EAGAIN;
	rig_give(&f->rig, reply, len);
	CU_ASSERT_EQUAL(f->report.result, VSS_NOT_SENT);
	CU_ASSERT_EQUAL(f->report.operation, VSS_FREEZE);
	CU_ASSERT_EQUAL(f->vsp.state, VSS_IDLE);
	/* A thaw that does not is tried again. */
	f = frozen();
	f->rig.send_result = -EAGAIN;
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	f->rig.send_result = 0;
	rig_tick(&f->rig);
	talk(f);
	CU_ASSERT_EQUAL(f->report.thaw, VSS_OK);
	CU_ASSERT_FALSE(f->freezer.is_frozen);
}

/* R-VSS-003: in an emergency. */
static void host_thaws_without_a_backup(void)
{
	struct fixture *f = agreed();
	CU_ASSERT_EQUAL(vss_vsp_thaw(&f->vsp, f->rig.now), 0);
	talk(f);
	EXPECT_SENT(f, VSS_THAW);
	CU_ASSERT_EQUAL(f->ended, 1);
	CU_ASSERT_EQUAL(f->report.result, VSS_OK);
	CU_ASSERT_FALSE(f->report.was_frozen);
	CU_ASSERT_FALSE(f->report.is_consistent);
}

/* --- guest --------------------------------------------------------------------------------- */

/* Give the guest a request; returns the answer's length. */
static size_t give(struct fixture *f, uint8_t operation, uint16_t body_bytes, uint32_t luns,
	uint32_t *status, uint8_t *reply)
{
	static uint8_t packet[IC_PAYLOAD_MAX_BYTES];
	size_t len = 0;
	memset(packet, 0, sizeof packet);
	packet[0] = 1;
	const uint32_t pipe = 20u + body_bytes;
	memcpy(packet + AT_PIPE_LENGTH, &pipe, sizeof pipe);
	packet[AT_TYPE] = IC_TYPE_VSS;
	put16(packet + AT_BODY_BYTES, body_bytes);
	packet[AT_FLAGS] = 3;
	packet[AT_BODY] = operation;
	memcpy(packet + AT_BODY + 16, &luns, sizeof luns);
	uint8_t *exact = malloc(28u + body_bytes);
	memcpy(exact, packet, 28u + body_bytes);
	(void)ic_guest_on_packet(
		&f->guest.ic, exact, 28u + body_bytes, reply, IC_PAYLOAD_MAX_BYTES, &len);
	free(exact);
	if (len > 0)
		memcpy(status, reply + AT_STATUS, sizeof *status);
	return len;
}

/* R-VSS-011. */
static void guest_answers_every_operation_as_it_should(void)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	struct fixture *f = agreed();
	uint32_t status = 1;
	for (unsigned operation = 0; operation < 256; operation++) {
		const bool is_good = operation < VSS_AUTO_RECOVER;
		CU_ASSERT_EQUAL(give(f, (uint8_t)operation, 12, 0, &status, reply), 40);
		CU_ASSERT_EQUAL(status, is_good ? IC_STATUS_SUCCESS : IC_STATUS_FAIL);
		CU_ASSERT_EQUAL(get32(reply + AT_BODY + 8), operation == 2 ? 5 : 0);
	}
	CU_ASSERT_EQUAL(f->freezer.begins, 3);
	CU_ASSERT_EQUAL(f->guest.refused, 256 - 7);
	/* also one that the version does not have */
	f->guest.ic.agreement.message = messages[0];
	CU_ASSERT_EQUAL(give(f, VSS_FREEZE, 12, 0, &status, reply), 40);
	CU_ASSERT_EQUAL(status, IC_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(f->freezer.begins, 4);
	/* R-VSS-007: nobody who could. */
	f->freezer.status = IC_STATUS_FAIL;
	for (unsigned operation = 0; operation < VSS_AUTO_RECOVER; operation++) {
		CU_ASSERT_EQUAL(give(f, (uint8_t)operation, 12, 0, &status, reply), 40);
		CU_ASSERT_EQUAL(status, operation == 2 || operation == 5 || operation == 6
						? IC_STATUS_FAIL
						: IC_STATUS_SUCCESS);
		CU_ASSERT_EQUAL(get32(reply + AT_BODY + 8), 0);
	}
}

/* R-VSS-005, R-VSS-009, R-VSS-012, R-VSS-013. */
static void guest_judges_bodies_by_what_they_hold(void)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	static const struct {
		uint8_t operation;
		uint16_t body_bytes;
		uint32_t luns;
		size_t len;
		uint32_t status;
	} cases[] = {
		{VSS_FREEZE, 7, 0, 0, 0},
		{VSS_FREEZE, 8, 0, 36, IC_STATUS_SUCCESS},
		{VSS_FREEZE, 12, 0, 40, IC_STATUS_SUCCESS},
		{VSS_FREEZE, 20, 0, 48, IC_STATUS_SUCCESS},
		{VSS_FREEZE, 20, 1, 48, IC_STATUS_FAIL},
		{VSS_FREEZE, 43, 1, 71, IC_STATUS_FAIL},
		{VSS_FREEZE, 44, 1, 72, IC_STATUS_SUCCESS},
		{VSS_FREEZE, 6260, 260, 6288, IC_STATUS_SUCCESS},
		{VSS_FREEZE, 6260, 261, 6288, IC_STATUS_FAIL},
		{VSS_FREEZE, 6260, UINT32_MAX, 6288, IC_STATUS_FAIL},
		{VSS_FREEZE, 12500, 260, 12528, IC_STATUS_SUCCESS},
		{VSS_FREEZE, 12500, 261, 12528, IC_STATUS_FAIL},
		{VSS_HOT_BACKUP, 11, 0, 39, IC_STATUS_FAIL},
		{VSS_GET_DM_INFO, 8, 0, 36, IC_STATUS_FAIL},
		{VSS_THAW, 8, 0, 36, IC_STATUS_SUCCESS},
		{VSS_DELETE, 8, 0, 36, IC_STATUS_SUCCESS},
		{VSS_CREATE, 28, 0, 56, IC_STATUS_SUCCESS},
	};
	struct fixture *f = agreed();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t status = 0;
		CU_ASSERT_EQUAL(give(f, cases[i].operation, cases[i].body_bytes, cases[i].luns,
					&status, reply),
			cases[i].len);
		CU_ASSERT_EQUAL(status, cases[i].status);
	}
}

/* R-VSS-002, R-VSS-010: later; and for nobody, when the channel has closed. */
static void guest_answers_when_it_is_done(void)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	uint32_t status = 1;
	struct fixture *f = agreed();
	f->freezer.status = IC_GUEST_LATER;
	CU_ASSERT_EQUAL(give(f, VSS_FREEZE, 6260, 0, &status, reply), 0);
	CU_ASSERT_EQUAL(f->late_len, 0);
	vss_ic_finish(&f->guest, false);
	CU_ASSERT_EQUAL(f->late_len, 6288);
	CU_ASSERT_EQUAL(get32(f->late + AT_STATUS), IC_STATUS_FAIL);
	f->late_len = 0;
	vss_ic_finish(&f->guest, true); /* once is enough */
	CU_ASSERT_EQUAL(f->late_len, 0);
	CU_ASSERT_EQUAL(give(f, VSS_HOT_BACKUP, 12, 0, &status, reply), 0);
	ic_guest_reset(&f->guest.ic);
	CU_ASSERT_EQUAL(f->freezer.forgotten, 1);
	vss_ic_finish(&f->guest, true);
	CU_ASSERT_EQUAL(f->late_len, 0);
}

static void guest_does_nothing_before_agreement(void)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	uint32_t status = 0;
	struct fixture *f = fixture();
	CU_ASSERT_EQUAL(give(f, VSS_FREEZE, 12, 0, &status, reply), 40);
	CU_ASSERT_EQUAL(status, IC_STATUS_FAIL);
	CU_ASSERT_EQUAL(f->freezer.begins, 0);
}

static void names_are_words(void)
{
	CU_ASSERT_STRING_EQUAL(vss_state_name(VSS_IDLE), "idle");
	CU_ASSERT_STRING_EQUAL(vss_state_name(VSS_COMPLETING), "completing");
	CU_ASSERT_STRING_EQUAL(vss_result_name(VSS_GIVEN_UP), "given up");
	for (unsigned i = 0; i < VSS_OPERATION_COUNT; i++)
		CU_ASSERT_STRING_NOT_EQUAL(vss_operation_name((uint8_t)i), "unknown");
	CU_ASSERT_STRING_EQUAL(vss_operation_name(9), "unknown");
}

static const struct test tests[] = {
	TEST(host_takes_linux_through_a_backup),
	TEST(guest_answers_the_recorded_host),
	TEST(the_check_has_the_bytes_of_the_notes),
	TEST(every_pair_of_versions_makes_a_backup_from_5_0_on),
	TEST(host_refuses_what_it_cannot_begin),
	TEST(host_ends_at_a_refused_check),
	TEST(host_thaws_after_a_refused_freeze),
	TEST(host_blames_the_freeze_where_the_thaw_is_refused_too),
	TEST(host_tries_an_owed_thaw_once_each_time),
	TEST(host_thaws_after_a_freeze_without_answer),
	TEST(host_thaws_at_its_limit),
	TEST(host_gives_up_before_or_right_after_the_freeze),
	TEST(host_calls_a_copy_bad_that_the_guest_does_not_vouch_for),
	TEST(host_does_not_stop_to_thaw_a_silent_guest),
	TEST(host_gives_an_owners_thaw_the_time_of_an_answer),
	TEST(host_owes_a_thaw_to_a_guest_that_closed),
	TEST(host_takes_an_answer_to_something_else_for_a_failure),
	TEST(host_says_when_freeze_does_not_fit_in_the_ring),
	TEST(host_thaws_without_a_backup),
	TEST(guest_answers_every_operation_as_it_should),
	TEST(guest_judges_bodies_by_what_they_hold),
	TEST(guest_answers_when_it_is_done),
	TEST(guest_does_nothing_before_agreement),
	TEST(names_are_words),
};
TEST_MAIN("vss", tests)
