// SPDX-License-Identifier: Apache-2.0
/* See guest_ring.h. */
#include "tests/conformance/guest_ring.h"

enum conform_verdict guest_ring_both(struct conform_target *t, ring_body body)
{
	struct scripted_host *h = scripted_host_of(t);
	enum conform_verdict verdict = body(t, h, 1);

	if (verdict != CONFORM_PASS)
		return verdict;
	h->is_copying = true;
	TRY(guest_opens(t, 2));
	verdict = body(t, h, 2);
	if (verdict == CONFORM_PASS)
		TRY(guest_goes_on(t, 3));
	return verdict;
}

bool guest_ring_fresh(struct conform_target *t, uint32_t relid)
{
	struct scripted_host *h = scripted_host_of(t);

	if (vmbus_channel_close(h->bus, &h->guest[relid], guest_deadline(h)) != 0)
		return conform_no(t, "the channel cannot be closed");
	return guest_opens(t, relid);
}

enum ring_status guest_ring_send(struct scripted_host *h, uint32_t relid, uint32_t bytes)
{
	static const uint8_t payload[RING_SIZE];
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND, .transaction_id = 7, .payload_bytes = bytes};
	const enum ring_status status = ring_send(&h->guest[relid].out, &header, NULL, payload);

	vmbus_channel_flush(&h->guest[relid]);
	return status;
}

uint64_t guest_ring_take(struct scripted_host *h, uint32_t relid)
{
	struct packet_view view = {0};

	if (ring_peek(&h->guest[relid].in, &view) != RING_OK)
		return 0;
	ring_release(&h->guest[relid].in, &view);
	vmbus_channel_flush(&h->guest[relid]);
	return view.transaction_id;
}

bool guest_ring_advance(struct conform_target *t, uint32_t relid, uint32_t at)
{
	struct scripted_host *h = scripted_host_of(t);
	static const uint8_t payload[RING_SIZE];

	for (unsigned i = 0; i < 2 * RING_SIZE / 24; i++) {
		const uint32_t in = *host_word(h, relid, true, RING_WORD_IN);
		const uint32_t left = (at + RING_SIZE - in) % RING_SIZE;
		if (left == 0)
			return true;
		/* a step that leaves nothing, or enough for another packet */
		uint32_t step = left < 1024 ? left : 1024;
		if (left < 24)
			step = 1024;
		else if (left > 1024 && left < 1024 + 24)
			step = 512;
		if (guest_ring_send(h, relid, step - 24) != RING_OK ||
			!host_send(h, relid, PACKET_TYPE_INBAND, 0, 7, payload, step - 24) ||
			guest_ring_take(h, relid) != 7)
			break;
		host_serve(h, relid);
	}
	return conform_no(t, "packets do not get the rings to offset %u", at);
}

bool guest_ring_stopped(struct conform_target *t, uint32_t relid, enum ring_status reason)
{
	struct scripted_host *h = scripted_host_of(t);
	struct vmbus_channel *channel = &h->guest[relid];
	const uint64_t packets = h->channels[relid].packets;
	struct packet_view view;

	host_event(h, relid);
	(void)vmbus_poll(h->bus, 0);
	const enum ring_status found = ring_peek(&channel->in, &view);
	if (found != reason)
		return conform_no(t, "the guest says \"%s\", not \"%s\"", ring_status_name(found),
			ring_status_name(reason));
	/* as if nothing had happened */
	*host_word(h, relid, true, RING_WORD_IN) = *host_word(h, relid, true, RING_WORD_OUT);
	if (ring_peek(&channel->in, &view) != reason)
		return conform_no(t, "repaired, the ring goes on");
	if (guest_ring_send(h, relid, 8) != RING_OK)
		return conform_no(t, "the other ring has stopped as well");
	host_serve(h, relid);
	return h->channels[relid].packets == packets + 1 ||
	       conform_no(t, "the guest's packet does not come");
}

void host_descriptor(uint8_t d[16], uint16_t type, uint16_t offset8, uint16_t length8,
	uint16_t flags, uint64_t id)
{
	put16(d, type);
	put16(d + 2, offset8);
	put16(d + 4, length8);
	put16(d + 6, flags);
	put64(d + 8, id);
}
