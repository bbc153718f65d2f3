// SPDX-License-Identifier: Apache-2.0
/*
 * CDBs, replies and judgement for the storage client. See storage_vsc_scsi.h.
 */
#include "guest/vsc/storage_vsc_scsi.h"

#include "protocol/errors.h"

#include <string.h>

/* ---- commands ----------------------------------------------------------- */

uint8_t storage_cdb_flush(uint8_t *cdb)
{
	cdb[0] = SCSI_OP_SYNCHRONIZE_CACHE_10;
	return 10;
}

uint8_t storage_cdb_unmap(uint8_t *cdb, uint16_t bytes)
{
	cdb[0] = SCSI_OP_UNMAP;
	scsi_put16(cdb + 7, bytes);
	return 10;
}

uint8_t storage_cdb_write_same(uint8_t *cdb, bool may_unmap, uint64_t lba, uint32_t blocks)
{
	scsi_block_cdb16_put(
		cdb, SCSI_OP_WRITE_SAME_16, may_unmap ? SCSI_WRITE_SAME_UNMAP : 0, lba, blocks);
	return 16;
}

uint8_t storage_cdb_test_unit_ready(uint8_t *cdb)
{
	cdb[0] = SCSI_OP_TEST_UNIT_READY;
	return 6;
}

uint8_t storage_cdb_inquiry(uint8_t *cdb, uint16_t bytes)
{
	cdb[0] = SCSI_OP_INQUIRY;
	scsi_put16(cdb + 3, bytes);
	return 6;
}

uint8_t storage_cdb_vpd(uint8_t *cdb, uint8_t page, uint16_t bytes)
{
	cdb[0] = SCSI_OP_INQUIRY;
	cdb[1] = SCSI_INQUIRY_EVPD;
	cdb[2] = page;
	scsi_put16(cdb + 3, bytes);
	return 6;
}

uint8_t storage_cdb_report_luns(uint8_t *cdb, uint32_t bytes)
{
	cdb[0] = SCSI_OP_REPORT_LUNS;
	scsi_put32(cdb + 6, bytes);
	return 12;
}

uint8_t storage_cdb_capacity10(uint8_t *cdb)
{
	cdb[0] = SCSI_OP_READ_CAPACITY_10;
	return 10;
}

uint8_t storage_cdb_capacity16(uint8_t *cdb, uint32_t bytes)
{
	cdb[0] = SCSI_OP_SERVICE_ACTION_IN_16;
	cdb[1] = SCSI_SERVICE_READ_CAPACITY_16;
	scsi_put32(cdb + 10, bytes);
	return 16;
}

uint8_t storage_cdb_mode_sense6(uint8_t *cdb, uint8_t bytes)
{
	cdb[0] = SCSI_OP_MODE_SENSE_6;
	cdb[2] = SCSI_MODE_ALL;
	cdb[4] = bytes;
	return 6;
}

uint8_t storage_cdb_mode_sense10(uint8_t *cdb, uint16_t bytes)
{
	cdb[0] = SCSI_OP_MODE_SENSE_10;
	cdb[1] = SCSI_MODE_SENSE_DBD;
	cdb[2] = SCSI_MODE_ALL;
	scsi_put16(cdb + 7, bytes);
	return 10;
}

void storage_unmap_list_put(uint8_t list[STORAGE_UNMAP_LIST_BYTES], uint64_t lba, uint32_t blocks)
{
	memset(list, 0, STORAGE_UNMAP_LIST_BYTES);
	scsi_put16(list, STORAGE_UNMAP_LIST_BYTES - 2);
	scsi_put16(list + 2, STORAGE_UNMAP_LIST_BYTES - sizeof(struct scsi_unmap_header_wire));
	scsi_put64(list + 8, lba);
	scsi_put32(list + 16, blocks);
}

/* ---- replies ------------------------------------------------------------ */

/* Copy text of the device: printable ASCII, the rest as '?', blanks at both ends cut. */
static void text_copy(char *out, size_t out_bytes, const uint8_t *text, size_t bytes)
{
	while (bytes > 0 && (text[0] == ' ' || text[0] == 0)) {
		text++;
		bytes--;
	}
	while (bytes > 0 && (text[bytes - 1] == ' ' || text[bytes - 1] == 0))
		bytes--;
	if (bytes > out_bytes - 1)
		bytes = out_bytes - 1;
	for (size_t i = 0; i < bytes; i++)
		out[i] = text[i] >= 0x20 && text[i] < 0x7F ? (char)text[i] : '?';
	out[bytes] = '\0';
}

