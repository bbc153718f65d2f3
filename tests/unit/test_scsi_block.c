// SPDX-License-Identifier: Apache-2.0
/*
 * SCSI disks: commands that move, verify, fill and free blocks, of every CDB size,
 * and what the guest is told when the store fails.
 */
#include "host/vsp/scsi_internal.h"
#include "tests/unit/scsi_fixture.h"

#define BLOCKS 20480u

static void fill(uint8_t *bytes, size_t count, unsigned seed)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(seed + i * 7 + i / 512);
}

/* A CDB of the 6-, 10-, 12- or 16-byte form of a command. */
static unsigned cdb_make(uint8_t *cdb, uint8_t opcode, uint64_t lba, uint32_t count)
{
	memset(cdb, 0, 16);
	cdb[0] = opcode;
	switch (scsi_cdb_bytes(opcode)) {
	case 6:
		scsi_put24(cdb + 1, (uint32_t)lba);
		cdb[4] = (uint8_t)count;
		return 6;
	case 10:
		scsi_put32(cdb + 2, (uint32_t)lba);
		scsi_put16(cdb + 7, (uint16_t)count);
		return 10;
	case 12:
		scsi_put32(cdb + 2, (uint32_t)lba);
		scsi_put32(cdb + 6, count);
		return 12;
	default:
		scsi_put64(cdb + 2, lba);
		scsi_put32(cdb + 10, count);
		return 16;
	}
}

static void run_block(struct fixture *f, uint8_t opcode, uint8_t flags, uint64_t lba,
	uint32_t count, uint32_t data_bytes, uint8_t direction)
{
	uint8_t cdb[16];
	const unsigned length = cdb_make(cdb, opcode, lba, count);
	if (length != 6)
		cdb[1] = flags;
	fixture_start(f, cdb, length, direction, data_bytes);
	CU_ASSERT_EQUAL(f->done_count, 1);
	CU_ASSERT(fixture_guard_is_whole(f));
}

#define READ(f, op, lba, count, bytes)	run_block(f, op, 0, lba, count, bytes, STORAGE_DATA_IN)
#define WRITE(f, op, lba, count, bytes) run_block(f, op, 0, lba, count, bytes, STORAGE_DATA_OUT)

static const uint8_t reads[] = {0x08, 0x28, 0xA8, 0x88};
static const uint8_t writes[] = {0x0A, 0x2A, 0xAA, 0x8A};

/* R-STOR-034. */
static void what_is_written_is_read_back_with_every_cdb_size(void)
{
	struct fixture *f = fixture_disk();
	uint8_t expected[8 * 512];
	for (unsigned w = 0; w < 4; w++) {
		for (unsigned r = 0; r < 4; r++) {
			const uint64_t lba = 100 + w * 50 + r * 9;
			fill(expected, sizeof expected, w * 16 + r);
			memcpy(f->data, expected, sizeof expected);
			WRITE(f, writes[w], lba, 8, sizeof expected);
			ASSERT_GOOD(f, sizeof expected);
			CU_ASSERT_EQUAL(f->store->last_offset, lba * 512);
			CU_ASSERT_EQUAL(f->store->last_bytes, sizeof expected);
			READ(f, reads[r], lba, 8, sizeof expected);
			ASSERT_GOOD(f, sizeof expected);
			CU_ASSERT_EQUAL(memcmp(f->data, expected, sizeof expected), 0);
		}
	}
	fixture_free(f);
}

/* R-STOR-079. */
static void the_six_byte_forms_have_21_bits_and_256_blocks(void)
{
	struct fixture *f = fixture_disk();
	/* The three high bits are the LUN of old: not part of the address. */
	RUN_IN(f, 512, 0x08, 0xE0, 0x00, 0x05, 1);
	ASSERT_GOOD(f, 512);
	CU_ASSERT_EQUAL(f->store->last_offset, 5 * 512);
	RUN_IN(f, 256 * 512, 0x08, 0, 0, 0, 0);
	ASSERT_GOOD(f, 256 * 512);
	fixture_free(f);
}

