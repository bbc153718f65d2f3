// SPDX-License-Identifier: Apache-2.0
/*
 * The link to one loopback guest: control region, doorbell, interrupt pipes, from
 * its welcome until it has gone. Part of backend_loopback.c, which owns the socket
 * and decides who is the guest. Wire: protocol/loopback.h. Threads: the loop thread.
 *
 * Everything in the control region is the guest's to scribble on at any time: each
 * word is taken once, by an atomic exchange or a copy, and the copy is used.
 */
#ifndef HOST_HYPERVISOR_LOOPBACK_LINK_H
#define HOST_HYPERVISOR_LOOPBACK_LINK_H

#include "host/hypervisor/backend_loopback.h"
#include "protocol/loopback.h"

struct loopback_pipe {
	int read_fd, write_fd;
};

struct loopback_link {
	struct partition *partition;			/* borrowed */
	struct backend_loopback_statistics *statistics; /* borrowed */
	uint8_t *control;				/* mapping, owned; NULL: closed */
	size_t control_bytes;
	int control_fd; /* owned */
	uint32_t vp_count;
	uint64_t generation; /* counts openings: a callback may end one link and open the next */
	/*
	 * Both ends of each pipe stay open here, though the guest has one of them: then a
	 * write cannot raise SIGPIPE, and the doorbell does not hang up while the socket
	 * still has to tell why.
	 */
	struct loopback_pipe bell;
	struct loopback_pipe interrupts[LOOPBACK_VP_MAX];
};

/* Make a fresh control region and pipes. 0 or a negative errno (nothing held). The link is
 * zero, or was closed. */
int loopback_link_open(struct loopback_link *link, struct partition *partition,
	struct backend_loopback_statistics *statistics);
void loopback_link_close(struct loopback_link *link);

/* Send the welcome and the descriptors. 0 or a negative errno. */
int loopback_link_welcome(const struct loopback_link *link, int fd);

int loopback_link_bell_fd(const struct loopback_link *link);
void loopback_link_on_bell(struct loopback_link *link);
bool loopback_link_poll(struct loopback_link *link);
bool loopback_link_arm(struct loopback_link *link);
void loopback_link_disarm(struct loopback_link *link);
void loopback_link_interrupt(struct loopback_link *link, uint32_t vp, uint32_t sint);

#endif
