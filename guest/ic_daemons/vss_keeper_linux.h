// SPDX-License-Identifier: Apache-2.0
/*
 * The keeper: a small process with the privilege to freeze, which the daemon has given up. It
 * alone decides what is frozen, from the mount table and the administrator's wishes; the daemon can
 * only ask for it, and for the end.
 *
 *	daemon (sandbox) -- SOCK_SEQPACKET -- keeper -- shared memory, two pipes -- freezer
 *
 * The freezer is forked for each backup. Whoever of the three dies, another thaws: the freezer when
 * the keeper does, the keeper when the freezer or the daemon does, and when the watchdog's time is
 * over. From the first file system frozen to the last one thawed neither writes a file or a log:
 * what there is to say goes to the daemon's socket, which keeps it.
 *
 * Threads: processes. vss_keeper_start() before the daemon has threads.
 */
#ifndef GUEST_IC_DAEMONS_VSS_KEEPER_LINUX_H
#define GUEST_IC_DAEMONS_VSS_KEEPER_LINUX_H

#include "guest/ic_daemons/vss_freeze_linux.h"
#include "guest/ic_daemons/vss_policy_linux.h"

#include <stdint.h>
#include <sys/types.h>

#define VSS_KEEPER_TEXT_BYTES 400u

/* What the daemon asks: one 32-bit number a message. Each gets one VSS_SAID_ANSWER. */
enum vss_ask {
	VSS_ASK_CHECK = 1, /* could file systems be frozen? */
	VSS_ASK_FREEZE,
	VSS_ASK_THAW,
};

enum vss_said_kind {
	VSS_SAID_ANSWER = 1,
	VSS_SAID_LOG,	  /* a line for people */
	VSS_SAID_EXPIRED, /* what was frozen is thawed, and nobody had asked for that */
	VSS_SAID_IDLE,	  /* nothing is frozen, or about to be; after each freeze that was asked for
			     unless it was refused because of another */
};

struct vss_said {
	uint32_t kind; /* enum vss_said_kind */
	uint32_t ask;  /* enum vss_ask, of an answer */
	int32_t is_ok;
	int32_t priority; /* of a line: syslog.h */
	uint32_t frozen;  /* file systems */
	uint32_t left_out;
	uint64_t milliseconds; /* that freezing took; of a thaw, that they were frozen */
	char text[VSS_KEEPER_TEXT_BYTES];
};

/* What the keeper works with; a test's own takes the place of the system's. */
struct vss_keeper_ops {
	const struct vss_freeze_ops *freeze;
	const struct vss_stack_ops *stack;
	int (*open)(const struct vss_mount *mount); /* vss_mount_open() */
	int (*execute)(const char *const argv[], const char *const envp[], unsigned timeout_s,
		char *output, size_t output_max); /* daemon_execute() */
	const char *mountinfo;			  /* path of the mount table */
};
extern const struct vss_keeper_ops vss_keeper_system;

/* All of it is borrowed for the life of the keeper. */
struct vss_keeper_options {
	const char *config_path;
	bool is_config_demanded;
	const char *below;	   /* see vss_plan_make(); or NULL */
	unsigned watchdog_seconds; /* 0: as configured */
	unsigned thaw_wait_ms;	   /* of vss_show_thaw_all(), for one file system; 0: 10 s */
};

/*
 * Fork the keeper. *fd is the daemon's end of the socket: not blocking, closed by exec; the keeper
 * ends, and thaws, when it is closed. 0 or a negative errno.
 */
int vss_keeper_start(const struct vss_keeper_options *options, const struct vss_keeper_ops *ops,
	int *fd, pid_t *pid);

#endif
