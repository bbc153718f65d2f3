// SPDX-License-Identifier: Apache-2.0
/* What tests of the storage client share: one READ, what came of it, and a host that holds READs.
 */
#ifndef TESTS_UNIT_STORAGE_VSC_READ_H
#define TESTS_UNIT_STORAGE_VSC_READ_H

#include "tests/harness.h"
#include "tests/unit/storage_vsc_rig.h"

struct outcome {
	unsigned calls;
	int result;
	uint32_t transferred;
	bool is_memory_lost;
	struct storage_sense sense;
};

static inline void on_done(struct storage_vsc_request *request)
{
	struct outcome *outcome = request->ctx;
	outcome->calls++;
	outcome->result = request->result;
	outcome->transferred = request->transferred;
	outcome->is_memory_lost = request->is_memory_lost;
	outcome->sense = request->sense;
}

static inline struct storage_vsc_request read_of(
	struct storage_vsc_lun *lun, struct outcome *outcome)
{
	struct storage_vsc_request request = {
		.lun = lun,
		.op = STORAGE_VSC_READ,
		.blocks = 8,
		.data = {.first_gpn = 16, .bytes = 4096},
		.done = on_done,
		.ctx = outcome,
	};
	return request;
}

static inline struct storage_vsc_lun *disk(struct rig *rig)
{
	return storage_vsc_lun_find(&rig->vsc, 0, 0, 0);
}

static inline void go(struct rig *rig, struct storage_vsc_request *request)
{
	CU_ASSERT_EQUAL(storage_vsc_submit(&rig->vsc, request), 0);
	storage_vsc_flush(&rig->vsc);
	rig_run(rig);
}

static inline void hold_reads(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	answer->is_held = packet->payload[0] == STORAGE_OP_EXECUTE_SRB &&
			  packet->payload[28] == SCSI_OP_READ_10;
}

#endif
