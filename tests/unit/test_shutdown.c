// SPDX-License-Identifier: Apache-2.0
/*
 * Shutdown: the host's machine against real guests' packets and hostile guests, the guest's
 * machine against the recorded host and hostile ones, and both wired to each other at each
 * pair of versions.
 */
#include "guest/ic_daemons/shutdown_ic.h"
#include "host/vsp/shutdown_vsp.h"
#include "tests/harness.h"
#include "tests/unit/ic_golden.h"
#include "tests/unit/ic_session_rig.h"

#include <errno.h>

#define ALL_ACTIONS 7u

struct fixture {
	struct session_rig rig;
	struct shutdown_vsp vsp;
	/* What the host was told. */
	unsigned dones;
	enum shutdown_action action;
	enum shutdown_result result;
	uint32_t status;
	bool asks_again; /* from within done */
	int again;
};

static const struct shutdown_vsp_request power_off = {
	.action = SHUTDOWN_POWER_OFF, .reason = SHUTDOWN_REASON_PLANNED};

static void on_done(
	void *ctx, enum shutdown_action action, enum shutdown_result result, uint32_t status)
{
	struct fixture *f = ctx;
	f->dones++;
	f->action = action;
	f->result = result;
	f->status = status;
	if (f->asks_again) {
		f->asks_again = false;
		f->again = shutdown_vsp_request(&f->vsp, &power_off, f->rig.now);
	}
}

static const struct shutdown_vsp_ops ops = {
	.session = {.send = rig_send, .failed = rig_failed},
	.done = on_done,
};

static void open_host(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->rig.now = 100 * RIG_SECOND;
	f->rig.session = &f->vsp.session;
	shutdown_vsp_init(&f->vsp, &ops, f);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f->vsp.session), IC_SESSION_NEVER);
	ic_session_on_open(&f->vsp.session, f->rig.now);
}

static void agreed(struct fixture *f, struct shutdown_ic *guest)
{
	open_host(f);
	shutdown_ic_init(guest, ALL_ACTIONS);
	CU_ASSERT_TRUE(rig_guest_answers(&f->rig, &guest->ic));
	CU_ASSERT_EQUAL_FATAL(f->vsp.session.ic.state, IC_HOST_READY);
}

static int ask(struct fixture *f, const struct shutdown_vsp_request *request)
{
	return shutdown_vsp_request(&f->vsp, request, f->rig.now);
}

/* Find the recorded pair. */
static void recorded(struct golden_packet *request, struct golden_packet *answer)
{
	FILE *file = golden_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	bool is_found = false;
	while (!is_found && golden_read(file, request) && golden_read(file, answer))
		is_found = strcmp(request->device, "shutdown") == 0 &&
			   strcmp(request->kind, "off") == 0;
	fclose(file);
	CU_ASSERT_TRUE_FATAL(is_found);
}

/* --- with recorded packets, and those of the notes ----------------------------------------- */

/* The recorded host's request, byte for byte, and the answer of Linux 6.1 and 6.12 to it. */
static void host_sends_the_recorded_request_and_accepts_linux_answer(void)
{
	static struct golden_packet request;
	static struct golden_packet answer;
	struct fixture f;
	struct shutdown_ic guest;
	recorded(&request, &answer);
	agreed(&f, &guest);
	CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
	/* The transaction id is 1 in both: the second message on the channel. */
	CU_ASSERT_EQUAL_FATAL(f.rig.sent_len, request.len);
	CU_ASSERT_EQUAL(memcmp(f.rig.sent, request.bytes, request.len), 0);
	rig_give(&f.rig, answer.bytes, answer.len);
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_ACCEPTED);
	CU_ASSERT_EQUAL(ic_host_rejections(&f.vsp.session.ic), 0);
}

