// SPDX-License-Identifier: Apache-2.0
/*
 * What the storage client makes of the end of a command: SRB status, SCSI status and sense, as
 * numbers of storage.md and SPC, against done, again, later or failed. R-STOR-054, R-STOR-090,
 * R-STOR-056, R-STOR-037.
 */
#include "tests/unit/storage_vsc_read.h"

#include "guest/vsc/storage_vsc_scsi.h"
#include "protocol/errors.h"

enum {
	DONE = STORAGE_VERDICT_DONE,
	AGAIN = STORAGE_VERDICT_RETRY,
	LATER = STORAGE_VERDICT_RETRY_LATER,
	FAIL = STORAGE_VERDICT_FAIL,
	NONE = 0xFF /* no sense */
};

struct row {
	uint8_t srb, scsi, key;
	uint16_t asc;
	int verdict;
	int error;  /* of FAIL */
	bool looks; /* at the bus again */
};

static void each(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		const struct storage_sense sense = {.is_valid = row->key != NONE,
			.key = row->key != NONE ? row->key : 0,
			.asc = row->asc};
		const struct storage_judgement found = storage_judge(row->srb, row->scsi, &sense);
		if ((int)found.verdict != row->verdict || found.wants_rescan != row->looks)
			fprintf(stderr, "SRB %02x, SCSI %02x, %x/%04x: verdict %d, look %d\n",
				row->srb, row->scsi, row->key, row->asc, (int)found.verdict,
				found.wants_rescan);
		CU_ASSERT_EQUAL((int)found.verdict, row->verdict);
		CU_ASSERT_EQUAL(found.wants_rescan, row->looks);
		if (row->verdict == FAIL)
			CU_ASSERT_EQUAL(found.error, -row->error);
	}
}
#define EACH(rows) each(rows, sizeof(rows) / sizeof((rows)[0]))

static void success_needs_both_to_say_so(void)
{
	static const struct row rows[] = {
		{0x01, 0x00, NONE, 0, DONE, 0, false},
		{0x01, 0x04, NONE, 0, DONE, 0, false},	   /* condition met */
		{0x12, 0x00, NONE, 0, DONE, 0, false},	   /* overrun: the count says it */
		{0x84, 0x02, 0x1, 0x1700, DONE, 0, false}, /* recovered */
		{0x04, 0x00, NONE, 0, FAIL, VIRIDIAN_EIO, false},
		{0x01, 0x02, NONE, 0, FAIL, VIRIDIAN_EIO, false}, /* CHECK CONDITION, no sense */
		{0x04, 0x02, NONE, 0, FAIL, VIRIDIAN_EIO, false},
		{0x01, 0x33, NONE, 0, FAIL, VIRIDIAN_EIO, false},    /* no such status */
		{0x00, 0x00, NONE, 0, FAIL, VIRIDIAN_EPROTO, false}, /* pending, yet completed */
		{0x30, 0x00, NONE, 0, FAIL, VIRIDIAN_EIO, false},
		{0x3F, 0x00, NONE, 0, FAIL, VIRIDIAN_EIO, false},
	};
	EACH(rows);
}

/* R-STOR-090. */
static void a_unit_attention_is_looked_at_and_the_command_repeated(void)
{
	static const struct row rows[] = {
		{0x84, 0x02, 0x6, 0x2900, AGAIN, 0, false}, /* reset */
		{0x84, 0x02, 0x6, 0x2A09, AGAIN, 0, true},  /* capacity: R-STOR-037 */
		{0x84, 0x02, 0x6, 0x3F0E, AGAIN, 0, true},  /* LUNs: R-STOR-074 */
		{0x84, 0x02, 0x6, 0x3F03, AGAIN, 0, true},
		{0x84, 0x02, 0x6, 0x2800, AGAIN, 0, true},  /* medium may have changed */
		{0x04, 0x02, 0xB, 0x0000, AGAIN, 0, false}, /* aborted */
	};
	EACH(rows);
}

static void what_has_gone_is_not_asked_again(void)
{
	static const struct row rows[] = {
		{0x20, 0x02, NONE, 0, FAIL, VIRIDIAN_ENODEV, true},
		{0x21, 0x00, NONE, 0, FAIL, VIRIDIAN_ENODEV, true},
		{0x07, 0x00, NONE, 0, FAIL, VIRIDIAN_ENODEV, true},
		{0x08, 0x00, NONE, 0, FAIL, VIRIDIAN_ENODEV, true},
		{0x0A, 0x00, NONE, 0, FAIL, VIRIDIAN_ENODEV, true},
		{0x11, 0x00, NONE, 0, FAIL, VIRIDIAN_ENODEV, true},
		{0xA0, 0x02, 0x6, 0x2900, FAIL, VIRIDIAN_ENODEV, true}, /* whatever the sense */
		{0x84, 0x02, 0x5, 0x2500, FAIL, VIRIDIAN_ENODEV, true},
	};
	EACH(rows);
}

