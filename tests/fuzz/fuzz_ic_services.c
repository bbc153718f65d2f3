// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: shutdown and time synchronisation in both roles. The first byte of the input
 * says which (its lowest bit), the rest is a list of actions:
 *
 *	0 len bytes	raw packet to the host
 *	1 n (at xor)*n	the real guest's answer to the host's last packet, with n bytes changed
 *	2 tenths	time goes on by so many tenths of a second
 *	3		the channel closes and opens
 *	4 len bytes	raw packet to the guest, by which 0 and 1 answer too
 *	5 n (at xor)*n	the host's last packet to the guest, with n bytes changed
 *	6 what		the owner asks for something
 *	7 bytes		clocks: the host's is set, the guest's reference time lags
 *
 * `at` is of two bytes. Broken invariants abort: a request of the owner's that does not end
 * once, a message beyond the rules, a reply longer than its request, a sample or an order that
 * no clock could have.
 */
#include "guest/ic_daemons/shutdown_ic.h"
#include "guest/ic_daemons/time_policy.h"
#include "guest/ic_daemons/timesync_ic.h"
#include "host/vsp/shutdown_vsp.h"
#include "host/vsp/timesync_vsp.h"
#include "protocol/cursor.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define ACTIONS_MAX  2048
#define PACKET_BYTES 2200u
#define NEW_YEAR     133801632000000000ull

