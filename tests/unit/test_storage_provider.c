// SPDX-License-Identifier: Apache-2.0
/*
 * The storage provider between real rings and a scripted store, on a bus that is a
 * few counters: page lists, reply room, back-pressure, notifications, sub-channels,
 * closing.
 */
#include "host/vsp/storage_provider.h"
#include "tests/harness.h"
#include "tests/unit/ring_pair.h"
#include "tests/unit/store_script.h"

#include <errno.h>

#define MEMORY_PAGES  64u
#define CHANNELS_MAX  4u
#define GUEST_PAYLOAD 64u

/* ---- a bus of counters --------------------------------------------------------------------- */

struct bus_channel {
	struct bus_offer offer;
	bool is_offered, is_open, is_closing, is_removed;
	struct ring_pair rings;
	unsigned flushes, write_flushes, kicks, signals;
	int open_status;
	const char *failure;
};

struct vmbus_bus {
	struct guest_memory memory;
	struct bus_channel channels[CHANNELS_MAX];
	unsigned count;
	int add_error;
};

static struct vmbus_bus *bus;

int bus_offer_add(struct vmbus_bus *to, const struct bus_offer *offer, struct bus_channel **out)
{
	if (to->add_error)
		return to->add_error;
	CU_ASSERT_FATAL(to->count < CHANNELS_MAX);
	struct bus_channel *channel = &to->channels[to->count++];
	*channel = (struct bus_channel){.offer = *offer, .is_offered = true, .open_status = 1};
	*out = channel;
	return 0;
}

void bus_offer_remove(struct bus_channel *channel)
{
	CU_ASSERT(channel->is_offered && !channel->is_removed);
	channel->is_removed = true;
	if (channel->is_open) {
		channel->is_open = false;
		channel->is_closing = true;
		channel->offer.ops->close(channel->offer.ctx, channel);
	}
}

void bus_channel_open_done(struct bus_channel *channel, int status)
{
	channel->open_status = status;
	channel->is_open = status == 0;
}

void bus_channel_close_done(struct bus_channel *channel)
{
	CU_ASSERT(channel->is_closing);
	channel->is_closing = false;
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
	channel->flushes++;
	channel->signals += ring_read_flush(&channel->rings.near_in);
	channel->signals += ring_flush(&channel->rings.near_out);
}

void bus_channel_flush_writes(struct bus_channel *channel)
{
	channel->write_flushes++;
	channel->signals += ring_flush(&channel->rings.near_out);
}

