// SPDX-License-Identifier: Apache-2.0
/*
 * Test devices on a VMBus. See test_provider.h.
 */
#include "host/vsp/test_provider.h"

#include "protocol/packet.h"
#include "protocol/ring.h"
#include "protocol/testdevice.h"
#include "protocol/vmbus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GPN_END (UINT64_C(1) << 52) /* page numbers are below: addresses have 64 bits */

struct test_channel;

/* One kind of device. */
struct test_device {
	const char *name;
	const struct guid *interface_id, *instance_id;
	bool wants_monitor;
	/* RING_OK: the packet is done with. Else it stays, and the turn ends. */
	enum ring_status (*take)(struct test_channel *channel, const struct packet_view *view);
	/* Before each packet, if not NULL: RING_EMPTY: nothing is to be done. */
	enum ring_status (*go_on)(struct test_channel *channel);
};

struct test_channel {
	struct test_provider *provider;
	const struct test_device *device;
	struct bus_provider_ops ops;
	struct bus_channel *offered; /* NULL: no offer */
	struct bus_channel *open;    /* the same while open, else NULL */
	bool is_failed;		     /* until closed: read and write nothing */
	uint32_t turn_bytes;	     /* moved in this turn */
	struct testdevice_sink_answer_wire sink;
	/* The source's request, while is_busy. */
	bool is_busy, is_answer_wanted;
	uint64_t transaction_id;
	struct testdevice_source_request_wire request;
	struct testdevice_source_answer_wire answer;
};

#define DEVICES 4u

struct test_provider {
	struct test_channel channels[DEVICES];
	/* The extended header that is being looked at or made. */
	uint64_t extended[TESTDEVICE_EXTENDED_MAX / sizeof(uint64_t)];
};

/* ---- answers --------------------------------------------------------------------------------- */

/* Reserve room for one packet. RING_FULL: the guest will tell when there is. */
static enum ring_status room(
	struct test_channel *channel, const struct packet_header *header, struct ring_span *span)
{
	struct ring_writer *writer = bus_channel_writer(channel->open);
	enum ring_status status = ring_reserve(writer, header, span);
	if (status == RING_FULL) {
		bus_channel_flush_writes(channel->open);
		status = ring_writer_want(writer, header);
		if (status == RING_OK)
			status = ring_reserve(writer, header, span);
	}
	return status;
}

static void commit(struct test_channel *channel, const struct ring_span *span)
{
	ring_commit(bus_channel_writer(channel->open), span);
	channel->turn_bytes += span->total_bytes;
}

static enum ring_status complete(
	struct test_channel *channel, uint64_t transaction_id, const void *answer, uint32_t bytes)
{
	const struct packet_header header = {
		.type = PACKET_TYPE_COMPLETION,
		.payload_bytes = bytes,
		.transaction_id = transaction_id,
	};
	struct ring_span span;
	const enum ring_status status = room(channel, &header, &span);
	if (status == RING_OK) {
		memcpy(span.payload, answer, bytes);
		commit(channel, &span);
	}
	return status;
}

/* ---- echo ------------------------------------------------------------------------------------ */

/* What there is to give back of one packet: bytes 0 if it is refused. */
struct echo {
	uint32_t bytes;
	struct packet_gpa_list pages;	    /* of type 9 */
	struct packet_transfer_list pieces; /* of type 7 */
};

/* The bytes of the pages, which go to `to`; NULL: are they all memory? */
static bool pages_copy(
	const struct guest_memory *memory, const struct packet_gpa_list *pages, uint8_t *to)
{
	struct packet_gpa_iter iter = packet_gpa_iterate(pages);
	struct packet_segment segment;
	while (packet_gpa_next(&iter, &segment)) {
		while (segment.bytes != 0) { /* page by page: it may cross memory regions */
			const uint32_t left = GUEST_PAGE_BYTES -
					      (uint32_t)(segment.gpa % GUEST_PAGE_BYTES);
			const uint32_t part = segment.bytes < left ? segment.bytes : left;
			const void *from = guest_memory_at(memory, segment.gpa, part);
			if (from == NULL)
				return false;
			if (to != NULL) {
				memcpy(to, from, part);
				to += part;
			}
			segment.gpa += part;
			segment.bytes -= part;
		}
	}
	return true;
}

