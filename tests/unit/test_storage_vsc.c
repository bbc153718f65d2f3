// SPDX-License-Identifier: Apache-2.0
/* Storage client against a host that behaves: wire bytes, handshake, requests, enumeration. */
#include "tests/harness.h"
#include "tests/unit/storage_vsc_rig.h"

#define GOLDEN_BYTES_MAX 2200u

/* A packet that a real guest sent, from tests/data/storage.txt. */
static size_t golden(const char *name, uint8_t *bytes)
{
	char line[2 * GOLDEN_BYTES_MAX + 64];
	size_t count = 0;
	FILE *file = fopen("tests/data/storage.txt", "r");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof line, file) != NULL) {
		const size_t length = strlen(name);
		if (strncmp(line, name, length) != 0 || line[length] != ' ')
			continue;
		unsigned byte;
		while (sscanf(line + length + 1 + 2 * count, "%2x", &byte) == 1)
			bytes[count++] = (uint8_t)byte;
		break;
	}
	fclose(file);
	return count;
}

/* Compare a packet that we sent with a golden one; page numbers only if asked. */
static void golden_compare(const char *name, const struct rig_packet *packet, bool with_range)
{
	uint8_t bytes[GOLDEN_BYTES_MAX];
	const size_t count = golden(name, bytes);
	CU_ASSERT_FATAL(count >= 16);
	const uint32_t offset = 8u * (uint32_t)(bytes[2] | bytes[3] << 8);
	CU_ASSERT_EQUAL(packet->type, bytes[0] | bytes[1] << 8);
	CU_ASSERT_EQUAL(packet->flags, bytes[6] | bytes[7] << 8);
	CU_ASSERT_EQUAL_FATAL(packet->extended_bytes, offset - 16);
	CU_ASSERT_EQUAL_FATAL(packet->payload_bytes, count - offset);
	CU_ASSERT_EQUAL(memcmp(packet->payload, bytes + offset, count - offset), 0);
	/* range count; and, for the same memory, the whole list but its reserved word */
	if (packet->extended_bytes > 0)
		CU_ASSERT_EQUAL(memcmp(packet->extended + 4, bytes + 20, 4), 0);
	if (with_range)
		CU_ASSERT_EQUAL(
			memcmp(packet->extended + 4, bytes + 20, packet->extended_bytes - 4), 0);
}

struct outcome {
	unsigned calls;
	int result;
};

static void on_done(struct storage_vsc_request *request)
{
	struct outcome *outcome = request->ctx;
	outcome->calls++;
	outcome->result = request->result;
}

static struct storage_vsc_request transfer(struct storage_vsc_lun *lun, uint8_t op, uint64_t lba,
	uint32_t blocks, struct outcome *outcome)
{
	struct storage_vsc_request request = {
		.lun = lun,
		.op = op,
		.lba = lba,
		.blocks = blocks,
		.data = {.first_gpn = 16, .bytes = blocks * lun->properties.block_bytes},
		.done = on_done,
		.ctx = outcome,
	};
	return request;
}

/* ---- handshake ---------------------------------------------------------- */

/* R-STOR-050, R-STOR-052. */
static void handshake_is_byte_for_byte_that_of_a_real_guest(void)
{
	static const char *const names[] = {"begin_initialization", "query_protocol_version_0602",
		"query_properties", "end_initialization", "create_sub_channels_1"};
	struct rig *rig = rig_new();
	rig->sub_channels = 1;
	rig->vsc.config.sub_channels = 4;
	rig_start(rig);
	rig_run(rig);
	CU_ASSERT_EQUAL_FATAL(rig->sent_count, 5);
	for (unsigned i = 0; i < 5; i++) {
		golden_compare(names[i], &rig->sent[i], false);
		CU_ASSERT_NOT_EQUAL(rig->sent[i].id, 0);
	}
	CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_READY);
	CU_ASSERT_EQUAL(rig->states, 1);
	CU_ASSERT_EQUAL(rig->sub_channels_told, 1);
	CU_ASSERT_EQUAL(rig->vsc.sub_channels_granted, 1);
	CU_ASSERT_EQUAL(rig->vsc.max_transfer_bytes, 0x40000);
	free(rig);
}

