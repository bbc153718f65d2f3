// SPDX-License-Identifier: Apache-2.0
/*
 * Storage client: life, channels, handshake, resets. See storage_vsc.h.
 *
 *	CLOSED -start-> BEGIN -> VERSION (newest first, until one is accepted)
 *	       -> PROPERTIES -> END -> READY         any step: FAILED
 *
 * Control operations (all but EXECUTE_SRB) go out one at a time on the primary
 * channel; their id has an index of its own and a generation, so that an answer
 * counts for the operation that is outstanding, and once.
 */
#include "guest/vsc/storage_vsc_internal.h"

#include <string.h>

const char *storage_vsc_reject_name(enum storage_vsc_reject reason)
{
#define REJECT_NAME(constant, word) word,
	static const char *const names[] = {STORAGE_VSC_REJECTS(REJECT_NAME)};
#undef REJECT_NAME
	return (unsigned)reason < STORAGE_VSC_REJECT_COUNT ? names[reason] : "unknown";
}

const char *storage_vsc_state_name(enum storage_vsc_state state)
{
	static const char *const names[STORAGE_VSC_STATE_COUNT] = {
		[STORAGE_VSC_CLOSED] = "closed",
		[STORAGE_VSC_BEGIN] = "begin",
		[STORAGE_VSC_VERSION] = "version",
		[STORAGE_VSC_PROPERTIES] = "properties",
		[STORAGE_VSC_END] = "end",
		[STORAGE_VSC_READY] = "ready",
		[STORAGE_VSC_FAILED] = "failed",
	};
	return (unsigned)state < STORAGE_VSC_STATE_COUNT ? names[state] : "unknown";
}

void storage_vsc_reject(struct storage_vsc *vsc, enum storage_vsc_reject reason)
{
	vsc->counters.rejections[reason]++;
	vsc->last_reject = reason;
}

/* ---- life --------------------------------------------------------------- */

static void default_set(uint32_t *value, uint32_t otherwise)
{
	if (*value == 0)
		*value = otherwise;
}

static bool config_is_good(const struct storage_vsc_config *config)
{
	return config->slots != NULL && config->slot_count >= 1 &&
	       config->slot_count <= STORAGE_VSC_SLOTS_MAX && config->luns != NULL &&
	       config->lun_count >= 1 && config->flush != NULL &&
	       config->path_count <= STORAGE_PATHS_MAX &&
	       config->target_count <= STORAGE_TARGETS_MAX &&
	       config->sub_channels < STORAGE_VSC_CHANNELS_MAX &&
	       (config->version_max == 0 || storage_version_find(config->version_max) != NULL) &&
	       config->scan_pages.bytes >= STORAGE_VSC_SCAN_BYTES;
}

int storage_vsc_init(struct storage_vsc *vsc, const struct storage_vsc_config *config)
{
	if (!config_is_good(config))
		return -VIRIDIAN_EINVAL;
	memset(vsc, 0, sizeof *vsc);
	vsc->config = *config;
	if (vsc->config.path_count == 0)
		vsc->config.path_count = 1;
	if (vsc->config.target_count == 0)
		vsc->config.target_count = STORAGE_TARGETS_MAX;
	default_set(&vsc->config.timeout_ms, 30000);
	default_set(&vsc->config.grace_ms, 10000);
	default_set(&vsc->config.handshake_timeout_ms, 30000);
	default_set(&vsc->config.rescan_interval_ms, 100);
	vsc->slots = config->slots;
	vsc->earliest = STORAGE_VSC_NEVER;
	vsc->new_head = STORAGE_VSC_NONE;
	vsc->timeout_100ns = (uint64_t)vsc->config.timeout_ms * STORAGE_VSC_MS;
	vsc->control.generation = 1;
	memset(vsc->slots, 0, config->slot_count * sizeof vsc->slots[0]);
	memset(config->luns, 0, config->lun_count * sizeof config->luns[0]);
	for (uint32_t i = 0; i < config->slot_count; i++) {
		vsc->slots[i].generation = 1;
		vsc->slots[i].next_free = i + 1 < config->slot_count ? i + 1 : STORAGE_VSC_NONE;
	}
	return 0;
}

static bool is_handshaking(const struct storage_vsc *vsc)
{
	return vsc->state >= STORAGE_VSC_BEGIN && vsc->state <= STORAGE_VSC_END;
}

