// SPDX-License-Identifier: Apache-2.0
/*
 * Heartbeat, host side. See heartbeat_vsp.h.
 */
#include "host/vsp/heartbeat_vsp.h"

#include "protocol/heartbeat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS 1000000u

static const char *const contact_names[] = {
	[HEARTBEAT_NO_CONTACT] = "no contact",
	[HEARTBEAT_OK] = "ok",
	[HEARTBEAT_LOST_CONTACT] = "lost contact",
};

static const char *const application_names[HEARTBEAT_APPLICATION_COUNT] = {
	[HEARTBEAT_APPLICATION_UNKNOWN] = "unknown",
	[HEARTBEAT_APPLICATION_HEALTHY] = "healthy",
	[HEARTBEAT_APPLICATION_CRITICAL] = "critical",
	[HEARTBEAT_APPLICATION_STOPPED] = "stopped",
};

const char *heartbeat_contact_name(enum heartbeat_contact contact)
{
	return contact_names[contact];
}

const char *heartbeat_application_name(uint32_t application_state)
{
	if (application_state >= HEARTBEAT_APPLICATION_COUNT)
		return "undefined";
	return application_names[application_state];
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	uint64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? HEARTBEAT_VSP_NEVER - 1 : sum;
}

void heartbeat_vsp_init(struct heartbeat_vsp *vsp, const struct heartbeat_vsp_config *config,
	const struct heartbeat_vsp_ops *ops, void *ctx)
{
	memset(vsp, 0, sizeof *vsp);
	if (config != NULL)
		vsp->config = *config;
	if (vsp->config.period_ns == 0)
		vsp->config.period_ns = (uint64_t)HEARTBEAT_PERIOD_MS * NS_PER_MS;
	if (vsp->config.missed_max == 0)
		vsp->config.missed_max = HEARTBEAT_MISSED_MAX;
	vsp->ops = ops;
	vsp->ctx = ctx;
	vsp->deadline_ns = HEARTBEAT_VSP_NEVER;
	ic_host_init(&vsp->ic, ic_component_find(IC_TYPE_HEARTBEAT));
}

/* Tell the owner if contact or application state differ from what they were. */
static void set_contact(
	struct heartbeat_vsp *vsp, enum heartbeat_contact contact, uint32_t application_state)
{
	bool is_changed = vsp->contact != contact || vsp->application_state != application_state;
	vsp->contact = contact;
	vsp->application_state = application_state;
	if (is_changed && vsp->ops->changed != NULL)
		vsp->ops->changed(vsp->ctx, contact, application_state);
}

static void lose_contact(struct heartbeat_vsp *vsp)
{
	vsp->lost_contacts++;
	set_contact(vsp, HEARTBEAT_LOST_CONTACT, HEARTBEAT_APPLICATION_UNKNOWN);
}

static void send(struct heartbeat_vsp *vsp, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
	vsp->sent_ns = now_ns;
	vsp->overdue = 0;
	if (vsp->ops->send(vsp->ctx, bytes, len) == 0)
		return;
	ic_host_unsend(&vsp->ic);
	vsp->send_failures++;
}

static void send_negotiation(struct heartbeat_vsp *vsp, uint64_t now_ns)
{
	uint8_t buffer[IC_NEGOTIATE_MAX_BYTES];
	size_t len = ic_host_negotiate(&vsp->ic, buffer, sizeof buffer);
	if (len != 0)
		send(vsp, buffer, len, now_ns);
}

static void send_request(struct heartbeat_vsp *vsp, uint64_t now_ns)
{
	uint8_t body[HEARTBEAT_BODY_BYTES] = {0};
	uint8_t buffer[IC_OVERHEAD_BYTES + HEARTBEAT_BODY_BYTES];
	uint16_t body_bytes = heartbeat_body_bytes(vsp->ic.agreement.message);
	vsp->sequence++; /* modulo 2^64: R-IC-029 */
	memcpy(body, &vsp->sequence, sizeof vsp->sequence);
	size_t len = ic_host_request(&vsp->ic, body, body_bytes, buffer, sizeof buffer);
	if (len != 0)
		send(vsp, buffer, len, now_ns);
}

void heartbeat_vsp_on_open(struct heartbeat_vsp *vsp, uint64_t now_ns)
{
	ic_host_open(&vsp->ic);
	vsp->sequence = vsp->config.first_sequence - 1;
	vsp->missed = 0;
	vsp->unanswered = 0;
	vsp->is_answered = false;
	vsp->deadline_ns = add_saturated(now_ns, vsp->config.period_ns);
	send_negotiation(vsp, now_ns);
	set_contact(vsp, HEARTBEAT_NO_CONTACT, HEARTBEAT_APPLICATION_UNKNOWN);
}

void heartbeat_vsp_on_close(struct heartbeat_vsp *vsp)
{
	ic_host_close(&vsp->ic);
	vsp->deadline_ns = HEARTBEAT_VSP_NEVER;
	set_contact(vsp, HEARTBEAT_NO_CONTACT, HEARTBEAT_APPLICATION_UNKNOWN);
}

static void on_broken(struct heartbeat_vsp *vsp)
{
	vsp->deadline_ns = HEARTBEAT_VSP_NEVER;
	if (vsp->contact == HEARTBEAT_OK)
		lose_contact(vsp);
	vsp->ops->failed(vsp->ctx, ic_rejection_name(vsp->ic.failure));
}

