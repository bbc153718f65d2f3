// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: file copy in both roles and the records of the kernel's device. The input is a list
 * of actions:
 *
 *	0 len bytes	raw packet to the host
 *	1 n (at xor)*n	the real guest's answer to the host's last packet, with n bytes changed
 *	2 tenths	time goes on by so many tenths of a second
 *	3		the channel closes and opens
 *	4 len bytes	raw packet to the guest, by which 0 and 1 answer too
 *	5 n (at xor)*n	the host's last packet to the guest, with n bytes changed
 *	6 size, len, text	the owner copies a file of that size and name
 *	7 what		the owner cancels, or its file can be read, or fails
 *	8 status, how	what the guest's disk says from here on; what it owes comes
 *	9 op len bytes n (at xor)*n	a record to the guest's daemon
 *
 * `at` is of two bytes. Broken invariants abort: a copy of the owner's that does not end once, a
 * message beyond the rules, an operation that the order or the bounds of a copy forbid, a name
 * that leads elsewhere.
 */
#include "guest/ic_daemons/fcopy_device_linux.h"
#include "guest/ic_daemons/fcopy_ic.h"
#include "host/vsp/fcopy_vsp.h"
#include "protocol/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define ACTIONS_MAX  1024
#define PACKET_BYTES 6400u

struct world {
	struct fcopy_vsp host;
	struct fcopy_ic guest;
	uint64_t now;
	uint8_t sent[PACKET_BYTES];
	size_t sent_len;
	uint8_t late[IC_PAYLOAD_MAX_BYTES];
	size_t late_len;
	uint64_t started, done;
	bool is_failed;
	/* The owner's file. */
	int read_result;
	/* The guest's file, as the operations say. */
	bool is_open;
	bool owes; /* an operation will be finished */
	uint32_t owed_operation;
	uint32_t disk; /* status of the next operations, or IC_GUEST_LATER */
	uint64_t size, written;
};

/* ---- host ---------------------------------------------------------------------------------- */

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct world *world = ctx;
	struct ic_message message;
	CHECK(len <= sizeof world->sent);
	CHECK(!world->is_failed);
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

static int on_read(void *ctx, uint64_t offset, uint8_t *to, uint32_t bytes)
{
	struct world *world = ctx;
	const struct fcopy_progress *progress = &world->host.progress;
	CHECK(world->started == world->done + 1);
	CHECK(bytes <= FCOPY_FRAGMENT_BYTES && offset == progress->done_bytes);
	CHECK(bytes > 0 || offset == progress->size_bytes);
	if (world->read_result == 0)
		memset(to, 0x5A, bytes);
	return world->read_result;
}

static void on_done(void *ctx, const struct fcopy_end *end)
{
	struct world *world = ctx;
	CHECK(fcopy_result_name(end->result) != NULL && fcopy_state_name(end->state) != NULL);
	CHECK(end->result != FCOPY_RESULT_COPIED || end->is_clean);
	world->done++;
}

static const struct fcopy_vsp_ops host_ops = {
	.session = {.send = on_send, .failed = on_failed},
	.read = on_read,
	.done = on_done,
};

/* ---- guest --------------------------------------------------------------------------------- */

static uint32_t operate(struct world *world, enum fcopy_operation operation)
{
	CHECK(!world->owes);
	if (world->disk == IC_GUEST_LATER) {
		world->owes = true;
		world->owed_operation = (uint32_t)operation;
		return IC_GUEST_LATER;
	}
	world->is_open = world->disk == 0 && operation < FCOPY_COMPLETE;
	return world->disk;
}

static uint32_t on_start(void *ctx, const struct fcopy_start *start)
{
	struct world *world = ctx;
	CHECK(!world->is_open);
	CHECK(fcopy_name_is_good(start->name) && fcopy_path_is_good(start->path));
	CHECK(strlen(start->name) < FCOPY_TEXT_BYTES && strlen(start->path) < FCOPY_TEXT_BYTES);
	CHECK(strchr(start->name, '/') == NULL && strstr(start->path, "/../") == NULL);
	CHECK(start->size_bytes <= FCOPY_SIZE_MAX_BYTES);
	world->size = start->size_bytes;
	world->written = 0;
	return operate(world, FCOPY_START);
}

static uint32_t on_write(void *ctx, uint64_t offset, const uint8_t *data, uint32_t bytes)
{
	struct world *world = ctx;
	uint8_t sum = 0;
	CHECK(world->is_open);
	CHECK(bytes <= FCOPY_FRAGMENT_BYTES && offset <= world->written);
	CHECK(offset + bytes <= world->size);
	for (uint32_t i = 0; i < bytes; i++)
		sum ^= data[i]; /* all of it can be read */
	(void)*(volatile uint8_t *)&sum;
	if (offset + bytes > world->written)
		world->written = offset + bytes;
	return operate(world, FCOPY_WRITE);
}

static uint32_t on_complete(void *ctx)
{
	struct world *world = ctx;
	CHECK(world->is_open && world->written == world->size);
	return operate(world, FCOPY_COMPLETE);
}

static uint32_t on_cancel(void *ctx)
{
	return operate(ctx, FCOPY_CANCEL);
}

static void on_drop(void *ctx)
{
	struct world *world = ctx;
	CHECK(world->is_open || world->owes);
	world->is_open = false;
	world->owes = false;
}

static void on_reply(void *ctx, uint32_t status)
{
	(void)ctx;
	CHECK(status != IC_GUEST_LATER);
}

static const struct fcopy_ic_ops guest_ops = {
	.start = on_start,
	.write = on_write,
	.complete = on_complete,
	.cancel = on_cancel,
	.drop = on_drop,
	.reply = on_reply,
};