/* R-STOR-031. */
static void ranges_are_checked_at_the_bound_without_wrapping(void)
{
	struct fixture *f = fixture_disk();
	for (unsigned i = 0; i < 4; i++) {
		READ(f, reads[i], BLOCKS - 1, 1, 512);
		ASSERT_GOOD(f, 512);
		READ(f, reads[i], BLOCKS - 1, 2, 1024);
		ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
		ASSERT_FIELD(f, 0, 0);
		READ(f, reads[i], BLOCKS, 1, 512);
		ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	}
	const unsigned submitted = f->store->submitted;
	READ(f, 0x88, UINT64_MAX, 2, 1024);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	READ(f, 0x88, UINT64_MAX, 1, 512);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	READ(f, 0x88, 0x8000000000000000, 2, 1024);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	READ(f, 0xA8, 0xFFFFFFFF, 1, 512);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	/* 2^31 blocks are 2^40 bytes: more than any buffer, also modulo 2^32. */
	READ(f, 0xA8, 0, 0x80000000, 4096);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	READ(f, 0x88, 0, 0x00800000, 0);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	CU_ASSERT_EQUAL(f->store->submitted, submitted);
	fixture_free(f);
}

/* R-STOR-032. */
static void counts_beyond_the_buffer_move_nothing(void)
{
	struct fixture *f = fixture_disk();
	for (unsigned i = 1; i < 4; i++) {
		READ(f, reads[i], 0, 2, 1023);
		ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
		WRITE(f, writes[i], 0, 2, 1023);
		ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
		READ(f, reads[i], 0, 0, 512);
		ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	}
	CU_ASSERT_EQUAL(f->store->submitted, 0);
	/* A longer buffer is filled as far as the blocks go. */
	READ(f, 0x28, 0, 1, 1000);
	ASSERT_GOOD(f, 512);
	CU_ASSERT_EQUAL(f->data[512], FIXTURE_GUARD);
	fixture_free(f);
}

/* R-STOR-079. */
static void checks_come_in_order(void)
{
	struct fixture *f = fixture_disk();
	f->device->is_read_only = true;
	/* RELADR before length before range before write protection. */
	run_block(f, 0x2A, 0x01, BLOCKS, 2, 512, STORAGE_DATA_OUT);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	ASSERT_FIELD(f, 0xC0, 1);
	run_block(f, 0xAA, 0x01, 0, 1, 512, STORAGE_DATA_OUT);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	run_block(f, 0x2A, 0, BLOCKS, 1, 512, STORAGE_DATA_OUT);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	run_block(f, 0x2A, 0, 0, 1, 512, STORAGE_DATA_OUT);
	ASSERT_SENSE(f, 0x04, 7, 0x27, 0x00);
	run_block(f, 0x8A, 0x01, 0, 1, 512, STORAGE_DATA_OUT);
	ASSERT_SENSE(f, 0x04, 7, 0x27, 0x00); /* bit 0 means nothing in the 16-byte form */
	CU_ASSERT_EQUAL(f->store->submitted, 0);
	fixture_free(f);
}

/* R-STOR-033. */
static void a_read_only_disk_is_never_written(void)
{
	static const uint8_t opcodes[] = {0x0A, 0x2A, 0xAA, 0x8A, 0x2E, 0xAE, 0x8E, 0x41, 0x93};
	struct fixture *f = fixture_disk();
	f->device->is_read_only = true;
	for (unsigned i = 0; i < sizeof opcodes; i++) {
		WRITE(f, opcodes[i], 0, 1, 512);
		ASSERT_SENSE(f, 0x04, 7, 0x27, 0x00);
	}
	CU_ASSERT_EQUAL(f->store->submitted, 0);
	READ(f, 0x28, 0, 1, 512);
	ASSERT_GOOD(f, 512);
	fixture_free(f);

	/* A store that cannot be written makes the disk read-only, and UNMAP is not offered. */
	struct store_script *store = store_script_create(1 << 20, 512);
	store->base.is_read_only = true;
	const struct scsi_device_config config = {.type = SCSI_DEVICE_DISK};
	f = fixture_over(store, &config);
	RUN_OUT(f, 8, 0x42, 0, 0, 0, 0, 0, 0, 0, 8);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	fixture_free(f);
}

