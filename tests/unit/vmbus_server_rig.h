// SPDX-License-Identifier: Apache-2.0
/*
 * A VMBus server on a bench: devices that answer at once or when told to, and a log
 * of every message to the guest. The guest is a script of bytes: messages are written here
 * field by field at the offsets of protocol/vmbus.md, not by the code under test.
 */
#ifndef TESTS_UNIT_VMBUS_SERVER_RIG_H
#define TESTS_UNIT_VMBUS_SERVER_RIG_H

#include "host/vmbus/server.h"
#include "tests/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIG_VPS	     4u
#define RIG_LOG	     4500u
#define RIG_DEVICES  2100u
#define RIG_RAM_GPNS UINT64_C(0x100000) /* pages below are memory: 4 GiB */

/* A contact at 5.3 from VP 0 without monitor pages. */
#define RIG_CONTACT_5_3                                                                            \
	"0e00000000000000 03000500 00000000 0200000000000000 0000000000000000 0000000000000000"

#define RIG_VERSIONS 11u
static const uint32_t rig_versions[RIG_VERSIONS] = {0x0000000d, 0x00010001, 0x00020004, 0x00030000,
	0x00040000, 0x00040001, 0x00050000, 0x00050001, 0x00050002, 0x00050003, 0x00060000};

struct rig_message {
	uint32_t vp, sint;
	size_t bytes;
	uint8_t payload[VMBUS_MESSAGE_BYTES_MAX];
};

struct rig_device {
	struct vmbus_server *server;
	struct rig *rig;
	vmbus_server_id id;
	bool waits_open;  /* does not answer an open by itself */
	bool waits_close; /* nor a close */
	int open_status;
	unsigned opens, closes, gone;
	uint32_t relid;
	uint32_t target_vp;
	struct vmbus_server_open open; /* as last asked */
	uint8_t user_data[VMBUS_USER_DATA_BYTES];
};

struct rig {
	struct vmbus_server *server;
	struct rig_message log[RIG_LOG];
	unsigned logged, seen;
	bool is_full; /* the guest does not empty its slot */
	bool refuses; /* nothing waits, and yet there is no memory for a message */
	bool queues;  /* a message to a full slot is taken all the same, and waits behind it */
	unsigned discards;
	struct vmbus_server_pages pages;
	unsigned pages_sets;
	unsigned resets;
	enum vmbus_rejection open_refusal; /* of the next channel_open, once */
	size_t allocated;		   /* bytes */
	unsigned allocations;		   /* alive */
	bool has_no_memory;
	bool takes_connects;
	struct rig_device devices[RIG_DEVICES];
	unsigned device_count;
};

/* ---- ops ---- */

static inline int rig_post(void *ctx, uint32_t vp, uint32_t sint, const void *payload, size_t bytes)
{
	struct rig *r = ctx;
	if (r->refuses || (r->is_full && !r->queues))
		return -EAGAIN;
	if (r->logged == RIG_LOG) {
		CU_FAIL("the log of messages is full");
		return 0;
	}
	struct rig_message *m = &r->log[r->logged++];
	*m = (struct rig_message){.vp = vp, .sint = sint, .bytes = bytes};
	memcpy(m->payload, payload, bytes);
	return 0;
}

static inline bool rig_is_backlogged(void *ctx, uint32_t vp, uint32_t sint)
{
	(void)vp;
	(void)sint;
	return ((struct rig *)ctx)->is_full;
}

static inline void rig_discard(void *ctx, uint32_t vp, uint32_t sint)
{
	(void)vp;
	(void)sint;
	((struct rig *)ctx)->discards++;
}

static inline bool rig_page_is_memory(void *ctx, uint64_t gpn)
{
	(void)ctx;
	return gpn < RIG_RAM_GPNS;
}

static inline int rig_pages_set(void *ctx, const struct vmbus_server_pages *pages)
{
	struct rig *r = ctx;
	r->pages = *pages;
	r->pages_sets++;
	return 0;
}

static inline enum vmbus_rejection rig_channel_open(
	void *ctx, void *device, const struct vmbus_server_open *open)
{
	struct rig *r = ctx;
	struct rig_device *d = device;
	const enum vmbus_rejection refusal = r->open_refusal;
	r->open_refusal = VMBUS_REJECTION_NONE;
	if (refusal != VMBUS_REJECTION_NONE)
		return refusal;
	d->opens++;
	d->open = *open;
	d->target_vp = open->target_vp;
	memcpy(d->user_data, open->user_data, sizeof d->user_data);
	if (!d->waits_open)
		CU_ASSERT_TRUE(vmbus_server_open_done(r->server, d->id, d->open_status));
	return VMBUS_REJECTION_NONE;
}

