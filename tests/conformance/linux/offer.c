// SPDX-License-Identifier: Apache-2.0
/* Offers: of things unknown, twice, too many, with numbers that no host would give. */
#include "tests/conformance/linux/ic.h"

#include <stdlib.h>
#include <string.h>

#define FLOOD	     500u
#define ROUNDS	     200u
#define LEAK_KIB_MAX 4096

static const struct guid unknown = GUID_INIT(0x7a3b5f10, 0x9d02, 0x4c55, 0xb3de, 0x6c696e757800);

/* R-RESC-017: a device that nobody has a driver for is left closed, and released when it goes. */
static enum conform_verdict unknown_type(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_offer(g, &unknown);

	TRY(linux_ic_works(g));
	EXPECT(channel->opens == 0, "it opens a channel of a type that it does not know");
	linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	EXPECT(linux_posts(g, g->from, VMBUS_MESSAGE_REL_ID_RELEASED, channel->offer.relid) <= 1,
		"released more than once");
	return CONFORM_PASS;
}

static enum conform_verdict with_relid(struct conform_target *t, uint32_t relid)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_offer_make(g, &guid_heartbeat);
	struct vmbus_offer_channel_wire offer = channel->offer;
	const size_t from = g->post_count;

	offer.relid = relid;
	linux_offer_raw(g, &offer);
	channel->offer.relid = 0;
	TRY(linux_ic_works(g));
	EXPECT(linux_posts(g, from, VMBUS_MESSAGE_GPADL_HEADER, relid) == 0,
		"it opens a channel whose relid is %u", relid);
	return CONFORM_PASS;
}

/* R-OFFER-016 */
static enum conform_verdict relid_0(struct conform_target *t)
{
	return with_relid(t, 0);
}
static enum conform_verdict relid_2048(struct conform_target *t)
{
	return with_relid(t, VMBUS_RELID_COUNT);
}
static enum conform_verdict relid_huge(struct conform_target *t)
{
	return with_relid(t, UINT32_MAX);
}

/* R-OFFER-016: the channel that has the relid goes on. */
static enum conform_verdict relid_in_use(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	struct linux_channel *other = linux_offer_make(g, &unknown);
	struct vmbus_offer_channel_wire offer = other->offer;
	offer.relid = channel->offer.relid;
	other->offer.relid = 0;
	linux_offer_raw(g, &offer);
	TRY(linux_ic_works(g));
	TRY(linux_ic_beat(channel, 11));
	return CONFORM_PASS;
}

/* R-OFFER-017 */
static enum conform_verdict short_offer(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_offer_make(g, &guid_heartbeat);
	static const size_t sizes[] = {8, 40, 100, 195};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		linux_send(g, &channel->offer, sizes[i]);
	TRY(linux_ic_works(g));
	EXPECT(channel->opens == 0, "an offer of fewer than 196 bytes is opened");
	return CONFORM_PASS;
}

/* R-OFFER-018: a second primary of the same interface and instance. */
static enum conform_verdict same_instance(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_ic_open(g, IC_TYPE_HEARTBEAT);

	TRY(channel != NULL);
	struct linux_channel *twin = linux_offer_make(g, &guid_heartbeat);
	struct vmbus_offer_channel_wire offer = twin->offer;
	offer.instance_id = channel->offer.instance_id;
	linux_offer_raw(g, &offer);
	const size_t from = g->post_count;
	TRY(linux_ic_works(g));
	EXPECT(linux_posts(g, from, VMBUS_MESSAGE_GPADL_HEADER, offer.relid) == 0,
		"it opens the second channel of an instance");
	twin->offer.relid = 0;
	TRY(linux_ic_beat(channel, 12));
	return CONFORM_PASS;
}

/* R-OFFER-018: a subchannel whose primary does not exist. */
static enum conform_verdict orphan(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_offer_make(g, &guid_storage);

	channel->offer.subchannel_index = 1;
	linux_offer_tell(g, channel);
	TRY(linux_ic_works(g));
	EXPECT(linux_posts(g, g->from, VMBUS_MESSAGE_GPADL_HEADER, channel->offer.relid) == 0,
		"a subchannel without a primary channel is opened");
	linux_rescind(g, channel);
	TRY(linux_released(g, channel));
	return CONFORM_PASS;
}

/* R-OFFER-019: more than it can handle at a time; all are there, and all are released. */
static enum conform_verdict flood(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	static struct linux_channel *all[FLOOD];
	char output[LINUX_OUTPUT_BYTES];

	for (unsigned i = 0; i < FLOOD; i++)
		all[i] = linux_offer(g, &unknown);
	TRY(linux_drained(g));
	TRY(linux_ic_works(g));
	TRY(linux_say(g, output, "ls /sys/bus/vmbus/devices | wc -l") == 0);
	EXPECT(atoi(output) >= (int)FLOOD, "of %u offers %s devices came", FLOOD, output);
	for (unsigned i = 0; i < FLOOD; i++)
		linux_rescind(g, all[i]);
	for (unsigned i = 0; i < FLOOD; i++)
		TRY(linux_released(g, all[i]));
	return CONFORM_PASS;
}

