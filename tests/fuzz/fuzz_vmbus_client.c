// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: the guest's VMBus client against a host that says anything, refuses
 * anything, and takes any time; between its messages the guest makes any call. The input is
 * a list of actions. After each of them the client's books must balance, and whatever the
 * host did, everything ends once its deadlines are over.
 */
#include "guest/vmbus/client.h"
#include "protocol/errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS 4u
#define GPADLS	 6u
#define WAIT	 100000000ull /* 10 s: the deadline of every call */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct input {
	const uint8_t *data;
	size_t left;
};

struct fuzz {
	struct vmbus_client client;
	struct vmbus_client_channel channels[CHANNELS];
	struct vmbus_client_gpadl gpadls[GPADLS];
	struct input input;
	uint64_t now;
	bool is_announced[VMBUS_RELID_COUNT];
	bool is_posting;
	bool is_kind; /* every post works: the last act */
	unsigned announced;
	/* What we posted and the host may answer to: its ids, for messages that fit. */
	uint32_t last_gpadl, last_relid;
};

static uint8_t take(struct fuzz *f)
{
	if (f->input.left == 0)
		return 0;
	f->input.left--;
	return *f->input.data++;
}

static uint32_t take32(struct fuzz *f)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < 4; i++)
		value = value << 8 | take(f);
	return value;
}

/* ---- what the client calls ------------------------------------------------------------------ */

static int on_post(void *ctx, uint32_t connection_id, const void *payload, size_t bytes)
{
	struct fuzz *f = ctx;
	static const uint8_t least[] = {[3] = 8,
		[5] = 148,
		[7] = 12,
		[8] = 36,
		[9] = 24,
		[11] = 16,
		[13] = 12,
		[14] = 40,
		[16] = 8,
		[22] = 16};
	uint32_t type, words[4] = {0};

	CHECK(!f->is_posting && bytes >= 8 && bytes <= VMBUS_MESSAGE_BYTES_MAX);
	CHECK(connection_id != 0);
	memcpy(&type, payload, sizeof type);
	memcpy(words, payload, bytes < sizeof words ? bytes : sizeof words);
	CHECK(type < sizeof least && least[type] != 0 && bytes >= least[type]);
	CHECK(words[1] == 0);
	if (type == 8 || type == 11)
		f->last_gpadl = words[3];
	if (type != 9 && bytes >= 12)
		f->last_relid = words[2];
	if (type == 13) /* no release of what our users still know as live */
		CHECK(f->client.offers[words[2]].state == VMBUS_CLIENT_OFFER_RELEASING ||
			f->client.offers[words[2]].state == VMBUS_CLIENT_OFFER_REFUSED);
	if (f->is_kind)
		return 0;
	switch (take(f) & 15) {
	case 13:
		return 0x12;
	case 14:
		return 0x13;
	case 15:
		return take(f) & 1 ? 5 : -VIRIDIAN_ENODEV;
	default:
		return 0;
	}
}

static void on_offer(void *ctx, const struct vmbus_offer *offer)
{
	struct fuzz *f = ctx;
	CHECK(offer->relid >= 1 && offer->relid <= 2047 && !f->is_announced[offer->relid]);
	CHECK(offer->monitor_id < 128 || offer->monitor_id == 0xff);
	f->is_announced[offer->relid] = true;
	f->announced++;
}

static void on_rescinded(void *ctx, const struct vmbus_offer *offer)
{
	struct fuzz *f = ctx;
	CHECK(f->is_announced[offer->relid] && offer->is_rescinded);
}

static void on_offer_gone(void *ctx, const struct vmbus_offer *offer)
{
	struct fuzz *f = ctx;
	CHECK(f->is_announced[offer->relid]);
	f->is_announced[offer->relid] = false;
	f->announced--;
}

static const struct vmbus_client_ops ops = {
	.post = on_post,
	.offer = on_offer,
	.rescinded = on_rescinded,
	.offer_gone = on_offer_gone,
};

/* ---- what must always hold ------------------------------------------------------------------ */

static void gpadls_check(const struct fuzz *f)
{
	uint64_t lent = 0;
	unsigned count = 0;

	for (const struct vmbus_client_gpadl *g = f->client.gpadls; g; g = g->next) {
		CHECK(++count <= CHANNELS + GPADLS);
		CHECK(g->state != VMBUS_CLIENT_GPADL_FREE && g->state != VMBUS_CLIENT_GPADL_LOST);
		CHECK(g->id != 0 && f->client.offers[g->relid].gpadl_count > 0);
		CHECK(f->client.offers[g->relid].state == VMBUS_CLIENT_OFFER_LIVE ||
			f->client.offers[g->relid].state == VMBUS_CLIENT_OFFER_RESCINDED);
		for (const struct vmbus_client_gpadl *o = g->next; o; o = o->next)
			CHECK(o->id != g->id);
		lent += g->page_count;
	}
	CHECK(lent == f->client.statistics.pages_lent);
}

