// SPDX-License-Identifier: Apache-2.0
/*
 * Does a live process listen on a Unix socket's name? A worker asks before it takes a name
 * over from one that died.
 *
 * That a connection succeeds is not enough: the kernel keeps the listening socket of a killed
 * process for as long as its io_uring is being taken apart. So the process that called listen()
 * is looked up too. Threads: any.
 */
#ifndef HOST_HYPERVISOR_SOCKET_PROBE_LINUX_H
#define HOST_HYPERVISOR_SOCKET_PROBE_LINUX_H

#include <sys/un.h>

/* 1: live (or not to be told), 0: stale or gone, or a negative errno. `type`: SOCK_*. */
int socket_probe(const struct sockaddr_un *name, int type);

#endif