/* R-STOR-049. */
static void version_falls_back_from_the_newest_in_order(void)
{
	struct rig *rig = rig_new();
	rig->accepts = STORAGE_VERSION_5_1;
	rig_start(rig);
	rig_run(rig);
	golden_compare("query_protocol_version_0602", &rig->sent[1], false);
	golden_compare("query_protocol_version_0600", &rig->sent[2], false);
	golden_compare("query_protocol_version_0501", &rig->sent[3], false);
	CU_ASSERT_EQUAL(rig->vsc.version->version, STORAGE_VERSION_5_1);
	CU_ASSERT_EQUAL(rig->sent_count, 6);
	free(rig);
}

static void every_version_can_be_agreed_and_used_with_its_sizes(void)
{
	static const struct {
		uint16_t version;
		uint32_t bytes, sense;
	} cases[] = {
		{STORAGE_VERSION_6_2, 64, 20},
		{STORAGE_VERSION_6_0, 64, 20},
		{STORAGE_VERSION_5_1, 64, 20},
		{STORAGE_VERSION_4_2, 48, 18},
		{STORAGE_VERSION_2_0, 48, 18},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig *rig = rig_new();
		struct outcome outcome = {0, 1};
		rig->accepts = cases[i].version;
		rig_start(rig);
		rig_run(rig);
		CU_ASSERT_EQUAL_FATAL(rig->vsc.state, STORAGE_VSC_READY);
		CU_ASSERT_EQUAL(rig->vsc.version->version, cases[i].version);
		(void)storage_vsc_rescan(&rig->vsc);
		rig_run(rig);
		CU_ASSERT_EQUAL_FATAL(rig->added, 2);
		struct storage_vsc_lun *lun = rig_lun(rig, 0, 0);
		struct storage_vsc_request request = transfer(
			lun, STORAGE_VSC_READ, 8, 8, &outcome);
		CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), 0);
		storage_vsc_flush(&rig->vsc);
		rig_run(rig);
		CU_ASSERT_EQUAL(outcome.calls, 1);
		CU_ASSERT_EQUAL(outcome.result, 0);
		CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload_bytes, cases[i].bytes);
		CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload[12], cases[i].bytes - 12);
		CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload[21], cases[i].sense);
		free(rig);
	}
}

static void multi_channel_is_not_asked_for_below_5_1(void)
{
	struct rig *rig = rig_new();
	rig->accepts = STORAGE_VERSION_4_2;
	rig->sub_channels = 3;
	rig->vsc.config.sub_channels = 3;
	rig_start(rig);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_READY);
	CU_ASSERT_EQUAL(rig->vsc.sub_channels_offered, 0);
	CU_ASSERT_EQUAL(rig->sub_channels_told, 0);
	free(rig);
}

static void highest_version_can_be_limited(void)
{
	struct rig *rig = rig_new();
	rig->vsc.config.version_max = STORAGE_VERSION_4_2;
	rig_start(rig);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->sent[0].payload_bytes, 48);
	CU_ASSERT_EQUAL(rig->vsc.version->version, STORAGE_VERSION_4_2);
	free(rig);
}

/* ---- requests ----------------------------------------------------------- */

/* R-STOR-050. */
static void commands_are_byte_for_byte_those_of_a_real_guest(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0, 0};
	struct storage_vsc_lun *lun = rig_lun(rig, 0, 0);
	uint8_t bytes[GOLDEN_BYTES_MAX];
	static const struct {
		const char *name;
		uint8_t op;
		uint64_t lba;
		uint32_t blocks;
		uint32_t bytes;
	} cases[] = {
		{"read_4k", STORAGE_VSC_READ, 0, 8, 4096},
		{"read_32k_list", STORAGE_VSC_READ, 0x20, 64, 32768},
		{"read_256k_list", STORAGE_VSC_READ, 0, 512, 262144},
		{"write_4k", STORAGE_VSC_WRITE, 0, 8, 4096},
		{"write_64k_list", STORAGE_VSC_WRITE, 0x80, 128, 65536},
		{"flush", STORAGE_VSC_FLUSH, 0, 0, 0},
		{"unmap", STORAGE_VSC_UNMAP, 0, 8, 24},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t gpns[64];
		const size_t count = golden(cases[i].name, bytes);
		CU_ASSERT_FATAL(count > 0);
		const size_t list_bytes = 8u * (size_t)(bytes[2] | bytes[3] << 8) - 16;
		if (list_bytes > 0)
			memcpy(gpns, bytes + 32, list_bytes - 16);
		struct storage_vsc_request request = transfer(
			lun, cases[i].op, cases[i].lba, cases[i].blocks, &outcome);
		request.data.gpns = gpns;
		request.data.bytes = cases[i].bytes;
		/* the golden READs and WRITEs say where they are */
		if (cases[i].op <= STORAGE_VSC_WRITE)
			request.lba = scsi_get32(bytes + count - 64 + 30);
		CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), 0);
		storage_vsc_flush(&rig->vsc);
		rig_run(rig);
		golden_compare(cases[i].name, rig_sent(rig, 0), list_bytes > 0);
	}
	CU_ASSERT_EQUAL(outcome.calls, sizeof cases / sizeof cases[0]);
	free(rig);
}

