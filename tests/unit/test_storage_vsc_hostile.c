// SPDX-License-Identifier: Apache-2.0
/* Storage client against hosts that lie, fail, stall, and vanish. */
#include "tests/harness.h"
#include "tests/unit/storage_vsc_read.h"

/* One READ under a hook. */
static struct outcome read_with(
	struct rig *rig, void (*hook)(struct rig *, const struct rig_packet *, struct rig_answer *))
{
	static struct storage_vsc_request request;
	static struct outcome outcome;
	outcome = (struct outcome){0};
	request = read_of(disk(rig), &outcome);
	rig->hook = hook;
	go(rig, &request);
	rig->hook = NULL;
	return outcome;
}

static uint64_t rejected(const struct rig *rig, enum storage_vsc_reject reason)
{
	return rig->vsc.counters.rejections[reason];
}

/* ---- handshake ---------------------------------------------------------- */

static uint32_t refused_operation;

static void refuse(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	const uint32_t status = STORAGE_STATUS_INVALID_DEVICE_STATE;
	(void)rig;
	if (packet->payload[0] == refused_operation)
		memcpy(answer->payload + 8, &status, 4);
}

/* R-STOR-049. */
static void any_refusal_but_a_version_ends_the_handshake(void)
{
	static const uint32_t operations[] = {STORAGE_OP_BEGIN_INITIALIZATION,
		STORAGE_OP_QUERY_PROPERTIES, STORAGE_OP_END_INITIALIZATION};
	for (unsigned i = 0; i < 3; i++) {
		struct rig *rig = rig_new();
		refused_operation = operations[i];
		rig->hook = refuse;
		rig_start(rig);
		rig_run(rig);
		CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_FAILED);
		CU_ASSERT_EQUAL(rig->vsc.error, -VIRIDIAN_EIO);
		CU_ASSERT_EQUAL(rig->states, 1);
		const unsigned sent = rig->sent_count;
		rig_later(rig, 100000);
		rig_run(rig);
		CU_ASSERT_EQUAL(rig->sent_count, sent);
		free(rig);
	}
}

static void refusing_all_versions_ends_the_handshake(void)
{
	struct rig *rig = rig_new();
	rig->accepts = 0x0100;
	rig_start(rig);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_FAILED);
	CU_ASSERT_EQUAL(rig->vsc.error, -VIRIDIAN_ENOTSUP);
	CU_ASSERT_EQUAL(rig->sent_count, 1 + STORAGE_VERSION_COUNT);
	free(rig);
}

static void refused_sub_channels_leave_one_channel(void)
{
	struct rig *rig = rig_new();
	rig->sub_channels = 4;
	rig->vsc.config.sub_channels = 2;
	refused_operation = STORAGE_OP_CREATE_SUB_CHANNELS;
	rig->hook = refuse;
	rig_start(rig);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_READY);
	CU_ASSERT_EQUAL(rig->vsc.sub_channels_granted, 0);
	CU_ASSERT_EQUAL(rig->sub_channels_told, 0);
	free(rig);
}

static unsigned silent_from;

static void be_silent(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)packet;
	answer->is_held = rig->sent_count > silent_from;
}

static void a_silent_host_ends_each_step_of_the_handshake_at_its_deadline(void)
{
	for (silent_from = 0; silent_from < 4; silent_from++) {
		struct rig *rig = rig_new();
		rig->hook = be_silent;
		rig_start(rig);
		rig_run(rig);
		rig_later(rig, 29999);
		CU_ASSERT_NOT_EQUAL(rig->vsc.state, STORAGE_VSC_FAILED);
		rig_later(rig, 1);
		CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_FAILED);
		CU_ASSERT_EQUAL(rig->vsc.error, -VIRIDIAN_ETIMEDOUT);
		CU_ASSERT_EQUAL(rig->states, 1);
		free(rig);
	}
}

static uint32_t lie_at, lie_value, lie_bytes;

static void lie(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	if (packet->payload[0] == STORAGE_OP_QUERY_PROPERTIES)
		memcpy(answer->payload + lie_at, &lie_value, lie_bytes);
}

