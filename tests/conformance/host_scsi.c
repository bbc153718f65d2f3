// SPDX-License-Identifier: Apache-2.0
/* Commands to the disks of the SCSI controller: addressing, ranges, sense, data. */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_storage.h"

#define COMMAND                                                                                    \
	struct conform_storage storage;                                                            \
	uint32_t status;                                                                           \
	TRY(conform_bus_offers(t));                                                                \
	NEED(conform_offer(t, &guid_storage) != NULL, "the host offers no SCSI controller");       \
	TRY(conform_storage_open(t, &storage));                                                    \
	TRY(conform_storage_handshake(t, &storage));                                               \
	(void)status;                                                                              \
	struct storage_srb_wire reply;                                                             \
	const struct winhv_pages data = conform_pages(t, (size_t)8 * WINHV_PAGE_BYTES);            \
	(void)data
#define EXECUTE(...)                                                                               \
	do {                                                                                       \
		const struct conform_command command = {__VA_ARGS__};                              \
		TRY(conform_storage_execute(t, &storage, &command, &reply, &status));              \
	} while (0)
#define SRB_STATUS (reply.srb_status & STORAGE_SRB_STATUS_MASK)
#define EXPECT_SENSE(key, asc, ascq, what)                                                         \
	EXPECT(reply.srb_status &STORAGE_SRB_AUTOSENSE_VALID &&reply.scsi_status == 2 &&           \
			(reply.cdb_or_sense[2] & 0xf) == (key) &&                                  \
			reply.cdb_or_sense[12] == (asc) && reply.cdb_or_sense[13] == (ascq),       \
		what ": SRB 0x%x, SCSI 0x%x, sense %x/%x/%x", reply.srb_status, reply.scsi_status, \
		reply.cdb_or_sense[2] & 0xf, reply.cdb_or_sense[12], reply.cdb_or_sense[13])

/* Target 0, LUN 0, unit attentions over; a skip if there is no disk. */
static enum conform_verdict disk(struct conform_target *t, struct conform_storage *storage,
	const struct winhv_pages *data, uint64_t *blocks, uint32_t *block_bytes)
{
	struct storage_srb_wire reply = {0};
	uint32_t status;
	const struct conform_command capacity = {.cdb = {0x9e, 0x10, [13] = 32},
		.cdb_bytes = 16,
		.direction = STORAGE_DATA_IN,
		.pages = data,
		.data_bytes = 32};

	for (unsigned i = 0; i < 6 && SRB_STATUS != STORAGE_SRB_SUCCESS; i++)
		TRY(conform_storage_execute(t, storage, &capacity, &reply, &status));
	NEED(SRB_STATUS == STORAGE_SRB_SUCCESS, "there is no disk at target 0, LUN 0");
	*blocks = 0;
	*block_bytes = 0;
	for (unsigned i = 0; i < 8; i++)
		*blocks = *blocks << 8 | data->va[i];
	(*blocks)++;
	for (unsigned i = 8; i < 12; i++)
		*block_bytes = *block_bytes << 8 | data->va[i];
	return CONFORM_PASS;
}
#define DISK                                                                                       \
	COMMAND;                                                                                   \
	uint64_t blocks;                                                                           \
	uint32_t block;                                                                            \
	const enum conform_verdict found = disk(t, &storage, &data, &blocks, &block);              \
	if (found != CONFORM_PASS)                                                                 \
		return found;                                                                      \
	(void)blocks, (void)block

static enum conform_verdict inquiry_absent(struct conform_target *t)
{
	COMMAND;
	EXECUTE(.target = 63, .lun = 7, .cdb = {0x12, [4] = 36}, .cdb_bytes = 6,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = 36);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS && reply.scsi_status == 0 && data.va[0] == 0x7f,
		"SRB 0x%x, SCSI 0x%x, byte 0 is 0x%x", reply.srb_status, reply.scsi_status,
		data.va[0]);
	return CONFORM_PASS;
}

static enum conform_verdict other_absent(struct conform_target *t)
{
	COMMAND;
	EXECUTE(.target = 63, .lun = 7, .cdb = {0x00}, .cdb_bytes = 6,
		.direction = STORAGE_DATA_NONE);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_LUN && reply.scsi_status == 2 &&
			!(reply.srb_status & STORAGE_SRB_AUTOSENSE_VALID),
		"TEST UNIT READY: SRB 0x%x, SCSI 0x%x", reply.srb_status, reply.scsi_status);
	EXPECT(status == STORAGE_STATUS_NO_SUCH_DEVICE, "NTSTATUS 0x%x", status);
	return CONFORM_PASS;
}

