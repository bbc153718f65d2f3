// SPDX-License-Identifier: Apache-2.0
/*
 * DVD drives: identity, medium and tray, events, mode pages. The fixed replies
 * that describe a DVD-ROM are in scsi_mmc.c; reads are in scsi_block.c.
 *
 * Sources: protocol/storage.md section 8 (R-STOR-057 … R-STOR-061); T10 MMC-5.
 */
#include "host/vsp/scsi_internal.h"

#include <string.h>

#define DVD_INQUIRY_BYTES 36u

/* ---- identity ------------------------------------------------------------------------------ */

static void inquiry_vpd(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	uint8_t data[4 + 28] = {SCSI_TYPE_DVD, request->cdb[2]};
	size_t bytes;
	switch (request->cdb[2]) {
	case SCSI_VPD_SUPPORTED:
		data[4] = SCSI_VPD_SUPPORTED;
		data[5] = SCSI_VPD_IDENTIFICATION;
		bytes = 2;
		break;
	case SCSI_VPD_IDENTIFICATION:
		data[4] = SCSI_DESIGNATOR_BINARY;
		data[5] = SCSI_DESIGNATOR_T10;
		data[7] = 8 + SCSI_DEVICE_ID_BYTES;
		memcpy(data + 8, scsi_vendor, sizeof scsi_vendor);
		memcpy(data + 16, device->id, SCSI_DEVICE_ID_BYTES);
		bytes = 28;
		break;
	default:
		scsi_illegal_cdb(request, 2);
		return;
	}
	scsi_put16(data + 2, (uint16_t)bytes);
	scsi_reply(request, data, 4 + bytes, scsi_get16(request->cdb + 3));
}

void scsi_dvd_inquiry(struct scsi_request *request)
{
	if (!scsi_inquiry_is_valid(request))
		return;
	if (request->cdb[1] & SCSI_INQUIRY_EVPD) {
		inquiry_vpd(request);
		return;
	}
	struct scsi_inquiry_wire inquiry = {
		.peripheral = SCSI_TYPE_DVD,
		.removable = SCSI_INQUIRY_REMOVABLE,
		.version = 0,
		.format = SCSI_INQUIRY_FORMAT,
		.additional_length = DVD_INQUIRY_BYTES - 5,
	};
	memcpy(inquiry.vendor, scsi_vendor, sizeof inquiry.vendor);
	memcpy(inquiry.product, "Virtual DVD-ROM ", sizeof inquiry.product);
	memcpy(inquiry.revision, "1.0 ", sizeof inquiry.revision);
	scsi_reply(request, &inquiry, sizeof inquiry, scsi_get16(request->cdb + 3));
}

/* ---- medium -------------------------------------------------------------------------------- */

/* A medium can be read only when it is there and the tray is closed. */
static bool medium_is_ready(const struct scsi_device *device)
{
	return device->dvd.has_medium && !device->dvd.is_tray_open;
}

bool scsi_has_medium(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	if (medium_is_ready(device))
		return true;
	scsi_check(request, STORAGE_SRB_ERROR, SCSI_KEY_NOT_READY,
		device->dvd.is_tray_open ? SCSI_ASC_NO_MEDIUM_TRAY_OPEN
					 : SCSI_ASC_NO_MEDIUM_TRAY_CLOSED);
	return false;
}

void scsi_dvd_test_unit_ready(struct scsi_request *request)
{
	if (scsi_has_medium(request))
		scsi_good(request, 0);
}

/* Sense always travels with the command that failed. */
void scsi_dvd_request_sense(struct scsi_request *request)
{
	uint8_t sense[SCSI_SENSE_BYTES];
	scsi_sense_fill(sense, SCSI_KEY_NO_SENSE, SCSI_ASC_NONE);
	request->nexus->sense_bytes = 0;
	scsi_dvd_reply(request, sense, sizeof sense, request->cdb[4]);
}

