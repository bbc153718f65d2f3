// SPDX-License-Identifier: Apache-2.0
/*
 * A real worker in a child process, for tests of the whole stack.
 *
 *	struct stack_host host;
 *	stack_host_prepare(&host);
 *	stack_host_start(&host, (const char *[]){"--ram-disk", "8M", NULL});
 *	…				// a guest: stack_guest.h
 *	stack_host_stop(&host);
 *
 * Everything lives in a folder of its own under TMPDIR, which stack_host_stop() removes.
 */
#ifndef TESTS_LOOPBACK_STACK_HOST_H
#define TESTS_LOOPBACK_STACK_HOST_H

#include <sys/types.h>

struct stack_host {
	pid_t pid; /* 0: no worker */
	char folder[64];
	char guest_socket[96];
	char control_socket[96];
	char image[96]; /* name for a disk image; nothing is made there */
	char log[96];
};

/* Make the folder and its names, without a worker. 0 or -1. */
int stack_host_prepare(struct stack_host *host);
/* Start the worker in it with more options (NULL at the end), wait until it listens. */
int stack_host_start(struct stack_host *host, const char *const *options);
/* SIGTERM, wait, remove the folder. Returns the exit status, or -1 if it was killed. */
int stack_host_stop(struct stack_host *host);
/* kill -9 and reap; the folder stays. */
void stack_host_kill(struct stack_host *host);
/* Open descriptors of the worker. */
unsigned stack_host_descriptors(const struct stack_host *host);
/* Private memory of the worker, in KiB. */
unsigned long stack_host_private_kib(const struct stack_host *host);
/* One command on the control socket; the answer line (static buffer), or NULL. */
const char *stack_host_control(const struct stack_host *host, const char *line);

#endif
