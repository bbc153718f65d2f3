// SPDX-License-Identifier: Apache-2.0
/*
 * The frame of the guest's daemons (vmic-*): everything about a daemon but what its
 * component does. A component fills in one struct daemon_component and is done:
 *
 *	vmic_kvp.c          int main(argc, argv) { return daemon_main(argc, argv, &component); }
 *	    |
 *	daemon.c            life: options, start, sandbox, loop, end
 *	daemon_loop.c       descriptors, timers, signals; daemon_work.c: slow work in a thread
 *	daemon_device.c     transport: the kernel's device (/dev/vmbus/hv_*), records
 *	daemon_uio.c        transport: the VMBus channel itself, through /dev/uioN
 *	daemon_loopback.c   transport: a loopback partition, joined as its guest
 *	daemon_sandbox.c    user, capabilities, seccomp, limits
 *	daemon_helper.c     a child that keeps the privileges, for named acts
 *	daemon_status.c     /run/viridian/STEM.json; daemon_log.c, daemon_notify.c: systemd
 *
 * One component, two ways in. Over UIO and loopback the daemon is the whole component: the
 * frame feeds component->ic (ic_guest.h), whose handler calls the component's code. Over the
 * kernel's device the kernel has done the negotiation and the UTF-16, and hands out records: the
 * frame feeds component->device->on_record. Both end in the same operations of the component.
 * A handler and on_record must not block: what takes long goes to daemon_work(), to the helper
 * or to a descriptor, and is answered later (IC_GUEST_LATER and ic_guest_finish(); daemon_reply()).
 *
 * Smallest use:
 *
 *	static uint32_t handle(void *ctx, …) { … return IC_STATUS_SUCCESS; }
 *	static void on_record(void *ctx, struct daemon *daemon, const uint8_t *record, size_t len)
 *	{
 *		struct answer answer = …;
 *		daemon_reply(daemon, &answer, sizeof answer);
 *	}
 *	static const struct daemon_device device = {
 *		.path = "/dev/vmbus/hv_thing",
 *		.record_bytes_max = 12,
 *		.greeting = &hello, .greeting_bytes = sizeof hello,
 *		.on_record = on_record,
 *	};
 *	int main(int argc, char **argv)
 *	{
 *		static struct thing thing;
 *		thing_ic_init(&thing.ic, …);
 *		const struct daemon_component component = {
 *			.stem = "thing", .description = "…", .interface_id = &guid_thing,
 *			.ctx = &thing, .ic = &thing.ic.ic, .device = &device,
 *		};
 *		return daemon_main(argc, argv, &component);
 *	}
 *
 * A test runs a component without a kernel or a host: daemon_create(), then for records
 * daemon_device_attach() with one end of a SOCK_SEQPACKET socketpair whose other end is the
 * test, and daemon_turn(); for packets, ic_guest_on_packet() with ic_guest_attach() (see
 * tests/unit/test_daemon.c). daemon_work() and timers run in daemon_turn().
 *
 * Threads: everything here is called on the loop's thread, and calls back on it, except the
 * `work` of daemon_work() and what runs in the helper's process.
 */
#ifndef GUEST_IC_DAEMONS_DAEMON_H
#define GUEST_IC_DAEMONS_DAEMON_H

#include "guest/ic_daemons/ic_guest.h"
#include "protocol/guid.h"

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <syslog.h>

struct daemon;

enum daemon_transport {
	DAEMON_TRANSPORT_NONE,	   /* not connected */
	DAEMON_TRANSPORT_DEVICE,   /* kernel's device */
	DAEMON_TRANSPORT_UIO,	   /* VMBus channel through /dev/uioN */
	DAEMON_TRANSPORT_LOOPBACK, /* VMBus channel of a loopback partition */
};

/* ---- what a component is ------------------------------------------------- */

/* The kernel's device of a component, where there is one. Constant. */
struct daemon_device {
	const char *path;	 /* "/dev/vmbus/hv_kvp"; --device overrides it */
	size_t record_bytes_max; /* longest record that the kernel may hand out */
	/* Written as soon as the device is open; the kernel's answer is the first record. */
	const void *greeting;
	size_t greeting_bytes;
	/* One record, `len` > 0 bytes, private to the call. Answer with daemon_reply(), in the
	 * call or later. */
	void (*on_record)(void *ctx, struct daemon *daemon, const uint8_t *record, size_t len);
	/* The device was opened and greeted, or is closed: what is under way has no asker any
	 * more. May be NULL. */
	void (*on_open)(void *ctx);
	void (*on_close)(void *ctx);
};