static void properties_are_checked(void)
{
	static const struct {
		uint32_t value, expected;
	} cases[] = {
		{0, 0}, {4095, 0}, {4096, 4096}, {0x40fff, 0x40000},
		{0xFFFFFFFF, 1009 * 4096}, /* what the ring can carry */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig *rig = rig_new();
		lie_at = 24;
		lie_value = cases[i].value;
		lie_bytes = 4;
		rig->hook = lie;
		rig_start(rig);
		rig_run(rig);
		if (cases[i].expected == 0) {
			CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_FAILED);
			CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_PROPERTIES), 1);
		} else {
			CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_READY);
			CU_ASSERT_EQUAL(rig->vsc.max_transfer_bytes, cases[i].expected);
		}
		free(rig);
	}
}

/* ---- completions -------------------------------------------------------- */

/* R-STOR-053, R-PKT-003. */
static void unknown_stale_and_zero_ids_are_ignored(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	uint8_t reply[64] = {STORAGE_OP_COMPLETE_IO, [14] = STORAGE_SRB_SUCCESS, [25] = 0x10};
	rig->hook = be_silent;
	silent_from = 0;
	go(rig, &request);
	const uint64_t id = rig_sent(rig, 0)->id;
	const uint64_t bad[] = {0, 1, id + 1, id + 100, id + (1ull << 32), id - (1ull << 32),
		UINT64_MAX, 0xFFFFFFFFull, 1ull << 63, id & 0xFFFFFFFF00000000ull};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		rig_send(rig, 0, PACKET_TYPE_COMPLETION, bad[i], reply, sizeof reply);
		rig_run(rig);
		CU_ASSERT_EQUAL(outcome.calls, 0);
	}
	rig_send(rig, 0, PACKET_TYPE_COMPLETION, id, reply, sizeof reply);
	rig_send(rig, 0, PACKET_TYPE_COMPLETION, id, reply, sizeof reply);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(outcome.result, 0);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_ID_ZERO), 1);
	CU_ASSERT(rejected(rig, STORAGE_VSC_REJECT_ID_STALE) >= 3);
	CU_ASSERT(rejected(rig, STORAGE_VSC_REJECT_ID_UNKNOWN) >= 2);
	CU_ASSERT_EQUAL(rig->vsc.in_flight, 0);
	free(rig);
}

static void an_answer_on_another_channel_does_not_count(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	uint8_t reply[64] = {STORAGE_OP_COMPLETE_IO, [14] = STORAGE_SRB_SUCCESS, [25] = 0x10};
	rig_sub_channel_add(rig);
	rig->hook = be_silent;
	silent_from = 0;
	go(rig, &request);
	const struct rig_packet *packet = rig_sent(rig, 0);
	rig_send(rig, 1 - packet->channel, PACKET_TYPE_COMPLETION, packet->id, reply, sizeof reply);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcome.calls, 0);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_CHANNEL), 1);
	rig_send(rig, packet->channel, PACKET_TYPE_COMPLETION, packet->id, reply, sizeof reply);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	free(rig);
}

static void say_too_much(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	(void)packet;
	memset(answer->payload + 24, 0xFF, 4);
}

/* R-STOR-054. */
static void transfer_length_past_the_request_is_clamped(void)
{
	struct rig *rig = rig_scanned();
	const struct outcome outcome = read_with(rig, say_too_much);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(outcome.transferred, 4096);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_TRANSFER_LENGTH), 1);
	free(rig);
}

static void say_too_little(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	(void)packet;
	answer->payload[25] = 0x0E;
}

static void a_short_read_is_an_error_not_data(void)
{
	struct rig *rig = rig_scanned();
	const struct outcome outcome = read_with(rig, say_too_little);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(outcome.result, -VIRIDIAN_EIO);
	CU_ASSERT_EQUAL(outcome.transferred, 3584);
	free(rig);
}

static void sense_too_long(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	(void)packet;
	rig_check(answer, SCSI_KEY_MEDIUM_ERROR, 0x1100);
	answer->payload[12 + 9] = 255;
}

/* R-STOR-054. */
static void sense_length_past_the_reply_is_clamped(void)
{
	struct rig *rig = rig_scanned();
	const struct outcome outcome = read_with(rig, sense_too_long);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(outcome.result, -VIRIDIAN_EIO);
	CU_ASSERT_EQUAL(outcome.sense.asc, SCSI_ASC_UNRECOVERED_READ);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_SENSE_LENGTH), 1);
	free(rig);
}