/* R-SHUT-007. */
static void guest_answers_the_recorded_host_as_linux_does(void)
{
	FILE *file = golden_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	static struct golden_packet request;
	static struct golden_packet answer;
	static uint8_t reply[2112];
	struct shutdown_ic guest;
	struct shutdown_order order;
	shutdown_ic_init(&guest, ALL_ACTIONS);
	unsigned seen = 0;
	while (golden_read(file, &request) && golden_read(file, &answer)) {
		if (strcmp(request.device, "shutdown") != 0)
			continue;
		size_t len = 0;
		memset(reply, 0, sizeof reply);
		CU_ASSERT_EQUAL(ic_guest_on_packet(&guest.ic, request.bytes, request.len, reply,
					sizeof reply, &len),
			IC_OK);
		CU_ASSERT_TRUE(len <= answer.len && answer.len - len < 8);
		CU_ASSERT_EQUAL(memcmp(reply, answer.bytes, answer.len), 0);
		seen++;
	}
	fclose(file);
	CU_ASSERT_EQUAL(seen, 2);
	CU_ASSERT_TRUE(shutdown_ic_take(&guest, &order));
	CU_ASSERT_EQUAL(order.action, SHUTDOWN_POWER_OFF);
	CU_ASSERT_FALSE(order.is_forced);
	CU_ASSERT_EQUAL(order.reason, 0x80000000u);
	CU_ASSERT_FALSE(shutdown_ic_take(&guest, &order));
}

/*
 * R-SHUT-001: "Shutdown request, reboot forced" as the notes write it out; all behind flags is
 * 0.
 */
static void host_asks_for_a_forced_restart_with_the_bytes_of_the_notes(void)
{
	static const uint8_t head[40] = {
		0x01, 0, 0, 0, 0x20, 0x08, 0, 0,	  /* pipe: data, 2080 bytes */
		0x03, 0, 0, 0, 0x03, 0, 0x03, 0, 0x02, 0, /* framework 3.0, shutdown, 3.2 */
		0x0C, 0x08, 0, 0, 0, 0,			  /* body 2060, status */
		0x01, 0x03, 0, 0,			  /* transaction id, flags, reserved */
		0, 0, 0, 0x80, 0, 0, 0, 0,		  /* reason, timeout */
		0x03, 0, 0, 0,				  /* flags */
	};
	static const uint8_t zero[2048];
	struct fixture f;
	struct shutdown_ic guest;
	struct shutdown_order order;
	agreed(&f, &guest);
	const struct shutdown_vsp_request request = {
		.action = SHUTDOWN_RESTART, .is_forced = true, .reason = SHUTDOWN_REASON_PLANNED};
	CU_ASSERT_EQUAL(ask(&f, &request), 0);
	CU_ASSERT_EQUAL_FATAL(f.rig.sent_len, 2088);
	CU_ASSERT_EQUAL(memcmp(f.rig.sent, head, sizeof head), 0);
	CU_ASSERT_EQUAL(memcmp(f.rig.sent + 40, zero, sizeof zero), 0);
	rig_guest_answers(&f.rig, &guest.ic);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_ACCEPTED);
	CU_ASSERT_EQUAL(f.action, SHUTDOWN_RESTART);
	CU_ASSERT_TRUE(shutdown_ic_take(&guest, &order));
	CU_ASSERT_EQUAL(order.action, SHUTDOWN_RESTART);
	CU_ASSERT_TRUE(order.is_forced);
}

/* --- versions ------------------------------------------------------------------------------ */

