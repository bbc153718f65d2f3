// SPDX-License-Identifier: Apache-2.0
/*
 * vmic-timesync's component. See timesync_daemon_linux.h.
 */
#include "guest/ic_daemons/timesync_daemon_linux.h"

#include "guest/ic_daemons/time_others_linux.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS		  60000u /* for so long it is known who else keeps the clock */
#define MS_PER_100NS	  10000
#define STEP_MS_MAX	  500u
#define STEP_MS_MIN	  1u
#define OFFSET_TEXT_BYTES 32u

static uint64_t on_reference(void *ctx)
{
	const struct timesync_daemon *timesync = ctx;
	return daemon_reference_100ns(timesync->daemon);
}

/* A user's process cannot read the reference time of a real partition. */
static uint64_t on_reference_since(void *ctx, uint64_t message_100ns)
{
	struct timesync_daemon *timesync = ctx;
	struct timespec raw;
	const uint64_t told = daemon_reference_100ns(timesync->daemon);
	if (told != 0)
		return told;
	clock_gettime(CLOCK_MONOTONIC_RAW, &raw);
	return time_reference_since(&timesync->reference,
		(uint64_t)raw.tv_sec * 10000000u + (uint64_t)raw.tv_nsec / 100u, message_100ns);
}

static bool may_set(const struct timesync_daemon *timesync)
{
	if (timesync->is_process || timesync->set == TIMESYNC_SET_NEVER)
		return false;
	return timesync->set == TIMESYNC_SET_ALWAYS || timesync->other == NULL;
}

/* "+1.250 ms" */
static void offset_text(int64_t offset_100ns, char out[OFFSET_TEXT_BYTES])
{
	const int64_t us = offset_100ns / 10;
	const uint64_t away = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
	snprintf(out, OFFSET_TEXT_BYTES, "%c%" PRIu64 ".%03" PRIu64 " ms", us < 0 ? '-' : '+',
		away / 1000, away % 1000);
}

/* R-TIME-118: who reads the clock hears of a step before it happens. */
static void order_announce(const struct time_policy_order *order)
{
	char offset[OFFSET_TEXT_BYTES];
	offset_text(order->offset_100ns, offset);
	if (order->action == TIME_POLICY_STEP)
		daemon_log(order->is_backwards ? LOG_WARNING : LOG_NOTICE,
			"the clock is set %s: by %s, as the host's clock says",
			order->is_backwards ? "BACK" : "forward", offset);
	else
		daemon_log(LOG_DEBUG, "the clock is %s off and is slewed", offset);
}

static void order_carry_out(struct timesync_daemon *timesync, const struct time_policy_order *order)
{
	order_announce(order);
	const int error = time_clock_apply(&timesync->clock, order);
	if (error != 0 && timesync->complained_errno != -error)
		daemon_log(LOG_ERR, "cannot %s the clock: %s%s",
			time_policy_action_name(order->action), strerror(-error),
			error == -EPERM ? "; it needs the capability CAP_SYS_TIME" : "");
	timesync->complained_errno = -error;
}

/* All processes are gone through: not for its own sake, but when a clock may be set. */
static void look(struct timesync_daemon *timesync)
{
	const char *other = time_others_find(timesync->proc);
	if (other != timesync->other) {
		if (other != NULL)
			daemon_log(LOG_NOTICE, "%s keeps the clock: it is left alone%s", other,
				timesync->set == TIMESYNC_SET_ALWAYS ? " by nobody, because of "
								       "--set-anyway"
				: timesync->has_shm		     ? ", and offered samples"
								     : "; see --shm");
		else
			daemon_log(
				LOG_NOTICE, "%s does not keep the clock any more", timesync->other);
		timesync->other = other;
		daemon_status_touch(timesync->daemon);
	}
	timesync->looked_ms = daemon_now_ms();
}

static void on_sample(void *ctx, const struct timesync_sample *sample)
{
	struct timesync_daemon *timesync = ctx;
	/* At once: the sample is of the moment of the call. A look takes milliseconds. */
	const uint64_t now = time_clock_now_100ns(&timesync->clock);
	if (daemon_now_ms() - timesync->looked_ms >= LOOK_MS)
		look(timesync);
	time_shm_write(&timesync->shm, sample->utc_100ns, now, sample->leap);
	time_policy_judge(&timesync->policy, sample, now, &timesync->last);
	if (timesync->last.action == TIME_POLICY_NOTHING)
		return;
	if (may_set(timesync))
		order_carry_out(timesync, &timesync->last);
	else
		timesync->not_set++;
	if (timesync->last.action == TIME_POLICY_STEP)
		daemon_status_touch(timesync->daemon);
}

static const struct timesync_ic_ops ic_ops = {
	.reference_100ns = on_reference,
	.reference_since = on_reference_since,
	.sample = on_sample,
};

/* ---- component ----------------------------------------------------------- */

static int start(void *ctx, struct daemon *daemon)
{
	struct timesync_daemon *timesync = ctx;
	timesync->daemon = daemon;
	time_policy_init(&timesync->policy, &timesync->config);
	if (!timesync->has_shm)
		return 0;
	const int error = time_shm_open(&timesync->shm, TIME_SHM_KEY, timesync->shm_unit);
	if (error == -EPERM)
		daemon_log(LOG_ERR,
			"--shm %u: the segment exists, and other users may write to it: remove it "
			"(ipcrm -M 0x%08x)",
			timesync->shm_unit, TIME_SHM_KEY + timesync->shm_unit);
	else if (error != 0)
		daemon_log(LOG_ERR, "--shm %u: %s", timesync->shm_unit, strerror(-error));
	return error;
}