/* R-STOR-036. */
static void forced_unit_access_reaches_the_store(void)
{
	struct fixture *f = fixture_disk();
	for (unsigned i = 1; i < 4; i++) {
		run_block(f, writes[i], 0x08, 0, 1, 512, STORAGE_DATA_OUT);
		ASSERT_GOOD(f, 512);
		CU_ASSERT_EQUAL(f->store->fua_count, i);
		run_block(f, writes[i], 0x10, 0, 1, 512, STORAGE_DATA_OUT); /* DPO alone */
		CU_ASSERT_EQUAL(f->store->fua_count, i);
		run_block(f, reads[i], 0x08, 0, 1, 512, STORAGE_DATA_IN);
		CU_ASSERT_EQUAL(f->store->fua_count, i);
	}
	/* LBA bit 19 is where FUA would be in byte 1: not in the 6-byte form. */
	f->device->blocks = 1 << 21;
	f->store->fail_at = 1;
	f->store->fail_with = -EIO;
	RUN_OUT(f, 512, 0x0A, 0x08, 0, 0, 1);
	CU_ASSERT_EQUAL(f->store->last_offset, UINT64_C(0x080000) * 512);
	CU_ASSERT_EQUAL(f->store->fua_count, 3);
	f->device->blocks = BLOCKS;
	fixture_free(f);
}

/* R-STOR-035. */
static void synchronize_cache_reaches_the_store_before_it_completes(void)
{
	static const uint8_t cdbs[2][16] = {{0x35}, {0x91}};
	struct fixture *f = fixture_disk();
	for (unsigned i = 0; i < 2; i++) {
		f->store->holds = true;
		fixture_start(f, cdbs[i], i == 0 ? 10 : 16, STORAGE_DATA_NONE, 0);
		CU_ASSERT_EQUAL(f->done_count, 0);
		CU_ASSERT_EQUAL(f->store->counts[STORE_FLUSH], i + 1);
		store_script_release(f->store, 0);
		CU_ASSERT_EQUAL(f->done_count, 1);
		ASSERT_GOOD(f, 0);
	}
	fixture_free(f);
}

/* ---- failures ------------------------------------------------------------------------------ */

static void store_failures_become_their_sense(void)
{
	static const struct {
		uint8_t opcode, direction;
		int error;
		uint8_t srb, key, asc, ascq;
	} rows[] = {
		{0x28, STORAGE_DATA_IN, -EIO, 0x04, 0x3, 0x11, 0x00},
		{0x2A, STORAGE_DATA_OUT, -EIO, 0x04, 0x3, 0x03, 0x00},
		{0x28, STORAGE_DATA_IN, -ENXIO, 0x04, 0x3, 0x00, 0x00},
		{0x2A, STORAGE_DATA_OUT, -ENOSPC, 0x04, 0x7, 0x27, 0x07},
		{0x2A, STORAGE_DATA_OUT, -EROFS, 0x04, 0x7, 0x27, 0x00},
		{0x28, STORAGE_DATA_IN, -EFAULT, 0x06, 0x5, 0x24, 0x00},
	};
	struct fixture *f = fixture_disk();
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		f->store->fail_at = 1;
		f->store->fail_with = rows[i].error;
		run_block(f, rows[i].opcode, 0, 0, 1, 512, rows[i].direction);
		ASSERT_SENSE(f, rows[i].srb, rows[i].key, rows[i].asc, rows[i].ascq);
	}
	f->store->fail_at = 1;
	f->store->fail_with = -EIO;
	RUN_NONE(f, 0x35);
	ASSERT_SENSE(f, 0x04, 3, 0x00, 0x00);

	f->store->fail_at = 1;
	f->store->fail_with = -EBUSY;
	READ(f, 0x28, 0, 1, 512);
	CU_ASSERT_EQUAL(f->request.scsi_status, 0x08);
	CU_ASSERT_EQUAL(f->request.srb_status, 0x05);
	CU_ASSERT_EQUAL(f->request.sense_bytes, 0);

	f->store->fail_at = 1;
	f->store->fail_with = -ECANCELED;
	READ(f, 0x28, 0, 1, 512);
	CU_ASSERT_EQUAL(f->request.scsi_status, 0x40);
	CU_ASSERT_EQUAL(f->request.srb_status, 0x02);
	CU_ASSERT_EQUAL(f->request.sense[2], 0x0B);
	CU_ASSERT_EQUAL(f->nexus.outstanding, 0);
	fixture_free(f);
}

