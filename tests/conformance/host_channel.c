// SPDX-License-Identifier: Apache-2.0
/* Opening, closing, moving interrupts, signals. On the first offer. */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_storage.h"

#define BEGIN                                                                                      \
	struct conform_channel channel;                                                            \
	uint32_t status;                                                                           \
	TRY(conform_bus_offers(t));                                                                \
	NEED(t->bus.offer_count > 0, "there are no offers");                                       \
	(void)status
#define LENT                                                                                       \
	BEGIN;                                                                                     \
	TRY(conform_channel_lend(t, &channel, &t->bus.offers[0], 2));                              \
	struct vmbus_open_channel_wire open = conform_channel_request(&channel)
#define OPENED                                                                                     \
	BEGIN;                                                                                     \
	TRY(conform_channel_open(t, &channel, &t->bus.offers[0], 2))

/* This open must fail, and the channel can be opened after it. */
static bool fails(
	struct conform_target *t, const struct vmbus_open_channel_wire *open, const char *what)
{
	uint32_t status;

	return conform_channel_ask(t, open, &status) &&
	       (status != VMBUS_STATUS_SUCCESS || conform_no(t, "%s was opened", what));
}

static bool opens(struct conform_target *t, const struct vmbus_open_channel_wire *open)
{
	uint32_t status;

	return conform_channel_ask(t, open, &status) &&
	       (status == VMBUS_STATUS_SUCCESS || conform_no(t, "status 0x%x", status));
}

static enum conform_verdict open_once(struct conform_target *t)
{
	LENT;
	TRY(opens(t, &open));
	TRY(conform_bus_quiet(t, "an open that was answered"));
	return CONFORM_PASS;
}

static enum conform_verdict open_twice(struct conform_target *t)
{
	LENT;
	TRY(opens(t, &open));
	open.open_id++;
	TRY(conform_bus_post(t, &open, VMBUS_OPEN_CHANNEL_BYTES));
	TRY(conform_bus_quiet(t, "OPEN_CHANNEL of an open channel"));
	return CONFORM_PASS;
}

static enum conform_verdict ring_gpadl(struct conform_target *t)
{
	static const struct {
		uint64_t range;
		uint16_t ranges;
		const char *what;
	} shapes[] = {
		{6 * WINHV_PAGE_BYTES, 2, "a channel over two ranges"},
		{6 * WINHV_PAGE_BYTES - 8, 1, "a channel over a part of a page"},
		{6 * WINHV_PAGE_BYTES | 8ull << 32, 1, "a channel that begins within a page"},
	};
	LENT;
	const uint32_t good = open.ring_gpadl_id;
	const uint32_t small = conform_gpadl_id(t);
	const struct winhv_pages pages = conform_pages(t, (size_t)3 * WINHV_PAGE_BYTES);
	open.ring_gpadl_id = 0x777777;
	TRY(fails(t, &open, "a channel without a GPADL"));
	TRY(conform_gpadl_make(t, channel.relid, small, &pages));
	open.ring_gpadl_id = small;
	open.downstream_page_offset = 1;
	TRY(fails(t, &open, "a channel with 3 pages"));
	if (t->bus.offer_count > 1) {
		struct conform_channel other;
		TRY(conform_channel_lend(t, &other, &t->bus.offers[1], 2));
		open = conform_channel_request(&channel);
		open.ring_gpadl_id = other.gpadl_id;
		TRY(fails(t, &open, "a channel over another channel's GPADL"));
	}
	open = conform_channel_request(&channel);
	for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		uint64_t words[9] = {shapes[i].range};
		for (unsigned at = 1; at < 9; at++)
			words[at] = pages.gpa / WINHV_PAGE_BYTES + at % 3;
		if (shapes[i].ranges == 2)
			words[7] = WINHV_PAGE_BYTES;
		open.ring_gpadl_id = conform_gpadl_id(t);
		TRY(conform_gpadl_send(
			t, channel.relid, open.ring_gpadl_id, 72, shapes[i].ranges, words, 9, 28));
		TRY(conform_gpadl_created(t, channel.relid, open.ring_gpadl_id, &status));
		TRY(fails(t, &open, shapes[i].what));
	}
	open.ring_gpadl_id = good;
	TRY(opens(t, &open));
	return CONFORM_PASS;
}