static void pieces_copy(
	const struct packet_transfer_list *pieces, const uint8_t *payload, uint8_t *to)
{
	for (uint32_t i = 0; i < pieces->range_count; i++) {
		const struct packet_transfer_range_wire range = packet_transfer_range(pieces, i);
		memcpy(to, payload + range.byte_offset, range.byte_count);
		to += range.byte_count;
	}
}

static void pages_read(
	struct test_channel *channel, const struct packet_view *view, struct echo *echo)
{
	const struct packet_gpa_limits limits = {
		.max_bytes = TESTDEVICE_MOVE_MAX, .end_gpn = GPN_END};
	const enum packet_reject rejected = packet_gpa_direct_parse(
		view, &limits, channel->provider->extended, TESTDEVICE_EXTENDED_MAX, &echo->pages);
	if (rejected == PACKET_ACCEPTED &&
		pages_copy(bus_channel_memory(channel->open), &echo->pages, NULL))
		echo->bytes = (uint32_t)echo->pages.total_bytes;
}

static void pieces_read(
	struct test_channel *channel, const struct packet_view *view, struct echo *echo)
{
	uint64_t total = 0;
	const enum packet_reject rejected = packet_transfer_pages_parse(view, TESTDEVICE_SET_ID,
		view->payload_bytes, channel->provider->extended, TESTDEVICE_EXTENDED_MAX,
		&echo->pieces);
	if (rejected != PACKET_ACCEPTED)
		return;
	for (uint32_t i = 0; i < echo->pieces.range_count; i++)
		total += packet_transfer_range(&echo->pieces, i).byte_count;
	if (total <= TESTDEVICE_MOVE_MAX)
		echo->bytes = (uint32_t)total;
}

static enum ring_status echo_take(struct test_channel *channel, const struct packet_view *view)
{
	struct echo echo = {0};
	struct ring_span span;
	if (view->type == PACKET_TYPE_GPA_DIRECT)
		pages_read(channel, view, &echo);
	else if (view->type == PACKET_TYPE_TRANSFER_PAGES)
		pieces_read(channel, view, &echo);
	else
		echo.bytes = view->payload_bytes;
	struct packet_header header = {
		.type = packet_wants_completion(view) ? PACKET_TYPE_COMPLETION : PACKET_TYPE_INBAND,
		.payload_bytes = echo.bytes,
		.transaction_id = view->transaction_id,
	};
	enum ring_status status = room(channel, &header, &span);
	if (status == RING_TOO_LARGE) {
		header.payload_bytes = 0;
		echo.bytes = 0;
		status = room(channel, &header, &span);
	}
	if (status != RING_OK)
		return status;
	if (echo.bytes == 0) {
		/* nothing to copy */
	} else if (view->type == PACKET_TYPE_GPA_DIRECT) {
		(void)pages_copy(bus_channel_memory(channel->open), &echo.pages, span.payload);
	} else if (view->type == PACKET_TYPE_TRANSFER_PAGES) {
		pieces_copy(&echo.pieces, view->payload, span.payload);
	} else {
		memcpy(span.payload, view->payload, echo.bytes);
	}
	commit(channel, &span);
	return RING_OK;
}

/* ---- sink ------------------------------------------------------------------------------------ */

static enum ring_status sink_take(struct test_channel *channel, const struct packet_view *view)
{
	struct testdevice_sink_answer_wire *sink = &channel->sink;
	if (packet_wants_completion(view))
		return complete(channel, view->transaction_id, sink, sizeof *sink);
	sink->packets++;
	sink->bytes += view->payload_bytes;
	sink->checksum = testdevice_checksum(sink->checksum, view->payload, view->payload_bytes);
	return RING_OK;
}

/* ---- source ---------------------------------------------------------------------------------- */

