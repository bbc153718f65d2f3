// SPDX-License-Identifier: Apache-2.0
/* The storage client's requests, and a host that answers them wrongly: storage.md 2, 5, 9. */
#include "tests/conformance/guest_storage.h"

#include <string.h>

/* ---- what the guest sends ------------------------------------------------------------------- */

static enum conform_verdict every_packet(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage(t);

	TRY(stage != NULL);
	stage->sub_channels = stage->sub_channels_offered = 1;
	EXPECT(storage_stage_open(stage, 1) == 0, "it does not open");
	EXPECT(storage_controller_scan(&stage->controller, guest_deadline(stage->h)) == 0,
		"it does not search");
	struct storage_vsc_lun *lun = stage_lun(stage, 0);
	EXPECT(lun != NULL && stage_read_now(stage, 5) == 0, "a read fails");
	EXPECT(storage_controller_write(&stage->controller, lun, 6, 2, &stage->data, 100, 0) == 0,
		"a write fails");
	EXPECT(storage_controller_flush(&stage->controller, lun, 0) == 0, "a flush fails");
	EXPECT(storage_vsc_reset(&stage->controller.vsc, lun) == 0, "no reset");
	storage_stage_serve(stage);
	EXPECT(stage->operations[4] == 1 && stage->operations[13] == 1, "packets are missing");
	for (unsigned i = 0; i < stage->packet_count; i++) {
		const struct stage_packet *packet = &stage->packets[i];
		EXPECT(packet->flags == PACKET_FLAG_COMPLETION_REQUESTED &&
				get32(packet->payload + VSTOR_FLAGS) == 1,
			"packet %u: flags %u and %u", i, packet->flags,
			get32(packet->payload + VSTOR_FLAGS));
		EXPECT(get32(packet->payload + VSTOR_STATUS) == 0, "packet %u: status 0x%x", i,
			get32(packet->payload + VSTOR_STATUS));
		EXPECT(packet->type ==
				(packet->range_bytes ? PACKET_TYPE_GPA_DIRECT : PACKET_TYPE_INBAND),
			"packet %u: type %u", i, packet->type);
		EXPECT(packet->id != 0, "packet %u: id 0", i);
	}
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* No id twice while it is outstanding, and none soon again. */
static enum conform_verdict ids(struct conform_target *t)
{
	struct storage_stage *stage = stage_held(t, STAGE_SLOTS);

	TRY(stage != NULL);
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = STAGE_SLOTS; i-- > 0;)
			TRY(stage_answer_well(stage, i));
		TRY(stage_submit(stage, STAGE_SLOTS));
	}
	for (unsigned i = 0; i < 10 * STAGE_SLOTS; i++)
		for (unsigned n = 0; n < i; n++)
			EXPECT(stage_last(stage, i)->id != stage_last(stage, n)->id,
				"id 0x%llx comes twice",
				(unsigned long long)stage_last(stage, i)->id);
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict ranges(struct conform_target *t)
{
	static const struct {
		uint32_t offset, blocks;
	} rows[] = {{0, 1}, {3584, 1}, {3585, 1}, {4095, 1}, {4095, 8}, {0, 8}, {1, 8}, {0, 64},
		{512, 64}, {4095, 64}, {8192, 63}};
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const uint32_t bytes = rows[i].blocks * 512;
		memset(stage->data.va, 0xee, STAGE_DATA_BYTES);
		EXPECT(storage_controller_read(&stage->controller, stage_lun(stage, 0), 100 + i,
			       rows[i].blocks, &stage->data, rows[i].offset, 0) == 0,
			"case %u fails", i);
		TRY(stage_data_is(stage, rows[i].offset, 100 + i, bytes));
		const struct stage_packet *packet = stage_last(stage, 0);
		const uint32_t pages = (rows[i].offset % 4096 + bytes + 4095) / 4096;
		EXPECT(packet->range_bytes == 16 + 8 * pages, "case %u: a header of %u bytes", i,
			packet->range_bytes);
		EXPECT(get32(packet->range) == 0 && get32(packet->range + 4) == 1 &&
				get32(packet->range + 8) == bytes &&
				get32(packet->range + 12) == rows[i].offset % 4096,
			"case %u: %u ranges, the first of %u bytes at %u", i,
			get32(packet->range + 4), get32(packet->range + 8),
			get32(packet->range + 12));
		for (uint32_t page = 0; page < pages; page++)
			EXPECT(get64(packet->range + 16 + 8 * page) ==
					stage->data.gpa / 4096 + rows[i].offset / 4096 + page,
				"case %u: page %u is another one", i, page);
		EXPECT(get32(packet->payload + VSTOR_DATA_LENGTH) == bytes,
			"case %u: the SRB is about %u bytes", i,
			get32(packet->payload + VSTOR_DATA_LENGTH));
	}
	const unsigned packets = stage->packet_count;
	EXPECT(storage_controller_read(&stage->controller, stage_lun(stage, 0), 0, 65, &stage->data,
		       0, 0) == -VIRIDIAN_EMSGSIZE,
		"more than the host takes is not refused");
	EXPECT(stage->packet_count == packets, "more than the host takes is sent");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* Pages in any order, and a begin that is not in the first of them. */
