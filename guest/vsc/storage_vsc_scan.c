// SPDX-License-Identifier: Apache-2.0
/*
 * Storage client: enumeration. Which logical units are there, and what are they?
 *
 *	for each path and target:  REPORT LUNS
 *	  for each LUN named:      INQUIRY, TEST UNIT READY, VPD pages, READ CAPACITY,
 *	                           MODE SENSE
 *	at the end:                LUNs that were not seen are gone
 *
 * One command is outstanding at a time, over memory of its own; a reply is copied
 * once and read from the copy. A device that fails in the middle keeps what was
 * known of it; one that says it is not there is removed. Notifications of the host
 * only make another scan due, at most one for each rescan_interval_ms, so that a
 * host that floods them costs nothing else.
 *
 * Sources: R-STOR-028, R-STOR-030, R-STOR-037, R-STOR-056, R-STOR-063.
 */
#include "guest/vsc/storage_vsc_internal.h"

#include <string.h>

enum scan_step {
	SCAN_LUNS, /* of a target; the others are about one LUN */
	SCAN_INQUIRY,
	SCAN_READY,
	SCAN_VPD_LIST,
	SCAN_VPD_SERIAL,
	SCAN_VPD_ID,
	SCAN_VPD_LIMITS,
	SCAN_VPD_CHARACTERISTICS,
	SCAN_VPD_PROVISIONING,
	SCAN_CAPACITY16,
	SCAN_CAPACITY10,
	SCAN_MODE6,
	SCAN_MODE10,
	SCAN_STEP_COUNT
};

#define VPD_BYTES 255u

/* ---- the steps ---------------------------------------------------------- */

static uint8_t luns_build(uint8_t *cdb, uint32_t bytes)
{
	return storage_cdb_report_luns(cdb, bytes);
}

static uint8_t inquiry_build(uint8_t *cdb, uint32_t bytes)
{
	return storage_cdb_inquiry(cdb, (uint16_t)bytes);
}

static uint8_t ready_build(uint8_t *cdb, uint32_t bytes)
{
	(void)bytes;
	return storage_cdb_test_unit_ready(cdb);
}

#define VPD_BUILD(function, page)                                                                  \
	static uint8_t function(uint8_t *cdb, uint32_t bytes)                                      \
	{                                                                                          \
		return storage_cdb_vpd(cdb, page, (uint16_t)bytes);                                \
	}
VPD_BUILD(vpd_list_build, SCSI_VPD_SUPPORTED)
VPD_BUILD(vpd_serial_build, SCSI_VPD_SERIAL)
VPD_BUILD(vpd_id_build, SCSI_VPD_IDENTIFICATION)
VPD_BUILD(vpd_limits_build, SCSI_VPD_BLOCK_LIMITS)
VPD_BUILD(vpd_characteristics_build, SCSI_VPD_BLOCK_CHARACTERISTICS)
VPD_BUILD(vpd_provisioning_build, SCSI_VPD_PROVISIONING)

static uint8_t capacity16_build(uint8_t *cdb, uint32_t bytes)
{
	return storage_cdb_capacity16(cdb, bytes);
}

static uint8_t capacity10_build(uint8_t *cdb, uint32_t bytes)
{
	(void)bytes;
	return storage_cdb_capacity10(cdb);
}

static uint8_t mode6_build(uint8_t *cdb, uint32_t bytes)
{
	return storage_cdb_mode_sense6(cdb, (uint8_t)bytes);
}

static uint8_t mode10_build(uint8_t *cdb, uint32_t bytes)
{
	return storage_cdb_mode_sense10(cdb, (uint16_t)bytes);
}

/* One step; `vpd` is the page that must be listed, 0 for none. */
struct scan_row {
	uint16_t bytes;
	uint8_t vpd;
	uint8_t (*build)(uint8_t *cdb, uint32_t bytes);
	bool (*read)(struct storage_properties *p, const uint8_t *data, size_t bytes);
};