static uint32_t cut_bytes;

static void cut(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	(void)packet;
	answer->bytes = cut_bytes;
}

static void a_short_answer_ends_its_request_with_an_error(void)
{
	for (cut_bytes = 0; cut_bytes < 64; cut_bytes += 8) {
		struct rig *rig = rig_scanned();
		const struct outcome outcome = read_with(rig, cut);
		CU_ASSERT_EQUAL(outcome.calls, 1);
		CU_ASSERT_EQUAL(outcome.result, -VIRIDIAN_EPROTO);
		CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_SHORT), 1);
		free(rig);
	}
}

static void a_longer_answer_is_accepted(void)
{
	struct rig *rig = rig_scanned();
	cut_bytes = 80;
	const struct outcome outcome = read_with(rig, cut);
	CU_ASSERT_EQUAL(outcome.result, 0);
	free(rig);
}

static void other_operation(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	(void)packet;
	answer->payload[0] = STORAGE_OP_EXECUTE_SRB;
}

static void an_answer_with_another_operation_is_an_error(void)
{
	struct rig *rig = rig_scanned();
	const struct outcome outcome = read_with(rig, other_operation);
	CU_ASSERT_EQUAL(outcome.result, -VIRIDIAN_EPROTO);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_OPERATION), 1);
	free(rig);
}

static void contradict(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	(void)packet;
	answer->payload[11] = 0xC0;
}

static void a_header_that_contradicts_its_srb_is_no_success(void)
{
	struct rig *rig = rig_scanned();
	CU_ASSERT_EQUAL(read_with(rig, contradict).result, -VIRIDIAN_EIO);
	free(rig);
}

/* R-STOR-055. */
static void packets_of_other_types_and_operations_are_ignored(void)
{
	struct rig *rig = rig_scanned();
	uint8_t packet[64] = {0};
	for (uint8_t operation = 0; operation < 20; operation++) {
		if (operation == STORAGE_OP_ENUMERATE_BUS ||
			operation == STORAGE_OP_REMOVE_DEVICE ||
			operation == STORAGE_OP_EVENT_NOTIFICATION)
			continue;
		packet[0] = operation;
		rig_send(rig, 0, PACKET_TYPE_INBAND, 0, packet, sizeof packet);
	}
	rig_send(rig, 0, PACKET_TYPE_INBAND, 0, packet, 0);
	rig_send(rig, 0, PACKET_TYPE_GPA_DIRECT, 1, packet, sizeof packet);
	rig_run(rig);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_OPERATION), 17);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_SHORT), 1);
	CU_ASSERT_EQUAL(rejected(rig, STORAGE_VSC_REJECT_TYPE), 1);
	CU_ASSERT_EQUAL(rig->vsc.counters.notifications, 0);
	CU_ASSERT_EQUAL(read_with(rig, NULL).result, 0);
	free(rig);
}

static void a_corrupt_ring_fails_the_client(void)
{
	struct rig *rig = rig_scanned();
	const uint32_t index = 3;
	memcpy(rig->channels[0].to_guest.control, &index, 4);
	CU_ASSERT_EQUAL(storage_vsc_drain(&rig->vsc, 0, 10), -VIRIDIAN_EPROTO);
	CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_FAILED);
	CU_ASSERT_EQUAL(rig->states, 2);
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), -VIRIDIAN_ENODEV);
	free(rig);
}

/* Each byte of the answer to a READ, with several values: it ends once, whatever happens. */
static unsigned mutate_at;
static uint8_t mutate_value;

static void mutate(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)packet;
	if (rig->hook_state++ == 0)
		answer->payload[mutate_at] = mutate_value;
}

static void every_mutated_answer_ends_its_request_exactly_once(void)
{
	static const uint8_t values[] = {0x00, 0x01, 0x02, 0x05, 0x20, 0x7F, 0x80, 0x84, 0xFF};
	struct rig *rig = rig_scanned();
	for (mutate_at = 0; mutate_at < 64; mutate_at++) {
		for (size_t i = 0; i < sizeof values; i++) {
			struct outcome outcome = {0};
			struct storage_vsc_request request = read_of(disk(rig), &outcome);
			CU_ASSERT_PTR_NOT_NULL_FATAL(request.lun);
			mutate_value = values[i];
			rig->hook_state = 0;
			rig->hook = mutate;
			go(rig, &request);
			for (unsigned wait = 0; wait < 10 && outcome.calls == 0; wait++) {
				rig_later(rig, 1000);
				rig_run(rig);
			}
			rig->hook = NULL;
			rig_run(rig);
			CU_ASSERT_EQUAL(outcome.calls, 1);
			CU_ASSERT_EQUAL(rig->vsc.in_flight, 0);
		}
	}
	CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_READY);
	free(rig);
}

