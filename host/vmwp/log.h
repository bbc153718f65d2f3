// SPDX-License-Identifier: Apache-2.0
/*
 * The worker's log: one line an event, to stderr. On a terminal or in a file a line
 * starts with the time since start; under a service manager (JOURNAL_STREAM is set) it
 * starts with a syslog priority, and the journal adds the rest.
 *
 * What a guest can cause is limited by the caller through struct log_limit.
 */
#ifndef HOST_VMWP_LOG_H
#define HOST_VMWP_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR = 3, /* syslog's numbers */
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Lines above `level` are dropped. `name` is borrowed and starts each line. */
void log_init(enum log_level level, const char *name);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Ten lines in ten seconds for one kind of event; zero is a fresh one. */
struct log_limit {
	uint64_t window_ns;
	uint32_t lines;
	uint64_t dropped; /* in all */
};
/* True if a line may be written now. */
bool log_limit_take(struct log_limit *limit, uint64_t now_ns);

#endif
