// SPDX-License-Identifier: Apache-2.0
/*
 * Storage on a VMBus. See storage_provider.h.
 */
#include "host/vsp/storage_provider.h"

#include "protocol/packet.h"
#include "protocol/ring.h"
#include "protocol/vmbus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a completion takes in the ring, descriptor and trailer included. */
#define REPLY_RING_BYTES (PACKET_DESCRIPTOR_BYTES + STORAGE_PACKET_BYTES_MAX + PACKET_TRAILER_BYTES)

/*
 * The guest is shown replies before the batch ends, after so many or after so much data: it
 * works on them, and sends what comes next, while the rest of the batch is worked on here.
 */
#define SHOW_REPLIES 8u
#define SHOW_BYTES   (32u << 10)

#define GPN_END (UINT64_C(1) << 52) /* page numbers are below: addresses have 64 bits */

/* The usual page list: one range in one page. */
struct one_page_wire {
	uint32_t reserved; /* may be anything */
	uint32_t range_count;
	uint32_t byte_count;
	uint32_t byte_offset;
	uint64_t gpn;
} PROTOCOL_PACKED;
PROTOCOL_ASSERT_SIZE(
	struct one_page_wire, PACKET_GPA_DIRECT_HEADER_BYTES + PACKET_GPA_RANGE_HEADER_BYTES + 8);

struct provider_channel {
	struct storage_provider *provider;
	uint16_t index;
	struct bus_channel *offered;  /* borrowed until removed; NULL: no offer */
	struct bus_channel *open;     /* the same from open to close_done */
	struct storage_channel *core; /* while open and not closing */
	bool is_in_ready;
	bool is_failed; /* until closed: read and write nothing */
	/* since replies were last shown */
	unsigned unseen_replies;
	uint64_t unseen_bytes;
};

struct storage_provider {
	struct vmbus_bus *bus;
	struct storage_vsp *vsp; /* owned */
	struct storage_provider_config config;
	size_t extended_bytes;
	uint64_t *extended;		    /* owned: the page list of the packet being read */
	struct provider_channel channels[]; /* 1 + max_sub_channels */
};

/* A ring is corrupt: nothing more is read or written. */
static void channel_fail(struct provider_channel *channel, enum ring_status status)
{
	channel->is_failed = true;
	bus_channel_fail(channel->open, ring_status_name(status));
}

/* ---- outputs of the machine ---------------------------------------------------------------- */

/* In the middle of a batch only the replies: its packets are still being looked at. */
static void replies_show(struct provider_channel *channel)
{
	channel->unseen_replies = 0;
	channel->unseen_bytes = 0;
	if (channel->is_in_ready)
		bus_channel_flush_writes(channel->open);
	else
		bus_channel_flush(channel->open);
}

/* Data that a request has moved; what else there is in a reply takes no time. */
static uint32_t moved_bytes(const void *reply, size_t bytes)
{
	struct storage_srb_packet_wire packet;
	if (bytes < offsetof(struct storage_srb_packet_wire, srb.cdb_or_sense))
		return 0;
	memcpy(&packet, reply, offsetof(struct storage_srb_packet_wire, srb.cdb_or_sense));
	return packet.srb.data_length;
}

static void on_complete(void *ctx, uint64_t transaction_id, const void *reply, size_t bytes)
{
	struct provider_channel *channel = ctx;
	const struct packet_header header = {
		.type = PACKET_TYPE_COMPLETION,
		.payload_bytes = (uint32_t)bytes,
		.transaction_id = transaction_id,
	};
	if (channel->is_failed)
		return;
	/* Room was made sure of before the request was read. */
	const enum ring_status status = ring_send(
		bus_channel_writer(channel->open), &header, NULL, reply);
	if (__builtin_expect(status != RING_OK, 0)) {
		channel_fail(channel, status);
		return;
	}
	channel->unseen_bytes += moved_bytes(reply, bytes);
	if (++channel->unseen_replies >= SHOW_REPLIES || channel->unseen_bytes >= SHOW_BYTES)
		replies_show(channel);
	if (!channel->is_in_ready)
		bus_channel_kick(channel->open);
}

static void on_wake(void *ctx)
{
	struct provider_channel *channel = ctx;
	if (!channel->is_in_ready)
		bus_channel_kick(channel->open);
}

static void on_idle(void *ctx)
{
	struct provider_channel *channel = ctx;
	struct bus_channel *open = channel->open;
	channel->open = NULL;
	bus_channel_close_done(open);
}