static enum conform_verdict downstream_page(struct conform_target *t)
{
	static const uint32_t bad[] = {0, 1, 5, 6, 7, 0x80000000, 0xffffffff}; /* of 6 pages */
	LENT;
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		open.downstream_page_offset = bad[i];
		TRY(conform_channel_ask(t, &open, &status));
		EXPECT(status != VMBUS_STATUS_SUCCESS, "page %u of 6 was accepted", bad[i]);
	}
	return CONFORM_PASS;
}

static enum conform_verdict after_failure(struct conform_target *t)
{
	LENT;
	const uint32_t good = open.downstream_page_offset;
	for (unsigned i = 0; i < 3; i++) {
		open.downstream_page_offset = 0;
		TRY(fails(t, &open, "page 0"));
	}
	open.downstream_page_offset = good;
	TRY(opens(t, &open));
	return CONFORM_PASS;
}

static enum conform_verdict bad_indices(struct conform_target *t)
{
	static const uint32_t words[] = {3, 0x2000, 0x7ffffff8, 0xffffffff};
	BEGIN;
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
		TRY(conform_channel_lend(t, &channel, &t->bus.offers[0], 2));
		const struct vmbus_open_channel_wire open = conform_channel_request(&channel);
		uint32_t *control =
			(uint32_t *)(void *)(i % 2 ? channel.out_control : channel.in_control);
		control[RING_WORD_IN] = words[i];
		control[RING_WORD_OUT] = words[sizeof words / sizeof words[0] - 1 - i];
		TRY(conform_channel_ask(t, &open, &status)); /* either status */
		if (status == VMBUS_STATUS_SUCCESS) {
			(void)conform_channel_signal(t, &channel);
			TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_CLOSE_CHANNEL, channel.relid));
		}
		TRY(conform_gpadl_teardown(t, channel.relid, channel.gpadl_id));
		TRY(conform_gpadl_torndown(t, channel.gpadl_id));
	}
	return CONFORM_PASS;
}

static enum conform_verdict no_events(struct conform_target *t)
{
	LENT;
	open.target_vp = VMBUS_TARGET_VP_NONE;
	TRY(opens(t, &open));
	return CONFORM_PASS;
}

static enum conform_verdict bad_vp(struct conform_target *t)
{
	const uint32_t vps[] = {t->hv->vp_count, 64, 4096, 0x7fffffff, 0xfffffffe};
	LENT;
	for (unsigned i = 0; i < sizeof vps / sizeof vps[0]; i++) {
		open.target_vp = vps[i];
		TRY(fails(t, &open, "a channel for a VP that does not exist"));
	}
	return CONFORM_PASS;
}

static enum conform_verdict extended(struct conform_target *t)
{
	struct vmbus_open_channel_result_wire result;
	LENT;
	open.connection_id = 0xffffffff;
	open.event_flag = 0xffff;
	open.flags = 0xffff;
	TRY(conform_bus_post(t, &open, VMBUS_OPEN_CHANNEL_EXTENDED_BYTES));
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, &result, sizeof result));
	EXPECT(result.status == VMBUS_STATUS_SUCCESS, "156 bytes: status 0x%x", result.status);
	return CONFORM_PASS;
}

