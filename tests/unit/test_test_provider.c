// SPDX-License-Identifier: Apache-2.0
/*
 * The test devices between real rings, on a bus that is four channels: what they give back, what
 * they refuse, what they do when their ring is full.
 */
#include "host/vsp/test_provider.h"
#include "protocol/packet.h"
#include "protocol/testdevice.h"
#include "tests/harness.h"
#include "tests/unit/ring_pair.h"

#include <errno.h>

#define CHANNELS     4u
#define MEMORY_PAGES 8u
#define WANTED	     PACKET_FLAG_COMPLETION_REQUESTED

/* ---- a bus of four channels --------------------------------------------------------------- */

struct bus_channel {
	struct bus_offer offer;
	bool is_offered, is_open;
	struct ring_pair rings;
	const char *failure;
};

struct vmbus_bus {
	struct guest_memory memory;
	struct bus_channel channels[CHANNELS];
	unsigned count;
	unsigned refuse_at; /* so many offers are taken; 0: all */
};

static struct vmbus_bus *bus;
static struct test_provider *provider;

int bus_offer_add(struct vmbus_bus *to, const struct bus_offer *offer, struct bus_channel **out)
{
	if (to->refuse_at != 0 && to->count == to->refuse_at)
		return -ENOSPC;
	struct bus_channel *channel = &to->channels[to->count++];
	*channel = (struct bus_channel){.offer = *offer, .is_offered = true};
	*out = channel;
	return 0;
}

void bus_offer_remove(struct bus_channel *channel)
{
	CU_ASSERT(channel->is_offered);
	channel->is_offered = false;
	if (channel->is_open)
		channel->offer.ops->close(channel->offer.ctx, channel);
}

void bus_channel_open_done(struct bus_channel *channel, int status)
{
	channel->is_open = status == 0;
}

void bus_channel_close_done(struct bus_channel *channel)
{
	CU_ASSERT(channel->is_open);
	channel->is_open = false;
}

struct ring_reader *bus_channel_reader(struct bus_channel *channel)
{
	return &channel->rings.near_in;
}

struct ring_writer *bus_channel_writer(struct bus_channel *channel)
{
	return &channel->rings.near_out;
}

void bus_channel_flush(struct bus_channel *channel)
{
	(void)ring_read_flush(&channel->rings.near_in);
	(void)ring_flush(&channel->rings.near_out);
}

void bus_channel_flush_writes(struct bus_channel *channel)
{
	(void)ring_flush(&channel->rings.near_out);
}

void bus_channel_fail(struct bus_channel *channel, const char *reason)
{
	channel->failure = reason;
}

const struct guest_memory *bus_channel_memory(const struct bus_channel *channel)
{
	(void)channel;
	return &bus->memory;
}

/* ---- the guest ----------------------------------------------------------------------------- */

static struct bus_channel *echo, *sink, *source, *hostile;

static void channel_open(struct bus_channel *channel)
{
	static const uint8_t user_data[VMBUS_USER_DATA_BYTES];
	ring_pair_close(&channel->rings);
	ring_pair_open(&channel->rings);
	channel->failure = NULL;
	channel->offer.ops->open(channel->offer.ctx, channel, user_data);
	CU_ASSERT_FATAL(channel->is_open);
}

static void start(void)
{
	bus = calloc(1, sizeof *bus);
	/* Two regions that follow one another, so that pages may cross. */
	bus->memory = (struct guest_memory){.fd = -1, .region_count = 2};
	for (unsigned i = 0; i < 2; i++)
		bus->memory.regions[i] = (struct guest_memory_region){
			.gpa = i * MEMORY_PAGES / 2 * 4096,
			.bytes = MEMORY_PAGES / 2 * 4096,
			.host = calloc(MEMORY_PAGES / 2, 4096)};
	for (unsigned gpn = 0; gpn < MEMORY_PAGES; gpn++)
		for (unsigned at = 0; at < 4096; at++)
			*(uint8_t *)guest_memory_at(&bus->memory, gpn * 4096 + at, 1) =
				(uint8_t)(gpn * 37 + at);
	CU_ASSERT_EQUAL_FATAL(test_provider_create(bus, &provider), 0);
	echo = &bus->channels[0];
	sink = &bus->channels[1];
	source = &bus->channels[2];
	hostile = &bus->channels[3];
	for (unsigned i = 0; i < CHANNELS; i++)
		channel_open(&bus->channels[i]);
}

