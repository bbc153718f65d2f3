// SPDX-License-Identifier: Apache-2.0
/*
 * Linux's hv_utils, as far as hosts and daemons can see: see hv_utils.h.
 */
#include "tests/devices/hv_utils.h"

#include <errno.h>
#include <string.h>

#define KVP_RECORD    7432u
#define KVP_REGISTER  100u
#define VSS_RECORD    12u
#define VSS_REGISTER  129u
#define FCOPY_VERSION 1u

enum {
	VSS_HOT_BACKUP = 2,
	VSS_GET_DM_INFO = 3,
	VSS_FREEZE = 5,
	VSS_THAW = 6,
};

static const struct ic_version_wire kvp_versions[] = {{3, 0}, {4, 0}};
static const struct ic_version_wire vss_versions[] = {{5, 0}};
static const struct ic_version_wire fcopy_versions[] = {{1, 1}};
static const struct ic_version_wire both_frameworks[] = {{1, 0}, {3, 0}};

static struct ic_version_list frameworks_of(uint16_t type)
{
	return type == IC_TYPE_KVP ? (struct ic_version_list){both_frameworks, 2}
				   : (struct ic_version_list){&both_frameworks[1], 1};
}

static struct ic_version_list messages_of(uint16_t type)
{
	switch (type) {
	case IC_TYPE_KVP:
		return (struct ic_version_list){kvp_versions, 2};
	case IC_TYPE_VSS:
		return (struct ic_version_list){vss_versions, 1};
	default:
		return (struct ic_version_list){fcopy_versions, 1};
	}
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof value);
}

static uint8_t *body_of(struct hv_utils *utils)
{
	return utils->packet + IC_OVERHEAD_BYTES;
}

void hv_utils_init(struct hv_utils *utils, uint16_t type, const struct hv_utils_ops *ops, void *ctx)
{
	memset(utils, 0, sizeof *utils);
	utils->type = type;
	utils->ops = ops;
	utils->ctx = ctx;
}

static void respond(struct hv_utils *utils, uint32_t status)
{
	ic_response_mark(utils->packet, status);
	if (utils->state == HV_UTILS_REQUESTED)
		utils->state = HV_UTILS_READY;
	utils->ops->to_host(utils->ctx, utils->packet, utils->len);
}

static void negotiate(struct hv_utils *utils, const struct ic_message *request)
{
	struct ic_version_list frameworks = frameworks_of(utils->type);
	struct ic_version_list messages = messages_of(utils->type);
	uint8_t answer[IC_PAYLOAD_MAX_BYTES];
	utils->is_agreed = ic_negotiate_pick(request, &frameworks, &messages, &utils->agreement) ==
			   IC_OK;
	size_t len = ic_negotiate_answer(utils->packet, utils->len,
		utils->is_agreed ? &utils->agreement : NULL, answer, sizeof answer);
	if (len > 0)
		utils->ops->to_host(utils->ctx, answer, len);
}

static void ask_daemon(struct hv_utils *utils, size_t len, uint64_t limit_ms, uint64_t now_ms)
{
	utils->state = HV_UTILS_REQUESTED;
	utils->due_ms = now_ms + (utils->answer_ms ? utils->answer_ms : limit_ms);
	if (utils->ops->to_daemon(utils->ctx, utils->record, len) != 0)
		respond(utils, IC_STATUS_FAIL);
}

static void request_vss(struct hv_utils *utils, uint64_t now_ms)
{
	uint8_t operation = body_of(utils)[0];
	switch (operation) {
	case VSS_FREEZE:
	case VSS_THAW:
	case VSS_HOT_BACKUP:
		if (utils->state < HV_UTILS_READY) {
			respond(utils, IC_STATUS_FAIL);
			return;
		}
		memset(utils->record, 0, VSS_RECORD);
		utils->record[0] = operation;
		ask_daemon(utils, VSS_RECORD,
			operation == VSS_FREEZE ? HV_UTILS_FREEZE_MS : HV_UTILS_ANSWER_MS, now_ms);
		return;
	case VSS_GET_DM_INFO:
		put32(body_of(utils) + 8, 0);
		respond(utils, IC_STATUS_SUCCESS);
		return;
	default:
		respond(utils, IC_STATUS_SUCCESS);
	}
}

/* Start has its names in UTF-8; write is the body; the rest is the body and what follows it. */
static void request_fcopy(struct hv_utils *utils, uint64_t now_ms)
{
	const uint8_t *body = body_of(utils);
	uint32_t operation = get32(body);
	size_t len = utils->len;
	memset(utils->record, 0, sizeof utils->record);
	if (operation == 0) {
		len = 1088;
		put32(utils->record, operation);
		hv_utils_utf8(body + 36, 260, utils->record + 36, 259);
		hv_utils_utf8(body + 556, 260, utils->record + 556, 259);
		memcpy(utils->record + 1076, body + 1076, 12);
	} else {
		if (operation == 1)
			len = 6196;
		memcpy(utils->record, body, utils->len - IC_OVERHEAD_BYTES);
	}
	ask_daemon(utils, len, HV_UTILS_ANSWER_MS, now_ms);
}

