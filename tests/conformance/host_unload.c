// SPDX-License-Identifier: Apache-2.0
/* Unload: its answer, what it ends, and what can be found again. */
#include "tests/conformance/conform_areas.h"

/* The highest version that the host takes, 0 if a test has failed. */
static uint32_t highest(struct conform_target *t)
{
	return conform_bus_connect(t) ? t->bus.version : 0;
}

/* Below 1.1 nothing is said of an answer. */
static enum conform_verdict unload(struct conform_target *t)
{
	const uint32_t top = highest(t);

	EXPECT(top != 0, "no version is taken");
	for (unsigned i = 0; i < VMBUS_VERSION_COUNT; i++) {
		const uint32_t version = vmbus_version_table[i].version;
		if (version > top || !vmbus_version_has(version, VMBUS_CAP_UNLOAD_RESPONSE))
			continue;
		TRY(conform_bus_contact(t, version, 0));
		TRY(conform_bus_unload(t));
		TRY(conform_bus_quiet(t, "UNLOAD and its answer"));
	}
	return CONFORM_PASS;
}

static enum conform_verdict unload_twice(struct conform_target *t)
{
	TRY(conform_bus_post_type(t, VMBUS_MESSAGE_UNLOAD));
	TRY(conform_bus_quiet(t, "UNLOAD before any contact"));
	TRY(conform_bus_connect(t));
	TRY(conform_bus_unload(t));
	TRY(conform_bus_post_type(t, VMBUS_MESSAGE_UNLOAD));
	TRY(conform_bus_quiet(t, "a second UNLOAD"));
	return CONFORM_PASS;
}

static enum conform_verdict unload_busy(struct conform_target *t)
{
	struct conform_channel channel;

	TRY(conform_bus_offers(t));
	NEED(t->bus.offer_count > 0, "there are no offers");
	TRY(conform_channel_open(t, &channel, &t->bus.offers[0], 2));
	const struct winhv_pages page = conform_pages(t, WINHV_PAGE_BYTES);
	TRY(conform_gpadl_make(t, channel.relid, conform_gpadl_id(t), &page));
	TRY(conform_bus_unload(t));
	return CONFORM_PASS;
}

static enum conform_verdict unload_finds_all(struct conform_target *t)
{
	struct vmbus_offer_channel_wire before[CONFORM_OFFERS_MAX];

	TRY(conform_bus_offers(t));
	const uint32_t count = t->bus.offer_count;
	__builtin_memcpy(before, t->bus.offers, sizeof before);
	TRY(conform_bus_unload(t));
	TRY(conform_bus_offers(t));
	EXPECT(t->bus.offer_count == count, "%u offers, then %u", count, t->bus.offer_count);
	for (uint32_t i = 0; i < count; i++)
		EXPECT(guid_equal(&before[i].instance_id, &t->bus.offers[i].instance_id),
			"offer %u is another device", i);
	return CONFORM_PASS;
}

static enum conform_verdict nothing_after_unload(struct conform_target *t)
{
	TRY(conform_bus_offers(t));
	const uint32_t connection = t->bus.connection_id;
	TRY(conform_bus_unload(t));
	const struct vmbus_header_wire request = {.type = VMBUS_MESSAGE_REQUEST_OFFERS};
	(void)conform_bus_post_to(t, connection, &request, sizeof request);
	TRY(conform_bus_quiet(t, "REQUEST_OFFERS after UNLOAD"));
	return CONFORM_PASS;
}

const struct conform_test conform_unload_tests[] = {
	{"R-UNL-001", "UNLOAD is answered once, from 1.1 on", unload, CONFORM_BUS, 0, 0},
	{"R-UNL-002", "after UNLOAD nothing comes", nothing_after_unload, CONFORM_BUS, 0, 0},
	{"R-UNL-003", "UNLOAD while disconnected is dropped", unload_twice, CONFORM_BUS, 0, 0},
	{"R-UNL-006", "after UNLOAD all devices are found again", unload_finds_all, CONFORM_BUS, 0,
		0},
	{"R-UNL-013", "UNLOAD with a channel open and GPADLs alive succeeds", unload_busy,
		CONFORM_BUS, 0, 0},
};
const size_t conform_unload_test_count = sizeof conform_unload_tests /
					 sizeof conform_unload_tests[0];
