// SPDX-License-Identifier: Apache-2.0
/* Storage client: enumeration, of devices that are there, change, fail, and talk nonsense. */
#include "tests/harness.h"
#include "tests/unit/storage_vsc_read.h"

/* ---- enumeration -------------------------------------------------------- */

static void enumeration_finds_what_is_there(void)
{
	struct rig *rig = rig_scanned();
	CU_ASSERT_EQUAL(rig->scans, 1);
	CU_ASSERT_EQUAL(rig->scan_error, 0);
	CU_ASSERT_EQUAL(rig->added, 2);
	const struct storage_vsc_lun *disk = rig_lun(rig, 0, 0);
	const struct storage_properties *p = &disk->properties;
	CU_ASSERT_EQUAL(p->type, SCSI_TYPE_DISK);
	CU_ASSERT_EQUAL(p->blocks, RIG_DISK_BLOCKS);
	CU_ASSERT_EQUAL(p->block_bytes, 512);
	CU_ASSERT_EQUAL(p->physical_bytes, 4096);
	CU_ASSERT(!p->is_read_only && p->has_write_cache && p->can_fua && p->can_unmap);
	CU_ASSERT(!p->unmapped_is_zero && p->is_tagged);
	CU_ASSERT_EQUAL(p->unmap_blocks_max, UINT32_MAX);
	CU_ASSERT_STRING_EQUAL(p->vendor, "Msft");
	CU_ASSERT_STRING_EQUAL(p->product, "Virtual Disk");
	CU_ASSERT_STRING_EQUAL(p->serial, "SERIAL01");
	CU_ASSERT_EQUAL(p->id_bytes, 16);
	CU_ASSERT_EQUAL(p->id[0], 0x60);
	const struct storage_vsc_lun *dvd = rig_lun(rig, 2, 0);
	CU_ASSERT(dvd->properties.is_read_only && dvd->properties.is_removable);
	CU_ASSERT_EQUAL(dvd->properties.block_bytes, 2048);
	free(rig);
}

static void write_protect_is_seen(void)
{
	struct rig *rig = rig_new();
	rig->units[0].write_protect = 0x80;
	rig_start(rig);
	rig_run(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	CU_ASSERT(rig_lun(rig, 0, 0)->properties.is_read_only);
	free(rig);
}

static void enumerate_bus(struct rig *rig)
{
	uint8_t packet[64] = {STORAGE_OP_ENUMERATE_BUS};
	rig_send(rig, 0, PACKET_TYPE_INBAND, 0, packet, sizeof packet);
}

/* R-STOR-056. */
static void notification_leads_to_added_changed_and_removed(void)
{
	struct rig *rig = rig_scanned();
	rig->units[2] = (struct rig_lun){.is_there = true,
		.target = 1,
		.lun = 7,
		.type = SCSI_TYPE_DISK,
		.blocks = 64,
		.block_bytes = 4096,
		.serial = "SERIAL03"};
	rig->units[0].blocks *= 2;
	rig->units[1].is_there = false;
	rig_later(rig, 100);
	enumerate_bus(rig);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->scans, 2);
	CU_ASSERT_EQUAL(rig->added, 3);
	CU_ASSERT_EQUAL(rig->changed, 1);
	CU_ASSERT_EQUAL(rig->removed, 1);
	CU_ASSERT_EQUAL(rig_lun(rig, 0, 0)->properties.blocks, 2 * RIG_DISK_BLOCKS);
	CU_ASSERT_PTR_NOT_NULL(storage_vsc_lun_find(&rig->vsc, 0, 1, 7));
	CU_ASSERT_PTR_NULL(storage_vsc_lun_find(&rig->vsc, 0, 2, 0));
	/* nothing changed: nothing is told */
	rig_later(rig, 100);
	enumerate_bus(rig);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->scans, 3);
	CU_ASSERT_EQUAL(rig->added + rig->changed + rig->removed, 5);
	free(rig);
}

