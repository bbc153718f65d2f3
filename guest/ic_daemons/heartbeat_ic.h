// SPDX-License-Identifier: Apache-2.0
/*
 * Heartbeat, guest side: answers each request of the host with its sequence number
 * plus one and, from message version 3.0, with the state of the applications.
 *
 *	struct heartbeat_ic heartbeat;
 *	heartbeat_ic_init(&heartbeat);
 *	… for each packet payload:
 *	ic_guest_on_packet(&heartbeat.ic, bytes, len, reply, sizeof reply, &reply_len);
 *
 * or, on a bus, ic_channel_open() of ic_channel.h with &heartbeat.ic.
 *
 * Threads: none of its own; one owner. Rules: R-IC-027, R-IC-029, R-HB-001 to R-HB-006.
 */
#ifndef GUEST_IC_DAEMONS_HEARTBEAT_IC_H
#define GUEST_IC_DAEMONS_HEARTBEAT_IC_H

#include "guest/ic_daemons/ic_guest.h"
#include "protocol/heartbeat.h"

struct heartbeat_ic {
	struct ic_guest ic;
	uint32_t application_state; /* enum heartbeat_application; the owner may change it */
	uint64_t beats;		    /* requests answered */
	uint64_t sequence;	    /* of the last of them, as the host sent it */
};

/* Ready for a channel to open; applications unknown. `heartbeat` must not move afterwards. */
void heartbeat_ic_init(struct heartbeat_ic *heartbeat);

/* The component's row. */
extern const struct ic_guest_service heartbeat_ic_service;

#endif
