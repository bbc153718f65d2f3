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

/* Bytes of the UTF-8 character at `text`, and its code; 0: it is none. */
static size_t character(const char *text, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char first = (unsigned char)*text;
	const size_t bytes = first < 0x80		     ? 1
			     : first >= 0xc0 && first < 0xe0 ? 2
			     : first >= 0xe0 && first < 0xf0 ? 3
			     : first >= 0xf0 && first < 0xf8 ? 4
							     : 0;
	*code = bytes == 1 ? first : first & (0x7fu >> bytes);
	for (size_t i = 1; i < bytes; i++) {
		const unsigned char byte = (unsigned char)text[i];
		if ((byte & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (byte & 0x3f);
	}
	return bytes == 0 || *code < least[bytes] || *code > 0x10ffff ? 0 : bytes;
}

/*
 * A name may come from a guest: no terminal escapes. C1 controls (0x80 to 0x9f) are among them,
 * as bytes and as characters.
 */
static void controls_remove(char *line)
{
	while (*line != '\0') {
		uint32_t code;
		const size_t bytes = character(line, &code);
		if (bytes == 0 || code < ' ' || (code >= 0x7f && code < 0xa0))
			*line++ = '?';
		else
			line += bytes;
	}
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
	controls_remove(line);
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
