// SPDX-License-Identifier: Apache-2.0
/*
 * The storage protocol machine. See storage_vsp.h; the rules are in
 * protocol/storage.md. LUNs are kept in storage_vsp_luns.c.
 */
#include "host/vsp/storage_vsp_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096u

const char *storage_state_name(enum storage_state state)
{
	static const char *const names[STORAGE_STATE_COUNT] = {
		[STORAGE_STATE_BEGIN] = "begin",
		[STORAGE_STATE_QUERY_VERSION] = "query version",
		[STORAGE_STATE_QUERY_PROPERTIES] = "query properties",
		[STORAGE_STATE_END_INITIALIZATION] = "end initialization",
		[STORAGE_STATE_READY] = "ready",
	};
	return state < STORAGE_STATE_COUNT ? names[state] : "unknown";
}

const char *storage_reject_text(enum storage_reject reason)
{
	static const char *const texts[STORAGE_REJECT_COUNT] = {
#define STORAGE_REJECT_TEXT(name, text) [STORAGE_REJECT_##name] = text,
		STORAGE_REJECTS(STORAGE_REJECT_TEXT)
#undef STORAGE_REJECT_TEXT
	};
	return reason < STORAGE_REJECT_COUNT ? texts[reason] : "unknown";
}

static void reject(struct storage_request *request, enum storage_reject reason)
{
	request->channel->vsp->statistics.rejects[reason]++;
}

/* ---- the pool ------------------------------------------------------------------------------ */

bool storage_channel_can_take(const struct storage_channel *channel)
{
	const struct storage_vsp *vsp = channel->vsp;
	return channel->is_open && !channel->is_closing &&
	       (channel->free || channel->fresh < vsp->config.requests) &&
	       (channel->index == 0 || vsp->state == STORAGE_STATE_READY);
}

static struct storage_request *request_at(const struct storage_channel *channel, unsigned i)
{
	return (struct storage_request *)(void *)(channel->requests +
						  (size_t)i * channel->vsp->request_bytes);
}

struct storage_request *storage_request_begin(struct storage_channel *channel)
{
	if (!storage_channel_can_take(channel))
		return NULL;
	struct storage_request *request = channel->free;
	if (request) {
		channel->free = request->next_free;
	} else {
		request = request_at(channel, channel->fresh++);
		request->channel = channel;
	}
	request->is_active = true;
	request->lun = NULL;
	request->data = STORAGE_DATA_ABSENT;
	request->iov_count = 0;
	request->iov_bytes = 0;
	channel->outstanding++;
	return request;
}

static void request_end(struct storage_request *request)
{
	struct storage_channel *channel = request->channel;
	request->is_active = false;
	request->next_free = channel->free;
	channel->free = request;
	channel->outstanding--;
}

static void channel_idle(struct storage_channel *channel)
{
	channel->is_closing = false;
	channel->vsp->ops->idle(channel->ctx);
}

/* Send the reply, give the request back, and say so if a closing channel is now idle. */
static void request_reply(struct storage_request *request, const void *reply, size_t bytes)
{
	struct storage_channel *channel = request->channel;
	const uint64_t transaction_id = request->transaction_id;
	if (bytes > request->reply_bytes)
		bytes = request->reply_bytes;
	request_end(request);
	if (__builtin_expect(!channel->is_closing, 1))
		channel->vsp->ops->complete(channel->ctx, transaction_id, reply, bytes);
	else if (channel->outstanding == 0)
		channel_idle(channel);
}

void storage_request_reject(struct storage_request *request, enum storage_reject reason)
{
	reject(request, reason);
	request_end(request);
}

/* ---- control operations -------------------------------------------------------------------- */

struct control {
	struct storage_request *request;
	size_t bytes; /* of the guest's payload, header included, at most 64 */
	uint8_t packet[STORAGE_PACKET_BYTES_MAX]; /* private copy, zero padded */
};

