// SPDX-License-Identifier: Apache-2.0
/*
 * SCSI disks: every command's reply, byte for byte, and every way it is refused.
 * Expected bytes are those of protocol/storage.md, written out.
 */
#include "host/vsp/scsi_internal.h"
#include "tests/unit/scsi_fixture.h"

/* ---- the table ----------------------------------------------------------------------------- */

static void commands_are_sorted_complete_and_have_the_length_of_their_group(void)
{
	for (unsigned i = 1; i < scsi_command_count; i++) {
		const struct scsi_command *c = &scsi_command_table[i];
		CU_ASSERT_PTR_NOT_NULL(c->run);
		CU_ASSERT_PTR_NOT_NULL(c->name);
		CU_ASSERT_EQUAL(c->cdb_bytes, scsi_cdb_bytes(c->opcode));
		CU_ASSERT(c->types != 0);
		if (i > 1) {
			const struct scsi_command *before = c - 1;
			CU_ASSERT(before->opcode < c->opcode ||
				  (before->opcode == c->opcode && before->types < c->types));
			CU_ASSERT(before->opcode != c->opcode || !(before->types & c->types));
		}
	}
}

/* R-STOR-026. */
static void unknown_operations_are_refused(void)
{
	struct fixture *f = fixture_disk();
	unsigned known = 0;
	unsigned refused = 0;
	for (unsigned i = 1; i < scsi_command_count; i++)
		known += (scsi_command_table[i].types & SCSI_TYPE_BIT_DISK) != 0;
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		if (f->commands.row[SCSI_DEVICE_DISK][opcode] != 0)
			continue;
		const uint8_t cdb[16] = {(uint8_t)opcode};
		fixture_start(f, cdb, 16, STORAGE_DATA_NONE, 0);
		CU_ASSERT_EQUAL(f->done_count, 1);
		ASSERT_SENSE(f, 0x06, 5, 0x20, 0x00);
		refused++;
	}
	CU_ASSERT_EQUAL(refused, 256 - known);
	CU_ASSERT_EQUAL(known, 36);
	fixture_free(f);
}

static void short_cdbs_and_contrary_directions_are_refused(void)
{
	struct fixture *f = fixture_disk();
	const uint8_t read10[16] = {0x28, 0, 0, 0, 0, 0, 0, 0, 1};
	fixture_start(f, read10, 9, STORAGE_DATA_IN, 512);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	fixture_start(f, read10, 10, STORAGE_DATA_OUT, 512);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	/* "Unknown" contradicts nothing. */
	fixture_start(f, read10, 10, STORAGE_DATA_NONE, 512);
	ASSERT_GOOD(f, 512);
	fixture_free(f);
}

/* ---- INQUIRY ------------------------------------------------------------------------------- */

/* R-STOR-076. */
static void inquiry_describes_a_disk(void)
{
	static const uint8_t expected[104] = {0x00, 0x00, 0x05, 0x02, 0x63, 0x00, 0x00, 0x02,
		/* "Msft    " */ 0x4D, 0x73, 0x66, 0x74, 0x20, 0x20, 0x20, 0x20,
		/* "Virtual Disk    " */ 0x56, 0x69, 0x72, 0x74, 0x75, 0x61, 0x6C, 0x20, 0x44, 0x69,
		0x73, 0x6B, 0x20, 0x20, 0x20, 0x20,
		/* "1.0 " */ 0x31, 0x2E, 0x30, 0x20};
	struct fixture *f = fixture_disk();
	RUN_IN(f, 255, 0x12, 0, 0, 0, 255);
	ASSERT_GOOD(f, 104);
	CU_ASSERT_EQUAL(memcmp(f->data, expected, sizeof expected), 0);
	RUN_IN(f, 36, 0x12, 0, 0, 0, 36);
	ASSERT_GOOD(f, 36);
	CU_ASSERT_EQUAL(memcmp(f->data, expected, 36), 0);
	fixture_free(f);
}

