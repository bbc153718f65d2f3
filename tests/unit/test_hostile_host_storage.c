// SPDX-License-Identifier: Apache-2.0
/*
 * Storage client against hosts that never answer, break one ring of several, or promise
 * more than the rings can carry: nothing waits longer than it has to.
 */
#include "tests/harness.h"
#include "tests/unit/storage_vsc_rig.h"

struct outcome {
	unsigned calls;
	int result;
	struct rig *rig;
	struct storage_vsc_request *next; /* to be submitted when this one ends */
};

static void on_done(struct storage_vsc_request *request)
{
	struct outcome *outcome = request->ctx;
	outcome->calls++;
	outcome->result = request->result;
	if (outcome->next != NULL)
		CU_ASSERT_EQUAL(storage_vsc_submit(&outcome->rig->vsc, outcome->next), 0);
}

static struct storage_vsc_request read_of(struct rig *rig, struct outcome *outcome)
{
	struct storage_vsc_request request = {
		.lun = storage_vsc_lun_find(&rig->vsc, 0, 0, 0),
		.op = STORAGE_VSC_READ,
		.blocks = 8,
		.data = {.first_gpn = 16, .bytes = 4096},
		.done = on_done,
		.ctx = outcome,
	};
	outcome->rig = rig;
	return request;
}

static void hold_reads(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	answer->is_held = packet->payload[0] == STORAGE_OP_EXECUTE_SRB &&
			  packet->payload[28] == SCSI_OP_READ_10;
}

/* ---- deadlines -------------------------------------------------------------------------- */

static void what_is_submitted_when_another_times_out_has_its_own_time(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcomes[2] = {0};
	struct storage_vsc_request first = read_of(rig, &outcomes[0]);
	struct storage_vsc_request second = read_of(rig, &outcomes[1]);
	outcomes[0].next = &second;
	rig->hook = hold_reads;
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &first), 0);
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	rig_later(rig, 30000);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.counters.resets, 1);
	rig_later(rig, 10000); /* the grace is over: the first ends, the second begins */
	rig_run(rig);
	CU_ASSERT_EQUAL(outcomes[0].calls, 1);
	CU_ASSERT_EQUAL(outcomes[0].result, -VIRIDIAN_ETIMEDOUT);
	rig_later(rig, 29999);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.counters.resets, 1); /* for the second: not yet */
	CU_ASSERT_EQUAL(outcomes[1].calls, 0);
	rig_later(rig, 1);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.counters.resets, 2);
	rig_later(rig, 10000);
	CU_ASSERT_EQUAL(outcomes[1].calls, 1);
	free(rig);
}

/* ---- rings ------------------------------------------------------------------------------ */

static void a_request_that_no_ring_can_carry_is_refused_at_once(void)
{
	struct rig *rig = rig_new();
	struct outcome outcomes[2] = {0};
	rig->max_transfer = 0xFFFFFFFF;
	rig->units[0].blocks = 1u << 20;
	rig_start(rig);
	rig_run(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	/* 8 MiB: 2048 page numbers, in a ring of 8 KiB */
	struct storage_vsc_request large = read_of(rig, &outcomes[0]);
	large.blocks = 16384;
	large.data.bytes = 8u << 20;
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &large), -VIRIDIAN_EMSGSIZE);
	/* and holds up nobody */
	struct storage_vsc_request small = read_of(rig, &outcomes[1]);
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &small), 0);
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcomes[0].calls, 0);
	CU_ASSERT_EQUAL(outcomes[1].calls, 1);
	/* the largest that is allowed goes out, however it lies in memory */
	large.data.bytes = rig->vsc.max_transfer_bytes;
	large.data.offset = 4088;
	large.blocks = large.data.bytes / 512;
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &large), 0);
	CU_ASSERT_PTR_NULL(rig->vsc.waiting.head);
	CU_ASSERT_EQUAL(rig->vsc.in_flight, 1);
	free(rig);
}

static void a_broken_sub_channel_does_not_hold_up_the_others(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcomes[40] = {0};
	struct storage_vsc_request requests[40];
	rig_sub_channel_add(rig);
	/* the read index of the ring to the host, as a reader never leaves it */
	rig->channels[1].to_host.control[4] = 4;
	for (unsigned i = 0; i < 40; i++) {
		requests[i] = read_of(rig, &outcomes[i]);
		CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, &requests[i]), 0);
		storage_vsc_flush(&rig->vsc);
		/* no tick: only what the host does moves things on */
		(void)rig_host_run(rig, 0);
		(void)storage_vsc_drain(&rig->vsc, 0, STORAGE_VSC_DRAIN_MAX);
	}
	unsigned done = 0;
	for (unsigned i = 0; i < 40; i++)
		done += outcomes[i].calls == 1 && outcomes[i].result == 0;
	/* what was put into the broken ring before it was seen to be broken stays there */
	CU_ASSERT_EQUAL(done + rig->vsc.channels[1].in_flight, 40);
	CU_ASSERT(rig->vsc.channels[1].in_flight <= 8);
	CU_ASSERT_FALSE(rig->vsc.channels[1].is_usable);
	CU_ASSERT_EQUAL(rig->vsc.state, STORAGE_VSC_READY);
	CU_ASSERT_PTR_NULL(rig->vsc.waiting.head);
	free(rig);
}

static const struct test tests[] = {
	TEST(what_is_submitted_when_another_times_out_has_its_own_time),
	TEST(a_request_that_no_ring_can_carry_is_refused_at_once),
	TEST(a_broken_sub_channel_does_not_hold_up_the_others),
};
TEST_MAIN("hostile_host_storage", tests)