static const struct ic_version_wire frameworks[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire messages[] = {{1, 0}, {3, 0}, {3, 1}, {3, 2}};

/* One pair: host knows the versions up to one, guest up to another; the lower is agreed. */
static void run_pair(unsigned host_fw, unsigned guest_fw, unsigned host_msg, unsigned guest_msg)
{
	struct fixture f;
	struct shutdown_ic guest;
	const struct ic_component component = component_of(IC_TYPE_SHUTDOWN,
		(struct ic_version_list){frameworks, (uint16_t)(host_fw + 1)},
		(struct ic_version_list){messages, (uint16_t)(host_msg + 1)});
	const struct ic_guest_service service = service_of(&shutdown_ic_service,
		(struct ic_version_list){frameworks, (uint16_t)(guest_fw + 1)},
		(struct ic_version_list){messages, (uint16_t)(guest_msg + 1)});
	const unsigned framework = host_fw < guest_fw ? host_fw : guest_fw;
	const unsigned message = host_msg < guest_msg ? host_msg : guest_msg;
	memset(&f, 0, sizeof f);
	f.rig.session = &f.vsp.session;
	shutdown_vsp_init(&f.vsp, &ops, &f);
	f.vsp.session.ic.component = &component;
	shutdown_ic_init(&guest, ALL_ACTIONS);
	guest.ic.service = &service;
	ic_session_on_open(&f.vsp.session, f.rig.now);
	rig_guest_answers(&f.rig, &guest.ic);
	const struct ic_agreement *agreement = &f.vsp.session.ic.agreement;
	CU_ASSERT_EQUAL(ic_version_compare(agreement->framework, frameworks[framework]), 0);
	CU_ASSERT_EQUAL(ic_version_compare(agreement->message, messages[message]), 0);
	CU_ASSERT_EQUAL(ic_version_compare(guest.ic.agreement.message, messages[message]), 0);
	for (unsigned action = 0; action < SHUTDOWN_ACTION_COUNT; action++) {
		const struct shutdown_vsp_request request = {.action = action};
		/* Restart is of 3.1, hibernation of 3.2. */
		const bool is_known = action == 0 || (action == 1 && message >= 2) || message == 3;
		const unsigned dones = f.dones;
		CU_ASSERT_EQUAL(ask(&f, &request), is_known ? 0 : -ENOTSUP);
		if (!is_known)
			continue;
		CU_ASSERT_EQUAL(f.rig.sent[8], frameworks[framework].major);
		CU_ASSERT_EQUAL(f.rig.sent[14], messages[message].major);
		CU_ASSERT_EQUAL(f.rig.sent[16], messages[message].minor);
		CU_ASSERT_EQUAL(get16(f.rig.sent + AT_BODY_BYTES), 2060); /* R-SHUT-001 */
		rig_guest_answers(&f.rig, &guest.ic);
		CU_ASSERT_EQUAL(f.dones, dones + 1);
		CU_ASSERT_EQUAL(f.result, SHUTDOWN_ACCEPTED);
		CU_ASSERT_EQUAL(guest.order.action, action);
	}
	CU_ASSERT_EQUAL(ic_host_rejections(&f.vsp.session.ic), 0);
	CU_ASSERT_EQUAL(ic_guest_rejections(&guest.ic), 0);
}

/* R-SHUT-004 at every pair of versions of both ends. */
static void every_pair_of_versions_agrees_and_keeps_to_what_it_has(void)
{
	for (unsigned fw = 0; fw < 4; fw++)
		for (unsigned host = 0; host < 4; host++)
			for (unsigned guest = 0; guest < 4; guest++)
				run_pair(fw & 1, fw >> 1, host, guest);
}

/* --- host ---------------------------------------------------------------------------------- */

/* R-IC-019, R-IC-009. */
static void host_says_not_ready_and_in_progress(void)
{
	struct fixture f;
	struct shutdown_ic guest;
	memset(&f, 0, sizeof f);
	shutdown_vsp_init(&f.vsp, &ops, &f);
	CU_ASSERT_EQUAL(ask(&f, &power_off), -ENOTCONN);
	open_host(&f);
	CU_ASSERT_EQUAL(ask(&f, &power_off), -ENOTCONN);
	CU_ASSERT_EQUAL(f.rig.sends, 1);
	agreed(&f, &guest);
	CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
	CU_ASSERT_EQUAL(ask(&f, &power_off), -EBUSY);
	CU_ASSERT_EQUAL(f.rig.sends, 2);
	rig_guest_answers(&f.rig, &guest.ic);
	CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
	CU_ASSERT_EQUAL(f.dones, 1);
}

/* R-IC-018, R-SHUT-009: refused with the guest's status, whatever it is. */
static void host_passes_on_the_status_of_a_refusal(void)
{
	static const uint32_t statuses[] = {
		IC_STATUS_FAIL, IC_STATUS_NOT_SUPPORTED, IC_STATUS_MACHINE_LOCKED, 1};
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	struct fixture f;
	struct shutdown_ic guest;
	agreed(&f, &guest);
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
		size_t len = rig_guest_reply(&f.rig, &guest.ic, reply);
		memcpy(reply + AT_STATUS, &statuses[i], sizeof statuses[i]);
		rig_give(&f.rig, reply, len);
		CU_ASSERT_EQUAL(f.dones, i + 1);
		CU_ASSERT_EQUAL(f.result, SHUTDOWN_REFUSED);
		CU_ASSERT_EQUAL(f.status, statuses[i]);
	}
	CU_ASSERT_EQUAL(f.vsp.refused, 4);
	CU_ASSERT_EQUAL(f.vsp.accepted, 0);
	CU_ASSERT_PTR_NULL(f.rig.failure);
}

