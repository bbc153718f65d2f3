// SPDX-License-Identifier: Apache-2.0
/*
 * Storage client: what belongs to the past. Answers to requests that have ended, control answers
 * that come late, sense that nobody said was there; and what waits in its order.
 */
#include "tests/unit/storage_vsc_read.h"

static uint64_t rejected(const struct rig *rig, enum storage_vsc_reject reason)
{
	return rig->vsc.counters.rejections[reason];
}

static void hold_all(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	(void)packet;
	answer->is_held = true;
}

/* A success of 4096 bytes, offset by offset (storage.md, section 3). */
static const uint8_t success[64] = {
	STORAGE_OP_COMPLETE_IO, [14] = STORAGE_SRB_SUCCESS, [25] = 0x10};

/* R-STOR-053: the slot is the same, the request is another. */
static void an_answer_of_the_past_does_not_end_the_present(void)
{
	struct rig *rig = rig_scanned();
	struct outcome old = {0}, new = {0};
	struct storage_vsc_request first = read_of(disk(rig), &old);
	struct storage_vsc_request second = read_of(disk(rig), &new);
	go(rig, &first);
	CU_ASSERT_EQUAL(old.calls, 1);
	const uint64_t past = rig_sent(rig, 0)->id;
	rig->hook = hold_reads;
	go(rig, &second);
	const uint64_t present = rig_sent(rig, 0)->id;
	CU_ASSERT_EQUAL((uint32_t)present, (uint32_t)past);
	CU_ASSERT_NOT_EQUAL(present, past);
	rig_send(rig, 0, PACKET_TYPE_COMPLETION, past, success, sizeof success);
	rig_run(rig);
	CU_ASSERT_EQUAL(new.calls, 0);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_ID_STALE), 1);
	rig_send(rig, 0, PACKET_TYPE_COMPLETION, present, success, sizeof success);
	rig_run(rig);
	CU_ASSERT_EQUAL(new.calls, 1);
	CU_ASSERT_EQUAL(new.result, 0);
	free(rig);
}

/* R-STOR-053: an id is a slot's number and 1. */
static void the_number_behind_the_last_slot_is_unknown(void)
{
	struct rig *rig = rig_scanned();
	for (uint64_t generation = 0; generation < 3; generation++)
		rig_send(rig, 0, PACKET_TYPE_COMPLETION, generation << 32 | (RIG_SLOTS + 1),
			success, sizeof success);
	rig_run(rig);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_ID_UNKNOWN), 3);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_ID_STALE), 0);
	free(rig);
}

/* R-STOR-053: of control operations as well. */
static void a_late_control_answer_does_not_end_the_next_operation(void)
{
	static const uint8_t done[64] = {STORAGE_OP_COMPLETE_IO};
	struct rig *rig = rig_scanned();
	rig->hook = hold_all;
	CU_ASSERT_EQUAL(storage_vsc_reset(&rig->vsc, NULL), 0);
	rig_run(rig);
	const uint64_t late = rig_sent(rig, 0)->id;
	rig_later(rig, 30000); /* it is given up */
	CU_ASSERT_EQUAL(storage_vsc_reset(&rig->vsc, NULL), 0);
	rig_run(rig);
	const uint64_t next = rig_sent(rig, 0)->id;
	CU_ASSERT_NOT_EQUAL(next, late);
	rig_send(rig, 0, PACKET_TYPE_COMPLETION, late, done, sizeof done);
	rig_run(rig);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_ID_STALE), 1);
	CU_ASSERT_EQUAL(rig->vsc.control.operation, STORAGE_OP_RESET_BUS);
	rig_send(rig, 0, PACKET_TYPE_COMPLETION, next, done, sizeof done);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.control.operation, 0);
	free(rig);
}

static unsigned answers_left;

static void silent_after(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	(void)packet;
	answer->is_held = answers_left == 0;
	answers_left -= answers_left > 0;
}

/* R-STOR-049: at each step. */
static void a_host_that_is_silent_in_the_handshake_is_given_up(void)
{
	for (unsigned answered = 0; answered < 4; answered++) {
		struct rig *rig = rig_new();
		answers_left = answered;
		rig->hook = silent_after;
		rig_start(rig);
		rig_run(rig);
		rig_later(rig, 29999);
		CU_ASSERT_NOT_EQUAL(rig->vsc.state, STORAGE_VSC_FAILED);
		rig_later(rig, 1);
		CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_FAILED);
		CU_ASSERT_EQUAL(rig->vsc.error, -VIRIDIAN_ETIMEDOUT);
		free(rig);
	}
}

/* R-STOR-033. */
static void a_write_to_a_read_only_disk_is_not_sent(void)
{
	struct rig *rig = rig_ready();
	struct outcome outcome = {0};
	rig->units[0].write_protect = 0x80;
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_TRUE(disk(rig)->properties.is_read_only);
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	const unsigned sent = rig->sent_count;
	static const uint8_t ops[] = {STORAGE_VSC_WRITE, STORAGE_VSC_WRITE_SAME, STORAGE_VSC_UNMAP};
	static const uint32_t bytes[] = {4096, 512, 24};
	for (unsigned i = 0; i < 3; i++) {
		disk(rig)->properties.can_unmap = true;
		request.op = ops[i];
		request.data.bytes = bytes[i];
		CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), -VIRIDIAN_EROFS);
	}
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->sent_count, sent);
	CU_ASSERT_EQUAL(outcome.calls, 0);
	free(rig);
}