/* ---- retries ------------------------------------------------------------ */

static uint8_t fail_key, fail_srb, fail_scsi;
static uint16_t fail_asc;
static int fail_times;

static void fail_some(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	if (packet->payload[28] != SCSI_OP_READ_10 || rig->hook_state >= fail_times)
		return;
	rig->hook_state++;
	if (fail_key != 0)
		rig_check(answer, fail_key, fail_asc);
	else
		rig_srb_fail(answer, fail_srb, fail_scsi);
}

static struct outcome failing_read(struct rig *rig)
{
	static struct storage_vsc_request request;
	static struct outcome outcome;
	outcome = (struct outcome){0};
	request = read_of(disk(rig), &outcome);
	rig->hook = fail_some;
	rig->hook_state = 0;
	go(rig, &request);
	for (unsigned wait = 0; wait < 20 && outcome.calls == 0; wait++) {
		rig_later(rig, 500);
		rig_run(rig);
	}
	rig->hook = NULL;
	return outcome;
}

/* R-STOR-090. */
static void passing_troubles_are_retried_and_lasting_ones_bounded(void)
{
	static const struct {
		uint8_t key;
		uint16_t asc;
		uint8_t srb, scsi;
		int error; /* when it never ends */
	} cases[] = {
		{SCSI_KEY_UNIT_ATTENTION, SCSI_ASC_POWER_ON_OR_RESET, 0, 0, -VIRIDIAN_EIO},
		{SCSI_KEY_ABORTED_COMMAND, 0, 0, 0, -VIRIDIAN_EIO},
		{SCSI_KEY_NOT_READY, 0x0401, 0, 0, -VIRIDIAN_EIO},
		{0, 0, STORAGE_SRB_BUSY, 0, -VIRIDIAN_EBUSY},
		{0, 0, STORAGE_SRB_ERROR, SCSI_STATUS_BUSY, -VIRIDIAN_EBUSY},
		{0, 0, STORAGE_SRB_ERROR, SCSI_STATUS_TASK_SET_FULL, -VIRIDIAN_EBUSY},
		{0, 0, STORAGE_SRB_ABORTED, SCSI_STATUS_TASK_ABORTED, -VIRIDIAN_EIO},
		{0, 0, STORAGE_SRB_BUS_RESET, 0, -VIRIDIAN_EIO},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig *rig = rig_scanned();
		fail_key = cases[i].key;
		fail_asc = cases[i].asc;
		fail_srb = cases[i].srb;
		fail_scsi = cases[i].scsi;
		fail_times = STORAGE_VSC_RETRIES_MAX;
		struct outcome outcome = failing_read(rig);
		CU_ASSERT_EQUAL(outcome.calls, 1);
		CU_ASSERT_EQUAL(outcome.result, 0);
		CU_ASSERT_EQUAL(rig->hook_state, (int)STORAGE_VSC_RETRIES_MAX);
		fail_times = 1000;
		outcome = failing_read(rig);
		CU_ASSERT_EQUAL(outcome.calls, 1);
		CU_ASSERT_EQUAL(outcome.result, cases[i].error);
		CU_ASSERT_EQUAL(rig->hook_state, (int)STORAGE_VSC_RETRIES_MAX + 1);
		free(rig);
	}
}