/* Whichever of a command's I/Os fails, it ends once, with an error. */
static void every_io_of_a_command_may_fail(void)
{
	struct fixture *f = fixture_disk();
	const uint32_t bytes = 400 * 512;
	fill(f->data, bytes, 3);
	for (unsigned n = 1;; n++) {
		f->store->submitted = 0;
		f->store->fail_at = n;
		f->store->fail_with = -EIO;
		run_block(f, 0x8E, 0x02, 16, 400, bytes, STORAGE_DATA_OUT);
		if (f->store->submitted < n) {
			ASSERT_GOOD(f, bytes);
			CU_ASSERT_EQUAL(n, 9); /* 4 pieces, each written and read */
			break;
		}
		CU_ASSERT_EQUAL(f->request.scsi_status, 2);
		CU_ASSERT_EQUAL(f->request.sense[12], n % 2 ? 0x03 : 0x11);
	}
	f->store->fail_at = 0;
	CU_ASSERT_EQUAL(f->nexus.outstanding, 0);
	CU_ASSERT_PTR_NULL(f->scratch.owner);
	fixture_free(f);
}

/* ---- verify -------------------------------------------------------------------------------- */

/* R-STOR-082. */
static void verify_compares_when_asked(void)
{
	static const uint8_t opcodes[] = {0x2F, 0xAF, 0x8F};
	struct fixture *f = fixture_disk();
	const uint32_t bytes = 300 * 512;
	for (unsigned i = 0; i < 3; i++) {
		fill(f->store->bytes + 7 * 512, bytes, i);
		fill(f->data, bytes, i);
		run_block(f, opcodes[i], 0x02, 7, 300, bytes, STORAGE_DATA_OUT);
		ASSERT_GOOD(f, bytes);
		f->data[bytes - 1] ^= 1;
		run_block(f, opcodes[i], 0x02, 7, 300, bytes, STORAGE_DATA_OUT);
		ASSERT_SENSE(f, 0x04, 0x0E, 0x1D, 0x00);
		run_block(f, opcodes[i], 0, 7, 300, 0, STORAGE_DATA_NONE);
		ASSERT_GOOD(f, 0);
		run_block(f, opcodes[i], 0, BLOCKS, 1, 0, STORAGE_DATA_NONE);
		ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
		run_block(f, opcodes[i], 0x02, 7, 300, bytes - 1, STORAGE_DATA_OUT);
		ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
		run_block(f, opcodes[i], 0x06, 7, 1, 512, STORAGE_DATA_OUT);
		ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	}
	fixture_free(f);
}

