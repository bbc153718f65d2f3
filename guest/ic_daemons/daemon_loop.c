// SPDX-License-Identifier: Apache-2.0
/*
 * The loop of a daemon: descriptors by epoll, timers, signals. See daemon.h.
 *
 * One event is taken from the kernel at a time: a callback may then remove any watch, its own
 * included, and none that was removed is ever called.
 */
#include "guest/ic_daemons/daemon_internal.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define SLEEP_MOST_MS 60000 /* with a timer: epoll stands still while the machine sleeps */

uint64_t daemon_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int daemon_loop_init(struct daemon *daemon)
{
	daemon->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return daemon->epoll_fd < 0 ? -errno : 0;
}

void daemon_loop_end(struct daemon *daemon)
{
	if (daemon->signal_watch.is_added) {
		const int fd = daemon->signal_watch.fd;
		daemon_watch_remove(daemon, &daemon->signal_watch);
		close(fd);
	}
	if (daemon->epoll_fd >= 0)
		close(daemon->epoll_fd);
	daemon->epoll_fd = -1;
}

/* ---- descriptors --------------------------------------------------------- */

int daemon_watch_add(struct daemon *daemon, struct daemon_watch *watch, int fd, uint32_t events,
	void (*on_ready)(void *ctx, uint32_t events), void *ctx)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};
	if (watch->is_added && watch->fd != fd)
		daemon_watch_remove(daemon, watch);
	const int op = watch->is_added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (epoll_ctl(daemon->epoll_fd, op, fd, &event) != 0)
		return -errno;
	watch->fd = fd;
	watch->on_ready = on_ready;
	watch->ctx = ctx;
	watch->is_added = true;
	return 0;
}

void daemon_watch_remove(struct daemon *daemon, struct daemon_watch *watch)
{
	if (!watch->is_added)
		return;
	(void)epoll_ctl(daemon->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->is_added = false;
}

/* ---- timers -------------------------------------------------------------- */

void daemon_timer_clear(struct daemon *daemon, struct daemon_timer *timer)
{
	struct daemon_timer **at = &daemon->timers;
	if (!timer->is_set)
		return;
	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	timer->is_set = false;
}

void daemon_timer_set(struct daemon *daemon, struct daemon_timer *timer, uint64_t after_ms,
	void (*on_time)(void *ctx), void *ctx)
{
	struct daemon_timer **at = &daemon->timers;
	daemon_timer_clear(daemon, timer);
	timer->due_ms = daemon_now_ms() + after_ms;
	timer->on_time = on_time;
	timer->ctx = ctx;
	while (*at != NULL && (*at)->due_ms <= timer->due_ms)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
	timer->is_set = true;
}

/* Those that were due when this began; what they set is for the next turn. */
static bool timers_run(struct daemon *daemon)
{
	const uint64_t now = daemon_now_ms();
	bool has_run = false;
	for (unsigned most = 64;
		most > 0 && daemon->timers != NULL && daemon->timers->due_ms <= now; most--) {
		struct daemon_timer *timer = daemon->timers;
		daemon_timer_clear(daemon, timer);
		timer->on_time(timer->ctx);
		has_run = true;
	}
	return has_run;
}

/* ---- signals ------------------------------------------------------------- */

static void on_signal(void *ctx, uint32_t events)
{
	struct daemon *daemon = ctx;
	struct signalfd_siginfo info;
	(void)events;
	if (read(daemon->signal_watch.fd, &info, sizeof info) != (ssize_t)sizeof info)
		return;
	if (info.ssi_signo == SIGUSR1) {
		daemon_status_write(daemon);
		return;
	}
	daemon_log(LOG_DEBUG, "signal %u", info.ssi_signo);
	daemon_quit(daemon, 0);
}

int daemon_signals_take(struct daemon *daemon)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return -EINVAL;
	signal(SIGPIPE, SIG_IGN);
	const int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	const int error = daemon_watch_add(
		daemon, &daemon->signal_watch, fd, EPOLLIN, on_signal, daemon);
	if (error != 0)
		close(fd);
	return error;
}

/* ---- turns --------------------------------------------------------------- */

/* The sooner of two times in ms; negative: never. */
static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Until the next timer is due; negative: there is none, and nothing to wake up for. */
static int sleep_ms(const struct daemon *daemon)
{
	if (daemon->timers == NULL)
		return -1;
	const uint64_t now = daemon_now_ms();
	if (daemon->timers->due_ms <= now)
		return 0;
	const uint64_t left = daemon->timers->due_ms - now;
	return left < SLEEP_MOST_MS ? (int)left : SLEEP_MOST_MS;
}

/* What the host has had us do is noted, and what it has left to be done begun. */
static void work_note(struct daemon *daemon)
{
	daemon_status_contact(daemon);
	if (daemon->component->on_turn != NULL)
		daemon->component->on_turn(daemon->component->ctx, daemon);
}

bool daemon_turn(struct daemon *daemon, int timeout_ms)
{
	struct epoll_event event;
	daemon_transport_tend(daemon);
	if (daemon->is_quitting)
		return false;
	int most = timeout_ms;
	if (daemon->is_begun && daemon->transport->prepare != NULL) {
		most = sooner(most, daemon->transport->prepare(daemon));
		work_note(daemon); /* requests were taken: not after a sleep */
	}
	most = sooner(most, sleep_ms(daemon));
	if (daemon->is_quitting || daemon->is_transport_gone)
		most = 0;
	if (epoll_wait(daemon->epoll_fd, &event, 1, most) == 1) {
		const struct daemon_watch *watch = event.data.ptr;
		watch->on_ready(watch->ctx, event.events);
	}
	timers_run(daemon);
	daemon_transport_tend(daemon);
	work_note(daemon);
	return !daemon->is_quitting;
}

void daemon_quit(struct daemon *daemon, int status)
{
	if (!daemon->is_quitting)
		daemon->exit_status = status;
	daemon->is_quitting = true;
}
