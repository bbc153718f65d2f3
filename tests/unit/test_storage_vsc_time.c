// SPDX-License-Identifier: Apache-2.0
/* Storage client: deadlines, resets, and endings with requests under way. */
#include "tests/harness.h"
#include "tests/unit/storage_vsc_read.h"

/* ---- deadlines ---------------------------------------------------------- */

/* R-STOR-089. */
static void a_deadline_resets_the_lun_then_gives_up_and_says_memory_is_lost(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	request.timeout_ms = 1000;
	rig->hook = hold_reads;
	go(rig, &request);
	const uint64_t id = rig_sent(rig, 0)->id;
	rig_later(rig, 999);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.counters.resets, 0);
	rig_later(rig, 1);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.counters.resets, 1);
	CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload[0], STORAGE_OP_RESET_LUN);
	CU_ASSERT_EQUAL(outcome.calls, 0);
	rig_later(rig, 10000);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(outcome.result, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT(outcome.is_memory_lost);
	CU_ASSERT_EQUAL(rig->vsc.in_flight, 1);
	/* the late answer frees the slot and reaches nobody */
	uint8_t reply[64] = {STORAGE_OP_COMPLETE_IO, [14] = STORAGE_SRB_SUCCESS, [25] = 0x10};
	rig_send(rig, 0, PACKET_TYPE_COMPLETION, id, reply, sizeof reply);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(rig->vsc.counters.late_answers, 1);
	CU_ASSERT_EQUAL(rig->vsc.in_flight, 0);
	free(rig);
}

static void an_answer_during_the_grace_is_taken(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	uint8_t reply[64] = {STORAGE_OP_COMPLETE_IO, [14] = STORAGE_SRB_ABORTED};
	rig->hook = hold_reads;
	go(rig, &request);
	const uint64_t id = rig_sent(rig, 0)->id;
	rig_later(rig, 30000);
	rig_run(rig);
	rig_send(rig, 0, PACKET_TYPE_COMPLETION, id, reply, sizeof reply);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(outcome.result, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT(!outcome.is_memory_lost);
	free(rig);
}

static void requests_that_wait_for_a_slot_time_out_too(void)
{
	enum { COUNT = RIG_SLOTS + 5 };
	struct rig *rig = rig_scanned();
	struct outcome outcomes[COUNT];
	struct storage_vsc_request requests[COUNT];
	memset(outcomes, 0, sizeof outcomes);
	rig->hook = hold_reads;
	for (unsigned i = 0; i < COUNT; i++) {
		requests[i] = read_of(disk(rig), &outcomes[i]);
		CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &requests[i]), 0);
	}
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	rig_later(rig, 30000);
	rig_run(rig);
	for (unsigned i = RIG_SLOTS; i < COUNT; i++) {
		CU_ASSERT_EQUAL(outcomes[i].calls, 1);
		CU_ASSERT_EQUAL(outcomes[i].result, -VIRIDIAN_ETIMEDOUT);
		CU_ASSERT(!outcomes[i].is_memory_lost);
	}
	rig_later(rig, 10000);
	rig_run(rig);
	for (unsigned i = 0; i < COUNT; i++)
		CU_ASSERT_EQUAL(outcomes[i].calls, 1);
	/* every slot is lost: the client stays usable as far as it can, and is not stuck */
	CU_ASSERT_EQUAL(rig->vsc.in_flight, RIG_SLOTS);
	storage_vsc_stop(&rig->vsc, -VIRIDIAN_ENODEV, false);
	CU_ASSERT_EQUAL(rig->vsc.in_flight, 0);
	free(rig);
}

static void time_begins_with_the_next_tick_not_with_the_last(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	rig->hook = hold_reads;
	/* the program did not look at the clock for ten minutes, then submits */
	rig->now += 600ull * 10000000;
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &request), 0);
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	rig_later(rig, 29999);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.counters.resets, 0);
	rig_later(rig, 1);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.counters.resets, 1);
	free(rig);
}

static void tick_says_when_it_is_needed(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0};
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	rig_later(rig, 60000); /* past every deadline that there was */
	CU_ASSERT_EQUAL(storage_vsc_tick(&rig->vsc, rig->now), UINT64_MAX);
	rig->hook = hold_reads;
	request.timeout_ms = 7000;
	go(rig, &request);
	CU_ASSERT_EQUAL(storage_vsc_tick(&rig->vsc, rig->now), rig->now + 70000000);
	storage_vsc_stop(&rig->vsc, -VIRIDIAN_ECANCELED, false);
	CU_ASSERT_EQUAL(storage_vsc_tick(&rig->vsc, rig->now), UINT64_MAX);
	free(rig);
}