static int sub_channel_offer(struct storage_provider *provider, unsigned index);

static int on_sub_channels(void *ctx, unsigned count)
{
	struct storage_provider *provider = ctx;
	for (unsigned i = 1; i <= count; i++) {
		if (provider->channels[i].offered)
			continue;
		const int result = sub_channel_offer(provider, i);
		if (result < 0)
			return result;
	}
	return 0;
}

static const struct storage_vsp_ops vsp_ops = {
	.complete = on_complete,
	.notify = on_wake,
	.resume = on_wake,
	.sub_channels = on_sub_channels,
	.idle = on_idle,
};

/* ---- reading packets ----------------------------------------------------------------------- */

/* Add [gpa, gpa + bytes) to the data buffer, page by page: it crosses memory regions. */
static bool map_pages(struct storage_request *request, const struct guest_memory *memory,
	uint64_t gpa, uint32_t bytes, unsigned iov_max)
{
	while (bytes != 0) {
		uint32_t part = GUEST_PAGE_BYTES - (uint32_t)(gpa % GUEST_PAGE_BYTES);
		if (part > bytes)
			part = bytes;
		void *host = guest_memory_at(memory, gpa, part);
		if (!host || request->iov_count == iov_max)
			return false;
		request->iov[request->iov_count++] = (struct iovec){
			.iov_base = host, .iov_len = part};
		gpa += part;
		bytes -= part;
	}
	return true;
}

/* map_data() for the usual page list. False, with nothing done: it is another kind. */
static bool map_one_page(struct storage_request *request, const struct guest_memory *memory,
	const struct packet_view *view)
{
	struct one_page_wire list;
	if (view->extended_bytes != sizeof list)
		return false;
	packet_copy_in(&list, view->extended, sizeof list);
	if (list.range_count != 1 || list.byte_offset >= GUEST_PAGE_BYTES ||
		list.byte_count - 1 >= GUEST_PAGE_BYTES - list.byte_offset || list.gpn >= GPN_END)
		return false;
	void *host = guest_memory_at(
		memory, list.gpn * GUEST_PAGE_BYTES + list.byte_offset, list.byte_count);
	if (!host)
		return false;
	request->iov[0] = (struct iovec){.iov_base = host, .iov_len = list.byte_count};
	request->iov_count = 1;
	request->iov_bytes = list.byte_count;
	request->data = STORAGE_DATA_MAPPED;
	return true;
}

/* Turn the page list of a GPA-direct packet into request->iov. */
static void map_data(struct storage_provider *provider, struct storage_request *request,
	const struct guest_memory *memory, const struct packet_view *view)
{
	if (__builtin_expect(map_one_page(request, memory, view), 1))
		return;
	const uint32_t max_bytes = storage_vsp_max_transfer_bytes(provider->vsp);
	const unsigned iov_max = max_bytes / GUEST_PAGE_BYTES + 1;
	const struct packet_gpa_limits limits = {.max_bytes = max_bytes, .end_gpn = GPN_END};
	struct packet_gpa_list list;
	const enum packet_reject rejected = packet_gpa_direct_parse(
		view, &limits, provider->extended, (uint32_t)provider->extended_bytes, &list);
	if (rejected != PACKET_ACCEPTED || list.range_count != 1) {
		request->data = STORAGE_DATA_INVALID;
		return;
	}
	struct packet_gpa_iter iter = packet_gpa_iterate(&list);
	struct packet_segment segment;
	while (packet_gpa_next(&iter, &segment)) {
		void *host = guest_memory_at(memory, segment.gpa, segment.bytes);
		if (host && request->iov_count < iov_max) {
			request->iov[request->iov_count++] = (struct iovec){
				.iov_base = host, .iov_len = segment.bytes};
		} else if (!map_pages(request, memory, segment.gpa, segment.bytes, iov_max)) {
			request->data = STORAGE_DATA_OUTSIDE;
			return;
		}
	}
	request->data = STORAGE_DATA_MAPPED;
	request->iov_bytes = (uint32_t)list.total_bytes;
}

static void take_packet(struct provider_channel *channel, struct storage_request *request,
	const struct guest_memory *memory, const struct packet_view *view)
{
	if (view->type == PACKET_TYPE_COMPLETION) {
		storage_request_reject(request, STORAGE_REJECT_COMPLETION);
	} else if (!packet_wants_completion(view)) {
		storage_request_reject(request, STORAGE_REJECT_NO_COMPLETION);
	} else if (view->type == PACKET_TYPE_TRANSFER_PAGES) {
		storage_request_reject(request, STORAGE_REJECT_PACKET_TYPE);
	} else {
		if (view->type == PACKET_TYPE_GPA_DIRECT)
			map_data(channel->provider, request, memory, view);
		storage_request_submit(
			request, view->transaction_id, view->payload, view->payload_bytes);
	}
}

