// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: key-value pairs, both machines and the codec under them. The input is a list of
 * actions:
 *
 *	0 len bytes	raw packet to the host
 *	1 n (at xor)*n	the real guest's answer to the host's last packet, with n bytes changed
 *	2 tenths	time goes on by so many tenths of a second
 *	3		the channel closes and opens
 *	4 len bytes	raw packet to the guest
 *	5 n (at xor)*n	the host's last packet to the guest, with n bytes changed
 *	6 kind pool n	the owner starts job n, whose texts are the next bytes
 *	7 n		the owner cancels job n
 *	8 len bytes	a text, an address, a value and both forms of addresses out of these bytes
 *
 * `at` is of two bytes. Broken invariants abort: a job that does not end once, a second message
 * while one is out, a text that is no Unicode, values that do not come back.
 */
#include "host/vsp/kvp_vsp.h"
#include "protocol/cursor.h"
#include "tests/unit/kvp_guest.h"

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
#define JOBS	     (LIMIT_KVP_JOBS + 2)
#define PACKET_BYTES 8192u

struct world {
	struct kvp_vsp vsp;
	struct kvp_guest guest;
	struct kvp_job jobs[JOBS];
	bool is_under_way[JOBS];
	uint64_t now;
	uint8_t sent[PACKET_BYTES];
	size_t sent_len;
	bool is_failed;
};

