// SPDX-License-Identifier: Apache-2.0
/*
 * The test devices of protocol/testdevice.md on a VMBus: echo, sink, source, hostile. For
 * partitions in which the bus is tested; off unless asked for.
 *
 *	vmbus channels <-> test_provider (no machine behind it)
 *
 * Packets are answered where they lie, from ring to ring: nothing is queued, and a packet stays
 * in the guest's ring until there is room for its answer. The hostile one lies to the guest that
 * asked it to, in that guest's ring; our own state never follows the lie.
 *
 * Threads: everything on the loop of the bus.
 */
#ifndef HOST_VSP_TEST_PROVIDER_H
#define HOST_VSP_TEST_PROVIDER_H

#include "host/vmbus/bus_channel.h"

/* What one channel does in one turn of the loop: whatever is reached first. */
#define TEST_PROVIDER_BATCH 64u
#define TEST_PROVIDER_BYTES (256u << 10)

struct test_provider;

/*
 * Make the devices and offer them. Returns 0; -ENOMEM; the errors of bus_offer_add(), with
 * nothing offered.
 */
int test_provider_create(struct vmbus_bus *bus, struct test_provider **out);

/* Take the offers back. Open channels are closed by that. Again, or NULL: nothing. */
void test_provider_remove(struct test_provider *provider);

/* Removed. Not from inside a callback of the bus. NULL: nothing. */
void test_provider_destroy(struct test_provider *provider);

#endif