static const struct scan_row rows[SCAN_STEP_COUNT] = {
	[SCAN_LUNS] = {STORAGE_LUNS_LIST_BYTES, 0, luns_build, NULL},
	[SCAN_INQUIRY] = {sizeof(struct scsi_inquiry_wire), 0, inquiry_build, storage_inquiry_read},
	[SCAN_READY] = {0, 0, ready_build, NULL},
	[SCAN_VPD_LIST] = {VPD_BYTES, 0, vpd_list_build, storage_vpd_list_read},
	[SCAN_VPD_SERIAL] = {VPD_BYTES, STORAGE_VPD_SERIAL, vpd_serial_build,
		storage_vpd_serial_read},
	[SCAN_VPD_ID] = {VPD_BYTES, STORAGE_VPD_IDENTIFICATION, vpd_id_build, storage_vpd_id_read},
	[SCAN_VPD_LIMITS] = {sizeof(struct scsi_vpd_block_limits_wire), STORAGE_VPD_LIMITS,
		vpd_limits_build, storage_vpd_limits_read},
	[SCAN_VPD_CHARACTERISTICS] = {sizeof(struct scsi_vpd_characteristics_wire),
		STORAGE_VPD_CHARACTERISTICS, vpd_characteristics_build,
		storage_vpd_characteristics_read},
	[SCAN_VPD_PROVISIONING] = {sizeof(struct scsi_vpd_provisioning_wire),
		STORAGE_VPD_PROVISIONING, vpd_provisioning_build, storage_vpd_provisioning_read},
	[SCAN_CAPACITY16] = {sizeof(struct scsi_capacity16_wire), 0, capacity16_build,
		storage_capacity16_read},
	[SCAN_CAPACITY10] = {sizeof(struct scsi_capacity10_wire), 0, capacity10_build,
		storage_capacity10_read},
	[SCAN_MODE6] = {192, 0, mode6_build, storage_mode6_read},
	[SCAN_MODE10] = {252, 0, mode10_build, storage_mode10_read},
};

static bool step_is_wanted(const struct storage_vsc_scan *scan, unsigned step)
{
	const struct storage_properties *p = &scan->candidate.properties;
	const bool is_disk = p->type == SCSI_TYPE_DISK;
	switch (step) {
	case SCAN_CAPACITY16:
		return is_disk && p->version >= SCSI_INQUIRY_SPC3 && !scan->is_no_medium;
	case SCAN_CAPACITY10:
		return !p->has_medium && !scan->is_no_medium;
	case SCAN_MODE6:
		return is_disk;
	case SCAN_MODE10:
		return is_disk && !scan->has_mode;
	default:
		return rows[step].vpd == 0 || (p->vpd_pages & rows[step].vpd) != 0;
	}
}

/* ---- driving ------------------------------------------------------------ */

static void scan_done(struct storage_vsc_request *request);
static void lun_identified(struct storage_vsc *vsc);
static void lun_next(struct storage_vsc *vsc);

static void scan_end(struct storage_vsc *vsc, int error)
{
	vsc->scan.is_running = false;
	vsc->scan.candidate.state = STORAGE_VSC_LUN_FREE;
	vsc->scan.candidate.needs_reset = false;
	if (vsc->scan.is_due)
		storage_vsc_due(vsc, vsc->scan.not_before);
	if (vsc->config.on_scan != NULL)
		vsc->config.on_scan(vsc->config.ctx, vsc, error);
}

static void step_send(struct storage_vsc *vsc)
{
	struct storage_vsc_scan *scan = &vsc->scan;
	struct storage_vsc_request *request = &scan->request;
	const struct scan_row *row = &rows[scan->step];
	memset(request, 0, sizeof *request);
	request->lun = &scan->candidate;
	request->op = STORAGE_VSC_SCSI;
	request->direction = STORAGE_DATA_IN;
	request->cdb_length = row->build(request->cdb, row->bytes);
	if (row->bytes > 0)
		request->data = storage_vsc_data_at(&vsc->config.scan_pages, 0, row->bytes);
	request->done = scan_done;
	request->ctx = vsc;
	const int error = storage_vsc_submit(vsc, request);
	if (error != 0)
		scan_end(vsc, error);
}