void scsi_dvd_start_stop(struct scsi_request *request)
{
	struct scsi_device *device = request->nexus->device;
	struct scsi_dvd_state *dvd = &device->dvd;
	const uint8_t what = request->cdb[4] & (SCSI_START_LOEJ | SCSI_START_START);
	if (what == SCSI_START_LOEJ) {
		if (dvd->is_locked || dvd->is_locked_persistent) {
			scsi_check(request, STORAGE_SRB_ERROR,
				dvd->has_medium ? SCSI_KEY_ILLEGAL_REQUEST : SCSI_KEY_NOT_READY,
				SCSI_ASC_REMOVAL_PREVENTED);
			return;
		}
		if (medium_is_ready(device))
			dvd->has_removal_event = true;
		dvd->has_new_event = false;
		dvd->is_tray_open = true;
	} else if (what == (SCSI_START_LOEJ | SCSI_START_START)) {
		if (dvd->is_tray_open && dvd->has_medium)
			dvd->has_new_event = true;
		dvd->is_tray_open = false;
	}
	scsi_good(request, 0);
}

void scsi_dvd_prevent_allow(struct scsi_request *request)
{
	struct scsi_dvd_state *dvd = &request->nexus->device->dvd;
	const bool is_locked = request->cdb[4] & SCSI_PREVENT;
	if (request->cdb[4] & SCSI_PREVENT_PERSISTENT)
		dvd->is_locked_persistent = is_locked;
	else
		dvd->is_locked = is_locked;
	scsi_good(request, 0);
}

void scsi_dvd_read_capacity(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	struct scsi_capacity10_wire data;
	if (!scsi_has_medium(request))
		return;
	if (request->data_bytes < sizeof data) {
		scsi_check_bare(request, STORAGE_SRB_DATA_OVERRUN);
		return;
	}
	const uint64_t last = device->blocks - 1;
	scsi_put32(data.last_lba, last > 0xFFFFFFFFu ? 0xFFFFFFFFu : (uint32_t)last);
	scsi_put32(data.block_bytes, 1u << device->block_shift);
	scsi_dvd_reply(request, &data, sizeof data, sizeof data);
}

/* ---- events -------------------------------------------------------------------------------- */

/* Two bytes of a media event: what happened since the last time, and how things are. */
static bool media_event_take(struct scsi_device *device, uint8_t *body)
{
	struct scsi_dvd_state *dvd = &device->dvd;
	const bool has_event = dvd->has_removal_event || dvd->has_new_event;
	if (dvd->has_removal_event) {
		body[0] = SCSI_MEDIA_EVENT_REMOVAL;
		dvd->has_removal_event = false;
	} else if (dvd->has_new_event) {
		body[0] = SCSI_MEDIA_EVENT_NEW;
		dvd->has_new_event = false;
	}
	body[1] = (uint8_t)((dvd->is_tray_open ? SCSI_MEDIA_TRAY_OPEN : 0) |
			    (medium_is_ready(device) ? SCSI_MEDIA_PRESENT : 0));
	return has_event;
}

