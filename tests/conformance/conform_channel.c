// SPDX-License-Identifier: Apache-2.0
/* A channel for conformance tests. See conform_channel.h. */
#include "tests/conformance/conform_channel.h"

static struct ring_area area(struct conform_channel *channel, bool is_out)
{
	const uint32_t data_bytes = channel->ring_bytes - RING_CONTROL_BYTES;

	return (struct ring_area){
		.control = is_out ? channel->out_control : channel->in_control,
		.data = is_out ? channel->out_data : channel->in_data,
		.data_bytes = data_bytes,
		.scratch = channel->scratch.va + (is_out ? 0 : data_bytes),
		.scratch_bytes = data_bytes,
	};
}

bool conform_channel_rings(struct conform_target *t, struct conform_channel *channel)
{
	const struct ring_area out = area(channel, true);
	const struct ring_area in = area(channel, false);

	return ring_open(&channel->out, &out, &channel->in, &in, RING_FLAGS_IGNORE) == RING_OK ||
	       conform_no(t, "the rings have invalid indices");
}

bool conform_channel_lend(struct conform_target *t, struct conform_channel *channel,
	const struct vmbus_offer_channel_wire *offer, uint32_t data_pages)
{
	*channel = (struct conform_channel){
		.relid = offer->relid,
		.connection_id = offer->connection_id,
		.gpadl_id = conform_gpadl_id(t),
		.open_id = 0x0be0 + offer->relid,
		.ring_bytes = RING_CONTROL_BYTES + data_pages * RING_PAGE_BYTES,
	};
	channel->pages = conform_pages(t, (size_t)2 * channel->ring_bytes);
	channel->scratch = conform_pages(t, (size_t)2 * data_pages * RING_PAGE_BYTES);
	if (channel->pages.va == NULL || channel->scratch.va == NULL)
		return conform_no(t, "there is no memory for rings");
	channel->out_control = channel->pages.va;
	channel->out_data = channel->out_control + RING_CONTROL_BYTES;
	channel->in_control = channel->pages.va + channel->ring_bytes;
	channel->in_data = channel->in_control + RING_CONTROL_BYTES;
	return conform_channel_rings(t, channel) &&
	       conform_gpadl_make(t, channel->relid, channel->gpadl_id, &channel->pages);
}

struct vmbus_open_channel_wire conform_channel_request(struct conform_channel *channel)
{
	return (struct vmbus_open_channel_wire){
		.header.type = VMBUS_MESSAGE_OPEN_CHANNEL,
		.relid = channel->relid,
		.open_id = channel->open_id,
		.ring_gpadl_id = channel->gpadl_id,
		.downstream_page_offset = channel->ring_bytes / RING_PAGE_BYTES,
	};
}

bool conform_channel_ask(
	struct conform_target *t, const struct vmbus_open_channel_wire *open, uint32_t *status)
{
	struct vmbus_open_channel_result_wire result;

	if (!conform_bus_post(t, open, VMBUS_OPEN_CHANNEL_BYTES) ||
		!conform_bus_expect(t, VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, &result, sizeof result))
		return false;
	*status = result.status;
	return (result.relid == open->relid && result.open_id == open->open_id) ||
	       conform_no(t, "OPEN_CHANNEL_RESULT names relid %u, open id %u, not %u, %u",
		       result.relid, result.open_id, open->relid, open->open_id);
}

bool conform_channel_open(struct conform_target *t, struct conform_channel *channel,
	const struct vmbus_offer_channel_wire *offer, uint32_t data_pages)
{
	uint32_t status;

	if (!conform_channel_lend(t, channel, offer, data_pages))
		return false;
	const struct vmbus_open_channel_wire open = conform_channel_request(channel);
	return conform_channel_ask(t, &open, &status) &&
	       (status == VMBUS_STATUS_SUCCESS ||
		       conform_no(t, "OPEN_CHANNEL of relid %u gave 0x%x", channel->relid, status));
}

bool conform_channel_close(struct conform_target *t, struct conform_channel *channel)
{
	return conform_bus_post_relid(t, VMBUS_MESSAGE_CLOSE_CHANNEL, channel->relid) &&
	       conform_gpadl_teardown(t, channel->relid, channel->gpadl_id) &&
	       conform_gpadl_torndown(t, channel->gpadl_id);
}

uint16_t conform_channel_signal(struct conform_target *t, const struct conform_channel *channel)
{
	const int status = winhv_signal_event(t->hv, channel->connection_id, 0);

	return status < 0 ? CONFORM_FAULT : (uint16_t)status;
}

bool conform_channel_send(struct conform_target *t, struct conform_channel *channel,
	const struct packet_header *header, const void *extended, const void *payload)
{
	const enum ring_status status = ring_send(&channel->out, header, extended, payload);

	if (status != RING_OK)
		return conform_no(t, "a packet could not be written: %s", ring_status_name(status));
	if (!ring_flush(&channel->out))
		return true;
	const uint16_t signal = conform_channel_signal(t, channel);
	return signal == HV_STATUS_SUCCESS ||
	       conform_no(t, "the signal of an open channel gave status 0x%x", signal);
}

bool conform_channel_receive(
	struct conform_target *t, struct conform_channel *channel, struct packet_view *view)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;

	for (;;) {
		uint32_t sints;
		/* Before the look: a flag that stays set would keep the next interrupt away. */
		(void)winhv_events_take(t->hv, 0, VMBUS_SINT, channel->relid / 64);
		enum ring_status status = ring_peek(&channel->in, view);
		if (status == RING_OK)
			return true;
		if (status != RING_EMPTY)
			return conform_no(
				t, "the host's ring is corrupt: %s", ring_status_name(status));
		const uint64_t now = conform_now(t);
		if (now >= deadline)
			return conform_no(t, "no packet came within 3 s");
		(void)ring_read_flush(&channel->in);
		if (ring_reader_arm(&channel->in))
			continue;
		if (winhv_wait(t->hv, 0, deadline - now, &sints))
			return conform_no(t, "the host is gone");
	}
}

void conform_channel_done(
	struct conform_target *t, struct conform_channel *channel, const struct packet_view *view)
{
	ring_release(&channel->in, view);
	if (ring_read_flush(&channel->in))
		(void)conform_channel_signal(t, channel);
}

bool conform_channel_answered(
	struct conform_target *t, struct conform_channel *channel, const char *what)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	struct packet_view view;
	enum ring_status status;

	while ((status = ring_peek(&channel->in, &view)) == RING_EMPTY)
		if (conform_now(t) >= deadline)
			return conform_no(t, "no answer came within 3 s to %s", what);
	if (status != RING_OK)
		return conform_no(t, "the host's ring: %s", ring_status_name(status));
	if (view.transaction_id != channel->next_id)
		return conform_no(t, "transaction %llu was answered, not %llu",
			(unsigned long long)view.transaction_id,
			(unsigned long long)channel->next_id);
	conform_channel_done(t, channel, &view);
	return true;
}

bool conform_event(struct conform_target *t, uint32_t vp, uint32_t flag)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;

	for (;;) {
		uint32_t sints;
		if (winhv_events_take(t->hv, vp, VMBUS_SINT, flag / 64) & 1ull << flag % 64)
			return true;
		const uint64_t now = conform_now(t);
		if (now >= deadline)
			return conform_no(t, "no event with flag %u came to VP %u", flag, vp);
		if (winhv_wait(t->hv, vp, deadline - now, &sints))
			return conform_no(t, "the host is gone");
	}
}
