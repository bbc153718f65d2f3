// SPDX-License-Identifier: Apache-2.0
/*
 * What a DVD-ROM drive says about itself and about its medium, which always looks
 * like a finished disc of one session with one data track.
 *
 * Sources: protocol/storage.md section 8 (R-STOR-059 … R-STOR-061); T10 MMC-5.
 */
#include "host/vsp/scsi_internal.h"

#include <string.h>

#define TRACK_CONTROL	  0x14u /* ADR 1: position; control 4: data track */
#define MSF_LEAD_IN	  150u	/* frames before LBA 0 */
#define FRAMES_PER_SECOND 75u
#define DVD_FIRST_SECTOR  0x030000u /* physical sector of LBA 0 */
#define DVD_8X_KB_S	  11080u

void scsi_dvd_reply(struct scsi_request *request, const void *data, size_t bytes, size_t allocation)
{
	const size_t wanted = bytes < allocation ? bytes : allocation;
	if (request->data_bytes < wanted)
		scsi_check_bare(request, STORAGE_SRB_DATA_OVERRUN);
	else
		scsi_reply(request, data, bytes, allocation);
}

static uint32_t blocks32(const struct scsi_device *device)
{
	return device->blocks > 0xFFFFFFFFu ? 0xFFFFFFFFu : (uint32_t)device->blocks;
}

/* ---- table of contents --------------------------------------------------------------------- */

static void toc_address_put(uint8_t *field, uint32_t lba, bool is_msf)
{
	if (!is_msf) {
		scsi_put32(field, lba);
		return;
	}
	const uint64_t frames = (uint64_t)lba + MSF_LEAD_IN;
	const uint64_t minutes = frames / (60 * FRAMES_PER_SECOND);
	field[0] = 0;
	field[1] = minutes > 255 ? 255 : (uint8_t)minutes;
	field[2] = (uint8_t)(frames / FRAMES_PER_SECOND % 60);
	field[3] = (uint8_t)(frames % FRAMES_PER_SECOND);
}

static size_t toc_entry_put(uint8_t *entry, uint8_t track, uint32_t lba, bool is_msf)
{
	entry[1] = TRACK_CONTROL;
	entry[2] = track;
	toc_address_put(entry + 4, lba, is_msf);
	return 8;
}

void scsi_mmc_read_toc(struct scsi_request *request)
{
	const uint8_t *cdb = request->cdb;
	const bool is_msf = cdb[1] & SCSI_TOC_MSF;
	const uint8_t first = cdb[6];
	uint8_t data[20] = {0, 0, 1, 1};
	size_t bytes = 4;

	if (!scsi_has_medium(request))
		return;
	switch (cdb[2] & SCSI_TOC_FORMAT_MASK) {
	case 0:
		if (first > 1 && first != SCSI_TOC_LEADOUT) {
			scsi_illegal_cdb(request, 6);
			return;
		}
		if (first <= 1)
			bytes += toc_entry_put(data + bytes, 1, 0, is_msf);
		bytes += toc_entry_put(
			data + bytes, SCSI_TOC_LEADOUT, blocks32(request->nexus->device), is_msf);
		break;
	case 1:
		bytes += toc_entry_put(data + bytes, 1, 0, is_msf);
		break;
	default:
		scsi_illegal_cdb(request, 2);
		return;
	}
	scsi_put16(data, (uint16_t)(bytes - 2));
	scsi_dvd_reply(request, data, bytes, scsi_get16(cdb + 7));
}

/* ---- features ------------------------------------------------------------------------------ */

#define FEATURE_CURRENT 0x01u

