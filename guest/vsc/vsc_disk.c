// SPDX-License-Identifier: Apache-2.0
/*
 * vsc-disk: the disks of a loopback partition as files. This file is the life of the
 * program and its loop.
 *
 *	kernel (FUSE) <-> vsc_disk_fuse, vsc_disk_ops   what a request means
 *	                  vsc_disk_tree                 which files there are
 *	                  vsc_disk_io                   bytes over blocks
 *	partition     <-> vsc_disk_guest                controllers, services
 *
 * One thread does everything (but notifications, which may block). Each turn takes what
 * FUSE has, publishes the requests that came of it, and looks at the bus, where
 * completions answer FUSE. When nothing is left it polls for a while, as long as that
 * pays (protocol/spin.h), then arms the bus and sleeps on all descriptors together.
 */
#include "guest/vsc/vsc_disk_fuse.h"
#include "guest/vsc/vsc_disk_log.h"
#include "guest/vsc/vsc_disk_status.h"
#include "protocol/spin.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FUSE_BATCH	  64u /* requests taken in one turn */
#define FUSE_FLUSH	  8u  /* requests taken before the host is shown them */
#define TURNS_PER_SERVICE 16u
#define SPINS_PER_YIELD	  16u
#define SPINS_PER_LOOK	  32u	       /* looks at the bus for one look at FUSE, while polling */
#define SERVICE_100NS	  100000u      /* 10 ms */
#define DRAIN_100NS	  100000000ull /* 10 s: for requests in flight, at the end */
#define SLEEP_MAX_MS	  60000

struct vsc_disk {
	struct disk_options options;
	struct disk_guest guest;
	struct disk_tree tree;
	struct disk_fuse fuse;
	struct disk_io *io; /* owned */
	struct spin_policy spin;
	unsigned turns;
	bool is_idle;	   /* the last turn found nothing */
	uint64_t serviced; /* when */
};

/* ---- signals ------------------------------------------------------------- */

static volatile sig_atomic_t stop_wanted;
static volatile sig_atomic_t status_wanted;
static int signal_fd = -1; /* an eventfd that ends a sleep */

static void on_signal(int number)
{
	const int saved = errno;
	const uint64_t one = 1;
	if (number == SIGUSR1)
		status_wanted = 1;
	else
		stop_wanted = 1;
	if (signal_fd >= 0 && write(signal_fd, &one, sizeof one) < 0)
		errno = saved; /* full: it will wake anyway */
	errno = saved;
}