static void candidate_set(struct storage_vsc *vsc, uint8_t lun)
{
	struct storage_vsc_lun *candidate = &vsc->scan.candidate;
	memset(candidate, 0, sizeof *candidate);
	candidate->state = STORAGE_VSC_LUN_PRESENT;
	candidate->path = vsc->scan.path;
	candidate->target = vsc->scan.target;
	candidate->lun = lun;
	vsc->scan.is_no_medium = false;
	vsc->scan.has_mode = false;
	storage_vsc_templates_build(vsc, candidate);
}

static void target_send(struct storage_vsc *vsc)
{
	candidate_set(vsc, 0);
	vsc->scan.step = SCAN_LUNS;
	step_send(vsc);
}

static void scan_begin(struct storage_vsc *vsc)
{
	struct storage_vsc_scan *scan = &vsc->scan;
	scan->is_due = false;
	scan->is_running = true;
	scan->path = 0;
	scan->target = 0;
	scan->not_before = vsc->now + (uint64_t)vsc->config.rescan_interval_ms * STORAGE_VSC_MS;
	vsc->counters.scans++;
	for (uint32_t i = 0; i < vsc->config.lun_count; i++)
		vsc->config.luns[i].is_seen = false;
	target_send(vsc);
}

static bool is_in_range(const struct storage_vsc *vsc, const struct storage_vsc_lun *lun)
{
	return lun->path < vsc->config.path_count && lun->target < vsc->config.target_count;
}

static void scan_finish(struct storage_vsc *vsc)
{
	for (uint32_t i = 0; i < vsc->config.lun_count; i++) {
		struct storage_vsc_lun *lun = &vsc->config.luns[i];
		if (lun->state == STORAGE_VSC_LUN_PRESENT && !lun->is_seen && is_in_range(vsc, lun))
			storage_vsc_lun_remove(vsc, lun);
	}
	scan_end(vsc, 0);
}

static void target_next(struct storage_vsc *vsc)
{
	struct storage_vsc_scan *scan = &vsc->scan;
	if (++scan->target >= vsc->config.target_count) {
		scan->target = 0;
		scan->path++;
	}
	if (scan->path < vsc->config.path_count)
		target_send(vsc);
	else
		scan_finish(vsc);
}

/* Go on with the next step of this LUN that is wanted, or with what was learned. */
static void step_next(struct storage_vsc *vsc)
{
	struct storage_vsc_scan *scan = &vsc->scan;
	do {
		scan->step++;
	} while (scan->step < SCAN_STEP_COUNT && !step_is_wanted(scan, scan->step));
	if (scan->step < SCAN_STEP_COUNT)
		step_send(vsc);
	else
		lun_identified(vsc);
}

static void lun_next(struct storage_vsc *vsc)
{
	struct storage_vsc_scan *scan = &vsc->scan;
	for (unsigned word = 0; word < 4; word++) {
		if (scan->luns[word] == 0)
			continue;
		const unsigned bit = (unsigned)__builtin_ctzll(scan->luns[word]);
		scan->luns[word] &= scan->luns[word] - 1;
		candidate_set(vsc, (uint8_t)(word * 64 + bit));
		scan->step = SCAN_INQUIRY;
		step_send(vsc);
		return;
	}
	target_next(vsc);
}

/* ---- what was learned --------------------------------------------------- */

static bool is_same_device(const struct storage_properties *a, const struct storage_properties *b)
{
	return a->type == b->type && a->id_bytes == b->id_bytes &&
	       memcmp(a->id, b->id, sizeof a->id) == 0 &&
	       memcmp(a->serial, b->serial, sizeof a->serial) == 0 &&
	       /* A disk whose blocks change size is another disk; a drive gets another medium. */
	       (a->block_bytes == b->block_bytes || a->type == SCSI_TYPE_DVD);
}

static bool is_same_state(const struct storage_properties *a, const struct storage_properties *b)
{
	return a->blocks == b->blocks && a->block_bytes == b->block_bytes &&
	       a->physical_bytes == b->physical_bytes && a->has_medium == b->has_medium &&
	       a->is_read_only == b->is_read_only && a->has_write_cache == b->has_write_cache &&
	       a->can_fua == b->can_fua && a->can_unmap == b->can_unmap &&
	       a->can_unmap_same == b->can_unmap_same &&
	       a->unmapped_is_zero == b->unmapped_is_zero && a->is_tagged == b->is_tagged &&
	       a->unmap_blocks_max == b->unmap_blocks_max &&
	       a->write_same_blocks_max == b->write_same_blocks_max;
}

