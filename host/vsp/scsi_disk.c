// SPDX-License-Identifier: Apache-2.0
/*
 * Disks: what they are (INQUIRY, VPD pages, capacity) and how they are set (mode
 * pages, START STOP UNIT). Blocks move in scsi_block.c and scsi_unmap.c.
 *
 * Sources: protocol/storage.md section 7; T10 SPC-3 and SBC-3.
 */
#include "host/vsp/scsi_internal.h"

#include <string.h>

/* ---- INQUIRY ------------------------------------------------------------------------------- */

void scsi_disk_inquiry_fill(uint8_t *data)
{
	static const char product[16] = {
		'V', 'i', 'r', 't', 'u', 'a', 'l', ' ', 'D', 'i', 's', 'k', ' ', ' ', ' ', ' '};
	static const char revision[4] = {'1', '.', '0', ' '};
	struct scsi_inquiry_wire inquiry = {
		.peripheral = SCSI_TYPE_DISK,
		.version = SCSI_INQUIRY_SPC3,
		.format = SCSI_INQUIRY_FORMAT,
		.additional_length = SCSI_DISK_INQUIRY_BYTES - 5,
		.flags7 = SCSI_INQUIRY_CMDQUE,
	};
	memcpy(inquiry.vendor, scsi_vendor, sizeof inquiry.vendor);
	memcpy(inquiry.product, product, sizeof inquiry.product);
	memcpy(inquiry.revision, revision, sizeof inquiry.revision);
	memset(data, 0, SCSI_DISK_INQUIRY_BYTES);
	memcpy(data, &inquiry, sizeof inquiry);
}

/* A VPD page: fills `body`, returns its length; 0 if the device does not have the page. */
typedef size_t vpd_fill_fn(const struct scsi_device *device, uint8_t *body);

#define VPD_BODY_BYTES_MAX SCSI_SERIAL_BYTES_MAX

static size_t vpd_serial(const struct scsi_device *device, uint8_t *body)
{
	const size_t length = strlen(device->serial);
	memcpy(body, device->serial, length);
	return length;
}

static size_t vpd_identification(const struct scsi_device *device, uint8_t *body)
{
	static const uint8_t t10[4] = {
		SCSI_DESIGNATOR_BINARY, SCSI_DESIGNATOR_T10, 0, 8 + SCSI_DEVICE_ID_BYTES};
	static const uint8_t naa[4] = {SCSI_DESIGNATOR_BINARY, SCSI_DESIGNATOR_NAA, 0, 16};
	static const uint8_t oui[4] = {0x60, 0x02, 0x24, 0x80};
	memcpy(body, t10, 4);
	memcpy(body + 4, scsi_vendor, sizeof scsi_vendor);
	memcpy(body + 12, device->id, SCSI_DEVICE_ID_BYTES);
	memcpy(body + 28, naa, 4);
	memcpy(body + 32, oui, 4);
	memcpy(body + 36, device->id, 6);
	memcpy(body + 42, device->id + SCSI_DEVICE_ID_BYTES - 6, 6);
	return 48;
}

static size_t vpd_block_limits(const struct scsi_device *device, uint8_t *body)
{
	if (!device->can_unmap)
		return 0;
	const struct store *store = device->store;
	struct scsi_vpd_block_limits_wire page = {0};
	scsi_put32(page.unmap_lba_max, 0xFFFFFFFFu);
	scsi_put32(page.unmap_descriptors_max, SCSI_UNMAP_DESCRIPTORS_MAX);
	scsi_put32(page.unmap_granularity, store->physical_bytes / store->block_bytes);
	scsi_put32(page.unmap_alignment, 0x80000000u);
	scsi_put64(page.write_same_max, device->write_same_bytes_max >> device->block_shift);
	memcpy(body, (const uint8_t *)&page + sizeof page.header, sizeof page - sizeof page.header);
	return sizeof page - sizeof page.header;
}

static size_t vpd_characteristics(const struct scsi_device *device, uint8_t *body)
{
	if (!device->can_unmap)
		return 0;
	memset(body, 0, 60);
	scsi_put16(body, device->store->rotates ? 0 : 1);
	return 60;
}