/* Complete with a status and up to 52 bytes behind the header. */
static void control_reply(
	const struct control *control, uint32_t status, const void *body, size_t body_bytes)
{
	uint8_t reply[STORAGE_PACKET_BYTES_MAX] = {0};
	const struct storage_header_wire header = {
		.operation = STORAGE_OP_COMPLETE_IO, .status = status};
	memcpy(reply, &header, sizeof header);
	if (body_bytes)
		memcpy(reply + sizeof header, body, body_bytes);
	request_reply(control->request, reply, sizeof reply);
}

static void control_status(const struct control *control, uint32_t status)
{
	control_reply(control, status, NULL, 0);
}

static struct storage_vsp *control_vsp(const struct control *control)
{
	return control->request->channel->vsp;
}

static void on_begin(const struct control *control)
{
	control_vsp(control)->state = STORAGE_STATE_QUERY_VERSION;
	control_status(control, STORAGE_STATUS_SUCCESS);
}

static void on_query_version(const struct control *control)
{
	struct storage_vsp *vsp = control_vsp(control);
	struct storage_version_wire asked;
	memcpy(&asked, control->packet + STORAGE_HEADER_BYTES, sizeof asked);
	const struct storage_version *version = storage_version_find(asked.major_minor);
	const struct storage_version_wire reply = {.major_minor = asked.major_minor};
	if (!version || (vsp->config.version_max && version->version > vsp->config.version_max)) {
		reject(control->request, STORAGE_REJECT_VERSION);
		control_reply(control, STORAGE_STATUS_REVISION_MISMATCH, &reply, sizeof reply);
		return;
	}
	vsp->version = version;
	vsp->state = STORAGE_STATE_QUERY_PROPERTIES;
	control_reply(control, STORAGE_STATUS_SUCCESS, &reply, sizeof reply);
}

static bool has_multi_channel(const struct storage_vsp *vsp)
{
	return vsp->config.max_sub_channels != 0 && vsp->version &&
	       (vsp->version->features & STORAGE_FEATURE_MULTI_CHANNEL);
}

static void on_query_properties(const struct control *control)
{
	struct storage_vsp *vsp = control_vsp(control);
	struct storage_properties_wire properties = {
		.max_transfer_bytes = vsp->config.max_transfer_bytes};
	if (has_multi_channel(vsp)) {
		properties.max_sub_channels = vsp->config.max_sub_channels;
		properties.flags = STORAGE_PROPERTIES_MULTI_CHANNEL;
	}
	vsp->state = STORAGE_STATE_END_INITIALIZATION;
	control_reply(control, STORAGE_STATUS_SUCCESS, &properties, sizeof properties);
}

static void on_end(const struct control *control)
{
	struct storage_vsp *vsp = control_vsp(control);
	vsp->state = STORAGE_STATE_READY;
	control_status(control, STORAGE_STATUS_SUCCESS);
	for (unsigned i = 1; i <= vsp->config.max_sub_channels; i++)
		if (vsp->channels[i].is_open && !vsp->channels[i].is_closing)
			vsp->ops->resume(vsp->channels[i].ctx);
}

static void on_create_sub_channels(const struct control *control)
{
	struct storage_vsp *vsp = control_vsp(control);
	struct storage_sub_channels_wire asked;
	memcpy(&asked, control->packet + STORAGE_HEADER_BYTES, sizeof asked);
	if (!has_multi_channel(vsp)) {
		reject(control->request, STORAGE_REJECT_STATE);
		control_status(control, STORAGE_STATUS_INVALID_DEVICE_STATE);
		return;
	}
	if (asked.count > vsp->config.max_sub_channels) {
		reject(control->request, STORAGE_REJECT_SUB_CHANNEL_COUNT);
		control_status(control, STORAGE_STATUS_INVALID_PARAMETER);
		return;
	}
	const int result = asked.count ? vsp->ops->sub_channels(vsp->ctx, asked.count) : 0;
	control_status(control, result < 0 ? STORAGE_STATUS_UNSUCCESSFUL : STORAGE_STATUS_SUCCESS);
}

/* Nothing in flight is cut short: it completes by itself, before or after this. */
static void on_reset_lun(const struct control *control)
{
	struct storage_srb_wire srb;
	memcpy(&srb, control->packet + STORAGE_HEADER_BYTES, sizeof srb);
	const struct storage_address address = {srb.path, srb.target, srb.lun};
	storage_luns_reset(control_vsp(control), &address);
	control_status(control, STORAGE_STATUS_SUCCESS);
}