static bool round_trip(struct linux_guest *g, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		struct linux_channel *channel = linux_offer(g, &unknown);
		linux_rescind(g, channel);
		if (!linux_released(g, channel))
			return false;
		partition_event_port_remove(g->partition, channel->offer.connection_id);
		channel->offer.relid = 0;
	}
	return true;
}

/* R-OFFER-021, R-RESC-020 */
static enum conform_verdict in_and_out(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	static const char free_kib[] = "awk '/^MemFree/ {f=$2} /^Cached/ {c=$2} END {print f+c}' "
				       "/proc/meminfo";
	char output[LINUX_OUTPUT_BYTES];

	TRY(round_trip(g, 20)); /* what is only ever made once */
	TRY(linux_say(g, output, free_kib) == 0);
	const int before = atoi(output);
	TRY(round_trip(g, ROUNDS));
	TRY(linux_ic_works(g));
	TRY(linux_say(g, output, free_kib) == 0);
	EXPECT(before - atoi(output) < LEAK_KIB_MAX, "%u offers and rescinds have cost %d KiB",
		ROUNDS, before - atoi(output));
	return CONFORM_PASS;
}

/* R-ROB-010: numbers that are none. The connection id: its signals go nowhere. */
static enum conform_verdict absurd_numbers(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_offer_make(g, &guid_heartbeat);
	struct linux_ic_answer answer;

	channel->offer.flags = 0xdfff; /* all but that of a socket */
	channel->offer.mmio_megabytes = 0xffff;
	memset(channel->offer.user_data, 0xff, sizeof channel->offer.user_data);
	memset(channel->offer.reserved, 0xff, sizeof channel->offer.reserved);
	channel->offer.interrupt_flags = 0xffff;
	channel->offer.mmio_megabytes_optional = 0xffff;
	channel->offer.connection_id = UINT32_MAX;
	linux_offer_tell(g, channel);
	TRY(linux_opened(g, channel));
	TRY(linux_ic_agree(channel, IC_TYPE_HEARTBEAT, &answer));
	TRY(linux_ic_beat(channel, 13));
	TRY(linux_ic_works(g));
	return CONFORM_PASS;
}

/* R-ROB-010: a monitor id above 127 counts as none, so it signals by hypercall. */
static enum conform_verdict absurd_monitor(struct conform_target *t)
{
	struct linux_guest *g = linux_guest_of(t);
	struct linux_channel *channel = linux_offer_make(g, &guid_heartbeat);
	struct linux_ic_answer answer;

	channel->offer.monitor_id = 200;
	channel->offer.monitor_flags = VMBUS_OFFER_MONITOR_ALLOCATED;
	linux_offer_tell(g, channel);
	TRY(linux_opened(g, channel));
	TRY(linux_ic_agree(channel, IC_TYPE_HEARTBEAT, &answer));
	TRY(linux_ic_works(g)); /* its signal has come by now */
	EXPECT(channel->signals > 0,
		"offered with monitor id 200, it does not signal by hypercall");
	return CONFORM_PASS;
}

const struct conform_test linux_offer_tests[] = {
	{"R-RESC-017", "an unknown device is left closed, and released once", unknown_type,
		LINUX_BUS, 0, 0},
	{"R-OFFER-017", "offers that are too short are dropped", short_offer, LINUX_BUS, 0, 0},
	{"R-OFFER-018", "a subchannel without primary is dropped", orphan, LINUX_BUS, 0, 0},
	{"R-OFFER-019", "500 offers, all of them devices", flood, LINUX_BUS, 0, 0},
	{"R-OFFER-021", "200 offers and rescinds leave no memory behind", in_and_out, LINUX_BUS, 0,
		0},
	{"R-ROB-010", "absurd flags, data and connection id", absurd_numbers, LINUX_BUS, 0, 0},
	{"R-ROB-010", "a monitor id of 200 counts as none", absurd_monitor, LINUX_BUS, 0, 0},
	{"R-OFFER-018", "a second offer of an instance is dropped", same_instance, LINUX_BUS, 0, 0},
	{"R-OFFER-016", "an offer whose relid is in use is dropped", relid_in_use, LINUX_BUS, 0, 0},
	{"R-OFFER-016", "an offer of relid 0 is dropped", relid_0, LINUX_BUS, 0, 0},
	{"R-OFFER-016", "an offer of relid 2048 is dropped", relid_2048, LINUX_BUS, 0, 0},
	{"R-OFFER-016", "an offer of relid 0xffffffff is dropped", relid_huge, LINUX_BUS, 0, 0},
};
const size_t linux_offer_test_count = sizeof linux_offer_tests / sizeof *linux_offer_tests;