/* R-STOR-082. */
static void write_and_verify_writes_durably(void)
{
	static const uint8_t opcodes[] = {0x2E, 0xAE, 0x8E};
	struct fixture *f = fixture_disk();
	uint8_t expected[4 * 512];
	for (unsigned i = 0; i < 3; i++) {
		fill(expected, sizeof expected, 40 + i);
		memcpy(f->data, expected, sizeof expected);
		f->store->fua_count = 0;
		run_block(f, opcodes[i], 0, 50, 4, sizeof expected, STORAGE_DATA_OUT);
		ASSERT_GOOD(f, sizeof expected);
		CU_ASSERT_EQUAL(f->store->fua_count, 1);
		CU_ASSERT_EQUAL(memcmp(f->store->bytes + 50 * 512, expected, sizeof expected), 0);
		memset(f->store->bytes + 50 * 512, 0, sizeof expected);
		run_block(f, opcodes[i], 0x02, 50, 4, sizeof expected, STORAGE_DATA_OUT);
		ASSERT_GOOD(f, sizeof expected);
		CU_ASSERT_EQUAL(f->store->fua_count, 2);
		CU_ASSERT_EQUAL(memcmp(f->store->bytes + 50 * 512, expected, sizeof expected), 0);
	}
	fixture_free(f);
}

static void count_ending(struct scsi_request *request)
{
	unsigned *ended = request->iov[0].iov_base;
	(*ended)++;
}

/* Commands that need the scratch memory take turns, and all end: also one that comes when the queue
 * has emptied. */
static void commands_share_the_scratch_memory_in_turn(void)
{
	struct fixture *f = fixture_disk();
	struct scsi_request others[3];
	struct iovec iov[3][2];
	unsigned ended = 0;
	uint8_t data[512];
	fill(data, sizeof data, 0);
	memcpy(f->store->bytes, data, sizeof data);
	memcpy(f->data, data, sizeof data);
	f->store->holds = true;
	const uint8_t cdb[16] = {0x2F, 0x02, 0, 0, 0, 0, 0, 0, 1};
	fixture_start(f, cdb, 10, STORAGE_DATA_OUT, 512);
	CU_ASSERT_EQUAL(f->done_count, 0);
	CU_ASSERT_EQUAL(f->store->held_count, 1);
	for (unsigned i = 0; i < 3; i++) {
		/* An empty first piece tells the ending where to count. */
		iov[i][0] = (struct iovec){&ended, 0};
		iov[i][1] = (struct iovec){data, sizeof data};
		others[i] = (struct scsi_request){
			.nexus = &f->nexus,
			.scratch = &f->scratch,
			.commands = &f->commands,
			.iov = iov[i],
			.iov_count = 2,
			.data_bytes = sizeof data,
			.direction = STORAGE_DATA_OUT,
			.cdb_length = 10,
			.done = count_ending,
		};
		memcpy(others[i].cdb, cdb, 16);
	}
	scsi_execute(&others[0]);
	scsi_execute(&others[1]);
	CU_ASSERT_EQUAL(f->nexus.outstanding, 3);
	CU_ASSERT_EQUAL(f->store->held_count, 1); /* the others wait */
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL_FATAL(f->store->held_count, 1);
		store_script_release(f->store, 0);
		if (i == 1) {
			CU_ASSERT_PTR_EQUAL(f->scratch.owner, &others[1]);
			CU_ASSERT_PTR_NULL(f->scratch.waiting);
			scsi_execute(&others[2]);
		}
		const unsigned left[] = {2, 2, 1, 0};
		CU_ASSERT_EQUAL(f->nexus.outstanding, left[i]);
	}
	CU_ASSERT_PTR_NULL(f->scratch.owner);
	CU_ASSERT_EQUAL(f->done_count, 1);
	CU_ASSERT_EQUAL(ended, 3);
	fixture_free(f);
}

/* ---- WRITE SAME ---------------------------------------------------------------------------- */

/* R-STOR-085. */
static void write_same_repeats_its_block(void)
{
	static const uint8_t opcodes[] = {0x41, 0x93};
	struct fixture *f = fixture_disk();
	uint8_t block[512];
	for (unsigned i = 0; i < 2; i++) {
		fill(block, sizeof block, 90 + i);
		memcpy(f->data, block, sizeof block);
		memset(f->store->bytes, 0xEE, BLOCKS * 512);
		run_block(f, opcodes[i], 0, 10, 512, 512, STORAGE_DATA_OUT);
		ASSERT_GOOD(f, 512);
		bool is_right = f->store->bytes[10 * 512 - 1] == 0xEE &&
				f->store->bytes[(10 + 512) * 512] == 0xEE;
		for (unsigned b = 0; b < 512; b++)
			is_right &= memcmp(f->store->bytes + (10 + b) * 512, block, 512) == 0;
		CU_ASSERT(is_right);
	}
	fixture_free(f);
}