static void on_reset_all(const struct control *control)
{
	storage_luns_reset(control_vsp(control), NULL);
	control_status(control, STORAGE_STATUS_SUCCESS);
}

#define IN(state) (1u << STORAGE_STATE_##state)

/* What a guest may send, when, and how many bytes of payload it must have. */
static const struct operation {
	void (*run)(const struct control *control);
	uint8_t states;
	uint8_t bytes_min;
} operations[STORAGE_OP_MAX + 1] = {
	[STORAGE_OP_RESET_LUN] = {on_reset_lun, IN(READY), STORAGE_HEADER_BYTES + 8},
	[STORAGE_OP_RESET_ADAPTER] = {on_reset_all, IN(READY), STORAGE_HEADER_BYTES},
	[STORAGE_OP_RESET_BUS] = {on_reset_all, IN(READY), STORAGE_HEADER_BYTES},
	[STORAGE_OP_BEGIN_INITIALIZATION] = {on_begin, IN(BEGIN), STORAGE_HEADER_BYTES},
	[STORAGE_OP_END_INITIALIZATION] = {on_end, IN(END_INITIALIZATION), STORAGE_HEADER_BYTES},
	[STORAGE_OP_QUERY_PROTOCOL_VERSION] = {on_query_version, IN(QUERY_VERSION),
		STORAGE_HEADER_BYTES + sizeof(struct storage_version_wire)},
	[STORAGE_OP_QUERY_PROPERTIES] = {on_query_properties, IN(QUERY_PROPERTIES),
		STORAGE_HEADER_BYTES},
	[STORAGE_OP_CREATE_SUB_CHANNELS] = {on_create_sub_channels,
		IN(END_INITIALIZATION) | IN(READY),
		STORAGE_HEADER_BYTES + sizeof(struct storage_sub_channels_wire)},
};

static void control_run(const struct control *control)
{
	struct storage_header_wire header;
	memcpy(&header, control->packet, sizeof header);
	struct storage_request *request = control->request;
	const struct storage_vsp *vsp = request->channel->vsp;
	const struct operation *operation =
		header.operation <= STORAGE_OP_MAX ? &operations[header.operation] : NULL;

	if (header.operation == STORAGE_OP_EXECUTE_SRB) {
		reject(request, STORAGE_REJECT_STATE); /* R-STOR-009 */
		control_status(control, STORAGE_STATUS_INVALID_DEVICE_STATE);
	} else if (!operation || !operation->run) {
		reject(request, STORAGE_REJECT_OPERATION);
		control_status(control, STORAGE_STATUS_INVALID_REQUEST);
	} else if (request->channel->index != 0) {
		reject(request, STORAGE_REJECT_SUB_CHANNEL);
		control_status(control, STORAGE_STATUS_INVALID_DEVICE_STATE);
	} else if (!(operation->states & (1u << vsp->state))) {
		reject(request, STORAGE_REJECT_STATE);
		control_status(control, STORAGE_STATUS_INVALID_DEVICE_STATE);
	} else if (control->bytes < operation->bytes_min) {
		reject(request, STORAGE_REJECT_PARAMETERS);
		control_status(control, STORAGE_STATUS_INVALID_PARAMETER);
	} else {
		operation->run(control);
	}
}

/* ---- SRBs ---------------------------------------------------------------------------------- */