static void event_tell(
	struct storage_vsc *vsc, enum storage_vsc_event event, struct storage_vsc_lun *lun)
{
	if (vsc->config.on_lun != NULL)
		vsc->config.on_lun(vsc->config.ctx, vsc, event, lun);
}

static void lun_add(struct storage_vsc *vsc, const struct storage_vsc_lun *candidate)
{
	struct storage_vsc_lun *lun = storage_vsc_lun_new(vsc);
	if (lun == NULL) {
		vsc->counters.luns_ignored++;
		return;
	}
	memset(lun, 0, sizeof *lun);
	lun->state = STORAGE_VSC_LUN_PRESENT;
	lun->path = candidate->path;
	lun->target = candidate->target;
	lun->lun = candidate->lun;
	lun->properties = candidate->properties;
	lun->is_seen = true;
	storage_vsc_templates_build(vsc, lun);
	event_tell(vsc, STORAGE_VSC_LUN_ADDED, lun);
}

static void lun_apply(struct storage_vsc *vsc)
{
	const struct storage_vsc_lun *candidate = &vsc->scan.candidate;
	struct storage_vsc_lun *known = storage_vsc_lun_find(
		vsc, candidate->path, candidate->target, candidate->lun);
	if (known != NULL && !is_same_device(&known->properties, &candidate->properties)) {
		storage_vsc_lun_remove(vsc, known);
		known = NULL;
	}
	if (known == NULL) {
		lun_add(vsc, candidate);
		return;
	}
	known->is_seen = true;
	if (is_same_state(&known->properties, &candidate->properties))
		return;
	known->properties = candidate->properties;
	storage_vsc_templates_build(vsc, known);
	event_tell(vsc, STORAGE_VSC_LUN_CHANGED, known);
}

/* Nothing new is known of this LUN: what was known stays. */
static void lun_keep(struct storage_vsc *vsc)
{
	const struct storage_vsc_lun *candidate = &vsc->scan.candidate;
	struct storage_vsc_lun *known = storage_vsc_lun_find(
		vsc, candidate->path, candidate->target, candidate->lun);
	if (known != NULL)
		known->is_seen = true;
	else
		vsc->counters.luns_ignored++;
}

static void lun_identified(struct storage_vsc *vsc)
{
	const struct storage_properties *p = &vsc->scan.candidate.properties;
	if (p->has_medium || p->is_removable)
		lun_apply(vsc);
	else
		lun_keep(vsc);
	lun_next(vsc);
}

/* ---- replies ------------------------------------------------------------ */

/* LUNs known on this target, and LUN 0: for targets that do not know REPORT LUNS. */
static void luns_guess(struct storage_vsc *vsc)
{
	struct storage_vsc_scan *scan = &vsc->scan;
	memset(scan->luns, 0, sizeof scan->luns);
	scan->luns[0] = 1;
	for (uint32_t i = 0; i < vsc->config.lun_count; i++) {
		const struct storage_vsc_lun *lun = &vsc->config.luns[i];
		if (lun->state == STORAGE_VSC_LUN_PRESENT && lun->path == scan->path &&
			lun->target == scan->target)
			scan->luns[lun->lun / 64] |= (uint64_t)1 << (lun->lun % 64);
	}
}

/* The target did not answer sensibly: its LUNs stay as they are. */
static void target_keep(struct storage_vsc *vsc)
{
	for (uint32_t i = 0; i < vsc->config.lun_count; i++) {
		struct storage_vsc_lun *lun = &vsc->config.luns[i];
		if (lun->state == STORAGE_VSC_LUN_PRESENT && lun->path == vsc->scan.path &&
			lun->target == vsc->scan.target)
			lun->is_seen = true;
	}
}