static void another_disk_at_the_same_address_is_removed_and_added(void)
{
	struct rig *rig = rig_scanned();
	memcpy(rig->units[0].serial, "SERIAL99", 9);
	rig_later(rig, 100);
	enumerate_bus(rig);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->removed, 1);
	CU_ASSERT_EQUAL(rig->added, 3);
	CU_ASSERT_STRING_EQUAL(rig_lun(rig, 0, 0)->properties.serial, "SERIAL99");
	free(rig);
}

static void a_flood_of_notifications_costs_one_scan_in_its_time(void)
{
	struct rig *rig = rig_scanned();
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 20; i++)
			enumerate_bus(rig);
		rig_run(rig);
		rig_later(rig, 10);
	}
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->vsc.counters.notifications, 200);
	/* 100 ms: the first scan, one more, perhaps a second one at the end */
	CU_ASSERT(rig->scans >= 2 && rig->scans <= 3);
	rig_later(rig, 100);
	rig_run(rig);
	CU_ASSERT(rig->scans <= 4);
	free(rig);
}

static void too_many_luns_are_ignored_and_counted(void)
{
	struct rig *rig = rig_new();
	rig->vsc.config.lun_count = 1;
	rig_start(rig);
	rig_run(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->added, 1);
	CU_ASSERT_EQUAL(rig->vsc.counters.luns_ignored, 1);
	free(rig);
}

/* ---- scans -------------------------------------------------------------- */

static uint8_t garbage_opcode, garbage_page;
static uint32_t garbage_bytes;
static uint8_t garbage_fill;

static void garbage(struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	const uint8_t *cdb = packet->payload + 28;
	if (packet->payload[0] != STORAGE_OP_EXECUTE_SRB || cdb[0] != garbage_opcode ||
		(garbage_opcode == SCSI_OP_INQUIRY && cdb[2] != garbage_page) || !answer->has_data)
		return;
	memset(answer->data, garbage_fill, sizeof answer->data);
	if (answer->data_bytes > garbage_bytes)
		answer->data_bytes = garbage_bytes;
	memcpy(answer->payload + 24, &answer->data_bytes, 4);
}

static void garbage_in_any_reply_of_a_scan_is_survived(void)
{
	static const struct {
		uint8_t opcode, page;
	} replies[] = {
		{SCSI_OP_REPORT_LUNS, 0},
		{SCSI_OP_INQUIRY, 0},
		{SCSI_OP_INQUIRY, 0x80},
		{SCSI_OP_INQUIRY, 0x83},
		{SCSI_OP_INQUIRY, 0xB0},
		{SCSI_OP_INQUIRY, 0xB1},
		{SCSI_OP_INQUIRY, 0xB2},
		{SCSI_OP_SERVICE_ACTION_IN_16, 0},
		{SCSI_OP_READ_CAPACITY_10, 0},
		{SCSI_OP_MODE_SENSE_6, 0},
	};
	static const uint8_t fills[] = {0x00, 0x01, 0x08, 0x3F, 0x83, 0xFF};
	static const uint32_t lengths[] = {0, 1, 3, 4, 5, 8, 12, 4096};
	for (size_t r = 0; r < sizeof replies / sizeof replies[0]; r++) {
		for (size_t i = 0; i < sizeof fills * 8; i++) {
			struct rig *rig = rig_new();
			garbage_opcode = replies[r].opcode;
			garbage_page = replies[r].page;
			garbage_fill = fills[i / 8];
			garbage_bytes = lengths[i % 8];
			rig->hook = garbage;
			rig_start(rig);
			rig_run(rig);
			(void)storage_vsc_rescan(&rig->vsc);
			rig_run(rig);
			CU_ASSERT_EQUAL(rig->scans, 1);
			for (unsigned l = 0; l < RIG_LUNS; l++) {
				const struct storage_vsc_lun *lun = &rig->luns[l];
				if (lun->state != STORAGE_VSC_LUN_PRESENT)
					continue;
				const struct storage_properties *p = &lun->properties;
				CU_ASSERT(!p->has_medium ||
					  (p->block_bytes >= 512 && p->block_bytes <= 4096));
				CU_ASSERT(p->blocks <= INT64_MAX / 512);
			}
			free(rig);
		}
	}
}

static void fail_inquiry(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	if (packet->payload[0] == STORAGE_OP_EXECUTE_SRB && packet->payload[28] == rig->hook_state)
		rig_check(answer, SCSI_KEY_MEDIUM_ERROR, 0x4400);
}

