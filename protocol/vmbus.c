// SPDX-License-Identifier: Apache-2.0
/*
 * The tables of protocol/vmbus.h: versions, messages, rejections.
 *
 * Freestanding; pure functions over constant tables; call from any thread.
 */
#include "protocol/vmbus.h"

/* All capabilities of a version: those it added and those of the version before. */
enum {
	CAPS_0_13 = VMBUS_CAPS_ADDED_0_13,
	CAPS_1_1 = CAPS_0_13 | VMBUS_CAPS_ADDED_1_1,
	CAPS_2_4 = CAPS_1_1 | VMBUS_CAPS_ADDED_2_4,
	CAPS_3_0 = CAPS_2_4 | VMBUS_CAPS_ADDED_3_0,
	CAPS_4_0 = CAPS_3_0 | VMBUS_CAPS_ADDED_4_0,
	CAPS_4_1 = CAPS_4_0 | VMBUS_CAPS_ADDED_4_1,
	CAPS_5_0 = CAPS_4_1 | VMBUS_CAPS_ADDED_5_0,
	CAPS_5_1 = CAPS_5_0 | VMBUS_CAPS_ADDED_5_1,
	CAPS_5_2 = CAPS_5_1 | VMBUS_CAPS_ADDED_5_2,
	CAPS_5_3 = CAPS_5_2 | VMBUS_CAPS_ADDED_5_3,
	CAPS_6_0 = CAPS_5_3 | VMBUS_CAPS_ADDED_6_0,
};

const struct vmbus_version_info vmbus_version_table[VMBUS_VERSION_COUNT] = {
#define VERSION_ROW(suffix, major, minor, name, first_host)                                        \
	{                                                                                          \
		.version = VMBUS_VERSION_VALUE(major, minor),                                      \
		.added = VMBUS_CAPS_ADDED_##suffix,                                                \
		.capabilities = CAPS_##suffix,                                                     \
		.text = (name),                                                                    \
		.host = (first_host),                                                              \
	},
	VMBUS_VERSIONS(VERSION_ROW)
#undef VERSION_ROW
};

const struct vmbus_version_info *vmbus_version_find(uint32_t version)
{
	for (unsigned i = 0; i < VMBUS_VERSION_COUNT; i++) {
		if (vmbus_version_table[i].version == version)
			return &vmbus_version_table[i];
	}
	return NULL;
}

bool vmbus_version_has(uint32_t version, uint32_t caps)
{
	const struct vmbus_version_info *row = vmbus_version_find(version);
	return row && (row->capabilities & caps) == caps;
}

const struct vmbus_message_info vmbus_message_table[VMBUS_MESSAGE_TYPE_MAX] = {
#define MESSAGE_ROW(number, NAME, way, lowest, bytes, needed, when)                                \
	[(number)-1] = {                                                                           \
		.type = (number),                                                                  \
		.name = #NAME,                                                                     \
		.direction = (way),                                                                \
		.version = (lowest),                                                               \
		.min_bytes = (bytes),                                                              \
		.feature = (needed),                                                               \
		.allowed = (when),                                                                 \
	},
	VMBUS_MESSAGES(MESSAGE_ROW)
#undef MESSAGE_ROW
};

const struct vmbus_message_info *vmbus_message_find(uint32_t type)
{
	if (type == VMBUS_MESSAGE_INVALID || type > VMBUS_MESSAGE_TYPE_MAX)
		return NULL;
	return &vmbus_message_table[type - 1];
}

const char *vmbus_message_name(uint32_t type)
{
	const struct vmbus_message_info *row = vmbus_message_find(type);
	return row ? row->name : "unknown";
}

bool vmbus_message_is_allowed(
	const struct vmbus_message_info *message, uint32_t version, uint32_t features)
{
	if (version == VMBUS_VERSION_ANY)
		return (message->allowed & VMBUS_ALLOWED_DISCONNECTED) != 0;
	if (!vmbus_version_find(version) || version < message->version)
		return false;
	if (message->feature == 0)
		return true;
	return vmbus_version_has(version, VMBUS_CAP_FEATURES) &&
	       (features & message->feature) == message->feature;
}

/* The message's form is the longer one if the version knows features and grants any of `bits`. */
static size_t bytes_by_feature(
	uint32_t version, uint32_t features, uint32_t bits, size_t longer, size_t shorter)
{
	const bool is_longer = vmbus_version_has(version, VMBUS_CAP_FEATURES) && (features & bits);
	return is_longer ? longer : shorter;
}

size_t vmbus_message_min_bytes(
	const struct vmbus_message_info *message, uint32_t version, uint32_t features)
{
	switch (message->type) {
	case VMBUS_MESSAGE_OFFER_CHANNEL:
		return vmbus_version_has(version, VMBUS_CAP_DEDICATED_INTERRUPT)
			       ? VMBUS_OFFER_CHANNEL_BYTES
			       : VMBUS_OFFER_CHANNEL_0_13_BYTES;
	case VMBUS_MESSAGE_OPEN_CHANNEL:
		return bytes_by_feature(version, features,
			VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS | VMBUS_FEATURE_INTERRUPT_REDIRECTION,
			VMBUS_OPEN_CHANNEL_EXTENDED_BYTES, VMBUS_OPEN_CHANNEL_BYTES);
	case VMBUS_MESSAGE_INITIATE_CONTACT:
		return bytes_by_feature(version, features, VMBUS_FEATURE_CLIENT_ID,
			VMBUS_INITIATE_CONTACT_CLIENT_ID_BYTES, VMBUS_INITIATE_CONTACT_BYTES);
	case VMBUS_MESSAGE_VERSION_RESPONSE:
		/* The connection id to use from now on is at the end of the 16 bytes. */
		return vmbus_version_has(version, VMBUS_CAP_MULTI_CLIENT)
			       ? VMBUS_VERSION_RESPONSE_BYTES
			       : VMBUS_VERSION_RESPONSE_SHORTEST_BYTES;
	default:
		return message->min_bytes;
	}
}

static const struct {
	const char *name;
	const char *text;
} rejection_table[VMBUS_REJECTION_COUNT] = {
	[VMBUS_REJECTION_NONE] = {.name = "NONE", .text = "accepted"},
#define REJECTION_ROW(NAME, words) [VMBUS_REJECTION_##NAME] = {.name = #NAME, .text = (words)},
	VMBUS_REJECTIONS(REJECTION_ROW)
#undef REJECTION_ROW
};

const char *vmbus_rejection_name(enum vmbus_rejection rejection)
{
	return (unsigned)rejection < VMBUS_REJECTION_COUNT ? rejection_table[rejection].name
							   : "unknown";
}

const char *vmbus_rejection_text(enum vmbus_rejection rejection)
{
	return (unsigned)rejection < VMBUS_REJECTION_COUNT ? rejection_table[rejection].text
							   : "unknown";
}