static size_t vpd_provisioning(const struct scsi_device *device, uint8_t *body)
{
	if (!device->can_unmap)
		return 0;
	body[0] = 1; /* threshold exponent: no thresholds, but 0 is not allowed */
	body[1] = SCSI_LBPU | SCSI_LBPWS | SCSI_LBPWS10;
	body[2] = SCSI_PROVISIONING_THIN;
	body[3] = 0;
	return 4;
}

/* Microsoft paging extent properties: any extent may hold a paging file. */
static size_t vpd_paging_extent(const struct scsi_device *device, uint8_t *body)
{
	(void)device;
	static const uint8_t bytes[4] = {1, 1, 0, 0};
	memcpy(body, bytes, sizeof bytes);
	return sizeof bytes;
}

/* Microsoft virtual device properties: version 1, no flags, signature
 * 89a98f15-c928-4d8b-94cd-ef51faa99d33. */
static size_t vpd_virtual_device(const struct scsi_device *device, uint8_t *body)
{
	(void)device;
	static const uint8_t bytes[20] = {1, 0, 0, 0, 0x15, 0x8F, 0xA9, 0x89, 0x28, 0xC9, 0x8B,
		0x4D, 0x94, 0xCD, 0xEF, 0x51, 0xFA, 0xA9, 0x9D, 0x33};
	memcpy(body, bytes, sizeof bytes);
	return sizeof bytes;
}

static size_t vpd_supported(const struct scsi_device *device, uint8_t *body);

/* Ascending; page 00 lists those that have a body. */
static const struct {
	uint8_t page;
	vpd_fill_fn *fill;
} vpd_pages[] = {
	{SCSI_VPD_SUPPORTED, vpd_supported},
	{SCSI_VPD_SERIAL, vpd_serial},
	{SCSI_VPD_IDENTIFICATION, vpd_identification},
	{SCSI_VPD_BLOCK_LIMITS, vpd_block_limits},
	{SCSI_VPD_BLOCK_CHARACTERISTICS, vpd_characteristics},
	{SCSI_VPD_PROVISIONING, vpd_provisioning},
	{SCSI_VPD_MSFT_PAGING_EXTENT, vpd_paging_extent},
	{SCSI_VPD_MSFT_VIRTUAL_DEVICE, vpd_virtual_device},
};

#define VPD_PAGE_COUNT (sizeof vpd_pages / sizeof vpd_pages[0])

static size_t vpd_supported(const struct scsi_device *device, uint8_t *body)
{
	size_t count = 0;
	body[count++] = SCSI_VPD_SUPPORTED;
	for (size_t i = 1; i < VPD_PAGE_COUNT; i++) {
		uint8_t ignored[VPD_BODY_BYTES_MAX];
		if (vpd_pages[i].fill(device, ignored) != 0)
			body[count++] = vpd_pages[i].page;
	}
	return count;
}

static void inquiry_vpd(struct scsi_request *request)
{
	uint8_t data[4 + VPD_BODY_BYTES_MAX];
	const uint8_t page = request->cdb[2];
	for (size_t i = 0; i < VPD_PAGE_COUNT; i++) {
		if (vpd_pages[i].page != page)
			continue;
		const size_t bytes = vpd_pages[i].fill(request->nexus->device, data + 4);
		if (bytes == 0)
			break;
		data[0] = SCSI_TYPE_DISK;
		data[1] = page;
		scsi_put16(data + 2, (uint16_t)bytes);
		scsi_reply(request, data, 4 + bytes, scsi_get16(request->cdb + 3));
		return;
	}
	scsi_illegal_cdb(request, 2);
}

void scsi_disk_inquiry(struct scsi_request *request)
{
	if (!scsi_inquiry_is_valid(request))
		return;
	if (request->cdb[1] & SCSI_INQUIRY_EVPD) {
		inquiry_vpd(request);
		return;
	}
	uint8_t data[SCSI_DISK_INQUIRY_BYTES];
	scsi_disk_inquiry_fill(data);
	scsi_reply(request, data, sizeof data, scsi_get16(request->cdb + 3));
}

/* ---- capacity ------------------------------------------------------------------------------ */