void storage_vsc_fail(struct storage_vsc *vsc, int error)
{
	if (vsc->state == STORAGE_VSC_CLOSED || vsc->state == STORAGE_VSC_FAILED)
		return;
	vsc->state = STORAGE_VSC_FAILED;
	vsc->error = error;
	vsc->is_state_news = true;
	vsc->control.operation = 0;
	storage_vsc_due(vsc, 0);
}

void storage_vsc_state_tell(struct storage_vsc *vsc)
{
	if (!vsc->is_state_news)
		return;
	vsc->is_state_news = false;
	if (vsc->config.on_state != NULL)
		vsc->config.on_state(vsc->config.ctx, vsc);
}

void storage_vsc_stop(struct storage_vsc *vsc, int error, bool is_memory_lost)
{
	vsc->state = STORAGE_VSC_CLOSED;
	vsc->control.operation = 0;
	vsc->control.generation = storage_vsc_generation_next(vsc->control.generation);
	vsc->control.is_bus_reset_due = false;
	vsc->control.is_lun_reset_due = false;
	vsc->control.is_sub_channels_due = false;
	vsc->is_state_news = false;
	storage_vsc_io_stop(vsc, error, is_memory_lost);
	storage_vsc_scan_stop(vsc);
	for (uint32_t i = 0; i < vsc->config.lun_count; i++)
		if (vsc->config.luns[i].state == STORAGE_VSC_LUN_PRESENT)
			storage_vsc_lun_remove(vsc, &vsc->config.luns[i]);
	memset(vsc->channels, 0, sizeof vsc->channels);
	vsc->channel_count = 0;
	vsc->version = NULL;
	vsc->sub_channels_granted = 0;
	vsc->sub_channels_offered = 0;
	vsc->earliest = STORAGE_VSC_NEVER;
}

/* ---- channels ----------------------------------------------------------- */

static void channel_set(
	struct storage_vsc *vsc, unsigned index, struct ring_reader *in, struct ring_writer *out)
{
	vsc->channels[index] = (struct storage_vsc_channel){
		.in = in,
		.out = out,
		.is_usable = true,
	};
	if (index >= vsc->channel_count)
		vsc->channel_count = (uint8_t)(index + 1);
}

/* What one packet in this ring can name, wherever in its first page the data begins. */
static uint32_t ring_transfer_bytes(const struct ring_writer *out)
{
	const uint32_t fixed = (uint32_t)packet_total_bytes(16, STORAGE_PACKET_BYTES_MAX);
	return ((out->max_packet - fixed) / 8 - 1) * WINHV_PAGE_BYTES;
}

static void max_transfer_lower(struct storage_vsc *vsc, uint32_t bytes)
{
	if (vsc->max_transfer_bytes > bytes)
		vsc->max_transfer_bytes = bytes;
}

int storage_vsc_channel_add(
	struct storage_vsc *vsc, struct ring_reader *in, struct ring_writer *out, unsigned *index)
{
	if (vsc->channel_count == 0)
		return -VIRIDIAN_EINVAL;
	for (unsigned i = 1; i < STORAGE_VSC_CHANNELS_MAX; i++) {
		if (vsc->channels[i].in == NULL) {
			channel_set(vsc, i, in, out);
			max_transfer_lower(vsc, ring_transfer_bytes(out));
			*index = i;
			return 0;
		}
	}
	return -VIRIDIAN_ENOMEM;
}

void storage_vsc_channel_retire(struct storage_vsc *vsc, unsigned index)
{
	if (index < vsc->channel_count)
		vsc->channels[index].is_usable = false;
}

void storage_vsc_channel_remove(struct storage_vsc *vsc, unsigned index, bool is_memory_lost)
{
	if (index == 0 || index >= vsc->channel_count || vsc->channels[index].in == NULL)
		return;
	vsc->channels[index].is_usable = false;
	vsc->channels[index].is_dirty = false;
	vsc->channels[index].in = NULL;
	vsc->channels[index].out = NULL;
	storage_vsc_io_channel_remove(vsc, index, is_memory_lost);
	storage_vsc_flush(vsc);
}

void storage_vsc_channel_fail(struct storage_vsc *vsc, unsigned channel)
{
	vsc->channels[channel].is_usable = false;
	if (channel == 0)
		storage_vsc_fail(vsc, -VIRIDIAN_EPROTO);
}

/* ---- control operations ------------------------------------------------- */

