// SPDX-License-Identifier: Apache-2.0
/*
 * The few D-Bus calls that managers of networks need, over sd-bus. All may be given no bus (NULL)
 * and then fail with -ENOTCONN.
 *
 * Threads: none of its own.
 */
#ifndef GUEST_IC_DAEMONS_NET_BUS_LINUX_H
#define GUEST_IC_DAEMONS_NET_BUS_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

#define NET_BUS_TIMEOUT_US 25000000u /* of a call */

/* The bus at `address`, or the system's if that is NULL; NULL if there is none. */
struct sd_bus *net_bus_open(const char *address);
void net_bus_close(struct sd_bus *bus);

/* Is this service running? Nothing is started for the question. */
bool net_bus_has(struct sd_bus *bus, const char *service);

/*
 * Call a method with arguments of these sd-bus types and wait for it. 0, or a negative errno and
 * the bus's words in `why`.
 */
int net_bus_call(struct sd_bus *bus, char *why, size_t why_bytes, const char *service,
	const char *object, const char *interface, const char *method, const char *types, ...);

/* Send a message and wait for its answer, which is the caller's to unref; may be NULL. Likewise. */
int net_bus_send(struct sd_bus *bus, char *why, size_t why_bytes, sd_bus_message *message,
	sd_bus_message **answer);

#endif
