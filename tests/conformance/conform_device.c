// SPDX-License-Identifier: Apache-2.0
/* The test devices for conformance tests. See conform_device.h. */
#include "tests/conformance/conform_device.h"

bool conform_device_open(struct conform_target *t, struct conform_channel *channel)
{
	const struct vmbus_open_channel_wire open = conform_channel_request(channel);
	uint32_t status;

	return conform_channel_ask(t, &open, &status) &&
	       (status == VMBUS_STATUS_SUCCESS || conform_no(t, "OPEN_CHANNEL gave 0x%x", status));
}

void conform_fill(uint8_t *bytes, uint32_t count, uint32_t seed)
{
	for (uint32_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(seed * 31 + i + (i >> 8) * 7);
}

bool conform_same(
	struct conform_target *t, const uint8_t *got, const uint8_t *wanted, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (got[i] != wanted[i])
			return conform_no(t, "byte %u of %u is 0x%02x, not 0x%02x", i, count,
				got[i], wanted[i]);
	return true;
}

bool conform_comes(struct conform_target *t, struct conform_channel *channel, uint16_t type,
	uint64_t id, const uint8_t *bytes, uint32_t count)
{
	struct packet_view view;

	if (!conform_channel_receive(t, channel, &view))
		return false;
	if (view.type != type || view.flags != 0 || view.transaction_id != id)
		return conform_no(t,
			"type %u, flags %u, transaction 0x%llx came, not type %u, 0x%llx",
			view.type, view.flags, (unsigned long long)view.transaction_id, type,
			(unsigned long long)id);
	if (view.payload_bytes != (count + 7) / 8 * 8)
		return conform_no(t, "%u bytes came, not %u", view.payload_bytes, count);
	if (!conform_same(t, view.payload, bytes, count))
		return false;
	conform_channel_done(t, channel, &view);
	return true;
}