static enum ring_status source_take(struct test_channel *channel, const struct packet_view *view)
{
	struct testdevice_source_request_wire *request = &channel->request;
	*request = (struct testdevice_source_request_wire){.bytes_modulus = 1};
	channel->is_busy = true;
	channel->is_answer_wanted = packet_wants_completion(view);
	channel->transaction_id = view->transaction_id;
	channel->answer = (struct testdevice_source_answer_wire){.status = TESTDEVICE_REFUSED};
	if (view->type != PACKET_TYPE_INBAND || view->payload_bytes != sizeof *request)
		return RING_OK;
	packet_copy_in(request, view->payload, sizeof *request);
	if (request->packets <= TESTDEVICE_SOURCE_PACKETS && request->bytes_modulus != 0 &&
		request->ranges <= TESTDEVICE_SOURCE_RANGES && request->reserved == 0)
		channel->answer.status = TESTDEVICE_OK;
	return RING_OK;
}

/* The extended header of a packet with so many ranges. */
static void ranges_put(struct test_channel *channel, uint8_t *extended, uint32_t bytes)
{
	struct packet_transfer_range_wire *ranges = (void *)channel->provider->extended;
	const uint32_t count = channel->request.ranges;
	for (uint32_t k = 0; k < count; k++)
		ranges[k] = (struct packet_transfer_range_wire){
			.byte_count = TESTDEVICE_RANGE_BYTES,
			.byte_offset = k * TESTDEVICE_RANGE_BYTES};
	(void)packet_transfer_pages_put(extended, bytes, TESTDEVICE_SET_ID, ranges, count);
}

static enum ring_status source_go_on(struct test_channel *channel)
{
	const struct testdevice_source_request_wire *request = &channel->request;
	struct testdevice_source_answer_wire *answer = &channel->answer;
	struct ring_span span;
	if (!channel->is_busy)
		return RING_EMPTY;
	if (answer->status != TESTDEVICE_OK || answer->packets == request->packets) {
		enum ring_status status = RING_OK;
		if (channel->is_answer_wanted)
			status = complete(channel, channel->transaction_id, answer, sizeof *answer);
		if (status == RING_OK)
			channel->is_busy = false;
		return status;
	}
	const uint64_t bytes = testdevice_source_bytes(request, answer->packets);
	const struct packet_header header = {
		.type = request->ranges ? PACKET_TYPE_TRANSFER_PAGES : PACKET_TYPE_INBAND,
		.extended_bytes = packet_transfer_pages_bytes(request->ranges),
		.payload_bytes = bytes < PACKET_MAX_BYTES ? (uint32_t)bytes : PACKET_MAX_BYTES,
		.transaction_id = answer->packets,
	};
	const enum ring_status status = room(channel, &header, &span);
	if (status == RING_TOO_LARGE) {
		answer->status = TESTDEVICE_REFUSED;
		return RING_OK;
	}
	if (status != RING_OK)
		return status;
	if (request->ranges)
		ranges_put(channel, span.extended, header.extended_bytes);
	for (uint32_t at = 0; at < header.payload_bytes; at++)
		span.payload[at] = testdevice_source_byte(answer->packets, at);
	commit(channel, &span);
	answer->packets++;
	return RING_OK;
}

/* ---- hostile --------------------------------------------------------------------------------- */

static enum ring_status hostile_take(struct test_channel *channel, const struct packet_view *view)
{
	struct testdevice_hostile_request_wire request;
	struct ring_writer *writer = bus_channel_writer(channel->open);
	struct ring_span span;
	if (view->type != PACKET_TYPE_INBAND || view->payload_bytes != sizeof request)
		return RING_OK;
	packet_copy_in(&request, view->payload, sizeof request);
	if (request.bytes > TESTDEVICE_HOSTILE_BYTES)
		return RING_OK;
	const struct packet_header header = {
		.type = PACKET_TYPE_INBAND,
		.payload_bytes = request.bytes,
		.transaction_id = request.transaction_id,
	};
	const enum ring_status status = room(channel, &header, &span);
	if (status != RING_OK)
		return status == RING_TOO_LARGE ? RING_OK : status;
	memset(span.payload, 0, request.bytes);
	memcpy(span.extended - PACKET_DESCRIPTOR_BYTES, &request.descriptor,
		sizeof request.descriptor);
	commit(channel, &span);
	if (request.in != TESTDEVICE_TRUE_INDEX) {
		bus_channel_flush_writes(channel->open);
		__atomic_store_n(&writer->control[RING_WORD_IN], request.in, __ATOMIC_RELEASE);
	}
	return RING_OK;
}

