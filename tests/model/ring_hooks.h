// SPDX-License-Identifier: Apache-2.0
/*
 * Shared accesses of the ring as the explorer sees them: included by
 * protocol/ring_access.h in place of the real ones (RING_ACCESS_HOOKS).
 */
#ifndef TESTS_MODEL_RING_HOOKS_H
#define TESTS_MODEL_RING_HOOKS_H

#include "protocol/ring_site.h"
#include "tests/model/explorer.h"

static inline uint32_t ring_load(const uint32_t *word, enum ring_site site)
{
	return explorer_operate(EXPLORER_LOAD, explorer_word(word), 0, (int)site);
}

static inline void ring_store(uint32_t *word, uint32_t value, enum ring_site site)
{
	(void)explorer_operate(EXPLORER_STORE, explorer_word(word), value, (int)site);
}

static inline void ring_store_full(uint32_t *word, uint32_t value, enum ring_site site)
{
	ring_store(word, value, site);
	(void)explorer_operate(EXPLORER_BARRIER, 0, 0, (int)site);
}

static inline uint32_t ring_store_full_swap(
	uint32_t *word, uint32_t value, uint32_t *mine, enum ring_site site)
{
	const uint32_t before = *mine;

	ring_store_full(word, value, site);
	*mine = value;
	return before;
}

#endif
