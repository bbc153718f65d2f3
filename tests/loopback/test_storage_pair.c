// SPDX-License-Identifier: Apache-2.0
/*
 * The storage client and the storage provider's machine, wired to each other by rings
 * in plain memory, over disks in memory: what one says, the other means.
 */
#define RIG_PAGES 1200u
#define RIG_SLOTS 64u

#include "tests/harness.h"
#include "tests/unit/storage_vsc_rig.h"

#include "host/vsp/storage_vsp.h"

#define DISK_BYTES (8u << 20)
#define DVD_BYTES  (2u << 20)

struct pair;

struct pair_channel {
	struct pair *pair;
	unsigned index;
	struct storage_channel *core;
	unsigned packets;
};

struct pair {
	struct rig *rig; /* the guest's half, and the rings */
	struct storage_vsp *vsp;
	struct pair_channel channels[RIG_CHANNELS];
	unsigned sub_channels; /* asked for */
	struct scsi_device *disk, *dvd;
	struct store *disk_store;
	unsigned detached;
};

/* ---- the host ------------------------------------------------------------ */

static void on_complete(void *ctx, uint64_t id, const void *reply, size_t bytes)
{
	struct pair_channel *channel = ctx;
	rig_send(channel->pair->rig, channel->index, PACKET_TYPE_COMPLETION, id, reply,
		(uint32_t)bytes);
}

static void on_notify(void *ctx)
{
	struct pair_channel *channel = ctx;
	uint8_t packet[STORAGE_PACKET_BYTES_MAX];
	const size_t bytes = storage_vsp_notification(channel->pair->vsp, packet);
	if (bytes > 0)
		rig_send(channel->pair->rig, 0, PACKET_TYPE_INBAND, 0, packet, (uint32_t)bytes);
}

static void on_resume(void *ctx)
{
	(void)ctx;
}

static int on_sub_channels_wanted(void *ctx, unsigned count)
{
	((struct pair *)ctx)->sub_channels = count;
	return 0;
}

static void on_idle(void *ctx)
{
	((struct pair_channel *)ctx)->core = NULL;
}

static const struct storage_vsp_ops vsp_ops = {
	.complete = on_complete,
	.notify = on_notify,
	.resume = on_resume,
	.sub_channels = on_sub_channels_wanted,
	.idle = on_idle,
};

/* Page list of a packet as pieces of the guest's memory. */
static void data_map(
	struct rig *rig, const struct rig_packet *packet, struct storage_request *request)
{
	uint32_t words[4];
	request->data = STORAGE_DATA_ABSENT;
	request->iov_count = 0;
	request->iov_bytes = 0;
	if (packet->type != PACKET_TYPE_GPA_DIRECT)
		return;
	memcpy(words, packet->extended, sizeof words);
	CU_ASSERT_EQUAL_FATAL(words[1], 1);
	uint32_t left = words[2];
	uint32_t offset = words[3];
	for (unsigned i = 0; left > 0; i++) {
		uint64_t gpn;
		memcpy(&gpn, packet->extended + 16 + 8 * i, 8);
		CU_ASSERT_FATAL(gpn < RIG_PAGES);
		const uint32_t bytes = left < 4096 - offset ? left : 4096 - offset;
		request->iov[i] = (struct iovec){rig->memory + gpn * 4096 + offset, bytes};
		request->iov_count++;
		left -= bytes;
		offset = 0;
	}
	request->iov_bytes = words[2];
	request->data = STORAGE_DATA_MAPPED;
}

static unsigned host_run(struct pair *pair, unsigned channel)
{
	static struct rig_packet packet;
	struct rig *rig = pair->rig;
	struct pair_channel *at = &pair->channels[channel];
	unsigned taken = 0;
	while (at->core != NULL && storage_channel_can_take(at->core) &&
		rig_packet_take(rig, channel, &packet)) {
		struct storage_request *request = storage_request_begin(at->core);
		if (request == NULL)
			abort();
		data_map(rig, &packet, request);
		storage_request_submit(request, packet.id, packet.payload, packet.payload_bytes);
		taken++;
		at->packets++;
	}
	return taken;
}

