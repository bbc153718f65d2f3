// SPDX-License-Identifier: Apache-2.0
/*
 * SCSI DVD drives: replies byte for byte, medium and tray, events, refusals.
 * Expected bytes are those of protocol/storage.md, written out.
 */
#include "host/vsp/scsi_internal.h"
#include "tests/unit/scsi_fixture.h"

#define SECTORS 1000u

static struct store_script *iso(void)
{
	struct store_script *store = store_script_create(SECTORS * 2048, 2048);
	store->base.is_read_only = true;
	return store;
}

static struct fixture *drive(bool has_medium)
{
	struct scsi_device_config config = {.type = SCSI_DEVICE_DVD};
	memcpy(config.id, fixture_id, sizeof config.id);
	return fixture_over(has_medium ? iso() : NULL, &config);
}

static void inquiry_describes_a_dvd_drive(void)
{
	struct fixture *f = drive(true);
	RUN_IN(f, 96, 0x12, 0, 0, 0, 96);
	ASSERT_GOOD(f, 36);
	ASSERT_DATA(f, 0x05, 0x80, 0x00, 0x02, 0x1F, 0, 0, 0,
		/* "Msft    " */ 0x4D, 0x73, 0x66, 0x74, 0x20, 0x20, 0x20, 0x20,
		/* "Virtual DVD-ROM " */ 0x56, 0x69, 0x72, 0x74, 0x75, 0x61, 0x6C, 0x20, 0x44, 0x56,
		0x44, 0x2D, 0x52, 0x4F, 0x4D, 0x20, /* "1.0 " */ 0x31, 0x2E, 0x30, 0x20);
	RUN_IN(f, 255, 0x12, 1, 0x00, 0, 255);
	ASSERT_GOOD(f, 6);
	ASSERT_DATA(f, 0x05, 0x00, 0x00, 0x02, 0x00, 0x83);
	RUN_IN(f, 255, 0x12, 1, 0x83, 0, 255);
	ASSERT_GOOD(f, 32);
	ASSERT_DATA(f, 0x05, 0x83, 0x00, 0x1C, 0x01, 0x01, 0x00, 0x18, 0x4D, 0x73, 0x66, 0x74, 0x20,
		0x20, 0x20, 0x20, 0x00, 0x11);
	RUN_IN(f, 255, 0x12, 1, 0xB0, 0, 255);
	ASSERT_SENSE(f, 0x04, 5, 0x24, 0x00);
	fixture_free(f);
}

