// SPDX-License-Identifier: Apache-2.0
/*
 * What the guest is asked for by command: to power off, restart or hibernate, and to take
 * the time. See worker_services.h. The clock of this machine is read here too.
 */
#include "host/vmwp/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#define NS_PER_SECOND 1000000000ull
/* Two readings of reference time that are no further apart have the clock between them. */
#define READ_SPAN_100NS 500u /* 50 µs */
#define READ_TRIES	4

_Static_assert(CONTROL_REASON_MAX_BYTES == SHUTDOWN_TEXT_MAX_BYTES, "a reason fits in the message");

static const enum shutdown_action actions[] = {
	[CONTROL_POWER_OFF] = SHUTDOWN_POWER_OFF,
	[CONTROL_POWER_REBOOT] = SHUTDOWN_RESTART,
	[CONTROL_POWER_HIBERNATE] = SHUTDOWN_HIBERNATE,
};

const char *worker_service_why_not(const struct ic_provider *provider, int error)
{
	switch (error) {
	case -EBUSY:
		return "a request is under way: wait for its answer";
	case -ENOTSUP:
		return "the guest's version of the service has no such request";
	case -EAGAIN:
		return "the guest answers nothing at present: try again later";
	default:
		break;
	}
	switch (provider->ic->state) {
	case IC_HOST_NEGOTIATING:
		return "the guest has not agreed on a version yet: try again soon";
	case IC_HOST_FAILED:
		return "the guest broke the service's rules, so it is off until it opens it again";
	default:
		return "the guest does not run this service: load hv_utils in it or start its "
		       "vmic daemon, or see \"services\"";
	}
}

/* ---- power --------------------------------------------------------------------------------- */

json_t *worker_power_command(void *ctx, const struct control_power *what,
	struct control_ticket *ticket, struct control_error *error)
{
	struct worker *worker = ctx;
	struct worker_services *services = &worker->services;
	const enum shutdown_action action = actions[what->action];
	if (!services->slots[OPTIONS_SERVICE_SHUTDOWN].is_offered) {
		control_error_set(error,
			"%s: the worker does not offer the service to its guest (--services); "
			"\"stop\" ends the worker",
			shutdown_action_name(action));
		return NULL;
	}
	const struct shutdown_vsp_request request = {
		.action = action,
		.is_forced = what->is_forced,
		.reason = SHUTDOWN_REASON_PLANNED,
		.text = what->reason,
		.answer_ns = what->timeout_s * NS_PER_SECOND,
	};
	int result = shutdown_provider_request(&services->shutdown, &request);
	if (result != 0) {
		control_error_set(error, "%s: %s; \"stop\" ends the worker without the guest",
			shutdown_action_name(action),
			worker_service_why_not(&services->shutdown.provider, result));
		return NULL;
	}
	log_info("asking the guest to %s", shutdown_action_name(action));
	services->power_ticket = control_ticket_take(ticket);
	services->power_ticket.is_taken = true;
	return NULL;
}

void worker_power_done(
	void *ctx, enum shutdown_action action, enum shutdown_result result, uint32_t status)
{
	struct worker *worker = ctx;
	struct worker_services *services = &worker->services;
	const char *name = shutdown_action_name(action);
	struct control_error error = {0};
	json_t *answer = NULL;
	switch (result) {
	case SHUTDOWN_ACCEPTED:
		services->ends_with_guest = action == SHUTDOWN_POWER_OFF;
		answer = json_pack("{s:s, s:s, s:f}", "asked", name, "answer",
			shutdown_result_name(result), "milliseconds",
			(double)services->shutdown.vsp.session.round_trip_ns / 1e6);
		break;
	case SHUTDOWN_REFUSED:
		control_error_set(&error, "%s: the guest refuses, with status 0x%08x%s", name,
			status,
			action == SHUTDOWN_HIBERNATE ? ": it may not be set up to hibernate" : "");
		break;
	case SHUTDOWN_NO_ANSWER:
		control_error_set(&error,
			"%s: the guest gave no answer; it may do it yet (see \"heartbeat\"), or "
			"\"stop\" ends the worker",
			name);
		break;
	case SHUTDOWN_CLOSED:
		control_error_set(
			&error, "%s: the guest left before it answered; it may have done it", name);
		break;
	}
	log_info("%s: %s", name, shutdown_result_name(result));
	if (!services->power_ticket.is_taken) {
		json_decref(answer);
		return;
	}
	services->power_ticket.is_taken = false;
	control_socket_answer(worker->control, &services->power_ticket, answer, &error);
}

/* ---- time ---------------------------------------------------------------------------------- */

json_t *worker_time_command(
	void *ctx, bool is_sync, struct control_ticket *ticket, struct control_error *error)
{
	struct worker *worker = ctx;
	struct worker_services *services = &worker->services;
	if (!services->slots[OPTIONS_SERVICE_TIME].is_offered) {
		control_error_set(error,
			"time: the worker does not offer the service to its guest (--services)");
		return NULL;
	}
	int result = timesync_provider_request(&services->timesync, is_sync);
	if (result != 0) {
		control_error_set(error, "time: %s",
			worker_service_why_not(&services->timesync.provider, result));
		return NULL;
	}
	services->time_ticket = control_ticket_take(ticket);
	services->time_ticket.is_taken = true;
	return NULL;
}

void worker_time_done(void *ctx, enum timesync_result result, uint32_t status)
{
	struct worker *worker = ctx;
	struct worker_services *services = &worker->services;
	struct control_error error = {0};
	json_t *answer = NULL;
	if (result == TIMESYNC_TAKEN)
		answer = json_pack("{s:s, s:f}", "answer", timesync_result_name(result),
			"milliseconds", (double)services->timesync.vsp.session.round_trip_ns / 1e6);
	else if (result == TIMESYNC_REFUSED)
		control_error_set(&error, "time: the guest refuses, with status 0x%08x", status);
	else
		control_error_set(&error,
			"time: %s of the guest; see \"services\", and try again later",
			timesync_result_name(result));
	if (!services->time_ticket.is_taken) {
		json_decref(answer);
		return;
	}
	services->time_ticket.is_taken = false;
	control_socket_answer(worker->control, &services->time_ticket, answer, &error);
}

/* The day's last minute, as the kernel was told it will be. */
static uint8_t leap_read(void)
{
	struct timex state = {.modes = 0};
	if (adjtimex(&state) < 0)
		return TIMESYNC_LEAP_NONE;
	if ((state.status & STA_INS) != 0)
		return TIMESYNC_LEAP_INSERT;
	return (state.status & STA_DEL) != 0 ? TIMESYNC_LEAP_DELETE : TIMESYNC_LEAP_NONE;
}

/* The clock between two readings of reference time that are close to each other. */
void worker_time_read(void *ctx, struct timesync_reading *out)
{
	const struct worker *worker = ctx;
	struct timespec now;
	uint64_t before = 0;
	uint64_t after = 0;
	for (unsigned i = 0; i < READ_TRIES; i++) {
		before = partition_time_100ns(worker->partition);
		clock_gettime(CLOCK_REALTIME, &now);
		after = partition_time_100ns(worker->partition);
		if (after - before <= READ_SPAN_100NS)
			break;
	}
	*out = (struct timesync_reading){
		.utc_100ns = TIMESYNC_UNIX_EPOCH_100NS + (uint64_t)now.tv_sec * 10000000 +
			     (uint64_t)now.tv_nsec / 100,
		.reference_100ns = before + (after - before) / 2,
		.leap = leap_read(),
	};
}