/*
 * How many packets may be read now so that their replies, and those of all requests in
 * flight, fit into the ring: tried by reserving that much, which shows nothing to the guest.
 */
static unsigned reply_budget(struct provider_channel *channel)
{
	struct ring_writer *writer = bus_channel_writer(channel->open);
	for (unsigned budget = STORAGE_PROVIDER_BATCH; budget != 0; budget /= 4) {
		const uint64_t replies = (uint64_t)channel->core->outstanding + budget;
		const struct packet_header header = {
			.type = PACKET_TYPE_COMPLETION,
			.payload_bytes = (uint32_t)(replies * REPLY_RING_BYTES -
						    PACKET_DESCRIPTOR_BYTES - PACKET_TRAILER_BYTES),
		};
		struct ring_span span;
		const enum ring_status status = ring_reserve(writer, &header, &span);
		if (status == RING_OK)
			return budget;
		if (ring_status_is_corrupt(status)) {
			channel_fail(channel, status);
			return 0;
		}
		if (budget == 1 && status == RING_FULL &&
			ring_writer_want(writer, &header) == RING_OK)
			return budget;
	}
	return 0;
}

/* Send what the guest has not asked for, if there is room besides the replies owed. */
static void send_notification(struct provider_channel *channel)
{
	uint8_t packet[STORAGE_PACKET_BYTES_MAX];
	if (channel->index != 0 || reply_budget(channel) == 0)
		return;
	const size_t bytes = storage_vsp_notification(channel->provider->vsp, packet);
	if (bytes == 0)
		return;
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND, .payload_bytes = (uint32_t)bytes};
	ring_send(bus_channel_writer(channel->open), &header, NULL, packet);
}

/*
 * Read the next packet, if there is one and a request for it. What `view` describes stays in
 * place until the batch is flushed.
 */
static enum ring_status packet_next(
	const struct provider_channel *channel, struct packet_view *view)
{
	struct ring_reader *reader = bus_channel_reader(channel->open);
	if (!storage_channel_can_take(channel->core))
		return RING_EMPTY;
	const enum ring_status status = ring_peek(reader, view);
	if (status == RING_OK)
		ring_release(reader, view);
	return status;
}

/* One packet is looked ahead, so that the store can prepare for it meanwhile. */
static unsigned take_packets(struct provider_channel *channel, unsigned budget)
{
	const struct guest_memory *memory = bus_channel_memory(channel->open);
	struct packet_view view;
	struct packet_view next;
	unsigned taken = 0;
	enum ring_status status = budget ? packet_next(channel, &view) : RING_EMPTY;
	while (status == RING_OK) {
		struct storage_request *request = storage_request_begin(channel->core);
		taken++;
		status = taken < budget ? packet_next(channel, &next) : RING_EMPTY;
		if (status == RING_OK)
			storage_channel_hint(channel->core, next.payload, next.payload_bytes);
		take_packet(channel, request, memory, &view);
		if (channel->is_failed)
			return taken;
		view = next;
	}
	if (ring_status_is_corrupt(status))
		channel_fail(channel, status);
	return taken;
}

static bool on_ready(void *ctx, struct bus_channel *bus_channel)
{
	struct provider_channel *channel = ctx;
	if (channel->is_failed || !channel->core)
		return false;
	channel->is_in_ready = true;
	const unsigned taken = take_packets(channel, reply_budget(channel));
	if (storage_vsp_has_notification(channel->provider->vsp) && !channel->is_failed)
		send_notification(channel);
	channel->is_in_ready = false;
	channel->unseen_replies = 0;
	channel->unseen_bytes = 0;
	if (!channel->is_failed)
		bus_channel_flush(bus_channel);
	return taken != 0;
}

/* ---- opening and closing ------------------------------------------------------------------- */

static void on_open(void *ctx, struct bus_channel *bus_channel, const uint8_t *user_data)
{
	struct provider_channel *channel = ctx;
	(void)user_data; /* channel properties of the guest's making: nothing to learn from them */
	if (channel->open) {
		/* An earlier life of this sub-channel still waits for its I/O. */
		bus_channel_open_done(bus_channel, -EBUSY);
		return;
	}
	channel->core = storage_channel_open(channel->provider->vsp, channel->index, channel);
	channel->open = bus_channel;
	channel->is_failed = false;
	bus_channel_open_done(bus_channel, 0);
}