/* Find the command of the scan that a golden packet shows. */
static void scan_compare(const struct rig *rig, const char *name, bool has_other_length)
{
	uint8_t bytes[GOLDEN_BYTES_MAX];
	const size_t count = golden(name, bytes);
	if (count < 64 || count > sizeof bytes) {
		CU_FAIL("no such golden packet");
		return;
	}
	const uint8_t *payload = bytes + count - 64;
	for (unsigned i = 0; i < rig->sent_count; i++) {
		struct rig_packet packet = rig->sent[i % RIG_SENT_MAX];
		if (packet.payload[0] != STORAGE_OP_EXECUTE_SRB ||
			memcmp(packet.payload + 28, payload + 28, 4) != 0 ||
			packet.payload[18] != payload[18])
			continue;
		if (has_other_length) {
			memcpy(packet.payload + 24, payload + 24, 4);
			packet.payload[32] = payload[32];
		}
		golden_compare(name, &packet, false);
		return;
	}
	CU_FAIL("the scan did not send it");
}

static void scan_commands_match_those_of_a_real_guest(void)
{
	struct rig *rig = rig_new();
	rig->units[3] = (struct rig_lun){.is_there = true,
		.target = 1,
		.type = SCSI_TYPE_DISK,
		.blocks = 64,
		.block_bytes = 512,
		.serial = "SERIAL04"};
	rig_start(rig);
	rig_run(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	scan_compare(rig, "inquiry_untagged", false);
	scan_compare(rig, "inquiry_target_1", false);
	scan_compare(rig, "vpd_b2", false);
	scan_compare(rig, "test_unit_ready", false);
	scan_compare(rig, "capacity16", false);
	scan_compare(rig, "mode_sense6_all", true);
	free(rig);
}

static void sixteen_byte_forms_are_used_past_two_tebibytes(void)
{
	struct rig *rig = rig_new();
	struct outcome outcome = {0, 1};
	rig->units[0].blocks = 0x200000000ull;
	rig_start(rig);
	rig_run(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	struct storage_vsc_lun *lun = rig_lun(rig, 0, 0);
	CU_ASSERT_EQUAL(lun->properties.blocks, 0x200000000ull);
	struct storage_vsc_request request = transfer(
		lun, STORAGE_VSC_WRITE, 0x1FFFFFFFFull, 1, &outcome);
	request.flags = STORAGE_VSC_FUA;
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), 0);
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	static const uint8_t cdb[16] = {0x8A, 0x08, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1};
	CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload[20], 16);
	CU_ASSERT_EQUAL(memcmp(rig_sent(rig, 0)->payload + 28, cdb, 16), 0);
	/* one short of the border the ten-byte form does */
	request = transfer(lun, STORAGE_VSC_READ, 0xFFFFFFFEull, 1, &outcome);
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), 0);
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload[28], 0x28);
	CU_ASSERT_EQUAL(outcome.calls, 2);
	free(rig);
}