/* R-STOR-085, R-STOR-087. */
static void write_same_of_zeros_becomes_one_operation(void)
{
	struct fixture *f = fixture_disk();
	memset(f->data, 0, 512);
	memset(f->store->bytes, 0xEE, BLOCKS * 512);
	WRITE(f, 0x93, 8, 100, 512);
	ASSERT_GOOD(f, 512);
	CU_ASSERT_EQUAL(f->store->counts[STORE_WRITE_ZEROES], 1);
	CU_ASSERT_EQUAL(f->store->unmap_count, 0);
	CU_ASSERT_EQUAL(f->store->last_bytes, 100 * 512);
	run_block(f, 0x93, 0x08, 8, 100, 512, STORAGE_DATA_OUT); /* UNMAP: may free */
	ASSERT_GOOD(f, 512);
	CU_ASSERT_EQUAL(f->store->unmap_count, 1);
	run_block(f, 0x93, 0x09, 8, 100, 0, STORAGE_DATA_NONE); /* NDOB: no data at all */
	ASSERT_GOOD(f, 0);
	CU_ASSERT_EQUAL(f->store->counts[STORE_WRITE_ZEROES], 3);
	CU_ASSERT_EQUAL(f->store->counts[STORE_WRITE], 0);
	/* A disk that does not offer to unmap only fills. */
	f->device->can_unmap = false;
	memset(f->data, 0, 512);
	run_block(f, 0x93, 0x08, 8, 100, 512, STORAGE_DATA_OUT);
	ASSERT_GOOD(f, 512);
	CU_ASSERT_EQUAL(f->store->counts[STORE_WRITE_ZEROES], 4);
	CU_ASSERT_EQUAL(f->store->unmap_count, 2);
	f->device->can_unmap = true;
	/* UNMAP with other data must not lose the data. */
	memset(f->data, 0x11, 512);
	run_block(f, 0x93, 0x08, 8, 100, 512, STORAGE_DATA_OUT);
	ASSERT_GOOD(f, 512);
	CU_ASSERT_EQUAL(f->store->bytes[8 * 512], 0x11);
	CU_ASSERT_EQUAL(f->store->bytes[108 * 512 - 1], 0x11);
	CU_ASSERT_EQUAL(f->store->bytes[108 * 512], 0xEE);
	fixture_free(f);
}

/* R-STOR-085. */
static void write_same_has_limits(void)
{
	struct fixture *f = fixture_disk(); /* at most 256 KiB: 512 blocks */
	memset(f->data, 0, 4096);
	WRITE(f, 0x93, 0, 511, 512);
	ASSERT_GOOD(f, 512);
	WRITE(f, 0x93, 0, 512, 512);
	ASSERT_GOOD(f, 512);
	WRITE(f, 0x93, 0, 513, 512);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	WRITE(f, 0x93, 0, 0, 512); /* to the end: too much here … */
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	WRITE(f, 0x93, BLOCKS - 3, 0, 512); /* … but not there */
	ASSERT_GOOD(f, 512);
	CU_ASSERT_EQUAL(f->store->last_bytes, 3 * 512);
	WRITE(f, 0x93, 0, 1, 511);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	WRITE(f, 0x93, BLOCKS, 0, 512);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	WRITE(f, 0x93, BLOCKS - 1, 2, 512);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	static const uint8_t bad[] = {0x10, 0x02, 0x04};
	for (unsigned i = 0; i < 3; i++) {
		run_block(f, 0x93, bad[i], 0, 1, 512, STORAGE_DATA_OUT);
		ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	}
	run_block(f, 0x41, 0x01, 0, 1, 512, STORAGE_DATA_OUT); /* RELADR */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	fixture_free(f);
}

