// SPDX-License-Identifier: Apache-2.0
/*
 * Persistent reservations: which nexuses have registered a key with a disk, and
 * which of them holds it. Kept in memory: a reservation ends with the worker, and
 * activation of persistence through power loss is refused.
 *
 * Sources: protocol/storage.md section 7 (R-STOR-043); T10 SPC-3 section 5.6.
 */
#include "host/vsp/scsi_internal.h"

#include <string.h>

#define PR_HEADER_BYTES	     8u
#define PR_FULL_STATUS_BYTES 24u

static bool type_is_all_registrants(uint8_t type)
{
	return type == SCSI_PR_WRITE_EXCLUSIVE_ALL || type == SCSI_PR_EXCLUSIVE_ACCESS_ALL;
}

static bool type_is_for_registrants(uint8_t type)
{
	return type >= SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS;
}

static bool type_is_valid(uint8_t type)
{
	return type == SCSI_PR_WRITE_EXCLUSIVE || type == SCSI_PR_EXCLUSIVE_ACCESS ||
	       (type >= SCSI_PR_WRITE_EXCLUSIVE_REGISTRANTS &&
		       type <= SCSI_PR_EXCLUSIVE_ACCESS_ALL);
}

static bool type_excludes_reads(uint8_t type)
{
	return type == SCSI_PR_EXCLUSIVE_ACCESS || type == SCSI_PR_EXCLUSIVE_ACCESS_REGISTRANTS ||
	       type == SCSI_PR_EXCLUSIVE_ACCESS_ALL;
}

static struct scsi_registration *registration_find(
	struct scsi_reservations *r, const struct scsi_nexus *nexus)
{
	for (unsigned i = 0; i < r->count; i++)
		if (r->registrations[i].nexus == nexus)
			return &r->registrations[i];
	return NULL;
}

static bool nexus_holds(const struct scsi_reservations *r, const struct scsi_registration *own)
{
	if (!own || r->type == 0)
		return false;
	return type_is_all_registrants(r->type) || r->holder == own->nexus;
}

bool scsi_reservation_conflicts(const struct scsi_nexus *nexus, enum scsi_access access)
{
	struct scsi_reservations *r = &nexus->device->reservations;
	if (access == SCSI_ACCESS_ANY || r->type == 0 || r->holder == nexus)
		return false;
	if (access == SCSI_ACCESS_READ && !type_excludes_reads(r->type))
		return false;
	return !(type_is_for_registrants(r->type) && registration_find(r, nexus));
}

static void reservation_set(
	struct scsi_device *device, uint8_t type, const struct scsi_nexus *holder)
{
	device->reservations.type = type;
	device->reservations.holder = type_is_all_registrants(type) ? NULL : holder;
	device->is_reserved = type != 0;
}

/* The reservation ends; other registrants hear of it if they relied on it. */
static void reservation_release(struct scsi_device *device, const struct scsi_nexus *by)
{
	struct scsi_reservations *r = &device->reservations;
	const bool is_shared = type_is_for_registrants(r->type);
	reservation_set(device, 0, NULL);
	for (unsigned i = 0; is_shared && i < r->count; i++)
		for (struct scsi_nexus *nexus = device->nexuses; nexus; nexus = nexus->next)
			if (nexus == r->registrations[i].nexus && nexus != by)
				scsi_nexus_raise(nexus, SCSI_ATTENTION_RELEASED);
}

static void registration_remove(struct scsi_device *device, struct scsi_registration *registration)
{
	struct scsi_reservations *r = &device->reservations;
	const struct scsi_nexus *nexus = registration->nexus;
	*registration = r->registrations[--r->count];
	if (r->type == 0)
		return;
	if (r->holder == nexus || (type_is_all_registrants(r->type) && r->count == 0))
		reservation_release(device, nexus);
}

void scsi_reservation_nexus_gone(struct scsi_nexus *nexus)
{
	struct scsi_registration *own = registration_find(&nexus->device->reservations, nexus);
	if (own)
		registration_remove(nexus->device, own);
}

/* ---- PERSISTENT RESERVE IN ----------------------------------------------------------------- */

#define PR_IN_BYTES_MAX (PR_HEADER_BYTES + SCSI_REGISTRATIONS_MAX * PR_FULL_STATUS_BYTES)

static size_t pr_keys(const struct scsi_device *device, uint8_t *body)
{
	const struct scsi_reservations *r = &device->reservations;
	for (unsigned i = 0; i < r->count; i++)
		scsi_put64(body + i * 8u, r->registrations[i].key);
	return r->count * 8u;
}

static size_t pr_reservation(const struct scsi_device *device, uint8_t *body)
{
	const struct scsi_reservations *r = &device->reservations;
	if (r->type == 0)
		return 0;
	memset(body, 0, 16);
	for (unsigned i = 0; i < r->count; i++)
		if (r->holder && r->registrations[i].nexus == r->holder)
			scsi_put64(body, r->registrations[i].key);
	body[13] = r->type; /* scope, in the high half: logical unit, 0 */
	return 16;
}