/* Send one; `body` is put behind the header. False: no room now. */
static bool control_send(
	struct storage_vsc *vsc, uint32_t operation, const void *body, uint32_t body_bytes)
{
	struct storage_vsc_channel *primary = &vsc->channels[0];
	uint8_t packet[STORAGE_PACKET_BYTES_MAX] = {0};
	const struct storage_header_wire start = {
		.operation = operation,
		.flags = STORAGE_PACKET_COMPLETION_REQUESTED,
	};
	memcpy(packet, &start, sizeof start);
	memcpy(packet + sizeof start, body, body_bytes);
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.payload_bytes = vsc->packet_bytes,
		.transaction_id = storage_vsc_id(
			vsc->control.generation, STORAGE_VSC_CONTROL_INDEX),
	};
	const enum ring_status status = ring_send(primary->out, &header, NULL, packet);
	if (status != RING_OK) {
		if (ring_status_is_corrupt(status))
			storage_vsc_channel_fail(vsc, 0);
		return false;
	}
	vsc->control.operation = operation;
	vsc->control.packet_bytes = vsc->packet_bytes;
	vsc->control.deadline = 0;
	storage_vsc_due(vsc, 0);
	primary->is_dirty = false;
	vsc->config.flush(vsc->config.ctx, 0);
	return true;
}

/* The answer has come, or nobody waits for it any more. */
static void control_end(struct storage_vsc *vsc)
{
	vsc->control.operation = 0;
	vsc->control.generation = storage_vsc_generation_next(vsc->control.generation);
}

/* Packets have the size of the version that is being asked for (R-STOR-062). */
static void version_query(struct storage_vsc *vsc)
{
	const struct storage_version *row = &storage_versions[vsc->version_index];
	const struct storage_version_wire body = {.major_minor = row->version};
	vsc->packet_bytes = (uint16_t)(STORAGE_HEADER_BYTES + row->payload_bytes);
	vsc->sense_bytes = row->sense_bytes;
	(void)control_send(vsc, STORAGE_OP_QUERY_PROTOCOL_VERSION, &body, sizeof body);
}

/* Send the operation of the handshake's state. The ring is never full here. */
static void handshake_send(struct storage_vsc *vsc)
{
	static const uint32_t operations[] = {
		[STORAGE_VSC_BEGIN] = STORAGE_OP_BEGIN_INITIALIZATION,
		[STORAGE_VSC_PROPERTIES] = STORAGE_OP_QUERY_PROPERTIES,
		[STORAGE_VSC_END] = STORAGE_OP_END_INITIALIZATION,
	};
	if (vsc->state == STORAGE_VSC_VERSION)
		version_query(vsc);
	else
		(void)control_send(vsc, operations[vsc->state], "", 0);
}

static struct storage_vsc_lun *reset_candidate(struct storage_vsc *vsc)
{
	if (vsc->scan.candidate.needs_reset)
		return &vsc->scan.candidate;
	for (uint32_t i = 0; i < vsc->config.lun_count; i++)
		if (vsc->config.luns[i].needs_reset)
			return &vsc->config.luns[i];
	return NULL;
}

static void lun_reset_send(struct storage_vsc *vsc)
{
	struct storage_vsc_lun *lun = reset_candidate(vsc);
	if (lun == NULL) {
		vsc->control.is_lun_reset_due = false;
		return;
	}
	const struct storage_srb_wire body = {
		.length = (uint16_t)(vsc->packet_bytes - STORAGE_HEADER_BYTES),
		.path = lun->path,
		.target = lun->target,
		.lun = lun->lun,
	};
	if (control_send(vsc, STORAGE_OP_RESET_LUN, &body,
		    (uint32_t)(vsc->packet_bytes - STORAGE_HEADER_BYTES))) {
		lun->needs_reset = false;
		vsc->counters.resets++;
	}
}

void storage_vsc_control_next(struct storage_vsc *vsc)
{
	struct storage_vsc_control *control = &vsc->control;
	if (control->operation != 0 || vsc->state != STORAGE_VSC_READY)
		return;
	if (control->is_bus_reset_due) {
		if (control_send(vsc, STORAGE_OP_RESET_BUS, "", 0)) {
			control->is_bus_reset_due = false;
			vsc->counters.resets++;
		}
		return;
	}
	if (control->is_lun_reset_due) {
		lun_reset_send(vsc);
		if (control->operation != 0)
			return;
	}
	if (control->is_sub_channels_due) {
		const uint16_t wanted = vsc->config.sub_channels < vsc->sub_channels_offered
						? vsc->config.sub_channels
						: vsc->sub_channels_offered;
		const struct storage_sub_channels_wire body = {.count = wanted};
		if (control_send(vsc, STORAGE_OP_CREATE_SUB_CHANNELS, &body, sizeof body))
			control->is_sub_channels_due = false;
	}
}