static void refusals_say_why(void)
{
	static const struct row rows[] = {
		{0x84, 0x02, 0x5, 0x2000, FAIL, VIRIDIAN_ENOTSUP, false},
		{0x84, 0x02, 0x5, 0x2400, FAIL, VIRIDIAN_EINVAL, false},
		{0x84, 0x02, 0x5, 0x2100, FAIL, VIRIDIAN_EINVAL, false},
		{0x84, 0x02, 0x7, 0x2700, FAIL, VIRIDIAN_EROFS, false},
		{0x84, 0x02, 0x2, 0x3A01, FAIL, VIRIDIAN_ENOENT, false},
		{0x84, 0x02, 0x2, 0x0403, FAIL, VIRIDIAN_EIO, false},
		{0x84, 0x02, 0x3, 0x1100, FAIL, VIRIDIAN_EIO, false},
		{0x84, 0x02, 0x4, 0x4400, FAIL, VIRIDIAN_EIO, false},
		{0x04, 0x18, NONE, 0, FAIL, VIRIDIAN_EBUSY, false}, /* R-STOR-043 */
		{0x06, 0x00, NONE, 0, FAIL, VIRIDIAN_EINVAL, false},
		{0x15, 0x00, NONE, 0, FAIL, VIRIDIAN_EINVAL, false},
		{0x22, 0x00, NONE, 0, FAIL, VIRIDIAN_EINVAL, false},
	};
	EACH(rows);
}

static void what_is_busy_is_asked_again_later(void)
{
	static const struct row rows[] = {
		{0x05, 0x00, NONE, 0, LATER, 0, false},
		{0x09, 0x00, NONE, 0, LATER, 0, false},
		{0x0B, 0x00, NONE, 0, LATER, 0, false},
		{0x04, 0x08, NONE, 0, LATER, 0, false},
		{0x04, 0x28, NONE, 0, LATER, 0, false},
		{0x84, 0x02, 0x2, 0x0401, LATER, 0, false}, /* becoming ready */
		{0x02, 0x00, NONE, 0, AGAIN, 0, false},
		{0x0E, 0x00, NONE, 0, AGAIN, 0, false},
		{0x0F, 0x00, NONE, 0, AGAIN, 0, false},
		{0x16, 0x00, NONE, 0, AGAIN, 0, false},
		{0x23, 0x00, NONE, 0, AGAIN, 0, false},
		{0x04, 0x40, NONE, 0, AGAIN, 0, false},
	};
	EACH(rows);
}

static void deferred_sense_says_nothing_of_this_command(void)
{
	const struct storage_sense sense = {
		.is_valid = true, .is_deferred = true, .key = 0x3, .asc = 0x0C00};
	CU_ASSERT_EQUAL(storage_judge(0x84, 0x02, &sense).verdict, STORAGE_VERDICT_RETRY);
}

/* ---- the client ------------------------------------------------------------------------------ */

/* The first READs end with a unit attention, hook_state of them. */
static void attention_first(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	if (packet->payload[0] != STORAGE_OP_EXECUTE_SRB || packet->payload[28] != SCSI_OP_READ_10)
		return;
	if (rig->hook_state > 0) {
		rig->hook_state--;
		rig_check(answer, 0x6, 0x2A09);
	}
}

/* R-STOR-090, R-STOR-037. */
static void a_read_that_meets_an_attention_succeeds_and_the_bus_is_scanned(void)
{
	struct rig *rig = rig_new();
	struct outcome outcome = {0};
	rig_start(rig);
	rig_run(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	const uint64_t scans = rig->vsc.counters.scans;
	rig->hook = attention_first;
	rig->hook_state = 1;
	go(rig, &request);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(outcome.result, 0);
	CU_ASSERT_EQUAL(outcome.transferred, 4096);
	CU_ASSERT_EQUAL(rig->vsc.counters.retries, 1);
	CU_ASSERT_TRUE(rig->vsc.scan.is_due || rig->vsc.counters.scans > scans);
	free(rig);
}

/* Also a device that has nothing else to say is asked so often and no more. */
static void attentions_without_end_end_the_command(void)
{
	struct rig *rig = rig_new();
	struct outcome outcome = {0};
	rig_start(rig);
	rig_run(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	struct storage_vsc_request request = read_of(disk(rig), &outcome);
	rig->hook = attention_first;
	rig->hook_state = 1000;
	go(rig, &request);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(outcome.result, -VIRIDIAN_EIO);
	CU_ASSERT_EQUAL(rig->hook_state, 1000 - 1 - (int)STORAGE_VSC_RETRIES_MAX);
	free(rig);
}

static const struct test tests[] = {
	TEST(success_needs_both_to_say_so),
	TEST(a_unit_attention_is_looked_at_and_the_command_repeated),
	TEST(what_has_gone_is_not_asked_again),
	TEST(refusals_say_why),
	TEST(what_is_busy_is_asked_again_later),
	TEST(deferred_sense_says_nothing_of_this_command),
	TEST(a_read_that_meets_an_attention_succeeds_and_the_bus_is_scanned),
	TEST(attentions_without_end_end_the_command),
};

TEST_MAIN("storage_judge", tests)
