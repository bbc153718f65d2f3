// SPDX-License-Identifier: Apache-2.0
/*
 * The frame's insides, shared by its files (daemon*.c) and by nobody else. See daemon.h.
 *
 *	daemon.c -> daemon_transport.c -> daemon_device.c | daemon_uio.c | daemon_loopback.c
 *	         -> daemon_loop.c, daemon_work.c, daemon_helper.c
 *	         -> daemon_sandbox.c, daemon_status.c, daemon_log.c, daemon_notify.c
 *
 * Threads: the loop's, but for daemon_log.c.
 */
#ifndef GUEST_IC_DAEMONS_DAEMON_INTERNAL_H
#define GUEST_IC_DAEMONS_DAEMON_INTERNAL_H

#include "guest/ic_daemons/daemon.h"

#include <pthread.h>

#define DAEMON_TRANSPORTS     4u /* as enum daemon_transport counts */
#define DAEMON_WHY_BYTES      200u
#define DAEMON_RETRY_FIRST_MS 250u
#define DAEMON_RETRY_MOST_MS  10000u

/* What the command line says; members are borrowed from argv. */
struct daemon_options {
	enum daemon_transport forced; /* NONE: auto */
	const char *loopback;	      /* socket, or NULL */
	const char *device;	      /* path instead of the component's, or NULL */
	const char *sysfs_root;
	const char *dev_root;
	const char *status_dir;
	const char *user; /* to become; NULL: stay */
	bool waits;	  /* for a device that is not there */
	bool has_sandbox;
	bool is_verbose;
};

/* One way to the host. Constant rows. */
struct daemon_transport_ops {
	enum daemon_transport kind;
	const char *name;
	/*
	 * Get hold of it, with whatever privileges there are. 0; -ENODEV: there is none (any
	 * more), -EBUSY: another has it, -EACCES, or another negative errno; `why` says it.
	 */
	int (*open)(struct daemon *daemon, char *why, size_t why_bytes);
	/* Begin to serve. 0 or as open. */
	int (*begin)(struct daemon *daemon, char *why, size_t why_bytes);
	/* Let go. Also after a failed begin, and if is_gone. */
	void (*close)(struct daemon *daemon);
	/* Look for work; the longest sleep that is safe, in ms (0: none, -1: any). May be NULL. */
	int (*prepare)(struct daemon *daemon);
};
extern const struct daemon_transport_ops daemon_device_ops;
extern const struct daemon_transport_ops daemon_uio_ops;
extern const struct daemon_transport_ops daemon_loopback_ops;

struct daemon_device_state {
	struct daemon_watch watch;
	int fd;
	uint8_t *record; /* owned; record_bytes_max + 1 */
	uint64_t records, replies, reply_errors;
};

/* A call of the helper that waits or is under way. */
struct daemon_helper_request {
	struct daemon_helper_request *next;
	void (*done)(void *ctx, ssize_t result, const void *reply, int fd);
	void *ctx;
	size_t len;
	uint8_t bytes[];
};

struct daemon_helper_state {
	struct daemon_watch watch;
	int fd; /* -1: none */
	pid_t pid;
	struct daemon_helper_request *first; /* under way */
	unsigned count;
	uint8_t *buffer;
};

struct daemon_job;
struct daemon_work_state {
	struct daemon_watch watch;
	int pipe[2]; /* jobs that are done: their addresses */
	unsigned running;
};

struct daemon_status_state {
	int dir_fd; /* -1: no status file */
	char path[256];
	struct daemon_timer timer;
	uint64_t written_ms;
	bool is_broken; /* complained about */
	/* Contact with the host. */
	uint64_t contacts;
	uint64_t contact_ms; /* daemon_now_ms(); 0: never */
	int64_t contact_unix_s;
};