static void take_waiting(struct hv_utils *utils, uint64_t now_ms)
{
	size_t len = utils->waiting_len;
	utils->waiting_len = 0;
	if (len > 0)
		hv_utils_on_packet(utils, utils->waiting, len, now_ms);
}

void hv_utils_on_packet(struct hv_utils *utils, const void *bytes, size_t len, uint64_t now_ms)
{
	struct ic_message message;
	/* Backup answers before there is a daemon; one transaction at a time for all. */
	bool must_wait = utils->state == HV_UTILS_REQUESTED ||
			 (utils->state < HV_UTILS_READY && utils->type != IC_TYPE_VSS);
	if (len > sizeof utils->packet)
		return;
	if (must_wait) {
		memmove(utils->waiting, bytes, len);
		utils->waiting_len = len;
		return;
	}
	memmove(utils->packet, bytes, len);
	utils->len = len;
	if (ic_message_decode(utils->packet, len, &message) != IC_OK)
		return;
	if (message.header.type == IC_TYPE_NEGOTIATE) {
		negotiate(utils, &message);
	} else if (message.header.type != utils->type) {
		respond(utils, IC_STATUS_FAIL);
	} else if (utils->type == IC_TYPE_VSS) {
		request_vss(utils, now_ms);
	} else if (utils->type == IC_TYPE_FCOPY) {
		request_fcopy(utils, now_ms);
	} else {
		size_t size = hv_utils_kvp_request(body_of(utils), utils->record);
		ask_daemon(utils, size, HV_UTILS_ANSWER_MS, now_ms);
	}
}

void hv_utils_on_open(struct hv_utils *utils)
{
	utils->state = HV_UTILS_ABSENT;
}

/* The first record of a daemon. */
static int greet(struct hv_utils *utils, const uint8_t *record, size_t len, uint64_t now_ms)
{
	size_t size = sizeof(uint32_t);
	memset(utils->record, 0, sizeof utils->record);
	switch (utils->type) {
	case IC_TYPE_KVP:
		if (len < KVP_RECORD || record[0] != KVP_REGISTER)
			return -EINVAL;
		utils->record[0] = KVP_REGISTER;
		memcpy(utils->record + 4, "3.1", 4);
		size = KVP_RECORD;
		break;
	case IC_TYPE_VSS:
		if (len != VSS_RECORD || record[0] != VSS_REGISTER)
			return -EINVAL;
		put32(utils->record, VSS_REGISTER);
		break;
	default:
		if (len != sizeof(uint32_t) || get32(record) != FCOPY_VERSION)
			return -EINVAL;
		put32(utils->record, FCOPY_VERSION);
	}
	(void)now_ms;
	utils->state = HV_UTILS_GREETED;
	return utils->ops->to_daemon(utils->ctx, utils->record, size);
}

/* The answer to a request. */
static int answer(struct hv_utils *utils, const uint8_t *record, size_t len, uint64_t now_ms)
{
	uint32_t status = get32(record);
	if (utils->type == IC_TYPE_KVP)
		status = status == 0 ? hv_utils_kvp_response(record, body_of(utils)) : status;
	else if (utils->type == IC_TYPE_VSS && body_of(utils)[0] == VSS_HOT_BACKUP && status == 0)
		put32(body_of(utils) + 8, 5);
	(void)len;
	respond(utils, status);
	take_waiting(utils, now_ms);
	return 0;
}

int hv_utils_on_record(struct hv_utils *utils, const void *bytes, size_t len, uint64_t now_ms)
{
	size_t least = utils->type == IC_TYPE_KVP   ? KVP_RECORD
		       : utils->type == IC_TYPE_VSS ? VSS_RECORD
						    : sizeof(uint32_t);
	/* The kernel takes a longer record of the first, and no other length of the others. */
	if (utils->type == IC_TYPE_KVP ? len < least : len != least)
		return -EINVAL;
	switch (utils->state) {
	case HV_UTILS_ABSENT:
		return greet(utils, bytes, len, now_ms);
	case HV_UTILS_REQUESTED:
		return answer(utils, bytes, len, now_ms);
	default:
		return utils->type == IC_TYPE_KVP ? 0 : -EINVAL; /* nobody has asked */
	}
}

void hv_utils_on_read(struct hv_utils *utils, uint64_t now_ms)
{
	if (utils->state != HV_UTILS_GREETED)
		return;
	utils->state = HV_UTILS_READY;
	take_waiting(utils, now_ms);
}

void hv_utils_on_close(struct hv_utils *utils)
{
	bool was_requested = utils->state == HV_UTILS_REQUESTED;
	if (was_requested)
		respond(utils, IC_STATUS_FAIL);
	utils->state = HV_UTILS_ABSENT;
}

void hv_utils_on_time(struct hv_utils *utils, uint64_t now_ms)
{
	if (utils->state != HV_UTILS_REQUESTED || now_ms < utils->due_ms)
		return;
	utils->timeouts++;
	respond(utils, IC_STATUS_FAIL);
	take_waiting(utils, now_ms);
}