/* R-STOR-057. */
static void reading_needs_a_medium(void)
{
	static const uint8_t opcodes[] = {
		0x00, 0x25, 0x28, 0x43, 0x51, 0x52, 0x88, 0xA8, 0xAC, 0xAD};
	struct fixture *f = drive(false);
	for (unsigned i = 0; i < sizeof opcodes; i++) {
		RUN_IN(f, 4096, opcodes[i], 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
		ASSERT_SENSE(f, 0x04, 2, 0x3A, 0x01);
	}
	RUN_NONE(f, 0x1B, 0, 0, 0, 2); /* open the tray */
	ASSERT_GOOD(f, 0);
	for (unsigned i = 0; i < sizeof opcodes; i++) {
		RUN_IN(f, 4096, opcodes[i], 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
		ASSERT_SENSE(f, 0x04, 2, 0x3A, 0x02);
	}
	fixture_free(f);
}

static void sectors_of_2048_bytes_are_read(void)
{
	struct fixture *f = drive(true);
	for (unsigned i = 0; i < SECTORS; i++)
		memset(f->store->bytes + i * 2048, (int)i, 2048);
	RUN_IN(f, 8, 0x25);
	ASSERT_GOOD(f, 8);
	ASSERT_DATA(f, 0x00, 0x00, 0x03, 0xE7, 0x00, 0x00, 0x08, 0x00);
	RUN_IN(f, 4096, 0x28, 0, 0, 0, 0, 5, 0, 0, 2);
	ASSERT_GOOD(f, 4096);
	CU_ASSERT_EQUAL(f->data[0], 5);
	CU_ASSERT_EQUAL(f->data[2048], 6);
	RUN_IN(f, 2048, 0xA8, 0, 0, 0, 3, 0xE7, 0, 0, 0, 1);
	ASSERT_GOOD(f, 2048);
	CU_ASSERT_EQUAL(f->data[0], 0xE7);
	RUN_IN(f, 4096, 0xA8, 0, 0, 0, 3, 0xE7, 0, 0, 0, 2);
	ASSERT_SENSE(f, 0x04, 5, 0x21, 0x00);
	RUN_IN(f, 2048, 0x28, 0, 0, 0, 0, 5, 0, 0, 0); /* nothing asked for, nothing wrong */
	ASSERT_GOOD(f, 0);
	RUN_IN(f, 7, 0x25); /* short buffer: no sense */
	CU_ASSERT_EQUAL(f->request.scsi_status, 2);
	CU_ASSERT_EQUAL(f->request.srb_status, 0x12);
	CU_ASSERT_EQUAL(f->request.sense_bytes, 0);
	f->store->fail_at = 1;
	f->store->fail_with = -EIO;
	RUN_IN(f, 2048, 0x28, 0, 0, 0, 0, 5, 0, 0, 1);
	CU_ASSERT_EQUAL(f->request.scsi_status, 2);
	CU_ASSERT_EQUAL(f->request.srb_status, 0x04);
	CU_ASSERT_EQUAL(f->request.sense_bytes, 0);
	fixture_free(f);
}

static void a_dvd_is_never_written(void)
{
	static const uint8_t opcodes[] = {
		0x04, 0x0A, 0x2A, 0x2E, 0x35, 0x41, 0x42, 0x8A, 0x93, 0xAA};
	struct fixture *f = drive(true);
	for (unsigned i = 0; i < sizeof opcodes; i++) {
		RUN_OUT(f, 2048, opcodes[i], 0, 0, 0, 0, 0, 0, 0, 1);
		ASSERT_SENSE(f, 0x04, 5, 0x20, 0x00);
	}
	CU_ASSERT_EQUAL(f->store->submitted, 0);
	fixture_free(f);
}

static void request_sense_is_always_no_sense(void)
{
	struct fixture *f = drive(false);
	RUN_NONE(f, 0x00);
	RUN_IN(f, 18, 0x03, 0, 0, 0, 18);
	ASSERT_GOOD(f, 18);
	ASSERT_DATA(f, 0x70, 0, 0, 0, 0, 0, 0, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	fixture_free(f);
}

/* ---- tray and events ----------------------------------------------------------------------- */

/* GET EVENT STATUS, polled, for the media class alone. */
static void poll_media(struct fixture *f)
{
	RUN_IN(f, 8, 0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8);
}

/* R-STOR-058. */
static void eject_obeys_prevent(void)
{
	struct fixture *f = drive(true);
	RUN_NONE(f, 0x1E, 0, 0, 0, 1);
	RUN_NONE(f, 0x1B, 0, 0, 0, 2);
	ASSERT_SENSE(f, 0x04, 5, 0x53, 0x02);
	CU_ASSERT_EQUAL(scsi_dvd_eject(f->device, false), -EBUSY);
	RUN_NONE(f, 0x1E, 0, 0, 0, 0);
	RUN_NONE(f, 0x1E, 0, 0, 0, 3); /* persistent */
	RUN_NONE(f, 0x1E, 0, 0, 0, 0); /* … is not lifted by this */
	RUN_NONE(f, 0x1B, 0, 0, 0, 2);
	ASSERT_SENSE(f, 0x04, 5, 0x53, 0x02);
	RUN_NONE(f, 0x1E, 0, 0, 0, 2);
	RUN_NONE(f, 0x1B, 0, 0, 0, 2);
	ASSERT_GOOD(f, 0);
	RUN_NONE(f, 0x00);
	ASSERT_SENSE(f, 0x04, 2, 0x3A, 0x02);
	RUN_NONE(f, 0x1B, 0, 0, 0, 3); /* the tray closes on the same medium */
	ASSERT_GOOD(f, 0);
	RUN_NONE(f, 0x00);
	ASSERT_GOOD(f, 0);
	fixture_free(f);

	f = drive(false);
	RUN_NONE(f, 0x1E, 0, 0, 0, 1);
	RUN_NONE(f, 0x1B, 0, 0, 0, 2);
	ASSERT_SENSE(f, 0x04, 2, 0x53, 0x02);
	scsi_nexus_reset(&f->nexus);
	CU_ASSERT_EQUAL(scsi_dvd_eject(f->device, false), 0); /* a reset allows removal */
	fixture_free(f);
}

/* R-STOR-057, R-STOR-088. */
static void media_events_are_reported_once(void)
{
	struct fixture *f = drive(true);
	poll_media(f);
	ASSERT_GOOD(f, 8);
	ASSERT_DATA(f, 0x00, 0x06, 0x04, 0x7E, 0x00, 0x02, 0x00, 0x00);
	CU_ASSERT_EQUAL(scsi_dvd_eject(f->device, false), 0);
	poll_media(f);
	ASSERT_DATA(f, 0x00, 0x06, 0x04, 0x7E, 0x03, 0x01, 0x00, 0x00);
	poll_media(f);
	ASSERT_DATA(f, 0x00, 0x06, 0x04, 0x7E, 0x00, 0x01, 0x00, 0x00);
	RUN_NONE(f, 0x00);
	ASSERT_SENSE(f, 0x04, 2, 0x3A, 0x02);
	CU_ASSERT_EQUAL(scsi_dvd_insert(f->device, &iso()->base), 0);
	RUN_NONE(f, 0x00);
	ASSERT_GOOD(f, 0);
	poll_media(f);
	ASSERT_DATA(f, 0x00, 0x06, 0x04, 0x7E, 0x02, 0x02, 0x00, 0x00);
	/* A swap is a removal, then a new medium. */
	CU_ASSERT_EQUAL(scsi_dvd_insert(f->device, &iso()->base), 0);
	poll_media(f);
	CU_ASSERT_EQUAL(f->data[4], 3);
	poll_media(f);
	CU_ASSERT_EQUAL(f->data[4], 2);
	poll_media(f);
	CU_ASSERT_EQUAL(f->data[4], 0);
	fixture_free(f);
}

/* R-STOR-088. */
static void events_come_by_class_and_media_first(void)
{
	struct fixture *f = drive(true);
	RUN_IN(f, 8, 0x4A, 0, 0, 0, 0x10, 0, 0, 0, 8); /* not polled */
	ASSERT_SENSE(f, 0x04, 5, 0x24, 0x00);
	RUN_IN(f, 8, 0x4A, 1, 0, 0, 0x00, 0, 0, 0, 8); /* no class */
	ASSERT_GOOD(f, 4);
	ASSERT_DATA(f, 0x00, 0x02, 0x00, 0x7E);
	static const uint8_t rows[][3] = {/* requested mask, class, byte 5 */
		{0x7E, 1, 0}, {0x7C, 2, 1}, {0x78, 3, 0}, {0x70, 5, 0}, {0x50, 4, 2}, {0x40, 6, 0}};
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		RUN_IN(f, 8, 0x4A, 1, 0, 0, rows[i][0], 0, 0, 0, 8);
		ASSERT_GOOD(f, 8);
		ASSERT_DATA(f, 0x00, 0x06, rows[i][1], 0x7E, 0x00, rows[i][2], 0x00, 0x00);
	}
	scsi_dvd_eject(f->device, false);
	RUN_IN(f, 8, 0x4A, 1, 0, 0, 0x6E, 0, 0, 0, 8); /* media not asked for: stays pending */
	CU_ASSERT_EQUAL(f->data[2], 1);
	RUN_IN(f, 8, 0x4A, 1, 0, 0, 0x10, 0, 0, 0, 4); /* no room: stays pending */
	ASSERT_GOOD(f, 4);
	RUN_IN(f, 8, 0x4A, 1, 0, 0, 0x7E, 0, 0, 0, 8);
	ASSERT_DATA(f, 0x00, 0x06, 0x04, 0x7E, 0x03, 0x01);
	RUN_IN(f, 1, 0x4A, 1, 0, 0, 0x7E, 0, 0, 0, 1);
	ASSERT_GOOD(f, 1);
	fixture_free(f);
}

static void a_replaced_medium_stays_open_while_it_is_read(void)
{
	struct fixture *f = drive(true);
	unsigned closed = 0;
	f->store->closed = &closed;
	f->store->holds = true;
	const uint8_t cdb[16] = {0x28, 0, 0, 0, 0, 5, 0, 0, 1};
	fixture_start(f, cdb, 10, STORAGE_DATA_IN, 2048);
	CU_ASSERT_EQUAL(f->done_count, 0);
	CU_ASSERT_EQUAL(scsi_dvd_insert(f->device, &iso()->base), 0);
	CU_ASSERT_EQUAL(closed, 0);
	CU_ASSERT_EQUAL(scsi_dvd_eject(f->device, true), -EBUSY); /* one at a time */
	store_script_release(f->store, 0);
	CU_ASSERT_EQUAL(f->done_count, 1);
	ASSERT_GOOD(f, 2048);
	CU_ASSERT_EQUAL(closed, 1);
	CU_ASSERT_EQUAL(scsi_dvd_eject(f->device, true), 0);
	fixture_free(f);
}

/* ---- fixed replies ------------------------------------------------------------------------- */

static void toc_has_one_track_and_the_lead_out(void)
{
	struct fixture *f = drive(true);
	RUN_IN(f, 804, 0x43, 0, 0, 0, 0, 0, 0, 3, 0x24);
	ASSERT_GOOD(f, 20);
	ASSERT_DATA(f, 0x00, 0x12, 0x01, 0x01, 0x00, 0x14, 0x01, 0x00, 0, 0, 0, 0, 0x00, 0x14, 0xAA,
		0x00, 0x00, 0x00, 0x03, 0xE8);
	RUN_IN(f, 804, 0x43, 2, 0, 0, 0, 0, 0, 3, 0x24); /* MSF */
	ASSERT_DATA(f, 0x00, 0x12, 0x01, 0x01, 0x00, 0x14, 0x01, 0x00, 0, 0, 2, 0, 0x00, 0x14, 0xAA,
		0x00, 0, 0, 15, 25);
	RUN_IN(f, 12, 0x43, 0, 1, 0, 0, 0, 0, 0, 12); /* sessions */
	ASSERT_GOOD(f, 12);
	ASSERT_DATA(f, 0x00, 0x0A, 0x01, 0x01, 0x00, 0x14, 0x01, 0x00, 0, 0, 0, 0);
	RUN_IN(f, 12, 0x43, 0, 0, 0, 0, 0, 0xAA, 0, 12);
	ASSERT_GOOD(f, 12);
	ASSERT_DATA(f, 0x00, 0x0A, 0x01, 0x01, 0x00, 0x14, 0xAA);
	RUN_IN(f, 12, 0x43, 0, 0, 0, 0, 0, 2, 0, 12);
	ASSERT_SENSE(f, 0x04, 5, 0x24, 0x00);
	RUN_IN(f, 12, 0x43, 0, 2, 0, 0, 0, 0, 0, 12);
	ASSERT_SENSE(f, 0x04, 5, 0x24, 0x00);
	fixture_free(f);
}

/* R-STOR-059. */
static void configuration_has_its_exact_bytes(void)
{
	struct fixture *f = drive(true);
	RUN_IN(f, 255, 0x46, 0, 0, 0, 0, 0, 0, 0, 255);
	ASSERT_GOOD(f, 96);
	ASSERT_DATA(f, 0, 0, 0, 92, 0, 0, 0x00, 0x10,
		/* profiles */ 0x00, 0x00, 0x03, 0x08, 0x00, 0x10, 0x01, 0x00, 0x00, 0x08, 0x00,
		0x00,
		/* core */ 0x00, 0x01, 0x0B, 0x08, 0, 0, 0, 0, 0, 0, 0, 0,
		/* morphing */ 0x00, 0x02, 0x0B, 0x04, 0x02, 0x00, 0x00, 0x00,
		/* removable */ 0x00, 0x03, 0x07, 0x04, 0x39, 0x00, 0x00, 0x00,
		/* random readable */ 0x00, 0x10, 0x01, 0x08, 0x00, 0x00, 0x08, 0x00, 0x00, 0x10,
		0x01, 0x00,
		/* CD read */ 0x00, 0x1E, 0x08, 0x04, 0, 0, 0, 0,
		/* DVD read */ 0x00, 0x1F, 0x05, 0x04, 0, 0, 0, 0,
		/* power */ 0x01, 0x00, 0x03, 0x00,
		/* timeout */ 0x01, 0x05, 0x07, 0x04, 0x01, 0x00, 0x00, 0x00,
		/* streaming */ 0x01, 0x07, 0x17, 0x04, 0x10, 0x00, 0x00, 0x00);
	RUN_IN(f, 255, 0x46, 1, 0, 0, 0, 0, 0, 0, 255); /* current ones: all but CD read */
	ASSERT_GOOD(f, 88);
	RUN_IN(f, 255, 0x46, 2, 0, 0x1F, 0, 0, 0, 0, 255); /* one */
	ASSERT_GOOD(f, 16);
	ASSERT_DATA(f, 0, 0, 0, 12, 0, 0, 0x00, 0x10, 0x00, 0x1F, 0x05, 0x04);
	RUN_IN(f, 255, 0x46, 2, 0xFF, 0xFF, 0, 0, 0, 0, 255); /* one that is not there */
	ASSERT_GOOD(f, 8);
	ASSERT_DATA(f, 0, 0, 0, 4, 0, 0, 0x00, 0x10);
	RUN_IN(f, 255, 0x46, 0, 0x01, 0x05, 0, 0, 0, 0, 255); /* from 0105 on */
	ASSERT_GOOD(f, 24);
	RUN_IN(f, 255, 0x46, 3, 0, 0, 0, 0, 0, 0, 255);
	CU_ASSERT_EQUAL(f->request.scsi_status, 2);
	CU_ASSERT_EQUAL(f->request.srb_status, 0x06);
	CU_ASSERT_EQUAL(f->request.sense_bytes, 0);
	fixture_free(f);

	f = drive(false);
	RUN_IN(f, 255, 0x46, 0, 0, 0, 0, 0, 0, 0, 255);
	ASSERT_GOOD(f, 96);
	ASSERT_DATA(f, 0, 0, 0, 92, 0, 0, 0x00, 0x00, 0x00, 0x00, 0x03, 0x08, 0x00, 0x10, 0x00);
	CU_ASSERT_EQUAL(f->data[8 + 12 + 12 + 8 + 8 + 2], 0x00); /* random readable: not current */
	fixture_free(f);
}

static void mode_pages_are_fixed(void)
{
	struct fixture *f = drive(true);
	RUN_IN(f, 255, 0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 255);
	ASSERT_GOOD(f, 44);
	ASSERT_DATA(f, 0x00, 0x2A, 0, 0, 0, 0, 0, 0, 0x01, 0x0A);
	CU_ASSERT_EQUAL(f->data[8 + 12], 0x1A);
	CU_ASSERT_EQUAL(f->data[8 + 24], 0x1D);
	RUN_IN(f, 255, 0x5A, 0, 0x1A, 0, 0, 0, 0, 0, 255);
	ASSERT_GOOD(f, 20);
	RUN_IN(f, 255, 0x5A, 0, 0xFF, 0, 0, 0, 0, 0, 255);
	ASSERT_SENSE(f, 0x04, 5, 0x39, 0x00);
	RUN_IN(f, 255, 0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 255);
	ASSERT_SENSE(f, 0x04, 5, 0x24, 0x00);
	memset(f->data, 0, 20);
	f->data[8] = 0x1D;
	f->data[9] = 0x0A;
	RUN_OUT(f, 20, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 20);
	ASSERT_GOOD(f, 20);
	f->data[8] = 0x2A;
	RUN_OUT(f, 20, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 20);
	ASSERT_SENSE(f, 0x04, 5, 0x26, 0x00);
	RUN_OUT(f, 9, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 9);
	ASSERT_SENSE(f, 0x04, 5, 0x1A, 0x00);
	fixture_free(f);
}

static void disc_and_track_are_those_of_a_finished_disc(void)
{
	struct fixture *f = drive(true);
	RUN_IN(f, 34, 0x51, 0, 0, 0, 0, 0, 0, 0, 34);
	ASSERT_GOOD(f, 34);
	ASSERT_DATA(f, 0x00, 0x20, 0x0E, 1, 1, 1, 1, 0x20, 0, 0);
	RUN_IN(f, 36, 0x52, 1, 0, 0, 0, 1, 0, 0, 36);
	ASSERT_GOOD(f, 36);
	ASSERT_DATA(f, 0x00, 0x22, 1, 1, 0, 0x04, 0x01, 0);
	CU_ASSERT_EQUAL(scsi_get32(f->data + 24), SECTORS);
	RUN_IN(f, 36, 0x52, 1, 0, 0, 0, 2, 0, 0, 36);
	ASSERT_SENSE(f, 0x04, 5, 0x24, 0x00);
	RUN_IN(f, 36, 0x52, 0, 0, 0, 0x03, 0xE8, 0, 0, 36); /* address behind the end */
	ASSERT_SENSE(f, 0x04, 5, 0x24, 0x00);
	RUN_IN(f, 12, 0x5C, 0, 0, 0, 0, 0, 0, 0, 12);
	ASSERT_GOOD(f, 12);
	ASSERT_DATA(f, 0x00, 0x0A, 0, 0, 0, 0, 0, 0);
	RUN_IN(f, 8, 0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8);
	ASSERT_GOOD(f, 8);
	ASSERT_DATA(f, 0, 0x00, 0, 0, 0, 1, 0, 0);
	RUN_IN(f, 24, 0xAC, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	ASSERT_GOOD(f, 24);
	ASSERT_DATA(f, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x00, 0x2B, 0x48, 0, 0, 3, 0xE7);
	fixture_free(f);
}

static void dvd_structure_describes_the_medium(void)
{
	struct fixture *f = drive(true);
	RUN_IN(f, 2052, 0xAD, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x04);
	ASSERT_GOOD(f, 2052);
	ASSERT_DATA(f, 0x08, 0x02, 0, 0, 0x01, 0x0F, 0x01, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x03,
		0x03, 0xE7);
	RUN_IN(f, 8, 0xAD, 0, 0, 0, 0, 0, 0, 1, 0, 8); /* copyright: none */
	ASSERT_GOOD(f, 8);
	ASSERT_DATA(f, 0x00, 0x06, 0, 0, 0, 0, 0, 0);
	RUN_IN(f, 8, 0xAD, 1, 0, 0, 0, 0, 0, 0, 0, 8); /* another kind of medium */
	ASSERT_SENSE(f, 0x04, 5, 0x30, 0x02);
	RUN_IN(f, 8, 0xAD, 0, 0, 0, 0, 0, 0, 9, 0, 8);
	ASSERT_SENSE(f, 0x04, 5, 0x24, 0x00);
	fixture_free(f);
}

/* R-STOR-060, R-STOR-061. */
static void replies_never_exceed_allocation_or_buffer(void)
{
	static const uint16_t lengths[] = {0, 1, 3, 8, 255, 65535};
	static const uint32_t buffers[] = {0, 1, 3, 8, 100, 65536};
	struct fixture *f = drive(true);
	for (unsigned row = 1; row < scsi_command_count; row++) {
		const struct scsi_command *c = &scsi_command_table[row];
		if (!(c->types & SCSI_TYPE_BIT_DVD) || c->direction != STORAGE_DATA_IN)
			continue;
		for (unsigned i = 0; i < 6 * 6 * 4; i++) {
			uint8_t cdb[16] = {c->opcode, (uint8_t)(i / 36)};
			const uint32_t buffer = buffers[i / 6 % 6];
			cdb[4] = 0x7E;
			if (c->cdb_bytes == 6)
				scsi_put16(cdb + 3, lengths[i % 6]);
			else
				scsi_put16(cdb + (c->cdb_bytes == 10 ? 7 : 8), lengths[i % 6]);
			fixture_start(f, cdb, c->cdb_bytes, STORAGE_DATA_IN, buffer);
			CU_ASSERT_EQUAL(f->done_count, 1);
			CU_ASSERT(fixture_guard_is_whole(f));
			CU_ASSERT(f->request.moved_bytes <= buffer);
			for (uint32_t at = f->request.moved_bytes; at < buffer; at++)
				if (f->data[at] != FIXTURE_GUARD) {
					CU_FAIL("bytes beyond those reported as moved");
					break;
				}
		}
	}
	fixture_free(f);
}

static const struct test tests[] = {
	TEST(inquiry_describes_a_dvd_drive),
	TEST(reading_needs_a_medium),
	TEST(sectors_of_2048_bytes_are_read),
	TEST(a_dvd_is_never_written),
	TEST(request_sense_is_always_no_sense),
	TEST(eject_obeys_prevent),
	TEST(media_events_are_reported_once),
	TEST(events_come_by_class_and_media_first),
	TEST(a_replaced_medium_stays_open_while_it_is_read),
	TEST(toc_has_one_track_and_the_lead_out),
	TEST(configuration_has_its_exact_bytes),
	TEST(mode_pages_are_fixed),
	TEST(disc_and_track_are_those_of_a_finished_disc),
	TEST(dvd_structure_describes_the_medium),
	TEST(replies_never_exceed_allocation_or_buffer),
};
TEST_MAIN("scsi_dvd", tests)