static void channel_open(struct pair *pair, unsigned index)
{
	pair->channels[index] = (struct pair_channel){.pair = pair, .index = index};
	pair->channels[index].core = storage_channel_open(
		pair->vsp, (uint16_t)index, &pair->channels[index]);
	CU_ASSERT_PTR_NOT_NULL_FATAL(pair->channels[index].core);
}

static void run(struct pair *pair)
{
	struct rig *rig = pair->rig;
	unsigned done;
	do {
		done = 0;
		for (unsigned i = 0; i < rig->channel_count; i++) {
			done += host_run(pair, i);
			const int taken = storage_vsc_drain(
				&rig->vsc, rig->channels[i].index, STORAGE_VSC_DRAIN_MAX);
			CU_ASSERT_FATAL(taken >= 0);
			done += (unsigned)taken;
		}
		(void)storage_vsc_tick(&rig->vsc, rig->now);
	} while (done > 0);
}

static void device_make(struct pair *pair, struct scsi_device **device, uint64_t bytes,
	uint32_t block_bytes, bool is_read_only, uint8_t id)
{
	struct store *store;
	CU_ASSERT_EQUAL_FATAL(store_ram_create(bytes, block_bytes, is_read_only, &store), 0);
	const struct scsi_device_config config = {
		.type = block_bytes == 2048 ? SCSI_DEVICE_DVD : SCSI_DEVICE_DISK,
		.id = {id, 2, 3},
		.serial = "PAIR",
		.is_read_only = is_read_only,
	};
	if (block_bytes != 2048)
		pair->disk_store = store;
	CU_ASSERT_EQUAL_FATAL(scsi_device_create(&config, store, device), 0);
}

static void on_detached(void *ctx, struct scsi_device *device)
{
	((struct pair *)ctx)->detached++;
	scsi_device_destroy(device);
}

static struct pair *pair_new(uint16_t version_max, bool is_read_only)
{
	struct pair *pair = calloc(1, sizeof *pair);
	if (pair == NULL)
		abort();
	const struct storage_vsp_config config = {
		.max_sub_channels = 3,
		.version_max = version_max,
	};
	pair->rig = rig_new();
	CU_ASSERT_EQUAL_FATAL(storage_vsp_create(&config, &vsp_ops, pair, &pair->vsp), 0);
	device_make(pair, &pair->disk, DISK_BYTES, 512, is_read_only, 1);
	device_make(pair, &pair->dvd, DVD_BYTES, 2048, true, 2);
	(void)storage_vsp_attach(pair->vsp, (struct storage_address){0, 0, 0}, pair->disk);
	(void)storage_vsp_attach(pair->vsp, (struct storage_address){0, 1, 5}, pair->dvd);
	pair->rig->vsc.config.sub_channels = 2;
	return pair;
}

/* Handshake, subchannels, enumeration. */
static void pair_start(struct pair *pair)
{
	struct rig *rig = pair->rig;
	pair->sub_channels = 0;
	rig_start(rig);
	channel_open(pair, 0);
	run(pair);
	CU_ASSERT_EQUAL_FATAL(rig->vsc.state, STORAGE_VSC_READY);
	for (unsigned i = 1; i <= pair->sub_channels; i++) {
		rig_sub_channel_add(rig);
		channel_open(pair, i);
	}
	CU_ASSERT_EQUAL(storage_vsc_rescan(&rig->vsc), 0);
	run(pair);
	CU_ASSERT_EQUAL(rig->scan_error, 0);
}

static void pair_close(struct pair *pair)
{
	for (unsigned i = pair->rig->channel_count; i-- > 0;)
		if (pair->channels[i].core != NULL)
			storage_channel_close(pair->channels[i].core);
	storage_vsc_stop(&pair->rig->vsc, -VIRIDIAN_ECANCELED, false);
}

