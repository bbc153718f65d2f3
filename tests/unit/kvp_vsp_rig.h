// SPDX-License-Identifier: Apache-2.0
/*
 * The host's machine of key-value pairs with the test as its owner and as its guest: the guest's
 * answers are made of what was sent, and written out by the test.
 */
#ifndef TESTS_UNIT_KVP_VSP_RIG_H
#define TESTS_UNIT_KVP_VSP_RIG_H

#include "host/vsp/kvp_vsp.h"
#include "tests/harness.h"
#include "tests/unit/ic_session_rig.h"

#include <errno.h>

#define JOBS (LIMIT_KVP_JOBS + 1)

struct fixture {
	struct session_rig rig;
	struct kvp_vsp vsp;
	struct kvp_job jobs[JOBS];
	unsigned readies;
	/* Of the last job that was over. */
	unsigned dones;
	struct kvp_job *job;
	enum kvp_result result;
	/* Of the last pair of a list. */
	unsigned items;
	uint32_t index;
	enum kvp_reason reason;
	char key[KVP_KEY_TEXT_BYTES];
	char value[KVP_VALUE_TEXT_BYTES];
	struct kvp_job *follow; /* started from within done */
	int follow_error;
};

static struct fixture fixture;

static inline void on_ready(void *ctx)
{
	struct fixture *f = ctx;
	f->readies++;
}

static const struct kvp_vsp_ops ops = {
	.session = {.send = rig_send, .failed = rig_failed},
	.ready = on_ready,
};

static inline void on_done(struct kvp_job *job, enum kvp_result result)
{
	struct fixture *f = job->ctx;
	f->dones++;
	f->job = job;
	f->result = result;
	if (f->follow != NULL) {
		struct kvp_job *follow = f->follow;
		f->follow = NULL;
		f->follow_error = kvp_vsp_start(&f->vsp, follow, f->rig.now);
	}
}

static inline void on_item(
	struct kvp_job *job, uint32_t index, const struct kvp_item *item, enum kvp_reason reason)
{
	struct fixture *f = job->ctx;
	f->items++;
	f->index = index;
	f->reason = reason;
	snprintf(f->key, sizeof f->key, "%s", item->key);
	snprintf(f->value, sizeof f->value, "%s", item->value);
}

static inline struct kvp_job *job_of(
	struct fixture *f, unsigned i, enum kvp_job_kind kind, uint8_t pool)
{
	struct kvp_job *job = &f->jobs[i];
	memset(job, 0, sizeof *job);
	job->kind = kind;
	job->pool = pool;
	job->count_max = UINT32_MAX;
	job->item_came = on_item;
	job->done = on_done;
	job->ctx = f;
	job->item.type = KVP_TYPE_STRING;
	strcpy(job->item.key, "k");
	return job;
}

static inline int start(struct fixture *f, struct kvp_job *job)
{
	return kvp_vsp_start(&f->vsp, job, f->rig.now);
}

static inline void open_host(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->rig.now = 100 * RIG_SECOND;
	f->rig.session = &f->vsp.session;
	kvp_vsp_init(&f->vsp, &ops, f);
	CU_ASSERT_EQUAL(ic_session_deadline_ns(&f->vsp.session), IC_SESSION_NEVER);
	ic_session_on_open(&f->vsp.session, f->rig.now);
}

/* The guest's answer to the lists: framework 3.0 and that message version. */
static inline void agree(struct fixture *f, uint8_t major)
{
	uint8_t answer[44] = {0x01, 0, 0, 0, 0x24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0,
		0, 0, 0, 0, 0x00, 0x05, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, major, 0, 0, 0};
	answer[24] = f->rig.sent[24];
	f->rig.sent_len = 0;
	rig_give(&f->rig, answer, sizeof answer);
	CU_ASSERT_EQUAL_FATAL(f->vsp.session.ic.state, IC_HOST_READY);
	CU_ASSERT_EQUAL(f->readies, 1);
}

static inline struct fixture *agreed(uint8_t major)
{
	open_host(&fixture);
	agree(&fixture, major);
	return &fixture;
}

static inline uint8_t *body_of(struct fixture *f)
{
	return f->rig.sent + IC_OVERHEAD_BYTES;
}

/* What was sent comes back with flags 5, a status, and `body` in its place (NULL: the same). */
static inline void respond(struct fixture *f, uint32_t status, const void *body, size_t body_bytes)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	size_t len = f->rig.sent_len;
	CU_ASSERT_TRUE_FATAL(len > 0);
	memcpy(reply, f->rig.sent, len);
	memcpy(reply + 20, &status, 4);
	reply[25] = 5;
	if (body != NULL)
		memcpy(reply + IC_OVERHEAD_BYTES, body, body_bytes);
	f->rig.sent_len = 0;
	rig_give(&f->rig, reply, len);
}

/* An answer to ENUMERATE or GET: a pair of ASCII strings, sizes as they should be. */
static inline void pair_put(uint8_t *value_at, const char *key, const char *value)
{
	uint32_t sizes[3] = {1, 2 * (uint32_t)strlen(key) + 2, 2 * (uint32_t)strlen(value) + 2};
	memset(value_at, 0, 2572);
	memcpy(value_at, sizes, sizeof sizes);
	for (size_t i = 0; key[i] != '\0'; i++)
		value_at[12 + 2 * i] = (uint8_t)key[i];
	for (size_t i = 0; value[i] != '\0'; i++)
		value_at[524 + 2 * i] = (uint8_t)value[i];
}

static inline void respond_pair(struct fixture *f, const char *key, const char *value)
{
	uint8_t body[KVP_BODY_BYTES];
	memcpy(body, body_of(f), sizeof body);
	pair_put(body + (body[0] == KVP_OPERATION_ENUMERATE ? 8 : 4), key, value);
	respond(f, IC_STATUS_SUCCESS, body, sizeof body);
}

static inline void ended(struct fixture *f, unsigned dones, enum kvp_result result)
{
	CU_ASSERT_EQUAL(f->dones, dones);
	CU_ASSERT_EQUAL(f->result, result);
}

#endif