/* Reply with what request->scsi has come to. */
static void srb_reply(struct storage_request *request)
{
	const struct scsi_request *scsi = &request->scsi;
	const struct storage_version *version = request->channel->vsp->version;
	struct storage_srb_packet_wire reply = {
		.header = {.operation = STORAGE_OP_COMPLETE_IO},
		.srb = {.length = version->payload_bytes,
			.srb_status = scsi->srb_status,
			.scsi_status = scsi->scsi_status,
			.cdb_length = STORAGE_CDB_BYTES_MAX,
			.sense_length = request->sense_room,
			.data_length = scsi->moved_bytes},
	};
	if (__builtin_expect(scsi->srb_status != STORAGE_SRB_SUCCESS, 0)) {
		reply.header.status = storage_srb_ntstatus(scsi->srb_status);
		if (scsi->sense_bytes && request->sense_room && !request->disables_autosense) {
			const size_t sense = scsi->sense_bytes < request->sense_room
						     ? scsi->sense_bytes
						     : request->sense_room;
			reply.srb.srb_status |= STORAGE_SRB_AUTOSENSE_VALID;
			memcpy(reply.srb.cdb_or_sense, scsi->sense, sense);
		}
	}
	request_reply(request, &reply, sizeof reply);
}

/* A SCSI command has ended. */
static void srb_done(struct scsi_request *scsi)
{
	struct storage_request *request = (struct storage_request *)scsi;
	struct storage_vsp *vsp = request->channel->vsp;
	struct storage_lun *lun = request->lun;
	vsp->statistics.commands++;
	if (scsi->srb_status != STORAGE_SRB_SUCCESS)
		vsp->statistics.failures++;
	else if (scsi->direction == STORAGE_DATA_IN)
		vsp->statistics.bytes_in += scsi->moved_bytes;
	else
		vsp->statistics.bytes_out += scsi->moved_bytes;
	if (__builtin_expect(lun && lun->is_detaching && lun->nexus.outstanding == 0, 0))
		storage_lun_detached(vsp, lun);
	srb_reply(request);
}

_Static_assert(offsetof(struct storage_request, scsi) == 0, "srb_done() converts the pointer");

/* The SRB cannot be executed: 5/24/00, as for any inconsistent request. */
static void srb_inconsistent(struct storage_request *request, enum storage_reject reason)
{
	reject(request, reason);
	scsi_request_refuse(&request->scsi);
}

static void srb_run(struct storage_request *request, const struct storage_srb_wire *srb)
{
	struct storage_vsp *vsp = request->channel->vsp;
	struct scsi_request *scsi = &request->scsi;
	const uint8_t sense_max = (uint8_t)vsp->version->sense_bytes;

	request->sense_room = srb->sense_length < sense_max ? srb->sense_length : sense_max;
	request->disables_autosense =
		__builtin_expect(srb->srb_flags & STORAGE_SRB_FLAG_DISABLE_AUTOSENSE, 0) != 0;
	scsi->direction = srb->direction;
	scsi->cdb_length = srb->cdb_length;
	memcpy(scsi->cdb, srb->cdb_or_sense, sizeof scsi->cdb);
	scsi->scratch = &vsp->scratch;
	scsi->commands = &vsp->commands;
	scsi->done = srb_done;
	scsi->iov = request->iov;
	scsi->iov_count = request->iov_count;
	scsi->data_bytes = srb->data_length;

	if (__builtin_expect(request->data >= STORAGE_DATA_INVALID, 0)) {
		srb_inconsistent(request, request->data == STORAGE_DATA_INVALID
						  ? STORAGE_REJECT_DATA_RANGES
						  : STORAGE_REJECT_DATA_MEMORY);
		return;
	}
	if (__builtin_expect(srb->data_length != request->iov_bytes, 0)) {
		if (srb->data_length > request->iov_bytes) {
			srb_inconsistent(request, STORAGE_REJECT_DATA_LENGTH);
			return;
		}
		scsi_request_cut(scsi, srb->data_length);
	}
	if (srb->cdb_length == 0 || srb->cdb_length > STORAGE_CDB_BYTES_MAX) {
		srb_inconsistent(request, STORAGE_REJECT_CDB_LENGTH);
		return;
	}
	const uint8_t path = vsp->config.is_ide ? vsp->config.ide_channel : srb->path;
	struct storage_lun *lun = storage_lun_find(vsp, path, srb->target, srb->lun);
	if (scsi->cdb[0] == SCSI_OP_REPORT_LUNS) {
		storage_luns_report(vsp, path, srb->target, scsi);
	} else if (lun) {
		const struct scsi_device *device = lun->nexus.device;
		struct storage_channel *channel = request->channel;
		request->lun = lun;
		scsi->nexus = &lun->nexus;
		channel->hint_memory = device->store ? device->store->memory : NULL;
		channel->hint_blocks = device->blocks;
		channel->hint_shift = device->block_shift;
		scsi_execute(scsi);
	} else {
		scsi_execute_absent(scsi, srb->lun == 0);
	}
}

