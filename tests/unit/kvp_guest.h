// SPDX-License-Identifier: Apache-2.0
/*
 * Pools in memory and one adapter behind the guest's machine, for tests that need a guest with
 * something in it.
 */
#ifndef TESTS_UNIT_KVP_GUEST_H
#define TESTS_UNIT_KVP_GUEST_H

#include "guest/ic_daemons/kvp_ic.h"

#include <stdio.h>
#include <string.h>

#define KVP_GUEST_PAIRS 64u

struct kvp_guest {
	struct kvp_ic ic;
	struct kvp_item pairs[KVP_POOL_INTERNAL][KVP_GUEST_PAIRS];
	unsigned counts[KVP_POOL_INTERNAL];
	struct kvp_ip ip; /* get IP gives it, set IP sets it */
	const char *mac;
	const char *guid; /* in braces */
};

static inline struct kvp_item *kvp_guest_find(
	struct kvp_guest *guest, uint8_t pool, const char *key)
{
	for (unsigned i = 0; i < guest->counts[pool]; i++)
		if (strcmp(guest->pairs[pool][i].key, key) == 0)
			return &guest->pairs[pool][i];
	return NULL;
}

static inline uint32_t kvp_guest_get(void *ctx, uint8_t pool, const char *key, struct kvp_item *out)
{
	const struct kvp_item *item = kvp_guest_find(ctx, pool, key);
	if (item == NULL)
		return IC_STATUS_NO_MORE_ITEMS;
	*out = *item;
	return IC_STATUS_SUCCESS;
}

static inline uint32_t kvp_guest_set(void *ctx, uint8_t pool, const struct kvp_item *item)
{
	struct kvp_guest *guest = ctx;
	struct kvp_item *at = kvp_guest_find(guest, pool, item->key);
	if (pool == KVP_POOL_AUTO || (at == NULL && guest->counts[pool] == KVP_GUEST_PAIRS))
		return IC_STATUS_FAIL;
	if (at == NULL)
		at = &guest->pairs[pool][guest->counts[pool]++];
	*at = *item;
	return IC_STATUS_SUCCESS;
}

static inline uint32_t kvp_guest_remove(void *ctx, uint8_t pool, const char *key)
{
	struct kvp_guest *guest = ctx;
	struct kvp_item *at = kvp_guest_find(guest, pool, key);
	if (at == NULL)
		return IC_STATUS_NO_MORE_ITEMS;
	*at = guest->pairs[pool][--guest->counts[pool]];
	return IC_STATUS_SUCCESS;
}

static inline uint32_t kvp_guest_enumerate(
	void *ctx, uint8_t pool, uint32_t index, struct kvp_item *out)
{
	const struct kvp_guest *guest = ctx;
	if (index >= guest->counts[pool])
		return IC_STATUS_NO_MORE_ITEMS;
	*out = guest->pairs[pool][index];
	return IC_STATUS_SUCCESS;
}

static inline uint32_t kvp_guest_ip_get(void *ctx, struct kvp_ip *ip)
{
	const struct kvp_guest *guest = ctx;
	if (strcmp(ip->adapter, guest->mac) != 0)
		return IC_STATUS_NOT_FOUND;
	*ip = guest->ip;
	snprintf(ip->adapter, sizeof ip->adapter, "%s", guest->mac);
	return IC_STATUS_SUCCESS;
}

static inline uint32_t kvp_guest_ip_set(void *ctx, const struct kvp_ip *ip)
{
	struct kvp_guest *guest = ctx;
	if (strcmp(ip->adapter, guest->guid) != 0)
		return IC_STATUS_NOT_FOUND;
	guest->ip = *ip;
	return IC_STATUS_SUCCESS;
}

static inline void kvp_guest_init(struct kvp_guest *guest)
{
	static const struct kvp_ops ops = {
		.get = kvp_guest_get,
		.set = kvp_guest_set,
		.remove = kvp_guest_remove,
		.enumerate = kvp_guest_enumerate,
		.ip_get = kvp_guest_ip_get,
		.ip_set = kvp_guest_ip_set,
	};
	memset(guest, 0, sizeof *guest);
	guest->mac = "00:15:5D:01:02:03";
	guest->guid = "{00000000-0000-0000-0000-00000000000a}";
	for (uint32_t i = 0; i < KVP_AUTO_COUNT; i++) {
		struct kvp_item *item = &guest->pairs[KVP_POOL_AUTO][i];
		item->type = KVP_TYPE_STRING;
		snprintf(item->key, sizeof item->key, "%s", kvp_auto_key(i));
		snprintf(item->value, sizeof item->value, "value %u", i);
	}
	guest->counts[KVP_POOL_AUTO] = KVP_AUTO_COUNT;
	kvp_ic_init(&guest->ic, &ops, guest);
}

#endif
