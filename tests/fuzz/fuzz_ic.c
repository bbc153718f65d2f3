// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: integration components in both roles. The input is a list of actions:
 *
 *	0 len bytes	raw packet to the host's heartbeat
 *	1 n (at xor)*n	the real guest's answer to the host's last packet, with n bytes changed
 *	2		the host's period ends
 *	3		the channel closes and opens
 *	4 len bytes	raw packet to the guest, by which 0 and 1 answer too
 *	5 n (at xor)*n	the host's last packet to the guest, with n bytes changed
 *
 * Broken invariants abort: a reply longer than its request, a request beyond the rules, a
 * counter that does not count.
 */
#include "guest/ic_daemons/heartbeat_ic.h"
#include "host/vsp/heartbeat_vsp.h"
#include "protocol/cursor.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define ACTIONS_MAX 4096

struct world {
	struct heartbeat_vsp host;
	struct heartbeat_ic guest;
	uint64_t now;
	uint8_t sent[IC_NEGOTIATE_MAX_BYTES];
	size_t sent_len;
	unsigned sends_left; /* in this input */
	unsigned changes_left;
	bool is_failed;
};

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct world *world = ctx;
	struct ic_message message;
	CHECK(len <= sizeof world->sent);
	CHECK(!world->is_failed);
	CHECK(world->sends_left > 0);
	world->sends_left--;
	CHECK(ic_message_decode(bytes, len, &message) == IC_OK);
	CHECK(message.header.flags == IC_FLAGS_REQUEST);
	memcpy(world->sent, bytes, len);
	world->sent_len = len;
	return 0;
}

static void on_changed(void *ctx, enum heartbeat_contact contact, uint32_t application_state)
{
	struct world *world = ctx;
	(void)contact;
	(void)application_state;
	CHECK(world->changes_left > 0);
	world->changes_left--;
}

static void on_failed(void *ctx, const char *reason)
{
	struct world *world = ctx;
	CHECK(!world->is_failed && reason != NULL);
	world->is_failed = true;
}

static const struct heartbeat_vsp_ops ops = {
	.send = on_send,
	.changed = on_changed,
	.failed = on_failed,
};

/* What one action may make the host do: answer a message and make the next request. */
static void allow(struct world *world)
{
	world->sends_left = 1;
	world->changes_left = 2;
}

/* An exact heap copy lets the address sanitizer see reads past the packet. */
static void to_host(struct world *world, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	CHECK(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	uint64_t seen = world->host.ic.responses + ic_host_rejections(&world->host.ic);
	heartbeat_vsp_on_packet(&world->host, copy, len, world->now);
	CHECK(world->host.ic.responses + ic_host_rejections(&world->host.ic) > seen);
	CHECK(world->is_failed == (world->host.ic.state == IC_HOST_FAILED));
	free(copy);
}

static size_t to_guest(
	struct world *world, const uint8_t *bytes, size_t len, uint8_t *reply, size_t capacity)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	CHECK(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	uint64_t rejections = ic_guest_rejections(&world->guest.ic);
	size_t reply_len = 0;
	enum ic_rejection verdict = ic_guest_on_packet(
		&world->guest.ic, copy, len, reply, capacity, &reply_len);
	CHECK(reply_len <= len && reply_len <= capacity);
	CHECK(verdict != IC_OK || reply_len >= IC_OVERHEAD_BYTES);
	CHECK(ic_guest_rejections(&world->guest.ic) == rejections + (verdict != IC_OK));
	free(copy);
	return reply_len;
}

/* Change bytes as the input says: a count, then pairs of position and mask. */
static void change(struct cursor *input, uint8_t *bytes, size_t len)
{
	unsigned count = cursor_u8(input) % 8;
	for (unsigned i = 0; i < count; i++) {
		uint8_t at = cursor_u8(input);
		uint8_t mask = cursor_u8(input);
		if (len > 0)
			bytes[at % len] ^= mask;
	}
}

static void act(struct world *world, struct cursor *input)
{
	uint8_t buffer[IC_NEGOTIATE_MAX_BYTES];
	uint8_t action = cursor_u8(input) % 6;
	size_t len;
	const uint8_t *raw;
	allow(world);
	switch (action) {
	case 0:
	case 4:
		len = cursor_u8(input);
		raw = cursor_take(input, len);
		if (raw == NULL)
			return;
		if (action == 0)
			to_host(world, raw, len);
		else
			to_guest(world, raw, len, buffer, sizeof buffer);
		return;
	case 1:
		len = to_guest(world, world->sent, world->sent_len, buffer, sizeof buffer);
		change(input, buffer, len);
		to_host(world, buffer, len);
		return;
	case 2:
		world->now += (uint64_t)HEARTBEAT_PERIOD_MS * 1000000;
		(void)heartbeat_vsp_on_time(&world->host, world->now);
		return;
	case 3:
		heartbeat_vsp_on_close(&world->host);
		world->is_failed = false;
		ic_guest_reset(&world->guest.ic);
		heartbeat_vsp_on_open(&world->host, world->now);
		return;
	default:
		memcpy(buffer, world->sent, world->sent_len);
		change(input, buffer, world->sent_len);
		to_guest(world, buffer, world->sent_len, buffer, sizeof buffer);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world = {0};
	allow(&world);
	heartbeat_vsp_init(&world.host, NULL, &ops, &world);
	heartbeat_ic_init(&world.guest);
	heartbeat_vsp_on_open(&world.host, 0);
	struct cursor input = cursor_over(data, size);
	for (unsigned i = 0; i < ACTIONS_MAX && cursor_left(&input) > 0; i++)
		act(&world, &input);
	char text[512];
	CHECK(strlen(heartbeat_vsp_describe(&world.host, text, sizeof text)) > 0);
	return 0;
}
