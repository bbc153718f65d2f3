// SPDX-License-Identifier: Apache-2.0
/*
 * Offers that come and go while a connection lasts: subchannels of a storage controller, which
 * the guest can ask for, and which are withdrawn when it closes the primary.
 */
#include "tests/conformance/conform_areas.h"
#include "tests/conformance/conform_storage.h"

/* CREATE_SUB_CHANNELS, and the status that it must have. */
static bool ask_for(struct conform_target *t, struct conform_storage *storage, uint16_t count)
{
	uint32_t status;

	return conform_storage_operation(
		       t, storage, STORAGE_OP_CREATE_SUB_CHANNELS, count, &status) &&
	       (status == 0 || conform_no(t, "CREATE_SUB_CHANNELS gave 0x%x", status));
}

static bool offered(struct conform_target *t, struct vmbus_offer_channel_wire *offer)
{
	return conform_bus_expect(t, VMBUS_MESSAGE_OFFER_CHANNEL, offer, sizeof *offer);
}

static bool rescinded(struct conform_target *t, uint32_t relid)
{
	struct vmbus_rescind_channel_offer_wire rescind;

	if (!conform_bus_expect(t, VMBUS_MESSAGE_RESCIND_CHANNEL_OFFER, &rescind, sizeof rescind))
		return false;
	return rescind.relid == relid ||
	       conform_no(t, "relid %u was rescinded, not %u", rescind.relid, relid);
}

/* A controller that is ready and can have that many. */
static enum conform_verdict controller(
	struct conform_target *t, struct conform_storage *storage, unsigned count)
{
	TRY(conform_bus_offers(t));
	NEED(conform_offer(t, &guid_storage) != NULL, "the host offers no SCSI controller");
	TRY(conform_storage_ready(t, storage));
	NEED(storage->properties.flags & STORAGE_PROPERTIES_MULTI_CHANNEL &&
			storage->properties.max_sub_channels >= count,
		"the controller has no %u subchannels", count);
	return CONFORM_PASS;
}
#define CONTROLLER(count)                                                                          \
	struct conform_storage storage;                                                            \
	struct vmbus_offer_channel_wire sub;                                                       \
	const enum conform_verdict found = controller(t, &storage, count);                         \
	if (found != CONFORM_PASS)                                                                 \
	return found
#define SUBCHANNEL                                                                                 \
	CONTROLLER(1);                                                                             \
	TRY(ask_for(t, &storage, 1));                                                              \
	TRY(offered(t, &sub))

/* Close the primary: the subchannel's offer is taken back. */
static bool withdraw(
	struct conform_target *t, const struct conform_storage *storage, uint32_t relid)
{
	return conform_bus_post_relid(t, VMBUS_MESSAGE_CLOSE_CHANNEL, storage->channel.relid) &&
	       rescinded(t, relid);
}

static bool released(struct conform_target *t, uint32_t relid)
{
	return conform_bus_post_relid(t, VMBUS_MESSAGE_REL_ID_RELEASED, relid);
}

/* Open the primary that withdraw() has closed, and make it ready. */
static bool again(struct conform_target *t, struct conform_storage *storage)
{
	return conform_gpadl_teardown(t, storage->channel.relid, storage->channel.gpadl_id) &&
	       conform_gpadl_torndown(t, storage->channel.gpadl_id) &&
	       conform_channel_open(t, &storage->channel, conform_offer(t, &guid_storage), 2) &&
	       conform_storage_handshake(t, storage);
}

static enum conform_verdict at_once(struct conform_target *t)
{
	SUBCHANNEL;
	EXPECT(vmbus_relid_is_valid(sub.relid), "relid %u", sub.relid);
	TRY(conform_bus_quiet(t, "an offer after ALL_OFFERS_DELIVERED"));
	return CONFORM_PASS;
}

static enum conform_verdict once(struct conform_target *t)
{
	SUBCHANNEL;
	TRY(withdraw(t, &storage, sub.relid));
	TRY(conform_bus_quiet(t, "RESCIND_CHANNEL_OFFER"));
	return CONFORM_PASS;
}

static enum conform_verdict late_gpadl(struct conform_target *t)
{
	SUBCHANNEL;
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const uint32_t id = conform_gpadl_id(t);
	TRY(withdraw(t, &storage, sub.relid));
	TRY(conform_gpadl_make(t, sub.relid, id, &page));
	TRY(conform_gpadl_teardown(t, sub.relid, id));
	TRY(conform_gpadl_torndown(t, id));
	return CONFORM_PASS;
}

static enum conform_verdict late_teardown(struct conform_target *t)
{
	SUBCHANNEL;
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const uint32_t id = conform_gpadl_id(t);
	TRY(conform_gpadl_make(t, sub.relid, id, &page));
	TRY(withdraw(t, &storage, sub.relid));
	TRY(conform_gpadl_teardown(t, sub.relid, id));
	TRY(conform_gpadl_torndown(t, id));
	return CONFORM_PASS;
}