bool storage_inquiry_read(struct storage_properties *p, const uint8_t *data, size_t bytes)
{
	struct scsi_inquiry_wire inquiry;
	if (bytes < 5)
		return false;
	memset(&inquiry, 0, sizeof inquiry);
	memcpy(&inquiry, data, bytes < sizeof inquiry ? bytes : sizeof inquiry);
	p->type = inquiry.peripheral & SCSI_TYPE_MASK;
	p->version = inquiry.version;
	p->is_removable = (inquiry.removable & SCSI_INQUIRY_REMOVABLE) != 0;
	p->is_tagged = (inquiry.flags7 & SCSI_INQUIRY_CMDQUE) != 0;
	text_copy(p->vendor, sizeof p->vendor, inquiry.vendor, sizeof inquiry.vendor);
	text_copy(p->product, sizeof p->product, inquiry.product, sizeof inquiry.product);
	text_copy(p->revision, sizeof p->revision, inquiry.revision, sizeof inquiry.revision);
	if (p->type == SCSI_TYPE_DVD)
		p->is_read_only = true;
	return true;
}

/* Body of the VPD page `page`, or NULL. *body_bytes never goes past the reply. */
static const uint8_t *vpd_body(const uint8_t *data, size_t bytes, uint8_t page, size_t *body_bytes)
{
	if (bytes < sizeof(struct scsi_vpd_header_wire) || data[1] != page)
		return NULL;
	const size_t said = scsi_get16(data + 2);
	const size_t there = bytes - sizeof(struct scsi_vpd_header_wire);
	*body_bytes = said < there ? said : there;
	return data + sizeof(struct scsi_vpd_header_wire);
}

bool storage_vpd_list_read(struct storage_properties *p, const uint8_t *data, size_t bytes)
{
	static const struct {
		uint8_t page;
		uint8_t flag;
	} known[] = {
		{SCSI_VPD_SERIAL, STORAGE_VPD_SERIAL},
		{SCSI_VPD_IDENTIFICATION, STORAGE_VPD_IDENTIFICATION},
		{SCSI_VPD_BLOCK_LIMITS, STORAGE_VPD_LIMITS},
		{SCSI_VPD_BLOCK_CHARACTERISTICS, STORAGE_VPD_CHARACTERISTICS},
		{SCSI_VPD_PROVISIONING, STORAGE_VPD_PROVISIONING},
	};
	size_t count;
	const uint8_t *body = vpd_body(data, bytes, SCSI_VPD_SUPPORTED, &count);
	if (body == NULL)
		return false;
	uint8_t pages = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
			if (body[i] == known[k].page)
				pages |= known[k].flag;
	p->vpd_pages = pages;
	return true;
}

bool storage_vpd_serial_read(struct storage_properties *p, const uint8_t *data, size_t bytes)
{
	size_t length;
	const uint8_t *body = vpd_body(data, bytes, SCSI_VPD_SERIAL, &length);
	if (body == NULL)
		return false;
	text_copy(p->serial, sizeof p->serial, body, length);
	return true;
}

bool storage_vpd_id_read(struct storage_properties *p, const uint8_t *data, size_t bytes)
{
	const size_t header_bytes = sizeof(struct scsi_designator_wire);
	size_t left;
	const uint8_t *at = vpd_body(data, bytes, SCSI_VPD_IDENTIFICATION, &left);
	if (at == NULL)
		return false;
	bool has_found = false;
	while (left >= header_bytes && at[3] <= left - header_bytes) {
		const uint8_t length = at[3];
		const unsigned type = at[1] & 0x0Fu;
		const bool is_of_unit = (at[1] & 0x30u) == 0;
		if (is_of_unit && length > 0 && length <= STORAGE_ID_BYTES &&
			(type == SCSI_DESIGNATOR_NAA ||
				(type == SCSI_DESIGNATOR_T10 && !has_found))) {
			memset(p->id, 0, sizeof p->id);
			memcpy(p->id, at + header_bytes, length);
			p->id_bytes = length;
			has_found = true;
			if (type == SCSI_DESIGNATOR_NAA)
				break;
		}
		at += header_bytes + length;
		left -= header_bytes + length;
	}
	return has_found;
}