void scsi_disk_read_capacity_10(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	struct scsi_capacity10_wire data;
	if (request->data_bytes < sizeof data) {
		scsi_check(request, STORAGE_SRB_DATA_OVERRUN, SCSI_KEY_ILLEGAL_REQUEST,
			SCSI_ASC_INVALID_FIELD_IN_CDB);
		return;
	}
	const uint64_t last = device->blocks - 1;
	scsi_put32(data.last_lba, last > 0xFFFFFFFFu ? 0xFFFFFFFFu : (uint32_t)last);
	scsi_put32(data.block_bytes, 1u << device->block_shift);
	scsi_reply(request, &data, sizeof data, sizeof data);
}

static void read_capacity_16(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	struct scsi_capacity16_wire data = {0};
	if (request->data_bytes < offsetof(struct scsi_capacity16_wire, protection)) {
		scsi_check(request, STORAGE_SRB_DATA_OVERRUN, SCSI_KEY_ILLEGAL_REQUEST,
			SCSI_ASC_INVALID_FIELD_IN_CDB);
		return;
	}
	scsi_put64(data.last_lba, device->blocks - 1);
	scsi_put32(data.block_bytes, 1u << device->block_shift);
	data.physical_exponent = (uint8_t)__builtin_ctz(
		device->store->physical_bytes / device->store->block_bytes);
	if (device->can_unmap)
		scsi_put16(data.provisioning, SCSI_CAPACITY_LBPME);
	scsi_reply(request, &data, sizeof data, scsi_get32(request->cdb + 10));
}

/* Every block is reported as "mapped, or unknown": the store is not asked. */
static void get_lba_status(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	const uint64_t lba = scsi_get64(request->cdb + 2);
	const uint32_t allocation = scsi_get32(request->cdb + 10);
	if (allocation < SCSI_LBA_STATUS_HEADER_BYTES + SCSI_LBA_STATUS_ENTRY_BYTES) {
		scsi_illegal_cdb(request, 10);
		return;
	}
	if (!scsi_range_is_valid(request, lba, 1))
		return;
	uint8_t data[SCSI_LBA_STATUS_HEADER_BYTES + SCSI_LBA_STATUS_ENTRY_BYTES] = {0};
	const uint64_t left = device->blocks - lba;
	scsi_put32(data, sizeof data - 4);
	scsi_put64(data + 8, lba);
	scsi_put32(data + 16, left > 0xFFFFFFFFu ? 0xFFFFFFFFu : (uint32_t)left);
	data[20] = SCSI_LBA_MAPPED;
	scsi_reply(request, data, sizeof data, allocation);
}

void scsi_disk_service_action_in(struct scsi_request *request)
{
	switch (request->cdb[1] & SCSI_SERVICE_MASK) {
	case SCSI_SERVICE_READ_CAPACITY_16:
		read_capacity_16(request);
		return;
	case SCSI_SERVICE_GET_LBA_STATUS:
		get_lba_status(request);
		return;
	default:
		scsi_illegal_cdb(request, 1);
	}
}

/* ---- mode pages ---------------------------------------------------------------------------- */

static bool is_ten_byte_form(const struct scsi_request *request)
{
	return request->cdb[0] == SCSI_OP_MODE_SENSE_10 ||
	       request->cdb[0] == SCSI_OP_MODE_SELECT_10;
}

static uint8_t caching_flags(const struct scsi_device *device)
{
	return device->store->has_write_cache ? SCSI_MODE_CACHING_WCE : 0;
}