/* R-SHUT-011, R-IC-035. */
static void host_gives_up_at_the_deadline_and_drops_the_late_answer(void)
{
	static uint8_t late[IC_PAYLOAD_MAX_BYTES];
	struct fixture f;
	struct shutdown_ic guest;
	struct shutdown_vsp_request request = power_off;
	agreed(&f, &guest);
	CU_ASSERT_EQUAL(ask(&f, &request), 0);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session), f.rig.now + 10 * RIG_SECOND);
	size_t len = rig_guest_reply(&f.rig, &guest.ic, late);
	(void)ic_session_on_time(&f.vsp.session, f.rig.now + 10 * RIG_SECOND - 1);
	CU_ASSERT_EQUAL(f.dones, 0);
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_NO_ANSWER);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session), IC_SESSION_NEVER);
	rig_give(&f.rig, late, len);
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.vsp.session.ic.rejections[IC_REJECT_UNSOLICITED], 1);
	request.answer_ns = RIG_SECOND;
	CU_ASSERT_EQUAL(ask(&f, &request), 0);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session), f.rig.now + RIG_SECOND);
	rig_give(&f.rig, late, len);
	CU_ASSERT_EQUAL(f.vsp.session.ic.rejections[IC_REJECT_TRANSACTION_ID], 1);
	CU_ASSERT_EQUAL(f.dones, 1);
	rig_guest_answers(&f.rig, &guest.ic);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_ACCEPTED);
}

/* R-SHUT-013: a guest that was stopped does not find its ring full of requests. */
static void host_leaves_a_bounded_number_of_requests_to_a_silent_guest(void)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	struct fixture f;
	struct shutdown_ic guest;
	agreed(&f, &guest);
	unsigned asked = 0;
	while (ask(&f, &power_off) == 0 && asked < 100) {
		rig_tick(&f.rig);
		asked++;
	}
	CU_ASSERT_EQUAL(asked, IC_SESSION_UNANSWERED_MAX);
	CU_ASSERT_EQUAL(f.dones, asked);
	CU_ASSERT_EQUAL(ask(&f, &power_off), -EAGAIN);
	/* It answers the last of them, too late; it is there again. */
	size_t len = rig_guest_reply(&f.rig, &guest.ic, reply);
	rig_give(&f.rig, reply, len);
	CU_ASSERT_EQUAL(f.dones, asked);
	CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
	rig_guest_answers(&f.rig, &guest.ic);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_ACCEPTED);
}

/* R-SHUT-012. */
static void host_says_that_the_channel_closed_first(void)
{
	struct fixture f;
	struct shutdown_ic guest;
	agreed(&f, &guest);
	CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
	f.asks_again = true;
	ic_session_on_close(&f.vsp.session, f.rig.now);
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_CLOSED);
	CU_ASSERT_EQUAL(f.again, -ENOTCONN);
	ic_session_on_close(&f.vsp.session, f.rig.now);
	CU_ASSERT_EQUAL(f.dones, 1);
	/* Opened again, all begins anew. */
	ic_session_on_open(&f.vsp.session, f.rig.now);
	ic_guest_reset(&guest.ic);
	rig_guest_answers(&f.rig, &guest.ic);
	CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
	rig_guest_answers(&f.rig, &guest.ic);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_ACCEPTED);
}

static void host_may_ask_again_when_it_is_told_of_the_end(void)
{
	struct fixture f;
	struct shutdown_ic guest;
	agreed(&f, &guest);
	f.asks_again = true;
	CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
	rig_guest_answers(&f.rig, &guest.ic);
	CU_ASSERT_EQUAL(f.again, 0);
	CU_ASSERT_EQUAL(f.dones, 1);
	rig_guest_answers(&f.rig, &guest.ic);
	CU_ASSERT_EQUAL(f.dones, 2);
	f.asks_again = true;
	CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_NO_ANSWER);
	CU_ASSERT_EQUAL(f.again, 0);
}