/* Sub-channels live as long as the primary is open: the next guest asks for its own. */
static void sub_channels_remove(struct storage_provider *provider)
{
	for (unsigned i = 1; i <= provider->config.vsp.max_sub_channels; i++) {
		struct bus_channel *offered = provider->channels[i].offered;
		provider->channels[i].offered = NULL;
		if (offered)
			bus_offer_remove(offered);
	}
}

static void on_close(void *ctx, struct bus_channel *bus_channel)
{
	struct provider_channel *channel = ctx;
	struct storage_channel *core = channel->core;
	(void)bus_channel;
	channel->core = NULL;
	if (channel->index == 0)
		sub_channels_remove(channel->provider);
	storage_channel_close(core);
}

static const struct bus_provider_ops provider_ops = {
	.name = "storage",
	.open = on_open,
	.close = on_close,
	.ready = on_ready,
};

/* ---- offers -------------------------------------------------------------------------------- */

static struct bus_offer offer_make(struct storage_provider *provider, unsigned index)
{
	struct bus_offer offer = {
		.interface_id = guid_storage,
		.instance_id = provider->config.instance_id,
		.subchannel_index = (uint16_t)index,
		.ops = &provider_ops,
		.ctx = &provider->channels[index],
	};
	if (provider->config.vsp.is_ide) {
		const struct storage_ide_offer_wire ide = {
			.path = provider->config.vsp.ide_channel,
			.target = provider->config.ide_device,
			.flags = STORAGE_IDE_OFFER_FLAG_IDE,
		};
		offer.interface_id = guid_ide;
		offer.flags = VMBUS_OFFER_ENUMERATE_DEVICE_INTERFACE;
		offer.instance_id = (struct guid)GUID_INIT(
			ide.path, ide.target, 0x8899, 0x0000, 0x000000000000);
		memcpy(offer.user_data, &ide, sizeof ide);
	}
	return offer;
}

static int sub_channel_offer(struct storage_provider *provider, unsigned index)
{
	const struct bus_offer offer = offer_make(provider, index);
	return bus_offer_add(provider->bus, &offer, &provider->channels[index].offered);
}

int storage_provider_create(struct vmbus_bus *bus, const struct storage_provider_config *config,
	struct storage_provider **out)
{
	const size_t channels = (size_t)config->vsp.max_sub_channels + 1;
	struct storage_provider *provider = calloc(
		1, sizeof *provider + channels * sizeof provider->channels[0]);
	if (!provider)
		return -ENOMEM;
	provider->bus = bus;
	provider->config = *config;
	for (size_t i = 0; i < channels; i++) {
		provider->channels[i].provider = provider;
		provider->channels[i].index = (uint16_t)i;
	}
	int result = storage_vsp_create(&config->vsp, &vsp_ops, provider, &provider->vsp);
	if (result < 0)
		goto fail;
	provider->extended_bytes =
		PACKET_GPA_DIRECT_HEADER_BYTES + PACKET_GPA_RANGE_HEADER_BYTES +
		(storage_vsp_max_transfer_bytes(provider->vsp) / GUEST_PAGE_BYTES + 1) * 8;
	provider->extended = malloc(provider->extended_bytes);
	result = -ENOMEM;
	if (!provider->extended)
		goto fail;
	const struct bus_offer offer = offer_make(provider, 0);
	result = bus_offer_add(bus, &offer, &provider->channels[0].offered);
	if (result < 0)
		goto fail;
	*out = provider;
	return 0;
fail:
	storage_provider_destroy(provider);
	return result;
}

struct storage_vsp *storage_provider_vsp(struct storage_provider *provider)
{
	return provider->vsp;
}

void storage_provider_remove(struct storage_provider *provider)
{
	struct bus_channel *offered = provider->channels[0].offered;
	sub_channels_remove(provider);
	provider->channels[0].offered = NULL;
	if (offered)
		bus_offer_remove(offered);
}

bool storage_provider_is_idle(const struct storage_provider *provider)
{
	for (unsigned i = 0; i <= provider->config.vsp.max_sub_channels; i++)
		if (provider->channels[i].open)
			return false;
	return true;
}

void storage_provider_destroy(struct storage_provider *provider)
{
	if (!provider)
		return;
	storage_vsp_destroy(provider->vsp);
	free(provider->extended);
	free(provider);
}
