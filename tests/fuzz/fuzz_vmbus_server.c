// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzzes the VMBus server with a list of actions: messages of the guest (structured and raw),
 * answers of devices early and late, offers made and taken back, a guest that does not read,
 * resets. After each action all invariants hold; at the end, when all devices have
 * answered, a reset leaves nothing: no relid, no GPADL, no memory, one owner for each relid
 * all along. What a device is asked is checked, too: one thing at a time, and nothing when it
 * is gone.
 */
#include "host/vmbus/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEVICES	    24u
#define ACTIONS_MAX 4096u
#define VPS	    3u

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

enum device_state {
	DEVICE_NONE, /* not offered */
	DEVICE_IDLE,
	DEVICE_OPENING,
	DEVICE_OPEN,
	DEVICE_CLOSING,
};

struct device {
	enum device_state state;
	vmbus_server_id id;
	vmbus_server_id stale; /* of an earlier life */
	bool answers_at_once;
};

struct host {
	struct vmbus_server *server;
	bool is_full;
	size_t allocated;
	unsigned resets;
	struct device devices[DEVICES];
};

struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t take(struct input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

static void take_bytes(struct input *in, uint8_t *to, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = take(in);
}

/* ---- ops ---- */

/* Every message to the guest has its exact size (R-CONN-037). */
static const uint8_t exact_sizes[30] = {[1] = 196,
	[2] = 12,
	[4] = 8,
	[6] = 20,
	[10] = 20,
	[12] = 12,
	[17] = 8,
	[20] = 12,
	[23] = 44,
	[24] = 16,
	[26] = 9,
	[28] = 8};

static int message_post(void *ctx, uint32_t vp, uint32_t sint, const void *payload, size_t bytes)
{
	struct host *h = ctx;
	uint32_t type;
	REQUIRE(bytes >= 8 && vp < VPS);
	(void)sint;
	memcpy(&type, payload, sizeof type);
	REQUIRE(type < 30);
	if (type == 15)
		REQUIRE(bytes == 16 || bytes == 20 || bytes == 40);
	else
		REQUIRE(exact_sizes[type] == bytes);
	return h->is_full ? -EAGAIN : 0;
}

static bool message_is_backlogged(void *ctx, uint32_t vp, uint32_t sint)
{
	(void)vp;
	(void)sint;
	return ((struct host *)ctx)->is_full;
}

static void message_discard(void *ctx, uint32_t vp, uint32_t sint)
{
	(void)ctx;
	(void)sint;
	REQUIRE(vp < VPS);
}

static bool page_is_memory(void *ctx, uint64_t gpn)
{
	(void)ctx;
	return gpn < 0x10000;
}

static int pages_set(void *ctx, const struct vmbus_server_pages *pages)
{
	(void)ctx;
	REQUIRE(((pages->interrupt_gpa | pages->parent_to_child_gpa | pages->child_to_parent_gpa) &
			0xfff) == 0);
	return 0;
}

static enum vmbus_rejection channel_open(
	void *ctx, void *device, const struct vmbus_server_open *open)
{
	struct host *h = ctx;
	struct device *d = device;
	REQUIRE(d->state == DEVICE_IDLE);
	REQUIRE(open->relid >= 1 && open->relid <= 2047);
	REQUIRE(open->event_flag >= 1 && open->event_flag < 2048);
	REQUIRE(open->page_count >= 4 && open->downstream_page >= 2 &&
		open->downstream_page <= open->page_count - 2);
	uint64_t sum = 0;
	for (uint32_t i = 0; i < open->page_count; i++)
		sum |= open->gpns[i];
	REQUIRE(sum < 0x10000);
	d->state = DEVICE_OPENING;
	if (d->answers_at_once) {
		d->state = DEVICE_OPEN;
		REQUIRE(vmbus_server_open_done(h->server, d->id, 0));
	}
	return VMBUS_REJECTION_NONE;
}

static void channel_close(void *ctx, void *device)
{
	struct host *h = ctx;
	struct device *d = device;
	REQUIRE(d->state == DEVICE_OPEN);
	d->state = DEVICE_CLOSING;
	if (d->answers_at_once) {
		d->state = DEVICE_IDLE;
		REQUIRE(vmbus_server_close_done(h->server, d->id));
	}
}

static void channel_target_set(void *ctx, void *device, uint32_t target_vp)
{
	(void)ctx;
	REQUIRE(((struct device *)device)->state == DEVICE_OPEN && target_vp < VPS);
}

static void channel_relid_set(void *ctx, void *device, uint32_t relid, uint8_t monitor_id)
{
	(void)monitor_id;
	(void)ctx;
	REQUIRE(((struct device *)device)->state != DEVICE_NONE && relid <= 2047);
}

static void channel_gone(void *ctx, void *device)
{
	struct device *d = device;
	(void)ctx;
	REQUIRE(d->state == DEVICE_IDLE);
	d->state = DEVICE_NONE;
	d->stale = d->id;
}

static void reset_done(void *ctx)
{
	((struct host *)ctx)->resets++;
}

static void *allocate(void *ctx, size_t bytes)
{
	struct host *h = ctx;
	size_t *memory = malloc(sizeof *memory + bytes);
	if (memory == NULL)
		return NULL;
	*memory = bytes;
	h->allocated += bytes;
	return memory + 1;
}

static void release(void *ctx, void *memory)
{
	size_t *start = (size_t *)memory - 1;
	((struct host *)ctx)->allocated -= *start;
	free(start);
}

static const struct vmbus_server_ops ops = {
	.message_post = message_post,
	.message_is_backlogged = message_is_backlogged,
	.message_discard = message_discard,
	.page_is_memory = page_is_memory,
	.pages_set = pages_set,
	.channel_open = channel_open,
	.channel_close = channel_close,
	.channel_target_set = channel_target_set,
	.channel_relid_set = channel_relid_set,
	.channel_gone = channel_gone,
	.reset_done = reset_done,
	.allocate = allocate,
	.release = release,
};

/* ---- actions ---- */

static void say(struct host *h, uint8_t connection, const uint8_t *bytes, size_t count)
{
	/* exactly so many bytes: a read past them is seen */
	uint8_t *copy = malloc(count > 0 ? count : 1);
	REQUIRE(copy != NULL);
	memcpy(copy, bytes, count);
	const int result = vmbus_server_message(h->server, connection, copy, count);
	REQUIRE(result == 0 || result == -EAGAIN);
	free(copy);
}

static void put(uint8_t *bytes, size_t at, uint32_t value)
{
	memcpy(bytes + at, &value, sizeof value);
}

/* A message whose first fields are small numbers, likely to mean something. */
static void say_structured(struct host *h, struct input *in)
{
	uint8_t bytes[240] = {0};
	bytes[0] = take(in) % 32;
	put(bytes, 8, take(in) % 12);
	put(bytes, 12, take(in) % 8);
	const size_t more = take(in) % 64;
	take_bytes(in, bytes + 16, more);
	static const uint8_t sizes[] = {8, 12, 16, 20, 28, 40, 56, 148, 156, 240};
	say(h, take(in) % 2 ? 4 : 1, bytes, sizes[take(in) % sizeof sizes]);
}

static void say_raw(struct host *h, struct input *in)
{
	uint8_t bytes[241];
	const size_t count = take(in) % sizeof bytes;
	take_bytes(in, bytes, count);
	say(h, 4, bytes, count);
}

static void say_contact(struct host *h, struct input *in)
{
	static const uint32_t versions[] = {0x0000d, 0x10001, 0x20004, 0x30000, 0x40000, 0x40001,
		0x50000, 0x50001, 0x50002, 0x50003, 0x60000, 0x60000, 0x60000, 0x70000};
	uint8_t bytes[240] = {14};
	put(bytes, 8, versions[take(in) % 14]);
	put(bytes, 12, take(in) % (VPS + 1));
	const uint8_t flavour = take(in);
	bytes[16] = flavour & 1 ? 0 : 2;
	bytes[17] = 0x10; /* an interrupt page, or a VTL that only connection 4 has */
	bytes[20] = take(in);
	if (flavour & 2)
		bytes[25] = bytes[33] = 0x10; /* monitor pages */
	if (flavour & 4)
		bytes[17] = 0;
	say(h, flavour & 8 ? 4 : 1, bytes, 56);
	if (flavour & 16) {
		const uint8_t request[8] = {3};
		say(h, 1, request, sizeof request);
	}
}

/* A GPADL in one message, and perhaps an open over it. */
static void say_gpadl_and_open(struct host *h, struct input *in)
{
	const uint8_t relid = take(in) % 12;
	const uint8_t id = take(in) % 8;
	const uint8_t pages = take(in) % 8;
	const uint8_t flavour = take(in);
	uint8_t gpadl[240] = {8};
	put(gpadl, 8, relid);
	put(gpadl, 12, id);
	put(gpadl, 16, (8u + 8u * pages) | 1u << 16);
	put(gpadl, 20, pages * 4096u);
	for (unsigned i = 0; i < pages; i++)
		put(gpadl, 28 + 8 * i, i + 16);
	say(h, 1, gpadl, flavour & 1 ? 36 : 240);
	uint8_t open[240] = {5};
	put(open, 8, relid);
	put(open, 16, id);
	put(open, 20, flavour & 2 ? 0xffffffff : flavour & 3);
	put(open, 24, flavour & 4 ? 3 : 2);
	put(open, 148, 0x3000u + relid);
	open[152] = (uint8_t)(relid + 1);
	if (flavour & 8)
		say(h, 1, open, 156);
}

static void offer_add(struct host *h, struct input *in)
{
	const uint8_t number = take(in);
	struct device *d = &h->devices[number % DEVICES];
	struct vmbus_server_offer offer = {
		.subchannel_index = number / 32 % 3, .wants_monitor = number & 0x80};
	offer.instance_id.bytes[15] = number % 8;
	if (d->state != DEVICE_NONE)
		return;
	const vmbus_server_id before = d->id;
	d->state = DEVICE_IDLE;
	d->answers_at_once = take(in) & 1;
	const int error = vmbus_server_offer_add(h->server, &offer, d, &d->id);
	REQUIRE(error == 0 || error == -EEXIST || error == -ENOENT || error == -ENOSPC);
	if (error != 0) {
		d->state = DEVICE_NONE;
		d->id = before;
	}
}

static void device_answer(struct host *h, struct device *d, int status)
{
	const enum device_state before = d->state;
	const vmbus_server_id id = d->id;
	if (before == DEVICE_OPENING) {
		d->state = status < 0 ? DEVICE_IDLE : DEVICE_OPEN;
		REQUIRE(vmbus_server_open_done(h->server, id, status));
	} else {
		REQUIRE(!vmbus_server_open_done(h->server, id, status));
	}
	if (before == DEVICE_CLOSING) {
		d->state = DEVICE_IDLE;
		REQUIRE(vmbus_server_close_done(h->server, id));
	} else if (before != DEVICE_OPENING) {
		REQUIRE(!vmbus_server_close_done(h->server, id));
	}
	REQUIRE(!vmbus_server_open_done(h->server, d->stale, 0) || d->stale == d->id);
}

static void gpadl_use(struct host *h, struct input *in)
{
	const struct device *d = &h->devices[take(in) % DEVICES];
	const uint8_t what = take(in);
	struct vmbus_server_gpadl gpadl;
	if (what & 1) {
		vmbus_server_gpadl_release(h->server, d->id, what / 2 % 8);
	} else if (vmbus_server_gpadl_hold(h->server, d->id, what / 2 % 8, what / 16 % 3, &gpadl) ==
		   0) {
		REQUIRE(d->state == DEVICE_OPENING || d->state == DEVICE_OPEN);
		for (uint32_t i = 0; i < gpadl.page_count; i++)
			REQUIRE(gpadl.gpns[i] < 0x10000);
	}
}

static void act(struct host *h, struct input *in)
{
	switch (take(in) % 12) {
	case 0:
	case 1:
		say_structured(h, in);
		break;
	case 2:
		say_raw(h, in);
		break;
	case 3:
		say_contact(h, in);
		break;
	case 4:
	case 5:
		say_gpadl_and_open(h, in);
		break;
	case 6:
		offer_add(h, in);
		break;
	case 7:
		vmbus_server_offer_remove(h->server, h->devices[take(in) % DEVICES].id);
		break;
	case 8:
		device_answer(h, &h->devices[take(in) % DEVICES], (int8_t)take(in));
		break;
	case 9:
		h->is_full = !h->is_full;
		if (!h->is_full)
			vmbus_server_drained(h->server);
		break;
	case 10:
		gpadl_use(h, in);
		break;
	case 11:
		if (take(in) % 4 == 0)
			vmbus_server_reset(h->server);
		break;
	}
}

/* ---- the end ---- */

static void everybody_answers(struct host *h)
{
	for (unsigned i = 0; i < DEVICES; i++) {
		struct device *d = &h->devices[i];
		d->answers_at_once = true;
		if (d->state == DEVICE_OPENING || d->state == DEVICE_CLOSING)
			device_answer(h, d, 0);
	}
}

static void finish(struct host *h)
{
	struct vmbus_server_status status;
	h->is_full = false;
	vmbus_server_drained(h->server);
	/* UNLOAD first, where there is a connection: all but reserved channels are let go */
	const uint8_t unload[8] = {16};
	say(h, 1, unload, sizeof unload);
	everybody_answers(h);
	vmbus_server_status_get(h->server, &status);
	REQUIRE(status.devices_busy == 0);
	REQUIRE(strcmp(status.connection_state, "disconnecting") != 0);

	const unsigned resets = h->resets;
	vmbus_server_reset(h->server);
	everybody_answers(h);
	REQUIRE(h->resets > resets);
	REQUIRE(vmbus_server_check(h->server) == NULL);
	vmbus_server_status_get(h->server, &status);
	REQUIRE(strcmp(status.connection_state, "disconnected") == 0);
	REQUIRE(status.relids == 0 && status.gpadls == 0 && status.gpadl_words == 0);
	REQUIRE(status.monitor_ids == 0 && status.queued_bytes == 0);
	REQUIRE(h->allocated == 0);
	for (unsigned i = 0; i < DEVICES; i++)
		REQUIRE(h->devices[i].state == DEVICE_NONE || h->devices[i].state == DEVICE_IDLE);
}

/* R-ROB-001. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.data = data, .size = size};
	struct host h = {0};
	const uint8_t flavour = take(&in);
	const struct vmbus_server_config config = {
		.vp_count = VPS,
		.features = flavour & 1 ? VMBUS_FEATURES_KNOWN : 0,
		.child_to_parent_page_gpa = flavour & 2 ? 0x5000 : 0,
	};
	if (vmbus_server_create(&config, &ops, &h, &h.server) != 0)
		return 0;
	for (unsigned i = 0; i < ACTIONS_MAX && in.size > 0; i++) {
		act(&h, &in);
		const char *wrong = vmbus_server_check(h.server);
		if (wrong != NULL)
			fprintf(stderr, "%s\n", wrong);
		REQUIRE(wrong == NULL);
	}
	finish(&h);
	vmbus_server_destroy(h.server);
	return 0;
}
