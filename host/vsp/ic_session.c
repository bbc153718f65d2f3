// SPDX-License-Identifier: Apache-2.0
/*
 * Deadlines of an integration component, host side. See ic_session.h.
 */
#include "host/vsp/ic_session.h"

#include <errno.h>
#include <string.h>

uint64_t ic_session_after(uint64_t now_ns, uint64_t span_ns)
{
	uint64_t sum;
	return __builtin_add_overflow(now_ns, span_ns, &sum) || sum == IC_SESSION_NEVER
		       ? IC_SESSION_NEVER - 1
		       : sum;
}

void ic_session_init(struct ic_session *session, uint16_t type,
	const struct ic_session_component *component, void *component_ctx,
	const struct ic_session_ops *ops, void *ctx)
{
	memset(session, 0, sizeof *session);
	ic_host_init(&session->ic, ic_component_find(type));
	session->component = component;
	session->component_ctx = component_ctx;
	session->ops = ops;
	session->ctx = ctx;
	session->answer_by_ns = IC_SESSION_NEVER;
	session->wake_ns = IC_SESSION_NEVER;
}

static int send(struct ic_session *session, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
	session->sent_ns = now_ns;
	if (session->ops->send(session->ctx, bytes, len) == 0)
		return 0;
	ic_host_unsend(&session->ic);
	session->send_failures++;
	return -EAGAIN;
}

static void negotiate(struct ic_session *session, uint64_t now_ns)
{
	uint8_t buffer[IC_NEGOTIATE_MAX_BYTES];
	size_t len = ic_host_negotiate(&session->ic, buffer, sizeof buffer);
	if (len != 0)
		(void)send(session, buffer, len, now_ns);
	session->answer_by_ns = ic_session_after(now_ns, IC_SESSION_NEGOTIATE_NS);
}

void ic_session_on_open(struct ic_session *session, uint64_t now_ns)
{
	ic_host_open(&session->ic);
	session->unanswered = 0;
	session->wake_ns = IC_SESSION_NEVER;
	session->budget_ns = ic_session_after(now_ns, IC_SESSION_BUDGET_NS);
	negotiate(session, now_ns);
}

/* Nothing will happen any more until the channel is opened again. */
static void rest(struct ic_session *session, uint64_t now_ns)
{
	session->answer_by_ns = IC_SESSION_NEVER;
	session->wake_ns = IC_SESSION_NEVER;
	if (session->component->closed != NULL)
		session->component->closed(session->component_ctx, now_ns);
}

void ic_session_on_close(struct ic_session *session, uint64_t now_ns)
{
	ic_host_close(&session->ic);
	rest(session, now_ns);
}

static void on_broken(struct ic_session *session, uint64_t now_ns)
{
	rest(session, now_ns);
	session->ops->failed(session->ctx, ic_rejection_name(session->ic.failure));
}

static void budget_renew(struct ic_session *session, uint64_t now_ns)
{
	if (now_ns < session->budget_ns)
		return;
	session->budget_ns = ic_session_after(now_ns, IC_SESSION_BUDGET_NS);
	ic_host_budget_renew(&session->ic);
}

static void on_answered(
	struct ic_session *session, const struct ic_message *response, uint64_t now_ns)
{
	session->answer_by_ns = IC_SESSION_NEVER;
	session->round_trip_ns = now_ns > session->sent_ns ? now_ns - session->sent_ns : 0;
	if (response != NULL)
		session->component->answered(session->component_ctx, response, now_ns);
	else if (session->component->ready != NULL)
		session->component->ready(session->component_ctx, now_ns);
}

void ic_session_on_packet(
	struct ic_session *session, const void *bytes, size_t len, uint64_t now_ns)
{
	struct ic_message response;
	session->unanswered = 0;
	budget_renew(session, now_ns);
	switch (ic_host_on_packet(&session->ic, bytes, len, &response)) {
	case IC_HOST_AGREED:
		on_answered(session, NULL, now_ns);
		return;
	case IC_HOST_ANSWERED:
		on_answered(session, &response, now_ns);
		return;
	case IC_HOST_BROKEN:
		on_broken(session, now_ns);
		return;
	case IC_HOST_DROPPED:
		return;
	}
}

void ic_session_reject(struct ic_session *session, enum ic_rejection reason, uint64_t now_ns)
{
	if (ic_host_reject(&session->ic, reason) == IC_HOST_BROKEN)
		on_broken(session, now_ns);
}

void ic_session_on_bad_packet(struct ic_session *session, enum ic_rejection reason, uint64_t now_ns)
{
	budget_renew(session, now_ns);
	ic_session_reject(session, reason, now_ns);
}

/*
 * The answer is overdue, or it is time to try again. Lists that were sent too often stay
 * outstanding: the guest that comes back may answer the last of them.
 */
static void on_overdue(struct ic_session *session, uint64_t now_ns)
{
	session->answer_by_ns = IC_SESSION_NEVER;
	bool is_negotiating = session->ic.state == IC_HOST_NEGOTIATING;
	if (session->ic.is_outstanding) {
		if (is_negotiating && session->unanswered >= IC_SESSION_UNANSWERED_MAX)
			return;
		ic_host_abandon(&session->ic);
		session->unanswered++;
	}
	if (is_negotiating)
		negotiate(session, now_ns);
	else if (session->component->silent != NULL)
		session->component->silent(session->component_ctx, now_ns);
}

uint64_t ic_session_on_time(struct ic_session *session, uint64_t now_ns)
{
	if (session->answer_by_ns != IC_SESSION_NEVER && now_ns >= session->answer_by_ns)
		on_overdue(session, now_ns);
	if (session->wake_ns != IC_SESSION_NEVER && now_ns >= session->wake_ns) {
		session->wake_ns = IC_SESSION_NEVER;
		if (session->component->woken != NULL)
			session->component->woken(session->component_ctx, now_ns);
	}
	return ic_session_deadline_ns(session);
}

uint64_t ic_session_deadline_ns(const struct ic_session *session)
{
	return session->answer_by_ns < session->wake_ns ? session->answer_by_ns : session->wake_ns;
}

int ic_session_request(struct ic_session *session, const void *body, uint16_t body_bytes,
	uint64_t answer_by_ns, uint64_t now_ns)
{
	uint8_t buffer[IC_PAYLOAD_MAX_BYTES];
	if (session->ic.state != IC_HOST_READY)
		return -ENOTCONN;
	if (session->ic.is_outstanding)
		return -EBUSY;
	if (session->unanswered >= IC_SESSION_UNANSWERED_MAX)
		return -EAGAIN;
	size_t len = ic_host_request(&session->ic, body, body_bytes, buffer, sizeof buffer);
	if (len == 0)
		return -EMSGSIZE;
	int error = send(session, buffer, len, now_ns);
	if (error == 0)
		session->answer_by_ns = answer_by_ns;
	return error;
}

void ic_session_hasten(struct ic_session *session, uint64_t by_ns)
{
	if (session->ic.is_outstanding && by_ns < session->answer_by_ns)
		session->answer_by_ns = by_ns;
}

void ic_session_wake(struct ic_session *session, uint64_t when_ns)
{
	session->wake_ns = when_ns;
}