/* ---- UNMAP --------------------------------------------------------------------------------- */

static void unmap_descriptor(struct fixture *f, unsigned i, uint64_t lba, uint32_t count)
{
	scsi_put64(f->data + 8 + i * 16, lba);
	scsi_put32(f->data + 16 + i * 16, count);
}

static void run_unmap(struct fixture *f, unsigned descriptors)
{
	const uint16_t bytes = (uint16_t)(8 + descriptors * 16);
	scsi_put16(f->data, (uint16_t)(bytes - 2));
	scsi_put16(f->data + 2, (uint16_t)(bytes - 8));
	RUN_OUT(f, bytes, 0x42, 0, 0, 0, 0, 0, 0, (uint8_t)(bytes >> 8), (uint8_t)bytes);
}

/* R-STOR-040. */
static void unmap_discards_each_range(void)
{
	struct fixture *f = fixture_disk();
	memset(f->data, 0, 256);
	memset(f->store->bytes, 0xEE, BLOCKS * 512);
	unmap_descriptor(f, 0, 8, 8);
	unmap_descriptor(f, 1, 100, 0);
	unmap_descriptor(f, 2, BLOCKS - 1, 1);
	run_unmap(f, 3);
	ASSERT_GOOD(f, 8 + 3 * 16);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 2);
	CU_ASSERT_EQUAL(f->store->bytes[8 * 512], 0);
	CU_ASSERT_EQUAL(f->store->bytes[16 * 512 - 1], 0);
	CU_ASSERT_EQUAL(f->store->bytes[16 * 512], 0xEE);
	CU_ASSERT_EQUAL(f->store->bytes[BLOCKS * 512 - 1], 0);
	run_unmap(f, 0);
	ASSERT_GOOD(f, 8);
	/* A range that is not there ends the command; those before it are done. */
	unmap_descriptor(f, 0, 0, 1);
	unmap_descriptor(f, 1, BLOCKS, 1);
	unmap_descriptor(f, 2, 1, 1);
	run_unmap(f, 3);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 3);
	unmap_descriptor(f, 0, UINT64_MAX, 2);
	run_unmap(f, 1);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	fixture_free(f);
}

/* R-STOR-086. */
static void unmap_is_advice_to_the_store(void)
{
	struct fixture *f = fixture_disk();
	memset(f->data, 0, 256);
	unmap_descriptor(f, 0, 8, 8);
	unmap_descriptor(f, 1, 32, 8);
	f->store->fail_at = 1;
	f->store->fail_with = -EIO;
	run_unmap(f, 2);
	ASSERT_GOOD(f, 40);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 2);
	fixture_free(f);
}

/* R-STOR-040. */
static void unmap_checks_its_parameter_list(void)
{
	struct fixture *f = fixture_disk();
	memset(f->data, 0, 256);
	unmap_descriptor(f, 0, 8, 8);
	scsi_put16(f->data, 22);
	scsi_put16(f->data + 2, 16);
	RUN_OUT(f, 24, 0x42, 1, 0, 0, 0, 0, 0, 0, 24); /* ANCHOR */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_OUT(f, 7, 0x42, 0, 0, 0, 0, 0, 0, 0, 7);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_OUT(f, 32, 0x42, 0, 0, 0, 0, 0, 0, 0, 24);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	scsi_put16(f->data, 21);
	RUN_OUT(f, 24, 0x42, 0, 0, 0, 0, 0, 0, 0, 24);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	scsi_put16(f->data, 22);
	scsi_put16(f->data + 2, 32);
	RUN_OUT(f, 24, 0x42, 0, 0, 0, 0, 0, 0, 0, 24);
	ASSERT_SENSE(f, 0x06, 5, 0x00, 0x00);
	CU_ASSERT_EQUAL(f->store->submitted, 0);
	f->device->can_unmap = false;
	scsi_put16(f->data + 2, 16);
	RUN_OUT(f, 24, 0x42, 0, 0, 0, 0, 0, 0, 0, 24);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	fixture_free(f);
}