static void write_same_carries_one_block_and_the_unmap_bit(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0, 1};
	struct storage_vsc_lun *lun = rig_lun(rig, 0, 0);
	struct storage_vsc_request request = transfer(
		lun, STORAGE_VSC_WRITE_SAME, 4, 1000, &outcome);
	request.data.bytes = 512;
	request.flags = STORAGE_VSC_MAY_UNMAP;
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), 0);
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	static const uint8_t cdb[16] = {0x93, 0x08, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0x03, 0xE8};
	CU_ASSERT_EQUAL(memcmp(rig_sent(rig, 0)->payload + 28, cdb, 16), 0);
	CU_ASSERT_EQUAL(outcome.result, 0);
	free(rig);
}

/* R-STOR-051. */
static void data_at_any_offset_and_length_gets_the_right_page_list(void)
{
	struct rig *rig = rig_scanned();
	struct storage_vsc_lun *lun = rig_lun(rig, 0, 0);
	const struct winhv_pages pages = {.va = rig->memory, .gpa = 0x7000, .bytes = 0x10000};
	for (uint32_t offset = 0; offset < 4096; offset += 513) {
		for (uint32_t blocks = 1; blocks < 30; blocks += 7) {
			struct outcome outcome = {0, 1};
			struct storage_vsc_request request = transfer(
				lun, STORAGE_VSC_READ, 0, blocks, &outcome);
			request.data = storage_vsc_data_at(&pages, 4096 + offset, blocks * 512);
			CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), 0);
			storage_vsc_flush(&rig->vsc);
			rig_run(rig);
			const uint32_t list = (offset + blocks * 512 + 4095) / 4096;
			const struct rig_packet *packet = rig_sent(rig, 0);
			uint32_t words[4];
			CU_ASSERT_EQUAL_FATAL(packet->extended_bytes, 16 + 8 * list);
			memcpy(words, packet->extended, sizeof words);
			CU_ASSERT_EQUAL(words[1], 1);
			CU_ASSERT_EQUAL(words[2], blocks * 512);
			CU_ASSERT_EQUAL(words[3], offset);
			for (uint32_t i = 0; i < list; i++) {
				uint64_t gpn;
				memcpy(&gpn, packet->extended + 16 + 8 * i, 8);
				CU_ASSERT_EQUAL(gpn, 8 + i);
			}
			CU_ASSERT_EQUAL(outcome.result, 0);
		}
	}
	free(rig);
}

/* R-STOR-051. */
static void bad_requests_are_refused_before_anything_is_sent(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0, 0};
	struct storage_vsc_lun *lun = rig_lun(rig, 0, 0);
	struct storage_vsc_lun *dvd = rig_lun(rig, 2, 0);
	const unsigned sent = rig->sent_count;
	struct storage_vsc_request r = transfer(
		lun, STORAGE_VSC_READ, RIG_DISK_BLOCKS, 1, &outcome);
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &r), -VIRIDIAN_EINVAL);
	r = transfer(lun, STORAGE_VSC_READ, UINT64_MAX, 2, &outcome);
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &r), -VIRIDIAN_EINVAL);
	r = transfer(lun, STORAGE_VSC_WRITE, 0, 0, &outcome);
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &r), -VIRIDIAN_EINVAL);
	r = transfer(lun, STORAGE_VSC_READ, 0, 8, &outcome);
	r.data.bytes = 4095;
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &r), -VIRIDIAN_EINVAL);
	r = transfer(lun, STORAGE_VSC_READ, 0, 513, &outcome);
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &r), -VIRIDIAN_EMSGSIZE);
	r = transfer(lun, STORAGE_VSC_READ, 0, 8, &outcome);
	r.data.offset = 4096;
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &r), -VIRIDIAN_EINVAL);
	r = transfer(dvd, STORAGE_VSC_WRITE, 0, 1, &outcome);
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &r), -VIRIDIAN_EROFS);
	r = transfer(lun, 99, 0, 1, &outcome);
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &r), -VIRIDIAN_EINVAL);
	CU_ASSERT_EQUAL(rig_host_run(rig, 0), 0);
	CU_ASSERT_EQUAL(rig->sent_count, sent);
	CU_ASSERT_EQUAL(outcome.calls, 0);
	free(rig);
}