/* R-SHUT-006. */
static void host_sends_a_text_that_ends_with_nul(void)
{
	static char text[SHUTDOWN_TEXT_BYTES + 1];
	struct fixture f;
	struct shutdown_ic guest;
	struct shutdown_order order;
	agreed(&f, &guest);
	struct shutdown_vsp_request request = {.timeout_s = 300, .text = text};
	memset(text, 'x', SHUTDOWN_TEXT_BYTES);
	CU_ASSERT_EQUAL(ask(&f, &request), -EMSGSIZE);
	text[SHUTDOWN_TEXT_MAX_BYTES] = '\0';
	CU_ASSERT_EQUAL(ask(&f, &request), 0);
	CU_ASSERT_EQUAL(get32(f.rig.sent + AT_BODY + 4), 300);
	CU_ASSERT_EQUAL(f.rig.sent[AT_BODY + 12 + 2046], 'x');
	CU_ASSERT_EQUAL(f.rig.sent[AT_BODY + 12 + 2047], 0);
	rig_guest_answers(&f.rig, &guest.ic);
	CU_ASSERT_TRUE(shutdown_ic_take(&guest, &order));
	CU_ASSERT_STRING_EQUAL(order.text, text);
	CU_ASSERT_EQUAL(order.timeout_s, 300);
}

static void host_says_when_the_ring_is_full(void)
{
	struct fixture f;
	struct shutdown_ic guest;
	agreed(&f, &guest);
	f.rig.send_result = -EAGAIN;
	CU_ASSERT_EQUAL(ask(&f, &power_off), -EAGAIN);
	CU_ASSERT_EQUAL(f.dones, 0);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session), IC_SESSION_NEVER);
	f.rig.send_result = 0;
	CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
	rig_guest_answers(&f.rig, &guest.ic);
	CU_ASSERT_EQUAL(f.dones, 1);
}

/* What a hostile guest can send while it is asked; each is dropped and the answer counts. */
static void host_drops_what_is_no_answer(void)
{
	static const struct {
		size_t at;
		uint16_t value;
		enum ic_rejection want;
	} cases[] = {
		{AT_PIPE_TYPE, 2, IC_REJECT_PIPE_TYPE},
		{AT_PIPE_LENGTH, 2081, IC_REJECT_PIPE_LENGTH},
		{AT_PIPE_LENGTH, 19, IC_REJECT_SHORT},
		{AT_TYPE, IC_TYPE_HEARTBEAT, IC_REJECT_TYPE},
		{AT_TYPE, IC_TYPE_NEGOTIATE, IC_REJECT_UNSOLICITED},
		{AT_BODY_BYTES, 2061, IC_REJECT_BODY_BYTES},
		{AT_TRANSACTION, 0x0502, IC_REJECT_TRANSACTION_ID},
		{AT_TRANSACTION, 0x0301, IC_REJECT_FLAGS},
	};
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	static uint8_t wrong[IC_PAYLOAD_MAX_BYTES];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f;
		struct shutdown_ic guest;
		agreed(&f, &guest);
		CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
		size_t len = rig_guest_reply(&f.rig, &guest.ic, reply);
		memcpy(wrong, reply, len);
		put16(wrong + cases[i].at, cases[i].value);
		rig_give(&f.rig, wrong, len);
		CU_ASSERT_EQUAL(f.vsp.session.ic.rejections[cases[i].want], 1);
		CU_ASSERT_EQUAL(f.dones, 0);
		rig_give(&f.rig, reply, len);
		CU_ASSERT_EQUAL(f.result, SHUTDOWN_ACCEPTED);
		CU_ASSERT_EQUAL(f.dones, 1);
	}
}

static void host_takes_an_answer_without_its_body(void)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	struct fixture f;
	struct shutdown_ic guest;
	agreed(&f, &guest);
	CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
	(void)rig_guest_reply(&f.rig, &guest.ic, reply);
	put16(reply + AT_PIPE_LENGTH, 20);
	put16(reply + AT_BODY_BYTES, 0);
	rig_give(&f.rig, reply, 28);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_ACCEPTED);
}

static void host_ends_a_flood_and_the_request_with_it(void)
{
	struct fixture f;
	struct shutdown_ic guest;
	const uint8_t junk[28] = {1};
	agreed(&f, &guest);
	CU_ASSERT_EQUAL(ask(&f, &power_off), 0);
	for (unsigned i = 0; i < IC_HOST_REJECTIONS_MAX; i++)
		rig_give(&f.rig, junk, sizeof junk);
	CU_ASSERT_PTR_NULL(f.rig.failure);
	/* Two seconds later the same is tolerated again. */
	f.rig.now += IC_SESSION_BUDGET_NS;
	for (unsigned i = 0; i < IC_HOST_REJECTIONS_MAX; i++)
		rig_give(&f.rig, junk, sizeof junk);
	CU_ASSERT_PTR_NULL(f.rig.failure);
	ic_session_on_bad_packet(&f.vsp.session, IC_REJECT_TOO_LONG, f.rig.now);
	CU_ASSERT_TRUE(is_text(f.rig.failure, "too many rejected messages"));
	CU_ASSERT_EQUAL(f.dones, 1);
	CU_ASSERT_EQUAL(f.result, SHUTDOWN_CLOSED);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session), IC_SESSION_NEVER);
	CU_ASSERT_EQUAL(ask(&f, &power_off), -ENOTCONN);
	for (unsigned i = 0; i < 1000; i++)
		rig_give(&f.rig, junk, sizeof junk);
	CU_ASSERT_EQUAL(f.dones, 1);
}

