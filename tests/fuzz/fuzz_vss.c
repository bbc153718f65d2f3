// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: backup coordination. The first byte of the input says what the rest is:
 *
 *	0	actions on host and guest:
 *		0 len bytes	raw packet to the host
 *		1 n (at xor)*n	the real guest's answer to the host's last packet, n bytes changed
 *		2 seconds	time goes on
 *		3		the channel closes and opens
 *		4 len bytes	raw packet to the guest, by which 1 answers too
 *		5 n (at xor)*n	the host's last packet to the guest, with n bytes changed
 *		6 what		the owner asks: freeze, thaw
 *		7 what		the guest: answers now or later, does what is pending
 *	1	a mount table, a byte of 0, a configuration: what is frozen in which order
 *	2	a record of the kernel's
 *
 * Broken invariants abort: a backup that does not end once, a freeze that no thaw follows before
 *the next one, a message beyond the rules, a file system that is to be frozen twice or does not
 *exist.
 */
#include "guest/ic_daemons/vss_device_linux.h"
#include "guest/ic_daemons/vss_ic.h"
#include "guest/ic_daemons/vss_policy_linux.h"
#include "host/vsp/vss_vsp.h"
#include "protocol/cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define ACTIONS_MAX  2048
#define PACKET_BYTES 6400u

struct world {
	struct vss_vsp host;
	struct vss_ic guest;
	uint64_t now;
	uint8_t sent[PACKET_BYTES];
	size_t sent_len;
	bool is_failed;
	bool owes; /* a freeze was sent, and no thaw since */
	uint64_t asked, ended;
	bool is_later;
	uint32_t status;
	uint8_t late[PACKET_BYTES];
	size_t late_len;
};

/* ---- host and guest ---------------------------------------------------------------------------
 */

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct world *world = ctx;
	struct ic_message message;
	CHECK(len <= sizeof world->sent);
	CHECK(!world->is_failed);
	CHECK(ic_message_decode(bytes, len, &message) == IC_OK);
	memcpy(world->sent, bytes, len);
	world->sent_len = len;
	if (message.header.type != IC_TYPE_VSS)
		return 0;
	CHECK(message.body_bytes >= VSS_FLAGS_BYTES);
	CHECK(vss_has_operation(message.header.message, message.body[0]));
	if (message.body[0] == VSS_FREEZE) {
		CHECK(!world->owes);
		world->owes = true;
	} else if (message.body[0] == VSS_THAW) {
		world->owes = false;
	} else if (message.body[0] == VSS_BACKUP_COMPLETE) {
		CHECK(!world->owes);
	}
	return 0;
}

static void on_failed(void *ctx, const char *reason)
{
	struct world *world = ctx;
	CHECK(!world->is_failed && reason != NULL);
	world->is_failed = true;
}

static void on_frozen(void *ctx)
{
	const struct world *world = ctx;
	CHECK(world->owes && world->host.state == VSS_FROZEN);
}

static void on_ended(void *ctx, const struct vss_report *report)
{
	struct world *world = ctx;
	world->ended++;
	CHECK(vss_result_name(report->result) != NULL);
	CHECK(!report->is_consistent || (report->was_frozen && report->thaw == VSS_OK));
	/* What was frozen is thawed, or will be. */
	CHECK(!world->owes || world->host.is_owed);
}

static const struct vss_vsp_ops host_ops = {
	.session = {.send = on_send, .failed = on_failed},
	.frozen = on_frozen,
	.ended = on_ended,
};

static uint32_t on_begin(void *ctx, uint8_t operation)
{
	const struct world *world = ctx;
	CHECK(operation == VSS_HOT_BACKUP || operation == VSS_FREEZE || operation == VSS_THAW);
	return world->is_later ? IC_GUEST_LATER : world->status;
}

static const struct vss_ic_ops guest_ops = {.begin = on_begin};

