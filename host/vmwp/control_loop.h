// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket on the worker's event loop: struct control_loop over struct loop.
 */
#ifndef HOST_VMWP_CONTROL_LOOP_H
#define HOST_VMWP_CONTROL_LOOP_H

#include "host/vmwp/control_socket.h"
#include "host/vmwp/loop.h"

static inline int control_loop_fd_add(void *ctx, int fd, uint32_t events,
	void (*fn)(void *fn_ctx, int fd, uint32_t events), void *fn_ctx)
{
	return loop_fd_add((struct loop *)ctx, fd, events, fn, fn_ctx);
}

static inline int control_loop_fd_modify(void *ctx, int fd, uint32_t events)
{
	return loop_fd_modify((struct loop *)ctx, fd, events);
}

static inline void control_loop_fd_remove(void *ctx, int fd)
{
	loop_fd_remove((struct loop *)ctx, fd);
}

/* For control_socket_create(); `loop` is borrowed until the socket is destroyed. */
static inline struct control_loop control_loop_over(struct loop *loop)
{
	return (struct control_loop){
		.ctx = loop,
		.fd_add = control_loop_fd_add,
		.fd_modify = control_loop_fd_modify,
		.fd_remove = control_loop_fd_remove,
	};
}

#endif
