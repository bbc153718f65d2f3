// SPDX-License-Identifier: Apache-2.0
/*
 * A program run to its end, without a shell: for the back end that has nothing else to call.
 *
 * Threads: none of its own.
 */
#ifndef GUEST_IC_DAEMONS_NET_RUN_LINUX_H
#define GUEST_IC_DAEMONS_NET_RUN_LINUX_H

#include <stdbool.h>
#include <stddef.h>

#define NET_RUN_ARGUMENTS_MAX 8u

/*
 * Run argv[0], an absolute path, with an environment of a plain PATH alone and no input. The last
 * line of its output, bounded, printable and NUL-terminated, goes to `output`. After `timeout_s`
 * its process group is killed, or (may_go_on) left to itself. Returns the exit status, 128 and
 * the signal's number, -ETIMEDOUT, or another negative errno if it could not be started.
 * With `systemd_run` (a path; else NULL) systemd runs it, as a service of its own: what it starts
 * then neither has our sandbox nor ends with us. argv has NET_RUN_ARGUMENTS_MAX words at most.
 */
int net_run(const char *systemd_run, const char *const argv[], unsigned timeout_s, bool may_go_on,
	char *output, size_t output_bytes);

#endif
