// SPDX-License-Identifier: Apache-2.0
/*
 * Ports by connection id. See port_table.h. Linear probing, at most half full;
 * removal moves the rest of a cluster up, so that there are no tombstones.
 */
#include "host/hypervisor/port_table.h"

#include "host/limits.h"
#include "protocol/hypervisor.h"

#include <errno.h>
#include <stdlib.h>

#define CAPACITY_MIN 16u

static uint32_t home(const struct port_table *table, uint32_t key)
{
	/* Fibonacci hashing: ids of channels are consecutive, keep them apart all the same. */
	return (key * 2654435769u >> 16) & (table->capacity - 1);
}

static void place(struct port_table *table, const struct port *port)
{
	uint32_t at = home(table, port->key);

	while (table->slots[at].key != 0)
		at = (at + 1) & (table->capacity - 1);
	table->slots[at] = *port;
	table->count++;
}

static int grow(struct port_table *table)
{
	struct port_table bigger = {
		.capacity = table->capacity ? 2 * table->capacity : CAPACITY_MIN,
	};

	bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
	if (!bigger.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < table->capacity; i++)
		if (table->slots[i].key != 0)
			place(&bigger, &table->slots[i]);
	free(table->slots);
	*table = bigger;
	return 0;
}

int port_table_add(struct port_table *table, uint32_t connection_id, const struct port *port)
{
	if (connection_id > HV_CONNECTION_ID_MAX)
		return -EINVAL;
	if (port_table_find(table, connection_id))
		return -EEXIST;
	if (table->count >= LIMIT_PORTS)
		return -ENOSPC;
	if (2 * (table->count + 1) > table->capacity) {
		const int error = grow(table);
		if (error)
			return error;
	}

	struct port copy = *port;
	copy.key = connection_id + 1;
	copy.pending = NULL;
	if (port->flag_count > 0) {
		copy.pending = calloc((port->flag_count + 63u) / 64, sizeof *copy.pending);
		if (!copy.pending)
			return -ENOMEM;
	}
	place(table, &copy);
	return 0;
}

struct port *port_table_find(const struct port_table *table, uint32_t connection_id)
{
	if (table->capacity == 0 || connection_id > HV_CONNECTION_ID_MAX)
		return NULL;

	const uint32_t key = connection_id + 1;
	for (uint32_t at = home(table, key);; at = (at + 1) & (table->capacity - 1)) {
		if (table->slots[at].key == key)
			return &table->slots[at];
		if (table->slots[at].key == 0)
			return NULL;
	}
}

void port_table_remove(struct port_table *table, uint32_t connection_id)
{
	struct port *port = port_table_find(table, connection_id);

	if (!port)
		return;
	free(port->pending);

	const uint32_t mask = table->capacity - 1;
	uint32_t hole = (uint32_t)(port - table->slots);
	for (uint32_t at = (hole + 1) & mask; table->slots[at].key != 0; at = (at + 1) & mask) {
		/* Move it if its home is not between the hole and where it is. */
		const uint32_t from_home = (at - home(table, table->slots[at].key)) & mask;
		if (from_home >= ((at - hole) & mask)) {
			table->slots[hole] = table->slots[at];
			hole = at;
		}
	}
	table->slots[hole] = (struct port){0};
	table->count--;
}

void port_table_destroy(struct port_table *table)
{
	for (uint32_t i = 0; i < table->capacity; i++)
		free(table->slots[i].pending);
	free(table->slots);
	*table = (struct port_table){0};
}
