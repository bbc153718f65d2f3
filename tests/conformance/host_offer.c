// SPDX-License-Identifier: Apache-2.0
/* Offers: when, how many, and each of their fields. */
#include "tests/conformance/conform_areas.h"

#define OFFERS                                                                                     \
	do {                                                                                       \
		TRY(conform_bus_offers(t));                                                        \
		NEED(t->bus.offer_count > 0, "there are no offers");                               \
	} while (0)

static enum conform_verdict none_before(struct conform_target *t)
{
	TRY(conform_bus_connect(t));
	TRY(conform_bus_quiet(t, "a contact without REQUEST_OFFERS"));
	return CONFORM_PASS;
}

static enum conform_verdict once_each(struct conform_target *t)
{
	OFFERS;
	for (uint32_t i = 0; i < t->bus.offer_count; i++)
		for (uint32_t j = 0; j < i; j++)
			EXPECT(!guid_equal(&t->bus.offers[i].instance_id,
				       &t->bus.offers[j].instance_id) ||
					!guid_equal(&t->bus.offers[i].interface_id,
						&t->bus.offers[j].interface_id) ||
					t->bus.offers[i].subchannel_index !=
						t->bus.offers[j].subchannel_index,
				"offers %u and %u are the same", j, i);
	TRY(conform_bus_quiet(t, "ALL_OFFERS_DELIVERED"));
	return CONFORM_PASS;
}

static enum conform_verdict reserved(struct conform_target *t)
{
	const uint32_t top = conform_bus_connect(t) ? t->bus.version : 0;

	EXPECT(top != 0, "no version is taken");
	for (unsigned v = 0; v < VMBUS_VERSION_COUNT; v++) {
		if (vmbus_version_table[v].version > top)
			continue;
		TRY(conform_bus_contact(t, vmbus_version_table[v].version, 0));
		TRY(conform_bus_request_offers(t)); /* each of 196 bytes */
		for (uint32_t i = 0; i < t->bus.offer_count; i++)
			for (unsigned byte = 0; byte < sizeof t->bus.offers[i].reserved; byte++)
				EXPECT(t->bus.offers[i].reserved[byte] == 0,
					"version %s, offer %u: reserved byte %u is not 0",
					vmbus_version_table[v].text, i, byte);
	}
	return CONFORM_PASS;
}

static enum conform_verdict relids(struct conform_target *t)
{
	OFFERS;
	for (uint32_t i = 0; i < t->bus.offer_count; i++) {
		EXPECT(vmbus_relid_is_valid(t->bus.offers[i].relid), "relid %u",
			t->bus.offers[i].relid);
		for (uint32_t j = 0; j < i; j++)
			EXPECT(t->bus.offers[i].relid != t->bus.offers[j].relid,
				"relid %u was offered twice", t->bus.offers[i].relid);
	}
	return CONFORM_PASS;
}

static enum conform_verdict requested_twice(struct conform_target *t)
{
	TRY(conform_bus_offers(t));
	TRY(conform_bus_post_type(t, VMBUS_MESSAGE_REQUEST_OFFERS));
	TRY(conform_bus_quiet(t, "a second REQUEST_OFFERS"));
	return CONFORM_PASS;
}

static enum conform_verdict same_relids(struct conform_target *t)
{
	struct vmbus_offer_channel_wire before[CONFORM_OFFERS_MAX];

	OFFERS;
	__builtin_memcpy(before, t->bus.offers, sizeof before);
	const uint32_t count = t->bus.offer_count;
	TRY(conform_bus_contact(t, t->bus.version, 0));
	TRY(conform_bus_request_offers(t));
	EXPECT(count == t->bus.offer_count, "%u offers, then %u", count, t->bus.offer_count);
	for (uint32_t i = 0; i < count; i++)
		EXPECT(before[i].relid == t->bus.offers[i].relid &&
				guid_equal(&before[i].instance_id, &t->bus.offers[i].instance_id),
			"offer %u has another relid or device in the next connection", i);
	return CONFORM_PASS;
}

static enum conform_verdict primaries_first(struct conform_target *t)
{
	OFFERS;
	for (uint32_t i = 0; i < t->bus.offer_count; i++) {
		const struct vmbus_offer_channel_wire *sub = &t->bus.offers[i];
		bool is_found = sub->subchannel_index == 0;
		for (uint32_t j = 0; j < i && !is_found; j++)
			is_found = t->bus.offers[j].subchannel_index == 0 &&
				   guid_equal(&t->bus.offers[j].instance_id, &sub->instance_id);
		EXPECT(is_found, "subchannel %u of relid %u came before its primary",
			sub->subchannel_index, sub->relid);
	}
	return CONFORM_PASS;
}

static enum conform_verdict flags(struct conform_target *t)
{
	const uint16_t gated = VMBUS_OFFER_CONFIDENTIAL_RING |
			       VMBUS_OFFER_CONFIDENTIAL_EXTERNAL_MEMORY |
			       VMBUS_OFFER_REQUIRE_PINNED_MEMORY;