static inline void rig_channel_close(void *ctx, void *device)
{
	struct rig *r = ctx;
	struct rig_device *d = device;
	d->closes++;
	if (!d->waits_close)
		CU_ASSERT_TRUE(vmbus_server_close_done(r->server, d->id));
}

static inline void rig_target_set(void *ctx, void *device, uint32_t target_vp)
{
	(void)ctx;
	((struct rig_device *)device)->target_vp = target_vp;
}

static inline void rig_relid_set(void *ctx, void *device, uint32_t relid, uint8_t monitor_id)
{
	(void)monitor_id;
	(void)ctx;
	((struct rig_device *)device)->relid = relid;
}

static inline void rig_channel_gone(void *ctx, void *device)
{
	(void)ctx;
	((struct rig_device *)device)->gone++;
}

static inline void rig_reset_done(void *ctx)
{
	((struct rig *)ctx)->resets++;
}

static inline bool rig_connect_request(
	void *ctx, const struct guid *endpoint, const struct guid *service, const struct guid *silo)
{
	(void)endpoint;
	(void)service;
	(void)silo;
	return ((struct rig *)ctx)->takes_connects;
}

static inline void *rig_allocate(void *ctx, size_t bytes)
{
	struct rig *r = ctx;
	size_t *memory = r->has_no_memory ? NULL : malloc(sizeof *memory + bytes);
	if (memory == NULL)
		return NULL;
	r->allocated += bytes;
	r->allocations++;
	*memory = bytes;
	return memory + 1;
}

static inline void rig_release(void *ctx, void *memory)
{
	struct rig *r = ctx;
	size_t *start = (size_t *)memory - 1;
	r->allocated -= *start;
	r->allocations--;
	free(start);
}

static const struct vmbus_server_ops rig_server_ops = {
	.message_post = rig_post,
	.message_is_backlogged = rig_is_backlogged,
	.message_discard = rig_discard,
	.page_is_memory = rig_page_is_memory,
	.pages_set = rig_pages_set,
	.channel_open = rig_channel_open,
	.channel_close = rig_channel_close,
	.channel_target_set = rig_target_set,
	.channel_relid_set = rig_relid_set,
	.channel_gone = rig_channel_gone,
	.reset_done = rig_reset_done,
	.connect_request = rig_connect_request,
	.allocate = rig_allocate,
	.release = rig_release,
};

/* ---- life ---- */

static inline struct rig *rig_make_with(const struct vmbus_server_config *config)
{
	struct rig *r = calloc(1, sizeof *r);
	if (r == NULL || vmbus_server_create(config, &rig_server_ops, r, &r->server) != 0)
		abort();
	return r;
}

static inline struct rig *rig_make(void)
{
	return rig_make_with(&(struct vmbus_server_config){.vp_count = RIG_VPS});
}

/* The invariants hold, and nothing leaks. */
static inline void rig_check(const struct rig *r)
{
	const char *wrong = vmbus_server_check(r->server);
	if (wrong != NULL) {
		static char text[1 << 16];
		vmbus_server_describe(r->server, text, sizeof text);
		printf("%s\n%s", wrong, text);
	}
	CU_ASSERT_PTR_NULL(wrong);
}

static inline void rig_destroy(struct rig *r)
{
	rig_check(r);
	vmbus_server_destroy(r->server);
	CU_ASSERT_EQUAL(r->allocations, 0);
	CU_ASSERT_EQUAL(r->allocated, 0);
	free(r);
}

static inline struct vmbus_server_status rig_status(const struct rig *r)
{
	struct vmbus_server_status status;
	vmbus_server_status_get(r->server, &status);
	return status;
}

/* ---- the host ---- */

