// SPDX-License-Identifier: Apache-2.0
/*
 * The control commands of key-value pairs and addresses: their arguments, and how they become
 * plain values. Rows are in control_table.c, the worker behind them in worker_kvp.c.
 *
 * No I/O, no state. Threads: the worker's loop.
 */
#ifndef HOST_VMWP_CONTROL_KVP_H
#define HOST_VMWP_CONTROL_KVP_H

#include "host/vmwp/control.h"

extern const struct control_argument control_kvp_delete_arguments[3];
extern const struct control_argument control_kvp_get_arguments[4];
extern const struct control_argument control_kvp_list_arguments[4];
extern const struct control_argument control_kvp_set_arguments[5];
extern const struct control_argument control_ip_get_arguments[2];
extern const struct control_argument control_ip_set_arguments[6];

/* As struct control_command's begin. */
json_t *control_kvp_delete(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error);
json_t *control_kvp_get(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error);
json_t *control_kvp_list(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error);
json_t *control_kvp_set(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error);
json_t *control_ip_get(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error);
json_t *control_ip_set(void *ctx, const json_t *arguments, struct control_ticket *ticket,
	struct control_error *error);

#endif