void storage_vsc_control_tick(struct storage_vsc *vsc)
{
	if (vsc->control.operation != 0) {
		if (vsc->control.deadline == 0)
			vsc->control.deadline = vsc->now +
						(uint64_t)vsc->config.handshake_timeout_ms *
							STORAGE_VSC_MS;
		if (vsc->now < vsc->control.deadline) {
			storage_vsc_due(vsc, vsc->control.deadline);
			return;
		}
		vsc->counters.timeouts++;
		control_end(vsc);
		if (is_handshaking(vsc))
			storage_vsc_fail(vsc, -VIRIDIAN_ETIMEDOUT);
	}
	storage_vsc_control_next(vsc);
}

/* ---- handshake ---------------------------------------------------------- */

int storage_vsc_start(
	struct storage_vsc *vsc, struct ring_reader *in, struct ring_writer *out, uint64_t now)
{
	if (vsc->state != STORAGE_VSC_CLOSED)
		return -VIRIDIAN_EBUSY;
	vsc->now = now;
	vsc->channel_next = 0;
	vsc->channel_run = 0;
	vsc->error = 0;
	vsc->version_index = 0;
	vsc->scan.is_broken = false;
	vsc->scan.is_due = false;
	while (vsc->config.version_max != 0 &&
		storage_versions[vsc->version_index].version != vsc->config.version_max)
		vsc->version_index++;
	vsc->packet_bytes = (uint16_t)(STORAGE_HEADER_BYTES +
				       storage_versions[vsc->version_index].payload_bytes);
	channel_set(vsc, 0, in, out);
	vsc->state = STORAGE_VSC_BEGIN;
	handshake_send(vsc);
	return 0;
}

static void version_answered(struct storage_vsc *vsc, const uint8_t *body, uint32_t status)
{
	struct storage_version_wire answer;
	memcpy(&answer, body, sizeof answer);
	const struct storage_version *asked = &storage_versions[vsc->version_index];
	if (status == STORAGE_STATUS_SUCCESS) {
		/* It said yes to what was asked; a wrong echo changes nothing. */
		if (answer.major_minor != asked->version)
			storage_vsc_reject(vsc, STORAGE_VSC_REJECT_VERSION_ECHO);
		vsc->version = asked;
		vsc->state = STORAGE_VSC_PROPERTIES;
	} else if (++vsc->version_index >= STORAGE_VERSION_COUNT) {
		storage_vsc_fail(vsc, -VIRIDIAN_ENOTSUP);
	}
}

static void properties_answered(struct storage_vsc *vsc, const uint8_t *body)
{
	struct storage_properties_wire answer;
	memcpy(&answer, body, sizeof answer);
	uint32_t most = answer.max_transfer_bytes;
	if (most < WINHV_PAGE_BYTES) {
		storage_vsc_reject(vsc, STORAGE_VSC_REJECT_PROPERTIES);
		storage_vsc_fail(vsc, -VIRIDIAN_EPROTO);
		return;
	}
	if (most > STORAGE_TRANSFER_BYTES_MAX)
		most = STORAGE_TRANSFER_BYTES_MAX;
	vsc->max_transfer_bytes = most & ~(WINHV_PAGE_BYTES - 1);
	max_transfer_lower(vsc, ring_transfer_bytes(vsc->channels[0].out));
	vsc->sub_channels_offered = 0;
	/* Below 5.1 these fields may hold anything. */
	if ((vsc->version->features & STORAGE_FEATURE_MULTI_CHANNEL) &&
		(answer.flags & STORAGE_PROPERTIES_MULTI_CHANNEL))
		vsc->sub_channels_offered = answer.max_sub_channels;
	vsc->state = STORAGE_VSC_END;
}

static void handshake_answered(struct storage_vsc *vsc, const uint8_t *body, uint32_t status)
{
	if (vsc->state == STORAGE_VSC_VERSION) {
		version_answered(vsc, body, status);
	} else if (status != STORAGE_STATUS_SUCCESS) {
		/* R-STOR-049: any other refusal ends it. */
		storage_vsc_fail(vsc, -VIRIDIAN_EIO);
	} else if (vsc->state == STORAGE_VSC_BEGIN) {
		vsc->state = STORAGE_VSC_VERSION;
	} else if (vsc->state == STORAGE_VSC_PROPERTIES) {
		properties_answered(vsc, body);
	} else {
		vsc->state = STORAGE_VSC_READY;
		vsc->is_state_news = true;
		vsc->control.is_sub_channels_due = vsc->sub_channels_offered > 0 &&
						   vsc->config.sub_channels > 0;
		return;
	}
	if (vsc->state != STORAGE_VSC_FAILED)
		handshake_send(vsc);
}

