// SPDX-License-Identifier: Apache-2.0
/*
 * Lines of a daemon, for people. See daemon.h.
 *
 * Under systemd's journal a line starts with its priority, as sd-daemon(3) says; elsewhere with
 * the program's name. The host can make a daemon talk: a burst is let through, then lines are
 * counted, not written. While held, lines go to memory and nothing is written to anything.
 */
#include "guest/ic_daemons/daemon_internal.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES  512u
#define HELD_LINES  64u
#define BURST_LINES 200u
#define EARN_MS	    200u /* for one line more */

/* One standard error for each process; so there is one of these. */
static struct {
	pthread_mutex_t lock;
	const char *stem;
	bool is_verbose;
	bool has_priorities;
	bool is_held;
	unsigned held;
	unsigned held_lost;
	unsigned spent;
	uint64_t earned_ms;
	unsigned left_out;
	int priorities[HELD_LINES];
	char lines[HELD_LINES][LINE_BYTES];
} journal = {.lock = PTHREAD_MUTEX_INITIALIZER, .stem = "daemon"};

void daemon_log_open(const char *stem, bool is_verbose)
{
	journal.stem = stem;
	journal.is_verbose = is_verbose;
	journal.has_priorities = getenv("JOURNAL_STREAM") != NULL;
}

static void line_write(int priority, const char *line)
{
	char whole[LINE_BYTES + 64];
	int len;
	if (journal.has_priorities)
		len = snprintf(whole, sizeof whole, "<%d>%s\n", priority & LOG_PRIMASK, line);
	else
		len = snprintf(whole, sizeof whole, "vmic-%s: %s\n", journal.stem, line);
	/* One call: lines of processes that share this do not mix. Nobody to tell if it fails. */
	if (len > 0 && write(STDERR_FILENO, whole, (size_t)len) < 0)
		return;
}

/* May one more line be written now? */
static bool is_due(void)
{
	const uint64_t now = daemon_now_ms();
	const uint64_t earned = (now - journal.earned_ms) / EARN_MS;
	journal.earned_ms += earned * EARN_MS;
	journal.spent -= earned < journal.spent ? (unsigned)earned : journal.spent;
	if (journal.spent >= BURST_LINES) {
		journal.left_out++;
		return false;
	}
	journal.spent++;
	return true;
}

static void line_take(int priority, const char *line)
{
	char note[64];
	if (journal.is_held) {
		if (journal.held == HELD_LINES) {
			journal.held_lost++;
			return;
		}
		journal.priorities[journal.held] = priority;
		memcpy(journal.lines[journal.held++], line, strlen(line) + 1);
		return;
	}
	if (!is_due())
		return;
	if (journal.left_out > 0) {
		snprintf(note, sizeof note, "%u lines left out", journal.left_out);
		journal.left_out = 0;
		line_write(LOG_WARNING, note);
	}
	line_write(priority, line);
}

void daemon_log(int priority, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;
	if (priority == LOG_DEBUG && !journal.is_verbose)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	/* A text may come from the host: no control sequences for the terminal. */
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7F)
			*c = '?';
	pthread_mutex_lock(&journal.lock);
	line_take(priority, line);
	pthread_mutex_unlock(&journal.lock);
}

void daemon_log_hold(bool holds)
{
	char note[64];
	pthread_mutex_lock(&journal.lock);
	journal.is_held = holds;
	for (unsigned i = 0; !holds && i < journal.held; i++)
		line_write(journal.priorities[i], journal.lines[i]);
	if (!holds && journal.held_lost > 0) {
		snprintf(note, sizeof note, "%u lines lost while writing was not allowed",
			journal.held_lost);
		line_write(LOG_WARNING, note);
	}
	if (!holds) {
		journal.held = 0;
		journal.held_lost = 0;
	}
	pthread_mutex_unlock(&journal.lock);
}