/* R-STOR-026. */
static void inquiry_refuses_contradictions(void)
{
	struct fixture *f = fixture_disk();
	RUN_IN(f, 35, 0x12, 0, 0, 0, 36); /* buffer below the allocation length */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	ASSERT_FIELD(f, 0xC0, 3);
	RUN_IN(f, 36, 0x12, 2, 0, 0, 36); /* CmdDt */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	ASSERT_FIELD(f, 0xC0, 1);
	RUN_IN(f, 36, 0x12, 0, 0x83, 0, 36); /* page without EVPD */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	ASSERT_FIELD(f, 0xC0, 2);
	RUN_IN(f, 36, 0x12, 0, 0, 0, 4);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_IN(f, 36, 0x12, 1, 0, 0, 3);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_IN(f, 36, 0x12, 1, 0x89, 0, 36); /* a page that is not there */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	fixture_free(f);
}

static void vpd_pages_have_their_exact_bytes(void)
{
	struct fixture *f = fixture_disk();
	RUN_IN(f, 255, 0x12, 1, 0x00, 0, 255);
	ASSERT_GOOD(f, 12);
	ASSERT_DATA(f, 0x00, 0x00, 0x00, 0x08, 0x00, 0x80, 0x83, 0xB0, 0xB1, 0xB2, 0xCE, 0xCF);
	RUN_IN(f, 255, 0x12, 1, 0x80, 0, 255);
	ASSERT_GOOD(f, 17);
	ASSERT_DATA(f, 0x00, 0x80, 0x00, 0x0D, 'V', 'I', 'R', 'I', 'D', 'I', 'A', 'N', '-', '0',
		'0', '0', '1');
	RUN_IN(f, 255, 0x12, 1, 0x83, 0, 255);
	ASSERT_GOOD(f, 52);
	ASSERT_DATA(f, 0x00, 0x83, 0x00, 0x30,
		/* T10 */ 0x01, 0x01, 0x00, 0x18, 0x4D, 0x73, 0x66, 0x74, 0x20, 0x20, 0x20, 0x20,
		/* id */ 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB,
		0xCC, 0xDD, 0xEE, 0xFF,
		/* NAA 6 */ 0x01, 0x03, 0x00, 0x10, 0x60, 0x02, 0x24, 0x80,
		/* first 6 */ 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
		/* last 6 */ 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF);
	RUN_IN(f, 255, 0x12, 1, 0xB0, 0, 255);
	ASSERT_GOOD(f, 64);
	ASSERT_DATA(f, 0x00, 0xB0, 0x00, 0x3C, /* WSNZ */ 0x00, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, /* unmap LBAs */ 0xFF, 0xFF, 0xFF, 0xFF, /* descriptors */ 0, 0, 0x10,
		0, /* granularity 8 */ 0, 0, 0, 8, /* alignment valid */ 0x80, 0, 0, 0,
		/* write same: 512 blocks */ 0, 0, 0, 0, 0, 0, 2, 0, 0);
	RUN_IN(f, 255, 0x12, 1, 0xB1, 0, 255);
	ASSERT_GOOD(f, 64);
	ASSERT_DATA(f, 0x00, 0xB1, 0x00, 0x3C, 0x00, 0x01, 0x00);
	RUN_IN(f, 255, 0x12, 1, 0xB2, 0, 255);
	ASSERT_GOOD(f, 8);
	ASSERT_DATA(f, 0x00, 0xB2, 0x00, 0x04, 0x01, 0xE0, 0x02, 0x00);
	RUN_IN(f, 255, 0x12, 1, 0xCE, 0, 255);
	ASSERT_GOOD(f, 8);
	ASSERT_DATA(f, 0x00, 0xCE, 0x00, 0x04, 0x01, 0x01, 0x00, 0x00);
	RUN_IN(f, 255, 0x12, 1, 0xCF, 0, 255);
	ASSERT_GOOD(f, 24);
	ASSERT_DATA(f, 0x00, 0xCF, 0x00, 0x14, 0x01, 0x00, 0x00, 0x00, 0x15, 0x8F, 0xA9, 0x89, 0x28,
		0xC9, 0x8B, 0x4D, 0x94, 0xCD, 0xEF, 0x51, 0xFA, 0xA9, 0x9D, 0x33);
	fixture_free(f);
}