static int signals_set_up(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	signal_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (signal_fd < 0)
		return -errno;
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static void signals_serve(struct vsc_disk *app)
{
	uint64_t value;
	while (read(signal_fd, &value, sizeof value) > 0)
		;
	if (status_wanted) {
		status_wanted = 0;
		if (app->options.json_status != NULL)
			(void)disk_status_write(app->options.json_status, &app->guest, &app->tree,
				&app->fuse, app->io);
	}
}

/* ---- the loop ------------------------------------------------------------ */

static uint64_t now_of(const struct vsc_disk *app)
{
	return winhv_time_100ns(&app->guest.hv);
}

/* What needs the clock; seldom if nothing is due, but not never. */
static void service(struct vsc_disk *app)
{
	const uint64_t now = now_of(app);
	if (now < app->guest.next_time && now < app->serviced + SERVICE_100NS &&
		!app->guest.are_offers_new)
		return;
	app->serviced = now;
	disk_guest_service(&app->guest);
}

/*
 * Take what FUSE has. That there is no more is learnt by a system call in vain, so while the
 * bus has work, no more is asked for than has been answered since: who has had an answer may
 * have sent the next request. When there is nothing else to do, everything is taken.
 */
static int fuse_take(struct vsc_disk *app)
{
	unsigned most = FUSE_BATCH;
	unsigned taken = 0;
	if (!app->is_idle && app->fuse.answers < most)
		most = app->fuse.answers;
	app->fuse.answers = 0;
	while (taken < most && disk_fuse_take(&app->fuse) > 0)
		if (++taken % FUSE_FLUSH == 0)
			disk_guest_flush(&app->guest);
	if (taken > 0)
		disk_guest_flush(&app->guest);
	return (int)taken;
}

/* One look everywhere. What was done; negative: the host has gone. */
static int turn(struct vsc_disk *app, bool looks_at_fuse)
{
	const int work = looks_at_fuse && !app->fuse.is_draining ? fuse_take(app) : 0;
	const int done = disk_guest_poll(&app->guest);
	if (done < 0)
		return done;
	if (done > 0)
		disk_guest_flush(&app->guest);
	app->is_idle = work + done == 0;
	/* Looking at the clock costs as much as the rest of an idle turn: not in each. */
	if (app->guest.are_offers_new || ++app->turns % TURNS_PER_SERVICE == 0)
		service(app);
	if (app->guest.is_host_gone)
		return -ENODEV;
	return work + done;
}

/*
 * Poll while that pays. True: something happened. Who we wait for may need this processor:
 * offer it, now and then.
 */
static bool spin(struct vsc_disk *app, int *done)
{
	const uint64_t end = now_of(app) + app->spin.current;
	for (unsigned i = 1; app->spin.current > 0 && !stop_wanted; i++) {
		*done = turn(app, i % SPINS_PER_LOOK == 0);
		if (*done != 0)
			return true;
		if (i % SPINS_PER_YIELD == 0) {
			if (now_of(app) >= end)
				return false;
			sched_yield();
		}
		spin_pause();
	}
	return false;
}

/* Sleep until a descriptor or the clock has something. The bus is armed. */
static void sleep_on_all(struct vsc_disk *app)
{
	const bool takes = !app->fuse.is_draining && disk_fuse_has_room(&app->fuse);
	struct pollfd fds[4] = {
		{.fd = signal_fd, .events = POLLIN},
		{.fd = platform_loopback_host_fd(app->guest.platform), .events = POLLIN},
		{.fd = platform_loopback_interrupt_fd(app->guest.platform, 0), .events = POLLIN},
		{.fd = takes ? app->fuse.fd : -1, .events = POLLIN},
	};
	const uint64_t start = now_of(app);
	int timeout_ms = SLEEP_MAX_MS;
	if (app->guest.next_time <= start)
		timeout_ms = 0;
	else if (app->guest.next_time - start < SLEEP_MAX_MS * 10000ull)
		timeout_ms = (int)((app->guest.next_time - start + 9999) / 10000);
	if (!stop_wanted && !status_wanted)
		(void)poll(fds, 4, timeout_ms);
	spin_after_sleep(&app->spin, now_of(app) - start);
	if (fds[0].revents != 0 || status_wanted)
		signals_serve(app);
}

/*
 * Until told to stop, by a signal or the host (0), unmounted from outside (0), or the host has
 * gone (negative).
 */
static int serve(struct vsc_disk *app)
{
	while (!stop_wanted && !app->fuse.is_unmounted &&
		!disk_services_want_end(&app->guest.services)) {
		int done = turn(app, true);
		if (done == 0 && !spin(app, &done)) {
			disk_guest_service(&app->guest);
			if (disk_fuse_is_starved(&app->fuse)) {
				disk_log("%s: the host has kept all memory that it was lent; start "
					 "again when it is well",
					app->options.connect);
				return -EIO;
			}
			if (vmbus_arm(app->guest.bus))
				sleep_on_all(app);
		}
		if (done < 0)
			return done;
		if (status_wanted)
			signals_serve(app);
	}
	return 0;
}

/* No new requests; let those under way end, and the notifier, which the kernel must answer. */
static void drain(struct vsc_disk *app)
{
	const uint64_t deadline = now_of(app) + DRAIN_100NS;
	while (now_of(app) < deadline && !app->guest.is_host_gone) {
		const bool is_quiet = disk_notify_is_idle(&app->fuse.notifier);
		app->fuse.is_draining = is_quiet;
		if (is_quiet && app->io->jobs == 0)
			return;
		if (turn(app, true) == 0)
			spin_pause();
	}
}

/* The host has gone: every request ends with EIO, those that still come too. */
static void give_up(struct vsc_disk *app)
{
	const uint64_t deadline = now_of(app) + DRAIN_100NS;
	disk_guest_give_up(&app->guest);
	while (!disk_notify_is_idle(&app->fuse.notifier) && now_of(app) < deadline)
		if (disk_fuse_take(&app->fuse) == 0)
			spin_pause();
}

/* ---- life ---------------------------------------------------------------- */

static void ready_tell(const struct vsc_disk *app)
{
	char line[64];
	const int length = snprintf(line, sizeof line, "ready: %u disk%s\n", app->tree.live,
		app->tree.live == 1 ? "" : "s");
	fputs(line, stdout);
	fflush(stdout);
	if (app->options.ready_fd >= 0) {
		if (write(app->options.ready_fd, line, (size_t)length) != length)
			disk_log("--ready-fd %d: %s", app->options.ready_fd, strerror(errno));
		close(app->options.ready_fd);
	}
}

static int start(struct vsc_disk *app)
{
	int error = disk_fuse_check(&app->options);
	if (error != 0)
		return error;
	app->io = malloc(sizeof *app->io);
	if (app->io == NULL) {
		disk_log("out of memory");
		return -ENOMEM;
	}
	disk_tree_init(&app->tree);
	app->guest.on_lun = disk_tree_on_lun;
	app->guest.ctx = &app->tree;
	error = disk_guest_connect(&app->guest, &app->options);
	if (error != 0)
		return error;
	disk_io_init(app->io, &app->guest.arena);
	/* Now, so that a file that cannot be written is found before there is anything to lose. */
	if (app->options.json_status != NULL)
		error = disk_status_write(
			app->options.json_status, &app->guest, &app->tree, &app->fuse, app->io);
	if (error == 0)
		error = disk_fuse_mount(&app->fuse, &app->options, &app->tree, app->io);
	if (error != 0)
		(void)disk_guest_disconnect(&app->guest, false);
	return error;
}

/* Returns the exit status. */
static int finish(struct vsc_disk *app, int error)
{
	if (error == 0)
		drain(app);
	if (app->fuse.is_unmounted)
		disk_log("%s was unmounted", app->options.mount_point);
	if (app->guest.is_host_gone) {
		disk_log(
			"%s: the host went away; its disks are out of reach", app->options.connect);
		error = -ENODEV;
		give_up(app);
	}
	if (app->options.json_status != NULL)
		(void)disk_status_write(
			app->options.json_status, &app->guest, &app->tree, &app->fuse, app->io);
	/* Jobs that are left end here, while FUSE can still be told. */
	const int parted = disk_guest_disconnect(&app->guest, error == 0);
	if (parted != 0 && error == 0) {
		disk_log("the host did not take its leave in order: %s", strerror(-parted));
		error = parted;
	}
	disk_fuse_unmount(&app->fuse);
	disk_tree_clear(&app->tree);
	return error == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct vsc_disk app;
	const int parsed = disk_options_parse(&app.options, argc, argv);
	if (parsed != 0)
		return parsed > 0 ? 0 : 2;
	int error = signals_set_up();
	if (error != 0) {
		disk_log("cannot handle signals: %s", strerror(-error));
		return 1;
	}
	error = start(&app);
	int status = 1;
	if (error == 0) {
		spin_init(&app.spin, app.options.spin_us * 10ull);
		app.is_idle = true;
		ready_tell(&app);
		status = finish(&app, serve(&app));
	}
	disk_tree_clear(&app.tree);
	free(app.io);
	return status;
}