void storage_request_submit(
	struct storage_request *request, uint64_t transaction_id, const void *payload, size_t bytes)
{
	struct storage_srb_packet_wire packet;
	const struct storage_vsp *vsp = request->channel->vsp;
	request->transaction_id = transaction_id;
	if (__builtin_expect(bytes >= sizeof packet, 1)) {
		memcpy(&packet, payload, sizeof packet);
		bytes = sizeof packet;
	} else {
		memset(&packet, 0, sizeof packet);
		memcpy(&packet, payload, bytes);
	}
	/* The guest may change the ring: the copy is what counts, read once. */
	__asm__ volatile("" : : : "memory");
	request->reply_bytes = (uint32_t)bytes;
	if (bytes < STORAGE_PACKET_BYTES_MIN) {
		storage_request_reject(request, STORAGE_REJECT_PACKET_SHORT);
		return;
	}
	if (packet.header.operation == STORAGE_OP_EXECUTE_SRB &&
		vsp->state == STORAGE_STATE_READY &&
		bytes >= STORAGE_HEADER_BYTES + STORAGE_SRB_BYTES_WIN7) {
		srb_run(request, &packet.srb);
		return;
	}
	struct control control = {.request = request, .bytes = bytes};
	memcpy(control.packet, &packet, sizeof packet);
	if (packet.header.operation == STORAGE_OP_EXECUTE_SRB &&
		vsp->state == STORAGE_STATE_READY) {
		reject(request, STORAGE_REJECT_PARAMETERS);
		control_status(&control, STORAGE_STATUS_INVALID_PARAMETER);
		return;
	}
	control_run(&control);
}

/* ---- notifications ------------------------------------------------------------------------- */

void storage_vsp_luns_changed(struct storage_vsp *vsp)
{
	struct storage_channel *primary = &vsp->channels[0];
	/* A guest that is not ready is about to scan anyway (R-STOR-021). */
	if (vsp->state != STORAGE_STATE_READY ||
		!(vsp->version->features & STORAGE_FEATURE_ENUMERATE_BUS))
		return;
	vsp->has_notification = true;
	vsp->ops->notify(primary->ctx);
}

bool storage_vsp_has_notification(const struct storage_vsp *vsp)
{
	return vsp->has_notification;
}

size_t storage_vsp_notification(struct storage_vsp *vsp, void *packet)
{
	if (!vsp->has_notification)
		return 0;
	vsp->has_notification = false;
	const size_t bytes = STORAGE_HEADER_BYTES + (size_t)vsp->version->payload_bytes;
	const struct storage_header_wire header = {.operation = STORAGE_OP_ENUMERATE_BUS};
	memset(packet, 0, bytes);
	memcpy(packet, &header, sizeof header);
	return bytes;
}

/* ---- channels ------------------------------------------------------------------------------ */

struct storage_channel *storage_channel_open(struct storage_vsp *vsp, uint16_t index, void *ctx)
{
	if (index > vsp->config.max_sub_channels)
		return NULL;
	struct storage_channel *channel = &vsp->channels[index];
	if (channel->is_open || channel->is_closing)
		return NULL;
	channel->ctx = ctx;
	channel->is_open = true;
	return channel;
}

void storage_channel_close(struct storage_channel *channel)
{
	struct storage_vsp *vsp = channel->vsp;
	channel->is_closing = true;
	channel->is_open = false;
	if (channel->index == 0) {
		vsp->state = STORAGE_STATE_BEGIN;
		vsp->has_notification = false;
	}
	/* One more than needed keeps idle() from running inside the loop. */
	channel->outstanding++;
	for (unsigned i = 0; i < channel->fresh; i++) {
		struct storage_request *request = request_at(channel, i);
		if (request->is_active && request->lun)
			scsi_request_hurry(&request->scsi);
	}
	if (--channel->outstanding == 0)
		channel_idle(channel);
}

