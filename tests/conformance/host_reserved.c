// SPDX-License-Identifier: Apache-2.0
/* Channels that are opened as reserved: where their answers go, and what they survive. */
#include "tests/conformance/conform_areas.h"

/* The next message of a slot that is not the connection's. */
static bool answer_take(
	struct conform_target *t, uint32_t vp, uint32_t type, void *out, size_t bytes)
{
	const uint64_t deadline = conform_now(t) + CONFORM_PATIENCE;
	struct winhv_message message;
	uint32_t sints, got;

	while (!winhv_message_take(t->hv, vp, CONFORM_ANSWER_SINT, &message)) {
		if (conform_now(t) >= deadline)
			return conform_no(t, "%s did not come to SINT %u of VP %u",
				vmbus_message_name(type), CONFORM_ANSWER_SINT, vp);
		(void)winhv_wait(t->hv, vp, 1000000, &sints);
	}
	__builtin_memcpy(&got, message.payload, sizeof got);
	if (got != type || message.bytes != bytes)
		return conform_no(t, "%s of %u bytes came, not %s of %zu", vmbus_message_name(got),
			message.bytes, vmbus_message_name(type), bytes);
	__builtin_memcpy(out, message.payload, bytes);
	return true;
}

/* Open the first offer as reserved; its answers go to SINT 5 of `vp`. */
static enum conform_verdict reserve(
	struct conform_target *t, struct conform_channel *channel, uint32_t vp)
{
	struct vmbus_open_channel_result_wire result;

	TRY(conform_bus_offers(t));
	NEED(t->bus.offer_count > 0, "there are no offers");
	NEED(vmbus_version_has(t->bus.version, VMBUS_CAP_RESERVED_CHANNELS),
		"the host's highest version has no reserved channels");
	EXPECT(winhv_synic_enable(t->hv, vp, CONFORM_ANSWER_SINT, CONFORM_VECTOR) == 0,
		"SINT %u of VP %u cannot be enabled", CONFORM_ANSWER_SINT, vp);
	TRY(conform_channel_lend(t, channel, &t->bus.offers[0], 2));
	const struct vmbus_open_reserved_channel_wire open = {
		.header.type = VMBUS_MESSAGE_OPEN_RESERVED_CHANNEL,
		.relid = channel->relid,
		.target_vp = vp,
		.target_sint = CONFORM_ANSWER_SINT,
		.ring_gpadl_id = channel->gpadl_id,
		.downstream_page_offset = channel->ring_bytes / RING_PAGE_BYTES};
	TRY(conform_bus_post(t, &open, sizeof open));
	TRY(answer_take(t, vp, VMBUS_MESSAGE_OPEN_CHANNEL_RESULT, &result, sizeof result));
	EXPECT(result.relid == channel->relid && result.open_id == 0, "relid %u, open id %u",
		result.relid, result.open_id);
	NEED(result.status == 0, "the device cannot be reserved (status 0x%x)", result.status);
	return CONFORM_PASS;
}

static bool close_by(
	struct conform_target *t, const struct conform_channel *channel, uint32_t vp, uint32_t on)
{
	const struct vmbus_close_reserved_channel_wire close = {
		.header.type = VMBUS_MESSAGE_CLOSE_RESERVED_CHANNEL,
		.relid = channel->relid,
		.target_vp = vp,
		.target_sint = CONFORM_ANSWER_SINT};
	struct vmbus_close_reserved_response_wire closed;

	if (conform_bus_post_to(t, on, &close, sizeof close) != HV_STATUS_SUCCESS)
		return conform_no(t, "CLOSE_RESERVED_CHANNEL cannot be posted");
	if (!answer_take(t, vp, VMBUS_MESSAGE_CLOSE_RESERVED_RESPONSE, &closed, sizeof closed))
		return false;
	return closed.relid == channel->relid ||
	       conform_no(t, "relid %u was closed, not %u", closed.relid, channel->relid);
}

#define RESERVED(vp)                                                                               \
	struct conform_channel channel;                                                            \
	const enum conform_verdict verdict = reserve(t, &channel, vp);                             \
	if (verdict != CONFORM_PASS)                                                               \
	return verdict