/* R-STOR-038. */
static void vpd_page_00_lists_exactly_the_pages_that_are_answered(void)
{
	struct scsi_device_config config = {.type = SCSI_DEVICE_DISK, .refuses_unmap = true};
	struct fixture *f = fixture_over(store_script_create(1 << 20, 512), &config);
	RUN_IN(f, 255, 0x12, 1, 0x00, 0, 255);
	ASSERT_GOOD(f, 8);
	ASSERT_DATA(f, 0x00, 0x00, 0x00, 0x04, 0x00, 0x83, 0xCE, 0xCF);
	uint8_t list[8];
	memcpy(list, f->data, sizeof list);
	for (unsigned page = 0; page < 256; page++) {
		const bool is_listed = memchr(list + 4, (int)page, 4) != NULL;
		RUN_IN(f, 255, 0x12, 1, (uint8_t)page, 0, 255);
		CU_ASSERT_EQUAL(f->request.scsi_status, is_listed ? 0 : 2);
		if (is_listed)
			CU_ASSERT_EQUAL(f->data[1], page);
	}
	fixture_free(f);
}

/* ---- capacity ------------------------------------------------------------------------------ */

static void capacity_has_its_exact_bytes(void)
{
	struct fixture *f = fixture_disk();
	RUN_IN(f, 8, 0x25);
	ASSERT_GOOD(f, 8);
	ASSERT_DATA(f, 0x00, 0x00, 0x4F, 0xFF, 0x00, 0x00, 0x02, 0x00);
	RUN_IN(f, 7, 0x25);
	ASSERT_SENSE(f, 0x12, 5, 0x24, 0x00);
	RUN_IN(f, 32, 0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	ASSERT_GOOD(f, 32);
	ASSERT_DATA(f, 0, 0, 0, 0, 0, 0, 0x4F, 0xFF, 0, 0, 0x02, 0, /* protection */ 0,
		/* exponent */ 3, /* LBPME */ 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0);
	RUN_IN(f, 12, 0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	ASSERT_GOOD(f, 12);
	RUN_IN(f, 11, 0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	ASSERT_SENSE(f, 0x12, 5, 0x24, 0x00);
	RUN_IN(f, 32, 0x9E, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	/* More than 2^32 blocks: READ CAPACITY(10) says "ask the other". */
	f->device->blocks = 0x100000001;
	RUN_IN(f, 8, 0x25);
	ASSERT_DATA(f, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x02, 0x00);
	f->device->blocks = 0x100000000;
	RUN_IN(f, 8, 0x25);
	ASSERT_DATA(f, 0xFF, 0xFF, 0xFF, 0xFF);
	fixture_free(f);
}

static void lba_status_says_mapped_to_the_end(void)
{
	struct fixture *f = fixture_disk();
	RUN_IN(f, 64, 0x9E, 0x12, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 64);
	ASSERT_GOOD(f, 24);
	ASSERT_DATA(f, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x40, 0, 0);
	RUN_IN(f, 64, 0x9E, 0x12, 0, 0, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 64);
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	fixture_free(f);
}

/* ---- mode pages ---------------------------------------------------------------------------- */

/* R-STOR-084. */
static void mode_sense_has_its_exact_bytes(void)
{
	struct fixture *f = fixture_disk();
	RUN_IN(f, 24, 0x1A, 0, 0x08, 0, 24);
	ASSERT_GOOD(f, 24);
	ASSERT_DATA(f, 0x17, 0x00, 0x10, 0x00, 0x08, 0x12, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0);
	RUN_IN(f, 255, 0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 255);
	ASSERT_GOOD(f, 28);
	ASSERT_DATA(f, 0x00, 0x1A, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x08, 0x12, 0x04, 0x00);
	RUN_IN(f, 24, 0x1A, 0, 0x48, 0, 24); /* changeable: nothing is */
	ASSERT_GOOD(f, 24);
	ASSERT_DATA(f, 0x17, 0x00, 0x10, 0x00, 0x08, 0x12, 0x00);
	RUN_IN(f, 24, 0x1A, 0, 0x88, 0, 24); /* default */
	ASSERT_DATA(f, 0x17, 0x00, 0x10, 0x00, 0x08, 0x12, 0x04);
	f->device->is_read_only = true;
	RUN_IN(f, 4, 0x1A, 0, 0x3F, 0, 4);
	ASSERT_GOOD(f, 4);
	ASSERT_DATA(f, 0x17, 0x00, 0x90, 0x00);
	fixture_free(f);
}

/* R-STOR-084. */
static void mode_sense_refuses_other_pages_and_lengths(void)
{
	struct fixture *f = fixture_disk();
	RUN_IN(f, 24, 0x1A, 0, 0xC8, 0, 24); /* saved */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_IN(f, 24, 0x1A, 0, 0x0A, 0, 24);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	ASSERT_FIELD(f, 0xC0, 2);
	RUN_IN(f, 24, 0x1A, 0, 0x08, 0, 25);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_IN(f, 24, 0x1A, 0, 0x08, 0, 3);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_IN(f, 24, 0x1A, 0, 0x08, 0, 0);
	ASSERT_GOOD(f, 0);
	fixture_free(f);
}

/* MODE SELECT(6) of the caching page with a write cache bit. */
static void mode_select(struct fixture *f, uint8_t page, uint8_t page_length, uint8_t flags)
{
	memset(f->data, 0, 24);
	f->data[4] = page;
	f->data[5] = page_length;
	f->data[6] = flags;
	RUN_OUT(f, 24, 0x15, 0x10, 0, 0, 24);
}

/* R-STOR-042. */
static void mode_select_takes_only_what_is_so_already(void)
{
	struct fixture *f = fixture_disk();
	mode_select(f, 0x08, 0x12, 0x04);
	ASSERT_GOOD(f, 24);
	mode_select(f, 0x08, 0x12, 0x00); /* write cache off */
	ASSERT_SENSE(f, 0x06, 5, 0x26, 0x00);
	ASSERT_FIELD(f, 0x80, 6);
	mode_select(f, 0x0A, 0x12, 0x04);
	ASSERT_SENSE(f, 0x06, 5, 0x26, 0x00);
	mode_select(f, 0x08, 0x11, 0x04);
	ASSERT_SENSE(f, 0x06, 5, 0x26, 0x00);
	RUN_OUT(f, 0, 0x15, 0x10, 0, 0, 0);
	ASSERT_GOOD(f, 0);
	RUN_OUT(f, 24, 0x15, 0x11, 0, 0, 24); /* SP */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_OUT(f, 24, 0x15, 0x10, 0, 0, 23);
	ASSERT_SENSE(f, 0x06, 5, 0x1A, 0x00);
	RUN_OUT(f, 23, 0x15, 0x10, 0, 0, 23);
	ASSERT_SENSE(f, 0x06, 5, 0x1A, 0x00);
	memset(f->data, 0, 28);
	f->data[8] = 0x08;
	f->data[9] = 0x12;
	f->data[10] = 0x04;
	RUN_OUT(f, 28, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 28);
	ASSERT_GOOD(f, 28);
	/* A block descriptor length beyond the list must not be believed. */
	f->data[7] = 8;
	RUN_OUT(f, 28, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 28);
	ASSERT_SENSE(f, 0x06, 5, 0x1A, 0x00);
	f->data[6] = 0xFF;
	RUN_OUT(f, 28, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 28);
	ASSERT_SENSE(f, 0x06, 5, 0x26, 0x00);
	fixture_free(f);
}

/* ---- unit ---------------------------------------------------------------------------------- */

static void simple_commands_do_nothing_well(void)
{
	struct fixture *f = fixture_disk();
	static const uint8_t opcodes[] = {0x00, 0x04, 0x16, 0x17, 0x1E};
	for (unsigned i = 0; i < sizeof opcodes; i++) {
		RUN_NONE(f, opcodes[i]);
		ASSERT_GOOD(f, 0);
	}
	RUN_NONE(f, 0x1D, 0x04);
	ASSERT_GOOD(f, 0);
	RUN_NONE(f, 0x1D, 0x24);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_NONE(f, 0x1D, 0x14);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_NONE(f, 0x1D, 0x04, 0, 0, 1);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	CU_ASSERT_EQUAL(f->store->submitted, 0);
	fixture_free(f);
}

static void stopping_the_unit_flushes(void)
{
	struct fixture *f = fixture_disk();
	RUN_NONE(f, 0x1B, 0, 0, 0, 1);
	ASSERT_GOOD(f, 0);
	CU_ASSERT_EQUAL(f->store->counts[STORE_FLUSH], 0);
	RUN_NONE(f, 0x1B, 0, 0, 0, 0);
	ASSERT_GOOD(f, 0);
	CU_ASSERT_EQUAL(f->store->counts[STORE_FLUSH], 1);
	RUN_NONE(f, 0x1B, 1, 0, 0, 0); /* IMMED */
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_NONE(f, 0x1B, 0, 0, 0, 2); /* a disk is not ejected */
	ASSERT_SENSE(f, 0x06, 5, 0x20, 0x00);
	fixture_free(f);
}

/* R-STOR-083. */
static void request_sense_returns_saved_sense_once(void)
{
	struct fixture *f = fixture_disk();
	RUN_NONE(f, 0xFF);
	ASSERT_SENSE(f, 0x06, 5, 0x20, 0x00);
	RUN_IN(f, 252, 0x03, 0, 0, 0, 252);
	ASSERT_GOOD(f, 18);
	ASSERT_DATA(f, 0x70, 0, 5, 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0);
	RUN_IN(f, 252, 0x03, 0, 0, 0, 252);
	ASSERT_GOOD(f, 18);
	ASSERT_DATA(f, 0x70, 0, 0, 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	/* Sense belongs to the last command: a good one forgets it. */
	RUN_NONE(f, 0xFF);
	RUN_NONE(f, 0x00);
	RUN_IN(f, 18, 0x03, 0, 0, 0, 18);
	ASSERT_DATA(f, 0x70, 0, 0);
	RUN_IN(f, 8, 0x03, 0, 0, 0, 8);
	ASSERT_GOOD(f, 8);
	RUN_IN(f, 8, 0x03, 0, 0, 0, 7);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	RUN_IN(f, 17, 0x03, 0, 0, 0, 18);
	ASSERT_SENSE(f, 0x06, 5, 0x24, 0x00);
	fixture_free(f);
}

/* ---- unit attention ------------------------------------------------------------------------ */

/* R-STOR-037, R-STOR-077. */
static void a_capacity_change_is_reported_once(void)
{
	struct fixture *f = fixture_disk();
	CU_ASSERT_EQUAL(scsi_device_refresh(f->device), 0);
	RUN_NONE(f, 0x00);
	ASSERT_GOOD(f, 0);
	f->store->refreshed_bytes = 4096 * 512;
	CU_ASSERT_EQUAL(scsi_device_refresh(f->device), 1);
	RUN_IN(f, 36, 0x12, 0, 0, 0, 36); /* INQUIRY does not report it */
	ASSERT_GOOD(f, 36);
	RUN_IN(f, 512, 0x28, 0, 0, 0, 0, 0, 0, 0, 1);
	ASSERT_SENSE(f, 0x04, 6, 0x2A, 0x09);
	CU_ASSERT_EQUAL(f->store->submitted, 0);
	RUN_IN(f, 512, 0x28, 0, 0, 0, 0, 0, 0, 0, 1);
	ASSERT_GOOD(f, 512);
	RUN_IN(f, 512, 0x28, 0, 0, 0, 0x10, 0, 0, 0, 1); /* LBA 4096 is gone */
	ASSERT_SENSE(f, 0x06, 5, 0x21, 0x00);
	fixture_free(f);
}

/* R-STOR-037, R-STOR-077, R-STOR-083. */
static void request_sense_takes_an_attention_as_data(void)
{
	struct fixture *f = fixture_disk();
	scsi_nexus_raise(&f->nexus, SCSI_ATTENTION_CAPACITY);
	scsi_nexus_reset(&f->nexus);
	RUN_IN(f, 18, 0x03, 0, 0, 0, 18);
	ASSERT_GOOD(f, 18);
	ASSERT_DATA(f, 0x70, 0, 6, 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, 0x29, 0x00);
	RUN_NONE(f, 0x00);
	ASSERT_SENSE(f, 0x04, 6, 0x2A, 0x09);
	RUN_NONE(f, 0x00);
	ASSERT_GOOD(f, 0);
	fixture_free(f);
}

/* ---- reservations are in test_scsi_reserve.c, data commands in test_scsi_block.c ----------- */

/* R-STOR-060: whatever the allocation length, never more than min(allocation, buffer). */
static void replies_never_exceed_allocation_or_buffer(void)
{
	static const uint16_t lengths[] = {0, 1, 3, 4, 8, 12, 17, 255, 65535};
	static const uint32_t buffers[] = {0, 1, 3, 4, 7, 8, 11, 12, 64, 65536};
	struct fixture *f = fixture_disk();
	for (unsigned row = 1; row < scsi_command_count; row++) {
		const struct scsi_command *c = &scsi_command_table[row];
		if (!(c->types & SCSI_TYPE_BIT_DISK) || c->direction != STORAGE_DATA_IN)
			continue;
		for (unsigned i = 0; i < 9 * 10 * 3; i++) {
			uint8_t cdb[16] = {c->opcode};
			const uint16_t length = lengths[i % 9];
			const uint32_t buffer = buffers[i / 9 % 10];
			cdb[1] = (uint8_t)(i / 90);
			if (c->opcode == 0x9E)
				cdb[1] = (i & 1) ? 0x10 : 0x12;
			if (c->cdb_bytes == 6) {
				scsi_put16(cdb + 3, length);
			} else if (c->cdb_bytes == 10) {
				scsi_put16(cdb + 7, length);
			} else {
				scsi_put32(cdb + (c->cdb_bytes == 12 ? 6 : 10), length);
			}
			fixture_start(f, cdb, c->cdb_bytes, STORAGE_DATA_IN, buffer);
			CU_ASSERT_EQUAL(f->done_count, 1);
			CU_ASSERT(fixture_guard_is_whole(f));
			CU_ASSERT(f->request.moved_bytes <= buffer);
			if (c->access != SCSI_ACCESS_READ && c->opcode != 0x25)
				CU_ASSERT(f->request.moved_bytes <= length);
			for (uint32_t at = f->request.moved_bytes; at < buffer; at++)
				if (f->data[at] != FIXTURE_GUARD) {
					CU_FAIL("bytes beyond those reported as moved");
					break;
				}
		}
	}
	fixture_free(f);
}

static void devices_refuse_what_they_cannot_be(void)
{
	unsigned closed = 0;
	struct scsi_device *device = NULL;
	struct scsi_device_config config = {.type = SCSI_DEVICE_DISK};
	CU_ASSERT_EQUAL(scsi_device_create(&config, NULL, &device), -EINVAL);
	struct store_script *store = store_script_create(8192, 512);
	store->closed = &closed;
	config.type = SCSI_DEVICE_DVD; /* needs 2048-byte blocks */
	CU_ASSERT_EQUAL(scsi_device_create(&config, &store->base, &device), -EINVAL);
	CU_ASSERT_EQUAL(closed, 1); /* the store is owned also on failure */
	config = (struct scsi_device_config){.type = SCSI_DEVICE_DISK, .serial = "bad\x01serial"};
	store = store_script_create(8192, 512);
	store->closed = &closed;
	CU_ASSERT_EQUAL(scsi_device_create(&config, &store->base, &device), -EINVAL);
	CU_ASSERT_EQUAL(closed, 2);
}

static const struct test tests[] = {
	TEST(commands_are_sorted_complete_and_have_the_length_of_their_group),
	TEST(unknown_operations_are_refused),
	TEST(short_cdbs_and_contrary_directions_are_refused),
	TEST(inquiry_describes_a_disk),
	TEST(inquiry_refuses_contradictions),
	TEST(vpd_pages_have_their_exact_bytes),
	TEST(vpd_page_00_lists_exactly_the_pages_that_are_answered),
	TEST(capacity_has_its_exact_bytes),
	TEST(lba_status_says_mapped_to_the_end),
	TEST(mode_sense_has_its_exact_bytes),
	TEST(mode_sense_refuses_other_pages_and_lengths),
	TEST(mode_select_takes_only_what_is_so_already),
	TEST(simple_commands_do_nothing_well),
	TEST(stopping_the_unit_flushes),
	TEST(request_sense_returns_saved_sense_once),
	TEST(a_capacity_change_is_reported_once),
	TEST(request_sense_takes_an_attention_as_data),
	TEST(replies_never_exceed_allocation_or_buffer),
	TEST(devices_refuse_what_they_cannot_be),
};
TEST_MAIN("scsi_disk", tests)