bool storage_vpd_limits_read(struct storage_properties *p, const uint8_t *data, size_t bytes)
{
	struct scsi_vpd_block_limits_wire limits;
	size_t length;
	if (vpd_body(data, bytes, SCSI_VPD_BLOCK_LIMITS, &length) == NULL)
		return false;
	memset(&limits, 0, sizeof limits);
	const size_t whole = length + sizeof(struct scsi_vpd_header_wire);
	memcpy(&limits, data, whole < sizeof limits ? whole : sizeof limits);
	/* UNMAP needs both a block count and at least one descriptor. */
	p->unmap_blocks_max =
		scsi_get32(limits.unmap_descriptors_max) > 0 ? scsi_get32(limits.unmap_lba_max) : 0;
	p->write_same_blocks_max = scsi_get64(limits.write_same_max);
	return true;
}

bool storage_vpd_characteristics_read(
	struct storage_properties *p, const uint8_t *data, size_t bytes)
{
	size_t length;
	(void)p;
	return vpd_body(data, bytes, SCSI_VPD_BLOCK_CHARACTERISTICS, &length) != NULL &&
	       length >= 2;
}

bool storage_vpd_provisioning_read(struct storage_properties *p, const uint8_t *data, size_t bytes)
{
	size_t length;
	const uint8_t *body = vpd_body(data, bytes, SCSI_VPD_PROVISIONING, &length);
	if (body == NULL || length < 2)
		return false;
	p->can_unmap = (body[1] & SCSI_LBPU) != 0;
	p->can_unmap_same = (body[1] & SCSI_LBPWS) != 0;
	if (body[1] & SCSI_LBPRZ)
		p->unmapped_is_zero = true;
	return true;
}

/* A size that this client can work with, or no medium at all. */
static bool size_set(struct storage_properties *p, uint64_t last_lba, uint32_t block_bytes)
{
	const bool is_power = (block_bytes & (block_bytes - 1)) == 0;
	if (block_bytes < STORAGE_BLOCK_BYTES_MIN || block_bytes > STORAGE_BLOCK_BYTES_MAX ||
		!is_power)
		return false;
	if (last_lba >= (uint64_t)INT64_MAX / block_bytes)
		return false;
	p->blocks = last_lba + 1;
	p->block_bytes = block_bytes;
	p->physical_bytes = block_bytes;
	p->has_medium = true;
	return true;
}

bool storage_capacity10_read(struct storage_properties *p, const uint8_t *data, size_t bytes)
{
	if (bytes < sizeof(struct scsi_capacity10_wire))
		return false;
	const uint32_t last_lba = scsi_get32(data);
	if (last_lba == UINT32_MAX)
		return false;
	return size_set(p, last_lba, scsi_get32(data + 4));
}

bool storage_capacity16_read(struct storage_properties *p, const uint8_t *data, size_t bytes)
{
	struct scsi_capacity16_wire capacity;
	if (bytes < 12)
		return false;
	memset(&capacity, 0, sizeof capacity);
	memcpy(&capacity, data, bytes < sizeof capacity ? bytes : sizeof capacity);
	const uint32_t block_bytes = scsi_get32(capacity.block_bytes);
	if (!size_set(p, scsi_get64(capacity.last_lba), block_bytes))
		return false;
	const unsigned exponent = capacity.physical_exponent & 0x0Fu;
	if (((uint64_t)block_bytes << exponent) <= 0x100000u)
		p->physical_bytes = block_bytes << exponent;
	const unsigned provisioning = scsi_get16(capacity.provisioning);
	if ((provisioning & SCSI_CAPACITY_LBPME) && (provisioning & SCSI_CAPACITY_LBPRZ))
		p->unmapped_is_zero = true;
	return true;
}

/* Mode pages behind the header: look for the caching page. */
static void mode_pages_read(struct storage_properties *p, const uint8_t *at, size_t left)
{
	while (left >= 2) {
		const size_t length = (size_t)at[1] + 2;
		if (length > left)
			return;
		if ((at[0] & SCSI_MODE_PAGE_MASK) == SCSI_MODE_CACHING && length >= 3) {
			p->has_write_cache = (at[2] & SCSI_MODE_CACHING_WCE) != 0;
			return;
		}
		at += length;
		left -= length;
	}
}