static void a_batch_is_published_once(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0, 0};
	struct storage_vsc_lun *lun = rig_lun(rig, 0, 0);
	struct storage_vsc_request requests[6];
	const unsigned flushes = rig->channels[0].flushes;
	for (unsigned i = 0; i < 6; i++) {
		requests[i] = transfer(lun, STORAGE_VSC_READ, i, 1, &outcome);
		CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &requests[i]), 0);
	}
	CU_ASSERT_EQUAL(rig_host_run(rig, 0), 0);
	storage_vsc_flush(&rig->vsc);
	CU_ASSERT_EQUAL(rig->channels[0].flushes, flushes + 1);
	CU_ASSERT_EQUAL(rig_host_run(rig, 0), 6);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcome.calls, 6);
	free(rig);
}

static void more_requests_than_slots_and_ring_wait_in_order(void)
{
	enum { COUNT = 200 };
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0, 0};
	struct storage_vsc_lun *lun = rig_lun(rig, 0, 0);
	static struct storage_vsc_request requests[COUNT];
	for (unsigned i = 0; i < COUNT; i++) {
		/* 64 pages each: the ring holds twelve */
		requests[i] = transfer(lun, STORAGE_VSC_READ, i, 512, &outcome);
		CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &requests[i]), 0);
	}
	CU_ASSERT_EQUAL(rig->vsc.in_flight, RIG_SLOTS);
	storage_vsc_flush(&rig->vsc);
	const unsigned first = rig->sent_count;
	rig_run(rig);
	CU_ASSERT_EQUAL(outcome.calls, COUNT);
	CU_ASSERT_EQUAL(outcome.result, 0);
	CU_ASSERT_EQUAL(rig->sent_count - first, COUNT);
	CU_ASSERT_EQUAL(scsi_get32(rig_sent(rig, 0)->payload + 30), COUNT - 1);
	CU_ASSERT_EQUAL(rig->vsc.in_flight, 0);
	free(rig);
}

static unsigned chain_left;

static void on_done_again(struct storage_vsc_request *request)
{
	struct rig *rig = request->ctx;
	if (chain_left > 0) {
		chain_left--;
		if (storage_vsc_submit(&rig->vsc, request) != 0)
			CU_FAIL("submit from done()");
	}
}

static void done_may_submit_again(void)
{
	struct rig *rig = rig_scanned();
	struct storage_vsc_lun *lun = rig_lun(rig, 0, 0);
	struct outcome unused = {0, 0};
	struct storage_vsc_request request = transfer(lun, STORAGE_VSC_READ, 0, 1, &unused);
	request.done = on_done_again;
	request.ctx = rig;
	chain_left = 1000;
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), 0);
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(chain_left, 0);
	CU_ASSERT_EQUAL(lun->reads, 1001);
	free(rig);
}

static void requests_spread_over_the_channels(void)
{
	struct rig *rig = rig_new();
	rig->sub_channels = 2;
	rig->vsc.config.sub_channels = 2;
	rig_start(rig);
	rig_run(rig);
	CU_ASSERT_EQUAL_FATAL(rig->vsc.sub_channels_granted, 2);
	rig_sub_channel_add(rig);
	rig_sub_channel_add(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	struct outcome outcome = {0, 0};
	struct storage_vsc_lun *lun = rig_lun(rig, 0, 0);
	unsigned on[3] = {0, 0, 0};
	struct storage_vsc_request request = transfer(lun, STORAGE_VSC_READ, 0, 1, &outcome);
	for (unsigned i = 0; i < 60; i++) {
		CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), 0);
		storage_vsc_flush(&rig->vsc);
		rig_run(rig);
		on[rig_sent(rig, 0)->channel]++;
	}
	CU_ASSERT_EQUAL(outcome.calls, 60);
	CU_ASSERT(on[0] > 10 && on[1] > 10 && on[2] > 10);
	/* one that is retired gets no more */
	storage_vsc_channel_retire(&rig->vsc, 1);
	for (unsigned i = 0; i < 30; i++) {
		(void)storage_vsc_submit(&rig->vsc, &request);
		storage_vsc_flush(&rig->vsc);
		rig_run(rig);
		CU_ASSERT_NOT_EQUAL(rig_sent(rig, 0)->channel, 1);
	}
	free(rig);
}

/* ---- life --------------------------------------------------------------- */

