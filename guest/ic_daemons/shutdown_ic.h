// SPDX-License-Identifier: Apache-2.0
/*
 * Shutdown, guest side: answers the host's requests by what this guest can do, and keeps
 * what it has promised until its owner takes it. The answer is on its way before the owner
 * can act (R-IC-017):
 *
 *	struct shutdown_ic shutdown;
 *	struct shutdown_order order;
 *	shutdown_ic_init(&shutdown, SHUTDOWN_IC_CAN(SHUTDOWN_POWER_OFF));
 *	… ic_channel_open() of ic_channel.h with &shutdown.ic, then
 *	while (!shutdown_ic_take(&shutdown, &order))
 *		vmbus_poll(bus, timeout);
 *	… do it
 *
 * Threads: none of its own; one owner. Rules: R-IC-016 to R-IC-021, R-SHUT-001 to R-SHUT-009.
 */
#ifndef GUEST_IC_DAEMONS_SHUTDOWN_IC_H
#define GUEST_IC_DAEMONS_SHUTDOWN_IC_H

#include "guest/ic_daemons/ic_guest.h"
#include "protocol/shutdown.h"

#define SHUTDOWN_IC_CAN(action) (1u << (action))

/* What the host asked for. */
struct shutdown_order {
	enum shutdown_action action;
	bool is_forced;
	uint32_t reason;
	uint32_t timeout_s;
	char text[SHUTDOWN_TEXT_BYTES + 1]; /* any bytes, up to the first NUL */
};

struct shutdown_ic {
	struct ic_guest ic;
	unsigned actions; /* SHUTDOWN_IC_CAN() of each that is supported; the owner may change it */
	bool has_order;
	struct shutdown_order order;
	uint64_t accepted; /* likewise refused: not supported, or no such flags */
	uint64_t refused;
};

/* Ready for a channel to open. `shutdown` must not move afterwards. */
void shutdown_ic_init(struct shutdown_ic *shutdown, unsigned actions);

/* Is there something to do that was not taken yet? Copies it; the latest counts. */
bool shutdown_ic_take(struct shutdown_ic *shutdown, struct shutdown_order *out);

/* The component's row. */
extern const struct ic_guest_service shutdown_ic_service;

#endif