static enum conform_verdict place(struct conform_target *t)
{
	RESERVED(1);
	TRY(close_by(t, &channel, 1, t->bus.connection_id));
	TRY(conform_bus_quiet(t, "a reserved channel"));
	return CONFORM_PASS;
}

static enum conform_verdict place_of_close(struct conform_target *t)
{
	RESERVED(0);
	EXPECT(winhv_synic_enable(t->hv, 1, CONFORM_ANSWER_SINT, CONFORM_VECTOR) == 0,
		"SINT %u of VP 1 cannot be enabled", CONFORM_ANSWER_SINT);
	TRY(close_by(t, &channel, 1, t->bus.connection_id));
	return CONFORM_PASS;
}

static enum conform_verdict lends_nothing(struct conform_target *t)
{
	uint32_t status;
	RESERVED(0);
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const uint64_t words[2] = {page.bytes, page.gpa / WINHV_PAGE_BYTES};
	const uint32_t id = conform_gpadl_id(t);
	TRY(conform_gpadl_send(t, channel.relid, id, sizeof words, 1, words, 2, 28));
	TRY(conform_gpadl_created(t, channel.relid, id, &status));
	TRY(close_by(t, &channel, 0, t->bus.connection_id));
	EXPECT(status != VMBUS_STATUS_SUCCESS, "it was given a GPADL");
	return CONFORM_PASS;
}

static enum conform_verdict usable_after(struct conform_target *t)
{
	uint32_t status;
	RESERVED(0);
	TRY(close_by(t, &channel, 0, t->bus.connection_id));
	const struct vmbus_open_channel_wire open = conform_channel_request(&channel);
	TRY(conform_channel_ask(t, &open, &status));
	EXPECT(status == VMBUS_STATUS_SUCCESS, "OPEN_CHANNEL after it gave 0x%x", status);
	TRY(conform_channel_close(t, &channel));
	return CONFORM_PASS;
}

static enum conform_verdict while_disconnected(struct conform_target *t)
{
	RESERVED(0);
	const uint32_t count = t->bus.offer_count;
	TRY(conform_bus_unload(t));
	TRY(close_by(t, &channel, 0, VMBUS_CONNECTION_MESSAGE));
	TRY(conform_bus_offers(t));
	EXPECT(t->bus.offer_count == count, "%u offers, then %u", count, t->bus.offer_count);
	return CONFORM_PASS;
}

static enum conform_verdict survives(struct conform_target *t)
{
	RESERVED(0);
	const uint32_t count = t->bus.offer_count;
	const struct guid instance = t->bus.offers[0].instance_id;
	bool is_offered = false;
	TRY(conform_bus_contact(t, t->bus.version, 0));
	TRY(conform_bus_request_offers(t));
	for (uint32_t i = 0; i < t->bus.offer_count; i++)
		is_offered |= guid_equal(&t->bus.offers[i].instance_id, &instance);
	const uint32_t offers = t->bus.offer_count;
	TRY(close_by(t, &channel, 0, t->bus.connection_id));
	EXPECT(!is_offered && offers == count - 1, "%u offers, then %u, %s it", count, offers,
		is_offered ? "with" : "without");
	return CONFORM_PASS;
}

const struct conform_test conform_reserved_tests[] = {
	{"R-GPADL-022", "a reserved channel takes no GPADL", lends_nothing, CONFORM_BUS, 0, 0},
	{"R-OPEN-027", "the result goes to the VP and SINT that were named", place,
		CONFORM_BUS | CONFORM_VP_1, 0, 0},
	{"R-OPEN-028", "so does the answer to the close", place_of_close,
		CONFORM_BUS | CONFORM_VP_1, 0, 0},
	{"R-OPEN-028", "it is closed while disconnected", while_disconnected, CONFORM_BUS, 0, 0},
	{"R-OPEN-028", "closed, it can be opened", usable_after, CONFORM_BUS, 0, 0},
	{"R-OPEN-030", "it survives a contact, and is not offered again", survives, CONFORM_BUS, 0,
		0},
};
const size_t conform_reserved_test_count = sizeof conform_reserved_tests /
					   sizeof conform_reserved_tests[0];
