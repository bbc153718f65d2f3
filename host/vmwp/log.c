// SPDX-License-Identifier: Apache-2.0
/* The worker's log: see log.h. */
#include "host/vmwp/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LIMIT_LINES	10u
#define LIMIT_WINDOW_NS 10000000000ull

static struct {
	enum log_level level;
	const char *name;
	bool is_journal;
	struct timespec start;
} logger = {.level = LOG_LEVEL_INFO, .name = "vmwp"};

void log_init(enum log_level level, const char *name)
{
	logger.level = level;
	logger.name = name;
	logger.is_journal = getenv("JOURNAL_STREAM") != NULL;
	clock_gettime(CLOCK_MONOTONIC, &logger.start);
}

void log_line(enum log_level level, const char *format, ...)
{
	if (level > logger.level)
		return;
	char line[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	for (char *c = line; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ')
			*c = '?'; /* a name may come from a guest: no terminal escapes */
	}
	if (logger.is_journal) {
		fprintf(stderr, "<%d>%s\n", (int)level, line);
		return;
	}
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	const double seconds = (double)(now.tv_sec - logger.start.tv_sec) +
			       (double)(now.tv_nsec - logger.start.tv_nsec) / 1e9;
	fprintf(stderr, "%s %9.3f %s%s\n", logger.name, seconds,
		level == LOG_LEVEL_ERROR     ? "error: "
		: level == LOG_LEVEL_WARNING ? "warning: "
					     : "",
		line);
}

bool log_limit_take(struct log_limit *limit, uint64_t now_ns)
{
	if (now_ns - limit->window_ns >= LIMIT_WINDOW_NS) {
		limit->window_ns = now_ns;
		limit->lines = 0;
	}
	if (limit->lines < LIMIT_LINES) {
		limit->lines++;
		return true;
	}
	limit->dropped++;
	return false;
}
