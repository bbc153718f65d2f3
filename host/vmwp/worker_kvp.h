// SPDX-License-Identifier: Apache-2.0
/*
 * The worker's key-value pairs: what control commands want of the guest's pools and adapters, and
 * what the host says of itself in pool 3.
 *
 *	control commands -> worker_kvp.c -> kvp_provider
 *
 * Threads: the worker's loop.
 */
#ifndef HOST_VMWP_WORKER_KVP_H
#define HOST_VMWP_WORKER_KVP_H

#include "host/vmwp/control_socket.h"
#include "host/vmwp/log.h"
#include "host/vsp/kvp_provider.h"

struct options;
struct worker;

/* One command that waits for the guest. A client has one at a time. */
struct worker_kvp_request {
	struct worker *worker;
	struct kvp_job job;
	struct control_ticket ticket;
	json_t *items;		     /* owned; of a list */
	struct control_error *early; /* while it is started: it has no ticket yet */
	bool is_used;
};

struct worker_kvp {
	struct kvp_provider kvp;
	const struct options *options; /* of the worker */
	struct worker_kvp_request requests[CONTROL_CLIENTS_MAX];
	struct kvp_job publish; /* what the host says of itself, one pair after the other */
	unsigned publish_next;
	unsigned publish_failures; /* since the guest agreed */
	bool is_publishing;
	struct log_limit publish_limit; /* a guest can refuse them as often as it likes */
};

_Static_assert(CONTROL_CLIENTS_MAX + 1 <= LIMIT_KVP_JOBS, "there is a job for each of them");

/* Offer the service. 0, or the error of bus_offer_add(). */
int worker_kvp_add(struct worker *worker, const struct ic_provider_loop *loop);

/* What there is to say of it, in a few words. */
void worker_kvp_describe(const struct worker_kvp *kvp, char *text, size_t size);

/* Control commands; `ctx` is the worker. */
json_t *worker_kvp_command(void *ctx, const struct control_kvp *what, struct control_ticket *ticket,
	struct control_error *error);
json_t *worker_ip_command(void *ctx, const struct control_ip *what, struct control_ticket *ticket,
	struct control_error *error);

/* A control client has gone: nobody waits for what it asked for. */
void worker_kvp_client_gone(struct worker *worker, uint64_t connection);

#endif