struct daemon {
	const struct daemon_component *component;
	struct daemon_options options;
	/* loop */
	int epoll_fd;
	struct daemon_timer *timers; /* by due_ms */
	struct daemon_watch signal_watch;
	struct daemon_timer watchdog;
	uint64_t watchdog_ms;
	bool is_quitting;
	bool is_quiet;
	int exit_status;
	/* transport */
	const struct daemon_transport_ops *transport; /* open or begun; NULL: none */
	bool is_begun;
	bool is_transport_gone; /* to be closed at the next chance */
	uint64_t connections;	/* times that one was begun */
	uint32_t retry_ms;
	struct daemon_timer retry;
	char why[DAEMON_TRANSPORTS][DAEMON_WHY_BYTES];
	struct daemon_device_state device;
	struct daemon_uio *uio;		  /* owned; NULL: closed */
	struct daemon_loopback *loopback; /* owned; NULL: closed */
	struct daemon_work_state work;
	struct daemon_helper_state helper;
	struct daemon_status_state status;
};

/* daemon_loop.c */
int daemon_loop_init(struct daemon *daemon);
void daemon_loop_end(struct daemon *daemon);
/* Block the signals that end the program or ask for the status, and take them in the loop. */
int daemon_signals_take(struct daemon *daemon);

/* daemon_transport.c */
const char *daemon_transport_name(enum daemon_transport kind);
/* Try each that is allowed, best first. 0: one is open. -ENODEV: none is there; else the error. */
int daemon_transport_open(struct daemon *daemon);
/* Serve by what was opened; if that fails, or the device goes later, try again by and by. */
void daemon_transport_begin(struct daemon *daemon);
void daemon_transport_close(struct daemon *daemon);
/* From callbacks: close it soon, and open it again when it is back. */
void daemon_transport_lose(struct daemon *daemon, const char *why);
/* Close what was lost. Outside of callbacks. */
void daemon_transport_tend(struct daemon *daemon);

/* daemon_work.c */
int daemon_work_init(struct daemon *daemon);
void daemon_work_end(struct daemon *daemon);

/* daemon_helper.c */
int daemon_helper_start(struct daemon *daemon);
void daemon_helper_stop(struct daemon *daemon);

/* daemon_sandbox.c */
struct daemon_identity {
	uid_t uid;
	gid_t gid;
	bool is_given;
};
/* Before anything else needs it: who is --user? 0 or a negative errno, said. */
int daemon_identity_find(const char *name, struct daemon_identity *out);
/* Give up everything else, for good. */
int daemon_sandbox_enter(struct daemon *daemon, const struct daemon_identity *identity);
/* Keep these capabilities alone (ended by -1; NULL: none) and become `identity`. */
int daemon_privileges_keep(const int *capabilities, const struct daemon_identity *identity);

/* daemon_status.c */
void daemon_status_open(struct daemon *daemon, const struct daemon_identity *identity);
void daemon_status_write(struct daemon *daemon);
void daemon_status_contact(struct daemon *daemon);
void daemon_status_close(struct daemon *daemon);
/* The file is that of another process, which serves the device: leave it alone. */
void daemon_status_disown(struct daemon *daemon);

/* daemon_notify.c: systemd's supervision; nothing without it. */
void daemon_notify_ready(struct daemon *daemon);
/* There is nothing to serve, and the program ends: a start that succeeded all the same. */
void daemon_notify_nothing(const char *why);
void daemon_notify_status(struct daemon *daemon);
void daemon_notify_stopping(void);
void daemon_notify_watchdog_start(struct daemon *daemon);

/* daemon_log.c */
void daemon_log_open(const char *stem, bool is_verbose);
void daemon_log_hold(bool holds);

/* daemon_options.c: 0, or the exit status plus 1. */
int daemon_options_parse(struct daemon_options *options, const struct daemon_component *component,
	int argc, char **argv);
void daemon_options_default(struct daemon_options *options);

/* daemon.c */
struct daemon *daemon_new(
	const struct daemon_component *component, const struct daemon_options *options);

#endif
