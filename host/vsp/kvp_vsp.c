// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pair exchange, host side. See kvp_vsp.h.
 */
#include "host/vsp/kvp_vsp.h"

#include <errno.h>
#include <string.h>

/* Every body there is; the larger has room for the other. */
union body {
	struct kvp_header_wire header;
	struct kvp_exchange_wire exchange;
	struct kvp_delete_wire delete;
	struct kvp_enumerate_wire enumerate;
	struct kvp_ip_text_wire ip_text;
	struct kvp_ip_binary_wire ip_binary;
	uint8_t values[KVP_BODY_BYTES];
	uint8_t bytes[KVP_IP_BODY_BYTES];
};

static const uint8_t operation_of[] = {
	[KVP_JOB_GET] = KVP_OPERATION_GET,
	[KVP_JOB_FIND] = KVP_OPERATION_ENUMERATE,
	[KVP_JOB_LIST] = KVP_OPERATION_ENUMERATE,
	[KVP_JOB_SET] = KVP_OPERATION_SET,
	[KVP_JOB_DELETE] = KVP_OPERATION_DELETE,
	[KVP_JOB_GET_IP] = KVP_OPERATION_GET_IP,
	[KVP_JOB_SET_IP] = KVP_OPERATION_SET_IP,
};

static const char *const result_names[] = {
	[KVP_DONE] = "done",
	[KVP_NOT_FOUND] = "not found",
	[KVP_REFUSED] = "refused",
	[KVP_NO_ANSWER] = "no answer",
	[KVP_CLOSED] = "channel closed",
	[KVP_BAD_ANSWER] = "bad answer",
	[KVP_UNSENT] = "not sent",
	[KVP_TOO_MANY] = "too many pairs",
};

const char *kvp_result_name(enum kvp_result result)
{
	return result_names[result];
}

static bool is_ip(const struct kvp_job *job)
{
	return job->kind == KVP_JOB_GET_IP || job->kind == KVP_JOB_SET_IP;
}

static bool is_enumeration(const struct kvp_job *job)
{
	return job->kind == KVP_JOB_FIND || job->kind == KVP_JOB_LIST;
}

static struct ic_version_wire version_of(const struct kvp_vsp *vsp)
{
	return vsp->session.ic.agreement.message;
}

/* --- the queue ---------------------------------------------------------------------------- */

static void enqueue(struct kvp_vsp *vsp, struct kvp_job *job)
{
	job->next = NULL;
	if (vsp->last != NULL)
		vsp->last->next = job;
	else
		vsp->first = job;
	vsp->last = job;
}

/* Take a job out of the queue; false: it is not in it. */
static bool unqueue(struct kvp_vsp *vsp, const struct kvp_job *job)
{
	struct kvp_job *before = NULL;
	for (struct kvp_job *at = vsp->first; at != NULL; before = at, at = at->next) {
		if (at != job)
			continue;
		if (before != NULL)
			before->next = at->next;
		else
			vsp->first = at->next;
		if (vsp->last == at)
			vsp->last = before;
		return true;
	}
	return false;
}

/* The first deadline of those that wait. */
static void wake_set(struct kvp_vsp *vsp)
{
	uint64_t when_ns = IC_SESSION_NEVER;
	for (const struct kvp_job *job = vsp->first; job != NULL; job = job->next)
		if (job->end_by_ns < when_ns)
			when_ns = job->end_by_ns;
	ic_session_wake(&vsp->session, when_ns);
}

/* The job is neither queued nor current any more. */
static void finish(struct kvp_vsp *vsp, struct kvp_job *job, enum kvp_result result)
{
	vsp->jobs--;
	switch (result) {
	case KVP_DONE:
	case KVP_NOT_FOUND:
		vsp->done++;
		break;
	case KVP_REFUSED:
		vsp->refused++;
		break;
	case KVP_NO_ANSWER:
	case KVP_CLOSED:
		vsp->unanswered++;
		break;
	default:
		break;
	}
	job->done(job, result);
}

/* --- requests ----------------------------------------------------------------------------- */

static enum kvp_reason ip_encode(
	const struct kvp_job *job, struct ic_version_wire version, union body *body)
{
	return kvp_has_binary_ip(version) ? kvp_ip_binary_encode(&job->ip, &body->ip_binary)
					  : kvp_ip_text_encode(&job->ip, &body->ip_text);
}

