// SPDX-License-Identifier: Apache-2.0
/*
 * The target "loopback": a vmwp of its own, whose guest is this process or a child of it.
 *
 *	hvconform -- run_linux.c
 *	   | host_start, guest_run (in a child), host_probe
 *	vmwp run --guest SOCKET …	one for all tests, until it dies
 *
 * When a guest parts, the worker resets its partition, so each test finds a fresh one.
 *
 * Threads: one.
 */
#ifndef TESTS_CONFORMANCE_TARGET_LOOPBACK_LINUX_H
#define TESTS_CONFORMANCE_TARGET_LOOPBACK_LINUX_H

#include "tests/conformance/run_linux.h"

#include <sys/types.h>

struct loopback_host {
	const char *program;  /* path of vmwp; borrowed */
	pid_t pid;	      /* 0: not running */
	unsigned descriptors; /* that it had with a guest, when it was new */
	char folder[RUN_FOLDER_BYTES];
	char socket[112];
	char log[112];
};

/* Its options as text, for reports. */
extern const char loopback_host_options[];

/* Make the folder. 0 or -1 with a line on standard error. */
int loopback_host_prepare(struct loopback_host *host, const char *program);
/* Start it and wait until it takes a guest. 0 or -1 with a line on standard error. */
int loopback_host_start(struct loopback_host *host);
/* End it, remove the folder. */
void loopback_host_remove(struct loopback_host *host);

enum loopback_health {
	LOOPBACK_WELL,
	LOOPBACK_LEAKS, /* it holds more descriptors than when it was new */
	LOOPBACK_HUNG,	/* it takes no guest, or does not answer; it was killed */
	LOOPBACK_DIED,
};
/* Join as a guest, ask something, part. If not well, `how` says so in a line. */
enum loopback_health loopback_host_probe(struct loopback_host *host, char *how, size_t bytes);

/* Join, run the test, part. The evidence is in *target, which need not be set up before. */
enum conform_verdict loopback_guest_run(const struct loopback_host *host,
	const struct conform_test *test, struct conform_target *target);

#endif