/* R-STOR-051. */
static void a_transfer_over_the_most_is_not_sent(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	request.blocks = rig->vsc.max_transfer_bytes / 512 + 1;
	request.data.bytes = request.blocks * 512;
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), -VIRIDIAN_EMSGSIZE);
	request.blocks--;
	request.data.bytes -= 512;
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), 0);
	storage_vsc_stop(&rig->vsc, -VIRIDIAN_ECANCELED, false);
	free(rig);
}

static void busy_first(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	if (packet->payload[0] != STORAGE_OP_EXECUTE_SRB || packet->payload[28] != SCSI_OP_READ_10)
		return;
	if (rig->hook_state > 0) {
		rig->hook_state--;
		rig_srb_fail(answer, STORAGE_SRB_ERROR, SCSI_STATUS_BUSY);
	}
}

/* 10 ms, then twice that. */
static void a_busy_device_is_asked_again_after_a_pause(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	rig->hook = busy_first;
	rig->hook_state = 2;
	const unsigned sent = rig->sent_count;
	go(rig, &request);
	CU_ASSERT_EQUAL(rig->sent_count, sent + 1);
	rig_later(rig, 9);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->sent_count, sent + 1);
	rig_later(rig, 1);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->sent_count, sent + 2);
	rig_later(rig, 19);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->sent_count, sent + 2);
	rig_later(rig, 1);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->sent_count, sent + 3);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(outcome.result, 0);
	free(rig);
}

static void sense_unsaid(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	if (packet->payload[0] != STORAGE_OP_EXECUTE_SRB || packet->payload[28] != SCSI_OP_READ_10)
		return;
	rig_check(answer, SCSI_KEY_RECOVERED_ERROR, 0);
	answer->payload[12 + 2] = STORAGE_SRB_ERROR; /* without the flag of sense */
}

/* R-STOR-025: what the bytes hold then is anything. */
static void sense_counts_only_if_it_is_said_to_be_there(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	rig->hook = sense_unsaid;
	go(rig, &request);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(outcome.result, -VIRIDIAN_EIO);
	CU_ASSERT_FALSE(outcome.sense.is_valid);
	free(rig);
}

/* What a raw command does when it is done twice is not known. */
static void a_raw_command_is_not_repeated_when_its_channel_goes(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	request.op = STORAGE_VSC_SCSI;
	request.direction = STORAGE_DATA_IN;
	request.cdb_length = 10;
	request.cdb[0] = SCSI_OP_READ_10;
	request.cdb[8] = 8;
	rig_sub_channel_add(rig);
	storage_vsc_channel_retire(&rig->vsc, 0);
	rig->hook = hold_reads;
	go(rig, &request);
	CU_ASSERT_EQUAL(rig_sent(rig, 0)->channel, 1);
	rig->vsc.channels[0].is_usable = true;
	rig->hook = NULL;
	const unsigned sent = rig->sent_count;
	storage_vsc_channel_remove(&rig->vsc, rig->channels[1].index, false);
	rig->channel_count = 1;
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->sent_count, sent);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(outcome.result, -VIRIDIAN_ENODEV);
	free(rig);
}

static struct rig *late_rig;
static struct storage_vsc_request late_request;

static void submit_another(struct storage_vsc_request *request)
{
	on_done(request);
	(void)storage_vsc_submit(&late_rig->vsc, &late_request);
}

/* Who frees a slot and wants it again comes after those that wait. */
static void what_waits_is_not_overtaken(void)
{
	enum { COUNT = RIG_SLOTS + 2 };
	struct rig *rig = rig_scanned();
	struct outcome outcomes[COUNT] = {0}, last = {0};
	struct storage_vsc_request requests[COUNT];
	rig->hook = hold_reads;
	for (unsigned i = 0; i < COUNT; i++) {
		requests[i] = read_of(disk(rig), &outcomes[i]);
		requests[i].lba = i;
		CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &requests[i]), 0);
	}
	requests[0].done = submit_another;
	late_rig = rig;
	late_request = read_of(disk(rig), &last);
	late_request.lba = 99;
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	const uint64_t id = rig_sent(rig, RIG_SLOTS - 1)->id;
	rig_send(rig, 0, PACKET_TYPE_COMPLETION, id, success, sizeof success);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcomes[0].calls, 1);
	/* READ(10): the block is in bytes 2 to 5 of the CDB, which is at 28 */
	CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload[28 + 5], RIG_SLOTS);
	CU_ASSERT_FALSE(storage_vsc_is_idle(&late_request));
	storage_vsc_stop(&rig->vsc, -VIRIDIAN_ECANCELED, false);
	CU_ASSERT_EQUAL(last.calls, 1);
	free(rig);
}

static const struct test tests[] = {
	TEST(an_answer_of_the_past_does_not_end_the_present),
	TEST(the_number_behind_the_last_slot_is_unknown),
	TEST(a_late_control_answer_does_not_end_the_next_operation),
	TEST(a_host_that_is_silent_in_the_handshake_is_given_up),
	TEST(a_write_to_a_read_only_disk_is_not_sent),
	TEST(a_transfer_over_the_most_is_not_sent),
	TEST(a_busy_device_is_asked_again_after_a_pause),
	TEST(sense_counts_only_if_it_is_said_to_be_there),
	TEST(a_raw_command_is_not_repeated_when_its_channel_goes),
	TEST(what_waits_is_not_overtaken),
};

TEST_MAIN("storage_vsc_stale", tests)