/*
 * R-STOR-041: the longest list that a 16-bit length can name, each range done one after the
 * other.
 */
static void unmap_takes_the_longest_list(void)
{
	struct fixture *f = fixture_disk();
	for (unsigned i = 0; i < 4095; i++)
		unmap_descriptor(f, i, i, 1);
	run_unmap(f, 4095);
	ASSERT_GOOD(f, 8 + 4095 * 16);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 4095);
	fixture_free(f);
}

/* R-STOR-092: a descriptor that changes behind its check frees what was checked. */
static void an_unmap_descriptor_is_read_once(void)
{
	struct fixture *f = fixture_disk();
	memset(f->data, 0, 256);
	memset(f->store->bytes, 0xEE, BLOCKS * 512);
	unmap_descriptor(f, 0, 8, 8);
	unmap_descriptor(f, 1, 32, 8);
	scsi_put16(f->data, 38);
	scsi_put16(f->data + 2, 32);
	const uint8_t cdb[16] = {0x42, 0, 0, 0, 0, 0, 0, 0, 40};
	f->store->holds = true;
	fixture_start(f, cdb, 10, STORAGE_DATA_OUT, 40);
	CU_ASSERT_EQUAL_FATAL(f->store->held_count, 1);
	unmap_descriptor(f, 0, BLOCKS, 1000);
	scsi_put16(f->data + 2, 0xFFF0); /* nor does the length grow */
	store_script_release(f->store, 0);
	CU_ASSERT_EQUAL_FATAL(f->store->held_count, 1);
	store_script_release(f->store, 0);
	CU_ASSERT_EQUAL(f->done_count, 1);
	ASSERT_GOOD(f, 40);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 2);
	CU_ASSERT_EQUAL(f->store->bytes[8 * 512], 0);
	CU_ASSERT_EQUAL(f->store->bytes[16 * 512], 0xEE);
	CU_ASSERT_EQUAL(f->store->bytes[32 * 512], 0);
	fixture_free(f);
}

/* R-STOR-086: descriptors that overlap free the disk once; those that are wrong are still found. */
static void unmap_frees_no_more_than_the_disk_has(void)
{
	struct fixture *f = fixture_disk();
	for (unsigned i = 0; i < 100; i++)
		unmap_descriptor(f, i, 0, BLOCKS);
	run_unmap(f, 100);
	ASSERT_GOOD(f, 8 + 100 * 16);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 1);
	unmap_descriptor(f, 99, 1, BLOCKS);
	run_unmap(f, 100);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	CU_ASSERT_EQUAL(f->store->counts[STORE_DISCARD], 2);
	fixture_free(f);
}

static const struct test tests[] = {
	TEST(what_is_written_is_read_back_with_every_cdb_size),
	TEST(the_six_byte_forms_have_21_bits_and_256_blocks),
	TEST(ranges_are_checked_at_the_bound_without_wrapping),
	TEST(counts_beyond_the_buffer_move_nothing),
	TEST(checks_come_in_order),
	TEST(a_read_only_disk_is_never_written),
	TEST(forced_unit_access_reaches_the_store),
	TEST(synchronize_cache_reaches_the_store_before_it_completes),
	TEST(store_failures_become_their_sense),
	TEST(every_io_of_a_command_may_fail),
	TEST(verify_compares_when_asked),
	TEST(write_and_verify_writes_durably),
	TEST(commands_share_the_scratch_memory_in_turn),
	TEST(write_same_repeats_its_block),
	TEST(write_same_of_zeros_becomes_one_operation),
	TEST(write_same_has_limits),
	TEST(unmap_discards_each_range),
	TEST(unmap_is_advice_to_the_store),
	TEST(unmap_checks_its_parameter_list),
	TEST(unmap_takes_the_longest_list),
	TEST(an_unmap_descriptor_is_read_once),
	TEST(unmap_frees_no_more_than_the_disk_has),
};
TEST_MAIN("scsi_block", tests)