/* R-IC-001, and again while the guest is silent, but not for ever. */
static void host_negotiates_again_when_the_guest_is_silent(void)
{
	struct fixture f;
	struct shutdown_ic guest;
	open_host(&f);
	CU_ASSERT_EQUAL_FATAL(f.rig.sent_len, sizeof shutdown_negotiation);
	CU_ASSERT_EQUAL(memcmp(f.rig.sent, shutdown_negotiation, f.rig.sent_len), 0);
	for (unsigned i = 0; i < IC_SESSION_UNANSWERED_MAX; i++) {
		rig_tick(&f.rig);
		CU_ASSERT_EQUAL(f.rig.sends, i + 2);
		CU_ASSERT_EQUAL(f.rig.sent[AT_TRANSACTION], i + 1);
	}
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.rig.sends, IC_SESSION_UNANSWERED_MAX + 1);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f.vsp.session), IC_SESSION_NEVER);
	shutdown_ic_init(&guest, ALL_ACTIONS);
	rig_guest_answers(&f.rig, &guest.ic);
	CU_ASSERT_EQUAL(f.vsp.session.ic.state, IC_HOST_READY);
}

static void host_tries_its_lists_again_when_the_ring_was_full(void)
{
	struct fixture f;
	memset(&f, 0, sizeof f);
	f.rig.session = &f.vsp.session;
	shutdown_vsp_init(&f.vsp, &ops, &f);
	f.rig.send_result = -EAGAIN;
	ic_session_on_open(&f.vsp.session, 0);
	CU_ASSERT_EQUAL(f.rig.sends, 0);
	f.rig.send_result = 0;
	rig_tick(&f.rig);
	CU_ASSERT_EQUAL(f.rig.sends, 1);
	CU_ASSERT_EQUAL(f.vsp.session.unanswered, 0);
}

/* --- guest --------------------------------------------------------------------------------- */

static void guest_start(struct shutdown_ic *guest, unsigned actions)
{
	uint8_t reply[sizeof shutdown_negotiation];
	size_t len = 0;
	shutdown_ic_init(guest, actions);
	CU_ASSERT_EQUAL(ic_guest_on_packet(&guest->ic, shutdown_negotiation,
				sizeof shutdown_negotiation, reply, sizeof reply, &len),
		IC_OK);
}

/* Give a request with these flags, its body cut to `body_bytes`; the length of the answer. */
static size_t guest_give(struct shutdown_ic *guest, uint32_t flags, uint16_t body_bytes,
	uint8_t fill, uint32_t *status)
{
	static struct golden_packet request;
	static struct golden_packet answer;
	uint8_t reply[2112];
	size_t len = 0;
	recorded(&request, &answer);
	memcpy(request.bytes + AT_BODY + 8, &flags, sizeof flags);
	memset(request.bytes + AT_BODY + 12, fill, 2048);
	put16(request.bytes + AT_BODY_BYTES, body_bytes);
	put16(request.bytes + AT_PIPE_LENGTH, (uint16_t)(20 + body_bytes));
	uint8_t *copy = malloc(28u + body_bytes);
	memcpy(copy, request.bytes, 28u + body_bytes);
	(void)ic_guest_on_packet(&guest->ic, copy, 28u + body_bytes, reply, sizeof reply, &len);
	free(copy);
	if (len > 0)
		*status = get32(reply + AT_STATUS);
	return len;
}