static size_t pr_full_status(const struct scsi_device *device, uint8_t *body)
{
	const struct scsi_reservations *r = &device->reservations;
	memset(body, 0, r->count * PR_FULL_STATUS_BYTES);
	for (unsigned i = 0; i < r->count; i++) {
		uint8_t *entry = body + i * PR_FULL_STATUS_BYTES;
		scsi_put64(entry, r->registrations[i].key);
		if (nexus_holds(r, &r->registrations[i])) {
			entry[12] = 1; /* holder */
			entry[13] = r->type;
		}
		scsi_put16(entry + 18, (uint16_t)r->registrations[i].nexus->port);
	}
	return r->count * PR_FULL_STATUS_BYTES;
}

void scsi_reserve_in(struct scsi_request *request)
{
	static const uint8_t capabilities[PR_HEADER_BYTES] = {
		0x00, 0x08, 0x00, 0x80, /* length; no ATP_C, no PTPL_C; type mask is valid */
		0xEA, 0x01, 0x00, 0x00, /* types 7, 6, 5, 3, 1; 8 */
	};
	const struct scsi_device *device = request->nexus->device;
	const uint16_t allocation = scsi_get16(request->cdb + 7);
	uint8_t data[PR_IN_BYTES_MAX];
	size_t bytes;

	if (allocation > request->data_bytes || allocation < PR_HEADER_BYTES) {
		scsi_illegal_cdb(request, 7);
		return;
	}
	switch (request->cdb[1] & SCSI_SERVICE_MASK) {
	case SCSI_PR_READ_KEYS:
		bytes = pr_keys(device, data + PR_HEADER_BYTES);
		break;
	case SCSI_PR_READ_RESERVATION:
		bytes = pr_reservation(device, data + PR_HEADER_BYTES);
		break;
	case SCSI_PR_REPORT_CAPABILITIES:
		scsi_reply(request, capabilities, sizeof capabilities, allocation);
		return;
	case SCSI_PR_READ_FULL_STATUS:
		bytes = pr_full_status(device, data + PR_HEADER_BYTES);
		break;
	default:
		scsi_illegal_cdb(request, 1);
		return;
	}
	scsi_put32(data, device->reservations.generation);
	scsi_put32(data + 4, (uint32_t)bytes);
	scsi_reply(request, data, PR_HEADER_BYTES + bytes, allocation);
}

/* ---- PERSISTENT RESERVE OUT ---------------------------------------------------------------- */

struct pr_out {
	struct scsi_registration *own; /* NULL: not registered */
	uint64_t key;
	uint64_t service_key;
	uint8_t type;
};

static void pr_conflict(struct scsi_request *request)
{
	scsi_finish(request, SCSI_STATUS_RESERVATION_CONFLICT, STORAGE_SRB_ERROR);
}

static void pr_done(struct scsi_request *request)
{
	scsi_good(request, sizeof(struct scsi_pr_out_wire));
}

static void pr_register(struct scsi_request *request, struct pr_out *out, bool ignores_key)
{
	struct scsi_device *device = request->nexus->device;
	struct scsi_reservations *r = &device->reservations;
	const uint64_t present = out->own ? out->own->key : 0;
	if (!ignores_key && out->key != present) {
		pr_conflict(request);
		return;
	}
	if (out->service_key == 0) {
		if (out->own)
			registration_remove(device, out->own);
	} else if (out->own) {
		out->own->key = out->service_key;
	} else {
		/* There are as many places as a device can have nexuses. */
		r->registrations[r->count++] = (struct scsi_registration){
			.nexus = request->nexus, .key = out->service_key};
	}
	r->generation++;
	pr_done(request);
}

static void pr_reserve(struct scsi_request *request, const struct pr_out *out)
{
	struct scsi_device *device = request->nexus->device;
	struct scsi_reservations *r = &device->reservations;
	if (!type_is_valid(out->type)) {
		scsi_illegal_cdb(request, 2);
		return;
	}
	if (r->type == 0) {
		reservation_set(device, out->type, request->nexus);
	} else if (!nexus_holds(r, out->own) || r->type != out->type) {
		pr_conflict(request);
		return;
	}
	pr_done(request);
}

static void pr_release(struct scsi_request *request, const struct pr_out *out)
{
	struct scsi_device *device = request->nexus->device;
	struct scsi_reservations *r = &device->reservations;
	if (nexus_holds(r, out->own)) {
		if (r->type != out->type) {
			scsi_illegal_cdb(request, 2);
			return;
		}
		reservation_release(device, request->nexus);
	}
	pr_done(request);
}