static void a_lun_can_be_attached_without_a_scan(void)
{
	struct rig *rig = rig_ready();
	struct outcome outcome = {0, 1};
	const struct storage_properties p = {
		.blocks = RIG_DISK_BLOCKS, .block_bytes = 512, .is_tagged = true};
	struct storage_vsc_lun *lun;
	CU_ASSERT_EQUAL(storage_vsc_lun_attach(&rig->vsc, 0, 0, 0, &p, &lun), 0);
	struct storage_vsc_lun *other;
	CU_ASSERT_EQUAL(storage_vsc_lun_attach(&rig->vsc, 0, 0, 0, &p, &other), -VIRIDIAN_EEXIST);
	CU_ASSERT_EQUAL(storage_vsc_lun_attach(&rig->vsc, 0, 0, 255, &p, &other), -VIRIDIAN_EINVAL);
	struct storage_vsc_request request = transfer(lun, STORAGE_VSC_READ, 0, 8, &outcome);
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), 0);
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcome.result, 0);
	free(rig);
}

static void client_can_stop_and_start_again(void)
{
	struct rig *rig = rig_scanned();
	storage_vsc_stop(&rig->vsc, -VIRIDIAN_ECANCELED, false);
	CU_ASSERT_EQUAL(rig->removed, 2);
	CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_CLOSED);
	rig_start(rig);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_READY);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->added, 4);
	char text[128];
	CU_ASSERT_PTR_NOT_NULL(
		strstr(storage_vsc_describe(&rig->vsc, text, sizeof text), "ready, protocol 6.2"));
	CU_ASSERT_STRING_EQUAL(storage_vsc_describe(&rig->vsc, text, 4), "rea");
	free(rig);
}

static void configuration_is_checked(void)
{
	struct rig *rig = rig_new();
	struct storage_vsc_config config = rig_config(rig);
	config.slot_count = 0;
	CU_ASSERT_EQUAL(storage_vsc_init(&rig->vsc, &config), -VIRIDIAN_EINVAL);
	config.slot_count = STORAGE_VSC_SLOTS_MAX + 1;
	CU_ASSERT_EQUAL(storage_vsc_init(&rig->vsc, &config), -VIRIDIAN_EINVAL);
	config = rig_config(rig);
	config.path_count = 9;
	CU_ASSERT_EQUAL(storage_vsc_init(&rig->vsc, &config), -VIRIDIAN_EINVAL);
	config = rig_config(rig);
	config.target_count = 65;
	CU_ASSERT_EQUAL(storage_vsc_init(&rig->vsc, &config), -VIRIDIAN_EINVAL);
	config = rig_config(rig);
	config.version_max = 0x0300;
	CU_ASSERT_EQUAL(storage_vsc_init(&rig->vsc, &config), -VIRIDIAN_EINVAL);
	config = rig_config(rig);
	config.sub_channels = 65;
	CU_ASSERT_EQUAL(storage_vsc_init(&rig->vsc, &config), -VIRIDIAN_EINVAL);
	config.sub_channels = 64;
	CU_ASSERT_EQUAL(storage_vsc_init(&rig->vsc, &config), 0);
	free(rig);
}

static const struct test tests[] = {
	TEST(handshake_is_byte_for_byte_that_of_a_real_guest),
	TEST(version_falls_back_from_the_newest_in_order),
	TEST(every_version_can_be_agreed_and_used_with_its_sizes),
	TEST(multi_channel_is_not_asked_for_below_5_1),
	TEST(highest_version_can_be_limited),
	TEST(commands_are_byte_for_byte_those_of_a_real_guest),
	TEST(scan_commands_match_those_of_a_real_guest),
	TEST(sixteen_byte_forms_are_used_past_two_tebibytes),
	TEST(write_same_carries_one_block_and_the_unmap_bit),
	TEST(data_at_any_offset_and_length_gets_the_right_page_list),
	TEST(bad_requests_are_refused_before_anything_is_sent),
	TEST(a_batch_is_published_once),
	TEST(more_requests_than_slots_and_ring_wait_in_order),
	TEST(done_may_submit_again),
	TEST(requests_spread_over_the_channels),
	TEST(a_lun_can_be_attached_without_a_scan),
	TEST(client_can_stop_and_start_again),
	TEST(configuration_is_checked),
};
TEST_MAIN("storage_vsc", tests)