static void on_late(void *transport, const void *reply, size_t len)
{
	struct world *world = transport;
	CHECK(len <= sizeof world->late);
	memcpy(world->late, reply, len);
	world->late_len = len;
}

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
	(void)ic_guest_on_packet(&world->guest.ic, copy, len, reply, PACKET_BYTES, &reply_len);
	CHECK(reply_len <= len);
	free(copy);
	return reply_len;
}

static void change(struct cursor *input, uint8_t *bytes, size_t len)
{
	const unsigned count = cursor_u8(input) % 8;
	for (unsigned i = 0; i < count; i++) {
		const size_t at = cursor_u16(input);
		const uint8_t mask = cursor_u8(input);
		if (len > 0)
			bytes[at % len] ^= mask;
	}
}

static void owner_asks(struct world *world, uint8_t what)
{
	const struct vss_vsp_request request = {.limit_ns = (what >> 1) * 1000000000ull};
	const bool is_idle = world->host.state == VSS_IDLE;
	int result;
	if ((what & 1) == 0) {
		result = vss_vsp_freeze(&world->host, &request, world->now);
		world->asked += result == 0;
	} else {
		/* Before the call: the end may come within it. */
		world->asked += is_idle;
		const uint64_t ended = world->ended;
		result = vss_vsp_thaw(&world->host, world->now);
		if (is_idle && result != 0 && world->ended == ended)
			world->asked--;
	}
}

static void guest_does(struct world *world, uint8_t what)
{
	world->is_later = (what & 1) != 0;
	world->status = (what & 2) != 0 ? IC_STATUS_FAIL : IC_STATUS_SUCCESS;
	if ((what & 4) == 0)
		return;
	world->late_len = 0;
	vss_ic_finish(&world->guest, (what & 8) != 0);
	if (world->late_len > 0)
		to_host(world, world->late, world->late_len);
}

static void reopen(struct world *world)
{
	ic_session_on_close(&world->host.session, world->now);
	CHECK(world->host.state == VSS_IDLE);
	world->is_failed = false;
	ic_guest_reset(&world->guest.ic);
	ic_session_on_open(&world->host.session, world->now);
}

static void raw(struct world *world, struct cursor *input, bool is_to_host)
{
	uint8_t reply[PACKET_BYTES];
	const size_t len = cursor_u8(input);
	const uint8_t *bytes = cursor_take(input, len);
	if (bytes == NULL)
		return;
	if (is_to_host)
		to_host(world, bytes, len);
	else
		to_guest(world, bytes, len, reply);
}

static void act(struct world *world, struct cursor *input)
{
	uint8_t buffer[PACKET_BYTES];
	const uint8_t action = cursor_u8(input) % 8;
	size_t len;
	switch (action) {
	case 0:
	case 4:
		raw(world, input, action == 0);
		return;
	case 1:
		len = to_guest(world, world->sent, world->sent_len, buffer);
		change(input, buffer, len);
		to_host(world, buffer, len);
		return;
	case 2:
		world->now += cursor_u8(input) * 1000000000ull;
		(void)ic_session_on_time(&world->host.session, world->now);
		return;
	case 3:
		reopen(world);
		return;
	case 5:
		memcpy(buffer, world->sent, world->sent_len);
		change(input, buffer, world->sent_len);
		to_guest(world, buffer, world->sent_len, buffer);
		return;
	case 6:
		owner_asks(world, cursor_u8(input));
		return;
	default:
		guest_does(world, cursor_u8(input));
		return;
	}
}

/* Who comes back with a version that has no thaw cannot be told to (R-VSS-006). */
static void debt_forget(struct world *world)
{
	const struct ic_host *ic = &world->host.session.ic;
	if (ic->state == IC_HOST_READY && world->host.state == VSS_IDLE &&
		!vss_has_operation(ic->agreement.message, VSS_THAW))
		world->owes = false;
}