static enum conform_verdict scattered(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	const uint64_t first = stage->data.gpa / 4096, pages[] = {first + 5, first, first + 3};
	struct storage_vsc_request *request = &stage->requests[0];
	*request = stage_read(stage, 50, 16);
	request->data = (struct storage_vsc_data){.gpns = pages, .offset = 1024, .bytes = 8192};
	EXPECT(storage_controller_run(&stage->controller, request) == 0, "the read fails");
	const struct stage_packet *packet = stage_last(stage, 0);
	EXPECT(packet->range_bytes == 16 + 24 && memcmp(packet->range + 16, pages, 24) == 0,
		"the pages are others");
	/* 6 blocks in the first page, 8 in the second, 2 in the third */
	TRY(stage_data_is(stage, 5 * 4096 + 1024, 50, 3072));
	TRY(stage_data_is(stage, 0, 56, 4096));
	TRY(stage_data_is(stage, 3 * 4096, 64, 1024));
	const unsigned packets = stage->packet_count;
	request->data.offset = 4096;
	EXPECT(storage_controller_run(&stage->controller, request) == -VIRIDIAN_EINVAL &&
			stage->packet_count == packets,
		"data that begin behind their first page are sent");
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* ---- which answer is whose ------------------------------------------------------------------ */

static enum conform_verdict any_order(struct conform_target *t)
{
	struct storage_stage *stage = stage_held(t, STAGE_SLOTS);

	TRY(stage != NULL);
	for (unsigned n = 0; n < STAGE_SLOTS; n++) {
		const unsigned i = n * 7 % STAGE_SLOTS; /* the i-th request */
		TRY(stage_answer_well(stage, STAGE_SLOTS - 1 - i));
		TRY(stage_ended(stage, i, 0));
		TRY(stage_data_is(stage, 512u * i, i, 512));
		EXPECT(stage->controller.vsc.in_flight == STAGE_SLOTS - 1 - n,
			"%u requests are in flight", stage->controller.vsc.in_flight);
	}
	TRY(stage_reads(stage));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict wrong_ids(struct conform_target *t)
{
	struct storage_stage *stage = stage_held(t, 2);
	static struct stage_answer answer;

	TRY(stage != NULL);
	const struct stage_packet packet = *stage_last(stage, 0);
	const uint64_t id = packet.id,
		       wrong[] = {0, 1, 2, 3, 16, 17, 0xffff, 0xffffffff, 1ull << 32, id + 2,
			       id + 16, id + (1ull << 32), id - (1ull << 32), ~id, id << 8,
			       1ull << 63, UINT64_MAX, UINT64_MAX - 1};
	storage_stage_answer(stage, &packet, &answer);
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		EXPECT(storage_stage_send(
			       stage, 1, PACKET_TYPE_COMPLETION, wrong[i], answer.payload, 64),
			"there is no room");
		storage_stage_serve(stage);
		for (unsigned n = 0; n < 2; n++)
			EXPECT(!storage_vsc_is_idle(&stage->requests[n]),
				"id 0x%llx ends request %u", (unsigned long long)wrong[i], n);
	}
	TRY(stage_answer_well(stage, 0));
	TRY(stage_ended(stage, 1, 0));
	TRY(stage_answer_well(stage, 1));
	TRY(stage_ended(stage, 0, 0));
	TRY(stage_reads(stage));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* The same answer again and again, also when its slot has another request. */
static enum conform_verdict repeated(struct conform_target *t)
{
	struct storage_stage *stage = stage_held(t, 1);
	static struct stage_answer answer;

	TRY(stage != NULL);
	const struct stage_packet packet = *stage_last(stage, 0);
	TRY(stage_answer_well(stage, 0));
	TRY(stage_ended(stage, 0, 0));
	storage_stage_answer(stage, &packet, &answer);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 100; i++) {
			EXPECT(storage_stage_send(stage, 1, PACKET_TYPE_COMPLETION, packet.id,
				       answer.payload, 64),
				"there is no room");
			storage_stage_serve(stage);
			for (unsigned n = 0; n < STAGE_SLOTS && round == 1; n++)
				EXPECT(!storage_vsc_is_idle(&stage->requests[n]),
					"an old answer ends request %u", n);
		}
		EXPECT(stage->controller.vsc.in_flight == round * STAGE_SLOTS,
			"%u requests are in flight", stage->controller.vsc.in_flight);
		if (round == 0)
			TRY(stage_submit(stage, STAGE_SLOTS));
	}
	for (unsigned i = STAGE_SLOTS; i-- > 0;)
		TRY(stage_answer_well(stage, i));
	for (unsigned i = 0; i < STAGE_SLOTS; i++)
		TRY(stage_ended(stage, i, 0));
	TRY(stage_reads(stage));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict other_channel(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage(t);
	static struct stage_answer answer;

	TRY(stage != NULL);
	stage->sub_channels = stage->sub_channels_offered = 1;
	EXPECT(storage_stage_open(stage, 1) == 0 &&
			storage_controller_scan(&stage->controller, guest_deadline(stage->h)) == 0,
		"the controller does not come up");
	stage->hook = stage_hold;
	TRY(stage_submit(stage, STAGE_SLOTS));
	for (unsigned i = 0; i < STAGE_SLOTS; i++) {
		const struct stage_packet packet = *stage_last(stage, i);
		storage_stage_answer(stage, &packet, &answer);
		answer.relid = packet.relid == 1 ? 4 : 1;
		EXPECT(storage_stage_give(stage, &packet, &answer), "there is no room");
		storage_stage_serve(stage);
	}
	for (unsigned i = 0; i < STAGE_SLOTS; i++)
		EXPECT(!storage_vsc_is_idle(&stage->requests[i]),
			"an answer on the other channel ends request %u", i);
	for (unsigned i = 0; i < STAGE_SLOTS; i++)
		TRY(stage_answer_well(stage, i));
	for (unsigned i = 0; i < STAGE_SLOTS; i++)
		TRY(stage_ended(stage, i, 0));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict unasked_under_io(struct conform_target *t)
{
	static const uint8_t operations[] = {1, 12};
	struct storage_stage *stage = stage_held(t, 4);
	uint8_t packet[64] = {0};

	TRY(stage != NULL);
	for (unsigned i = 0; i < 40; i++) {
		packet[0] = operations[i % 2];
		packet[VSTOR_SRB_STATUS] = 1;
		EXPECT(storage_stage_send(stage, 1,
			       i & 2 ? PACKET_TYPE_INBAND : PACKET_TYPE_COMPLETION, 0, packet, 64),
			"there is no room");
		storage_stage_serve(stage);
	}
	for (unsigned i = 0; i < 4; i++) {
		EXPECT(!storage_vsc_is_idle(&stage->requests[i]), "request %u has ended", i);
		TRY(stage_answer_well(stage, 3 - i));
		TRY(stage_ended(stage, i, 0));
	}
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* ---- what an answer says -------------------------------------------------------------------- */

static struct {
	uint8_t srb, scsi, sense_length;
	uint32_t status, moved, operation, bytes;
} said;

static void say(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	(void)stage;
	if (!stage_is_cdb(packet, 0x28))
		return;
	put32(answer->payload, said.operation);
	put32(answer->payload + VSTOR_STATUS, said.status);
	put32(answer->payload + VSTOR_DATA_LENGTH, said.moved);
	answer->payload[VSTOR_SRB_STATUS] = said.srb;
	answer->payload[VSTOR_SCSI_STATUS] = said.scsi;
	answer->payload[VSTOR_SENSE_LENGTH] = said.sense_length;
	memset(answer->payload + VSTOR_CDB, 0xff, 36);
	answer->bytes = said.bytes;
}

/* A read that is answered with what is said: its result; and the request in stage->requests[0]. */
static int said_to_a_read(struct storage_stage *stage)
{
	stage->requests[0] = stage_read(stage, 7, 1);
	stage->requests[0].flags = STORAGE_VSC_NO_RETRY;
	stage->hook = say;
	return storage_controller_run(&stage->controller, &stage->requests[0]);
}

static enum conform_verdict lengths(struct conform_target *t)
{
	static const struct {
		uint32_t moved, taken;
		uint8_t srb, scsi, sense_length;
		int result;
	} rows[] = {
		{512, 512, 1, 0, 0, 0},
		{513, 512, 1, 0, 0, 0},
		{0xffffffff, 512, 1, 0, 255, 0},
		{0x80000000, 512, 0x12, 0, 0, 0},
		{511, 511, 1, 0, 0, -VIRIDIAN_EIO},
		{0, 0, 1, 0, 0, -VIRIDIAN_EIO},
		{512, 0, 0x04, 2, 0, -VIRIDIAN_EIO},
		{0xffffffff, 0, 0x04, 2, 255, -VIRIDIAN_EIO},
		{0xffffffff, 0, 0x84, 2, 255, -VIRIDIAN_EIO},
		{512, 0, 0x84, 2, 21, -VIRIDIAN_EIO},
		{512, 0, 0x06, 0, 0, -VIRIDIAN_EINVAL},
	};
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	said.operation = 1;
	said.bytes = 64;
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		said.srb = rows[i].srb;
		said.scsi = rows[i].scsi;
		said.sense_length = rows[i].sense_length;
		said.moved = rows[i].moved;
		const int result = said_to_a_read(stage);
		EXPECT(result == rows[i].result, "case %u: %d", i, result);
		EXPECT(stage->requests[0].transferred == rows[i].taken,
			"case %u: %u bytes have moved", i, stage->requests[0].transferred);
	}
	TRY(stage_reads(stage));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* Each SRB status with each SCSI status: a success is only what says so all over. */
static enum conform_verdict statuses(struct conform_target *t)
{
	static const uint8_t scsi[] = {0, 2, 4, 8, 0x10, 0x18, 0x28, 0x30, 0x40, 0x77, 0xff};
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	said.operation = 1;
	said.bytes = 64;
	said.moved = 512;
	for (unsigned srb = 0; srb < 256; srb += srb < 64 ? 1 : 13)
		for (unsigned i = 0; i < sizeof scsi / sizeof scsi[0]; i++) {
			said.srb = (uint8_t)srb;
			said.scsi = scsi[i];
			said.status = 0;
			const int result = said_to_a_read(stage);
			const bool is_done = ((srb & 0x3f) == 1 || (srb & 0x3f) == 0x12) &&
					     (scsi[i] == 0 || scsi[i] == 4);
			EXPECT(result <= 0 && (result == 0) == is_done, "SRB 0x%x, SCSI 0x%x: %d",
				srb, scsi[i], result);
			EXPECT(result == 0 || stage->requests[0].transferred == 0,
				"SRB 0x%x, SCSI 0x%x: %u bytes have moved", srb, scsi[i],
				stage->requests[0].transferred);
		}
	said.srb = 1;
	said.scsi = 0;
	said.status = 0xc0000185;
	EXPECT(said_to_a_read(stage) < 0, "a success with a status of failure is one");
	TRY(stage_reads(stage));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict short_answers(struct conform_target *t)
{
	static const uint32_t operations[] = {0, 2, 3, 11, 0x101, 0xffffffff};
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	said.srb = 1;
	said.moved = 512;
	said.operation = 1;
	for (said.bytes = 0; said.bytes < 64; said.bytes += 8) {
		const int result = said_to_a_read(stage);
		EXPECT(result == -VIRIDIAN_EPROTO, "%u bytes: %d", said.bytes, result);
	}
	said.bytes = 64;
	for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++) {
		said.operation = operations[i];
		const int result = said_to_a_read(stage);
		EXPECT(result == -VIRIDIAN_EPROTO, "operation 0x%x: %d", operations[i], result);
	}
	said.operation = 1;
	said.bytes = 80; /* longer ones than the version's: what is behind does not count */
	EXPECT(said_to_a_read(stage) == 0, "80 bytes are not taken");
	TRY(stage_reads(stage));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

/* ---- unit attentions ------------------------------------------------------------------------ */

static uint8_t attention[2];

/* The next `turn` reads end with it. */
static void attend(
	struct storage_stage *stage, const struct stage_packet *packet, struct stage_answer *answer)
{
	if (!stage_is_cdb(packet, 0x28) || stage->turn == 0)
		return;
	stage->turn--;
	stage_check(answer, 6, attention[0], attention[1]);
}

static enum conform_verdict attentions(struct conform_target *t)
{
	static const uint8_t rows[][2] = {{0x29, 0}, {0x2a, 9}, {0x3f, 0x0e}, {0x2a, 3}, {0x28, 0}};
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	for (unsigned i = 0; i < 5; i++) {
		memcpy(attention, rows[i], 2);
		stage->hook = attend;
		stage->turn = 1;
		if (rows[i][0] == 0x2a && rows[i][1] == 9)
			stage->blocks = 4 * STAGE_BLOCKS;
		if (rows[i][0] == 0x3f)
			stage->has_lun = 3;
		EXPECT(stage_read_now(stage, i) == 0, "6/%x/%x: the read fails", rows[i][0],
			rows[i][1]);
		EXPECT(stage->turn == 0, "6/%x/%x was not said", rows[i][0], rows[i][1]);
		TRY(stage_data_is(stage, 0, i, 512));
		storage_stage_later(stage, 1000);
		EXPECT(stage_lun(stage, 0)->properties.blocks == stage->blocks,
			"6/%x/%x: the disk has %u blocks", rows[i][0], rows[i][1],
			(unsigned)stage_lun(stage, 0)->properties.blocks);
		EXPECT((stage_lun(stage, 1) != NULL) == (stage->has_lun == 3),
			"6/%x/%x: the other disk is not seen", rows[i][0], rows[i][1]);
	}
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

static enum conform_verdict endless_attentions(struct conform_target *t)
{
	struct storage_stage *stage = storage_stage_ready(t);

	TRY(stage != NULL);
	attention[0] = 0x29;
	stage->hook = attend;
	stage->turn = 1000;
	const int error = stage_read_now(stage, 1);
	EXPECT(error == -VIRIDIAN_EIO, "it ends with %d", error);
	EXPECT(stage->turn >= 990, "it is tried %u times", 1000 - stage->turn);
	TRY(stage_reads(stage));
	TRY(storage_stage_ends(stage, 0));
	return CONFORM_PASS;
}

const struct conform_test guest_srb_tests[] = {
	{"R-STOR-050", "every packet asks for a completion", every_packet, 0, 0, 0},
	{"R-STOR-052", "ids are unique, and never 0", ids, 0, 0, 0},
	{"R-STOR-051", "data is one range, as long as the host takes", ranges, 0, 0, 0},
	{"R-STOR-051", "the range has the pages as they are", scattered, 0, 0, 0},
	{"R-STOR-011", "answers come in any order", any_order, 0, 0, 0},
	{"R-STOR-053", "unknown ids are ignored", wrong_ids, 0, 0, 0},
	{"R-STOR-053", "repeated ids are ignored", repeated, 0, 0, 0},
	{"R-STOR-053", "ids of another channel are ignored", other_channel, 0, 0, 0},
	{"R-STOR-055", "COMPLETE_IO and FC_HBA_DATA with id 0 are ignored", unasked_under_io, 0, 0,
		0},
	{"R-STOR-054", "lengths past the request's are cut, without success nothing has moved",
		lengths, 0, 0, 0},
	{"R-STOR-101", "a success is what says so in all its statuses", statuses, 0, 0, 0},
	{"R-STOR-098", "an answer that is short, or none, is a failure of its request",
		short_answers, 0, 0, 0},
	{"R-STOR-090", "a unit attention repeats the command, and is looked at", attentions, 0, 0,
		0},
	{"R-STOR-090", "unit attentions without end end the command", endless_attentions, 0, 0, 0},
};
const size_t guest_srb_test_count = sizeof guest_srb_tests / sizeof guest_srb_tests[0];