void bus_channel_kick(struct bus_channel *channel)
{
	CU_ASSERT(channel->is_open);
	channel->kicks++;
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

static void bus_make(void)
{
	bus = calloc(1, sizeof *bus);
	/* Two regions that follow one another, so that a buffer may cross. */
	uint8_t *low = calloc(MEMORY_PAGES / 2, 4096);
	uint8_t *high = calloc(MEMORY_PAGES / 2, 4096);
	bus->memory = (struct guest_memory){
		.fd = -1,
		.region_count = 2,
		.regions = {{.gpa = 0, .bytes = MEMORY_PAGES / 2 * 4096, .host = low},
			{.gpa = MEMORY_PAGES / 2 * 4096,
				.bytes = MEMORY_PAGES / 2 * 4096,
				.host = high}},
	};
}

static uint8_t *page(unsigned gpn)
{
	return guest_memory_at(&bus->memory, (uint64_t)gpn * 4096, 4096);
}

static void bus_free(void)
{
	for (unsigned i = 0; i < bus->count; i++)
		ring_pair_close(&bus->channels[i].rings);
	free(bus->memory.regions[0].host);
	free(bus->memory.regions[1].host);
	free(bus);
}

static void channel_open(struct bus_channel *channel)
{
	static const uint8_t user_data[VMBUS_USER_DATA_BYTES];
	ring_pair_close(&channel->rings);
	ring_pair_open(&channel->rings);
	channel->offer.ops->open(channel->offer.ctx, channel, user_data);
}

static void channel_close(struct bus_channel *channel)
{
	channel->is_open = false;
	channel->is_closing = true;
	channel->offer.ops->close(channel->offer.ctx, channel);
}

/* Let the provider run until it finds nothing more to do. */
static unsigned turn(struct bus_channel *channel)
{
	unsigned turns = 0;
	while (channel->offer.ops->ready(channel->offer.ctx, channel) && turns < 1000)
		turns++;
	return turns;
}

static bool reply_take(struct bus_channel *channel, struct packet_view *view, uint8_t *payload)
{
	return far_receive(&channel->rings, payload, 512, view);
}

/* One control operation, answered with its status. */
static uint32_t control(struct bus_channel *channel, uint8_t operation, uint16_t word)
{
	uint8_t packet[GUEST_PAYLOAD] = {operation, 0, 0, 0, 1};
	uint64_t buffer[64];
	struct packet_view view;
	uint32_t status;
	memcpy(packet + 12, &word, 2);
	const struct packet_header header = {.type = PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.payload_bytes = sizeof packet,
		.transaction_id = 0xFFFFFFFFFFFFFFFD};
	CU_ASSERT_EQUAL_FATAL(ring_send(&channel->rings.far_out, &header, NULL, packet), RING_OK);
	(void)ring_flush(&channel->rings.far_out);
	turn(channel);
	CU_ASSERT_FATAL(reply_take(channel, &view, (uint8_t *)buffer));
	CU_ASSERT_EQUAL(view.type, PACKET_TYPE_COMPLETION);
	CU_ASSERT_EQUAL(view.flags, 0);
	CU_ASSERT_EQUAL(view.transaction_id, 0xFFFFFFFFFFFFFFFD);
	CU_ASSERT_EQUAL(view.payload_bytes, 64);
	memcpy(&status, (uint8_t *)buffer + 8, 4);
	return status;
}

static void handshake(struct bus_channel *channel)
{
	CU_ASSERT_EQUAL(control(channel, 7, 0), 0);
	CU_ASSERT_EQUAL(control(channel, 9, 0x0600), 0);
	CU_ASSERT_EQUAL(control(channel, 10, 0), 0);
	CU_ASSERT_EQUAL(control(channel, 8, 0), 0);
}

/* READ(10) or WRITE(10) of `count` blocks into pages; false if the ring is full. */
static bool transfer_send(struct bus_channel *channel, bool is_write, uint64_t id, uint32_t lba,
	uint16_t count, const struct packet_gpa_range *ranges, uint32_t range_count)
{
	uint8_t packet[GUEST_PAYLOAD] = {3, 0, 0, 0, 1};
	uint8_t extended[1024];
	const uint32_t bytes = (uint32_t)count * 512;
	packet[12] = 52;
	packet[20] = 10;
	packet[21] = 20;
	packet[22] = is_write ? 0 : 1;
	memcpy(packet + 24, &bytes, 4);
	packet[28] = is_write ? 0x2A : 0x28;
	packet[32] = (uint8_t)(lba >> 8);
	packet[33] = (uint8_t)lba;
	packet[35] = (uint8_t)(count >> 8);
	packet[36] = (uint8_t)count;
	const struct packet_header header = {.type = PACKET_TYPE_GPA_DIRECT,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.extended_bytes = packet_gpa_direct_bytes(ranges, range_count),
		.payload_bytes = sizeof packet,
		.transaction_id = id};
	CU_ASSERT_FATAL(header.extended_bytes != 0 && header.extended_bytes <= sizeof extended);
	CU_ASSERT_EQUAL(
		packet_gpa_direct_put(extended, header.extended_bytes, ranges, range_count), 0);
	const bool is_sent = ring_send(&channel->rings.far_out, &header, extended, packet) ==
			     RING_OK;
	(void)ring_flush(&channel->rings.far_out);
	return is_sent;
}

/* The next reply must be this one; its SRB status. */
static uint8_t srb_status_of(struct bus_channel *channel, uint64_t id)
{
	uint64_t buffer[64] = {0};
	struct packet_view view = {0};
	CU_ASSERT(reply_take(channel, &view, (uint8_t *)buffer));
	CU_ASSERT_EQUAL(view.transaction_id, id);
	return ((uint8_t *)buffer)[14];
}

struct rig {
	struct storage_provider *provider;
	struct bus_channel *channel;
	struct store_script *store;
	struct scsi_device *device;
};

static struct rig rig_make(const struct storage_vsp_config *vsp)
{
	struct rig r;
	struct storage_provider_config config = {.vsp = *vsp};
	const struct scsi_device_config disk = {.type = SCSI_DEVICE_DISK};
	config.instance_id.bytes[0] = 7;
	bus_make();
	CU_ASSERT_EQUAL_FATAL(storage_provider_create(bus, &config, &r.provider), 0);
	r.store = store_script_create(20480 * 512, 512);
	CU_ASSERT_EQUAL_FATAL(scsi_device_create(&disk, &r.store->base, &r.device), 0);
	CU_ASSERT_EQUAL_FATAL(storage_vsp_attach(storage_provider_vsp(r.provider),
				      (struct storage_address){0, 0, 0}, r.device),
		0);
	r.channel = &bus->channels[0];
	channel_open(r.channel);
	CU_ASSERT_EQUAL_FATAL(r.channel->open_status, 0);
	return r;
}

static void gone(void *ctx, struct scsi_device *device)
{
	(void)ctx;
	scsi_device_destroy(device);
}

static void rig_free(struct rig *r)
{
	storage_provider_remove(r->provider);
	CU_ASSERT(storage_provider_is_idle(r->provider));
	CU_ASSERT_EQUAL(storage_vsp_detach(storage_provider_vsp(r->provider),
				(struct storage_address){0, 0, 0}, gone, NULL),
		0);
	storage_provider_destroy(r->provider);
	bus_free();
}

static const struct storage_vsp_config plain = {0};

/* ---- tests --------------------------------------------------------------------------------- */

/* R-STOR-023. */
static void offers_say_what_they_are(void)
{
	static const uint8_t scsi[16] = {0xd9, 0x63, 0x61, 0xba, 0xa1, 0x04, 0x29, 0x4d, 0xb6, 0x05,
		0x72, 0xe2, 0xff, 0xb1, 0xdc, 0x7f};
	static const uint8_t ide_interface[16] = {0x32, 0x26, 0x41, 0x32, 0xcb, 0x86, 0xa2, 0x44,
		0x9b, 0x5c, 0x50, 0xd1, 0x41, 0x73, 0x54, 0xf5};
	static const uint8_t ide_instance[16] = {0, 0, 0, 0, 1, 0, 0x99, 0x88};
	static const uint8_t ide_data[24] = {0, 0, 0, 1, 0, 0, 0, 0, 2};
	static const uint8_t zero[VMBUS_USER_DATA_BYTES];
	struct rig r = rig_make(&plain);
	const struct bus_offer *offer = &r.channel->offer;
	CU_ASSERT_EQUAL(memcmp(offer->interface_id.bytes, scsi, 16), 0);
	CU_ASSERT_EQUAL(offer->instance_id.bytes[0], 7);
	CU_ASSERT_EQUAL(offer->flags, 0);
	CU_ASSERT_EQUAL(memcmp(offer->user_data, zero, sizeof zero), 0);
	rig_free(&r);

	struct storage_provider *provider;
	const struct storage_provider_config ide = {
		.vsp = {.is_ide = true, .ide_channel = 0}, .ide_device = 1};
	bus_make();
	CU_ASSERT_EQUAL_FATAL(storage_provider_create(bus, &ide, &provider), 0);
	offer = &bus->channels[0].offer;
	CU_ASSERT_EQUAL(memcmp(offer->interface_id.bytes, ide_interface, 16), 0);
	CU_ASSERT_EQUAL(memcmp(offer->instance_id.bytes, ide_instance, 16), 0);
	CU_ASSERT_EQUAL(offer->flags, 1);
	CU_ASSERT_EQUAL(memcmp(offer->user_data, ide_data, 24), 0);
	storage_provider_remove(provider);
	storage_provider_destroy(provider);
	bus_free();
}

static void a_failed_offer_leaves_nothing(void)
{
	struct storage_provider *provider;
	const struct storage_provider_config config = {0};
	const struct storage_provider_config bad = {.vsp = {.requests = 100000}};
	bus_make();
	bus->add_error = -ENOSPC;
	CU_ASSERT_EQUAL(storage_provider_create(bus, &config, &provider), -ENOSPC);
	CU_ASSERT_EQUAL(storage_provider_create(bus, &bad, &provider), -EINVAL);
	bus_free();
}

/* R-PKT-007, R-STOR-080: offsets, many pages, pages out of order, a buffer over two regions. */
static void page_lists_move_exactly_their_bytes(void)
{
	static const uint64_t scattered[] = {9, 3, 31, 32, 10};
	struct rig r = rig_make(&plain);
	handshake(r.channel);
	for (unsigned i = 0; i < 64 * 512; i++)
		r.store->bytes[i] = (uint8_t)(i * 7 + i / 512);
	const struct packet_gpa_range read = {
		.byte_count = 16384, .byte_offset = 100, .gpns = scattered};
	for (unsigned i = 0; i < MEMORY_PAGES; i++)
		memset(page(i), 0xEE, 4096);
	CU_ASSERT(transfer_send(r.channel, false, 1, 0, 32, &read, 1));
	turn(r.channel);
	CU_ASSERT_EQUAL(srb_status_of(r.channel, 1), 0x01);
	CU_ASSERT_EQUAL(memcmp(page(9) + 100, r.store->bytes, 3996), 0);
	CU_ASSERT_EQUAL(memcmp(page(3), r.store->bytes + 3996, 4096), 0);
	CU_ASSERT_EQUAL(memcmp(page(31), r.store->bytes + 8092, 4096), 0);
	CU_ASSERT_EQUAL(memcmp(page(32), r.store->bytes + 12188, 4096), 0);
	CU_ASSERT_EQUAL(memcmp(page(10), r.store->bytes + 16284, 100), 0);
	CU_ASSERT_EQUAL(page(9)[99], 0xEE);
	CU_ASSERT_EQUAL(page(10)[100], 0xEE);
	const struct packet_gpa_range write = {
		.byte_count = 16384, .byte_offset = 100, .gpns = scattered};
	CU_ASSERT(transfer_send(r.channel, true, 2, 100, 32, &write, 1));
	turn(r.channel);
	CU_ASSERT_EQUAL(srb_status_of(r.channel, 2), 0x01);
	CU_ASSERT_EQUAL(memcmp(r.store->bytes + 100 * 512, r.store->bytes, 16384), 0);
	rig_free(&r);
}

/* R-STOR-044, R-STOR-045, R-STOR-046: answered with an error, nothing moved, the channel goes on.
 */
static void bad_page_lists_are_answered_with_an_error(void)
{
	static const uint64_t outside[] = {1, MEMORY_PAGES};
	static const uint64_t far_outside[] = {UINT64_C(1) << 52};
	static const uint64_t wrapping[] = {UINT64_MAX};
	struct rig r = rig_make(&plain);
	const struct packet_gpa_range good = {.byte_count = 512, .first_gpn = 1};
	const struct packet_gpa_range two[] = {good, good};
	const struct packet_gpa_range bad[] = {
		{.byte_count = 8192, .gpns = outside}, {.byte_count = 512, .gpns = far_outside},
		{.byte_count = 512, .gpns = wrapping}, {.byte_count = 511, .first_gpn = 1},
		{.byte_count = 262145, .first_gpn = 0}, /* beyond the maximum transfer */
	};
	handshake(r.channel);
	CU_ASSERT(transfer_send(r.channel, false, 1, 0, 1, two, 2));
	turn(r.channel);
	CU_ASSERT_EQUAL(srb_status_of(r.channel, 1), 0x86);
	for (unsigned i = 0; i < 5; i++) {
		CU_ASSERT(transfer_send(r.channel, false, 10 + i, 0, 1, &bad[i], 1));
		turn(r.channel);
		CU_ASSERT_EQUAL(srb_status_of(r.channel, 10 + i), 0x86);
		CU_ASSERT(transfer_send(r.channel, false, 20 + i, 0, 1, &good, 1));
		turn(r.channel);
		CU_ASSERT_EQUAL(srb_status_of(r.channel, 20 + i), 0x01);
	}
	CU_ASSERT_EQUAL(r.store->submitted, 5);
	CU_ASSERT_PTR_NULL(r.channel->failure);
	rig_free(&r);
}

/* R-STOR-047. */
static void packets_that_want_no_answer_get_none(void)
{
	struct rig r = rig_make(&plain);
	uint8_t packet[GUEST_PAYLOAD] = {7};
	uint64_t buffer[64];
	struct packet_view view;
	CU_ASSERT_EQUAL(far_send(&r.channel->rings, PACKET_TYPE_INBAND, 5, packet, 64), RING_OK);
	CU_ASSERT_EQUAL(
		far_send(&r.channel->rings, PACKET_TYPE_COMPLETION, 5, packet, 64), RING_OK);
	turn(r.channel);
	CU_ASSERT(!reply_take(r.channel, &view, (uint8_t *)buffer));
	const struct storage_statistics *s = storage_vsp_statistics(
		storage_provider_vsp(r.provider));
	CU_ASSERT_EQUAL(s->rejects[STORAGE_REJECT_NO_COMPLETION], 1);
	CU_ASSERT_EQUAL(s->rejects[STORAGE_REJECT_COMPLETION], 1);
	handshake(r.channel);
	rig_free(&r);
}

/* R-STOR-012: a guest that reads no replies; all are answered once it does. */
static void requests_wait_for_room_for_their_replies(void)
{
	struct rig r = rig_make(&plain);
	const struct packet_gpa_range buffer = {.byte_count = 512, .first_gpn = 1};
	handshake(r.channel);
	unsigned sent = 0;
	unsigned received = 0;
	for (unsigned round = 0; round < 4; round++) {
		while (sent < 1000 &&
			transfer_send(r.channel, false, 1000 + sent, 0, 1, &buffer, 1))
			sent++;
		turn(r.channel);
	}
	/* Both rings are full by now, and nothing was lost. */
	const unsigned executed = r.store->submitted;
	CU_ASSERT(executed * 88 <= RING_PAIR_DATA_BYTES);
	CU_ASSERT(executed * 88 > RING_PAIR_DATA_BYTES - 2 * 88);
	CU_ASSERT(sent > executed);
	while (received < sent) {
		struct packet_view view;
		uint64_t payload[64];
		if (!reply_take(r.channel, &view, (uint8_t *)payload)) {
			CU_ASSERT_FATAL(turn(r.channel) != 0);
			continue;
		}
		CU_ASSERT_EQUAL(view.transaction_id, 1000 + received);
		received++;
	}
	CU_ASSERT_EQUAL(r.store->submitted, sent);
	rig_free(&r);
}

/* The guest is asked to signal when it has made room. */
static void a_blocked_provider_asks_for_a_signal(void)
{
	struct rig r = rig_make(&plain);
	const struct packet_gpa_range buffer = {.byte_count = 512, .first_gpn = 1};
	struct packet_view view;
	uint64_t payload[64];
	handshake(r.channel);
	for (unsigned i = 0; i < 4; i++) {
		while (transfer_send(r.channel, false, 1, 0, 1, &buffer, 1))
			;
		turn(r.channel);
	}
	CU_ASSERT(r.channel->rings.near_out.pending != 0);
	bool is_signalled = false;
	for (unsigned i = 0; i < 200 && !is_signalled; i++) {
		CU_ASSERT_EQUAL_FATAL(
			ring_receive(&r.channel->rings.far_in, payload, sizeof payload, &view),
			RING_OK);
		is_signalled = ring_read_flush(&r.channel->rings.far_in);
	}
	CU_ASSERT(is_signalled);
	const unsigned before = r.store->submitted;
	CU_ASSERT(turn(r.channel) != 0);
	CU_ASSERT(r.store->submitted > before);
	rig_free(&r);
}

/* Replies to requests in flight always have room, however long they take. */
static void late_replies_have_room_and_wake_the_channel(void)
{
	const struct storage_vsp_config config = {.requests = 1000};
	struct rig r = rig_make(&config);
	const struct packet_gpa_range buffer = {.byte_count = 512, .first_gpn = 1};
	handshake(r.channel);
	r.store->holds = true;
	unsigned sent = 0;
	while (sent < 1000) {
		if (!transfer_send(r.channel, false, sent, 0, 1, &buffer, 1) &&
			turn(r.channel) == 0)
			break;
		sent++;
	}
	turn(r.channel);
	const unsigned held = r.store->held_count;
	CU_ASSERT(held >= 100 && held * 88 <= RING_PAIR_DATA_BYTES);
	const unsigned kicks = r.channel->kicks;
	while (r.store->held_count)
		store_script_release(r.store, r.store->held_count - 1);
	CU_ASSERT_EQUAL(r.channel->kicks, kicks + held);
	CU_ASSERT_PTR_NULL(r.channel->failure);
	rig_free(&r);
}

/* The guest can go on while the rest is worked on: it sees every eighth reply at once. */
static void replies_are_shown_before_the_batch_ends(void)
{
	struct rig r = rig_make(&plain);
	const struct packet_gpa_range buffer = {.byte_count = 512, .first_gpn = 1};
	handshake(r.channel);
	r.store->holds = true;
	for (unsigned i = 0; i < 20; i++)
		CU_ASSERT(transfer_send(r.channel, false, i, 0, 1, &buffer, 1));
	turn(r.channel);
	const unsigned flushes = r.channel->flushes;
	for (unsigned i = 0; i < 7; i++)
		store_script_release(r.store, 0);
	CU_ASSERT_EQUAL(r.channel->flushes, flushes);
	store_script_release(r.store, 0);
	CU_ASSERT_EQUAL(r.channel->flushes, flushes + 1);
	for (unsigned i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(srb_status_of(r.channel, i), 0x01);
	while (r.store->held_count)
		store_script_release(r.store, 0);
	turn(r.channel);

	/* those that end while packets are being read: the packets stay in place meanwhile */
	r.store->holds = false;
	const unsigned shown = r.channel->write_flushes;
	for (unsigned i = 0; i < 20; i++)
		CU_ASSERT(transfer_send(r.channel, false, 100 + i, 0, 1, &buffer, 1));
	CU_ASSERT(r.channel->offer.ops->ready(r.channel->offer.ctx, r.channel));
	CU_ASSERT_EQUAL(r.channel->write_flushes, shown + 2);
	rig_free(&r);
}

static void a_reply_with_much_data_is_shown_at_once(void)
{
	struct rig r = rig_make(&plain);
	const struct packet_gpa_range large = {.byte_count = 32768, .first_gpn = 1};
	const struct packet_gpa_range half = {.byte_count = 16384, .first_gpn = 1};
	handshake(r.channel);
	r.store->holds = true;
	CU_ASSERT(transfer_send(r.channel, false, 1, 0, 64, &large, 1));
	CU_ASSERT(transfer_send(r.channel, false, 2, 0, 32, &half, 1));
	CU_ASSERT(transfer_send(r.channel, true, 3, 0, 32, &half, 1));
	turn(r.channel);
	const unsigned flushes = r.channel->flushes;
	store_script_release(r.store, 0);
	CU_ASSERT_EQUAL(r.channel->flushes, flushes + 1);
	CU_ASSERT_EQUAL(srb_status_of(r.channel, 1), 0x01);
	store_script_release(r.store, 0);
	CU_ASSERT_EQUAL(r.channel->flushes, flushes + 1);
	store_script_release(r.store, 0);
	CU_ASSERT_EQUAL(r.channel->flushes, flushes + 2);
	CU_ASSERT_EQUAL(srb_status_of(r.channel, 2), 0x01);
	CU_ASSERT_EQUAL(srb_status_of(r.channel, 3), 0x01);
	rig_free(&r);
}

/* Lists of one page: at the page's end, over it, past memory; and words behind the list. */
static void lists_of_one_page_are_as_strict_as_others(void)
{
	static const uint64_t last[] = {MEMORY_PAGES - 1, 0};
	struct rig r = rig_make(&plain);
	handshake(r.channel);
	memset(r.store->bytes, 0x5A, 1024);
	memset(page(MEMORY_PAGES - 1), 0xEE, 4096);
	const struct packet_gpa_range to_end = {
		.byte_count = 512, .byte_offset = 3584, .gpns = last};
	CU_ASSERT(transfer_send(r.channel, false, 1, 0, 1, &to_end, 1));
	turn(r.channel);
	CU_ASSERT_EQUAL(srb_status_of(r.channel, 1), 0x01);
	CU_ASSERT_EQUAL(page(MEMORY_PAGES - 1)[3583], 0xEE);
	CU_ASSERT_EQUAL(page(MEMORY_PAGES - 1)[3584], 0x5A);
	CU_ASSERT_EQUAL(page(MEMORY_PAGES - 1)[4095], 0x5A);

	/* one page number where two are needed, then none where one is, then past the page */
	static const uint32_t bad[][2] = {{512, 3585}, {0, 0}, {512, 4096}, {UINT32_MAX, 0}};
	for (unsigned i = 0; i < 4; i++) {
		uint8_t packet[GUEST_PAYLOAD] = {3, 0, 0, 0, 1};
		const uint32_t list[6] = {0, 1, bad[i][0], bad[i][1], 1, 0};
		const uint32_t bytes = 512;
		packet[12] = 52;
		packet[20] = 10;
		packet[21] = 20;
		packet[22] = 1;
		memcpy(packet + 24, &bytes, 4);
		packet[28] = 0x28;
		packet[36] = 1;
		const struct packet_header header = {.type = PACKET_TYPE_GPA_DIRECT,
			.flags = PACKET_FLAG_COMPLETION_REQUESTED,
			.extended_bytes = sizeof list,
			.payload_bytes = sizeof packet,
			.transaction_id = 10 + i};
		const unsigned before = r.store->submitted;
		CU_ASSERT_EQUAL(
			ring_send(&r.channel->rings.far_out, &header, list, packet), RING_OK);
		(void)ring_flush(&r.channel->rings.far_out);
		turn(r.channel);
		CU_ASSERT_EQUAL(srb_status_of(r.channel, 10 + i), 0x86);
		CU_ASSERT_EQUAL(r.store->submitted, before);
	}
	rig_free(&r);
}

/* R-STOR-070. */
static void requests_wait_for_a_free_slot(void)
{
	const struct storage_vsp_config config = {.requests = 4};
	struct rig r = rig_make(&config);
	const struct packet_gpa_range buffer = {.byte_count = 512, .first_gpn = 1};
	handshake(r.channel);
	r.store->holds = true;
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT(transfer_send(r.channel, false, i, 0, 1, &buffer, 1));
	turn(r.channel);
	CU_ASSERT_EQUAL(r.store->held_count, 4);
	store_script_release(r.store, 0);
	CU_ASSERT(r.channel->kicks != 0);
	turn(r.channel);
	CU_ASSERT_EQUAL(r.store->held_count, 4);
	r.store->holds = false;
	while (r.store->held_count)
		store_script_release(r.store, 0);
	turn(r.channel);
	CU_ASSERT_EQUAL(r.store->submitted, 10);
	rig_free(&r);
}

/* R-STOR-067. */
static void hot_plug_is_announced_on_the_primary(void)
{
	static const uint8_t enumerate[64] = {0x0B};
	struct rig r = rig_make(&plain);
	uint64_t buffer[64];
	struct packet_view view;
	struct scsi_device *device;
	const struct scsi_device_config disk = {.type = SCSI_DEVICE_DISK};
	struct storage_vsp *vsp = storage_provider_vsp(r.provider);
	const struct storage_address address = {0, 0, 1};
	handshake(r.channel);
	CU_ASSERT_EQUAL(
		scsi_device_create(&disk, &store_script_create(4096, 512)->base, &device), 0);
	CU_ASSERT_EQUAL(storage_vsp_attach(vsp, address, device), 0);
	CU_ASSERT_EQUAL(r.channel->kicks, 1);
	turn(r.channel);
	CU_ASSERT(reply_take(r.channel, &view, (uint8_t *)buffer));
	CU_ASSERT_EQUAL(view.type, PACKET_TYPE_INBAND);
	CU_ASSERT_EQUAL(view.flags, 0);
	CU_ASSERT_EQUAL(view.transaction_id, 0);
	CU_ASSERT_EQUAL(view.payload_bytes, 64);
	CU_ASSERT_EQUAL(memcmp(buffer, enumerate, 64), 0);
	CU_ASSERT_EQUAL(storage_vsp_detach(vsp, address, gone, NULL), 0);
	turn(r.channel);
	CU_ASSERT(reply_take(r.channel, &view, (uint8_t *)buffer));
	CU_ASSERT(!reply_take(r.channel, &view, (uint8_t *)buffer));
	rig_free(&r);
}

/* R-STOR-091. */
static void a_corrupt_ring_fails_only_its_channel(void)
{
	struct rig r = rig_make(&plain);
	handshake(r.channel);
	uint32_t *control_words = (uint32_t *)(void *)r.channel->rings.memory;
	control_words[RING_WORD_IN] = 13;
	turn(r.channel);
	CU_ASSERT_PTR_NOT_NULL(r.channel->failure);
	CU_ASSERT_EQUAL(turn(r.channel), 0);
	channel_close(r.channel);
	CU_ASSERT(!r.channel->is_closing);
	channel_open(r.channel); /* and it works again */
	r.channel->failure = NULL;
	handshake(r.channel);
	rig_free(&r);
}

/* R-STOR-091: what was in flight ends, and says so to nobody. */
static void a_corrupt_ring_gets_no_late_reply(void)
{
	const struct packet_gpa_range buffer = {.byte_count = 512, .first_gpn = 1};
	struct rig r = rig_make(&plain);
	uint64_t reply[64];
	struct packet_view view;
	handshake(r.channel);
	r.store->holds = true;
	for (unsigned i = 0; i < 16; i++)
		CU_ASSERT(transfer_send(r.channel, false, i, 0, 1, &buffer, 1));
	turn(r.channel);
	CU_ASSERT_EQUAL_FATAL(r.store->held_count, 16);
	uint32_t *control_words = (uint32_t *)(void *)r.channel->rings.memory;
	control_words[RING_WORD_IN] = 13;
	turn(r.channel);
	CU_ASSERT_PTR_NOT_NULL(r.channel->failure);
	while (r.store->held_count)
		store_script_release(r.store, r.store->held_count - 1);
	CU_ASSERT(!reply_take(r.channel, &view, (uint8_t *)reply));
	channel_close(r.channel);
	CU_ASSERT(!r.channel->is_closing);
	rig_free(&r);
}

/* R-STOR-013, R-STOR-069. */
static void sub_channels_come_on_demand_and_go_with_the_primary(void)
{
	const struct storage_vsp_config config = {.max_sub_channels = 2};
	struct rig r = rig_make(&config);
	const struct packet_gpa_range buffer = {.byte_count = 512, .first_gpn = 1};
	handshake(r.channel);
	CU_ASSERT_EQUAL(bus->count, 1);
	CU_ASSERT_EQUAL(control(r.channel, 13, 2), 0);
	CU_ASSERT_EQUAL(bus->count, 3);
	CU_ASSERT_EQUAL(bus->channels[1].offer.subchannel_index, 1);
	CU_ASSERT_EQUAL(bus->channels[2].offer.subchannel_index, 2);
	CU_ASSERT_EQUAL(control(r.channel, 13, 2), 0); /* they are there already */
	CU_ASSERT_EQUAL(bus->count, 3);
	struct bus_channel *sub = &bus->channels[1];
	channel_open(sub);
	CU_ASSERT(transfer_send(sub, false, 77, 0, 1, &buffer, 1));
	turn(sub);
	CU_ASSERT_EQUAL(srb_status_of(sub, 77), 0x01);
	r.store->holds = true;
	CU_ASSERT(transfer_send(sub, false, 78, 0, 1, &buffer, 1));
	turn(sub);
	channel_close(r.channel);
	CU_ASSERT(sub->is_removed && bus->channels[2].is_removed);
	CU_ASSERT(sub->is_closing); /* until its request has ended */
	CU_ASSERT(!storage_provider_is_idle(r.provider));
	/* A new life before the old has ended: that sub-channel cannot be had yet. */
	channel_open(r.channel);
	handshake(r.channel);
	CU_ASSERT_EQUAL(control(r.channel, 13, 1), 0);
	CU_ASSERT_EQUAL(bus->count, 4);
	channel_open(&bus->channels[3]);
	CU_ASSERT_EQUAL(bus->channels[3].open_status, -EBUSY);
	store_script_release(r.store, 0);
	CU_ASSERT(!sub->is_closing);
	channel_open(&bus->channels[3]);
	CU_ASSERT_EQUAL(bus->channels[3].open_status, 0);
	r.store->holds = false;
	rig_free(&r);
}

/* R-STOR-018. */
static void closing_waits_for_io_in_flight(void)
{
	struct rig r = rig_make(&plain);
	const struct packet_gpa_range buffer = {.byte_count = 512, .first_gpn = 1};
	handshake(r.channel);
	r.store->holds = true;
	CU_ASSERT(transfer_send(r.channel, false, 1, 0, 1, &buffer, 1));
	turn(r.channel);
	channel_close(r.channel);
	CU_ASSERT(r.channel->is_closing);
	CU_ASSERT_EQUAL(r.store->cancel_count, 1);
	store_script_release(r.store, 0);
	CU_ASSERT(!r.channel->is_closing);
	memset(page(1), 0x77, 4096);
	r.store->holds = false;
	channel_open(r.channel);
	handshake(r.channel);
	CU_ASSERT_EQUAL(page(1)[0], 0x77);
	rig_free(&r);
}

/* The guest writes nonsense where it says how much of the replies it has read. */
static void a_corrupt_reply_ring_stops_the_channel_with_a_reason(void)
{
	struct rig r = rig_make(&(struct storage_vsp_config){0});
	const uint8_t packet[GUEST_PAYLOAD] = {12, 0, 0, 0, 1};
	const struct packet_header header = {.type = PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.payload_bytes = sizeof packet};
	channel_open(r.channel);
	handshake(r.channel);
	__atomic_store_n(&r.channel->rings.near_out.control[RING_WORD_OUT], 3, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < 1000 && r.channel->failure == NULL; i++) {
		(void)ring_send(&r.channel->rings.far_out, &header, NULL, packet);
		(void)ring_flush(&r.channel->rings.far_out);
		turn(r.channel);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(r.channel->failure);
	CU_ASSERT_STRING_EQUAL(r.channel->failure, ring_status_name(RING_CORRUPT_INDEX_ALIGNMENT));
	channel_close(r.channel);
	CU_ASSERT(storage_provider_is_idle(r.provider));
	rig_free(&r);
}

/* R-STOR-048: the guest writes over a request, and over the ring, while it is carried out. */
static void a_request_that_is_changed_later_is_carried_out_as_it_was_sent(void)
{
	struct rig r = rig_make(&plain);
	const struct packet_gpa_range buffer = {.byte_count = 512, .first_gpn = 1};
	uint64_t reply[64] = {0};
	struct packet_view view = {0};
	uint32_t moved;
	handshake(r.channel);
	memset(page(1), 0x6B, 512);
	r.store->holds = true;
	CU_ASSERT(transfer_send(r.channel, true, 41, 100, 1, &buffer, 1));
	turn(r.channel);
	CU_ASSERT_EQUAL_FATAL(r.store->held_count, 1);
	memset(r.channel->rings.memory + RING_CONTROL_BYTES, 0xFF, RING_PAIR_DATA_BYTES);
	store_script_release(r.store, 0);
	turn(r.channel);
	CU_ASSERT_FATAL(reply_take(r.channel, &view, (uint8_t *)reply));
	CU_ASSERT_EQUAL(view.transaction_id, 41);
	CU_ASSERT_EQUAL(view.payload_bytes, 64);
	CU_ASSERT_EQUAL(((uint8_t *)reply)[14], 0x01);
	memcpy(&moved, (uint8_t *)reply + 24, 4);
	CU_ASSERT_EQUAL(moved, 512);
	CU_ASSERT_EQUAL(r.store->last_offset, 100 * 512);
	CU_ASSERT_EQUAL(r.store->bytes[100 * 512], 0x6B);
	CU_ASSERT_EQUAL(r.store->bytes[101 * 512], 0);
	rig_free(&r);
}

/* R-STOR-064. */
static void user_data_of_the_guest_means_nothing(void)
{
	struct rig r = rig_make(&plain);
	uint8_t user_data[VMBUS_USER_DATA_BYTES];
	channel_close(r.channel);
	memset(user_data, 0xFF, sizeof user_data);
	ring_pair_close(&r.channel->rings);
	ring_pair_open(&r.channel->rings);
	r.channel->offer.ops->open(r.channel->offer.ctx, r.channel, user_data);
	CU_ASSERT_EQUAL(r.channel->open_status, 0);
	handshake(r.channel);
	rig_free(&r);
}

static const struct test tests[] = {
	TEST(offers_say_what_they_are),
	TEST(a_failed_offer_leaves_nothing),
	TEST(page_lists_move_exactly_their_bytes),
	TEST(bad_page_lists_are_answered_with_an_error),
	TEST(packets_that_want_no_answer_get_none),
	TEST(requests_wait_for_room_for_their_replies),
	TEST(a_blocked_provider_asks_for_a_signal),
	TEST(late_replies_have_room_and_wake_the_channel),
	TEST(replies_are_shown_before_the_batch_ends),
	TEST(a_reply_with_much_data_is_shown_at_once),
	TEST(lists_of_one_page_are_as_strict_as_others),
	TEST(requests_wait_for_a_free_slot),
	TEST(hot_plug_is_announced_on_the_primary),
	TEST(a_corrupt_ring_fails_only_its_channel),
	TEST(a_corrupt_ring_gets_no_late_reply),
	TEST(sub_channels_come_on_demand_and_go_with_the_primary),
	TEST(closing_waits_for_io_in_flight),
	TEST(a_corrupt_reply_ring_stops_the_channel_with_a_reason),
	TEST(a_request_that_is_changed_later_is_carried_out_as_it_was_sent),
	TEST(user_data_of_the_guest_means_nothing),
};
TEST_MAIN("storage_provider", tests)