static const struct test_device devices[DEVICES] = {
	{"test-echo", &testdevice_echo_interface, &testdevice_echo_instance, true, echo_take, NULL},
	{"test-sink", &testdevice_sink_interface, &testdevice_sink_instance, true, sink_take, NULL},
	{"test-source", &testdevice_source_interface, &testdevice_source_instance, false,
		source_take, source_go_on},
	{"test-hostile", &testdevice_hostile_interface, &testdevice_hostile_instance, false,
		hostile_take, NULL},
};

/* ---- the channel ----------------------------------------------------------------------------- */

/* RING_OK: something was done. */
static enum ring_status step(struct test_channel *channel)
{
	struct ring_reader *reader = bus_channel_reader(channel->open);
	struct packet_view view;
	enum ring_status status = RING_EMPTY;
	if (channel->device->go_on != NULL)
		status = channel->device->go_on(channel);
	if (status != RING_EMPTY)
		return status;
	status = ring_peek(reader, &view);
	if (status != RING_OK)
		return status;
	if (view.type != PACKET_TYPE_COMPLETION) {
		status = channel->device->take(channel, &view);
		if (status != RING_OK)
			return status;
	}
	ring_release(reader, &view);
	channel->turn_bytes += view.total_bytes;
	return RING_OK;
}

static bool on_ready(void *ctx, struct bus_channel *bus_channel)
{
	struct test_channel *channel = ctx;
	enum ring_status status = RING_OK;
	unsigned steps = 0;
	if (channel->is_failed)
		return false;
	channel->turn_bytes = 0;
	while (steps < TEST_PROVIDER_BATCH && channel->turn_bytes < TEST_PROVIDER_BYTES) {
		status = step(channel);
		if (status != RING_OK)
			break;
		steps++;
	}
	if (ring_status_is_corrupt(status)) {
		channel->is_failed = true;
		bus_channel_fail(bus_channel, ring_status_name(status));
		return steps != 0;
	}
	bus_channel_flush(bus_channel);
	return steps != 0;
}

static void on_open(void *ctx, struct bus_channel *bus_channel, const uint8_t *user_data)
{
	struct test_channel *channel = ctx;
	(void)user_data; /* means nothing to these devices */
	channel->open = bus_channel;
	channel->is_failed = false;
	channel->is_busy = false;
	channel->sink = (struct testdevice_sink_answer_wire){.checksum = TESTDEVICE_CHECKSUM_START};
	bus_channel_open_done(bus_channel, 0);
}

static void on_close(void *ctx, struct bus_channel *bus_channel)
{
	struct test_channel *channel = ctx;
	channel->open = NULL;
	bus_channel_close_done(bus_channel);
}

static int channel_offer(struct vmbus_bus *bus, struct test_channel *channel)
{
	const struct bus_offer offer = {
		.interface_id = *channel->device->interface_id,
		.instance_id = *channel->device->instance_id,
		.flags = VMBUS_OFFER_ENUMERATE_DEVICE_INTERFACE,
		.wants_monitor = channel->device->wants_monitor,
		.ops = &channel->ops,
		.ctx = channel,
	};
	return bus_offer_add(bus, &offer, &channel->offered);
}

int test_provider_create(struct vmbus_bus *bus, struct test_provider **out)
{
	struct test_provider *provider = calloc(1, sizeof *provider);
	if (provider == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < DEVICES; i++) {
		struct test_channel *channel = &provider->channels[i];
		channel->provider = provider;
		channel->device = &devices[i];
		channel->ops = (struct bus_provider_ops){.name = devices[i].name,
			.open = on_open,
			.close = on_close,
			.ready = on_ready};
		const int result = channel_offer(bus, channel);
		if (result < 0) {
			test_provider_remove(provider);
			test_provider_destroy(provider);
			return result;
		}
	}
	*out = provider;
	return 0;
}

void test_provider_remove(struct test_provider *provider)
{
	if (provider == NULL)
		return;
	for (unsigned i = 0; i < DEVICES; i++) {
		struct bus_channel *offered = provider->channels[i].offered;
		provider->channels[i].offered = NULL;
		if (offered != NULL)
			bus_offer_remove(offered);
	}
}

void test_provider_destroy(struct test_provider *provider)
{
	free(provider);
}
