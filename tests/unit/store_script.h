// SPDX-License-Identifier: Apache-2.0
/*
 * A store that does what a test says: hold requests until told, fail the n-th,
 * count what arrives. Otherwise it is plain memory.
 */
#ifndef TESTS_UNIT_STORE_SCRIPT_H
#define TESTS_UNIT_STORE_SCRIPT_H

#include "host/vsp/store.h"

#include <stdlib.h>
#include <string.h>

#define STORE_SCRIPT_HELD_MAX 1200u

struct store_script {
	struct store base;
	uint8_t *bytes;
	bool holds; /* requests wait for store_script_release() */
	unsigned held_count;
	struct store_request *held[STORE_SCRIPT_HELD_MAX];
	unsigned submitted;
	unsigned fail_at; /* 1: the first request from now, 0: none */
	int fail_with;
	unsigned counts[STORE_OP_COUNT];
	unsigned fua_count;
	unsigned unmap_count; /* write zeroes with may_unmap */
	unsigned cancel_count;
	uint64_t last_offset;
	uint64_t last_bytes;
	uint64_t refreshed_bytes; /* what refresh() finds */
	unsigned *closed;	  /* counted up by close; may be NULL */
};

static inline void store_script_move(struct store_script *s, struct store_request *r)
{
	uint8_t *at = s->bytes + r->offset;
	if (r->op == STORE_DISCARD || r->op == STORE_WRITE_ZEROES)
		memset(at, 0, r->bytes);
	for (unsigned i = 0; i < r->iov_count; i++) {
		if (r->op == STORE_READ)
			memcpy(r->iov[i].iov_base, at, r->iov[i].iov_len);
		else if (r->op == STORE_WRITE)
			memcpy(at, r->iov[i].iov_base, r->iov[i].iov_len);
		at += r->iov[i].iov_len;
	}
}

static inline void store_script_finish(struct store_script *s, struct store_request *r)
{
	if (s->fail_at != 0 && --s->fail_at == 0) {
		r->done(r, s->fail_with);
		return;
	}
	store_script_move(s, r);
	r->done(r, 0);
}

static inline void store_script_submit(struct store *store, struct store_request *r)
{
	struct store_script *s = (struct store_script *)store;
	s->submitted++;
	s->counts[r->op]++;
	s->fua_count += r->fua;
	s->unmap_count += r->op == STORE_WRITE_ZEROES && r->may_unmap;
	s->last_offset = r->offset;
	s->last_bytes = r->bytes;
	if (s->holds && s->held_count < STORE_SCRIPT_HELD_MAX)
		s->held[s->held_count++] = r;
	else
		store_script_finish(s, r);
}

/* Finish held request i; the others keep their order. */
static inline void store_script_release(struct store_script *s, unsigned i)
{
	struct store_request *r = s->held[i];
	s->held_count--;
	memmove(&s->held[i], &s->held[i + 1], (s->held_count - i) * sizeof s->held[0]);
	store_script_finish(s, r);
}

static inline void store_script_cancel(struct store *store, struct store_request *r)
{
	(void)r;
	((struct store_script *)store)->cancel_count++;
}

static inline int store_script_refresh(struct store *store)
{
	struct store_script *s = (struct store_script *)store;
	store->capacity_bytes = s->refreshed_bytes;
	return 0;
}

static inline void store_script_close(struct store *store)
{
	struct store_script *s = (struct store_script *)store;
	if (s->closed)
		(*s->closed)++;
	free(s->bytes);
	free(s);
}

static const struct store_ops store_script_ops = {
	.name = "script",
	.submit = store_script_submit,
	.cancel = store_script_cancel,
	.refresh = store_script_refresh,
	.close = store_script_close,
};

static inline struct store_script *store_script_create(uint64_t bytes, uint32_t block_bytes)
{
	struct store_script *s = calloc(1, sizeof *s);
	if (!s)
		abort();
	s->bytes = calloc(1, bytes);
	if (!s->bytes)
		abort();
	s->refreshed_bytes = bytes;
	s->base = (struct store){
		.ops = &store_script_ops,
		.name = "script",
		.capacity_bytes = bytes,
		.block_bytes = block_bytes,
		.physical_bytes = 4096,
		.has_write_cache = true,
		.can_discard = true,
	};
	return s;
}

#endif