/* `said`: bytes of mode data that the header announces, `skip`: up to the first page. */
static bool mode_read(struct storage_properties *p, const uint8_t *data, size_t bytes, size_t said,
	size_t skip, uint8_t device_specific)
{
	p->is_read_only = (device_specific & SCSI_MODE_WRITE_PROTECT) != 0 ||
			  p->type == SCSI_TYPE_DVD;
	p->can_fua = (device_specific & SCSI_MODE_DPOFUA) != 0;
	if (said < bytes)
		bytes = said;
	if (skip < bytes)
		mode_pages_read(p, data + skip, bytes - skip);
	return true;
}

bool storage_mode6_read(struct storage_properties *p, const uint8_t *data, size_t bytes)
{
	if (bytes < SCSI_MODE_HEADER6_BYTES)
		return false;
	return mode_read(p, data, bytes, (size_t)data[0] + 1,
		SCSI_MODE_HEADER6_BYTES + (size_t)data[3], data[2]);
}

bool storage_mode10_read(struct storage_properties *p, const uint8_t *data, size_t bytes)
{
	if (bytes < SCSI_MODE_HEADER10_BYTES)
		return false;
	return mode_read(p, data, bytes, (size_t)scsi_get16(data) + 2,
		SCSI_MODE_HEADER10_BYTES + (size_t)scsi_get16(data + 6), data[3]);
}

bool storage_luns_read(uint64_t luns[4], const uint8_t *data, size_t bytes)
{
	memset(luns, 0, 4 * sizeof luns[0]);
	if (bytes < SCSI_REPORT_LUNS_HEADER_BYTES)
		return false;
	const size_t said = scsi_get32(data);
	size_t left = bytes - SCSI_REPORT_LUNS_HEADER_BYTES;
	if (said < left)
		left = said;
	const uint8_t *entry = data + SCSI_REPORT_LUNS_HEADER_BYTES;
	for (; left >= SCSI_REPORT_LUNS_ENTRY_BYTES; left -= SCSI_REPORT_LUNS_ENTRY_BYTES) {
		/* Peripheral or flat addressing of one level, LUN 0 to 255. */
		if ((entry[0] == 0 || entry[0] == 0x40) && scsi_get32(entry + 4) == 0 &&
			scsi_get16(entry + 2) == 0)
			luns[entry[1] / 64] |= (uint64_t)1 << (entry[1] % 64);
		entry += SCSI_REPORT_LUNS_ENTRY_BYTES;
	}
	return true;
}

/* ---- judgement ---------------------------------------------------------- */

struct storage_sense storage_sense_read(const uint8_t *sense, size_t bytes)
{
	struct storage_sense result = {.is_valid = false};
	struct scsi_sense decoded;
	if (!scsi_sense_get(sense, bytes, &decoded))
		return result;
	const unsigned code = sense[0] & 0x7Fu;
	result.is_valid = true;
	result.is_deferred = code == SCSI_SENSE_FIXED_DEFERRED ||
			     code == SCSI_SENSE_DESCRIPTOR_DEFERRED;
	result.key = decoded.key;
	result.asc = decoded.asc;
	return result;
}

static struct storage_judgement verdict(enum storage_verdict what, int error)
{
	return (struct storage_judgement){.verdict = what, .error = -error};
}

static struct storage_judgement illegal_judge(uint16_t asc)
{
	switch (asc) {
	case SCSI_ASC_INVALID_OPCODE:
		return verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_ENOTSUP);
	case SCSI_ASC_LUN_NOT_SUPPORTED: {
		struct storage_judgement gone = verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_ENODEV);
		gone.wants_rescan = true;
		return gone;
	}
	default:
		return verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_EINVAL);
	}
}

static struct storage_judgement attention_judge(uint16_t asc)
{
	struct storage_judgement again = verdict(STORAGE_VERDICT_RETRY, VIRIDIAN_EIO);
	/* Capacity, or anything about the target's operating conditions, has changed. */
	again.wants_rescan = asc == SCSI_ASC_CAPACITY_CHANGED || asc >> 8 == 0x3F ||
			     asc == SCSI_ASC_MEDIUM_MAY_HAVE_CHANGED;
	return again;
}