static enum conform_verdict report_luns(struct conform_target *t)
{
	COMMAND;
	EXECUTE(.target = 62, .cdb = {0xa0, [8] = 1}, .cdb_bytes = 12, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 256);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS && reply.scsi_status == 0, "SRB 0x%x, SCSI 0x%x",
		reply.srb_status, reply.scsi_status);
	EXPECT((data.va[0] | data.va[1] | data.va[2] | data.va[3]) == 0, "the list has %u bytes",
		data.va[3]);
	return CONFORM_PASS;
}

static enum conform_verdict report_luns_there(struct conform_target *t)
{
	DISK;
	__builtin_memset(data.va, 0xff, 512);
	EXECUTE(.cdb = {0xa0, [8] = 1}, .cdb_bytes = 12, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 256);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "SRB 0x%x", reply.srb_status);
	EXPECT(data.va[3] >= 8 && data.va[3] % 8 == 0 && data.va[9] == 0,
		"the list has %u bytes and begins with LUN %u", data.va[3], data.va[9]);
	for (unsigned i = 1; i < data.va[3] / 8u; i++)
		EXPECT(data.va[9 + 8 * i] > data.va[1 + 8 * i], "the list is not ascending");
	return CONFORM_PASS;
}

static enum conform_verdict contradicting(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x12, [4] = 36}, .cdb_bytes = 0, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 36);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_REQUEST, "a CDB of 0 bytes: SRB 0x%x",
		reply.srb_status);
	EXECUTE(.cdb = {0x12, [4] = 36}, .cdb_bytes = 17, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 36);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_REQUEST, "a CDB of 17 bytes: SRB 0x%x",
		reply.srb_status);
	EXECUTE(.cdb = {0x28, [8] = 1}, .cdb_bytes = 6, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = block);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_REQUEST, "READ(10) in 6 bytes: SRB 0x%x",
		reply.srb_status);
	EXECUTE(.cdb = {0x28, [8] = 1}, .cdb_bytes = 10, .direction = STORAGE_DATA_OUT,
		.pages = &data, .data_bytes = block);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_REQUEST, "READ(10) as a write: SRB 0x%x",
		reply.srb_status);
	return CONFORM_PASS;
}

static enum conform_verdict no_wrapping(struct conform_target *t)
{
	DISK;
	__builtin_memset(data.va, 0x3c, data.bytes);
	EXECUTE(.cdb = {0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [13] = 2},
		.cdb_bytes = 16, .direction = STORAGE_DATA_IN, .pages = &data,
		.data_bytes = 2 * block);
	EXPECT_SENSE(5, 0x21, 0, "READ(16) of block 2^64 - 1");
	EXECUTE(.cdb = {0x28, 0, 0xff, 0xff, 0xff, 0xff, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = block);
	EXPECT_SENSE(5, 0x21, 0, "READ(10) of block 2^32 - 1");
	EXPECT(data.va[0] == 0x3c && data.va[block] == 0x3c, "data were written");
	return CONFORM_PASS;
}

static enum conform_verdict count_too_large(struct conform_target *t)
{
	DISK;
	__builtin_memset(data.va, 0x3c, data.bytes);
	EXECUTE(.cdb = {0x28, [8] = 2}, .cdb_bytes = 10, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = block);
	EXPECT_SENSE(5, 0x21, 0, "two blocks into the room of one");
	EXPECT(data.va[0] == 0x3c, "data were written");
	return CONFORM_PASS;
}

static enum conform_verdict sense_format(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x28, 0, 0xff, 0xff, 0xff, 0xff, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = block);
	EXPECT(reply.srb_status & STORAGE_SRB_AUTOSENSE_VALID, "SRB 0x%x", reply.srb_status);
	EXPECT(reply.cdb_or_sense[0] == 0x70 && reply.cdb_or_sense[7] == 0x0a &&
			reply.sense_length >= 18 && reply.sense_length <= STORAGE_SENSE_BYTES_MAX,
		"sense begins with 0x%x, says 0x%x more, of %u bytes", reply.cdb_or_sense[0],
		reply.cdb_or_sense[7], reply.sense_length);
	return CONFORM_PASS;
}