static void pair_free(struct pair *pair)
{
	static const struct storage_address places[] = {{0, 0, 0}, {0, 1, 5}, {0, 2, 0}};
	pair_close(pair);
	for (unsigned i = 0; i < 3; i++)
		(void)storage_vsp_detach(pair->vsp, places[i], on_detached, pair);
	storage_vsp_destroy(pair->vsp);
	free(pair->rig);
	free(pair);
}

/* ---- the guest ------------------------------------------------------------ */

struct outcome {
	unsigned calls;
	int result;
	struct storage_sense sense;
};

static void on_done(struct storage_vsc_request *request)
{
	struct outcome *outcome = request->ctx;
	outcome->calls++;
	outcome->result = request->result;
	outcome->sense = request->sense;
}

static struct storage_vsc_request request_of(struct storage_vsc_lun *lun, uint8_t op, uint64_t lba,
	uint32_t blocks, uint32_t at, struct outcome *outcome)
{
	const struct winhv_pages memory = {.bytes = (size_t)RIG_PAGES * 4096};
	struct storage_vsc_request request = {
		.lun = lun,
		.op = op,
		.lba = lba,
		.blocks = blocks,
		.data = storage_vsc_data_at(&memory, at, blocks * lun->properties.block_bytes),
		.done = on_done,
		.ctx = outcome,
	};
	return request;
}

static int go(struct pair *pair, struct storage_vsc_request *request)
{
	struct outcome *outcome = request->ctx;
	*outcome = (struct outcome){0};
	const int error = storage_vsc_submit(&pair->rig->vsc, request);
	if (error != 0)
		return error;
	storage_vsc_flush(&pair->rig->vsc);
	run(pair);
	CU_ASSERT_EQUAL(outcome->calls, 1);
	return outcome->result;
}

static struct storage_vsc_lun *disk_of(struct pair *pair)
{
	return rig_lun(pair->rig, 0, 0);
}

/* ---- tests ------------------------------------------------------------------ */

static void each_version_is_agreed_and_finds_the_devices(void)
{
	for (unsigned i = 0; i < STORAGE_VERSION_COUNT; i++) {
		struct pair *pair = pair_new(storage_versions[i].version, false);
		pair_start(pair);
		CU_ASSERT_EQUAL(pair->rig->vsc.version->version, storage_versions[i].version);
		CU_ASSERT_PTR_NOT_NULL_FATAL(storage_vsp_version(pair->vsp));
		CU_ASSERT_EQUAL(
			storage_vsp_version(pair->vsp)->version, storage_versions[i].version);
		CU_ASSERT_EQUAL(pair->rig->added, 2);
		const bool is_multi =
			(storage_versions[i].features & STORAGE_FEATURE_MULTI_CHANNEL) != 0;
		CU_ASSERT_EQUAL(pair->sub_channels, is_multi ? 2 : 0);
		for (unsigned r = 0; r < STORAGE_REJECT_COUNT; r++)
			if (r != STORAGE_REJECT_VERSION)
				CU_ASSERT_EQUAL(storage_vsp_statistics(pair->vsp)->rejects[r], 0);
		for (unsigned r = 0; r < STORAGE_VSC_REJECT_COUNT; r++)
			CU_ASSERT_EQUAL(pair->rig->vsc.counters.rejections[r], 0);
		pair_free(pair);
	}
}