static void reset_can_be_asked_for(void)
{
	struct rig *rig = rig_scanned();
	CU_ASSERT_EQUAL(storage_vsc_reset(&rig->vsc, disk(rig)), 0);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload[0], STORAGE_OP_RESET_LUN);
	CU_ASSERT_EQUAL(storage_vsc_reset(&rig->vsc, NULL), 0);
	CU_ASSERT_EQUAL(storage_vsc_reset(&rig->vsc, disk(rig)), 0);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig_sent(rig, 1)->payload[0], STORAGE_OP_RESET_BUS);
	CU_ASSERT_EQUAL(rig_sent(rig, 0)->payload[0], STORAGE_OP_RESET_LUN);
	CU_ASSERT_EQUAL(rig->vsc.counters.resets, 3);
	free(rig);
}

/* ---- endings ------------------------------------------------------------ */

/* R-STOR-089. */
static void stop_completes_everything_exactly_once(void)
{
	enum { COUNT = 30 };
	for (unsigned lost = 0; lost < 2; lost++) {
		struct rig *rig = rig_scanned();
		struct outcome outcomes[COUNT];
		struct storage_vsc_request requests[COUNT];
		memset(outcomes, 0, sizeof outcomes);
		rig->hook = hold_reads;
		for (unsigned i = 0; i < COUNT; i++) {
			requests[i] = read_of(disk(rig), &outcomes[i]);
			(void)storage_vsc_submit(&rig->vsc, &requests[i]);
		}
		storage_vsc_flush(&rig->vsc);
		rig_run(rig);
		storage_vsc_stop(&rig->vsc, -VIRIDIAN_ENODEV, lost != 0);
		for (unsigned i = 0; i < COUNT; i++) {
			CU_ASSERT_EQUAL(outcomes[i].calls, 1);
			CU_ASSERT_EQUAL(outcomes[i].result, -VIRIDIAN_ENODEV);
			CU_ASSERT_EQUAL(outcomes[i].is_memory_lost, lost != 0 && i < RIG_SLOTS);
		}
		CU_ASSERT_EQUAL(rig->removed, 2);
		free(rig);
	}
}

static void stop_during_a_scan_ends_the_scan(void)
{
	struct rig *rig = rig_scanned();
	CU_ASSERT_EQUAL(storage_vsc_rescan(&rig->vsc), 0);
	storage_vsc_stop(&rig->vsc, -VIRIDIAN_ENODEV, false);
	CU_ASSERT_EQUAL(rig->scans, 2);
	CU_ASSERT_EQUAL(rig->scan_error, -VIRIDIAN_ENODEV);
	CU_ASSERT(!rig->vsc.scan.is_running);
	free(rig);
}

static void requests_of_a_closed_sub_channel_go_out_on_another(void)
{
	for (unsigned lost = 0; lost < 2; lost++) {
		struct rig *rig = rig_scanned();
		struct outcome outcomes[4];
		struct storage_vsc_request requests[4];
		memset(outcomes, 0, sizeof outcomes);
		rig_sub_channel_add(rig);
		storage_vsc_channel_retire(&rig->vsc, 0);
		rig->hook = hold_reads;
		for (unsigned i = 0; i < 4; i++) {
			requests[i] = read_of(disk(rig), &outcomes[i]);
			(void)storage_vsc_submit(&rig->vsc, &requests[i]);
		}
		storage_vsc_flush(&rig->vsc);
		rig_run(rig);
		CU_ASSERT_EQUAL(rig_sent(rig, 0)->channel, 1);
		rig->vsc.channels[0].is_usable = true;
		rig->hook = NULL;
		storage_vsc_channel_remove(&rig->vsc, rig->channels[1].index, lost != 0);
		rig->channel_count = 1;
		rig_run(rig);
		for (unsigned i = 0; i < 4; i++) {
			CU_ASSERT_EQUAL(outcomes[i].calls, 1);
			CU_ASSERT_EQUAL(outcomes[i].result, lost ? -VIRIDIAN_ENODEV : 0);
			CU_ASSERT_EQUAL(outcomes[i].is_memory_lost, lost != 0);
		}
		free(rig);
	}
}

static const struct test tests[] = {
	TEST(a_deadline_resets_the_lun_then_gives_up_and_says_memory_is_lost),
	TEST(an_answer_during_the_grace_is_taken),
	TEST(requests_that_wait_for_a_slot_time_out_too),
	TEST(time_begins_with_the_next_tick_not_with_the_last),
	TEST(tick_says_when_it_is_needed),
	TEST(reset_can_be_asked_for),
	TEST(stop_completes_everything_exactly_once),
	TEST(stop_during_a_scan_ends_the_scan),
	TEST(requests_of_a_closed_sub_channel_go_out_on_another),
};
TEST_MAIN("storage_vsc_time", tests)