#define SIGNAL_PARAMETERS                                                                          \
	struct conform_channel channel;                                                            \
	TRY(conform_bus_connect(t));                                                               \
	NEED(t->bus.version >= VMBUS_VERSION_6_0, "the host does not take version 6.0");           \
	TRY(conform_bus_contact(t, VMBUS_VERSION_6_0, VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS));     \
	NEED(t->bus.features &VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS,                               \
		"feature 0x01 is not granted");                                                    \
	TRY(conform_bus_request_offers(t));                                                        \
	NEED(t->bus.offer_count > 0, "there are no offers");                                       \
	TRY(conform_channel_lend(t, &channel, &t->bus.offers[0], 2));                              \
	struct vmbus_open_channel_wire open = conform_channel_request(&channel);                   \
	struct vmbus_open_channel_result_wire result;                                              \
	open.connection_id = 0x123456;                                                             \
	open.event_flag = 77

/* What the guest chose signals, both ways. A host may look at a ring without any signal, too. */
static enum conform_verdict own_signal(struct conform_target *t)
{
	const union conform_packet begin = {.header = {.operation = STORAGE_OP_BEGIN_INITIALIZATION,
						    .flags = STORAGE_PACKET_COMPLETION_REQUESTED}};
	const struct packet_header header = {.type = PACKET_TYPE_INBAND,
		.flags = PACKET_FLAG_COMPLETION_REQUESTED,
		.payload_bytes = sizeof begin};
	struct packet_view view;
	SIGNAL_PARAMETERS;
	const struct vmbus_offer_channel_wire *offer = conform_offer(t, &guid_storage);
	NEED(offer != NULL, "the host offers no SCSI controller");
	TRY(conform_channel_lend(t, &channel, offer, 2));
	open.relid = channel.relid;
	open.open_id = channel.open_id;
	open.ring_gpadl_id = channel.gpadl_id;
	TRY(conform_bus_post(t, &open, VMBUS_OPEN_CHANNEL_EXTENDED_BYTES));
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, &result, sizeof result));
	EXPECT(result.status == VMBUS_STATUS_SUCCESS, "status 0x%x", result.status);
	EXPECT(ring_send(&channel.out, &header, NULL, &begin) == RING_OK, "there is no room");
	(void)ring_flush(&channel.out);
	EXPECT(winhv_signal_event(t->hv, 0x123456, 0) == HV_STATUS_SUCCESS,
		"the id of the guest does not signal");
	TRY(conform_event(t, 0, 77));
	EXPECT(ring_peek(&channel.in, &view) == RING_OK, "an event came without a packet");
	return CONFORM_PASS;
}

static enum conform_verdict bad_signal(struct conform_target *t)
{
	static const struct {
		uint32_t connection_id;
		uint16_t flag;
	} bad[] = {{0x123456, 0}, {0x123456, 2048}, {0x123456, 0xffff}, {1, 77}, {2, 77}};
	SIGNAL_PARAMETERS;
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		open.connection_id = bad[i].connection_id;
		open.event_flag = bad[i].flag;
		TRY(conform_bus_post(t, &open, VMBUS_OPEN_CHANNEL_EXTENDED_BYTES));
		TRY(conform_bus_expect(
			t, VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, &result, sizeof result));
		EXPECT(result.status != VMBUS_STATUS_SUCCESS, "id 0x%x, flag %u were accepted",
			bad[i].connection_id, bad[i].flag);
	}
	return CONFORM_PASS;
}

static enum conform_verdict short_open(struct conform_target *t)
{
	SIGNAL_PARAMETERS;
	(void)result;
	TRY(conform_bus_post(t, &open, VMBUS_OPEN_CHANNEL_BYTES));
	TRY(conform_bus_quiet(t, "OPEN_CHANNEL of 148 bytes with feature 0x01"));
	return CONFORM_PASS;
}

static enum conform_verdict close_other(struct conform_target *t)
{
	BEGIN;
	TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_CLOSE_CHANNEL, t->bus.offers[0].relid));
	TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_CLOSE_CHANNEL, 2040));
	TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_CLOSE_CHANNEL, 0xffffffff));
	TRY(conform_bus_quiet(t, "CLOSE_CHANNEL of what is not open"));
	(void)channel;
	return CONFORM_PASS;
}

