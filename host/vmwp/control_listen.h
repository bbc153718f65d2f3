// SPDX-License-Identifier: Apache-2.0
/*
 * The name of a control socket in the file system: made for the owner alone, never taken
 * from a live worker, replaced if its worker died, removed at the end.
 *
 * Threads: any, one at a time for each listener.
 */
#ifndef HOST_VMWP_CONTROL_LISTEN_H
#define HOST_VMWP_CONTROL_LISTEN_H

#include "host/vmwp/control.h"

#include <sys/types.h>
#include <sys/un.h>

struct control_listener {
	int fd;			 /* owned; listening, non-blocking */
	struct sockaddr_un name; /* where */
	dev_t device;		 /* of the name: to know it again */
	ino_t inode;
};

/*
 * Bind and listen at `path`. Returns 0; -EADDRINUSE if a live worker listens there, -EEXIST
 * if it is no socket, or another negative errno; *error then says what to do, and nothing
 * was changed but a dead socket removed.
 */
int control_listener_open(
	struct control_listener *listener, const char *path, struct control_error *error);

/* Close it and remove the name, if the name is still this listener's. */
void control_listener_close(struct control_listener *listener);

#endif