/* Room for the request with whatever is not said zero (R-KVP-020). */
static enum kvp_reason body_encode(
	const struct kvp_job *job, struct ic_version_wire version, union body *body)
{
	struct kvp_value_wire *value = &body->exchange.value;
	uint32_t key_bytes = 0;
	enum kvp_reason reason;
	memset(body, 0, sizeof *body);
	body->header.operation = operation_of[job->kind];
	body->header.pool = is_ip(job) ? KVP_POOL_GUEST : job->pool;
	switch (job->kind) {
	case KVP_JOB_GET:
		value->type = KVP_TYPE_STRING;
		reason = kvp_key_encode(job->item.key, value->key, &key_bytes);
		value->key_bytes = key_bytes;
		return reason;
	case KVP_JOB_SET:
		return kvp_value_encode(&job->item, value);
	case KVP_JOB_DELETE:
		reason = kvp_key_encode(job->item.key, body->delete.key, &key_bytes);
		body->delete.key_bytes = key_bytes;
		return reason;
	case KVP_JOB_FIND:
	case KVP_JOB_LIST:
		body->enumerate.index = job->index;
		return KVP_OK;
	case KVP_JOB_GET_IP:
	case KVP_JOB_SET_IP:
		return ip_encode(job, version, body);
	}
	return KVP_BAD_OPERATION;
}

/* Send the job's next message; true: it waits for the answer. */
static bool job_send(struct kvp_vsp *vsp, struct kvp_job *job, uint64_t now_ns)
{
	union body body;
	job->reason = body_encode(job, version_of(vsp), &body);
	if (job->reason != KVP_OK)
		return false;
	uint64_t by_ns = ic_session_after(now_ns, KVP_VSP_ANSWER_NS);
	if (job->end_by_ns < by_ns)
		by_ns = job->end_by_ns;
	const uint16_t bytes = is_ip(job) ? KVP_IP_BODY_BYTES : KVP_BODY_BYTES;
	if (ic_session_request(&vsp->session, &body, bytes, by_ns, now_ns) != 0)
		return false;
	vsp->current = job;
	return true;
}

/* Let the next job have its turn. Jobs may be started from within done(). */
static void pump(struct kvp_vsp *vsp, uint64_t now_ns)
{
	if (vsp->is_pumping)
		return;
	vsp->is_pumping = true;
	while (vsp->current == NULL && !vsp->session.ic.is_outstanding && vsp->first != NULL) {
		struct kvp_job *job = vsp->first;
		(void)unqueue(vsp, job);
		if (!job_send(vsp, job, now_ns))
			finish(vsp, job, KVP_UNSENT);
	}
	vsp->is_pumping = false;
	wake_set(vsp);
}

/* --- answers ------------------------------------------------------------------------------ */

/* A pair came at job->index. True: the job goes on. */
static bool pair_came(struct kvp_job *job, const struct kvp_item *item, enum kvp_reason reason)
{
	uint32_t index = job->index++;
	job->count++;
	if (job->kind == KVP_JOB_LIST) {
		job->item_came(job, index, item, reason);
		return job->count < job->count_max;
	}
	if (reason != KVP_OK || strcmp(item->key, job->item.key) != 0)
		return true;
	job->item = *item;
	return false;
}

/* What a failure status means to the job. */
static enum kvp_result status_result(struct kvp_job *job, uint32_t status)
{
	job->status = status;
	if (is_enumeration(job)) {
		job->is_at_end = status == IC_STATUS_NO_MORE_ITEMS;
		if (!job->is_at_end)
			return KVP_REFUSED;
		return job->kind == KVP_JOB_LIST ? KVP_DONE : KVP_NOT_FOUND;
	}
	bool is_absent = status == IC_STATUS_NO_MORE_ITEMS || status == IC_STATUS_NOT_FOUND;
	bool is_by_key = job->kind == KVP_JOB_GET || job->kind == KVP_JOB_DELETE;
	return is_absent && is_by_key ? KVP_NOT_FOUND : KVP_REFUSED;
}