static void the_guest_learns_what_the_host_has(void)
{
	struct pair *pair = pair_new(0, false);
	pair_start(pair);
	const struct storage_properties *disk = &disk_of(pair)->properties;
	CU_ASSERT_EQUAL(disk->type, SCSI_TYPE_DISK);
	CU_ASSERT_EQUAL(disk->blocks, DISK_BYTES / 512);
	CU_ASSERT_EQUAL(disk->block_bytes, 512);
	CU_ASSERT_STRING_EQUAL(disk->serial, "PAIR");
	CU_ASSERT_EQUAL(disk->id_bytes, 16);
	CU_ASSERT(!disk->is_read_only);
	const struct storage_vsc_lun *dvd = rig_lun(pair->rig, 1, 5);
	CU_ASSERT_EQUAL(dvd->properties.type, SCSI_TYPE_DVD);
	CU_ASSERT_EQUAL(dvd->properties.blocks, DVD_BYTES / 2048);
	CU_ASSERT(dvd->properties.is_read_only && dvd->properties.has_medium);
	pair_free(pair);
}

static void data_written_are_read_back_over_all_channels(void)
{
	struct pair *pair = pair_new(0, false);
	pair_start(pair);
	CU_ASSERT_EQUAL(pair->rig->channel_count, 3);
	uint8_t *model = store_ram_bytes(pair->disk_store);
	uint8_t *memory = pair->rig->memory;
	struct storage_vsc_lun *disk = disk_of(pair);
	struct outcome outcome;
	uint32_t state = 1;
	for (unsigned round = 0; round < 300; round++) {
		state = state * 1664525u + 1013904223u;
		const uint32_t blocks = 1 + (state >> 8) % 512;
		const uint64_t lba = (state >> 4) % (DISK_BYTES / 512 - blocks);
		const uint32_t at = 65536 + (state >> 16) % 4096;
		for (uint32_t i = 0; i < blocks * 512; i++)
			memory[at + i] = (uint8_t)(i * 31 + round);
		struct storage_vsc_request request = request_of(
			disk, STORAGE_VSC_WRITE, lba, blocks, at, &outcome);
		request.flags = round % 3 == 0 ? STORAGE_VSC_FUA : 0;
		CU_ASSERT_EQUAL(go(pair, &request), 0);
		CU_ASSERT_EQUAL(memcmp(model + lba * 512, memory + at, blocks * 512), 0);
		memset(memory + at, 0, blocks * 512);
		memory[at + blocks * 512] = 0x5A;
		request = request_of(disk, STORAGE_VSC_READ, lba, blocks, at, &outcome);
		CU_ASSERT_EQUAL(go(pair, &request), 0);
		CU_ASSERT_EQUAL(memcmp(model + lba * 512, memory + at, blocks * 512), 0);
		CU_ASSERT_EQUAL(memory[at + blocks * 512], 0x5A);
	}
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT(pair->channels[i].packets > 100);
	pair_free(pair);
}

static void flush_unmap_and_write_same_are_understood(void)
{
	struct pair *pair = pair_new(0, false);
	pair_start(pair);
	uint8_t *model = store_ram_bytes(pair->disk_store);
	uint8_t *memory = pair->rig->memory;
	struct storage_vsc_lun *disk = disk_of(pair);
	struct outcome outcome;
	memset(model, 0xAA, DISK_BYTES);
	struct storage_vsc_request request = request_of(
		disk, STORAGE_VSC_FLUSH, 0, 0, 65536, &outcome);
	CU_ASSERT_EQUAL(go(pair, &request), 0);
	memset(memory + 65536, 0, 512);
	const uint32_t most = (uint32_t)disk->properties.write_same_blocks_max;
	CU_ASSERT_FATAL(most >= 300);
	request = request_of(disk, STORAGE_VSC_WRITE_SAME, 100, 300, 65536, &outcome);
	request.data.bytes = 512;
	request.flags = disk->properties.can_unmap_same ? STORAGE_VSC_MAY_UNMAP : 0;
	CU_ASSERT_EQUAL(go(pair, &request), 0);
	unsigned others = 0;
	for (unsigned i = 100 * 512; i < 400 * 512; i++)
		others += model[i] != 0;
	CU_ASSERT_EQUAL(others, 0);
	CU_ASSERT_EQUAL(model[100 * 512 - 1], 0xAA);
	CU_ASSERT_EQUAL(model[400 * 512], 0xAA);
	/* one block past what page B0 allows */
	request.blocks = most + 1;
	CU_ASSERT_NOT_EQUAL(go(pair, &request), 0);
	if (disk->properties.can_unmap) {
		request = request_of(disk, STORAGE_VSC_UNMAP, 4000, 100, 65536, &outcome);
		request.data.bytes = STORAGE_UNMAP_LIST_BYTES;
		storage_unmap_list_put(memory + 65536, 4000, 100);
		CU_ASSERT_EQUAL(go(pair, &request), 0);
	}
	pair_free(pair);
}

