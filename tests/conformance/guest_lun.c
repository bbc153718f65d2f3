// SPDX-License-Identifier: Apache-2.0
/* The storage client's search for devices, notices, and devices that lie: storage.md 5.2, 9. */
#include "tests/conformance/guest_storage.h"

#include <string.h>

/* ---- plugging ------------------------------------------------------------------------------- */

static enum conform_verdict plugged(struct conform_target *t)
{
	static const uint8_t operations[] = {11, 2, 14};
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	EXPECT(stage->added == 1, "%u disks are found", stage->added);
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t packet[64] = {operations[i]};
		stage->has_lun ^= 2; /* LUN 1 comes, goes, comes */
		const unsigned scans = stage->scans;
		EXPECT(storage_stage_send(stage, 1, PACKET_TYPE_INBAND, 0, packet, 64),
			"there is no room");
		storage_stage_later(stage, 1000);
		EXPECT(stage->scans > scans, "operation %u: it does not look", operations[i]);
		EXPECT((stage_lun(stage, 1) != NULL) == ((stage->has_lun & 2) != 0),
			"operation %u: it does not see", operations[i]);
		EXPECT(stage_lun(stage, 0) != NULL, "operation %u: the other disk is gone",
			operations[i]);
	}
	EXPECT(stage->added == 3 && stage->removed == 1, "%u came, %u went", stage->added,
		stage->removed);
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static void fail_inquiry(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	(void)stage;
	if (stage_is_cdb(packet, 0x12))
		stage_check(answer, 3, 0x11, 0); /* unrecovered read error */
}

/* A disk that fails for a moment stays; one with another number is another one. */
static enum conform_verdict same_disk(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	stage->hook = fail_inquiry;
	EXPECT(storage_controller_scan(&stage->controller, guest_deadline(stage->h)) == 0,
		"the search fails");
	EXPECT(stage->removed == 0 && stage_lun(stage, 0) != NULL, "a disk that fails is gone");
	TRY(stage_reads(stage));
	stage->serial = 2;
	EXPECT(storage_controller_scan(&stage->controller, guest_deadline(stage->h)) == 0,
		"the search fails");
	EXPECT(stage->removed == 1 && stage->added == 2, "another disk is taken for the same: %u",
		stage->added);
	TRY(stage_reads(stage));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* Nothing is to be done about these. */
static enum conform_verdict unasked_packets(struct conform_target *t)
{
	static const uint32_t operations[] = {
		0, 1, 3, 4, 7, 8, 9, 10, 12, 13, 15, 16, 0x80000001, 0xffffffff};
	struct storage_stage *stage = storage_stage_ready(t);
	uint8_t packet[64] = {0};

	TRY(stage != NULL);
	const unsigned packets = stage->packet_count;
	for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++)
		for (uint32_t bytes = 0; bytes <= 64; bytes += 8) {
			put32(packet, operations[i]);
			EXPECT(storage_stage_send(stage, 1, PACKET_TYPE_INBAND, 0, packet, bytes),
				"there is no room");
			storage_stage_later(stage, 1000);
			EXPECT(stage->packet_count == packets,
				"operation 0x%x in %u bytes has an effect", operations[i], bytes);
		}
	EXPECT(stage_read_now(stage, 3) == 0, "a read fails");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* 2000 in two seconds: a look each 100 ms, no more. */
static enum conform_verdict flood(struct conform_target *t)
{
	static const uint8_t packet[64] = {11};
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	const unsigned scans = stage->scans;
	for (unsigned i = 0; i < 200; i++) {
		for (unsigned n = 0; n < 10; n++)
			EXPECT(storage_stage_send(stage, 1, PACKET_TYPE_INBAND, 0, packet, 64),
				"there is no room");
		storage_stage_later(stage, 10);
	}
	EXPECT(stage->scans - scans <= 25, "it looks %u times", stage->scans - scans);
	EXPECT(stage->scans > scans, "it does not look");
	EXPECT(stage_read_now(stage, 3) == 0, "a read fails");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* ---- devices that lie ----------------------------------------------------------------------- */

struct lie {
	uint8_t code; /* of the CDB whose data it is */
	uint16_t bytes;
	uint32_t moved; /* as the answer has it */
	uint8_t data[48];
};

static const struct lie *the_lie;

static void lie(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	(void)stage;
	if (!stage_is_cdb(packet, the_lie->code))
		return;
	memset(answer->data, 0xff, sizeof answer->data);
	memcpy(answer->data, the_lie->data, sizeof the_lie->data);
	answer->data_bytes = the_lie->bytes;
	put32(answer->payload + VSTOR_DATA_LENGTH, the_lie->moved);
}

/* Lengths past what there is, in each reply that has some; blocks and disks of sizes that are none.
 * What it makes of them is its own affair: it ends, and stays within its memory. */
static enum conform_verdict lying_devices(struct conform_target *t)
{
	static const struct lie lies[] = {
		{0xa0, 16, 0xffffffff, {0xff, 0xff, 0xff, 0xf8}},
		{0xa0, 16, 16, {0x7f, 0xff, 0xff, 0xf8}},
		{0xa0, 8, 8, {0, 0, 0, 8}},
		{0xa0, 4, 4, {0, 0, 0, 8}},
		{0xa0, 0, 0, {0}},
		{0xa0, 24, 24, {0, 0, 0, 16}},
		{0x12, 36, 0x80000000, {0, 0x80, 5, 2, 0xff}},
		{0x12, 4, 4, {0, 0, 0, 0xff}},
		{0x12, 36, 36, {0, 0x80, 0xff, 0xff, 0xff}},
		{0x9e, 32, 32, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0}},
		{0x9e, 32, 32, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0, 0, 2, 0}},
		{0x9e, 32, 32, {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 16, 0}},
		{0x9e, 32, 32, {0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0}},
		{0x9e, 32, 32, {0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 1}},
		{0x9e, 32, 32, {0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 6, 0}},
		{0x9e, 32, 32, {0, 0, 0, 0, 0, 0, 1, 0, 0x80, 0, 0, 0}},
		{0x9e, 11, 11, {0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}},
		{0x1a, 192, 0xffffffff, {0xff, 0, 0, 0xff}},
		{0x1a, 12, 12, {11, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0}},
		{0x1a, 8, 8, {7, 0, 0, 0, 0x3f, 0, 0x3f, 0}},
		{0x1a, 3, 3, {0xff, 0, 0}},
	};
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		the_lie = &lies[i];
		stage->hook = lie;
		EXPECT(storage_stage_open(stage, 0) == 0, "case %u: it does not open", i);
		const int error = storage_controller_scan(
			&stage->controller, guest_deadline(stage->h));
		EXPECT(error == 0, "case %u: the search ends with %d", i, error);
		const struct storage_vsc_lun *lun = stage_lun(stage, 0);
		if (lun != NULL && lun->properties.has_medium) {
			const uint32_t bytes = lun->properties.block_bytes;
			EXPECT(bytes >= 512 && bytes <= 4096 && (bytes & (bytes - 1)) == 0 &&
					lun->properties.blocks <= INT64_MAX / bytes,
				"case %u: %llu blocks of %u bytes", i,
				(unsigned long long)lun->properties.blocks, bytes);
		}
		EXPECT(storage_controller_close(&stage->controller, guest_deadline(stage->h)) == 0,
			"case %u: closing fails", i);
	}
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static void many_luns(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	(void)stage;
	if (!stage_is_cdb(packet, 0xa0))
		return;
	const uint32_t asked = get32(packet->payload + VSTOR_DATA_LENGTH);
	for (uint32_t i = 8; i < asked; i += 8)
		answer->data[i + 1] = (uint8_t)(i / 8 % 200); /* all again and again */
	answer->data[2] = 0xff;
	answer->data_bytes = asked;
	put32(answer->payload + VSTOR_DATA_LENGTH, asked);
}