static void stop(void)
{
	test_provider_remove(provider);
	test_provider_remove(provider);
	test_provider_destroy(provider);
	for (unsigned i = 0; i < CHANNELS; i++) {
		CU_ASSERT_FALSE(bus->channels[i].is_offered || bus->channels[i].is_open);
		ring_pair_close(&bus->channels[i].rings);
	}
	free(bus->memory.regions[0].host);
	free(bus->memory.regions[1].host);
	free(bus);
}

static bool ready(struct bus_channel *channel)
{
	return channel->offer.ops->ready(channel->offer.ctx, channel);
}

static void turn(struct bus_channel *channel)
{
	for (unsigned i = 0; ready(channel); i++)
		CU_ASSERT_FATAL(i < 10000);
}

static enum ring_status put(struct bus_channel *channel, uint16_t type, uint16_t flags, uint64_t id,
	const void *extended, uint32_t extended_bytes, const void *payload, uint32_t bytes)
{
	const struct packet_header header = {.type = type,
		.flags = flags,
		.extended_bytes = extended_bytes,
		.payload_bytes = bytes,
		.transaction_id = id};
	const enum ring_status status = ring_send(
		&channel->rings.far_out, &header, extended, payload);
	(void)ring_flush(&channel->rings.far_out);
	return status;
}

static uint64_t buffer[RING_PAIR_DATA_BYTES / 8];

/* The next packet must have this type, id and these bytes. */
static void expect(
	struct bus_channel *channel, uint16_t type, uint64_t id, const void *bytes, uint32_t count)
{
	struct packet_view view;
	CU_ASSERT_FATAL(far_receive(&channel->rings, buffer, sizeof buffer, &view));
	CU_ASSERT_EQUAL(view.type, type);
	CU_ASSERT_EQUAL(view.flags, 0);
	CU_ASSERT_EQUAL(view.transaction_id, id);
	CU_ASSERT_EQUAL_FATAL(view.payload_bytes, count);
	CU_ASSERT_EQUAL(memcmp(view.payload, bytes, count), 0);
}

static void expect_nothing(struct bus_channel *channel)
{
	struct packet_view view;
	CU_ASSERT_FALSE(far_receive(&channel->rings, buffer, sizeof buffer, &view));
}

/* ---- tests --------------------------------------------------------------------------------- */

/* R-TDEV-001: the ids are those of the document, byte by byte. */
static void devices_are_offered_by_their_ids(void)
{
	static const uint8_t interface_id[16] = {0x2c, 0x7c, 0x7a, 0xbd, 0xb4, 0xd9, 0xe8, 0x4f,
		0xa6, 0xe3, 0xb4, 0xad, 0xfa, 0x91, 0x37, 0x6a};
	static const uint8_t instance_id[16] = {0x55, 0x8b, 0x0a, 0xbe, 0xf3, 0xfb, 0x47, 0x41,
		0x9f, 0x71, 0x99, 0x4e, 0xe6, 0x10, 0x59, 0x47};
	start();
	CU_ASSERT_EQUAL(memcmp(&echo->offer.interface_id, interface_id, 16), 0);
	CU_ASSERT_EQUAL(memcmp(&source->offer.instance_id, instance_id, 16), 0);
	CU_ASSERT(echo->offer.wants_monitor && sink->offer.wants_monitor);
	CU_ASSERT_FALSE(source->offer.wants_monitor || hostile->offer.wants_monitor);
	stop();
}

static void a_failed_offer_takes_the_others_back(void)
{
	start();
	struct test_provider *second = NULL;
	struct vmbus_bus other = {.refuse_at = 2};
	CU_ASSERT_EQUAL(test_provider_create(&other, &second), -ENOSPC);
	CU_ASSERT_PTR_NULL(second);
	CU_ASSERT_FALSE(other.channels[0].is_offered || other.channels[1].is_offered);
	stop();
}

/* R-TDEV-004. */
static void echo_gives_payloads_back(void)
{
	uint8_t bytes[4000];
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	start();
	for (uint32_t count = 0; count <= sizeof bytes; count += 8) {
		const uint16_t flags = count % 16 ? WANTED : 0;
		CU_ASSERT_EQUAL_FATAL(
			put(echo, 6, flags, ~(uint64_t)count, NULL, 0, bytes, count), RING_OK);
		turn(echo);
		expect(echo, flags ? 11 : 6, ~(uint64_t)count, bytes, count);
	}
	stop();
}