static void lasting_troubles_are_not_retried(void)
{
	static const struct {
		uint8_t key;
		uint16_t asc;
		uint8_t srb, scsi;
		int error;
	} cases[] = {
		{SCSI_KEY_MEDIUM_ERROR, SCSI_ASC_UNRECOVERED_READ, 0, 0, -VIRIDIAN_EIO},
		{SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_LBA_OUT_OF_RANGE, 0, 0, -VIRIDIAN_EINVAL},
		{SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_INVALID_OPCODE, 0, 0, -VIRIDIAN_ENOTSUP},
		{SCSI_KEY_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED, 0, 0, -VIRIDIAN_EROFS},
		{SCSI_KEY_NOT_READY, SCSI_ASC_NO_MEDIUM_TRAY_OPEN, 0, 0, -VIRIDIAN_ENOENT},
		{0, 0, STORAGE_SRB_ERROR, SCSI_STATUS_RESERVATION_CONFLICT, -VIRIDIAN_EBUSY},
		{0, 0, STORAGE_SRB_INVALID_LUN, SCSI_STATUS_CHECK_CONDITION, -VIRIDIAN_ENODEV},
		{0, 0, STORAGE_SRB_INVALID_REQUEST, 0, -VIRIDIAN_EINVAL},
		{0, 0, STORAGE_SRB_PENDING, 0, -VIRIDIAN_EPROTO},
		{0, 0, STORAGE_SRB_SUCCESS, SCSI_STATUS_CHECK_CONDITION, -VIRIDIAN_EIO},
		{0, 0, 0x3F, 0, -VIRIDIAN_EIO},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig *rig = rig_scanned();
		fail_key = cases[i].key;
		fail_asc = cases[i].asc;
		fail_srb = cases[i].srb;
		fail_scsi = cases[i].scsi;
		fail_times = 1000;
		const struct outcome outcome = failing_read(rig);
		CU_ASSERT_EQUAL(outcome.calls, 1);
		CU_ASSERT_EQUAL(outcome.result, cases[i].error);
		CU_ASSERT_EQUAL(rig->hook_state, 1);
		free(rig);
	}
}

/* R-STOR-090. */
static void a_capacity_change_is_learned_and_the_command_repeated(void)
{
	struct rig *rig = rig_scanned();
	rig_later(rig, 100);
	rig->units[0].blocks = 4096;
	fail_key = SCSI_KEY_UNIT_ATTENTION;
	fail_asc = SCSI_ASC_CAPACITY_CHANGED;
	fail_times = 1;
	const struct outcome outcome = failing_read(rig);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcome.result, 0);
	CU_ASSERT_EQUAL(rig->changed, 1);
	CU_ASSERT_EQUAL(disk(rig)->properties.blocks, 4096);
	free(rig);
}

static void a_lun_that_answers_invalid_is_looked_for_and_removed(void)
{
	struct rig *rig = rig_scanned();
	struct storage_vsc_lun *lun = disk(rig);
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(lun, &outcome);
	rig_later(rig, 100);
	rig->units[0].is_there = false;
	go(rig, &request);
	CU_ASSERT_EQUAL(outcome.result, -VIRIDIAN_ENODEV);
	CU_ASSERT_EQUAL(rig->removed, 1);
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), -VIRIDIAN_ENODEV);
	free(rig);
}

static const struct test tests[] = {
	TEST(any_refusal_but_a_version_ends_the_handshake),
	TEST(refusing_all_versions_ends_the_handshake),
	TEST(refused_sub_channels_leave_one_channel),
	TEST(a_silent_host_ends_each_step_of_the_handshake_at_its_deadline),
	TEST(properties_are_checked),
	TEST(unknown_stale_and_zero_ids_are_ignored),
	TEST(an_answer_on_another_channel_does_not_count),
	TEST(transfer_length_past_the_request_is_clamped),
	TEST(a_short_read_is_an_error_not_data),
	TEST(sense_length_past_the_reply_is_clamped),
	TEST(a_short_answer_ends_its_request_with_an_error),
	TEST(a_longer_answer_is_accepted),
	TEST(an_answer_with_another_operation_is_an_error),
	TEST(a_header_that_contradicts_its_srb_is_no_success),
	TEST(packets_of_other_types_and_operations_are_ignored),
	TEST(a_corrupt_ring_fails_the_client),
	TEST(every_mutated_answer_ends_its_request_exactly_once),
	TEST(passing_troubles_are_retried_and_lasting_ones_bounded),
	TEST(lasting_troubles_are_not_retried),
	TEST(a_capacity_change_is_learned_and_the_command_repeated),
	TEST(a_lun_that_answers_invalid_is_looked_for_and_removed),
};
TEST_MAIN("storage_vsc_hostile", tests)
