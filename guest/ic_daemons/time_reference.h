// SPDX-License-Identifier: Apache-2.0
/*
 * The partition's reference time for a guest that cannot read it: taken from a clock of its own
 * that runs at the same rate, and what the host's messages say.
 *
 * Each message has the reference time of its sending; our clock at its receipt less that is the
 * distance of the clocks and the delay of this message. Of the last messages the quickest has the
 * smallest; its delay is taken for none. So a message that was late by a busy processor does not
 * move the clock.
 *
 * The clocks may drift: few messages are kept. If the distance jumps (the machine slept, or was
 * restored), they are forgotten.
 *
 * Integers only, no allocation. Threads: none of its own; one owner. Source: R-IC-025.
 */
#ifndef GUEST_IC_DAEMONS_TIME_REFERENCE_H
#define GUEST_IC_DAEMONS_TIME_REFERENCE_H

#include <stdint.h>

#define TIME_REFERENCE_KEPT	  16u
#define TIME_REFERENCE_JUMP_100NS 10000000 /* 1 s */

/* Zeroed at first. */
struct time_reference {
	int64_t distances[TIME_REFERENCE_KEPT]; /* own less message's */
	unsigned count;				/* that are valid */
	unsigned next;
};

/*
 * A message of `message_100ns` has come when our own clock said `own_100ns`. The reference time
 * now; 0 if the numbers make no sense (2^62 and more). Never before the message.
 */
uint64_t time_reference_since(
	struct time_reference *reference, uint64_t own_100ns, uint64_t message_100ns);

#endif