void scsi_dvd_get_event_status(struct scsi_request *request)
{
	static const uint8_t order[] = {SCSI_EVENT_OPERATIONAL, SCSI_EVENT_POWER,
		SCSI_EVENT_EXTERNAL, SCSI_EVENT_MULTI_HOST, SCSI_EVENT_MEDIA, SCSI_EVENT_BUSY};
	struct scsi_device *device = request->nexus->device;
	const uint8_t mask = request->cdb[4];
	const uint16_t allocation = scsi_get16(request->cdb + 7);
	uint8_t data[8] = {0, 0, 0, 0x7E};
	uint8_t class = 0;

	if (!(request->cdb[1] & SCSI_EVENT_POLLED)) {
		scsi_illegal_cdb(request, 1);
		return;
	}
	for (size_t i = 0; i < sizeof order && class == 0; i++)
		if (mask & (1u << order[i]))
			class = order[i];
	/* Media events come first when there are any, and only if they can be delivered. */
	if (mask & (1u << SCSI_EVENT_MEDIA) &&
		(device->dvd.has_removal_event || device->dvd.has_new_event))
		class = SCSI_EVENT_MEDIA;
	if (class == 0) {
		scsi_put16(data, 2);
		scsi_dvd_reply(request, data, 4, allocation);
		return;
	}
	const size_t room = allocation < request->data_bytes ? allocation : request->data_bytes;
	if (class == SCSI_EVENT_MEDIA && room >= sizeof data)
		media_event_take(device, data + 4);
	else if (class == SCSI_EVENT_POWER)
		data[5] = 1; /* active */
	scsi_put16(data, sizeof data - 2);
	data[2] = class;
	scsi_dvd_reply(request, data, sizeof data, allocation);
}

/* ---- mode pages ---------------------------------------------------------------------------- */

/* Read error recovery, power condition, timeout and protect: header bytes included. */
static const uint8_t page_01[12] = {SCSI_MODE_ERROR_RECOVERY, 10};
static const uint8_t page_1a[12] = {SCSI_MODE_POWER_CONDITION, 10};
static const uint8_t page_1d[12] = {SCSI_MODE_TIMEOUT_PROTECT, 10};

static const uint8_t *const mode_pages[] = {page_01, page_1a, page_1d};

void scsi_dvd_mode_sense(struct scsi_request *request)
{
	const uint8_t *cdb = request->cdb;
	const uint16_t allocation = scsi_get16(cdb + 7);
	const uint8_t wanted = cdb[2] & SCSI_MODE_PAGE_MASK;
	uint8_t data[SCSI_MODE_HEADER10_BYTES + 3 * sizeof page_01] = {0};
	size_t bytes = SCSI_MODE_HEADER10_BYTES;

	if (cdb[2] >> SCSI_MODE_CONTROL_SHIFT == SCSI_MODE_SAVED) {
		scsi_illegal(request, SCSI_ASC_SAVING_NOT_SUPPORTED);
		return;
	}
	for (size_t i = 0; i < sizeof mode_pages / sizeof mode_pages[0]; i++) {
		if (wanted != SCSI_MODE_ALL && wanted != mode_pages[i][0])
			continue;
		memcpy(data + bytes, mode_pages[i], sizeof page_01);
		bytes += sizeof page_01;
	}
	if (bytes == SCSI_MODE_HEADER10_BYTES) {
		scsi_illegal_cdb(request, 2);
		return;
	}
	scsi_put16(data, (uint16_t)(bytes - 2));
	scsi_dvd_reply(request, data, bytes, allocation);
}

/* Known pages are accepted and have no effect. */
void scsi_dvd_mode_select(struct scsi_request *request)
{
	const uint16_t length = scsi_get16(request->cdb + 7);
	uint8_t list[SCSI_MODE_HEADER10_BYTES + 2];
	if (length == 0) {
		scsi_good(request, 0);
		return;
	}
	if (request->cdb[1] & SCSI_MODE_SELECT_SP) {
		scsi_illegal_cdb(request, 1);
		return;
	}
	if (length > request->data_bytes ||
		scsi_buffer_read(request, 0, list, sizeof list) != sizeof list ||
		length < sizeof list) {
		scsi_illegal(request, SCSI_ASC_PARAMETER_LIST_LENGTH);
		return;
	}
	const uint8_t page = list[SCSI_MODE_HEADER10_BYTES] & SCSI_MODE_PAGE_MASK;
	for (size_t i = 0; i < sizeof mode_pages / sizeof mode_pages[0]; i++) {
		if (page != mode_pages[i][0])
			continue;
		scsi_good(request, length);
		return;
	}
	scsi_illegal_parameter(request, SCSI_MODE_HEADER10_BYTES);
}