static int ready(void *ctx, struct daemon *daemon)
{
	(void)daemon;
	look(ctx);
	return 0;
}

static void on_transport(void *ctx, enum daemon_transport transport)
{
	struct timesync_daemon *timesync = ctx;
	memset(&timesync->reference, 0, sizeof timesync->reference);
	if (transport == DAEMON_TRANSPORT_LOOPBACK && !timesync->is_process) {
		timesync->is_process = true;
		daemon_log(LOG_INFO, "the clock is this machine's, not the partition's: it is only "
				     "compared");
	}
}

static void stop(void *ctx, struct daemon *daemon)
{
	struct timesync_daemon *timesync = ctx;
	(void)daemon;
	time_shm_close(&timesync->shm);
}

static json_t *count(uint64_t value)
{
	return json_integer((json_int_t)(value & INT64_MAX));
}

static void status(void *ctx, json_t *object)
{
	const struct timesync_daemon *timesync = ctx;
	const struct timesync_ic *ic = &timesync->ic;
	json_object_set_new(object, "sets_clock", json_boolean(may_set(timesync)));
	json_object_set_new(object, "other_keeper",
		timesync->other != NULL ? json_string(timesync->other) : json_null());
	json_object_set_new(object, "offset_ms",
		ic->syncs + ic->samples > 0
			? json_real((double)timesync->policy.offset_100ns / MS_PER_100NS)
			: json_null());
	json_object_set_new(
		object, "last_action", json_string(time_policy_action_name(timesync->last.action)));
	json_object_set_new(object, "steps", count(timesync->clock.steps));
	json_object_set_new(object, "slews", count(timesync->clock.slews));
	json_object_set_new(object, "failures", count(timesync->clock.failures));
	json_object_set_new(object, "not_set", count(timesync->not_set));
	json_object_set_new(object, "syncs", count(ic->syncs));
	json_object_set_new(object, "samples", count(ic->samples));
	json_object_set_new(object, "stale", count(ic->stale));
	json_object_set_new(object, "inexact", count(ic->inexact));
	json_object_set_new(object, "refused", count(ic->refused));
	json_object_set_new(
		object, "shm_unit", timesync->has_shm ? count(timesync->shm_unit) : json_null());
	json_object_set_new(object, "shm_samples", count(timesync->shm.written));
}

/* ---- options ------------------------------------------------------------- */

enum key { KEY_NO_SET = 0x2000, KEY_SET_ANYWAY, KEY_STEP_THRESHOLD, KEY_SHM };

static const struct argp_option option_rows[] = {
	{"no-set", KEY_NO_SET, NULL, 0, "never set the clock", 0},
	{"set-anyway", KEY_SET_ANYWAY, NULL, 0,
		"set it even if chrony, systemd-timesyncd or another program keeps it", 0},
	{"step-threshold", KEY_STEP_THRESHOLD, "MS", 0,
		"set the clock at once if it is off by this or more, 1 to 500 ms (default 128); "
		"slew "
		"it otherwise",
		0},
	{"shm", KEY_SHM, "UNIT", 0,
		"offer the host's clock to chrony or ntpd too, as SHM reference clock UNIT (0 to "
		"255)",
		0},
	{0},
};

static unsigned number_take(const char *name, const char *value, unsigned least, unsigned most,
	struct argp_state *state)
{
	char *end;
	errno = 0;
	const unsigned long number = strtoul(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || value[0] == '-' || number < least ||
		number > most) {
		argp_error(state, "--%s: \"%s\" is not a number from %u to %u", name, value, least,
			most);
		return least;
	}
	return (unsigned)number;
}

static error_t option_take(int key, char *value, struct argp_state *state)
{
	struct timesync_daemon *timesync = state->input;
	switch (key) {
	case KEY_NO_SET:
		timesync->set = TIMESYNC_SET_NEVER;
		return 0;
	case KEY_SET_ANYWAY:
		timesync->set = TIMESYNC_SET_ALWAYS;
		return 0;
	case KEY_STEP_THRESHOLD:
		timesync->config.step_100ns = (uint64_t)number_take("step-threshold", value,
						      STEP_MS_MIN, STEP_MS_MAX, state) *
					      MS_PER_100NS;
		return 0;
	case KEY_SHM:
		timesync->has_shm = true;
		timesync->shm_unit = number_take("shm", value, 0, TIME_SHM_UNIT_MAX, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp options = {.options = option_rows, .parser = option_take};

static const int capabilities[] = {CAP_SYS_TIME, -1};
static const char *const system_calls[] = {"adjtimex", "clock_adjtime", "shmdt", NULL};

void timesync_daemon_init(struct timesync_daemon *timesync, struct daemon_component *component)
{
	memset(timesync, 0, sizeof *timesync);
	timesync->proc = "/proc";
	timesync_ic_init(&timesync->ic, &ic_ops, timesync);
	time_policy_init(&timesync->policy, NULL);
	time_clock_init(&timesync->clock, NULL, NULL);
	*component = (struct daemon_component){
		.stem = "timesync",
		.description = "Keeps this machine's clock by its host's.",
		.interface_id = &guid_timesync,
		.ctx = timesync,
		.ic = &timesync->ic.ic,
		.options = &options,
		.start = start,
		.ready = ready,
		.on_transport = on_transport,
		.stop = stop,
		.status = status,
		.capabilities = capabilities,
		.system_calls = system_calls,
	};
}