static enum conform_verdict sense_valid(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x28, 0, 0xff, 0xff, 0xff, 0xff, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = block,
		.wants_no_sense = true);
	EXPECT(!(reply.srb_status & STORAGE_SRB_AUTOSENSE_VALID) && reply.scsi_status == 2,
		"without room: SRB 0x%x, SCSI 0x%x", reply.srb_status, reply.scsi_status);
	EXECUTE(.cdb = {0x03, [4] = 18}, .cdb_bytes = 6, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 18);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS && (data.va[2] & 0xf) == 5 && data.va[12] == 0x21,
		"REQUEST SENSE after it: SRB 0x%x, sense %x/%x", reply.srb_status, data.va[2] & 0xf,
		data.va[12]);
	return CONFORM_PASS;
}

static enum conform_verdict nothing_moved(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x28, 0, 0xff, 0xff, 0xff, 0xff, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = block);
	EXPECT(reply.data_length == 0, "after a failure data_length is %u", reply.data_length);
	EXPECT(status == STORAGE_STATUS_IO_DEVICE_ERROR, "NTSTATUS 0x%x", status);
	EXECUTE(.cdb = {0x28, [8] = 2}, .cdb_bytes = 10, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 4 * block);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS && reply.data_length == 2 * block,
		"SRB 0x%x, data_length %u", reply.srb_status, reply.data_length);
	return CONFORM_PASS;
}

/* Write a pattern at an odd offset, read it back in another form at another offset. */
static enum conform_verdict write_and_read(struct conform_target *t)
{
	DISK;
	const uint32_t bytes = 4 * block;
	NEED(bytes <= 4 * WINHV_PAGE_BYTES, "blocks of %u bytes are too large here", block);
	NEED(blocks > 64, "the disk is too small");
	for (uint32_t i = 0; i < bytes; i++)
		data.va[8 + i] = (uint8_t)(i * 7 + i / 251);
	EXECUTE(.cdb = {0x2a, [5] = 40, [8] = 4}, .cdb_bytes = 10, .direction = STORAGE_DATA_OUT,
		.pages = &data, .offset = 8, .data_bytes = bytes);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "WRITE(10): SRB 0x%x", reply.srb_status);
	const struct winhv_pages back = conform_pages(t, (size_t)8 * WINHV_PAGE_BYTES);
	__builtin_memset(back.va, 0xcc, back.bytes);
	EXECUTE(.cdb = {0x88, [9] = 40, [13] = 4}, .cdb_bytes = 16, .direction = STORAGE_DATA_IN,
		.pages = &back, .offset = 4088, .data_bytes = bytes);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "READ(16): SRB 0x%x", reply.srb_status);
	EXPECT(__builtin_memcmp(back.va + 4088, data.va + 8, bytes) == 0,
		"READ(16) finds other bytes than WRITE(10) has written");
	EXPECT(back.va[4087] == 0xcc && back.va[4088 + bytes] == 0xcc,
		"bytes beside the range were written");
	return CONFORM_PASS;
}

static enum conform_verdict durable(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x2a, 0x08, [5] = 50, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_OUT, .pages = &data, .data_bytes = block);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "WRITE(10) with FUA: SRB 0x%x", reply.srb_status);
	return CONFORM_PASS;
}

static enum conform_verdict flush(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x35}, .cdb_bytes = 10, .direction = STORAGE_DATA_NONE);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "SYNCHRONIZE CACHE(10): SRB 0x%x",
		reply.srb_status);
	return CONFORM_PASS;
}

static enum conform_verdict read_only(struct conform_target *t)
{
	DISK;
	for (unsigned i = 0; i < 4; i++) /* unit attentions */
		EXECUTE(.target = 1, .lun = 2, .cdb = {0x00}, .cdb_bytes = 6,
			.direction = STORAGE_DATA_NONE);
	EXECUTE(.target = 1, .lun = 2, .cdb = {0x1a, 0, 0x3f, 0, 192}, .cdb_bytes = 6,
		.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = 192);
	NEED(SRB_STATUS == STORAGE_SRB_SUCCESS && data.va[2] & 0x80,
		"there is no write-protected disk at target 1, LUN 2");
	EXECUTE(.target = 1, .lun = 2, .cdb = {0x2a, [8] = 1}, .cdb_bytes = 10,
		.direction = STORAGE_DATA_OUT, .pages = &data, .data_bytes = block);
	EXPECT_SENSE(7, 0x27, 0, "a write");
	return CONFORM_PASS;
}