/* ---- controllers --------------------------------------------------------------------------- */

static bool config_complete(struct storage_vsp_config *config)
{
	if (config->requests == 0)
		config->requests = STORAGE_REQUESTS_DEFAULT;
	if (config->max_transfer_bytes == 0)
		config->max_transfer_bytes = STORAGE_TRANSFER_BYTES_DEFAULT;
	return config->requests <= STORAGE_REQUESTS_MAX &&
	       config->max_sub_channels <= STORAGE_SUB_CHANNELS_MAX &&
	       config->max_transfer_bytes <= STORAGE_TRANSFER_BYTES_MAX &&
	       config->max_transfer_bytes % PAGE_BYTES == 0 &&
	       (!config->is_ide || config->ide_channel < 2) &&
	       (config->version_max == 0 || config->version_max >= STORAGE_VERSION_2_0);
}

int storage_vsp_create(const struct storage_vsp_config *config, const struct storage_vsp_ops *ops,
	void *ctx, struct storage_vsp **out)
{
	struct storage_vsp_config complete = *config;
	if (!config_complete(&complete))
		return -EINVAL;
	const size_t channels = (size_t)complete.max_sub_channels + 1;
	struct storage_vsp *vsp = calloc(1, sizeof *vsp + channels * sizeof vsp->channels[0]);
	if (!vsp)
		return -ENOMEM;
	vsp->config = complete;
	vsp->ops = ops;
	vsp->ctx = ctx;
	vsp->request_bytes = sizeof(struct storage_request) +
			     (complete.max_transfer_bytes / PAGE_BYTES + 1) * sizeof(struct iovec);
	vsp->request_bytes = (vsp->request_bytes + 63) & ~(size_t)63;
	scsi_commands_init(&vsp->commands);
	if (scsi_scratch_init(&vsp->scratch) < 0)
		goto fail;
	for (size_t i = 0; i < channels; i++) {
		struct storage_channel *channel = &vsp->channels[i];
		channel->vsp = vsp;
		channel->index = (uint16_t)i;
		/* Touched only as far as the guest has requests in flight. */
		channel->requests = calloc(complete.requests, vsp->request_bytes);
		if (!channel->requests)
			goto fail;
	}
	*out = vsp;
	return 0;
fail:
	storage_vsp_destroy(vsp);
	return -ENOMEM;
}

void storage_vsp_destroy(struct storage_vsp *vsp)
{
	if (!vsp)
		return;
	storage_luns_destroy(vsp);
	for (size_t i = 0; i <= vsp->config.max_sub_channels; i++)
		free(vsp->channels[i].requests);
	scsi_scratch_destroy(&vsp->scratch);
	free(vsp);
}

/* ---- looking at it ------------------------------------------------------------------------- */

enum storage_state storage_vsp_state(const struct storage_vsp *vsp)
{
	return vsp->state;
}

const struct storage_version *storage_vsp_version(const struct storage_vsp *vsp)
{
	return vsp->state > STORAGE_STATE_QUERY_VERSION ? vsp->version : NULL;
}

uint32_t storage_vsp_max_transfer_bytes(const struct storage_vsp *vsp)
{
	return vsp->config.max_transfer_bytes;
}

const struct storage_statistics *storage_vsp_statistics(const struct storage_vsp *vsp)
{
	return &vsp->statistics;
}

int storage_vsp_describe(const struct storage_vsp *vsp, char *text, size_t bytes)
{
	const struct storage_version *version = storage_vsp_version(vsp);
	unsigned outstanding = 0;
	unsigned open = 0;
	for (size_t i = 0; i <= vsp->config.max_sub_channels; i++) {
		outstanding += vsp->channels[i].outstanding;
		open += vsp->channels[i].is_open;
	}
	return snprintf(text, bytes,
		"%s, version %s, %u channels open, %u LUNs, %u requests in flight",
		storage_state_name(vsp->state), version ? version->name : "none", open,
		vsp->lun_count, outstanding);
}