void storage_vsc_control_reply(
	struct storage_vsc *vsc, uint64_t id, const uint8_t *reply, uint32_t bytes)
{
	struct storage_header_wire header;
	const uint32_t operation = vsc->control.operation;
	if (operation == 0 || (uint32_t)(id >> 32) != vsc->control.generation) {
		storage_vsc_reject(vsc, STORAGE_VSC_REJECT_ID_STALE);
		return;
	}
	memcpy(&header, reply, sizeof header);
	const bool is_short = bytes < vsc->control.packet_bytes;
	control_end(vsc);
	if (is_short || header.operation != STORAGE_OP_COMPLETE_IO) {
		storage_vsc_reject(
			vsc, is_short ? STORAGE_VSC_REJECT_SHORT : STORAGE_VSC_REJECT_OPERATION);
		if (is_handshaking(vsc))
			storage_vsc_fail(vsc, -VIRIDIAN_EPROTO);
		storage_vsc_control_next(vsc);
		return;
	}
	if (is_handshaking(vsc)) {
		handshake_answered(vsc, reply + sizeof header, header.status);
		storage_vsc_state_tell(vsc);
	} else if (operation == STORAGE_OP_CREATE_SUB_CHANNELS &&
		   header.status == STORAGE_STATUS_SUCCESS) {
		/* Refused: one channel will do. */
		vsc->sub_channels_granted = vsc->config.sub_channels < vsc->sub_channels_offered
						    ? vsc->config.sub_channels
						    : vsc->sub_channels_offered;
		if (vsc->config.on_sub_channels != NULL)
			vsc->config.on_sub_channels(vsc->config.ctx, vsc);
	}
	storage_vsc_control_next(vsc);
}

int storage_vsc_reset(struct storage_vsc *vsc, struct storage_vsc_lun *lun)
{
	if (vsc->state != STORAGE_VSC_READY ||
		(lun != NULL && lun->state != STORAGE_VSC_LUN_PRESENT))
		return -VIRIDIAN_ENODEV;
	if (lun == NULL) {
		vsc->control.is_bus_reset_due = true;
	} else {
		lun->needs_reset = true;
		vsc->control.is_lun_reset_due = true;
	}
	storage_vsc_control_next(vsc);
	return 0;
}

/* ---- time, text --------------------------------------------------------- */

uint64_t storage_vsc_tick(struct storage_vsc *vsc, uint64_t now)
{
	if (now > vsc->now)
		vsc->now = now;
	storage_vsc_io_stamp(vsc);
	if (RING_LIKELY(vsc->now < vsc->earliest))
		return vsc->earliest;
	vsc->earliest = STORAGE_VSC_NEVER;
	if (vsc->state == STORAGE_VSC_CLOSED)
		return vsc->earliest;
	storage_vsc_io_tick(vsc);
	storage_vsc_control_tick(vsc);
	storage_vsc_scan_tick(vsc);
	storage_vsc_flush(vsc);
	storage_vsc_state_tell(vsc);
	storage_vsc_io_stamp(vsc); /* what was submitted meanwhile */
	return vsc->earliest;
}

struct text {
	char *at;
	size_t left; /* the final NUL included */
};

static void text_put(struct text *text, const char *words)
{
	while (*words != '\0' && text->left > 1) {
		*text->at++ = *words++;
		text->left--;
	}
	*text->at = '\0';
}

static void text_number(struct text *text, uint64_t value)
{
	char digits[21];
	unsigned at = sizeof digits - 1;
	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	text_put(text, &digits[at]);
}

char *storage_vsc_describe(const struct storage_vsc *vsc, char *text, size_t bytes)
{
	struct text out = {text, bytes};
	if (bytes == 0)
		return text;
	text_put(&out, storage_vsc_state_name((enum storage_vsc_state)vsc->state));
	text_put(&out, ", protocol ");
	text_put(&out, vsc->version != NULL ? vsc->version->name : "none");
	text_put(&out, ", channels ");
	text_number(&out, vsc->channel_count);
	text_put(&out, ", in flight ");
	text_number(&out, vsc->in_flight);
	text_put(&out, ", completed ");
	text_number(&out, vsc->counters.completed);
	text_put(&out, ", failed ");
	text_number(&out, vsc->counters.failed);
	return text;
}
