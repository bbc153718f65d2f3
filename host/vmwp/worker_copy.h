// SPDX-License-Identifier: Apache-2.0
/*
 * The control commands that copy a file into the guest. The file is open when it comes: the
 * client has opened it, with its own rights, and passes the descriptor. So the worker opens no
 * path that it is told, and what the client may not read is not read for it.
 *
 *	vmwpctl copy -- descriptor --> worker_copy -> worker_copy_source (reads ahead)
 *	                                   |
 *	                               fcopy_provider
 *
 * One copy at a time. It ends with its client: who waits for the answer goes, the copy is given
 * up.
 *
 * Threads: the worker's loop.
 */
#ifndef HOST_VMWP_WORKER_COPY_H
#define HOST_VMWP_WORKER_COPY_H

#include "host/vmwp/control.h"
#include "host/vmwp/worker_copy_source.h"
#include "host/vsp/fcopy_vsp.h"

struct worker_copy {
	struct copy_source source;
	bool is_active;	   /* between the command and its answer */
	bool is_cancelled; /* before the guest was asked */
	struct control_ticket ticket;
	char name[FCOPY_TEXT_BYTES];
	char path[FCOPY_TEXT_BYTES];
	bool overwrites;
	bool creates_path;
	uint64_t size_bytes;
	uint64_t started_ns;
};

struct worker;
struct worker_services;

void worker_copy_init(struct worker_copy *copy);

/* Control commands "copy", "copy-cancel", "copy-status". */
json_t *worker_copy_command(void *ctx, const struct control_copy *what,
	struct control_ticket *ticket, struct control_error *error);
json_t *worker_copy_cancel_command(void *ctx, struct control_error *error);
json_t *worker_copy_status_command(void *ctx, struct control_error *error);

/* A control client has gone (control_socket_gone_set()). */
void worker_copy_client_gone(struct worker *worker, uint64_t connection);

/* What the provider needs. `ctx` is the worker. */
int worker_copy_read(void *ctx, uint64_t offset, uint8_t *to, uint32_t bytes);
void worker_copy_done(void *ctx, const struct fcopy_end *end);

/* For the row of "services". */
void worker_copy_describe(const struct worker_services *services, char *text, size_t size);

#endif
