// SPDX-License-Identifier: Apache-2.0
/*
 * The process that freezes, and sees that it ends. See vss_keeper_linux.h; how it comes to be is
 * vss_keeper_start_linux.c's.
 */
#include "guest/ic_daemons/vss_keeper_internal_linux.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* File systems that are named in the log one by one. */
#define NAMED_MAX 16u

/* ---- saying ----------------------------------------------------------------------------- */

/* Never waits: what the daemon does not take is lost. */
static void said_send(const struct keeper *keeper, const struct vss_said *said)
{
	(void)send(keeper->socket, said, sizeof *said, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say(const struct keeper *keeper, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(const struct keeper *keeper, int priority, const char *format, ...)
{
	struct vss_said said = {.kind = VSS_SAID_LOG, .priority = priority};
	va_list args;
	va_start(args, format);
	vsnprintf(said.text, sizeof said.text, format, args);
	va_end(args);
	said_send(keeper, &said);
}

static void said_fill(const struct keeper *keeper, struct vss_said *said)
{
	said->frozen = keeper->frozen;
	said->left_out = keeper->left_out;
	said->milliseconds = keeper->milliseconds;
}

static void answer(const struct keeper *keeper, enum vss_ask ask, bool is_ok, const char *format,
	...) __attribute__((format(printf, 4, 5)));

static void answer(
	const struct keeper *keeper, enum vss_ask ask, bool is_ok, const char *format, ...)
{
	struct vss_said said = {.kind = VSS_SAID_ANSWER, .ask = ask, .is_ok = is_ok};
	va_list args;
	va_start(args, format);
	vsnprintf(said.text, sizeof said.text, format, args);
	va_end(args);
	said_fill(keeper, &said);
	said_send(keeper, &said);
}

static void on_hook_said(void *ctx, int priority, const char *text)
{
	say(ctx, priority, "%s", text);
}

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the end of a backup ---------------------------------------------------------------- */

static struct vss_hooks_ops hooks_of(struct keeper *keeper)
{
	return (struct vss_hooks_ops){
		.execute = keeper->ops->execute, .say = on_hook_said, .ctx = keeper};
}

static void timer_arm(const struct keeper *keeper, unsigned seconds)
{
	const struct itimerspec when = {.it_value.tv_sec = seconds};
	(void)timerfd_settime(keeper->timer, 0, &when, NULL);
}

/* Nothing is frozen, and the freezer is gone: let go of everything, and run what comes after. */
static void release(struct keeper *keeper)
{
	const struct vss_said idle = {.kind = VSS_SAID_IDLE};
	timer_arm(keeper, 0);
	(void)munlockall();
	keeper_list_drop(keeper);
	keeper->state = KEEPER_IDLE;
	if (keeper->is_thaw_asked)
		answer(keeper, VSS_ASK_THAW, true, "%s", "");
	keeper->is_thaw_asked = false;
	said_send(keeper, &idle);
	if (!keeper->are_hooks_due)
		return;
	keeper->are_hooks_due = false;
	const struct vss_hooks_ops hooks = hooks_of(keeper);
	(void)vss_hooks_after(&keeper->config, &hooks);
}

/* The end of its pipes is its end. */
static void freezer_reap(struct keeper *keeper)
{
	if (keeper->life >= 0)
		close(keeper->life);
	keeper->life = -1;
	if (keeper->done >= 0)
		close(keeper->done);
	keeper->done = -1;
	while (keeper->freezer > 0 && waitpid(keeper->freezer, NULL, 0) < 0 && errno == EINTR)
		;
	keeper->freezer = 0;
}

/* The file system that the freezer is at; or "". */
static const char *name_in(const struct keeper *keeper, enum vss_slot_state state)
{
	for (size_t i = 0; i < keeper->board->count; i++) {
		if (atomic_load(&keeper->board->slots[i].state) == (int)state)
			return keeper->mounts.at[keeper->names[i]].point;
	}
	return "";
}

/*
 * Thaw all. True: it is, and the freezer is gone. False: some file system is still about to freeze,
 * or cannot be thawed; the state says which.
 */
static bool thaw_now(struct keeper *keeper)
{
	struct vss_board *board = keeper->board;
	atomic_store(&board->is_cancelled, true);
	/* Asked first: what it freezes while the others are thawed is thawed by its next word. */
	const bool is_done = atomic_load(&board->is_done);
	const size_t failures = vss_thaw_all(board, keeper->ops->freeze);
	keeper->milliseconds = now_ms() - keeper->since_ms;
	if (failures > 0)
		say(keeper, LOG_CRIT, "%s: cannot be thawed; fsfreeze -u it",
			name_in(keeper, VSS_SLOT_FROZEN));
	atomic_store(&board->is_over, is_done && failures == 0);
	if (!is_done) {
		keeper->state = KEEPER_STRAGGLING;
		return false;
	}
	/* It waits for its end; let nobody who has stopped it keep us. */
	if (failures == 0 && keeper->freezer > 0)
		(void)kill(keeper->freezer, SIGKILL);
	freezer_reap(keeper);
	return failures == 0;
}

/* ---- freeze ----------------------------------------------------------------------------- */

static void freeze_fail(struct keeper *keeper, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The answer to freeze, if there was none yet. */
static void freeze_fail(struct keeper *keeper, const char *format, ...)
{
	char text[VSS_KEEPER_TEXT_BYTES];
	va_list args;
	if (!keeper->is_freeze_asked)
		return;
	keeper->is_freeze_asked = false;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	answer(keeper, VSS_ASK_FREEZE, false, "%s", text);
}

static void exceptions_say(const struct keeper *keeper)
{
	unsigned named = 0;
	for (size_t i = 0; i < keeper->board->count && named < NAMED_MAX; i++) {
		const int state = atomic_load(&keeper->board->slots[i].state);
		const char *point = keeper->mounts.at[keeper->names[i]].point;
		if (state == VSS_SLOT_CANNOT)
			say(keeper, LOG_NOTICE, "%s: cannot be frozen, left out", point);
		else if (state == VSS_SLOT_OTHERS)
			say(keeper, LOG_NOTICE, "%s: somebody else has frozen it; left to them",
				point);
		named += state == VSS_SLOT_CANNOT || state == VSS_SLOT_OTHERS;
	}
}

static void failure_say(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->board->count; i++) {
		struct vss_slot *slot = &keeper->board->slots[i];
		if (atomic_load(&slot->state) == VSS_SLOT_FAILED)
			freeze_fail(keeper, "%s: cannot be frozen: %s",
				keeper->mounts.at[keeper->names[i]].point,
				strerror(atomic_load(&slot->error)));
	}
	freeze_fail(keeper, "freezing was given up");
}

/* The freezer will freeze no more. */
static void on_freezer_done(struct keeper *keeper)
{
	struct vss_board *board = keeper->board;
	if (keeper->state == KEEPER_FREEZING && !atomic_load(&board->is_cancelled) &&
		vss_board_count(board, VSS_SLOT_FAILED) == 0) {
		keeper->state = KEEPER_FROZEN;
		keeper->is_freeze_asked = false;
		keeper->frozen = (uint32_t)(vss_board_count(board, VSS_SLOT_FROZEN) +
					    vss_board_count(board, VSS_SLOT_OTHERS));
		keeper->left_out += (uint32_t)vss_board_count(board, VSS_SLOT_CANNOT);
		keeper->milliseconds = now_ms() - keeper->since_ms;
		keeper->since_ms = now_ms();
		exceptions_say(keeper);
		answer(keeper, VSS_ASK_FREEZE, true, "%s", "");
		return;
	}
	if (thaw_now(keeper))
		failure_say(keeper);
	else
		freeze_fail(keeper, "freezing failed, and so did thawing");
	release(keeper);
}

/* It died, before its time. */
static void on_freezer_lost(struct keeper *keeper)
{
	struct vss_said said = {.kind = VSS_SAID_EXPIRED,
		.text = "the process that freezes has died: all was thawed"};
	const bool was_frozen = keeper->state == KEEPER_FROZEN;
	atomic_store(&keeper->board->is_done, true);
	(void)thaw_now(keeper);
	freeze_fail(keeper, "the process that freezes has died; nothing is frozen");
	if (was_frozen) {
		keeper->has_expired = true;
		said_fill(keeper, &said);
		said_send(keeper, &said);
	}
	release(keeper);
}

static void on_freezer(struct keeper *keeper)
{
	char byte;
	const ssize_t n = read(keeper->done, &byte, 1);
	if (n == 1)
		on_freezer_done(keeper);
	else if (n == 0 || errno != EINTR)
		on_freezer_lost(keeper);
}

/* They may take long: the daemon may have gone meanwhile. */
static bool hooks_run(struct keeper *keeper, char *problem, size_t problem_bytes)
{
	const struct vss_hooks_ops hooks = hooks_of(keeper);
	struct pollfd daemon = {.fd = keeper->socket, .events = POLLRDHUP};
	keeper->are_hooks_due = true;
	const int error = vss_hooks_before(&keeper->config, &hooks);
	const bool is_gone = poll(&daemon, 1, 0) > 0;
	if (error == 0 && !is_gone)
		return true;
	snprintf(problem, problem_bytes, "%s",
		is_gone ? "the daemon has gone" : "a program that is to run before it has failed");
	return false;
}

static void on_ask_freeze(struct keeper *keeper)
{
	char problem[VSS_KEEPER_TEXT_BYTES];
	if (keeper->state != KEEPER_IDLE) {
		answer(keeper, VSS_ASK_FREEZE, false, "%s",
			keeper->state == KEEPER_STRAGGLING ? "the last freeze has not ended yet"
							   : "frozen already");
		return;
	}
	keeper->is_freeze_asked = true;
	keeper->has_expired = false;
	keeper->frozen = keeper->left_out = 0;
	keeper->milliseconds = 0;
	if (!keeper_config_load(keeper, problem, sizeof problem) ||
		!hooks_run(keeper, problem, sizeof problem) ||
		!keeper_list_make(keeper, problem, sizeof problem)) {
		freeze_fail(keeper, "%s", problem);
		release(keeper);
		return;
	}
	const unsigned seconds = keeper->options->watchdog_seconds != 0
					 ? keeper->options->watchdog_seconds
					 : keeper->config.watchdog_seconds;
	timer_arm(keeper, seconds);
	(void)mlockall(MCL_CURRENT);
	keeper->since_ms = now_ms();
	keeper->state = KEEPER_FREEZING;
	const int error = keeper_freezer_fork(keeper);
	if (error == 0)
		return;
	freeze_fail(keeper, "no process to freeze with: %s", strerror(-error));
	release(keeper);
}

/* ---- thaw ------------------------------------------------------------------------------- */

/* R-VSS-018: once after it had to be thawed early. */
static void on_ask_thaw_idle(struct keeper *keeper)
{
	const bool had_expired = keeper->has_expired;
	keeper->has_expired = false;
	answer(keeper, VSS_ASK_THAW, !had_expired, "%s",
		had_expired ? "it was not frozen until now" : "nothing was frozen");
}

static void on_ask_thaw(struct keeper *keeper)
{
	switch (keeper->state) {
	case KEEPER_IDLE:
		on_ask_thaw_idle(keeper);
		return;
	case KEEPER_STRAGGLING:
		(void)vss_thaw_all(keeper->board, keeper->ops->freeze);
		answer(keeper, VSS_ASK_THAW, false, "%s: still about to freeze",
			name_in(keeper, VSS_SLOT_TRYING));
		return;
	case KEEPER_FREEZING:
		keeper->is_thaw_asked = true;
		atomic_store(&keeper->board->is_cancelled, true);
		(void)vss_thaw_all(keeper->board, keeper->ops->freeze);
		return;
	case KEEPER_FROZEN:
		break;
	}
	const bool is_thawed = thaw_now(keeper);
	answer(keeper, VSS_ASK_THAW, is_thawed, "%s",
		is_thawed ? "" : "a file system cannot be thawed");
	release(keeper);
}

/* The watchdog's time is over, or the daemon has gone. */
static void thaw_unasked(struct keeper *keeper, const char *why)
{
	struct vss_said said = {.kind = VSS_SAID_EXPIRED};
	if (keeper->state == KEEPER_FROZEN) {
		keeper->has_expired = true;
		(void)thaw_now(keeper);
		snprintf(said.text, sizeof said.text, "%s: all was thawed", why);
		said_fill(keeper, &said);
		said_send(keeper, &said);
		release(keeper);
	} else if (keeper->state == KEEPER_FREEZING) {
		(void)thaw_now(keeper);
		freeze_fail(keeper, "%s: %s: some program keeps it from freezing", why,
			name_in(keeper, VSS_SLOT_TRYING));
		if (keeper->state != KEEPER_STRAGGLING)
			release(keeper);
	}
}

static void on_timer(struct keeper *keeper)
{
	uint64_t times;
	if (read(keeper->timer, &times, sizeof times) == (ssize_t)sizeof times)
		thaw_unasked(keeper, "the watchdog's time is over");
}

/* ---- the loop --------------------------------------------------------------------------- */

static void on_ask_check(struct keeper *keeper)
{
	char problem[VSS_KEEPER_TEXT_BYTES] = "";
	bool is_ok = true;
	if (keeper->state == KEEPER_IDLE) {
		is_ok = keeper_config_load(keeper, problem, sizeof problem) &&
			keeper_list_make(keeper, problem, sizeof problem);
		keeper_list_drop(keeper);
	}
	answer(keeper, VSS_ASK_CHECK, is_ok, "%s", problem);
}

/* False: the daemon has gone. */
static bool on_socket(struct keeper *keeper)
{
	uint32_t ask;
	const ssize_t n = recv(keeper->socket, &ask, sizeof ask, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	if (n != (ssize_t)sizeof ask)
		return true;
	switch (ask) {
	case VSS_ASK_CHECK:
		on_ask_check(keeper);
		return true;
	case VSS_ASK_FREEZE:
		on_ask_freeze(keeper);
		return true;
	case VSS_ASK_THAW:
		on_ask_thaw(keeper);
		return true;
	default:
		return true;
	}
}

void keeper_run(struct keeper *keeper)
{
	bool has_daemon = true;
	while (has_daemon || keeper->state != KEEPER_IDLE) {
		struct pollfd fds[] = {
			{.fd = has_daemon ? keeper->socket : -1, .events = POLLIN},
			{.fd = keeper->done, .events = POLLIN},
			{.fd = keeper->timer, .events = POLLIN},
		};
		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[1].revents != 0)
			on_freezer(keeper);
		if (fds[2].revents != 0)
			on_timer(keeper);
		if (fds[0].revents != 0 && !on_socket(keeper)) {
			has_daemon = false;
			thaw_unasked(keeper, "the daemon has gone");
		}
	}
}