static enum conform_verdict late_open(struct conform_target *t)
{
	struct conform_channel channel;
	SUBCHANNEL;
	TRY(conform_channel_lend(t, &channel, &sub, 2));
	const struct vmbus_open_channel_wire open = conform_channel_request(&channel);
	const struct vmbus_open_reserved_channel_wire reserved = {
		.header.type = VMBUS_MESSAGE_OPEN_RESERVED_CHANNEL,
		.relid = sub.relid,
		.target_sint = VMBUS_SINT,
		.ring_gpadl_id = channel.gpadl_id,
		.downstream_page_offset = open.downstream_page_offset};
	const struct vmbus_close_reserved_channel_wire close = {
		.header.type = VMBUS_MESSAGE_CLOSE_RESERVED_CHANNEL,
		.relid = sub.relid,
		.target_sint = VMBUS_SINT};
	TRY(withdraw(t, &storage, sub.relid));
	TRY(conform_bus_post(t, &open, VMBUS_OPEN_CHANNEL_BYTES));
	TRY(conform_bus_quiet(t, "OPEN_CHANNEL of a rescinded channel"));
	TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_CLOSE_CHANNEL, sub.relid));
	TRY(conform_bus_quiet(t, "CLOSE_CHANNEL of a rescinded channel"));
	TRY(conform_bus_post(t, &reserved, sizeof reserved));
	TRY(conform_bus_quiet(t, "OPEN_RESERVED_CHANNEL of a rescinded channel"));
	TRY(conform_bus_post(t, &close, sizeof close));
	TRY(conform_bus_quiet(t, "CLOSE_RESERVED_CHANNEL of a rescinded channel"));
	return CONFORM_PASS;
}

static enum conform_verdict late_move(struct conform_target *t)
{
	struct vmbus_modify_channel_response_wire response;
	struct conform_channel channel;
	SUBCHANNEL;
	NEED(vmbus_version_has(t->bus.version, VMBUS_CAP_MODIFY_RESPONSE),
		"the host's highest version has no answer to MODIFY_CHANNEL");
	TRY(conform_channel_open(t, &channel, &sub, 2));
	TRY(withdraw(t, &storage, sub.relid));
	const struct vmbus_modify_channel_wire move = {
		.header.type = VMBUS_MESSAGE_MODIFY_CHANNEL, .relid = sub.relid, .target_vp = 0};
	TRY(conform_bus_post(t, &move, sizeof move));
	TRY(conform_bus_expect(
		t, VMBUS_MESSAGE_MODIFY_CHANNEL_RESPONSE, &response, sizeof response));
	EXPECT(response.relid == sub.relid && response.status != VMBUS_STATUS_SUCCESS,
		"relid %u, status 0x%x", response.relid, response.status);
	return CONFORM_PASS;
}

static enum conform_verdict freed(struct conform_target *t)
{
	SUBCHANNEL;
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const uint64_t words[2] = {page.bytes, page.gpa / WINHV_PAGE_BYTES};
	const uint32_t id = conform_gpadl_id(t);
	uint32_t status;
	TRY(conform_gpadl_make(t, sub.relid, id, &page));
	TRY(withdraw(t, &storage, sub.relid));
	TRY(released(t, sub.relid));
	TRY(conform_gpadl_teardown(t, sub.relid, id));
	TRY(conform_bus_quiet(t, "GPADL_TEARDOWN behind the release of its relid"));
	TRY(conform_gpadl_send(t, sub.relid, id, 16, 1, words, 2, 28));
	TRY(conform_gpadl_created(t, sub.relid, id, &status));
	EXPECT(status != VMBUS_STATUS_SUCCESS, "relid %u still takes GPADLs", sub.relid);
	TRY(released(t, sub.relid));
	TRY(conform_bus_quiet(t, "REL_ID_RELEASED of a relid that is free"));
	return CONFORM_PASS;
}

static enum conform_verdict held_back(struct conform_target *t)
{
	struct vmbus_offer_channel_wire next;
	SUBCHANNEL;
	TRY(withdraw(t, &storage, sub.relid));
	TRY(again(t, &storage));
	TRY(ask_for(t, &storage, 1));
	TRY(conform_bus_quiet(t, "the same offer before REL_ID_RELEASED"));
	TRY(released(t, sub.relid));
	TRY(offered(t, &next));
	EXPECT(next.relid == sub.relid && next.subchannel_index == sub.subchannel_index,
		"relid %u, subchannel %u came, not %u, %u", next.relid, next.subchannel_index,
		sub.relid, sub.subchannel_index);
	return CONFORM_PASS;
}