static enum conform_verdict let_go(struct conform_target *t)
{
	OPENED;
	TRY(conform_channel_close(t, &channel));
	/* What is the guest's again stays as it is. */
	__builtin_memset(channel.pages.va, 0xd1, channel.pages.bytes);
	(void)conform_channel_signal(t, &channel);
	TRY(conform_bus_quiet(t, "a close"));
	for (size_t i = 0; i < channel.pages.bytes; i++)
		EXPECT(channel.pages.va[i] == 0xd1, "byte %zu of the rings was written", i);
	return CONFORM_PASS;
}

static enum conform_verdict no_event_after(struct conform_target *t)
{
	uint32_t sints;
	OPENED;
	TRY(conform_channel_close(t, &channel));
	(void)winhv_events_take(t->hv, 0, VMBUS_SINT, channel.relid / 64);
	(void)conform_channel_signal(t, &channel);
	TRY(conform_bus_quiet(t, "a close"));
	(void)winhv_wait(t->hv, 0, 0, &sints);
	EXPECT(!(winhv_events_take(t->hv, 0, VMBUS_SINT, channel.relid / 64) &
		       1ull << channel.relid % 64),
		"the event of a closed channel was set");
	return CONFORM_PASS;
}

static enum conform_verdict again(struct conform_target *t)
{
	BEGIN;
	for (unsigned i = 0; i < 50; i++) {
		TRY(conform_channel_open(t, &channel, &t->bus.offers[0], 2));
		TRY(conform_channel_close(t, &channel));
	}
	return CONFORM_PASS;
}

static enum conform_verdict closed_signal(struct conform_target *t)
{
	BEGIN;
	(void)channel;
	EXPECT(winhv_signal_event(t->hv, 0x5a5a5a, 0) != HV_STATUS_SUCCESS,
		"a connection id that does not exist can be signalled");
	(void)winhv_signal_event(t->hv, t->bus.offers[0].connection_id, 0);
	TRY(conform_bus_quiet(t, "a signal of a closed channel"));
	return CONFORM_PASS;
}

static bool move(struct conform_target *t, uint32_t relid, uint32_t vp)
{
	const struct vmbus_modify_channel_wire message = {
		.header.type = VMBUS_MESSAGE_MODIFY_CHANNEL, .relid = relid, .target_vp = vp};

	return conform_bus_post(t, &message, sizeof message);
}

static bool moved(struct conform_target *t, uint32_t relid, bool is_good, const char *what)
{
	struct vmbus_modify_channel_response_wire response;

	if (!conform_bus_expect(
		    t, VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE, &response, sizeof response))
		return false;
	return (response.relid == relid && (response.status == VMBUS_STATUS_SUCCESS) == is_good) ||
	       conform_no(t, "%s: relid %u, status 0x%x", what, response.relid, response.status);
}
#define MODIFY                                                                                     \
	OPENED;                                                                                    \
	NEED(vmbus_version_has(t->bus.version, VMBUS_CAP_MODIFY_RESPONSE),                         \
		"the host's highest version has no answer to MODIFY_CHANNEL")

static enum conform_verdict modify(struct conform_target *t)
{
	MODIFY;
	EXPECT(winhv_synic_enable(t->hv, 1, VMBUS_SINT, CONFORM_VECTOR) == 0, "no SynIC on VP 1");
	TRY(move(t, channel.relid, 1));
	TRY(moved(t, channel.relid, true, "VP 1"));
	TRY(move(t, channel.relid, 0));
	TRY(moved(t, channel.relid, true, "VP 0"));
	TRY(conform_bus_quiet(t, "MODIFY_CHANNEL"));
	return CONFORM_PASS;
}

static enum conform_verdict modify_silent(struct conform_target *t)
{
	struct conform_channel channel;