	OFFERS;
	for (uint32_t i = 0; i < t->bus.offer_count; i++)
		EXPECT(!(t->bus.offers[i].flags & (~VMBUS_OFFER_GUEST_VISIBLE | gated)),
			"relid %u has flags 0x%x", t->bus.offers[i].relid, t->bus.offers[i].flags);
	return CONFORM_PASS;
}

static enum conform_verdict monitors(struct conform_target *t)
{
	OFFERS; /* of a connection without monitor pages */
	for (uint32_t i = 0; i < t->bus.offer_count; i++)
		EXPECT(t->bus.offers[i].monitor_id == VMBUS_MONITOR_ID_NONE &&
				t->bus.offers[i].monitor_flags == 0,
			"relid %u has monitor id %u, flags 0x%x", t->bus.offers[i].relid,
			t->bus.offers[i].monitor_id, t->bus.offers[i].monitor_flags);
	return CONFORM_PASS;
}

static enum conform_verdict dedicated(struct conform_target *t)
{
	OFFERS;
	for (uint32_t i = 0; i < t->bus.offer_count; i++)
		EXPECT(t->bus.offers[i].interrupt_flags == VMBUS_OFFER_DEDICATED_INTERRUPT &&
				t->bus.offers[i].connection_id != 0,
			"relid %u: interrupt flags 0x%x, connection id %u", t->bus.offers[i].relid,
			t->bus.offers[i].interrupt_flags, t->bus.offers[i].connection_id);
	return CONFORM_PASS;
}

static enum conform_verdict sizes(struct conform_target *t)
{
	OFFERS; /* VERSION_RESPONSE, OFFER_CHANNEL, ALL_OFFERS_DELIVERED were checked on the way */
	struct conform_channel channel;
	TRY(conform_channel_open(t, &channel, &t->bus.offers[0], 2));
	TRY(conform_channel_close(t, &channel));
	TRY(conform_bus_unload(t));
	return CONFORM_PASS;
}

static enum conform_verdict released(struct conform_target *t)
{
	OFFERS;
	const uint32_t relid = t->bus.offers[0].relid, count = t->bus.offer_count;
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	const uint32_t id = conform_gpadl_id(t);
	const uint64_t words[2] = {page.bytes, page.gpa / WINHV_PAGE_BYTES};
	uint32_t status;

	TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_REL_ID_RELEASED, relid));
	TRY(conform_gpadl_send(t, relid, id, 16, 1, words, 2, 28));
	TRY(conform_gpadl_created(t, relid, id, &status));
	EXPECT(status != VMBUS_STATUS_SUCCESS, "relid %u still takes GPADLs", relid);
	TRY(conform_bus_quiet(t, "REL_ID_RELEASED of a closed channel"));
	TRY(conform_bus_contact(t, t->bus.version, 0));
	TRY(conform_bus_request_offers(t));
	EXPECT(t->bus.offer_count == count, "the next connection has %u offers, not %u",
		t->bus.offer_count, count);
	return CONFORM_PASS;
}

static enum conform_verdict release_open(struct conform_target *t)
{
	struct conform_channel channel;

	OFFERS;
	TRY(conform_channel_open(t, &channel, &t->bus.offers[0], 2));
	TRY(conform_bus_post_relid(t, VMBUS_MESSAGE_REL_ID_RELEASED, channel.relid));
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	TRY(conform_gpadl_make(t, channel.relid, conform_gpadl_id(t), &page));
	TRY(conform_channel_close(t, &channel));
	return CONFORM_PASS;
}

const struct conform_test conform_offer_tests[] = {
	{"R-OFFER-001", "no offer comes unasked", none_before, CONFORM_BUS, 0, 0},
	{"R-OFFER-002", "each offer comes once, then the end", once_each, CONFORM_BUS, 0, 0},
	{"R-OFFER-003", "196 bytes at every version, reserved fields 0", reserved, CONFORM_BUS, 0,
		0},
	{"R-OFFER-004", "relids are in range and unique", relids, CONFORM_BUS, 0, 0},
	{"R-OFFER-006", "a second REQUEST_OFFERS is dropped", requested_twice, CONFORM_BUS, 0, 0},
	{"R-OFFER-009", "devices keep their relids", same_relids, CONFORM_BUS, 0, 0},
	{"R-OFFER-010", "primaries come before their subchannels", primaries_first, CONFORM_BUS, 0,
		0},
	{"R-OFFER-011", "flags are those that a guest may see", flags, CONFORM_BUS, 0, 0},
	{"R-OFFER-012", "no monitor ids without monitor pages", monitors, CONFORM_BUS, 0, 0},
	{"R-OFFER-014", "interrupts are dedicated, with an id", dedicated, CONFORM_BUS, 0, 0},
	{"R-CONN-037", "messages have exactly their sizes", sizes, CONFORM_BUS, 0, 0},
	{"R-RESC-012", "the release of an open channel is dropped", release_open, CONFORM_BUS, 0,
		0},
	{"R-RESC-013", "a closed channel can be released, and comes with the next connection",
		released, CONFORM_BUS, 0, 0},
};
const size_t conform_offer_test_count = sizeof conform_offer_tests / sizeof conform_offer_tests[0];
