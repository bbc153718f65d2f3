// SPDX-License-Identifier: Apache-2.0
/* Lines for people. See vsc_disk_log.h. */
#include "guest/vsc/vsc_disk_log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define BURST_LINES 50u
#define LINE_MS	    200u /* one line more each */

/* Much of what is logged a host can make happen, as often as it likes (R-ROB-005). */
static bool is_due(void)
{
	static uint64_t left = BURST_LINES;
	static uint64_t counted_ms;
	static uint64_t left_out;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	const uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	const uint64_t earned = (now_ms - counted_ms) / LINE_MS;
	counted_ms += earned * LINE_MS;
	left = earned < BURST_LINES - left ? left + earned : BURST_LINES;
	if (left == 0) {
		left_out++;
		return false;
	}
	left--;
	if (left_out > 0)
		fprintf(stderr, "vsc-disk: … %llu lines left out\n", (unsigned long long)left_out);
	left_out = 0;
	return true;
}

void disk_log(const char *format, ...)
{
	char line[1024];
	va_list args;
	if (!is_due())
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < ' ')
			*c = '?'; /* a name may come from a host: no terminal escapes */
	fprintf(stderr, "vsc-disk: %s\n", line);
}