static void pr_clear(struct scsi_request *request)
{
	struct scsi_device *device = request->nexus->device;
	struct scsi_reservations *r = &device->reservations;
	for (struct scsi_nexus *nexus = device->nexuses; nexus; nexus = nexus->next)
		if (nexus != request->nexus && registration_find(r, nexus))
			scsi_nexus_raise(nexus, SCSI_ATTENTION_PREEMPTED);
	r->count = 0;
	r->generation++;
	reservation_set(device, 0, NULL);
	pr_done(request);
}

/* True if a registration is to go: its key matches, or everybody's but the caller's. */
static bool pr_is_preempted(const struct scsi_registration *registration,
	const struct scsi_nexus *by, uint64_t key, bool everybody)
{
	return registration->nexus != by && (everybody || registration->key == key);
}

/* Commands in flight of a preempted nexus are not aborted: they finish at once or soon. */
static void pr_preempt(struct scsi_request *request, const struct pr_out *out)
{
	struct scsi_device *device = request->nexus->device;
	struct scsi_reservations *r = &device->reservations;
	const bool everybody = out->service_key == 0 && type_is_all_registrants(r->type);
	if (out->service_key == 0 && !everybody) {
		scsi_illegal_parameter(request, 8);
		return;
	}
	const struct scsi_registration *holder = r->holder ? registration_find(r, r->holder) : NULL;
	const bool takes_over = r->type != 0 &&
				(everybody || (holder && holder->key == out->service_key));
	if (takes_over && !type_is_valid(out->type)) {
		scsi_illegal_cdb(request, 2);
		return;
	}
	bool has_any = takes_over;
	for (unsigned i = 0; i < r->count; i++)
		has_any |= r->registrations[i].key == out->service_key;
	if (!has_any) {
		pr_conflict(request);
		return;
	}
	if (takes_over)
		reservation_set(device, out->type, request->nexus);
	for (unsigned i = 0; i < r->count;) {
		struct scsi_registration *registration = &r->registrations[i];
		if (!pr_is_preempted(registration, request->nexus, out->service_key, everybody)) {
			i++;
			continue;
		}
		for (struct scsi_nexus *nexus = device->nexuses; nexus; nexus = nexus->next)
			if (nexus == registration->nexus)
				scsi_nexus_raise(nexus, SCSI_ATTENTION_UNREGISTERED);
		*registration = r->registrations[--r->count];
	}
	r->generation++;
	pr_done(request);
}

/* Read and check the parameter list. False: the request has ended. */
static bool pr_out_read(struct scsi_request *request, unsigned action, struct pr_out *out)
{
	struct scsi_pr_out_wire list;
	const bool needs_scope = action == SCSI_PR_RESERVE || action == SCSI_PR_RELEASE ||
				 action == SCSI_PR_PREEMPT || action == SCSI_PR_PREEMPT_ABORT;
	if (action >= SCSI_PR_REGISTER_MOVE) {
		scsi_illegal_cdb(request, 1);
		return false;
	}
	if (request->data_bytes < sizeof list) {
		scsi_illegal(request, SCSI_ASC_INVALID_FIELD_IN_CDB);
		return false;
	}
	if (scsi_get32(request->cdb + 5) != sizeof list) {
		scsi_illegal(request, SCSI_ASC_PARAMETER_LIST_LENGTH);
		return false;
	}
	if (needs_scope && request->cdb[2] >> 4 != 0) {
		scsi_illegal_cdb(request, 2);
		return false;
	}
	scsi_buffer_read(request, 0, &list, sizeof list);
	if (list.flags & (SCSI_PR_SPEC_I_PT | SCSI_PR_APTPL)) {
		scsi_illegal_parameter(request, offsetof(struct scsi_pr_out_wire, flags));
		return false;
	}
	out->own = registration_find(&request->nexus->device->reservations, request->nexus);
	out->key = scsi_get64(list.key);
	out->service_key = scsi_get64(list.service_key);
	out->type = request->cdb[2] & 0x0Fu;
	return true;
}

void scsi_reserve_out(struct scsi_request *request)
{
	const unsigned action = request->cdb[1] & SCSI_SERVICE_MASK;
	struct pr_out out;
	if (!pr_out_read(request, action, &out))
		return;
	const bool is_registering = action == SCSI_PR_REGISTER || action == SCSI_PR_REGISTER_IGNORE;
	if (!is_registering && (!out.own || out.own->key != out.key)) {
		pr_conflict(request);
		return;
	}
	switch (action) {
	case SCSI_PR_REGISTER:
	case SCSI_PR_REGISTER_IGNORE:
		pr_register(request, &out, action == SCSI_PR_REGISTER_IGNORE);
		return;
	case SCSI_PR_RESERVE:
		pr_reserve(request, &out);
		return;
	case SCSI_PR_RELEASE:
		pr_release(request, &out);
		return;
	case SCSI_PR_CLEAR:
		pr_clear(request);
		return;
	default:
		pr_preempt(request, &out);
		return;
	}
}