static void run_pair(struct cursor *input)
{
	static struct world world;
	memset(&world, 0, sizeof world);
	vss_vsp_init(&world.host, &host_ops, &world);
	vss_ic_init(&world.guest, &guest_ops, &world);
	ic_guest_attach(&world.guest.ic, on_late, &world);
	ic_session_on_open(&world.host.session, world.now);
	for (unsigned i = 0; i < ACTIONS_MAX && cursor_left(input) > 0; i++) {
		act(&world, input);
		debt_forget(&world);
		CHECK(world.ended <= world.asked && world.asked <= world.ended + 1);
		CHECK(world.host.session.unanswered <= IC_SESSION_UNANSWERED_MAX);
		CHECK(!world.owes || world.host.state != VSS_IDLE || world.host.is_owed);
	}
	ic_session_on_close(&world.host.session, world.now);
	CHECK(world.ended == world.asked);
}

/* ---- tables -------------------------------------------------------------------------------------
 */

/* Some devices are stored in files named like mounts. */
static bool on_backing_file(
	void *ctx, unsigned major, unsigned minor, unsigned n, char *path, size_t size)
{
	const struct vss_mounts *mounts = ctx;
	if (major != 7 || n > 1 || mounts->count == 0)
		return false;
	snprintf(path, size, "%s/x", mounts->at[(minor + n) % mounts->count].point);
	return true;
}

static bool on_device(void *ctx, const char *path, unsigned *major, unsigned *minor)
{
	(void)ctx;
	*major = 7;
	*minor = (unsigned char)path[0];
	return path[0] == '/';
}

static void plan_check(const struct vss_mounts *mounts, const struct vss_plan *plan)
{
	size_t frozen = 0;
	for (size_t i = 0; i < mounts->count; i++) {
		const struct vss_decision *decision = &plan->decisions[i];
		CHECK(decision->reason < VSS_REASON_COUNT);
		CHECK(decision->other == VSS_MOUNT_NONE || decision->other < mounts->count);
		CHECK(vss_reason_text(decision->reason)[0] != '\0');
		frozen += vss_reason_is_frozen(decision->reason);
	}
	CHECK(plan->order_count == frozen);
	for (size_t i = 0; i < plan->order_count; i++) {
		const struct vss_mount *mount = &mounts->at[plan->order[i].mount];
		CHECK(vss_reason_is_frozen(plan->decisions[plan->order[i].mount].reason));
		for (size_t k = 0; k < i; k++) {
			const struct vss_mount *before = &mounts->at[plan->order[k].mount];
			CHECK(before->major != mount->major || before->minor != mount->minor);
		}
	}
}

static void run_tables(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
	const size_t mounts_len = end != NULL ? (size_t)(end - data) : size;
	const size_t config_len = end != NULL ? size - mounts_len - 1 : 0;
	struct vss_mounts mounts;
	struct vss_config config;
	struct vss_plan plan;
	char error[128] = "";
	char *text = malloc(mounts_len + 1);
	char *config_text = malloc(config_len + 1);
	CHECK(text != NULL && config_text != NULL);
	if (mounts_len > 0)
		memcpy(text, data, mounts_len);
	if (config_len > 0)
		memcpy(config_text, end + 1, config_len);
	vss_config_init(&config);
	CHECK(vss_config_parse(&config, config_text, config_len, error, sizeof error) == 0 ||
		error[0] != '\0');
	if (vss_mounts_parse(text, mounts_len, &mounts) == 0) {
		const struct vss_stack_ops stack = {
			.backing_file = on_backing_file, .device = on_device, .ctx = &mounts};
		CHECK(vss_plan_make(&mounts, &config, NULL, &stack, &plan) == 0);
		plan_check(&mounts, &plan);
		vss_plan_free(&plan);
		vss_mounts_free(&mounts);
	}
	vss_config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor input = cursor_over(data, size);
	uint8_t operation = 0;
	switch (cursor_u8(&input) % 3) {
	case 0:
		run_pair(&input);
		return 0;
	case 1:
		if (size > 0)
			run_tables(data + 1, size - 1);
		return 0;
	default:
		if (size > 0) {
			uint8_t *copy = exact(data + 1, size - 1);
			(void)vss_device_read(copy, size - 1, &operation);
			free(copy);
		}
		return 0;
	}
}
