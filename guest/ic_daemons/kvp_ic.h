// SPDX-License-Identifier: Apache-2.0
/*
 * Key-value pair exchange, guest side: reads what the host asks for on the channel, and calls
 * one operation for it with plain values.
 *
 *	ic_guest  ->  kvp_ic (this file; UTF-16)  ---+
 *	                                             +--> struct kvp_ops
 *	/dev/vmbus/hv_kvp -> kvp_device_linux -------+
 *
 * The host is not trusted: a body that breaks a rule is answered with a failure, is counted by its
 * reason, and reaches no operation.
 *
 * Threads: none of its own; one owner. Rules: kvp.md.
 */
#ifndef GUEST_IC_DAEMONS_KVP_IC_H
#define GUEST_IC_DAEMONS_KVP_IC_H

#include "guest/ic_daemons/ic_guest.h"
#include "protocol/kvp.h"

/*
 * What a guest does. Each returns IC_STATUS_*; IC_STATUS_NO_MORE_ITEMS: no such key, or index.
 * Pools are 0 to KVP_POOL_COUNT - 2 (R-KVP-019); texts are valid UTF-8 as the codec made them.
 * None may block for long, but ip_set may return IC_GUEST_LATER, and then kvp_ic_finish() or
 * kvp_device_finish() is due.
 */
struct kvp_ops {
	/* *out: a string whose key and value fit their fields of the wire. */
	uint32_t (*get)(void *ctx, uint8_t pool, const char *key, struct kvp_item *out);
	/* Numbers are in item->value as digits too. */
	uint32_t (*set)(void *ctx, uint8_t pool, const struct kvp_item *item);
	uint32_t (*remove)(void *ctx, uint8_t pool, const char *key);
	uint32_t (*enumerate)(void *ctx, uint8_t pool, uint32_t index, struct kvp_item *out);
	/* ip->adapter names the adapter, the rest is empty: fill it. */
	uint32_t (*ip_get)(void *ctx, struct kvp_ip *ip);
	/* The values are to be judged by the operation; `ip` is borrowed during the call. */
	uint32_t (*ip_set)(void *ctx, const struct kvp_ip *ip);
};

struct kvp_ic {
	struct ic_guest ic;
	const struct kvp_ops *ops; /* borrowed, constant */
	void *ctx;
	bool is_pending; /* an ip_set is under way, and asked for by `ticket` */
	uint64_t ticket;
	uint64_t operations[KVP_OPERATION_COUNT]; /* that reached an operation */
	uint64_t refused[KVP_REASON_COUNT];	  /* that did not */
	/* Scratch of one request. */
	struct kvp_item item;
	struct kvp_ip ip;
};

/* Ready for a channel to open. `kvp` must not move afterwards. */
void kvp_ic_init(struct kvp_ic *kvp, const struct kvp_ops *ops, void *ctx);

/* The ip_set that was answered with IC_GUEST_LATER is over. Harmless if nobody waits any more. */
void kvp_ic_finish(struct kvp_ic *kvp, uint32_t status);

/*
 * Write `ip` as text into a body, leaving out addresses at the end of the longer list until the
 * rest fits: the text has 1,023 characters for as many as 128. Other failures are as
 * kvp_ip_text_encode() has them.
 */
enum kvp_reason kvp_ic_ip_text(struct kvp_ip *ip, struct kvp_ip_text_wire *wire);

/* The component's row. */
extern const struct ic_guest_service kvp_ic_service;

#endif