/* Storage, and an instance whose last byte is `number`. */
static inline struct vmbus_server_offer rig_offer(unsigned number, uint16_t subchannel)
{
	struct vmbus_server_offer offer = {
		.interface_id = {{0xd9, 0x63, 0x61, 0xba, 0xa1, 0x04, 0x29, 0x4d, 0xb6, 0x05, 0x72,
			0xe2, 0xff, 0xb1, 0xdc, 0x7f}},
		.instance_id = {{0x67, 0x25, 0x4b, 0xd3, 0xb6, 0xb9, 0xb9, 0x42, 0x87, 0x78}},
		.flags = VMBUS_OFFER_ENUMERATE_DEVICE_INTERFACE,
		.subchannel_index = subchannel,
	};
	offer.instance_id.bytes[14] = (uint8_t)(number >> 8);
	offer.instance_id.bytes[15] = (uint8_t)number;
	return offer;
}

static inline int rig_add(
	struct rig *r, const struct vmbus_server_offer *offer, struct rig_device **out)
{
	struct rig_device *d = &r->devices[r->device_count];
	*d = (struct rig_device){.server = r->server, .rig = r};
	const int error = vmbus_server_offer_add(r->server, offer, d, &d->id);
	if (error == 0) {
		r->device_count++;
		*out = d;
	}
	return error;
}

/* A device whose offer must succeed. */
static inline struct rig_device *rig_device_of(
	struct rig *r, const struct vmbus_server_offer *offer)
{
	struct rig_device *d = NULL;
	CU_ASSERT_EQUAL_FATAL(rig_add(r, offer, &d), 0);
	if (d == NULL)
		abort();
	return d;
}

static inline struct rig_device *rig_device(struct rig *r, unsigned number, uint16_t subchannel)
{
	const struct vmbus_server_offer offer = rig_offer(number, subchannel);
	return rig_device_of(r, &offer);
}

static inline void rig_remove(struct rig *r, const struct rig_device *d)
{
	vmbus_server_offer_remove(r->server, d->id);
}

static inline const char *rig_state(const struct rig *r, const struct rig_device *d)
{
	return vmbus_server_channel_state(r->server, d->id);
}

#define RIG_STATE(r, d, expected) CU_ASSERT_STRING_EQUAL(rig_state(r, d), expected)

/* ---- the guest: what it says ---- */

struct rig_bytes {
	uint8_t at[256];
	size_t count;
};

static inline void rig_u16(struct rig_bytes *b, unsigned value)
{
	b->at[b->count++] = (uint8_t)value;
	b->at[b->count++] = (uint8_t)(value >> 8);
}

static inline void rig_u32(struct rig_bytes *b, uint32_t value)
{
	rig_u16(b, value & 0xffff);
	rig_u16(b, value >> 16);
}

static inline void rig_u64(struct rig_bytes *b, uint64_t value)
{
	rig_u32(b, (uint32_t)value);
	rig_u32(b, (uint32_t)(value >> 32));
}

static inline struct rig_bytes rig_header(uint32_t type)
{
	struct rig_bytes b = {.count = 0};
	rig_u32(&b, type);
	rig_u32(&b, 0);
	return b;
}

/* Hexadecimal digits, with or without spaces. */
static inline struct rig_bytes rig_hex(const char *text)
{
	struct rig_bytes b = {.count = 0};
	for (unsigned value; sscanf(text, "%2x", &value) == 1 && b.count < sizeof b.at;) {
		b.at[b.count++] = (uint8_t)value;
		text += 2;
		while (*text == ' ')
			text++;
	}
	return b;
}

static inline int rig_post_on(struct rig *r, uint32_t connection, const struct rig_bytes *b)
{
	/* exactly so many bytes on the heap: a read past them is seen by sanitizers */
	uint8_t *copy = malloc(b->count > 0 ? b->count : 1);
	memcpy(copy, b->at, b->count);
	const int result = vmbus_server_message(r->server, connection, copy, b->count);
	free(copy);
	rig_check(r);
	return result;
}

static inline void rig_say(struct rig *r, const struct rig_bytes *b)
{
	CU_ASSERT_EQUAL(rig_post_on(r, 4, b), 0);
}

static inline void rig_say_hex(struct rig *r, const char *text)
{
	const struct rig_bytes b = rig_hex(text);
	rig_say(r, &b);
}

/* 14; `at16` is the interrupt page, or SINT | VTL << 8 | features << 32. */
static inline struct rig_bytes rig_contact_bytes(
	uint32_t version, uint32_t vp, uint64_t at16, uint64_t to_guest, uint64_t to_host)
{
	struct rig_bytes b = rig_header(14);
	rig_u32(&b, version);
	rig_u32(&b, vp);
	rig_u64(&b, at16);
	rig_u64(&b, to_guest);
	rig_u64(&b, to_host);
	return b;
}

