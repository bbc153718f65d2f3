// SPDX-License-Identifier: Apache-2.0
/*
 * A scripted host for tests of the guest's VMBus client: it logs what the client posts,
 * answers what the test says, and sends messages whose bytes are written here by offset,
 * from the protocol's tables, not by the code under test. Time is a number.
 */
#ifndef TESTS_UNIT_VMBUS_CLIENT_HOST_H
#define TESTS_UNIT_VMBUS_CLIENT_HOST_H

#include "guest/vmbus/client.h"
#include "protocol/errors.h"
#include "tests/bytes.h"

#include <stdlib.h>
#include <string.h>

#define HOST_POSTS_MAX 8192u

struct host_post {
	uint32_t connection_id;
	size_t bytes;
	uint64_t time;
	uint8_t payload[240];
};

struct host {
	struct vmbus_client client;
	uint64_t now;
	/* posts that got status 0 */
	struct host_post posts[HOST_POSTS_MAX];
	unsigned post_count;
	/* every attempt */
	unsigned attempts;
	uint64_t attempt_times[1024];
	uint32_t attempt_connections[1024];
	/* what the next `status_times` attempts get; fail_at: attempt number that gets fail_status
	 */
	int status;
	unsigned status_times;
	unsigned fail_at;
	int fail_status;
	/* events */
	unsigned offers, rescinds, gone;
	uint32_t offer_relid, rescind_relid, gone_relid;
	bool used[2048]; /* relids between offer and offer_gone */
	unsigned event_errors;
};

static int host_on_post(void *ctx, uint32_t connection_id, const void *payload, size_t bytes)
{
	struct host *h = ctx;
	const unsigned attempt = ++h->attempts;

	if (attempt <= 1024) {
		h->attempt_times[attempt - 1] = h->now;
		h->attempt_connections[attempt - 1] = connection_id;
	}
	if (h->fail_at == attempt)
		return h->fail_status;
	if (h->status_times > 0) {
		h->status_times--;
		return h->status;
	}
	if (h->post_count < HOST_POSTS_MAX && bytes <= 240) {
		struct host_post *post = &h->posts[h->post_count];
		post->connection_id = connection_id;
		post->bytes = bytes;
		post->time = h->now;
		memset(post->payload, 0, sizeof post->payload);
		memcpy(post->payload, payload, bytes);
	}
	h->post_count++;
	return 0;
}

static void host_on_offer(void *ctx, const struct vmbus_offer *offer)
{
	struct host *h = ctx;
	h->offers++;
	h->offer_relid = offer->relid;
	h->event_errors += h->used[offer->relid];
	h->used[offer->relid] = true;
}

static void host_on_rescinded(void *ctx, const struct vmbus_offer *offer)
{
	struct host *h = ctx;
	h->rescinds++;
	h->rescind_relid = offer->relid;
	h->event_errors += !h->used[offer->relid];
}

static void host_on_gone(void *ctx, const struct vmbus_offer *offer)
{
	struct host *h = ctx;
	h->gone++;
	h->gone_relid = offer->relid;
	h->event_errors += !h->used[offer->relid];
	h->used[offer->relid] = false;
}

static const struct vmbus_client_ops host_ops = {
	.post = host_on_post,
	.offer = host_on_offer,
	.rescinded = host_on_rescinded,
	.offer_gone = host_on_gone,
};

/* A client that has done nothing. Free with free(). */
static inline struct host *host_create(const struct vmbus_client_config *config)
{
	static const struct vmbus_client_config plain;
	struct host *h = calloc(1, sizeof *h);
	if (h == NULL)
		abort();
	h->now = 1000;
	vmbus_client_init(&h->client, &host_ops, h, config ? config : &plain);
	return h;
}

/* The last post, or the one `back` before it. */
static inline const struct host_post *host_post(const struct host *h, unsigned back)
{
	static const struct host_post none;
	return back < h->post_count ? &h->posts[h->post_count - 1 - back] : &none;
}

static inline uint32_t post_type(const struct host_post *post)
{
	return get32(post->payload);
}

/* How many posts of a type since post number `from`. */
static inline unsigned host_count(const struct host *h, uint32_t type, unsigned from)
{
	unsigned count = 0;
	for (unsigned i = from; i < h->post_count; i++)
		count += post_type(&h->posts[i]) == type;
	return count;
}