/* Open when its primary closes: whoever has the answer to the teardown has the memory. */
static enum conform_verdict let_go(struct conform_target *t)
{
	struct conform_channel channel;
	SUBCHANNEL;
	TRY(conform_channel_open(t, &channel, &sub, 2));
	TRY(withdraw(t, &storage, sub.relid));
	TRY(conform_gpadl_teardown(t, sub.relid, channel.gpadl_id));
	TRY(conform_gpadl_torndown(t, channel.gpadl_id));
	__builtin_memset(channel.pages.va, 0xd1, channel.pages.bytes);
	(void)conform_channel_signal(t, &channel);
	TRY(released(t, sub.relid));
	TRY(conform_bus_quiet(t, "the release of a rescinded channel"));
	for (size_t i = 0; i < channel.pages.bytes; i++)
		EXPECT(channel.pages.va[i] == 0xd1, "byte %zu of the rings was written", i);
	return CONFORM_PASS;
}

/* Nobody reads messages between the two; none is lost, and each rescind is behind its offer. */
static enum conform_verdict back_to_back(struct conform_target *t)
{
	struct vmbus_offer_channel_wire first = {0}, second;
	CONTROLLER(2);
	for (unsigned i = 0; i < 8; i++) {
		TRY(ask_for(t, &storage, 2));
		TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_CLOSE_CHANNEL, storage.channel.relid));
		TRY(offered(t, &sub));
		TRY(offered(t, &second));
		TRY(rescinded(t, sub.relid));
		TRY(rescinded(t, second.relid));
		if (i == 0)
			first = sub;
		EXPECT(sub.relid == first.relid, "relid %u in round %u, %u in the first", sub.relid,
			i, first.relid);
		TRY(released(t, second.relid));
		TRY(released(t, sub.relid));
		TRY(again(t, &storage));
	}
	TRY(conform_bus_quiet(t, "offers and rescinds"));
	return CONFORM_PASS;
}

static enum conform_verdict paused(struct conform_target *t)
{
	struct vmbus_header_wire response;
	struct winhv_message message;
	struct vmbus_offer_channel_wire second;
	struct conform_storage storage;
	TRY(conform_bus_connect(t));
	NEED(t->bus.version >= VMBUS_VERSION_6_0, "the host does not take version 6.0");
	TRY(conform_bus_contact(t, VMBUS_VERSION_6_0, VMBUS_FEATURE_PAUSE_RESUME));
	NEED(t->bus.features & VMBUS_FEATURE_PAUSE_RESUME, "feature 0x20 is not granted");
	TRY(conform_bus_request_offers(t));
	const struct vmbus_offer_channel_wire *offer = conform_offer(t, &guid_storage);
	NEED(offer != NULL, "the host offers no SCSI controller");
	TRY(conform_channel_open(t, &storage.channel, offer, 2));
	TRY(conform_storage_handshake(t, &storage));
	NEED(storage.properties.max_sub_channels >= 2, "the controller has no 2 subchannels");
	TRY(conform_bus_post_type(t, VMBUS_MESSAGE_PAUSE));
	TRY(conform_bus_expect(t, VMBUS_MESSAGE_PAUSE_RESPONSE, &response, sizeof response));
	TRY(ask_for(t, &storage, 2)); /* rings are not paused */
	EXPECT(t->bus.inbox_count == 0 && !winhv_message_take(t->hv, 0, VMBUS_SINT, &message),
		"a message came while paused");
	TRY(conform_bus_post_type(t, VMBUS_MESSAGE_RESUME));
	struct vmbus_offer_channel_wire sub;
	TRY(offered(t, &sub));
	TRY(offered(t, &second));
	EXPECT(sub.subchannel_index == 1 && second.subchannel_index == 2,
		"subchannels %u and %u came", sub.subchannel_index, second.subchannel_index);
	TRY(conform_bus_quiet(t, "RESUME"));
	return CONFORM_PASS;
}

const struct conform_test conform_subchannel_tests[] = {
	{"R-CONN-032", "while paused nothing is sent; it follows RESUME, in order", paused,
		CONFORM_BUS, 0, 0},
	{"R-OFFER-007", "what is added later is offered at once, without an end", at_once,
		CONFORM_BUS, 0, 0},
	{"R-MOD-003", "a rescinded channel cannot be moved", late_move, CONFORM_BUS, 0, 0},
	{"R-RESC-001", "a rescind comes once", once, CONFORM_BUS, 0, 0},
	{"R-RESC-005", "a GPADL is made for a rescinded channel", late_gpadl, CONFORM_BUS, 0, 0},
	{"R-RESC-006", "a teardown for a rescinded channel is answered", late_teardown, CONFORM_BUS,
		0, 0},
	{"R-RESC-007", "opens and closes of a rescinded channel are dropped", late_open,
		CONFORM_BUS, 0, 0},
	{"R-RESC-008", "the release frees the relid and its GPADLs", freed, CONFORM_BUS, 0, 0},
	{"R-RESC-010", "the same offer waits for the release, and keeps its relid", held_back,
		CONFORM_BUS, 0, 0},
	{"R-RESC-015", "an open channel that is rescinded lets go of its rings", let_go,
		CONFORM_BUS, 0, 0},
	{"R-RESC-020", "an offer and its rescind leave nothing behind", back_to_back, CONFORM_BUS,
		0, 0},
};
const size_t conform_subchannel_test_count = sizeof conform_subchannel_tests /
					     sizeof conform_subchannel_tests[0];