/* R-TDEV-004, R-PKT-007: two ranges, an offset in the first page, pages in any order. */
static void echo_gives_pages_back(void)
{
	static const uint64_t gpns[] = {5, 3, 4};
	const struct packet_gpa_range ranges[] = {
		{.byte_count = 7000, .byte_offset = 1000, .gpns = gpns},
		{.byte_count = 3, .byte_offset = 4095, .first_gpn = 3}};
	uint64_t extended[16];
	uint8_t bytes[7003];
	const uint32_t size = packet_gpa_direct_bytes(ranges, 2);
	CU_ASSERT_EQUAL(packet_gpa_direct_put((uint8_t *)extended, size, ranges, 2), 0);
	for (unsigned i = 0; i < 7000; i++)
		bytes[i] = (uint8_t)(gpns[(1000 + i) / 4096] * 37 + (1000 + i) % 4096);
	bytes[7000] = (uint8_t)(3 * 37 + 4095);
	bytes[7001] = (uint8_t)(4 * 37);
	bytes[7002] = (uint8_t)(4 * 37 + 1);
	start();
	CU_ASSERT_EQUAL(put(echo, 9, WANTED, 9, extended, size, "not this", 8), RING_OK);
	turn(echo);
	struct packet_view view;
	CU_ASSERT_FATAL(far_receive(&echo->rings, buffer, sizeof buffer, &view));
	CU_ASSERT_EQUAL(view.type, 11);
	CU_ASSERT_EQUAL_FATAL(view.payload_bytes, 7008);
	CU_ASSERT_EQUAL(memcmp(view.payload, bytes, sizeof bytes), 0);
	for (unsigned i = sizeof bytes; i < 7008; i++)
		CU_ASSERT_EQUAL(view.payload[i], 0); /* R-PKT-011 */
	stop();
}

/* R-TDEV-004: pieces of the payload, in the order of the ranges. */
static void echo_gives_pieces_back(void)
{
	static const uint8_t extended[] = {0x57, 0x7e, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0,
		0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0};
	start();
	CU_ASSERT_EQUAL(put(echo, 7, WANTED, 1, extended, sizeof extended, "abcdefgh", 8), RING_OK);
	turn(echo);
	expect(echo, 11, 1, "efghabcd", 8);
	stop();
}

struct bad_list {
	const char *what;
	uint16_t type;
	uint32_t words[8];
	uint32_t bytes;
};

/* R-TDEV-005, R-PKT-006, R-PKT-015: refused, and the next packet is echoed. */
static void echo_refuses_bad_lists(void)
{
	static const struct bad_list lists[] = {
		{"no range", 9, {0, 0, 8, 0, 1, 0}, 24},
		{"no bytes", 9, {0, 1, 0, 0, 1, 0}, 24},
		{"an offset past the page", 9, {0, 1, 8, 4096, 1, 0}, 24},
		{"a page that is missing", 9, {0, 1, 8, 4092, 1, 0}, 24},
		{"a second range that is missing", 9, {0, 2, 8, 0, 1, 0}, 24},
		{"a page outside of memory", 9, {0, 1, 8, 0, MEMORY_PAGES, 0}, 24},
		{"a page past all memory", 9, {0, 1, 8, 0, 1, 0x80000000}, 24},
		{"too many bytes", 9, {0, 1, 0xffffffff, 0, 1, 0}, 24},
		{"one range less than said", 7, {0x7e57, 2, 8, 0}, 16},
		{"one range more than said", 7, {0x7e57, 1, 4, 0, 4, 4}, 24},
		{"another set", 7, {0x7e56, 1, 8, 0}, 16},
		{"a piece past the payload", 7, {0x7e57, 1, 9, 0}, 16},
		{"an offset past the payload", 7, {0x7e57, 1, 1, 8}, 16},
		{"a piece that wraps", 7, {0x7e57, 1, 2, 0xffffffff}, 16},
	};
	start();
	for (unsigned i = 0; i < sizeof lists / sizeof *lists; i++) {
		CU_ASSERT_EQUAL(put(echo, lists[i].type, WANTED, i, lists[i].words, lists[i].bytes,
					"payload", 8),
			RING_OK);
		CU_ASSERT_EQUAL(put(echo, 6, WANTED, 100, NULL, 0, "payload", 8), RING_OK);
		turn(echo);
		expect(echo, 11, i, "", 0);
		expect(echo, 11, 100, "payload", 8);
	}
	stop();
}