struct world {
	bool is_timesync;
	struct shutdown_vsp shutdown;
	struct timesync_vsp timesync;
	struct ic_session *host; /* of the two, the one under test */
	struct shutdown_ic shutdown_guest;
	struct timesync_ic timesync_guest;
	struct ic_guest *guest;
	struct time_policy policy;
	uint64_t now, utc_100ns, lag_100ns;
	uint8_t sent[PACKET_BYTES];
	size_t sent_len;
	unsigned sends_left; /* in this action */
	uint64_t asked, done;
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

static void on_failed(void *ctx, const char *reason)
{
	struct world *world = ctx;
	CHECK(!world->is_failed && reason != NULL);
	world->is_failed = true;
}

static void on_shutdown_done(
	void *ctx, enum shutdown_action action, enum shutdown_result result, uint32_t status)
{
	(void)status;
	CHECK(shutdown_action_name(action) != NULL && shutdown_result_name(result) != NULL);
	((struct world *)ctx)->done++;
}

static void on_timesync_done(void *ctx, enum timesync_result result, uint32_t status)
{
	(void)status;
	CHECK(timesync_result_name(result) != NULL);
	((struct world *)ctx)->done++;
}

static uint64_t reference_of(const struct world *world)
{
	return world->now / 100;
}

static void on_read(void *ctx, struct timesync_reading *out)
{
	const struct world *world = ctx;
	*out = (struct timesync_reading){
		.utc_100ns = world->utc_100ns, .reference_100ns = reference_of(world)};
}

static uint64_t on_guest_reference(void *ctx)
{
	const struct world *world = ctx;
	return reference_of(world) - world->lag_100ns;
}

static void on_sample(void *ctx, const struct timesync_sample *sample)
{
	struct world *world = ctx;
	struct time_policy_order order;
	CHECK(sample->utc_100ns >= TIMESYNC_UNIX_EPOCH_100NS);
	CHECK(sample->utc_100ns <= TIMESYNC_TIME_MAX_100NS + TIMESYNC_STALE_S * 10000000ull);
	CHECK(sample->leap < TIMESYNC_LEAP_COUNT);
	time_policy_judge(&world->policy, sample, world->utc_100ns, &order);
	CHECK(order.nanoseconds >= 0 && order.nanoseconds < 1000000000);
	CHECK(order.offset_ns < 500000000 && order.offset_ns > -500000000);
	CHECK((order.action == TIME_POLICY_NOTHING) == (order.modes == 0));
	CHECK(!order.is_backwards || order.action == TIME_POLICY_STEP);
}

static const struct shutdown_vsp_ops shutdown_ops = {
	.session = {.send = on_send, .failed = on_failed},
	.done = on_shutdown_done,
};

static const struct timesync_vsp_ops timesync_ops = {
	.session = {.send = on_send, .failed = on_failed},
	.read = on_read,
	.done = on_timesync_done,
};

static const struct timesync_ic_ops guest_ops = {
	.reference_100ns = on_guest_reference, .sample = on_sample};

/* An exact heap copy lets the address sanitizer see reads past the packet. */
static uint8_t *exact(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	CHECK(copy != NULL);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

static void to_host(struct world *world, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = exact(bytes, len);
	const struct ic_host *ic = &world->host->ic;
	uint64_t seen = ic->responses + ic_host_rejections(ic);
	ic_session_on_packet(world->host, copy, len, world->now);
	CHECK(ic->responses + ic_host_rejections(ic) > seen);
	CHECK(world->is_failed == (ic->state == IC_HOST_FAILED));
	free(copy);
}

static size_t to_guest(
	struct world *world, const uint8_t *bytes, size_t len, uint8_t *reply, size_t capacity)
{
	uint8_t *copy = exact(bytes, len);
	struct shutdown_order order;
	uint64_t rejections = ic_guest_rejections(world->guest);
	size_t reply_len = 0;
	enum ic_rejection verdict = ic_guest_on_packet(
		world->guest, copy, len, reply, capacity, &reply_len);
	CHECK(reply_len <= len && reply_len <= capacity);
	CHECK(verdict != IC_OK || reply_len >= IC_OVERHEAD_BYTES);
	CHECK(ic_guest_rejections(world->guest) == rejections + (verdict != IC_OK));
	if (shutdown_ic_take(&world->shutdown_guest, &order))
		CHECK(order.action < SHUTDOWN_HIBERNATE && strlen(order.text) <= 2048);
	free(copy);
	return reply_len;
}

/* Change bytes as the input says: a count, then pairs of position and mask. */
static void change(struct cursor *input, uint8_t *bytes, size_t len)
{
	unsigned count = cursor_u8(input) % 8;
	for (unsigned i = 0; i < count; i++) {
		size_t at = cursor_u16(input);
		uint8_t mask = cursor_u8(input);
		if (len > 0)
			bytes[at % len] ^= mask;
	}
}

static void ask(struct world *world, uint8_t what)
{
	char text[] = "why";
	const struct shutdown_vsp_request request = {
		.action = (enum shutdown_action)(what % SHUTDOWN_ACTION_COUNT),
		.is_forced = (what & 0x40) != 0,
		.text = text,
	};
	int result = world->is_timesync
			     ? timesync_vsp_request(&world->timesync, what & 1, world->now)
			     : shutdown_vsp_request(&world->shutdown, &request, world->now);
	if (result == 0)
		world->asked++;
}

static void raw(struct world *world, struct cursor *input, bool is_to_host)
{
	uint8_t reply[PACKET_BYTES];
	size_t len = cursor_u8(input);
	const uint8_t *bytes = cursor_take(input, len);
	if (bytes == NULL)
		return;
	if (is_to_host)
		to_host(world, bytes, len);
	else
		to_guest(world, bytes, len, reply, sizeof reply);
}

static void reopen(struct world *world)
{
	ic_session_on_close(world->host, world->now);
	CHECK(world->asked == world->done);
	world->is_failed = false;
	ic_guest_reset(world->guest);
	ic_session_on_open(world->host, world->now);
}

static void act(struct world *world, struct cursor *input)
{
	uint8_t buffer[PACKET_BYTES];
	uint8_t action = cursor_u8(input) % 8;
	size_t len;
	world->sends_left = 2; /* two deadlines may fall together */
	switch (action) {
	case 0:
	case 4:
		raw(world, input, action == 0);
		return;
	case 1:
		len = to_guest(world, world->sent, world->sent_len, buffer, sizeof buffer);
		change(input, buffer, len);
		to_host(world, buffer, len);
		return;
	case 2:
		world->now += cursor_u8(input) * 100000000ull;
		(void)ic_session_on_time(world->host, world->now);
		return;
	case 3:
		reopen(world);
		return;
	case 5:
		memcpy(buffer, world->sent, world->sent_len);
		change(input, buffer, world->sent_len);
		to_guest(world, buffer, world->sent_len, buffer, sizeof buffer);
		return;
	case 6:
		ask(world, cursor_u8(input));
		return;
	default:
		world->utc_100ns = NEW_YEAR + cursor_u32(input) * 1000ull;
		world->lag_100ns = cursor_u32(input) * 100ull;
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct cursor input = cursor_over(data, size);
	memset(&world, 0, sizeof world);
	world.is_timesync = (cursor_u8(&input) & 1) != 0;
	world.utc_100ns = NEW_YEAR;
	world.sends_left = 1;
	shutdown_vsp_init(&world.shutdown, &shutdown_ops, &world);
	timesync_vsp_init(&world.timesync, NULL, &timesync_ops, &world);
	shutdown_ic_init(&world.shutdown_guest,
		SHUTDOWN_IC_CAN(SHUTDOWN_POWER_OFF) | SHUTDOWN_IC_CAN(SHUTDOWN_RESTART));
	timesync_ic_init(&world.timesync_guest, &guest_ops, &world);
	time_policy_init(&world.policy, NULL);
	world.host = world.is_timesync ? &world.timesync.session : &world.shutdown.session;
	world.guest = world.is_timesync ? &world.timesync_guest.ic : &world.shutdown_guest.ic;
	ic_session_on_open(world.host, world.now);
	for (unsigned i = 0; i < ACTIONS_MAX && cursor_left(&input) > 0; i++) {
		act(&world, &input);
		CHECK(world.done <= world.asked && world.asked <= world.done + 1);
		CHECK(world.host->unanswered <= IC_SESSION_UNANSWERED_MAX);
	}
	ic_session_on_close(world.host, world.now);
	CHECK(world.asked == world.done);
	return 0;
}