static const struct {
	uint16_t code;
	uint8_t flags;	   /* version << 2 | persistent << 1 | current */
	bool needs_medium; /* current only while there is one */
	uint8_t length;
	uint8_t data[8];
} features[] = {
	{0x0000, 0x03, false, 8, {0x00, 0x10, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00}},
	{0x0001, 0x0B, false, 8, {0}},
	{0x0002, 0x0B, false, 4, {0x02, 0x00, 0x00, 0x00}},
	{0x0003, 0x07, false, 4, {0x39, 0x00, 0x00, 0x00}},
	{0x0010, 0x01, true, 8, {0x00, 0x00, 0x08, 0x00, 0x00, 0x10, 0x01, 0x00}},
	{0x001E, 0x08, false, 4, {0}},
	{0x001F, 0x05, true, 4, {0}},
	{0x0100, 0x03, false, 0, {0}},
	{0x0105, 0x07, false, 4, {0x01, 0x00, 0x00, 0x00}},
	{0x0107, 0x17, false, 4, {0x10, 0x00, 0x00, 0x00}},
};

#define FEATURE_COUNT	  (sizeof features / sizeof features[0])
#define FEATURE_BYTES_MAX 12u

void scsi_mmc_get_configuration(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	const uint8_t *cdb = request->cdb;
	const unsigned selection = cdb[1] & SCSI_CONFIG_RT_MASK;
	const uint16_t first = scsi_get16(cdb + 2);
	const bool has_medium = device->dvd.has_medium && !device->dvd.is_tray_open;
	uint8_t data[8 + FEATURE_COUNT * FEATURE_BYTES_MAX] = {0};
	size_t bytes = 8;

	if (selection == 3) {
		scsi_check_bare(request, STORAGE_SRB_INVALID_REQUEST);
		return;
	}
	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		uint8_t flags = features[i].flags;
		if (features[i].needs_medium && !has_medium)
			flags &= (uint8_t)~FEATURE_CURRENT;
		if (features[i].code < first || (selection == 2 && features[i].code != first) ||
			(selection == 1 && !(flags & FEATURE_CURRENT)))
			continue;
		uint8_t *entry = data + bytes;
		scsi_put16(entry, features[i].code);
		entry[2] = flags;
		entry[3] = features[i].length;
		memcpy(entry + 4, features[i].data, features[i].length);
		if (features[i].code == 0)
			entry[6] = has_medium; /* the DVD-ROM profile is current */
		bytes += 4u + features[i].length;
	}
	scsi_put32(data, (uint32_t)(bytes - 4));
	scsi_put16(data + 6, has_medium ? SCSI_PROFILE_DVD_ROM : 0);
	scsi_dvd_reply(request, data, bytes, scsi_get16(cdb + 7));
}

/* ---- disc and track ------------------------------------------------------------------------ */

void scsi_mmc_read_disc_information(struct scsi_request *request)
{
	/* Not erasable, last session complete, disc finished; one session, one track;
	 * unrestricted use. */
	static const uint8_t data[34] = {0, 32, 0x0E, 1, 1, 1, 1, 0x20};
	if (request->cdb[1] & 0x07u) {
		scsi_illegal_cdb(request, 1);
		return;
	}
	if (scsi_has_medium(request))
		scsi_dvd_reply(request, data, sizeof data, scsi_get16(request->cdb + 7));
}

void scsi_mmc_read_track_information(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	const uint8_t *cdb = request->cdb;
	const unsigned address_type = cdb[1] & 0x03u;
	const uint32_t address = scsi_get32(cdb + 2);
	uint8_t data[36] = {0, 34, 1, 1, 0, 0x04, 0x01};

	if (!scsi_has_medium(request))
		return;
	const bool is_known = address_type == 0 ? address < device->blocks : address == 1;
	if (address_type == 3 || !is_known) {
		scsi_illegal_cdb(request, address_type == 3 ? 1 : 2);
		return;
	}
	scsi_put32(data + 24, blocks32(device));
	scsi_dvd_reply(request, data, sizeof data, scsi_get16(cdb + 7));
}

/* A drive that does not write has no buffer to report. */
void scsi_mmc_read_buffer_capacity(struct scsi_request *request)
{
	static const uint8_t data[12] = {0, 10};
	scsi_dvd_reply(request, data, sizeof data, scsi_get16(request->cdb + 7));
}

/* ---- performance --------------------------------------------------------------------------- */

