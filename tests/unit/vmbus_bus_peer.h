// SPDX-License-Identifier: Apache-2.0
/*
 * A host behind the scripted platform, for tests of the guest's bus over SynIC: it answers
 * control messages as a host would, or stays silent where the test says so, and reads
 * and writes the rings through guest memory by hand.
 */
#ifndef TESTS_UNIT_VMBUS_BUS_PEER_H
#define TESTS_UNIT_VMBUS_BUS_PEER_H

#include "guest/vmbus/synic_bus.h"
#include "guest/winhv/platform_scripted.h"
#include "protocol/errors.h"
#include "tests/unit/vmbus_client_host.h"

#define PEER_MEMORY_BYTES (2u << 20)
#define PEER_CHANNELS	  72u
#define SECOND		  10000000ull

struct peer_channel {
	uint32_t gpadl_id;   /* of the rings */
	uint64_t first_pfn;  /* of the rings */
	uint32_t downstream; /* page */
	uint32_t target_vp;
	bool is_open;
};

struct peer {
	struct platform_scripted script;
	struct winhv hv;
	struct vmbus *bus;
	uint8_t *memory;
	uint32_t version;   /* highest that is accepted */
	uint32_t vp;	    /* where messages go */
	bool is_silent[32]; /* by type of guest message: not answered */
	/* Offers made on request: relid n is device n, or subchannel of device 1. */
	unsigned offers;
	uint8_t monitor_id[PEER_CHANNELS];
	bool is_shared[PEER_CHANNELS]; /* no dedicated interrupt */
	uint32_t subchannel[PEER_CHANNELS];
	/* Called at OPEN, before its result. */
	void (*on_open)(struct peer *peer, uint32_t relid);
	/* seen */
	uint64_t interrupt_page, monitor_page;
	struct peer_channel channels[PEER_CHANNELS];
	uint32_t first_pfn_low; /* of the last GPADL_HEADER */
	unsigned gpadls_live;
	uint32_t pending_words; /* of the GPADL under way */
	uint32_t pending_relid, pending_id;
	/* the bus's callbacks */
	unsigned ready, rescinded, offered, gone;
	unsigned torn;	  /* packets that were not whole */
	int ready_result; /* of a blocking call made in a callback */
};

static inline void peer_say(struct peer *p, const uint8_t *bytes, size_t count)
{
	if (platform_scripted_message(&p->script, p->vp, 2, 1, bytes, count) != 0)
		abort();
}

static inline void peer_words(
	struct peer *p, uint32_t type, unsigned count, uint32_t a, uint32_t b, uint32_t c)
{
	uint8_t m[20] = {0};
	put32(m, type);
	put32(m + 8, a);
	put32(m + 12, b);
	put32(m + 16, c);
	peer_say(p, m, 8 + 4u * count);
}

static inline void peer_offer(struct peer *p, uint32_t relid)
{
	uint8_t m[196];
	const uint32_t subchannel = p->subchannel[relid];
	offer_bytes(m, relid, subchannel ? 1 : (uint8_t)relid, subchannel);
	if (p->monitor_id[relid] != 0xff) {
		m[188] = p->monitor_id[relid];
		m[189] = 1;
	}
	put16(m + 190, !p->is_shared[relid]);
	peer_say(p, m, sizeof m);
}

static inline void peer_contact(struct peer *p, const uint8_t *m)
{
	uint8_t answer[20] = {0};
	const uint32_t version = get32(m + 8);
	put32(answer, 15);
	p->vp = version >= 0x30000 ? get32(m + 12) : 0;
	if (version <= p->version) {
		answer[8] = 1;
		put32(answer + 12, version >= 0x50000 ? 4 : version);
		p->interrupt_page = version < 0x50000 ? get64(m + 16) : 0;
		p->monitor_page = get64(m + 32);
	}
	peer_say(p, answer, version <= p->version && version >= 0x60000 ? 20 : 16);
}

static inline void peer_gpadl(struct peer *p, const uint8_t *m, size_t bytes)
{
	if (get32(m) == 8) {
		p->pending_relid = get32(m + 8);
		p->pending_id = get32(m + 12);
		p->pending_words = get16(m + 16) / 8;
		p->pending_words -= (uint32_t)(bytes - 20) / 8;
		p->first_pfn_low = get32(m + 28);
	} else {
		p->pending_words -= (uint32_t)(bytes - 16) / 8;
	}
	if (p->pending_words == 0 && !p->is_silent[8]) {
		p->gpadls_live++;
		peer_words(p, 10, 3, p->pending_relid, p->pending_id, 0);
	}
}

static inline void peer_open(struct peer *p, const uint8_t *m)
{
	struct peer_channel *channel = &p->channels[get32(m + 8)];
	channel->gpadl_id = get32(m + 16);
	channel->target_vp = get32(m + 20);
	channel->downstream = get32(m + 24);
	channel->first_pfn = p->first_pfn_low;
	channel->is_open = true;
	if (p->on_open)
		p->on_open(p, get32(m + 8));
	if (!p->is_silent[5])
		peer_words(p, 6, 3, get32(m + 8), get32(m + 12), 0);
}