static enum conform_verdict vital_pages(struct conform_target *t)
{
	DISK;
	EXECUTE(.cdb = {0x12, 1, 0, [4] = 255}, .cdb_bytes = 6, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = 255);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS && data.va[1] == 0, "page 00: SRB 0x%x",
		reply.srb_status);
	const unsigned count = data.va[3];
	uint8_t pages[256];
	__builtin_memcpy(pages, data.va + 4, count < 252 ? count : 252);
	for (unsigned page = 0, at = 0; page < 256; page++) {
		const bool is_listed = at < count && pages[at] == page;
		EXECUTE(.cdb = {0x12, 1, (uint8_t)page, [4] = 255}, .cdb_bytes = 6,
			.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = 255);
		EXPECT((SRB_STATUS == STORAGE_SRB_SUCCESS) == is_listed,
			"page 0x%x is %slisted: SRB 0x%x", page, is_listed ? "" : "not ",
			reply.srb_status);
		at += is_listed;
	}
	return CONFORM_PASS;
}

static enum conform_verdict allocation(struct conform_target *t)
{
	DISK;
	for (unsigned bytes = 0; bytes < 40; bytes++) {
		__builtin_memset(data.va, 0xcc, 256);
		EXECUTE(.cdb = {0x12, [4] = (uint8_t)bytes}, .cdb_bytes = 6,
			.direction = STORAGE_DATA_IN, .pages = &data, .data_bytes = 255);
		EXPECT(data.va[bytes] == 0xcc, "INQUIRY with allocation %u wrote byte %u", bytes,
			bytes);
	}
	return CONFORM_PASS;
}

static enum conform_verdict not_memory(struct conform_target *t)
{
	DISK;
	const struct winhv_pages outside = {.gpa = 1ull << 45, .bytes = WINHV_PAGE_BYTES};
	EXECUTE(.cdb = {0x28, [8] = 1}, .cdb_bytes = 10, .direction = STORAGE_DATA_IN,
		.pages = &outside, .data_bytes = block);
	EXPECT(SRB_STATUS == STORAGE_SRB_INVALID_REQUEST, "SRB 0x%x", reply.srb_status);
	EXECUTE(.cdb = {0x28, [8] = 1}, .cdb_bytes = 10, .direction = STORAGE_DATA_IN,
		.pages = &data, .data_bytes = block);
	EXPECT(SRB_STATUS == STORAGE_SRB_SUCCESS, "the next one: SRB 0x%x", reply.srb_status);
	return CONFORM_PASS;
}

const struct conform_test conform_scsi_tests[] = {
	{"R-STOR-025", "bit 0x80 says that there is sense; else it is kept", sense_valid,
		CONFORM_BUS, 0, 0},
	{"R-STOR-026", "sense has the fixed format", sense_format, CONFORM_BUS, 0, 0},
	{"R-STOR-027", "data_length is what was moved", nothing_moved, CONFORM_BUS, 0, 0},
	{"R-STOR-028", "INQUIRY to an absent LUN says so", inquiry_absent, CONFORM_BUS, 0, 0},
	{"R-STOR-029", "other commands to an absent LUN fail", other_absent, CONFORM_BUS, 0, 0},
	{"R-STOR-030", "REPORT LUNS lists a target's LUNs", report_luns_there, CONFORM_BUS, 0, 0},
	{"R-STOR-031", "ranges do not wrap", no_wrapping, CONFORM_BUS, 0, 0},
	{"R-STOR-032", "a count beyond the buffer moves nothing", count_too_large, CONFORM_BUS, 0,
		0},
	{"R-STOR-033", "a write-protected disk refuses writes", read_only, CONFORM_BUS, 0, 0},
	{"R-STOR-034", "what one form wrote, another reads", write_and_read, CONFORM_BUS, 0, 0},
	{"R-STOR-035", "SYNCHRONIZE CACHE succeeds", flush, CONFORM_BUS, 0, 0},
	{"R-STOR-036", "FUA is accepted", durable, CONFORM_BUS, 0, 0},
	{"R-STOR-038", "page 00 lists all pages, and no other", vital_pages, CONFORM_BUS, 0, 0},
	{"R-STOR-045", "a range outside of memory ends its command only", not_memory, CONFORM_BUS,
		0, 0},
	{"R-STOR-060", "no more is written than was asked for", allocation, CONFORM_BUS, 0, 0},
	{"R-STOR-063", "REPORT LUNS of an empty target is empty", report_luns, CONFORM_BUS, 0, 0},
	{"R-STOR-071", "requests that contradict themselves are refused", contradicting,
		CONFORM_BUS, 0, 0},
	{"R-STOR-080", "data move exactly as the range says", write_and_read, CONFORM_BUS, 0, 0},
};
const size_t conform_scsi_test_count = sizeof conform_scsi_tests / sizeof conform_scsi_tests[0];
