// SPDX-License-Identifier: Apache-2.0
/*
 * Framing and version negotiation of integration components. See ic.h and ic.md.
 * Freestanding; every function is pure.
 */
#include "protocol/ic.h"

#include "protocol/cursor.h"

#include <string.h>

#define LIST(array)                                                                                \
	{                                                                                          \
		.at = (array), .count = (uint16_t)(sizeof(array) / sizeof((array)[0]))             \
	}

static const struct ic_version_wire frameworks_all[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire heartbeat_versions[] = {{1, 0}, {3, 0}};
static const struct ic_version_wire kvp_versions[] = {{1, 0}, {3, 0}, {4, 0}, {5, 0}};
static const struct ic_version_wire shutdown_versions[] = {{1, 0}, {3, 0}, {3, 1}, {3, 2}};
static const struct ic_version_wire timesync_versions[] = {{1, 0}, {3, 0}, {4, 0}};
static const struct ic_version_wire vss_versions[] = {{4, 0}, {5, 0}, {6, 0}, {7, 0}};
static const struct ic_version_wire fcopy_versions[] = {{1, 1}};

/* Sorted by type. */
static const struct ic_component components[] = {
	{IC_TYPE_HEARTBEAT, "heartbeat", LIST(frameworks_all), LIST(heartbeat_versions)},
	{IC_TYPE_KVP, "kvp", LIST(frameworks_all), LIST(kvp_versions)},
	{IC_TYPE_SHUTDOWN, "shutdown", LIST(frameworks_all), LIST(shutdown_versions)},
	{IC_TYPE_TIMESYNC, "timesync", LIST(frameworks_all), LIST(timesync_versions)},
	{IC_TYPE_VSS, "vss", LIST(frameworks_all), LIST(vss_versions)},
	{IC_TYPE_FCOPY, "fcopy", LIST(frameworks_all), LIST(fcopy_versions)},
};

static const char *const rejection_names[] = {
#define IC_REJECTION_NAME(symbol, name) [symbol] = (name),
	IC_REJECTIONS(IC_REJECTION_NAME)
#undef IC_REJECTION_NAME
};

static const char *const type_names[] = {
	[IC_TYPE_NEGOTIATE] = "negotiate",
	[IC_TYPE_HEARTBEAT] = "heartbeat",
	[IC_TYPE_KVP] = "kvp",
	[IC_TYPE_SHUTDOWN] = "shutdown",
	[IC_TYPE_TIMESYNC] = "timesync",
	[IC_TYPE_VSS] = "vss",
	[IC_TYPE_RDV] = "rdv",
	[IC_TYPE_FCOPY] = "fcopy",
	[IC_TYPE_VM_SESSION] = "vm session",
};

const char *ic_rejection_name(enum ic_rejection rejection)
{
	if ((unsigned)rejection >= IC_REJECTION_COUNT)
		return "unknown";
	return rejection_names[rejection];
}

const char *ic_type_name(uint16_t type)
{
	if (type >= sizeof type_names / sizeof type_names[0])
		return "unknown";
	return type_names[type];
}

const struct ic_component *ic_component_table(size_t *count)
{
	*count = sizeof components / sizeof components[0];
	return components;
}

const struct ic_component *ic_component_find(uint16_t type)
{
	for (size_t i = 0; i < sizeof components / sizeof components[0]; i++) {
		if (components[i].type == type)
			return &components[i];
	}
	return NULL;
}

int ic_version_compare(struct ic_version_wire a, struct ic_version_wire b)
{
	if (a.major != b.major)
		return a.major < b.major ? -1 : 1;
	if (a.minor != b.minor)
		return a.minor < b.minor ? -1 : 1;
	return 0;
}

enum ic_rejection ic_message_decode(const void *bytes, size_t len, struct ic_message *out)
{
	if (len < IC_OVERHEAD_BYTES)
		return IC_REJECT_SHORT;
	struct cursor c = cursor_over(bytes, len);
	struct packet_pipe_wire pipe;
	cursor_bytes(&c, &pipe, sizeof pipe);
	if (pipe.type != PACKET_PIPE_DATA)
		return IC_REJECT_PIPE_TYPE;
	if (pipe.length > IC_MESSAGE_MAX_BYTES)
		return IC_REJECT_TOO_LONG;
	if (pipe.length > cursor_left(&c))
		return IC_REJECT_PIPE_LENGTH;
	if (pipe.length < IC_HEADER_BYTES)
		return IC_REJECT_SHORT;
	cursor_bytes(&c, &out->header, sizeof out->header);
	out->capacity_bytes = pipe.length - IC_HEADER_BYTES;
	out->body_bytes = out->header.body_bytes;
	if (out->body_bytes > out->capacity_bytes)
		return IC_REJECT_BODY_BYTES;
	out->body = cursor_take(&c, out->capacity_bytes);
	return IC_OK;
}

size_t ic_message_frame(void *buffer, size_t capacity, const struct ic_header_wire *header)
{
	uint32_t length = IC_HEADER_BYTES + header->body_bytes;
	if (length > IC_MESSAGE_MAX_BYTES || capacity < PACKET_PIPE_HEADER_BYTES + length)
		return 0;
	struct packet_pipe_wire pipe = {.type = PACKET_PIPE_DATA, .length = length};
	memcpy(buffer, &pipe, sizeof pipe);
	memcpy((uint8_t *)buffer + PACKET_PIPE_HEADER_BYTES, header, sizeof *header);
	return PACKET_PIPE_HEADER_BYTES + length;
}

static bool list_is_sendable(const struct ic_version_list *list)
{
	return list->count >= 1 && list->count <= IC_VERSIONS_MAX;
}

size_t ic_negotiate_request(const struct ic_version_list *frameworks,
	const struct ic_version_list *messages, uint8_t transaction_id, void *buffer,
	size_t capacity)
{
	if (!list_is_sendable(frameworks) || !list_is_sendable(messages))
		return 0;
	size_t framework_bytes = (size_t)frameworks->count * IC_VERSION_BYTES;
	size_t message_bytes = (size_t)messages->count * IC_VERSION_BYTES;
	struct ic_header_wire header = {
		.type = IC_TYPE_NEGOTIATE,
		.body_bytes = (uint16_t)(IC_NEGOTIATE_BYTES + framework_bytes + message_bytes),
		.transaction_id = transaction_id,
		.flags = IC_FLAGS_REQUEST,
	};
	size_t len = ic_message_frame(buffer, capacity, &header);
	if (len == 0)
		return 0;
	struct ic_negotiate_wire counts = {
		.framework_count = frameworks->count,
		.message_count = messages->count,
	};
	struct cursor_writer w = cursor_writer_over(buffer, len);
	(void)cursor_claim(&w, IC_OVERHEAD_BYTES);
	cursor_put_bytes(&w, &counts, sizeof counts);
	cursor_put_bytes(&w, frameworks->at, framework_bytes);
	cursor_put_bytes(&w, messages->at, message_bytes);
	return len;
}

static bool list_has(const struct ic_version_list *list, struct ic_version_wire version)
{
	for (uint16_t i = 0; i < list->count; i++) {
		if (ic_version_compare(list->at[i], version) == 0)
			return true;
	}
	return false;
}

enum ic_rejection ic_negotiate_result(const struct ic_message *answer,
	const struct ic_version_list *frameworks, const struct ic_version_list *messages,
	struct ic_agreement *out)
{
	if (answer->header.status != IC_STATUS_SUCCESS)
		return IC_REJECT_STATUS;
	struct cursor c = cursor_over(answer->body, answer->body_bytes);
	struct ic_negotiate_wire counts;
	cursor_bytes(&c, &counts, sizeof counts);
	if (c.has_failed)
		return IC_REJECT_BODY_SHORT;
	if (counts.framework_count == 0 && counts.message_count == 0)
		return IC_REJECT_NO_COMMON_VERSION;
	if (counts.framework_count != 1 || counts.message_count != 1)
		return IC_REJECT_VERSION_COUNT;
	struct ic_version_wire pair[2];
	cursor_bytes(&c, pair, sizeof pair);
	if (c.has_failed)
		return IC_REJECT_VERSION_LIST;
	if (!list_has(frameworks, pair[0]) || !list_has(messages, pair[1]))
		return IC_REJECT_NOT_OFFERED;
	out->framework = pair[0];
	out->message = pair[1];
	return IC_OK;
}

/* Highest version that is both in `ours` and among the next `count` of `theirs`. */
static bool highest_common(const struct ic_version_list *ours, struct cursor *theirs,
	uint16_t count, struct ic_version_wire *best)
{
	bool is_found = false;
	for (uint16_t i = 0; i < count; i++) {
		struct ic_version_wire version;
		cursor_bytes(theirs, &version, sizeof version);
		if (!list_has(ours, version))
			continue;
		if (!is_found || ic_version_compare(version, *best) > 0)
			*best = version;
		is_found = true;
	}
	return is_found;
}

enum ic_rejection ic_negotiate_pick(const struct ic_message *request,
	const struct ic_version_list *frameworks, const struct ic_version_list *messages,
	struct ic_agreement *out)
{
	struct cursor c = cursor_over(request->body, request->body_bytes);
	struct ic_negotiate_wire counts;
	cursor_bytes(&c, &counts, sizeof counts);
	if (c.has_failed)
		return IC_REJECT_BODY_SHORT;
	if (counts.framework_count == 0 || counts.framework_count > IC_VERSIONS_MAX ||
		counts.message_count == 0 || counts.message_count > IC_VERSIONS_MAX)
		return IC_REJECT_VERSION_COUNT;
	struct ic_agreement best = {{0, 0}, {0, 0}};
	bool has_framework = highest_common(
		frameworks, &c, counts.framework_count, &best.framework);
	bool has_message = highest_common(messages, &c, counts.message_count, &best.message);
	if (c.has_failed)
		return IC_REJECT_VERSION_LIST;
	if (!has_framework || !has_message)
		return IC_REJECT_NO_COMMON_VERSION;
	*out = best;
	return IC_OK;
}

size_t ic_negotiate_answer(const void *request, size_t len, const struct ic_agreement *agreement,
	void *buffer, size_t capacity)
{
	struct ic_message message;
	if (ic_message_decode(request, len, &message) != IC_OK)
		return 0;
	size_t need = agreement != NULL ? IC_ANSWER_BODY_BYTES : IC_NEGOTIATE_BYTES;
	size_t answer_len = IC_OVERHEAD_BYTES + message.capacity_bytes;
	if (message.capacity_bytes < need || capacity < answer_len)
		return 0;
	uint8_t *at = (uint8_t *)buffer;
	memmove(at, request, answer_len);
	ic_response_mark(at, IC_STATUS_SUCCESS);

	uint16_t body_bytes = message.capacity_bytes < IC_ANSWER_BODY_BYTES
				      ? (uint16_t)IC_NEGOTIATE_BYTES
				      : (uint16_t)IC_ANSWER_BODY_BYTES;
	memcpy(at + PACKET_PIPE_HEADER_BYTES + offsetof(struct ic_header_wire, body_bytes),
		&body_bytes, sizeof body_bytes);
	uint16_t count = agreement != NULL ? 1 : 0;
	uint16_t counts[2] = {count, count};
	/* What is reserved stays (R-IC-047). */
	memcpy(at + IC_OVERHEAD_BYTES, counts, sizeof counts);
	if (agreement != NULL) {
		struct ic_version_wire pair[2] = {agreement->framework, agreement->message};
		memcpy(at + IC_OVERHEAD_BYTES + sizeof(struct ic_negotiate_wire), pair,
			sizeof pair);
	}
	return answer_len;
}

void ic_response_mark(void *buffer, uint32_t status)
{
	uint8_t *header = (uint8_t *)buffer + PACKET_PIPE_HEADER_BYTES;
	const uint8_t flags = IC_FLAGS_RESPONSE;
	memcpy(header + offsetof(struct ic_header_wire, status), &status, sizeof status);
	memcpy(header + offsetof(struct ic_header_wire, flags), &flags, sizeof flags);
}
