// SPDX-License-Identifier: Apache-2.0
/*
 * An integration component on the two rings of a channel. See ic_link.h.
 */
#include "guest/ic_daemons/ic_link.h"

#include <string.h>

void ic_link_give_up(struct ic_link *link, const char *reason)
{
	link->is_gone = true;
	if (link->reason == NULL)
		link->reason = reason;
}

static void send(struct ic_link *link, const void *bytes, size_t len, uint64_t transaction_id)
{
	struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.payload_bytes = (uint32_t)len,
		.transaction_id = transaction_id,
	};
	enum ring_status status = ring_send(link->out, &header, NULL, bytes);
	if (status == RING_OK) {
		link->replies++;
		return;
	}
	link->replies_dropped++;
	if (ring_status_is_corrupt(status))
		ic_link_give_up(link, ring_status_name(status));
}

static void count_bad_packet(struct ic_guest *ic, enum ic_rejection reason)
{
	ic->rejections[reason]++;
	ic->last_rejection = reason;
}

/* One payload, private, in `buffer` (IC_PAYLOAD_MAX_BYTES), where the reply goes too. */
static void answer(struct ic_link *link, void *buffer, const void *payload, uint32_t payload_bytes,
	uint64_t transaction_id)
{
	struct ic_guest *ic = link->ic;
	const uint64_t later = ic->later;
	size_t len = 0;
	enum ic_rejection verdict = ic_guest_on_packet(
		ic, payload, payload_bytes, buffer, IC_PAYLOAD_MAX_BYTES, &len);
	if (len > 0)
		send(link, buffer, len, transaction_id);
	if (ic->later != later)
		link->pending_transaction_id = transaction_id;
	if (!ic->is_pending)
		link->is_held = false; /* a negotiation makes it void too */
	if (verdict == IC_REJECT_BUSY) {
		memcpy(link->held, payload, payload_bytes);
		link->held_len = payload_bytes;
		link->held_transaction_id = transaction_id;
		link->is_held = true;
	}
}

/* Take one packet and answer it. RING_OK: there was one, whatever became of it. */
static enum ring_status take(struct ic_link *link)
{
	struct packet_view view = {0};
	enum ring_status status = ring_receive(link->in, link->buffer, sizeof link->buffer, &view);
	if (status == RING_BUFFER_TOO_SMALL) {
		ring_release(link->in, &view);
		count_bad_packet(link->ic, IC_REJECT_TOO_LONG);
		return RING_OK;
	}
	if (status != RING_OK)
		return status;
	link->packets++;
	/* It is copied: its room goes back before its answer, which the next request may follow. */
	link->flush(link->ctx);
	if (view.type != PACKET_TYPE_INBAND)
		count_bad_packet(link->ic, IC_REJECT_PACKET_TYPE);
	else
		answer(link, link->buffer, view.payload, view.payload_bytes, view.transaction_id);
	return RING_OK;
}

/* An answer that was due is here. Then it is the turn of the request that waited. */
static void on_late(void *ctx, const void *reply, size_t len)
{
	struct ic_link *link = ctx;
	if (link->is_gone)
		return;
	send(link, reply, len, link->pending_transaction_id);
	if (link->is_held) {
		link->is_held = false;
		answer(link, link->held, link->held, link->held_len, link->held_transaction_id);
	}
	link->flush(link->ctx);
}

void ic_link_open(struct ic_link *link, struct ic_guest *ic, struct ring_reader *in,
	struct ring_writer *out, void (*flush)(void *ctx), void *ctx)
{
	memset(link, 0, offsetof(struct ic_link, buffer));
	link->ic = ic;
	link->in = in;
	link->out = out;
	link->flush = flush;
	link->ctx = ctx;
	ic_guest_reset(ic);
	ic_guest_attach(ic, on_late, link);
}

bool ic_link_serve(struct ic_link *link)
{
	unsigned taken = 0;
	for (; taken < IC_LINK_BATCH && !link->is_gone; taken++) {
		enum ring_status status = take(link);
		if (ring_status_is_corrupt(status))
			ic_link_give_up(link, ring_status_name(status));
		if (status != RING_OK)
			break;
	}
	link->flush(link->ctx);
	return taken == IC_LINK_BATCH;
}

void ic_link_close(struct ic_link *link)
{
	if (link->ic == NULL)
		return;
	link->is_held = false;
	ic_guest_attach(link->ic, NULL, NULL);
	ic_guest_reset(link->ic);
	link->ic = NULL;
}