static void on_late(void *transport, const void *reply, size_t len)
{
	struct world *world = transport;
	CHECK(len <= sizeof world->late);
	memcpy(world->late, reply, len);
	world->late_len = len;
}

/* ---- between them -------------------------------------------------------------------------- */

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
	ic_session_on_packet(&world->host.session, copy, len, world->now);
	CHECK(world->is_failed == (world->host.session.ic.state == IC_HOST_FAILED));
	free(copy);
}

static size_t to_guest(struct world *world, const uint8_t *bytes, size_t len, uint8_t *reply)
{
	uint8_t *copy = exact(bytes, len);
	size_t reply_len = 0;
	(void)ic_guest_on_packet(
		&world->guest.ic, copy, len, reply, IC_PAYLOAD_MAX_BYTES, &reply_len);
	CHECK(reply_len <= len);
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

static void finish_owed(struct world *world, uint32_t status)
{
	if (!world->owes)
		return;
	world->owes = false;
	world->is_open = status == 0 && world->owed_operation < FCOPY_COMPLETE;
	fcopy_ic_finish(&world->guest, status);
	if (world->late_len == 0)
		return;
	to_host(world, world->late, world->late_len);
	world->late_len = 0;
}

static void raw(struct world *world, struct cursor *input, bool is_to_host)
{
	static uint8_t reply[IC_PAYLOAD_MAX_BYTES];
	size_t len = cursor_u8(input);
	const uint8_t *bytes = cursor_take(input, len);
	if (bytes == NULL)
		return;
	if (is_to_host)
		to_host(world, bytes, len);
	else
		to_guest(world, bytes, len, reply);
}

static void reopen(struct world *world)
{
	ic_session_on_close(&world->host.session, world->now);
	CHECK(world->started == world->done);
	world->is_failed = false;
	ic_guest_reset(&world->guest.ic);
	fcopy_ic_reset(&world->guest);
	CHECK(!world->is_open && !world->owes);
	world->late_len = 0;
	ic_session_on_open(&world->host.session, world->now);
}

static void copy(struct world *world, struct cursor *input)
{
	char name[300] = {0};
	struct fcopy_vsp_request request = {.name = name, .path = "/p", .overwrites = true};
	request.size_bytes = cursor_u16(input);
	const size_t len = cursor_u8(input);
	const uint8_t *text = cursor_take(input, len);
	if (text != NULL)
		memcpy(name, text, len);
	if (fcopy_vsp_start(&world->host, &request, world->now) == 0)
		world->started++;
}

static void record(struct world *world, struct cursor *input)
{
	static uint8_t bytes[FCOPY_DEVICE_RECORD_MAX];
	struct fcopy_device_text text;
	struct fcopy_request request;
	uint32_t version;
	memset(bytes, 0, sizeof bytes);
	bytes[0] = cursor_u8(input);
	if (bytes[0] == FCOPY_START) {
		bytes[36] = 'n';
		bytes[556] = '/';
	}
	const size_t len = cursor_u16(input) % (sizeof bytes + 1);
	change(input, bytes, len);
	uint8_t *copied = exact(bytes, len);
	if (fcopy_device_decode(copied, len, &text, &request, &version) == FCOPY_DEVICE_REQUEST)
		(void)fcopy_ic_request(&world->guest, &request);
	free(copied);
}

static void own(struct world *world, uint8_t what)
{
	static const int results[] = {0, -EAGAIN, -ENODATA, -EIO};
	if ((what & 0x80) != 0)
		fcopy_vsp_cancel(&world->host, world->now);
	world->read_result = results[what % 4];
	fcopy_vsp_source_ready(&world->host, world->now);
}

static void act(struct world *world, struct cursor *input)
{
	static uint8_t buffer[IC_PAYLOAD_MAX_BYTES];
	static const uint32_t statuses[] = {0, IC_GUEST_LATER, IC_STATUS_FAIL, IC_STATUS_DISK_FULL};
	const uint8_t action = cursor_u8(input) % 10;
	uint8_t byte;
	size_t len;
	switch (action) {
	case 0:
	case 4:
		raw(world, input, action == 0);
		return;
	case 1:
		len = to_guest(world, world->sent, world->sent_len, buffer);
		change(input, buffer, len);
		if (len > 0)
			to_host(world, buffer, len);
		return;
	case 2:
		world->now += cursor_u8(input) * 100000000ull;
		(void)ic_session_on_time(&world->host.session, world->now);
		return;
	case 3:
		reopen(world);
		return;
	case 5:
		len = world->sent_len;
		memcpy(buffer, world->sent, len);
		change(input, buffer, len);
		to_guest(world, buffer, len, buffer);
		return;
	case 6:
		copy(world, input);
		return;
	case 7:
		own(world, cursor_u8(input));
		return;
	case 8:
		byte = cursor_u8(input);
		finish_owed(world, statuses[byte % 4] == IC_GUEST_LATER ? 0 : statuses[byte % 4]);
		world->disk = statuses[byte / 4 % 4];
		return;
	default:
		record(world, input);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct cursor input = cursor_over(data, size);
	memset(&world, 0, sizeof world);
	fcopy_vsp_init(&world.host, &host_ops, &world);
	fcopy_ic_init(&world.guest, &guest_ops, &world);
	ic_guest_attach(&world.guest.ic, on_late, &world);
	ic_session_on_open(&world.host.session, world.now);
	for (unsigned i = 0; i < ACTIONS_MAX && cursor_left(&input) > 0; i++) {
		act(&world, &input);
		CHECK(world.done <= world.started && world.started <= world.done + 1);
		CHECK(world.guest.progress.is_open == world.is_open || world.owes);
	}
	ic_session_on_close(&world.host.session, world.now);
	CHECK(world.started == world.done);
	return 0;
}