/* More LUNs than there is room for, and each many times. */
static enum conform_verdict too_many_luns(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	stage->has_lun = 0xff;
	stage->hook = many_luns;
	const unsigned packets = stage->packet_count;
	EXPECT(storage_controller_scan(&stage->controller, guest_deadline(stage->h)) == 0,
		"the search fails");
	EXPECT(stage->added == STAGE_LUNS && stage->removed == 0, "%u disks came, %u went",
		stage->added, stage->removed);
	EXPECT(stage->packet_count - packets < 256 * 16 * 2, "it takes %u packets",
		stage->packet_count - packets);
	stage->hook = NULL;
	EXPECT(stage_read_now(stage, 3) == 0, "a read fails");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* ---- replies that are cut ------------------------------------------------------------------- */

/* All of it is in memory, but less is said to have moved. */
static void cut(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	static const struct {
		uint8_t code, moved;
	} rows[] = {{0xa0, 8}, {0xa0, 15}, {0x12, 0}, {0x12, 4}};

	if (stage_is_cdb(packet, rows[stage->turn].code))
		put32(answer->payload + VSTOR_DATA_LENGTH, rows[stage->turn].moved);
}

static enum conform_verdict replies_cut(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < 4; i++) {
		stage->turn = i;
		stage->hook = cut;
		EXPECT(storage_stage_open(stage, 0) == 0, "case %u: it does not open", i);
		EXPECT(storage_controller_scan(&stage->controller, guest_deadline(stage->h)) == 0,
			"case %u: the search fails", i);
		EXPECT(stage->added == 0, "case %u: a disk is found behind the reply's end", i);
		EXPECT(storage_controller_close(&stage->controller, guest_deadline(stage->h)) == 0,
			"case %u: closing fails", i);
	}
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

const struct conform_test guest_lun_tests[] = {
	{"R-STOR-056", "it looks again when it is told to", plugged, 0, 0, 0},
	{"R-STOR-056", "a disk that fails stays, another one is another one", same_disk, 0, 0, 0},
	{"R-STOR-055", "operations that say nothing are ignored", unasked_packets, 0, 0, 0},
	{"R-STOR-099", "a flood of notices costs a search each 100 ms", flood, 0, 0, 0},
	{"R-STOR-103", "a disk of sizes that cannot be is not used", lying_devices, 0, 0, 0},
	{"R-ROB-003", "devices that lie are searched within bounds", lying_devices, 0, 0, 0},
	{"R-ROB-003", "more devices than there is room for do no harm", too_many_luns, 0, 0, 0},
	{"R-STOR-100", "what was not moved is not looked at", replies_cut, 0, 0, 0},
};
const size_t guest_lun_test_count = sizeof guest_lun_tests / sizeof guest_lun_tests[0];