/* R-TDEV-002, R-PKT-003. */
static void completions_are_ignored(void)
{
	start();
	for (unsigned i = 0; i < CHANNELS; i++) {
		CU_ASSERT_EQUAL(put(&bus->channels[i], 11, 0, 5, NULL, 0, "payload", 8), RING_OK);
		turn(&bus->channels[i]);
		expect_nothing(&bus->channels[i]);
		CU_ASSERT_PTR_NULL(bus->channels[i].failure);
	}
	CU_ASSERT_EQUAL(put(sink, 6, WANTED, 1, NULL, 0, NULL, 0), RING_OK);
	turn(sink);
	expect(sink, 11, 1, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x25\x23\x22\x84\xe4\x9c\xf2\xcb", 24);
	stop();
}

/* R-TDEV-003, R-PKT-014: what has no room for its answer stays in the guest's ring. */
static void echo_waits_for_room(void)
{
	uint8_t bytes[1000] = {0};
	uint32_t sent = 0, taken = 0;
	start();
	for (unsigned stalls = 0; stalls < 3; sent++) {
		memcpy(bytes, &sent, sizeof sent);
		while (put(echo, 6, WANTED, sent, NULL, 0, bytes, sizeof bytes) != RING_OK) {
			turn(echo);
			stalls++;
			CU_ASSERT_FATAL(stalls < 4);
			if (stalls == 3)
				break;
		}
	}
	sent--;
	/* Both rings are full: 12 KiB each, and not a packet more was taken. */
	CU_ASSERT_EQUAL(sent, 2 * 11);
	CU_ASSERT_FALSE(ready(echo));
	for (; taken < sent; taken++) {
		memcpy(bytes, &taken, sizeof taken);
		expect(echo, 11, taken, bytes, sizeof bytes);
		turn(echo);
	}
	expect_nothing(echo);
	stop();
}

/* One turn is bounded, whatever there is to do. */
static void a_turn_is_bounded(void)
{
	start();
	for (unsigned i = 0; i < TEST_PROVIDER_BATCH + 1; i++)
		CU_ASSERT_EQUAL(put(sink, 6, 0, i, NULL, 0, "payload", 8), RING_OK);
	CU_ASSERT_TRUE(ready(sink));
	CU_ASSERT_TRUE(ready(sink));
	CU_ASSERT_FALSE(ready(sink));
	stop();
}

/* R-TDEV-006. The payload is padded to a unit. */
static void sink_counts_what_it_takes(void)
{
	struct testdevice_sink_answer_wire answer = {.packets = 1, .bytes = 8};
	uint64_t sum = UINT64_C(0x85944171f73967e8); /* "foobar", as published */
	sum = sum * UINT64_C(0x100000001b3);
	answer.checksum = sum * UINT64_C(0x100000001b3);
	start();
	CU_ASSERT_EQUAL(put(sink, 6, 0, 0, NULL, 0, "foobar", 6), RING_OK);
	CU_ASSERT_EQUAL(put(sink, 6, WANTED, 7, NULL, 0, "question", 8), RING_OK);
	turn(sink);
	expect(sink, 11, 7, &answer, sizeof answer);
	/* Opened again, it begins anew. */
	sink->offer.ops->close(sink->offer.ctx, sink);
	channel_open(sink);
	CU_ASSERT_EQUAL(put(sink, 6, WANTED, 8, NULL, 0, NULL, 0), RING_OK);
	turn(sink);
	answer = (struct testdevice_sink_answer_wire){.checksum = UINT64_C(0xcbf29ce484222325)};
	expect(sink, 11, 8, &answer, sizeof answer);
	stop();
}

/* R-TDEV-007, R-TDEV-009: more than the ring carries, two requests in a row. */
static void source_sends_what_it_is_asked_for(void)
{
	const struct testdevice_source_request_wire request = {
		.packets = 100, .bytes_first = 1, .bytes_step = 13, .bytes_modulus = 600};
	start();
	CU_ASSERT_EQUAL(put(source, 6, WANTED, 77, NULL, 0, &request, sizeof request), RING_OK);
	CU_ASSERT_EQUAL(put(source, 6, WANTED, 78, NULL, 0, &request, sizeof request), RING_OK);
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 100; i++) {
			const uint32_t count = 1 + i * 13 % 600;
			struct packet_view view;
			turn(source);
			CU_ASSERT_FATAL(far_receive(&source->rings, buffer, sizeof buffer, &view));
			CU_ASSERT_EQUAL(view.type, 6);
			CU_ASSERT_EQUAL(view.transaction_id, i);
			CU_ASSERT_EQUAL_FATAL(view.payload_bytes, (count + 7) / 8 * 8);
			for (uint32_t at = 0; at < view.payload_bytes; at++)
				CU_ASSERT_EQUAL(
					view.payload[at], at < count ? (uint8_t)(31 * i + at) : 0);
		}
		turn(source);
		expect(source, 11, 77 + round, "\0\0\0\0\x64\0\0\0", 8);
	}
	expect_nothing(source);
	stop();
}