	TRY(conform_bus_connect(t));
	NEED(t->bus.version >= VMBUS_VERSION_4_1, "the host does not take version 4.1");
	TRY(conform_bus_contact(t, VMBUS_VERSION_4_1, 0));
	TRY(conform_bus_request_offers(t));
	NEED(t->bus.offer_count > 0, "there are no offers");
	TRY(conform_channel_open(t, &channel, &t->bus.offers[0], 2));
	TRY(move(t, channel.relid, 0));
	TRY(conform_bus_quiet(t, "MODIFY_CHANNEL at 4.1"));
	return CONFORM_PASS;
}

static enum conform_verdict modify_closed(struct conform_target *t)
{
	MODIFY;
	TRY(move(t, 2045, 0));
	TRY(moved(t, 2045, false, "a relid that is not offered"));
	TRY(conform_channel_close(t, &channel));
	TRY(move(t, channel.relid, 0));
	TRY(moved(t, channel.relid, false, "a closed channel"));
	return CONFORM_PASS;
}

static enum conform_verdict modify_none(struct conform_target *t)
{
	MODIFY;
	TRY(move(t, channel.relid, VMBUS_TARGET_VP_NONE));
	TRY(moved(t, channel.relid, false, "no VP"));
	return CONFORM_PASS;
}

static enum conform_verdict modify_bad_vp(struct conform_target *t)
{
	MODIFY;
	TRY(move(t, channel.relid, t->hv->vp_count));
	TRY(moved(t, channel.relid, false, "the VP behind the last"));
	TRY(move(t, channel.relid, 4095));
	TRY(moved(t, channel.relid, false, "VP 4095"));
	TRY(move(t, channel.relid, 0));
	TRY(moved(t, channel.relid, true, "VP 0 after it"));
	return CONFORM_PASS;
}

static enum conform_verdict modify_below(struct conform_target *t)
{
	struct conform_channel channel;

	TRY(conform_bus_contact(t, VMBUS_VERSION_3_0, 0));
	TRY(conform_bus_request_offers(t));
	NEED(t->bus.offer_count > 0, "there are no offers");
	TRY(conform_channel_open(t, &channel, &t->bus.offers[0], 2));
	TRY(move(t, channel.relid, 0));
	TRY(conform_bus_quiet(t, "MODIFY_CHANNEL at 3.0"));
	return CONFORM_PASS;
}

static enum conform_verdict reserved_open(struct conform_target *t)
{
	struct vmbus_open_channel_result_wire result;
	struct vmbus_close_reserved_response_wire closed;
	LENT;
	NEED(vmbus_version_has(t->bus.version, VMBUS_CAP_RESERVED_CHANNELS),
		"the host's highest version has no reserved channels");
	const struct vmbus_open_reserved_channel_wire reserved = {
		.header.type = VMBUS_MESSAGE_OPEN_RESERVED_CHANNEL,
		.relid = channel.relid,
		.target_sint = VMBUS_SINT,
		.ring_gpadl_id = channel.gpadl_id,
		.downstream_page_offset = open.downstream_page_offset};
	const struct vmbus_close_reserved_channel_wire close = {
		.header.type = VMBUS_MESSAGE_CLOSE_RESERVED_CHANNEL,
		.relid = channel.relid,
		.target_sint = VMBUS_SINT};
	TRY(conform_bus_post(t, &reserved, sizeof reserved));
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, &result, sizeof result));
	EXPECT(result.open_id == 0 && result.relid == channel.relid, "open id %u", result.open_id);
	NEED(result.status == 0, "the device cannot be reserved (status 0x%x)", result.status);
	TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_CLOSE_CHANNEL, channel.relid));
	TRY(conform_bus_quiet(t, "CLOSE_CHANNEL of a reserved channel"));
	TRY(conform_bus_post(t, &close, sizeof close));
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_CLOSE_RESERVED_RESPONSE, &closed, sizeof closed));
	EXPECT(closed.relid == channel.relid, "relid %u", closed.relid);
	return CONFORM_PASS;
}