/* A contact that is right for the version, with features if it knows them. */
static inline void rig_contact(struct rig *r, uint32_t version, uint32_t features)
{
	uint64_t at16 = 0x100000; /* interrupt page */
	if (version >= 0x50000)
		at16 = 2;
	if (version >= 0x60000)
		at16 |= (uint64_t)features << 32;
	struct rig_bytes b = rig_contact_bytes(version, 0, at16, 0, 0);
	if (features & 8)
		b.count = 56;
	rig_say(r, &b);
}

static inline struct rig_bytes rig_open_bytes(
	uint32_t relid, uint32_t open_id, uint32_t gpadl, uint32_t vp, uint32_t page)
{
	struct rig_bytes b = rig_header(5);
	rig_u32(&b, relid);
	rig_u32(&b, open_id);
	rig_u32(&b, gpadl);
	rig_u32(&b, vp);
	rig_u32(&b, page);
	b.count += 120;
	return b;
}

static inline void rig_open(struct rig *r, uint32_t relid, uint32_t gpadl)
{
	const struct rig_bytes b = rig_open_bytes(relid, relid, gpadl, 0, 2);
	rig_say(r, &b);
}

/* A message of a header and up to four words. */
static inline void rig_words(struct rig *r, uint32_t type, unsigned count, uint32_t a, uint32_t b,
	uint32_t c, uint32_t d)
{
	const uint32_t words[] = {a, b, c, d};
	struct rig_bytes bytes = rig_header(type);
	for (unsigned i = 0; i < count; i++)
		rig_u32(&bytes, words[i]);
	rig_say(r, &bytes);
}

#define RIG_SAY0(r, type)		rig_words(r, type, 0, 0, 0, 0, 0)
#define RIG_SAY1(r, type, a)		rig_words(r, type, 1, a, 0, 0, 0)
#define RIG_SAY2(r, type, a, b)		rig_words(r, type, 2, a, b, 0, 0)
#define RIG_SAY3(r, type, a, b, c)	rig_words(r, type, 3, a, b, c, 0)
#define RIG_REQUEST_OFFERS(r)		RIG_SAY0(r, 3)
#define RIG_CLOSE(r, relid)		RIG_SAY1(r, 7, relid)
#define RIG_TEARDOWN(r, relid, gpadl)	RIG_SAY2(r, 11, relid, gpadl)
#define RIG_RELEASE(r, relid)		RIG_SAY1(r, 13, relid)
#define RIG_UNLOAD(r)			RIG_SAY0(r, 16)
#define RIG_MODIFY(r, relid, vp)	RIG_SAY2(r, 22, relid, vp)
#define RIG_CLOSE_RESERVED(r, id, v, s) RIG_SAY3(r, 19, id, v, s)

static inline void rig_open_reserved(
	struct rig *r, uint32_t relid, uint32_t vp, uint32_t sint, uint32_t gpadl)
{
	struct rig_bytes b = rig_header(18);
	rig_u32(&b, relid);
	rig_u32(&b, vp);
	rig_u32(&b, sint);
	rig_u32(&b, gpadl);
	rig_u32(&b, 2);
	rig_say(r, &b);
}

/* 8: the fixed part alone. */
static inline struct rig_bytes rig_gpadl_header(
	uint32_t relid, uint32_t id, unsigned stream_bytes, unsigned ranges)
{
	struct rig_bytes b = rig_header(8);
	rig_u32(&b, relid);
	rig_u32(&b, id);
	rig_u16(&b, stream_bytes);
	rig_u16(&b, ranges);
	return b;
}

static inline void rig_range(struct rig_bytes *b, uint32_t bytes, uint32_t offset)
{
	rig_u32(b, bytes);
	rig_u32(b, offset);
}

/* A GPADL of `pages` neighbouring pages from page number `first`, in as many messages. */
static inline void rig_gpadl(
	struct rig *r, uint32_t relid, uint32_t id, unsigned pages, uint64_t first)
{
	struct rig_bytes b = rig_gpadl_header(relid, id, 8 + 8 * pages, 1);
	rig_range(&b, pages * 4096, 0);
	unsigned done = 0;
	while (done < pages && b.count + 8 <= 240)
		rig_u64(&b, first + done++);
	rig_say(r, &b);
	while (done < pages) {
		b = rig_header(9);
		rig_u32(&b, 0);
		rig_u32(&b, id);
		while (done < pages && b.count + 8 <= 240)
			rig_u64(&b, first + done++);
		rig_say(r, &b);
	}
}