/* R-TDEV-007, R-PKT-015. */
static void source_sends_ranges(void)
{
	static const uint8_t extended[] = {
		0x57, 0x7e, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0};
	const struct testdevice_source_request_wire request = {
		.packets = 1, .bytes_first = 16, .bytes_modulus = 1, .ranges = 2};
	struct packet_view view;
	start();
	CU_ASSERT_EQUAL(put(source, 6, 0, 0, NULL, 0, &request, sizeof request), RING_OK);
	turn(source);
	CU_ASSERT_FATAL(far_receive(&source->rings, buffer, sizeof buffer, &view));
	CU_ASSERT_EQUAL(view.type, 7);
	CU_ASSERT_EQUAL_FATAL(view.extended_bytes, sizeof extended);
	CU_ASSERT_EQUAL(memcmp(view.extended, extended, sizeof extended), 0);
	CU_ASSERT_EQUAL(view.payload_bytes, 16);
	expect_nothing(source); /* no answer was asked for */
	stop();
}

/* R-TDEV-008. */
static void source_refuses_bad_requests(void)
{
	static const struct {
		struct testdevice_source_request_wire request;
		uint32_t bytes, sent;
	} bad[] = {
		{{1, 8, 0, 1, 0, 0}, 16, 0}, /* short */
		{{1, 8, 0, 0, 0, 0}, 24, 0},
		{{65537, 8, 0, 1, 0, 0}, 24, 0},
		{{1, 8, 0, 1, 4097, 0}, 24, 0},
		{{1, 8, 0, 1, 0, 1}, 24, 0},
		{{3, 8, 12272, 24544, 0, 0}, 24, 1},  /* the second is too long for this ring */
		{{1, 0xffffffff, 0, 1, 0, 0}, 24, 0}, /* longer than any packet */
		{{2, 0xffffffff, 1, 2, 0, 0}, 24, 0},
	};
	start();
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		const uint32_t answer[2] = {1, bad[i].sent};
		CU_ASSERT_EQUAL(
			put(source, 6, WANTED, i, NULL, 0, &bad[i].request, bad[i].bytes), RING_OK);
		turn(source);
		for (uint32_t sent = 0; sent < bad[i].sent; sent++)
			expect(source, 6, sent, "\0\x01\x02\x03\x04\x05\x06\x07", 8);
		expect(source, 11, i, answer, sizeof answer);
	}
	stop();
}