static void a_device_that_fails_during_a_rescan_is_kept(void)
{
	static const uint8_t opcodes[] = {SCSI_OP_INQUIRY, SCSI_OP_REPORT_LUNS};
	for (unsigned i = 0; i < 2; i++) {
		struct rig *rig = rig_scanned();
		rig->hook = fail_inquiry;
		rig->hook_state = opcodes[i];
		(void)storage_vsc_rescan(&rig->vsc);
		rig_run(rig);
		CU_ASSERT_EQUAL(rig->scans, 2);
		CU_ASSERT_EQUAL(rig->removed, 0);
		CU_ASSERT_PTR_NOT_NULL(disk(rig));
		free(rig);
	}
}

static void refuse_report_luns(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	if (packet->payload[0] == STORAGE_OP_EXECUTE_SRB &&
		packet->payload[28] == SCSI_OP_REPORT_LUNS)
		rig_check(answer, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_INVALID_OPCODE);
}

static void targets_without_report_luns_are_probed_at_lun_zero(void)
{
	struct rig *rig = rig_new();
	rig->hook = refuse_report_luns;
	rig_start(rig);
	rig_run(rig);
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->added, 2);
	free(rig);
}

static void hold_all_srbs(
	struct rig *rig, const struct rig_packet *packet, struct rig_answer *answer)
{
	(void)rig;
	answer->is_held = packet->payload[0] == STORAGE_OP_EXECUTE_SRB;
}

static void a_scan_that_loses_its_memory_is_the_last_one(void)
{
	struct rig *rig = rig_scanned();
	rig->hook = hold_all_srbs;
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	rig_later(rig, 30000);
	rig_run(rig);
	rig_later(rig, 10000);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->scans, 2);
	CU_ASSERT_EQUAL(rig->scan_error, -VIRIDIAN_ETIMEDOUT);
	CU_ASSERT_EQUAL(rig->removed, 0);
	CU_ASSERT_EQUAL(storage_vsc_rescan(&rig->vsc), -VIRIDIAN_ENODEV);
	free(rig);
}

static void lun_pointers_stay_valid_until_released(void)
{
	struct rig *rig = rig_scanned();
	struct outcome outcome = {0};
	struct storage_vsc_lun *lun = disk(rig);
	struct storage_vsc_request request = read_of(lun, &outcome);
	rig_later(rig, 100);
	rig->hook = hold_reads;
	go(rig, &request);
	const uint64_t id = rig_sent(rig, 0)->id;
	rig->units[0].is_there = false;
	(void)storage_vsc_rescan(&rig->vsc);
	rig_run(rig);
	CU_ASSERT_EQUAL(rig->removed, 1);
	CU_ASSERT_EQUAL(lun->state, STORAGE_VSC_LUN_GONE); /* a request is still out */
	uint8_t reply[64] = {STORAGE_OP_COMPLETE_IO, [14] = STORAGE_SRB_SUCCESS, [25] = 0x10};
	rig_send(rig, 0, PACKET_TYPE_COMPLETION, id, reply, sizeof reply);
	rig_run(rig);
	CU_ASSERT_EQUAL(outcome.calls, 1);
	CU_ASSERT_EQUAL(lun->state, STORAGE_VSC_LUN_FREE);
	free(rig);
}

static const struct test tests[] = {
	TEST(enumeration_finds_what_is_there),
	TEST(write_protect_is_seen),
	TEST(notification_leads_to_added_changed_and_removed),
	TEST(another_disk_at_the_same_address_is_removed_and_added),
	TEST(a_flood_of_notifications_costs_one_scan_in_its_time),
	TEST(too_many_luns_are_ignored_and_counted),
	TEST(garbage_in_any_reply_of_a_scan_is_survived),
	TEST(a_device_that_fails_during_a_rescan_is_kept),
	TEST(targets_without_report_luns_are_probed_at_lun_zero),
	TEST(a_scan_that_loses_its_memory_is_the_last_one),
	TEST(lun_pointers_stay_valid_until_released),
};
TEST_MAIN("storage_vsc_scan", tests)
