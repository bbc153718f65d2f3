// SPDX-License-Identifier: Apache-2.0
/*
 * Ports by connection id: a small hash table with open addressing, for message
 * ports and for event ports alike. A look-up is what a doorbell costs, so it is
 * one multiplication and, nearly always, one cache line.
 *
 * Owned by the partition. Entries move when others come or go: callers copy what
 * they found before they call out.
 */
#ifndef HOST_HYPERVISOR_PORT_TABLE_H
#define HOST_HYPERVISOR_PORT_TABLE_H

#include "host/hypervisor/partition.h"

struct port {
	uint32_t key;	     /* connection id + 1; 0: free */
	uint16_t flag_count; /* of an event port */
	bool is_signalled;   /* its id waits in the deferral */
	uint64_t *pending;   /* owned: flags that the loop thread has to be told, or NULL */
	union {
		partition_message_fn message;
		partition_event_fn event;
	} fn;
	void *ctx; /* borrowed until the port is removed */
};

/* Zero is an empty table. */
struct port_table {
	struct port *slots; /* owned; capacity entries, a power of two, or NULL */
	uint32_t capacity;
	uint32_t count;
};

/* Adds a copy, with room for pending flags. 0, -EEXIST, -ENOSPC (LIMIT_PORTS), -EINVAL (connection
 * id ≥ 2^24), -ENOMEM. */
int port_table_add(struct port_table *table, uint32_t connection_id, const struct port *port);
/* The port, or NULL. Valid until the table changes. */
struct port *port_table_find(const struct port_table *table, uint32_t connection_id);
/* Unknown ids are ignored. */
void port_table_remove(struct port_table *table, uint32_t connection_id);
void port_table_destroy(struct port_table *table);

#endif