/*
 * A child process with the privileges that the daemon itself gives up, for acts that can be named.
 * It is forked after start() and before the sandbox closes, serves one request at a time, and may
 * block. It knows the component as it was after start(). It ends with the daemon.
 */
struct daemon_helper {
	/* Capabilities that it keeps (numbers of linux/capability.h, ended by -1); NULL: all that
	 * the daemon was started with. It runs as the user that started the daemon. */
	const int *capabilities;
	/*
	 * In the child: carry out `request`. Write at most `reply_max` bytes to `reply`; returns
	 * their number, or a negative errno. *fd is -1; a descriptor put there is passed to the
	 * daemon with the reply and closed here.
	 */
	ssize_t (*serve)(
		void *ctx, const void *request, size_t len, void *reply, size_t reply_max, int *fd);
};
#define DAEMON_HELPER_BYTES_MAX 16384u /* of a request, and of a reply */
#define DAEMON_HELPER_CALLS_MAX 8u     /* waiting or under way */

/* Everything about one daemon. Constant while daemon_main() runs. */
struct daemon_component {
	const char *stem;	   /* "kvp": vmic-kvp, /run/viridian/kvp.json */
	const char *description;   /* one line for --help */
	const char *documentation; /* more for --help, or NULL */
	const struct guid *interface_id;
	void *ctx;			    /* handed to the calls below */
	struct ic_guest *ic;		    /* initialised; its handler is the component's */
	const struct daemon_device *device; /* NULL: the kernel has none */
	const struct argp *options;	    /* of the component; its `input` is ctx. Or NULL */
	const struct daemon_helper *helper; /* NULL: none */
	/*
	 * After the options, with all privileges: open what needs them, check the options. 0, or a
	 * negative errno after having said why by daemon_log(): the daemon ends with status 1.
	 */
	int (*start)(void *ctx, struct daemon *daemon);
	/* In the sandbox, before the transport opens: timers, watches, first look. Likewise. */
	int (*ready)(void *ctx, struct daemon *daemon);
	/* At the end of each turn of the loop: whatever was answered in it is on its way. */
	void (*on_turn)(void *ctx, struct daemon *daemon);
	/* A transport is up, or (NONE) down: nobody waits for answers any more. */
	void (*on_transport)(void *ctx, enum daemon_transport transport);
	/* The end; the transport is closed. Undo what must not stay. */
	void (*stop)(void *ctx, struct daemon *daemon);
	/* Add members to the status file's `object`; do not keep it. Cheap: no I/O. */
	void (*status)(void *ctx, json_t *object);
	/* Kept by the daemon itself, as above; NULL: none. */
	const int *capabilities;
	/* System calls that it needs besides those of every daemon (daemon_sandbox.c), by name,
	 * ended by NULL. Not execve: programs are run by the helper. */
	const char *const *system_calls;
	/* Paths or descriptors aside, a daemon needs few: 0 means 64. */
	unsigned open_files_max;
};

/*
 * The whole program. Returns the exit status: 0 stopped, or there is nothing to serve on this
 * machine and no --wait; 1 failure; 2 usage.
 */
int daemon_main(int argc, char **argv, const struct daemon_component *component);

/* ---- for components ------------------------------------------------------ */

/*
 * One line to the journal or stderr, by a priority of syslog.h (LOG_ERR, LOG_NOTICE, LOG_INFO, …;
 * LOG_DEBUG with --verbose alone). Control characters are made harmless. Any thread.
 */