static void channels_check(const struct fuzz *f)
{
	unsigned open = 0, listed = 0;

	for (unsigned i = 0; i < CHANNELS; i++) {
		const struct vmbus_client_channel *c = &f->channels[i];
		const struct vmbus_client_offer *row = &f->client.offers[c->relid];
		if (c->state == VMBUS_CLIENT_CHANNEL_CLOSED) {
			CHECK(c->result != VMBUS_CLIENT_BUSY && row->channel != c);
			CHECK(c->request.state == VMBUS_REQUEST_IDLE);
			CHECK(c->modify.state == VMBUS_REQUEST_IDLE);
			continue;
		}
		open++;
		CHECK(row->channel == c);
		CHECK(c->rings.state != VMBUS_CLIENT_GPADL_FREE &&
			c->rings.state != VMBUS_CLIENT_GPADL_LOST);
		if (c->state == VMBUS_CLIENT_CHANNEL_OPEN)
			CHECK(c->rings.state == VMBUS_CLIENT_GPADL_LIVE ||
				c->rings.state == VMBUS_CLIENT_GPADL_LIMBO);
	}
	for (const struct vmbus_client_channel *c = f->client.channels; c; c = c->next)
		CHECK(++listed <= open);
	CHECK(listed == open);
}

static void check(const struct fuzz *f)
{
	const struct vmbus_client *client = &f->client;
	unsigned known = 0, requests = 0;

	for (uint32_t relid = 1; relid < VMBUS_RELID_COUNT; relid++) {
		const struct vmbus_client_offer *row = &client->offers[relid];
		if (row->state == VMBUS_CLIENT_OFFER_FREE) {
			CHECK(row->request.state == VMBUS_REQUEST_IDLE);
			continue;
		}
		CHECK(relid <= client->relid_max && row->offer.relid == relid);
		CHECK(client->state != VMBUS_CLIENT_DISCONNECTED);
		known += f->is_announced[relid];
		if (row->state == VMBUS_CLIENT_OFFER_LIVE)
			CHECK(f->is_announced[relid]);
	}
	CHECK(known == f->announced);
	for (const struct vmbus_request *r = client->requests.first; r; r = r->next) {
		CHECK(++requests <= 2 * VMBUS_RELID_COUNT && r->state != VMBUS_REQUEST_IDLE);
		CHECK(r->next ? r->next->previous == r : client->requests.last == r);
	}
	if (client->state == VMBUS_CLIENT_DISCONNECTED)
		CHECK(requests == 0 && client->gpadls == NULL && client->channels == NULL &&
			client->relid_max == 0 && f->announced == 0);
	gpadls_check(f);
	channels_check(f);
}

/* ---- actions -------------------------------------------------------------------------------- */

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof value);
}

/* A relid that is likely to mean something. */
static uint32_t relid_pick(struct fuzz *f)
{
	const uint8_t choice = take(f);
	return choice < 0xf0 ? choice & 7u : choice < 0xf8 ? f->last_relid : take32(f);
}

static uint32_t gpadl_pick(struct fuzz *f)
{
	const uint8_t choice = take(f);
	if (choice < 0x80)
		return f->last_gpadl;
	return choice < 0xf0 ? VMBUS_CLIENT_GPADL_ID_FIRST + (choice & 31u) : take32(f);
}

static void send(struct fuzz *f, uint8_t *m, size_t bytes)
{
	/* Now and then something is wrong with it. */
	const uint8_t flaw = take(f);
	if (flaw >= 0xf0)
		m[take(f) % bytes] = take(f);
	if (flaw >= 0xf8)
		bytes = take(f);
	uint8_t *copy = malloc(bytes ? bytes : 1);
	if (copy == NULL)
		abort();
	memset(copy, 0xa5, bytes);
	memcpy(copy, m, bytes < 240 ? bytes : 240);
	vmbus_client_on_message(&f->client, flaw == 0xef ? 2 : 1, copy, bytes, f->now);
	free(copy);
}