/* Is this the body of an answer to that job at all? (R-KVP-021) */
static enum kvp_reason body_check(
	const struct kvp_vsp *vsp, const struct kvp_job *job, const struct ic_message *response)
{
	struct kvp_header_wire header;
	uint8_t operation = operation_of[job->kind];
	if (response->body_bytes < kvp_body_needs(operation, version_of(vsp)))
		return KVP_BAD_SIZE;
	memcpy(&header, response->body, sizeof header);
	if (header.operation != operation)
		return KVP_BAD_OPERATION;
	if (!is_ip(job) && header.pool != job->pool)
		return KVP_BAD_POOL;
	return KVP_OK;
}

/* GET: the pair must be the one that was asked for. */
static enum kvp_reason get_decode(struct kvp_job *job, const struct ic_message *response)
{
	struct kvp_exchange_wire body;
	struct kvp_item item;
	memcpy(&body, response->body, sizeof body);
	enum kvp_reason reason = kvp_value_decode(&body.value, UTF16_REPLACE, &item);
	if (reason == KVP_OK && strcmp(item.key, job->item.key) != 0)
		reason = KVP_BAD_KEY;
	if (reason == KVP_OK)
		job->item = item;
	return reason;
}

static enum kvp_reason ip_decode(
	const struct kvp_vsp *vsp, struct kvp_job *job, const struct ic_message *response)
{
	union body body;
	if (kvp_has_binary_ip(version_of(vsp))) {
		memcpy(&body.ip_binary, response->body, sizeof body.ip_binary);
		return kvp_ip_binary_decode(&body.ip_binary, &job->ip);
	}
	memcpy(&body.ip_text, response->body, sizeof body.ip_text);
	return kvp_ip_text_decode(&body.ip_text, &job->ip);
}

/* A pair of an enumeration; *goes_on: ask for the next. The reason is that of the pair. */
static enum kvp_reason enumerate_decode(
	struct kvp_job *job, const struct ic_message *response, bool *goes_on)
{
	struct kvp_enumerate_wire body;
	struct kvp_item item;
	memcpy(&body, response->body, sizeof body);
	if (body.index != job->index)
		return KVP_BAD_INDEX;
	enum kvp_reason reason = kvp_value_decode(&body.value, UTF16_REPLACE, &item);
	*goes_on = pair_came(job, &item, reason);
	return reason;
}

/* A success. The reason is what is wrong with it; *result and *goes_on say what follows. */
static enum kvp_reason success_take(struct kvp_vsp *vsp, struct kvp_job *job,
	const struct ic_message *response, enum kvp_result *result, bool *goes_on)
{
	uint32_t count = job->count;
	enum kvp_reason reason = body_check(vsp, job, response);
	if (reason == KVP_OK && is_enumeration(job))
		reason = enumerate_decode(job, response, goes_on);
	else if (reason == KVP_OK && job->kind == KVP_JOB_GET)
		reason = get_decode(job, response);
	else if (reason == KVP_OK && job->kind == KVP_JOB_GET_IP)
		reason = ip_decode(vsp, job, response);
	*result = KVP_DONE;
	/* One pair that cannot be read does not hide the others. */
	if (reason != KVP_OK && job->count == count) {
		job->reason = reason;
		*result = KVP_BAD_ANSWER;
	}
	if (*goes_on && job->index >= LIMIT_KVP_ITEMS) {
		*goes_on = false;
		*result = KVP_TOO_MANY;
	}
	return reason;
}

static void answered(void *component, const struct ic_message *response, uint64_t now_ns)
{
	struct kvp_vsp *vsp = component;
	struct kvp_job *job = vsp->current;
	enum kvp_result result;
	enum kvp_reason reason = KVP_OK;
	bool goes_on = false;

	vsp->current = NULL;
	if (job == NULL) {
		pump(vsp, now_ns);
		return;
	}
	if (response->header.status != IC_STATUS_SUCCESS)
		result = status_result(job, response->header.status);
	else
		reason = success_take(vsp, job, response, &result, &goes_on);
	if (goes_on) {
		job->end_by_ns = ic_session_after(now_ns, job->patience_ns);
		enqueue(vsp, job);
	} else {
		finish(vsp, job, result);
	}
	pump(vsp, now_ns);
	if (reason != KVP_OK) {
		vsp->bad[reason]++;
		ic_session_reject(&vsp->session, IC_REJECT_BODY_CONTENT, now_ns);
	}
}