static void luns_answered(struct storage_vsc *vsc, int result, size_t bytes)
{
	struct storage_vsc_scan *scan = &vsc->scan;
	memset(scan->luns, 0, sizeof scan->luns);
	if (result == -VIRIDIAN_ENOTSUP || result == -VIRIDIAN_EINVAL)
		luns_guess(vsc);
	else if (result != -VIRIDIAN_ENODEV &&
		 (result != 0 || !storage_luns_read(scan->luns, scan->copy, bytes)))
		target_keep(vsc);
	scan->luns[STORAGE_LUNS_MAX / 64] &= ~((uint64_t)1 << (STORAGE_LUNS_MAX % 64));
	lun_next(vsc);
}

static void inquiry_answered(struct storage_vsc *vsc, int result, size_t bytes)
{
	struct storage_vsc_scan *scan = &vsc->scan;
	struct storage_vsc_lun *candidate = &scan->candidate;
	if (result == -VIRIDIAN_ENODEV ||
		(result == 0 && bytes > 0 && storage_inquiry_is_absent(scan->copy[0]))) {
		lun_next(vsc); /* not seen */
		return;
	}
	if (result != 0 || !storage_inquiry_read(&candidate->properties, scan->copy, bytes)) {
		lun_keep(vsc);
		lun_next(vsc);
		return;
	}
	if (candidate->properties.type != SCSI_TYPE_DISK &&
		candidate->properties.type != SCSI_TYPE_DVD) {
		vsc->counters.luns_ignored++;
		lun_next(vsc);
		return;
	}
	storage_vsc_templates_build(vsc, candidate); /* tagged from now on, if it says so */
	step_next(vsc);
}

static void step_answered(struct storage_vsc *vsc, int result, size_t bytes)
{
	struct storage_vsc_scan *scan = &vsc->scan;
	const struct scan_row *row = &rows[scan->step];
	if (result == -VIRIDIAN_ENODEV) {
		lun_next(vsc); /* it went away under our hands */
		return;
	}
	if (scan->step == SCAN_READY)
		scan->is_no_medium = result == -VIRIDIAN_ENOENT;
	else if (result == 0 && row->read(&scan->candidate.properties, scan->copy, bytes) &&
		 scan->step >= SCAN_MODE6)
		scan->has_mode = true;
	step_next(vsc);
}

static void scan_done(struct storage_vsc_request *request)
{
	struct storage_vsc *vsc = request->ctx;
	struct storage_vsc_scan *scan = &vsc->scan;
	if (request->is_memory_lost)
		scan->is_broken = true;
	if (vsc->state != STORAGE_VSC_READY || scan->is_broken) {
		scan_end(vsc, request->result != 0 ? request->result : -VIRIDIAN_ECANCELED);
		return;
	}
	size_t bytes = request->transferred;
	if (bytes > sizeof scan->copy)
		bytes = sizeof scan->copy;
	packet_copy_in(scan->copy, vsc->config.scan_pages.va, bytes);
	if (scan->step == SCAN_LUNS)
		luns_answered(vsc, request->result, bytes);
	else if (scan->step == SCAN_INQUIRY)
		inquiry_answered(vsc, request->result, bytes);
	else
		step_answered(vsc, request->result, bytes);
}

/* ---- entry points ------------------------------------------------------- */

void storage_vsc_scan_want(struct storage_vsc *vsc)
{
	vsc->scan.is_due = true;
	storage_vsc_due(vsc, vsc->scan.not_before);
}

void storage_vsc_scan_tick(struct storage_vsc *vsc)
{
	struct storage_vsc_scan *scan = &vsc->scan;
	if (!scan->is_due || scan->is_running || scan->is_broken || vsc->state != STORAGE_VSC_READY)
		return;
	if (vsc->now >= scan->not_before)
		scan_begin(vsc);
	else
		storage_vsc_due(vsc, scan->not_before);
}

void storage_vsc_scan_stop(struct storage_vsc *vsc)
{
	if (vsc->scan.is_running)
		scan_end(vsc, -VIRIDIAN_ECANCELED);
	vsc->scan.is_due = false;
}

int storage_vsc_rescan(struct storage_vsc *vsc)
{
	if (vsc->state != STORAGE_VSC_READY || vsc->scan.is_broken)
		return -VIRIDIAN_ENODEV;
	vsc->scan.is_due = true;
	if (!vsc->scan.is_running)
		scan_begin(vsc);
	storage_vsc_flush(vsc);
	return 0;
}
