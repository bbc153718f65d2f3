// SPDX-License-Identifier: Apache-2.0
/*
 * The table of SCSI commands, and the checks that all of them share: known
 * operation, CDB length, pending unit attention, reservation, data direction.
 *
 * Sources: protocol/storage.md sections 6 and 7 (R-STOR-026 … R-STOR-043).
 */
#include "host/vsp/scsi_internal.h"

#define DISK SCSI_TYPE_BIT_DISK
#define DVD  SCSI_TYPE_BIT_DVD
#define BOTH (SCSI_TYPE_BIT_DISK | SCSI_TYPE_BIT_DVD)
#define IN   STORAGE_DATA_IN
#define OUT  STORAGE_DATA_OUT
#define NONE STORAGE_DATA_NONE
#define ANY  SCSI_ACCESS_ANY
#define RD   SCSI_ACCESS_READ
#define WR   SCSI_ACCESS_WRITE
#define KEEP (SCSI_COMMAND_KEEPS_ATTENTION | SCSI_COMMAND_KEEPS_SENSE)
#define HOLD SCSI_COMMAND_KEEPS_ATTENTION

/* COMMAND(name, shortest CDB, types, direction, access, flags, handler) */
#define COMMAND(id, bytes, type_bits, dir, acc, fl, handler)                                       \
	{                                                                                          \
		.opcode = SCSI_OP_##id, .cdb_bytes = (bytes), .types = (type_bits),                \
		.direction = (dir), .access = (acc), .flags = (fl), .name = #id, .run = (handler)  \
	}

/* clang-format off */
const struct scsi_command scsi_command_table[] = {
	{.name = "none"},
	COMMAND(TEST_UNIT_READY, 6, DISK, NONE, ANY, 0, scsi_run_nothing),
	COMMAND(TEST_UNIT_READY, 6, DVD, NONE, ANY, 0, scsi_dvd_test_unit_ready),
	COMMAND(REQUEST_SENSE, 6, DISK, IN, ANY, KEEP, scsi_run_request_sense),
	COMMAND(REQUEST_SENSE, 6, DVD, IN, ANY, KEEP, scsi_dvd_request_sense),
	COMMAND(FORMAT_UNIT, 6, DISK, OUT, WR, 0, scsi_run_nothing),
	COMMAND(READ_6, 6, DISK, IN, RD, 0, scsi_block_read),
	COMMAND(WRITE_6, 6, DISK, OUT, WR, 0, scsi_block_write),
	COMMAND(INQUIRY, 6, DISK, IN, ANY, HOLD, scsi_disk_inquiry),
	COMMAND(INQUIRY, 6, DVD, IN, ANY, HOLD, scsi_dvd_inquiry),
	COMMAND(MODE_SELECT_6, 6, DISK, OUT, WR, 0, scsi_disk_mode_select),
	COMMAND(RESERVE_6, 6, DISK, NONE, WR, 0, scsi_run_nothing),
	COMMAND(RELEASE_6, 6, DISK, NONE, ANY, 0, scsi_run_nothing),
	COMMAND(MODE_SENSE_6, 6, DISK, IN, ANY, 0, scsi_disk_mode_sense),
	COMMAND(START_STOP_UNIT, 6, DISK, NONE, WR, 0, scsi_disk_start_stop),
	COMMAND(START_STOP_UNIT, 6, DVD, NONE, ANY, 0, scsi_dvd_start_stop),
	COMMAND(SEND_DIAGNOSTIC, 6, DISK, NONE, WR, 0, scsi_disk_send_diagnostic),
	COMMAND(PREVENT_ALLOW_MEDIUM_REMOVAL, 6, DISK, NONE, ANY, 0, scsi_run_nothing),
	COMMAND(PREVENT_ALLOW_MEDIUM_REMOVAL, 6, DVD, NONE, ANY, 0, scsi_dvd_prevent_allow),
	COMMAND(READ_CAPACITY_10, 10, DISK, IN, ANY, 0, scsi_disk_read_capacity_10),
	COMMAND(READ_CAPACITY_10, 10, DVD, IN, ANY, 0, scsi_dvd_read_capacity),
	COMMAND(READ_10, 10, BOTH, IN, RD, 0, scsi_block_read),
	COMMAND(WRITE_10, 10, DISK, OUT, WR, 0, scsi_block_write),
	COMMAND(WRITE_AND_VERIFY_10, 10, DISK, OUT, WR, 0, scsi_block_write_and_verify),
	COMMAND(VERIFY_10, 10, DISK, OUT, RD, 0, scsi_block_verify),
	COMMAND(SYNCHRONIZE_CACHE_10, 10, DISK, NONE, WR, 0, scsi_block_synchronize_cache),
	COMMAND(WRITE_SAME_10, 10, DISK, OUT, WR, 0, scsi_write_same),
	COMMAND(UNMAP, 10, DISK, OUT, WR, 0, scsi_unmap),
	COMMAND(READ_TOC, 10, DVD, IN, ANY, 0, scsi_mmc_read_toc),
	COMMAND(GET_CONFIGURATION, 10, DVD, IN, ANY, HOLD, scsi_mmc_get_configuration),
	COMMAND(GET_EVENT_STATUS_NOTIFICATION, 10, DVD, IN, ANY, HOLD, scsi_dvd_get_event_status),
	COMMAND(READ_DISC_INFORMATION, 10, DVD, IN, ANY, 0, scsi_mmc_read_disc_information),
	COMMAND(READ_TRACK_INFORMATION, 10, DVD, IN, ANY, 0, scsi_mmc_read_track_information),
	COMMAND(MODE_SELECT_10, 10, DISK, OUT, WR, 0, scsi_disk_mode_select),
	COMMAND(MODE_SELECT_10, 10, DVD, OUT, ANY, 0, scsi_dvd_mode_select),
	COMMAND(MODE_SENSE_10, 10, DISK, IN, ANY, 0, scsi_disk_mode_sense),
	COMMAND(MODE_SENSE_10, 10, DVD, IN, ANY, 0, scsi_dvd_mode_sense),
	COMMAND(READ_BUFFER_CAPACITY, 10, DVD, IN, ANY, 0, scsi_mmc_read_buffer_capacity),
	COMMAND(PERSISTENT_RESERVE_IN, 10, DISK, IN, ANY, 0, scsi_reserve_in),
	COMMAND(PERSISTENT_RESERVE_OUT, 10, DISK, OUT, ANY, 0, scsi_reserve_out),
	COMMAND(READ_16, 16, BOTH, IN, RD, 0, scsi_block_read),
	COMMAND(WRITE_16, 16, DISK, OUT, WR, 0, scsi_block_write),
	COMMAND(WRITE_AND_VERIFY_16, 16, DISK, OUT, WR, 0, scsi_block_write_and_verify),
	COMMAND(VERIFY_16, 16, DISK, OUT, RD, 0, scsi_block_verify),
	COMMAND(SYNCHRONIZE_CACHE_16, 16, DISK, NONE, WR, 0, scsi_block_synchronize_cache),
	COMMAND(WRITE_SAME_16, 16, DISK, OUT, WR, 0, scsi_write_same),
	COMMAND(SERVICE_ACTION_IN_16, 16, DISK, IN, ANY, 0, scsi_disk_service_action_in),
	COMMAND(READ_12, 12, BOTH, IN, RD, 0, scsi_block_read),
	COMMAND(WRITE_12, 12, DISK, OUT, WR, 0, scsi_block_write),
	COMMAND(GET_PERFORMANCE, 12, DVD, IN, ANY, 0, scsi_mmc_get_performance),
	COMMAND(READ_DVD_STRUCTURE, 12, DVD, IN, ANY, 0, scsi_mmc_read_dvd_structure),
	COMMAND(WRITE_AND_VERIFY_12, 12, DISK, OUT, WR, 0, scsi_block_write_and_verify),
	COMMAND(VERIFY_12, 12, DISK, OUT, RD, 0, scsi_block_verify),
	COMMAND(SET_STREAMING, 12, DVD, OUT, ANY, 0, scsi_mmc_set_streaming),
	COMMAND(MECHANISM_STATUS, 12, DVD, IN, ANY, 0, scsi_mmc_mechanism_status),
};
/* clang-format on */