static struct storage_judgement sense_judge(const struct storage_sense *sense)
{
	if (sense->is_deferred)
		return verdict(STORAGE_VERDICT_RETRY, VIRIDIAN_EIO);
	switch (sense->key) {
	case SCSI_KEY_NO_SENSE:
	case SCSI_KEY_RECOVERED_ERROR:
		return verdict(STORAGE_VERDICT_DONE, 0);
	case SCSI_KEY_NOT_READY:
		if (sense->asc == SCSI_ASC(0x04, 0x01)) /* becoming ready */
			return verdict(STORAGE_VERDICT_RETRY_LATER, VIRIDIAN_EIO);
		if (sense->asc >> 8 == 0x3A) /* no medium */
			return verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_ENOENT);
		return verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_EIO);
	case SCSI_KEY_ILLEGAL_REQUEST:
		return illegal_judge(sense->asc);
	case SCSI_KEY_UNIT_ATTENTION:
		return attention_judge(sense->asc);
	case SCSI_KEY_DATA_PROTECT:
		return verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_EROFS);
	case SCSI_KEY_ABORTED_COMMAND:
		return verdict(STORAGE_VERDICT_RETRY, VIRIDIAN_EIO);
	default:
		return verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_EIO);
	}
}

/* Status codes that decide before any sense is looked at. */
static bool gone_judge(uint8_t srb, struct storage_judgement *judgement)
{
	switch (srb) {
	case STORAGE_SRB_INVALID_LUN:
	case STORAGE_SRB_INVALID_TARGET:
	case STORAGE_SRB_INVALID_PATH:
	case STORAGE_SRB_NO_DEVICE:
	case STORAGE_SRB_NO_HBA:
	case STORAGE_SRB_SELECTION_TIMEOUT:
		*judgement = verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_ENODEV);
		judgement->wants_rescan = true;
		return true;
	case STORAGE_SRB_PENDING:
		*judgement = verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_EPROTO);
		return true;
	default:
		return false;
	}
}

static struct storage_judgement srb_judge(uint8_t srb)
{
	switch (srb) {
	case STORAGE_SRB_SUCCESS:
	case STORAGE_SRB_DATA_OVERRUN: /* less, or more, than asked: the count says what moved */
		return verdict(STORAGE_VERDICT_DONE, 0);
	case STORAGE_SRB_BUSY:
		return verdict(STORAGE_VERDICT_RETRY_LATER, VIRIDIAN_EBUSY);
	case STORAGE_SRB_ABORTED:
	case STORAGE_SRB_BUS_RESET:
	case STORAGE_SRB_FLUSHED:
	case STORAGE_SRB_ERROR_RECOVERY:
	case STORAGE_SRB_PARITY_ERROR:
		return verdict(STORAGE_VERDICT_RETRY, VIRIDIAN_EIO);
	case STORAGE_SRB_TIMEOUT:
	case STORAGE_SRB_COMMAND_TIMEOUT:
		return verdict(STORAGE_VERDICT_RETRY_LATER, VIRIDIAN_ETIMEDOUT);
	case STORAGE_SRB_INVALID_REQUEST:
	case STORAGE_SRB_BAD_LENGTH:
	case STORAGE_SRB_BAD_FUNCTION:
		return verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_EINVAL);
	default:
		return verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_EIO);
	}
}

struct storage_judgement storage_judge(
	uint8_t srb_status, uint8_t scsi_status, const struct storage_sense *sense)
{
	const uint8_t srb = srb_status & STORAGE_SRB_STATUS_MASK;
	struct storage_judgement judgement;
	if (gone_judge(srb, &judgement))
		return judgement;
	if (sense->is_valid && sense->key != SCSI_KEY_NO_SENSE)
		return sense_judge(sense);
	switch (scsi_status) {
	case SCSI_STATUS_GOOD:
	case SCSI_STATUS_CONDITION_MET:
		return srb_judge(srb);
	case SCSI_STATUS_BUSY:
	case SCSI_STATUS_TASK_SET_FULL:
		return verdict(STORAGE_VERDICT_RETRY_LATER, VIRIDIAN_EBUSY);
	case SCSI_STATUS_RESERVATION_CONFLICT:
		return verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_EBUSY);
	case SCSI_STATUS_TASK_ABORTED:
		return verdict(STORAGE_VERDICT_RETRY, VIRIDIAN_EIO);
	default:
		/* CHECK CONDITION without sense, or a status that does not exist: no success. */
		judgement = srb_judge(srb);
		return judgement.verdict == STORAGE_VERDICT_DONE
			       ? verdict(STORAGE_VERDICT_FAIL, VIRIDIAN_EIO)
			       : judgement;
	}
}
