// SPDX-License-Identifier: Apache-2.0
/*
 * Reference time, in units of 100 ns, and the page by which a guest reads it without
 * leaving: time = (TSC × scale) / 2^64 + offset, in 128-bit arithmetic. The register
 * TIME_REF_COUNT and the page give the same value for the same TSC, because both are this
 * formula with the same two numbers.
 *
 * Without a TSC that is known to be constant and equal on all VPs, time is counted by a clock
 * in nanoseconds, and the page says "use the register" (sequence 0).
 *
 * No I/O: readings of TSC and clock are arguments. Threads: the partition's lock; the page is
 * read by VPs at any time.
 * Sources: TLFS, "Partition reference time enlightenment"; R-TIME rules of
 * protocol/hypervisor.md.
 */
#ifndef HOST_HYPERVISOR_REFERENCE_TIME_H
#define HOST_HYPERVISOR_REFERENCE_TIME_H

#include <stdbool.h>
#include <stdint.h>

struct reference_time {
	bool counts_tsc;
	uint64_t scale;	   /* counts_tsc */
	uint64_t offset;   /* counts_tsc: two's complement, as sums wrap */
	uint64_t start_ns; /* else: the clock when the time was 0 */
	uint32_t sequence; /* of the page, when it was last written; 0: not yet */
};

/*
 * floor(10^7 × 2^64 / tsc_hz), or 0 if that does not fit in 64 bits (10 MHz and below): such
 * a TSC cannot be counted.
 */
uint64_t reference_time_scale(uint64_t tsc_hz);

/* Count by the clock from now on: it reads clock_ns, the time is now_100ns. */
void reference_time_use_clock(struct reference_time *time, uint64_t clock_ns, uint64_t now_100ns);
/* Count by the TSC from now on: it reads tsc. False, nothing changed: scale does not fit. */
bool reference_time_use_tsc(
	struct reference_time *time, uint64_t tsc_hz, uint64_t tsc, uint64_t now_100ns);

uint64_t reference_time_of_clock(const struct reference_time *time, uint64_t clock_ns);
uint64_t reference_time_of_tsc(const struct reference_time *time, uint64_t tsc);

/*
 * Write the page of 4096 bytes, under the eyes of readers: sequence 0, the numbers, a new
 * sequence, which is never 0 nor 0xffffffff; with a clock, sequence 0 alone.
 */
void reference_time_page_write(struct reference_time *time, uint8_t *page);

#endif
