// SPDX-License-Identifier: Apache-2.0
/*
 * A stand-in for the host's bus under one provider: one channel with real rings, the guest's
 * end of them for the test. Defines the functions of bus_channel.h that such a provider
 * calls: for one file of a program.
 */
#ifndef TESTS_UNIT_BUS_STAND_IN_H
#define TESTS_UNIT_BUS_STAND_IN_H

#include "host/vmbus/bus_channel.h"
#include "tests/harness.h"
#include "tests/unit/ring_pair.h"

struct bus_channel {
	struct ring_pair rings;
	struct bus_offer offer;
	bool is_offered;
	bool is_open;
	bool vanishes_in_open; /* the guest goes while the open is being answered */
	unsigned flushes;
	const char *failure;
};

struct vmbus_bus {
	struct bus_channel channel;
	int add_result;
};

int bus_offer_add(struct vmbus_bus *bus, const struct bus_offer *offer, struct bus_channel **out)
{
	if (bus->add_result != 0)
		return bus->add_result;
	bus->channel.offer = *offer;
	bus->channel.is_offered = true;
	*out = &bus->channel;
	return 0;
}

static inline void bus_close(struct vmbus_bus *bus)
{
	bus->channel.offer.ops->close(bus->channel.offer.ctx, &bus->channel);
}

void bus_offer_remove(struct bus_channel *channel)
{
	channel->is_offered = false;
	if (channel->is_open)
		channel->offer.ops->close(channel->offer.ctx, channel);
}

void bus_channel_open_done(struct bus_channel *channel, int status)
{
	CU_ASSERT_EQUAL(status, 0);
	channel->is_open = true;
	if (channel->vanishes_in_open)
		channel->offer.ops->close(channel->offer.ctx, channel);
}

void bus_channel_close_done(struct bus_channel *channel)
{
	CU_ASSERT_TRUE(channel->is_open);
	channel->is_open = false;
	ring_pair_close(&channel->rings);
}

struct ring_reader *bus_channel_reader(struct bus_channel *channel)
{
	CU_ASSERT_TRUE_FATAL(channel->is_open);
	return &channel->rings.near_in;
}

struct ring_writer *bus_channel_writer(struct bus_channel *channel)
{
	CU_ASSERT_TRUE_FATAL(channel->is_open);
	return &channel->rings.near_out;
}

void bus_channel_flush(struct bus_channel *channel)
{
	CU_ASSERT_TRUE_FATAL(channel->is_open);
	(void)ring_flush(&channel->rings.near_out);
	(void)ring_read_flush(&channel->rings.near_in);
	channel->flushes++;
}

void bus_channel_fail(struct bus_channel *channel, const char *reason)
{
	CU_ASSERT_TRUE(channel->is_open);
	CU_ASSERT_PTR_NULL(channel->failure);
	channel->failure = reason;
}

#endif