static void on_answer(struct heartbeat_vsp *vsp, const struct ic_message *response, uint64_t now_ns)
{
	enum ic_rejection verdict = IC_OK;
	uint64_t sequence = 0;
	if (response->header.status != IC_STATUS_SUCCESS)
		verdict = IC_REJECT_STATUS;
	else if (response->body_bytes < HEARTBEAT_BODY_MIN_BYTES)
		verdict = IC_REJECT_BODY_SHORT;
	else
		memcpy(&sequence, response->body, sizeof sequence);
	if (verdict == IC_OK && sequence != vsp->sequence + 1) {
		vsp->bad_sequences++;
		verdict = IC_REJECT_BODY_CONTENT;
	}
	if (verdict != IC_OK) {
		if (ic_host_reject(&vsp->ic, verdict) == IC_HOST_BROKEN)
			on_broken(vsp);
		return;
	}
	uint32_t application_state = HEARTBEAT_APPLICATION_UNKNOWN;
	struct heartbeat_v3_wire body;
	if (heartbeat_has_application_state(vsp->ic.agreement.message) &&
		response->body_bytes >= sizeof body) {
		memcpy(&body, response->body, sizeof body);
		application_state = body.application_state;
	}
	if (application_state >= HEARTBEAT_APPLICATION_COUNT)
		vsp->undefined_applications++;
	vsp->answers++;
	vsp->is_answered = true;
	vsp->missed = 0;
	vsp->last_answer_ns = now_ns;
	vsp->round_trip_ns = now_ns > vsp->sent_ns ? now_ns - vsp->sent_ns : 0;
	if (vsp->contact == HEARTBEAT_LOST_CONTACT)
		vsp->recoveries++;
	set_contact(vsp, HEARTBEAT_OK, application_state);
}

void heartbeat_vsp_on_packet(
	struct heartbeat_vsp *vsp, const void *bytes, size_t len, uint64_t now_ns)
{
	struct ic_message response;
	vsp->unanswered = 0;
	switch (ic_host_on_packet(&vsp->ic, bytes, len, &response)) {
	case IC_HOST_AGREED:
		vsp->deadline_ns = add_saturated(now_ns, vsp->config.period_ns);
		send_request(vsp, now_ns);
		return;
	case IC_HOST_ANSWERED:
		on_answer(vsp, &response, now_ns);
		return;
	case IC_HOST_BROKEN:
		on_broken(vsp);
		return;
	case IC_HOST_DROPPED:
		return;
	}
}

void heartbeat_vsp_on_bad_packet(struct heartbeat_vsp *vsp, enum ic_rejection reason)
{
	if (ic_host_reject(&vsp->ic, reason) == IC_HOST_BROKEN)
		on_broken(vsp);
}

/* The period ended: was there an answer, and is the outstanding request overdue? */
static void judge_period(struct heartbeat_vsp *vsp)
{
	bool is_lost = false;
	if (!vsp->is_answered) {
		vsp->missed_total++;
		if (vsp->missed < UINT32_MAX)
			vsp->missed++;
		is_lost = vsp->contact == HEARTBEAT_OK && vsp->missed >= vsp->config.missed_max;
	}
	vsp->is_answered = false;
	if (vsp->ic.is_outstanding && vsp->overdue < UINT32_MAX)
		vsp->overdue++;
	if (vsp->ic.is_outstanding && vsp->overdue >= vsp->config.missed_max &&
		vsp->unanswered < HEARTBEAT_VSP_UNANSWERED_MAX) {
		ic_host_abandon(&vsp->ic);
		vsp->unanswered++;
	}
	if (is_lost)
		lose_contact(vsp);
}

uint64_t heartbeat_vsp_on_time(struct heartbeat_vsp *vsp, uint64_t now_ns)
{
	if (vsp->deadline_ns == HEARTBEAT_VSP_NEVER || now_ns < vsp->deadline_ns)
		return vsp->deadline_ns;
	/* A host that slept through several periods has not seen the guest miss them. */
	vsp->deadline_ns = add_saturated(vsp->deadline_ns, vsp->config.period_ns);
	if (vsp->deadline_ns <= now_ns)
		vsp->deadline_ns = add_saturated(now_ns, vsp->config.period_ns);
	ic_host_budget_renew(&vsp->ic);
	judge_period(vsp);
	if (vsp->ic.state == IC_HOST_NEGOTIATING)
		send_negotiation(vsp, now_ns);
	else if (vsp->ic.state == IC_HOST_READY && !vsp->ic.is_outstanding)
		send_request(vsp, now_ns);
	return vsp->deadline_ns;
}

uint64_t heartbeat_vsp_deadline_ns(const struct heartbeat_vsp *vsp)
{
	return vsp->deadline_ns;
}

char *heartbeat_vsp_describe(const struct heartbeat_vsp *vsp, char *text, size_t size)
{
	const struct ic_agreement *agreed = &vsp->ic.agreement;
	snprintf(text, size,
		"heartbeat: %s, applications %s, channel %s, framework %u.%u, version %u.%u, "
		"sequence %" PRIu64 ", answers %" PRIu64 ", missed in a row %" PRIu32
		", rejected %" PRIu64,
		heartbeat_contact_name(vsp->contact),
		heartbeat_application_name(vsp->application_state),
		ic_host_state_name(vsp->ic.state), agreed->framework.major, agreed->framework.minor,
		agreed->message.major, agreed->message.minor, vsp->sequence, vsp->answers,
		vsp->missed, ic_host_rejections(&vsp->ic));
	return text;
}