static uint16_t peer_on_post(
	void *ctx, struct platform_scripted *script, const struct scripted_post *post)
{
	struct peer *p = ctx;
	const uint8_t *m = post->payload;
	const uint32_t type = get32(m);
	(void)script;

	if (type == 8 || type == 9)
		peer_gpadl(p, m, post->bytes);
	else if (type == 5)
		peer_open(p, m);
	else if (type < 32 && p->is_silent[type])
		return 0;
	else if (type == 14)
		peer_contact(p, m);
	else if (type == 3) {
		for (uint32_t relid = 1; relid <= p->offers; relid++)
			peer_offer(p, relid);
		peer_words(p, 4, 0, 0, 0, 0);
	} else if (type == 7) {
		p->channels[get32(m + 8)].is_open = false;
	} else if (type == 11) {
		p->gpadls_live--;
		peer_words(p, 12, 1, get32(m + 12), 0, 0);
	} else if (type == 16 && p->version > 0x0d) {
		p->gpadls_live = 0;
		peer_words(p, 17, 0, 0, 0, 0);
	} else if (type == 22 && p->version >= 0x50003) {
		p->channels[get32(m + 8)].target_vp = get32(m + 12);
		peer_words(p, 24, 2, get32(m + 8), 0, 0);
	}
	return 0;
}

/* Word `index` of the control page of a ring of an open channel (inwards: host → guest). */
static inline uint32_t *peer_control(struct peer *p, uint32_t relid, bool inwards, unsigned index)
{
	const struct peer_channel *c = &p->channels[relid];
	const uint64_t page = c->first_pfn + (inwards ? c->downstream : 0);
	uint8_t *at = platform_scripted_at(&p->script, page * 4096, 4096);
	return (uint32_t *)(void *)(at + index * 4);
}

#define PEER_PACKET_BYTES 40u /* does not divide the ring: some packets wrap */

/* Put one in-band packet, `payload` and its complement, into the host → guest ring. */
static inline void peer_write(struct peer *p, uint32_t relid, uint64_t payload)
{
	uint32_t *control = peer_control(p, relid, true, 0);
	uint8_t *data = (uint8_t *)control + 4096;
	const uint32_t in = control[0], size = 4096;
	uint8_t packet[PEER_PACKET_BYTES] = {6, 0, 2, 0, 4, 0, 0, 0};
	put64(packet + 16, payload);
	put64(packet + 24, ~payload);
	put64(packet + 32, (uint64_t)in << 32);
	for (uint32_t i = 0; i < sizeof packet; i++)
		data[(in + i) % size] = packet[i];
	__atomic_store_n(control, (in + PEER_PACKET_BYTES) % size, __ATOMIC_SEQ_CST);
}

/* Read all that there is, and count packets that are not whole. */
static inline void peer_packets_read(struct peer *p, struct vmbus_channel *channel)
{
	struct packet_view view;

	while (ring_peek(&channel->in, &view) == RING_OK) {
		p->torn += view.payload_bytes != 16 ||
			   get64(view.payload) != ~get64(view.payload + 8);
		ring_release(&channel->in, &view);
	}
	vmbus_channel_flush(channel);
}

static inline void peer_event(struct peer *p, uint32_t vp, uint32_t flag)
{
	(void)platform_scripted_event(&p->script, vp, 2, flag);
}

static void peer_on_offer(void *ctx, const struct vmbus_offer *offer)
{
	(void)offer;
	((struct peer *)ctx)->offered++;
}

static void peer_on_offer_gone(void *ctx, const struct vmbus_offer *offer)
{
	(void)offer;
	((struct peer *)ctx)->gone++;
}

static inline struct peer *peer_create(uint32_t version, const struct vmbus_config *with)
{
	struct peer *p = calloc(1, sizeof *p);
	struct vmbus_config config = with ? *with : (struct vmbus_config){0};

	if (p == NULL || posix_memalign((void **)&p->memory, 4096, PEER_MEMORY_BYTES) != 0)
		abort();
	p->bus = malloc(vmbus_bytes());
	p->version = version;
	memset(p->monitor_id, 0xff, sizeof p->monitor_id);
	if (platform_scripted_init(&p->script, p->memory, PEER_MEMORY_BYTES, 2) != 0)
		abort();
	p->script.ctx = p;
	p->script.on_post = peer_on_post;
	if (winhv_init(&p->hv, &platform_scripted_ops, &p->script, 2) != 0 ||
		winhv_hypercall_enable(&p->hv, 0x8100000000000001ull) != 0)
		abort();
	config.on_offer = peer_on_offer;
	config.on_offer_gone = peer_on_offer_gone;
	config.ctx = p;
	if (vmbus_init(p->bus, &p->hv, &config) != 0)
		abort();
	return p;
}

static inline uint64_t peer_deadline(const struct peer *p)
{
	return p->script.now_100ns + 10 * SECOND;
}

static inline struct peer *peer_connected(
	uint32_t version, const struct vmbus_config *config, unsigned offers)
{
	struct peer *p = peer_create(version, config);
	p->offers = offers;
	if (vmbus_connect(p->bus, peer_deadline(p)) != 0)
		abort();
	return p;
}

/* Pages in use once everything is turned off: those that were abandoned. */
static inline unsigned peer_destroy(struct peer *p)
{
	winhv_shutdown(&p->hv);
	const unsigned pages = p->script.pages_used;
	free(p->bus);
	free(p->memory);
	free(p);
	return pages;
}

static inline unsigned peer_posts(const struct peer *p, uint32_t type)
{
	unsigned count = 0;
	for (uint64_t i = 0; i < p->script.post_count && i < SCRIPTED_POSTS_MAX; i++)
		count += get32(p->script.posts[i].payload) == type;
	return count;
}

#endif