static void a_read_only_disk_takes_no_writes(void)
{
	struct pair *pair = pair_new(0, true);
	pair_start(pair);
	struct storage_vsc_lun *disk = disk_of(pair);
	struct outcome outcome;
	CU_ASSERT(disk->properties.is_read_only);
	struct storage_vsc_request request = request_of(
		disk, STORAGE_VSC_WRITE, 0, 1, 65536, &outcome);
	CU_ASSERT_EQUAL(go(pair, &request), -VIRIDIAN_EROFS);
	/* and the host says so itself to a guest that does not look */
	disk->properties.is_read_only = false;
	request = request_of(disk, STORAGE_VSC_WRITE, 0, 1, 65536, &outcome);
	CU_ASSERT_EQUAL(go(pair, &request), -VIRIDIAN_EROFS);
	CU_ASSERT_EQUAL(outcome.sense.asc, SCSI_ASC_WRITE_PROTECTED);
	request = request_of(disk, STORAGE_VSC_READ, 0, 1, 65536, &outcome);
	CU_ASSERT_EQUAL(go(pair, &request), 0);
	pair_free(pair);
}

static void a_read_past_the_end_is_refused_by_both(void)
{
	struct pair *pair = pair_new(0, false);
	pair_start(pair);
	struct storage_vsc_lun *disk = disk_of(pair);
	struct outcome outcome;
	struct storage_vsc_request request = request_of(
		disk, STORAGE_VSC_READ, DISK_BYTES / 512, 1, 65536, &outcome);
	CU_ASSERT_EQUAL(go(pair, &request), -VIRIDIAN_EINVAL);
	disk->properties.blocks++;
	CU_ASSERT_EQUAL(go(pair, &request), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(outcome.sense.asc, SCSI_ASC_LBA_OUT_OF_RANGE);
	pair_free(pair);
}

static void devices_come_and_go(void)
{
	struct pair *pair = pair_new(0, false);
	pair_start(pair);
	struct scsi_device *more;
	device_make(pair, &more, 1u << 20, 512, false, 9);
	rig_later(pair->rig, 200);
	CU_ASSERT_EQUAL(storage_vsp_attach(pair->vsp, (struct storage_address){0, 2, 0}, more), 0);
	run(pair);
	CU_ASSERT_EQUAL(pair->rig->added, 3);
	CU_ASSERT_EQUAL(rig_lun(pair->rig, 2, 0)->properties.blocks, 2048);
	rig_later(pair->rig, 200);
	CU_ASSERT_EQUAL(
		storage_vsp_detach(pair->vsp, (struct storage_address){0, 1, 5}, on_detached, pair),
		0);
	run(pair);
	CU_ASSERT_EQUAL(pair->detached, 1);
	CU_ASSERT_EQUAL(pair->rig->removed, 1);
	CU_ASSERT_PTR_NULL(storage_vsc_lun_find(&pair->rig->vsc, 0, 1, 5));
	pair_free(pair);
}

static void a_command_to_a_device_that_has_just_gone_ends_and_starts_a_scan(void)
{
	/* 2.0 has no notification: only the command's end tells */
	struct pair *pair = pair_new(STORAGE_VERSION_2_0, false);
	pair_start(pair);
	struct outcome outcome;
	struct storage_vsc_request request = request_of(
		disk_of(pair), STORAGE_VSC_READ, 0, 1, 65536, &outcome);
	rig_later(pair->rig, 200);
	CU_ASSERT_EQUAL(
		storage_vsp_detach(pair->vsp, (struct storage_address){0, 0, 0}, on_detached, pair),
		0);
	CU_ASSERT_EQUAL(go(pair, &request), -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(pair->rig->removed, 1);
	pair_free(pair);
}

static void resets_are_answered_and_harm_nothing(void)
{
	struct pair *pair = pair_new(0, false);
	pair_start(pair);
	struct outcome outcome;
	CU_ASSERT_EQUAL(storage_vsc_reset(&pair->rig->vsc, disk_of(pair)), 0);
	CU_ASSERT_EQUAL(storage_vsc_reset(&pair->rig->vsc, NULL), 0);
	run(pair);
	CU_ASSERT_EQUAL(pair->rig->vsc.counters.resets, 2);
	CU_ASSERT_EQUAL(pair->rig->vsc.control.operation, 0);
	/* a unit attention that a reset leaves behind is retried away */
	struct storage_vsc_request request = request_of(
		disk_of(pair), STORAGE_VSC_READ, 0, 8, 65536, &outcome);
	CU_ASSERT_EQUAL(go(pair, &request), 0);
	pair_free(pair);
}

static void channels_can_be_closed_and_opened_again(void)
{
	struct pair *pair = pair_new(0, false);
	for (unsigned round = 0; round < 20; round++) {
		pair_start(pair);
		struct outcome outcome;
		struct storage_vsc_request request = request_of(
			disk_of(pair), STORAGE_VSC_READ, 0, 8, 65536, &outcome);
		CU_ASSERT_EQUAL(go(pair, &request), 0);
		pair_close(pair);
		CU_ASSERT_EQUAL(pair->rig->vsc.state, STORAGE_VSC_CLOSED);
		CU_ASSERT_EQUAL(storage_vsp_state(pair->vsp), STORAGE_STATE_BEGIN);
	}
	pair_free(pair);
}

static void many_requests_at_once_all_end(void)
{
	enum { COUNT = 500 };
	struct pair *pair = pair_new(0, false);
	pair_start(pair);
	static struct storage_vsc_request requests[COUNT];
	static struct outcome outcomes[COUNT];
	memset(outcomes, 0, sizeof outcomes);
	for (unsigned i = 0; i < COUNT; i++) {
		requests[i] = request_of(
			disk_of(pair), STORAGE_VSC_READ, i * 16, 1 + i % 400, 65536, &outcomes[i]);
		CU_ASSERT_EQUAL(storage_vsc_submit(&pair->rig->vsc, &requests[i]), 0);
	}
	storage_vsc_flush(&pair->rig->vsc);
	run(pair);
	for (unsigned i = 0; i < COUNT; i++)
		CU_ASSERT(outcomes[i].calls == 1 && outcomes[i].result == 0);
	CU_ASSERT_EQUAL(pair->rig->vsc.in_flight, 0);
	pair_free(pair);
}

static const struct test tests[] = {
	TEST(each_version_is_agreed_and_finds_the_devices),
	TEST(the_guest_learns_what_the_host_has),
	TEST(data_written_are_read_back_over_all_channels),
	TEST(flush_unmap_and_write_same_are_understood),
	TEST(a_read_only_disk_takes_no_writes),
	TEST(a_read_past_the_end_is_refused_by_both),
	TEST(devices_come_and_go),
	TEST(a_command_to_a_device_that_has_just_gone_ends_and_starts_a_scan),
	TEST(resets_are_answered_and_harm_nothing),
	TEST(channels_can_be_closed_and_opened_again),
	TEST(many_requests_at_once_all_end),
};
TEST_MAIN("storage_pair", tests)
