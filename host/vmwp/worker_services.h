// SPDX-License-Identifier: Apache-2.0
/*
 * The worker's integration services: one row of a table each, offered on its bus, with a
 * timer of the loop.
 *
 *	worker -> worker_services (the table) -> <stem>_provider -> bus
 *	control commands -> worker_power.c -> shutdown_provider, timesync_provider
 *			    worker_backup.c -> vss_provider
 *			    worker_kvp.c -> kvp_provider
 *
 * Threads: the worker's loop.
 */
#ifndef HOST_VMWP_WORKER_SERVICES_H
#define HOST_VMWP_WORKER_SERVICES_H

#include "host/vmwp/control.h"
#include "host/vmwp/log.h"
#include "host/vmwp/loop.h"
#include "host/vmwp/options.h"
#include "host/vmwp/worker_backup.h"
#include "host/vmwp/worker_copy.h"
#include "host/vmwp/worker_kvp.h"
#include "host/vsp/fcopy_provider.h"
#include "host/vsp/heartbeat_provider.h"
#include "host/vsp/shutdown_provider.h"
#include "host/vsp/timesync_provider.h"

struct worker;

/* What every service has. */
struct worker_service_slot {
	struct worker *worker;
	struct ic_provider *provider;
	struct loop_timer timer;
	bool is_offered;
};

struct worker_services {
	struct worker_service_slot slots[OPTIONS_SERVICE_COUNT];
	struct heartbeat_provider heartbeat;
	struct log_limit heartbeat_limit; /* of what a guest can make us say as often as it likes */
	struct shutdown_provider shutdown;
	struct control_ticket power_ticket; /* is_taken: a client waits for the guest's answer */
	bool ends_with_guest;		    /* the guest has agreed to power off */
	struct timesync_provider timesync;
	struct control_ticket time_ticket;
	struct fcopy_provider fcopy;
	struct worker_copy copy;
	struct worker_backup backup;
	struct worker_kvp kvp;
};

/* Offer those that the options name. 0, or the error of bus_offer_add(). */
int worker_services_start(struct worker *worker);
/* Take them back; who waits for an answer is told. */
void worker_services_stop(struct worker *worker);

/* Answers of the control commands "services" and "heartbeat". */
json_t *worker_services_json(const struct worker *worker);
json_t *worker_heartbeat_json(const struct worker *worker);

/* worker_power.c: control commands "shutdown", "reboot", "hibernate" and "time". */
json_t *worker_power_command(void *ctx, const struct control_power *what,
	struct control_ticket *ticket, struct control_error *error);
json_t *worker_time_command(
	void *ctx, bool is_sync, struct control_ticket *ticket, struct control_error *error);

/* worker_power.c: why a service takes no request, for a person; `error` is its negative errno. */
const char *worker_service_why_not(const struct ic_provider *provider, int error);

/* worker_power.c: what the providers need. `ctx` is the worker. */
void worker_power_done(
	void *ctx, enum shutdown_action action, enum shutdown_result result, uint32_t status);
void worker_time_done(void *ctx, enum timesync_result result, uint32_t status);
void worker_time_read(void *ctx, struct timesync_reading *out);

#endif