void scsi_mmc_get_performance(struct scsi_request *request)
{
	enum { NOMINAL = 0, WRITE_SPEED = 3 };
	const struct scsi_device *device = request->nexus->device;
	const uint8_t *cdb = request->cdb;
	const uint8_t type = cdb[10];
	uint8_t data[8 + 16] = {0};
	size_t bytes = 8;

	if (type != NOMINAL && type != WRITE_SPEED) {
		scsi_illegal_cdb(request, 10);
		return;
	}
	if (type == NOMINAL && !scsi_has_medium(request))
		return;
	/* Byte 1: tolerance (4-3), write (2), exceptions (1-0). Only reading has a speed. */
	if (type == NOMINAL && !(cdb[1] & 0x07u) && scsi_get16(cdb + 8) != 0) {
		scsi_put32(data + 8, 0);
		scsi_put32(data + 12, DVD_8X_KB_S);
		scsi_put32(data + 16, blocks32(device) - 1);
		scsi_put32(data + 20, DVD_8X_KB_S);
		bytes += 16;
	}
	scsi_put32(data, (uint32_t)(bytes - 4));
	scsi_dvd_reply(request, data, bytes, sizeof data);
}

void scsi_mmc_set_streaming(struct scsi_request *request)
{
	const uint16_t length = scsi_get16(request->cdb + 9);
	if (length > request->data_bytes)
		scsi_illegal(request, SCSI_ASC_PARAMETER_LIST_LENGTH);
	else
		scsi_good(request, length);
}

/* ---- structure of the medium --------------------------------------------------------------- */

enum dvd_structure {
	DVD_PHYSICAL = 0x00,
	DVD_COPYRIGHT = 0x01,
	DVD_MANUFACTURER = 0x04,
	DVD_LIST = 0xFF,
};

#define DVD_STRUCTURE_BYTES (4u + 2048u)

static size_t dvd_structure_fill(const struct scsi_device *device, uint8_t format, uint8_t *data)
{
	/* format, readable, length of the whole structure */
	static const uint8_t list[] = {
		DVD_PHYSICAL,
		0x40,
		0x08,
		0x04,
		DVD_COPYRIGHT,
		0x40,
		0x00,
		0x08,
		DVD_MANUFACTURER,
		0x40,
		0x08,
		0x04,
	};
	switch (format) {
	case DVD_PHYSICAL:
		data[4] = 0x01; /* DVD-ROM, part version 1 */
		data[5] = 0x0F; /* 120 mm, no maximum rate */
		data[6] = 0x01; /* one layer, embossed */
		scsi_put24(data + 9, DVD_FIRST_SECTOR);
		scsi_put24(data + 13, DVD_FIRST_SECTOR + blocks32(device) - 1);
		return DVD_STRUCTURE_BYTES;
	case DVD_COPYRIGHT:
		return 4 + 4; /* not protected, all regions */
	case DVD_MANUFACTURER:
		return DVD_STRUCTURE_BYTES;
	case DVD_LIST:
		memcpy(data + 4, list, sizeof list);
		return 4 + sizeof list;
	default:
		return 0;
	}
}

void scsi_mmc_read_dvd_structure(struct scsi_request *request)
{
	const uint8_t *cdb = request->cdb;
	uint8_t data[DVD_STRUCTURE_BYTES] = {0};
	if (!scsi_has_medium(request))
		return;
	if ((cdb[1] & 0x0Fu) != 0) {
		scsi_check(request, STORAGE_SRB_ERROR, SCSI_KEY_ILLEGAL_REQUEST,
			SCSI_ASC_INCOMPATIBLE_MEDIUM);
		return;
	}
	const size_t bytes = dvd_structure_fill(request->nexus->device, cdb[7], data);
	if (bytes == 0) {
		scsi_illegal_cdb(request, 7);
		return;
	}
	scsi_put16(data, (uint16_t)(bytes - 2));
	scsi_dvd_reply(request, data, bytes, scsi_get16(cdb + 8));
}

void scsi_mmc_mechanism_status(struct scsi_request *request)
{
	uint8_t data[8] = {0};
	if (request->nexus->device->dvd.is_tray_open)
		data[1] = 0x10;
	data[5] = 1; /* one slot, and no table of slots */
	scsi_dvd_reply(request, data, sizeof data, scsi_get16(request->cdb + 8));
}