static void host_says(struct fuzz *f, uint8_t which)
{
	uint8_t m[240] = {0};
	size_t bytes = 8;

	switch (which % 9) {
	case 0: /* OFFER_CHANNEL */
		put32(m, 1);
		m[8] = take(f) & 3;
		m[24] = take(f) & 3;
		m[180] = take(f) & 1;
		put32(m + 184, relid_pick(f));
		m[188] = take(f);
		m[189] = take(f) & 1;
		m[190] = take(f) & 1;
		put32(m + 192, 0x2001);
		bytes = 196;
		break;
	case 1: /* RESCIND */
		put32(m, 2);
		put32(m + 8, relid_pick(f));
		bytes = 12;
		break;
	case 2: /* ALL_OFFERS_DELIVERED */
		put32(m, 4);
		break;
	case 3: /* OPEN_CHANNEL_RESULT */
		put32(m, 6);
		put32(m + 8, relid_pick(f));
		put32(m + 12, take(f) < 0xf0 ? m[8] : take32(f));
		put32(m + 16, take(f) & 1);
		bytes = 20;
		break;
	case 4: /* GPADL_CREATED */
		put32(m, 10);
		put32(m + 8, relid_pick(f));
		put32(m + 12, gpadl_pick(f));
		put32(m + 16, take(f) & 1);
		bytes = 20;
		break;
	case 5: /* GPADL_TORNDOWN */
		put32(m, 12);
		put32(m + 8, gpadl_pick(f));
		bytes = 12;
		break;
	case 6: /* VERSION_RESPONSE */
		put32(m, 15);
		m[8] = take(f) % 3;
		m[9] = take(f) > 0xe0;
		put32(m + 12, take(f) & 7);
		m[16] = take(f);
		m[33] = take(f);
		bytes = take(f) & 1 ? 40 : 20;
		break;
	case 7: /* UNLOAD_COMPLETE */
		put32(m, 17);
		break;
	default: /* MODIFY_CHANNEL_RESPONSE, or any type at all */
		put32(m, take(f) < 0xc0 ? 24 : take32(f));
		put32(m + 8, relid_pick(f));
		bytes = 16;
		break;
	}
	send(f, m, bytes);
}

static void guest_calls(struct fuzz *f, uint8_t which)
{
	struct vmbus_client *client = &f->client;
	struct vmbus_client_channel *channel = &f->channels[take(f) % CHANNELS];
	struct vmbus_client_gpadl *gpadl = &f->gpadls[take(f) % GPADLS];
	const uint64_t deadline = f->now + WAIT;

	switch (which % 7) {
	case 0:
		(void)vmbus_client_connect(client, f->now, deadline);
		break;
	case 1:
		if (take(f) > 0xc0)
			(void)vmbus_client_unload(client, f->now, deadline);
		break;
	case 2: {
		const struct vmbus_client_open open = {.first_pfn = 16,
			.page_count = 4 + take(f) % 60,
			.downstream_page = 2,
			.target_vp = take(f) & 3};
		(void)vmbus_client_channel_open(
			client, channel, relid_pick(f), &open, f->now, deadline);
		break;
	}
	case 3:
		(void)vmbus_client_channel_close(client, channel, f->now, deadline);
		break;
	case 4:
		(void)vmbus_client_channel_modify(client, channel, take(f) & 3, f->now, deadline);
		break;
	case 5:
		(void)vmbus_client_gpadl_create(client, gpadl, relid_pick(f), 99, NULL,
			1 + take(f) % 100u, f->now, deadline);
		break;
	default:
		(void)vmbus_client_gpadl_teardown(client, gpadl, f->now, deadline);
		break;
	}
}

static void time_passes(struct fuzz *f)
{
	const uint64_t next = vmbus_client_next_time(&f->client);
	const uint8_t how = take(f);

	if (how < 0x80)
		f->now += how;
	else if (how < 0xf0 && next != UINT64_MAX && next > f->now)
		f->now = next;
	else
		f->now += (uint64_t)how << 20;
	vmbus_client_on_time(&f->client, f->now);
}

/* Whatever is under way ends by its deadline, and the rest can be unloaded. */
static void conclude(struct fuzz *f)
{
	for (unsigned i = 0; i < 10000 && f->client.requests.first; i++) {
		const uint64_t next = vmbus_client_next_time(&f->client);
		if (next == UINT64_MAX)
			break;
		if (next > f->now)
			f->now = next;
		vmbus_client_on_time(&f->client, f->now);
	}
	check(f);
	CHECK(f->client.result != VMBUS_CLIENT_BUSY);
	f->is_kind = true;
	vmbus_client_on_time(&f->client, f->now + WAIT);
	for (unsigned i = 0; i < CHANNELS; i++)
		CHECK(f->channels[i].result != VMBUS_CLIENT_BUSY &&
			f->channels[i].modify_result != VMBUS_CLIENT_BUSY);
	for (unsigned i = 0; i < GPADLS; i++)
		CHECK(f->gpadls[i].result != VMBUS_CLIENT_BUSY);
	(void)vmbus_client_unload(&f->client, f->now + WAIT, f->now + 2 * WAIT);
	vmbus_client_on_time(&f->client, f->now + 3 * WAIT);
	CHECK(f->client.state == VMBUS_CLIENT_DISCONNECTED);
	check(f);
}

/* R-ROB-003. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz f;
	struct vmbus_client_config config = {0};

	memset(&f, 0, sizeof f);
	f.input = (struct input){data, size};
	f.now = 1000;
	config.features = take(&f) & 0x4f;
	config.version_max = take(&f) & 1 ? 0x50003 : 0;
	config.child_to_parent_page_gpa = config.parent_to_child_page_gpa = 0x1000;
	vmbus_client_init(&f.client, &ops, &f, &config);
	while (f.input.left > 0) {
		const uint8_t action = take(&f);
		if (action < 0x90)
			host_says(&f, action);
		else if (action < 0xe0)
			guest_calls(&f, action);
		else
			time_passes(&f);
		check(&f);
	}
	conclude(&f);
	return 0;
}
