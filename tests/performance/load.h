// SPDX-License-Identifier: Apache-2.0
/*
 * One pattern of disk requests, so that every path is given the same, and how its rate
 * is counted.
 */
#ifndef TESTS_PERFORMANCE_LOAD_H
#define TESTS_PERFORMANCE_LOAD_H

#include "tests/performance/measure.h"

#include <stdbool.h>
#include <stdint.h>

#define LOAD_SMALL_BYTES 16384u /* up to here requests are counted, above bytes */

struct load {
	uint32_t bytes; /* of one request; divides span_bytes */
	uint32_t depth; /* in flight at once */
	bool is_write;
	bool is_random;
	uint64_t span_bytes;  /* from the start of the disk */
	uint64_t duration_ns; /* no new requests after this */
	uint64_t requests;    /* nor after so many; 0: no limit */
};

/* Where the next request goes. Start with {0}. */
struct load_cursor {
	uint64_t random;
	uint64_t next;
};

static inline uint64_t load_next(const struct load *load, struct load_cursor *cursor)
{
	const uint64_t places = load->span_bytes / load->bytes;
	if (!load->is_random) {
		const uint64_t place = cursor->next;
		cursor->next = place + 1 < places ? place + 1 : 0;
		return place * load->bytes;
	}
	uint64_t x = cursor->random != 0 ? cursor->random : 88172645463325252u;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	cursor->random = x;
	return (x >> 32) * places / (1ull << 32) * load->bytes;
}

/* The load; if it ends by time, and a count was asked for, by that instead. */
static inline struct load load_limit(const struct load *load)
{
	struct load limited = *load;
	if (load->requests == 0)
		limited.requests = measure_count(0);
	if (limited.requests != load->requests)
		limited.duration_ns = 3600000000000u;
	return limited;
}

/* IOPS, or MiB/s for large requests. */
static inline double load_rate(const struct load *load, uint64_t requests, uint64_t ns)
{
	const double per_second = (double)requests * 1e9 / (double)ns;
	return load->bytes <= LOAD_SMALL_BYTES
		       ? per_second
		       : per_second * (double)load->bytes / (double)(1u << 20);
}

static inline const char *load_unit(const struct load *load)
{
	return load->bytes <= LOAD_SMALL_BYTES ? "IOPS" : "MiB/s";
}

#endif