/* ---- the guest: what it hears ---- */

static inline const struct rig_message *rig_next(struct rig *r)
{
	static const struct rig_message none;
	return r->seen < r->logged ? &r->log[r->seen++] : &none;
}

static inline void rig_hear_bytes(struct rig *r, const char *text, const char *file, unsigned line)
{
	const struct rig_bytes expected = rig_hex(text);
	const struct rig_message *m = rig_next(r);
	const bool is_same = m->bytes == expected.count &&
			     memcmp(m->payload, expected.at, m->bytes) == 0;
	if (!is_same) {
		printf("%s:%u: heard %zu bytes:", file, line, m->bytes);
		for (size_t i = 0; i < m->bytes; i++)
			printf(" %02x", m->payload[i]);
		printf("\n    expected: %s\n", text);
	}
	CU_ASSERT_TRUE(is_same);
}

static inline unsigned rig_message_u16(const struct rig_message *m, unsigned at)
{
	return m->payload[at] | (unsigned)m->payload[at + 1] << 8;
}

/* The next message is exactly this. */
#define RIG_HEAR(r, text) rig_hear_bytes(r, text, __FILE__, __LINE__)
/* No further message. */
#define RIG_DEAD(r) CU_ASSERT_EQUAL((r)->logged - (r)->seen, 0)

/* The next message has this type and, for types with several words, starts with these. */
static inline bool rig_heard(
	struct rig *r, uint32_t type, unsigned count, uint32_t a, uint32_t b, uint32_t c)
{
	const struct rig_message *m = rig_next(r);
	const uint32_t words[] = {type, 0, a, b, c};
	const size_t bytes = 8 + 4 * (size_t)count;
	return m->bytes >= bytes && memcmp(m->payload, words, bytes) == 0;
}

#define RIG_HEAR1(r, type, a)	    CU_ASSERT_TRUE(rig_heard(r, type, 1, a, 0, 0))
#define RIG_HEAR2(r, type, a, b)    CU_ASSERT_TRUE(rig_heard(r, type, 2, a, b, 0))
#define RIG_HEAR3(r, type, a, b, c) CU_ASSERT_TRUE(rig_heard(r, type, 3, a, b, c))
#define RIG_FAILURE		    0x8000ffffu

static inline void rig_forget(struct rig *r)
{
	r->seen = 0;
	r->logged = 0;
}

/* Exactly one message was rejected since the last look, for this reason. */
static inline bool rig_rejected(struct rig *r, enum vmbus_rejection reason, uint64_t before)
{
	const struct vmbus_server_status status = rig_status(r);
	return status.rejected == before + 1 && status.last_rejection == reason;
}

#define RIG_REJECTS(r, NAME, statement)                                                            \
	do {                                                                                       \
		const uint64_t before_ = rig_status(r).rejected;                                   \
		statement;                                                                         \
		CU_ASSERT_TRUE(rig_rejected(r, VMBUS_REJECTION_##NAME, before_));                  \
		if (!rig_rejected(r, VMBUS_REJECTION_##NAME, before_))                             \
			printf("%s:%d: %llu rejections, last %s\n", __FILE__, __LINE__,            \
				(unsigned long long)(rig_status(r).rejected - before_),            \
				vmbus_rejection_name(rig_status(r).last_rejection));               \
	} while (0)

/* Connected with `version`, offers requested, log forgotten. */
static inline void rig_connect(struct rig *r, uint32_t version, uint32_t features)
{
	rig_contact(r, version, features);
	RIG_REQUEST_OFFERS(r);
	CU_ASSERT_STRING_EQUAL(rig_status(r).connection_state, "connected");
	rig_forget(r);
}

/* A device that is open on relid 1 over GPADL 1 of 4 pages, at `version`; log forgotten. */
static inline struct rig_device *rig_opened(struct rig *r, uint32_t version, uint32_t features)
{
	struct rig_device *d = rig_device(r, 1, 0);
	rig_connect(r, version, features);
	rig_gpadl(r, d->relid, 1, 4, 0x100);
	rig_open(r, d->relid, 1);
	RIG_STATE(r, d, "open");
	rig_forget(r);
	return d;
}

#endif