static enum conform_verdict close_not_reserved(struct conform_target *t)
{
	OPENED;
	NEED(vmbus_version_has(t->bus.version, VMBUS_CAP_RESERVED_CHANNELS),
		"the host's highest version has no reserved channels");
	const struct vmbus_close_reserved_channel_wire close = {
		.header.type = VMBUS_MESSAGE_CLOSE_RESERVED_CHANNEL,
		.relid = channel.relid,
		.target_sint = VMBUS_SINT};
	TRY(conform_bus_post(t, &close, sizeof close));
	TRY(conform_bus_quiet(t, "CLOSE_RESERVED_CHANNEL of another channel"));
	TRY(conform_channel_close(t, &channel));
	return CONFORM_PASS;
}

const struct conform_test conform_channel_tests[] = {
	{"R-OPEN-001", "an open is answered once, with its ids", open_once, CONFORM_BUS, 0, 0},
	{"R-OPEN-002", "the open of an open channel is dropped", open_twice, CONFORM_BUS, 0, 0},
	{"R-OPEN-005", "a bad ring GPADL fails", ring_gpadl, CONFORM_BUS, 0, 0},
	{"R-OPEN-006", "a bad downstream page fails", downstream_page, CONFORM_BUS, 0, 0},
	{"R-OPEN-007", "after a failure it can be opened", after_failure, CONFORM_BUS, 0, 0},
	{"R-OPEN-008", "bad indices at the opening do no harm", bad_indices, CONFORM_BUS, 0, 0},
	{"R-OPEN-010", "with feature 0x01 the guest's id and flag signal", own_signal, CONFORM_BUS,
		0, 0},
	{"R-OPEN-011", "bad signal parameters fail", bad_signal, CONFORM_BUS, 0, 0},
	{"R-OPEN-012", "with feature 0x01, 148 bytes are dropped", short_open, CONFORM_BUS, 0, 0},
	{"R-OPEN-014", "a channel opens without events", no_events, CONFORM_BUS, 0, 0},
	{"R-OPEN-015", "a VP that does not exist fails", bad_vp, CONFORM_BUS, 0, 0},
	{"R-OPEN-018", "after TORNDOWN the rings are not touched", let_go, CONFORM_BUS, 0, 0},
	{"R-OPEN-019", "a close of what is not open is dropped", close_other, CONFORM_BUS, 0, 0},
	{"R-OPEN-020", "after TORNDOWN no event comes", no_event_after, CONFORM_BUS, 0, 0},
	{"R-OPEN-026", "opening and closing uses nothing up", again, CONFORM_BUS, 0, 0},
	{"R-OPEN-027", "a reserved channel is answered with open id 0", reserved_open, CONFORM_BUS,
		0, 0},
	{"R-OPEN-029", "CLOSE_RESERVED_CHANNEL of another channel is dropped", close_not_reserved,
		CONFORM_BUS, 0, 0},
	{"R-OPEN-032", "156 bytes are accepted", extended, CONFORM_BUS, 0, 0},
	{"R-MSG-011", "a signal to nobody fails or is ignored", closed_signal, CONFORM_BUS, 0, 0},
	{"R-MOD-001", "MODIFY_CHANNEL is answered from 5.3 on", modify, CONFORM_BUS | CONFORM_VP_1,
		0, 0},
	{"R-MOD-001", "MODIFY_CHANNEL is not answered at 4.1", modify_silent, CONFORM_BUS, 0, 0},
	{"R-MOD-003", "what is not open cannot be moved", modify_closed, CONFORM_BUS, 0, 0},
	{"R-MOD-004", "no VP is no target", modify_none, CONFORM_BUS, 0, 0},
	{"R-MOD-005", "a VP that does not exist is refused", modify_bad_vp, CONFORM_BUS, 0, 0},
	{"R-MOD-007", "below 4.1 MODIFY_CHANNEL is dropped", modify_below, CONFORM_BUS, 0, 0},
};
const size_t conform_channel_test_count = sizeof conform_channel_tests /
					  sizeof conform_channel_tests[0];