const unsigned scsi_command_count = sizeof scsi_command_table / sizeof scsi_command_table[0];

_Static_assert(sizeof scsi_command_table / sizeof scsi_command_table[0] < 256,
	"rows are numbered by one byte");

void scsi_commands_init(struct scsi_commands *commands)
{
	*commands = (struct scsi_commands){0};
	for (unsigned i = 1; i < scsi_command_count; i++)
		for (unsigned type = 0; type < SCSI_DEVICE_TYPE_COUNT; type++)
			if (scsi_command_table[i].types & (1u << type))
				commands->row[type][scsi_command_table[i].opcode] = (uint8_t)i;
}

/* A pending unit attention ends the command. */
static void report_attention(struct scsi_request *request)
{
	const uint16_t asc = scsi_attention_take(request->nexus);
	scsi_check(request, STORAGE_SRB_ERROR, SCSI_KEY_UNIT_ATTENTION, asc);
}

/* What rarely happens: an attention, a reservation, saved sense. True: request ended. */
static bool run_exceptions(struct scsi_request *request, const struct scsi_command *command)
{
	struct scsi_nexus *nexus = request->nexus;
	if (!(command->flags & SCSI_COMMAND_KEEPS_SENSE))
		nexus->sense_bytes = 0;
	if (nexus->attentions && !(command->flags & SCSI_COMMAND_KEEPS_ATTENTION)) {
		report_attention(request);
		return true;
	}
	if (nexus->device->is_reserved && scsi_reservation_conflicts(nexus, command->access)) {
		scsi_finish(request, SCSI_STATUS_RESERVATION_CONFLICT, STORAGE_SRB_ERROR);
		return true;
	}
	return false;
}

void scsi_execute(struct scsi_request *request)
{
	struct scsi_nexus *nexus = request->nexus;
	const struct scsi_device *device = nexus->device;
	const unsigned row = request->commands->row[device->type][request->cdb[0]];
	const struct scsi_command *command = &scsi_command_table[row];

	nexus->outstanding++;
	request->sense_bytes = 0;
	request->moved_bytes = 0;
	request->is_hurried = false;
	request->command = command;
	if (nexus->attentions | nexus->sense_bytes | device->is_reserved)
		if (run_exceptions(request, command))
			return;
	if (row == 0) {
		scsi_illegal(request, SCSI_ASC_INVALID_OPCODE);
		return;
	}
	if (request->cdb_length < command->cdb_bytes ||
		(request->data_bytes != 0 && request->direction <= STORAGE_DATA_IN &&
			command->direction <= STORAGE_DATA_IN &&
			request->direction != command->direction)) {
		scsi_illegal(request, SCSI_ASC_INVALID_FIELD_IN_CDB);
		return;
	}
	command->run(request);
}
