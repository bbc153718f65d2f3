// SPDX-License-Identifier: Apache-2.0
/* Lines for people, on stderr. */
#ifndef GUEST_VSC_VSC_DISK_LOG_H
#define GUEST_VSC_VSC_DISK_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* How many lines a flood may bring at once, and what time it takes to earn one more. */
#define DISK_LOG_BURST_LINES 50u
#define DISK_LOG_LINE_MS     200u

/* Much of what is logged a host can make happen, as often as it likes (R-ROB-005). Zero it. */
struct disk_log_limit {
	uint64_t spent; /* lines of the burst */
	uint64_t counted_ms;
	uint64_t left_out; /* since the last line that came through */
};

/*
 * Whether a line may be written at `now_ms`, of any clock that does not go back. True: *left_out
 * says how many could not before it.
 */
bool disk_log_is_due(struct disk_log_limit *limit, uint64_t now_ms, uint64_t *left_out);

/*
 * One line, "vsc-disk: …"; control characters become '?'. A flood is cut, and how much of it is
 * said by the next line that comes through. One thread.
 */
void disk_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