static void silent(void *component, uint64_t now_ns)
{
	struct kvp_vsp *vsp = component;
	struct kvp_job *job = vsp->current;
	vsp->current = NULL;
	if (job != NULL)
		finish(vsp, job, KVP_NO_ANSWER);
	pump(vsp, now_ns);
}

/* Who is started from within done() finds the channel closed. */
static void closed(void *component, uint64_t now_ns)
{
	struct kvp_vsp *vsp = component;
	struct kvp_job *job = vsp->current;
	(void)now_ns;
	vsp->current = NULL;
	if (job != NULL)
		finish(vsp, job, KVP_CLOSED);
	while ((job = vsp->first) != NULL) {
		(void)unqueue(vsp, job);
		finish(vsp, job, KVP_CLOSED);
	}
}

static void woken(void *component, uint64_t now_ns)
{
	struct kvp_vsp *vsp = component;
	for (struct kvp_job *job = vsp->first; job != NULL;) {
		struct kvp_job *next = job->next;
		if (job->end_by_ns <= now_ns) {
			(void)unqueue(vsp, job);
			finish(vsp, job, KVP_NO_ANSWER);
			next = vsp->first; /* done() may have changed the queue */
		}
		job = next;
	}
	pump(vsp, now_ns);
}

static void ready(void *component, uint64_t now_ns)
{
	struct kvp_vsp *vsp = component;
	(void)now_ns;
	if (vsp->ops->ready != NULL)
		vsp->ops->ready(vsp->ctx);
}

static const struct ic_session_component component_ops = {
	.ready = ready,
	.answered = answered,
	.silent = silent,
	.closed = closed,
	.woken = woken,
};

/* --- for the owner ------------------------------------------------------------------------ */

void kvp_vsp_init(struct kvp_vsp *vsp, const struct kvp_vsp_ops *ops, void *ctx)
{
	memset(vsp, 0, sizeof *vsp);
	vsp->ops = ops;
	vsp->ctx = ctx;
	ic_session_init(&vsp->session, IC_TYPE_KVP, &component_ops, vsp, &ops->session, ctx);
}

/* What the guest says of itself nobody else can change (R-KVP-019). */
static bool pool_is_good(const struct kvp_job *job)
{
	if (is_ip(job))
		return true;
	bool writes = job->kind == KVP_JOB_SET || job->kind == KVP_JOB_DELETE;
	return job->pool <= KVP_POOL_AUTO_EXTERNAL && !(writes && job->pool == KVP_POOL_AUTO);
}

/* The key of a search is not sent, but has to be one. */
static enum kvp_reason job_check(const struct kvp_vsp *vsp, const struct kvp_job *job)
{
	union body body;
	uint32_t key_bytes;
	if (!pool_is_good(job))
		return KVP_BAD_POOL;
	if (job->kind == KVP_JOB_FIND)
		return kvp_key_encode(job->item.key, body.exchange.value.key, &key_bytes);
	if (job->kind == KVP_JOB_LIST && job->index >= LIMIT_KVP_ITEMS)
		return KVP_BAD_INDEX;
	return body_encode(job, version_of(vsp), &body);
}

int kvp_vsp_start(struct kvp_vsp *vsp, struct kvp_job *job, uint64_t now_ns)
{
	if (vsp->session.ic.state != IC_HOST_READY)
		return -ENOTCONN;
	job->reason = job_check(vsp, job);
	if (job->reason != KVP_OK)
		return -EINVAL;
	if (vsp->jobs == LIMIT_KVP_JOBS)
		return -ENOBUFS;
	job->status = 0;
	job->count = 0;
	job->is_at_end = false;
	if (job->kind == KVP_JOB_FIND)
		job->index = 0;
	if (job->patience_ns == 0)
		job->patience_ns = KVP_VSP_ANSWER_NS;
	job->end_by_ns = ic_session_after(now_ns, job->patience_ns);
	vsp->jobs++;
	enqueue(vsp, job);
	pump(vsp, now_ns);
	return 0;
}

void kvp_vsp_cancel(struct kvp_vsp *vsp, struct kvp_job *job)
{
	if (vsp->current == job) {
		vsp->current = NULL;
		vsp->jobs--;
	} else if (unqueue(vsp, job)) {
		vsp->jobs--;
		wake_set(vsp);
	}
}
