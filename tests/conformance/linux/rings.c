// SPDX-License-Identifier: Apache-2.0
/* Rings of a channel, from the host's end, and packets that no writer of ours would write. */
#include "tests/conformance/linux/guest.h"

#include <string.h>

static struct ring_area area_of(const struct guest_ring_mapping *mapping)
{
	return (struct ring_area){
		.control = mapping->control,
		.data = mapping->data,
		.data_bytes = (uint32_t)mapping->data_bytes,
		.is_double_mapped = true,
	};
}

bool linux_rings_map(struct linux_channel *channel, const struct linux_gpadl *gpadl)
{
	/* All of it is the guest's: the list may be empty, and the split anything. */
	const uint32_t pages = gpadl->stream_bytes >= 8 ? gpadl->stream_bytes / 8 - 1 : 0;
	const uint32_t split = channel->request.downstream_page_offset;
	const struct guest_memory *memory = channel->guest->memory;

	if (channel->is_open)
		linux_rings_unmap(channel);
	if (!gpadl->is_created || split < 2 || split > pages || pages - split < 2 ||
		guest_memory_ring_map(memory, gpadl->words + 1, split, &channel->incoming) != 0)
		return false;
	if (guest_memory_ring_map(
		    memory, gpadl->words + 1 + split, pages - split, &channel->outgoing) != 0) {
		guest_memory_ring_unmap(&channel->incoming);
		return false;
	}
	const struct ring_area incoming = area_of(&channel->incoming);
	const struct ring_area outgoing = area_of(&channel->outgoing);
	channel->is_open = true;
	channel->signals = 0;
	channel->target_vp = channel->request.target_vp;
	if (ring_open(&channel->writer, &outgoing, &channel->reader, &incoming,
		    RING_FLAGS_STRICT) == RING_OK)
		return true;
	linux_rings_unmap(channel);
	return false;
}

void linux_rings_unmap(struct linux_channel *channel)
{
	channel->is_open = false;
	guest_memory_ring_unmap(&channel->incoming);
	guest_memory_ring_unmap(&channel->outgoing);
}

void linux_event(struct linux_channel *channel)
{
	(void)synic_event_set(
		channel->guest->partition, channel->target_vp, VMBUS_SINT, channel->offer.relid);
}

bool linux_packet_quiet(
	struct linux_channel *channel, const struct packet_header *header, const void *payload)
{
	if (!channel->is_open)
		return conform_no(&channel->guest->target, "the guest has closed the channel");
	const enum ring_status status = ring_send(&channel->writer, header, NULL, payload);
	if (status != RING_OK)
		return conform_no(&channel->guest->target,
			"the guest does not read its ring: a packet of %u bytes finds it %s",
			header->payload_bytes, ring_status_name(status));
	(void)ring_flush(&channel->writer);
	return true;
}

bool linux_packet(
	struct linux_channel *channel, const struct packet_header *header, const void *payload)
{
	if (!linux_packet_quiet(channel, header, payload))
		return false;
	linux_event(channel); /* more often than due does no harm */
	return true;
}

void linux_packet_raw(struct linux_channel *channel,
	const struct packet_descriptor_wire *descriptor, const void *payload, uint32_t bytes,
	uint32_t advance)
{
	uint32_t *control = channel->outgoing.control;
	const uint32_t size = (uint32_t)channel->outgoing.data_bytes;
	const uint32_t in = __atomic_load_n(&control[RING_WORD_IN], __ATOMIC_RELAXED) % size;
	uint8_t *at = channel->outgoing.data + in;

	if (!channel->is_open)
		return;
	memcpy(at, descriptor, sizeof *descriptor);
	if (bytes > 0)
		memcpy(at + sizeof *descriptor, payload, bytes);
	memset(at + sizeof *descriptor + bytes, 0, PACKET_TRAILER_BYTES);
	__atomic_store_n(&control[RING_WORD_IN], (in + advance) % size, __ATOMIC_SEQ_CST);
	linux_event(channel);
}

bool linux_has_packet(struct linux_channel *channel)
{
	const uint32_t *control = channel->incoming.control;

	return channel->is_open &&
	       __atomic_load_n(&control[RING_WORD_IN], __ATOMIC_ACQUIRE) !=
		       __atomic_load_n(&control[RING_WORD_OUT], __ATOMIC_RELAXED);
}

static bool has_packet(struct linux_guest *g, void *ctx)
{
	(void)g;
	return !((struct linux_channel *)ctx)->is_open || linux_has_packet(ctx);
}

bool linux_receive(
	struct linux_channel *channel, struct packet_view *view, void *payload, size_t bytes)
{
	struct linux_guest *g = channel->guest;

	if (!linux_until(g, has_packet, channel))
		return conform_no(&g->target, "no packet comes from the guest%s%s",
			g->has_ended ? ": " : "", g->end);
	if (!channel->is_open)
		return conform_no(&g->target, "the guest has closed the channel");
	const enum ring_status status = ring_peek(&channel->reader, view);
	if (status != RING_OK)
		return conform_no(&g->target, "the guest's ring: %s", ring_status_name(status));
	memcpy(payload, view->payload, view->payload_bytes < bytes ? view->payload_bytes : bytes);
	const uint64_t start = (uint64_t)(channel->reader.next - channel->reader.data) << 32;
	if (ring_view_trailer(&channel->reader, view) != start)
		return conform_no(&g->target, "R-RING-004: a trailer of 0x%llx, not 0x%llx",
			(unsigned long long)ring_view_trailer(&channel->reader, view),
			(unsigned long long)start);
	ring_release(&channel->reader, view);
	if (ring_read_flush(&channel->reader))
		linux_event(channel);
	return true;
}

static bool is_taken(struct linux_guest *g, void *ctx)
{
	const struct linux_channel *channel = ctx;
	const uint32_t *control = channel->outgoing.control;
	(void)g;
	return !channel->is_open ||
	       __atomic_load_n(&control[RING_WORD_IN], __ATOMIC_RELAXED) ==
		       __atomic_load_n(&control[RING_WORD_OUT], __ATOMIC_ACQUIRE);
}

bool linux_taken(struct linux_channel *channel)
{
	return linux_until(channel->guest, is_taken, channel) ||
	       conform_no(&channel->guest->target, "the guest does not read its ring to the end");
}