void scsi_disk_mode_sense(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	const uint8_t *cdb = request->cdb;
	const bool is_ten = is_ten_byte_form(request);
	const unsigned header = is_ten ? SCSI_MODE_HEADER10_BYTES : SCSI_MODE_HEADER6_BYTES;
	const unsigned allocation = is_ten ? scsi_get16(cdb + 7) : cdb[4];
	const uint8_t page = cdb[2] & SCSI_MODE_PAGE_MASK;
	const unsigned control = cdb[2] >> SCSI_MODE_CONTROL_SHIFT;

	if (allocation == 0) {
		scsi_good(request, 0);
		return;
	}
	if (allocation > request->data_bytes || allocation < header) {
		scsi_illegal_cdb(request, is_ten ? 7 : 4);
		return;
	}
	if ((page != SCSI_MODE_CACHING && page != SCSI_MODE_ALL) || control == SCSI_MODE_SAVED) {
		scsi_illegal_cdb(request, 2);
		return;
	}
	uint8_t data[SCSI_MODE_HEADER10_BYTES + SCSI_MODE_CACHING_BYTES] = {0};
	const unsigned bytes = header + SCSI_MODE_CACHING_BYTES;
	const uint8_t specific = SCSI_MODE_DPOFUA |
				 (device->is_read_only ? SCSI_MODE_WRITE_PROTECT : 0);
	if (is_ten) {
		scsi_put16(data, (uint16_t)(bytes - 2));
		data[3] = specific;
	} else {
		data[0] = (uint8_t)(bytes - 1);
		data[2] = specific;
	}
	data[header] = SCSI_MODE_CACHING;
	data[header + 1] = SCSI_MODE_CACHING_BYTES - 2;
	if (control != SCSI_MODE_CHANGEABLE)
		data[header + 2] = caching_flags(device);
	scsi_reply(request, data, bytes, allocation);
}

void scsi_disk_mode_select(struct scsi_request *request)
{
	const struct scsi_device *device = request->nexus->device;
	const uint8_t *cdb = request->cdb;
	const bool is_ten = is_ten_byte_form(request);
	const unsigned header = is_ten ? SCSI_MODE_HEADER10_BYTES : SCSI_MODE_HEADER6_BYTES;
	const unsigned length = is_ten ? scsi_get16(cdb + 7) : cdb[4];
	uint8_t list[SCSI_MODE_HEADER10_BYTES + 8 + SCSI_MODE_CACHING_BYTES];

	if (length == 0) {
		scsi_good(request, 0);
		return;
	}
	if (cdb[1] & SCSI_MODE_SELECT_SP) {
		scsi_illegal_cdb(request, 1);
		return;
	}
	if (length != request->data_bytes || length < header + SCSI_MODE_CACHING_BYTES) {
		scsi_illegal(request, SCSI_ASC_PARAMETER_LIST_LENGTH);
		return;
	}
	const size_t bytes = scsi_buffer_read(request, 0, list, sizeof list);
	const unsigned blocks = is_ten ? scsi_get16(list + 6) : list[3];
	if (blocks != 0 && blocks != 8) {
		scsi_illegal_parameter(request, is_ten ? 6 : 3);
		return;
	}
	const unsigned page = header + blocks;
	if (bytes < page + SCSI_MODE_CACHING_BYTES) {
		scsi_illegal(request, SCSI_ASC_PARAMETER_LIST_LENGTH);
		return;
	}
	if ((list[page] & SCSI_MODE_PAGE_MASK) != SCSI_MODE_CACHING) {
		scsi_illegal_parameter(request, page);
		return;
	}
	if (list[page + 1] < SCSI_MODE_CACHING_BYTES - 2) {
		scsi_illegal_parameter(request, page + 1);
		return;
	}
	if ((list[page + 2] & SCSI_MODE_CACHING_WCE) != caching_flags(device)) {
		scsi_illegal_parameter(request, page + 2);
		return;
	}
	scsi_good(request, length);
}

/* ---- unit ---------------------------------------------------------------------------------- */

void scsi_disk_start_stop(struct scsi_request *request)
{
	if (request->cdb[1] & SCSI_START_IMMED)
		scsi_illegal_cdb(request, 1);
	else if (request->cdb[4] & SCSI_START_LOEJ)
		scsi_illegal(request, SCSI_ASC_INVALID_OPCODE);
	else if (request->cdb[4] & SCSI_START_START)
		scsi_good(request, 0);
	else
		scsi_block_synchronize_cache(request);
}

void scsi_disk_send_diagnostic(struct scsi_request *request)
{
	/* Only the default self-test, which has nothing to do: byte 1 is self-test code (7-5),
	 * PF (4), SELFTEST (2), DEVOFFL (1), UNITOFFL (0). */
	if (request->cdb[1] & 0xF0u)
		scsi_illegal_cdb(request, 1);
	else if (scsi_get16(request->cdb + 3) != 0)
		scsi_illegal_cdb(request, 3);
	else
		scsi_good(request, 0);
}