/* R-IC-016: of all 32 bits and of all small numbers. */
static void guest_refuses_flags_that_mean_nothing(void)
{
	struct shutdown_ic guest;
	uint32_t status = 1;
	guest_start(&guest, ALL_ACTIONS);
	for (uint32_t flags = 0; flags < 16; flags++) {
		CU_ASSERT_EQUAL(guest_give(&guest, flags, 2060, 0, &status), 2088);
		CU_ASSERT_EQUAL(status, flags < 6 ? IC_STATUS_SUCCESS : IC_STATUS_FAIL);
		CU_ASSERT_EQUAL(guest.has_order, flags < 6);
		guest.has_order = false;
	}
	for (unsigned bit = 3; bit < 32; bit++) {
		CU_ASSERT_EQUAL(guest_give(&guest, 1u << bit, 2060, 0, &status), 2088);
		CU_ASSERT_EQUAL(status, IC_STATUS_FAIL);
		CU_ASSERT_FALSE(guest.has_order);
	}
}

/* R-IC-018. */
static void guest_refuses_what_it_cannot_do(void)
{
	static const uint32_t flags[] = {0, 2, 4};
	for (unsigned actions = 0; actions < 8; actions++) {
		struct shutdown_ic guest;
		guest_start(&guest, actions);
		for (unsigned action = 0; action < 3; action++) {
			uint32_t status = 1;
			const bool can = (actions & 1u << action) != 0;
			CU_ASSERT_EQUAL(guest_give(&guest, flags[action], 2060, 0, &status), 2088);
			CU_ASSERT_EQUAL(status, can ? IC_STATUS_SUCCESS : IC_STATUS_FAIL);
			CU_ASSERT_EQUAL(guest.has_order, can);
			guest.has_order = false;
		}
	}
}

/* R-IC-020. */
static void guest_ignores_a_short_body(void)
{
	struct shutdown_ic guest;
	uint32_t status = 1;
	guest_start(&guest, ALL_ACTIONS);
	for (uint16_t body_bytes = 0; body_bytes < 2060; body_bytes++) {
		CU_ASSERT_EQUAL(guest_give(&guest, 0, body_bytes, 0, &status), 0);
		CU_ASSERT_FALSE(guest.has_order);
	}
	CU_ASSERT_EQUAL(guest.ic.rejections[IC_REJECT_BODY_SHORT], 2060);
	CU_ASSERT_EQUAL(guest_give(&guest, 0, 2060, 0, &status), 2088);
	CU_ASSERT_TRUE(guest.has_order);
}

/* R-IC-021. */
static void guest_bounds_a_text_without_end(void)
{
	struct shutdown_ic guest;
	struct shutdown_order order;
	uint32_t status = 1;
	guest_start(&guest, ALL_ACTIONS);
	memset(guest.order.text, 'y', sizeof guest.order.text);
	CU_ASSERT_EQUAL(guest_give(&guest, 1, 2060, 0xFF, &status), 2088);
	CU_ASSERT_TRUE(shutdown_ic_take(&guest, &order));
	CU_ASSERT_EQUAL(strlen(order.text), 2048);
	CU_ASSERT_TRUE(order.is_forced);
}

/* R-SHUT-008: the latest counts. */
static void guest_keeps_the_latest_order_until_it_is_taken(void)
{
	struct shutdown_ic guest;
	struct shutdown_order order;
	uint32_t status = 1;
	guest_start(&guest, ALL_ACTIONS);
	guest_give(&guest, 2, 2060, 0, &status);
	guest_give(&guest, 1, 2060, 0, &status);
	guest_give(&guest, 7, 2060, 0, &status);
	CU_ASSERT_TRUE(shutdown_ic_take(&guest, &order));
	CU_ASSERT_EQUAL(order.action, SHUTDOWN_POWER_OFF);
	CU_ASSERT_TRUE(order.is_forced);
	CU_ASSERT_FALSE(shutdown_ic_take(&guest, &order));
	CU_ASSERT_EQUAL(guest.accepted, 2);
	CU_ASSERT_EQUAL(guest.refused, 1);
}

/* R-IC-037. */
static void guest_does_nothing_before_agreement(void)
{
	struct shutdown_ic guest;
	uint32_t status = 1;
	shutdown_ic_init(&guest, ALL_ACTIONS);
	CU_ASSERT_EQUAL(guest_give(&guest, 0, 2060, 0, &status), 2088);
	CU_ASSERT_EQUAL(status, IC_STATUS_FAIL);
	CU_ASSERT_FALSE(guest.has_order);
}