void daemon_log(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Write nothing at all from now on (true): what is logged is kept in memory, bounded, and the
 * status file stays as it is; (false): write what was kept. For a machine whose file systems are
 * frozen. Watchdog messages to systemd go on.
 */
void daemon_quiet(struct daemon *daemon, bool is_quiet);

/* End the program in order with this exit status. */
void daemon_quit(struct daemon *daemon, int status);

enum daemon_transport daemon_transport_now(const struct daemon *daemon);

/* Something that the status file shows has changed; it is written soon, at a bounded rate. */
void daemon_status_touch(struct daemon *daemon);

/*
 * Kernel's device: answer a record. 0; -ENOTCONN: the device is not open (any more). An error of
 * the kernel is logged, and -EINVAL is what it says of records that it does not expect.
 */
int daemon_reply(struct daemon *daemon, const void *record, size_t len);

/* The partition's reference time, 100 ns, where the transport has it: loopback. Else 0. */
uint64_t daemon_reference_100ns(const struct daemon *daemon);

/* Milliseconds of CLOCK_BOOTTIME. */
uint64_t daemon_now_ms(void);

/* ---- loop ---------------------------------------------------------------- */

/* A descriptor to watch; the caller's memory, zeroed at first, which stays until removed. */
struct daemon_watch {
	int fd;
	void (*on_ready)(void *ctx, uint32_t events); /* EPOLLIN, … */
	void *ctx;
	bool is_added;
};
/* Watch `fd` for epoll's `events`. 0 or a negative errno. Adding again changes it. */
int daemon_watch_add(struct daemon *daemon, struct daemon_watch *watch, int fd, uint32_t events,
	void (*on_ready)(void *ctx, uint32_t events), void *ctx);
/* Before the descriptor is closed. Nothing if it is not added. From callbacks too. */
void daemon_watch_remove(struct daemon *daemon, struct daemon_watch *watch);

/* A moment to wait for; the caller's memory, zeroed at first. Fires once. */
struct daemon_timer {
	struct daemon_timer *next;
	uint64_t due_ms;
	void (*on_time)(void *ctx);
	void *ctx;
	bool is_set;
};
/* In `after_ms` from now; setting again moves it. Counts while the machine is suspended. */
void daemon_timer_set(struct daemon *daemon, struct daemon_timer *timer, uint64_t after_ms,
	void (*on_time)(void *ctx), void *ctx);
void daemon_timer_clear(struct daemon *daemon, struct daemon_timer *timer);

/* ---- slow work ----------------------------------------------------------- */

#define DAEMON_WORK_MAX 8u /* at a time */

/*
 * Run work(arg) in a thread of its own and then done(arg) on the loop. 0; -EAGAIN: DAEMON_WORK_MAX
 * are running; or another negative errno: then neither is called. `work` may block, has no access
 * to the daemon but daemon_log(), and cannot be stopped: at its end the daemon waits for it for 10
 * seconds. `arg` is the caller's to free, in done at the earliest.
 */
int daemon_work(struct daemon *daemon, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/*
 * Ask the helper. `done` is called on the loop with what serve() returned and wrote (`reply`
 * borrowed during the call), and a descriptor or -1, which is the callee's to close; result
 * -EPIPE: the helper has died (then the daemon ends). 0; -EAGAIN: too many are waiting; -EMSGSIZE;
 * -ENOTCONN: there is no helper. In order, one at a time.
 */
int daemon_helper_call(struct daemon *daemon, const void *request, size_t len,
	void (*done)(void *ctx, ssize_t result, const void *reply, int fd), void *ctx);

/*
 * For the helper: run a program, without a shell, with an environment of `envp` alone (NULL: a
 * plain PATH), standard input empty, its output put in `output` (bounded, NUL-terminated, control
 * characters and all). Kills its process group after `timeout_s`. Returns the exit status 0..255,
 * 128 + the signal's number, -ETIMEDOUT, or another negative errno if it could not be started.
 * argv[0] is an absolute path.
 */
int daemon_execute(const char *const argv[], const char *const envp[], unsigned timeout_s,
	char *output, size_t output_max);

/* ---- for tests, and for daemon_main() ------------------------------------ */

/*
 * A daemon that has a loop, work, timers and its helper, and no transport, sandbox, signals or
 * status file. start() and ready() are called. NULL: one of them failed, or no memory. `component`
 * is borrowed.
 */
struct daemon *daemon_create(const struct daemon_component *component);

/* As though the kernel's device had been opened with `fd` (not blocking; owned from here on). 0, or
 * a negative errno if the greeting could not be written. */
int daemon_device_attach(struct daemon *daemon, int fd);

/* Wait up to `timeout_ms` (-1: for ever) for something to do, do it. False: daemon_quit() was
 * called. */
bool daemon_turn(struct daemon *daemon, int timeout_ms);

/* A new object with what the status file says. The caller's to decref. */
json_t *daemon_status_object(struct daemon *daemon);

/* Close the transport, stop(), free. Returns the exit status. */
int daemon_destroy(struct daemon *daemon);

#endif
