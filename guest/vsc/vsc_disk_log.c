// SPDX-License-Identifier: Apache-2.0
/* Lines for people. See vsc_disk_log.h. */
#include "guest/vsc/vsc_disk_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

bool disk_log_is_due(struct disk_log_limit *limit, uint64_t now_ms, uint64_t *left_out)
{
	const uint64_t earned = (now_ms - limit->counted_ms) / DISK_LOG_LINE_MS;
	limit->counted_ms += earned * DISK_LOG_LINE_MS;
	limit->spent -= earned < limit->spent ? earned : limit->spent;
	if (limit->spent == DISK_LOG_BURST_LINES) {
		limit->left_out++;
		return false;
	}
	limit->spent++;
	*left_out = limit->left_out;
	limit->left_out = 0;
	return true;
}

static uint64_t now_in_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void disk_log(const char *format, ...)
{
	static struct disk_log_limit limit; /* of the program's standard error */
	char line[1024];
	va_list args;
	uint64_t left_out;
	if (!disk_log_is_due(&limit, now_in_ms(), &left_out))
		return;
	if (left_out > 0)
		fprintf(stderr, "vsc-disk: … %llu lines left out\n", (unsigned long long)left_out);
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < ' ')
			*c = '?'; /* a name may come from a host: no terminal escapes */
	fprintf(stderr, "vsc-disk: %s\n", line);
}