static int on_send(void *ctx, const void *bytes, size_t len)
{
	struct world *world = ctx;
	struct ic_message message;
	CHECK(len <= sizeof world->sent && !world->is_failed);
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

static const struct kvp_vsp_ops ops = {.session = {.send = on_send, .failed = on_failed}};

static void item_check(const struct kvp_item *item)
{
	CHECK(utf16_is_utf8(item->key, sizeof item->key));
	CHECK(utf16_is_utf8(item->value, sizeof item->value));
}

static void ip_check(const struct kvp_ip *ip)
{
	CHECK(utf16_is_utf8(ip->adapter, sizeof ip->adapter));
	CHECK(ip->address_count <= 2 * KVP_ADDRESSES_MAX && ip->dns_count <= 2 * KVP_ADDRESSES_MAX);
	CHECK(ip->gateway_count <= 2 * KVP_GATEWAYS_MAX);
	for (uint16_t i = 0; i < ip->address_count; i++) {
		const struct kvp_address *address = &ip->addresses[i];
		CHECK(address->family == KVP_FAMILY_IPV4 || address->family == KVP_FAMILY_IPV6);
		CHECK(address->prefix == KVP_PREFIX_UNKNOWN ||
			address->prefix <= (address->family == KVP_FAMILY_IPV4 ? 32 : 128));
		CHECK(address->origin <= KVP_ORIGIN_STATIC);
	}
}

static void on_item(
	struct kvp_job *job, uint32_t index, const struct kvp_item *item, enum kvp_reason reason)
{
	CHECK(index < LIMIT_KVP_ITEMS && job->count <= job->count_max);
	CHECK((unsigned)reason < KVP_REASON_COUNT);
	item_check(item);
}

static void on_done(struct kvp_job *job, enum kvp_result result)
{
	struct world *world = job->ctx;
	bool *is_under_way = &world->is_under_way[job - world->jobs];
	CHECK(*is_under_way && kvp_result_name(result) != NULL);
	*is_under_way = false;
	if (result == KVP_DONE && job->kind <= KVP_JOB_FIND)
		item_check(&job->item);
	if (result == KVP_DONE && job->kind == KVP_JOB_GET_IP)
		ip_check(&job->ip);
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
	ic_session_on_packet(&world->vsp.session, copy, len, world->now);
	CHECK(world->is_failed == (world->vsp.session.ic.state == IC_HOST_FAILED));
	free(copy);
}

static size_t to_guest(struct world *world, const uint8_t *bytes, size_t len, uint8_t *reply)
{
	uint8_t *copy = exact(bytes, len);
	size_t reply_len = 0;
	(void)ic_guest_on_packet(&world->guest.ic.ic, copy, len, reply, PACKET_BYTES, &reply_len);
	CHECK(reply_len <= len);
	for (unsigned pool = 0; pool < KVP_POOL_INTERNAL; pool++)
		for (unsigned i = 0; i < world->guest.counts[pool]; i++)
			item_check(&world->guest.pairs[pool][i]);
	ip_check(&world->guest.ip);
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

/* Up to 255 bytes of the input as a string; no promise that it is UTF-8. */
static void text_take(struct cursor *input, char *to, size_t size)
{
	size_t len = cursor_u8(input);
	const uint8_t *from = cursor_take(input, len);
	memset(to, 0, size);
	if (from != NULL)
		memcpy(to, from, len < size ? len : size - 1);
}

static void start(struct world *world, struct cursor *input)
{
	uint8_t kind = cursor_u8(input) % (KVP_JOB_SET_IP + 1);
	uint8_t pool = cursor_u8(input) % 5;
	uint8_t n = cursor_u8(input) % JOBS;
	struct kvp_job *job = &world->jobs[n];
	if (world->is_under_way[n])
		return;
	*job = (struct kvp_job){.kind = (enum kvp_job_kind)kind,
		.pool = pool,
		.count_max = 1u + pool,
		.patience_ns = n * 1000000000ull,
		.item_came = on_item,
		.done = on_done,
		.ctx = world};
	job->item.type = n % 4 == 3 ? KVP_TYPE_U64 : KVP_TYPE_STRING;
	text_take(input, job->item.key, sizeof job->item.key);
	text_take(input, job->item.value, sizeof job->item.value);
	snprintf(job->ip.adapter, sizeof job->ip.adapter, "%s",
		n % 2 == 0 ? world->guest.mac : world->guest.guid);
	if (kvp_address_parse(job->item.key, strlen(job->item.key), &job->ip.addresses[0])) {
		job->ip.addresses[0].prefix = 24;
		job->ip.address_count = 1;
	}
	world->is_under_way[n] = true;
	int result = kvp_vsp_start(&world->vsp, job, world->now);
	if (result != 0)
		world->is_under_way[n] = false;
	CHECK(result != -EINVAL || job->reason != KVP_OK);
}

static void cancel(struct world *world, uint8_t n)
{
	n %= JOBS;
	if (world->is_under_way[n])
		kvp_vsp_cancel(&world->vsp, &world->jobs[n]);
	world->is_under_way[n] = false;
}

static void raw(struct world *world, struct cursor *input, bool is_to_host)
{
	static uint8_t reply[PACKET_BYTES];
	size_t len = cursor_u8(input);
	const uint8_t *bytes = cursor_take(input, len);
	if (bytes == NULL)
		return;
	if (is_to_host)
		to_host(world, bytes, len);
	else
		(void)to_guest(world, bytes, len, reply);
}

static void reopen(struct world *world)
{
	ic_session_on_close(&world->vsp.session, world->now);
	for (unsigned i = 0; i < JOBS; i++)
		CHECK(!world->is_under_way[i]);
	world->is_failed = false;
	ic_guest_reset(&world->guest.ic.ic);
	ic_session_on_open(&world->vsp.session, world->now);
}

static void text_codec(const uint8_t *bytes, size_t len)
{
	char utf8[UTF16_UTF8_BYTES(128)];
	uint8_t utf16[258];
	size_t size;
	struct kvp_address address;
	char text[KVP_ADDRESS_TEXT_BYTES];
	for (unsigned policy = UTF16_REFUSE; policy <= UTF16_REPLACE; policy++) {
		if (utf16_to_utf8(bytes, len, policy, utf8, sizeof utf8, &size) == UTF16_OK)
			CHECK(utf16_is_utf8(utf8, size + 1));
		if (utf16_from_utf8((const char *)bytes, len, policy, utf16, sizeof utf16, &size) ==
			UTF16_OK)
			CHECK(utf16_to_utf8(utf16, size, UTF16_REFUSE, utf8, sizeof utf8, NULL) ==
				UTF16_OK);
	}
	if (kvp_address_parse((const char *)bytes, len, &address)) {
		size = kvp_address_format(&address, text);
		struct kvp_address again;
		CHECK(kvp_address_parse(text, size, &again));
		CHECK(memcmp(&again, &address, sizeof address) == 0);
	}
}

/* Structures that are filled with these bytes again and again; counts are kept small. */
static void structure_codec(const uint8_t *bytes, size_t len)
{
	static union {
		struct kvp_value_wire value;
		struct kvp_ip_text_wire text;
		struct kvp_ip_binary_wire binary;
		uint8_t bytes[KVP_IP_BODY_BYTES];
	} wire;
	static struct kvp_item item;
	static struct kvp_ip ip;
	static struct kvp_ip again;
	for (size_t i = 0; i < sizeof wire.bytes; i++)
		wire.bytes[i] = bytes[i % len];
	(void)kvp_value_decode(&wire.value, UTF16_REPLACE, &item);
	item_check(&item);
	wire.value.type = KVP_TYPE_STRING;
	wire.value.key_bytes = KVP_KEY_BYTES;
	wire.value.value_bytes = KVP_VALUE_BYTES;
	if (kvp_value_decode(&wire.value, UTF16_REFUSE, &item) == KVP_OK)
		CHECK(kvp_value_encode(&item, &wire.value) == KVP_OK);
	for (size_t i = 0; i < sizeof wire.bytes; i++)
		wire.bytes[i] = i % 2 == 0 ? bytes[i / 2 % len] : 0;
	wire.bytes[256] = wire.bytes[2306] = wire.bytes[4354] = wire.bytes[5378] = 0;
	wire.bytes[7426] = 0;
	wire.text.family %= 4;
	if (kvp_ip_text_decode(&wire.text, &ip) == KVP_OK) {
		ip_check(&ip);
		if (kvp_ip_text_encode(&ip, &wire.text) == KVP_OK)
			CHECK(kvp_ip_text_decode(&wire.text, &again) == KVP_OK &&
				again.address_count == ip.address_count);
	}
	for (size_t i = 0; i < sizeof wire.binary; i++)
		wire.bytes[i] = bytes[i % len];
	wire.binary.address_v4 %= KVP_ADDRESSES_MAX + 2;
	wire.binary.address_v6 %= KVP_ADDRESSES_MAX + 2;
	wire.binary.gateway_v4 %= KVP_GATEWAYS_MAX + 2;
	wire.binary.gateway_v6 %= KVP_GATEWAYS_MAX + 2;
	wire.binary.dns_v4 %= KVP_ADDRESSES_MAX + 2;
	wire.binary.dns_v6 %= KVP_ADDRESSES_MAX + 2;
	wire.binary.family %= 4;
	wire.binary.adapter[0] = wire.binary.adapter[1] = 0;
	if (kvp_ip_binary_decode(&wire.binary, &ip) != KVP_OK)
		return;
	ip_check(&ip);
	CHECK(kvp_ip_binary_encode(&ip, &wire.binary) == KVP_OK);
	CHECK(kvp_ip_binary_decode(&wire.binary, &again) == KVP_OK);
	CHECK(memcmp(&ip, &again, sizeof ip) == 0);
}

static void codec(struct cursor *input)
{
	size_t len = cursor_u8(input);
	const uint8_t *bytes = cursor_take(input, len);
	if (bytes == NULL || len == 0)
		return;
	uint8_t *copy = exact(bytes, len);
	text_codec(copy, len);
	structure_codec(copy, len);
	free(copy);
}

static void act(struct world *world, struct cursor *input)
{
	static uint8_t buffer[PACKET_BYTES];
	uint8_t action = cursor_u8(input) % 9;
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
		world->now += cursor_u8(input) * 100000000ull;
		(void)ic_session_on_time(&world->vsp.session, world->now);
		return;
	case 3:
		reopen(world);
		return;
	case 5:
		memcpy(buffer, world->sent, world->sent_len);
		change(input, buffer, world->sent_len);
		(void)to_guest(world, buffer, world->sent_len, buffer);
		return;
	case 6:
		start(world, input);
		return;
	case 7:
		cancel(world, cursor_u8(input));
		return;
	default:
		codec(input);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct cursor input = cursor_over(data, size);
	memset(&world, 0, sizeof world);
	kvp_vsp_init(&world.vsp, &ops, &world);
	kvp_guest_init(&world.guest);
	ic_session_on_open(&world.vsp.session, world.now);
	for (unsigned i = 0; i < ACTIONS_MAX && cursor_left(&input) > 0; i++) {
		act(&world, &input);
		unsigned under_way = 0;
		for (unsigned n = 0; n < JOBS; n++)
			under_way += world.is_under_way[n];
		CHECK(under_way == world.vsp.jobs && under_way <= LIMIT_KVP_JOBS);
		CHECK(world.vsp.session.unanswered <= IC_SESSION_UNANSWERED_MAX);
	}
	ic_session_on_close(&world.vsp.session, world.now);
	CHECK(world.vsp.jobs == 0);
	return 0;
}