static void names_are_words(void)
{
	CU_ASSERT_STRING_EQUAL(shutdown_action_name(SHUTDOWN_POWER_OFF), "power off");
	CU_ASSERT_STRING_EQUAL(shutdown_action_name(SHUTDOWN_HIBERNATE), "hibernate");
	CU_ASSERT_STRING_EQUAL(shutdown_result_name(SHUTDOWN_NO_ANSWER), "no answer");
	CU_ASSERT_STRING_EQUAL(shutdown_result_name(SHUTDOWN_CLOSED), "channel closed");
}

/* R-SHUT-002. */
static void guest_takes_any_reason_and_timeout(void)
{
	static const uint32_t words[] = {0, 1, 0x80000000, 0x8002000f, UINT32_MAX};
	static struct golden_packet request;
	static struct golden_packet answer;
	recorded(&request, &answer);
	for (unsigned i = 0; i < 25; i++) {
		struct shutdown_ic guest;
		struct shutdown_order order;
		uint8_t reply[2112];
		size_t len = 0;
		guest_start(&guest, ALL_ACTIONS);
		memcpy(request.bytes + AT_BODY, &words[i / 5], 4);
		memcpy(request.bytes + AT_BODY + 4, &words[i % 5], 4);
		CU_ASSERT_EQUAL(ic_guest_on_packet(&guest.ic, request.bytes, request.len, reply,
					sizeof reply, &len),
			IC_OK);
		CU_ASSERT_EQUAL(get32(reply + AT_STATUS), IC_STATUS_SUCCESS);
		CU_ASSERT_TRUE(shutdown_ic_take(&guest, &order));
		CU_ASSERT_EQUAL(order.reason, words[i / 5]);
	}
}

/* R-SHUT-005: each action in each version, also in those of which it is none. */
static void guest_goes_by_the_flags_whatever_the_version(void)
{
	for (unsigned message = 0; message < 4; message++) {
		for (uint32_t flags = 0; flags < 6; flags++) {
			struct shutdown_ic guest;
			struct shutdown_order order = {0};
			uint32_t status = 1;
			guest_start(&guest, ALL_ACTIONS);
			guest.ic.agreement.message = messages[message];
			CU_ASSERT_EQUAL(guest_give(&guest, flags, 2060, 0, &status), 2088);
			CU_ASSERT_EQUAL(status, IC_STATUS_SUCCESS);
			CU_ASSERT_TRUE(shutdown_ic_take(&guest, &order));
			CU_ASSERT_EQUAL(order.action, flags / 2);
			CU_ASSERT_EQUAL(order.is_forced, flags & 1);
		}
	}
}

static const struct test tests[] = {
	TEST(host_sends_the_recorded_request_and_accepts_linux_answer),
	TEST(guest_answers_the_recorded_host_as_linux_does),
	TEST(host_asks_for_a_forced_restart_with_the_bytes_of_the_notes),
	TEST(every_pair_of_versions_agrees_and_keeps_to_what_it_has),
	TEST(host_says_not_ready_and_in_progress),
	TEST(host_passes_on_the_status_of_a_refusal),
	TEST(host_gives_up_at_the_deadline_and_drops_the_late_answer),
	TEST(host_leaves_a_bounded_number_of_requests_to_a_silent_guest),
	TEST(host_says_that_the_channel_closed_first),
	TEST(host_may_ask_again_when_it_is_told_of_the_end),
	TEST(host_sends_a_text_that_ends_with_nul),
	TEST(host_says_when_the_ring_is_full),
	TEST(host_drops_what_is_no_answer),
	TEST(host_takes_an_answer_without_its_body),
	TEST(host_ends_a_flood_and_the_request_with_it),
	TEST(host_negotiates_again_when_the_guest_is_silent),
	TEST(host_tries_its_lists_again_when_the_ring_was_full),
	TEST(guest_refuses_flags_that_mean_nothing),
	TEST(guest_refuses_what_it_cannot_do),
	TEST(guest_ignores_a_short_body),
	TEST(guest_bounds_a_text_without_end),
	TEST(guest_keeps_the_latest_order_until_it_is_taken),
	TEST(guest_does_nothing_before_agreement),
	TEST(names_are_words),
	TEST(guest_takes_any_reason_and_timeout),
	TEST(guest_goes_by_the_flags_whatever_the_version),
};
TEST_MAIN("shutdown", tests)