/* R-TDEV-010: the bytes in the ring are those of the document's table. */
static void hostile_writes_what_it_is_told(void)
{
	static const uint8_t wanted[] = {0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 8, 7, 6, 5,
		4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	const struct testdevice_hostile_request_wire request = {
		0x8899aabbccddeeff, 0x0102030405060708, 8, TESTDEVICE_TRUE_INDEX};
	start();
	CU_ASSERT_EQUAL(put(hostile, 6, 0, 1, NULL, 0, &request, sizeof request), RING_OK);
	turn(hostile);
	CU_ASSERT_EQUAL(hostile->rings.near_out.control[RING_WORD_IN], sizeof wanted);
	CU_ASSERT_EQUAL(memcmp(hostile->rings.near_out.data, wanted, sizeof wanted), 0);
	struct packet_view view;
	CU_ASSERT(ring_status_is_corrupt(ring_peek(&hostile->rings.far_in, &view)));
	stop();
}

/* R-TDEV-011: the next packet is where the first one ends. */
static void hostile_index_is_a_lie_once(void)
{
	static const uint32_t lies[] = {4, 0x7ffffff8, RING_PAIR_DATA_BYTES, 24};
	start();
	for (unsigned i = 0; i < sizeof lies / sizeof *lies; i++) {
		struct testdevice_hostile_request_wire request = {
			0x0000000300020006, i, 8, lies[i]};
		CU_ASSERT_EQUAL(put(hostile, 6, 0, 1, NULL, 0, &request, sizeof request), RING_OK);
		turn(hostile);
		CU_ASSERT_EQUAL(hostile->rings.near_out.control[RING_WORD_IN], lies[i]);
		request.in = TESTDEVICE_TRUE_INDEX;
		CU_ASSERT_EQUAL(put(hostile, 6, 0, 1, NULL, 0, &request, sizeof request), RING_OK);
		turn(hostile);
		CU_ASSERT_EQUAL(hostile->rings.near_out.control[RING_WORD_IN], (i + 1) * 64);
		expect(hostile, 6, i, "\0\0\0\0\0\0\0\0", 8);
		expect(hostile, 6, i, "\0\0\0\0\0\0\0\0", 8);
		CU_ASSERT_PTR_NULL(hostile->failure);
	}
	stop();
}

/* R-TDEV-012. */
static void hostile_ignores_bad_requests(void)
{
	static const struct {
		struct testdevice_hostile_request_wire request;
		uint16_t type;
		uint32_t bytes;
	} bad[] = {
		{{0x0000000300020006, 1, 8, TESTDEVICE_TRUE_INDEX}, 6, 16},
		{{0x0000000300020006, 1, 2049, TESTDEVICE_TRUE_INDEX}, 6, 24},
		{{0x0000000300020006, 1, 0xffffffff, TESTDEVICE_TRUE_INDEX}, 6, 24},
		{{0x0000000300020006, 1, 2049, 4}, 6, 24},
		{{0x0000000300020006, 1, 8, TESTDEVICE_TRUE_INDEX}, 11, 24},
	};
	start();
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		CU_ASSERT_EQUAL(put(hostile, bad[i].type, WANTED, i, NULL, 0, &bad[i].request,
					bad[i].bytes),
			RING_OK);
		turn(hostile);
		expect_nothing(hostile);
		CU_ASSERT_EQUAL(hostile->rings.near_out.control[RING_WORD_IN], 0);
	}
	stop();
}

static void a_corrupt_ring_fails_its_channel(void)
{
	start();
	for (unsigned i = 0; i < CHANNELS; i++) {
		struct bus_channel *channel = &bus->channels[i];
		((uint32_t *)(void *)channel->rings.memory)[RING_WORD_IN] = 4;
		CU_ASSERT_FALSE(ready(channel));
		CU_ASSERT_PTR_NOT_NULL(channel->failure);
		CU_ASSERT_FALSE(ready(channel));
		channel->offer.ops->close(channel->offer.ctx, channel);
		channel_open(channel);
		CU_ASSERT_FALSE(ready(channel));
		CU_ASSERT_PTR_NULL(channel->failure);
	}
	stop();
}

static const struct test tests[] = {
	TEST(devices_are_offered_by_their_ids),
	TEST(a_failed_offer_takes_the_others_back),
	TEST(echo_gives_payloads_back),
	TEST(echo_gives_pages_back),
	TEST(echo_gives_pieces_back),
	TEST(echo_refuses_bad_lists),
	TEST(completions_are_ignored),
	TEST(echo_waits_for_room),
	TEST(a_turn_is_bounded),
	TEST(sink_counts_what_it_takes),
	TEST(source_sends_what_it_is_asked_for),
	TEST(source_sends_ranges),
	TEST(source_refuses_bad_requests),
	TEST(hostile_writes_what_it_is_told),
	TEST(hostile_index_is_a_lie_once),
	TEST(hostile_ignores_bad_requests),
	TEST(a_corrupt_ring_fails_its_channel),
};

TEST_MAIN("test_provider", tests)