static inline void host_send(struct host *h, const uint8_t *bytes, size_t count)
{
	/* An exact heap copy shows reads past the end to the sanitizer. */
	uint8_t *copy = malloc(count ? count : 1);
	if (copy == NULL)
		abort();
	memcpy(copy, bytes, count);
	vmbus_client_on_message(&h->client, 1, copy, count, h->now);
	free(copy);
}

/* A message of header and up to three u32. */
static inline void host_send_words(
	struct host *h, uint32_t type, unsigned count, uint32_t a, uint32_t b, uint32_t c)
{
	uint8_t m[20] = {0};
	put32(m, type);
	put32(m + 8, a);
	put32(m + 12, b);
	put32(m + 16, c);
	host_send(h, m, 8 + 4u * count);
}

static inline void host_version(struct host *h, size_t bytes, uint8_t supported, uint8_t state,
	uint32_t selected, uint32_t features)
{
	uint8_t m[240] = {0};
	put32(m, 15);
	m[8] = supported;
	m[9] = state;
	put32(m + 12, selected);
	put32(m + 16, features);
	host_send(h, m, bytes);
}

static inline void host_refuse(struct host *h)
{
	host_version(h, 16, 0, 0, 0, 0);
}

static inline void offer_bytes(uint8_t m[196], uint32_t relid, uint8_t device, uint32_t subchannel)
{
	memset(m, 0, 196);
	put32(m, 1);
	memset(m + 8, 0x5a, 16);    /* interface */
	memset(m + 24, device, 16); /* instance */
	put16(m + 56, 0x0010);	    /* named pipe */
	put16(m + 58, 8);	    /* MMIO MiB */
	memset(m + 60, 0xd0, 120);
	put16(m + 180, subchannel);
	put32(m + 184, relid);
	m[188] = 0xff;	   /* no monitor id */
	put16(m + 190, 1); /* dedicated interrupt */
	put32(m + 192, 0x2000 | relid);
}

static inline void host_offer(struct host *h, uint32_t relid, uint8_t device, uint32_t subchannel)
{
	uint8_t m[196];
	offer_bytes(m, relid, device, subchannel);
	host_send(h, m, sizeof m);
}

static inline void host_rescind(struct host *h, uint32_t relid)
{
	host_send_words(h, 2, 1, relid, 0, 0);
}

static inline void host_all_offers(struct host *h)
{
	host_send_words(h, 4, 0, 0, 0, 0);
}

static inline void host_open_result(struct host *h, uint32_t relid, uint32_t id, uint32_t status)
{
	host_send_words(h, 6, 3, relid, id, status);
}

static inline void host_created(struct host *h, uint32_t relid, uint32_t id, uint32_t status)
{
	host_send_words(h, 10, 3, relid, id, status);
}

static inline void host_torndown(struct host *h, uint32_t id)
{
	host_send_words(h, 12, 1, id, 0, 0);
}

static inline void host_modify_response(struct host *h, uint32_t relid, uint32_t status)
{
	host_send_words(h, 24, 2, relid, status, 0);
}

static inline void host_unload_complete(struct host *h)
{
	host_send_words(h, 17, 0, 0, 0, 0);
}

static inline void host_advance(struct host *h, uint64_t by_100ns)
{
	h->now += by_100ns;
	vmbus_client_on_time(&h->client, h->now);
}

/* Jump from one thing that is due to the next, until `until` or until nothing is due. */
static inline void host_run_until(struct host *h, uint64_t until)
{
	for (unsigned i = 0; i < 100000; i++) {
		const uint64_t next = vmbus_client_next_time(&h->client);
		if (next > until || next == UINT64_MAX)
			break;
		if (next > h->now)
			h->now = next;
		vmbus_client_on_time(&h->client, h->now);
	}
	if (until != UINT64_MAX)
		h->now = until;
}

/* Connected at `version`, with offers 1 .. count of different devices. */
static inline struct host *host_connected(uint32_t version, unsigned count)
{
	const struct vmbus_client_config config = {.version_max = version};
	struct host *h = host_create(&config);

	vmbus_client_connect(&h->client, h->now, UINT64_MAX);
	host_version(h, version >= 0x60000 ? 20 : 16, 1, 0, version >= 0x50000 ? 4 : version, 0);
	for (uint32_t relid = 1; relid <= count; relid++)
		host_offer(h, relid, (uint8_t)relid, 0);
	host_all_offers(h);
	return h;
}

static inline uint64_t host_rejected(const struct host *h, enum vmbus_rejection reason)
{
	return h->client.statistics.rejections[reason];
}

#endif
